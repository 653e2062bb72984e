"""Run the chapters and the masters of the exercises as tests, but for those that passed before as they are now.

    python tools/run_notebooks.py [PYTEST OPTION …]

A notebook's state is its text, the package, the versions of all libraries, and the data.  What passed is kept in
`.verified.json`, which belongs to this working copy alone; where CI is set, or that file is deleted, all are run.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import chapters
import platformdirs
from fingerprint import PACKAGE, ROOT

VERIFIED = ROOT / ".verified.json"


def notebooks() -> list[Path]:
    """Return the notebooks: chapters, and masters, which hold all that a student's notebook has and the solutions."""
    return [*chapters.notebooks(), *sorted((ROOT / "assignments").glob("*.ipynb"))]


def surroundings() -> str:
    """Return a hash of all that a notebook's run depends on but for the notebook: code, libraries, and data."""
    paths = [ROOT / "conftest.py", ROOT / "pyproject.toml", *sorted((ROOT / PACKAGE).rglob("*"))]
    code = [(str(path.relative_to(ROOT)), path.read_bytes()) for path in paths
            if path.is_file() and path.suffix != ".pyc"]  # fmt: skip
    libraries = sorted(f"{each.name} {each.version}" for each in distributions())
    chapters.absolute_data_folder()
    folders = [platformdirs.user_cache_path("aecourse")]
    folders += [Path(own)] if (own := os.environ.get("AECOURSE_DATA")) else []
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns)
             for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]  # fmt: skip
    return hashlib.sha256(repr((code, platform.python_version(), libraries, files)).encode()).hexdigest()


def states(paths: list[Path]) -> dict[str, str]:
    """Return notebook → a hash of all that its run depends on."""
    around = surroundings().encode()
    return {str(path.relative_to(ROOT)): hashlib.sha256(around + path.read_bytes()).hexdigest() for path in paths}


def main(*options: str) -> int:
    """Run pytest on what has changed, keep what passed, and return pytest's exit status."""
    now = states(notebooks())
    known = json.loads(VERIFIED.read_text("utf-8")) if VERIFIED.exists() and not os.environ.get("CI") else {}
    changed = [name for name, state in now.items() if known.get(name) != state]
    print(f"{len(now)} notebooks, {len(now) - len(changed)} of them as they were when they passed", flush=True)
    if not changed:
        return 0
    status = subprocess.run([sys.executable, "-m", "pytest", *options, *changed], cwd=ROOT).returncode
    if status == 0:
        VERIFIED.write_text(json.dumps(now, indent=1) + "\n", "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
