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
        member = measure_family.MEMBERS[name]._asdict()
        assert all(row.get(fact) == member[fact] for fact in ("chapter", *ae.book.FACTS))
        for column in set(row) & set(ae.book.COLUMNS) - {"parameters"}:
            assert len(row[column]) == len(measure_family.SEEDS), (name, column)
            assert all(torch.isfinite(torch.tensor(row[column])))


def test_the_table_has_means_with_half_the_distance_of_the_extremes_and_a_dash_for_what_is_missing(monkeypatch):
    known = {
        "one": {"chapter": 3, "code": "2 numbers", "images": "grey"}
        | {"parameters": [1234567] * 3, "error": [1.0, 2.0, 6.0], "bits": [99.96, 100.0, 100.04]},
        "other": {"chapter": 12, "code": "a symbol", "images": "all", "seconds": [1999.6, 2000.0, 2003.0]}
        | {"recognised": [88.4]},
    }
    monkeypatch.setattr(ae.book, "results", lambda: known)
    table = ae.book.table()
    assert table._repr_markdown_().splitlines() == [
        "| model | chapter | code | images | parameters | CPU-seconds | squared error | probe, % | recognised, % | "
        "Fréchet | bits per image |",
        "| --- | --: | --- | --- | --: | --: | --: | --: | --: | --: | --: |",
        "| one | 3 | 2 numbers | grey | 1,234,567 | – | 3.00 ± 2.50 | – | – | – | 100.0 ± 0.0 |",
        "| other | 12 | a symbol | all | – | 2,001 ± 2 | – | – | 88 | – | – |",
    ]


def test_the_table_has_a_row_for_every_model_in_the_order_of_the_recipes():
    _, _, *rows = str(ae.book.table()).splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == NAMES
    assert [row.split(" | ")[1] for row in rows] == [str(member.chapter) for member in measure_family.MEMBERS.values()]


def test_a_cell_has_the_mean_and_after_it_half_the_distance_between_the_extremes(monkeypatch):
    row = {"chapter": 2, "code": "bits", "images": "grey"}
    row |= {"parameters": [1234567] * 3, "error": [10.0, 12.0, 15.5], "probe": [90.04]}
    monkeypatch.setattr(ae.book, "results", lambda: {"a model": row})
    line = "| a model | 2 | bits | grey | 1,234,567 | – | 12.50 ± 2.75 | 90.0 | – | – | – |"
    assert str(ae.book.table()).splitlines()[2] == line


def test_averages_are_those_of_the_seeds_and_leave_out_what_is_missing():
    bits = ae.book.averages("bits")
    assert "PCA, 16 coefficients" not in bits
    assert bits["VAE"] == pytest.approx(sum(ae.book.results()["VAE"]["bits"]) / 3)
    with pytest.raises(ValueError, match="got the measurement 'bit', expected one of parameters"):
        ae.book.averages("bit")


def test_averages_are_grouped_by_what_models_have_in_common_and_the_least_comes_first(monkeypatch):
    rows = {"a": (3.0, "grey"), "b": (1.0, "white"), "c": (2.0, "grey"), "d": (2.5, "white")}
    known = {name: {"images": images, "error": [value, value + 2]} for name, (value, images) in rows.items()}
    known |= {"no group": {"error": [0.0]}, "not measured": {"images": "grey"}}
    monkeypatch.setattr(ae.book, "results", lambda: known)
    groups = ae.book.grouped("error", "images")
    assert groups == {"white": {"b": 2.0, "d": 3.5}, "grey": {"c": 3.0, "a": 4.0}}
    assert [list(groups), *map(list, groups.values())] == [["white", "grey"], ["b", "d"], ["c", "a"]]
    with pytest.raises(ValueError, match="got by='image', expected one of code, images, density"):
        ae.book.grouped("error", "image")


def test_a_model_that_draws_says_from_which_density():
    for name, row in ae.book.results().items():
        assert ("density" in row) == ("frechet" in row), name


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_trains_and_is_measured(name, digits, monkeypatch):
    for constant, value in {"EPOCHS": 1, "IMAGES": 400, "DRAWS": 60}.items():
        monkeypatch.setattr(measure_family, constant, value)
    member = measure_family.MEMBERS[name]
    trained = member.train(digits.train_images[:400], digits.train_labels[:400], 0)
    features = trained.code(digits.test_images[:9], digits.test_labels[:9]).shape[1]
    number, of_what, *_ = member.code.replace(",", "").split()
    assert features == int(number) * (64 if of_what == "symbols" else 1)
    found = measure_family.measure(trained, digits, ae.models.Classifier(), 0)
    assert set(found) == set(measure_family.stored()[name]) & set(ae.book.COLUMNS)
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
    rows = [row for row in rows if row.find_parent(class_="claims") is None]
    assert [row.find("td").get_text(strip=True) for row in rows] == NAMES
