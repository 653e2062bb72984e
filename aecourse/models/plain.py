"""Autoencoders whose code is a point: the plain one, and those that add a term to its loss or damage its input.

Sources: Rumelhart, Hinton & Williams (1986) for the idea, Hinton & Salakhutdinov (2006) for the deep version on MNIST,
Baldi & Hornik (1989) for what the linear one learns; Vincent et al. (2008, 2010) for the denoising one; Rifai et al.
(2011) for the contractive one; Tolstikhin et al. (2018) for the Wasserstein one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from .. import checks, losses
from .base import Autoencoder
from .networks import Architecture, Shape, convolutional, seeded


class DenseAutoencoder(Autoencoder):
    """A narrow code between two networks: the plain autoencoder, dense unless other networks are given.

    Args:
        widths: units per layer from the pixels to the code, mirrored by the decoder; or another architecture.
        reconstruction: `"cross_entropy"` (nats; a grey value is read as the probability of white) or `"squared_error"`.
        activation: the non-linearity between layers, ReLU unless given; an architecture has its own.
        image_shape: what one image looks like, (1, 28, 28) unless given; an architecture has its own.
        seed: fixes the initial weights.

    Raises:
        ValueError: if the widths do not fit the image, or the reconstruction loss is unknown.
    """

    def __init__(
        self,
        widths: Sequence[int] | Architecture = (784, 500, 300, 2),
        *,
        reconstruction: Literal["cross_entropy", "squared_error"] = "cross_entropy",
        activation: Callable[[], nn.Module] | None = None,
        image_shape: Shape | None = None,
        seed: int = 0,
    ):
        super().__init__()
        if reconstruction not in ("cross_entropy", "squared_error"):
            raise ValueError(f"got reconstruction={reconstruction!r}, expected 'cross_entropy' or 'squared_error'")
        self.reconstruction = reconstruction
        self.build(widths, activation=activation, image_shape=image_shape, seed=seed)

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes `(N, latent_dim)` of images `(N, 1, 28, 28)`."""
        return self.encoder(self.check_images(images).flatten(1))

    def decode(self, latents: Tensor) -> Tensor:
        """Return images `(N, 1, 28, 28)` in [0, 1] for codes `(N, latent_dim)`."""
        return torch.sigmoid(self.decoder(self.check_latents(latents))).unflatten(1, self.image_shape)

    def error(self, logits: Tensor, images: Tensor) -> Tensor:
        """Return what the decoder's `logits` cost beside the images, per image: in nats or in squared grey levels."""
        if self.reconstruction == "cross_entropy":
            return losses.binary_cross_entropy(logits, images.flatten(1))
        return losses.squared_error(torch.sigmoid(logits), images.flatten(1))

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction`: per image, in nats or in squared grey levels."""
        error = self.error(self.decoder(self.encoder(images.flatten(1))), images)
        return {"total": error, "reconstruction": error}


class LinearAutoencoder(DenseAutoencoder):
    """One linear map to the code and one back: what PCA becomes when it is learnt by descent.

    Trained on squared error its decoder comes to span the subspace of the first `latent_dim`
    principal components, though not the components themselves (Baldi & Hornik, 1989).
    Being linear, `decode` may leave [0, 1] a little.
    """

    def __init__(self, latent_dim: int, *, image_shape: Shape = (1, 28, 28), seed: int = 0):
        pixels = math.prod(checks.wholes("image_shape", image_shape, 1, "channels first"))
        latent_dim = checks.whole("latent_dim", latent_dim)
        networks = Architecture(
            encoder=lambda outputs, beside: nn.Linear(pixels, outputs),
            decoder=lambda inputs: nn.Linear(inputs, pixels),
            latent_dim=latent_dim,
            image_shape=tuple(image_shape),
        )
        super().__init__(networks, reconstruction="squared_error", seed=seed)

    def decode(self, latents: Tensor) -> Tensor:
        """Return images `(N, 1, 28, 28)`, roughly in [0, 1], for codes `(N, latent_dim)`."""
        return self.decoder(self.check_latents(latents)).unflatten(1, self.image_shape)

    def error(self, logits: Tensor, images: Tensor) -> Tensor:
        """Return the squared error per image."""
        return losses.squared_error(logits, images.flatten(1))


class ConvAutoencoder(DenseAutoencoder):
    """The plain autoencoder on convolutional networks, with the squared error.

    Args:
        channels, latent_dim, norm, image_shape: as for `convolutional`.
        seed: fixes the initial weights.

    Raises:
        ValueError: if channels, code or image shape make no such network.
    """

    def __init__(
        self,
        channels: Sequence[int] = (8, 16, 32),
        *,
        latent_dim: int = 16,
        norm: bool = True,
        image_shape: Shape = (1, 28, 28),
        seed: int = 0,
    ):
        networks = convolutional(channels, latent_dim=latent_dim, norm=norm, image_shape=image_shape)
        super().__init__(networks, reconstruction="squared_error", seed=seed)


class TransposedConvAutoencoder(ConvAutoencoder):
    """A `ConvAutoencoder` whose decoder grows by transposed convolutions with stride 2.

    Where the stride doesn't divide the kernel's side, some pixels are written more often than others (Odena et al.,
    2016).  The encoder begins with the same weights as that of a `ConvAutoencoder` with the same seed.

    Args:
        channels, settings, seed: as for `ConvAutoencoder`.
        kernel: the side of the filters of the decoder, in pixels, at least 2.

    Raises:
        ValueError: as `ConvAutoencoder`, or if `kernel` is no whole number of at least 2.
    """

    def __init__(self, channels: Sequence[int] = (8, 16, 32), *, kernel: int = 3, seed: int = 0, **settings):
        super().__init__(channels, seed=seed, **settings)
        kernel = checks.whole("kernel", kernel, 2)
        networks = convolutional(channels, latent_dim=self.latent_dim, kernel=kernel, image_shape=self.image_shape)
        with seeded(seed):  # drawn anew, so that decoders with different kernels begin with the same dense layer
            self.decoder = networks.decoder(self.latent_dim)


@dataclass(frozen=True)
class GaussianNoise:
    """Damage that adds N(0, σ²) to every pixel, σ being `sigma`, and cuts what leaves [0, 1].

    Called with images of any shape it returns damaged ones of the same shape.  It draws from `generator`, or from
    torch's default generator without one, as do the other two; `torchvision.transforms.Compose` chains them.

    Raises:
        ValueError: if `sigma` is negative or not finite.
    """

    sigma: float

    def __post_init__(self):
        checks.real("sigma", self.sigma)

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the images with noise added, cut to [0, 1]."""
        noise = torch.empty_like(images).normal_(generator=generator)
        return (images + self.sigma * noise).clamp(0, 1)


@dataclass(frozen=True)
class Masking:
    """Damage that makes each pixel black with the probability `share`, whatever it was.

    Raises:
        ValueError: if `share` is not between 0 and 1.
    """

    share: float

    def __post_init__(self):
        checks.real("share", self.share, 0, 1)

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the images with pixels made black."""
        return images * (torch.empty_like(images).uniform_(generator=generator) >= self.share)


@dataclass(frozen=True)
class SaltAndPepper(Masking):
    """Damage that makes each pixel, with the probability `share`, either black or white by the toss of a coin.

    Raises:
        ValueError: if `share` is not between 0 and 1.
    """

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the images with pixels made black or white."""
        chance = torch.empty_like(images).uniform_(generator=generator)
        damaged = torch.where(chance < self.share, 1.0, images)
        return torch.where(chance < self.share / 2, 0.0, damaged)


class DenoisingAutoencoder(DenseAutoencoder):
    """A plain autoencoder that sees damaged images in training and must answer with the clean ones.

    Images given to `encode` or to the model itself are taken as they are: they may be damaged or clean.

    Args:
        widths, settings: as for `DenseAutoencoder`.
        corruption: how a batch is damaged, afresh at every visit: from images to images of the same shape.

    Raises:
        ValueError: as `DenseAutoencoder`, or if `corruption` can't be called with images.
    """

    def __init__(
        self,
        widths: Sequence[int] | Architecture = (784, 500, 300),
        *,
        corruption: Callable[[Tensor], Tensor] = GaussianNoise(0.5),
        **settings,
    ):
        super().__init__(widths, **settings)
        if isinstance(corruption, type) or not callable(corruption):
            raise ValueError(
                f"got corruption={corruption!r}, expected a function from images to images, as GaussianNoise(0.5) is"
            )
        self.corruption = corruption

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction`: how far the answer to damaged images is from the *clean* ones."""
        error = self.error(self.decoder(self.encoder(self.corruption(images).flatten(1))), images)
        return {"total": error, "reconstruction": error}


class ContractiveAutoencoder(DenseAutoencoder):
    """A plain autoencoder that also pays for the size of its encoder's Jacobian ‖∂z/∂x‖²_F (Rifai et al., 2011).

    The paper writes the Jacobian of one sigmoid layer in closed form.  A deep encoder has none, so the sum of its
    squares is estimated from one random direction u ~ N(0, I) in the code: E‖Jᵀu‖² = ‖J‖²_F (Hutchinson, 1990).

    Args:
        widths, settings: as for `DenseAutoencoder`.
        contraction: the weight of the squared Jacobian in `total`; 0 is the plain autoencoder.

    Raises:
        ValueError: as `DenseAutoencoder`, or if `contraction` is negative or not finite.
    """

    def __init__(
        self, widths: Sequence[int] | Architecture = (784, 500, 300, 2), *, contraction: float = 0.1, **settings
    ):
        super().__init__(widths, **settings)
        self.contraction = checks.real("contraction", contraction)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction` + contraction · `jacobian`, the estimated ‖∂z/∂x‖²_F, per image."""
        with torch.enable_grad():  # the Jacobian is wanted in evaluation, too
            pixels = images.detach().requires_grad_()
            codes = self.encoder(pixels.flatten(1))
            jacobian = squared_jacobian(codes, pixels, torch.randn_like(codes))
        error = self.error(self.decoder(codes), images)
        return {"total": error + self.contraction * jacobian, "reconstruction": error, "jacobian": jacobian}


