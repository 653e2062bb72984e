"""The conditional variational autoencoder: encoder and decoder are told the label, so the code need not hold it.

Source: Sohn, Lee & Yan (2015), equation 4, with the prior N(0, I) for every label.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal
from torch.nn import functional as F

from .. import losses
from .base import Autoencoder
from .dense import check_widths, dense_layers


class ConditionalVAE(Autoencoder):
    """A `VAE` whose encoder and decoder get the image's label beside the pixels and beside the code.

    Every call takes images or codes and as many labels: `encode(images, labels)`, `decode(latents, labels)`,
    `loss(images, labels)`; train it with `fit(model, (images, labels))`.

    Args:
        widths: units per layer from the pixels to the code; the decoder mirrors them.
        classes: how many labels there are, numbered from 0.
        beta: the weight of the KL term in `total`.
        activation: the non-linearity between layers, after a layer norm.
        image_shape: what one image looks like; its pixels must number `widths[0]`.
        seed: fixes the initial weights.

    Raises:
        ValueError: if the widths do not fit the image, `classes` is below 1, or `beta` is negative or not finite.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 500, 300, 2),
        *,
        classes: int = 10,
        beta: float = 1.0,
        activation: Callable[[], nn.Module] = nn.ReLU,
        image_shape: tuple[int, ...] = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__()
        check_widths(widths, image_shape)
        if not isinstance(classes, int) or isinstance(classes, bool) or classes < 1:
            raise ValueError(f"got classes={classes!r}, expected how many labels there are, at least 1")
        if not 0 <= beta < math.inf:
            raise ValueError(f"got beta={beta!r}, expected a finite number of at least 0")
        self.image_shape = tuple(image_shape)
        self.latent_dim = widths[-1]
        self.classes = classes
        self.beta = float(beta)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.encoder = dense_layers((widths[0] + classes, *widths[1:-1], 2 * self.latent_dim), activation)
            self.decoder = dense_layers((self.latent_dim + classes, *widths[-2::-1]), activation)

    def mu_log_var(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return μ and log σ² of each image's posterior, both `(N, latent_dim)`."""
        mu, log_var = self.encoder(self.beside(images.flatten(1), labels)).chunk(2, dim=1)
        return mu, log_var

    def likelihood(self, latents: Tensor, labels: Tensor) -> Bernoulli:
        """Return p(x|z, y): a distribution for each of the pixels `(N, pixels)`."""
        return Bernoulli(logits=self.decoder(self.beside(latents, labels)), validate_args=False)

    def encode(self, images: Tensor, labels: Tensor) -> Normal:
        """Return q(z|x, y) of images `(N, 1, 28, 28)`: `.mean` and `.stddev` are `(N, latent_dim)`."""
        mu, log_var = self.mu_log_var(self.check_images(images), labels)
        return Normal(mu, (log_var / 2).exp(), validate_args=False)

    def decode(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Return the expected images `(N, 1, 28, 28)` in [0, 1] for codes `(N, latent_dim)` and labels `(N,)`."""
        return self.likelihood(self.check_latents(latents), labels).mean.unflatten(1, self.image_shape)

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
        """Return rows `(N, k + classes)`: the values `(N, k)`, then 1 at the label's place and 0 at the others.

        Raises:
            ValueError: if the labels are no int64 tensor `(N,)` with values from 0 to `classes` − 1.
        """
        expected = f"one label from 0 to {self.classes - 1} for each of {len(values)} rows, int64 of shape (N,)"
        if not isinstance(labels, Tensor):
            raise ValueError(f"got {type(labels).__name__} as labels, expected {expected}; use torch.tensor(…)")
        if labels.dtype != torch.int64 or labels.shape != (len(values),):
            raise ValueError(
                f"got labels of dtype {labels.dtype} and shape {tuple(labels.shape)}, expected {expected}; "
                "to order one digit for all, use torch.full((N,), digit)"
            )
        low, high = (int(value) for value in torch.aminmax(labels))
        if low < 0 or high >= self.classes:
            raise ValueError(f"got labels from {low} to {high}, expected {expected}; raise classes= or drop the others")
        return torch.cat([values, F.one_hot(labels.to(values.device), self.classes).to(values.dtype)], 1)
