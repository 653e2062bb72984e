"""Answers to the questions of chapter 6: right ones, written in different ways, and wrong ones with their hints."""

import math

import numpy as np
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional as F

import aecourse as ae


def kl_by_formula(mu, log_var):
    return -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1)


def kl_by_library(mu, log_var):
    return kl_divergence(Normal(mu, (0.5 * log_var).exp()), Normal(0.0, 1.0)).sum(dim=-1)


def kl_by_numpy(mu, log_var):
    mu, log_var = mu.numpy().astype(float), log_var.numpy().astype(float)
    sigma = np.exp(log_var / 2)
    return np.sum((mu**2 + sigma**2 - 1) / 2 - np.log(sigma), axis=1)


def kl_by_loop(mu, log_var):
    prices = []
    for means, logs in zip(mu.tolist(), log_var.tolist(), strict=True):
        prices.append(sum((m * m + math.exp(v) - 1 - v) / 2 for m, v in zip(means, logs, strict=True)))
    return prices


def kl_by_einsum(mu, log_var):
    return (torch.einsum("nd,nd->n", mu, mu) + torch.einsum("nd->n", log_var.exp() - log_var) - mu.shape[1]) / 2


def kl(mu, log_var):
    return ae.losses.gaussian_kl(mu, log_var).sum(1)


def elbo_by_package(pixels, logits, mu, log_var):
    return -ae.losses.binary_cross_entropy(logits, pixels) - ae.losses.gaussian_kl(mu, log_var).sum(1).mean()


def elbo_by_distributions(pixels, logits, mu, log_var):
    log_p = Bernoulli(logits=logits).log_prob(pixels).sum(1)
    price = kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(1)
    return (log_p - price).mean().item()


def elbo_by_logsigmoid(pixels, logits, mu, log_var):
    signs = 2 * pixels - 1
    return F.logsigmoid(signs * logits).sum() / len(pixels) - kl(mu, log_var).mean()


def elbo_by_numpy(pixels, logits, mu, log_var):
    x, a, m, v = (values.numpy().astype(float) for values in (pixels, logits, mu, log_var))
    log_p = x * a - np.logaddexp(0, a)
    return log_p.sum(1).mean() - 0.5 * (m**2 + np.exp(v) - 1 - v).sum(1).mean()


def elbo_by_loop(pixels, logits, mu, log_var):
    total = 0.0
    for n in range(len(pixels)):
        for x, a in zip(pixels[n], logits[n], strict=True):
            total += F.logsigmoid(a if x == 1 else -a).item()
        total -= sum((m**2 + v.exp() - 1 - v).item() / 2 for m, v in zip(mu[n], log_var[n], strict=True))
    return total / len(pixels)


def bound_by_logsumexp(log_weights):
    return torch.logsumexp(log_weights, dim=0) - math.log(log_weights.shape[0])


def bound_by_largest(log_weights):
    top = log_weights.amax(dim=0)
    return top + (log_weights - top).exp().mean(dim=0).log()


def bound_by_numpy(log_weights):
    return np.logaddexp.reduce(log_weights.numpy().astype(float), axis=0) - np.log(len(log_weights))


def bound_by_loop(log_weights):
    bounds = []
    for column in log_weights.T.tolist():
        top = max(column)
        bounds.append(top + math.log(sum(math.exp(value - top) for value in column) / len(column)))
    return bounds


def bound_by_folding(log_weights):
    total = torch.full_like(log_weights[0], -math.inf)
    for row in log_weights:
        total = torch.logaddexp(total, row)
    return total - torch.tensor(float(len(log_weights))).log()


RIGHT = {
    "gaussian_kl": [kl_by_formula, kl_by_library, kl_by_numpy, kl_by_loop, kl_by_einsum],
    "elbo": [elbo_by_package, elbo_by_distributions, elbo_by_logsigmoid, elbo_by_numpy, elbo_by_loop],
    "importance_bound": [bound_by_logsumexp, bound_by_largest, bound_by_numpy, bound_by_loop, bound_by_folding],
}


def kl_with_variance_squared(mu, log_var):
    sigma = log_var.exp()
    return 0.5 * (mu**2 + sigma**2 - 1 - log_var).sum(1)


def kl_by_library_with_variance(mu, log_var):
    cloud = torch.distributions.Normal(mu, log_var.exp())
    return torch.distributions.kl_divergence(cloud, torch.distributions.Normal(0.0, 1.0)).sum(1)


def kl_with_sigma(mu, log_var):
    sigma = torch.exp(0.5 * log_var)
    return 0.5 * (mu**2 + sigma - 1 - log_var).sum(1)


