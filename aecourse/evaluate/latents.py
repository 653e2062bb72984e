"""What a code holds: PCA to compare it with, what its neighbours tell, angles, probes, and known factors.

Points are `(N, D)`, codes or flattened images.  What scikit-learn and SciPy do is called there.
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
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from .. import checks
from .batches import _array
from .images import squared_errors

__all__ = [
    "Principal",
    "agreement",
    "circular_correlation",
    "factor_information",
    "intrinsic_dimension",
    "knn_accuracy",
    "mutual_information_gap",
    "nearest_distance",
    "neighbour_turn",
    "polar_angle",
    "principal_angles",
    "probe_accuracy",
    "roc_auc",
    "tuned_probe_accuracy",
]

PENALTIES = np.logspace(-2, 0.5, 5)  # scikit-learn's C: the larger, the weaker the penalty
FOLDS = 3


class Principal:
    """PCA as an autoencoder: project on the first components, and back.

    Args:
        images: `(N, C, H, W)`, what it is fitted to.
        components: how many to keep at most; there are never more than images, or than pixels.

    Raises:
        ValueError: for bad images, or `components` that are no whole number above 0.
    """

    def __init__(self, images: Tensor, components: int = 64):
        rows = checks.images(images, None).flatten(1)
        count, pixels = rows.shape
        # To diagonalise the covariance is quickest for digits, but its cost grows with the cube of the pixels.
        solver = "covariance_eigh" if pixels <= max(1000, count) else "full"
        kept = min(checks.whole("components", components), count, pixels)
        self.pca = PCA(kept, svd_solver=solver).fit(_array(rows))
        self.image_shape = images.shape[1:]

    @property
    def directions(self) -> Tensor:
        """The principal directions, orthonormal rows, the one with the largest variance first."""
        return torch.from_numpy(self.pca.components_)

    def encode(self, images: Tensor, components: int | None = None) -> Tensor:
        """Return the first `components` coefficients of each image, by default all: `(N, components)`."""
        kept = self._kept(len(self.directions) if components is None else components)
        rows = checks.images(images, tuple(self.image_shape)).flatten(1)
        return torch.from_numpy(self.pca.transform(_array(rows)))[:, :kept]

    def decode(self, coefficients: Tensor) -> Tensor:
        """Return the images with these first coefficients, the others 0; they may leave [0, 1] a little."""
        kept = self.directions[: self._kept(coefficients.shape[1])]
        return torch.addmm(torch.from_numpy(self.pca.mean_), coefficients, kept).unflatten(1, self.image_shape)

    def squared_error(self, images: Tensor, components: int) -> float:
        """Return the mean squared error per image when `components` coefficients are kept."""
        return float(squared_errors(images, self.decode(self.encode(images, components))).mean())

    def _kept(self, components: int) -> int:
        return checks.whole("components", components, 0, len(self.directions))


def principal_angles(first: Tensor, second: Tensor) -> Tensor:
    """Return the angles in degrees between two subspaces, largest first (Björck & Golub, 1973).

    Args:
        first, second: `(k, D)`, rows that span each subspace; they need not be orthogonal.
    """
    angles = subspace_angles(*(_array(checks.numbers("rows", rows, "(k, D)")).T for rows in (first, second)))
    return torch.from_numpy(np.degrees(angles))


def knn_accuracy(points: Tensor, labels: Tensor, *, neighbours: int = 10, folds: int = 5) -> float:
    """Return the share of points that a vote of their nearest neighbours labels rightly.

    Cross-validated over the points themselves, so that a map without a training set (t-SNE) can be
    measured like any other.
    """
    checks.whole("folds", folds, 2)
    classifier = KNeighborsClassifier(checks.whole("neighbours", neighbours))
    scores = cross_val_score(classifier, _points(points, labels), _array(labels), cv=folds)
    return float(scores.mean())


def nearest_distance(points: Tensor, references: Tensor) -> Tensor:
    """Return for each point the Euclidean distance to its nearest reference: shape `(N,)`."""
    nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(_points(references.flatten(1)))
    return torch.from_numpy(nearest.kneighbors(_points(points.flatten(1)))[0][:, 0])


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
    nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(_points(points, angles)).kneighbors()[1][:, 0]
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

    checks.same_shape(first, second, "angles of shapes")
    spread = (1 - resultant(2 * first) ** 2) * (1 - resultant(2 * second) ** 2)
    if spread < 1e-12:
        raise ValueError("got a list of equal angles, expected angles that vary")
    return (resultant(first - second) ** 2 - resultant(first + second) ** 2) / spread**0.5


def probe_accuracy(
    train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor, *, per_class: int, seed: int = 0
) -> float:
    """Return the test accuracy of a linear probe: logistic regression on features that stay as they are.

    Alain & Bengio (2017).  The features are standardised with the mean and spread of the labelled points.

    Args:
        per_class: how many labelled training points of each class it sees.
        seed: which ones.

    Raises:
        ValueError: if a class has fewer points.
    """
    known, new = _points(train, train_labels), _points(test, test_labels)
    labels, new_labels = _array(train_labels), _array(test_labels)
    random = np.random.default_rng(checks.seed(seed))
    checks.whole("per_class", per_class)
    chosen = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < per_class:
            raise ValueError(f"got per_class={per_class}, but class {int(label)} has only {len(members)} points")
        chosen.append(random.choice(members, per_class, replace=False))
    chosen = np.concatenate(chosen)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # raw pixels need not converge to be compared
        probe.fit(known[chosen], labels[chosen])
    return float(probe.score(new, new_labels))


def tuned_probe_accuracy(train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor) -> float:
    """Return the test accuracy of a linear probe whose penalty is chosen on labelled points that are held out.

    Logistic regression on features that stay as they are (Alain & Bengio, 2017).  The features are centred and all
    divided by one number: their unit doesn't matter, and what hardly varies isn't blown up.  Each third of the labelled
    points is held out once; the penalty under which the labels held out are most probable is kept, and the probe is
    fitted again to all.

    Args:
        train, train_labels: the labelled points `(N, D)`, at least three of each class, and their labels `(N,)`.
        test, test_labels: points and labels of which nothing is used but to count the right answers.

    Raises:
        ValueError: if a class has fewer than three labelled points.
    """
    known, new, labels = _points(train, train_labels), _points(test, test_labels), _array(train_labels)
    values, counts = np.unique(labels, return_counts=True)
    if counts.min() < FOLDS:
        raise ValueError(
            f"got {counts.min()} labelled points of class {int(values[counts.argmin()])}, expected at least {FOLDS}, "
            "so that each part has one"
        )
    centre = known.mean(0)
    unit = (known - centre).std() or 1
    probe = GridSearchCV(LogisticRegression(max_iter=200), {"C": PENALTIES}, scoring="neg_log_loss", cv=FOLDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a weak penalty need not converge to be compared
        best = probe.fit((known - centre) / unit, labels).best_estimator_
    return float(best.score((new - centre) / unit, _array(test_labels)))


def roc_auc(normal: Tensor, anomalous: Tensor) -> float:
    """Return the chance that a random anomalous score is higher than a random normal one (area under the ROC)."""
    scores = np.concatenate([_array(normal), _array(anomalous)])
    return float(roc_auc_score(np.r_[np.zeros(len(normal)), np.ones(len(anomalous))], scores))


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
        ValueError: if the tables don't fit each other, hold NaN or infinity, or a factor has only one value.
    """
    checks.whole("bins", bins, least=2)
    if codes.dim() != 2 or factors.dim() != 2 or len(codes) != len(factors) or len(codes) < 2:
        raise ValueError(
            f"got codes of shape {tuple(codes.shape)} and factors of shape {tuple(factors.shape)}, "
            "expected (N, latent_dim) and (N, K) with the same N of at least 2"
        )
    for name, table in (("codes", codes), ("factors", factors)):
        checks.numbers(name, table.double())
    groups = [_groups(column, bins) for column in _array(codes.double()).T]
    values = [np.unique(column, return_inverse=True)[1] for column in _array(factors).T]
    entropies = [mutual_info_score(column, column) for column in values]
    if min(entropies) <= 0:
        raise ValueError("got a factor with only one value, expected at least two; leave that column out")
    shares = [
        [mutual_info_score(value, group) / entropy for value, entropy in zip(values, entropies, strict=True)]
        for group in groups
    ]
    return torch.tensor(shares, dtype=torch.float32)


