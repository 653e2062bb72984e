"""What is said of a bad argument: what came, what was expected, and what to do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor

LARGEST = 2**63 - 1  # what fits an int64: torch can count and seed no further
AS_IT_IS = ("", "")  # of a shape that needs no turning


def whole(name: str, value: int, least: int = 1, most: int = LARGEST) -> int:
    """Return `value` as an int.

    Raises:
        ValueError: if it is no whole number from `least` to `most`; True and 2.0 are none.
    """
    fits = isinstance(value, Integral) and not isinstance(value, bool)
    if not fits or not least <= value <= most:
        span = f"of at least {least}" if most == LARGEST else f"from {least} to {most}"
        span += " and below 2**63" if fits and value > most == LARGEST else ""
        raise ValueError(f"got {name}={value!r}, expected a whole number {span}")
    return int(value)


def wholes(name: str, values: Sequence[int], fewest: int = 1, hint: str = "one for each layer") -> tuple[int, ...]:
    """Return a list of sizes as a tuple of ints.

    Raises:
        ValueError: if it is no list of at least `fewest` (up to 3) whole numbers above 0; `hint` says what they are.
    """
    try:
        sizes = () if isinstance(values, str) else tuple(whole(name, value) for value in values)
    except (TypeError, ValueError):
        sizes = ()
    if len(sizes) < fewest:
        number = ("one whole number", "two whole numbers", "three whole numbers")[fewest - 1]
        raise ValueError(f"got {name} {values!r}, expected at least {number} above 0, {hint}")
    return sizes


def image_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """Return the shape of one image as a tuple.

    Raises:
        ValueError: if it is not (channels, height, width), each at least 1.
    """
    sizes = wholes("image_shape", shape, 3, "channels, height and width")
    if len(sizes) != 3:
        raise ValueError(f"got image_shape {shape!r}, expected three whole numbers: channels, height and width")
    return sizes


def real(name: str, value: float, low: float = 0.0, high: float = math.inf, *, above: bool = False) -> float:
    """Return `value` as a float.

    Args:
        low, high: the least and the greatest value, both allowed, but infinity.
        above: leave out `low` itself.

    Raises:
        ValueError: if it is no finite number in that range; True and tensors are none.
    """
    try:
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:  # a whole number that no float can hold
        number = math.inf
    if not (math.isfinite(number) and low <= number <= high) or (above and number == low):
        bounds = [f"above {low:g}" if above else f"of at least {low:g}"] if low > -math.inf else []
        bounds += [f"at most {high:g}"] if high < math.inf else []
        raise ValueError(f"got {name}={value!r}, expected a finite number {' and '.join(bounds)}".rstrip())
    return number


def seed(value: int) -> int:
    """Return `value`, which fixes what is random.

    Raises:
        ValueError: if it is no whole number from 0 to 2⁶³ − 1.
    """
    return whole("seed", value, least=0)


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


def to_tensor(value: object) -> str:
    """Return in words how a value becomes a tensor: an array or list by itself, a data set from its images."""
    if isinstance(value, list | tuple) or hasattr(value, "__array__") or not hasattr(value, "__len__"):
        return "use torch.as_tensor(…)"
    # No batch of a DataLoader is whole, so its data set is asked.
    dataset = "loader.dataset" if hasattr(value, "dataset") else "dataset"
    return f"batches are made here: torch.stack([image for image, label in {dataset}]) makes one tensor"


def same_shape(first: Tensor, second: Tensor, names: str = "shapes") -> None:
    """Check that two tensors have one shape: torch would broadcast (N, 784) and (N, 1, 28, 28) into something huge.

    Raises:
        ValueError: if they don't, or one is no tensor.
    """
    for each in (first, second):
        if not isinstance(each, Tensor):
            raise ValueError(f"got {type(each).__name__}, expected a tensor; {to_tensor(each)}")
    if first.shape != second.shape:
        raise ValueError(
            f"got {names} {tuple(first.shape)} and {tuple(second.shape)}, expected two equal ones; "
            "flatten or unflatten one of them"
        )


def images(images: Tensor, shape: tuple[int, ...] | None = (1, 28, 28), name: str = "images") -> Tensor:
    """Return `images` unchanged if they are float32 of shape `(N, *shape)`, None for any, with values in [0, 1].

    Args:
        images: what is to be checked.
        shape: of one image, channels first.
        name: what the message calls them.

    Raises:
        ValueError: for anything else.  The message says what came, what was expected, and, if that leaves every
            picture as it is, the expression that makes them right.
    """
    expected = f"a float32 tensor of shape ({', '.join(map(str, ('N', *(shape or '…'))))}) with values in [0, 1]"
    if not isinstance(images, Tensor):
        what = type(images).__name__ + (f" as {name}" if name != "images" else "")
        raise ValueError(f"got {what}, expected {expected}; {to_tensor(images)}")
    if images.numel() == 0:
        raise ValueError(f"got no {name} (shape {tuple(images.shape)}), expected {expected} and N of at least 1")
    low, high = torch.stack(torch.aminmax(images.float())).tolist()
    turn = _turned(tuple(images.shape), shape and tuple(shape))
    if turn != AS_IT_IS or images.dtype != torch.float32 or not (low >= 0 and high <= 1):
        raise ValueError(_what_is_wrong(images, shape, name, expected, turn, low, high))
    return images


def _what_is_wrong(images, shape, name, expected, turn, low, high) -> str:
    """Return the message: first what no expression mends, then all the rest at once with the expression that does."""
    given = tuple(images.shape)
    if turn is None:
        hint = "crop or resize them first, for example with torchvision.transforms.functional.resize"
        if len(given) == 4 and given[2:] == shape[1:]:
            hint = f"they have {given[1]} channels and not {shape[0]}: choose some, or average them"
        return f"got {name} of shape {given}, expected {expected}; {hint}"
    if low != low:
        bad = int(images.isnan().reshape(given[0], -1).any(1).sum())
        return f"got NaN pixels in {bad} of {given[0]} {name}, expected {expected}; drop or repair them"

    came, steps, mended = [], [], name
    if images.dtype != torch.float32:
        came.append(f"dtype {images.dtype}")
        steps.append("call .float() first")
        mended += ".float()"
    if turn != AS_IT_IS:
        came.append(f"shape {given}")
        steps.append(turn[0])
        mended += turn[1]
    came = [f"{name} of {' and '.join(came)}"] if came else []
    if low < 0 or high > 1:
        came.append(f"pixel values from {low:g} to {high:g}")
        grey_levels = low >= 0 and 2 <= high <= 255  # at 1.2 something else has gone wrong, and / 255 would hide it
        steps.append("divide by 255" if grey_levels else "rescale or clamp them")
        mended = f"{mended} / 255" if grey_levels else None
    return f"got {' with '.join(came)}, expected {expected}; {', '.join(steps)}" + (f": {mended}" if mended else "")


def _turned(given: tuple[int, ...], shape: tuple[int, ...] | None) -> tuple[str, str] | None:
    """Return how a tensor of shape `given` becomes `(N, *shape)` with every picture intact: in words and in code.

    None if it can't: then nothing is advised that would run and scramble the pictures.
    """
    if (shape is None and given) or given[1:] == shape:
        return AS_IT_IS
    if shape is None:
        return None
    if given == shape:
        return "add a batch dimension", "[None]"
    colours_last = (*shape[1:], shape[0]) if len(shape) == 3 else None  # as files have them
    if given[1:] == colours_last:
        return "their colours stand last", ".permute(0, 3, 1, 2)"
    if given == colours_last:
        return "the colours stand last, and a batch dimension is missing", ".permute(2, 0, 1)[None]"
    one_channel = len(shape) == 3 and shape[0] == 1 and shape[1:] in (given, given[1:])
    flat = (math.prod(shape),) in (given, given[1:])
    if one_channel or flat:
        coloured = len(shape) == 3 and shape[0] > 1
        words = "if each row holds all of its first colour, then all of the next" if coloured else "reshape them"
        return words, f".reshape({', '.join(map(str, (-1, *shape)))})"
    return None


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


def tensors(data: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return one tensor, or several of equal length, as a tuple: what a loss takes, of which more is not known here.

    Raises:
        ValueError: for anything else; the message says what came, what was expected and what to do.
    """
    expected = "expected one tensor of all images, or a tuple (images, labels, …)"
    if hasattr(data, "train_images"):
        raise ValueError(f"got a whole {type(data).__name__}, {expected}; use its train_images")
    if not isinstance(data, Tensor | tuple | list):
        raise ValueError(f"got {type(data).__name__}, {expected}; {to_tensor(data)}")
    data = (data,) if isinstance(data, Tensor) else tuple(data)
    if not data:
        raise ValueError(f"got an empty tuple, {expected}")
    for number, each in enumerate(data):
        what = "beside the images" if number else "as the images"
        if not isinstance(each, Tensor):
            raise ValueError(f"got {type(each).__name__} {what}, expected a tensor; {to_tensor(each)}")
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
        came = "one tensor" if len(data) == 1 else f"{len(data)} tensors"
        raise ValueError(f"got {came}, expected two: this model's loss takes both; fit(model, {names})")
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


