"""What is counted in music, and what is done with patches, against loops over single notes and places."""

import itertools
import math

import pytest
import torch

from aecourse import evaluate, models
from aecourse.data.chorales import RANGES, REST

VOICES = [*RANGES.values()]


def sung(n, steps, seed=0):
    """Return windows of a few notes for each voice, of which many are held and some are rests."""
    random = torch.Generator().manual_seed(seed)
    low = torch.tensor([low for low, _ in VOICES])
    notes = low + 6 + torch.randint(5, (n, steps, 4), generator=random)
    notes[torch.rand(n, steps, 4, generator=random) < 0.15] = REST
    for step in range(1, steps):
        held = torch.rand(n, 4, generator=random) < 0.4
        notes[:, step] = torch.where(held, notes[:, step - 1], notes[:, step])
    return notes


KNOWN, NEW = sung(9, 7), sung(4, 5, seed=1)


def notes_of(windows, voice):
    return windows[..., voice].tolist()


def shares(voice, smoothing=0.5):
    """Return how often a voice sings each note of its range, and rests."""
    low, high = VOICES[voice]
    heard = [note for window in notes_of(KNOWN, voice) for note in window]
    possible = [REST, *range(low, high + 1)]
    return {note: (heard.count(note) + smoothing) / (len(heard) + smoothing * len(possible)) for note in possible}


def assert_chances(model, chance):
    """Assert that a model gives each new note this chance, from its window, step and voice."""
    found = (-model.nats(NEW)).exp()
    assert found.shape == NEW.shape
    for place in itertools.product(*map(range, NEW.shape)):
        assert found[place].item() == pytest.approx(chance(*place), rel=1e-4), place


@pytest.mark.parametrize("settings", [{}, {"smoothing": 0.5}, {"smoothing": 3.0}])
def test_the_first_sceptic_counts_how_often_each_voice_sings_a_note(settings):
    tables = [shares(voice, **settings) for voice in range(4)]
    model = evaluate.UnigramModel(KNOWN, **settings)
    assert_chances(model, lambda n, step, voice: tables[voice][NEW[n, step, voice].item()])


@pytest.mark.parametrize("settings", [{}, {"smoothing": 0.5}, {"smoothing": 3.0}])
@pytest.mark.parametrize("hold", [0.0, 0.3, 0.9])
def test_the_second_sceptic_holds_the_last_note_or_draws_one(settings, hold):
    tables = [shares(voice, **settings) for voice in range(4)]

    def chance(n, step, voice):
        drawn = tables[voice][NEW[n, step, voice].item()]
        held = step and NEW[n, step - 1, voice] == NEW[n, step, voice]
        return hold * bool(held) + (1 - hold) * drawn if step else drawn

    assert_chances(evaluate.HoldModel(KNOWN, chance=hold, **settings), chance)


@pytest.mark.parametrize("settings", [{}, {"smoothing": 2.0, "bass": False}, {"smoothing": 0.7}, {"bass": True}])
def test_the_third_sceptic_counts_which_note_followed_which_and_above_which_bass(settings):
    tables, smoothing = [shares(voice) for voice in range(4)], settings.get("smoothing", 2.0)

    def mixed(met, now, otherwise):
        return (met.count(now) + smoothing * otherwise) / (len(met) + smoothing)

    def chance(n, step, voice):
        note = NEW[n, step, voice].item()
        if not step:
            return tables[voice][note]
        last, bass = NEW[n, step - 1, voice].item(), NEW[n, step, 3].item()
        met = [
            (now, below)
            for window, low in zip(notes_of(KNOWN, voice), notes_of(KNOWN, 3), strict=True)
            for before, now, below in zip(window, window[1:], low[1:], strict=False)
            if before == last
        ]
        found = mixed([now for now, _ in met], note, tables[voice][note])
        if settings.get("bass") and voice < 3:
            found = mixed([now for now, below in met if below == bass], note, found)
        return found

    assert_chances(evaluate.MarkovModel(KNOWN, **settings), chance)


