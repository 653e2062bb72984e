"""What images cost in the ideal code of a counting model, or in a file of a general-purpose compressor; all in bits."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from scipy.special import betaln
from torch import Tensor

from .. import checks
from .entropy import NATS_PER_BIT
from .pixels import black_and_white, grey_levels


def position_frequencies(images: Tensor, *, smoothing: float = 0.1) -> np.ndarray:
    """Return how often each grey level occurs at each pixel position: `(pixels, 256)`, rows sum to 1.

    Args:
        images: `(N, 1, 28, 28)` in [0, 1] with 8-bit grey levels.
        smoothing: added to every count, so that a level never seen at a position can still be coded.

    Raises:
        ValueError: for what `grey_levels` refuses, or if `smoothing` is negative or not finite.
    """
    smoothing = checks.real("smoothing", smoothing)
    levels = grey_levels(images).cpu().flatten(1).to(torch.int64)
    cells = levels + 256 * torch.arange(levels.shape[1])
    counts = torch.bincount(cells.flatten(), minlength=256 * levels.shape[1]).double().numpy() + smoothing
    return (counts / (len(images) + 256 * smoothing)).reshape(-1, 256)


def position_cost(images: Tensor, frequencies: np.ndarray) -> float:
    """Return the bits per image in the ideal code that has a distribution of grey levels for each position.

    It is infinite if a level that occurs at a position has frequency 0 there.

    Args:
        images: `(N, 1, 28, 28)` in [0, 1] with 8-bit grey levels.
        frequencies: from `position_frequencies`.

    Raises:
        ValueError: for what `grey_levels` refuses, or if the images have another number of pixels than the code.
    """
    levels = grey_levels(images).cpu().flatten(1).to(torch.int64).numpy()
    if levels.shape[1] != len(frequencies):
        raise ValueError(f"got images of {levels.shape[1]} pixels and a code for {len(frequencies)}, expected as many")
    with np.errstate(divide="ignore"):
        lengths = -np.log2(frequencies)
    return float(lengths[np.arange(levels.shape[1]), levels].sum(1).mean())


def quantized_cost(train: Tensor, test: Tensor, step: float, *, smoothing: float = 0.1) -> float:
    """Return the bits per row that rows of real numbers cost when each is rounded to a multiple of `step`.

    Each column has its own ideal code, fitted to the rounded training column; test values beyond its range
    are clipped to it.  With `smoothing` 0 the cost is infinite if a test value falls where no training value did.

    Args:
        train, test: `(N, k)`, as many columns in both.
        step: the width of a quantization bin, in the unit of the numbers.
        smoothing: added to the count of every bin between the least and the greatest training value.

    Raises:
        ValueError: if the rows don't fit each other or aren't finite, `step` is not above 0 or too small for whole
            numbers of 63 bits, or `smoothing` is negative or not finite.
    """
    step, smoothing = checks.real("step", step, above=True), checks.real("smoothing", smoothing)
    known, new = _rounded(train, step), _rounded(test, step)
    if known.shape[1] != new.shape[1]:
        raise ValueError(
            f"got {known.shape[1]} columns to train on and {new.shape[1]} to test on, expected as many; "
            "encode both with the same model"
        )
    bits = 0.0
    for column, values in zip(known.T, new.T, strict=True):
        bins, counts = np.unique(column, return_counts=True)
        met, times = np.unique(values.clip(bins[0], bins[-1]), return_counts=True)
        nearest = bins.searchsorted(met)
        weights = np.where(bins[nearest] == met, counts[nearest], 0) + smoothing
        with np.errstate(divide="ignore"):
            lengths = -np.log2(weights / _sum_of_counts(bins, counts, smoothing))
        bits += float((times / len(values) * lengths).sum())
    return bits


def _rounded(rows: Tensor, step: float) -> np.ndarray:
    """Return rows of numbers in units of `step`, as whole numbers `(N, k)`, or raise a ValueError."""
    if not isinstance(rows, Tensor) or rows.dim() != 2 or len(rows) == 0:
        shape = f"shape {tuple(rows.shape)}" if isinstance(rows, Tensor) else f"type {type(rows).__name__}"
        raise ValueError(f"got rows of {shape}, expected a tensor (N, k) with N of at least 1; flatten each to a row")
    steps = (rows.detach().cpu() / step).round()
    if not (steps.abs() < 2**62).all():
        raise ValueError(
            f"got a row with {rows.abs().max():g}, expected finite numbers below 2⁶² steps of {step:g}; "
            "drop what is infinite or NaN, or take a larger step"
        )
    return steps.long().numpy()


def _sum_of_counts(bins: np.ndarray, counts: np.ndarray, smoothing: float) -> float:
    """Return the sum of the smoothed counts of all bins from the first to the last, most of which may be empty.

    One far-out code and a small step make billions of bins, too many for a list of them.  A million are added up
    one by one, since the order in which numbers are added decides their sum's last digit.
    """
    if (width := int(bins[-1]) - int(bins[0]) + 1) > 2**20:
        return counts.sum() + smoothing * width
    smoothed = np.full(width, smoothing)
    smoothed[bins - bins[0]] += counts
    return smoothed.sum()


COMPRESSORS: dict[str, Callable[[np.ndarray], bytes]] = {  # each at its strongest, of bytes (height, width)
    "zlib": lambda picture: zlib.compress(picture, 9),
    "lzma": lambda picture: lzma.compress(picture, preset=9 | lzma.PRESET_EXTREME),
    "bz2": lambda picture: bz2.compress(picture, 9),
    "png": lambda picture: _file(picture, "png", optimize=True),
    "webp": lambda picture: _file(picture, "webp", lossless=True, quality=100),
}
WIDEST = 16383  # pixels on a side of a picture in WebP


def compressed_size(images: Tensor, method: str) -> float:
    """Return the bits per image that a general-purpose compressor needs at its strongest setting.

    All images are packed at once, one below the other: as one stream of bytes for "zlib", "lzma" and "bz2", which
    favours them, and as one tall picture for "png".

    Args:
        images: `(N, 1, 28, 28)` in [0, 1] with 8-bit grey levels.
        method: "zlib", "lzma", "bz2", "png" or "webp"; WebP takes no picture of more than 16,383 rows.

    Raises:
        ValueError: for another method, too many images for WebP, or what `grey_levels` refuses.
    """
    if method not in COMPRESSORS:
        raise ValueError(f"got method={method!r}, expected one of {', '.join(COMPRESSORS)}")
    levels = grey_levels(images).cpu().numpy()
    tall = np.ascontiguousarray(levels.reshape(-1, levels.shape[-1]))
    if method == "webp" and len(tall) > WIDEST:
        raise ValueError(f"got {len(tall):,} rows of pixels, expected at most {WIDEST:,} for WebP; take fewer images")
    return 8 * len(COMPRESSORS[method](tall)) / len(images)


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
        ValueError: for grey images, and for what `checks.images` refuses.
    """
    layouts = _layouts(black_and_white(images))
    streams, mosaics = [layout.reshape(-1, layout.shape[2]) for layout in layouts], [*map(_mosaic, layouts)]
    sizes = {}
    with ThreadPoolExecutor(max_workers=2) as pool:  # each LZMA takes 100 MB and more
        for name, compress in COMPRESSORS.items():
            pictures = mosaics if name in ("png", "webp") else streams
            sizes[name] = 8 * min(map(len, pool.map(compress, pictures))) / len(images)
    return sizes


