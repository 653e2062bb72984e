"""Latent diffusion: it learns densities known by hand, its draws come from the seed, and bad codes are told."""

import math

import pytest
import torch
from torch import nn

from aecourse import models, training


def two_hills(n, seed=0):
    """Points at −2 and, three times as often, at +2 in the first number, and a narrow second number about 5."""
    random = torch.Generator().manual_seed(seed)
    side = torch.where(torch.rand(n, generator=random) < 0.75, 2.0, -2.0)
    first = side + 0.2 * torch.randn(n, generator=random)
    return torch.stack([first, 5 + 0.1 * torch.randn(n, generator=random)], 1)


@pytest.fixture(scope="module")
def trained():
    codes = two_hills(4000)
    model = models.LatentDiffusion(codes, widths=(64, 64))
    training.fit(model, codes, epochs=30, batch_size=128, lr=training.cosine(4e-3, warmup=0.05))
    return model


def test_it_draws_from_the_density_it_was_shown(trained):
    drawn = trained.sample(4000)
    assert drawn[:, 1].mean().item() == pytest.approx(5, abs=0.03)
    assert (drawn[:, 0] > 0).float().mean().item() == pytest.approx(0.75, abs=0.06)
    assert (drawn[:, 0].abs() < 1).float().mean() < 0.05, "nothing lies between the hills"


def test_draws_come_from_the_seed_alone(trained):
    before = torch.get_rng_state()
    assert torch.equal(trained.sample(5, seed=1), trained.sample(5, seed=1))
    assert not torch.equal(trained.sample(5, seed=1), trained.sample(5, seed=2))
    assert torch.equal(torch.get_rng_state(), before)


class Known(models.LatentDiffusion):
    """The velocity of a standard normal code, which is known: none at all, on average."""

    def velocity(self, mixed, angle):
        return torch.zeros_like(mixed)


class Point(models.LatentDiffusion):
    """The velocity if every code is the same point c: the noise can be worked out from the mixture."""

    def velocity(self, mixed, angle):
        c = torch.tensor([1.0, -0.5])
        epsilon = (mixed - angle.cos() * c) / angle.sin()
        return angle.cos() * epsilon - angle.sin() * c


def test_the_way_back_ends_at_the_only_point_there_is():
    model = Point(two_hills(50))
    found = (model.sample(10) - model.mean) / model.spread
    torch.testing.assert_close(found, torch.tensor([1.0, -0.5]).expand(10, 2), atol=1e-4, rtol=0)


def test_without_a_velocity_the_noise_only_shrinks():
    model = Known(two_hills(50))
    noise = torch.randn((4, 2), generator=torch.Generator().manual_seed(3))
    expected = model.mean + model.spread * noise * math.cos(math.pi / 20) ** 10
    torch.testing.assert_close(model.sample(4, steps=10, seed=3), expected)


def test_a_perfect_velocity_has_no_loss():
    model = Point(two_hills(50))
    same = (model.mean + model.spread * torch.tensor([1.0, -0.5])).expand(30, 2)
    assert model.loss(same)["total"] < 1e-6


def test_the_same_seed_gives_the_same_weights():
    codes = two_hills(50)
    one, same, other = (models.LatentDiffusion(codes, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([[1.0]], "got list, expected a tensor of float32 codes"),
        (torch.ones(3), r"got codes of shape \(3,\), expected float32 codes of shape \(N, latent_dim\); add a batch"),
        (torch.ones(2, 1, 3), r"got codes of shape \(2, 1, 3\), expected float32 codes .*; flatten"),
        (torch.ones(1, 3), r"got codes of shape \(1, 3\) .* expected at least two codes"),
        (torch.ones(5, 3), "a dimension is constant"),
        (torch.eye(3).double(), "got codes of dtype torch.float64"),
        (torch.eye(3, dtype=torch.int64), "got codes of dtype torch.int64"),
        (torch.full((5, 3), math.nan), "NaN or infinity"),
    ],
)
def test_codes_it_cannot_use_are_refused(codes, message):
    with pytest.raises(ValueError, match=message):
        models.LatentDiffusion(codes)


