"""Answers to the questions of chapter 4: right ones, written in different ways, and wrong ones with their hints."""

import math
from collections import Counter

import numpy as np
import torch
from scipy.spatial import cKDTree

import aecourse as ae


def perplexity_by_counter(labels, groups):
    n = len(labels)
    bits = 0.0
    for count in Counter(labels.tolist()).values():
        bits -= count / n * math.log2(count / n)
    return 2**bits


def perplexity_by_nats(labels, groups):
    shares = torch.bincount(labels, minlength=groups) / len(labels)
    return torch.special.entr(shares).sum().exp()


def perplexity_by_product(labels, groups):
    shares = np.array([(labels == group).float().mean() for group in range(groups)])
    return np.prod(np.power(shares, -shares, where=shares > 0, out=np.ones(groups)))


def perplexity_by_one_hot(labels, groups):
    shares = torch.nn.functional.one_hot(labels, groups).double().mean(0)
    return 2 ** -(shares * (shares + 1e-12).log2()).sum()


def perplexity_by_library(labels, groups):
    return 2 ** ae.coding.entropy(ae.coding.frequencies(labels, groups))


def hole_by_cdist(codes, candidates):
    return candidates[torch.cdist(candidates, codes).min(dim=1).values.argmax()]


def hole_by_loop(codes, candidates):
    best, hole = -1.0, None
    for candidate in candidates.tolist():
        nearest = min(math.dist(candidate, code) for code in codes.tolist())
        if nearest > best:
            best, hole = nearest, candidate
    return hole


def hole_by_broadcasting(codes, candidates):
    squared = (codes[:, None] - candidates[None]).square().sum(-1)
    return candidates[squared.amin(0).argmax()]


def hole_by_tree(codes, candidates):
    distance, _ = cKDTree(codes.numpy()).query(candidates.numpy())
    return candidates.numpy()[np.argmax(distance)]


def hole_by_library(codes, candidates):
    return candidates[ae.evaluate.nearest_distance(candidates, codes).argmax()]


def gaussian_by_cov(codes, epsilon):
    return codes.mean(0) + epsilon @ torch.linalg.cholesky(torch.cov(codes.T)).T


def gaussian_by_hand(codes, epsilon):
    centred = codes - codes.mean(0)
    factor = torch.linalg.cholesky(centred.T @ centred / (len(codes) - 1))
    return torch.einsum("ij,nj->ni", factor, epsilon) + codes.mean(0)


def gaussian_by_numpy(codes, epsilon):
    codes, epsilon = codes.double().numpy(), epsilon.double().numpy()
    return (np.linalg.cholesky(np.cov(codes, rowvar=False)) @ epsilon.T).T + codes.mean(axis=0)


def gaussian_by_loop(codes, epsilon):
    factor = torch.linalg.cholesky(codes.T.cov())
    return torch.stack([codes.mean(0) + factor @ noise for noise in epsilon])


def gaussian_by_distribution(codes, epsilon):
    normal = torch.distributions.MultivariateNormal(codes.mean(0), covariance_matrix=torch.cov(codes.T))
    return normal.loc + epsilon @ normal.scale_tril.mT


RIGHT = {
    "perplexity": [
        perplexity_by_counter,
        perplexity_by_nats,
        perplexity_by_product,
        perplexity_by_one_hot,
        perplexity_by_library,
    ],
    "find_hole": [hole_by_cdist, hole_by_loop, hole_by_broadcasting, hole_by_tree, hole_by_library],
    "sample_gaussian": [
        gaussian_by_cov,
        gaussian_by_hand,
        gaussian_by_numpy,
        gaussian_by_loop,
        gaussian_by_distribution,
    ],
}


def shares(labels, groups):
    return torch.bincount(labels, minlength=groups).double() / len(labels)


def entropy_of_used(labels, groups, log):
    return -sum(p * log(p) for p in shares(labels, groups).tolist() if p > 0)


def nan_for_unused(labels, groups):
    p = shares(labels, groups)
    return 2 ** -(p * p.log2()).sum()


def divides_by_symbols(labels, groups):
    p = torch.bincount(labels, minlength=groups) / groups
    p = p[p > 0]
    return 2 ** -(p * p.log2()).sum()


def counts_without_weights(labels, groups):
    p = shares(labels, groups)
    return 2 ** -torch.log2(p[p > 0]).sum()


def labels_as_counts(labels, groups):
    p = labels / labels.sum()
    return 2 ** -torch.xlogy(p, p).sum().div(math.log(2))


def code_beside_the_hole(codes, candidates):
    distances = torch.cdist(candidates, codes)
    nearest, which = distances.min(dim=1)
    return codes[which[nearest.argmax()]]


def shifts_in_place(codes, candidates):
    codes -= candidates[0]
    return candidates[torch.cdist(candidates - candidates[0], codes).min(dim=1).values.argmax()]


def factor(codes):
    return torch.linalg.cholesky(torch.cov(codes.T))


