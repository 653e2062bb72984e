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
    return Source("\n\n".join(_without_docstrings(inspect.getsource(thing)) for thing in objects))


def _without_docstrings(source: str) -> str:
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


class Claim(str):
    """A checked claim, as one line of text."""

    def __repr__(self) -> str:
        return str(self)


def claim(what: str, value: float | Tensor, low: float, high: float, *, on: Dataset | None = None) -> Claim:
    """Check that a number lies where the text says, and return a line that says so.

    Args:
        what: the claim in words, with its unit.
        value: the measured number.
        low: the least value with which the text would still be true.
        high: the greatest such value; both come from repeated runs with other seeds.
        on: the data set measured.  The text speaks of MNIST: on the embedded digits, which a reader
            without a network gets, the number is shown but not checked.

    Raises:
        AssertionError: if the value is outside [low, high], or is NaN.
    """
    value = float(value.detach() if isinstance(value, Tensor) else value)
    if on is not None and on.name != "mnist":
        return Claim(f"· {what}: {value:.4g} on {on.name} (the text speaks of MNIST)")
    if not low <= value <= high:
        raise AssertionError(f"claim {what!r}: got {value:.6g}, but the text says it lies in [{low:g}, {high:g}]")
    return Claim(f"✓ {what}: {value:.4g} (the text holds from {low:.4g} to {high:.4g})")
