"""Answers to the questions of chapter 5: right ones, written in different ways, and wrong ones with their hints."""

import math

import numpy as np
import torch
from torch.distributions import Normal


def draw_by_formula(mu, log_var, epsilon):
    return mu + (0.5 * log_var).exp() * epsilon


def draw_by_root(mu, log_var, epsilon):
    return torch.addcmul(mu, epsilon, log_var.exp().sqrt())


def draw_by_power(mu, log_var, epsilon):
    return mu + torch.pow(torch.tensor(np.e, dtype=log_var.dtype), 0.5 * log_var) * epsilon


def draw_by_loop(mu, log_var, epsilon):
    z = torch.zeros_like(mu)
    for i in range(mu.shape[0]):
        for j in range(mu.shape[1]):
            z[i, j] = mu[i, j] + torch.exp(log_var[i, j] / 2) * epsilon[i, j]
    return z


def draw_by_quantile(mu, log_var, epsilon):
    return Normal(mu.double(), (log_var.double() / 2).exp()).icdf(Normal(0.0, 1.0).cdf(epsilon.double()))


def path_by_autograd(mu, log_var, epsilon):
    mu, log_var = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
    z = mu + (log_var / 2).exp() * epsilon
    return torch.autograd.grad((z - 3).pow(2).sum(dim=1).mean(), [mu, log_var])


def path_by_backward(mu, log_var, epsilon):
    mu = torch.nn.Parameter(mu)
    log_var = torch.nn.Parameter(log_var)
    for row in epsilon:
        cost = ((mu + torch.exp(log_var / 2) * row - 3) ** 2).sum() / len(epsilon)
        cost.backward()
    return mu.grad, log_var.grad


def path_by_hand(mu, log_var, epsilon):
    sigma = (log_var / 2).exp()
    z = mu + sigma * epsilon
    return 2 * (z - 3).mean(0), ((z - 3) * sigma * epsilon).mean(0)


def path_by_einsum(mu, log_var, epsilon):
    sigma = log_var.exp().sqrt()
    slope = 2 * (mu + sigma * epsilon - 3) / len(epsilon)
    return [slope.sum(0), torch.einsum("nk,nk,k->k", slope, epsilon, sigma / 2)]


def path_by_numpy(mu, log_var, epsilon):
    mu, sigma, epsilon = mu.numpy(), np.exp(log_var.numpy() / 2), epsilon.numpy()
    slope = 2 * (mu + sigma * epsilon - 3)
    return np.mean(slope, axis=0), np.mean(slope * epsilon, axis=0) * sigma / 2


def score_by_formula(z, cost, mu, sigma):
    baseline = (cost.sum() - cost) / (len(cost) - 1)
    return ((cost - baseline) * (z - mu) / sigma**2).mean()


def score_by_loop(z, cost, mu, sigma):
    z, cost = z.tolist(), cost.tolist()
    total = 0.0
    for i, (place, own) in enumerate(zip(z, cost, strict=True)):
        others = [c for j, c in enumerate(cost) if j != i]
        total += (own - sum(others) / len(others)) * (place - mu) / sigma**2
    return total / len(z)


def score_by_autograd(z, cost, mu, sigma):
    mu = torch.tensor(mu, requires_grad=True)
    n = len(z)
    baseline = (torch.ones(n, n) - torch.eye(n)) @ cost / (n - 1)
    (Normal(mu, sigma).log_prob(z) * (cost - baseline)).mean().backward()
    return mu.grad


def score_by_covariance(z, cost, mu, sigma):
    return np.cov(z.numpy(), cost.numpy())[0, 1] / sigma**2


def score_by_correction(z, cost, mu, sigma):
    n = len(z)
    return n / (n - 1) * torch.mean((cost - cost.mean()) * (z - mu)).item() / sigma**2


RIGHT = {
    "reparameterize": [draw_by_formula, draw_by_root, draw_by_power, draw_by_loop, draw_by_quantile],
    "pathwise_gradient": [path_by_autograd, path_by_backward, path_by_hand, path_by_einsum, path_by_numpy],
    "score_gradient": [score_by_formula, score_by_loop, score_by_autograd, score_by_covariance, score_by_correction],
}


def draw_by_numbers(mu, log_var, epsilon):
    return torch.tensor((mu + (log_var / 2).exp() * epsilon).tolist())


@torch.no_grad()
def draw_without_gradient(mu, log_var, epsilon):
    return mu + (log_var / 2).exp() * epsilon


def draws_in_place(mu, log_var, epsilon):
    epsilon *= (log_var / 2).exp()
    epsilon += mu
    return epsilon


