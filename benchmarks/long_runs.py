"""Experiments that need more time than a chapter has: `make long-runs`, or name some of them.

    python benchmarks/long_runs.py [NAME …]

Each is a function here, and its name is the one that a chapter loads it by, `ae.book.long_run(name)`.  What it returns
for every seed is kept in `aecourse/long_runs/NAME.json`, with what it ran on; only experiments whose code has changed
are run again, or those that are named.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TQDM_DISABLE", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import fingerprint  # noqa: E402
import torch  # noqa: E402

import aecourse as ae  # noqa: E402

RESULTS = ROOT / "aecourse" / "long_runs"
SEEDS = (0, 1, 2)


def thirty_numbers(seed: int) -> dict[str, float]:
    """Chapter 2: squared errors of 784-1000-30, summed over pixels, after ten epochs."""
    mnist = ae.data.load("mnist", fallback=False)
    train, test = mnist.train_images, mnist.test_images
    model = ae.models.DenseAutoencoder((784, 1000, 30), reconstruction="squared_error", seed=seed)
    ae.training.fit(model, train, epochs=10, lr=ae.training.cosine(8e-3, warmup=0.1), seed=seed, device="cpu")

    def error(images: torch.Tensor) -> float:
        return float(ae.evaluate.squared_errors(images, ae.evaluate.reconstruct(model, images)).mean())

    return {"training": error(train[:10_000]), "test": error(test)}


def digit_compressor(seed: int) -> dict[str, float]:
    """Chapter 8: bits per test digit, 784-500-200-40 after eight epochs on all images, and 14 neighbours in blocks."""
    mnist = ae.data.load("mnist", fallback=False)
    train, test = mnist.train_images, ae.data.binarize(mnist.test_images[:3000])
    model = ae.models.BinarizedVAE((784, 500, 200, 40), seed=seed)
    ae.training.fit(model, train, epochs=8, lr=ae.training.cosine(4e-3, warmup=0.05), seed=seed, device="cpu")
    few = test[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:300]]
    better = ae.evaluate.log_likelihood(model, few, samples=500).mean().item()
    gap = better - ae.evaluate.elbo(model, few, draws=20)["elbo"]
    cost = -ae.evaluate.elbo(model, test, draws=5)["elbo"]
    neighbours = ae.coding.context_cost(ae.data.binarize(train, seed=seed), test, 14, block=4)
    return {
        "file": 8 * len(ae.coding.compress(model, test)) / len(test),
        "−ELBO": cost / ae.coding.NATS_PER_BIT,
        "−log p": (cost - gap) / ae.coding.NATS_PER_BIT,
        "14 neighbours": neighbours,
    }


def learnt_symbols(seed: int) -> dict[str, float]:
    """Chapter 14: codebooks in use, and squared errors on grey images; bits for images in black and white."""
    from sklearn.cluster import MiniBatchKMeans

    mnist = ae.data.load("mnist", fallback=False)
    part, test = mnist.train_images[:20_000], mnist.test_images
    rate, nats, found = ae.training.cosine(4e-3, warmup=0.05), ae.coding.NATS_PER_BIT, {}
    setting = {"seed": seed, "device": "cpu"}

    def trained(model: torch.nn.Module, images: torch.Tensor, epochs: int) -> torch.nn.Module:
        ae.training.fit(model, images, epochs=epochs, lr=rate, **setting)
        return model

    def error(model: torch.nn.Module, codes: torch.Tensor | None = None) -> float:
        symbols = ae.evaluate.encode(model, test) if codes is None else codes
        return float(ae.evaluate.squared_errors(test, ae.evaluate.decode(model, symbols)).mean())

    for passes in (4, 12):
        for kind in ("crowd", "crowd, revived", "spread out"):
            Kind = ae.models.RevivingVQVAE if "revived" in kind else ae.models.VQVAE
            model = Kind(commitment=0.25, spread=1.0 if kind == "spread out" else 1 / 64, seed=seed)
            symbols = ae.evaluate.encode(trained(model, part[:8000], passes), test)
            own = [ae.evaluate.perplexity(column[:, None], 64) for column in symbols.T]
            found[f"{kind}, {passes} passes: error"] = error(model, symbols)
            found[f"{kind}, {passes} passes: perplexity"] = ae.evaluate.perplexity(symbols, 64)
            found[f"{kind}, {passes} passes: of one position"] = sum(own) / 8
            found[f"{kind}, {passes} passes: dead"] = ae.evaluate.dead_share(symbols, 64)

    found["VQ-VAE: error"] = error(trained(ae.models.VQVAE(seed=seed), part, 4))
    for size, levels in {4: (2, 2), 16: (4, 4), 64: (4, 4, 4)}.items():
        found[f"FSQ, {size} symbols: error"] = error(trained(ae.models.FSQ(levels=levels, seed=seed), part, 4))
    plain = trained(ae.models.DenseAutoencoder((784, 256, 16), seed=seed), part, 4)
    codes, new_codes = (ae.evaluate.encode(plain, images).double() for images in (part, test))
    found["plain: error"] = error(plain)
    for size in (4, 16, 64):
        nearest = []
        for pair, new_pair in zip(codes.chunk(8, 1), new_codes.chunk(8, 1), strict=True):
            groups = MiniBatchKMeans(size, random_state=seed, n_init=1, batch_size=4096).fit(pair.numpy())
            nearest.append(torch.from_numpy(groups.cluster_centers_[groups.predict(new_pair.numpy())]).float())
        found[f"plain, {size} groups: error"] = error(plain, torch.cat(nearest, 1))

    ink, drawn = ae.data.binarize(test), torch.cat([ae.data.binarize(part, seed=each) for each in range(4)])

    def costs(model: torch.nn.Module) -> dict[str, float]:
        known, new = ae.evaluate.encode(model, drawn[:40_000]), ae.evaluate.encode(model, ink)
        prior = ae.models.CodePrior(8, 64, seed=seed)
        ae.training.fit(prior, known, epochs=3, batch_size=512, lr=ae.training.cosine(1e-2, warmup=0.05), **setting)
        code = {"unigram": ae.evaluate.unigram_bits(known, new, 64), "prior": ae.evaluate.prior_bits(prior, new)}
        return code | {"pixels": ae.evaluate.pixel_bits(model, new, ink)}

    for temperature in (0.5, 1.5):
        model = trained(ae.models.GumbelAutoencoder(temperature=temperature, seed=seed), drawn, 1)
        hard = ae.evaluate.categorical_elbo(model, ink, draws=2)
        found[f"τ = {temperature}: mixtures"] = ae.training.mean_loss(model, ink)["total"] / nats
        found[f"τ = {temperature}: symbols"] = -hard["elbo"] / nats
        found[f"τ = {temperature}: KL"] = hard["kl"] / nats
        if temperature == 0.5:
            found |= {f"τ = 0.5, likeliest: {what}": bits for what, bits in costs(model).items()}
    found |= {f"FSQ: {what}": bits for what, bits in costs(trained(ae.models.FSQ(seed=seed), drawn, 1)).items()}
    vae = trained(ae.models.BinarizedVAE((784, 256, 16), seed=seed), drawn, 1)
    bound = ae.evaluate.elbo(vae, ink, draws=3)
    return found | {f"VAE: {what}": value / nats for what, value in bound.items()}


def few_images(seed: int) -> dict[str, float]:
    """Chapter 11: a convolutional and a dense network learn from 500 images, 20 and 40 times over."""
    mnist = ae.data.load("mnist", fallback=False)
    start, test, found = 500 * seed, mnist.test_images[:5000], {}
    part = mnist.train_images[start : start + 500]

    def error(model: torch.nn.Module, images: torch.Tensor) -> float:
        return float(ae.evaluate.squared_errors(images, ae.evaluate.reconstruct(model, images)).mean())

    for name, epochs, peak in (
        ("convolutional", 20, 1e-2), ("dense", 20, 2e-3), ("hasty", 20, 4e-3),
        ("convolutional", 40, 1e-2), ("dense", 40, 2e-3),
    ):  # fmt: skip
        model = (
            ae.models.ConvAutoencoder(seed=seed)
            if name == "convolutional"
            else ae.models.DenseAutoencoder((784, 500, 300, 16), reconstruction="squared_error", seed=seed)
        )
        rate = ae.training.cosine(peak, warmup=0.05)
        ae.training.fit(model, part, epochs=epochs, batch_size=32, lr=rate, seed=seed, device="cpu")
        found[f"{name}, {epochs} epochs"] = error(model, test)
        found[f"{name}, {epochs} epochs, on the 500"] = error(model, part)
    return found | {"PCA": ae.evaluate.Principal(part, 16).squared_error(test, 16)}


def steered_codes(seed: int) -> dict[str, float]:
    """Chapter 13: what six numbers know of drawn shapes at several β; and training on bounds from k codes, in nats."""
    pictures, factors = ae.data.all_shapes()
    rate, widths, found = ae.training.cosine(4e-3, warmup=0.05), (784, 128, 64, 6), {}
    setting = {"lr": rate, "seed": seed, "device": "cpu"}
    models = {f"β = {beta}": ae.models.VAE(widths, beta=beta, seed=seed) for beta in (1, 4, 8)}
    models["autoencoder"] = ae.models.DenseAutoencoder(widths, seed=seed)
    for name, model in models.items():
        ae.training.fit(model, pictures, epochs=20, batch_size=64, **setting)
        if name == "autoencoder":
            code = ae.evaluate.encode(model, pictures)
        else:
            code = ae.evaluate.aggregate_posterior(model, pictures).sample
            means = ae.evaluate.posterior(model, pictures).mean
            terms = ae.evaluate.elbo(model, pictures)
            found[f"{name}: gap of means"] = ae.evaluate.mutual_information_gap(means, factors)
            found |= {f"{name}: {term}": terms[term] for term in ("kl", "reconstruction")}
        best = ae.evaluate.factor_information(code, factors).max(0).values
        found[f"{name}: gap"] = ae.evaluate.mutual_information_gap(code, factors)
        found |= {f"{name}: {factor}": float(best[place]) for place, factor in enumerate(ae.data.SHAPE_FACTORS)}

    mnist = ae.data.load("mnist", fallback=False)
    train, binary = mnist.train_images[:8000], ae.data.binarize(mnist.test_images)
    chosen = torch.randperm(len(binary), generator=torch.Generator().manual_seed(seed))[:200]
    first = ae.models.IWAE((784, 200, 200, 20), samples=1, seed=seed)
    ae.training.fit(first, train, epochs=8, **setting)
    setting["lr"] = ae.training.cosine(1e-3)
    for k, epochs in ((1, 2), (5, 2), (20, 2), (1, 8)):
        model = ae.models.IWAE((784, 200, 200, 20), samples=k)
        model.load_state_dict(first.state_dict())
        ae.training.fit(model, train, epochs=epochs, **setting)
        name = f"k = {k}, {epochs} epochs"
        found[f"{name}: bound"] = float(ae.evaluate.log_likelihood(model, binary[chosen], samples=500).mean())
        found[f"{name}: ELBO"] = ae.evaluate.elbo(model, binary[chosen], draws=20)["elbo"]
        found[f"{name}: in use"] = ae.evaluate.active_units(model, mnist.test_images)
    return found


def masked_pretraining(seed: int) -> dict[str, float]:
    """Chapter 17: share of test digits right, learnt from few labels, begun anew or with an autoencoder's layers."""
    mnist = ae.data.load("mnist", fallback=False)
    train, labels = mnist.train_images[:20_000], mnist.train_labels[:20_000]
    beginnings: dict[str, torch.nn.Module | None] = {"anew": None}
    for name, hidden in (("all seen", 0.0), ("75 % hidden", 0.75)):
        corruption = ae.models.Masking(hidden)
        teacher = ae.models.DenoisingAutoencoder((784, 500, 300, 64), corruption=corruption, seed=seed)
        ae.training.fit(teacher, train, epochs=4, lr=ae.training.cosine(4e-3, warmup=0.05), seed=seed, device="cpu")
        beginnings[name] = teacher

    def accuracy(per_class: int, teacher: torch.nn.Module | None) -> float:
        shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        few = torch.cat([shuffled[labels[shuffled] == digit][:per_class] for digit in range(10)])
        student = ae.models.Classifier((784, 500, 300, 10), seed=seed)
        if teacher is not None:
            student.layers[:6].load_state_dict(teacher.encoder[:6].state_dict())
        settings = {"epochs": 12_000 // len(few), "batch_size": 32, "lr": ae.training.cosine(1e-3, warmup=0.05)}
        ae.training.fit(student, (train[few], labels[few]), seed=seed, device="cpu", **settings)
        with torch.no_grad():
            return float((student(mnist.test_images).argmax(1) == mnist.test_labels).float().mean())

    return {
        f"{per_class} labels each, {name}": accuracy(per_class, teacher)
        for per_class in (10, 100)
        for name, teacher in beginnings.items()
    }


def second_looks(seed: int) -> dict[str, float]:
    """Chapter 17: what the table of all models doesn't say of some rows, each trained as in `measure_family.py`.

    How many of L1's units are active, squared errors of the denoiser on half of the pixels and of a VAE that learns
    from grey images, and the bits of the VAE and the IWAE by the bound from five codes, for which the latter is made.
    """
    mnist = ae.data.load("mnist", fallback=False)
    train, test, widths = mnist.train_images[:20_000], mnist.test_images, (784, 300, 16)
    binary, unseen = ae.data.binarize(train, seed=seed), ae.data.binarize(test)

    def trained(model: torch.nn.Module, images: torch.Tensor) -> torch.nn.Module:
        rate = ae.training.cosine(4e-3, warmup=0.05)
        ae.training.fit(model, images, epochs=6, lr=rate, seed=seed, device="cpu")
        return model

    def error(model: torch.nn.Module, images: torch.Tensor) -> float:
        return float(ae.evaluate.squared_errors(test, ae.evaluate.reconstruct(model, images)).mean())

    def bits(model: torch.nn.Module) -> float:
        bound = ae.evaluate.log_likelihood(model, unseen, samples=5).mean()
        return -float(bound) / ae.coding.NATS_PER_BIT

    sparse = trained(ae.models.L1Autoencoder(1000, seed=seed).centre(train), train)
    mask = ae.models.Masking(0.5)
    denoiser = trained(ae.models.DenoisingAutoencoder(widths, corruption=mask, seed=seed), train)
    hidden = mask(test, torch.Generator().manual_seed(seed))
    return {
        "L1: active units": float(ae.evaluate.active_counts(ae.evaluate.encode(sparse, test)).mean()),
        "denoising, all pixels: squared error": error(denoiser, test),
        "denoising, half of the pixels: squared error": error(denoiser, hidden),
        "VAE, from grey images: squared error": error(trained(ae.models.VAE(widths, seed=seed), train), test),
        "VAE, 5 codes: bits": bits(trained(ae.models.VAE(widths, seed=seed), binary)),
        "IWAE, 5 codes: bits": bits(trained(ae.models.IWAE(widths, samples=5, seed=seed), binary)),
    }


def restorers(seed: int) -> dict[str, float]:
    """Chapter 9: decibels of dense denoisers beside a linear map, and how many pixels off stacks of hourglasses are."""
    mnist = ae.data.load("mnist", fallback=False)
    train, test = mnist.train_images[:10_000], mnist.test_images[:2000]
    noise, found = ae.models.GaussianNoise(0.5), {}
    damaged = noise(test, torch.Generator().manual_seed(seed))
    practice = noise(train, torch.Generator().manual_seed(seed + 100))
    found["linear map, dB"] = ae.evaluate.psnr(test, ae.evaluate.linear_map(practice, train, damaged))
    setting, rate = {"seed": seed, "device": "cpu"}, ae.training.cosine(2e-3, warmup=0.05)
    for name, widths, epochs in (
        ("no hidden layer", (784, 1000), 4),
        ("network", (784, 300, 784), 16),
    ):
        model = ae.models.DenoisingAutoencoder(widths, corruption=noise, reconstruction="squared_error", seed=seed)
        ae.training.fit(model, train, epochs=epochs, batch_size=50, lr=rate, **setting)
        found[f"{name}, {epochs} epochs, dB"] = ae.evaluate.psnr(test, ae.evaluate.restore(model, damaged))

    figures, new = ae.data.stick_figures(4000), ae.data.stick_figures(1000, seed=1_000_000)
    rate = ae.training.cosine(1e-2, warmup=0.05)
    for name, build, stacks, width in (
        ("both judged", ae.models.StackedHourglass, 2, 16),
        ("last judged", ae.models.EndSupervisedHourglass, 2, 16),
        ("one, wider", ae.models.StackedHourglass, 1, 23),
    ):
        model = build(len(ae.data.KEY_POINTS), stacks=stacks, width=width, seed=seed)
        ae.training.fit(model, figures, epochs=1, batch_size=8, lr=rate, **setting)
        with torch.no_grad():
            places = model.find(new[0])
        for number, each in enumerate(places, 1):
            away = ae.evaluate.point_distances(new[1], each)
            found[f"{name}: hourglass {number}, pixels"] = float(away.mean())
    return found


def fair_denoisers(seed: int) -> dict[str, float]:
    """Chapter 9: decibels of denoisers after more training, and of controls that could refute its explanations."""
    mnist = ae.data.load("mnist", fallback=False)
    train, spare, test = mnist.train_images[:10_000], mnist.train_images[-500:], mnist.test_images[:2000]
    gauss, salt = ae.models.GaussianNoise(0.5), ae.models.SaltAndPepper(0.4)
    noises = {"Gaussian": gauss, "masking": ae.models.Masking(0.5), "salt and pepper": salt}
    random, found = torch.Generator().manual_seed(seed + 100), {}
    damaged = {name: noise(test, torch.Generator().manual_seed(seed)) for name, noise in noises.items()}

    for name, noise in noises.items():
        practice, trial = noise(train, random), noise(spare, random)
        for strength in (1, 10, 100):
            answer = ae.evaluate.linear_map(practice, train, trial, strength=strength)
            found[f"{name}: linear map, strength {strength}, held out, dB"] = ae.evaluate.psnr(spare, answer)
        answer = ae.evaluate.linear_map(practice, train, damaged[name])
        found[f"{name}: linear map, dB"] = ae.evaluate.psnr(test, answer)

    def half_clean(images: torch.Tensor) -> torch.Tensor:
        return torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images, gauss(images))

    def restored(model: torch.nn.Module, images: torch.Tensor) -> float:
        return ae.evaluate.psnr(test, ae.evaluate.restore(model, images))

    setting, rate = {"seed": seed, "device": "cpu"}, ae.training.cosine(2e-3, warmup=0.05)
    for name, widths, noise, epochs, inputs in (
        ("no hidden layer, 16 epochs", (784, 1000), gauss, 16, {"Gaussian": damaged["Gaussian"]}),
        ("network, 16 epochs", (784, 300, 784), salt, 16, {"salt and pepper": damaged["salt and pepper"]}),
        ("half of the images clean", (784, 300, 784), half_clean, 4, {"clean": test, "Gaussian": damaged["Gaussian"]}),
    ):
        model = ae.models.DenoisingAutoencoder(widths, corruption=noise, reconstruction="squared_error", seed=seed)
        ae.training.fit(model, train, epochs=epochs, batch_size=50, lr=rate, **setting)
        found |= {f"{what}: {name}, dB": restored(model, images) for what, images in inputs.items()}

    few = train[:2000]
    model = ae.models.DenoisingAutoencoder((784, 300, 784), corruption=gauss, seed=seed)
    ae.training.fit(model, few, epochs=1, batch_size=8, lr=rate, **setting)
    found["Gaussian: dense, trained as the U-Net, dB"] = restored(model, damaged["Gaussian"])
    model = ae.models.UNetWithoutSkips((9, 18, 36), seed=seed)
    rate = ae.training.cosine(1e-2, warmup=0.05)
    ae.training.fit(model, (few, few), epochs=1, batch_size=8, lr=rate, **setting)
    found["clean: U-Net without skips, trained without noise, dB"] = restored(model, test)
    return found


