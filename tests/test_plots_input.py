"""What figures are drawn of: colours as colours, whatever can be drawn drawn, and the rest an error that says why."""

import math

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from sklearn.metrics import auc, roc_auc_score
from torch.distributions import Normal

from aecourse import plots
from aecourse.training import History

POINTS = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(60) % 3
MAP = torch.rand(4, 5, generator=torch.Generator().manual_seed(1))
NAN, INF = math.nan, math.inf


def drawn(figure):
    """Draw a figure to the last pixel, as a notebook would, and return it."""
    FigureCanvasAgg(figure).draw()
    return figure


def pictures(axes):
    return [np.asarray(image.get_array()) for image in axes.get_images()]


# How each function that draws images is given some, and one after the other where it draws them.
DRAWERS = {
    "images": lambda images: plots.images({"some": images}, columns=2),
    "grid": lambda images: plots.grid(images, columns=2),
    "marked": lambda images: plots.marked(images, {"found": torch.ones(2, 1, 2)}, columns=2),
}


def test_images_in_colour_are_drawn_in_their_colours_and_one_channel_grey():
    coloured = torch.rand(2, 3, 6, 5, generator=torch.Generator().manual_seed(2))
    for draw in (DRAWERS["images"], DRAWERS["grid"]):
        (page,) = pictures(draw(coloured).axes[0])
        assert page.shape == (8, 13, 3)
        for number in range(2):
            part = page[1:7, 1 + 6 * number : 6 + 6 * number]
            np.testing.assert_array_equal(part, coloured[number].permute(1, 2, 0))
        np.testing.assert_array_equal(page[0], np.full((13, 3), np.float32(0.35)))
        (page,) = pictures(draw(coloured[:, :1]).axes[0])
        np.testing.assert_array_equal(page[1:7, 7:12], coloured[1, 0])
        assert page.shape == (8, 13)
    for number, axes in enumerate(DRAWERS["marked"](coloured).axes):
        np.testing.assert_array_equal(pictures(axes)[0], coloured[number].permute(1, 2, 0))
    np.testing.assert_array_equal(pictures(DRAWERS["marked"](coloured[:, 1:2]).axes[1])[0], coloured[1, 1])


def test_what_is_green_is_drawn_green():
    green = torch.tensor([0.0, 1.0, 0.0]).reshape(1, 3, 1, 1).expand(1, 3, 8, 8)
    canvas = FigureCanvasAgg(figure := plots.grid(green, columns=1))
    canvas.draw()
    height, width = np.asarray(canvas.buffer_rgba()).shape[:2]
    assert np.asarray(canvas.buffer_rgba())[height // 2, width // 2].tolist() == [0, 255, 0, 255]
    assert figure.axes[0].get_images()[0].get_array().shape == (8, 8, 3)


def test_rows_of_images_may_differ_in_size_and_colour():
    figure = drawn(plots.images({"grey": torch.rand(3, 1, 8, 8), "colour": torch.rand(2, 3, 4, 6)}))
    assert [pictures(axes)[0].shape for axes in figure.axes] == [(10, 28), (6, 15, 3)]


GREY = torch.rand(2, 1, 8, 8)


@pytest.mark.parametrize("name", DRAWERS)
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(2, 2, 8, 8), r"shape \(2, 2, 8, 8\), expected \(N, 1, H, W\) or, in colour, \(N, 3, H, W\)"),
        (torch.rand(2, 8, 8, 3), r"of shape \(2, 8, 8, 3\).*colours stand last, use images.permute\(0, 3, 1, 2\)"),
        (torch.rand(2, 8, 8, 1), r"images.permute\(0, 3, 1, 2\)"),
        (torch.rand(2, 4, 8, 8), r"choose channels with images\[:, :1\]"),
        (torch.rand(2, 8, 8), r"of shape \(2, 8, 8\).*add an axis with images\[None\] or images\[:, None\]"),
        (torch.rand(2, 64), r"of shape \(2, 64\)"),
        (torch.tensor(0.5), r"of shape \(\)"),
        (GREY * 255, "with values from .*, expected .0, 1.; divide by 255"),
        (GREY - 5, "rescale them, or clamp them"),
        ((GREY * 255).byte(), r"torch.uint8 .*expected .*images.float\(\) / 255"),
        (GREY > 0.5, r"torch.bool, expected .*\.float\(\)"),
        (GREY / 0 * 0, "NaN pixels in 2 of 2 images"),
        (GREY[:0], "got no images"),
        (GREY.numpy(), "got ndarray as .*, expected a tensor"),
        ([GREY[0]], "got list"),
    ],
)  # fmt: skip
def test_what_are_no_images_is_an_error(name, images, message):
    with pytest.raises(ValueError, match=message):
        DRAWERS[name](images)


