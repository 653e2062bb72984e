"""Every page of the built book in a browser: no error, no outside request, no sideways scrolling, open to everyone."""

import json
import re

import fingerprint
import pytest
from pages import DESKTOP, PHONE, barriers, opened, served, set_and_ready, thin, unreachable

ENTRIES = re.findall(r"(?:root|file): (\S+)", (fingerprint.ROOT / "_toc.yml").read_text("utf-8"))


def check(page):
    """Hold a page, open on a phone in the dark, against what every page promises, there and on a desktop by day."""
    set_and_ready(page)
    looks = [(PHONE, "dark"), (DESKTOP, "light")]
    for viewport, scheme in looks:
        look(page, viewport, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], "the page scrolls sideways"
        assert unreachable(page) == []
    thin(page)
    for viewport, scheme in reversed(looks):
        look(page, viewport, scheme)
        found = barriers(page)
        assert found == [], json.dumps(found, indent=1, ensure_ascii=False)


def look(page, viewport, scheme):
    """Change the screen, and wait until the page has followed."""
    page.set_viewport_size(viewport)
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_page_opens_from_the_disk_without_an_error_and_is_open_to_everyone(browser, html, entry):
    with opened(browser, (html / f"{entry}.html").as_uri(), PHONE, color_scheme="dark") as page:
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        check(page)


@pytest.mark.parametrize("entry", ["search", "book/appendix/notation"])
def test_a_page_opens_from_a_server_without_an_error_and_is_open_to_everyone(browser, html, entry):
    with served(html) as address, opened(browser, f"{address}/{entry}.html", PHONE, color_scheme="dark") as page:
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        check(page)


@pytest.mark.parametrize("entry", ENTRIES[:2])
def test_a_page_opens_on_a_desktop_by_day(browser, html, entry):
    with opened(browser, (html / f"{entry}.html").as_uri(), DESKTOP, color_scheme="light") as page:
        set_and_ready(page)
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        assert page.evaluate("document.documentElement.scrollWidth") <= DESKTOP["width"], "the page scrolls sideways"
        assert unreachable(page) == []


@pytest.fixture
def alike(browser, tmp_path):
    """An open page of a hundred parts of each kind that a page has in thousands."""
    code = "<span class='k'>with</span> " + "<span class='n'>name</span> " * 20
    formula = "<mjx-math aria-hidden='true'><mjx-mi>x</mjx-mi></mjx-math><mjx-assistive-mml>an x</mjx-assistive-mml>"
    part = (
        f"<div class='highlight'><pre tabindex='0'>{code}</pre></div>"
        f"<p>Here is <mjx-container tabindex='0'>{formula}</mjx-container>.</p>"
        "<dl class='py'><dt class='sig'>a <a href='#top'>link</a></dt>"
        "<dd><p>A text.</p><ul><li>A part.</li></ul></dd></dl>"
        "<p><img src='data:,' alt='A picture'></p>"
        "<table><tbody><tr><td>A cell</td></tr></tbody></table>"
        "<nav><ul><li><a href='#top'>an item</a></li></ul></nav>"
    )
    style = "pre { width: 12em; overflow-x: auto } .k { color: #060 } img { width: 9px; height: 9px }"
    head = "<!doctype html><html lang='en'><meta charset='utf-8'><title>alike</title><link rel='icon' href='data:,'>"
    (tmp_path / "alike.html").write_text(
        f"{head}<style>{style}</style><main id='top'><h1>Alike</h1>{part * 100}</main>", "utf-8"
    )
    with opened(browser, (tmp_path / "alike.html").as_uri()) as page:
        yield page


def test_of_a_hundred_parts_that_are_alike_one_is_looked_at_and_the_others_keep_their_room(alike):
    count = "document.querySelectorAll('.k, .n, mjx-container, dl.py, td, nav a').length"
    height = "document.documentElement.scrollHeight"
    before = alike.evaluate(height)
    assert alike.evaluate(count) == 100 * (1 + 20 + 1 + 1 + 1 + 1)
    thin(alike)
    assert alike.evaluate(count) == 6
    assert barriers(alike) == []
    assert alike.evaluate(height) == pytest.approx(before, rel=0.05)


@pytest.mark.parametrize(
    ("selector", "fault", "rule"),
    [
        (".n", "style.color = '#ddd'", "color-contrast"),
        (".n", "setAttribute('role', 'nonsense')", "aria-roles"),
        (".n", "setAttribute('aria-colour', 'red')", "aria-valid-attr"),
        (".n", "style.opacity = '0.2'", "color-contrast"),
        ("pre", "style.background = '#555'", "color-contrast"),
        ("mjx-container", "setAttribute('role', 'nonsense')", "aria-roles"),
        ("mjx-math", "tabIndex = 0", "aria-hidden-focus"),
        ("mjx-assistive-mml", "style.color = '#ddd'", "color-contrast"),
        (".py a", "textContent = ''", "link-name"),
        (".py p", "style.color = '#ddd'", "color-contrast"),
        (".py ul", "append(document.createElement('p'))", "list"),
        ("img", "removeAttribute('alt')", "image-alt"),
        ("main > p", "style.color = '#ddd'", "color-contrast"),
        ("td", "style.color = '#ddd'", "color-contrast"),
        ("nav a", "textContent = ''", "link-name"),
    ],
)
def test_one_fault_among_a_hundred_parts_that_are_alike_is_found(alike, selector, fault, rule):
    alike.evaluate(f"[...document.querySelectorAll('{selector}')].at(-30).{fault}")
    thin(alike)
    assert rule in {found for found, *_ in barriers(alike)}


def test_a_box_that_scrolls_and_cannot_be_focused_is_found(alike):
    assert unreachable(alike) == []
    alike.evaluate("[...document.querySelectorAll('pre')].at(-30).removeAttribute('tabindex')")
    assert [rule for rule, *_ in unreachable(alike)] == ["scrollable-region-focusable"]