def draws_with_root(codes, epsilon):
    values, vectors = np.linalg.eigh(np.cov(codes.numpy(), rowvar=False))
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    return codes.mean(0).numpy() + epsilon.numpy() @ root


def draws_biased(codes, epsilon):
    centred = codes - codes.mean(0)
    return codes.mean(0) + epsilon @ torch.linalg.cholesky(centred.T @ centred / len(codes)).T


def draws_uncentred(codes, epsilon):
    moment = codes.T @ codes / (len(codes) - 1)
    return codes.mean(0) + epsilon @ torch.linalg.cholesky(moment).T


WRONG = {
    "perplexity": [
        (lambda labels, groups: entropy_of_used(labels, groups, math.log2), "this is the entropy, in bits"),
        (lambda labels, groups: 2 ** entropy_of_used(labels, groups, math.log), "in nats, and you raise 2"),
        (lambda labels, groups: math.exp(entropy_of_used(labels, groups, math.log2)), "in bits, and you raise e"),
        (nan_for_unused, "NaN where a symbol never occurs"),
        (lambda labels, groups: 2 ** -entropy_of_used(labels, groups, math.log2), "sign of the entropy"),
        (lambda labels, groups: len(labels.unique()), "however rarely"),
        (lambda labels, groups: perplexity_by_counter(labels, groups) / groups, "share of the codebook"),
        (divides_by_symbols, "don't add up to 1"),
        (counts_without_weights, "without weighing"),
        (lambda labels, groups: 1 / (shares(labels, groups) ** 2).sum(), "1 / Σ p²"),
        (labels_as_counts, "for counts"),
        (lambda labels, groups: groups, "you return 4, right is 2.828"),
        (lambda labels, groups: 2 ** -sum(p * math.log2(p) for p in shares(labels, groups)), "raised ValueError"),
        (lambda labels, groups: 2 ** torch.special.entr(shares(labels, groups)), "should be a single number"),
    ],
    "find_hole": [
        (lambda codes, candidates: candidates[torch.cdist(candidates, codes).min(1).values.argmin()], "in the crowd"),
        (
            lambda codes, candidates: candidates[torch.cdist(candidates, codes).max(1).values.argmax()],
            "*farthest* code",
        ),
        (lambda codes, candidates: candidates[torch.cdist(codes, candidates).sum(0).argmax()], "*mean* distance"),
        (lambda codes, candidates: max(candidates, key=lambda z: (z - codes.mean(0)).norm()), "the *mean* code"),
        (lambda codes, candidates: candidates[torch.cdist(candidates, codes).min(0).values.argmax()], "wrong axis"),
        (lambda codes, candidates: codes[torch.cdist(candidates, codes).min(0).values.argmax()], "roles are exchanged"),
        (code_beside_the_hole, "the code next to it"),
        (lambda codes, candidates: torch.cdist(candidates, codes).min(1).values.argmax(), "number of the candidate"),
        (lambda codes, candidates: torch.cdist(candidates, codes).min(1).values.max(), "how far the nearest code is"),
        (
            lambda codes, candidates: max(candidates, key=lambda z: (codes - z).abs().sum(1).min()),
            "absolute differences",
        ),
        (
            lambda codes, candidates: max(candidates, key=lambda z: (codes - z).abs().amax(1).min()),
            "any one coordinate",
        ),
        (lambda codes, candidates: hole_by_cdist(codes, candidates)[None], "has shape (1, 2), should be (2,)"),
        (shifts_in_place, "changes its input `codes`"),
    ],
    "sample_gaussian": [
        (lambda codes, epsilon: codes.mean(0) + epsilon @ factor(codes), "which way round it is"),
        (lambda codes, epsilon: epsilon @ factor(codes).T, "lie around 0"),
        (lambda codes, epsilon: codes.mean() + epsilon @ factor(codes).T, "one mean for all dimensions"),
        (draws_biased, "divides by the number of codes"),
        (lambda codes, epsilon: codes.mean(0) + codes.std(0) * epsilon, "vary independently. Codes are correlated"),
        (lambda codes, epsilon: codes.mean(0) + codes.var(0) * epsilon, "multiply by the variances"),
        (lambda codes, epsilon: codes.mean(0) + epsilon @ torch.cov(codes.T), "the covariance itself"),
        (lambda codes, epsilon: codes.mean(0) + epsilon @ torch.cov(codes.T).sqrt(), "no factor of a matrix"),
        (draws_with_root, "symmetric root"),
        (draws_uncentred, "this is no covariance"),
        (lambda codes, epsilon: codes.mean(0) + factor(codes) @ epsilon, "raised RuntimeError"),
        (lambda codes, epsilon: (codes.mean(0) + epsilon @ factor(codes).T).T, "has shape (2, 1), should be (1, 2)"),
        (lambda codes, epsilon: codes.mean(0) + epsilon @ torch.linalg.cholesky(codes.cov()).T, "raised"),
    ],
}
