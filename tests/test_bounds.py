"""The bounds of a VAE against a linear-Gaussian one, whose likelihood and posterior are known in closed form."""

import contextlib
import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal, Normal, kl_divergence
from torch.special import logsumexp

from aecourse import evaluate, losses, models, training
from aecourse.evaluate import bounds

SHAPE = (1, 2, 3)
PIXELS = 6


class LinearGaussian(models.VAE):
    """p(x|z) = N(Wz + b, s²) with orthogonal columns of W, so that the true posterior is a diagonal Gaussian, too.

    The encoder knows it; `shift` and `widen` (in units of its standard deviation) make it wrong on purpose.
    """

    def __init__(self, *, spread=0.3, shift=0.0, widen=1.0, size=0.5):
        super().__init__((PIXELS, 2), image_shape=SHAPE)
        generator = torch.Generator().manual_seed(7)
        directions = torch.linalg.qr(torch.randn(PIXELS, 2, generator=generator, dtype=torch.float64))[0]
        self.matrix = directions * torch.tensor([size, 0.6 * size], dtype=torch.float64)
        self.offset = torch.rand(PIXELS, generator=generator, dtype=torch.float64)
        self.spread, self.shift, self.widen = spread, shift, widen

    def true_posterior(self, pixels):
        variance = 1 / (1 + self.matrix.square().sum(0) / self.spread**2)
        mean = (pixels.double() - self.offset) @ self.matrix / self.spread**2 * variance
        return Normal(mean, variance.sqrt().expand_as(mean))

    def mu_log_var(self, images):
        true = self.true_posterior(images.flatten(1))
        mu = true.mean + self.shift * true.stddev
        return mu.float(), (2 * (self.widen * true.stddev).log()).float()

    def likelihood(self, latents):
        return Normal((latents.double() @ self.matrix.T + self.offset).float(), self.spread)

    def exact(self, images):
        """log p(x) = log N(x; b, WWᵀ + s²I) in double precision."""
        covariance = self.matrix @ self.matrix.T + self.spread**2 * torch.eye(PIXELS, dtype=torch.float64)
        return MultivariateNormal(self.offset, covariance).log_prob(images.flatten(1).double())

    def exact_elbo(self, images):
        """log p(x) − KL(q(z|x) ‖ p(z|x)), from the closed form of torch.distributions."""
        mu, log_var = self.mu_log_var(images)
        q = Normal(mu.double(), (log_var.double() / 2).exp())
        return self.exact(images) - kl_divergence(q, self.true_posterior(images.flatten(1))).sum(1)


def wrong(**settings):
    return LinearGaussian(**{"shift": 0.5, "widen": 1.3, **settings})


def drawn(n, seed=21):
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(seed))


def striped(n, seed=21):
    """Return images whose two rows are black or white, with one pixel in ten the other way round."""
    generator = torch.Generator().manual_seed(seed)
    rows = (torch.rand(n, 1, 2, 1, generator=generator) < 0.5).float()
    return (rows - (torch.rand(n, *SHAPE, generator=generator) < 0.1).float()).abs()


@pytest.fixture
def images():
    return drawn(400)


@pytest.fixture(scope="module")
def trained():
    """A small VAE that was trained a little, so that its posteriors differ from the prior and from each other."""
    model = models.VAE((PIXELS, 16, 2), image_shape=SHAPE, seed=3)
    training.fit(model, striped(64), epochs=120, lr=0.01, device="cpu")
    return model


def standard_error(values):
    return values.std().item() / len(values) ** 0.5


def spy(model):
    """Return a list that fills with the codes of every call of the decoder."""
    calls, likelihood = [], model.likelihood

    def watched(latents):
        calls.append(latents.detach().clone())
        return likelihood(latents)

    model.likelihood = watched
    return calls


def test_the_linear_model_of_these_tests_has_the_likelihood_that_numerical_integration_finds():
    model, image = wrong(), drawn(1)
    line = torch.linspace(-6, 6, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    joint = Normal(grid @ model.matrix.T + model.offset, model.spread).log_prob(image.flatten().double()).sum(1)
    joint += Normal(0.0, 1.0).log_prob(grid).sum(1)
    integral = logsumexp(joint, 0) + 2 * math.log(12 / 600)
    assert model.exact(image).item() == pytest.approx(integral.item(), abs=1e-6)


@pytest.mark.parametrize("samples", [1, 2, 7, 100])
def test_with_the_true_posterior_every_weight_is_the_likelihood_itself_however_many_are_drawn(samples, images):
    model = LinearGaussian()
    bounds = evaluate.log_likelihood(model, images, samples=samples, seed=samples)
    torch.testing.assert_close(bounds.double(), model.exact(images), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64, 1000])
def test_each_image_has_its_own_bound_in_its_own_place_whatever_the_batch_size(batch_size):
    model, images = LinearGaussian(), drawn(23)
    bounds = evaluate.log_likelihood(model, images, samples=5, batch_size=batch_size)
    assert bounds.shape == (23,)
    torch.testing.assert_close(bounds.double(), model.exact(images), rtol=1e-5, atol=1e-4)


def test_one_sample_gives_the_elbo_in_the_mean(images):
    model = wrong()
    noise = evaluate.log_likelihood(model, images, samples=1).double() - model.exact_elbo(images)
    assert abs(noise.mean().item()) < 4 * standard_error(noise)
    averaged = evaluate.elbo(model, images, draws=400)["elbo"]
    assert averaged == pytest.approx(model.exact_elbo(images).mean().item(), abs=4 * standard_error(noise) / 20)


