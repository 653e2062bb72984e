"""Answers to the questions of chapter 3: right ones, written in different ways, and wrong ones with their hints."""

from collections import Counter

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors


def nearest_by_cdist(points, references):
    return torch.cdist(points, references).min(dim=1).values


def nearest_by_loop(points, references):
    distances = []
    for point in points:
        distances.append(min((point - reference).square().sum().sqrt().item() for reference in references))
    return distances


def nearest_by_numpy(points, references):
    differences = points.numpy()[:, None, :] - references.numpy()[None, :, :]
    return np.linalg.norm(differences, axis=-1).min(axis=1)


def nearest_by_expansion(points, references):
    squares = points.square().sum(1)[:, None] + references.square().sum(1) - 2 * points @ references.T
    return squares.clamp(min=0).amin(dim=1).sqrt()


def nearest_by_library(points, references):
    return NearestNeighbors(n_neighbors=1).fit(references.numpy()).kneighbors(points.numpy())[0][:, 0]


def auc_by_loop(normal, anomalous):
    wins = 0
    for a in anomalous:
        for n in normal:
            if a > n:
                wins += 1
            elif a == n:
                wins += 0.5
    return wins / (len(normal) * len(anomalous))


def auc_by_broadcasting(normal, anomalous):
    above = (anomalous[:, None] > normal[None, :]).double()
    equal = (anomalous[:, None] == normal[None, :]).double()
    return (above + equal / 2).mean()


def auc_by_ranks(normal, anomalous):
    ranks = rankdata(torch.cat([normal, anomalous]).numpy())
    count = len(anomalous)
    return (ranks[len(normal) :].sum() - count * (count + 1) / 2) / (count * len(normal))


def auc_by_library(normal, anomalous):
    truth = [0] * len(normal) + [1] * len(anomalous)
    return roc_auc_score(truth, normal.tolist() + anomalous.tolist())


def auc_by_searching(normal, anomalous):
    ordered = np.sort(normal.numpy())
    below = np.searchsorted(ordered, anomalous.numpy(), side="left")
    not_above = np.searchsorted(ordered, anomalous.numpy(), side="right")
    return ((below + not_above) / 2).mean() / len(ordered)


def knn_by_topk(codes, labels, new, k):
    nearest = torch.cdist(new, codes).topk(k, largest=False).indices
    return labels[nearest].mode(dim=1).values


def knn_by_counting(codes, labels, new, k):
    result = []
    for point in new:
        order = sorted(range(len(codes)), key=lambda i: (codes[i] - point).norm().item())
        votes = Counter(labels[i].item() for i in order[:k])
        most = max(votes.values())
        result.append(min(label for label, count in votes.items() if count == most))
    return torch.tensor(result)


def knn_by_numpy(codes, labels, new, k):
    distances = np.linalg.norm(new.numpy()[:, None] - codes.numpy(), axis=2)
    voters = labels.numpy()[distances.argsort(axis=1)[:, :k]]
    return np.array([np.bincount(row).argmax() for row in voters])


def knn_by_library(codes, labels, new, k):
    return KNeighborsClassifier(k).fit(codes.numpy(), labels.numpy()).predict(new.numpy())


def knn_by_einsum(codes, labels, new, k):
    distances = (new[:, None] - codes).pow(2).sum(-1)
    voting = (distances.argsort(dim=1).argsort(dim=1) < k).float()
    kinds = labels.unique()
    votes = torch.einsum("mn,nc->mc", voting, (labels[:, None] == kinds).float())
    return kinds[votes.argmax(dim=1)]


RIGHT = {
    "nearest_distance": [
        nearest_by_cdist,
        nearest_by_loop,
        nearest_by_numpy,
        nearest_by_expansion,
        nearest_by_library,
    ],
    "auc": [auc_by_loop, auc_by_broadcasting, auc_by_ranks, auc_by_library, auc_by_searching],
    "knn_labels": [knn_by_topk, knn_by_counting, knn_by_numpy, knn_by_library, knn_by_einsum],
}


def second_nearest(points, references):
    return torch.cdist(points, references).topk(2, largest=False).values[:, 1]


def patched_together(points, references):
    best = torch.stack([(references - point).abs().min(dim=0).values for point in points])
    return best.square().sum(dim=1).sqrt()


def moves_the_references(points, references):
    distances = []
    for point in points:
        references -= point
        distances.append(references.norm(dim=1).min())
        references += 2 * point
    return torch.stack(distances)


def first_of_each(normal, anomalous):
    wins = [1.0 if a > n else 0.5 if a == n else 0.0 for n, a in zip(normal, anomalous, strict=False)]
    return sum(wins) / len(wins)


def counts_pairs(normal, anomalous):
    return sum((a > n) + 0.5 * (a == n) for a in anomalous for n in normal)


def beaten_by_each_anomaly(normal, anomalous):
    wins = (anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)
    return wins.sum(dim=1).mean()


def never_below_half(normal, anomalous):
    found = auc_by_loop(normal, anomalous)
    return 1 - found if found < 0.5 else found


def sorts_the_errors(normal, anomalous):
    normal[:] = normal.sort().values
    return auc_by_searching(normal, anomalous)


def stacks_unequal(normal, anomalous):
    return (anomalous > normal).float().mean()


def farthest_vote(codes, labels, new, k):
    nearest = torch.cdist(new, codes).topk(k).indices
    return labels[nearest].mode(dim=1).values


