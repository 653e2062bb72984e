"""What a chapter uses to be honest: source code as it is, claims that are checked, and the table of all models."""

from __future__ import annotations

import ast
import inspect
import json
import math
import os
import sys
import textwrap
from html import escape
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

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


class Facts(NamedTuple):
    """What is known of a model in chapter 17's table before it is measured.

    Attributes:
        code: what an image is turned into.
        images: the training images.
        density: where draws come from; None if the model draws nothing.
    """

    code: str
    images: str = "grey"
    density: str | None = None


_SIXTEEN, _SYMBOLS, _BINARY = "16 numbers", "8 symbols of 6 bits", "black and white"
_LEARNT, _PRIOR = "a density learnt after the code", "a prior set before training"
FAMILY = {
    "PCA, 16 coefficients": Facts(_SIXTEEN),
    "linear autoencoder": Facts(_SIXTEEN),
    "dense autoencoder": Facts(_SIXTEEN),
    "… and a Gaussian mixture": Facts(_SIXTEEN, density=_LEARNT),
    "VAE": Facts(_SIXTEEN, _BINARY, _PRIOR),
    "β-VAE, β = 4": Facts(_SIXTEEN, _BINARY, _PRIOR),
    "denoising, half masked": Facts(_SIXTEEN),
    "sparse, L1": Facts("1,000 numbers, most are 0"),
    "sparse, KL": Facts("1,000 numbers, none is 0"),
    "sparse, top 16 of 1,000": Facts("1,000 numbers, 16 are not 0"),
    "convolutional": Facts(_SIXTEEN),
    "convolutional VAE": Facts(_SIXTEEN, _BINARY, _PRIOR),
    "patches and attention": Facts(_SIXTEEN),
    "masked patches": Facts("48 numbers"),
    "conditional VAE": Facts(_SIXTEEN, _BINARY, _PRIOR),
    "IWAE, 5 codes": Facts(_SIXTEEN, _BINARY, _PRIOR),
    "VQ-VAE": Facts(_SYMBOLS, _BINARY, _LEARNT),
    "FSQ": Facts(_SYMBOLS, _BINARY, _LEARNT),
    "Gumbel-softmax": Facts(_SYMBOLS, _BINARY, _LEARNT),
    "EBGAN": Facts("32 numbers", density="a generator taught by a critic"),
    "contractive": Facts(_SIXTEEN),
    "Wasserstein": Facts(_SIXTEEN, density=_PRIOR),
    "dense, latent diffusion": Facts(_SIXTEEN, density=_LEARNT),
}

ROUNDING = 1e-4  # of float32 sums over a test set, as a share of the result
UNFOLDED = 6  # so many claims are shown at once; more are folded into a line that says whether they hold
STRICT = "AECOURSE_STRICT"  # in the environment: a claim that does not hold is an error
OUTSIDE = (
    "✗ This run found something else than the runs behind the text. Nothing is wrong with your notebook: other "
    "versions, machines and seeds find other numbers. Go on reading, and mind the difference."
)


class Text(str):
    """A text that a notebook and a terminal show as it is, without quotation marks.

    Where the output can't write a ✓, as on some consoles of Windows, OK is printed, and ? for what has no other name.
    """

    ASCII = str.maketrans({"✓": "OK", "✗": "NO", "·": "-", "−": "-"})

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        try:
            self.encode(encoding)
        except UnicodeEncodeError:
            return self.translate(self.ASCII).encode(encoding, "replace").decode(encoding)
        return str.__str__(self)


class Source(Text):
    """Python source that a notebook shows with highlighting and a terminal as plain text."""

    def _repr_markdown_(self) -> str:
        return f"```python\n{str.__str__(self)}\n```"


def show(*objects: Any) -> Source:
    """Return the source of classes or functions of the package, without their docstrings.

    A page that shows code this way cannot disagree with the code that runs.  The docstrings are in
    the book's appendix and in `help(…)`.

    Raises:
        ValueError: for what has no source of its own in a file, such as a number or a built-in function.
    """
    return Source("\n\n".join(map(_source, objects)))


def _source(thing: Any) -> str:
    try:
        return without_docstrings(inspect.getsource(thing))
    except (TypeError, OSError, SyntaxError):  # nothing of Python's, in no file, or a lambda in the middle of a line
        hint = "; show its function, .fget" if isinstance(thing, property) else ""
        raise ValueError(f"got {thing!r:.80}, expected a class or function whose source lies in a file{hint}") from None