def test_the_bound_rises_with_the_samples_stays_below_the_likelihood_and_approaches_it():
    model, images = wrong(), drawn(4000)
    exact = model.exact(images)
    gaps = [exact - evaluate.log_likelihood(model, images, samples=k, seed=k).double() for k in (1, 3, 10, 50, 500)]
    means = [gap.mean().item() for gap in gaps]
    errors = [standard_error(gap) for gap in gaps]
    assert means[0] == pytest.approx((exact - model.exact_elbo(images)).mean().item(), abs=4 * errors[0])
    for closer, wider, *spread in zip(means[1:], means[:-1], errors[1:], errors[:-1], strict=True):
        assert wider - closer > 2 * math.hypot(*spread)  # rises
    assert all(mean > -3 * error for mean, error in zip(means, errors, strict=True))  # below
    assert abs(means[-1]) < 0.01 * means[0]  # approaches


def test_for_many_samples_the_gap_is_half_the_variance_of_the_weights_over_their_number(images):
    """Domke & Sheldon (2018); the variance of w / p(x) is an integral of Gaussians, here by a large sample."""
    model, image = wrong(), drawn(1)
    mu, log_var = model.mu_log_var(image)
    q = Normal(mu.double(), (log_var.double() / 2).exp())
    z = mu + (log_var / 2).exp() * torch.randn(200_000, 2, generator=torch.Generator().manual_seed(5))
    ratios = (model.true_posterior(image.flatten(1)).log_prob(z.double()) - q.log_prob(z.double())).sum(1).exp()
    k = 50
    gaps = model.exact(image) - evaluate.log_likelihood(model, image.expand(4000, *SHAPE), samples=k).double()
    assert gaps.mean().item() == pytest.approx(ratios.var().item() / (2 * k), abs=4 * standard_error(gaps))


@pytest.mark.parametrize("batch_size", [4, 10, 1000])
@pytest.mark.parametrize("samples", [1, 7, 10, 23])
def test_exactly_as_many_codes_are_drawn_as_asked_for_and_never_more_at_once_than_batch_size(samples, batch_size):
    model = wrong()
    calls = spy(model)
    evaluate.log_likelihood(model, drawn(3), samples=samples, batch_size=batch_size)
    sizes = [len(codes) for codes in calls]
    assert sum(sizes) == 3 * samples
    assert max(sizes) <= batch_size
    assert len(torch.cat(calls).unique(dim=0)) == 3 * samples  # none of them twice


@pytest.mark.parametrize("batch_size", [3, 7, 1000])
def test_the_bound_is_the_log_of_the_mean_weight_of_the_codes_that_were_drawn(batch_size):
    """And neither the mean of the logs, nor Σ w̃ log w: one image, its weights computed by hand from the codes."""
    model, image = wrong(), drawn(1)
    calls = spy(model)
    bound = evaluate.log_likelihood(model, image, samples=20, batch_size=batch_size).item()
    z = torch.cat(calls).double().numpy()
    mu, log_var = (part.double().numpy() for part in model.mu_log_var(image))
    x, b, w = image.flatten().double().numpy(), model.offset.numpy(), model.matrix.numpy()

    def log_normal(value, mean, sigma):
        return (-((value - mean) ** 2) / (2 * sigma**2) - np.log(sigma) - 0.5 * np.log(2 * np.pi)).sum(1)

    log_weights = (
        log_normal(x, z @ w.T + b, model.spread) + log_normal(z, 0, 1) - log_normal(z, mu, np.exp(log_var / 2))
    )
    weights = np.exp(log_weights)
    assert bound == pytest.approx(np.log(weights.mean()), abs=1e-4)
    assert abs(bound - log_weights.mean()) > 0.05
    assert abs(bound - (weights / weights.sum() * log_weights).sum()) > 0.05


def test_the_batch_size_changes_the_bound_by_no_more_than_its_noise(images):
    model = wrong()
    small, large = (
        evaluate.log_likelihood(model, images[:100], samples=50, batch_size=size).double() for size in (20, 1000)
    )
    noise = small - large
    assert abs(noise.mean().item()) < 4 * standard_error(noise)
    assert noise.std() < 0.5


def test_the_bound_is_finite_and_right_where_every_weight_is_smaller_than_the_smallest_number():
    model = LinearGaussian(spread=0.003, widen=1.0, size=0.001)
    images = drawn(20)
    exact = model.exact(images)
    assert exact.max() < -1000  # exp of it is 0 even in double precision
    bounds = evaluate.log_likelihood(model, images, samples=30, batch_size=7)
    torch.testing.assert_close(bounds.double(), exact, rtol=1e-5, atol=1e-4)


def test_the_bound_of_a_bernoulli_vae_approaches_the_integral_over_all_codes(trained):
    images = striped(5, seed=4)
    line = torch.linspace(-7, 7, 561)
    grid = torch.cartesian_prod(line, line)
    with torch.no_grad():
        joint = trained.likelihood(grid).log_prob(images.flatten(1)[:, None]).sum(2)
    joint = joint.double() + Normal(0.0, 1.0).log_prob(grid.double()).sum(1)
    integral = logsumexp(joint, 1) + 2 * math.log(14 / 560)
    bounds = evaluate.log_likelihood(trained, images, samples=20_000).double()
    torch.testing.assert_close(bounds, integral, rtol=0, atol=0.05)
    assert evaluate.elbo(trained, images, draws=100)["elbo"] < integral.mean() - 0.05


@pytest.mark.parametrize("measure", ["elbo", "log_likelihood", "aggregate_posterior", "gradients"])
def test_the_same_seed_gives_the_same_numbers_and_neither_uses_nor_moves_the_global_random_state(measure, trained):
    settings = {"log_likelihood": {"samples": 3}, "gradients": {"draws": 3}}.get(measure, {})
    images = drawn(1 if measure == "gradients" else 30)

    def run(seed):
        result = getattr(evaluate, measure)(trained, images, seed=seed, **settings)
        return result if isinstance(result, torch.Tensor) else list(getattr(result, "__dict__", result).items())

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = run(4)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert str(first) == str(run(4))
    assert str(first) != str(run(5))


