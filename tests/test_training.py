"""The loop: determinism, what the History holds, what stops it, and what a checkpoint brings back."""

import io
import itertools
import math
import os
import pickle
import sys
import time
import warnings
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from same_weights import equal, weights
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from aecourse import book, checkpoint, checks, models, training

SHAPE = (1, 4, 4)


@pytest.fixture(scope="module")
def images():
    return torch.rand(26, *SHAPE, generator=torch.Generator().manual_seed(0))


class Denoising(models.LinearAutoencoder):
    """A model that draws noise in its loss, as a VAE does, so that the order of random numbers matters."""

    def loss(self, images):
        noisy = images + 0.3 * torch.randn_like(images)
        error = (self.decoder(self.encoder(noisy.flatten(1))) - images.flatten(1)).square().sum() / len(images)
        size = self.encoder.weight.square().sum()
        return {"total": error + 0.01 * size, "reconstruction": error, "weight": size}


class Stub(nn.Module):
    """A model whose loss terms are functions of the images and of how often they were asked for."""

    def __init__(self, terms=lambda images, call: {"total": images.mean()}):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.terms = terms
        self.calls = 0
        self.modes = []
        self.batches = []

    def loss(self, images):
        self.calls += 1
        self.modes.append(self.training)
        self.batches.append(images.clone())
        terms = self.terms(images, self.calls)
        return {name: value + 0 * self.weight for name, value in terms.items()}


def denoising(seed=1):
    return Denoising(3, image_shape=SHAPE, seed=seed)


def fit(model, images, **settings):
    return training.fit(model, images, **{"epochs": 3, "batch_size": 8, "device": "cpu", **settings})


def test_fit_runs_the_loop_that_a_chapter_shows(images):
    shown, fitted = denoising(), denoising()
    optimizer, rate = training.adam(shown.parameters()), training.cosine(0.02, warmup=0.1)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        for epoch in range(3):
            for _ in training.one_epoch(shown, (images,), optimizer, lambda share, e=epoch: rate((e + share) / 3), 8):
                pass
    fit(fitted, images, seed=4, lr=rate)
    assert equal(weights(shown), weights(fitted))


def test_the_loop_that_a_chapter_shows_is_a_dozen_lines_and_needs_nothing_of_this_package():
    source = str(book.show(training.one_epoch))
    assert len(source.splitlines()) <= 14
    assert training.one_epoch.__code__.co_freevars == ()
    assert {name for name in training.one_epoch.__code__.co_names if name in vars(training)} == {"torch"}


def test_the_loop_shows_the_terms_of_a_batch_before_it_moves_the_weights(images):
    model = denoising()
    untouched = weights(model)
    loop = training.one_epoch(model, (images,), training.adam(model.parameters()), lambda share: 0.01, 20)
    terms, size = next(loop)
    assert (list(terms), size) == (["total", "reconstruction", "weight"], 20)
    assert equal(weights(model), untouched)
    assert next(loop)[1] == 6
    assert not equal(weights(model), untouched)


def test_all_terms_of_a_step_are_fetched_from_a_gpu_at_once(monkeypatch):
    weight, waits = nn.Parameter(torch.ones(())), []
    terms = {"total": weight * 2, "first": torch.tensor([3.0]), "second": weight.detach() * 4}
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor, plain=torch.Tensor.cpu: waits.append(1) or plain(tensor))
    assert checks.terms(terms) == {"total": 2, "first": 3, "second": 4}
    assert len(waits) == 1


def test_the_same_seed_gives_the_same_weights_and_history_bit_for_bit(images):
    first, second = denoising(), denoising()
    histories = [fit(model, images, seed=4) for model in (first, second)]
    assert equal(weights(first), weights(second))
    assert histories[0].train == histories[1].train


def test_another_seed_gives_other_weights(images):
    first, second = denoising(), denoising()
    fit(first, images, seed=4)
    fit(second, images, seed=5)
    assert not equal(weights(first), weights(second))


def test_the_global_random_state_neither_matters_nor_moves(images):
    first, second = denoising(), denoising()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    fit(first, images, validation=images)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    fit(second, images, validation=images)
    assert equal(weights(first), weights(second))


def test_training_on_the_cpu_does_not_seed_the_gpus(images, monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    model = Stub()
    fit(model, images, validation=images)
    training.mean_loss(model, images)
    assert seeded == []


def test_validation_does_not_change_the_weights_even_of_a_model_that_draws_noise(images):
    first, second = denoising(), denoising()
    without = fit(first, images)
    held_out = fit(second, images, validation=images[:10])
    assert equal(weights(first), weights(second))
    assert without.train == held_out.train


def test_each_epoch_sees_every_image_once_in_a_new_order():
    numbers = torch.arange(10.0).reshape(10, 1)
    model = Stub()
    fit(model, numbers, epochs=2, batch_size=4)
    assert [len(batch) for batch in model.batches] == [4, 4, 2, 4, 4, 2]
    first, second = torch.cat(model.batches[:3]).flatten(), torch.cat(model.batches[3:]).flatten()
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(10))
    assert first.tolist() != list(range(10))
    assert first.tolist() != second.tolist()


def test_fit_equals_adam_written_by_hand(images):
    model = models.LinearAutoencoder(3, image_shape=SHAPE, seed=2)
    by_hand = {name: value.double() for name, value in weights(model).items()}
    fit(model, images, epochs=4, batch_size=8, lr=0.01, seed=6)

    pixels = images.flatten(1).double()
    moments = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in by_hand.items()}
    generator, step = torch.Generator().manual_seed(6), 0
    for _ in range(4):
        order = torch.randperm(26, generator=generator)
        for chosen in (order[:8], order[8:16], order[16:24], order[24:]):
            step += 1
            x, count = pixels[chosen], len(chosen)
            code = x @ by_hand["encoder.weight"].T + by_hand["encoder.bias"]
            wrong = 2 * (code @ by_hand["decoder.weight"].T + by_hand["decoder.bias"] - x) / count
            back = wrong @ by_hand["decoder.weight"]
            gradients = {
                "encoder.weight": back.T @ x,
                "encoder.bias": back.sum(0),
                "decoder.weight": wrong.T @ code,
                "decoder.bias": wrong.sum(0),
            }
            for name, gradient in gradients.items():
                mean, square = moments[name]
                mean.mul_(0.9).add_(0.1 * gradient)
                square.mul_(0.95).add_(0.05 * gradient**2)
                corrected = mean / (1 - 0.9**step), square / (1 - 0.95**step)
                by_hand[name] = by_hand[name] - 0.01 * corrected[0] / (corrected[1].sqrt() + 1e-8)

    for name, value in weights(model).items():
        torch.testing.assert_close(value.double(), by_hand[name], rtol=1e-3, atol=1e-4)


def test_the_loss_of_an_epoch_weighs_a_short_last_batch_by_its_images():
    numbers = torch.tensor([0.0, 1.0, 2.0, 3.0, 40.0]).reshape(5, 1)
    history = fit(Stub(), numbers, epochs=3, batch_size=2, validation=numbers)
    assert history.train["total"] == pytest.approx([46 / 5] * 3)
    assert history.validation["total"] == pytest.approx([46 / 5] * 3)


def test_mean_loss_weighs_a_short_last_batch_by_its_images():
    numbers = torch.tensor([0.0, 1.0, 2.0, 3.0, 40.0]).reshape(5, 1)
    assert training.mean_loss(Stub(), numbers, batch_size=3) == {"total": pytest.approx(46 / 5)}


def test_the_history_has_every_term_once_per_epoch(images):
    history = fit(denoising(), images, epochs=4, validation=images[:5])
    assert len(history) == len(history.seconds) == 4
    assert list(history.train) == list(history.validation) == ["total", "reconstruction", "weight"]
    assert {len(values) for values in (*history.train.values(), *history.validation.values())} == {4}
    assert all(seconds > 0 for seconds in history.seconds)
    assert not history.interrupted


def test_without_validation_images_the_history_has_none(images):
    assert fit(Stub(), images).validation == {}


def test_the_total_in_the_history_is_the_sum_of_its_terms(images):
    train = fit(denoising(), images).train
    for total, error, size in zip(*train.values(), strict=True):
        assert total == pytest.approx(error + 0.01 * size, rel=1e-5)