def kl_with_log_sigma(mu, log_var):
    sigma = torch.exp(0.5 * log_var)
    return 0.5 * (mu**2 + sigma**2 - 1 - sigma.log()).sum(1)


def kl_turned(mu, log_var):
    return kl_divergence(Normal(0.0, 1.0), Normal(mu, (log_var / 2).exp())).sum(1)


def kl_in_place(mu, log_var):
    return 0.5 * (mu.square_() + log_var.exp() - 1 - log_var).sum(1)


def elbo_by_probabilities(x, logits, mu, log_var):
    p = torch.sigmoid(logits)
    return (x * p.log() + (1 - x) * (1 - p).log()).sum(1).mean() - kl(mu, log_var).mean()


def elbo_by_squares(x, logits, mu, log_var):
    return -F.mse_loss(logits.sigmoid(), x, reduction="sum") / len(x) - kl(mu, log_var).mean()


def elbo_cut_off(x, logits, mu, log_var):
    nats = F.binary_cross_entropy(logits.sigmoid(), x, reduction="sum") / len(x)
    return -nats - kl(mu, log_var).mean()


def elbo_without_sigmoid(x, logits, mu, log_var):
    return -F.binary_cross_entropy(logits, x, reduction="sum") / len(x) - kl(mu, log_var).mean()


def bce(logits, x, **how):
    return F.binary_cross_entropy_with_logits(logits, x, **how)


def nats(logits, x):
    return bce(logits, x, reduction="none").sum(1)


def bound_with_normalised_weights(log_w):
    w = torch.softmax(log_w, dim=0)
    return (w * log_w).sum(0)


def bound_shifted_by_one_number(log_w):
    top = log_w.max()
    return torch.log(torch.exp(log_w - top).mean(0)) + top


def bound_shifted_by_smallest(log_w):
    low, _ = log_w.min(dim=0)
    return torch.log(torch.exp(log_w - low).mean(0)) + low


def bound_never_put_back(log_w):
    top, _ = log_w.max(dim=0)
    return torch.log(torch.exp(log_w - top).mean(0))


def bound_in_place(log_w):
    top = log_w.max(0).values
    log_w -= top
    return log_w.exp().mean(0).log() + top


def bound_without_the_first(log_w):
    total = torch.full((log_w.shape[1],), -torch.inf)
    for j in range(1, len(log_w)):
        total = torch.logaddexp(total, log_w[j])
    return total - math.log(len(log_w))


def bound_that_favours_the_worst(log_w):
    w = F.softmin(log_w, dim=0)
    return (w * log_w).sum(0)


