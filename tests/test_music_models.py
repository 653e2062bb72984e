"""The recurrent VAE of music, the sceptic's models, and what is measured of notes."""

import itertools
import math
from functools import partial

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

import aecourse as ae
from aecourse.data.chorales import pitch_numbers
from aecourse.models import recurrent

CHORD = [72, 67, 64, 48]
WINDOW = torch.tensor([[CHORD, CHORD, [72, 67, 62, 47], [-1, 67, 62, 47], [-1, 69, 65, 53]]])
MODELS = [ae.models.MusicVAE, ae.models.ListeningMusicVAE]


@pytest.fixture(scope="module")
def windows():
    chorales = ae.data.chorales.made_up(train=40, validation=0, test=0)
    return ae.data.chorales.windows(ae.data.chorales.in_c(chorales.train), 5, 1, every=4)


@pytest.fixture(params=MODELS, ids=lambda kind: kind.__name__)
def model(request):
    return request.param(steps=5, latent_dim=3, hidden=16)


def test_symbols_are_pitches_from_the_lowest_with_held_notes_and_rests_apart():
    soprano, bass = recurrent.RANGES["soprano"][0], recurrent.RANGES["bass"][0]
    symbols = recurrent.to_symbols(WINDOW)
    assert symbols[0, :, 0].tolist() == [72 - soprano + 2, 1, 1, 0, 1]
    assert symbols[0, :, 3].tolist() == [48 - bass + 2, 1, 47 - bass + 2, 1, 53 - bass + 2]


def test_what_was_spelled_is_read_as_it_was(windows):
    assert torch.equal(recurrent.from_symbols(recurrent.to_symbols(windows)), windows)
    assert torch.equal(recurrent.from_symbols(recurrent.to_symbols(WINDOW)), WINDOW)


def test_as_before_in_the_first_step_is_read_as_a_rest():
    assert recurrent.from_symbols(torch.tensor([[[1, 1, 1, 1], [1, 0, 5, 1]]]))[0, :, 3].tolist() == [-1, -1]


def test_one_hot_has_a_one_for_each_voice_in_its_own_part():
    hot = recurrent.one_hot(recurrent.to_symbols(WINDOW))
    assert hot.shape == (1, 5, sum(recurrent.SIZES))
    for part, symbols in zip(hot.split(recurrent.SIZES, 2), recurrent.to_symbols(WINDOW).unbind(2), strict=True):
        assert torch.equal(part.argmax(2), symbols)
        assert torch.equal(part.sum(2), torch.ones(1, 5))


def test_shapes_are_those_of_the_protocol(model, windows):
    posterior = model.encode(windows[:7])
    assert posterior.mean.shape == posterior.stddev.shape == (7, 3)
    assert model(windows[:7]).shape == (7, 5, 4)
    assert model.decode(torch.randn(2, 3)).dtype == torch.int64
    assert torch.equal(model(windows[:7]), model(windows[:7]))