@pytest.mark.parametrize("batch_size", [37, 400])
def test_the_elbo_has_the_terms_of_the_loss_where_there_is_no_noise_whatever_the_batch_size(images, batch_size):
    model = models.VAE((PIXELS, 8, 2), image_shape=SHAPE, beta=3.0, seed=2)
    with torch.no_grad():
        model.encoder[-1].weight[2:].zero_()
        model.encoder[-1].bias[2:].fill_(-40.0)
    loss, bound = training.mean_loss(model, images), evaluate.elbo(model, images, batch_size=batch_size)
    assert bound["reconstruction"] == pytest.approx(loss["reconstruction"], rel=1e-6)
    assert bound["kl"] == pytest.approx(loss["kl"], rel=1e-6)
    assert bound["elbo"] == pytest.approx(-loss["reconstruction"] - loss["kl"], rel=1e-6)


def test_the_elbo_is_the_negative_loss_at_beta_1_in_the_mean(images, trained):
    beta_1 = models.VAE((PIXELS, 16, 2), image_shape=SHAPE)
    beta_1.load_state_dict(trained.state_dict())
    losses = torch.tensor([training.mean_loss(beta_1, images, seed=seed)["total"] for seed in range(40)])
    bounds = torch.tensor([evaluate.elbo(beta_1, images, seed=seed)["elbo"] for seed in range(40)])
    assert abs((losses + bounds).mean().item()) < 4 * math.hypot(standard_error(losses), standard_error(bounds))


def test_the_terms_of_the_elbo_equal_their_closed_forms(images):
    model = wrong()
    mu, log_var = (part.double() for part in model.mu_log_var(images))
    missed = images.flatten(1).double() - (mu @ model.matrix.T + model.offset)
    blurred = (log_var.exp() * model.matrix.square().sum(0)).sum(1)
    constant = PIXELS * (math.log(model.spread) + 0.5 * math.log(2 * math.pi))
    expected = ((missed.square().sum(1) + blurred) / (2 * model.spread**2)).mean().item() + constant
    terms = [evaluate.elbo(model, images, seed=seed) for seed in range(30)]
    reconstructions = torch.tensor([each["reconstruction"] for each in terms])
    assert reconstructions.mean().item() == pytest.approx(expected, abs=4 * standard_error(reconstructions))
    kl = kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(1).mean().item()
    assert {round(each["kl"] / kl, 5) for each in terms} == {1.0}


def test_the_elbo_does_not_depend_on_the_beta_of_training(images, trained):
    before = evaluate.elbo(trained, images)
    other = models.VAE((PIXELS, 16, 2), image_shape=SHAPE, beta=50.0)
    other.load_state_dict(trained.state_dict())
    assert evaluate.elbo(other, images) == before


@pytest.mark.parametrize("draws", [1, 4])
def test_the_elbo_draws_as_many_codes_for_each_image_as_asked_for(draws):
    model = wrong()
    calls = spy(model)
    evaluate.elbo(model, drawn(25), draws=draws, batch_size=10)
    assert sum(len(codes) for codes in calls) == 25 * draws
    assert len(torch.cat(calls).unique(dim=0)) == 25 * draws


def test_more_draws_make_the_elbo_less_noisy():
    model, images = wrong(), drawn(20)
    one, many = (
        torch.tensor([evaluate.elbo(model, images, draws=draws, seed=seed)["elbo"] for seed in range(40)])
        for draws in (1, 25)
    )
    assert many.std() < one.std() / 2.5  # a fifth of it, were it not itself an estimate


def test_the_elbo_is_below_the_exact_log_likelihood(images):
    assert evaluate.elbo(wrong(), images, draws=20)["elbo"] < wrong().exact(images).mean()


def test_posterior_joins_the_batches_in_order(images):
    model = wrong()
    q = evaluate.posterior(model, images, batch_size=37)
    torch.testing.assert_close(q.mean, model.encode(images).mean)
    torch.testing.assert_close(q.stddev, model.encode(images).stddev)
    assert not q.mean.requires_grad


def test_the_kl_per_dimension_is_that_of_torch_distributions_and_sums_to_the_kl_of_the_elbo(images, trained):
    per_dimension = evaluate.kl_per_dimension(trained, images)
    expected = kl_divergence(trained.encode(images), Normal(0.0, 1.0)).mean(0)
    torch.testing.assert_close(per_dimension, expected.detach())
    assert per_dimension.sum().item() == pytest.approx(evaluate.elbo(trained, images)["kl"], rel=1e-5)


class Known(models.VAE):
    """A VAE whose posteriors are given: the first pixels as the means, and one log variance for each dimension."""

    def __init__(self, scale, log_var):
        super().__init__((PIXELS, len(scale)), image_shape=SHAPE)
        self.scale, self.log_var = torch.tensor(scale), torch.tensor(log_var)

    def mu_log_var(self, images):
        mu = images.flatten(1)[:, : self.latent_dim] * self.scale
        return mu, self.log_var.expand_as(mu)


def test_the_kl_stays_finite_where_the_variance_itself_rounds_to_zero(images):
    model = Known([0.0, 0.0], [0.0, -150.0])
    assert evaluate.kl_per_dimension(model, images).tolist() == pytest.approx([0, 74.5], rel=1e-4)


def test_a_dimension_is_active_if_its_mean_varies_with_the_image_whatever_its_noise(images):
    # The variance of a pixel is 1/12: 0.083, 0.0075, 0.013, 0 and 8.3.
    model = Known([1.0, 0.3, 0.4, 0.0, 10.0], [0.0, -9.0, 3.0, -9.0, 0.0])
    assert evaluate.active_units(model, images) == 3
    assert evaluate.active_units(model, images, threshold=0.005) == 4
    assert evaluate.active_units(model, images, threshold=1.0) == 1


