"""Data sets as tensors in memory, and where they came from."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import warnings
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from platformdirs import user_cache_path
from torch import Tensor
from torchvision.datasets import MNIST
from torchvision.datasets.mnist import read_image_file, read_label_file
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from .. import checks

MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@dataclass(frozen=True)
class Dataset:
    """Images and labels in memory, split once and for all into train and test.

    Attributes:
        name: "mnist", "digits" or "letters".
        train_images, test_images: float32 `(N, 1, 28, 28)` in [0, 1].
        train_labels, test_labels: int64 `(N,)`.
        origin: where they came from, for a person to read.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    origin: str

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.train_images.shape[1:]))
        return f"{self.name}: {len(self.train_images):,} training and {len(self.test_images):,} test images, {shape}"


def load(name: str = "mnist", *, fallback: bool = True) -> Dataset:
    """Return a data set by name.

    "mnist" is looked for in `$AECOURSE_DATA`, then in the cache folder, each in torchvision's layout
    (`MNIST/raw/`), and is else downloaded into the cache folder through torchvision; every file's MD5
    is verified.  "digits" are the 1,797 real ones inside scikit-learn, always there.

    Args:
        name: "mnist" or "digits".
        fallback: with no MNIST files and no network, warn and return the digits; if False, raise.

    Raises:
        ValueError: for an unknown name.
        RuntimeError: if a file is damaged (named in the message) and no good copy can be downloaded, or
            if there is neither a file nor a network and `fallback` is False.
    """
    if name == "digits":
        return _digits()
    if name != "mnist":
        raise ValueError(f"got the name {name!r}, expected 'mnist' or 'digits'; for letters call data.letters()")

    damaged: list[Path] = []
    for root, origin in _folders():
        bad = _damaged_files(root)
        if bad is None:  # no files there
            continue
        if not bad:
            _warn_of(damaged, f"you get the good copy in {origin}")
            return _read_mnist(root, origin)
        damaged += bad
    cache = user_cache_path("aecourse")
    try:
        _download(cache)
    except Exception as error:  # whatever the network, the mirrors or the disk make torchvision raise
        if damaged:
            raise RuntimeError(
                f"damaged MNIST files: {', '.join(map(str, damaged))}; no good copy could be downloaded "
                f"({_reason(error)}). Delete them, or put good ones in their place"
            ) from error
        if not fallback:
            raise RuntimeError(
                f"found no MNIST in {_searched()}, and it could not be downloaded "
                f"({_reason(error)}). Set AECOURSE_DATA to a folder that holds MNIST/raw/"
            ) from error
        warnings.warn(
            f"MNIST was not found in {_searched()} and could not be downloaded, so you get the 1,797 real digits that "
            "are embedded in scikit-learn instead. Everything runs; the numbers differ from the text. For MNIST, "
            "connect to the network or set AECOURSE_DATA to a folder that holds MNIST/raw/.",
            stacklevel=2,
        )
        return _digits()
    _warn_of(damaged, "a good copy was downloaded")
    return _read_mnist(cache, "downloaded through torchvision")


def rotations(image: Tensor, degrees: Iterable[float]) -> Tensor:
    """Return `image`, of shape `(1, 28, 28)` or `(1, 1, 28, 28)`, turned counter-clockwise by each angle.

    Returns:
        `(len(degrees), 1, 28, 28)`, interpolated bilinearly, in [0, 1].

    Raises:
        ValueError: if it is not one image in [0, 1].
    """
    image = image[None] if isinstance(image, Tensor) and image.dim() == 3 else image
    checks.images(image)
    if len(image) != 1:
        raise ValueError(f"got {len(image)} images, expected one; choose it with images[i]")
    turned = [transforms.rotate(image[0], float(angle), InterpolationMode.BILINEAR) for angle in degrees]
    return torch.stack(turned).clamp(0, 1)


def binarize(images: Tensor, *, seed: int = 0) -> Tensor:
    """Return images of the same shape whose pixels are 0 or 1: white with the chance that the grey value says.

    "Binarized MNIST" (Salakhutdinov & Murray, 2008).  Images that are black and white already stay as they are.

    Args:
        images: `(N, 1, 28, 28)` in [0, 1].
        seed: fixes the draw.

    Raises:
        ValueError: for bad images.
    """
    checks.images(images, None)
    return torch.bernoulli(images.cpu(), generator=torch.Generator().manual_seed(seed))


def _folders() -> list[tuple[Path, str]]:
    folders = [(user_cache_path("aecourse"), "the cache folder")]
    if os.environ.get("AECOURSE_DATA"):
        folders.insert(0, (Path(os.environ["AECOURSE_DATA"]), "the folder in $AECOURSE_DATA"))
    return folders


def _searched() -> str:
    return " or ".join(f"{origin} ({root.resolve()})" for root, origin in _folders())


def _damaged_files(root: Path) -> list[Path] | None:
    """Return the missing or damaged files of a copy of MNIST; None if there is no trace of one."""
    paths = {root / "MNIST" / "raw" / name: md5 for name, md5 in MNIST_MD5.items()}
    if not any(path.exists() for path in paths):
        return None
    return [path for path, md5 in paths.items() if not path.exists() or _md5(path) != md5]


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def _read_mnist(root: Path, origin: str) -> Dataset:
    # Not through MNIST(root), which prefers old files in MNIST/processed, whose checksums nobody knows.
    raw = root / "MNIST" / "raw"
    parts = [
        (
            read_image_file(raw / f"{part}-images-idx3-ubyte").float().div_(255).unsqueeze(1),
            read_label_file(raw / f"{part}-labels-idx1-ubyte"),
        )
        for part in ("train", "t10k")
    ]
    return Dataset("mnist", *parts[0], *parts[1], origin)


def _download(cache: Path) -> None:
    """Put a verified copy of MNIST into the cache; what is only half there never gets its final name."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder, _time_limit(20):
        MNIST(folder, download=True)
        if bad := _damaged_files(Path(folder)):
            raise RuntimeError(f"the mirror sent other files than MNIST's: {', '.join(path.name for path in bad)}")
        target = cache / "MNIST" / "raw"
        target.mkdir(parents=True, exist_ok=True)
        for name in MNIST_MD5:
            os.replace(Path(folder) / "MNIST" / "raw" / name, target / name)


@contextmanager
def _time_limit(seconds: float):
    # torchvision opens its connections without a limit, so a dead network could hang for minutes.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _warn_of(damaged: list[Path], instead: str) -> None:
    if damaged:
        files = ", ".join(map(str, damaged))
        warnings.warn(f"damaged MNIST files were passed over: {files}; {instead}", stacklevel=3)


def _reason(error: Exception) -> str:
    # torchvision lists what each mirror said, the last one last.
    return str(error).strip().splitlines()[-1].strip() if str(error).strip() else type(error).__name__


def _digits() -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    small = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
    # MNIST's own layout: the digit in the middle 20 × 20 pixels.
    images = transforms.pad(transforms.resize(small, [20, 20], antialias=True).clamp(0, 1), [4])
    labels = torch.tensor(digits.target, dtype=torch.int64)
    train, test = map(
        torch.from_numpy, train_test_split(np.arange(len(labels)), test_size=360, random_state=0, stratify=labels)
    )
    return Dataset(
        "digits", images[train], labels[train], images[test], labels[test], "embedded in scikit-learn (Alpaydin, 1998)"
    )