def test_the_loss_is_the_cost_of_the_symbols_plus_beta_times_the_kl(model, windows):
    model.eval()
    model.beta = 0.5
    batch = windows[:6]
    torch.manual_seed(3)
    terms = model.loss(batch)
    torch.manual_seed(3)
    posterior = model.encode(batch)
    z = posterior.mean + posterior.stddev * torch.randn(6, 3)
    symbols = recurrent.to_symbols(batch)
    logits, cost, first = model.logits(z, symbols), 0.0, 0
    for voice, size in enumerate(recurrent.SIZES):
        shares = logits[..., first : first + size].softmax(2)
        cost -= shares.gather(2, symbols[..., voice, None]).log().sum() / 6
        first += size
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(terms["reconstruction"], cost, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(terms["kl"], kl, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(terms["total"], cost + 0.5 * kl, rtol=1e-4, atol=1e-3)


def test_an_untrained_model_costs_about_the_logarithm_of_the_number_of_symbols(model, windows):
    expected = 5 * sum(math.log(size) for size in recurrent.SIZES)
    assert model.loss(windows[:50])["reconstruction"].item() == pytest.approx(expected, rel=0.03)


def test_windows_are_checked_before_training_and_nothing_may_come_beside_them(model, windows):
    assert torch.equal(model.check(windows)[0], windows)
    with pytest.raises(ValueError, match="got 2 tensors, expected windows alone"):
        ae.training.fit(model, (windows, windows))
    with pytest.raises(ValueError, match="outside the soprano's range"):
        ae.training.fit(model, windows + 30)


def test_gradients_reach_every_weight(model, windows):
    model.loss(windows[:8])["total"].backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()] == []


def test_the_seed_fixes_the_weights_and_nothing_else():
    state = torch.get_rng_state()
    first, again, other = (ae.models.ListeningMusicVAE(steps=4, hidden=8, seed=seed) for seed in (0, 0, 1))
    assert all(map(torch.equal, first.parameters(), again.parameters()))
    assert not torch.equal(first.to_code.weight, other.to_code.weight)
    assert torch.equal(torch.get_rng_state(), state)


def test_only_the_listening_decoder_depends_on_earlier_notes_and_none_on_later_ones(windows):
    z = torch.zeros(1, 3)
    symbols = recurrent.to_symbols(windows[:1])
    for kind in MODELS:
        model = kind(steps=5, latent_dim=3, hidden=16).eval()
        changed = symbols.clone()
        changed[0, 2] = 0
        moved = (model.logits(z, changed) - model.logits(z, symbols)).abs().sum(2)[0]
        assert not moved[:3].any()
        assert bool(moved[3:].all()) == (kind is ae.models.ListeningMusicVAE)


def test_with_all_words_dropped_training_hears_nothing(windows):
    model = ae.models.ListeningMusicVAE(steps=5, latent_dim=3, hidden=16, word_dropout=1.0)
    symbols = recurrent.to_symbols(windows[:1])
    z, other = torch.zeros(1, 3), symbols.clone()
    other[0, 1:3] = 0
    assert torch.equal(model.train().logits(z, symbols), model.logits(z, other))
    assert not torch.equal(model.eval().logits(z, symbols), model.logits(z, other))


def test_the_listening_decoder_writes_what_is_most_probable_after_what_it_wrote():
    model = ae.models.ListeningMusicVAE(steps=5, latent_dim=3, hidden=16).eval()
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    written = model.decode(z)
    # Steps spelled "as before" may be written as a pitch that happens to be the same, so compare symbols, not notes.
    symbols = torch.zeros(4, 5, 4, dtype=torch.int64)
    for step in range(5):
        symbols[:, step] = recurrent.most_probable(model.logits(z, symbols))[:, step]
    assert torch.equal(recurrent.from_symbols(symbols), written)


def test_drawn_symbols_have_the_decoders_probabilities(model):
    z = torch.zeros(4000, 3)
    first = pitch_numbers(model.sample(z, seed=1))[:, 0, 3]
    expected = model.logits(z[:1], torch.zeros(1, 5, 4, dtype=torch.int64))[0, 0].split(recurrent.SIZES)[3].softmax(0)
    shares = torch.bincount(first, minlength=recurrent.SIZES[3] - 1) / 4000
    # "As before" in the first step is read as a rest.
    wanted = torch.cat([expected[:2].sum()[None], expected[2:]])
    torch.testing.assert_close(shares, wanted, atol=0.02, rtol=0)
    assert torch.equal(model.sample(z, seed=1), model.sample(z, seed=1))


def test_a_small_model_learns_to_rebuild_a_few_windows():
    few = torch.tensor([[[60 + 2 * k, 55, 52, 48 - k]] * 3 + [[62 + k, 57, 50, 43]] for k in range(6)])
    model = ae.models.MusicVAE(steps=4, latent_dim=4, hidden=64, beta=0.1)
    before = ae.evaluate.note_accuracy(model(few), few)["all"]
    ae.training.fit(model, few.repeat(20, 1, 1), epochs=30, batch_size=24, lr=4e-3)
    after = ae.evaluate.note_accuracy(model(few), few)["all"]
    assert before < 0.3
    assert after > 0.9


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (WINDOW[0], r"add a batch dimension with windows\[None\]"),
        (WINDOW[:, :3], r"got windows of shape \(1, 3, 4\), expected an int64 tensor of shape \(N, 5, 4\)"),
        (WINDOW[:0], r"got no windows \(shape \(0, 5, 4\)\)"),
        (WINDOW.float(), r"dtype torch.float32.*call .long\(\)"),
        (WINDOW.tolist(), "got list"),
        (WINDOW + 30, "outside the soprano's range"),
        (WINDOW.flip(2), r"outside the soprano's range \(54, 87\), the first 48"),
    ],
)
def test_what_are_no_windows_is_refused_with_a_reason(model, bad, message):
    for call in (model.check, model.encode):
        with pytest.raises(ValueError, match=message):
            call(bad)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "got steps=0"),
        ({"latent_dim": 0}, "got latent_dim=0"),
        ({"hidden": -1}, "got hidden=-1"),
        ({"hidden": 2.5}, "got hidden=2.5, expected a whole number"),
        ({"steps": True}, "got steps=True"),
        ({"beta": "1"}, "got beta='1'"),
        ({"seed": -1}, "got seed=-1"),
        ({"beta": -0.1}, "got beta=-0.1"),
        ({"word_dropout": 1.5}, "got word_dropout=1.5, expected a finite number of at least 0 and at most 1"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ae.models.ListeningMusicVAE(**settings)


# The sceptic's models


LINE = torch.tensor([[60, 60, 62, 60]])[..., None].repeat(1, 1, 4) - torch.tensor([0, 5, 10, 15])


def test_unigram_bits_are_those_of_counting_by_hand():
    model = ae.evaluate.UnigramModel(LINE, smoothing=1.0)
    size = recurrent.RANGES["soprano"][1] - recurrent.RANGES["soprano"][0] + 2
    nats = model.nats(LINE)[0, :, 0]
    assert nats.exp().reciprocal().tolist() == pytest.approx([4 / (4 + size)] * 2 + [2 / (4 + size)] + [4 / (4 + size)])


def test_hold_mixes_the_last_note_with_all_others():
    chance = 0.4
    model = ae.evaluate.HoldModel(LINE, chance=chance, smoothing=1.0)
    single = (-ae.evaluate.UnigramModel(LINE, smoothing=1.0).nats(LINE)).exp()
    expected = [single[0, 0, 0], chance + (1 - chance) * single[0, 1, 0], *((1 - chance) * single[0, 2:, 0])]
    assert (-model.nats(LINE)[0, :, 0]).exp().tolist() == pytest.approx([float(value) for value in expected])


@pytest.mark.parametrize("bass", [False, True])
def test_a_markov_model_is_a_distribution_over_the_next_note(windows, bass):
    model = ae.evaluate.MarkovModel(windows, bass=bass)
    for table in model.tables:
        torch.testing.assert_close(table.exp().sum(-1), torch.ones(table.shape[:-1]))


def test_a_markov_model_counts_what_followed_what():
    model = ae.evaluate.MarkovModel(LINE, smoothing=0.0)
    # From 60 the line goes once to 60 and once to 62; from 62 always to 60.
    assert (-model.nats(LINE)[0, 1:, 0]).exp().tolist() == pytest.approx([0.5, 0.5, 1.0])


def test_each_sceptic_that_knows_more_pays_less_and_all_pay_less_than_for_dice(windows):
    known, new = windows[::2], windows[1::2]
    e = ae.evaluate
    models = (e.UnigramModel(known), e.MarkovModel(known), e.MarkovModel(known, bass=True))
    bits = [e.bits_per_note(model.nats(new), new) for model in models]
    dice = sum(math.log2(high - low + 2) for low, high in recurrent.RANGES.values()) / 4
    assert dice > bits[0] > bits[1] > bits[2] > 0


def test_what_is_drawn_may_be_the_last_note_so_the_best_chance_is_below_the_share_of_held_ones(windows):
    share = float((windows[:, 1:] == windows[:, :-1]).float().mean())
    chances = [share * part / 10 for part in range(11)]
    costs = [float(ae.evaluate.HoldModel(windows, chance=chance).nats(windows).sum()) for chance in chances]
    assert costs[-1] > min(costs) < costs[0]


def test_negative_counts_and_chances_above_one_make_no_model():
    with pytest.raises(ValueError, match=r"got chance=1\.5"):
        ae.evaluate.HoldModel(LINE, chance=1.5)
    for kind in (ae.evaluate.UnigramModel, partial(ae.evaluate.HoldModel, chance=0.5), ae.evaluate.MarkovModel):
        with pytest.raises(ValueError, match="got smoothing=-1"):
            kind(LINE, smoothing=-1)
    with pytest.raises(ValueError, match="got count=0"):
        ae.evaluate.UnigramModel(LINE).sample(0, 3)


def test_samples_of_the_hold_model_hold_as_often_as_it_says(windows):
    model = ae.evaluate.HoldModel(windows, chance=0.3)
    drawn = model.sample(2000, 3)
    held = float((drawn[:, 1:] == drawn[:, :-1]).float().mean())
    by_chance = float(sum(logs.exp().square().sum() for logs in model.logs)) / 4
    assert held == pytest.approx(model.chance + (1 - model.chance) * by_chance, abs=0.02)


def test_samples_of_a_markov_model_have_its_frequencies(windows):
    model = ae.evaluate.MarkovModel(windows)
    drawn = model.sample(3000, 2, seed=1)
    assert torch.equal(drawn, model.sample(3000, 2, seed=1))
    notes = pitch_numbers(drawn)
    shares = torch.bincount(notes[:, 0, 3], minlength=len(model.logs[3])) / 3000
    torch.testing.assert_close(shares, model.logs[3].exp(), atol=0.03, rtol=0)
    first = notes[:, 0, 0].mode().values
    after = torch.bincount(notes[notes[:, 0, 0] == first][:, 1, 0], minlength=len(model.logs[0]))
    torch.testing.assert_close(after / after.sum(), model.tables[0][first].exp(), atol=0.1, rtol=0)


# Measures


def test_bits_per_note_of_a_coin_is_one():
    assert ae.evaluate.bits_per_note(torch.full((1, 5, 4), math.log(2)), WINDOW) == pytest.approx(1)
    assert ae.evaluate.bits_per_note(20 * math.log(2), WINDOW) == pytest.approx(1)


def logits_of(*chances):
    """Return logits `(1, steps, …)` with these chances of the soprano's symbols at each step, all others tiny."""
    logits = torch.full((1, len(chances), sum(recurrent.SIZES)), -40.0)
    for step, row in enumerate(chances):
        for symbol, chance in row.items():
            logits[0, step, symbol] = math.log(chance)
    return logits


def test_a_held_note_costs_what_both_its_spellings_have_together():
    soprano = recurrent.RANGES["soprano"][0]
    notes = torch.tensor([[soprano, soprano, soprano + 1, -1]])[..., None].repeat(1, 1, 4)
    notes[..., 1:] = -1
    row = {1: 0.5, 2: 0.25, 3: 0.125, 0: 0.125}
    chances = (-ae.evaluate.note_nats(logits_of(row, row, row, row), notes)).exp()[0, :, 0]
    assert chances.tolist() == pytest.approx([0.25, 0.75, 0.125, 0.125], abs=1e-6)


def test_a_held_rest_has_two_spellings_too_and_as_before_in_the_first_step_is_a_rest():
    row = {1: 0.5, 2: 0.25, 0: 0.25}
    rests = torch.full((1, 2, 4), -1)
    chances = (-ae.evaluate.note_nats(logits_of(row, row), rests)).exp()[0, :, 0]
    assert chances.tolist() == pytest.approx([0.75, 0.75], abs=1e-6)


def test_the_chances_of_all_notes_sum_to_one_and_those_of_their_symbols_to_less():
    logits = torch.randn(1, 2, sum(recurrent.SIZES), generator=torch.Generator().manual_seed(0))
    low, high = recurrent.RANGES["bass"]
    all_notes = [-1, *range(low, high + 1)]
    by_note = by_symbol = 0.0
    for pair in itertools.product(all_notes, repeat=2):
        window = torch.full((1, 2, 4), -1)
        window[0, :, 3] = torch.tensor(pair)
        by_note += float((-ae.evaluate.note_nats(logits, window)[0, :, 3].sum()).exp())
        logs = logits.split(recurrent.SIZES, 2)[3].log_softmax(2)[0]
        by_symbol += float(logs.gather(1, recurrent.to_symbols(window)[0, :, 3:]).sum().exp())
    assert by_note == pytest.approx(1, abs=1e-4)
    assert by_symbol < 0.99


def test_logits_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"got logits of shape \(1, 4, \d+\), expected \(1, 5, \d+\)"):
        ae.evaluate.note_nats(torch.zeros(1, 4, sum(recurrent.SIZES)), WINDOW)


