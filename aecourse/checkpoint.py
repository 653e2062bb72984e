"""Files that hold what training made: written atomically, verified when read, never run as code."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn


def save(model: nn.Module, path: str | Path) -> None:
    """Save the model's weights to `path`, atomically: a crash leaves the old file or the new one."""
    write(path, {"kind": "weights", "model": type(model).__name__, "weights": model.state_dict()})


def load(model: nn.Module, path: str | Path) -> nn.Module:
    """Return `model` with the weights that `save`, or a checkpoint of `fit`, wrote to `path`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, was not written by this package, or holds another model's
            weights; the model is then unchanged.
    """
    load_weights(model, read(path), path)
    return model


def write(path: str | Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values to `path`, so that the file is at any time the old one or the new."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its goal and moved there when complete, so a crash or a full disk leaves the last good file.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            torch.save({"format": "aecourse 1", **content}, file)
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
            damaged = archive.testzip()
        content = {} if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or foreign file makes zipfile or torch raise
        raise ValueError(f"{path} is damaged or no file of this package ({type(error).__name__}). {advice}") from error
    if damaged:
        raise ValueError(f"{path} is damaged (wrong checksum of {damaged}). {advice}")
    if not isinstance(content, dict) or content.get("format") != "aecourse 1":
        raise ValueError(f"{path} was not written by this version of the package. {advice}")
    return content


def load_weights(model: nn.Module, content: dict[str, Any], path: str | Path) -> None:
    """Put the weights in `content`, read from `path`, into `model`.

    Raises:
        ValueError: if they are another model's; the model is then unchanged.
    """
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    stored = {name: tuple(value.shape) for name, value in content["weights"].items()}
    if stored != own:
        differs = sorted(name for name in own.keys() | stored.keys() if own.get(name) != stored.get(name))[0]
        raise ValueError(
            f"{path} holds the weights of a {content['model']} that does not fit this {type(model).__name__}: "
            f"{differs} has shape {stored.get(differs, '(none)')} there and {own.get(differs, '(none)')} here. "
            "Build the model with the arguments it was saved with"
        )
    model.load_state_dict(content["weights"])
