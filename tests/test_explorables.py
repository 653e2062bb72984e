"""The explorables in the built pages, used as a person would, and their numbers against PyTorch's."""

import functools
import json
import math
import re
import shutil
from html import unescape
from pathlib import Path

import chapters
import fingerprint
import nbformat
import numpy as np
import pytest
import torch
from pages import DESKTOP, PHONE, opened, served
from pygments.lexers import JavascriptLexer
from pygments.token import Comment, String

import aecourse as ae

PAGES = {
    "codewords": "part1-compression/01-encoding-and-entropy",
    "draw": "part3-variational/05-from-points-to-distributions",
    "reparameterize": "part3-variational/05-from-points-to-distributions",
    "beta": "part3-variational/06-the-kl-term-and-the-elbo",
    "travel": "part3-variational/07-generating-and-travelling",
    "player": "part4-variants/16-music",
}
NETWORKS = {"autoencoder": "autoencoder", "VAE, reconstruction alone": "vae-reconstruction-alone", "VAE": "vae"}


class Use:
    """An explorable on an open page: its parts, and the values that it tells its model."""

    def __init__(self, page, name):
        self.page = page
        self.root = page.locator(f'[data-explorable^="{name}-"][data-ready]').first
        self.root.wait_for()
        self.root.scroll_into_view_if_needed()

    def get(self, name):
        return self.root.evaluate("(element, name) => element.model.get(name)", name)

    def find(self, selector):
        return self.root.locator(selector)

    def button(self, name):
        self.root.get_by_role("button", name=name, exact=True).click()

    def radio(self, name):
        self.root.get_by_role("radio", name=name, exact=True).check()

    def at(self, selector, across, up):
        """Return the place on a canvas at these shares of its width and height, from its lower left corner."""
        canvas = self.find(selector)
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        return box["x"] + across * box["width"], box["y"] + (1 - up) * box["height"]

    def slide(self, selector, value):
        self.find(selector).evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); }",
            str(value),
        )

    def picture(self, selector, number=0):
        """Return the grey values 0 … 255 that a canvas of 28 × 28 shows."""
        return np.array(
            self.find(selector)
            .nth(number)
            .evaluate(
                """canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]
                    .filter((_, place) => place % 4 === 0)"""
            )
        )


on_both = pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])


@pytest.fixture
def use(browser, html, tmp_path):
    """Return a function that opens an explorable and returns it for use.

    With a size of screen it is the one on the built page, which tests of pointer, keys and layout use; without one, the
    same stored output on a page of its own, which is ready sooner, for tests of what the explorable works out.
    """
    contexts = []

    def start(name, viewport=None, **settings):
        if viewport:
            server = served(html)
            contexts.append(server)
            address = f"{server.__enter__()}/book/{PAGES[name]}.html"
        else:
            alone = tmp_path / f"{name}.html"
            alone.write_text(f"<!doctype html><meta charset=utf-8><title>{name}</title><body>{output(name)}", "utf-8")
            address = alone.as_uri()
        page = opened(browser, address, viewport or DESKTOP, formulas=False, **settings)
        contexts.append(page)
        return Use(page.__enter__(), name)

    yield start
    for context in reversed(contexts):
        context.__exit__(None, None, None)


def outputs():
    """Return every explorable stored in the chapters: (page, HTML)."""
    for path in chapters.notebooks():
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                page = output.get("data", {}).get("text/html", "")
                if page.startswith('<div class="aecourse-explorable"'):
                    yield path.stem, page


STORED = list(outputs())


def output(name):
    """Return the stored output of an explorable, the first one on its page."""
    page = Path(PAGES[name]).name
    return next(text for stem, text in STORED if stem == page and f'data-explorable="{name}-' in text)


@functools.cache
def trained(name):
    return ae.widgets.from_exported(ae.widgets.trained(name))


def close(found, expected, within=2e-4):
    return np.abs(np.asarray(found) - np.asarray(expected)).max() <= within


# Travel


