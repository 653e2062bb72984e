"""Chapter 9: damage and its repair, U-Nets with and without skips, key points found by stacked hourglasses."""

import math

import numpy as np
import pytest
import torch
from same_weights import equal, weights
from sklearn.linear_model import Ridge
from torchvision.transforms import Compose

from aecourse import checks, data, evaluate, models, training
from aecourse.models.hourglass import heat_maps, peaks

GREY = torch.full((20, 1, 28, 28), 0.5)
NOISES = {
    "Gaussian": models.GaussianNoise(0.3),
    "masking": models.Masking(0.3),
    "salt and pepper": models.SaltAndPepper(0.3),
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# Damage


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_damage_keeps_shape_and_range_and_leaves_its_input_alone(noise):
    images = torch.rand(4, 1, 28, 28, generator=seeded())
    before = images.clone()
    damaged = noise(images, seeded(1))
    assert damaged.shape == images.shape
    assert damaged.dtype == torch.float32
    assert 0 <= damaged.min() < damaged.max() <= 1
    assert not torch.equal(damaged, images)
    assert torch.equal(images, before)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_damage_comes_from_the_generator_or_from_torchs_own(noise):
    assert torch.equal(noise(GREY, seeded(1)), noise(GREY, seeded(1)))
    assert not torch.equal(noise(GREY, seeded(1)), noise(GREY, seeded(2)))
    torch.manual_seed(5)
    first = noise(GREY)
    torch.manual_seed(5)
    assert torch.equal(noise(GREY), first)


def test_gaussian_noise_has_the_spread_it_says():
    added = models.GaussianNoise(0.1)(GREY, seeded()) - GREY
    assert added.mean().item() == pytest.approx(0, abs=0.002)
    assert added.std().item() == pytest.approx(0.1, rel=0.02)


def test_masking_makes_the_given_share_black_and_touches_nothing_else():
    damaged = models.Masking(0.3)(GREY, seeded())
    assert set(damaged.unique().tolist()) == {0.0, 0.5}
    assert (damaged == 0).float().mean().item() == pytest.approx(0.3, abs=0.015)


def test_salt_and_pepper_makes_half_of_its_share_black_and_half_white():
    damaged = models.SaltAndPepper(0.3)(GREY, seeded())
    assert set(damaged.unique().tolist()) == {0.0, 0.5, 1.0}
    for value in (0.0, 1.0):
        assert (damaged == value).float().mean().item() == pytest.approx(0.15, abs=0.015)


def test_no_damage_is_no_change_and_full_damage_leaves_nothing():
    for noise in (models.GaussianNoise(0), models.Masking(0), models.SaltAndPepper(0)):
        assert torch.equal(noise(GREY), GREY)
    assert not models.Masking(1)(GREY).any()
    assert set(models.SaltAndPepper(1)(GREY).unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_an_impossible_amount_of_damage_is_an_error(bad):
    for noise in (models.GaussianNoise, models.Masking, models.SaltAndPepper):
        with pytest.raises(ValueError, match=r"got (sigma|share)=.*, expected"):
            noise(bad)


# The denoising autoencoder


@pytest.mark.parametrize("reconstruction", ["cross_entropy", "squared_error"])
def test_the_loss_compares_the_answer_to_damaged_images_with_the_clean_ones(reconstruction):
    model = models.DenoisingAutoencoder((784, 20, 3), corruption=lambda x: x / 2, reconstruction=reconstruction)
    images = torch.rand(5, 1, 28, 28, generator=seeded())
    answer, clean = model(images / 2).double(), images.double()
    if reconstruction == "cross_entropy":
        by_hand = -(clean * answer.log() + (1 - clean) * (1 - answer).log())
    else:
        by_hand = (answer - clean).square()
    terms = model.loss(images)
    assert terms["total"].item() == pytest.approx(by_hand.sum().item() / 5, rel=1e-4)
    assert terms["reconstruction"] is terms["total"]


def test_a_denoiser_answers_with_the_mean_of_what_may_have_been_there():
    pixels = torch.tensor([0.0, 1.0]).repeat(2000)[:, None].expand(-1, 2).contiguous()
    model = models.DenoisingAutoencoder((2, 16, 2), corruption=models.Masking(0.5), image_shape=(2,))
    training.fit(model, pixels, epochs=3, lr=training.cosine(0.02))
    black, half = model(torch.tensor([[0.0, 0.0], [1.0, 0.0]])).detach()
    assert black.tolist() == pytest.approx([0.2, 0.2], abs=0.03)  # ¼ of the white ones against all of the black
    assert half.min() > 0.95


# U-Nets


@pytest.mark.parametrize("build", [models.UNet, models.UNetWithoutSkips])
def test_a_restorer_keeps_the_shape_and_all_its_weights_learn(build):
    model = build((4, 6, 8))
    damaged, clean = torch.rand(2, 3, 1, 28, 28, generator=seeded())
    assert model(damaged).shape == damaged.shape
    assert 0 <= model(damaged).min() < model(damaged).max() <= 1
    model.loss(damaged, clean)["total"].backward()
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters())
    assert all(weight.grad.any() for name, weight in model.named_parameters() if weight.dim() == 4)


def test_a_restorers_loss_is_the_cross_entropy_of_the_clean_images():
    model = models.UNet((4, 6)).eval()
    damaged, clean = torch.rand(2, 3, 1, 28, 28, generator=seeded())
    answer = model(damaged).double()
    by_hand = -(clean * answer.log() + (1 - clean) * (1 - answer).log()).sum().item() / 3
    assert model.loss(damaged, clean)["total"].item() == pytest.approx(by_hand, rel=1e-4)


def test_without_skips_the_middle_decides_everything_and_with_skips_it_does_not():
    images = torch.rand(2, 1, 28, 28, generator=seeded())
    for build, same in ((models.UNetWithoutSkips, True), (models.UNet, False)):
        model = build((4, 6, 2)).eval()
        first, second = (model.features(image[None]) for image in images)
        mixed = model.from_features([*first[:-1], second[-1]])
        assert torch.equal(mixed, model(images[1:])) == same


@pytest.mark.parametrize("build", [models.UNet, models.UNetWithoutSkips])
def test_in_training_every_level_sees_each_of_its_features_with_mean_0_and_spread_1(build):
    model, seen = build((6, 8, 10)).train(), []
    levels = [layer for layer in model.modules() if isinstance(layer, torch.nn.ReLU)]
    for layer in levels:
        layer.register_forward_pre_hook(lambda layer, given: seen.append(given[0].detach()))
    model(torch.rand(8, 1, 28, 28, generator=seeded()))
    assert len(seen) == len(levels) == 2 + 1 + 2
    for features in seen:
        torch.testing.assert_close(features.mean((0, 2, 3)), torch.zeros(features.shape[1]), atol=1e-5, rtol=0)
        torch.testing.assert_close(features.var((0, 2, 3)), torch.ones(features.shape[1]), atol=0.01, rtol=0)


def test_a_level_on_the_way_up_sees_the_pixels_from_below_repeated(monkeypatch):
    model, joined = models.UNet((2, 3, 4), image_shape=(1, 12, 8)).eval(), []
    join = model.join
    monkeypatch.setattr(model, "join", lambda skip, rising: joined.append((skip, rising)) or join(skip, rising))
    features = model.features(torch.rand(2, 1, 12, 8, generator=seeded()))
    assert [tuple(found.shape[1:]) for found in features] == [(2, 12, 8), (3, 6, 4), (4, 3, 2)]
    model.logits(features)
    (coarse_skip, coarse), (fine_skip, fine) = joined
    assert coarse_skip is features[1]
    assert fine_skip is features[0]
    torch.testing.assert_close(coarse, features[2].repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert torch.equal(fine[..., ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3), fine)


def test_convolutions_of_a_unet_begin_with_hes_spread_and_no_offsets():
    model = models.UNet((48, 64))
    for layer in (model.down[0][0], model.middle[0][0], model.up[0][0]):
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / layer.weight[0].numel()), rel=0.1)
        assert not layer.bias.any()


