"""The protocol that every model keeps, its errors, and the arithmetic of the plain ones against NumPy."""

import inspect
import math

import numpy as np
import pytest
import torch
from same_weights import equal, weights
from torch import nn
from torch.distributions import Distribution, Normal

from aecourse import checks, models, training

# One small instance of every autoencoder in the catalogue.  A new variant gets one line here, with a code of 3 numbers,
# and is then held to the protocol: `"Name": lambda **seed: models.Name((784, 20, 3), **seed)`.  A term that belongs to
# the batch as a whole is switched off in its line, by a weight of 0, since the loss of a batch is compared with its
# images' mean loss; a test of its own shows that term.  Noise may stay if it comes from `randn_like`.
BUILDERS = {
    "DenseAutoencoder": lambda **seed: models.DenseAutoencoder((784, 20, 3), **seed),
    "LinearAutoencoder": lambda **seed: models.LinearAutoencoder(3, **seed),
    "Critic": lambda **seed: models.Critic((784, 20, 3), **seed),
    "DenoisingAutoencoder": lambda **seed: models.DenoisingAutoencoder(
        (784, 20, 3),
        corruption=lambda images: images / 2,  # no chance, so that the loss can be compared
        **seed,
    ),
    "SparseAutoencoder": lambda **seed: models.SparseAutoencoder(3, **seed),
    "L1Autoencoder": lambda **seed: models.L1Autoencoder(3, **seed),
    "KLSparseAutoencoder": lambda **seed: models.KLSparseAutoencoder(
        3,
        weight=0,  # the penalty belongs to a batch and not to an image: tests/test_sparse.py
        **seed,
    ),
    "TopKAutoencoder": lambda **seed: models.TopKAutoencoder(3, active=2, **seed),
    "PatchAutoencoder": lambda **seed: models.PatchAutoencoder(3, width=8, heads=2, queries=2, **seed),
    "VAE": lambda **seed: models.VAE((784, 20, 3), **seed),
    "BinarizedVAE": lambda **seed: models.BinarizedVAE((784, 20, 3), **seed),
    "ContractiveAutoencoder": lambda **seed: models.ContractiveAutoencoder((784, 20, 3), **seed),
    "WassersteinAutoencoder": lambda **seed: models.WassersteinAutoencoder(
        (784, 20, 3),
        matching=0,  # the discrepancy belongs to a batch and not to an image: tests/test_wasserstein.py
        **seed,
    ),
    "GaussianVAE": lambda **seed: models.GaussianVAE((784, 20, 3), **seed),
    "IWAE": lambda **seed: models.IWAE((784, 20, 3), samples=3, **seed),
    "ConvAutoencoder": lambda **seed: models.ConvAutoencoder((2, 4), latent_dim=3, **seed),
    "TransposedConvAutoencoder": lambda **seed: models.TransposedConvAutoencoder((2, 4), latent_dim=3, **seed),
    "ConvVAE": lambda **seed: models.ConvVAE((2, 4), latent_dim=3, **seed),
}

# Their codes are whole numbers instead of floats: tests/test_symbols.py.
SYMBOLS = {"FSQ", "GumbelAutoencoder", "RevivingVQVAE", "VQVAE"}
# They take notes instead of images: tests/test_music_models.py.
MUSIC = {"ListeningMusicVAE", "MusicVAE"}


def _autoencoders():
    found = {name: getattr(models, name) for name in models.__all__}
    classes = {
        name for name, thing in found.items() if isinstance(thing, type) and issubclass(thing, models.Autoencoder)
    }
    takes_labels = {"ConditionalVAE"}  # in every call; tests/test_steering.py tests it
    return classes - SYMBOLS - MUSIC - {"Autoencoder"} - takes_labels  # the protocol itself


@pytest.fixture(params=BUILDERS)
def build(request):
    return BUILDERS[request.param]


@pytest.fixture
def images():
    return torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def _codes(model, images):
    """Return one code per image: of a VAE, whose code is a distribution, the mean."""
    code = model.encode(images)
    return code.mean if isinstance(code, Distribution) else code


def _weights_equal(first, second):
    return equal(weights(first), weights(second))


