"""Grading a folder: broken and hostile submissions cost nobody else anything, and gain nothing."""

import csv
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import unicodedata

import grade
import nbformat
import numpy as np
import pytest
import sandbox
import submission
import torch
import worker
from student_notebooks import MASTERS, STUDENTS
from test_exercises import RIGHT

from aecourse.exercises import QUESTIONS, checking

NAME = "01-encoding-and-entropy.ipynb"
POINTS = {"entropy": 2, "cross_entropy": 2, "huffman_step": 3, "image_bits": 3}


@pytest.fixture(scope="module", autouse=True)
def bubblewrap():
    problem = grade.missing_sandbox()
    if problem:  # in CI bubblewrap must be there; a kernel that forbids sandboxes is nobody's mistake
        (pytest.fail if os.environ.get("CI") and "missing" in problem else pytest.skip)(problem)


def notebook(below=None, **answers):
    """Return the text of a notebook with the master's solutions, but for the given cells, and with one more below."""
    master = nbformat.read(MASTERS / NAME, as_version=4)
    for cell in master.cells:
        cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    if below:
        master.cells.append(nbformat.v4.new_code_cell(below))
    return nbformat.writes(master)


def solution(name):
    """Return the master's solution of a question."""
    cells = nbformat.read(MASTERS / NAME, as_version=4).cells
    return next(cell.source for cell in cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)


SEARCH = """
import os
def huffman_step(weights):
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
HOARD = """
def huffman_step(weights):
    hog = []
    while True:
        hog.append(bytearray(10**8))
"""
VANISH = """
import os
os.write(3, b'x' * 99)
os.write(4, b'x' * 99)
def huffman_step(weights):
    os._exit(1)
"""
TAMPER = """
import sys, aecourse as ae
from types import SimpleNamespace
ae.exercises.check = lambda *args, **settings: SimpleNamespace(right=True, message="right")
for module in list(sys.modules.values()):
    if hasattr(module, "pack"):
        module.pack = lambda *args: 1.0
def entropy(p):
    import inspect
    frames = [frame.frame.f_locals for frame in inspect.stack()]
    for values in frames:
        for value in values.values():
            if isinstance(value, float):
                return value
    return 1.0
"""
# All of this runs in a notebook, and gives right answers.
ODD = {
    "setup": "import numpy as np",
    "entropy": """%%time
