"""How sparse codes are, which units do the work, and what a single unit stands for.

Codes are `(N, k)`: N images, k units.  A unit is active where its code is not 0.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.decomposition import MiniBatchDictionaryLearning, sparse_encode
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from .. import checks
from .batches import _array

__all__ = [
    "active_counts",
    "activity",
    "classic_dictionary",
    "contrast",
    "dead_units",
    "equally_active",
    "hoyer",
    "keep_largest",
    "pictures",
    "pursuit",
    "refit",
    "selectivity",
    "switch_off",
]


def active_counts(codes: Tensor) -> Tensor:
    """Return how many units are active for each image, often called L0: float32 `(N,)`."""
    return (_check_codes(codes) != 0).float().sum(1)


def activity(codes: Tensor) -> Tensor:
    """Return in which share of the images each unit is active: `(k,)`."""
    return (_check_codes(codes) != 0).float().mean(0)


def dead_units(codes: Tensor) -> int:
    """Return how many units are active for none of the images."""
    return int((activity(codes) == 0).sum())


def hoyer(codes: Tensor) -> Tensor:
    """Return Hoyer's sparseness of each code: 0 if all k numbers are equally large, 1 if only one is not 0: `(N,)`.

    (√k − ‖z‖₁/‖z‖₂) / (√k − 1), Hoyer (2004), section 3.1.  Unlike a count it needs no threshold.  A code of
    zeros gets NaN.
    """
    root = _check_codes(codes).shape[1] ** 0.5
    return (root - codes.abs().sum(1) / codes.norm(dim=1)) / (root - 1)


def keep_largest(codes: Tensor, count: int) -> Tensor:
    """Return the codes with all but the `count` numbers of largest magnitude in each row set to 0: `(N, k)`."""
    _check_codes(codes)
    if checks.whole("count", count) > codes.shape[1]:
        raise ValueError(f"got count={count}, but these codes have only {codes.shape[1]} numbers")
    places = codes.abs().topk(count, dim=1).indices
    return torch.zeros_like(codes).scatter(1, places, codes.gather(1, places))


def pursuit(atoms: Tensor, points: Tensor, count: int) -> Tensor:
    """Return codes `(N, k)` with at most `count` numbers that are not 0, by orthogonal matching pursuit.

    For each point it takes the atom that fits the rest best, fits all atoms taken so far anew, and repeats
    (Pati et al., 1993): no encoder, but a search for every image.  It is scikit-learn's.

    Args:
        atoms: `(k, D)`, rows of norm 1.
        points: `(N, D)`, with the mean or the decoder's bias already subtracted.
    """
    checks.whole("count", count)
    rows, dictionary = (_array(each.double()) for each in (points, atoms))
    codes = sparse_encode(rows, dictionary, algorithm="omp", n_nonzero_coefs=count)
    return torch.from_numpy(codes).float()


def refit(codes: Tensor, atoms: Tensor, points: Tensor) -> Tensor:
    """Return codes `(N, k)` with the same units active, and the amounts that fit each point best: least squares.

    What these codes leave of the points is the fault of the choice of units alone.  Statistics calls it debiasing:
    it undoes the shrinkage of an L1 price.  An amount may come out negative.

    Args:
        codes: `(N, k)`; only where they are 0 matters.
        atoms: `(k, D)`.
        points: `(N, D)`, with the mean or the decoder's bias already subtracted.
    """
    best = torch.zeros_like(_check_codes(codes))
    for row, active, point in zip(best, codes != 0, points, strict=True):
        row[active] = torch.linalg.lstsq(atoms[active].T, point[:, None]).solution[:, 0]
    return best


def classic_dictionary(points: Tensor, atoms: int, *, seed: int = 0) -> Tensor:
    """Return a dictionary learnt without an encoder, rows of norm 1: `(atoms, D)`.

    Mairal et al. (2009): search sparse codes for a batch of points, improve the atoms, and go on; one pass over
    the points.  It is scikit-learn's.

    Args:
        points: `(N, D)`, with the mean already subtracted.
        atoms: how many.
        seed: fixes the first atoms and the order of the points.
    """
    learner = MiniBatchDictionaryLearning(
        checks.whole("atoms", atoms), batch_size=256, max_iter=1, fit_algorithm="cd", random_state=checks.seed(seed)
    )
    state = np.random.get_state()  # noqa: NPY002  # scikit-learn draws from the global state, whatever it is given
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # codes need not be exact for the atoms to improve
            learner.fit(_array(points))
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return torch.nn.functional.normalize(torch.from_numpy(learner.components_).float(), dim=1)


def pictures(atoms: Tensor, image_shape: tuple[int, ...] = (1, 28, 28)) -> Tensor:
    """Return atoms `(k, D)` as images `(k, *image_shape)`: 0 is mid-grey, and each atom has its own contrast."""
    largest = atoms.detach().abs().amax(1, keepdim=True).clamp(min=1e-12)
    return (0.5 + 0.5 * atoms.detach() / largest).unflatten(1, image_shape)


def selectivity(codes: Tensor, labels: Tensor, *, images: int = 100) -> tuple[Tensor, Tensor]:
    """Return for each unit the commonest class among the images that excite it most, and its share: `(k,)` each.

    Args:
        codes: `(N, k)`.
        labels: `(N,)`, the classes of the same images.
        images: how many are looked at; a unit that is active for fewer gets the share NaN.
    """
    _check_codes(codes)
    if checks.whole("images", images) > len(codes):
        raise ValueError(f"got images={images}, but there are only {len(codes)} codes")
    classes = _classes(labels, codes)
    best = labels[codes.topk(images, dim=0).indices]
    counts = torch.stack([(best == label).sum(0) for label in range(classes)])
    most, label = counts.max(0)
    share = torch.where((codes != 0).sum(0) >= images, most / images, torch.nan)
    return label, share


def contrast(codes: Tensor, labels: Tensor) -> Tensor:
    """Return how much more active each unit is on a class than on the others, in the mean: `(classes, k)`.

    Args:
        codes: `(N, k)`.
        labels: `(N,)`, whole numbers from 0; each class must occur, and so must another one.

    Raises:
        ValueError: for bad codes or labels, or if a class does not occur.
    """
    classes = range(_classes(labels, _check_codes(codes)))
    if len(labels.unique()) < max(2, len(classes)):
        raise ValueError(f"got labels {labels.unique().tolist()}, expected each class from 0, and at least two of them")
    return torch.stack([codes[labels == label].mean(0) - codes[labels != label].mean(0) for label in classes])


def switch_off(points: Tensor, codes: Tensor, atoms: Tensor, units: Tensor) -> Tensor:
    """Return the points without what these units add to them: x − Σ z_j a_j over the given units, `(N, D)`.

    What the code leaves unexplained stays as it is, so nothing but the units changes.  With the points themselves
    as codes and the unit matrix as atoms it sets single coordinates to 0.

    Args:
        points: `(N, D)`.
        codes: `(N, k)`, of the same points.
        atoms: `(k, D)`.
        units: the numbers of the units, `(n,)`.
    """
    if len(points) != len(codes) or codes.shape[1:] != atoms.shape[:1] or points.shape[1:] != atoms.shape[1:]:
        raise ValueError(
            f"got points {tuple(points.shape)}, codes {tuple(codes.shape)} and atoms {tuple(atoms.shape)}, "
            "expected (N, D), (N, k) and (k, D); codes must be those of the same points"
        )
    return points - codes[:, units] @ atoms[units].detach()


def equally_active(activity: Tensor, units: Tensor) -> Tensor:
    """Return for each of the units another one whose activity is nearest, none of them twice: `(n,)`.

    The control for `switch_off`: what happens if units are switched off that do as much, but something else?

    Args:
        activity: how active each unit is, `(k,)`.
        units: the numbers of the units, `(n,)`, at most k/2.
    """
    if 2 * len(units) > len(activity):
        raise ValueError(f"got {len(units)} units, expected at most half of all, which are {len(activity)}")
    left, found = activity.clone(), []
    left[units] = torch.inf
    for unit in units.tolist():
        found.append(int((left - activity[unit]).abs().argmin()))
        left[found[-1]] = torch.inf
    return torch.tensor(found)


def _check_codes(codes: Tensor) -> Tensor:
    return checks.numbers("codes", codes, "(N, k)")


def _classes(labels: Tensor, codes: Tensor) -> int:
    """Return how many classes there are, once it is clear that the labels are those of the codes."""
    classes = int(labels.max()) + 1 if isinstance(labels, Tensor) and labels.numel() else 1
    checks.labels(labels, len(codes), max(1, classes))
    return classes
