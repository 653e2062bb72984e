"""A notebook alone, as Colab opens it: an empty folder, an environment that has torch but not the package.

Only what may be different there is run: the first cell, which is the same in all notebooks, and cells that read files
of the package, or data.  What else a notebook does is the same wherever the package is; `make test-embedded` runs all
of them without data, and `make colab` each of them alone.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import chapters
import colab
import fingerprint
import nbformat
import pytest
from jupyter_client.manager import KernelManager

ROOT = fingerprint.ROOT


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """An environment that shares this one's libraries but not the package; no data, and git leads to a copy of here."""
    shared = tmp_path / "libraries"
    shared.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(("aecourse", "pip", "_distutils", "distutils-precedence")):
            (shared / entry.name).symlink_to(entry)
    python, own = colab.environment(tmp_path / "environment", shared)
    monkeypatch.delenv("AECOURSE_DATA", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for name, value in {
        **colab.variables(python, colab.repository(tmp_path / "repository")),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PIP_NO_BUILD_ISOLATION": "0",  # in pip this means: no isolation; flit is among the shared libraries
        "PIP_NO_INDEX": "1",
        **{name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")},
    }.items():
        monkeypatch.setenv(name, value)
    return python, own


FIRST = nbformat.read(chapters.notebooks()[0], as_version=4).cells[0].source
READS = """
import torch
import aecourse as ae

ae.widgets.trained("autoencoder"), ae.book.averages("error"), ae.book.long_run("thirty_numbers")
ae.data.chorales.load()
ae.widgets.draw(ae.data.load("mnist"))
"""
LAST = "print(torch.__file__, ae.__file__, ae.data.load('mnist').name)"


def files_of(package):
    """Return what lies in a folder, but for what Python compiled."""
    return {path.relative_to(package) for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_a_notebook_alone_installs_the_whole_package_without_touching_torch(alone, tmp_path):
    python, own = alone
    assert subprocess.run([python, "-c", "import aecourse"], cwd=tmp_path, capture_output=True).returncode != 0
    before = {entry.name.split("-")[0] for entry in own.iterdir()}
    folder = tmp_path / "alone"
    folder.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (FIRST, READS, LAST)])
    printed = [out.text for out in colab.run(python, notebook, folder).cells[-1].outputs if out.name == "stdout"]
    torch_file, package_file, data = "".join(printed).split()
    assert Path(torch_file).parent.parent == tmp_path / "libraries"
    assert Path(package_file).parent.parent == own
    assert data == "digits"
    added = {entry.name.split("-")[0] for entry in own.iterdir()} - before
    assert added == {"aecourse"}, "more than the package was installed"
    assert files_of(own / "aecourse") == files_of(ROOT / "aecourse")


@pytest.mark.parametrize("code", ["1", "1 / 0"], ids=["a good notebook", "a failing one"])
def test_no_kernel_is_left_behind(tmp_path, code):
    manager = KernelManager()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    with pytest.raises(AssertionError, match="division by zero") if "/" in code else contextlib.nullcontext():
        colab.run(sys.executable, notebook, tmp_path, manager)
    assert not manager.is_alive()


def test_a_cell_that_is_cut_off_at_the_time_limit_fails_and_so_do_those_behind_it(tmp_path):
    cells = ["1", "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass", "2", "3"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    nbformat.write(notebook, tmp_path / "slow.ipynb")
    shutil.copy(ROOT / "conftest.py", tmp_path)
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=1", "-p", "no:cacheprovider", "-rA"]
    command = [sys.executable, "-m", "pytest", *options, tmp_path]
    wide = {**os.environ, "COLUMNS": "300"}
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=wide)
    assert run.returncode == 1, run.stdout
    assert "1 passed" in run.stdout.splitlines()[-1]
    assert not re.search("xfail|xpass", run.stdout.splitlines()[-1])
    assert re.search("FAILED.*Cell 1.*ran into the time limit", run.stdout)
    assert len(re.findall("ERROR.*Cell [23].*not run, since .*Cell 1 ran into the time limit", run.stdout)) == 2


def test_a_failure_that_is_expected_is_a_failure_all_the_same(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import pytest\nfails = pytest.mark.xfail\n@fails\ndef test_a():\n    assert 0\n@fails\ndef test_b(): pass\n"
    )
    shutil.copy(ROOT / "conftest.py", tmp_path)
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", tmp_path], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 1
    assert "2 failed" in run.stdout.splitlines()[-1]
