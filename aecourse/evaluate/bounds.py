"""What probability a model gives to images: the ELBO and tighter bounds, their terms, and what symbols cost.

In nats per image, for pixels as the model's likelihood takes them; what is called `bits` is in bits per image.  Every
function raises a ValueError for bad images, a model of another kind, or a count that is too small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from sklearn.metrics.pairwise import rbf_kernel
from torch import Tensor
from torch.distributions import Normal

from .. import checks
from ..coding import NATS_PER_BIT, cross_entropy, entropy, frequencies
from ..losses import gaussian_kl
from ..models import VAE, CodePrior, GumbelAutoencoder, check_symbols
from ..models.symbols import SymbolAutoencoder
from ..progress import progress_bar
from .latents import in_batches

__all__ = [
    "Aggregate",
    "active_units",
    "aggregate_posterior",
    "categorical_elbo",
    "dead_share",
    "elbo",
    "gradients",
    "kl_per_dimension",
    "log_likelihood",
    "mmd",
    "perplexity",
    "pixel_bits",
    "posterior",
    "prior_bits",
    "unigram_bits",
]


@torch.no_grad()
def posterior(model: VAE, images: Tensor, *, batch_size: int = 1000) -> Normal:
    """Return the posteriors of any number of images as one: `.mean` and `.stddev` are `(N, latent_dim)`, on the CPU."""
    _check_vae(model)
    parts = [model.encode(batch) for batch in in_batches(images, batch_size)]
    return Normal(
        torch.cat([part.mean.cpu() for part in parts]),
        torch.cat([part.stddev.cpu() for part in parts]),
        validate_args=False,
    )


@torch.no_grad()
def elbo(model: VAE, images: Tensor, *, draws: int = 1, seed: int = 0, batch_size: int = 1000) -> dict[str, float]:
    """Return the mean evidence lower bound and its two terms, in nats per image.

    `elbo` = −`reconstruction` − `kl` whatever the model's β was in training (Kingma & Welling, 2014, equation 3).

    Args:
        draws: how many codes are drawn for each image.
        seed: fixes them.
    """
    _check_vae(model)
    checks.whole("draws", draws)
    random = _generator(model, seed)
    reconstruction = kl = 0.0
    for batch in in_batches(images, batch_size):
        pixels = model.check_images(batch).flatten(1)
        mu, log_var = model.mu_log_var(pixels)
        kl += gaussian_kl(mu, log_var).sum().item()
        for _ in range(draws):
            z = mu + (log_var / 2).exp() * torch.randn(mu.shape, generator=random, device=mu.device)
            reconstruction -= model.likelihood(z).log_prob(pixels).sum().item() / draws
    reconstruction, kl = reconstruction / len(images), kl / len(images)
    return {"elbo": -reconstruction - kl, "reconstruction": reconstruction, "kl": kl}


@torch.no_grad()
def log_likelihood(model: VAE, images: Tensor, *, samples: int, seed: int = 0, batch_size: int = 1000) -> Tensor:
    """Return the importance-weighted bound on log p(x) of each image, in nats: shape `(N,)`.

    log (1/k) Σ p(x|z) p(z) / q(z|x) over k = `samples` codes drawn from the posterior (Burda et al., 2016,
    equation 8).  Its mean is the ELBO for k = 1, never falls with k, and approaches log p(x).  The sum runs
    through logarithms, at most `batch_size` codes at a time, so memory does not grow with the samples.

    Args:
        samples: how many codes for each image.
        seed: fixes them.
        batch_size: codes decoded at once.
    """
    _check_vae(model)
    samples = checks.whole("samples", samples)
    at_once = min(samples, checks.whole("batch_size", batch_size))
    random, bounds = _generator(model, seed), []
    parts = in_batches(images, batch_size // at_once)
    with progress_bar(len(images) * samples, "code") as bar:
        for batch in parts:
            pixels = model.check_images(batch).flatten(1)
            q = model.posterior(pixels)
            prior = Normal(torch.zeros_like(q.mean), torch.ones_like(q.stddev))
            total = torch.full((len(batch),), -math.inf, device=pixels.device)
            for k in [at_once] * (samples // at_once) + [samples % at_once] * bool(samples % at_once):
                z = q.mean + q.stddev * torch.randn((k, *q.mean.shape), generator=random, device=q.mean.device)
                log_x = model.likelihood(z.flatten(0, 1)).log_prob(pixels.repeat(k, 1)).sum(1).unflatten(0, z.shape[:2])
                log_weight = log_x + (prior.log_prob(z) - q.log_prob(z)).sum(2)
                total = torch.logaddexp(total, log_weight.logsumexp(0))
                bar.update(k * len(batch))
            bounds.append((total - math.log(samples)).cpu())
    return torch.cat(bounds)


def kl_per_dimension(model: VAE, images: Tensor) -> Tensor:
    """Return the mean KL from posterior to prior in each latent dimension, in nats: shape `(latent_dim,)`."""
    q = posterior(model, images)
    return gaussian_kl(q.mean, 2 * q.stddev.log()).mean(0)


def active_units(model: VAE, images: Tensor, *, threshold: float = 0.01) -> int:
    """Return how many latent dimensions say anything about the image: Var(μ) over images above `threshold`.

    Burda et al. (2016), section 5.2.
    """
    means = posterior(model, images).mean
    checks.whole("len(images)", len(means), least=2)
    return int((means.var(0) > threshold).sum())


@dataclass
class Aggregate:
    """All posteriors of a data set thrown together: what the decoder is trained on.

    Attributes:
        mean: `(latent_dim,)`; the prior has 0.
        covariance: `(latent_dim, latent_dim)`; the prior has the identity.
        mmd: the squared maximum mean discrepancy to draws from the prior, about 0 if the two are equal.
        sample: `(N, latent_dim)`, one code drawn from each image's posterior.
    """

    mean: Tensor
    covariance: Tensor
    mmd: float
    sample: Tensor


def aggregate_posterior(model: VAE, images: Tensor, *, seed: int = 0, points: int = 2000) -> Aggregate:
    """Return statistics of the aggregate posterior (1/N) Σ q(z|xₙ), from one draw for each image.

    Mean and covariance add the means' spread and the posteriors' own variances exactly.

    Args:
        seed: fixes the draws, also those from the prior.
        points: how many of each the MMD compares.
    """
    checks.whole("points", points, least=2)
    q = posterior(model, images)
    random = torch.Generator().manual_seed(seed)
    sample = q.mean + q.stddev * torch.randn(q.mean.shape, generator=random)
    prior = torch.randn((min(points, len(sample)), model.latent_dim), generator=random)
    covariance = torch.cov(q.mean.T, correction=0) + q.variance.mean(0).diag()
    return Aggregate(q.mean.mean(0), covariance, mmd(sample[:points], prior), sample)


def mmd(first: Tensor, second: Tensor) -> float:
    """Return the squared maximum mean discrepancy between the sources of two samples, without bias.

    Gretton et al. (2012), equation 3, with the kernel exp(−‖a − b‖² / 2k) for points of k numbers, whose width
    fits N(0, I).  It is about 0 if both come from one distribution, at times a little below, and at most 2.

    Args:
        first: `(N, k)`; second: `(M, k)`.

    Raises:
        ValueError: if the points have different lengths, or a sample has fewer than two.
    """
    if first.shape[1:] != second.shape[1:] or first.dim() != 2 or min(len(first), len(second)) < 2:
        raise ValueError(
            f"got samples of shape {tuple(first.shape)} and {tuple(second.shape)}, expected (N, k) and (M, k) "
            "with at least two points each"
        )
    gamma = 1 / (2 * first.shape[1])
    within = 0.0
    for sample in (first.numpy(), second.numpy()):
        kernel = rbf_kernel(sample, gamma=gamma)
        within += (kernel.sum() - kernel.trace()) / (len(sample) * (len(sample) - 1))
    return float(within - 2 * rbf_kernel(first.numpy(), second.numpy(), gamma=gamma).mean())


def gradients(model: VAE, image: Tensor, *, draws: int, seed: int = 0) -> dict[str, Tensor]:
    """Return noisy estimates of the gradient of the reconstruction loss with respect to μ, one for each draw.

    Both estimate ∇μ E[−log p(x|z)] over z ~ q(z|x), in nats per unit of μ:

    - "pathwise", through z = μ + σ ε: the gradient at z itself (Kingma & Welling, 2014);
    - "score function", −log p(x|z) · (z − μ) / σ², which needs no gradient of the decoder (Williams, 1992);
    - "score function, baseline", the same with the mean cost of the other draws subtracted from each cost
      (Mnih & Rezende, 2016), which changes the noise and not the mean.

    Args:
        image: `(1, 1, 28, 28)`.
        draws: how many codes are drawn, at least 2.
        seed: fixes them.

    Returns:
        for each of the three names the estimates `(draws, latent_dim)`.
    """
    _check_vae(model)
    checks.whole("draws", draws, least=2)
    pixels = model.check_images(image).flatten(1)
    if len(pixels) != 1:
        raise ValueError(f"got {len(pixels)} images, expected one; take images[:1]")
    with torch.no_grad():
        q = model.posterior(pixels)
        epsilon = torch.randn((draws, model.latent_dim), generator=_generator(model, seed), device=q.mean.device)
        z = q.mean + q.stddev * epsilon
    z.requires_grad_()
    cost = -model.likelihood(z).log_prob(pixels.expand(draws, -1)).sum(1)
    (pathwise,) = torch.autograd.grad(cost.sum(), z)
    cost, score = cost.detach()[:, None], (z.detach() - q.mean) / q.variance
    others = (cost.sum() - cost) / (draws - 1)
    return {
        "pathwise": pathwise,
        "score function": cost * score,
        "score function, baseline": (cost - others) * score,
    }


def _check_vae(model: VAE) -> None:
    if not isinstance(model, VAE):
        raise ValueError(f"got a {type(model).__name__}, expected a VAE, whose codes are distributions; use models.VAE")


def _generator(model: VAE, seed: int) -> torch.Generator:
    return torch.Generator(model.device).manual_seed(seed)


def perplexity(symbols: Tensor, codebook_size: int) -> float:
    """Return 2^H of the shares of all symbols, positions together: as if so many were in use, equally often."""
    return 2 ** entropy(_shares(symbols, codebook_size))


def dead_share(symbols: Tensor, codebook_size: int) -> float:
    """Return the share of the symbols 0 … codebook_size − 1 that don't occur at any position."""
    return float((_shares(symbols, codebook_size) == 0).mean())


