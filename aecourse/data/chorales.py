"""Bach's chorales as tensors in memory, where they came from, and what is done to notes before a model sees them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .. import checks
from .fetch import File, fetch

REST = -1
RANGES = {"soprano": (54, 87), "alto": (46, 80), "tenor": (40, 75), "bass": (30, 72)}
"""The notes that a voice may sing, MIDI pitches: 60 is middle C, 69 the A of 440 Hz.

Six semitones more at either end than in Bach's chorales, so that each can be moved to any key.
"""
LOWEST = torch.tensor([low for low, _ in RANGES.values()])

_SUNG = {name: (low + 6, high - 6) for name, (low, high) in RANGES.items()}  # in Bach's chorales, in their own keys

FILES = [
    File(
        "jsb-chorales/Jsb16thSeparated.json",
        "79294cc374f9252e95ef4b703161524c1c53dc1f712c236f00f1c1f5d54af5a7",
        ("https://raw.githubusercontent.com/czhuang/JSB-Chorales-dataset/master/Jsb16thSeparated.json",),
    )
]


@dataclass(frozen=True)
class Chorales:
    """Pieces for four voices, split once and for all into train, validation and test.

    Attributes:
        name: "chorales", or "made-up chorales" for those that stand in where there is no file and no network.
        train, validation, test: lists of int64 tensors `(steps, 4)`, one row per sixteenth note: the MIDI pitches
            of soprano, alto, tenor and bass, or −1 where a voice rests.  A note that lasts stands in each of its
            rows, so a repeated note and a long one look alike.
        origin: where they came from, for a person to read.
    """

    name: str
    train: list[Tensor]
    validation: list[Tensor]
    test: list[Tensor]
    origin: str

    def __repr__(self) -> str:
        parts = f"{len(self.train)} for training, {len(self.validation)} for validation, {len(self.test)} for test"
        steps = sum(map(len, [*self.train, *self.validation, *self.test]))
        return f"{self.name}: {parts}; {steps:,} sixteenth notes in four voices"


def load(*, fallback: bool = True) -> Chorales:
    """Return Bach's four-part chorales in the split of Boulanger-Lewandowski et al. (2012).

    The file of C.-Z. A. Huang's JSB-Chorales-dataset, `jsb-chorales/Jsb16thSeparated.json`, is looked for in
    `$AECOURSE_DATA`, then in the cache folder, and is else downloaded into the cache folder; its SHA-256 is verified.

    Args:
        fallback: with no file and no network, warn and return chorales made up by simple rules; if False, raise.

    Raises:
        RuntimeError: if a file is damaged (named in the message) and no good copy can be downloaded, or
            if there is neither a file nor a network and `fallback` is False.
    """
    stand_in = "chorales that were made up by simple rules of harmony" if fallback else None
    found = fetch("Bach's chorales", FILES, stand_in=stand_in)
    if found is None:
        return made_up()
    folder, origin = found
    parts = json.loads((folder / FILES[0].path).read_bytes())
    split = ([torch.tensor(piece, dtype=torch.int64) for piece in parts[key]] for key in ("train", "valid", "test"))
    return Chorales("chorales", *split, origin)


def made_up(*, train: int = 120, validation: int = 40, test: int = 40, seed: int = 0) -> Chorales:
    """Return chorales in four voices that follow a few rules of harmony: something to run on, nothing to admire.

    Each has one key, major or minor, and two to five phrases of eight quarter notes that are common progressions of
    chords and end with a long one.  The bass sings the root, the other voices the nearest notes of the chord.

    Args:
        train, validation, test: how many of each; 0 for none.
        seed: fixes them all.

    Raises:
        ValueError: if a number is no whole number of at least 0.
    """
    for name, count in (("train", train), ("validation", validation), ("test", test)):
        checks.whole(name, count, 0)
    random = np.random.default_rng(checks.seed(seed))
    parts = [[_compose(random) for _ in range(count)] for count in (train, validation, test)]
    return Chorales("made-up chorales", *parts, "made up by aecourse")


def windows(chorales: Sequence[Tensor], steps: int = 32, hop: int = 8, *, every: int = 1) -> Tensor:
    """Return int64 `(N, steps, 4)`: all windows of `steps` rows that begin every `hop` rows of each chorale.

    Chorales that are too short give none.

    Args:
        chorales: tensors `(rows, 4)`, as `load` gives them.
        steps: rows per window, counted after `every`.
        hop: rows from one window's beginning to the next, counted after `every`.
        every: keep each `every`-th row only: 2 makes eighth notes of sixteenths, 4 quarter notes.

    Raises:
        ValueError: if a chorale has another shape, a number is no whole number of at least 1, or all chorales are
            too short.
    """
    for name, value in (("steps", steps), ("hop", hop), ("every", every)):
        checks.whole(name, value)
    found = []
    for chorale in chorales:
        rows = check_rows(chorale)[::every]
        if len(rows) >= steps:
            found.append(rows.unfold(0, steps, hop).transpose(1, 2))
    if not found:
        longest = max((-(-len(chorale) // every) for chorale in chorales), default=0)
        raise ValueError(f"got chorales of at most {longest} steps, expected some of {steps}; make the windows shorter")
    return torch.cat(found)


def transpose(rows: Tensor, semitones: int) -> Tensor:
    """Return rows of the same shape with every note higher by so many semitones; rests stay rests.

    Raises:
        ValueError: if `semitones` is no whole number.
    """
    return torch.where(rows == REST, rows, rows + checks.whole("semitones", semitones, -127, 127))


def in_c(chorales: Iterable[Tensor]) -> list[Tensor]:
    """Return the chorales, each moved so that its last bass note is a C.

    A chorale ends on its tonic, as a rule, so this takes the key away, and with it what a model would have to learn
    twelve times over.  Of the two ways to a C, the one that leaves the usual ranges least is taken.
    """
    return [_in_c(check_rows(chorale)) for chorale in chorales]


def augment(windows: Tensor, semitones: Iterable[int] = range(-5, 7)) -> Tensor:
    """Return all windows in all these transpositions, `(N', steps, 4)`, but for those that leave what a voice sings.

    Music stays music in another key, so this is to chorales what a shift by a pixel is to digits.

    Args:
        windows: `(N, steps, 4)`, as `windows` gives them.
        semitones: by how much; twelve neighbours reach every key.

    Raises:
        ValueError: if they are no windows, or none can be sung.
    """
    _check_notes(windows, "windows", ("N", "steps", len(RANGES)), _CUT)
    low, high = torch.tensor(list(_SUNG.values())).T
    moved = [transpose(windows, shift) for shift in semitones]
    sung = [part[((part == REST) | (part >= low) & (part <= high)).flatten(1).all(1)] for part in moved]
    if not any(map(len, sung)):
        raise ValueError(
            f"got {len(windows)} windows that can't be sung in any of {len(moved)} transpositions, expected some whose "
            f"voices stay in {_SUNG}; add smaller semitones, 0 among them"
        )
    return torch.cat(sung)


def piano_roll(rows: Tensor, low: int = 36, high: int = 81) -> Tensor:
    """Return float32 `(high − low + 1, steps)`: 1 where a note sounds and 0 elsewhere, the highest pitch first.

    Args:
        rows: `(steps, 4)`; which voice sings a note is lost.
        low, high: the lowest and the highest pitch of the picture.

    Raises:
        ValueError: if a note lies outside, or `low` and `high` are no two pitches in this order.
    """
    rows = check_rows(rows)
    checks.whole("high", high, checks.whole("low", low, 0, 127), 127)
    sung = rows[rows != REST]
    if len(sung) and (sung.min() < low or sung.max() > high):
        raise ValueError(f"got notes from {sung.min()} to {sung.max()}, expected them in [{low}, {high}]")
    pitches = torch.arange(high, low - 1, -1)
    return (rows[None] == pitches[:, None, None]).any(2).float()


def check_windows(windows: Tensor, steps: int | None = None) -> Tensor:
    """Return `windows` unchanged if they are int64 `(N, steps, 4)`, each voice in its range or −1 for a rest.

    Raises:
        ValueError: for anything else; the message says what came, what was expected and what to do.
    """
    _check_notes(windows, "windows", ("N", steps or "steps", len(RANGES)), _CUT)
    high = torch.tensor([high for _, high in RANGES.values()])
    for voice, name in enumerate(RANGES):
        pitches = windows[..., voice]
        wrong = pitches[(pitches != REST) & ((pitches < LOWEST[voice]) | (pitches > high[voice]))]
        if len(wrong):
            raise ValueError(
                f"got {len(wrong)} notes outside the {name}'s range {RANGES[name]}, the first {int(wrong[0])}; "
                "leave such windows out, as aecourse.data.chorales.augment does"
            )
    return windows


def pitch_numbers(windows: Tensor) -> Tensor:
    """Return a number for each note of windows: 0 for a rest, then the voice's pitches from the lowest."""
    return torch.where(check_windows(windows) == REST, 0, windows - LOWEST.to(windows.device) + 1)


