"""What passed as it is need not be run again, and whatever may change an outcome makes it run again."""

import json
import subprocess

import pytest
import run_notebooks


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A small project with two notebooks and a package; pytest is only asked, and says what it was asked."""
    for name in ("book/part1/a.ipynb", "assignments/b.ipynb", "aecourse/code.py", "data/file"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(run_notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(run_notebooks, "VERIFIED", tmp_path / ".verified.json")
    paths = [tmp_path / "book/part1/a.ipynb", tmp_path / "assignments/b.ipynb"]
    monkeypatch.setattr(run_notebooks, "notebooks", lambda: paths)
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """What pytest was asked for, and with which exit status it is to answer."""
    asked = {"status": 0, "notebooks": []}

    def run(command, **_):
        asked["notebooks"] = [part for part in command if part.endswith(".ipynb")]
        asked["options"] = [part for part in command if part.startswith("--")]
        return subprocess.CompletedProcess(command, asked["status"])

    monkeypatch.setattr(run_notebooks.subprocess, "run", run)
    return asked


BOTH = ["book/part1/a.ipynb", "assignments/b.ipynb"]


def test_all_are_run_once_and_then_none(copy, asked, capsys):
    assert run_notebooks.main("--lax") == 0
    assert (asked["notebooks"], asked["options"]) == (BOTH, ["--lax"])
    asked["notebooks"] = []
    assert run_notebooks.main("--lax") == 0
    assert asked["notebooks"] == []
    assert capsys.readouterr().out.splitlines()[-1] == "2 notebooks, 2 of them as they were when they passed"


def test_a_notebook_that_changed_is_run_alone(copy, asked):
    run_notebooks.main()
    (copy / BOTH[0]).write_text("other")
    run_notebooks.main()
    assert asked["notebooks"] == BOTH[:1]


@pytest.mark.parametrize("name", ["aecourse/code.py", "aecourse/weights.json", "conftest.py", "data/file", "data/more"])
def test_all_are_run_again_when_code_or_data_change(copy, asked, name):
    run_notebooks.main()
    (copy / name).write_text("something else")
    run_notebooks.main()
    assert asked["notebooks"] == BOTH


def test_all_are_run_again_with_another_version_of_a_library(copy, asked, monkeypatch):
    run_notebooks.main()
    monkeypatch.setattr(run_notebooks, "distributions", lambda: [])
    run_notebooks.main()
    assert asked["notebooks"] == BOTH


def test_nothing_is_taken_for_granted_in_ci(copy, asked, monkeypatch):
    run_notebooks.main()
    monkeypatch.setenv("CI", "true")
    run_notebooks.main()
    assert asked["notebooks"] == BOTH


def test_what_failed_is_run_again_and_its_status_returned(copy, asked):
    asked["status"] = 1
    assert run_notebooks.main() == 1
    assert not run_notebooks.VERIFIED.exists()
    asked["status"] = 0
    run_notebooks.main()
    asked["status"] = 2
    (copy / BOTH[1]).write_text("other")
    assert run_notebooks.main() == 2
    kept = json.loads(run_notebooks.VERIFIED.read_text())
    assert kept[BOTH[1]] != run_notebooks.states(run_notebooks.notebooks())[BOTH[1]]


def test_the_notebooks_are_the_chapters_and_the_masters():
    names = [str(path.relative_to(run_notebooks.ROOT)) for path in run_notebooks.notebooks()]
    assert len(names) == 2 * 17
    assert [name.split("/")[0] for name in names] == ["book"] * 17 + ["assignments"] * 17
    assert not any("exercises" in name for name in names)
