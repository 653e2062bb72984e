"""Pictures that are drawn when they are asked for: letters, shapes with known factors, stick figures with key points.

The shapes are in the manner of dSprites (Matthey et al., 2017).  Their angle covers a quarter turn only: a full turn
is a circle, and no single number can hold a circle.

In this order: letters, shapes, stick figures, and last what stick figures are drawn with.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor

from .. import checks
from .dataset import Dataset


def letters(*, per_letter: int = 40, seed: int = 0) -> Dataset:
    """Return capital letters A to Z in MNIST's manner: white on black, 20 × 20 inside 28 × 28.

    They are not handwritten: all are made from one computer font, DejaVu Sans, slightly turned, sheared and thickened
    at random, four fifths of them for training.  Labels count from A = 0.

    Args:
        per_letter: how many of each letter.
        seed: fixes the random drawing and the split.

    Raises:
        ValueError: if `per_letter` is no whole number of at least 5, so that each letter has a test image.
    """
    checks.whole("per_letter", per_letter, 5)
    random = np.random.default_rng(checks.seed(seed))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    images = torch.stack([_draw_letter(letter, random) for letter in alphabet for _ in range(per_letter)])
    labels = torch.arange(26).repeat_interleave(per_letter)
    test = torch.arange(len(labels)) % per_letter >= per_letter * 4 // 5
    return Dataset("letters", images[~test], labels[~test], images[test], labels[test], "drawn by aecourse")


def _draw_letter(letter: str, random: np.random.Generator) -> Tensor:
    """Return one image `(1, 28, 28)`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D, IdentityTransform

    outline = TextPath((0, 0), letter, size=20, prop=FontProperties(family="DejaVu Sans"))
    turn, shear, thickness = random.uniform(-12, 12), random.uniform(-0.25, 0.25), random.uniform(0, 1.5)
    outline = outline.transformed(Affine2D().skew(shear, 0).rotate_deg(turn))
    box = outline.get_extents()
    scale = 18 / max(box.width, box.height)
    centred = Affine2D().translate(-(box.x0 + box.x1) / 2, -(box.y0 + box.y1) / 2).scale(scale).translate(14, 14)

    figure = Figure(figsize=(1, 1), dpi=28, facecolor="black")  # without axes: they take nearly all of the time
    style = {"facecolor": "white", "edgecolor": "white", "linewidth": thickness}
    figure.add_artist(PathPatch(outline.transformed(centred), transform=IdentityTransform(), **style))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    grey = np.asarray(canvas.buffer_rgba())[..., 0]
    return torch.tensor(grey / 255, dtype=torch.float32).unsqueeze(0)


SHAPE_KINDS = ("ellipse", "rectangle", "triangle")
SHAPE_FACTORS: dict[str, tuple[float, ...]] = {
    "kind": (0, 1, 2),
    "size": (5.0, 6.0, 7.0, 8.0),
    "angle": (-45.0, -27.0, -9.0, 9.0, 27.0, 45.0),
    "x": (-4.0, -2.0, 0.0, 2.0, 4.0),
    "y": (-4.0, -2.0, 0.0, 2.0, 4.0),
}