def _groups(column: np.ndarray, bins: int) -> np.ndarray:
    """Return the number of the group of each value; equal values are in one group."""
    edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, column, side="right")


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


def agreement(values: Tensor) -> float:
    """Return how well several series agree: the mean correlation over all pairs of columns of `(N, K)`, from −1 to 1.

    Each column is compared with the others over the N rows, so differences between the columns' means don't count.

    Raises:
        ValueError: if there are fewer than three rows or two columns, or a column is constant.
    """
    if values.dim() != 2 or len(values) < 3 or values.shape[1] < 2:
        raise ValueError(f"got values of shape {tuple(values.shape)}, expected (N, K), N at least 3 and K at least 2")
    if (checks.numbers("values", values).std(0) == 0).any():
        raise ValueError("got a constant column, expected values that differ; leave that column out")
    correlations = torch.corrcoef(values.double().T)
    k = len(correlations)
    return float((correlations.sum() - correlations.trace()) / (k * (k - 1)))


def _points(points: Tensor, beside: Tensor | None = None) -> np.ndarray:
    """Return points `(N, D)` as scikit-learn takes them, once it is clear that there are as many rows beside them."""
    checks.numbers("points", points, "(N, D)")
    if beside is not None and beside.shape != points.shape[:1]:
        raise ValueError(
            f"got {len(points)} points and {tuple(beside.shape)} labels or angles, expected one for each point, (N,)"
        )
    return _array(points)
