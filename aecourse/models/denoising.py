"""Denoising autoencoders: the input is damaged, the answer is compared with the clean image.

Sources: Vincent, Larochelle, Bengio & Manzagol (2008) for the idea with masking noise; Vincent et al. (2010),
section 3, for the three kinds of noise here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from .. import losses
from .dense import DenseAutoencoder


@dataclass(frozen=True)
class GaussianNoise:
    """Damage that adds N(0, σ²) to every pixel, σ being `sigma`, and cuts what leaves [0, 1].

    Called with images of any shape it returns damaged ones of the same shape.  It draws from `generator`, or from
    torch's default generator without one, as do the other two; `torchvision.transforms.Compose` chains them.

    Raises:
        ValueError: if `sigma` is negative or not finite.
    """

    sigma: float

    def __post_init__(self):
        if not 0 <= self.sigma < math.inf:
            raise ValueError(f"got sigma={self.sigma!r}, expected a finite number of at least 0, in grey levels")

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the images with noise added, cut to [0, 1]."""
        noise = torch.empty_like(images).normal_(generator=generator)
        return (images + self.sigma * noise).clamp(0, 1)


@dataclass(frozen=True)
class Masking:
    """Damage that makes each pixel black with the probability `share`, whatever it was.

    Raises:
        ValueError: if `share` is not between 0 and 1.
    """

    share: float

    def __post_init__(self):
        _check_share(self.share)

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the images with pixels made black."""
        return images * (torch.empty_like(images).uniform_(generator=generator) >= self.share)


@dataclass(frozen=True)
class SaltAndPepper:
    """Damage that makes each pixel, with the probability `share`, either black or white by the toss of a coin.

    Raises:
        ValueError: if `share` is not between 0 and 1.
    """

    share: float

    def __post_init__(self):
        _check_share(self.share)

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the images with pixels made black or white."""
        chance = torch.empty_like(images).uniform_(generator=generator)
        damaged = torch.where(chance < self.share, 1.0, images)
        return torch.where(chance < self.share / 2, 0.0, damaged)


class DenoisingAutoencoder(DenseAutoencoder):
    """A dense autoencoder that sees damaged images in training and must answer with the clean ones.

    Images given to `encode` or to the model itself are taken as they are: they may be damaged or clean.

    Args:
        widths, reconstruction, activation, image_shape, seed: as for `DenseAutoencoder`.
        corruption: how a batch is damaged, afresh at every visit: from images to images of the same shape.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 500, 300),
        *,
        corruption: Callable[[Tensor], Tensor] = GaussianNoise(0.5),
        reconstruction: Literal["cross_entropy", "squared_error"] = "cross_entropy",
        activation: Callable[[], nn.Module] = nn.ReLU,
        image_shape: tuple[int, ...] = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__(
            widths, reconstruction=reconstruction, activation=activation, image_shape=image_shape, seed=seed
        )
        self.corruption = corruption

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction`: how far the answer to damaged images is from the *clean* ones."""
        damaged, clean = self.corruption(images).flatten(1), images.flatten(1)
        logits = self.decoder(self.encoder(damaged))
        if self.reconstruction == "cross_entropy":
            error = losses.cross_entropy(logits, clean)
        else:
            error = losses.squared_error(torch.sigmoid(logits), clean)
        return {"total": error, "reconstruction": error}


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"got share={share!r}, expected a share of the pixels between 0 and 1")
