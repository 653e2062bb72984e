"""Codes and what they cost: entropy, cross-entropy, KL, and Huffman's code.

Costs here are in bits, since these functions speak of files; models and losses speak in nats
(1 nat = 1 / ln 2 ≈ 1.443 bits).
"""

from __future__ import annotations

import bz2
import heapq
import io
import lzma
import math
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from ..models import check_images

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
        ValueError: if a symbol lies outside the alphabet, or there is nothing to count.
    """
    symbols = torch.as_tensor(symbols).flatten()
    if symbols.numel() == 0:
        raise ValueError("got no symbols, expected at least one")
    if symbols.is_floating_point():
        raise ValueError(f"got symbols of dtype {symbols.dtype}, expected whole numbers; use grey_levels(images)")
    low, high = int(symbols.min()), int(symbols.max())
    if low < 0 or high >= alphabet_size:
        raise ValueError(f"got symbols from {low} to {high}, expected 0 to {alphabet_size - 1}")
    counts = torch.bincount(symbols.to(torch.int64), minlength=alphabet_size).double().numpy() + smoothing
    return counts / counts.sum()


def grey_levels(images: Tensor) -> Tensor:
    """Return images in [0, 1] as the uint8 grey levels 0 … 255 that they were stored with."""
    return (images * 255).round().to(torch.uint8)


def black_and_white(images: Tensor, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return images `(N, 1, 28, 28)` whose pixels are 0 or 1 as an array of the same shape, uint8.

    Args:
        images: from `data.binarize`.
        shape: what one image must look like, None for any.

    Raises:
        ValueError: for grey pixels, and what `models.check_images` rejects.
    """
    check_images(images, shape)
    if not ((images == 0) | (images == 1)).all():
        raise ValueError("got grey pixels, expected only 0 and 1; use data.binarize(images) first")
    return np.ascontiguousarray(images.to(torch.uint8).cpu().numpy())


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


def encode(symbols: Sequence[int], codewords: Sequence[str]) -> str:
    """Return the codewords of `symbols` one after the other, as a string of 0s and 1s.

    Raises:
        ValueError: if a symbol has no codeword.
    """
    for symbol in symbols:
        if not 0 <= symbol < len(codewords) or not codewords[symbol]:
            raise ValueError(f"got the symbol {symbol}, expected one of the {len(codewords)} that has a codeword")
    return "".join(codewords[symbol] for symbol in symbols)


def decode(bits: str, codewords: Sequence[str]) -> list[int]:
    """Return the symbols that `encode` turned into `bits`.

    Raises:
        ValueError: if the bits end inside a codeword or fit none.
    """
    symbols = {word: symbol for symbol, word in enumerate(codewords) if word}
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


def position_frequencies(images: Tensor, *, smoothing: float = 0.1) -> np.ndarray:
    """Return how often each grey level occurs at each pixel position: `(pixels, 256)`, rows sum to 1.

    Args:
        images: `(N, 1, 28, 28)` in [0, 1] with 8-bit grey levels.
        smoothing: added to every count, so that a level never seen at a position can still be coded.
    """
    levels = grey_levels(images).flatten(1).to(torch.int64)
    cells = levels + 256 * torch.arange(levels.shape[1])
    counts = torch.bincount(cells.flatten(), minlength=256 * levels.shape[1]).double().numpy() + smoothing
    return (counts / (len(images) + 256 * smoothing)).reshape(-1, 256)


def position_cost(images: Tensor, frequencies: np.ndarray) -> float:
    """Return the bits per image in the ideal code that has a distribution of grey levels for each position.

    Args:
        images: `(N, 1, 28, 28)` in [0, 1] with 8-bit grey levels.
        frequencies: from `position_frequencies`.

    Raises:
        ValueError: if the images have another number of pixels than the code.
    """
    levels = grey_levels(images).flatten(1).to(torch.int64).numpy()
    if levels.shape[1] != len(frequencies):
        raise ValueError(f"got images of {levels.shape[1]} pixels and a code for {len(frequencies)}, expected as many")
    lengths = -np.log2(frequencies)
    return float(lengths[np.arange(levels.shape[1]), levels].sum(1).mean())


