"""The questions of chapter 1: entropy, the wrong code, one step of Huffman's algorithm, the bits of an image."""

from __future__ import annotations

import math

import torch

from .. import coding
from .checking import Question


def _probabilities(random: torch.Generator, n: int) -> list[float]:
    weights = torch.rand(n, generator=random, dtype=torch.float64) + 0.05
    return (weights / weights.sum()).tolist()


def _sources(random: torch.Generator) -> list[tuple]:
    fixed = [[0.5, 0.25, 0.125, 0.125], [0.9, 0.1], [1.0, 0.0], [0.25, 0.25, 0.5, 0.0]]
    return [(p,) for p in fixed] + [(_probabilities(random, n),) for n in (2, 3, 5, 8)]


def _pairs(random: torch.Generator) -> list[tuple]:
    fixed = [
        ([0.125, 0.125, 0.25, 0.5], [0.5, 0.25, 0.125, 0.125]),
        ([0.98, 0.02], [0.5, 0.5]),
        ([0.0, 1.0], [0.5, 0.5]),
    ]
    return fixed + [(_probabilities(random, n), _probabilities(random, n)) for n in (2, 3, 5, 8)]


def _weights(random: torch.Generator) -> list[tuple]:
    fixed = [[0.45, 0.25, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4], [0.6, 0.4]]
    return [(p,) for p in fixed] + [(_probabilities(random, n),) for n in (3, 4, 6, 9)]


def _images(random: torch.Generator) -> list[tuple]:
    cases = []
    for n in (1, 3, 4):
        pixels = torch.bernoulli(torch.full((n, 1, 4, 4), 0.3), generator=random)
        cases.append((pixels, 0.02 + 0.96 * torch.rand((n, 1, 4, 4), generator=random)))
    return cases


def _log2(value: float) -> float:
    return math.log2(value) if value > 0 else -math.inf


def _merged(p: list[float]) -> list[float]:
    light, heavy, *rest = sorted(p)
    return sorted([*rest, light + heavy])


def _bits(pixels: torch.Tensor, white: torch.Tensor) -> torch.Tensor:
    chance = torch.where(pixels == 1, white, 1 - white)
    return -chance.log2().flatten(1).sum(1)


QUESTIONS = [
    Question("entropy(p)", _sources, coding.entropy).with_mistakes(
        lambda p: coding.entropy(p) * math.log(2),
        "this is the entropy in nats. For bits, take the logarithm to base 2",
        lambda p: sum(math.nan if x == 0 else -x * math.log2(x) for x in p),
        "it is NaN where a probability is 0. What never happens costs nothing: count 0 · log 0 as 0",
        lambda p: -coding.entropy(p),
        "your entropy is negative. Surprise is minus the logarithm of the probability",
        lambda p: -sum(math.log2(x) for x in p if x > 0),
        "you add the surprises without weighing them. The entropy is the *mean* surprise: multiply each by its "
        "probability",
        lambda p: coding.entropy(p) / len(p),
        "you divide by the number of symbols. The probabilities are the weights of the mean already",
        lambda p: math.log2(len(p)),
        "this is log₂ of the number of symbols: a code that does not look at the probabilities",
    ),
    Question("cross_entropy(q, p)", _pairs, coding.cross_entropy).with_mistakes(
        lambda q, p: -sum(y * _log2(x) for x, y in zip(q, p, strict=True) if y > 0),
        "the two are exchanged. `q` is the world, so it gives the weights; `p` is what the code was made for, so it "
        "gives the lengths −log₂ p",
        coding.kl,
        "this is the waste alone, KL(q‖p). The cross-entropy is the whole bill: add the entropy of `q`",
        lambda q, p: coding.entropy(q),
        "this is the entropy of `q`, as if the code were made for it",
        lambda q, p: coding.entropy(p),
        "this is the entropy of `p`, as if the world were what the code believes",
        lambda q, p: coding.cross_entropy(q, p) * math.log(2),
        "this is in nats. For bits, take the logarithm to base 2",
        lambda q, p: -coding.cross_entropy(q, p),
        "it is negative: the length of a word is −log₂ p",
    ),
    Question("huffman_step(weights)", _weights, _merged).with_mistakes(
        lambda p: sorted([*sorted(p)[:-2], sum(sorted(p)[-2:])]),
        "you join the two *heaviest*. The rarest must get the longest words: join the lightest",
        lambda p: sorted([p[0] + p[1], *p[2:]]),
        "you join the first two of the list, whatever they weigh",
        lambda p: sorted(p)[2:],
        "the two lightest are gone, but their sum is missing: they go on as one symbol",
        lambda p: sorted([*p, sum(sorted(p)[:2])]),
        "the sum is there, but the two that were joined are there too",
        lambda p: [*sorted(p)[2:], sum(sorted(p)[:2])],
        "the weights are right, but not sorted from light to heavy",
        lambda p: sorted([*sorted(p)[2:], sum(sorted(p)[:2]) / 2]),
        "the joined symbol has the *mean* weight of the two. It is as likely as both together: add",
    ),
    Question("image_bits(pixels, white)", _images, _bits).with_mistakes(
        lambda x, w: _bits(x, w) / 16,
        "this is the mean over the pixels. A file holds them all: add them up",
        lambda x, w: _bits(x, w).sum(),
        "one number for all images. Add up each image's own pixels only: the result has shape (N,)",
        lambda x, w: _bits(x, w).mean(),
        "one number for all images, their mean. Return one for each image: shape (N,)",
        lambda x, w: _bits(x, w) * math.log(2),
        "this is in nats. For bits, divide by log 2",
        lambda x, w: -(x * w.log2()).flatten(1).sum(1),
        "you count white pixels only. A black one has the probability 1 − white, and costs too",
        lambda x, w: _bits(1 - x, w),
        "black and white are exchanged: `white` is the probability of a 1",
        lambda x, w: -_bits(x, w),
        "it is negative: a pixel costs *minus* the logarithm of its probability",
    ),
]
