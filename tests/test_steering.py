"""Labels, several codes, drawn shapes and known factors: each idea of chapter 13 against what is known by hand."""

import math

import numpy as np
import pytest
import torch
from same_weights import equal, weights
from torch.distributions import Normal

from aecourse import checks, data, evaluate, models, training

LABELS = torch.tensor([0, 1, 2, 2, 1])
TINY = (1, 2, 3)


@pytest.fixture
def images():
    return torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def conditional(**settings):
    return models.ConditionalVAE((784, 20, 3), **{"classes": 3, **settings})


# The conditional VAE.


def test_a_conditional_vae_has_the_protocols_shapes_with_labels(images):
    model = conditional()
    q = model.encode(images, LABELS)
    assert q.mean.shape == q.stddev.shape == (5, 3)
    assert model.decode(q.mean, LABELS).shape == images.shape
    assert torch.equal(model(images, LABELS), model.decode(q.mean, LABELS))


def test_both_halves_of_a_conditional_vae_listen_to_the_label(images):
    model = conditional()
    other = (LABELS + 1) % 3
    z = torch.zeros(5, 3)
    assert (model.encode(images, LABELS).mean - model.encode(images, other).mean).abs().max() > 1e-3
    assert (model.decode(z, LABELS) - model.decode(z, other)).abs().max() > 1e-3


def test_the_label_stands_beside_the_values_as_a_single_one():
    rows = conditional().beside(torch.tensor([[5.0], [6.0]]), torch.tensor([2, 0]))
    assert rows.tolist() == [[5, 0, 0, 1], [6, 1, 0, 0]]


def test_the_conditional_loss_is_the_negative_elbo_given_the_label(images, monkeypatch):
    monkeypatch.setattr(torch, "randn_like", lambda like: torch.full_like(like, 0.7))
    model = conditional(beta=2.0)
    q = model.encode(images, LABELS)
    chance = model.decode(q.mean + 0.7 * q.stddev, LABELS).double()
    pixels = images.double()
    cost = -(pixels * chance.log() + (1 - pixels) * (1 - chance).log()).sum((1, 2, 3)).mean()
    kl = torch.distributions.kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean()
    terms = model.loss(images, LABELS)
    assert terms["reconstruction"].item() == pytest.approx(cost.item(), rel=1e-4)
    assert terms["kl"].item() == pytest.approx(kl.item(), rel=1e-4)
    assert terms["total"].item() == pytest.approx((cost + 2 * kl).item(), rel=1e-4)


def test_every_weight_of_a_conditional_vae_gets_a_gradient(images):
    model = conditional()
    model.loss(images, LABELS)["total"].backward()
    assert all(weight.grad.isfinite().all() and weight.grad.any() for weight in model.parameters())


def test_a_conditional_vae_leaves_the_label_out_of_its_code():
    """Two images, one for each label: nothing is left to say, so the code is empty and the order is obeyed."""
    pictures = torch.zeros(2, 1, 2, 3)
    pictures[0, ..., 0] = pictures[1, ..., 2] = 1
    labels = torch.arange(2).repeat(64)
    model = models.ConditionalVAE((6, 16, 2), classes=2, image_shape=TINY)
    plain = models.VAE((6, 16, 2), image_shape=TINY)
    rate = training.cosine(0.02)
    training.fit(model, (pictures[labels], labels), epochs=60, batch_size=32, lr=rate)
    training.fit(plain, pictures[labels], epochs=60, batch_size=32, lr=rate)
    z = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    for label in (0, 1):
        drawn = model.decode(z, torch.full((50,), label))
        assert (drawn - pictures[label]).abs().max() < 0.1
    given = training.mean_loss(model, (pictures[labels], labels))
    alone = training.mean_loss(plain, pictures[labels])
    assert given["kl"] < 0.05
    assert alone["kl"] == pytest.approx(math.log(2), abs=0.2)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2, 2, 1], "got list as labels.*torch.tensor"),
        (LABELS.float(), "dtype torch.float32.*int64"),
        (LABELS[:3], r"shape \(3,\).*5 rows"),
        (LABELS[0], r"shape \(\).*torch.full"),
        (LABELS + 1, "labels from 1 to 3.*from 0 to 2"),
        (LABELS - 1, "labels from -1 to 1.*from 0 to 2"),
    ],
)
def test_bad_labels_are_an_error_that_says_what_to_do(images, labels, message):
    model = conditional()
    for call in (model.encode, model, model.check):
        with pytest.raises(ValueError, match=message):
            call(images, labels)
    with pytest.raises(ValueError, match=message):
        model.decode(torch.zeros(5, 3), labels)


