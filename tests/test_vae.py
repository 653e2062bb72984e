"""The VAE's loss against hand calculation, NumPy and torch.distributions, and what training makes of it."""

import math

import numpy as np
import pytest
import torch
from same_weights import equal, weights
from torch import nn
from torch.distributions import Normal, kl_divergence

from aecourse import checkpoint, evaluate, models, training

SHAPE = (1, 4, 4)
PIXELS = 16
MODELS = {
    "VAE": models.VAE,
    "BinarizedVAE": models.BinarizedVAE,
    "GaussianVAE": models.GaussianVAE,
    "GaussianVAE that learns sigma": lambda *args, **settings: models.GaussianVAE(*args, learn_sigma=True, **settings),
}


def small(kind=models.VAE, latent_dim=3, **settings):
    return kind((PIXELS, 12, latent_dim), image_shape=SHAPE, **{"seed": 5, **settings})


def constant(kind=models.VAE, *, mu, log_var, **settings):
    """A VAE that ignores the image: posterior N(mu, exp(log_var)) for all, and 0.5 as every expected pixel."""
    model = small(kind, len(mu), **settings)
    with torch.no_grad():
        for layers in (model.encoder, model.decoder):
            layers[-1].weight.zero_()
            layers[-1].bias.zero_()
        model.encoder[-1].bias.copy_(torch.tensor([*mu, *log_var]))
    return model


@pytest.fixture
def images():
    return torch.rand(26, *SHAPE, generator=torch.Generator().manual_seed(1234))


@pytest.fixture(autouse=True)
def leave_the_random_state():
    with torch.random.fork_rng(devices=[]):
        yield


def seeded_loss(model, images, seed=0):
    torch.manual_seed(seed)
    return model.loss(images)


def value(terms):
    return {name: term.item() for name, term in terms.items()}


def fit(model, images, **settings):
    return training.fit(model, images, **{"epochs": 3, "batch_size": 8, "device": "cpu", **settings})


def numpy_layers(layers, values):
    """Linear, (layer norm, ReLU, linear)…, in NumPy's double precision."""
    for layer in layers:
        if isinstance(layer, nn.Linear):
            values = values @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()
        elif isinstance(layer, nn.LayerNorm):
            centred = values - values.mean(1, keepdims=True)
            values = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
            values = values * layer.weight.detach().double().numpy() + layer.bias.detach().double().numpy()
        else:
            values = np.maximum(values, 0)
    return values


@pytest.mark.parametrize("beta", [0.0, 1.0, 3.5])
@pytest.mark.parametrize("kind", [models.VAE, models.GaussianVAE])
def test_the_loss_equals_the_same_arithmetic_in_numpy(kind, beta, images):
    model = small(kind, beta=beta)
    terms = value(seeded_loss(model, images, seed=8))
    torch.manual_seed(8)
    epsilon = torch.randn(26, 3).double().numpy()

    pixels = images.flatten(1).double().numpy()
    heads = numpy_layers(model.encoder, pixels)
    mu, log_var = heads[:, :3], heads[:, 3:]
    white = 1 / (1 + np.exp(-numpy_layers(model.decoder, mu + np.exp(log_var / 2) * epsilon)))
    if kind is models.VAE:
        costs = -(pixels * np.log(white) + (1 - pixels) * np.log(1 - white))
    else:
        costs = (pixels - white) ** 2 / (2 * 0.25**2) + math.log(0.25) + 0.5 * math.log(2 * math.pi)
    reconstruction = costs.sum(1).mean()
    kl = (0.5 * (mu**2 + np.exp(log_var) - 1 - log_var)).sum(1).mean()
    assert terms["reconstruction"] == pytest.approx(reconstruction, rel=1e-5)
    assert terms["kl"] == pytest.approx(kl, rel=1e-5)
    assert terms["total"] == pytest.approx(reconstruction + beta * kl, rel=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_gradients_of_the_loss_equal_finite_differences(kind, images):
    model, images = small(MODELS[kind], beta=2.0).double(), images.double()
    seeded_loss(model, images)["total"].backward()
    generator, step = torch.Generator().manual_seed(1), 1e-6
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * step * direction
                sides.append(seeded_loss(model, images)["total"].item())
                parameter -= sign * step * direction
        slope = (sides[0] - sides[1]) / (2 * step)
        assert (parameter.grad * direction).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-5), name


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
@pytest.mark.parametrize("beta", [0.0, 1.0, 20.0])
def test_a_mean_of_one_costs_half_a_nat_per_dimension_and_an_undecided_pixel_ln_2_so_that_no_beta_hides(
    beta, latent_dim, images
):
    model = constant(mu=[1.0] * latent_dim, log_var=[0.0] * latent_dim, beta=beta)
    terms = value(model.loss(images))
    assert terms["kl"] == pytest.approx(latent_dim / 2, rel=1e-6)
    assert terms["reconstruction"] == pytest.approx(PIXELS * math.log(2), rel=1e-6)
    assert terms["total"] == pytest.approx(PIXELS * math.log(2) + beta * latent_dim / 2, rel=1e-6)


