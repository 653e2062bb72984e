"""Answers to the questions of chapter 12: right ones, written in different ways, and wrong ones with their hints."""

import math

import numpy as np
import torch
from torch.nn import functional as F


def patches_by_permute(images, size):
    n, _, height, width = images.shape
    cut = images.reshape(n, height // size, size, width // size, size)
    return cut.permute(0, 1, 3, 2, 4).reshape(n, -1, size * size)


def patches_by_loop(images, size):
    tokens = []
    for image in images[:, 0]:
        for row in range(0, image.shape[0], size):
            for column in range(0, image.shape[1], size):
                tokens.append(image[row : row + size, column : column + size].flatten())
    return torch.stack(tokens).reshape(len(images), -1, size * size)


def patches_by_unfold(images, size):
    return F.unfold(images, size, stride=size).transpose(1, 2)


def patches_by_windows(images, size):
    return images[:, 0].unfold(1, size, size).unfold(2, size, size).flatten(1, 2).flatten(2)


def attention_by_softmax(queries, keys, values):
    scores = queries @ keys.T / math.sqrt(queries.shape[1])
    return torch.softmax(scores, dim=1) @ values


def attention_by_torch(queries, keys, values):
    return F.scaled_dot_product_attention(queries[None], keys[None], values[None])[0]


def attention_by_loop(queries, keys, values):
    read = []
    for query in queries:
        scores = torch.stack([(query * key).sum() / len(query) ** 0.5 for key in keys])
        weights = (scores - scores.max()).exp()
        read.append((weights[:, None] * values).sum(0) / weights.sum())
    return torch.stack(read)


def attention_by_numpy(queries, keys, values):
    scores = np.exp(queries.double().numpy() @ keys.double().numpy().T / np.sqrt(queries.shape[1]))
    return scores / scores.sum(1, keepdims=True) @ values.double().numpy()


def hidden_by_mask(guesses, tokens, visible):
    hidden = torch.ones(tokens.shape[:2], dtype=torch.bool)
    hidden[torch.arange(len(tokens))[:, None], visible] = False
    return ((guesses - tokens) ** 2)[hidden].sum() / len(tokens)


def hidden_by_difference(guesses, tokens, visible):
    errors = ((guesses - tokens) ** 2).sum(2)
    return (errors.sum(1) - errors.gather(1, visible).sum(1)).mean()


def hidden_by_loop(guesses, tokens, visible):
    total = 0.0
    for guess, token, seen in zip(guesses, tokens, visible.tolist(), strict=True):
        total += sum(float(((guess[i] - token[i]) ** 2).sum()) for i in range(len(token)) if i not in seen)
    return total / len(tokens)


RIGHT = {
    "patches": [patches_by_permute, patches_by_loop, patches_by_unfold, patches_by_windows],
    "attention": [attention_by_softmax, attention_by_torch, attention_by_loop, attention_by_numpy],
    "hidden_error": [hidden_by_mask, hidden_by_difference, hidden_by_loop],
}


def softmax_of(scale, axis=1):
    def answer(queries, keys, values):
        return torch.softmax(queries @ keys.T / scale(queries, keys), dim=axis) @ values

    return answer


def root(queries, keys):
    return math.sqrt(queries.shape[1])


def patches_by_columns(images, size):
    return patches_by_permute(images.transpose(2, 3), size).unflatten(2, (size, size)).transpose(2, 3).flatten(2)


def patches_turned(images, size):
    return patches_by_permute(images, size).unflatten(2, (size, size)).transpose(2, 3).flatten(2)


def hidden_in_all(guesses, tokens, visible):
    mask = torch.ones(tokens.shape[:2])
    mask[:, visible] = 0
    return (mask[:, :, None] * (guesses - tokens) ** 2).sum((1, 2)).mean()


def attention_in_one(queries, keys, values):
    scores = (queries @ keys.T / math.sqrt(queries.shape[1])).exp()
    return scores / scores.sum() @ values


def attention_divided_late(queries, keys, values):
    weights = torch.softmax(queries @ keys.T, dim=1)
    return (weights / math.sqrt(queries.shape[1])) @ values


WRONG = {
    "patches": [
        (lambda images, size: images.flatten(1).unflatten(1, (-1, size * size)), "only counted off"),
        (patches_by_columns, "column by column"),
        (patches_turned, "inside each patch rows and columns"),
        (lambda images, size: F.unfold(images, size, stride=size), "Exchange the last two axes"),
        (lambda images, size: images[:, 0].unfold(1, size, size).unfold(2, size, size).flatten(1, 2), "still a square"),
        (lambda images, size: patches_by_loop(images, size).reshape(-1, size * size), "Keep the axis of the images"),
    ],
    "attention": [
        (softmax_of(lambda queries, keys: 1), "not scaled"),
        (softmax_of(lambda queries, keys: queries.shape[1]), "divide the scores by d"),
        (softmax_of(root, axis=0), "over the queries"),
        (lambda q, k, v: torch.softmax(q @ k.T / math.sqrt(q.shape[1]), dim=1), "these are the weights"),
        (lambda q, k, v: (q @ k.T / math.sqrt(q.shape[1])) @ v, "no softmax"),
        (lambda q, k, v: v[(q @ k.T).argmax(dim=1)], "best key alone"),
        (lambda q, k, v: attention_by_softmax(q, k, k), "you read the keys"),
        (softmax_of(lambda queries, keys: math.sqrt(len(keys))), "number of keys"),
        (softmax_of(lambda queries, keys: math.sqrt(len(queries))), "number of queries"),
        (attention_divided_late, "after the softmax"),
        (attention_in_one, "one softmax over all scores"),
    ],
    "hidden_error": [
        (lambda g, t, v: ((g - t) ** 2).sum((1, 2)).mean(), "count all tokens"),
        (lambda g, t, v: ((g - t) ** 2).sum(2).gather(1, v).sum(1).mean(), "count the visible tokens"),
        (lambda g, t, v: hidden_by_mask(g, t, v) * len(g), "sum over all images"),
        (lambda g, t, v: hidden_by_mask(g, t, v) / (t.shape[1] - v.shape[1]), "mean over the hidden tokens"),
        (
            lambda g, t, v: hidden_by_mask(g, t, v) / ((t.shape[1] - v.shape[1]) * t.shape[2]),
            "mean over the hidden numbers",
        ),
        (lambda g, t, v: hidden_by_mask(g, t, v[0].repeat(len(v), 1)), "mask of the first image"),
        (hidden_in_all, "the masks are mixed"),
        (
            lambda g, t, v: F.mse_loss(g, t, reduction="none").mean(2).scatter(1, v, 0.0).sum(1).mean(),
            "mean over the numbers of a token",
        ),
        (lambda g, t, v: ((g - t) ** 2).sum(2).scatter(1, v, 0.0).mean(), "mean over all tokens"),
        (
            lambda g, t, v: ((g - t).abs().sum(2).sum(1) - (g - t).abs().sum(2).gather(1, v).sum(1)).mean(),
            "not squared",
        ),
    ],
}
