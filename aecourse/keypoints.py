"""Drawn images whose key points are known: stick figures, half hidden, among strokes that belong to nothing."""

from __future__ import annotations

import math

import torch
from torch import Tensor

NAMES = ("head", "neck", "hip", "left hand", "right hand", "left foot", "right foot")


def stick_figures(number: int, *, size: int = 32, clutter: bool = True, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return `number` images `(N, 1, size, size)` in [0, 1] and their key points `(N, 7, 2)`, x and y in pixels.

    Every figure has its own place, size, tilt and pose; *left* is left in the upright figure's picture.  A key point
    lies inside the image; (0, 0) is the centre of the top left pixel.  The order is that of `NAMES`.

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