def test_an_hourglass_adds_what_each_level_had_to_the_pixels_from_below_repeated():
    """With every convolution replaced by a number that multiplies, the way down and up is arithmetic."""

    class Times(torch.nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, features):
            return self.factor * features

    hourglass = models.StackedHourglass(1, stacks=1, width=2).hourglasses[0]
    for part, factors in {"across": (2, 3, 5), "down": (7, 11, 13), "up": (17, 19, 23)}.items():
        setattr(hourglass, part, torch.nn.ModuleList(map(Times, factors)))
    features = torch.rand(1, 2, 8, 8, generator=seeded()).double()

    def half(maps):
        return maps.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).amax((3, 5))

    def twice(maps):
        return maps.repeat_interleave(2, 2).repeat_interleave(2, 3)

    first = 7 * half(features)
    second = 11 * half(first)
    third = 13 * half(second)
    up = 5 * second + twice(17 * third)
    up = 3 * first + twice(19 * up)
    torch.testing.assert_close(hourglass(features), 2 * features + twice(23 * up))


def test_sizes_that_cannot_be_halved_evenly_come_back_whole():
    assert models.UNet((2, 3, 4, 5), image_shape=(3, 30, 25))(torch.rand(2, 3, 30, 25)).shape == (2, 3, 30, 25)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ((8,), "at least two"),
        ((8, 0), "above 0"),
        ((8, 2.5), "whole numbers"),
        ((8, True), "whole numbers"),
        (8, "at least two"),
        ((1,) * 6, "expected fewer"),
    ],
)
def test_channels_that_make_no_unet_are_an_error(channels, message):
    with pytest.raises(ValueError, match=f"got .*{message}"):
        models.UNet(channels)


