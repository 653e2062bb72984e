"""The README's own examples run as they stand, and what it promises of a new variant holds."""

import re

import fingerprint
import pytest
import torch
from PIL import Image
from torch.distributions import Normal

import aecourse as ae

TEXT = (fingerprint.ROOT / "README.md").read_text("utf-8")


def test_the_examples_run_one_after_the_other(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ae.data, "load", lambda name: digits)  # in seconds, whatever lies on this machine
    for number, picture in enumerate(torch.rand(30, 40, 50, 3, generator=torch.Generator().manual_seed(0))):
        folder = tmp_path / "my_pictures" / ("flower", "portrait")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture * 255).byte().numpy()).save(folder / f"{number}.png")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(block, names)
    assert (tmp_path / "reconstructions.png").stat().st_size > 1000
    assert (tmp_path / "two-numbers.pt").exists()
    assert names["pictures"].train_images.shape[1:] == (3, 48, 48)
    assert (tmp_path / "pictures.png").stat().st_size > 1000


class CodePenalty(ae.models.DenseAutoencoder):
    """What a newcomer would write: one more term, and its weight."""

    def __init__(self, widths, *, weight=1.0, **settings):
        super().__init__(widths, **settings)
        self.weight = weight

    def loss(self, images):
        """Return the reconstruction and the mean squared code."""
        codes = self.encoder(images.flatten(1))
        error, penalty = self.error(self.decoder(codes), images), codes.square().sum(1).mean()
        return {"total": error + self.weight * penalty, "reconstruction": error, "penalty": penalty}


class Clouds(ae.models.Autoencoder):
    """A model of a newcomer's own whose `encode` gives a distribution, with nothing inherited but the protocol."""

    def __init__(self):
        super().__init__()
        self.build((784, 30, 3), per_number=2)

    def encode(self, images):
        mu, log_var = self.encoder(self.check_images(images).flatten(1)).chunk(2, 1)
        return Normal(mu, (log_var / 2).exp())

    def decode(self, latents):
        return self.decoder(self.check_latents(latents)).sigmoid().unflatten(1, self.image_shape)

    def loss(self, images):
        error = ae.losses.squared_error(self.decode(self.encode(images).rsample()), images)
        return {"total": error, "reconstruction": error}


@pytest.mark.parametrize("make", [lambda: CodePenalty((784, 30, 2), weight=0.1), Clouds], ids=["one term", "clouds"])
def test_a_variant_of_ones_own_is_trained_kept_measured_and_drawn_without_a_change(make, digits, tmp_path):
    images, model = digits.train_images[:300], make()
    run = ae.training.fit(model, images, epochs=2, validation=digits.test_images, checkpoint=tmp_path / "run.pt")
    assert len(run) == 2
    again = ae.checkpoint.load(make(), tmp_path / "run.pt")
    assert torch.equal(ae.evaluate.encode(model, images), ae.evaluate.encode(again, images))
    copies = ae.evaluate.reconstruct(model, images)
    assert torch.allclose(model(images[:10]), copies[:10], atol=1e-5)
    assert ae.evaluate.squared_errors(images, copies).shape == (300,)
    codes = {"mine": ae.evaluate.encode(model, images)[:, :2]}
    for figure in (
        ae.plots.history(run),
        ae.plots.images({"copies": copies}),
        ae.plots.latent_maps(codes, digits.train_labels[:300]),
    ):
        assert figure.axes


def test_any_objective_goes_with_any_architecture_and_any_size_of_image():
    line = re.search(r"`(ae\.models\.VAE\(.*?\))` is", TEXT)[1]
    model = eval(line)
    assert model(torch.rand(2, 3, 64, 64)).shape == (2, 3, 64, 64)
