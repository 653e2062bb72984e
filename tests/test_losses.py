"""Reconstruction losses against torch.distributions, NumPy and values known by hand."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal

from aecourse import losses


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def test_cross_entropy_is_the_negative_log_probability_of_a_bernoulli_for_black_and_white_pixels(random):
    logits = torch.randn(6, 1, 5, 5, generator=random) * 3
    pixels = (torch.rand(6, 1, 5, 5, generator=random) < 0.5).float()
    per_image = -Bernoulli(logits=logits).log_prob(pixels).flatten(1).sum(1)
    torch.testing.assert_close(losses.cross_entropy(logits, pixels), per_image.mean())


def test_cross_entropy_of_grey_pixels_equals_hand_calculation(random):
    logits, pixels = torch.randn(3, 4, generator=random), torch.rand(3, 4, generator=random)
    white = 1 / (1 + np.exp(-logits.double().numpy()))
    grey = pixels.double().numpy()
    by_hand = -(grey * np.log(white) + (1 - grey) * np.log(1 - white)).sum(1).mean()
    assert losses.cross_entropy(logits, pixels).item() == pytest.approx(by_hand, rel=1e-5)


def test_an_undecided_decoder_pays_ln_2_nats_per_pixel_whatever_the_image(random):
    for pixels in (torch.zeros(2, 7), torch.ones(2, 7), torch.rand(2, 7, generator=random)):
        assert losses.cross_entropy(torch.zeros(2, 7), pixels).item() == pytest.approx(7 * math.log(2))


def test_cross_entropy_of_a_grey_pixel_is_least_where_the_probability_of_white_is_the_grey_value():
    logits = torch.linspace(-6, 6, 1201)
    costs = torch.stack([losses.cross_entropy(logit[None], torch.tensor([0.3])) for logit in logits])
    assert torch.sigmoid(logits[costs.argmin()]).item() == pytest.approx(0.3, abs=0.002)


def test_cross_entropy_stays_finite_and_right_where_the_probability_rounds_to_0_or_1():
    logits = torch.tensor([[200.0, -200.0]])
    assert losses.cross_entropy(logits, torch.tensor([[1.0, 0.0]])).item() == 0
    assert losses.cross_entropy(logits, torch.tensor([[0.0, 1.0]])).item() == pytest.approx(400)


def test_squared_error_equals_hand_calculation():
    reconstructions = torch.tensor([[0.0, 0.5], [1.0, 1.0]])
    pixels = torch.tensor([[1.0, 0.0], [1.0, 0.5]])
    assert losses.squared_error(reconstructions, pixels).item() == pytest.approx((1 + 0.25 + 0 + 0.25) / 2)


def test_squared_error_differs_from_a_gaussian_of_variance_one_half_by_a_constant(random):
    means, pixels = torch.rand(5, 9, generator=random), torch.rand(5, 9, generator=random)
    nats = -Normal(means, math.sqrt(0.5)).log_prob(pixels).sum(1).mean()
    constant = 9 * 0.5 * math.log(math.pi)
    assert losses.squared_error(means, pixels).item() == pytest.approx(nats.item() - constant, rel=1e-4)


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.squared_error])
def test_twice_the_pixels_cost_twice_as_much_so_that_no_beta_hides_in_the_loss(loss, random):
    given, pixels = torch.randn(4, 1, 6, 6, generator=random), torch.rand(4, 1, 6, 6, generator=random)
    once = loss(given, pixels).item()
    twice = loss(torch.cat([given, given], 2), torch.cat([pixels, pixels], 2)).item()
    assert twice == pytest.approx(2 * once, rel=1e-5)


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.squared_error])
def test_twice_the_images_cost_the_same_on_average(loss, random):
    given, pixels = torch.randn(4, 9, generator=random), torch.rand(4, 9, generator=random)
    assert loss(given.repeat(2, 1), pixels.repeat(2, 1)).item() == pytest.approx(loss(given, pixels).item(), rel=1e-5)


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.squared_error])
@pytest.mark.parametrize("other", [(5, 784), (5, 1, 28, 1), (1, 1, 28, 28), (4, 1, 28, 28)])
def test_shapes_that_differ_are_an_error_and_never_broadcast(loss, other):
    with pytest.raises(ValueError, match=r"got shapes .*expected two equal ones; flatten or unflatten"):
        loss(torch.zeros(other), torch.zeros(5, 1, 28, 28))
