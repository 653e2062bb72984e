"""A progress bar where a person watches, and nowhere else."""

from __future__ import annotations

import importlib.util
import os
import sys

from tqdm import tqdm


def progress_bar(total: int, unit: str) -> tqdm:
    """Return a bar over `total` units, shown in a terminal or a notebook but not in a log file.

    In a notebook it is a widget if ipywidgets is there, and else made of text.  (`tqdm.auto` would warn of that.)
    `TQDM_DISABLE=1` hides it everywhere: tqdm's own switch, which its bar for notebooks overlooks.
    """
    bar, notebook = tqdm, _in_notebook()
    if notebook and importlib.util.find_spec("ipywidgets"):
        from tqdm.notebook import tqdm as bar
    watched = (sys.stderr.isatty() or notebook) and not os.environ.get("TQDM_DISABLE")
    return bar(total=total, unit=unit, leave=False, disable=not watched)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None
