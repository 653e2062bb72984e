"""Files of weights: what comes back, what is refused, what a crash leaves behind, and what a model is."""

import abc
import enum
import functools
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import typing

import numpy as np
import pytest
import torch
from torch import nn

from aecourse import checkpoint, models, training


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
    with pytest.raises(ValueError, match=r"latent_dim was 2, is now 4; .*\. Build the model with the arguments"):
        checkpoint.load(other, file)
    assert equal(weights(other), before)


def test_the_weights_of_another_architecture_are_refused_and_change_nothing(file):
    other = models.DenseAutoencoder((9, 2), image_shape=(1, 3, 3))
    before = weights(other)
    with pytest.raises(ValueError, match="the model was LinearAutoencoder, is now DenseAutoencoder"):
        checkpoint.load(other, file)
    assert equal(weights(other), before)


def dense(kind=models.DenseAutoencoder, **settings):
    return kind((9, 4, 2), image_shape=(1, 3, 3), **settings)


class Weights(nn.Module):
    """A model without any settings, which differs from another one in its weights alone."""

    def __init__(self, *shape, dtype=torch.float32, name="weight"):
        super().__init__()
        self.register_parameter(name, nn.Parameter(torch.zeros(*shape, dtype=dtype)))


@pytest.mark.parametrize(
    ("saved", "loaded", "message"),
    [
        (
            lambda: dense(),
            lambda: dense(models.ContractiveAutoencoder),
            "the model was DenseAutoencoder, is now ContractiveAutoencoder",
        ),
        (lambda: dense(), lambda: dense(activation=nn.Tanh), r"encoder\.2 was ReLU, is now Tanh"),
        (
            lambda: dense(reconstruction="squared_error"),
            lambda: dense(),
            "reconstruction was squared_error, is now cross_entropy",
        ),
        (
            lambda: dense(models.DenoisingAutoencoder, corruption=models.Masking(0.5)),
            lambda: dense(models.DenoisingAutoencoder, corruption=models.SaltAndPepper(0.5)),
            "corruption was .*Masking.*, is now .*SaltAndPepper",
        ),
        (lambda: dense(models.VAE, beta=1.0), lambda: dense(models.VAE, beta=4.0), "beta was 1.0, is now 4.0"),
        (
            lambda: Weights(2, 3),
            lambda: Weights(3, 2),
            r"the weight weight was float32 \(2, 3\), is now float32 \(3, 2\)",
        ),
        (lambda: Weights(2), lambda: Weights(2, dtype=torch.float64), r"was float32 \(2,\), is now float64 \(2,\)"),
        (lambda: Weights(2), lambda: Weights(2, name="other"), r"weight was float32 \(2,\), is now \(none\)"),
    ],
    ids=["class", "activation", "loss", "corruption", "beta", "shape", "type", "name"],
)
def test_the_weights_of_a_model_that_is_not_the_same_are_refused_with_what_it_was_and_is(
    tmp_path, saved, loaded, message
):
    checkpoint.save(saved(), tmp_path / "model.pt")
    other = loaded()
    before = weights(other)
    with pytest.raises(ValueError, match=rf"model\.pt holds the weights of another model: .*{message}"):
        checkpoint.load(other, tmp_path / "model.pt")
    assert equal(weights(other), before)
    same = saved()
    assert checkpoint.load(same, tmp_path / "model.pt") is same


def test_weights_that_fit_can_be_taken_as_the_error_says(tmp_path):
    first, other = dense(seed=1), dense(activation=nn.Tanh)
    checkpoint.save(first, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"model\.load_state_dict\(checkpoint\.read\(path\)\['weights'\]\)"):
        checkpoint.load(other, tmp_path / "model.pt")
    other.load_state_dict(checkpoint.read(tmp_path / "model.pt")["weights"])
    assert equal(weights(other), weights(first))