def test_the_repr_of_a_history_says_how_it_ended(images):
    history = fit(Stub(), torch.full((4, 1), 0.25), epochs=2, validation=torch.full((4, 1), 0.5))
    assert repr(history) == "History of 2 epochs; last: total 0.25, validation total 0.5"
    assert repr(training.History()) == "History of 0 epochs; last: none finished"


def test_the_model_trains_in_training_mode_is_validated_in_evaluation_mode_and_ends_there():
    model = Stub()
    fit(model, torch.rand(6, 1), epochs=2, batch_size=3, validation=torch.rand(2, 1))
    assert model.modes == [True, True, False, True, True, False]
    assert not model.training


@pytest.mark.parametrize("mode", [True, False])
def test_mean_loss_leaves_the_model_in_the_mode_it_was_in(mode):
    model = Stub().train(mode)
    training.mean_loss(model, torch.rand(6, 1))
    assert model.modes == [False]
    assert model.training is mode


@pytest.mark.parametrize("mode", [True, False])
def test_mean_loss_leaves_the_mode_and_the_random_state_even_if_the_loss_raises(mode):
    def broken(images, call):
        raise RuntimeError("no loss today")

    model = Stub(broken).train(mode)
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="no loss today"):
        training.mean_loss(model, torch.ones(6, 1))
    assert model.training is mode
    assert torch.equal(torch.get_rng_state(), before)


def test_mean_loss_says_what_is_wrong_with_a_loss_or_its_settings(images):
    with pytest.raises(ValueError, match="got Tensor, expected loss to return"):
        training.mean_loss(Reader(lambda images, weight: images.mean()), images)
    with pytest.raises(ValueError, match="got batch_size=True, expected a whole number"):
        training.mean_loss(Stub(), images, batch_size=True)
    with pytest.raises(ValueError, match="got seed=None, expected a whole number"):
        training.mean_loss(Stub(), images, seed=None)


def test_mean_loss_measures_a_model_without_weights():
    class Constant(nn.Module):
        def loss(self, images):
            return {"total": images.mean()}

    assert training.mean_loss(Constant(), torch.ones(3, 2)) == {"total": 1.0}


