"""What is measured on images, and on the networks that see them.

Errors of images and of key points; how much ink a picture has, how it leans, how strong a checkerboard is in it; plain
filters to compare a network with; what a network costs and what its layers see.  Images are `(N, C, H, W)`, white
being 1; only `ink` and `slant` want a single channel.
"""

from __future__ import annotations

import math

import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F

from .. import checks
from .batches import _array, _at_rest

__all__ = [
    "checkerboard",
    "correct_points",
    "feature_maps",
    "gaussian_blur",
    "ink",
    "linear_map",
    "median_filter",
    "multiply_adds",
    "parameter_count",
    "point_distances",
    "psnr",
    "receptive_field",
    "shift",
    "slant",
    "squared_errors",
]


def squared_errors(images: Tensor, reconstructions: Tensor) -> Tensor:
    """Return the squared error of each image, summed over its pixels: shape `(N,)`.

    Its mean over the test set is the figure of Hinton & Salakhutdinov (2006).

    Raises:
        ValueError: if the shapes differ, or either is not made of finite floats on the scale from 0 to 1.
    """
    return _squares(images, reconstructions).flatten(1).sum(1)


def psnr(images: Tensor, restored: Tensor) -> float:
    """Return the peak signal-to-noise ratio in dB: −10 log₁₀ of the mean squared error, white being 1.

    The mean is over all pixels of all images, so that the figure follows from the squared error; papers on single
    pictures often average each picture's own ratio instead, which is a little higher.  Equal images give infinity.

    Raises:
        ValueError: as `squared_errors`.
    """
    error = float(_squares(images, restored).mean(dtype=torch.float64))
    return -10 * math.log10(error) if error > 0 else math.inf


def _squares(images: Tensor, rebuilt: Tensor) -> Tensor:
    """Return the squared error of each pixel, once it is clear that the two can be compared."""
    checks.same_shape(images, rebuilt, "images and reconstructions of shape")
    return F.mse_loss(checks.grey("images", images), checks.grey("reconstructions", rebuilt), reduction="none")


def point_distances(points: Tensor, found: Tensor) -> Tensor:
    """Return how far each found key point is from the true one, in pixels: `(N, K)` for points `(N, K, 2)`.

    Raises:
        ValueError: if the shapes differ, the last dimension is not x and y, or the numbers are no finite floats.
    """
    checks.same_shape(points, found, "key points of shapes")
    if points.shape[-1] != 2:
        raise ValueError(f"got key points of shapes {tuple(points.shape)}, expected (N, K, 2), x and y last")
    return (checks.numbers("key points", points) - checks.numbers("found points", found)).norm(dim=-1)


def correct_points(points: Tensor, found: Tensor, *, within: float) -> float:
    """Return the share of key points found no more than `within` pixels from the true place.

    This is the PCK, the percentage of correct key points, with a limit in pixels (Yang & Ramanan, 2013, take a share
    of the figure's size instead).

    Raises:
        ValueError: as `point_distances`, or if `within` is negative.
    """
    checks.real("within", within)
    return float((point_distances(points, found) <= within).float().mean())


def ink(images: Tensor) -> Tensor:
    """Return how much ink each image `(N, 1, H, W)` has: the sum of its pixels, `(N,)`.

    Raises:
        ValueError: for bad images, or coloured ones.
    """
    return _pages("ink", images).sum((1, 2, 3))


def slant(images: Tensor) -> Tensor:
    """Return by how many pixels each image `(N, 1, H, W)` leans to the right for each pixel upwards: `(N,)`.

    0 is upright.  The slope of the line that predicts a white pixel's column from its row: their covariance divided by
    the variance of the rows, each pixel weighted with its grey value.

    Raises:
        ValueError: for bad images, or coloured ones.
    """
    pixels = _pages("slant", images)[:, 0]
    mass = pixels.sum((1, 2)).clamp(min=1e-6)
    up = torch.arange(images.shape[2], device=images.device).flip(0) - (images.shape[2] - 1) / 2
    right = torch.arange(images.shape[3], device=images.device) - (images.shape[3] - 1) / 2
    rows, columns = pixels.sum(2), pixels.sum(1)
    mean_up, mean_right = (rows @ up) / mass, (columns @ right) / mass
    covariance = (pixels * up[:, None] * right).sum((1, 2)) / mass - mean_up * mean_right
    variance = (rows @ up.square()) / mass - mean_up.square()
    return covariance / variance.clamp(min=1e-6)


def _pages(measure: str, images: Tensor) -> Tensor:
    """Return the images if they are light strokes on a dark page, of any size."""
    checks.images(images, None)
    if images.dim() != 4 or images.shape[1] != 1:
        raise ValueError(
            f"got images of shape {tuple(images.shape)}, expected (N, 1, H, W): {measure} weighs white strokes on "
            "black, and colours have no such weight; for a grey picture of them use images.mean(1, keepdim=True)"
        )
    return images


