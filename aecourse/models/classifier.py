"""A small classifier: no autoencoder, but the course's judge of "does this look like a digit?"."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .base import Autoencoder, check_images
from .dense import check_widths, dense_layers


class Classifier(nn.Module):
    """A dense network from images to class probabilities, trained by `training.fit((images, labels))`.

    Args:
        widths: units per layer, pixels first, number of classes last.
        seed: fixes the initial weights.
    """

    image_shape = (1, 28, 28)
    device = Autoencoder.device

    def __init__(self, widths: tuple[int, ...] = (784, 256, 10), *, seed: int = 0):
        super().__init__()
        check_widths(widths, self.image_shape)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.layers = dense_layers(widths)

    def forward(self, images: Tensor) -> Tensor:
        """Return the class probabilities `(N, classes)` of images `(N, 1, 28, 28)`."""
        return self.layers(self.check_images(images).flatten(1)).softmax(1)

    def features(self, images: Tensor) -> Tensor:
        """Return the last hidden layer, `(N, widths[-2])`: what the classes are told apart by."""
        return self.layers[:-1](self.check_images(images).flatten(1))

    def loss(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return `total`: the mean cross-entropy of the true labels, in nats per image."""
        return {"total": F.cross_entropy(self.layers(images.flatten(1)), labels)}

    def check_images(self, images: Tensor) -> Tensor:
        """Return `images` on the model's device, or raise a ValueError that says what is wrong."""
        return check_images(images, self.image_shape).to(self.device)