def test_weights_can_be_loaded_after_the_code_of_the_class_has_changed(tmp_path):
    class Mine(models.LinearAutoencoder):
        def loss(self, images):
            return {"total": 2 * super().loss(images)["total"]}

    first = Mine(2, image_shape=(1, 3, 3), seed=1)
    checkpoint.save(first, tmp_path / "model.pt")
    Mine.loss = lambda self, images: {"total": self(images).mean()}
    other = checkpoint.load(Mine(2, image_shape=(1, 3, 3)), tmp_path / "model.pt")
    assert equal(weights(other), weights(first))


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


def test_a_tensor_that_a_flipped_bit_marks_as_a_folder_is_refused(file):
    good = bytearray(file.read_bytes())
    place = good.index(b"archive/data/1" if b"archive/data/1" in good else b"model/data/1", good.index(b"PK\x01\x02"))
    good[place - 8] ^= 0x10  # of the external attributes, in the directory at the end
    file.write_bytes(good)
    with pytest.raises(ValueError, match="is damaged"):
        checkpoint.read(file)


@pytest.mark.parametrize("content", [{"weights": 1}, [1, 2], torch.ones(2), {"format": 0}])
def test_a_sound_file_of_another_program_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "file.pt")
    with pytest.raises(ValueError, match=r"was not written by this version of the package\. It was not changed"):
        checkpoint.load(model(), tmp_path / "file.pt")


def test_a_file_of_an_older_version_is_refused_with_both_formats_named(file):
    torch.save(torch.load(file) | {"format": "aecourse 1"}, file)
    with pytest.raises(ValueError, match=r"\(its format is 'aecourse 1', expected 'aecourse 2'\)\. It was not changed"):
        checkpoint.load(model(), file)


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


# What killed writes leave behind


def write_and_be_killed(path):
    os.fsync = lambda number: os.kill(os.getpid(), signal.SIGKILL)
    checkpoint.write(path, {"numbers": torch.zeros(1000)})


def test_the_part_that_a_killed_write_leaves_is_removed_by_the_next_write_and_the_last_good_file_stays(file):
    good = file.read_bytes()
    writer = multiprocessing.get_context("fork").Process(target=write_and_be_killed, args=(file,))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    assert file.read_bytes() == good
    assert len(os.listdir(file.parent)) == 2
    checkpoint.save(model(seed=1), file)
    assert os.listdir(file.parent) == [file.name]


# What a model is


class Colour(enum.Enum):
    RED = 1


class Setting:
    """An object without a repr of its own."""

    def __init__(self, number):
        self.number = number
        self.itself = self


DESCRIBED = """
    import functools
    import torch
    from torch import nn
    from aecourse import checkpoint, models

    class Noise:
        def __init__(self, words):
            self.words = words
        def __call__(self, images):
            return images if "grey" in {"red", "green", "blue"} else self.more(images)
        def more(self, images):
            return images + len(self.words)

    class Mine(models.DenoisingAutoencoder):
        words = {"one", "two", "three", "four"}
        table = {"a": (1, 2.5, float("nan")), "b": [torch.zeros(2), nn.Tanh, torch.relu]}
        @property
        def factor(self):
            return 2.0
        def loss(self, images):
            return {"total": self.factor * super().loss(images)["total"]}

    model = Mine((9, 4, 2), image_shape=(1, 3, 3), corruption=Noise({"x", "y", "z"}))
    model.partial = functools.partial(torch.clamp, min=0)
    model.generator = torch.Generator()
    print(checkpoint.describe(model))
"""


def test_the_description_is_the_same_in_every_process(capsys):
    script = textwrap.dedent(DESCRIBED)
    exec(script, {"__name__": "__main__"})
    here = capsys.readouterr().out
    env = {**os.environ, "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"}
    run = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert run.stdout == here
    assert "'the model': 'Mine'" in here
    assert "0x" not in here


