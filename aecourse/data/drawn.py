"""Pictures that are drawn when they are asked for: letters, shapes with known factors, stick figures with key points.

The shapes are in the manner of dSprites (Matthey et al., 2017).  Their angle covers a quarter turn only: a full turn
is a circle, and no single number can hold a circle.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor

from .digits import Dataset

SHAPE_KINDS = ("ellipse", "rectangle", "triangle")
SHAPE_FACTORS: dict[str, tuple[float, ...]] = {
    "kind": (0, 1, 2),
    "size": (5.0, 6.0, 7.0, 8.0),
    "angle": (-45.0, -27.0, -9.0, 9.0, 27.0, 45.0),
    "x": (-4.0, -2.0, 0.0, 2.0, 4.0),
    "y": (-4.0, -2.0, 0.0, 2.0, 4.0),
}

KEY_POINTS = ("head", "neck", "hip", "left hand", "right hand", "left foot", "right foot")


def letters(*, per_letter: int = 40, seed: int = 0) -> Dataset:
    """Return capital letters A to Z in MNIST's manner: white on black, 20 × 20 inside 28 × 28.

    They are drawn with matplotlib's own fonts and slightly turned, sheared and thickened at random, four
    fifths of them for training.  Labels count from A = 0.

    Args:
        per_letter: how many of each letter.
        seed: fixes the random drawing and the split.

    Raises:
        ValueError: if `per_letter` is less than 5.
    """
    if per_letter < 5:
        raise ValueError(f"got per_letter={per_letter}, expected at least 5, so that each letter has a test image")
    random = np.random.default_rng(seed)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    images = torch.stack([_draw(letter, random) for letter in alphabet for _ in range(per_letter)])
    labels = torch.arange(26).repeat_interleave(per_letter)
    test = torch.arange(len(labels)) % per_letter >= per_letter * 4 // 5
    return Dataset("letters", images[~test], labels[~test], images[test], labels[test], "drawn by aecourse")


def draw_shapes(factors: Tensor) -> Tensor:
    """Return the images `(N, 1, 28, 28)` in [0, 1] of the given shapes: white on black, smooth at the edge.

    A shape is twice as long as it is wide.  A pixel at the edge is as white as it is covered, to good approximation.

    Args:
        factors: `(N, 5)`: the kind as a number (see `SHAPE_KINDS`), half the length in pixels, the angle in degrees
            against the clock, and the centre's place to the right of and above the middle of the image, in pixels.

    Raises:
        ValueError: if the table has another shape, or a kind or size that can't be drawn.
    """
    if (
        not isinstance(factors, Tensor)
        or factors.dim() != 2
        or factors.shape[1] != len(SHAPE_FACTORS)
        or not len(factors)
    ):
        came = f"shape {tuple(factors.shape)}" if isinstance(factors, Tensor) else type(factors).__name__
        raise ValueError(f"got {came}, expected a table (N, 5) of {', '.join(SHAPE_FACTORS)}; for one, factors[None]")
    kind, size, angle, right, up = factors.to(torch.float32).T[..., None, None]
    if (
        not torch.isin(kind, torch.arange(len(SHAPE_KINDS))).all()
        or not (size > 0).all()
        or not factors.isfinite().all()
    ):
        raise ValueError("got a kind that is not 0, 1 or 2, or a size of 0 or less, or NaN; see data.SHAPE_FACTORS")
    place = torch.arange(28) - 13.5
    across, above = place[None, None, :] - right, -place[None, :, None] - up
    turn = torch.deg2rad(angle)
    x, y = turn.cos() * across + turn.sin() * above, turn.cos() * above - turn.sin() * across
    a, b = size, size / 2
    # How far outside the edge each pixel's centre lies, in pixels; negative inside.
    radius = torch.hypot(x / a, y / b)
    ellipse = radius * (radius - 1) / torch.hypot(x / a**2, y / b**2).clamp(min=1e-6)
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
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"got n={n!r}, expected a whole number of at least 1")
    random = torch.Generator().manual_seed(seed)
    columns = [
        torch.tensor(values)[torch.randint(len(values), (n,), generator=random)] for values in SHAPE_FACTORS.values()
    ]
    factors = torch.stack([column.float() for column in columns], 1)
    return draw_shapes(factors), factors


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
        ValueError: if `number` is not a whole number above 0, or `size` is less than 16.
    """
    for name, value, least in (("number", number, 1), ("size", size, 16)):
        if not isinstance(value, int) or value < least:
            raise ValueError(f"got {name}={value!r}, expected a whole number of at least {least}")
    random = torch.Generator().manual_seed(seed)
    points, strokes, head = _pose(number, random)
    points, strokes, head = points * size, strokes * size, head * size
    drawn = [strokes]
    if clutter:
        stray = torch.rand(number, 2, 2, generator=random) * size
        drawn.append(
            torch.stack([stray, stray + size * 0.25 * _direction(_between(number, 2, -1, 1, random) * math.pi)], 2)
        )
    images = torch.empty(number, 1, size, size)
    for part in torch.arange(number).split(50):
        lines = torch.cat([strokes[part] for strokes in drawn], 1)
        away = torch.minimum(_distance(lines, size).amin(1), _ring(points[part, 0], head[part], size))
        images[part, 0] = (0.7 - away).clamp(0, 1)
    if clutter:
        centre, radius = _between(number, 2, 0.15, 0.85, random) * size, 0.14 * size
        inside = (radius + 0.5 - _to_pixels(centre[:, None], size).norm(dim=-1)[:, 0]).clamp(0, 1)
        images[:, 0] = images[:, 0] * (1 - inside) + 0.5 * inside
    return images, points


