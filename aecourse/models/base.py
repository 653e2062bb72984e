"""The one protocol that every model of the course keeps.

`encode` turns images into a code, `decode` turns codes into images, calling the model does
one after the other, and `loss` says how well that went.  Training, evaluation and plots know
nothing else about a model, so a new variant is a new file beside this one and no change elsewhere.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Autoencoder(nn.Module):
    """Base of all models: the protocol, and the checks that turn bad input into clear errors.

    A subclass sets `latent_dim`, defines `encode`, `decode` and `loss`, and overrides
    `image_shape` or `check_images` if it takes something else than MNIST-like images.
    """

    image_shape: tuple[int, ...] = (1, 28, 28)
    latent_dim: int

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes `(N, latent_dim)` of images `(N, 1, 28, 28)` in [0, 1]."""
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images `(N, 1, 28, 28)` in [0, 1] that the codes `(N, latent_dim)` stand for."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstructions: the images encoded and decoded again."""
        return self.decode(self.encode(images))

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return named scalars, each summed over pixels or latent dimensions and averaged over
        the batch; `total` is what training minimises."""
        raise NotImplementedError

    def check_images(self, images: Tensor) -> Tensor:
        """Return `images` on the model's device, or raise a ValueError that says what is wrong."""
        return check_images(images, self.image_shape).to(self.device)

    def check_latents(self, latents: Tensor) -> Tensor:
        """Return `latents` on the model's device, or raise a ValueError that says what is wrong."""
        expected = f"float32 codes of shape (N, {self.latent_dim})"
        if not isinstance(latents, Tensor):
            raise ValueError(
                f"got {type(latents).__name__}, expected a tensor of {expected}; "
                "use torch.tensor(…, dtype=torch.float32)"
            )
        if latents.dtype != torch.float32:
            raise ValueError(f"got codes of dtype {latents.dtype}, expected {expected}; call .float() first")
        if latents.dim() != 2 or latents.shape[1] != self.latent_dim:
            hint = (
                "add a batch dimension with codes[None]"
                if latents.shape == (self.latent_dim,)
                else f"this model's code has {self.latent_dim} numbers per image"
            )
            raise ValueError(f"got codes of shape {tuple(latents.shape)}, expected {expected}; {hint}")
        if not torch.isfinite(latents).all():
            raise ValueError(f"got codes that contain NaN or infinity, expected finite {expected}; drop or repair them")
        return latents.to(self.device)

    @property
    def device(self) -> torch.device:
        """The device that the weights lie on."""
        return next(self.parameters()).device


def check_images(images: Tensor, shape: tuple[int, ...] | None = (1, 28, 28)) -> Tensor:
    """Return `images` unchanged if they are float32 of shape `(N, *shape)`, None for any, with values in [0, 1].

    Raises:
        ValueError: for anything else; the message says what came, what was expected and what to do.
    """
    expected = f"a float32 tensor of shape ({', '.join(map(str, ('N', *(shape or '…'))))}) with values in [0, 1]"
    if not isinstance(images, Tensor):
        raise ValueError(f"got {type(images).__name__}, expected {expected}; convert with torch.as_tensor(…)")
    if images.dtype == torch.uint8:
        raise ValueError(f"got images of dtype torch.uint8, expected {expected}; use images.float() / 255")
    if images.dtype != torch.float32:
        raise ValueError(f"got images of dtype {images.dtype}, expected {expected}; call .float() first")
    if images.numel() == 0:
        raise ValueError(f"got no images (shape {tuple(images.shape)}), expected {expected} and N of at least 1")
    if shape is not None and tuple(images.shape[1:]) != shape:
        if tuple(images.shape) == shape:
            hint = "add a batch dimension with images[None]"
        elif images.numel() % torch.Size(shape).numel() == 0:
            hint = f"images.reshape({', '.join(map(str, (-1, *shape)))}) may be what you want"
        else:
            hint = "resize the images first, for example with torchvision.transforms.functional.resize"
        raise ValueError(f"got images of shape {tuple(images.shape)}, expected {expected}; {hint}")
    low, high = (float(value) for value in torch.aminmax(images))
    if low != low:
        bad = int(torch.isnan(images).flatten(1).any(1).sum())
        raise ValueError(f"got NaN pixels in {bad} of {len(images)} images, expected {expected}; drop or repair them")
    if low < 0 or high > 1:
        hint = "divide by 255" if low >= 0 and 1 < high <= 255 else "rescale or clamp them"
        raise ValueError(f"got pixel values from {low:g} to {high:g}, expected {expected}; {hint}")
    return images
