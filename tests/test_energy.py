"""The critic's energy and margin, the pulling-away term, the loop of the pair, and what is said of its samples."""

import contextlib
import itertools
import math

import numpy as np
import pytest
import torch
from same_weights import equal, weights
from torch import nn

from aecourse import evaluate, models, training

SHAPE = (1, 4, 4)


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def images():
    return drawn(40, *SHAPE)


def critic(**settings):
    return models.Critic((16, 12, 3), image_shape=SHAPE, **settings)


def pair(*, pulling_away=0.0, seed=0, **settings):
    return models.EBGAN(critic(seed=seed, **settings), (2, 8, 16), pulling_away=pulling_away, seed=seed)


def fit(made, images, **settings):
    return training.fit_pair(made, images, **{"epochs": 2, "batch_size": 10, "lr": 1e-3, **settings})


# The critic


def test_the_energy_is_the_squared_error_of_the_reconstruction(images):
    made = critic()
    expected = evaluate.squared_errors(images, evaluate.reconstruct(made, images))
    torch.testing.assert_close(made.energy(images), expected)
    torch.testing.assert_close(evaluate.energies(made, images), expected)


@pytest.mark.parametrize("margin", [0.0, 2.0, 3.0, 100.0])
def test_the_critics_loss_is_the_papers_formula(images, margin):
    made, others = critic(margin=margin), drawn(7, *SHAPE, seed=1)
    real, other = (evaluate.energies(made, x).numpy() for x in (images, others))
    terms = made.loss(images, others)
    assert terms["total"].item() == pytest.approx(real.mean() + np.maximum(0, margin - other).mean(), rel=1e-5)
    assert terms["reconstruction"].item() == pytest.approx(real.mean(), rel=1e-5)
    assert terms["others"].item() == pytest.approx(other.mean(), rel=1e-5)
    assert (terms["hinge"].item() > 0) == (margin > other.min())


def test_without_a_margin_it_is_ten_squared_grey_levels():
    assert models.Critic().margin == 10


def test_the_bar_of_a_pair_counts_the_steps_of_all_epochs(images, monkeypatch):
    asked, seen = [], []

    class Bar(contextlib.nullcontext):
        def __enter__(self):
            return self

        def update(self):
            seen.append(1)

        def set_postfix(self, terms):
            seen.append(sorted(terms))

    monkeypatch.setattr(training, "progress_bar", lambda *given: asked.append(given) or Bar())
    fit(pair(), images[:37], epochs=2, batch_size=10)
    assert asked == [(6, "step")]
    assert seen == 2 * [1, 1, 1, ["generated", "hinge", "real"]]


def test_without_other_images_a_critic_is_a_plain_autoencoder(images):
    plain = models.DenseAutoencoder((16, 12, 3), image_shape=SHAPE, reconstruction="squared_error")
    assert critic().loss(images)["total"].item() == pytest.approx(plain.loss(images)["total"].item())
    training.fit(plain, images, epochs=2)
    made = critic()
    training.fit(made, images, epochs=2)
    assert equal(weights(plain), weights(made))


def test_a_critic_may_have_any_networks_and_its_energy_is_then_theirs():
    images = drawn(6, 3, 9, 6)
    made = models.Critic(models.convolutional((2, 3), latent_dim=2, image_shape=(3, 9, 6)), margin=7.0)
    assert made.margin == 7.0
    torch.testing.assert_close(made.energy(images), (made(images) - images).square().sum((1, 2, 3)))
    energies, codes = made.energy_and_codes(images)
    assert torch.equal(energies, made.energy(images))
    assert torch.equal(codes, made.encode(images))
    pair = models.EBGAN(made, (2, 8, 3 * 9 * 6))
    assert pair.sample(2).shape == (2, 3, 9, 6)
    history = training.fit_pair(pair, images, epochs=1, batch_size=3)
    assert history.train.keys() == {"real", "generated", "hinge"}


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (drawn(40, *SHAPE) * 255, "got pixel values from .*; divide by 255: others / 255"),
        (drawn(40, *SHAPE) * math.nan, "got NaN pixels in 40 of 40 others"),
        (drawn(40, 1, 4, 5), r"got others of shape \(40, 1, 4, 5\)"),
        (torch.zeros(40, dtype=torch.int64), r"got others of shape \(40,\)"),
    ],
)
def test_a_critic_is_not_trained_against_what_are_no_images(images, others, message):
    made = critic()
    before = weights(made)
    with pytest.raises(ValueError, match=message):
        training.fit(made, (images, others), epochs=1)
    with pytest.raises(ValueError, match=message):
        made.check(images, others)
    assert equal(before, weights(made))


