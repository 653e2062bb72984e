"""What the stored outputs of a notebook depend on, as one hash.

That is its own code and every function, class and constant of the package that this code can reach, followed
name by name through the sources, and the files of the package that they name.  So a change in one function makes
only those notebooks stale that use it, and a chapter added to the course does not make the others stale.

Code counts as what it does: comments, docstrings, white space, type hints of functions and the module that a
definition lies in do not, so that all of these can be mended without running a chapter again.  Only what a notebook
shows with `ae.show` counts as text, as it is shown.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import nbformat

from aecourse.book import without_docstrings

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "aecourse"


class Modules(dict):
    """Module → what is in it, of a package as it was once; equal to itself alone, so that what it holds is kept."""

    __eq__, __hash__ = object.__eq__, object.__hash__


class Symbol(NamedTuple):
    """A top-level name of a module; the name "" is the module as a whole."""

    module: str
    name: str


@dataclass
class Module:
    """The top-level definitions of a source file, what its imported names stand for, and where it lies."""

    folder: Path
    text: str
    nodes: dict[str, list[ast.AST]] = field(default_factory=dict)
    imports: dict[str, Symbol] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)  # the modules all of whose names it imports


def machine() -> str:
    """Return what results are made on, to be kept beside them."""
    return f"{platform.machine()} CPU, one thread, torch {version('torch').split('+')[0]}"


def fingerprint(notebook: nbformat.NotebookNode, package: Path = ROOT / PACKAGE) -> str:
    """Return the hash of the notebook's code cells and of all package code that they can reach.

    Cells tagged `setup` do not count: they install the package and say nothing of what it does.
    """
    return of_code(
        [cell.source for cell in notebook.cells if cell.cell_type == "code" and "setup" not in _tags(cell)], package
    )


def of_code(code: list[str], package: Path = ROOT / PACKAGE) -> str:
    """Return the hash of pieces of code and of all package code that they can reach.

    Other files of the package count if code that is reached names them, or their folder, in a string; where the pieces
    of code name some files of the folder in strings, without suffix, only these.
    """
    modules = _modules(package)
    cells = ast.parse("\n".join(code))
    reached = _reachable(cells, modules)
    silent = [cell.rstrip().endswith(";") for cell in code]  # a last line that a notebook does not show
    definitions = sorted(_definition(symbol, modules) for symbol in reached)
    parts = [meaning(cells), str(silent), *definitions, *_shown(cells, modules)]
    strings = {node.value for node in ast.walk(cells) if isinstance(node, ast.Constant)}
    files = {file for symbol in reached for file in _named_files(symbol, strings, modules)}
    digests = [
        f"{file.relative_to(package)}\n{hashlib.sha256(file.read_bytes()).hexdigest()}" for file in sorted(files)
    ]
    return hashlib.sha256("\0".join(parts + digests).encode()).hexdigest()


def reached(code: list[str], package: Path = ROOT / PACKAGE) -> list[tuple[Symbol, list[ast.AST], str]]:
    """Return the definitions that pieces of code can reach, each with its statements and the text of its module."""
    modules = _modules(package)
    found = _reachable(ast.parse("\n".join(code)), modules)
    return [(each, modules[each.module].nodes[each.name], modules[each.module].text) for each in sorted(found)]


def meaning(node: ast.AST) -> str:
    """Return what a piece of code does, as a text in which nothing else counts.

    Comments, docstrings, white space and hints of functions' types are left out.  A class keeps the types of its
    fields: a dataclass is made of them.
    """
    return str(_meaning(node))


def _meaning(part: object) -> object:
    if isinstance(part, list):
        return [_meaning(each) for each in part]
    if not isinstance(part, ast.AST):
        return repr(part)
    fields = dict(ast.iter_fields(part))
    if isinstance(part, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        first = part.body[0] if part.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            fields["body"] = part.body[1:]
    if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.arg):
        fields |= {"returns": None, "annotation": None}
    # What is empty is left out, since other versions of Python have other fields that may be empty.
    kept = {name: value for name, value in fields.items() if value not in (None, []) and name not in ("ctx", "kind")}
    return [type(part).__name__, *((name, _meaning(value)) for name, value in sorted(kept.items()))]


def _shown(cells: ast.Module, modules: Modules) -> Iterator[str]:
    """Yield the text of everything that is given to `show`, without docstrings, as the page has it."""
    for call in ast.walk(cells):
        if isinstance(call, ast.Call) and _dotted(call.func)[-1:] == ["show"]:
            for argument in call.args:
                aliases = _aliases(cells)
                chain = _dotted(argument)
                while chain and chain[0] in aliases:
                    chain = aliases.pop(chain[0]) + chain[1:]
                for symbol, rest in _follow(chain, _package_names(cells), modules):
                    yield from _texts(symbol, rest, modules)


def _texts(symbol: Symbol, rest: list[str], modules: Modules) -> Iterator[str]:
    """Yield the text of a definition, or of the method of a class that `rest` begins with, which may be inherited."""
    module = modules[symbol.module]
    for node in module.nodes[symbol.name]:
        methods = [part for part in getattr(node, "body", []) if getattr(part, "name", None) in rest[:1]]
        bases = [] if methods or not rest or not isinstance(node, ast.ClassDef) else node.bases
        known = _known(symbol.module, modules)
        inherited = [found for base in bases for found, _ in _follow(_dotted(base), known, modules)]
        for base in inherited:
            yield from _texts(base, rest, modules)
        for part in methods or ([] if inherited else [node]):
            lines = module.text.splitlines()[_first_line(part) - 1 : part.end_lineno]
            yield without_docstrings("\n".join(lines))


def _aliases(cells: ast.Module) -> dict[str, list[str]]:
    """Return the dotted names that cells give a short one: `VAE = ae.models.VAE`, alone or several at once."""
    found = {}
    for node in ast.walk(cells):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            (target,), value = node.targets, node.value
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=False))
            for name, what in pairs:
                if isinstance(name, ast.Name) and _dotted(what)[:1] not in ([], [name.id]):
                    found[name.id] = _dotted(what)
    return found


def _dotted(node: ast.AST) -> list[str]:
    """Return the parts of a dotted name, [] for anything else."""
    if isinstance(node, ast.Name):
        return [node.id]
    inner = _dotted(node.value) if isinstance(node, ast.Attribute) else []
    return [*inner, node.attr] if inner else []


def _named_files(symbol: Symbol, strings: set, modules: Modules) -> set[Path]:
    """Return the files that are no Python and whose name, or whose folder's name, is a string in a definition.

    Of a folder of which some files are among the `strings`, only these.
    """
    module = modules[symbol.module]
    constants = [
        part for node in module.nodes[symbol.name] for part in ast.walk(node) if isinstance(part, ast.Constant)
    ]
    names = {
        part.value for part in constants if isinstance(part.value, str) and re.fullmatch(r"[\w-]+(\.\w+)?", part.value)
    }
    named = {module.folder / name for name in names}
    inside = set()
    for place in filter(Path.is_dir, named):
        files = set(place.iterdir())
        inside |= {file for file in files if file.stem in strings} or files
    return {file for file in named | inside if file.is_file() and file.suffix != ".py"}


def _tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _modules(package: Path) -> Modules:
    return _parsed(package, tuple((path, path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))))


@functools.cache
def _parsed(package: Path, files: tuple[tuple[Path, str], ...]) -> Modules:
    modules = Modules()
    for path, text in files:
        dotted = [PACKAGE, *path.relative_to(package).with_suffix("").parts]
        is_package = dotted[-1] == "__init__"
        name = ".".join(dotted[:-1] if is_package else dotted)
        modules[name] = _parse(path.parent, name, is_package, text)
    return modules


@functools.cache
def _parse(folder: Path, name: str, is_package: bool, text: str) -> Module:
    module = Module(folder, text)
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith(PACKAGE)):
            parents = name.split(".")[: len(name.split(".")) - node.level + is_package] if node.level else []
            source = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                if alias.name == "*":
                    module.stars.append(source)
                else:
                    module.imports[alias.asname or alias.name] = Symbol(source, alias.name)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            module.nodes.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for part in ast.walk(target):
                    if isinstance(part, ast.Name):
                        module.nodes.setdefault(part.id, []).append(node)
    return module


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def _package_names(cells: ast.Module) -> dict[str, Symbol]:
    """Return what the names that cells import from the package stand for."""
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
    return root


def _known(module: str, modules: Modules) -> dict[str, Symbol]:
    """Return what the names that a module defines and imports stand for."""
    return {name: Symbol(module, name) for name in modules[module].nodes} | modules[module].imports


def _reachable(cells: ast.Module, modules: Modules) -> set[Symbol]:
    found: set[Symbol] = set()
    waiting = _references(cells, _package_names(cells), modules)
    while waiting:
        symbol = waiting.pop()
        if symbol in found:
            continue
        found.add(symbol)
        waiting |= _used(symbol, modules)
    return found


@functools.cache
def _used(symbol: Symbol, modules: Modules) -> set[Symbol]:
    """Return the definitions that one refers to."""
    known = _known(symbol.module, modules)
    nodes = modules[symbol.module].nodes[symbol.name]
    return {used for node in nodes for used in _references(node, known, modules)}


@functools.cache
def _definition(symbol: Symbol, modules: Modules) -> str:
    """Return what a definition does, and its name."""
    return str([symbol.name, *map(meaning, modules[symbol.module].nodes[symbol.name])])


def _references(tree: ast.AST, known: dict[str, Symbol], modules: Modules) -> set[Symbol]:
    """Return the definitions that the names and dotted names in `tree` stand for."""
    found: set[Symbol] = set()
    inner: set[int] = set()  # the parts of a dotted name that was already followed as a whole
    for node in ast.walk(tree):  # a dotted name comes before its parts
        if isinstance(node, ast.Attribute | ast.Name) and id(node) not in inner:
            part = node
            while isinstance(part, ast.Attribute):
                part = part.value
                inner.add(id(part))
            found |= {symbol for symbol, _ in _follow(_dotted(node), known, modules)}
    return found


def _follow(chain: list[str], known: dict[str, Symbol], modules: Modules) -> list[tuple[Symbol, list[str]]]:
    """Return the definitions that a dotted name stands for, each with the attributes that are then taken from it."""
    return _resolve(known[chain[0]], chain[1:], modules) if chain and chain[0] in known else []


def _resolve(symbol: Symbol, chain: list[str], modules: Modules) -> list[tuple[Symbol, list[str]]]:
    """Follow a name, and the attributes taken from it, to a definition; a bare module is all that it defines."""
    inner = f"{symbol.module}.{symbol.name}" if symbol.name else symbol.module
    if inner in modules:
        if chain:
            return _resolve(Symbol(inner, chain[0]), chain[1:], modules)
        within = [name for name in modules if f"{name}.".startswith(f"{inner}.")]
        return [(Symbol(name, each), []) for name in within for each in modules[name].nodes]
    module = modules.get(symbol.module)
    if module is None:
        return []
    if symbol.name in module.nodes:
        return [(symbol, chain)]
    if symbol.name in module.imports:
        return _resolve(module.imports[symbol.name], chain, modules)
    return [found for star in module.stars for found in _resolve(Symbol(star, symbol.name), chain, modules)]
