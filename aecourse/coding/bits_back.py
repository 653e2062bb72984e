"""Bits-back coding: a trained VAE as a lossless compressor of black-and-white images.

Townsend, Bird & Barber (2019), after Wallace (1990), Hinton & van Camp (1993) and Frey & Hinton (1997).  For every
image:

1. pop a code z from the stack as if it had been pushed with the posterior q(z|x): this *gains* log 1/q bits;
2. push the pixels with the likelihood p(x|z), then the code with the prior p(z).

The receiver pops both, and pushes the code back with q(z|x), which by then it can compute: the gained bits return.
An image costs −log p(x|z) − log p(z) + log q(z|x), which is the negative ELBO on average.
"""

from __future__ import annotations

import copy
import struct
import zlib
from collections.abc import Iterator
from numbers import Integral

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal

from .. import checks
from ..progress import progress_bar
from .ans import LOWEST, OutOfBits, Stack
from .pixels import black_and_white

LANES = 64  # images coded side by side
BINS = 10  # log₂ of the number of bins per latent dimension, all equally likely under the prior
POSTERIOR = 24  # log₂ of the number of slots for the bins: many more than bins, since even the unlikeliest owns one
PIXEL = 16  # log₂ of the number of slots for black and white
EDGES = ndtri(np.arange(2**BINS + 1) / 2**BINS)  # −∞ … ∞
CENTRES = ndtri((np.arange(2**BINS) + 0.5) / 2**BINS)

HEADER = struct.Struct("<4sIIIII")  # magic, checksum of all that follows, of the model, of the images; N, lanes
MAGIC = b"aeBB"


def compress(model: nn.Module, images: Tensor, *, initial_bits: int | None = None, seed: int = 0) -> bytes:
    """Return the contents of a file from which `decompress` with the same model restores the images.

    The first code is popped from random bits that lie on the stack from the start and stay in the file.

    Args:
        model: a VAE whose pixels are Bernoulli, trained or not; its `posterior`, `likelihood`, `latent_dim` and
            `image_shape` are all that is used.
        images: `(N, *image_shape)`, each pixel 0 or 1.
        initial_bits: how many random bits, a multiple of 32; by default 32 per latent dimension, doubled until enough.
        seed: fixes them.

    Raises:
        ValueError: for grey images, a model that is no such VAE or has diverged, or too few `initial_bits`.
    """
    networks, seed = _precise(model), checks.seed(seed)
    pixels = black_and_white(images, model.image_shape).reshape(len(images), -1)
    words = model.latent_dim if initial_bits is None else _whole_words(initial_bits)
    while True:
        random = np.random.default_rng(seed)
        stack = Stack(LANES, random.integers(2**32, size=words, dtype=np.uint32))
        # A fresh head ends in zeros, from which every lane would pop the same far-out code first.
        stack.heads += random.integers(LOWEST, size=LANES, dtype=np.uint64)
        try:
            _push_all(stack, networks, pixels)
        except OutOfBits:
            if initial_bits is None:
                words *= 2
                continue
            raise ValueError(
                f"got initial_bits={initial_bits}, too few to pop the first codes from; "
                f"ask for more, or leave the choice to compress with initial_bits=None"
            ) from None
        body = struct.pack("<IIII", _checksum(model), zlib.crc32(pixels), len(pixels), LANES)
        body += stack.words().astype("<u4").tobytes()
        return struct.pack("<4sI", MAGIC, zlib.crc32(body)) + body


def decompress(model: nn.Module, file: bytes) -> Tensor:
    """Return the images `(N, *image_shape)` that `compress` with the same model turned into `file`, bit for bit.

    Raises:
        ValueError: if the file is truncated, altered, or no such file; if it was made with another model; or if
            the networks' outputs on this machine differ too much from those on the one that made it.
    """
    networks = _precise(model)
    if not isinstance(file, bytes):
        raise ValueError(f"got {type(file).__name__}, expected the bytes of a file; read it with Path(…).read_bytes()")
    if file[:4] != MAGIC:
        raise ValueError("got bytes that don't begin as a file of compress does, expected such a file")
    if len(file) < HEADER.size or zlib.crc32(file[8:]) != HEADER.unpack_from(file)[1]:
        raise ValueError(f"the file was truncated or altered: its {len(file):,} bytes don't match its checksum")
    _, _, weights, expected, total, lanes = HEADER.unpack_from(file)
    if weights != _checksum(model):
        raise ValueError("the file was made with another model (other weights); use the one it was compressed with")
    stack = Stack.from_words(np.frombuffer(file, "<u4", offset=HEADER.size), lanes)
    try:
        pixels = _pop_all(stack, networks, total)
    except OutOfBits:  # a code that was decoded wrongly can use up more than there is
        pixels = None
    if pixels is None or zlib.crc32(pixels) != expected:
        raise ValueError(
            "the decoded images are not those that were compressed: the networks' outputs differ on this machine; "
            "decompress where the file was made"
        )
    return torch.from_numpy(pixels).float().unflatten(1, model.image_shape)


def _push_all(stack: Stack, networks: nn.Module, pixels: np.ndarray) -> None:
    done = 0
    with progress_bar(len(pixels), "image") as bar:
        for n in _batches(len(pixels), len(stack.heads)):
            _push_images(stack, networks, pixels[done : done + n])
            done += n
            bar.update(n)


def _pop_all(stack: Stack, networks: nn.Module, total: int) -> np.ndarray:
    batches = []
    with progress_bar(total, "image") as bar:
        for n in reversed([*_batches(total, len(stack.heads))]):
            batches.insert(0, _pop_images(stack, networks, n))
            bar.update(n)
    return np.concatenate(batches)


