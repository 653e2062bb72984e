"""Variational autoencoders with Gaussian codes: each image becomes a small cloud instead of a point.

Sources: Kingma & Welling (2014) and Rezende, Mohamed & Wierstra (2014) for the model and the
reparameterized sample, Higgins et al. (2017) for β, Burda et al. (2016) for the tighter bound, Kingma,
Mohamed, Rezende & Welling (2014) and Sohn, Lee & Yan (2015) for the label.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Normal
from torch.nn import functional as F

from .. import checks, losses
from .base import Autoencoder
from .networks import Architecture, Shape, convolutional


class VAE(Autoencoder):
    """A variational autoencoder, dense unless other networks are given.

    A pixel is white with the probability that the decoder says.  The prior over codes is N(0, I).  A grey value counts
    as that share of a white pixel, as in the cross-entropy of chapter 2.

    Args:
        widths: units per layer from the pixels to the code, mirrored by the decoder; or another architecture.
        beta: the weight of the KL term in `total`, which may be changed between two calls of `fit`: 1 is the
            negative ELBO, 0 leaves the reconstruction alone.
        activation: the non-linearity between layers, ReLU unless given; an architecture has its own.
        image_shape: what one image looks like, (1, 28, 28) unless given; an architecture has its own.
        seed: fixes the initial weights.

    Raises:
        ValueError: if the widths do not fit the image, or `beta` is negative or not finite.
    """

    def __init__(
        self,
        widths: Sequence[int] | Architecture = (784, 500, 300, 2),
        *,
        beta: float = 1.0,
        activation: Callable[[], nn.Module] | None = None,
        image_shape: Shape | None = None,
        seed: int = 0,
    ):
        super().__init__()
        self.beta = checks.real("beta", beta)
        self.build(widths, per_number=2, activation=activation, image_shape=image_shape, seed=seed)

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


class ConvVAE(VAE):
    """A `VAE` on convolutional networks; everything else is inherited.

    Args:
        channels, latent_dim, norm, image_shape: as for `convolutional`.
        beta: the weight of the KL term, as for `VAE`.
        seed: fixes the initial weights.

    Raises:
        ValueError: if channels, code or image shape make no such network, or `beta` is negative or not finite.
    """

    def __init__(
        self,
        channels: Sequence[int] = (8, 16, 32),
        *,
        latent_dim: int = 16,
        beta: float = 1.0,
        norm: bool = True,
        image_shape: Shape = (1, 28, 28),
        seed: int = 0,
    ):
        networks = convolutional(channels, latent_dim=latent_dim, norm=norm, image_shape=image_shape)
        super().__init__(networks, beta=beta, seed=seed)


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
        widths, settings: as for `VAE`.
        sigma: the spread of a pixel, in units of the full range from black to white.
        learn_sigma: train it with the weights; `sigma` is then where it begins.

    Raises:
        ValueError: as `VAE`, or if `sigma` is not above 0.
    """

    def __init__(
        self,
        widths: Sequence[int] | Architecture = (784, 500, 300, 2),
        *,
        sigma: float = 0.25,
        learn_sigma: bool = False,
        **settings,
    ):
        super().__init__(widths, **settings)
        sigma = checks.real("sigma", sigma, above=True)
        self.log_sigma = nn.Parameter(torch.tensor(math.log(sigma)), requires_grad=learn_sigma)

    def likelihood(self, latents: Tensor) -> Normal:
        """Return p(x|z): a normal distribution for each of the pixels `(N, pixels)`; densities, not probabilities."""
        return Normal(self.decoder(latents).sigmoid(), self.log_sigma.exp(), validate_args=False)


