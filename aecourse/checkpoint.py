"""Files that hold what training made: written atomically, verified when read, never run as code."""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import platform
import re
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

FORMAT = "aecourse 2"
CODE = "the code of its loss"


def save(model: nn.Module, path: str | Path) -> None:
    """Save the model's weights to `path`, atomically: a crash leaves the old file or the new one."""
    content = {"model": describe(model), "weights": model.state_dict(), "training": model.training}
    write(path, {"kind": "weights", **content})


def load(model: nn.Module, path: str | Path) -> nn.Module:
    """Return `model` with the weights that `save`, or a checkpoint of `fit`, wrote to `path`.

    It then gives what the saved one gave: it is in the mode in which that was, which after `fit` is evaluation.  The
    model must be what it was: of the same class, with the same layers and settings (see `describe`).  The code of its
    methods may have changed in the meantime.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, was not written by this package, or holds another model's
            weights; the model is then unchanged.
    """
    content = read(path)
    changed = differences(content["model"], {**describe(model), CODE: content["model"][CODE]})
    if changed:
        raise ValueError(
            f"{path} holds the weights of another model: {changed}. Build the model with the arguments it was saved "
            "with; to take weights that fit all the same: model.load_state_dict(checkpoint.read(path)['weights'])"
        )
    model.load_state_dict(content["weights"])
    return model.train(content.get("training", False))


