"""The faults that are put into the package: small, of many kinds, never in words, and the same for the same seed."""

import ast
import json
from collections import defaultdict

import faults
import pytest

pytest.importorskip("coverage", reason="make mutants needs it, the package does not")
import mutants

SOURCE = '''"""A docstring with 1 number."""

from __future__ import annotations

LIMIT = 3


def share(values: list[int] = [1], least: int = 0, *, seed: int = 7) -> float:
    """Return the share of values above 2."""
    if not values:
        raise ValueError(f"got {len(values)} values, expected {1 + 1}")
    found = [value for value in values if value > least]
    found = sorted(found, reverse=True)[1:]
    table = [(3, 4), (5, 6)]
    return max(abs(len(found) - LIMIT), 0) / len(values)
'''


def made(source=SOURCE):
    """Return (line, before, after) of every fault."""
    return [(fault.line, fault.before, fault.after) for fault in faults.find(source.encode())]


@pytest.mark.parametrize(
    ("line", "after"),
    [
        (5, "LIMIT = 4"),
        (8, "def share(values: list[int] = [2], least: int = 0, *, seed: int = 7) -> float:"),
        (8, "def share(values: list[int] = [0], least: int = 0, *, seed: int = 7) -> float:"),
        (8, "def share(values: list[int] = [1], least: int = 1, *, seed: int = 7) -> float:"),
        (10, "if values:"),
        (10, "if False:"),
        (12, "found = [value for value in values if (value >= least)]"),
        (12, "found = [value for value in values if (value <= least)]"),
        (12, "found = [value for value in values if True]"),
        (13, "found = found[1:]"),
        (13, "found = sorted(found)[1:]"),
        (13, "found = sorted(found, reverse=False)[1:]"),
        (13, "found = sorted(found, reverse=True)[:]"),
        (13, "pass"),
        (15, "return (max(abs(len(found) - LIMIT), 0) * len(values))"),
        (15, "return (len(values) / max(abs(len(found) - LIMIT), 0))"),
        (15, "return min(abs(len(found) - LIMIT), 0) / len(values)"),
        (15, "return max((len(found) - LIMIT), 0) / len(values)"),
        (15, "return max(abs((len(found) + LIMIT)), 0) / len(values)"),
        (15, "return values"),
    ],
)
def test_a_fault_of_each_kind_is_found_in_its_line(line, after):
    assert (line, SOURCE.splitlines()[line - 1].strip(), after) in made()


def test_words_hints_tables_seeds_and_the_order_of_what_is_symmetric_are_left_alone():
    changed = [(line, after) for line, _, after in made()]
    assert not {1, 3, 9, 11, 14} & {line for line, _ in changed}
    assert not any("float]" in after or "0, abs" in after or "seed: int = 8" in after for _, after in changed)


def test_every_fault_is_one_change_and_the_faulty_source_is_python():
    source = "".join(f"{'é' * 3} = {n}  # ☃\n" for n in range(3)) + SOURCE  # bytes are not letters
    for fault in faults.find(source.encode()):
        mutant = fault.put_into(source.encode())
        assert ast.dump(ast.parse(mutant)) != ast.dump(ast.parse(source))
        lines, now = source.splitlines(), mutant.decode().splitlines()
        assert [number for number, pair in enumerate(zip(lines, now, strict=True), 1) if len(set(pair)) > 1] == [
            fault.line
        ]


def test_tests_may_see_a_fault_that_run_its_statement_or_what_an_import_prepares_for_them():
    reach = {(fault.line, fault.after): fault.reach for fault in faults.find(SOURCE.encode())}
    assert reach[13, "found = sorted(found)[1:]"] == (range(13, 14),)
    assert reach[8, "def share(values: list[int] = [1], least: int = 1, *, seed: int = 7) -> float:"][1] == range(9, 16)
    assert reach[5, "LIMIT = 4"] == (range(5, 6), range(1, 16))


