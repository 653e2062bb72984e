"""Where MNIST is looked for, what happens when it is missing or damaged, a reader's own, and those always there."""

import contextlib
import gzip
import hashlib
import logging
import os
import shutil
import sys
import threading
import time
import warnings
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import matplotlib
import numpy as np
import pooch
import pytest
import requests
import torch
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from torch.nn.functional import interpolate, normalize
from torchvision.transforms.functional import pad, resize

import aecourse as ae
from aecourse import data
from aecourse.data.fetch import File

NAMES = [Path(file.path).name for file in data.digits.FILES]
DEAD = "http://127.0.0.1:9/"
SIZES = {"train": 30, "t10k": 12}


def _small_mnist(seed=0):
    """Return the bytes of four files in MNIST's own format, and the arrays that they hold."""
    random, files, arrays = np.random.default_rng(seed), {}, {}
    for part, count in SIZES.items():
        arrays[part] = random.integers(0, 256, (count, 28, 28), dtype=np.uint8), random.integers(0, 10, count)
        sizes = b"".join(number.to_bytes(4, "big") for number in (count, 28, 28))
        files[f"{part}-images-idx3-ubyte"] = bytes([0, 0, 8, 3]) + sizes + arrays[part][0].tobytes()
        files[f"{part}-labels-idx1-ubyte"] = (
            bytes([0, 0, 8, 1]) + sizes[:4] + arrays[part][1].astype(np.uint8).tobytes()
        )
    return files, arrays


FILES, ARRAYS = _small_mnist()
OTHER_FILES, _ = _small_mnist(seed=1)


def write(root, files=FILES):
    """Lay the files out as torchvision does."""
    raw = Path(root) / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in files.items():
        (raw / name).write_bytes(content)
    return raw


def holds_small_mnist(dataset):
    parts = (("train", dataset.train_images, dataset.train_labels), ("t10k", dataset.test_images, dataset.test_labels))
    return dataset.name == "mnist" and all(
        images.shape == (SIZES[part], 1, 28, 28)
        and images.dtype == torch.float32
        and np.array_equal(np.rint(images[:, 0].double().numpy() * 255), ARRAYS[part][0])
        and labels.tolist() == ARRAYS[part][1].tolist()
        for part, images, labels in parts
    )


class Mirror:
    """A server on this machine that sends what lies in a folder, as slowly or wrongly as a test wants."""

    def __init__(self, folder):
        self.folder, self.asked, self.cut, self.silent = folder, [], False, False
        self.woken = threading.Event()
        mirror = self

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_GET(self):
                mirror.asked.append(self.path)
                if mirror.silent:
                    mirror.woken.wait(30)
                    return None
                if not mirror.cut:
                    return super().do_GET()
                content = (folder / self.path.strip("/")).read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2])

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self.woken.set()
        self.server.shutdown()
        self.server.server_close()


def at(mirrors, ending=".gz"):
    """Return the list of small files that stand in for MNIST's, to be downloaded from these mirrors."""
    return [
        File(
            f"MNIST/raw/{name}",
            hashlib.sha256(content).hexdigest(),
            tuple(f"{mirror}{name}{ending}" for mirror in mirrors),
        )
        for name, content in FILES.items()
    ]


@pytest.fixture
def cache(no_data, monkeypatch):
    """An empty cache folder, no $AECOURSE_DATA, small files in the place of MNIST's, and a dead network."""
    monkeypatch.setattr(data.digits, "FILES", at([DEAD]))
    return no_data


