"""Data sets as tensors in memory, and where they came from.

`digits`: MNIST, or the digits inside scikit-learn; `drawn`: letters, shapes and stick figures that are drawn when they
are asked for; `chorales`: Bach's, in a room of their own, since notes are no images.
"""

from . import chorales
from .digits import Dataset, binarize, load, rotations
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
    "random_shapes",
    "rotations",
    "stick_figures",
]
