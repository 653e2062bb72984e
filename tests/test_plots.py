"""Every figure: sharp, small, drawn without pyplot, and with the numbers that it was given."""

import inspect
import io

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from PIL import Image
from torch.distributions import Normal

from aecourse import plots
from aecourse.training import History

RANDOM = np.random.default_rng(0)
POINTS = torch.from_numpy(RANDOM.normal(size=(2000, 2))).float()
LABELS = torch.arange(2000) % 10
ANGLES = torch.arange(36) * 10.0
LOOP = torch.stack([torch.cos(torch.deg2rad(ANGLES)), torch.sin(torch.deg2rad(ANGLES))], 1)
SCORES = torch.from_numpy(RANDOM.normal(10, 2, 500)).float()
CLOUDS = Normal(POINTS[:1000], 0.1 + POINTS[1000:].abs())
CORNERS = (torch.tensor([-2.0, -1.0]), torch.tensor([2.0, 1.0]))
SHARES = [0.5, 0.75, 1.0]
RUN = History(
    {"total": [5.0, 3.0, 2.0], "kl": [1.0, 0.5, 0.2]}, {"total": [6.0, 4.0, 3.5], "kl": [2.0, 1.0, 0.5]}, [1.0] * 3
)

# One call of every public function of the module, with as much in it as a chapter would draw.
CHORALE = torch.tensor([[72, 67, 64, 48], [74, 67, 62, 47], [-1, 67, 64, 48]])
DRAWINGS = {
    "history": lambda digits: plots.history(RUN),
    "images": lambda digits: plots.images({"original": digits.test_images, "again": digits.test_images}),
    "grid": lambda digits: plots.grid(digits.test_images[:100]),
    "lines": lambda digits: plots.lines(
        {"PCA": ([1, 2, 4], [9, 5, 3]), "net": ([1, 2, 4], [7, 4, 2])}, x="code", y="error", points={"paper": (2, 3)}
    ),
    "bars": lambda digits: plots.bars({"zlib": 1000.0, "png": 1200.5}, x="bits per image"),
    "latent_maps": lambda digits: plots.latent_maps({"PCA": POINTS, "net": POINTS.flip(1)}, LABELS),
    "clouds": lambda digits: plots.clouds({"net": CLOUDS, "again": CLOUDS}, LABELS[:1000]),
    "atlas": lambda digits: plots.atlas(
        POINTS, LABELS, ground=(LABELS[:900].reshape(30, 30) - 1, *CORNERS), paths={"way": POINTS[:5]}
    ),
    "shares": lambda digits: plots.shares({"2 → 5": SHARES, "5 → 2": SHARES[::-1]}, "012", x="seen", y="path"),
    "loops": lambda digits: plots.loops({"PCA": LOOP, "net": 2 * LOOP}, ANGLES),
    "histograms": lambda digits: plots.histograms({"digits": SCORES, "letters": SCORES + 5}, x="error"),
    "marked": lambda digits: plots.marked(
        digits.test_images[:9], {"true": 28 * POINTS[:9, None].sigmoid(), "found": 14 + POINTS[:27].reshape(9, 3, 2)}
    ),
    "piano_rolls": lambda digits: plots.piano_rolls({"up": CHORALE, "down": CHORALE.flip(0)}),
    "roc": lambda digits: plots.roc({"net": (SCORES, SCORES + 3)}),
    "heatmaps": lambda digits: plots.heatmaps(
        {"mean": digits.test_images.mean((0, 1)), "spread": digits.test_images.std((0, 1))}, label="grey"
    ),
    "landscapes": lambda digits: plots.landscapes(
        {"one": digits.test_images.mean((0, 1)), "two": digits.test_images.std((0, 1))}, label="grey", points=POINTS
    ),
}


def decoded(figure):
    bundle, metadata = figure._repr_mimebundle_()
    assert list(bundle) == ["image/png"]
    return bundle["image/png"], Image.open(io.BytesIO(bundle["image/png"])), metadata["image/png"]


