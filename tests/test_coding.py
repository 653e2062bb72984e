"""Entropy, code lengths and Huffman's code, each against SciPy, brute force or a value known by hand."""

import bz2
import io
import itertools
import lzma
import math
import zlib
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aecourse import coding, data
from aecourse.coding import compressors
from aecourse.coding.pixels import black_and_white


def distributions(least=1, most=12, lightest=0):
    """Probabilities made from whole weights, so that ties and very skewed ones occur."""
    weights = st.lists(st.integers(lightest, 1000), min_size=least, max_size=most).filter(any)
    return weights.map(lambda counts: np.array(counts) / sum(counts))


def pairs_of_distributions(lightest=0):
    def both(size):
        return st.tuples(distributions(size, size, lightest), distributions(size, size, lightest))

    return st.integers(1, 12).flatmap(both)


def codes_and_symbols():
    """A Huffman code, and symbols that occur in it."""

    def with_symbols(p):
        possible = [symbol for symbol, chance in enumerate(p) if chance > 0]
        return st.tuples(st.just(coding.huffman(p)), st.lists(st.sampled_from(possible), max_size=60))

    return distributions().flatmap(with_symbols)


def kraft_sum(codewords):
    return sum(Fraction(1, 2 ** len(word)) for word in codewords if word)


@given(distributions())
def test_entropy_equals_scipy(p):
    assert coding.entropy(p) == pytest.approx(scipy.stats.entropy(p, base=2), abs=1e-12)


@given(pairs_of_distributions())
def test_kl_equals_scipy_and_is_infinite_where_scipy_says_so(pair):
    p, q = pair
    assert coding.kl(p, q) == pytest.approx(scipy.stats.entropy(p, q, base=2), abs=1e-9)


@given(pairs_of_distributions(lightest=1))
def test_cross_entropy_is_scipys_entropy_plus_kl(pair):
    p, q = pair
    expected = scipy.stats.entropy(p, base=2) + scipy.stats.entropy(p, q, base=2)
    assert coding.cross_entropy(p, q) == pytest.approx(expected, abs=1e-9)


@given(pairs_of_distributions())
def test_no_code_beats_the_one_made_for_the_distribution(pair):
    p, q = pair
    assert coding.cross_entropy(p, q) >= coding.entropy(p) - 1e-9


@pytest.mark.parametrize(
    ("p", "bits"),
    [
        ([1.0], 0),
        ([0.5, 0.5], 1),
        ([0.25] * 4, 2),
        ([1 / 256] * 256, 8),
        ([0.5, 0.25, 0.125, 0.125], 1.75),
        ([0.0, 1.0, 0.0], 0),
        ([0.9, 0.1], 0.4689955935892812),
    ],
)
def test_entropy_has_the_values_known_by_hand(p, bits):
    assert coding.entropy(p) == pytest.approx(bits, abs=1e-12)


def test_the_entropy_of_a_certain_symbol_is_plus_zero():
    assert math.copysign(1, coding.entropy([1.0])) == 1


def test_the_wrong_code_costs_what_hand_calculation_says():
    p, q = [0.5, 0.5], [0.25, 0.75]
    by_hand = 0.5 * 2 + 0.5 * math.log2(4 / 3)
    assert coding.cross_entropy(p, q) == pytest.approx(by_hand, abs=1e-12)
    assert coding.kl(p, q) == pytest.approx(by_hand - 1, abs=1e-12)


def test_a_symbol_without_a_place_in_the_code_costs_infinity():
    assert coding.cross_entropy([0.5, 0.5], [1.0, 0.0]) == math.inf
    assert coding.kl([0.5, 0.5], [1.0, 0.0]) == math.inf


def test_a_place_in_the_code_that_is_never_used_only_costs_what_it_takes_from_the_others():
    assert coding.cross_entropy([1.0, 0.0], [0.5, 0.5]) == pytest.approx(1)


def test_kl_is_not_symmetric():
    p, q = [0.9, 0.1], [0.5, 0.5]
    assert coding.kl(p, q) == pytest.approx(1 - 0.4689955935892812)
    assert coding.kl(q, p) == pytest.approx(0.5 * math.log2(0.5 / 0.9) + 0.5 * math.log2(0.5 / 0.1))


def test_nats_divided_by_nats_per_bit_are_bits():
    p = [0.7, 0.2, 0.1]
    assert scipy.stats.entropy(p) / coding.NATS_PER_BIT == pytest.approx(coding.entropy(p))


@pytest.mark.parametrize(
    "p",
    [[], [0.5, 0.6], [0.5, 0.4], [1.5, -0.5], [0.5, math.nan], [math.inf, 0.5], [[0.5, 0.5]], 1.0, [3, 5]],
    ids=["empty", "sum 1.1", "sum 0.9", "negative", "NaN", "infinite", "two-dimensional", "no list", "counts"],
)
@pytest.mark.parametrize(
    "function",
    [
        coding.entropy,
        lambda p: coding.cross_entropy(p, [0.5, 0.5]),
        lambda p: coding.kl([0.5, 0.5], p),
        coding.huffman,
        lambda p: coding.mean_length(p, ["0", "1"]),
    ],
    ids=["entropy", "cross_entropy", "kl", "huffman", "mean_length"],
)
def test_what_is_no_distribution_is_an_error(function, p):
    with pytest.raises(ValueError, match=r"got .*expected"):
        function(p)


