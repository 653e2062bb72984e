"""The built book: no warnings, no requests to other hosts, no dead links, and Colab opens the right notebook."""

import re
from urllib.parse import unquote, urlsplit

import chapters
import fingerprint
import pytest
import repo_url
from bs4 import BeautifulSoup

ROOT = fingerprint.ROOT
# What a browser fetches by itself when it opens a page.
FETCHED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "audio": "src", "video": "src"}


@pytest.fixture(scope="session")
def pages(html):
    """Every page's path and its parsed contents."""
    return {path: BeautifulSoup(path.read_text("utf-8"), "html.parser") for path in sorted(html.rglob("*.html"))}


@pytest.fixture(scope="session")
def articles(html, pages):
    """The pages that came from the sources of the book, without search and indices."""
    return {path: soup for path, soup in pages.items() if (html / "book") in path.parents}


def is_outside(address):
    return bool(urlsplit(address).netloc)


def test_every_entry_of_the_contents_became_a_page(html, articles):
    entries = re.findall(r"(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text("utf-8"))
    assert len(entries) == len(set(entries))
    assert {html / f"{entry}.html" for entry in entries} == set(articles)


def test_no_page_asks_another_host_for_anything(pages):
    for path, soup in pages.items():
        asked = [tag.get(FETCHED[tag.name]) or "" for tag in soup.find_all(list(FETCHED))]
        asked += [tag["href"] for tag in soup.find_all("link", href=True) if "canonical" not in tag.get("rel", [])]
        asked += [part.split()[0] for tag in soup.find_all(srcset=True) for part in tag["srcset"].split(",")]
        assert [address for address in asked if is_outside(address)] == [], path
        inline = "\n".join(tag.string or "" for tag in soup.find_all(["script", "style"]))
        inline = re.sub(r'"[A-Za-z0-9+/=]{40,}"', "", inline)  # the explorables' weights, in base64
        assert re.findall(r"(?:import\s*\(?|from|url\(|fetch\()\s*['\"]?https?://[^'\")]+", inline) == [], path
        assert "unpkg.com" not in inline, path
        assert "cdn" not in inline.lower(), path


def test_no_style_sheet_asks_another_host_for_anything(html):
    for path in html.rglob("*.css"):
        text = path.read_text("utf-8")
        assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^'\")]+", text) == [], path


def test_formulas_are_set_by_a_mathjax_that_lies_beside_the_pages(articles):
    with_formulas = {path: soup for path, soup in articles.items() if soup.select(".math")}
    assert with_formulas
    for path, soup in with_formulas.items():
        sources = [
            tag["src"].split("?")[0] for tag in soup.find_all("script", src=re.compile("mathjax", re.IGNORECASE))
        ]
        assert len(sources) == 1
        assert (path.parent / sources[0]).resolve().is_file()


def test_every_internal_link_and_anchor_leads_somewhere(pages):
    anchors = {path.resolve(): {tag["id"] for tag in soup.find_all(id=True)} for path, soup in pages.items()}
    for path, soup in pages.items():
        for tag in soup.find_all("a", href=True):
            parts = urlsplit(tag["href"])
            if parts.scheme or parts.netloc or tag["href"] == "#":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{path.name}: {tag['href']}"
            if parts.fragment and target in anchors:
                assert unquote(parts.fragment) in anchors[target], f"{path.name}: {tag['href']}"


def test_colab_opens_the_notebook_that_made_the_page(html, articles):
    place = repo_url.current_url().removeprefix("https://github.com/")
    exercises = (ROOT / "book" / "exercises").glob("*.ipynb")
    notebooks = {path.relative_to(ROOT).as_posix() for path in [*chapters.notebooks(), *exercises]}
    opened = {}
    for path, soup in articles.items():
        for tag in soup.find_all("a", href=re.compile("colab")):
            opened[tag["href"]] = path.relative_to(html).with_suffix(".ipynb").as_posix()
    assert set(opened.values()) == notebooks
    for link, notebook in opened.items():
        assert link == f"https://colab.research.google.com/github/{place}/blob/main/{notebook}"


def test_every_picture_has_alt_text_that_is_no_file_name(articles):
    for path, soup in articles.items():
        for tag in soup.select("article img"):
            assert tag.get("alt"), f"{path.name}: {tag.get('src')}"
            assert not re.search(r"\.(png|svg|jpe?g)$|/", tag["alt"]), f"{path.name}: {tag['alt']}"
        for tag in soup.select("article svg[role=img]"):
            assert tag.get("aria-label"), path.name


def test_the_setup_cell_is_not_on_the_page(articles):
    assert [path.name for path, soup in articles.items() if "importlib" in soup.get_text()] == []


def test_the_books_own_style_sheet_is_linked(articles):
    for path, soup in articles.items():
        assert soup.find("link", href=re.compile(r"_static/book\.css")), path.name
