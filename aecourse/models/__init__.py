"""The catalogue of models: one idea per file, all keeping the protocol of `models.base`."""

from .attention import Attention, Block, PatchAutoencoder, attend, bind_positions, to_images, to_patches
from .base import Autoencoder, Model
from .classifier import Classifier
from .critic import EBGAN, Critic, pulling_away
from .diffusion import LatentDiffusion
from .hourglass import EndSupervisedHourglass, StackedHourglass, UNet, UNetWithoutSkips
from .masked import MaskedAutoencoder, MaskedNotes, MaskedTokens
from .networks import Architecture, conv_decoder, conv_encoder, convolutional, dense, dense_layers
from .plain import (
    ContractiveAutoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    DenseAutoencoder,
    GaussianNoise,
    LinearAutoencoder,
    Masking,
    SaltAndPepper,
    TransposedConvAutoencoder,
    WassersteinAutoencoder,
)
from .recurrent import ListeningMusicVAE, MusicVAE
from .sparse import KLSparseAutoencoder, L1Autoencoder, SparseAutoencoder, TopKAutoencoder, bernoulli_kl
from .symbols import (
    FSQ,
    VQVAE,
    CodePrior,
    GumbelAutoencoder,
    RevivingVQVAE,
    gumbel_softmax,
    straight_through,
)
from .vae import IWAE, VAE, BinarizedVAE, ConditionalVAE, ConvVAE, GaussianVAE

__all__ = [
    "EBGAN",
    "FSQ",
    "IWAE",
    "VAE",
    "VQVAE",
    "Architecture",
    "Attention",
    "Autoencoder",
    "BinarizedVAE",
    "Block",
    "Classifier",
    "CodePrior",
    "ConditionalVAE",
    "ContractiveAutoencoder",
    "ConvAutoencoder",
    "ConvVAE",
    "Critic",
    "DenoisingAutoencoder",
    "DenseAutoencoder",
    "EndSupervisedHourglass",
    "GaussianNoise",
    "GaussianVAE",
    "GumbelAutoencoder",
    "KLSparseAutoencoder",
    "L1Autoencoder",
    "LatentDiffusion",
    "LinearAutoencoder",
    "ListeningMusicVAE",
    "MaskedAutoencoder",
    "MaskedNotes",
    "MaskedTokens",
    "Masking",
    "Model",
    "MusicVAE",
    "PatchAutoencoder",
    "RevivingVQVAE",
    "SaltAndPepper",
    "SparseAutoencoder",
    "StackedHourglass",
    "TopKAutoencoder",
    "TransposedConvAutoencoder",
    "UNet",
    "UNetWithoutSkips",
    "WassersteinAutoencoder",
    "attend",
    "bernoulli_kl",
    "bind_positions",
    "conv_decoder",
    "conv_encoder",
    "convolutional",
    "dense",
    "dense_layers",
    "gumbel_softmax",
    "pulling_away",
    "straight_through",
    "to_images",
    "to_patches",
]