def test_every_autoencoder_of_the_catalogue_is_tested_here():
    assert _autoencoders() == set(BUILDERS)


def test_encode_decode_and_forward_have_the_shapes_of_the_protocol(build, images):
    model = build()
    codes = _codes(model, images)
    assert codes.shape == (5, model.latent_dim) == (5, 3)
    assert model.decode(codes).shape == (5, 1, 28, 28)
    assert model(images).shape == (5, 1, 28, 28)
    assert {codes.dtype, model.decode(codes).dtype} == {torch.float32}


def test_calling_a_model_is_encoding_and_then_decoding(build, images):
    model = build()
    assert torch.equal(model(images), model.decode(_codes(model, images)))


def test_the_loss_is_named_finite_scalars_with_a_total_that_has_a_gradient(build, images):
    model = build()
    terms = model.loss(images)
    assert {"total", "reconstruction"} <= terms.keys()
    assert all(term.shape == () and torch.isfinite(term) for term in terms.values())
    terms["total"].backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients.values())
    assert all(gradients[name].any() for name in gradients if name.endswith("weight"))


def test_the_loss_of_a_batch_is_the_mean_over_its_images(build, images, monkeypatch):
    # A VAE's loss is noisy: here each of its draws gives the same, and black and white leaves nothing to draw.
    monkeypatch.setattr(torch, "randn_like", lambda like: torch.full_like(like, 0.7))
    model, images = build(), images.round()
    together = model.loss(images)["total"].item()
    alone = [model.loss(image[None])["total"].item() for image in images]
    assert together == pytest.approx(np.mean(alone), rel=1e-5)


def test_one_image_does_not_change_what_becomes_of_another(build, images):
    model = build().eval()
    torch.testing.assert_close(model(images)[:2], model(images[:2]), rtol=1e-4, atol=1e-5)


class Halving(models.Autoencoder):
    """The least that a new model must say: its code is every second pixel of its one row of four."""

    image_shape, latent_dim = (1, 1, 4), 2

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def encode(self, images):
        return self.check_images(images).flatten(1)[:, ::2]

    def decode(self, latents):
        return self.check_latents(latents).repeat_interleave(2, 1).unflatten(1, self.image_shape)


def test_a_new_model_that_says_how_to_encode_and_decode_gets_forward_device_and_all_checks():
    model = Halving()
    pictures = torch.tensor([[0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.5, 0.0]]).reshape(2, 1, 1, 4)
    assert torch.equal(model(pictures).flatten(1), torch.tensor([[0.1, 0.1, 0.3, 0.3], [1.0, 1.0, 0.5, 0.5]]))
    assert model.device == torch.device("cpu")
    with pytest.raises(ValueError, match=r"shape \(N, 1, 1, 4\) with values in \[0, 1\]; divide by 255"):
        model(255 * pictures)
    with pytest.raises(ValueError, match=r"float32 codes of shape \(N, 2\)"):
        model.decode(torch.zeros(2, 3))
    with pytest.raises(NotImplementedError):  # and not a loss of None, with which training would end in the depths
        model.loss(pictures)


def test_a_model_whose_code_is_a_distribution_needs_no_forward_of_its_own(images):
    class Mine(models.Autoencoder):
        def __init__(self):
            super().__init__()
            self.build((784, 20, 3), per_number=2)

        def encode(self, images):
            mu, log_var = self.encoder(self.check_images(images).flatten(1)).chunk(2, dim=1)
            return Normal(mu, (log_var / 2).exp())

        def decode(self, latents):
            return self.decoder(self.check_latents(latents)).sigmoid().unflatten(1, self.image_shape)

    model = Mine()
    assert torch.equal(model(images), model.decode(model.encode(images).mean))
    with pytest.raises(ValueError, match=r"got a Mine without loss, .*define loss\(self, images\), which returns"):
        training.fit(model, images)
    with pytest.raises(NotImplementedError, match="Mine has no loss"):
        model.loss(images)


