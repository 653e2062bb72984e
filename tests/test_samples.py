"""The judge and what it says of samples and paths, with judges whose verdicts are known; paths against SciPy."""

import dataclasses
import inspect
import math
import os

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from platformdirs import user_cache_path
from scipy.spatial import geometric_slerp

from aecourse import checkpoint, evaluate, models, training
from aecourse.evaluate import samples as room


class Reader(models.Classifier):
    """A judge that reads its verdict from an image of one row: the probabilities of four classes, or the features."""

    image_shape = (1, 1, 4)

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def forward(self, images):
        self.seen.append(len(images))
        return self.check_images(images).flatten(1)

    def features(self, images):
        return self.forward(images)


def rows(*values):
    """Return images that Reader reads these values from."""
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1, 4)


SURE_OF_2, UNSURE, SURE_OF_0 = (0.02, 0.02, 0.95, 0.01), (0.4, 0.3, 0.2, 0.1), (0.9, 0.1, 0.0, 0.0)


@pytest.fixture
def random():
    return torch.Generator().manual_seed(41)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = user_cache_path("aecourse")
    if not folder.is_relative_to(tmp_path):
        pytest.skip("this system has no XDG_CACHE_HOME, and a person's own cache is not for tests")
    return folder


@pytest.fixture
def few(digits):
    """A data set that a judge learns in no time."""
    return dataclasses.replace(digits, train_images=digits.train_images[:200], train_labels=digits.train_labels[:200])


@pytest.fixture
def trainings(monkeypatch):
    """A list that grows with every training, by what was trained on."""
    calls, fit = [], training.fit
    monkeypatch.setattr(training, "fit", lambda *args, **settings: calls.append(args[1]) or fit(*args, **settings))
    return calls


def weights(model):
    return torch.cat([tensor.flatten() for tensor in model.state_dict().values()])


def test_the_judge_is_trained_once_and_read_from_the_cache_from_then_on(cache, few, trainings):
    first = evaluate.judge(few)
    assert len(trainings) == 1
    second = evaluate.judge(few)
    assert len(trainings) == 1
    assert torch.equal(weights(first), weights(second))
    assert not first.training
    assert not second.training
    assert len(os.listdir(cache)) == 1


@pytest.mark.parametrize("damage", ["cut off", "foreign", "of another model"])
def test_a_damaged_copy_of_the_judge_is_replaced(cache, few, trainings, damage):
    first = evaluate.judge(few)
    (file,) = cache.iterdir()
    good = file.read_bytes()
    if damage == "of another model":
        checkpoint.save(models.Classifier((784, 5, 10)), file)
    else:
        file.write_bytes({"cut off": good[:5000], "foreign": b"These are my notes."}[damage])
    second = evaluate.judge(few)
    assert len(trainings) == 2
    assert torch.equal(weights(first), weights(second))
    assert torch.equal(weights(checkpoint.load(models.Classifier(), file)), weights(first))


def test_without_a_folder_to_write_in_the_judge_is_trained_every_time(cache, few, trainings):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    assert torch.equal(weights(evaluate.judge(few)), weights(evaluate.judge(few)))
    assert len(trainings) == 2


def test_a_cache_that_may_not_be_read_does_not_stop_the_judge(cache, few, monkeypatch):
    def refused(path):
        raise PermissionError(f"{path}: permission denied")

    monkeypatch.setattr(checkpoint, "read", refused)
    assert not evaluate.judge(few).training


@pytest.mark.parametrize("part", ["train_images", "train_labels"])
def test_another_data_set_gets_a_judge_and_a_file_of_its_own(cache, few, trainings, part):
    changed = getattr(few, part).clone()
    changed[3] = changed[4]
    assert not torch.equal(changed, getattr(few, part))
    first, second = evaluate.judge(few), evaluate.judge(dataclasses.replace(few, **{part: changed}))
    assert len(trainings) == len(os.listdir(cache)) == 2
    assert not torch.equal(weights(first), weights(second))