@on_both
def test_travel_decodes_what_pytorch_decodes_wherever_the_point_is_dragged(use, viewport):
    travel = use("travel", viewport)
    mouse = travel.page.mouse
    for shown, name in NETWORKS.items():
        travel.radio(shown)
        mouse.move(*travel.at("canvas.map", 0.5, 0.5))
        mouse.down()
        seen = set()
        for place in [(0.3, 0.3), (0.8, 0.4), (0.45, 0.9), (0.02, 0.02)]:
            mouse.move(*travel.at("canvas.map", *place), steps=3)
            code = travel.get("code")
            image = trained(name).decode(torch.tensor([code])).flatten().detach()
            assert travel.get("network") == shown
            assert close(travel.get("image"), image)
            assert np.abs(travel.picture(".now canvas") - 255 * image.numpy()).max() <= 0.6, (
                "the canvas shows something else"
            )
            seen.add(tuple(code))
        mouse.up()
        assert len(seen) == 4


def test_travel_keeps_the_place_on_the_map_when_the_network_changes(use):
    travel = use("travel")
    travel.page.mouse.click(*travel.at("canvas.map", 0.7, 0.6))
    codes = {}
    for shown in NETWORKS:
        travel.radio(shown)
        codes[shown] = travel.get("code")
    travel.radio("autoencoder")
    assert close(travel.get("code"), codes["autoencoder"], 1e-6)
    assert codes["autoencoder"] != codes["VAE"]


def test_travel_stretches_a_crowded_map_and_still_finds_every_place(use):
    travel = use("travel")
    codes = {}
    for shown in ("autoencoder", "VAE"):
        travel.radio(shown)
        steps = []
        for across in (0.1, 0.3, 0.5, 0.7, 0.9):
            travel.page.mouse.click(*travel.at("canvas.map", across, 0.5))
            steps.append(travel.get("code")[0])
        codes[shown] = np.diff(steps)
    assert codes["VAE"] == pytest.approx(codes["VAE"].mean(), rel=0.05)
    assert codes["autoencoder"].max() > 3 * codes["autoencoder"].min() > 0


def test_travel_draws_from_the_prior_and_decodes_the_draws(use):
    travel, network = use("travel"), trained("vae")
    travel.radio("VAE")
    codes = []
    for _ in range(25):
        travel.button("Draw eight codes from N(0, I)")
        codes += travel.get("draws")
    assert travel.find(".draws canvas").count() == 8
    images = 255 * network.decode(torch.tensor(travel.get("draws"))).flatten(1).detach().numpy()
    for number, image in enumerate(images):
        assert np.abs(travel.picture(".draws canvas", number) - image).max() <= 0.6
    drawn = np.array(codes)  # 200 codes: bounds of more than four standard errors
    assert np.abs(drawn.mean(0)).max() < 0.32
    assert (drawn.std(0) > 0.78).all()
    assert (drawn.std(0) < 1.25).all()


def test_travel_works_with_the_arrow_keys(use):
    travel = use("travel", DESKTOP)
    travel.radio("VAE")  # its axes are straight
    travel.find("canvas.map").focus()
    low = travel.get("code")
    travel.page.keyboard.press("ArrowRight")
    travel.page.keyboard.press("ArrowUp")
    small = np.subtract(travel.get("code"), low)
    travel.page.keyboard.press("Shift+ArrowRight")
    large = np.subtract(travel.get("code"), low)
    assert (small > 0).all()
    assert large[0] == pytest.approx(11 * small[0])
    assert "the point is at" in travel.find("canvas.map").get_attribute("aria-label")


# Draw


THREE = [
    (0.3, 0.75),
    (0.5, 0.8),
    (0.65, 0.7),
    (0.6, 0.55),
    (0.45, 0.5),
    (0.62, 0.45),
    (0.68, 0.3),
    (0.5, 0.18),
    (0.3, 0.25),
]


def stroke(draw, places):
    mouse = draw.page.mouse
    mouse.move(*draw.at("canvas.pad", *places[0]))
    mouse.down()
    for place in places[1:]:
        mouse.move(*draw.at("canvas.pad", *place), steps=4)
    mouse.up()