def draw_shapes(factors: Tensor) -> Tensor:
    """Return the images `(N, 1, 28, 28)` in [0, 1] of the given shapes: white on black, smooth at the edge.

    A shape is twice as long as it is wide.  A pixel at the edge is as white as it is covered, to good approximation.

    Args:
        factors: `(N, 5)`: the kind as a number (see `SHAPE_KINDS`), half the length in pixels, the angle in degrees
            against the clock, and the centre's place to the right of and above the middle of the image, in pixels.

    Raises:
        ValueError: if the table has another shape, or a kind or size that can't be drawn.
    """
    shape = tuple(factors.shape) if isinstance(factors, Tensor) else ()
    if len(shape) != 2 or not len(factors) or shape[1] != len(SHAPE_FACTORS):
        came = f"shape {shape}" if isinstance(factors, Tensor) else type(factors).__name__
        raise ValueError(f"got {came}, expected a table (N, 5) of {', '.join(SHAPE_FACTORS)}; for one, factors[None]")
    kind, size, angle, right, up = factors.to(torch.float32).T[..., None, None]
    known = torch.isin(kind, torch.arange(len(SHAPE_KINDS))) & (size > 0)
    if not (known.all() and factors.isfinite().all()):
        raise ValueError("got a kind that is not 0, 1 or 2, or a size of 0 or less, or NaN; see data.SHAPE_FACTORS")
    place = torch.arange(28) - 13.5
    across, above = place[None, None, :] - right, -place[None, :, None] - up
    turn = torch.deg2rad(angle)
    x, y = turn.cos() * across + turn.sin() * above, turn.cos() * above - turn.sin() * across
    a, b = size, size / 2
    # How far outside the edge each pixel's centre lies, in pixels; negative inside.
    radius = torch.hypot(x / a, y / b)
    steepness = torch.hypot(x / a**2, y / b**2).clamp(min=1e-6)
    ellipse = torch.where(radius > 0, radius * (radius - 1) / steepness, -b)
    rectangle = torch.maximum(x.abs() - a, y.abs() - b)
    triangle = torch.maximum((b * x + 2 * a * y.abs() - a * b) / torch.hypot(b, 2 * a), -x - a)
    outside = torch.where(kind == 0, ellipse, torch.where(kind == 1, rectangle, triangle))
    return (0.5 - outside).clamp(0, 1)[:, None]


def all_shapes() -> tuple[Tensor, Tensor]:
    """Return all combinations of the values in `SHAPE_FACTORS`: images `(N, 1, 28, 28)` and their factors `(N, 5)`."""
    factors = torch.tensor(list(itertools.product(*SHAPE_FACTORS.values())))
    return draw_shapes(factors), factors


