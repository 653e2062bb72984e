"""What a chapter uses to be honest: source code as it is, claims that are checked, and the table of all models."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from pathlib import Path
from statistics import mean
from typing import Any

from torch import Tensor

from .data import Dataset
from .data.chorales import Chorales

COLUMNS = {
    "parameters": ("parameters", 0),
    "seconds": ("CPU-seconds", 0),
    "error": ("squared error", 2),
    "probe": ("probe, %", 1),
    "recognised": ("recognised, %", 0),
    "frechet": ("Fréchet", 1),
    "bits": ("bits per image", 1),
}


class Source(str):
    """Python source that a notebook shows with highlighting and a terminal as plain text."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return f"```python\n{self}\n```"


def show(*objects: Any) -> Source:
    """Return the source of classes or functions of the package, without their docstrings.

    A page that shows code this way cannot disagree with the code that runs.  The docstrings are in
    the book's appendix and in `help(…)`.
    """
    return Source("\n\n".join(without_docstrings(inspect.getsource(thing)) for thing in objects))


def without_docstrings(source: str) -> str:
    """Return the source of a class or function, moved to the margin, without any docstring in it."""
    source = textwrap.dedent(source)
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            first = node.body[0]
            for number in range(first.lineno - 1, first.end_lineno):
                lines[number] = None
            following = first.end_lineno
            if following < len(lines) and lines[following] == "":  # the blank line after a docstring
                lines[following] = None
    return "\n".join(line for line in lines if line is not None)


class Claims(str):
    """Checked claims, a line each."""

    def __repr__(self) -> str:
        return str(self)


def claims(*rows: tuple[str, float | Tensor, float, float], on: Dataset | Chorales | None = None) -> Claims:
    """Check that numbers lie where the text says, and return a line for each that says so.

    Args:
        rows: `(what, value, low, high)`: the claim in words with its unit, the measured number, and the least
            and the greatest value with which the text would still be true, from repeated runs with other seeds.
        on: the data set measured.  The text speaks of MNIST and of Bach's chorales: on what stands in for them where
            a reader has no network, the numbers are shown but not checked.

    Raises:
        AssertionError: if a value is outside [low, high], or is NaN; the message names every one that is.
    """
    lines, wrong = [], []
    for what, value, low, high in rows:
        value = float(value.detach() if isinstance(value, Tensor) else value)
        if on is not None and on.name not in ("mnist", "chorales"):
            meant = "Bach's" if isinstance(on, Chorales) else "MNIST"
            lines.append(f"· {what}: {value:.4g} on {on.name} (the text speaks of {meant})")
            continue
        lines.append(f"✓ {what}: {value:.4g} (the text holds from {low:.4g} to {high:.4g})")
        if not low <= value <= high:
            wrong.append(f"claim {what!r}: got {value:.6g}, but the text says it lies in [{low:g}, {high:g}]")
    if wrong:
        raise AssertionError("\n".join(wrong))
    return Claims("\n".join(lines))


class Table(Source):
    """A table in Markdown."""

    def _repr_markdown_(self) -> str:
        return str(self)


def results() -> dict[str, dict]:
    """Return model → its `chapter` and its measurements, each a list with a number for every seed.

    - `parameters`: how many numbers are trained;
    - `seconds`: CPU-seconds of the training on one thread;
    - `error`: squared error of a test image's copy, summed over its pixels, mean over the test set;
    - `probe`: test accuracy of a linear probe on the code, 100 labels for each class, in per cent;
    - `recognised`, `frechet`: `evaluate.sample_quality` of 5,000 draws, in per cent and without a unit;
    - `bits`: a bound on the bits for a binarized test image, at most so many are needed.

    A measurement that a model doesn't have is missing.
    """
    return json.loads((Path(__file__).parent / "family.json").read_text(encoding="utf-8"))["models"]


def averages(measurement: str) -> dict[str, float]:
    """Return model → the mean of a measurement over the seeds, for the models that have it.

    Raises:
        ValueError: if there is no such measurement.
    """
    if measurement not in COLUMNS:
        raise ValueError(f"got the measurement {measurement!r}, expected one of {', '.join(COLUMNS)}")
    return {name: mean(row[measurement]) for name, row in results().items() if measurement in row}


def table() -> Table:
    """Return all results as a table: the mean over the seeds and, after ±, half the distance between the extremes."""
    heads = ["model", "chapter", *(head for head, _ in COLUMNS.values())]
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " --: |" * (len(heads) - 1)]
    for name, row in results().items():
        cells = [_cell(row.get(column), digits) for column, (_, digits) in COLUMNS.items()]
        lines.append("| " + " | ".join([name, str(row["chapter"]), *cells]) + " |")
    return Table("\n".join(lines))


def _cell(values: list[float] | None, digits: int) -> str:
    if values is None:
        return "–"
    half = (max(values) - min(values)) / 2
    spread = f" ± {half:,.{digits}f}" if half else ""
    return f"{mean(values):,.{digits}f}{spread}"