def test_elbo_bits_count_the_kl_whole_whatever_beta_is(windows):
    model = ae.models.MusicVAE(steps=5, latent_dim=3, hidden=16, beta=0.0)
    bits = ae.evaluate.elbo_bits(model, windows)
    terms = ae.training.mean_loss(model, windows)
    assert bits["total"] == pytest.approx(bits["reconstruction"] + bits["kl"])
    assert bits["kl"] == pytest.approx(terms["kl"] / 20 / math.log(2))


def test_elbo_bits_are_those_of_notes_with_the_codes_of_the_elbo(model, windows):
    model.eval()
    terms = ae.training.mean_loss(model, windows[:30], seed=3)
    elbo = ae.evaluate.elbo(model, windows[:30], seed=3)
    assert (elbo["reconstruction"], elbo["kl"]) == (terms["reconstruction"], terms["kl"])
    bits = ae.evaluate.elbo_bits(model, windows[:30], seed=3)
    q, symbols = model.encode(windows[:30]), recurrent.to_symbols(windows[:30])
    z = q.mean + q.stddev * torch.randn(30, 3, generator=torch.Generator().manual_seed(3))
    nats = ae.evaluate.note_nats(model.logits(z, symbols), windows[:30])
    assert bits["reconstruction"] == pytest.approx(nats.sum().item() / 30 / math.log(2) / 20, rel=1e-5)
    symbols_alone = recurrent.symbol_cross_entropy(model.logits(z, symbols), symbols)
    assert elbo["reconstruction"] == pytest.approx(symbols_alone.item(), rel=1e-5)
    assert bits["reconstruction"] < elbo["reconstruction"] / math.log(2) / 20
    many = [ae.evaluate.elbo(model, windows[:30], draws=20, seed=seed)["elbo"] for seed in range(5)]
    few = [ae.evaluate.elbo(model, windows[:30], seed=seed)["elbo"] for seed in range(5)]
    assert torch.tensor(many).std() < torch.tensor(few).std()


