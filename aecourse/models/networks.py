"""Architectures: how an encoder and a decoder are built, whatever they are then trained for.

Sources: LeCun et al. (1998) for convolution and shared weights, Masci et al. (2011) for the convolutional autoencoder,
Ulyanov, Vedaldi & Lempitsky (2016) for the norm of each map by itself, Odena, Dumoulin & Olah (2016) for the way up:
resize and convolve instead of a transposed convolution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn

from .. import checks

Shape = tuple[int, ...]
Up = Callable[[int, int, Shape, Shape], nn.Module]


class Architecture(NamedTuple):
    """How to build the two networks of an autoencoder, once a model says how many numbers go in and come out.

    Attributes:
        encoder: `encoder(outputs, beside)` returns a network from `(N, pixels + beside)` to `(N, outputs)`.
        decoder: `decoder(inputs)` returns a network from `(N, inputs)` to `(N, pixels)`, before any squashing.
        latent_dim: how many numbers the code has.
        image_shape: what one image looks like, channels first.
    """

    encoder: Callable[[int, int], nn.Module]
    decoder: Callable[[int], nn.Module]
    latent_dim: int
    image_shape: Shape


def dense(
    widths: Sequence[int], *, activation: Callable[[], nn.Module] = nn.ReLU, image_shape: Shape = (1, 28, 28)
) -> Architecture:
    """Return an architecture of dense layers: `widths` from the pixels to the code, and their mirror image.

    Args:
        widths: units per layer, the pixels first and the code last.
        activation: the non-linearity between layers, after a layer norm.
        image_shape: what one image looks like; its pixels must number `widths[0]`.

    Raises:
        ValueError: if the widths do not fit the image, or the activation is a layer instead of what makes one.
    """
    pixels, *hidden, latent_dim = check_widths(widths, image_shape)
    if isinstance(activation, nn.Module) or not callable(activation):
        raise ValueError(f"got activation={activation!r}, expected what makes a new layer; give nn.ReLU, not nn.ReLU()")

    def encoder(outputs: int, beside: int) -> nn.Sequential:
        return dense_layers((pixels + beside, *hidden, outputs), activation)

    def decoder(inputs: int) -> nn.Sequential:
        return dense_layers((inputs, *hidden[::-1], pixels), activation)

    return Architecture(encoder, decoder, latent_dim, tuple(image_shape))


def convolutional(
    channels: Sequence[int] = (8, 16, 32),
    *,
    latent_dim: int = 16,
    kernel: int | None = None,
    norm: bool = True,
    image_shape: Shape = (1, 28, 28),
) -> Architecture:
    """Return an architecture of convolutions with stride 2, a dense layer to the code, and the same way back.

    The encoder's norm takes each map's mean and spread away, for each image by itself.  How bright an image is as a
    whole is then lost: an image and the same one in half the light get nearly one code, and so do all flat greys.
    Digits are all white on black and don't mind; photographs of sky and walls do: for these choose `norm=False`.

    Args:
        channels: how many filters each layer of the encoder has; each halves height and width.  The decoder mirrors
            them.
        latent_dim: how many numbers the code has.
        kernel: the decoder grows by transposed convolutions of this side; without one it resizes and convolves.
        norm: whether the encoder has an instance norm after each convolution; the decoder always has one before each.
        image_shape: channels, height and width of one image.

    Raises:
        ValueError: if channels, code, kernel or image shape make no such network.
    """
    channels = check_channels(channels, latent_dim, image_shape)
    image_shape = tuple(image_shape)
    up = resized_convolution
    if kernel is not None:
        up = partial(transposed_convolution, kernel=checks.whole("kernel", kernel, 2))

    def encoder(outputs: int, beside: int) -> nn.Sequential:
        if beside:
            raise ValueError(
                f"got convolutions for a model that puts {beside} numbers beside the pixels, expected dense layers; "
                "give it widths"
            )
        return conv_encoder(channels, outputs, image_shape, norm=norm)

    def decoder(inputs: int) -> nn.Sequential:
        return conv_decoder(channels, inputs, image_shape, up)

    return Architecture(encoder, decoder, int(latent_dim), image_shape)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw initial weights from `seed`, and leave torch's global random state as it was.

    Raises:
        ValueError: if it is no whole number of at least 0.
    """
    checks.seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def dense_layers(widths: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return linear layers of the given widths, each but the last followed by a layer norm and `activation`.

    Layer norm (Ba et al., 2016) and He's initial weights (2015) keep the signal at one size through the
    stack, so that a large learning rate works and a few epochs suffice.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [he(nn.Linear(inputs, outputs)), nn.LayerNorm(outputs), activation()]
    return nn.Sequential(*layers[:-2])


def conv_encoder(
    channels: Sequence[int], outputs: int, image_shape: Shape = (1, 28, 28), *, norm: bool = True
) -> nn.Sequential:
    """Return a network from pixels `(N, 784)` to `(N, outputs)`: convolutions with stride 2, then a dense layer."""
    layers: list[nn.Module] = [nn.Unflatten(1, image_shape)]
    for before, after in pairwise((image_shape[0], *channels)):
        layers.append(he(nn.Conv2d(before, after, 3, stride=2, padding=1)))
        if norm:
            layers.append(nn.InstanceNorm2d(after, affine=True))
        layers.append(nn.ReLU())
    height, width = sizes(image_shape, len(channels))[-1]
    return nn.Sequential(*layers, nn.Flatten(), he(nn.Linear(channels[-1] * height * width, outputs)))


def resized_convolution(before: int, after: int, small: Shape, large: Shape) -> nn.Module:
    """Return a layer from `before` maps of size `small` to `after` maps of size `large`: repeat pixels, then filter."""
    return nn.Sequential(nn.Upsample(size=large), he(nn.Conv2d(before, after, 3, padding=1)))


def transposed_convolution(before: int, after: int, small: Shape, large: Shape, *, kernel: int = 3) -> nn.Module:
    """Return a layer from `before` maps of size `small` to `after` maps of size `large`, about twice as large.

    Each value of the small map writes a `kernel` × `kernel` patch, every 2 pixels; where patches overlap they add up.
    """
    cut = [2 * (little - 1) + kernel - big for little, big in zip(small, large, strict=True)]
    padding, extra = [-(-c // 2) for c in cut], [c % 2 for c in cut]
    return he(nn.ConvTranspose2d(before, after, kernel, stride=2, padding=padding, output_padding=extra))


def conv_decoder(
    channels: Sequence[int], latent_dim: int, image_shape: Shape = (1, 28, 28), up: Up = resized_convolution
) -> nn.Sequential:
    """Return a network from codes `(N, latent_dim)` to logits `(N, 784)`: a dense layer, then layers made by `up`."""
    ways = sizes(image_shape, len(channels))[::-1]
    maps = (*channels[::-1], image_shape[0])
    first = he(nn.Linear(latent_dim, maps[0] * math.prod(ways[0])))
    layers: list[nn.Module] = [first, nn.Unflatten(1, (maps[0], *ways[0]))]
    for (before, after), (small, large) in zip(pairwise(maps), pairwise(ways), strict=True):
        layers += [nn.InstanceNorm2d(before, affine=True), nn.ReLU(), up(before, after, small, large)]
    return nn.Sequential(*layers, nn.Flatten())


def sizes(image_shape: Shape, layers: int) -> list[Shape]:
    """Return height and width of the image and after each layer that halves them, rounded up."""
    return [tuple(-(-side // 2**layer) for side in image_shape[1:]) for layer in range(layers + 1)]


def he(layer: nn.Module) -> nn.Module:
    """Return the layer with He's initial weights (2015), as the dense layers have them, and no offsets."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


def check_widths(widths: Sequence[int], image_shape: Shape) -> tuple[int, ...]:
    """Return `widths` as a tuple if layers of these widths can stand between an image and a code.

    Raises:
        ValueError: if they are not at least two whole numbers, the first the number of pixels.
    """
    widths = checks.wholes("widths", widths, 2, "pixels first")
    checks.wholes("image_shape", image_shape, 1, "channels first")
    if widths[0] != math.prod(image_shape):
        raise ValueError(
            f"got widths that begin with {widths[0]}, expected {math.prod(image_shape)}, "
            f"the number of pixels in an image of shape {tuple(image_shape)}"
        )
    return widths


def check_channels(channels: Sequence[int], latent_dim: int, image_shape: Shape) -> tuple[int, ...]:
    """Return `channels` as a tuple if layers with so many filters can stand between an image and a code.

    Raises:
        ValueError: if there are too many to halve the image, or a number is none.
    """
    channels = checks.wholes("channels", channels)
    checks.whole("latent_dim", latent_dim)
    if min(sizes(checks.image_shape(image_shape), len(channels))[-1]) < 2:
        raise ValueError(
            f"got {len(channels)} layers, which leave maps of one pixel of {image_shape}; use fewer channels"
        )
    return channels
