"""Where MNIST is looked for, what happens when it is missing or damaged, and the data sets that are always there."""

import gzip
import hashlib
import os
import shutil
import socket
import threading
import warnings
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from torch.nn.functional import interpolate, normalize
from torchvision.datasets import MNIST

from aecourse import data

NAMES = list(data.digits.MNIST_MD5)
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
        self.folder, self.asked, self.timeouts, self.cut = folder, [], set(), False
        mirror = self

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_GET(self):
                mirror.asked.append(self.path)
                mirror.timeouts.add(socket.getdefaulttimeout())
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
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def cache(no_data, monkeypatch):
    """An empty cache folder, no $AECOURSE_DATA, small files in the place of MNIST's, and a dead network."""
    monkeypatch.setattr(
        data.digits, "MNIST_MD5", {name: hashlib.md5(content).hexdigest() for name, content in FILES.items()}
    )
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    return no_data


@pytest.fixture
def mirror(cache, tmp_path, monkeypatch):
    """A mirror that has good copies."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    resources = []
    for name, content in FILES.items():
        packed = gzip.compress(content, mtime=0)
        (folder / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    server = Mirror(folder)
    monkeypatch.setattr(MNIST, "mirrors", [server.url])
    monkeypatch.setattr(MNIST, "resources", resources)
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
    messages = [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]
    assert len(messages) == 1
    return dataset, messages[0]


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

    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    asked = len(mirror.asked)
    assert "cache" in load_silently().origin
    assert len(mirror.asked) == asked


def test_a_download_has_a_time_limit_that_ends_with_it(cache, mirror):
    before = socket.getdefaulttimeout()
    load_silently()
    assert None not in mirror.timeouts
    assert all(seconds > 0 for seconds in mirror.timeouts)
    assert socket.getdefaulttimeout() == before


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
    with pytest.raises(RuntimeError, match=r"found no MNIST in .*Set AECOURSE_DATA to a folder"):
        load_silently(fallback=False)


def test_an_unknown_name_is_an_error():
    with pytest.raises(ValueError, match=r"got the name 'cifar', expected 'mnist' or 'digits'"):
        data.load("cifar")


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
    with pytest.raises(RuntimeError, match="damaged MNIST files") as error:
        load_silently(fallback=fallback)
    assert [other for other in NAMES if str(raw / other) in str(error.value)] == [name]
    assert "put good ones in their place" in str(error.value)


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
    with pytest.warns(UserWarning, match="damaged MNIST files were passed over: .*good copy in the cache folder"):
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


def _wrong_bytes(mirror, monkeypatch):
    packed = gzip.compress(OTHER_FILES[NAMES[0]], mtime=0)
    (mirror.folder / f"{NAMES[0]}.gz").write_bytes(packed)


def _wrong_bytes_that_torchvision_accepts(mirror, monkeypatch):
    _wrong_bytes(mirror, monkeypatch)
    packed = (mirror.folder / f"{NAMES[0]}.gz").read_bytes()
    monkeypatch.setattr(MNIST, "resources", [(f"{NAMES[0]}.gz", hashlib.md5(packed).hexdigest()), *MNIST.resources[1:]])


def _cut_connections(mirror, monkeypatch):
    mirror.cut = True


def _one_file_missing(mirror, monkeypatch):
    (mirror.folder / f"{NAMES[3]}.gz").unlink()


def _a_page_instead_of_a_file(mirror, monkeypatch):
    (mirror.folder / f"{NAMES[2]}.gz").write_text("<html>Please log in to this network</html>")


@pytest.mark.parametrize(
    "fail",
    [
        _wrong_bytes,
        _wrong_bytes_that_torchvision_accepts,
        _cut_connections,
        _one_file_missing,
        _a_page_instead_of_a_file,
    ],
)
def test_what_a_failing_mirror_sends_is_refused_and_leaves_nothing_in_the_cache(cache, mirror, monkeypatch, fail):
    fail(mirror, monkeypatch)
    with pytest.raises(RuntimeError, match="could not be downloaded"):
        load_silently(fallback=False)
    assert mirror.asked
    assert files_in(cache) == []
    dataset, _ = load_with_one_warning()
    assert dataset.name == "digits"
    assert files_in(cache) == []


def test_a_failing_mirror_does_not_touch_a_damaged_copy(cache, mirror, monkeypatch):
    raw = write(cache)
    DAMAGE["truncated"](raw / NAMES[0])
    before = {path: path.read_bytes() for path in files_in(cache)}
    _wrong_bytes_that_torchvision_accepts(mirror, monkeypatch)
    with pytest.raises(RuntimeError, match=f"{NAMES[0]}.*no good copy could be downloaded"):
        load_silently()
    assert {path: path.read_bytes() for path in files_in(cache)} == before


def test_the_second_mirror_is_asked_where_the_first_is_dead(cache, mirror, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/", mirror.url])
    assert holds_small_mnist(load_silently())


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


@pytest.mark.parametrize("per_letter", [-1, 0, 4])
def test_too_few_letters_for_a_test_image_each_are_an_error(per_letter):
    with pytest.raises(ValueError, match=f"got per_letter={per_letter}, expected at least 5"):
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
        (torch.zeros(1, 14, 14), "got images of shape"),
        (torch.full((1, 28, 28), 255.0), "divide by 255"),
        (torch.zeros(1, 28, 28, dtype=torch.uint8), "dtype torch.uint8"),
        (torch.full((1, 28, 28), torch.nan), "NaN pixels"),
        (np.zeros((1, 28, 28), dtype=np.float32), "got ndarray"),
    ],
    ids=["two images", "no channel", "small", "0 to 255", "uint8", "NaN", "NumPy array"],
)
def test_what_is_not_one_image_cannot_be_turned(bad, message):
    with pytest.raises(ValueError, match=message):
        data.rotations(bad, [0])


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
