"""An autoencoder as critic: its reconstruction error is an energy, and a generator is trained to lower it.

Source: Zhao, Mathieu & LeCun (2017), "Energy-based generative adversarial networks" (EBGAN).  The two play against
each other, so no single `loss → total` describes them: `fit_pair`, below, is their own training loop.  It stands
here and not in `training.py` because the order of its two steps is half of the idea; what it gives back is the
`History` of every other training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .base import Autoencoder
from .networks import check_widths, dense_layers
from .plain import DenseAutoencoder


class Critic(DenseAutoencoder):
    """A dense autoencoder whose squared error is an energy: low on real images, at least `margin` on others.

    Without other images it is trained as any autoencoder.  With them, `fit(critic, (images, others))`, its loss is
    E(images) + max(0, margin − E(others)): equation 1 of Zhao et al. (2017).

    Args:
        widths: units per layer from the pixels to the code; the decoder mirrors them.
        margin: squared grey levels per image; others of a higher energy count no more.
        activation, image_shape, seed: as for `DenseAutoencoder`.

    Raises:
        ValueError: if the widths do not fit the image, or `margin` is negative or not finite.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 256, 32),
        *,
        margin: float = 10.0,
        activation: Callable[[], nn.Module] = nn.ReLU,
        image_shape: tuple[int, ...] = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__(
            widths, reconstruction="squared_error", activation=activation, image_shape=image_shape, seed=seed
        )
        self.margin = _not_negative("margin", margin)

    def energy(self, images: Tensor) -> Tensor:
        """Return the energy of each image, `(N,)`: the squared error of its reconstruction, summed over pixels."""
        return self._energy_and_codes(self.check_images(images))[0]

    def loss(self, images: Tensor, others: Tensor | None = None) -> dict[str, Tensor]:
        """Return `total` = `reconstruction` + `hinge`, and `others`, their mean energy; squared grey levels per image.

        Args:
            images: real ones, `(N, 1, 28, 28)`, whose mean energy is `reconstruction`.
            others: images that are to have a high energy, as many or not; without them there is no `hinge`.
        """
        real = self._energy_and_codes(images)[0].mean()
        if others is None:
            return {"total": real, "reconstruction": real}
        energy = self._energy_and_codes(others)[0]
        hinge = F.relu(self.margin - energy).mean()
        return {"total": real + hinge, "reconstruction": real, "hinge": hinge, "others": energy.mean()}

    def _energy_and_codes(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pixels = images.flatten(1)
        codes = self.encoder(pixels)
        return (torch.sigmoid(self.decoder(codes)) - pixels).square().sum(1), codes


class EBGAN(nn.Module):
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
        check_widths(widths[::-1], critic.image_shape)
        self.critic = critic
        self.latent_dim = widths[0]
        self.pulling_away = _not_negative("pulling_away", pulling_away)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.generator = nn.Sequential(*map(_by_batch, dense_layers(widths)))
        self.eval()  # samples of an untrained pair must not move the batch norm

    check_latents = Autoencoder.check_latents
    device = Autoencoder.device

    def check_images(self, images: Tensor) -> Tensor:
        """Return `images` on the pair's device, or raise a ValueError that says what is wrong."""
        return self.critic.check_images(images)

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images `(N, 1, 28, 28)` in [0, 1] that the generator makes of codes `(N, latent_dim)`."""
        return torch.sigmoid(self.generator(self.check_latents(latents))).unflatten(1, self.critic.image_shape)

    def sample(self, count: int, *, seed: int = 0) -> Tensor:
        """Return `count` images of codes drawn from N(0, I); `seed` fixes the codes."""
        codes = torch.randn(count, self.latent_dim, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            return self.decode(codes)

    def critic_loss(self, images: Tensor, generated: Tensor) -> dict[str, Tensor]:
        """Return the terms that the critic minimises; no gradient reaches the generator."""
        return self.critic.loss(images, generated.detach())

    def generator_loss(self, generated: Tensor) -> dict[str, Tensor]:
        """Return the terms that the generator minimises: `total` = `energy` + weight · `similarity`."""
        energy, codes = self.critic._energy_and_codes(generated)
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


def _not_negative(name: str, value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError(f"got {name}={value!r}, expected a finite number of at least 0")
    return float(value)