def test_the_aggregate_posterior_has_the_mean_and_covariance_of_a_large_sample_from_it(images):
    model = Known([2.0, 1.0, 0.5], [-1.0, 0.0, 1.0])
    aggregate = evaluate.aggregate_posterior(model, images)
    q = model.encode(images)
    sample = q.sample((1000,)).flatten(0, 1).double()
    spread = sample.std(0)
    assert ((aggregate.mean - sample.mean(0)).abs() < 5 * spread / len(sample) ** 0.5).all()
    tolerance = 5 * torch.outer(spread, spread) * (3 / len(sample)) ** 0.5
    assert ((aggregate.covariance - torch.cov(sample.T)).abs() < tolerance).all()


def test_the_covariance_of_the_aggregate_posterior_is_the_spread_of_the_means_plus_the_mean_variance(images):
    model = Known([2.0, 1.0, 0.5], [-1.0, 0.0, 1.0])
    means = images.flatten(1)[:, :3].double().numpy() * [2.0, 1.0, 0.5]
    expected = np.cov(means.T, bias=True) + np.diag(np.exp([-1.0, 0.0, 1.0]))
    aggregate = evaluate.aggregate_posterior(model, images)
    np.testing.assert_allclose(aggregate.mean.numpy(), means.mean(0), rtol=1e-5)
    np.testing.assert_allclose(aggregate.covariance.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_the_aggregate_posterior_of_one_dimension_has_a_1_by_1_covariance(images):
    aggregate = evaluate.aggregate_posterior(Known([1.0], [0.0]), images)
    assert aggregate.covariance.shape == (1, 1)
    assert aggregate.covariance.item() == pytest.approx(1 + 1 / 12, rel=0.05)


def test_the_aggregate_sample_has_one_code_of_each_images_posterior_in_order(images):
    model = Known([100.0, -100.0], [-4.0, -2.0])
    sample = evaluate.aggregate_posterior(model, images).sample
    standard = (sample - model.encode(images).mean) / torch.tensor([-2.0, -1.0]).exp()
    assert standard.shape == (400, 2)
    assert (standard.mean(0).abs() < 4 / 20).all()
    assert ((standard.std(0) - 1).abs() < 4 / (2 * 400) ** 0.5).all()


def test_the_mmd_of_an_aggregate_posterior_is_about_0_where_it_is_the_prior_and_grows_where_it_is_not(images):
    def discrepancy(model, seed=0):
        return evaluate.aggregate_posterior(model, images, seed=seed).mmd

    prior = torch.tensor([discrepancy(Known([0.0, 0.0], [0.0, 0.0]), seed) for seed in range(30)])
    assert abs(prior.mean().item()) < 4 * standard_error(prior)
    assert discrepancy(Known([3.0, 3.0], [0.0, 0.0])) > 20 * prior.std()
    assert discrepancy(Known([0.0, 0.0], [-3.0, -3.0])) > 20 * prior.std()


def test_points_limit_what_the_mmd_of_an_aggregate_posterior_compares(images, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "aecourse.evaluate.bounds.mmd", lambda first, second: seen.append((len(first), len(second))) or 0.0
    )
    for points in (50, 2000):
        evaluate.aggregate_posterior(Known([1.0], [0.0]), images, points=points)
    assert seen == [(50, 50), (400, 400)]


def test_the_mmd_equals_a_double_loop_over_all_pairs():
    generator = torch.Generator().manual_seed(31)
    first, second = torch.randn(9, 3, generator=generator), 1 + 2 * torch.randn(6, 3, generator=generator)

    def kernel(a, b):
        return math.exp(-sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) / (2 * 3))

    x, y = first.tolist(), second.tolist()
    within = [sum(kernel(a, b) for a in s for b in s if a is not b) / (len(s) * (len(s) - 1)) for s in (x, y)]
    between = sum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))
    assert evaluate.mmd(first, second) == pytest.approx(sum(within) - 2 * between, abs=1e-6)


def test_the_mmd_of_two_heaps_of_equal_points_is_known_by_hand():
    first, second = torch.zeros(5, 2), torch.tensor([[1.0, 1.0]]).repeat(4, 1)
    assert evaluate.mmd(first, second) == pytest.approx(2 - 2 * math.exp(-2 / 4), rel=1e-5)
    assert evaluate.mmd(first, first) == pytest.approx(0, abs=1e-6)
    assert evaluate.mmd(first, 1000 * second) == pytest.approx(2)


def test_the_mmd_has_no_bias_so_that_equal_sources_give_0_on_average_and_less_than_0_at_times():
    generator = torch.Generator().manual_seed(32)
    found = torch.tensor([evaluate.mmd(*torch.randn(2, 30, 4, generator=generator)) for _ in range(200)])
    assert abs(found.mean().item()) < 4 * standard_error(found)
    assert 0.2 < (found < 0).float().mean() < 0.8


@given(st.integers(2, 9), st.integers(2, 9), st.integers(1, 5), st.integers(0, 99))
def test_the_mmd_does_not_depend_on_which_sample_is_called_first(n, m, k, seed):
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(n, k, generator=generator), torch.randn(m, k, generator=generator)
    assert evaluate.mmd(first, second) == pytest.approx(evaluate.mmd(second, first), abs=1e-6)


@pytest.mark.parametrize("shapes", [((5, 2), (5, 3)), ((5, 2), (1, 2)), ((0, 2), (5, 2)), ((5,), (5,))])
def test_samples_that_no_mmd_can_compare_are_an_error(shapes):
    with pytest.raises(ValueError, match=r"got samples of shape .* expected \(N, k\) and \(M, k\)"):
        evaluate.mmd(*(torch.zeros(shape) for shape in shapes))


