"""One loop that trains every model of the course: it calls `model.loss(batch)` and minimises `total`."""

from __future__ import annotations

import math
import time
import warnings
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import checkpoint as checkpoints
from .progress import progress_bar

Tensors = Tensor | tuple[Tensor, ...]


@dataclass
class History:
    """What `fit` saw: one number per epoch for every term of the loss.

    Attributes:
        train: term → its mean over the training images in each epoch, measured while the weights moved.
        validation: term → its mean over the validation images after each epoch (empty without them).
        seconds: how long each epoch took.
        interrupted: True if a person stopped the run with Ctrl-C.
    """

    train: dict[str, list[float]] = field(default_factory=dict)
    validation: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    interrupted: bool = False

    def __len__(self) -> int:
        """Return the number of finished epochs."""
        return len(self.seconds)

    def __repr__(self) -> str:
        last = [f"{key} {values[-1]:.4g}" for key, values in self.train.items()]
        last += [f"validation {key} {values[-1]:.4g}" for key, values in self.validation.items()]
        return f"History of {len(self)} epochs; last: {', '.join(last) or 'none finished'}"


def adam(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return Adam (Kingma & Ba, 2015) in its fused form, which updates all weights in one call.

    Its memory of squared gradients is 20 steps, not the usual 1,000: in a run of a few epochs the usual
    one still remembers the first, steepest steps.
    """
    return torch.optim.Adam(parameters, betas=(0.9, 0.95), fused=True)


def cosine(peak: float, warmup: float = 0.0) -> Callable[[float], float]:
    """Return a learning rate that rises to `peak` during the first `warmup` share of the run and
    then falls to 0 along half a cosine (Loshchilov & Hutter, 2017)."""

    def rate(progress: float) -> float:
        if progress < warmup:
            return peak * progress / warmup
        return peak * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))

    return rate


def fit(
    model: nn.Module,
    images: Tensors,
    *,
    epochs: int = 10,
    batch_size: int = 128,
    lr: float | Callable[[float], float] = 1e-3,
    seed: int = 0,
    validation: Tensors | None = None,
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] = adam,
    device: str | torch.device = "auto",
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> History:
    """Train `model` in place and return the History of its loss.

    The whole data set lies on the device as one tensor and a batch is a slice of shuffled indices,
    so an epoch costs little more than its arithmetic.  Shuffling and the model's own noise come from
    `seed`: the same seed on the same machine gives the same weights, bit for bit, and torch's global
    random state is left as it was.  Afterwards the model is in evaluation mode, on `device`.

    Args:
        model: anything with `checks.images(images)` and `loss(*batch) -> {"total": …, …}`.
        images: all training images; a tuple `(images, labels, …)` if the loss takes more than images.
        epochs: passes over the images.
        batch_size: images per step.
        lr: the learning rate, or a function from progress in [0, 1] to it, such as `cosine(1e-3)`.
        seed: fixes the order of the batches and the model's noise.
        validation: images (or a tuple) whose loss is measured after every epoch and never trained on.
        optimizer: builds the optimiser from the parameters; its learning rate is set from `lr`.
        device: "auto" takes a CUDA device if there is one, else the CPU.
        checkpoint: a file to which all that is needed to go on is saved, atomically, after every epoch.
        resume: go on from `checkpoint` if it exists; the final weights are those of an unbroken run.

    Raises:
        ValueError: for bad images or settings, or a checkpoint that is damaged or belongs to another run.
        FileExistsError: if `checkpoint` exists and `resume` is False: nothing is overwritten unasked.
        FloatingPointError: as soon as a loss term is NaN or infinite, with epoch, step and term; the
            model keeps the weights from before that step.  No checkpoint is ever written with such weights.

    Ctrl-C ends the run early with a warning: the model is usable and the History holds what was finished.
    """
    _check_settings(epochs=epochs, batch_size=batch_size, seed=seed)
    if resume and checkpoint is None:
        raise ValueError("got resume=True without a file to go on from; pass checkpoint=path")
    device = _pick(device)
    model.to(device)
    data = _prepare(model, images, device)
    held_out = None if validation is None else _prepare(model, validation, device)
    steps = math.ceil(len(data[0]) / batch_size)
    rate = lr if callable(lr) else lambda progress: lr
    _check_rate(rate)
    state = optimizer(model.parameters())
    history = History()
    settings: dict[str, Any] = {}
    if checkpoint is not None:
        settings = _fingerprint(model, data, held_out, state, epochs if callable(lr) else None, batch_size, rate, seed)

    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(cuda), progress_bar(epochs * steps, "step") as bar:
        _seed(device, seed)
        if checkpoint is not None and Path(checkpoint).exists():
            if not resume:
                raise FileExistsError(
                    f"{checkpoint} exists; pass resume=True to go on from it, or delete it to begin anew"
                )
            history = _restore(checkpoint, model, state, settings, device)
            bar.update(min(len(history), epochs) * steps)
        try:
            for epoch in range(len(history), epochs):
                started = time.perf_counter()
                model.train()
                sums: dict[str, float] = {}
                for step, batch in enumerate(torch.randperm(len(data[0]), device=device).split(batch_size)):
                    for group in state.param_groups:
                        group["lr"] = float(rate((epoch + step / steps) / epochs))
                    terms = model.loss(*(tensor[batch] for tensor in data))
                    for name, value in _finite(terms, epoch, step).items():
                        sums[name] = sums.get(name, 0.0) + value * len(batch)
                    state.zero_grad()
                    terms["total"].backward()
                    state.step()
                    bar.update()
                _check_weights(model, epoch)
                means = {name: total / len(data[0]) for name, total in sums.items()}
                held = {} if held_out is None else mean_loss(model, held_out, seed=seed)
                _record(history, means, held, time.perf_counter() - started)
                bar.set_postfix(means)
                if checkpoint is not None:
                    _save_checkpoint(checkpoint, model, state, settings, history, device)
        except KeyboardInterrupt:
            history.interrupted = True
            warnings.warn(
                f"stopped by Ctrl-C in epoch {len(history) + 1} of {epochs}; the model keeps its "
                "weights and the history its finished epochs",
                stacklevel=2,
            )
        finally:
            model.eval()
    return history


def fit_pair(
    pair: nn.Module,
    images: Tensor,
    *,
    epochs: int = 5,
    batch_size: int = 128,
    lr: float | Callable[[float], float] = 1e-3,
    seed: int = 0,
) -> History:
    """Train critic and generator in turn, in place, and return the History of `real` and `generated` energies.

    In each step the critic learns from a batch of images and as many generated ones, then the generator learns from
    what the critic now says of those.  The History also has the critic's `hinge` and, with a pulling-away term, the
    `similarity` of codes, each as its mean over an epoch.  The order of images and the codes come from `seed`.
    Ctrl-C ends the run early with a warning, as in `training.fit`.

    Args:
        lr: one learning rate for both, or a function from progress in [0, 1] to it.

    Raises:
        ValueError: for bad images, or `epochs` or `batch_size` that are no whole numbers above 0, or 1 image a batch.
        FloatingPointError: as soon as a loss is NaN or infinite; both keep the weights from before that step.
    """
    images = pair.check_images(images)
    for name, value in {"epochs": epochs, "batch_size": batch_size}.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"got {name}={value!r}, expected a whole number of at least 1")
    if min(batch_size, len(images)) < 2:
        raise ValueError(f"got batches of 1 (batch_size={batch_size}, {len(images)} images), expected at least 2")
    rate = lr if callable(lr) else lambda progress: lr
    # A short memory of gradients (0.5, not 0.9): the other player has moved on in the meantime (Radford et al., 2016).
    players = [torch.optim.Adam(p.parameters(), betas=(0.5, 0.95), fused=True) for p in (pair.critic, pair.generator)]
    steps = len(images) // min(batch_size, len(images))  # whole batches only
    random, history = torch.Generator().manual_seed(seed), History()
    with progress_bar(epochs * steps, "step") as bar:
        pair.train()
        try:
            for epoch in range(epochs):
                started, sums = time.perf_counter(), {}
                order = torch.randperm(len(images), generator=random)
                for step, batch in enumerate(order.split(batch_size)[:steps]):
                    for group in players[0].param_groups + players[1].param_groups:
                        group["lr"] = float(rate((epoch + step / steps) / epochs))
                    when = f"in epoch {epoch + 1}, step {step + 1}"
                    generated = pair.decode(torch.randn(len(batch), pair.latent_dim, generator=random))
                    critic = pair.critic_loss(images[batch], generated)
                    _step(players[0], critic, pair.critic, f"critic's loss {when}")
                    generator = pair.generator_loss(generated)
                    _step(players[1], generator, pair.generator, f"generator's loss {when}")
                    terms = {"real": critic["reconstruction"], "generated": critic["others"], **critic, **generator}
                    for name in ("real", "generated", "hinge", "similarity"):
                        if name in terms:
                            sums[name] = sums.get(name, 0.0) + terms[name].item() / steps
                    bar.update()
                for name, value in sums.items():
                    history.train.setdefault(name, []).append(value)
                history.seconds.append(time.perf_counter() - started)
                bar.set_postfix(sums)
        except KeyboardInterrupt:
            history.interrupted = True
            warnings.warn(
                f"stopped by Ctrl-C in epoch {len(history) + 1} of {epochs}; the pair keeps its weights "
                "and the history its finished epochs",
                stacklevel=2,
            )
        finally:
            pair.eval()
    return history


@torch.no_grad()
def mean_loss(model: nn.Module, images: Tensors, *, batch_size: int = 1000, seed: int = 0) -> dict[str, float]:
    """Return every term of the model's loss as its mean over all `images`, in evaluation mode.

    A model that draws noise draws it from `seed`; torch's global random state is left as it was.
    """
    device = next(model.parameters()).device
    data = _prepare(model, images, device)
    training, sums = model.training, {}
    model.eval()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        _seed(device, seed)
        for batch in zip(*(tensor.split(batch_size) for tensor in data), strict=True):
            for name, value in model.loss(*batch).items():
                sums[name] = sums.get(name, 0.0) + value.item() * len(batch[0])
    model.train(training)
    return {name: total / len(data[0]) for name, total in sums.items()}


def _step(player: torch.optim.Optimizer, terms: dict[str, Tensor], module: nn.Module, what: str) -> None:
    """Move one player down its loss and leave the other's weights alone."""
    if not math.isfinite(terms["total"].item()):
        raise FloatingPointError(f"the {what}, became {terms['total'].item()}; a smaller learning rate is the cure")
    player.zero_grad()
    terms["total"].backward(inputs=list(module.parameters()))
    player.step()


def _seed(device, seed):
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def _check_settings(**settings: int) -> None:
    for name, value in settings.items():
        least = 0 if name == "seed" else 1
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"got {name}={value!r}, expected a whole number of at least {least}")


