"""Train every model of the course that copies or draws digits, on the same images, and measure all in the same way.

20,000 training images, six times each; the 10,000 test images; three seeds.  Codes have 16 numbers where the idea
leaves a choice.  Models that count bits learn from black-and-white images.  The results go to `aecourse/family.json`,
which chapter 17 shows; only models whose code has changed since are trained again, or those named as arguments.
About 40 minutes on one core.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TQDM_DISABLE", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import fingerprint  # noqa: E402
import torch  # noqa: E402
from sklearn.mixture import GaussianMixture  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import aecourse as ae  # noqa: E402

RESULTS = ROOT / "aecourse" / "family.json"
SEEDS = (0, 1, 2)
IMAGES, EPOCHS, DRAWS = 20_000, 6, 5000
WIDTHS = (784, 300, 16)
RATE = ae.training.cosine(4e-3, warmup=0.05)
GENTLE = ae.training.cosine(2e-3, warmup=0.05)  # for attention


class Trained(NamedTuple):
    """A trained model, seen through what all have in common; None where it has no such thing.

    Attributes:
        networks: whose parameters count.
        seconds: CPU-seconds of training.
        code: images and labels to features `(N, …)`.
        copy: images and labels to reconstructions.
        draw: a number and a seed to new images.
        bits: binarized images and labels to bits per image.
    """

    networks: tuple[nn.Module, ...]
    seconds: float
    code: Callable[[Tensor, Tensor], Tensor] | None
    copy: Callable[[Tensor, Tensor], Tensor] | None
    draw: Callable[[int, int], Tensor] | None = None
    bits: Callable[[Tensor, Tensor], float] | None = None


def fitted(model: nn.Module, data, seed: int, **settings) -> float:
    """Train a model as all are trained; return the CPU-seconds."""
    started = time.process_time()
    ae.training.fit(model, data, seed=seed, device="cpu", **{"epochs": EPOCHS, "lr": RATE} | settings)
    return time.process_time() - started


def autoencoder(model: nn.Module, images: Tensor, seed: int, **settings) -> Trained:
    """Return a trained model with a code and copies."""
    return Trained(
        (model,),
        fitted(model, images, seed, **settings),
        lambda x, labels: ae.evaluate.encode(model, x),
        lambda x, labels: ae.evaluate.reconstruct(model, x),
    )


def variational(model: nn.Module, images: Tensor, seed: int) -> Trained:
    """Return a trained VAE: it also draws from its prior, and its ELBO is a number of bits."""
    return autoencoder(model, ae.data.binarize(images, seed=seed), seed)._replace(
        draw=lambda n, s: ae.evaluate.decode(model, noise(n, model.latent_dim, s)),
        bits=lambda binary, labels: -ae.evaluate.elbo(model, binary)["elbo"] / ae.coding.NATS_PER_BIT,
    )


def symbolic(model: nn.Module, images: Tensor, seed: int) -> Trained:
    """Return a trained model whose code is symbols, with a prior learnt over them, which draws and counts bits."""
    images = ae.data.binarize(images, seed=seed)
    trained = autoencoder(model, images, seed)
    symbols = ae.evaluate.encode(model, images)
    prior = ae.models.CodePrior(model.positions, model.codebook_size, seed=seed)
    seconds = fitted(prior, symbols, seed)

    def bits(binary: Tensor, labels: Tensor) -> float:
        code = ae.evaluate.encode(model, binary)
        return ae.evaluate.prior_bits(prior, code) + ae.evaluate.pixel_bits(model, code, binary)

    return trained._replace(
        networks=(model, prior),
        seconds=trained.seconds + seconds,
        code=lambda x, labels: (
            nn.functional.one_hot(ae.evaluate.encode(model, x), model.codebook_size).flatten(1).float()
        ),
        draw=lambda n, s: ae.evaluate.decode(model, prior.sample(n, seed=s)),
        bits=bits,
    )


def noise(n: int, dimensions: int, seed: int) -> Tensor:
    """Return draws from the standard normal prior."""
    return torch.randn((n, dimensions), generator=torch.Generator().manual_seed(seed))


def pca(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """PCA, the measure of all linear things; nothing is drawn in it, so the seeds agree."""
    started = time.process_time()
    model = ae.evaluate.Principal(images, 16)
    seconds = time.process_time() - started
    held = nn.ParameterList([model.directions, torch.from_numpy(model.pca.mean_)])
    return Trained(
        (held,), seconds, lambda x, y: model.encode(x), lambda x, y: model.decode(model.encode(x)).clamp(0, 1)
    )


def linear(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """One linear map to the code and one back."""
    return autoencoder(ae.models.LinearAutoencoder(16, seed=seed), images, seed, lr=ae.training.cosine(1e-3))


def dense(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """The plain autoencoder."""
    return autoencoder(ae.models.DenseAutoencoder(WIDTHS, seed=seed), images, seed)


def mixture(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """A mixture of 50 Gaussians on the codes of the plain autoencoder, which makes it draw."""
    trained = dense(images, labels, seed)
    (model,) = trained.networks
    started = time.process_time()
    codes = ae.evaluate.encode(model, images)
    hills = GaussianMixture(50, reg_covar=1e-3, tol=0.02, random_state=seed).fit(codes.double())
    seconds = time.process_time() - started

    def draw(n: int, s: int) -> Tensor:
        hills.random_state = s
        return ae.evaluate.decode(model, torch.from_numpy(hills.sample(n)[0]).float())

    return trained._replace(seconds=trained.seconds + seconds, draw=draw)


def diffusion(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """Latent diffusion on the codes of the plain autoencoder."""
    trained = dense(images, labels, seed)
    (model,) = trained.networks
    codes = ae.evaluate.encode(model, images)
    walker = ae.models.LatentDiffusion(codes, seed=seed)
    seconds = fitted(walker, codes, seed, epochs=40, batch_size=256, lr=GENTLE)
    return trained._replace(
        networks=(model, walker),
        seconds=trained.seconds + seconds,
        draw=lambda n, s: ae.evaluate.decode(model, walker.sample(n, seed=s)),
    )


def vae(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """The VAE of black-and-white images."""
    return variational(ae.models.VAE(WIDTHS, seed=seed), images, seed)


def beta_vae(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """The same with a code that costs four times as much."""
    return variational(ae.models.VAE(WIDTHS, beta=4.0, seed=seed), images, seed)


def denoising(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """Half of the pixels hidden."""
    model = ae.models.DenoisingAutoencoder(WIDTHS, corruption=ae.models.Masking(0.5), seed=seed)
    return autoencoder(model, images, seed)


def sparse_l1(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """1,000 units that pay for being active."""
    model = ae.models.L1Autoencoder(1000, seed=seed)
    return autoencoder(model.centre(images), images, seed)


def sparse_kl(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """1,000 units that are to be active 5 % of the time."""
    model = ae.models.KLSparseAutoencoder(1000, seed=seed)
    return autoencoder(model.centre(images), images, seed)


def sparse_topk(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """1,000 units, the 16 strongest of which speak."""
    model = ae.models.TopKAutoencoder(1000, active=16, seed=seed)
    return autoencoder(model.centre(images), images, seed)


def convolutional(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """Convolutions down, resized convolutions up."""
    return autoencoder(ae.models.ConvAutoencoder(latent_dim=16, seed=seed), images, seed)


def convolutional_vae(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """The same networks as a VAE."""
    return variational(ae.models.ConvVAE(latent_dim=16, seed=seed), images, seed)


def attention(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """49 patches, attention, pooling."""
    return autoencoder(ae.models.PatchAutoencoder(latent_dim=16, seed=seed), images, seed, lr=GENTLE)


def masked(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """Masked autoencoding of patches: features alone, since it copies nothing through a code."""
    return autoencoder(ae.models.MaskedAutoencoder(seed=seed), images, seed, lr=GENTLE)._replace(copy=None)


def conditional(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """Told the label; draws order every digit equally often, and the bits include log₂ 10 for the label."""
    model = ae.models.ConditionalVAE(WIDTHS, seed=seed)
    seconds = fitted(model, (ae.data.binarize(images, seed=seed), labels), seed)

    @torch.no_grad()
    def draw(n: int, s: int) -> Tensor:
        return model.decode(noise(n, model.latent_dim, s), torch.arange(n) % 10)

    @torch.no_grad()
    def code(x: Tensor, y: Tensor) -> Tensor:
        return model.encode(x, y).mean

    @torch.no_grad()
    def copy(x: Tensor, y: Tensor) -> Tensor:
        return model(x, y)

    def bits(binary: Tensor, y: Tensor) -> float:
        return -ae.evaluate.elbo(model, binary, labels=y)["elbo"] / ae.coding.NATS_PER_BIT + math.log2(10)

    return Trained((model,), seconds, code, copy, draw, bits)


def iwae(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """Trained on the bound of five codes; measured, like all, by the bound of one."""
    return variational(ae.models.IWAE(WIDTHS, samples=5, seed=seed), images, seed)


def vq_vae(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """Eight symbols out of 64 vectors each."""
    return symbolic(ae.models.RevivingVQVAE(seed=seed), images, seed)


def fsq(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """Eight symbols, each three numbers rounded to four levels."""
    return symbolic(ae.models.FSQ(seed=seed), images, seed)


def gumbel(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """Eight symbols, softened in training."""
    return symbolic(ae.models.GumbelAutoencoder(seed=seed), images, seed)


def ebgan(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """The critic copies, the generator draws."""
    critic = ae.models.Critic((784, 256, 32), margin=15.0, seed=seed)
    pair = ae.models.EBGAN(critic, pulling_away=20.0, seed=seed)
    started = time.process_time()
    ae.training.fit_pair(pair, images, epochs=EPOCHS, lr=4e-3, seed=seed)
    seconds = time.process_time() - started
    return Trained(
        (pair,),
        seconds,
        lambda x, y: ae.evaluate.encode(pair.critic, x),
        lambda x, y: ae.evaluate.reconstruct(pair.critic, x),
        lambda n, s: pair.sample(n, seed=s),
    )


def contractive(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """Codes that move little."""
    return autoencoder(ae.models.ContractiveAutoencoder(WIDTHS, contraction=1.0, seed=seed), images, seed)


def wasserstein(images: Tensor, labels: Tensor, seed: int) -> Trained:
    """Points as codes, which as a crowd lie like the prior."""
    model = ae.models.WassersteinAutoencoder(WIDTHS, seed=seed)
    return autoencoder(model, images, seed)._replace(
        draw=lambda n, s: ae.evaluate.decode(model, noise(n, model.latent_dim, s))
    )


MEMBERS: dict[str, tuple[int, Callable[[Tensor, Tensor, int], Trained]]] = {
    "PCA, 16 coefficients": (1, pca),
    "linear autoencoder": (2, linear),
    "dense autoencoder": (2, dense),
    "… and a Gaussian mixture": (4, mixture),
    "VAE": (6, vae),
    "β-VAE, β = 4": (6, beta_vae),
    "denoising, half masked": (9, denoising),
    "sparse, L1": (10, sparse_l1),
    "sparse, KL": (10, sparse_kl),
    "sparse, top 16 of 1,000": (10, sparse_topk),
    "convolutional": (11, convolutional),
    "convolutional VAE": (11, convolutional_vae),
    "patches and attention": (12, attention),
    "masked patches": (12, masked),
    "conditional VAE": (13, conditional),
    "IWAE, 5 codes": (13, iwae),
    "VQ-VAE": (14, vq_vae),
    "FSQ": (14, fsq),
    "Gumbel-softmax": (14, gumbel),
    "EBGAN": (15, ebgan),
    "contractive": (17, contractive),
    "Wasserstein": (17, wasserstein),
    "dense, latent diffusion": (17, diffusion),
}


def measure(trained: Trained, data: ae.data.Dataset, judge: ae.models.Classifier, seed: int) -> dict[str, float]:
    """Return every measurement of one trained model that it can have; see `aecourse.book.results`."""
    train, test = data.train_images[:IMAGES], data.test_images
    labels, test_labels = data.train_labels[:IMAGES], data.test_labels
    found = {
        "parameters": sum(p.numel() for network in trained.networks for p in network.parameters()),
        "seconds": round(trained.seconds, 1),
    }
    if trained.copy is not None:
        found["error"] = float(ae.evaluate.squared_errors(test, trained.copy(test, test_labels)).mean())
    if trained.code is not None:
        few = min(100, int(labels.bincount().min()))
        codes = (trained.code(train, labels), labels, trained.code(test, test_labels), test_labels)
        found["probe"] = 100 * ae.evaluate.probe_accuracy(*codes, per_class=few, seed=seed)
    if trained.draw is not None:
        shuffled = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
        quality = ae.evaluate.sample_quality(judge, trained.draw(DRAWS, seed), test[shuffled[:DRAWS]])
        found |= {"recognised": 100 * quality["recognised"], "frechet": quality["frechet"]}
    if trained.bits is not None:
        found["bits"] = trained.bits(ae.data.binarize(test), test_labels)
    return {name: round(value, 4) for name, value in found.items()}


def recipe_hash(name: str) -> str:
    """Return the hash of all code that the results of a model depend on."""
    _, member = MEMBERS[name]
    shared = (fitted, autoencoder, variational, symbolic, noise, dense, measure)
    text = Path(__file__).read_text(encoding="utf-8")
    constants = "\n".join(
        ["import aecourse as ae", *re.findall(r"^(?:SEEDS|IMAGES|WIDTHS|RATE|GENTLE)\b.*", text, re.M)]
    )
    used = [inspect.getsource(each) for each in shared if each.__name__ in inspect.getsource(member)]
    return fingerprint.of_code([constants, inspect.getsource(member), inspect.getsource(measure), *used])


def stored() -> dict[str, dict]:
    """Return what was measured so far."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))["models"] if RESULTS.exists() else {}