@pytest.mark.parametrize("change", ["EPOCHS", "RATE", "WARMUP", "Classifier", "torch"])
def test_another_recipe_makes_another_judge(cache, few, trainings, monkeypatch, change):
    evaluate.judge(few)
    if change == "Classifier":

        class Other(models.Classifier):
            def __init__(self):
                super().__init__(seed=1)

        monkeypatch.setattr(room, "Classifier", Other)
    elif change == "torch":
        monkeypatch.setattr(torch, "__version__", "1.0")
    else:
        monkeypatch.setattr(room, change, {"EPOCHS": 1, "RATE": 1e-3, "WARMUP": 0.1}[change])
    evaluate.judge(few)
    assert len(trainings) == len(os.listdir(cache)) == 2


def test_a_word_in_a_docstring_makes_no_new_judge(cache, few, trainings, monkeypatch):
    evaluate.judge(few)
    monkeypatch.setattr(inspect, "getsource", lambda thing: "other words")
    evaluate.judge(few)
    assert len(trainings) == 1


def test_test_images_have_no_say_in_the_judge(cache, few, trainings):
    evaluate.judge(few)
    evaluate.judge(dataclasses.replace(few, test_images=few.test_images[:5], test_labels=few.test_labels[:5]))
    ((images, labels),) = trainings
    assert torch.equal(images, few.train_images)
    assert torch.equal(labels, few.train_labels)


def test_what_the_judge_of_the_digits_recognises_is_what_it_is_and_noise_is_not_recognised(cache, digits, random):
    judge = evaluate.judge(digits)
    classes = evaluate.recognised(judge, digits.test_images)
    sure = classes >= 0
    assert sure.float().mean() > 0.3  # after 3 epochs of 12 steps; of MNIST's 469 it is .95
    assert (classes[sure] == digits.test_labels[sure]).float().mean() > 0.95
    assert evaluate.recognised_share(judge, torch.rand(200, 1, 28, 28, generator=random)) < 0.1


def test_a_class_is_recognised_from_the_probability_that_is_sure_enough():
    images = rows(SURE_OF_2, UNSURE, SURE_OF_0)
    assert evaluate.recognised(Reader(), images).tolist() == [2, -1, 0]  # 0.9 itself is enough
    assert evaluate.recognised(Reader(), images, sure=0.94).tolist() == [2, -1, -1]
    assert evaluate.recognised(Reader(), images, sure=0.4).tolist() == [2, 0, 0]
    assert evaluate.recognised(Reader(), images).dtype == torch.int64
    assert evaluate.recognised_share(Reader(), images) == pytest.approx(2 / 3)


def test_images_are_judged_in_batches_and_in_order():
    judge, images = Reader(), rows(*[SURE_OF_2, UNSURE] * 1200)
    assert evaluate.recognised(judge, images).tolist() == [2, -1] * 1200
    assert judge.seen == [1000, 1000, 400]


class Passing(models.Autoencoder):
    """An autoencoder that decodes a code into the image with its numbers."""

    image_shape, latent_dim = (1, 1, 4), 4

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def decode(self, latents):
        return self.check_latents(latents).unflatten(1, self.image_shape)


def test_the_holes_are_the_codes_whose_images_are_not_recognised():
    codes = torch.tensor([SURE_OF_2, UNSURE, UNSURE, UNSURE, SURE_OF_0])
    assert evaluate.unrecognised_share(Reader(), Passing(), codes) == pytest.approx(0.6)


def test_a_box_of_full_coverage_reaches_from_the_least_to_the_largest_code(random):
    codes = torch.randn(50, 3, generator=random) * torch.tensor([1.0, 10.0, 0.1]) + torch.tensor([0.0, 50.0, -7.0])
    points = evaluate.box(codes, 20_000, coverage=1.0)
    low, high = codes.min(0).values, codes.max(0).values
    assert points.shape == (20_000, 3)
    assert ((points >= low - 1e-5) & (points <= high + 1e-5)).all()
    assert ((points.min(0).values - low) / (high - low) < 1e-3).all()
    assert ((high - points.max(0).values) / (high - low) < 1e-3).all()


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.98])
def test_a_box_leaves_as_many_codes_out_below_as_above(coverage, random):
    codes = torch.randn(1001, 2, generator=random)
    points = evaluate.box(codes, 5000, coverage=coverage).numpy()
    low, high = np.quantile(codes.numpy(), [(1 - coverage) / 2, (1 + coverage) / 2], axis=0)
    assert (points >= low - 1e-5).all()
    assert (points <= high + 1e-5).all()
    np.testing.assert_allclose((points.min(0), points.max(0)), (low, high), atol=0.01 * (high - low).max())