@pytest.mark.parametrize("function", [coding.cross_entropy, coding.kl])
def test_distributions_over_different_alphabets_are_an_error(function):
    with pytest.raises(ValueError, match="got 2 and 3 probabilities"):
        function([0.5, 0.5], [0.5, 0.25, 0.25])


def test_frequencies_equal_a_count_by_hand():
    p = coding.frequencies(torch.tensor([[0, 2], [2, 3]]), 5)
    assert p.tolist() == [0.25, 0, 0.5, 0.25, 0]


def test_smoothing_adds_to_every_count():
    p = coding.frequencies(torch.tensor([0, 0, 1], dtype=torch.uint8), 3, smoothing=1.0)
    assert p == pytest.approx([3 / 6, 2 / 6, 1 / 6])


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (torch.tensor([], dtype=torch.int64), "got no symbols"),
        (torch.tensor([0.5]), "whole numbers"),
        (torch.tensor([0, 4]), "from 0 to 4, expected 0 to 3"),
        (torch.tensor([-1, 2]), "from -1 to 2"),
    ],
)
def test_symbols_that_cannot_be_counted_are_an_error(symbols, message):
    with pytest.raises(ValueError, match=message):
        coding.frequencies(symbols, 4)


@pytest.mark.parametrize("settings", [{"smoothing": -1}, {"smoothing": math.nan}, {"alphabet_size": 0}])
def test_counts_below_nothing_and_an_alphabet_of_nothing_are_an_error(settings):
    with pytest.raises(ValueError, match=f"got {next(iter(settings))}=.*expected a"):
        coding.frequencies(torch.tensor([0]), **settings)


def test_every_grey_level_survives_the_way_to_floats_and_back():
    levels = torch.arange(256, dtype=torch.uint8)
    back = coding.grey_levels(levels.float() / 255)
    assert back.dtype == torch.uint8
    assert torch.equal(back, levels)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.tensor([[0, 200, 255]], dtype=torch.uint8), "dtype torch.uint8.*images.float"),
        (torch.tensor([[0.0, 200.0, 255.0]]), "divide by 255"),
        (torch.tensor([[0.0, -0.5]]), "from -0.5 to 0"),
        (torch.tensor([[0.0, math.nan]]), "NaN pixels"),
    ],
    ids=["stored levels", "0 to 255", "negative", "NaN"],
)
@pytest.mark.parametrize("function", [coding.grey_levels, lambda images: coding.compressed_size(images, "zlib")])
def test_what_would_wrap_round_is_an_error_and_no_grey_level(function, images, message):
    with pytest.raises(ValueError, match=message):
        function(images)


@given(distributions(least=2, lightest=1))
def test_huffmans_mean_length_lies_between_the_entropy_and_one_bit_more(p):
    length = coding.mean_length(p, coding.huffman(p))
    bits = scipy.stats.entropy(p, base=2)
    assert bits - 1e-9 <= length < bits + 1


@given(distributions())
def test_no_codeword_begins_another(p):
    words = [word for word in coding.huffman(p) if word]
    assert not any(second.startswith(first) for first, second in itertools.permutations(words, 2))


@given(distributions(least=2, lightest=1))
def test_huffmans_code_is_complete_so_that_its_kraft_sum_is_one(p):
    assert kraft_sum(coding.huffman(p)) == 1


def _least_mean_length(p):
    """Try all lengths that a prefix code could have: those that satisfy Kraft's inequality."""
    lengths = itertools.product(range(1, len(p)), repeat=len(p))
    allowed = (choice for choice in lengths if sum(2.0**-length for length in choice) <= 1)
    return min(sum(chance * length for chance, length in zip(p, choice, strict=True)) for choice in allowed)


@given(distributions(least=2, most=5, lightest=1))
def test_no_prefix_code_is_shorter_than_huffmans(p):
    assert coding.mean_length(p, coding.huffman(p)) == pytest.approx(_least_mean_length(p), abs=1e-12)


def test_huffmans_code_for_powers_of_a_half_costs_exactly_the_entropy():
    p = [0.5, 0.25, 0.125, 0.125]
    words = coding.huffman(p)
    assert sorted(map(len, words)) == [1, 2, 3, 3]
    assert coding.mean_length(p, words) == 1.75


def test_a_lone_symbol_gets_one_bit():
    assert coding.huffman([1.0]) == ["0"]
    assert coding.huffman([0.0, 1.0, 0.0]) == ["", "0", ""]


def test_symbols_that_never_occur_get_no_codeword():
    words = coding.huffman([0.5, 0.0, 0.5])
    assert words[1] == ""
    assert sorted([words[0], words[2]]) == ["0", "1"]


def test_huffmans_code_is_the_same_every_time():
    p = [0.2] * 5
    assert coding.huffman(p) == coding.huffman(p)


def test_the_longest_codeword_of_equal_symbols_is_as_short_as_can_be():
    assert max(map(len, coding.huffman([1 / 6] * 6))) == 3


def test_mean_length_weighs_codewords_by_their_chance():
    assert coding.mean_length([0.5, 0.25, 0.25], ["0", "10", "110"]) == pytest.approx(0.5 + 0.5 + 0.75)


