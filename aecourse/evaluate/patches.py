"""What attention looks at, and what guessing hidden parts is worth beside plain ways to fill holes.

A mask is int64 `(N, K)`: for each of N images the numbers of the K patches that stay visible, row by row from 0.
Patches are squares of 4 × 4 pixels, 49 in an image of 28 × 28.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import checks
from ..models import MaskedAutoencoder, MaskedNotes, PatchAutoencoder
from .batches import _by_batches, _random
from .images import _squares

__all__ = [
    "attention_distance",
    "attention_maps",
    "encode_with_maps",
    "fill_learnt",
    "fill_linear",
    "fill_nearest",
    "hidden_errors",
    "hidden_pixels",
    "neighbour_share",
    "note_guesses",
    "notes_held",
    "notes_linear",
    "visible_places",
]

SIDE = 4  # of a patch, in pixels


def attention_maps(model: PatchAutoencoder, images: Tensor, *, batch_size: int = 500) -> Tensor:
    """Return how much each patch looks at each other one: `(blocks, N, heads, 49, 49)`, rows that sum to 1."""

    def maps(batch: Tensor) -> Tensor:
        tokens, looks = model.tokens(batch), []
        for block in model.blocks[:-1]:
            looks.append(block.attention.with_weights(block.attention_norm(tokens))[1])
            tokens = block(tokens)
        return torch.stack(looks)

    return _by_batches(maps, images, batch_size=batch_size, dim=1)


def encode_with_maps(model: PatchAutoencoder, images: Tensor, maps: Tensor, *, batch_size: int = 500) -> Tensor:
    """Return the codes if every image gets the same `maps` `(blocks, heads, 49, 49)`, whatever its patches show.

    With the mean over images of `attention_maps` this asks whether the looking depends on what is seen; with 1/49
    everywhere, whether it matters at all.
    """
    maps = maps.to(model.device)

    def codes(batch: Tensor) -> Tensor:
        tokens = model.tokens(batch)
        for block, weights in zip(model.blocks[:-1], maps, strict=True):
            attention = block.attention
            read = weights @ attention.split(attention.value(block.attention_norm(tokens)))
            tokens = tokens + attention.out(read.transpose(1, 2).flatten(2))
            tokens = tokens + block.mlp(block.mlp_norm(tokens))
        return model.read_out(model.blocks[-1](tokens))

    return _by_batches(codes, images, batch_size=batch_size)


def attention_distance(maps: Tensor, *, across: int | None = None) -> Tensor:
    """Return how far away, in patches, a patch looks on average: `maps` `(…, 49, 49)` give `(…,)`.

    Dosovitskiy et al. (2021), figure 7.

    Args:
        maps: as from `attention_maps`, or some mean of them.
        across: how many patches lie beside each other; without it the image is a square.

    Raises:
        ValueError: if so many patches make up no rows of that length.
    """
    return (maps * _distances(maps, across)).sum(-1).mean(-1)


def neighbour_share(maps: Tensor, *, across: int | None = None) -> Tensor:
    """Return the share of attention that stays within the 3 × 3 patches around a patch: `(…, 49, 49)` give `(…,)`.

    Args:
        maps, across: as for `attention_distance`.

    Raises:
        ValueError: as `attention_distance`.
    """
    return (maps * (_distances(maps, across) < 1.5)).sum(-1).mean(-1)


def _distances(maps: Tensor, across: int | None) -> Tensor:
    """Return the distance between the centres of every two patches of a map, in patches: `(49, 49)`."""
    checks.numbers("maps", maps)
    places = maps.shape[-1]
    columns = math.isqrt(places) if across is None else checks.whole("across", across)
    if maps.dim() < 2 or maps.shape[-2] != places or places % columns or (across is None and columns**2 != places):
        raise ValueError(
            f"got maps of shape {tuple(maps.shape)}, expected (…, P, P) for an image of P patches, in rows of "
            f"{columns}; if the image is no square, say with across=… how many patches make a row"
        )
    steps = torch.arange(places // columns, dtype=torch.float32), torch.arange(columns, dtype=torch.float32)
    centres = torch.cartesian_prod(*steps)
    return torch.cdist(centres, centres, compute_mode="donot_use_mm_for_euclid_dist").to(maps.device)


def visible_places(n: int, places: int = 49, visible: int = 12, *, seed: int = 0) -> Tensor:
    """Return int64 `(n, visible)`: which of the places stay visible in each of n masks, drawn without repetition.

    Raises:
        ValueError: if there are not so many places, or a number is no whole number above 0.
    """
    size = checks.whole("n", n), checks.whole("places", places)
    checks.whole("visible", visible, 1, places)
    return torch.rand(size, generator=_random(seed)).argsort(1)[:, :visible]


def hidden_pixels(visible: Tensor, image_shape: tuple[int, ...] = (1, 28, 28)) -> Tensor:
    """Return images `(N, 1, 28, 28)` of 1 where a patch is hidden and 0 where it is visible.

    Args:
        visible: a mask.
        image_shape: of the images that are masked; whatever their colours, one channel says what is hidden.

    Raises:
        ValueError: if the mask names patches that such an image hasn't.
    """
    if len(image_shape) != 3 or image_shape[1] % SIDE or image_shape[2] % SIDE:
        raise ValueError(f"got image_shape={tuple(image_shape)}, expected (C, H, W), H and W multiples of {SIDE}; crop")
    rows, columns = (side // SIDE for side in image_shape[1:])
    shown = _shown(visible, rows * columns).view(-1, 1, rows, columns)
    return (~shown).float().repeat_interleave(SIDE, 2).repeat_interleave(SIDE, 3)


def _shown(visible: Tensor, places: int) -> Tensor:
    """Return for each mask and each place whether it is visible: bool `(N, places)`."""
    expected = f"int64 (N, K) with numbers of places from 0 to {places - 1}; draw them with visible_places"
    if not isinstance(visible, Tensor) or visible.dtype != torch.int64 or visible.dim() != 2:
        came = f"{visible.dtype} {tuple(visible.shape)}" if isinstance(visible, Tensor) else type(visible).__name__
        raise ValueError(f"got {came} as visible places, expected {expected}")
    if visible.numel() and not 0 <= int(visible.min()) <= int(visible.max()) < places:
        raise ValueError(f"got visible places from {visible.min()} to {visible.max()}, expected {expected}")
    return torch.zeros(len(visible), places, dtype=torch.bool, device=visible.device).scatter(1, visible, True)


def hidden_errors(images: Tensor, guesses: Tensor, visible: Tensor) -> Tensor:
    """Return the squared error of each image, summed over its hidden pixels only: `(N,)`.

    Raises:
        ValueError: as `squared_errors`, or if the mask doesn't fit.
    """
    errors, hidden = _squares(images, guesses), hidden_pixels(visible, images.shape[1:])
    checks.same_shape(errors[:, :1], hidden, "a channel of the images and the mask's pixels of shape")
    return (errors * hidden).flatten(1).sum(1)


def fill_learnt(model: MaskedAutoencoder, images: Tensor, visible: Tensor) -> Tensor:
    """Return the images with their hidden patches guessed by the model, on the CPU, any number of them."""
    return _by_batches(model, images, visible, batch_size=500)


def fill_nearest(train: Tensor, images: Tensor, visible: Tensor) -> Tensor:
    """Return the images with their hidden patches taken from the training image whose visible patches are nearest.

    Any number of images: what is compared with all of `train` at a time are a few.

    Raises:
        ValueError: for bad images, training images of another shape, or a mask that doesn't fit.
    """
    checks.images(train, tuple(checks.images(images, None).shape[1:]))
    known = train.flatten(1)
    squares = known.square().T

    def fill(images: Tensor, visible: Tensor) -> Tensor:
        hidden = hidden_pixels(visible, images.shape[1:]).expand_as(images)
        seen = 1 - hidden.flatten(1)
        # Σ seen (x − y)² = Σ seen x² − 2 Σ (seen x) y + Σ seen y², of which the first is the same for every y
        nearest = (seen @ squares - 2 * (seen * images.flatten(1)) @ known.T).argmin(1)
        return torch.where(hidden > 0, train[nearest], images)

    return _by_batches(fill, images, visible, batch_size=200)


def fill_linear(train: Tensor, images: Tensor, visible: Tensor, *, ridge: float = 0.1) -> Tensor:
    """Return the images with their hidden pixels guessed from the visible ones by ridge regression, one for each mask.

    x̂ₕ = μₕ + Σₕᵥ (Σᵥᵥ + ridge · I)⁻¹ (xᵥ − μᵥ), with mean μ and covariance Σ of the training images: no linear
    guess has a lower squared error on them, up to the ridge.

    Raises:
        ValueError: as `fill_nearest`, or if `ridge` is negative.
    """
    checks.images(train, tuple(checks.images(images, None).shape[1:]))
    checks.real("ridge", ridge)
    mean, covariance = train.flatten(1).mean(0), torch.cov(train.flatten(1).T)

    def fill(images: Tensor, visible: Tensor) -> Tensor:
        guesses = images.flatten(1).clone()
        every = hidden_pixels(visible, images.shape[1:]).expand_as(images).flatten(1).bool()
        for row, hidden in zip(guesses, every, strict=True):
            row[hidden] = _linear_guess(row, ~hidden, mean, covariance, ridge)[hidden]
        return guesses.view_as(images)

    return _by_batches(fill, images, visible, batch_size=500)


def _linear_guess(numbers: Tensor, seen: Tensor, mean: Tensor, covariance: Tensor, ridge: float) -> Tensor:
    """Return all numbers of one row `(D,)` as guessed from those that are seen, bool `(D,)`."""
    rows = covariance[seen]
    known = rows[:, seen] + ridge * torch.eye(len(rows))
    return mean + torch.linalg.solve(known, numbers[seen] - mean[seen]) @ rows


def note_guesses(model: MaskedNotes, windows: Tensor, visible: Tensor) -> Tensor:
    """Return the most probable note of every place, `(N, steps, voices)`: MIDI pitches, −1 for a rest."""
    best = _by_batches(lambda *batch: model(*batch).argmax(3), windows, visible, batch_size=500)
    return torch.where(best == 0, -1, best + model.low - 1)


def notes_held(windows: Tensor, visible: Tensor) -> Tensor:
    """Return the windows `(N, steps, voices)` with each hidden note replaced by the visible one nearest in time.

    In the same voice, the earlier of two that are equally near; where a whole voice is hidden, its middle pitch of
    all windows.

    Raises:
        ValueError: if these are no such windows, or `visible` names notes that they haven't.
    """
    seen = _visible_notes(windows, visible)
    steps = windows.shape[1]
    time = torch.arange(steps, dtype=torch.float32)
    distance = (time[:, None] - time[None]).abs() + 0.1 * (time[None] > time[:, None])
    distance = distance[None, :, :, None].masked_fill(~seen[:, None], torch.inf)  # (N, where to, where from, voices)
    nearest, found = distance.argmin(2), seen.any(1, keepdim=True)
    middle = windows.flatten(0, 1).median(0).values
    return torch.where(found, windows.gather(1, nearest), middle)


def notes_linear(train: Tensor, windows: Tensor, visible: Tensor, *, ridge: float = 0.001) -> Tensor:
    """Return the windows `(N, steps, voices)` with each hidden note guessed linearly from all visible ones.

    A place is as many numbers as there are pitches: 1 for the one that stands there, else 0.  They are guessed as
    `fill_linear` guesses pixels, and the pitch with the greatest number is taken.

    Args:
        train: windows `(M, steps, voices)` to learn from.
        windows, visible: as for `notes_held`.
        ridge: keeps the guess from reading too much into rare notes.

    Raises:
        ValueError: if these are no such windows, or `visible` names notes that they haven't, or `ridge` is negative.
    """
    checks.real("ridge", ridge)
    seen = _visible_notes(windows, visible)
    if not isinstance(train, Tensor) or train.shape[1:] != windows.shape[1:]:
        came = tuple(train.shape) if isinstance(train, Tensor) else type(train).__name__
        raise ValueError(f"got {came} to learn from, expected windows (M, steps, voices) of the size of the others")
    pitches, numbers = torch.cat([train, windows]).flatten(1).unique(return_inverse=True)
    known, new = F.one_hot(numbers).float().flatten(1).split([len(train), len(windows)])
    mean, covariance = known.mean(0), torch.cov(known.T)
    told = seen.flatten(1).repeat_interleave(len(pitches), 1) & (covariance.diagonal() > 0)
    guesses = [_linear_guess(*row, mean, covariance, ridge) for row in zip(new, told, strict=True)]
    best = torch.stack(guesses).unflatten(1, (-1, len(pitches))).argmax(2)
    return torch.where(seen, windows, pitches[best].view_as(windows))


def _visible_notes(windows: Tensor, visible: Tensor) -> Tensor:
    """Return which notes of windows `(N, steps, voices)` are visible, of the same shape, or raise a ValueError."""
    if not isinstance(windows, Tensor) or windows.dim() != 3 or len(windows) != len(visible):
        came = tuple(windows.shape) if isinstance(windows, Tensor) else type(windows).__name__
        raise ValueError(f"got {came}, expected windows (N, steps, voices), as many as there are masks")
    return _shown(visible, windows[0].numel()).view_as(windows)