def without_docstrings(source: str) -> str:
    """Return the source of a class or function, moved to the margin, without any docstring in it.

    Where a docstring is all there is, it stays: without it there would be no class or function.
    """
    source = textwrap.dedent(source)
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        documented = isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None
        if documented and len(node.body) > 1:
            first = node.body[0]
            for number in range(first.lineno - 1, first.end_lineno):
                lines[number] = None
            following = first.end_lineno
            if following < len(lines) and lines[following] == "":  # the blank line after a docstring
                lines[following] = None
    return "\n".join(line for line in lines if line is not None)


class Claims(Text):
    """Checked claims, a line each; a notebook shows them as a table in which a bar is the range.

    A long table is folded, unless a claim in it does not hold.

    Args:
        rows: `(mark, what, value, words, place)`, of which the first four are text, and `place` is where the value lies
            between the bounds, from 0 to 1; None if there are no bounds, or no number.
    """

    def __new__(cls, *rows: tuple[str, str, str, str, float | None]) -> Claims:  # noqa: D102
        lines = [f"{mark} {what}: {value} ({words})" for mark, what, value, words, _ in rows]
        if any(mark == "✗" for mark, *_ in rows):
            lines.append(OUTSIDE)
        made = super().__new__(cls, "\n".join(lines))
        made.rows = rows
        return made

    def _repr_html_(self) -> str:
        marks = [mark for mark, *_ in self.rows]
        worst = max(marks, key="·✓✗".index, default="✓")
        kept = "Measured on other data than the text's" if worst == "·" else "As the text says"
        said = f"{worst} {kept}: {len(marks) - marks.count('✗')} of {len(marks)} numbers"
        unfolded = " open" if len(marks) <= UNFOLDED or "✗" in marks else ""
        rows = [[*map(escape, row[:4]), _bar(row[0] == "✓", row[4])] for row in self.rows]
        lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
        table = "<table>\n<tbody>\n" + "\n".join(lines) + "\n</tbody>\n</table>"
        note = f"<p>{escape(OUTSIDE)}</p>" if "✗" in marks else ""
        return f'<details class="claims"{unfolded}><summary>{said}</summary>\n{table}{note}</details>'


def _bar(held: bool, place: float | None) -> str:
    """Return a bar with a dot: the middle half is where the text holds."""
    if place is None:
        return ""
    dot = min(max(25 + 50 * place, 4), 96)
    return (
        f'<svg viewBox="0 0 100 12" width="100" height="12" role="img" aria-label="{"in" if held else "out of"} range">'
        '<rect y="5" width="100" height="2" fill="currentColor" opacity="0.2"/>'
        '<rect x="25" y="3" width="50" height="6" fill="currentColor" opacity="0.3"/>'
        f'<circle cx="{dot:.0f}" cy="6" r="4" fill="{"currentColor" if held else "#d1242f"}"/></svg>'
    )


def claims(
    *rows: tuple[str, float | Tensor, float] | tuple[str, float | Tensor, float, float],
    on: Dataset | Chorales | None = None,
) -> Claims:
    """Check that numbers lie where the text says, and return a line for each that says so.

    A number that lies elsewhere is marked with ✗, and the notebook goes on: with other versions than those of the runs
    behind the text, or on another machine, the same seed draws other numbers.  Only where the environment says
    AECOURSE_STRICT=1, as in the tests of this book, is it an error.

    Args:
        rows: `(what, value, low, high)`: the claim in words with its unit, the measured number, and the least
            and the greatest value with which the text would still be true, by `tools/spread.py` from repeated runs.
            `(what, value, exact)` for what mathematics says: seeds, versions and machines change it by no more than
            float32 rounds, a ten-thousandth of the exact value, or of 1 where that is more.
        on: the data set measured.  The text speaks of MNIST and of Bach's chorales: on what stands in for them where
            a reader has no network, the numbers are shown but not checked.

    Raises:
        AssertionError: if AECOURSE_STRICT is set and a value is outside [low, high], or is NaN; the message names every
            one that is.
        ValueError: if a row is no claim: not three or four parts, no single number, or bounds in the wrong order.
    """
    if not isinstance(on, Dataset | Chorales | None):
        raise ValueError(f"got on={on!r:.80}, expected the data set measured, such as data.load('mnist'), or None")
    found, wrong = [], []
    for what, value, low, high, span in map(_claim, rows):
        if on is not None and on.name not in ("mnist", "chorales"):
            meant = "Bach's" if isinstance(on, Chorales) else "MNIST"
            found.append(("·", what, f"{_said(value)} on {on.name}", f"the text speaks of {meant}", None))
            continue
        if low <= value <= high:
            found.append(("✓", what, _said(value), f"the text holds {span}", _place(value, low, high)))
        else:
            found.append(("✗", what, _said(value), f"the text says {span}", _place(value, low, high)))
            wrong.append(f"claim {what!r}: got {value:.6g}, but the text says it lies in [{low:g}, {high:g}]")
    if wrong and os.environ.get(STRICT):
        raise AssertionError("\n".join(wrong))
    return Claims(*found)