def test_a_description_names_class_layers_shapes_and_settings_and_nothing_that_training_changes():
    made = dense(models.VAE, beta=2.0)
    before = checkpoint.describe(made)
    assert before["the model"] == "VAE"
    assert before["beta"] == 2.0
    assert before["image_shape"] == [1, 3, 3]
    assert before["encoder.0"] == "Linear"
    assert before["encoder.0.in_features"] == 9
    assert before["encoder.1.eps"] == 1e-5
    assert before["the weight encoder.0.weight"] == "float32 (4, 9)"
    for weight in made.parameters():
        weight.data.add_(1)
    assert checkpoint.describe(made.eval()) == before


def test_what_begins_with_an_underscore_and_what_hides_a_method_is_no_setting():
    made, plain = dense(), dense()
    made._steps, made.loss = 3, lambda images: {}
    assert checkpoint.describe(made) == checkpoint.describe(plain)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "nan"),
        ((1, "two", None, 2.5), [1, "two", None, 2.5]),
        ({1: {2}}, {"1": ["2"]}),
        (nn.ReLU, "ReLU"),
        (math, "math"),
        (torch.float32, "torch.float32"),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array("a"), "a"),
        (np.float64(2.5), 2.5),
        (functools.partial(math.pow, 2), ["<built-in function pow>", [2], {}]),
        (models.Masking(0.5), {"class": "Masking", "share": 0.5}),
        (Setting(3), {"class": "Setting", "number": 3, "itself": "…"}),
        (nn.Parameter(torch.ones(2)), ["torch.float32", [2]]),
        (Setting(nn.Linear(2, 2)), {"class": "Setting", "number": {"class": "Linear"}, "itself": "…"}),
        (Setting(3).__init__, [["__init__", [None, {}]], {"class": "Setting", "number": 3, "itself": "…"}]),
    ],
)
def test_anything_has_a_plain_description(value, expected):
    assert checkpoint.plain(value) == expected


def test_different_things_have_different_descriptions():
    pairs = [
        (torch.zeros(3), torch.ones(3)), (torch.zeros(2, 3), torch.zeros(3, 2)), (Colour.RED, 1),
        (lambda x: x, Setting), (Setting(1), Setting(2)), (True, 2), (torch.relu, torch.tanh),
        (functools.partial(math.pow, 2), functools.partial(math.pow, 3)),
    ]  # fmt: skip
    for first, second in pairs:
        assert checkpoint.plain(first) != checkpoint.plain(second)


def test_the_differences_of_two_descriptions_are_said_in_words():
    then, now = {"a": 1, "b": 2, "c": 3, "d": 4}, {"a": 1, "b": 3, "d": 5, "e": 6}
    assert checkpoint.differences(then, now) == (
        "b was 2, is now 3; c was 3, is now (none); d was 4, is now 5; and 1 more"
    )
    assert checkpoint.differences(then, dict(reversed(then.items()))) == ""


@pytest.mark.parametrize("training", [True, False])
def test_a_loaded_model_gives_what_the_saved_one_gave_and_stays_as_it_is(tmp_path, training):
    images, first, second = torch.rand(6, 1, 28, 28), models.UNet(seed=1), models.UNet(seed=2)
    first(images)  # moves the running means of its batch norms
    first.train(training)
    checkpoint.save(first, tmp_path / "model.pt")
    expected = first(images)
    loaded = checkpoint.load(second.train(not training), tmp_path / "model.pt")
    assert loaded.training is training
    assert torch.equal(loaded(images), expected)
    assert equal(weights(loaded), weights(first))
    if not training:
        before = weights(loaded)
        loaded(images)
        assert equal(weights(loaded), before)


def test_a_model_loaded_from_a_run_is_in_evaluation_mode(tmp_path):
    images = torch.rand(20, 1, 3, 3)
    training.fit(model(), images, epochs=1, checkpoint=tmp_path / "run.pt")
    assert not checkpoint.load(model().train(), tmp_path / "run.pt").training


# What is looked at closely when a file is written and read


def test_all_of_a_file_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(os, "fsync", lambda number: sizes.append(os.fstat(number).st_size))
    checkpoint.write(tmp_path / "file.pt", {"numbers": torch.zeros(12345)})
    assert sizes == [(tmp_path / "file.pt").stat().st_size]


