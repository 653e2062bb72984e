"""Interactive figures, in the built page without a kernel and in notebooks: one ES module each.

`codes`, `draw`, `travel`, `reparameterize`, `beta` and `player` return what a notebook shows; `export` makes any small
network of the course travel with a page; `pad` is the drawing pad that Python can read.
"""

from __future__ import annotations

from .explorables import Explorable, beta, codewords, draw, player, reparameterize, travel
from .weights import Exported, export, from_exported, trained

__all__ = [
    "Explorable",
    "Exported",
    "beta",
    "codewords",
    "draw",
    "export",
    "from_exported",
    "pad",
    "player",
    "reparameterize",
    "trained",
    "travel",
]


def pad(explorable: Explorable):
    """Return a drawing pad for a running notebook: show it, draw on it, and read `.drawing` in a later cell.

    Args:
        explorable: from `draw(…)`.

    Raises:
        ImportError: if anywidget, which connects the page with Python, is not installed; the message says how.
    """
    try:
        from .live import Pad
    except ModuleNotFoundError as error:
        if error.name != "anywidget":
            raise
        raise ImportError(
            "the drawing pad needs anywidget: run `%pip install anywidget`, then this cell again"
        ) from error
    return Pad(explorable)
