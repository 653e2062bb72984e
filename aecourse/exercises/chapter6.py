"""The questions of chapter 6: the KL of a cloud, the ELBO of a batch, the bound from k codes per image."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import losses
from .checking import Question


def _clouds(random: torch.Generator) -> list[tuple]:
    cases = [
        (torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, math.log(0.25)]])),
        (torch.zeros(2, 3), torch.zeros(2, 3)),
    ]
    for shape in ((1, 1), (3, 5), (5, 2), (4, 4), (2, 7)):
        cases.append(_cloud(random, shape))
    return cases


def _cloud(random: torch.Generator, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    return torch.randn(shape, generator=random), 1.2 * torch.randn(shape, generator=random) - 0.7


def _decoded(random: torch.Generator) -> list[tuple]:
    zero = torch.zeros(1, 1)
    cases = [
        (torch.tensor([[1.0, 0.0]]), torch.tensor([[math.log(3), 0.0]]), torch.tensor([[2.0]]), zero),
        # The decoder is sure, and wrong, at two pixels: 40 and 200 nats.
        (
            torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]),
            torch.tensor([[40.0, 1.0, -1.0], [-200.0, 2.0, 0.5]]),
            torch.tensor([[1.0], [0.0]]),
            torch.tensor([[-1.0], [-2.0]]),
        ),
    ]
    for images, pixels, dimensions in ((1, 6, 3), (4, 9, 2), (3, 5, 4), (2, 3, 7), (5, 12, 5)):
        shape = images, pixels
        seen = torch.bernoulli(torch.full(shape, 0.4), generator=random)
        cases.append((seen, 2 * torch.randn(shape, generator=random), *_cloud(random, (images, dimensions))))
    return cases


def _log_weights(random: torch.Generator) -> list[tuple]:
    cases = [
        torch.tensor([[0.0], [math.log(3)]]),
        torch.tensor([[-150.0, -2000.0], [-180.0, -2000.0], [-180.0, -2000.0]]),
    ]
    cases += [
        torch.randn(shape, generator=random) * spread - level
        for shape, spread, level in (
            ((5, 1), 1, 3),
            ((4, 3), 2, 1000),
            ((1, 4), 2, 3),
            ((3, 3), 3, 150),
            ((8, 5), 2, 1),
        )
    ]
    cases.append(-200 - 1800 * torch.rand((6, 2), generator=random))
    return [(case,) for case in cases]


def _kl(mu: Tensor, log_var: Tensor) -> Tensor:
    return losses.gaussian_kl(mu, log_var).sum(1)


def _log_p(pixels: Tensor, logits: Tensor) -> Tensor:
    return -F.binary_cross_entropy_with_logits(logits, pixels, reduction="none")


def _elbo(pixels: Tensor, logits: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return _log_p(pixels, logits).sum(1).mean() - _kl(mu, log_var).mean()


def _elbo_with(log_p: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return an ELBO whose pixels have other log-probabilities: a function from pixels and logits to `(N, D)`."""
    return lambda x, logits, mu, log_var: log_p(x, logits).sum(1).mean() - _kl(mu, log_var).mean()


def _through_probabilities(pixels: Tensor, logits: Tensor) -> Tensor:
    white = logits.sigmoid()
    return torch.where(pixels == 1, white, 1 - white).log()


def _bound(log_weights: Tensor) -> Tensor:
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def _shifted(log_weights: Tensor, shift: Tensor) -> Tensor:
    return (log_weights - shift).exp().mean(0).log() + shift


def _by_one_less(log_weights: Tensor) -> Tensor:
    return log_weights.logsumexp(0) - torch.tensor(len(log_weights) - 1.0).log()


