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
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least or (most or value) < value:
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


def device(value: str | torch.device) -> torch.device:
    """Return a device with its number; "auto" is a CUDA device if there is one, else the CPU.

    Raises:
        ValueError: if there is no such device here, or it is neither the CPU nor a CUDA device.
    """
    expected = "expected 'auto', 'cpu' or 'cuda'"
    try:
        found = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if value == "auto" else value)
    except (RuntimeError, TypeError):
        raise ValueError(f"got device={value!r}, {expected}") from None
    if found.type not in ("cpu", "cuda"):
        raise ValueError(
            f"got device={value!r}, {expected}: on others the seed would not reach a model's noise, and no run could "
            "be repeated"
        )
    if found.type == "cpu":
        return found
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (found.index or 0) >= count:
        raise ValueError(f"got device={value!r}, but torch finds {count} CUDA devices here; use device='auto'")
    return torch.device("cuda", torch.cuda.current_device() if found.index is None else found.index)


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


def tensors(data: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return one tensor, or several of equal length, as a tuple: what a loss takes, of which more is not known here.

    Raises:
        ValueError: for anything else; the message says what came, what was expected and what to do.
    """
    expected = "expected one tensor of all images, or a tuple (images, labels, …)"
    if hasattr(data, "train_images"):
        raise ValueError(f"got a whole {type(data).__name__}, {expected}; use its train_images")
    if not isinstance(data, Tensor | tuple | list):
        hint = "batches are made here: torch.stack([image for image, label in dataset]) makes one tensor"
        if hasattr(data, "__array__"):
            hint = "use torch.as_tensor(…)"
        raise ValueError(f"got {type(data).__name__}, {expected}; {hint}")
    data = (data,) if isinstance(data, Tensor) else tuple(data)
    if not data:
        raise ValueError(f"got an empty tuple, {expected}")
    for number, each in enumerate(data):
        what = "beside the images" if number else "as the images"
        if not isinstance(each, Tensor):
            raise ValueError(f"got {type(each).__name__} {what}, expected a tensor; use torch.as_tensor(…)")
        if each.dim() == 0:
            raise ValueError(f"got a single number {what}, expected a tensor with a row for each image")
        if len(each) != len(data[0]):
            raise ValueError(
                f"got {len(data[0]):,} images but {len(each):,} rows beside them, expected as many of each"
            )
    return data


def terms(loss: dict[str, Tensor]) -> dict[str, float]:
    """Return what a model's `loss` returned as numbers, all of which are fetched from the device at once.

    Raises:
        ValueError: if it is no dictionary of scalars with a "total", through which a gradient flows while any does.
    """
    expected = 'expected loss to return {"total": …, …}, scalar tensors by name, of which "total" is minimised'
    if not isinstance(loss, dict):
        raise ValueError(f'got {type(loss).__name__}, {expected}; return {{"total": …}}')
    if "total" not in loss:
        raise ValueError(f'got the terms {list(loss)}, {expected}; add "total", the sum of the terms')
    for name, term in loss.items():
        if not isinstance(term, Tensor):
            hint = "leave out .item() and float(…), which cut the gradient off"
            raise ValueError(f"got {type(term).__name__} as {name!r}, {expected}; {hint}")
        if term.numel() != 1:
            hint = "sum over pixels or dimensions, then take the .mean() over images"
            raise ValueError(f"got the shape {tuple(term.shape)} as {name!r}, {expected}; {hint}")
    total = loss["total"]
    if torch.is_grad_enabled() and not total.requires_grad:
        hint = "compute it from the weights, without .detach(), .item() or no_grad"
        raise ValueError(f'got a "total" through which no gradient flows, {expected}; {hint}')
    fetched = loss.values()
    if total.is_cuda:  # one wait for the device, not one for each term; on the CPU that would only cost time
        fetched = torch.stack([term.detach().to(total.device).reshape(()) for term in fetched]).cpu()
    return {name: number.item() for name, number in zip(loss, fetched, strict=True)}


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