@pytest.mark.parametrize("settings", [{"classes": 0}, {"classes": 2.0}, {"beta": -1}, {"beta": math.inf}])
def test_settings_that_make_no_conditional_vae_are_an_error(settings):
    with pytest.raises(ValueError, match=r"got (classes|beta)="):
        conditional(**settings)


def test_a_conditional_vae_refuses_bad_images_and_codes(images):
    with pytest.raises(ValueError, match=r"divide by 255"):
        conditional().encode(images * 255, LABELS)
    with pytest.raises(ValueError, match="code has 3 numbers"):
        conditional().decode(torch.zeros(5, 4), LABELS)


def test_the_seed_and_nothing_else_fixes_a_conditional_vaes_weights():
    torch.manual_seed(1)
    first, state = conditional(seed=3), torch.get_rng_state()
    torch.manual_seed(2)
    assert equal(weights(first), weights(conditional(seed=3)))
    assert not equal(weights(first), weights(conditional(seed=4)))
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


# The importance-weighted autoencoder.


def test_the_iwae_loss_with_one_sample_is_the_vaes_with_the_kl_estimated_by_the_draw(images, monkeypatch):
    monkeypatch.setattr(torch, "randn_like", lambda like: torch.full_like(like, 0.7))
    images = images.round()
    model, vae = models.IWAE((784, 20, 3), samples=1), models.BinarizedVAE((784, 20, 3))
    q = vae.encode(images)
    z = q.mean + 0.7 * q.stddev
    drawn = (q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(1).mean()
    terms, theirs = model.loss(images), vae.loss(images)
    assert terms["reconstruction"].item() == pytest.approx(theirs["reconstruction"].item(), rel=1e-5)
    assert terms["kl"].item() == pytest.approx(theirs["kl"].item(), rel=1e-5)
    assert terms["total"].item() == pytest.approx((theirs["reconstruction"] + drawn).item(), rel=1e-5)


def test_the_iwae_loss_is_the_bound_that_log_likelihood_measures(images):
    images = images.round()
    model = models.IWAE((784, 20, 3), samples=50)
    with torch.no_grad():
        losses = [model.loss(images)["total"].item() for _ in range(200)]
    measured = -evaluate.log_likelihood(model, images.repeat(200, 1, 1, 1), samples=50).unflatten(0, (200, 5)).mean(1)
    noise = math.hypot(np.std(losses), measured.std().item()) / math.sqrt(200)
    assert np.mean(losses) == pytest.approx(measured.mean().item(), abs=5 * noise)


def test_more_samples_make_a_tighter_bound_of_the_same_terms(images):
    images = images.round()
    with torch.no_grad():
        few, many = (
            np.mean([models.IWAE((784, 20, 3), samples=k).loss(images)["total"].item() for _ in range(50)])
            for k in (1, 20)
        )
    assert many < few - 0.1


def test_the_iwae_gradient_weights_each_sample_with_its_normalised_weight(monkeypatch):
    """d bound = Σ w̃ⱼ d log wⱼ: with one pixel and a bias as the only parameter this can be done by hand."""
    model = models.IWAE((1, 1), samples=2, image_shape=(1, 1, 1))
    encoder, decoder = model.encoder[0], model.decoder[0]
    with torch.no_grad():
        for layer in (encoder, decoder):
            layer.weight.zero_()
            layer.bias.zero_()
        decoder.weight.fill_(1.0)
    monkeypatch.setattr(torch, "randn_like", lambda like: torch.tensor([[[1.0]], [[-2.0]]]))
    model.loss(torch.ones(1, 1, 1, 1))["total"].backward()
    chance = np.array([1 / (1 + math.exp(-1)), 1 / (1 + math.exp(2))])  # q is the prior, so w = p(x|z) = sigmoid(z)
    by_hand = -(chance * (1 - chance)).sum() / chance.sum()
    assert decoder.bias.grad.item() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("samples", [0, -1, 2.5, True])
def test_an_iwae_without_samples_is_an_error(samples):
    with pytest.raises(ValueError, match="got samples="):
        models.IWAE((784, 20, 3), samples=samples)


# Drawn shapes.


def test_all_combinations_of_the_factors_are_drawn_once():
    images, factors = data.all_shapes()
    count = math.prod(map(len, data.SHAPE_FACTORS.values()))
    assert images.shape == (count, 1, 28, 28)
    assert len(factors.unique(dim=0)) == count
    assert len(images.unique(dim=0)) == count
    assert checks.images(images) is images
    for column, values in zip(factors.T, data.SHAPE_FACTORS.values(), strict=True):
        assert column.unique().tolist() == sorted(values)


def test_no_shape_is_cut_off_by_the_edge_of_the_image():
    images, _ = data.all_shapes()
    for edge in (images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]):
        assert edge.max() < 0.15  # the faint end of a triangle's tip


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("angle", [0.0, 27.0, -45.0])
def test_a_shape_has_the_area_that_geometry_gives_it(kind, angle):
    size = 7.0
    area = {0: math.pi * size * size / 2, 1: 2 * size * size, 2: size * size}[kind]
    (drawn,) = evaluate.ink(data.draw_shapes(torch.tensor([[kind, size, angle, 0.0, 0.0]])))
    assert drawn == pytest.approx(area, rel=0.04)