def _check_rate(rate: Callable[[float], float]) -> None:
    for progress in torch.linspace(0, 1, 101).tolist():
        value = float(rate(progress))
        if not 0 <= value < math.inf:
            raise ValueError(
                f"got the learning rate {value} at progress {progress:.2f}, expected 0 or more, and finite"
            )


def _check_weights(model: nn.Module, epoch: int) -> None:
    """Raise if the last step left a weight that is not finite, before it gets into a checkpoint."""
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise FloatingPointError(
                f"the weight {name!r} became NaN or infinite in the last step of epoch {epoch + 1}; "
                "a smaller learning rate is the usual cure"
            )


def _pick(device: str | torch.device) -> torch.device:
    if device == "auto":
        return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
    return torch.device(device)


def _prepare(model: nn.Module, images: Tensors, device: torch.device) -> tuple[Tensor, ...]:
    """Check the images, and that everything that comes with them has the same length."""
    data = tuple(images) if isinstance(images, tuple | list) else (images,)
    if not data:
        raise ValueError("got an empty tuple, expected images or (images, labels, …)")
    data = model.check(*data) if hasattr(model, "check") else (model.check_images(data[0]), *data[1:])
    for extra in data[1:]:
        if not isinstance(extra, Tensor):
            raise ValueError(f"got {type(extra).__name__} beside the images, expected a tensor; use torch.as_tensor(…)")
        if len(extra) != len(data[0]):
            raise ValueError(
                f"got {len(data[0]):,} images but {len(extra):,} rows beside them, expected as many of each"
            )
    return tuple(tensor.to(device) for tensor in data)


