"""Does it look like a digit?  A judge, and what it says of samples, of holes in a latent space, and of paths."""

from __future__ import annotations

import contextlib
import inspect
import zlib

import torch
from platformdirs import user_cache_path
from scipy.linalg import sqrtm
from torch import Tensor, nn

from .. import checkpoint, training
from ..data import Dataset
from ..models import Classifier
from .codes import decode

SURE = 0.9  # the probability from which a class counts as recognised


def judge(dataset: Dataset) -> Classifier:
    """Return a classifier trained on the data set's training images and labels: the course's judge.

    It is trained once, in seconds, and kept in the cache folder; a copy that is missing, damaged or made by
    other code is made anew.  At `SURE` it recognises 95 % of MNIST's test images, but also half of all letters.
    """
    model = Classifier()
    recipe = torch.__version__ + inspect.getsource(Classifier) + inspect.getsource(judge)
    checksum = zlib.crc32(recipe.encode())
    for tensor in (dataset.train_images, dataset.train_labels):
        checksum = zlib.crc32(tensor.contiguous().numpy(), checksum)
    path = user_cache_path("aecourse") / f"judge-{checksum:08x}.pt"
    with contextlib.suppress(FileNotFoundError, ValueError):
        return checkpoint.load(model, path).eval()
    images, labels = dataset.train_images, dataset.train_labels
    training.fit(model, (images, labels), epochs=3, lr=training.cosine(4e-3, warmup=0.05), device="cpu")
    with contextlib.suppress(OSError):  # without a folder to write in, the next call takes seconds again
        checkpoint.save(model, path)
    return model


@torch.no_grad()
def recognised(judge: Classifier, images: Tensor, *, sure: float = SURE) -> Tensor:
    """Return the class of each image, or −1 where the judge gives none a probability of `sure`: int64 `(N,)`."""
    confidence, label = torch.cat([judge(batch).cpu() for batch in images.split(1000)]).max(1)
    return torch.where(confidence >= sure, label, -1)


def recognised_share(judge: Classifier, images: Tensor) -> float:
    """Return the share of images in which the judge recognises a digit."""
    return float((recognised(judge, images) >= 0).float().mean())


def unrecognised_share(judge: Classifier, model: nn.Module, latents: Tensor) -> float:
    """Return the share of codes `(N, latent_dim)` whose decoded images the judge doesn't recognise: the holes."""
    return 1 - recognised_share(judge, decode(model, latents))


def box(codes: Tensor, n: int, *, coverage: float = 0.98, seed: int = 0) -> Tensor:
    """Return `n` random points, evenly spread over the box in which the codes lie: `(n, latent_dim)`.

    Args:
        codes: `(N, latent_dim)`.
        coverage: in each dimension the box holds this share of the codes, as many left out below as above.
        seed: fixes the points.
    """
    low, high = codes.quantile(torch.tensor([(1 - coverage) / 2, (1 + coverage) / 2]), dim=0)
    return low + (high - low) * torch.rand((n, codes.shape[1]), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def frechet_distance(judge: Classifier, first: Tensor, second: Tensor) -> float:
    """Return the Fréchet distance between two sets of images, seen through the judge's hidden layer.

    Each set becomes a normal distribution of features with its mean m and covariance C, and the squared distance
    |m₁ − m₂|² + tr(C₁ + C₂ − 2 √(C₁C₂)) is returned (Dowson & Landau, 1982), as Heusel et al. (2017) do with a
    larger network.  0 means equal; samples that are bad or that are all alike are far away.  It depends on the
    judge and falls with the number of images, so compare sets of one size.

    Args:
        first, second: at least two images each.
    """
    statistics = []
    for images in (first, second):
        features = torch.cat([judge.features(batch).cpu() for batch in images.split(1000)]).double()
        statistics.append((features.mean(0), torch.cov(features.T)))
    (m1, c1), (m2, c2) = statistics
    root = torch.from_numpy(sqrtm((c1 @ c2).numpy()).real)
    return float((m1 - m2).square().sum() + (c1 + c2 - 2 * root).trace())


def lerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return `steps` points on the straight line from each start to its end, both included: `(N, steps, …)`.

    Args:
        start, end: `(N, …)`, codes or images.
    """
    alpha = torch.linspace(0, 1, steps).reshape(1, -1, *[1] * (start.dim() - 1))
    return torch.lerp(start[:, None], end[:, None], alpha)


def slerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return `steps` points on the arc from each start to its end, as seen from the origin: `(N, steps, k)`.

    Shoemake (1985); lengths that differ are carried over linearly (White, 2016).  Codes of one direction, or of
    opposite ones, for which there is no single arc, are joined by the straight line.

    Args:
        start, end: `(N, k)`.
    """
    lengths = lerp(start.norm(dim=1), end.norm(dim=1), steps)[..., None]
    a, b = (torch.nn.functional.normalize(each, dim=1) for each in (start, end))
    angle = torch.acos((a * b).sum(1).clamp(-1, 1))[:, None, None]
    alpha = torch.linspace(0, 1, steps)[None, :, None]
    arc = (((1 - alpha) * angle).sin() * a[:, None] + (alpha * angle).sin() * b[:, None]) / angle.sin()
    return torch.where(angle.sin().abs() > 1e-4, lengths * arc, lerp(start, end, steps))


def path_classes(judge: Classifier, paths: Tensor) -> Tensor:
    """Return what the judge sees along paths of images: the class, or −1 where it is not sure: int64 `(N, steps)`.

    Args:
        paths: `(N, steps, 1, 28, 28)`.
    """
    return recognised(judge, paths.flatten(0, 1)).unflatten(0, paths.shape[:2])


def crossing_share(classes: Tensor, digit: int) -> float:
    """Return the share of paths, from `path_classes`, on which the judge recognises this digit at least once."""
    return float((classes == digit).any(1).float().mean())
