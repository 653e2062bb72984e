"""What is said of a bad argument: what came, what was expected, and what to do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor


def whole(name: str, value: int, least: int = 1, most: int | None = None) -> int:
    """Return `value` as an int.

    Raises:
        ValueError: if it is no whole number from `least` to `most`; True and 2.0 are none.
    """
    fits = isinstance(value, Integral) and not isinstance(value, bool) and value >= least
    if not fits or (most is not None and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"got {name}={value!r}, expected a whole number {span}")
    return int(value)


def wholes(name: str, values: Sequence[int], fewest: int = 1, hint: str = "one for each layer") -> None:
    """Check a list of sizes.

    Raises:
        ValueError: if it is no list of at least `fewest` whole numbers above 0; `hint` says what they stand for.
    """
    try:
        fits = not isinstance(values, str) and len([whole(name, value) for value in values]) >= fewest
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"got {name} {values!r}, expected at least {fewest} whole numbers above 0, {hint}")


def real(name: str, value: float, low: float = 0.0, high: float = math.inf, *, above: bool = False) -> float:
    """Return `value` as a float.

    Args:
        low, high: the least and the greatest value, both allowed, but infinity.
        above: leave out `low` itself.

    Raises:
        ValueError: if it is no finite number in that range.
    """
    number = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
    fits = isinstance(number, Real) and not isinstance(number, bool) and math.isfinite(number)
    if not fits or not low <= number <= high or (above and number == low):
        start = f"above {low:g}" if above else f"of at least {low:g}"
        end = "" if high == math.inf else f" and at most {high:g}"
        raise ValueError(f"got {name}={value!r}, expected a finite number {start}{end}")
    return float(number)


def seed(value: int) -> int:
    """Return `value`, which fixes what is random.

    Raises:
        ValueError: if it is no whole number from 0 to 2⁶³ − 1.
    """
    return whole("seed", value, 0, 2**63 - 1)


def same_shape(first: Tensor, second: Tensor, names: str = "shapes") -> None:
    """Check that two tensors have one shape: torch would broadcast (N, 784) and (N, 1, 28, 28) into something huge.

    Raises:
        ValueError: if they don't, or one is no tensor.
    """
    for each in (first, second):
        if not isinstance(each, Tensor):
            raise ValueError(f"got {type(each).__name__}, expected a tensor; convert with torch.as_tensor(…)")
    if first.shape != second.shape:
        raise ValueError(
            f"got {names} {tuple(first.shape)} and {tuple(second.shape)}, expected two equal ones; "
            "flatten or unflatten one of them"
        )


def images(images: Tensor, shape: tuple[int, ...] | None = (1, 28, 28)) -> Tensor:
    """Return `images` unchanged if they are float32 of shape `(N, *shape)`, None for any, with values in [0, 1].

    Raises:
        ValueError: for anything else; the message says what came, what was expected and what to do.
    """
    expected = f"a float32 tensor of shape ({', '.join(map(str, ('N', *(shape or '…'))))}) with values in [0, 1]"
    if not isinstance(images, Tensor):
        raise ValueError(f"got {type(images).__name__}, expected {expected}; convert with torch.as_tensor(…)")
    # Pictures from files have their colours last; to reshape them would run, and scramble every image.
    colours_last = shape is not None and len(shape) == 3 and tuple(images.shape[1:]) == (*shape[1:], shape[0])
    colours_last = colours_last and tuple(images.shape[1:]) != shape
    turn = ".permute(0, 3, 1, 2)" if colours_last else ""
    if images.dtype == torch.uint8:
        raise ValueError(f"got images of dtype torch.uint8, expected {expected}; use images{turn}.float() / 255")
    if images.dtype != torch.float32:
        raise ValueError(f"got images of dtype {images.dtype}, expected {expected}; call .float() first")
    if images.numel() == 0:
        raise ValueError(f"got no images (shape {tuple(images.shape)}), expected {expected} and N of at least 1")
    low, high = (float(value) for value in torch.aminmax(images))
    divide = " / 255" if low >= 0 and 1 < high <= 255 else ""
    if shape is not None and tuple(images.shape[1:]) != shape:
        if colours_last:
            hint = f"their colours stand last: use images{turn}{divide}"
        elif tuple(images.shape) == shape:
            hint = f"add a batch dimension with images[None]{divide}"
        elif len(shape) == 3 and tuple(images.shape) == (*shape[1:], shape[0]):
            hint = f"use images.permute(2, 0, 1)[None]{divide}"
        elif tuple(images.shape[1:]) in ((math.prod(shape),), shape[1:]):  # flat rows, or grey without a channel axis
            hint = f"images.reshape({', '.join(map(str, (-1, *shape)))}){divide} is what you want"
        else:
            hint = "crop or resize them first, for example with torchvision.transforms.functional.resize"
        raise ValueError(f"got images of shape {tuple(images.shape)}, expected {expected}; {hint}")
    if low != low:
        bad = int(torch.isnan(images).flatten(1).any(1).sum())
        raise ValueError(f"got NaN pixels in {bad} of {len(images)} images, expected {expected}; drop or repair them")
    if low < 0 or high > 1:
        hint = "divide by 255" if divide else "rescale or clamp them"
        raise ValueError(f"got pixel values from {low:g} to {high:g}, expected {expected}; {hint}")
    return images


def codes(codes: Tensor, latent_dim: int | None = None) -> Tensor:
    """Return `codes` unchanged if they are finite float32 of shape `(N, latent_dim)`, None for any.

    Raises:
        ValueError: for anything else; the message says what came, what was expected and what to do.
    """
    expected = f"float32 codes of shape (N, {latent_dim or 'latent_dim'})"
    if not isinstance(codes, Tensor):
        raise ValueError(
            f"got {type(codes).__name__}, expected a tensor of {expected}; use torch.tensor(…, dtype=torch.float32)"
        )
    if codes.dtype != torch.float32:
        raise ValueError(f"got codes of dtype {codes.dtype}, expected {expected}; call .float() first")
    if codes.dim() != 2 or codes.shape[1] != (latent_dim or codes.shape[1]):
        if codes.dim() == 1 and len(codes) == (latent_dim or len(codes)):
            hint = "add a batch dimension with codes[None]"
        else:
            hint = f"this model's code has {latent_dim} numbers per image" if latent_dim else "flatten them"
        raise ValueError(f"got codes of shape {tuple(codes.shape)}, expected {expected}; {hint}")
    if not torch.isfinite(codes).all():
        raise ValueError(f"got codes that contain NaN or infinity, expected finite {expected}; drop or repair them")
    return codes


def alone(data: tuple[Tensor, ...], name: str) -> Tensor:
    """Return the one tensor that a loss takes.

    Args:
        data: what `fit` was given.
        name: what it should be, such as "images".

    Raises:
        ValueError: if there are others beside it, or no tensor, or nothing in it.
    """
    if len(data) != 1:
        raise ValueError(
            f"got {len(data)} tensors, expected {name} alone: this model's loss takes no labels or targets; "
            f"fit(model, {name})"
        )
    if isinstance(data[0], Tensor) and data[0].numel() == 0:
        raise ValueError(f"got no {name} (shape {tuple(data[0].shape)}), expected {name} with N of at least 1")
    return data[0]


def pair(data: tuple[Tensor, ...], names: str) -> tuple[Tensor, Tensor]:
    """Return the two tensors that a loss takes.

    Args:
        data: what `fit` was given.
        names: what it should be, such as "(images, labels)".

    Raises:
        ValueError: if they are not two.
    """
    if len(data) != 2:
        raise ValueError(f"got {len(data)} tensors, expected two: this model's loss takes both; fit(model, {names})")
    return data


def labels(labels: Tensor, rows: int, classes: int) -> Tensor:
    """Return `labels` unchanged if they are int64 `(rows,)`, each from 0 to `classes` − 1.

    Raises:
        ValueError: for anything else; the message says what came, what was expected and what to do.
    """
    expected = f"one label from 0 to {classes - 1} for each of {rows} rows, int64 of shape (N,)"
    if not isinstance(labels, Tensor):
        raise ValueError(f"got {type(labels).__name__} as labels, expected {expected}; use torch.tensor(…)")
    if labels.dtype != torch.int64 or labels.shape != (rows,):
        hint = "call .long()" if labels.shape == (rows,) else "to give all rows one label, use torch.full((N,), label)"
        raise ValueError(
            f"got labels of dtype {labels.dtype} and shape {tuple(labels.shape)}, expected {expected}; {hint}"
        )
    if rows and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        low, high = int(labels.min()), int(labels.max())
        raise ValueError(f"got labels from {low} to {high}, expected {expected}; drop the others, or make more classes")
    return labels
