"""The questions of chapter 3: the distance to the nearest image, the area under the ROC curve, a vote of neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import evaluate
from .checking import Question

KINDS = 32  # more than there are labels, or places in a list of codes


def _clouds(random: torch.Generator) -> list[tuple]:
    fixed = [
        (torch.tensor([[0.0, 0.0], [3.0, 1.0]]), torch.tensor([[3.0, 4.0], [6.0, 5.0], [-6.0, -8.0]])),
        (torch.tensor([[1.0, 2.0, 2.0]]), torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0]])),
    ]
    sizes = [(1, 5, 3), (5, 3, 2), (6, 9, 4), (3, 12, 10), (7, 4, 1)]
    return fixed + [(torch.randn(n, d, generator=random), torch.randn(m, d, generator=random)) for n, m, d in sizes]


def _errors(random: torch.Generator) -> list[tuple]:
    fixed = [
        ([1.0, 2.0, 4.0], [2.0, 5.0]),
        ([0.0, 1.0, 2.0, 9.0], [3.0, 4.0, 10.0]),
        ([5.0, 6.0, 7.0, 8.0, 3.0], [6.0, 1.0, 2.0]),
        ([3.0, 3.0], [3.0]),
    ]
    cases = [(torch.tensor(normal), torch.tensor(anomalous)) for normal, anomalous in fixed]
    for n, m, shift in ((1, 3, 0.0), (4, 1, 0.0), (20, 30, 1.0), (25, 8, -1.0)):
        cases.append((torch.rand(n, generator=random) * 4 + 2, torch.rand(m, generator=random) * 4 + 2 + shift))
    for n, m in ((6, 9), (12, 5)):  # whole numbers, so that many are equal
        cases.append(tuple(torch.randint(0, 5, (size,), generator=random).float() for size in (n, m)))
    return cases


def _neighbourhoods(random: torch.Generator) -> list[tuple]:
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0], [8.0]])
    plane = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [5.0, 5.0], [9.0, 9.0]])
    corner = torch.tensor([[3.0, 3.0], [0.0, 5.0], [-6.0, 0.0]])
    cases = [
        (line, torch.tensor([4, 2, 2, 9, 1]), torch.tensor([[0.2], [6.0]]), 3),
        (plane, torch.tensor([3, 7, 7, 3, 5, 5]), torch.tensor([[0.1, 0.0]]), 4),
        (corner, torch.tensor([8, 5, 0]), torch.tensor([[0.0, 0.0], [-4.0, 1.0]]), 1),
    ]
    for n, d, m, k, classes in (
        (12, 2, 5, 3, 3),
        (20, 4, 7, 5, 4),
        (9, 3, 1, 4, 2),
        (25, 2, 6, 10, 5),
        (6, 1, 4, 6, 3),
    ):
        names = torch.randperm(10, generator=random)[:classes]
        labels = names[torch.randint(0, classes, (n,), generator=random)]
        codes, new = torch.randn(n, d, generator=random), torch.randn(m, d, generator=random)
        cases.append((codes, labels, new, k))
    return cases


def _steps(points: Tensor, references: Tensor) -> Tensor:
    return points[:, None] - references  # (N, M, D)


def _auc(normal: Tensor, anomalous: Tensor, tie: float = 0.5) -> float:
    difference = anomalous[:, None] - normal
    return torch.heaviside(difference, difference.new_tensor(tie)).mean().item()


def _one_to_one(normal: Tensor, anomalous: Tensor) -> float:
    count = min(len(normal), len(anomalous))
    difference = anomalous[:count] - normal[:count]
    return torch.heaviside(difference, difference.new_tensor(0.5)).mean().item()


def _order(codes: Tensor, new: Tensor) -> Tensor:
    return torch.cdist(new, codes).argsort(dim=1)


def _votes(voters: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(voters, KINDS).sum(dim=1)


def _neighbours(codes: Tensor, labels: Tensor, new: Tensor, k: int) -> Tensor:
    return labels[_order(codes, new)[:, :k]]


def _knn(codes: Tensor, labels: Tensor, new: Tensor, k: int) -> Tensor:
    return _votes(_neighbours(codes, labels, new, k)).argmax(dim=1)


def _nearest_of_tied(codes: Tensor, labels: Tensor, new: Tensor, k: int) -> Tensor:
    voters = _neighbours(codes, labels, new, k)
    support = _votes(voters).gather(1, voters)  # how many votes each neighbour's own label has
    return voters.gather(1, support.argmax(dim=1, keepdim=True))[:, 0]


def _by_inner_product(codes: Tensor, labels: Tensor, new: Tensor, k: int) -> Tensor:
    return _votes(labels[(new @ codes.T).argsort(dim=1, descending=True)[:, :k]]).argmax(dim=1)


def _by_steps(codes: Tensor, labels: Tensor, new: Tensor, k: int) -> Tensor:
    return _votes(labels[_steps(new, codes).abs().sum(2).argsort(dim=1)[:, :k]]).argmax(dim=1)


QUESTIONS = [
    Question("nearest_distance(points, references)", _clouds, evaluate.nearest_distance).with_mistakes(
        lambda p, r: _steps(p, r).square().sum(2).amin(1),
        "this is the *squared* distance. By Pythagoras, the distance is the root of it",
        lambda p, r: _steps(p, r).abs().sum(2).amin(1),
        "you add up the steps along the axes, as a taxi drives. The Euclidean distance is the straight line",
        lambda p, r: _steps(p, r).norm(dim=2).amin(0),
        "one distance for each *reference*. The minimum runs along the wrong axis: each point looks for its own "
        "nearest reference, so the result is as long as `points`",
        lambda p, r: _steps(p, r).norm(dim=2).amax(1),
        "this is the distance to the *farthest* reference",
        lambda p, r: _steps(p, r).norm(dim=2).mean(1),
        "this is the mean distance to all references. Only the nearest one counts",
        lambda p, r: _steps(p, r).norm(dim=2).sort(dim=1).values[:, 1],
        "this is the distance to the *second* nearest reference. None is to be left out: a point that is itself among "
        "the references has the distance 0",
        lambda p, r: _steps(p, r).square().mean(2).sqrt().amin(1),
        "you average over the coordinates where a distance adds them up: look at how the squares are put together",
        lambda p, r: _steps(p, r).abs().amin(1).norm(dim=1),
        "you take the minimum for each coordinate on its own, so that the nearest `reference` is patched together "
        "from several. First the whole distance to each, then the minimum",
        lambda p, r: (p - r.mean(0)).norm(dim=1),
        "this is the distance to the mean of all references, a place where perhaps no reference is",
        lambda p, r: _steps(p, r).norm(dim=2).argmin(1),
        "this is *which* reference is the nearest. Asked is how far away it is",
        lambda p, r: _steps(p, r).norm(dim=2),
        "this is the whole table, from each point to each reference. Keep only the smallest for each point",
        lambda p, r: _steps(p, r).norm(dim=2).amin(1).mean(),
        "one number for all points, their mean. Return one distance for each: shape (N,)",
    ),
    Question("auc(normal, anomalous)", _errors, evaluate.roc_auc).with_mistakes(
        lambda n, a: _auc(a, n),
        "it is the other way round: this is the probability that the *normal* image has the larger error",
        lambda n, a: _auc(n, a, 0.0),
        "pairs with equal errors count for nothing. Each counts half",
        lambda n, a: _auc(n, a, 1.0),
        "pairs with equal errors count fully. Each counts half",
        _one_to_one,
        "you compare the first with the first, the second with the second. Their order means nothing: every anomaly "
        "meets every normal image",
        lambda n, a: _auc(n, a) * len(n) * len(a),
        "this is a number of pairs, and no probability. Of how many pairs is it a share?",
        lambda n, a: _auc(n, a) * len(n),
        "it can be larger than 1: you divide by the number of anomalies, but there are more pairs than that",
        lambda n, a: _auc(n.mean()[None], a, 0.0),
        "this is the share of anomalies above the *mean* normal error, so the result of one threshold. The AUC needs "
        "none: compare pairs",
        lambda n, a: _auc(n.max()[None], a, 0.0),
        "this is the share of anomalies with a larger error than *every* normal image. One normal image at a time is "
        "compared",
        lambda n, a: max(_auc(n, a), 1 - _auc(n, a)),
        "you turn results below ½ round. They are findings, not mistakes: section 3.6 has one, where what is strange "
        "is easy to copy",
        lambda n, a: float(a.mean() > n.mean()),
        "this only says which of the two *means* is larger. Compare images, pair by pair",
    ),
    Question("knn_labels(codes, labels, new, k)", _neighbourhoods, _knn).with_mistakes(
        lambda c, y, x, k: _votes(y[_order(c, x).flip(1)[:, :k]]).argmax(1),
        "the *farthest* k vote. Look at the direction in which the distances are sorted",
        lambda c, y, x, k: _neighbours(c, y, x, 1)[:, 0],
        "you ask the nearest alone, whatever `k` is",
        lambda c, y, x, k: _votes(_order(c, x)[:, :k]).argmax(1),
        "these are places in the list of codes. Look up in `labels` what stands there, before they vote",
        lambda c, y, x, k: KINDS - 1 - _votes(_neighbours(c, y, x, k)).flip(1).argmax(1),
        "where several labels have the most votes, you return the largest of them. Return the smallest",
        _nearest_of_tied,
        "where several labels have the most votes, you return the one whose neighbour comes first, the nearest. "
        "Return the smallest",
        lambda c, y, x, k: _neighbours(c, y, x, k).median(dim=1).values,
        "this is the *median* of the neighbours' labels. Labels are names: a 3 and a 7 don't make a 5. Count the votes",
        lambda c, y, x, k: _neighbours(c, y, x, k).double().mean(1).round(),
        "this is the *mean* of the neighbours' labels, rounded. Labels are names: a 3 and a 7 don't make a 5. Count "
        "the votes",
        lambda c, y, x, k: _votes(y[_order(c, x)[:, 1 : k + 1]]).argmax(1),
        "the nearest code has no vote. A point must be left out only where it is its own neighbour, and the new "
        "points are not among the codes",
        _by_steps,
        "your neighbours are those with the fewest steps along the axes. Nearest means the Euclidean distance",
        _by_inner_product,
        "your neighbours are those with the largest inner product, so long codes win wherever they lie. Nearest means "
        "the smallest distance",
        lambda c, y, x, k: _votes(_neighbours(c, y, x, k).T).argmax(1),
        "the vote runs across the new points: all their first neighbours together, then all their second ones. Each "
        "new point holds its own vote",
        _neighbours,
        "these are the labels of all k neighbours. They still have to vote: one label for each new point",
    ),
]
