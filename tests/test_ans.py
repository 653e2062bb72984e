"""ANS against arithmetic by hand and the information of what is coded; its lanes against one large number."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from aecourse import coding
from aecourse.coding import ans


@st.composite
def alphabets(draw, most=12):
    """The precision, and how many of 2^precision slots each symbol owns: often one, or all but a few."""
    precision = draw(st.integers(0, 24))
    last = 2**precision - 1
    near = st.integers(1, last) | st.integers(1, min(3, last)) | st.integers(max(1, last - 3), last)
    cuts = draw(st.sets(near, max_size=most - 1)) if last else set()
    return precision, np.diff([0, *sorted(cuts), 2**precision])


def alphabets_and_messages():
    def with_message(alphabet):
        return st.tuples(st.just(alphabet), st.lists(st.integers(0, len(alphabet[1]) - 1), max_size=60))

    return alphabets().flatmap(with_message)


def slots_of(freqs):
    """Return `(start, freq)` of each symbol, as `pop` takes them."""
    return [(int(end - freq), int(freq)) for end, freq in zip(np.cumsum(freqs), freqs, strict=True)]


class Table:
    """A distribution for each lane, written out: `(lanes, alphabet)` whole numbers whose rows sum to 2^precision."""

    def __init__(self, freqs):
        self.freqs = np.atleast_2d(freqs)
        self.ends = self.freqs.cumsum(1)
        self.precision = int(self.ends[0, -1]).bit_length() - 1

    def of(self, symbols):
        freqs = np.take_along_axis(self.freqs[: len(symbols)], symbols[:, None], 1)[:, 0]
        return np.take_along_axis(self.ends[: len(symbols)], symbols[:, None], 1)[:, 0] - freqs, freqs

    def find(self, slots):
        return (self.ends[: len(slots)] <= slots[:, None]).sum(1)

    def surprise(self, symbols):
        return self.precision - np.log2(self.of(symbols)[1])


def random_table(random, lanes, precision, size=9):
    """Return another distribution for each lane, some symbols of which are rare."""
    shares = random.dirichlet(np.full(size, 0.3), lanes)
    ends = np.floor(shares.cumsum(1) * (2**precision - size)).astype(np.int64) + np.arange(1, size + 1)
    ends[:, -1] = 2**precision
    return Table(np.diff(ends, axis=1, prepend=0))


@st.composite
def layers(draw, most=8):
    """How many lanes, and what is pushed: a table and symbols for some of the lanes, or for all, many times over."""
    lanes = draw(st.integers(1, most))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    pushes = []
    for _ in range(draw(st.integers(0, 25))):
        n, precision, size = draw(st.integers(1, lanes)), draw(st.integers(4, 24)), draw(st.integers(1, 16))
        pushes.append((random_table(random, lanes, precision, size), random.integers(size, size=n)))
    return lanes, pushes


def random_stack(lanes, words, seed=0):
    """Return a stack full of random bits, so that what is popped from it is random."""
    random = np.random.default_rng(seed)
    stack = coding.Stack(lanes, random.integers(2**32, size=words, dtype=np.uint32))
    stack.heads = np.exp2(random.uniform(31, 63, lanes)).astype(np.uint64)
    return stack


def test_push_and_pop_do_what_hand_calculation_says():
    """Of four slots the symbol a owns 0, 1 and 2, and b owns 3."""
    a, b, slots = (0, 3), (3, 1), [(0, 3), (3, 1)]
    assert [coding.push(state, *a, precision=2) for state in range(7)] == [0, 1, 2, 4, 5, 6, 8]
    assert [coding.push(state, *b, precision=2) for state in range(3)] == [3, 7, 11]
    assert coding.pop(6, slots, precision=2) == (0, 5)
    assert coding.pop(11, slots, precision=2) == (1, 2)


def test_popping_a_slot_that_belongs_to_no_symbol_is_an_error():
    with pytest.raises(ValueError, match="got slots without an owner for number 3, expected all of 2\\^2"):
        coding.pop(11, [(0, 3)], precision=2)


@given(alphabets_and_messages(), st.integers(0, 2**100))
def test_what_was_pushed_on_a_number_is_popped_last_first_and_leaves_the_number(coded, before):
    (precision, freqs), message = coded
    state, slots = before, slots_of(freqs)
    for symbol in message:
        state = coding.push(state, *slots[symbol], precision)
    popped = []
    for _ in message:
        symbol, state = coding.pop(state, slots, precision)
        popped.append(symbol)
    assert popped == message[::-1]
    assert state == before


@given(alphabets(), st.integers(0, 2**100))
def test_popping_from_any_number_and_pushing_back_gives_that_number(alphabet, number):
    precision, freqs = alphabet
    symbol, rest = coding.pop(number, slots_of(freqs), precision)
    assert coding.push(rest, *slots_of(freqs)[symbol], precision) == number
    assert rest <= number


@given(alphabets(), st.integers(0, 2**32))
def test_a_long_message_costs_its_information(alphabet, seed):
    precision, freqs = alphabet
    message = np.random.default_rng(seed).choice(len(freqs), size=200, p=freqs / freqs.sum())
    state, slots = 2**64, slots_of(freqs)
    for symbol in message:
        state = coding.push(state, *slots[symbol], precision)
    information = (precision - np.log2(freqs[message])).sum()
    assert math.log2(state) - 64 == pytest.approx(information, abs=200 * 2**precision / 2**64 + 1e-9)


@given(layers())
def test_what_was_pushed_on_lanes_is_popped_last_first_and_leaves_the_stack(pushed):
    lanes, pushes = pushed
    stack = random_stack(lanes, 3)
    before = stack.words()
    for table, symbols in pushes:
        stack.push(symbols, table)
        assert ((stack.heads >= ans.LOWEST) & (stack.heads < 2**63)).all()
    for table, symbols in reversed(pushes):
        assert stack.pop(table, len(symbols)).tolist() == symbols.tolist()
    assert stack.words().tolist() == before.tolist()


@given(layers())
def test_what_was_popped_from_random_bits_and_is_pushed_back_leaves_the_stack(pushed):
    lanes, pushes = pushed
    stack = random_stack(lanes, 25 * lanes)
    before, popped = stack.words(), []
    for table, symbols in pushes:
        popped.append(stack.pop(table, len(symbols)))
        assert ((stack.heads >= ans.LOWEST) & (stack.heads < 2**63)).all()
    for (table, _), symbols in zip(reversed(pushes), reversed(popped), strict=True):
        stack.push(symbols, table)
    assert stack.words().tolist() == before.tolist()


@given(layers())
def test_each_lane_holds_what_one_large_number_would_hold(pushed):
    """Until a word leaves a head, it is the very number that `push` makes."""
    lanes, pushes = pushed
    stack, numbers = coding.Stack(lanes), [ans.LOWEST] * lanes
    for table, symbols in pushes:
        slots = [slots_of(freqs)[symbol] for freqs, symbol in zip(table.freqs, symbols, strict=False)]
        stack.push(symbols, table)
        if stack.size:
            break
        for lane, owned in enumerate(slots):
            numbers[lane] = coding.push(numbers[lane], *owned, table.precision)
        assert stack.heads.tolist() == numbers


@given(alphabets_and_messages())
def test_one_lane_gives_the_symbols_of_a_message_as_one_large_number_does(coded):
    (precision, freqs), message = coded
    stack, state = coding.Stack(1), 1
    for symbol in message:
        stack.push(np.array([symbol]), Table(freqs))
        state = coding.push(state, *slots_of(freqs)[symbol], precision)
    for _ in message:
        symbol, state = coding.pop(state, slots_of(freqs), precision)
        assert stack.pop(Table(freqs), 1).tolist() == [symbol]


@given(layers())
def test_lanes_without_a_symbol_stay_as_they_are(pushed):
    lanes, pushes = pushed
    stack = random_stack(lanes, 25 * lanes)
    for table, symbols in pushes:
        others = stack.heads[len(symbols) :].tolist()
        stack.push(symbols, table)
        assert stack.heads[len(symbols) :].tolist() == others
        stack.pop(table, len(symbols))
        assert stack.heads[len(symbols) :].tolist() == others


@pytest.mark.parametrize("precision", [1, 10, 16, 24])
def test_a_long_message_on_lanes_costs_its_information_to_a_ten_thousandth(precision):
    random = np.random.default_rng(precision)
    stack, information = random_stack(64, 100), 0.0
    before = stack.bits()
    for _ in range(1000):
        table = random_table(random, 64, precision, size=min(9, 2**precision))
        symbols = table.find(random.integers(2**precision, size=64))
        stack.push(symbols, table)
        information += table.surprise(symbols).sum()
    assert stack.bits() - before == pytest.approx(information, rel=1e-4)


@pytest.mark.parametrize("freq", [1, 2**16 - 1])
def test_a_pixel_that_is_all_but_certain_costs_next_to_nothing_and_its_opposite_much(freq):
    table = Table(np.tile([freq, 2**16 - freq], (64, 1)))
    stack = random_stack(64, 0)
    before = stack.bits()
    for _ in range(500):
        stack.push(np.zeros(64, dtype=np.int64), table)
    assert (stack.bits() - before) / (500 * 64) == pytest.approx(16 - math.log2(freq), rel=1e-4, abs=1e-7)


def test_the_bits_on_a_stack_are_its_words_and_how_far_its_heads_have_grown():
    coin = Table([[1, 1]] * 3)
    assert coding.Stack(3).bits() == 0
    stack = coding.Stack(3, np.arange(5, dtype=np.uint32))
    assert stack.bits() == 5 * 32
    for throws in range(1, 100):
        stack.push(np.array([1, 0]), coin)
        assert stack.bits() == pytest.approx(5 * 32 + 2 * throws, abs=1e-6)


def test_popping_a_symbol_gains_the_bits_that_pushing_it_costs():
    random = np.random.default_rng(3)
    table, stack = random_table(random, 16, 12), random_stack(16, 50)
    before = stack.bits()
    symbols = stack.pop(table, 16)
    assert before - stack.bits() == pytest.approx(table.surprise(symbols).sum(), abs=1e-3)


@given(layers(), st.integers(0, 30))
def test_the_words_of_a_stack_make_the_same_stack_again(pushed, words):
    lanes, pushes = pushed
    stack = random_stack(lanes, words)
    for table, symbols in pushes:
        stack.push(symbols, table)
    written = stack.words()
    assert written.itemsize == 4
    assert len(written) == stack.size + 2 * lanes
    again = coding.Stack.from_words(written, lanes)
    assert again.heads.tolist() == stack.heads.tolist()
    assert again.bits() == stack.bits()
    for table, symbols in reversed(pushes):
        assert again.pop(table, len(symbols)).tolist() == symbols.tolist()


def test_words_lie_on_the_tail_with_the_last_one_on_top_and_before_the_heads():
    stack = coding.Stack(2, [5, 6, 7])
    assert stack.words().tolist() == [5, 6, 7, 2**31, 0, 2**31, 0]
    stack.pop(Table([[1, 1]]), 1)
    assert stack.words().tolist() == [5, 6, 7, 2**30, 2**31, 0]


def test_a_head_gives_up_a_word_when_it_would_reach_63_bits_and_takes_it_back_below_31():
    stack, coin = coding.Stack(2), Table([[1, 1]] * 2)
    stack.heads = np.array([2**62 + 5, 2**62 - 1], dtype=np.uint64)
    stack.push(np.array([1, 1]), coin)
    assert stack.words()[0] == 5
    assert stack.heads.tolist() == [2**31 + 1, 2**63 - 1]
    assert stack.pop(coin, 2).tolist() == [1, 1]
    assert stack.heads.tolist() == [2**62 + 5, 2**62 - 1]
    stack.heads[0] = 2**62
    stack.push(np.array([0]), coin)
    assert stack.size == 1


def test_thousands_of_lanes_may_give_up_words_at_once():
    stack, coin = coding.Stack(3000), Table([[1, 1]] * 3000)
    throws = np.random.default_rng(2).integers(2, size=(70, 3000))
    for throw in throws:
        stack.push(throw, coin)
    assert stack.size == 6000
    assert all(np.array_equal(stack.pop(coin, 3000), throw) for throw in throws[::-1])


def test_neither_the_words_that_a_stack_begins_with_nor_those_it_gives_change_with_it():
    begun = np.arange(4, dtype=np.uint32)
    stack, table = coding.Stack(2, begun), Table([[1] * 16] * 2)
    written = stack.words()
    before = written.tolist()
    for _ in range(4):
        stack.pop(table, 2)
    for symbol in range(30):
        stack.push(np.array([symbol % 16, 3]), table)
    assert begun.tolist() == [0, 1, 2, 3]
    assert written.tolist() == before


def test_a_stack_of_random_bits_gives_symbols_as_often_as_they_are_likely():
    table, stack = Table([[1, 20, 300, 3775]] * 64), random_stack(64, 5000, seed=8)
    popped = np.concatenate([stack.pop(table, 64) for _ in range(1500)])
    counts = np.bincount(popped, minlength=4)
    assert scipy.stats.chisquare(counts, len(popped) * table.freqs[0] / 4096).pvalue > 0.01


def test_an_empty_stack_cannot_be_popped_and_says_so():
    with pytest.raises(coding.OutOfBits, match="3 more words were asked for, but only 2 are left on the stack"):
        coding.Stack(3, [1, 2]).pop(Table([[1, 1]] * 3), 3)
    assert issubclass(coding.OutOfBits, ValueError)


@pytest.mark.parametrize("words", [0, 1, 7, 40])
def test_a_stack_gives_the_bits_that_lie_on_it_and_then_no_more(words):
    stack, coin = coding.Stack(1, np.full(words, 0xCAFEBABE)), Table([1, 1])
    for _ in range(32 * words):
        stack.pop(coin, 1)
    with pytest.raises(coding.OutOfBits):
        stack.pop(coin, 1)


@pytest.mark.parametrize("lanes", [0, -1])
def test_a_stack_has_a_lane(lanes):
    with pytest.raises(ValueError, match=f"got {lanes} lanes, expected at least 1"):
        coding.Stack(lanes)


def test_too_few_words_make_no_stack():
    with pytest.raises(ValueError, match="got 5 words, expected at least 6, two for each of 3 lanes"):
        coding.Stack.from_words(np.zeros(5, dtype=np.uint32), 3)
