"""Where the chorales are looked for, what stands in for them, and what is done to their notes."""

import hashlib
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from test_data import DEAD, Mirror, files_in

import aecourse as ae
from aecourse.data import chorales, fetch

PARTS = {
    "train": [[[65, 60, 57, 53]] * 8, [[-1, 62, 55, 50]] * 4],
    "valid": [[[72, 60, 55, 52], [70, 60, 55, 52]]],
    "test": [[[69, 60, 53, 53]] * 3],
}
CONTENT = json.dumps(PARTS).encode()
FILE = chorales.FILES[0].path
NAME = "Jsb16thSeparated.json"
NEEDS_BACH = pytest.mark.skipif(
    not os.path.exists(os.path.join(os.environ.get("AECOURSE_DATA", ""), FILE)),
    reason="AECOURSE_DATA names no folder with the chorales",
)


def write(root, content=CONTENT):
    path = root / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def at(host):
    """Return the list with the small file that stands in for the real one, to be downloaded from this host."""
    return [fetch.File(FILE, hashlib.sha256(CONTENT).hexdigest(), (host + NAME,))]


@pytest.fixture
def cache(no_data, monkeypatch):
    """An empty cache folder, no $AECOURSE_DATA, a small file in the place of the real one, and a dead network."""
    monkeypatch.setattr(chorales, "FILES", at(DEAD))
    return no_data