# What each model of the book has if nothing else is asked for: numbers of the code, and numbers that are learnt.
SIZES = {
    "BinarizedVAE": (2, 1_091_388),
    "ConditionalVAE": (2, 1_099_388),
    "ContractiveAutoencoder": (2, 1_090_786),
    "ConvAutoencoder": (16, 28_881),
    "ConvVAE": (16, 37_089),
    "Critic": (32, 420_144),
    "DenoisingAutoencoder": (300, 1_088_084),
    "DenseAutoencoder": (2, 1_090_786),
    "FSQ": (8, 416_040),
    "GaussianVAE": (2, 1_091_389),
    "GumbelAutoencoder": (8, 666_384),
    "IWAE": (2, 1_091_388),
    "KLSparseAutoencoder": (1000, 1_569_784),
    "L1Autoencoder": (1000, 1_569_784),
    "ListeningMusicVAE": (32, 487_644),
    "MusicVAE": (32, 427_740),
    "PatchAutoencoder": (16, 80_144),
    "RevivingVQVAE": (8, 420_400),
    "SparseAutoencoder": (1000, 1_569_784),
    "TopKAutoencoder": (1000, 1_569_784),
    "TransposedConvAutoencoder": (16, 28_881),
    "VAE": (2, 1_091_388),
    "VQVAE": (8, 420_400),
    "WassersteinAutoencoder": (2, 1_090_786),
}


@pytest.mark.parametrize("name", SIZES)
def test_a_model_without_settings_is_the_one_that_the_book_describes(name):
    model = getattr(models, name)()
    assert (model.latent_dim, sum(weights.numel() for weights in model.parameters())) == SIZES[name]


def test_every_model_that_needs_no_settings_is_among_these():
    found = set()
    for name in models.__all__:
        thing = getattr(models, name)
        if isinstance(thing, type) and issubclass(thing, models.Autoencoder) and thing is not models.Autoencoder:
            needed = inspect.signature(thing).parameters.values()
            needed = [
                each
                for each in needed
                if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
            ]
            found |= set() if needed else {name}
    assert found == set(SIZES)


def test_a_dense_model_decodes_any_code_into_the_range_of_images():
    model = models.DenseAutoencoder((784, 20, 3))
    decoded = model.decode(torch.randn(50, 3, generator=torch.Generator().manual_seed(1)) * 1e4)
    assert decoded.min() >= 0
    assert decoded.max() <= 1
    assert decoded.max() - decoded.min() > 0.5


def test_a_linear_model_is_linear_up_to_its_offset(images):
    model = models.LinearAutoencoder(3)
    first, second = images[:1], images[1:2]
    torch.testing.assert_close(model((first + second) / 2), (model(first) + model(second)) / 2)


def test_a_model_works_on_images_of_another_shape():
    model = models.DenseAutoencoder((12, 5, 2), image_shape=(3, 2, 2))
    assert model(torch.rand(4, 3, 2, 2)).shape == (4, 3, 2, 2)
    assert models.LinearAutoencoder(2, image_shape=(3, 2, 2))(torch.rand(4, 3, 2, 2)).shape == (4, 3, 2, 2)


def test_the_same_seed_gives_the_same_weights(build):
    assert _weights_equal(build(seed=3), build(seed=3))


def test_another_seed_gives_other_weights(build):
    assert not _weights_equal(build(seed=3), build(seed=4))


@pytest.mark.parametrize("name", [*BUILDERS, "Classifier"])
def test_building_a_model_neither_uses_nor_moves_the_global_random_state(name):
    build = {**BUILDERS, "Classifier": models.Classifier}[name]
    torch.manual_seed(11)
    first, before = build(), torch.get_rng_state()
    torch.manual_seed(12)
    after = build()
    assert _weights_equal(first, after)
    torch.manual_seed(11)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", [*BUILDERS, "Classifier"])
