"""The ranges of all claims come from a record of runs, by one rule."""

import json
import random
import re
import sys

import nbformat
import numpy as np
import pytest
import shifted
import spread
import torch
from chapters import notebooks

import aecourse as ae

CHAPTERS = [path for path in notebooks() if "claims(" in path.read_text("utf-8")]


RUNS = 3 + spread.MORE  # with the oldest, today's and Colab's versions, and more


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_claim_has_a_record_and_holds_in_all_its_runs(path):
    record, claims = spread.read(path), spread.claims(nbformat.read(path, 4))
    for run in record["runs"].values():
        assert run["values"].keys() == claims.keys()
        for what, bounds in claims.items():
            exact = pytest.approx(bounds[0], rel=1e-4, abs=1e-4)
            assert bounds[0] <= run["values"][what] <= bounds[-1] if bounds[1:] else run["values"][what] == exact, what


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_claim_has_the_range_that_follows_from_its_record(path):
    record, claims = spread.read(path), spread.claims(nbformat.read(path, 4))
    assert len(record["runs"]) >= RUNS, "`make spread` makes the others"
    assert {name.split(",")[0] for name in record["runs"]} == {"today", "oldest", "Colab"}
    ranges = spread.ranges_of(record)
    for what, bounds in claims.items():
        if len(bounds) == 2:
            assert bounds == tuple(float(spread.written(bound)) for bound in ranges[what]), what


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_spread_in_the_text_is_that_of_the_record(path):
    record = spread.read(path)
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            assert cell.source.count("<!-- runs") == len(spread.SPREAD.findall(cell.source)), cell.source
            assert spread.with_spreads(cell.source, record) == cell.source


def test_the_versions_of_the_record_are_the_oldest_todays_and_colabs():
    runs = spread.read(CHAPTERS[0])["runs"]
    versions = {name.split(",")[0]: run["versions"] for name, run in runs.items()}
    listed = (spread.ROOT / "tools" / "colab.txt").read_text("utf-8")
    assert f"torch=={versions['Colab']['torch'].split('+')[0]}" in listed
    least = re.search(r'"torch>=([\d.]+)', (spread.ROOT / "pyproject.toml").read_text("utf-8"))[1]
    assert f"{versions['oldest']['torch']}.".startswith(f"{least}.")


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([13.871] * 8, 13.857, 13.885),  # no seed changes it: a thousandth
        ([10.5, 11.5, 12.5, 13.5, 14.5, 15.5], 3.6, 46),  # 12.89 · exp(± 7.98 · 0.1456 · 1.08) = 3.68 … 45.2
        ([0.97, 0.99, 0.98, 0.98], 0.84, 1.15),  # 0.98 · exp(± 16.33 · 0.00833 · 1.12) = 0.842 … 1.141
        ([0.0, 0.02, 0.01, 0.01], 0, 0.16),
        ([-0.5, 0.5, 0.1, -0.1], -7.6, 7.6),
        ([-15.5, -14.5, -13.5, -12.5, -11.5, -10.5], -46, -3.6),
        ([1.5, 15.0, 5.0, 4.0, 6.0, 5.0], 0.0083, 2900),
        ([-15.0, -1.5, -5.0, -4.0, -6.0, -5.0], -2900, -0.0083),
        ([8, 8, 8], 8, 8),  # counts
        ([1, 1, 0, 1], 0, 10),  # 0.75 ± 16.33 · 0.5 · 1.12
        ([7, 8, 8, 8, 8, 8], 4, 13),  # 7.82 · exp(± 7.98 · 0.0545 · 1.08) = 4.89 … 12.50
        ([0.0, 0.0], 0, 0),
    ],
)
def test_a_range_is_a_prediction_interval_rounded_outward(values, low, high):
    assert spread.span(values) == (low, high)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([10.5, 11.5, 12.5, 13.5, 14.5, 15.5], -3.2, 30),  # 13 ± 7.98 · 1.87 · 1.08 = -3.1 … 29.1
        ([-15.5, -14.5, -13.5, -12.5, -11.5, -10.5], -30, 3.2),
        ([0.0, 0.02, 0.01, 0.01], -0.14, 0.16),
        ([1, 1, 0, 1], -9, 10),
        ([8, 8, 8], 8, 8),
    ],
)
def test_of_a_difference_a_few_runs_do_not_tell_the_next_sign(values, low, high):
    assert spread.span(values, signed=True) == (low, high)