!pip install something
display(np.zeros(2))
def entropy(p):
    p = np.array(p)
    p = p[p > 0]
    return -np.sum(p * np.log2(p)) + (10
                                      % 5)""",
    "cross_entropy": f"{solution('cross_entropy')}\nimport time\ntime.sleep(999)  # an experiment that takes long",
    "huffman_step": f"print(1 / 0)\n{solution('huffman_step')}",
    "below": "image_bits = image_bits(torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5))",
}


@pytest.fixture(scope="module")
def graded(made_once, tmp_path_factory):
    """A folder of submissions after grading, and the connections that one of them tried to make."""
    place = tmp_path_factory.mktemp("own") / "class"
    shutil.copytree(made_once("class", grade_a_class), place)
    code, calls = json.loads((place / "told.json").read_text("utf-8"))
    return place / "week1", code, table_of(place / "week1"), calls


def grade_a_class(place):
    """Write submissions into a folder, grade them, and keep the exit status and the connections that one tried."""
    folder = place / "week1"
    listener = socket.create_server(("127.0.0.1", 0))
    calls = []
    threading.Thread(target=lambda: calls.append(str(listener.accept())), daemon=True).start()
    port = listener.getsockname()[1]
    texts = {
        "ann": (STUDENTS / NAME).read_text("utf-8"),
        "carl": "{ this is no notebook",
        "dora": notebook(entropy="def entropy(p):\n    while True:\n        pass", huffman_step=HOARD),
        "emil": notebook(entropy="import sys\nsys.exit(0)", huffman_step="def huffman_step(w):\n    return 1 / 0"),
        "flo": notebook(entropy="import time\ntime.sleep(999)", huffman_step=VANISH),
        "gus": notebook(entropy=CALL_OUT.format(port=port), huffman_step=SEARCH),
        "lea": nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('hello')")])),
        "mia": notebook(**ODD),
        "=cmd()": notebook(
            entropy=TAMPER, huffman_step="def huffman_step(weights):\n    weights.sort()\n    return weights"
        ),
    }
    for student, text in texts.items():
        (folder / student).mkdir(parents=True)
        (folder / student / NAME).write_text(text, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submission, "SECONDS_PER_CELL", 5)
        patch.setattr(submission, "SECONDS_PER_QUESTION", 5)
        code = grade.main(str(folder))
    (place / "told.json").write_text(json.dumps([code, calls]), "utf-8")


def table_of(folder):
    with (folder.with_name(f"{folder.name}-grades") / "grades.csv").open(encoding="utf-8-sig") as file:
        return {row["student"].lstrip("'"): row for row in csv.DictReader(file)}


def report_of(folder, name):
    return (folder.with_name(f"{folder.name}-grades") / f"{name}.html").read_text("utf-8")


def points(row):
    return [row[name] for name in POINTS]


def test_everybody_is_graded_whatever_the_others_do(graded):
    folder, code, rows, _ = graded
    assert code == 0
    assert set(rows) == {path.name for path in folder.iterdir()}
    assert points(rows["ann"]) == ["0"] * 4, "nothing is written yet"
    assert (rows["ann"]["points"], rows["ann"]["of"]) == ("0", "10")


@pytest.mark.parametrize("student", ["dora", "emil", "flo", "gus", "=cmd()"])
def test_a_question_that_goes_wrong_costs_its_own_points_only(graded, student):
    """Among these are a loop, an exit, an exception, a process that ends, and memory that is used up."""
    assert points(graded[2][student]) == ["0", "2", "0", "3"]


def test_a_right_answer_loses_no_point_to_what_stands_around_it(graded):
    assert points(graded[2]["mia"]) == ["2", "2", "3", "3"], graded[2]["mia"]
    told = graded[2]["mia"]["remarks"]
    assert "code cell 5 did not end in time, or used too much memory: what it defines counts" in told
    assert "code cell 7 raised ZeroDivisionError" in told
    assert "`image_bits`, or what it uses, was changed below its check" in told


def test_what_cannot_be_graded_says_why(graded):
    assert "no notebook that can be read" in graded[2]["carl"]["remarks"]
    assert "no cell of an exercise is in it" in graded[2]["lea"]["remarks"]


def test_a_submission_finds_neither_tests_nor_other_submissions(graded):
    assert "raised ValueError: , at" in report_of(graded[0], "gus"), "it found something"


def test_a_submission_reaches_no_network(graded):
    assert graded[3] == []
    assert ", at `socket.create_connection(" in report_of(graded[0], "gus"), "the call raised no error"


def test_the_report_says_what_was_wrong(graded):
    assert "changes its input `weights`" in report_of(graded[0], "_cmd__")
    assert "did not end in time" in report_of(graded[0], "dora")
    assert "raised ZeroDivisionError: division by zero, at `return 1 / 0`" in report_of(graded[0], "emil")
    assert "code cell 3 raised SystemExit" in report_of(graded[0], "emil")


def test_no_name_becomes_a_formula_of_a_spreadsheet(graded):
    text = (graded[0].with_name("week1-grades") / "grades.csv").read_text("utf-8-sig")
    assert "\n=" not in text
    assert "'=cmd()" in text


def test_what_is_graded_is_not_graded_again_and_what_changed_is(graded, capsys, monkeypatch):
    folder = graded[0]
    again = []
    real = grade.grade
    monkeypatch.setattr(grade, "grade", lambda path, *rest: again.append(path.parent.name) or real(path, *rest))
    (folder / "ann" / NAME).write_text(notebook(), "utf-8")
    assert grade.main(str(folder)) == 0
    assert again == ["ann"]
    ann = table_of(folder)["ann"]
    assert (points(ann), ann["points"], ann["of"], ann["remarks"]) == (["2", "2", "3", "3"], "10", "10", "")
    assert f"{len(graded[2])} submissions, {len(graded[2]) - 1} of them graded already" in capsys.readouterr().out


def test_a_contested_grade_can_be_had_again_on_the_same_cases(graded, capsys):
    rows = graded[2]
    assert len({row["seed"] for row in rows.values()}) == len(rows) - 1, "one each; carl and lea have none"
    seed = rows["emil"]["seed"]
    assert f'ae.exercises.check("entropy", entropy, seed={seed})' in report_of(graded[0], "emil")
    before = {path.name for path in graded[0].parent.rglob("*")}
    assert grade.main(str(graded[0] / "emil" / NAME), seed) == 0
    said = capsys.readouterr().out
    assert "code cell 3 raised SystemExit" in said
    assert "✓ cross_entropy: 2 points, right, on all 7 cases\n✗ huffman_step: 0 points, raised" in said
    assert f"5 points in all, on the cases of the seed {seed}" in said
    assert {path.name for path in graded[0].parent.rglob("*")} == before


# What follows needs no sandbox: the verdicts are given.


class Generous:
    """Stands in for a submission's session: all is right."""

    seeds: list = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self, steps, remarks):
        self.steps = steps

    def verdict(self, name, seed):
        self.seeds.append(seed)
        return checking.Verdict(name, True, "right")

    def close(self):
        pass


@pytest.fixture
def generous(monkeypatch):
    Generous.seeds.clear()
    monkeypatch.setattr(submission, "Session", Generous)
    return Generous.seeds


def hand_in(folder, texts):
    for place, text in texts.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(text if isinstance(text, bytes) else text.encode())


