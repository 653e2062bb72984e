"""Bits-back coding: every image comes back bit for bit, costs its negative ELBO, and no damage goes unnoticed."""

import contextlib
import copy
import io
import math
import zlib

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from same_weights import weights
from scipy.special import ndtr
from torch import nn
from torch.distributions import Bernoulli

from aecourse import coding, data, evaluate, models, training
from aecourse.coding import bits_back
from aecourse.coding.ans import LOWEST

SHAPE = (1, 4, 4)
HEADER = 24  # bytes
DAMAGED = r"truncated or altered|don't begin as a file of compress does"
DIFFERENT = "the networks' outputs differ on this machine"


def small(kind=models.VAE, *, latent_dim=2, scale=1.0, **settings):
    """A VAE of 16 pixels; with a large `scale` of all weights its posteriors are far out, and narrow or flat."""
    model = kind((16, 8, latent_dim), image_shape=SHAPE, **settings)
    with torch.no_grad():
        for weight in model.parameters():
            weight *= scale
    return model


def constant(mu, log_var, logit=0.0):
    """A VAE that ignores image and code: posterior N(mu, exp(log_var)) for all, and all pixels alike."""
    model = small(latent_dim=len(mu))
    with torch.no_grad():
        for layers in (model.encoder, model.decoder):
            layers[-1].weight.zero_()
        model.encoder[-1].bias.copy_(torch.tensor([*mu, *log_var]))
        model.decoder[-1].bias.fill_(logit)
    return model


def drawn(n, seed=0, white=0.4, shape=SHAPE):
    return (torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed)) < white).float()


def bits(file):
    """Return the bits of information in a file, which is a little longer, since its heads are not full."""
    return coding.Stack.from_words(np.frombuffer(file, "<u4", offset=HEADER), bits_back.LANES).bits()


@pytest.fixture(scope="module")
def binarized(digits):
    return data.binarize(digits.train_images[:1400])


@pytest.fixture(scope="module")
def trained(digits):
    model = models.BinarizedVAE((784, 100, 8))
    training.fit(model, digits.train_images, epochs=15, lr=training.cosine(4e-3, warmup=0.05), device="cpu")
    return model


@pytest.fixture(scope="module")
def made():
    """A model, images, and the file that they make."""
    model, images = small(seed=3), drawn(40)
    return model, images, coding.compress(model, images)


@settings(max_examples=60)
@given(
    n=st.integers(1, 200),
    latent_dim=st.integers(1, 5),
    kind=st.sampled_from([models.VAE, models.BinarizedVAE]),
    activation=st.sampled_from([nn.ReLU, nn.Tanh, nn.SiLU]),
    seed=st.integers(0, 1000),
    white=st.sampled_from([0.0, 0.01, 0.4, 1.0]),
    scale=st.sampled_from([0.1, 1.0, 10.0, 100.0, 1e6]),
)
@example(n=1, latent_dim=1, kind=models.VAE, activation=nn.ReLU, seed=0, white=0.4, scale=1.0)
@example(n=200, latent_dim=5, kind=models.VAE, activation=nn.ReLU, seed=0, white=0.4, scale=10.0)
@example(n=150, latent_dim=2, kind=models.VAE, activation=nn.ReLU, seed=1, white=0.4, scale=30.0)
def test_every_image_comes_back_bit_for_bit(n, latent_dim, kind, activation, seed, white, scale):
    model = small(kind, latent_dim=latent_dim, activation=activation, seed=seed, scale=scale)
    images = drawn(n, seed, white)
    back = coding.decompress(model, coding.compress(model, images, seed=seed))
    assert back.dtype == images.dtype
    assert torch.equal(back, images)


@pytest.mark.parametrize("n", [1, 2, 4, 5, 63, 64, 65, 319, 320, 321, 449])
def test_no_number_of_images_is_special(n):
    model, images = small(), drawn(n)
    assert torch.equal(coding.decompress(model, coding.compress(model, images)), images)


