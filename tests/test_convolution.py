"""Convolutional autoencoders against convolution by hand, and what is measured on them against arithmetic."""

import copy
import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from aecourse import evaluate, models, training
from aecourse.models import networks


@pytest.fixture
def images():
    return torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_the_first_layer_is_a_strided_window_computed_by_hand(images):
    encoder = models.conv_encoder((3,), 2)
    maps = encoder[1](images).detach().numpy()
    weights, offsets = encoder[1].weight.detach().numpy(), encoder[1].bias.detach().numpy()
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    for row, column in [(0, 0), (5, 9), (13, 13)]:
        window = padded[:, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        by_hand = np.einsum("nchw,fchw->nf", window, weights) + offsets
        np.testing.assert_allclose(maps[:, :, row, column], by_hand, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
@pytest.mark.parametrize(("small", "large"), [((4, 4), (7, 7)), ((7, 7), (14, 14)), ((5, 3), (9, 6))])
def test_both_ways_up_reach_the_size_that_is_asked_for(kernel, small, large):
    maps = torch.rand(2, 3, *small)
    assert networks.transposed_convolution(3, 5, small, large, kernel=kernel)(maps).shape == (2, 5, *large)
    assert networks.resized_convolution(3, 5, small, large)(maps).shape == (2, 5, *large)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 6), (1, 5, 16)])
def test_the_decoder_gives_back_the_shape_of_the_image(shape):
    for build in (models.ConvAutoencoder, models.TransposedConvAutoencoder, models.ConvVAE):
        model = build((2, 3), latent_dim=2, image_shape=shape)
        assert model(torch.rand(2, *shape)).shape == (2, *shape)


def test_the_parameters_are_as_many_as_counted_by_hand():
    encoder = (9 + 1) * 2 + 2 * 2 + (2 * 9 + 1) * 4 + 2 * 4 + (4 * 49 + 1) * 3
    decoder = (3 + 1) * 196 + 2 * 4 + (4 * 9 + 1) * 2 + 2 * 2 + (2 * 9 + 1) * 1
    model = models.ConvAutoencoder((2, 4), latent_dim=3)
    assert evaluate.parameter_count(model) == encoder + decoder
    model.encoder.requires_grad_(False)
    assert evaluate.parameter_count(model) == decoder


def test_the_multiply_adds_are_as_many_as_counted_by_hand():
    encoder = 14 * 14 * 9 * 2 + 7 * 7 * 2 * 9 * 4 + 4 * 49 * 3
    decoder = 3 * 196 + 14 * 14 * 4 * 9 * 2 + 28 * 28 * 2 * 9
    assert evaluate.multiply_adds(models.ConvAutoencoder((2, 4), latent_dim=3)) == encoder + decoder
    assert evaluate.multiply_adds(models.DenseAutoencoder((784, 20, 3))) == 2 * (784 * 20 + 20 * 3)


def test_the_multiply_adds_of_a_unet_are_counted_and_it_learns_nothing_from_being_counted():
    model = models.UNet((2, 4), image_shape=(3, 8, 8))
    before = copy.deepcopy(model.state_dict())
    down, middle = 64 * 27 * 2, 16 * 9 * (2 * 2 + 2 * 4)
    up = 64 * 9 * (2 + 4) * 2 + 64 * 2 * 3
    assert evaluate.multiply_adds(model) == down + middle + up
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_convolution_of_a_moved_image_is_the_moved_convolution(images):
    layer = nn.Conv2d(1, 2, 3, padding=1)
    images[..., :2], images[..., -2:], images[..., :2, :], images[..., -2:, :] = 0, 0, 0, 0
    moved = evaluate.shift(images, 1, 1)
    inner = (..., slice(3, -3), slice(3, -3))
    before = (..., slice(2, -4), slice(2, -4))
    torch.testing.assert_close(layer(moved)[inner], layer(images)[before])


def test_the_transposed_variant_differs_only_in_its_decoder(images):
    resized, transposed = models.ConvAutoencoder((2, 4)), models.TransposedConvAutoencoder((2, 4))
    assert torch.equal(resized.encode(images), transposed.encode(images))
    assert not torch.equal(resized(images), transposed(images))
    kinds = {type(layer) for layer in transposed.decoder}
    assert nn.ConvTranspose2d in kinds
    assert nn.ConvTranspose2d not in {type(layer) for layer in resized.decoder.modules()}


