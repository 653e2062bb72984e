"""A progress bar where a person watches, and nowhere else."""

from __future__ import annotations

import os
import sys

from tqdm.auto import tqdm


def progress_bar(total: int, unit: str) -> tqdm:
    """Return a bar over `total` units, shown in a terminal or a notebook but not in a log file.

    `TQDM_DISABLE=1` hides it everywhere: tqdm's own switch, which its bar for notebooks overlooks.
    """
    watched = (sys.stderr.isatty() or _in_notebook()) and not os.environ.get("TQDM_DISABLE")
    return tqdm(total=total, unit=unit, leave=False, disable=not watched)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None