def by_autograd(cost, spread=lambda log_var: (log_var / 2).exp()):
    """Return an answer that differentiates cost(z), where z has the given spread."""

    def answer(mu, log_var, epsilon):
        mu, log_var = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
        z = mu + spread(log_var) * epsilon
        return torch.autograd.grad(cost(z), (mu, log_var), allow_unused=True, materialize_grads=True)

    return answer


def square_cost(z):
    return ((z - 3) ** 2).sum(1).mean()


def along(parameter):
    """Return an answer whose second part is along what parameter(log_var) gives: (leaf, its σ)."""

    def answer(mu, log_var, epsilon):
        mu = mu.clone().requires_grad_()
        leaf, sigma = parameter(log_var)
        return torch.autograd.grad(square_cost(mu + sigma * epsilon), (mu, leaf))

    return answer


def sigma_leaf(log_var):
    sigma = torch.exp(log_var / 2).requires_grad_()
    return sigma, sigma


def variance_leaf(log_var):
    variance = log_var.exp().requires_grad_()
    return variance, variance.sqrt()


def samples(mu, log_var, epsilon):
    mu, log_var = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
    z = Normal(mu, (log_var / 2).exp()).sample((len(epsilon),))
    return torch.autograd.grad(square_cost(z), (mu, log_var))


def keeps_draws(mu, log_var, epsilon):
    sigma = (log_var / 2).exp()
    z = mu + sigma * epsilon
    return 2 * (z - 3), (z - 3) * sigma * epsilon


def wrong_axis(mu, log_var, epsilon):
    first, second = keeps_draws(mu, log_var, epsilon)
    return first.mean(dim=1), second.mean(dim=1)


def exact_slopes(mu, log_var, epsilon):
    mu, log_var = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
    average = ((mu - 3) ** 2 + log_var.exp()).sum()
    return torch.autograd.grad(average, (mu, log_var))


def score_for_path(mu, log_var, epsilon):
    mu, log_var = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
    q = Normal(mu, (log_var / 2).exp())
    z = (mu + q.stddev * epsilon).detach()
    cost = ((z - 3) ** 2).sum(1)
    return torch.autograd.grad((cost * q.log_prob(z).sum(1)).mean(), (mu, log_var))


def without_half(mu, log_var, epsilon):
    sigma = (log_var / 2).exp()
    slope = 2 * (mu + sigma * epsilon - 3)
    return slope.mean(0), (slope * sigma * epsilon).mean(0)


def half_path(mu, log_var, epsilon):
    sigma = (log_var / 2).exp()
    rest = mu + sigma * epsilon - 3
    return rest.mean(0), (rest * sigma / 2 * epsilon).mean(0)


def shifts_costs(z, cost, mu, sigma):
    cost -= cost.mean()
    return (cost * (z - mu)).sum() / (len(z) - 1) / sigma**2


def leave_one_out(cost):
    return torch.stack([torch.cat([cost[:i], cost[i + 1 :]]).mean() for i in range(len(cost))])