def constant(*notes, n=1, steps=2):
    return torch.tensor(notes).expand(n, steps, 4)


def test_what_always_sings_the_same_is_drawn_as_it_was():
    for notes in ((60, REST, 40, 72), (54, 80, REST, 30)):
        model = evaluate.UnigramModel(constant(*notes), smoothing=0.0)
        assert torch.equal(model.sample(3, 5), constant(*notes, n=3, steps=5))


def test_what_is_always_held_is_drawn_once_for_each_voice():
    still = sung(50, 1).repeat(1, 3, 1)
    drawn = evaluate.HoldModel(still, chance=1.0).sample(40, 6)
    assert torch.equal(drawn, drawn[:, :1].expand(40, 6, 4))
    assert len(drawn.flatten(1).unique(dim=0)) > 20


ABOVE = torch.tensor([30, 20, 10])


@pytest.mark.parametrize("settings", [{}, {"bass": True}])
def test_each_voice_goes_on_from_its_note_before(settings):
    """All go round in a ring of three notes; only the first is drawn from all that a voice ever sings."""
    bass = torch.tensor([40, 43, 47])[(torch.arange(3)[:, None] + torch.arange(12)) % 3]
    ring = (bass[..., None] + torch.tensor([30, 20, 10, 0])).repeat(200, 1, 1)
    drawn = evaluate.MarkovModel(ring, smoothing=1e-7, **settings).sample(60, 6, seed=1)
    assert ((drawn == REST).float().mean((0, 1)) < 0.05).all()
    following = {40: 43, 43: 47, 47: 40}
    lowest = [pair for window in drawn[..., 3].tolist() for pair in itertools.pairwise(window) if pair[0] in following]
    assert len(lowest) > 250
    assert all(now == following[before] for before, now in lowest)


def test_the_upper_voices_are_drawn_above_the_bass_of_the_same_step():
    bass = torch.tensor([40, 43, 47])[torch.randint(3, (300, 12), generator=torch.Generator().manual_seed(0))]
    chords = torch.cat([bass[..., None] + ABOVE, bass[..., None]], 2)
    drawn = evaluate.MarkovModel(chords, smoothing=1e-7, bass=True).sample(60, 6, seed=2)[:, 1:]
    assert (drawn[..., :3] == drawn[..., 3:] + ABOVE).all(2).float().mean() > 0.9
    alone = evaluate.MarkovModel(chords, smoothing=1e-7).sample(60, 6, seed=2)[:, 1:]
    assert (alone[..., :3] == alone[..., 3:] + ABOVE).all(2).float().mean() < 0.2


def test_bits_per_note_are_those_of_each_window_in_the_mean():
    nats = torch.rand(NEW.shape, generator=torch.Generator().manual_seed(0))
    bits = nats.double().mean().item() / math.log(2)
    assert evaluate.bits_per_note(nats, NEW) == pytest.approx(bits)
    per_window = nats.double().sum().item() / len(NEW)
    assert evaluate.bits_per_note(per_window, NEW) == pytest.approx(bits)
    assert evaluate.bits_per_note(torch.tensor(per_window), NEW) == pytest.approx(bits)


def test_right_notes_dissonances_changes_and_notes_off_the_scale_are_those_of_loops():
    found = torch.where(torch.rand(NEW.shape, generator=torch.Generator().manual_seed(5)) < 0.3, REST, NEW)
    by_voice = {
        name: sum(a == b for a, b in zip(found[..., i].flatten(), NEW[..., i].flatten(), strict=True)).item() / 20
        for i, name in enumerate(RANGES)
    }
    assert evaluate.note_accuracy(found, NEW) == pytest.approx({**by_voice, "all": sum(by_voice.values()) / 4})
    for window, dissonance, changes, off in zip(
        NEW.tolist(), evaluate.dissonance(NEW), evaluate.changes(NEW), evaluate.off_scale(NEW), strict=True
    ):
        pairs = [pair for step in window for pair in itertools.combinations(step, 2) if REST not in pair]
        assert dissonance.item() == pytest.approx(
            sum(abs(a - b) % 12 in (1, 2, 6, 10, 11) for a, b in pairs) / len(pairs)
        )
        moved = [a != b for before, now in itertools.pairwise(window) for a, b in zip(before, now, strict=True)]
        assert changes.item() == pytest.approx(sum(moved) / len(moved))
        notes = [note for step in window for note in step if note != REST]
        keys = [{(tonic + step) % 12 for step in (0, 2, 4, 5, 7, 9, 11)} for tonic in range(12)]
        inside = max(sum(note % 12 in key for note in notes) for key in keys)
        assert off.item() == pytest.approx(1 - inside / len(notes), abs=1e-6)


