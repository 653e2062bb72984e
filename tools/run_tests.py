"""Run the unit tests, or chapters and masters of exercises, but for those that passed before as they are now.

    python tools/run_tests.py units [PYTEST OPTION …]
    python tools/run_tests.py notebooks [PYTEST OPTION …]

The state of a notebook is its text, the package, the versions of all libraries, and the data; that of a file of unit
tests is all of this project but the chapters, and these too if it reads them.  What passed is kept in
`.verified.json`, which belongs to this working copy alone; where CI is set, or that file is deleted, all are run.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import chapters
import platformdirs
from fingerprint import PACKAGE, ROOT

VERIFIED = ROOT / ".verified.json"
READS_CHAPTERS = re.compile(r"^(import|from) chapters\b|\bhtml\b[,)]|\"book\"", re.MULTILINE)  # `html` builds them
CHAPTERS = ("book/part*",)
FOLDERS = (".ci", ".github", "assignments", "benchmarks", "book/[!p]*", "grading", "tests", "tools")
OTHERS = (*FOLDERS, "Makefile", "*.md", "*.txt", "*.yml")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "bwrap")  # without them tests are skipped


def notebooks() -> list[Path]:
    """Return the notebooks: chapters, and masters, which hold all that a student's notebook has and the solutions."""
    return [*chapters.notebooks(), *sorted((ROOT / "assignments").glob("*.ipynb"))]


def units() -> list[Path]:
    """Return the files of unit tests."""
    return sorted((ROOT / "tests").glob("test_*.py"))


def states(paths: list[Path]) -> dict[str, str]:
    """Return notebook, or file of unit tests → a hash of all that its outcome depends on."""
    around, others, all_chapters = _surroundings(), _content(*OTHERS), _content(*CHAPTERS)
    programs = [shutil.which(name) for name in PROGRAMS]

    def state(path: Path) -> str:
        if path.suffix == ".ipynb":
            return _hash(around, _content(str(path.relative_to(ROOT))))
        reads = READS_CHAPTERS.search(path.read_text("utf-8"))
        return _hash(around, others, programs, all_chapters if reads else None)

    return {str(path.relative_to(ROOT)): state(path) for path in paths}


def _surroundings() -> list:
    """Return all that a notebook's run depends on but for the notebook: code, libraries, and data."""
    libraries = sorted(f"{each.name} {each.version}" for each in distributions())
    chapters.absolute_data_folder()
    folders = [platformdirs.user_cache_path("aecourse")]
    folders += [Path(own)] if (own := os.environ.get("AECOURSE_DATA")) else []
    data = [(str(path), path.stat().st_size, path.stat().st_mtime_ns)
            for folder in folders for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix != ".pt"]  # judges, which the package trains and keeps  # fmt: skip
    return [_content("conftest.py", "pyproject.toml", PACKAGE), platform.python_version(), libraries, data]


def _content(*names: str) -> list[tuple[str, str]]:
    """Return path and hash of the files of these names, and of those in folders of these names."""
    tops = [top for name in names for top in sorted(ROOT.glob(name))]
    paths = [path for top in tops for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
    return [(str(path.relative_to(ROOT)), hashlib.sha256(path.read_bytes()).hexdigest())
            for path in paths if path.is_file() and path.suffix != ".pyc"]  # fmt: skip


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def main(what: str, *options: str) -> int:
    """Run pytest on those "units" or "notebooks" that have changed, keep what passed, and return its exit status."""
    now = states({"units": units, "notebooks": notebooks}[what]())
    known = json.loads(VERIFIED.read_text("utf-8")) if VERIFIED.exists() else {}
    changed = [name for name, state in now.items() if os.environ.get("CI") or known.get(name) != state]
    print(f"{len(now)} files of {what}, {len(now) - len(changed)} of them as they were when they passed", flush=True)
    if not changed:
        return 0
    status = subprocess.run([sys.executable, "-m", "pytest", *options, *changed], cwd=ROOT).returncode
    if status == 0:
        VERIFIED.write_text(json.dumps(known | now, indent=1) + "\n", "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
