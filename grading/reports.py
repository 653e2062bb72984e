"""What a class's grades become: one table for all, and one page for each student."""

from __future__ import annotations

import csv
import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from submission import Exercise, Grade

NOTHING = Exercise("", {}, {})


def table(path: Path, grades: list[Grade], known: list[Exercise]) -> None:
    """Write one row for each submission: points in all and for each question, and how many are left for a person."""
    questions = [name for exercise in known for name in exercise.points]
    by_name = {exercise.name: exercise for exercise in known}
    # Spreadsheets want the mark to read UTF-8.
    with path.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as file:
        rows = csv.writer(file)
        head = ["student", "exercise", "points", "of", "for a person to read, of", "remarks", "file", "seed"]
        rows.writerow([*head, *questions])
        for each in sorted(grades, key=lambda one: (one.exercise, one.student)):
            exercise = by_name.get(each.exercise, NOTHING)
            totals = [sum(each.points.values()), sum(exercise.points.values()), sum(exercise.to_read.values())]
            seed = "" if each.seed is None else each.seed
            cells = [each.student, each.exercise, *totals, "; ".join(each.remarks), each.file, seed]
            rows.writerow([_safe(cell) for cell in cells] + [each.points.get(name, "") for name in questions])


def _safe(cell: Any) -> Any:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def report(path: Path, grades: list[Grade], known: list[Exercise]) -> None:
    """Write a student's report: what was right, what was wrong with the rest, and the answers that a person reads."""
    by_name = {exercise.name: exercise for exercise in known}
    parts = []
    for each in sorted(grades, key=lambda one: one.exercise):
        exercise = by_name.get(each.exercise, NOTHING)
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
        again = "".join(
            f"<p>The cases were made with the seed {each.seed}. To try the same ones in your notebook: "
            f'<code>ae.exercises.check("{name}", {name}, seed={each.seed})</code>, and so for each question.</p>'
            for name in [*each.points][:1]
        )
        title = f"{html.escape(each.exercise)}: {total}"
        parts.append(f"<h2>{title}</h2><ul>{remarks}</ul><table>{rows}</table>{again}{texts}")
    title = html.escape(grades[0].student)
    style = "body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}td{padding:.3rem .6rem;vertical-align:top}pre{background:#f4f4f4;color:#111;padding:.6rem;overflow-x:auto}"  # noqa: E501
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><style>{style}</style><h1>{title}</h1>{"".join(parts)}</html>'  # noqa: E501
    path.write_text(page, encoding="utf-8", errors="backslashreplace")


def file_names(students: Iterable[str]) -> dict[str, str]:
    """Return a file's name for each student, without an ending; no two are the same on any system's disk."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for student in sorted(students):
        name = re.sub(r"[^\w.-]", "_", student).encode()[:150].decode(errors="ignore")
        while _folded(name) in taken:  # some disks know no capitals, and one spelling of é
            name += "-" + hashlib.sha256(student.encode(errors="backslashreplace")).hexdigest()[:12]
        taken.add(_folded(name))
        names[student] = name
    return names


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
