"""How much do the book's numbers depend on seeds and versions?  The ranges of all claims come from this record.

    python tools/spread.py [oldest=PYTHON] [Colab=PYTHON]

Each chapter is run with its seeds as they are, then with all seeds shifted: once with the Python of each other
environment that is named, and three times more; `make spread` makes and names both, which makes five shifts.  What
every claim measured is kept beside the notebook, in `NAME.spread.json`.  When a chapter's runs are complete, `span`
makes of them the ranges that its claims have from then on; `make chapters` executes it afterwards.  It may take hours.
What is there is kept: an interrupted run goes on where it was, and a chapter is run again only where its code, but for
its ranges, or package code that it reaches has changed.
"""

from __future__ import annotations

import ast
import copy
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import chapters
import nbformat
from colab import run
from fingerprint import ROOT, fingerprint
from scipy.stats import t as student
from tqdm import tqdm

from aecourse import data

SHIFT = 1000  # far from one another, since notebooks count from their seed on
MORE = 3  # runs with today's versions, after one with each
SURE = 0.9995  # one more run lies in the range with this probability, were they all Gaussian
LEAST = 0.001  # of the value: what no seed changes may change by that much with versions and machines
# What the words of a claim say: that it is a difference, may have either sign, or may be more than 1.
DIFFERENCE = r" − |\b(minus|less|saved|saves|gain|gained)\b"
SIGNED = re.compile(rf"{DIFFERENCE}|\bcorrelation\b")
NO_SHARE = re.compile(rf"{DIFFERENCE}| / |\b(error|distance|energy|Fréchet|MMD|spread|difference)\b")
SPREAD = re.compile(r"(−?[\d.,]*\d)( to | and |–)(−?[\d.,]*\d)(?: %)?<!-- runs: (.+?)(?:, × ([\d.]+))? -->")


def span(values: list[float], *, signed: bool = False) -> tuple[float, float]:
    """Return the range in which a number is claimed to lie, from what the runs measured: the one rule for all claims.

    It is Student's prediction interval for one more run, mean ± t · s · √(1 + 1/n) with 0.05 % outside (Hahn & Meeker,
    "Statistical Intervals", 1991): of the logarithms where all have one sign, since such numbers vary by factors, else
    of the numbers.  Of the numbers, too, for a `signed` one, a difference, whose next sign a few runs can't tell; what
    else was never negative stays so.  The interval is rounded outward to two digits of its distance from the middle,
    or of the bound where that is less.  Whole numbers get whole bounds.

    Raises:
        ValueError: if there are fewer than two values, or one is not finite.
    """
    if len(values) < 2 or not all(map(math.isfinite, values)):
        raise ValueError(f"got {values}, expected at least two finite numbers")
    least, greatest = min(values), max(values)
    if greatest < 0 and not signed:
        low, high = span([-value for value in values])
        return -high, -low
    if least == greatest:
        low = middle = high = least
    elif least > 0 and not signed:
        logarithms = [math.log(value) for value in values]
        half = _half(logarithms)
        low, middle, high = (math.exp(statistics.mean(logarithms) + sign * half) for sign in (-1, 0, 1))
    else:
        middle, half = statistics.mean(values), _half(values)
        low, high = middle - half, middle + half
    if not _whole(values):
        low, high = min(low, middle - LEAST * abs(middle)), max(high, middle + LEAST * abs(middle))
    low = _outward(low, min(middle - low, abs(low)), -1)
    high = _outward(high, min(high - middle, abs(high)), 1)
    if _whole(values):
        low, high = math.floor(low), math.ceil(high)
    return max(low, 0) if least >= 0 and not signed else low, high


def _half(values: list[float]) -> float:
    n = len(values)
    return student.ppf((1 + SURE) / 2, n - 1) * statistics.stdev(values) * math.sqrt(1 + 1 / n)


def _whole(values: list[float]) -> bool:
    return all(float(value).is_integer() for value in values)


def _outward(bound: float, scale: float, sign: int) -> float:
    """Round a bound up (`sign` 1) or down to two digits of a scale."""
    if scale == 0:
        return bound
    digits = 1 - math.floor(math.log10(scale))
    steps = sign * math.ceil(sign * bound * 10.0**digits - 1e-9)
    return round(steps / 10.0**digits, max(digits, 0))


