"""Every figure of the book: each function draws what it is given and returns the Figure.

Figures are drawn for a high-density screen and compressed when a notebook shows them.  Colours are
Petroff's ten (2021), chosen to stay apart for colour-blind readers; wherever colours name something,
a label does too.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.figure
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator
from PIL import Image
from torch import Tensor
from torch.distributions import Normal
from torchvision.utils import make_grid

if TYPE_CHECKING:
    from .training import History

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
    single = len(run.train) == 2 and run.train.get("total") in [run.train[key] for key in run.train if key != "total"]
    terms = {term: values for term, values in run.train.items() if not (single and term == "total")}
    figure, axes = _panels(1, len(terms) or 1, width=3.6, height=2.6)
    epochs = range(1, len(run) + 1)
    for axis, (term, values) in zip(axes, terms.items(), strict=False):
        axis.plot(epochs, values, marker="o", markersize=3, label="training")
        if term in run.validation:
            axis.plot(epochs, run.validation[term], marker="s", markersize=3, linestyle="--", label="validation")
        axis.set(xlabel="epoch", ylabel=term)
        axis.legend()
    return figure


@rc_context(STYLE)
def images(rows: Mapping[str, Tensor], *, columns: int = 10) -> Figure:
    """Draw rows of images with a label each: `{"original": (N, 1, 28, 28), …}`, the first `columns` of each."""
    figure, axes = _panels(len(rows), 1, width=0.5 * columns, height=0.74)
    for axis, (label, pictures) in zip(axes, rows.items(), strict=True):
        axis.imshow(_strip(pictures[:columns], columns), vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(label, loc="left", pad=2)
        _bare(axis)
    return figure


@rc_context(STYLE)
def grid(pictures: Tensor, *, columns: int = 10) -> Figure:
    """Draw images `(N, 1, 28, 28)` in rows of `columns`."""
    rows = -(-len(pictures) // columns)
    figure, (axis,) = _panels(1, 1, width=0.5 * columns, height=0.5 * rows)
    axis.imshow(_strip(pictures, columns), vmin=0, vmax=1, interpolation="nearest")
    _bare(axis)
    return figure


@rc_context(STYLE)
def lines(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
    points: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """Draw named curves `{"PCA": (x values, y values), …}` and, if given, single named points."""
    figure, (axis,) = _panels(1, 1, width=4.7, height=3.2)
    for number, (label, (across, up)) in enumerate(curves.items()):
        if len(across) <= 30:
            axis.plot(across, up, marker=MARKERS[number % len(MARKERS)], markersize=4, label=label)
        else:
            axis.plot(across, up, linestyle=("-", "--", ":", "-.")[number % 4], label=label)
    for (label, (across, up)), marker in zip((points or {}).items(), "*PXdv^" * 3, strict=False):
        axis.plot([across], [up], marker=marker, markersize=11, linestyle="none", color="black", label=label)
    axis.set(xlabel=x, ylabel=y, xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    for scale, is_log in ((axis.xaxis, log_x), (axis.yaxis, log_y)):
        if is_log:  # 1, 2, 5, 10, 20 … in plain figures, as far as there is room for them
            low, high = scale.get_view_interval()
            scale.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 2000 else (1,)))
            scale.set_major_formatter("{x:g}")
            scale.set_minor_formatter("")
    if len(curves) + len(points or {}) > 1:
        axis.legend()
    return figure


@rc_context(STYLE)
def bars(values: Mapping[str, float], *, x: str, digits: int = 0) -> Figure:
    """Draw named numbers as horizontal bars, each with its value at the end."""
    figure, (axis,) = _panels(1, 1, width=4.7, height=0.32 * len(values) + 0.6)
    drawn = axis.barh(list(values), list(values.values()), color=COLOURS[0])
    axis.bar_label(drawn, labels=[f"{value:,.{digits}f}" for value in values.values()], padding=3)
    axis.invert_yaxis()
    axis.set(xlabel=x)
    axis.margins(x=0.15)
    return figure


@rc_context(STYLE)
def latent_maps(maps: Mapping[str, Tensor], labels: Tensor) -> Figure:
    """Draw named sets of points `(N, 2)` side by side, coloured by label, with each label at its median.

    The axes run like asinh: straight in the crowded middle, logarithmic towards the few points far out.
    """
    figure, axes = _panels(1, len(maps), width=3.1, height=3.1)
    for axis, (title, points) in zip(axes, maps.items(), strict=True):
        middle = np.median(np.abs(points.numpy() - np.median(points.numpy(), axis=0)), axis=0)
        axis.set_xscale("asinh", linear_width=middle[0])
        axis.set_yscale("asinh", linear_width=middle[1])
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_locator(FixedLocator((-10, -3, -1, 0, 1, 3, 10)))
            scale.set_minor_locator(NullLocator())
            scale.set_major_formatter("{x:g}")
        _labelled(axis, points, labels, size=3)
        axis.set(title=title, xlabel="$z_1$", ylabel="$z_2$")
    return figure


@rc_context(STYLE)
def clouds(posteriors: Mapping[str, Normal], labels: Tensor) -> Figure:
    """Draw named posteriors over two latent dimensions side by side: each image's mean and its σ as an ellipse.

    Colours and numbers are labels.  Dashed circles of radius 1 and 2 hold 39 % and 86 % of the prior N(0, I).
    The axes leave out the outermost means, 3 % on each side.
    """
    figure, axes = _panels(1, len(posteriors), width=3.4, height=3.4)
    for axis, (title, q) in zip(axes, posteriors.items(), strict=True):
        for label in labels.unique().tolist():
            mean, spread = (values[labels == label].numpy() for values in (q.mean, q.stddev))
            colour = _colour(label)
            size = {"widths": 2 * spread[:, 0], "heights": 2 * spread[:, 1], "angles": np.zeros(len(mean))}
            place = {"offsets": mean, "transOffset": axis.transData, "units": "xy"}
            axis.add_collection(EllipseCollection(**size, **place, facecolor=colour, alpha=0.25, linewidth=0))
        _labelled(axis, q.mean, labels, size=2)
        for radius in (1, 2):
            axis.add_patch(Circle((0, 0), radius, fill=False, linestyle="--", linewidth=1))
        axis.set(title=title, xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
        low, high = np.quantile(q.mean, (0.03, 0.97), axis=0)
        axis.set(
            xlim=(min(low[0], -2) - 0.5, max(high[0], 2) + 0.5), ylim=(min(low[1], -2) - 0.5, max(high[1], 2) + 0.5)
        )
    return figure


@rc_context(STYLE)
def loops(paths: Mapping[str, Tensor], angles: Tensor) -> Figure:
    """Draw named closed paths of points `(N, 2)` side by side, coloured by the angle in degrees at each point."""
    figure, axes = _panels(1, len(paths), width=2.4, height=2.4)
    for axis, (title, points) in zip(axes, paths.items(), strict=True):
        closed = np.vstack([points.numpy(), points[:1].numpy()])
        axis.plot(*closed.T, color=COLOURS[3], linewidth=0.8)
        drawn = axis.scatter(*points.numpy().T, c=angles.numpy(), cmap="twilight", s=14, vmin=0, vmax=360, zorder=2)
        axis.set(title=title, xlabel="$z_1$", ylabel="$z_2$")
    figure.colorbar(drawn, ax=axes, label="angle (degrees)", ticks=[0, 90, 180, 270, 360])
    return figure


@rc_context(STYLE)
def histograms(samples: Mapping[str, Tensor], *, x: str, y: str = "share of images", bins: int = 50) -> Figure:
    """Draw named samples as overlaid histograms on common bins, each as a share of its sample."""
    figure, (axis,) = _panels(1, 1, width=4.7, height=2.8)
    everything = np.concatenate([np.asarray(sample) for sample in samples.values()])
    edges = np.linspace(everything.min(), np.quantile(everything, 0.995), bins + 1)
    for (label, sample), style in zip(samples.items(), ("-", "--", ":", "-.") * 3, strict=False):
        share = np.histogram(np.asarray(sample), edges)[0] / len(sample)
        axis.stairs(share, edges, label=label, linestyle=style, linewidth=1.8)
    axis.set(xlabel=x, ylabel=y)
    axis.legend()
    return figure


@rc_context(STYLE)
def roc(scores: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Draw the ROC curve of each named pair of scores `(normal, anomalous)`: found against falsely alarmed."""
    figure, (axis,) = _panels(1, 1, width=3.8, height=3.6)
    for label, (normal, anomalous) in scores.items():
        thresholds = np.quantile(np.concatenate([normal, anomalous]), np.linspace(1, 0, 200))
        alarms, found = ([(np.asarray(part) >= t).mean() for t in thresholds] for part in (normal, anomalous))
        axis.plot([0, *alarms, 1], [0, *found, 1], label=label)
    axis.plot([0, 1], [0, 1], color=COLOURS[3], linestyle=":", label="guessing")
    axis.set(xlabel="share of normal images flagged", ylabel="share of anomalies found")
    axis.legend(loc="lower right")
    return figure


