"""Do draws look real?  A judge and what it says of them, and whether they are all there, and not one again and again.

Beside the measures stand the places and the ways in a latent space from which samples are decoded: `box`, `lerp`,
`slerp`.  Every function raises a ValueError for bad images or codes, or something else than a classifier as the judge.
"""

from __future__ import annotations

import contextlib
import zlib

import numpy as np
import torch
from platformdirs import user_cache_path
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from .. import checkpoint, checks, training
from ..coding import entropy, frequencies
from ..data import Dataset
from ..models import Classifier, Critic
from .batches import _array, _by_batches, _random, decode

__all__ = [
    "box",
    "coverage",
    "crossing_share",
    "energies",
    "frechet_distance",
    "judge",
    "lerp",
    "near_duplicates",
    "path_classes",
    "recognised",
    "recognised_share",
    "sample_quality",
    "slerp",
    "unrecognised_share",
]

SURE = 0.9  # the probability from which a class counts as recognised
EPOCHS, RATE, WARMUP = 3, 4e-3, 0.05  # how the judge is trained


def judge(dataset: Dataset) -> Classifier:
    """Return a classifier trained on the data set's training images and labels: the course's judge.

    It is trained once, in seconds, and kept in the cache folder; a copy that is missing, damaged or made from another
    recipe (network, first weights, settings, data or version of torch) is made anew.  From a probability of 0.9 on it
    recognises 95 % of MNIST's test images, but also half of all letters.
    """
    model = Classifier()
    _check_judge(model, dataset.train_images)
    checksum = zlib.crc32(repr((torch.__version__, str(model), EPOCHS, RATE, WARMUP)).encode())
    for tensor in (*model.state_dict().values(), dataset.train_images, dataset.train_labels):
        checksum = zlib.crc32(tensor.contiguous().numpy(), checksum)
    path = user_cache_path("aecourse") / f"judge-{checksum:08x}.pt"
    with contextlib.suppress(OSError, ValueError):
        return checkpoint.load(model, path).eval()
    images, labels = dataset.train_images, dataset.train_labels
    training.fit(model, (images, labels), epochs=EPOCHS, lr=training.cosine(RATE, warmup=WARMUP), device="cpu")
    with contextlib.suppress(OSError):  # without a folder to write in, the next call takes seconds again
        checkpoint.save(model, path)
    return model


def recognised(judge: Classifier, images: Tensor, *, sure: float = SURE) -> Tensor:
    """Return the class of each image, or −1 where the judge gives none a probability of `sure`: int64 `(N,)`."""
    _check_judge(judge, images)
    checks.real("sure", sure, 0, 1)
    confidence, label = _by_batches(judge, images, batch_size=1000).max(1)
    return torch.where(confidence >= sure, label, -1)


def recognised_share(judge: Classifier, images: Tensor) -> float:
    """Return the share of images in which the judge recognises a digit."""
    return float((recognised(judge, images) >= 0).float().mean())


def unrecognised_share(judge: Classifier, model: nn.Module, latents: Tensor) -> float:
    """Return the share of codes `(N, latent_dim)` whose decoded images the judge doesn't recognise: the holes."""
    return 1 - recognised_share(judge, decode(model, latents))


def path_classes(judge: Classifier, paths: Tensor) -> Tensor:
    """Return what the judge sees along paths of images: the class, or −1 where it is not sure: int64 `(N, steps)`.

    Args:
        paths: `(N, steps, 1, 28, 28)`.
    """
    if paths.dim() != 5:
        raise ValueError(f"got paths of shape {tuple(paths.shape)}, expected (N, steps, 1, 28, 28)")
    return recognised(judge, paths.flatten(0, 1)).unflatten(0, paths.shape[:2])


def crossing_share(classes: Tensor, digit: int) -> float:
    """Return the share of paths, from `path_classes`, on which the judge recognises this digit at least once."""
    if classes.dim() != 2:
        raise ValueError(f"got classes of shape {tuple(classes.shape)}, expected (N, steps), as path_classes gives")
    return float((classes == digit).any(1).float().mean())


