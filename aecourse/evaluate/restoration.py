"""What a restored image is worth, and what the filters of a sceptic do without any learning."""

from __future__ import annotations

import math

import torch
from scipy import ndimage
from torch import Tensor, nn

from .codes import check_count, in_batches


@torch.no_grad()
def restore(model: nn.Module, images: Tensor, *, batch_size: int = 250) -> Tensor:
    """Return what a network makes of any number of images, restored images or key points, on the CPU."""
    return torch.cat([model(batch).cpu() for batch in in_batches(images, batch_size)])


def psnr(images: Tensor, restored: Tensor) -> float:
    """Return the peak signal-to-noise ratio in dB: −10 log₁₀ of the mean squared error, white being 1.

    The mean is over all pixels of all images, so that the figure follows from the squared error; papers on single
    pictures often average each picture's own ratio instead, which is a little higher.  Equal images give infinity.

    Raises:
        ValueError: if the shapes differ.
    """
    if images.shape != restored.shape:
        raise ValueError(
            f"got images of shape {tuple(images.shape)} and restored ones of shape {tuple(restored.shape)}, "
            "expected equal ones"
        )
    error = float((images - restored).square().mean(dtype=torch.float64))
    return -10 * math.log10(error) if error > 0 else math.inf


def median_filter(images: Tensor, size: int) -> Tensor:
    """Return images `(N, 1, H, W)` whose every pixel is the median of `size` × `size` neighbours, by SciPy."""
    check_count("size", size)
    return torch.from_numpy(ndimage.median_filter(images.numpy(), (1, 1, size, size)))


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Return images `(N, 1, H, W)` whose every pixel is a mean of its neighbours with Gaussian weights, by SciPy.

    Args:
        images: what is blurred.
        sigma: the spread of the weights, in pixels; 0 leaves the images as they are.

    Raises:
        ValueError: if `sigma` is negative or not finite.
    """
    if not 0 <= sigma < math.inf:
        raise ValueError(f"got sigma={sigma!r}, expected a finite number of at least 0, in pixels")
    return torch.from_numpy(ndimage.gaussian_filter(images.numpy(), (0, 0, sigma, sigma)))


def linear_map(given: Tensor, wanted: Tensor, images: Tensor, *, strength: float = 10.0) -> Tensor:
    """Return what the best linear map from `given` to `wanted` images makes of `images`, cut to [0, 1].

    Ridge regression: every wanted pixel is a weighted sum of all given ones and a constant, with the least squared
    error plus `strength` times the squared weights.

    Args:
        given, wanted: `(N, …)`, what the map is fitted to, image by image.
        images: `(M, …)`, shaped as the given ones.
        strength: how much large weights cost; the constant is free.

    Raises:
        ValueError: if there are not as many wanted images as given ones, or `strength` is not above 0.
    """
    if len(given) != len(wanted):
        raise ValueError(f"got {len(given)} given and {len(wanted)} wanted images, expected as many of each")
    if not 0 < strength < math.inf:
        raise ValueError(f"got strength={strength!r}, expected a finite number above 0")
    pixels, targets = given.flatten(1), wanted.flatten(1)
    middle, level = pixels.mean(0), targets.mean(0)
    pixels = pixels - middle
    products = pixels.T @ pixels + strength * torch.eye(pixels.shape[1])
    weights = torch.linalg.solve(products, pixels.T @ (targets - level))
    return ((images.flatten(1) - middle) @ weights + level).clamp(0, 1).unflatten(1, wanted.shape[1:])


def point_distances(points: Tensor, found: Tensor) -> Tensor:
    """Return how far each found key point is from the true one, in pixels: `(N, K)` for points `(N, K, 2)`.

    Raises:
        ValueError: if the shapes differ, or the last dimension is not x and y.
    """
    if points.shape != found.shape or points.shape[-1] != 2:
        raise ValueError(
            f"got key points of shapes {tuple(points.shape)} and {tuple(found.shape)}, expected two equal "
            "ones (N, K, 2), x and y last"
        )
    return (points - found).norm(dim=-1)


def correct_points(points: Tensor, found: Tensor, *, within: float) -> float:
    """Return the share of key points found no more than `within` pixels from the true place.

    This is the PCK, the percentage of correct key points, with a limit in pixels (Yang & Ramanan, 2013, take a share
    of the figure's size instead).

    Raises:
        ValueError: as `point_distances`, or if `within` is negative.
    """
    if not within >= 0:
        raise ValueError(f"got within={within!r}, expected a distance of at least 0, in pixels")
    return float((point_distances(points, found) <= within).float().mean())
