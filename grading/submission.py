"""One submission: what is in its notebook, and what its functions are worth."""

from __future__ import annotations

import json
import re
import secrets
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from sandbox import Sandbox, Stopped
from student_notebooks import MASTERS

from aecourse.exercises import QUESTIONS, checking

LARGEST = 32 << 20  # bytes of a notebook; without outputs an exercise has some ten thousand
SECONDS_PER_CELL, SECONDS_FOR_CELLS = 30, 120
SECONDS_PER_QUESTION = 3 * checking.SECONDS  # this machine may be slower than the one where the check said "right"
MOST_STOPS, MOST_REMARKS = 10, 20


class Unreadable(Exception):
    """This is no notebook that can be graded; the message says why."""


@dataclass
class Exercise:
    """What a master asks for: points for each question, and for each answer that a person reads."""

    name: str
    points: dict[str, int]
    to_read: dict[str, int]


@dataclass
class Grade:
    """What became of one submission; with the same seed it is graded on the same cases."""

    student: str
    exercise: str
    points: dict[str, int] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    seed: int | None = None
    file: str = ""


@dataclass
class Cell:
    """A cell of a notebook: the name that nbgrader's format gives it, or none; whether it is code; and its text."""

    name: str
    is_code: bool
    source: str


def exercises() -> list[Exercise]:
    """Return all exercises, from the masters."""
    found = []
    for path in sorted(MASTERS.glob("*.ipynb")):
        settings = [cell.metadata.get("nbgrader", {}) for cell in nbformat.read(path, as_version=4).cells]
        graded = {each["grade_id"]: each["points"] for each in settings if each.get("grade")}
        points = {name.removeprefix("check-"): value for name, value in graded.items() if name.startswith("check-")}
        to_read = {name: value for name, value in graded.items() if not name.startswith("check-")}
        found.append(Exercise(path.stem, points, to_read))
    return found


def content(path: Path) -> bytes:
    """Return what is in a file that was handed in.

    Raises:
        Unreadable: if it is a link, no ordinary file, too large, or closed to this user.
    """
    try:
        state = path.lstat()
        if stat.S_ISLNK(state.st_mode):
            raise Unreadable("this is a link and not what it leads to")
        if not stat.S_ISREG(state.st_mode):
            raise Unreadable("this is no ordinary file")
        if state.st_size > LARGEST:
            size = f"this file has {state.st_size >> 20} MB, at most {LARGEST >> 20} are read"
            raise Unreadable(f"{size}: clear the notebook's outputs and hand it in again")
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"this file can't be read ({error.strerror})") from None


def cells(written: bytes) -> list[Cell]:
    """Return the cells of a notebook of any version; what is missing in one of them counts as empty.

    Raises:
        Unreadable: if this is no notebook.
    """
    try:
        try:
            held = json.loads(written)
        except UnicodeDecodeError:  # an editor saved it in its own way
            held = json.loads(written.decode("cp1252", errors="replace"))
        if not isinstance(held, dict) or held.get("nbformat") != 4:
            held = nbformat.reads(written, as_version=4)
        found = []  # read as it is: nbformat refuses a cell without metadata, and takes minutes to check many cells
        for cell in held["cells"]:
            source = cell.get("source")
            source = "".join(map(str, source)) if isinstance(source, list) else source
            texts = [text if isinstance(text, str) else "" for text in (_grade_id(cell), source)]
            found.append(Cell(texts[0], cell.get("cell_type") == "code", texts[1]))
    except Exception as error:  # broken JSON, no notebook, a version that nobody knows
        told = f"{type(error).__name__}: {error}"
        raise Unreadable(f"this is no notebook that can be read ({told[:200]})") from None
    return found


def _grade_id(cell: dict) -> Any:
    for key in ("metadata", "nbgrader", "grade_id"):
        cell = cell.get(key) if isinstance(cell, dict) else None
    return cell


def grade(path: Path, student: str, known: list[Exercise], seed: int | None = None) -> Grade:
    """Return the grade of one submission, whatever is in it, on cases that the seed makes, or that nobody could know.

    Raises:
        NoSandbox: if this machine can't start one.
    """
    try:
        found = cells(content(path))
    except Unreadable as error:
        return Grade(student, path.stem, remarks=[str(error)])
    names = {cell.name for cell in found}
    if not any(names & {*each.points, *each.to_read} for each in known):  # some programs drop what they don't know
        code = "\n".join(cell.source for cell in found if cell.is_code)
        names = {*re.findall(r"^(?:async )?def (\w+)", code, re.MULTILINE)}
    exercise = max(known, key=lambda each: len(names & {*each.points, *each.to_read}))
    if not names & {*exercise.points, *exercise.to_read}:
        told = "no cell of an exercise is in it: were the cells copied into a new notebook?"
        return Grade(student, path.stem, remarks=[told])
    result = Grade(student, exercise.name, seed=secrets.randbelow(2**31) if seed is None else seed)
    for name in exercise.to_read:  # a cell that was split in two counts as one
        texts = [cell.source for cell in found if cell.name == name]
        if texts:
            result.texts[name] = "\n\n".join(texts)
    others = [each.name for each in known if each is not exercise and names & {*each.points}]
    if others:
        told = f"this holds cells of {', '.join(others)} too, which were not graded: hand in one notebook for each"
        result.remarks.append(told)
    session = Session(_steps(found, exercise), result.remarks)
    try:
        for name, points in exercise.points.items():
            verdict = session.verdict(name, result.seed)
            result.messages[name] = verdict.message
            result.points[name] = points if verdict.right else 0
    finally:
        session.close()
    return result