def test_the_row_with_the_wrong_images_is_named():
    with pytest.raises(ValueError, match=r"the row 'second': got images of dtype torch\.uint8"):
        plots.images({"first": GREY, "second": GREY.byte()})


@pytest.mark.parametrize("columns", [0, -1, 2.5, None])
def test_a_number_of_columns_that_is_none_is_an_error(columns):
    for draw in (plots.grid, lambda images, columns: plots.images({"a": images}, columns=columns)):
        with pytest.raises(ValueError, match="got columns="):
            draw(GREY, columns=columns)


def test_key_points_must_be_as_many_sets_as_images():
    with pytest.raises(ValueError, match=r"got key points 'a' of shape \(1, 1, 2\), expected .*\(2, K, 2\)"):
        plots.marked(GREY, {"a": torch.ones(1, 1, 2)})


# Each function with numbers that somebody may have: here every one of them is fit to be drawn.
CALLS = {
    "lines": lambda v: plots.lines({"a": (v[:, 0], v[:, 1])}, x="x", y="y"),
    "points": lambda v: plots.lines({"a": ([1, 2], [3, 4])}, points={"p": (v[0, 0], 1.0)}, x="x", y="y"),
    "bars": lambda v: plots.bars({"a": v[0, 0]}, x="x"),
    "grouped_bars": lambda v: plots.grouped_bars({"g": {"a": v[0, 0]}}, x="x"),
    "latent_maps": lambda v: plots.latent_maps({"a": v}, LABELS),
    "clouds": lambda v: plots.clouds({"a": Normal(v, 1.0, validate_args=False)}, LABELS),
    "loops": lambda v: plots.loops({"a": v}, LABELS),
    "angles": lambda v: plots.loops({"a": POINTS}, v[:, 0]),
    "histograms": lambda v: plots.histograms({"a": v[:, 0]}, x="x"),
    "normal": lambda v: plots.roc({"a": (v[:, 0], POINTS[:, 0])}),
    "anomalous": lambda v: plots.roc({"a": (POINTS[:, 0], v[:, 0])}),
    "heatmaps": lambda v: plots.heatmaps({"a": v}, label="l"),
    "atlas": lambda v: plots.atlas(v, LABELS),
    "path": lambda v: plots.atlas(POINTS, LABELS, paths={"a": v}),
    "corner": lambda v: plots.atlas(POINTS, LABELS, ground=(LABELS.reshape(6, 10), v[0], v[0] + 1)),
    "shares": lambda v: plots.shares({"a": v[:4, 0].sigmoid()}, "0123", x="x", y="y"),
    "landscapes": lambda v: plots.landscapes({"a": v}, label="l"),
    "points on landscapes": lambda v: plots.landscapes({"a": MAP}, label="l", points=v),
    "marked": lambda v: plots.marked(GREY, {"a": v[:4].reshape(2, 2, 2)}),
}


@pytest.mark.parametrize("name", CALLS)
def test_numbers_that_carry_a_gradient_are_drawn(name):
    drawn(CALLS[name](POINTS.clone().requires_grad_()))


class Elsewhere(torch.Tensor):
    """A tensor that lies on another device, as far as `numpy` is concerned."""

    def numpy(self):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor first")

    def cpu(self):
        return self.as_subclass(torch.Tensor)