@pytest.mark.parametrize("log_var", [-2000.0, -200.0, 0.0, 200.0, 2000.0])
@pytest.mark.parametrize("mu", [-1e6, 0.0, 40.0])
def test_posteriors_that_are_a_point_or_flat_or_far_out_are_no_danger(mu, log_var):
    model, images = constant([mu, 0.3], [log_var, 0.0], logit=-50.0), drawn(30)
    assert torch.equal(coding.decompress(model, coding.compress(model, images)), images)


@pytest.mark.parametrize("shape", [(1, 3, 5), (3, 2, 2), (1, 1, 1)])
def test_images_may_have_any_shape(shape):
    model, images = models.VAE((math.prod(shape), 8, 2), image_shape=shape), drawn(20, shape=shape)
    assert torch.equal(coding.decompress(model, coding.compress(model, images)), images)


def test_images_may_lie_in_memory_in_any_order():
    images = drawn(20)
    turned = images.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2)
    assert not turned.is_contiguous()
    assert coding.compress(small(), turned) == coding.compress(small(), images)


def test_digits_come_back_from_a_trained_model_and_cost_their_negative_elbo(trained, binarized):
    """With twice the images the file grows by what the second half costs; the initial bits are in both files."""
    half, whole = (coding.compress(trained, part, initial_bits=64_000) for part in (binarized[:700], binarized))
    assert torch.equal(coding.decompress(trained, whole), binarized)
    draws = [evaluate.log_likelihood(trained, binarized[700:], samples=1, seed=seed) for seed in range(20)]
    costs = -torch.stack(draws).double().sum(1) / coding.NATS_PER_BIT
    elbo = evaluate.elbo(trained, binarized[700:], draws=20)["elbo"]
    assert costs.mean().item() == pytest.approx(-700 * elbo / coding.NATS_PER_BIT, abs=2 * costs.std().item())
    assert bits(whole) - bits(half) == pytest.approx(costs.mean().item(), abs=4 * costs.std().item())
    heads = 32 * bits_back.LANES  # in which a file has room that need not be used
    assert 8 * (len(whole) - len(half)) == pytest.approx(costs.mean().item(), abs=heads + 4 * costs.std().item())


@pytest.mark.parametrize(
    ("mu", "log_var", "logit"),
    [([0.0, 0.0], [0.0, 0.0], 0.0), ([1.0, -0.5], [-1.0, -3.0], 1.0), ([0.2, 2.5], [-6.0, 0.5], -3.0)],
)
def test_an_image_costs_the_kl_in_closed_form_and_the_cross_entropy_of_its_pixels(mu, log_var, logit):
    model, images = constant(mu, log_var, logit), drawn(3000)
    few, many = (bits(coding.compress(model, part, initial_bits=3200)) for part in (images[:1000], images))
    mu, variance = np.array(mu), np.exp(log_var)
    kl = 0.5 * (mu**2 + variance - 1 - np.log(variance)).sum()
    pixels = -Bernoulli(torch.tensor(logit).sigmoid()).log_prob(images[1000:]).sum().item()
    noise = (2000 * ((variance - 1) ** 2 / 2 + mu**2 * variance).sum()) ** 0.5  # of Σ log q(z|x) − log p(z)
    assert (many - few) * coding.NATS_PER_BIT == pytest.approx(2000 * kl + pixels, abs=4 * noise + 1)


def test_the_codes_are_drawn_from_the_posterior_from_the_first_one_on(monkeypatch):
    popped, pop = [], coding.Stack.pop
    monkeypatch.setattr(coding.Stack, "pop", lambda *args: popped.append(pop(*args)) or popped[-1])
    coding.compress(constant([0.5], [-1.0]), drawn(200), initial_bits=32_000)
    z = bits_back.CENTRES[np.concatenate(popped)]
    assert len(z) == 200
    assert scipy.stats.kstest((z - 0.5) / math.exp(-0.5), "norm").pvalue > 0.01


def test_the_same_seed_gives_the_same_file_and_another_seed_another_one_of_the_same_images(made):
    model, images, file = made
    assert coding.compress(model, images) == coding.compress(model, images, seed=0) == file
    other = coding.compress(model, images, seed=1)
    assert other != file
    assert torch.equal(coding.decompress(model, other), images)


def test_one_image_more_is_another_file_and_the_order_of_the_images_is_kept(made):
    model, images, file = made
    assert torch.equal(coding.decompress(model, coding.compress(model, images.flip(0))), images.flip(0))
    assert coding.compress(model, images.flip(0)) != file


