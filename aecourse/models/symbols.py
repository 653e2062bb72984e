"""Autoencoders whose code is a list of symbols, and a learnt prior over such codes.

Nearest codebook vectors (VQ-VAE), rounded numbers (FSQ), relaxed draws (Gumbel-softmax).  Sources: van den Oord,
Vinyals & Kavukcuoglu (2017) for the VQ-VAE, Bengio, Léonard & Courville (2013) for the straight-through gradient,
Mentzer, Minnen, Agustsson & Tschannen (2024) for FSQ, Jang, Gu & Poole (2017) and Maddison, Mnih & Teh (2017) for
Gumbel-softmax.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical
from torch.nn import functional as F

from .. import checks, losses
from .base import Autoencoder, Model
from .networks import Architecture, seeded


def straight_through(soft: Tensor, hard: Tensor) -> Tensor:
    """Return the values of `hard` with the gradient of `soft`: forwards the step, backwards as if it weren't there."""
    return soft + (hard - soft).detach()


class SymbolAutoencoder(Autoencoder):
    """What the models with symbols share: a code of `positions` symbols, each from 0 to `codebook_size` − 1.

    `encode` returns whole numbers, int64 `(N, positions)`, and `decode` takes them.  A subclass says how features
    become symbols (`choose`) and what the decoder reads for a symbol (`look_up`).

    Args:
        widths: units per layer from the pixels to the last hidden layer, mirrored by the decoder; or another
            architecture, whose own `latent_dim` does not count.
        positions: symbols per image.
        codebook_size: how many symbols there are at each position.
        vector_dim: how many numbers the encoder says of a position, and the decoder reads for a symbol.
        settings: `activation` and `image_shape` as for `dense`, and `seed`, which fixes the initial weights.

    Raises:
        ValueError: if the widths do not fit the image, or a number is no whole number or too small.
    """

    def __init__(
        self, widths: Sequence[int] | Architecture, *, positions: int, codebook_size: int, vector_dim: int, **settings
    ):
        super().__init__()
        self.positions = checks.whole("positions", positions)
        self.codebook_size = checks.whole("codebook_size", codebook_size, 2)
        numbers = self.positions * checks.whole("vector_dim", vector_dim)
        if isinstance(widths, Architecture):
            networks = widths._replace(latent_dim=numbers)
        else:
            checks.wholes("widths", widths, 1, "pixels first")
            networks = (*widths, numbers)
        self.build(networks, **settings)
        self.latent_dim = self.positions

    @property
    def bits(self) -> float:
        """The bits of a code if every symbol gets a name of the same length: positions · log₂ codebook_size."""
        return self.positions * math.log2(self.codebook_size)

    def features(self, images: Tensor) -> Tensor:
        """Return what the encoder says of each position: `(N, positions, vector_dim)`, real numbers."""
        return self.encoder(images.flatten(1)).unflatten(1, (self.positions, -1))

    def choose(self, features: Tensor) -> Tensor:
        """Return the symbols `(N, positions)` for the encoder's features."""
        raise NotImplementedError

    def look_up(self, symbols: Tensor) -> Tensor:
        """Return what the decoder reads for symbols `(N, positions)`: `(N, positions, vector_dim)`."""
        raise NotImplementedError

    @torch.no_grad()  # whole numbers have no gradient; and what a model learns as it chooses, it learns in its loss
    def encode(self, images: Tensor) -> Tensor:
        """Return the symbols of images `(N, 1, 28, 28)`: int64 `(N, positions)`, each from 0 to codebook_size − 1."""
        return self.choose(self.features(self.check_images(images)))

    def likelihood(self, symbols: Tensor) -> Bernoulli:
        """Return p(x|symbols): a distribution for each of the pixels `(N, pixels)`, all independent given the code."""
        read = self.look_up(self.check_latents(symbols)).flatten(1)
        return Bernoulli(logits=self.decoder(read), validate_args=False)

    def decode(self, symbols: Tensor) -> Tensor:
        """Return the expected images `(N, 1, 28, 28)` in [0, 1] for symbols `(N, positions)`."""
        return self.likelihood(symbols).mean.unflatten(1, self.image_shape)

    def check_latents(self, symbols: Tensor) -> Tensor:
        """Return `symbols` on the model's device, or raise a ValueError that says what is wrong."""
        return checks.symbols(symbols, self.positions, self.codebook_size).to(self.device)