def test_building_a_model_does_not_seed_the_gpus(name, monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    {**BUILDERS, "Classifier": models.Classifier}[name]()
    assert seeded == []


def _numpy_weights(layers):
    return [
        (layer.weight.detach().numpy().astype(float), layer.bias.detach().numpy().astype(float))
        for layer in layers
        if isinstance(layer, nn.Linear | nn.LayerNorm)
    ]


def _numpy_stack(layers, values):
    """Linear, (layer norm, ReLU, linear)…, as the docstring of dense_layers says."""
    weights = _numpy_weights(layers)
    values = values @ weights[0][0].T + weights[0][1]
    for (gain, shift), (matrix, offset) in zip(weights[1::2], weights[2::2], strict=True):
        centred = values - values.mean(1, keepdims=True)
        values = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * gain + shift
        values = np.maximum(values, 0) @ matrix.T + offset
    return values


def _sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("reconstruction", ["cross_entropy", "squared_error"])
def test_the_dense_loss_equals_the_same_arithmetic_in_numpy(reconstruction):
    model = models.DenseAutoencoder((4, 6, 3, 2), image_shape=(1, 2, 2), reconstruction=reconstruction, seed=5)
    images = torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(2))
    pixels = images.flatten(1).double().numpy()
    codes = _numpy_stack(model.encoder, pixels)
    white = _sigmoid(_numpy_stack(model.decoder, codes))
    np.testing.assert_allclose(model.encode(images).detach().numpy(), codes, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model(images).detach().numpy().reshape(3, 4), white, rtol=1e-4, atol=1e-5)
    if reconstruction == "cross_entropy":
        costs = -(pixels * np.log(white) + (1 - pixels) * np.log(1 - white))
    else:
        costs = (white - pixels) ** 2
    terms = model.loss(images)
    assert terms["total"].item() == pytest.approx(costs.sum(1).mean(), rel=1e-4)
    assert terms["reconstruction"].item() == terms["total"].item()


def test_the_linear_loss_equals_the_same_arithmetic_in_numpy():
    model = models.LinearAutoencoder(2, image_shape=(1, 2, 2), seed=5)
    images = torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(2))
    pixels = images.flatten(1).double().numpy()
    (down, shift), (up, offset) = _numpy_weights([model.encoder, model.decoder])
    rebuilt = (pixels @ down.T + shift) @ up.T + offset
    np.testing.assert_allclose(model(images).detach().numpy().reshape(3, 4), rebuilt, rtol=1e-4, atol=1e-5)
    assert model.loss(images)["total"].item() == pytest.approx(((rebuilt - pixels) ** 2).sum(1).mean(), rel=1e-4)


def test_the_classifiers_loss_is_the_mean_negative_log_probability_of_the_labels():
    model = models.Classifier((784, 12, 10), seed=1)
    images = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    labels = torch.tensor([0, 9, 3, 3])
    logits = _numpy_stack(model.layers, images.flatten(1).double().numpy())
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(model(images).detach().numpy(), chances, rtol=1e-4, atol=1e-5)
    by_hand = -np.log(chances[range(4), labels]).mean()
    assert model.loss(images, labels)["total"].item() == pytest.approx(by_hand, rel=1e-4)


def test_the_classifiers_features_are_its_last_hidden_layer_computed_in_numpy():
    model = models.Classifier((784, 12, 7, 10), seed=1)
    images = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    *_, norm, _, last = model.layers
    before = _numpy_stack(model.layers[:-3], images.flatten(1).double().numpy())  # ends with a linear layer
    centred = before - before.mean(1, keepdims=True)
    (gain, shift), (matrix, offset) = _numpy_weights([norm, last])
    hidden = np.maximum(centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * gain + shift, 0)
    features = model.features(images).detach().numpy()
    assert features.shape == (4, 7)
    np.testing.assert_allclose(features, hidden, rtol=1e-4, atol=1e-5)
    chances = np.exp(features @ matrix.T + offset)
    np.testing.assert_allclose(model(images).detach().numpy(), chances / chances.sum(1, keepdims=True), rtol=1e-4)


def test_the_decoder_is_the_mirror_image_of_the_encoder():
    model = models.DenseAutoencoder((784, 20, 7, 3))
    widths = [
        [(layer.in_features, layer.out_features) for layer in half if isinstance(layer, nn.Linear)]
        for half in (model.encoder, model.decoder)
    ]
    assert widths == [[(784, 20), (20, 7), (7, 3)], [(3, 7), (7, 20), (20, 784)]]


def test_dense_layers_end_without_a_norm_or_a_non_linearity():
    kinds = [type(layer) for layer in models.dense_layers((5, 4, 3, 2), nn.Tanh)]
    assert kinds == [nn.Linear, nn.LayerNorm, nn.Tanh, nn.Linear, nn.LayerNorm, nn.Tanh, nn.Linear]


