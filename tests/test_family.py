"""The table of all models: fresh, complete, and made by recipes that run."""

import json

import family
import pytest
import torch
from bs4 import BeautifulSoup

import aecourse as ae

NAMES = list(family.MEMBERS)


def test_the_stored_results_are_those_of_the_code():
    assert family.stale() == [], "models have changed since: run `make family` and commit the result"


def test_every_result_has_a_number_for_each_seed():
    assert list(ae.family.results()) == NAMES
    for name, row in ae.family.results().items():
        assert row["chapter"] == family.MEMBERS[name][0]
        for column in set(row) - {"chapter", "fingerprint", "parameters"}:
            assert len(row[column]) == len(family.SEEDS), (name, column)
            assert all(torch.isfinite(torch.tensor(row[column])))


def test_the_table_says_what_was_measured():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in str(ae.family.table()).splitlines()]
    assert rows[0][:3] == ["model", "chapter", "parameters"]
    assert [row[0] for row in rows[2:]] == NAMES
    found = ae.family.results()["dense autoencoder"]["error"]
    shown = dict(zip(rows[0], rows[2 + NAMES.index("dense autoencoder")], strict=True))
    assert shown["squared error"] == f"{sum(found) / 3:.2f} ± {(max(found) - min(found)) / 2:.2f}"
    assert shown["bits per image"] == "–"


def test_averages_are_those_of_the_seeds_and_leave_out_what_is_missing():
    bits = ae.family.averages("bits")
    assert "PCA, 16 coefficients" not in bits
    assert bits["VAE"] == pytest.approx(sum(ae.family.results()["VAE"]["bits"]) / 3)
    with pytest.raises(ValueError, match="got the measurement 'bit', expected one of parameters"):
        ae.family.averages("bit")


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_trains_and_is_measured(name, digits, monkeypatch):
    for constant, value in {"EPOCHS": 1, "IMAGES": 400, "DRAWS": 60}.items():
        monkeypatch.setattr(family, constant, value)
    _, member = family.MEMBERS[name]
    trained = member(digits.train_images[:400], digits.train_labels[:400], 0)
    found = family.measure(trained, digits, ae.models.Classifier(), 0)
    assert set(found) == set(family.stored()[name]) - {"chapter", "fingerprint"}
    assert all(torch.isfinite(torch.tensor(value)) for value in found.values())


def test_a_changed_recipe_is_measured_again_and_the_others_are_kept(tmp_path, monkeypatch, digits):
    kept = {"models": {name: {"fingerprint": family.recipe_hash(name)} for name in NAMES}}
    kept["models"]["PCA, 16 coefficients"]["fingerprint"] = "old"
    file = tmp_path / "family.json"
    file.write_text(json.dumps(kept))
    for name, value in {"RESULTS": file, "SEEDS": (0,), "IMAGES": 400, "DRAWS": 60}.items():
        monkeypatch.setattr(family, name, value)
    monkeypatch.setattr(ae.data, "load", lambda name, fallback: digits)
    assert family.stale() == ["PCA, 16 coefficients"]
    family.main([])
    assert len(family.stored()) == len(NAMES)
    assert set(family.stored()["PCA, 16 coefficients"]) >= {"parameters", "error", "probe", "fingerprint"}
    assert "bits" not in family.stored()["PCA, 16 coefficients"]


def test_the_table_is_one_on_the_page(html):
    page = html / "book/part4-variants/17-where-autoencoders-live-today.html"
    rows = BeautifulSoup(page.read_text("utf-8"), "html.parser").select(".cell_output table tbody tr")
    assert [row.find("td").get_text(strip=True) for row in rows] == NAMES