def _batches(total: int, lanes: int) -> Iterator[int]:
    """Yield batch sizes: a batch pops its codes before it pushes anything, so the first ones must be small."""
    done = 0
    while done < total:
        n = min(max(1, done // 4), lanes, total - done)
        yield n
        done += n


def _push_images(stack: Stack, networks: nn.Module, pixels: np.ndarray) -> None:
    bins = [stack.pop(posterior, len(pixels)) for posterior in _posteriors(networks, pixels)]
    for white, likelihood in zip(pixels.T, _likelihoods(networks, bins), strict=True):
        stack.push(white, likelihood)
    for column in bins:
        stack.push(column, PRIOR)


def _pop_images(stack: Stack, networks: nn.Module, n: int) -> np.ndarray:
    """Undo `_push_images`, its last step first."""
    bins = [stack.pop(PRIOR, n) for _ in range(networks.latent_dim)][::-1]
    columns = [stack.pop(likelihood, n) for likelihood in _likelihoods(networks, bins)[::-1]]
    pixels = np.stack(columns[::-1], axis=1).astype(np.uint8)
    for column, posterior in zip(bins[::-1], _posteriors(networks, pixels)[::-1], strict=True):
        stack.push(column, posterior)
    return pixels


class _Uniform:
    """The prior over bins: they were cut so that each is as likely as the next."""

    precision = BINS

    def of(self, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return bins, np.ones_like(bins)

    def find(self, slots: np.ndarray) -> np.ndarray:
        return slots


PRIOR = _Uniform()


class _Normal:
    """N(μ, σ²) over the bins of one latent dimension; every bin owns a slot, and more by its probability."""

    precision = POSTERIOR

    def __init__(self, mu: np.ndarray, sigma: np.ndarray):
        self.mu, self.sigma = mu, np.clip(sigma, 1e-30, 1e30)  # 0 and ∞ leave no bins: 0/0 and ∞/∞

    def of(self, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start = self._start(bins)
        return start, self._start(bins + 1) - start

    def find(self, slots: np.ndarray) -> np.ndarray:
        bins = np.zeros(len(slots), dtype=np.int64)
        for step in 2 ** np.arange(BINS)[::-1]:  # binary search
            bins += step * (self._start(bins + step) <= slots)
        return bins

    def _start(self, bins: np.ndarray) -> np.ndarray:
        below = ndtr((EDGES[bins] - self.mu) / self.sigma)
        return bins + (below * (2**POSTERIOR - 2**BINS)).astype(np.int64)


class _Bernoulli:
    """A pixel that owns `white` of the slots, the last ones, if it is white, and the others if it is black."""

    precision = PIXEL

    def __init__(self, white: np.ndarray):
        self.white = white

    def of(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        black = 2**PIXEL - self.white
        return black * pixels, np.where(pixels, self.white, black)

    def find(self, slots: np.ndarray) -> np.ndarray:
        return slots >= 2**PIXEL - self.white


@torch.no_grad()
def _posteriors(networks: nn.Module, pixels: np.ndarray) -> list[_Normal]:
    """Return q(z|x) for each latent dimension, over all images of the batch."""
    posterior = networks.posterior(torch.from_numpy(pixels).double())
    return [_Normal(mu, sigma) for mu, sigma in zip(posterior.mean.T.numpy(), posterior.stddev.T.numpy(), strict=True)]


@torch.no_grad()
def _likelihoods(networks: nn.Module, bins: list[np.ndarray]) -> list[_Bernoulli]:
    """Return p(x|z) for each pixel; neither black nor white is ever without a slot."""
    chance = networks.likelihood(torch.from_numpy(CENTRES[np.stack(bins, axis=1)])).probs
    slots = (chance * 2**PIXEL).round().clamp(1, 2**PIXEL - 1).to(torch.int64)
    return [_Bernoulli(white) for white in slots.T.contiguous().numpy()]


def _precise(model: nn.Module) -> nn.Module:
    """Return a copy that computes with 64 bits: then two machines round to the same slots almost surely.

    Raises:
        ValueError: if the model has diverged, or lacks what bits-back needs: for each image a normal distribution of
            each number of its code, and for each code a Bernoulli distribution of each pixel.
    """
    name = type(model).__name__
    expected = "expected a VAE with normal codes and Bernoulli pixels, such as models.VAE"
    if not all(hasattr(model, part) for part in ("posterior", "likelihood", "latent_dim", "image_shape")):
        raise ValueError(f"got a {name}, {expected}: bits-back needs posterior(images) and likelihood(codes)")
    if not all(weight.isfinite().all() for weight in model.state_dict().values()):
        raise ValueError("got a model whose weights are NaN or infinite, expected finite ones; train it anew")
    copied = copy.deepcopy(model).cpu().eval()
    an_image, a_code = torch.zeros(1, *model.image_shape), torch.zeros(1, model.latent_dim)
    for method, given, kind in (("posterior", an_image, Normal), ("likelihood", a_code, Bernoulli)):
        try:
            with torch.no_grad():
                found = getattr(copied, method)(given)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"got a {name} whose {method} fails ({error}), {expected}") from error
        if not isinstance(found, kind):
            raise ValueError(f"got a {name} whose {method} is {type(found).__name__}, {expected}")
    return copied.double()


def _checksum(model: nn.Module) -> int:
    crc = 0
    for name, weight in model.state_dict().items():
        crc = zlib.crc32(weight.detach().cpu().contiguous().numpy(), zlib.crc32(name.encode(), crc))
    return crc


def _whole_words(bits: int) -> int:
    if not isinstance(bits, Integral) or bits < 0 or bits % 32:
        raise ValueError(f"got initial_bits={bits!r}, expected a multiple of 32, or None")
    return int(bits) // 32