class Run:
    """A run of `fit` that can be broken off and gone on with: `save` after an epoch, `resume` before the first.

    Args:
        path: the file that holds it.
        model, optimizers: what is trained, and by what.
        generators: the sources of random numbers, by name.
        settings: what else must be equal for a resumed run to end where an unbroken one would have ended.
        device: where it is computed.
    """

    def __init__(
        self,
        path: str | Path,
        model: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        generators: Mapping[str, torch.Generator],
        settings: dict[str, Any],
        device: torch.device,
    ):
        self.path, self.model, self.optimizers, self.generators = Path(path), model, optimizers, generators
        self.description, self.machine = describe(model), _machine(device)  # as they are now: a model may count steps
        self.settings = plain(
            {
                **settings,
                "optimizer": [_without_rate(optimizer) for optimizer in optimizers],
                "fixed weights": {
                    name: weight for name, weight in model.named_parameters() if not weight.requires_grad
                },
            }
        )

    def save(self, history: dict[str, Any]) -> None:
        """Write all that is needed to go on: weights, optimisers, random states, and the history so far."""
        content = {
            "kind": "checkpoint",
            "model": self.description,
            "settings": self.settings,
            "machine": self.machine,
            "weights": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": {name: generator.get_state() for name, generator in self.generators.items()},
            "history": history,
        }
        write(self.path, content)

    def resume(self, epochs: int) -> dict[str, Any]:
        """Return the history that `save` wrote, after putting everything else back where it was.

        A run from another machine, device or version of torch goes on with a warning: other roundings are made here.

        Raises:
            ValueError: if the file is damaged, or belongs to a run of another model, with other settings, or of more
                than `epochs` epochs; nothing is then changed.
        """
        content = read(self.path)
        if content["kind"] != "checkpoint":
            raise ValueError(f"{self.path} holds weights only, expected a checkpoint written by fit(checkpoint=…)")
        then = content["model"]
        if content["machine"]["Python"] != self.machine["Python"]:  # which makes other code of the same source
            then = {**then, CODE: self.description[CODE]}
        # Settings are compared apart, since a model may have an attribute of the same name.
        changed = [differences(then, self.description), differences(content["settings"], self.settings)]
        if any(changed):
            raise ValueError(
                f"{self.path} belongs to another run: {'; '.join(filter(None, changed))}. "
                "Use the same model, settings and images, or another checkpoint file"
            )
        done = len(content["history"]["seconds"])
        if done > epochs:
            raise ValueError(
                f"{self.path} holds {done} epochs already, got epochs={epochs}; pass epochs={done} or more"
            )
        elsewhere = differences(content["machine"], self.machine)
        if elsewhere and done < epochs:
            warnings.warn(
                f"{self.path} comes from elsewhere: {elsewhere}; the run goes on, but its weights will not be, to the "
                "last bit, those of an unbroken one",
                stacklevel=4,
            )
        self.model.load_state_dict(content["weights"])
        for optimizer, state in zip(self.optimizers, content["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        for name, generator in self.generators.items():
            if name in content["random"]:  # a run that was begun on another device has none for this one
                generator.set_state(content["random"][name])
        return content["history"]


def describe(model: nn.Module) -> dict[str, Any]:
    """Return what a model is, but for the values of its weights: a plain value for everything that counts, by name.

    That is its class, a checksum of the code of its loss, its layers, the shapes of its weights, and the settings of
    the model and of every layer.  A setting is a public attribute of the object or of its class, whatever its type; an
    attribute whose name begins with an underscore is the model's own business.
    """
    met: list[Any] = [type(model)]
    description: dict[str, Any] = {"the model": type(model).__name__, CODE: None}
    for path, module in model.named_modules():
        if path:
            description[path] = type(module).__name__
            met.append(type(module))
        for name, value in _settings(module).items():
            description[f"{path}.{name}" if path else name] = plain(value, met)
    for name, weight in model.state_dict().items():
        if isinstance(weight, Tensor):
            description[f"the weight {name}"] = f"{str(weight.dtype).removeprefix('torch.')} {tuple(weight.shape)}"
    description[CODE] = f"of checksum {_checksum_of_code(met):08x}"
    return description


def differences(then: dict[str, Any], now: dict[str, Any], most: int = 3) -> str:
    """Return in words what differs between two descriptions: up to `most` entries, and nothing if they are equal."""
    absent = "(none)"
    names = [name for name in {**then, **now} if then.get(name, absent) != now.get(name, absent)]
    said = [f"{name} was {then.get(name, absent)}, is now {now.get(name, absent)}" for name in names[:most]]
    return "; ".join(said) + (f"; and {len(names) - most} more" if len(names) > most else "")


def plain(value: Any, met: list[Any] | None = None) -> Any:
    """Return what `value` is in text, numbers, lists and dictionaries: equal for equal things, in every process.

    Tensors and arrays become type, shape and checksum, but weights, which training changes, only the first two; objects
    become their class and attributes, functions their name and what is bound to them.

    Args:
        value: anything.
        met: gets every function, class and object met on the way; one that is in it already becomes "…".
    """
    met = [] if met is None else met
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        numbers = value.dtype.kind in "biufc"
        value = value.item() if not value.shape else torch.as_tensor(value) if numbers else value.tolist()
    if type(value) in (bool, int, str, type(None)) or (type(value) is float and math.isfinite(value)):
        return value  # NaN would not equal itself
    if isinstance(value, Tensor):
        return [str(value.dtype), list(value.shape), *([] if value.requires_grad else [_checksum(value)])]
    if isinstance(value, Mapping):
        return {str(key): plain(each, met) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, met) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(repr(plain(each, met)) for each in value)
    if isinstance(value, partial):
        return plain([value.func, value.args, value.keywords], met)
    if isinstance(value, MethodType):
        return plain([value.__func__, value.__self__], met)
    if isinstance(value, type | ModuleType):
        met.append(value)
        return value.__name__
    if not hasattr(value, "__dict__"):
        return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))  # an address is another in every process
    if any(value is each for each in met):
        return "…"
    met.append(value)
    if isinstance(value, FunctionType):
        bound = {**_bound(value), **(value.__kwdefaults__ or {})}
        return [value.__name__, plain([value.__defaults__, bound], met)]
    # A network that is no part of the model has weights of its own, which say nothing of what the model is.
    attributes = {} if isinstance(value, nn.Module) else vars(value)
    return {"class": plain(type(value), met), **plain(attributes, met)}


def _checksum(tensor: Tensor) -> int:
    return zlib.crc32(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())


