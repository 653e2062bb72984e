"""The questions of chapter 10: a price for activity, a share for every unit, and the k largest."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import evaluate, models
from .checking import Question


def _inputs(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([1.0, 0.5, 0.2]), 0.6),
        (torch.tensor([0.4, -0.4, 0.0]), 0.2),
        (torch.tensor([[2.0, -3.0], [0.1, 1.0]]), 1.0),
        (torch.tensor([0.7, -0.2]), 0.0),
    ]
    return fixed + [(2 * torch.randn(3, n, generator=random), price) for n, price in ((5, 0.5), (8, 1.2), (2, 3.0))]


def _activities(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[0.1, 0.5], [0.3, 0.9]]), 0.2),
        (torch.tensor([[0.05], [0.15], [0.1]]), 0.05),
        (torch.tensor([[0.9, 0.1, 0.2]]), 0.1),
    ]
    sizes = [(6, 4, 0.05), (10, 7, 0.3), (3, 8, 0.01), (20, 2, 0.5)]
    return fixed + [(0.02 + 0.9 * torch.rand(n, k, generator=random), rho) for n, k, rho in sizes]


def _codes(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[1.0, -3.0, 2.0, 0.5], [4.0, 5.0, -6.0, 7.0]]), 2),
        (torch.tensor([[0.2, 0.1, 0.4]]), 1),
        (torch.tensor([[3.0, -1.0], [-2.0, 5.0], [0.5, 0.25]]), 2),
    ]
    sizes = [(5, 6, 2), (3, 10, 4), (8, 5, 1), (4, 12, 3)]
    return fixed + [(torch.randn(n, k, generator=random), count) for n, k, count in sizes]


def _shrunk(inputs: Tensor, price: float) -> Tensor:
    return (inputs - price / 2).clamp(min=0)


def _sparsity(codes: Tensor, rho: float) -> Tensor:
    return models.bernoulli_kl(rho, codes.mean(0)).sum()


def _reverse(codes: Tensor, rho: float) -> Tensor:
    mean = codes.mean(0)
    return (mean * (mean / rho).log() + (1 - mean) * ((1 - mean) / (1 - rho)).log()).sum()


def _cross_entropy(codes: Tensor, rho: float) -> Tensor:
    mean = codes.mean(0)
    return -(rho * mean.log() + (1 - rho) * (1 - mean).log()).sum()


def _largest_values(codes: Tensor, count: int) -> Tensor:
    places = codes.topk(count, dim=1).indices
    return torch.zeros_like(codes).scatter(1, places, codes.gather(1, places))


def _largest_of_all(codes: Tensor, count: int) -> Tensor:
    return evaluate.keep_largest(codes.reshape(1, -1), count * len(codes)).reshape(codes.shape)


def _one_fewer(codes: Tensor, count: int) -> Tensor:
    return evaluate.keep_largest(codes, count - 1) if count > 1 else torch.zeros_like(codes)


QUESTIONS = [
    Question("best_activity(inputs, price)", _inputs, _shrunk).with_mistakes(
        lambda x, price: (x - price).clamp(min=0),
        "you take away the whole price. The squared error has the slope 2(z − x), so set the derivative of both terms "
        "to 0",
        lambda x, price: x - price / 2,
        "some activities are negative. A unit can't be less than silent",
        lambda x, price: x - price,
        "two things are wrong: you take away too much, and some of the results are below 0. A unit can't be less than "
        "silent, and the squared error has a slope of its own",
        lambda x, price: ((x - price) / 2).clamp(min=0),
        "your units answer with half of what is left after the price. Think of a price of 0: then the best activity "
        "is the input itself",
        lambda x, price: torch.where(x > price / 2, x, 0.0),
        "your units stay silent below the right threshold, but above it they are not shrunk. The price counts there, "
        "too",
        lambda x, price: (x.abs() - price / 2).clamp(min=0),
        "negative inputs come out active. No positive activity brings z nearer to a negative input",
        lambda x, price: x.sign() * (x.abs() - price / 2).clamp(min=0),
        "this is the soft threshold for codes of either sign. Here units are never negative",
        lambda x, price: x.clamp(min=0),
        "you leave the price out: this is the best activity if it costs nothing",
        lambda x, price: (x * (1 - price / 2)).clamp(min=0),
        "you multiply by the price. A price per unit of activity takes away a constant amount, not a share",
    ),
    Question("kl_sparsity(codes, rho)", _activities, _sparsity).with_mistakes(
        _reverse,
        "this is the KL the other way round, KL(ρ̂ ‖ ρ). The wanted share ρ comes first, so it is what the logarithms "
        "are weighted with",
        lambda c, rho: models.bernoulli_kl(rho, c.mean(0)).mean(),
        "you average over the units. The price is the sum: each unit pays for itself",
        lambda c, rho: models.bernoulli_kl(rho, c).mean(0).sum(),
        "you compute the price for every single activity and average then. Asked is the price of the *mean* activity "
        "of each unit",
        lambda c, rho: models.bernoulli_kl(rho, c).sum(),
        "you add up a price for every activity of every image. A unit pays once, for its mean over the images",
        lambda c, rho: models.bernoulli_kl(rho, c.mean()),
        "you take one mean over all units together. Then a unit that is always active can hide behind silent ones; "
        "each has a mean of its own",
        lambda c, rho: models.bernoulli_kl(rho, c.mean(1)).sum(),
        "you average over the units of an image. ρ̂ belongs to a unit: average over the images",
        lambda c, rho: (rho * (rho / c.mean(0)).log()).sum(),
        "one of the two terms is missing. A unit that is silent most of the time has to be silent with the right "
        "share, too",
        _cross_entropy,
        "this is the cross-entropy. It is not 0 where the shares agree",
        lambda c, rho: -_sparsity(c, rho),
        "the sign is wrong: a KL is never negative",
        lambda c, rho: _sparsity(c, rho) / torch.tensor(2.0).log(),
        "this is in bits. Use the natural logarithm",
    ),
    Question("keep_largest(codes, k)", _codes, evaluate.keep_largest).with_mistakes(
        _largest_values,
        "a large negative number is dropped. What counts is the magnitude",
        lambda c, k: evaluate.keep_largest(c.relu(), k),
        "only positive numbers are left, as after a ReLU. Here a number of either sign may be among the largest",
        lambda c, k: (evaluate.keep_largest(c, k) != 0).float(),
        "this only says *which* numbers stay, with 1 for yes and 0 for no. Asked are the numbers themselves",
        lambda c, k: evaluate.keep_largest(c, k).abs(),
        "you lose the signs: keep the numbers themselves and not their magnitudes",
        lambda c, k: evaluate.keep_largest(c.T.contiguous(), min(k, len(c))).T,
        "you keep k numbers of each *column*. The k units are chosen for each image, so row by row",
        _largest_of_all,
        "you choose among all images at once, so that some keep more than k numbers and others fewer",
        lambda c, k: c - evaluate.keep_largest(c, k),
        "you have set the k largest to 0 and kept the rest",
        lambda c, k: c - evaluate.keep_largest(c, c.shape[1] - k) if k < c.shape[1] else c,
        "you keep the k *smallest* numbers of each row",
        _one_fewer,
        "one number per row is missing. The k-th largest belongs to those that stay",
        lambda c, k: torch.nn.functional.pad(c.gather(1, c.abs().topk(k, dim=1).indices), (0, c.shape[1] - k)),
        "the k numbers have moved to the front. Each must stay at its own unit",
    ),
]