def written(kernel):
    """Return how often each pixel is written by a transposed convolution all of whose weights are 1."""
    layer = networks.transposed_convolution(1, 1, (7, 7), (14, 14), kernel=kernel)
    nn.init.ones_(layer.weight)
    return layer(torch.ones(1, 1, 7, 7)).detach()


def test_a_kernel_of_3_writes_pixels_unevenly_and_one_of_4_does_not():
    counts = written(3)[0, 0, 2:-2, 2:-2]
    assert set(counts.flatten().tolist()) == {1.0, 2.0, 4.0}
    assert evaluate.checkerboard(counts[None, None]).item() == pytest.approx(np.std([1, 2, 2, 4]) / 2.25)
    assert set(written(4)[0, 0, 2:-2, 2:-2].flatten().tolist()) == {4.0}
    assert evaluate.checkerboard(written(4)[..., 2:-2, 2:-2]).item() == 0


def test_a_checkerboard_is_as_strong_as_its_amplitude():
    even = torch.arange(28) % 2 * 2.0 - 1
    board = 0.5 + 0.1 * even[:, None] * even
    stripes = (0.5 + 0.2 * even).expand(28, 28)
    flat = torch.full((28, 28), 0.5)
    strength = evaluate.checkerboard(torch.stack([board, stripes, flat])[:, None])
    torch.testing.assert_close(strength, torch.tensor([0.2, 0.4, 0.0]))


def test_the_checkerboard_is_the_spectrum_at_the_nyquist_frequencies(images):
    spectrum = np.fft.fft2(images[:, 0].numpy()).real
    nyquist = spectrum[:, [0, 14, 14], [14, 0, 14]]
    by_fourier = np.sqrt((nyquist**2).sum(1)) / spectrum[:, 0, 0]
    np.testing.assert_allclose(evaluate.checkerboard(images).numpy(), by_fourier, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 1, 7, 8), (2, 1, 8, 7), (28, 28)])
def test_phases_of_odd_images_are_an_error(shape):
    with pytest.raises(ValueError, match="even height and width"):
        evaluate.checkerboard(torch.zeros(shape))


@pytest.mark.parametrize(("right", "down"), [(0, 0), (2, 0), (-3, 1), (1, -4), (-1, -1)])
def test_a_shift_moves_every_pixel_and_fills_with_black(images, right, down):
    moved = evaluate.shift(images, right, down)
    expected = torch.zeros_like(images)
    for row in range(28):
        for column in range(28):
            if 0 <= row + down < 28 and 0 <= column + right < 28:
                expected[..., row + down, column + right] = images[..., row, column]
    assert torch.equal(moved, expected)


def test_a_shift_out_of_the_image_or_of_no_images_is_an_error(images):
    with pytest.raises(ValueError, match="28 × 28 pixels"):
        evaluate.shift(images, 28, 0)
    with pytest.raises(ValueError, match="got pixel values"):
        evaluate.shift(images * 300, 1, 0)


def test_feature_maps_are_those_after_each_relu_from_large_to_small(images):
    model = models.ConvAutoencoder((2, 5))
    down = evaluate.feature_maps(model.encoder, images.flatten(1))
    up = evaluate.feature_maps(model.decoder, model.encode(images))
    assert [tuple(maps.shape[1:]) for maps in down] == [(2, 14, 14), (5, 7, 7)]
    assert [tuple(maps.shape[1:]) for maps in up] == [(5, 7, 7), (2, 14, 14)]
    assert all((maps >= 0).all() and maps.any() for maps in down + up)
    torch.testing.assert_close(model.encoder[-2:](down[-1]), model.encode(images))


def ways(layers, shape, place):
    """Count by walking back from one place of the last map: {pixel: ways} for layers `(kernel, stride, padding)`."""
    here = Counter({place: 1})
    for kernel, stride, padding in reversed(layers):
        before = Counter()
        for (row, column), count in here.items():
            for down, right in itertools.product(range(kernel[0]), range(kernel[1])):
                before[row * stride - padding + down, column * stride - padding + right] += count
        here = before
    return {pixel: count for pixel, count in here.items() if 0 <= pixel[0] < shape[0] and 0 <= pixel[1] < shape[1]}