def record_of(path: Path) -> Path:
    """Return where the record of a chapter lies."""
    return path.with_suffix(".spread.json")


def stamp(notebook: nbformat.NotebookNode) -> str:
    """Return the hash of all that a notebook's numbers depend on: its fingerprint, without the ranges of its claims."""
    bare = copy.deepcopy(notebook)
    for cell in _checks(bare):
        tree = ast.parse(cell.source)
        for row in _rows(tree):
            row.elts[2:] = []
        cell.source = ast.unparse(tree)
    return fingerprint(bare)


def claims(notebook: nbformat.NotebookNode) -> dict[str, tuple[float, ...]]:
    """Return claim → its bounds, or the one value if it is exact, for the claims of a notebook.

    Raises:
        ValueError: if two have the same words, or a claim is not written out as a text and numbers.
    """
    found = {}
    for cell in _checks(notebook):
        for row in _rows(ast.parse(cell.source)):
            try:
                what, *bounds = (ast.literal_eval(row.elts[number]) for number in (0, *range(2, len(row.elts))))
            except (AttributeError, ValueError):
                raise ValueError(
                    f"got the claim {ast.unparse(row)}, expected a text, a value and one or two numbers"
                ) from None
            if what in found:
                raise ValueError(f"got the claim {what!r} twice; the record needs other words for each")
            found[what] = tuple(bounds)
    return found


def _checks(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the cells that hold claims."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and "claims(" in cell.source]


def _rows(tree: ast.AST) -> Iterator[ast.Tuple]:
    """Yield the rows of every call of `claims` in a cell."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "claims":
            yield from call.args


def with_ranges(source: str, ranges: dict[str, tuple[float, float]]) -> str:
    """Return a cell whose claims have these ranges; those that are exact have none."""
    lines = [line.encode() for line in source.splitlines(keepends=True)]  # ast counts bytes
    rows = [row for row in _rows(ast.parse(source)) if len(row.elts) == 4]
    bounds = [pair for row in rows for pair in zip(row.elts[2:], ranges[row.elts[0].value], strict=True)]
    for node, bound in sorted(bounds, key=lambda pair: (pair[0].lineno, pair[0].col_offset), reverse=True):
        assert node.lineno == node.end_lineno, ast.unparse(node)
        line = lines[node.lineno - 1]
        lines[node.lineno - 1] = line[: node.col_offset] + written(bound).encode() + line[node.end_col_offset :]
    return b"".join(lines).decode()


def with_spreads(text: str, record: dict) -> str:
    """Return a text in which each spread is that of the record: `74 to 91<!-- runs: name of a claim, × 100 -->`.

    Such a remark, which no page shows, follows the least and the greatest number that the runs of the record measured,
    times a factor if there is one.  They keep as many decimals as they have.

    Raises:
        ValueError: if there is no such claim.
    """

    def filled(found: re.Match) -> str:
        low, link, high, what, factor = found.groups()
        values = [run["values"].get(what) for run in record["runs"].values()]
        if None in values:
            raise ValueError(f"got a spread of {what!r}, which is no claim of this chapter")
        values = [value * float(factor or 1) for value in values]
        least, greatest = (
            f"{bound(values):,.{len(said.partition('.')[2])}f}".replace("-", "−")
            for bound, said in ((min, low), (max, high))
        )
        return f"{least}{link}{greatest}{found[0][found.end(3) - found.start() :]}"

    return SPREAD.sub(filled, text)


def written(bound: float) -> str:
    """Return a bound as a chapter's code has it."""
    return f"{int(bound):_}" if float(bound).is_integer() and abs(bound) < 1e6 else f"{bound:.6g}"


def one_run(notebook: nbformat.NotebookNode, folder: Path, python: str, by: int) -> dict:
    """Run a chapter in its folder once, and return what `shifted.record` found.

    Raises:
        ValueError: if a claim was not measured.
    """
    with tempfile.TemporaryDirectory() as place:
        found = Path(place) / "found.json"
        first = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tools')!r}]\nimport shifted\n"
        first += f"shifted.shift({by})\nshifted.record({str(found)!r})"
        shifted = copy.deepcopy(notebook)
        shifted.cells.insert(0, nbformat.v4.new_code_cell(first))
        env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "AECOURSE_STRICT")}
        run(python, shifted, folder, env=env | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"})
        made = json.loads(found.read_text(encoding="utf-8"))
    if missing := claims(notebook).keys() ^ made["values"].keys():
        raise ValueError(f"claims in the notebook, and claims measured, are not the same: {', '.join(missing)}")
    return made


def read(path: Path) -> dict:
    """Return a chapter's record: its `stamp`, and `runs`, such as "today, seeds + 1000" → versions and values."""
    file = record_of(path)
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"stamp": "", "runs": {}}


