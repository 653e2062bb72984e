"""The questions of chapter 13: the label beside the code, the gap between two knowers, and who is steered where."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..models import ConditionalVAE
from .checking import Question


def _orders(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[0.5, -1.0], [2.0, 3.0]]), torch.tensor([2, 0]), 3),
        (torch.tensor([[4.0], [5.0], [6.0]]), torch.tensor([1, 1, 0]), 2),
    ]
    sizes = [(5, 2, 10), (7, 3, 4), (1, 6, 10), (4, 4, 4), (3, 5, 7)]
    return fixed + [
        (torch.randn(n, k, generator=random), torch.randint(classes, (n,), generator=random), classes)
        for n, k, classes in sizes
    ]


def _beside(latents: Tensor, labels: Tensor, classes: int) -> Tensor:
    return ConditionalVAE((1, 1), classes=classes, image_shape=(1, 1, 1)).beside(latents, labels)


def _one_hot(labels: Tensor, classes: int) -> Tensor:
    return F.one_hot(labels, classes).float()


def _weights(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[0.8, 0.0, 0.3], [0.1, 0.0, 0.3], [0.2, 0.5, 0.0]]),),
        (torch.tensor([[0.2, 0.9], [0.7, 0.4]]),),
        (torch.tensor([[1.0, 0.0], [0.0, 1.0]]),),
    ]
    return fixed + [(torch.rand(shape, generator=random),) for shape in ((4, 3), (6, 5), (3, 4), (10, 2), (2, 6))]


def _gap(shares: Tensor) -> Tensor:
    best, second = shares.topk(2, dim=0).values
    return (best - second).mean()


def _row_gap(shares: Tensor) -> Tensor:
    best, second = shares.topk(2, dim=1).values.T
    return (best - second).mean()


def _lowest_gap(shares: Tensor) -> Tensor:
    lowest, next_lowest = shares.topk(2, dim=0, largest=False).values
    return (next_lowest - lowest).mean()


def _gap_without_ties(shares: Tensor) -> Tensor:
    return torch.stack([column.unique()[-2:].diff().sum() for column in shares.T]).mean()


def _digits(random: torch.Generator) -> list[tuple]:
    codes = torch.tensor([[0.0, 0.0], [2.0, 0.0], [10.0, 4.0], [10.0, 8.0]])
    cases = [
        (codes, torch.tensor([0, 0, 1, 1]), 0, 1, torch.tensor([[0.0, 1.0], [3.0, -1.0]])),
        (codes, torch.tensor([0, 0, 1, 1]), 1, 0, torch.tensor([[9.0, 6.0]])),
    ]
    for n, k, start, end in ((30, 3, 2, 0), (50, 2, 1, 2), (40, 5, 0, 2), (60, 4, 2, 1), (25, 2, 1, 0)):
        labels = torch.cat([torch.arange(3), torch.randint(3, (n - 3,), generator=random)])
        points = torch.randn(n, k, generator=random) + 3.0 * labels[:, None]
        cases.append((points, labels, start, end, torch.randn(4, k, generator=random)))
    return cases


def _middle(codes: Tensor, labels: Tensor, digit: int) -> Tensor:
    return codes[labels == digit].mean(0)


def _steer(codes: Tensor, labels: Tensor, start: int, end: int, z: Tensor) -> Tensor:
    return z + _middle(codes, labels, end) - _middle(codes, labels, start)


QUESTIONS = [
    Question("with_label(latents, labels, classes)", _orders, _beside).with_mistakes(
        lambda z, y, c: torch.cat([_one_hot(y, c), z], 1),
        "the label stands before the code. The code comes first, the label's numbers after it",
        lambda z, y, c: torch.cat([z, y[:, None].float()], 1),
        "the label itself stands beside the code, as one number. Then 9 would be nine times as much as 1: it needs a "
        "place of its own for each class",
        lambda z, y, c: torch.cat([z, _one_hot(y, c) * y[:, None]], 1),
        "the place of the label has its number instead of a 1",
        lambda z, y, c: torch.cat([z, 1 - _one_hot(y, c)], 1),
        "0 and 1 are exchanged: the label's own place has the 1",
        lambda z, y, c: torch.cat([z, _one_hot(y[:1].expand(len(y)), c)], 1),
        "all rows have the label of the first. Each row has its own",
        lambda z, y, c: torch.cat([z, _one_hot(y, c).roll(-1, 1)], 1),
        "the classes are counted from 1, but the labels begin with 0",
        lambda z, y, c: torch.cat([z, _one_hot(y, int(y.max()) + 1)], 1),
        "there are only as many places as labels occur among these. `classes` says how many there are",
        lambda z, y, c: _one_hot(y, c),
        "the code is missing: these are the label's numbers alone",
    ),
    Question("information_gap(shares)", _weights, _gap).with_mistakes(
        _row_gap,
        "you look for the two best *factors* of each number. Asked are the two best numbers for each factor",
        lambda s: s.max(0).values.mean(),
        "this is the best number's share alone. Subtract the second best",
        lambda s: (s.max(0).values - s.min(0).values).mean(),
        "you subtract the *worst* number. The gap is to the second best",
        lambda s: (s.max(0).values - s.mean(0)).mean(),
        "you subtract the mean of all numbers. The gap is to the second best",
        lambda s: _gap(s) * s.shape[1],
        "you add up the gaps of the factors. Asked is their mean",
        lambda s: -_gap(s),
        "the sign is wrong: second best less best",
        lambda s: (s[0] - s[1]).mean(),
        "these are the gaps between the first two numbers of the code, which need not be the best ones",
        lambda s: -_lowest_gap(s),
        "these are the two *smallest* entries of each column, the smallest less the next one: did you sort? A sort "
        "begins with the smallest",
        _lowest_gap,
        "this is the gap between the two *smallest* entries of each column. Asked are the two largest",
        _gap_without_ties,
        "equal entries are lost, as with `unique` or `set`. Two numbers that know a factor equally well leave a gap "
        "of 0",
        lambda s: (s.topk(2, dim=0).values[0] - s.topk(2, dim=0).values[1]).max(),
        "this is the largest gap of all factors. Asked is their mean",
    ),
    Question("steer(codes, labels, start, end, z)", _digits, _steer).with_mistakes(
        lambda c, y, a, b, z: _steer(c, y, b, a, z),
        "you go the wrong way, from `end` to `start`",
        lambda c, y, a, b, z: z + _middle(c, y, b),
        "you add the mean of `end` and keep that of `start` in the code. Take it out",
        lambda c, y, a, b, z: _middle(c, y, b).expand_as(z),
        "all codes end at one point, the mean of `end`: the style is gone. Add the *difference* of the means to each "
        "code",
        lambda c, y, a, b, z: z + _middle(c, y, b) - c.mean(0),
        "you subtract the mean of all codes. Subtract that of the codes with the label `start`",
        lambda c, y, a, b, z: (z + _steer(c, y, a, b, z)) / 2,
        "you go half of the way",
        lambda c, y, a, b, z: z + F.normalize(_middle(c, y, b) - _middle(c, y, a), dim=0),
        "you made the direction one unit long. Its length is the way from one mean to the other",
        lambda c, y, a, b, z: z + c[y == b].mean() - c[y == a].mean(),
        "your mean is one number for all of the code. Each number of the code has its own mean",
        lambda c, y, a, b, z: z + c[y == b].sum(0) - c[y == a].sum(0),
        "you moved by the difference of the *sums*, which grows with the number of images",
        lambda c, y, a, b, z: _steer(c, y, a, b, c),
        "you move `codes`. They only show where the labels lie; what is steered is `z`",
        lambda c, y, a, b, z: z + c[b] - c[a],
        "`codes[end]` is the code of one image, whatever its label. A mean is taken over all codes with that label",
    ),
]