CODES = two_hills(50)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((torch.ones(4, 3),), r"got codes of shape \(4, 3\), expected float32 codes of shape \(N, 2\)"),
        (("codes",), "got str"),
        ((torch.ones(4, 2).double(),), "got codes of dtype torch.float64, expected float32"),
        ((torch.full((4, 2), math.inf),), "NaN or infinity"),
        ((CODES[:0],), r"got no codes \(shape \(0, 2\)\)"),
        ((CODES, torch.ones(50)), "got 2 tensors, expected codes alone"),
    ],
)
def test_training_codes_of_another_kind_are_refused(data, message):
    model = models.LatentDiffusion(CODES)
    assert torch.equal(*model.check(CODES), CODES)
    with pytest.raises(ValueError, match=message):
        model.check(*data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "got n=0, expected a whole number of at least 1"),
        ({"n": 2.0}, "got n=2.0, expected a whole number"),
        ({"n": 3, "steps": 0}, "got steps=0, expected a whole number of at least 1"),
        ({"n": 3, "seed": -1}, "got seed=-1"),
    ],
)
def test_no_draws_or_no_steps_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.LatentDiffusion(CODES).sample(**arguments)


@pytest.mark.parametrize("widths", [(), (0,), 64, (2.5,)])
def test_widths_that_make_no_network_are_refused(widths):
    with pytest.raises(ValueError, match="expected at least one whole number above 0, one for each hidden layer"):
        models.LatentDiffusion(CODES, widths=widths)


def test_codes_that_still_carry_a_gradient_can_be_learnt_from():
    codes = nn.Parameter(CODES) * 2
    model = models.LatentDiffusion(codes, widths=(8,))
    assert not model.mean.requires_grad
    assert not model.spread.requires_grad
    for _ in range(2):
        model.loss(codes.detach())["total"].backward()


def test_the_mean_and_the_spread_are_those_of_each_dimension_and_two_codes_are_enough():
    model = models.LatentDiffusion(torch.tensor([[1.0, 10.0], [3.0, 70.0]]))
    torch.testing.assert_close(model.mean, torch.tensor([2.0, 40.0]))
    torch.testing.assert_close(model.spread, torch.tensor([1.0, 30.0]) * math.sqrt(2))
    for bad in (torch.tensor([[1.0, 5.0], [3.0, 5.0]]), torch.tensor([[3e38, 5.0], [-3e38, 6.0]])):
        with pytest.raises(ValueError, match="a dimension is constant or its spread infinite"):
            models.LatentDiffusion(bad)
    assert models.LatentDiffusion(CODES, widths=(8,)).network[0].out_features == 8


def test_the_network_is_shown_the_mixture_and_four_waves_of_the_angle():
    model = models.LatentDiffusion(CODES, widths=(8,))
    mixed, angle = CODES[:3], torch.tensor([[0.0], [0.4], [1.5]])
    waves = [wave(k * angle) for wave in (torch.sin, torch.cos) for k in (1, 2, 3, 4)]
    torch.testing.assert_close(model.velocity(mixed, angle), model.network(torch.cat([mixed, *waves], 1)))


def test_the_loss_is_the_squared_length_of_what_is_missing_of_the_velocity(monkeypatch):
    shares, noise = torch.rand(50, 1), torch.randn(50, 2)
    monkeypatch.setattr(torch, "rand", lambda *shape, **rest: shares)
    monkeypatch.setattr(torch, "randn_like", lambda like: noise)
    angle, z = math.pi / 2 * shares, (CODES - CODES.mean(0)) / CODES.std(0)
    wanted = (angle.cos() * noise - angle.sin() * z).square().sum(1).mean()
    assert Known(CODES).loss(CODES)["total"].item() == pytest.approx(wanted.item(), rel=1e-5)
    seen = []
    model = models.LatentDiffusion(CODES, widths=(8,))
    monkeypatch.setattr(model, "velocity", lambda *given: seen.extend(given) or torch.zeros(50, 2))
    model.loss(CODES)
    torch.testing.assert_close(seen[0], angle.cos() * z + angle.sin() * noise)
    torch.testing.assert_close(seen[1], angle)


def test_a_draw_takes_50_steps_from_pure_noise_unless_told_otherwise(monkeypatch):
    model, angles = models.LatentDiffusion(CODES, widths=(8,)), []
    monkeypatch.setattr(model, "velocity", lambda z, angle: angles.append(angle) or torch.zeros_like(z))
    model.sample(3)
    torch.testing.assert_close(torch.stack(angles)[:, 2, 0], math.pi / 2 * (1 - torch.arange(50) / 50))
    assert angles[0].shape == (3, 1)