def test_a_critic_takes_images_alone_or_with_others_and_nothing_else(images):
    made = critic()
    assert made.check(images) == (images,)
    assert made.check(images, images) == (images, images)
    with pytest.raises(ValueError, match=r"got 3 tensors, expected two.*\(images, others\)"):
        made.check(images, images, images)


def test_others_above_the_margin_leave_no_trace_in_the_gradient(images):
    made = critic(margin=0.0)
    gradients = []
    for others in (None, drawn(40, *SHAPE, seed=1)):
        made.zero_grad()
        made.loss(images, others)["total"].backward()
        gradients.append({name: weight.grad.clone() for name, weight in made.named_parameters()})
    assert equal(*gradients)


def test_the_loop_of_all_models_trains_a_critic_against_fixed_others_and_raises_their_energy():
    real, others = torch.full((200, *SHAPE), 0.2), torch.full((200, *SHAPE), 0.8)
    real, others = real + 0.1 * drawn(200, *SHAPE), others + 0.1 * drawn(200, *SHAPE, seed=1)
    alone, against = critic(margin=3.0), critic(margin=3.0)
    training.fit(alone, torch.cat([real, others]), epochs=30, lr=0.01)
    training.fit(against, (real, others), epochs=30, lr=0.01)
    assert evaluate.energies(alone, others).mean() < 0.5
    assert evaluate.energies(against, others).mean() > 2.0
    assert evaluate.energies(against, real).mean() < 0.5


# The pulling-away term


def test_pulling_away_equals_the_formula_in_numpy():
    codes = drawn(6, 4) - 0.5
    s = codes.numpy()
    cosines = [
        (s[i] @ s[j] / np.linalg.norm(s[i]) / np.linalg.norm(s[j])) ** 2 for i in range(6) for j in range(6) if i != j
    ]
    assert models.pulling_away(codes).item() == pytest.approx(np.mean(cosines), rel=1e-5)


def test_pulling_away_is_1_on_a_line_0_at_right_angles_and_one_in_d_at_random():
    line = torch.tensor([[1.0, 2.0], [2.0, 4.0], [-3.0, -6.0]])
    assert models.pulling_away(line).item() == pytest.approx(1.0)
    assert models.pulling_away(torch.eye(5)).item() == pytest.approx(0.0, abs=1e-7)
    random = torch.randn(600, 8, generator=torch.Generator().manual_seed(0))
    assert models.pulling_away(random).item() == pytest.approx(1 / 8, rel=0.03)


def test_going_down_the_pulling_away_term_drives_equal_codes_apart():
    codes = (torch.ones(6, 3) + 0.01 * drawn(6, 3)).requires_grad_()
    before = models.pulling_away(codes).item()
    for _ in range(200):
        (gradient,) = torch.autograd.grad(models.pulling_away(codes), codes)
        codes = (codes - gradient).detach().requires_grad_()
    assert before > 0.99
    assert models.pulling_away(codes).item() < 0.6


@pytest.mark.parametrize("codes", [torch.ones(1, 3), torch.ones(3), torch.ones(0, 3)])
def test_pulling_away_of_fewer_than_two_codes_is_an_error(codes):
    with pytest.raises(ValueError, match=r"got codes of shape .*expected \(N, latent_dim\) with N of at least 2"):
        models.pulling_away(codes)