def test_ctrl_c_just_after_a_file_got_its_name_is_ctrl_c_and_nothing_else(file, monkeypatch):
    replace = os.replace

    def pressed(source, target):
        replace(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", pressed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(model(seed=1), file)
    assert equal(weights(checkpoint.load(model(), file)), weights(model(seed=1)))


@pytest.mark.parametrize("bit", [0x01, 0x02, 0x20, 0x80])
def test_a_part_that_is_marked_as_something_else_than_a_folder_is_read(file, bit):
    good, content = bytearray(file.read_bytes()), checkpoint.read(file)
    place = good.index(b"archive/data/1" if b"archive/data/1" in good else b"model/data/1", good.index(b"PK\x01\x02"))
    good[place - 8] ^= bit
    file.write_bytes(good)
    assert equal(checkpoint.read(file), content)


def test_what_a_gpu_saved_is_read_to_the_cpu_and_nothing_is_run(file, monkeypatch):
    settings, load = [], torch.load
    monkeypatch.setattr(torch, "load", lambda path, **given: settings.append(given) or load(path, **given))
    checkpoint.read(file)
    assert settings == [{"map_location": "cpu", "weights_only": True}]


@pytest.mark.parametrize("count", range(6))
def test_up_to_three_differences_are_named_and_the_rest_counted(count):
    words = [f"{number} was {number}, is now x" for number in range(count)]
    expected = "; ".join(words[:3] + [f"and {count - 3} more"] * (count > 3))
    then = {str(number): number for number in range(6)}
    assert checkpoint.differences(then, then | {str(number): "x" for number in range(count)}) == expected


def test_a_run_from_elsewhere_is_known_by_torch_python_device_and_threads():
    assert checkpoint._machine(torch.device("cpu")) == {
        "torch": str(torch.__version__),
        "Python": f"{sys.version_info[0]}.{sys.version_info[1]}",  # a new patch makes the same code
        "device": f"cpu, {torch.backends.cpu.get_cpu_capability()}",
        "number of threads": torch.get_num_threads(),
    }


# What belongs to a loss


def anonymous():
    """A function that says of no module that it comes from there."""


anonymous.__module__ = None


@pytest.mark.parametrize(
    ("thing", "own"),
    [
        (nn.Module, False), (nn.ReLU, False), (object, False), (typing.Generic, False), (abc.ABC, False),
        (nn.functional.relu, False), (models.VAE, True), (Setting, True), (model, True), (anonymous, True),
    ],
)  # fmt: skip
def test_what_torch_and_python_bring_along_is_not_the_readers(thing, own):
    assert checkpoint._by_the_reader(thing) is own


def test_a_description_has_no_settings_of_torchs_own():
    assert set(checkpoint.describe(Weights(2))) == {"the model", checkpoint.CODE, "the weight weight"}


def written(*lines, base="nn.Module", **space):
    """Return a model of the class `Mine`, as a cell with these lines in it defines it."""
    space = {"__name__": "__main__", "nn": nn, "functools": functools, **space}
    exec("\n    ".join([f"class Mine({base}):", *lines]), space)
    return space["Mine"]()


LOSS = "def loss(self, images): return {'total': self.part}"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (["@property", "def part(self): return 1", LOSS], ["@property", "def part(self): return 2", LOSS], False),
        (["@functools.cached_property", "def part(self): return 1", LOSS],
         ["@functools.cached_property", "def part(self): return 2", LOSS], False),
        (["@staticmethod", "def part(): return 1", LOSS], ["@staticmethod", "def part(): return 2", LOSS], False),
        (["@classmethod", "def part(cls): return 1", LOSS], ["@classmethod", "def part(cls): return 2", LOSS], False),
        (["@property", "def other(self): return 1", LOSS], ["@property", "def other(self): return 2", LOSS], True),
        (["def loss(self, images):", "    'What is minimised.'", "    return {'total': 1}"],
         ["def loss(self, images):", "    'In other words.'", "    return {'total': 1}"], True),
        (["def loss(self, images): return {'total': 1}"], ["def loss(self, images): return {'error': 1}"], False),
        (["def forward(self, images): return 1"], ["def forward(self, images): return 2"], False),
        (["def critic_loss(self, x, y): return 1"], ["def critic_loss(self, x, y): return 2"], False),
        (["def generator_loss(self, x): return 1"], ["def generator_loss(self, x): return 2"], False),
        (["def draw(self, x): return 1"], ["def draw(self, x): return 2"], True),
    ],
    ids=["property", "cached property", "static", "class method", "another property", "docstring", "word", "forward",
         "critic", "generator", "another method"],
)  # fmt: skip
def test_only_what_a_loss_runs_belongs_to_its_code(first, second, same):
    descriptions = [checkpoint.describe(written(*lines)) for lines in (first, second)]
    assert (descriptions[0] == descriptions[1]) is same
    assert [name for name in descriptions[0] if name != checkpoint.CODE] == ["the model"]


