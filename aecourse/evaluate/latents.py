"""What a code holds: maps, probes, dimensions, factors; and encoding and decoding any number of images.

Points `(N, D)` are codes or flattened images.  What scikit-learn and SciPy do is called there.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score, roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.distributions import Distribution

from .. import checks

__all__ = [
    "Principal",
    "agreement",
    "circular_correlation",
    "decode",
    "encode",
    "factor_information",
    "ink",
    "intrinsic_dimension",
    "knn_accuracy",
    "mutual_information_gap",
    "nearest_distance",
    "neighbour_turn",
    "polar_angle",
    "principal_angles",
    "probe_accuracy",
    "reconstruct",
    "roc_auc",
    "slant",
    "squared_errors",
]


@torch.no_grad()
def encode(model: nn.Module, images: Tensor, *, batch_size: int = 1000) -> Tensor:
    """Return the codes `(N, latent_dim)` of any number of images, on the CPU; for a VAE the posteriors' means."""
    codes = [model.encode(batch) for batch in in_batches(images, batch_size)]
    return torch.cat([(code.mean if isinstance(code, Distribution) else code).cpu() for code in codes])


@torch.no_grad()
def decode(model: nn.Module, latents: Tensor, *, batch_size: int = 1000) -> Tensor:
    """Return the images that any number of codes stand for, on the CPU."""
    return torch.cat([model.decode(batch).cpu() for batch in in_batches(latents, batch_size)])


def reconstruct(model: nn.Module, images: Tensor) -> Tensor:
    """Return the reconstructions of any number of images, on the CPU."""
    return decode(model, encode(model, images))


def squared_errors(images: Tensor, reconstructions: Tensor) -> Tensor:
    """Return the squared error of each image, summed over its pixels: shape `(N,)`.

    Its mean over the test set is the figure of Hinton & Salakhutdinov (2006).

    Raises:
        ValueError: if the shapes differ.
    """
    if images.shape != reconstructions.shape:
        raise ValueError(
            f"got images of shape {tuple(images.shape)} and reconstructions of shape {tuple(reconstructions.shape)}, "
            "expected equal ones"
        )
    return (images - reconstructions).square().flatten(1).sum(1)


class Principal:
    """PCA as an autoencoder: project on the first components, and back.

    Args:
        images: `(N, 1, 28, 28)`, what it is fitted to.
        components: how many to keep at most.
    """

    def __init__(self, images: Tensor, components: int = 64):
        checks.images(images, None)
        self.pca = PCA(components, svd_solver="covariance_eigh").fit(images.flatten(1).numpy())
        self.image_shape = images.shape[1:]

    @property
    def directions(self) -> Tensor:
        """The principal directions, orthonormal rows, the one with the largest variance first."""
        return torch.from_numpy(self.pca.components_)

    def encode(self, images: Tensor, components: int | None = None) -> Tensor:
        """Return the first `components` coefficients of each image: `(N, components)`."""
        return torch.from_numpy(self.pca.transform(images.flatten(1).numpy()))[:, :components]

    def decode(self, coefficients: Tensor) -> Tensor:
        """Return the images with these first coefficients, the others 0; they may leave [0, 1] a little."""
        kept = self.directions[: coefficients.shape[1]]
        return (coefficients @ kept + torch.from_numpy(self.pca.mean_)).unflatten(1, self.image_shape)

    def squared_error(self, images: Tensor, components: int) -> float:
        """Return the mean squared error per image when `components` coefficients are kept."""
        if not 0 <= components <= len(self.directions):
            raise ValueError(f"got components={components}, expected 0 to {len(self.directions)}; fit with more")
        return float(squared_errors(images, self.decode(self.encode(images, components))).mean())


def principal_angles(first: Tensor, second: Tensor) -> Tensor:
    """Return the angles in degrees between two subspaces, largest first (Björck & Golub, 1973).

    Args:
        first, second: `(k, D)`, rows that span each subspace; they need not be orthogonal.
    """
    angles = subspace_angles(first.detach().numpy().T, second.detach().numpy().T)
    return torch.from_numpy(np.degrees(angles))


def knn_accuracy(points: Tensor, labels: Tensor, *, neighbours: int = 10, folds: int = 5) -> float:
    """Return the share of points that a vote of their nearest neighbours labels rightly.

    Cross-validated over the points themselves, so that a map without a training set (t-SNE) can be
    measured like any other.
    """
    scores = cross_val_score(KNeighborsClassifier(neighbours), _array(points), _array(labels), cv=folds)
    return float(scores.mean())