# The pair


def test_the_generator_makes_images_in_the_range_of_images():
    made = pair()
    samples = made.sample(9)
    assert samples.shape == (9, *SHAPE)
    assert samples.min() >= 0
    assert samples.max() <= 1
    assert torch.equal(samples, made.sample(9))
    assert not torch.equal(samples, made.sample(9, seed=1))
    assert torch.equal(samples, evaluate.decode(made, torch.randn(9, 2, generator=torch.Generator().manual_seed(0))))


def test_in_training_the_generator_takes_away_what_a_batch_has_in_common_and_samples_are_drawn_one_by_one():
    made, codes = pair().train(), torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    seen = []
    made.generator[2].register_forward_pre_hook(lambda layer, given: seen.append(given[0].detach()))
    together = made.decode(codes)
    torch.testing.assert_close(seen[0].mean(0), torch.zeros(8), atol=1e-6, rtol=0)
    torch.testing.assert_close(seen[0].var(0, correction=0), torch.ones(8), atol=0.01, rtol=0)
    torch.testing.assert_close(made.decode(codes + 3.0), together, atol=1e-4, rtol=0)
    made.eval()
    torch.testing.assert_close(made.decode(codes[:2]), made.decode(codes)[:2])


def test_the_critics_step_leaves_the_generator_alone_and_the_generators_step_the_critic(images):
    made = pair()
    generated = made.decode(torch.randn(5, 2))
    made.critic_loss(images, generated)["total"].backward()
    assert all(weight.grad is None for weight in made.generator.parameters())
    assert all(weight.grad is not None for weight in made.critic.parameters())


def test_the_loop_of_a_pair_moves_the_critic_and_then_the_generator(images):
    made, moved = pair(), []
    optimizers = [torch.optim.SGD(player.parameters(), lr=0.1) for player in (made.critic, made.generator)]
    loop = training.one_adversarial_epoch(made, images, *optimizers, lambda share: 0.1, 20)
    before = [weight.clone() for weight in made.parameters()]
    for player, terms in loop:
        names = [name for name, _ in made.named_parameters()]
        changed = [not torch.equal(*both) for both in zip(before, made.parameters(), strict=True)]
        moved.append((player, {name.split(".")[0] for name, new in zip(names, changed, strict=True) if new}))
        assert "total" in terms
        before = [weight.clone() for weight in made.parameters()]
    assert moved == [("critic", set()), ("generator", {"critic"}), ("critic", {"generator"}), ("generator", {"critic"})]


def test_the_generators_loss_is_its_energy_and_the_weighted_similarity_of_its_codes(images):
    plain, pulled = pair(), pair(pulling_away=5.0)
    energy = evaluate.energies(plain.critic, images).mean().item()
    similarity = models.pulling_away(plain.critic.encode(images)).item()
    assert plain.generator_loss(images)["total"].item() == pytest.approx(energy, rel=1e-5)
    assert "similarity" not in plain.generator_loss(images)
    assert pulled.generator_loss(images)["total"].item() == pytest.approx(energy + 5 * similarity, rel=1e-5)


def test_the_same_seed_gives_the_same_pair_and_another_seed_another(images):
    first, second, other = pair(), pair(), pair()
    histories = [fit(made, images, seed=seed) for made, seed in ((first, 3), (second, 3), (other, 4))]
    assert equal(weights(first), weights(second))
    assert histories[0].train == histories[1].train
    assert not equal(weights(first), weights(other))


def test_training_a_pair_leaves_the_global_random_state_alone(images):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    fit(pair(pulling_away=1.0), images)
    assert torch.equal(before, torch.get_rng_state())


def test_the_history_holds_a_number_per_epoch_for_every_term(images):
    history = fit(pair(), images, epochs=3)
    assert {name: len(values) for name, values in history.train.items()} == {"real": 3, "generated": 3, "hinge": 3}
    assert len(history) == 3
    assert not history.interrupted
    assert "similarity" in fit(pair(pulling_away=1.0), images).train