def test_the_kl_of_the_loss_is_that_of_torch_distributions_summed_over_dimensions_and_averaged_over_images(images):
    model = small()
    expected = kl_divergence(model.encode(images), Normal(0, 1)).sum(1).mean()
    torch.testing.assert_close(model.loss(images)["kl"], expected)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 100.0])
def test_the_total_is_reconstruction_plus_beta_times_kl_in_training_and_in_evaluation(kind, beta, images):
    model = small(MODELS[kind], beta=beta)
    for training_mode in (True, False):
        terms = seeded_loss(model.train(training_mode), images)
        assert list(terms) == ["total", "reconstruction", "kl"]
        assert terms["total"].item() == (terms["reconstruction"] + beta * terms["kl"]).item()
        assert terms["kl"] > 0


def test_training_and_validation_weigh_the_kl_alike(images):
    history = fit(small(beta=4.0), images, validation=images[:10])
    for record in (history.train, history.validation):
        for total, reconstruction, kl in zip(*record.values(), strict=True):
            assert total == pytest.approx(reconstruction + 4 * kl, rel=1e-5)
    model = small(beta=4.0).train()
    torch.manual_seed(3)
    in_training = value(model.loss(images))
    assert training.mean_loss(model, images, seed=3) == pytest.approx(in_training, rel=1e-6)


def test_beta_may_be_changed_between_two_calls_of_fit(images):
    model = small(beta=0.0)
    for model.beta in (0.0, 0.5, 8.0):
        before, train = weights(model), fit(model, images).train
        assert not equal(weights(model), before)
        for total, reconstruction, kl in zip(*train.values(), strict=True):
            assert total == pytest.approx(reconstruction + model.beta * kl, rel=1e-5)


def test_a_huge_beta_makes_the_posterior_the_prior_and_none_does_not(images):
    collapsed, free = small(beta=100.0), small(beta=0.0)
    for model in (collapsed, free):
        fit(model, images, epochs=150, batch_size=26, lr=training.cosine(0.02))
    assert training.mean_loss(collapsed, images)["kl"] < 0.02
    assert training.mean_loss(free, images)["kl"] > 10
    assert evaluate.active_units(collapsed, images) == 0


def test_with_no_weight_on_the_kl_training_makes_the_noise_small(images):
    model = small(beta=0.0)
    before = model.encode(images).stddev.mean().item()
    fit(model, images, epochs=150, batch_size=26, lr=training.cosine(0.02))
    assert model.encode(images).stddev.mean() < before / 2


LOG_VAR = [-3.0, 0.0, 1.5]


@pytest.fixture
def codes():
    """The 40,000 codes that the decoder is given for one image whose posterior is N(μ, exp(LOG_VAR))."""
    model, seen = constant(mu=[0.5, -2.0, 0.0], log_var=LOG_VAR), []
    likelihood = model.likelihood
    model.likelihood = lambda z: seen.append(z.detach()) or likelihood(z)
    seeded_loss(model, torch.full((40_000, *SHAPE), 0.5))
    return seen[0]


