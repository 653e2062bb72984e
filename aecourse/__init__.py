"""The machine behind the course: data, models, training, evaluation, coding and plots.

Chapters import it whole, `import aecourse as ae`, and drive it: `ae.data.load`, `ae.models.…`,
`ae.training.fit`, `ae.evaluate.…`, `ae.plots.…`.
"""

from . import (
    checkpoint,
    coding,
    data,
    evaluate,
    exercises,
    family,
    keypoints,
    losses,
    models,
    music,
    plots,
    shapes,
    training,
    widgets,
)
from .show import claims, show

__version__ = "0.1.0"
__all__ = [
    "checkpoint",
    "claims",
    "coding",
    "data",
    "evaluate",
    "exercises",
    "family",
    "keypoints",
    "losses",
    "models",
    "music",
    "plots",
    "shapes",
    "show",
    "training",
    "widgets",
]
