"""The questions of chapter 14: the nearest vector, the number of a grid point, and the price of a two-part code."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..models import FSQ, VQVAE
from .checking import Question


def _books(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[0.4], [2.5], [1.9]]), torch.tensor([[0.0], [1.0], [3.0]])),
        (torch.tensor([[1.0, 1.0], [-1.0, 0.5]]), torch.tensor([[4.0, 4.0], [1.0, 0.5], [0.0, 0.0], [-3.0, 1.0]])),
    ]
    sizes = [(6, 2, 5), (9, 3, 4), (20, 4, 8), (7, 1, 12), (4, 6, 9)]
    return fixed + [(torch.randn(n, d, generator=random), 2 * torch.randn(k, d, generator=random)) for n, d, k in sizes]


def _grids(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[-9.0, -9.0], [9.0, -9.0], [-9.0, 9.0], [9.0, 9.0]]), (4, 3)),
        (torch.tensor([[0.4], [-0.7], [1.2]]), (6,)),
    ]
    levels = [(4, 4, 4), (2, 3, 5), (8, 2), (5, 7, 3, 2), (16,)]
    return fixed + [(2 * torch.randn(12, len(each), generator=random), each) for each in levels]


def _bills(random: torch.Generator) -> list[tuple]:
    hand = (
        torch.tensor([[1, 0]]),
        torch.tensor([[0.75, 0.25], [0.5, 0.5]]),
        torch.tensor([[1.0, 0.0]]),
        torch.tensor([[0.5, 0.75]]),
    )
    cases = [hand]
    for n, positions, codes, pixels in [(1, 3, 2, 4), (4, 2, 5, 6), (7, 4, 3, 9), (5, 1, 8, 3), (10, 6, 4, 20)]:
        chances = torch.rand(positions, codes, generator=random) + 0.05
        white = 0.02 + 0.96 * torch.rand(n, pixels, generator=random)
        symbols = torch.randint(codes, (n, positions), generator=random)
        cases.append((symbols, chances / chances.sum(1, keepdim=True), torch.bernoulli(white, generator=random), white))
    return cases


def _distances(vectors: Tensor, codebook: Tensor) -> Tensor:
    return (vectors[:, None] - codebook[None]).square().sum(2)


def _nearest(vectors: Tensor, codebook: Tensor) -> Tensor:
    model = VQVAE((784, 2), positions=1, codebook_size=len(codebook), vector_dim=codebook.shape[1])
    model.codebook.data = codebook
    return model.choose(vectors[:, None])[:, 0].detach()


def _symbols(features: Tensor, levels: tuple[int, ...]) -> Tensor:
    return FSQ((784, 2), positions=1, levels=levels).choose(features[:, None])[:, 0]


def _number(digits: Tensor, levels: tuple[int, ...]) -> Tensor:
    places = torch.tensor([math.prod(levels[:n]) for n in range(len(levels))])
    return (digits.long() * places).sum(1)


def _bound(features: Tensor, levels: tuple[int, ...], less: int = 1) -> Tensor:
    return (torch.tensor(levels) - less) * features.sigmoid()


def _digits(features: Tensor, levels: tuple[int, ...]) -> Tensor:
    return _bound(features, levels).round()


def _code(symbols: Tensor, chances: Tensor) -> Tensor:
    """Return −log₂ of the chance of each symbol: `(N, positions)`."""
    return -chances[torch.arange(symbols.shape[1]), symbols].log2()


def _pixels(pixels: Tensor, white: Tensor) -> Tensor:
    """Return −log₂ of the chance of each pixel: `(N, D)`."""
    return -torch.where(pixels > 0, white, 1 - white).log2()


def _bill(symbols: Tensor, chances: Tensor, pixels: Tensor, white: Tensor) -> Tensor:
    return _code(symbols, chances).sum(1).mean() + _pixels(pixels, white).sum(1).mean()


QUESTIONS = [
    Question("nearest_code(vectors, codebook)", _books, _nearest).with_mistakes(
        lambda v, c: _distances(v, c).argmax(1),
        "these are the vectors that lie *farthest* away",
        lambda v, c: c[_distances(v, c).argmin(1)],
        "these are the chosen vectors themselves. Asked are their numbers in the codebook",
        lambda v, c: _distances(v, c).amin(1).sqrt(),
        "these are the distances to the nearest vectors. Asked is *which* they are",
        lambda v, c: _distances(v, c).amin(1),
        "these are the squared distances to the nearest vectors. Asked is *which* they are",
        lambda v, c: (v @ c.T).argmax(1),
        "this is the largest inner product. A long vector wins it even from far away",
        lambda v, c: (v.norm(dim=1)[:, None] - c.norm(dim=1)).abs().argmin(1),
        "you compare lengths only: a vector of the same length may point somewhere else",
        lambda v, c: _distances(v, c).argmin(0),
        "the axes are exchanged: this is the nearest *output* for each vector of the codebook",
    ),
    Question("grid_symbol(features, levels)", _grids, _symbols).with_mistakes(
        lambda f, n: _digits(f, n),
        "these are the levels of each number. They still have to be read as one whole number",
        lambda f, n: _number(_digits(f, n).flip(1), n[::-1]),
        "the digits are in the reverse order: the *first* number is the one with the place value 1",
        lambda f, n: _number(_bound(f, n).floor(), n),
        "you cut off what is behind the point. Then the highest level is hardly ever reached",
        lambda f, n: _number(_bound(f, n, less=0).round(), n),
        "you squeeze between 0 and L, so that there is one level too many. The highest is L − 1",
        lambda f, n: _number(((torch.tensor(n) - 1) * f.tanh()).round(), n),
        "you squeeze with tanh between −1 and 1. Here it is the sigmoid, between 0 and 1",
        lambda f, n: _number(f.round().clamp(min=0).minimum(torch.tensor(n) - 1.0), n),
        "the numbers are clamped and not squeezed by the sigmoid",
        lambda f, n: _digits(f, n).long().sum(1),
        "the levels are added up. Many grid points then get the same symbol: give each number a place value of its own",
        lambda f, n: (_digits(f, n).long() * torch.tensor([n[0] ** place for place in range(len(n))])).sum(1),
        "your place values are powers of one base. With different numbers of levels each place is worth the product "
        "of the levels *before* it",
    ),
    Question("two_part_bits(symbols, chances, pixels, white)", _bills, _bill).with_mistakes(
        lambda s, c, x, w: _bill(s, c, x, w) * math.log(2),
        "this is in nats. A bit is log 2 of them",
        lambda s, c, x, w: _code(s, c).sum(1).mean(),
        "the pixels are missing: this is the price of the code alone",
        lambda s, c, x, w: _pixels(x, w).sum(1).mean(),
        "the code is missing: this is the price of the pixels alone",
        lambda s, c, x, w: s.shape[1] * math.log2(c.shape[1]) + _pixels(x, w).sum(1).mean(),
        "every symbol is charged log₂ K bits. A frequent symbol is cheaper than a rare one",
        lambda s, c, x, w: _code(s, c).mean() + _pixels(x, w).mean(),
        "you average over pixels or positions. Each of them must be paid: sum over them, and average over the images",
        lambda s, c, x, w: _code(s, c).sum(1).mean() - (x * w.log2()).sum(1).mean(),
        "you charge white pixels only. A black one costs −log₂ of the chance of black",
        lambda s, c, x, w: _bill(s, c, 1 - x, w),
        "black and white are exchanged: `white` is the probability of 1",
        lambda s, c, x, w: _bill(s, c, x, w) * len(s),
        "this is the sum over all images. Asked is the mean",
    ),
]