def test_a_function_of_torch_that_a_loss_calls_does_not_belong_to_it_and_ones_own_does():
    first, second = (eval(f"lambda: {number}") for number in (1, 2))
    for module, same in (("torch.nn.functional", True), ("mine", False)):
        first.__name__ = second.__name__ = "helper"
        first.__module__ = second.__module__ = module
        lines = "def loss(self, images): return helper()"
        codes = [checkpoint.describe(written(lines, helper=each))[checkpoint.CODE] for each in (first, second)]
        assert (codes[0] == codes[1]) is same


def test_the_code_of_an_object_or_a_class_that_is_a_setting_counts():
    for make in (lambda kind: kind(), lambda kind: kind):
        codes = []
        for number in (1, 2):
            kind = type("Damage", (), {"__call__": eval(f"lambda self, images: {number}")})
            kind.__call__.__name__ = "__call__"
            made = Weights(2)
            made.damage = make(kind)
            codes.append(checkpoint.describe(made))
        assert [name for name in codes[0] if codes[0][name] != codes[1][name]] == [checkpoint.CODE]


def test_what_is_bound_to_the_name_of_an_argument_is_a_setting_and_arrays_of_objects_are_text():
    assert checkpoint.plain(lambda *, share=1: share) != checkpoint.plain(lambda *, share=2: share)
    assert checkpoint.plain(np.array(["a", None], dtype=object)) == "array(['a', None], dtype=object)"


def test_frozen_weights_are_a_setting_of_the_run(tmp_path):
    images, made = torch.rand(20, 1, 3, 3), [model(seed=seed) for seed in (0, 0, 1)]
    for each in made:
        each.decoder.requires_grad_(False)
    settings = {"checkpoint": tmp_path / "run.pt", "device": "cpu"}
    training.fit(made[0], images, epochs=1, **settings)
    assert len(training.fit(made[1], images, epochs=2, **settings, resume=True)) == 2
    with pytest.raises(ValueError, match="fixed weights was"):
        training.fit(made[2], images, epochs=3, **settings, resume=True)


@pytest.mark.parametrize(("first", "second", "same"), [(2.0, 3.0, False), (2.0, 2.0, True)])
@pytest.mark.parametrize("make", [lambda number: number, lambda number: lambda: number], ids=["a number", "a function"])
def test_what_a_loss_takes_from_the_function_around_it_belongs_to_it(first, second, same, make):
    def of(bound):
        class Mine(Weights):
            def loss(self, images):
                return {"total": bound}

        return Mine(2)

    codes = [checkpoint.describe(of(make(number)))[checkpoint.CODE] for number in (first, second)]
    assert (codes[0] == codes[1]) is same


def test_a_model_is_not_saved_to_a_folder(tmp_path):
    with pytest.raises(ValueError, match=r"got the folder .*expected a file in it"):
        checkpoint.save(Weights(2), tmp_path)
    assert [*tmp_path.iterdir()] == []
