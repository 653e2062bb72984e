"""The one protocol that every model of the course keeps.

`encode` turns images into a code, `decode` turns codes into images, calling the model does
one after the other, and `loss` says how well that went.  Training, evaluation and plots know
nothing else about a model, so a new variant is one class more and no change elsewhere.

Who checks: what a reader calls, `encode`, `decode`, the model itself and, through `fit`, `check`.  What these and the
loss are made of, such as a VAE's `posterior`, runs in every step, and trusts what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from .. import checks
from .networks import Architecture, Shape, dense, seeded


class Model(nn.Module):
    """What `fit` can train: it has a `loss`, checks what that takes, and lies on a device."""

    image_shape: Shape = (1, 28, 28)

    @property
    def device(self) -> torch.device:
        """The device that the weights lie on."""
        return next(self.parameters()).device

    def check(self, *data: Tensor) -> tuple[Tensor, ...]:
        """Return what `loss` takes, on the model's device: here images, and nothing beside them.

        A model whose loss takes something else, labels or targets, overrides this: `fit` calls it once, before it
        trains.

        Raises:
            ValueError: for anything else; the message says what came, what was expected and what to do.
        """
        return (self.check_images(checks.alone(data, "images")),)

    def check_images(self, images: Tensor) -> Tensor:
        """Return `images` on the model's device, or raise a ValueError that says what is wrong."""
        return checks.images(images, self.image_shape).to(self.device)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return named scalars, each summed over pixels or latent dimensions and averaged over
        the batch; `total` is what training minimises.

        A term may also belong to the batch as a whole, such as the distance between all its codes and draws from the
        prior.  The loss then depends on the size of the batch, and is no longer the mean of its images' losses.
        """
        raise NotImplementedError(f"{type(self).__name__} has no loss; define loss(self, images), which returns a dict")


class Autoencoder(Model):
    """Base of all autoencoders: the protocol, and the checks that turn bad input into clear errors.

    A subclass calls `build`, or makes its own networks and sets `latent_dim` and `image_shape`, and defines `encode`,
    `decode` and `loss`.  What measures a VAE, such as `evaluate.elbo`, needs more of a model: for that, inherit from
    `models.VAE`, whose `mu_log_var`, `posterior` and `likelihood` it calls.
    """

    latent_dim: int

    def build(
        self,
        networks: Sequence[int] | Architecture,
        *,
        per_number: int = 1,
        beside: int = 0,
        activation: Callable[[], nn.Module] | None = None,
        image_shape: Shape | None = None,
        seed: int = 0,
    ) -> None:
        """Make `encoder` and `decoder`, and set `latent_dim` and `image_shape`.

        Args:
            networks: widths, for `dense` layers, or another architecture.
            per_number: how many numbers the encoder gives for each number of the code; a VAE's gives two.
            beside: how many numbers each of the two networks gets beside the pixels, or beside the code.
            activation, image_shape: as for `dense`, if widths are given; an architecture has its own.
            seed: fixes the initial weights.

        Raises:
            ValueError: if the widths do not fit the image, or an architecture is given settings that are its own.
        """
        settings = {"activation": activation, "image_shape": image_shape}
        settings = {name: value for name, value in settings.items() if value is not None}
        if callable(networks):
            name = getattr(networks, "__name__", type(networks).__name__)
            raise ValueError(f"got {name} itself, expected widths or an architecture; call it, as in {name}(…)")
        if not isinstance(networks, Architecture):
            networks = dense(networks, **settings)
        elif settings:
            names = " and ".join(settings)
            raise ValueError(
                f"got {names} beside an architecture, which has its own; give {names} to dense(…) or convolutional(…)"
            )
        self.image_shape, self.latent_dim = networks.image_shape, networks.latent_dim
        with seeded(seed):
            self.encoder = networks.encoder(per_number * self.latent_dim, beside)
            self.decoder = networks.decoder(self.latent_dim + beside)

    def encode(self, images: Tensor) -> Tensor | Distribution:
        """Return the codes `(N, latent_dim)` of images `(N, 1, 28, 28)` in [0, 1], or a distribution over codes."""
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images `(N, 1, 28, 28)` in [0, 1] that the codes `(N, latent_dim)` stand for."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstructions: the images encoded and decoded again.

        Of a distribution over codes the mean is decoded, so that there is no noise in them.
        """
        code = self.encode(images)
        return self.decode(code.mean if isinstance(code, Distribution) else code)

    def check_latents(self, latents: Tensor) -> Tensor:
        """Return `latents` on the model's device, or raise a ValueError that says what is wrong."""
        return checks.codes(latents, self.latent_dim).to(self.device)