@pytest.mark.parametrize("build", [models.UNet, models.UNetWithoutSkips])
@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 40, 60), (1, 45, 45)])
def test_a_restorer_takes_images_of_any_shape(build, shape):
    damaged, clean = torch.rand(2, 4, *shape, generator=seeded())
    model = build((3, 4), image_shape=shape)
    run = training.fit(model, (damaged, clean), epochs=1, batch_size=2)
    assert math.isfinite(run.train["total"][0])
    assert model(damaged).shape == damaged.shape
    assert model.device == torch.device("cpu")
    assert evaluate.multiply_adds(model) > 0


PAIR = torch.rand(2, 4, 1, 28, 28, generator=seeded())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((PAIR[0], PAIR[1] * 255), "got pixel values from .*; divide by 255: clean / 255"),
        ((PAIR[0] * 255, PAIR[1]), "got pixel values from .*; divide by 255: damaged / 255"),
        ((PAIR[0], PAIR[1] * math.nan), "got NaN pixels in 4 of 4 clean"),
        ((PAIR[0], PAIR[1][..., :14]), r"got clean of shape \(4, 1, 28, 14\)"),
        ((PAIR[0], (PAIR[1] * 255).to(torch.uint8)), r"got clean of dtype torch.uint8.*: clean.float\(\) / 255"),
        ((PAIR[0],), r"got one tensor, expected two.*fit\(model, \(damaged, clean\)\)"),
        (PAIR[0], r"got one tensor, expected two"),
        ((PAIR[0], PAIR[1], PAIR[1]), "got 3 tensors, expected two"),
    ],
)
def test_a_restorer_is_not_trained_on_what_is_no_pair_of_images(data, message):
    model = models.UNet((3, 4))
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        training.fit(model, data, epochs=1)
    with pytest.raises(ValueError, match=message):
        model.check(*(data if isinstance(data, tuple) else (data,)))
    assert equal(weights(model), before)


# Key points


def test_stick_figures_are_images_with_their_points_inside():
    images, points = data.stick_figures(50, seed=3)
    assert images.shape == (50, 1, 32, 32)
    assert points.shape == (50, len(data.KEY_POINTS), 2)
    assert checks.images(images, (1, 32, 32)) is images
    assert points.min() >= 0
    assert points.max() <= 31


def test_key_points_lie_on_the_strokes_where_nothing_hides_them():
    images, points = data.stick_figures(50, clutter=False)
    joints = points[:, 1:].round().long()  # all but the head, a ring
    at = images[torch.arange(50)[:, None], 0, joints[..., 1], joints[..., 0]]
    assert at.min() > 0
    assert images.mean() < 0.2


