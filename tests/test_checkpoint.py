"""Files of weights: what comes back, what is refused, and what a crash leaves behind."""

import os

import pytest
import torch

from aecourse import checkpoint, models


def model(latent_dim=2, seed=0):
    return models.LinearAutoencoder(latent_dim, image_shape=(1, 3, 3), seed=seed)


def weights(of):
    return {name: value.clone() for name, value in of.state_dict().items()}


def equal(first, second):
    """Whether two nested values are the same to the last bit."""
    if isinstance(first, torch.Tensor):
        return isinstance(second, torch.Tensor) and first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict):
        return list(first) == list(second) and all(equal(first[key], second[key]) for key in first)
    return type(first) is type(second) and first == second


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.pt"
    checkpoint.save(model(), path)
    return path


def test_loaded_weights_are_the_saved_ones_bit_for_bit(file):
    target = model(seed=1)
    assert not equal(weights(target), weights(model()))
    assert checkpoint.load(target, file) is target
    assert equal(weights(target), weights(model()))


def test_a_path_may_be_a_string(tmp_path):
    checkpoint.save(model(), str(tmp_path / "model.pt"))
    assert equal(weights(checkpoint.load(model(seed=1), str(tmp_path / "model.pt"))), weights(model()))


def test_what_write_wrote_read_returns(tmp_path):
    content = {"kind": "weights", "numbers": [1, 2.5, "three", None, True], "tensor": torch.arange(3)}
    checkpoint.write(tmp_path / "file.pt", content)
    back = checkpoint.read(tmp_path / "file.pt")
    assert equal({key: back[key] for key in content}, content)


def test_missing_folders_are_made_and_nothing_but_the_file_stays(tmp_path):
    checkpoint.save(model(), tmp_path / "one" / "two" / "model.pt")
    assert os.listdir(tmp_path / "one" / "two") == ["model.pt"]


def test_saving_again_replaces_the_file(file):
    checkpoint.save(model(seed=5), file)
    assert equal(weights(checkpoint.load(model(), file)), weights(model(seed=5)))
    assert os.listdir(file.parent) == [file.name]


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pt"):
        checkpoint.load(model(), tmp_path / "nowhere.pt")


def test_the_weights_of_another_model_are_refused_and_change_nothing(file):
    other = model(latent_dim=4, seed=1)
    before = weights(other)
    with pytest.raises(ValueError, match=r"has shape \(9, 2\) there and \(9, 4\) here\. Build the model with"):
        checkpoint.load(other, file)
    assert equal(weights(other), before)


def test_the_weights_of_another_architecture_are_refused_and_change_nothing(file):
    other = models.DenseAutoencoder((9, 2), image_shape=(1, 3, 3))
    before = weights(other)
    with pytest.raises(ValueError, match=r"LinearAutoencoder that does not fit this DenseAutoencoder.*\(none\)"):
        checkpoint.load(other, file)
    assert equal(weights(other), before)


def test_a_flipped_bit_is_refused_or_changes_nothing_that_is_read(file):
    good, content, refused = file.read_bytes(), checkpoint.read(file), 0
    places = range(0, len(good), 23)
    for place in places:
        damaged = bytearray(good)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        try:
            assert equal(checkpoint.read(file), content), f"bit {place % 8} of byte {place} slipped through"
        except ValueError:
            refused += 1
        assert file.read_bytes() == damaged
    assert refused > len(places) / 2  # the rest lie in padding that nothing reads


def test_a_file_cut_off_anywhere_is_refused(file):
    good = file.read_bytes()
    for length in range(0, len(good), 101):
        file.write_bytes(good[:length])
        with pytest.raises(ValueError, match="is damaged"):
            checkpoint.read(file)


@pytest.mark.parametrize("content", [{"weights": 1}, [1, 2], torch.ones(2), {"format": "aecourse 0"}])
def test_a_sound_file_of_another_program_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "file.pt")
    with pytest.raises(ValueError, match=r"was not written by this version of the package\. It was not changed"):
        checkpoint.load(model(), tmp_path / "file.pt")


def test_a_folder_is_no_file_of_weights(tmp_path):
    with pytest.raises(ValueError, match="is damaged or no file of this package"):
        checkpoint.read(tmp_path)


@pytest.mark.parametrize("problem", [OSError("no space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("place", ["torch.save", "os.fsync", "os.replace"])
def test_a_write_that_fails_anywhere_leaves_the_old_file_and_no_rubbish(file, monkeypatch, problem, place):
    before = file.read_bytes()

    def failing(*arguments):
        if place == "torch.save":
            arguments[1].write(b"half")
        raise problem

    monkeypatch.setattr(place, failing)
    with pytest.raises(type(problem)):
        checkpoint.save(model(seed=1), file)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_a_first_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def failing(content, target):
        target.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", failing)
    with pytest.raises(OSError, match="no space left"):
        checkpoint.save(model(), tmp_path / "model.pt")
    assert os.listdir(tmp_path) == []


def test_the_new_file_gets_its_name_only_when_it_is_complete(file, monkeypatch):
    replace, seen = os.replace, []

    def watching(source, target):
        seen.append((os.path.dirname(source), equal(checkpoint.read(source)["weights"], dict(weights(model(seed=1))))))
        return replace(source, target)

    monkeypatch.setattr(os, "replace", watching)
    checkpoint.save(model(seed=1), file)
    assert seen == [(str(file.parent), True)]  # in the same folder, since only there a move is atomic


def test_others_may_read_a_saved_file_as_they_may_read_any_other(tmp_path):
    (tmp_path / "plain").write_text("")
    checkpoint.save(models.LinearAutoencoder(2), tmp_path / "saved.pt")
    assert (tmp_path / "saved.pt").stat().st_mode == (tmp_path / "plain").stat().st_mode