def test_a_code_is_drawn_with_the_mean_mu_and_the_standard_deviation_exp_of_half_log_var(codes):
    sigma = torch.tensor(LOG_VAR).div(2).exp()
    standard_error = sigma / len(codes) ** 0.5
    assert ((codes.mean(0) - torch.tensor([0.5, -2.0, 0.0])).abs() < 4 * standard_error).all()
    assert ((codes.std(0) - sigma).abs() < 4 * standard_error / 2**0.5).all()  # of a normal's standard deviation


def test_the_noise_of_a_code_is_normal_and_its_dimensions_and_images_are_independent(codes):
    standard = (codes - codes.mean(0)) / codes.std(0)
    n = len(standard)
    assert ((standard**4).mean(0) - 3).abs().max() < 4 * (96 / n) ** 0.5
    assert (torch.corrcoef(standard.T) - torch.eye(3)).abs().max() < 4 / n**0.5
    assert (standard[1:] * standard[:-1]).mean(0).abs().max() < 4 / n**0.5


def test_every_call_draws_new_noise(images):
    model = small()
    torch.manual_seed(0)
    first, second = model.loss(images), model.loss(images)
    assert first["reconstruction"] != second["reconstruction"]
    assert first["kl"] == second["kl"]


def test_the_gradient_of_the_reconstruction_reaches_both_heads_of_the_encoder_through_the_sample(images):
    model = small(beta=0.0)
    model.loss(images)["total"].backward()
    to_mu, to_log_var = model.encoder[-1].weight.grad.split(3)
    assert to_mu.abs().max() > 1e-3
    assert to_log_var.abs().max() > 1e-3


def test_the_gradient_to_log_var_is_that_to_mu_times_half_sigma_epsilon():
    """Since z = μ + exp(log σ² / 2) ε; checked for one image, with known noise."""
    image = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(3))
    model = small(beta=0.0)
    seeded_loss(model, image, seed=4)["total"].backward()
    to_mu, to_log_var = model.encoder[-1].bias.grad.split(3)
    torch.manual_seed(4)
    epsilon = torch.randn(1, 3)[0]
    sigma = model.encode(image).stddev[0].detach()
    torch.testing.assert_close(to_log_var, to_mu * sigma * epsilon / 2)


