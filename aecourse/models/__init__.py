"""The catalogue of models: one idea per file, all keeping the protocol of `models.base.Autoencoder`."""

from .base import Autoencoder, check_images
from .classifier import Classifier
from .dense import DenseAutoencoder, LinearAutoencoder, dense_layers

__all__ = ["Autoencoder", "Classifier", "DenseAutoencoder", "LinearAutoencoder", "check_images", "dense_layers"]