def test_mean_length_is_infinite_where_a_symbol_that_occurs_has_no_codeword():
    assert coding.mean_length([0.5, 0.5], ["0", ""]) == math.inf
    assert coding.mean_length([1.0, 0.0], ["0", ""]) == 1


def test_mean_length_of_another_number_of_codewords_is_an_error():
    with pytest.raises(ValueError, match="got 2 probabilities and 3 codewords"):
        coding.mean_length([0.5, 0.5], ["0", "10", "11"])


@given(codes_and_symbols())
def test_what_was_encoded_is_decoded(code_and_symbols):
    words, symbols = code_and_symbols
    bits = coding.huffman_encode(symbols, words)
    assert len(bits) == sum(len(words[symbol]) for symbol in symbols)
    assert set(bits) <= {"0", "1"}
    assert coding.huffman_decode(bits, words) == symbols


def test_grey_levels_of_real_digits_survive_the_round_trip(digits):
    levels = coding.grey_levels(digits.test_images[:2])
    words = coding.huffman(coding.frequencies(levels))
    symbols = levels.flatten().tolist()
    assert coding.huffman_decode(coding.huffman_encode(symbols, words), words) == symbols


@pytest.mark.parametrize("symbol", [-1, 1, 3])
def test_a_symbol_without_a_codeword_cannot_be_encoded(symbol):
    with pytest.raises(ValueError, match=f"got the symbol {symbol}"):
        coding.huffman_encode([0, symbol], ["0", "", "1"])


def test_bits_that_were_cut_off_are_an_error():
    with pytest.raises(ValueError, match="end inside a codeword"):
        coding.huffman_decode("011", ["0", "10", "110", "111"])


def test_bits_of_another_code_are_an_error():
    with pytest.raises(ValueError, match="fit no codeword, up to position 1"):
        coding.huffman_decode("11", ["0", "10"])


def test_what_is_not_a_bit_is_an_error():
    with pytest.raises(ValueError, match="got bits"):
        coding.huffman_decode("0201", ["0", "10", "11"])


@pytest.mark.parametrize("words", [["", ""], []])
def test_bits_cannot_be_decoded_without_a_single_codeword(words):
    with pytest.raises(ValueError, match=f"got no codeword among {len(words)} symbols, expected at least one"):
        coding.huffman_decode("01", words)


def _noise(count=30, side=4, levels=256, seed=0):
    """Return random images of a few grey levels: as uint8 and as the floats that stand for them."""
    stored = np.random.default_rng(seed).integers(0, levels, (count, 1, side, side), dtype=np.uint8)
    return stored, torch.from_numpy(stored).float() / 255


def test_position_frequencies_equal_a_count_pixel_by_pixel():
    stored, images = _noise(levels=6)
    p = coding.position_frequencies(images, smoothing=0.5)
    flat = stored.reshape(len(stored), -1)
    assert p.shape == (16, 256)
    for position, level in itertools.product(range(16), [0, 3, 5, 200]):
        count = (flat[:, position] == level).sum()
        assert p[position, level] == pytest.approx((count + 0.5) / (len(stored) + 128))
    assert p.sum(1) == pytest.approx(np.ones(16))


def test_position_cost_equals_a_sum_pixel_by_pixel():
    _, train = _noise(levels=6)
    stored, test = _noise(count=5, levels=6, seed=1)
    p = coding.position_frequencies(train)
    bits = 0.0
    for image in stored.reshape(len(stored), -1):
        bits += sum(-math.log2(p[position, level]) for position, level in enumerate(image))
    assert coding.position_cost(test, p) == pytest.approx(bits / len(stored))


def test_position_cost_of_other_sized_images_is_an_error():
    _, images = _noise()
    with pytest.raises(ValueError, match="got images of 25 pixels and a code for 16"):
        coding.position_cost(torch.zeros(1, 1, 5, 5), coding.position_frequencies(images))


def test_without_smoothing_a_level_never_seen_at_its_position_costs_infinity(recwarn):
    code = coding.position_frequencies(torch.zeros(3, 1, 2, 2), smoothing=0)
    assert coding.position_cost(torch.zeros(1, 1, 2, 2), code) == 0
    assert coding.position_cost(torch.ones(1, 1, 2, 2), code) == math.inf
    assert list(recwarn) == []


@pytest.mark.parametrize("smoothing", [-0.1, math.nan, math.inf])
def test_position_frequencies_cannot_be_smoothed_by_less_than_nothing(smoothing):
    with pytest.raises(ValueError, match="got smoothing="):
        coding.position_frequencies(torch.zeros(3, 1, 2, 2), smoothing=smoothing)


def test_quantized_cost_of_four_equally_frequent_bins_is_two_bits_a_column():
    column = torch.tensor([0.0, 1.0, 2.0, 3.0]).repeat(25)
    rows = torch.stack([column, 10 + column.flip(0), torch.zeros(100)], 1)
    assert coding.quantized_cost(rows, rows, 1.0, smoothing=0.0) == pytest.approx(4)


