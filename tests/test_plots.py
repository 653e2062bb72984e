"""Every figure: sharp, small, drawn without pyplot, and with the numbers that it was given."""

import inspect
import io

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_hex, to_rgb
from PIL import Image
from scipy.stats import median_abs_deviation
from torch.distributions import Normal
from torchvision.utils import make_grid

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
    "grouped_bars": lambda digits: plots.grouped_bars({"files": {"zlib": 9.0}, "nets": {"a": 3.0, "b": 4.0}}, x="bits"),
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


@pytest.fixture(scope="module", params=DRAWINGS)
def drawn(request, digits):
    """Return a figure's name, the figure, and what a notebook gets of it: drawn once for all tests that only look."""
    figure = DRAWINGS[request.param](digits)
    return request.param, figure, *decoded(figure)


def some(names):
    return pytest.mark.parametrize("drawn", sorted(names), indirect=True, scope="module")


def seen(axes):
    """Return the one picture in the axes as the eye has it: the first row on top, the first column on the left."""
    (picture,) = axes.get_images()
    left, right, bottom, top = picture.get_extent()
    rows = np.asarray(picture.get_array())[:: -1 if picture.origin == "lower" else 1]  # now the first lies at `top`
    (x_left, y_bottom), (x_right, y_top) = axes.transData.transform([(left, bottom), (right, top)])
    return rows[:: 1 if y_top > y_bottom else -1, :: 1 if x_right > x_left else -1]


def coloured(groups):
    """Return colour → points, for groups of points that have one colour each."""
    return {to_hex(group.get_facecolor()[0], keep_alpha=False): np.asarray(group.get_offsets()) for group in groups}


def assert_coloured_by_label(axes, points, labels):
    """Assert that every point is drawn in its label's colour, and the label in the same at the median of its points."""
    groups = coloured(group for group in axes.collections if not isinstance(group, EllipseCollection))
    names = {text.get_text(): text for text in axes.texts if text.get_text().isdigit()}
    assert len(groups) == len(names) == len(labels.unique())
    for label in labels.unique().tolist():
        members = points[labels == label].numpy()
        np.testing.assert_array_equal(groups[plots.COLOURS[label]], members)
        assert names[str(label)].get_color() == plots.COLOURS[label]
        np.testing.assert_allclose(names[str(label)].xy, np.median(members, axis=0))


def bar_of_colours(figure):
    (bar,) = (axes for axes in figure.axes if axes.get_label() == "<colorbar>")
    return bar


def test_every_public_function_is_drawn_here():
    public = {
        name
        for name, thing in vars(plots).items()
        if inspect.isfunction(thing) and not name.startswith("_") and inspect.unwrap(thing).__module__ == plots.__name__
    }
    assert public == set(DRAWINGS)