def random_shapes(n: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return `n` random shapes, each factor drawn evenly and independently from its values in `SHAPE_FACTORS`.

    Args:
        n: how many.
        seed: fixes them.

    Returns:
        images `(n, 1, 28, 28)` in [0, 1] and their factors `(n, 5)`.

    Raises:
        ValueError: if `n` is no whole number of at least 1.
    """
    checks.whole("n", n)
    random = torch.Generator().manual_seed(checks.seed(seed))
    columns = [
        torch.tensor(values)[torch.randint(len(values), (n,), generator=random)] for values in SHAPE_FACTORS.values()
    ]
    factors = torch.stack([column.float() for column in columns], 1)
    return draw_shapes(factors), factors


KEY_POINTS = ("head", "neck", "hip", "left hand", "right hand", "left foot", "right foot")


def stick_figures(number: int, *, size: int = 32, clutter: bool = True, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return `number` images `(N, 1, size, size)` in [0, 1] and their key points `(N, 7, 2)`, x and y in pixels.

    Every figure has its own place, size, tilt and pose; *left* is left in the upright figure's picture.  A key point
    lies inside the image; (0, 0) is the centre of the top left pixel.  The order is that of `KEY_POINTS`.

    Args:
        number: how many.
        size: the side of an image in pixels.
        clutter: draw two strokes that belong to nothing, and hide a part of everything behind a grey disc.
        seed: fixes the drawings.

    Raises:
        ValueError: if `number` is no whole number of at least 1, or `size` none of at least 16.
    """
    checks.whole("number", number)
    checks.whole("size", size, 16)
    random = torch.Generator().manual_seed(checks.seed(seed))
    points, strokes, head = (part * size for part in _random_poses(number, random))
    drawn = [strokes]
    if clutter:
        stray = torch.rand(number, 2, 2, generator=random) * size
        away = size * 0.25 * _direction(_uniform(number, 2, -1, 1, random) * math.pi)
        drawn.append(torch.stack([stray, stray + away], 2))
    images = torch.empty(number, 1, size, size)
    for part in torch.arange(number).split(50):  # the distances of all at once would fill the memory
        lines = torch.cat([each[part] for each in drawn], 1)
        to_stroke = _distance_to_strokes(lines, size).amin(1)
        to_head = _distance_to_circle(points[part, 0], head[part], size)
        images[part, 0] = (0.7 - torch.minimum(to_stroke, to_head)).clamp(0, 1)
    if clutter:
        centre, radius = _uniform(number, 2, 0.15, 0.85, random) * size, 0.14 * size
        inside = (radius + 0.5 - _offsets_to_pixels(centre[:, None], size).norm(dim=-1)[:, 0]).clamp(0, 1)
        images[:, 0] = images[:, 0] * (1 - inside) + 0.5 * inside
    return images, points


def _random_poses(number: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return the key points, the strokes between joints `(N, 9, 2, 2)` and the radius of the head, image side 1."""
    up = _uniform(number, 1, -0.6, 0.6, random) - math.pi / 2  # the angle of "upwards": y grows downwards
    scale = _uniform(number, 1, 0.8, 1.1, random)[..., None]

    def walk(start: Tensor, length: float, turn: Tensor) -> Tensor:
        return start + length * scale[:, 0] * _direction(up + turn)[:, 0]

    still = torch.zeros(number, 1)
    hip = torch.zeros(number, 2)
    neck = walk(hip, 0.24, still)
    head = walk(neck, 0.10, still)
    ends, strokes = [], [(hip, neck)]
    for start, upper, lower, low, high in ((neck, 0.14, 0.13, 0.9, 2.4), (hip, 0.16, 0.15, 2.3, 3.0)):
        for side in (-1, 1):
            angle = side * _uniform(number, 1, low, high, random)
            joint = walk(start, upper, angle)
            end = walk(joint, lower, angle + _uniform(number, 1, -0.8, 0.8, random))
            strokes += [(start, joint), (joint, end)]
            ends.append(end)
    points = torch.stack([head, neck, hip, *ends], 1)
    lines = torch.stack([torch.stack(stroke, 1) for stroke in strokes], 1)
    low, high = points.amin(1), points.amax(1)
    shift = 0.06 - low + torch.rand(number, 2, generator=random) * (0.88 - (high - low)).clamp(min=0)
    return points + shift[:, None], lines + shift[:, None, None], 0.055 * scale[:, 0]


def _uniform(rows: int, columns: int, low: float, high: float, random: torch.Generator) -> Tensor:
    """Return `(rows, columns)`, each drawn evenly from `low` to `high`."""
    return low + (high - low) * torch.rand(rows, columns, generator=random)


def _direction(angle: Tensor) -> Tensor:
    """Return the unit vectors `(…, 2)` that point so, in radians."""
    return torch.stack([angle.cos(), angle.sin()], -1)


def _offsets_to_pixels(places: Tensor, size: int) -> Tensor:
    """Return the way from each place `(N, M, 2)` to each pixel: `(N, M, size, size, 2)`."""
    axis = torch.arange(size, dtype=torch.float32)
    pixels = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    return pixels - places[:, :, None, None]


def _distance_to_strokes(strokes: Tensor, size: int) -> Tensor:
    """Return how far each pixel is from each stroke `(N, M, 2, 2)`, in pixels: `(N, M, size, size)`."""
    start, way = strokes[:, :, 0], strokes[:, :, 1] - strokes[:, :, 0]
    offset, way = _offsets_to_pixels(start, size), way[:, :, None, None]
    share = ((offset * way).sum(-1) / way.square().sum(-1).clamp(min=1e-9)).clamp(0, 1)
    return (offset - share[..., None] * way).norm(dim=-1)


def _distance_to_circle(centre: Tensor, radius: Tensor, size: int) -> Tensor:
    """Return how far each pixel is from each circle's line: `(N, size, size)`."""
    return (_offsets_to_pixels(centre[:, None], size)[:, 0].norm(dim=-1) - radius[:, :, None]).abs()
