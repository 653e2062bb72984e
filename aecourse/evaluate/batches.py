"""Any number of images through a model, a batch at a time: encoded, decoded, rebuilt or restored.

Memory grows with what goes in and what comes out, and with nothing else.  What comes out is on the CPU, without a
gradient.  The other files of this room go in batches by the same few functions, at the end.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from .. import checks

__all__ = ["decode", "encode", "reconstruct", "restore"]


def encode(model: nn.Module, images: Tensor, *, labels: Tensor | None = None, batch_size: int = 1000) -> Tensor:
    """Return the codes `(N, latent_dim)` of any number of images, on the CPU; for a VAE the posteriors' means.

    Args:
        labels: `(N,)`, for a model whose methods take them beside the images, such as `ConditionalVAE`.

    Raises:
        ValueError: for bad images, a model that doesn't encode, or labels where it takes none, or none where it does.
    """

    def codes(*batch: Tensor) -> Tensor:
        code = model.encode(*batch)
        return code.mean if isinstance(code, Distribution) else code

    return _by_batches(codes, *_with_labels(model, "encode", images, labels), batch_size=batch_size)


def decode(model: nn.Module, latents: Tensor, *, labels: Tensor | None = None, batch_size: int = 1000) -> Tensor:
    """Return the images that any number of codes stand for, on the CPU.

    Args:
        labels: as for `encode`.
    """
    rows = _with_labels(model, "decode", latents, labels)
    return _by_batches(model.decode, *rows, batch_size=batch_size)


def reconstruct(model: nn.Module, images: Tensor, *, labels: Tensor | None = None) -> Tensor:
    """Return the reconstructions of any number of images, on the CPU.

    Args:
        labels: as for `encode`.
    """
    return decode(model, encode(model, images, labels=labels), labels=labels)


def restore(model: nn.Module, images: Tensor, *, batch_size: int = 250) -> Tensor:
    """Return what a network makes of any number of images, restored images or key points, on the CPU."""
    return _by_batches(model, images, batch_size=batch_size)


def in_batches(rows: Tensor, batch_size: int) -> tuple[Tensor, ...]:
    """Return the rows, images or codes, in parts of at most `batch_size`.

    Raises:
        ValueError: if they are no tensor, or `batch_size` is no whole number above 0.
    """
    if not isinstance(rows, Tensor) or rows.dim() == 0:
        raise ValueError(f"got {type(rows).__name__}, expected a tensor of N images or codes; {checks.to_tensor(rows)}")
    return rows.split(checks.whole("batch_size", batch_size))


@torch.no_grad()
def _by_batches(function: Callable[..., Tensor], *rows: Tensor, batch_size: int, dim: int = 0) -> Tensor:
    """Return what a function makes of some rows, and of those beside them, a batch at a time, joined along `dim`."""
    batches = [in_batches(each, batch_size) for each in rows]
    if len({len(each) for each in rows}) > 1:
        raise ValueError(f"got {' and '.join(str(len(each)) for each in rows)} rows, expected as many of each")
    return torch.cat([function(*batch).cpu() for batch in zip(*batches, strict=True)], dim)


def _with_labels(model: nn.Module, method: str, rows: Tensor, labels: Tensor | None) -> tuple[Tensor, ...]:
    """Return what a method of the model takes: images or codes, and their labels if it wants some."""
    if not hasattr(model, method):
        raise ValueError(f"got a {type(model).__name__}, expected a model with a method {method!r}, see models.base")
    wanted = "labels" in inspect.signature(getattr(model, method)).parameters
    if wanted and labels is None:
        raise ValueError(f"got no labels, but a {type(model).__name__} takes one for each image; pass labels=…")
    if labels is not None and not wanted:
        raise ValueError(f"got labels, but a {type(model).__name__} takes none; leave them out")
    return (rows,) if labels is None else (rows, labels)


@contextmanager
def _at_rest(model: nn.Module) -> Iterator[None]:
    """Keep a model in evaluation mode, and leave each of its layers as it was."""
    modes = {layer: layer.training for layer in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes.items():
            layer.training = training


def _array(points: Tensor) -> np.ndarray:
    """Return a tensor as scikit-learn and SciPy take it, wherever it lies and whatever was computed with it."""
    return points.detach().cpu().numpy()


def _random(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a source of random numbers that begins at `seed`."""
    return torch.Generator(device).manual_seed(checks.seed(seed))