def test_clutter_hides_some_key_points_and_the_same_seed_draws_the_same():
    images, points = data.stick_figures(200, seed=1)
    again, same = data.stick_figures(200, seed=1)
    assert torch.equal(images, again)
    assert torch.equal(points, same)
    assert not torch.equal(points, data.stick_figures(200, seed=2)[1])
    middle = points.round().long()
    at = images[torch.arange(200)[:, None], 0, middle[..., 1], middle[..., 0]]
    assert 0.03 < (at == 0.5).float().mean() < 0.3


@pytest.mark.parametrize("bad", [{"number": 0}, {"number": 2.0}, {"number": 1, "size": 8}])
def test_figures_that_cannot_be_drawn_are_an_error(bad):
    with pytest.raises(ValueError, match=r"got .*=.*, expected a whole number of at least"):
        data.stick_figures(**bad)


def test_a_hill_is_highest_at_its_place_and_is_found_there():
    points = torch.rand(40, 3, 2, generator=seeded()) * 25 + 3
    maps = heat_maps(points, 16)
    assert maps.shape == (40, 3, 16, 16)
    cell = ((points[0, 0] - 0.5) / 2).round().long()
    assert maps[0, 0].argmax() == cell[1] * 16 + cell[0]
    assert evaluate.point_distances(points, peaks(maps)).max() < 1.2
    exact = torch.tensor([[[10.5, 20.5]]])  # the centre of a cell
    torch.testing.assert_close(peaks(heat_maps(exact, 16)), exact)


@pytest.mark.parametrize("build", [models.StackedHourglass, models.EndSupervisedHourglass])
def test_a_stack_learns_to_find_points_and_judges_itself_as_it_says(build):
    images, points = data.stick_figures(64)
    model = build(7, width=6, stacks=3)
    terms = model.loss(images, points)
    each = torch.stack([terms[f"stack {number}"] for number in (1, 2, 3)])
    wanted = each.sum() if build is models.StackedHourglass else each[-1]
    assert terms["total"].item() == pytest.approx(wanted.item())
    terms["total"].backward()
    assert all(weight.grad.any() for name, weight in model.named_parameters() if weight.dim() == 4)
    run = training.fit(model, (images, points), epochs=4, batch_size=16, lr=0.01)
    assert run.train["total"][-1] < 0.7 * run.train["total"][0]
    found = model.find(images)
    assert len(found) == 3
    assert torch.equal(found[-1], model(images))
    assert found[0].shape == points.shape


@pytest.mark.parametrize("build", [models.StackedHourglass, models.EndSupervisedHourglass])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 16, 48)])
def test_a_stack_takes_colour_images_and_those_that_are_not_square(build, shape):
    images = torch.rand(4, *shape, generator=seeded())
    points = torch.rand(4, 2, 2, generator=seeded(1)) * torch.tensor([shape[2] - 1, shape[1] - 1])
    model = build(2, width=4, image_shape=shape)
    run = training.fit(model, (images, points), epochs=1, batch_size=2)
    assert math.isfinite(run.train["total"][0])
    assert model.heat_maps(images)[0].shape == (4, 2, shape[1] // 2, shape[2] // 2)
    assert model(images).shape == points.shape
    assert evaluate.multiply_adds(model) > 0


def test_hills_are_found_again_in_maps_that_are_not_square():
    points = torch.rand(40, 3, 2, generator=seeded()) * torch.tensor([55.0, 25.0]) + 3
    maps = heat_maps(points, 16, 32)
    assert maps.shape == (40, 3, 16, 32)
    column, row = ((points[0, 0] - 0.5) / 2).round().long().tolist()
    assert maps[0, 0].argmax() == row * 32 + column
    assert evaluate.point_distances(points, peaks(maps)).max() < 1.2


FIGURES = torch.rand(4, 1, 32, 32, generator=seeded())
POINTS = torch.rand(4, 3, 2, generator=seeded()) * 31
NOWHERE = POINTS.clone()
NOWHERE[1, 2, 0] = math.nan


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            (FIGURES, NOWHERE),
            "got points with NaN or infinity, expected float32 key points .*; drop the images without",
        ),
        ((FIGURES, POINTS / 0), "got points with NaN or infinity"),
        (
            (FIGURES, POINTS[:, :2]),
            r"got points of shape \(4, 2, 2\), expected float32 key points of shape \(N, 3, 2\)",
        ),
        ((FIGURES, POINTS.flatten(1)), r"got points of shape \(4, 6\)"),
        ((FIGURES, POINTS.double()), r"got points of dtype torch.float64, expected .*; call .float\(\)"),
        ((FIGURES, POINTS.long()), "got points of dtype torch.int64"),
        ((FIGURES * 255, POINTS), "divide by 255"),
        ((FIGURES,), r"got one tensor, expected two.*fit\(model, \(images, points\)\)"),
    ],
)
def test_a_stack_is_not_trained_on_what_are_no_key_points(data, message):
    model = models.StackedHourglass(3, width=4)
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        training.fit(model, data, epochs=1)
    with pytest.raises(ValueError, match=message):
        model.check(*data)
    assert equal(weights(model), before)