class VQVAE(SymbolAutoencoder):
    """A VQ-VAE: the encoder's vector at each position is replaced by the nearest vector of one common codebook.

    Van den Oord et al. (2017), equation 3: the decoder's gradient passes straight through to the encoder, the
    codebook loss pulls vectors to the encoder's outputs, the commitment loss pulls the outputs to their vectors.

    Args:
        widths, positions, settings: as for `SymbolAutoencoder`.
        codebook_size: vectors in the codebook.
        vector_dim: numbers per vector.
        commitment: the weight of the commitment loss, called β in the paper, where it is 0.25.
        spread: the first codebook's numbers lie evenly between −spread and spread.
        seed: fixes the initial weights and the first codebook.

    Raises:
        ValueError: as `SymbolAutoencoder`, or if `commitment` is negative, `spread` not above 0, or one not finite.
    """

    def __init__(
        self,
        widths: Sequence[int] | Architecture = (784, 256),
        *,
        positions: int = 8,
        codebook_size: int = 64,
        vector_dim: int = 4,
        commitment: float = 1.0,
        spread: float = 1.0,
        seed: int = 0,
        **settings,
    ):
        super().__init__(
            widths, positions=positions, codebook_size=codebook_size, vector_dim=vector_dim, seed=seed, **settings
        )
        self.commitment = checks.real("commitment", commitment)
        spread = checks.real("spread", spread, above=True)
        random = torch.Generator().manual_seed(seed)
        self.codebook = nn.Parameter(spread * (2 * torch.rand(codebook_size, vector_dim, generator=random) - 1))

    def choose(self, features: Tensor) -> Tensor:
        """Return the number of the nearest codebook vector for each feature vector: `(N, positions)`."""
        # ‖z − e‖² without ‖z‖², which is the same for all vectors e
        return (self.codebook.square().sum(1) - 2 * features @ self.codebook.T).argmin(2)

    def look_up(self, symbols: Tensor) -> Tensor:
        """Return the codebook vectors with these numbers."""
        return self.codebook[symbols]

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction` (nats) + `codebook` + commitment weight · `commitment` (squared distances).

        The last two have the same value and different gradients.
        """
        vectors = self.features(images)
        nearest = self.look_up(self.choose(vectors))
        codebook = losses.squared_error(nearest, vectors.detach())
        commitment = losses.squared_error(vectors, nearest.detach())
        logits = self.decoder(straight_through(vectors, nearest).flatten(1))
        reconstruction = losses.binary_cross_entropy(logits, images.flatten(1))
        total = reconstruction + codebook + self.commitment * commitment
        return {"total": total, "reconstruction": reconstruction, "codebook": codebook, "commitment": commitment}


class RevivingVQVAE(VQVAE):
    """A VQ-VAE that, while it trains, moves a vector that nothing chose for `PATIENCE` steps onto an encoder's output.

    A vector that is never the nearest gets no gradient, so it can't come back by itself.  (Dhariwal et al., 2020,
    section 3.1, call it a random restart.)

    Args:
        widths, settings: as for `VQVAE`.
    """

    PATIENCE = 100

    def __init__(self, widths: Sequence[int] | Architecture = (784, 256), **settings):
        super().__init__(widths, **settings)
        self.register_buffer("idle", torch.zeros(self.codebook_size, dtype=torch.int64))

    def choose(self, features: Tensor) -> Tensor:
        """Return the number of the nearest vector for each feature vector; in training, note which are in use."""
        if self.training and torch.is_grad_enabled():
            self.revive(features.detach().flatten(0, 1))
        return super().choose(features)

    @torch.no_grad()
    def revive(self, outputs: Tensor) -> None:
        """Replace each vector that has been idle for too long by one of the encoder's `outputs` `(…, vector_dim)`."""
        dead = self.idle >= self.PATIENCE
        if dead.any():
            self.codebook[dead] = outputs[torch.randint(len(outputs), (int(dead.sum()),), device=outputs.device)]
            self.idle[dead] = 0
        used = super().choose(outputs[None])[0].bincount(minlength=self.codebook_size) > 0
        self.idle = torch.where(used, 0, self.idle + 1)


class FSQ(SymbolAutoencoder):
    """Finite scalar quantization: each number of a position is bounded and rounded to one of a few levels.

    Mentzer et al. (2024).  The codebook is the grid of all combinations; nothing of it is learnt, so nothing of it
    can die.  A sigmoid bounds here, where the paper takes a tanh with an offset for even numbers of levels.

    Args:
        widths, positions, settings: as for `SymbolAutoencoder`.
        levels: how many levels each number of a position has; `codebook_size` is their product.

    Raises:
        ValueError: as `SymbolAutoencoder`, or if `levels` are not one or more whole numbers of at least 2.
    """

    def __init__(
        self,
        widths: Sequence[int] | Architecture = (784, 256),
        *,
        positions: int = 8,
        levels: Sequence[int] = (4, 4, 4),
        **settings,
    ):
        checks.wholes("levels", levels, 1, "one for each number of a position")
        levels = tuple(checks.whole(f"levels[{place}]", level, 2) for place, level in enumerate(levels))
        super().__init__(
            widths, positions=positions, codebook_size=math.prod(levels), vector_dim=len(levels), **settings
        )
        self.levels = levels
        self.register_buffer("top", torch.tensor(levels) - 1.0, persistent=False)
        places = [math.prod(levels[:number]) for number in range(len(levels))]
        self.register_buffer("places", torch.tensor(places), persistent=False)

    def bound(self, features: Tensor) -> Tensor:
        """Return each number squeezed between 0 and its highest level."""
        return self.top * features.sigmoid()

    def choose(self, features: Tensor) -> Tensor:
        """Return the symbols: the rounded levels of a position, read as the digits of one whole number."""
        return (self.bound(features).round().long() * self.places).sum(2)

    def look_up(self, symbols: Tensor) -> Tensor:
        """Return the levels that a symbol stands for, scaled to −1 … 1."""
        digits = symbols[..., None] // self.places % (self.top.long() + 1)
        return 2 * digits / self.top - 1

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction`, in nats per image: rounding needs no term of its own."""
        soft = self.bound(self.features(images))
        rounded = straight_through(soft, soft.round())
        logits = self.decoder((2 * rounded / self.top - 1).flatten(1))
        reconstruction = losses.binary_cross_entropy(logits, images.flatten(1))
        return {"total": reconstruction, "reconstruction": reconstruction}


def gumbel_softmax(logits: Tensor, temperature: float) -> Tensor:
    """Return a relaxed draw from the categorical distributions `logits` `(…, codebook_size)`: shares that sum to 1.

    softmax((logits + g) / temperature) with Gumbel noise g = −log(−log u).  The largest share is at symbol k with
    exactly the probability of k, whatever the temperature; towards 0 the shares become 0 and 1.
    """
    noise = -torch.empty_like(logits).exponential_().log()
    return ((logits + noise) / temperature).softmax(-1)


class GumbelAutoencoder(SymbolAutoencoder):
    """A VAE with a categorical posterior at each position and a uniform prior over all symbols.

    Args:
        widths, positions, codebook_size, settings: as for `SymbolAutoencoder`.
        temperature: how soft the draws in training are; it may be changed between two calls of `fit`.

    Raises:
        ValueError: as `SymbolAutoencoder`, or if `temperature` is not above 0 or not finite.
    """

    def __init__(
        self,
        widths: Sequence[int] | Architecture = (784, 256),
        *,
        positions: int = 8,
        codebook_size: int = 64,
        temperature: float = 0.5,
        **settings,
    ):
        # One number for each symbol: its logit on the way in, its share on the way out.
        super().__init__(widths, positions=positions, codebook_size=codebook_size, vector_dim=codebook_size, **settings)
        self.temperature = checks.real("temperature", temperature, above=True)

    def posterior(self, images: Tensor) -> Categorical:
        """Return q(z|x): for each image and position a distribution over the symbols, `(N, positions)`."""
        return Categorical(logits=self.features(self.check_images(images)), validate_args=False)

    def choose(self, features: Tensor) -> Tensor:
        """Return the most probable symbol at each position."""
        return features.argmax(2)

    def look_up(self, symbols: Tensor) -> Tensor:
        """Return each symbol as a one-hot vector; the decoder's first layer is the codebook."""
        return F.one_hot(symbols, self.codebook_size).float()

    def kl(self, logits: Tensor) -> Tensor:
        """Return KL(q ‖ uniform) = log codebook_size − H(q) in nats, summed over positions, mean over the batch."""
        log_q = logits.log_softmax(2)
        return (log_q.exp() * (log_q + math.log(self.codebook_size))).sum((1, 2)).mean()

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """Return `total` = `reconstruction` + `kl`, in nats per image, for one relaxed draw per image.

        The decoder reads shares here and symbols later, so `total` is no bound on log p(x): it stands in for the
        negative ELBO of the hard model, which `evaluate.categorical_elbo` measures with draws of real symbols.
        """
        logits = self.features(images)
        shares = gumbel_softmax(logits, self.temperature)
        reconstruction = losses.binary_cross_entropy(self.decoder(shares.flatten(1)), images.flatten(1))
        kl = self.kl(logits)
        return {"total": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


class CodePrior(Model):
    """p(s) = Π p(sᵢ | s₁ … sᵢ₋₁) over codes of `positions` symbols, in one small network.

    Every symbol, at its place, adds its own vector to a running sum.  What has been summed before a position, through
    one hidden layer, says how probable each symbol is there.  `training.fit(prior, symbols)` trains it.

    Args:
        positions: symbols per code.
        codebook_size: how many symbols there are at each position.
        hidden: numbers in the running sum.
        seed: fixes the initial weights.

    Raises:
        ValueError: if a number is no whole number or too small; by `check` and `log_prob`, for symbols that are not
            int64 `(N, positions)` from 0 to codebook_size − 1.
    """

    def __init__(self, positions: int, codebook_size: int, *, hidden: int = 128, seed: int = 0):
        super().__init__()
        self.positions = checks.whole("positions", positions)
        self.codebook_size = checks.whole("codebook_size", codebook_size, 2)
        checks.whole("hidden", hidden)
        with seeded(seed):
            self.vectors = nn.Parameter(torch.randn(positions, codebook_size, hidden) / math.sqrt(positions))
            self.start = nn.Parameter(torch.zeros(positions, hidden))
            self.readout = nn.Parameter(torch.randn(positions, hidden, codebook_size) / math.sqrt(hidden))
            self.offset = nn.Parameter(torch.zeros(positions, codebook_size))

    def check(self, *data: Tensor) -> tuple[Tensor, ...]:
        """Return the symbols on the model's device, or raise a ValueError that says what is wrong."""
        symbols = checks.alone(data, "symbols")
        return (checks.symbols(symbols, self.positions, self.codebook_size).to(self.device),)

    def logits(self, symbols: Tensor) -> Tensor:
        """Return the logits of each symbol at each position, given those before: `(N, positions, codebook_size)`."""
        rows = symbols + self.codebook_size * torch.arange(self.positions, device=symbols.device)  # one table per place
        said = F.embedding(rows, self.vectors.flatten(0, 1))
        before = said.cumsum(1) - said  # position i sees the sum over 0 … i − 1
        hidden = torch.relu(before + self.start)
        return torch.einsum("npw,pwc->npc", hidden, self.readout) + self.offset

    def log_prob(self, symbols: Tensor) -> Tensor:
        """Return log p(s) of each code `(N, positions)` in nats: `(N,)`."""
        (symbols,) = self.check(symbols)
        return self.logits(symbols).log_softmax(2).gather(2, symbols[..., None]).sum((1, 2))

    def loss(self, symbols: Tensor) -> dict[str, Tensor]:
        """Return `total` = −log p(s), in nats per code."""
        return {"total": F.cross_entropy(self.logits(symbols).mT, symbols, reduction="sum") / len(symbols)}

    @torch.no_grad()
    def sample(self, n: int, *, seed: int = 0) -> Tensor:
        """Return `n` codes drawn from the prior, symbol after symbol: int64 `(n, positions)`, on the CPU.

        Raises:
            ValueError: if `n` is no whole number of at least 1, or `seed` none of at least 0.
        """
        checks.whole("n", n)
        random = torch.Generator().manual_seed(checks.seed(seed))
        symbols = torch.zeros(n, self.positions, dtype=torch.int64)
        for place in range(self.positions):
            chances = self.logits(symbols.to(self.device))[:, place].softmax(1).cpu()
            symbols[:, place] = chances.multinomial(1, generator=random)[:, 0]
        return symbols
