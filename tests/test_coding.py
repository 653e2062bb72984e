"""Entropy, code lengths and Huffman's code, each against SciPy, brute force or a value known by hand."""

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

from aecourse import coding


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


def test_every_grey_level_survives_the_way_to_floats_and_back():
    levels = torch.arange(256, dtype=torch.uint8)
    back = coding.grey_levels(levels.float() / 255)
    assert back.dtype == torch.uint8
    assert torch.equal(back, levels)


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
    bits = coding.encode(symbols, words)
    assert len(bits) == sum(len(words[symbol]) for symbol in symbols)
    assert set(bits) <= {"0", "1"}
    assert coding.decode(bits, words) == symbols


def test_grey_levels_of_real_digits_survive_the_round_trip(digits):
    levels = coding.grey_levels(digits.test_images[:2])
    words = coding.huffman(coding.frequencies(levels))
    symbols = levels.flatten().tolist()
    assert coding.decode(coding.encode(symbols, words), words) == symbols


@pytest.mark.parametrize("symbol", [-1, 1, 3])
def test_a_symbol_without_a_codeword_cannot_be_encoded(symbol):
    with pytest.raises(ValueError, match=f"got the symbol {symbol}"):
        coding.encode([0, symbol], ["0", "", "1"])


def test_bits_that_were_cut_off_are_an_error():
    with pytest.raises(ValueError, match="end inside a codeword"):
        coding.decode("011", ["0", "10", "110", "111"])


def test_bits_of_another_code_are_an_error():
    with pytest.raises(ValueError, match="fit no codeword, up to position 1"):
        coding.decode("11", ["0", "10"])


def test_what_is_not_a_bit_is_an_error():
    with pytest.raises(ValueError, match="got bits"):
        coding.decode("0201", ["0", "10", "11"])


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


@pytest.mark.parametrize("method", ["zlib", "lzma", "png"])
def test_noise_cannot_be_compressed_and_a_plain_surface_costs_next_to_nothing(method):
    _, noise = _noise(count=50, side=28)
    assert coding.compressed_size(noise, method) > 0.99 * 8 * 784
    assert coding.compressed_size(torch.ones(50, 1, 28, 28), method) < 0.01 * 8 * 784


def test_an_unknown_method_of_compression_is_an_error():
    with pytest.raises(ValueError, match="got method='zip', expected 'zlib', 'lzma' or 'png'"):
        coding.compressed_size(torch.zeros(1, 1, 28, 28), "zip")
