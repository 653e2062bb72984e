"""The contractive autoencoder: codes that move little when the image moves, except along the manifold.

Source: Rifai, Vincent, Muller, Glorot & Bengio (2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .. import losses
from .dense import DenseAutoencoder


class ContractiveAutoencoder(DenseAutoencoder):
    """A dense autoencoder that also pays for the size of its encoder's Jacobian ‖∂z/∂x‖²_F (Rifai et al., 2011).

    The paper writes the Jacobian of one sigmoid layer in closed form.  A deep encoder has none, so the sum of its
    squares is estimated from one random direction u ~ N(0, I) in the code: E‖Jᵀu‖² = ‖J‖²_F (Hutchinson, 1990).

    Args:
        widths, activation, image_shape, seed: as for `DenseAutoencoder`.
        contraction: the weight of the squared Jacobian in `total`; 0 is the plain autoencoder.

    Raises:
        ValueError: as `DenseAutoencoder`, or if `contraction` is negative or not finite.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 500, 300, 2),
        *,
        contraction: float = 0.1,
        activation: Callable[[], nn.Module] = nn.ReLU,
        image_shape: tuple[int, ...] = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__(widths, activation=activation, image_shape=image_shape, seed=seed)
        if not 0 <= contraction < math.inf:
            raise ValueError(f"got contraction={contraction!r}, expected a finite number of at least 0")
        self.contraction = float(contraction)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction` (nats) + contraction · `jacobian`, the estimated ‖∂z/∂x‖²_F, per image."""
        with torch.enable_grad():  # the Jacobian is wanted in evaluation, too
            pixels = images.detach().requires_grad_()
            codes = self.encoder(pixels.flatten(1))
            jacobian = squared_jacobian(codes, pixels, torch.randn_like(codes))
        reconstruction = losses.cross_entropy(self.decoder(codes), images.flatten(1))
        return {
            "total": reconstruction + self.contraction * jacobian,
            "reconstruction": reconstruction,
            "jacobian": jacobian,
        }


def squared_jacobian(codes: Tensor, pixels: Tensor, directions: Tensor) -> Tensor:
    """Return the mean over images of ‖Jᵀu‖², where J = ∂z/∂x and u is the image's row of `directions`.

    With u ~ N(0, I) its expectation is ‖J‖²_F.  The result can be differentiated again.

    Args:
        codes: `(N, latent_dim)`, computed from `pixels`, each image's from its own pixels only.
        pixels: `(N, …)`, which require a gradient.
        directions: `(N, latent_dim)`.
    """
    (gradient,) = torch.autograd.grad((codes * directions).sum(), pixels, create_graph=True)
    return gradient.square().sum() / len(pixels)