def skips_across(seed: int) -> dict[str, float]:
    """Chapter 9: decibels of U-Nets with and without skips, for strong and for weak Gaussian noise."""
    mnist = ae.data.load("mnist", fallback=False)
    few, test, found = mnist.train_images[:2000], mnist.test_images[:2000], {}
    for spread in (0.5, 0.1):
        noise = ae.models.GaussianNoise(spread)
        damaged = noise(test, torch.Generator().manual_seed(seed))
        practice = noise(few, torch.Generator().manual_seed(seed + 100))
        for name, build, channels in (
            ("with skips", ae.models.UNet, (8, 16, 32)),
            ("without skips", ae.models.UNetWithoutSkips, (9, 18, 36)),
        ):
            model = build(channels, seed=seed)
            rate = ae.training.cosine(1e-2, warmup=0.05)
            ae.training.fit(model, (practice, few), epochs=1, batch_size=8, lr=rate, seed=seed, device="cpu")
            found[f"{name}, spread {spread}, dB"] = ae.evaluate.psnr(test, ae.evaluate.restore(model, damaged))
    return found


def patches_and_rivals(seed: int) -> dict[str, float]:
    """Chapter 12: four autoencoders after two and after eight passes, and what the patches' maps of attention do.

    Of each learning rate, half and double left a higher error on `train_images[4000:5000]` after two passes.
    """
    mnist = ae.data.load("mnist", fallback=False)
    train, test, found = mnist.train_images[:4000], mnist.test_images[:1000], {}
    labels = mnist.train_labels[:2000], mnist.test_labels[:1000]
    squared = {"reconstruction": "squared_error", "seed": seed}

    def error(decoded: torch.Tensor) -> float:
        return float(ae.evaluate.squared_errors(test[: len(decoded)], decoded).mean())

    for passes in (2, 8):
        for name, model, peak in (
            ("patches", ae.models.PatchAutoencoder(16, seed=seed), 8e-3),
            ("dense, as many weights", ae.models.DenseAutoencoder((784, 49, 16), **squared), 1.6e-2),
            ("dense, as much arithmetic", ae.models.DenseAutoencoder((784, 2350, 16), **squared), 2e-3),
            ("convolutional", ae.models.ConvAutoencoder((16, 32, 64), latent_dim=16, seed=seed), 1.6e-2),
        ):
            rate = ae.training.cosine(peak, warmup=0.05)
            ae.training.fit(model, train, epochs=passes, batch_size=16, lr=rate, seed=seed, device="cpu")
            codes = ae.evaluate.encode(model, train[:2000]), ae.evaluate.encode(model, test)
            read = ae.evaluate.probe_accuracy(codes[0], labels[0], codes[1], labels[1], per_class=100)
            found[f"{name}, {passes} passes"] = error(ae.evaluate.decode(model, codes[1]))
            found[f"{name}, {passes} passes: probe"] = read
            if name != "patches":
                continue
            maps = ae.evaluate.attention_maps(model, test[:500])
            for kind, fixed in (("mean", maps.mean(1)), ("even", torch.full_like(maps[:, 0], 1 / 49))):
                codes = ae.evaluate.encode_with_maps(model, test[:500], fixed)
                found[f"{kind} maps, {passes} passes"] = error(ae.evaluate.decode(model, codes))
            found[f"own maps, {passes} passes"] = error(ae.evaluate.reconstruct(model, test[:500]))
            found[f"nearest head, {passes} passes"] = float(ae.evaluate.attention_distance(maps).mean(1).min())
    return found


