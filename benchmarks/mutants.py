"""Would a test notice?  Small faults are put into the package, one at a time; the share that no unit test sees.

    python benchmarks/mutants.py [--count 200] [--seed 0] [--only aecourse/models …] [--tests tests/test_vae.py …]

Each faulty copy, a mutant, meets the tests that ran its line, the fastest first, until one fails.  Which these are is
known from one run of every test file under coverage.py, kept in `_build/mutants/`; a file is run again when it, or
package code that it ran, has changed.  Verdicts are kept, too, so an interrupted run goes on where it was.  Tests that
need a notebook or a page are left out, and so is the code that only pages run: the explorables.  Goal: at most 5 %
survive, but for those that `mutants.json` explains.

Why not mutmut 3: it passes over functions with decorators (every figure; all under `torch.no_grad`), changes the words
of error messages, and puts wrappers where the package asks `inspect.getsource` for its own source.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import importlib
import io
import json
import linecache
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import coverage
import pytest
from faults import Fault, find
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / "_build" / "mutants"
EXPLAINED = Path(__file__).with_suffix(".json")
GOAL = 0.05
ONLY_PAGES = {"aecourse/widgets/explorables.py", "aecourse/widgets/live.py"}  # a browser tests them
SIGNATURES = "tests/test_house.py::test_no_default_of_a_public_function_changes_unnoticed"
BUDGET = 120  # seconds of tests for one mutant; it cuts only where nearly all tests run a line
MEMORY = 16 << 30
NO_UNITS = re.compile(r"^(import|from) (chapters|jupyter_client|nbclient|nbformat|pages|playwright)\b", re.MULTILINE)


@cache
def source(file: str) -> bytes:
    """Return a file of the project as it was when it was first asked for."""
    return (ROOT / file).read_bytes()


def draw(count: int, seed: int, only: list[str]) -> list[Fault]:
    """Return so many faults, no two in one line: first a line is drawn, then one of what can go wrong there."""
    lines, chance, drawn = defaultdict(list), random.Random(seed), []
    for file in sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("aecourse/**/*.py")):
        if file not in ONLY_PAGES and (not only or file.startswith(tuple(only))):
            for fault in find(source(file), file):
                lines[file, fault.line].append(fault)
    for place in chance.sample(sorted(lines), len(lines)):
        fault = chance.choice(lines[place])
        with contextlib.suppress(SyntaxError):
            ast.parse(fault.put_into(source(fault.file)))
            drawn.append(fault)
        if len(drawn) == count:
            break
    return drawn


class Watch:
    """A plugin for pytest: runs the tests wanted, times them, and tells coverage.py which one it sees.

    What is run for several tests, as the test file is imported or for a fixture of it, counts as run by all of them.
    """

    def __init__(self, wanted: set[str] | None = None, measured: coverage.Coverage | None = None):
        self.wanted, self.measured = wanted, measured
        self.seconds, self.bad, self.test = Counter(), set(), "all"

    def _see(self, test: str) -> None:
        if self.measured:
            self.measured.switch_context(test)

    def pytest_collection(self) -> None:  # noqa: D102
        self._see("all")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:  # noqa: D102
        units = [item for item in items if not {"html", "browser"} & set(item.fixturenames)]
        items[:] = [item for item in units if self.wanted is None or item.nodeid in self.wanted]

    def pytest_runtest_logstart(self, nodeid: str) -> None:  # noqa: D102
        self.test = nodeid
        self._see(nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef) -> Iterator:  # noqa: D102
        self._see(self.test if fixturedef.scope == "function" else "all")
        try:
            return (yield)
        finally:
            self._see(self.test)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:  # noqa: D102
        self.seconds[report.nodeid] += report.duration
        if report.outcome != "passed":
            self.bad.add(report.nodeid)


def prepare(workers: int) -> list[Path]:
    """Return folders with a copy of the project each, when all that its tests import from elsewhere is in memory."""
    first, *others = (STORE / f"worker{number}" for number in range(workers))
    for place in (first, *others):
        shutil.rmtree(place, ignore_errors=True)
    files = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    for name in files.stdout.decode().strip("\0").split("\0"):
        if (ROOT / name).is_file():
            (first / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, first / name)
    before, path = Path.cwd(), list(sys.path)
    _enter(first)
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *(f"tests/{file.name}" for file in units([]))])
    os.chdir(before)
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(f"{first}/"):
            del sys.modules[name]
    linecache.clearcache()
    for place in others:
        shutil.copytree(first, place)
    return [first, *others]


def _enter(place: Path) -> None:
    os.chdir(place)
    sys.path.insert(0, str(place))
    os.environ["PYTHONPATH"] = str(place)
    importlib.invalidate_caches()


def in_children(
    what: str, tasks: list, places: list[Path], work: Callable[[object, Path], int], limit: Callable[[object], float]
) -> Iterator[tuple[object, Path, int | None]]:
    """Yield task, place and what `work(task, place)` returned in a process of its own, None if it took too long."""
    free, running, queue = list(places), {}, tasks[::-1]
    try:
        with tqdm(total=len(tasks), desc=what, disable=False) as bar:
            while queue or running:
                while queue and free:
                    task, place = queue.pop(), free.pop()
                    child = os.fork() or _child(work, task, place)
                    running[child] = task, place, time.monotonic() + limit(task)
                time.sleep(0.02)
                for child, (task, place, end) in list(running.items()):
                    ended, status = os.waitpid(child, os.WNOHANG)
                    if ended or time.monotonic() > end:
                        del running[child]
                        if not ended:
                            os.killpg(child, signal.SIGKILL)
                            os.waitpid(child, 0)
                        free.append(place)
                        bar.update()
                        yield task, place, os.waitstatus_to_exitcode(status) if ended else None
    finally:
        for child in running:
            os.killpg(child, signal.SIGKILL)


def _child(work: Callable[[object, Path], int], task: object, place: Path) -> None:
    """Work quietly in the place, and leave without tidying up what is the parent's."""
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        output = os.open(place / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        _enter(place)
        code = int(work(task, place))
    finally:
        os._exit(code)


def units(named: list[str]) -> list[Path]:
    """Return the files of unit tests, all or those named."""
    paths = [ROOT / name for name in named] or sorted(ROOT.glob("tests/test_*.py"))
    return [path for path in paths if not NO_UNITS.search(path.read_text("utf-8"))]


def record(path: Path, place: Path) -> int:
    """Run a file of tests and keep which of those that pass run which lines of the package."""
    measured = coverage.Coverage(data_file=None, config_file=False, source=[str(place / "aecourse")], messages=False)
    watch, ran = Watch(measured=measured), {}
    measured.start()
    pytest.main(["-q", "-p", "no:cacheprovider", f"tests/{path.name}"], plugins=[watch])
    measured.stop()
    tests = sorted(set(watch.seconds) - watch.bad)
    numbers = {name: number for number, name in enumerate(tests)} | {"all": -1}
    for file in measured.get_data().measured_files():
        lines = measured.get_data().contexts_by_lineno(file).items()
        by_line = {line: [numbers[name] for name in names if name in numbers] for line, names in lines}
        if any(by_line.values()):
            ran[Path(file).relative_to(place).as_posix()] = by_line
    content = {"key": _key(path, ran), "tests": [(name, watch.seconds[name]) for name in tests], "ran": ran}
    (STORE / f"{path.stem}.json").write_text(json.dumps(content))
    return 0


def recorded(path: Path) -> dict | None:
    """Return what `record` kept of a file of tests, None if it, or what it ran, has changed."""
    with contextlib.suppress(OSError):
        content = json.loads((STORE / f"{path.stem}.json").read_text())
        if content["key"] == _key(path, content["ran"]):
            return content
    return None


def _key(path: Path, ran: dict) -> str:
    return hashlib.sha1(b"".join(map(source, [path.relative_to(ROOT).as_posix(), *sorted(ran)]))).hexdigest()


def tests_for(fault: Fault, records: list[dict]) -> tuple[list[str], float, str]:
    """Return the tests that may see a fault, the quickest file first, their seconds, and a key of fault and tests."""
    seconds, keys = {}, []
    for lines in fault.reach:
        for one in records if not seconds else ():
            ran = one["ran"].get(fault.file, {})
            if numbers := {number for line in lines for number in ran.get(str(line), ())}:
                seconds |= dict(one["tests"] if -1 in numbers else [one["tests"][number] for number in numbers])
                keys.append(one["key"])
    for one in records if fault.default else ():
        if SIGNATURES in dict(one["tests"]):  # it runs no line of the function
            seconds[SIGNATURES] = dict(one["tests"])[SIGNATURES]
            keys.append(one["key"])
    chosen, by_file = [], Counter()
    for name in sorted(seconds, key=seconds.get):
        if by_file.total() + seconds[name] <= BUDGET:
            chosen.append(name)
            by_file[name.split("::")[0]] += seconds[name]
    chosen.sort(key=lambda name: by_file[name.split("::")[0]])
    mutant = fault.put_into(source(fault.file))
    return chosen, by_file.total(), hashlib.sha1(mutant + repr(sorted(keys)).encode()).hexdigest()


def explains(entry: dict[str, str], fault: Fault) -> bool:
    """Return whether an entry of `mutants.json` speaks of a fault: what it names is equal, where * is any text."""
    return all(
        part == "reason" or fnmatchcase(getattr(fault, part), pattern.replace("[", "[[]"))
        for part, pattern in entry.items()
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0, help="fixes which")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument(
        "--only", nargs="*", default=[], help="files or folders that get faults; the package by default"
    )
    parser.add_argument("--tests", nargs="*", default=[], help="files of tests; all by default")
    given = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "COVERAGE_CORE": "ctrace"}  # before torch is imported
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no worker is left alone
    STORE.mkdir(parents=True, exist_ok=True)
    faults, files, places = draw(given.count, given.seed, given.only), units(given.tests), prepare(given.jobs)

    new = [path for path in files if not recorded(path)]
    for path, place, code in in_children("test files", new, places, record, lambda path: 3600):
        if code != 0:
            print(f"{path.name} could not be run; its last words are in {place / 'output.txt'}")
            return 1
    records = [recorded(path) for path in files]
    plans = {fault: tests_for(fault, records) for fault in faults}

    def meet(fault: Fault, place: Path) -> int:
        sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
        (place / fault.file).write_bytes(fault.put_into(source(fault.file)))
        names = list(dict.fromkeys(name.split("::")[0] for name in plans[fault][0]))
        return pytest.main(["-x", "-q", "-p", "no:cacheprovider", *names], plugins=[Watch(set(plans[fault][0]))])

    kept = STORE / "verdicts.json"
    verdicts = json.loads(kept.read_text()) if kept.exists() else {}
    new = [fault for fault, (tests, _, key) in plans.items() if tests and key not in verdicts]
    for fault, place, code in in_children("mutants", new, places, meet, lambda fault: 30 + 5 * plans[fault][1]):
        (place / fault.file).write_bytes(source(fault.file))
        verdicts[plans[fault][2]] = {None: "late", 0: "alive", 5: "alive"}.get(code, "killed")
        kept.write_text(json.dumps(verdicts))

    found, reasons = defaultdict(list), json.loads(EXPLAINED.read_text("utf-8"))
    for fault in sorted(faults, key=lambda fault: (fault.file, fault.line)):
        tests, _, key = plans[fault]
        words = f"{fault.file}:{fault.line} {fault.function}, run by {len(tests)} tests"
        words += f"\n  - {fault.before}\n  + {fault.after}"
        verdict = verdicts[key] if tests else "alive"
        for entry in reasons if verdict == "alive" else ():
            if explains(entry, fault):
                verdict, words = "explained", f"{words}\n  = {entry['reason']}"
        found[verdict].append(words)
    report = [line for verdict in ("explained", "alive") for line in (f"{verdict}:", *found[verdict])]
    (STORE / "survivors.txt").write_text("\n".join(report) + "\n", "utf-8")
    print(*report, sep="\n")
    share = len(found["alive"]) / len(faults)
    counts = ", ".join(f"{len(found[verdict])} {verdict}" for verdict in ("killed", "late", "explained", "alive"))
    print(f"{len(faults)} mutants (seed {given.seed}): {counts}. Alive and not explained {share:.1%}; goal {GOAL:.0%}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