def ranges_of(record: dict) -> dict[str, tuple[float, float]]:
    """Return claim → the range that follows from a record.

    What was between 0 and 1 in all runs is taken for a share, which is never more, unless its words say that it is
    something else: a difference, a ratio, an error, …
    """
    runs, found = [run["values"] for run in record["runs"].values()], {}
    for what in runs[0]:
        values = [run[what] for run in runs]
        low, high = span(values, signed=bool(SIGNED.search(what)))
        share = all(0 <= value <= 1 for value in values) and not _whole(values) and not NO_SHARE.search(what)
        found[what] = low, min(high, 1) if share else high
    return found


def apply(path: Path) -> int:
    """Write what follows from its record into a chapter's claims and text, and return how many ranges are new."""
    notebook, record = nbformat.read(path, as_version=4), read(path)
    before, ranges = copy.deepcopy(notebook), ranges_of(record)
    for cell in _checks(notebook):
        cell.source = with_ranges(cell.source, ranges)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_spreads(cell.source, record)
    if notebook != before:
        nbformat.write(notebook, path)
    return sum(claims(before)[what] != after for what, after in claims(notebook).items())


def main(*environments: str) -> int:
    """Make the runs that are missing, a line for each, and write the ranges; return how many runs failed."""
    today = ("today", sys.executable)
    pythons = [today, *(tuple(each.split("=")) for each in environments), *[today] * MORE]
    chapters.absolute_data_folder()
    data.load("mnist", fallback=False)  # the book's numbers are MNIST's, never the embedded digits'
    notebooks, records = {}, {}
    for path in chapters.notebooks():
        notebook = nbformat.read(path, as_version=4)
        if claims(notebook):
            notebooks[path], record, present = notebook, read(path), stamp(notebook)
            records[path] = record if record["stamp"] == present else {"stamp": present, "runs": {}}
    wanted = {f"{name}, seeds + {SHIFT * n}": (python, SHIFT * n) for n, (name, python) in enumerate(pythons)}
    tasks = [(path, name) for name in wanted for path in records if name not in records[path]["runs"]]
    failed = 0
    with ThreadPoolExecutor(2) as pool:
        jobs = {pool.submit(one_run, notebooks[path], path.parent, *wanted[name]): (path, name) for path, name in tasks}
        for job in tqdm(as_completed(jobs), total=len(jobs), unit="run"):
            path, name = jobs[job]
            try:
                found = job.result()
            except Exception as error:  # whatever stops it, the other runs are worth keeping
                failed += 1
                tqdm.write(f"✗ {path.stem}, {name}: stopped\n{error}")
                continue
            tqdm.write(f"✓ {path.stem}, {name}: {found.pop('seconds'):.0f} CPU-s, {found.pop('gigabytes'):.2f} GB")
            runs = records[path]["runs"] | {name: found}  # those of environments that are not named today stay
            records[path]["runs"] = {name: runs[name] for name in [*wanted, *runs] if name in runs}
            text = json.dumps(records[path], indent=1, ensure_ascii=False) + "\n"
            record_of(path).write_text(text, encoding="utf-8")
    complete = [path for path, record in records.items() if record["runs"].keys() >= wanted.keys()]
    changed = {path: apply(path) for path in complete}
    if complete:  # ruff without a file would format all there are
        subprocess.run([sys.executable, "-m", "ruff", "format", "-q", *complete], cwd=ROOT, check=True)
    print(f"{len(complete)} of {len(records)} chapters have all their runs; {sum(changed.values())} ranges are new")
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
