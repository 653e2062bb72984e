"""What is measured on images and networks: errors of restoration, shifts, checkerboards, what a layer sees."""

from __future__ import annotations

import math

import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from .. import checks
from .latents import in_batches

__all__ = [
    "checkerboard",
    "correct_points",
    "feature_maps",
    "gaussian_blur",
    "linear_map",
    "median_filter",
    "multiply_adds",
    "parameter_count",
    "phase_means",
    "point_distances",
    "psnr",
    "receptive_field",
    "restore",
    "shift",
]


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
    checks.whole("size", size)
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


def parameter_count(model: nn.Module) -> int:
    """Return how many trainable numbers a model has."""
    return sum(weights.numel() for weights in model.parameters() if weights.requires_grad)


@torch.no_grad()
def multiply_adds(model: nn.Module) -> int:
    """Return the multiplications (with the addition that follows) that the layers need to rebuild one image.

    Counted by torch: matrix products and convolutions; norms and activations are left out.
    """
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *model.image_shape, device=model.device))
    return counter.get_total_flops() // 2


def shift(images: Tensor, right: int, down: int) -> Tensor:
    """Return images moved by whole pixels; what leaves is lost, and black comes in.

    Args:
        images: `(N, C, H, W)` in [0, 1].
        right, down: how far; negative is left and up.

    Raises:
        ValueError: for bad images, or a shift of the whole image or more.
    """
    checks.images(images, None)
    height, width = images.shape[-2:]
    if abs(right) >= width or abs(down) >= height:
        raise ValueError(f"got a shift by ({right}, {down}), expected less than the image's {width} × {height} pixels")
    moved = torch.roll(images, (down, right), dims=(-2, -1))
    for size, by, dim in ((height, down, -2), (width, right, -1)):
        moved.narrow(dim, 0 if by > 0 else size + by, abs(by)).zero_()
    return moved


def phase_means(images: Tensor) -> Tensor:
    """Return the mean of the pixels in even and odd rows and columns: `(N, 2, 2)`, row phase first.

    Args:
        images: `(N, C, H, W)`, any values; height and width must be even.

    Raises:
        ValueError: if they are not.
    """
    if images.dim() != 4 or images.shape[-1] % 2 or images.shape[-2] % 2:
        raise ValueError(f"got shape {tuple(images.shape)}, expected (N, C, H, W) with even height and width")
    blocks = images.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2))  # (N, C, H/2, 2, W/2, 2)
    return blocks.mean((1, 2, 4))


def checkerboard(images: Tensor) -> Tensor:
    """Return for each image how much its mean grey depends on whether rows and columns are even: `(N,)`.

    The standard deviation of the four `phase_means`, divided by the absolute value of their mean: 0 without a pattern,
    0.48 for the counts 1, 2, 2, 4.  By Parseval it is the amplitude at the three highest (Nyquist) frequencies against
    the mean.

    Args:
        images: `(N, C, H, W)`, any values; height and width must be even.

    Raises:
        ValueError: if they are not.
    """
    means = phase_means(images).flatten(1)
    return means.std(1, correction=0) / means.mean(1).abs()


@torch.no_grad()
def feature_maps(layers: nn.Sequential, inputs: Tensor) -> list[Tensor]:
    """Return what comes out of every ReLU that works on maps: a list of `(N, channels, height, width)`.

    Args:
        layers: the encoder or the decoder of a convolutional model.
        inputs: what it takes, flattened images or codes.
    """
    maps = []
    for layer in layers:
        inputs = layer(inputs)
        if isinstance(layer, nn.ReLU) and inputs.dim() == 4:
            maps.append(inputs)
    return maps


def receptive_field(layers: nn.Sequential, image_shape: tuple[int, ...] = (1, 28, 28)) -> Tensor:
    """Return on how many ways each pixel reaches the middle of the last map through the convolutions: `(H, W)`.

    Where it is above 0 lies the receptive field; norms and activations are left out (Luo et al., 2016, average over
    the weights what is counted here).

    Raises:
        ValueError: if there is no convolution among the layers.
    """
    found = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    if not found:
        raise ValueError("got layers without a convolution, expected at least one nn.Conv2d; pass model.encoder")
    image = torch.zeros(1, *image_shape, requires_grad=True)
    maps = image
    for layer in found:
        maps = F.conv2d(maps, torch.ones_like(layer.weight), stride=layer.stride, padding=layer.padding)
        maps = maps / layer.out_channels  # a way through any of the maps counts once
    middle = maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].sum()
    return torch.autograd.grad(middle, image)[0][0].sum(0).round()