def test_key_points_may_lie_outside_their_image():
    model = models.StackedHourglass(3, width=4)
    checked = model.check(FIGURES, POINTS - 50)
    assert torch.equal(checked[1], POINTS - 50)
    assert model.loss(*checked)["total"].isfinite()


@pytest.mark.parametrize(
    "bad",
    [
        {"points": 0},
        {"points": 2, "stacks": 0},
        {"points": True},
        {"points": 2, "width": 2.0},
        {"points": 2, "image_shape": (1, 28, 32)},
        {"points": 2, "image_shape": (1, 32, 40)},
        {"points": 2, "image_shape": (32, 32)},
        {"points": 2, "seed": -1},
    ],
)
def test_a_stack_that_cannot_be_built_is_an_error(bad):
    with pytest.raises(ValueError, match=r"got \w+[= ].*, expected"):
        models.StackedHourglass(**bad)


@pytest.mark.parametrize(
    "build", [models.UNet, models.UNetWithoutSkips, lambda seed=0: models.StackedHourglass(3, seed=seed)]
)
def test_weights_come_from_the_seed_and_the_global_random_state_stays(build):
    before = torch.get_rng_state()
    first, same, other = (torch.nn.utils.parameters_to_vector(build(seed=s).parameters()) for s in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("model", [models.UNet(), models.StackedHourglass(3)])
def test_a_network_on_pairs_refuses_bad_images(model):
    with pytest.raises(ValueError, match="got pixel values from 9 to 9"):
        model(torch.full((1, 1, 28, 28) if isinstance(model, models.UNet) else (1, 1, 32, 32), 9.0))


# The measures


def test_psnr_is_ten_times_the_logarithm_of_one_over_the_mean_squared_error():
    clean = torch.zeros(3, 1, 4, 4)
    assert evaluate.psnr(clean, clean + 0.1) == pytest.approx(20)
    assert evaluate.psnr(clean, clean + 0.01) == pytest.approx(40, rel=1e-4)
    assert evaluate.psnr(clean, clean) == math.inf
    with pytest.raises(ValueError, match="got images and reconstructions of shape"):
        evaluate.psnr(clean, clean[:2])


def test_a_median_filter_removes_a_lonely_pixel_and_keeps_images_apart():
    images = torch.zeros(2, 1, 9, 9)
    images[0, 0, 4, 4] = 1
    images[1] = 0.5
    filtered = evaluate.median_filter(images, 3)
    assert not filtered[0].any()
    assert (filtered[1] == 0.5).all()


@pytest.mark.parametrize("size", [3, 5])
def test_a_median_filter_takes_the_median_of_a_square_of_neighbours(size):
    images, half = torch.rand(2, 1, 9, 11, generator=seeded()), size // 2
    filtered = evaluate.median_filter(images, size)
    assert filtered.shape == images.shape
    around = np.pad(images.numpy(), ((0, 0), (0, 0), (half, half), (half, half)), mode="symmetric")
    for number, row, column in [(0, 4, 5), (0, 0, 0), (1, 8, 3), (1, 2, 10)]:
        square = around[number, 0, row : row + size, column : column + size]
        assert filtered[number, 0, row, column].item() == pytest.approx(np.median(square))


def test_a_blur_keeps_the_sum_of_a_picture_and_spreads_it():
    images = torch.zeros(2, 1, 21, 21)
    images[0, 0, 10, 10] = 1
    blurred = evaluate.gaussian_blur(images, 1.5)
    assert blurred[0].sum().item() == pytest.approx(1, abs=1e-4)
    x = np.arange(21) - 10
    assert (blurred[0, 0].sum(0).numpy() * x**2).sum() == pytest.approx(1.5**2, rel=0.02)
    assert not blurred[1].any()
    with pytest.raises(ValueError, match="got sigma=-1, expected"):
        evaluate.gaussian_blur(images, -1)


def test_the_linear_map_is_scikit_learns_ridge_regression():
    given, wanted = torch.rand(60, 1, 3, 3, generator=seeded()), torch.rand(60, 1, 2, 2, generator=seeded(1))
    by_library = Ridge(0.5).fit(given.flatten(1), wanted.flatten(1)).predict(given.flatten(1)).clip(0, 1)
    found = evaluate.linear_map(given, wanted, given, strength=0.5)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found.flatten(1).numpy(), by_library, atol=1e-4)
    with pytest.raises(ValueError, match="got 60 given and 59 wanted"):
        evaluate.linear_map(given, wanted[1:], given)
    with pytest.raises(ValueError, match="got strength=0"):
        evaluate.linear_map(given, wanted, given, strength=0)


