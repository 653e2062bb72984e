"""Small trained networks as text that a page can carry: weights in 8 bits, and what a map needs to know."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import checks, evaluate
from ..models import VAE, DenseAutoencoder

POINTS = 600  # test images that a map shows
Exported = dict[str, Any]


def export(model: DenseAutoencoder | VAE, images: Tensor, labels: Tensor) -> Exported:
    """Return a model with a two-number code as plain values that JSON can hold, for an explorable.

    A weight becomes a whole number from −127 to 127 times a scale that its row shares; biases and layer
    norms stay as they are.  Binary data are base64, little endian.

    Args:
        model: a `DenseAutoencoder` or `VAE` of dense layers joined by ReLU, with `latent_dim` 2, of MNIST-like images.
            A subclass is refused, since the page runs these two and does not know what another one does.
        images, labels: test images and their labels; all count in the numbers, the first 600 are on the map.

    Returns:
        What JSON can hold, by name.  All numbers are those of the rounded network:

        - `model`, `widths` and `beta`, which `from_exported` needs;
        - `encoder` and `decoder`, a list of layers each;
        - `codes`, `sigmas` (None without clouds) and `labels` of the map;
        - `error`, the mean cost in nats of an image's pixels, decoded from its code or from the centre of its cloud;
        - `error_range`, between which nine images of ten lie;
        - for a VAE `rate` and `distortion`, the KL and the cost of the pixels when a draw is decoded, nats per image.

    Raises:
        ValueError: for any other model, or labels that do not fit the images.
    """
    kind = type(model)
    if kind not in (DenseAutoencoder, VAE):
        raise ValueError(
            f"got a {kind.__name__}, expected a DenseAutoencoder or a VAE and no subclass: a page can run these two"
        )
    if model.latent_dim != 2:
        raise ValueError(
            f"got a {kind.__name__} with latent_dim={model.latent_dim}, expected 2: only two numbers fit on a map"
        )
    if model.image_shape != (1, 28, 28):
        raise ValueError(
            f"got a {kind.__name__} of images of shape {model.image_shape}, expected (1, 28, 28): a page has no others"
        )
    checks.labels(labels, len(images), classes=256)
    is_vae = kind is VAE
    exported: Exported = {
        "model": kind.__name__,
        "widths": [layer.in_features for layer in model.encoder if isinstance(layer, nn.Linear)] + [2],
        "beta": model.beta if is_vae else None,
        "encoder": _layers(model.encoder),
        "decoder": _layers(model.decoder),
    }
    rounded = from_exported(exported)
    codes = evaluate.encode(rounded, images)
    logits = torch.cat([rounded.decoder(part) for part in codes.split(1000)]).detach()
    errors = nn.functional.binary_cross_entropy_with_logits(logits, images.flatten(1), reduction="none").sum(1)
    exported |= {
        "codes": _text(codes[:POINTS]),
        "sigmas": _text(evaluate.posterior(rounded, images[:POINTS]).stddev) if is_vae else None,
        "labels": _text(labels[:POINTS], "u1"),
        "error": round(errors.mean().item(), 3),
        "error_range": [round(errors.quantile(share).item(), 3) for share in (0.05, 0.95)],
    }
    if is_vae:
        bound = evaluate.elbo(rounded, images)
        exported |= {"rate": round(bound["kl"], 3), "distortion": round(bound["reconstruction"], 3)}
    return exported


def from_exported(exported: Exported) -> DenseAutoencoder | VAE:
    """Return the network that `export` wrote, with its rounded weights: what runs in the page, in PyTorch."""
    model = (
        VAE(exported["widths"], beta=exported["beta"])
        if exported["model"] == "VAE"
        else DenseAutoencoder(exported["widths"])
    )
    for network, layers in ((model.encoder, exported["encoder"]), (model.decoder, exported["decoder"])):
        linear = [module for module in network if isinstance(module, nn.Linear)]
        norms = [module for module in network if isinstance(module, nn.LayerNorm)]
        for module, layer in zip(linear, layers, strict=True):
            weight = _array(layer["weight"], "i1").reshape(module.weight.shape) * _array(layer["scale"])[:, None]
            module.weight.data = torch.from_numpy(weight)
            module.bias.data = torch.from_numpy(_array(layer["bias"]))
        for module, layer in zip(norms, layers, strict=False):
            module.weight.data = torch.from_numpy(_array(layer["gain"]))
            module.bias.data = torch.from_numpy(_array(layer["shift"]))
    return model.eval()


def trained(name: str) -> Exported:
    """Return one of the course's own exported networks; `make explorables` trains and writes them.

    Raises:
        ValueError: if there is no network of that name; the message lists those there are.
    """
    folder = Path(__file__).parent / "trained"
    names = sorted(path.stem for path in folder.glob("*.json"))
    if name not in names:
        raise ValueError(f"got {name!r}, expected one of the networks that come with the package: {', '.join(names)}")
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def _layers(network: nn.Sequential) -> list[dict[str, str]]:
    layers: list[dict[str, str]] = []
    for module in network:
        if isinstance(module, nn.Linear):
            weight = module.weight.cpu()
            scale = weight.abs().amax(1).clamp(min=1e-12) / 127
            whole = (weight / scale[:, None]).round()
            layers.append({"weight": _text(whole, "i1"), "scale": _text(scale), "bias": _text(module.bias)})
        elif isinstance(module, nn.LayerNorm):
            layers[-1] |= {"gain": _text(module.weight), "shift": _text(module.bias)}
        elif not isinstance(module, nn.ReLU):
            raise ValueError(
                f"got networks with {type(module).__name__}, expected dense ones: linear layers, layer norms and ReLU"
            )
    return layers


def _text(values: Tensor, kind: str = "<f4") -> str:
    return base64.b64encode(values.detach().cpu().numpy().astype(kind).tobytes()).decode()


def _array(text: str, kind: str = "<f4") -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind).astype(np.float32)