def test_the_elbo_of_a_model_in_training_is_that_of_one_that_hears_every_word(windows):
    model = ae.models.ListeningMusicVAE(steps=5, latent_dim=3, hidden=16, word_dropout=1.0)
    training = ae.evaluate.elbo_bits(model.train(), windows[:30])
    assert model.training
    assert training == ae.evaluate.elbo_bits(model.eval(), windows[:30])


def test_a_music_vae_has_posteriors_like_any_other(model, windows):
    q = model.encode(windows[:30])
    found = ae.evaluate.posterior(model, windows[:30], batch_size=7)
    torch.testing.assert_close(found.mean, q.mean.detach())
    torch.testing.assert_close(found.stddev, q.stddev.detach())
    per_dimension = ae.evaluate.kl_per_dimension(model, windows[:30])
    torch.testing.assert_close(per_dimension, kl_divergence(q, Normal(0.0, 1.0)).mean(0).detach())


def test_accuracy_is_the_share_of_right_notes_by_voice():
    found = WINDOW.clone()
    found[0, 0, 0] = 71
    found[0, :, 3] = 48
    shares = ae.evaluate.note_accuracy(found, WINDOW)
    assert shares == pytest.approx({"soprano": 0.8, "alto": 1, "tenor": 1, "bass": 0.4, "all": 0.8})
    with pytest.raises(ValueError, match=r"got windows of shapes .* expected two equal ones"):
        ae.evaluate.note_accuracy(WINDOW, WINDOW.repeat(2, 1, 1))