def symbols(symbols: Tensor, positions: int, codebook_size: int) -> Tensor:
    """Return `symbols` unchanged if they are int64 `(N, positions)` from 0 to codebook_size − 1.

    Raises:
        ValueError: for anything else; the message says what came, what was expected and what to do.
    """
    expected = f"int64 symbols of shape (N, {positions}) from 0 to {codebook_size - 1}"
    if not isinstance(symbols, Tensor):
        raise ValueError(f"got {type(symbols).__name__}, expected {expected}; {to_tensor(symbols)}")
    if symbols.dtype != torch.int64:
        raise ValueError(f"got symbols of dtype {symbols.dtype}, expected {expected}; call .long() on whole numbers")
    if symbols.dim() != 2 or symbols.shape[1] != positions:
        hint = "add a batch dimension with symbols[None]" if symbols.shape == (positions,) else "see model.positions"
        raise ValueError(f"got symbols of shape {tuple(symbols.shape)}, expected {expected}; {hint}")
    if symbols.numel() and not 0 <= int(symbols.min()) <= int(symbols.max()) < codebook_size:
        low, high = int(symbols.min()), int(symbols.max())
        raise ValueError(f"got symbols from {low} to {high}, expected {expected}; was another model's code handed in?")
    return symbols


def numbers(name: str, values: Tensor, shape: str | None = None) -> Tensor:
    """Return `values` unchanged if they are a tensor of finite floating-point numbers.

    Args:
        name: what they are called, in the plural.
        shape: a name for each dimension, such as "(N, k)"; without it there may be any number.

    Raises:
        ValueError: for anything else; the message says what came, what was expected and what to do.
    """
    expected = f"{name} of shape {shape}, finite floating-point numbers" if shape else f"finite floating-point {name}"
    if not isinstance(values, Tensor):
        raise ValueError(f"got {type(values).__name__} as {name}, expected {expected}; use torch.tensor(…)")
    if not values.is_floating_point():
        hint = "use .float() / 255" if values.dtype == torch.uint8 else "call .float()"
        raise ValueError(f"got {name} of dtype {values.dtype}, expected {expected}; {hint}")
    if values.numel() == 0 or (shape and values.dim() != shape.count(",") + 1 - shape.count(",)")):
        raise ValueError(f"got {name} of shape {tuple(values.shape)}, expected {expected}; reshape or choose others")
    if not torch.isfinite(values).all():
        raise ValueError(f"got {name} with NaN or infinity, expected {expected}; drop or repair them")
    return values


def grey(name: str, images: Tensor) -> Tensor:
    """Return `images` unchanged if they are floats on the scale from black, 0, to white, 1.

    A linear decoder may leave [0, 1] a little; what never falls below 0 and goes past 2 is on another scale.

    Raises:
        ValueError: for anything else; the message says what came, what was expected and what to do.
    """
    low, high = (float(value) for value in torch.aminmax(numbers(name, images).detach()))
    if low >= 0 and high > 2:
        raise ValueError(f"got {name} from {low:g} to {high:g}, expected grey levels from 0 to 1; divide by 255")
    return images
