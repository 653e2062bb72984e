"""What the stored outputs of a notebook depend on, as one hash.

That is its own code and every function, class and constant of the package that this code can reach, followed
name by name through the sources, and the files of the package that they name.  So a change in one function makes
only those notebooks stale that use it, and a chapter added to the course does not make the others stale.
"""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "aecourse"


class Symbol(NamedTuple):
    """A top-level name of a module; the name "" is the module as a whole."""

    module: str
    name: str


@dataclass
class Module:
    """The top-level definitions of a source file, what its imported names stand for, and where it lies."""

    folder: Path
    sources: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, list[ast.AST]] = field(default_factory=dict)
    imports: dict[str, Symbol] = field(default_factory=dict)

    def define(self, name: str, node: ast.AST, source: str) -> None:
        """Add a definition; one that is split over several statements is joined."""
        self.sources[name] = self.sources.get(name, "") + source
        self.nodes.setdefault(name, []).append(node)


def fingerprint(notebook: nbformat.NotebookNode, package: Path = ROOT / PACKAGE) -> str:
    """Return the hash of the notebook's code cells and of all package code that they can reach.

    Cells tagged `setup` do not count: they install the package and say nothing of what it does.
    """
    return of_code(
        [cell.source for cell in notebook.cells if cell.cell_type == "code" and "setup" not in _tags(cell)], package
    )


def of_code(code: list[str], package: Path = ROOT / PACKAGE) -> str:
    """Return the hash of pieces of code and of all package code that they can reach.

    Other files of the package count if code that is reached names them, or their folder, in a string.
    """
    modules = _modules(package)
    reached = _reachable(code, modules)
    parts = code + [f"{symbol}\n{modules[symbol.module].sources[symbol.name]}" for symbol in reached]
    files = {file for symbol in reached for file in _named_files(symbol, modules)}
    digests = [
        f"{file.relative_to(package)}\n{hashlib.sha256(file.read_bytes()).hexdigest()}" for file in sorted(files)
    ]
    return hashlib.sha256("\0".join(parts + digests).encode()).hexdigest()


def _named_files(symbol: Symbol, modules: dict[str, Module]) -> set[Path]:
    """Return the files that are no Python and whose name, or whose folder's name, is a string in a definition."""
    module = modules[symbol.module]
    constants = [
        part for node in module.nodes[symbol.name] for part in ast.walk(node) if isinstance(part, ast.Constant)
    ]
    names = {
        part.value for part in constants if isinstance(part.value, str) and re.fullmatch(r"[\w-]+(\.\w+)?", part.value)
    }
    named = {module.folder / name for name in names}
    inside = {file for place in named if place.is_dir() for file in place.iterdir()}
    return {file for file in named | inside if file.is_file() and file.suffix != ".py"}


def _tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _modules(package: Path) -> dict[str, Module]:
    modules = {}
    for path in sorted(package.rglob("*.py")):
        dotted = [PACKAGE, *path.relative_to(package).with_suffix("").parts]
        is_package = dotted[-1] == "__init__"
        name = ".".join(dotted[:-1] if is_package else dotted)
        modules[name] = _parse(path, name, is_package)
    return modules


def _parse(path: Path, name: str, is_package: bool) -> Module:
    text = path.read_text(encoding="utf-8")
    module = Module(path.parent)
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith(PACKAGE)):
            parents = name.split(".")[: len(name.split(".")) - node.level + is_package] if node.level else []
            source = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                module.imports[alias.asname or alias.name] = Symbol(source, alias.name)
    for node in tree.body:
        source = "\n".join(text.splitlines()[_first_line(node) - 1 : node.end_lineno])
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            module.define(node.name, node, source)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for part in ast.walk(target):
                    if isinstance(part, ast.Name):
                        module.define(part.id, node, source)
    return module


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def _reachable(code: list[str], modules: dict[str, Module]) -> list[Symbol]:
    cells = ast.parse("\n".join(code))
    root = {
        alias.asname or alias.name: Symbol(alias.name, "")
        for node in ast.walk(cells)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] == PACKAGE
    }
    for node in ast.walk(cells):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            root |= {alias.asname or alias.name: Symbol(node.module, alias.name) for alias in node.names}
    found: set[Symbol] = set()
    waiting = _references(cells, root, modules)
    while waiting:
        symbol = waiting.pop()
        if symbol in found:
            continue
        found.add(symbol)
        module = modules[symbol.module]
        known = {name: Symbol(symbol.module, name) for name in module.sources} | module.imports
        for node in module.nodes[symbol.name]:
            waiting |= _references(node, known, modules)
    return sorted(found)


def _references(tree: ast.AST, known: dict[str, Symbol], modules: dict[str, Module]) -> set[Symbol]:
    """Return the definitions that the names and dotted names in `tree` stand for."""
    found: set[Symbol] = set()
    inner: set[int] = set()  # the parts of a dotted name that was already followed as a whole
    for node in ast.walk(tree):  # a dotted name comes before its parts
        if not isinstance(node, ast.Attribute | ast.Name) or id(node) in inner:
            continue
        chain: list[str] = []
        part: ast.AST = node
        while isinstance(part, ast.Attribute):
            chain.insert(0, part.attr)
            part = part.value
            inner.add(id(part))
        if isinstance(part, ast.Name) and part.id in known:
            found |= _resolve(known[part.id], chain, modules)
    return found


def _resolve(symbol: Symbol, chain: list[str], modules: dict[str, Module]) -> set[Symbol]:
    """Follow a name, and the attributes taken from it, to a definition; a bare module is all that it defines."""
    inner = f"{symbol.module}.{symbol.name}" if symbol.name else symbol.module
    if inner in modules:
        if chain:
            return _resolve(Symbol(inner, chain[0]), chain[1:], modules)
        within = [name for name in modules if f"{name}.".startswith(f"{inner}.")]
        return {Symbol(name, each) for name in within for each in modules[name].sources}
    module = modules.get(symbol.module)
    if module is None:
        return set()
    if symbol.name in module.sources:
        return {symbol}
    if symbol.name in module.imports:
        return _resolve(module.imports[symbol.name], chain, modules)
    return set()
