"""Diffusion in a latent space: a learnt way from noise to codes, which a decoder then turns into images.

Sources: Ho, Jain & Abbeel (2020) for diffusion, Salimans & Ho (2022) for the velocity that is predicted here,
Song, Meng & Ermon (2021) for the way back, Rombach et al. (2022) for doing it in an autoencoder's latent space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .dense import dense_layers


class LatentDiffusion(nn.Module):
    """A density over codes, learnt by taking noise away; `training.fit(model, codes)` trains it.

    A code z and noise ε ~ N(0, I) are mixed as z(φ) = cos φ · z + sin φ · ε, from the code at φ = 0 to pure noise at
    φ = π/2.  The network is shown z(φ) and φ and predicts the velocity dz(φ)/dφ = −sin φ · z + cos φ · ε.  To draw a
    code, begin with noise and walk back.

    Args:
        codes: the training codes `(N, latent_dim)`; only their mean and spread are kept, so that the network sees
            numbers around 1 whatever the autoencoder.
        widths: units of the hidden layers.
        seed: fixes the initial weights.

    Raises:
        ValueError: if `codes` are not at least two finite codes, all dimensions of which vary.
    """

    frequencies = 4  # of the angle, as sine and cosine

    def __init__(self, codes: Tensor, *, widths: Sequence[int] = (256, 256, 256), seed: int = 0):
        super().__init__()
        if not isinstance(codes, Tensor) or codes.dim() != 2 or len(codes) < 2:
            given = tuple(codes.shape) if isinstance(codes, Tensor) else type(codes).__name__
            raise ValueError(f"got {given}, expected codes (N, latent_dim), N of at least 2; use evaluate.encode(…)")
        self.latent_dim = codes.shape[1]
        self.register_buffer("mean", codes.mean(0))
        self.register_buffer("spread", codes.std(0))
        if not (torch.isfinite(self.spread) & (self.spread > 0)).all():
            raise ValueError("got codes of which a dimension is constant or not finite; drop or repair it")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.network = dense_layers((self.latent_dim + 2 * self.frequencies, *widths, self.latent_dim))

    def velocity(self, mixed: Tensor, angle: Tensor) -> Tensor:
        """Return the predicted dz(φ)/dφ `(N, latent_dim)` at standardised mixtures `(N, latent_dim)` and φ `(N, 1)`."""
        waves = angle * torch.arange(1, self.frequencies + 1, device=angle.device)
        return self.network(torch.cat([mixed, waves.sin(), waves.cos()], 1))

    def loss(self, codes: Tensor) -> dict[str, Tensor]:
        """Return `total`: the squared error of the velocity, summed over dimensions, at one random φ for each code."""
        z = (codes - self.mean) / self.spread
        epsilon = torch.randn_like(z)
        angle = math.pi / 2 * torch.rand((len(z), 1), device=z.device)
        predicted = self.velocity(angle.cos() * z + angle.sin() * epsilon, angle)
        target = angle.cos() * epsilon - angle.sin() * z
        return {"total": F.mse_loss(predicted, target, reduction="sum") / len(z)}

    @torch.no_grad()
    def sample(self, n: int, *, steps: int = 50, seed: int = 0) -> Tensor:
        """Return `n` new codes `(n, latent_dim)`, on the CPU.

        Each step turns z(φ) back by δ = π/2 / steps in the plane of z and its velocity: cos δ · z(φ) − sin δ · v
        (Song et al., 2021, with the velocity in place of the noise).  Only the first draw is random.

        Args:
            n: how many.
            steps: calls of the network.
            seed: fixes the noise at the beginning.

        Raises:
            ValueError: if `n` or `steps` is less than 1.
        """
        if n < 1 or steps < 1:
            raise ValueError(f"got n={n} and steps={steps}, expected whole numbers of at least 1")
        z = torch.randn((n, self.latent_dim), generator=torch.Generator().manual_seed(seed)).to(self.mean.device)
        delta = math.pi / 2 / steps
        for step in range(steps):
            angle = z.new_full((n, 1), math.pi / 2 - step * delta)
            z = math.cos(delta) * z - math.sin(delta) * self.velocity(z, angle)
        return (self.mean + self.spread * z).cpu()

    def check_images(self, images: Tensor) -> Tensor:
        """Return codes `(N, latent_dim)` on the model's device, or raise a ValueError that says what is wrong."""
        if not isinstance(images, Tensor) or images.dim() != 2 or images.shape[1] != self.latent_dim:
            given = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
            raise ValueError(f"got {given}, expected codes of shape (N, {self.latent_dim}); use evaluate.encode(…)")
        if images.dtype != torch.float32 or not torch.isfinite(images).all():
            raise ValueError("got codes that are not finite float32 numbers; call .float() and drop or repair them")
        return images.to(self.mean.device)
