"""Codes of symbols: rounding and its false gradient, VQ-VAE, FSQ, Gumbel-softmax, a prior over codes, their bits."""

import itertools
import math

import pytest
import torch
from same_weights import equal, weights
from torch import nn
from torch.nn import functional as F

from aecourse import checks, evaluate, training
from aecourse.models import (
    FSQ,
    VQVAE,
    CodePrior,
    GumbelAutoencoder,
    RevivingVQVAE,
    convolutional,
    dense,
    gumbel_softmax,
    straight_through,
)

SMALL = {"positions": 3, "codebook_size": 8}
BUILDERS = {
    "VQVAE": lambda widths=(784, 20), **s: VQVAE(widths, **SMALL, **s),
    "RevivingVQVAE": lambda widths=(784, 20), **s: RevivingVQVAE(widths, **SMALL, **s),
    "FSQ": lambda widths=(784, 20), **s: FSQ(widths, positions=3, levels=(4, 2), **s),
    "GumbelAutoencoder": lambda widths=(784, 20), **s: GumbelAutoencoder(widths, **SMALL, **s),
}


@pytest.fixture(params=BUILDERS)
def build(request):
    return BUILDERS[request.param]


@pytest.fixture
def images():
    return torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_a_code_is_whole_numbers_and_decodes_to_images(build, images):
    model = build().eval()
    symbols = model.encode(images)
    assert symbols.dtype == torch.int64
    assert symbols.shape == (40, model.latent_dim) == (40, 3)
    assert 0 <= symbols.min() <= symbols.max() < model.codebook_size == 8
    decoded = model.decode(symbols)
    assert decoded.shape == images.shape
    assert 0 <= decoded.min() <= decoded.max() <= 1
    assert torch.equal(model(images), decoded)
    assert model.bits == pytest.approx(9)


def test_the_decoder_sees_nothing_but_the_symbols(build, images):
    model = build().eval()
    symbols = model.encode(images)
    same = (symbols[:, None] == symbols[None]).all(2)
    decoded = model(images).flatten(1)
    for a, b in same.nonzero().tolist():
        assert torch.allclose(decoded[a], decoded[b], atol=1e-6)


def test_the_loss_reaches_encoder_and_decoder_through_the_symbols(build, images):
    model = build()
    terms = model.loss(images)
    assert all(term.shape == () and torch.isfinite(term) for term in terms.values())
    terms["reconstruction"].backward()
    for part in (model.encoder, model.decoder):
        assert all(weight.grad.any() for name, weight in part.named_parameters() if name.endswith("weight"))


def test_the_seed_fixes_the_weights(build):
    first, same, other = (torch.cat([w.flatten() for w in build(seed=s).parameters()]) for s in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("networks", "settings", "layer"),
    [
        (convolutional((2, 4), latent_dim=7, image_shape=(3, 12, 8)), {}, nn.Conv2d),
        (dense((288, 20, 7), activation=nn.Tanh, image_shape=(3, 12, 8)), {}, nn.Tanh),
        ((288, 20), {"activation": nn.Tanh, "image_shape": (3, 12, 8)}, nn.Tanh),
    ],
    ids=["convolutional", "dense", "widths"],
)
def test_symbols_go_with_every_architecture_with_colour_and_any_size(build, networks, settings, layer):
    model = build(networks, **settings)
    assert layer in map(type, model.encoder)
    images = torch.rand(40, 3, 12, 8, generator=torch.Generator().manual_seed(0))
    history = training.fit(model, images, epochs=2, batch_size=10, lr=3e-3)
    assert history.train["reconstruction"][-1] < history.train["reconstruction"][0]
    symbols = model.encode(images)
    assert symbols.shape == (40, model.latent_dim) == (40, 3)
    assert model.decode(symbols).shape == images.shape
    with pytest.raises(ValueError, match=r"expected a float32 tensor of shape \(N, 3, 12, 8\)"):
        model.encode(torch.rand(40, 1, 28, 28))


def test_widths_and_the_dense_architecture_of_the_same_widths_are_one_model(build):
    assert equal(weights(build((784, 20))), weights(build(dense((784, 20, 5)))))


def test_training_lowers_the_reconstruction_term(build, images):
    model = build()
    history = training.fit(model, images, epochs=15, batch_size=10, lr=3e-3)
    assert history.train["reconstruction"][-1] < history.train["reconstruction"][0] - 5


