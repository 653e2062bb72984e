"""Masters and student notebooks of the exercises: one source, and no solution in a student's hands."""

import json
import math
import os
import re

import chapters
import nbformat
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib import pyplot as plt
from student_notebooks import HIDDEN, MASTERS, ROOT, SOLUTION, STUDENTS, student_version
from traitlets.config import Config

import aecourse as ae

PATHS = sorted(MASTERS.glob("*.ipynb"))


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def master(path):
    return nbformat.read(path, as_version=4)


def settings(notebook):
    return [(cell.metadata.get("nbgrader", {}), cell) for cell in notebook.cells]


def between(text, begin, end):
    return re.findall(rf"### BEGIN {begin}\n(.*?)### END {end}", text, re.DOTALL)


def test_every_chapter_has_an_exercise():
    chapters = {path.name for path in (ROOT / "book").glob("part*/*.ipynb")}
    assert {path.name for path in PATHS} == chapters
    assert {path.name for path in STUDENTS.glob("*.ipynb")} == chapters


def test_the_student_notebook_is_what_the_master_gives(path, master):
    text = nbformat.writes(student_version(master)) + "\n"
    assert (STUDENTS / path.name).read_text("utf-8") == text, "run `make exercises` and commit the result"


def test_no_solution_and_no_hidden_test_is_in_a_students_hands(path, master):
    raw = (STUDENTS / path.name).read_text("utf-8")
    student = json.loads(raw)
    everything = json.dumps(student, ensure_ascii=False)
    assert "### " not in "".join(
        line for cell in student["cells"] if cell["cell_type"] == "code" for line in cell["source"]
    )
    found = [part for cell in master.cells for part in between(cell.source, "SOLUTION", "SOLUTION")]
    found += [part for cell in master.cells for part in between(cell.source, "HIDDEN TESTS", "HIDDEN TESTS")]
    assert len(found) >= 8
    given = "\n".join(HIDDEN.sub("", SOLUTION.sub("", cell.source)) for cell in master.cells)
    for part in found:
        for line in part.splitlines():
            if len(line.strip()) > 14 and line.strip() not in given:
                assert json.dumps(line.strip(), ensure_ascii=False)[1:-1] not in everything, line
    for cell in student["cells"]:
        assert not cell.get("outputs")
        assert set(cell["metadata"]) <= {"nbgrader", "tags"}
    assert set(student["metadata"]) == {"kernelspec", "language_info"}


def test_a_master_asks_its_chapters_questions_in_nbgraders_format(path, master):
    number = int(path.stem[:2])
    ids = [each["grade_id"] for each, _ in settings(master) if each]
    assert len(set(ids)) == len(ids)
    solutions = [each["grade_id"] for each, _ in settings(master) if each.get("solution") and not each["grade"]]
    checks = [each["grade_id"] for each, _ in settings(master) if each.get("grade") and not each["solution"]]
    assert solutions == [question.name for question in ae.exercises.CHAPTERS[number - 1].QUESTIONS]
    assert checks == [f"check-{name}" for name in solutions]
    own = [each for each, _ in settings(master) if each.get("grade") and each["solution"]]
    assert len(own) >= 2, "an experiment of one's own, and what it says"
    for each, cell in settings(master):
        if each:
            assert each["schema_version"] == 3
            assert each["locked"] == (not each["solution"])
        if each.get("grade") and not each["solution"]:
            name = each["grade_id"].removeprefix("check-")
            assert cell.source.startswith(f'ae.exercises.check("{name}", {name})\n')
            assert "assert verdict.right" in between(cell.source, "HIDDEN TESTS", "HIDDEN TESTS")[0]
            assert each["points"] > 0


def test_a_master_stores_no_outputs(master):
    assert [cell.outputs for cell in master.cells if cell.cell_type == "code" and cell.outputs] == []


