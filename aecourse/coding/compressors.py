"""What images cost in the code of a counting model, or in a file of a general-purpose compressor; all in bits."""

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
from torch import Tensor

from .entropy import black_and_white, cross_entropy, frequencies, grey_levels


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