def test_dense_layers_start_with_hes_spread_and_no_offsets():
    torch.manual_seed(0)
    linear = models.dense_layers((500, 400, 2))[0]
    assert linear.weight.std().item() == pytest.approx(math.sqrt(2 / 500), rel=0.02)
    assert not linear.bias.any()


GOOD = torch.full((2, 1, 28, 28), 0.5)
WITH_NAN = GOOD.clone()
WITH_NAN[1, 0, 3, 3] = math.nan

BAD_IMAGES = {
    "uint8": ((GOOD * 255).to(torch.uint8), "dtype torch.uint8", "images.float() / 255"),
    "0 to 255": (GOOD * 255, "pixel values from 127.5 to 127.5", "divide by 255"),
    "negative": (GOOD - 1, "pixel values from -0.5 to -0.5", "rescale or clamp"),
    "infinite": (GOOD / 0, "pixel values from inf to inf", "rescale or clamp"),
    "NaN": (WITH_NAN, "NaN pixels in 1 of 2 images", "drop or repair"),
    "float64": (GOOD.double(), "dtype torch.float64", "call .float() first"),
    "float16": (GOOD.half(), "dtype torch.float16", "call .float() first"),
    "NumPy array": (GOOD.numpy(), "ndarray", "torch.as_tensor"),
    "list": ([GOOD], "list", "torch.as_tensor"),
    "single image": (GOOD[0], "shape (1, 28, 28)", "images[None]"),
    "no channel": (GOOD[:, 0], "shape (2, 28, 28)", "images.reshape(-1, 1, 28, 28)"),
    "flattened": (GOOD.flatten(1), "shape (2, 784)", "images.reshape(-1, 1, 28, 28)"),
    "other size": (GOOD[..., :14, :14], "shape (2, 1, 14, 14)", "resize"),
    "colour and odd size": (torch.zeros(2, 3, 5, 5), "shape (2, 3, 5, 5)", "resize"),
    "empty": (GOOD[:0], "no images (shape (0, 1, 28, 28))", "N of at least 1"),
    "a number": (torch.tensor(0.5), "shape ()", "resize"),
}

BAD_CODES = {
    "NumPy array": (np.zeros((2, 3), dtype=np.float32), "ndarray", "torch.tensor("),
    "float64": (torch.zeros(2, 3).double(), "dtype torch.float64", "call .float() first"),
    "whole numbers": (torch.zeros(2, 3).long(), "dtype torch.int64", "call .float() first"),
    "too wide": (torch.zeros(2, 4), "shape (2, 4)", "code has 3 numbers per image"),
    "too narrow": (torch.zeros(2, 2), "shape (2, 2)", "code has 3 numbers per image"),
    "single code": (torch.zeros(3), "shape (3,)", "codes[None]"),
    "NaN": (torch.full((2, 3), math.nan), "NaN or infinity", "; "),
    "infinite": (torch.full((2, 3), math.inf), "NaN or infinity", "; "),
}


def _assert_helpful(error, came, expected, advice):
    message = str(error.value)
    assert message.startswith("got ")
    assert came in message
    assert "expected " in message.split(expected)[0]
    assert advice in message.split(expected)[1]


@pytest.mark.parametrize("call", ["encode", "forward"])
@pytest.mark.parametrize("bad", BAD_IMAGES)
def test_bad_images_are_an_error_that_says_what_came_what_was_expected_and_what_to_do(build, call, bad):
    images, came, advice = BAD_IMAGES[bad]
    with pytest.raises(ValueError, match="got ") as error:
        getattr(build(), call)(images)
    _assert_helpful(error, came, "a float32 tensor of shape (N, 1, 28, 28) with values in [0, 1]", advice)


@pytest.mark.parametrize("bad", BAD_IMAGES)
def test_the_classifier_refuses_the_same_bad_images(bad):
    images, came, advice = BAD_IMAGES[bad]
    with pytest.raises(ValueError, match="got ") as error:
        models.Classifier((784, 4, 10))(images)
    _assert_helpful(error, came, "a float32 tensor of shape (N, 1, 28, 28) with values in [0, 1]", advice)


