"""Variational autoencoders with Gaussian codes: each image becomes a small cloud instead of a point.

Sources: Kingma & Welling (2014) and Rezende, Mohamed & Wierstra (2014) for the model and the
reparameterized sample, Higgins et al. (2017) for β.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Normal

from .. import losses
from .base import Autoencoder
from .dense import check_widths, dense_layers


class VAE(Autoencoder):
    """A variational autoencoder on dense networks; a pixel is white with the probability that the decoder says.

    The prior over codes is N(0, I).  A grey value counts as that share of a white pixel, as in the
    cross-entropy of chapter 2.

    Args:
        widths: units per layer from the pixels to the code; the decoder mirrors them.
        beta: the weight of the KL term in `total`, which may be changed between two calls of `fit`: 1 is the
            negative ELBO, 0 leaves the reconstruction alone.
        activation: the non-linearity between layers, after a layer norm.
        image_shape: what one image looks like; its pixels must number `widths[0]`.
        seed: fixes the initial weights.

    Raises:
        ValueError: if the widths do not fit the image, or `beta` is negative or not finite.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 500, 300, 2),
        *,
        beta: float = 1.0,
        activation: Callable[[], nn.Module] = nn.ReLU,
        image_shape: tuple[int, ...] = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__()
        check_widths(widths, image_shape)
        if not 0 <= beta < math.inf:
            raise ValueError(f"got beta={beta!r}, expected a finite number of at least 0")
        self.image_shape = tuple(image_shape)
        self.latent_dim = widths[-1]
        self.beta = float(beta)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.encoder = dense_layers((*widths[:-1], 2 * self.latent_dim), activation)
            self.decoder = dense_layers(widths[::-1], activation)

    def mu_log_var(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return μ and log σ² of each image's posterior, both `(N, latent_dim)`.

        The logarithm, since what a network puts out may be any number and σ must be positive.
        """
        mu, log_var = self.encoder(images.flatten(1)).chunk(2, dim=1)
        return mu, log_var

    def posterior(self, images: Tensor) -> Normal:
        """Return q(z|x): a normal distribution for each image and latent dimension, `(N, latent_dim)`."""
        mu, log_var = self.mu_log_var(images)
        return Normal(mu, (log_var / 2).exp(), validate_args=False)

    def likelihood(self, latents: Tensor) -> Distribution:
        """Return p(x|z): a distribution for each of the pixels `(N, pixels)`, all independent given the code."""
        return Bernoulli(logits=self.decoder(latents), validate_args=False)

    def encode(self, images: Tensor) -> Normal:
        """Return the posterior over codes of images `(N, 1, 28, 28)`: `.mean` and `.stddev` are `(N, latent_dim)`."""
        return self.posterior(self.check_images(images))

    def decode(self, latents: Tensor) -> Tensor:
        """Return the expected images `(N, 1, 28, 28)` in [0, 1] for codes `(N, latent_dim)`."""
        return self.likelihood(self.check_latents(latents)).mean.unflatten(1, self.image_shape)

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstructions from the means of the posteriors, so that no noise is in them."""
        return self.decode(self.encode(images).mean)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction` + β · `kl`, in nats per image; for β = 1 this is the negative ELBO.

        One code is drawn for each image.
        """
        mu, log_var = self.mu_log_var(images)
        sigma, epsilon = (log_var / 2).exp(), torch.randn_like(mu)
        z = mu + sigma * epsilon  # reparameterized: the gradient reaches μ and σ
        reconstruction = -self.likelihood(z).log_prob(images.flatten(1)).sum(1).mean()
        kl = losses.gaussian_kl(mu, log_var).sum(1).mean()
        return {"total": reconstruction + self.beta * kl, "reconstruction": reconstruction, "kl": kl}


class BinarizedVAE(VAE):
    """A VAE of black-and-white images that reads a grey value as the chance that the pixel is white.

    Every visit of an image draws its pixels afresh (Salakhutdinov & Murray, 2008), which is how the
    published likelihoods of "binarized MNIST" are trained.  Images that are black and white already stay so.
    """

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return the loss of `VAE` on images whose pixels were drawn as 0 or 1."""
        return super().loss(torch.bernoulli(images))


class GaussianVAE(VAE):
    """A VAE whose pixels are Gaussian around the decoder's output, all with the same spread.

    Args:
        widths, beta, activation, image_shape, seed: as for `VAE`.
        sigma: the spread of a pixel, in units of the full range from black to white.
        learn_sigma: train it with the weights; `sigma` is then where it begins.

    Raises:
        ValueError: as `VAE`, or if `sigma` is not above 0.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 500, 300, 2),
        *,
        sigma: float = 0.25,
        learn_sigma: bool = False,
        beta: float = 1.0,
        activation: Callable[[], nn.Module] = nn.ReLU,
        image_shape: tuple[int, ...] = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__(widths, beta=beta, activation=activation, image_shape=image_shape, seed=seed)
        if not 0 < sigma < math.inf:
            raise ValueError(f"got sigma={sigma!r}, expected a finite number above 0")
        self.log_sigma = nn.Parameter(torch.tensor(math.log(sigma)), requires_grad=learn_sigma)

    def likelihood(self, latents: Tensor) -> Normal:
        """Return p(x|z): a normal distribution for each of the pixels `(N, pixels)`; densities, not probabilities."""
        return Normal(self.decoder(latents).sigmoid(), self.log_sigma.exp(), validate_args=False)
