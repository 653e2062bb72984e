"""The questions of chapter 9: damage, the best answer to it, and decibels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .. import evaluate
from .checking import Question


def _pixels(random: torch.Generator) -> list[tuple]:
    grey = torch.full((1, 1, 2, 3), 0.5)
    chance = torch.tensor([0.05, 0.15, 0.25, 0.35, 0.45, 0.95]).reshape(1, 1, 2, 3)
    cases = [(grey, chance, 0.4), (grey, chance, 0.0), (grey, chance, 1.0)]
    for share, number in ((0.1, 3), (0.3, 1), (0.5, 2), (0.8, 4)):
        images, drawn = torch.rand(2, number, 1, 6, 5, generator=random)
        cases.append((images, drawn, share))
    return cases


def _beliefs(random: torch.Generator) -> list[tuple]:
    fixed = [(0.5, 0.5, 2), (0.5, 0.5, 1), (0.2, 0.5, 3), (0.9, 0.25, 2)]
    drawn = torch.rand(5, 2, generator=random) * 0.8 + 0.1
    return fixed + [(white, mask, 1 + number) for number, (white, mask) in enumerate(drawn.tolist())]


def _restored(random: torch.Generator) -> list[tuple]:
    black = torch.zeros(1, 1, 2, 2)
    cases = [(black, black + 0.1), (black, black + 0.01), (black, black + 0.5)]
    for number, spread in ((2, 0.1), (5, 0.02), (1, 0.3), (9, 0.05)):
        clean, noise = torch.rand(2, number, 1, 7, 6, generator=random)
        cases.append((clean, (clean + spread * (noise - 0.5)).clamp(0, 1)))
    return cases


def _salt(images: Tensor, chance: Tensor, share: float) -> Tensor:
    return torch.where(chance < share / 2, 0.0, torch.where(chance < share, 1.0, images))


def _white(white: float, mask: float, pixels: int) -> float:
    return white * mask**pixels / (white * mask**pixels + 1 - white)


def _error(clean: Tensor, restored: Tensor) -> float:
    return float((clean - restored).square().mean())


QUESTIONS = [
    Question("salt_and_pepper(images, chance, share)", _pixels, _salt).with_mistakes(
        lambda x, u, s: torch.where(u < s / 2, 1.0, torch.where(u < s, 0.0, x)),
        "black and white are exchanged: the lowest chances make a pixel black",
        lambda x, u, s: torch.where(u < s, 0.0, x),
        "every damaged pixel becomes black. Half of them should be white: there is salt, too",
        lambda x, u, s: torch.where(u < s, 1.0, x),
        "every damaged pixel becomes white. Half of them should be black: there is pepper, too",
        lambda x, u, s: torch.where(u < s, 0.0, torch.where(u < 2 * s, 1.0, x)),
        "you damage twice as many pixels as asked: `share` is for black and white together",
        lambda x, u, s: torch.where(u < s / 2, x, torch.where(u < s, x, (u > (1 + s) / 2).float())),
        "you damage the pixels that should stay and leave the others as they are",
        lambda x, u, s: torch.where(u < s / 2, 0.0, torch.where(u < s, 1.0, 0.5)),
        "the pixels that are not damaged have changed, too. They keep the grey they had",
        lambda x, u, s: torch.where((u >= s / 2) & (u < s), 1.0, x),
        "the white pixels are there, but the black ones were left as they are",
        lambda x, u, s: torch.where(u < s / 2, 0.0, x),
        "the black pixels are there, but the white ones were left as they are",
        lambda x, u, s: torch.where(u < s / 2, 0.0, torch.where(u > 1 - s / 2, 1.0, x)),
        "your white pixels are the ones with the highest chances. The text says which chances make a pixel white",
        lambda x, u, s: torch.where(u < s / 2, 0.0, torch.where(u < s, 255.0, x)),
        "your white pixels are 255. In these images the grey values go from 0 to 1",
    ),
    Question("best_answer(white, mask, pixels)", _beliefs, _white).with_mistakes(
        lambda w, m, k: w,
        "this is what you knew before you looked. Black pixels make a white image less likely",
        lambda w, m, k: m**k,
        "this is the chance to see only black, given a white image. Asked is the chance of a white image, given that "
        "you see only black",
        lambda w, m, k: w * m**k,
        "this is the chance that an image is white *and* shows only black. Divide it by the chance to see only black, "
        "whatever the image is",
        lambda w, m, k: _white(w, m, 1),
        "you count one masked pixel. All of them must have been masked, each by its own chance",
        lambda w, m, k: w * m * k / (w * m * k + 1 - w),
        "you multiply the chance by the number of pixels. Independent chances don't add up",
        lambda w, m, k: 1 - _white(w, m, k),
        "this is the chance of a *black* image. Asked is the mean of the pixel, and white is 1",
        lambda w, m, k: _white(w, 1 - m, k),
        "you use the chance that a pixel is *spared*. A white pixel looks black if it is masked",
        lambda w, m, k: m**k / (m**k + 1),
        "you leave out how common white images are: black and white ones needn't be equally common",
        lambda w, m, k: w * m**k / (w * m**k + 1),
        "you count the black images as if *every* image were black. They have a share, too, as the white ones have",
        lambda w, m, k: w * m**k / (1 - w),
        "these are the odds, white against black. A probability compares white with both together",
        lambda w, m, k: w * m**k / (w * m**k + (1 - w) * (1 - m) ** k),
        "you let the masks decide how often a black image looks black. It looks black whatever is masked",
    ),
    Question("psnr(clean, restored)", _restored, evaluate.psnr).with_mistakes(
        lambda x, y: 10 * math.log10(_error(x, y)),
        "the sign is wrong: a small error must give many decibels",
        lambda x, y: -10 * math.log(_error(x, y)),
        "this is the natural logarithm. Decibels use the one to base 10",
        lambda x, y: -10 * math.log2(_error(x, y)),
        "this is the logarithm to base 2, which counts bits. Decibels use another base",
        lambda x, y: -5 * math.log10(_error(x, y)),
        "this is half of the right value, as if the error had been a distance. The squared error goes into the "
        "logarithm with the factor 10",
        lambda x, y: -20 * math.log10(_error(x, y)),
        "this is twice the right value. The factor is 20 for the *root* of the mean squared error, and 10 for the "
        "mean squared error itself",
        lambda x, y: -math.log10(_error(x, y)),
        "the factor 10 is missing: this is in bel, not in decibels",
        lambda x, y: -10 * math.log10(float((x - y).square().sum()) / len(x)),
        "you *sum* the squared error over the pixels. Here it is their mean",
        lambda x, y: -10 * math.log10(float((x - y).abs().mean())),
        "you take the mean of the absolute differences. They must be squared first",
        lambda x, y: -10 * (x - y).square().flatten(1).mean(1).log10().mean(),
        "you average the decibels of the images. Asked is the ratio for the mean error over *all* pixels",
        lambda x, y: -10 * (x - y).square().log10().mean(),
        "you take the logarithm of every pixel's error and average then. That way one pixel that happens to be right "
        "counts for very many decibels",
        lambda x, y: -10 * math.log10(float((x - y).square().sum())),
        "you add up the squared errors of all images and all pixels. That way a larger test set looks worse",
        _error,
        "this is the mean squared error itself",
        lambda x, y: -10 * math.log10(_error(x, y) / 255**2),
        "white is 1 here, not 255",
    ),
]