def hidden_parts(seed: int) -> dict[str, float]:
    """Chapter 12: masked models of patches and of notes, and a dense network on the patches, after long trainings."""
    mnist, chorales = ae.data.load("mnist", fallback=False), ae.data.chorales.load()
    train, test, found = mnist.train_images[:5000], mnist.test_images[:1000], {}
    visible = ae.evaluate.visible_places(len(test))

    class Dense(ae.models.MaskedAutoencoder):
        """All pixels, the hidden ones black, and which patches are visible, through two hidden layers of 500."""

        def __init__(self):
            super().__init__(seed=seed)
            torch.manual_seed(seed)
            layers = (torch.nn.Linear(784 + 49, 500), torch.nn.ReLU(), torch.nn.Linear(500, 500), torch.nn.ReLU())
            self.layers = torch.nn.Sequential(*layers, torch.nn.Linear(500, 784))

        def predict(self, tokens, visible):
            shown = torch.zeros(tokens.shape[:2]).scatter(1, visible, 1.0)
            seen = torch.cat([(tokens * shown[..., None]).flatten(1), shown], 1)
            return self.layers(seen).unflatten(1, tokens.shape[1:])

    def trained(model: torch.nn.Module, data: torch.Tensor, epochs: int, peak: float) -> torch.nn.Module:
        rate = ae.training.cosine(peak, warmup=0.05)
        ae.training.fit(model, data, epochs=epochs, batch_size=32, lr=rate, seed=seed, device="cpu")
        return model

    for name, model, peak in (("patches", ae.models.MaskedAutoencoder(seed=seed), 6e-3), ("dense", Dense(), 2e-3)):
        guess = ae.evaluate.fill_learnt(trained(model, train, 20, peak), test, visible)
        found[f"{name}, 20 passes"] = float(ae.evaluate.hidden_errors(test, guess, visible).mean())
        if name == "patches":
            known, new = (ae.evaluate.encode(model, images) for images in (train[:2000], test))
            labels = mnist.train_labels[:2000], mnist.test_labels[:1000]
            found["patches: probe"] = ae.evaluate.probe_accuracy(known, labels[0], new, labels[1], per_class=100)

    windows = ae.data.chorales.augment(ae.data.chorales.windows(chorales.train, 16, 4, every=4), (-1, 0, 1))
    new = ae.data.chorales.windows(chorales.test, 16, 8, every=4)
    visible = ae.evaluate.visible_places(len(new), 64, 32)
    hidden = torch.ones(len(new), 64).scatter(1, visible, 0.0).bool().unflatten(1, (16, 4))
    notes = trained(ae.models.MaskedNotes(seed=seed), windows, 10, 1e-2)
    hit = ae.evaluate.note_guesses(notes, new, visible) == new
    found["notes, 10 passes"] = float(hit[hidden].float().mean())
    for place, voice in enumerate(("soprano", "alto", "tenor", "bass")):
        found[f"notes, {voice}"] = float(hit[..., place][hidden[..., place]].float().mean())
    return found