@on_both
def test_a_drawn_digit_is_encoded_and_decoded_as_pytorch_does(use, viewport):
    draw = use("draw", viewport)
    for shown in ("autoencoder", "VAE"):
        network = trained(NETWORKS[shown])
        draw.radio(shown)
        draw.button("Clear")
        stroke(draw, THREE)
        image = torch.tensor(draw.get("image")).view(1, 1, 28, 28)
        with torch.no_grad():
            code = network.encode(image)
            mu, sigma = (code.mean, code.stddev) if shown == "VAE" else (code, None)
            logits = network.decoder(mu)
            cost = torch.nn.functional.binary_cross_entropy_with_logits(logits, image.flatten(1), reduction="sum")
        assert close(draw.get("mu"), mu[0])
        assert draw.get("sigma") is None if sigma is None else close(draw.get("sigma"), sigma[0])
        assert close(draw.get("reconstruction"), logits.sigmoid()[0])
        assert draw.get("cost") == pytest.approx(cost.item(), abs=0.01)
        assert np.abs(draw.picture(".seen") - 255 * image.flatten().numpy()).max() <= 0.6
        assert np.abs(draw.picture(".drawn") - 255 * logits.sigmoid()[0].numpy()).max() <= 0.6
        told = draw.find(".readout").inner_text()
        assert f"{draw.get('cost'):.0f} nats" in told
        assert ("σ = (" in told) == (shown == "VAE")


@on_both
def test_a_drawing_is_scaled_and_centred_as_mnist_is(use, viewport):
    draw = use("draw", viewport)
    stroke(draw, [(0.5 + 0.35 * (across - 0.5), 0.75 + 0.2 * (up - 0.5)) for across, up in THREE])
    pixels = np.array(draw.get("image")).reshape(28, 28)
    rows, columns = np.nonzero(pixels > 0.3)
    assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 22
    places = np.arange(28)
    assert (pixels.sum(0) @ places) / pixels.sum() == pytest.approx(13.5, abs=0.3)
    assert (pixels.sum(1) @ places) / pixels.sum() == pytest.approx(13.5, abs=0.3)
    assert 60 < pixels.sum() < 200, "MNIST's digits have some 100 white pixels"


def swipe(explorable, selector, *places):
    """Move a finger over a canvas, from height to height, as shares of it."""
    devices = explorable.page.context.new_cdp_session(explorable.page)

    def touch(kind, *points):
        points = [{"x": x, "y": y} for x, y in points]
        devices.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    points = [explorable.at(selector, 0.5, up) for up in places]
    touch("touchStart", points[0])
    for point in points[1:]:
        touch("touchMove", point)
    touch("touchEnd")


@pytest.mark.parametrize(("name", "scrolls"), [("draw", True), ("beta", True), ("travel", False)])
def test_a_finger_on_a_map_scrolls_the_page_where_no_point_can_be_moved(use, name, scrolls):
    explorable = use(name, PHONE, has_touch=True)
    explorable.at("canvas.map", 0.5, 0.9)
    before = explorable.page.evaluate("scrollY")
    swipe(explorable, "canvas.map", 0.3, 0.4, 0.6, 0.8)
    explorable.page.wait_for_timeout(300)
    assert (explorable.page.evaluate("scrollY") != before) == scrolls


def test_a_finger_draws_and_does_not_scroll_the_page(use):
    draw = use("draw", PHONE, has_touch=True)
    before = draw.page.evaluate("scrollY")
    draw.at("canvas.pad", 0, 0)
    before = draw.page.evaluate("scrollY")
    swipe(draw, "canvas.pad", 0.9, 0.8, 0.6, 0.4, 0.2, 0.1)
    assert sum(draw.get("image")) > 20
    assert draw.page.evaluate("scrollY") == before
    assert draw.find("canvas.pad").get_attribute("aria-label") == "Your drawing, 1 strokes"


def test_only_what_begins_on_the_pad_with_the_main_button_draws(use):
    draw = use("draw", DESKTOP)
    mouse = draw.page.mouse
    stroke(draw, [(0.5, 0.8), (0.5, 0.4)])
    before = draw.get("image")
    for button, start in (("left", (1.2, 0.5)), ("right", (0.5, 0.5))):
        mouse.move(*draw.at("canvas.pad", *start))
        mouse.down(button=button)
        mouse.move(*draw.at("canvas.pad", 0.1, 0.1), steps=5)
        mouse.up(button=button)
    assert draw.get("image") == before


def test_the_keyboard_draws_too(use):
    draw = use("draw", DESKTOP)
    draw.find("canvas.pad").focus()
    for key in ["ArrowUp"] * 6 + [" "] + ["ArrowDown"] * 14 + [" ", "ArrowLeft"]:
        draw.page.keyboard.press(key)
    pixels = np.array(draw.get("image")).reshape(28, 28)
    assert np.ptp(np.nonzero(pixels.max(1) > 0.5)[0]) >= 17, "a vertical line"
    assert np.ptp(np.nonzero(pixels.max(0) > 0.5)[0]) <= 4


