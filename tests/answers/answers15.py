"""Answers to the questions of chapter 15: right ones, written in different ways, and wrong ones with their hints."""

import numpy as np
import torch
from torch.nn import functional as F


def margin_by_relu(real, generated, margin):
    return real.mean() + torch.relu(margin - generated).mean()


def margin_by_loop(real, generated, margin):
    low = sum(real.tolist()) / len(real)
    return low + sum(max(0.0, margin - energy) for energy in generated.tolist()) / len(generated)


def margin_by_numpy(real, generated, margin):
    return np.mean(real.numpy()) + np.mean(np.clip(margin - generated.numpy(), 0, None))


def margin_by_clamping_the_energy(real, generated, margin):
    return real.mean() + margin - generated.clamp(max=margin).mean()


def energy_by_where(p, q, margin):
    return torch.where(q > p, torch.tensor(margin), torch.tensor(0.0))


def energy_by_product(p, q, margin):
    return margin * (q > p).float()


def energy_by_loop(p, q, margin):
    return torch.tensor([margin if b > a else 0.0 for a, b in zip(p.tolist(), q.tolist(), strict=True)])


def energy_by_trying(p, q, margin):
    ends = torch.tensor([[0.0], [margin]])
    cost = p * ends + q * (margin - ends)
    return ends[cost.argmin(0), 0]


def pulling_by_matrix(codes):
    unit = codes / codes.norm(dim=1, keepdim=True)
    squared = (unit @ unit.T) ** 2
    n = len(codes)
    return (squared.sum() - n) / (n * (n - 1))


def pulling_by_loop(codes):
    n, total = len(codes), 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                total += float(torch.dot(codes[i], codes[j]) / (codes[i].norm() * codes[j].norm())) ** 2
    return total / (n * (n - 1))


def pulling_by_mask(codes):
    cosines = F.cosine_similarity(codes[:, None], codes[None], dim=2)
    return cosines[~torch.eye(len(codes), dtype=torch.bool)].square().mean()


def pulling_by_pairs(codes):
    first, second = torch.triu_indices(len(codes), len(codes), 1)
    return F.cosine_similarity(codes[first], codes[second]).square().mean()


RIGHT = {
    "margin_loss": [margin_by_relu, margin_by_loop, margin_by_numpy, margin_by_clamping_the_energy],
    "best_energy": [energy_by_where, energy_by_product, energy_by_loop, energy_by_trying],
    "pulling_away": [pulling_by_matrix, pulling_by_loop, pulling_by_mask, pulling_by_pairs],
}


def unit(codes):
    return codes / codes.norm(dim=1, keepdim=True)


def without_diagonal(values):
    return values[~torch.eye(len(values), dtype=torch.bool)]


def half_sum(codes):
    squared = torch.triu((unit(codes) @ unit(codes).T) ** 2, 1)
    return squared.sum() / (len(codes) * (len(codes) - 1))


def over_all_pairs(codes):
    squared = without_diagonal((unit(codes) @ unit(codes).T) ** 2)
    return squared.sum() / len(codes) ** 2


def by_columns(codes):
    return without_diagonal((unit(codes.T) @ unit(codes.T).T) ** 2).mean()


def centred(codes):
    return pulling_by_mask(codes - codes.mean(0, keepdim=True))


WRONG = {
    "margin_loss": [
        (lambda r, g, m: r.mean() + m - g.mean(), "bring you a reward"),
        (lambda r, g, m: r.mean() + max(0.0, m - g.mean()), "you cut off after averaging"),
        (lambda r, g, m: r.mean() + (g - m).clamp(min=0).mean(), "the hinge is the wrong way round"),
        (lambda r, g, m: g.mean() + (m - r).clamp(min=0).mean(), "you have exchanged the two kinds"),
        (lambda r, g, m: (m - g).clamp(min=0).mean(), "the term of the real images is missing"),
        (lambda r, g, m: sum(r.tolist()) / len(r), "the term of the generated images is missing"),
        (lambda r, g, m: r.mean() - sum(g.tolist()) / len(g), "without a margin"),
        (lambda r, g, m: r.mean() - (m - g).clamp(min=0).mean(), "added, not subtracted"),
        (lambda r, g, m: r.sum() + (m - g).clamp(min=0).sum(), "you sum over the images"),
        (lambda r, g, m: sum(g.tolist()) / len(g), "this is the generator's loss"),
        (lambda r, g, m: r + (m - g).clamp(min=0), "should be a single number"),
    ],
    "best_energy": [
        (lambda p, q, m: m * (p > q), "the wrong way round"),
        (lambda p, q, m: torch.where(q > p, 1.0, 0.0), "you say 1 where the margin belongs"),
        (lambda p, q, m: q / (p + q) * m, "these are shares"),
        (lambda p, q, m: m * (q > 0.5), "with a fixed share"),
        (lambda p, q, m: m * (q > 0), "wherever the generator may come"),
        (lambda p, q, m: p * energy_by_product(p, q, m) + q * (m - energy_by_product(p, q, m)), "each place *costs*"),
        (lambda p, q, m: m * torch.sign(q - p), "the energy falls below 0"),
        (lambda p, q, m: m * (q - p).clamp(min=0), "proportional to the difference"),
        (lambda p, q, m: m if (q > p).any() else 0.0, "should be"),
    ],
    "pulling_away": [
        (lambda c: ((unit(c) @ unit(c).T) ** 2).mean(), "each code's cosine with itself"),
        (lambda c: without_diagonal(unit(c) @ unit(c).T).mean(), "the square is missing"),
        (lambda c: without_diagonal(unit(c) @ unit(c).T).abs().mean(), "you take the absolute value"),
        (lambda c: without_diagonal((c @ c.T) ** 2).mean(), "*lengths* must not matter"),
        (over_all_pairs, "divide as if it were still there"),
        (half_sum, "you count each pair once"),
        (lambda c: without_diagonal((unit(c) @ unit(c).T) ** 2).sum(), "this is a sum over pairs"),
        (by_columns, "you compare the columns"),
        (centred, "you have subtracted the mean code"),
        (lambda c: (unit(c) @ unit(c).T) ** 2, "should be a single number"),
    ],
}