def test_odd_files_get_a_row_that_says_why_and_cost_nobody_else_anything(tmp_path, generous, capsys, recwarn):
    week = tmp_path / "week"
    cell = {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": "entropy"}}, "outputs": [], "source": "x"}
    whole = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    texts = {
        "good/a.ipynb": notebook(),
        "capitals/A.IPYNB": notebook(),
        "marked/a.ipynb": b"\xef\xbb\xbf" + notebook().encode(),
        "no-source/a.ipynb": json.dumps({**whole, "cells": [{**cell, "source": None}, {**cell, "source": "x"}]}),
        "surrogate/a.ipynb": notebook(own_code_said="\ud800").encode(errors="surrogatepass"),
        "empty/a.ipynb": "",
        "text/a.ipynb": "dear teacher",
        "binary/a.ipynb": bytes(range(256)) * 40,
        "deep/a.ipynb": "[" * 100_000,
        "list/a.ipynb": "[]",
        "no-cells/a.ipynb": json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}}),
        "null-cells/a.ipynb": json.dumps({**whole, "cells": None}),
        "number/a.ipynb": json.dumps({**whole, "cells": [5]}),
        "newer/a.ipynb": json.dumps({**whole, "nbformat": 9}),
        "strange-names/a.ipynb": json.dumps({**whole, "cells": [{**cell, "metadata": {"nbgrader": ["entropy"]}}]}),
        "strange-ids/a.ipynb": json.dumps({**whole, "cells": [{**cell, "metadata": {"nbgrader": {"grade_id": []}}}]}),
        "only-text/answer.txt": "entropy is ...",
        "mac/__MACOSX/._a.ipynb": "left by a program",
        "mac/.ipynb_checkpoints/a-checkpoint.ipynb": notebook(),
        "mac/._a.ipynb": "left by a program",
        "mac/a.ipynb": notebook(),
        ".ipynb": notebook(),
        "cp1252/a.ipynb": notebook(own_code_said="café").replace("caf\\u00e9", "café").encode("cp1252", "replace"),
        "utf-16/a.ipynb": notebook().encode("utf-16"),
        "no-metadata/a.ipynb": json.dumps(
            {"nbformat": 4, "cells": [cell, {"cell_type": "code", "source": ["a", "b"]}]}
        ),
        "no-metadata-here/a.ipynb": json.dumps({**whole, "cells": [cell, {**cell, "metadata": None}]}),
        "same-ids/a.ipynb": json.dumps({**whole, "nbformat_minor": 5, "cells": [{**cell, "id": "a"}] * 50_000}),
        "by-hand.zip": "PK",
    }
    hand_in(week, texts)
    for name in ("link", "huge", "pipe", "folder.ipynb", "to-folder"):
        (week / name).mkdir()
    (week / "link" / "a.ipynb").symlink_to(week / "good" / "a.ipynb")
    (week / "to-folder" / "a.ipynb").symlink_to(week / "good")
    with (week / "huge" / "a.ipynb").open("wb") as file:
        file.truncate(33 << 20)
    os.mkfifo(week / "pipe" / "a.ipynb")
    assert grade.main(str(week)) == 0
    assert "no notebook, so not read: 'only-text/answer.txt'\n" in capsys.readouterr().out
    rows = table_of(week)
    assert len(rows) == len(list(week.iterdir()))
    assert rows["by-hand"]["remarks"] == "this is no notebook: hand in the file whose name ends in .ipynb"
    for student in ("good", "capitals", "marked", "mac", "surrogate", ".ipynb", "cp1252", "utf-16"):
        assert (points(rows[student]), rows[student]["remarks"]) == (["2", "2", "3", "3"], ""), student
    assert rows["mac"]["file"] == "mac/a.ipynb"
    for student in ("no-source", "no-metadata", "no-metadata-here", "same-ids"):
        assert points(rows[student]) == ["2", "2", "3", "3"]
    assert not recwarn.list
    for student in ("empty", "text", "binary", "deep", "list", "no-cells", "null-cells", "number", "newer"):
        assert "this is no notebook that can be read" in rows[student]["remarks"], student
    for student in ("strange-names", "strange-ids"):
        assert "no cell of an exercise is in it" in rows[student]["remarks"]
    for student in ("folder.ipynb", "only-text"):
        assert rows[student]["remarks"] == "no notebook is in this folder"
    for student in ("link", "to-folder"):
        assert rows[student]["remarks"] == "this is a link and not what it leads to"
    assert "33 MB, at most 32 are read: clear the notebook's outputs" in rows["huge"]["remarks"]
    assert rows["pipe"]["remarks"] == "this is no ordinary file"


def test_students_whose_names_are_alike_get_a_report_each(tmp_path, generous):
    folder = tmp_path / "week"
    names = ["a b", "a_b", "Ann", "ann", "ANN", "café", unicodedata.normalize("NFD", "café"), "x" * 200 + "1"]
    names += ["x" * 200 + "2", "김민지", "ﬁ", "fi", os.fsdecode(b"caf\xe9"), os.fsdecode(b"caf\xe8"), "a\nb", "a;b"]
    hand_in(folder, {f"{name}/a.ipynb": notebook(own_code_said=f"by {names.index(name)}.") for name in names})
    assert grade.main(str(folder)) == 0
    reports = {path.stem: path.read_text("utf-8") for path in (tmp_path / "week-grades").glob("*.html")}
    alike = {unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()) for name in reports}
    assert len(alike) == len(names)
    for number in range(len(names)):
        assert len([text for text in reports.values() if f"<pre>by {number}.</pre>" in text]) == 1
    assert len(list((tmp_path / "week-grades" / "finished").iterdir())) == len(names)


def test_no_name_of_a_student_is_another_students_file():
    trap = grade.file_names(["AB", "ab"])["ab"]
    names = grade.file_names(["ab", "AB", trap, trap.upper()])
    assert len({name.casefold() for name in names.values()}) == 4


def test_a_second_copy_of_a_notebook_is_no_second_row(tmp_path, generous):
    hand_in(tmp_path / "week", {"ann/a.ipynb": notebook(), "ann/a (1).ipynb": notebook(), "bob/a.ipynb": notebook()})
    assert grade.main(str(tmp_path / "week")) == 0
    text = (tmp_path / "week-grades" / "grades.csv").read_text("utf-8-sig")
    assert text.count("ann,01") == text.count("bob,01") == 1
    hand_in(tmp_path / "week", {"ann/a.ipynb": notebook(entropy="def entropy(p):\n    return 0.0")})
    assert grade.main(str(tmp_path / "week")) == 0
    text = (tmp_path / "week-grades" / "grades.csv").read_text("utf-8-sig")
    assert text.count("ann,01") == 2, "two different ones are two rows, and the files tell them apart"
    assert "ann/a.ipynb" in text
    assert "ann/a (1).ipynb" in text


