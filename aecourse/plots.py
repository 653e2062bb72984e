"""Every figure of the book: each function draws what it is given and returns the Figure.

Figures are drawn for a high-density screen and compressed when a notebook shows them.  Colours are
Petroff's ten (2021), chosen to stay apart for colour-blind readers; wherever colours name something,
a label does too.

Numbers may be tensors on any device, with a gradient or without, arrays or lists.  Images are float32 tensors
`(N, 1, H, W)`, drawn grey, or `(N, 3, H, W)`, drawn in their colours; values a little outside [0, 1], as a linear
model gives them, are clipped.  What can't be drawn as asked raises a ValueError that says what was expected: other
shapes, NaN, nothing at all.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import matplotlib.figure
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator
from PIL import Image
from sklearn.metrics import roc_curve
from torch import Tensor
from torch.distributions import Normal
from torch.nn import functional

from . import checks

if TYPE_CHECKING:
    from .training import History

Numbers = Tensor | np.ndarray | Sequence[float]

COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
MARKERS = "osD^vP*X<>"
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "image.cmap": "gray",
}


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that notebooks show sharp on any screen and in few bytes."""

    def _repr_mimebundle_(self, include=None, exclude=None):
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=200, bbox_inches="tight", facecolor="white")
        picture = Image.open(file).convert("RGB")
        width, height = picture.size
        small = io.BytesIO()
        picture.quantize(64, dither=Image.Dither.NONE).save(small, "png", optimize=True)
        return {"image/png": small.getvalue()}, {"image/png": {"width": width // 2, "height": height // 2}}


@rc_context(STYLE)
def history(run: History) -> Figure:
    """Draw every term of a training History over its epochs: training solid, validation dashed.

    A total that consists of one other term alone is not drawn twice.
    """
    if not hasattr(run, "validation"):
        raise ValueError(f"got {type(run).__name__}, expected a History, as training.fit returns it")
    single = len(run.train) == 2 and run.train.get("total") in [run.train[key] for key in run.train if key != "total"]
    terms = {term: values for term, values in run.train.items() if not (single and term == "total")}
    figure, axes = _panels(1, len(terms) or 1, width=3.6, height=2.6)
    epochs = range(1, len(run) + 1)
    for axis, (term, values) in zip(axes, terms.items(), strict=False):
        axis.plot(epochs, values, marker="o", markersize=3, label="training")
        if term in run.validation:
            axis.plot(epochs, run.validation[term], marker="s", markersize=3, linestyle="--", label="validation")
        axis.set(xlabel="epoch", ylabel=term)
        axis.xaxis.set_major_locator(MaxNLocator("auto", steps=(1, 2, 5, 10), integer=True, min_n_ticks=1))
        axis.legend()
    return figure


@rc_context(STYLE)
def images(rows: Mapping[str, Tensor], *, columns: int = 10) -> Figure:
    """Draw rows of images with a label each: `{"original": (N, 1, 28, 28), …}`, the first `columns` of each."""
    columns = checks.whole("columns", columns)
    figure, axes = _panels(len(_named(rows, "images (N, 1, H, W)")), 1, width=0.5 * columns, height=0.74)
    for axis, (label, pictures) in zip(axes, rows.items(), strict=True):
        _draw_in_rows(axis, _pictures(f"the row {label!r}", pictures, columns), columns)
        axis.set_title(label, loc="left", pad=2)
    return figure


@rc_context(STYLE)
def grid(pictures: Tensor, *, columns: int = 10) -> Figure:
    """Draw images `(N, 1, 28, 28)` in rows of `columns`."""
    columns, pictures = checks.whole("columns", columns), _pictures("images", pictures)
    rows = -(-len(pictures) // columns)
    figure, (axis,) = _panels(1, 1, width=0.5 * columns, height=0.5 * rows)
    _draw_in_rows(axis, pictures, columns)
    return figure


@rc_context(STYLE)
def lines(
    curves: Mapping[str, tuple[Numbers, Numbers]],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
    points: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """Draw named curves `{"PCA": (x values, y values), …}` and, if given, single named points.

    On a logarithmic axis all values must be above 0.
    """
    if not (points and isinstance(curves, Mapping)):
        _named(curves, "(x values, y values)")
    curves = {label: _pair(f"the curve {label!r}", values, "N") for label, values in curves.items()}
    points = {label: _pair(f"the point {label!r}", place) for label, place in (points or {}).items()}
    for label, (across, up) in (*curves.items(), *points.items()):
        if across.shape != up.shape:
            raise ValueError(
                f"got {across.size} x values and {up.size} y values for {label!r}, expected as many of each"
            )
        if (log_x and across.min() <= 0) or (log_y and up.min() <= 0):
            raise ValueError(f"got values of 0 or less for {label!r}, expected values above 0 on a logarithmic axis")
    figure, (axis,) = _panels(1, 1, width=4.7, height=3.2)
    for number, (label, (across, up)) in enumerate(curves.items()):
        if len(across) <= 30:
            axis.plot(across, up, marker=MARKERS[number % len(MARKERS)], markersize=4, label=label)
        else:
            axis.plot(across, up, linestyle=("-", "--", ":", "-.")[number % 4], label=label)
    for (label, (across, up)), marker in zip(points.items(), cycle("*PXdv^"), strict=False):
        axis.plot([across], [up], marker=marker, markersize=11, linestyle="none", color="black", label=label)
    axis.set(xlabel=x, ylabel=y, xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    for scale, is_log in ((axis.xaxis, log_x), (axis.yaxis, log_y)):
        if is_log:  # 1, 2, 5, 10, 20 … in plain figures, as far as there is room for them
            low, high = scale.get_view_interval()
            scale.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 2000 else (1,)))
            scale.set_major_formatter("{x:g}")
            scale.set_minor_formatter("")
    if len(curves) + len(points) > 1:
        axis.legend()
    return figure


@rc_context(STYLE)
def bars(values: Mapping[str, float], *, x: str, digits: int = 0) -> Figure:
    """Draw named numbers as horizontal bars, each with its value at the end."""
    digits = checks.whole("digits", digits, 0)
    values = {name: value.item() for name, value in _arrays("bar", values).items()}
    figure, (axis,) = _panels(1, 1, width=4.7, height=0.32 * len(values) + 0.6)
    drawn = axis.barh(list(values), list(values.values()), color=COLOURS[0])
    axis.bar_label(drawn, labels=[f"{value:,.{digits}f}" for value in values.values()], padding=3)
    axis.invert_yaxis()
    axis.set(xlabel=x)
    axis.margins(x=0.15)
    return figure


@rc_context(STYLE)
def grouped_bars(groups: Mapping[str, Mapping[str, float]], *, x: str, digits: int = 0) -> Figure:
    """Draw groups of named numbers as horizontal bars below each other, a colour and a heading for each group.

    Args:
        groups: heading → name → number, drawn in this order.
        x: what the numbers are, with their unit.
        digits: of the value at each bar's end, after the point.
    """
    digits = checks.whole("digits", digits, 0)
    groups = {heading: _arrays(f"{heading} bar", bars) for heading, bars in _named(groups, "{'bar': number}").items()}
    rows = len(groups) + sum(map(len, groups.values()))
    figure, (axis,) = _panels(1, 1, width=4.7, height=0.27 * rows + 0.6)
    names, row = {}, 0
    for (heading, bars), colour in zip(groups.items(), cycle(COLOURS)):
        axis.text(0, row, f" {heading}", weight="bold", va="center")
        values, places = [value.item() for value in bars.values()], range(row + 1, row + 1 + len(bars))
        drawn = axis.barh(places, values, color=colour)
        axis.bar_label(drawn, labels=[f"{value:,.{digits}f}" for value in values], padding=3)
        names |= dict(zip(places, bars, strict=True))
        row += 1 + len(bars)
    axis.set_yticks(list(names), names.values())
    axis.set(xlabel=x, ylim=(row - 0.4, -0.6))
    axis.margins(x=0.15)
    return figure


@rc_context(STYLE)
def latent_maps(maps: Mapping[str, Numbers], labels: Numbers | Sequence[str]) -> Figure:
    """Draw named sets of points `(N, 2)` side by side, coloured by label, with each label at its median.

    The axes run like asinh: straight in the crowded middle, logarithmic towards the few points far out.

    Args:
        maps: name → codes `(N, 2)`.
        labels: a whole number or a name for each point.
    """
    maps = _arrays("map", maps, "N", 2)
    figure, panels = _side_by_side(maps, width=3.1, height=3.1, x="$z_1$", y="$z_2$")
    for axis, points in panels:
        middle = np.median(np.abs(points - np.median(points, axis=0)), axis=0)
        middle = np.maximum(middle, 1e-3)  # a collapsed dimension has no width, nor has a code that is mostly 0
        axis.set_xscale("asinh", linear_width=middle[0])
        axis.set_yscale("asinh", linear_width=middle[1])
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_locator(FixedLocator((-10, -3, -1, 0, 1, 3, 10)))
            scale.set_minor_locator(NullLocator())
            scale.set_major_formatter("{x:g}")
        _draw_labelled(axis, points, labels, size=3)
    return figure


@rc_context(STYLE)
def clouds(posteriors: Mapping[str, Normal], labels: Numbers | Sequence[str]) -> Figure:
    """Draw named posteriors over two latent dimensions side by side: each image's mean and its σ as an ellipse.

    Colours and numbers are labels.  Dashed circles of radius 1 and 2 hold 39 % and 86 % of the prior N(0, I).
    The axes leave out the outermost means, 3 % on each side.

    Args:
        posteriors: name → a normal distribution for each image, `(N, 2)`.
        labels: a whole number or a name for each image.
    """
    for title, q in _named(posteriors, "a posterior").items():
        if not isinstance(q, Normal):
            raise ValueError(
                f"got {type(q).__name__} as {title!r}, expected a Normal, as evaluate.posterior returns it"
            )
    centres = _arrays("centres of", {title: q.mean for title, q in posteriors.items()}, "N", 2)
    sizes = _arrays("σ of", {title: q.stddev for title, q in posteriors.items()}, "N", 2)
    figure, panels = _side_by_side(centres, width=3.4, height=3.4, x="$z_1$", y="$z_2$")
    for (axis, means), spreads in zip(panels, sizes.values(), strict=True):
        for _, colour, members in _classes(labels, len(means)):
            mean, spread = means[members], spreads[members]
            size = {"widths": 2 * spread[:, 0], "heights": 2 * spread[:, 1], "angles": np.zeros(len(mean))}
            place = {"offsets": mean, "transOffset": axis.transData, "units": "xy"}
            axis.add_collection(EllipseCollection(**size, **place, facecolor=colour, alpha=0.25, linewidth=0))
        _draw_labelled(axis, means, labels, size=2)
        for radius in (1, 2):
            axis.add_patch(Circle((0, 0), radius, fill=False, linestyle="--", linewidth=1))
        axis.set_aspect("equal")
        low, high = np.quantile(means, (0.03, 0.97), axis=0)
        axis.set(
            xlim=(min(low[0], -2) - 0.5, max(high[0], 2) + 0.5), ylim=(min(low[1], -2) - 0.5, max(high[1], 2) + 0.5)
        )
    return figure


@rc_context(STYLE)
def loops(paths: Mapping[str, Numbers], angles: Numbers) -> Figure:
    """Draw named closed paths of points `(N, 2)` side by side, coloured by the angle in degrees at each point."""
    paths, angles = _arrays("path", paths, "N", 2), _numbers("angles", angles, "N")
    figure, panels = _side_by_side(paths, width=2.4, height=2.4, x="$z_1$", y="$z_2$")
    for axis, points in panels:
        if len(points) != len(angles):
            raise ValueError(f"got {len(points)} points and {len(angles)} angles, expected one for each")
        axis.plot(*np.vstack([points, points[:1]]).T, color=COLOURS[3], linewidth=0.8)
        drawn = axis.scatter(*points.T, c=angles, cmap="twilight", s=14, vmin=0, vmax=360, zorder=2)
    figure.colorbar(drawn, ax=figure.axes, label="angle (degrees)", ticks=[0, 90, 180, 270, 360])
    return figure


@rc_context(STYLE)
def histograms(samples: Mapping[str, Numbers], *, x: str, y: str = "share of images", bins: int = 50) -> Figure:
    """Draw named samples `(N,)` as overlaid histograms on common bins, each as a share of its sample.

    The bins end where 99.5 % of all numbers lie below.
    """
    bins = checks.whole("bins", bins)
    samples = _arrays("sample", samples, "N")
    figure, (axis,) = _panels(1, 1, width=4.7, height=2.8)
    everything = np.concatenate(list(samples.values()))
    low, high = everything.min(), np.quantile(everything, 0.995)
    if low == high:  # nearly all numbers are the same: a bin needs a width
        high = everything.max() if everything.max() > low else low + 1
    edges = np.linspace(low, high, bins + 1)
    for (label, sample), style in zip(samples.items(), cycle(("-", "--", ":", "-.")), strict=False):
        share = np.histogram(sample, edges)[0] / len(sample)
        axis.stairs(share, edges, label=label, linestyle=style, linewidth=1.8)
    axis.set(xlabel=x, ylabel=y)
    axis.legend()
    return figure


@rc_context(STYLE)
def roc(scores: Mapping[str, tuple[Numbers, Numbers]]) -> Figure:
    """Draw the ROC curve of each named pair of scores `(normal, anomalous)`: found against falsely alarmed.

    Each score is once the threshold from which on an image is flagged.
    """
    figure, (axis,) = _panels(1, 1, width=3.8, height=3.6)
    for label, pair in _named(scores, "(normal, anomalous)").items():
        normal, anomalous = _pair(f"the scores {label!r}", pair, "N")
        truth = np.repeat((0, 1), (len(normal), len(anomalous)))
        alarms, found, _ = roc_curve(truth, np.concatenate([normal, anomalous]), drop_intermediate=False)
        axis.plot(alarms, found, label=label)
    axis.plot([0, 1], [0, 1], color=COLOURS[3], linestyle=":", label="guessing")
    axis.set(xlabel="share of normal images flagged", ylabel="share of anomalies found")
    axis.legend(loc="lower right")
    return figure


@rc_context(STYLE)
def heatmaps(maps: Mapping[str, Numbers], *, label: str) -> Figure:
    """Draw named matrices `(H, W)` side by side on one colour scale."""
    maps = _arrays("map", maps, "H", "W")
    figure, panels = _side_by_side(maps, width=2.4, height=2.4)
    for axis, values in panels:
        drawn = axis.imshow(values, cmap="cividis", **_range(maps))
        _bare(axis)
    figure.colorbar(drawn, ax=figure.axes, label=label, shrink=0.8)
    return figure


@rc_context(STYLE)
def atlas(
    points: Numbers,
    labels: Numbers | Sequence[str],
    *,
    ground: tuple[Numbers, Numbers, Numbers] | None = None,
    paths: Mapping[str, Numbers] | None = None,
) -> Figure:
    """Draw codes `(N, 2)` on one map, coloured by label; on request what lies under them, and paths across it.

    Args:
        points: the codes.
        labels: a whole number or a name for each, `(N,)`; it is shown at the median of its points.
        ground: `(classes, low, high)`: what is seen at `(H, W)` places spread evenly over the box between the corners
            `low` and `high`, both `(2,)`, the first row at the bottom; −1, nothing, stays dark.
        paths: name → `(steps, 2)`, at least two steps, drawn as a line from its dot to its arrowhead.
    """
    points = _numbers("points", points, "N", 2)
    paths = _arrays("path", paths, "steps", 2) if paths else {}
    figure, (axis,) = _panels(1, 1, width=4.9, height=4.6)
    if ground is not None:
        classes = _numbers("classes of the ground", ground[0], "H", "W", whole=True)
        low, high = (_numbers("corners of the ground", corner, 2) for corner in ground[1:])
        shades = 0.55 + 0.45 * np.array([to_rgb(colour) for colour in COLOURS])
        picture = np.where((classes >= 0)[..., None], shades[classes % len(COLOURS)], 0.25)
        extent = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
        axis.imshow(picture, origin="lower", extent=extent, aspect="auto", interpolation="nearest")
    _draw_labelled(axis, points, labels, size=4, edge=0.2 if ground is not None else 0)
    for name, way in paths.items():
        if len(way) < 2:
            raise ValueError(f"got a path {name!r} of one step, expected at least two, a beginning and an end")
        axis.plot(*way.T, color="black", linewidth=1.4)
        axis.plot(*way[0], "o", color="black", markersize=5)
        axis.annotate("", way[-1], way[-2], arrowprops={"arrowstyle": "-|>", "color": "black"})
        axis.annotate(
            name, way[len(way) // 2], ha="center", va="center", size=8,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "linewidth": 0.5},
        )  # fmt: skip
    if ground is not None:
        axis.set(xlim=extent[:2], ylim=extent[2:])
    axis.set(xlabel="$z_1$", ylabel="$z_2$")
    return figure


@rc_context(STYLE)
def shares(rows: Mapping[str, Numbers], columns: Sequence[str], *, x: str, y: str) -> Figure:
    """Draw named rows of shares from 0 to 1 as a table in per cent, the larger the darker."""
    rows = _arrays("row", rows, len(columns))
    values = np.array(list(rows.values()))
    if values.min() < -1e-6 or values.max() > 1 + 1e-6:
        raise ValueError(
            f"got numbers from {values.min():g} to {values.max():g}, expected shares from 0 to 1; "
            "divide by what makes the whole"
        )
    figure, (axis,) = _panels(1, 1, width=0.42 * len(columns) + 1.6, height=0.34 * len(rows) + 0.6)
    axis.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > 0.6 else "black"
        axis.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=colour, size=9)
    _bare(axis)
    axis.set(xlabel=x, ylabel=y)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), list(rows))
    axis.tick_params(length=0)
    return figure


@rc_context(STYLE)
def landscapes(
    maps: Mapping[str, Numbers],
    *,
    label: str,
    points: Numbers | Mapping[str, Numbers] | None = None,
    size: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """Draw named functions of two numbers side by side on one colour scale, with points on them.

    Args:
        maps: name → values `(H, W)` at places spread evenly over a square, the first row at the bottom.
        label: what the colours mean.
        points: `(N, 2)` for all maps, or name → points for some of them.
        size: where the square begins and ends, the same along both axes.
    """
    maps = _arrays("map", maps, "H", "W")
    here = {} if points is None else points if isinstance(points, Mapping) else dict.fromkeys(maps, points)
    if unknown := here.keys() - maps.keys():
        raise ValueError(f"got points for {', '.join(map(repr, unknown))}, expected names of maps: {', '.join(maps)}")
    figure, panels = _side_by_side(maps, width=2.4, height=2.6, x="$x_1$", y="$x_2$")
    for (axis, values), title in zip(panels, maps, strict=True):
        drawn = axis.imshow(values, cmap="cividis", **_range(maps), origin="lower", extent=(*size, *size))
        if title in here:
            axis.scatter(*_numbers(f"points on {title!r}", here[title], "N", 2).T, s=3, color="white", linewidths=0)
        axis.set(xlim=size, ylim=size)
    for axis in figure.axes[1:]:
        axis.set_yticks([])
    figure.colorbar(drawn, ax=figure.axes, label=label, shrink=0.7)
    return figure


@rc_context(STYLE)
def piano_rolls(pieces: Mapping[str, Numbers], *, steps_per_beat: int = 2) -> Figure:
    """Draw pieces of music for four voices side by side, at most three in a row: time to the right, pitch upwards.

    Args:
        pieces: `{"Bach": (steps, 4), …}`: MIDI pitches from soprano to bass, −1 for a rest.
        steps_per_beat: where the time axis has its ticks.
    """
    pieces, steps_per_beat = (
        _arrays("piece", pieces, "steps", 4, whole=True),
        checks.whole("steps_per_beat", steps_per_beat),
    )
    columns = min(3, len(pieces))
    figure, axes = _panels(-(-len(pieces) // columns), columns, width=6.6 / columns, height=2.4)
    for axis in axes[len(pieces) :]:
        axis.remove()
    sung = [int(pitch) for rows in pieces.values() for pitch in rows.flatten() if pitch >= 0]
    for axis, (label, rows) in zip(axes, pieces.items(), strict=False):
        for voice, name in enumerate(("soprano", "alto", "tenor", "bass")):
            steps = [step for step in range(len(rows)) if rows[step, voice] >= 0]
            pitches = [int(rows[step, voice]) for step in steps]
            axis.bar(
                [(step + 0.5) / steps_per_beat for step in steps],
                0.9,
                width=1 / steps_per_beat,
                bottom=[pitch - 0.45 for pitch in pitches],
                color=COLOURS[voice],
                label=name,
            )
        axis.set_title(label, loc="left")
        axis.set(xlabel="beats", ylabel="pitch (MIDI)", xlim=(0, len(rows) / steps_per_beat))
        axis.set_ylim(min(sung, default=48) - 2, max(sung, default=72) + 2)
    figure.legend(*axes[0].get_legend_handles_labels(), ncols=4, loc="outside lower center")
    return figure


@rc_context(STYLE)
def marked(pictures: Tensor, points: Mapping[str, Numbers], *, columns: int = 6) -> Figure:
    """Draw images `(N, 1, H, W)` with named sets of key points `(N, K, 2)` on them, x and y in pixels."""
    columns, pictures = checks.whole("columns", columns), _pictures("images", pictures)
    points = _arrays("key points", points, len(pictures), "K", 2)
    figure, axes = _panels(-(-len(pictures) // columns), columns, width=1.05, height=1.05)
    for axis in axes:
        _bare(axis)
    for number, (axis, picture) in enumerate(zip(axes, pictures, strict=False)):
        axis.imshow(_colours_last(picture), vmin=0, vmax=1, interpolation="nearest")
        for place, (label, found) in enumerate(points.items()):
            places, marker, colour = found[number].T, "+x1"[place % 3], COLOURS[place % len(COLOURS)]
            axis.scatter(*places, s=30, marker=marker, color=colour, linewidths=1.3, label=label)
    figure.legend(*axes[0].get_legend_handles_labels(), ncols=len(points), loc="outside lower center")
    return figure


def _panels(rows: int, columns: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a Figure of equal panels, and its axes in reading order; a panel has the given inches."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def _side_by_side(
    parts: Mapping[str, np.ndarray], *, width: float, height: float, x: str = "", y: str = ""
) -> tuple[Figure, list[tuple[Axes, np.ndarray]]]:
    """Return a Figure with a titled panel for each part, and each panel's axes with what belongs into it."""
    figure, axes = _panels(1, len(parts), width=width, height=height)
    for axis, title in zip(axes, parts, strict=True):
        axis.set(title=title, xlabel=x, ylabel=y)
    return figure, list(zip(axes, parts.values(), strict=True))


def _draw_in_rows(axis: Axes, pictures: Tensor, columns: int) -> None:
    """Draw images in rows with a line of one pixel around each."""
    page = _page(pictures, columns, line=0.35)
    axis.imshow(_colours_last(page), vmin=0, vmax=1, interpolation="nearest")
    _bare(axis)


def _page(pictures: Tensor, columns: int, *, line: float) -> Tensor:
    """Return images `(N, C, H, W)` in rows as one `(C, …, …)`, with a line of this grey around each.

    As torchvision's `make_grid` does, whose import takes seconds and 0.1 GB.
    """
    count, channels, height, width = pictures.shape
    if count == 1:
        return pictures[0]  # without a line
    columns = min(columns, count)
    rows = -(-count // columns)
    after = [0, 1, 0, 1, 0, 0, 0, rows * columns - count]  # a line to the right and below, and the places left empty
    tiles = functional.pad(pictures, after, value=line).reshape(rows, columns, channels, height + 1, width + 1)
    page = tiles.permute(2, 0, 3, 1, 4).reshape(channels, rows * (height + 1), columns * (width + 1))
    return functional.pad(page, [1, 0, 1, 0], value=line)


def _draw_labelled(axis: Axes, points: np.ndarray, labels: Any, *, size: float, edge: float = 0) -> None:
    """Draw points in their label's colour, with a white edge on request, and each label at its median."""
    for label, colour, members in _classes(labels, len(points)):
        axis.scatter(*points[members].T, s=size, color=colour, linewidths=edge, edgecolors="white")
        axis.annotate(
            label, np.median(points[members], axis=0), color=colour, weight="bold", ha="center", va="center",
            bbox={"boxstyle": "circle,pad=0.1", "facecolor": "white", "edgecolor": colour, "alpha": 0.85},
        )  # fmt: skip


def _bare(axis: Axes) -> None:
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _range(maps: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the least and the greatest number of all maps, as `imshow` calls them."""
    return {"vmin": min(float(m.min()) for m in maps.values()), "vmax": max(float(m.max()) for m in maps.values())}


def _colours_last(picture: Tensor) -> np.ndarray:
    """Return an image `(C, H, W)` as matplotlib draws it: `(H, W, C)`, grey if C is 1."""
    return picture.movedim(0, 2).numpy()


def _array(values: Any) -> np.ndarray:
    """Return a tensor on any device, with a gradient or without, an array, or lists of these as one array."""
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    if isinstance(values, Iterable) and not isinstance(values, str | np.ndarray):
        return np.array([_array(each) for each in values])
    return np.asarray(values)


def _numbers(what: str, values: Any, *shape: int | str, whole: bool = False) -> np.ndarray:
    """Return finite numbers as an array of this shape, in which a letter stands for any length but 0.

    Raises:
        ValueError: if they are something else; the message says what came, under the name `what`.
    """
    kind = "whole" if whole else "finite"
    expected = f"{kind} numbers of shape ({', '.join(map(str, shape))})" if shape else "a finite number"
    try:
        found = _array(values)
    except ValueError:
        raise ValueError(f"got {what} with parts of different lengths, expected {expected}") from None
    if found.dtype.kind not in ("iu" if whole else "biuf"):
        raise ValueError(f"got {what} of type {found.dtype}, expected {expected}")
    fits = all(have == want or (isinstance(want, str) and have) for have, want in zip(found.shape, shape, strict=False))
    if found.ndim != len(shape) or not fits:
        hint = ""
        if found.ndim == 2 and shape[1:] == (2,):
            hint = "; show two numbers of each, or project them, as scikit-learn's PCA(2).fit_transform(codes) does"
        raise ValueError(f"got {what} of shape {found.shape}, expected {expected}{hint}")
    if not np.isfinite(found).all():
        raise ValueError(
            f"got {what} with NaN or infinity, expected {expected}; leave these out, or mend what made them"
        )
    return found


def _named(parts: Mapping[str, Any], example: str) -> Mapping[str, Any]:
    """Return `parts` unchanged, or raise a ValueError if they are no names with something to draw for each."""
    if not isinstance(parts, Mapping) or not parts:
        got = "no names" if isinstance(parts, Mapping) else type(parts).__name__
        raise ValueError(f"got {got}, expected at least one name with what to draw, as in {{'name': {example}}}")
    return parts


def _arrays(kind: str, parts: Mapping[str, Any], *shape: int | str, whole: bool = False) -> dict[str, np.ndarray]:
    """Return name → finite numbers of this shape, or raise a ValueError that says which aren't."""
    example = f"({', '.join(map(str, shape))})" if shape else "number"
    named = _named(parts, example).items()
    return {name: _numbers(f"{kind} {name!r}", values, *shape, whole=whole) for name, values in named}


def _pair(what: str, values: Any, *shape: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays of finite numbers, or raise a ValueError if there are not two."""
    try:
        first, second = values
    except (TypeError, ValueError):
        raise ValueError(f"got {what} that is no pair, expected two {'lists of ' if shape else ''}numbers") from None
    return _numbers(what, first, *shape), _numbers(what, second, *shape)


def _classes(labels: Any, rows: int) -> list[tuple[str, str, np.ndarray]]:
    """Return each label as a text, its colour, and which of the rows have it, `(rows,)`; sorted.

    A whole number always has the same colour, a name the one of its place in the alphabet.

    Raises:
        ValueError: if there is not one whole number or name for each row.
    """
    found = _array(labels)
    numbers = found.dtype.kind in "biuf"
    if found.dtype.kind == "f" and np.isfinite(found).all() and (found == found.round()).all():
        found = found.astype(np.int64)
    if found.shape != (rows,) or found.dtype.kind not in "biuU":
        raise ValueError(
            f"got labels of shape {found.shape} and type {found.dtype}, "
            f"expected a whole number or a name for each of {rows} points"
        )
    names = np.unique(found).tolist()
    places = names if numbers else range(len(names))
    return [
        (str(name), COLOURS[place % len(COLOURS)], found == name) for name, place in zip(names, places, strict=True)
    ]


def _pictures(what: str, pictures: Tensor, first: int | None = None) -> Tensor:
    """Return the `first` images `(N, 1, H, W)` or `(N, 3, H, W)`, on the CPU and clipped to [0, 1].

    Raises:
        ValueError: if they are no such images, or their values lie further outside [0, 1] than it is wide.
    """
    if not isinstance(pictures, Tensor):
        raise ValueError(f"got {type(pictures).__name__} as {what}, expected a tensor; {checks.to_tensor(pictures)}")
    shape = tuple(pictures.shape)
    if len(shape) != 4 or shape[1] not in (1, 3):
        hint = "add an axis with images[None] or images[:, None], or choose channels with images[:, :1]"
        if len(shape) == 4 and shape[3] in (1, 3):
            hint = "their colours stand last, use images.permute(0, 3, 1, 2)"
        raise ValueError(f"got {what} of shape {shape}, expected (N, 1, H, W) or, in colour, (N, 3, H, W); {hint}")
    pictures = pictures[:first].detach().cpu()
    try:
        clipped = checks.images(pictures.clamp(0, 1) if pictures.is_floating_point() else pictures, None)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    low, high = float(pictures.min()), float(pictures.max())
    if low < -1 or high > 2:
        hint = "divide by 255" if low >= 0 and high <= 255 else "rescale them, or clamp them if that is meant"
        raise ValueError(f"got {what} with values from {low:g} to {high:g}, expected [0, 1]; {hint}")
    return clipped
