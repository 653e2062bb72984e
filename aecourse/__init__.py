"""The machine behind the course: data, models, training, evaluation, coding and plots.

Chapters import it whole, `import aecourse as ae`, and drive it: `ae.data.load`, `ae.models.…`,
`ae.training.fit`, `ae.evaluate.…`, `ae.plots.…`.
"""

from . import (
    book,
    checkpoint,
    checks,
    coding,
    data,
    evaluate,
    exercises,
    losses,
    models,
    plots,
    training,
    widgets,
)
from .book import claims, show

__version__ = "2026.11"
__all__ = [
    "book",
    "checkpoint",
    "checks",
    "claims",
    "coding",
    "data",
    "evaluate",
    "exercises",
    "losses",
    "models",
    "plots",
    "show",
    "training",
    "widgets",
]