def probe_accuracy(
    train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor, *, per_class: int, seed: int = 0
) -> float:
    """Return the test accuracy of a linear probe: logistic regression on features that stay as they are.

    Alain & Bengio (2016).  The features are standardised with the mean and spread of the labelled points.

    Args:
        per_class: how many labelled training points of each class it sees.
        seed: which ones.

    Raises:
        ValueError: if a class has fewer points.
    """
    random = np.random.default_rng(seed)
    chosen = []
    for label in train_labels.unique():
        members = torch.where(train_labels == label)[0].numpy()
        if len(members) < per_class:
            raise ValueError(f"got per_class={per_class}, but class {int(label)} has only {len(members)} points")
        chosen.append(random.choice(members, per_class, replace=False))
    chosen = np.concatenate(chosen)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # raw pixels need not converge to be compared
        probe.fit(_array(train)[chosen], _array(train_labels)[chosen])
    return float(probe.score(_array(test), _array(test_labels)))


def roc_auc(normal: Tensor, anomalous: Tensor) -> float:
    """Return the chance that a random anomalous score is higher than a random normal one (area under the ROC)."""
    scores = np.concatenate([_array(normal), _array(anomalous)])
    return float(roc_auc_score(np.r_[np.zeros(len(normal)), np.ones(len(anomalous))], scores))


def polar_angle(points: Tensor) -> Tensor:
    """Return the angle in radians at which each point `(N, 2)` is seen from their mean: shape `(N,)`."""
    centred = points - points.mean(0)
    return torch.atan2(centred[:, 1], centred[:, 0])


def neighbour_turn(points: Tensor, angles: Tensor) -> Tensor:
    """Return by how many degrees each point's angle differs from that of its nearest other point: `(N,)`.

    Args:
        points: `(N, D)`.
        angles: `(N,)`, degrees.
    """
    nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(_array(points)).kneighbors()[1][:, 0]
    turn = (angles - angles[nearest]).abs() % 360
    return torch.minimum(turn, 360 - turn)


def circular_correlation(first: Tensor, second: Tensor) -> float:
    """Return the correlation of two lists of angles in radians: 1 if one is the other turned by a constant,
    −1 if it is also reversed, near 0 if they are unrelated.

    Fisher & Lee (1983): (R(θ−φ)² − R(θ+φ)²) / √((1 − R(2θ)²)(1 − R(2φ)²)), where R(α) is the length of the
    mean of the unit vectors at the angles α.  Defined for angles spread evenly over the circle, too.

    Raises:
        ValueError: if all angles of one list are the same line, so that nothing can vary with the other.
    """

    def resultant(angle: Tensor) -> float:
        return float(torch.hypot(torch.cos(angle).mean(), torch.sin(angle).mean()))

    spread = (1 - resultant(2 * first) ** 2) * (1 - resultant(2 * second) ** 2)
    if spread < 1e-12:
        raise ValueError("got a list of equal angles, expected angles that vary")
    return (resultant(first - second) ** 2 - resultant(first + second) ** 2) / spread**0.5


def nearest_distance(points: Tensor, references: Tensor) -> Tensor:
    """Return for each point the Euclidean distance to its nearest reference: shape `(N,)`."""
    nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(_array(references.flatten(1)))
    return torch.from_numpy(nearest.kneighbors(_array(points.flatten(1)))[0][:, 0])


def intrinsic_dimension(points: Tensor, *, neighbours: int = 20) -> float:
    """Return the maximum-likelihood estimate of the dimension of the manifold that the points lie on.

    Levina & Bickel (2005), averaged over points as MacKay & Ghahramani (2005) correct it: the inverse of
    the mean of log(T_k / T_j), where T_j is the distance to the j-th neighbour.

    Raises:
        ValueError: if there are not more points than neighbours, or points coincide.
    """
    if len(points) <= neighbours:
        raise ValueError(f"got {len(points)} points, expected more than {neighbours}, the number of neighbours")
    nearest = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(_array(points.flatten(1)))
    distances = nearest.kneighbors()[0]  # without each point itself
    if len(points.flatten(1).unique(dim=0)) < len(points):
        raise ValueError("some points coincide, so that their distance is 0; drop duplicates with torch.unique(dim=0)")
    logs = np.log(distances[:, -1:] / distances[:, :-1])
    return float(1 / logs.mean())


def in_batches(rows: Tensor, batch_size: int) -> tuple[Tensor, ...]:
    """Return the rows, images or codes, in parts of at most `batch_size`.

    Raises:
        ValueError: if they are no tensor, or `batch_size` is no whole number above 0.
    """
    if not isinstance(rows, Tensor) or rows.dim() == 0:
        raise ValueError(f"got {type(rows).__name__}, expected a tensor of N images or codes; use torch.as_tensor(…)")
    return rows.split(checks.whole("batch_size", batch_size))


def _array(points: Tensor) -> np.ndarray:
    return points.detach().cpu().numpy()


