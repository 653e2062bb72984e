"""Drawn shapes whose factors are known: what kind, how large, how turned, and where.

In the manner of dSprites (Matthey et al., 2017), but drawn when they are asked for.  The angle covers a quarter
turn only: a full turn is a circle, and no single number can hold a circle.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

KINDS = ("ellipse", "rectangle", "triangle")
FACTORS: dict[str, tuple[float, ...]] = {
    "kind": (0, 1, 2),
    "size": (5.0, 6.0, 7.0, 8.0),
    "angle": (-45.0, -27.0, -9.0, 9.0, 27.0, 45.0),
    "x": (-4.0, -2.0, 0.0, 2.0, 4.0),
    "y": (-4.0, -2.0, 0.0, 2.0, 4.0),
}


def draw(factors: Tensor) -> Tensor:
    """Return the images `(N, 1, 28, 28)` in [0, 1] of the given shapes: white on black, smooth at the edge.

    A shape is twice as long as it is wide.  A pixel at the edge is as white as it is covered, to good approximation.

    Args:
        factors: `(N, 5)`: the kind as a number (see `KINDS`), half the length in pixels, the angle in degrees against
            the clock, and the centre's place to the right of and above the middle of the image, in pixels.

    Raises:
        ValueError: if the table has another shape, or a kind or size that can't be drawn.
    """
    if not isinstance(factors, Tensor) or factors.dim() != 2 or factors.shape[1] != len(FACTORS) or not len(factors):
        came = f"shape {tuple(factors.shape)}" if isinstance(factors, Tensor) else type(factors).__name__
        raise ValueError(f"got {came}, expected a table (N, 5) of {', '.join(FACTORS)}; for one, factors[None]")
    kind, size, angle, right, up = factors.to(torch.float32).T[..., None, None]
    if not torch.isin(kind, torch.arange(len(KINDS))).all() or not (size > 0).all() or not factors.isfinite().all():
        raise ValueError("got a kind that is not 0, 1 or 2, or a size of 0 or less, or NaN; see shapes.FACTORS")
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


def everything() -> tuple[Tensor, Tensor]:
    """Return all combinations of the values in `FACTORS`: images `(N, 1, 28, 28)` and their factors `(N, 5)`."""
    factors = torch.tensor(list(itertools.product(*FACTORS.values())))
    return draw(factors), factors


def sample(n: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return `n` random shapes, each factor drawn evenly and independently from its values in `FACTORS`.

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
    columns = [torch.tensor(values)[torch.randint(len(values), (n,), generator=random)] for values in FACTORS.values()]
    factors = torch.stack([column.float() for column in columns], 1)
    return draw(factors), factors