def _place(value: float, low: float, high: float) -> float | None:
    """Return where a value lies between two bounds, from 0 to 1; None where no bar could show it.

    Between bounds of one sign it is a matter of factors, as it is for `tools/spread.py`.
    """
    if not all(map(math.isfinite, (value, low, high))):
        return None
    if max(value, high) < 0:
        return 1 - _place(-value, -high, -low)
    if min(value, low) > 0:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low) if low < high else 0.5 + (value > low) - (value < low)


def _claim(row: tuple) -> tuple[str, float, float, float, str]:
    """Return a claim's text, its value, its bounds and these in words, or raise a ValueError."""
    if not isinstance(row, tuple | list) or len(row) not in (3, 4) or not isinstance(row[0], str):
        raise ValueError(
            f"got the claim {row!r:.80}, expected (what, value, low, high), or (what, value, exact), "
            "each claim in its own brackets"
        )
    what, (value, low, *rest) = row[0], (_number(row[0], part) for part in row[1:])
    if not rest:
        rounding = ROUNDING * max(1, abs(low))
        return what, value, low - rounding, low + rounding, f"for {_said(low)} exactly, but for rounding"
    (high,) = rest
    if not low <= high:
        raise ValueError(f"claim {what!r}: got bounds from {low:g} to {high:g}, expected the lesser one first")
    return what, value, low, high, f"from {_said(low)} to {_said(high)}" if low < high else f"for {_said(low)}"


def _said(number: float) -> str:
    """Return a number with four digits, or all of a larger one before its point: 0.01235, 12.35, 80,144."""
    return f"{number:,.0f}" if 1000 <= abs(number) < 1e9 else f"{number:.4g}"


def _number(claim: str, value: Any) -> float:
    number = value.detach() if isinstance(value, Tensor) else value
    try:
        return float(number if not isinstance(number, str) else None)
    except (TypeError, ValueError, RuntimeError):
        shape = f" of shape {tuple(value.shape)}" if hasattr(value, "shape") else ""
        raise ValueError(
            f"claim {claim!r}: got {type(value).__name__}{shape}, expected one number; take its mean, or claim each"
        ) from None


class Table(Source):
    """A table in Markdown."""

    def _repr_markdown_(self) -> str:
        return str.__str__(self)


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


def long_run(name: str) -> dict[str, list[float]]:
    """Return what an experiment measured that takes longer than a chapter may: name → a number for every seed.

    The experiments, and the numbers' units, are those of `benchmarks/long_runs.py`, which runs them again.

    Raises:
        ValueError: if there is no such experiment.
    """
    results = {file.stem: file for file in sorted((Path(__file__).parent / "long_runs").glob("*.json"))}
    if name not in results:
        raise ValueError(f"got the experiment {name!r}, expected one of {', '.join(results)}")
    return json.loads(results[name].read_text(encoding="utf-8"))["values"]


def averages(measurement: str) -> dict[str, float]:
    """Return model → the mean of a measurement over the seeds, for the models that have it.

    Raises:
        ValueError: if there is no such measurement.
    """
    if measurement not in COLUMNS:
        raise ValueError(f"got the measurement {measurement!r}, expected one of {', '.join(COLUMNS)}")
    return {name: mean(row[measurement]) for name, row in results().items() if measurement in row}


def grouped_averages(measurement: str, fact: str) -> dict[str, dict[str, float]]:
    """Return a measurement's averages in groups, fact → model → mean, for the models that have both; least first.

    Args:
        measurement: as for `averages`.
        fact: what the members of a group have in common: `"code"`, `"images"` or `"density"`.

    Raises:
        ValueError: if there is no such measurement or fact.
    """
    if fact not in Facts._fields:
        raise ValueError(f"got the fact {fact!r}, expected one of {', '.join(Facts._fields)}")
    found: dict[str, dict[str, float]] = {}
    for name, value in sorted(averages(measurement).items(), key=lambda pair: pair[1]):
        if group := getattr(FAMILY[name], fact):
            found.setdefault(group, {})[name.replace("… and a", "dense,")] = value
    return found


def family_table() -> Table:
    """Return the `table` with two more columns: what each model turns an image into, and from what it learnt."""
    heads, dashes, *rows = str(table()).splitlines()
    extra = [("code", "images"), ("---", "---"), *((FAMILY[name].code, FAMILY[name].images) for name in results())]
    widened = []
    for line, (code, images) in zip([heads, dashes, *rows], extra, strict=True):
        model, chapter, others = line.split(" | ", 2)
        widened.append(f"{model} | {chapter} | {code} | {images} | {others}")
    return Table("\n".join(widened).replace("… and a", "dense,"))


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