def test_the_points_of_a_box_are_spread_evenly(random):
    codes = torch.randn(1000, 2, generator=random)
    points = evaluate.box(codes, 40_000, coverage=1.0)
    share = (points - codes.min(0).values) / (codes.max(0).values - codes.min(0).values)
    assert (share.mean(0) - 0.5).abs().max() < 4 * (1 / 12 / 40_000) ** 0.5
    assert (share.var(0) - 1 / 12).abs().max() < 4 * (1 / 180 / 40_000) ** 0.5
    assert torch.corrcoef(share.T)[0, 1].abs() < 4 / 200


def test_a_box_has_the_same_points_with_the_same_seed_and_otherwise_others(random):
    codes = torch.randn(100, 2, generator=random)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = evaluate.box(codes, 5)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, evaluate.box(codes, 5, seed=0))
    assert not torch.equal(first, evaluate.box(codes, 5, seed=1))


def test_a_box_takes_the_double_precision_of_other_libraries(random):
    codes = torch.randn(100, 2, generator=random, dtype=torch.float64)
    assert evaluate.box(codes, 5).shape == (5, 2)


@pytest.mark.parametrize("coverage", [0, -0.1, 1.2, math.nan])
def test_a_coverage_that_is_no_share_is_an_error(coverage):
    with pytest.raises(ValueError, match=r"got coverage=.*above 0 and at most 1"):
        evaluate.box(torch.zeros(5, 2), 3, coverage=coverage)


@pytest.mark.parametrize(
    ("codes", "n", "message"), [(torch.zeros(5), 3, "codes of shape"), (torch.zeros(5, 2), 0, "n=0")]
)
def test_what_makes_no_box_is_an_error(codes, n, message):
    with pytest.raises(ValueError, match=f"got {message}"):
        evaluate.box(codes, n)


def features(n, generator, mean=0.5, scale=0.05, mix=None):
    """Return images whose features are about normal and stay in [0, 1]."""
    noise = torch.randn(n, 4, generator=generator)
    if mix is not None:
        noise = noise @ mix
    return (mean + scale * noise).clamp(0, 1).reshape(n, 1, 1, 4)


def statistics(images):
    values = images.flatten(1).double().numpy()
    return values.mean(0), np.cov(values.T)


def test_the_frechet_distance_equals_the_formula_with_scipys_matrix_root(random):
    first = features(300, random, mix=torch.randn(4, 4, generator=random))
    second = features(200, random, mean=0.6, mix=torch.randn(4, 4, generator=random))
    (m1, c1), (m2, c2) = statistics(first), statistics(second)
    expected = ((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * scipy.linalg.sqrtm(c1 @ c2).real)
    assert evaluate.frechet_distance(Reader(), first, second) == pytest.approx(expected, rel=1e-6)


def test_a_judge_is_asked_for_its_last_hidden_layer(random):
    """Through a real classifier, its features computed in NumPy: linear, layer norm, ReLU, twice."""
    judge = models.Classifier((784, 20, 3, 10), seed=5)
    sets = [torch.rand(n, 1, 28, 28, generator=random) ** power for n, power in ((300, 1), (200, 2))]
    moments = []
    for images in sets:
        values = images.flatten(1).double().numpy()
        for linear, norm in (judge.layers[:2], judge.layers[3:5]):
            matrix, offset, gain, shift = (
                part.detach().double().numpy() for layer in (linear, norm) for part in (layer.weight, layer.bias)
            )
            values = values @ matrix.T + offset
            values = (values - values.mean(1, keepdims=True)) / np.sqrt(values.var(1, keepdims=True) + 1e-5)
            values = np.maximum(values * gain + shift, 0)
        moments.append((values.mean(0), np.cov(values.T)))
    (m1, c1), (m2, c2) = moments
    mixed = np.sqrt(np.linalg.eigvals(c1 @ c2).real.clip(0)).sum()
    expected = ((m1 - m2) ** 2).sum() + np.trace(c1) + np.trace(c2) - 2 * mixed
    assert evaluate.frechet_distance(judge, *sets) == pytest.approx(expected, rel=1e-4)


def test_the_frechet_distance_of_uncorrelated_features_is_that_of_means_and_of_standard_deviations():
    """(m₁ − m₂)² + (s₁ − s₂)² in each: the corners of a box are uncorrelated exactly."""
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4)
    first = 0.5 + corners * torch.tensor([0.1, 0.2, 0.3, 0.4])
    second = 0.4 + corners * torch.tensor([0.3, 0.2, 0.1, 0.05])
    unbiased = 16 / 15
    expected = 4 * 0.1**2 + unbiased * (0.2**2 + 0 + 0.2**2 + 0.35**2)
    images = [each.reshape(16, 1, 1, 4) for each in (first, second)]
    assert evaluate.frechet_distance(Reader(), *images) == pytest.approx(expected, rel=1e-5)