def test_mean_loss_draws_the_models_noise_from_its_seed(images):
    model = denoising()
    first, again, other = (training.mean_loss(model, images, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first["reconstruction"] != other["reconstruction"]


def test_training_reduces_the_loss_on_images_it_never_saw(digits):
    model = models.DenseAutoencoder((784, 64, 8))
    before = training.mean_loss(model, digits.test_images)["total"]
    history = fit(model, digits.train_images, epochs=3, batch_size=64, validation=digits.test_images)
    after = training.mean_loss(model, digits.test_images)["total"]
    assert after < 0.6 * before
    assert history.validation["total"][-1] == pytest.approx(after, rel=1e-5)


def test_a_classifier_trained_on_images_and_labels_recognises_most_digits(digits):
    model = models.Classifier((784, 64, 10))
    fit(model, (digits.train_images, digits.train_labels), epochs=5, batch_size=64)
    accuracy = (model(digits.test_images).argmax(1) == digits.test_labels).float().mean().item()
    assert accuracy > 0.85


class Recorder(torch.optim.SGD):
    """An optimiser that remembers the learning rate of every step."""

    def __init__(self, parameters):
        super().__init__(parameters, lr=123.0)
        self.rates = []

    def step(self, closure=None):
        self.rates.append(self.param_groups[0]["lr"])
        return super().step(closure)


def _rates(lr, epochs, count, batch_size):
    made = []

    def recorder(parameters):
        made.append(Recorder(parameters))
        return made[-1]

    fit(Stub(), torch.rand(count, 1), epochs=epochs, batch_size=batch_size, lr=lr, optimizer=recorder)
    return made[0].rates


def test_a_constant_learning_rate_replaces_the_optimisers_own():
    assert _rates(0.25, 2, 5, 2) == [0.25] * 6


def test_a_learning_rate_function_is_followed_step_by_step():
    assert _rates(lambda progress: 10 + progress, 2, 5, 2) == pytest.approx([10 + step / 6 for step in range(6)])


def test_cosine_rises_to_its_peak_and_falls_to_zero():
    rate = training.cosine(2.0)
    assert [rate(progress) for progress in (0, 0.5, 1)] == pytest.approx([2, 1, 0])
    assert rate(0.25) == pytest.approx(1 + math.sqrt(0.5))
    warm = training.cosine(2.0, warmup=0.2)
    assert [warm(progress) for progress in (0, 0.1, 0.2, 0.6, 1)] == pytest.approx([0, 1, 2, 1, 0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((1e-3, 1.0), "got warmup=1.0, expected a share below 1"),
        ((1e-3, 2), "got warmup=2, expected a finite number"),
        ((1e-3, -1), "got warmup=-1"),
        ((-1e-3,), "got peak=-0.001, expected a finite number of at least 0"),
        ((math.nan,), "got peak=nan"),
        (("high",), "got peak='high'"),
    ],
)
def test_a_cosine_that_makes_no_learning_rate_is_an_error_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        training.cosine(*settings)


def test_the_default_optimiser_is_fused_adam_with_a_short_memory():
    optimizer = training.adam([nn.Parameter(torch.ones(1))])
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.defaults["betas"] == (0.9, 0.95)
    assert optimizer.defaults["fused"] is True


class Exploding(models.LinearAutoencoder):
    """Fails at one step: a term becomes what it must not be."""

    def __init__(self, bad, at, **settings):
        super().__init__(3, **settings)
        self.bad, self.at, self.calls, self.before = bad, at, 0, None

    def loss(self, images):
        self.calls += 1
        terms = super().loss(images)
        if self.calls == self.at:
            self.before = weights(self)
            penalty = self.encoder.weight.sum() * 0 + self.bad
            return {"total": terms["total"] + penalty, "reconstruction": terms["total"], "penalty": penalty}
        return {**terms, "penalty": terms["total"] * 0}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_with_epoch_step_and_the_guilty_term(images, bad):
    model = Exploding(bad, at=7, image_shape=SHAPE)  # 26 images in batches of 8 are 4 steps
    with pytest.raises(FloatingPointError, match=r"'penalty' became -?(nan|inf) in epoch 2, step 3"):
        fit(model, images)
    assert equal(weights(model), model.before)
    assert all(torch.isfinite(value).all() for value in weights(model).values())
    assert not model.training


class Normed(nn.Module):
    """A reader's model with a batch norm, whose loss becomes NaN at one step."""

    def __init__(self, at):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.BatchNorm1d(4), nn.Linear(4, 16))
        self.at, self.calls, self.before = at, 0, None

    def loss(self, images):
        self.calls += 1
        if self.calls == self.at:
            self.before = weights(self)
        bad = math.nan if self.calls == self.at else 1.0
        return {"total": (self.layers(images * bad) - images.flatten(1)).square().sum(1).mean()}


@pytest.mark.parametrize("at", [1, 2, 7])
def test_the_step_of_a_bad_loss_leaves_no_trace_in_a_batch_norm_either(images, at):
    model = Normed(at)
    with pytest.raises(FloatingPointError, match="'total' became nan"):
        fit(model, images)
    assert equal(weights(model), model.before)
    assert "layers.2.running_mean" in model.before


def test_a_bad_loss_before_the_first_step_is_not_blamed_on_the_learning_rate(images):
    with pytest.raises(FloatingPointError, match="in epoch 1, step 1; no step was taken yet, so look at the data"):
        fit(Exploding(math.nan, at=1, image_shape=SHAPE), images)
    with pytest.raises(FloatingPointError, match="in epoch 1, step 2; a smaller learning rate"):
        fit(Exploding(math.nan, at=2, image_shape=SHAPE), images)


def test_a_validation_loss_that_is_not_finite_stops_the_run_before_the_checkpoint_is_written(images, tmp_path):
    def terms(images, call):
        return {"total": images.mean() * (math.nan if call == 6 else 1), "other": images.mean()}

    model, file = Stub(terms), tmp_path / "run.pt"  # in each epoch 2 steps, then the validation
    with pytest.raises(FloatingPointError, match="after epoch 2 the validation loss term 'total' became nan"):
        fit(model, images, batch_size=13, validation=images[:5], checkpoint=file)
    assert len(checkpoint.read(file)["history"]["seconds"]) == 1
    assert not model.training


def interrupted(at):
    """A denoising model that presses Ctrl-C when its loss is asked for the `at`-th time."""
    model, calls = denoising(), itertools.count(1)
    plain_loss = model.loss

    def loss(images):
        if next(calls) == at:
            raise KeyboardInterrupt
        return plain_loss(images)

    model.loss = loss
    return model


def test_weights_that_are_not_finite_after_the_last_step_stop_the_run_and_spare_the_checkpoint(images, tmp_path):
    def poisoned(parameters):
        return Poison(parameters, lr=0.1)

    file = tmp_path / "run.pt"
    with pytest.raises(FloatingPointError, match=r"'encoder.weight' became NaN .* epoch 2"):
        fit(denoising(), images, optimizer=poisoned, epochs=3, batch_size=26, checkpoint=file)
    assert all(weight.isfinite().all() for weight in checkpoint.read(file)["weights"].values())


class Poison(torch.optim.SGD):
    """An optimiser whose second step writes NaN."""

    steps = 0

    def step(self, closure=None):
        super().step(closure)
        self.steps += 1
        if self.steps == 2:
            self.param_groups[0]["params"][0].data[0, 0] = math.nan


def test_ctrl_c_returns_the_finished_epochs_a_warning_and_a_usable_model(images):
    unbroken = fit(denoising(), images, epochs=2)
    model = interrupted(at=11)  # step 3 of epoch 3
    with pytest.warns(UserWarning, match=r"Ctrl-C in epoch 3 of 5") as caught:
        history = fit(model, images, epochs=5)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert history.interrupted
    assert len(history) == 2
    assert history.train == unbroken.train
    assert not model.training
    assert model(images).shape == images.shape


def test_ctrl_c_in_the_first_epoch_returns_an_empty_history(images):
    with pytest.warns(UserWarning, match="Ctrl-C in epoch 1 of 3"):
        history = fit(interrupted(at=1), images)
    assert history.interrupted
    assert len(history) == 0
    assert history.train == {}


def test_ctrl_c_in_the_validation_returns_the_finished_epochs(images):
    model = interrupted(at=10)  # the validation of epoch 2, after 2 · 4 steps and the validation of epoch 1
    with pytest.warns(UserWarning, match="Ctrl-C in epoch 2 of 3"):
        history = fit(model, images, validation=images[:7])
    assert len(history) == len(history.validation["total"]) == len(history.train["total"]) == 1
    assert not model.training


@pytest.mark.parametrize("place", ["torch.save", "os.fsync", "os.replace"])
@pytest.mark.parametrize("epoch", [1, 2, 5])
def test_ctrl_c_while_a_checkpoint_is_written_leaves_the_last_good_one(images, tmp_path, monkeypatch, place, epoch):
    unbroken, file, calls = denoising(), tmp_path / "run.pt", itertools.count(1)
    resumed = denoising() if epoch == 1 else denoising(seed=77)  # without a file it begins anew
    fit(unbroken, images, epochs=5)
    module, name = {"torch": torch, "os": os}[place.split(".")[0]], place.split(".")[1]
    plain = getattr(module, name)

    def pressed(*arguments):
        if next(calls) == epoch:
            raise KeyboardInterrupt
        return plain(*arguments)

    monkeypatch.setattr(module, name, pressed)
    with pytest.warns(UserWarning, match=f"Ctrl-C in epoch {epoch} of 5"):
        history = fit(denoising(), images, epochs=5, checkpoint=file)
    assert history.interrupted
    assert os.listdir(tmp_path) == (["run.pt"] if epoch > 1 else [])
    assert epoch == 1 or len(checkpoint.read(file)["history"]["seconds"]) == epoch - 1
    fit(resumed, images, epochs=5, checkpoint=file, resume=True)
    assert equal(weights(resumed), weights(unbroken))


def test_ctrl_c_leaves_the_global_random_state_alone(images):
    torch.manual_seed(9)
    before = torch.get_rng_state()
    with pytest.warns(UserWarning, match="Ctrl-C"):
        fit(interrupted(at=6), images)
    assert torch.equal(torch.get_rng_state(), before)


def falling(progress):
    return 0.02 * (1 - progress)


@pytest.mark.parametrize("lr", [0.01, falling, training.cosine(0.02, 0.1)], ids=["constant", "falling", "cosine"])
def test_an_interrupted_run_that_goes_on_ends_bit_for_bit_where_an_unbroken_one_does(images, tmp_path, lr):
    settings = {"epochs": 5, "lr": lr, "validation": images[:7]}
    unbroken = denoising()
    whole = fit(unbroken, images, **settings)

    file = tmp_path / "run.pt"
    broken = interrupted(at=2 * (4 + 1) + 3)  # step 3 of epoch 3, after 2 epochs and their validation
    with pytest.warns(UserWarning, match="Ctrl-C in epoch 3 of 5"):
        fit(broken, images, checkpoint=file, **settings)
    resumed = denoising(seed=77)
    torch.manual_seed(1234)
    history = fit(resumed, images, checkpoint=file, resume=True, **settings)

    assert equal(weights(resumed), weights(unbroken))
    assert history.train == whole.train
    assert history.validation == whole.validation
    assert len(history) == 5
    assert not history.interrupted


def test_a_run_with_a_constant_rate_can_be_made_longer(images, tmp_path):
    unbroken, model = denoising(), denoising()
    fit(unbroken, images, epochs=5)
    fit(model, images, epochs=2, checkpoint=tmp_path / "run.pt")
    resumed = denoising(seed=77)
    history = fit(resumed, images, epochs=5, checkpoint=tmp_path / "run.pt", resume=True)
    assert equal(weights(resumed), weights(unbroken))
    assert len(history) == 5


def test_a_finished_run_is_brought_back_without_another_step(images, tmp_path):
    file = tmp_path / "run.pt"
    model, again = denoising(), denoising(seed=77)
    history = fit(model, images, checkpoint=file)
    before = file.read_bytes()
    assert fit(again, images, checkpoint=file, resume=True).train == history.train
    assert equal(weights(model), weights(again))
    assert file.read_bytes() == before


def test_resume_with_no_file_yet_begins_anew_and_writes_one(images, tmp_path):
    plain, model = denoising(), denoising()
    fit(plain, images)
    fit(model, images, checkpoint=tmp_path / "new" / "run.pt", resume=True)
    assert equal(weights(plain), weights(model))
    assert equal(weights(checkpoint.load(denoising(seed=77), tmp_path / "new" / "run.pt")), weights(model))


def test_a_checkpoint_does_not_change_the_weights(images, tmp_path):
    plain, model = denoising(), denoising()
    fit(plain, images)
    fit(model, images, checkpoint=tmp_path / "run.pt")
    assert equal(weights(plain), weights(model))


def test_a_rate_that_is_a_numpy_number_can_be_resumed(images, tmp_path):
    def rate(progress):
        return np.interp(progress, [0, 1], [0.02, 0.0])

    unbroken, model = denoising(), denoising(seed=77)
    fit(unbroken, images, lr=rate)
    broken = interrupted(at=6)
    with pytest.warns(UserWarning, match="Ctrl-C"):
        fit(broken, images, lr=rate, checkpoint=tmp_path / "run.pt")
    fit(model, images, lr=rate, checkpoint=tmp_path / "run.pt", resume=True)
    assert equal(weights(model), weights(unbroken))


def test_more_epochs_than_asked_for_are_refused(images, tmp_path):
    file, model = tmp_path / "run.pt", denoising(seed=77)
    fit(denoising(), images, epochs=4, checkpoint=file)
    before, untouched = file.read_bytes(), weights(model)
    with pytest.raises(ValueError, match=r"run\.pt holds 4 epochs already, got epochs=2; pass epochs=4 or more"):
        fit(model, images, epochs=2, checkpoint=file, resume=True)
    assert file.read_bytes() == before
    assert equal(weights(model), untouched)


@pytest.mark.parametrize(
    ("named", "change"),
    [
        ("number of threads was 7, is now", {"number of threads": 7}),
        ("torch was 1.0, is now", {"torch": "1.0"}),
        ("device was cuda, a GPU, is now cpu", {"device": "cuda, a GPU"}),
        ("Python was 2.7, is now", {"Python": "2.7"}),
    ],
)
def test_a_run_from_elsewhere_goes_on_with_a_warning(images, tmp_path, monkeypatch, named, change):
    here = checkpoint._machine
    monkeypatch.setattr(checkpoint, "_machine", lambda device: here(device) | change)
    fit(denoising(), images, epochs=2, checkpoint=tmp_path / "run.pt")
    monkeypatch.undo()
    with pytest.warns(UserWarning, match=f"comes from elsewhere: {named}.*will not be, to the last bit") as caught:
        fit(denoising(), images, epochs=3, checkpoint=tmp_path / "run.pt", resume=True)
    assert [each.filename for each in caught] == [__file__]


def test_a_finished_run_from_elsewhere_is_brought_back_without_a_warning(images, tmp_path, monkeypatch):
    here = checkpoint._machine
    monkeypatch.setattr(checkpoint, "_machine", lambda device: here(device) | {"torch": "1.0"})
    fit(denoising(), images, checkpoint=tmp_path / "run.pt")
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(denoising(), images, checkpoint=tmp_path / "run.pt", resume=True)


def test_another_python_which_makes_other_code_of_the_same_source_does_not_make_it_another_run(
    images, tmp_path, monkeypatch
):
    here, own = checkpoint._machine, checkpoint._code
    monkeypatch.setattr(checkpoint, "_machine", lambda device: here(device) | {"Python": "2.7"})
    monkeypatch.setattr(checkpoint, "_code", lambda *arguments: [b"other code", *own(*arguments)])
    fit(denoising(), images, epochs=2, checkpoint=tmp_path / "run.pt")
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="Python was 2.7"):
        fit(denoising(), images, epochs=3, checkpoint=tmp_path / "run.pt", resume=True)


