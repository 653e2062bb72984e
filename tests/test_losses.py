"""Reconstruction losses and the KL against torch.distributions, NumPy and values known by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Normal, kl_divergence

from aecourse import losses


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def test_cross_entropy_is_the_negative_log_probability_of_a_bernoulli_for_black_and_white_pixels(random):
    logits = torch.randn(6, 1, 5, 5, generator=random) * 3
    pixels = (torch.rand(6, 1, 5, 5, generator=random) < 0.5).float()
    per_image = -Bernoulli(logits=logits).log_prob(pixels).flatten(1).sum(1)
    torch.testing.assert_close(losses.binary_cross_entropy(logits, pixels), per_image.mean())


def test_cross_entropy_of_grey_pixels_equals_hand_calculation(random):
    logits, pixels = torch.randn(3, 4, generator=random), torch.rand(3, 4, generator=random)
    white = 1 / (1 + np.exp(-logits.double().numpy()))
    grey = pixels.double().numpy()
    by_hand = -(grey * np.log(white) + (1 - grey) * np.log(1 - white)).sum(1).mean()
    assert losses.binary_cross_entropy(logits, pixels).item() == pytest.approx(by_hand, rel=1e-5)


def test_an_undecided_decoder_pays_ln_2_nats_per_pixel_whatever_the_image(random):
    for pixels in (torch.zeros(2, 7), torch.ones(2, 7), torch.rand(2, 7, generator=random)):
        assert losses.binary_cross_entropy(torch.zeros(2, 7), pixels).item() == pytest.approx(7 * math.log(2))


def test_cross_entropy_of_a_grey_pixel_is_least_where_the_probability_of_white_is_the_grey_value():
    logits = torch.linspace(-6, 6, 1201)
    costs = torch.stack([losses.binary_cross_entropy(logit[None], torch.tensor([0.3])) for logit in logits])
    assert torch.sigmoid(logits[costs.argmin()]).item() == pytest.approx(0.3, abs=0.002)


def test_cross_entropy_stays_finite_and_right_where_the_probability_rounds_to_0_or_1():
    logits = torch.tensor([[200.0, -200.0]])
    assert losses.binary_cross_entropy(logits, torch.tensor([[1.0, 0.0]])).item() == 0
    assert losses.binary_cross_entropy(logits, torch.tensor([[0.0, 1.0]])).item() == pytest.approx(400)


def test_squared_error_equals_hand_calculation():
    reconstructions = torch.tensor([[0.0, 0.5], [1.0, 1.0]])
    pixels = torch.tensor([[1.0, 0.0], [1.0, 0.5]])
    assert losses.squared_error(reconstructions, pixels).item() == pytest.approx((1 + 0.25 + 0 + 0.25) / 2)


def test_squared_error_differs_from_a_gaussian_of_variance_one_half_by_a_constant(random):
    means, pixels = torch.rand(5, 9, generator=random), torch.rand(5, 9, generator=random)
    nats = -Normal(means, math.sqrt(0.5)).log_prob(pixels).sum(1).mean()
    constant = 9 * 0.5 * math.log(math.pi)
    assert losses.squared_error(means, pixels).item() == pytest.approx(nats.item() - constant, rel=1e-4)


@pytest.mark.parametrize("loss", [losses.binary_cross_entropy, losses.squared_error])
def test_twice_the_pixels_cost_twice_as_much_so_that_no_beta_hides_in_the_loss(loss, random):
    given, pixels = torch.randn(4, 1, 6, 6, generator=random), torch.rand(4, 1, 6, 6, generator=random)
    once = loss(given, pixels).item()
    twice = loss(torch.cat([given, given], 2), torch.cat([pixels, pixels], 2)).item()
    assert twice == pytest.approx(2 * once, rel=1e-5)


@pytest.mark.parametrize("loss", [losses.binary_cross_entropy, losses.squared_error])
def test_twice_the_images_cost_the_same_on_average(loss, random):
    given, pixels = torch.randn(4, 9, generator=random), torch.rand(4, 9, generator=random)
    assert loss(given.repeat(2, 1), pixels.repeat(2, 1)).item() == pytest.approx(loss(given, pixels).item(), rel=1e-5)


@pytest.mark.parametrize("loss", [losses.binary_cross_entropy, losses.squared_error, losses.gaussian_kl])
@pytest.mark.parametrize("other", [(5, 784), (5, 1, 28, 1), (1, 1, 28, 28), (4, 1, 28, 28)])
def test_shapes_that_differ_are_an_error_and_never_broadcast(loss, other):
    with pytest.raises(ValueError, match=r"got shapes .*expected two equal ones; flatten or unflatten"):
        loss(torch.zeros(other), torch.zeros(5, 1, 28, 28))


@pytest.mark.parametrize("loss", [losses.binary_cross_entropy, losses.squared_error, losses.gaussian_kl])
@pytest.mark.parametrize("whole", [torch.uint8, torch.int64, torch.bool])
def test_whole_numbers_are_an_error_and_never_wrap(loss, whole):
    """As uint8, 0 − 255 is 1, and four pixels that are all wrong would cost 4 instead of 260,100."""
    for first, second in ((torch.zeros(4), torch.ones(4).to(whole)), (torch.zeros(4).to(whole), torch.ones(4))):
        with pytest.raises(ValueError, match=rf"got a tensor of dtype {whole}, expected floats; call .float\(\)"):
            loss(first, second)


@pytest.mark.parametrize(
    ("pixel", "says"),
    [(255.0, "from 0 to 255"), (1.01, "from 0 to 1.01"), (-0.1, "from -0.1 to 0"), (math.nan, "from nan")],
)
def test_the_cross_entropy_of_what_is_no_pixel_is_an_error(pixel, says):
    with pytest.raises(
        ValueError, match=rf"got pixels {says}.*, expected values in \[0, 1\]; divide grey levels by 255"
    ):
        losses.binary_cross_entropy(torch.zeros(2, 3), torch.tensor([[0.0, 0, 0], [0, 0, pixel]]))


def test_logits_and_pixels_exchanged_are_an_error(random):
    logits, pixels = torch.randn(4, 9, generator=random) * 3, torch.rand(4, 9, generator=random)
    with pytest.raises(ValueError, match=r"give the logits first: binary_cross_entropy\(logits, pixels\)"):
        losses.binary_cross_entropy(pixels, logits)


def test_no_pixels_at_all_are_an_error():
    with pytest.raises(ValueError, match=r"got no pixels \(shape \(0, 9\)\)"):
        losses.binary_cross_entropy(torch.zeros(0, 9), torch.zeros(0, 9))


def test_the_kl_to_the_prior_has_the_values_known_by_hand():
    mu, log_var = torch.tensor([0.0, 1.0, -2.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 0.0, math.log(4), -math.log(4)])
    by_hand = [0, 0.5, 2, 0.5 * (4 - 1 - math.log(4)), 0.5 * (0.25 - 1 + math.log(4))]
    assert losses.gaussian_kl(mu, log_var).tolist() == pytest.approx(by_hand, rel=1e-6)


def test_closed_form_kl_equals_torch_distributions_element_by_element(random):
    mu, log_var = torch.randn(2, 50, 7, generator=random, dtype=torch.float64) * 3
    expected = kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0))
    measured = losses.gaussian_kl(mu, log_var)
    assert measured.shape == (50, 7)
    torch.testing.assert_close(measured, expected)


@pytest.mark.parametrize(("mu", "log_var"), [(0.0, 0.7), (1.0, 0.0), (-2.0, -3.0), (0.3, 2.0), (3.0, 1.0)])
def test_closed_form_kl_equals_monte_carlo(mu, log_var, random):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * torch.randn(400_000, generator=random, dtype=torch.float64)
    ratios = Normal(mu, sigma).log_prob(z) - Normal(0.0, 1.0).log_prob(z)
    standard_error = ratios.std().item() / len(ratios) ** 0.5
    closed = losses.gaussian_kl(torch.tensor(mu), torch.tensor(log_var)).item()
    assert abs(ratios.mean().item() - closed) < 4 * standard_error
    assert closed > 20 * standard_error  # so that the test could tell σ from σ² and from log σ²


@given(st.floats(-30, 30), st.floats(-30, 30))
def test_the_kl_is_never_negative_and_zero_only_at_the_prior(mu, log_var):
    kl = losses.gaussian_kl(*(torch.tensor(number, dtype=torch.float64) for number in (mu, log_var))).item()
    assert kl >= -1e-15  # which is rounding
    if max(abs(mu), abs(log_var)) > 1e-3:
        assert kl > 0


def test_at_the_prior_the_kl_is_exactly_zero_and_so_is_its_gradient():
    mu, log_var = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    losses.gaussian_kl(mu, log_var).sum().backward()
    assert losses.gaussian_kl(mu, log_var).tolist() == mu.grad.tolist() == log_var.grad.tolist() == [0, 0, 0]


def test_the_gradient_of_the_kl_equals_finite_differences(random):
    mu, log_var = torch.randn(2, 4, 3, generator=random, dtype=torch.float64) * 2
    assert torch.autograd.gradcheck(losses.gaussian_kl, (mu.requires_grad_(), log_var.requires_grad_()))


def test_the_kl_stays_finite_where_the_variance_itself_rounds_to_zero():
    assert losses.gaussian_kl(torch.tensor(0.0), torch.tensor(-300.0)).item() == pytest.approx(149.5)
