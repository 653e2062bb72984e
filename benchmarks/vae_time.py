"""How fast the variational chapters are, in one run: `make bench`.

- the VAE with two numbers: seconds to train, and its test ELBO beside that of a run four times as long;
- seconds per epoch of the same model and loss in a DataLoader loop as most tutorials have it, interleaved;
- bits-back coding of the test images: images per second there and back, after start-up;
- every chapter from a cold kernel on one thread: seconds, also on a machine whose floor is 3 s, and peak memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

import aecourse as ae

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import chapters as book  # noqa: E402
import throughput  # noqa: E402

WIDTHS = (784, 500, 300, 2)


def two_numbers(data: ae.data.Dataset, epochs: int) -> None:
    """Train the VAE of chapters 6 and 7 and set it beside a longer run and the DataLoader way."""
    settings = {"batch_size": 256, "lr": ae.training.cosine(1e-2, warmup=0.1), "device": "cpu"}
    found = {}
    for name, length in {"short": epochs, "four times as long": 4 * epochs}.items():
        model = ae.models.VAE(WIDTHS)
        seconds = sum(ae.training.fit(model, data.train_images, epochs=length, **settings).seconds)
        found[name] = seconds, ae.evaluate.elbo(model, data.test_images, draws=5)["elbo"]
        print(f"{name:20}{length:4} epochs {seconds:6.1f} s   test ELBO {found[name][1]:.2f} nats")
    (seconds, short), (_, long) = found.values()
    goal("trained in under 30 s", seconds < 30)
    goal(f"a longer run improves it by {(long - short) / -long:.1%}, less than 3 %", (long - short) / -long < 0.03)

    best = {"fit": float("inf"), "DataLoader": float("inf")}
    for _ in range(3):
        history = ae.training.fit(ae.models.VAE(WIDTHS), data.train_images, epochs=1, lr=1e-3, device="cpu")
        best["fit"] = min(best["fit"], history.seconds[0])
        best["DataLoader"] = min(best["DataLoader"], data_loader_epoch(data))
    ratio = best["DataLoader"] / best["fit"]
    print(f"seconds per epoch: fit {best['fit']:.2f}, DataLoader {best['DataLoader']:.2f} = {ratio:.2f} × fit")


def data_loader_epoch(data: ae.data.Dataset) -> float:
    """Train the same model for one epoch as most tutorials do; return the seconds."""
    model, running = ae.models.VAE(WIDTHS), 0.0
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(data.train_images, data.train_labels), batch_size=128, shuffle=True)
    started = time.perf_counter()
    for batch, _ in loader:
        optimizer.zero_grad()
        loss = model.loss(batch)["total"]
        loss.backward()
        running += loss.item()
        optimizer.step()
    return time.perf_counter() - started


def bits_back(data: ae.data.Dataset) -> None:
    """Compress the binarized test images with the VAE of chapter 8, and decompress them."""
    model = ae.models.BinarizedVAE((784, 500, 200, 40))
    ae.training.fit(model, data.train_images, epochs=2, lr=ae.training.cosine(4e-3, warmup=0.05), device="cpu")
    images = ae.data.binarize(data.test_images)
    ae.coding.decompress(model, ae.coding.compress(model, images[:10]))  # start-up
    started = time.perf_counter()
    file = ae.coding.compress(model, images)
    between = time.perf_counter()
    same = torch.equal(ae.coding.decompress(model, file), images)
    there, back = len(images) / (between - started), len(images) / (time.perf_counter() - between)
    bits = 8 * len(file) / len(images)
    least = -ae.evaluate.elbo(model, images, draws=5)["elbo"] / ae.coding.NATS_PER_BIT
    print(f"{len(images):,} images: {there:,.0f} a second there, {back:,.0f} back; {bits:.2f} bits, −ELBO {least:.2f}")
    goal("1,000 images a second or better, both ways", min(there, back) >= 1000)
    goal("the same images, bit for bit, within 1 % of the negative ELBO", same and bits < 1.01 * least)


def chapters() -> None:
    """Execute every chapter from a cold kernel, one after the other, into a file that is thrown away."""
    torch.set_num_threads(1)
    floor = min(throughput.floor(ae.data.load("mnist"), epochs=2, batch_size=128)[0])
    print(f"the arithmetic of an epoch (`throughput.py`) takes {floor:.2f} s here on one thread")
    for path in book.notebooks():
        code = "import sys, resource, nbformat, chapters, pathlib\n"
        code += "path = pathlib.Path(sys.argv[1]); chapters.execute(nbformat.read(path, 4), path.parent)\n"
        code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20)"
        environment = os.environ | {"PYTHONPATH": str(ROOT / "tools"), "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
        started = time.perf_counter()
        run = subprocess.run([sys.executable, "-c", code, path], env=environment, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if run.returncode:
            print(f"{path.stem}: failed\n{run.stderr[-500:]}")
            continue
        memory = float(run.stdout.split()[-1])
        scaled = seconds * 3 / floor
        print(f"{path.stem:34}{seconds:6.0f} s, {scaled:.0f} s where the floor is 3 s, {memory:6.2f} GiB")
        goal("at most 60 s there and 1.5 GiB", scaled <= 60 and memory <= 1.5)


def goal(what: str, met: bool) -> None:
    """Print a goal and whether this run met it."""
    print(f"{'met' if met else 'NOT met in this run':>20}: {what}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=9, help="of the VAE with two numbers (default 9)")
    parser.add_argument("--no-chapters", action="store_true", help="leave out the chapters")
    arguments = parser.parse_args()
    data = ae.data.load("mnist")
    print(f"{data}, {data.origin}; {torch.get_num_threads()} threads")
    two_numbers(data, arguments.epochs)
    bits_back(data)
    if not arguments.no_chapters:
        book.absolute_data_folder()
        chapters()


if __name__ == "__main__":
    main()