def test_test_digits_can_be_taken_and_the_pad_cleared(use):
    draw = use("draw")
    costs = {}
    for digit in range(10):
        draw.button(f"Test digit {digit}")
        costs[digit] = draw.get("cost")
    assert len(set(costs.values())) == 10
    assert max(costs.values()) < 400
    draw.button("Clear")
    assert draw.find(".readout").inner_text() == ""
    assert draw.picture(".drawn").max() == 0


# Reparameterization


def test_the_draw_and_its_slopes_are_those_of_autograd(use):
    game = use("reparameterize")
    for mu, log_var in [(0, 0), (2.3, -1.7), (-3, 2), (5, -4)]:
        game.slide("#mu", mu)
        game.slide("#log-variance", log_var)
        game.button("New ε")
        at = torch.tensor([mu, log_var], dtype=torch.float64, requires_grad=True)
        z = at[0] + (at[1] / 2).exp() * game.get("epsilon")
        cost = (z - 3).square()
        cost.backward()
        assert game.get("z") == pytest.approx(z.item(), abs=1e-9)
        assert game.get("cost") == pytest.approx(cost.item(), abs=1e-9)
        assert game.get("gradient") == pytest.approx(at.grad.tolist(), abs=1e-9)
        shown = re.sub("−", "-", game.find("svg").get_attribute("aria-label"))
        assert f"reaches μ: {at.grad[0]:.2f}" in shown


def test_steps_go_downhill_and_nothing_moves_when_the_draw_blocks_the_gradient(use):
    game = use("reparameterize")
    game.radio("z drawn inside, from N(μ, σ²): blocks the gradient")
    game.button("50 steps, a new draw each")
    assert game.get("gradient") is None
    assert (game.get("mu"), game.get("log_var")) == (0, 0)
    assert "no gradient" in game.find("svg").inner_html()
    game.radio("z = μ + σε, with ε from outside")
    for _ in range(4):
        game.button("50 steps, a new ε each")
    assert game.get("mu") == pytest.approx(3, abs=0.5)
    assert game.get("log_var") < -1
    game.button("Start again")
    assert (game.get("mu"), game.get("log_var"), game.get("epsilon")) == (0, 0, 0.8)
    game.button("One step, same ε")
    assert (game.get("mu"), game.get("log_var")) == pytest.approx((0.22, 0.088))  # by hand: slopes −4.4 and −1.76


def test_epsilon_is_a_standard_normal_number(use):
    game = use("reparameterize")
    draws = game.root.evaluate(
        """element => {
            element.hidden = true; // nothing is painted 2,000 times
            return Array.from({ length: 2000 }, () => {
                element.firstChild.shadowRoot.querySelector("button.new").click();
                return element.model.get("epsilon");
            });
        }"""
    )
    assert abs(np.mean(draws)) < 0.1
    assert abs(np.std(draws) - 1) < 0.07
    assert abs(np.mean(np.abs(draws) < 1) - 0.683) < 0.045


# β


def test_the_slider_shows_each_networks_rate_distortion_and_draws(use):
    game = use("beta")
    betas = [0, 0.1, 1, 3, 10, 30]
    draws = torch.tensor(game.get("draws"))
    for place, beta in enumerate(betas):
        game.slide("#beta", place)
        exported = ae.widgets.trained(f"beta-{beta}")
        images = ae.widgets.from_exported(exported).decode(draws).flatten(1).detach()
        assert (game.get("beta"), game.get("rate"), game.get("distortion")) == (
            beta,
            exported["rate"],
            exported["distortion"],
        )
        assert close(game.get("images"), images)
        assert np.abs(game.picture(".pictures canvas", 3) - 255 * images[3].numpy()).max() <= 0.6
        told = game.find(".readout").inner_text()
        assert f"rate {exported['rate']:.2f} nats" in told
        assert f"{exported['rate'] + exported['distortion']:.2f}" in told
        assert game.find("#beta").get_attribute("aria-valuetext") == f"β = {beta}"