def unigram_bits(known: Tensor, new: Tensor, codebook_size: int) -> float:
    """Return what the `new` codes cost if each position has an ideal code of its own, made for the `known` ones.

    Symbols of one image are taken as independent.  Each count starts at ½, so that nothing is impossible.
    """
    for symbols in (known, new):
        check_symbols(symbols, known.shape[1], codebook_size)
    pairs = zip(known.T, new.T, strict=True)
    return sum(
        cross_entropy(frequencies(b, codebook_size), frequencies(a, codebook_size, smoothing=0.5)) for a, b in pairs
    )


@torch.no_grad()
def prior_bits(prior: CodePrior, symbols: Tensor) -> float:
    """Return what the codes cost under the prior: the mean of −log₂ p(s)."""
    total = sum(-prior.log_prob(batch).sum().item() for batch in in_batches(symbols, 1000))
    return total / len(symbols) / NATS_PER_BIT


@torch.no_grad()
def pixel_bits(model: SymbolAutoencoder, symbols: Tensor, images: Tensor) -> float:
    """Return what the pixels of black-and-white `images` cost, given their symbols: the mean of −log₂ p(x|s)."""
    if len(symbols) != len(images):
        raise ValueError(f"got {len(symbols)} codes and {len(images)} images, expected one code for each image")
    total = 0.0
    for code, batch in zip(in_batches(symbols, 1000), in_batches(images, 1000), strict=True):
        total -= model.likelihood(code).log_prob(model.check_images(batch).flatten(1)).sum().item()
    return total / len(images) / NATS_PER_BIT


