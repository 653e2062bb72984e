"""Pixels as the whole numbers that a code takes: 256 grey levels, or black and white."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .. import checks


def grey_levels(images: Tensor) -> Tensor:
    """Return images in [0, 1] as the uint8 grey levels 0 … 255 that they were stored with, in the same shape.

    Raises:
        ValueError: if they are no float32 tensor of numbers in [0, 1]; grey levels themselves would wrap round.
    """
    return (checks.images(images, None) * 255).round().to(torch.uint8)


def black_and_white(images: Tensor, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return images `(N, C, H, W)` whose pixels are 0 or 1 as a uint8 array of the same shape.

    Args:
        images: from `data.binarize`.
        shape: what one image must look like, None for any `(C, H, W)`.

    Raises:
        ValueError: for grey or colour pixels between 0 and 1, and for what `checks.images` refuses.
    """
    checks.images(images, shape)
    if images.dim() != 4:
        raise ValueError(
            f"got images of shape {tuple(images.shape)}, expected (N, C, H, W); "
            "use images.reshape(-1, 1, H, W) with the height and width of one image"
        )
    if not ((images == 0) | (images == 1)).all():
        kind = "colour" if images.shape[1] == 3 else "grey"
        raise ValueError(f"got {kind} pixels, expected only 0 and 1; use data.binarize(images) first")
    return np.ascontiguousarray(images.to(torch.uint8).cpu().numpy())