def test_all_gradient_estimates_have_the_exact_gradient_as_their_mean():
    """∇μ E[‖x − Wz − b‖² / 2s²] = Wᵀ(Wμ + b − x) / s², known for the linear-Gaussian model."""
    model, image = wrong(), drawn(1)
    mu = model.mu_log_var(image)[0].double()
    exact = ((mu @ model.matrix.T + model.offset - image.flatten()) @ model.matrix / model.spread**2)[0]
    for name, estimates in evaluate.gradients(model, image, draws=100_000).items():
        assert estimates.shape == (100_000, 2), name
        error = estimates.double().std(0) / len(estimates) ** 0.5
        assert ((estimates.double().mean(0) - exact).abs() < 4 * error).all(), name


def test_all_gradient_estimates_of_a_trained_vae_agree_with_finite_differences_of_an_average_over_fixed_noise(trained):
    image = striped(1, seed=5)
    noise, step = torch.randn(500_000, 2, generator=torch.Generator().manual_seed(6)), 0.02
    with torch.no_grad():
        q = trained.encode(image)

        def cost(mu):
            return -trained.likelihood(mu + q.stddev * noise).log_prob(image.flatten()).sum(1)

        sides = [(cost(q.mean + step * axis) - cost(q.mean - step * axis)) / (2 * step) for axis in torch.eye(2)]
    slopes = torch.stack(sides, 1)
    expected, expected_error = slopes.mean(0), slopes.std(0) / len(noise) ** 0.5
    for name, estimates in evaluate.gradients(trained, image, draws=100_000).items():
        error = torch.hypot(expected_error, estimates.std(0) / len(estimates) ** 0.5)
        assert ((estimates.mean(0) - expected).abs() < 4 * error).all(), name


@pytest.mark.parametrize("draws", [2, 3, 7])
def test_the_baseline_of_a_draw_is_the_mean_cost_of_the_others(draws):
    """A draw's own cost in its baseline would make the estimate too small, by 1 / draws."""
    model, image = wrong(), drawn(1)
    calls = spy(model)
    found = evaluate.gradients(model, image, draws=draws)
    (z,) = calls
    mu, log_var = model.mu_log_var(image)
    score = ((z - mu) / log_var.exp()).double().numpy()
    blank = model.offset + z.double() @ model.matrix.T
    cost = -Normal(blank, model.spread).log_prob(image.flatten().double()).sum(1).numpy()
    plain = [cost[i] * score[i] for i in range(draws)]
    others = [np.mean([cost[j] for j in range(draws) if j != i]) for i in range(draws)]
    with_baseline = [(cost[i] - others[i]) * score[i] for i in range(draws)]
    np.testing.assert_allclose(found["score function"].numpy(), plain, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found["score function, baseline"].numpy(), with_baseline, rtol=1e-3, atol=1e-3)


def test_the_score_function_is_noisier_than_the_path_and_a_baseline_makes_it_less_so(trained):
    estimates = evaluate.gradients(trained, striped(1, seed=5), draws=20_000)
    variance = {name: each.var(0).sum().item() for name, each in estimates.items()}
    assert variance["score function"] > 3 * variance["pathwise"]
    assert variance["score function"] > variance["score function, baseline"]


def test_the_weights_keep_no_gradient_of_the_gradient_estimates(trained):
    trained.zero_grad()
    evaluate.gradients(trained, drawn(1), draws=5)
    assert all(parameter.grad is None for parameter in trained.parameters())


PLAIN = models.DenseAutoencoder((PIXELS, 2), image_shape=SHAPE)
MEASURES = {
    "posterior": evaluate.posterior,
    "elbo": evaluate.elbo,
    "log_likelihood": lambda model, images: evaluate.log_likelihood(model, images, samples=2),
    "kl_per_dimension": evaluate.kl_per_dimension,
    "active_units": evaluate.active_units,
    "aggregate_posterior": evaluate.aggregate_posterior,
    "gradients": lambda model, images: evaluate.gradients(model, images, draws=2),
}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_works_on_a_gpu_and_answers_on_the_cpu(measure, trained):
    found = MEASURES[measure](copy.deepcopy(trained).cuda(), drawn(1 if measure == "gradients" else 4))
    if measure == "gradients":
        assert {each.device.type for each in found.values()} == {"cpu"}


@pytest.mark.parametrize("measure", MEASURES)
def test_a_model_without_a_posterior_is_an_error(measure):
    with pytest.raises(ValueError, match="got a DenseAutoencoder, expected a VAE"):
        MEASURES[measure](PLAIN, drawn(1))


NO_IMAGES = {
    "none": (drawn(0), "got no images"),
    "NaN": (drawn(4) / 0 * 0, "got NaN pixels in 4 of 4 images"),
    "0 to 255": (drawn(4) * 255, "divide by 255"),
    "flattened": (drawn(4).flatten(1), r"got images of shape \(4, 6\)"),
    "single": (drawn(1)[0], r"images\[None\]"),
    "a list": (list(drawn(4)), "got list, expected a"),
    "NumPy": (drawn(4).numpy(), "got ndarray, expected a"),
}


@pytest.mark.parametrize("bad", NO_IMAGES)
@pytest.mark.parametrize("measure", MEASURES)
def test_what_are_no_images_is_an_error(measure, bad, trained):
    images, message = NO_IMAGES[bad]
    with pytest.raises(ValueError, match=message):
        MEASURES[measure](trained, images)


@pytest.mark.parametrize("bad", [0, -1, 2.5, None])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("samples", lambda model, bad: evaluate.log_likelihood(model, drawn(2), samples=bad)),
        ("batch_size", lambda model, bad: evaluate.log_likelihood(model, drawn(2), samples=3, batch_size=bad)),
        ("draws", lambda model, bad: evaluate.elbo(model, drawn(2), draws=bad)),
        ("batch_size", lambda model, bad: evaluate.elbo(model, drawn(2), batch_size=bad)),
        ("points", lambda model, bad: evaluate.aggregate_posterior(model, drawn(2), points=bad)),
        ("draws", lambda model, bad: evaluate.gradients(model, drawn(1), draws=bad)),
    ],
)
def test_a_count_that_is_no_whole_number_above_0_is_an_error(name, call, bad, trained):
    with pytest.raises(ValueError, match=f"got {name}={bad}, expected a whole number of at least [12]"):
        call(trained, bad)


