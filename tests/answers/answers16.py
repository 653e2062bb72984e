"""Answers to the questions of chapter 16: right ones, written in different ways, and wrong ones with their hints."""

import itertools
import math
from collections import Counter

import numpy as np
import torch

PAIRS = list(itertools.combinations(range(4), 2))


def held_by_loop(pitches):
    last, marked = None, []
    for pitch in pitches.tolist():
        marked.append(-2 if pitch == last else pitch)
        last = pitch
    return torch.tensor(marked)


def held_by_clone(pitches):
    marked = pitches.clone()
    marked[1:][pitches[1:] == pitches[:-1]] = -2
    return marked


def held_by_numpy(pitches):
    before = np.concatenate([[-99], pitches.numpy()[:-1]])
    return np.where(pitches.numpy() == before, -2, pitches.numpy())


def markov_by_counter(known, new, symbols):
    pairs = Counter((a, b) for row in known.tolist() for a, b in itertools.pairwise(row))
    firsts = Counter(a for row in known.tolist() for a in row[:-1])
    costs = [
        -math.log2((pairs[a, b] + 0.5) / (firsts[a] + 0.5 * symbols))
        for row in new.tolist()
        for a, b in itertools.pairwise(row)
    ]
    return sum(costs) / len(costs)


def markov_by_index_put(known, new, symbols):
    counts = torch.full((symbols, symbols), 0.5)
    counts.index_put_((known[:, :-1], known[:, 1:]), torch.tensor(1.0), accumulate=True)
    table = counts / counts.sum(1, keepdim=True)
    return -table[new[:, :-1], new[:, 1:]].log2().mean()


def markov_by_one_hot(known, new, symbols):
    eye = torch.eye(symbols)
    counts = 0.5 + torch.einsum("nti,ntj->ij", eye[known[:, :-1]], eye[known[:, 1:]])
    logs = (counts / counts.sum(1, keepdim=True)).log() / math.log(2)
    return -logs[new[:, :-1], new[:, 1:]].mean()


def clash_by_loop(chords):
    clashing = sounding = 0
    for chord in chords.tolist():
        for a, b in PAIRS:
            if -1 in (chord[a], chord[b]):
                continue
            sounding += 1
            clashing += abs(chord[a] - chord[b]) % 12 in (1, 2, 6, 10, 11)
    return clashing / sounding


def clash_by_difference(chords):
    apart = (chords[:, :, None] - chords[:, None, :]) % 12
    sings = chords != -1
    both = (sings[:, :, None] & sings[:, None, :]).triu(1)
    clash = sum(apart == interval for interval in (1, 2, 6, 10, 11)) > 0
    return (clash & both).sum() / both.sum()


def clash_by_lists(chords):
    apart = [
        abs(int(a) - int(b)) % 12 for chord in chords for a, b in itertools.combinations(chord, 2) if min(a, b) >= 0
    ]
    return torch.tensor([interval in {1, 2, 6, 10, 11} for interval in apart]).float().mean()


def clash_of(chords, *, pairs=PAIRS, octaves=True, clashes=(1, 2, 6, 10, 11), rests=False, below=False):
    found = []
    for chord in chords.tolist():
        for a, b in pairs:
            silent = -1 in (chord[a], chord[b])
            if silent and not rests:
                found += [False] * below
                continue
            apart = abs(chord[a] - chord[b])
            found.append((apart % 12 if octaves else apart) in clashes)
    return sum(found) / len(found)


def markov_of(known, new, symbols, *, start=0.5, axis=1, log=torch.log2):
    counts = torch.full((symbols, symbols), start)
    counts.index_put_((known[:, :-1], known[:, 1:]), torch.tensor(1.0), accumulate=True)
    total = counts.sum() if axis is None else counts.sum(axis, keepdim=True)
    return -log((counts / total)[new[:, :-1], new[:, 1:]]).mean()


def markov_alone(known, new, symbols):
    counts = torch.bincount(known.flatten(), minlength=symbols) + 0.5
    return -(counts / counts.sum()).log2()[new].mean()


RIGHT = {
    "mark_held": [held_by_loop, held_by_clone, held_by_numpy],
    "markov_bits": [markov_by_counter, markov_by_index_put, markov_by_one_hot],
    "clash_share": [clash_by_loop, clash_by_difference, clash_by_lists],
}


def held_before_next(pitches):
    marked = pitches.clone()
    marked[:-1][pitches[1:] == pitches[:-1]] = -2
    return marked


def held_but_rests(pitches):
    marked = held_by_loop(pitches)
    return torch.where(pitches == -1, -1, marked)