def checkerboard(images: Tensor) -> Tensor:
    """Return for each image how much its mean grey depends on whether rows and columns are even: `(N,)`.

    The standard deviation of the four means (even or odd rows, even or odd columns), divided by the absolute value of
    their mean: 0 without a pattern, 0.48 for the counts 1, 2, 2, 4.  By Parseval it is the amplitude at the three
    highest (Nyquist) frequencies against the mean.

    Args:
        images: `(N, C, H, W)`, any values; height and width must be even.

    Raises:
        ValueError: if they are not.
    """
    checks.numbers("images", images)
    if images.dim() != 4 or images.shape[-1] % 2 or images.shape[-2] % 2:
        raise ValueError(f"got shape {tuple(images.shape)}, expected (N, C, H, W) with even height and width")
    blocks = images.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2))  # (N, C, H/2, 2, W/2, 2)
    means = blocks.mean((1, 2, 4)).flatten(1)
    return means.std(1, correction=0) / means.mean(1).abs()


def median_filter(images: Tensor, size: int) -> Tensor:
    """Return images `(N, C, H, W)` whose every pixel is the median of `size` × `size` neighbours, by SciPy."""
    checks.numbers("images", images, "(N, C, H, W)")
    return torch.from_numpy(ndimage.median_filter(_array(images), (1, 1, checks.whole("size", size), size)))


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Return images `(N, C, H, W)` whose every pixel is a mean of its neighbours with Gaussian weights, by SciPy.

    Args:
        images: what is blurred.
        sigma: the spread of the weights, in pixels; 0 leaves the images as they are.

    Raises:
        ValueError: if `sigma` is negative or not finite.
    """
    checks.numbers("images", images, "(N, C, H, W)")
    return torch.from_numpy(ndimage.gaussian_filter(_array(images), (0, 0, checks.real("sigma", sigma), sigma)))


def linear_map(given: Tensor, wanted: Tensor, images: Tensor, *, strength: float = 10.0) -> Tensor:
    """Return what the best linear map from `given` to `wanted` images makes of `images`, cut to [0, 1].

    Ridge regression: every wanted pixel is a weighted sum of all given ones and a constant, with the least squared
    error plus `strength` times the squared weights.

    Args:
        given, wanted: `(N, …)`, what the map is fitted to, image by image.
        images: `(M, …)`, shaped as the given ones.
        strength: how much large weights cost; the constant is free.

    Raises:
        ValueError: if there are not as many wanted images as given ones, the last are shaped otherwise, they are not
            grey levels from 0 to 1, or `strength` is not above 0.
    """
    if len(given) != len(wanted):
        raise ValueError(f"got {len(given)} given and {len(wanted)} wanted images, expected as many of each")
    checks.same_shape(given[:1], images[:1], "a given image and one to map of shapes")
    for name, each in (("given images", given), ("wanted images", wanted), ("images", images)):
        checks.grey(name, each)
    checks.real("strength", strength, above=True)
    pixels, targets = given.flatten(1), wanted.flatten(1)
    middle, level = pixels.mean(0), targets.mean(0)
    pixels = pixels - middle
    products = pixels.T @ pixels + strength * torch.eye(pixels.shape[1], device=pixels.device)
    weights = torch.linalg.solve(products, pixels.T @ (targets - level))
    return ((images.flatten(1) - middle) @ weights + level).clamp(0, 1).unflatten(1, wanted.shape[1:])


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
    right, down = (checks.whole(name, by, -height - width) for name, by in (("right", right), ("down", down)))
    if abs(right) >= width or abs(down) >= height:
        raise ValueError(f"got a shift by ({right}, {down}), expected less than the image's {width} × {height} pixels")
    moved = torch.roll(images, (down, right), dims=(-2, -1))
    for size, by, dim in ((height, down, -2), (width, right, -1)):
        moved.narrow(dim, 0 if by > 0 else size + by, abs(by)).zero_()
    return moved


def parameter_count(model: nn.Module) -> int:
    """Return how many trainable numbers a model has."""
    return sum(weights.numel() for weights in model.parameters() if weights.requires_grad)


@torch.no_grad()
def multiply_adds(model: nn.Module) -> int:
    """Return the multiplications (with the addition that follows) that the layers need for one image.

    Counted by torch: matrix products and convolutions; norms and activations are left out.

    Raises:
        ValueError: for a model that doesn't say what its images look like.
    """
    from torch.utils.flop_counter import FlopCounterMode  # its import takes 0.1 GB

    if not hasattr(model, "image_shape"):
        raise ValueError(f"got a {type(model).__name__} without an image_shape, expected a model of images; set it")
    image = torch.zeros(1, *model.image_shape, device=next(model.parameters()).device)
    with _at_rest(model), FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops() // 2


@torch.no_grad()
def feature_maps(layers: nn.Sequential, inputs: Tensor) -> list[Tensor]:
    """Return what comes out of every ReLU that works on maps: a list of `(N, channels, height, width)`, on the CPU.

    Args:
        layers: the encoder or the decoder of a convolutional model.
        inputs: what it takes, flattened images or codes.
    """
    maps, inputs = [], inputs.to(next(layers.parameters(), inputs).device)
    for layer in layers:
        inputs = layer(inputs)
        if isinstance(layer, nn.ReLU) and inputs.dim() == 4:
            maps.append(inputs.cpu())
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
        maps = F.conv2d(maps, torch.ones(layer.weight.shape), stride=layer.stride, padding=layer.padding)
        maps = maps / layer.out_channels  # a way through any of the maps counts once
    middle = maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].sum()
    return torch.autograd.grad(middle, image)[0][0].sum(0).round()
