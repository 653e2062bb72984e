"""Interactive figures: each is a self-contained piece of HTML that needs no kernel and no network.

It holds the explorable's ES module, its data, and a static figure that stands there until the module
runs, or for good where JavaScript is off.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from .. import coding, evaluate, plots
from ..data import Dataset, chorales
from .weights import Exported, _array, _text, from_exported, trained

HERE = Path(__file__).parent


class Explorable:
    """What a notebook and a page show for an explorable: HTML that reacts, or the name as plain text.

    Attributes:
        name: the ES module's name, without `.js`.
        values: what the module reads, by name; plain values that JSON can hold.
        figure: the static figure that stands in where JavaScript is off.
        alt: what the figure shows, in words.
    """

    def __init__(self, name: str, source: str, values: Mapping[str, Any], figure: plots.Figure, alt: str):
        self.name, self.source, self.values, self.figure, self.alt = name, source, dict(values), figure, alt

    def _repr_mimebundle_(self, include=None, exclude=None):
        values = json.dumps(self.values, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
        key = f"{self.name}-{hashlib.sha256((self.source + values).encode()).hexdigest()[:8]}"
        picture = base64.b64encode(self.figure._repr_mimebundle_()[0]["image/png"]).decode()
        script = re.sub(r"^export default .*$", "", self.source, flags=re.MULTILINE)
        page = (
            f'<div class="aecourse-explorable" data-explorable="{key}">'
            f'<img src="data:image/png;base64,{picture}" alt="{html.escape(self.alt)}" style="max-width:100%"></div>\n'
            f'<script type="module">\n{script}\nshow("{key}", render, {values});\n</script>'
        )
        return {"text/html": page, "text/plain": f"Explorable({self.name!r})"}


def module(file: str) -> str:
    """Return an explorable's ES module as one text, with what it imports from `kit.js` put before it."""
    kit = re.sub(r"^export ", "", (HERE / "kit.js").read_text(encoding="utf-8"), flags=re.MULTILINE)
    own = re.sub(r"^import .*\n", "", (HERE / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return kit + re.sub(r"^export (?!default)", "", own, flags=re.MULTILINE)


def codewords(
    p: Sequence[float] = (0.5, 0.25, 0.125, 0.125),
    *,
    symbols: Sequence[str] = ("sun", "cloud", "rain", "snow"),
    presets: Mapping[str, Sequence[float]] | None = None,
) -> Explorable:
    """Return an explorable in which the reader drags a source's probabilities.

    Entropy, Huffman's words, and the cost of codes made for other probabilities follow, in bits per symbol.

    Args:
        p: the probabilities at the start, for which the kept codes are made at first.
        symbols: what they are called.
        presets: name → probabilities, a button each.

    Raises:
        ValueError: if `p` are no probabilities, or there are not as many names.
    """
    entropy = coding.entropy(p)
    presets = {name: list(other) for name, other in (presets or {}).items()}
    for other in presets.values():
        coding.cross_entropy(other, p)  # raises unless these are probabilities of the same symbols
    if len(symbols) != len(p):
        raise ValueError(f"got {len(symbols)} symbols and {len(p)} probabilities, expected as many of each")
    even = [1 / len(p)] * len(p)
    bits = {
        "entropy": entropy,
        "Huffman's words": coding.mean_length(p, coding.huffman(p)),
        "code for all equal": coding.cross_entropy(p, even),
    }
    return Explorable(
        "codewords",
        module("codewords.js"),
        {"p": list(p), "symbols": list(symbols), "presets": presets, "colours": plots.COLOURS},
        plots.bars(bits, x="bits per symbol", digits=2),
        f"Bars: for the probabilities {', '.join(map(str, p))} "
        + ", ".join(f"{name} {value:.2f} bits" for name, value in bits.items()),
    )


def reparameterize() -> Explorable:
    """Return an explorable of one draw z = μ + σε, its cost (z − 3)² and the gradient, which can be blocked."""
    z = torch.linspace(-5, 7, 300)
    density = torch.distributions.Normal(0.0, 1.0).log_prob(z).exp()
    return Explorable(
        "reparameterize",
        module("reparameterize.js"),
        {},
        plots.lines(
            {"N(μ, σ²) with μ = 0, σ = 1": (z.tolist(), density.tolist())},
            points={"a draw z = μ + σε with ε = 0.8": (0.8, 0.0), "the z that costs nothing": (3.0, 0.0)},
            x="z",
            y="density",
        ),
        "A normal density centred at 0, a draw from it at 0.8, and to its right, at 3, the z that costs nothing.",
    )


def draw(dataset: Dataset, models: Mapping[str, Exported] | None = None) -> Explorable:
    """Return an explorable in which the reader draws a digit, which is encoded and decoded live.

    Args:
        dataset: the first test image of each label is offered beside the pad.
        models: name → what `export` returned; the course's autoencoder and VAE unless given.
    """
    models = models or {"autoencoder": trained("autoencoder"), "VAE": trained("vae")}
    firsts = [(dataset.test_labels == label).nonzero()[0, 0] for label in dataset.test_labels.unique()]
    examples = dataset.test_images[torch.stack(firsts)]
    rows = {"test digit": examples} | {
        name: evaluate.reconstruct(from_exported(exported), examples) for name, exported in models.items()
    }
    parts = ("encoder", "decoder", "codes", "sigmas", "labels", "error", "error_range")
    return Explorable(
        "draw",
        module("draw.js"),
        {
            "models": [_parts(name, exported, parts) for name, exported in models.items()],
            "examples": [_text((image * 255).round(), "u1") for image in examples],
            "colours": plots.COLOURS,
        },
        plots.images(rows),
        f"Test digits from 0 to 9, and how {' and '.join(models)} draw them again from two numbers.",
    )


def travel(models: Mapping[str, Exported] | None = None) -> Explorable:
    """Return an explorable in which the reader moves over the map of the codes and watches the decoder.

    Args:
        models: name → what `export` returned; unless given, the course's autoencoder, its VAE trained on the
            reconstruction alone, and its VAE.
    """
    models = models or {
        "autoencoder": trained("autoencoder"),
        "VAE, reconstruction alone": trained("vae-reconstruction-alone"),
        "VAE": trained("vae"),
    }
    labels = torch.from_numpy(_array(next(iter(models.values()))["labels"], "u1")).long()
    maps = {name: torch.from_numpy(_array(exported["codes"])).view(-1, 2) for name, exported in models.items()}
    return Explorable(
        "travel",
        module("travel.js"),
        {
            "models": [
                _parts(name, exported, ("decoder", "codes", "sigmas", "labels")) for name, exported in models.items()
            ],
            "colours": plots.COLOURS,
        },
        plots.latent_maps(maps, labels),
        f"Maps of the test digits' codes, coloured by digit: {', '.join(models)}.",
    )


def beta(models: Sequence[Exported] | None = None) -> Explorable:
    """Return an explorable with a slider over VAEs trained at several β.

    Rate, distortion, the map of the clouds, and what eight fixed draws from the prior decode to change together.

    Args:
        models: what `export` returned, from the least β to the greatest, β = 1 among them; the course's own
            unless given.
    """
    models = models or [trained(f"beta-{beta}") for beta in (0, 0.1, 1, 3, 10, 30)]
    draws = torch.randn((8, 2), generator=torch.Generator().manual_seed(0))
    parts = ("beta", "rate", "distortion", "decoder", "codes", "sigmas", "labels")
    rows = {
        f"β = {model['beta']:g}: rate {model['rate']:.1f}, distortion {model['distortion']:.1f} nats": evaluate.decode(
            from_exported(model), draws
        )
        for model in models
    }
    return Explorable(
        "beta",
        module("beta.js"),
        {
            "models": [_parts(f"β = {model['beta']:g}", model, parts) for model in models],
            "draws": [[round(value, 6) for value in code] for code in draws.tolist()],
            "colours": plots.COLOURS,
        },
        plots.images(rows, columns=8),
        "The same eight draws from the prior, decoded by networks trained at several β: the greater β, the more "
        "digit-like and the more alike the pictures, until all are one grey blot.",
    )


def player(pieces: Mapping[str, torch.Tensor], *, steps_per_beat: int = 2, beats_per_minute: float = 76) -> Explorable:
    """Return an explorable that shows piano rolls and plays them with sound made in the page.

    Args:
        pieces: name → int64 `(steps, 4)`: MIDI pitches of soprano, alto, tenor and bass, −1 for a rest.
        steps_per_beat: rows per beat: 2 for eighth notes and a beat of a quarter.
        beats_per_minute: how fast.

    Raises:
        ValueError: if there is no piece, one has another shape or no steps, or the tempo is not above 0.
    """
    if not pieces:
        raise ValueError("got no pieces, expected at least one, as in player({'Bach': rows})")
    if not (steps_per_beat >= 1 and 0 < beats_per_minute < float("inf")):
        raise ValueError(f"got {steps_per_beat} steps per beat and {beats_per_minute} beats a minute, expected above 0")
    for name, rows in pieces.items():
        if not len(chorales.check_rows(rows)):
            raise ValueError(f"got no steps in the piece {name!r}, expected at least one")
    shown = ", ".join(f"{name} ({len(rows)} steps)" for name, rows in pieces.items())
    return Explorable(
        "player",
        module("player.js"),
        {
            "pieces": [{"name": name, "rows": rows.tolist()} for name, rows in pieces.items()],
            "seconds": round(60 / beats_per_minute / steps_per_beat, 4),
            "beat": steps_per_beat,
            "colours": plots.COLOURS[:4],
        },
        plots.piano_rolls(pieces, steps_per_beat=steps_per_beat),
        f"Piano rolls for four voices, time to the right and pitch upwards: {shown}.",
    )


def _parts(name: str, exported: Exported, parts: Sequence[str]) -> dict[str, Any]:
    return {"name": name} | {part: exported[part] for part in parts}
