"""Every measure against brute force, scikit-learn, NumPy or a case whose answer is known."""

import itertools
import math
import re

import fingerprint
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from aecourse import evaluate, models


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def images(random):
    return torch.rand(40, 1, 5, 5, generator=random)


def test_encode_decode_and_reconstruct_equal_the_model_whatever_the_batch_size(images):
    model = models.LinearAutoencoder(3, image_shape=(1, 5, 5))
    codes = evaluate.encode(model, images, batch_size=7)
    torch.testing.assert_close(codes, model.encode(images).detach())
    torch.testing.assert_close(evaluate.decode(model, codes, batch_size=7), model.decode(codes).detach())
    torch.testing.assert_close(evaluate.reconstruct(model, images), model(images).detach())
    assert not codes.requires_grad


def test_the_codes_of_a_vae_are_the_means_of_its_posteriors_without_noise(images):
    model = models.VAE((25, 8, 3), image_shape=(1, 5, 5))
    codes = evaluate.encode(model, images, batch_size=7)
    torch.testing.assert_close(codes, model.encode(images).mean.detach())
    assert torch.equal(codes, evaluate.encode(model, images, batch_size=7))
    torch.testing.assert_close(evaluate.reconstruct(model, images), model(images).detach())


NO_IMAGES = {
    "a list": (lambda images: list(images), "got list, expected a tensor"),
    "NumPy": (lambda images: images.numpy(), "got ndarray, expected a tensor"),
    "none": (lambda images: images[:0], "got no images"),
    "flattened": (lambda images: images.flatten(1), r"got images of shape \(40, 25\)"),
    "0 to 255": (lambda images: images * 255, "divide by 255"),
    "NaN": (lambda images: images / 0 * 0, "got NaN pixels in 40 of 40 images"),
}


@pytest.mark.parametrize("bad", NO_IMAGES)
@pytest.mark.parametrize("measure", [evaluate.encode, evaluate.reconstruct])
def test_what_are_no_images_cannot_be_encoded(images, measure, bad):
    spoil, message = NO_IMAGES[bad]
    with pytest.raises(ValueError, match=message):
        measure(models.LinearAutoencoder(3, image_shape=(1, 5, 5)), spoil(images))


@pytest.mark.parametrize("batch_size", [0, -5, 2.5, True])
def test_a_batch_size_that_is_no_whole_number_above_0_is_an_error(images, batch_size):
    model = models.LinearAutoencoder(3, image_shape=(1, 5, 5))
    with pytest.raises(ValueError, match=f"got batch_size={batch_size}, expected a whole number of at least 1"):
        evaluate.encode(model, images, batch_size=batch_size)
    with pytest.raises(ValueError, match="got batch_size="):
        evaluate.decode(model, torch.zeros(4, 3), batch_size=batch_size)


def test_squared_errors_equal_hand_calculation():
    images = torch.tensor([[[[0.0, 1.0]]], [[[0.5, 0.5]]]])
    reconstructions = torch.tensor([[[[0.5, 1.0]]], [[[0.0, 1.0]]]])
    assert evaluate.squared_errors(images, reconstructions).tolist() == [0.25, 0.5]


def test_squared_errors_of_shapes_that_differ_are_an_error(images):
    with pytest.raises(ValueError, match=r"got images and reconstructions of shape \(40, 1, 5, 5\) and \(40, 25\)"):
        evaluate.squared_errors(images, images.flatten(1))


