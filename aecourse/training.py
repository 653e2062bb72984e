"""One loop that trains every model of the course: it calls `model.loss(batch)` and minimises `total`."""

from __future__ import annotations

import contextlib
import inspect
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from . import checkpoint as checkpoints
from . import checks
from .models.base import Model
from .progress import progress_bar

Tensors = Tensor | tuple[Tensor, ...]
Rate = Callable[[float], float]
Steps = Iterator[tuple[dict[str, float], int]]


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


def cosine(peak: float, warmup: float = 0.0) -> Rate:
    """Return a learning rate that rises to `peak` during the first `warmup` share of the run and
    then falls to 0 along half a cosine (Loshchilov & Hutter, 2017).

    Raises:
        ValueError: if `peak` is negative, or `warmup` not at least 0 and below 1: it must leave time to fall.
    """
    checks.real("peak", peak)
    if checks.real("warmup", warmup, 0, 1) == 1:
        raise ValueError(f"got warmup={warmup!r}, expected a share below 1, which leaves time to fall")

    def rate(progress: float) -> float:
        if progress < warmup:
            return peak * progress / warmup
        return peak * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))

    return rate


def one_epoch(
    model: nn.Module, data: tuple[Tensor, ...], optimizer: Optimizer, rate: Rate, batch_size: int
) -> Iterator[tuple[dict[str, Tensor], int]]:
    """Train `model` for one pass over the data, in a new order; yield the loss terms of each batch, and its size.

    This is the loop itself; `fit` arranges checks, checkpoint, progress bar and Ctrl-C around it.

    Args:
        model: has `loss(*batch) -> {"total": …, …}`.
        data: tensors of equal length, on the model's device.
        optimizer: moves the weights.
        rate: the learning rate at each share of the epoch, from 0 up to but without 1.
        batch_size: images per step.
    """
    model.train()
    batches = torch.randperm(len(data[0]), device=data[0].device).split(batch_size)
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = rate(step / len(batches))
        terms = model.loss(*(tensor[batch] for tensor in data))
        yield terms, len(batch)  # here `fit` looks at the terms, and takes no step if one of them is not finite
        optimizer.zero_grad()
        terms["total"].backward()
        optimizer.step()


def one_adversarial_epoch(
    pair: nn.Module,
    images: Tensor,
    critic: Optimizer,
    generator: Optimizer,
    rate: Rate,
    batch_size: int,
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Train critic and generator in turn for one pass over the images; yield each player's name and loss terms.

    As in `one_epoch` the terms are yielded before the player's step.  Only whole batches count.

    Args:
        pair: has `critic`, `generator`, their losses, and `decode`, as `models.EBGAN`.
        images: on the pair's device.
        critic, generator: the optimiser of each.
        rate: the learning rate of both at each share of the epoch.
        batch_size: images per step, and generated images as well.
    """
    pair.train()
    steps = len(images) // batch_size
    for step, batch in enumerate(torch.randperm(len(images)).split(batch_size)[:steps]):
        for group in critic.param_groups + generator.param_groups:
            group["lr"] = rate(step / steps)
        generated = pair.decode(torch.randn(len(batch), pair.latent_dim))
        terms = pair.critic_loss(images[batch], generated)
        yield "critic", terms
        _step(critic, terms["total"])
        terms = pair.generator_loss(generated)
        yield "generator", terms
        _step(generator, terms["total"])


def _step(optimizer: Optimizer, total: Tensor) -> None:
    """Move one player down its loss, and compute no gradient for the other."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"] if weight.requires_grad]
    optimizer.zero_grad()
    total.backward(inputs=weights)
    optimizer.step()