def test_the_frechet_distance_is_symmetric_and_zero_between_equal_sets(random):
    first, second = features(50, random), features(80, random, mean=0.3, scale=0.1)
    there, back = (evaluate.frechet_distance(Reader(), *pair) for pair in ((first, second), (second, first)))
    assert there == pytest.approx(back, rel=1e-6)
    assert evaluate.frechet_distance(Reader(), first, first) == pytest.approx(0, abs=1e-8)
    assert evaluate.frechet_distance(Reader(), first, first.flip(0)) == pytest.approx(0, abs=1e-8)


def test_the_frechet_distance_is_right_where_features_never_vary_or_are_fewer_than_the_images():
    first = rows((0.5, 0.1, 0.3, 0.0), (0.5, 0.3, 0.3, 0.0), (0.5, 0.1, 0.3, 0.0))
    second = rows((0.5, 0.1, 0.7, 0.0), (0.5, 0.3, 0.7, 0.0), (0.5, 0.1, 0.7, 0.0))
    assert evaluate.frechet_distance(Reader(), first, second) == pytest.approx(0.16, rel=1e-5)
    assert evaluate.frechet_distance(Reader(), first[:2], first[:2]) == pytest.approx(0, abs=1e-8)


def test_images_that_are_all_alike_are_far_away_in_the_frechet_distance(random):
    real = features(2000, random)
    alike = real.mean(0, keepdim=True).expand(2000, 1, 1, 4)
    total_variance = statistics(real)[1].trace()
    assert evaluate.frechet_distance(Reader(), real, alike) == pytest.approx(total_variance, rel=1e-3)
    assert evaluate.frechet_distance(Reader(), real, features(2000, random)) < 0.02 * total_variance


def test_a_single_image_has_no_frechet_distance():
    with pytest.raises(ValueError, match=r"got len\(images\)=1, expected a whole number of at least 2"):
        evaluate.frechet_distance(Reader(), rows(UNSURE, SURE_OF_2), rows(UNSURE))


class ReaderOfTen(Reader):
    """As Reader, with ten classes."""

    image_shape = (1, 1, 10)


def seen_as(*classes):
    """Return images in which ReaderOfTen recognises these classes, or nothing for −1."""
    shares = torch.full((len(classes), 10), 0.1)
    for share, label in zip(shares, classes, strict=True):
        if label >= 0:
            share.zero_()[label] = 1
    return shares.reshape(-1, 1, 1, 10)