WRONG = {
    "gaussian_kl": [
        (lambda mu, v: -0.5 * (1 + v - mu**2 - v.exp()).mean(1), "mean over the latent dimensions"),
        (lambda mu, v: -0.5 * (1 + v - mu**2 - v.exp()), "not yet one for each image"),
        (lambda mu, v: -0.5 * (1 + v - mu**2 - v.exp()).sum(0), "over the images instead of the latent dimensions"),
        (lambda mu, v: -0.5 * (1 + v - mu**2 - v.exp()).sum(1).mean(), "for all images, their mean"),
        (lambda mu, v: -0.5 * torch.sum(1 + v - mu**2 - v.exp()), "for all images, their sum"),
        (kl_with_variance_squared, "squared once too often"),
        (kl_with_sigma, "σ stands where σ² belongs"),
        (kl_by_library_with_variance, "you use exp(log_var) as σ"),
        (lambda mu, v: 0.5 * (mu**2 + v - 1 - v.log()).sum(1), "as if it were σ² itself"),
        (kl_with_log_sigma, "log σ stands where log σ² belongs"),
        (lambda mu, v: 0.5 * (mu**2 + v.exp() - 1 + v).sum(1), "check the sign of log σ²"),
        (lambda mu, v: 0.5 * (1 + v - mu**2 - v.exp()).sum(1), "it is negative"),
        (lambda mu, v: (mu**2 + v.exp() - 1 - v).sum(1), "twice too large"),
        (lambda mu, v: 0.5 * (mu**2 + v.exp() - v).sum(1), "equal to the prior should be free"),
        (kl_turned, "the other way round"),
        (lambda mu, v: 0.5 * (mu + v.exp() - 1 - v).sum(1), "μ is not squared"),
        (lambda mu, v: 0.5 * (mu**2 + v.exp() - 1 - v).sum(1) / math.log(2), "in bits"),
        (kl_in_place, "changes its input `mu`"),
        (lambda mu, v: 0.5 * (mu**2 + v.exp() - 1 - v).sum(1, keepdim=True), "has shape (1, 1), should be (1,)"),
        (lambda mu, v: 0.5 * (mu**2 + math.exp(v) - 1 - v).sum(1), "raised "),
    ],
    "elbo": [
        (lambda x, a, mu, v: -bce(a, x) - kl(mu, v).mean(), "the pixels are averaged and the KL is summed"),
        (
            lambda x, a, mu, v: -nats(a, x).mean() + 0.5 * (1 + v - mu**2 - v.exp()).mean(),
            "averaged over the latent dimensions",
        ),
        (lambda x, a, mu, v: -bce(a, x) + 0.5 * (1 + v - mu**2 - v.exp()).mean(), "averaged over everything"),
        (
            lambda x, a, mu, v: -nats(a, x).mean() + 0.5 * torch.sum(1 + v - mu**2 - v.exp()),
            "as large as the batch",
        ),
        (lambda x, a, mu, v: -bce(a, x, reduction="sum") - kl(mu, v).sum(), "the sum over the images"),
        (lambda x, a, mu, v: -nats(a, x) - kl(mu, v), "one number for each image"),
        (lambda x, a, mu, v: -nats(a, x).mean() + kl(mu, v).mean(), "check the sign"),
        (lambda x, a, mu, v: nats(a, x).mean() + kl(mu, v).mean(), "the loss that training makes small"),
        (lambda x, a, mu, v: nats(a, x).mean() - kl(mu, v).mean(), "the pixels' part has the wrong sign"),
        (lambda x, a, mu, v: -nats(a, x).mean(), "the KL is missing"),
        (lambda x, a, mu, v: (x * F.logsigmoid(a)).sum(1).mean() - kl(mu, v).mean(), "only white pixels"),
        (lambda x, a, mu, v: -nats(a.sigmoid(), x).mean() - kl(mu, v).mean(), "applied twice"),
        (lambda x, a, mu, v: -nats(x, a).mean() - kl(mu, v).mean(), "exchanged"),
        (elbo_by_squares, "squared error"),
        (elbo_by_probabilities, "it is infinite where the decoder is sure"),
        (elbo_cut_off, "never costs more than 100 nats"),
        (lambda x, a, mu, v: -(nats(a, x) + kl(mu, v)).mean() / math.log(2), "in bits"),
        (elbo_without_sigmoid, "raised RuntimeError"),
        (lambda x, a, mu, v: -(nats(a, x) + 0.5 * kl(mu, v)).mean(), "you return"),
    ],
    "importance_bound": [
        (bound_with_normalised_weights, "it is no bound"),
        (lambda w: w.mean(0), "the logarithm comes too early"),
        (lambda w: torch.logsumexp(w, 0), "too high by log k"),
        (lambda w: torch.logsumexp(w, 0) + math.log(len(w)), "log k has the wrong sign"),
        (lambda w: torch.logsumexp(w, 0) - math.log(w.shape[1]), "divide by the number of images"),
        (lambda w: torch.logsumexp(w, 1) - math.log(w.shape[1]), "over the images and not over the codes"),
        (lambda w: (torch.logsumexp(w, 0) - math.log(len(w))).mean(), "for all images, their mean"),
        (lambda w: torch.logsumexp(w, (0, 1)) - math.log(w.numel()), "thrown together"),
        (lambda w: torch.log(torch.exp(w).mean(0)), "exp(−200) is rounded to 0"),
        (lambda w: torch.log(torch.exp(w).sum(0) / len(w)), "exp(−200) is rounded to 0"),
        (bound_shifted_by_one_number, "shift all by the same number"),
        (bound_shifted_by_smallest, "overflows"),
        (bound_never_put_back, "never put back"),
        (lambda w: w.amax(0), "the best code alone"),
        (bound_that_favours_the_worst, "favour the *worst*"),
        (lambda w: torch.logsumexp(w, 0) - math.log(len(w) - 1), "divide by k − 1"),
        (bound_without_the_first, "the first code is left out"),
        (lambda w: math.log(len(w)) - torch.logsumexp(w, 0), "the sign is turned"),
        (lambda w: torch.log(torch.exp(w.double()).mean(0)), "double precision holds out longer"),
        (bound_in_place, "changes its input `log_weights`"),
        (lambda w: torch.logsumexp(w, 0, keepdim=True) - math.log(len(w)), "has shape (1, 1), should be (1,)"),
    ],
}