def _steps(found: list[Cell], exercise: Exercise) -> list[tuple[str, str, str | None]]:
    """Return what the sandbox is told, in the order of the notebook.

    Experiments are not run: they may take long, and a person reads them.  But what they define may be what an answer
    uses.  A check is told nothing in the sandbox; its cell is run for what else a student wrote into it.
    """
    steps: list[tuple[str, str, str | None]] = []
    for number, cell in enumerate((cell for cell in found if cell.is_code), 1):
        question = cell.name.removeprefix("check-") if cell.name.startswith("check-") else ""
        steps.append(("define" if cell.name in exercise.to_read else "run", f"<cell {number}>", cell.source))
        if question in exercise.points:
            steps.append(("checked", question, None))
    return [*steps, ("changed", "", None)]


class Session:
    """A submission's cells in a sandbox, which is begun anew, without what ended it, as often as that is needed."""

    def __init__(self, steps: list[tuple[str, str, str | None]], remarks: list[str]):
        self.steps, self.remarks = steps, remarks
        self.sandbox: Sandbox | None = None
        self.changed: set[str] = set()  # questions that were checked when some name stood for something else
        self.stops = 0

    def verdict(self, name: str, seed: int) -> checking.Verdict:
        """Return the verdict on one question: on the last function of this name, or on the one that was checked."""
        last = self._verdict("call", name, seed)
        if last.right or name not in self.changed:
            return last
        checked = self._verdict("call as checked", name, seed)
        if checked.right:
            told = f"`{name}`, or what it uses, was changed below its check; the function that was checked counts"
            self._remark(told)
        return checked if checked.right else last

    def _verdict(self, kind: str, name: str, seed: int) -> checking.Verdict:
        def call(_: Any, arguments: tuple, deadline: float) -> tuple[Any, tuple]:
            return self._call(kind, name, arguments, deadline)

        self._ready()  # so that the time for the question does not begin while a sandbox still starts
        # `call` stands for the function, too, which is no more than a name here.
        return checking.check_answer(QUESTIONS[name], call, seed=seed, seconds=SECONDS_PER_QUESTION, call=call)

    def _call(self, kind: str, name: str, arguments: tuple, deadline: float) -> tuple[Any, tuple]:
        """Return what the student's function gives in the sandbox, and the arguments afterwards."""
        sandbox = self._ready()
        try:
            told, value, given = sandbox.ask(kind, name, arguments, max(0.05, deadline - time.monotonic()))
        except Stopped:
            self.sandbox = None
            said = "did not end in time, used too much memory, or returned too much: does a loop never stop?"
            raise checking.Hint(said) from None
        if told == "missing":
            raise checking.Missing
        if told != "value" or not isinstance(given, tuple):
            raise checking.Hint(str(value)[:1000])
        return value, given

    def _ready(self) -> Sandbox:
        """Return a sandbox in which all cells have run; what ended one before is only defined in it, or left out."""
        while self.sandbox is None:
            sandbox = Sandbox()
            end = time.monotonic() + SECONDS_FOR_CELLS
            for place, (kind, name, text) in enumerate(self.steps):
                if kind == "run" and time.monotonic() > end:
                    kind = "define"
                    self._remark(f"the cells need more than {SECONDS_FOR_CELLS} seconds: of the last, only definitions")
                if kind == "define" and time.monotonic() > end + SECONDS_FOR_CELLS:
                    continue
                try:
                    told, value, _ = sandbox.ask(kind, name, text, SECONDS_PER_CELL)
                except Stopped:
                    self._leave_out(place)
                    break
                if told == "late":
                    self._late(name)
                if told == "error":
                    self._remark(f"code {name.strip('<>')} {str(value)[:1000]}")
                if kind == "changed" and isinstance(value, list):
                    self.changed = {each for each in value if isinstance(each, str)}
            else:
                self.sandbox = sandbox
        return self.sandbox

    def _leave_out(self, place: int) -> None:
        """Take back a step: what did not end is only defined the next time, and what can't be defined is left out."""
        kind, name, text = self.steps[place]
        self.stops += 1
        if kind == "run":
            self._late(name)
        if self.stops < MOST_STOPS:
            self.steps[place : place + 1] = [("define", name, text)] if kind == "run" else []
        else:
            del self.steps[place:]
            self._remark(f"{MOST_STOPS} times a cell did not end: {name.strip('<>')} and those below are left out")

    def _late(self, name: str) -> None:
        told = "did not end in time, or used too much memory: what it defines counts all the same"
        self._remark(f"code {name.strip('<>')} {told}")

    def _remark(self, text: str) -> None:
        if text not in self.remarks and len(self.remarks) < MOST_REMARKS:
            self.remarks.append(text)

    def close(self) -> None:
        """End the sandbox."""
        if self.sandbox is not None:
            self.sandbox.close()
