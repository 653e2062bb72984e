"""The drawing pad where a kernel runs: Python reads what the reader drew."""

from __future__ import annotations

import anywidget
import torch
import traitlets

from .explorables import Explorable
from .explorables import module as source


class Pad(anywidget.AnyWidget):
    """The explorable that `draw` returned, as a widget whose drawing a later cell can read."""

    _esm = source("draw.js")
    models = traitlets.List().tag(sync=True)
    examples = traitlets.List().tag(sync=True)
    colours = traitlets.List().tag(sync=True)
    network = traitlets.Unicode("").tag(sync=True)
    image = traitlets.List(help="784 grey values in [0, 1]; empty until something is drawn").tag(sync=True)
    mu = traitlets.List().tag(sync=True)
    sigma = traitlets.List(allow_none=True, default_value=None).tag(sync=True)
    reconstruction = traitlets.List().tag(sync=True)
    cost = traitlets.Float(0.0).tag(sync=True)

    def __init__(self, explorable: Explorable):
        values = explorable.values
        super().__init__(**values | {"colours": list(values["colours"])})

    @property
    def drawing(self) -> torch.Tensor:
        """The drawing as images `(1, 1, 28, 28)` in [0, 1], ready for `model.encode`.

        Raises:
            ValueError: as long as nothing was drawn.
        """
        if not self.image:
            raise ValueError("the pad is empty: draw a digit on it, then run this cell again")
        return torch.tensor(self.image).view(1, 1, 28, 28)