@pytest.mark.parametrize("name", CALLS)
def test_numbers_on_another_device_are_drawn(name):
    drawn(CALLS[name](POINTS.as_subclass(Elsewhere)))


@pytest.mark.parametrize("name", DRAWERS)
@pytest.mark.parametrize("images", [GREY.clone().requires_grad_(), GREY.as_subclass(Elsewhere)])
def test_images_that_carry_a_gradient_or_lie_on_another_device_are_drawn(name, images):
    drawn(DRAWERS[name](images))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("bad", [NAN, INF])
def test_a_number_that_cannot_be_drawn_is_an_error(name, bad):
    values = POINTS.clone()
    values[0, 0] = bad
    if name == "shares" and bad == INF:
        return  # its sigmoid is 1
    with pytest.raises(ValueError, match=r"got .* with NaN or infinity, expected .*finite number"):
        CALLS[name](values)


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"points", "bars", "grouped_bars", "corner", "marked"}))
def test_nothing_to_draw_is_an_error(name):
    with pytest.raises(ValueError, match=r"got .* of shape \(0"):
        CALLS[name](POINTS[:0])


NAMED = {
    "images": plots.images,
    "lines": lambda parts: plots.lines(parts, x="x", y="y"),
    "bars": lambda parts: plots.bars(parts, x="x"),
    "grouped_bars": lambda parts: plots.grouped_bars(parts, x="x"),
    "a group of bars": lambda parts: plots.grouped_bars({"g": parts}, x="x"),
    "latent_maps": lambda parts: plots.latent_maps(parts, LABELS),
    "clouds": lambda parts: plots.clouds(parts, LABELS),
    "loops": lambda parts: plots.loops(parts, LABELS),
    "histograms": lambda parts: plots.histograms(parts, x="x"),
    "roc": plots.roc,
    "heatmaps": lambda parts: plots.heatmaps(parts, label="l"),
    "shares": lambda parts: plots.shares(parts, "01", x="x", y="y"),
    "landscapes": lambda parts: plots.landscapes(parts, label="l"),
    "piano_rolls": plots.piano_rolls,
    "marked": lambda parts: plots.marked(GREY, parts),
}


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize(("parts", "got"), [({}, "no names"), (POINTS, "Tensor"), ([POINTS], "list")])
def test_what_has_no_name_is_an_error(name, parts, got):
    with pytest.raises(ValueError, match=f"got {got}, expected at least one name with what to draw"):
        NAMED[name](parts)


@pytest.mark.parametrize("name", ["latent_maps", "clouds", "loops", "atlas"])
@pytest.mark.parametrize("shape", [(60, 16), (60, 1), (60,), (60, 2, 1)])
def test_codes_of_another_size_than_two_are_an_error(name, shape):
    hint = "; show two numbers of each, or project them" if len(shape) == 2 else "$"
    with pytest.raises(ValueError, match=rf"got .* of shape \({', '.join(map(str, shape))},?\), expected .*2\){hint}"):
        CALLS[name](torch.zeros(shape))


@pytest.mark.parametrize("codes", [POINTS * torch.tensor([1.0, 0.0]), POINTS * (POINTS > 1), POINTS * 0])
def test_collapsed_and_mostly_silent_codes_are_drawn(codes):
    (axes,) = drawn(plots.latent_maps({"a": codes}, LABELS)).axes
    points = np.concatenate([group.get_offsets() for group in axes.collections])
    assert sorted(map(tuple, points)) == sorted(map(tuple, codes.numpy()))


def colours(axes):
    """Return label → the colour of its points, and how many there are."""
    labels = [text.get_text() for text in axes.texts]
    found = [(to_hex(group.get_facecolor()[0]), len(group.get_offsets())) for group in axes.collections]
    return dict(zip(labels, found, strict=True))


MAPS = {
    "latent_maps": lambda labels: plots.latent_maps({"a": POINTS[: len(labels)]}, labels),
    "atlas": lambda labels: plots.atlas(POINTS[: len(labels)], labels),
}


