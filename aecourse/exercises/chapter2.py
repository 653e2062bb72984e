"""The questions of chapter 2: the squared error of a batch, an encoder by hand, one step of a linear autoencoder."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import losses
from .checking import Question


def _pairs(random: torch.Generator) -> list[tuple]:
    half = torch.tensor([[[[0.25, 0.75], [1.0, 0.0]]]])
    fixed = [
        (torch.tensor([[[[0.0, 1.0]]], [[[1.0, 1.0]]]]), torch.tensor([[[[0.0, 0.5]]], [[[1.0, 0.0]]]])),
        (half, torch.full((1, 1, 2, 2), 0.5)),
        (half, half.clone()),
    ]
    shapes = [(1, 1, 3, 4), (3, 1, 2, 5), (5, 1, 4, 3), (4, 3, 2, 2), (2, 1, 5, 6)]
    return fixed + [tuple(torch.rand(2, *shape, generator=random)) for shape in shapes]


def _networks(random: torch.Generator) -> list[tuple]:
    cases = [
        (
            torch.tensor([[[[1.0, 0.5]]]]),
            torch.tensor([[1.0, -1.0], [2.0, 1.0]]),
            torch.tensor([1.0, 0.0]),
            torch.tensor([[1.0, -2.0], [5.0, 3.0]]),
            torch.tensor([1.0, 1.0]),
        ),
        (
            torch.tensor([[[[1.0], [0.0], [0.5]]], [[[0.0], [1.0], [1.0]]]]),
            torch.tensor([[1.0, -2.0], [-1.0, 1.0], [2.0, 1.0]]),
            torch.tensor([-0.5, 0.25]),
            torch.tensor([[1.0], [-3.0]]),
            torch.tensor([-1.0]),
        ),
    ]
    for n, height, width, hidden, k in [
        (1, 2, 3, 7, 2),
        (4, 3, 2, 8, 3),
        (3, 2, 2, 6, 4),
        (5, 4, 3, 9, 1),
        (2, 1, 5, 6, 7),
    ]:
        shapes = [(height * width, hidden), (hidden,), (hidden, k), (k,)]
        weights = [torch.randn(shape, generator=random) for shape in shapes]
        cases.append((torch.rand((n, 1, height, width), generator=random), *weights))
    return cases


def _steps(random: torch.Generator) -> list[tuple]:
    cases = [
        (torch.tensor([[0.5], [0.5]]).double(), torch.tensor([[1.0, 0.0]]).double(), 0.1),
        (torch.tensor([[1.0], [0.0]]).double(), torch.tensor([[2.0, 0.0], [-1.0, 0.0], [0.5, 0.0]]).double(), 0.1),
    ]
    for n, pixels, k, lr in [(1, 4, 2, 0.05), (3, 5, 2, 0.1), (6, 4, 3, 0.02), (2, 7, 1, 0.2), (5, 3, 3, 0.01)]:
        weight = torch.randn((pixels, k), generator=random, dtype=torch.float64) / pixels**0.5
        cases.append((weight, torch.rand((n, pixels), generator=random, dtype=torch.float64), lr))
    return cases


def _encode(images: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    return (images.flatten(1) @ w1 + b1).relu() @ w2 + b2


def _flattened_to_one(images: Tensor, *weights: Tensor) -> Tensor:
    w1, b1, w2, b2 = weights
    return (images.flatten() @ w1 + b1).relu() @ w2 + b2


def _scrambled(images: Tensor, *weights: Tensor) -> Tensor:
    return _encode(images.reshape(-1, len(images)).T, *weights)


def _gradient(weight: Tensor, images: Tensor, loss: Callable[[Tensor, Tensor], Tensor] | None = None) -> Tensor:
    """Return the gradient of loss(weight, images), by default the squared error with tied weights."""
    weight = weight.clone().requires_grad_()
    error = (loss or _tied)(weight, images)
    return torch.autograd.grad(error, weight)[0]


def _tied(weight: Tensor, images: Tensor) -> Tensor:
    return losses.squared_error(images @ weight @ weight.T, images)


def _decoder_only(weight: Tensor, images: Tensor) -> Tensor:
    return losses.squared_error((images @ weight).detach() @ weight.T, images)


def _encoder_only(weight: Tensor, images: Tensor) -> Tensor:
    return losses.squared_error(images @ weight @ weight.T.detach(), images)


def _step(weight: Tensor, images: Tensor, lr: float) -> Tensor:
    return weight - lr * _gradient(weight, images)


def _centred(images: Tensor) -> Tensor:
    return images - images.mean(0)


QUESTIONS = [
    Question(
        "reconstruction_error(images, reconstructions)", _pairs, lambda x, y: losses.squared_error(y, x)
    ).with_mistakes(
        lambda x, y: (x - y).square().mean(),
        "this is the mean over pixels *and* images. Add up the pixels of an image; the mean is over the batch alone",
        lambda x, y: (x - y).square().sum(),
        "this is the sum over the whole batch, so it grows with the number of images. Take the mean over them",
        lambda x, y: (x - y).square().sum(0).mean(),
        "the two are exchanged: you add up over the images and average over the pixels",
        lambda x, y: (x - y).square().flatten(1).sum(1),
        "one number for each image. The batch has one error, their mean",
        lambda x, y: (x - y).square().sum(-1).mean(),
        "you add up along one axis only, a row of pixels, and average over everything else. An image has more than "
        "one row",
        lambda x, y: (x - y).square().sum(1).mean(),
        "you add up along axis 1 only. In `(N, channels, height, width)` that is not yet all the pixels",
        lambda x, y: (x - y).abs().flatten(1).sum(1).mean(),
        "these are absolute differences. Squared error squares each of them",
        lambda x, y: (x - y).flatten(1).norm(dim=1).mean(),
        "this is the mean *distance*: there is a root in it. The error is the squared one",
        lambda x, y: losses.squared_error(y, x).sqrt(),
        "you took the root at the end. The error stays squared",
        lambda x, y: (x - y).flatten(1).sum(1).square().mean(),
        "you add up the differences before you square, so too bright and too dark cancel out",
        lambda x, y: losses.squared_error(y, x) / 2,
        "it is half of what it should be. A ½ in front would be another loss",
        lambda x, y: F.binary_cross_entropy(y, x, reduction="sum") / len(x),
        "this is the cross-entropy of the pixels, not their squared error",
    ),
    Question("encoder(images, w1, b1, w2, b2)", _networks, _encode).with_mistakes(
        lambda x, *w: _encode(x, *w).relu(),
        "there is a ReLU on the code as well. The last layer is linear: a code may be negative",
        lambda x, w1, b1, w2, b2: (x.flatten(1) @ w1 + b1) @ w2 + b2,
        "there is no ReLU, so the two layers collapse into a single linear one",
        lambda x, w1, b1, w2, b2: ((x.flatten(1) @ w1 + b1) @ w2 + b2).relu(),
        "the ReLU stands on the code alone. It belongs between the two layers",
        lambda x, *w: _encode(x, *w).sigmoid(),
        "there is a sigmoid on the code. That is for the decoder's pixels; a code may be any number",
        lambda x, w1, b1, w2, b2: ((x.flatten(1) @ w1).relu() + b1) @ w2 + b2,
        "`b1` comes after the ReLU. It belongs to the first layer, before the non-linearity",
        lambda x, w1, b1, w2, b2: _encode(x, w1, 0 * b1, w2, b2),
        "`b1` has no part in it: the first layer adds a vector too",
        lambda x, w1, b1, w2, b2: _encode(x, w1, b1, w2, 0 * b2),
        "`b2` has no part in it: the second layer adds a vector too",
        lambda x, w1, b1, w2, b2: _encode(x, w1, 0 * b1, w2, 0 * b2),
        "both biases have no part in it: each layer multiplies by a matrix *and* adds a vector",
        lambda x, w1, b1, w2, b2: _encode(x, w1.T, b1, w2.T, b2),
        "your matrices are transposed. `torch.nn.Linear` keeps its weight as (outputs, inputs); here `w1` has one row "
        "for each *input*",
        _flattened_to_one,
        "you flatten the batch along with the pixels. Each image keeps a row of its own",
        lambda x, w1, b1, w2, b2: (x @ w1 + b1).relu() @ w2 + b2,
        "the images are not flattened. `w1` has one row for each pixel of the *whole* image",
        lambda x, w1, b1, w2, b2: (x.flatten(1) @ w1 + b1).sigmoid() @ w2 + b2,
        "the hidden layer is a sigmoid's. ReLU replaces each negative number by 0 and leaves the others",
        lambda x, w1, b1, w2, b2: F.layer_norm(x.flatten(1) @ w1 + b1, b1.shape).relu() @ w2 + b2,
        "there is a layer norm in it. The package's network has one, this one has not",
        _scrambled,
        "pixels of different images are mixed up: reshaping to the right size and then transposing cuts the images in "
        "pieces",
    ),
    Question("training_step(weight, images, lr)", _steps, _step).with_mistakes(
        lambda w, x, lr: w + lr * _gradient(w, x),
        "this is a step *uphill*: the gradient points to where the error grows",
        lambda w, x, lr: _gradient(w, x),
        "this is the gradient. The step from the old W to the new one is still missing",
        lambda w, x, lr: -lr * _gradient(w, x),
        "this is the change of W alone. Return the new W",
        lambda w, x, lr: w - _gradient(w, x),
        "the learning rate has no part in it: the step is the whole gradient",
        lambda w, x, lr: w - lr * len(x) * _gradient(w, x),
        "the error is summed over the batch, so the step grows with the number of images. Question 1 takes their mean",
        lambda w, x, lr: w - lr / x.shape[1] * _gradient(w, x),
        "the error is averaged over the pixels too, and the step is as many times too small",
        lambda w, x, lr: w - lr * _gradient(w, x, _decoder_only),
        "the gradient comes through the decoder's W alone. W stands in x̂ twice, and the code depends on it too",
        lambda w, x, lr: w - lr * _gradient(w, x, _encoder_only),
        "the gradient comes through the encoder's W alone. W stands in x̂ twice, and the decoder is W too",
        lambda w, x, lr: w - lr / 2 * _gradient(w, x),
        "the step is half of what it should be. There is no ½ in the error of 2.1",
        lambda w, x, lr: w - lr * _gradient(w, _centred(x)),
        "you subtract the mean of the images. PCA does; the formula here has no mean",
        lambda w, x, lr: _step(_step(w, x, lr), x, lr),
        "these are two steps, asked is one",
        lambda w, x, lr: w,
        "W came back as it was: the step did not reach what you return",
    ),
]
