"""The table of all models: fresh, complete, and made by recipes that run."""

import json

import measure_family
import pytest
import torch
from bs4 import BeautifulSoup

import aecourse as ae

NAMES = list(measure_family.MEMBERS)


def test_the_stored_results_are_those_of_the_code():
    assert measure_family.stale() == [], "models have changed since: run `make family` and commit the result"


def test_every_result_has_a_number_for_each_seed():
    assert list(ae.book.results()) == NAMES
    for name, row in ae.book.results().items():
        assert row["chapter"] == measure_family.MEMBERS[name][0]
        for column in set(row) - {"chapter", "fingerprint", "parameters"}:
            assert len(row[column]) == len(measure_family.SEEDS), (name, column)
            assert all(torch.isfinite(torch.tensor(row[column])))


def test_the_table_says_what_was_measured():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in str(ae.book.table()).splitlines()]
    assert rows[0][:3] == ["model", "chapter", "parameters"]
    assert [row[0] for row in rows[2:]] == NAMES
    found = ae.book.results()["dense autoencoder"]["error"]
    shown = dict(zip(rows[0], rows[2 + NAMES.index("dense autoencoder")], strict=True))
    assert shown["squared error"] == f"{sum(found) / 3:.2f} ± {(max(found) - min(found)) / 2:.2f}"
    assert shown["bits per image"] == "–"


def test_a_cell_has_the_mean_and_after_it_half_the_distance_between_the_extremes(monkeypatch):
    row = {"chapter": 2, "parameters": [1234567] * 3, "error": [10.0, 12.0, 15.5], "probe": [90.04]}
    monkeypatch.setattr(ae.book, "results", lambda: {"a model": row})
    assert str(ae.book.table()).splitlines()[2] == "| a model | 2 | 1,234,567 | – | 12.50 ± 2.75 | 90.0 | – | – | – |"


def test_averages_are_those_of_the_seeds_and_leave_out_what_is_missing():
    bits = ae.book.averages("bits")
    assert "PCA, 16 coefficients" not in bits
    assert bits["VAE"] == pytest.approx(sum(ae.book.results()["VAE"]["bits"]) / 3)
    with pytest.raises(ValueError, match="got the measurement 'bit', expected one of parameters"):
        ae.book.averages("bit")


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_trains_and_is_measured(name, digits, monkeypatch):
    for constant, value in {"EPOCHS": 1, "IMAGES": 400, "DRAWS": 60}.items():
        monkeypatch.setattr(measure_family, constant, value)
    _, member = measure_family.MEMBERS[name]
    trained = member(digits.train_images[:400], digits.train_labels[:400], 0)
    found = measure_family.measure(trained, digits, ae.models.Classifier(), 0)
    assert set(found) == set(measure_family.stored()[name]) - {"chapter", "fingerprint"}
    assert all(torch.isfinite(torch.tensor(value)) for value in found.values())


def test_a_changed_recipe_is_measured_again_and_the_others_are_kept(tmp_path, monkeypatch, digits):
    kept = {"models": {name: {"fingerprint": measure_family.recipe_hash(name)} for name in NAMES}}
    kept["models"]["PCA, 16 coefficients"]["fingerprint"] = "old"
    file = tmp_path / "measure_family.json"
    file.write_text(json.dumps(kept))
    for name, value in {"RESULTS": file, "SEEDS": (0,), "IMAGES": 400, "DRAWS": 60}.items():
        monkeypatch.setattr(measure_family, name, value)
    monkeypatch.setattr(ae.data, "load", lambda name, fallback: digits)
    assert measure_family.stale() == ["PCA, 16 coefficients"]
    measure_family.main([])
    assert len(measure_family.stored()) == len(NAMES)
    assert set(measure_family.stored()["PCA, 16 coefficients"]) >= {"parameters", "error", "probe", "fingerprint"}
    assert "bits" not in measure_family.stored()["PCA, 16 coefficients"]


def test_the_table_is_one_on_the_page(html):
    page = html / "book/part4-variants/17-where-autoencoders-live-today.html"
    rows = BeautifulSoup(page.read_text("utf-8"), "html.parser").select(".cell_output table tbody tr")
    assert [row.find("td").get_text(strip=True) for row in rows] == NAMES