def test_with_reduced_motion_nothing_moves_by_itself(use):
    count = """() => {
        window.frames_asked = 0;
        const old = requestAnimationFrame;
        window.requestAnimationFrame = (step) => (frames_asked++, old(step));
    }"""
    for setting, moves in [("reduce", False), ("no-preference", True)]:
        game = use("beta", reduced_motion=setting)
        game.page.evaluate(count)
        game.find("#beta").focus()
        game.page.keyboard.press("ArrowRight")
        assert game.get("beta") == 3
        assert (game.page.evaluate("frames_asked") > 0) == moves


# Codes


def test_entropy_words_and_costs_are_those_of_the_package(use):
    game = use("codewords")
    kept = [0.5, 0.25, 0.125, 0.125]
    for symbol, chance in [(3, 40), (0, 12.5), (1, 70), (2, 3), (3, 0), (0, 0)]:
        game.slide(f'[data-symbol="{symbol}"]', chance)
        p = game.get("p")
        assert sum(p) == pytest.approx(1)
        assert p[symbol] == pytest.approx(chance / 100)
        words = ae.coding.huffman(p)
        assert game.get("words") == words
        assert game.get("entropy") == pytest.approx(ae.coding.entropy(p))
        assert game.get("huffman") == pytest.approx(ae.coding.mean_length(p, words))
        assert game.get("cross_entropy") == pytest.approx(ae.coding.cross_entropy(p, kept))
        assert game.get("kept") == pytest.approx(ae.coding.mean_length(p, ae.coding.huffman(kept)))
        assert [*map(float, re.findall(r"\d\.\d\d", game.find(".bars").inner_text()))] == [
            round(game.get(name) + 1e-9, 2) for name in ("entropy", "huffman", "cross_entropy", "kept")
        ]


def test_a_code_can_be_kept_and_may_have_no_word_for_what_comes(use):
    game = use("codewords")
    game.slide('[data-symbol="3"]', 0)
    game.button("Keep these codes")
    assert game.get("cross_entropy") == pytest.approx(game.get("entropy"))
    game.slide('[data-symbol="3"]', 50)
    assert game.root.evaluate("element => element.model.get('cross_entropy') === Infinity")
    assert "∞" in game.find(".bars").inner_text()
    assert "∞: the kept codes have no word" in game.find(".never").inner_text()
    game.button("All equal")
    assert game.get("p") == [0.25] * 4
    game.button("The island")
    assert game.get("p") == [1 / 8, 1 / 8, 1 / 4, 1 / 2]
    game.button("Start again")
    assert game.get("entropy") == pytest.approx(1.75)
    assert game.find(".never").inner_text() == ""


def test_sliders_move_with_the_keyboard(use):
    game = use("codewords", DESKTOP)
    game.find('[data-symbol="0"]').focus()
    game.page.keyboard.press("ArrowRight")
    assert game.get("p")[0] == pytest.approx(0.505)


# All of them


def test_the_five_explorables_are_in_the_book():
    found = {re.search(r'data-explorable="(\w+)-', text)[1] for _, text in STORED}
    assert found == set(PAGES)


def test_a_page_carries_at_most_700_kilobytes_for_its_explorables():
    sizes = {}
    for page, text in STORED:
        sizes[page] = sizes.get(page, 0) + len(text.encode())
    assert {page: size for page, size in sizes.items() if size > 700_000} == {}


@pytest.mark.parametrize(("page", "text"), STORED, ids=lambda value: value[:12] if value[0].isdigit() else "")
def test_without_scripts_a_figure_with_alt_text_stands_in_its_place(browser, html, page, text):
    alt = unescape(re.search(r'alt="([^"]+)"', text)[1])
    path = next(html.glob(f"book/part*/{page}.html"))
    with opened(browser, path.as_uri(), DESKTOP, java_script_enabled=False) as opened_page:
        picture = opened_page.get_by_alt_text(alt, exact=True)
        assert picture.is_visible()
        assert picture.bounding_box()["width"] > 200
    assert len(alt) >= 40