class Other(Denoising):
    pass


def other_images(images):
    changed = images.clone()
    changed[3, 0, 1, 1] = 1 - changed[3, 0, 1, 1]
    return changed


def slow_adam(parameters):
    return torch.optim.Adam(parameters, betas=(0.5, 0.5), fused=True)


def _dense(**settings):
    return models.DenseAutoencoder((16, 3), image_shape=SHAPE, **settings)


@pytest.mark.parametrize(
    ("named", "change"),
    [
        ("batch_size was 8, is now 7", {"batch_size": 7}),
        ("seed was 0, is now 1", {"seed": 1}),
        ("lr was", {"lr": 0.5}),
        ("epochs was", {"lr": training.cosine(1e-3)}),
        ("optimizer was .*Adam.*, is now .*SGD", {"optimizer": torch.optim.SGD}),
        ("optimizer was", {"optimizer": slow_adam}),
        ("images was", {"images": other_images}),
        ("images was", {"images": lambda images: images[:-1]}),
        ("images was", {"images": lambda images: images.flip(0)}),
        ("validation was None", {"validation": torch.zeros(2, *SHAPE)}),
        ("model was Denoising, is now Other", {"model": lambda: Other(3, image_shape=SHAPE)}),
        (r"(latent_dim|coder\.weight)", {"model": lambda: Denoising(2, image_shape=SHAPE)}),
    ],
    ids=[
        "batch size", "seed", "rate", "schedule", "optimiser", "optimiser's settings", "one pixel", "one image less",
        "order of images", "validation", "model", "width",
    ],
)  # fmt: skip
def test_a_checkpoint_of_another_run_is_refused_with_the_setting_named(images, tmp_path, named, change):
    file = tmp_path / "run.pt"
    fit(denoising(), images, checkpoint=file, epochs=2)
    before = file.read_bytes()
    change = {**change, "images": change.get("images", lambda images: images)(images)}
    model = change.pop("model", denoising)()
    untouched = weights(model)
    with pytest.raises(ValueError, match=named):
        fit(model, change.pop("images"), checkpoint=file, resume=True, **change)
    assert file.read_bytes() == before
    assert equal(weights(model), untouched)


@dataclass
class Damage:
    """A reader's own way to damage images, with a setting."""

    share: float

    def __call__(self, images):
        return images * self.share


def _noisy(corruption, **settings):
    return models.DenoisingAutoencoder((16, 3), corruption=corruption, image_shape=SHAPE, **settings)


def _notebook_class(line="total = error", shared="", base="DenoisingAutoencoder"):
    """A model as a cell of a notebook defines it; the same cell with another line makes a class of the same name."""
    cell = (
        "def pixels(images): return images.flatten(1)\n"
        f"class Mine(models.{base}):\n"
        f"    {shared or 'pass'}\n"
        "    def loss(self, images):\n"
        "        error = self.error(self.decoder(self.encoder(pixels(images))), images)\n"
        f"        {line}\n"
        "        return {'total': total}\n"
    )
    space = {"__name__": "__main__", "models": models, "torch": torch}
    exec(cell, space)
    return space["Mine"]


def _mine(*arguments, **settings):
    return _notebook_class(*arguments, **settings)((16, 5, 3), image_shape=SHAPE)


def _with(**attributes):
    model = denoising()
    vars(model).update(attributes)
    return model


class Layer(nn.Module):
    """A layer of a reader's own, with a setting."""

    def __init__(self, slope):
        super().__init__()
        self.slope = slope

    def forward(self, x):
        return torch.where(x > 0, x, self.slope * x)


@pytest.mark.parametrize(
    ("named", "before", "after"),
    [
        (
            r"encoder\.2 was ReLU, is now Tanh",
            lambda: models.DenseAutoencoder((16, 5, 3), image_shape=SHAPE),
            lambda: models.DenseAutoencoder((16, 5, 3), image_shape=SHAPE, activation=nn.Tanh),
        ),
        (
            r"encoder\.2\.slope was 0\.1, is now 0\.2",
            lambda: models.DenseAutoencoder((16, 5, 3), image_shape=SHAPE, activation=lambda: Layer(0.1)),
            lambda: models.DenseAutoencoder((16, 5, 3), image_shape=SHAPE, activation=lambda: Layer(0.2)),
        ),
        (
            "corruption was .*'GaussianNoise', 'sigma': 0.5.*, is now .*'Masking', 'share': 0.9",
            lambda: _noisy(models.GaussianNoise(0.5)),
            lambda: _noisy(models.Masking(0.9)),
        ),
        (
            "corruption was .*'sigma': 0.5.*, is now .*'sigma': 0.4",
            lambda: _noisy(models.GaussianNoise(0.5)),
            lambda: _noisy(models.GaussianNoise(0.4)),
        ),
        ("corruption was .*0.5.*, is now .*0.4", lambda: _noisy(Damage(0.5)), lambda: _noisy(Damage(0.4))),
        (
            "the code of its loss was of checksum .*, is now of checksum",
            lambda: _noisy(lambda images: images * 0.5),
            lambda: _noisy(lambda images: images * 0.4),
        ),
        (
            "corruption was .*0.5.*, is now .*0.4",
            lambda: _noisy(_scaled(0.5)),
            lambda: _noisy(_scaled(0.4)),
        ),
        ("the code of its loss was", lambda: _mine(), lambda: _mine("total = 5 * error")),
        ("the code of its loss was", lambda: _mine(), lambda: _mine("total = error + self.encoder[0].bias.sum()")),
        (
            "the code of its loss was",
            lambda: _mine("total = getattr(error, 'sqrt')()"),
            lambda: _mine("total = getattr(error, 'square')()"),
        ),
        (
            "the code of its loss was",
            lambda: _mine("total = self.weigh(error)", "def weigh(self, x): return x"),
            lambda: _mine("total = self.weigh(error)", "def weigh(self, x): return 2 * x"),
        ),
        (
            "strength was 1.0, is now 2.0",
            lambda: _mine("total = self.strength * error", "strength = 1.0"),
            lambda: _mine("total = self.strength * error", "strength = 2.0"),
        ),
        ("weights was {'kl': 1}, is now {'kl': 2}", lambda: _with(weights={"kl": 1}), lambda: _with(weights={"kl": 2})),
        ("options was", lambda: _with(options=[Damage(1.0)]), lambda: _with(options=[Damage(2.0)])),
        ("mask was", lambda: _with(mask=torch.zeros(3)), lambda: _with(mask=torch.ones(3))),
        ("mask was", lambda: _with(mask=np.zeros(3)), lambda: _with(mask=np.ones(3))),
        ("names was", lambda: _with(names={"a", "b"}), lambda: _with(names={"a", "c"})),
        ("layers was None, is now 2", lambda: _with(layers=None), lambda: _with(layers=2)),
        ("the model was Denoising, is now Other", denoising, lambda: Other(3, image_shape=SHAPE)),
    ],
    ids=[
        "activation", "setting of a layer", "another corruption", "its strength", "a reader's own",
        "a lambda", "what a function has bound", "a factor in a notebook's loss", "a term in a notebook's loss",
        "a word in a notebook's loss",
        "a method that the loss calls", "attribute of a class", "dict", "list of objects", "tensor", "array", "set",
        "none", "class",
    ],
)  # fmt: skip
def test_a_checkpoint_of_another_model_is_refused_and_the_same_one_accepted(images, tmp_path, named, before, after):
    file, model = tmp_path / "run.pt", after()
    fit(before(), images, epochs=1, checkpoint=file)
    untouched, good = weights(model), file.read_bytes()
    with pytest.raises(ValueError, match=f"belongs to another run: .*{named}"):
        fit(model, images, epochs=2, checkpoint=file, resume=True)
    assert equal(weights(model), untouched)
    assert file.read_bytes() == good
    assert len(fit(before(), images, epochs=2, checkpoint=file, resume=True)) == 2


