"""Make the student notebooks in book/exercises/ from the masters in assignments/.

A master is a notebook in nbgrader's cell format.  What stands between `### BEGIN SOLUTION` and `### END SOLUTION`
becomes a comment that says where to write; what stands between `### BEGIN HIDDEN TESTS` and `### END HIDDEN TESTS` goes
without a trace.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
MASTERS, STUDENTS = ROOT / "assignments", ROOT / "book" / "exercises"
SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION[ \t]*$", re.MULTILINE | re.DOTALL)
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS\n.*?^[ \t]*### END HIDDEN TESTS[ \t]*\n?", re.MULTILINE | re.DOTALL)
STUB = {"code": "# your code here", "markdown": "*Your answer here.*"}


def student_version(master: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy without solutions, hidden tests, outputs, and any metadata but nbgrader's own.

    Raises:
        ValueError: if a marker is left without its partner, or a cell to be solved marks no solution.
    """
    student = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in master.cells:
        text = cell.source
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("solution"):
            text, count = SOLUTION.subn(rf"\g<1>{STUB[cell.cell_type]}", text)
            if not count:
                raise ValueError(f"cell {settings['grade_id']!r} is to be solved, but marks no solution")
        text = HIDDEN.sub("", text).rstrip()
        if re.search(r"### (BEGIN|END) ", text):
            raise ValueError(f"cell {settings.get('grade_id')!r} has a marker without its partner")
        make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        keep = {key: value for key, value in cell.metadata.items() if key in ("nbgrader", "tags")}
        student.cells.append(make(text, metadata=keep, id=cell.id))
    return student


def main() -> int:
    """Write every student notebook that differs from its master, a line for each; drop those without one."""
    masters = {path.name: path for path in sorted(MASTERS.glob("*.ipynb"))}
    STUDENTS.mkdir(exist_ok=True)
    for path in STUDENTS.glob("*.ipynb"):
        if path.name not in masters:
            path.unlink()
            print(f"{path.name}: deleted, it has no master")
    for name, path in masters.items():
        text = nbformat.writes(student_version(nbformat.read(path, as_version=4))) + "\n"
        target: Path = STUDENTS / name
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
            print(f"{name}: written")
    print(f"{len(masters)} exercises")
    return 0


if __name__ == "__main__":
    sys.exit(main())