def test_a_count_may_be_a_numpy_integer(trained):
    assert evaluate.log_likelihood(trained, drawn(2), samples=np.int64(3)).shape == (2,)


def test_one_image_has_no_active_units_to_speak_of(trained):
    with pytest.raises(ValueError, match=r"got len\(images\)=1, expected a whole number of at least 2"):
        evaluate.active_units(trained, drawn(1))


def test_gradients_are_those_of_one_image(trained):
    with pytest.raises(ValueError, match=r"got 5 images, expected one; take images\[:1\]"):
        evaluate.gradients(trained, drawn(5), draws=5)


def test_what_the_gradients_return_was_moved_to_the_cpu(trained, monkeypatch):
    moved, cpu = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: moved.append(tensor) or cpu(tensor))
    found = evaluate.gradients(trained, drawn(1), draws=5)
    assert [id(each) for each in moved] == [id(each) for each in found.values()]


# One ELBO for all


@pytest.fixture
def conditional():
    model = models.ConditionalVAE((PIXELS, 16, 2), classes=3, image_shape=SHAPE, seed=3)
    labels = torch.arange(64) % 3
    training.fit(model, (striped(64), labels), epochs=20, lr=0.01, device="cpu")
    return model


@pytest.mark.parametrize("batch_size", [1000, 16])
def test_the_elbo_of_a_conditional_vae_is_its_loss_given_the_labels(conditional, batch_size):
    images, labels = drawn(64), torch.arange(64) % 3
    noise = torch.randn(64, 2, generator=torch.Generator().manual_seed(4))
    q = conditional.encode(images, labels)
    likelihood = conditional.likelihood(q.mean + q.stddev * noise, labels)
    cost = -likelihood.log_prob(images.flatten(1)).sum(1).mean().item()
    kl = kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean().item()
    found = evaluate.elbo(conditional, images, labels=labels, seed=4, batch_size=batch_size)
    assert found["reconstruction"] == pytest.approx(cost, rel=1e-5)
    assert found["kl"] == pytest.approx(kl, rel=1e-5)
    assert found["elbo"] == pytest.approx(-cost - kl, rel=1e-5)
    terms = training.mean_loss(conditional, (images, labels), batch_size=batch_size, seed=4)
    assert found["elbo"] == pytest.approx(-terms["reconstruction"] - terms["kl"], rel=1e-6)
    other = evaluate.elbo(conditional, images, labels=(labels + 1) % 3, seed=4, batch_size=batch_size)
    assert other["elbo"] != found["elbo"]


def test_the_posteriors_of_a_conditional_vae_are_those_given_the_labels(conditional):
    images, labels = drawn(60), torch.arange(60) % 3
    q = conditional.encode(images, labels)
    found = evaluate.posterior(conditional, images, labels=labels, batch_size=7)
    torch.testing.assert_close(found.mean, q.mean.detach())
    torch.testing.assert_close(found.stddev, q.stddev.detach())
    per_dimension = evaluate.kl_per_dimension(conditional, images, labels=labels)
    torch.testing.assert_close(per_dimension, kl_divergence(q, Normal(0.0, 1.0)).mean(0).detach())
    assert evaluate.active_units(conditional, images, labels=labels) == int((q.mean.var(0) > 0.01).sum())
    aggregate = evaluate.aggregate_posterior(conditional, images, labels=labels)
    torch.testing.assert_close(aggregate.mean, q.mean.mean(0).detach())


WITH_LABELS = ("posterior", "elbo", "kl_per_dimension", "active_units", "aggregate_posterior")