@pytest.mark.parametrize("name", MAPS)
def test_labels_may_be_whole_numbers_of_any_type_or_names(name):
    numbers = [3, 7, 3, 12]
    expected = {"3": (plots.COLOURS[3], 2), "7": (plots.COLOURS[7], 1), "12": (plots.COLOURS[2], 1)}
    for labels in (torch.tensor(numbers), torch.tensor(numbers).float(), numbers, np.array(numbers, dtype=np.uint8)):
        assert colours(drawn(MAPS[name](labels)).axes[0]) == expected
    named = colours(drawn(MAPS[name](["tree", "boat", "tree", "cat"])).axes[0])
    assert named == {"boat": (plots.COLOURS[0], 1), "cat": (plots.COLOURS[1], 1), "tree": (plots.COLOURS[2], 2)}


def test_clouds_take_names_as_labels():
    (axes,) = drawn(plots.clouds({"a": Normal(POINTS, 1.0)}, ["left", "right"] * 30)).axes
    assert [text.get_text() for text in axes.texts] == ["left", "right"]
    ellipses = axes.collections[:2]
    assert [to_hex(group.get_facecolor()[0]) for group in ellipses] == list(plots.COLOURS[:2])
    np.testing.assert_array_equal(ellipses[1].get_offsets(), POINTS[1::2])


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    "labels", [[0.5] * 60, [NAN] * 60, LABELS[:, None], [None] * 60], ids=["fractions", "NaN", "a column", "nothing"]
)
def test_what_are_no_labels_is_an_error(name, labels):
    with pytest.raises(
        ValueError, match=r"got labels of shape .*expected a whole number or a name for each of 60 points"
    ):
        MAPS[name](labels)


@pytest.mark.parametrize("name", ["latent_maps", "clouds", "atlas", "loops"])
def test_another_number_of_labels_than_points_is_an_error(name):
    with pytest.raises(
        ValueError, match=r"got .*60.*expected .*59|got 59 points and 60 angles|got labels of shape \(60,\)"
    ):
        CALLS[name](POINTS[:59])


def test_clouds_are_drawn_of_posteriors_and_of_nothing_else():
    with pytest.raises(ValueError, match=r"got Tensor as 'a', expected a Normal, as evaluate\.posterior"):
        plots.clouds({"a": POINTS}, LABELS)


def test_a_history_of_one_epoch_has_a_tick_at_that_epoch_and_nowhere_else():
    (axes,) = drawn(plots.history(History({"total": [2.0]}, {"total": [3.0]}, [1.0]))).axes
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_what_is_no_history_is_an_error():
    with pytest.raises(ValueError, match="got dict, expected a History"):
        plots.history({"total": [1.0]})


def test_x_and_y_values_must_be_as_many():
    with pytest.raises(ValueError, match="got 3 x values and 2 y values for 'a', expected as many of each"):
        plots.lines({"a": ([1, 2, 3], [1, 2])}, x="x", y="y")
    for wrong in (5, ([1, 2],), [1, 2, 3]):
        with pytest.raises(ValueError, match="got the curve 'a' that is no pair, expected two lists of numbers"):
            plots.lines({"a": wrong}, x="x", y="y")


@pytest.mark.parametrize("axis", ["log_x", "log_y"])
def test_what_has_no_place_on_a_logarithmic_axis_is_an_error(axis):
    pair = ([0, 1], [1, 2]) if axis == "log_x" else ([1, 2], [-1, 2])
    plots.lines({"a": pair}, x="x", y="y")
    with pytest.raises(ValueError, match="got values of 0 or less for 'a', expected values above 0"):
        plots.lines({"a": pair}, x="x", y="y", **{axis: True})
    with pytest.raises(ValueError, match="for 'p'"):
        plots.lines({"a": ([1, 2], [1, 2])}, points={"p": (0, 0)}, x="x", y="y", **{axis: True})


