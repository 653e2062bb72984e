"""What passed as it is need not be run again, and whatever may change an outcome makes it run again."""

import json
import subprocess

import pytest
import run_tests

BOTH = ["book/part1/a.ipynb", "assignments/b.ipynb"]
UNITS = ["tests/test_a.py", "tests/test_b.py", "tests/test_c.py"]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A small project: notebooks, a package and three files of unit tests, of which the last two read chapters."""
    for name in (*BOTH, *UNITS, "aecourse/code.py", "data/file", "tools/t.py", "book/intro.md", "requirements.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / UNITS[1]).write_text("import chapters\n")
    (tmp_path / UNITS[2]).write_text("def test_page(browser, html):\n    pass\n")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(run_tests, "ROOT", tmp_path)
    monkeypatch.setattr(run_tests, "VERIFIED", tmp_path / ".verified.json")
    monkeypatch.setattr(run_tests, "notebooks", lambda: [tmp_path / name for name in BOTH])
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """What pytest was asked for, and with which exit status it is to answer."""
    asked = {"status": 0, "files": []}

    def run(command, **_):
        asked["files"] = [part for part in command if "/" in part and part != command[0]]
        asked["options"] = [part for part in command if part.startswith("--")]
        return subprocess.CompletedProcess(command, asked["status"])

    monkeypatch.setattr(run_tests.subprocess, "run", run)
    return asked


def test_all_are_run_once_and_then_none(copy, asked, capsys):
    assert run_tests.main("notebooks", "--lax") == 0
    assert (asked["files"], asked["options"]) == (BOTH, ["--lax"])
    asked["files"] = []
    assert run_tests.main("notebooks", "--lax") == 0
    assert asked["files"] == []
    assert capsys.readouterr().out.splitlines()[-1] == "2 files of notebooks, 2 of them as they were when they passed"


def test_a_notebook_that_changed_is_run_alone(copy, asked):
    run_tests.main("notebooks")
    (copy / BOTH[0]).write_text("other")
    run_tests.main("notebooks")
    assert asked["files"] == BOTH[:1]


def test_a_judge_that_a_run_itself_has_kept_changes_nothing(copy, asked):
    run_tests.main("notebooks")
    (copy / "data/judge-1.pt").write_text("weights")
    asked["files"] = []
    run_tests.main("notebooks")
    assert asked["files"] == []


@pytest.mark.parametrize("name", ["aecourse/code.py", "aecourse/weights.json", "conftest.py", "data/file", "data/more"])
def test_all_are_run_again_when_code_or_data_change(copy, asked, name):
    run_tests.main("notebooks")
    (copy / name).write_text("something else")
    run_tests.main("notebooks")
    assert asked["files"] == BOTH


def test_all_are_run_again_with_another_version_of_a_library(copy, asked, monkeypatch):
    run_tests.main("notebooks")
    monkeypatch.setattr(run_tests, "distributions", lambda: [])
    run_tests.main("notebooks")
    assert asked["files"] == BOTH


def test_nothing_is_taken_for_granted_in_ci(copy, asked, monkeypatch):
    run_tests.main("notebooks")
    monkeypatch.setenv("CI", "true")
    run_tests.main("notebooks")
    assert asked["files"] == BOTH


def test_what_failed_is_run_again_and_its_status_returned(copy, asked):
    asked["status"] = 1
    assert run_tests.main("notebooks") == 1
    assert not run_tests.VERIFIED.exists()
    asked["status"] = 0
    run_tests.main("notebooks")
    asked["status"] = 2
    (copy / BOTH[1]).write_text("other")
    assert run_tests.main("notebooks") == 2
    kept = json.loads(run_tests.VERIFIED.read_text())
    assert kept[BOTH[1]] != run_tests.states(run_tests.notebooks())[BOTH[1]]


@pytest.mark.parametrize(
    ("name", "again"),
    [
        (BOTH[0], UNITS[1:]),
        (BOTH[1], UNITS),
        ("book/intro.md", UNITS),
        ("tools/t.py", UNITS),
        ("tests/pages.py", UNITS),
        ("aecourse/code.py", UNITS),
        ("requirements.txt", UNITS),
    ],
)
def test_after_a_change_in_a_chapter_only_the_unit_tests_that_read_chapters_run_again(copy, asked, name, again):
    assert run_tests.main("units", "-q") == 0
    assert asked["files"] == UNITS
    run_tests.main("notebooks")
    (copy / name).write_text("something else")
    asked["files"] = []
    run_tests.main("units")
    assert asked["files"] == again


def test_a_browser_that_was_not_there_makes_unit_tests_run_again(copy, asked, monkeypatch):
    monkeypatch.setattr(run_tests.shutil, "which", lambda name: None)
    run_tests.main("units")
    monkeypatch.setattr(run_tests.shutil, "which", lambda name: f"/usr/bin/{name}")
    asked["files"] = []
    run_tests.main("units")
    assert asked["files"] == UNITS


def test_the_files_that_read_chapters_are_known():
    reads = {path.stem for path in run_tests.units() if run_tests.READS_CHAPTERS.search(path.read_text("utf-8"))}
    pages = {"book", "explorables", "notebooks", "pages", "quizzes", "spread", "family", "long_runs"}
    assert reads >= {f"test_{name}" for name in (*pages, "assignments", "notebooks_alone")}
    assert "test_grade" not in reads


def test_the_notebooks_are_the_chapters_and_the_masters():
    names = [str(path.relative_to(run_tests.ROOT)) for path in run_tests.notebooks()]
    assert len(names) == 2 * 17
    assert [name.split("/")[0] for name in names] == ["book"] * 17 + ["assignments"] * 17
    assert not any("exercises" in name for name in names)