def test_without_initial_bits_as_few_are_taken_as_suffice_by_doubling():
    model, images = constant([0.0] * 3, [0.0] * 3, logit=-20.0), drawn(60, white=0.0)  # the code is all that costs
    file = coding.compress(model, images)
    words = next(words for words in (3, 6, 12, 24, 48) if _fits(model, images, 32 * words))
    assert coding.compress(model, images, initial_bits=32 * words) == file
    assert words > 3


def _fits(model, images, initial_bits):
    try:
        return bool(coding.compress(model, images, initial_bits=initial_bits))
    except ValueError:
        return False


@pytest.mark.parametrize("initial_bits", [32_000, np.int64(32_000)])
def test_more_initial_bits_than_are_needed_lie_in_the_file_and_do_no_harm(made, initial_bits):
    model, images, file = made
    padded = coding.compress(model, images, initial_bits=initial_bits)
    assert torch.equal(coding.decompress(model, padded), images)
    assert 4000 - 32 < len(padded) - len(file) < 4000


@pytest.mark.parametrize("initial_bits", [0, 32])
def test_too_few_initial_bits_are_an_error_that_names_them(initial_bits):
    model = constant([0.0] * 8, [-8.0] * 8)
    with pytest.raises(ValueError, match=f"got initial_bits={initial_bits}, too few.*initial_bits=None"):
        coding.compress(model, drawn(5), initial_bits=initial_bits)


@pytest.mark.parametrize("initial_bits", [-32, 1, 33, 64.0, "64", math.nan, True])
def test_initial_bits_that_are_no_multiple_of_32_are_an_error(initial_bits):
    with pytest.raises(ValueError, match=r"got initial_bits=.*, expected a multiple of 32, or None"):
        coding.compress(small(), drawn(5), initial_bits=initial_bits)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (drawn(5) / 2, "got grey pixels, expected only 0 and 1"),
        (drawn(5) / 0 * 0, "NaN pixels"),
        (drawn(5) * 255, "divide by 255"),
        (drawn(5, shape=(1, 2, 8)), r"got images of shape \(5, 1, 2, 8\)"),
        (drawn(5)[0], r"images\[None\]"),
        (drawn(0), "got no images"),
        (drawn(5).numpy(), "got ndarray, expected a float32 tensor"),
        (drawn(5).to(torch.uint8), "torch.uint8"),
    ],
    ids=["grey", "NaN", "0 to 255", "shape", "single", "none", "an array", "uint8"],
)
def test_what_are_no_black_and_white_images_is_an_error(bad, message):
    with pytest.raises(ValueError, match=message):
        coding.compress(small(), bad)


def test_grey_levels_of_colours_are_an_error_that_says_so():
    model = models.VAE((48, 8, 2), image_shape=(3, 4, 4))
    with pytest.raises(ValueError, match="got colour pixels, expected only 0 and 1"):
        coding.compress(model, drawn(5, shape=(3, 4, 4)) / 2)


def of_no_use(kind):
    return kind((16, 8, 2), image_shape=SHAPE)


class ForgetsItsCode(models.VAE):
    def likelihood(self, latents, images):
        return super().likelihood(latents)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (of_no_use(models.DenseAutoencoder), "got a DenseAutoencoder, expected a VAE with .* Bernoulli pixels"),
        (of_no_use(models.ConditionalVAE), "got a ConditionalVAE, expected a VAE with .* Bernoulli pixels"),
        (
            of_no_use(models.GaussianVAE),
            "got a GaussianVAE whose likelihood is Normal, expected a VAE with .* Bernoulli",
        ),
        (models.VQVAE(), "got a VQVAE, expected a VAE with .* Bernoulli pixels"),
        (models.GumbelAutoencoder(), "got a GumbelAutoencoder whose posterior is Categorical, expected a VAE"),
        (
            of_no_use(ForgetsItsCode),
            "got a ForgetsItsCode whose likelihood fails .*missing 1 required .*, expected a VAE",
        ),
        (nn.Linear(2, 2), "got a Linear, expected a VAE"),
        (models.VAE, "got a type, expected a VAE"),
        (small(scale=math.nan), "got a model whose weights are NaN or infinite"),
        (small(scale=math.inf), "got a model whose weights are NaN or infinite"),
    ],
    ids=lambda part: type(part).__name__ if isinstance(part, nn.Module) else "",
)
def test_a_model_that_cannot_code_black_and_white_images_is_an_error(model, message, made):
    with pytest.raises(ValueError, match=message):
        coding.compress(model, drawn(5))
    with pytest.raises(ValueError, match=message):
        coding.decompress(model, made[2])