def test_no_curve_point_or_sample_is_left_out_however_many_there_are():
    many = {str(number): ([1, 2], [number, number]) for number in range(25)}
    places = {f"p{number}": (1.5, float(number)) for number in range(25)}
    (axes,) = plots.lines(many, points=places, x="x", y="y").axes
    assert len(axes.get_lines()) == 50
    (axes,) = plots.histograms({str(number): [0.0, 1.0, number] for number in range(20)}, x="x").axes
    assert len(axes.patches) == 20
    figure = drawn(plots.marked(GREY, {str(number): torch.ones(2, 1, 2) for number in range(12)}, columns=2))
    assert len(figure.axes[0].collections) == 12


def test_points_alone_are_drawn():
    (axes,) = drawn(plots.lines({}, points={"p": (1.0, 2.0)}, x="x", y="y")).axes
    assert [line.get_xydata().tolist() for line in axes.get_lines()] == [[[1.0, 2.0]]]


@pytest.mark.parametrize("sample", [[3.0] * 5, [0.0] * 999 + [7.0]])
def test_samples_of_nearly_one_value_are_counted_whole(sample):
    (axes,) = drawn(plots.histograms({"a": sample}, x="x", bins=5)).axes
    values, edges, _ = axes.patches[0].get_data()
    assert values.sum() == pytest.approx(1)
    assert (np.diff(edges) > 0).all()
    assert edges[0] <= min(sample) <= max(sample) <= edges[-1]


@pytest.mark.parametrize("bins", [0, 2.5])
def test_a_number_of_bins_that_is_none_is_an_error(bins):
    with pytest.raises(ValueError, match="got bins="):
        plots.histograms({"a": [1.0, 2.0]}, x="x", bins=bins)


def test_a_roc_curve_takes_every_score_as_a_threshold_and_holds_the_area_that_is_counted():
    random = torch.Generator().manual_seed(3)
    normal, anomalous = torch.randn(700, generator=random), torch.randn(300, generator=random) + 1
    curve = plots.roc({"net": (normal, anomalous)}).axes[0].get_lines()[0].get_xydata()
    alarms = {
        (float((normal >= t).double().mean()), float((anomalous >= t).double().mean())) for t in [*normal, *anomalous]
    }
    assert set(map(tuple, curve)) == alarms | {(0.0, 0.0)}
    truth = np.repeat((0, 1), (700, 300))
    assert auc(*curve.T) == pytest.approx(roc_auc_score(truth, torch.cat([normal, anomalous])))


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ({"a": [0.5, 0.5, 0.5]}, "01", r"got row 'a' of shape \(3,\), expected finite numbers of shape \(2\)"),
        ({"a": [0.5, 50]}, "01", "got numbers from 0.5 to 50, expected shares from 0 to 1"),
        ({"a": [0.5, -0.1]}, "01", "got numbers from -0.1"),
    ],
)
def test_what_are_no_shares_is_an_error(rows, columns, message):
    with pytest.raises(ValueError, match=message):
        plots.shares(rows, columns, x="x", y="y")


def test_points_for_a_landscape_that_is_not_drawn_are_an_error():
    with pytest.raises(ValueError, match="got points for 'c', expected names of maps: a, b"):
        plots.landscapes({"a": MAP, "b": MAP}, label="l", points={"c": POINTS})
    first, second, _ = drawn(plots.landscapes({"a": MAP, "b": MAP}, label="l", points={"b": POINTS})).axes
    assert [len(axes.collections) for axes in (first, second)] == [0, 1]


def test_a_path_of_one_step_is_an_error():
    with pytest.raises(ValueError, match="got a path 'way' of one step, expected at least two"):
        plots.atlas(POINTS, LABELS, paths={"way": POINTS[:1]})


