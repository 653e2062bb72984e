"""Train the small networks that the book's explorables carry, and write them into the package.

Only what is older than its recipe is made again: the hash of this file and of all package code that it reaches
is kept beside the weights.
"""

from __future__ import annotations

import inspect
import json
import sys
import time
from pathlib import Path

import fingerprint
import torch

import aecourse as ae

FOLDER = fingerprint.ROOT / "aecourse" / "widgets" / "trained"
SMALL, SMALLEST = (
    (784, 96, 48, 2),
    (784, 64, 32, 2),
)  # a page carries at most 700 KB: two of one whole, or six decoders of the other
BETAS = (0, 0.1, 1, 3, 10, 30)  # chapter 6's, and 0


def recipes() -> dict[str, ae.models.Autoencoder]:
    """Return the untrained network of each file."""
    return {
        "autoencoder": ae.models.DenseAutoencoder(SMALL),
        "vae-reconstruction-alone": ae.models.VAE(SMALL, beta=0),
        "vae": ae.models.VAE(SMALL),
    } | {f"beta-{beta}": ae.models.VAE(SMALLEST, beta=beta) for beta in BETAS}


def train(model: ae.models.Autoencoder, mnist: ae.data.Dataset) -> ae.training.History:
    """Train a network of the explorables: twelve epochs on all of MNIST's training images."""
    return ae.training.fit(model, mnist.train_images, epochs=12, lr=ae.training.cosine(3e-3, warmup=0.05))


def measure(model: ae.models.Autoencoder, rounded: ae.models.Autoencoder, images: torch.Tensor) -> dict[str, float]:
    """Return what 8 bits cost: the mean loss in nats per image before and after rounding, on the same noise, and the
    largest difference of a pixel on a grid of 21 × 21 codes over the box that holds 98 % of the images' codes."""
    losses = {}
    for name, network in (("float", model), ("rounded", rounded)):
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(0)
            losses[name] = round(network.loss(images)["total"].item(), 3)
    codes = ae.evaluate.encode(model, images)
    low, high = codes.quantile(torch.tensor([0.01, 0.99]), dim=0)
    grid = torch.cartesian_prod(*(torch.linspace(*ends, 21) for ends in zip(low.tolist(), high.tolist(), strict=True)))
    difference = ae.evaluate.decode(model, grid) - ae.evaluate.decode(rounded, grid)
    return losses | {"largest pixel difference": round(difference.abs().max().item(), 4)}


def make(name: str, mnist: ae.data.Dataset) -> ae.widgets.Exported:
    """Return one of the networks, trained and exported, with what the rounding cost it."""
    model = recipes()[name]
    train(model, mnist)
    exported = ae.widgets.export(model.cpu(), mnist.test_images, mnist.test_labels)
    return exported | {"rounding": measure(model, ae.widgets.from_exported(exported), mnist.test_images)}


def recipe_hash() -> str:
    """Return the hash of what the exported networks depend on."""
    constants = f"import aecourse as ae\n{(SMALL, SMALLEST, BETAS)}"
    return fingerprint.of_code([constants, *map(inspect.getsource, (recipes, train, measure, make))])


def stale() -> list[str]:
    """Return the names of the networks that are missing or older than their recipe."""
    return [name for name in recipes() if not _is_fresh(FOLDER / f"{name}.json")]


def _is_fresh(path: Path) -> bool:
    return path.exists() and json.loads(path.read_text(encoding="utf-8")).get("fingerprint") == recipe_hash()


def main() -> int:
    """Train and write what is stale, a line for each network."""
    names = stale()
    print(f"{len(recipes())} networks, {len(names)} to train")
    if not names:
        return 0
    mnist = ae.data.load("mnist", fallback=False)
    FOLDER.mkdir(exist_ok=True)
    for number, name in enumerate(names, 1):
        started = time.perf_counter()
        exported = make(name, mnist) | {"fingerprint": recipe_hash()}
        text = json.dumps(exported, indent=0) + "\n"
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
        seconds = time.perf_counter() - started
        print(f"[{number}/{len(names)}] {name}: {exported['rounding']}, {len(text) / 1000:.0f} KB, {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
