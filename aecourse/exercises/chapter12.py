"""The questions of chapter 12: cutting an image into tokens, attention, and a loss on what was hidden."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .. import models
from .checking import Question


def _pictures(random: torch.Generator) -> list[tuple]:
    count = torch.arange(16.0).reshape(1, 1, 4, 4)
    shapes = [((3, 1, 4, 4), 2), ((2, 1, 6, 9), 3), ((1, 1, 28, 28), 4), ((5, 1, 8, 4), 4), ((2, 1, 6, 8), 1)]
    drawn = [(torch.rand(shape, generator=random), size) for shape, size in shapes]
    return [(count, 2), (torch.arange(48.0).reshape(2, 1, 4, 6), 2), *drawn]


def _sets(random: torch.Generator) -> list[tuple]:
    corner = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    fixed = [(corner, corner, corner), (3 * corner[:2], corner, torch.tensor([[1.0], [2.0], [4.0]]))]
    sizes = [(4, 5, 3, 2), (2, 6, 9, 1), (5, 5, 4, 4), (1, 7, 16, 3), (6, 2, 5, 8)]
    return fixed + [
        tuple(2 * torch.randn(rows, columns, generator=random) for rows, columns in ((q, d), (k, d), (k, v)))
        for q, k, d, v in sizes
    ]


def _guessed(random: torch.Generator) -> list[tuple]:
    tokens = torch.tensor([[[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]])
    fixed = [(torch.zeros(2, 3, 2), tokens, torch.tensor([[0], [2]])), (tokens / 2, tokens, torch.tensor([[1], [0]]))]
    drawn = []
    for n, places, width, visible in [(3, 5, 4, 2), (4, 9, 2, 3), (1, 6, 3, 5), (6, 49, 16, 12)]:
        order = torch.rand(n, places, generator=random).argsort(1)
        guesses, tokens = torch.rand(2, n, places, width, generator=random).unbind()
        drawn.append((guesses, tokens, order[:, :visible]))
    return fixed + drawn


def _cut(images: Tensor, size: int) -> Tensor:
    rows, columns = images.shape[2] // size, images.shape[3] // size
    return images.reshape(len(images), rows, size, columns, size)  # N, row, down, column, across


def _attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return models.attend(queries, keys, values)[0]


def _scaled(power: float):
    def scaled(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        return (queries @ keys.T / queries.shape[1] ** power).softmax(1) @ values

    return scaled


def _errors(guesses: Tensor, tokens: Tensor) -> Tensor:
    return (guesses - tokens).square().sum(2)


def _is_hidden(tokens: Tensor, visible: Tensor) -> Tensor:
    return torch.ones(tokens.shape[:2]).scatter(1, visible, 0.0)


def _hidden_error(guesses: Tensor, tokens: Tensor, visible: Tensor) -> Tensor:
    return (_errors(guesses, tokens) * _is_hidden(tokens, visible)).sum() / len(tokens)


def _hidden_in_all(guesses: Tensor, tokens: Tensor, visible: Tensor) -> Tensor:
    hidden = _is_hidden(tokens, visible).amin(0)
    return (_errors(guesses, tokens) * hidden).sum() / len(tokens)


QUESTIONS = [
    Question("patches(images, size)", _pictures, models.to_patches).with_mistakes(
        lambda x, s: x.reshape(len(x), -1, s * s),
        "these are pieces of rows: the pixels were only counted off. A patch has pixels of several rows",
        lambda x, s: _cut(x, s).permute(0, 3, 1, 2, 4).flatten(3).flatten(1, 2),
        "the patches come column by column. Read them as a page: along the top row first",
        lambda x, s: _cut(x, s).permute(0, 1, 3, 4, 2).flatten(3).flatten(1, 2),
        "inside each patch rows and columns of pixels are exchanged",
        lambda x, s: models.to_patches(x, s).transpose(1, 2),
        "rows of an image's patches were mixed: you have the pixels of one patch on the axis of the patches. Exchange "
        "the last two axes",
        lambda x, s: models.to_patches(x, s).unflatten(2, (s, s)),
        "each patch is still a square. A token is a list: one axis for all its pixels",
        lambda x, s: models.to_patches(x, s).flatten(0, 1),
        "the patches of all images stand in one list. Keep the axis of the images",
    ),
    Question("attention(queries, keys, values)", _sets, _attend).with_mistakes(
        _scaled(0),
        "the scores are not scaled. In many dimensions they grow, and one key takes everything",
        _scaled(1),
        "you divide the scores by d_k. The spread of a sum of d_k products grows with its root",
        lambda q, k, v: (q @ k.T / math.sqrt(q.shape[1])).softmax(0) @ v,
        "your weights sum to 1 over the queries. Each *query* shares out its attention over the keys",
        lambda q, k, v: models.attend(q, k, v)[1],
        "these are the weights: where is read. Asked is what is read",
        lambda q, k, v: (q @ k.T / math.sqrt(q.shape[1])) @ v,
        "there is no softmax: the weights may be negative and don't sum to 1",
        lambda q, k, v: v[(q @ k.T).argmax(1)],
        "you take the value of the best key alone. Every key counts, by its weight",
        lambda q, k, v: models.attend(q, k, k)[0],
        "you read the keys. They only say who is meant; what is read are the values",
        lambda q, k, v: (q @ k.T / math.sqrt(len(k))).softmax(1) @ v,
        "you scale by the root of the number of keys. What counts is how many numbers a key has",
        lambda q, k, v: (q @ k.T / math.sqrt(len(q))).softmax(1) @ v,
        "you scale by the root of the number of queries. What counts is how many numbers a query has",
        lambda q, k, v: (q @ k.T).softmax(1) @ v / math.sqrt(q.shape[1]),
        "you divide after the softmax, so the weights don't sum to 1. It is the scores that grow in many dimensions",
        lambda q, k, v: (q @ k.T / math.sqrt(q.shape[1])).flatten().softmax(0).reshape(len(q), len(k)) @ v,
        "there is one softmax over all scores, so the weights of all queries together sum to 1. Each *query* shares "
        "out an attention of its own",
    ),
    Question("hidden_error(guesses, tokens, visible)", _guessed, _hidden_error).with_mistakes(
        lambda g, t, v: _errors(g, t).sum() / len(t),
        "you count all tokens. For a visible one nothing had to be guessed",
        lambda g, t, v: _errors(g, t).gather(1, v).sum() / len(t),
        "you count the visible tokens. `visible` says which ones are *not* hidden",
        lambda g, t, v: _hidden_error(g, t, v) * len(t),
        "this is a sum over all images. Asked is the mean over the images",
        lambda g, t, v: _hidden_error(g, t, v) / (t.shape[1] - v.shape[1]),
        "this is a mean over the hidden tokens. Within an image, sum",
        lambda g, t, v: _hidden_error(g, t, v) / (t.shape[1] - v.shape[1]) / t.shape[2],
        "this is a mean over the hidden numbers. Within an image, sum",
        lambda g, t, v: _hidden_error(g, t, v[:1].expand_as(v)),
        "you use the mask of the first image for all. Each image has its own",
        _hidden_in_all,
        "a place that is visible in one image counts as visible in all: the masks are mixed. Each image has its own",
        lambda g, t, v: _hidden_error(g, t, v) / t.shape[2],
        "this is a mean over the numbers of a token. Within an image, sum",
        lambda g, t, v: _hidden_error(g, t, v) / t.shape[1],
        "this is a mean over all tokens, the visible ones included as zeros. Within an image, sum",
        lambda g, t, v: ((g - t).abs().sum(2) * _is_hidden(t, v)).sum() / len(t),
        "the differences are not squared",
    ),
]