def test_classes_of_the_ground_that_are_no_whole_numbers_are_an_error():
    with pytest.raises(ValueError, match="got classes of the ground of type float32, expected whole numbers"):
        plots.atlas(POINTS, LABELS, ground=(MAP, POINTS[0], POINTS[1]))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (torch.ones(8, 3, dtype=torch.int64), r"got piece 'a' of shape \(8, 3\), expected whole numbers of shape"),
        (torch.ones(0, 4, dtype=torch.int64), r"of shape \(0, 4\)"),
        (torch.ones(8, 4) * 60.5, "got piece 'a' of type float32, expected whole numbers"),
    ],
)
def test_what_is_no_piece_for_four_voices_is_an_error(rows, message):
    with pytest.raises(ValueError, match=message):
        plots.piano_rolls({"a": rows})


def test_a_beat_must_have_a_step():
    with pytest.raises(ValueError, match="got steps_per_beat=0"):
        plots.piano_rolls({"a": torch.full((8, 4), 60)}, steps_per_beat=0)


def test_lists_of_different_lengths_are_an_error():
    with pytest.raises(ValueError, match="got map 'a' with parts of different lengths"):
        plots.heatmaps({"a": [[1.0, 2.0], [3.0]]}, label="l")


def test_grey_levels_up_to_255_are_divided_and_those_beyond_are_not():
    for high, hint in ((255.0, "divide by 255"), (256.0, "rescale them, or clamp them")):
        with pytest.raises(ValueError, match=hint):
            plots.grid(torch.full((4, 1, 8, 8), high))


@pytest.mark.parametrize("curves", [[([1, 2], [1, 2])], POINTS])
def test_curves_beside_named_points_need_names_as_well(curves):
    with pytest.raises(ValueError, match="expected at least one name with what to draw"):
        plots.lines(curves, points={"p": (1.0, 2.0)}, x="x", y="y")


@pytest.mark.parametrize(
    ("row", "fits"),
    [
        ([0.0, 1.0], True),
        ([-1e-6, 1 + 1e-6], True),  # as sums of float32 may miss
        ([-1.5e-6, 0.5], False),
        ([0.5, 1 + 1.5e-6], False),
        ([0.5, 1.2], False),
    ],
)
def test_shares_lie_from_0_to_1_but_for_rounding(row, fits):
    if fits:
        plots.shares({"a": row}, "01", x="x", y="y")
    else:
        with pytest.raises(ValueError, match="expected shares from 0 to 1"):
            plots.shares({"a": row}, "01", x="x", y="y")


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ((-1.0, 2.0), None),
        ((-0.5, 0.5), None),
        ((-1.5, 0.5), "values from -1.5 to 0.5, .*rescale"),
        ((0.5, 2.5), "values from 0.5 to 2.5, .*divide by 255"),
        ((0.0, 255.0), "values from 0 to 255, .*divide by 255"),
        ((-1.5, 255.0), "values from -1.5 to 255, .*rescale"),
    ],
)
def test_images_may_leave_their_range_by_its_width_and_no_further(ends, message):
    images = torch.linspace(*ends, 128).reshape(2, 1, 8, 8)
    if message is None:
        (page,) = pictures(plots.grid(images, columns=1).axes[0])
        np.testing.assert_array_equal(page[10:18, 1:9], images[1, 0].clamp(0, 1))
    else:
        with pytest.raises(ValueError, match=message):
            plots.grid(images)


def test_the_advice_to_project_is_given_for_codes_alone():
    with pytest.raises(ValueError, match=r"got piece 'a' of shape \(8, 3\), expected .* of shape \(steps, 4\)$"):
        plots.piano_rolls({"a": torch.ones(8, 3, dtype=torch.int64)})


@pytest.mark.parametrize(("name", "example"), [("bars", "number"), ("latent_maps", r"\(N, 2\)")])
def test_what_has_no_name_is_shown_an_example(name, example):
    with pytest.raises(ValueError, match=rf"as in {{'name': {example}}}$"):
        NAMED[name]({})


@pytest.mark.parametrize("bad", [0.5, INF])
def test_one_label_among_others_that_is_none_is_an_error(bad):
    with pytest.raises(ValueError, match="got labels of shape"):
        plots.atlas(POINTS[:4], [1.0, bad, 2.0, 2.0])