@torch.no_grad()
def categorical_elbo(model: GumbelAutoencoder, images: Tensor, *, draws: int = 1, seed: int = 0) -> dict[str, float]:
    """Return the mean evidence lower bound of the hard model and its two terms, in nats per image.

    The decoder reads real symbols, drawn from the posterior, so this is a bound on log p(x) under the uniform prior
    (Jang et al., 2017, use it for evaluation), unlike the training loss with its relaxed draws.

    Args:
        draws: how many codes are drawn for each image.
        seed: fixes them.
    """
    checks.whole("draws", draws)
    random = torch.Generator(model.device).manual_seed(seed)
    reconstruction = kl = 0.0
    for batch in in_batches(images, 1000):
        logits = model.features(model.check_images(batch))
        kl += model.kl(logits).item() * len(batch)
        chances = logits.softmax(2).flatten(0, 1)
        for symbols in chances.multinomial(draws, replacement=True, generator=random).T:
            answer = model.likelihood(symbols.unflatten(0, (len(batch), -1)))
            reconstruction -= answer.log_prob(batch.to(model.device).flatten(1)).sum().item() / draws
    reconstruction, kl = reconstruction / len(images), kl / len(images)
    return {"elbo": -reconstruction - kl, "reconstruction": reconstruction, "kl": kl}


def _shares(symbols: Tensor, codebook_size: int):
    return frequencies(check_symbols(symbols, symbols.shape[1], codebook_size).flatten(), codebook_size)
