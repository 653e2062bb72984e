"""What convolution saves and what it costs: weights, multiply-adds, shifts, checkerboards, feature maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from ..models import check_images


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
    check_images(images, None)
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