def test_another_model_is_an_error_that_says_so(made):
    _, _, file = made
    for other in (small(seed=4), small(seed=3, scale=1.001), small(seed=3, latent_dim=3)):
        with pytest.raises(ValueError, match="the file was made with another model"):
            coding.decompress(other, file)


def test_one_changed_weight_makes_another_model(made):
    model = copy.deepcopy(made[0])
    with torch.no_grad():
        model.decoder[-1].bias[5] += 1e-6
    with pytest.raises(ValueError, match="the file was made with another model"):
        coding.decompress(model, made[2])


def test_a_copy_of_the_model_restores_the_images(made):
    model, images, file = made
    other = small(models.BinarizedVAE, seed=99)
    other.load_state_dict(model.state_dict())
    assert torch.equal(coding.decompress(other, file), images)


@given(cut=st.integers(0, 10_000))
@example(cut=3)
@example(cut=HEADER - 1)
@example(cut=HEADER)
def test_no_truncated_file_is_decompressed(made, cut):
    model, _, file = made
    with pytest.raises(ValueError, match=DAMAGED):
        coding.decompress(model, file[: cut % len(file)])


@given(position=st.integers(0, 10_000), change=st.integers(1, 255))
@example(position=0, change=1)
@example(position=5, change=1)  # the checksum itself
@example(position=9, change=1)  # the model's
@example(position=13, change=1)  # the images'
@example(position=16, change=1)  # how many there are
@example(position=20, change=1)  # the lanes
def test_no_file_with_a_changed_byte_is_decompressed(made, position, change):
    model, _, file = made
    altered = bytearray(file)
    altered[position % len(file)] ^= change
    with pytest.raises(ValueError, match=DAMAGED):
        coding.decompress(model, bytes(altered))


@given(more=st.binary(min_size=1, max_size=40))
def test_no_file_with_something_behind_it_is_decompressed(made, more):
    model, _, file = made
    with pytest.raises(ValueError, match="truncated or altered"):
        coding.decompress(model, file + more)


@given(st.binary(max_size=300), st.booleans())
def test_foreign_bytes_are_an_error_even_if_they_begin_like_a_file(made, foreign, pretending):
    with pytest.raises(ValueError, match=DAMAGED):
        coding.decompress(made[0], bits_back.MAGIC * pretending + foreign)


@pytest.mark.parametrize("file", ["digits.bb", None, bytearray(b"aeBB")])
def test_what_is_no_file_at_all_is_an_error(made, file):
    with pytest.raises(ValueError, match=f"got {type(file).__name__}, expected the bytes of a file"):
        coding.decompress(made[0], file)


@pytest.mark.parametrize("seed", [None, -1, 1.5])
def test_a_seed_that_fixes_nothing_is_an_error(made, seed):
    with pytest.raises(ValueError, match="got seed="):
        coding.compress(made[0], made[1], seed=seed)


def test_a_png_is_an_error_that_says_what_is_expected(made):
    picture = io.BytesIO()
    Image.fromarray(np.zeros((28, 28), dtype=np.uint8)).save(picture, "png")
    with pytest.raises(ValueError, match="got bytes that don't begin as a file of compress does, expected such a file"):
        coding.decompress(made[0], picture.getvalue())


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_as_it_was(training):
    model, images = small(seed=3).train(training), drawn(40)
    before = weights(model)
    coding.decompress(model, coding.compress(model, images))
    assert model.training == training
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name])
        assert (weight.dtype, weight.device.type) == (torch.float32, "cpu")
        assert weight.requires_grad
        assert weight.grad is None


