"""What a reconstruction costs: summed over pixels, averaged over the batch.

Summing over pixels keeps the units honest (nats per image, squared grey levels per image) and
keeps a later term, the KL of chapter 6, at its true weight: an average over pixels would be a hidden β.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from . import checks


def binary_cross_entropy(logits: Tensor, pixels: Tensor) -> Tensor:
    """Return the binary cross-entropy of `pixels` under Bernoulli(sigmoid(logits)), nats per image.

    For pixels that are 0 or 1 this is the code length of the image (times ln 2, since it counts
    nats) with the decoder's probabilities as the code: see chapter 1.

    Args:
        logits: `(N, …)`, any real numbers.
        pixels: the same shape, in [0, 1].

    Raises:
        ValueError: if the shapes differ.
    """
    checks.same_shape(logits, pixels)
    return F.binary_cross_entropy_with_logits(logits, pixels, reduction="sum") / len(pixels)


def squared_error(reconstructions: Tensor, pixels: Tensor) -> Tensor:
    """Return the squared error per image: summed over its pixels, averaged over the N images.

    Up to a constant this is the negative log-likelihood in nats of a Gaussian with variance ½.

    Raises:
        ValueError: if the shapes differ.
    """
    checks.same_shape(reconstructions, pixels)
    return (reconstructions - pixels).square().sum() / len(pixels)


def gaussian_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(N(μ, σ²) ‖ N(0, 1)) = ½ (μ² + σ² − 1 − log σ²) in nats, for every element: the shape of `mu`.

    Kingma & Welling (2014), appendix B.  Sum over the latent dimensions, then average over images; an
    average over dimensions would be a hidden β of 1 / latent_dim.

    Args:
        mu: the means.
        log_var: log σ², the same shape.

    Raises:
        ValueError: if the shapes differ.
    """
    checks.same_shape(mu, log_var)
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var)
