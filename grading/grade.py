"""Grade a folder of exercise notebooks: each in a sandbox of its own, one table for all, one report for each student.

A submission's functions are called from outside the sandbox on cases that are drawn anew for each submission, and
their results are compared here.  So a submission sees neither what is right nor other submissions, and has no network.
What is finished is kept: after an interruption the same command goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from reports import file_names, report, table
from sandbox import NoSandbox, missing_sandbox
from student_notebooks import MASTERS, ROOT
from submission import Exercise, Grade, Unreadable, content, exercises, grade
from tqdm.auto import tqdm

NOBODYS = {".ipynb_checkpoints", "__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}  # what programs leave behind


def main(submissions: str = "", seed: str = "") -> int:
    """Grade what is in a folder; write table, reports and what is finished into the folder with `-grades` at its end.

    Of a single notebook the grade is only shown, on the cases of a seed that a report names.
    """
    sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be no text
    source = Path(os.path.abspath(submissions))  # of "." the name is wanted
    if not submissions or not source.exists():
        print(f"got {submissions!r}, expected a folder of notebooks: make grade SUBMISSIONS=folder")
        return 2
    if seed and (source.is_dir() or not seed.isascii() or not seed.isdigit() or int(seed) >= 2**63):
        print(
            f"got the seed {seed!r}, expected a whole number, for one notebook: make grade SUBMISSIONS=file SEED=number"
        )
        return 2
    problem = missing_sandbox()
    if problem:
        print(problem)
        return 2
    return grade_folder(source) if source.is_dir() else show(source, int(seed) if seed else None)


def show(path: Path, seed: int | None) -> int:
    """Print the grade of one notebook; write nothing."""
    try:
        found = grade(path, path.stem, exercises(), seed)
    except NoSandbox as error:
        print(error)
        return 1
    for remark in found.remarks:
        print(remark)
    for name, points in found.points.items():
        print(f"{'✓' if points else '✗'} {name}: {points} points, {found.messages[name]}")
    if found.points:
        print(f"{sum(found.points.values())} points in all, on the cases of the seed {found.seed}")
    return 0


def grade_folder(source: Path) -> int:
    """Grade what is in a folder, but for what is graded already."""
    target = source.with_name(source.name + "-grades")
    kept = target / "finished"
    kept.mkdir(parents=True, exist_ok=True)
    known, current = exercises(), version()
    places: dict[Path, tuple[Path, str]] = {}  # one for each student and content: a second copy is not a second row
    grades = []
    for path, student in submissions_in(source).items():
        if path.is_dir() and not path.is_symlink():
            grades.append(Grade(student, "", remarks=["no notebook is in this folder"]))
            continue
        if not is_notebook(path):
            told = "this is no notebook: hand in the file whose name ends in .ipynb"
            grades.append(Grade(student, "", remarks=[told], file=path.name))
            continue
        try:
            places.setdefault(kept / f"{_key(content(path), student, current)}.json", (path, student))
        except Unreadable as error:
            grades.append(Grade(student, path.stem, remarks=[str(error)], file=str(path.relative_to(source))))
    for path in sorted(each for each in source.rglob("*") if not each.is_dir()):
        if path.parent != source and not is_notebook(path) and not _is_nobodys(path.relative_to(source)):
            print(f"no notebook, so not read: {str(path.relative_to(source))!r}")
    waiting = {place: given for place, given in places.items() if _finished(place) is None}
    print(f"{len(places)} submissions, {len(places) - len(waiting)} of them graded already")
    failed = _finish_all(waiting, known)
    done = {place: _finished(place) for place in places}
    for place, (path, student) in places.items():
        each = done[place]
        if each is None and place in failed:
            told = f"could not be graded, run the same command again: {failed[place]}"
            each = Grade(student, path.stem, remarks=[told])
        if each is None:  # interrupted
            continue
        each.file = str(path.relative_to(source))
        grades.append(each)
    table(target / "grades.csv", grades, known)
    for student, name in file_names({each.student for each in grades}).items():
        report(target / f"{name}.html", [each for each in grades if each.student == student], known)
    print(f"{len(grades) - len(failed)} graded: {target / 'grades.csv'}")
    return 0 if all(done.values()) else 1


def _finish_all(waiting: dict[Path, tuple[Path, str]], known: list[Exercise]) -> dict[Path, str]:
    """Grade what waits, side by side; return what went wrong with our own work, for the places where it did."""
    failed = {}
    pool = ThreadPoolExecutor(os.cpu_count())
    futures = {pool.submit(finish, path, student, known, place): place for place, (path, student) in waiting.items()}
    try:
        for future in tqdm(as_completed(futures), total=len(futures), unit="submission", disable=not futures):
            try:
                future.result()
            except Exception as error:  # a full disk, no memory for a sandbox: the others go on
                failed[futures[future]] = f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here")
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return failed


def finish(path: Path, student: str, known: list[Exercise], place: Path) -> None:
    """Grade one submission and keep the result at `place`, whole or not at all."""
    place.with_suffix(".part").write_text(json.dumps(asdict(grade(path, student, known)), indent=1), encoding="utf-8")
    place.with_suffix(".part").replace(place)


def _finished(place: Path) -> Grade | None:
    """Return the grade that is kept at a place, None if there is none, or one that a crash has damaged."""
    try:
        return Grade(**json.loads(place.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def is_notebook(path: Path) -> bool:
    """Return whether a file's name, or a link's, ends as a notebook's."""
    is_file = path.is_symlink() or not path.is_dir()
    return is_file and path.name.lower().endswith(".ipynb")


def _is_nobodys(path: Path) -> bool:
    return not NOBODYS.isdisjoint(path.parts) or path.name[:2] == "._"


def submissions_in(folder: Path) -> dict[Path, str]:
    """Return every notebook below a folder, each folder in it without one, and each other file in it, and whose it is.

    That is the first folder on the way, or the file's own name.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        alone = len(parts) == 1 and not path.is_dir() and path.name[:1] != "."
        if (is_notebook(path) or alone) and not _is_nobodys(path.relative_to(folder)):
            found[path] = parts[0] if len(parts) > 1 else path.stem
    empty = {path for path in folder.iterdir() if path.is_dir() and path.name not in NOBODYS}
    empty -= {folder / path.relative_to(folder).parts[0] for path in found}
    return found | {path: path.name for path in sorted(empty)}


def version() -> str:
    """Return a hash of all that decides a grade, besides the submission."""
    files = [*(ROOT / "aecourse").rglob("*.py"), *MASTERS.glob("*.ipynb"), *Path(__file__).parent.glob("*.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()[:16]


def _key(written: bytes, student: str, current: str) -> str:
    whose = json.dumps([student, current]).encode()
    return hashlib.sha256(whose + b"\0" + written).hexdigest()[:32]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