@pytest.mark.parametrize("components", [1, 4, 10])
def test_principal_equals_scikit_learns_inverse_transform(images, components):
    principal = evaluate.Principal(images, 10)
    pca = PCA(components, svd_solver="full").fit(images.flatten(1).double().numpy())
    expected = pca.inverse_transform(pca.transform(images.flatten(1).double().numpy()))
    rebuilt = principal.decode(principal.encode(images, components))
    np.testing.assert_allclose(rebuilt.flatten(1).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("components", [1, 4, 10])
def test_the_error_of_principal_is_the_sum_of_the_squared_singular_values_left_out(images, components):
    flat = images.flatten(1).double().numpy()
    singular = np.linalg.svd(flat - flat.mean(0), compute_uv=False)
    expected = (singular[components:] ** 2).sum() / len(flat)
    assert evaluate.Principal(images, 10).squared_error(images, components) == pytest.approx(expected, rel=1e-4)


def test_the_directions_of_principal_are_those_of_the_singular_value_decomposition(images):
    flat = images.flatten(1).double().numpy()
    directions = np.linalg.svd(flat - flat.mean(0))[2][:6]
    found = evaluate.Principal(images, 6).directions.double().numpy()
    np.testing.assert_allclose(np.abs(found @ directions.T), np.eye(6), atol=1e-3)


def test_principal_without_a_coefficient_is_the_mean_image(images):
    principal = evaluate.Principal(images, 6)
    rebuilt = principal.decode(principal.encode(images, 0))
    torch.testing.assert_close(rebuilt, images.mean(0).expand_as(images))


def test_principal_refuses_what_are_no_images(images):
    with pytest.raises(ValueError, match="divide by 255"):
        evaluate.Principal(images * 255, 3)


def test_asking_principal_for_more_components_than_it_kept_is_an_error(images):
    principal = evaluate.Principal(images, 6)
    with pytest.raises(ValueError, match="7"):
        principal.squared_error(images, 7)


def test_a_subspace_makes_no_angle_with_itself_whatever_spans_it(random):
    span = torch.randn(3, 8, generator=random, dtype=torch.float64)
    mixed = torch.randn(3, 3, generator=random, dtype=torch.float64) @ span
    assert evaluate.principal_angles(span, mixed).tolist() == pytest.approx([0] * 3, abs=1e-5)


def test_orthogonal_subspaces_make_right_angles():
    axes = torch.eye(5)
    assert evaluate.principal_angles(axes[:2], axes[2:4]).tolist() == pytest.approx([90, 90])


def test_the_angle_of_a_known_rotation_is_found_and_the_largest_comes_first():
    axes = torch.eye(4, dtype=torch.float64)
    turned = torch.stack(
        [
            math.cos(math.radians(20)) * axes[0] + math.sin(math.radians(20)) * axes[2],
            math.cos(math.radians(65)) * axes[1] + math.sin(math.radians(65)) * axes[3],
        ]
    )
    assert evaluate.principal_angles(axes[:2], turned).tolist() == pytest.approx([65, 20])


def test_principal_angles_take_weights_that_require_gradients():
    weights = torch.nn.Linear(4, 2).weight
    assert evaluate.principal_angles(weights, weights).max() < 0.1


@given(st.lists(st.tuples(*[st.floats(0, 2 * math.pi)] * 2), min_size=4, max_size=9))
def test_circular_correlation_equals_the_sums_over_all_pairs(points):
    first, second = zip(*points, strict=True)
    sines = [(math.sin(a - c), math.sin(b - d)) for (a, b), (c, d) in itertools.combinations(points, 2)]
    spread = sum(s * s for s, _ in sines) * sum(t * t for _, t in sines)
    assume(spread > 1e-3)  # angles that nearly coincide have no correlation to speak of
    expected = sum(s * t for s, t in sines) / math.sqrt(spread)
    measured = evaluate.circular_correlation(*(torch.tensor(angles, dtype=torch.float64) for angles in (first, second)))
    assert measured == pytest.approx(expected, abs=1e-6)


def test_circular_correlation_of_turned_angles_is_one_and_of_reversed_ones_minus_one(random):
    first = torch.rand(50, generator=random, dtype=torch.float64) * 2 * math.pi
    assert evaluate.circular_correlation(first, first + 1.2) == pytest.approx(1)
    assert evaluate.circular_correlation(first, 1.2 - first) == pytest.approx(-1)
    evenly = torch.arange(36) * 2 * math.pi / 36
    assert evaluate.circular_correlation(evenly, (evenly + 1.2) % (2 * math.pi)) == pytest.approx(1)


def test_circular_correlation_with_equal_angles_is_an_error(random):
    with pytest.raises(ValueError, match="expected angles that vary"):
        evaluate.circular_correlation(torch.full((5,), 0.3), torch.rand(5, generator=random))


def test_polar_angle_is_seen_from_the_mean_and_counts_counter_clockwise():
    square = torch.tensor([[2.0, 1.0], [1.0, 2.0], [0.0, 1.0], [1.0, 0.0]])
    assert torch.rad2deg(evaluate.polar_angle(square)).tolist() == pytest.approx([0, 90, 180, -90])


def test_neighbour_turn_is_the_short_way_round_to_the_nearest_other_point():
    points = torch.tensor([[0.0], [1.0], [10.0], [10.5]])
    turns = evaluate.neighbour_turn(points, torch.tensor([350.0, 10.0, 0.0, 180.0]))
    assert turns.tolist() == pytest.approx([20, 20, 180, 180])


def test_circular_correlation_of_unrelated_angles_is_near_zero(random):
    first, second = torch.rand(2, 4000, generator=random) * 2 * math.pi
    assert abs(evaluate.circular_correlation(first, second)) < 0.05


def test_nearest_distance_equals_brute_force(random):
    points, references = torch.rand(12, 1, 3, 3, generator=random), torch.rand(20, 1, 3, 3, generator=random)
    expected = [min(math.dist(p, r) for r in references.flatten(1).tolist()) for p in points.flatten(1).tolist()]
    assert evaluate.nearest_distance(points, references).tolist() == pytest.approx(expected, rel=1e-5)


def test_a_point_among_the_references_is_at_distance_zero(random):
    references = torch.rand(20, 9, generator=random)
    assert evaluate.nearest_distance(references[3:6], references).tolist() == pytest.approx([0] * 3, abs=1e-6)


def _embedded(points, dimensions=50):
    """Turn points into a space of more dimensions, which changes no distance."""
    random = np.random.default_rng(1)
    basis = np.linalg.qr(random.normal(size=(dimensions, points.shape[1])))[0]
    return torch.from_numpy(points @ basis.T + 3).float()


def test_the_intrinsic_dimension_of_a_plane_in_50_dimensions_is_two():
    plane = np.random.default_rng(0).uniform(size=(1500, 2))
    assert evaluate.intrinsic_dimension(_embedded(plane)) == pytest.approx(2, rel=0.1)


def test_the_intrinsic_dimension_of_a_five_dimensional_ball_is_five():
    random = np.random.default_rng(0)
    directions = random.normal(size=(3000, 5))
    ball = directions / np.linalg.norm(directions, axis=1, keepdims=True) * random.uniform(size=(3000, 1)) ** (1 / 5)
    assert evaluate.intrinsic_dimension(_embedded(ball), neighbours=10) == pytest.approx(5, rel=0.1)


def test_the_intrinsic_dimension_equals_the_formula_point_by_point(random):
    points = torch.rand(30, 3, generator=random, dtype=torch.float64)
    logs = []
    for i, point in enumerate(points.tolist()):
        others = sorted(math.dist(point, other) for j, other in enumerate(points.tolist()) if j != i)[:6]
        logs += [math.log(others[-1] / distance) for distance in others[:-1]]
    expected = len(logs) / sum(logs)
    assert evaluate.intrinsic_dimension(points, neighbours=6) == pytest.approx(expected)


def test_the_intrinsic_dimension_does_not_depend_on_the_unit(random):
    points = torch.rand(100, 3, generator=random, dtype=torch.float64)
    assert evaluate.intrinsic_dimension(points * 1000) == pytest.approx(evaluate.intrinsic_dimension(points))


def test_too_few_points_have_no_intrinsic_dimension():
    with pytest.raises(ValueError, match="got 20 points, expected more than 20"):
        evaluate.intrinsic_dimension(torch.rand(20, 3))


@pytest.mark.parametrize("dimensions", [1, 3, 784])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_points_that_coincide_have_no_intrinsic_dimension(random, dimensions, dtype):
    points = torch.rand(60, dimensions, generator=random, dtype=dtype)
    points[1] = points[0]
    with pytest.raises(ValueError, match=r"coincide.*torch\.unique"):
        evaluate.intrinsic_dimension(points)


@given(*[st.lists(st.integers(0, 8), min_size=1, max_size=12)] * 2)
def test_roc_auc_is_the_share_of_pairs_in_the_right_order_with_ties_counting_half(normal, anomalous):
    pairs = list(itertools.product(normal, anomalous))
    expected = sum((a > n) + 0.5 * (a == n) for n, a in pairs) / len(pairs)
    measured = evaluate.roc_auc(torch.tensor(normal).float(), torch.tensor(anomalous).float())
    assert measured == pytest.approx(expected)


def _blobs(random, count=60, distance=10.0):
    labels = torch.arange(3).repeat_interleave(count)
    return torch.randn(len(labels), 4, generator=random) + distance * torch.eye(4)[labels], labels


def test_knn_labels_separate_blobs_rightly_and_shuffled_ones_by_chance(random):
    points, labels = _blobs(random)
    assert evaluate.knn_accuracy(points, labels) == 1
    shuffled = labels[torch.randperm(len(labels), generator=random)]
    assert evaluate.knn_accuracy(points, shuffled) == pytest.approx(1 / 3, abs=0.15)


def test_knn_accuracy_counts_votes_as_brute_force_does(random):
    points, labels = _blobs(random, count=20, distance=1.5)
    order = torch.randperm(60, generator=random)
    points, labels = points[order], labels[order]
    # With as many folds as a class has points, each fold holds the next one of every class.
    measured = evaluate.knn_accuracy(points, labels, neighbours=1, folds=20)
    members = [torch.where(labels == label)[0] for label in range(3)]
    right = 0
    for fold in range(20):
        left_out = torch.stack([own[fold] for own in members])
        kept = [i for i in range(60) if i not in left_out]
        for i in left_out.tolist():
            nearest = min(kept, key=lambda j: math.dist(points[i].tolist(), points[j].tolist()))
            right += int(labels[nearest] == labels[i])
    assert measured == pytest.approx(right / 60)


def test_a_probe_separates_blobs_and_gives_the_same_accuracy_every_time(random):
    train, test = _blobs(random, distance=3.0), _blobs(random, distance=3.0)
    first, again = (evaluate.probe_accuracy(*train, *test, per_class=5, seed=2) for _ in range(2))
    assert first == again
    assert first > 0.7


def test_a_probe_with_more_labels_than_a_class_has_is_an_error(random):
    points, labels = _blobs(random)
    with pytest.raises(ValueError, match="got per_class=61, but class 0 has only 60 points"):
        evaluate.probe_accuracy(points, labels, points, labels, per_class=61)


def test_a_probe_does_not_care_about_units(random):
    (train, labels), (test, test_labels) = _blobs(random, distance=2.0), _blobs(random, distance=2.0)
    units = torch.tensor([1e-3, 1.0, 50.0, 7.0])
    plain = evaluate.probe_accuracy(train, labels, test, test_labels, per_class=10)
    scaled = evaluate.probe_accuracy(train * units, labels, test * units, test_labels, per_class=10)
    assert scaled == pytest.approx(plain, abs=0.01)


def test_a_probe_of_few_labels_depends_on_which_the_seed_chooses(random):
    points, labels = _blobs(random, distance=3.0)
    accuracies = {evaluate.probe_accuracy(points, labels, points, labels, per_class=1, seed=seed) for seed in range(8)}
    assert len(accuracies) > 1


def test_a_probe_sees_exactly_per_class_points_of_each_class(random, monkeypatch):
    points, labels = _blobs(random)
    seen = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda self, x, y: (seen.extend(y.tolist()), fit(self, x, y))[1])
    evaluate.probe_accuracy(points, labels, points, labels, per_class=7)
    assert sorted(seen) == [0] * 7 + [1] * 7 + [2] * 7


