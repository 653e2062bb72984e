"""Handwritten digits: MNIST, or the 1,797 inside scikit-learn that are always there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from .dataset import Dataset
from .fetch import File, fetch

_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
# By our own `fetch`, not by torchvision's MNIST(download=True): that has no time limit, writes files before it has
# verified them, and prefers old files in MNIST/processed, whose checksums nobody knows.  Its layout stays.
_MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
FILES = [
    File(f"MNIST/raw/{name}", sha256, tuple(f"{mirror}{name}.gz" for mirror in _MIRRORS))
    for name, sha256 in _SHA256.items()
]
"""MNIST's files, in torchvision's layout."""


def load(name: str = "mnist", *, fallback: bool = True) -> Dataset:
    """Return a data set by name.

    "mnist" is looked for in `$AECOURSE_DATA`, then in the cache folder, each in torchvision's layout
    (`MNIST/raw/`), and is else downloaded into the cache folder; every file's SHA-256 is verified.
    "digits" are the 1,797 real ones inside scikit-learn, always there.

    Args:
        name: "mnist" or "digits".
        fallback: with no MNIST files and no network, warn and return the digits; if False, raise.

    Raises:
        ValueError: for an unknown name.
        RuntimeError: if a file is damaged (named in the message) and no good copy can be downloaded, or
            if there is neither a file nor a network and `fallback` is False.
    """
    if name == "digits":
        return _embedded_digits()
    if name != "mnist":
        raise ValueError(
            f"got the name {name!r}, expected 'mnist' or 'digits'; for letters call data.letters(), "
            "for a folder of your own pictures data.load_folder(folder)"
        )
    stand_in = "the 1,797 real digits that are embedded in scikit-learn" if fallback else None
    found = fetch("MNIST", FILES, stand_in=stand_in)
    return _embedded_digits() if found is None else _read_mnist(*found)


def _read_mnist(folder: Path, origin: str) -> Dataset:
    # The files are verified by then: a head of known length, then bytes.  torchvision reads them, too, but its import
    # takes seconds and 0.2 GB, with torch._dynamo, which else only training needs.
    def read(name: str, head: int) -> np.ndarray:
        return np.fromfile(folder / "MNIST" / "raw" / name, np.uint8, offset=head)

    parts = []
    for name in ("train", "t10k"):
        pixels = torch.from_numpy(read(f"{name}-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28))
        parts += [pixels.float().div_(255), torch.from_numpy(read(f"{name}-labels-idx1-ubyte", 8)).long()]
    return Dataset("mnist", *parts, origin)


def _embedded_digits() -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    small = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
    # MNIST's own layout: the digit in the middle 20 × 20 pixels.
    middle = functional.interpolate(small, (20, 20), mode="bilinear", antialias=True)
    images = functional.pad(middle.clamp(0, 1), [4] * 4)
    labels = torch.tensor(digits.target, dtype=torch.int64)
    train, test = map(
        torch.from_numpy, train_test_split(np.arange(len(labels)), test_size=360, random_state=0, stratify=labels)
    )
    return Dataset(
        "digits", images[train], labels[train], images[test], labels[test], "embedded in scikit-learn (Alpaydin, 1998)"
    )