def test_a_notebook_of_an_older_format_is_graded(generous):
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [
        {"cell_type": "code", "input": ["def f(x):\n", "    return x"], "language": "python", "outputs": [],
         "collapsed": False, "metadata": {"nbgrader": {"grade_id": "f"}}},
        {"cell_type": "markdown", "source": "words", "metadata": {"nbgrader": {"grade_id": "said"}}}]}]}  # fmt: skip
    found = submission.cells(json.dumps(old).encode())
    code, said = submission.Cell("f", True, "def f(x):\n    return x"), submission.Cell("said", False, "words")
    assert found == [code, said]


def test_a_text_that_was_split_in_two_cells_is_read_as_a_whole(tmp_path, generous):
    text = nbformat.reads(notebook(own_code_said="what I expected"), as_version=4)
    text.cells.append(nbformat.v4.new_markdown_cell("what I saw", metadata=text.cells[-1].metadata))
    hand_in(tmp_path, {"a.ipynb": nbformat.writes(text)})
    found = submission.grade(tmp_path / "a.ipynb", "ann", submission.exercises())
    assert found.texts["own_code_said"] == "what I expected\n\nwhat I saw"


def test_a_notebook_whose_cells_have_lost_their_names_is_known_by_its_functions(tmp_path, generous):
    bare = nbformat.reads(notebook(), as_version=4)
    for cell in bare.cells:
        cell.metadata.clear()
    hand_in(tmp_path / "week", {"ann/a.ipynb": nbformat.writes(bare)})
    assert grade.main(str(tmp_path / "week")) == 0
    assert points(table_of(tmp_path / "week")["ann"]) == ["2", "2", "3", "3"]


def test_two_exercises_in_one_notebook_are_told(tmp_path, generous):
    both = nbformat.reads(notebook(), as_version=4)
    both.cells += nbformat.read(MASTERS / "02-the-autoencoder.ipynb", as_version=4).cells[:5]
    hand_in(tmp_path / "week", {"ann/a.ipynb": nbformat.writes(both)})
    assert grade.main(str(tmp_path / "week")) == 0
    told = "this holds cells of 02-the-autoencoder too, which were not graded: hand in one notebook for each"
    assert table_of(tmp_path / "week")["ann"]["remarks"] == told


def test_a_kept_grade_that_a_crash_has_damaged_is_made_again(tmp_path, generous):
    hand_in(tmp_path / "week", {"ann/a.ipynb": notebook()})
    assert grade.main(str(tmp_path / "week")) == 0
    (place,) = (tmp_path / "week-grades" / "finished").iterdir()
    assert grade._finished(place).student == "ann"
    for left in ("", "{", "[]", '{"student": "ann", "colour": 1}', "\0" * 99):
        place.write_text(left)
        assert grade._finished(place) is None
    assert grade.main(str(tmp_path / "week")) == 0
    assert table_of(tmp_path / "week")["ann"]["points"] == "10"


def test_what_fails_with_one_submission_costs_nobody_the_table_and_is_tried_again(tmp_path, generous, monkeypatch):
    folder = tmp_path / "week"
    hand_in(folder, {f"{student}/a.ipynb": notebook() for student in ("ann", "bob", "carl")})
    real = grade.grade

    def fails(path, student, known):
        if student == "bob":
            raise sandbox.NoSandbox("the sandbox does not start: no memory")
        return real(path, student, known)

    monkeypatch.setattr(grade, "grade", fails)
    assert grade.main(str(folder)) == 1
    rows = table_of(folder)
    assert (rows["ann"]["points"], rows["carl"]["points"]) == ("10", "10")
    assert "run the same command again: NoSandbox: the sandbox does not start: no memory" in rows["bob"]["remarks"]
    monkeypatch.setattr(grade, "grade", real)
    assert grade.main(str(folder)) == 0
    assert table_of(folder)["bob"]["points"] == "10"


def test_the_seed_that_is_given_makes_the_cases(tmp_path, generous):
    hand_in(tmp_path, {"a.ipynb": notebook()})
    assert grade.main(str(tmp_path / "a.ipynb"), "1234") == 0
    assert generous == [1234] * 4
    assert grade.main(str(tmp_path / "a.ipynb")) == 0
    assert len(set(generous[4:])) == 1
    assert generous[4] != 1234


@pytest.mark.parametrize(("name", "seed"), [("a.ipynb", "abc"), ("a.ipynb", "-1"), ("a.ipynb", f"{2**63}"), ("", "5")])
def test_a_seed_that_can_be_none_is_refused(tmp_path, capsys, name, seed):
    (tmp_path / "a.ipynb").write_text(notebook())
    assert grade.main(str(tmp_path / name), seed) == 2
    assert f"got the seed {seed!r}, expected a whole number, for one notebook" in capsys.readouterr().out


def test_a_notebook_that_cannot_be_graded_alone_says_why(tmp_path, monkeypatch, capsys):
    hand_in(tmp_path, {"a.ipynb": "no notebook", "b.ipynb": notebook()})
    assert grade.main(str(tmp_path / "a.ipynb")) == 0
    assert "this is no notebook that can be read (JSONDecodeError" in capsys.readouterr().out

    def fails(*args):
        raise sandbox.NoSandbox("the sandbox does not start: no memory")

    monkeypatch.setattr(grade, "grade", fails)
    assert grade.main(str(tmp_path / "b.ipynb")) == 1
    assert capsys.readouterr().out == "the sandbox does not start: no memory\n"