@pytest.mark.parametrize("measure", WITH_LABELS)
def test_a_conditional_vae_without_labels_is_told_to_bring_them_and_a_vae_to_leave_them_out(measure, trained):
    conditional = models.ConditionalVAE((PIXELS, 2), classes=3, image_shape=SHAPE)
    with pytest.raises(ValueError, match=r"got no labels, but a ConditionalVAE .* pass labels="):
        MEASURES[measure](conditional, drawn(4))
    with pytest.raises(ValueError, match=r"got labels from 3 to 3"):
        getattr(evaluate, measure)(conditional, drawn(4), labels=torch.full((4,), 3))
    with pytest.raises(ValueError, match="got labels, but a VAE takes none"):
        getattr(evaluate, measure)(trained, drawn(4), labels=torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize("measure", sorted({*MEASURES} - {*WITH_LABELS}))
def test_what_takes_no_labels_says_of_a_conditional_vae_what_does(measure):
    conditional = models.ConditionalVAE((PIXELS, 2), classes=3, image_shape=SHAPE)
    with pytest.raises(ValueError, match=r"got a ConditionalVAE, which takes labels, .* elbo"):
        MEASURES[measure](conditional, drawn(1))


def test_the_elbo_of_a_gumbel_autoencoder_is_the_categorical_one_and_only_its():
    model = models.GumbelAutoencoder(positions=2, seed=1)
    images = torch.rand(30, 1, 28, 28, generator=torch.Generator().manual_seed(0)).round()
    assert evaluate.elbo(model, images, draws=3, seed=2) == evaluate.categorical_elbo(model, images, draws=3, seed=2)
    with pytest.raises(ValueError, match="got a VAE, expected a GumbelAutoencoder; of other models use elbo"):
        evaluate.categorical_elbo(models.VAE(), images)


def test_a_reader_who_writes_the_methods_of_a_vae_needs_not_inherit_from_it(images):
    inner = wrong()

    class Own(models.Model):
        latent_dim, image_shape = 2, SHAPE

        def __init__(self):
            super().__init__()
            self.inner, self.mu_log_var, self.likelihood = inner, inner.mu_log_var, inner.likelihood

    assert evaluate.elbo(Own(), images) == evaluate.elbo(inner, images)
    assert torch.equal(evaluate.kl_per_dimension(Own(), images), evaluate.kl_per_dimension(inner, images))
    bound = evaluate.log_likelihood(Own(), images[:5], samples=3)
    assert torch.equal(bound, evaluate.log_likelihood(inner, images[:5], samples=3))


def test_the_elbo_leaves_every_layer_in_the_mode_in_which_it_was(trained):
    model = copy.deepcopy(trained)
    model.train()
    model.encoder[0].eval()
    evaluate.elbo(model, drawn(3))
    assert model.training
    assert [layer.training for layer in model.encoder][:2] == [False, True]


# Clouds so small that their spread is no float


@pytest.mark.parametrize("log_var", [-150.0, -180.0, -300.0, -2000.0])
def test_the_kl_is_that_of_the_elbo_however_small_the_spread(images, log_var):
    model = Known([1.0, 0.0], [0.0, log_var])
    per_dimension = evaluate.kl_per_dimension(model, images)
    assert per_dimension[1].item() == pytest.approx(-(1 + log_var) / 2, rel=1e-5)
    assert per_dimension.sum().item() == pytest.approx(evaluate.elbo(model, images)["kl"], rel=1e-5)


@pytest.mark.parametrize("log_var", [-120.0, -300.0])
def test_the_bound_is_that_of_the_elbo_however_small_the_spread(images, log_var):
    """The code is its mean then, so nothing but ε is random: log w = log p(x|z) + ½ (ε² + log σ² − z²)."""
    model = Known([1.0, 0.0], [log_var, log_var])
    found = evaluate.log_likelihood(model, images, samples=1)
    assert torch.isfinite(found).all()
    noise = 2**0.5 * 2**0.5 / len(images) ** 0.5  # of ½ ε² in two dimensions
    assert found.mean().item() == pytest.approx(evaluate.elbo(model, images)["elbo"], abs=4 * noise)


def test_numbers_of_clouds_of_a_usual_size_come_from_their_spread_as_ever(images, trained):
    q = trained.encode(images)
    expected = losses.gaussian_kl(q.mean, 2 * q.stddev.log()).mean(0).detach()
    assert torch.equal(evaluate.kl_per_dimension(trained, images), expected)


# Any number of points


def test_the_mmd_looks_at_a_block_of_pairs_at_a_time(monkeypatch):
    generator = torch.Generator().manual_seed(33)
    first, second = torch.randn(97, 3, generator=generator), torch.randn(61, 3, generator=generator)
    whole = evaluate.mmd(first, second)
    sizes, kernel = [], bounds.rbf_kernel

    def watched(a, b=None, **settings):
        sizes.append((len(a), len(a if b is None else b)))
        return kernel(a, b, **settings)

    monkeypatch.setattr(bounds, "rbf_kernel", watched)
    monkeypatch.setattr(bounds, "BLOCK", 10)
    assert evaluate.mmd(first, second) == pytest.approx(whole, abs=1e-6)
    assert max(max(pair) for pair in sizes) == 10
    assert sum(n * m for n, m in sizes) == 97**2 + 61**2 + 97 * 61


def test_up_to_2000_points_the_mmd_is_one_block():
    points = torch.randn(2000, 2, generator=torch.Generator().manual_seed(34))
    other = torch.randn(100, 2, generator=torch.Generator().manual_seed(35))
    within = []
    for sample in (points.numpy(), other.numpy()):
        kernel = bounds.rbf_kernel(sample, gamma=0.25)
        within.append((kernel.sum() - kernel.trace()) / (len(sample) * (len(sample) - 1)))
    between = bounds.rbf_kernel(points.numpy(), other.numpy(), gamma=0.25).mean()
    assert evaluate.mmd(points, other) == float(0.0 + within[0] + within[1] - 2 * between)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: evaluate.elbo(model, drawn(2), seed=-1), "got seed=-1"),
        (lambda model: evaluate.log_likelihood(model, drawn(2), samples=2, seed=2.0), "got seed=2.0"),
        (lambda model: evaluate.gradients(model, drawn(1), draws=2, seed=True), "got seed=True"),
        (lambda model: evaluate.aggregate_posterior(model, drawn(2), seed=-1), "got seed=-1"),
        (lambda model: evaluate.active_units(model, drawn(2), threshold=-0.1), "got threshold=-0.1"),
        (lambda model: evaluate.active_units(model, drawn(2), threshold=math.nan), "got threshold=nan"),
        (lambda model: evaluate.elbo(model, drawn(2), batch_size=True), "got batch_size=True"),
        (lambda model: evaluate.mmd(drawn(2).flatten(1) / 0, drawn(2).flatten(1)), "got samples with NaN"),
    ],
)
def test_a_setting_that_makes_no_sense_is_an_error(call, message, trained):
    with pytest.raises(ValueError, match=message):
        call(trained)


# What is drawn, counted and shown


def fresh(seed=3):
    return torch.Generator().manual_seed(seed)