def test_quantized_cost_equals_a_sum_row_by_row():
    random = np.random.default_rng(0)
    train, test = random.normal(0, 2, (60, 3)), random.normal(0, 3, (20, 3))
    bits = 0.0
    for column in range(3):
        known = np.rint(train[:, column] / 0.5).astype(int)
        new = np.clip(np.rint(test[:, column] / 0.5).astype(int), known.min(), known.max())
        bins = known.max() - known.min() + 1
        for level in new:
            bits -= math.log2(((known == level).sum() + 0.1) / (60 + 0.1 * bins))
    measured = coding.quantized_cost(torch.from_numpy(train), torch.from_numpy(test), 0.5)
    assert measured == pytest.approx(bits / 20)


@pytest.mark.parametrize("step", [0.01, 0.3, 2.0])
@pytest.mark.parametrize("smoothing", [0.1, 1.0])
def test_quantized_cost_equals_that_of_a_list_of_all_bins_to_the_last_bit(step, smoothing):
    random = torch.Generator().manual_seed(0)
    train, test = 2 * torch.randn(500, 4, generator=random), 3 * torch.randn(200, 4, generator=random)
    bits = 0.0
    for known, new in zip((train / step).round().long().T, (test / step).round().long().T, strict=True):
        low, high = int(known.min()), int(known.max())
        p = coding.frequencies(new.clamp(low, high) - low, high - low + 1)
        bits += coding.cross_entropy(p, coding.frequencies(known - low, high - low + 1, smoothing=smoothing))
    assert coding.quantized_cost(train, test, step, smoothing=smoothing) == bits


def test_one_code_that_is_far_out_costs_bits_and_no_list_of_a_billion_bins():
    rows = torch.tensor([[0.0]] * 99 + [[1e6]], dtype=torch.float64)
    total = 100 + 0.1 * (10**9 + 1)
    by_hand = 0.99 * math.log2(total / 99.1) + 0.01 * math.log2(total / 1.1)
    assert coding.quantized_cost(rows, rows, 1e-3) == pytest.approx(by_hand)


def test_a_test_value_in_an_empty_bin_costs_infinity_without_smoothing(recwarn):
    train, test = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0]])
    assert coding.quantized_cost(train, test, 1.0, smoothing=0) == math.inf
    assert list(recwarn) == []


ROWS = torch.zeros(5, 2)


@pytest.mark.parametrize(
    ("train", "test", "settings", "message"),
    [
        (ROWS, ROWS, {"step": 0}, "got step=0, expected a finite number above 0"),
        (ROWS, ROWS, {"step": -1.0}, "got step=-1.0"),
        (ROWS, ROWS, {"step": math.nan}, "got step=nan"),
        (ROWS, ROWS, {"step": 1.0, "smoothing": -1}, "got smoothing=-1"),
        (ROWS, ROWS + math.nan, {"step": 1.0}, "got a row with nan, expected finite numbers"),
        (ROWS + 1e10, ROWS, {"step": 1e-12}, "take a larger step"),
        (ROWS, ROWS[:, :1], {"step": 1.0}, "got 2 columns to train on and 1 to test on, expected as many"),
        (ROWS[:0], ROWS, {"step": 1.0}, r"got rows of shape \(0, 2\), expected a tensor \(N, k\)"),
        (ROWS, ROWS[0], {"step": 1.0}, r"got rows of shape \(2,\)"),
        (ROWS.numpy(), ROWS, {"step": 1.0}, "got rows of type ndarray"),
    ],
)
def test_what_cannot_be_quantized_is_an_error(train, test, settings, message):
    with pytest.raises(ValueError, match=message):
        coding.quantized_cost(train, test, **settings)


