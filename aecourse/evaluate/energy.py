"""What a critic says of images, and whether a generator's samples repeat each other or leave something out."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from ..models import Critic
from .codes import check_count, in_batches


@torch.no_grad()
def energies(critic: Critic, images: Tensor) -> Tensor:
    """Return the energy of any number of images, `(N,)`, on the CPU: squared grey levels per image."""
    if not isinstance(critic, Critic):
        raise ValueError(f"got a {type(critic).__name__} as the critic, expected a Critic; a pair's is pair.critic")
    return torch.cat([critic.energy(batch).cpu() for batch in in_batches(images, 1000)])


def coverage(samples: Tensor, reference: Tensor, *, neighbours: int = 5) -> float:
    """Return the share of reference points near which there is a sample: 1 − this is what the generator leaves out.

    Near is nearer than the reference point's own `neighbours`-th nearest other reference point (Naeem et al., 2020).
    As many fresh points of the reference's own kind get about 1 − 2^−neighbours.

    Args:
        samples, reference: `(N, …)`, images or features; the share grows with the number of samples.

    Raises:
        ValueError: if there are not more reference points than `neighbours`.
    """
    real, made = _rows("samples", samples, reference)
    if len(real) <= check_count("neighbours", neighbours):
        raise ValueError(f"got {len(real)} reference points, expected more than {neighbours}, the number of neighbours")
    radius = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(real).kneighbors()[0][:, -1]
    nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(made).kneighbors(real)[0][:, 0]
    return float((nearest < radius).mean())


def near_duplicates(samples: Tensor, reference: Tensor, *, share: float = 0.01) -> float:
    """Return the share of samples that have another sample nearer than all but `share` of real images have one.

    Real images get `share` themselves; copies of one image get 1.

    Args:
        samples, reference: `(N, …)`, images or features, as many of each: among more there are nearer ones.
        share: which quantile of the reference's nearest distances counts as "near".

    Raises:
        ValueError: if the numbers differ or are below 2, or `share` is not between 0 and 1.
    """
    real, made = _rows("samples", samples, reference)
    if len(real) != len(made) or len(real) < 2 or not 0 < share < 1:
        raise ValueError(
            f"got {len(made)} samples, {len(real)} reference points and share={share!r}, "
            "expected equal numbers of at least 2 and a share between 0 and 1"
        )
    own, other = (
        NearestNeighbors(n_neighbors=1, algorithm="brute").fit(rows).kneighbors()[0][:, 0] for rows in (made, real)
    )
    return float((own < np.quantile(other, share)).mean())


def _rows(name: str, samples: Tensor, reference: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return reference and samples as rows of numbers."""
    if samples.dim() < 2 or samples.shape[1:] != reference.shape[1:]:
        raise ValueError(
            f"got {name} of shape {tuple(samples.shape)} and a reference of shape {tuple(reference.shape)}, "
            "expected both (N, …) with equal …"
        )
    return reference.detach().flatten(1).cpu().numpy(), samples.detach().flatten(1).cpu().numpy()