@pytest.mark.parametrize(
    ("layers", "shape", "middle"),
    [
        ([((3, 3), 2, 1)], (8, 12), (2, 3)),
        ([((3, 3), 2, 1), ((3, 3), 2, 1)], (28, 28), (3, 3)),
        ([((3, 5), 1, 0), ((4, 2), 2, 1)], (17, 20), (3, 4)),
    ],
)
def test_the_receptive_field_counts_the_ways_back_from_the_middle(layers, shape, middle):
    widths = (1, 5, 3)
    network = nn.Sequential()
    for (kernel, stride, padding), before, after in zip(layers, widths, widths[1:], strict=False):
        network += nn.Sequential(nn.Conv2d(before, after, kernel, stride=stride, padding=padding), nn.ReLU())
    field = evaluate.receptive_field(network, (1, *shape))
    assert field.shape == shape
    found = {tuple(pixel): field[tuple(pixel)].item() for pixel in field.nonzero().tolist()}
    assert found == ways(layers, shape, middle)


def test_the_receptive_field_of_an_encoder_lies_around_the_middle_and_does_not_depend_on_the_weights():
    field = evaluate.receptive_field(models.ConvAutoencoder((4, 8)).encoder)
    assert field.shape == (28, 28)
    rows, columns = (field.sum(dim).nonzero().flatten().tolist() for dim in (1, 0))
    assert rows == columns == list(range(9, 16))  # 3 + 2 · 2 pixels around pixel 12, to which place (3, 3) belongs
    assert torch.equal(field, evaluate.receptive_field(models.ConvAutoencoder((2, 3), seed=7).encoder))


def test_layers_without_a_convolution_have_no_receptive_field():
    with pytest.raises(ValueError, match=r"got layers without a convolution.*pass model.encoder"):
        evaluate.receptive_field(models.DenseAutoencoder((784, 2)).encoder)


@pytest.mark.parametrize("build", [models.ConvAutoencoder, models.TransposedConvAutoencoder, models.ConvVAE])
def test_convolutions_and_dense_layers_begin_with_hes_spread_and_no_offsets(build):
    model = build((48, 64), latent_dim=32)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = layer.weight[0].numel()
            assert layer.weight.std().item() == pytest.approx(np.sqrt(2 / fan_in), rel=0.15)
            assert not layer.bias.any()
    assert not any(layer.bias.any() for layer in model.modules() if isinstance(layer, nn.ConvTranspose2d))


@pytest.mark.parametrize(("small", "large"), [((2, 3), (4, 6)), ((4, 4), (7, 7))])
def test_the_resized_way_up_repeats_pixels_before_it_filters(small, large):
    layer = networks.resized_convolution(1, 1, small, large)
    nn.init.dirac_(next(layer.parameters()))  # a filter that changes nothing
    maps = torch.rand(2, 1, *small, generator=torch.Generator().manual_seed(3))
    rows, columns = (torch.arange(big) * little // big for little, big in zip(small, large, strict=True))
    torch.testing.assert_close(layer(maps).detach(), maps[:, :, rows][..., columns])


def test_feature_maps_were_moved_to_the_cpu(images, monkeypatch):
    moved, cpu = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: moved.append(tensor) or cpu(tensor))
    maps = evaluate.feature_maps(models.ConvAutoencoder((2, 5)).encoder, images.flatten(1))
    assert [id(each) for each in moved] == [id(each) for each in maps]
    assert evaluate.feature_maps(nn.Sequential(nn.ReLU()), images)[0].shape == images.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_what_a_layer_sees_on_a_gpu_is_told_on_the_cpu(images):
    model = models.ConvAutoencoder((2, 5)).cuda()
    assert {each.device.type for each in evaluate.feature_maps(model.encoder, images.flatten(1))} == {"cpu"}
    assert evaluate.receptive_field(model.encoder).device.type == "cpu"


