"""Answers to the questions of chapter 7: right ones, written in different ways, and wrong ones with their hints."""

import itertools
import statistics

import numpy as np
import torch
from scipy.stats import norm

import aecourse as ae


def lerp_by_broadcasting(start, end, steps):
    share = torch.linspace(0, 1, steps)[:, None]
    return (1 - share) * start + share * end


def lerp_by_loop(start, end, steps):
    points = []
    for step in range(steps):
        share = step / (steps - 1)
        points.append([a + share * (b - a) for a, b in zip(start.tolist(), end.tolist(), strict=True)])
    return torch.tensor(points)


def lerp_by_numpy(start, end, steps):
    return np.linspace(start.numpy(), end.numpy(), steps)


def lerp_by_outer(start, end, steps):
    return start + torch.outer(torch.arange(steps) / (steps - 1), end - start)


def grid_by_meshgrid(side):
    axis = torch.distributions.Normal(0.0, 1.0).icdf((torch.arange(side) + 0.5) / side)
    across, up = torch.meshgrid(axis, axis.flip(0), indexing="xy")
    return torch.stack([across, up], 2).reshape(-1, 2)


def grid_by_loop(side):
    bell = statistics.NormalDist()
    axis = [bell.inv_cdf((i + 0.5) / side) for i in range(side)]
    return torch.tensor([[x, y] for y in reversed(axis) for x in axis])


def grid_by_scipy(side):
    axis = norm.ppf(np.linspace(0, 1, 2 * side + 1)[1::2])
    return np.column_stack([np.tile(axis, side), np.repeat(axis[::-1], side)])


def grid_by_error_function(side):
    axis = 2**0.5 * torch.erfinv((2 * torch.arange(side) + 1) / side - 1)
    return torch.stack([axis.repeat(side), -axis.repeat_interleave(side)], 1)


def meets_by_any(classes, digit):
    return (classes[:, 1:-1] == digit).any(dim=1).float().mean()


def meets_by_loop(classes, digit):
    paths = classes.tolist()
    return sum(digit in path[1:-1] for path in paths) / len(paths)


def meets_by_numpy(classes, digit):
    return np.mean(np.max(classes.numpy()[:, 1:-1] == digit, axis=1))


def meets_by_count(classes, digit):
    seen = (classes == digit).long()
    return ((seen.sum(1) - seen[:, 0] - seen[:, -1]) > 0).double().mean().item()


RIGHT = {
    "lerp": [lerp_by_broadcasting, lerp_by_loop, lerp_by_numpy, lerp_by_outer],
    "prior_grid": [grid_by_meshgrid, grid_by_loop, grid_by_scipy, grid_by_error_function],
    "meets": [meets_by_any, meets_by_loop, meets_by_numpy, meets_by_count],
}


def walks_in_place(start, end, steps):
    points = []
    way = (end - start) / (steps - 1)
    for _ in range(steps):
        points.append(start.clone())
        start += way
    return torch.stack(points)


def arc(start, end, steps):
    return ae.evaluate.slerp(start.unsqueeze(0), end.unsqueeze(0), steps).squeeze(0)


def page(axis):
    return np.array([(x, y) for y in reversed(list(axis)) for x in list(axis)])


def shares(side):
    return [(i + 0.5) / side for i in range(side)]


def page_from_the_bottom(side):
    return np.array([(x, y) for y in norm.ppf(shares(side)) for x in norm.ppf(shares(side))])


def page_with_x_and_y_exchanged(side):
    axis = norm.ppf(shares(side))
    return np.array([(y, x) for y in axis[::-1] for x in axis])


def page_by_columns(side):
    axis = norm.ppf(shares(side))
    return np.array(list(itertools.product(axis, axis[::-1])))


def page_from_the_right(side):
    axis = norm.ppf(shares(side))[::-1]
    return np.array([(x, y) for y in axis for x in axis])


def forgets_that_shape(side):
    return grid_by_loop(side).reshape(side, side, 2)