@pytest.fixture
def shell(tmp_path, tmp_path_factory, monkeypatch):
    """What a kernel runs cells with, in an empty folder: it knows no name of the tests, and they none of its own."""
    if "AECOURSE_DATA" in os.environ:
        monkeypatch.setenv("AECOURSE_DATA", os.path.abspath(os.environ["AECOURSE_DATA"]))
    monkeypatch.chdir(tmp_path)
    settings = Config(HistoryManager={"enabled": False})
    shell = InteractiveShell.instance(ipython_dir=str(tmp_path_factory.mktemp("ipython")), config=settings)
    with torch.random.fork_rng():
        yield shell
    shell.restore_sys_module_state()
    InteractiveShell.clear_instance()
    plt.close("all")


def printed_by(shell, cell):
    """Run a cell and return what it prints, and its value if it has one, as at a terminal."""
    with capture_output(display=False) as shown:
        shell.run_cell(cell.source).raise_error()
    return shown.stdout


def test_a_student_notebook_runs_to_its_end_and_says_politely_what_is_missing(path, shell):
    said = []
    for cell in nbformat.read(STUDENTS / path.name, as_version=4).cells:
        if cell.cell_type == "code":
            printed = printed_by(shell, cell)
            if cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("check-"):
                said.append(printed)
    assert said
    polite = r"Out\[\d+\]: ✗ \w+: nothing here yet\. Complete .* run this one again\n"
    assert [text for text in said if not re.fullmatch(polite, text)] == []


def test_the_first_cell_is_that_of_the_chapters(master):
    first = nbformat.read(chapters.notebooks()[0], as_version=4).cells[0]
    assert (master.cells[0].source, master.cells[0].metadata.tags) == (first.source, first.metadata.tags)


def test_the_first_cell_does_nothing_where_the_package_is_installed(shell):
    first = nbformat.read(chapters.notebooks()[0], as_version=4).cells[0]
    assert printed_by(shell, first) == ""


def test_what_sheet_17_works_out_by_hand_is_what_its_solutions_return():
    (path,) = (path for path in PATHS if path.stem.startswith("17"))
    cells = nbformat.read(path, as_version=4).cells
    names = {"math": math, "torch": torch}
    for cell in cells:
        if cell.source.startswith("def "):
            exec(cell.source, names)
    text = "".join(cell.source for cell in cells if cell.cell_type == "markdown")
    mixed, velocity = names["mix"](*torch.tensor([[[3.0]], [[-1.0]]]), torch.tensor([math.pi / 6]))
    assert f"they are {mixed.item():.3f} and −{-velocity.item():.3f}" in text
    apart = names["squared_mmd"](*torch.tensor([[[0.0], [1.0]], [[0.0], [3.0]]]))
    assert f"draws 0 and 3, with one number each, it is −{-apart.item():.3f}" in text


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("def f():\n    ### BEGIN SOLUTION\n    return 1", True, "a marker without its partner|marks no solution"),
        ("def f():\n    return 1", True, "marks no solution"),
        ("### BEGIN HIDDEN TESTS\nassert f() == 1", False, "a marker without its partner"),
    ],
)
def test_a_master_with_a_lost_marker_is_refused(source, kind, message):
    cell = nbformat.v4.new_code_cell(source, metadata={"nbgrader": {"grade_id": "f", "solution": kind}})
    with pytest.raises(ValueError, match=message):
        student_version(nbformat.v4.new_notebook(cells=[cell]))


@pytest.mark.parametrize("execution", ["validate", "autograde"])
def test_a_check_that_does_not_pass_fails_where_nbgrader_runs_it(execution, monkeypatch):
    right = ae.exercises.QUESTIONS["entropy"].reference
    assert not ae.exercises.check("entropy", lambda p: 1.0).right
    monkeypatch.setenv("NBGRADER_EXECUTION", execution)
    assert ae.exercises.check("entropy", right).right
    for wrong in (None, lambda p: 1.0, 3):
        with pytest.raises(AssertionError, match="✗ entropy: "):
            ae.exercises.check("entropy", wrong)
