"""The questions of chapter 5: a draw from a cloud, the gradient through it, and the estimate that needs no slope."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from .checking import Question

WANTED = 3.0  # the cost of the chapter's toy is (z − 3)²


def _clouds(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[2.0]]), torch.tensor([[0.25]]).log(), torch.tensor([[1.0]])),
        (
            torch.tensor([[0.0, 1.0, -1.0]]),
            torch.tensor([[1.0, 4.0, 0.0625]]).log(),
            torch.tensor([[1.0, -2.0, 0.5]]),
        ),
    ]
    shapes = [(1, 4), (3, 2), (2, 5), (5, 1), (4, 3)]
    cases = [tuple(scale * torch.randn(shape, generator=random) for scale in (2, 1.5, 1)) for shape in shapes]
    cases[-2][0].requires_grad_()  # last those on which it shows whether a gradient reaches μ, or log σ²
    cases[-1][1].requires_grad_()
    return fixed + cases


def _spread(log_var: Tensor) -> Tensor:
    return (log_var / 2).exp()


def _draw(mu: Tensor, log_var: Tensor, epsilon: Tensor) -> Tensor:
    return mu + _spread(log_var) * epsilon


def _toys(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([0.0]), torch.tensor([0.0]), torch.tensor([[1.0], [-1.0]])),
        (
            torch.tensor([1.0, 2.0]),
            torch.tensor([1.0, 4.0]).log(),
            torch.tensor([[1.0, -1.0], [0.0, 1.0], [2.0, -2.0]]),
        ),
    ]
    return fixed + [
        (
            2 * torch.randn(k, generator=random),
            torch.randn(k, generator=random),
            torch.randn((n, k), generator=random),
        )
        for n, k in ((1, 2), (5, 3), (4, 1), (2, 4), (6, 2))
    ]


@torch.enable_grad()
def _pathwise(mu: Tensor, log_var: Tensor, epsilon: Tensor) -> tuple[Tensor, ...]:
    mu, log_var = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
    cost = (_draw(mu, log_var, epsilon) - WANTED).square().sum(1).mean()
    return torch.autograd.grad(cost, (mu, log_var))


def _each(mu: Tensor, log_var: Tensor, epsilon: Tensor, power: int = 1) -> tuple[Tensor, Tensor]:
    """Return each draw's slope along μ and, by hand, along log σ² (power 1), σ (0) or σ² (−1)."""
    slope = 2 * (_draw(mu, log_var, epsilon) - WANTED)
    chain = {1: _spread(log_var) / 2, 0: torch.ones_like(log_var), -1: 1 / (2 * _spread(log_var))}[power]
    return slope, slope * epsilon * chain