def quantized_cost(train: Tensor, test: Tensor, step: float, *, smoothing: float = 0.1) -> float:
    """Return the bits per row that rows of real numbers cost when each is rounded to a multiple of `step`.

    Each column has its own ideal code, fitted to the rounded training column; test values beyond its range
    are clipped to it.

    Args:
        train, test: `(N, k)`.
        step: the width of a quantization bin, in the unit of the numbers.
    """
    bits = 0.0
    for known, new in zip((train / step).round().long().T, (test / step).round().long().T, strict=True):
        low, high = int(known.min()), int(known.max())
        p = frequencies(new.clamp(low, high) - low, high - low + 1)
        bits += cross_entropy(p, frequencies(known - low, high - low + 1, smoothing=smoothing))
    return bits


def compressed_size(images: Tensor, method: str) -> float:
    """Return the bits per image that a general-purpose compressor needs at its strongest setting.

    Args:
        images: `(N, 1, 28, 28)` in [0, 1] with 8-bit grey levels.
        method: "zlib" or "lzma" on all images as one stream, the way that favours them; "png" on one
            tall picture of all images, one below the other.

    Raises:
        ValueError: for an unknown method.
    """
    levels = grey_levels(images).cpu().numpy()
    if method == "zlib":
        size = len(zlib.compress(levels.tobytes(), 9))
    elif method == "lzma":
        size = len(lzma.compress(levels.tobytes(), preset=9 | lzma.PRESET_EXTREME))
    elif method == "png":
        file = io.BytesIO()
        Image.fromarray(levels.reshape(-1, levels.shape[-1])).save(file, "png", optimize=True)
        size = file.tell()
    else:
        raise ValueError(f"got method={method!r}, expected 'zlib', 'lzma' or 'png'")
    return 8 * size / len(images)


COMPRESSORS: dict[str, Callable[[np.ndarray], bytes]] = {  # each takes bytes of shape (N, height, width)
    "zlib": lambda images: zlib.compress(images, 9),
    "lzma": lambda images: lzma.compress(images, preset=9 | lzma.PRESET_EXTREME),
    "bz2": lambda images: bz2.compress(images, 9),
    "png": lambda images: _picture(images, "png", optimize=True),
    "webp": lambda images: _picture(images, "webp", lossless=True, quality=100),
}


def best_compressed_sizes(images: Tensor) -> dict[str, float]:
    """Return the bits per image that each general-purpose compressor needs at its best for black-and-white images.

    Each packs all images at once, at its strongest setting, in six layouts of which the smallest counts: a
    byte holds eight pixels in a row, in a column, or four rows of two, and bytes run along rows or columns.
    The picture formats get these bytes as grey values of one wide mosaic.  For MNIST all of this is smaller
    than a byte for each pixel, a 1-bit picture, and all images' first pixels first, then the second ones.

    Args:
        images: `(N, 1, 28, 28)`, each pixel 0 or 1.

    Returns:
        Bits per image for "zlib", "lzma", "bz2", "png" and "webp" (lossless).

    Raises:
        ValueError: for grey images.
    """
    layouts = _layouts(black_and_white(images))
    sizes = {}
    with ThreadPoolExecutor(max_workers=2) as pool:  # each LZMA takes 100 MB and more
        for name, compress in COMPRESSORS.items():
            sizes[name] = 8 * min(map(len, pool.map(compress, layouts))) / len(images)
    return sizes


