"""What several test files share: digits, the built book, a browser, and settings that make every run the same."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")  # a figure that asks for a window would hang a server
os.environ["AECOURSE_STRICT"] = "1"  # a claim that does not hold is an error

import fingerprint
import pytest
from filelock import FileLock
from hypothesis import settings
from platformdirs import user_cache_path

import aecourse as ae

if importlib.util.find_spec("jupyter_book") is None:  # then only the package can be tested
    pages = ("book", "explorables", "notebooks", "pages", "player", "quizzes", "spread")
    collect_ignore_glob = [f"test_{name}*" for name in pages]

# The same examples in every run, and no verdict that depends on how busy the machine is.
settings.register_profile("course", deadline=None, derandomize=True)
settings.load_profile("course")


@pytest.fixture(scope="session")
def digits():
    return ae.data.load("digits")


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """An empty cache folder, no $AECOURSE_DATA, and no proxy before a mirror on this machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("AECOURSE_DATA", raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    folder = user_cache_path("aecourse")
    if not folder.is_relative_to(tmp_path):
        pytest.skip("this system has no XDG_CACHE_HOME, and a person's own cache is not for tests")
    return folder


@pytest.fixture(scope="session")
def made_once(tmp_path_factory, worker_id):
    """A function that returns a folder of all workers: the first that asks for it fills it, the others wait."""
    own = tmp_path_factory.getbasetemp()
    place = own if worker_id == "master" else own.parent

    def made_once(name, fill):
        folder, done = place / name, place / f"{name}.done"
        with FileLock(place / f"{name}.lock"):
            if not done.exists():
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return made_once


@pytest.fixture(scope="session")
def html(made_once):
    """The folder of the built pages."""
    pytest.importorskip("jupyter_book")

    def build(folder):
        command = [Path(sys.executable).with_name("jupyter-book"), "build", "-W", "-n", "--keep-going"]
        run = subprocess.run([*command, "--path-output", folder, fingerprint.ROOT], capture_output=True, text=True)
        (folder / "log").write_text(f"{run.returncode}\n{run.stdout}{run.stderr}", "utf-8")

    folder = made_once("book", build)
    status, told = (folder / "log").read_text("utf-8").split("\n", 1)
    assert status == "0", f"the book does not build without a warning:\n{told[-4000:]}"
    return folder / "_build" / "html"


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; where there is none, these tests are skipped, but in CI they fail."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=quiet)
        yield chromium
        chromium.close()
