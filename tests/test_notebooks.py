"""What holds the notebooks to their word: fresh outputs, figures for every reader, nothing that changes by itself."""

import ast
import base64
import contextlib
import io
import re
import subprocess
from itertools import pairwise

import chapters
import fingerprint
import nbformat
import pytest
import repo_url
from PIL import Image

import aecourse as ae

ROOT = fingerprint.ROOT
PATHS = chapters.notebooks()


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def html_of(cell):
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.get("outputs", []))


def figures(cell):
    return [output for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]


def alt(cell):
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


# Stored outputs


def test_the_stored_outputs_are_those_of_the_code(notebook):
    assert not chapters.is_stale(notebook), "the code changed after it ran: run `make chapters` and commit the outputs"


def test_every_cell_ran_in_order_and_without_an_error_or_a_warning(notebook):
    assert [cell.execution_count for cell in code_cells(notebook)] == [*range(1, len(code_cells(notebook)) + 1)]
    assert [output for output in outputs(notebook) if output.output_type == "error"] == []
    assert [output.text for output in outputs(notebook) if output.get("name") == "stderr"] == []


def test_no_progress_bar_or_widget_is_stored(notebook):
    kinds = {kind for output in outputs(notebook) for kind in output.get("data", {})}
    assert kinds <= {"text/plain", "text/markdown", "image/png", "text/html"}
    known = ('<div class="aecourse-explorable"', '<details class="claims"')
    assert [page[:60] for page in map(html_of, code_cells(notebook)) if page and not page.startswith(known)] == []


def test_the_numbers_are_those_of_mnist(notebook):
    text = "".join(
        output.get("text", "") + str(output.get("data", {}).get("text/plain", "")) for output in outputs(notebook)
    )
    assert "the text speaks of MNIST" not in text, "executed on the embedded digits: run `make chapters` with MNIST"


def test_no_metadata_changes_from_run_to_run(notebook):
    assert set(notebook.metadata) == {"aecourse", "kernelspec", "language_info"}
    assert set(notebook.metadata.language_info) == {"name"}
    assert {key for cell in notebook.cells for key in cell.metadata} <= {"tags", "mystnb", *chapters.FOLDED}


def test_no_path_of_a_machine_is_told(path):
    assert re.findall(r"(?:/home/|/root/|/tmp/|/work/|/Users/|[A-Z]:\\\\)\S*", path.read_text("utf-8")) == []


# Figures


def test_every_figure_has_alt_text_of_its_own_and_a_numbered_caption(path, notebook):
    chapter, number, texts = int(path.stem[:2]), 0, []
    for cell, following in pairwise(notebook.cells):
        if not figures(cell):
            continue
        number += 1
        texts.append(alt(cell))
        assert len(figures(cell)) == 1, "two figures in one cell would share one alt text"
        assert len(alt(cell)) >= 40, f"figure {number} needs an alt text that says what to see"
        assert following.source.startswith(f"**Figure {chapter}.{number}.** "), following.source[:60]
    assert number > 0
    assert len(set(texts)) == number


def test_every_explorable_has_a_numbered_caption(path, notebook):
    chapter, number = int(path.stem[:2]), 0
    for cell, following in pairwise(notebook.cells):
        if html_of(cell).startswith('<div class="aecourse-explorable"'):
            number += 1
            assert following.source.startswith(f"**Explorable {chapter}.{number}.** "), following.source[:60]


def test_figures_are_sharp_and_small_and_the_notebook_is_too(path, notebook):
    for cell in code_cells(notebook):
        for output in figures(cell):
            png = base64.b64decode(output.data["image/png"])
            assert len(png) <= 60_000, f"a figure of {len(png):,} bytes: {alt(cell)[:50]}"
            shown = output.metadata["image/png"]["width"]
            assert Image.open(io.BytesIO(png)).width >= 2 * shown, "blurred on a high-density screen"
            assert shown <= 740, "wider than the page"
    assert path.stat().st_size <= 1_500_000


# The course's rules for a chapter


