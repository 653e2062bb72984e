"""The player: piano rolls in a page that can be heard, used as a person would."""

import json
from itertools import pairwise

import pytest
import torch
from pages import DESKTOP, PHONE, opened, served
from test_explorables import Use

import aecourse as ae

SCALE = torch.tensor([[72 + step, 67, 64 if step % 2 else 60, -1 if step < 2 else 48] for step in range(8)])
HELD = torch.tensor([[60, 55, 52, 48]] * 4)
PIECES = {"a scale": SCALE, 'held & "quoted"': HELD}
TEMPO = {"beats_per_minute": 30}  # an eighth note of a second, so that a busy machine has time to press Stop


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A page with two players on it."""
    target = tmp_path_factory.mktemp("player")
    players = [ae.widgets.player(pieces, **TEMPO) for pieces in (PIECES, {"held": HELD})]
    body = "".join(player._repr_mimebundle_()["text/html"] for player in players)
    head = "<!doctype html><meta charset=utf-8><title>players</title><link rel=icon href='data:,'>"
    (target / "page.html").write_text(f"{head}<body style='width: 700px; max-width: 94vw'>{body}", "utf-8")
    return target


@pytest.fixture
def use(browser, folder):
    contexts = []

    def start(number=0, viewport=DESKTOP, **settings):
        server = served(folder)
        page = opened(browser, f"{server.__enter__()}/page.html", viewport, **settings)
        contexts.extend([server, page])
        game = Use(page.__enter__(), "player")
        game.root = game.page.locator("[data-explorable][data-ready]").nth(number)
        return game

    yield start
    for context in reversed(contexts):
        context.__exit__(None, None, None)


def wait(game, condition):
    """Wait until `condition`, JavaScript about the model `m`, holds."""
    game.page.wait_for_function(
        "([element, condition]) => new Function('m', `return ${condition}`)(element.model)",
        arg=[game.root.element_handle(), condition],
        timeout=15_000,
        polling=50,
    )


def second_player(game):
    other = object.__new__(Use)
    other.page, other.root = game.page, game.page.locator("[data-explorable][data-ready]").nth(1)
    return other


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_play_starts_the_sound_and_moves_the_line_and_stop_stops_both(use, viewport):
    game = use(viewport=viewport)
    assert (game.get("playing"), game.get("audio"), game.get("position")) == (False, "none", 0)
    game.button("Play")
    wait(game, "m.get('audio') === 'running' && m.get('position') > 0.3")
    assert game.get("playing")
    game.button("Stop")
    place = game.get("position")
    assert not game.get("playing")
    game.page.wait_for_timeout(300)
    assert game.get("position") == place < 8


def test_every_note_is_scheduled_once_and_a_held_one_is_one_note(use):
    game = use()
    game.button("Play")
    soprano, alto, tenor, bass = game.get("scheduled")
    assert [(note["pitch"], note["start"], note["length"]) for note in soprano] == [(72 + k, k, 1) for k in range(8)]
    assert alto == [{"pitch": 67, "start": 0, "length": 8}]
    assert [note["pitch"] for note in tenor] == [60, 64] * 4
    assert bass == [{"pitch": 48, "start": 2, "length": 6}]


def test_the_oscillators_sing_the_pitches_at_their_times(use):
    game = use()
    game.page.evaluate(
        """() => {
            window.told = [];
            const old = AudioParam.prototype.setValueAtTime;
            AudioParam.prototype.setValueAtTime = function (value, time) {
                told.push([value, time]);
                return old.call(this, value, time);
            };
        }"""
    )
    game.button("Play")
    told = game.page.evaluate("told")[:8]
    assert [hertz for hertz, _ in told] == pytest.approx([440 * 2 ** ((3 + k) / 12) for k in range(8)])
    times = [time for _, time in told]
    assert [b - a for a, b in pairwise(times)] == pytest.approx([1.0] * 7)


def test_a_piece_ends_by_itself_and_can_be_played_again(use):
    game = use()
    game.find(".pieces input").nth(1).check()
    assert game.get("piece") == 'held & "quoted"'
    game.button("Play")
    wait(game, "!m.get('playing')")
    assert game.get("position") == 4
    game.button("Play")
    wait(game, "m.get('position') > 0 && m.get('position') < 3")


def test_the_line_can_be_moved_by_mouse_and_keys_and_the_music_starts_there(use):
    game = use()
    game.page.mouse.click(*game.at("canvas.roll", 0.55, 0.5))
    assert game.get("position") == 4
    game.find("canvas.roll").focus()
    for key, place in (("ArrowRight", 5), ("ArrowLeft", 4), ("End", 7), ("Home", 0), ("ArrowLeft", 0), ("ArrowUp", 1)):
        game.page.keyboard.press(key)
        assert game.get("position") == place
    assert "soprano C♯5, alto G4, tenor E4, bass rests" in game.find("canvas.roll").get_attribute("aria-valuetext")
    game.page.keyboard.press(" ")
    assert game.get("playing")
    assert game.get("scheduled")[0][0]["pitch"] == 73
    game.page.keyboard.press(" ")
    assert not game.get("playing")


def test_a_finger_moves_the_line(use):
    game = use(viewport=PHONE, has_touch=True)
    game.page.touchscreen.tap(*game.at("canvas.roll", 0.8, 0.5))
    assert game.get("position") in (6, 5)


def test_a_choice_of_piece_stops_the_music_and_begins_anew(use):
    game = use()
    game.button("Play")
    wait(game, "m.get('position') > 0.2")
    game.find(".pieces input").nth(1).check()
    assert (game.get("playing"), game.get("position")) == (False, 0)


def test_only_one_player_plays_at_a_time(use):
    game = use()
    other = second_player(game)
    game.button("Play")
    other.button("Play")
    assert (game.get("playing"), other.get("playing")) == (False, True)


def test_a_voice_can_be_silenced(use):
    game = use()
    colours = """canvas => {
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        const isBlue = (_, place) => [0x3f, 0x90, 0xda, 255].every((value, part) => data[4 * place + part] === value);
        return Array.from({ length: data.length / 4 }, isBlue).filter(Boolean).length;
    }"""
    before = game.find("canvas.roll").evaluate(colours)
    game.find('[data-voice="0"]').uncheck()
    assert before > 500
    assert game.find("canvas.roll").evaluate(colours) == 0


def test_with_reduced_motion_the_line_goes_from_step_to_step(use):
    game = use(reduced_motion="reduce")
    game.page.evaluate(
        "() => { window.asked = 0; const old = requestAnimationFrame; "
        "window.requestAnimationFrame = (step) => (asked++, old(step)); }"
    )
    game.button("Play")
    wait(game, "m.get('position') >= 2")
    place = game.get("position")
    assert place == int(place)
    assert game.page.evaluate("asked") == 0


def test_the_roll_is_drawn_anew_in_dark_mode(use):
    game = use()
    corner = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 40, canvas.height).data].reduce((a, b) => a + b)"
    before = game.find("canvas.roll").evaluate(corner)
    game.page.evaluate("document.body.style.color = 'white'")
    game.page.wait_for_timeout(200)
    assert game.find("canvas.roll").evaluate(corner) != before


def test_it_can_be_read_without_eyes(use):
    game = use()
    roll = game.find("canvas.roll")
    assert roll.get_attribute("role") == "slider"
    assert roll.get_attribute("aria-label") == "Piano roll of a scale"
    assert roll.get_attribute("aria-valuetext").startswith("step 0 of 8: soprano C5, alto G4")
    for control in game.find("input, button").all():
        assert control.evaluate("element => element.textContent || element.labels?.[0]?.textContent || ''").strip()
    game.find("summary").click()
    assert len(game.find("details p").inner_text()) > 200


def test_without_scripts_a_figure_stands_in_its_place(browser, folder):
    with opened(browser, (folder / "page.html").as_uri(), java_script_enabled=False) as page:
        pictures = page.locator("img")
        assert pictures.count() == 2
        assert pictures.first.is_visible()
        assert "a scale (8 steps)" in pictures.first.get_attribute("alt")


def test_a_player_is_small_and_asks_for_nothing():
    html = ae.widgets.player(PIECES)._repr_mimebundle_()["text/html"]
    script = html[html.index("<script") :]
    assert len(script.encode()) < 60_000
    assert "http" not in script
    assert "fetch(" not in script
    json.dumps(ae.widgets.player(PIECES).values, allow_nan=False)


@pytest.mark.parametrize(
    ("pieces", "settings", "message"),
    [
        ({}, {}, "got no pieces"),
        ({"empty": SCALE[:0]}, {}, "got no steps in the piece 'empty'"),
        ({"wrong": SCALE[:, :3]}, {}, r"got rows of shape \(8, 3\)"),
        ({"stack": SCALE[None]}, {}, "take one piece at a time"),
        ({"a": SCALE}, {"beats_per_minute": 0}, "0 beats a minute"),
        ({"a": SCALE}, {"steps_per_beat": 0}, "got 0 steps per beat"),
    ],
)
def test_what_cannot_be_played_is_refused_with_a_reason(pieces, settings, message):
    with pytest.raises(ValueError, match=message):
        ae.widgets.player(pieces, **settings)
