"""Answers to the questions of chapter 9: right ones, written in different ways, and wrong ones with their hints."""

import math
from fractions import Fraction

import numpy as np
import torch
from torch.nn import functional as F


def salt_by_where(images, chance, share):
    return torch.where(chance < share / 2, 0.0, torch.where(chance < share, 1.0, images))


def salt_by_writing(images, chance, share):
    damaged = images.clone()
    damaged[chance < share] = 1.0
    damaged[chance < share / 2] = 0.0
    return damaged


def salt_by_arithmetic(images, chance, share):
    hit = (chance < share).float()
    return hit * (chance >= share / 2) + (1 - hit) * images


def salt_by_numpy(images, chance, share):
    return np.select([chance < share / 2, chance < share], [0.0, 1.0], images)


def answer_by_formula(white, mask, pixels):
    return white * mask**pixels / (white * mask**pixels + (1 - white))


def answer_by_odds(white, mask, pixels):
    odds = white / (1 - white) * mask**pixels
    return odds / (1 + odds)


def answer_by_sigmoid(white, mask, pixels):
    return torch.sigmoid(torch.tensor(math.log(white / (1 - white)) + pixels * math.log(mask)))


def answer_by_fractions(white, mask, pixels):
    white, mask = Fraction(white), Fraction(mask)
    return float(1 / (1 + (1 - white) / (white * mask**pixels)))


def psnr_by_torch(clean, restored):
    return -10 * (clean - restored).square().mean().log10()


def psnr_by_loss(clean, restored):
    return 10 * math.log10(1 / F.mse_loss(restored, clean).item())


def psnr_by_root(clean, restored):
    return -20 * np.log10(np.sqrt(np.mean((clean.numpy() - restored.numpy()) ** 2)))


def psnr_by_natural_logarithm(clean, restored):
    return -10 * ((restored - clean) ** 2).double().mean().log() / math.log(10)


RIGHT = {
    "salt_and_pepper": [salt_by_where, salt_by_writing, salt_by_arithmetic, salt_by_numpy],
    "best_answer": [answer_by_formula, answer_by_odds, answer_by_sigmoid, answer_by_fractions],
    "psnr": [psnr_by_torch, psnr_by_loss, psnr_by_root, psnr_by_natural_logarithm],
}


def written_over(images, chance, share):
    images[chance < share] = 1.0
    images[chance < share / 2] = 0.0
    return images


def exchanged(images, chance, share):
    damaged = images.clone()
    damaged[chance < share] = 0.0
    damaged[chance < share / 2] = 1.0
    return damaged


def each_share(images, chance, share):
    return np.select([chance < share, chance < 2 * share], [0.0, 1.0], images)


def the_others(images, chance, share):
    return np.select([chance < share, chance > (1 + share) / 2], [images, 1.0], 0.0)


def grey(images, chance, share):
    return np.select([chance < share / 2, chance < share], [0.0, 1.0], 0.5)


def only_salt(images, chance, share):
    damaged = images.clone()
    damaged[(share / 2 <= chance) & (chance < share)] = 1
    return damaged


def salt_from_the_top(images, chance, share):
    damaged = images.clone()
    damaged[chance < share / 2] = 0
    damaged[chance >= 1 - share / 2] = 1
    return damaged


def mean_of_decibels(clean, restored):
    return np.mean([-10 * math.log10(F.mse_loss(a, b)) for a, b in zip(clean, restored, strict=True)])


WRONG = {
    "salt_and_pepper": [
        (exchanged, "black and white are exchanged"),
        (lambda x, u, s: x * (u >= s), "every damaged pixel becomes black"),
        (lambda x, u, s: x.masked_fill(u < s, 1), "every damaged pixel becomes white"),
        (each_share, "twice as many pixels as asked"),
        (the_others, "the pixels that should stay"),
        (grey, "They keep the grey they had"),
        (only_salt, "the black ones were left as they are"),
        (lambda x, u, s: x.masked_fill(u < s / 2, 0), "the white ones were left as they are"),
        (salt_from_the_top, "the ones with the highest chances"),
        (lambda x, u, s: np.select([u < s / 2, u < s], [0, 255], x), "your white pixels are 255"),
        (written_over, "changes its input `images`"),
    ],
    "best_answer": [
        (lambda w, m, k: w, "what you knew before you looked"),
        (lambda w, m, k: math.prod([m] * k), "given a white image"),
        (lambda w, m, k: w * math.prod([m] * k), "white *and* shows only black"),
        (lambda w, m, k: answer_by_odds(w, m, 1), "you count one masked pixel"),
        (lambda w, m, k: k * w * m / (k * w * m + 1 - w), "Independent chances don't add up"),
        (lambda w, m, k: 1 - answer_by_odds(w, m, k), "the chance of a *black* image"),
        (lambda w, m, k: answer_by_odds(w, 1 - m, k), "that a pixel is *spared*"),
        (lambda w, m, k: answer_by_odds(0.5, m, k), "how common white images are"),
        (lambda w, m, k: 1 - 1 / (1 + w * math.prod([m] * k)), "as if *every* image were black"),
        (lambda w, m, k: w / (1 - w) * math.prod([m] * k), "these are the odds"),
        (lambda w, m, k: 1 / (1 + (1 - w) / w * ((1 - m) / m) ** k), "how often a black image looks black"),
    ],
    "psnr": [
        (lambda x, y: 10 * F.mse_loss(x, y).log10(), "the sign is wrong"),
        (lambda x, y: -10 * F.mse_loss(x, y).log(), "the natural logarithm"),
        (lambda x, y: -10 * F.mse_loss(x, y).log2(), "the logarithm to base 2"),
        (lambda x, y: -10 * F.mse_loss(x, y).sqrt().log10(), "half of the right value"),
        (lambda x, y: -20 * F.mse_loss(x, y).log10(), "twice the right value"),
        (lambda x, y: -F.mse_loss(x, y).log10(), "in bel, not in decibels"),
        (lambda x, y: -10 * (F.mse_loss(x, y, reduction="sum") / len(x)).log10(), "you *sum* the squared error"),
        (lambda x, y: -10 * F.l1_loss(x, y).log10(), "the absolute differences"),
        (mean_of_decibels, "you average the decibels"),
        (lambda x, y: -20 * (x - y).abs().log10().mean(), "the logarithm of every pixel's error"),
        (lambda x, y: -10 * F.mse_loss(x, y, reduction="sum").log10(), "a larger test set looks worse"),
        (F.mse_loss, "the mean squared error itself"),
        (lambda x, y: 10 * (255**2 / F.mse_loss(x, y)).log10(), "white is 1 here, not 255"),
    ],
}