def check_rows(rows: Tensor) -> Tensor:
    """Return `rows` unchanged if they are int64 of shape `(steps, 4)` and MIDI pitches or −1.

    Raises:
        ValueError: for anything else.
    """
    expected = _check_notes(rows, "rows", ("steps", len(RANGES)), "take one piece at a time")
    if len(rows) and (rows.min() < REST or rows.max() > 127):
        raise ValueError(f"got numbers from {rows.min()} to {rows.max()}, expected {expected}, at most 127")
    return rows


_CUT = "cut them with aecourse.data.chorales.windows"


def _check_notes(notes: Tensor, name: str, shape: tuple[str | int, ...], hint: str) -> str:
    """Check all but the pitches, and return in words what was expected.

    Args:
        notes: what came.
        name: what the messages call it.
        shape: a name stands for any size, but N for one of at least 1.
        hint: what to do about another shape.

    Raises:
        ValueError: if they are no int64 tensor of that shape.
    """
    expected = f"an int64 tensor of shape ({', '.join(map(str, shape))}) with MIDI pitches, −1 for a rest"
    if not isinstance(notes, Tensor):
        convert = "convert with torch.as_tensor(…, dtype=torch.int64)"
        raise ValueError(f"got {type(notes).__name__} as {name}, expected {expected}; {convert}")
    if notes.dtype != torch.int64:
        raise ValueError(f"got {name} of dtype {notes.dtype}, expected {expected}; call .long() on whole numbers")
    sizes = tuple(notes.shape)
    fits = len(sizes) == len(shape) and all(
        isinstance(wanted, str) or size == wanted for size, wanted in zip(sizes, shape, strict=True)
    )
    if not fits or ("N" in shape and not len(notes)):
        hint = f"add a batch dimension with {name}[None]" if len(sizes) == len(shape) - 1 else hint
        raise ValueError(f"got {name} of shape {sizes}, expected {expected}; {hint}")
    return expected


