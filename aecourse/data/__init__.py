"""Data sets as tensors in memory, and where they came from.

`dataset`: what a data set of images is, and one from a reader's own pictures; `digits`: MNIST, or the digits inside
scikit-learn; `drawn`: letters, shapes and stick figures that are drawn when they are asked for; `chorales`: Bach's, in
a room of their own, since notes are no images; `fetch`: where the files of MNIST and the chorales are found.
"""

from . import chorales
from .dataset import Dataset, binarize, load_folder, rotations
from .digits import load
from .drawn import (
    KEY_POINTS,
    SHAPE_FACTORS,
    SHAPE_KINDS,
    all_shapes,
    draw_shapes,
    letters,
    random_shapes,
    stick_figures,
)

__all__ = [
    "KEY_POINTS",
    "SHAPE_FACTORS",
    "SHAPE_KINDS",
    "Dataset",
    "all_shapes",
    "binarize",
    "chorales",
    "draw_shapes",
    "letters",
    "load",
    "load_folder",
    "random_shapes",
    "rotations",
    "stick_figures",
]
