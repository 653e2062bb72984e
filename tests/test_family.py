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


def test_the_table_has_means_with_half_the_distance_of_the_extremes_and_a_dash_for_what_is_missing(monkeypatch):
    known = {
        "one": {"chapter": 3, "parameters": [1234567] * 3, "error": [1.0, 2.0, 6.0], "bits": [99.96, 100.0, 100.04]},
        "other": {"chapter": 12, "seconds": [1999.6, 2000.0, 2003.0], "recognised": [88.4]},
    }
    monkeypatch.setattr(ae.book, "results", lambda: known)
    table = ae.book.table()
    assert table._repr_markdown_().splitlines() == [
        "| model | chapter | parameters | CPU-seconds | squared error | probe, % | recognised, % | Fréchet | "
        "bits per image |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
        "| one | 3 | 1,234,567 | – | 3.00 ± 2.50 | – | – | – | 100.0 ± 0.0 |",
        "| other | 12 | – | 2,001 ± 2 | – | – | 88 | – | – |",
    ]


def test_the_table_has_a_row_for_every_model_in_the_order_of_the_recipes():
    _, _, *rows = str(ae.book.table()).splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == NAMES
    assert [row.split(" | ")[1] for row in rows] == [str(chapter) for chapter, _ in measure_family.MEMBERS.values()]


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


def test_averages_are_grouped_by_what_models_have_in_common_and_the_least_comes_first(monkeypatch):
    facts = {"a": ("x", "grey"), "b": ("x", "white"), "… and a c": ("x", "grey"), "d": ("x", "white", "a density")}
    monkeypatch.setattr(ae.book, "FAMILY", {name: ae.book.Facts(*each) for name, each in facts.items()})
    errors = {"a": 3.0, "b": 1.0, "… and a c": 2.0, "d": 2.5}
    monkeypatch.setattr(
        ae.book, "results", lambda: {name: {"error": [each, each + 2]} for name, each in errors.items()}
    )
    groups = ae.book.grouped_averages("error", "images")
    assert groups == {"white": {"b": 2.0, "d": 3.5}, "grey": {"dense, c": 3.0, "a": 4.0}}
    assert [list(groups), *map(list, groups.values())] == [["white", "grey"], ["b", "d"], ["dense, c", "a"]]
    assert ae.book.grouped_averages("error", "density") == {"a density": {"d": 3.5}}
    with pytest.raises(ValueError, match="got the fact 'image', expected one of code, images, density"):
        ae.book.grouped_averages("error", "image")


def test_the_table_of_the_family_says_of_each_model_its_code_and_its_images():
    plain, wide = (str(table()).splitlines() for table in (ae.book.table, ae.book.family_table))
    assert wide[0].startswith("| model | chapter | code | images | parameters |")
    assert [row.count("|") for row in wide] == [row.count("|") + 2 for row in plain]
    assert "| VAE | 6 | 16 numbers | black and white | 487,416 |" in wide[6]
    assert wide[5].startswith("| dense, Gaussian mixture | 4 | 16 numbers | grey | 482,600 |")


def test_the_facts_are_of_all_models_and_of_those_that_draw_the_density():
    assert list(ae.book.FAMILY) == NAMES
    assert [name for name, each in ae.book.FAMILY.items() if each.density] == list(ae.book.averages("frechet"))


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_trains_and_is_measured(name, digits, monkeypatch):
    for constant, value in {"EPOCHS": 1, "IMAGES": 400, "DRAWS": 60}.items():
        monkeypatch.setattr(measure_family, constant, value)
    _, member = measure_family.MEMBERS[name]
    trained = member(digits.train_images[:400], digits.train_labels[:400], 0)
    features = trained.code(digits.test_images[:9], digits.test_labels[:9]).shape[1]
    number, of_what, *_ = ae.book.FAMILY[name].code.replace(",", "").split()
    assert features == int(number) * (64 if of_what == "symbols" else 1)
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
    rows = [row for row in rows if row.find_parent(class_="claims") is None]
    assert [row.find("td").get_text(strip=True) for row in rows] == [
        name.replace("… and a", "dense,") for name in NAMES
    ]
