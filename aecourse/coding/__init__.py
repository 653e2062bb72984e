"""Codes and what they cost: entropy and Huffman's code, compressors, ANS, and bits-back coding with a VAE; in bits."""

from .ans import OutOfBits, Stack, pop, push
from .bits_back import compress, decompress
from .compressors import (
    adaptive_context_cost,
    best_compressed_sizes,
    compressed_size,
    context_cost,
    position_cost,
    position_frequencies,
    quantized_cost,
)
from .entropy import (
    NATS_PER_BIT,
    cross_entropy,
    entropy,
    frequencies,
    huffman,
    huffman_decode,
    huffman_encode,
    kl,
    mean_length,
)
from .pixels import grey_levels

__all__ = [
    "NATS_PER_BIT",
    "OutOfBits",
    "Stack",
    "adaptive_context_cost",
    "best_compressed_sizes",
    "compress",
    "compressed_size",
    "context_cost",
    "cross_entropy",
    "decompress",
    "entropy",
    "frequencies",
    "grey_levels",
    "huffman",
    "huffman_decode",
    "huffman_encode",
    "kl",
    "mean_length",
    "pop",
    "position_cost",
    "position_frequencies",
    "push",
    "quantized_cost",
]