def test_a_shape_moves_by_whole_pixels_when_it_is_told_to():
    start, moved = data.draw_shapes(torch.tensor([[2.0, 5, 27, 0, 0], [2, 5, 27, 3, 2]]))
    torch.testing.assert_close(moved, start.roll((-2, 3), (1, 2)), rtol=0, atol=1e-5)


def test_a_positive_angle_turns_against_the_clock():
    (right_up,) = data.draw_shapes(torch.tensor([[1.0, 7, 45, 0, 0]]))[:, 0]
    assert right_up[:14, 14:].sum() > 3 * right_up[14:, 14:].sum()


def test_a_triangle_points_to_the_right_when_it_is_not_turned():
    (triangle,) = data.draw_shapes(torch.tensor([[2.0, 7, 0, 0, 0]]))[:, 0]
    assert triangle[:, :14].sum() > 2.5 * triangle[:, 14:].sum()


def test_a_sample_is_fixed_by_its_seed_and_covers_the_values_evenly():
    images, factors = data.random_shapes(700, seed=1)
    again = data.random_shapes(700, seed=1)
    assert torch.equal(images, again[0])
    assert torch.equal(factors, again[1])
    assert not torch.equal(factors, data.random_shapes(700, seed=2)[1])
    assert factors[:, 0].unique(return_counts=True)[1].min() > 180
    assert torch.equal(images, data.draw_shapes(factors))


@pytest.mark.parametrize(
    "factors",
    [
        torch.zeros(5),
        torch.zeros(2, 4),
        torch.zeros(0, 5),
        [[0, 5, 0, 0, 0]],
        torch.tensor([[3.0, 5, 0, 0, 0]]),
        torch.tensor([[0.0, 0, 0, 0, 0]]),
        torch.tensor([[0.0, 5, math.nan, 0, 0]]),
    ],
)
def test_factors_that_can_not_be_drawn_are_an_error(factors):
    with pytest.raises(ValueError, match=r"got .*(factors|FACTORS)"):
        data.draw_shapes(factors)


@pytest.mark.parametrize("n", [0, -3, 2.0, True])
def test_a_sample_of_no_shapes_is_an_error(n):
    with pytest.raises(ValueError, match="got n="):
        data.random_shapes(n)


# Known factors, and what a code tells of them.

GRID = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))


def test_a_code_that_is_the_factors_tells_all_of_each_and_has_gap_one():
    torch.testing.assert_close(evaluate.factor_information(GRID, GRID), torch.eye(2))
    assert evaluate.mutual_information_gap(GRID, GRID) == pytest.approx(1)


def test_scale_direction_and_shape_of_a_number_do_not_matter():
    bent = torch.stack([-1000 * GRID[:, 0], GRID[:, 1].exp()], 1)
    torch.testing.assert_close(evaluate.factor_information(bent, GRID), torch.eye(2))


def test_a_code_turned_by_an_eighth_has_no_gap_although_nothing_is_lost():
    turned = torch.stack([GRID.sum(1), GRID[:, 0] - GRID[:, 1]], 1)
    shares = evaluate.factor_information(turned, GRID)
    by_hand = (shares[0, 0]).item()  # I(a + b; a) / log 4, the same for all four by symmetry
    sums = np.array([1, 2, 3, 4, 3, 2, 1]) / 16
    assert by_hand == pytest.approx((-(sums * np.log(sums)).sum() - math.log(4)) / math.log(4), abs=1e-6)
    torch.testing.assert_close(shares, torch.full((2, 2), by_hand))
    assert evaluate.mutual_information_gap(turned, GRID) == pytest.approx(0, abs=1e-6)