def changed(pitches):
    marked = pitches.clone()
    marked[1:][pitches[1:] != pitches[:-1]] = -2
    return marked


def held_in_place(pitches):
    marked = pitches.tolist()
    for step in range(1, len(marked)):
        marked[step] = -2 if marked[step] == marked[step - 1] else marked[step]
    return torch.tensor(marked)


def held_from_the_first(pitches):
    marked = held_by_clone(pitches)
    marked[0] = -2
    return marked


def markov_by_adding(known, new, symbols):
    counts = torch.full((symbols, symbols), 0.5)
    counts[known[:, :-1], known[:, 1:]] += 1
    table = counts / counts.sum(1, keepdim=True)
    return -table[new[:, :-1], new[:, 1:]].log2().mean()


def markov_over_all_steps(known, new, symbols):
    costs = [markov_of(known, row[None], symbols) * (len(row) - 1) for row in new]
    return sum(costs) / new.numel()


def clash_of_matrix(chords, *, upper=False):
    apart = (chords[:, :, None] - chords[:, None, :]).abs() % 12
    both = (chords != -1)[:, :, None] & (chords != -1)[:, None, :]
    both = both.triu() if upper else both
    return torch.isin(apart[both], torch.tensor([1, 2, 6, 10, 11])).float().mean()


WRONG = {
    "mark_held": [
        (held_before_next, "with the *next* one"),
        (lambda pitches: torch.where(pitches == torch.roll(pitches, 1), -2, pitches), "torch.roll"),
        (held_but_rests, "a rest that goes on"),
        (changed, "at which the note *changes*"),
        (lambda pitches: held_by_loop(pitches)[1:], "the first step is left out"),
        (held_from_the_first, "the first step is marked"),
        (held_in_place, "already marked"),
        (lambda pitches: torch.where(held_by_loop(pitches) == -2, -1, pitches), "which is a rest"),
        (lambda pitches: (held_by_loop(pitches) == -2).int(), "where notes are held, and not the notes"),
    ],
    "markov_bits": [
        (lambda known, new, symbols: markov_of(known, new, symbols, log=torch.log), "these are nats"),
        (lambda known, new, symbols: markov_of(new, new, symbols), "seen what it is examined on"),
        (lambda known, new, symbols: markov_of(known, new, symbols, axis=None), "chances of a *pair*"),
        (lambda known, new, symbols: markov_of(known, new, symbols, axis=0), "which axis do you divide by"),
        (lambda known, new, symbols: markov_of(known, new, symbols, start=0.0), "let each count start at ½"),
        (markov_alone, "the symbol before plays no part"),
        (
            lambda known, new, symbols: markov_of(known.reshape(1, -1), new.reshape(1, -1), symbols),
            "rows are sequences of their own",
        ),
        (lambda known, new, symbols: markov_of(known, new, symbols) * new[:, 1:].numel(), "the sum over all steps"),
        (markov_over_all_steps, "the number of all steps"),
        (lambda known, new, symbols: -markov_by_counter(known, new, symbols), "the sign is wrong"),
        (markov_by_adding, "counted once"),
        (lambda known, new, symbols: markov_of(known, new, symbols, start=1.0), "your counts start at 1"),
    ],
    "clash_share": [
        (lambda chords: clash_of(chords, octaves=False), "octaves are not taken off"),
        (lambda chords: clash_of(chords, pairs=[(0, 1), (1, 2), (2, 3)]), "only neighbouring voices"),
        (lambda chords: clash_of(chords, rests=True), "as if it were the pitch −1"),
        (lambda chords: clash_of(chords, below=True), "they don't sound either"),
        (lambda chords: clash_of(chords, clashes=(1, 2, 10, 11)), "the tritone is missing"),
        (lambda chords: clash_of(chords, clashes=(1, 2, 6)), "the sevenths are missing"),
        (
            lambda chords: sum(clash_of(c[None]) > 0 if (c >= 0).sum() > 1 else 0 for c in chords) / len(chords),
            "the share of *steps*",
        ),
        (lambda chords: sum(clash_of(chord[None]) for chord in chords) / len(chords), "the mean of the steps' shares"),
        (lambda chords: clash_by_loop(chords[chords.amin(1) >= 0]), "left out as a whole"),
        (clash_of_matrix, "you have sixteen"),
        (lambda chords: clash_of_matrix(chords, upper=True), "you have ten"),
        (lambda chords: 1 - clash_by_loop(chords), "do *not* clash"),
    ],
}