def ways_between(seed: int) -> dict[str, float]:
    """Chapter 7: ways from a 5 to a 2 in more trainings of its four networks, and of its small ones with 16 numbers."""
    mnist = ae.data.load("mnist", fallback=False)
    train, test, labels = mnist.train_images, mnist.test_images, mnist.test_labels
    judge, found = ae.evaluate.judge(mnist), {}
    random = torch.Generator().manual_seed(seed + 1)
    i, j = (torch.randint(len(test), (3000,), generator=random) for _ in range(2))

    def met(name: str, model: torch.nn.Module) -> None:
        centres = ae.evaluate.encode(model, test)
        right = ae.evaluate.recognised(judge, ae.evaluate.decode(model, centres)) == labels
        found[f"{name}: 5s decoded rightly"] = float(right[labels == 5].float().mean())
        for a, b in ((5, 2), (5, 5)):
            start, end = (torch.where((labels == digit) & right)[0] for digit in (a, b))
            if not len(start) * len(end):  # then those that it decodes wrongly
                start, end = (torch.where(labels == digit)[0] for digit in (a, b))
            chosen = [each[torch.randint(len(each), (600,), generator=random)] for each in (start, end)]
            codes = ae.evaluate.lerp(centres[chosen[0]], centres[chosen[1]], 21).flatten(0, 1)
            seen = ae.evaluate.recognised(judge, ae.evaluate.decode(model, codes)).unflatten(0, (600, 21))
            found[f"{name}, {a} to {b}: 8 met"] = ae.evaluate.crossing_share(seen, 8)
            found[f"{name}, {a} to {b}: 3 met"] = ae.evaluate.crossing_share(seen, 3)
            third = (seen >= 0) & (seen != a) & (seen != b)
            found[f"{name}, {a} to {b}: another met"] = float(third.any(1).float().mean())
        middles = ae.evaluate.decode(model, (centres[i] + centres[j]) / 2)
        quality = ae.evaluate.sample_quality(judge, middles, test)
        found[f"{name}: midpoints recognised"] = quality["recognised"]
        found[f"{name}: midpoints' Fréchet distance"] = quality["frechet"]

    for kind, build in {"AE": ae.models.DenseAutoencoder, "VAE": ae.models.VAE}.items():
        for name, widths, epochs, size, peak in (
            ("2", (96, 48, 2), 12, 128, 3e-3),
            ("16", (500, 300, 16), 2, 100, 5e-3),
            ("small 16", (96, 48, 16), 4, 128, 3e-3),
        ):
            model, rate = build((784, *widths), seed=seed + 1), ae.training.cosine(peak, warmup=0.05)
            ae.training.fit(model, train, epochs=epochs, batch_size=size, lr=rate, seed=seed + 1, device="cpu")
            met(f"{kind} {name}", model)
    blends = ae.evaluate.sample_quality(judge, (test[i] + test[j]) / 2, test)
    return found | {"blends: Fréchet distance": blends["frechet"], "blends recognised": blends["recognised"]}


