"""What probability a model gives to images: the ELBO and tighter bounds, their terms, and what symbols cost.

In nats per image, for pixels as the model's likelihood takes them; what is called `bits` is in bits per image.  Every
function raises a ValueError for bad images, a model of another kind, or a count that is too small.

What is asked of a model here are a VAE's methods: `check(images)` gives what its `loss` takes, `mu_log_var(pixels)` the
means and log variances of the posteriors, `likelihood(codes)` a distribution over the pixels.  A `ConditionalVAE` gets
`labels` in all three; a `GumbelAutoencoder` and a `MusicVAE` have terms of their own, below.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics.pairwise import rbf_kernel
from torch import Tensor, nn
from torch.distributions import Normal

from .. import checks
from ..coding import NATS_PER_BIT, cross_entropy, entropy, frequencies
from ..losses import gaussian_kl
from ..models import VAE, CodePrior, GumbelAutoencoder, MusicVAE
from ..models.recurrent import symbol_cross_entropy, to_symbols
from ..models.symbols import SymbolAutoencoder
from ..progress import progress_bar
from .batches import _array, _at_rest, _by_batches, _random, _with_labels, in_batches

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

TINY = torch.finfo(torch.float32).tiny  # what is nearer to 0 has lost its digits, or is 0
BLOCK = 2000  # points whose pairs are looked at together


def posterior(model: VAE, images: Tensor, *, labels: Tensor | None = None, batch_size: int = 1000) -> Normal:
    """Return the posteriors of any number of images as one: `.mean` and `.stddev` are `(N, latent_dim)`, on the CPU.

    Args:
        labels: `(N,)`, for a `ConditionalVAE` and for no other model.
    """
    mu, _, sigma = _clouds(model, images, labels, batch_size)
    return Normal(mu, sigma, validate_args=False)


def kl_per_dimension(model: VAE, images: Tensor, *, labels: Tensor | None = None) -> Tensor:
    """Return the mean KL from posterior to prior in each latent dimension, in nats: shape `(latent_dim,)`.

    Args:
        labels: as for `posterior`.
    """
    mu, log_var, sigma = _clouds(model, images, labels)
    return gaussian_kl(mu, torch.where(sigma < TINY, log_var, 2 * sigma.log())).mean(0)


def active_units(model: VAE, images: Tensor, *, labels: Tensor | None = None, threshold: float = 0.01) -> int:
    """Return how many latent dimensions say anything about the image: Var(μ) over images above `threshold`.

    Burda et al. (2016), section 5.2.

    Args:
        labels: as for `posterior`.
    """
    checks.real("threshold", threshold)
    means = posterior(model, images, labels=labels).mean
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


def aggregate_posterior(
    model: VAE, images: Tensor, *, labels: Tensor | None = None, seed: int = 0, points: int = 2000
) -> Aggregate:
    """Return statistics of the aggregate posterior (1/N) Σ q(z|xₙ), from one draw for each image.

    Mean and covariance add the means' spread and the posteriors' own variances exactly.

    Args:
        labels: as for `posterior`.
        seed: fixes the draws, also those from the prior.
        points: how many of each the MMD compares.
    """
    checks.whole("points", points, least=2)
    q = posterior(model, images, labels=labels)
    random = _random(seed)
    sample = q.mean + q.stddev * torch.randn(q.mean.shape, generator=random)
    prior = torch.randn((min(points, len(sample)), sample.shape[1]), generator=random)
    covariance = torch.cov(q.mean.T, correction=0) + q.variance.mean(0).diag()
    return Aggregate(q.mean.mean(0), covariance, mmd(sample[:points], prior), sample)


def mmd(first: Tensor, second: Tensor) -> float:
    """Return the squared maximum mean discrepancy between the sources of two samples, without bias.

    Gretton et al. (2012), equation 3, with the kernel exp(−‖a − b‖² / 2k) for points of k numbers, whose width
    fits N(0, I).  It is about 0 if both come from one distribution, at times a little below, and at most 2.

    Args:
        first: `(N, k)`; second: `(M, k)`; any number of points, since pairs are summed up in blocks.

    Raises:
        ValueError: if the points have different lengths, or a sample has fewer than two.
    """
    if first.shape[1:] != second.shape[1:] or first.dim() != 2 or min(len(first), len(second)) < 2:
        raise ValueError(
            f"got samples of shape {tuple(first.shape)} and {tuple(second.shape)}, expected (N, k) and (M, k) "
            "with at least two points each"
        )
    n, m = len(first), len(second)
    first, second = _array(checks.numbers("samples", first)), _array(checks.numbers("samples", second))
    within = sum((_kernel_sum(each, each) - len(each)) / (len(each) * (len(each) - 1)) for each in (first, second))
    between = _kernel_sum(first, second)
    return float(within - 2 * between.dtype.type(between / np.int64(n * m)))


def _kernel_sum(first: np.ndarray, second: np.ndarray) -> np.floating:
    """Return the kernel of `mmd` summed over all pairs, a block of pairs at a time."""
    total, gamma = 0.0, 1 / (2 * first.shape[1])
    for i in range(0, len(first), BLOCK):
        for j in range(0, len(second), BLOCK):
            # Without a second sample scikit-learn knows that a point is at distance 0 from itself.
            other = None if first is second and i == j else second[j : j + BLOCK]
            part = rbf_kernel(first[i : i + BLOCK], other, gamma=gamma).sum()
            total += float(part)
    return part.dtype.type(total)


def elbo(
    model: nn.Module,
    images: Tensor,
    *,
    labels: Tensor | None = None,
    draws: int = 1,
    seed: int = 0,
    batch_size: int = 1000,
) -> dict[str, float]:
    """Return the mean evidence lower bound and its two terms, in nats per image.

    `elbo` = −`reconstruction` − `kl` whatever the model's β was in training (Kingma & Welling, 2014, equation 3).  It
    bounds log p(x) of a VAE, log p(x|y) of a `ConditionalVAE`, log p(x) of a `GumbelAutoencoder` whose decoder reads
    real symbols, and that of a `MusicVAE`, whose images are windows of notes.

    Args:
        model: one of these, or any with a VAE's `check`, `mu_log_var` and `likelihood`.
        labels: `(N,)`, for a `ConditionalVAE` and for no other model.
        draws: how many codes are drawn for each image.
        seed: fixes them.
    """
    if isinstance(model, GumbelAutoencoder):
        terms, reads = _categorical_terms, "features"
    elif isinstance(model, MusicVAE):
        terms, reads = _musical_terms, "mu_log_var"
    else:
        _check_vae(model)
        terms, reads = _gaussian_terms, "mu_log_var"
    checks.whole("draws", draws)
    reconstruction = kl = 0.0
    with torch.no_grad(), _at_rest(model):
        random = _random(seed, model.device)
        rows = [in_batches(each, batch_size) for each in _with_labels(model, reads, images, labels)]
        for batch in zip(*rows, strict=True):
            divergence, costs = terms(model, model.check(*batch), draws, random)
            kl += divergence
            for cost in costs:
                reconstruction += cost / draws
    reconstruction, kl = reconstruction / len(images), kl / len(images)
    return {"elbo": -reconstruction - kl, "reconstruction": reconstruction, "kl": kl}


# The terms of a batch: the KL from the posteriors to the prior, and for each draw −log p(x|z), summed over its images.
Terms = tuple[float, Iterable[float]]


def _gaussian_terms(model: VAE, data: tuple[Tensor, ...], draws: int, random: torch.Generator) -> Terms:
    images, *labels = data
    pixels = images.flatten(1)
    mu, log_var = model.mu_log_var(pixels, *labels)
    costs = (-model.likelihood(z, *labels).log_prob(pixels).sum().item() for z in _drawn(mu, log_var, draws, random))
    return gaussian_kl(mu, log_var).sum().item(), costs


def _categorical_terms(
    model: GumbelAutoencoder, data: tuple[Tensor, ...], draws: int, random: torch.Generator
) -> Terms:
    (images,) = data
    logits = model.features(images)
    symbols = logits.softmax(2).flatten(0, 1).multinomial(draws, replacement=True, generator=random).T
    costs = (
        -model.likelihood(each).log_prob(images.flatten(1)).sum().item()
        for each in symbols.unflatten(1, (len(images), -1))
    )
    return model.kl(logits).item() * len(images), costs


def _musical_terms(model: MusicVAE, data: tuple[Tensor, ...], draws: int, random: torch.Generator) -> Terms:
    (windows,) = data
    symbols = to_symbols(windows)
    mu, log_var = model.mu_log_var(symbols)
    costs = (
        symbol_cross_entropy(model.logits(z, symbols), symbols).item() * len(windows)
        for z in _drawn(mu, log_var, draws, random)
    )
    return gaussian_kl(mu, log_var).sum(1).mean().item() * len(windows), costs


def _drawn(mu: Tensor, log_var: Tensor, draws: int, random: torch.Generator) -> Iterator[Tensor]:
    for _ in range(draws):
        yield mu + (log_var / 2).exp() * torch.randn(mu.shape, generator=random, device=mu.device)


def categorical_elbo(model: GumbelAutoencoder, images: Tensor, *, draws: int = 1, seed: int = 0) -> dict[str, float]:
    """Return the `elbo` of the hard model, whose decoder reads real symbols, drawn from the posterior.

    So it is a bound on log p(x) under the uniform prior (Jang et al., 2017, use it for evaluation), unlike the training
    loss with its relaxed draws.

    Args:
        draws: how many codes are drawn for each image.
        seed: fixes them.
    """
    if not isinstance(model, GumbelAutoencoder):
        raise ValueError(f"got a {type(model).__name__}, expected a GumbelAutoencoder; of other models use elbo")
    return elbo(model, images, draws=draws, seed=seed)


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
    _check_vae(model, labels=False)
    samples = checks.whole("samples", samples)
    at_once = min(samples, checks.whole("batch_size", batch_size))
    random, bounds = _random(seed, model.device), []
    parts = in_batches(images, batch_size // at_once)
    with progress_bar(len(images) * samples, "code") as bar:
        for batch in parts:
            pixels = model.check_images(batch).flatten(1)
            mu, log_var = model.mu_log_var(pixels)
            q = Normal(mu, (log_var / 2).exp(), validate_args=False)
            prior = Normal(torch.zeros_like(mu), torch.ones_like(mu))
            total = torch.full((len(batch),), -math.inf, device=pixels.device)
            for k in map(len, torch.arange(samples).split(at_once)):
                epsilon = torch.randn((k, *mu.shape), generator=random, device=mu.device)
                z = mu + q.stddev * epsilon
                log_x = model.likelihood(z.flatten(0, 1)).log_prob(pixels.repeat(k, 1)).sum(1).unflatten(0, z.shape[:2])
                log_ratio = prior.log_prob(z) - q.log_prob(z)
                # Where σ² is too small for a float, log q is not: −½ (ε² + log σ² + log 2π).
                by_hand = (epsilon.square() + log_var - z.square()) / 2
                log_weight = log_x + torch.where(q.variance < TINY, by_hand, log_ratio).sum(2)
                total = torch.logaddexp(total, log_weight.logsumexp(0))
                bar.update(k * len(batch))
            bounds.append((total - math.log(samples)).cpu())
    return torch.cat(bounds)


def gradients(model: VAE, image: Tensor, *, draws: int, seed: int = 0) -> dict[str, Tensor]:
    """Return noisy estimates of the gradient of the reconstruction loss with respect to μ, one for each draw.

    Both estimate ∇μ E[−log p(x|z)] over z ~ q(z|x), in nats per unit of μ:

    - "pathwise", through z = μ + σ ε: the gradient at z itself (Kingma & Welling, 2014);
    - "score function", −log p(x|z) · (z − μ) / σ², which needs no gradient of the decoder (Williams, 1992);
    - "score function, baseline", the same with the mean cost of the other draws subtracted from each cost
      (Kool et al., 2019), which changes the noise and not the mean.

    Args:
        image: `(1, 1, 28, 28)`.
        draws: how many codes are drawn, at least 2.
        seed: fixes them.

    Returns:
        for each of the three names the estimates `(draws, latent_dim)`.
    """
    _check_vae(model, labels=False)
    checks.whole("draws", draws, least=2)
    pixels = model.check_images(image).flatten(1)
    if len(pixels) != 1:
        raise ValueError(f"got {len(pixels)} images, expected one; take images[:1]")
    with torch.no_grad():
        q = model.posterior(pixels)
        epsilon = torch.randn((draws, model.latent_dim), generator=_random(seed, model.device), device=q.mean.device)
        z = q.mean + q.stddev * epsilon
    z.requires_grad_()
    cost = -model.likelihood(z).log_prob(pixels.expand(draws, -1)).sum(1)
    (pathwise,) = torch.autograd.grad(cost.sum(), z)
    cost, score = cost.detach()[:, None], (z.detach() - q.mean) / q.variance
    others = (cost.sum() - cost) / (draws - 1)
    return {
        "pathwise": pathwise.cpu(),
        "score function": (cost * score).cpu(),
        "score function, baseline": ((cost - others) * score).cpu(),
    }


def _clouds(model: VAE, images: Tensor, labels: Tensor | None, batch_size: int = 1000) -> tuple[Tensor, Tensor, Tensor]:
    """Return μ, log σ² and σ of the posteriors of any number of images, `(N, latent_dim)` each, on the CPU."""
    _check_vae(model, "check", "mu_log_var")

    def cloud(*batch: Tensor) -> Tensor:
        read, *given = model.check(*batch)
        mu, log_var = model.mu_log_var(to_symbols(read) if isinstance(model, MusicVAE) else read, *given)
        return torch.stack([mu, log_var, (log_var / 2).exp()])

    rows = _with_labels(model, "mu_log_var", images, labels)
    return _by_batches(cloud, *rows, batch_size=batch_size, dim=1).unbind()


def _check_vae(model: nn.Module, *methods: str, labels: bool = True) -> None:
    """Check that a model has a VAE's methods, by default all three, and takes no labels where there are none."""
    lacking = [name for name in methods or ("check", "mu_log_var", "likelihood") if not hasattr(model, name)]
    if lacking:
        raise ValueError(
            f"got a {type(model).__name__}, expected a VAE, whose codes are distributions, or a model with its methods "
            f"(it lacks {' and '.join(lacking)}); use models.VAE"
        )
    if not labels and "labels" in inspect.signature(model.mu_log_var).parameters:
        raise ValueError(
            f"got a {type(model).__name__}, which takes labels, expected a VAE of images alone; what takes labels here "
            "is elbo, posterior, kl_per_dimension, active_units and aggregate_posterior"
        )


def perplexity(symbols: Tensor, codebook_size: int) -> float:
    """Return 2^H of the shares of all symbols, positions together: as if so many were in use, equally often."""
    return 2 ** entropy(_shares(symbols, codebook_size))


def dead_share(symbols: Tensor, codebook_size: int) -> float:
    """Return the share of the symbols 0 … codebook_size − 1 that don't occur at any position."""
    return float((_shares(symbols, codebook_size) == 0).mean())


def _shares(symbols: Tensor, codebook_size: int) -> np.ndarray:
    positions = symbols.shape[-1] if isinstance(symbols, Tensor) and symbols.dim() else 1
    return frequencies(checks.symbols(symbols, positions, codebook_size).flatten(), codebook_size)


def unigram_bits(known: Tensor, new: Tensor, codebook_size: int) -> float:
    """Return what the `new` codes cost if each position has an ideal code of its own, made for the `known` ones.

    Symbols of one image are taken as independent.  Each count starts at ½, so that nothing is impossible.
    """
    for symbols in (known, new):
        checks.symbols(symbols, known.shape[1], codebook_size)
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