def test_the_history_of_one_whole_batch_is_the_critics_first_loss(images):
    made, again = pair(), pair()
    history = fit(made, images, epochs=1, batch_size=40)
    random = torch.Generator().manual_seed(0)
    order = torch.randperm(40, generator=random)
    again.train()
    terms = again.critic_loss(images[order], again.decode(torch.randn(40, 2, generator=random)))
    for name, term in {"real": "reconstruction", "generated": "others", "hinge": "hinge"}.items():
        assert history.train[name] == [pytest.approx(terms[term].item(), rel=1e-5)]


def test_after_training_both_players_have_moved_and_are_in_evaluation_mode(images):
    made = pair()
    before = weights(made)
    fit(made, images)
    assert not made.training
    assert not made.critic.training
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], weights(made)[name])}
    assert moved == {"critic", "generator"}


def test_the_rate_may_fall_during_the_run_and_a_rate_of_0_changes_nothing(images):
    seen, still = [], pair()
    fit(pair(), images, epochs=2, batch_size=10, lr=lambda progress: seen.append(progress) or 1e-3)
    assert sorted(set(seen[101:])) == pytest.approx(
        [step / 8 for step in range(8)]
    )  # after the samples that are checked first
    before = [weight.clone() for weight in still.parameters()]
    fit(still, images, lr=0.0)
    assert all(torch.equal(*both) for both in zip(before, still.parameters(), strict=True))


def broken(made, method, at, what):
    """Let the `at`-th call of a loss raise or return something else; return what the weights were before that step."""
    right, calls, before = getattr(made, method), itertools.count(1), []
    first = made.decode

    def decode(latents):  # the first thing that a step does
        before[:] = [weights(made)]
        return first(latents)

    def loss(*arguments):
        terms = right(*arguments)
        return what(terms) if next(calls) == at else terms

    vars(made).update({"decode": decode, method: loss})
    return before


def press(terms):
    raise KeyboardInterrupt


def spoil(terms):
    return {**terms, "total": terms["total"] * math.nan}


@pytest.mark.parametrize("method", ["critic_loss", "generator_loss"])
def test_ctrl_c_ends_the_run_with_a_warning_and_a_usable_pair(images, method):
    made = pair()
    broken(made, method, 6, press)
    with pytest.warns(
        UserWarning, match=r"stopped by Ctrl-C in epoch 2 of 2.*the history its finished epochs"
    ) as caught:
        history = fit(made, images, epochs=2)
    assert caught[0].filename == training.__file__.replace("aecourse/training.py", "tests/test_energy.py")
    assert history.interrupted
    assert len(history) == 1
    assert not made.training
    assert torch.isfinite(made.sample(3)).all()


@pytest.mark.parametrize("at", [1, 2, 6])
@pytest.mark.parametrize("player", ["critic", "generator"])
def test_a_loss_that_is_not_finite_stops_the_run_before_that_players_step(images, player, at):
    made = pair()
    before = broken(made, f"{player}_loss", at, spoil)
    where = {1: "epoch 1, step 1", 2: "epoch 1, step 2", 6: "epoch 2, step 2"}[at]
    cure = "no step was taken yet" if (player, at) == ("critic", 1) else "a smaller learning rate"
    with pytest.raises(FloatingPointError, match=f"the {player}'s loss term 'total' became nan in {where}; {cure}"):
        fit(made, images)
    # The critic has stepped when the generator's loss is known.
    moved = {name.split(".")[0] for name in before[0] if not torch.equal(before[0][name], weights(made)[name])}
    assert moved == (set() if player == "critic" else {"critic"})
    assert "generator.1.running_mean" in before[0]
    assert not made.training


