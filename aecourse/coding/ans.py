"""Asymmetric numeral systems (ANS): messages as one large number, a stack of symbols.

Duda (2009, 2013).  A distribution is given in whole numbers: of every 2^`precision` slots, symbol s owns `freq`,
beginning with slot `start`.  Pushing it makes the number larger by a factor of 2^`precision` / `freq`, so it
costs log₂ of that in bits, its surprise; popping gives back what was pushed last, and the bits.

`push` and `pop` do this with a Python integer of any size and are for reading.  `Stack` does the same for many
lanes side by side with 64-bit numbers, and is for work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

LOWEST = 1 << 31  # a lane's head lies in [LOWEST, LOWEST · 2³²), so that one 32-bit word always restores it


def push(state: int, start: int, freq: int, precision: int) -> int:
    """Return the number that holds all that `state` held and, on top of it, the symbol with these slots."""
    return ((state // freq) << precision) + start + state % freq


def pop(state: int, slots: Sequence[tuple[int, int]], precision: int) -> tuple[int, int]:
    """Return the symbol on top of `state`, and the number without it: `push` undone.

    Args:
        state: from `push`.
        slots: `(start, freq)` of each symbol 0, 1, …, together all 2^`precision` slots.
        precision: as when it was pushed.

    Raises:
        ValueError: if the slot on top belongs to no symbol.
    """
    slot = state % (1 << precision)
    for symbol, (start, freq) in enumerate(slots):
        if start <= slot < start + freq:
            return symbol, (state >> precision) * freq + slot - start
    raise ValueError(f"got slots without an owner for number {slot}, expected all of 2^{precision} to have one")


class OutOfBits(ValueError):
    """A stack was popped when nothing was left on it."""


class Slots(Protocol):
    """A distribution for each lane, as `Stack` wants it: which symbol owns which of 2^`precision` slots."""

    precision: int

    def of(self, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return start and freq of the symbols `(n,)`; a freq is at least 1."""

    def find(self, slots: np.ndarray) -> np.ndarray:
        """Return the symbols that own these slots `(n,)`."""


class Stack:
    """A stack of bits which up to `lanes` symbols at a time are pushed to and popped from.

    Each lane has a head, a number of at most 63 bits.  When a push would make a head too large, its lower
    32 bits go as a word to a tail that all lanes share, and when a pop makes it too small a word comes back
    (Giesen, 2014, has the idea of lanes).  Symbols cost their surprise to within a ten-thousandth as long as
    `precision` is at most 24.

    Args:
        lanes: how many heads.
        words: 32-bit words that lie on the tail at the beginning, the last one on top.

    Raises:
        ValueError: if there is no lane.
    """

    def __init__(self, lanes: int, words: np.ndarray = ()):
        if lanes < 1:
            raise ValueError(f"got {lanes} lanes, expected at least 1")
        self.heads = np.full(lanes, LOWEST, dtype=np.uint64)
        self.tail = np.array(words, dtype=np.uint32)
        self.size = len(self.tail)  # the tail has room to grow, so that not every push makes it anew

    def push(self, symbols: np.ndarray, distribution: Slots) -> None:
        """Push one symbol on each of the first `len(symbols)` lanes."""
        starts, freqs = (part.astype(np.uint64) for part in distribution.of(symbols))
        precision = np.uint64(distribution.precision)
        heads = self.heads[: len(symbols)]
        full = np.flatnonzero(heads >= freqs << (np.uint64(63) - precision))
        if len(full):
            self._store(heads[full].astype(np.uint32))  # the lower 32 bits
            heads[full] >>= np.uint64(32)
        quotient, rest = np.divmod(heads, freqs)
        heads[:] = (quotient << precision) + rest + starts

    def pop(self, distribution: Slots, n: int) -> np.ndarray:
        """Return one symbol from each of the first `n` lanes, the last that was pushed there.

        Raises:
            OutOfBits: if the stack is empty; it is then of no more use.
        """
        precision = np.uint64(distribution.precision)
        heads = self.heads[:n]
        slots = heads & ((np.uint64(1) << precision) - np.uint64(1))
        symbols = distribution.find(slots.astype(np.int64))
        starts, freqs = (part.astype(np.uint64) for part in distribution.of(symbols))
        heads[:] = freqs * (heads >> precision) + slots - starts
        short = np.flatnonzero(heads < LOWEST)
        if len(short):
            heads[short] = (heads[short] << np.uint64(32)) | self._fetch(len(short))
        return symbols

    def words(self) -> np.ndarray:
        """Return the whole stack as 32-bit words: the tail, then two for each head."""
        return np.concatenate([self.tail[: self.size], self.heads.astype("<u8").view("<u4")])

    @classmethod
    def from_words(cls, words: np.ndarray, lanes: int) -> Stack:
        """Return the stack that gave these `words()`.

        Raises:
            ValueError: if there are too few words for that many lanes.
        """
        if len(words) < 2 * lanes:
            raise ValueError(f"got {len(words)} words, expected at least {2 * lanes}, two for each of {lanes} lanes")
        stack = cls(lanes, words[: len(words) - 2 * lanes])
        stack.heads = words[len(words) - 2 * lanes :].astype("<u4").view("<u8").astype(np.uint64)
        return stack

    def bits(self) -> float:
        """Return how many bits of information lie on the stack: its words, and how far the heads have grown."""
        return 32.0 * self.size + float(np.log2(self.heads / LOWEST).sum())

    def _store(self, words: np.ndarray) -> None:
        if self.size + len(words) > len(self.tail):
            room = np.zeros(max(len(self.tail), len(words), 1024), dtype=np.uint32)
            self.tail = np.concatenate([self.tail, room])
        self.tail[self.size : self.size + len(words)] = words
        self.size += len(words)

    def _fetch(self, count: int) -> np.ndarray:
        if count > self.size:
            raise OutOfBits(f"{count} more words were asked for, but only {self.size} are left on the stack")
        self.size -= count
        return self.tail[self.size : self.size + count].astype(np.uint64)