def test_every_public_function_is_drawn_here():
    public = {
        name
        for name, thing in vars(plots).items()
        if inspect.isfunction(thing) and not name.startswith("_") and inspect.unwrap(thing).__module__ == plots.__name__
    }
    assert public == set(DRAWINGS)


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_notebook_gets_a_png_below_60_kb_at_twice_the_size_it_is_shown(name, digits):
    figure = DRAWINGS[name](digits)
    content, picture, shown = decoded(figure)
    assert len(content) < 60_000
    assert picture.format == "PNG"
    assert (picture.width // 2, picture.height // 2) == (shown["width"], shown["height"])
    assert shown["width"] == pytest.approx(100 * figure.get_size_inches()[0], rel=0.2)  # margins are cut or added
    assert len(picture.convert("RGB").getcolors(1 << 24)) > 2  # something is drawn


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_opens_nothing_in_pyplot_and_leaves_its_settings_alone(name, digits):
    before, settings = pyplot.get_fignums(), dict(matplotlib.rcParams)
    figure = DRAWINGS[name](digits)
    figure._repr_mimebundle_()
    assert isinstance(figure, plots.Figure)
    assert pyplot.get_fignums() == before
    assert dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_same_call_draws_the_same_bytes(name, digits):
    first, again = (DRAWINGS[name](digits)._repr_mimebundle_()[0]["image/png"] for _ in range(2))
    assert first == again


@pytest.mark.parametrize("name", sorted(set(DRAWINGS) - {"images", "grid", "heatmaps", "marked"}))
def test_every_axis_has_a_name(name, digits):
    panels = [axes for axes in DRAWINGS[name](digits).axes if axes.get_label() != "<colorbar>"]
    assert all(axes.get_xlabel() for axes in panels)
    assert name == "bars" or all(axes.get_ylabel() for axes in panels)


@pytest.mark.parametrize("name", ["loops", "heatmaps"])
def test_every_colour_bar_has_a_name(name, digits):
    bars = [axes for axes in DRAWINGS[name](digits).axes if axes.get_label() == "<colorbar>"]
    assert len(bars) == 1
    assert bars[0].get_ylabel()


def test_history_draws_training_and_validation_of_every_term_over_the_epochs():
    for axes, term in zip(plots.history(RUN).axes, ["total", "kl"], strict=True):
        training, validation = axes.get_lines()
        assert axes.get_ylabel() == term
        assert list(training.get_xdata()) == [1, 2, 3]
        assert list(training.get_ydata()) == RUN.train[term]
        assert list(validation.get_ydata()) == RUN.validation[term]


def test_history_without_validation_or_without_an_epoch_is_drawn():
    (line,) = plots.history(History({"total": [2.0, 1.0]}, {}, [1.0, 1.0])).axes[0].get_lines()
    assert list(line.get_ydata()) == [2, 1]
    decoded(plots.history(History()))


def test_images_are_drawn_unchanged_in_their_order(digits):
    figure = plots.images({"original": digits.test_images, "dimmed": digits.test_images / 2}, columns=4)
    for axes, factor in zip(figure.axes, (1, 2), strict=True):
        drawn = axes.get_images()[0].get_array()
        assert drawn.shape == (30, 4 * 29 + 1)  # a line of one pixel around each
        for number in range(4):
            part = drawn[1:29, 1 + 29 * number : 29 + 29 * number]
            np.testing.assert_allclose(part * factor, digits.test_images[number, 0], atol=1e-6)
        assert axes.get_images()[0].get_clim() == (0, 1)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["original", "dimmed"]


def test_a_grid_has_as_many_rows_as_it_needs(digits):
    drawn = plots.grid(digits.test_images[:7], columns=3).axes[0].get_images()[0].get_array()
    assert drawn.shape == (3 * 29 + 1, 3 * 29 + 1)
    np.testing.assert_allclose(drawn[59:87, 1:29], digits.test_images[6, 0], atol=1e-6)


def test_what_leaves_the_range_of_images_is_clipped_and_not_rescaled():
    drawn = plots.grid(torch.full((2, 1, 28, 28), 1.5), columns=2).axes[0].get_images()[0].get_array()
    assert drawn.max() == 1


def test_lines_draws_every_curve_and_point_with_its_name_on_the_scale_asked_for():
    figure = plots.lines({"PCA": ([1, 2], [9, 5])}, x="a", y="b", log_x=True, log_y=True, points={"paper": (2, 3)})
    (axes,) = figure.axes
    curve, point = axes.get_lines()
    assert (list(curve.get_xdata()), list(curve.get_ydata())) == ([1, 2], [9, 5])
    assert (list(point.get_xdata()), list(point.get_ydata())) == ([2], [3])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["PCA", "paper"]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_bars_are_as_long_as_their_values_and_labelled_with_them():
    (axes,) = plots.bars({"zlib": 1000.0, "png": 1200.56}, x="bits", digits=1).axes
    assert [bar.get_width() for bar in axes.patches] == [1000.0, 1200.56]
    assert {"1,000.0", "1,200.6"} <= {text.get_text() for text in axes.texts}


def test_a_latent_map_draws_every_point_and_names_every_label_at_its_median():
    (axes,) = plots.latent_maps({"net": POINTS}, LABELS).axes
    drawn = np.concatenate([group.get_offsets() for group in axes.collections])
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, POINTS.numpy()))
    named = {text.get_text(): text.xy for text in axes.texts}
    assert set(named) == {str(label) for label in range(10)}
    np.testing.assert_allclose(named["3"], np.median(POINTS[LABELS == 3].numpy(), axis=0))


