"""The catalogue of models: one idea per file, all keeping the protocol of `models.base.Autoencoder`."""

from .attention import Attention, Block, PatchAutoencoder, attend, bind, to_images, to_patches
from .base import Autoencoder, check_images
from .classifier import Classifier
from .code_prior import CodePrior
from .conditional import ConditionalVAE
from .contractive import ContractiveAutoencoder
from .conv import ConvAutoencoder, ConvVAE, TransposedConvAutoencoder, conv_decoder, conv_encoder
from .denoising import DenoisingAutoencoder, GaussianNoise, Masking, SaltAndPepper
from .dense import DenseAutoencoder, LinearAutoencoder, dense_layers
from .diffusion import LatentDiffusion
from .energy import EBGAN, Critic, fit_pair, pulling_away
from .gumbel import GumbelAutoencoder, gumbel_softmax
from .hourglass import EndSupervisedHourglass, StackedHourglass
from .iwae import IWAE
from .masked import MaskedAutoencoder, MaskedNotes, MaskedTokens
from .music import ListeningMusicVAE, MusicVAE
from .quantized import FSQ, VQVAE, RevivingVQVAE, check_symbols, straight_through
from .sparse import KLSparseAutoencoder, L1Autoencoder, SparseAutoencoder, TopKAutoencoder, bernoulli_kl
from .unet import UNet, UNetWithoutSkips
from .vae import VAE, BinarizedVAE, GaussianVAE
from .wasserstein import WassersteinAutoencoder

__all__ = [
    "EBGAN",
    "FSQ",
    "IWAE",
    "VAE",
    "VQVAE",
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
    "bind",
    "check_images",
    "check_symbols",
    "conv_decoder",
    "conv_encoder",
    "dense_layers",
    "fit_pair",
    "gumbel_softmax",
    "pulling_away",
    "straight_through",
    "to_images",
    "to_patches",
]