def _scaled(factor):
    return lambda images: images * factor


def test_a_comment_a_docstring_or_an_unrelated_method_makes_no_other_run(images, tmp_path):
    fit(_mine(), images, epochs=1, checkpoint=tmp_path / "run.pt")
    same = _mine("total = error  # what is minimised", 'def draw(self):\n        """Return a figure."""')
    assert len(fit(same, images, epochs=2, checkpoint=tmp_path / "run.pt", resume=True)) == 2


def test_a_function_that_the_loss_of_a_notebook_calls_belongs_to_it(images, tmp_path):
    first, second = _notebook_class(), _notebook_class()
    exec("def pixels(images): return 0.5 * images.flatten(1)", second.loss.__globals__)
    fit(first((16, 3), image_shape=SHAPE), images, epochs=1, checkpoint=tmp_path / "run.pt")
    with pytest.raises(ValueError, match="the code of its loss was"):
        fit(second((16, 3), image_shape=SHAPE), images, epochs=2, checkpoint=tmp_path / "run.pt", resume=True)


def test_a_model_that_counts_its_steps_can_be_resumed(images, tmp_path):
    def counting():
        return Stub(lambda images, call: {"total": images.mean()})  # .calls, .modes and .batches grow

    fit(counting(), images, epochs=1, checkpoint=tmp_path / "run.pt")
    assert len(fit(counting(), images, epochs=2, checkpoint=tmp_path / "run.pt", resume=True)) == 2


def test_a_checkpoint_of_an_older_version_is_refused_with_both_formats(images, tmp_path):
    file = tmp_path / "run.pt"
    fit(denoising(), images, epochs=1, checkpoint=file)
    content = torch.load(file)
    torch.save(content | {"format": "aecourse 1"}, file)
    with pytest.raises(ValueError, match=r"this version of the package \(its format is 'aecourse 1', expected"):
        fit(denoising(), images, checkpoint=file, resume=True)


def test_other_epochs_are_refused_where_the_schedule_depends_on_them(images, tmp_path):
    fit(denoising(), images, checkpoint=tmp_path / "run.pt", epochs=2, lr=falling)
    with pytest.raises(ValueError, match="epochs was 2, is now 3"):
        fit(denoising(), images, checkpoint=tmp_path / "run.pt", epochs=3, lr=falling, resume=True)


def test_a_checkpoint_of_the_same_layers_with_another_loss_is_refused(images, tmp_path):
    fit(_dense(reconstruction="cross_entropy"), images, checkpoint=tmp_path / "run.pt", epochs=2)
    with pytest.raises(ValueError, match="squared_error"):
        fit(_dense(reconstruction="squared_error"), images, checkpoint=tmp_path / "run.pt", resume=True)


def test_other_labels_are_refused_as_other_images_are(digits, tmp_path):
    few, labels = digits.train_images[:40], digits.train_labels[:40]
    fit(models.Classifier((784, 4, 10)), (few, labels), checkpoint=tmp_path / "run.pt", epochs=1)
    with pytest.raises(ValueError, match="images was"):
        fit(models.Classifier((784, 4, 10)), (few, 9 - labels), checkpoint=tmp_path / "run.pt", epochs=2, resume=True)


def test_a_checkpoint_that_is_there_is_never_overwritten_unasked(images, tmp_path):
    file = tmp_path / "run.pt"
    fit(denoising(), images, checkpoint=file)
    before, model = file.read_bytes(), denoising(seed=77)
    untouched = weights(model)
    with pytest.raises(FileExistsError, match=r"run\.pt exists; pass resume=True"):
        fit(model, images, checkpoint=file)
    assert file.read_bytes() == before
    assert equal(weights(model), untouched)


def test_resume_without_a_file_to_go_on_from_is_an_error(images):
    with pytest.raises(ValueError, match="pass checkpoint=path"):
        fit(denoising(), images, resume=True)


def test_a_file_of_weights_alone_is_no_run_to_go_on_from(images, tmp_path):
    checkpoint.save(denoising(), tmp_path / "weights.pt")
    before = (tmp_path / "weights.pt").read_bytes()
    with pytest.raises(ValueError, match="holds weights only"):
        fit(denoising(), images, checkpoint=tmp_path / "weights.pt", resume=True)
    assert (tmp_path / "weights.pt").read_bytes() == before