@pytest.mark.parametrize(
    ("classes", "recognised", "perplexity"),
    [
        (range(10), 1, 10),
        ([3] * 7, 1, 1),
        ([0, 0, 0, 0], 1, 1),
        ([-1] * 4, 0, 0),
        ([9, -1, -1, -1], 0.25, 1),
        ([2, 7, -1], 2 / 3, 2),
        ([0, 0, 0, 9, -1], 0.8, 4 / 3**0.75),
    ],
)
def test_sample_quality_counts_what_is_recognised_and_how_many_classes_occur_among_it(classes, recognised, perplexity):
    quality = evaluate.sample_quality(ReaderOfTen(), seen_as(*classes), seen_as(*range(10)))
    assert list(quality) == ["recognised", "classes", "frechet"]
    assert all(type(measure) is float for measure in quality.values())
    assert quality["recognised"] == pytest.approx(recognised)
    assert quality["classes"] == pytest.approx(perplexity)


def test_sample_quality_has_the_share_and_the_distance_of_the_functions_of_these_names(random):
    made, real = features(60, random, scale=0.5), features(40, random)
    quality = evaluate.sample_quality(Reader(), made, real)
    assert 0 < quality["recognised"] < 1
    assert quality["recognised"] == pytest.approx(evaluate.recognised_share(Reader(), made))
    assert quality["frechet"] == evaluate.frechet_distance(Reader(), made, real)


def test_copies_of_one_clear_digit_are_recognised_but_neither_of_many_classes_nor_near_the_reference():
    real = seen_as(*range(10), *range(10))
    alike = evaluate.sample_quality(ReaderOfTen(), seen_as(*[4] * 20), real)
    equal = evaluate.sample_quality(ReaderOfTen(), real, real)
    assert alike["recognised"] == equal["recognised"] == 1
    assert alike["classes"] < equal["classes"]
    assert alike["frechet"] > 0.5
    assert equal["frechet"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("samples", "reference"), [(0, 5), (1, 5), (5, 1)])
def test_too_few_samples_or_references_have_no_quality(samples, reference):
    with pytest.raises(ValueError, match="expected"):
        evaluate.sample_quality(ReaderOfTen(), seen_as(*[1] * samples), seen_as(*[2] * reference))


def test_a_straight_path_has_its_ends_exactly_and_equal_steps(random):
    start, end = torch.randn(2, 6, 3, generator=random)
    path = evaluate.lerp(start, end, 5)
    assert path.shape == (6, 5, 3)
    assert torch.equal(path[:, 0], start)
    assert torch.equal(path[:, -1], end)
    torch.testing.assert_close(path.diff(dim=1), ((end - start) / 4)[:, None].expand(6, 4, 3))


def test_a_straight_path_may_lead_from_image_to_image(random):
    start, end = torch.rand(2, 6, 1, 4, 4, generator=random)
    path = evaluate.lerp(start, end, 3)
    assert path.shape == (6, 3, 1, 4, 4)
    torch.testing.assert_close(path[:, 1], (start + end) / 2)


@pytest.mark.parametrize("dimension", [2, 3, 16])
def test_the_arc_between_unit_codes_equals_scipys(dimension, random):
    start, end = torch.nn.functional.normalize(
        torch.randn(2, 7, dimension, generator=random, dtype=torch.float64), dim=2
    )
    path = evaluate.slerp(start, end, 9)
    assert path.shape == (7, 9, dimension)
    for index in range(7):
        expected = geometric_slerp(start[index].numpy(), end[index].numpy(), np.linspace(0, 1, 9))
        np.testing.assert_allclose(path[index].numpy(), expected, atol=1e-9)


def test_an_arc_turns_by_equal_angles_while_its_length_changes_evenly(random):
    start, end = torch.randn(2, 40, 5, generator=random) * torch.tensor([1.0, 4.0])[:, None, None]
    path = evaluate.slerp(start, end, 8)
    torch.testing.assert_close(path[:, 0], start)
    torch.testing.assert_close(path[:, -1], end)
    lengths = path.norm(dim=2)
    torch.testing.assert_close(lengths.diff(dim=1), ((lengths[:, -1] - lengths[:, 0]) / 7)[:, None].expand(40, 7))
    cosines = torch.cosine_similarity(path[:, 1:], path[:, :-1], dim=2)
    turned = torch.acos(cosines.double().clamp(-1, 1))
    whole = torch.acos(torch.cosine_similarity(start, end).double())
    torch.testing.assert_close(turned, (whole / 7)[:, None].expand(40, 7), rtol=0.01, atol=1e-3)


