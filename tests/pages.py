"""How tests open a page of the built book in a browser, and what they hold against it when they close it."""

import functools
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

# axe looks at every element, and most of a page's are alike: tokens of code, parts of formulas, paragraphs, rows of
# tables, the package's entries on their page.  Alike is what has the same tag, classes, roles, names of attributes,
# colours and sizes, and lies in what is alike; the parts of formulas are all of one tag, and only those of their
# attributes count that speak to a reader.  The first of each kind stays, with all that it lies in.  Code that goes
# leaves its text, paragraphs, rows and items of a menu are emptied, other things leave their room; whatever else is
# alike stays, with a mark.
THIN = """() => {
    const styles = ["color", "backgroundColor", "backgroundImage", "opacity", "fontSize", "fontWeight", "visibility"];
    const [speaks, looks] = [/^(aria-.*|role|tabindex)$/, ["class", "style"]];
    const known = new Map(), kinds = new Map(), kept = new Set();
    for (const element of document.querySelectorAll("*")) {
        const formula = element.parentElement?.closest("mjx-container");
        const isPart = formula && (element.tagName.startsWith("MJX-") || element instanceof MathMLElement);
        const attributes = [...element.attributes]
            .filter(({ name }) => !isPart || speaks.test(name))
            .map(({ name, value }) => [name, speaks.test(name) || looks.includes(name) ? value : value.trim() !== ""]);
        const style = getComputedStyle(element);
        const kind = JSON.stringify([
            known.get(formula ?? element.parentElement), isPart ? "part" : element.tagName, attributes.sort(),
            element.children.length > 0 || element.textContent.trim() !== "", styles.map((name) => style[name]),
        ]);
        if (kinds.has(kind)) {
            element.dataset.alike = "";
        } else {
            kinds.set(kind, kinds.size);
            for (let up = element; up && !kept.has(up); up = up.parentElement) kept.add(up);
        }
        known.set(element, kinds.get(kind));
    }
    const [emptied, gone] = ["p, tr, nav li", ".highlight pre span, mjx-container, dl.py"];
    const parts = document.querySelectorAll(`${emptied}, ${gone}`);
    const alike = [...parts].filter((part) => !kept.has(part));
    const sizes = alike.map((part) => part.getBoundingClientRect());
    alike.forEach((part, place) => {
        if (part.closest("pre")) return part.replaceWith(part.textContent);
        const { width, height } = sizes[place];
        if (part.matches(emptied)) {
            part.replaceChildren();
            part.style.height = `${height}px`;
            return;
        }
        const room = document.createElement("span");
        room.style.cssText = `display: inline-block; width: ${width}px; height: ${height}px`;
        part.replaceWith(room);
    });
}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """Serve a folder on this machine and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def opened(browser, address, viewport=DESKTOP, formulas=True, **settings):
    """Yield the page at `address`; afterwards no error may have been logged and no other host asked for anything.

    With `formulas=False` MathJax is not run, which takes longer than all else, and formulas stay TeX.
    """
    context = browser.new_context(viewport=viewport, **settings)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def fetch(route):
        asked = urlsplit(route.request.url)
        if asked.netloc not in ("", urlsplit(address).netloc):
            complaints.append(f"asked {route.request.url}")
            route.abort()
        elif not formulas and "/mathjax/" in asked.path:
            route.fulfill(content_type="text/javascript", body="")
        else:
            route.continue_()

    context.route("**/*", fetch)
    page.goto(address)
    try:
        yield page
        assert not complaints, "\n".join(complaints)
    finally:
        context.close()


def set_and_ready(page):
    """Wait until all formulas are set, with their fonts, all explorables work, and what scrolls can be focused."""
    page.evaluate("async () => { await window.MathJax?.startup?.promise; await document.fonts.ready; }")
    page.wait_for_function("!document.querySelector('[data-explorable]:not([data-ready])')")
    page.wait_for_timeout(350)  # the theme looks after 300 ms which boxes scroll


# What may scroll and can't be focused, nor anything in it that is seen.
STUCK = """() => [...document.querySelectorAll("*")].some((box) => {
    if (box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight) return false;
    const { overflowX, overflowY } = getComputedStyle(box);
    const focused = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    return [overflowX, overflowY].some((way) => ["auto", "scroll"].includes(way)) && box.tabIndex < 0
        && ![...box.querySelectorAll(focused)].some((part) => part.checkVisibility());
})"""


def thin(page):
    """Take out of an open page what is alike, so that axe is done sooner."""
    page.evaluate(THIN)


def barriers(page):
    """Return what axe finds on a page that shuts people out: a list of (rule, place, HTML).

    On a thinned page it looks at the contrast of the first of all texts that are alike.  Boxes that scroll are for
    `unreachable`, since the theme lets them be focused anew whenever something on a page changes.
    """
    return _violations(page, "{ rules: { 'scrollable-region-focusable': { enabled: false } } }")


def unreachable(page):
    """Return the boxes of a whole page that scroll, but not with the keyboard, as `barriers` does.

    axe, which takes seconds, is asked only where there may be one.
    """
    return _violations(page, "{ runOnly: ['scrollable-region-focusable'] }") if page.evaluate(STUCK) else []


def _violations(page, options):
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
        page.evaluate("axe.configure({ rules: [{ id: 'color-contrast', selector: '*:not([data-alike])' }] })")
    run = f"axe.run({{ preload: false, resultTypes: ['violations'], ...{options} }}).then(found => found.violations)"
    serious = [finding for finding in page.evaluate(run) if finding["impact"] in ("serious", "critical")]
    return [(finding["id"], node["target"], node["html"][:200]) for finding in serious for node in finding["nodes"]]