class Malicious:
    """Makes a file as soon as somebody unpickles it."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def _truncated(good, trap):
    return good[: len(good) * 2 // 3]


def _bit_flipped(good, trap):
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/data/0"))  # the first stored tensor
        place = good.index(archive.read(name)) + 5
    return good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]


def _plain_save(good, trap):
    file = io.BytesIO()
    torch.save({"weights": denoising().state_dict()}, file)
    return file.getvalue()


def _malicious_save(good, trap):
    file = io.BytesIO()
    torch.save({"format": "aecourse 1", "kind": "checkpoint", "settings": Malicious(trap)}, file)
    return file.getvalue()


DAMAGE = {
    "empty": lambda good, trap: b"",
    "truncated": _truncated,
    "bit-flipped": _bit_flipped,
    "text": lambda good, trap: b"These are my notes.\n",
    "plain torch.save": _plain_save,
    "malicious pickle": lambda good, trap: pickle.dumps(Malicious(trap)),
    "malicious torch.save": _malicious_save,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_or_foreign_file_is_refused_left_as_it_is_and_never_run(images, tmp_path, damage):
    file, trap = tmp_path / "run.pt", tmp_path / "trap"
    fit(denoising(), images, checkpoint=file, epochs=2)
    content = DAMAGE[damage](file.read_bytes(), trap)
    file.write_bytes(content)
    model = denoising(seed=77)
    untouched = weights(model)
    with pytest.raises(ValueError, match=r"run\.pt (is damaged|was not written by)"):
        fit(model, images, checkpoint=file, resume=True)
    assert file.read_bytes() == content
    assert not trap.exists()
    assert os.listdir(tmp_path) == ["run.pt"]
    assert equal(weights(model), untouched)


def test_the_trap_of_these_tests_would_spring_if_it_were_unpickled(tmp_path):
    pickle.loads(pickle.dumps(Malicious(tmp_path / "trap")))
    assert (tmp_path / "trap").exists()


def test_a_write_that_fails_midway_leaves_the_last_good_checkpoint_and_no_rubbish(images, tmp_path, monkeypatch):
    file = tmp_path / "run.pt"
    whole_save, kept = torch.save, []

    def failing(content, target):
        if len(content["history"]["seconds"]) < 3:
            return whole_save(content, target)
        kept.append(file.read_bytes())
        target.write(b"half a checkp")
        raise OSError("no space left on device")

    unbroken, model, resumed = denoising(), denoising(), denoising(seed=77)
    fit(unbroken, images, epochs=5)
    monkeypatch.setattr(torch, "save", failing)
    with pytest.raises(OSError, match="no space left"):
        fit(model, images, checkpoint=file, epochs=5)
    assert file.read_bytes() == kept[0]
    assert os.listdir(tmp_path) == ["run.pt"]

    monkeypatch.setattr(torch, "save", whole_save)
    fit(resumed, images, checkpoint=file, epochs=5, resume=True)
    assert equal(weights(resumed), weights(unbroken))


def test_a_person_at_a_terminal_sees_how_many_steps_are_done(images, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    fit(denoising(), images)
    assert "/12" in sys.stderr.getvalue()  # 3 epochs of 4 steps


def test_nothing_is_printed_where_nobody_watches(images, monkeypatch, capfd):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    fit(denoising(), images, validation=images)
    assert capfd.readouterr() == ("", "")


NAN = torch.full((3, *SHAPE), math.nan)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs=0, expected a whole number of at least 1"),
        ({"epochs": 2.5}, "epochs=2.5"),
        ({"epochs": True}, "epochs=True"),
        ({"batch_size": 0}, "batch_size=0, expected a whole number of at least 1"),
        ({"batch_size": -8}, "batch_size=-8"),
        ({"batch_size": 8.0}, "batch_size=8.0"),
        ({"seed": -1}, "seed=-1, expected a whole number of at least 0"),
        ({"seed": None}, "seed=None"),
        ({"seed": 2**70}, "seed=1180591620717411303424, expected a whole number"),
        ({"lr": -1e-3}, "lr=-0.001, expected a finite number of at least 0, or a function"),
        ({"lr": math.nan}, "lr=nan"),
        ({"lr": None}, "lr=None, expected a finite number"),
        ({"lr": "abc"}, "lr='abc', expected a finite number of at least 0, or a function from progress"),
        ({"lr": True}, "lr=True"),
        ({"lr": lambda progress: 1 / (1 - progress) if progress < 1 else math.inf}, r"lr\(1.00\)=inf"),
        ({"lr": lambda progress: None}, r"lr\(0.00\)=None, expected a finite number"),
        ({"lr": lambda progress: torch.ones(2)}, r"lr\(0.00\)=tensor"),
        ({"lr": lambda: 1e-3}, r"which fails at progress 0.00 \(.*\), expected a function from progress"),
        ({"optimizer": "adam"}, "optimizer='adam', expected a function from parameters to an optimiser"),
        ({"optimizer": lambda parameters: None}, "expected a function from parameters to an optimiser"),
        ({"device": "gpu"}, "device='gpu', expected 'auto', 'cpu' or 'cuda'"),
        ({"device": None}, "device=None, expected 'auto', 'cpu' or 'cuda'"),
        ({"device": "meta"}, "device='meta', .*the seed would not reach"),
        ({"device": "mps"}, "device='mps', .*the seed would not reach"),
        ({"device": "xpu"}, "device='xpu', .*the seed would not reach"),
        ({"device": "cuda:99"}, "device='cuda:99', but torch finds . CUDA devices here; use device='auto'"),
        ({"validation": NAN}, "NaN pixels in 3 of 3 images"),
        ({"validation": torch.zeros(0, *SHAPE)}, "got no images"),
    ],
)
def test_bad_settings_are_an_error_before_any_step(images, settings, message):
    model = denoising()
    untouched = weights(model)
    with pytest.raises(ValueError, match=message):
        fit(model, images, **settings)
    assert equal(weights(model), untouched)


def test_numbers_of_numpy_are_numbers(images):
    plain, other = denoising(), denoising()
    fit(plain, images, epochs=2, batch_size=8, seed=3, lr=0.25)
    settings = {"epochs": np.int64(2), "batch_size": np.int32(8), "seed": np.int64(3)}
    history = fit(other, images, **settings, lr=lambda progress: np.float32(0.25), validation=images)
    assert equal(weights(plain), weights(other))
    assert len(history) == 2


@dataclass
class DataSet:
    train_images: torch.Tensor


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(0, *SHAPE), "got no images"),
        (NAN, "NaN pixels in 3 of 3 images"),
        (torch.full((3, *SHAPE), 255.0), "divide by 255"),
        (torch.zeros(3, *SHAPE, dtype=torch.uint8), "dtype torch.uint8"),
        (torch.zeros(3, 16), r"shape \(3, 16\)"),
        (torch.zeros(()), "got a single number as the images"),
        ((), "got an empty tuple"),
        ([], "got an empty tuple"),
        ((torch.zeros(3, *SHAPE), torch.zeros(4)), "got 3 images but 4 rows beside them"),
        ((torch.zeros(3, *SHAPE), np.zeros(3)), "got ndarray beside the images, expected a tensor; use torch.as_ten"),
        ((np.zeros((3, *SHAPE)), torch.zeros(3)), "got ndarray as the images, expected a tensor; use torch.as_tensor"),
        (np.zeros((3, *SHAPE)), r"got ndarray, expected one tensor of all images, .*; use torch.as_tensor"),
        ((torch.zeros(3, *SHAPE), torch.tensor(1)), "got a single number beside the images"),
        ((torch.zeros(3, *SHAPE), torch.zeros(3)), "got 2 tensors, expected images alone"),
        ([torch.zeros(SHAPE)] * 3, "got 3 tensors, expected images alone"),
        (DataLoader(TensorDataset(torch.zeros(3, *SHAPE))), r"got DataLoader, expected one tensor .*torch\.stack"),
        (TensorDataset(torch.zeros(3, *SHAPE)), r"got TensorDataset, expected one tensor of all images.*torch\.stack"),
        (DataSet(torch.zeros(3, *SHAPE)), "got a whole DataSet, expected one tensor .*; use its train_images"),
        (None, "got NoneType, expected one tensor of all images"),
        ("mnist", "got str, expected one tensor of all images"),
    ],
    ids=[
        "empty", "NaN", "0 to 255", "uint8", "flattened", "a number", "empty tuple", "empty list", "labels too many",
        "labels no tensor", "images no tensor", "array", "one label", "labels that no loss takes", "list of images",
        "DataLoader", "torch's data set", "our data set", "none", "name",
    ],
)  # fmt: skip
def test_bad_images_are_an_error_before_any_step(bad, message):
    model = denoising()
    untouched = weights(model)
    with pytest.raises(ValueError, match=message):
        fit(model, bad)
    with pytest.raises(ValueError, match=message):
        training.mean_loss(model, bad)
    assert equal(weights(model), untouched)


# A reader's own model


class Reader(nn.Module):
    """A plain module, without anything of this package, whose loss is a function of a batch and its weights."""

    def __init__(self, loss=lambda images, weight: {"total": (weight - images.flatten(1)).square().sum(1).mean()}):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(16))
        self.own = loss

    def loss(self, images):
        return self.own(images, self.weight)


def test_a_plain_module_with_a_loss_can_be_trained(images):
    model = Reader()
    history = fit(model, images, epochs=300, lr=training.cosine(0.05))
    torch.testing.assert_close(model.weight.data, images.flatten(1).mean(0), atol=0.05, rtol=0)
    assert history.train["total"][-1] < history.train["total"][0]


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda images, weight: (weight - 1).sum(), 'got Tensor, expected loss to return {"total": …, …}'),
        (lambda images, weight: (weight.sum(), 1), "got tuple, expected loss to return"),
        (lambda images, weight: None, "got NoneType, expected loss to return"),
        (lambda images, weight: {"error": weight.sum()}, r"got the terms \['error'\], .*add \"total\""),
        (lambda images, weight: {"total": weight.sum().item()}, r"got float as 'total', .*leave out \.item\(\)"),
        (lambda images, weight: {"total": weight.sum(), "kl": 0}, "got int as 'kl'"),
        (lambda images, weight: {"total": images.flatten(1) @ weight}, r"got the shape \(8,\) as 'total', .*\.mean"),
        (lambda images, weight: {"total": weight.sum(), "kl": weight}, r"got the shape \(16,\) as 'kl'"),
        (lambda images, weight: {"total": weight.sum().detach()}, 'a "total" through which no gradient flows'),
        (lambda images, weight: {"total": images.mean()}, 'a "total" through which no gradient flows'),
    ],
    ids=[
        "tensor", "tuple", "nothing", "no total", "float", "int beside it", "term per image", "weights beside it",
        "detached", "without weights",
    ],
)  # fmt: skip
def test_a_loss_that_returns_something_else_is_an_error_at_the_first_step(images, loss, message):
    model = Reader(loss)
    untouched = weights(model)
    with pytest.raises(ValueError, match=message):
        fit(model, images)
    assert equal(weights(model), untouched)
    assert not model.training


def test_terms_beside_the_total_may_be_detached_and_of_another_type(images):
    def loss(images, weight):
        total = (weight - 1).square().sum()
        return {"total": total, "double": total.detach().double() / 3, "count": torch.tensor(5), "one": torch.ones(1)}

    train = fit(Reader(loss), images, epochs=1, batch_size=26).train
    assert {name: value for name, (value,) in train.items()} == {
        "total": 16, "double": 16 / 3, "count": 5, "one": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (models.VAE, r"got the class VAE, expected a model, .*; make one first: VAE\(…\)"),
        (torch.zeros(3, *SHAPE), "got Tensor, expected a model"),
        (nn.Linear(16, 16), r"got a Linear without loss, expected a model, an nn.Module with loss\(…\); define loss"),
        (type("Forgotten", (models.Autoencoder,), {})(), "got a Forgotten without loss, .*define loss"),
    ],
    ids=["class", "tensor", "no loss", "an autoencoder without one"],
)
def test_what_is_no_model_with_a_loss_is_an_error(images, model, message):
    with pytest.raises(ValueError, match=message):
        fit(model, images)
    with pytest.raises(ValueError, match=message):
        training.mean_loss(model, images)


def test_a_model_with_nothing_to_train_is_an_error(images):
    frozen, empty = denoising().requires_grad_(False), Reader()
    del empty.weight
    with pytest.raises(ValueError, match=r"got a Denoising all 4 of whose weights are frozen, .*requires_grad_"):
        fit(frozen, images)
    with pytest.raises(ValueError, match="got a Reader without any weights"):
        fit(empty, images)


def test_frozen_weights_stay_and_the_others_are_trained(images):
    model = denoising()
    model.decoder.requires_grad_(False)
    before = weights(model)
    fit(model, images)
    moved = {name for name, value in weights(model).items() if not torch.equal(value, before[name])}
    assert moved == {"encoder.weight", "encoder.bias"}


def test_weights_that_have_two_names_are_trained_saved_and_resumed_as_one(images, tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.down = nn.Linear(3, 16, bias=False), nn.Linear(3, 16, bias=False)
            self.down.weight = self.up.weight

        def loss(self, images):
            pixels = images.flatten(1)
            return {"total": (self.up(pixels @ self.down.weight) - pixels).square().sum(1).mean()}

    torch.manual_seed(0)
    unbroken, broken, resumed = Tied(), Tied(), Tied()
    broken.load_state_dict(unbroken.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(unbroken, images, epochs=4)
        fit(broken, images, epochs=2, checkpoint=tmp_path / "run.pt")
        fit(resumed, images, epochs=4, checkpoint=tmp_path / "run.pt", resume=True)
    assert resumed.up.weight is resumed.down.weight
    assert equal(weights(resumed), weights(unbroken))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            (torch.zeros(4, 3), torch.zeros(4, 3)),
            r"got 2 tensors, but this model has loss\(images\); pass one for each",
        ),
        (torch.full((4, 3), math.nan), "got NaN or infinity in tensor 1 of 1, expected finite numbers"),
        (torch.full((4, 3), math.inf), "got NaN or infinity in tensor 1 of 1"),
        (torch.zeros(4, 0), "got no images"),
        ([torch.zeros(3)] * 5, r"got 5 tensors, but .*torch\.stack makes one tensor of a list of images"),
    ],
    ids=["labels that no loss takes", "NaN", "infinity", "no pixels", "list of images"],
)
def test_of_a_model_without_a_check_the_tensors_are_checked(data, message):
    with pytest.raises(ValueError, match=message):
        fit(Reader(), data)


def test_nan_among_the_targets_of_a_readers_model_is_not_blamed_on_the_learning_rate(images):
    class Targets(Reader):
        def loss(self, images, targets):
            return super().loss(images)

    with pytest.raises(ValueError, match="got NaN or infinity in tensor 2 of 2"):
        fit(Targets(), (images, torch.full((26,), math.nan)))
    with pytest.raises(ValueError, match=r"got 1 tensors, but this model has loss\(images, targets\)"):
        fit(Targets(), images)


class Checked(Reader):
    """A reader's model that says itself what it takes."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.seen = answer, []

    def check(self, *data):
        self.seen.append(len(data[0]))
        return self.answer(*data)