def forgets_labels(codes, labels, new, k):
    return torch.cdist(new, codes).topk(k, largest=False).indices.mode(dim=1).values


def largest_of_tied(codes, labels, new, k):
    result = []
    for distances in torch.cdist(new, codes):
        votes = Counter(labels[distances.argsort()[:k]].tolist())
        result.append(max(votes, key=lambda label: (votes[label], label)))
    return result


def most_common(codes, labels, new, k):
    result = []
    for distances in torch.cdist(new, codes):
        result.append(Counter(labels[distances.argsort()[:k]].tolist()).most_common(1)[0][0])
    return result


def median_label(codes, labels, new, k):
    return labels[torch.cdist(new, codes).topk(k, largest=False).indices].median(dim=1).values


def mean_label(codes, labels, new, k):
    return labels[torch.cdist(new, codes).topk(k, largest=False).indices].float().mean(dim=1).round().long()


def skips_itself(codes, labels, new, k):
    nearest = torch.cdist(new, codes).argsort(dim=1)[:, 1 : k + 1]
    return labels[nearest].mode(dim=1).values


def skips_itself_by_topk(codes, labels, new, k):
    nearest = torch.cdist(new, codes).topk(k + 1, largest=False).indices[:, 1:]
    return labels[nearest].mode(dim=1).values


def taxi(codes, labels, new, k):
    return labels[torch.cdist(new, codes, p=1).topk(k, largest=False).indices].mode(dim=1).values


def most_similar(codes, labels, new, k):
    return labels[(new @ codes.T).topk(k).indices].mode(dim=1).values


def across(codes, labels, new, k):
    return labels[torch.cdist(new, codes).topk(k, largest=False).indices].mode(dim=0).values


def without_a_vote(codes, labels, new, k):
    return labels[torch.cdist(new, codes).topk(k, largest=False).indices]


def exchanged_clouds(codes, labels, new, k):
    return labels[torch.cdist(codes, new).topk(k, largest=False).indices].mode(dim=1).values


WRONG = {
    "nearest_distance": [
        (lambda p, r: (p[:, None] - r).pow(2).sum(-1).min(1).values, "*squared* distance"),
        (lambda p, r: torch.cdist(p, r, p=1).min(1).values, "as a taxi drives"),
        (lambda p, r: torch.cdist(p, r).min(0).values, "along the wrong axis"),
        (lambda p, r: torch.cdist(r, p).min(1).values, "one distance for each *reference*"),
        (lambda p, r: torch.cdist(p, r).max(1).values, "*farthest*"),
        (lambda p, r: torch.cdist(p, r).mean(1), "mean distance to all references"),
        (second_nearest, "*second* nearest"),
        (lambda p, r: (p[:, None] - r).pow(2).mean(-1).sqrt().min(1).values, "you average over the coordinates"),
        (patched_together, "patched together"),
        (lambda p, r: torch.linalg.norm(p - r.mean(dim=0), dim=-1), "the mean of all references"),
        (lambda p, r: torch.cdist(p, r).min(1).indices, "*which* reference"),
        (lambda p, r: torch.cdist(p, r), "the whole table"),
        (lambda p, r: torch.cdist(p, r).min(1).values.mean(), "one number for all points"),
        (lambda p, r: (p - r).norm(dim=1), "raised RuntimeError"),
        (lambda p, r: torch.cdist(p, r).min(), "has shape (), should be (2,)"),
        (moves_the_references, "changes its input `references`"),
    ],
    "auc": [
        (lambda n, a: auc_by_loop(a, n), "the other way round"),
        (lambda n, a: (a[:, None] > n).double().mean(), "count for nothing"),
        (lambda n, a: (a[:, None] >= n).double().mean(), "count fully"),
        (first_of_each, "the first with the first"),
        (counts_pairs, "no probability"),
        (beaten_by_each_anomaly, "divide by the number of anomalies"),
        (lambda n, a: (a > n.mean()).double().mean(), "one threshold"),
        (lambda n, a: (a > n.max()).double().mean(), "than *every* normal image"),
        (never_below_half, "turn results below ½ round"),
        (lambda n, a: 1.0 if a.mean() > n.mean() else 0.0, "which of the two *means*"),
        (sorts_the_errors, "changes its input `normal`"),
        (stacks_unequal, "raised RuntimeError"),
        (lambda n, a: (a[:, None] > n).double().mean(dim=1), "should be a single number"),
    ],
    "knn_labels": [
        (farthest_vote, "*farthest* k"),
        (lambda c, y, x, k: y[torch.cdist(x, c).argmin(dim=1)], "the nearest alone"),
        (forgets_labels, "places in the list of codes"),
        (largest_of_tied, "the largest of them"),
        (most_common, "comes first, the nearest"),
        (median_label, "*median*"),
        (mean_label, "*mean*"),
        (skips_itself, "the nearest code has no vote"),
        (skips_itself_by_topk, "the nearest code has no vote"),
        (taxi, "fewest steps along the axes"),
        (most_similar, "largest inner product"),
        (across, "across the new points"),
        (without_a_vote, "They still have to vote"),
        (exchanged_clouds, "raised RuntimeError"),
        (lambda c, y, x, k: knn_by_topk(c, y, x, k)[:1], "has shape (1,), should be (2,)"),
    ],
}