class WassersteinAutoencoder(DenseAutoencoder):
    """A plain autoencoder that also pays for the distance between its codes, as a crowd, and draws from N(0, I).

    A VAE makes *each* image's cloud resemble the prior; here only all codes together must (Tolstikhin et al., 2018,
    algorithm 2).  So the codes stay points, without noise.

    Args:
        widths, settings: as for `DenseAutoencoder`.
        matching: the weight of the squared discrepancy in `total`; 0 is the plain autoencoder.

    Raises:
        ValueError: as `DenseAutoencoder`, or if `matching` is negative or not finite.
    """

    def __init__(
        self, widths: Sequence[int] | Architecture = (784, 500, 300, 2), *, matching: float = 300.0, **settings
    ):
        super().__init__(widths, **settings)
        self.matching = checks.real("matching", matching)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction` per image + matching · `mmd`, from one batch's codes and draws."""
        codes = self.encoder(images.flatten(1))
        mmd = squared_mmd(codes, torch.randn_like(codes))
        error = self.error(self.decoder(codes), images)
        return {"total": error + self.matching * mmd, "reconstruction": error, "mmd": mmd}


def squared_jacobian(codes: Tensor, pixels: Tensor, directions: Tensor) -> Tensor:
    """Return the mean over images of ‖Jᵀu‖², where J = ∂z/∂x and u is the image's row of `directions`.

    With u ~ N(0, I) its expectation is ‖J‖²_F.  The result can be differentiated again.

    Args:
        codes: `(N, latent_dim)`, computed from `pixels`, each image's from its own pixels only.
        pixels: `(N, …)`, which require a gradient.
        directions: `(N, latent_dim)`.
    """
    (gradient,) = torch.autograd.grad((codes * directions).sum(), pixels, create_graph=True)
    return gradient.square().sum() / len(pixels)


def squared_mmd(codes: Tensor, draws: Tensor) -> Tensor:
    """Return an unbiased estimate of the squared maximum mean discrepancy between two samples; it can be negative.

    The kernel is the sum of C / (C + ‖a − b‖²) over C = 2k · (0.1, 0.2, 0.5, 1, 2, 5, 10) for codes of k numbers
    (Tolstikhin et al., 2018, section 4): unlike the bell curve of `evaluate.mmd` it still pulls at codes far out.
    One code alone has no partner to be compared with: the result is then 0.

    Args:
        codes: `(N, k)`.
        draws: `(N, k)`, from the prior.
    """
    n, k = codes.shape
    if n < 2:
        return codes.new_zeros(())

    def kernel(first: Tensor, second: Tensor) -> Tensor:
        distance = (first.square().sum(1)[:, None] + second.square().sum(1) - 2 * first @ second.T).clamp(min=0)
        return sum(2 * k * c / (2 * k * c + distance) for c in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    within = sum((kernel(each, each).sum() - 7 * n) / (n * (n - 1)) for each in (codes, draws))
    return within - 2 * kernel(codes, draws).mean()