def test_a_chapter_has_its_parts_in_order(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    parts = [
        "# ",
        "\n**",
        "You will be able to",
        "to read",
        "## What do you expect?",
        "> **Predict.**",
        "## What to remember",
        "## Check yourself",
        "## Try it",
        "## Further reading",
    ]
    places = [text.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def test_a_chapter_measures_its_claims_and_compares_its_exact_outputs(notebook):
    sources = [cell.source for cell in code_cells(notebook)]
    assert sum(bool(re.search(r"\bae\.(music\.)?claims\(", source)) for source in sources) >= 3
    said = "\n".join(
        output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs(notebook)
    )
    assert len(re.findall(r"^✓ .*: \S+ \(the text holds (from \S+ to|for) \S+\)$", said, re.MULTILINE)) >= 10
    assert any("nbval-check-output" in cell.metadata.get("tags", []) for cell in code_cells(notebook))


def test_the_code_of_a_check_is_folded_and_nothing_else_is(notebook):
    for cell in code_cells(notebook):
        check = html_of(cell).startswith('<details class="claims"')
        assert ("hide-input" in cell.metadata.get("tags", [])) == check, cell.source
        for key, value in chapters.FOLDED.items():
            assert cell.metadata.get(key) == (value if check else None), "JupyterLab and Colab fold what the page folds"
        assert cell.metadata.get("mystnb", {}).get("code_prompt_show") == ("The check" if check else None)
        assert not check or len(cell.outputs) == 1, "what is printed beside a check belongs into a cell before it"
        assert "NBVAL" not in cell.source, "nbval has tags, which no reader sees"


def test_a_chapter_drives_the_package_in_short_cells(notebook):
    """A check may be longer: it is folded on the page, and has a line or more for each number that the text claims."""
    for cell in code_cells(notebook):
        if "hide-input" in cell.metadata.get("tags", []):
            continue
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 20, f"{len(lines)} lines: {cell.source[:80]}"


@pytest.mark.parametrize(
    ("chapter", "lines"),
    [
        ("02", ["def __init__(", "self.build(", "def dense_layers("]),
        ("02", ["def one_epoch(", "torch.randperm(", ".zero_grad()", ".backward()", ".step()"]),
        ("05", ["def __init__(", "per_number=2", "torch.randn_like(mu)"]),
    ],
    ids=["an autoencoder is built", "the loop", "a VAE is built"],
)
def test_a_reader_sees_how_a_model_is_built_and_how_it_is_trained(chapter, lines):
    notebook = nbformat.read(next(path for path in PATHS if path.stem.startswith(chapter)), as_version=4)
    shown = "".join(output.get("data", {}).get("text/markdown", "") for output in outputs(notebook))
    assert [line for line in lines if line not in shown] == []


def shown_today(notebook):
    """Yield each cell that shows source, and what it shows now; of other cells only short names are followed."""
    names = {"ae": ae}
    for cell in code_cells(notebook)[1:]:
        shows = "ae.show(" in cell.source
        for node in ast.parse(cell.source).body:
            short = isinstance(node, ast.Assign) and re.fullmatch(r"[\w.,() ]+", ast.unparse(node.value))
            short = short and "(" not in ast.unparse(node.value).lstrip("(")
            if shows and isinstance(node, ast.Expr):
                yield cell, eval(ast.unparse(node.value), names)
            elif short or isinstance(node, ast.ImportFrom):
                with contextlib.suppress(NameError):
                    exec(ast.unparse(node), names)


def test_source_that_a_page_shows_is_the_source_of_today(notebook):
    for cell, shown in shown_today(notebook):
        assert cell.outputs[0].data["text/markdown"] == shown._repr_markdown_(), cell.source


def texts(notebook):
    """Return what a chapter says, without what no page shows."""
    said = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.sub(r"<!--.*?-->|</?[a-z][^>]*>", "", said, flags=re.DOTALL)


def test_the_time_to_read_is_that_of_its_words_and_code(notebook):
    """A beginner reads 120 words a minute, or ten lines of code."""
    code = [cell.source for cell in code_cells(notebook)[1:] if "hide-input" not in cell.metadata.get("tags", [])]
    minutes = len(texts(notebook).split()) / 120 + sum(len(re.findall(r"\S.*", source)) for source in code) / 10
    said = re.search(r"About (\d+) minutes to read", texts(notebook))
    assert int(said[1]) == 5 * round(minutes / 5), f"{minutes:.0f} minutes"


def known_terms():
    """Return the terms of the glossary, in small letters: of "L1 penalty (lasso), price" three."""
    text = (ROOT / "book/appendix/glossary.md").read_text("utf-8")
    heads = re.findall(r"^(?:```\{glossary\}|)\n(\S.*)\n\S.*\n  ", text, re.MULTILINE)
    return {part.strip().lower() for head in heads for part in re.split(r"[,()]", head)}


def test_every_term_that_a_chapter_introduces_is_in_the_glossary(notebook):
    """A term stands in bold where it is introduced; what else is in bold begins a paragraph, or has a number."""
    bold = re.findall(r"(?<![\w*])\*\*([^*\n]+?)\*\*(?![\w*])", texts(notebook))
    terms = {term.lower() for term in bold if not re.search(r"[.:?!]$|\d", term) and len(term.split()) <= 4}
    known = "\n".join(known_terms())
    assert [term for term in sorted(terms) if not re.search(rf"\b{re.escape(term.removesuffix('s'))}", known)] == []


def test_no_chapter_trains_on_test_images(notebook):
    calls = [
        call
        for cell in code_cells(notebook)[1:]
        for call in ast.walk(ast.parse(cell.source))
        if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] in ("fit", "fit_predict", "Principal")
    ]
    assert [ast.unparse(call) for call in calls if "test" in " ".join(map(ast.unparse, call.args))] == []


def test_a_chapter_needs_no_file_beside_it(path, notebook):
    """In Colab it lies in an empty folder."""
    beside = {"..", *(entry.name for entry in path.parent.iterdir())}
    trees = [ast.parse(cell.source) for cell in code_cells(notebook)[1:]]
    texts = {part.value for tree in trees for part in ast.walk(tree) if isinstance(part, ast.Constant)}
    assert {text for text in texts if isinstance(text, str) and text.split("/")[0] in beside} == set()


def test_a_chapter_leads_to_its_exercise(path, notebook):
    assert f"](../exercises/{path.name})" in notebook.cells[-1].source
    assert (ROOT / "book" / "exercises" / path.name).exists()


def test_further_reading_is_in_the_bibliography(notebook):
    known = (ROOT / "book/appendix/references.bib").read_text("utf-8")
    text = notebook.cells[-1].source.split("## Further reading")[1]
    links = re.findall(r"\]\((https?://[^)]+)\)", text)
    assert links
    for link in links:
        address = link.removeprefix("https://doi.org/").replace("%28", "(").replace("%29", ")")
        assert f"{{{address}}}" in known, f"{link} is not in references.bib"


# Colab and the project's address


def test_the_first_cell_is_the_same_everywhere_and_is_hidden_on_the_page(notebook):
    first, second = notebook.cells[:2]
    reference = nbformat.read(PATHS[0], as_version=4).cells[0]
    assert first.source == reference.source
    assert first.metadata.tags == ["setup", "remove-cell"]
    assert f'< "{ae.__version__}":\n    %pip install -q --upgrade git+{repo_url.current_url()}' in first.source
    assert second.source.startswith("# ")


def test_the_address_of_the_project_is_the_same_everywhere():
    url = repo_url.current_url()
    cited = (ROOT / "book/appendix/references.bib").read_text("utf-8")
    files = [*PATHS, ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "book/intro.md", ROOT / "_config.yml"]
    for file in files:
        text = file.read_text("utf-8")
        assert url in text, f"{file.name} does not name {url}: `make repo-url URL=…` changes it everywhere"
        named = re.findall(r"https://github\.com/[\w.-]+/[\w-]+", text)
        own = {address for address in named if address not in cited}
        assert own - {"https://github.com/owner/name"} == {url}, f"{file.name} names {own}"


def test_repo_url_changes_every_file_and_refuses_what_is_no_address(tmp_path, monkeypatch):
    (tmp_path / "_config.yml").write_text("repository:\n  url: https://github.com/old/name\n")
    (tmp_path / "a.md").write_text("https://github.com/old/name.git https://github.com/old/name-other")
    (tmp_path / "b.bin").write_bytes(b"\xff\xfehttps://github.com/old/name")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.setattr(repo_url, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="expected one like"):
        repo_url.main("github.com/new")
    repo_url.main("https://github.com/new/place.git")
    assert repo_url.current_url() == "https://github.com/new/place"
    assert (tmp_path / "a.md").read_text() == "https://github.com/new/place.git https://github.com/old/name-other"
    assert (tmp_path / "b.bin").read_bytes() == b"\xff\xfehttps://github.com/old/name"


# The tools themselves


PACKAGE = {
    "__init__.py": "from . import part\nfrom .other import exported\n",
    "part.py": (
        "from .other import helper\nSIZE = 3\n\n\n@helper\ndef used():\n    return SIZE\n\n\n"
        "def unused():\n    return 1\n\n\nclass Model:\n    def run(self):\n        return used()\n"
    ),
    "other.py": "def helper(f):\n    return deep(f)\n\n\ndef deep(f):\n    return f\n\n\ndef exported():\n    return 0",
}


def fake(code, setup="pass", text="text"):
    cells = [nbformat.v4.new_code_cell(setup, metadata={"tags": ["setup"]}), nbformat.v4.new_markdown_cell(text)]
    return nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_code_cell(code)])