def test_the_folder_where_one_is_can_be_graded(tmp_path, generous, monkeypatch):
    hand_in(tmp_path / "week", {"ann/a.ipynb": notebook()})
    monkeypatch.chdir(tmp_path / "week")
    assert grade.main(".") == 0
    assert table_of(tmp_path / "week")["ann"]["points"] == "10"


def test_an_interrupted_run_keeps_what_is_finished_and_goes_on(tmp_path, monkeypatch, capsys):
    hand_in(tmp_path / "week", {f"{student}/{NAME}": notebook() for student in ("a", "b", "c")})
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


def test_everything_is_run_but_the_experiments_which_are_only_defined():
    exercise = submission.exercises()[0]
    steps = submission._steps(submission.cells(notebook(setup="import numpy").encode()), exercise)
    assert steps[:2] == [("run", "<cell 1>", "import numpy"), ("run", "<cell 2>", steps[1][2])]
    assert steps[2:5] == [
        ("run", "<cell 3>", solution("entropy")),
        ("run", "<cell 4>", solution("check-entropy")),
        ("checked", "entropy", None),
    ]
    assert [name for kind, name, _ in steps if kind == "checked"] == [*POINTS]
    assert [kind for kind, _, _ in steps][-3:] == ["checked", "define", "changed"]


class Scripted:
    """Stands in for a sandbox: some of what it is asked ends it."""

    ends: set = set()  # noqa: RUF012 - set by the tests
    asked: list = []  # noqa: RUF012
    seconds = 0.0

    def __init__(self):
        self.asked.append("start")

    def ask(self, kind, name, content, seconds):
        self.asked.append((kind, name))
        time.sleep(self.seconds)
        if (kind, name) in self.ends:
            raise sandbox.Stopped
        return "done", [], None

    def close(self):
        pass


@pytest.fixture
def scripted(monkeypatch):
    for name, value in (("ends", set()), ("asked", []), ("seconds", 0.0)):
        monkeypatch.setattr(Scripted, name, value)
    monkeypatch.setattr(submission, "Sandbox", Scripted)
    return Scripted


def test_a_cell_that_does_not_end_is_only_defined_the_next_time_and_else_left_out(scripted):
    scripted.ends = {("run", "<cell 2>"), ("define", "<cell 2>"), ("run", "<cell 3>")}
    session = submission.Session([("run", f"<cell {number}>", "") for number in (1, 2, 3)], [])
    session._ready()
    assert session.steps == [("run", "<cell 1>", ""), ("define", "<cell 3>", "")]
    assert session.remarks == [f"code cell {number} did not end in time, or used too much memory: what it "
                               "defines counts all the same" for number in (2, 3)]  # fmt: skip


def test_a_notebook_full_of_cells_that_do_not_end_is_given_up(scripted):
    steps = [("run", f"<cell {number}>", "") for number in range(1000)]
    scripted.ends = {(kind, name) for _, name, _ in steps[1:] for kind in ("run", "define")} | {("changed", "")}
    session = submission.Session([*steps, ("changed", "", None)], [])
    session._ready()
    assert session.steps == steps[:1]
    assert scripted.asked.count("start") == submission.MOST_STOPS + 1
    assert len(session.remarks) <= submission.MOST_REMARKS


def test_many_long_cells_together_have_a_limit(scripted, monkeypatch):
    monkeypatch.setattr(submission, "SECONDS_FOR_CELLS", 0.25)
    scripted.seconds = 0.1
    session = submission.Session([("run", f"<cell {number}>", "") for number in range(5)], [])
    session._ready()
    assert [kind for kind, _ in scripted.asked[1:]] == ["run", "run", "run", "define", "define"]
    assert "the cells need more than 0.25 seconds" in session.remarks[0]
    scripted.asked.clear()
    submission.Session([("run", f"<cell {number}>", "") for number in range(50)] + [("changed", "", None)], [])._ready()
    assert scripted.asked.count(("changed", "")) == 1
    assert len(scripted.asked) < 10, "a class may sleep while it is defined"


def test_a_question_has_more_time_here_than_where_the_student_checked_it():
    assert submission.SECONDS_PER_QUESTION >= 3 * checking.SECONDS


# What follows shares one sandbox.


@pytest.fixture(scope="module")
def box():
    box = sandbox.Sandbox()
    yield box
    box.close()