def test_codes_of_one_direction_and_of_opposite_ones_are_joined_by_the_straight_line():
    start = torch.tensor([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0], [3.0, 0.0]])
    end = torch.tensor([[2.0, 4.0], [-2.0, -4.0], [0.0, 0.0], [3.0, 0.0]])
    path = evaluate.slerp(start, end, 5)
    torch.testing.assert_close(path, evaluate.lerp(start, end, 5))


@given(st.floats(1e-6, 0.1), st.booleans(), st.floats(0.1, 10))
def test_nearly_equal_and_nearly_opposite_directions_are_no_danger(angle, opposite, length):
    angle = math.pi - angle if opposite else angle
    start, end = torch.tensor([[1.0, 0.0]]), length * torch.tensor([[math.cos(angle), math.sin(angle)]])
    path = evaluate.slerp(start, end, 7)[0]
    assert torch.isfinite(path).all()
    torch.testing.assert_close(path[[0, -1]], torch.cat([start, end]), rtol=1e-5, atol=1e-5)
    if math.sin(angle) > 2e-4:  # where there is a single arc
        torch.testing.assert_close(path.norm(dim=1), torch.linspace(1, length, 7), rtol=2e-3, atol=0)


def test_an_arc_from_the_origin_ends_where_it_should():
    path = evaluate.slerp(torch.zeros(1, 2), torch.tensor([[0.0, 2.0]]), 3)
    assert torch.isfinite(path).all()
    torch.testing.assert_close(path[0, [0, -1]], torch.tensor([[0.0, 0.0], [0.0, 2.0]]))


@pytest.mark.parametrize("path", [evaluate.lerp, evaluate.slerp])
@pytest.mark.parametrize("steps", [1, 0, -3, 2.5])
def test_a_path_has_at_least_its_two_ends(path, steps):
    with pytest.raises(ValueError, match=f"got steps={steps}, expected a whole number of at least 2"):
        path(torch.ones(2, 3), torch.zeros(2, 3), steps)


@pytest.mark.parametrize("path", [evaluate.lerp, evaluate.slerp])
def test_ends_of_different_shapes_are_an_error_and_never_broadcast(path):
    with pytest.raises(ValueError, match=r"got shapes \(2, 3\) and \(1, 3\), expected two equal ones"):
        path(torch.ones(2, 3), torch.zeros(1, 3), 5)


def test_an_arc_leads_from_code_to_code_and_not_from_image_to_image():
    with pytest.raises(ValueError, match=r"got codes of shape \(2, 1, 4, 4\), expected \(N, k\)"):
        evaluate.slerp(torch.ones(2, 1, 4, 4), torch.zeros(2, 1, 4, 4), 5)


def test_path_classes_are_those_of_each_step_of_each_path():
    paths = rows(SURE_OF_2, UNSURE, SURE_OF_0, UNSURE, UNSURE, SURE_OF_2).reshape(2, 3, 1, 1, 4)
    assert evaluate.path_classes(Reader(), paths).tolist() == [[2, -1, 0], [-1, -1, 2]]


def test_a_crossing_counts_each_path_once_and_the_doubtful_steps_never():
    classes = torch.tensor([[2, -1, 8, 8, 5], [2, -1, -1, -1, 5], [8, -1, -1, -1, 8], [2, 3, 3, 5, 5]])
    assert evaluate.crossing_share(classes, 8) == 0.5
    assert evaluate.crossing_share(classes, 3) == 0.25
    assert evaluate.crossing_share(classes, 9) == 0


def test_paths_without_steps_and_classes_without_paths_are_an_error():
    with pytest.raises(ValueError, match=r"got paths of shape \(2, 1, 1, 4\), expected \(N, steps, 1, 28, 28\)"):
        evaluate.path_classes(Reader(), rows(UNSURE, UNSURE))
    with pytest.raises(ValueError, match=r"got classes of shape \(5,\), expected \(N, steps\)"):
        evaluate.crossing_share(torch.zeros(5), 8)