def test_a_triad_has_no_dissonance_and_a_seventh_chord_has_two_of_six():
    triad = torch.tensor([[CHORD]])
    dominant = torch.tensor([[[65, 62, 59, 43]]])  # G B D F: the seventh and the tritone
    assert ae.evaluate.dissonance(triad).item() == 0
    assert ae.evaluate.dissonance(dominant).item() == pytest.approx(2 / 6)
    assert ae.evaluate.dissonance(torch.tensor([[[62, -1, -1, 48]]])).item() == 1  # a ninth
    assert ae.evaluate.dissonance(torch.tensor([[[62, -1, -1, -1]]])).isnan().item()


def test_notes_off_the_scale_are_counted_for_the_key_that_fits_best():
    for up in range(-3, 4):
        scale = torch.tensor([[60, 62, 64, 65, 67, 69, 71, 72]])[..., None].repeat(1, 1, 4) - torch.tensor(
            [0, 0, 12, 12]
        )
        assert ae.evaluate.off_scale(scale + up).item() == 0
    scale[0, 0] += 1
    assert ae.evaluate.off_scale(scale).item() == pytest.approx(1 / 8)


def test_changes_are_the_share_of_voices_that_move():
    assert ae.evaluate.changes(WINDOW).item() == pytest.approx((0 + 2 + 1 + 3) / 16)