@pytest.mark.parametrize("kind", [VQVAE, RevivingVQVAE, FSQ, GumbelAutoencoder])
def test_without_settings_a_code_has_8_symbols_of_6_bits(kind):
    assert kind().latent_dim == 8
    assert kind().bits == 48


def test_straight_through_has_the_value_of_one_argument_and_the_gradient_of_the_other():
    z = torch.tensor([0.2, 0.7, 1.4], requires_grad=True)
    rounded = straight_through(z, z.round())
    assert rounded.tolist() == pytest.approx([0, 1, 1])
    (rounded**2).sum().backward()
    assert z.grad.tolist() == pytest.approx([0, 2, 2])  # 2 · round(z), not 2 · z


def test_vq_chooses_the_nearest_vector():
    model = VQVAE((784, 20), positions=2, codebook_size=5, vector_dim=3)
    model.codebook.data = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    features = torch.randn(30, 2, 3, generator=torch.Generator().manual_seed(2))
    assert torch.equal(
        model.choose(features), torch.cdist(features.flatten(0, 1), model.codebook).argmin(1).view(30, 2)
    )


def test_codebook_loss_moves_vectors_and_commitment_loss_moves_the_encoder(images):
    model = VQVAE((784, 20), **SMALL)
    terms = model.loss(images)
    assert terms["codebook"].item() == pytest.approx(terms["commitment"].item())
    terms["codebook"].backward(retain_graph=True)
    assert model.codebook.grad.any()
    assert all(weight.grad is None for weight in model.encoder.parameters())
    model.zero_grad()
    terms["commitment"].backward()
    assert model.codebook.grad is None
    assert any(weight.grad.any() for weight in model.encoder.parameters())


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0, 3])
def test_the_commitment_counts_with_its_weight(images, weight):
    terms = VQVAE((784, 20), **SMALL, commitment=weight).loss(images)
    expected = terms["reconstruction"] + terms["codebook"] + weight * terms["commitment"]
    assert terms["total"].item() == pytest.approx(expected.item(), rel=1e-6)
    assert terms["commitment"].item() == pytest.approx(VQVAE((784, 20), **SMALL).loss(images)["commitment"].item())


@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
def test_the_first_codebook_is_spread_evenly_between_its_limits(spread):
    numbers = VQVAE((784, 20), positions=2, codebook_size=500, vector_dim=4, spread=spread).codebook.detach() / spread
    assert -1 <= numbers.min() < -0.99
    assert 0.99 < numbers.max() <= 1
    assert numbers.mean().item() == pytest.approx(0, abs=4 / 2000**0.5)
    assert numbers.var().item() == pytest.approx(1 / 3, rel=0.1)


def test_an_unused_vector_gets_no_gradient_and_comes_back_only_when_revived(images, monkeypatch):
    monkeypatch.setattr(RevivingVQVAE, "PATIENCE", 20)
    for kind, alive in ((VQVAE, False), (RevivingVQVAE, True)):
        model = kind((784, 20), **SMALL)
        model.codebook.data[0] = 1000.0
        training.fit(model, images, epochs=30, batch_size=40, lr=1e-4)
        assert bool(model.codebook[0].abs().max() < 100) == alive
        if not alive:
            model.loss(images)["total"].backward()
            assert not model.codebook.grad[0].any()


def test_only_a_vector_that_nothing_chose_for_so_long_is_moved_and_it_gets_as_long_again(monkeypatch):
    monkeypatch.setattr(RevivingVQVAE, "PATIENCE", 3)
    model = RevivingVQVAE((784, 20), positions=2, codebook_size=4, vector_dim=2)
    start = torch.tensor([[0.0, 0.0], [5.0, 5.0], [50.0, 50.0], [-50.0, 50.0]])
    model.codebook.data = start.clone()
    outputs = torch.tensor([[[0.1, 0.0], [5.0, 5.1]], [[0.0, 0.1], [5.1, 5.0]]])  # near the first two vectors

    def step(outputs):
        symbols = model.choose(outputs)
        return symbols, model.codebook.detach().clone(), model.idle.tolist()

    for idle in (1, 2, 3):
        symbols, codebook, counted = step(outputs)
        assert symbols.tolist() == [[0, 1], [0, 1]]
        assert torch.equal(codebook, start)
        assert counted == [0, 0, idle, idle]
    alike = torch.full((2, 2, 2), 0.2)
    moved = torch.tensor([[0.0, 0.0], [5.0, 5.0], [0.2, 0.2], [0.2, 0.2]])
    for idle in (1, 2, 3):  # the first of the two that moved is in use now, the other waits anew
        _, codebook, counted = step(alike)
        assert torch.equal(codebook, moved)
        assert counted == [idle, idle, 0, idle]
    assert torch.equal(step(alike)[1], torch.full((4, 2), 0.2))