@pytest.fixture
def mirror(cache, tmp_path, monkeypatch):
    """A host that has a good copy."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    server = Mirror(folder)
    monkeypatch.setattr(chorales, "FILES", at(server.url))
    yield server
    server.close()


def load_silently(**settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return chorales.load(**settings)


def holds_the_small_file(loaded):
    return loaded.name == "chorales" and [
        [piece.tolist() for piece in part] for part in (loaded.train, loaded.validation, loaded.test)
    ] == list(PARTS.values())


def test_chorales_are_found_in_the_folder_that_aecourse_data_names_before_the_cache(cache, tmp_path, monkeypatch):
    write(tmp_path / "mine")
    write(cache)
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    loaded = load_silently()
    assert holds_the_small_file(loaded)
    assert "$AECOURSE_DATA" in loaded.origin
    assert all(piece.dtype == torch.int64 for piece in loaded.train)


def test_chorales_are_found_in_the_cache_folder(cache, tmp_path, monkeypatch):
    write(cache)
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "nowhere"))
    loaded = load_silently()
    assert holds_the_small_file(loaded)
    assert "cache" in loaded.origin


def test_chorales_are_downloaded_into_the_cache_and_found_there_from_then_on(cache, mirror, monkeypatch):
    loaded = load_silently()
    assert holds_the_small_file(loaded)
    assert "downloaded" in loaded.origin
    assert [path.relative_to(cache) for path in files_in(cache)] == [Path(FILE)]
    monkeypatch.setattr(chorales, "FILES", at(DEAD))
    assert "cache" in load_silently().origin
    assert len(mirror.asked) == 1


def test_a_host_that_never_answers_does_not_hang(cache, mirror, monkeypatch):
    mirror.silent = True
    monkeypatch.setattr(fetch, "TIMEOUT", 0.2)
    with pytest.raises(RuntimeError, match="timed out"):
        load_silently(fallback=False)


def test_with_no_file_and_no_network_one_warning_is_given_and_made_up_chorales(cache):
    with pytest.warns(UserWarning, match=r"made up by simple rules.*set AECOURSE_DATA to a folder") as caught:
        loaded = chorales.load()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert loaded.name == "made-up chorales"
    assert files_in(cache) == []


def test_without_fallback_no_file_and_no_network_are_an_error(cache):
    with pytest.raises(
        RuntimeError, match=r"found no files of Bach's chorales in .*set AECOURSE_DATA to a folder that holds jsb-"
    ):
        load_silently(fallback=False)


DAMAGE = {
    "one wrong byte": CONTENT[:-1] + b" ",
    "truncated": CONTENT[:-5],
    "empty": b"",
    "another file": b'{"train": [], "valid": [], "test": []}',
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("fallback", [True, False])
def test_a_damaged_file_is_named_and_never_used(cache, tmp_path, monkeypatch, content, fallback):
    path = write(tmp_path / "mine", content)
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    with pytest.raises(
        RuntimeError, match=r"damaged or missing files of Bach's chorales: .*put good ones in their place"
    ) as error:
        load_silently(fallback=fallback)
    assert str(path) in str(error.value)


def test_a_damaged_copy_is_passed_over_for_the_good_one_in_the_cache(cache, tmp_path, monkeypatch):
    path = write(tmp_path / "mine", DAMAGE["truncated"])
    write(cache)
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    with pytest.warns(UserWarning, match=r"passed over: .*good copy in the cache folder") as caught:
        loaded = chorales.load()
    assert str(path) in str(caught[0].message)
    assert caught[0].filename == __file__
    assert holds_the_small_file(loaded)


def test_with_a_network_a_damaged_copy_in_the_cache_is_replaced(cache, mirror):
    path = write(cache, DAMAGE["one wrong byte"])
    with pytest.warns(UserWarning, match="a good copy was downloaded"):
        assert holds_the_small_file(chorales.load())
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("fault", ["another file", "cut"])
def test_what_a_failing_host_sends_is_refused_and_leaves_nothing_in_the_cache(cache, mirror, fault):
    mirror.cut = fault == "cut"
    if fault == "another file":
        (mirror.folder / NAME).write_bytes(DAMAGE[fault])
    with pytest.raises(RuntimeError, match="could not be downloaded"):
        load_silently(fallback=False)
    assert mirror.asked
    assert files_in(cache) == []


@NEEDS_BACH
def test_bachs_chorales_have_the_counts_that_are_known_of_them_and_stay_in_the_ranges():
    bach = load_silently()
    assert "229 for training, 76 for validation, 77 for test" in repr(bach)
    rows = torch.cat(bach.train + bach.validation + bach.test)
    sung = rows != chorales.REST
    assert (rows.max(0).values.tolist()) == [high - 6 for low, high in chorales.RANGES.values()]
    assert torch.where(sung, rows, 200).min(0).values.tolist() == [low + 6 for low, high in chorales.RANGES.values()]
    assert 0.99 < sung.float().mean() < 1


@pytest.fixture(scope="module")
def made_up():
    return chorales.made_up(train=30, validation=5, test=5)


def test_made_up_chorales_stay_in_the_ranges_and_no_chord_has_crossing_voices(made_up):
    rows = torch.cat(made_up.train)
    sung = rows[(rows != chorales.REST).all(1)]
    low, high = torch.tensor(list(chorales.RANGES.values())).T
    assert ((sung >= low + 6) & (sung <= high - 6)).all()
    on_the_beat = torch.cat([piece[::4] for piece in made_up.train])
    assert (on_the_beat[:, :-1] >= on_the_beat[:, 1:]).all()


def test_every_chord_of_a_made_up_chorale_is_a_triad_or_part_of_one(made_up):
    triads = [{root % 12, (root + third) % 12, (root + 7) % 12} for root in range(12) for third in (3, 4)]
    for piece in made_up.train[:10]:
        for row in piece[::4].tolist():
            assert any({pitch % 12 for pitch in row if pitch != chorales.REST} <= triad for triad in triads)


def test_the_voices_of_a_made_up_chorale_move_in_small_steps(made_up):
    chords = torch.cat([piece[::4] for piece in made_up.train])
    moves = (chords[1:] - chords[:-1]).abs()[(chords[1:] >= 0).all(1) & (chords[:-1] >= 0).all(1)]
    assert moves[:, 1:3].float().mean() < 0.85  # in semitones; 1.0 if each chord knew the first one of its piece alone


def test_made_up_chorales_come_from_the_seed_and_move_no_global_random_state(made_up):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again, other = (chorales.made_up(train=30, validation=5, test=5, seed=seed) for seed in (0, 1))
    assert all(map(torch.equal, again.train + again.test, made_up.train + made_up.test))
    assert not torch.equal(other.train[0], made_up.train[0])
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


COUNT = torch.arange(10)[:, None] + torch.tensor([60, 50, 40, 30])


def test_windows_are_the_slices_that_begin_every_hop():
    found = chorales.windows([COUNT, COUNT[:3], COUNT + 1], 4, 3)
    expected = [COUNT[0:4], COUNT[3:7], COUNT[6:10], COUNT[0:4] + 1, COUNT[3:7] + 1, COUNT[6:10] + 1]
    assert torch.equal(found, torch.stack(expected))


def test_windows_on_a_coarser_grid_keep_every_second_row():
    found = chorales.windows([COUNT], 3, 1, every=2)
    assert torch.equal(found, torch.stack([COUNT[0:6:2], COUNT[2:8:2], COUNT[4:10:2]]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: chorales.windows([COUNT], 11, 1), "got chorales of at most 10 steps, expected some of 11"),
        (lambda: chorales.windows([], 1, 1), "at most 0 steps"),
        (lambda: chorales.windows([COUNT], 0, 1), "got steps=0"),
        (lambda: chorales.windows([COUNT], 2.0, 1), "got steps=2.0, expected a whole number"),
        (lambda: chorales.windows([COUNT], 2, 0), "got hop=0"),
        (lambda: chorales.windows([COUNT], 2, 1, every=0), "got every=0"),
        (
            lambda: chorales.windows([COUNT[:, :3]], 2, 1),
            r"got rows of shape \(10, 3\), expected an int64 tensor of shape \(steps, 4\)",
        ),
        (lambda: chorales.windows([COUNT.float()], 2, 1), r"got rows of dtype torch.float32.*\.long\(\)"),
        (lambda: chorales.windows([COUNT.tolist()], 2, 1), "got list as rows"),
        (lambda: chorales.windows([COUNT - 40], 2, 1), "got numbers from -10 to 29"),
        (lambda: chorales.piano_roll(COUNT, low=35), r"got notes from 30 to 69, expected them in \[35, 81\]"),
        (lambda: chorales.piano_roll(COUNT[None]), "take one piece at a time"),
        (lambda: chorales.piano_roll(COUNT, 80, 36), "got high=36, expected a whole number from 80 to 127"),
        (lambda: chorales.transpose(COUNT, 0.5), "got semitones=0.5, expected a whole number"),
        (lambda: chorales.augment(COUNT), r"got windows of shape \(10, 4\).*windows\[None\]"),
        (lambda: chorales.augment(COUNT[None].float()), "got windows of dtype torch.float32"),
        (lambda: chorales.made_up(train=-1), "got train=-1, expected a whole number of at least 0"),
        (lambda: chorales.made_up(test=2.5), "got test=2.5"),
    ],
)
def test_what_are_no_chorales_is_an_error_that_says_so(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_transposing_moves_every_note_and_no_rest():
    rows = torch.tensor([[60, -1, 50, 40]])
    assert chorales.transpose(rows, 3).tolist() == [[63, -1, 53, 43]]
    assert torch.equal(chorales.transpose(chorales.transpose(rows, 3), -3), rows)


@pytest.mark.parametrize("composer", [pytest.param("bach", marks=NEEDS_BACH), "made up"])
def test_in_c_every_chorale_ends_on_a_c_in_the_bass_and_can_be_sung(composer):
    pieces = load_silently().train if composer == "bach" else chorales.made_up(train=60, validation=0, test=0).train
    moved = chorales.in_c(pieces)
    for before, after in zip(pieces, moved, strict=True):
        sung = before != chorales.REST
        assert after[:, 3][sung[:, 3]][-1] % 12 == 0
        assert len((after - before)[sung].unique()) == 1
        assert torch.equal(after == chorales.REST, ~sung)
    chorales.check_windows(torch.cat(moved)[None])


def test_a_piece_without_a_bass_stays_as_it_is_in_c():
    rows = torch.tensor([[61, 60, 50, -1]])
    assert torch.equal(chorales.in_c([rows])[0], rows)


def test_augmented_windows_are_all_transpositions_that_can_be_sung():
    one = torch.tensor([[[80, 60, 55, 50], [-1, 60, 55, 50]]])
    found = chorales.augment(one, range(-2, 3))
    assert found[:, 0, 0].tolist() == [78, 79, 80, 81]  # 82 is too high
    assert (found[:, 1, 0] == chorales.REST).all()


def test_augmented_windows_reach_both_ends_of_what_each_voice_sings():
    low, high = torch.tensor(list(chorales.RANGES.values())).T + torch.tensor([[6], [-6]])
    for limit, outward in ((low, -1), (high, 1)):
        for voice in range(4):
            one = torch.full((1, 2, 4), chorales.REST)
            one[..., voice] = limit[voice]
            assert torch.equal(chorales.augment(one, [0, outward]), one)


def test_windows_none_of_which_can_be_sung_are_an_error_and_not_an_empty_tensor():
    one = torch.tensor([[[80, 60, 55, 50]]])
    for semitones in ([9, 10], []):
        with pytest.raises(ValueError, match=rf"got 1 windows that can't be sung in any of {len(semitones)} transpos"):
            chorales.augment(one, semitones)


def test_a_piano_roll_has_a_one_for_every_note_with_the_highest_pitch_first():
    roll = chorales.piano_roll(torch.tensor([[72, 67, 60, 48], [72, 67, 60, -1], [60, 60, 60, 60]]), low=48, high=72)
    assert roll.shape == (25, 3)
    assert roll.sum(0).tolist() == [4, 3, 1]
    assert roll[0].tolist() == [1, 1, 0]
    assert roll[-1].tolist() == [1, 0, 0]


def test_claims_are_checked_on_bach_and_only_shown_on_made_up_chorales(made_up):
    bach = chorales.Chorales("chorales", [], [], [], "a test")
    assert str(ae.claims(("a share", 0.5, 0, 1), on=bach)) == str(ae.claims(("a share", 0.5, 0, 1)))
    with pytest.raises(AssertionError, match=r"claim 'a share': got 0\.5"):
        ae.claims(("a share", torch.tensor(0.5), 0.6, 1), on=bach)
    shown = ae.claims(("a share", torch.tensor(0.5), 0.6, 1), on=made_up)
    assert str(shown) == "· a share: 0.5 on made-up chorales (the text speaks of Bach's)"


def test_windows_are_moved_into_all_twelve_keys_unless_told_otherwise():
    one = torch.tensor([[[72, 67, 60, 52]]])
    assert chorales.augment(one)[:, 0, 0].tolist() == list(range(67, 79))


def test_a_piece_of_no_steps_is_a_piece():
    rows = torch.zeros(0, 4, dtype=torch.int64)
    assert chorales.check_rows(rows) is rows


# What made-up chorales are made of


class Dice:
    """Stands in for NumPy's generator: shares are all the same, whole numbers as they were written down before."""

    def __init__(self, share, *numbers):
        self.share, self.numbers, self.asked = share, list(numbers), []

    def integers(self, low, high=None, size=None):
        self.asked.append((low, high))
        return self.numbers.pop(0) if size is None else [self.numbers.pop(0) for _ in range(size)]

    def random(self):
        return self.share

    def choice(self, sides):
        assert sides == [-2, 2]
        return sides[1]