@pytest.mark.parametrize("interval", range(26))
def test_seconds_sevenths_and_the_tritone_clash_in_any_octave_and_whichever_voice_is_higher(interval):
    clashes = float(interval % 12 in (1, 2, 6, 10, 11))
    for pair in ((72, REST, REST, 72 - interval), (REST, 46, 46 + interval, REST)):
        assert evaluate.dissonance(torch.tensor([[pair]])).item() == clashes


@pytest.mark.parametrize("measure", [evaluate.dissonance, evaluate.changes, evaluate.off_scale])
def test_what_are_no_windows_of_notes_is_not_counted(measure):
    for bad in (NEW.float(), NEW[..., :3], NEW[0], NEW - 60):
        with pytest.raises(ValueError, match="got "):
            measure(bad)


# Patches


def test_twelve_of_49_places_stay_visible_unless_told_otherwise_and_one_at_least():
    masks = evaluate.visible_places(300)
    assert torch.equal(masks, evaluate.visible_places(300, 49, 12, seed=0))
    assert masks.max() == 48
    assert evaluate.visible_places(4, 5, 1).shape == (4, 1)
    assert all(sorted(places) == list(range(5)) for places in evaluate.visible_places(4, 5, 5).tolist())
    with pytest.raises(ValueError, match="got visible=0"):
        evaluate.visible_places(4, 5, 0)


def test_patches_are_numbered_row_by_row_and_a_mask_of_none_hides_all():
    hidden = evaluate.hidden_pixels(torch.tensor([[0, 5], [4, 1]]), (3, 8, 12))
    expected = torch.ones(2, 1, 8, 12)
    expected[0, :, :4, :4] = expected[0, :, 4:, 8:] = expected[1, :, 4:, 4:8] = expected[1, :, :4, 4:8] = 0
    assert torch.equal(hidden, expected)
    assert torch.equal(evaluate.hidden_pixels(torch.zeros(2, 0, dtype=torch.int64)), torch.ones(2, 1, 28, 28))


@pytest.mark.parametrize(
    ("visible", "shape", "message"),
    [
        (torch.tensor([[49]]), (1, 28, 28), "got visible places from 49 to 49, expected int64 .* from 0 to 48"),
        (torch.tensor([[-1, 3]]), (1, 28, 28), "got visible places from -1 to 3"),
        (torch.tensor([1, 3]), (1, 28, 28), r"got torch.int64 \(2,\) as visible places"),
        (torch.tensor([[1]]), (1, 28, 30), r"got image_shape=\(1, 28, 30\), expected .* multiples of 4"),
        (torch.tensor([[1]]), (28, 28), r"got image_shape=\(28, 28\), expected"),
        (torch.tensor([[1]]), (1, 1, 28, 28), r"got image_shape=\(1, 1, 28, 28\), expected"),
    ],
)
def test_places_and_shapes_outside_the_range_hide_nothing(visible, shape, message):
    with pytest.raises(ValueError, match=message):
        evaluate.hidden_pixels(visible, shape)
    assert evaluate.hidden_pixels(torch.tensor([[48]]))[0, 0, -1, -1] == 0


@pytest.mark.parametrize("shape", [(49,), (4, 9), (2, 4, 9), (3, 8, 8)])
@pytest.mark.parametrize("measure", [evaluate.attention_distance, evaluate.neighbour_share])
def test_maps_that_are_no_squares_of_a_square_image_have_no_distances(measure, shape):
    with pytest.raises(ValueError, match="got maps of shape"):
        measure(torch.zeros(shape))


