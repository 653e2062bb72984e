"""Codes and what they cost: entropy and Huffman's code, ANS, and bits-back coding with a VAE."""

from .ans import OutOfBits, Stack, pop, push
from .bits_back import compress, decompress
from .codes import (
    NATS_PER_BIT,
    best_compressed_sizes,
    black_and_white,
    compressed_size,
    context_cost,
    cross_entropy,
    decode,
    encode,
    entropy,
    frequencies,
    grey_levels,
    huffman,
    kl,
    mean_length,
    position_cost,
    position_frequencies,
    quantized_cost,
)

__all__ = [
    "NATS_PER_BIT",
    "OutOfBits",
    "Stack",
    "best_compressed_sizes",
    "black_and_white",
    "compress",
    "compressed_size",
    "context_cost",
    "cross_entropy",
    "decode",
    "decompress",
    "encode",
    "entropy",
    "frequencies",
    "grey_levels",
    "huffman",
    "kl",
    "mean_length",
    "pop",
    "position_cost",
    "position_frequencies",
    "push",
    "quantized_cost",
]
