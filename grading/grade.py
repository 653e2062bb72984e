"""Grade a folder of exercise notebooks: each in a sandbox of its own, one table for all, one report for each student.

A submission's functions are called from outside the sandbox on cases that are drawn anew for each submission, and
their results are compared here.  So a submission sees neither what is right nor other submissions, and has no network.
What is finished is kept: after an interruption the same command goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import html
import json
import os
import re
import secrets
import select
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from student_notebooks import MASTERS, ROOT
from tqdm.auto import tqdm
from worker import read, write

from aecourse.exercises import QUESTIONS, checking

SECONDS_PER_CELL, SECONDS_PER_QUESTION, SECONDS_TO_START = 20, 10, 120


@dataclass
class Exercise:
    """What a master asks for: points for each question, and for each answer that a person reads."""

    name: str
    points: dict[str, int]
    to_read: dict[str, int]


@dataclass
class Grade:
    """What became of one submission."""

    student: str
    exercise: str
    points: dict[str, int] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


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


class Stopped(Exception):
    """The sandbox did not answer in time, or died."""


class Sandbox:
    """A process that runs a student's code, without a network and with no file but Python's and the package's."""

    def __init__(self):
        package, worker = ROOT / "aecourse", Path(__file__).with_name("worker.py")
        settings = {
            "HOME": "/tmp", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "TQDM_DISABLE": "1",
        }  # fmt: skip
        command = [
            "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv",
            "--proc", "/proc", "--dev", "/dev", "--size", str(64 << 20), "--tmpfs", "/tmp", "--chdir", "/tmp",
            "--ro-bind", "/usr", "/usr",
        ]  # fmt: skip
        for place in ("/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/fonts"):
            command += ["--ro-bind-try", place, place]
        for place in sorted({sys.base_prefix, sys.prefix, str(package), str(worker)}):
            command += ["--ro-bind", place, place]
        command += ["--tmpfs", str(package / "exercises")]  # which hold what is right
        for name, value in settings.items():
            command += ["--setenv", name, value]
        self.process = subprocess.Popen(
            [*command, sys.executable, str(worker)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            self._read(time.monotonic() + SECONDS_TO_START)
        except Stopped:
            told = self.process.stderr.read().decode(errors="replace")[-500:]
            raise RuntimeError(f"the sandbox does not start: {told}") from None

    def ask(self, kind: str, name: str, content: Any, seconds: float) -> tuple:
        """Return the reply to a message.

        Raises:
            Stopped: if none comes in time; the sandbox is then gone.
        """
        try:
            write(self.process.stdin, (kind, name, content))
            return self._read(time.monotonic() + seconds)
        except (BrokenPipeError, EOFError, Stopped):
            self.close()
            raise Stopped from None
        except Exception as error:  # a reply that is no message
            self.close()
            raise Stopped from error

    def _read(self, deadline: float) -> tuple:
        pipe = _Timed(self.process.stdout, deadline)
        reply = read(pipe)
        if not isinstance(reply, tuple) or len(reply) != 3:
            raise Stopped
        return reply

    def close(self) -> None:
        """End the process and all that it began."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class _Timed:
    """A pipe whose `read` raises Stopped when the deadline is over, or more comes than any answer needs."""

    def __init__(self, pipe: Any, deadline: float):
        self.pipe, self.deadline = pipe, deadline

    def read(self, count: int) -> bytes:
        if not 0 <= count <= 64 << 20:
            raise Stopped
        parts = b""
        while len(parts) < count:
            left = self.deadline - time.monotonic()
            if left <= 0 or not select.select([self.pipe], [], [], left)[0]:
                raise Stopped
            part = os.read(self.pipe.fileno(), min(count - len(parts), 1 << 20))
            if not part:
                raise Stopped
            parts += part
        return parts


def grade(path: Path, student: str, known: list[Exercise]) -> Grade:
    """Return the grade of one submission; whatever is in it, this does not raise."""
    try:
        notebook = nbformat.read(path, as_version=4)
        cells = [(cell.metadata.get("nbgrader", {}), cell) for cell in notebook.cells]
    except Exception as error:  # broken JSON, no notebook, wrong encoding
        return Grade(student, path.stem, remarks=[f"this is no notebook that can be read ({type(error).__name__})"])
    ids = {settings.get("grade_id") for settings, _ in cells}
    exercise = max(known, key=lambda each: len(ids & {*each.points, *each.to_read}))
    if not ids & {*exercise.points, *exercise.to_read}:
        return Grade(
            student, path.stem, remarks=["no cell of an exercise is in it: were the cells copied into a new notebook?"]
        )
    result = Grade(student, exercise.name)
    for settings, cell in cells:
        if settings.get("grade_id") in exercise.to_read:
            result.texts[settings["grade_id"]] = cell.source
    apart = {"setup", *exercise.to_read, *(f"check-{name}" for name in exercise.points)}
    code = [
        cell.source for settings, cell in cells if cell.cell_type == "code" and settings.get("grade_id") not in apart
    ]
    session = Session(code, result.remarks)
    try:
        for name, points in exercise.points.items():
            verdict = session.judge(name)
            result.messages[name] = verdict.message
            result.points[name] = points if verdict.right else 0
    finally:
        session.close()
    return result


def finish(path: Path, student: str, known: list[Exercise], place: Path) -> None:
    """Grade one submission and keep the result at `place`, whole or not at all."""
    text = json.dumps(asdict(grade(path, student, known)), ensure_ascii=False, indent=1)
    place.with_suffix(".part").write_text(text, encoding="utf-8")
    place.with_suffix(".part").replace(place)


class Session:
    """A submission's cells in a sandbox, which is begun anew, without what ended it, as often as that is needed."""

    def __init__(self, code: list[str], remarks: list[str]):
        self.code, self.remarks = dict(enumerate(code)), remarks
        self.sandbox: Sandbox | None = None

    def judge(self, name: str) -> checking.Verdict:
        """Return the verdict on one question, with cases that nobody could know."""
        self._ready()  # so that the time for the question does not begin while a sandbox still starts
        return checking.judge(
            name,
            QUESTIONS[name],
            lambda: name,
            seed=secrets.randbelow(2**31),
            seconds=SECONDS_PER_QUESTION,
            call=self.call,
        )

    def call(self, answer: Any, arguments: tuple, deadline: float) -> Any:
        """Call the student's function in the sandbox; see `checking.judge`."""
        sandbox = self._ready()
        name = answer()
        try:
            kind, value, changed = sandbox.ask("call", name, arguments, max(0.05, deadline - time.monotonic()))
        except Stopped:
            self.sandbox = None
            raise checking.Hint("did not end in time, or used too much memory: does a loop never stop?") from None
        if kind == "missing":
            raise checking.Missing
        if kind == "error":
            raise checking.Hint(str(value))
        if changed:
            names = ", ".join(QUESTIONS[name].arguments[place] for place in changed)
            raise checking.Hint(f"changes its input `{names}`: whoever called it still needs that, so work on a copy")
        return value

    def _ready(self) -> Sandbox:
        while self.sandbox is None:
            sandbox = Sandbox()
            try:
                for number, source in list(self.code.items()):
                    kind, told, _ = sandbox.ask("run", f"<cell {number + 1}>", _without_magic(source), SECONDS_PER_CELL)
                    if kind == "error":
                        self._remark(f"cell {number + 1} {told}")
            except Stopped:
                del self.code[number]
                self._remark(
                    f"cell {number + 1} did not end within {SECONDS_PER_CELL} seconds, or used too much memory"
                )
            else:
                self.sandbox = sandbox
        return self.sandbox

    def _remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)

    def close(self) -> None:
        """End the sandbox."""
        if self.sandbox is not None:
            self.sandbox.close()


def _without_magic(source: str) -> str:
    return re.sub(r"^([ \t]*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)


def submissions(folder: Path) -> dict[Path, str]:
    """Return every notebook below a folder and whose it is: the first folder below it, or the file's own name."""
    paths = sorted(path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    return {
        path: path.relative_to(folder).parts[0] if len(path.relative_to(folder).parts) > 1 else path.stem
        for path in paths
    }


def version() -> str:
    """Return a hash of all that decides a grade, besides the submission."""
    files = [*(ROOT / "aecourse").rglob("*.py"), *MASTERS.glob("*.ipynb"), *Path(__file__).parent.glob("*.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()[:16]


def missing_sandbox() -> str | None:
    """Return why no sandbox can be made here, or None if one can."""
    if shutil.which("bwrap") is None:
        return "The sandbox is missing. It needs Linux and bubblewrap: apt-get install bubblewrap"
    probe = subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"], capture_output=True, text=True)
    return f"bubblewrap may not make a sandbox on this machine: {probe.stderr.strip()}" if probe.returncode else None


def main(folder: str) -> int:
    """Grade what is in `folder`; write table, reports and what is finished into `folder` + `-grades`."""
    source = Path(folder)
    if not folder or not source.is_dir():
        print(f"got {folder!r}, expected a folder of notebooks: make grade SUBMISSIONS=folder")
        return 2
    problem = missing_sandbox()
    if problem:
        print(problem)
        return 2
    target = source.with_name(source.name + "-grades")
    kept = target / "finished"
    kept.mkdir(parents=True, exist_ok=True)
    known, current = exercises(), version()
    students = submissions(source)
    places = {path: kept / f"{_key(path, student, current)}.json" for path, student in students.items()}
    waiting = {path: student for path, student in students.items() if not places[path].exists()}
    print(f"{len(places)} submissions, {len(places) - len(waiting)} of them graded already")
    pool = ThreadPoolExecutor(os.cpu_count())
    futures = [pool.submit(finish, path, student, known, places[path]) for path, student in waiting.items()]
    try:
        for future in tqdm(as_completed(futures), total=len(futures), unit="submission", disable=not futures):
            future.result()
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here")
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    grades = [Grade(**json.loads(place.read_text("utf-8"))) for place in places.values() if place.exists()]
    table(target / "grades.csv", grades, known)
    for student in {each.student for each in grades}:
        report(target / f"{_file_name(student)}.html", [each for each in grades if each.student == student], known)
    print(f"{len(grades)} graded: {target / 'grades.csv'}")
    return 0 if len(grades) == len(places) else 1


def _key(path: Path, student: str, current: str) -> str:
    content = hashlib.sha256(path.read_bytes() + current.encode()).hexdigest()[:24]
    return f"{_file_name(student)}-{content}"


def _file_name(student: str) -> str:
    return re.sub(r"[^\w.-]", "_", student)


def table(path: Path, grades: list[Grade], known: list[Exercise]) -> None:
    """Write one row for each submission: points in all and for each question, and how many are left for a person."""
    questions = [name for exercise in known for name in exercise.points]
    by_name = {exercise.name: exercise for exercise in known}
    with path.open("w", newline="", encoding="utf-8-sig") as file:  # spreadsheets want the mark to read UTF-8
        rows = csv.writer(file)
        rows.writerow(["student", "exercise", "points", "of", "for a person to read, of", "remarks", *questions])
        for each in sorted(grades, key=lambda one: (one.exercise, one.student)):
            exercise = by_name.get(each.exercise, Exercise("", {}, {}))
            totals = [sum(each.points.values()), sum(exercise.points.values()), sum(exercise.to_read.values())]
            cells = [each.student, each.exercise, *totals, "; ".join(each.remarks)]
            rows.writerow([_safe(cell) for cell in cells] + [each.points.get(name, "") for name in questions])


def _safe(cell: Any) -> Any:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell


def report(path: Path, grades: list[Grade], known: list[Exercise]) -> None:
    """Write a student's report: what was right, what was wrong with the rest, and the answers that a person reads."""
    by_name = {exercise.name: exercise for exercise in known}
    parts = []
    for each in sorted(grades, key=lambda one: one.exercise):
        exercise = by_name.get(each.exercise, Exercise("", {}, {}))
        rows = "".join(
            f"<tr><td>{'✓' if each.points[name] else '✗'}</td><td>{html.escape(name)}</td>"
            f"<td>{each.points[name]} of {exercise.points[name]}</td><td>{html.escape(each.messages[name])}</td></tr>"
            for name in each.points
        )
        texts = "".join(
            f"<h3>{html.escape(name)}: up to {exercise.to_read[name]} points, read by a person</h3>"
            f"<pre>{html.escape(text)}</pre>"
            for name, text in each.texts.items()
        )
        remarks = "".join(f"<li>{html.escape(remark)}</li>" for remark in each.remarks)
        total = f"{sum(each.points.values())} of {sum(exercise.points.values())} points"
        parts.append(f"<h2>{html.escape(each.exercise)}: {total}</h2><ul>{remarks}</ul><table>{rows}</table>{texts}")
    title = html.escape(grades[0].student)
    style = "body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}td{padding:.3rem .6rem;vertical-align:top}pre{background:#f4f4f4;color:#111;padding:.6rem;overflow-x:auto}"  # noqa: E501
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><style>{style}</style><h1>{title}</h1>{"".join(parts)}</html>'  # noqa: E501
    path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
