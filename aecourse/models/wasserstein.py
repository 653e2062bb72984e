"""The Wasserstein autoencoder: points as codes, but together they are to lie like the prior.

Source: Tolstikhin, Bousquet, Gelly & Schölkopf (2018), the variant with the maximum mean discrepancy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .. import losses
from .dense import DenseAutoencoder


class WassersteinAutoencoder(DenseAutoencoder):
    """A dense autoencoder that also pays for the distance between its codes, as a crowd, and draws from N(0, I).

    A VAE makes *each* image's cloud resemble the prior; here only all codes together must (Tolstikhin et al., 2018,
    algorithm 2).  So the codes stay points, without noise.

    Args:
        widths, activation, image_shape, seed: as for `DenseAutoencoder`.
        matching: the weight of the squared discrepancy in `total`; 0 is the plain autoencoder.

    Raises:
        ValueError: as `DenseAutoencoder`, or if `matching` is negative or not finite.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 500, 300, 2),
        *,
        matching: float = 300.0,
        activation: Callable[[], nn.Module] = nn.ReLU,
        image_shape: tuple[int, ...] = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__(widths, activation=activation, image_shape=image_shape, seed=seed)
        if not 0 <= matching < math.inf:
            raise ValueError(f"got matching={matching!r}, expected a finite number of at least 0")
        self.matching = float(matching)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction` (nats per image) + matching · `mmd`, from one batch's codes and draws."""
        codes = self.encoder(images.flatten(1))
        discrepancy = squared_mmd(codes, torch.randn_like(codes))
        reconstruction = losses.cross_entropy(self.decoder(codes), images.flatten(1))
        return {
            "total": reconstruction + self.matching * discrepancy,
            "reconstruction": reconstruction,
            "mmd": discrepancy,
        }


def squared_mmd(codes: Tensor, draws: Tensor) -> Tensor:
    """Return an unbiased estimate of the squared maximum mean discrepancy between two samples; it can be negative.

    The kernel is the sum of C / (C + ‖a − b‖²) over C = 2k · (0.1, 0.2, 0.5, 1, 2, 5, 10) for codes of k numbers
    (Tolstikhin et al., 2018, section 4): unlike the bell curve of `evaluate.mmd` it still pulls at codes far out.
    One code alone has no partner to be compared with: the result is then 0.

    Args:
        codes: `(N, k)`.
        draws: `(N, k)`, from the prior.
    """
    n, k = codes.shape
    if n < 2:
        return codes.new_zeros(())

    def kernel(first: Tensor, second: Tensor) -> Tensor:
        distance = (first.square().sum(1)[:, None] + second.square().sum(1) - 2 * first @ second.T).clamp(min=0)
        return sum(2 * k * c / (2 * k * c + distance) for c in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    within = sum((kernel(each, each).sum() - 7 * n) / (n * (n - 1)) for each in (codes, draws))
    return within - 2 * kernel(codes, draws).mean()