@pytest.fixture
def mirror(cache, tmp_path, monkeypatch):
    """A mirror that has good copies."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    server = Mirror(folder)
    monkeypatch.setattr(data.digits, "FILES", at([server.url]))
    yield server
    server.close()


def load_silently(**settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return data.load(**settings)


def load_with_one_warning(**settings):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = data.load(**settings)
    caught = [warning for warning in caught if issubclass(warning.category, UserWarning)]
    assert [warning.filename for warning in caught] == [__file__]
    return dataset, str(caught[0].message)


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def test_mnist_is_found_in_the_folder_that_aecourse_data_names(cache, tmp_path, monkeypatch):
    write(tmp_path / "mine")
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    dataset = load_silently()
    assert holds_small_mnist(dataset)
    assert "$AECOURSE_DATA" in dataset.origin
    assert files_in(cache) == []


def test_mnist_is_found_in_the_cache_folder(cache):
    write(cache)
    dataset = load_silently()
    assert holds_small_mnist(dataset)
    assert "cache" in dataset.origin


@pytest.mark.parametrize("setting", ["", "nowhere"])
def test_the_cache_is_used_where_aecourse_data_leads_to_no_files(cache, tmp_path, monkeypatch, setting):
    write(cache)
    monkeypatch.setenv("AECOURSE_DATA", setting and str(tmp_path / setting))
    assert "cache" in load_silently().origin


def test_aecourse_data_comes_before_the_cache(cache, tmp_path, monkeypatch):
    write(tmp_path / "mine")
    write(cache)
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    assert "$AECOURSE_DATA" in load_silently().origin


def test_mnist_is_downloaded_into_the_cache_and_found_there_from_then_on(cache, mirror, monkeypatch):
    dataset = load_silently()
    assert holds_small_mnist(dataset)
    assert "downloaded" in dataset.origin
    assert {path.name: path.read_bytes() for path in files_in(cache)} == FILES
    assert {path.parent for path in files_in(cache)} == {cache / "MNIST" / "raw"}
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in files_in(cache))  # a class may share the folder

    monkeypatch.setattr(data.digits, "FILES", at([DEAD]))
    asked = len(mirror.asked)
    assert "cache" in load_silently().origin
    assert len(mirror.asked) == asked


def test_every_connection_of_a_download_has_the_time_limit(cache, mirror, monkeypatch):
    limits, get = [], requests.get
    monkeypatch.setattr(requests, "get", lambda url, timeout, **rest: limits.append(timeout) or get(url, **rest))
    load_silently()
    assert limits == [data.fetch.TIMEOUT] * 4
    assert data.fetch.TIMEOUT == 20


def test_a_mirror_that_never_answers_does_not_hang(cache, mirror, monkeypatch):
    mirror.silent = True
    monkeypatch.setattr(data.fetch, "TIMEOUT", 0.2)
    start = time.monotonic()
    assert load_with_one_warning()[0].name == "digits"
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("fault", [None, "cut"])
def test_a_download_writes_nothing_on_stderr_and_leaves_poochs_logger_as_it_was(
    cache, mirror, monkeypatch, capsys, fault
):
    mirror.cut = fault == "cut"
    logger = pooch.get_logger()
    monkeypatch.setattr(logger.handlers[0], "stream", sys.stderr)
    monkeypatch.setattr(logger, "level", logging.INFO)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.load()
    assert mirror.asked
    assert capsys.readouterr() == ("", "")
    assert logger.level == logging.INFO


def test_the_addresses_of_mnist_are_two_mirrors_packed_files_in_torchvisions_layout():
    for file, name in zip(data.digits.FILES, NAMES, strict=True):
        assert file.path == f"MNIST/raw/{name}"
        assert len(file.urls) == 2
        assert all(url.startswith("https://") and url.endswith(f"/{name}.gz") for url in file.urls)


@pytest.mark.skipif("AECOURSE_DATA" not in os.environ, reason="AECOURSE_DATA names no folder with MNIST")
def test_the_real_mnist_has_the_counts_and_the_mean_that_are_known_of_it():
    dataset = load_silently(name="mnist")
    assert repr(dataset) == "mnist: 60,000 training and 10,000 test images, 1 × 28 × 28"
    assert dataset.train_labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert dataset.test_labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert dataset.train_images.mean().item() == pytest.approx(0.1307, abs=1e-4)
    assert dataset.train_images.std().item() == pytest.approx(0.3081, abs=1e-4)
    assert (dataset.train_images.min(), dataset.train_images.max()) == (0, 1)


def test_with_no_files_and_no_network_one_warning_is_given_and_the_digits(cache, digits):
    dataset, message = load_with_one_warning()
    assert dataset.name == "digits"
    assert torch.equal(dataset.train_images, digits.train_images)
    assert "1,797 real digits" in message
    assert "set AECOURSE_DATA" in message
    assert files_in(cache) == []


def test_the_warning_points_to_the_line_that_loads(cache):
    with pytest.warns(UserWarning, match="could not be downloaded") as caught:
        data.load()
    assert caught[0].filename == __file__


def test_without_fallback_no_files_and_no_network_are_an_error(cache):
    with pytest.raises(RuntimeError, match=r"found no files of MNIST in .*set AECOURSE_DATA to a folder"):
        load_silently(fallback=False)


def test_an_unknown_name_is_an_error():
    with pytest.raises(ValueError, match=r"got the name 'my/pictures', expected 'mnist' or 'digits'.*data.load_folder"):
        data.load("my/pictures")


DAMAGE = {
    "one wrong byte": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\xff"),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-5]),
    "empty": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
    "other files": lambda path: path.write_bytes(OTHER_FILES[path.name]),
}


@pytest.fixture(params=DAMAGE)
def damage(request):
    return DAMAGE[request.param]


@pytest.mark.parametrize("fallback", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_named_and_never_used(cache, tmp_path, monkeypatch, damage, name, fallback):
    raw = write(tmp_path / "mine")
    damage(raw / name)
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    with pytest.raises(RuntimeError, match="damaged or missing files of MNIST") as error:
        load_silently(fallback=fallback)
    assert [other for other in NAMES if str(raw / other) in str(error.value)] == [name]
    assert "put good ones in their place" in str(error.value)


def test_a_folder_in_the_place_of_a_file_is_named_like_a_damaged_file(cache, tmp_path, monkeypatch):
    path = write(tmp_path / "mine") / NAMES[0]
    path.unlink()
    path.mkdir()
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    with pytest.raises(RuntimeError, match=f"damaged or missing files of MNIST: {path};"):
        load_silently()


def test_all_damaged_files_are_named(cache):
    raw = write(cache)
    for name in NAMES[:2]:
        DAMAGE["truncated"](raw / name)
    with pytest.raises(RuntimeError) as error:
        load_silently()
    assert [name for name in NAMES if str(raw / name) in str(error.value)] == NAMES[:2]


def test_a_damaged_copy_is_passed_over_for_the_good_one_in_the_cache(cache, tmp_path, monkeypatch, damage):
    damage(write(tmp_path / "mine") / NAMES[0])
    write(cache)
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    with pytest.warns(
        UserWarning, match="damaged or missing files of MNIST were passed over: .*good copy in the cache folder"
    ):
        dataset = data.load()
    assert holds_small_mnist(dataset)
    assert "cache" in dataset.origin


def test_with_a_network_a_good_copy_is_fetched_and_the_damaged_one_passed_over(
    cache, mirror, tmp_path, monkeypatch, damage
):
    raw = write(tmp_path / "mine")
    damage(raw / NAMES[2])
    before = {path: path.read_bytes() for path in files_in(raw)}
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    dataset, message = load_with_one_warning()
    assert holds_small_mnist(dataset)
    assert str(raw / NAMES[2]) in message
    assert "passed over" in message
    assert {path: path.read_bytes() for path in files_in(raw)} == before


def test_with_a_network_a_damaged_copy_in_the_cache_is_replaced(cache, mirror, damage):
    raw = write(cache)
    damage(raw / NAMES[1])
    dataset, message = load_with_one_warning()
    assert holds_small_mnist(dataset)
    assert str(raw / NAMES[1]) in message
    assert {path.name: path.read_bytes() for path in files_in(cache)} == FILES
    assert "cache" in load_silently().origin


def test_torchvisions_old_files_beside_verified_ones_are_not_trusted(cache):
    """torchvision prefers `MNIST/processed/*.pt`, whose checksum nobody knows."""
    write(cache)
    processed = cache / "MNIST" / "processed"
    processed.mkdir()
    for name in ("training.pt", "test.pt"):
        torch.save((torch.zeros(3, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)), processed / name)
    assert holds_small_mnist(load_silently())


def _wrong_bytes(mirror):
    (mirror.folder / f"{NAMES[0]}.gz").write_bytes(gzip.compress(OTHER_FILES[NAMES[0]], mtime=0))


def _truncated_archives(mirror):
    path = mirror.folder / f"{NAMES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-20])


def _cut_connections(mirror):
    mirror.cut = True


def _one_file_missing(mirror):
    (mirror.folder / f"{NAMES[3]}.gz").unlink()


def _a_page_instead_of_a_file(mirror):
    (mirror.folder / f"{NAMES[2]}.gz").write_text("<html>Please log in to this network</html>")


@pytest.mark.parametrize(
    "fail",
    [
        _wrong_bytes,
        _truncated_archives,
        _cut_connections,
        _one_file_missing,
        _a_page_instead_of_a_file,
    ],
)
def test_what_a_failing_mirror_sends_is_refused_and_leaves_nothing_in_the_cache(cache, mirror, fail):
    fail(mirror)
    with pytest.raises(RuntimeError, match="could not be downloaded"):
        load_silently(fallback=False)
    assert mirror.asked
    assert files_in(cache) == []
    dataset, _ = load_with_one_warning()
    assert dataset.name == "digits"
    assert files_in(cache) == []


def test_a_failing_mirror_does_not_touch_a_damaged_copy(cache, mirror):
    raw = write(cache)
    DAMAGE["truncated"](raw / NAMES[0])
    before = {path: path.read_bytes() for path in files_in(cache)}
    _wrong_bytes(mirror)
    with pytest.raises(RuntimeError, match=f"{NAMES[0]}.*no good copy could be downloaded"):
        load_silently()
    assert {path: path.read_bytes() for path in files_in(cache)} == before


def test_the_second_mirror_is_asked_where_the_first_is_dead(cache, mirror, monkeypatch):
    monkeypatch.setattr(data.digits, "FILES", at([DEAD, mirror.url]))
    dataset = load_silently()
    assert holds_small_mnist(dataset)
    assert dataset.origin == f"downloaded from {mirror.url.split('/')[2]}"


def test_the_second_mirror_is_asked_where_the_first_sends_other_bytes(cache, mirror, tmp_path, monkeypatch):
    shutil.copytree(mirror.folder, tmp_path / "other")
    other = Mirror(tmp_path / "other")
    _wrong_bytes(other)
    monkeypatch.setattr(data.digits, "FILES", at([other.url, mirror.url]))
    assert holds_small_mnist(load_silently())
    assert [len(each.asked) for each in (other, mirror)] == [4, 1]
    other.close()


def test_where_all_mirrors_fail_the_error_says_what_each_said(cache, mirror, monkeypatch):
    _wrong_bytes(mirror)
    monkeypatch.setattr(data.digits, "FILES", at([DEAD, mirror.url]))
    with pytest.raises(RuntimeError, match=rf"{DEAD}{NAMES[0]}.gz: .*refused.*{mirror.url}{NAMES[0]}.gz: .*not match"):
        load_silently(fallback=False)


@pytest.mark.parametrize("ending", [".gz", ""])
def test_files_that_come_unpacked_are_taken_as_they_are(cache, mirror, monkeypatch, ending):
    for name, content in FILES.items():
        (mirror.folder / f"{name}{ending}").write_bytes(content)
    monkeypatch.setattr(data.digits, "FILES", at([mirror.url], ending))
    assert holds_small_mnist(load_silently())


def test_a_cache_that_cannot_be_written_is_no_error_of_its_own(cache, mirror):
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text("a file where the folder should be")
    assert load_with_one_warning()[0].name == "digits"


def test_a_deleted_cache_is_filled_again(cache, mirror):
    load_silently()
    shutil.rmtree(cache)
    assert "downloaded" in load_silently().origin


def test_the_digits_are_1437_and_360_images_of_mnists_shape(digits):
    assert repr(digits) == "digits: 1,437 training and 360 test images, 1 × 28 × 28"
    for images, labels in ((digits.train_images, digits.train_labels), (digits.test_images, digits.test_labels)):
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert images.shape == (len(labels), 1, 28, 28)
        assert images.min() >= 0
        assert 0.9 < images.max() <= 1


def test_the_digits_have_an_empty_border_of_four_pixels_and_reach_to_it(digits):
    images = torch.cat([digits.train_images, digits.test_images])
    inner = torch.zeros(28, 28, dtype=torch.bool)
    inner[4:24, 4:24] = True
    assert not images[:, 0, ~inner].any()
    assert images[:, 0, 4, :].any()
    assert images[:, 0, 23, :].any()


def test_the_split_of_the_digits_is_the_same_every_time_and_has_each_of_scikit_learns_digits_once(digits):
    again = data.load("digits")
    assert torch.equal(again.train_images, digits.train_images)
    assert torch.equal(again.test_labels, digits.test_labels)
    original = load_digits()
    enlarged = interpolate(torch.from_numpy(original.images[:, None] / 16).float(), (20, 20), mode="bilinear")
    ours = torch.cat([digits.train_images, digits.test_images])[..., 4:24, 4:24]
    mode = "donot_use_mm_for_euclid_dist"  # the exact one
    distances, which = torch.cdist(ours.flatten(1), enlarged.flatten(1), compute_mode=mode).min(1)
    assert distances.max() < 1e-4
    assert sorted(which.tolist()) == list(range(1797))
    labels = torch.cat([digits.train_labels, digits.test_labels])
    assert labels.tolist() == original.target[which].tolist()


def test_no_digit_is_in_both_parts(digits):
    train = {image.numpy().tobytes() for image in digits.train_images}
    assert len(train) == 1437
    assert not any(image.numpy().tobytes() in train for image in digits.test_images)


def test_each_digit_has_its_share_in_both_parts(digits):
    train, test = digits.train_labels.bincount(), digits.test_labels.bincount()
    torch.testing.assert_close(test / 360, train / 1437, rtol=0.03, atol=0)


def test_loading_the_digits_moves_no_global_random_state():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    data.load("digits")
    data.letters(per_letter=5)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


@pytest.fixture(scope="module")
def letters():
    return data.letters(per_letter=10)


def test_letters_are_four_fifths_for_training_and_a_fifth_for_test_of_each_letter(letters):
    assert repr(letters) == "letters: 208 training and 52 test images, 1 × 28 × 28"
    assert letters.train_labels.bincount().tolist() == [8] * 26
    assert letters.test_labels.bincount().tolist() == [2] * 26
    assert letters.train_images.dtype == torch.float32


def test_letters_are_white_on_black_inside_the_middle_20_by_20_pixels(letters):
    images = torch.cat([letters.train_images, letters.test_images])[:, 0]
    inner = torch.zeros(28, 28, dtype=torch.bool)
    inner[4:24, 4:24] = True
    assert not images[:, ~inner].any()
    assert images.min() == 0
    assert images.amax((1, 2)).min() > 0.8
    assert images.amax((1, 2)).max() <= 1
    rows = images.any(2).sum(1)
    columns = images.any(1).sum(1)
    assert torch.maximum(rows, columns).min() >= 17


def test_letters_of_the_same_seed_are_the_same_and_of_another_are_not():
    first, again, other = (data.letters(per_letter=5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(again.train_images, first.train_images)
    assert torch.equal(again.test_images, first.test_images)
    assert not torch.equal(other.train_images, first.train_images)


def test_no_two_letters_are_drawn_alike(letters):
    images = torch.cat([letters.train_images, letters.test_images]).flatten(1)
    assert len(images.unique(dim=0)) == len(images)


def test_a_judge_that_saw_the_training_letters_recognises_most_of_the_others(letters):
    judge = KNeighborsClassifier(1).fit(letters.train_images.flatten(1), letters.train_labels)
    assert judge.score(letters.test_images.flatten(1), letters.test_labels) > 0.7


def test_label_0_is_an_a_and_label_25_a_z_in_the_eyes_of_another_program(letters):
    font = ImageFont.truetype(findfont("DejaVu Sans"), 80)
    templates = []
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        picture = Image.new("L", (200, 200))
        ImageDraw.Draw(picture).text((50, 50), letter, fill=255, font=font)
        picture = picture.crop(picture.getbbox())
        picture.thumbnail((18, 18))
        canvas = Image.new("L", (28, 28))
        canvas.paste(picture, ((28 - picture.width) // 2, (28 - picture.height) // 2))
        templates.append(torch.from_numpy(np.array(canvas)).float().flatten())
    means = torch.stack([letters.train_images[letters.train_labels == label].mean(0).flatten() for label in range(26)])
    likeness = normalize(means) @ normalize(torch.stack(templates)).T
    assert (likeness.argmax(1) == torch.arange(26)).sum() >= 24


@pytest.mark.parametrize("per_letter", [-1, 0, 4, 5.5])
def test_too_few_letters_for_a_test_image_each_are_an_error(per_letter):
    with pytest.raises(ValueError, match=f"got per_letter={per_letter}, expected a whole number of at least 5"):
        data.letters(per_letter=per_letter)


@pytest.fixture
def image(digits):
    return digits.test_images[0]


def test_rotations_by_right_angles_equal_torch_rot90(image):
    turned = data.rotations(image, [0, 90, 180, 270, 360])
    assert turned.shape == (5, 1, 28, 28)
    for quarter, picture in enumerate(turned):
        torch.testing.assert_close(picture, torch.rot90(image, quarter, (1, 2)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("angle", [10.0, 45.0, -77.5, 200.0])
def test_a_rotation_is_bilinear_as_scipys(image, angle):
    inside = image * (torch.arange(28) - 13.5).abs().lt(9) * (torch.arange(28) - 13.5).abs().lt(9)[:, None]
    expected = ndimage.rotate(inside[0].double().numpy(), angle, order=1, reshape=False)
    np.testing.assert_allclose(data.rotations(inside, [angle])[0, 0].numpy(), expected, atol=2e-3)


def test_a_rotation_is_counter_clockwise(image):
    dot = torch.zeros(1, 28, 28)
    dot[0, 13:15, 24:26] = 1  # at three o'clock
    row, column = divmod(int(data.rotations(dot, [45])[0].argmax()), 28)
    assert row < 9  # now in the upper right
    assert column > 18


def test_small_turns_change_an_image_little_and_stay_in_its_range(image):
    turned = data.rotations(image, range(0, 360, 10))
    assert turned.min() >= 0
    assert turned.max() <= 1
    change = (turned - image).flatten(1).norm(dim=1)
    assert change[1] < change[2] < change[4]
    assert change[1] == pytest.approx(change[-1].item(), rel=0.3)


def test_an_image_may_come_with_or_without_a_batch_dimension(image):
    assert torch.equal(data.rotations(image, [30]), data.rotations(image[None], [30]))


def test_angles_may_come_as_a_tensor(image):
    torch.testing.assert_close(data.rotations(image, torch.tensor([30.0, 60.0])), data.rotations(image, [30, 60]))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(2, 1, 28, 28), r"got 2 images, expected one; choose it with images\[i\]"),
        (torch.zeros(28, 28), "got images of shape"),
        (torch.zeros(28, 28, 3), r"got images of shape \(1, 28, 28, 3\).*permute\(2, 0, 1\)"),
        (torch.full((1, 28, 28), 255.0), "divide by 255"),
        (torch.zeros(1, 28, 28, dtype=torch.uint8), "dtype torch.uint8"),
        (torch.full((1, 28, 28), torch.nan), "NaN pixels"),
        (np.zeros((1, 28, 28), dtype=np.float32), "got ndarray"),
    ],
    ids=["two images", "no channel", "colours last", "0 to 255", "uint8", "NaN", "NumPy array"],
)
def test_what_is_not_one_image_cannot_be_turned(bad, message):
    with pytest.raises(ValueError, match=message):
        data.rotations(bad, [0])


def test_colour_images_of_any_size_can_be_turned():
    colour = torch.rand(3, 20, 12, generator=torch.Generator().manual_seed(1))
    turned = data.rotations(colour, [0, 180])
    torch.testing.assert_close(turned, torch.stack([colour, colour.flip(1, 2)]), atol=1e-4, rtol=0)
    for channel in range(3):
        alone = data.rotations(colour[channel, None], [40])
        assert torch.equal(data.rotations(colour, [40])[:, channel, None], alone)


def test_without_an_angle_there_is_nothing_to_turn(image):
    with pytest.raises(ValueError, match="got no degrees, expected at least one angle"):
        data.rotations(image, [])


GREY = torch.rand(20, 1, 6, 6, generator=torch.Generator().manual_seed(11))


def test_binarized_images_are_only_0_and_1_and_keep_shape_and_type():
    drawn = data.binarize(GREY)
    assert drawn.unique().tolist() == [0, 1]
    assert drawn.shape == GREY.shape
    assert drawn.dtype == torch.float32


def test_a_pixel_is_white_as_often_as_it_is_grey():
    draws = torch.stack([data.binarize(GREY, seed=seed) for seed in range(400)])
    standard_error = (GREY * (1 - GREY) / len(draws)).sqrt() + 1e-3
    assert ((draws.mean(0) - GREY).abs() < 5 * standard_error).all()


def test_images_are_binarized_alike_with_the_same_seed_and_otherwise_with_another():
    assert torch.equal(data.binarize(GREY, seed=3), data.binarize(GREY, seed=3))
    assert not torch.equal(data.binarize(GREY, seed=3), data.binarize(GREY, seed=4))


def test_colour_images_are_binarized_channel_by_channel():
    assert data.binarize(GREY.reshape(5, 4, 6, 6)[:, :3]).shape == (5, 3, 6, 6)
    red = torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1).expand(2, 3, 4, 4)
    assert torch.equal(data.binarize(red), red)


def test_black_and_white_images_stay_as_they_are():
    assert torch.equal(data.binarize(GREY.round()), GREY.round())


def test_binarizing_changes_neither_the_images_nor_the_global_random_state():
    images, state = GREY.clone(), torch.get_rng_state()
    data.binarize(images)
    assert torch.equal(images, GREY)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (GREY * 255, "divide by 255"),
        (GREY - 1, "rescale or clamp"),
        (GREY / 0 * 0, "NaN pixels in 20 of 20 images"),
        (GREY[:0], "got no images"),
        ((GREY * 255).to(torch.uint8), "dtype torch.uint8"),
        (GREY.numpy(), "got ndarray"),
        (list(GREY), r"got list, expected a float32 tensor of shape \(N, …\)"),
    ],
    ids=["0 to 255", "negative", "NaN", "empty", "uint8", "NumPy", "list"],
)
def test_what_are_no_images_cannot_be_binarized(bad, message):
    with pytest.raises(ValueError, match=message):
        data.binarize(bad)


BAD_SEEDS = [-1, 1.5, True, "0", 2**63]


@pytest.mark.parametrize(
    "call",
    [
        lambda seed: data.binarize(GREY, seed=seed),
        lambda seed: data.letters(per_letter=5, seed=seed),
        lambda seed: data.random_shapes(3, seed=seed),
        lambda seed: data.stick_figures(3, seed=seed),
        lambda seed: data.chorales.made_up(train=1, validation=0, test=0, seed=seed),
    ],
    ids=["binarize", "letters", "random_shapes", "stick_figures", "made_up"],
)
@pytest.mark.parametrize("seed", BAD_SEEDS)
def test_what_is_no_seed_is_refused(call, seed):
    with pytest.raises(ValueError, match=rf"got seed={seed!r}, expected a whole number"):
        call(seed)


# A reader's own pictures.

COLOURS = {"reds": (250, 10, 20), "blues": (5, 30, 240)}


@pytest.fixture
def pictures(tmp_path):
    """A folder with five red pictures and five blue ones, 12 wide and 8 high, each with a green upper left corner."""
    folder = tmp_path / "my pictures"
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(5):
            picture = Image.new("RGB", (12, 8), (*colour[:2], colour[2] + number))
            picture.paste((0, 255, 0), (0, 0, 3, 2))
            picture.save(folder / name / f"{number}.png")
    return folder


def all_of(dataset):
    """Return all images and labels, in the order of label and brightness."""
    images = torch.cat([dataset.train_images, dataset.test_images])
    labels = torch.cat([dataset.train_labels, dataset.test_labels])
    order = np.lexsort((images.sum((1, 2, 3)).numpy(), labels.numpy()))
    return images[order], labels[order]


def test_a_folder_of_pictures_is_a_data_set_whose_labels_are_the_names_of_the_subfolders(pictures):
    dataset = data.load_folder(pictures)
    assert repr(dataset) == "pictures in my pictures: 8 training and 2 test images, 3 × 8 × 12"
    assert str(pictures) in dataset.origin
    assert dataset.classes == ("blues", "reds")
    images, labels = all_of(dataset)
    assert labels.tolist() == [0] * 5 + [1] * 5
    assert labels.dtype == torch.int64
    assert images.dtype == torch.float32
    for number, image in enumerate(images):
        red, green, blue = COLOURS[dataset.classes[number // 5]]
        expected = torch.tensor([red, green, blue + number % 5]) / 255
        assert torch.equal(image[:, -1, -1], expected)
        assert torch.equal(image[:, :2, :3], torch.tensor([0.0, 1, 0]).reshape(3, 1, 1).expand(3, 2, 3))


def test_the_pictures_can_be_given_to_a_model_as_they_are(pictures):
    dataset = data.load_folder(str(pictures), 10)
    assert dataset.train_images.is_contiguous()
    assert data.binarize(dataset.train_images).shape == (8, 3, 10, 10)


def test_a_tilde_is_the_home_folder(pictures, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(pictures.parent))
    assert len(all_of(data.load_folder("~/my pictures"))[0]) == 10


def test_a_folder_without_subfolders_has_the_label_0(pictures):
    dataset = data.load_folder(pictures / "reds")
    assert torch.cat([dataset.train_labels, dataset.test_labels]).tolist() == [0] * 5
    assert dataset.classes == ()


def test_pictures_deeper_down_have_the_label_of_the_first_subfolder(pictures):
    (pictures / "reds" / "more").mkdir()
    (pictures / "reds" / "0.png").rename(pictures / "reds" / "more" / "0.png")
    assert torch.equal(all_of(data.load_folder(pictures))[0], all_of(data.load_folder(pictures))[0])
    assert all_of(data.load_folder(pictures))[1].tolist() == [0] * 5 + [1] * 5


def test_the_split_is_the_same_with_the_same_seed_and_has_every_picture_once(pictures):
    first, again, other = (data.load_folder(pictures, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.test_images, again.test_images)
    assert torch.equal(first.train_labels, again.train_labels)
    assert not torch.equal(first.test_images, other.test_images)
    for dataset in (first, other):
        assert len(all_of(dataset)[0].flatten(1).unique(dim=0)) == 10


@pytest.mark.parametrize(("share", "test"), [(0, 1), (0.5, 5), (1, 9)])
def test_each_part_has_a_picture_whatever_the_share(pictures, share, test):
    dataset = data.load_folder(pictures, test_share=share)
    assert (len(dataset.train_images), len(dataset.test_images)) == (10 - test, test)


def test_grey_pictures_have_one_channel_with_the_luminance_of_the_standard(pictures):
    images, _ = all_of(data.load_folder(pictures, mode="L"))
    assert images.shape == (10, 1, 8, 12)
    assert images[5, 0, -1, -1].item() == pytest.approx((0.299 * 250 + 0.587 * 10 + 0.114 * 20) / 255, abs=1 / 255)


def test_pictures_are_cropped_in_the_middle_and_resized_to_one_size(tmp_path):
    wide = Image.new("RGB", (40, 20), "black")
    wide.paste((255, 255, 255), (10, 0, 30, 20))  # the middle square
    wide.save(tmp_path / "wide.png")
    wide.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "high.png")
    dataset = data.load_folder(tmp_path, size=16)
    images, _ = all_of(dataset)
    assert images.shape == (2, 3, 16, 16)
    assert images.min() > 0.95  # but for what the interpolation sees of the border
    assert data.load_folder(tmp_path, size=(10, 20)).train_images.shape == (1, 3, 10, 20)


def one_picture(folder, save):
    """Return the picture that `save` writes, as `load_folder` reads it, and as uint8 `(C, H, W)`."""
    for name in ("a", "b"):
        save(folder / name)
    dataset = data.load_folder(folder)
    assert torch.equal(dataset.train_images, dataset.test_images)
    return (dataset.train_images[0] * 255).round().to(torch.uint8)


def test_what_is_transparent_lies_on_white(tmp_path):
    picture = Image.new("RGBA", (4, 2), (200, 0, 0, 0))
    picture.paste((200, 0, 0, 255), (0, 0, 2, 2))
    read = one_picture(tmp_path, lambda path: picture.save(path.with_suffix(".png")))
    assert read[:, 0, 0].tolist() == [200, 0, 0]
    assert read[:, 0, 3].tolist() == [255, 255, 255]


def test_the_colours_of_a_palette_are_read_and_not_its_numbers(tmp_path):
    picture = Image.new("P", (4, 2), 1)
    picture.putpalette([0, 0, 0, 10, 200, 30])
    read = one_picture(tmp_path, lambda path: picture.save(path.with_suffix(".png")))
    assert read[:, 0, 0].tolist() == [10, 200, 30]
    read = one_picture(tmp_path, lambda path: picture.save(path.with_suffix(".png"), transparency=1))
    assert read[:, 0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_of_16_bits_keeps_its_levels(tmp_path, suffix):
    levels = Image.fromarray(np.array([[0, 257 * 100, 65535]], dtype=np.uint16))
    read = one_picture(tmp_path, lambda path: levels.save(path.with_suffix(suffix)))
    assert read[:, 0].tolist() == [[0, 100, 255]] * 3


def test_a_cameras_note_on_which_side_is_up_is_heeded(tmp_path):
    picture = Image.new("RGB", (16, 8), "black")
    picture.paste((255, 255, 255), (0, 0, 8, 8))  # the left half is white
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned clockwise by a quarter
    read = one_picture(tmp_path, lambda path: picture.save(path.with_suffix(".JPEG"), exif=turned, quality=95))
    assert read.shape == (3, 16, 8)
    assert read[:, 0].min() > 240
    assert read[:, -1].max() < 15


def test_a_damaged_picture_is_named_and_passed_over_with_one_warning(pictures):
    damaged = pictures / "reds" / "0.png", pictures / "blues" / "1.png", pictures / "blues" / "x.jpg"
    damaged[0].write_bytes(damaged[0].read_bytes()[:50])
    damaged[1].write_text("no picture")
    Image.new("F", (12, 8), 0.5).save(pictures / "floats.tif")
    damaged[2].write_bytes((pictures / "floats.tif").read_bytes())
    (pictures / "floats.tif").unlink()
    with pytest.warns(UserWarning, match="damaged pictures were passed over") as caught:
        dataset = data.load_folder(pictures)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert all(str(path) in str(caught[0].message) for path in damaged)
    assert all_of(dataset)[1].tolist() == [0] * 4 + [1] * 4


def test_hidden_files_and_what_are_no_pictures_are_left_out(pictures):
    (pictures / ".ipynb_checkpoints").mkdir()
    for name in (".ipynb_checkpoints/0.png", "reds/._0.png", "reds/notes.txt"):
        (pictures / name).write_text("no picture")
    dataset = data.load_folder(pictures)
    assert dataset.classes == ("blues", "reds")
    assert len(all_of(dataset)[0]) == 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folder": "nowhere"}, r"got '.*nowhere', expected a folder of pictures; there is none at /"),
        ({"folder": "reds/0.png"}, r"got '.*0.png', expected a folder of pictures"),
        ({"folder": "empty"}, r"got 0 pictures that can be read in .*empty, expected at least 2.*\.jpg, \.jpeg, \.png"),
        ({"folder": "one"}, r"got 1 pictures that can be read"),
        ({"folder": "."}, r"got .*stray.png beside subfolders of pictures, expected all in subfolders; move it"),
        ({"folder": "mixed"}, r"got pictures of sizes \(8, 12\) and \(9, 9\) \(.*\), expected one size; pass size=64"),
        ({"mode": "grey"}, "got mode='grey', expected 'RGB' for colour or 'L' for grey"),
        ({"size": 0}, "got size=0, expected a whole number of at least 1"),
        ({"size": (8, 2.5)}, "got size=2.5, expected a whole number"),
        ({"size": (8, 8, 3)}, r"got size=\(8, 8, 3\), expected one whole number, or two: \(height, width\)"),
        ({"test_share": 2}, "got test_share=2, expected a finite number of at least 0 and at most 1"),
        ({"seed": -1}, "got seed=-1"),
    ],
)
def test_what_is_no_folder_of_pictures_or_no_setting_is_an_error_that_says_so(pictures, settings, message):
    for name in ("empty", "one", "mixed"):
        (pictures / name).mkdir()
    shutil.copy(pictures / "reds" / "0.png", pictures / "one" / "0.png")
    shutil.copy(pictures / "reds" / "0.png", pictures / "mixed" / "0.png")
    Image.new("RGB", (9, 9)).save(pictures / "mixed" / "1.png")
    shutil.copy(pictures / "reds" / "0.png", pictures / "stray.png")
    folder = pictures / settings.pop("folder", "reds")
    with pytest.raises(ValueError, match=message):
        data.load_folder(folder, **settings)


def test_claims_on_pictures_of_ones_own_are_shown_but_not_checked(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "mnist").mkdir(exist_ok=True)
        Image.new("L", (28, 28)).save(tmp_path / "mnist" / f"{name}.png")
    own = data.load_folder(tmp_path / "mnist", mode="L")
    assert str(ae.claims(("an error", 5.0, 0, 1), on=own)).startswith("· an error: 5 on pictures in mnist (the text")


def test_letters_are_of_one_typeface_whatever_a_reader_has_chosen_for_figures(letters):
    with matplotlib.rc_context({"font.family": "monospace"}):
        again = data.letters(per_letter=10)
    assert torch.equal(again.train_images, letters.train_images)


def test_a_person_who_waits_sees_how_many_pictures_were_read(tmp_path, monkeypatch):
    class Bar(contextlib.nullcontext):
        def update(self):
            bars[-1][2] += 1

    bars = []
    monkeypatch.setattr(data.dataset, "progress_bar", lambda total, unit: bars.append([total, unit, 0]) or Bar(Bar()))
    for number in range(5):
        Image.new("L", (8, 8)).save(tmp_path / f"{number}.png")
    data.load_folder(tmp_path)
    assert bars == [[5, "picture", 5]]


@pytest.mark.parametrize("inside", ["", "MNIST", "MNIST/raw"])
def test_the_folder_may_be_named_from_where_the_files_lie(tmp_path, no_data, monkeypatch, inside):
    monkeypatch.setattr(data.digits, "FILES", at([DEAD]))
    (tmp_path / "mine" / "MNIST" / "raw").mkdir(parents=True)
    for name, content in FILES.items():
        (tmp_path / "mine" / "MNIST" / "raw" / name).write_bytes(content)
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine" / inside))
    assert load_silently(fallback=False).name == "mnist"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AECOURSE_DATA", f"~/mine/{inside}")
    assert load_silently(fallback=False).name == "mnist"


def test_packed_files_are_unpacked_into_the_cache_once(tmp_path, no_data, monkeypatch):
    monkeypatch.setattr(data.digits, "FILES", at([DEAD]))
    packed = tmp_path / "mine" / "MNIST" / "raw"
    packed.mkdir(parents=True)
    for name, content in FILES.items():
        (packed / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    assert load_silently(fallback=False).name == "mnist"
    assert {path.name for path in no_data.rglob("*") if path.is_file()} == set(FILES)
    assert {path.name for path in packed.iterdir()} == {f"{name}.gz" for name in FILES}


def test_packed_files_of_something_else_are_named_and_nothing_is_kept(tmp_path, no_data, monkeypatch):
    monkeypatch.setattr(data.digits, "FILES", at([DEAD]))
    packed = tmp_path / "mine" / "MNIST" / "raw"
    packed.mkdir(parents=True)
    for name in FILES:
        (packed / f"{name}.gz").write_bytes(gzip.compress(b"something else"))
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    with pytest.raises(RuntimeError, match=r"ubyte\.gz and its like \(wrong checksum"):
        load_silently(fallback=False)
    assert not [path for path in no_data.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("named", "fault"), [("nowhere", "which does not exist"), ("file", "which is no folder")])
def test_the_warning_says_why_nothing_was_found(tmp_path, no_data, monkeypatch, named, fault):
    monkeypatch.setattr(data.digits, "FILES", at([DEAD]))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / named))
    with pytest.warns(UserWarning, match=rf"{named}, {fault}\).*What went wrong: {DEAD}.*refused"):
        data.load("mnist")


# Where files may lie, and what a reader is told


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/one/two/three/A/b", ["/one/two/three/A/b", "/one/two/three"]),
        ("/one/two/three/A", ["/one/two/three/A", "/one/two/three"]),
        ("/one/two/three", ["/one/two/three"]),
        ("/one/two/three/b", ["/one/two/three/b"]),
        ("/one/two/three/A/b/file", ["/one/two/three/A/b/file"]),
        ("A/b", ["A/b", "<here>"]),
        (".", ["."]),
    ],
)
def test_files_are_looked_for_above_the_folder_if_that_is_a_part_of_their_path(folder, expected):
    places = [Path.cwd() if place == "<here>" else Path(place) for place in expected]
    assert data.fetch._roots(Path(folder), [File("A/b/file", "", ())]) == places


def test_the_folder_may_be_the_one_where_one_stands(tmp_path, monkeypatch):
    (tmp_path / "A" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "A" / "b")
    assert data.fetch._roots(Path("."), [File("A/b/file", "", ())]) == [Path("."), tmp_path]


def test_of_what_went_wrong_four_hundred_letters_are_shown(cache, monkeypatch):
    def failing(files, cache):
        raise RuntimeError("a " * 1000)

    monkeypatch.setattr(data.fetch, "_download", failing)
    with pytest.warns(UserWarning, match="What went wrong: ") as caught:
        data.load()
    said = str(caught[0].message).split("What went wrong: ")[1]
    assert said.endswith("a …")
    assert 390 < len(said) <= 400


def test_one_packed_file_among_none_is_as_good_as_none(cache, tmp_path, monkeypatch):
    packed = tmp_path / "mine" / "MNIST" / "raw"
    packed.mkdir(parents=True)
    (packed / f"{NAMES[0]}.gz").write_bytes(gzip.compress(FILES[NAMES[0]]))
    monkeypatch.setenv("AECOURSE_DATA", str(tmp_path / "mine"))
    dataset, message = load_with_one_warning()
    assert dataset.name == "digits"
    assert message.startswith("found no files of MNIST in the folder in $AECOURSE_DATA")


@pytest.mark.parametrize("allowed", [True, False])
def test_a_folder_is_one_that_may_be_opened_and_listed(tmp_path, monkeypatch, allowed):
    asked = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((path, mode)) or allowed)
    assert data.fetch._fault(tmp_path) == ("" if allowed else ", which may not be read")
    assert asked == [(tmp_path, os.R_OK | os.X_OK)]


def test_what_goes_into_the_cache_is_made_beside_it_and_may_be_read_by_all_and_written_by_its_owner(tmp_path):
    def make(folder):
        places.append(Path(folder).parent)
        (Path(folder) / "one" / "two").mkdir(parents=True)
        for name in ("a", "one/b", "one/two/c"):
            (Path(folder) / name).write_text(name)
            (Path(folder) / name).chmod(0o600)
        return ["made"]

    places, cache = [], tmp_path / "to be" / "made"
    assert data.fetch._into(cache, make) == ["made"]
    assert places == [cache]  # only within one file system a move is atomic
    assert {path.relative_to(cache).as_posix(): path.read_text() for path in files_in(cache)} == {
        name: name for name in ("a", "one/b", "one/two/c")
    }
    assert {path.stat().st_mode & 0o777 for path in files_in(cache)} == {0o644}
    assert sorted(os.listdir(cache)) == ["a", "one"]


def test_the_hosts_of_a_download_are_each_named_once_in_the_order_of_the_alphabet(cache, monkeypatch):
    hosts = {name: host for name, host in zip(NAMES, ["d.org", "b.org", "d.org", "a.org"], strict=True)}
    monkeypatch.setattr(data.fetch, "_retrieve", lambda file, folder: hosts[Path(file.path).name])
    assert data.fetch._download(data.digits.FILES, cache) == ["a.org", "b.org", "d.org"]


def test_a_person_who_waits_sees_a_download_grow_in_parts_of_64_kib(cache, mirror, monkeypatch):
    class Bar(contextlib.nullcontext):
        total, unit_scale = None, False

        def __enter__(self):
            return self

        def update(self, count):
            self.counts.append(count)

        def reset(self):
            self.counts.append("again")

        def close(self):
            self.scaled = self.unit_scale

    content = np.random.default_rng(0).bytes(200_000)
    (mirror.folder / "large").write_bytes(content)
    file = File("some/large", hashlib.sha256(content).hexdigest(), (f"{mirror.url}large",))
    bar = Bar()
    bar.counts = []
    monkeypatch.setattr(data.fetch, "progress_bar", lambda total, unit: bar)
    data.fetch.fetch("something large", [file])
    assert bar.counts == [2**16] * 4 + ["again", 200_000]
    assert bar.total == 200_000
    assert bar.scaled
    assert (cache / "some" / "large").read_bytes() == content


def test_a_file_that_is_itself_packed_stays_so_where_its_address_does_not_end_in_gz(cache, mirror):
    content = gzip.compress(b"packed as it should be", mtime=0)
    (mirror.folder / "packed").write_bytes(content)
    file = File("packed", hashlib.sha256(content).hexdigest(), (f"{mirror.url}packed",))
    folder, _ = data.fetch.fetch("something packed", [file])
    assert (folder / "packed").read_bytes() == content


def test_the_labels_of_the_digits_are_int64_whatever_whole_numbers_scikit_learn_has(digits, monkeypatch):
    original = load_digits()
    original.target = original.target.astype(np.int32)
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda: original)
    again = data.load("digits")
    assert again.train_labels.dtype == again.test_labels.dtype == torch.int64
    assert torch.equal(again.test_labels, digits.test_labels)


def test_the_digits_are_scaled_as_torchvision_does_it(digits):
    small = torch.tensor(load_digits().images / 16, dtype=torch.float32).unsqueeze(1)
    scaled = pad(resize(small, [20, 20], antialias=True).clamp(0, 1), [4])
    train, test = train_test_split(np.arange(1797), test_size=360, random_state=0, stratify=load_digits().target)
    assert torch.equal(digits.train_images, scaled[train])
    assert torch.equal(digits.test_images, scaled[test])


def test_the_split_of_the_digits_is_scikit_learns_of_seed_0(digits):
    target = load_digits().target
    train, test = train_test_split(target, test_size=360, random_state=0, stratify=target)
    assert digits.train_labels.tolist() == train.tolist()
    assert digits.test_labels.tolist() == test.tolist()


def test_a_stray_picture_beside_a_single_subfolder_is_an_error(pictures):
    shutil.rmtree(pictures / "blues")
    shutil.copy(pictures / "reds" / "0.png", pictures / "a stray.png")
    with pytest.raises(ValueError, match=r"got .*a stray.png beside subfolders of pictures"):
        data.load_folder(pictures)


def test_the_split_does_not_depend_on_the_order_in_which_a_system_lists_files(pictures, monkeypatch):
    first, rglob = data.load_folder(pictures), Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda folder, pattern: reversed(sorted(rglob(folder, pattern))))
    again = data.load_folder(pictures)
    assert torch.equal(first.test_images, again.test_images)
    assert torch.equal(first.train_labels, again.train_labels)


@pytest.mark.parametrize(
    ("levels", "read"),
    [
        ([0, 257 * 100 - 50, 65535], [0, 100, 255]),  # rounded, not cut off
        ([0, 65535, 1], [0, 255, 0]),
        ([0, 65536, 1], None),
        ([-1, 300, 5], None),
    ],
)
def test_grey_of_32_bits_is_read_on_the_scale_of_16_or_not_at_all(tmp_path, levels, read):
    for name in ("a", "b"):
        Image.fromarray(np.array([levels], dtype=np.int32)).save(tmp_path / f"{name}.tif")
    if read is None:
        with (
            pytest.warns(UserWarning, match=rf"pixels from {min(levels)} to {max(levels)}, whose white is unknown"),
            pytest.raises(ValueError, match="got 0 pictures that can be read"),
        ):
            data.load_folder(tmp_path)
    else:
        images = data.load_folder(tmp_path, mode="L").train_images
        assert (images[0, 0, 0] * 255).round().tolist() == read


@pytest.mark.parametrize("shape", [(1, 28, 3), (1, 28, 4), (3, 9, 5), (5, 6, 5), (6, 8, 5), (4, 6, 3)])
def test_narrow_images_and_ones_of_many_channels_can_be_turned(shape):
    image = torch.rand(shape, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(data.rotations(image, [180])[0], image.flip(1, 2), atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", [(28, 27, 3), (28, 27, 4), (5, 8, 3), (28, 27, 1)])
def test_an_image_whose_colours_stand_last_is_not_turned(shape):
    with pytest.raises(ValueError, match=r"use images\[0\].permute\(2, 0, 1\)$"):
        data.rotations(torch.zeros(shape), [0])


def test_an_image_without_a_channel_is_told_to_add_one():
    with pytest.raises(
        ValueError, match=r"got images of shape \(28, 28\).*add a channel dimension with image\[None\]$"
    ):
        data.rotations(torch.zeros(28, 28), [0])


def test_what_is_white_is_no_whiter_when_it_is_turned():
    for height, width in ((28, 28), (23, 31)):
        turned = data.rotations(torch.ones(1, height, width), np.linspace(0, 360, 100))
        assert turned.max() == 1
        assert turned.min() == 0