def factor_information(codes: Tensor, factors: Tensor, *, bins: int = 20) -> Tensor:
    """Return how much each number of the code tells of each factor: `(latent_dim, factors)`, shares from 0 to 1.

    I(zⱼ; vₖ) / H(vₖ): the mutual information as a share of the factor's entropy.  Each number of the code is cut
    into `bins` groups of equally many images, so its scale doesn't matter.  With few images the shares are a
    little too high, by about (bins − 1)(values − 1) / 2N nats.

    Args:
        codes: `(N, latent_dim)`; of a VAE, draws from the posteriors, since the means of an unused dimension may
            still tell something, at a scale far below the noise.
        factors: `(N, K)` with a few different values in each column.
        bins: groups for each number of the code.

    Raises:
        ValueError: if the tables don't fit each other, or a factor has only one value.
    """
    checks.whole("bins", bins, least=2)
    if codes.dim() != 2 or factors.dim() != 2 or len(codes) != len(factors) or len(codes) < 2:
        raise ValueError(
            f"got codes of shape {tuple(codes.shape)} and factors of shape {tuple(factors.shape)}, "
            "expected (N, latent_dim) and (N, K) with the same N of at least 2"
        )
    groups = [_groups(column, bins) for column in codes.detach().cpu().double().numpy().T]
    values = [np.unique(column, return_inverse=True)[1] for column in factors.cpu().numpy().T]
    entropies = [mutual_info_score(column, column) for column in values]
    if min(entropies) <= 0:
        raise ValueError("got a factor with only one value, expected at least two; leave that column out")
    shares = [
        [mutual_info_score(value, group) / entropy for value, entropy in zip(values, entropies, strict=True)]
        for group in groups
    ]
    return torch.tensor(shares, dtype=torch.float32)


def mutual_information_gap(codes: Tensor, factors: Tensor, *, bins: int = 20) -> float:
    """Return the MIG, from 0 to 1: by how much the best number of the code knows a factor better than the second best.

    The gap between the two largest shares in each column of `factor_information`, averaged over the factors
    (Chen et al., 2018, equation 6).  1: each factor has one number of its own that tells all of it.  0: every
    factor is told by two numbers equally well, or by none.

    Args:
        codes, factors, bins: as for `factor_information`; the code needs at least two numbers.

    Raises:
        ValueError: as `factor_information`, or if the code has one number only.
    """
    shares = factor_information(codes, factors, bins=bins)
    if len(shares) < 2:
        raise ValueError("got codes of one number, expected at least two: a gap needs a second best")
    best, second = shares.topk(2, dim=0).values
    return float((best - second).mean())


def ink(images: Tensor) -> Tensor:
    """Return how much ink each image has: the sum of its pixels, `(N,)`."""
    return checks.images(images).sum((1, 2, 3))


def slant(images: Tensor) -> Tensor:
    """Return by how many pixels each image leans to the right for each pixel upwards: `(N,)`, 0 if upright.

    The slope of the line that predicts a white pixel's column from its row: their covariance divided by the
    variance of the rows, each pixel weighted with its grey value.

    Raises:
        ValueError: for bad images.
    """
    pixels = checks.images(images)[:, 0]
    mass = pixels.sum((1, 2)).clamp(min=1e-6)
    up = torch.arange(images.shape[2], device=images.device).flip(0) - (images.shape[2] - 1) / 2
    right = torch.arange(images.shape[3], device=images.device) - (images.shape[3] - 1) / 2
    rows, columns = pixels.sum(2), pixels.sum(1)
    mean_up, mean_right = (rows @ up) / mass, (columns @ right) / mass
    covariance = (pixels * up[:, None] * right).sum((1, 2)) / mass - mean_up * mean_right
    variance = (rows @ up.square()) / mass - mean_up.square()
    return covariance / variance.clamp(min=1e-6)


def agreement(values: Tensor) -> float:
    """Return how well several series agree: the mean correlation over all pairs of columns of `(N, K)`, from −1 to 1.

    Each column is compared with the others over the N rows, so differences between the columns' means don't count.

    Raises:
        ValueError: if there are fewer than three rows or two columns, or a column is constant.
    """
    if values.dim() != 2 or len(values) < 3 or values.shape[1] < 2:
        raise ValueError(f"got values of shape {tuple(values.shape)}, expected (N, K), N at least 3 and K at least 2")
    if (values.std(0) == 0).any():
        raise ValueError("got a constant column, expected values that differ; leave that column out")
    correlations = torch.corrcoef(values.double().T)
    k = len(correlations)
    return float((correlations.sum() - correlations.trace()) / (k * (k - 1)))


def _groups(column: np.ndarray, bins: int) -> np.ndarray:
    """Return the number of the group of each value; equal values are in one group."""
    edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, column, side="right")