def test_nothing_is_dropped_out_of_a_model_in_training_mode():
    model, images = small(), drawn(20)
    model.encoder.insert(3, nn.Dropout(0.5))
    file = coding.compress(model.train(), images)
    assert file == coding.compress(model.eval(), images)
    assert torch.equal(coding.decompress(model.train(), file), images)


@pytest.mark.parametrize("initial_bits", [None, 3200])
def test_the_global_random_states_are_neither_used_nor_moved(made, initial_bits):
    model, images, _ = made
    files = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        states = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
        files.append(coding.compress(model, images, initial_bits=initial_bits))
        coding.decompress(model, files[-1])
        assert torch.equal(torch.get_rng_state(), states[0])
        assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert files[0] == files[1]


class Elsewhere(models.VAE):
    """A VAE on a machine whose networks give other outputs."""

    def mu_log_var(self, images):
        mu, log_var = super().mu_log_var(images)
        return mu + self.shift, log_var

    def likelihood(self, latents):
        return Bernoulli(logits=self.sharpness * super().likelihood(latents).logits + self.logits)


def elsewhere(model, **difference):
    other = small(Elsewhere, latent_dim=model.latent_dim)
    other.load_state_dict(model.state_dict())
    other.__dict__.update({"logits": 0.0, "sharpness": 1.0, "shift": 0.0, **difference})
    return other


def outcome(model, file):
    """Return the images, or what the error says."""
    try:
        return coding.decompress(model, file)
    except ValueError as error:
        return str(error)


@given(logits=st.floats(-3, 3), sharpness=st.floats(-2, 2), shift=st.floats(-5, 5))
@example(logits=1e-3, sharpness=1.0, shift=0.0)
@example(logits=0.0, sharpness=1.0, shift=1e-3)
@example(logits=0.0, sharpness=1.0 + 1e-12, shift=1e-12)
def test_where_the_networks_give_other_outputs_there_are_the_right_images_or_an_error(made, logits, sharpness, shift):
    model, images, file = made
    result = outcome(elsewhere(model, logits=logits, sharpness=sharpness, shift=shift), file)
    assert DIFFERENT in result if isinstance(result, str) else torch.equal(result, images)


@pytest.mark.parametrize("difference", [{"logits": 0.1}, {"shift": 0.1}])
def test_other_outputs_of_either_network_are_noticed(made, difference):
    model, _, file = made
    with pytest.raises(ValueError, match=DIFFERENT):
        coding.decompress(elsewhere(model, **difference), file)


def test_a_stack_that_runs_out_of_bits_says_that_the_outputs_differ(monkeypatch):
    model, images = constant([0.0], [0.0], logit=-9.0), drawn(40, white=0.0)
    file = coding.compress(model, images)
    ran_out, pop = [], coding.Stack.pop

    def watched(stack, distribution, n):
        try:
            return pop(stack, distribution, n)
        except coding.OutOfBits:
            ran_out.append(n)
            raise

    monkeypatch.setattr(coding.Stack, "pop", watched)
    with pytest.raises(ValueError, match=DIFFERENT) as caught:
        coding.decompress(elsewhere(model, sharpness=0.0), file)
    assert ran_out
    assert not isinstance(caught.value, coding.OutOfBits)


def test_the_bins_of_a_latent_dimension_are_equally_likely_under_the_prior():
    np.testing.assert_allclose(np.diff(ndtr(bits_back.EDGES)), 2**-bits_back.BINS, rtol=1e-9)
    assert bits_back.EDGES[[0, -1]].tolist() == [-math.inf, math.inf]
    below = ndtr(bits_back.EDGES)
    np.testing.assert_allclose(ndtr(bits_back.CENTRES), (below[:-1] + below[1:]) / 2, rtol=1e-9)


