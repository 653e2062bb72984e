"""What Python does for the explorables: networks in 8 bits, held against those that they came from."""

import base64
import json
import os
import sys
import warnings

import numpy as np
import pytest
import torch
import train_explorables as recipes

import aecourse as ae

SHIPPED = list(recipes.recipes())


@pytest.fixture(scope="module", params=["DenseAutoencoder", "VAE"])
def network(request, digits):
    model = getattr(ae.models, request.param)((784, 64, 32, 2))
    ae.training.fit(model, digits.train_images, epochs=10, lr=3e-3)
    return model


def test_eight_bits_cost_less_than_half_a_nat(network, digits):
    exported = json.loads(json.dumps(ae.widgets.export(network, digits.test_images, digits.test_labels)))
    cost = recipes.measure(network, ae.widgets.from_exported(exported), digits.test_images)
    assert abs(cost["rounded"] - cost["float"]) < 0.5
    assert 0 < cost["largest pixel difference"] < 0.15


def test_a_weight_is_at_most_half_a_step_from_the_original(network, digits):
    rounded = ae.widgets.from_exported(ae.widgets.export(network, digits.test_images, digits.test_labels))
    for (name, mine), theirs in zip(network.state_dict().items(), rounded.state_dict().values(), strict=True):
        if mine.dim() == 2:
            step = mine.abs().amax(1, keepdim=True) / 127
            assert ((mine - theirs).abs() <= 0.501 * step).all(), name
        else:
            assert torch.equal(mine, theirs), name


def test_exporting_again_changes_nothing(network, digits):
    once = ae.widgets.export(network, digits.test_images, digits.test_labels)
    assert ae.widgets.export(ae.widgets.from_exported(once), digits.test_images, digits.test_labels) == once


def test_the_numbers_beside_the_weights_are_those_of_the_rounded_network(network, digits):
    exported = ae.widgets.export(network, digits.test_images, digits.test_labels)
    rounded = ae.widgets.from_exported(exported)
    codes = ae.evaluate.encode(rounded, digits.test_images)
    pixels = ae.evaluate.decode(rounded, codes).flatten(1).clamp(1e-6, 1 - 1e-6)
    images = digits.test_images.flatten(1)
    error = -(images * pixels.log() + (1 - images) * (1 - pixels).log()).sum(1).mean()
    assert exported["error"] == pytest.approx(error.item(), abs=0.05)
    low, high = exported["error_range"]
    assert low < exported["error"] < high
    if isinstance(network, ae.models.VAE):
        bound = ae.evaluate.elbo(rounded, digits.test_images)
        assert exported["rate"] + exported["distortion"] == pytest.approx(-bound["elbo"], abs=0.01)


