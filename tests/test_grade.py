"""Grading a folder: broken and hostile submissions cost nobody else anything, and gain nothing."""

import csv
import io
import os
import socket
import threading

import grade
import nbformat
import numpy as np
import pytest
import torch
import worker
from student_notebooks import MASTERS, STUDENTS

NAME = "01-encoding-and-entropy.ipynb"
QUESTIONS = ["entropy", "cross_entropy", "huffman_step", "image_bits"]


@pytest.fixture(scope="module", autouse=True)
def sandbox():
    problem = grade.missing_sandbox()
    if problem:  # in CI bubblewrap must be there; a kernel that forbids sandboxes is nobody's mistake
        (pytest.fail if os.environ.get("CI") and "missing" in problem else pytest.skip)(problem)


def submission(**answers):
    """Return the text of a notebook with the master's solutions, but for the given answers."""
    notebook = nbformat.read(MASTERS / NAME, as_version=4)
    for cell in notebook.cells:
        cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    return nbformat.writes(notebook)


SEARCH = """
import os
def entropy(p):
    seen = []
    for place, folders, names in os.walk("/"):
        folders[:] = [f for f in folders if f not in ("proc", "sys", "usr", "dev", "lib", "site-packages")]
        seen += [os.path.join(place, name) for name in names]
    raise ValueError(" ".join(n for n in seen if "assign" in n or "exercises" in n or "tests" in n or "ipynb" in n))
"""
CALL_OUT = """
import socket
def entropy(p):
    socket.create_connection(("127.0.0.1", {port}), timeout=2)
    return 1.0
"""
TAMPER = """
import sys, aecourse as ae
from types import SimpleNamespace
ae.exercises.check = lambda *args, **settings: SimpleNamespace(right=True, message="right")
for module in list(sys.modules.values()):
    if hasattr(module, "same"):
        module.same = lambda *args: True
def entropy(p):
    import inspect
    frames = [frame.frame.f_locals for frame in inspect.stack()]
    for values in frames:
        for value in values.values():
            if isinstance(value, float):
                return value
    return 1.0
"""


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A folder of submissions after grading, and the connections that one of them tried to make."""
    folder = tmp_path_factory.mktemp("class") / "week1"
    listener = socket.create_server(("127.0.0.1", 0))
    calls = []
    threading.Thread(target=lambda: calls.append(listener.accept()), daemon=True).start()
    port = listener.getsockname()[1]
    texts = {
        "ann": submission(),
        "bob": (STUDENTS / NAME).read_text("utf-8"),
        "carl": "{ this is no notebook",
        "dora": submission(entropy="def entropy(p):\n    while True:\n        pass"),
        "emil": submission(entropy="import sys\nsys.exit(0)", huffman_step="def huffman_step(w):\n    return 1 / 0"),
        "flo": submission(entropy="while True:\n    pass"),
        "gus": submission(entropy=SEARCH),
        "hal": submission(entropy=CALL_OUT.format(port=port)),
        "ida": submission(entropy=TAMPER),
        "jo": submission(
            entropy="def entropy(p):\n    hog = []\n    while True:\n        hog.append(bytearray(10**8))"
        ),
        "kim": submission(
            entropy="import os\nos.write(3, b'x' * 99)\nos.write(4, b'x' * 99)\ndef entropy(p):\n    os._exit(1)"
        ),
        "lea": nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('hello')")])),
        "=cmd()": submission(huffman_step="def huffman_step(weights):\n    weights.sort()\n    return weights"),
    }
    for student, text in texts.items():
        (folder / student).mkdir(parents=True)
        (folder / student / NAME).write_text(text, "utf-8")
    code = grade.main(str(folder))
    with (folder.with_name("week1-grades") / "grades.csv").open(encoding="utf-8-sig") as file:
        rows = {row["student"].lstrip("'"): row for row in csv.DictReader(file)}
    return folder, code, rows, calls


def points(row):
    return [row[name] for name in QUESTIONS]


def test_everybody_is_graded_whatever_the_others_do(graded):
    folder, code, rows, _ = graded
    assert code == 0
    assert set(rows) == {path.name for path in folder.iterdir()}
    assert points(rows["ann"]) == ["2", "2", "3", "3"]
    assert (rows["ann"]["points"], rows["ann"]["of"]) == ("10", "10")
    assert points(rows["bob"]) == ["0"] * 4


@pytest.mark.parametrize("student", ["dora", "flo", "gus", "hal", "ida", "jo", "kim"])
def test_a_question_that_goes_wrong_costs_its_own_points_only(graded, student):
    assert points(graded[2][student]) == ["0", "2", "3", "3"]


def test_an_exit_and_an_exception_cost_their_own_questions_only(graded):
    assert points(graded[2]["emil"]) == ["0", "2", "0", "3"]


def test_what_cannot_be_graded_says_why(graded):
    assert "no notebook that can be read" in graded[2]["carl"]["remarks"]
    assert "no cell of an exercise is in it" in graded[2]["lea"]["remarks"]


def test_a_submission_finds_neither_tests_nor_other_submissions(graded):
    report = (graded[0].with_name("week1-grades") / "gus.html").read_text("utf-8")
    assert "raised ValueError: , at" in report, "it found something"


def test_a_submission_reaches_no_network(graded):
    assert graded[3] == []
    assert "Error" in (graded[0].with_name("week1-grades") / "hal.html").read_text("utf-8")


def test_the_report_says_what_was_wrong(graded):
    reports = graded[0].with_name("week1-grades")
    assert "changes its input `weights`" in (reports / "_cmd__.html").read_text("utf-8")
    assert "did not end in time" in (reports / "dora.html").read_text("utf-8")
    assert "raised ZeroDivisionError: division by zero, at `return 1 / 0`" in (reports / "emil.html").read_text("utf-8")
    assert "cell 2 raised SystemExit" in (reports / "emil.html").read_text("utf-8")


def test_no_name_becomes_a_formula_of_a_spreadsheet(graded):
    text = (graded[0].with_name("week1-grades") / "grades.csv").read_text("utf-8-sig")
    assert "\n=" not in text
    assert "'=cmd()" in text


def test_what_is_graded_is_not_graded_again_and_what_changed_is(graded, capsys, monkeypatch):
    folder = graded[0]
    again = []
    real = grade.grade
    monkeypatch.setattr(grade, "grade", lambda path, *rest: again.append(path.parent.name) or real(path, *rest))
    (folder / "bob" / NAME).write_text(submission(), "utf-8")
    assert grade.main(str(folder)) == 0
    assert again == ["bob"]
    assert f"{len(graded[2])} submissions, {len(graded[2]) - 1} of them graded already" in capsys.readouterr().out


def test_an_interrupted_run_keeps_what_is_finished_and_goes_on(tmp_path, monkeypatch, capsys):
    for student in ("a", "b", "c"):
        (tmp_path / "week" / student).mkdir(parents=True)
        (tmp_path / "week" / student / NAME).write_text(submission(), "utf-8")
    monkeypatch.setattr(grade.os, "cpu_count", lambda: 1)
    done = []

    def one(path, student, known):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(student)
        return grade.Grade(student, known[0].name, dict(known[0].points), dict.fromkeys(known[0].points, "right"))

    monkeypatch.setattr(grade, "grade", one)
    assert grade.main(str(tmp_path / "week")) == 1
    assert "goes on from here" in capsys.readouterr().out
    assert "a,01" in (tmp_path / "week-grades" / "grades.csv").read_text("utf-8-sig")
    monkeypatch.setattr(grade, "grade", lambda path, student, known: grade.Grade(student, known[0].name))
    assert grade.main(str(tmp_path / "week")) == 0
    assert "1 of them graded already" in capsys.readouterr().out


def test_a_message_brings_numbers_and_the_mark_of_a_gradient_and_nothing_that_runs():
    weight = torch.ones(2, 3, requires_grad=True)
    value = (2 * weight, [1, 2.5, None, "text"], object(), 1 << 5000, np.arange(3), {"a": 1})
    pipe = io.BytesIO()
    worker.write(pipe, worker.plain(value))
    pipe.seek(0)
    tensor, parts, thing, whole, array, table = worker.read(pipe)
    assert tensor.requires_grad
    assert tensor.is_leaf
    assert torch.equal(tensor.detach(), torch.full((2, 3), 2.0))
    assert (parts, array.tolist()) == ([1, 2.5, None, "text"], [0, 1, 2])
    assert (thing, table) == ("a object object", "a dict object")
    assert whole == "a whole number of 5001 binary digits"
    with pytest.raises(EOFError):
        worker.read(pipe)


@pytest.mark.parametrize("folder", ["", "/no/such/folder"])
def test_a_missing_folder_is_told(folder, capsys):
    assert grade.main(folder) == 2
    assert "make grade SUBMISSIONS=folder" in capsys.readouterr().out


def test_without_a_sandbox_nothing_is_graded(tmp_path, monkeypatch, capsys):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'No permission to create new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    for path, said in ((tmp_path, "No permission to create new namespace"), ("/nowhere", "apt-get install bubblewrap")):
        monkeypatch.setenv("PATH", f"{path}:/bin" if path == tmp_path else str(path))
        assert grade.main(str(tmp_path)) == 2
        assert said in capsys.readouterr().out
    assert not tmp_path.with_name(tmp_path.name + "-grades").exists()