def context_cost(
    train: Tensor, test: Tensor, neighbours: int = 10, *, block: int | None = None, smoothing: float = 0.5
) -> float:
    """Return the bits per image of black-and-white images in the ideal code of a context model.

    A pixel is white as often as it was in the training images, wherever the pixels around it looked the same:
    those above it and to its left, which a decoder knows by then (pixels beyond the edge count as black).
    The ten nearest are the template of JBIG (ITU-T T.82, 1993), which fax machines have used since T.85 (1995).

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
    known, new = black_and_white(train), black_and_white(test)
    if known.shape[1:] != new.shape[1:]:
        raise ValueError(f"got images of shapes {known.shape} and {new.shape}, expected the same height and width")
    neighbours = checks.whole("neighbours", neighbours, 0, 24)
    block = None if block is None else checks.whole("block", block)
    smoothing = checks.real("smoothing", smoothing, above=True)  # what was never seen would cost infinity
    blocks = _blocks(known.shape[-2:], block)
    if (contexts := (int(blocks.max()) + 1) * 2**neighbours) > 2**24:
        raise ValueError(
            f"got {contexts:,} contexts, expected at most {2**24:,}; take fewer neighbours or larger blocks"
        )
    counts = _context_counts(known, neighbours, blocks) + smoothing
    lengths = -np.log2(counts / counts.sum(1, keepdims=True))
    return float((_context_counts(new, neighbours, blocks) * lengths).sum() / len(new))


def adaptive_context_cost(images: Tensor, neighbours: int = 10, *, block: int | None = None) -> float:
    """Return the bits per image of black-and-white images in the ideal code of a context model that learns from them.

    The contexts are those of `context_cost`, but nothing is counted beforehand: the counts of every context begin at
    ½ (Krichevsky & Trofimov, 1981), and each pixel is added after it is paid for.  The receiver has read the same
    pixels by then and keeps the same counts, so no training images are needed and no counts are sent.  This is the
    idea of JBIG (ITU-T T.82, 1993), with the ten nearest neighbours.  A context that was followed by b black and w
    white pixels, in whatever order, costs −log₂ of Beta(b + ½, w + ½) / Beta(½, ½) in all.

    Args:
        images: `(N, 1, 28, 28)`, each pixel 0 or 1; the receiver keeps its counts from one to the next.
        neighbours, block: as for `context_cost`.

    Raises:
        ValueError: for grey images, `neighbours` or `block` out of range, or more than 2²⁴ contexts.
    """
    pixels = black_and_white(images)
    neighbours = checks.whole("neighbours", neighbours, 0, 24)
    blocks = _blocks(pixels.shape[-2:], None if block is None else checks.whole("block", block))
    if (contexts := (int(blocks.max()) + 1) * 2**neighbours) > 2**24:
        raise ValueError(
            f"got {contexts:,} contexts, expected at most {2**24:,}; take fewer neighbours or larger blocks"
        )
    black, white = _context_counts(pixels, neighbours, blocks).T
    nats = betaln(0.5, 0.5) - betaln(black + 0.5, white + 0.5)
    return float(nats.sum() / NATS_PER_BIT / len(pixels))


def _blocks(shape: tuple[int, int], block: int | None) -> np.ndarray:
    """Return the number of the block that each pixel lies in, `(height, width)`."""
    rows, columns = (np.arange(side) // (block or max(shape)) for side in shape)
    return rows[:, None] * (columns[-1] + 1) + columns


def _context_counts(images: np.ndarray, neighbours: int, blocks: np.ndarray) -> np.ndarray:
    """Return how often black and white came after each context: `(contexts, 2)`."""
    pixels = images.reshape(-1, *images.shape[-2:])
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


def _mosaic(images: np.ndarray) -> np.ndarray:
    """Return one picture of all images `(N, height, width)` side by side, as wide as WebP allows."""
    n, height, width = images.shape
    columns = min(n, WIDEST // width)
    padded = np.pad(images, ((0, -n % columns), (0, 0), (0, 0)))
    return padded.reshape(-1, columns, height, width).swapaxes(1, 2).reshape(-1, columns * width)


def _file(picture: np.ndarray, format: str, **settings: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format, **settings)
    return file.getvalue()