SQUARE = "def f(x):\n    return x * x"


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    return (x * x\n            % 100)",
        "def f(x):\n    total = (x * x\n             * 1\n             % 100)\n    return total",
        f"%matplotlib inline\n{SQUARE}",
        f"!pip install -q something\n{SQUARE}",
        f"files = !ls\nnumber = len(files)\n{SQUARE}",
        "def f(x):\n    %pip install something\n    !ls\n    return x * x",
        f"%%time\n{SQUARE}",
        f"%%capture caught\n%matplotlib inline\n{SQUARE}",
        f"%time timed = 2\ntimed + 1\n{SQUARE}",
        f"%timeit sum(range(10))\ntaken = %timeit -o sum(range(10))\ntaken.average\n{SQUARE}",
        f"from tqdm.auto import tqdm\nfor _ in tqdm(range(3)):\n    pass\n{SQUARE}",
        f"colab = 'google.colab' in str(get_ipython())\nkernel = 'IPKernelApp' in get_ipython().config\n{SQUARE}",
        f"?print\nprint?\n{SQUARE}",
        f"%load_ext autoreload\n%autoreload 2\nget_ipython().run_line_magic('matplotlib', 'inline')\n{SQUARE}",
        f"from IPython import get_ipython\nget_ipython().system('ls')\n{SQUARE}",
        f"display(3)\ndisplay('a', 'b')\n{SQUARE}",
        f"from IPython.display import display, clear_output\ndisplay(3)\nclear_output()\n{SQUARE}",
        f"import asyncio\nnumber = await asyncio.sleep(0, 3)\n{SQUARE}",
        "if __name__ == '__main__':\n    def f(x):\n        return x * x",
        f"name = input('your name? ')\n{SQUARE}",
        f"import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nplt.savefig('a.png')\n{SQUARE}",
        f"from aecourse.exercises import check\nfound = check('f', 3)\nassert found.right, found.message\n{SQUARE}",
        f"import aecourse as ae\nassert ae.exercises.check('f', 3, seed=1).right\n{SQUARE}",
        f">>> number = 3\n>>> number\n{SQUARE.replace('def', '>>> def').replace('    return', '...     return')}",
        "import numpy as np\ndef f(x):\n    return np.float64(x) ** 2",
        "import numpy as np\ndef f(x):\n    return np.float32(x) ** 2",
        "import torch\ndef f(x):\n    return torch.tensor(float(x)).bfloat16() ** 2",
        "from fractions import Fraction\ndef f(x):\n    return Fraction(x) ** 2",
        "from decimal import Decimal\ndef f(x):\n    return Decimal(x) ** 2",
        "import numpy as np\ndef f(x):\n    return np.longdouble(x) ** 2",
        "import numpy as np\ndef f(x):\n    return np.array([x], dtype='>f4') ** 2",
        "import numpy as np\ndef f(x):\n    return np.array([x], dtype=object) ** 2",
        "def f(x):\n    return range(9, 10)",
        "f = lambda x: x * x",
        "class Square:\n    def __call__(self, x):\n        return x * x\nf = Square()",
        "from dataclasses import dataclass\n@dataclass\nclass Box:\n    x: 'int'\ndef f(x):\n    return Box(x).x ** 2",
        "import pickle\nclass Box:\n    pass\npickle.loads(pickle.dumps(Box()))\ndef f(x):\n    return x * x",
    ],
)
def test_what_a_notebook_can_run_the_sandbox_can(box, source):
    box.ask("run", "<cell 1>", "f = None", 20)
    assert box.ask("run", "<cell 2>", source, 20) == ("done", None, None)
    kind, value, given = box.ask("call", "f", (3,), 20)
    assert (kind, float(value), given) == ("value", 9.0, (3,)), value


@pytest.mark.parametrize(
    "source",
    [
        f"raise ValueError\n{SQUARE}",
        f"open('/my/own/data.csv')\nBASE = 2\npower = lambda x: x**BASE\n{SQUARE.replace('x * x', 'power(x)')}",
        f"print('tidy')\nexit()\n{SQUARE}",
        f"%%time\nnumber = int(input('a number: '))\n{SQUARE}",
        f"import no_such_module\n{SQUARE}",
        "open('/my/own/data.csv')\nimport math\nTWO = math.sqrt(4)\ndef f(x):\n    return x**TWO",
        "open('/my/own/data.csv')\nimport functools\nf = functools.partial(lambda power, x: x**power, 2)",
        "open('/my/own/data.csv')\nn = 0\nfor _ in range(2):\n    n += 1\ndef f(x):\n    return x**n",
        "open('/my/own/data.csv'); import math; TWO = math.sqrt(4)\ndef f(x):\n    return x**TWO",
        "def f(x):\n    return x + 3\ng = f\nf = lambda x: g(g(x))\nprint(1 / 0)",
        f"import asyncio\nraise asyncio.CancelledError\n{SQUARE}",
    ],
)
def test_an_error_costs_nothing_that_stands_below_it(box, source):
    box.ask("run", "<cell 1>", "f = None", 20)
    kind, told, _ = box.ask("run", "<cell 2>", source, 20)
    assert kind == "error"
    assert told.startswith("raised ")
    assert box.ask("call", "f", (3,), 20)[1] == 9


@pytest.mark.parametrize(
    "cells",
    [
        ("%%writefile helpers.py\ndef square(x):\n    return x * x", "from helpers import square as f"),
        ("%%file helped.py\nf = lambda x: x * x", "%run helped.py"),
        ("open('helping.py', 'w').write('TWO = 2')", "import helping\ndef f(x):\n    return x**helping.TWO"),
        ("%env POWER=2", "import os\ndef f(x):\n    return x ** int(os.environ['POWER'])"),
        ("%pylab inline", "def f(x):\n    return array(x) ** 2"),
        ("get_ipython().user_ns['TWO'] = 2", "def f(x):\n    return x**TWO"),
        ("get_ipython().run_cell('TWO = 2')", "get_ipython().ex('def f(x):\\n    return x**TWO')"),
        ("import asyncio\nasync def two():\n    return 2\ntask = asyncio.create_task(two())",
         "TWO = await task\ndef f(x):\n    return x**TWO"),
    ],
)  # fmt: skip
def test_what_a_cell_leaves_behind_is_there_for_the_next(box, cells):
    box.ask("run", "<cell 1>", "f, before = None, {*globals()}", 20)
    for number, source in enumerate(cells, 2):
        assert box.ask("run", f"<cell {number}>", source, 20) == ("done", None, None)
    assert box.ask("call", "f", (3,), 20)[1] == 9
    assert box.ask("run", "<cell 4>", "%pip install nothing\n!exit 1", 20) == ("done", None, None)
    box.ask("run", "<cell 5>", "for each in {*globals()} - {*before, 'f', 'before'}:\n    del globals()[each]", 20)


