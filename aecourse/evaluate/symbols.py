"""What a code of symbols is worth: how much of the codebook is in use, and how many bits code and pixels take.

Symbols are int64 `(N, positions)` from 0 to codes − 1.  All costs are in bits per image.  Every function raises a
ValueError for symbols of another kind or for tensors that don't belong together.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..coding import NATS_PER_BIT, cross_entropy, entropy, frequencies
from ..models import CodePrior, GumbelAutoencoder, check_symbols
from ..models.quantized import SymbolAutoencoder
from .codes import check_count, in_batches


def perplexity(symbols: Tensor, codes: int) -> float:
    """Return 2^H of the shares of all symbols, positions together: as if so many were in use, equally often."""
    return 2 ** entropy(_shares(symbols, codes))


def dead_share(symbols: Tensor, codes: int) -> float:
    """Return the share of the symbols 0 … codes − 1 that don't occur at any position."""
    return float((_shares(symbols, codes) == 0).mean())


def unigram_bits(known: Tensor, new: Tensor, codes: int) -> float:
    """Return what the `new` codes cost if each position has an ideal code of its own, made for the `known` ones.

    Symbols of one image are taken as independent.  Each count starts at ½, so that nothing is impossible.
    """
    for symbols in (known, new):
        check_symbols(symbols, known.shape[1], codes)
    pairs = zip(known.T, new.T, strict=True)
    return sum(cross_entropy(frequencies(b, codes), frequencies(a, codes, smoothing=0.5)) for a, b in pairs)


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
    check_count("draws", draws)
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


def _shares(symbols: Tensor, codes: int):
    return frequencies(check_symbols(symbols, symbols.shape[1], codes).flatten(), codes)