SUNG = {name: (low + 6, high - 6) for name, (low, high) in chorales.RANGES.items()}


def chord_by_hand(root, third, before, second_best):
    chord = []
    for (low, high), last in zip(SUNG.values(), before, strict=True):
        tones = {root % 12} if len(chord) == 3 else {root % 12, (root + third) % 12, (root + 7) % 12}
        top = min([high - 4, *chord])
        near = sorted((abs(p - last), p) for p in range(low, top + 1) if p % 12 in tones)
        chord.append(near[second_best and not chord][1])
    return chord


@pytest.mark.parametrize("share", [0.09, 0.11, 0.29, 0.31])
def test_a_made_up_chorale_is_what_the_rules_say_of_the_dice(share):
    """Two phrases in D minor: below 0.3 the soprano takes its second best note and steps away, below 0.1 all rest."""
    dice, before, expected = Dice(share, 2, 1, 2, 4, 3), [71, 65, 59, 48], []
    for phrase in ("I iii vi IV ii V V vi", "vi ii V I IV ii V I"):
        for name in phrase.split():
            root, minor = {"I": (0, 1), "ii": (5, 1), "iii": (3, 0), "IV": (5, 1), "V": (7, 0), "vi": (8, 0)}[name]
            before = chord_by_hand(2 + root, 3 if minor else 4, before, share < 0.3)
            stepped = [min(before[0] + 2, SUNG["soprano"][1]), *before[1:]] if share < 0.3 else before
            expected += [before] * 2 + [stepped] * 2
        expected[-2:] = [before] * 6
        expected += [[-1] * 4] * 4 * (share < 0.1)
    found = chorales._compose(dice)
    assert found.dtype == torch.int64
    assert found.tolist() == expected
    assert dice.asked == [(12, None), (2, None), (2, 6), (6, None)]  # keys, modes, phrases, progressions