def test_linear_guesses_shrink_a_little_unless_told_otherwise_and_leave_the_images_as_they_are():
    random = torch.Generator().manual_seed(0)
    train, images = torch.rand(80, 1, 8, 12, generator=random), torch.rand(5, 1, 8, 12, generator=random)
    visible, before = evaluate.visible_places(5, 6, 2), images.clone()
    found = {ridge: evaluate.fill_linear(train, images, visible, ridge=ridge) for ridge in (0.1, 0.2)}
    assert torch.equal(images, before)
    assert torch.equal(evaluate.fill_linear(train, images, visible), found[0.1])
    assert not torch.allclose(found[0.1], found[0.2], atol=1e-3)
    flat, mean = train.flatten(1).double(), train.flatten(1).double().mean(0)
    covariance = (flat - mean).T @ (flat - mean) / 79
    for image, mask, result in zip(images, evaluate.hidden_pixels(visible, (1, 8, 12)) > 0, found[0.1], strict=True):
        seen, hidden = ~mask.flatten(), mask.flatten()
        inner = covariance[seen][:, seen] + 0.1 * torch.eye(32)
        missed = torch.linalg.solve(inner, image.flatten()[seen].double() - mean[seen])
        expected = mean[hidden] + covariance[hidden][:, seen] @ missed
        torch.testing.assert_close(result.flatten()[hidden].double(), expected, rtol=0, atol=1e-4)


class Certain(torch.nn.Module):
    """A model of notes that is sure of the number of each: 0 for a rest, then the notes from the lowest, 59."""

    low = 59

    def __init__(self, numbers):
        super().__init__()
        self.numbers = numbers

    def forward(self, windows, visible):
        return torch.nn.functional.one_hot(self.numbers, 8).float()


def test_the_number_0_is_guessed_as_a_rest_and_1_as_the_lowest_note():
    numbers = torch.tensor([[[0, 1], [2, 7]]])
    guesses = evaluate.note_guesses(Certain(numbers), torch.zeros(1, 2, 2), torch.zeros(1, 1, dtype=torch.int64))
    assert guesses.tolist() == [[[-1, 59], [60, 65]]]


def test_notes_are_held_in_windows_with_a_mask_each():
    visible = evaluate.visible_places(5, 8, 3)
    with pytest.raises(ValueError, match=r"got \(3, 4, 2\), expected windows .* as many as there are masks"):
        evaluate.notes_held(torch.zeros(3, 4, 2, dtype=torch.int64), visible)
    with pytest.raises(ValueError, match="got list, expected windows"):
        evaluate.notes_held([[[60, 61]]], visible)


def test_a_fixed_map_reads_every_block_in_its_order():
    random = torch.Generator().manual_seed(0)
    images = torch.rand(3, 1, 28, 28, generator=random)
    model = models.PatchAutoencoder(3, width=8, blocks=3, heads=2)
    maps = evaluate.attention_maps(model, images)
    assert maps.shape == (3, 3, 2, 49, 49)
    torch.testing.assert_close(maps.sum(-1), torch.ones(3, 3, 2, 49))
    own = evaluate.encode_with_maps(model, images[1:2], maps[:, 1])
    torch.testing.assert_close(own, model.encode(images[1:2]).detach())
    assert not torch.allclose(evaluate.encode_with_maps(model, images[1:2], maps[:, 1].flip(0)), own, atol=1e-5)


def test_each_colour_is_a_way_to_the_middle():
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3, padding=1))
    assert evaluate.receptive_field(layers, (3, 8, 8)).sum() == 3 * 9


@pytest.mark.parametrize("images", [[[1.0]], torch.full((1, 1, 2, 2), float("nan"))])
def test_what_are_no_numbers_has_no_checkerboard(images):
    with pytest.raises(ValueError, match="images"):
        evaluate.checkerboard(images)
