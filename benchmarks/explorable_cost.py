"""What the explorables cost a reader: bytes of the page, seconds until they can be used, milliseconds for each move.

Run it after `make book`; it needs a Chromium.  Goals: at most 700 KB, 2 s, 10 ms.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PAGES = Path(__file__).resolve().parents[1] / "_build" / "html" / "book"
READY = """() => new Promise((ready) => {
    const look = () => {
        const all = [...document.querySelectorAll("[data-explorable]")];
        if (all.every(({ dataset }) => "ready" in dataset)) ready(performance.now() / 1000);
        else setTimeout(look, 5);
    };
    look();
})"""
# One move of the point on a map, a digit's next stroke, or one step of a slider, 100 times.
MOVES = """(element) => {
    const root = element.firstChild.shadowRoot;
    const canvas = root.querySelector("canvas[tabindex]");
    const slider = root.querySelector("input[type=range]");
    const press = (key) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key }));
    const began = performance.now();
    if (canvas) press(" ");
    for (let move = 0; move < 100; move++) {
        if (canvas) press(move % 20 < 10 ? "ArrowRight" : "ArrowLeft");
        else {
            slider.value = Number(slider.min) + (move % 10) / 9 * (slider.max - slider.min);
            slider.dispatchEvent(new Event("input"));
        }
    }
    return (performance.now() - began) / 100;
}"""


def main() -> int:
    if not PAGES.exists():
        print("There is no built book: run `make book` first")
        return 1
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        print("There is no Chromium here: apt-get install chromium")
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for path in sorted(PAGES.glob("part*/*.html")):
            page = browser.new_page(reduced_motion="reduce")
            page.goto(path.as_uri())
            seconds = page.evaluate(READY)
            for number in range(page.locator("[data-explorable]").count()):
                element = page.locator("[data-explorable]").nth(number)
                size = element.evaluate(
                    "(element) => element.outerHTML.length + element.nextElementSibling.outerHTML.length"
                )
                name = element.get_attribute("data-explorable").rsplit("-", 1)[0]
                move = element.evaluate(MOVES)
                cost = f"{size / 1000:4.0f} KB, {seconds:.2f} s until ready, {move:5.2f} ms a move"
                print(f"{path.stem:32} {name:15} {cost}")
            page.close()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