@given(mu=st.floats(-1e3, 1e3) | st.floats(-3, 3), log_sigma=st.floats(-700, 700) | st.floats(-8, 2))
def test_the_slots_of_a_posterior_are_shared_out_among_the_bins_by_their_probability_and_none_goes_empty(mu, log_sigma):
    bins, last = np.arange(2**bits_back.BINS), 2**bits_back.POSTERIOR
    sigma = math.exp(log_sigma)
    q = bits_back._Normal(np.full(len(bins), mu), np.full(len(bins), sigma))
    starts, freqs = q.of(bins)
    assert freqs.min() >= 1
    assert starts.tolist() == [0, *freqs.cumsum()[:-1]]
    assert freqs.sum() == last
    np.testing.assert_array_equal(q.find(starts), bins)
    np.testing.assert_array_equal(q.find(starts + freqs - 1), bins)
    with np.errstate(over="ignore"):
        shares = np.diff(ndtr((bits_back.EDGES - mu) / sigma))
    np.testing.assert_allclose(freqs / last, shares, atol=2**-13 * shares.max() + 2 / last)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_neither_black_nor_white_is_ever_without_a_slot(chances):
    class Model:
        def likelihood(self, latents):
            return Bernoulli(torch.tensor([chances], dtype=torch.float64))

    pixels = np.array([0, 1], dtype=np.uint8)
    for chance, slots in zip(chances, bits_back._likelihoods(Model(), [np.array([0])]), strict=True):
        slots.white = slots.white.repeat(2)
        starts, freqs = slots.of(pixels)
        assert freqs.min() >= 1
        assert freqs.sum() == 2**bits_back.PIXEL
        assert starts.tolist() == [0, freqs[0]]
        assert freqs[1] / 2**bits_back.PIXEL == pytest.approx(chance, abs=2**-bits_back.PIXEL)
        assert slots.find(starts).tolist() == slots.find(starts + freqs - 1).tolist() == [0, 1]


def test_a_person_who_waits_sees_how_many_images_are_done(monkeypatch):
    class Bar(contextlib.nullcontext):
        def update(self, n):
            bars[-1][2] += n

    bars, model, images = [], small(), torch.zeros(7, *SHAPE)
    monkeypatch.setattr(bits_back, "progress_bar", lambda total, unit: bars.append([total, unit, 0]) or Bar(Bar()))
    coding.decompress(model, coding.compress(model, images, seed=0))
    assert bars == [[7, "image", 7]] * 2


# What a file holds


def test_the_checksum_of_a_model_is_that_of_all_names_and_numbers_one_after_the_other():
    model = small(seed=3)
    parts = (part for name, weight in model.state_dict().items() for part in (name.encode(), weight.numpy().tobytes()))
    assert bits_back._checksum(model) == zlib.crc32(b"".join(parts))


def test_every_lane_begins_with_random_bits_of_its_own(monkeypatch):
    begun, push_all = [], bits_back._push_all
    monkeypatch.setattr(
        bits_back, "_push_all", lambda stack, *rest: begun.append(stack.heads.tolist()) or push_all(stack, *rest)
    )
    coding.compress(small(), drawn(3), initial_bits=3200)
    ((*heads,),) = begun
    assert len(set(heads)) == len(heads) == bits_back.LANES
    assert min(heads) >= LOWEST
    assert LOWEST * 1.9 < max(heads) < LOWEST * 2


def test_a_batch_is_at_most_a_quarter_of_the_images_before_it_and_no_more_than_the_lanes():
    assert [*bits_back._batches(40, 6)] == [1] * 8 + [2, 2, 3, 3, 4, 5, 6, 6, 1]
    assert [*bits_back._batches(3, 64)] == [1, 1, 1]


def test_no_distribution_has_more_slots_than_a_stack_codes_without_loss():
    """Symbols cost their surprise to within a ten-thousandth as long as the precision is at most 24."""
    assert max(bits_back.BINS, bits_back.PIXEL, bits_back.POSTERIOR) <= 24


def test_a_pixel_owns_the_whole_number_of_slots_nearest_to_its_chance():
    chances = [0.0, 1.0, *np.random.default_rng(0).uniform(0.01, 0.99, 50)]

    class Model:
        def likelihood(self, latents):
            return Bernoulli(torch.tensor([chances], dtype=torch.float64))

    found = [slots.white.item() for slots in bits_back._likelihoods(Model(), [np.array([0])])]
    assert found[:2] == [1, 2**bits_back.PIXEL - 1]
    np.testing.assert_allclose(found[2:], np.array(chances[2:]) * 2**bits_back.PIXEL, rtol=0, atol=0.5)
