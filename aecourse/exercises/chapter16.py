"""The questions of chapter 16: held notes, a Markov model's price, and how much of a chord clashes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..evaluate import dissonance
from .checking import Question

HELD, REST = -2, -1


def _voices(random: torch.Generator) -> list[tuple]:
    cases = [torch.tensor([67, 67, 69, -1, -1, 69]), torch.tensor([60]), torch.tensor([-1, -1, 72, 72, 72, -1])]
    for steps in (8, 16, 20, 24):
        line = torch.randint(60, 65, (steps,), generator=random).repeat_interleave(2)
        line[3:6] = REST
        cases.append(line)
    return [(case,) for case in cases]


def _held(pitches: Tensor) -> Tensor:
    same = torch.cat([torch.tensor([False]), pitches[1:] == pitches[:-1]])
    return torch.where(same, HELD, pitches)


def _held_after_marks(pitches: Tensor) -> Tensor:
    marked = pitches.clone()
    for step in range(1, len(marked)):
        if marked[step] == marked[step - 1]:
            marked[step] = HELD
    return marked


def _held_with(same: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda pitches: torch.where(same(pitches), HELD, pitches)


def _sequences(random: torch.Generator) -> list[tuple]:
    cases = [
        (torch.tensor([[0, 0, 1, 0]]), torch.tensor([[0, 0, 1]]), 2),
        (torch.tensor([[0, 1, 2], [2, 2, 2]]), torch.tensor([[1, 0], [2, 2]]), 3),
    ]
    for known, new, steps, symbols in ((6, 3, 5, 3), (8, 4, 6, 4), (5, 5, 7, 3), (9, 2, 4, 5), (7, 6, 5, 4)):
        walk = torch.randint(0, 2, (known + new, steps), generator=random).cumsum(1) % symbols
        cases.append((walk[:known], walk[known:], symbols))
    return cases


def _counts(known: Tensor, symbols: int, start: float = 0.5) -> Tensor:
    pairs = symbols * known[:, :-1] + known[:, 1:]
    return torch.bincount(pairs.flatten(), minlength=symbols**2).view(symbols, symbols) + start


def _price(table: Tensor, new: Tensor) -> Tensor:
    return -table[new[:, :-1], new[:, 1:]].log2().mean()


def _markov(known: Tensor, new: Tensor, symbols: int) -> Tensor:
    counts = _counts(known, symbols)
    return _price(counts / counts.sum(1, keepdim=True), new)


def _markov_jointly(known: Tensor, new: Tensor, symbols: int) -> Tensor:
    counts = _counts(known, symbols)
    return _price(counts / counts.sum(), new)


def _markov_backwards(known: Tensor, new: Tensor, symbols: int) -> Tensor:
    counts = _counts(known, symbols)
    return _price(counts / counts.sum(0), new)


def _markov_without_start(known: Tensor, new: Tensor, symbols: int) -> Tensor:
    counts = _counts(known, symbols, 0)
    return _price(counts / counts.sum(1, keepdim=True), new)


def _markov_from_one(known: Tensor, new: Tensor, symbols: int) -> Tensor:
    counts = _counts(known, symbols, 1)
    return _price(counts / counts.sum(1, keepdim=True), new)


def _markov_once(known: Tensor, new: Tensor, symbols: int) -> Tensor:
    counts = _counts(known, symbols, 0).clamp(max=1) + 0.5
    return _price(counts / counts.sum(1, keepdim=True), new)


def _markov_alone(known: Tensor, new: Tensor, symbols: int) -> Tensor:
    counts = torch.bincount(known.flatten(), minlength=symbols) + 0.5
    return -(counts / counts.sum())[new].log2().mean()


def _markov_in_a_row(known: Tensor, new: Tensor, symbols: int) -> Tensor:
    return _markov(known.reshape(1, -1), new.reshape(1, -1), symbols)


def _chords(random: torch.Generator) -> list[tuple]:
    cases = [
        torch.tensor([[72, 67, 64, 48]]),
        torch.tensor([[71, 65, 62, 43], [60, -1, 59, -1]]),
        torch.tensor([[74, 60, 58, 47], [78, 64, 59, 48], [72, -1, -1, 59]]),
    ]
    low = torch.tensor([60, 52, 46, 36])
    for steps in (2, 3, 5, 8, 16):
        chords = low + torch.randint(0, 15, (steps, 4), generator=random)
        rests = torch.rand((steps, 4), generator=random) < 0.15
        rests[0] = False  # some chord is whole and each has a pair, lest a mistake divide 0 by 0
        rests &= rests.sum(1, keepdim=True) < 3
        cases.append(torch.where(rests, REST, chords))
    return [(case,) for case in cases]


CLASHES = (1, 2, 6, 10, 11)


def _clash(chords: Tensor) -> Tensor:
    return dissonance(chords[None])[0]


def _clash_with(
    clashes: Callable[[Tensor], Tensor], pairs: Tensor | None = None, *, rests: bool = False
) -> Callable[[Tensor], Tensor]:
    """Return a share of clashing pairs that judges intervals, chooses pairs or counts rests in another way."""
    one, other = (torch.combinations(torch.arange(4)) if pairs is None else pairs).T

    def share(chords: Tensor) -> Tensor:
        first, second = chords[:, one], chords[:, other]
        both = torch.ones_like(first, dtype=torch.bool) if rests else (first != REST) & (second != REST)
        return (clashes((first - second).abs()) & both).sum() / both.sum()

    return share


def _of(intervals: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    return lambda apart: torch.isin(apart % 12, torch.tensor(intervals))


def _clash_over_all_pairs(chords: Tensor) -> Tensor:
    one, other = torch.combinations(torch.arange(4)).T
    first, second = chords[:, one], chords[:, other]
    both = (first != REST) & (second != REST)
    return (_of(CLASHES)((first - second).abs()) & both).float().mean()


def _clash_by_step(chords: Tensor) -> Tensor:
    one, other = torch.combinations(torch.arange(4)).T
    first, second = chords[:, one], chords[:, other]
    both = (first != REST) & (second != REST)
    return (_of(CLASHES)((first - second).abs()) & both).any(1).float().mean()


def _clash_mean_of_steps(chords: Tensor) -> Tensor:
    return torch.stack([_clash(chord[None]) for chord in chords]).mean()


QUESTIONS = [
    Question("mark_held(pitches)", _voices, _held).with_mistakes(
        _held_with(lambda pitches: torch.cat([pitches[1:] == pitches[:-1], torch.tensor([False])])),
        "you compare each step with the *next* one. A note is held if it was there before",
        lambda pitches: torch.where(pitches == pitches.roll(1), HELD, pitches),
        "the first step is compared with the last one: did you use torch.roll? The first step has nothing before it",
        _held_with(
            lambda pitches: torch.cat([torch.tensor([False]), (pitches[1:] == pitches[:-1]) & (pitches[1:] != REST)])
        ),
        "a rest that goes on is held, too: it is as before",
        lambda pitches: torch.cat([pitches[:1], torch.where(pitches[1:] != pitches[:-1], HELD, pitches[1:])]),
        "you mark the steps at which the note *changes*",
        lambda pitches: _held(pitches)[1:],
        "the first step is left out: the result must be as long as the voice",
        lambda pitches: torch.cat([torch.tensor([HELD]), _held(pitches)[1:]]),
        "the first step is marked as held, but nothing is before it",
        _held_after_marks,
        "the third of three equal notes counts as new: when you look, the step before it is already marked. Compare "
        "notes with notes, not with marks",
        lambda pitches: torch.where(_held(pitches) == HELD, REST, pitches),
        "held notes are marked with −1, which is a rest; −2 means held",
        lambda pitches: (_held(pitches) == HELD).long(),
        "you return where notes are held, and not the notes",
    ),
    Question("markov_bits(known, new, symbols)", _sequences, _markov).with_mistakes(
        lambda known, new, symbols: _markov(known, new, symbols) * math.log(2),
        "these are nats: a bit is a logarithm to base 2",
        lambda known, new, symbols: _markov(new, new, symbols),
        "the table is made of the *new* sequences, so the model has seen what it is examined on",
        _markov_jointly,
        "the whole table sums to 1, so these are chances of a *pair*. Given the symbol before, the chances of the "
        "next one must sum to 1",
        _markov_backwards,
        "the table gives the chance of the symbol *before*, given the one after: which axis do you divide by?",
        _markov_without_start,
        "a pair that never occurred gets the chance 0 and costs infinitely much: let each count start at ½",
        _markov_alone,
        "the symbol before plays no part: these are the bits of symbols drawn one by one",
        _markov_in_a_row,
        "the end of one row and the beginning of the next count as a pair, but rows are sequences of their own",
        lambda known, new, symbols: _markov(known, new, symbols) * new[:, 1:].numel(),
        "this is the sum over all steps; return the mean per step",
        lambda known, new, symbols: _markov(known, new, symbols) * new[:, 1:].numel() / new.numel(),
        "you divide by the number of all steps. The first one of each row follows nothing: it has no price here and "
        "isn't counted",
        lambda known, new, symbols: -_markov(known, new, symbols),
        "the sign is wrong: the logarithm of a chance is negative, and a cost is not",
        _markov_once,
        "a pair that occurs many times was counted once: with tensors of indices, `+=` adds to each place a single "
        "time",
        _markov_from_one,
        "your counts start at 1, not at ½, so pairs that never occurred get too large a chance",
    ),
    Question("clash_share(chords)", _chords, _clash).with_mistakes(
        _clash_with(lambda apart: torch.isin(apart, torch.tensor(CLASHES))),
        "octaves are not taken off: a ninth, 14 semitones, clashes as a second does",
        _clash_with(_of(CLASHES), torch.tensor([[0, 1], [1, 2], [2, 3]])),
        "only neighbouring voices are compared, soprano with alto and so on: four voices make six pairs",
        _clash_with(_of(CLASHES), rests=True),
        "a rest is compared as if it were the pitch −1: leave such pairs out",
        _clash_over_all_pairs,
        "pairs with a rest don't clash, but they don't sound either: leave them out below the line, too",
        _clash_with(_of((1, 2, 10, 11))),
        "the tritone is missing, six semitones",
        _clash_with(_of((1, 2, 6))),
        "the sevenths are missing, 10 and 11 semitones",
        _clash_by_step,
        "this is the share of *steps* with a clash, however many pairs clash in them; count the pairs",
        _clash_mean_of_steps,
        "this is the mean of the steps' shares, in which a pair counts for more where few voices sound. All pairs "
        "count alike",
        lambda chords: _clash(chords[(chords != REST).all(1)]),
        "a chord with a rest is left out as a whole, but its other voices still make pairs",
        _clash_with(_of(CLASHES), torch.cartesian_prod(torch.arange(4), torch.arange(4))),
        "each voice is paired with itself, and each pair comes twice: four voices make six pairs, and you have sixteen",
        _clash_with(_of(CLASHES), torch.combinations(torch.arange(4), with_replacement=True)),
        "each voice is paired with itself, too: four voices make six pairs, and you have ten",
        lambda chords: 1 - _clash(chords),
        "this is the share of pairs that do *not* clash",
    ),
]