def test_encode_gives_a_normal_posterior_whose_parameters_are_the_encoders_two_halves(images):
    model = small()
    q = model.encode(images)
    heads = model.encoder(images.flatten(1))
    assert isinstance(q, Normal)
    assert q.mean.shape == q.stddev.shape == (26, 3)
    torch.testing.assert_close(q.mean, heads[:, :3])
    torch.testing.assert_close(q.variance.log(), heads[:, 3:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("log_var", [-60.0, 60.0])
def test_the_standard_deviation_is_positive_and_finite_for_whatever_the_encoder_puts_out(log_var, images):
    stddev = constant(mu=[0.0], log_var=[log_var]).encode(images).stddev
    assert stddev.min() > 0
    assert torch.isfinite(stddev).all()


def test_reconstructions_come_from_the_mean_and_have_no_noise_in_them(images):
    model = small()
    first, second = model(images), model(images)
    assert torch.equal(first, second)
    assert torch.equal(first, model.decode(model.encode(images).mean))


@pytest.mark.parametrize("kind", MODELS)
def test_whatever_the_code_the_expected_image_lies_between_black_and_white(kind):
    model = small(MODELS[kind])
    decoded = model.decode(torch.randn(50, 3, generator=torch.Generator().manual_seed(1)) * 1e4)
    assert decoded.shape == (50, *SHAPE)
    assert 0 <= decoded.min() <= decoded.max() <= 1


@pytest.mark.parametrize("kind", MODELS)
def test_images_may_have_any_shape(kind):
    model = MODELS[kind]((12, 5, 2), image_shape=(3, 2, 2))
    images = torch.rand(4, 3, 2, 2)
    assert model(images).shape == (4, 3, 2, 2)
    assert torch.isfinite(model.loss(images)["total"])


def test_the_layers_are_those_of_the_widths_with_two_numbers_per_latent_dimension():
    model = models.VAE((784, 20, 7, 3))
    widths = [
        [(layer.in_features, layer.out_features) for layer in half if isinstance(layer, nn.Linear)]
        for half in (model.encoder, model.decoder)
    ]
    assert widths == [[(784, 20), (20, 7), (7, 6)], [(3, 7), (7, 20), (20, 784)]]


def test_on_black_and_white_images_a_binarized_vae_is_a_vae(images):
    images = images.round()
    torch.manual_seed(2)
    drawn = torch.bernoulli(images)  # moves the random state as the model's own draw does
    plain = value(small().loss(drawn))
    assert torch.equal(drawn, images)
    assert value(seeded_loss(small(models.BinarizedVAE), images, seed=2)) == plain


def test_a_binarized_vae_of_grey_images_is_a_vae_of_images_drawn_from_them(images):
    torch.manual_seed(2)
    expected = value(small().loss(torch.bernoulli(images)))
    assert value(seeded_loss(small(models.BinarizedVAE), images, seed=2)) == expected


def test_a_binarized_vae_sees_only_0_and_1_drawn_afresh_at_every_visit_white_as_often_as_the_pixel_is_grey(images):
    model, seen = small(models.BinarizedVAE), []
    model.encoder.register_forward_pre_hook(lambda layers, given: seen.append(given[0].clone()))
    torch.manual_seed(0)
    for _ in range(400):
        model.loss(images)
    draws = torch.stack(seen)
    assert ((draws == 0) | (draws == 1)).all()
    assert not torch.equal(draws[0], draws[1])
    grey = images.flatten(1)
    standard_error = (grey * (1 - grey) / len(draws)).sqrt() + 1e-3
    assert ((draws.mean(0) - grey).abs() < 5 * standard_error).all()


def test_a_perfect_gaussian_decoder_still_pays_the_logarithm_of_its_density_once_per_pixel():
    """−log N(x; x, σ) = log σ + ½ log 2π for each of the 16 pixels: the constant counts once per pixel, not twice."""
    model = constant(models.GaussianVAE, mu=[0.0], log_var=[0.0], sigma=0.1)
    terms = value(model.loss(torch.full((3, *SHAPE), 0.5)))
    assert terms["reconstruction"] == pytest.approx(PIXELS * (math.log(0.1) + 0.5 * math.log(2 * math.pi)), rel=1e-5)


def test_with_a_fixed_sigma_the_reconstruction_is_the_squared_error_over_twice_its_square_and_a_constant(images):
    """So that σ² acts as a β beside the squared error."""
    wide, narrow = (constant(models.GaussianVAE, mu=[0.0], log_var=[0.0], sigma=sigma) for sigma in (0.4, 0.2))
    error = (images - 0.5).square().flatten(1).sum(1).mean().item()
    for model, sigma in ((wide, 0.4), (narrow, 0.2)):
        without = value(model.loss(images))["reconstruction"] - PIXELS * math.log(sigma * math.sqrt(2 * math.pi))
        assert without == pytest.approx(error / (2 * sigma**2), rel=1e-4)


def test_the_best_sigma_is_the_root_of_the_mean_squared_error_of_a_pixel(images):
    error = (images - 0.5).square().mean().sqrt().item()
    model = constant(models.GaussianVAE, mu=[0.0], log_var=[0.0], sigma=error, learn_sigma=True)
    model.loss(images)["total"].backward()
    assert model.log_sigma.grad.item() == pytest.approx(0, abs=1e-4)

    model = constant(models.GaussianVAE, mu=[0.0], log_var=[0.0], sigma=2.0, learn_sigma=True)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name == "log_sigma"
    fit(model, images, epochs=150, batch_size=26, lr=training.cosine(0.1))
    assert model.log_sigma.exp().item() == pytest.approx(error, rel=1e-3)


def test_a_fixed_sigma_has_no_gradient_and_stays_where_it_is(images):
    model = small(models.GaussianVAE, sigma=0.3)
    fit(model, images)
    assert model.log_sigma.grad is None
    assert model.log_sigma.item() == pytest.approx(math.log(0.3))


def test_a_learned_sigma_begins_at_sigma_and_is_trained_with_the_weights(images):
    model = small(models.GaussianVAE, sigma=0.3, learn_sigma=True)
    assert model.log_sigma.item() == pytest.approx(math.log(0.3))
    fit(model, images)
    assert model.log_sigma.item() != pytest.approx(math.log(0.3), abs=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_an_interrupted_run_of_a_vae_that_goes_on_ends_bit_for_bit_where_an_unbroken_one_does(kind, images, tmp_path):
    settings = {"epochs": 4, "lr": training.cosine(0.01, 0.1), "validation": images[:7]}
    unbroken, broken, resumed = (small(MODELS[kind], seed=seed) for seed in (5, 5, 77))
    whole = fit(unbroken, images, **settings)

    plain_loss, calls = broken.loss, []

    def loss(batch):
        calls.append(batch)
        if len(calls) == 2 * (4 + 1) + 3:  # two epochs of 4 steps and a validation, and two steps
            raise KeyboardInterrupt
        return plain_loss(batch)

    broken.loss = loss
    with pytest.warns(UserWarning, match="Ctrl-C in epoch 3 of 4"):
        fit(broken, images, checkpoint=tmp_path / "run.pt", **settings)
    history = fit(resumed, images, checkpoint=tmp_path / "run.pt", resume=True, **settings)
    assert equal(weights(resumed), weights(unbroken))
    assert history.train == whole.train
    assert history.validation == whole.validation


@pytest.mark.parametrize("kind", MODELS)
def test_loaded_weights_are_the_saved_ones(kind, images, tmp_path):
    model, other = small(MODELS[kind], seed=1), small(MODELS[kind], seed=2)
    if kind.startswith("Gaussian"):
        other.log_sigma.data.fill_(3.0)
    checkpoint.save(model, tmp_path / "vae.pt")
    checkpoint.load(other, tmp_path / "vae.pt")
    assert equal(weights(other), weights(model))
    assert torch.equal(other(images), model(images))


@pytest.mark.parametrize(
    ("named", "first", "second"),
    [
        ("beta was 1.0, is now 2.0", {"beta": 1.0}, {"beta": 2.0}),
        ("fixed weights was", {"kind": models.GaussianVAE, "sigma": 0.1}, {"kind": models.GaussianVAE, "sigma": 0.2}),
        (
            "fixed weights was",
            {"kind": models.GaussianVAE},
            {"kind": models.GaussianVAE, "learn_sigma": True},
        ),
        ("model was VAE, is now BinarizedVAE", {}, {"kind": models.BinarizedVAE}),
    ],
    ids=["beta", "sigma", "whether sigma is learned", "kind"],
)
def test_a_run_with_another_loss_is_no_run_to_go_on_from(named, first, second, images, tmp_path):
    fit(small(**first), images, checkpoint=tmp_path / "run.pt", epochs=2)
    model = small(**second)
    untouched = weights(model)
    with pytest.raises(ValueError, match=f"belongs to another run: .*{named}"):
        fit(model, images, checkpoint=tmp_path / "run.pt", resume=True)
    assert equal(weights(model), untouched)


@pytest.mark.parametrize("kind", [models.VAE, models.BinarizedVAE, models.GaussianVAE])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widths": (784,)}, r"got widths \(784,\), expected at least two whole numbers"),
        ({"widths": (784, 0)}, "above 0"),
        ({"widths": (784, 20, 2.0)}, "whole numbers"),
        ({"widths": (100, 2)}, "begin with 100, expected 784"),
        ({"beta": -0.1}, "got beta=-0.1, expected a finite number of at least 0"),
        ({"beta": math.inf}, "got beta=inf"),
        ({"beta": math.nan}, "got beta=nan"),
    ],
)
def test_settings_that_make_no_vae_are_an_error(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)


@pytest.mark.parametrize("sigma", [0, -0.25, math.inf, math.nan])
def test_a_spread_that_is_not_above_0_and_finite_is_an_error(sigma):
    with pytest.raises(ValueError, match=r"got sigma=.*, expected a finite number above 0"):
        models.GaussianVAE(sigma=sigma)