def test_a_number_is_cut_into_groups_of_equally_many_images_whatever_its_scale():
    """Against shares counted in NumPy from the ranks: most numbers lie close to 0, where equal widths would see one."""
    random = torch.Generator().manual_seed(1)
    codes = torch.randn(1000, 1, generator=random).mul(3).exp()
    factors = ((codes[:, 0].log() + torch.randn(1000, generator=random)) > 0).float()[:, None]
    groups = np.empty(1000, dtype=int)
    groups[codes[:, 0].numpy().argsort()] = np.arange(1000) // 50  # 20 groups of 50
    joint = np.histogram2d(groups, factors[:, 0].numpy(), (20, 2))[0] / 1000
    apart = np.outer(joint.sum(1), joint.sum(0))
    known = (joint[joint > 0] * np.log(joint[joint > 0] / apart[joint > 0])).sum()
    entropy = -(joint.sum(0) * np.log(joint.sum(0))).sum()
    assert evaluate.factor_information(codes, factors).item() == pytest.approx(known / entropy, abs=1e-6)
    assert known / entropy > 0.3
    few = np.histogram2d(groups // 5, factors[:, 0].numpy(), (4, 2))[0] / 1000
    known = (few * np.log(few / np.outer(few.sum(1), few.sum(0)))).sum()
    assert evaluate.factor_information(codes, factors, bins=4).item() == pytest.approx(known / entropy, abs=1e-6)


def test_noise_tells_next_to_nothing_and_a_copy_of_a_number_closes_the_gap():
    random = torch.Generator().manual_seed(0)
    factors = torch.randint(4, (4000, 1), generator=random).float()
    noise = torch.randn(4000, 1, generator=random)
    assert evaluate.factor_information(noise, factors).item() < 0.02
    assert evaluate.mutual_information_gap(torch.cat([factors, noise], 1), factors) > 0.98
    assert evaluate.mutual_information_gap(torch.cat([factors, factors], 1), factors) == 0


def test_the_gap_is_that_of_as_many_groups_as_asked_for():
    random = torch.Generator().manual_seed(2)
    factors = torch.randint(3, (500, 2), generator=random).float()
    codes = factors @ torch.tensor([[1.0, 0.3], [0.1, 1.0]]) + 0.5 * torch.randn(500, 2, generator=random)
    for bins in (2, 7, 20):
        shares = evaluate.factor_information(codes, factors, bins=bins)
        gap = (shares.max(0).values - shares.min(0).values).mean().item()
        assert evaluate.mutual_information_gap(codes, factors, bins=bins) == pytest.approx(gap)
    assert evaluate.mutual_information_gap(codes, factors) == pytest.approx(gap)
    for measure in (evaluate.factor_information, evaluate.mutual_information_gap):
        with pytest.raises(ValueError, match="got bins=1, expected a whole number of at least 2"):
            measure(codes, factors, bins=1)


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (GRID[:, 0], GRID, r"codes of shape \(16,\)"),
        (GRID[:9], GRID, "the same N"),
        (GRID, torch.ones(16, 1), "only one value"),
        (GRID[:, :1], GRID, "a gap needs a second best"),
    ],
)
def test_codes_and_factors_that_do_not_fit_are_an_error(codes, factors, message):
    with pytest.raises(ValueError, match=message):
        evaluate.mutual_information_gap(codes, factors)


def test_ink_counts_the_grey_levels():
    assert evaluate.ink(torch.full((2, 1, 28, 28), 0.5)).tolist() == [392, 392]


def test_the_slant_of_a_drawn_line_is_its_slope_and_does_not_depend_on_its_place():
    picture = torch.zeros(2, 1, 28, 28)
    for up in range(8):
        picture[0, 0, 20 - up, 5 + up] = 1  # one pixel to the right for each upwards
        picture[1, 0, 20 - 2 * up, 20 - up] = 1  # half a pixel to the left
    torch.testing.assert_close(evaluate.slant(picture), torch.tensor([1.0, -0.5]))


def test_an_upright_bar_and_an_empty_image_have_no_slant():
    picture = torch.zeros(2, 1, 28, 28)
    picture[0, 0, 3:25, 12:15] = 1
    torch.testing.assert_close(evaluate.slant(picture), torch.zeros(2), rtol=0, atol=1e-5)


