"""Every model of the course on the same images: what `benchmarks/family.py` measured, kept beside this file."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

from .show import Source

COLUMNS = {
    "parameters": ("parameters", 0),
    "seconds": ("CPU-seconds", 0),
    "error": ("squared error", 2),
    "probe": ("probe, %", 1),
    "recognised": ("recognised, %", 0),
    "frechet": ("Fréchet", 1),
    "bits": ("bits per image", 1),
}


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