class IWAE(BinarizedVAE):
    """A `BinarizedVAE` that draws `samples` codes for each image and maximises the logarithm of their mean weight.

    With one sample it is trained on the ELBO.  Everything but the loss is the VAE's, so all that measures a VAE
    measures this one.

    Args:
        widths, settings: as for `VAE`, but for β: the bound has no KL term to weight.
        samples: how many codes are drawn for each image; the decoder works as many times.

    Raises:
        ValueError: as `VAE`, or if `samples` is no whole number of at least 1.
    """

    def __init__(self, widths: Sequence[int] | Architecture = (784, 500, 300, 2), *, samples: int = 5, **settings):
        super().__init__(widths, beta=1.0, **settings)
        self.samples = checks.whole("samples", samples)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = −log (1/k) Σ w over k = `samples` codes, in nats per image, for pixels drawn as 0 or 1.

        `reconstruction` and `kl` are the two terms of the negative ELBO of the same images; their sum less
        `total` is what the tighter bound gains.
        """
        pixels = torch.bernoulli(images).flatten(1)
        mu, log_var = self.mu_log_var(pixels)
        epsilon = torch.randn_like(mu.expand(self.samples, *mu.shape))
        z = mu + (log_var / 2).exp() * epsilon
        log_x = self.likelihood(z.flatten(0, 1)).log_prob(pixels.repeat(self.samples, 1)).sum(1)
        log_prior_over_q = 0.5 * (epsilon.square() + log_var - z.square()).sum(2)
        bound = (log_x.view_as(log_prior_over_q) + log_prior_over_q).logsumexp(0) - math.log(self.samples)
        kl = losses.gaussian_kl(mu, log_var).sum(1).mean()
        return {"total": -bound.mean(), "reconstruction": -log_x.mean(), "kl": kl}


class ConditionalVAE(Autoencoder):
    """A `VAE` whose encoder and decoder get the image's label beside the pixels and beside the code.

    Every call takes images or codes and as many labels: `encode(images, labels)`, `decode(latents, labels)`,
    `loss(images, labels)`; train it with `fit(model, (images, labels))`.

    Args:
        widths: units per layer, as for `VAE`, or `dense(widths)`: other networks have no place for the label.
        classes: how many labels there are, numbered from 0.
        beta, activation, image_shape, seed: as for `VAE`.

    Raises:
        ValueError: if the widths do not fit the image, `classes` is below 1, or `beta` is negative or not finite.
    """

    # A class of its own, though a `VAE` whose methods pass labels on would be 25 lines shorter: chapter 5 shows the
    # VAE's methods, which are easier to read without something that they only pass on.

    def __init__(
        self,
        widths: Sequence[int] | Architecture = (784, 500, 300, 2),
        *,
        classes: int = 10,
        beta: float = 1.0,
        activation: Callable[[], nn.Module] | None = None,
        image_shape: Shape | None = None,
        seed: int = 0,
    ):
        super().__init__()
        self.classes = checks.whole("classes", classes)
        self.beta = checks.real("beta", beta)
        self.build(widths, per_number=2, beside=self.classes, activation=activation, image_shape=image_shape, seed=seed)

    def check(self, *data: Tensor) -> tuple[Tensor, ...]:
        """Return images and their labels on the model's device, or raise a ValueError that says what is wrong."""
        images, labels = checks.pair(data, "(images, labels)")
        return self.check_images(images), self.check_labels(labels, len(images))

    def check_labels(self, labels: Tensor, rows: int) -> Tensor:
        """Return the labels of so many rows on the model's device, or raise a ValueError that says what is wrong."""
        return checks.labels(labels, rows, self.classes).to(self.device)

    def mu_log_var(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return μ and log σ² of each image's posterior, both `(N, latent_dim)`."""
        mu, log_var = self.encoder(self.beside(images.flatten(1), labels)).chunk(2, dim=1)
        return mu, log_var

    def likelihood(self, latents: Tensor, labels: Tensor) -> Bernoulli:
        """Return p(x|z, y): a distribution for each of the pixels `(N, pixels)`."""
        return Bernoulli(logits=self.decoder(self.beside(latents, labels)), validate_args=False)

    def encode(self, images: Tensor, labels: Tensor) -> Normal:
        """Return q(z|x, y) of images `(N, 1, 28, 28)`: `.mean` and `.stddev` are `(N, latent_dim)`."""
        mu, log_var = self.mu_log_var(*self.check(images, labels))
        return Normal(mu, (log_var / 2).exp(), validate_args=False)

    def decode(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Return the expected images `(N, 1, 28, 28)` in [0, 1] for codes `(N, latent_dim)` and labels `(N,)`."""
        latents = self.check_latents(latents)
        labels = self.check_labels(labels, len(latents))
        return self.likelihood(latents, labels).mean.unflatten(1, self.image_shape)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the reconstructions from the means of the posteriors."""
        return self.decode(self.encode(images, labels).mean, labels)

    def loss(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction` + β · `kl`, in nats per image; for β = 1 a bound on −log p(x|y)."""
        mu, log_var = self.mu_log_var(images, labels)
        z = mu + (log_var / 2).exp() * torch.randn_like(mu)
        reconstruction = -self.likelihood(z, labels).log_prob(images.flatten(1)).sum(1).mean()
        kl = losses.gaussian_kl(mu, log_var).sum(1).mean()
        return {"total": reconstruction + self.beta * kl, "reconstruction": reconstruction, "kl": kl}

    def beside(self, values: Tensor, labels: Tensor) -> Tensor:
        """Return rows `(N, k + classes)`: the values `(N, k)`, then 1 at the label's place and 0 at the others."""
        return torch.cat([values, F.one_hot(labels, self.classes).to(values.dtype)], 1)