def test_chords_stand_on_the_degrees_of_a_scale_with_the_scales_own_thirds():
    degrees = {"I": 0, "ii": 1, "iii": 2, "IV": 3, "V": 4, "vi": 5}
    harmonic_minor = [0, 2, 3, 5, 7, 8, 11]
    for scale, chords in (([0, 2, 4, 5, 7, 9, 11], chorales._MAJOR), (harmonic_minor, chorales._MINOR)):
        expected = {k: (scale[d], (scale[(d + 2) % 7] - scale[d]) % 12 == 3) for k, d in degrees.items()}
        if scale is harmonic_minor:
            expected["ii"] = expected["IV"]  # the triad on its second degree is diminished
        assert chords == expected


def test_neighbours_may_sing_one_note_and_no_voice_is_led_to_its_top():
    assert chorales._voice_chord({7, 8}, 7, [67, 68, 60, 48], Dice(0.5))[:2] == [67, 67]
    assert chorales._voice_chord({5, 6}, 5, [81, 70, 60, 48], Dice(0.5))[0] == 77
    for pitch, sung in ((50, 60), (60, 60), (70, 70), (81, 81), (90, 81)):
        assert chorales._clamp_to_range(pitch, "soprano") == sung


# Bounds


def test_the_longest_chorale_is_named_in_steps_of_the_coarse_grid():
    with pytest.raises(ValueError, match="at most 3 steps, expected some of 4"):
        chorales.windows([COUNT[:5], COUNT[:2]], 4, every=2)


