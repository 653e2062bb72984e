"""What attention looks at, and what guessing hidden patches is worth beside plain ways to fill holes."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import checks
from ..models.attention import PatchAutoencoder, to_images
from ..models.masked import MaskedAutoencoder, MaskedNotes
from .latents import in_batches

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
    "patch_distances",
    "visible_places",
]


@torch.no_grad()
def attention_maps(model: PatchAutoencoder, images: Tensor) -> Tensor:
    """Return how much each patch looks at each other one: `(blocks, N, heads, 49, 49)`, rows that sum to 1."""
    tokens, maps = model.tokens(images), []
    for block in model.blocks[:-1]:
        maps.append(block.attention.with_weights(block.attention_norm(tokens))[1])
        tokens = block(tokens)
    return torch.stack(maps).cpu()


@torch.no_grad()
def encode_with_maps(model: PatchAutoencoder, images: Tensor, maps: Tensor) -> Tensor:
    """Return the codes if every image gets the same `maps` `(blocks, heads, 49, 49)`, whatever its patches show.

    With the mean over images of `attention_maps` this asks whether the looking depends on what is seen; with 1/49
    everywhere, whether it matters at all.
    """
    tokens = model.tokens(images)
    for block, weights in zip(model.blocks[:-1], maps, strict=True):
        attention = block.attention
        read = weights @ attention.split(attention.value(block.attention_norm(tokens)))
        tokens = tokens + attention.out(read.transpose(1, 2).flatten(2))
        tokens = tokens + block.mlp(block.mlp_norm(tokens))
    return model.read_out(model.blocks[-1](tokens)).cpu()


def patch_distances(across: int = 7) -> Tensor:
    """Return the distance between the centres of every two patches, in patches: `(across², across²)`."""
    steps = torch.arange(across, dtype=torch.float32)
    centres = torch.cartesian_prod(steps, steps)
    return torch.cdist(centres, centres, compute_mode="donot_use_mm_for_euclid_dist")


def attention_distance(maps: Tensor) -> Tensor:
    """Return how far away, in patches, a patch looks on average: `maps` `(…, 49, 49)` give `(…,)`.

    Dosovitskiy et al. (2021), figure 7.
    """
    return (maps * patch_distances()).sum(-1).mean(-1)


def neighbour_share(maps: Tensor) -> Tensor:
    """Return the share of attention that stays within the 3 × 3 patches around a patch: `(…, 49, 49)` give `(…,)`."""
    return (maps * (patch_distances() < 1.5)).sum(-1).mean(-1)


def visible_places(n: int, places: int = 49, visible: int = 12, *, seed: int = 0) -> Tensor:
    """Return int64 `(n, visible)`: which of the places stay visible in each of n masks, drawn without repetition."""
    checks.whole("visible", visible)
    return torch.rand(n, places, generator=torch.Generator().manual_seed(seed)).argsort(1)[:, :visible]


def hidden_pixels(visible: Tensor) -> Tensor:
    """Return images `(N, 1, 28, 28)` of 1 where a patch is hidden and 0 where it is visible."""
    hidden = torch.ones(len(visible), 49).scatter(1, visible, 0.0)
    return to_images(hidden[..., None].expand(-1, -1, 16))


def hidden_errors(images: Tensor, guesses: Tensor, visible: Tensor) -> Tensor:
    """Return the squared error of each image, summed over its hidden pixels only: `(N,)`.

    Raises:
        ValueError: if the shapes differ.
    """
    if images.shape != guesses.shape:
        raise ValueError(f"got images {tuple(images.shape)} and guesses {tuple(guesses.shape)}, expected equal shapes")
    return ((images - guesses).square() * hidden_pixels(visible)).flatten(1).sum(1)


@torch.no_grad()
def fill_learnt(model: MaskedAutoencoder, images: Tensor, visible: Tensor) -> Tensor:
    """Return the images with their hidden patches guessed by the model, on the CPU, any number of them."""
    parts = zip(in_batches(images, 500), in_batches(visible, 500), strict=True)
    return torch.cat([model(batch, places).cpu() for batch, places in parts])


def fill_nearest(train: Tensor, images: Tensor, visible: Tensor) -> Tensor:
    """Return the images with their hidden patches taken from the training image whose visible patches are nearest."""
    seen = 1 - hidden_pixels(visible).flatten(1)
    pixels, known = images.flatten(1), train.flatten(1)
    # Σ seen (x − y)² = Σ seen x² − 2 Σ (seen x) y + Σ seen y², of which the first is the same for every y
    nearest = (seen @ known.square().T - 2 * (seen * pixels) @ known.T).argmin(1)
    return torch.where(hidden_pixels(visible) > 0, train[nearest], images)


def fill_linear(train: Tensor, images: Tensor, visible: Tensor, *, ridge: float = 0.1) -> Tensor:
    """Return the images with their hidden pixels guessed from the visible ones by ridge regression, one for each mask.

    x̂ₕ = μₕ + Σₕᵥ (Σᵥᵥ + ridge · I)⁻¹ (xᵥ − μᵥ), with mean μ and covariance Σ of the training images: no linear
    guess has a lower squared error on them, up to the ridge.
    """
    mean, covariance = train.flatten(1).mean(0), torch.cov(train.flatten(1).T)
    guesses = images.flatten(1).clone()
    for row, hidden in zip(guesses, hidden_pixels(visible).flatten(1).bool(), strict=True):
        seen = ~hidden
        known = covariance[seen][:, seen] + ridge * torch.eye(int(seen.sum()))
        row[hidden] = mean[hidden] + covariance[hidden][:, seen] @ torch.linalg.solve(known, row[seen] - mean[seen])
    return guesses.view_as(images)


@torch.no_grad()
def note_guesses(model: MaskedNotes, windows: Tensor, visible: Tensor) -> Tensor:
    """Return the most probable note of every place, `(N, steps, voices)`: MIDI pitches, −1 for a rest."""
    parts = zip(in_batches(windows, 500), in_batches(visible, 500), strict=True)
    best = torch.cat([model(batch, places).argmax(3).cpu() for batch, places in parts])
    return torch.where(best == 0, -1, best + model.low - 1)


def notes_held(windows: Tensor, visible: Tensor) -> Tensor:
    """Return the windows `(N, steps, voices)` with each hidden note replaced by the visible one nearest in time.

    In the same voice, the earlier of two that are equally near; where a whole voice is hidden, its middle pitch of
    all windows.
    """
    n, steps, voices = windows.shape
    seen = torch.zeros(n, steps * voices, dtype=torch.bool).scatter(1, visible, True).unflatten(1, (steps, voices))
    time = torch.arange(steps, dtype=torch.float32)
    distance = (time[:, None] - time[None]).abs() + 0.1 * (time[None] > time[:, None])
    distance = distance[None, :, :, None].masked_fill(~seen[:, None], torch.inf)  # (N, where to, where from, voices)
    nearest, found = distance.argmin(2), seen.any(1, keepdim=True)
    middle = windows.flatten(0, 1).median(0).values
    return torch.where(found, windows.gather(1, nearest), middle)