def energy_games(seed: int) -> dict[str, float]:
    """Chapter 15: empty places of low energy in the plane; what pairs draw with and without the pulling-away term."""
    random, found = torch.Generator().manual_seed(seed), {}
    clump = torch.randint(2, (2000, 1), generator=random)
    points = (0.3 + 0.4 * clump + 0.03 * torch.randn(2000, 2, generator=random)).clamp(0, 1)
    anywhere = torch.rand(2000, 2, generator=random)
    axis, centres = torch.linspace(0, 1, 41), torch.tensor([[0.3, 0.3], [0.7, 0.7]])
    square = torch.cartesian_prod(axis, axis).flip(1)
    empty = square[torch.cdist(square, centres).min(1).values > 0.15]
    often = {"epochs": 30, "lr": ae.training.cosine(1e-2, warmup=0.05), "device": "cpu"}
    for number in range(3):
        own = 3 * seed + number
        for name, margin, data in (("alone", 0.0, points), ("with counter-examples", 0.05, (points, anywhere))):
            critic = ae.models.Critic((2, 64, 64, 1), image_shape=(2,), margin=margin, seed=own)
            ae.training.fit(critic, data, seed=own, **often)
            low = ae.evaluate.energies(critic, empty) < 0.02
            found[f"{name}, pair {number}: empty places low"] = float(low.float().mean())

    mnist = ae.data.load("mnist", fallback=False)
    few, some = mnist.train_images[:4000], mnist.test_images[::5]
    judge = ae.evaluate.judge(mnist)
    known = judge.features(some).detach()
    for name, weight in (("without", 0.0), ("with", 20.0)):
        critic = ae.models.Critic((784, 256, 32), margin=15, seed=seed)
        pair = ae.models.EBGAN(critic, (32, 256, 512, 784), pulling_away=weight, seed=seed)
        run = ae.training.fit_pair(pair, few, epochs=5, batch_size=64, lr=4e-3, seed=seed, device="cpu")
        images = pair.sample(2000)
        made = judge.features(images).detach()
        quality = ae.evaluate.sample_quality(judge, images, some)
        quality["cover"] = ae.evaluate.coverage(made, known)
        quality["twins"] = ae.evaluate.near_duplicates(made, known)
        found |= {f"{name}: {what}": quality[what] for what in ("recognised", "classes", "frechet", "cover", "twins")}
        if weight:
            found["with: similarity"] = run.train["similarity"][-1]
    return found


