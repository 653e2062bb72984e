"""The catalogue of models: one idea per file, all keeping the protocol of `models.base.Autoencoder`."""

from .base import Autoencoder, check_images
from .classifier import Classifier
from .dense import DenseAutoencoder, LinearAutoencoder, dense_layers
from .vae import VAE, BinarizedVAE, GaussianVAE

__all__ = [
    "VAE",
    "Autoencoder",
    "BinarizedVAE",
    "Classifier",
    "DenseAutoencoder",
    "GaussianVAE",
    "LinearAutoencoder",
    "check_images",
    "dense_layers",
]