@pytest.mark.parametrize("lr", [2e-3, training.cosine(4e-3, warmup=0.1)], ids=["constant", "cosine"])
def test_an_interrupted_pair_that_goes_on_ends_bit_for_bit_where_an_unbroken_one_does(images, tmp_path, lr):
    unbroken, stopped, resumed = pair(pulling_away=0.5), pair(pulling_away=0.5), pair(pulling_away=0.5)
    for weight in resumed.parameters():
        weight.data.add_(1)
    broken(stopped, "generator_loss", 11, press)  # step 3 of epoch 3
    settings = {"epochs": 4, "lr": lr, "seed": 3}
    whole = fit(unbroken, images, **settings)
    with pytest.warns(UserWarning, match="Ctrl-C in epoch 3 of 4"):
        fit(stopped, images, checkpoint=tmp_path / "run.pt", **settings)
    history = fit(resumed, images, checkpoint=tmp_path / "run.pt", resume=True, **settings)
    assert equal(weights(resumed), weights(unbroken))
    assert history.train == whole.train
    assert len(history) == 4


@pytest.mark.parametrize(
    ("named", "make", "settings"),
    [
        ("critic.margin was 10.0, is now 3.0", lambda: pair(margin=3.0), {}),
        ("pulling_away was 0.0, is now 1.0", lambda: pair(pulling_away=1.0), {}),
        ("seed was 0, is now 1", pair, {"seed": 1}),
        ("batch_size was 10, is now 20", pair, {"batch_size": 20}),
        ("lr was", pair, {"lr": 0.5}),
    ],
)
def test_a_checkpoint_of_another_pair_is_refused(images, tmp_path, named, make, settings):
    fit(pair(), images, epochs=1, checkpoint=tmp_path / "run.pt")
    with pytest.raises(ValueError, match=f"belongs to another run: .*{named}"):
        fit(make(), images, checkpoint=tmp_path / "run.pt", resume=True, **settings)
    with pytest.raises(FileExistsError, match="pass resume=True"):
        fit(pair(), images, checkpoint=tmp_path / "run.pt")


def test_a_learning_rate_that_is_far_too_large_ends_in_an_error(images):
    made = pair()
    with pytest.raises(FloatingPointError, match="a smaller learning rate is the usual cure"):
        fit(made, images, lr=1e38, epochs=5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "got epochs=0, expected a whole number of at least 1"),
        ({"epochs": 1.5}, "got epochs=1.5, expected a whole number"),
        ({"epochs": True}, "got epochs=True, expected a whole number"),
        ({"batch_size": 0}, "got batch_size=0, expected a whole number of at least 1"),
        ({"batch_size": 1}, "got batches of 1"),
        ({"lr": -1.0}, "got lr=-1.0, expected a finite number of at least 0"),
        ({"lr": lambda progress: -progress}, r"got lr\(0.01\)=-0.0"),
        ({"seed": None}, "got seed=None, expected a whole number"),
        ({"device": "gpu"}, "got device='gpu', expected"),
        ({"resume": True}, "pass checkpoint=path"),
    ],
)
def test_settings_that_make_no_run_are_an_error(images, settings, message):
    made = pair()
    before = weights(made)
    with pytest.raises(ValueError, match=message):
        fit(made, images, **settings)
    assert equal(before, weights(made))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (models.EBGAN, r"got the class EBGAN, expected a model.*EBGAN\(…\)"),
        (critic(), "got a Critic without critic_loss, generator_loss, .*a model with a single loss is trained by fit$"),
        (pair().requires_grad_(False), "got a Critic all 12 of whose weights are frozen"),
    ],
    ids=["class", "no pair", "frozen"],
)
def test_what_is_no_pair_to_train_is_an_error(images, made, message):
    with pytest.raises(ValueError, match=message):
        fit(made, images)


def test_a_pair_is_not_trained_by_the_loop_for_one_loss(images):
    with pytest.raises(NotImplementedError, match=r"train it with fit_pair\(pair, images\)"):
        training.fit(pair(), images)


def test_bad_images_are_an_error_before_anything_is_trained(images):
    made = pair()
    before = weights(made)
    with pytest.raises(ValueError, match="divide by 255"):
        fit(made, images * 255)
    assert equal(before, weights(made))