def test_a_code_is_its_mean_plus_its_spread_times_the_draw_that_the_seed_gives():
    model, images = wrong(), drawn(3)
    mu, log_var = model.mu_log_var(images)
    sigma = (log_var / 2).exp()
    calls = spy(model)

    evaluate.elbo(model, images, draws=2, seed=3)
    random = fresh()
    for z in calls:
        torch.testing.assert_close(z, mu + sigma * torch.randn(3, 2, generator=random))
    calls.clear()
    evaluate.log_likelihood(model, images, samples=5, seed=3)
    torch.testing.assert_close(torch.cat(calls), (mu + sigma * torch.randn(5, 3, 2, generator=fresh())).flatten(0, 1))
    calls.clear()
    evaluate.gradients(model, images[:1], draws=4, seed=3)
    torch.testing.assert_close(torch.cat(calls), mu[:1] + sigma[:1] * torch.randn(4, 2, generator=fresh()))
    sample = evaluate.aggregate_posterior(model, images, seed=3).sample
    torch.testing.assert_close(sample, mu + sigma * torch.randn(3, 2, generator=fresh()))


@pytest.mark.parametrize("log_var", [-120.0, -300.0])
def test_the_weight_of_a_code_without_spread_is_that_of_its_noise(log_var):
    model, images = Known([1.0, -2.0], [log_var, log_var]), drawn(6)
    mu, noise = model.mu_log_var(images)[0], torch.randn(1, 6, 2, generator=fresh())[0]
    log_x = model.likelihood(mu).log_prob(images.flatten(1)).sum(1).detach()
    expected = log_x + ((noise.square() + log_var - mu.square()) / 2).sum(1)
    torch.testing.assert_close(evaluate.log_likelihood(model, images, samples=1, seed=3), expected)


def test_a_person_who_waits_sees_how_many_codes_are_decoded(monkeypatch):
    class Bar(contextlib.nullcontext):
        def update(self, n):
            bars[-1][2] += n

    bars = []
    monkeypatch.setattr(bounds, "progress_bar", lambda total, unit: bars.append([total, unit, 0]) or Bar(Bar()))
    for batch_size in (3, 12, 1000):
        evaluate.log_likelihood(wrong(), drawn(7), samples=5, batch_size=batch_size)
    assert bars == [[35, "code", 35]] * 3


def test_a_dimension_that_never_moves_is_not_active_even_without_a_threshold():
    assert evaluate.active_units(Known([1.0, 0.0], [0.0, 0.0]), drawn(2), threshold=0) == 1


def test_the_mmd_compares_two_points_at_least_and_two_thousand_unless_told_otherwise(monkeypatch):
    model = Known([1.0, 2.0], [0.0, 0.0])
    assert math.isfinite(evaluate.aggregate_posterior(model, drawn(5), points=2).mmd)
    with pytest.raises(ValueError, match="got points=1, expected a whole number of at least 2"):
        evaluate.aggregate_posterior(model, drawn(5), points=1)
    seen = []
    monkeypatch.setattr(bounds, "mmd", lambda first, second: seen.append((len(first), len(second))) or 0.0)
    assert len(evaluate.aggregate_posterior(model, drawn(2003)).sample) == 2003
    assert seen == [(2000, 2000)]


def test_a_single_draw_has_no_baseline():
    with pytest.raises(ValueError, match="got draws=1, expected a whole number of at least 2"):
        evaluate.gradients(wrong(), drawn(1), draws=1)


def test_a_code_is_drawn_once_for_each_image_unless_told_otherwise():
    model, images = models.GumbelAutoencoder((784, 8), positions=2, codebook_size=3, seed=1), torch.zeros(3, 1, 28, 28)
    assert evaluate.categorical_elbo(model, images) == evaluate.elbo(model, images, draws=1, seed=0)
    assert evaluate.categorical_elbo(model, images) != evaluate.elbo(model, images, draws=2, seed=0)
    assert evaluate.elbo(wrong(), images[..., :2, :3]) == evaluate.elbo(wrong(), images[..., :2, :3], draws=1)


# What symbols cost


def test_codes_cost_the_surprise_of_each_position_under_counts_of_its_own():
    known, new = (torch.randint(4, (n, 3), generator=fresh(n)) for n in (11, 5))
    bits = 0.0
    for position in range(3):
        for symbol in new[:, position].tolist():
            bits -= math.log2(((known[:, position] == symbol).sum().item() + 0.5) / (11 + 4 * 0.5))
    assert evaluate.unigram_bits(known, new, 4) == pytest.approx(bits / 5)


@pytest.mark.parametrize("n", [1, 3, 2001])
def test_the_bits_of_codes_and_of_pixels_are_means_over_images(n):
    prior, codes = models.CodePrior(3, 8, hidden=5), torch.randint(8, (n, 3), generator=fresh(n))
    bits = -prior.log_prob(codes).double().mean().item() / math.log(2)
    assert evaluate.prior_bits(prior, codes) == pytest.approx(bits, rel=1e-5)
    if n < 2001:
        model = models.FSQ((784, 8), positions=3, levels=(4, 2))
        images = torch.bernoulli(torch.full((n, 1, 28, 28), 0.3), generator=fresh())
        bits = -model.likelihood(codes).log_prob(images.flatten(1)).double().sum(1).mean().item() / math.log(2)
        assert evaluate.pixel_bits(model, codes, images) == pytest.approx(bits, rel=1e-5)


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ([[0, 1]], r"got list, expected int64 symbols of shape \(N, 1\)"),
        (torch.tensor(3), r"got symbols of shape \(\), expected int64 symbols of shape \(N, 1\)"),
        (torch.tensor([0, 1, 2]), r"got symbols of shape \(3,\), .* symbols\[None\]"),
        (torch.zeros(2, 5, 3, dtype=torch.int64), r"got symbols of shape \(2, 5, 3\)"),
        (torch.tensor([[0.0, 1.0]]), "got symbols of dtype torch.float32"),
        (torch.tensor([[0, 4]]), "got symbols from 0 to 4"),
    ],
)
@pytest.mark.parametrize("measure", [evaluate.perplexity, evaluate.dead_share])
def test_what_are_no_symbols_has_no_perplexity(measure, symbols, message):
    with pytest.raises(ValueError, match=message):
        measure(symbols, 4)