@pytest.fixture
def package(tmp_path):
    for name, text in PACKAGE.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def hash_after(package, notebook, file="part.py", old="", new=""):
    before = fingerprint.fingerprint(notebook, package)
    text = (package / file).read_text()
    assert old in text
    (package / file).write_text(text.replace(old, new))
    return before, fingerprint.fingerprint(notebook, package)


@pytest.mark.parametrize(
    "code",
    [
        "import aecourse as ae\nae.part.used()",
        "import aecourse\naecourse.part.Model().run()",
        "from aecourse import part\npart.used()",
        "from aecourse.part import used as u\nu()",
        "import aecourse as ae\npart = ae.part",
    ],
)
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("part.py", "return SIZE", "return SIZE + 1"),
        ("part.py", "SIZE = 3", "SIZE = 4"),
        ("part.py", "@helper\n", ""),
        ("other.py", "return deep(f)", "return deep(deep(f))"),
        ("other.py", "    return f\n", "    return None\n"),
    ],
    ids=["body", "constant", "decorator", "imported", "two calls away"],
)
def test_a_change_in_code_that_a_notebook_reaches_makes_it_stale(package, code, file, old, new):
    before, after = hash_after(package, fake(code), file, old, new)
    assert before != after


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("part.py", "return 1", "return 2"), ("other.py", "return 0", "return 5")],
    ids=["unused function", "unused module part"],
)
def test_a_change_in_code_that_a_notebook_does_not_reach_leaves_it_fresh(package, file, old, new):
    before, after = hash_after(package, fake("import aecourse as ae\nae.part.used()"), file, old, new)
    assert before == after


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def used():\n    return SIZE", 'def used():\n    """Return three."""\n    return SIZE'),
        ("    return SIZE", "    # three\n    return SIZE  # it is"),
        ("SIZE = 3", "SIZE   =   3"),
        ("def used():", "def used() -> int:"),
        ("    return SIZE", "    return (\n        SIZE\n    )"),
    ],
    ids=["docstring", "comment", "white space", "type hint", "line break"],
)
def test_what_does_nothing_leaves_a_notebook_fresh(package, old, new):
    before, after = hash_after(package, fake("import aecourse as ae\nae.part.used()"), "part.py", old, new)
    assert before == after


def test_a_definition_that_moves_to_another_module_leaves_a_notebook_fresh(package):
    notebook = fake("import aecourse as ae\nae.part.used()")
    before = fingerprint.fingerprint(notebook, package)
    (package / "deep.py").write_text("def deep(f):\n    return f\n")
    other = (package / "other.py").read_text().replace("def deep(f):\n    return f\n", "")
    (package / "other.py").write_text("from .deep import deep\n" + other)
    assert fingerprint.fingerprint(notebook, package) == before


@pytest.mark.parametrize(
    "code",
    [
        "ae.show(ae.part.Model)",
        "ae.show(ae.part.Model.run)",
        "Model = ae.part.Model\nae.show(Model.run)",
        "Other, Model = ae.part.used, ae.part.Model\nae.show(Model.run)",
        "ae.show(ae.part.Child.run)",
    ],
    ids=["class", "method", "alias", "two aliases", "inherited"],
)
def test_what_a_notebook_shows_counts_as_text_without_its_docstring(package, code):
    (package / "part.py").write_text(
        PACKAGE["part.py"] + "\n\nclass Child(Model):\n    def walk(self):\n        pass\n"
    )
    notebook = fake(f"import aecourse as ae\n{code}")
    before, commented = hash_after(package, notebook, "part.py", "return used()", "return used()  # three")
    assert before != commented
    before, documented = hash_after(package, notebook, "part.py", "run(self):", 'run(self):\n        """Return 3."""')
    assert before == documented


def test_a_method_that_is_not_shown_may_get_a_comment(package):
    notebook = fake("import aecourse as ae\nae.show(ae.part.Model.run)")
    before, after = hash_after(package, notebook, "part.py", "class Model:", "class Model:  # a model")
    assert before == after


@pytest.mark.parametrize(("file", "fresh"), [("one.json", False), ("other.json", True), ("none.json", True)])
def test_of_a_named_folder_the_files_count_whose_names_a_notebook_says(package, file, fresh):
    (package / "part.py").write_text('import json\n\n\ndef used(name):\n    return open("results" + name)\n')
    (package / "results").mkdir()
    for name in ("one", "other", "none"):
        (package / "results" / f"{name}.json").write_text("1")
    notebooks = fake('import aecourse as ae\nae.part.used("one")'), fake("import aecourse as ae\nae.part.used(1)")
    before = [fingerprint.fingerprint(notebook, package) for notebook in notebooks]
    (package / "results" / file).write_text("2")
    after = [fingerprint.fingerprint(notebook, package) for notebook in notebooks]
    assert (before[0] == after[0]) == fresh
    assert before[1] != after[1], "which one it reads can't be seen, so all count"


def test_only_code_counts_and_not_text_nor_the_setup_cell(package):
    code = "import aecourse as ae\nae.exported()"
    others = [(), ("import os",), ("pass", "new text")]
    same = {fingerprint.fingerprint(fake(code, *rest), package) for rest in others}
    same.add(fingerprint.fingerprint(fake(code + "  # more"), package))
    assert len(same) == 1
    assert fingerprint.fingerprint(fake(code + "\n1"), package) not in same
    assert fingerprint.fingerprint(fake(code + ";"), package) not in same, "a cell that ends with ; shows nothing"


def test_a_notebook_that_fails_keeps_its_old_outputs_and_the_others_are_executed(tmp_path, monkeypatch, capsys):
    (tmp_path / "book").mkdir()
    for name, code in {"bad": "1 / 0", "good": "6 * 7"}.items():
        nbformat.write(fake(code), tmp_path / "book" / f"{name}.ipynb")
    before = (tmp_path / "book" / "bad.ipynb").read_text()
    monkeypatch.setattr(chapters, "ROOT", tmp_path)
    monkeypatch.setattr(chapters.data, "load", lambda name, fallback: None)
    assert chapters.main() == 1
    assert (tmp_path / "book" / "bad.ipynb").read_text() == before
    good = nbformat.read(tmp_path / "book" / "good.ipynb", as_version=4)
    assert good.cells[-1].outputs[0].data["text/plain"] == "42"
    assert set(good.metadata) == {"aecourse", "kernelspec", "language_info"}
    assert all(set(cell.metadata) <= {"tags", "mystnb"} for cell in good.cells)
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert chapters.main() == 1  # the good one is fresh now
    assert "1 to execute" in capsys.readouterr().out


def test_chapters_are_never_executed_on_anything_but_mnist(tmp_path, monkeypatch):
    (tmp_path / "book").mkdir()
    nbformat.write(fake("1"), tmp_path / "book" / "a.ipynb")
    monkeypatch.setattr(chapters, "ROOT", tmp_path)

    def nothing(name, fallback):
        assert not fallback
        raise RuntimeError("found no MNIST")

    monkeypatch.setattr(chapters.data, "load", nothing)
    with pytest.raises(RuntimeError, match="found no MNIST"):
        chapters.main()