def test_the_same_seed_draws_the_same_faults_from_different_lines_and_more_of_them_are_those_and_others():
    few, many = (mutants.draw(count, 3, ["aecourse/losses.py", "aecourse/evaluate"]) for count in (10, 30))
    assert many[:10] == few
    assert len({(fault.file, fault.line) for fault in many}) == 30
    assert many != mutants.draw(30, 4, ["aecourse/losses.py", "aecourse/evaluate"])


def test_a_fault_meets_the_tests_that_ran_its_line_and_those_for_which_all_was_prepared(monkeypatch):
    (fault, *_) = (fault for fault in faults.find(SOURCE.encode(), "aecourse/share.py") if fault.line == 12)
    records = [
        {
            "key": "a",
            "tests": [["a::slow", 3.0], ["a::fast", 1.0], ["a::other", 0.1]],
            "ran": {fault.file: {"12": [0, 1]}},
        },
        {"key": "b", "tests": [["b::one", 0.5], ["b::two", 0.5]], "ran": {fault.file: {"12": [-1]}}},
        {"key": "c", "tests": [["c::none", 0.5]], "ran": {fault.file: {"13": [0]}}},
    ]
    monkeypatch.setattr(mutants, "source", lambda file: SOURCE.encode())
    tests, seconds, key = mutants.tests_for(fault, records)
    assert tests == ["b::one", "b::two", "a::fast", "a::slow"]
    assert seconds == 5.0
    assert mutants.tests_for(fault, records[:1])[2] != key


def test_a_default_is_seen_by_what_compares_signatures_as_well(monkeypatch):
    found = [fault for fault in faults.find(SOURCE.encode(), "aecourse/share.py") if fault.line in (5, 8, 12)]
    assert {fault.line for fault in found if fault.default} == {8}
    house = {"key": "h", "tests": [["h::other", 0.1], [mutants.SIGNATURES, 0.5]], "ran": {}}
    user = {"key": "u", "tests": [["u::runs it", 1.0]], "ran": {"aecourse/share.py": {"10": [0], "5": [0]}}}
    monkeypatch.setattr(mutants, "source", lambda file: SOURCE.encode())
    tests = {fault.line: mutants.tests_for(fault, [house, user])[0] for fault in found}
    assert tests == {5: ["u::runs it"], 8: [mutants.SIGNATURES, "u::runs it"], 12: []}


def test_every_survivor_that_is_explained_is_a_fault_of_the_package_of_today():
    explained = json.loads(mutants.EXPLAINED.read_text("utf-8"))
    assert all(len(entry["reason"]) > 20 for entry in explained)
    found = [
        fault
        for path in mutants.ROOT.glob("aecourse/**/*.py")
        for fault in faults.find(path.read_bytes(), path.relative_to(mutants.ROOT).as_posix())
    ]
    within = defaultdict(list)
    for fault in found:
        within[fault.function].append(fault)
        within[fault.file].append(fault)
    near = [(entry, within.get(entry.get("function", entry.get("file")), found)) for entry in explained]
    assert [entry for entry, those in near if not any(mutants.explains(entry, fault) for fault in those)] == []


def test_what_a_question_of_an_exercise_draws_is_left_alone():
    assert not made("def cases(random: torch.Generator) -> list[tuple]:\n    return [(1,), (2 + 3,)]")
    assert made("def cases(n: int, random: torch.Generator) -> int:\n    return n + 2")


def test_an_entry_explains_what_it_names_and_a_star_is_any_text():
    fault = faults.find(b"def f(x):\n    return x[1] + 2\n", "a/b.py")[0]
    assert mutants.explains({"file": "a/*.py", "before": "return x[1] *", "reason": "…"}, fault)
    assert not mutants.explains({"file": "a/*.py", "before": "return x[2] *", "reason": "…"}, fault)
    assert not mutants.explains({"function": "g", "before": "*", "reason": "…"}, fault)
