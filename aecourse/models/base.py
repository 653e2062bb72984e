"""The one protocol that every model of the course keeps.

`encode` turns images into a code, `decode` turns codes into images, calling the model does
one after the other, and `loss` says how well that went.  Training, evaluation and plots know
nothing else about a model, so a new variant is one class more and no change elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .. import checks
from .networks import Architecture, dense, seeded


class Model(nn.Module):
    """What `fit` can train: it has a `loss`, checks what that takes, and lies on a device."""

    image_shape: tuple[int, ...] = (1, 28, 28)

    @property
    def device(self) -> torch.device:
        """The device that the weights lie on."""
        return next(self.parameters()).device

    def check(self, *data: Tensor) -> tuple[Tensor, ...]:
        """Return what `loss` takes, on the model's device: here images, and nothing beside them.

        Raises:
            ValueError: for anything else; the message says what came, what was expected and what to do.
        """
        return (self.check_images(checks.alone(data, "images")),)

    def check_images(self, images: Tensor) -> Tensor:
        """Return `images` on the model's device, or raise a ValueError that says what is wrong."""
        return checks.images(images, self.image_shape).to(self.device)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return named scalars, each summed over pixels or latent dimensions and averaged over
        the batch; `total` is what training minimises."""
        raise NotImplementedError


class Autoencoder(Model):
    """Base of all autoencoders: the protocol, and the checks that turn bad input into clear errors.

    A subclass calls `build`, or makes its own networks and sets `latent_dim` and `image_shape`, and defines `encode`,
    `decode` and `loss`.
    """

    latent_dim: int

    def build(
        self,
        networks: Sequence[int] | Architecture,
        *,
        per_number: int = 1,
        beside: int = 0,
        seed: int = 0,
        **settings,
    ) -> None:
        """Make `encoder` and `decoder`: dense ones of the given widths, or those of another architecture.

        Args:
            networks: widths, which `dense` gets together with the `settings`, or an architecture.
            per_number: how many numbers the encoder gives for each number of the code; a VAE's gives two.
            beside: how many numbers both get beside the pixels and beside the code.
            seed: fixes the initial weights.
            settings: `activation` and `image_shape`, as for `dense`.

        Raises:
            ValueError: if the widths do not fit the image, or an architecture is given settings that are its own.
        """
        if not isinstance(networks, Architecture):
            networks = dense(networks, **settings)
        elif settings:
            given = ", ".join(settings)
            raise ValueError(
                f"got {given} beside an architecture; give it to the architecture: dense(widths, {given}=…)"
            )
        self.image_shape, self.latent_dim = tuple(networks.image_shape), networks.latent_dim
        with seeded(seed):
            self.encoder = networks.encoder(per_number * self.latent_dim, beside)
            self.decoder = networks.decoder(self.latent_dim + beside)

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes `(N, latent_dim)` of images `(N, 1, 28, 28)` in [0, 1]."""
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images `(N, 1, 28, 28)` in [0, 1] that the codes `(N, latent_dim)` stand for."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstructions: the images encoded and decoded again."""
        return self.decode(self.encode(images))

    def check_latents(self, latents: Tensor) -> Tensor:
        """Return `latents` on the model's device, or raise a ValueError that says what is wrong."""
        return checks.codes(latents, self.latent_dim).to(self.device)