@pytest.mark.parametrize("bad", BAD_CODES)
def test_bad_codes_are_an_error_that_says_what_came_what_was_expected_and_what_to_do(build, bad):
    codes, came, advice = BAD_CODES[bad]
    with pytest.raises(ValueError, match="got ") as error:
        build().decode(codes)
    _assert_helpful(error, came, "float32 codes of shape (N, 3)", advice)


def test_good_images_are_returned_as_they_are():
    assert checks.images(GOOD) is GOOD
    for edge in (torch.zeros(1, 1, 28, 28), torch.ones(1, 1, 28, 28)):
        assert checks.images(edge) is edge


def test_the_message_names_the_shape_that_this_model_takes():
    model = models.LinearAutoencoder(2, image_shape=(3, 2, 2))
    with pytest.raises(ValueError, match=r"expected a float32 tensor of shape \(N, 3, 2, 2\)"):
        model.encode(GOOD)


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ((784,), "at least two whole numbers"),
        ((), "at least two whole numbers"),
        ((784, 0), "above 0"),
        ((784, -3, 2), "above 0"),
        ((784, 2.0), "whole numbers"),
        ((784, "2"), "whole numbers"),
        ((28, 2), "begin with 28, expected 784"),
    ],
)
def test_widths_that_make_no_dense_model_are_an_error(widths, message):
    with pytest.raises(ValueError, match=f"got widths.*{message}"):
        models.DenseAutoencoder(widths)


@pytest.mark.parametrize("widths", [(784,), (784, 0, 10), (100, 10)])
def test_widths_that_make_no_classifier_are_an_error(widths):
    with pytest.raises(ValueError, match="got widths"):
        models.Classifier(widths)


@pytest.mark.parametrize("latent_dim", [0, -1, 2.5])
def test_a_linear_model_without_a_code_is_an_error(latent_dim):
    with pytest.raises(ValueError, match=r"got latent_dim=.*, expected a whole number of at least 1"):
        models.LinearAutoencoder(latent_dim)


def test_an_unknown_reconstruction_loss_is_an_error():
    with pytest.raises(ValueError, match="got reconstruction='mse', expected 'cross_entropy' or 'squared_error'"):
        models.DenseAutoencoder((784, 2), reconstruction="mse")


# Every objective on every architecture

OBJECTIVES = [
    models.DenseAutoencoder,
    models.DenoisingAutoencoder,
    models.ContractiveAutoencoder,
    models.WassersteinAutoencoder,
    models.Critic,
    models.VAE,
    models.BinarizedVAE,
    models.GaussianVAE,
    models.IWAE,
    models.ConditionalVAE,
]
SMALL = {"channels": (2, 3), "latent_dim": 3}
ARCHITECTURES = {
    "widths": lambda shape: (math.prod(shape), 6, 3),
    "dense": lambda shape: models.dense((math.prod(shape), 6, 3), activation=nn.Tanh, image_shape=shape),
    "convolutional": lambda shape: models.convolutional(**SMALL, image_shape=shape),
    "transposed": lambda shape: models.convolutional(**SMALL, kernel=4, image_shape=shape),
    "without norm": lambda shape: models.convolutional(**SMALL, norm=False, image_shape=shape),
}
by_name = pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda kind: kind.__name__)


def _made(objective, architecture, shape, **settings):
    settings |= {"image_shape": shape} if architecture == "widths" else {}
    return objective(ARCHITECTURES[architecture](shape), **settings)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 40, 60), (1, 45, 45)], ids=str)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@by_name