def stale() -> list[str]:
    """Return the models that were never measured, or whose code has changed since."""
    kept = stored()
    return [name for name in MEMBERS if kept.get(name, {}).get("fingerprint") != recipe_hash(name)]


def main(names: list[str]) -> None:
    """Measure the named models, or all that are stale; keep each result as soon as it is there."""
    torch.set_num_threads(1)
    names = names or stale()
    print(f"{len(MEMBERS)} models, {len(names)} to measure, on {len(SEEDS)} seeds each")
    if not names:
        return
    data = ae.data.load("mnist", fallback=False)
    judge = ae.evaluate.judge(data)
    for number, name in enumerate(names, 1):
        chapter, member = MEMBERS[name]
        runs, what_runs = [], recipe_hash(name)  # the file may be edited while it runs
        for seed in SEEDS:
            trained = member(data.train_images[:IMAGES], data.train_labels[:IMAGES], seed)
            runs.append(measure(trained, data, judge, seed))
        row = {key: [run[key] for run in runs] for key in runs[0]}
        row["parameters"] = row["parameters"][:1]
        done = stored() | {name: {"chapter": chapter} | row | {"fingerprint": what_runs}}
        kept = {each: done[each] for each in MEMBERS if each in done}
        RESULTS.write_text(
            json.dumps({"ran on": fingerprint.machine(), "models": kept}, indent=1, ensure_ascii=False) + "\n", "utf-8"
        )
        print(f"[{number}/{len(names)}] {name}: {row}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
