"""Answers to the questions of chapter 14: right ones, written in different ways, and wrong ones with their hints."""

import math

import numpy as np
import torch


def nearest_by_cdist(vectors, codebook):
    return torch.cdist(vectors, codebook).argmin(1)


def nearest_by_loop(vectors, codebook):
    return torch.tensor([min(range(len(codebook)), key=lambda k: float((codebook[k] - v).norm())) for v in vectors])


def nearest_by_expanding(vectors, codebook):
    return (codebook.square().sum(1) - 2 * vectors @ codebook.T).argmin(1)


def nearest_by_numpy(vectors, codebook):
    return ((vectors.numpy()[:, None] - codebook.numpy()) ** 2).sum(2).argmin(1)


def digits(features, levels):
    return ((torch.tensor(levels) - 1) * torch.sigmoid(features)).round().long()


def symbol_by_places(features, levels):
    places = torch.tensor([1, *levels[:-1]]).cumprod(0)
    return (digits(features, levels) * places).sum(1)


def symbol_by_horner(features, levels):
    number = torch.zeros(len(features), dtype=torch.int64)
    for digit, level in zip(digits(features, levels).T.flip(0), levels[::-1], strict=True):
        number = number * level + digit
    return number


def symbol_by_loop(features, levels):
    numbers = []
    for row in features.tolist():
        number, place = 0, 1
        for value, level in zip(row, levels, strict=True):
            number += place * round((level - 1) / (1 + math.exp(-value)))
            place *= level
        numbers.append(number)
    return torch.tensor(numbers)


def symbol_by_numpy(features, levels):
    whole = np.rint((np.array(levels) - 1) / (1 + np.exp(-features.numpy()))).astype(int)
    return np.ravel_multi_index(tuple(whole.T), levels, order="F")


def bill_by_gather(symbols, chances, pixels, white):
    code = chances.expand(len(symbols), -1, -1).gather(2, symbols[..., None]).log2().sum((1, 2))
    picture = torch.where(pixels == 1, white, 1 - white).log2().sum(1)
    return -(code + picture).mean()


def bill_by_loop(symbols, chances, pixels, white):
    total = 0.0
    for code, picture, chance in zip(symbols.tolist(), pixels.tolist(), white.tolist(), strict=True):
        total -= sum(math.log2(chances[place, symbol]) for place, symbol in enumerate(code))
        total -= sum(math.log2(w if x else 1 - w) for x, w in zip(picture, chance, strict=True))
    return total / len(symbols)


def bill_by_bernoulli(symbols, chances, pixels, white):
    code = sum(torch.distributions.Categorical(chances).log_prob(symbols).sum(1))
    picture = torch.distributions.Bernoulli(white).log_prob(pixels).sum()
    return -(code + picture) / len(symbols) / math.log(2)


RIGHT = {
    "nearest_code": [nearest_by_cdist, nearest_by_loop, nearest_by_expanding, nearest_by_numpy],
    "grid_symbol": [symbol_by_places, symbol_by_horner, symbol_by_loop, symbol_by_numpy],
    "two_part_bits": [bill_by_gather, bill_by_loop, bill_by_bernoulli],
}


def read(whole, levels):
    places = torch.tensor([1, *levels[:-1]]).cumprod(0)
    return (whole.long() * places).sum(1)


def most_significant_first(features, levels):
    number = torch.zeros(len(features), dtype=torch.int64)
    for digit, level in zip(digits(features, levels).T, levels, strict=True):
        number = number * level + digit
    return number


def code_bits(symbols, chances):
    return -torch.distributions.Categorical(chances).log_prob(symbols).sum(1).mean() / math.log(2)


def pixel_bits(pixels, white):
    return -torch.distributions.Bernoulli(white).log_prob(pixels).sum(1).mean() / math.log(2)


def averages(symbols, chances, pixels, white):
    return code_bits(symbols, chances) / symbols.shape[1] + pixel_bits(pixels, white) / pixels.shape[1]


WRONG = {
    "nearest_code": [
        (lambda v, c: torch.cdist(v, c).argmax(1), "*farthest*"),
        (lambda v, c: c[torch.cdist(v, c).argmin(1)], "the chosen vectors themselves"),
        (lambda v, c: torch.cdist(v, c).min(1).values, "these are the distances"),
        (lambda v, c: (torch.cdist(v, c) ** 2).min(1).values, "the squared distances"),
        (lambda v, c: (v @ c.T).argmax(1), "largest inner product"),
        (lambda v, c: (v.norm(dim=1, keepdim=True) - c.norm(dim=1)).abs().argmin(1), "you compare lengths only"),
        (lambda v, c: torch.cdist(v, c).argmin(0), "the axes are exchanged"),
    ],
    "grid_symbol": [
        (lambda f, n: (torch.tensor(n) - 1.0) * f.sigmoid().round(), "should be"),
        (digits, "read as one whole number"),
        (most_significant_first, "in the reverse order"),
        (lambda f, n: read((torch.tensor(n) - 1) * f.sigmoid(), n), "you cut off"),
        (lambda f, n: read((torch.tensor(n) * f.sigmoid()).round(), n), "one level too many"),
        (lambda f, n: read(((torch.tensor(n) - 1) * f.tanh()).round(), n), "you squeeze with tanh"),
        (lambda f, n: read(f.round().clamp(min=0).minimum(torch.tensor(n) - 1.0), n), "the numbers are clamped"),
        (lambda f, n: digits(f, n).sum(1), "the levels are added up"),
        (lambda f, n: (digits(f, n) * n[0] ** torch.arange(len(n))).sum(1), "powers of one base"),
    ],
    "two_part_bits": [
        (lambda s, c, x, w: bill_by_loop(s, c, x, w) * math.log(2), "this is in nats"),
        (lambda s, c, x, w: code_bits(s, c), "the pixels are missing"),
        (lambda s, c, x, w: pixel_bits(x, w), "the code is missing"),
        (lambda s, c, x, w: s.shape[1] * math.log2(c.shape[1]) + pixel_bits(x, w), "every symbol is charged"),
        (averages, "you average over pixels"),
        (lambda s, c, x, w: code_bits(s, c) - (x * w.log2()).sum(1).mean(), "you charge white pixels only"),
        (lambda s, c, x, w: code_bits(s, c) + pixel_bits(1 - x, w), "black and white are exchanged"),
        (lambda s, c, x, w: bill_by_loop(s, c, x, w) * len(s), "the sum over all images"),
    ],
}
