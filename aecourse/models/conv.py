"""Convolutional autoencoders: the same small filters at every place of the image, on the way down and on the way up.

Sources: LeCun et al. (1998) for convolution and shared weights, Masci et al. (2011) for the autoencoder, Ulyanov,
Vedaldi & Lempitsky (2016) for the norm of each map by itself, Odena, Dumoulin & Olah (2016) for the way up: resize and
convolve instead of a transposed convolution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from .. import losses
from .base import Autoencoder
from .vae import VAE

Shape = tuple[int, ...]
Up = Callable[[int, int, Shape, Shape], nn.Module]


class ConvAutoencoder(Autoencoder):
    """Strided convolutions down to a code of a few numbers, and up again by resizing and convolving.

    Args:
        channels: how many filters each layer of the encoder has; each halves height and width.  The decoder mirrors
            them.
        latent_dim: how many numbers the code has; a dense layer stands between the last maps and the code.
        image_shape: channels, height and width of one image.
        seed: fixes the initial weights.

    Raises:
        ValueError: if the channels, the code or the image shape make no such network.
    """

    def __init__(
        self,
        channels: Sequence[int] = (8, 16, 32),
        *,
        latent_dim: int = 16,
        image_shape: Shape = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__()
        check_channels(channels, latent_dim, image_shape)
        self.image_shape = tuple(image_shape)
        self.latent_dim = latent_dim
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.encoder = conv_encoder(channels, latent_dim, self.image_shape)
            self.decoder = conv_decoder(channels, latent_dim, self.image_shape)

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes `(N, latent_dim)` of images `(N, 1, 28, 28)`."""
        return self.encoder(self.check_images(images).flatten(1))

    def decode(self, latents: Tensor) -> Tensor:
        """Return images `(N, 1, 28, 28)` in [0, 1] for codes `(N, latent_dim)`."""
        logits = self.decoder(self.check_latents(latents))
        return torch.sigmoid(logits).unflatten(1, self.image_shape)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction`: the squared error per image."""
        pixels = images.flatten(1)
        error = losses.squared_error(torch.sigmoid(self.decoder(self.encoder(pixels))), pixels)
        return {"total": error, "reconstruction": error}


class TransposedConvAutoencoder(ConvAutoencoder):
    """A `ConvAutoencoder` whose decoder grows by transposed convolutions with stride 2.

    Where the stride doesn't divide the kernel's side, some pixels are written more often than others (Odena et al.,
    2016).  The encoder begins with the same weights as that of a `ConvAutoencoder` with the same seed.

    Args:
        channels, latent_dim, image_shape, seed: as for `ConvAutoencoder`.
        kernel: the side of the filters of the decoder, in pixels.

    Raises:
        ValueError: as `ConvAutoencoder`, or if `kernel` is less than 2.
    """

    def __init__(
        self,
        channels: Sequence[int] = (8, 16, 32),
        *,
        latent_dim: int = 16,
        kernel: int = 3,
        image_shape: Shape = (1, 28, 28),
        seed: int = 0,
    ):
        super().__init__(channels, latent_dim=latent_dim, image_shape=image_shape, seed=seed)
        if not isinstance(kernel, int) or kernel < 2:
            raise ValueError(f"got kernel={kernel!r}, expected a whole number of at least 2, the stride")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            up = partial(transposed_convolution, kernel=kernel)
            self.decoder = conv_decoder(channels, latent_dim, self.image_shape, up)


class ConvVAE(VAE):
    """A `VAE` whose two networks are convolutional; everything else is inherited.

    Args:
        channels, latent_dim, image_shape, seed: as for `ConvAutoencoder`.
        beta: the weight of the KL term, as for `VAE`.

    Raises:
        ValueError: as `ConvAutoencoder` and `VAE`.
    """

    def __init__(
        self,
        channels: Sequence[int] = (8, 16, 32),
        *,
        latent_dim: int = 16,
        beta: float = 1.0,
        image_shape: Shape = (1, 28, 28),
        seed: int = 0,
    ):
        check_channels(channels, latent_dim, image_shape)
        super().__init__((math.prod(image_shape), latent_dim), beta=beta, image_shape=image_shape, seed=seed)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.encoder = conv_encoder(channels, 2 * latent_dim, self.image_shape)
            self.decoder = conv_decoder(channels, latent_dim, self.image_shape)


def conv_encoder(channels: Sequence[int], outputs: int, image_shape: Shape = (1, 28, 28)) -> nn.Sequential:
    """Return a network from pixels `(N, 784)` to `(N, outputs)`: convolutions with stride 2, then a dense layer."""
    layers: list[nn.Module] = [nn.Unflatten(1, image_shape)]
    for before, after in pairwise((image_shape[0], *channels)):
        layers += [
            he(nn.Conv2d(before, after, 3, stride=2, padding=1)),
            nn.InstanceNorm2d(after, affine=True),
            nn.ReLU(),
        ]
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


def check_channels(channels: Sequence[int], latent_dim: int, image_shape: Shape) -> None:
    """Raise a ValueError if these make no convolutional network."""
    if len(channels) < 1 or any(not isinstance(count, int) or count < 1 for count in channels):
        raise ValueError(f"got channels {channels!r}, expected at least one whole number above 0, a layer each")
    if not isinstance(latent_dim, int) or latent_dim < 1:
        raise ValueError(f"got latent_dim={latent_dim!r}, expected a whole number above 0")
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(f"got image_shape={image_shape!r}, expected (channels, height, width), all above 0")
    if min(sizes(image_shape, len(channels))[-1]) < 2:
        raise ValueError(
            f"got {len(channels)} layers, which leave maps of one pixel of {image_shape}; use fewer channels"
        )