@pytest.mark.parametrize("values", [[1.0], [1.0, float("nan")], [1.0, float("inf")], []])
def test_no_range_comes_from_one_run_or_from_what_is_no_number(values):
    with pytest.raises(ValueError, match="expected at least two finite numbers"):
        spread.span(values)


def test_a_share_is_never_more_than_one_and_a_ratio_may_be_and_a_difference_has_a_sign():
    names = ("recognised", "a / b", "a − b", "a less b", "bits saved", "nonless", "error", "correlation")
    runs = [{"values": dict.fromkeys(names, value) | {"classes": 1}} for value in (0.97, 0.99, 0.98)]
    ranges = spread.ranges_of({"runs": dict(enumerate(runs))})
    assert ranges["recognised"] == ranges["nonless"] == (ranges["a / b"][0], 1)
    assert ranges["a − b"] == ranges["a less b"] == ranges["bits saved"] == spread.span([0.97, 0.99, 0.98], signed=True)
    assert ranges["error"] == ranges["a / b"]
    assert ranges["a / b"][1] > 1
    assert ranges["correlation"] == (ranges["a − b"][0], 1)
    assert ranges["classes"] == (1, 1)


def test_a_range_holds_what_it_was_made_of():
    dice = random.Random(0)
    for _ in range(2000):
        scale, shape = 10 ** dice.uniform(-6, 6), dice.choice([1, -1])
        values = [shape * scale * dice.lognormvariate(0, dice.choice([0.01, 1])) for _ in range(8)]
        low, high = (float(spread.written(bound)) for bound in spread.span(values))
        assert low <= min(values) <= max(values) <= high


SOURCE = """\
# what is checked − in short
ae.claims(
    ("a − b", f(1, 2), -1, 2.5),
    ("exact", 3 - 2, 1),
    ("c", x[0], 0.25, 1_000),
    on=mnist,
)
"""


def notebook(*sources):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def test_ranges_are_written_where_they_stand_and_nothing_else_changes():
    new = spread.with_ranges(SOURCE, {"a − b": (0.5, 1e7), "exact": (0, 1), "c": (-2000.0, 0.00001)})
    assert new == SOURCE.replace("-1, 2.5", "0.5, 1e+07").replace("0.25, 1_000", "-2_000, 1e-05")
    assert spread.claims(notebook(new)) == {"a − b": (0.5, 1e7), "exact": (1,), "c": (-2000, 1e-5)}


def test_a_spread_in_the_text_is_that_of_its_claim():
    record = {
        "runs": {name: {"values": {"share, of all": x, "d": -y}} for name, x, y in [("a", 0.741, 2), ("b", 0.906, 1)]}
    }
    text = (
        "from 1 to 2 %<!-- runs: share, of all, × 100 -->, 0.0 to 0.00 <!-- not --> 3–4.0<!-- runs: d --> **1** and 0.0"
    )
    assert spread.with_spreads(text, record) == text.replace("1 to 2 %", "74 to 91 %").replace("3–4.0", "−2–−1.0")
    assert spread.with_spreads(spread.with_spreads(text, record), record) == spread.with_spreads(text, record)
    with pytest.raises(ValueError, match="a spread of 'e', which is no claim"):
        spread.with_spreads("1 and 2<!-- runs: e -->", record)


def test_a_stamp_is_blind_for_ranges_and_sees_values():
    stamp = spread.stamp(notebook("import aecourse as ae", SOURCE))
    assert spread.stamp(notebook("import aecourse as ae", SOURCE.replace("2.5", "7"))) == stamp
    assert spread.stamp(notebook("import aecourse as ae", SOURCE.replace("f(1, 2)", "f(1, 3)"))) != stamp
    assert spread.stamp(notebook("import aecourse as ae", SOURCE.replace("a − b", "a"))) != stamp


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("*rows", "expected a text, a value and one or two numbers"),
        ("(name, 1, 0, 2)", "expected a text, a value and one or two numbers"),
        ("('a', 1, 0, high)", "expected a text, a value and one or two numbers"),
        ("('a', 1, 0, 1), ('a', 2, 0, 1)", "'a' twice"),
    ],
)
def test_a_claim_that_is_not_written_out_or_stands_twice_is_an_error(row, message):
    with pytest.raises(ValueError, match=message):
        spread.claims(notebook(f"ae.claims({row})"))


