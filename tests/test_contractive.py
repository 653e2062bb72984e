"""The contractive autoencoder: the estimated Jacobian is the true one, and the penalty makes it smaller."""

import pytest
import torch

from aecourse import models, training
from aecourse.models.plain import squared_jacobian


@pytest.fixture
def images():
    return torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def true_squares(model, images):
    """‖∂z/∂x‖²_F of each image, from the whole Jacobian."""
    jacobians = [
        torch.autograd.functional.jacobian(lambda x: model.encoder(x.flatten(1))[0], each[None]) for each in images
    ]
    return torch.stack([jacobian.square().sum() for jacobian in jacobians])


def test_basis_directions_give_the_jacobian_exactly(images):
    model = models.ContractiveAutoencoder((784, 20, 3))
    pixels = images.clone().requires_grad_()
    codes = model.encoder(pixels.flatten(1))
    found = sum(squared_jacobian(codes, pixels, torch.eye(3)[axis].expand_as(codes)) for axis in range(3))
    torch.testing.assert_close(found.detach(), true_squares(model, images).mean())


def test_random_directions_give_it_on_average(images):
    model = models.ContractiveAutoencoder((784, 20, 3))
    many = images[:1].expand(4000, -1, -1, -1).clone().requires_grad_()
    codes = model.encoder(many.flatten(1))
    directions = torch.randn(codes.shape, generator=torch.Generator().manual_seed(0))
    found = squared_jacobian(codes, many, directions)
    assert abs(found / true_squares(model, images[:1]) - 1) < 0.1


def test_the_total_is_the_weighted_sum_and_works_without_gradients(images):
    model = models.ContractiveAutoencoder((784, 20, 3), contraction=2.0)
    with torch.no_grad():
        terms = model.loss(images)
    assert terms["total"].item() == pytest.approx((terms["reconstruction"] + 2 * terms["jacobian"]).item(), rel=1e-6)


def test_the_penalty_contracts(images):
    sizes = {}
    for contraction in (0.0, 30.0):
        model = models.ContractiveAutoencoder((784, 20, 3), contraction=contraction)
        training.fit(model, images.repeat(20, 1, 1, 1), epochs=10, batch_size=30, lr=3e-3)
        sizes[contraction] = true_squares(model, images).mean().item()
    assert sizes[30.0] < 0.5 * sizes[0.0]


@pytest.mark.parametrize("contraction", [-1.0, float("nan"), float("inf")])
def test_a_bad_weight_is_refused(contraction):
    with pytest.raises(ValueError, match="expected a finite number of at least 0"):
        models.ContractiveAutoencoder((784, 20, 3), contraction=contraction)


def test_the_images_of_a_reader_get_no_gradient():
    images = torch.rand(4, 1, 28, 28)
    models.ContractiveAutoencoder((784, 20, 3)).loss(images)["total"].backward()
    assert not images.requires_grad
    assert images.grad is None