def test_a_notebook_gets_a_png_below_60_kb_at_twice_the_size_it_is_shown(drawn):
    _, figure, content, picture, shown = drawn
    assert len(content) < 60_000
    assert picture.format == "PNG"
    assert (picture.width // 2, picture.height // 2) == (shown["width"], shown["height"])
    assert shown["width"] == pytest.approx(100 * figure.get_size_inches()[0], rel=0.2)  # margins are cut or added


def test_what_a_notebook_gets_has_the_figures_greys_and_colours_on_white():
    greys = torch.tensor([0.0, 1.0, 0.5]).reshape(3, 1, 1, 1).expand(3, 1, 28, 28)
    picture = np.asarray(decoded(plots.grid(greys, columns=3))[1].convert("RGB"), dtype=int)
    height, width, _ = picture.shape
    for place, grey in zip((1 / 6, 3 / 6, 5 / 6), (0, 255, 128), strict=True):
        assert np.abs(picture[height // 2, int(place * width)] - grey).max() <= 4
    assert (picture[0] == 255).all()
    bars = np.asarray(decoded(plots.bars({"zlib": 1.0}, x="bits"))[1].convert("RGB"), dtype=int)
    blue = 255 * np.array(to_rgb(plots.COLOURS[0]))
    assert 0.2 < (np.abs(bars - blue).max(2) <= 4).mean() < 0.8


def test_the_same_call_draws_the_same_bytes_opens_nothing_in_pyplot_and_leaves_its_settings_alone(drawn, digits):
    name, _, first, *_ = drawn
    before, settings = pyplot.get_fignums(), dict(matplotlib.rcParams)
    figure = DRAWINGS[name](digits)
    assert decoded(figure)[0] == first
    assert isinstance(figure, plots.Figure)
    assert pyplot.get_fignums() == before
    assert dict(matplotlib.rcParams) == settings


@some(set(DRAWINGS) - {"images", "grid", "heatmaps", "marked"})
def test_every_axis_has_a_name(drawn):
    name, figure, *_ = drawn
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert all(axes.get_xlabel() for axes in panels)
    assert name in ("bars", "grouped_bars") or all(axes.get_ylabel() for axes in panels)


@some(["heatmaps", "landscapes", "loops"])
def test_every_colour_bar_has_a_name(drawn):
    name, figure, *_ = drawn
    assert bar_of_colours(figure).get_ylabel() == {"loops": "angle (degrees)"}.get(name, "grey")


def test_history_draws_training_and_validation_of_every_term_over_the_epochs():
    for axes, term in zip(plots.history(RUN).axes, ["total", "kl"], strict=True):
        training, validation = axes.get_lines()
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", term)
        assert list(training.get_xdata()) == list(validation.get_xdata()) == [1, 2, 3]
        assert list(training.get_ydata()) == RUN.train[term]
        assert list(validation.get_ydata()) == RUN.validation[term]
        assert [line.get_label() for line in axes.get_lines()] == ["training", "validation"]
        assert [line.get_linestyle() for line in axes.get_lines()] == ["-", "--"]


def test_a_total_that_consists_of_one_term_alone_is_not_drawn_twice():
    once = plots.history(History({"total": [2.0, 1.0], "reconstruction": [2.0, 1.0]}, {}, [1.0, 1.0]))
    assert [axes.get_ylabel() for axes in once.axes] == ["reconstruction"]
    other = plots.history(History({"total": [2.0, 1.0], "reconstruction": [2.0, 0.5]}, {}, [1.0, 1.0]))
    assert [axes.get_ylabel() for axes in other.axes] == ["total", "reconstruction"]
    three = plots.history(History({"total": [2.0], "reconstruction": [2.0], "kl": [0.0]}, {}, [1.0]))
    assert [axes.get_ylabel() for axes in three.axes] == ["total", "reconstruction", "kl"]


def test_history_without_validation_or_without_an_epoch_is_drawn():
    (line,) = plots.history(History({"total": [2.0, 1.0]}, {}, [1.0, 1.0])).axes[0].get_lines()
    assert list(line.get_ydata()) == [2, 1]
    decoded(plots.history(History()))


def test_images_are_drawn_unchanged_in_their_order(digits):
    figure = plots.images({"original": digits.test_images, "dimmed": digits.test_images / 2}, columns=4)
    for axes, factor in zip(figure.axes, (1, 2), strict=True):
        drawn = seen(axes)
        assert drawn.shape == (30, 4 * 29 + 1)  # a line of one pixel around each
        for number in range(4):
            part = drawn[1:29, 1 + 29 * number : 29 + 29 * number]
            np.testing.assert_allclose(part * factor, digits.test_images[number, 0], atol=1e-6)
        assert axes.get_images()[0].get_clim() == (0, 1)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["original", "dimmed"]


def test_ten_images_stand_in_a_row_unless_told_otherwise(digits):
    (row,) = plots.images({"original": digits.test_images[:12]}).axes
    assert seen(row).shape == (30, 10 * 29 + 1)
    (page,) = plots.grid(digits.test_images[:12]).axes
    assert seen(page).shape == (2 * 29 + 1, 10 * 29 + 1)


def test_a_grid_is_read_like_a_page_and_has_as_many_rows_as_it_needs(digits):
    (axes,) = plots.grid(digits.test_images[:7], columns=3).axes
    drawn = seen(axes)
    assert drawn.shape == (3 * 29 + 1, 3 * 29 + 1)
    for number in range(7):
        top, left = 1 + 29 * (number // 3), 1 + 29 * (number % 3)
        np.testing.assert_allclose(drawn[top : top + 28, left : left + 28], digits.test_images[number, 0], atol=1e-6)
    assert axes.get_images()[0].get_clim() == (0, 1)


@pytest.mark.parametrize(
    ("count", "columns", "shape"),
    [(7, 3, (1, 28, 28)), (6, 6, (3, 5, 9)), (4, 1, (1, 2, 3)), (3, 10, (1, 8, 8)), (1, 4, (1, 5, 6))],
)
def test_rows_of_images_are_those_of_torchvision(count, columns, shape):
    pictures = torch.rand(count, *shape)
    page = make_grid(pictures, nrow=columns, padding=1, pad_value=0.35)[: shape[0]]  # it makes three channels of one
    (axes,) = plots.grid(pictures, columns=columns).axes
    assert np.array_equal(seen(axes), page.movedim(0, 2).numpy().squeeze())


def test_what_leaves_the_range_of_images_is_clipped_and_not_rescaled():
    drawn = seen(plots.grid(torch.tensor([-0.5, 1.5]).reshape(2, 1, 1, 1).expand(2, 1, 28, 28), columns=2).axes[0])
    assert (drawn[1:29, 1:29] == 0).all()
    assert (drawn[1:29, 30:58] == 1).all()


def test_lines_draws_every_curve_and_point_with_its_name_on_the_scale_asked_for():
    long = (list(range(1, 41)), [9.0 - number / 10 for number in range(40)])
    figure = plots.lines(
        {"PCA": ([1, 2], [9, 5]), "net": long}, x="a", y="b", log_x=True, log_y=True, points={"paper": (2, 3)}
    )
    (axes,) = figure.axes
    short, curve, point = axes.get_lines()
    assert (list(short.get_xdata()), list(short.get_ydata())) == ([1, 2], [9, 5])
    assert (list(curve.get_xdata()), list(curve.get_ydata())) == long
    assert (list(point.get_xdata()), list(point.get_ydata())) == ([2], [3])
    assert [line.get_marker() == "None" for line in axes.get_lines()] == [False, True, False]  # 40 would hide the curve
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["PCA", "net", "paper"]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("a", "b")
    for log in ({}, {"log_x": True}, {"log_y": True}):
        (alone,) = plots.lines({"PCA": ([1, 2], [9, 5])}, x="a", y="b", **log).axes
        scales = ["log" if name in log else "linear" for name in ("log_x", "log_y")]
        assert [alone.get_xscale(), alone.get_yscale()] == scales
        assert alone.get_legend() is None


def test_every_curve_has_a_look_of_its_own():
    short, long = list(range(5)), list(range(31))
    figure = plots.lines({f"{n} {name}": (x, x) for n, x in ((5, short), (31, long)) for name in "abcd"}, x="a", y="b")
    looks = [(line.get_color(), line.get_marker(), line.get_linestyle()) for line in figure.axes[0].get_lines()]
    assert len({marker for _, marker, _ in looks[:4]}) == 4
    assert len({style for *_, style in looks[4:]}) == 4
    assert len({colour for colour, *_ in looks}) == 8


@pytest.mark.parametrize(("ends", "expected"), [((1, 100), "1 2 5 10 20 50 100"), ((1, 10_000), "1 10 100 1000 10000")])
def test_logarithmic_axes_have_plain_numbers(ends, expected):
    figure = plots.lines({"PCA": (ends, ends)}, x="a", y="b", log_x=True, log_y=True)
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    for low_high, ticks in ((axes.get_xlim(), axes.get_xticks()), (axes.get_ylim(), axes.get_yticks())):
        assert [f"{tick:g}" for tick in ticks if low_high[0] <= tick <= low_high[1]] == expected.split()
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert set(expected.split()) <= {label.get_text() for label in labels}
    assert not any(label.get_text() for label in axes.get_xticklabels(minor=True))


def test_bars_are_as_long_as_their_values_in_the_order_given_and_end_with_them():
    (axes,) = plots.bars({"zlib": 1000.0, "png": 1200.56}, x="bits", digits=1).axes
    named = dict(zip(axes.get_yticks(), (label.get_text() for label in axes.get_yticklabels()), strict=True))
    numbers = {text.xy: text.get_text() for text in axes.texts}
    bars = sorted(axes.patches, key=lambda bar: -axes.transData.transform((0, bar.get_y()))[1])  # from the top
    places = [bar.get_y() + bar.get_height() / 2 for bar in bars]
    assert [named[place] for place in places] == ["zlib", "png"]
    assert [bar.get_width() for bar in bars] == [1000.0, 1200.56]
    assert [bar.get_x() for bar in bars] == [0, 0]
    assert [numbers[bar.get_width(), place] for bar, place in zip(bars, places, strict=True)] == ["1,000.0", "1,200.6"]
    assert axes.get_xlabel() == "bits"


def test_grouped_bars_stand_below_the_heading_of_their_group_and_have_its_colour():
    groups = {"files": {"zlib": 1000.0, "png": 1200.56}, "nets": {"a net": 300.0}}
    (axes,) = plots.grouped_bars(groups, x="bits", digits=1).axes
    named = dict(zip(axes.get_yticks(), (label.get_text() for label in axes.get_yticklabels()), strict=True))
    bars = {named[round(bar.get_y() + bar.get_height() / 2)]: bar for bar in axes.patches}
    assert {name: bar.get_width() for name, bar in bars.items()} == {"zlib": 1000.0, "png": 1200.56, "a net": 300.0}
    assert [to_hex(bar.get_facecolor()) for bar in bars.values()] == [*2 * plots.COLOURS[:1], plots.COLOURS[1]]
    rows = {text.get_text().strip(): getattr(text, "xy", text.get_position())[1] for text in axes.texts}
    assert sorted(rows, key=rows.get) == ["files", "1,000.0", "1,200.6", "nets", "300.0"]
    assert axes.yaxis_inverted()  # so that the first group is on top
    assert axes.get_xlabel() == "bits"


def test_a_latent_map_draws_every_point_and_names_every_label_at_its_median():
    wide = POINTS * torch.tensor([1.0, 5.0]) + torch.tensor([0.5, -3.0])
    figure = plots.latent_maps({"PCA": POINTS, "net": wide}, LABELS)
    for axes, (title, points) in zip(figure.axes, {"PCA": POINTS, "net": wide}.items(), strict=True):
        assert axes.get_title() == title
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("$z_1$", "$z_2$")
        assert_coloured_by_label(axes, points, LABELS)
        widths = [scale.get_transform().linear_width for scale in (axes.xaxis, axes.yaxis)]
        np.testing.assert_allclose(widths, median_abs_deviation(points.numpy()), rtol=1e-5)
        assert list(axes.get_xticks()) == list(axes.get_yticks()) == [-10, -3, -1, 0, 1, 3, 10]
        assert len(axes.get_xticks(minor=True)) == len(axes.get_yticks(minor=True)) == 0


def test_clouds_are_ellipses_of_one_sigma_around_every_mean():
    labels = LABELS[:1000]
    other = Normal(CLOUDS.mean.flip(1) * torch.tensor([10.0, 0.1]), CLOUDS.stddev.flip(1))
    figure = plots.clouds({"net": CLOUDS, "again": other}, labels)
    for axes, (title, q) in zip(figure.axes, {"net": CLOUDS, "again": other}.items(), strict=True):
        assert axes.get_title() == title
        assert_coloured_by_label(axes, q.mean, labels)
        clouds = [group for group in axes.collections if isinstance(group, EllipseCollection)]
        assert len(clouds) == 10
        for label, cloud in enumerate(clouds):
            mean, spread = q.mean[labels == label], q.stddev[labels == label]
            np.testing.assert_allclose(coloured([cloud])[plots.COLOURS[label]], mean)
            np.testing.assert_allclose(cloud.get_widths(), 2 * spread[:, 0], rtol=1e-6)
            np.testing.assert_allclose(cloud.get_heights(), 2 * spread[:, 1], rtol=1e-6)
            assert not np.any(cloud.get_angles())
        assert [circle.get_radius() for circle in axes.patches] == [1, 2]
        assert [tuple(circle.get_center()) for circle in axes.patches] == [(0, 0), (0, 0)]
        assert axes.get_aspect() == 1


def test_clouds_far_out_are_left_out_and_the_circles_of_the_prior_are_not():
    q = Normal(POINTS * torch.tensor([10.0, 0.1]), torch.ones(2000, 2))
    (axes,) = plots.clouds({"net": q}, LABELS).axes
    assert axes.get_ylim() == (-2.5, 2.5)
    low, high = np.percentile(q.mean[:, 0].numpy(), [3, 97])
    np.testing.assert_allclose(axes.get_xlim(), (low - 0.5, high + 0.5), rtol=1e-5)


def test_an_atlas_has_its_ground_where_the_codes_are_and_nothing_stays_dark():
    classes = torch.tensor([[-1, 0, 7], [1, 2, -1]])
    (axes,) = plots.atlas(POINTS, LABELS, ground=(classes, *CORNERS), paths={"way": POINTS[:5]}).axes
    assert axes.get_images()[0].get_extent() == [-2, 2, -1, 1]
    assert (axes.get_xlim(), axes.get_ylim()) == ((-2, 2), (-1, 1))
    for row, column in np.ndindex(2, 3):
        colour, label = seen(axes)[::-1][row, column], int(classes[row, column])  # the first row lies at the bottom
        expected = [0.55 + 0.45 * part for part in to_rgb(plots.COLOURS[label])] if label >= 0 else [0.25] * 3
        np.testing.assert_allclose(colour, expected, atol=1e-6)
    assert_coloured_by_label(axes, POINTS, LABELS)
    line, dot = axes.get_lines()
    np.testing.assert_allclose(line.get_xydata(), POINTS[:5])
    np.testing.assert_allclose(dot.get_xydata(), POINTS[:1])
    (arrow,) = (text for text in axes.texts if not text.get_text())
    np.testing.assert_allclose((arrow.xyann, arrow.xy), POINTS[3:5])  # from the last but one to the last
    (name,) = (text for text in axes.texts if text.get_text() == "way")
    np.testing.assert_allclose(name.xy, POINTS[2])


def test_an_atlas_needs_neither_ground_nor_paths():
    (axes,) = plots.atlas(POINTS, LABELS).axes
    assert_coloured_by_label(axes, POINTS, LABELS)
    assert not axes.get_images()
    assert not axes.get_lines()


def test_shares_are_written_in_per_cent_in_their_row_and_column_the_larger_the_darker():
    figure = plots.shares({"2 → 5": [0.5, 0.75, 1.0], "5 → 2": [0.004, 0.25, 0.6]}, "012", x="seen", y="path")
    (axes,) = figure.axes
    assert {text.get_position(): (text.get_text(), text.get_color()) for text in axes.texts} == {
        (0, 0): ("50", "black"), (1, 0): ("75", "white"), (2, 0): ("100", "white"),
        (0, 1): ("0", "black"), (1, 1): ("25", "black"), (2, 1): ("60", "black"),
    }  # fmt: skip
    np.testing.assert_allclose(seen(axes), [[0.5, 0.75, 1.0], [0.004, 0.25, 0.6]])
    (picture,) = axes.get_images()
    assert picture.get_extent() == [-0.5, 2.5, 1.5, -0.5]  # the numbers stand on their own cells
    assert picture.get_clim() == (0, 1)
    assert sum(picture.cmap(0.9)[:3]) < sum(picture.cmap(0.1)[:3])
    assert dict(zip(axes.get_xticks(), (tick.get_text() for tick in axes.get_xticklabels()), strict=True)) == {
        0: "0", 1: "1", 2: "2"
    }  # fmt: skip
    assert dict(zip(axes.get_yticks(), (tick.get_text() for tick in axes.get_yticklabels()), strict=True)) == {
        0: "2 → 5", 1: "5 → 2"
    }  # fmt: skip
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("seen", "path")


def test_a_loop_is_closed_and_coloured_by_its_angles():
    paths = {"PCA": LOOP * torch.tensor([1.0, 3.0]), "net": 2 * LOOP}
    *panels, bar = plots.loops(paths, ANGLES).axes
    for axes, (title, points) in zip(panels, paths.items(), strict=True):
        assert axes.get_title() == title
        (line,) = axes.get_lines()
        np.testing.assert_allclose(line.get_xydata(), torch.cat([points, points[:1]]))
        (dots,) = axes.collections
        np.testing.assert_allclose(dots.get_offsets(), points)
        np.testing.assert_allclose(dots.get_array(), ANGLES)
        assert dots.get_clim() == (0, 360)
    assert list(bar.get_yticks()) == [0, 90, 180, 270, 360]


def test_histograms_count_shares_of_each_sample_on_common_bins():
    few = torch.tensor([0.0, 0.0, 1.0, 2.0])
    many = torch.arange(1000.0) / 500
    (axes,) = plots.histograms({"few": few, "many": many}, x="error", y="share", bins=4).axes
    first, second = (stairs.get_data() for stairs in axes.patches)
    np.testing.assert_array_equal(first.edges, second.edges)
    assert len(first.edges) == 5
    np.testing.assert_allclose(np.diff(first.edges), np.diff(first.edges)[0], rtol=1e-5)
    assert first.edges[0] == 0
    assert 0.99 < ((torch.cat([few, many]) <= float(first.edges[-1])).float().mean()) < 1  # 1 in 200 is left out
    ranges = list(zip(first.edges[:-1], first.edges[1:], strict=True))
    share = [np.mean((few.numpy() >= low) & (few.numpy() < high)) for low, high in ranges]
    np.testing.assert_allclose(first.values, share)
    assert second.values.sum() == pytest.approx(1, abs=0.01)
    assert [stairs.get_label() for stairs in axes.patches] == ["few", "many"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["few", "many"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("error", "share")


def test_the_roc_curve_passes_through_the_shares_counted_by_hand():
    normal, anomalous = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([3.5, 5.0])
    (axes,) = plots.roc({"net": (normal, anomalous), "worse": (anomalous, normal)}).axes
    curve, worse, guessing = (line.get_xydata() for line in axes.get_lines())
    for threshold in (5.0, 4.0, 3.5, 3.0, 1.0):
        share = [(normal >= threshold).float().mean().item(), (anomalous >= threshold).float().mean().item()]
        assert share in curve.tolist()
        assert share[::-1] in worse.tolist()
    assert curve[0].tolist() == [0, 0]
    assert curve[-1].tolist() == [1, 1]
    assert curve.tolist() == sorted(curve.tolist())
    assert guessing.tolist() == [[0, 0], [1, 1]]
    assert [line.get_label() for line in axes.get_lines()] == ["net", "worse", "guessing"]
    assert axes.get_xlabel() == "share of normal images flagged"
    assert axes.get_ylabel() == "share of anomalies found"


MAPS = {"a": torch.arange(6.0).reshape(2, 3), "b": 7 - torch.arange(6.0).reshape(2, 3)}


def test_heatmaps_draw_their_numbers_with_the_first_row_on_top_on_one_colour_scale():
    figure = plots.heatmaps(MAPS, label="grey")
    for axes, (title, values) in zip(figure.axes, MAPS.items(), strict=False):
        assert axes.get_title() == title
        np.testing.assert_array_equal(seen(axes), values)
        assert axes.get_images()[0].get_clim() == (0, 7)
    np.testing.assert_allclose(bar_of_colours(figure).get_ylim(), (0, 7))


def test_landscapes_draw_their_numbers_with_the_first_row_at_the_bottom_and_points_where_they_are():
    figure = plots.landscapes(MAPS, label="energy", points={"b": POINTS[:20]}, size=(-1.0, 2.0))
    for axes, (title, values) in zip(figure.axes, MAPS.items(), strict=False):
        assert axes.get_title() == title
        np.testing.assert_array_equal(seen(axes)[::-1], values)
        assert axes.get_images()[0].get_extent() == [-1, 2, -1, 2]
        assert axes.get_images()[0].get_clim() == (0, 7)
        assert (axes.get_xlim(), axes.get_ylim()) == ((-1, 2), (-1, 2))
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("$x_1$", "$x_2$")
    first, second, bar = figure.axes
    assert not first.collections
    np.testing.assert_allclose(second.collections[0].get_offsets(), POINTS[:20])
    np.testing.assert_allclose(bar.get_ylim(), (0, 7))
    both = plots.landscapes(MAPS, label="energy", points=POINTS[:20]).axes[:2]
    for axes in both:
        np.testing.assert_allclose(axes.collections[0].get_offsets(), POINTS[:20])
        assert axes.get_xlim() == (0, 1)
    assert not plots.landscapes(MAPS, label="energy").axes[0].collections


def test_a_piano_roll_has_a_bar_in_its_voices_colour_for_every_note_and_none_for_a_rest():
    pieces = {"up": CHORALE, "down": CHORALE.flip(0), "low": CHORALE[:2] - 10, "last": CHORALE[:1]}
    figure = plots.piano_rolls(pieces, steps_per_beat=4)
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(pieces)  # of six panels two are taken away
    rows = [axes.get_subplotspec().rowspan.start for axes in figure.axes]
    assert rows == [0, 0, 0, 1]
    for axes, piece in zip(figure.axes, pieces.values(), strict=True):
        for voice, name in enumerate(["soprano", "alto", "tenor", "bass"]):
            bars = axes.containers[voice]
            assert bars.get_label() == name
            assert {to_hex(bar.get_facecolor()) for bar in bars} == {plots.COLOURS[voice]}
            notes = [(step, pitch) for step, pitch in enumerate(piece[:, voice].tolist()) if pitch >= 0]
            assert [bar.get_y() + bar.get_height() / 2 for bar in bars] == pytest.approx([p for _, p in notes])
            assert [bar.get_x() for bar in bars] == pytest.approx([step / 4 for step, _ in notes])
            assert {bar.get_width() for bar in bars} == {0.25}
            assert all(0.5 < bar.get_height() < 1 for bar in bars)  # notes a semitone apart do not touch
        assert axes.get_xlim() == (0, len(piece) / 4)
        assert axes.get_ylim() == (37 - 2, 74 + 2)
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("beats", "pitch (MIDI)")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["soprano", "alto", "tenor", "bass"]


def test_marks_lie_on_the_pixels_that_their_x_and_y_name():
    pictures = torch.zeros(3, 1, 20, 30)
    places = torch.tensor([[[25.0, 3.0], [4.0, 17.0]], [[0.0, 0.0], [29.0, 19.0]], [[8.0, 9.0], [9.0, 8.0]]])
    for picture, ((x, y), _) in zip(pictures, places.long().tolist(), strict=True):
        picture[0, y, x] = 1
    found = places.flip(1) + 0.25
    figure = plots.marked(pictures, {"true": places, "found": found}, columns=2)
    assert len(figure.axes) == 4
    for number, axes in enumerate(figure.axes[:3]):
        np.testing.assert_array_equal(seen(axes), pictures[number, 0])
        assert axes.get_images()[0].get_extent() == [-0.5, 29.5, 19.5, -0.5]
        assert axes.get_images()[0].get_clim() == (0, 1)
        for marks, points, colour in zip(axes.collections, (places, found), plots.COLOURS, strict=False):
            np.testing.assert_array_equal(marks.get_offsets(), points[number])
            assert to_hex(marks.get_edgecolor()[0]) == colour
        assert [marks.get_label() for marks in axes.collections] == ["true", "found"]
    assert not figure.axes[3].get_images()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["true", "found"]


def test_images_that_require_gradients_are_drawn():
    decoded(plots.grid(torch.rand(2, 1, 28, 28, requires_grad=True), columns=2))


def test_only_1_2_and_5_are_named_on_a_logarithmic_axis():
    (axes,) = plots.lines({"PCA": ([1, 100], [1, 100])}, x="a", y="b", log_x=True, log_y=True).axes
    FigureCanvasAgg(axes.figure).draw()
    for scale in (axes.xaxis, axes.yaxis):
        assert {label.get_text() for label in scale.get_minorticklabels()} <= {""}


def test_an_atlas_fills_its_panel_whatever_the_codes_cover():
    (axes,) = plots.atlas(POINTS, LABELS, ground=(LABELS[:9].reshape(3, 3), *CORNERS)).axes
    assert axes.get_aspect() == "auto"


def test_images_have_no_frame(digits):
    for axes in plots.images({"original": digits.test_images}).axes:
        assert not any(spine.get_visible() for spine in axes.spines.values())
        assert not len(axes.get_xticks())


@pytest.mark.parametrize("draw", [plots.heatmaps, plots.landscapes])
def test_maps_share_a_scale_of_colours_that_reads_in_grey_and_it_stands_right_of_all(draw):
    figure = draw(dict(zip("abc", [torch.rand(4, 4)] * 3, strict=True)), label="grey")
    FigureCanvasAgg(figure).draw()
    *maps, scale = figure.axes
    assert {axes.get_images()[0].get_cmap().name for axes in maps} == {"cividis"}
    assert len({round(axes.get_position().width, 3) for axes in maps}) == 1
    assert scale.get_position().x0 > max(axes.get_position().x1 for axes in maps)


def test_only_the_first_of_several_landscapes_has_numbers_at_its_side():
    figure = plots.landscapes(dict(zip("abc", [torch.rand(4, 4)] * 3, strict=True)), label="energy")
    assert [len(axes.get_yticks()) > 0 for axes in figure.axes[:3]] == [True, False, False]


def test_there_is_room_for_the_number_at_the_end_of_a_bar():
    (axes,) = plots.bars({"zlib": 1000.0, "png": 1200.0}, x="bits").axes
    assert axes.get_xlim()[1] > 1.1 * 1200


def test_six_pictures_stand_in_a_row_unless_told_otherwise(digits):
    figure = plots.marked(digits.test_images[:7], {"true": 28 * POINTS[:7, None].sigmoid()})
    assert len(figure.axes) == 12  # two rows


def test_a_figure_is_plain_and_its_words_and_lines_have_one_size():
    (axes,) = plots.lines({"a": ([1, 2], [1, 2]), "b": ([1, 2], [2, 1])}, x="a", y="b").axes
    (panel,) = plots.latent_maps({"PCA": POINTS}, LABELS).axes
    for each in (axes, panel):
        assert {side for side, spine in each.spines.items() if spine.get_visible()} == {"left", "bottom"}
        assert {each.xaxis.label.get_size(), each.title.get_size(), each.get_xticklabels()[0].get_size()} == {10}
    assert [line.get_linewidth() for line in axes.get_lines()] == [1.8, 1.8]
    assert [line.get_color() for line in axes.get_lines()] == list(plots.COLOURS[:2])
    assert not axes.get_legend().get_frame().get_visible() or not axes.get_legend().get_frame_on()


def test_a_notebook_gets_200_pixels_an_inch_of_what_is_drawn_in_few_colours_and_packed_well(drawn):
    _, figure, content, picture, _ = drawn
    inches = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())  # savefig leaves a tenth around it
    assert (picture.width, picture.height) == pytest.approx((200 * inches.width + 40, 200 * inches.height + 40), abs=3)
    assert len(picture.getcolors()) <= 64
    again = io.BytesIO()
    picture.save(again, "png")
    assert len(content) < len(again.getvalue())


def test_what_a_reader_has_chosen_for_figures_changes_none_of_these():
    with matplotlib.rc_context({"figure.facecolor": "black", "patch.linewidth": 7.0, "image.interpolation": "bicubic"}):
        figures = [plots.grid(torch.zeros(1, 1, 8, 8), columns=1), plots.clouds({"net": CLOUDS}, LABELS[:1000])]
        pictures = [np.asarray(decoded(figure)[1].convert("RGB")) for figure in figures]
    for picture in pictures:
        assert (picture[0] == 255).all()
    assert [circle.get_linewidth() for circle in figures[1].axes[0].patches] == [1, 1]
    assert figures[0].axes[0].get_images()[0].get_interpolation() == "nearest"


def test_the_pixels_of_pictures_stay_squares():
    pictures = torch.rand(3, 1, 8, 8)
    ground = (LABELS[:9].reshape(3, 3), *CORNERS)
    for figure in (
        plots.images({"a": pictures}, columns=2), plots.marked(pictures, {"a": torch.ones(3, 1, 2)}, columns=3),
        plots.atlas(POINTS, LABELS, ground=ground),
    ):  # fmt: skip
        assert {axes.get_images()[0].get_interpolation() for axes in figure.axes} == {"nearest"}


def places(figure):
    """Return the row and the column of every panel, and how many rows and columns there are."""
    specs = [axes.get_subplotspec() for axes in figure.axes if axes.get_label() != "<colorbar>"]
    (shape,) = {spec.get_gridspec().get_geometry() for spec in specs}
    return [(spec.rowspan.start, spec.colspan.start) for spec in specs], shape


def test_rows_of_images_stand_below_and_all_other_panels_beside_each_other():
    rows, maps = dict.fromkeys("abc", torch.rand(2, 1, 8, 8)), dict.fromkeys("abc", torch.rand(4, 5))
    assert places(plots.images(rows)) == ([(0, 0), (1, 0), (2, 0)], (3, 1))
    for figure in (
        plots.heatmaps(maps, label="l"), plots.landscapes(maps, label="l"),
        plots.latent_maps(dict.fromkeys("abc", POINTS), LABELS), plots.loops(dict.fromkeys("abc", LOOP), ANGLES),
        plots.clouds(dict.fromkeys("abc", CLOUDS), LABELS[:1000]),
        plots.history(History({name: [1.0, 2.0] for name in "abc"}, {}, [1.0, 1.0])),
    ):  # fmt: skip
        assert places(figure) == ([(0, 0), (0, 1), (0, 2)], (1, 3))
    assert places(plots.history(History())) == ([(0, 0)], (1, 1))
    pieces = dict(zip("abcd", [CHORALE] * 4, strict=True))
    assert places(plots.piano_rolls(pieces)) == ([(0, 0), (0, 1), (0, 2), (1, 0)], (2, 3))
    assert places(plots.piano_rolls({"a": CHORALE, "b": CHORALE}))[1] == (1, 2)


def test_a_figure_grows_with_its_rows_and_columns_and_makes_room_for_its_words(digits):
    size = {count: plots.grid(digits.test_images[:count], columns=3).get_size_inches() for count in (3, 7)}
    assert size[3].tolist() == [1.5, 0.5]
    assert size[7].tolist() == [1.5, 1.5]
    one, two = (plots.images(dict.fromkeys(names, digits.test_images[:4]), columns=4) for names in ("a", "ab"))
    assert one.get_size_inches()[0] == two.get_size_inches()[0] == 2
    assert two.get_size_inches()[1] == 2 * one.get_size_inches()[1]
    wide = [
        plots.heatmaps(dict.fromkeys(names, torch.rand(4, 4)), label="l").get_size_inches() for names in ("a", "ab")
    ]
    assert wide[1].tolist() == [2 * wide[0][0], wide[0][1]]
    assert type(one.get_layout_engine()).__name__ == "ConstrainedLayoutEngine"


def test_history_names_its_curves():
    for axes in plots.history(RUN).axes:
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]


@pytest.mark.parametrize("count", [4, 9, 18, 22, 35, 70, 130, 250])
def test_ticks_of_epochs_are_whole_and_1_2_or_5_apart_or_ten_times_that(count):
    (axes,) = plots.history(History({"total": [1.0] * count}, {}, [1.0] * count)).axes
    steps = set(np.diff(axes.get_xticks()).tolist())
    assert len(steps) == 1
    assert steps <= {1, 2, 5, 10, 20, 50, 100}


def test_a_curve_of_thirty_places_shows_each_of_them_and_one_of_more_does_not():
    for count, marked in ((30, True), (31, False)):
        (line,) = plots.lines({"a": (range(count), range(count))}, x="a", y="b").axes[0].get_lines()
        assert (line.get_marker() != "None") is marked


def test_a_named_point_is_black():
    *_, point = plots.lines({"a": ([1, 2], [1, 2])}, x="a", y="b", points={"p": (1, 2)}).axes[0].get_lines()
    assert point.get_color() == "black"


@pytest.mark.parametrize(("curves", "points", "named"), [(1, 0, False), (0, 1, False), (1, 1, True), (2, 0, True)])
def test_there_is_a_legend_as_soon_as_two_things_are_drawn(curves, points, named):
    (axes,) = plots.lines(
        {str(number): ([1, 2], [1, 2]) for number in range(curves)},
        points={f"p{number}": (1, 1) for number in range(points)}, x="a", y="b",
    ).axes  # fmt: skip
    assert (axes.get_legend() is not None) is named


@pytest.mark.parametrize(
    ("ends", "expected"), [((100, 10_000), "100 200 500 1000 2000 5000 10000"), ((0.01, 100), "0.01 0.1 1 10 100")]
)
def test_how_many_numbers_a_logarithmic_axis_has_depends_on_how_many_powers_of_ten_it_spans(ends, expected):
    (axes,) = plots.lines({"PCA": (ends, ends)}, x="a", y="b", log_x=True, log_y=True).axes
    for (low, high), ticks in ((axes.get_xlim(), axes.get_xticks()), (axes.get_ylim(), axes.get_yticks())):
        assert [f"{tick:g}" for tick in ticks if low <= tick <= high] == expected.split()


def test_a_bar_ends_with_a_whole_number_unless_told_otherwise_and_little_room_is_left_for_it():
    (axes,) = plots.bars({"zlib": 1000.4, "png": 1200.6}, x="bits").axes
    assert [text.get_text() for text in axes.texts] == ["1,000", "1,201"]
    assert 1.1 * 1200.6 < axes.get_xlim()[1] < 1.25 * 1200.6


def test_the_axes_of_a_latent_map_have_plain_numbers():
    (axes,) = plots.latent_maps({"a": POINTS}, LABELS).axes
    FigureCanvasAgg(axes.figure).draw()
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text().replace("−", "-") for label in labels] == ["-10", "-3", "-1", "0", "1", "3", "10"]


def test_a_code_of_small_spread_is_shown_as_wide_as_it_is_and_a_collapsed_one_not_as_nothing():
    spread = POINTS / torch.from_numpy(median_abs_deviation(POINTS.numpy())) * torch.tensor([0.0015, 0.0])
    (axes,) = plots.latent_maps({"a": spread}, LABELS).axes
    widths = [scale.get_transform().linear_width for scale in (axes.xaxis, axes.yaxis)]
    assert widths[0] == pytest.approx(0.0015, rel=1e-4)
    assert 0 < widths[1] <= 0.0010001


def test_labels_stand_in_the_middle_of_their_points_and_points_have_a_white_edge_on_a_ground_alone():
    ground = (LABELS[:9].reshape(3, 3), *CORNERS)
    bare = [plots.atlas(POINTS, LABELS), plots.latent_maps({"a": POINTS}, LABELS)]
    for figure, edged in ((plots.atlas(POINTS, LABELS, ground=ground), True), *((figure, False) for figure in bare)):
        (axes,) = figure.axes
        for group in axes.collections:
            (width,) = group.get_linewidths()
            assert 0 < width < 0.3 if edged else width == 0
            assert not edged or to_hex(group.get_edgecolor()[0]) == "#ffffff"
        assert {(text.get_ha(), text.get_va()) for text in axes.texts} == {("center", "center")}


def test_clouds_can_be_seen_through_and_have_no_edge_and_the_prior_is_two_dashed_circles():
    (axes,) = plots.clouds({"net": CLOUDS}, LABELS[:1000]).axes
    for cloud in axes.collections:
        if isinstance(cloud, EllipseCollection):
            assert 0 < cloud.get_facecolor()[0, 3] < 0.4
            assert set(cloud.get_linewidths()) == {0}
    for circle in axes.patches:
        assert (circle.get_fill(), circle.get_linestyle(), circle.get_linewidth()) == (False, "--", 1)


@pytest.mark.parametrize("scale", [(10.0, 0.1), (0.1, 10.0)])
def test_the_axes_of_clouds_hold_the_circles_and_all_but_the_outermost_means(scale):
    q = Normal((POINTS + torch.tensor([0.02, -0.02])) * torch.tensor(scale), torch.ones(2000, 2))
    (axes,) = plots.clouds({"net": q}, LABELS).axes
    low, high = np.percentile(q.mean.numpy(), [3, 97], axis=0)
    for limits, least, most in zip((axes.get_xlim(), axes.get_ylim()), low, high, strict=True):
        np.testing.assert_allclose(limits, (min(least, -2) - 0.5, max(most, 2) + 0.5), rtol=1e-5)


def test_a_loop_is_a_grey_line_with_dots_in_colours_that_end_as_they_begin():
    figure = plots.loops({"PCA": LOOP, "net": 2 * LOOP}, ANGLES)
    *panels, bar = figure.axes
    for axes in panels:
        (line,), (dots,) = axes.get_lines(), axes.collections
        assert line.get_color() == plots.COLOURS[3]
        np.testing.assert_allclose(dots.get_cmap()(0.0), dots.get_cmap()(1.0), atol=0.02)
        assert np.ptp(dots.get_cmap()(np.linspace(0, 1, 9)), axis=0).max() > 0.5
    FigureCanvasAgg(figure).draw()
    assert panels[0].get_position().width == pytest.approx(panels[1].get_position().width, rel=1e-3)
    assert bar.get_position().x0 > panels[1].get_position().x1


def test_histograms_have_fifty_bins_unless_told_otherwise_and_one_value_fills_bins_of_width_one_in_all():
    (axes,) = plots.histograms({"a": SCORES}, x="error").axes
    assert len(axes.patches[0].get_data().values) == 50
    (axes,) = plots.histograms({"a": [3.0] * 5}, x="error", bins=4).axes
    np.testing.assert_allclose(axes.patches[0].get_data().edges, [3, 3.25, 3.5, 3.75, 4])


def test_the_line_of_guessing_is_grey_and_the_legend_of_a_roc_curve_lies_in_the_corner_that_no_good_one_meets():
    (axes,) = plots.roc({"worse than guessing": (SCORES + 3, SCORES)}).axes
    assert axes.get_lines()[-1].get_color() == plots.COLOURS[3]
    FigureCanvasAgg(axes.figure).draw()
    box = axes.get_legend().get_window_extent().transformed(axes.transAxes.inverted())
    assert (box.x0 + box.x1) / 2 > 0.5
    assert box.y1 < 0.5


def test_maps_and_marked_pictures_have_no_frame_and_no_numbers():
    figures = (
        plots.heatmaps(MAPS, label="l"), plots.grid(torch.rand(2, 1, 8, 8)),
        plots.marked(torch.rand(2, 1, 8, 8), {"a": torch.ones(2, 1, 2)}, columns=2),
    )  # fmt: skip
    for axes in (axes for figure in figures for axes in figure.axes if axes.get_label() != "<colorbar>"):
        assert not any(spine.get_visible() for spine in axes.spines.values())
        assert len(axes.get_xticks()) == len(axes.get_yticks()) == 0


def test_a_path_may_have_two_steps_and_is_black_from_its_dot_to_its_arrowhead():
    (axes,) = plots.atlas(POINTS, LABELS, paths={"way": POINTS[:2]}).axes
    assert [line.get_color() for line in axes.get_lines()] == ["black", "black"]
    (arrow,) = (text for text in axes.texts if not text.get_text())
    np.testing.assert_allclose((arrow.xyann, arrow.xy), POINTS[:2])
    assert arrow.arrow_patch is not None
    (name,) = (text for text in axes.texts if text.get_text() == "way")
    assert (name.get_ha(), name.get_va()) == ("center", "center")
    np.testing.assert_allclose(name.xy, POINTS[1])


def test_classes_of_the_ground_beyond_the_tenth_begin_again_with_the_first_colour():
    (axes,) = plots.atlas(POINTS, LABELS, ground=(torch.tensor([[12, 25], [2, 5]]), *CORNERS)).axes
    picture = seen(axes)
    np.testing.assert_array_equal(picture[0], picture[1])
    assert (picture[0, 0] != picture[0, 1]).any()


def test_shares_are_written_in_the_middle_of_cells_without_a_frame_that_fill_the_page():
    (axes,) = plots.shares({"a": [0.0, 0.75, 1.0]}, "012", x="seen", y="path").axes
    assert {(text.get_ha(), text.get_va()) for text in axes.texts} == {("center", "center")}
    assert not any(spine.get_visible() for spine in axes.spines.values())
    assert {tick.tick1line.get_markersize() for tick in axes.xaxis.get_major_ticks()} == {0}
    assert axes.get_aspect() == "auto"


def test_points_on_a_landscape_are_white():
    for axes in plots.landscapes(MAPS, label="energy", points=POINTS[:20]).axes[:2]:
        assert to_hex(axes.collections[0].get_facecolor()[0]) == "#ffffff"


def test_the_lowest_pitch_is_a_note_rests_alone_leave_three_octaves_empty_and_a_beat_has_two_steps():
    (axes,) = plots.piano_rolls({"low": torch.tensor([[0, -1, -1, -1], [7, -1, -1, -1]])}).axes
    assert [bar.get_y() + bar.get_height() / 2 for bar in axes.containers[0]] == pytest.approx([0, 7])
    assert axes.get_ylim() == (-2, 9)
    assert axes.get_xlim() == (0, 1)
    (axes,) = plots.piano_rolls({"rests": torch.full((4, 4), -1)}).axes
    assert axes.get_ylim() == (48 - 2, 72 + 2)


@pytest.mark.parametrize("name", ["piano_rolls", "marked"])
def test_one_panel_has_its_legend_in_one_line_below_it(name):
    pictures = torch.rand(1, 1, 20, 90)
    marks = dict.fromkeys(("one", "two", "three"), torch.ones(1, 1, 2))
    draw = {
        "piano_rolls": lambda: plots.piano_rolls({"up": CHORALE}),
        "marked": lambda: plots.marked(pictures, marks, columns=1),
    }
    figure = draw[name]()
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    assert len(legend.get_texts()) == {"piano_rolls": 4, "marked": 3}[name]
    words = [text.get_window_extent() for text in legend.get_texts()]
    assert max(box.y0 for box in words) < min(box.y1 for box in words)
    assert legend.get_window_extent().y1 <= figure.axes[0].get_tightbbox().y0