def test_clouds_are_ellipses_of_one_sigma_around_every_mean():
    (axes,) = plots.clouds({"net": CLOUDS}, LABELS[:1000]).axes
    ellipses, means = axes.collections[0], axes.collections[10]
    members = LABELS[:1000] == 0
    np.testing.assert_allclose(ellipses.get_offsets(), CLOUDS.mean[members])
    np.testing.assert_allclose(means.get_offsets(), CLOUDS.mean[members])
    np.testing.assert_allclose(ellipses.get_widths(), 2 * CLOUDS.stddev[members, 0], rtol=1e-6)
    np.testing.assert_allclose(ellipses.get_heights(), 2 * CLOUDS.stddev[members, 1], rtol=1e-6)
    assert [circle.get_radius() for circle in axes.patches] == [1, 2]


def test_an_atlas_has_its_ground_where_the_codes_are_and_nothing_stays_dark():
    classes = torch.tensor([[-1, 0], [1, 2]])
    (axes,) = plots.atlas(POINTS, LABELS, ground=(classes, *CORNERS), paths={"way": POINTS[:5]}).axes
    (ground,) = axes.get_images()
    assert ground.get_extent() == [-2, 2, -1, 1]
    assert ground.origin == "lower"
    colours = np.asarray(ground.get_array())
    assert (colours[0, 0] == 0.25).all()
    assert (colours[classes.numpy() >= 0].max(1) > 0.5).all()
    drawn = np.concatenate([group.get_offsets() for group in axes.collections])
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, POINTS.numpy()))
    np.testing.assert_allclose(axes.get_lines()[0].get_xydata(), POINTS[:5])


def test_shares_are_written_in_per_cent_in_their_row_and_column():
    (axes,) = plots.shares({"2 → 5": SHARES, "5 → 2": SHARES[::-1]}, "012", x="seen", y="path").axes
    assert {text.get_position(): text.get_text() for text in axes.texts} == {
        (0, 0): "50", (1, 0): "75", (2, 0): "100", (0, 1): "100", (1, 1): "75", (2, 1): "50"
    }  # fmt: skip
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "1", "2"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["2 → 5", "5 → 2"]


def test_a_loop_is_closed_and_coloured_by_its_angles():
    axes = plots.loops({"net": LOOP}, ANGLES).axes[0]
    (line,) = axes.get_lines()
    np.testing.assert_allclose(line.get_xydata()[0], line.get_xydata()[-1])
    assert len(line.get_xydata()) == 37
    np.testing.assert_allclose(axes.collections[0].get_array(), ANGLES)


def test_histograms_count_shares_of_each_sample_on_common_bins():
    few = torch.tensor([0.0, 0.0, 1.0, 2.0])
    many = torch.arange(1000.0) / 500
    (axes,) = plots.histograms({"few": few, "many": many}, x="error", bins=4).axes
    first, second = (stairs.get_data() for stairs in axes.patches)
    np.testing.assert_array_equal(first.edges, second.edges)
    ranges = list(zip(first.edges[:-1], first.edges[1:], strict=True))
    share = [np.mean((few.numpy() >= low) & (few.numpy() < high)) for low, high in ranges]
    np.testing.assert_allclose(first.values, share)
    assert second.values.sum() == pytest.approx(1, abs=0.01)


def test_the_roc_curve_passes_through_the_shares_counted_by_hand():
    normal, anomalous = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([3.5, 5.0])
    curve = plots.roc({"net": (normal, anomalous)}).axes[0].get_lines()[0].get_xydata().tolist()
    for threshold in (5.0, 4.0, 3.5, 3.0, 1.0):
        share = [(normal >= threshold).float().mean().item(), (anomalous >= threshold).float().mean().item()]
        assert share in curve
    assert curve[0] == [0, 0]
    assert curve[-1] == [1, 1]
    assert curve == sorted(curve)


def test_heatmaps_share_one_colour_scale():
    figure = plots.heatmaps({"a": torch.zeros(3, 3), "b": torch.full((3, 3), 7.0)}, label="grey")
    assert {axes.get_images()[0].get_clim() for axes in figure.axes if axes.get_images()} == {(0.0, 7.0)}
    assert [axes.get_title() for axes in figure.axes[:2]] == ["a", "b"]


def test_images_that_require_gradients_are_drawn():
    decoded(plots.grid(torch.rand(2, 1, 28, 28, requires_grad=True), columns=2))