def test_every_objective_works_on_every_architecture_for_images_of_any_shape(objective, architecture, shape):
    images = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))
    labels = (torch.arange(4),) if objective is models.ConditionalVAE else ()
    if labels and "dense" not in architecture and architecture != "widths":
        with pytest.raises(ValueError, match="got convolutions for a model that puts 10 numbers beside the pixels"):
            _made(objective, architecture, shape)
        return
    model, same, other = (_made(objective, architecture, shape, seed=seed) for seed in (1, 1, 2))
    assert _weights_equal(model, same)
    assert not _weights_equal(model, other)

    code = model.encode(images, *labels)
    code = code.mean if isinstance(code, Distribution) else code
    assert code.shape == (4, model.latent_dim) == (4, 3)
    decoded = model.decode(code, *labels)
    assert torch.equal(model(images, *labels), decoded)
    assert decoded.shape == images.shape
    assert 0 <= decoded.min() < decoded.max() <= 1

    terms = model.loss(images, *labels)
    assert all(term.shape == () and term.isfinite() for term in terms.values())
    assert {"total", "reconstruction"} <= terms.keys()
    before = weights(model)
    training.fit(model, (images, *labels), epochs=1, batch_size=4)
    assert all(value.isfinite().all() for value in weights(model).values())
    moved = [not torch.equal(value, before[name]) for name, value in model.named_parameters() if value.requires_grad]
    assert sum(moved) > 0.8 * len(moved)  # in so small a network a filter may see nothing but negative numbers


@by_name
def test_widths_are_a_dense_architecture(objective):
    settings = {"activation": nn.Tanh, "image_shape": (3, 2, 2)}
    short = objective((12, 5, 2), seed=4, **settings)
    assert _weights_equal(short, objective(models.dense((12, 5, 2), **settings), seed=4))
    assert [type(layer) for layer in short.encoder] == [nn.Linear, nn.LayerNorm, nn.Tanh, nn.Linear]


@pytest.mark.parametrize("norm", [True, False])
def test_the_convolutional_classes_are_objectives_on_that_architecture(norm):
    shape = {"latent_dim": 3, "norm": norm, "image_shape": (3, 9, 6)}
    images = torch.rand(8, 3, 9, 6, generator=torch.Generator().manual_seed(0))
    networks = models.convolutional((2, 3), **shape)
    for short, long in (
        (
            models.ConvAutoencoder((2, 3), seed=4, **shape),
            models.DenseAutoencoder(networks, reconstruction="squared_error", seed=4),
        ),
        (models.ConvVAE((2, 3), beta=2.0, seed=4, **shape), models.VAE(networks, beta=2.0, seed=4)),
    ):
        assert any(isinstance(layer, nn.InstanceNorm2d) for layer in short.encoder) == norm
        assert _weights_equal(short, long)
        first, second = (training.fit(model, images, epochs=1, batch_size=4).train for model in (short, long))
        assert first == second
        assert _weights_equal(short, long)