def test_a_tuned_probe_holds_out_each_third_and_is_then_fitted_to_all_labelled_points(random, monkeypatch):
    (train, labels), test = _blobs(random, distance=1.0), _blobs(random, distance=1.0)
    seen = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, x, y: (seen.append((self.C, len(y))), fit(self, x, y))[1]
    )
    evaluate.tuned_probe_accuracy(train, labels, *test)
    *parts, (_, last) = seen
    assert last == len(labels)
    assert {size for _, size in parts} == {len(labels) * 2 // 3}
    assert len({C for C, _ in parts}) * 3 == len(parts) > 3


def test_a_tuned_probe_chooses_a_strong_penalty_where_labels_are_noise_and_a_weak_one_where_they_are_clear(
    random, monkeypatch
):
    points, labels = _blobs(random, distance=20.0)
    chosen = {}
    fit = LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda self, x, y: (chosen.update(C=self.C), fit(self, x, y))[1])
    evaluate.tuned_probe_accuracy(points, labels, points, labels)
    clear = chosen["C"]
    evaluate.tuned_probe_accuracy(points, labels[torch.randperm(len(labels), generator=random)], points, labels)
    assert chosen["C"] < clear


def test_a_tuned_probe_does_not_care_about_the_unit_and_learns_nothing_from_constants(random):
    (train, labels), (test, test_labels) = _blobs(random, distance=2.0), _blobs(random, distance=2.0)
    plain = evaluate.tuned_probe_accuracy(train, labels, test, test_labels)
    assert plain > 0.7
    assert evaluate.tuned_probe_accuracy(train * 1000 + 5, labels, test * 1000 + 5, test_labels) == pytest.approx(
        plain, abs=0.01
    )
    assert evaluate.tuned_probe_accuracy(0 * train, labels, 0 * test, test_labels) == pytest.approx(1 / 3)


def test_a_tuned_probe_needs_three_labelled_points_of_each_class(random):
    points, labels = _blobs(random)
    few = (labels == 0) | (torch.arange(len(labels)) >= len(labels) - 2)
    with pytest.raises(ValueError, match="got 2 labelled points of class 2, expected at least 3"):
        evaluate.tuned_probe_accuracy(points[few], labels[few], points, labels)


