"""Sparse autoencoders: more units than pixels, nearly all of them silent for any one image.

One hidden layer: x̂ = b + Σ_j z_j a_j, where z_j is how active unit j is and a_j is its atom, the picture that it
adds.  Sources: Olshausen & Field (1996) for the idea; Lee, Ekanadham & Ng (2007) and Ng (2011) for a small mean
activity; Makhzani & Frey (2013) and Gao et al. (2024) for keeping the k largest.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import losses
from .base import Autoencoder
from .dense import check_widths


class SparseAutoencoder(Autoencoder):
    """One layer of units that are never negative, and a sum of atoms; nothing here keeps the units silent yet.

    All atoms have norm 1.  Otherwise a penalty on the code could be paid with small change: halve every code,
    double every atom, and the reconstruction is the same at half the price.  The encoder begins as the
    transpose of the decoder, so that each unit looks for the atom that it adds (Gao et al., 2024, section 2.4).
    Being linear, `decode` may leave [0, 1] a little.

    Args:
        latent_dim: the number of units, and of atoms.
        image_shape: what one image looks like; it may also be a vector, such as `(256,)`, in [0, 1].
        seed: fixes the initial weights.

    Raises:
        ValueError: if `latent_dim` or `image_shape` is no whole number, or not above 0.
    """

    def __init__(self, latent_dim: int = 1000, *, image_shape: tuple[int, ...] = (1, 28, 28), seed: int = 0):
        super().__init__()
        pixels = math.prod(image_shape)
        check_widths((pixels, latent_dim), image_shape)
        self.image_shape = tuple(image_shape)
        self.latent_dim = latent_dim
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.dictionary = nn.Parameter(F.normalize(torch.randn(latent_dim, pixels), dim=1))
        self.encoder = nn.utils.skip_init(nn.Linear, pixels, latent_dim)
        self.encoder.weight.data.copy_(self.dictionary.data)
        self.encoder.bias.data.zero_()
        self.bias = nn.Parameter(torch.zeros(pixels))

    def centre(self, images: Tensor) -> SparseAutoencoder:
        """Return the model, its bias b set to the mean of these images: the place that all codes count from.

        Do it before training.  From b = 0 every image is far away in the same direction, and units whose atoms
        point the other way may fall silent for ever before b is learnt.
        """
        self.bias.data.copy_(self.check_images(images).mean(0).flatten())
        return self

    @property
    def atoms(self) -> Tensor:
        """The atoms, rows of norm 1: `(latent_dim, pixels)`."""
        return F.normalize(self.dictionary, dim=1)

    def activate(self, inputs: Tensor) -> Tensor:
        """Return how active the units are, given their weighted inputs: both `(N, latent_dim)`."""
        return inputs.relu()

    def penalty(self, code: Tensor) -> Tensor:
        """Return what `total` adds to the reconstruction for a batch of codes `(N, latent_dim)`: here nothing."""
        return code.new_zeros(())

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes `(N, latent_dim)` of images `(N, *image_shape)`."""
        return self._code(self.check_images(images).flatten(1))

    def decode(self, latents: Tensor) -> Tensor:
        """Return images `(N, *image_shape)`, roughly in [0, 1], for codes `(N, latent_dim)`."""
        return self._sum(self.check_latents(latents)).unflatten(1, self.image_shape)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction`, the squared error per image, + `penalty`."""
        pixels = images.flatten(1)
        code = self._code(pixels)
        error, penalty = losses.squared_error(self._sum(code), pixels), self.penalty(code)
        return {"total": error + penalty, "reconstruction": error, "penalty": penalty}

    def _code(self, pixels: Tensor) -> Tensor:
        return self.activate(self.encoder(pixels - self.bias))

    def _sum(self, code: Tensor) -> Tensor:
        return torch.addmm(self.bias, code, self.atoms)


class L1Autoencoder(SparseAutoencoder):
    """Every active unit pays in proportion to its activity: `penalty` = weight · Σ_j z_j, the mean over the batch.

    Args:
        weight: squared grey levels per unit of activity.
    """

    def __init__(
        self, latent_dim: int = 1000, *, weight: float = 0.5, image_shape: tuple[int, ...] = (1, 28, 28), seed: int = 0
    ):
        super().__init__(latent_dim, image_shape=image_shape, seed=seed)
        self.weight = check_weight(weight)

    def penalty(self, code: Tensor) -> Tensor:
        """Return weight · Σ_j z_j, averaged over the batch."""
        return self.weight * code.abs().sum() / len(code)


class KLSparseAutoencoder(SparseAutoencoder):
    """Every unit shall be active in a share ρ of the images: `penalty` = weight · Σ_j KL(ρ ‖ ρ̂_j).

    Units are sigmoids, between 0 and 1, and ρ̂_j is the mean activity of unit j over the batch (Ng, 2011, section 3).
    So this penalty belongs to a batch and not to an image: the loss depends a little on the batch size.

    Args:
        rho: the wanted mean activity ρ.
        weight: squared grey levels per nat.
    """

    def __init__(
        self,
        latent_dim: int = 1000,
        *,
        rho: float = 0.05,
        weight: float = 1.0,
        image_shape: tuple[int, ...] = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__(latent_dim, image_shape=image_shape, seed=seed)
        if not 0 < rho < 1:
            raise ValueError(f"got rho={rho!r}, expected a mean activity between 0 and 1, both excluded; 0.05 is usual")
        self.rho = float(rho)
        self.weight = check_weight(weight)
        self.encoder.bias.data.fill_(math.log(rho / (1 - rho)))  # so that units begin at ρ and not at ½

    def activate(self, inputs: Tensor) -> Tensor:
        """Return the sigmoids of the inputs, between 0 and 1."""
        return inputs.sigmoid()

    def penalty(self, code: Tensor) -> Tensor:
        """Return weight · Σ_j KL(ρ ‖ ρ̂_j) of this batch."""
        return self.weight * bernoulli_kl(self.rho, code.mean(0)).sum()


class TopKAutoencoder(SparseAutoencoder):
    """The `active` largest units of each image keep their value, all others are set to 0; no penalty is needed.

    Args:
        active: how many units may be active for one image; it may be changed between two calls of `fit`.
    """

    def __init__(
        self, latent_dim: int = 1000, *, active: int = 25, image_shape: tuple[int, ...] = (1, 28, 28), seed: int = 0
    ):
        super().__init__(latent_dim, image_shape=image_shape, seed=seed)
        if not isinstance(active, int) or not 1 <= active <= latent_dim:
            raise ValueError(f"got active={active!r}, expected a whole number from 1 to latent_dim={latent_dim}")
        self.active = active

    def activate(self, inputs: Tensor) -> Tensor:
        """Return the inputs that are positive and among the `active` largest of their row, 0 for all others."""
        values, places = inputs.relu().topk(self.active, dim=1)
        return torch.zeros_like(inputs).scatter(1, places, values)


def bernoulli_kl(rho: float, activity: Tensor) -> Tensor:
    """Return KL(ρ ‖ ρ̂) in nats between coins that show heads with probability ρ and ρ̂: the shape of `activity`.

    ρ log(ρ/ρ̂) + (1 − ρ) log((1 − ρ)/(1 − ρ̂)): Ng (2011), section 3.
    """
    activity = activity.clamp(1e-6, 1 - 1e-6)
    return rho * (rho / activity).log() + (1 - rho) * ((1 - rho) / (1 - activity)).log()


def check_weight(weight: float) -> float:
    """Return `weight`, or raise a ValueError if it is negative or not finite."""
    if not 0 <= weight < math.inf:
        raise ValueError(f"got weight={weight!r}, expected a finite number of at least 0")
    return float(weight)