def test_the_cost_agrees_with_pytorchs_cross_entropy():
    logits = torch.randn(1, 5, sum(recurrent.SIZES), generator=torch.Generator().manual_seed(0))
    symbols = recurrent.to_symbols(WINDOW)
    expected = sum(
        F.cross_entropy(part[0], symbols[0, :, voice], reduction="sum")
        for voice, part in enumerate(logits.split(recurrent.SIZES, 2))
    )
    torch.testing.assert_close(recurrent.symbol_cross_entropy(logits, symbols), expected)


def test_the_bass_of_each_step_counts_as_often_as_it_is_heard():
    often, once = (
        torch.tensor([[[60, 55, 50, 40], [62, 55, 50, 41]]]),
        torch.tensor([[[60, 55, 50, 40], [64, 55, 50, 41]]]),
    )
    windows = torch.cat([often, often, often, once])
    model = ae.evaluate.MarkovModel(windows, smoothing=0.0, bass=True)
    lowest = ae.data.chorales.LOWEST
    row = model.tables[0][41 - lowest[3] + 1, 60 - lowest[0] + 1].exp()
    assert row[62 - lowest[0] + 1] == pytest.approx(0.75)
    assert row[64 - lowest[0] + 1] == pytest.approx(0.25)


def test_a_window_of_one_step_is_spelled_and_read():
    assert torch.equal(recurrent.from_symbols(recurrent.to_symbols(WINDOW[:, 3:4])), WINDOW[:, 3:4])


def test_word_dropout_drops_whole_steps_with_its_chance(windows):
    model = ae.models.ListeningMusicVAE(steps=5, latent_dim=3, hidden=16, word_dropout=0.3).train()
    heard, symbols = [], recurrent.to_symbols(windows[:400])
    model.decoder.register_forward_pre_hook(lambda layer, given: heard.append(given[0][..., 16:]))
    torch.manual_seed(0)
    model.logits(torch.zeros(len(symbols), 3), symbols)
    before = recurrent.one_hot(symbols)[:, :-1]
    kept = (heard[0][:, 1:] == before).all(2)
    assert torch.equal(heard[0][:, 1:], before * kept[..., None])
    assert not heard[0][:, 0].any()
    assert kept.float().mean().item() == pytest.approx(0.7, abs=0.05)
