"""Entropy, cross-entropy and KL in bits, how often symbols occur, and Huffman's code.

Costs here are in bits, since these functions speak of files; models and losses speak in nats
(1 nat = 1 / ln 2 ≈ 1.443 bits).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from itertools import count

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .. import checks

NATS_PER_BIT = math.log(2)  # 0.693: divide nats by it to get bits


def entropy(p: ArrayLike) -> float:
    """Return the entropy H(p) = −Σ p log₂ p in bits per symbol (Shannon, 1948), with 0 log 0 = 0.

    Raises:
        ValueError: if `p` is not a list of probabilities that sum to 1.
    """
    return cross_entropy(p, p)


def cross_entropy(p: ArrayLike, q: ArrayLike) -> float:
    """Return the cost −Σ p log₂ q, in bits per symbol, of symbols from `p` in the ideal code for `q`.

    It is infinite if a symbol that occurs has no place in the code (p > 0 where q = 0).

    Raises:
        ValueError: if either is not a list of probabilities that sum to 1, or their lengths differ.
    """
    p, q = _probabilities(p), _probabilities(q)
    if len(p) != len(q):
        raise ValueError(f"got {len(p)} and {len(q)} probabilities, expected two distributions over the same symbols")
    occurs = p > 0
    if (q[occurs] == 0).any():
        return math.inf
    return float(-(p[occurs] * np.log2(q[occurs])).sum()) + 0.0  # + 0.0 turns -0.0 into 0.0


def kl(p: ArrayLike, q: ArrayLike) -> float:
    """Return KL(p‖q) = Σ p log₂ p/q in bits per symbol: what the code for `q` wastes on `p`.

    Raises:
        ValueError: as `cross_entropy`.
    """
    return cross_entropy(p, q) - entropy(p)


def frequencies(symbols: Tensor, alphabet_size: int = 256, *, smoothing: float = 0.0) -> np.ndarray:
    """Return how often each of the symbols 0 … alphabet_size − 1 occurs, as probabilities.

    Args:
        symbols: whole numbers, any shape.
        alphabet_size: how many symbols there could be.
        smoothing: added to every count; above 0 no symbol gets probability 0 (Laplace).

    Raises:
        ValueError: if a symbol is no whole number or lies outside the alphabet, there is nothing to count, or
            `alphabet_size` or `smoothing` is no such number.
    """
    checks.whole("alphabet_size", alphabet_size)
    checks.real("smoothing", smoothing)
    symbols = torch.as_tensor(symbols).flatten()
    if symbols.numel() == 0:
        raise ValueError("got no symbols, expected at least one")
    if symbols.is_floating_point():
        raise ValueError(
            f"got symbols of dtype {symbols.dtype}, expected whole numbers; for images use grey_levels(images)"
        )
    low, high = int(symbols.min()), int(symbols.max())
    if low < 0 or high >= alphabet_size:
        raise ValueError(f"got symbols from {low} to {high}, expected 0 to {alphabet_size - 1}")
    counts = torch.bincount(symbols.cpu().to(torch.int64), minlength=alphabet_size).double().numpy() + smoothing
    return counts / counts.sum()


def huffman(p: ArrayLike) -> list[str]:
    """Return Huffman's code for the distribution `p`: one string of 0s and 1s for each symbol.

    No codeword begins another, and no such code has a shorter mean length (Huffman, 1952).  Symbols of
    probability 0 get the codeword "" and cannot be encoded; a lone symbol gets "0".

    Raises:
        ValueError: if `p` is not a list of probabilities that sum to 1.
    """
    p = _probabilities(p)
    ties = count()  # equal weights are merged oldest first, which keeps the longest codeword short
    heap = [(weight, next(ties), (symbol,)) for symbol, weight in enumerate(p) if weight > 0]
    heapq.heapify(heap)
    codewords = [""] * len(p)
    if len(heap) == 1:
        codewords[heap[0][2][0]] = "0"
    while len(heap) > 1:
        (light, _, left), (heavy, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        for bit, branch in (("0", left), ("1", right)):
            for symbol in branch:
                codewords[symbol] = bit + codewords[symbol]
        heapq.heappush(heap, (light + heavy, next(ties), left + right))
    return codewords


def mean_length(p: ArrayLike, codewords: Sequence[str]) -> float:
    """Return the mean length, in bits per symbol, of `codewords` used on symbols from `p`.

    It is infinite if a symbol that occurs has no codeword.

    Raises:
        ValueError: if there are not as many codewords as probabilities.
    """
    p = _probabilities(p)
    if len(p) != len(codewords):
        raise ValueError(f"got {len(p)} probabilities and {len(codewords)} codewords, expected as many of each")
    if any(chance > 0 and not word for chance, word in zip(p, codewords, strict=True)):
        return math.inf
    return float(sum(chance * len(word) for chance, word in zip(p, codewords, strict=True)))


def huffman_encode(symbols: Sequence[int], codewords: Sequence[str]) -> str:
    """Return the codewords of `symbols` one after the other, as a string of 0s and 1s.

    Raises:
        ValueError: if a symbol has no codeword.
    """
    for symbol in symbols:
        if not 0 <= symbol < len(codewords) or not codewords[symbol]:
            raise ValueError(f"got the symbol {symbol}, expected one of the {len(codewords)} that has a codeword")
    return "".join(codewords[symbol] for symbol in symbols)


def huffman_decode(bits: str, codewords: Sequence[str]) -> list[int]:
    """Return the symbols that `huffman_encode` turned into `bits`.

    Raises:
        ValueError: if the bits end inside a codeword or fit none, or there is no codeword.
    """
    symbols = {word: symbol for symbol, word in enumerate(codewords) if word}
    if not symbols:
        raise ValueError(f"got no codeword among {len(codewords)} symbols, expected at least one; use huffman(p)")
    longest = max(map(len, symbols))
    decoded, word = [], ""
    for position, bit in enumerate(bits):
        word += bit
        if word in symbols:
            decoded.append(symbols[word])
            word = ""
        elif len(word) >= longest:
            raise ValueError(f"got bits that fit no codeword, up to position {position}; was another code used?")
    if word:
        raise ValueError(f"got bits that end inside a codeword ({word!r}), expected whole ones; is the end missing?")
    return decoded


def _probabilities(p: ArrayLike) -> np.ndarray:
    p = np.asarray(p, dtype=np.float64)
    if p.ndim != 1 or p.size == 0:
        raise ValueError(f"got an array of shape {p.shape}, expected a list of probabilities")
    if not np.isfinite(p).all() or (p < 0).any() or abs(p.sum() - 1) > 1e-6:
        raise ValueError(
            f"got numbers from {p.min():g} to {p.max():g} with sum {p.sum():g}, expected probabilities "
            "that sum to 1; divide counts by their sum"
        )
    return p