# Labels beside the images, and models of another kind


@pytest.fixture
def conditional():
    return models.ConditionalVAE((25, 8, 3), classes=4, image_shape=(1, 5, 5))


def test_a_conditional_model_is_measured_with_labels_beside_the_images_whatever_the_batch_size(images, conditional):
    labels = torch.arange(40) % 4
    codes = evaluate.encode(conditional, images, labels=labels, batch_size=7)
    torch.testing.assert_close(codes, conditional.encode(images, labels).mean.detach())
    drawn = evaluate.decode(conditional, codes, labels=labels, batch_size=7)
    torch.testing.assert_close(drawn, conditional.decode(codes, labels).detach())
    torch.testing.assert_close(evaluate.reconstruct(conditional, images, labels=labels), drawn)
    other = evaluate.reconstruct(conditional, images, labels=(labels + 1) % 4)
    assert (other - drawn).abs().max() > 1e-3


def test_labels_that_are_missing_or_not_wanted_or_too_few_are_an_error_that_says_so(images, conditional):
    plain = models.LinearAutoencoder(3, image_shape=(1, 5, 5))
    for measure in (evaluate.encode, evaluate.reconstruct):
        with pytest.raises(ValueError, match=r"got no labels, but a ConditionalVAE .* pass labels="):
            measure(conditional, images)
        with pytest.raises(ValueError, match="got labels, but a LinearAutoencoder takes none"):
            measure(plain, images, labels=torch.zeros(40, dtype=torch.int64))
        with pytest.raises(ValueError, match="got 40 and 39 rows, expected as many of each"):
            measure(conditional, images, labels=torch.zeros(39, dtype=torch.int64))
    with pytest.raises(ValueError, match="got no labels"):
        evaluate.decode(conditional, torch.zeros(40, 3))


def test_what_neither_encodes_nor_decodes_is_an_error_that_says_so(images):
    with pytest.raises(ValueError, match="got a UNet, expected a model with a method 'encode'"):
        evaluate.encode(models.UNet((2, 3), image_shape=(1, 5, 5)), images)
    with pytest.raises(ValueError, match="got a UNet, expected a model with a method 'decode'"):
        evaluate.decode(models.UNet((2, 3), image_shape=(1, 5, 5)), torch.zeros(3, 2))


# What the errors of images refuse


NO_GREY = {
    "uint8": (lambda x: (255 * x).to(torch.uint8), r"dtype torch.uint8, expected finite floating-point .* / 255"),
    "0 to 255": (lambda x: (255 * x).round(), r"from 0 to 255, expected grey levels from 0 to 1; divide by 255"),
    "NaN": (lambda x: x / 0 * 0, "with NaN or infinity"),
    "none": (lambda x: x[:0], "of shape"),
    "NumPy": (lambda x: x.numpy(), "got ndarray"),
}
ERRORS = {
    "squared_errors": evaluate.squared_errors,
    "psnr": evaluate.psnr,
    "hidden_errors": lambda x, y: evaluate.hidden_errors(x, y, evaluate.visible_places(6, 4, 2)),
    "linear_map": lambda x, y: evaluate.linear_map(x, y, x),
}


@pytest.mark.parametrize("bad", NO_GREY)
@pytest.mark.parametrize("measure", ERRORS)
def test_an_error_of_what_are_no_grey_levels_is_refused_and_never_a_wrong_number(measure, bad, random):
    spoil, message = NO_GREY[bad]
    good = torch.rand(6, 1, 8, 8, generator=random)
    good[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    for pair in ((spoil(good), spoil(good)), *([] if bad == "none" else [(good, spoil(good)), (spoil(good), good)])):
        with pytest.raises(ValueError, match=message):
            ERRORS[measure](*pair)


def test_a_black_and_a_white_image_of_bytes_differ_by_no_number_at_all():
    black, white = torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.full((2, 1, 2, 2), 255, dtype=torch.uint8)
    with pytest.raises(ValueError, match="uint8"):  # 255² wraps round to 1
        evaluate.squared_errors(black, white)


def test_a_linear_reconstruction_may_leave_the_scale_a_little(images):
    rebuilt = 3 * images - 0.5
    expected = (images - rebuilt).square().sum((1, 2, 3))
    torch.testing.assert_close(evaluate.squared_errors(images, rebuilt), expected)
    assert math.isfinite(evaluate.psnr(images, rebuilt))


def test_psnr_and_squared_errors_are_one_error(images):
    rebuilt = images.flip(0)
    mean = evaluate.squared_errors(images, rebuilt).double().mean().item() / 25
    assert evaluate.psnr(images, rebuilt) == pytest.approx(-10 * math.log10(mean), rel=1e-6)


# Colours


def test_errors_and_filters_of_colour_images_are_those_of_their_channels(random):
    colour, rebuilt = torch.rand(2, 5, 3, 8, 8, generator=random)
    channels = [(colour[:, c : c + 1], rebuilt[:, c : c + 1]) for c in range(3)]
    by_channel = sum(evaluate.squared_errors(*pair) for pair in channels)
    torch.testing.assert_close(evaluate.squared_errors(colour, rebuilt), by_channel)
    visible = evaluate.visible_places(5, 4, 2)
    by_channel = sum(evaluate.hidden_errors(*pair, visible) for pair in channels)
    torch.testing.assert_close(evaluate.hidden_errors(colour, rebuilt, visible), by_channel)
    for change in (
        lambda x: evaluate.median_filter(x, 3),
        lambda x: evaluate.gaussian_blur(x, 1.0),
        lambda x: evaluate.shift(x, 1, -2),
    ):
        assert torch.equal(change(colour), torch.cat([change(channel) for channel, _ in channels], 1))
    assert evaluate.checkerboard(colour).shape == (5,)
    assert evaluate.Principal(colour, 3).decode(torch.zeros(1, 3)).shape == (1, 3, 8, 8)
    assert evaluate.linear_map(colour, rebuilt[:, :1], colour).shape == (5, 1, 8, 8)
    assert evaluate.nearest_distance(colour, colour).max() < 1e-3


@pytest.mark.parametrize("measure", [evaluate.ink, evaluate.slant])
def test_strokes_are_measured_at_any_size_and_colours_refused_with_the_reason(measure, random):
    grey = torch.rand(2, 1, 9, 12, generator=random)
    padded = torch.nn.functional.pad(grey, (8, 8, 8, 11))
    torch.testing.assert_close(measure(grey), measure(padded), rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match=r"got images of shape \(2, 3, 9, 12\).* colours have no such weight.*mean\(1"):
        measure(grey.expand(2, 3, 9, 12))


# PCA of few or large images


def test_the_components_of_images_with_more_pixels_than_the_covariance_is_good_for_come_from_the_images(random):
    """The eigenvectors of a covariance of 1,452 pixels take minutes; it has 12 directions at most."""
    wide = torch.rand(12, 3, 22, 22, generator=random)
    principal = evaluate.Principal(wide, 5)
    assert principal.pca.svd_solver == "full"
    flat = wide.flatten(1).double().numpy()
    directions = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:5]
    np.testing.assert_allclose(np.abs(principal.directions.numpy() @ directions.T), np.eye(5), atol=1e-3)
    digits = torch.rand(12, 1, 28, 28, generator=random)
    assert evaluate.Principal(digits, 5).pca.svd_solver == "covariance_eigh"