def _finite(terms: dict[str, Tensor], epoch: int, step: int) -> dict[str, float]:
    values = {name: value.item() for name, value in terms.items()}
    for name, value in sorted(values.items(), key=lambda item: item[0] == "total"):  # the cause before the sum
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss term {name!r} became {value} in epoch {epoch + 1}, step {step + 1}; "
                "a smaller learning rate is the usual cure"
            )
    return values


def _record(history: History, means: dict[str, float], held: dict[str, float], seconds: float) -> None:
    for record, values in ((history.train, means), (history.validation, held)):
        for name, value in values.items():
            record.setdefault(name, []).append(value)
    history.seconds.append(seconds)


def _fingerprint(model, data, held_out, state, epochs, batch_size, rate, seed) -> dict[str, Any]:
    """What must be equal for a resumed run to end where an unbroken one would have ended."""
    return {
        "model": type(model).__name__,
        "arguments": {
            k: v
            for k, v in vars(model).items()
            if k[0] != "_" and k != "training" and isinstance(v, int | float | str | tuple)
        },
        "fixed weights": {
            name: _checksums((weight.detach(),))[0]
            for name, weight in model.named_parameters()
            if not weight.requires_grad
        },
        "optimizer": [type(state).__name__, {k: v for k, v in state.defaults.items() if k != "lr"}],
        "epochs": epochs,  # None where nothing depends on it
        "batch_size": batch_size,
        "lr": [float(rate(progress)) for progress in (0.0, 0.25, 0.5, 0.75)],
        "seed": seed,
        "images": _checksums(data),
        "validation": None if held_out is None else _checksums(held_out),
    }