WITH_A_JUDGE = {
    "recognised": evaluate.recognised,
    "recognised_share": evaluate.recognised_share,
    "unrecognised_share": lambda judge, images: evaluate.unrecognised_share(judge, Passing(), images.flatten(1)),
    "frechet_distance": lambda judge, images: evaluate.frechet_distance(judge, images, images),
    "sample_quality": lambda judge, images: evaluate.sample_quality(judge, images, images),
    "path_classes": lambda judge, images: evaluate.path_classes(judge, images[:, None]),
}


@pytest.mark.parametrize("measure", WITH_A_JUDGE)
def test_an_autoencoder_is_no_judge(measure):
    with pytest.raises(ValueError, match=r"got a Passing as the judge, expected a Classifier; use evaluate.judge"):
        WITH_A_JUDGE[measure](Passing(), rows(UNSURE, UNSURE))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (rows(), "got no images"),
        (rows(UNSURE) / 0 * 0, "NaN pixels in 1 of 1 images"),
        (rows(UNSURE) * 255, "divide by 255"),
        (rows(UNSURE)[0], r"images\[None\]"),
        ([rows(UNSURE)], "got list, expected a tensor"),
    ],
    ids=["none", "NaN", "0 to 255", "single", "a list"],
)
def test_what_are_no_images_cannot_be_judged(bad, message):
    for measure in (evaluate.recognised, lambda judge, images: evaluate.frechet_distance(judge, images, images)):
        with pytest.raises(ValueError, match=message):
            measure(Reader(), bad)


# Settings, colours, and what is no float


