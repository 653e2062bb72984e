"""How the package is built: which room may use which, and that every name means one thing."""

import ast
import inspect
import re
from collections import Counter
from pathlib import Path

import fingerprint
import pytest

import aecourse as ae

ROOT = fingerprint.ROOT
PACKAGE = ROOT / "aecourse"
SIGNATURES = Path(__file__).with_name("signatures.txt")
# The drawing in the README: a line for each room, the highest first, and after the dot the rooms that it uses.
DRAWING = re.search(r"<!-- rooms -->\n+```text\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)[1]
ORDER = [line.split()[0] for line in reversed(DRAWING.splitlines())]


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(path):
    """Return the modules of the package that a file imports, wherever in it, but not those for type hints alone."""
    name, tree = module_name(path), ast.parse(path.read_text("utf-8"))
    for_hints = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if node in for_hints:
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                inner = ".".join([*base, alias.name])
                found.add(inner if inner in MODULES else ".".join(base))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found |= {each for each in names if each.split(".")[0] == "aecourse"}
    return found - {name}


ARROWS = {name: imports(path) for name, path in MODULES.items()}


def room(module):
    """Return the room that a module stands in: a file or a folder of the package."""
    return module.split(".")[1] if "." in module else ""


def draw():
    """Return the drawing of the package as its imports make it, in the README's order of rooms."""
    rooms = {room(name) for name in MODULES} - {""}
    order = [name for name in ORDER if name in rooms] + sorted(rooms - {*ORDER})
    lines = []
    for name in reversed(order):
        used = {room(target) for module in MODULES if room(module) == name for target in ARROWS[module]} - {name}
        lines.append(f"{name:<10} · {', '.join(sorted(used, key=order.index))}".rstrip())
    return "\n".join(lines) + "\n"


def test_the_drawing_in_the_readme_shows_every_room_and_what_it_uses():
    assert draw() == DRAWING


@pytest.mark.parametrize("name", [name for name in MODULES if room(name)])
def test_a_room_uses_nothing_of_a_higher_one(name):
    used = {room(target) for target in ARROWS[name]} - {room(name)}
    assert "" not in used, "a room imports the whole house"
    assert {each for each in used if ORDER.index(each) > ORDER.index(room(name))} == set()


def test_no_module_imports_itself_by_way_of_others():
    def reaches(name, path=()):
        assert name not in path, f"a circle: {' -> '.join([*path, name])}"
        for target in ARROWS.get(name, ()):
            inside = target in MODULES and MODULES[target].stem == "__init__" and name.startswith(f"{target}.")
            assert not inside, f"{name} imports the folder that it lies in"
            reaches(target, (*path, name))

    for name in MODULES:
        if room(name):
            reaches(name)


def test_no_import_is_hidden_in_a_function():
    hidden = [
        f"{name}: {ast.unparse(node)}"
        for name, path in MODULES.items()
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    # The pad needs anywidget, which only those have who want it.
    assert [each for each in hidden if "Pad" not in each] == []


def test_no_two_files_of_python_share_a_name():
    folders = ("aecourse", "tools", "grading", "benchmarks", "tests")
    stems = [path.stem for folder in folders for path in (ROOT / folder).rglob("*.py")]
    stems += [path.name for folder in folders for path in (ROOT / folder).rglob("*") if any(path.glob("[!_]*.py"))]
    twice = {name: count for name, count in Counter(stems).items() if count > 1 and name != "__init__"}
    assert twice == {}


def public(module):
    """Return the public functions and classes that a module defines."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    nodes = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [node.name for node in nodes if not node.name.startswith("_")]


# Functions that are called by the name of their room, which says the verb or the object.
BY_ROOM = {
    "load": "data.load, data.chorales.load and checkpoint.load each load what their room holds",
    "images": "checks.images checks them and plots.images draws them",
}


def test_a_public_name_means_one_thing():
    # A question of an exercise may be called what it asks for, and an explorable what it shows.
    rooms = [name for name in MODULES if room(name) not in ("", "exercises", "widgets")]
    where = {}
    for module in rooms:
        for name in public(module):
            where.setdefault(name, []).append(module)
    assert {name: modules for name, modules in where.items() if len(modules) > 1 and name not in BY_ROOM} == {}


def test_every_public_name_of_the_evaluation_is_listed_where_it_is_defined_and_found_under_the_short_name():
    for module in [name for name in MODULES if name.startswith("aecourse.evaluate.")]:
        listed = getattr(ae.evaluate, module.split(".")[-1]).__all__
        assert set(public(module)) - {"in_batches"} <= {*listed}, module  # which its neighbours use, and nobody else
        assert all(hasattr(ae.evaluate, name) for name in listed)


def test_the_page_of_the_package_describes_every_module_with_public_names():
    page = (ROOT / "book/appendix/api.md").read_text("utf-8")
    described = set(re.findall(r"auto(?:module|function):: (aecourse[\w.]*)", page))
    inner = {"aecourse.progress", "aecourse.widgets", "aecourse.widgets.live"}  # the pad has a place of its own
    wanted = {name for name in MODULES if room(name) not in ("", "exercises") and public(name)} - inner
    assert wanted - described == set()


def test_the_readmes_map_names_every_room():
    text = Path(ROOT / "README.md").read_text("utf-8").split("## What lies where")[1]
    for name in {room(name) for name in MODULES} - {""}:
        assert re.search(rf"^  {name}(/|\.py)\s|\b{name}\.py\b", text, re.MULTILINE), name
    for folder in ("book/", "aecourse/", "assignments/", "grading/", "tests/", "tools/", "benchmarks/"):
        assert re.search(rf"^{folder}\s", text, re.MULTILINE), folder


def signatures():
    """Yield a line for each public function and class of the package: its name, and its arguments with defaults."""
    rooms = [ae.book, ae.checkpoint, ae.coding, ae.data, ae.data.chorales, ae.evaluate, ae.losses, ae.models, ae.plots]
    for room in [*rooms, ae.training, ae.widgets]:
        for name, thing in sorted(vars(room).items()):
            here = (getattr(thing, "__module__", None) or "").startswith(room.__name__)
            plain = isinstance(thing, type) and issubclass(thing, tuple | str | Exception)
            if here and callable(thing) and name[0] != "_" and not plain:
                arguments = inspect.signature(thing).parameters.values()
                given = [argument.replace(annotation=inspect.Parameter.empty) for argument in arguments]
                text = re.sub(r" at 0x\w+", "", str(inspect.Signature(given)))
                yield f"{room.__name__.removeprefix('aecourse.')}.{name}{text}"


def test_no_default_of_a_public_function_changes_unnoticed():
    """The numbers of chapters rest on them; after a change, run `PYTHONPATH=tools python tests/test_house.py`."""
    assert SIGNATURES.read_text("utf-8").splitlines() == list(signatures())


if __name__ == "__main__":
    SIGNATURES.write_text("\n".join(signatures()) + "\n", "utf-8")
