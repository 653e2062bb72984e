"""The importance-weighted autoencoder: a VAE trained on a tighter bound, from several codes for each image.

Source: Burda, Grosse & Salakhutdinov (2016), equation 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .. import losses
from .vae import BinarizedVAE


class IWAE(BinarizedVAE):
    """A `BinarizedVAE` that draws `samples` codes for each image and maximises the logarithm of their mean weight.

    With one sample it is trained on the ELBO.  Everything but the loss is the VAE's, so all that
    measures a VAE measures this one.

    Args:
        widths, activation, image_shape, seed: as for `VAE`.  (There is no β: the bound has no KL term to weight.)
        samples: how many codes are drawn for each image; the decoder works as many times.

    Raises:
        ValueError: as `VAE`, or if `samples` is no whole number of at least 1.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 500, 300, 2),
        *,
        samples: int = 5,
        activation: Callable[[], nn.Module] = nn.ReLU,
        image_shape: tuple[int, ...] = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__(widths, activation=activation, image_shape=image_shape, seed=seed)
        if not isinstance(samples, int) or isinstance(samples, bool) or samples < 1:
            raise ValueError(f"got samples={samples!r}, expected a whole number of at least 1")
        self.samples = samples

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = −log (1/k) Σ w over k = `samples` codes, in nats per image, for pixels drawn as 0 or 1.

        `reconstruction` and `kl` are the two terms of the negative ELBO of the same images; their sum less
        `total` is what the tighter bound gains.
        """
        pixels = torch.bernoulli(images).flatten(1)
        mu, log_var = self.mu_log_var(pixels)
        epsilon = torch.randn_like(mu.expand(self.samples, *mu.shape))
        z = mu + (log_var / 2).exp() * epsilon
        log_x = self.likelihood(z).log_prob(pixels).sum(2)
        log_prior_over_q = 0.5 * (epsilon.square() + log_var - z.square()).sum(2)
        log_w = log_x + log_prior_over_q
        bound = log_w.logsumexp(0) - math.log(self.samples)
        kl = losses.gaussian_kl(mu, log_var).sum(1).mean()
        return {"total": -bound.mean(), "reconstruction": -log_x.mean(), "kl": kl}
