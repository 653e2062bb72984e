"""What can be counted in music: the surprise of notes, for a sceptic's models and for a VAE, and how it sounds.

Three simple models come first, each of which knows a little more; then bits per note and the share of right notes; then
what needs no model: dissonance, notes off the scale, and how much moves.  Every function takes windows `(N, steps, 4)`
of MIDI pitches, −1 for a rest, as `data.chorales.windows` gives them; "bits per note" counts every voice at every step,
and rests as notes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import checks
from ..coding import NATS_PER_BIT
from ..data.chorales import RANGES, REST, check_windows, pitch_numbers
from ..models import MusicVAE
from ..models.recurrent import SIZES, to_symbols
from .batches import _at_rest, _by_batches, _random
from .bounds import kl_per_dimension, posterior

__all__ = [
    "HoldModel",
    "MarkovModel",
    "UnigramModel",
    "bits_per_note",
    "changes",
    "dissonance",
    "elbo_bits",
    "note_accuracy",
    "note_nats",
    "off_scale",
]

DISSONANT = (1, 2, 6, 10, 11)
"""Intervals in semitones, octaves taken off, that clash: seconds, sevenths and the tritone."""


class UnigramModel:
    """The first sceptic: every note is drawn by itself, as often as its voice sings it.

    Args:
        windows: the notes to count.
        smoothing: added to every count, so that no note is impossible.

    Raises:
        ValueError: for bad windows, or if `smoothing` is negative.
    """

    def __init__(self, windows: Tensor, *, smoothing: float = 0.5):
        symbols = pitch_numbers(windows)
        checks.real("smoothing", smoothing)
        self.logs = [_log_shares(symbols[..., voice], size, smoothing) for voice, size in enumerate(_sizes())]

    def nats(self, windows: Tensor) -> Tensor:
        """Return −log p of every note, `(N, steps, 4)`."""
        symbols = pitch_numbers(windows)
        return -torch.stack([logs[symbols[..., voice]] for voice, logs in enumerate(self.logs)], 2)

    @torch.no_grad()
    def sample(self, count: int, steps: int, *, seed: int = 0) -> Tensor:
        """Return windows `(count, steps, 4)` drawn note by note, at each step the bass first."""
        generator = _random(seed)
        symbols = torch.zeros(
            checks.whole("count", count), checks.whole("steps", steps), len(RANGES), dtype=torch.int64
        )
        for step in range(steps):
            for voice in (3, 2, 1, 0):
                chances = self._logs(symbols, step, voice).exp()
                symbols[:, step, voice] = torch.multinomial(chances, 1, generator=generator)[:, 0]
        low = torch.tensor([low for low, _ in RANGES.values()])
        return torch.where(symbols == 0, REST, symbols - 1 + low)

    def _logs(self, symbols: Tensor, step: int, voice: int) -> Tensor:
        """Return the log-chances `(count, notes)` of a voice's note, given the symbols drawn so far."""
        return self.logs[voice].expand(len(symbols), -1)


class HoldModel(UnigramModel):
    """The second: with a fixed chance the last note is held, else a note is drawn as often as its voice sings it.

    What is drawn may be the last note as well.  So the best chance is lower than the share of notes that stay.

    Args:
        windows: the notes to count.
        chance: the chance to hold.
        smoothing: added to every count, so that no note is impossible.

    Raises:
        ValueError: as `UnigramModel`, or if `chance` is not in [0, 1].
    """

    def __init__(self, windows: Tensor, *, chance: float, smoothing: float = 0.5):
        super().__init__(windows, smoothing=smoothing)
        self.chance = checks.real("chance", chance, 0, 1)

    def nats(self, windows: Tensor) -> Tensor:
        """Return −log p of every note, `(N, steps, 4)`; the first ones have nothing to hold."""
        drawn = (-super().nats(windows)).exp()
        held = (windows[:, 1:] == windows[:, :-1]).float()
        later = self.chance * held + (1 - self.chance) * drawn[:, 1:]
        return -torch.cat([drawn[:, :1], later], 1).log()

    def _logs(self, symbols: Tensor, step: int, voice: int) -> Tensor:
        drawn = super()._logs(symbols, step, voice).exp()
        if not step:
            return drawn.log()
        held = F.one_hot(symbols[:, step - 1, voice], drawn.shape[1])
        return (self.chance * held + (1 - self.chance) * drawn).log()