def listening_music(seed: int) -> dict[str, float]:
    """Chapter 16: its four nets after as much training as on the page, six epochs, and after twice as much.

    In bits per note of the training, validation and test chorales, with the codes' part and the share of notes rebuilt.
    Each net has the peak of the learning rate with which it pays less for the validation chorales after six epochs.
    """
    bach, pieces = ae.data.chorales.load(), ae.data.chorales
    parts = (bach.train, 1), (bach.validation, 8), (bach.test, 8)
    train, valid, test = (pieces.windows(pieces.in_c(part), 8, hop, every=4) for part, hop in parts)

    def trained(build: type, plan: tuple, peak: float) -> ae.models.MusicVAE:
        model, rate = build(steps=8, hidden=64, seed=seed), ae.training.cosine(peak, warmup=0.05)
        for model.beta, epochs in plan:
            ae.training.fit(model, train, epochs=epochs, batch_size=64, lr=rate, seed=seed, device="cpu")
        return model

    def cost(model: ae.models.MusicVAE, windows: torch.Tensor = valid) -> float:
        return ae.evaluate.elbo_bits(model, windows)["total"]

    found, warm = {}, ((0.3, 4), (1.0, 2))
    for name, build, plan in (
        ("VAE", ae.models.MusicVAE, warm),
        ("listening, warmed up", ae.models.ListeningMusicVAE, warm),
        ("listening, at once", ae.models.ListeningMusicVAE, ((1.0, 6),)),
        ("no code", ae.models.ListeningMusicVAE, ((50.0, 6),)),
    ):
        short = {peak: trained(build, plan, peak) for peak in (5e-3, 1e-2)}
        found[f"{name}: peak"] = peak = min(short, key=lambda peak: cost(short[peak]))
        twice = trained(build, tuple((beta, 2 * epochs) for beta, epochs in plan), peak)
        for epochs, model in ((6, short[peak]), (12, twice)):
            what, bits = f"{name}, {epochs} epochs", ae.evaluate.elbo_bits(model, test)
            symbols = ae.evaluate.elbo(model, test)["elbo"]
            found[f"{what}: bits"] = bits["total"]
            found[f"{what}: bits, one spelling"] = ae.evaluate.bits_per_note(-symbols, test)
            found[f"{what}: bits, validation"] = cost(model)
            found[f"{what}: bits, training"] = cost(model, train[::20])
            found[f"{what}: code"] = bits["kl"]
            found[f"{what}: right"] = ae.evaluate.note_accuracy(model(test), test)["all"]
    return found