@pytest.mark.parametrize(("page", "text"), STORED, ids=lambda value: value[:12] if value[0].isdigit() else "")
def test_an_output_works_in_a_frame_of_its_own_as_colab_shows_it(browser, tmp_path, page, text):
    (tmp_path / "output.html").write_text(f"<!doctype html><meta charset=utf-8><body>{text}", "utf-8")
    (tmp_path / "notebook.html").write_text(
        "<!doctype html><meta charset=utf-8><title>notebook</title>"
        '<link rel="icon" href="data:,"><iframe sandbox="allow-scripts" width=700 height=800 src="output.html">',
        "utf-8",
    )
    with served(tmp_path) as address, opened(browser, f"{address}/notebook.html") as opened_page:
        frame = opened_page.frame_locator("iframe")
        frame.locator("[data-explorable][data-ready]").wait_for()
        assert frame.locator("canvas, table").first.is_visible()


@on_both
@pytest.mark.parametrize("name", PAGES)
def test_an_explorable_can_be_reached_with_a_mouse_and_reached_and_read_without_one_or_eyes(use, name, viewport):
    game = use(name, viewport)
    frame = game.find(".frame")
    assert len(frame.get_attribute("aria-label")) > 5
    for control in game.find("input, button, canvas[tabindex]").all():
        label = control.get_attribute("aria-label") or control.evaluate(
            "element => element.textContent || element.labels?.[0]?.textContent || ''"
        )
        assert label.strip(), control.evaluate("element => element.outerHTML")
        control.click(trial=True)  # nothing lies over it
    for picture in game.find("canvas, svg").all():
        assert picture.get_attribute("aria-label"), picture.evaluate("element => element.outerHTML")[:200]
    game.find("summary").click()
    assert len(game.find("details p").inner_text()) > 200


def test_every_module_keeps_anywidgets_protocol():
    for name in PAGES:
        source = ae.widgets.explorables.module(f"{name}.js")
        assert source.rstrip().endswith("export default { render };")
        assert "import " not in re.sub(r"^\s*//.*$", "", source, flags=re.MULTILINE)
        assert not re.search(r"https?://", source)


def test_the_values_of_an_explorable_are_plain_json():
    for make in (ae.widgets.codewords, ae.widgets.reparameterize, ae.widgets.travel, ae.widgets.beta):
        assert not math.isnan(len(json.dumps(make().values, allow_nan=False)))


def test_no_hash_of_a_notebook_forgets_a_module(tmp_path):
    package = tmp_path / "aecourse"
    shutil.copytree(fingerprint.ROOT / "aecourse", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in PAGES:
        code = [f"import aecourse as ae\nae.widgets.{name}()"]
        for file in ("kit.js", f"{name}.js"):
            before = fingerprint.of_code(code, package)
            with (package / "widgets" / file).open("a") as opened_file:
                opened_file.write("// changed\n")
            assert fingerprint.of_code(code, package) != before, (name, file)
    before = fingerprint.of_code(["import aecourse as ae\nae.widgets.codewords()"], package)
    (package / "widgets" / "draw.js").write_text("")
    assert fingerprint.of_code(["import aecourse as ae\nae.widgets.codewords()"], package) == before
    before = fingerprint.of_code(["import aecourse as ae\nae.widgets.travel()"], package)
    (package / "widgets" / "trained" / "vae.json").write_text("{}")
    assert fingerprint.of_code(["import aecourse as ae\nae.widgets.travel()"], package) != before


def doubled(source):
    """Return the names that stand twice among the keys of one object: JavaScript takes the last without a word."""
    tokens = [token for token in JavascriptLexer().get_tokens(source) if token[0] not in Comment and token[1].strip()]
    open_, outside, found = [set()], [], []
    for (_, before), (kind, text), (_, after) in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if kind is String.Interpol and text == "}":  # the lexer takes the first brace for the end
            del open_[outside.pop() :]
        elif text in ("{", "${"):
            outside += [len(open_)] if text == "${" else []
            open_.append(set())
        elif text == "}":
            open_.pop()
        elif before in "{," and after == ":":
            found += [text] if text in open_[-1] else []
            open_[-1].add(text)
    return found


@pytest.mark.parametrize("path", sorted(Path(ae.widgets.__file__).parent.glob("*.js")), ids=lambda path: path.stem)
def test_no_object_of_an_explorable_has_a_key_twice(path):
    assert doubled(path.read_text("utf-8")) == []


def test_a_key_that_stands_twice_is_found():
    assert doubled("f({ a: 1, words: `x ${b ? { a: 2 } : 3} y`, words: 2, c: { a: 1, d: 2 } }, { a: 1 })") == ["words"]
