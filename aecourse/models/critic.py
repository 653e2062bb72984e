"""An autoencoder as critic: its reconstruction error is an energy, and a generator is trained to lower it.

Source: Zhao, Mathieu & LeCun (2017), "Energy-based generative adversarial networks" (EBGAN).  The two play against
each other, so no single `loss` describes them: `training.fit_pair` moves them in turn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import checks
from .base import Autoencoder, Model
from .networks import Architecture, dense_layers, seeded
from .plain import DenseAutoencoder


class Critic(DenseAutoencoder):
    """An autoencoder whose squared error is an energy: low on real images, at least `margin` on others.

    Without other images it is trained as any autoencoder.  With them, `fit(critic, (images, others))`, its loss is
    E(images) + max(0, margin − E(others)): equation 1 of Zhao et al. (2017).

    Args:
        widths, settings: as for `DenseAutoencoder`, but for the reconstruction loss, which is the squared error.
        margin: squared grey levels per image; others of a higher energy count no more.

    Raises:
        ValueError: as `DenseAutoencoder`, or if `margin` is negative or not finite.
    """

    def __init__(self, widths: Sequence[int] | Architecture = (784, 256, 32), *, margin: float = 10.0, **settings):
        super().__init__(widths, reconstruction="squared_error", **settings)
        self.margin = checks.real("margin", margin)

    def check(self, *data: Tensor) -> tuple[Tensor, ...]:
        """Return images, alone or with others, on the model's device, or raise a ValueError that says what is wrong."""
        if len(data) == 1:
            return super().check(*data)
        images, others = checks.pair(data, "(images, others)")
        images = self.check_images(images)
        checks.images(others, self.image_shape, "others")
        return images, others.to(self.device)

    def energy(self, images: Tensor) -> Tensor:
        """Return the energy of each image, `(N,)`: the squared error of its reconstruction, summed over pixels."""
        return self.energy_and_codes(self.check_images(images))[0]

    def loss(self, images: Tensor, others: Tensor | None = None) -> dict[str, Tensor]:
        """Return `total` = `reconstruction` + `hinge`, and `others`, their mean energy; squared grey levels per image.

        Args:
            images: real ones, `(N, 1, 28, 28)`, whose mean energy is `reconstruction`.
            others: images that are to have a high energy, as many or not; without them there is no `hinge`.
        """
        real = self.energy_and_codes(images)[0].mean()
        if others is None:
            return {"total": real, "reconstruction": real}
        energy = self.energy_and_codes(others)[0]
        hinge = F.relu(self.margin - energy).mean()
        return {"total": real + hinge, "reconstruction": real, "hinge": hinge, "others": energy.mean()}

    def energy_and_codes(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the energies `(N,)` and the codes `(N, latent_dim)`, which the critic computes on the way to them."""
        pixels = images.flatten(1)
        codes = self.encoder(pixels)
        return (torch.sigmoid(self.decoder(codes)) - pixels).square().sum(1), codes


class EBGAN(Model):
    """A generator and the critic that it is trained against: `fit_pair(pair, images)` trains both.

    Args:
        critic: the autoencoder whose energy decides.
        widths: units per layer of the generator, from its code to the pixels.
        pulling_away: the weight of the pulling-away term in the generator's loss, 0 for none.
        seed: fixes the generator's initial weights.

    Raises:
        ValueError: if the widths do not end with the critic's pixels, or the weight is negative or not finite.
    """

    def __init__(
        self,
        critic: Critic,
        widths: Sequence[int] = (32, 256, 512, 784),
        *,
        pulling_away: float = 0.0,
        seed: int = 0,
    ):
        super().__init__()
        if not isinstance(critic, Critic):
            raise ValueError(f"got a {type(critic).__name__} as the critic, expected a Critic; use models.Critic(…)")
        widths = checks.wholes("widths", widths, 2, "the code first and the pixels last")
        if widths[-1] != math.prod(critic.image_shape):
            raise ValueError(
                f"got widths that end with {widths[-1]}, expected {math.prod(critic.image_shape)}, "
                f"the number of pixels in an image of shape {critic.image_shape}"
            )
        self.critic, self.image_shape, self.latent_dim = critic, critic.image_shape, widths[0]
        self.pulling_away = checks.real("pulling_away", pulling_away)
        with seeded(seed):
            self.generator = nn.Sequential(*map(_by_batch, dense_layers(widths)))
        self.eval()  # samples of an untrained pair must not move the batch norm

    check_latents = Autoencoder.check_latents

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images `(N, 1, 28, 28)` in [0, 1] that the generator makes of codes `(N, latent_dim)`."""
        return torch.sigmoid(self.generator(self.check_latents(latents))).unflatten(1, self.image_shape)

    def sample(self, count: int, *, seed: int = 0) -> Tensor:
        """Return `count` images of codes drawn from N(0, I); `seed` fixes the codes."""
        generator = torch.Generator().manual_seed(checks.seed(seed))
        codes = torch.randn(checks.whole("count", count), self.latent_dim, generator=generator)
        with torch.no_grad():
            return self.decode(codes)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Raise: the two players have a loss each, and `fit_pair(pair, images)` trains them."""
        raise NotImplementedError("an EBGAN has no single loss; train it with fit_pair(pair, images)")

    def critic_loss(self, images: Tensor, generated: Tensor) -> dict[str, Tensor]:
        """Return the terms that the critic minimises; no gradient reaches the generator."""
        return self.critic.loss(images, generated.detach())

    def generator_loss(self, generated: Tensor) -> dict[str, Tensor]:
        """Return the terms that the generator minimises: `total` = `energy` + weight · `similarity`."""
        energy, codes = self.critic.energy_and_codes(generated)
        energy = energy.mean()
        if not self.pulling_away:
            return {"total": energy, "energy": energy}
        similarity = pulling_away(codes)
        return {"total": energy + self.pulling_away * similarity, "energy": energy, "similarity": similarity}


def pulling_away(codes: Tensor) -> Tensor:
    """Return the mean squared cosine between different codes of a batch `(N, latent_dim)`: a scalar from 0 to 1.

    Zhao et al. (2017), section 2.4: 1 if all codes lie on one line through the origin, and for N codes in random
    directions 1 / latent_dim.

    Raises:
        ValueError: if there are fewer than two codes.
    """
    if codes.dim() != 2 or len(codes) < 2:
        raise ValueError(f"got codes of shape {tuple(codes.shape)}, expected (N, latent_dim) with N of at least 2")
    unit = F.normalize(codes, dim=1)
    squared = (unit @ unit.T).square()
    return (squared.sum() - squared.diagonal().sum()) / (len(codes) * (len(codes) - 1))


def _by_batch(layer: nn.Module) -> nn.Module:
    """Return batch norm for layer norm: it takes away what all images of a batch have in common (as the paper does)."""
    return nn.BatchNorm1d(layer.normalized_shape[0]) if isinstance(layer, nn.LayerNorm) else layer
