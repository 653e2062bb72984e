"""Answers to the questions of chapter 13: right ones, written in different ways, and wrong ones with their hints."""

import numpy as np
import torch
from torch.nn import functional as F


def label_by_one_hot(latents, labels, classes):
    return torch.cat([latents, F.one_hot(labels, classes).float()], dim=1)


def label_by_identity(latents, labels, classes):
    return torch.hstack([latents, torch.eye(classes)[labels]])


def label_by_comparison(latents, labels, classes):
    return np.concatenate([latents.numpy(), labels.numpy()[:, None] == np.arange(classes)], axis=1)


def label_by_loop(latents, labels, classes):
    return torch.tensor(
        [
            [*row, *(float(place == label) for place in range(classes))]
            for row, label in zip(latents.tolist(), labels.tolist(), strict=True)
        ]
    )


def gap_by_topk(shares):
    best = shares.topk(2, dim=0).values
    return (best[0] - best[1]).mean()


def gap_by_sort(shares):
    ordered = np.sort(shares.numpy(), axis=0)
    return float(np.mean(ordered[-1] - ordered[-2]))


def gap_by_loop(shares):
    gaps = []
    for column in shares.T.tolist():
        *_, second, best = sorted(column)
        gaps.append(best - second)
    return sum(gaps) / len(gaps)


def steer_by_means(codes, labels, start, end, z):
    return z + (codes[labels == end].mean(0) - codes[labels == start].mean(0))


def steer_by_sums(codes, labels, start, end, z):
    to, away = (labels == end).float(), (labels == start).float()
    return z + to @ codes / to.sum() - away @ codes / away.sum()


def steer_by_numpy(codes, labels, start, end, z):
    points, kinds = codes.numpy(), labels.numpy()
    middle = {digit: np.average(points, axis=0, weights=kinds == digit) for digit in (start, end)}
    return z.numpy() - middle[start] + middle[end]


RIGHT = {
    "with_label": [label_by_one_hot, label_by_identity, label_by_comparison, label_by_loop],
    "information_gap": [gap_by_topk, gap_by_sort, gap_by_loop],
    "steer": [steer_by_means, steer_by_sums, steer_by_numpy],
}


def hot(labels, classes):
    return torch.eye(classes)[labels]


def middle(codes, labels, digit):
    return torch.stack([code for code, label in zip(codes, labels, strict=True) if label == digit]).mean(0)


def way(codes, labels, start, end):
    return middle(codes, labels, end) - middle(codes, labels, start)


def gap_of_rows(shares):
    ordered = np.sort(shares.numpy(), axis=1)
    return np.mean(ordered[:, -1] - ordered[:, -2])


def largest_gap(shares):
    ordered = np.sort(shares.numpy(), axis=0)
    return np.max(ordered[-1] - ordered[-2])


def smallest_first(shares):
    best, second = shares.sort(dim=0).values[:2]
    return (best - second).mean()


def smallest_by_numpy(shares):
    ordered = np.sort(shares.numpy(), axis=0)
    return (ordered[1] - ordered[0]).mean()


def gap_of_sets(shares):
    gaps = []
    for column in shares.T.tolist():
        *_, second, best = sorted(set(column))
        gaps.append(best - second)
    return sum(gaps) / len(gaps)


WRONG = {
    "with_label": [
        (lambda z, y, c: torch.hstack([hot(y, c), z]), "the label stands before the code"),
        (lambda z, y, c: torch.hstack([z, y.unsqueeze(1)]), "as one number"),
        (lambda z, y, c: torch.hstack([z, hot(y, c) * y.unsqueeze(1)]), "its number instead of a 1"),
        (lambda z, y, c: torch.hstack([z, (hot(y, c) == 0).float()]), "0 and 1 are exchanged"),
        (lambda z, y, c: torch.hstack([z, hot(y[0].repeat(len(y)), c)]), "the label of the first"),
        (lambda z, y, c: torch.hstack([z, hot((y - 1) % c, c)]), "counted from 1"),
        (lambda z, y, c: torch.hstack([z, hot(y, y.max() + 1)]), "as many places as labels occur"),
        (lambda z, y, c: hot(y, c), "the code is missing"),
    ],
    "information_gap": [
        (gap_of_rows, "the two best *factors*"),
        (lambda s: s.amax(0).mean(), "the best number's share alone"),
        (lambda s: (s.amax(0) - s.amin(0)).mean(), "the *worst* number"),
        (lambda s: (s.amax(0) - s.mean(0)).mean(), "the mean of all numbers"),
        (
            lambda s: sum(best - second for best, second in zip(*s.topk(2, 0).values, strict=True)),
            "you add up the gaps",
        ),
        (lambda s: -gap_by_sort(s), "the sign is wrong"),
        (lambda s: (s[0] - s[1]).mean(), "the first two numbers"),
        (smallest_first, "A sort begins with the smallest"),
        (smallest_by_numpy, "the gap between the two *smallest*"),
        (gap_of_sets, "equal entries are lost"),
        (largest_gap, "the largest gap of all"),
    ],
    "steer": [
        (lambda c, y, a, b, z: z - way(c, y, a, b), "the wrong way"),
        (lambda c, y, a, b, z: z + middle(c, y, b), "keep that of `start`"),
        (lambda c, y, a, b, z: middle(c, y, b).repeat(len(z), 1), "all codes end at one point"),
        (lambda c, y, a, b, z: z + middle(c, y, b) - c.mean(0), "the mean of all codes"),
        (lambda c, y, a, b, z: z + way(c, y, a, b) / 2, "half of the way"),
        (lambda c, y, a, b, z: z + way(c, y, a, b) / way(c, y, a, b).norm(), "one unit long"),
        (lambda c, y, a, b, z: z + c[y == b].mean() - c[y == a].mean(), "one number for all of the code"),
        (lambda c, y, a, b, z: z + c[y == b].sum(0) - c[y == a].sum(0), "the difference of the *sums*"),
        (lambda c, y, a, b, z: c + way(c, y, a, b), "you move `codes`"),
        (lambda c, y, a, b, z: z + (c[b] - c[a]), "the code of one image"),
    ],
}