def _check_judge(judge: Classifier, *sets: Tensor) -> None:
    """Check that the judge is one, and that the images are of the kind that it was trained on."""
    if not isinstance(judge, Classifier):
        raise ValueError(f"got a {type(judge).__name__} as the judge, expected a Classifier; use evaluate.judge(…)")
    for images in sets:
        if isinstance(images, Tensor) and images.dim() == 4 and images.shape[1:] != judge.image_shape:
            expected = ", ".join(map(str, ("N", *judge.image_shape)))
            raise ValueError(
                f"got images of shape {tuple(images.shape)}, expected ({expected}): a judge knows only what it was "
                "trained on; make them grey with images.mean(1, keepdim=True), and crop or resize them"
            )


def frechet_distance(judge: Classifier, first: Tensor, second: Tensor) -> float:
    """Return the Fréchet distance between two sets of images, seen through the judge's hidden layer.

    Each set becomes a normal distribution of features with its mean m and covariance C, and the squared distance
    ‖m₁ − m₂‖² + tr(C₁ + C₂ − 2 √(C₁C₂)) is returned (Dowson & Landau, 1982), as Heusel et al. (2017) do with a
    larger network.  0 means equal; samples that are bad or that are all alike are far away.  It depends on the
    judge and falls with the number of images, so compare sets of one size.

    Args:
        first, second: at least two images each.
    """
    _check_judge(judge, first, second)
    statistics = []
    for images in (first, second):
        features = _by_batches(judge.features, images, batch_size=1000).double()
        checks.whole("len(images)", len(features), least=2)
        statistics.append((features.mean(0), torch.cov(features.T)))
    (m1, c1), (m2, c2) = statistics
    variances, axes = torch.linalg.eigh(c1)
    root = axes * variances.clamp(min=0).sqrt() @ axes.T  # of c1; then √(C₁C₂) has the eigenvalues of √(root C₂ root)
    mixed = torch.linalg.eigvalsh(root @ c2 @ root).clamp(min=0).sqrt().sum()
    return float((m1 - m2).square().sum() + c1.trace() + c2.trace() - 2 * mixed)


def sample_quality(judge: Classifier, samples: Tensor, reference: Tensor) -> dict[str, float]:
    """Return three measures of samples, since each of them alone can be cheated.

    - `recognised`: the share in which the judge sees a digit.  Copies of one clear digit would get 1.
    - `classes`: how many digits occur among these: the perplexity 2^H of their shares, from 1 if all are the same
      digit to 10 if all occur equally often; 0 if none is recognised.  It doesn't look at the images themselves.
    - `frechet`: the Fréchet distance to the reference, see `frechet_distance`, which sees both, through the judge.

    Args:
        judge: from `judge`.
        samples: images `(N, 1, 28, 28)`; N must be equal for sets that are to be compared.
        reference: real images that no model was trained on.
    """
    seen = recognised(judge, samples)
    seen = seen[seen >= 0]
    return {
        "recognised": len(seen) / len(samples),
        "classes": 2 ** entropy(frequencies(seen, 1 + int(seen.max()))) if len(seen) else 0.0,
        "frechet": frechet_distance(judge, samples, reference),
    }


def coverage(samples: Tensor, reference: Tensor, *, neighbours: int = 5) -> float:
    """Return the share of reference points near which there is a sample: 1 − this is what the generator leaves out.

    Near is nearer than the reference point's own `neighbours`-th nearest other reference point (Naeem et al., 2020).
    As many fresh points of the reference's own kind get about 1 − 2^−neighbours.

    Args:
        samples, reference: `(N, …)`, images or features; the share grows with the number of samples.

    Raises:
        ValueError: if there are not more reference points than `neighbours`.
    """
    made, real = _rows(samples, reference)
    if len(real) <= checks.whole("neighbours", neighbours):
        raise ValueError(f"got {len(real)} reference points, expected more than {neighbours}, the number of neighbours")
    radius = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(real).kneighbors()[0][:, -1]
    nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(made).kneighbors(real)[0][:, 0]
    return float((nearest < radius).mean())