@pytest.mark.parametrize("margin", [-1.0, math.nan, math.inf, "10", None, True])
def test_a_margin_that_is_no_finite_number_of_at_least_0_is_an_error(margin):
    with pytest.raises(ValueError, match=r"got margin=.*expected a finite number of at least 0"):
        critic(margin=margin)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: models.EBGAN(critic(), (2, 8, 15)),
            r"got widths that end with 15, expected 16, the number of pixels in an image of shape \(1, 4, 4\)",
        ),
        (lambda: models.EBGAN(critic(), (2, 8, 16), pulling_away=-1.0), "got pulling_away=-1.0"),
        (
            lambda: models.EBGAN(critic(), 16),
            "got widths 16, expected at least two whole numbers above 0, the code first",
        ),
        (lambda: models.EBGAN(critic(), (2, 8, 16), seed=-1), "got seed=-1"),
        (lambda: pair().sample(0), "got count=0, expected a whole number of at least 1"),
        (lambda: pair().sample(1, seed=None), "got seed=None"),
        (lambda: models.EBGAN(nn.Linear(16, 16), (2, 8, 16)), "got a Linear as the critic, expected a Critic"),
        (lambda: pair().decode(torch.zeros(3, 5)), "this model's code has 2 numbers"),
    ],
)
def test_parts_that_make_no_pair_are_an_error(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_a_pair_is_a_model_whose_two_losses_need_a_loop_of_their_own(images):
    made = pair()
    assert made.image_shape == SHAPE
    assert made.device == torch.device("cpu")
    assert made.check(images) == (images,)
    with pytest.raises(ValueError, match="got 2 tensors, expected images alone"):
        made.check(images, images)
    with pytest.raises(NotImplementedError, match=r"train it with fit_pair\(pair, images\)"):
        training.fit(made, images)


def test_the_same_seed_builds_the_same_pair_without_touching_the_global_random_state():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, second, other = pair(seed=3), pair(seed=3), pair(seed=4)
    assert torch.equal(before, torch.get_rng_state())
    assert equal(weights(first), weights(second))
    assert not equal(weights(first), weights(other))


def test_the_best_critic_by_hand_is_found_by_descent_on_two_places():
    # Lemma 1 of the paper: the margin where the generator puts more than the data, 0 where it puts less.
    p, q, margin = torch.tensor([0.7, 0.3]), torch.tensor([0.4, 0.6]), 2.0
    energy = torch.ones(2, requires_grad=True)
    for _ in range(300):
        loss = (p * energy + q * (margin - energy).clamp(min=0)).sum()
        (gradient,) = torch.autograd.grad(loss, energy)
        energy = (energy - 0.05 * gradient).clamp(min=0).detach().requires_grad_()
    assert energy.tolist() == pytest.approx([0.0, margin], abs=0.06)
    assert loss.item() == pytest.approx(margin * torch.minimum(p, q).sum().item(), abs=0.06)


def test_a_generator_learns_to_draw_what_the_critic_knows():
    random = torch.Generator().manual_seed(0)
    angle = 2 * math.pi * torch.rand(1000, generator=random)
    points = 0.5 + 0.3 * torch.stack([angle.cos(), angle.sin()], 1)
    made = models.EBGAN(models.Critic((2, 32, 32, 1), margin=0.05, image_shape=(2,)), (4, 32, 32, 2))

    def off():
        return ((made.sample(500) - 0.5).norm(dim=1) - 0.3).abs().mean().item()

    before = off()
    training.fit_pair(made, points, epochs=40, lr=2e-3)
    assert off() < 0.06 < 0.1 < before


# What is said of samples


def test_coverage_is_high_for_fresh_samples_and_low_for_a_collapsed_generator():
    random = torch.Generator().manual_seed(0)
    real, fresh = torch.randn(2, 400, 3, generator=random)
    assert evaluate.coverage(fresh, real) == pytest.approx(1 - 2**-5, abs=0.03)
    assert evaluate.coverage(fresh[:1].expand(400, 3), real) < 0.05
    assert evaluate.coverage(fresh[fresh[:, 0] > 0], real) == pytest.approx(0.5, abs=0.12)


def test_coverage_by_hand():
    real = torch.tensor([[0.0], [1.0], [10.0], [11.0]])  # each has its neighbour at distance 1
    assert evaluate.coverage(torch.tensor([[0.5]]), real, neighbours=1) == 0.5
    assert evaluate.coverage(torch.tensor([[0.5], [10.9]]), real, neighbours=1) == 1.0
    assert evaluate.coverage(torch.tensor([[-5.0]]), real, neighbours=1) == 0.0


def test_near_duplicates_are_all_of_copies_and_few_of_fresh_samples():
    random = torch.Generator().manual_seed(0)
    real, fresh = torch.randn(2, 500, 3, generator=random)
    assert evaluate.near_duplicates(real, real, share=0.1) == pytest.approx(0.1, abs=0.01)
    assert evaluate.near_duplicates(fresh, real, share=0.1) == pytest.approx(0.1, abs=0.06)
    assert evaluate.near_duplicates(fresh[:1].expand(500, 3), real) == 1.0
    assert evaluate.near_duplicates(0.1 * fresh, real, share=0.1) > 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate.coverage(torch.zeros(3, 2), torch.zeros(5, 2)), "got 5 reference points, expected more than"),
        (lambda: evaluate.coverage(torch.zeros(3, 2), torch.zeros(9, 3)), "expected both"),
        (lambda: evaluate.coverage(torch.zeros(3), torch.zeros(9)), "expected both"),
        (lambda: evaluate.near_duplicates(torch.zeros(3, 2), torch.zeros(4, 2)), "expected equal numbers"),
        (lambda: evaluate.near_duplicates(torch.zeros(1, 2), torch.zeros(1, 2)), "expected equal numbers"),
        (lambda: evaluate.near_duplicates(torch.zeros(3, 2), torch.zeros(3, 2), share=1.0), "share=1.0"),
        (lambda: evaluate.energies(models.LinearAutoencoder(2), torch.zeros(3, 1, 28, 28)), "expected a Critic"),
    ],
)
def test_bad_input_to_the_measures_is_an_error_that_says_so(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_hundredth_of_real_images_count_as_near_duplicates_unless_told_otherwise():
    real = torch.rand(1000, 3, generator=torch.Generator().manual_seed(0))
    assert evaluate.near_duplicates(real, real) == pytest.approx(0.01, abs=0.001)


def test_a_pair_learns_at_the_rate_of_every_other_model_unless_told_otherwise(images):
    first, second = pair(), pair()
    training.fit_pair(first, images, epochs=1, batch_size=10)
    training.fit_pair(second, images, epochs=1, batch_size=10, lr=1e-3)
    assert equal(weights(first), weights(second))


def test_a_critic_measures_squares_and_no_surprise():
    assert critic().reconstruction == "squared_error"


def test_two_codes_pull_away_from_each_other():
    codes = torch.tensor([[3.0, 0.0, 0.0], [2.0, 0.0, 2.0]])
    assert models.pulling_away(codes).item() == pytest.approx(1 / 2)  # the cosine of an eighth turn, squared
    with pytest.raises(ValueError, match=r"got codes of shape \(2, 3, 4\), expected \(N, latent_dim\)"):
        models.pulling_away(torch.ones(2, 3, 4))


def test_a_generator_may_have_a_single_layer_and_its_code_any_size():
    made = models.EBGAN(critic(), (5, 16))
    assert [type(layer) for layer in made.generator] == [nn.Linear]
    assert made.latent_dim == 5
    assert made.sample(3).shape == (3, *SHAPE)
    for widths in ((16, 5), (5, 16, 8), (5, 8, 8)):
        with pytest.raises(ValueError, match=f"got widths that end with {widths[-1]}, expected 16"):
            models.EBGAN(critic(), widths)