def test_what_stands_below_a_line_that_does_not_end_counts(box):
    for endless in (
        "import time\ntime.sleep(999)",
        "while True:\n    pass",
        "import asyncio\nawait asyncio.sleep(999)",
    ):
        source = f"{endless}\nimport math\nTWO = math.sqrt(4)\ndef f(x):\n    return x**TWO"
        assert box.ask("run", "<cell 1>", source, 4) == ("late", None, None)
        assert box.ask("call", "f", (3,), 20)[1] == 9


def test_a_future_import_holds_for_the_cells_below_and_for_no_other_notebook(box):
    told = box.ask("run", "<cell 1>", "def g(x: no_such_type):\n    return x", 20)
    assert "raised NameError" in told[1], "the worker's own future import is no student's"
    fresh = worker.Notebook({})
    assert fresh.answer("run", "<cell 1>", "from __future__ import annotations")[0] == "done"
    assert fresh.answer("run", "<cell 2>", "def g(x: no_such_type):\n    return x")[0] == "done"


def test_what_is_only_defined_is_not_run(box):
    source = "import math\nprint(1 / 0)\nBASE = 2\ndef f(x):\n    return math.pow(x, BASE)\nwhile True:\n    pass"
    assert box.ask("define", "<cell 1>", source, 20)[0] == "done"
    assert box.ask("call", "f", (3,), 20)[1] == 9.0
    assert box.ask("define", "<cell 1>", "%%time\ndef f(x):\n    return 5.0\nwhile True:\n    pass", 20)[0] == "done"
    assert box.ask("call", "f", (3,), 20)[1] == 5.0
    assert box.ask("define", "<cell 1>", "f = [].copy()\nf = max(3, 4)", 20)[0] == "done"
    assert box.ask("call", "f", (3,), 20)[1] == 5.0, "a value that a call makes may take long"


def test_the_function_that_was_checked_counts_if_the_name_is_used_again(box):
    session = submission.Session([], [])
    session.sandbox, session.changed = box, {"entropy"}
    right, wrong = solution("entropy"), "def entropy(p):\n    return 0.0"
    for first, then, expected in ((right, wrong, True), (wrong, right, True), (right, "entropy = 3", True)):
        box.ask("run", "<cell 1>", "import math\n" + first, 20)
        box.ask("checked", "entropy", None, 20)
        assert box.ask("changed", "", None, 20)[1] == []
        box.ask("run", "<cell 2>", then, 20)
        assert box.ask("changed", "", None, 20)[1] == ["entropy"]
        assert session.verdict("entropy", 0).right is expected
    told = "`entropy`, or what it uses, was changed below its check; the function that was checked counts"
    assert session.remarks == [told]


def test_helpers_of_the_same_name_serve_the_function_that_was_checked_with_them(box):
    session = submission.Session([], [])
    session.sandbox, session.changed = box, {"entropy"}
    uses = "def bits(p):\n    return -math.log2(p)\ndef cost(p):\n    return p * bits(p) if p else 0\n"
    box.ask("run", "<cell 1>", f"import math\n{uses}def entropy(p):\n    return sum(map(cost, p))", 20)
    box.ask("checked", "entropy", None, 20)
    box.ask("run", "<cell 2>", "def bits(image):\n    return image.sum()", 20)
    assert "entropy" in box.ask("changed", "", None, 20)[1]
    assert session.verdict("entropy", 0).right
    assert box.ask("run", "<cell 3>", "import torch\nassert bits(torch.ones(2)) == 2", 20)[0] == "done"


def test_a_mark_that_an_input_wants_gradients_is_told_as_in_the_notebook(box):
    session = submission.Session([], [])
    session.sandbox = box
    marks = "def reparameterize(mu, log_var, epsilon):\n    return mu.requires_grad_() + (log_var / 2).exp() * epsilon"
    box.ask("run", "<cell 1>", marks, 20)
    assert "switches on requires_grad for its input `mu`" in session.verdict("reparameterize", 0).message


def test_a_submission_can_fill_no_memory_with_files(box):
    hoard = """def hoard(place):
        import os
        try:
            with open(os.path.join(place, "hoard"), "wb") as file:
                for _ in range(100):
                    file.write(bytes(1 << 20))
        except OSError as error:
            return error.strerror
        finally:
            if os.path.exists(os.path.join(place, "hoard")):
                os.remove(os.path.join(place, "hoard"))"""
    box.ask("run", "<cell 1>", hoard, 20)
    package = str(sandbox.ROOT / "aecourse")
    told = {place: box.ask("call", "hoard", (place,), 30)[1] for place in ("/", "/dev", "/dev/shm", "/tmp", package)}
    assert set(told.values()) == {"Read-only file system", "No space left on device"}, told
    assert box.ask("call", "hoard", (f"{package}/exercises",), 30)[1] == "Read-only file system"