def fit(
    model: nn.Module,
    images: Tensors,
    *,
    epochs: int = 10,
    batch_size: int = 128,
    lr: float | Rate = 1e-3,
    seed: int = 0,
    validation: Tensors | None = None,
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = adam,
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
        model: anything with `loss(*batch) -> {"total": …, …}`.  Its `check(*data)`, if it has one, says what data it
            takes; of other models' data only is asked that they are tensors of equal length and finite.
        images: all training images; a tuple `(images, labels, …)` if the loss takes more than images.
        epochs: passes over the images.
        batch_size: images per step.
        lr: the learning rate, or a function from progress in [0, 1] to it, such as `cosine(1e-3)`.
        seed: fixes the order of the batches and the model's noise.
        validation: images (or a tuple) whose loss is measured after every epoch and never trained on, by `mean_loss`:
            in evaluation mode, and in batches of 1,000 whatever `batch_size` is, since nothing is learnt from them.
            Only a term that belongs to the batch as a whole, such as `KLSparseAutoencoder`'s, depends on that.
        optimizer: builds the optimiser from the parameters; its learning rate is set from `lr`.
        device: "auto" takes a CUDA device if there is one, else the CPU.
        checkpoint: a file to which all that is needed to go on is saved, atomically, after every epoch.
        resume: go on from `checkpoint` if it exists; the final weights are those of an unbroken run.  (On another
            machine, device or version of torch other roundings are made; a warning then says so.)

    Raises:
        ValueError: for bad images or settings, a loss that does not return what it should, or a checkpoint that is
            damaged, belongs to another run (see `checkpoint.describe`) or holds more than `epochs` epochs.
        FileExistsError: if `checkpoint` exists and `resume` is False: nothing is overwritten unasked.
        FloatingPointError: as soon as a loss term is NaN or infinite, with epoch, step and term; the
            model keeps the weights from before that step.  No checkpoint is ever written with such weights.

    Ctrl-C ends the run early with a warning: the model is usable and the History holds what was finished.
    """
    device, batch_size, seed = checks.device(device), checks.whole("batch_size", batch_size), checks.seed(seed)
    _check_model(model, "loss")
    model.to(device)
    data = _prepare(model, images, device)
    held_out = None if validation is None else _prepare(model, validation, device)
    state = _optimizer(optimizer, model)

    def steps(rate: Rate) -> Steps:
        for terms, size in one_epoch(model, data, state, rate, batch_size):
            yield _finite(checks.terms(terms), "the loss"), size

    return _train(
        model,
        steps,
        [state],
        length=math.ceil(len(data[0]) / batch_size),
        settings={"batch_size": batch_size, "images": data, "validation": held_out},
        validate=lambda: {} if held_out is None else _mean_loss(model, held_out, 1000, seed, device),
        epochs=epochs,
        lr=lr,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
        resume=resume,
    )


def fit_pair(
    pair: nn.Module,
    images: Tensor,
    *,
    epochs: int = 5,
    batch_size: int = 128,
    lr: float | Rate = 1e-3,
    seed: int = 0,
    device: str | torch.device = "auto",
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> History:
    """Train critic and generator in turn, in place, and return the History of `real` and `generated` energies.

    In each step the critic learns from a batch of images and as many generated ones, then the generator learns from
    what the critic now says of those.  The History also has the critic's `hinge` and, with a pulling-away term, the
    `similarity` of codes, each as its mean over an epoch.  All else is as in `fit`.

    Args:
        pair: such as `models.EBGAN`.
        images: all training images.
        epochs, device, checkpoint, resume: as for `fit`.
        batch_size: images per step, and generated images as well; images that make no whole batch wait for the
            next epoch.
        lr: one learning rate for both, or a function from progress in [0, 1] to it.
        seed: fixes the order of images and the codes.

    Raises:
        ValueError: as `fit`, or for one image a batch.
        FileExistsError: as `fit`.
        FloatingPointError: as soon as a loss is NaN or infinite; each player keeps the weights from before its own
            part of that step.
    """
    device, batch_size = checks.device(device), checks.whole("batch_size", batch_size)
    _check_model(pair, "critic_loss", "generator_loss", "decode")
    pair.to(device)
    data = _prepare(pair, images, device)
    size = min(batch_size, len(data[0]))
    if size < 2:
        raise ValueError(f"got batches of 1 (batch_size={batch_size}, {len(data[0])} images), expected at least 2")
    # A short memory of gradients (0.5, not 0.9): the other player has moved on in the meantime (Radford et al., 2016).
    short = partial(torch.optim.Adam, betas=(0.5, 0.95), fused=True)
    players = [_optimizer(short, player) for player in (pair.critic, pair.generator)]

    def steps(rate: Rate) -> Steps:
        seen: dict[str, float] = {}
        for player, terms in one_adversarial_epoch(pair, data[0], *players, rate, size):
            seen |= _finite(checks.terms(terms), f"the {player}'s loss")
            if player == "generator":  # the second of the two
                seen |= {"real": seen["reconstruction"], "generated": seen["others"]}
                yield {name: seen[name] for name in ("real", "generated", "hinge", "similarity") if name in seen}, size

    return _train(
        pair,
        steps,
        players,
        length=len(data[0]) // size,
        settings={"batch_size": batch_size, "images": data},
        epochs=epochs,
        lr=lr,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
        resume=resume,
    )


def mean_loss(model: nn.Module, images: Tensors, *, batch_size: int = 1000, seed: int = 0) -> dict[str, float]:
    """Return every term of the model's loss as its mean over all `images`, in evaluation mode.

    A model that draws noise draws it from `seed`; torch's global random state and the model's mode are left as they
    were.

    Raises:
        ValueError: for bad images or settings, or a loss that does not return what it should.
    """
    batch_size, seed = checks.whole("batch_size", batch_size), checks.seed(seed)
    _check_model(model, "loss")
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    return _mean_loss(model, _prepare(model, images, device), batch_size, seed, device)


def _train(
    model: nn.Module,
    steps: Callable[[Rate], Steps],
    optimizers: Sequence[Optimizer],
    *,
    length: int,
    settings: dict[str, Any],
    validate: Callable[[], dict[str, float]] = dict,
    epochs: int,
    lr: float | Rate,
    seed: int,
    device: torch.device,
    checkpoint: str | Path | None,
    resume: bool,
) -> History:
    """Run epochs, with everything around them that `fit` promises, and return their History.

    Args:
        model: what is trained.
        steps: one epoch at a given rate; yields loss terms by name, and their weight in the mean, in every step.
        optimizers: what steps.
        length: steps per epoch.
        settings: what makes it another run, beside the model, the optimisers and the arguments below.
        validate: measures what is held out.
        epochs, lr, seed, device, checkpoint, resume: as for `fit`.
    """
    epochs, seed, rate = checks.whole("epochs", epochs), checks.seed(seed), _rate(lr)
    if resume and checkpoint is None:
        raise ValueError("got resume=True without a file to go on from; pass checkpoint=path")
    generators, history, run = _generators(device), History(), None
    if checkpoint is not None:
        rates = [rate(progress) for progress in (0.0, 0.25, 0.5, 0.75)]
        # None, since nothing else depends on how many epochs there are: such a run can be made longer.
        settings |= {"epochs": epochs if callable(lr) else None, "lr": rates, "seed": seed}
        run = checkpoints.Run(checkpoint, model, optimizers, generators, settings, device)

    with _apart(device), torch.enable_grad(), progress_bar(epochs * length, "step") as bar:
        for generator in generators.values():
            generator.manual_seed(seed)
        if run is not None and run.path.exists():
            if not resume:
                raise FileExistsError(
                    f"{checkpoint} exists; pass resume=True to go on from it, or delete it to begin anew"
                )
            history = History(**run.resume(epochs))
            bar.update(len(history) * length)
        epoch = len(history)
        try:
            for epoch in range(len(history), epochs):
                started = time.perf_counter()
                in_epoch = steps(lambda share, epoch=epoch: rate((epoch + share) / epochs))
                means = _means(model, in_epoch, optimizers, epoch, bar)
                _check_weights(model, epoch)
                held = _finite(validate(), f"after epoch {epoch + 1} the validation loss")
                _record(history, means, held, time.perf_counter() - started)
                bar.set_postfix(means)
                if run is not None:
                    run.save(asdict(history))
        except KeyboardInterrupt:
            history.interrupted = True
            warnings.warn(
                f"stopped by Ctrl-C in epoch {epoch + 1} of {epochs}; the model keeps its weights "
                "and the history its finished epochs",
                stacklevel=3,
            )
        finally:
            model.eval()
    return history


def _means(model: nn.Module, steps: Steps, optimizers: Sequence[Optimizer], epoch: int, bar: tqdm) -> dict[str, float]:
    """Return the means over an epoch of what its steps yield; if a loss is not finite, undo what it did, and raise."""
    sums, weights, step = Counter(), 0, 0
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}  # such as the means of a batch norm
    try:
        for terms, weight in steps:
            sums.update({name: value * weight for name, value in terms.items()})
            weights += weight
            for name, buffer in buffers.items():
                buffer.copy_(model.get_buffer(name))
            step += 1
            bar.update()
    except FloatingPointError as error:
        for name, buffer in buffers.items():
            model.get_buffer(name).copy_(buffer)
        cure = "a smaller learning rate is the usual cure"
        if epoch == step == 0 and not any(optimizer.state for optimizer in optimizers):
            cure = "no step was taken yet, so look at the data, the initial weights and the loss"
        raise FloatingPointError(f"{error} in epoch {epoch + 1}, step {step + 1}; {cure}") from None
    return {name: total / weights for name, total in sums.items()}


@torch.no_grad()
def _mean_loss(
    model: nn.Module, data: tuple[Tensor, ...], batch_size: int, seed: int, device: torch.device
) -> dict[str, float]:
    training, sums = model.training, {}
    model.eval()
    try:
        with _apart(device):
            for generator in _generators(device).values():
                generator.manual_seed(seed)
            for batch in zip(*(tensor.split(batch_size) for tensor in data), strict=True):
                for name, value in checks.terms(model.loss(*batch)).items():
                    sums[name] = sums.get(name, 0.0) + value * len(batch[0])
    finally:
        model.train(training)
    return {name: total / len(data[0]) for name, total in sums.items()}


def _record(history: History, means: dict[str, float], held: dict[str, float], seconds: float) -> None:
    for record, values in ((history.train, means), (history.validation, held)):
        for name, value in values.items():
            record.setdefault(name, []).append(value)
    history.seconds.append(seconds)


def _apart(device: torch.device) -> contextlib.AbstractContextManager:
    """Keep torch's global random state as it is, whatever happens inside."""
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


def _generators(device: torch.device) -> dict[str, torch.Generator]:
    """Return torch's own sources of random numbers that reach a model on this device."""
    generators = {"cpu": torch.default_generator}
    if device.type == "cuda":
        generators["cuda"] = torch.cuda.default_generators[device.index]
    return generators


def _rate(lr: float | Rate) -> Rate:
    """Return the learning rate as a function of progress, which is sampled here, and checked in every step."""
    if not callable(lr):
        try:
            constant = checks.real("lr", lr)
        except ValueError as error:
            raise ValueError(f"{error}, or a function from progress in [0, 1] to one, such as cosine(1e-3)") from None
        return lambda progress: constant

    def rate(progress: float) -> float:
        value = lr(progress)
        return checks.real(
            f"lr({progress:.2f})", value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
        )

    try:
        for progress in torch.linspace(0, 1, 101).tolist():
            rate(progress)
    except TypeError as error:  # above all, another number of arguments
        raise ValueError(
            f"got lr={lr!r}, which fails at progress {progress:.2f} ({error}), expected a function from progress in "
            "[0, 1] to a learning rate, such as cosine(1e-3)"
        ) from error
    return rate


def _optimizer(make: Callable[[Iterable[nn.Parameter]], Optimizer], model: nn.Module) -> Optimizer:
    weights = list(model.parameters())
    if not any(weight.requires_grad for weight in weights):
        state = f"all {len(weights)} of whose weights are frozen" if weights else "without any weights"
        raise ValueError(
            f"got a {type(model).__name__} {state}, expected something to train; to free weights: "
            "model.requires_grad_(True)"
        )
    made = make(model.parameters()) if callable(make) else make
    if not callable(make) or not isinstance(made, Optimizer):
        raise ValueError(
            f"got optimizer={make!r}, expected a function from parameters to an optimiser; "
            "for example lambda parameters: torch.optim.SGD(parameters, lr=0.1)"
        )
    return made


def _check_model(model: nn.Module, *methods: str) -> None:
    """Check that this is a model which can be trained."""
    expected = f"expected a model, an nn.Module with {', '.join(f'{name}(…)' for name in methods)}"
    if isinstance(model, type):
        raise ValueError(f"got the class {model.__name__}, {expected}; make one first: {model.__name__}(…)")
    if not isinstance(model, nn.Module):
        raise ValueError(f"got {type(model).__name__}, {expected}; the model comes first: fit(model, images)")
    missing = [name for name in methods if not callable(getattr(model, name, None))]
    if "loss" in methods and getattr(type(model), "loss", None) is Model.loss:
        missing.append("loss")
    if missing:
        hint = 'define loss(self, images), which returns {"total": …, …}'
        if "loss" not in methods:
            hint = "a model with a single loss is trained by fit"
        raise ValueError(f"got a {type(model).__name__} without {', '.join(missing)}, {expected}; {hint}")


def _prepare(model: nn.Module, data: Tensors, device: torch.device) -> tuple[Tensor, ...]:
    """Return the tensors that the model's loss takes, checked and on the device."""
    tensors = checks.tensors(data)
    checked = getattr(model, "check", partial(_check_tensors, model))(*tensors)
    if not isinstance(checked, tuple) or not all(isinstance(tensor, Tensor) for tensor in checked):
        raise ValueError(
            f"got {type(checked).__name__} from {type(model).__name__}.check, expected a tuple of the tensors that "
            "loss takes; end it with: return (images,)"
        )
    return tuple(tensor.to(device) for tensor in checked)


def _check_tensors(model: nn.Module, *data: Tensor) -> tuple[Tensor, ...]:
    """Return the data of a model that has no `check`, of which only is known how many tensors its loss takes."""
    if hasattr(model, "loss"):
        signature = inspect.signature(model.loss)
        try:
            signature.bind(*data)
        except TypeError:
            raise ValueError(
                f"got {len(data)} tensors, but this model has loss{signature}; pass one for each argument: "
                "fit(model, images) or fit(model, (images, …)); torch.stack makes one tensor of a list of images"
            ) from None
    for number, tensor in enumerate(data, 1):
        if tensor.numel() == 0:
            raise ValueError(f"got no images (shape {tuple(tensor.shape)}), expected at least 1")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(
                f"got NaN or infinity in tensor {number} of {len(data)}, expected finite numbers; drop or repair them"
            )
    return data


def _finite(values: dict[str, float], loss: str) -> dict[str, float]:
    """Return the values of loss terms if all are finite, else raise."""
    for name, value in sorted(values.items(), key=lambda item: item[0] == "total"):  # the cause before the sum
        if not math.isfinite(value):
            raise FloatingPointError(f"{loss} term {name!r} became {value}")
    return values


def _check_weights(model: nn.Module, epoch: int) -> None:
    """Raise if the last step left a weight that is not finite, before it gets into a checkpoint."""
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise FloatingPointError(
                f"the weight {name!r} became NaN or infinite in the last step of epoch {epoch + 1}; "
                "a smaller learning rate is the usual cure"
            )