def test_distances_of_key_points_are_euclidean_and_the_share_counts_the_limit_in():
    points = torch.zeros(1, 3, 2)
    found = torch.tensor([[[3.0, 4.0], [0.0, 1.0], [0.0, 0.0]]])
    assert evaluate.point_distances(points, found).tolist() == [[5, 1, 0]]
    assert evaluate.correct_points(points, found, within=1) == pytest.approx(2 / 3)
    for bad in (found[:, :2], found[..., :1]):
        with pytest.raises(ValueError, match="got key points of shapes"):
            evaluate.correct_points(points, bad, within=1)
    with pytest.raises(ValueError, match="got within=-1"):
        evaluate.correct_points(points, found, within=-1)


def test_damages_can_be_chained():
    both = Compose([models.Masking(0.5), models.GaussianNoise(0.1)])
    model = models.DenoisingAutoencoder((784, 8, 2), corruption=both)
    assert torch.isfinite(model.loss(GREY)["total"])


def test_restoring_many_images_is_restoring_each_without_a_gradient():
    model, images = models.UNet((2, 3)).eval(), torch.rand(5, 1, 28, 28, generator=seeded())
    together = evaluate.restore(model, images, batch_size=2)
    torch.testing.assert_close(together, model(images).detach())
    assert not together.requires_grad


def test_clutter_is_two_strokes_and_a_disc_and_without_it_there_is_none():
    (cluttered, points), (plain, same) = (data.stick_figures(200, clutter=clutter, seed=1) for clutter in (True, False))
    assert torch.equal(points, same)
    assert not ((plain > 0.49) & (plain < 0.51)).flatten(1).sum(1).gt(30).any()  # no grey disc
    assert ((cluttered > 0.6) & (plain < 0.05)).flatten(1).any(1).float().mean() > 0.7  # brighter than the disc


def test_the_head_stands_on_the_neck_at_its_share_of_the_back():
    _, points = data.stick_figures(50)
    head, neck, hip = points[:, :3].unbind(1)
    torch.testing.assert_close((head - neck) / 0.10, (neck - hip) / 0.24, atol=1e-3, rtol=1e-3)


# How stick figures are drawn

JOINTS = [(1, 2, 0.14, (-2.4, -0.9)), (3, 4, 0.14, (0.9, 2.4)), (5, 6, 0.16, (-3.0, -2.3)), (7, 8, 0.16, (2.3, 3.0))]


