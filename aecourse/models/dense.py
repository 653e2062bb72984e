"""Dense (fully connected) autoencoders: the deep one and its linear special case.

Sources: Rumelhart, Hinton & Williams (1986) for the idea, Hinton & Salakhutdinov (2006) for the
deep version on MNIST, Baldi & Hornik (1989) for what the linear one learns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from .. import losses
from .base import Autoencoder


class DenseAutoencoder(Autoencoder):
    """A stack of dense layers down to a narrow code, and its mirror image back up.

    Args:
        widths: units per layer from the pixels to the code; the decoder mirrors them.
        reconstruction: `"cross_entropy"` (nats; a grey value is read as the probability of white)
            or `"squared_error"`.
        activation: the non-linearity between layers, after a layer norm; the code has neither, and the
            pixels get a sigmoid.
        image_shape: what one image looks like; its pixels must number `widths[0]`.
        seed: fixes the initial weights.

    Raises:
        ValueError: if the widths do not fit the image, or the reconstruction loss is unknown.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 500, 300, 2),
        *,
        reconstruction: Literal["cross_entropy", "squared_error"] = "cross_entropy",
        activation: Callable[[], nn.Module] = nn.ReLU,
        image_shape: tuple[int, ...] = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__()
        check_widths(widths, image_shape)
        if reconstruction not in ("cross_entropy", "squared_error"):
            raise ValueError(f"got reconstruction={reconstruction!r}, expected 'cross_entropy' or 'squared_error'")
        self.image_shape = tuple(image_shape)
        self.latent_dim = widths[-1]
        self.reconstruction = reconstruction
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.encoder = dense_layers(widths, activation)
            self.decoder = dense_layers(widths[::-1], activation)

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes `(N, latent_dim)` of images `(N, 1, 28, 28)`."""
        return self.encoder(self.check_images(images).flatten(1))

    def decode(self, latents: Tensor) -> Tensor:
        """Return images `(N, 1, 28, 28)` in [0, 1] for codes `(N, latent_dim)`."""
        logits = self.decoder(self.check_latents(latents))
        return torch.sigmoid(logits).unflatten(1, self.image_shape)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction`: per image, in nats or in squared grey levels."""
        pixels = images.flatten(1)
        logits = self.decoder(self.encoder(pixels))
        if self.reconstruction == "cross_entropy":
            error = losses.cross_entropy(logits, pixels)
        else:
            error = losses.squared_error(torch.sigmoid(logits), pixels)
        return {"total": error, "reconstruction": error}


class LinearAutoencoder(Autoencoder):
    """One linear map to the code and one back: what PCA becomes when it is learnt by descent.

    Trained on squared error its decoder comes to span the subspace of the first `latent_dim`
    principal components, though not the components themselves (Baldi & Hornik, 1989).
    Being linear, `decode` may leave [0, 1] a little.
    """

    def __init__(self, latent_dim: int, *, image_shape: tuple[int, ...] = (1, 28, 28), seed: int = 0):
        super().__init__()
        pixels = math.prod(image_shape)
        check_widths((pixels, latent_dim), image_shape)
        self.image_shape = tuple(image_shape)
        self.latent_dim = latent_dim
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.encoder = nn.Linear(pixels, latent_dim)
            self.decoder = nn.Linear(latent_dim, pixels)

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes `(N, latent_dim)` of images `(N, 1, 28, 28)`."""
        return self.encoder(self.check_images(images).flatten(1))

    def decode(self, latents: Tensor) -> Tensor:
        """Return images `(N, 1, 28, 28)`, roughly in [0, 1], for codes `(N, latent_dim)`."""
        return self.decoder(self.check_latents(latents)).unflatten(1, self.image_shape)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction`: the squared error per image."""
        pixels = images.flatten(1)
        error = losses.squared_error(self.decoder(self.encoder(pixels)), pixels)
        return {"total": error, "reconstruction": error}


def dense_layers(widths: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return linear layers of the given widths, each but the last followed by a layer norm and `activation`.

    Layer norm (Ba et al., 2016) and He's initial weights (2015) keep the signal at one size through the
    stack, so that a large learning rate works and a few epochs suffice.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.LayerNorm(outputs), activation()]
    return nn.Sequential(*layers[:-2])


def check_widths(widths: Sequence[int], image_shape: tuple[int, ...]) -> None:
    """Raise a ValueError if these are no layer widths that begin with the pixels of an image."""
    if len(widths) < 2 or any(not isinstance(width, int) or width < 1 for width in widths):
        raise ValueError(f"got widths {widths!r}, expected at least two whole numbers above 0, pixels first")
    if widths[0] != math.prod(image_shape):
        raise ValueError(
            f"got widths that begin with {widths[0]}, expected {math.prod(image_shape)}, "
            f"the number of pixels in an image of shape {tuple(image_shape)}"
        )