@rc_context(STYLE)
def heatmaps(maps: Mapping[str, Tensor], *, label: str) -> Figure:
    """Draw named matrices `(H, W)` side by side on one colour scale."""
    figure, axes = _panels(1, len(maps), width=2.4, height=2.4)
    low = min(float(values.min()) for values in maps.values())
    high = max(float(values.max()) for values in maps.values())
    for axis, (title, values) in zip(axes, maps.items(), strict=True):
        drawn = axis.imshow(values.numpy(), cmap="cividis", vmin=low, vmax=high)
        axis.set_title(title)
        _bare(axis)
    figure.colorbar(drawn, ax=axes, label=label, shrink=0.8)
    return figure


@rc_context(STYLE)
def atlas(
    points: Tensor,
    labels: Tensor,
    *,
    ground: tuple[Tensor, Tensor, Tensor] | None = None,
    paths: Mapping[str, Tensor] | None = None,
) -> Figure:
    """Draw codes `(N, 2)` on one map, coloured by label; on request what lies under them, and paths across it.

    Args:
        points: the codes.
        labels: a number for each, `(N,)`; it is shown at the median of its points.
        ground: `(classes, low, high)`: what is seen at `(H, W)` places spread evenly over the box between the corners
            `low` and `high`, both `(2,)`, the first row at the bottom; −1, nothing, stays dark.
        paths: name → `(steps, 2)`, drawn as a line from its dot to its arrowhead.
    """
    figure, (axis,) = _panels(1, 1, width=4.9, height=4.6)
    if ground is not None:
        classes, low, high = ground
        shades = 0.55 + 0.45 * np.array([to_rgb(colour) for colour in COLOURS])
        picture = np.where((classes >= 0).numpy()[..., None], shades[classes.numpy() % len(COLOURS)], 0.25)
        extent = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
        axis.imshow(picture, origin="lower", extent=extent, aspect="auto", interpolation="nearest")
    _labelled(axis, points, labels, size=4, edge=0.2 if ground is not None else 0)
    for name, path in (paths or {}).items():
        way = path.numpy()
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
def shares(rows: Mapping[str, Sequence[float]], columns: Sequence[str], *, x: str, y: str) -> Figure:
    """Draw named rows of shares from 0 to 1 as a table in per cent, the larger the darker."""
    values = np.array([list(row) for row in rows.values()])
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
    maps: Mapping[str, Tensor],
    *,
    label: str,
    points: Tensor | Mapping[str, Tensor] | None = None,
    size: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """Draw named functions of two numbers side by side on one colour scale, with points on them.

    Args:
        maps: name → values `(H, W)` at places spread evenly over a square, the first row at the bottom.
        label: what the colours mean.
        points: `(N, 2)` for all maps, or name → points.
        size: where the square begins and ends, the same along both axes.
    """
    figure, axes = _panels(1, len(maps), width=2.4, height=2.6)
    low = min(float(values.min()) for values in maps.values())
    high = max(float(values.max()) for values in maps.values())
    for axis, (title, values) in zip(axes, maps.items(), strict=True):
        drawn = axis.imshow(values.numpy(), cmap="cividis", vmin=low, vmax=high, origin="lower", extent=size * 2)
        here = points.get(title) if isinstance(points, Mapping) else points
        if here is not None:
            axis.scatter(*here.numpy().T, s=3, color="white", linewidths=0)
        axis.set(title=title, xlabel="$x_1$", xlim=size, ylim=size)
    axes[0].set_ylabel("$x_2$")
    for axis in axes[1:]:
        axis.set_yticks([])
        axis.set_ylabel("$x_2$")
    figure.colorbar(drawn, ax=axes, label=label, shrink=0.7)
    return figure