def write(path: str | Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values to `path`, so that the file is at any time the old one or the new.

    Raises:
        ValueError: if `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"got the folder {path}, expected a file in it, such as {path / 'model.pt'}")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its goal and moved there when complete, so a crash or a full disk leaves the last good file.
    # What a killed write leaves has the name that the next one uses.
    temporary = path.with_name(f"{path.name}.part")
    try:
        with temporary.open("wb") as file:
            torch.save({"format": FORMAT, **content}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read(path: str | Path) -> dict[str, Any]:
    """Return what `write` wrote to `path`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged or was not written by this package; the file stays as it is.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    advice = "It was not changed: move it away to begin anew, or choose another file"
    try:
        with zipfile.ZipFile(path) as archive:  # torch itself does not verify the checksums
            # What is marked as a folder torch does not read at all: it would leave the tensor as memory happens to be.
            folders = [info.filename for info in archive.infolist() if info.external_attr & 0x10]
            damaged = next(iter(folders), archive.testzip())
        content = {} if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or foreign file makes zipfile or torch raise
        raise ValueError(f"{path} is damaged or no file of this package ({type(error).__name__}). {advice}") from error
    if damaged:
        raise ValueError(f"{path} is damaged (wrong checksum of {damaged}). {advice}")
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        other = f" (its format is {found!r}, expected {FORMAT!r})" if isinstance(found, str) else ""
        raise ValueError(f"{path} was not written by this version of the package{other}. {advice}")
    return content


def _settings(module: nn.Module) -> dict[str, Any]:
    """Return the public attributes of a module: first those of its classes, but for torch's, then its own."""
    found: dict[str, Any] = {}
    for base in reversed(type(module).__mro__):
        if _by_the_reader(base):
            found |= {name: value for name, value in vars(base).items() if not hasattr(value, "__get__")}  # no methods
    # What hides a method, such as a `loss` that a test wraps, is no setting.
    own = {name: value for name, value in vars(module).items() if not callable(getattr(type(module), name, None))}
    return {name: value for name, value in {**found, **own}.items() if name[0] != "_" and name != "training"}


def _by_the_reader(thing: type | FunctionType) -> bool:
    """Return whether a class or function is the reader's or this package's, and none of torch or of Python."""
    return (thing.__module__ or "").partition(".")[0] not in ("torch", "builtins", "typing", "abc")


def _checksum_of_code(things: list[Any]) -> int:
    """Return a checksum of what is run when a loss is computed with these classes and functions.

    Beginning with `loss` and its like, every method or function counts whose name is used by one that counts.
    Comments, docstrings and the names of local variables don't.
    """
    functions = [thing for thing in things if isinstance(thing, FunctionType)]
    names = {"__call__", "forward", "loss", "critic_loss", "generator_loss"} | {each.__name__ for each in functions}
    bases = {base: None for thing in things if isinstance(thing, type) for base in thing.__mro__}
    for base in filter(_by_the_reader, bases):
        for method in vars(base).values():
            for part in ("fget", "func", "__func__"):  # of a property, a cached one, a static or class method
                method = getattr(method, part, method)
            if isinstance(method, FunctionType):
                functions.append(inspect.unwrap(method))
    counted: dict[int, list[Any]] = {}
    while new := [each for each in functions if id(each) not in counted and each.__name__ in names]:
        for function in new:
            bound = _bound(function)
            counted[id(function)] = [function.__name__, *_code(function.__code__, function.__doc__), plain(bound)]
            names |= {*function.__code__.co_names, *(each.__name__ for each in bound.values() if _is_function(each))}
            used = [function.__globals__.get(name) for name in function.__code__.co_names]
            functions += [each for each in (*used, *bound.values()) if _is_function(each) and _by_the_reader(each)]
    return zlib.crc32(repr(sorted(map(repr, counted.values()))).encode())


def _bound(function: FunctionType) -> dict[str, Any]:
    """Return what a function takes from the functions around it, by name; not the class that `super()` needs."""
    bound = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # nothing is in it yet
            bound[name] = cell.cell_contents
    return {name: value for name, value in bound.items() if name != "__class__"}


def _is_function(thing: Any) -> bool:
    return isinstance(thing, FunctionType)


def _code(code: CodeType, docstring: str | None) -> list[Any]:
    constants = [each for each in code.co_consts if not (isinstance(each, str) and each == docstring)]
    inner = [_code(each, None) if isinstance(each, CodeType) else plain(each) for each in constants]
    return [code.co_code, code.co_names, inner]


def _without_rate(optimizer: torch.optim.Optimizer) -> list[Any]:
    groups = [{k: v for k, v in group.items() if k not in ("params", "lr")} for group in optimizer.param_groups]
    return [type(optimizer).__name__, *groups]


def _machine(device: torch.device) -> dict[str, Any]:
    """Return what decides how numbers are rounded."""
    place = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return {
        "torch": str(torch.__version__),
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "device": f"{device.type}, {place}",
        "number of threads": torch.get_num_threads(),
    }