def prices_of_codes(seed: int) -> dict[str, float]:
    """Chapter 6: bits, squared errors and draws of 784-256-16 for two β, four epochs of 20,000 images."""
    mnist = ae.data.load("mnist", fallback=False)
    few, test, found = mnist.train_images[:20_000], mnist.test_images, {}
    judge, random = ae.evaluate.judge(mnist), torch.Generator().manual_seed(seed)
    rate = ae.training.cosine(4e-3, warmup=0.05)
    for beta in (1, 3):
        model = ae.models.VAE((784, 256, 16), beta=beta, seed=seed)
        ae.training.fit(model, few, epochs=4, lr=rate, seed=seed, device="cpu")
        q = ae.evaluate.posterior(model, test)
        pictures = ae.evaluate.decode(model, q.mean + q.stddev * torch.randn(q.mean.shape, generator=random))
        draws = ae.evaluate.decode(model, torch.randn(5000, 16, generator=random))
        quality = ae.evaluate.sample_quality(judge, draws, test)
        bits = ae.evaluate.kl_per_dimension(model, test).sum() / ae.coding.NATS_PER_BIT
        found[f"β = {beta}: bits"] = float(bits)
        found[f"β = {beta}: error"] = float(ae.evaluate.squared_errors(test, pictures).mean())
        found |= {f"β = {beta}: {name}": value for name, value in quality.items()}
    return found


