"""The questions of chapter 4: how many symbols are in use, where the hole is, and one Gaussian as a generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .. import coding
from .checking import Question


def _labellings(random: torch.Generator) -> list[tuple]:
    fixed = [([0, 0, 1, 2], 4), ([4, 3, 2, 1, 0], 5), ([2, 2, 2], 5)]
    cases = [(torch.tensor(labels), groups) for labels, groups in fixed]
    for n, groups in ((1, 3), (10, 4), (50, 7), (200, 16), (30, 40)):
        weights = torch.rand(groups, generator=random).square() + 0.01
        cases.append((torch.multinomial(weights, n, replacement=True, generator=random), groups))
    return cases


def _clouds(random: torch.Generator) -> list[tuple]:
    square = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
    lopsided = torch.tensor([[4.0, 11.0], [4.0, 5.0], [12.0, 3.0], [2.0, 9.0], [10.0, 4.0]])
    around = torch.tensor([[1.0, 13.0], [-1.0, 2.0], [-2.0, 6.0], [1.0, 7.0], [5.0, 15.0], [4.0, -1.0]])
    cases = [
        (square, torch.tensor([[2.5, 1.5], [4.0, 2.0], [6.0, 4.0], [1.0, 0.0]])),
        (torch.tensor([0.0, 1, 2, 6, 7])[:, None], torch.tensor([0.4, 3.9, 8.5, 1.7, 6.2, 3])[:, None]),
        (lopsided, around),  # hole, crowd, margin and three other mistakes choose six different points
        (torch.tensor([[1.0, 1.0]]), torch.tensor([[5.0, 5.0], [6.8, 1.0], [6.5, 3.3]])),
    ]
    for n, m, d in ((3, 8, 2), (4, 9, 3), (12, 5, 3), (20, 7, 16), (6, 1, 2)):
        centre = 2 * torch.randn(d, generator=random)
        codes = centre + torch.randn(n, d, generator=random)
        cases.append((codes, centre + 1.5 * torch.randn(m, d, generator=random)))
    return cases


def _fits(random: torch.Generator) -> list[tuple]:
    codes = torch.tensor([[3.0, 5.0], [-1.0, 3.0], [3.0, 1.0], [-1.0, -1.0], [1.0, 2.0]])
    cases = [(codes, torch.tensor([[1.0, 2.0]])), (codes, torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, -1.0]]))]
    for count, d, n in ((8, 2, 3), (9, 2, 1), (12, 3, 5), (15, 4, 2), (30, 3, 7)):
        mix = torch.eye(d) + 0.5 * torch.randn(d, d, generator=random).tril()
        codes = 2 * torch.randn(d, generator=random) + torch.randn(count, d, generator=random) @ mix.T
        cases.append((codes, torch.randn(n, d, generator=random)))
    return cases


def _shares(labels: Tensor, groups: int) -> Tensor:
    return torch.from_numpy(coding.frequencies(labels, groups))


def _bits(p: Tensor) -> float:
    return torch.special.entr(p).sum().item() / math.log(2)


def _perplexity(labels: Tensor, groups: int) -> float:
    return 2 ** coding.entropy(coding.frequencies(labels, groups))


def _unweighted(labels: Tensor, groups: int) -> float:
    p = _shares(labels, groups)
    return 2 ** -p[p > 0].log2().sum().item()


def _distances(codes: Tensor, candidates: Tensor, norm: float = 2.0) -> Tensor:
    """Return the distance of every candidate (row) from every code (column)."""
    return torch.cdist(candidates, codes, p=norm)


def _hole(codes: Tensor, candidates: Tensor, norm: float = 2.0) -> Tensor:
    return candidates[_distances(codes, candidates, norm).amin(1).argmax()]


def _covariance(codes: Tensor, *, less: int = 1) -> Tensor:
    return torch.cov(codes.T, correction=less)


def _draws(codes: Tensor, epsilon: Tensor, *, less: int = 1) -> Tensor:
    return codes.mean(0) + epsilon @ torch.linalg.cholesky(_covariance(codes, less=less)).T


def _symmetric_root(codes: Tensor, epsilon: Tensor) -> Tensor:
    variances, axes = torch.linalg.eigh(_covariance(codes))
    return codes.mean(0) + epsilon @ (axes * variances.clamp(min=0).sqrt() @ axes.T)


def _not_centred(codes: Tensor, epsilon: Tensor) -> Tensor:
    return codes.mean(0) + epsilon @ torch.linalg.cholesky(codes.T @ codes / (len(codes) - 1)).T


QUESTIONS = [
    Question("perplexity(labels, groups)", _labellings, _perplexity).with_mistakes(
        lambda labels, groups: _bits(_shares(labels, groups)),
        "this is the entropy, in bits. The perplexity is a *number of symbols*: how many equally frequent ones would "
        "have that entropy?",
        lambda labels, groups: 2 ** (_bits(_shares(labels, groups)) * math.log(2)),
        "the bases differ: your entropy is in nats, and you raise 2 to it. Take logarithm and power to the same base",
        lambda labels, groups: math.exp(_bits(_shares(labels, groups))),
        "the bases differ: your entropy is in bits, and you raise e to it. Take logarithm and power to the same base",
        lambda labels, groups: 2 ** -(p := _shares(labels, groups)).mul(p.log2()).sum().item(),
        "it is NaN where a symbol never occurs. Such a symbol adds nothing to the entropy: 0 · log 0 counts as 0",
        lambda labels, groups: 1 / _perplexity(labels, groups),
        "this is below 1, as if there were less than one symbol: check the sign of the entropy",
        lambda labels, groups: float((_shares(labels, groups) > 0).sum()),
        "you count the symbols that occur at all, however rarely. A rare one must count for less than a frequent one",
        lambda labels, groups: _perplexity(labels, groups) / groups,
        "this is the perplexity divided by `groups`, the share of the codebook in use. Asked is the number of symbols",
        lambda labels, groups: 2 ** _bits(_shares(labels, groups) * len(labels) / groups),
        "your shares don't add up to 1: you divide each count by the number of *symbols*, not by how many labels "
        "there are",
        _unweighted,
        "you add the surprises −log₂ p without weighing them. The entropy is their mean: a symbol counts as often as "
        "it occurs",
        lambda labels, groups: 1 / _shares(labels, groups).square().sum().item(),
        "this is 1 / Σ p². It is a number of symbols too, but another one: the perplexity comes from the entropy",
        lambda labels, groups: 2 ** _bits(labels.double() / labels.sum()),
        "you take the labels themselves for counts. A label is only the *name* of a symbol: first count how often "
        "each one occurs",
    ),
    Question("find_hole(codes, candidates)", _clouds, _hole).with_mistakes(
        lambda codes, candidates: candidates[_distances(codes, candidates).amin(1).argmin()],
        "you return the candidate with the *smallest* distance to its nearest code. That one lies in the crowd",
        lambda codes, candidates: candidates[_distances(codes, candidates).amax(1).argmax()],
        "you compare the distances to the *farthest* code. A point beside a code has a far one too, but is in no "
        "hole: what counts is the code that is nearest",
        lambda codes, candidates: candidates[_distances(codes, candidates).mean(1).argmax()],
        "you compare the *mean* distance to all codes. It is largest at the margin, even right beside a code",
        lambda codes, candidates: candidates[(candidates - codes.mean(0)).norm(dim=1).argmax()],
        "you take the candidate that is farthest from the *mean* code. Far from the middle is not the same as empty, "
        "and the middle itself may be empty",
        lambda codes, candidates: candidates[_distances(codes, candidates).amin(0).argmax()],
        "you minimise over the wrong axis: for each code you look for the nearest candidate, and then use the code's "
        "number for a candidate",
        lambda codes, candidates: _hole(candidates, codes),
        "you return a *code*, the one that is farthest from all candidates. The two roles are exchanged",
        lambda codes, candidates: codes[(codes - _hole(codes, candidates)).norm(dim=1).argmin()],
        "you found the hole, but return the code next to it. Asked is the point in the hole",
        lambda codes, candidates: int(_distances(codes, candidates).amin(1).argmax()),
        "you return the number of the candidate. Asked is the point itself, of shape (d,)",
        lambda codes, candidates: _distances(codes, candidates).amin(1).max(),
        "you return how far the nearest code is. Asked is the point itself, of shape (d,)",
        lambda codes, candidates: _hole(codes, candidates, 1.0),
        "you add the absolute differences of the coordinates. Here distance is the Euclidean one, as a ruler measures "
        "it",
        lambda codes, candidates: _hole(codes, candidates, math.inf),
        "you take the largest difference in any one coordinate. Here distance is the Euclidean one, as a ruler "
        "measures it",
    ),
    Question("sample_gaussian(codes, epsilon)", _fits, _draws).with_mistakes(
        lambda codes, epsilon: codes.mean(0) + epsilon @ torch.linalg.cholesky(_covariance(codes)),
        "your draws have another covariance than the codes: with numbers in *rows*, check on which side the factor "
        "stands and which way round it is",
        lambda codes, epsilon: _draws(codes, epsilon) - codes.mean(0),
        "your draws lie around 0. The codes have a mean too",
        lambda codes, epsilon: _draws(codes, epsilon) - codes.mean(0) + codes.mean(),
        "you use one mean for all dimensions. Each of the d numbers has its own",
        lambda codes, epsilon: _draws(codes, epsilon, less=0),
        "this covariance divides by the number of codes N. The mean was estimated from the same codes, so the "
        "unbiased one divides by something else",
        lambda codes, epsilon: codes.mean(0) + epsilon * codes.std(0),
        "each dimension has the right spread, but the dimensions vary independently. Codes are correlated: use the "
        "whole covariance",
        lambda codes, epsilon: codes.mean(0) + epsilon * codes.var(0),
        "you multiply by the variances, and the dimensions vary independently. A draw scales with the *spread*, and "
        "the correlations are missing",
        lambda codes, epsilon: codes.mean(0) + epsilon @ _covariance(codes),
        "you multiply by the covariance itself. Draws then have its *square* as their covariance: a factor of it is "
        "needed",
        lambda codes, epsilon: codes.mean(0) + epsilon @ _covariance(codes).sqrt(),
        "you take the square root of each entry of the covariance. That is no factor of a matrix, and NaN where two "
        "numbers vary in opposite directions",
        _symmetric_root,
        "these are draws from the right Gaussian, but by another factor of the covariance, the symmetric root. So "
        "that answers can be compared, the Cholesky factor is asked",
        _not_centred,
        "this is no covariance: subtract the mean of the codes before you multiply them with each other",
    ),
]
