"""A data set of images: what it is, one from a reader's own pictures, and two things that are done to images."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from .. import checks
from ..progress import progress_bar


@dataclass(frozen=True)
class Dataset:
    """Images and labels in memory, split once and for all into train and test.

    Attributes:
        name: "mnist", "digits", "letters", or what a reader's own are called.
        train_images, test_images: float32 `(N, C, H, W)` in [0, 1].
        train_labels, test_labels: int64 `(N,)`.
        origin: where they came from, for a person to read.
        classes: what the labels 0, 1, 2 … are called, where they have names.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    origin: str
    classes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.train_images.shape[1:]))
        return f"{self.name}: {len(self.train_images):,} training and {len(self.test_images):,} test images, {shape}"


def load_folder(
    folder: str | Path,
    size: int | tuple[int, int] | None = None,
    *,
    mode: str = "RGB",
    test_share: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Return a data set of one's own: all pictures in a folder and its subfolders, whose names are the labels.

    `classes` has those names in the order of the alphabet; without subfolders all labels are 0.  Files are PNG, JPEG
    and what else torchvision's `ImageFolder` takes; those whose path has a part that begins with a dot are left out.
    A camera's note on which side is up is heeded, and what is transparent lies on white.

    Args:
        folder: where they are.
        size: height and width in pixels, one number for squares: each picture is cropped in its middle to that shape
            and resized.  None leaves them as they are, and they must all have one size.
        mode: "RGB" for colour, `(N, 3, H, W)`, or "L" for grey, `(N, 1, H, W)`, as Pillow calls them.
        test_share: the share of the pictures that are for test, at least one.
        seed: fixes which.

    Raises:
        ValueError: for a bad argument, a folder with fewer than two pictures that can be read, pictures both in the
            folder itself and in subfolders, and sizes that differ.  A damaged picture is passed over, with a warning.
    """
    from torchvision.datasets.folder import IMG_EXTENSIONS

    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"got {str(folder)!r}, expected a folder of pictures; there is none at {folder.resolve()}")
    if mode not in ("L", "RGB"):
        raise ValueError(f"got mode={mode!r}, expected 'RGB' for colour or 'L' for grey")
    if size is not None:
        sides = size if isinstance(size, (tuple, list)) else (size, size)
        if len(sides) != 2:
            raise ValueError(f"got size={size!r}, expected one whole number, or two: (height, width)")
        size = tuple(checks.whole("size", side) for side in sides)
    test_share, seed = checks.real("test_share", test_share, 0, 1), checks.seed(seed)

    found = _find_pictures(folder, IMG_EXTENSIONS)
    classes = sorted(set(found.values()))
    if len(classes) > 1 and "" in classes:
        stray = next(path for path, label in found.items() if not label)
        raise ValueError(f"got {stray} beside subfolders of pictures, expected all in subfolders; move it into one")
    images, labels, damaged = [], [], []
    with progress_bar(len(found), "picture") as bar:
        for path, label in found.items():
            bar.update()
            try:
                image = _read_picture(path, mode, size)
            except Exception as error:  # whatever a damaged file makes Pillow raise
                damaged.append(f"{path} ({str(error) or type(error).__name__})")
                continue
            if images and image.shape != images[0].shape:
                sizes = f"{tuple(images[0].shape[1:])} and {tuple(image.shape[1:])}"
                raise ValueError(
                    f"got pictures of sizes {sizes} ({path}), expected one size; pass size=64, for example"
                )
            images.append(image)
            labels.append(classes.index(label))
    if damaged:
        warnings.warn(f"damaged pictures were passed over: {', '.join(damaged)}", stacklevel=2)
    if len(images) < 2:
        raise ValueError(
            f"got {len(images)} pictures that can be read in {folder.resolve()}, expected at least 2, for training and "
            f"for test; put files into it that end in {', '.join(IMG_EXTENSIONS)}"
        )
    pixels, numbers = torch.stack(images), torch.tensor(labels)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    test, train = order.tensor_split([min(max(round(test_share * len(order)), 1), len(order) - 1)])
    split = [part for which in (train, test) for part in (pixels[which].float().div_(255), numbers[which])]
    # The name is none of the course's own, so that `claims` shows numbers of these pictures but does not check them.
    name = f"pictures in {folder.resolve().name}"
    return Dataset(name, *split, f"the folder {folder.resolve()}", tuple(filter(None, classes)))


def _find_pictures(folder: Path, endings: tuple[str, ...]) -> dict[Path, str]:
    """Return each file with one of these endings, and the name of the subfolder that it lies in, "" for the folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix.lower() in endings and not any(part.startswith(".") for part in parts):
            found[path] = parts[0] if len(parts) > 1 else ""
    return found


def _read_picture(path: Path, mode: str, size: tuple[int, int] | None) -> Tensor:
    """Return uint8 `(C, H, W)`."""
    from torchvision.transforms.functional import pil_to_tensor

    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file)
    if picture.mode == "F" or picture.mode.startswith("I"):  # grey of more than 8 bits, which Pillow would clip at 255
        levels = np.asarray(picture)
        if picture.mode == "F" or levels.min() < 0 or levels.max() > 65535:
            raise ValueError(f"pixels from {levels.min():g} to {levels.max():g}, whose white is unknown")
        picture = Image.fromarray((levels / 257).round().astype(np.uint8))
    if picture.has_transparency_data:
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
    picture = picture.convert(mode)
    if size is not None:
        # One call of Pillow's; with torchvision's resize and center_crop the shape between them has to be worked out.
        picture = ImageOps.fit(picture, size[::-1])
    return pil_to_tensor(picture)


def rotations(image: Tensor, degrees: Iterable[float]) -> Tensor:
    """Return `image`, of shape `(C, H, W)` or `(1, C, H, W)`, turned counter-clockwise by each angle.

    Returns:
        `(len(degrees), C, H, W)`, interpolated bilinearly, in [0, 1]; what turns in from outside is black.

    Raises:
        ValueError: if it is not one image in [0, 1], or there is no angle.
    """
    from torchvision.transforms import InterpolationMode, functional

    image = image[None] if isinstance(image, Tensor) and image.dim() == 3 else image
    checks.images(image, None)
    if image.dim() != 4 or image.shape[1] > 4 >= image.shape[3]:
        hint = "use images[0].permute(2, 0, 1)" if image.dim() == 4 else "add a channel dimension with image[None]"
        raise ValueError(f"got images of shape {tuple(image.shape)}, expected (C, H, W) or (1, C, H, W); {hint}")
    if len(image) != 1:
        raise ValueError(f"got {len(image)} images, expected one; choose it with images[i]")
    turned = [functional.rotate(image[0], float(angle), InterpolationMode.BILINEAR) for angle in degrees]
    if not turned:
        raise ValueError("got no degrees, expected at least one angle")
    return torch.stack(turned).clamp(0, 1)


def binarize(images: Tensor, *, seed: int = 0) -> Tensor:
    """Return images of the same shape whose pixels are 0 or 1: white with the chance that the grey value says.

    "Binarized MNIST" (Salakhutdinov & Murray, 2008).  Images that are black and white already stay as they are;
    in colour, each channel is drawn for itself.

    Args:
        images: `(N, C, H, W)` in [0, 1].
        seed: fixes the draw.

    Raises:
        ValueError: for bad images.
    """
    checks.images(images, None)
    return torch.bernoulli(images.cpu(), generator=torch.Generator().manual_seed(checks.seed(seed)))