def sparse_codes(seed: int) -> dict[str, float]:
    """Chapter 10: its sparse codes after nearly four times its training, beside PCA and the untrained layer."""
    mnist = ae.data.load("mnist", fallback=False)
    train, test, rate, found = mnist.train_images, mnist.test_images, ae.training.cosine(4e-3, warmup=0.05), {}
    known, known_labels = (each[6000 * seed :][:6000] for each in (train, mnist.train_labels))
    pca = ae.evaluate.Principal(train, 200)
    models = {f"L1, {weight}": ae.models.L1Autoencoder(1000, weight=weight, seed=seed) for weight in (0.3, 0.6, 1.0)}
    models |= {f"top-{k}": ae.models.TopKAutoencoder(1000, active=k, seed=seed) for k in (10, 25, 50)}
    models["untrained"] = ae.models.SparseAutoencoder(1000, seed=seed)
    for name, model in models.items():
        model.centre(train)
        if name != "untrained":
            ae.training.fit(model, train, epochs=1, batch_size=64, lr=rate, seed=seed, device="cpu")
        codes = ae.evaluate.encode(model, test)
        probe = ae.evaluate.encode(model, known), known_labels, codes, mnist.test_labels
        found[f"{name}: right with 100 labels"] = ae.evaluate.probe_accuracy(*probe, per_class=100)
        if name == "untrained":
            continue
        active = float(ae.evaluate.active_counts(codes).mean())
        found[f"{name}: error"] = ae.training.mean_loss(model, test)["reconstruction"]
        found[f"{name}: active"], found[f"{name}: dead"] = active, ae.evaluate.dead_units(codes)
        found[f"{name}: PCA's error"] = pca.squared_error(test, round(active))
        share = ae.evaluate.activity(codes).double()
        names = float((torch.special.entr(share) + torch.special.entr(1 - share)).sum()) / math.log(2)
        found[f"{name}: bits for the names"] = names
        found[f"{name}: PCA's error, as long"] = pca.squared_error(test, min(200, round(active + names / 6.6)))
        atoms, points = model.atoms.detach(), test[::100].flatten(1) - model.bias.detach()
        ways = {"encoder": codes[::100], "refitted": ae.evaluate.refit(codes[::100], atoms, points)}
        if "top" in name:
            ways["search"] = ae.evaluate.pursuit(atoms, points, model.active)
        for way, part in ways.items():
            found[f"{name}: a hundred, {way}"] = float((points - part @ atoms).square().sum(1).mean())
    return found


EXPERIMENTS: tuple[Callable[[int], dict[str, float]], ...] = (
    thirty_numbers,
    digit_compressor,
    energy_games,
    fair_denoisers,
    few_images,
    hidden_parts,
    steered_codes,
    learnt_symbols,
    listening_music,
    masked_pretraining,
    patches_and_rivals,
    prices_of_codes,
    restorers,
    second_looks,
    skips_across,
    sparse_codes,
    ways_between,
)


def stored(name: str) -> dict:
    """Return what an experiment found when it was last run, `{}` if it never was."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def recipe(experiment: Callable) -> str:
    """Return the hash of all code that the results of an experiment depend on."""
    return fingerprint.of_code(
        [f"import aecourse as ae\nSEEDS = {SEEDS}", textwrap.dedent(inspect.getsource(experiment))]
    )


def stale() -> list[str]:
    """Return the experiments that were never run, or whose code has changed since."""
    return [each.__name__ for each in EXPERIMENTS if stored(each.__name__).get("fingerprint") != recipe(each)]


def main(names: list[str]) -> None:
    """Run the named experiments, or all that are stale; keep each result as soon as it is there."""
    torch.set_num_threads(1)
    known = {experiment.__name__: experiment for experiment in EXPERIMENTS}
    if unknown := set(names) - known.keys():
        sys.exit(f"got {', '.join(sorted(unknown))}, expected some of {', '.join(known)}")
    names = names or stale()
    print(f"{len(known)} experiments, {len(names)} to run, with {len(SEEDS)} seeds each")
    for number, name in enumerate(names, 1):
        started, what_runs = time.process_time(), recipe(known[name])  # the file may be edited while it runs
        runs = [known[name](seed) for seed in SEEDS]
        row = {
            "minutes": round((time.process_time() - started) / 60, 1),
            "ran on": fingerprint.machine(),
            "fingerprint": what_runs,
            "values": {key: [run[key] for run in runs] for key in runs[0]},
        }
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps(row, indent=1, ensure_ascii=False) + "\n"
        (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"[{number}/{len(names)}] {name}: {row}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
