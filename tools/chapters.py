"""Execute, in place, the notebooks whose stored outputs are older than the code that made them.

Two run side by side with one thread each, as the tests and `spread.py` run them: so the numbers that a page shows are
those that are tested.  A notebook that fails keeps its old outputs; the others are still executed.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
from fingerprint import ROOT, fingerprint
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from aecourse import data

SECONDS_PER_CELL = 300
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # JupyterLab's and Colab's words for `hide-input`


def notebooks() -> list[Path]:
    """Return the paths of the book's chapters, in reading order; `grading/student_notebooks.py` makes the exercises."""
    apart = {".ipynb_checkpoints", "exercises"}
    return sorted(path for path in (ROOT / "book").rglob("*.ipynb") if apart.isdisjoint(path.parts))


def is_stale(notebook: nbformat.NotebookNode) -> bool:
    """Return whether the outputs were made by other code than the notebook and the package now hold."""
    return notebook.metadata.get("aecourse", {}).get("fingerprint") != fingerprint(notebook)


def execute(notebook: nbformat.NotebookNode, folder: Path) -> float:
    """Run the notebook from a fresh kernel, keep its outputs without what changes from run to run; return seconds.

    Cells that are folded on the page are marked to be folded in JupyterLab and Colab as well.
    """
    started = time.perf_counter()
    NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],  # else every kernel warns that it talks to us unencrypted
    ).execute()
    notebook.metadata = {
        "aecourse": {"fingerprint": fingerprint(notebook)},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        kept = {key: value for key, value in cell.metadata.items() if key in ("tags", "mystnb")}
        cell.metadata = kept | (FOLDED if "hide-input" in kept.get("tags", []) else {})
    return time.perf_counter() - started


def absolute_data_folder() -> None:
    """Make `$AECOURSE_DATA` absolute: kernels start in the notebook's folder."""
    if os.environ.get("AECOURSE_DATA"):
        os.environ["AECOURSE_DATA"] = str(Path(os.environ["AECOURSE_DATA"]).expanduser().resolve())


def main() -> int:
    """Execute what is stale, a line for each notebook; return the number of failures."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["TQDM_DISABLE"] = "1"  # a progress bar has no place in stored outputs
    os.environ["AECOURSE_STRICT"] = "1"  # nor has a claim that does not hold
    absolute_data_folder()
    loaded = {path: nbformat.read(path, as_version=4) for path in notebooks()}
    stale = [path for path, notebook in loaded.items() if is_stale(notebook)]
    print(f"{len(loaded)} notebooks, {len(stale)} to execute")
    if stale:
        data.load("mnist", fallback=False)  # the book's numbers are MNIST's, never the embedded digits'
    failures = 0
    with ThreadPoolExecutor(2) as pool:
        jobs = {pool.submit(execute, loaded[path], path.parent): path for path in stale}
        for number, job in enumerate(as_completed(jobs), 1):
            path = jobs[job]
            print(f"[{number}/{len(stale)}] {path.relative_to(ROOT)}: ", end="")
            try:
                seconds = job.result()
            except (CellExecutionError, TimeoutError, RuntimeError) as error:
                failures += 1
                print(f"failed, its old outputs are kept\n{error}", flush=True)
            else:
                nbformat.write(loaded[path], path)
                print(f"{seconds:.0f} s", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