def test_zlib_and_lzma_cost_what_a_stream_that_decompresses_to_the_pixels_has_bits():
    stored, images = _noise(levels=3, side=28)
    for method, pack, unpack in (
        ("zlib", lambda data: zlib.compress(data, level=9), zlib.decompress),
        ("lzma", lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
    ):
        stream = pack(stored.tobytes())
        assert unpack(stream) == stored.tobytes()
        assert coding.compressed_size(images, method) == pytest.approx(8 * len(stream) / 30)


def test_png_costs_what_a_picture_that_reads_back_as_the_pixels_has_bits():
    stored, images = _noise(levels=3, side=28)
    file = io.BytesIO()
    Image.fromarray(np.concatenate(list(stored[:, 0]))).save(file, "png", optimize=True)
    assert np.array_equal(np.asarray(Image.open(file)), stored.reshape(-1, 28))
    assert coding.compressed_size(images, "png") == pytest.approx(8 * len(file.getvalue()) / 30)


@pytest.mark.parametrize("method", compressors.COMPRESSORS)
def test_noise_cannot_be_compressed_and_a_plain_surface_costs_next_to_nothing(method):
    _, noise = _noise(count=50, side=28)
    assert coding.compressed_size(noise, method) > 0.99 * 8 * 784
    assert coding.compressed_size(torch.ones(50, 1, 28, 28), method) < 0.01 * 8 * 784


def test_an_unknown_method_of_compression_is_an_error():
    with pytest.raises(ValueError, match="got method='zip', expected one of zlib, lzma, bz2, png, webp"):
        coding.compressed_size(torch.zeros(1, 1, 28, 28), "zip")


def test_a_picture_too_tall_for_webp_is_an_error():
    assert coding.compressed_size(torch.zeros(585, 1, 28, 28), "webp") > 0
    with pytest.raises(ValueError, match="got 16,408 rows of pixels, expected at most 16,383 for WebP"):
        coding.compressed_size(torch.zeros(586, 1, 28, 28), "webp")


def test_images_may_lie_in_memory_in_any_order():
    _, images = _noise(count=1, side=28)
    turned = images.transpose(2, 3)
    for method in compressors.COMPRESSORS:
        assert coding.compressed_size(turned, method) == coding.compressed_size(turned.contiguous(), method)


def binary(n, height=4, width=4, white=0.4, seed=0):
    """Return random black-and-white images."""
    return (torch.rand(n, 1, height, width, generator=torch.Generator().manual_seed(seed)) < white).float()


@pytest.fixture(scope="module")
def binarized(digits):
    return data.binarize(digits.test_images)


def test_black_and_white_images_become_bytes_of_the_same_shape():
    images = binary(3, 2, 5)
    pixels = black_and_white(images, (1, 2, 5))
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == images.int().tolist()
    turned = black_and_white(images.transpose(0, 3))
    assert turned.flags.c_contiguous
    assert turned.tolist() == images.transpose(0, 3).int().tolist()


COSTS = {
    "black_and_white": black_and_white,
    "best_compressed_sizes": coding.best_compressed_sizes,
    "context_cost of train": lambda images: coding.context_cost(images, binary(2), 2),
    "context_cost of test": lambda images: coding.context_cost(binary(2), images, 2),
    "adaptive_context_cost": lambda images: coding.adaptive_context_cost(images, 2),
}


@pytest.mark.parametrize("function", COSTS)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (binary(3) / 2, r"got grey pixels, expected only 0 and 1; use data.binarize\(images\) first"),
        (binary(3) * 255, "divide by 255"),
        (binary(3) / 0 * 0, "NaN pixels"),
        (binary(0), "got no images"),
        (binary(3).byte(), "torch.uint8"),
        (binary(3).expand(3, 3, 4, 4) / 2, "got colour pixels, expected only 0 and 1"),
        (binary(3).flatten(1), r"got images of shape \(3, 16\), expected \(N, C, H, W\); use images.reshape"),
    ],
    ids=["grey", "0 to 255", "NaN", "none", "uint8", "colour", "flat"],
)
def test_what_are_no_black_and_white_images_costs_an_error(function, bad, message):
    with pytest.raises(ValueError, match=message):
        COSTS[function](bad)


def test_black_and_white_images_of_another_shape_than_asked_for_are_an_error():
    with pytest.raises(ValueError, match=r"got images of shape \(3, 1, 4, 4\)"):
        black_and_white(binary(3), (1, 28, 28))


@pytest.mark.parametrize(("height", "width"), [(28, 28), (8, 8), (5, 7), (1, 1), (9, 2)])
@pytest.mark.parametrize("n", [1, 11])
def test_each_layout_holds_every_pixel_once_and_pads_with_black(n, height, width):
    pixels = binary(n, height, width).numpy().astype(np.uint8)
    layouts = compressors._layouts(pixels)
    assert len({(each.shape, each.tobytes()) for each in layouts}) > 1 or height * width == 1
    for index, ((high, wide), layout) in enumerate(
        zip([(1, 8), (1, 8), (8, 1), (8, 1), (4, 2), (4, 2)], layouts, strict=True)
    ):
        packed = layout.swapaxes(1, 2) if index % 2 else layout
        tiles = np.unpackbits(packed[..., None], axis=3).reshape(*packed.shape, high, wide).swapaxes(2, 3)
        whole = tiles.reshape(n, packed.shape[1] * high, packed.shape[2] * wide)
        assert np.array_equal(whole[:, :height, :width], pixels[:, 0])
        assert whole.sum() == pixels.sum()
        assert layout.flags.c_contiguous


