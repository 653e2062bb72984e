"""Answers to the questions of chapter 10: right ones, written in different ways, and wrong ones with their hints."""

import math

import numpy as np
import torch
from torch.distributions import Bernoulli, kl_divergence
from torch.nn import functional as F


def shrunk_by_numpy(inputs, price):
    return np.maximum(inputs.numpy() - price / 2, 0)


def shrunk_by_where(inputs, price):
    rest = inputs - 0.5 * price
    return torch.where(rest > 0, rest, torch.zeros_like(rest))


def sparsity_by_formula(codes, rho):
    mean = codes.mean(dim=0)
    return (rho * torch.log(rho / mean) + (1 - rho) * torch.log((1 - rho) / (1 - mean))).sum()


def sparsity_by_loop(codes, rho):
    price = 0.0
    for unit in codes.T.tolist():
        mean = sum(unit) / len(unit)
        price += rho * math.log(rho / mean) + (1 - rho) * math.log((1 - rho) / (1 - mean))
    return price


def sparsity_by_library(codes, rho):
    mean = codes.mean(0)
    return kl_divergence(Bernoulli(torch.full_like(mean, rho)), Bernoulli(mean)).sum()


def kept_by_threshold(codes, k):
    least = codes.abs().sort(dim=1, descending=True).values[:, k - 1 : k]
    return codes * (codes.abs() >= least)


def kept_by_loop(codes, k):
    rows = []
    for row in codes.tolist():
        best = sorted(range(len(row)), key=lambda j: -abs(row[j]))[:k]
        rows.append([value if j in best else 0.0 for j, value in enumerate(row)])
    return torch.tensor(rows)


def kept_by_numpy(codes, k):
    kept = codes.numpy().copy()
    order = np.argsort(np.abs(kept), axis=1)
    np.put_along_axis(kept, order[:, : kept.shape[1] - k], 0, axis=1)
    return kept


def kept_by_mask(codes, k):
    mask = torch.zeros_like(codes)
    mask.scatter_(1, codes.abs().topk(k).indices, 1.0)
    return codes * mask


RIGHT = {
    "best_activity": [
        lambda x, price: torch.relu(x - price / 2),
        lambda x, price: F.softshrink(x, price / 2).clamp(min=0),
        shrunk_by_numpy,
        shrunk_by_where,
    ],
    "kl_sparsity": [sparsity_by_formula, sparsity_by_loop, sparsity_by_library],
    "keep_largest": [kept_by_threshold, kept_by_loop, kept_by_numpy, kept_by_mask],
}


def kl(first, second):
    return kl_divergence(Bernoulli(first), Bernoulli(second))


def like(rho, mean):
    return torch.full_like(mean, rho)


def kept_of_each_column(codes, k):
    return kept_by_numpy(codes.T, min(k, len(codes))).T


def kept_of_all(codes, k):
    return kept_by_threshold(codes.reshape(1, -1), k * len(codes)).reshape(codes.shape)


def smallest(codes, k):
    mask = torch.zeros_like(codes)
    return codes * mask.scatter(1, codes.abs().topk(k, largest=False).indices, 1.0)


def drops_the_kth(codes, k):
    least = codes.abs().sort(dim=1, descending=True).values[:, k - 1 : k]
    return codes * (codes.abs() > least)


def moved_to_the_front(codes, k):
    result = torch.zeros_like(codes)
    for n, row in enumerate(codes):
        result[n, :k] = row[row.abs().topk(k).indices]
    return result


WRONG = {
    "best_activity": [
        (lambda x, price: F.relu(x - price), "you take away the whole price"),
        (lambda x, price: x - price / 2, "some activities are negative"),
        (lambda x, price: x.numpy() - price, "some of the results are below 0"),
        (lambda x, price: F.relu(x / 2 - price / 2), "half of what is left after the price"),
        (lambda x, price: x * (x > price / 2), "above it they are not shrunk"),
        (lambda x, price: F.relu(x.abs() - price / 2), "negative inputs come out active"),
        (lambda x, price: F.softshrink(x, price / 2), "for codes of either sign"),
        (lambda x, price: F.relu(x), "you leave the price out"),
        (lambda x, price: F.relu(x - x * price / 2), "you multiply by the price"),
        (lambda x, price: F.relu(x - price / 2).sum(), "shape"),
    ],
    "kl_sparsity": [
        (lambda c, rho: kl(c.mean(0), like(rho, c.mean(0))).sum(), "the other way round"),
        (lambda c, rho: kl(like(rho, c.mean(0)), c.mean(0)).mean(), "you average over the units. The price"),
        (lambda c, rho: kl(like(rho, c), c).sum() / len(c), "for every single activity"),
        (lambda c, rho: kl(like(rho, c), c).sum(), "a price for every activity of every image"),
        (lambda c, rho: sparsity_by_loop(c.reshape(-1, 1), rho), "one mean over all units together"),
        (lambda c, rho: kl(like(rho, c.mean(1)), c.mean(1)).sum(), "of an image"),
        (lambda c, rho: (rho * math.log(rho) - rho * c.mean(0).log()).sum(), "one of the two terms is missing"),
        (
            lambda c, rho: F.binary_cross_entropy(c.mean(0), like(rho, c.mean(0)), reduction="sum"),
            "this is the cross-entropy",
        ),
        (lambda c, rho: -sparsity_by_loop(c, rho), "the sign is wrong"),
        (lambda c, rho: sparsity_by_loop(c, rho) / math.log(2), "this is in bits"),
        (lambda c, rho: kl(like(rho, c.mean(0)), c.mean(0)), "should be a single number"),
    ],
    "keep_largest": [
        (lambda c, k: c * (c >= c.sort(1, descending=True).values[:, k - 1 : k]), "a large negative number"),
        (lambda c, k: kept_by_loop(c.clamp(min=0), k), "only positive numbers are left"),
        (lambda c, k: torch.zeros_like(c).scatter(1, c.abs().topk(k).indices, 1.0), "*which* numbers stay"),
        (lambda c, k: kept_by_mask(c, k).abs(), "you lose the signs"),
        (kept_of_each_column, "of each *column*"),
        (kept_of_all, "among all images at once"),
        (lambda c, k: c - kept_by_mask(c, k), "kept the rest"),
        (smallest, "the k *smallest*"),
        (drops_the_kth, "one number per row is missing"),
        (moved_to_the_front, "moved to the front"),
        (lambda c, k: c.topk(k).values, "shape"),
    ],
}