QUESTIONS = [
    Question("gaussian_kl(mu, log_var)", _clouds, _kl).with_mistakes(
        lambda mu, log_var: losses.gaussian_kl(mu, log_var).mean(1),
        "this is the mean over the latent dimensions. Each dimension has its own price, and an image pays them all; a "
        "mean is a hidden β of one over their number",
        losses.gaussian_kl,
        "one price for each dimension of each image, not yet one for each image: which axis holds the latent "
        "dimensions?",
        lambda mu, log_var: losses.gaussian_kl(mu, log_var).sum(0),
        "you add up over the images instead of the latent dimensions: which axis is which?",
        lambda mu, log_var: _kl(mu, log_var).mean(),
        "one number for all images, their mean. Return one for each image: shape (N,)",
        lambda mu, log_var: _kl(mu, log_var).sum(),
        "one number for all images, their sum. Return one for each image: shape (N,)",
        lambda mu, log_var: 0.5 * (mu**2 + (2 * log_var).exp() - 1 - log_var).sum(1),
        "a variance is squared once too often: exp(log σ²) is σ² already, not σ",
        lambda mu, log_var: 0.5 * (mu**2 + (log_var / 2).exp() - 1 - log_var).sum(1),
        "σ stands where σ² belongs. The network gives log σ², so what do you get without halving it first?",
        lambda mu, log_var: _kl(mu, 2 * log_var),
        "you use exp(log_var) as σ, in the logarithm too: it is σ². Your clouds are too wide or too narrow",
        lambda mu, log_var: 0.5 * (mu**2 + log_var - 1 - log_var.log()).sum(1),
        "`log_var` is used as if it were σ² itself. It is the logarithm, and may be negative",
        lambda mu, log_var: 0.5 * (mu**2 + log_var.exp() - 1 - log_var / 2).sum(1),
        "half of the logarithm is missing: log σ stands where log σ² belongs",
        lambda mu, log_var: 0.5 * (mu**2 + log_var.exp() - 1 + log_var).sum(1),
        "check the sign of log σ²: a small cloud must be expensive, and yours can have a negative KL",
        lambda mu, log_var: -_kl(mu, log_var),
        "it is negative, and a KL never is: this is what the ELBO *adds*, minus the KL",
        lambda mu, log_var: 2 * _kl(mu, log_var),
        "it is twice too large: the formula begins with a half",
        lambda mu, log_var: 0.5 * (mu**2 + log_var.exp() - log_var).sum(1),
        "a cloud equal to the prior should be free, and yours costs ½ for each dimension",
        lambda mu, log_var: 0.5 * (log_var + (1 + mu**2) / log_var.exp() - 1).sum(1),
        "this is the KL the other way round, of the prior from the cloud. The cloud is what is averaged over",
        lambda mu, log_var: 0.5 * (mu + log_var.exp() - 1 - log_var).sum(1),
        "μ is not squared: a cloud on the left would be cheaper than one on the right",
        lambda mu, log_var: _kl(mu, log_var) / math.log(2),
        "this is in bits. This chapter counts in nats, with the natural logarithm",
    ),
    Question("elbo(pixels, logits, mu, log_var)", _decoded, _elbo).with_mistakes(
        lambda x, logits, mu, log_var: _log_p(x, logits).mean() - _kl(mu, log_var).mean(),
        "the pixels are averaged and the KL is summed: a hidden β, as large as the number of pixels",
        lambda x, logits, mu, log_var: _log_p(x, logits).sum(1).mean() - losses.gaussian_kl(mu, log_var).mean(),
        "the KL is averaged over the latent dimensions, the pixels are summed: a hidden β, of one over the number of "
        "dimensions",
        lambda x, logits, mu, log_var: _log_p(x, logits).mean() - losses.gaussian_kl(mu, log_var).mean(),
        "both terms are averaged over everything. An image has all its pixels and pays for all its dimensions; only "
        "the images are averaged",
        lambda x, logits, mu, log_var: _log_p(x, logits).sum(1).mean() - _kl(mu, log_var).sum(),
        "the KL of all images is added up, while the pixels' part is a mean over the images: a hidden β, as large as "
        "the batch",
        lambda x, logits, mu, log_var: len(x) * _elbo(x, logits, mu, log_var),
        "this is the sum over the images. Take the mean, so that the batch size doesn't matter",
        lambda x, logits, mu, log_var: _log_p(x, logits).sum(1) - _kl(mu, log_var),
        "one number for each image, not yet their mean",
        lambda x, logits, mu, log_var: _log_p(x, logits).sum(1).mean() + _kl(mu, log_var).mean(),
        "the KL raises your bound. A code that costs more must lower it: check the sign",
        lambda *case: -_elbo(*case),
        "the sign is turned: this is the loss that training makes small. The ELBO is what it makes large",
        lambda x, logits, mu, log_var: -_log_p(x, logits).sum(1).mean() - _kl(mu, log_var).mean(),
        "the pixels' part has the wrong sign. log p(x|z) is the logarithm of a probability, so at most 0; a library's "
        "cross-entropy is minus that",
        lambda x, logits, mu, log_var: _log_p(x, logits).sum(1).mean(),
        "the KL is missing: this is what the pixels cost alone",
        _elbo_with(lambda x, logits: x * F.logsigmoid(logits)),
        "only white pixels count. A black one has a probability too, 1 − sigmoid(logit)",
        _elbo_with(lambda x, logits: _log_p(x, logits.sigmoid())),
        "the sigmoid is applied twice. Look at what the function you call expects, logits or probabilities",
        _elbo_with(lambda x, logits: _log_p(logits, x)),
        "pixels and logits are exchanged: look at the order of the library's arguments",
        _elbo_with(lambda x, logits: -((x - logits.sigmoid()) ** 2)),
        "this is a squared error, the log-likelihood of a Gaussian up to a constant. These pixels are black or white: "
        "Bernoulli",
        _elbo_with(_through_probabilities),
        "it is infinite where the decoder is sure and wrong: there the sigmoid is rounded to 0 or 1. Stay with "
        "logits, and look for a function that takes them",
        _elbo_with(lambda x, logits: -F.binary_cross_entropy(logits.sigmoid(), x, reduction="none")),
        "a pixel never costs more than 100 nats: the library cuts the logarithm of a probability off there. Stay with "
        "logits, and look for a function that takes them",
        lambda *case: _elbo(*case) / math.log(2),
        "this is in bits. This chapter counts in nats, with the natural logarithm",
    ),
    Question("importance_bound(log_weights)", _log_weights, _bound).with_mistakes(
        lambda w: (w.softmax(0) * w).sum(0),
        "this averages log w with the normalised weights. It is too high by up to log k and may exceed log p(x), so "
        "it is no bound: average the weights themselves, and take the logarithm last",
        lambda w: w.mean(0),
        "the logarithm comes too early: the mean of log w is the ELBO, estimated with k codes. Average the weights "
        "first",
        lambda w: w.logsumexp(0),
        "this is the sum of the weights and not their mean: too high by log k",
        lambda w: w.logsumexp(0) + math.log(len(w)),
        "log k has the wrong sign: k equal weights w must give log w",
        lambda w: w.logsumexp(0) - math.log(w.shape[1]),
        "you divide by the number of images. The mean is over the k codes: which axis are they on?",
        lambda w: w.logsumexp(1) - math.log(w.shape[1]),
        "you average over the images and not over the codes: which axis is which?",
        lambda w: _bound(w).mean(),
        "one number for all images, their mean. Return one for each image: shape (N,)",
        lambda w: w.flatten().logsumexp(0) - math.log(w.numel()),
        "one number for all images: their weights are thrown together. Return one for each image: shape (N,)",
        lambda w: w.exp().mean(0).log(),
        "it is −∞ where the weights are tiny: exp(−200) is rounded to 0. Work with logarithms, or make the largest "
        "weight 1 first",
        lambda w: w.double().exp().mean(0).log(),
        "it is −∞ where the weights are tiny: double precision holds out longer, but not to −2000. Work with "
        "logarithms, or make the largest weight 1 first",
        lambda w: _shifted(w, w.max()),
        "it is −∞ for some images: you shift all by the same number, but what is largest for one image may be far "
        "above all weights of another",
        lambda w: _shifted(w, w.min(0).values),
        "you shift by the *smallest* logarithm, and the exponential of the largest overflows",
        lambda w: (w - w.max(0).values).exp().mean(0).log(),
        "what you took off before the exponential is never put back",
        lambda w: w.max(0).values,
        "this is the best code alone. The others count too, even if their weights are small",
        lambda w: ((-w).softmax(0) * w).sum(0),
        "your weights favour the *worst* codes: check the sign in the softmax",
        _by_one_less,
        "you divide by k − 1. There are k codes, all of them counted",
        lambda w: w[1:].logsumexp(0) - math.log(len(w)),
        "the first code is left out, and the mean is still over k: does a loop begin at 1?",
        lambda w: -_bound(w),
        "the sign is turned: the weights are at most about 1, so the bound is mostly negative",
    ),
]
