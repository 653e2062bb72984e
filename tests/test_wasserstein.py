"""The Wasserstein autoencoder: its discrepancy is what the formula says, and codes come to lie like the prior."""

import numpy as np
import pytest
import torch

from aecourse import evaluate, models, training
from aecourse.models.plain import squared_mmd


def draws(n, k, seed=0):
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed))


def by_hand(first, second):
    def kernel(a, b):
        return sum(c / (c + ((a - b) ** 2).sum()) for c in 2 * len(a) * np.array([0.1, 0.2, 0.5, 1, 2, 5, 10]))

    n = len(first)
    apart = [(i, j) for i in range(n) for j in range(n) if i != j]
    within = np.mean([kernel(first[i], first[j]) + kernel(second[i], second[j]) for i, j in apart])
    return within - 2 * np.mean([kernel(a, b) for a in first for b in second])


def test_the_discrepancy_is_that_of_the_formula():
    first, second = 2 * draws(7, 3), draws(7, 3, seed=1) + 1
    assert squared_mmd(first, second).item() == pytest.approx(by_hand(first.numpy(), second.numpy()), abs=1e-4)


def test_it_is_about_0_for_equal_sources_and_clearly_above_for_others():
    same = [squared_mmd(draws(200, 4, seed), draws(200, 4, seed + 50)).item() for seed in range(20)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 20**0.5 + 1e-3
    assert squared_mmd(3 * draws(200, 4), draws(200, 4, 1)) > 10 * max(map(abs, same))


def test_one_code_alone_gives_0():
    assert squared_mmd(draws(1, 4), draws(1, 4, 1)) == 0


def test_the_penalty_makes_the_codes_lie_like_the_prior():
    images = (
        torch.rand(400, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        * torch.linspace(0, 1, 400)[:, None, None, None]
    )
    distance = {}
    for matching in (0.0, 1000.0):
        model = models.WassersteinAutoencoder((784, 30, 3), matching=matching)
        training.fit(model, images, epochs=15, batch_size=100, lr=3e-3)
        distance[matching] = evaluate.mmd(evaluate.encode(model, images), draws(400, 3))
    assert distance[1000.0] < 0.3 * distance[0.0]


def test_the_total_is_the_weighted_sum():
    model = models.WassersteinAutoencoder((784, 20, 3), matching=7.0)
    terms = model.loss(torch.rand(9, 1, 28, 28))
    assert terms["total"].item() == pytest.approx((terms["reconstruction"] + 7 * terms["mmd"]).item(), rel=1e-5)


@pytest.mark.parametrize("matching", [-1.0, float("nan"), float("inf")])
def test_a_bad_weight_is_refused(matching):
    with pytest.raises(ValueError, match="expected a finite number of at least 0"):
        models.WassersteinAutoencoder((784, 20, 3), matching=matching)


def test_two_codes_are_enough():
    first, second = draws(2, 3), draws(2, 3, seed=1) + 1
    assert squared_mmd(first, second).item() == pytest.approx(by_hand(first.numpy(), second.numpy()), abs=1e-4)
