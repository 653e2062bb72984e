"""Seconds per epoch of the same VAE trained three ways, interleaved in one run: `make bench`.

- tutorial: torchvision's data set with a transform, a DataLoader, default Adam, sigmoid and then cross-entropy, a
  running loss read at every batch, as most tutorials have it (for instance pytorch/examples, vae/main.py);
- fit: `aecourse.training.fit`, all images in memory, batches as index slices, fused Adam;
- floor: the arithmetic alone, written by hand without autograd: the matrix products of forward and backward pass,
  the element-wise work (biases, ReLU, reparameterization, loss and their derivatives) and fused Adam.

The network is 784–400–20–400–784 (Kingma & Welling, 2014).  Every round trains each way from the same weights; the
best epoch of each counts, since whatever else runs on the machine can only make an epoch slower.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms
from torchvision.datasets import MNIST

import aecourse as ae

RATE = 1e-3


class VAE(nn.Module):
    """The network that the three ways train; the course's own variational autoencoder comes in chapter 5."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.heads = nn.Linear(784, 400), nn.Linear(400, 40)
        self.widen, self.pixels = nn.Linear(20, 400), nn.Linear(400, 784)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits of the reconstruction, and the mean and log-variance of the posterior."""
        mu, log_var = self.heads(F.relu(self.hidden(pixels))).chunk(2, dim=1)
        z = mu + (log_var / 2).exp() * torch.randn_like(mu)
        return self.pixels(F.relu(self.widen(z))), mu, log_var

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return the negative ELBO in nats per image."""
        pixels = images.flatten(1)
        logits, mu, log_var = self(pixels)
        error = ae.losses.binary_cross_entropy(logits, pixels)
        kl = 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum() / len(images)
        return {"total": error + kl, "reconstruction": error, "kl": kl}


def tutorial(data: ae.data.Dataset, epochs: int, batch_size: int) -> tuple[list[float], nn.Module]:
    """Train as most tutorials do; return the seconds of each epoch and the model."""
    if data.name == "mnist":
        roots = [os.environ.get("AECOURSE_DATA"), user_cache_path("aecourse")]
        root = next(root for root in roots if root and (Path(root) / "MNIST" / "raw").is_dir())
        images = MNIST(root, train=True, transform=transforms.ToTensor())
    else:
        images = TensorDataset(data.train_images, data.train_labels)
    loader = DataLoader(images, batch_size=batch_size, shuffle=True)
    model, seconds = VAE(), []
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    model.train()
    for _ in range(epochs):
        started, running = time.perf_counter(), 0.0
        for batch, _ in loader:
            optimizer.zero_grad()
            logits, mu, log_var = model(batch.view(-1, 784))
            loss = F.binary_cross_entropy(torch.sigmoid(logits), batch.view(-1, 784), reduction="sum")
            loss = loss - 0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
            loss.backward()
            running += loss.item()
            optimizer.step()
        seconds.append(time.perf_counter() - started)
    return seconds, model


def fit(data: ae.data.Dataset, epochs: int, batch_size: int) -> tuple[list[float], nn.Module]:
    """Train with the course's loop; return the seconds of each epoch and the model."""
    model = VAE()

    def adam(parameters):
        return torch.optim.Adam(parameters, fused=True)  # the tutorial's settings, so that the losses can be compared

    history = ae.training.fit(
        model, data.train_images, epochs=epochs, batch_size=batch_size, lr=RATE, optimizer=adam, device="cpu"
    )
    return history.seconds, model


@torch.no_grad()
def floor(data: ae.data.Dataset, epochs: int, batch_size: int) -> tuple[list[float], nn.Module]:
    """Do the arithmetic of training and nothing else; return the seconds of each epoch and the model."""
    model, seconds = VAE(), []
    w1, b1, w2, b2, w3, b3, w4, b4 = parameters = list(model.parameters())
    for parameter in parameters:
        parameter.grad = torch.empty_like(parameter)
    g1, c1, g2, c2, g3, c3, g4, c4 = (parameter.grad for parameter in parameters)
    optimizer = torch.optim.Adam(parameters, lr=RATE, fused=True)
    everything = data.train_images.flatten(1)
    for _ in range(epochs):
        started = time.perf_counter()
        for x in everything.split(batch_size):
            n = len(x)
            h = torch.addmm(b1, x, w1.T).relu_()
            heads = torch.addmm(b2, h, w2.T)
            mu, log_var = heads[:, :20], heads[:, 20:]
            noise, sigma = torch.randn(n, 20), (log_var / 2).exp_()
            z = torch.addcmul(mu, sigma, noise)
            u = torch.addmm(b3, z, w3.T).relu_()
            logits = torch.addmm(b4, u, w4.T)
            F.binary_cross_entropy_with_logits(logits, x, reduction="sum")

            d = logits.sigmoid_().sub_(x).div_(n)
            torch.mm(d.T, u, out=g4), torch.sum(d, 0, out=c4)
            d = torch.mm(d, w4).mul_(u > 0)
            torch.mm(d.T, z, out=g3), torch.sum(d, 0, out=c3)
            d = torch.mm(d, w3)
            d = torch.cat([d + mu / n, (d * noise * sigma + (sigma.square() - 1) / n) / 2], dim=1)
            torch.mm(d.T, h, out=g2), torch.sum(d, 0, out=c2)
            d = torch.mm(d, w2).mul_(h > 0)
            torch.mm(d.T, x, out=g1), torch.sum(d, 0, out=c1)
            optimizer.step()
        seconds.append(time.perf_counter() - started)
    return seconds, model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is run (default 3)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of each run (default 3)")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = ae.data.load("mnist")
    print(f"{data}, {data.origin}; batches of {arguments.batch_size}, {arguments.threads} threads")

    best: dict[str, float] = defaultdict(lambda: float("inf"))
    loss = {}
    for number in range(1, arguments.rounds + 1):
        for way in (tutorial, fit, floor):
            seconds, model = way(data, arguments.epochs, arguments.batch_size)
            best[way.__name__] = min(best[way.__name__], *seconds)
            loss[way.__name__] = ae.training.mean_loss(model, data.test_images)["total"]
        print(f"round {number} of {arguments.rounds}: best epochs so far", {k: round(v, 2) for k, v in best.items()})

    print(f"\n{'':10}{'s per epoch':>12}{'× floor':>10}{'× fit':>8}   test loss after {arguments.epochs} epochs, nats")
    for name, value in best.items():
        print(f"{name:10}{value:12.2f}{value / best['floor']:10.2f}{value / best['fit']:8.2f}   {loss[name]:.1f}")
    goals = {
        "fit takes at most 1.3 × the floor": best["fit"] <= 1.3 * best["floor"],
        "fit is at least 3 × as fast as the tutorials' way": best["tutorial"] >= 3 * best["fit"],
        "at the same loss, to within 0.5 nats": abs(loss["fit"] - loss["tutorial"]) < 0.5,
    }
    for goal, met in goals.items():
        print(f"{'met' if met else 'NOT met in this run':>20}: {goal}")
    if best["tutorial"] < 3 * best["floor"]:
        print(f"(On this machine the floor itself is only {best['tutorial'] / best['floor']:.1f} × as fast as that.)")


if __name__ == "__main__":
    main()
