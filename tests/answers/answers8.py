"""Answers to the questions of chapter 8: right ones, written in different ways, and wrong ones with their hints."""

import bisect
import math

import numpy as np
import torch

import aecourse as ae


def push_by_arithmetic(state, start, freq, precision):
    quotient, rest = divmod(state, freq)
    return quotient * 2**precision + start + rest


def push_by_shift(state, start, freq, precision):
    return (state // freq << precision) + start + state % freq


def push_by_list_of_slots(state, start, freq, precision):
    own = list(range(start, start + freq))
    return 2**precision * (state // len(own)) + own[state % len(own)]


def push_by_counting(state, start, freq, precision):
    """Every 2^precision numbers hold freq that end in a slot of the symbol: take the one with this index."""
    return state + (state // freq) * (2**precision - freq) + start


def pop_by_loop(state, slots, precision):
    slot = state % 2**precision
    for symbol, (start, freq) in enumerate(slots):
        if start <= slot < start + freq:
            return slot, symbol, state // 2**precision * freq + slot - start


def pop_by_search(state, slots, precision):
    left, slot = divmod(state, 1 << precision)
    symbol = bisect.bisect_right([start for start, _ in slots], slot) - 1
    return [slot, symbol, left * slots[symbol][1] + slot - slots[symbol][0]]


def pop_by_table(state, slots, precision):
    owner = [symbol for symbol, (_, freq) in enumerate(slots) for _ in range(freq)]
    slot = state & ((1 << precision) - 1)
    start, freq = slots[owner[slot]]
    return slot, owner[slot], (state >> precision) * freq + (slot - start)


def pop_by_package(state, slots, precision):
    symbol, rest = ae.coding.pop(state, slots, precision)
    return state % 2**precision, symbol, rest


def bits_by_sums(log_prior, log_posterior, log_likelihood):
    return (log_posterior.sum(1) - log_prior.sum(1) - log_likelihood.sum(1)) / math.log(2)


def bits_by_numpy(log_prior, log_posterior, log_likelihood):
    paid = -np.log2(np.exp(log_prior.numpy())).sum(1) - np.log2(np.exp(log_likelihood.numpy())).sum(1)
    return paid + np.log2(np.exp(log_posterior.numpy())).sum(1)


def bits_by_loop(log_prior, log_posterior, log_likelihood):
    nats = []
    for p, q, x in zip(log_prior, log_posterior, log_likelihood, strict=True):
        nats.append(sum(q.tolist()) - sum(p.tolist()) - sum(x.tolist()))
    return [n / ae.coding.NATS_PER_BIT for n in nats]


def bits_by_cat(log_prior, log_posterior, log_likelihood):
    return torch.cat([log_posterior, -log_prior, -log_likelihood], 1).sum(1) * math.log2(math.e)


def encode_by_package(state, pixel, posterior, likelihood, prior, precision):
    code, state = ae.coding.pop(state, posterior[pixel], precision)
    state = ae.coding.push(state, *likelihood[code][pixel], precision)
    return ae.coding.push(state, *prior[code], precision)


def encode_by_own_functions(state, pixel, posterior, likelihood, prior, precision):
    _, code, state = pop_by_loop(state, posterior[pixel], precision)
    for start, freq in (likelihood[code][pixel], prior[code]):
        state = push_by_arithmetic(state, start, freq, precision)
    return state


def encode_from_scratch(state, pixel, posterior, likelihood, prior, precision):
    size = 2**precision
    code = max(z for z, (start, _) in enumerate(posterior[pixel]) if start <= state % size)
    start, freq = posterior[pixel][code]
    state = state // size * freq + state % size - start
    start, freq = likelihood[code][pixel]
    state = state // freq * size + start + state % freq
    start, freq = prior[code]
    return state // freq * size + start + state % freq


RIGHT = {
    "push": [push_by_arithmetic, push_by_shift, push_by_list_of_slots, push_by_counting],
    "pop_slot": [pop_by_loop, pop_by_search, pop_by_table, pop_by_package],
    "net_bits": [bits_by_sums, bits_by_numpy, bits_by_loop, bits_by_cat],
    "encode_one": [encode_by_package, encode_by_own_functions, encode_from_scratch],
}


def pop_with(rest):
    """Return a pop that finds slot and symbol, and makes the new state from (left, slot, start, freq)."""

    def answer(state, slots, precision):
        left, slot = divmod(state, 2**precision)
        symbol = next(i for i, (start, freq) in enumerate(slots) if slot in range(start, start + freq))
        return slot, symbol, rest(left, slot, *slots[symbol])

    return answer


def slot_of_the_symbol(state, slots, precision):
    slot, symbol, rest = pop_by_loop(state, slots, precision)
    start, _ = slots[symbol]
    return slot - start, symbol, rest


def symbol_first(state, slots, precision):
    slot, symbol, rest = pop_by_loop(state, slots, precision)
    return symbol, slot, rest


def state_kept(state, slots, precision):
    slot = state % 2**precision
    symbol = next(i for i, (start, freq) in enumerate(slots) if start <= slot < start + freq)
    return slot, symbol, state


def slot_for_symbol(state, slots, precision):
    slot, _, rest = pop_by_search(state, slots, precision)
    return slot, slot, rest


def pop_without_slot(state, slots, precision):
    return pop_by_search(state, slots, precision)[1:]


def pop_by_floats(state, slots, precision):
    share = state / 2**precision
    slot = int((share - int(share)) * 2**precision)
    symbol = next(i for i, (start, freq) in enumerate(slots) if start <= slot < start + freq)
    return slot, symbol, int(share) * slots[symbol][1] + slot - slots[symbol][0]


def two_tables(choose, keep=False):
    """Return a step that finds its code with choose(state, pixel, posterior, prior) -> slots, and pushes both."""

    def answer(state, pixel, posterior, likelihood, prior, precision):
        _, code, rest = pop_by_loop(state, choose(pixel, posterior, prior), precision)
        state = push_by_shift(state if keep else rest, *likelihood[code][pixel], precision)
        return push_by_shift(state, *prior[code], precision)

    return answer


def most_probable(state, pixel, posterior, likelihood, prior, precision):
    frequencies = [freq for _, freq in posterior[pixel]]
    code = frequencies.index(max(frequencies))
    return push_by_shift(push_by_shift(state, *likelihood[code][pixel], precision), *prior[code], precision)


def pushes(tables):
    """Return a step that pops the code, then pushes what tables(code, pixel, posterior, likelihood, prior) says."""

    def answer(state, pixel, posterior, likelihood, prior, precision):
        _, code, state = pop_by_loop(state, posterior[pixel], precision)
        for start, freq in tables(code, pixel, posterior, likelihood, prior):
            state = push_by_arithmetic(state, start, freq, precision)
        return state

    return answer


WRONG = {
    "push": [
        (lambda s, b, f, n: s // f * 2**n + b, "the remainder of the division by `freq` is lost"),
        (lambda s, b, f, n: s // f * 2**n + s % f, "`start` is missing"),
        (lambda s, b, f, n: (s / f) * 2**n + b + s % f, "`/` makes a fraction"),
        (lambda s, b, f, n: s * 2**n // f + b + s % f, "make room for the slot first"),
        (lambda s, b, f, n: s // f * 2**n + b + s % (1 << n), "by the number of all slots"),
        (lambda s, b, f, n: s // f * n + b + s % f, "multiply by `precision`"),
        (lambda s, b, f, n: (s // f) * 2 ** (1 << n) + b + s % f, "you shift by the number of slots"),
        (lambda s, b, f, n: f * (s // 2**n) + s % 2**n - b, "this is `pop`"),
        (lambda s, b, f, n: s * 2**n + b, "without dividing by `freq`"),
        (lambda s, b, f, n: s // b << n, "raised ZeroDivisionError"),
        (lambda s, b, f, n: (s // f << n, b + s % f), "should be a single number"),
    ],
    "pop_slot": [
        (pop_with(lambda left, slot, start, freq: left), "take away all `precision` digits"),
        (pop_with(lambda left, slot, start, freq: left * freq + slot), "*among the symbol's own* slots"),
        (pop_with(lambda left, slot, start, freq: left * freq), "doesn't come back"),
        (pop_with(lambda left, slot, start, freq: left + slot - start), "`push` divided by `freq`"),
        (slot_of_the_symbol, "counted from the symbol's `start`"),
        (symbol_first, "in the wrong order"),
        (state_kept, "you return the state as it was"),
        (slot_for_symbol, "the slot in place of the symbol"),
        (pop_without_slot, "has shape (2,), should be (3,)"),
        (pop_by_floats, "for state = 12379"),
    ],
    "net_bits": [
        (lambda p, q, x: -(p.sum(1) - q.sum(1) + x.sum(1)), "this is in nats"),
        (lambda p, q, x: -(p.sum(1) + x.sum(1)) / math.log(2), "no bits come back"),
        (lambda p, q, x: -(p.sum(1) + q.sum(1) + x.sum(1)) / math.log(2), "a second time"),
        (lambda p, q, x: (q - p).sum(1) / math.log(2), "the code's part alone"),
        (lambda p, q, x: -x.sum(1) / math.log(2), "the pixels alone"),
        (lambda p, q, x: (p.sum(1) - q.sum(1) + x.sum(1)) / math.log(2), "minus the bill"),
        (lambda p, q, x: (p.sum(1) - q.sum(1) - x.sum(1)) / math.log(2), "prior and posterior are exchanged"),
        (lambda p, q, x: ((q - p).mean(1) - x.mean(1)) / math.log(2), "where the file needs the sum"),
        (lambda p, q, x: ((q - p).sum(1) - x.mean(1)) / math.log(2), "mean over the pixels"),
        (lambda p, q, x: ((q - p).mean(1) - x.sum(1)) / math.log(2), "mean over the code's dimensions"),
        (lambda p, q, x: (q.sum() - p.sum() - x.sum()) / math.log(2), "each image's own terms"),
        (lambda p, q, x: ((q - p).sum(1) - x.sum(1)).mean() / math.log(2), "their mean"),
        (lambda p, q, x: (q - p - x) / math.log(2), "has shape (1, 2), should be (1,)"),
    ],
    "encode_one": [
        (two_tables(lambda x, q, prior: q[x], keep=True), "not taken off"),
        (most_probable, "throws the choice away"),
        (two_tables(lambda x, q, prior: prior), "popped with the prior"),
        (pushes(lambda z, x, q, p, prior: [prior[z], p[z][x]]), "the code lies under the pixel"),
        (pushes(lambda z, x, q, p, prior: [p[z][x]]), "nobody pushed it"),
        (pushes(lambda z, x, q, p, prior: [prior[z]]), "the pixel is nowhere on the stack"),
        (pushes(lambda z, x, q, p, prior: [p[z][x], q[x][z]]), "the code is pushed with the posterior"),
        (pushes(lambda z, x, q, p, prior: [p[x][z], prior[z]]), "indices of `likelihood` are exchanged"),
        (two_tables(lambda x, q, prior: q[0]), "the posterior of image 0"),
        (lambda s, x, q, p, prior, n: ae.coding.pop(s, q[x], n)[1], "you return 750, right is 2000"),
        (lambda s, x, q, p, prior, n: ae.coding.pop(s, q, n), "raised TypeError"),
    ],
}
