"""What a chapter uses to be honest: source code as it is, and claims that are checked as they are made."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

from torch import Tensor

from .data import Dataset


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


def claims(*rows: tuple[str, float | Tensor, float, float], on: Dataset | None = None) -> Claims:
    """Check that numbers lie where the text says, and return a line for each that says so.

    Args:
        rows: `(what, value, low, high)`: the claim in words with its unit, the measured number, and the least
            and the greatest value with which the text would still be true, from repeated runs with other seeds.
        on: the data set measured.  The text speaks of MNIST: on the embedded digits, which a reader
            without a network gets, the numbers are shown but not checked.

    Raises:
        AssertionError: if a value is outside [low, high], or is NaN; the message names every one that is.
    """
    lines, wrong = [], []
    for what, value, low, high in rows:
        value = float(value.detach() if isinstance(value, Tensor) else value)
        if on is not None and on.name != "mnist":
            lines.append(f"· {what}: {value:.4g} on {on.name} (the text speaks of MNIST)")
            continue
        lines.append(f"✓ {what}: {value:.4g} (the text holds from {low:.4g} to {high:.4g})")
        if not low <= value <= high:
            wrong.append(f"claim {what!r}: got {value:.6g}, but the text says it lies in [{low:g}, {high:g}]")
    if wrong:
        raise AssertionError("\n".join(wrong))
    return Claims("\n".join(lines))
