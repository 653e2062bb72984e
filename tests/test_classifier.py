"""The classifier: it learns labels, takes images of any shape, and refuses labels that are none."""

import pytest
import torch

from aecourse import models, training


@pytest.fixture
def images():
    return torch.rand(40, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def test_it_learns_which_colour_is_brightest(images):
    labels = images.mean((2, 3)).argmax(1)
    model = models.Classifier((60, 30, 3), image_shape=(3, 4, 5))
    assert model.classes == 3
    training.fit(model, (images, labels), epochs=60, batch_size=10, lr=3e-3)
    chances = model(images)
    torch.testing.assert_close(chances.sum(1), torch.ones(40))
    assert (chances.argmax(1) == labels).float().mean() > 0.9
    assert model.features(images).shape == (40, 30)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda labels: labels.int(),
            "got labels of dtype torch.int32 .*, expected one label from 0 to 2 .*; call .long",
        ),
        (lambda labels: labels.float(), "got labels of dtype torch.float32 .*; call .long"),
        (lambda labels: labels[:39], r"shape \(39,\), expected one label .* for each of 40 rows"),
        (lambda labels: labels[:, None], r"shape \(40, 1\), expected one label"),
        (lambda labels: labels + 1, "got labels from 1 to 3, expected one label from 0 to 2"),
        (lambda labels: torch.where(labels == 1, -100, labels), "got labels from -100 to 2"),  # torch would skip them
        (lambda labels: labels.tolist(), "got list as labels"),
    ],
)
def test_labels_that_are_none_are_refused(images, spoil, message):
    model, labels = models.Classifier((60, 3), image_shape=(3, 4, 5)), torch.arange(40) % 3
    assert [part.tolist() for part in model.check(images, labels)] == [images.tolist(), labels.tolist()]
    with pytest.raises(ValueError, match=message):
        model.check(images, spoil(labels))


def test_images_without_labels_or_with_more_beside_them_are_refused(images):
    model, labels = models.Classifier((60, 3), image_shape=(3, 4, 5)), torch.zeros(40, dtype=torch.int64)
    for data in ((images,), (images, labels, labels)):
        with pytest.raises(ValueError, match=r"got .* tensors?, expected two: .*fit\(model, \(images, labels\)\)"):
            model.check(*data)
    with pytest.raises(ValueError, match=r"expected a float32 tensor of shape \(N, 3, 4, 5\)"):
        model.check(images.flatten(1), labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": (784, 10), "image_shape": (3, 4, 5)}, "got widths that begin with 784, expected 60"),
        ({"widths": 784}, "got widths 784, expected at least two whole numbers above 0, pixels first"),
        ({"seed": -1}, "got seed=-1"),
    ],
)
def test_widths_that_make_no_classifier_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.Classifier(**arguments)