def test_a_chorale_moves_by_at_most_all_pitches_there_are():
    rows = torch.tensor([[127, -1, 0, 60]])
    assert chorales.transpose(rows, -127).tolist() == [[0, -1, -127, -67]]
    assert chorales.transpose(rows, 127).tolist() == [[254, -1, 127, 187]]
    for semitones in (-128, 128):
        with pytest.raises(ValueError, match=f"got semitones={semitones}, expected a whole number from -127 to 127"):
            chorales.transpose(rows, semitones)


def test_a_piano_roll_may_show_every_pitch_there_is_and_rests_alone():
    rows = torch.tensor([[127, 60, -1, 0]])
    assert chorales.piano_roll(rows, 0, 127).flatten().nonzero().flatten().tolist() == [0, 67, 127]
    assert not chorales.piano_roll(torch.full((3, 4), -1)).any()
    for low, high, message in (
        (36, 128, "got high=128, expected a whole number from 36 to 127"),
        (128, 130, "got low=128, expected a whole number from 0 to 127"),
        (-1, 60, "got low=-1, expected"),
        (0, 126, r"got notes from 0 to 127, expected them in \[0, 126\]"),
    ):
        with pytest.raises(ValueError, match=message):
            chorales.piano_roll(rows, low, high)


@pytest.mark.parametrize("voice", range(4))
def test_windows_may_reach_both_ends_of_each_voices_range_and_go_no_farther(voice):
    name, limits = list(chorales.RANGES.items())[voice]
    for limit, outward in zip(limits, (-1, 1), strict=True):
        windows = torch.full((2, 3, 4), chorales.REST)
        windows[0, :, voice] = limit
        assert chorales.check_windows(windows) is windows
        assert chorales.pitch_numbers(windows)[0, 0, voice] == limit - limits[0] + 1
        windows[0, 1:, voice] += outward
        with pytest.raises(
            ValueError, match=rf"got 2 notes outside the {name}'s range .*, the first {limit + outward};"
        ):
            chorales.check_windows(windows)


def test_rows_hold_midi_pitches_and_rests():
    rows = torch.tensor([[127, 0, -1, 60]])
    assert chorales.check_rows(rows) is rows
    for wrong, message in ((rows + 1, "from 0 to 128"), (rows - 1, "from -2 to 126"), (rows.T[:2] + 1, "shape")):
        with pytest.raises(ValueError, match=message):
            chorales.check_rows(wrong)


def test_no_windows_are_none_and_another_shape_gets_its_own_advice():
    for wrong, advice in (
        (torch.zeros(0, 5, 4, dtype=torch.int64), "cut them with"),
        (torch.zeros(2, 5, 3, dtype=torch.int64), "cut them with"),
        (torch.zeros(5, 4, dtype=torch.int64), r"add a batch dimension with windows\[None\]"),
        (torch.zeros(4, dtype=torch.int64), "cut them with"),
    ):
        with pytest.raises(ValueError, match=rf"expected an int64 tensor of shape \(N, steps, 4\) .*; {advice}"):
            chorales.check_windows(wrong)
    with pytest.raises(ValueError, match="take one piece at a time"):
        chorales.check_rows(COUNT[:, :3])


def test_in_c_takes_the_way_that_leaves_the_usual_ranges_least_and_of_two_equal_ones_down():
    random = np.random.default_rng(0)
    for _ in range(200):
        rows = np.stack([random.integers(low, high + 1, 6) for low, high in SUNG.values()], 1)
        rows[random.random((6, 4)) < 0.2] = -1
        bass = [pitch for pitch in rows[:, 3] if pitch >= 0]
        ways = []
        for shift in range(-12, 12):
            if bass and (bass[-1] + shift) % 12 == 0:
                moved = [(p + shift, low, high) for p, (low, high) in zip(rows.flat, [*SUNG.values()] * 6, strict=True)]
                ways.append((max(max(low - p, p - high, 0) for p, low, high in moved if p - shift >= 0), shift))
        expected = np.where(rows < 0, rows, rows + (min(ways)[1] if ways else 0))
        assert chorales.in_c([torch.tensor(rows)])[0].tolist() == expected.tolist()
    rests = torch.full((3, 4), -1)
    assert torch.equal(chorales.in_c([rests])[0], rests)