COLOUR = torch.rand(4, 3, 28, 28, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("measure", sorted({*WITH_A_JUDGE} - {"unrecognised_share"}))
def test_a_judge_says_of_colour_images_why_it_does_not_know_them(measure):
    with pytest.raises(
        ValueError, match=r"got images of shape \(4, 3, 28, 28\), expected \(N, 1, 28, 28\): a judge knows"
    ):
        WITH_A_JUDGE[measure](models.Classifier(), COLOUR)
    with pytest.raises(ValueError, match=r"a judge knows only what it was trained on; .* resize"):
        WITH_A_JUDGE[measure](models.Classifier(), COLOUR[:, :1, :20])


def test_colour_images_train_no_judge(cache, few, trainings):
    colour = few.train_images.expand(-1, 3, 28, 28)
    with pytest.raises(ValueError, match="a judge knows only"):
        evaluate.judge(dataclasses.replace(few, train_images=colour))
    assert not trainings


def test_colour_images_are_covered_and_repeated_like_any_points():
    assert evaluate.coverage(COLOUR, COLOUR, neighbours=1) == 1
    assert evaluate.near_duplicates(COLOUR[:1].expand(4, 3, 28, 28), COLOUR, share=0.5) == 1


def test_rows_come_back_in_the_order_in_which_they_were_given():
    made, real = room._rows(torch.zeros(3, 2), torch.ones(5, 2))
    assert (made == 0).all()
    assert made.shape == (3, 2)
    assert (real == 1).all()
    assert real.shape == (5, 2)


def test_a_box_asks_for_the_quantiles_of_one_dimension_at_a_time(random, monkeypatch):
    """Torch sorts no more than 2²⁴ numbers at once, which many codes soon are."""
    sizes, quantile = [], torch.Tensor.quantile
    monkeypatch.setattr(
        torch.Tensor,
        "quantile",
        lambda self, *given, **rest: sizes.append(self.numel()) or quantile(self, *given, **rest),
    )
    evaluate.box(torch.randn(100, 7, generator=random), 3)
    assert sizes == [100] * 7


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate.recognised(Reader(), rows(UNSURE), sure=1.5), "got sure=1.5"),
        (lambda: evaluate.recognised(Reader(), rows(UNSURE), sure=math.nan), "got sure=nan"),
        (lambda: evaluate.box(torch.zeros(5, 2) / 0, 3), "got codes with NaN"),
        (lambda: evaluate.box(torch.zeros(5, 2, dtype=torch.int64), 3), "got codes of dtype torch.int64"),
        (lambda: evaluate.box(torch.zeros(5, 2), True), "got n=True"),
        (lambda: evaluate.box(torch.zeros(5, 2), 3, seed=-1), "got seed=-1"),
        (lambda: evaluate.lerp(torch.zeros(2, 3), torch.zeros(2, 3) / 0, 3), "got ends with NaN"),
        (lambda: evaluate.lerp(torch.zeros(2, 3).long(), torch.zeros(2, 3).long(), 3), "got starts of dtype"),
        (lambda: evaluate.slerp([0.0], [1.0], 3), "got list, expected a tensor"),
        (lambda: evaluate.coverage(torch.zeros(9, 2).byte(), torch.zeros(9, 2)), "got samples of dtype torch.uint8"),
        (lambda: evaluate.near_duplicates(torch.rand(9, 2), torch.rand(9, 2) / 0), "got reference points with NaN"),
        (lambda: evaluate.coverage(torch.rand(9, 2), torch.rand(9, 2), neighbours=True), "got neighbours=True"),
    ],
)
def test_a_setting_or_a_tensor_that_makes_no_sense_is_an_error_that_says_so(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# The recipe, and the ends of each range


def test_the_judge_learns_for_three_epochs_at_a_rate_that_rises_for_a_twentieth_of_them(cache, few, monkeypatch):
    """The figures that the chapters quote of its verdicts are those of this recipe."""
    used, fit = [], training.fit
    monkeypatch.setattr(training, "fit", lambda *args, **settings: used.append(settings) or fit(*args, **settings))
    evaluate.judge(few)
    (settings,) = used
    assert settings["epochs"] == 3
    rates = [settings["lr"](step / 200) for step in range(200)]
    assert max(rates) == pytest.approx(4e-3, rel=0.01)
    assert rates.index(max(rates)) / 200 == pytest.approx(0.05, abs=0.01)


def test_five_neighbours_say_what_is_near_unless_told_otherwise(random):
    real, made = torch.rand(60, 3, generator=random), torch.rand(20, 3, generator=random)
    found = {count: evaluate.coverage(made, real, neighbours=count) for count in (4, 5, 6)}
    assert evaluate.coverage(made, real) == found[5]
    assert found[4] < found[5] < found[6]
    distances = [sorted(math.dist(a, b) for b in real.tolist())[5] for a in real.tolist()]  # the first is its own
    nearest = [min(math.dist(a, b) for b in made.tolist()) for a in real.tolist()]
    assert found[5] == np.mean([near < far for near, far in zip(nearest, distances, strict=True)])


def test_a_sample_just_as_far_away_as_the_neighbour_is_not_near():
    real = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
    assert evaluate.coverage(torch.tensor([[2.0]]), real, neighbours=1) == 0
    assert evaluate.coverage(torch.tensor([[1.75]]), real, neighbours=1) == 0.25


def test_two_samples_may_be_near_duplicates_and_are_none_at_the_distance_of_real_ones():
    real = torch.tensor([[0.0], [1.0]])
    assert evaluate.near_duplicates(real / 2, real, share=0.5) == 1
    assert evaluate.near_duplicates(real, real, share=0.5) == 0
    with pytest.raises(ValueError, match=r"share=0\.0, expected .* a share between 0 and 1"):
        evaluate.near_duplicates(real, real, share=0.0)


def test_a_path_may_have_two_steps_and_in_double_precision_keeps_it(random):
    start, end = torch.randn(2, 3, 4, generator=random, dtype=torch.float64)
    for path in (evaluate.lerp, evaluate.slerp):
        torch.testing.assert_close(path(start, end, 2), torch.stack([start, end], 1), rtol=1e-12, atol=1e-12)
        assert path(start, end, 8).dtype == torch.float64
    start, end = (torch.nn.functional.normalize(each, dim=1) for each in (start, end))
    for index, arc in enumerate(evaluate.slerp(start, end, 8)):
        expected = geometric_slerp(start[index].numpy(), end[index].numpy(), np.arange(8) / 7)
        np.testing.assert_allclose(arc.numpy(), expected, atol=1e-12)