def test_there_are_never_more_components_than_images_or_pixels(images):
    assert evaluate.Principal(images).directions.shape == (25, 25)
    few = evaluate.Principal(images[:7])
    assert few.directions.shape == (7, 25)
    assert few.squared_error(images[:7], 7) == pytest.approx(0, abs=1e-4)
    with pytest.raises(ValueError, match="got components=0"):
        evaluate.Principal(images, 0)


@pytest.mark.parametrize("components", [-1, 7, 2.0, True])
def test_coefficients_that_principal_has_not_are_an_error(images, components):
    principal = evaluate.Principal(images, 6)
    with pytest.raises(ValueError, match=f"got components={components}, expected a whole number from 0 to 6"):
        principal.encode(images, components)
    with pytest.raises(ValueError, match="got components=8"):
        principal.decode(torch.zeros(2, 8))
    with pytest.raises(ValueError, match="divide by 255"):
        principal.encode(images * 255, 2)


# Tensors as they come, and settings


def bent(*shape):
    """Return random numbers that were computed from something with a gradient."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(3), requires_grad=True) ** 1.0


LABELS = torch.arange(30) % 3
WITH_A_GRADIENT = {
    "knn_accuracy": lambda: evaluate.knn_accuracy(bent(30, 2), LABELS),
    "probe_accuracy": lambda: evaluate.probe_accuracy(bent(30, 2), LABELS, bent(30, 2), LABELS, per_class=3),
    "tuned_probe_accuracy": lambda: evaluate.tuned_probe_accuracy(bent(30, 2), LABELS, bent(30, 2), LABELS),
    "nearest_distance": lambda: evaluate.nearest_distance(bent(30, 2), bent(4, 2)),
    "neighbour_turn": lambda: evaluate.neighbour_turn(bent(30, 2), torch.arange(30.0)),
    "intrinsic_dimension": lambda: evaluate.intrinsic_dimension(bent(30, 2)),
    "roc_auc": lambda: evaluate.roc_auc(bent(30), bent(4)),
    "factor_information": lambda: evaluate.factor_information(bent(30, 2), (LABELS[:, None] * bent(1)).detach()),
    "factors": lambda: evaluate.factor_information(bent(30, 2), bent(30, 2)),
    "mmd": lambda: evaluate.mmd(bent(30, 2), bent(20, 2)),
    "Principal": lambda: evaluate.Principal(bent(30, 1, 3, 3), 2).encode(bent(30, 1, 3, 3)),
    "median_filter": lambda: evaluate.median_filter(bent(3, 1, 5, 5), 3),
    "gaussian_blur": lambda: evaluate.gaussian_blur(bent(3, 1, 5, 5), 1.0),
    "pursuit": lambda: evaluate.pursuit(bent(4, 6), bent(3, 6), 2),
    "classic_dictionary": lambda: evaluate.classic_dictionary(bent(30, 6), 4),
    "box": lambda: evaluate.box(bent(30, 2), 5),
    "coverage": lambda: evaluate.coverage(bent(30, 2), bent(30, 2)),
}


@pytest.mark.parametrize("measure", WITH_A_GRADIENT)
def test_what_was_computed_with_a_gradient_is_measured_as_any_numbers(measure):
    found = WITH_A_GRADIENT[measure]()
    assert not getattr(found, "requires_grad", False)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_codes_and_factors_that_are_no_numbers_tell_nothing_and_are_refused(bad, random):
    codes, factors = torch.rand(20, 2, generator=random), (torch.arange(20.0) % 2)[:, None]
    for table in (codes, factors):
        spoiled = table.clone()
        spoiled[4] = bad
        pair = (spoiled, factors) if table is codes else (codes, spoiled)
        with pytest.raises(ValueError, match=r"got (codes|factors) with NaN or infinity"):
            evaluate.factor_information(*pair)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate.knn_accuracy(bent(30, 2), LABELS, neighbours=0), "got neighbours=0"),
        (lambda: evaluate.knn_accuracy(bent(30, 2), LABELS, folds=1), "got folds=1"),
        (lambda: evaluate.knn_accuracy(bent(30, 2), LABELS[:9]), r"got 30 points and \(9,\) labels"),
        (lambda: evaluate.knn_accuracy(bent(30, 2) / 0, LABELS), "got points with NaN or infinity"),
        (lambda: evaluate.probe_accuracy(*[bent(30, 2), LABELS] * 2, per_class=0), "got per_class=0"),
        (lambda: evaluate.probe_accuracy(*[bent(30, 2), LABELS] * 2, per_class=2, seed=-1), "got seed=-1"),
        (
            lambda: evaluate.probe_accuracy(bent(30, 2), LABELS[:9], bent(3, 2), LABELS[:3], per_class=2),
            "got 30 points",
        ),
        (lambda: evaluate.nearest_distance(bent(3, 2), torch.zeros(3, 2, dtype=torch.uint8)), "dtype torch.uint8"),
        (lambda: evaluate.circular_correlation(bent(5), bent(1)), "got angles of shapes"),
        (lambda: evaluate.principal_angles(bent(5), bent(5)), r"got rows of shape \(5,\)"),
        (lambda: evaluate.agreement(bent(5, 2) / 0), "got values with NaN or infinity"),
        (lambda: evaluate.median_filter(bent(5, 5), 3), r"got images of shape \(5, 5\)"),
        (lambda: evaluate.median_filter(bent(1, 1, 5, 5), 0), "got size=0"),
        (lambda: evaluate.gaussian_blur(torch.zeros(1, 1, 5, 5, dtype=torch.uint8), 1.0), "dtype torch.uint8"),
        (lambda: evaluate.linear_map(bent(5, 4), bent(5, 3), bent(2, 3)), "a given image and one to map of shapes"),
        (lambda: evaluate.shift(bent(1, 1, 5, 5), 0.5, 0), "got right=0.5"),
        (lambda: evaluate.visible_places(3, 49, 60), "got visible=60, expected a whole number from 1 to 49"),
        (lambda: evaluate.visible_places(0), "got n=0"),
        (lambda: evaluate.visible_places(3, seed=-1), "got seed=-1"),
        (lambda: evaluate.multiply_adds(torch.nn.Linear(2, 3)), "got a Linear without an image_shape"),
    ],
)
def test_a_setting_or_a_shape_that_makes_no_sense_is_an_error_that_says_so(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Sparse codes


def test_a_classic_dictionary_leaves_the_random_state_of_numpy_alone():
    before = np.random.get_state()  # noqa: NPY002
    evaluate.classic_dictionary(bent(30, 6), 4)
    after = np.random.get_state()  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("measure", [evaluate.activity, evaluate.active_counts, evaluate.dead_units, evaluate.hoyer])
def test_sparse_codes_with_nan_are_refused(measure):
    with pytest.raises(ValueError, match="got codes with NaN or infinity"):
        measure(torch.tensor([[0.0, math.nan], [1.0, 0.0]]))


@pytest.mark.parametrize("labels", [torch.tensor([0, 2, 2]), torch.tensor([0, 0, 0]), torch.tensor([1, 1, 1])])
def test_a_contrast_needs_every_class_and_another_one(labels):
    with pytest.raises(ValueError, match="expected each class from 0, and at least two"):
        evaluate.contrast(torch.rand(3, 4), labels)


@pytest.mark.parametrize("labels", [torch.tensor([0, 1]), torch.tensor([0.0, 1.0, 1.0]), [0, 1, 1], torch.tensor([])])
def test_labels_that_are_not_those_of_the_codes_are_an_error(labels):
    for call in (evaluate.contrast, lambda codes, labels: evaluate.selectivity(codes, labels, images=1)):
        with pytest.raises(ValueError, match="expected one label"):
            call(torch.rand(3, 4), labels)


# The room as a whole


def test_every_public_name_is_used_outside_this_room():
    """What nothing calls is no public name; `Aggregate` is what `aggregate_posterior` returns."""
    root = fingerprint.ROOT
    used = set()
    for folder, kind in (("book", "ipynb"), ("assignments", "ipynb"), ("aecourse", "py"), ("benchmarks", "py")):
        for path in (root / folder).rglob(f"*.{kind}"):
            if path.parent.name != "evaluate":
                text = path.read_text("utf-8")
                used |= {*re.findall(r"\bevaluate\.(\w+)", text)}
                used |= {*re.findall(r"from \.\.evaluate import (\w+)", text)}
    rooms = ("batches", "bounds", "images", "latents", "notes", "patches", "samples", "sparsity")
    public = {name for room in rooms for name in getattr(evaluate, room).__all__}
    assert public - used == {"Aggregate"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize(
    "measure",
    [
        lambda x: evaluate.knn_accuracy(x.flatten(1), LABELS.cuda()),
        lambda x: evaluate.probe_accuracy(*[x.flatten(1), LABELS.cuda()] * 2, per_class=3),
        lambda x: evaluate.tuned_probe_accuracy(*[x.flatten(1), LABELS.cuda()] * 2),
        lambda x: evaluate.Principal(x, 2).encode(x),
        lambda x: evaluate.mmd(x.flatten(1), x.flatten(1)),
        lambda x: evaluate.median_filter(x, 3),
        lambda x: evaluate.lerp(x, x, 3),
        lambda x: evaluate.slerp(x.flatten(1), x.flatten(1).flip(0), 3),
        lambda x: evaluate.box(x.flatten(1), 3),
        lambda x: evaluate.squared_errors(x, x),
    ],
)
def test_measures_work_on_a_gpu(measure):
    measure(torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(0)).cuda())


def test_a_probe_that_has_not_converged_is_compared_without_a_warning(random, recwarn, monkeypatch):
    points, labels = _blobs(random)
    monkeypatch.setattr(evaluate.latents, "LogisticRegression", lambda max_iter: LogisticRegression(max_iter=1))
    evaluate.probe_accuracy(points, labels, points, labels, per_class=7)
    assert not recwarn.list


def test_neighbours_are_asked_in_five_parts_unless_told_otherwise(random):
    points, labels = _blobs(random, distance=0.7)
    found = {folds: evaluate.knn_accuracy(points, labels, folds=folds) for folds in (4, 5, 6)}
    assert evaluate.knn_accuracy(points, labels) == found[5]
    assert len(set(found.values())) == 3


def test_a_classic_dictionary_comes_from_its_seed_alone():
    points = bent(300, 6)
    first, again, other = (evaluate.classic_dictionary(points, 4, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# Images that are no squares, and the ends of each range


@pytest.mark.parametrize("measure", [evaluate.squared_errors, evaluate.psnr, ERRORS["hidden_errors"]])
def test_the_message_says_which_of_the_two_is_at_fault(measure, random):
    good = torch.rand(6, 1, 8, 8, generator=random)
    with pytest.raises(ValueError, match="got images with NaN"):
        measure(good / 0 * 0, good)
    with pytest.raises(ValueError, match="got reconstructions with NaN"):
        measure(good, good / 0 * 0)
    for name, pair in (("key", (good / 0, good)), ("found", (good, good / 0))):
        with pytest.raises(ValueError, match=f"got {name} points with NaN"):
            evaluate.correct_points(*(each[..., :2] for each in pair), within=1)


def test_psnr_adds_up_many_pixels_in_double_precision(random):
    images, restored = torch.rand(2, 50, 1, 40, 60, generator=random)
    squares = (images - restored).square().double().numpy()
    assert evaluate.psnr(images, restored) == pytest.approx(-10 * math.log10(squares.mean()), rel=1e-13)


@pytest.mark.parametrize("height", [9, 12])
def test_the_slant_is_the_slope_of_the_weighted_regression_of_columns_on_rows(height, random):
    images = torch.rand(4, 1, height, 10, generator=random) ** 3
    rows, columns = np.mgrid[height:0:-1, 0:10]
    for image, found in zip(images[:, 0].double().numpy(), evaluate.slant(images).tolist(), strict=True):
        slope, _ = np.polyfit(rows.ravel(), columns.ravel(), 1, w=np.sqrt(image.ravel()))
        assert found == pytest.approx(slope, abs=1e-5)
    torch.testing.assert_close(evaluate.ink(images), torch.stack([image.sum() for image in images]))


@pytest.mark.parametrize("measure", [evaluate.ink, evaluate.slant])
@pytest.mark.parametrize("shape", [(2, 1, 9), (1, 3, 9, 12), (1, 9, 12), (3, 1, 2, 9, 12)])
def test_a_single_colour_image_and_tensors_of_other_dimensions_have_no_strokes(measure, shape):
    with pytest.raises(ValueError, match=r"expected \(N, 1, H, W\)"):
        measure(torch.zeros(shape))


def test_a_checkerboard_is_as_strong_in_the_negative_and_in_images_that_are_no_squares(random):
    images = torch.rand(3, 2, 6, 10, generator=random)
    means = [[image[:, i::2, j::2].mean().item() for i in (0, 1) for j in (0, 1)] for image in images]
    expected = [np.std(each) / np.mean(each) for each in means]
    for sign in (1, -1):
        assert evaluate.checkerboard(sign * images).tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("size", [(5, 40), (40, 5)])
@pytest.mark.parametrize("sign", [1, -1])
def test_an_image_may_be_moved_by_all_but_one_of_its_pixels(size, sign, random):
    images = 0.1 + 0.9 * torch.rand(2, 1, *size, generator=random)
    height, width = size
    for right, down in ((width - 1, 0), (0, height - 1), (1, height - 1), (width - 1, 1)):
        right, down = sign * right, sign * down
        expected = torch.zeros_like(images)
        for y, x in itertools.product(range(height), range(width)):
            if 0 <= y - down < height and 0 <= x - right < width:
                expected[..., y, x] = images[..., y - down, x - right]
        assert torch.equal(evaluate.shift(images, right, down), expected)
    for right, down in ((width, 0), (0, height)):
        with pytest.raises(ValueError, match=f"expected less than the image's {width} × {height} pixels"):
            evaluate.shift(images, sign * right, sign * down)


def test_the_linear_map_is_cut_to_grey_levels_and_maps_as_many_images_as_come():
    given = torch.linspace(0.4, 0.6, 21).reshape(21, 1, 1, 1)
    ends = torch.tensor([0.0, 0.5, 1.0]).reshape(3, 1, 1, 1)
    mapped = evaluate.linear_map(given, 5 * (given - 0.4), ends, strength=1e-6)
    assert mapped.flatten().tolist() == pytest.approx([0, 0.5, 1], abs=1e-4)


def test_the_linear_map_costs_ten_times_the_squared_weights_unless_told_otherwise(random):
    given, wanted = torch.rand(2, 30, 1, 2, 2, generator=random)
    found = {strength: evaluate.linear_map(given, wanted, given, strength=strength) for strength in (10.0, 20.0)}
    assert torch.equal(evaluate.linear_map(given, wanted, given), found[10.0])
    assert not torch.allclose(found[10.0], found[20.0], atol=1e-3)


def test_multiplications_are_counted_without_a_word(capsys):
    assert evaluate.multiply_adds(models.DenseAutoencoder((25, 3), image_shape=(1, 5, 5))) == 2 * 25 * 3
    assert capsys.readouterr().out == ""


# What a code holds, at the ends of each range


def test_principal_keeps_64_components_unless_told_otherwise_and_codes_with_all_of_them(random):
    images = torch.rand(70, 1, 9, 9, generator=random)
    principal = evaluate.Principal(images)
    assert principal.directions.shape == (64, 81)
    assert principal.encode(images).shape == (70, 64)
    assert principal.encode(images, 3).shape == (70, 3)


def test_the_covariance_is_diagonalised_up_to_a_thousand_pixels_or_as_many_as_there_are_images(monkeypatch):
    solvers = []

    class Fake:
        def __init__(self, kept, svd_solver):
            solvers.append(svd_solver)

        def fit(self, rows):
            return self

    monkeypatch.setattr(evaluate.latents, "PCA", Fake)
    for count, pixels in ((3, 1000), (3, 1001), (1001, 1001), (1001, 1002)):
        evaluate.Principal(torch.zeros(count, 1, 1, pixels), 2)
    assert solvers == ["covariance_eigh", "full", "covariance_eigh", "full"]


def test_ten_neighbours_vote_unless_told_otherwise_in_two_parts_at_least(random):
    points, labels = _blobs(random, distance=0.7)
    found = {neighbours: evaluate.knn_accuracy(points, labels, neighbours=neighbours) for neighbours in (9, 10, 11)}
    assert evaluate.knn_accuracy(points, labels) == found[10]
    assert len(set(found.values())) == 3
    assert 0.3 < evaluate.knn_accuracy(points, labels, folds=2) < 1


def test_two_points_are_neighbours_and_one_reference_is_the_nearest():
    angles = torch.tensor([5.0, 730.0])
    assert evaluate.neighbour_turn(torch.tensor([[0.0], [1.0]]), angles).tolist() == pytest.approx([5, 5])
    assert evaluate.nearest_distance(torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0]])).tolist() == [1, 2]


def test_points_of_a_grid_share_their_numbers_but_do_not_coincide():
    grid = torch.cartesian_prod(*[torch.arange(6.0)] * 2)
    assert 1 < evaluate.intrinsic_dimension(grid, neighbours=12) < 4


def test_a_probe_may_see_all_points_of_a_class_and_none_twice(random, monkeypatch):
    points, labels = _blobs(random, count=8)
    seen, fit = [], LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda self, x, y: (seen.append(x), fit(self, x, y))[1])
    evaluate.probe_accuracy(points, labels, points, labels, per_class=8)
    assert len(np.unique(seen[0], axis=0)) == 24


def test_two_images_may_tell_of_a_factor_and_one_factor_of_one_value_is_too_many():
    two = torch.tensor([[0.0], [1.0]])
    assert evaluate.factor_information(two, two, bins=2).item() == pytest.approx(1)
    with pytest.raises(ValueError, match="got a factor with only one value"):
        evaluate.factor_information(two, torch.cat([two, torch.ones(2, 1)], 1))
    with pytest.raises(ValueError, match=r"the same N of at least 2"):
        evaluate.factor_information(two[:1], two[:1])


def test_agreement_is_the_mean_correlation_of_all_pairs_and_a_constant_column_has_none(random):
    values = torch.rand(7, 4, generator=random)
    pairs = [np.corrcoef(*values[:, pair].double().numpy().T)[0, 1] for pair in itertools.combinations(range(4), 2)]
    assert evaluate.agreement(values) == pytest.approx(np.mean(pairs))
    values[:, 2] = 0.5
    with pytest.raises(ValueError, match="got a constant column"):
        evaluate.agreement(values)


@pytest.mark.parametrize("rows", [torch.tensor(0.5), [1.0], 3])
def test_what_has_no_rows_goes_in_no_batches(rows):
    with pytest.raises(ValueError, match=f"got {type(rows).__name__}, expected a tensor of N images or codes"):
        evaluate.restore(torch.nn.Identity(), rows)


# Sparse codes, at the ends of each range


def test_hoyers_measure_and_the_largest_numbers_go_by_magnitude(random):
    codes = torch.randn(5, 7, generator=random)
    by_hand = (7**0.5 - codes.abs().sum(1) / codes.square().sum(1).sqrt()) / (7**0.5 - 1)
    torch.testing.assert_close(evaluate.hoyer(codes), by_hand)
    kept = evaluate.keep_largest(codes, 7)
    assert torch.equal(kept, codes)
    for row, code in zip(evaluate.keep_largest(codes, 3), codes, strict=True):
        limit = sorted(code.abs().tolist())[-3]
        assert torch.equal(row, torch.where(code.abs() >= limit, code, 0))


def test_a_classic_dictionary_is_learnt_in_one_pass_of_256_points_at_a_time(monkeypatch):
    learners = []

    class Watched(evaluate.sparsity.MiniBatchDictionaryLearning):
        def fit(self, rows):
            learners.append(self)
            return super().fit(rows)

    monkeypatch.setattr(evaluate.sparsity, "MiniBatchDictionaryLearning", Watched)
    evaluate.classic_dictionary(bent(600, 6), 4)
    assert learners[0].n_steps_ == 3


def test_pictures_of_atoms_are_28_by_28_unless_told_otherwise_and_keep_no_gradient():
    found = evaluate.pictures(bent(3, 784) - 0.5)
    assert found.shape == (3, 1, 28, 28)
    assert not found.requires_grad


def test_selectivity_looks_at_a_hundred_images_unless_told_otherwise_and_at_all_at_most(random):
    codes, labels = 0.1 + torch.rand(150, 6, generator=random), torch.randint(4, (150,), generator=random)
    for images in (None, 100, 150):
        label, share = evaluate.selectivity(codes, labels, **({"images": images} if images else {}))
        for unit in range(6):
            first = codes[:, unit].argsort(descending=True)[: images or 100]
            counts = labels[first].bincount(minlength=4)
            assert label[unit] == counts.argmax()
            assert share[unit].item() == pytest.approx(counts.max().item() / (images or 100))


@pytest.mark.parametrize("shapes", [((4, 3), (5, 2), (2, 3)), ((4, 3), (4, 5), (2, 3)), ((4, 6), (4, 2), (2, 3))])
def test_units_of_another_number_or_length_switch_nothing_off(shapes):
    with pytest.raises(ValueError, match="codes must be those of the same points"):
        evaluate.switch_off(*(torch.zeros(shape) for shape in shapes), torch.tensor([0]))


def test_what_is_switched_off_keeps_no_gradient_of_the_atoms():
    atoms = bent(2, 3)
    assert not evaluate.switch_off(torch.zeros(4, 3), torch.ones(4, 2), atoms, torch.tensor([1])).requires_grad


def test_half_of_all_units_get_one_of_the_other_half_each_and_the_activities_stay_as_they_are():
    activity = torch.tensor([1.0, 5.0, 5.1, 1.1, 5.2, 9.0])
    before = activity.clone()
    assert evaluate.equally_active(activity, torch.tensor([0, 1, 2])).tolist() == [3, 4, 5]
    assert torch.equal(activity, before)