def _pose(number: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return the key points, the strokes between joints `(N, 9, 2, 2)` and the radius of the head, image side 1."""
    up = _between(number, 1, -0.6, 0.6, random) - math.pi / 2  # the angle of "upwards": y grows downwards
    scale = _between(number, 1, 0.8, 1.1, random)[..., None]

    def walk(start: Tensor, length: float, turn: Tensor) -> Tensor:
        return start + length * scale[:, 0] * _direction(up + turn)[:, 0]

    still = torch.zeros(number, 1)
    hip = torch.zeros(number, 2)
    neck = walk(hip, 0.24, still)
    head = walk(neck, 0.10, still)
    ends, strokes = [], [(hip, neck)]
    for start, upper, lower, low, high in ((neck, 0.14, 0.13, 0.9, 2.4), (hip, 0.16, 0.15, 2.3, 3.0)):
        for side in (-1, 1):
            angle = side * _between(number, 1, low, high, random)
            joint = walk(start, upper, angle)
            end = walk(joint, lower, angle + _between(number, 1, -0.8, 0.8, random))
            strokes += [(start, joint), (joint, end)]
            ends.append(end)
    points = torch.stack([head, neck, hip, *ends], 1)
    lines = torch.stack([torch.stack(stroke, 1) for stroke in strokes], 1)
    low, high = points.amin(1), points.amax(1)
    shift = 0.06 - low + torch.rand(number, 2, generator=random) * (0.88 - (high - low)).clamp(min=0)
    return points + shift[:, None], lines + shift[:, None, None], 0.055 * scale[:, 0]


def _between(rows: int, columns: int, low: float, high: float, random: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(rows, columns, generator=random)


def _direction(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin()], -1)


def _to_pixels(places: Tensor, size: int) -> Tensor:
    """Return the way from each place `(N, M, 2)` to each pixel: `(N, M, size, size, 2)`."""
    axis = torch.arange(size, dtype=torch.float32)
    pixels = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    return pixels - places[:, :, None, None]


def _distance(strokes: Tensor, size: int) -> Tensor:
    """Return how far each pixel is from each stroke `(N, M, 2, 2)`, in pixels: `(N, M, size, size)`."""
    start, way = strokes[:, :, 0], strokes[:, :, 1] - strokes[:, :, 0]
    offset, way = _to_pixels(start, size), way[:, :, None, None]
    share = ((offset * way).sum(-1) / way.square().sum(-1).clamp(min=1e-9)).clamp(0, 1)
    return (offset - share[..., None] * way).norm(dim=-1)


def _ring(centre: Tensor, radius: Tensor, size: int) -> Tensor:
    """Return how far each pixel is from a circle line."""
    return (_to_pixels(centre[:, None], size)[:, 0].norm(dim=-1) - radius[:, :, None]).abs()


def _draw(letter: str, random: np.random.Generator) -> Tensor:
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
