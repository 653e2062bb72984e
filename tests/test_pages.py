"""Every page of the built book in a browser: no error, no outside request, no sideways scrolling, open to everyone."""

import json
import re

import fingerprint
import pytest
from axe_playwright_python.sync_playwright import Axe
from pages import DESKTOP, PHONE, opened, served

ENTRIES = re.findall(r"(?:root|file): (\S+)", (fingerprint.ROOT / "_toc.yml").read_text("utf-8"))
PAGES = [*ENTRIES, "search"]


@pytest.mark.parametrize("look", [(PHONE, "dark"), (DESKTOP, "light")], ids=["phone-dark", "desktop-light"])
@pytest.mark.parametrize("entry", PAGES)
def test_a_page_opens_without_an_error_and_is_open_to_everyone(browser, html, entry, look):
    viewport, scheme = look
    with served(html) as address, opened(browser, f"{address}/{entry}.html", viewport, color_scheme=scheme) as page:
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], "the page scrolls sideways"
        found = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
        serious = [finding for finding in found if finding["impact"] in ("serious", "critical")]
        told = [(finding["id"], node["target"], node["html"][:200]) for finding in serious for node in finding["nodes"]]
        assert told == [], json.dumps(told, indent=1, ensure_ascii=False)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_page_opens_from_the_disk(browser, html, entry):
    with opened(browser, (html / f"{entry}.html").as_uri()) as page:
        waiting = page.locator("[data-explorable]")
        for number in range(waiting.count()):
            waiting.nth(number).and_(page.locator("[data-ready]")).wait_for()
