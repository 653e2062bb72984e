"""How much code stands behind a line of a chapter: code lines that it can reach, without docstrings and comments.

`python benchmarks/lines.py` counts what trains a VAE; any other code may be given as the argument.  Reached is what
`tools/fingerprint.py` reaches: whole functions, and whole classes of which only a part may run.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import fingerprint  # noqa: E402

TRAIN_A_VAE = "import aecourse as ae\nae.training.fit(ae.models.VAE((784, 300, 16)), images)"


def code_lines(node: ast.stmt, text: list[str]) -> int:
    """Return how many lines of a definition are code: no comments, docstrings or blank lines."""
    lines = set(
        range(min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))]), node.end_lineno + 1)
    )
    for part in ast.walk(node):
        body = getattr(part, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            lines -= set(range(body[0].lineno, body[0].end_lineno + 1))
    return sum(text[line - 1].strip() != "" and text[line - 1].strip()[0] != "#" for line in lines)


def count(code: str, package: Path = ROOT / "aecourse") -> Counter[str]:
    """Return module → how many lines of it the code can reach."""
    found: Counter[str] = Counter()
    for symbol, nodes, text in fingerprint.reached([code], package):
        found[symbol.module] += sum(code_lines(node, text.splitlines()) for node in nodes)
    return found


if __name__ == "__main__":
    lines = count(sys.argv[1] if len(sys.argv) > 1 else TRAIN_A_VAE)
    for module, number in lines.most_common():
        print(f"{number:5}  {module}")
    print(f"{sum(lines.values()):5}  in all")
