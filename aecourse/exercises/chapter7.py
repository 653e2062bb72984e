"""The questions of chapter 7: the straight way, a page of the prior, and what is met on the way."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Normal

from .. import evaluate
from .checking import Question

BELL = Normal(0.0, 1.0)


def _ends(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0]), 3),
        (torch.tensor([1.0, 2.0, -1.0]), torch.tensor([2.0, -2.0, 3.0]), 5),
        (torch.tensor([-1.0, 1.0, 0.5, 2.0]), torch.tensor([2.0, 1.0, -0.5, 1.0]), 2),
    ]
    sizes = [(2, 4), (16, 11), (5, 21), (1, 6)]
    return fixed + [(*torch.randn(2, d, generator=random).unbind(), steps) for d, steps in sizes]


def _sides(random: torch.Generator) -> list[tuple]:
    drawn = torch.randperm(27, generator=random)[:5] + 4
    return [(side,) for side in [2, 1, 3, *drawn.tolist()]]


def _paths(random: torch.Generator) -> list[tuple]:
    hand = torch.tensor([[5, -1, 3, 2], [5, 8, 8, 2], [8, 5, -1, 2], [5, 3, 2, 8]])
    cases = [(hand, 8), (hand, 3), (torch.tensor([[4, 9, -1, 7, 7]]), 9)]
    for digit, (n, steps) in enumerate([(1, 6), (5, 3), (12, 4), (40, 7), (60, 5), (9, 21)]):
        classes = torch.randint(-1, 9, (n, steps), generator=random)
        classes[::4, 1:-1] = -1  # paths on which nothing is recognised
        classes[-1, 1] = digit
        cases.append((classes, digit))
    return cases


def _line(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    return start + shares[:, None] * (end - start)


def _lerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    return evaluate.lerp(start[None], end[None], steps)[0]


def _arc(start: Tensor, end: Tensor, steps: int) -> Tensor:
    return evaluate.slerp(start[None], end[None], steps)[0]


def _page(across: Tensor, down: Tensor) -> Tensor:
    """Return the points of a grid, row by row, with x from `across` and y, row by row, from `down`."""
    return torch.cartesian_prod(down, across).reshape(-1, 2).flip(1)


def _middles(side: int) -> Tensor:
    return BELL.icdf((torch.arange(side) + 0.5) / side)


def _square(axis: Tensor) -> Tensor:
    return _page(axis, axis.flip(0))


def _grid(side: int) -> Tensor:
    return _square(_middles(side))


def _met(classes: Tensor, digit: int) -> float:
    return evaluate.crossing_share(classes[:, 1:-1], digit)


QUESTIONS = [
    Question("lerp(start, end, steps)", _ends, _lerp).with_mistakes(
        lambda a, b, n: _line(a, b, torch.arange(n) / n),
        "your way stops one step before the end. Both ends belong to it: the last share is 1",
        lambda a, b, n: _line(a, b, (torch.arange(n) + 1) / n),
        "your way begins one step after the start. Both ends belong to it: the first share is 0",
        lambda a, b, n: _line(a, b, (torch.arange(n) + 1) / (n + 1)),
        "both ends are missing. The first share is 0, the last is 1",
        lambda a, b, n: _lerp(a, b, n + 1),
        "you return one point too many. `steps` counts the points, both ends included, and not the gaps between them",
        lambda a, b, n: _lerp(b, a, n),
        "you walk from the end to the start. At the share 0 everything must come from `start`",
        lambda a, b, n: a + torch.linspace(0, 1, n)[:, None] * b,
        "you go from the start *along* the end, and arrive at their sum. What must be added is a share of the way "
        "between them",
        lambda a, b, n: _lerp(a, b, n).T,
        "rows and columns are exchanged: a row for each step, a column for each number of the code",
        _arc,
        "this is the arc of section 7.5, at constant speed around the origin. Asked is the straight line",
    ),
    Question("prior_grid(side)", _sides, _grid).with_mistakes(
        lambda n: _page(_middles(n), _middles(n)),
        "the bottom row comes first. In a picture the first row is the top one, where y is largest",
        lambda n: _square(_middles(n)).flip(1),
        "the two numbers of each code are exchanged: along a row of the picture x must change, not y",
        lambda n: _grid(n).reshape(n, n, 2).transpose(0, 1).reshape(-1, 2),
        "you go through the grid column by column. Along the rows: x changes from one code to the next, y only with a "
        "new row",
        lambda n: _page(_middles(n).flip(0), _middles(n).flip(0)),
        "x runs from right to left",
        lambda n: _square(torch.linspace(-3, 3, n)),
        "your points are evenly spread from −3 to 3. Then the rare outside gets as many pictures as the crowded "
        "middle: spread the *shares* evenly",
        lambda n: _square(BELL.icdf(torch.linspace(0, 1, n))),
        "these are the edges of equal parts, from the share 0 to the share 1, and the outermost are infinite. Asked "
        "are the middles of the parts",
        lambda n: _square(BELL.icdf(torch.linspace(0.05, 0.95, n))),
        "your shares run from 5 to 95 %, as in a well-known example on the web. The tails are cut off, and the outer "
        "pictures stand for less than the inner ones",
        lambda n: _square(BELL.icdf((torch.arange(n) + 1.0) / (n + 1))),
        "your shares are spread evenly, but they are not the *middles* of `side` equal parts. With two parts the "
        "middles are ¼ and ¾",
        lambda n: _square(BELL.icdf(torch.arange(n) / n)),
        "these are the lower edges of equal parts, not their middles. The lowest is minus infinity",
        lambda n: _square(BELL.cdf((torch.arange(n) + 0.5) / n)),
        "this is the distribution function itself, from numbers to shares. You need its inverse",
        lambda n: _square((torch.arange(n) + 0.5) / n),
        "these are the shares themselves, between 0 and 1. Turn them into the numbers they belong to",
    ),
    Question("meets(classes, digit)", _paths, _met).with_mistakes(
        evaluate.crossing_share,
        "you count the ends, too. Every way begins and ends at some digit: only what lies *between* was met",
        lambda c, d: evaluate.crossing_share(c[:, :-1], d),
        "you leave out the last step, but not the first",
        lambda c, d: evaluate.crossing_share(c[:, 1:], d),
        "you leave out the first step, but not the last",
        lambda c, d: (c[:, 1:-1] == d).float().mean(),
        "this is a share of the *steps*. Asked is the share of the paths on which there is such a step",
        lambda c, d: (c[:, 1:-1] == d).all(1).float().mean(),
        "you count only paths on which *every* step between shows the digit. One is enough",
        lambda c, d: (c[:, 1:-1] == d).any(0).float().mean(),
        "the axes are exchanged: this is the share of the *steps* at which some path shows the digit",
        lambda c, d: (c[:, 1:-1] == d).any(1).sum(),
        "this is a number of paths. Asked is their share",
        lambda c, d: (c[:, 1:-1] == d).any(1).sum() / (c[:, 1:-1] >= 0).any(1).sum(),
        "you divide by the paths on which something is recognised between the ends. Those with nothing count as "
        "paths, too",
        lambda c, d: (c[:, c.shape[1] // 2] == d).float().mean(),
        "you look at the middle step only. The digit may show at any step between the ends",
        lambda c, d: ((c[:, 1:-1] != d) & (c[:, 1:-1] >= 0)).any(1).float().mean(),
        "this is the share of the paths on which *another* digit is seen. Asked is this one",
    ),
]