def test_a_convolutional_autoencoder_learns_stripes():
    rows = torch.arange(8).expand(8, 8) % 4 < 2
    images = torch.stack([rows, rows.T, ~rows, ~rows.T]).float()[:, None].repeat(8, 1, 1, 1)
    for build in (models.ConvAutoencoder, models.TransposedConvAutoencoder):
        model = build((4, 8), latent_dim=2, image_shape=(1, 8, 8))
        before = training.mean_loss(model, images)["total"]
        training.fit(model, images, epochs=60, batch_size=8, lr=0.01)
        assert training.mean_loss(model, images)["total"] < 0.1 * before


def flat(*greys, side=8):
    return torch.tensor(greys)[:, None, None, None].expand(-1, 1, side, side)


def distance(model, first, second):
    """Return how far apart the codes of two images are, as a share of the length of a code."""
    first, second = model.encode(torch.stack([first, second])).detach()
    return ((first - second).norm() / first.norm()).item()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_encoder_with_a_norm_does_not_see_how_bright_an_image_is_and_one_without_does(seed, images):
    normed, plain = (models.ConvAutoencoder(norm=norm, seed=seed) for norm in (True, False))
    greys = flat(0.6, 0.95, side=28)
    assert distance(normed, *greys) < 0.005
    assert distance(plain, *greys) > 0.2
    assert distance(normed, images[0], images[0] / 2) < 0.005
    assert distance(plain, images[0], images[0] / 2) > 0.2
    assert distance(normed, images[0], images[1]) > 0.2


def test_flat_images_come_back_as_bright_as_they_were_only_without_the_norm():
    greys = flat(*torch.rand(128, generator=torch.Generator().manual_seed(0)).tolist())
    wanted, found = [0.05, 0.3, 0.6, 0.95], {}
    for norm in (True, False):
        model = models.ConvAutoencoder((4, 8), latent_dim=4, norm=norm, image_shape=(1, 8, 8))
        training.fit(model, greys, epochs=40, batch_size=16, lr=training.cosine(0.02))
        found[norm] = model(flat(*wanted)).mean((1, 2, 3)).tolist()
    assert found[False] == pytest.approx(wanted, abs=0.15)
    assert max(found[True]) - min(found[True]) < 0.1


@pytest.mark.parametrize("build", [models.ConvAutoencoder, models.TransposedConvAutoencoder, models.ConvVAE])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels": ()}, "got channels"),
        ({"channels": (8, 0)}, "got channels"),
        ({"channels": (8, 2.5)}, "got channels"),
        ({"latent_dim": 0}, "got latent_dim=0"),
        ({"latent_dim": 1.5}, "got latent_dim=1.5"),
        ({"image_shape": (28, 28)}, "got image_shape"),
        ({"image_shape": (1, 0, 28)}, "got image_shape"),
        ({"channels": (2,) * 5}, "got 5 layers, which leave maps of one pixel"),
    ],
)
def test_what_makes_no_network_is_an_error(build, wrong, message):
    with pytest.raises(ValueError, match=message):
        build(**wrong)


@pytest.mark.parametrize("kernel", [1, 0, 2.5])
def test_a_kernel_smaller_than_the_stride_is_an_error(kernel):
    with pytest.raises(ValueError, match="whole number of at least 2"):
        models.TransposedConvAutoencoder(kernel=kernel)


def test_a_kernel_as_large_as_the_stride_is_enough():
    model = models.TransposedConvAutoencoder((2, 3), latent_dim=2, kernel=2, image_shape=(1, 8, 8))
    assert model(torch.rand(2, 1, 8, 8)).shape == (2, 1, 8, 8)
    with pytest.raises(ValueError, match="got kernel=1, expected a whole number of at least 2"):
        models.convolutional((2, 3), kernel=1)


@pytest.mark.parametrize("shape", [(1, 4, 40), (1, 40, 4)])
def test_the_shorter_side_decides_how_many_layers_there_may_be(shape):
    assert models.ConvAutoencoder((2,), latent_dim=2, image_shape=shape)(torch.rand(1, *shape)).shape == (1, *shape)
    with pytest.raises(ValueError, match="got 2 layers, which leave maps of one pixel"):
        models.ConvAutoencoder((2, 2), latent_dim=2, image_shape=shape)