def test_a_transposed_decoder_is_drawn_from_the_seed_anew_and_its_encoder_is_the_resized_ones():
    shape = {"latent_dim": 3, "image_shape": (1, 8, 8)}
    transposed = models.TransposedConvAutoencoder((2, 3), kernel=4, seed=4, **shape)
    assert _weights_equal(transposed.encoder, models.ConvAutoencoder((2, 3), seed=4, **shape).encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        assert _weights_equal(transposed.decoder, models.convolutional((2, 3), kernel=4, **shape).decoder(3))
    other = models.TransposedConvAutoencoder((2, 3), kernel=5, seed=4, **shape)
    assert torch.equal(transposed.decoder[0].weight, other.decoder[0].weight)


@by_name
@pytest.mark.parametrize("setting", [{"image_shape": (1, 28, 28)}, {"activation": nn.ReLU}])
def test_what_an_architecture_has_cannot_be_given_twice(objective, setting):
    (name,) = setting
    for networks in (models.dense((784, 5, 2)), models.convolutional()):
        with pytest.raises(ValueError, match=f"got {name} beside an architecture, which has its own; give {name} to"):
            objective(networks, **setting)


@pytest.mark.parametrize("function", [models.convolutional, models.dense])
def test_a_function_that_was_not_called_is_no_architecture(function):
    with pytest.raises(
        ValueError, match=rf"got {function.__name__} itself, expected widths or .*{function.__name__}\("
    ):
        models.VAE(function)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: models.VAE((784, 2), bta=1), r"VAE.*'bta'"),
        (lambda: models.GaussianVAE((784, 2), bta=1), r"VAE.*'bta'"),
        (lambda: models.ConditionalVAE((784, 2), clases=1), r"ConditionalVAE.*'clases'"),
        (lambda: models.DenseAutoencoder((784, 2), imageshape=1), r"DenseAutoencoder.*'imageshape'"),
        (lambda: models.DenoisingAutoencoder((784, 2), coruption=1), r"DenseAutoencoder.*'coruption'"),
        (lambda: models.ConvAutoencoder(latentdim=1), r"ConvAutoencoder.*'latentdim'"),
        (lambda: models.TransposedConvAutoencoder(kernal=1), r"ConvAutoencoder.*'kernal'"),
        (lambda: models.ConvVAE(bta=1), r"ConvVAE.*'bta'"),
        (lambda: models.ListeningMusicVAE(bta=1), r"MusicVAE.*'bta'"),
        (lambda: models.VAE(784, 300), r"VAE.__init__\(\) takes from 1 to 2 positional arguments"),
    ],
)
def test_a_misspelt_setting_is_an_error_that_names_it_and_the_class_whose_settings_are_meant(call, named):
    """Python's own message: the class is the one that was called, or that to whose settings its docstring refers."""
    with pytest.raises(TypeError, match=named):
        call()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widths": 784}, "got widths 784, expected at least two whole numbers above 0, pixels first"),
        ({"activation": nn.ReLU()}, r"got activation=ReLU\(\), expected what makes a new layer; give nn.ReLU"),
        ({"activation": "relu"}, "got activation='relu'"),
        ({"image_shape": 28}, "got image_shape 28"),
        ({"image_shape": (1, 28, 0)}, r"got image_shape \(1, 28, 0\)"),
        ({"seed": -1}, "got seed=-1, expected a whole number of at least 0"),
        ({"seed": 2**70}, "got seed=.*below 2"),
        ({"seed": None}, "got seed=None"),
    ],
)
@pytest.mark.parametrize("kind", [models.DenseAutoencoder, models.VAE, models.ConditionalVAE])
def test_settings_that_make_no_networks_are_an_error(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)


@pytest.mark.parametrize("corruption", [0.5, None, models.GaussianNoise])
def test_what_cannot_damage_an_image_is_an_error_when_the_model_is_built(corruption):
    with pytest.raises(ValueError, match=r"got corruption=.*, expected a function from images to images, as GaussianN"):
        models.DenoisingAutoencoder((784, 2), corruption=corruption)


def test_models_of_images_alone_refuse_what_comes_beside_them(build, images):
    model = build()
    (checked,) = model.check(images)
    assert checked is images
    with pytest.raises(ValueError, match="got 3 tensors, expected"):
        model.check(images, images, images)
    with pytest.raises(ValueError, match=r"got .*, expected"):
        model.check(images, torch.zeros(5, dtype=torch.int64))
    with pytest.raises(ValueError, match="divide by 255"):
        model.check(images * 255)


def test_a_model_that_says_nothing_of_its_images_takes_those_of_mnist(images):
    class Plain(models.Model):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

    assert Plain().check(images)[0] is images
    with pytest.raises(ValueError, match=r"expected a float32 tensor of shape \(N, 1, 28, 28\)"):
        Plain().check(images[..., :27])


@pytest.mark.parametrize("name", ["LinearAutoencoder", "Critic", "ConvAutoencoder", "TransposedConvAutoencoder"])
def test_models_that_are_trained_on_squared_errors_say_so(name):
    assert BUILDERS[name]().reconstruction == "squared_error"
    assert models.DenseAutoencoder((784, 2)).reconstruction == "cross_entropy"


def test_an_image_may_be_a_vector_but_not_a_single_number_without_a_shape():
    vectors = torch.rand(3, 6)
    assert models.LinearAutoencoder(2, image_shape=(6,))(vectors).shape == (3, 6)
    assert models.DenseAutoencoder((6, 4, 2), image_shape=(6,))(vectors).shape == (3, 6)
    for build in (
        lambda: models.LinearAutoencoder(2, image_shape=()),
        lambda: models.DenseAutoencoder((1, 2), image_shape=()),
        lambda: models.Classifier((1, 2), image_shape=()),
    ):
        with pytest.raises(ValueError, match=r"got image_shape \(\), expected at least one whole number above 0"):
            build()