def test_looking_at_a_reviving_model_does_not_change_it(images):
    model = RevivingVQVAE((784, 20), **SMALL)
    model.idle += RevivingVQVAE.PATIENCE
    before = model.codebook.clone()
    model.eval()
    model.loss(images)
    model.encode(images)
    assert torch.equal(model.codebook, before)
    model.train()
    model.loss(images)
    assert not torch.equal(model.codebook, before)


def test_fsq_numbers_its_grid_and_reads_the_numbers_back():
    model = FSQ((784, 20), positions=24, levels=(4, 3, 2))
    assert model.codebook_size == 24
    points = model.look_up(torch.arange(24)[None])[0]
    grid = itertools.product((-1, 1), (-1, 0, 1), (-1, -1 / 3, 1 / 3, 1))
    assert torch.allclose(points, torch.tensor([point[::-1] for point in grid]).float())
    levels = (points + 1) / 2 * model.top
    features = torch.logit((levels / model.top).clamp(0.01, 0.99))[None]
    assert torch.equal(model.choose(features)[0], torch.arange(24))


def test_what_the_fsq_decoder_reads_in_training_is_what_it_reads_for_the_symbols(images):
    model = FSQ((784, 20), positions=3, levels=(4, 2))
    logits = model.decoder(model.look_up(model.encode(images)).flatten(1))
    expected = F.binary_cross_entropy_with_logits(logits, images.flatten(1), reduction="sum") / 40
    assert model.loss(images)["total"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_gumbel_draw_favours_each_symbol_with_its_probability_at_every_temperature():
    torch.manual_seed(0)
    chances = torch.tensor([0.6, 0.3, 0.1])
    spread = {}
    for temperature in (0.1, 2.0):
        shares = gumbel_softmax(chances.log().expand(40_000, 3), temperature)
        assert torch.allclose(shares.sum(1), torch.ones(40_000), atol=1e-5)
        winners = shares.argmax(1).bincount() / 40_000
        assert torch.allclose(winners, chances, atol=4 * 0.5 / 200)
        spread[temperature] = shares.max(1).values.mean()
    assert spread[0.1] > 0.95 > 0.75 > spread[2.0]


def test_the_kl_of_the_categorical_posterior_is_log_k_minus_its_entropy():
    model = GumbelAutoencoder((784, 20), **SMALL)
    logits = torch.randn(6, 3, 8, generator=torch.Generator().manual_seed(0))
    expected = 3 * math.log(8) - torch.distributions.Categorical(logits=logits).entropy().sum(1).mean()
    assert model.kl(logits).item() == pytest.approx(expected.item(), rel=1e-5)
    assert model.kl(torch.zeros(6, 3, 8)).item() == pytest.approx(0, abs=1e-5)


def test_the_hard_elbo_is_below_log_p_of_x_and_equals_the_sum_over_all_codes(images):
    model = GumbelAutoencoder((784, 20), positions=2, codebook_size=3).eval()
    pixels = (images[:4] > 0.5).float()
    codes = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    with torch.no_grad():
        log_x = model.likelihood(codes).log_prob(pixels.flatten(1)[:, None]).sum(2)  # (images, codes)
        q = model.posterior(pixels).probs
        weight = q[:, 0, codes[:, 0]] * q[:, 1, codes[:, 1]]
        exact = (weight * (log_x - math.log(9) - weight.log())).sum(1).mean().item()
        log_p = (log_x.logsumexp(1) - math.log(9)).mean().item()
    found = evaluate.categorical_elbo(model, pixels, draws=4000)
    assert found["elbo"] == pytest.approx(exact, abs=0.5)
    assert found["elbo"] == pytest.approx(-found["reconstruction"] - found["kl"])
    assert exact < log_p


def test_a_prior_is_a_distribution_over_all_codes():
    prior = CodePrior(3, 4, hidden=5)
    every = torch.cartesian_prod(*[torch.arange(4)] * 3)
    assert prior.log_prob(every).exp().sum().item() == pytest.approx(1, abs=1e-4)
    assert prior.loss(every)["total"].item() == pytest.approx(-prior.log_prob(every).mean().item(), rel=1e-5)


def test_a_prior_looks_only_at_the_symbols_before():
    prior = CodePrior(4, 5, hidden=7)
    first = torch.tensor([[1, 2, 3, 4]])
    second = torch.tensor([[1, 2, 0, 0]])
    a, b = prior.logits(first)[0], prior.logits(second)[0]
    assert torch.allclose(a[:3], b[:3], atol=1e-6)
    assert not torch.allclose(a[3], b[3], atol=1e-3)


def test_a_prior_learns_which_symbols_follow_which_and_draws_them():
    random = torch.Generator().manual_seed(0)
    first = torch.randint(4, (2000, 1), generator=random)
    symbols = torch.cat([first, (first + 1) % 4, (first + 3) % 4], 1)  # 2 bits in all; each position by itself has 2
    prior = CodePrior(3, 4, hidden=16)
    training.fit(prior, symbols, epochs=15, lr=1e-2)
    assert evaluate.prior_bits(prior, symbols) == pytest.approx(2, abs=0.1)
    assert evaluate.unigram_bits(symbols, symbols, 4) == pytest.approx(6, abs=0.05)
    drawn = prior.sample(500, seed=1)
    assert ((drawn[:, 1] - drawn[:, 0]) % 4 == 1).float().mean() > 0.95
    assert torch.equal(drawn, prior.sample(500, seed=1))
    assert not torch.equal(drawn, prior.sample(500, seed=2))


def test_perplexity_and_dead_share_by_hand():
    symbols = torch.tensor([[0, 0], [1, 1], [0, 1], [1, 0]])
    assert evaluate.perplexity(symbols, 8) == pytest.approx(2)
    assert evaluate.dead_share(symbols, 8) == pytest.approx(6 / 8)
    assert evaluate.perplexity(torch.zeros(5, 3, dtype=torch.int64), 8) == pytest.approx(1)
    assert evaluate.perplexity(torch.tensor([[0, 0, 1, 2]]), 4) == pytest.approx(2**1.5)


def test_pixel_bits_are_the_surprise_of_the_pixels(images):
    model = FSQ((784, 20), positions=3, levels=(4, 2)).eval()
    black = (images > 0.5).float()
    symbols = model.encode(black)
    white = model.decode(symbols)
    expected = -torch.where(black > 0, white, 1 - white).log2().flatten(1).sum(1).mean()
    assert evaluate.pixel_bits(model, symbols, black) == pytest.approx(expected.item(), rel=1e-4)
    with pytest.raises(ValueError, match="one code for each image"):
        evaluate.pixel_bits(model, symbols[:3], black)


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ([[0, 1, 2]], "use torch.as_tensor"),
        (torch.zeros(2, 3), "call .long"),
        (torch.zeros(3, dtype=torch.int64), r"symbols\[None\]"),
        (torch.zeros(2, 4, dtype=torch.int64), r"shape \(2, 4\)"),
        (torch.full((2, 3), 8), "another model's code"),
        (torch.full((2, 3), -1), "from -1 to -1"),
    ],
)
def test_bad_symbols_are_refused_with_a_reason(build, symbols, message):
    with pytest.raises(ValueError, match=message):
        checks.symbols(symbols, 3, 8)
    with pytest.raises(ValueError, match=message):
        build().decode(symbols)
    with pytest.raises(ValueError, match=message):
        CodePrior(3, 8).log_prob(symbols)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VQVAE((784, 20), codebook_size=1), "got codebook_size=1, expected a whole number of at least 2"),
        (lambda: VQVAE((784, 20), vector_dim=0), "got vector_dim=0, expected a whole number of at least 1"),
        (lambda: VQVAE((784, 20), commitment=-1), "got commitment=-1, expected a finite number of at least 0"),
        (lambda: VQVAE((784, 20), commitment="much"), "got commitment='much', expected a finite number"),
        (lambda: VQVAE((784, 20), spread=0), "got spread=0, expected a finite number above 0"),
        (lambda: VQVAE((784, 20), spread=math.inf), "got spread=inf, expected a finite number above 0"),
        (lambda: VQVAE((784, 20), seed=-1), "got seed=-1"),
        (lambda: VQVAE((700, 20)), "begin with 700"),
        (lambda: VQVAE(784), "got widths 784, expected at least one whole number above 0, pixels first"),
        (lambda: VQVAE((784, 20), positions=0), "got positions=0, expected a whole number of at least 1"),
        (lambda: VQVAE((784, 20), positions=2.0), "got positions=2.0, expected a whole number"),
        (lambda: VQVAE((784, 20), image_shape=(3, 28, 28)), r"expected 2352, the number of pixels"),
        (lambda: VQVAE(dense((784, 20, 2)), activation=nn.Tanh), "got activation beside an architecture"),
        (lambda: FSQ((784, 20), levels=(4, 1)), r"got levels\[1\]=1, expected a whole number of at least 2"),
        (lambda: FSQ((784, 20), levels=()), "got levels"),
        (lambda: FSQ((784, 20), levels=4), "got levels 4, expected"),
        (lambda: GumbelAutoencoder((784, 20), temperature=0), "got temperature=0, expected a finite number above 0"),
        (lambda: CodePrior(0, 8), "got positions=0"),
        (lambda: CodePrior(3, 1), "got codebook_size=1, expected a whole number of at least 2"),
        (lambda: CodePrior(3, 8, hidden=2.5), "got hidden=2.5, expected a whole number"),
        (lambda: CodePrior(3, 8).sample(0), "got n=0, expected a whole number of at least 1"),
        (lambda: CodePrior(3, 8).sample(2, seed=-1), "got seed=-1"),
    ],
)
def test_bad_settings_are_refused_with_a_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_a_loss_does_not_take_is_refused_before_it_is_computed(build, images):
    labels, symbols = torch.zeros(40, dtype=torch.int64), torch.zeros(40, 3, dtype=torch.int64)
    model, prior = build(), CodePrior(3, 8)
    assert torch.equal(*model.check(images), images)
    assert torch.equal(*prior.check(symbols), symbols)
    for wrong, data, message in (
        (model, (images, labels), "got 2 tensors, expected images alone"),
        (prior, (symbols, labels), "got 2 tensors, expected symbols alone"),
        (prior, (images,), "got symbols of dtype torch.float32, expected int64"),
        (prior, (symbols + 8,), "got symbols from 8 to 8, expected int64"),
        (prior, (symbols[:, :2],), r"got symbols of shape \(40, 2\), expected int64"),
        (prior, (symbols[:0],), r"got no symbols \(shape \(0, 3\)\)"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong.check(*data)


def test_a_prior_lies_on_one_device_and_brings_symbols_there():
    prior = CodePrior(3, 8).to("meta")
    assert prior.device == torch.device("meta")
    assert prior.check(torch.zeros(2, 3, dtype=torch.int64))[0].device == prior.device


def test_what_follows_from_the_levels_is_not_kept_in_a_file_of_weights():
    assert all(
        name.startswith(("encoder", "decoder")) for name in FSQ((784, 20), positions=3, levels=(4, 2)).state_dict()
    )


@pytest.mark.parametrize("bad", [torch.full((3, 2), 4), torch.zeros(3, 3, dtype=torch.int64)])
def test_both_sets_of_codes_are_checked_before_their_bits_are_counted(bad):
    good = torch.zeros(3, 2, dtype=torch.int64)
    for pair in ((good, bad), (torch.full((3, 2), 4), good)):
        with pytest.raises(ValueError, match="got symbols"):
            evaluate.unigram_bits(*pair, 4)


def test_encoding_changes_no_model_though_it_is_in_training_mode(build):
    made = build().train()
    images, before = torch.rand(50, 1, 28, 28), weights(made)
    for _ in range(3):
        made.encode(images)
        made(images)
    assert equal(weights(made), before)


@pytest.mark.parametrize("n", [999, 1000, 1001, 2500])
def test_the_bits_of_pixels_are_a_mean_over_any_number_of_images(n):
    made = VQVAE((784, 8), **SMALL).eval()
    images = torch.bernoulli(torch.full((n, 1, 28, 28), 0.3), generator=torch.Generator().manual_seed(0))
    codes = made.encode(images)
    bits = -made.likelihood(codes).log_prob(images.flatten(1)).sum(1).mean().item() / math.log(2)
    assert evaluate.pixel_bits(made, codes, images) == pytest.approx(bits, rel=1e-5)


def test_the_elbo_of_symbols_is_a_mean_over_images_in_whatever_batches():
    made = GumbelAutoencoder((784, 8), **SMALL).eval()
    images = torch.bernoulli(torch.full((25, 1, 28, 28), 0.3), generator=torch.Generator().manual_seed(0))
    found = [evaluate.elbo(made, images, batch_size=size)["kl"] for size in (25, 10, 1)]
    assert found == pytest.approx([made.kl(made.features(images)).item()] * 3, rel=1e-4)


def test_a_code_may_be_one_bit_and_a_network_without_a_hidden_layer():
    assert VQVAE((784, 20), positions=3, codebook_size=2).bits == 3
    assert FSQ((784, 20), positions=3, levels=(2,)).bits == 3
    assert CodePrior(3, 2).log_prob(torch.zeros(1, 3, dtype=torch.int64)).shape == (1,)
    assert [type(layer) for layer in VQVAE((784,), **SMALL).encoder] == [nn.Linear]
    with pytest.raises(ValueError, match=r"got widths \(\), expected at least one whole number above 0, pixels first"):
        VQVAE((), **SMALL)


def test_the_seed_fixes_each_part_of_a_model(build):
    first, other = build(seed=1), build(seed=2)
    for name, weight in first.named_parameters():
        if weight.dim() == 2:
            assert not torch.equal(weight, dict(other.named_parameters())[name]), name


def test_the_first_codebook_is_drawn_from_the_seed():
    drawn = torch.rand(500, 4, generator=torch.Generator().manual_seed(3))
    model = VQVAE((784, 20), positions=2, codebook_size=500, vector_dim=4, spread=2.0, seed=3)
    torch.testing.assert_close(model.codebook.detach(), 2 * (2 * drawn - 1))


def test_a_vector_is_moved_in_the_step_after_a_hundred_without_use_and_one_use_is_enough():
    model = RevivingVQVAE((784, 20), positions=2, codebook_size=3, vector_dim=1)
    model.codebook.data = torch.tensor([[0.0], [5.0], [50.0]])
    outputs = torch.tensor([[[0.0], [0.1]], [[0.2], [5.0]]])  # three near the first, one near the second
    for step in range(1, 101):
        model.choose(outputs)
        assert model.idle.tolist() == [0, 0, step]
    assert model.idle.dtype == torch.int64
    assert model.codebook[2] == 50
    model.choose(outputs)
    assert model.codebook[2] in outputs


def test_shares_sum_to_1_over_the_symbols_of_each_position_and_are_what_the_decoder_reads(images):
    model = GumbelAutoencoder((784, 20), **SMALL, temperature=0.7)
    logits = model.features(images)
    torch.manual_seed(3)
    shares = gumbel_softmax(logits, 0.7)
    torch.testing.assert_close(shares.sum(2), torch.ones(40, 3))
    read = model.decoder(shares.flatten(1))
    cost = F.binary_cross_entropy_with_logits(read, images.flatten(1), reduction="sum").item() / 40
    torch.manual_seed(3)
    terms = model.loss(images)
    assert terms["reconstruction"].item() == pytest.approx(cost, rel=1e-5)
    assert terms["kl"].item() == pytest.approx(model.kl(logits).item(), rel=1e-5)
    assert terms["total"].item() == pytest.approx(cost + terms["kl"].item(), rel=1e-5)


def test_a_priors_logits_are_those_of_a_loop_with_a_table_for_each_place():
    prior, random = CodePrior(4, 3, hidden=5), torch.Generator().manual_seed(0)
    prior.start.data, prior.offset.data = torch.randn(4, 5, generator=random), torch.randn(4, 3, generator=random)
    symbols = torch.randint(3, (6, 4), generator=random)
    found = prior.logits(symbols)
    for n in range(6):
        for place in range(4):
            said = sum((prior.vectors[j, symbols[n, j]] for j in range(place)), torch.zeros(5))
            wanted = torch.relu(said + prior.start[place]) @ prior.readout[place] + prior.offset[place]
            torch.testing.assert_close(found[n, place], wanted, atol=1e-5, rtol=1e-4)
    chances = found.softmax(2)
    by_hand = sum(chances[:, place].gather(1, symbols[:, place, None])[:, 0].log() for place in range(4))
    torch.testing.assert_close(prior.log_prob(symbols), by_hand)


def test_a_prior_begins_with_sums_and_logits_of_size_1_and_prefers_nothing():
    prior = CodePrior(16, 50, hidden=36)
    assert (prior.vectors.shape, prior.readout.shape) == ((16, 50, 36), (16, 36, 50))
    assert prior.vectors.std().item() == pytest.approx(1 / 4, rel=0.02)
    assert prior.readout.std().item() == pytest.approx(1 / 6, rel=0.02)
    assert not prior.start.any()
    assert not prior.offset.any()


def test_a_prior_draws_each_symbol_with_its_probability():
    prior = CodePrior(2, 3, hidden=4)
    prior.readout.data.zero_()
    chances = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    prior.offset.data = chances.log()
    drawn = prior.sample(4000)
    for place in range(2):
        torch.testing.assert_close(drawn[:, place].bincount() / 4000, chances[place], atol=0.03, rtol=0)