def recognised_only(classes, digit):
    between = classes[:, 1:-1]
    between = between[(between != -1).any(1)]
    return (between == digit).any(1).float().mean()


def any_other(classes, digit):
    between = classes[:, 1:-1]
    return ((between != -1) & (between != digit)).any(1).float().mean()


WRONG = {
    "lerp": [
        (lambda a, b, n: torch.stack([a + i / n * (b - a) for i in range(n)]), "stops one step before the end"),
        (lambda a, b, n: torch.stack([a + (i + 1) / n * (b - a) for i in range(n)]), "one step after the start"),
        (lambda a, b, n: torch.stack([a + i / (n + 1) * (b - a) for i in range(1, n + 1)]), "both ends are missing"),
        (lambda a, b, n: torch.stack([a + i / n * (b - a) for i in range(n + 1)]), "one point too many"),
        (lambda a, b, n: torch.stack([b + i / (n - 1) * (a - b) for i in range(n)]), "from the end to the start"),
        (lambda a, b, n: torch.stack([a + i / (n - 1) * b for i in range(n)]), "*along* the end"),
        (lambda a, b, n: a[:, None] + torch.linspace(0, 1, n) * (b - a)[:, None], "rows and columns are exchanged"),
        (arc, "this is the arc of section 7.5"),
        (walks_in_place, "changes its input `start`"),
        (lambda a, b, n: a + torch.linspace(0, 1, n) * (b - a), "raised RuntimeError"),
        (lambda a, b, n: (a + b) / 2, "has shape (2,), should be (3, 2)"),
    ],
    "prior_grid": [
        (page_from_the_bottom, "the bottom row comes first"),
        (page_with_x_and_y_exchanged, "the two numbers of each code are exchanged"),
        (page_by_columns, "column by column"),
        (page_from_the_right, "from right to left"),
        (lambda n: page(np.linspace(-3, 3, n)), "evenly spread from −3 to 3"),
        (lambda n: page(norm.ppf(np.linspace(0, 1, n))), "these are the edges of equal parts"),
        (lambda n: page(norm.ppf(np.linspace(0.05, 0.95, n))), "from 5 to 95 %"),
        (lambda n: page(norm.ppf(np.linspace(0, 1, n + 2)[1:-1])), "not the *middles* of `side` equal parts"),
        (lambda n: page(norm.ppf([i / n for i in range(n)])), "the lower edges of equal parts"),
        (lambda n: page(norm.cdf(shares(n))), "this is the distribution function itself"),
        (lambda n: page(shares(n)), "the shares themselves"),
        (forgets_that_shape, "has shape (2, 2, 2), should be (4, 2)"),
    ],
    "meets": [
        (lambda c, d: np.mean([d in path for path in c.tolist()]), "you count the ends, too"),
        (lambda c, d: np.mean([d in path[:-1] for path in c.tolist()]), "you leave out the last step, but not the"),
        (lambda c, d: np.mean([d in path[1:] for path in c.tolist()]), "you leave out the first step, but not the"),
        (lambda c, d: np.mean(c.numpy()[:, 1:-1] == d), "a share of the *steps*"),
        (lambda c, d: np.mean((c.numpy()[:, 1:-1] == d).min(1)), "*every* step between"),
        (lambda c, d: np.mean((c.numpy()[:, 1:-1] == d).any(0)), "the axes are exchanged"),
        (lambda c, d: sum(d in path[1:-1] for path in c.tolist()), "this is a number of paths"),
        (recognised_only, "on which something is recognised"),
        (lambda c, d: np.mean([path[len(path) // 2] == d for path in c.tolist()]), "the middle step only"),
        (any_other, "*another* digit"),
        (lambda c, d: (c[:, 1:-1] == d).any(1).mean(), "raised RuntimeError"),
        (lambda c, d: (c[:, 1:-1] == d).any(1), "should be a single number"),
    ],
}