def context_cost(
    train: Tensor, test: Tensor, neighbours: int = 10, *, block: int | None = None, smoothing: float = 0.5
) -> float:
    """Return the bits per image of black-and-white images in the ideal code of a context model.

    A pixel is white as often as it was in the training images, wherever the pixels around it looked the same:
    those above it and to its left, which a decoder knows by then (pixels beyond the edge count as black).
    The ten nearest are the template of JBIG (ITU-T T.82, 1993), which fax machines have used.

    Args:
        train, test: `(N, 1, 28, 28)`, each pixel 0 or 1; counted in `train`, paid for in `test`.
        neighbours: how many of the nearest pixels, 0 to 24, make up the context; each more doubles the contexts.
        block: the side of square blocks of pixels that are counted apart, so that 1 knows each pixel's own
            position; None counts all positions together.
        smoothing: above 0, added to every count; ½ is the choice of Krichevsky & Trofimov (1981).

    Raises:
        ValueError: for grey images, images of different shapes, `neighbours`, `block` or `smoothing` out of range,
            or more than 2²⁴ contexts.
    """
    if train.shape[1:] != test.shape[1:]:
        raise ValueError(f"got images of shapes {tuple(train.shape)} and {tuple(test.shape)}, expected the same shape")
    if not 0 <= neighbours <= 24 or (block is not None and block < 1):
        raise ValueError(f"got neighbours={neighbours!r}, block={block!r}, expected 0 to 24, and None or at least 1")
    if not smoothing > 0:
        raise ValueError(f"got smoothing={smoothing!r}, expected above 0: what was never seen would cost infinity")
    blocks = _blocks(train.shape[-2:], block)
    if (contexts := (int(blocks.max()) + 1) * 2**neighbours) > 2**24:
        raise ValueError(
            f"got {contexts:,} contexts, expected at most {2**24:,}; take fewer neighbours or larger blocks"
        )
    counts = _context_counts(train, neighbours, blocks) + smoothing
    lengths = -np.log2(counts / counts.sum(1, keepdims=True))
    return float((_context_counts(test, neighbours, blocks) * lengths).sum() / len(test))


def _blocks(shape: tuple[int, int], block: int | None) -> np.ndarray:
    """Return the number of the block that each pixel lies in, `(height, width)`."""
    rows, columns = (np.arange(side) // (block or max(shape)) for side in shape)
    return rows[:, None] * (columns[-1] + 1) + columns


def _context_counts(images: Tensor, neighbours: int, blocks: np.ndarray) -> np.ndarray:
    """Return how often black and white came after each context: `(contexts, 2)`."""
    pixels = black_and_white(images).reshape(-1, *images.shape[-2:])
    height, width = pixels.shape[1:]
    known = [(dy, dx) for dy in range(-4, 1) for dx in range(-4, 5) if (dy, dx) < (0, 0)]
    nearest = sorted(known, key=lambda offset: (offset[0] ** 2 + offset[1] ** 2, -offset[0], offset[1]))[:neighbours]
    counts = np.zeros((blocks.max() + 1) * 2 ** (neighbours + 1), dtype=np.int64)
    for start in range(0, len(pixels), 5000):  # a few images at a time, to save memory
        part = pixels[start : start + 5000]
        edged = np.pad(part, ((0, 0), (4, 0), (4, 4)))
        context = np.broadcast_to(blocks, part.shape)
        for dy, dx in nearest:
            context = 2 * context + edged[:, 4 + dy : 4 + dy + height, 4 + dx : 4 + dx + width]
        counts += np.bincount((2 * context + part).ravel(), minlength=len(counts))
    return counts.reshape(-1, 2)


def _layouts(pixels: np.ndarray) -> list[np.ndarray]:
    """Return black-and-white images as bytes that hold eight pixels each, in several orders, `(N, height, width)`."""
    layouts = []
    for height, width in ((1, 8), (8, 1), (4, 2)):
        edge = [(0, -side % step) for side, step in zip(pixels.shape[-2:], (height, width), strict=True)]
        padded = np.pad(pixels.reshape(-1, *pixels.shape[-2:]), ((0, 0), *edge))
        n, rows, columns = len(padded), padded.shape[1] // height, padded.shape[2] // width
        tiles = padded.reshape(n, rows, height, columns, width).swapaxes(2, 3).reshape(n, rows, columns, 8)
        packed = np.packbits(tiles, axis=3)[..., 0]
        layouts += [packed, np.ascontiguousarray(packed.swapaxes(1, 2))]
    return layouts


def _picture(images: np.ndarray, format: str, **settings: object) -> bytes:
    """Return a file of one mosaic of all images, as wide as WebP allows."""
    n, height, width = images.shape
    columns = min(n, 16383 // width)
    padded = np.pad(images, ((0, -n % columns), (0, 0), (0, 0)))
    mosaic = padded.reshape(-1, columns, height, width).swapaxes(1, 2).reshape(-1, columns * width)
    file = io.BytesIO()
    Image.fromarray(mosaic).save(file, format, **settings)
    return file.getvalue()


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