def _in_c(rows: Tensor) -> Tensor:
    bass = rows[:, 3][rows[:, 3] != REST]
    down = -int(bass[-1]) % 12 - 12 if len(bass) else -12
    low, high = torch.tensor(list(_SUNG.values())).T
    moved = [transpose(rows, down), transpose(rows, down + 12)]
    excess = [(torch.relu(low - part) + torch.relu(part - high))[part != REST].amax() for part in moved if len(bass)]
    return moved[1] if not excess or excess[1] < excess[0] else moved[0]


# Roots as semitones above the key's tonic, and whether the third is minor; the last chord of a phrase is long.
_MAJOR = {"I": (0, False), "ii": (2, True), "iii": (4, True), "IV": (5, False), "V": (7, False), "vi": (9, True)}
_MINOR = {"I": (0, True), "ii": (5, True), "iii": (3, False), "IV": (5, True), "V": (7, False), "vi": (8, False)}
_PROGRESSIONS = [
    "I V I IV I V V I",
    "I vi IV V I ii V I",
    "I IV V vi IV I V I",
    "vi ii V I IV ii V I",
    "I iii vi IV ii V V vi",
    "I I IV I vi ii IV V",
]


def _compose(random: np.random.Generator) -> Tensor:
    tonic, chords = int(random.integers(12)), (_MAJOR, _MINOR)[int(random.integers(2))]
    phrases = [_PROGRESSIONS[k].split() for k in random.integers(len(_PROGRESSIONS), size=random.integers(2, 6))]
    before, rows = [71, 65, 59, 48], []
    for progression in phrases:
        for place, name in enumerate(progression):
            root, minor = chords[name]
            tones = {(tonic + root + step) % 12 for step in (0, 3 if minor else 4, 7)}
            chord = _voice_chord(tones, (tonic + root) % 12, before, random)
            length = 8 if place == len(progression) - 1 else 4
            rows += [chord] * length
            if length == 4 and random.random() < 0.3:  # the soprano steps away on the second eighth
                rows[-2:] = [[_clamp_to_range(chord[0] + int(random.choice([-2, 2])), "soprano"), *chord[1:]]] * 2
            before = chord
        if random.random() < 0.1:
            rows += [[REST] * 4] * 4
    return torch.tensor(rows, dtype=torch.int64)


def _clamp_to_range(pitch: int, voice: str) -> int:
    return min(max(pitch, _SUNG[voice][0]), _SUNG[voice][1])


def _voice_chord(tones: set[int], root: int, before: list[int], random: np.random.Generator) -> list[int]:
    """Return the chord: the root in the bass, elsewhere one of the two nearest tones, no voice above its neighbour."""
    chord: list[int] = []
    for voice, last in zip(RANGES, before, strict=True):
        low, high = _SUNG[voice]
        high = min([high - 4, *chord[-1:]])
        allowed = {root} if voice == "bass" else tones
        choices = sorted((p for p in range(low, high + 1) if p % 12 in allowed), key=lambda p: abs(p - last))
        chord.append(int(choices[int(random.random() < 0.3 and voice == "soprano")]))
    return chord