@pytest.mark.parametrize("n", [1, 7, 585, 586, 2000])
@pytest.mark.parametrize("method", ["png", "webp"])
def test_the_mosaic_that_is_compressed_as_a_picture_reads_back_as_the_images(n, method):
    images = np.random.default_rng(0).integers(256, size=(n, 3, 28), dtype=np.uint8)
    file = compressors.COMPRESSORS[method](compressors._mosaic(images))
    mosaic = np.asarray(Image.open(io.BytesIO(file)).convert("L"))
    tiles = mosaic.reshape(len(mosaic) // 3, 3, -1, 28).swapaxes(1, 2).reshape(-1, 3, 28)
    assert np.array_equal(tiles[:n], images)
    assert not tiles[n:].any()


def test_compressors_at_their_best_are_no_worse_than_on_rows_of_eight_pixels_a_byte(binarized):
    best = coding.best_compressed_sizes(binarized)
    assert list(best) == ["zlib", "lzma", "bz2", "png", "webp"]
    packed = np.packbits(binarized.numpy().astype(bool), axis=3)
    streams = {
        "zlib": zlib.compress(packed, 9),
        "lzma": lzma.compress(packed, preset=9 | lzma.PRESET_EXTREME),
        "bz2": bz2.compress(packed, 9),
    }
    for method, stream in streams.items():
        assert best[method] <= 8 * len(stream) / len(binarized)
    for method in ("zlib", "lzma", "png"):
        assert best[method] < coding.compressed_size(binarized, method)


def test_a_compressor_at_its_best_needs_the_smallest_of_six_streams():
    images = binary(50, 16, 16, white=0.1)
    pixels = images[:, 0].numpy().astype(bool)
    squat = pixels.reshape(50, 4, 4, 8, 2).swapaxes(2, 3).reshape(50, 4, 8, 8)
    streams = [np.packbits(pixels, axis=2), np.packbits(pixels, axis=1), np.packbits(squat, axis=3)[..., 0]]
    streams = [layout.tobytes() for each in streams for layout in (each, each.swapaxes(1, 2))]
    best = coding.best_compressed_sizes(images)
    assert best["zlib"] == 8 * min(len(zlib.compress(stream, 9)) for stream in streams) / 50
    assert best["bz2"] == 8 * min(len(bz2.compress(stream, 9)) for stream in streams) / 50


def test_plain_images_cost_next_to_nothing_and_noise_its_pixels_at_best():
    for plain in (torch.zeros(500, 1, 28, 28), torch.ones(500, 1, 28, 28)):
        assert max(coding.best_compressed_sizes(plain).values()) < 4
    noise = coding.best_compressed_sizes(binary(500, 28, 28, white=0.5))
    assert all(784 < bits < 1.25 * 784 for bits in noise.values())


def test_odd_sizes_are_padded():
    sizes = coding.best_compressed_sizes(binary(60, 5, 7, white=0.5))
    assert all(bits > 35 for bits in sizes.values())


def around(reach):
    """Return where a decoder has been and no further away than this, in pixels squared."""
    offsets = itertools.product(range(-5, 1), range(-5, 6))
    return [(dy, dx) for dy, dx in offsets if (dy < 0 or (dy == 0 and dx < 0)) and dy**2 + dx**2 <= reach]


def cost_by_loops(train, test, offsets, block=None, smoothing=0.5):
    """The cost of `context_cost`, pixel by pixel."""

    def visits(images):
        for image in images[:, 0].int().tolist():
            for y, x in itertools.product(range(len(image)), range(len(image[0]))):
                at = [(y + dy, x + dx) for dy, dx in offsets]
                seen = [image[v][u] if v >= 0 and 0 <= u < len(image[0]) else 0 for v, u in at]
                yield (y // block, x // block, *seen) if block else tuple(seen), image[y][x]

    counts = {}
    for context, pixel in visits(train):
        counts.setdefault(context, [smoothing, smoothing])[pixel] += 1
    bits = 0.0
    for context, pixel in visits(test):
        black_white = counts.get(context, [smoothing, smoothing])
        bits -= math.log2(black_white[pixel] / sum(black_white))
    return bits / len(test)


JBIG = [(-2, -1), (-2, 0), (-2, 1), (-1, -2), (-1, -1), (-1, 0), (-1, 1), (-1, 2), (0, -2), (0, -1)]


@pytest.mark.parametrize("block", [None, 1, 2, 3, 100])
@pytest.mark.parametrize(
    ("neighbours", "offsets"),
    [(0, []), (1, [(0, -1)]), (2, around(1)), (3, [(0, -1), (-1, 0), (-1, -1)]), (4, around(2)), (10, JBIG)],
)
def test_the_context_cost_equals_a_count_pixel_by_pixel(neighbours, offsets, block):
    train, test = binary(30, 5, 6), binary(7, 5, 6, white=0.6, seed=1)
    measured = coding.context_cost(train, test, neighbours, block=block)
    assert measured == pytest.approx(cost_by_loops(train, test, offsets, block))


@pytest.mark.parametrize(("neighbours", "reach"), [(6, 4), (10, 5), (12, 8), (14, 9), (18, 10)])
def test_neighbours_are_the_nearest_that_a_decoder_knows(neighbours, reach):
    train, test = binary(30, 6, 7), binary(7, 6, 7, seed=1)
    assert len(around(reach)) == neighbours
    measured = coding.context_cost(train, test, neighbours, smoothing=0.1)
    assert measured == pytest.approx(cost_by_loops(train, test, around(reach), smoothing=0.1))


def test_without_neighbours_the_context_cost_is_the_cross_entropy_of_the_share_of_white(binarized):
    train, test = binarized[:300], binarized[300:]
    p, q = ([1 - images.mean().item(), images.mean().item()] for images in (test.double(), train.double()))
    measured = coding.context_cost(train, test, 0, smoothing=1e-9)
    assert measured == pytest.approx(784 * coding.cross_entropy(p, q), rel=1e-6)


def test_in_blocks_of_one_pixel_the_context_cost_is_that_of_each_position():
    train, test = binary(40), binary(10, white=0.7, seed=1)
    white = (train.double().sum(0) + 0.5) / 41
    bits = -torch.where(test == 1, white, 1 - white).log2().flatten(1).sum(1).mean().item()
    assert coding.context_cost(train, test, 0, block=1) == pytest.approx(bits)


def test_a_pixel_that_follows_from_its_neighbours_costs_next_to_nothing():
    """The first row is random, and every other pixel is the exclusive or of those on its left and above it."""
    pixels = binary(3000, 4, 4, white=0.5).numpy().astype(bool)
    for y, x in itertools.product(range(1, 4), range(4)):
        pixels[:, 0, y, x] = pixels[:, 0, y - 1, x] ^ (pixels[:, 0, y, x - 1] if x else False)
    images = torch.from_numpy(pixels).float()
    assert coding.context_cost(images[:2000], images[2000:], 2, block=1) == pytest.approx(4, abs=0.05)
    assert coding.context_cost(images[:2000], images[2000:], 1, block=1) > 12


def test_where_each_pixel_equals_its_left_neighbour_only_the_first_column_costs():
    images = binary(3000, 5, 1, white=0.5).expand(3000, 1, 5, 12)
    assert coding.context_cost(images[:2000], images[2000:], 1, block=1) == pytest.approx(5, abs=0.05)
    assert coding.context_cost(images[:2000], images[2000:], 0, block=1) == pytest.approx(60, abs=0.2)
    plain = torch.zeros(50, 1, 20, 8)
    assert coding.context_cost(plain, plain, 1) < 0.001 * 160


def test_only_training_images_are_counted():
    train, test = binary(50), binary(9, white=0.9, seed=1)
    together = coding.context_cost(train, test, 3)
    apart = [coding.context_cost(train, image[None], 3) for image in test]
    assert together == pytest.approx(sum(apart) / 9)
    assert coding.context_cost(test, test, 3) < together


def test_thousands_of_images_are_counted_like_a_few():
    images = binary(4000, 2, 3, seed=5)
    thrice = coding.context_cost(images.repeat(3, 1, 1, 1), images.repeat(3, 1, 1, 1), 3, block=2, smoothing=1.5)
    assert thrice == pytest.approx(coding.context_cost(images, images, 3, block=2, smoothing=0.5))


def test_context_cost_by_default_is_that_of_the_ten_nearest_and_half_a_count(binarized):
    train, test = binarized[:20], binarized[20:25]
    assert coding.context_cost(train, test) == pytest.approx(cost_by_loops(train, test, JBIG))


def adaptive_cost_by_loops(images, offsets, block=None):
    """The cost of `adaptive_context_cost`, pixel by pixel in the order in which they are sent."""
    counts, bits = {}, 0.0
    for image in images[:, 0].int().tolist():
        for y, x in itertools.product(range(len(image)), range(len(image[0]))):
            at = [(y + dy, x + dx) for dy, dx in offsets]
            seen = [image[v][u] if v >= 0 and 0 <= u < len(image[0]) else 0 for v, u in at]
            context = counts.setdefault((y // block, x // block, *seen) if block else tuple(seen), [0.5, 0.5])
            bits -= math.log2(context[image[y][x]] / sum(context))
            context[image[y][x]] += 1
    return bits / len(images)


@pytest.mark.parametrize("block", [None, 1, 3])
@pytest.mark.parametrize(("neighbours", "offsets"), [(0, []), (4, around(2)), (10, JBIG)])
def test_a_model_that_learns_while_it_writes_pays_for_each_pixel_what_it_knows_by_then(neighbours, offsets, block):
    images = binary(30, 5, 6)
    by_loops = adaptive_cost_by_loops(images, offsets, block)
    assert coding.adaptive_context_cost(images, neighbours, block=block) == pytest.approx(by_loops)


def test_the_adaptive_context_cost_is_by_default_that_of_the_ten_nearest():
    images = binary(40)
    assert coding.adaptive_context_cost(images) == pytest.approx(adaptive_cost_by_loops(images, JBIG))


def test_the_order_of_the_images_does_not_matter_to_a_model_that_learns_while_it_writes():
    images = binary(50)
    assert coding.adaptive_context_cost(images.flip(0), 3) == pytest.approx(coding.adaptive_context_cost(images, 3))


def test_a_model_that_learns_while_it_writes_learns_what_can_be_counted_for_half_a_log_a_context():
    """Counts of the images themselves can't be beaten; to learn them costs ½ log₂ n and at most a bit a context."""
    images = binary(2000, white=0.3)
    known = coding.context_cost(images, images, 2, smoothing=1e-9)
    learning = 2000 * (coding.adaptive_context_cost(images, 2) - known)
    assert 0 < learning < 4 * (0.5 * math.log2(2000 * 16) + 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"neighbours": -1}, "got neighbours=-1, expected a whole number from 0 to 24"),
        ({"neighbours": 25}, "got neighbours=25"),
        ({"neighbours": 2.5}, "got neighbours=2.5"),
        ({"neighbours": 2, "block": 0}, "block=0, expected a whole number of at least 1"),
        ({"neighbours": 2, "block": 1.5}, "block=1.5"),
        ({"neighbours": 24, "block": 2}, "got 67,108,864 contexts, expected at most 16,777,216; take fewer"),
        ({"smoothing": 0}, "got smoothing=0, expected a finite number above 0"),
        ({"smoothing": -1.0}, "got smoothing=-1.0"),
        ({"smoothing": math.nan}, "got smoothing=nan"),
    ],
)
def test_contexts_that_cannot_be_counted_are_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        coding.context_cost(binary(2), binary(2), **settings)
    if "smoothing" not in settings:
        with pytest.raises(ValueError, match=message):
            coding.adaptive_context_cost(binary(2), **settings)


def test_images_of_another_shape_than_those_counted_are_an_error():
    with pytest.raises(ValueError, match=r"got images of shapes \(2, 1, 4, 4\) and \(2, 1, 4, 5\)"):
        coding.context_cost(binary(2), binary(2, 4, 5), 2)


def test_position_frequencies_count_a_tenth_of_each_level_before_any_image():
    p = coding.position_frequencies(torch.zeros(2, 1, 1, 1))
    assert p[0, 0] == pytest.approx(2.1 / 27.6)


# What each setting of a compressor is worth, and the last place inside a limit


def test_each_compressor_runs_at_its_strongest_setting_on_images_one_below_the_other(digits):
    images = digits.test_images[:60, :, :, 2:25]  # no squares
    tall = np.concatenate(list(coding.grey_levels(images)[:, 0].numpy()))
    found = {}
    for name, settings in (("png", {"optimize": True}), ("webp", {"lossless": True, "quality": 100})):
        file = io.BytesIO()
        Image.fromarray(tall).save(file, name, **settings)
        found[name] = len(file.getvalue())
    stream = tall.tobytes()
    found |= {"zlib": len(zlib.compress(stream, 9)), "bz2": len(bz2.compress(stream, 9))}
    found["lzma"] = len(lzma.compress(stream, preset=9 | lzma.PRESET_EXTREME))
    assert found["lzma"] < len(lzma.compress(stream, preset=9))
    for method, size in found.items():
        assert coding.compressed_size(images, method) == 8 * size / 60, method


def test_a_picture_of_just_as_many_rows_as_webp_takes_is_packed():
    assert coding.compressed_size(torch.zeros(127, 1, 129, 1), "webp") > 0  # 16,383 rows
    with pytest.raises(ValueError, match="got 16,384 rows of pixels, expected at most 16,383 for WebP"):
        coding.compressed_size(torch.zeros(128, 1, 128, 1), "webp")
    assert coding.compressed_size(torch.zeros(128, 1, 128, 1), "png") > 0


def test_pictures_at_their_best_are_the_smallest_of_six_mosaics():
    images = binary(50, 12, 20, white=0.2)
    mosaics = [compressors._mosaic(each) for each in compressors._layouts(black_and_white(images))]
    best = coding.best_compressed_sizes(images)
    for name in ("png", "webp"):
        sizes = [len(compressors.COMPRESSORS[name](mosaic)) for mosaic in mosaics]
        assert best[name] == 8 * min(sizes) / 50 < 8 * max(sizes) / 50


@pytest.mark.parametrize("far", [2.0**62, -(2.0**62), 6e18, -6e18, 1e30, math.inf])
def test_one_number_too_far_out_among_others_is_refused_in_either_set(far):
    rows = torch.zeros(5, 2, dtype=torch.float64)
    rows[3, 1] = far
    for train, test in ((rows, ROWS), (ROWS, rows)):
        with pytest.raises(ValueError, match=r"got a row with .*, expected finite numbers below 2⁶² steps of 1"):
            coding.quantized_cost(train, test, 1.0)
    rows[3, 1] = math.copysign(2.0**62 - 1024, far)
    assert math.isfinite(coding.quantized_cost(rows, ROWS, 1.0))


def test_among_millions_of_bins_each_row_counts_by_itself():
    rows = torch.tensor([[-5.0]] * 9 + [[1e7]], dtype=torch.float64)
    total = 10 + 1e-9 * (10**7 + 6)
    by_hand = 0.9 * math.log2(total / 9) + 0.1 * math.log2(total / 1)
    assert coding.quantized_cost(rows, rows, 1.0, smoothing=1e-9) == pytest.approx(by_hand)


def test_blocks_are_numbered_row_by_row_without_a_gap():
    assert compressors._blocks((3, 5), 2).tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]
    assert compressors._blocks((3, 5), 1).tolist() == np.arange(15).reshape(3, 5).tolist()
    assert not compressors._blocks((3, 5), None).any()