def seeded_numbers():
    """Return a number from every source of randomness that a chapter uses."""
    from sklearn.utils import check_random_state

    torch.default_generator.manual_seed(3)
    first = torch.rand(()).item()
    torch.manual_seed(3)
    return [
        first,
        torch.rand(()).item(),
        torch.rand((), generator=torch.Generator().manual_seed(3)).item(),
        np.random.default_rng(3).random(),
        check_random_state(3).rand(),
        random.Random(3).random(),
        ae.training.nn.Linear(1, 1).weight.item(),
    ]


def test_all_randomness_is_shifted(monkeypatch):
    sources = [(torch, "Generator"), (torch, "default_generator"), (torch, "manual_seed"), (random, "Random")]
    for place, name in [*sources, (np.random, "RandomState"), (np.random, "default_rng")]:
        monkeypatch.setattr(place, name, getattr(place, name))
    with torch.random.fork_rng():
        before = seeded_numbers()
        shifted.shift(0)
        assert seeded_numbers() == before
        shifted.shift(1000)
        moved = seeded_numbers()
        assert all(a != b for a, b in zip(before, moved, strict=True))
        assert seeded_numbers() == moved
        state = torch.default_generator.get_state()
        torch.default_generator.set_state(state)


CODE = "import aecourse as ae\nimport torch\nx = torch.rand((), generator=torch.Generator().manual_seed(0))\n"


def drawn(seed):
    return torch.rand((), generator=torch.Generator().manual_seed(seed)).item()


def test_a_run_measures_all_claims_with_its_seeds_shifted(tmp_path):
    chapter = notebook(CODE + "ae.claims(('x', x, 0, 0.1), ('one', 1, 1))")
    run = spread.one_run(chapter, tmp_path, sys.executable, 1000)
    assert run["values"] == {"x": pytest.approx(drawn(1000)), "one": 1}
    assert torch.__version__.startswith(run["versions"]["torch"])
    assert run["seconds"] > 0
    assert run["gigabytes"] > 0
    assert drawn(0) != pytest.approx(drawn(1000))


def test_runs_are_recorded_resumed_and_redone_where_code_changed(tmp_path, monkeypatch, capsys):
    chapter, calls = tmp_path / "a.ipynb", []

    def one_run(notebook, folder, python, by):
        calls.append(by)
        assert folder == tmp_path
        if "1 / 0" in notebook.cells[0].source:
            raise AssertionError("division by zero")
        return {"versions": {}, "values": {"x": drawn(by), "one": 1}, "seconds": 1.0, "gigabytes": 1.0}

    nbformat.write(notebook(CODE + "ae.claims(('x', x, 0, 0.1), ('one', 1, 1))"), chapter)
    monkeypatch.setattr(spread.chapters, "notebooks", lambda: [chapter])
    monkeypatch.setattr(spread.data, "load", lambda *_, **__: None)
    monkeypatch.setattr(spread, "MORE", 1)
    monkeypatch.setattr(spread, "one_run", one_run)
    assert spread.main() == 0
    record = spread.read(chapter)
    assert {name: run["values"]["x"] for name, run in record["runs"].items()} == {
        "today, seeds + 0": drawn(0),
        "today, seeds + 1000": drawn(1000),
    }
    bounds = spread.claims(nbformat.read(chapter, 4))["x"]
    assert list(bounds) == pytest.approx(spread.ranges_of(record)["x"])

    kept = json.loads(json.dumps(record))
    del kept["runs"]["today, seeds + 1000"]  # as if interrupted
    kept["runs"]["Colab, seeds + 2000"] = kept["runs"]["today, seeds + 0"]
    kept["runs"]["today, seeds + 0"]["values"]["x"] = 0.5
    spread.record_of(chapter).write_text(json.dumps(kept))
    calls.clear()
    assert spread.main() == 0
    assert calls == [1000]  # the first was kept
    names = ["today, seeds + 0", "today, seeds + 1000", "Colab, seeds + 2000"]
    assert list(spread.read(chapter)["runs"]) == names  # and so was one of an environment that is not named now
    assert spread.read(chapter)["runs"]["today, seeds + 0"]["values"]["x"] == 0.5

    nbformat.write(notebook(CODE + "ae.claims(('x', 2 * x, 0, 0.1), ('one', 1, 1))"), chapter)
    calls.clear()
    assert spread.main() == 0
    assert sorted(calls) == [0, 1000]
    assert "1 of 1 chapters have all their runs; 1 ranges are new" in capsys.readouterr().out

    nbformat.write(notebook(CODE + "1 / 0\nae.claims(('x', x, 0, 0.1))"), chapter)
    assert spread.main() == 2
    assert "division by zero" in capsys.readouterr().out
