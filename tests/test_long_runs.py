"""The experiments that take longer than a chapter may: fresh, complete, and named where a reader meets them."""

import json
import re

import chapters
import long_runs
import nbformat
import pytest
import torch

import aecourse as ae

NAMES = [experiment.__name__ for experiment in long_runs.EXPERIMENTS]


def test_the_stored_results_are_those_of_the_code():
    assert long_runs.stale() == [], "experiments have changed since: run `make long-runs` and commit the result"


@pytest.mark.parametrize("name", NAMES)
def test_every_result_has_a_number_for_each_seed(name):
    for values in ae.book.long_run(name).values():
        assert len(values) == len(long_runs.SEEDS)
        assert torch.isfinite(torch.tensor(values)).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_page_that_shows_a_long_run_says_how_to_run_it(name):
    cells = [cell for path in chapters.notebooks() for cell in nbformat.read(path, as_version=4).cells]
    text = "".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert f"benchmarks/long_runs.py {name}" in text
    assert any(f'long_run("{name}")' in cell.source for cell in cells if cell.cell_type == "code")


def test_no_chapter_loads_what_is_not_there():
    code = "".join(path.read_text(encoding="utf-8") for path in chapters.notebooks())
    assert set(re.findall(r'long_run\(\\"(\w+)\\"\)', code)) == set(NAMES)
    with pytest.raises(ValueError, match="got the experiment 'other', expected one of"):
        ae.book.long_run("other")


def test_a_changed_experiment_is_run_again_and_the_others_are_kept(tmp_path, monkeypatch):
    def quick(seed):
        return {"twice": 2 * seed, "square": seed**2}

    def other(seed):
        raise AssertionError("this one is fresh")

    monkeypatch.setattr(long_runs, "EXPERIMENTS", (quick, other))
    monkeypatch.setattr(long_runs, "RESULTS", tmp_path)
    monkeypatch.setattr(long_runs, "SEEDS", (1, 2, 5))
    kept = {"fingerprint": long_runs.recipe(other), "values": {"x": [1]}}
    (tmp_path / "other.json").write_text(json.dumps(kept))
    (tmp_path / "quick.json").write_text(json.dumps({"fingerprint": "old"}))
    assert long_runs.stale() == ["quick"]
    long_runs.main([])
    assert long_runs.stale() == []
    assert long_runs.stored("quick")["values"] == {"twice": [2, 4, 10], "square": [1, 4, 25]}
    assert long_runs.stored("other") == kept


def test_an_experiment_that_does_not_exist_is_told():
    with pytest.raises(SystemExit, match="got nonsense, expected some of"):
        long_runs.main(["nonsense"])