def near_duplicates(samples: Tensor, reference: Tensor, *, share: float = 0.01) -> float:
    """Return the share of samples that have another sample nearer than all but `share` of real images have one.

    Real images get `share` themselves; copies of one image get 1.

    Args:
        samples, reference: `(N, …)`, images or features, as many of each: among more there are nearer ones.
        share: which quantile of the reference's nearest distances counts as "near".

    Raises:
        ValueError: if the numbers differ or are below 2, or `share` is not between 0 and 1.
    """
    made, real = _rows(samples, reference)
    if len(real) != len(made) or len(real) < 2 or not 0 < share < 1:
        raise ValueError(
            f"got {len(made)} samples, {len(real)} reference points and share={share!r}, "
            "expected equal numbers of at least 2 and a share between 0 and 1"
        )
    own, other = (
        NearestNeighbors(n_neighbors=1, algorithm="brute").fit(rows).kneighbors()[0][:, 0] for rows in (made, real)
    )
    return float((own < np.quantile(other, share)).mean())


def _rows(samples: Tensor, reference: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return samples and reference as rows of numbers."""
    if samples.dim() < 2 or samples.shape[1:] != reference.shape[1:]:
        raise ValueError(
            f"got samples of shape {tuple(samples.shape)} and a reference of shape {tuple(reference.shape)}, "
            "expected both (N, …) with equal …"
        )
    named = (("samples", samples), ("reference points", reference))
    made, real = (_array(checks.numbers(name, rows).flatten(1)) for name, rows in named)
    return made, real


def energies(critic: Critic, images: Tensor) -> Tensor:
    """Return the energy of any number of images, `(N,)`, on the CPU: squared grey levels per image."""
    if not isinstance(critic, Critic):
        raise ValueError(f"got a {type(critic).__name__} as the critic, expected a Critic; a pair's is pair.critic")
    return _by_batches(critic.energy, images, batch_size=1000)


def box(codes: Tensor, n: int, *, coverage: float = 0.98, seed: int = 0) -> Tensor:
    """Return `n` random points, evenly spread over the box in which the codes lie: `(n, latent_dim)`.

    Args:
        codes: `(N, latent_dim)`.
        coverage: in each dimension the box holds this share of the codes, as many left out below as above.
        seed: fixes the points.
    """
    codes = checks.numbers("codes", codes, "(N, latent_dim)").detach().cpu()
    checks.real("coverage", coverage, 0, 1, above=True)
    shares = codes.new_tensor([(1 - coverage) / 2, (1 + coverage) / 2])
    low, high = torch.stack([column.quantile(shares) for column in codes.T], 1)
    return low + (high - low) * torch.rand((checks.whole("n", n), codes.shape[1]), generator=_random(seed))


def lerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return `steps` points on the straight line from each start to its end, both included: `(N, steps, …)`.

    Args:
        start, end: `(N, …)`, codes or images.
    """
    checks.whole("steps", steps, least=2)
    checks.same_shape(start, end)
    checks.numbers("starts", start)
    checks.numbers("ends", end)
    alpha = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device).reshape(1, -1, *[1] * (start.dim() - 1))
    return torch.lerp(start[:, None], end[:, None], alpha)


def slerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return `steps` points on the arc from each start to its end, as seen from the origin: `(N, steps, k)`.

    Shoemake (1985); lengths that differ are carried over linearly (White, 2016).  Codes of one direction, or of
    opposite ones, for which there is no single arc, are joined by the straight line.

    Args:
        start, end: `(N, k)`.
    """
    line = lerp(start, end, steps)
    if start.dim() != 2:
        raise ValueError(f"got codes of shape {tuple(start.shape)}, expected (N, k); flatten images with .flatten(1)")
    lengths = lerp(start.norm(dim=1), end.norm(dim=1), steps)[..., None]
    a, b = (torch.nn.functional.normalize(each, dim=1) for each in (start, end))
    angle = 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))[:, None, None]
    alpha = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device)[None, :, None]
    arc = (((1 - alpha) * angle).sin() * a[:, None] + (alpha * angle).sin() * b[:, None]) / angle.sin()
    return torch.where(angle.sin().abs() > 1e-4, lengths * arc, line)
