"""How long a class takes: a hundred submissions of one exercise, most of them right, some wrong, some that never end.

Goal: ten minutes on two cores.  It needs bubblewrap.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "grading"))
import grade
from student_notebooks import MASTERS

STUDENTS = 100


def main() -> int:
    if problem := grade.missing_sandbox():
        print(problem)
        return 1
    master = sorted(MASTERS.glob("*.ipynb"))[0]
    with tempfile.TemporaryDirectory() as place:
        for number in range(STUDENTS):
            notebook = nbformat.read(master, as_version=4)
            first = next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution"))
            if number % 10 == 1:
                first.source = "def entropy(p):\n    return len(p)"
            if number % 25 == 2:
                first.source = "def entropy(p):\n    while True:\n        pass"
            folder = Path(place) / "class" / f"student-{number:03}"
            folder.mkdir(parents=True)
            nbformat.write(notebook, folder / master.name)
        began = time.perf_counter()
        grade.main(str(Path(place) / "class"))
        print(f"{STUDENTS} submissions in {(time.perf_counter() - began) / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