class MarkovModel(UnigramModel):
    """The third: each voice draws its note given its last one, by counting which note followed which.

    Args:
        windows: the notes to count.
        smoothing: how many notes' worth of the voice's overall shares are mixed into each row of counts.
        bass: let the upper voices also know the bass of the same step, as players of a figured bass do.
    """

    def __init__(self, windows: Tensor, *, smoothing: float = 2.0, bass: bool = False):
        super().__init__(windows)
        checks.real("smoothing", smoothing)
        self.bass = bass
        symbols = pitch_numbers(windows)
        self.tables = []
        for voice, size in enumerate(_sizes()):
            last, now = symbols[:, :-1, voice], symbols[:, 1:, voice]
            counts = torch.zeros(size, size).index_put_((last, now), torch.tensor(1.0), accumulate=True)
            table = _mixed(counts, self.logs[voice].exp(), smoothing)
            if self._knows_bass(voice):
                low = symbols[:, 1:, 3]
                counts = torch.zeros(_sizes()[3], size, size)
                counts.index_put_((low, last, now), torch.tensor(1.0), accumulate=True)
                table = _mixed(counts, table, smoothing)
            self.tables.append(table.log())

    def _knows_bass(self, voice: int) -> bool:
        return self.bass and voice < 3

    def nats(self, windows: Tensor) -> Tensor:
        """Return −log p of every note, `(N, steps, 4)`; the first ones of a window are drawn as if alone."""
        symbols = pitch_numbers(windows)
        later = []
        for voice, table in enumerate(self.tables):
            place = (symbols[:, :-1, voice], symbols[:, 1:, voice])
            later.append(-table[(symbols[:, 1:, 3], *place) if self._knows_bass(voice) else place])
        return torch.cat([super().nats(windows)[:, :1], torch.stack(later, 2)], 1)

    def _logs(self, symbols: Tensor, step: int, voice: int) -> Tensor:
        if not step:
            return super()._logs(symbols, step, voice)
        last = symbols[:, step - 1, voice]
        return self.tables[voice][(symbols[:, step, 3], last) if self._knows_bass(voice) else last]


def _sizes() -> list[int]:
    return [high - low + 2 for low, high in RANGES.values()]


def _log_shares(symbols: Tensor, size: int, smoothing: float) -> Tensor:
    counts = torch.bincount(symbols.flatten(), minlength=size) + smoothing
    return (counts / counts.sum()).log()


def _mixed(counts: Tensor, shares: Tensor, smoothing: float) -> Tensor:
    return (counts + smoothing * shares) / (counts.sum(-1, keepdim=True) + smoothing)


def bits_per_note(nats: Tensor | float, windows: Tensor) -> float:
    """Return bits per note from nats: of every note, `(N, steps, 4)`, or their mean per window, as a model's loss.

    Raises:
        ValueError: for bad windows.
    """
    per_window = float(nats.sum() / len(windows)) if isinstance(nats, Tensor) and nats.dim() else float(nats)
    return per_window / NATS_PER_BIT / check_windows(windows)[0].numel()