@pytest.mark.parametrize(
    ("model", "labels", "message"),
    [
        (ae.models.DenseAutoencoder((784, 16, 3)), None, "got a DenseAutoencoder with latent_dim=3, expected 2"),
        (
            ae.models.LinearAutoencoder(2),
            None,
            "got a LinearAutoencoder, expected a DenseAutoencoder or a VAE and no sub",
        ),
        (ae.models.BinarizedVAE((784, 16, 2)), None, "got a BinarizedVAE, expected .* and no subclass"),
        (
            ae.models.VAE(ae.models.convolutional((2,), latent_dim=2)),
            None,
            "got networks with Unflatten, expected dense",
        ),
        (ae.models.ConvVAE((2,), latent_dim=2), None, "got a ConvVAE, expected"),
        (ae.models.VAE((784, 16, 2), activation=torch.nn.Tanh), None, "with Tanh, expected dense ones: linear layers"),
        (
            ae.models.VAE((192, 16, 2), image_shape=(3, 8, 8)),
            None,
            r"got a VAE of images of shape \(3, 8, 8\), expected \(1, 28, 28\)",
        ),
        (torch.nn.Linear(2, 2), None, "got a Linear, expected a DenseAutoencoder or a VAE"),
        (ae.models.VAE((784, 16, 2)), torch.zeros(3), r"labels of .*shape \(3,\), expected one label .* int64"),
        (ae.models.VAE((784, 16, 2)), [1, 2, 3], "got list as labels"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_reason(digits, model, labels, message):
    with pytest.raises(ValueError, match=message):
        ae.widgets.export(model, digits.test_images, digits.test_labels if labels is None else labels)


def test_an_unknown_network_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ValueError, match=r"got 'gan', expected one of .*: autoencoder, beta-0"):
        ae.widgets.trained("gan")


def test_ones_own_network_can_travel(network, digits):
    exported = ae.widgets.export(network, digits.test_images, digits.test_labels)
    for explorable in (ae.widgets.travel({"mine": exported}), ae.widgets.draw(digits, {"mine": exported})):
        assert explorable.values["models"][0]["name"] == "mine"
        assert "mine" in explorable._repr_mimebundle_()["text/html"]


def test_an_explorable_is_the_same_text_each_time():
    first, second = (ae.widgets.codewords()._repr_mimebundle_() for _ in range(2))
    assert first == second
    assert first["text/plain"] == "Explorable('codewords')"


def test_codes_refuses_what_are_no_probabilities():
    with pytest.raises(ValueError, match="sum to"):
        ae.widgets.codewords((0.5, 0.2))
    with pytest.raises(ValueError, match="4 symbols and 2 probabilities"):
        ae.widgets.codewords((0.5, 0.5))
    with pytest.raises(ValueError, match="got 2 and 4 probabilities"):
        ae.widgets.codewords(presets={"island": (0.5, 0.5)})


# The networks that come with the package


def test_no_exported_network_is_older_than_its_recipe():
    assert recipes.stale() == [], "run `make explorables`, then `make chapters`, and commit both"


def test_there_are_no_others():
    assert {path.stem for path in recipes.FOLDER.iterdir()} == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_eight_bits_cost_a_shipped_network_next_to_nothing(name):
    cost = ae.widgets.trained(name)["rounding"]
    assert -0.1 < cost["rounded"] - cost["float"] < 0.5
    assert cost["largest pixel difference"] < 0.1


@pytest.fixture(scope="module")
def mnist():
    if "AECOURSE_DATA" not in os.environ:
        pytest.skip("no MNIST here")
    return ae.data.load("mnist", fallback=False)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_recorded_numbers_belong_to_the_shipped_weights(name, mnist):
    exported = ae.widgets.trained(name)
    rounded = ae.widgets.from_exported(exported)
    again = ae.widgets.export(rounded, mnist.test_images, mnist.test_labels)
    for key in ("encoder", "decoder", "labels", "widths", "beta"):
        assert again[key] == exported[key], key
    assert again["error"] == pytest.approx(exported["error"], abs=0.01)
    assert recipes.measure(rounded, rounded, mnist.test_images)["float"] == pytest.approx(
        exported["rounding"]["rounded"], abs=0.01
    )


def test_a_network_trained_afresh_by_the_recipe_is_as_good_as_the_shipped_one(mnist):
    fresh, shipped = recipes.make("beta-1", mnist), ae.widgets.trained("beta-1")
    assert fresh["rounding"]["float"] == pytest.approx(shipped["rounding"]["float"], rel=0.01)
    assert fresh["rounding"]["rounded"] - fresh["rounding"]["float"] < 0.5


# The pad that Python can read


def test_the_pad_gives_python_what_was_drawn(digits):
    explorable = ae.widgets.draw(digits)
    pad = [ae.widgets.pad(explorable) for _ in range(2)][1]
    with pytest.raises(ValueError, match="the pad is empty: draw a digit"):
        _ = pad.drawing
    pad.image = digits.test_images[0].flatten().tolist()
    assert torch.equal(pad.drawing, digits.test_images[:1])
    assert "export default { render };" in pad._esm
    assert [model["name"] for model in pad.models] == ["autoencoder", "VAE"]


def test_without_anywidget_the_error_says_what_to_install(digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "aecourse.widgets.live", raising=False)
    with pytest.raises(ImportError, match="%pip install anywidget"):
        ae.widgets.pad(ae.widgets.draw(digits))


def test_the_numbers_beside_the_weights_have_three_digits(network, digits):
    exported = ae.widgets.export(network, digits.test_images, digits.test_labels)
    numbers = [exported.get(name) for name in ("error", "rate", "distortion")] + exported["error_range"]
    assert all(number == round(number, 3) for number in numbers if number is not None)


def test_a_map_shows_600_of_any_number_of_images(network, digits):
    few = ae.widgets.export(network, digits.train_images[:600], digits.train_labels[:600])
    many = ae.widgets.export(network, digits.train_images, digits.train_labels)
    assert len(digits.train_images) > 1000
    assert all(many[name] == few[name] for name in ("codes", "labels", "sigmas"))


@pytest.fixture(scope="module")
def some():
    """More images than a map shows, and labels that need all of a byte."""
    random = torch.Generator().manual_seed(0)
    return torch.rand(1300, 1, 28, 28, generator=random), torch.randint(256, (1300,), generator=random)


@pytest.fixture(scope="module", params=["DenseAutoencoder", "VAE"])
def untrained(request):
    settings = {"beta": 4.0} if request.param == "VAE" else {}
    return getattr(ae.models, request.param)((784, 12, 7, 2), **settings)


def numbers(text, kind="<f4"):
    return np.frombuffer(base64.b64decode(text), kind)


def test_what_a_page_is_told_is_worked_out_again(untrained, some):
    images, labels = some
    exported = json.loads(json.dumps(ae.widgets.export(untrained, images, labels)))
    rounded, is_vae = ae.widgets.from_exported(exported), isinstance(untrained, ae.models.VAE)
    assert type(rounded) is type(untrained)
    assert not rounded.training
    assert exported["model"] == type(untrained).__name__
    assert exported["widths"] == [784, 12, 7, 2]
    assert exported["beta"] == (4.0 if is_vae else None)
    assert getattr(rounded, "beta", None) == exported["beta"]
    with torch.no_grad():
        given = rounded.encoder(images.flatten(1))
        codes, log_var = given[:, :2], given[:, 2:]
        white = rounded.decoder(codes).sigmoid().double()
    pixels = images.flatten(1).double()
    errors = -(pixels * white.log() + (1 - pixels) * (1 - white).log()).sum(1)
    assert numbers(exported["codes"]) == pytest.approx(codes[:600].flatten().numpy(), abs=1e-5)
    assert numbers(exported["labels"], "u1").tolist() == labels[:600].tolist()
    assert exported["error"] == pytest.approx(errors.mean().item(), abs=2e-3)
    low, high = exported["error_range"]
    assert (errors < low).double().mean() == pytest.approx(0.05, abs=2e-3)
    assert (errors > high).double().mean() == pytest.approx(0.05, abs=2e-3)
    if is_vae:
        assert numbers(exported["sigmas"]) == pytest.approx((log_var[:600] / 2).exp().flatten().numpy(), rel=1e-5)
        rate = ((codes.square() + log_var.exp() - 1 - log_var) / 2).sum(1).mean().item()
        assert exported["rate"] == pytest.approx(rate, abs=1e-3)
    else:
        assert exported["sigmas"] is None
        assert not {"rate", "distortion"} & set(exported)


def test_the_largest_weight_of_each_row_is_127_steps(untrained, some):
    for layer in (part for name in ("encoder", "decoder") for part in ae.widgets.export(untrained, *some)[name]):
        whole = np.abs(numbers(layer["weight"], "i1").astype(int).reshape(len(numbers(layer["scale"])), -1))
        assert (whole.max(1) == 127).all()


def test_a_label_of_more_than_a_byte_is_refused(untrained, some):
    images, labels = some
    assert labels.max() == 255
    with pytest.raises(ValueError, match="got labels from 0 to 256, expected one label from 0 to 255"):
        ae.widgets.export(untrained, images, (labels + (labels == 255)))


def test_a_unit_without_weights_travels_quietly(some):
    model = ae.models.DenseAutoencoder((784, 12, 2))
    model.encoder[0].weight.data[3] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exported = ae.widgets.export(model, *some)
        rounded = ae.widgets.from_exported(exported)
    assert (numbers(exported["encoder"][0]["scale"]) > 0).all()
    assert torch.equal(rounded.encoder[0].weight[3], torch.zeros(784))


def test_another_module_that_is_missing_is_named_as_it_is(digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "aecourse.widgets.live", None)
    with pytest.raises(ModuleNotFoundError, match=r"aecourse\.widgets\.live"):
        ae.widgets.pad(ae.widgets.draw(digits))
