"""Answers to the questions of chapter 1: right ones, written in different ways, and wrong ones with their hints."""

import heapq
import math

import numpy as np
import torch

import aecourse as ae


def entropy_by_loop(p):
    bits = 0.0
    for chance in p:
        if chance > 0:
            bits -= chance * math.log2(chance)
    return bits


def entropy_by_numpy(p):
    p = np.array(p)
    p = p[p > 0]
    return -(p * np.log(p)).sum() / np.log(2)


def entropy_by_torch(p):
    return torch.special.entr(torch.tensor(p, dtype=torch.float64)).sum() / math.log(2)


def cross_entropy_by_zip(q, p):
    return sum(-a * math.log2(b) for a, b in zip(q, p, strict=True) if a > 0)


def cross_entropy_by_parts(q, p):
    return ae.coding.entropy(q) + ae.coding.kl(q, p)


def cross_entropy_by_torch(q, p):
    return -torch.xlogy(torch.tensor(q), torch.tensor(p)).sum() / math.log(2)


def huffman_by_sorting(weights):
    first, second, *rest = sorted(weights)
    return sorted([first + second, *rest])


def huffman_by_heap(weights):
    heap = list(weights)
    heapq.heapify(heap)
    heapq.heappush(heap, heapq.heappop(heap) + heapq.heappop(heap))
    return sorted(heap)


def huffman_by_numpy(weights):
    ordered = np.sort(weights)
    return np.sort(np.append(ordered[2:], ordered[:2].sum()))


def bits_by_where(pixels, white):
    return -torch.where(pixels > 0.5, white, 1 - white).log2().sum(dim=(1, 2, 3))


def bits_by_library(pixels, white):
    nats = torch.nn.functional.binary_cross_entropy(white, pixels, reduction="none")
    return nats.flatten(1).sum(1) / math.log(2)


def bits_by_loop(pixels, white):
    return [
        sum(
            -math.log2(w if x else 1 - w)
            for x, w in zip(image.flatten().tolist(), chance.flatten().tolist(), strict=True)
        )
        for image, chance in zip(pixels, white, strict=True)
    ]


RIGHT = {
    "entropy": [entropy_by_loop, entropy_by_numpy, entropy_by_torch],
    "cross_entropy": [cross_entropy_by_zip, cross_entropy_by_parts, cross_entropy_by_torch],
    "huffman_step": [huffman_by_sorting, huffman_by_heap, huffman_by_numpy],
    "image_bits": [bits_by_where, bits_by_library, bits_by_loop],
}


def sorts_in_place(weights):
    weights.sort()
    return sorted([weights[0] + weights[1], *weights[2:]])


WRONG = {
    "entropy": [
        (lambda p: -sum(x * math.log(x) for x in p if x > 0), "in nats"),
        (lambda p: -(torch.tensor(p) * torch.tensor(p).log2()).sum(), "count 0 · log 0 as 0"),
        (lambda p: sum(x * math.log2(x) for x in p if x > 0), "negative"),
        (lambda p: -sum(math.log2(x) for x in p if x > 0), "without weighing"),
        (lambda p: -np.mean([x * math.log2(x) if x > 0 else 0 for x in p]), "divide by the number of symbols"),
        (lambda p: math.log2(len(p)), "does not look at the probabilities"),
        (lambda p: -sum(x * math.log2(x) for x in p), "raised ValueError"),
        (lambda p: [-x * math.log2(x) if x > 0 else 0 for x in p], "should be a single number"),
    ],
    "cross_entropy": [
        (lambda q, p: -sum(b * math.log2(a) for a, b in zip(q, p, strict=True)), "exchanged"),
        (lambda q, p: ae.coding.kl(q, p), "the waste alone"),
        (lambda q, p: ae.coding.entropy(q), "as if the code were made for it"),
        (lambda q, p: ae.coding.entropy(p), "as if the world were"),
        (lambda q, p: -sum(a * math.log(b) for a, b in zip(q, p, strict=True)), "in nats"),
        (lambda q, p: sum(a * math.log2(b) for a, b in zip(q, p, strict=True)), "negative"),
    ],
    "huffman_step": [
        (lambda w: sorted([*sorted(w)[:-2], sorted(w)[-1] + sorted(w)[-2]]), "two *heaviest*"),
        (lambda w: sorted([w[0] + w[1], *w[2:]]), "first two of the list"),
        (lambda w: sorted(w)[2:], "their sum is missing"),
        (lambda w: sorted([*w, sorted(w)[0] + sorted(w)[1]]), "are there too"),
        (lambda w: [*sorted(w)[2:], sorted(w)[0] + sorted(w)[1]], "not sorted"),
        (lambda w: sorted([*sorted(w)[2:], (sorted(w)[0] + sorted(w)[1]) / 2]), "*mean* weight"),
        (sorts_in_place, "changes its input `weights`"),
    ],
    "image_bits": [
        (lambda x, w: -torch.where(x == 1, w, 1 - w).log2().flatten(1).mean(1), "mean over the pixels"),
        (lambda x, w: -torch.where(x == 1, w, 1 - w).log2().sum(), "each image's own pixels"),
        (lambda x, w: -torch.where(x == 1, w, 1 - w).log2().flatten(1).sum(1).mean(), "their mean"),
        (lambda x, w: -torch.where(x == 1, w, 1 - w).log().flatten(1).sum(1), "in nats"),
        (lambda x, w: -(x * w.log2()).flatten(1).sum(1), "white pixels only"),
        (lambda x, w: -torch.where(x == 1, 1 - w, w).log2().flatten(1).sum(1), "exchanged"),
        (lambda x, w: torch.where(x == 1, w, 1 - w).log2().flatten(1).sum(1), "negative"),
        (lambda x, w: -torch.where(x == 1, w, 1 - w).log2().flatten(1).sum(0), "has shape (16,), should be (1,)"),
    ],
}