def test_the_most_contexts_are_two_to_the_24(monkeypatch):
    monkeypatch.setattr(compressors, "_context_counts", lambda *given: np.ones((1, 2)))
    assert coding.context_cost(binary(2), binary(2), 20, block=1) > 0  # 16 · 2²⁰
    with pytest.raises(ValueError, match="got 17,825,792 contexts, expected at most 16,777,216"):
        coding.context_cost(binary(2, 1, 17), binary(2, 1, 17), 20, block=1)


def test_there_are_256_grey_levels_unless_told_otherwise_and_a_single_symbol_can_be_counted():
    assert coding.frequencies(torch.tensor([7])).tolist() == [float(level == 7) for level in range(256)]
    with pytest.raises(ValueError, match="got symbols from 256 to 256, expected 0 to 255"):
        coding.frequencies(torch.tensor([256]))
    assert coding.frequencies(torch.tensor([2]), 3).tolist() == [0, 0, 1]


def test_probabilities_may_be_fractions_and_off_by_less_than_a_millionth():
    assert coding.entropy([Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)]) == 1.5
    for off in (9e-7, -9e-7):
        assert coding.entropy([0.5, 0.5 + off]) == pytest.approx(1, abs=1e-5)
    for off in (1.5e-6, -1.5e-6):
        with pytest.raises(ValueError, match="expected probabilities that sum to 1"):
            coding.entropy([0.5, 0.5 + off])


def test_a_code_without_a_place_for_one_of_the_symbols_costs_infinity_without_a_warning(recwarn):
    assert coding.cross_entropy([0.5, 0.25, 0.25], [0.5, 0.5, 0.0]) == math.inf
    assert not recwarn.list