HOARDS = {
    "processes": "import os, time\nfor _ in range(20):\n    if os.fork() == 0:\n        time.sleep(60)",
    "memory that is shared": "import mmap\nhog = mmap.mmap(-1, 1 << 30)\nhog[:] = bytes(1 << 30)",
    "memory of many": "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        hog = b'x' * (300 << 20)\n"
    "        time.sleep(60)",
}


@pytest.mark.parametrize("hoard", HOARDS)
def test_a_submission_takes_no_memory_and_no_processes_from_others(hoard, monkeypatch):
    monkeypatch.setattr(sandbox, "MEMORY", 1 << 30)
    monkeypatch.setattr(sandbox, "MOST_PROCESSES", 10)
    hungry = sandbox.Sandbox()
    with pytest.raises(sandbox.Stopped):
        hungry.ask("run", "<cell 1>", f"{HOARDS[hoard]}\nimport time\ntime.sleep(50)", 60)
    assert not hungry._processes()


def test_no_file_without_a_disk_is_larger_than_the_disks(box):
    source = "import os\nfile = os.memfd_create('hoard')\nfor _ in range(99):\n    os.write(file, bytes(1 << 20))"
    assert "File too large" in box.ask("run", "<cell 1>", source, 20)[1]


def test_the_time_in_which_others_have_the_processors_does_not_count(box, monkeypatch):
    monkeypatch.setattr(sandbox, "LONGEST_WAIT", 99)
    busy = "import time\ndef busy():\n    while time.process_time() < end:\n        pass\n    return 1"
    box.ask("run", "<cell 1>", busy, 20)
    box.ask("run", "<cell 2>", "end = time.process_time() + 1", 20)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4 * os.cpu_count())]
    try:
        assert box.ask("call", "busy", (), 2) == ("value", 1, ())
    finally:
        for each in others:
            each.kill()
            each.wait()


def test_a_reply_in_drops_is_not_waited_for():
    out, into = os.pipe()
    stop = threading.Event()

    def drip():
        while not stop.wait(0.02):
            os.write(into, b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()
    with os.fdopen(out, "rb") as pipe, pytest.raises(sandbox.Stopped):
        sandbox._Timed(pipe, began + 0.5).read(10_000)
    stop.set()
    thread.join()
    os.close(into)
    assert time.monotonic() - began < 10


def test_a_sandbox_that_does_not_listen_is_not_waited_for():
    out, into = os.pipe()
    began = time.monotonic()
    with os.fdopen(into, "wb") as pipe, pytest.raises(sandbox.Stopped):
        worker.write(sandbox._Timed(pipe, began + 0.3), worker.pack("x" * (1 << 20)))
    assert time.monotonic() - began < 5
    os.close(out)


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_a_reply_that_never_comes_or_is_too_long_is_not_waited_for(seconds):
    out, into = os.pipe()
    if not seconds:
        os.write(into, (sandbox.LONGEST + 1).to_bytes(8, "little"))
    with os.fdopen(out, "rb") as pipe, pytest.raises(sandbox.Stopped):
        worker.read(sandbox._Timed(pipe, time.monotonic() + (seconds or 30)))
    os.close(into)


@pytest.mark.parametrize("name", QUESTIONS)
def test_right_answers_of_any_kind_come_through_the_pipe(name):
    def call(answer, arguments, deadline):
        pipe = io.BytesIO()
        result = answer(*arguments)
        worker.write(pipe, ("value", worker.pack(result), worker.pack(arguments)))
        pipe.seek(0)
        return worker.read(pipe)[1:]

    for answer in RIGHT[name]:
        verdict = checking.check_answer(QUESTIONS[name], answer, call=call)
        assert verdict.right, verdict


def test_a_message_brings_numbers_and_the_mark_of_a_gradient_and_nothing_that_runs():
    weight = torch.ones(2, 3, requires_grad=True)
    value = (2 * weight, [1, 2.5, None, "text"], object(), 1 << 5000, np.arange(3), {"a": 1}, np.float64(0.1))
    pipe = io.BytesIO()
    worker.write(pipe, worker.pack(value))
    pipe.seek(0)
    tensor, parts, thing, whole, array, table, number = worker.read(pipe)
    assert tensor.requires_grad
    assert tensor.is_leaf
    assert torch.equal(tensor.detach(), torch.full((2, 3), 2.0))
    assert (parts, array.tolist()) == ([1, 2.5, None, "text"], [0, 1, 2])
    assert (thing, table) == ("a object object", "a dict object")
    assert whole == "a whole number of 5001 binary digits"
    assert number == 0.1
    with pytest.raises(EOFError):
        worker.read(pipe)


@pytest.mark.parametrize("dtype", [*worker.DTYPES.values(), torch.uint16])
def test_a_tensor_of_any_kind_and_shape_comes_through_the_pipe(dtype):
    for shape in ((), (0, 3), (2, 3)):
        tensor = (torch.arange(6)[: int(np.prod(shape))].reshape(shape) % 2).to(dtype)
        found = worker.unpack(json.loads(json.dumps(worker.pack(tensor))))
        assert found.shape == tensor.shape
        assert found.dtype == (dtype if dtype in worker.DTYPES.values() else torch.float64)
        assert found.tolist() == tensor.tolist()


def test_a_reply_that_claims_more_than_it_brings_is_refused():
    packed = worker.pack(torch.ones(2))
    for wrong in ({**packed, "shape": [10**12]}, {**packed, "dtype": "object"}, {"data": packed["data"]}, {"a": 1}):
        with pytest.raises((RuntimeError, KeyError)):
            worker.unpack(wrong)


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
