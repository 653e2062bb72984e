"""Run every notebook as a reader in Colab does: alone in an empty folder, with Colab's versions, not yet installed.

    python tools/colab.py PYTHON [NOTEBOOK …]

`PYTHON` belongs to an environment with the versions of `colab.txt`; `make colab` makes it.  Each notebook gets an
environment of its own over these libraries, where its first cell installs the package from a copy of the working tree.
Then one chapter is run in ways that readers run it, too: beside a clone of the repository, each cell twice, restarted
in the middle, and where last month's package is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import chapters
import nbformat
import repo_url
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from tqdm import tqdm

ROOT = chapters.ROOT
WAYS = ("beside a clone", "each cell twice", "restarted in the middle", "last month's package installed")
LEAST_HELD = 0.995  # of all claims


def repository(target: Path) -> Path:
    """Make a git repository of the working tree as it is, committed or not, in a new folder, and return it."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A", "-f"], [*author, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=target, check=True)
    return target


def environment(folder: Path, libraries: Path, python: str | Path = sys.executable) -> tuple[Path, Path]:
    """Make an environment that has pip and these libraries, and return its Python and its own folder of packages."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    (own,) = (folder / "lib").glob("python*/site-packages")
    for entry in own.glob("*setuptools*"):  # Python 3.11 brings an old one, torch asks for a newer
        shutil.rmtree(entry)
    (own / "shared.pth").write_text(str(libraries))
    return folder / "bin" / "python", own


def variables(python: Path, source: Path) -> dict[str, str]:
    """Return the variables with which git finds the project in the folder `source`, and notebooks find their Python."""
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{source.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": repo_url.current_url(),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "TQDM_DISABLE": "1",
        "OMP_NUM_THREADS": "1",
    }


def run(
    python: str | Path,
    notebook: nbformat.NotebookNode,
    folder: Path,
    manager: KernelManager | None = None,
    env: dict[str, str] | None = None,
) -> nbformat.NotebookNode:
    """Run a notebook in a folder with a kernel of this Python, and return it.

    Raises:
        AssertionError: if a cell raises, with what the first cell said and the error.
    """
    manager = manager or KernelManager()
    manager.kernel_spec.argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    client = NotebookClient(notebook, km=manager, timeout=600, resources={"metadata": {"path": str(folder)}})
    try:
        client.execute(**({"env": env} if env else {}))
    except CellExecutionError as error:
        raise AssertionError(f"{notebook.cells[0].outputs}\n{error}") from None
    finally:
        if manager.has_kernel:  # a client does not end a kernel that it was given
            manager.shutdown_kernel(now=True)
    return notebook


def as_a_reader(path: Path, way: str, python: str, libraries: Path, source: Path) -> tuple[list[str], float]:
    """Run a notebook as a reader does, and return the lines of its claims and how many seconds it took."""
    with tempfile.TemporaryDirectory() as place:
        own_python, own = environment(Path(place) / "environment", libraries, python)
        folder = Path(place) / "content"
        folder.mkdir()
        env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "AECOURSE_STRICT")}
        env |= variables(own_python, source)
        notebook = nbformat.read(path, as_version=4)
        if way == "beside a clone":
            subprocess.run(["git", "clone", "-q", source, folder / "aecourse"], check=True)
        elif way == "each cell twice":
            notebook.cells = [cell for cell in notebook.cells for _ in range(2)]
        elif way == "last month's package installed":
            old = Path(place) / "old"
            shutil.copytree(source, old, ignore=shutil.ignore_patterns(".git", "book"))
            init = old / "aecourse" / "__init__.py"
            init.write_text('"""The package as it was."""\n__version__ = "2026.00"\n')
            subprocess.run([own_python, "-m", "pip", "install", "-q", "--no-deps", old], check=True, env=env)
        elif way == "restarted in the middle":
            half = nbformat.from_dict({**notebook, "cells": notebook.cells[: len(notebook.cells) // 2]})
            run(own_python, half, folder, env=env)
        started = time.perf_counter()
        run(own_python, notebook, folder, env=env)
        seconds = time.perf_counter() - started
        (package,) = own.glob("aecourse-*.dist-info")
        assert package.name != "aecourse-2026.0.dist-info", "last month's package was used"
        said = [out.get("data", {}).get("text/plain", "") for cell in notebook.cells for out in cell.get("outputs", [])]
        return [
            line for text in said for line in text.splitlines() if line[:2] in ("✓ ", "✗ ") and "(" in line
        ], seconds


def main(python: str, *names: str) -> int:
    """Run the notebooks named, or all and the ways; print a line for each, and return 1 if one stopped."""
    exercises = sorted((ROOT / "book" / "exercises").glob("*.ipynb"))
    paths = [Path(name).resolve() for name in names] or [*chapters.notebooks(), *exercises]
    tasks = [(path, "alone") for path in paths]
    tasks += [] if names else [(chapters.notebooks()[0], way) for way in WAYS]
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    libraries = Path(subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip())
    chapters.absolute_data_folder()
    stopped, claims = 0, []
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(2) as pool:
        source = repository(Path(place) / "repository")
        jobs = {pool.submit(as_a_reader, *task, python, libraries, source): task for task in tasks}
        for job in tqdm(as_completed(jobs), total=len(jobs), unit="notebook"):
            path, way = jobs[job]
            name = f"{path.parent.name}/{path.name}, {way}"
            try:
                lines, seconds = job.result()
            except Exception as error:  # whatever stops a reader
                stopped += 1
                tqdm.write(f"✗ {name}: stopped\n{error}")
                continue
            claims += lines
            tqdm.write(f"✓ {name}: {seconds:.0f} s, {len(lines)} claims")
            for line in lines:
                if line[0] == "✗":
                    tqdm.write(f"    {line}")
    outside = sum(line[0] == "✗" for line in claims)
    print(f"{len(tasks) - stopped} of {len(tasks)} runs came to their end")
    print(f"{outside} of {len(claims)} claims did not hold, {1 - LEAST_HELD:.1%} may be")
    return int(stopped > 0 or outside > (1 - LEAST_HELD) * len(claims))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