def test_series_that_move_together_agree_whatever_their_level():
    series = torch.tensor([[1.0, 10, -3], [2, 20, -1], [4, 40, 3]])
    assert evaluate.agreement(series) == pytest.approx(1)
    assert evaluate.agreement(torch.stack([series[:, 0], -series[:, 0]], 1)) == pytest.approx(-1)


@pytest.mark.parametrize("values", [torch.ones(5), torch.rand(2, 3), torch.rand(5, 1), torch.ones(5, 2)])
def test_series_that_can_not_be_compared_are_an_error(values):
    with pytest.raises(ValueError, match="got "):
        evaluate.agreement(values)


@pytest.mark.parametrize("measure", [evaluate.ink, evaluate.slant])
def test_what_weighs_white_strokes_refuses_grey_levels_up_to_255(measure):
    with pytest.raises(ValueError, match="divide by 255"):
        measure(torch.full((2, 1, 4, 4), 200.0))


def test_a_pixel_is_white_by_how_far_its_centre_lies_inside_the_edge():
    """The distance from an ellipse is (r − 1) / |∇r| for its radius r, from a line that along its normal."""
    random = np.random.default_rng(0)
    for kind, size, angle, right, up in zip(
        [0, 1, 2] * 5,
        random.uniform(0.6, 9, 15),
        random.uniform(-180, 180, 15),
        *random.uniform(-4, 4, (2, 15)),
        strict=True,
    ):
        places = np.stack(np.meshgrid(np.arange(28) - 13.5 - right, 13.5 - np.arange(28) - up), -1)
        turn = math.radians(angle)
        x, y = (places @ [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]).transpose(2, 0, 1)
        if kind == 0:
            radius = np.sqrt((x / size) ** 2 + (2 * y / size) ** 2)
            outside = (radius - 1) / (np.sqrt((x / size**2) ** 2 + (4 * y / size**2) ** 2) / radius)
        elif kind == 1:
            outside = np.max([x - size, -x - size, y - size / 2, -y - size / 2], 0)
        else:  # its corners lie at (size, 0) and (−size, ±size / 2)
            along, across = np.array([0.5, 2]) / math.hypot(0.5, 2)
            outside = np.max([along * (x - size) + across * y, along * (x - size) - across * y, -x - size], 0)
        image = data.draw_shapes(torch.tensor([[kind, size, angle, right, up]]))[0, 0]
        np.testing.assert_allclose(image.numpy(), (0.5 - outside).clip(0, 1), atol=1e-4)


def test_an_ellipse_whose_middle_is_a_pixels_centre_has_no_hole():
    (image,) = data.draw_shapes(torch.tensor([[0.0, 5, 20, 0.5, 0.5]]))[0]
    assert image[13, 14] == 1
    assert (image[12:15, 13:16] == 1).all()


def test_a_shape_may_be_smaller_than_a_pixel_and_one_bad_row_spoils_a_table():
    images = data.draw_shapes(torch.tensor([[kind, 0.5, 0.0, 0.5, 0.5] for kind in (0.0, 1.0, 2.0)]))
    assert (images.amax((1, 2, 3)) > 0).all()
    for bad in ([3.0, 5, 0, 0, 0], [0, 0, 0, 0, 0], [1, 5, math.inf, 0, 0]):
        with pytest.raises(ValueError, match="got a kind that is not 0, 1 or 2, or a size of 0 or less, or NaN"):
            data.draw_shapes(torch.tensor([[1.0, 5, 0, 0, 0], bad]))


@pytest.mark.parametrize(
    ("factors", "came"),
    [([[0, 5, 0, 0, 0]], "list"), (torch.zeros(2, 4), r"shape \(2, 4\)"), (torch.zeros(1, 5, 5), r"shape \(1, 5, 5\)")],
)
def test_what_came_instead_of_factors_is_named(factors, came):
    with pytest.raises(ValueError, match=rf"got {came}, expected a table \(N, 5\) of kind, size, angle, x, y"):
        data.draw_shapes(factors)


def test_the_values_of_a_factor_lie_evenly_and_no_angle_is_more_than_an_eighth_turn():
    for values in data.SHAPE_FACTORS.values():
        assert len(set(np.diff(values))) == 1
        assert values[1] > values[0]
    for name, furthest in (("angle", 45), ("x", 4), ("y", 4)):
        assert (data.SHAPE_FACTORS[name][0], data.SHAPE_FACTORS[name][-1]) == (-furthest, furthest)
    assert data.SHAPE_FACTORS["kind"] == (0, 1, 2)