def _too_wide(mu: Tensor, log_var: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
    slope = 2 * (mu + log_var.exp() * epsilon - WANTED)
    return slope.mean(0), (slope * epsilon * log_var.exp()).mean(0)


def _score_of_toy(mu: Tensor, log_var: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
    cost = (_draw(mu, log_var, epsilon) - WANTED).square().sum(1, keepdim=True)
    return (cost * epsilon / _spread(log_var)).mean(0), (cost * (epsilon.square() - 1) / 2).mean(0)


def _scored(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([16.0, 9.0, 4.0]), 0.0, 1.0),
        (torch.tensor([1.5, 0.5]), torch.tensor([2.0, 6.0]), 1.0, 0.5),
    ]
    cases = []
    for n in (2, 3, 5, 8, 20):
        mu, sigma = torch.randn(1, generator=random).item(), 0.5 + 1.5 * torch.rand(1, generator=random).item()
        z = mu + sigma * torch.randn(n, generator=random)
        cases.append((z, 5 + 3 * z + 10 * torch.rand(n, generator=random), mu, sigma))
    return fixed + cases


def _others(cost: Tensor) -> Tensor:
    return (cost.sum() - cost) / (len(cost) - 1)


@torch.enable_grad()
def _score(z: Tensor, cost: Tensor, mu: float, sigma: float) -> Tensor:
    centre = torch.tensor(mu, requires_grad=True)
    surrogate = (cost - _others(cost)) * Normal(centre, sigma).log_prob(z)
    return torch.autograd.grad(surrogate.mean(), centre)[0]


QUESTIONS = [
    Question("reparameterize(mu, log_var, epsilon)", _clouds, _draw).with_mistakes(
        lambda m, v, e: m + v.exp() * e,
        "the spread of your draws is σ², not σ, so it is right only where σ = 1. What is `log_var` the logarithm of?",
        lambda m, v, e: m + v * e,
        "you use log σ² itself as the spread. It can be any number, also a negative one: undo the logarithm first",
        lambda m, v, e: m + v.sqrt() * e,
        "NaN wherever log σ² is negative: a root undoes the square, but not the logarithm",
        lambda m, v, e: m + v.exp() / 2 * e,
        "you halve the variance. Half of σ² is not its root: look at where the ½ stands",
        lambda m, v, e: m + _spread(-v) * e,
        "your clouds are wide where they should be narrow: check the sign of log σ²",
        lambda m, v, e: m + _spread(v) + e,
        "σ is added to the draw. It must stretch ε: now the centre is off by σ and every cloud is equally wide",
        lambda m, v, e: _spread(v) * e,
        "all your clouds lie round 0: where is the centre?",
        lambda m, v, e: _spread(v) * (m + e),
        "σ stretches the centre too. Only the noise is stretched",
        lambda m, v, e: m - _spread(v) * e,
        "mean and spread are right, but these are not the draws that this ε makes: check the sign",
        lambda m, v, e: _draw(m, v, e[:1]),
        "all images get the noise of the first. Each has its own row of `epsilon`",
    ),
    Question("pathwise_gradient(mu, log_var, epsilon)", _toys, _pathwise).with_mistakes(
        lambda m, v, e: tuple(part.mean(0) for part in _each(m, v, e, 0)),
        "the gradient along μ is right; the second is the one along σ. From log σ² to σ there is one more step in the "
        "chain rule",
        lambda m, v, e: tuple(part.mean(0) for part in _each(m, v, e, -1)),
        "the gradient along μ is right; the second is the one along the variance σ², not along its logarithm",
        lambda m, v, e: (_each(m, v, e)[0].mean(0), torch.zeros_like(v)),
        "the gradient along μ is right, but none reaches log σ²: does something cut σ off, a `detach` or `no_grad`?",
        lambda m, v, e: tuple(part.sum(0) for part in _each(m, v, e)),
        "these are the gradients of the *sum* over the draws. Asked is the mean, however many draws there are",
        lambda m, v, e: tuple(part.mean(0) / len(m) for part in _each(m, v, e)),
        "you take the mean over the dimensions too. The cost of a draw is the *sum* over its dimensions",
        lambda m, v, e: tuple(part.mean(1) for part in _each(m, v, e)),
        "you take the mean over the dimensions and keep the draws. Each dimension has a gradient of its own, the mean "
        "is over the draws",
        lambda m, v, e: tuple(part.mean(0) * factor for part, factor in zip(_each(m, v, e), (1, 2), strict=True)),
        "the gradient along μ is right; along log σ² the ½ of σ = exp(½ log σ²) is missing",
        _too_wide,
        "your draws have the spread σ² instead of σ, so both gradients belong to another cloud",
        lambda m, v, e: (2 * (m - WANTED), v.exp()),
        "this is the exact gradient, of the mean over *all* possible draws. Asked is the estimate from the draws that "
        "`epsilon` makes",
        _score_of_toy,
        "this is the score-function estimate, made from the *values* of the cost. Pathwise uses its slope at each draw",
        lambda m, v, e: _pathwise(m, v, e)[::-1],
        "the two are exchanged: first the gradient along μ, then the one along log σ²",
        lambda m, v, e: tuple(-part for part in _pathwise(m, v, e)),
        "the signs are turned round. This is the way downhill; a gradient points uphill",
        lambda m, v, e: tuple(part / 2 for part in _pathwise(m, v, e)),
        "both are half of what they should be: what is the derivative of a square?",
    ),
    Question("score_gradient(z, cost, mu, sigma)", _scored, _score).with_mistakes(
        lambda z, c, m, s: (c * (z - m) / s**2).mean(),
        "there is no baseline. Right on average, but most of its noise is the mean cost",
        lambda z, c, m, s: ((c - c.mean()) * (z - m) / s**2).mean(),
        "each draw's own cost is part of its baseline. That makes the estimate too small, by the factor (n − 1)/n",
        lambda z, c, m, s: ((c - (c.sum() - c)) * (z - m) / s**2).mean(),
        "your baseline is the *sum* of the other costs, not their mean",
        lambda z, c, m, s: ((c - (c.sum() - c) / len(c)) * (z - m) / s**2).mean(),
        "your baseline leaves one draw out, but divides as if it had not: how many others are there?",
        lambda z, c, m, s: ((c + _others(c)) * (z - m) / s**2).mean(),
        "your baseline is added to the cost instead of subtracted",
        lambda z, c, m, s: _score(z, c, m, s) * s,
        "you divide by σ, the formula by the variance",
        lambda z, c, m, s: _score(z, c, m, s) * s**2,
        "right only where σ = 1: the density of a narrow cloud changes faster when μ moves",
        lambda z, c, m, s: _score(z, c, m, s) * s**2 / math.exp(s),
        "`sigma` is a standard deviation here, and you treat it as log σ²",
        lambda z, c, m, s: _score(z, c, m, s) / 2,
        "half of what it should be. The 2 in the exponent of the density goes when you take the derivative",
        lambda z, c, m, s: -_score(z, c, m, s),
        "the sign is turned round. The derivative of log q is along μ, not along z",
        lambda z, c, m, s: _score(z, c, m, s) * len(z),
        "this adds up the draws' values. Return their mean",
        lambda z, c, m, s: ((c - _others(c)) * ((z - m) ** 2 - s**2) / s**3).mean(),
        "this is the slope along σ. Asked is the one along μ",
        lambda z, c, m, s: (c - _others(c)).mean(),
        "always 0: the costs less their baselines have the mean 0. Is the score missing, or has a product of shapes "
        "(n, 1) and (n,) become (n, n)?",
    ),
]
