"""The questions of chapter 15: the critic's loss, its best answer, and what keeps samples apart."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import models
from .checking import Question


def _energies(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([1.0, 3.0]), torch.tensor([4.0, 12.0]), 10.0),
        (torch.tensor([2.0, 0.5, 1.0]), torch.tensor([1.0, 9.0]), 5.0),
        (torch.tensor([4.0]), torch.tensor([7.0, 8.0, 30.0]), 6.0),
    ]
    drawn = []
    for n, m, margin in [(8, 8, 10.0), (5, 20, 3.0), (30, 12, 25.0), (64, 64, 15.0)]:
        real, generated = (20 * torch.rand(count, generator=random) for count in (n, m))
        drawn.append((real, 2 * generated, margin))
    return fixed + drawn


def _places(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([0.6, 0.4]), torch.tensor([0.2, 0.8]), 5.0),
        (torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.0, 0.0, 1.0]), 10.0),
        (torch.tensor([0.2, 0.3, 0.5]), torch.tensor([0.4, 0.35, 0.25]), 2.0),
    ]
    drawn = [(*torch.rand(2, n, generator=random).add(0.05), m) for n, m in [(4, 1.0), (7, 20.0), (12, 0.5), (3, 8.0)]]
    return fixed + [(p / p.sum(), q / q.sum(), m) for p, q, m in drawn]


def _codes(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]),),
        (torch.tensor([[1.0, 1.0], [-2.0, -2.0]]),),
        (torch.tensor([[3.0, 4.0], [4.0, 3.0], [-1.0, 0.5], [0.2, -2.0]]),),
    ]
    sizes = [(2, 3), (5, 2), (16, 8), (40, 5)]
    return fixed + [(torch.randn(n, d, generator=random) + 0.3,) for n, d in sizes]


def _margin_loss(real: Tensor, generated: Tensor, margin: float) -> Tensor:
    return real.mean() + F.relu(margin - generated).mean()


def _best_energy(p: Tensor, q: Tensor, margin: float) -> Tensor:
    return torch.where(q > p, margin, 0.0)


def _cosines(codes: Tensor) -> Tensor:
    unit = F.normalize(codes, dim=1)
    return unit @ unit.T


def _others(values: Tensor) -> Tensor:
    """Return the mean of a square matrix without its diagonal."""
    n = len(values)
    return (values.sum() - values.diagonal().sum()) / (n * (n - 1))


QUESTIONS = [
    Question("margin_loss(real, generated, margin)", _energies, _margin_loss).with_mistakes(
        lambda r, g, m: r.mean() + (m - g).mean(),
        "generated images above the margin bring you a reward. Above it nothing more is to be gained: there the term "
        "is 0",
        lambda r, g, m: r.mean() + F.relu(m - g.mean()),
        "you cut off after averaging. One generated image far above the margin then makes up for others below it: cut "
        "off for each image first",
        lambda r, g, m: r.mean() + F.relu(g - m).mean(),
        "the hinge is the wrong way round: you punish generated images *above* the margin",
        lambda r, g, m: g.mean() + F.relu(m - r).mean(),
        "you have exchanged the two kinds of image: real ones must have a low energy, generated ones a high one",
        lambda r, g, m: F.relu(m - g).mean(),
        "the term of the real images is missing. With the hinge alone the critic would raise the energy everywhere",
        lambda r, g, m: r.mean(),
        "the term of the generated images is missing: this is a plain autoencoder",
        lambda r, g, m: r.mean() - g.mean(),
        "you subtract the energy of the generated images without a margin. The critic could raise it for ever",
        lambda r, g, m: r.mean() - F.relu(m - g).mean(),
        "the hinge must not weaken the loss: it is added, not subtracted",
        lambda r, g, m: r.sum() + F.relu(m - g).sum(),
        "you sum over the images. Asked are means, so that the loss doesn't depend on the batch",
        lambda r, g, m: g.mean(),
        "this is the generator's loss. Asked is the critic's",
    ),
    Question("best_energy(p, q, margin)", _places, _best_energy).with_mistakes(
        lambda p, q, m: torch.where(p > q, m, 0.0),
        "the wrong way round: where real images are the more frequent, the energy must be low",
        lambda p, q, m: (q > p).float(),
        "you say 1 where the margin belongs. A lower energy than the margin still costs",
        lambda p, q, m: m * q / (p + q),
        "these are shares: how the best *classifier* would hedge. Here the cost has corners, and the best energy is "
        "one end or the other",
        lambda p, q, m: torch.where(q > 0.5, m, 0.0),
        "you compare the generator with a fixed share. Compare it with the data at the same place",
        lambda p, q, m: torch.where(q > 0, m, 0.0),
        "you raise the energy wherever the generator may come. It also raises the cost of the real images there",
        lambda p, q, m: m * torch.minimum(p, q),
        "this is what each place *costs* under the best critic. Asked is the energy that it gives it",
        lambda p, q, m: torch.where(q > p, m, -m),
        "the energy falls below 0 where real images are the more frequent. A squared error can't",
        lambda p, q, m: m * F.relu(q - p),
        "you make the energy proportional to the difference. Moving it further always pays until 0 or the margin is "
        "reached",
    ),
    Question("pulling_away(codes)", _codes, models.pulling_away).with_mistakes(
        lambda c: _cosines(c).square().mean(),
        "you count each code's cosine with itself, which is always 1. Only different codes are compared",
        lambda c: _others(_cosines(c)),
        "the square is missing: opposite codes would cancel equal ones",
        lambda c: _others(_cosines(c).abs()),
        "you take the absolute value of the cosine. Asked is its square",
        lambda c: _others((c @ c.T).square()),
        "you square products of the codes themselves. Their *lengths* must not matter: divide by them",
        lambda c: _others(_cosines(c).square()) * (len(c) - 1) / len(c),
        "you take out the diagonal, but divide as if it were still there",
        lambda c: _others(_cosines(c).square()) / 2,
        "you count each pair once, but divide as if it counted twice",
        lambda c: _others(_cosines(c).square()) * len(c) * (len(c) - 1),
        "this is a sum over pairs. Asked is their mean",
        lambda c: _others(_cosines(c.T).square()),
        "you compare the columns: dimensions of the code with each other. Compare the rows, one for each image",
        lambda c: models.pulling_away(c - c.mean(0)),
        "you have subtracted the mean code first. The term compares directions as seen from the origin",
    ),
]
