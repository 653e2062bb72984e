"""The questions of chapter 8: push, pop, the bits of an image with bits-back coding, and one whole step of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .. import coding
from .checking import Question

Table = list[tuple[int, int]]  # start and freq of each symbol
WEATHER = [(0, 2), (2, 1), (3, 1)]
TOY = [[(0, 3), (3, 1)], [(0, 1), (1, 3)]]
EXACT = 0.0  # whole numbers are right or wrong


def _whole(random: torch.Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high, (), generator=random))


def _table(random: torch.Generator, symbols: int, precision: int) -> Table:
    cuts = torch.randperm(2**precision - 1, generator=random)[: symbols - 1] + 1
    starts = [0, *sorted(cuts.tolist())]
    return [(start, end - start) for start, end in zip(starts, [*starts[1:], 2**precision], strict=True)]


def _pushes(random: torch.Generator) -> list[tuple]:
    cases = [(11, 0, 2, 2), (11, 2, 1, 2), (11, 3, 1, 2), (17, 1, 3, 2)]
    for bits, precision in ((6, 3), (12, 4), (20, 8), (30, 5), (40, 9)):
        freq = _whole(random, 2, 2**precision - 1)
        start = _whole(random, 1, 2**precision - freq + 1)
        cases.append((_whole(random, 2 ** (bits - 1), 2**bits), start, freq, precision))
    return cases


def _pops(random: torch.Generator) -> list[tuple]:
    cases = [(21, WEATHER, 2), (46, WEATHER, 2), (47, WEATHER, 2), (20, TOY[1], 2)]
    for bits, symbols, precision in ((8, 3, 3), (16, 4, 6), (24, 2, 4), (32, 6, 8), (36, 3, 9)):
        cases.append((_whole(random, 2 ** (bits - 1), 2**bits), _table(random, symbols, precision), precision))
    large = (
        (1 << 90) + (_whole(random, 1, 2**40) << 20) + 2 * _whole(random, 1, 2**19) + 1
    )  # no float holds all its digits
    return [*cases, (large, _table(random, 5, 7), 7)]


def _logarithms(random: torch.Generator) -> list[tuple]:
    hand = (torch.tensor([[0.5]]).log(), torch.tensor([[0.75]]).log(), torch.tensor([[0.75, 0.5]]).log())
    pair = (torch.full((2, 1), 0.5).log(), torch.tensor([[0.75], [0.25]]).log(), torch.tensor([[0.75], [0.25]]).log())
    cases = [hand, pair]
    for n, k, pixels in ((1, 3, 6), (2, 4, 9), (3, 2, 5), (5, 7, 20), (8, 2, 30), (4, 4, 4)):
        z = torch.randn(n, k, generator=random)
        noise = 0.3 * torch.randn(n, k, generator=random)  # z = μ + σ · noise: densities, which may exceed 1
        log_prior = -(z**2) / 2 - math.log(2 * math.pi) / 2
        chance = 0.05 + 0.9 * torch.rand(n, pixels, generator=random)
        cases.append((log_prior, 1.5 - noise**2 / 2, chance.log()))
    return cases


def _images(random: torch.Generator) -> list[tuple]:
    prior = [(0, 2), (2, 2)]
    cases = [(1000, 0, TOY, TOY, prior, 2), (1000, 1, TOY, TOY, prior, 2), (1003, 0, TOY, TOY, prior, 2)]
    for bits, n, precision in ((10, 2, 3), (16, 3, 4), (20, 4, 5), (24, 3, 6), (28, 2, 4), (30, 5, 6)):
        posterior, likelihood = ([_table(random, n, precision) for _ in range(n)] for _ in range(2))
        state, pixel = _whole(random, 2 ** (bits - 1), 2**bits), _whole(random, 0, n)
        cases.append((state, pixel, posterior, likelihood, _table(random, n, precision), precision))
    return cases


def _pop(state: int, slots: Table, precision: int) -> tuple[int, int, int]:
    return (state % 2**precision, *coding.pop(state, slots, precision))


def _unlike(state: int, slots: Table, precision: int, what: str) -> tuple[int, int, int]:
    """Return `_pop` of these with one of the usual slips in the last number."""
    slot, symbol, _ = _pop(state, slots, precision)
    start, freq = slots[symbol]
    left = state >> precision
    number = {"short": left, "no start": left * freq + slot, "no slot": left * freq, "no freq": left + slot - start}
    return slot, symbol, number[what]


def _bits(log_prior: Tensor, log_posterior: Tensor, log_likelihood: Tensor) -> Tensor:
    nats = log_posterior.sum(1) - log_prior.sum(1) - log_likelihood.sum(1)
    return nats / coding.NATS_PER_BIT


def _encode(state: int, pixel: int, posterior: list, likelihood: list, prior: Table, precision: int) -> int:
    code, state = coding.pop(state, posterior[pixel], precision)
    state = coding.push(state, *likelihood[code][pixel], precision)
    return coding.push(state, *prior[code], precision)


def _nothing_back(s: int, x: int, q: list, p: list, prior: Table, n: int) -> int:
    code, _ = coding.pop(s, q[x], n)
    return coding.push(coding.push(s, *p[code][x], n), *prior[code], n)


def _best_code(s: int, x: int, q: list, p: list, prior: Table, n: int) -> int:
    code = max(range(len(prior)), key=lambda z: q[x][z][1])
    return coding.push(coding.push(s, *p[code][x], n), *prior[code], n)


def _code_first(s: int, x: int, q: list, p: list, prior: Table, n: int) -> int:
    code, s = coding.pop(s, q[x], n)
    return coding.push(coding.push(s, *prior[code], n), *p[code][x], n)


def _no_code(s: int, x: int, q: list, p: list, prior: Table, n: int) -> int:
    code, s = coding.pop(s, q[x], n)
    return coding.push(s, *p[code][x], n)


def _no_pixel(s: int, x: int, q: list, p: list, prior: Table, n: int) -> int:
    code, s = coding.pop(s, q[x], n)
    return coding.push(s, *prior[code], n)


def _posterior_again(s: int, x: int, q: list, p: list, prior: Table, n: int) -> int:
    code, s = coding.pop(s, q[x], n)
    return coding.push(coding.push(s, *p[code][x], n), *q[x][code], n)


def _turned(s: int, x: int, q: list, p: list, prior: Table, n: int) -> int:
    code, s = coding.pop(s, q[x], n)
    return coding.push(coding.push(s, *p[x][code], n), *prior[code], n)


QUESTIONS = [
    Question("push(state, start, freq, precision)", _pushes, coding.push, EXACT).with_mistakes(
        lambda s, b, f, n: (s // f << n) + b,
        "the remainder of the division by `freq` is lost. It says *which* of the symbol's slots is used, and without "
        "it nobody can undo the step",
        lambda s, b, f, n: (s // f << n) + s % f,
        "`start` is missing: you always write a slot of the first symbol",
        lambda s, b, f, n: s / f * 2**n + b + s % f,
        "a state is a whole number, but `/` makes a fraction of it",
        lambda s, b, f, n: (s << n) // f + b + s % f,
        "you make room for the slot first and divide afterwards. Divide first, so that the result ends in a whole slot",
        lambda s, b, f, n: (s // f << n) + b + s % 2**n,
        "this is the remainder of a division by the number of all slots. Only the symbol's own slots are at choice",
        lambda s, b, f, n: s // f * n + b + s % f,
        "you multiply by `precision`. It is the *logarithm* of the number of slots, to base 2",
        lambda s, b, f, n: (s // f << 2**n) + b + s % f,
        "you shift by the number of slots. The slot needs room for `precision` binary digits only",
        lambda s, b, f, n: (s >> n) * f + s % 2**n - b,
        "this is `pop`: it makes the state smaller",
        lambda s, b, f, n: (s << n) + b,
        "you push without dividing by `freq`: then every symbol costs `precision` bits, however frequent it is",
    ),
    Question("pop_slot(state, slots, precision)", _pops, _pop, EXACT).with_mistakes(
        lambda s, t, n: _unlike(s, t, n, "short"),
        "slot and symbol are right, but the state gets too small: you take away all `precision` digits. The choice "
        "among the symbol's slots goes back into the state",
        lambda s, t, n: _unlike(s, t, n, "no start"),
        "slot and symbol are right, but the state isn't: what goes back is the slot's place *among the symbol's own* "
        "slots, counted from 0",
        lambda s, t, n: _unlike(s, t, n, "no slot"),
        "slot and symbol are right, but the state isn't: the choice among the symbol's slots, which `push` took off "
        "the state, doesn't come back",
        lambda s, t, n: _unlike(s, t, n, "no freq"),
        "slot and symbol are right, but the state isn't: `push` divided by `freq`, and you don't undo that",
        lambda s, t, n: (
            _pop(s, t, n)[0] - t[_pop(s, t, n)[1]][0],
            *_pop(s, t, n)[1:],
        ),
        "the first number should be the slot among all slots, from 0 to 2^precision − 1. Yours is counted from the "
        "symbol's `start`",
        lambda s, t, n: (
            _pop(s, t, n)[1],
            _pop(s, t, n)[0],
            _pop(s, t, n)[2],
        ),
        "you return symbol and slot in the wrong order",
        lambda s, t, n: (*_pop(s, t, n)[:2], s),
        "you return the state as it was. `pop` must take the symbol off",
        lambda s, t, n: (s % 2**n, s % 2**n, _pop(s, t, n)[2]),
        "you return the slot in place of the symbol. Several slots may belong to one symbol: look it up in `slots`",
    ),
    Question("net_bits(log_prior, log_posterior, log_likelihood)", _logarithms, _bits).with_mistakes(
        lambda p, q, x: _bits(p, q, x) * math.log(2),
        "this is in nats. For bits, divide by log 2",
        lambda p, q, x: _bits(p, torch.zeros_like(q), x),
        "no bits come back: you charge pixels and code, but don't return what the popping of the code gained",
        lambda p, q, x: _bits(p, -q, x),
        "you charge the bits that come back a second time. Popping makes the stack *shorter*: mind the sign of log q",
        lambda p, q, x: _bits(p, q, torch.zeros_like(x)),
        "this is the code's part alone. The pixels must be pushed, too",
        lambda p, q, x: _bits(p * 0, q * 0, x),
        "these are the pixels alone. The code has its price, too, and gives something back",
        lambda p, q, x: -_bits(p, q, x),
        "it is minus the bill. The less probable the pixels, the *longer* the file",
        lambda p, q, x: _bits(q, p, x),
        "prior and posterior are exchanged: the code is popped with the posterior and pushed with the prior",
        lambda p, q, x: (q.mean(1) - p.mean(1) - x.mean(1)) / math.log(2),
        "you take the mean over pixels or code dimensions, where the file needs the sum. Each of them is pushed, and "
        "each costs",
        lambda p, q, x: (q.sum(1) - p.sum(1) - x.mean(1)) / math.log(2),
        "you sum over the code's dimensions but take the mean over the pixels. That changes the weights of the two: a "
        "hidden β",
        lambda p, q, x: (q.mean(1) - p.mean(1) - x.sum(1)) / math.log(2),
        "you sum over the pixels but take the mean over the code's dimensions. That changes the weights of the two: a "
        "hidden β",
        lambda p, q, x: _bits(p, q, x).sum(),
        "one number for all images. Add up each image's own terms only: the result has shape (N,)",
        lambda p, q, x: _bits(p, q, x).mean(),
        "one number for all images, their mean. Return one for each image: shape (N,)",
    ),
    Question(
        "encode_one(state, pixel, posterior, likelihood, prior, precision)", _images, _encode, EXACT
    ).with_mistakes(
        _nothing_back,
        "the code is read off the state, but not taken off: no bit comes back. Go on with the shorter state that "
        "`pop` leaves",
        _best_code,
        "you name the most probable code. That throws the choice away (the chapter's 1.415 bits): let the state choose",
        lambda s, x, q, p, prior, n: _encode(s, x, [prior] * len(q), p, prior, n),
        "the code is popped with the prior. Then it doesn't depend on the image; the choice is made with the posterior",
        _code_first,
        "the code lies under the pixel. The receiver can read the pixel only if it knows the code, so what must come "
        "out first?",
        _no_code,
        "the code was taken off, and the pixel pushed. But the receiver needs the code, too: nobody pushed it",
        _no_pixel,
        "the code is pushed, but the pixel is nowhere on the stack",
        _posterior_again,
        "the code is pushed with the posterior. The receiver doesn't know the image yet, so it could not pop that",
        _turned,
        "the indices of `likelihood` are exchanged: the first is the code, the second the pixel",
        lambda s, x, q, p, prior, n: _encode(s, x, [q[0]] * len(q), p, prior, n),
        "you use the posterior of image 0 for every image. It depends on the pixel",
    ),
]