def note_nats(logits: Tensor, windows: Tensor) -> Tensor:
    """Return −log p of every note, `(N, steps, 4)`, for a decoder's logits `(N, steps, sum(SIZES))`.

    A held note has two spellings, "as before" and its own pitch, and its probability is the sum of both.  (In the first
    step "as before" is a rest, as `from_symbols` reads it.)  So the probabilities of all notes sum to 1, as a table's
    do; those of the symbols that `to_symbols` writes sum to less.  Cao & Rimell (2021) ask the same of a language model
    whose words have several spellings.

    Raises:
        ValueError: for bad windows, or logits of another shape.
    """
    names = pitch_numbers(windows).to(logits.device)
    if logits.shape != (*names.shape[:2], sum(SIZES)):
        raise ValueError(f"got logits of shape {tuple(logits.shape)}, expected {(*names.shape[:2], sum(SIZES))}")
    own = torch.where(names == 0, 0, names + 1)
    moved = names != F.pad(names[:, :-1], (0, 0, 1, 0))
    nats = []
    for voice, each in enumerate(logits.split(SIZES, 2)):
        logs = each.log_softmax(2)
        held = logs[..., 1].masked_fill(moved[..., voice], -torch.inf)
        nats.append(-torch.logaddexp(logs.gather(2, own[..., [voice]])[..., 0], held))
    return torch.stack(nats, 2)


def elbo_bits(model: MusicVAE, windows: Tensor, *, seed: int = 0) -> dict[str, float]:
    """Return a `MusicVAE`'s bill in bits per note: `total`, `reconstruction` and `kl`, with β = 1 whatever it had.

    The total is an upper bound on −log p of the notes, as `note_nats` counts them; `elbo` is the bound of the symbols.

    Args:
        seed: fixes the codes, one for each window.
    """
    q, random = posterior(model, windows), _random(seed)
    codes = q.mean + q.stddev * torch.randn(q.mean.shape, generator=random)

    def cost(codes: Tensor, notes: Tensor) -> Tensor:
        return note_nats(model.logits(codes.to(model.device), to_symbols(notes).to(model.device)), notes)

    with _at_rest(model):
        nats = _by_batches(cost, codes, windows, batch_size=1000)
    bits = {"reconstruction": bits_per_note(nats, windows)}
    bits["kl"] = bits_per_note(kl_per_dimension(model, windows).sum(), windows)
    return {"total": sum(bits.values()), **bits}


def note_accuracy(found: Tensor, windows: Tensor) -> dict[str, float]:
    """Return the share of right notes of each voice, and of "all", from 0 to 1.

    Raises:
        ValueError: for bad windows, or if there are not as many of each.
    """
    checks.same_shape(check_windows(found), check_windows(windows), "windows of shapes")
    shares = (found.cpu() == windows.cpu()).float().mean((0, 1)).tolist()
    return {**dict(zip(RANGES, shares, strict=True)), "all": sum(shares) / len(shares)}


def dissonance(windows: Tensor) -> Tensor:
    """Return for each window the share of sounding pairs of voices that form a second, a seventh or a tritone, `(N,)`.

    NaN for a window in which no two voices ever sound together.
    """
    windows = check_windows(windows).cpu()
    one, other = torch.combinations(torch.arange(len(RANGES))).T
    first, second = windows[..., one], windows[..., other]
    both = (first != REST) & (second != REST)
    clash = torch.isin((first - second).abs() % 12, torch.tensor(DISSONANT))
    return (clash & both).float().sum((1, 2)) / both.float().sum((1, 2))


def off_scale(windows: Tensor) -> Tensor:
    """Return for each window the share of notes outside the major scale that fits it best, `(N,)`.

    A minor key counts as the major key with the same notes, so its raised leading tone is outside.
    """
    sung = check_windows(windows).cpu().flatten(1)
    classes = torch.stack([((sung % 12 == tone) & (sung != REST)).sum(1) for tone in range(12)], 1).float()
    scales = torch.zeros(12, 12)
    for tonic in range(12):
        scales[tonic, [(tonic + step) % 12 for step in (0, 2, 4, 5, 7, 9, 11)]] = 1
    return 1 - (classes @ scales.T).amax(1) / classes.sum(1)


def changes(windows: Tensor) -> Tensor:
    """Return for each window the share of steps, the first left out, at which a voice moves, `(N,)`."""
    windows = check_windows(windows).cpu()
    return (windows[:, 1:] != windows[:, :-1]).float().mean((1, 2))