@rc_context(STYLE)
def piano_rolls(pieces: Mapping[str, Tensor], *, steps_per_beat: int = 2) -> Figure:
    """Draw pieces of music for four voices side by side, at most three in a row: time to the right, pitch upwards.

    Args:
        pieces: `{"Bach": (steps, 4), …}`: MIDI pitches from soprano to bass, −1 for a rest.
        steps_per_beat: where the time axis has its ticks.
    """
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
                [0.9] * len(steps),
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
def marked(pictures: Tensor, points: Mapping[str, Tensor], *, columns: int = 6) -> Figure:
    """Draw images `(N, 1, H, W)` with named sets of key points `(N, K, 2)` on them, x and y in pixels."""
    figure, axes = _panels(-(-len(pictures) // columns), columns, width=1.05, height=1.05)
    for axis in axes:
        _bare(axis)
    for number, (axis, picture) in enumerate(zip(axes, pictures, strict=False)):
        axis.imshow(picture[0].numpy(), vmin=0, vmax=1, interpolation="nearest")
        for place, (label, found) in enumerate(points.items()):
            places, marker, colour = found[number].T.numpy(), "+x1"[place % 3], COLOURS[place]
            axis.scatter(*places, s=30, marker=marker, color=colour, linewidths=1.3, label=label)
    figure.legend(*axes[0].get_legend_handles_labels(), ncols=len(points), loc="outside lower center")
    return figure


def _colour(label: int) -> str:
    return COLOURS[label % len(COLOURS)]


def _labelled(axis: Axes, points: Tensor, labels: Tensor, *, size: float, edge: float = 0) -> None:
    """Draw points in their label's colour, with a white edge on request, and each label at its median."""
    for label in labels.unique().tolist():
        members = points[labels == label].numpy()
        axis.scatter(*members.T, s=size, color=_colour(label), linewidths=edge, edgecolors="white")
        axis.annotate(
            str(label), np.median(members, axis=0), color=_colour(label), weight="bold", ha="center", va="center",
            bbox={"boxstyle": "circle,pad=0.1", "facecolor": "white", "edgecolor": _colour(label), "alpha": 0.85},
        )  # fmt: skip


def _panels(rows: int, columns: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a Figure of equal panels, and its axes in reading order; a panel has the given inches."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def _strip(pictures: Tensor, columns: int) -> np.ndarray:
    return make_grid(pictures.detach().cpu(), nrow=columns, padding=1, pad_value=0.35)[0].clamp(0, 1).numpy()


def _bare(axis: Axes) -> None:
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)