def test_figures_differ_in_tilt_size_and_pose_as_far_as_they_may_and_no_farther():
    points, strokes, head = data.drawn._random_poses(4000, seeded())
    ways = strokes[:, :, 1] - strokes[:, :, 0]
    lengths, angles = ways.norm(dim=2), torch.atan2(ways[..., 1], ways[..., 0])
    scale = lengths[:, 0] / 0.24

    def turn(first, second):
        return torch.remainder(angles[:, second] - angles[:, first] + math.pi, 2 * math.pi) - math.pi

    def fills(numbers, low, high):
        assert low - 1e-4 <= numbers.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < numbers.max() <= high + 1e-4
        assert numbers.mean().item() == pytest.approx((low + high) / 2, abs=0.03 * (high - low))

    fills(scale, 0.8, 1.1)
    fills(angles[:, 0] + math.pi / 2, -0.6, 0.6)
    torch.testing.assert_close(head[:, 0], 0.055 * scale)
    for upper, lower, length, between in JOINTS:
        torch.testing.assert_close(lengths[:, upper], length * scale)
        torch.testing.assert_close(lengths[:, lower], (length - 0.01) * scale)
        fills(turn(0, upper), *between)
        fills(turn(upper, lower), -0.8, 0.8)
        assert torch.equal(strokes[:, upper, 1], strokes[:, lower, 0])
    assert torch.equal(points[:, 1:3], strokes[:, 0].flip(1))
    assert torch.equal(points[:, 3:], strokes[:, [2, 4, 6, 8], 1])
    low, high = points.amin(1), points.amax(1)
    fills((low - 0.06) / (0.88 - (high - low)), 0, 1)


def test_left_is_left_in_the_picture_of_an_upright_figure():
    points = data.drawn._random_poses(500, seeded())[0]
    up = points[:, 1] - points[:, 2]
    right = torch.stack([-up[:, 1], up[:, 0]], 1)  # y grows downwards
    for left_one, right_one in ((3, 4), (5, 6)):
        across = (points[:, right_one] - points[:, left_one]) * right
        assert (across.sum(1) > 0).float().mean() > 0.9


def test_a_seed_draws_the_same_figures_for_ever():
    """The numbers of chapter 9 rest on them."""
    _, points = data.stick_figures(2, seed=3)
    figure = [21.92, 2.07, 23.10, 4.37, 25.93, 9.89, 16.55, 2.38, 29.30, 7.13, 25.48, 17.89, 28.63, 17.06]
    assert points[1].flatten().tolist() == pytest.approx(figure, abs=0.02)


@pytest.mark.parametrize("clutter", [False, True])
def test_every_pixel_is_as_bright_as_its_distance_to_the_nearest_line_says(clutter):
    """In loops, in double precision: strokes 0.7 pixels to either side, two stray ones, and a disc over them."""
    number, size = 53, 16
    images, points = data.stick_figures(number, size=size, clutter=clutter, seed=5)
    random = seeded(5)
    poses = data.drawn._random_poses(number, random)
    torch.testing.assert_close(points, poses[0] * size)
    strokes, heads, radii = (part.double().numpy() * size for part in (poses[1], poses[0][:, 0], poses[2][:, 0]))
    if clutter:
        stray = torch.rand(number, 2, 2, generator=random).numpy() * size
        angle = math.pi * (2 * torch.rand(number, 2, generator=random).numpy() - 1)
        ends = stray + size / 4 * np.stack([np.cos(angle), np.sin(angle)], -1)
        strokes = np.concatenate([strokes, np.stack([stray, ends], 2)], 1)
        discs = (0.15 + 0.7 * torch.rand(number, 2, generator=random).numpy()) * size
    pixels = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).reshape(-1, 2)
    for k in (0, 1, 52):
        nearest = np.abs(np.linalg.norm(pixels - heads[k], axis=1) - radii[k])
        for start, end in strokes[k]:
            along = ((pixels - start) @ (end - start) / ((end - start) @ (end - start))).clip(0, 1)
            nearest = np.minimum(nearest, np.linalg.norm(pixels - start - along[:, None] * (end - start), axis=1))
        wanted = (0.7 - nearest).clip(0, 1)
        if clutter:
            inside = (0.14 * size + 0.5 - np.linalg.norm(pixels - discs[k], axis=1)).clip(0, 1)
            wanted = wanted * (1 - inside) + 0.5 * inside
        np.testing.assert_allclose(images[k, 0].flatten().numpy(), wanted, atol=1e-3)


def test_a_stroke_that_ends_where_it_begins_is_a_point():
    place = torch.tensor([[[[2.0, 1.0], [2.0, 1.0]]]])
    rows, columns = np.mgrid[:4, :4]
    found = data.drawn._distance_to_strokes(place, 4)[0, 0].numpy()
    np.testing.assert_allclose(found, np.hypot(columns - 2, rows - 1), atol=1e-6)