WRONG = {
    "reparameterize": [
        (lambda mu, log_var, epsilon: mu + torch.exp(log_var) * epsilon, "the spread of your draws is σ²"),
        (lambda mu, log_var, epsilon: mu + log_var * epsilon, "log σ² itself as the spread"),
        (lambda mu, log_var, epsilon: mu + log_var**0.5 * epsilon, "NaN wherever log σ² is negative"),
        (lambda mu, log_var, epsilon: mu + 0.5 * log_var.exp() * epsilon, "you halve the variance"),
        (lambda mu, log_var, epsilon: mu + epsilon / log_var.exp().sqrt(), "wide where they should be narrow"),
        (lambda mu, log_var, epsilon: mu + log_var.exp().sqrt() + epsilon, "It must stretch ε"),
        (lambda mu, log_var, epsilon: epsilon * (log_var / 2).exp(), "all your clouds lie round 0"),
        (lambda mu, log_var, epsilon: (mu + epsilon) * (log_var / 2).exp(), "stretches the centre too"),
        (lambda mu, log_var, epsilon: mu - (log_var / 2).exp() * epsilon, "not the draws that this ε makes"),
        (lambda mu, log_var, epsilon: mu + (log_var / 2).exp() * epsilon[0], "the noise of the first"),
        (lambda mu, log_var, epsilon: Normal(mu, (log_var / 2).exp()).rsample(), "gives another result each time"),
        (lambda mu, log_var, epsilon: mu + math.exp(log_var / 2) * epsilon, "raised "),
        (lambda mu, log_var, epsilon: (mu + (log_var / 2).exp() * epsilon).mean(0), "has shape (1,), should be (1, 1)"),
        (draws_in_place, "changes its input `epsilon`"),
        (lambda mu, log_var, epsilon: (mu + (log_var / 2).exp() * epsilon).detach(), "no gradient reaches `mu`"),
        (lambda mu, log_var, epsilon: mu.detach() + (log_var / 2).exp() * epsilon, "no gradient reaches `mu`"),
        (lambda mu, log_var, epsilon: mu + (log_var / 2).exp().detach() * epsilon, "no gradient reaches `log_var`"),
        (draw_by_numbers, "no gradient reaches `mu`"),
        (draw_without_gradient, "no gradient reaches `mu`"),
        (lambda mu, log_var, epsilon: mu.numpy() + np.exp(log_var.numpy() / 2) * epsilon.numpy(), "Can't call numpy()"),
    ],
    "pathwise_gradient": [
        (along(sigma_leaf), "the one along σ. From log σ² to σ"),
        (along(variance_leaf), "along the variance σ²"),
        (by_autograd(square_cost, lambda log_var: (log_var / 2).exp().detach()), "none reaches log σ²"),
        (by_autograd(lambda z: ((z - 3) ** 2).sum()), "the *sum* over the draws"),
        (by_autograd(lambda z: ((z - 3) ** 2).mean()), "the mean over the dimensions too"),
        (wrong_axis, "and keep the draws"),
        (by_autograd(square_cost, torch.exp), "the spread σ² instead of σ"),
        (exact_slopes, "the exact gradient"),
        (score_for_path, "the score-function estimate"),
        (lambda mu, log_var, epsilon: path_by_hand(mu, log_var, epsilon)[::-1], "the two are exchanged"),
        (by_autograd(lambda z: -square_cost(z)), "the way downhill"),
        (half_path, "both are half"),
        (without_half, "the ½ of σ = exp(½ log σ²) is missing"),
        (samples, "raised RuntimeError"),
        (by_autograd(lambda z: ((z - 3) ** 2).sum(1)), "raised RuntimeError"),
        (keeps_draws, "part 1 has shape (2, 1), should be (1,)"),
        (lambda mu, log_var, epsilon: path_by_hand(mu, log_var, epsilon)[0], "expected 2 things"),
    ],
    "score_gradient": [
        (lambda z, cost, mu, sigma: torch.mean(cost * (z - mu)) / sigma**2, "there is no baseline"),
        (lambda z, cost, mu, sigma: ((cost - cost.mean()) * (z - mu)).mean() / sigma**2, "own cost is part"),
        (lambda z, cost, mu, sigma: ((2 * cost - cost.sum()) * (z - mu) / sigma**2).mean(), "the *sum* of the other"),
        (
            lambda z, cost, mu, sigma: ((cost - cost.mean() + cost / len(z)) * (z - mu) / sigma**2).mean(),
            "divides as if it had not",
        ),
        (lambda z, cost, mu, sigma: ((cost + leave_one_out(cost)) * (z - mu) / sigma**2).mean(), "is added"),
        (lambda z, cost, mu, sigma: ((cost - leave_one_out(cost)) * (z - mu) / sigma).mean(), "you divide by σ"),
        (lambda z, cost, mu, sigma: ((cost - leave_one_out(cost)) * (z - mu)).mean(), "right only where σ = 1"),
        (
            lambda z, cost, mu, sigma: ((cost - leave_one_out(cost)) * (z - mu) / math.exp(sigma)).mean(),
            "treat it as log σ²",
        ),
        (
            lambda z, cost, mu, sigma: ((cost - leave_one_out(cost)) * (z - mu) / (2 * sigma**2)).mean(),
            "half of what it should be",
        ),
        (lambda z, cost, mu, sigma: ((cost - leave_one_out(cost)) * (mu - z) / sigma**2).mean(), "sign is turned"),
        (lambda z, cost, mu, sigma: ((cost - leave_one_out(cost)) * (z - mu) / sigma**2).sum(), "adds up the draws"),
        (
            lambda z, cost, mu, sigma: (
                (cost - leave_one_out(cost)) * ((z - mu).square() / sigma**3 - 1 / sigma)
            ).mean(),
            "the slope along σ",
        ),
        (
            lambda z, cost, mu, sigma: (cost - leave_one_out(cost)).mean().round(decimals=4) + 0.0,
            "Is the score missing",
        ),
        (
            lambda z, cost, mu, sigma: ((cost - leave_one_out(cost))[:, None] * (z - mu)).mean() / sigma**2,
            "become (n, n)",
        ),
        (lambda z, cost, mu, sigma: (cost - leave_one_out(cost)) * (z - mu) / sigma**2, "should be a single number"),
        (lambda z, cost, mu, sigma: ((cost - leave_one_out(cost)) * (z - mu) / sigma.square()).mean(), "raised Attr"),
        (shifts_costs, "changes its input `cost`"),
    ],
}
