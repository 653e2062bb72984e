"""What each number of a code knows about each known factor of the images, and simple measures of a digit's style."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics import mutual_info_score
from torch import Tensor

from ..models import check_images
from .codes import check_count


def factor_information(codes: Tensor, factors: Tensor, *, bins: int = 20) -> Tensor:
    """Return how much each number of the code tells of each factor: `(latent_dim, factors)`, shares from 0 to 1.

    I(zⱼ; vₖ) / H(vₖ): the mutual information as a share of the factor's entropy.  Each number of the code is cut
    into `bins` groups of equally many images, so its scale doesn't matter.  With few images the shares are a
    little too high, by about (bins − 1)(values − 1) / 2N nats.

    Args:
        codes: `(N, latent_dim)`; of a VAE, draws from the posteriors, since the means of an unused dimension may
            still tell something, at a scale far below the noise.
        factors: `(N, K)` with a few different values in each column.
        bins: groups for each number of the code.

    Raises:
        ValueError: if the tables don't fit each other, or a factor has only one value.
    """
    check_count("bins", bins, least=2)
    if codes.dim() != 2 or factors.dim() != 2 or len(codes) != len(factors) or len(codes) < 2:
        raise ValueError(
            f"got codes of shape {tuple(codes.shape)} and factors of shape {tuple(factors.shape)}, "
            "expected (N, latent_dim) and (N, K) with the same N of at least 2"
        )
    groups = [_groups(column, bins) for column in codes.detach().cpu().double().numpy().T]
    values = [np.unique(column, return_inverse=True)[1] for column in factors.cpu().numpy().T]
    entropies = [mutual_info_score(column, column) for column in values]
    if min(entropies) <= 0:
        raise ValueError("got a factor with only one value, expected at least two; leave that column out")
    shares = [
        [mutual_info_score(value, group) / entropy for value, entropy in zip(values, entropies, strict=True)]
        for group in groups
    ]
    return torch.tensor(shares, dtype=torch.float32)


def mutual_information_gap(codes: Tensor, factors: Tensor, *, bins: int = 20) -> float:
    """Return the MIG, from 0 to 1: by how much the best number of the code knows a factor better than the second best.

    The gap between the two largest shares in each column of `factor_information`, averaged over the factors
    (Chen et al., 2018, equation 6).  1: each factor has one number of its own that tells all of it.  0: every
    factor is told by two numbers equally well, or by none.

    Args:
        codes, factors, bins: as for `factor_information`; the code needs at least two numbers.

    Raises:
        ValueError: as `factor_information`, or if the code has one number only.
    """
    shares = factor_information(codes, factors, bins=bins)
    if len(shares) < 2:
        raise ValueError("got codes of one number, expected at least two: a gap needs a second best")
    best, second = shares.topk(2, dim=0).values
    return float((best - second).mean())


def ink(images: Tensor) -> Tensor:
    """Return how much ink each image has: the sum of its pixels, `(N,)`."""
    return check_images(images).sum((1, 2, 3))


def slant(images: Tensor) -> Tensor:
    """Return by how many pixels each image leans to the right for each pixel upwards: `(N,)`, 0 if upright.

    The slope of the line that predicts a white pixel's column from its row: their covariance divided by the
    variance of the rows, each pixel weighted with its grey value.

    Raises:
        ValueError: for bad images.
    """
    pixels = check_images(images)[:, 0]
    mass = pixels.sum((1, 2)).clamp(min=1e-6)
    up = torch.arange(images.shape[2], device=images.device).flip(0) - (images.shape[2] - 1) / 2
    right = torch.arange(images.shape[3], device=images.device) - (images.shape[3] - 1) / 2
    rows, columns = pixels.sum(2), pixels.sum(1)
    mean_up, mean_right = (rows @ up) / mass, (columns @ right) / mass
    covariance = (pixels * up[:, None] * right).sum((1, 2)) / mass - mean_up * mean_right
    variance = (rows @ up.square()) / mass - mean_up.square()
    return covariance / variance.clamp(min=1e-6)


def agreement(values: Tensor) -> float:
    """Return how well several series agree: the mean correlation over all pairs of columns of `(N, K)`, from −1 to 1.

    Each column is compared with the others over the N rows, so differences between the columns' means don't count.

    Raises:
        ValueError: if there are fewer than three rows or two columns, or a column is constant.
    """
    if values.dim() != 2 or len(values) < 3 or values.shape[1] < 2:
        raise ValueError(f"got values of shape {tuple(values.shape)}, expected (N, K), N at least 3 and K at least 2")
    if (values.std(0) == 0).any():
        raise ValueError("got a constant column, expected values that differ; leave that column out")
    correlations = torch.corrcoef(values.double().T)
    k = len(correlations)
    return float((correlations.sum() - correlations.trace()) / (k * (k - 1)))


def _groups(column: np.ndarray, bins: int) -> np.ndarray:
    """Return the number of the group of each value; equal values are in one group."""
    edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, column, side="right")