def _checksums(data: tuple[Tensor, ...]) -> list[int]:
    return [zlib.crc32(tensor.cpu().contiguous().numpy()) for tensor in data]


def _save_checkpoint(path, model, state, settings, history, device) -> None:
    random = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(device)
    checkpoints.write(
        path,
        {
            "kind": "checkpoint",
            "model": type(model).__name__,
            "weights": model.state_dict(),
            "optimizer": state.state_dict(),
            "random": random,
            "history": asdict(history),
            "settings": settings,
        },
    )


def _restore(path, model, state, settings, device) -> History:
    content = checkpoints.read(path)
    if content["kind"] != "checkpoint":
        raise ValueError(f"{path} holds weights only, expected a checkpoint written by fit(checkpoint=…)")
    then = content["settings"]
    changed = [f"{name} was {then.get(name)}, is now {now}" for name, now in settings.items() if then.get(name) != now]
    if changed:
        raise ValueError(
            f"{path} belongs to another run: {'; '.join(changed)}. "
            "Use the same settings and images, or another checkpoint file"
        )
    checkpoints.load_weights(model, content, path)
    state.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["random"]["cpu"])
    if device.type == "cuda" and "cuda" in content["random"]:
        torch.cuda.set_rng_state(content["random"]["cuda"], device)
    return History(**content["history"])