def test_a_models_own_check_sees_all_data_once_and_the_loss_gets_what_it_returns(images):
    model = Checked(lambda images, extra: (images + extra,))
    history = fit(
        model, (images, torch.ones(26, 1, 1, 1)), epochs=2, validation=(images[:5], torch.zeros(5, 1, 1, 1)), lr=0.0
    )
    assert model.seen == [26, 5]
    assert history.train["total"][0] == pytest.approx((images + 1).square().sum().item() / 26, rel=1e-5)
    assert history.validation["total"][0] == pytest.approx(images[:5].square().sum().item() / 5, rel=1e-5)


@pytest.mark.parametrize("answer", [lambda images: None, lambda images: images, lambda images: (images, 3)])
def test_a_check_that_does_not_return_the_tensors_of_the_loss_is_an_error(images, answer):
    with pytest.raises(ValueError, match=r"from Checked.check, expected a tuple .*: return \(images,\)"):
        fit(Checked(answer), images)


def test_training_works_where_gradients_are_switched_off(images):
    plain, other = denoising(), denoising()
    fit(plain, images)
    with torch.no_grad():
        fit(other, images)
    assert equal(weights(plain), weights(other))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_a_gpu_an_interrupted_run_ends_where_an_unbroken_one_does_and_the_random_state_stays(images, tmp_path):
    settings = {"epochs": 5, "device": "cuda", "checkpoint": tmp_path / "run.pt"}
    before = torch.cuda.get_rng_state()
    unbroken, resumed, broken = denoising(), denoising(seed=77), interrupted(at=11)
    fit(unbroken, images, epochs=5, device="cuda")
    with pytest.warns(UserWarning, match="Ctrl-C"):
        fit(broken, images, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(resumed, images, **settings, resume=True)
    assert equal(weights(resumed), weights(unbroken))
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_the_rate_that_an_optimiser_brings_along_counts_for_nothing(images, tmp_path):
    first, second = (lambda weights, lr=lr: torch.optim.SGD(weights, lr=lr) for lr in (0.1, 0.2))
    fit(denoising(), images, epochs=1, optimizer=first, checkpoint=tmp_path / "run.pt")
    fit(denoising(), images, epochs=2, optimizer=second, checkpoint=tmp_path / "run.pt", resume=True)


def test_a_bad_loss_after_the_first_step_is_blamed_on_the_rate_whatever_the_optimiser_remembers(images):
    model = Exploding(math.nan, at=3, image_shape=SHAPE)
    with pytest.raises(FloatingPointError, match="epoch 1, step 3; a smaller learning rate is the usual cure"):
        fit(model, images, optimizer=lambda weights: torch.optim.SGD(weights, lr=0.1))


def test_a_rate_that_differs_in_the_middle_alone_makes_another_run(images, tmp_path):
    fit(denoising(), images, epochs=2, lr=lambda progress: 0.01, checkpoint=tmp_path / "run.pt")
    with pytest.raises(ValueError, match="lr was"):
        fit(
            denoising(), images, epochs=2, checkpoint=tmp_path / "run.pt", resume=True,
            lr=lambda progress: 0.01 + 0.01 * (0.4 < progress < 0.6),
        )  # fmt: skip


# What nobody asks for: defaults, the bar, and the places where little is left


def test_ten_epochs_at_a_thousandth_are_trained_unless_told_otherwise():
    made = []
    history = training.fit(
        Stub(), torch.ones(3, 1), device="cpu", optimizer=lambda weights: made.append(Recorder(weights)) or made[0]
    )
    assert len(history) == 10
    assert made[0].rates == [1e-3] * 10


def test_validation_comes_in_batches_of_1000():
    model = Stub()
    fit(model, torch.ones(2, 1), epochs=1, validation=torch.ones(1001, 1))
    assert [len(batch) for batch in model.batches] == [2, 1000, 1]


def test_model_and_images_are_moved_to_the_device(images):
    class Moved(Stub):
        def to(self, device):
            moved.append(device)
            return super().to(device)

    moved = []
    fit(Moved(), images, epochs=1)
    assert moved == [torch.device("cpu")]


class Bar:
    """A progress bar that remembers what it was told."""

    def __init__(self, total, unit):
        self.total, self.unit, self.steps, self.said = total, unit, [], []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def update(self, count=1):
        self.steps.append(count)

    def set_postfix(self, terms):
        self.said.append(dict(terms))


def test_the_bar_counts_every_step_says_the_loss_of_each_epoch_and_begins_where_a_resumed_run_does(
    images, tmp_path, monkeypatch
):
    bars = []
    monkeypatch.setattr(training, "progress_bar", lambda *given: bars.append(Bar(*given)) or bars[-1])
    first = fit(denoising(), images, epochs=2, checkpoint=tmp_path / "run.pt")
    whole = fit(denoising(), images, epochs=5, checkpoint=tmp_path / "run.pt", resume=True)
    assert [(bar.total, bar.unit) for bar in bars] == [(8, "step"), (20, "step")]
    assert [bar.steps for bar in bars] == [[1] * 8, [8] + [1] * 12]
    assert [bar["total"] for bar in bars[0].said] == first.train["total"]
    assert [bar["total"] for bar in bars[1].said] == whole.train["total"][2:]


def test_the_seconds_of_the_epochs_are_no_more_than_have_passed(images):
    start = time.perf_counter()
    history = fit(denoising(), images)
    assert 0 < sum(history.seconds) <= time.perf_counter() - start


@pytest.mark.parametrize("place", [0.0, 0.25, 0.5, 0.75])
def test_a_rate_that_differs_around_one_quarter_of_the_run_alone_makes_another_run(images, tmp_path, place):
    def rate(progress):
        return 0.02 if abs(progress - place) < 0.05 else 0.01

    fit(denoising(), images, epochs=1, lr=lambda progress: 0.01, checkpoint=tmp_path / "run.pt")
    with pytest.raises(ValueError, match="lr was"):
        fit(denoising(), images, epochs=1, lr=rate, checkpoint=tmp_path / "run.pt", resume=True)


def test_a_rate_may_be_a_tensor_of_one_number():
    assert _rates(lambda progress: torch.tensor([0.25]), 1, 4, 2) == [0.25] * 2


@pytest.mark.parametrize("place", [0, 1, 37, 99, 100])
def test_a_rate_is_looked_at_in_every_hundredth_before_any_step_and_nowhere_beyond(images, place):
    def rate(progress):
        assert 0 <= progress <= 1
        return -1.0 if abs(progress - place / 100) < 1e-6 else 0.01

    with pytest.raises(ValueError, match=rf"got lr\({place / 100:.2f}\)=-1.0"):
        fit(model := Stub(), images, lr=rate)
    assert model.calls == 0


def test_the_random_numbers_of_a_gpu_come_from_its_own_source(monkeypatch):
    own = torch.Generator(), torch.Generator()
    monkeypatch.setattr(torch.cuda, "default_generators", own)
    assert training._generators(torch.device("cpu")) == {"cpu": torch.default_generator}
    assert training._generators(torch.device("cuda", 1)) == {"cpu": torch.default_generator, "cuda": own[1]}


def test_of_a_pair_no_single_loss_is_asked():
    class Pair(models.base.Model):
        def critic_loss(self, images, generated): ...

        def generator_loss(self, generated): ...

        def decode(self, codes): ...

    training._check_model(Pair(), "critic_loss", "generator_loss", "decode")
    with pytest.raises(ValueError, match="got a Pair without loss"):
        training._check_model(Pair(), "loss")


def test_one_number_is_data_and_one_nan_among_many_is_none():
    fit(Stub(), torch.ones(1, 1), epochs=1)
    images = torch.ones(5, 4)
    images[3, 2] = math.nan
    with pytest.raises(ValueError, match="got NaN or infinity in tensor 1 of 1"):
        fit(Stub(), images)


class Players(nn.Module):
    """A critic and a generator with a frozen weight each, whose losses count how they are called."""

    latent_dim = 3

    def __init__(self):
        super().__init__()
        self.critic, self.generator = nn.Linear(4, 1), nn.Linear(3, 4)
        for player in (self.critic, self.generator):
            player.bias.requires_grad_(False)
        self.seen = []

    def decode(self, codes):
        self.seen.append(("decode", self.training, tuple(codes.shape)))
        return self.generator(codes)

    def critic_loss(self, images, generated):
        self.seen.append(("critic", len(images), len(generated)))
        assert images.requires_grad is False
        assert generated.requires_grad
        terms = {"reconstruction": self.critic(images).mean(), "others": self.critic(generated).mean()}
        return {"total": terms["reconstruction"] - 2 * terms["others"], **terms}

    def generator_loss(self, generated):
        self.seen.append(("generator", len(generated)))
        return {"total": self.critic(generated).mean()}


def test_the_players_of_a_pair_step_by_their_own_gradient_on_whole_batches_at_the_rate_of_the_share():
    torch.manual_seed(3)
    pair, images = Players().eval(), torch.rand(11, 4)
    before = {name: value.clone() for name, value in pair.named_parameters()}
    optimizers = [torch.optim.SGD(player.parameters(), lr=9.0) for player in (pair.critic, pair.generator)]
    shares = []
    loop = training.one_adversarial_epoch(
        pair, images, *optimizers, lambda share: shares.append(share) or 0.1 + share, batch_size=4
    )
    assert next(loop)[0] == "critic"
    assert equal(dict(pair.named_parameters()), before)
    assert next(loop)[0] == "generator"
    assert pair.generator.weight.grad is None  # the critic's loss left none there
    moved = pair.critic.weight - before["critic.weight"]
    torch.testing.assert_close(moved, -0.1 * pair.critic.weight.grad)
    critics = pair.critic.weight.grad.clone()
    assert next(loop)[0] == "critic"
    assert torch.equal(pair.critic.weight.grad, critics)  # nor the generator's loss here
    moved = pair.generator.weight - before["generator.weight"]
    torch.testing.assert_close(moved, -0.1 * pair.generator.weight.grad)
    generators = pair.generator.weight.clone()
    assert next(loop)[0] == "generator"
    assert next(loop, None) is None
    torch.testing.assert_close(pair.generator.weight - generators, -0.6 * pair.generator.weight.grad)
    assert set(shares) == {0.0, 0.5}
    assert pair.seen == 2 * [("decode", True, (4, 3)), ("critic", 4, 4), ("generator", 4)]
    for player in (pair.critic, pair.generator):
        assert player.bias.grad is None


def test_a_pair_is_trained_for_five_epochs_on_batches_of_two_at_least_with_a_short_memory(monkeypatch):
    made, adam = [], torch.optim.Adam
    monkeypatch.setattr(
        torch.optim, "Adam", lambda *given, **settings: made.append(settings) or adam(*given, **settings)
    )
    moved = []

    class Moved(Players):
        def to(self, device):
            moved.append(device)
            return super().to(device)

    history = training.fit_pair(Moved(), torch.rand(5, 4), batch_size=2, device="cpu")
    assert len(history) == 5
    assert made == [{"betas": (0.5, 0.95), "fused": True}] * 2
    assert moved == [torch.device("cpu")]
    with pytest.raises(ValueError, match=r"got batches of 1 \(batch_size=1, 5 images\), expected at least 2"):
        training.fit_pair(Players(), torch.rand(5, 4), batch_size=1, device="cpu")
    with pytest.raises(ValueError, match="got batches of 1"):
        training.fit_pair(Players(), torch.rand(1, 4), device="cpu")


@pytest.mark.parametrize(
    ("player", "cure"), [("critic", "no step was taken"), ("generator", "a smaller learning rate")]
)
def test_a_bad_loss_of_the_generator_comes_after_a_step_of_the_critic(player, cure):
    class Bad(Players):
        def critic_loss(self, images, generated):
            terms = super().critic_loss(images, generated)
            return terms | ({"total": terms["total"] * math.nan} if player == "critic" else {})

        def generator_loss(self, generated):
            return {"total": super().generator_loss(generated)["total"] * math.nan}

    with pytest.raises(FloatingPointError, match=f"the {player}'s loss .*in epoch 1, step 1; {cure}"):
        training.fit_pair(Bad(), torch.rand(5, 4), batch_size=2, device="cpu")