# Hills, peaks, and the stack


@pytest.mark.parametrize("spread", [1.0, 1.5])
def test_a_hill_falls_as_a_gaussian_with_the_distance_in_cells(spread):
    points = torch.tensor([[[2.5, 7.0], [10.0, 3.0]]])
    settings = {} if spread == 1 else {"spread": spread}
    maps = heat_maps(points, 5, 7, **settings)
    for k, (x, y) in enumerate(points[0].tolist()):
        rows, columns = np.mgrid[:5, :7]
        squared = (columns - (x - 0.5) / 2) ** 2 + (rows - (y - 0.5) / 2) ** 2
        np.testing.assert_allclose(maps[0, k].numpy(), np.exp(-squared / (2 * spread**2)), rtol=1e-4, atol=1e-7)
    assert torch.equal(heat_maps(points, 5, **settings), heat_maps(points, 5, 5, **settings))


def test_a_peak_is_the_centre_of_mass_of_the_highest_cell_and_what_is_positive_around_it():
    maps = torch.randn(6, 4, 5, 8, generator=seeded())
    found = peaks(maps)
    for n in range(6):
        for k in range(4):
            values = maps[n, k].double().numpy()
            row, column = np.unravel_index(values.argmax(), values.shape)
            rows, columns = np.mgrid[max(row - 1, 0) : min(row + 2, 5), max(column - 1, 0) : min(column + 2, 8)]
            mass = values[rows, columns].clip(0)
            middle = [(mass * columns).sum() / mass.sum(), (mass * rows).sum() / mass.sum()]
            assert found[n, k].tolist() == pytest.approx([2 * each + 0.5 for each in middle], abs=1e-4)


def test_a_map_without_anything_positive_has_its_peak_in_the_middle():
    torch.testing.assert_close(peaks(torch.full((1, 1, 3, 5), -1.0)), torch.tensor([[[4.5, 2.5]]]))


def test_each_hourglass_of_a_stack_gets_features_those_found_and_the_maps_of_the_one_before():
    model, seen, found = models.StackedHourglass(3, stacks=3, width=4).eval(), [], []
    for hourglass in model.hourglasses:
        hourglass.register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
        hourglass.register_forward_hook(lambda layer, given, out: found.append(out))
    maps = model.heat_maps(FIGURES)
    assert torch.equal(seen[0], model.stem(FIGURES))
    for k in range(2):
        torch.testing.assert_close(maps[k], model.heads[k](found[k]))
        torch.testing.assert_close(seen[k + 1], seen[k] + found[k] + model.back[k](maps[k]))


def test_a_single_hourglass_is_a_stack_and_each_has_three_levels():
    model = models.StackedHourglass(3, stacks=1, width=4)
    terms = model.loss(FIGURES, POINTS)
    assert terms["total"].item() == pytest.approx(terms["stack 1"].item())
    parts = (model.hourglasses[0].across, model.hourglasses[0].down, model.hourglasses[0].up)
    assert [len(part) for part in parts] == [3, 3, 3]


def test_a_list_of_key_points_is_told_what_to_become():
    with pytest.raises(ValueError, match=r"got list as points, expected float32 key points of shape \(N, 3, 2\)"):
        models.StackedHourglass(3, width=4).check(FIGURES, POINTS.tolist())


@pytest.mark.parametrize("turned", [False, True])
def test_the_shorter_side_of_an_image_is_halved_as_often_as_its_pixels_allow(turned):
    def shape(side):
        return (1, 40, side) if turned else (1, side, 40)

    assert models.UNet((2, 2, 2, 2), image_shape=shape(8)).eval()(torch.rand(1, *shape(8))).shape == (1, *shape(8))
    with pytest.raises(ValueError, match="a side of 7 pixels cannot be halved 3 times"):
        models.UNet((2, 2, 2, 2), image_shape=shape(7))


def test_gaussian_noise_is_added_and_not_taken_away():
    noise = torch.empty_like(GREY).normal_(generator=seeded(1))
    torch.testing.assert_close(models.GaussianNoise(0.2)(GREY, seeded(1)), (GREY + 0.2 * noise).clamp(0, 1))
