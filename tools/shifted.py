"""All randomness of a notebook shifted at its sources, and a record of what its claims measure.

`spread.py` puts a first cell into a notebook that imports this file before anything else: only the standard library,
NumPy and torch are needed, so that it runs in every environment.
"""

from __future__ import annotations

import json
import platform
import random
import resource
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

LIBRARIES = ("torch", "numpy", "scikit-learn")


def shift(by: int) -> None:
    """Add a number to every seed that is given to torch, NumPy, scikit-learn or Python's own `random` from now on."""

    class Generator(torch.Generator):
        def manual_seed(self, seed: int) -> torch.Generator:
            return super().manual_seed(seed + by)

    class Global:
        """Stands for torch's global generator, whose class admits no other `manual_seed`."""

        own = torch.default_generator

        def manual_seed(self, seed: int) -> torch.Generator:
            return self.own.manual_seed(seed + by)

        def __getattr__(self, name: str) -> object:
            return getattr(self.own, name)

    class RandomState(np.random.RandomState):
        def __init__(self, seed: object = None) -> None:
            super().__init__(_moved(seed, by))

    class Random(random.Random):
        def __init__(self, seed: object = None) -> None:
            super().__init__(_moved(seed, by))

    default_rng, manual_seed = np.random.default_rng, torch.manual_seed
    torch.Generator, torch.default_generator = Generator, Global()
    torch.manual_seed = lambda seed: manual_seed(seed + by)
    np.random.RandomState, np.random.default_rng = RandomState, lambda seed=None: default_rng(_moved(seed, by))
    random.Random = Random


def _moved(seed: object, by: int) -> object:
    return seed + by if isinstance(seed, int | np.integer) else seed


def record(file: str) -> None:
    """Let `aecourse.claims` write into a file what each claim measured, and what the notebook has cost until then.

    The file is JSON: `versions`, of Python and of libraries; `values`, claim → number; `seconds` of the processor, and
    `gigabytes`, the most that was held.

    Raises:
        ValueError: in the cell whose claim has the words of an earlier one.
    """
    import aecourse  # after `shift`
    from aecourse.book import _number

    values, check = {}, aecourse.claims
    versions = {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}

    def claims(*rows: tuple, on: object = None) -> str:
        made = check(*rows, on=on)
        for what, value, *_ in rows:
            if what in values:
                raise ValueError(f"got the claim {what!r} twice; the record needs other words for each")
            values[what] = _number(what, value)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        found = {"versions": versions, "values": values, "seconds": time.process_time(), "gigabytes": peak}
        Path(file).write_text(json.dumps(found), encoding="utf-8")
        return made

    aecourse.claims = claims
