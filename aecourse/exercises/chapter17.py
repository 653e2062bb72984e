"""The questions of chapter 17: a code on its way to noise, a step of the way back, and two crowds compared."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .checking import Question


def _pairs(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[3.0]]), torch.tensor([[-1.0]]), torch.tensor([math.pi / 6])),
        (
            torch.tensor([[1.0, 2.0], [0.5, -1.0]]),
            torch.tensor([[0.0, 1.0], [-2.0, 0.4]]),
            torch.tensor([math.pi / 3, math.pi / 4]),
        ),
    ]
    drawn = []
    for n, k in [(3, 3), (5, 2), (1, 4), (4, 16)]:
        z, epsilon = torch.randn(2, n, k, generator=random).unbind()
        drawn.append((z, epsilon, 0.1 + 1.3 * torch.rand(n, generator=random)))
    return fixed + drawn


def _mix(z: Tensor, epsilon: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
    phi = phi[:, None]
    return phi.cos() * z + phi.sin() * epsilon, phi.cos() * epsilon - phi.sin() * z


def _straight(z: Tensor, epsilon: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
    share = phi[:, None] / (math.pi / 2)
    return (1 - share) * z + share * epsilon, epsilon - z


def _states(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[2.0]]), torch.tensor([[1.0]]), 1),
        (torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, -1.0]]), 2),
        (torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[0.5, 1.0], [-1.0, 2.0]]), 3),
    ]
    sizes = [(4, 3, 5), (2, 16, 10), (6, 2, 50), (1, 5, 20)]
    return fixed + [(*torch.randn(2, n, k, generator=random).unbind(), steps) for n, k, steps in sizes]


def _turn(state: Tensor, velocity: Tensor, delta: float) -> Tensor:
    return math.cos(delta) * state - math.sin(delta) * velocity


def _back(state: Tensor, velocity: Tensor, steps: int) -> Tensor:
    return _turn(state, velocity, math.pi / 2 / steps)


def _crowds(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [3.0]])),
        (torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 3.0], [1.0, 1.0]])),
    ]
    sizes = [(5, 2, 1.0), (8, 3, 2.0), (12, 1, 0.5), (20, 4, 1.5)]
    for n, k, size in sizes:
        first, second = torch.randn(2, n, k, generator=random).unbind()
        fixed.append((size * first, second + 0.3))
    return fixed


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    return torch.exp(-(first[:, None] - second).square().sum(2) / 2)


def _apart(sample: Tensor) -> Tensor:
    """Return the mean of the kernel over all pairs of two different members."""
    n = len(sample)
    return (_kernel(sample, sample).sum() - n) / (n * (n - 1))


def _discrepancy(codes: Tensor, draws: Tensor) -> Tensor:
    return _apart(codes) + _apart(draws) - 2 * _kernel(codes, draws).mean()


def _with_itself(codes: Tensor, draws: Tensor) -> Tensor:
    return _kernel(codes, codes).mean() + _kernel(draws, draws).mean() - 2 * _kernel(codes, draws).mean()


def _half_counted(codes: Tensor, draws: Tensor) -> Tensor:
    n = len(codes)
    within = sum((_kernel(each, each).sum() - n) / n**2 for each in (codes, draws))
    return within - 2 * _kernel(codes, draws).mean()


def _distances(codes: Tensor, draws: Tensor) -> Tensor:
    def kernel(first: Tensor, second: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(first, second) / 2)

    n = len(codes)
    within = sum((kernel(each, each).sum() - n) / (n * (n - 1)) for each in (codes, draws))
    return within - 2 * kernel(codes, draws).mean()


QUESTIONS = [
    Question("mix(z, epsilon, phi)", _pairs, _mix).with_mistakes(
        lambda z, e, p: _mix(e, z, p),
        "code and noise are exchanged: at φ = 0 the mixture must be the code",
        lambda z, e, p: (
            _mix(z, e, p)[0],
            -_mix(z, e, p)[1],
        ),
        "the velocity has the wrong sign: it must lead from the code to the noise",
        _straight,
        "this is the straight way between the two, whose length shrinks in between. Asked is the arc, with cosine and "
        "sine",
        lambda z, e, p: (
            _mix(z, e, p)[0],
            e - z,
        ),
        "the mixture is right, but the velocity is that of the straight way, noise minus code",
        lambda z, e, p: (
            _mix(z, e, p)[0],
            p[:, None].cos() * z - p[:, None].sin() * e,
        ),
        "the velocity is no derivative: sine and cosine change places in it",
        lambda z, e, p: (
            _mix(z, e, p)[0],
            p[:, None].sin() * z + p[:, None].cos() * e,
        ),
        "in the derivative of the cosine the minus sign is missing",
        lambda z, e, p: _mix(z, e, p)[::-1],
        "the two results are exchanged: first the mixture, then the velocity",
        lambda z, e, p: _mix(z, e, p * math.pi / 180),
        "you take φ for degrees; it is in radians, from 0 to π/2",
    ),
    Question("step_back(state, velocity, steps)", _states, _back).with_mistakes(
        lambda s, v, n: _turn(s, v, -math.pi / 2 / n),
        "you walk on towards the noise instead of back",
        lambda s, v, n: s - math.pi / 2 / n * v,
        "you walk straight along the velocity. On an arc the state turns as well, by cos δ",
        lambda s, v, n: _turn(s, v, math.pi / n),
        "the whole way is a quarter of a circle, π/2, not half a circle",
        lambda s, v, n: _turn(s, v, 1 / n),
        "the whole way is a quarter of a circle, π/2, not 1",
        lambda s, v, n: _back(v, s, n),
        "state and velocity are exchanged",
        lambda s, v, n: _turn(s, v, math.pi / 2),
        "you go the whole way in one step, whatever `steps` is",
        lambda s, v, n: s - math.sin(math.pi / 2 / n) * v,
        "you forget to turn the state itself: it is multiplied by the cosine",
        lambda s, v, n: _turn(s, v, 90 / n),
        "you take δ in degrees; sine and cosine want it in radians",
        lambda s, v, n: math.sin(math.pi / 2 / n) * s - math.cos(math.pi / 2 / n) * v,
        "sine and cosine are exchanged: a very small step must leave the state nearly as it is",
    ),
    Question("squared_mmd(codes, draws)", _crowds, _discrepancy).with_mistakes(
        _with_itself,
        "you compare each point with itself, too. Those pairs say nothing: leave them out",
        _half_counted,
        "you leave out the pairs of a point with itself, but still divide by N²: so many pairs are no longer there",
        lambda c, d: _apart(c) + _apart(d) - _kernel(c, d).mean(),
        "the mixed term counts once only; it must be taken off twice",
        lambda c, d: -_discrepancy(c, d),
        "the sign is turned round: it must be large when the crowds differ",
        _distances,
        "this is the distance, not its square, in the exponent",
        lambda c, d: _discrepancy(2**0.5 * c, 2**0.5 * d),
        "the ½ in the exponent is missing",
        lambda c, d: _discrepancy(c, d).clamp(min=0),
        "you cut off what is below 0. An estimate that is right on average must be allowed to be negative",
        lambda c, d: (_apart(c) + _apart(d)) / 2 - 2 * _kernel(c, d).mean(),
        "each pair within a crowd counts once, but you divide by N(N − 1), the number of ordered pairs",
        lambda c, d: _discrepancy(c / c.shape[1] ** 0.5, d / d.shape[1] ** 0.5),
        "in the exponent you take the mean over the numbers of a code; a squared distance is their sum",
        lambda c, d: _discrepancy(c, d).clamp(min=0).sqrt(),
        "you take the square root. Asked is the squared discrepancy, which may even be negative",
    ),
]
