"""One rule for each kind of argument, and advice about images that, followed to the letter, mends them."""

import math
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from aecourse import checks

NO_NUMBERS = [True, False, "2", None, [2], 2 + 0j, Decimal(2), np.bool_(True), torch.tensor(2), torch.tensor([2.0])]
NOT_FINITE = [math.nan, math.inf, -math.inf, np.float64("nan"), np.float32("inf"), 10**400]

# Numbers


@pytest.mark.parametrize("value", [1, 7, np.int64(7), np.uint8(7), 2**63 - 1])
def test_whole_numbers_of_python_and_numpy_are_returned_as_ints(value):
    assert checks.whole("n", value) == value
    assert type(checks.whole("n", value)) is int


@pytest.mark.parametrize("value", [*NO_NUMBERS, *NOT_FINITE, 2.0, np.float64(2), Fraction(2), 0, -3, 2**63, 2**70])
def test_nothing_else_is_a_whole_number(value):
    with pytest.raises(ValueError, match=r"got n=.*, expected a whole number of at least 1"):
        checks.whole("n", value)


@pytest.mark.parametrize(("value", "fits"), [(1, False), (2, True), (5, True), (6, False)])
def test_a_whole_number_may_be_bounded_on_both_sides_bounds_included(value, fits):
    if fits:
        assert checks.whole("n", value, 2, 5) == value
    else:
        with pytest.raises(ValueError, match=f"got n={value}, expected a whole number from 2 to 5"):
            checks.whole("n", value, 2, 5)


def test_an_upper_bound_of_0_is_a_bound():
    assert checks.whole("n", 0, 0, 0) == 0
    with pytest.raises(ValueError, match="from 0 to 0"):
        checks.whole("n", 1, 0, 0)


@pytest.mark.parametrize("value", [0, 3, 2.5, np.int64(3), np.float32(0.5), Fraction(1, 2), 2**70])
def test_finite_numbers_are_returned_as_floats(value):
    assert checks.real("x", value) == float(value)
    assert type(checks.real("x", value)) is float


@pytest.mark.parametrize("value", [*NO_NUMBERS, *NOT_FINITE, -1e-9])
def test_nothing_else_is_a_finite_number_of_at_least_0(value):
    with pytest.raises(ValueError, match=r"got x=.*, expected a finite number of at least 0$"):
        checks.real("x", value)


@pytest.mark.parametrize(
    ("bounds", "good", "bad", "expected"),
    [
        ({"low": 0, "high": 1}, (0, 0.3, 1), (-0.1, 1.1), "of at least 0 and at most 1"),
        ({"above": True}, (1e-30, 2), (0, -1), "above 0"),
        ({"low": -math.inf}, (-5, 0, 5), (math.nan, -math.inf), "a finite number"),
        ({"low": -math.inf, "high": 2}, (-5, 2), (3,), "a finite number at most 2"),
    ],
)
def test_the_bounds_of_a_real_number_are_kept_and_named(bounds, good, bad, expected):
    assert [checks.real("x", value, **bounds) for value in good] == list(good)
    for value in bad:
        with pytest.raises(ValueError, match=f"{expected}$"):
            checks.real("x", value, **bounds)


@pytest.mark.parametrize("values", [(784, 2), [784, 2], np.array([784, 2]), iter((784, 2)), (np.int64(784), 2)])
def test_lists_of_sizes_become_tuples_of_ints(values):
    sizes = checks.wholes("widths", values, 2)
    assert sizes == (784, 2)
    assert {type(size) for size in sizes} == {int}


@pytest.mark.parametrize(
    "values", [(), (784,), (784, 0), (784, 2.0), (784, True), "784", 784, None, torch.tensor([784, 2]), (784, 2**70)]
)
def test_what_are_no_sizes_is_an_error(values):
    with pytest.raises(ValueError, match=r"got widths .*, expected at least two whole numbers above 0, pixels first"):
        checks.wholes("widths", values, 2, "pixels first")


@pytest.mark.parametrize(("fewest", "words"), [(1, "one whole number"), (2, "two whole numbers"), (3, "three whole")])
def test_as_many_sizes_as_wanted_are_enough_and_one_less_is_not(fewest, words):
    assert checks.wholes("n", range(1, fewest + 1), fewest) == tuple(range(1, fewest + 1))
    with pytest.raises(ValueError, match=f"expected at least {words}"):
        checks.wholes("n", range(1, fewest), fewest)


@pytest.mark.parametrize("shape", [(28, 28), (1, 0, 28), 28, (1, 28, 28, 1), "123", (1, 2.0, 3), None])
def test_the_shape_of_an_image_is_three_whole_numbers(shape):
    assert checks.image_shape([3, np.int64(4), 5]) == (3, 4, 5)
    with pytest.raises(
        ValueError, match=r"got image_shape .*, expected .*three whole numbers.*channels, height and width"
    ):
        checks.image_shape(shape)


@pytest.mark.parametrize("value", [0, 3, 2**63 - 1])
def test_a_seed_is_any_whole_number_that_torch_takes(value):
    assert torch.Generator().manual_seed(checks.seed(value)).initial_seed() == value


@pytest.mark.parametrize("value", [-1, 2**63, 2**70, 1.0, True, None, "0", torch.tensor(1)])
def test_what_is_no_seed_is_an_error(value):
    with pytest.raises(ValueError, match=r"got seed=.*, expected a whole number of at least 0"):
        checks.seed(value)


def test_a_number_that_is_too_large_for_torch_is_told_so():
    with pytest.raises(ValueError, match=r"of at least 0 and below 2\*\*63$"):
        checks.seed(2**63)


# Tensors


def test_shapes_that_differ_are_named():
    checks.same_shape(torch.zeros(2, 3), torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"got sizes \(2, 3\) and \(2, 1, 3\), expected two equal ones"):
        checks.same_shape(torch.zeros(2, 3), torch.zeros(2, 1, 3), "sizes")
    for pair in ((np.zeros(2), torch.zeros(2)), (torch.zeros(2), [0, 0])):
        with pytest.raises(ValueError, match=r"got (ndarray|list), expected a tensor; use torch.as_tensor"):
            checks.same_shape(*pair)


# Images: what goes wrong, alone and together, and the picture that must be left when the advice has been followed

LAYOUTS = {
    "as it should be": lambda x: x,
    "colours last": lambda x: x.permute(0, 2, 3, 1),
    "flat rows": lambda x: x.flatten(1),
    "no channel": lambda x: x[:, 0],
    "one image": lambda x: x[0],
    "one image, colours last": lambda x: x[0].permute(1, 2, 0),
    "one image, no channel": lambda x: x[0, 0],
    "one image, flat": lambda x: x[0].flatten(),
}
VALUES = {
    "0 to 1": lambda x: x,
    "0 to 255": lambda x: x * 255,
    "float64": lambda x: x.double(),
    "float64, 0 to 255": lambda x: (x * 255).double(),
    "float16": lambda x: (x * 255).round().half(),
    "uint8": lambda x: (x * 255).round().to(torch.uint8),
    "int64": lambda x: (x * 255).round().long(),
}


def pictures(shape, count):
    """Images of grey levels from 2 to 255, neighbours all different, so that an exchange is seen."""
    numbers = torch.arange(count * math.prod(shape)) * 37 % 254 + 2
    return numbers.view(count, *shape) / 255


def readings(given, shape):
    """Return as what a tensor of shape `given` can be read: the layouts that lead to it, for some number of images."""
    found = {name: tuple(layout(torch.empty(99, *shape)).shape) for name, layout in LAYOUTS.items()}
    return [
        name
        for name, pattern in found.items()
        if len(pattern) == len(given) and all(a in (b, 99) for a, b in zip(pattern, given, strict=True))
    ]


@given(
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    layout=st.sampled_from(list(LAYOUTS)),
    values=st.sampled_from(list(VALUES)),
    count=st.integers(1, 9),
)
@example(shape=(3, 48, 48), layout="colours last", values="uint8", count=2)
@example(shape=(3, 48, 48), layout="one image, colours last", values="uint8", count=1)
@example(shape=(3, 28, 28), layout="no channel", values="0 to 1", count=6)
@example(shape=(1, 28, 28), layout="flat rows", values="int64", count=3)
@example(shape=(1, 28, 28), layout="one image, no channel", values="0 to 255", count=1)
def test_whoever_follows_the_advice_gets_accepted_images_and_every_picture_as_it_was(shape, layout, values, count):
    wanted = pictures(shape, count)
    handed_in = VALUES[values](LAYOUTS[layout](wanted))
    assume(readings(handed_in.shape, shape) == [layout])  # else nobody can tell what it was
    if (layout, values) == ("as it should be", "0 to 1"):
        assert checks.images(handed_in, shape) is handed_in
        return
    with pytest.raises(ValueError, match=r"^got .*expected a float32 tensor of shape \(N, .*; ") as error:
        checks.images(handed_in, shape)
    advice = re.search(r": (images\S*( / 255)?)$", re.sub(r"(?<=,) ", "", str(error.value)))
    if shape[0] > 1 and "no channel" in layout:
        assert advice is None  # a reshape would run, and make one picture of several
        return
    mended = eval(advice[1], {"images": handed_in})
    assert checks.images(mended, shape) is mended
    torch.testing.assert_close(mended, wanted[: len(mended)], rtol=0, atol=1e-6)
    assert len(mended) == (1 if layout.startswith("one") else count)


def test_images_may_be_vectors():
    x = torch.rand(5, 6)
    assert checks.images(x, (6,)) is x
    with pytest.raises(ValueError, match=r"; add a batch dimension: images\[None\]$"):
        checks.images(x[0], (6,))
    with pytest.raises(ValueError, match="; crop or resize them first"):
        checks.images(x, (3,))


GREY = torch.full((2, 3, 4, 5), 0.5)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (GREY * 255, "got pixel values from 127.5 to 127.5, expected .*; divide by 255: images / 255$"),
        (GREY * 2.4, "got pixel values from 1.2 to 1.2, expected .*; rescale or clamp them$"),
        (GREY - 1, "got pixel values from -0.5 to -0.5, expected .*; rescale or clamp them$"),
        (GREY * 1000, "got pixel values from 500 to 500, expected .*; rescale or clamp them$"),
        (GREY / 0, "got pixel values from inf to inf, expected .*; rescale or clamp them$"),
        (GREY.double() - 1, "dtype torch.float64 with pixel .*; call .float\\(\\) first, rescale or clamp them$"),
        ((GREY > 0).to(torch.uint8), r"; call .float\(\) first: images.float\(\)$"),  # a mask of 0 and 1 stays one
        (GREY > 0, r"dtype torch.bool, .*: images.float\(\)$"),
        (GREY * math.nan, "got NaN pixels in 2 of 2 images, expected .*; drop or repair them$"),
        (
            GREY[:, :1],
            r"got images of shape \(2, 1, 4, 5\), .*; they have 1 channels and not 3: choose some, or average",
        ),
        (GREY.mT, r"got images of shape \(2, 3, 5, 4\), .*; crop or resize them first"),
        (GREY[:0], r"got no images \(shape \(0, 3, 4, 5\)\), .* and N of at least 1$"),
        (GREY[0, 0, 0, 0], r"got images of shape \(\), .*; crop or resize"),
        (GREY.numpy(), "got ndarray, expected a float32 tensor of .*; use torch.as_tensor"),
        (
            (GREY * 255).to(torch.uint8).permute(0, 2, 3, 1),
            r"got images of dtype torch.uint8 and shape \(2, 4, 5, 3\) with pixel values from 127 to 127, "
            r"expected a float32 tensor of shape \(N, 3, 4, 5\) with values in \[0, 1\]; "
            r"call .float\(\) first, their colours stand last, divide by 255: "
            r"images.float\(\).permute\(0, 3, 1, 2\) / 255$",
        ),
    ],
)
def test_a_message_says_all_that_is_wrong_and_advises_nothing_that_hides_it(images, message):
    with pytest.raises(ValueError, match=message):
        checks.images(images, (3, 4, 5))


def test_flat_rows_of_colour_images_are_reshaped_on_one_condition():
    with pytest.raises(
        ValueError, match=r"; if each row holds all of its first colour, then all of the next: images.resh"
    ):
        checks.images(GREY.flatten(1), (3, 4, 5))
    with pytest.raises(ValueError, match=r"; reshape them: images.reshape\(-1, 1, 4, 5\)$"):
        checks.images(GREY[:, 0].flatten(1), (1, 4, 5))


def test_without_a_shape_any_is_accepted_but_that_of_a_number():
    for shape in ((2,), (2, 3), (2, 3, 4, 5, 6)):
        x = torch.rand(shape)
        assert checks.images(x, None) is x
        with pytest.raises(ValueError, match=r"expected a float32 tensor of shape \(N, …\)"):
            checks.images(x + 3, None)
    with pytest.raises(ValueError, match=r"got images of shape \(\)"):
        checks.images(torch.tensor(0.5), None)


def test_other_pictures_than_images_are_called_by_their_name():
    for bad, message in (
        (GREY * 255, "got pixel values from .*: clean / 255$"),
        (GREY[0], r"got clean of shape .*: clean\[None\]$"),
        (GREY * math.nan, "got NaN pixels in 2 of 2 clean"),
        ([], "got list as clean"),
    ):
        with pytest.raises(ValueError, match=message):
            checks.images(bad, (3, 4, 5), "clean")


# What comes with images


def test_a_loss_of_one_or_of_two_tensors_is_given_so_many():
    one, two = torch.zeros(2), torch.ones(2)
    assert checks.alone((one,), "images") is one
    assert checks.pair((one, two), "(images, labels)") == (one, two)
    with pytest.raises(ValueError, match=r"got 2 tensors, expected images alone.*; fit\(model, images\)"):
        checks.alone((one, two), "images")
    with pytest.raises(ValueError, match=r"got no images \(shape \(0, 3\)\)"):
        checks.alone((torch.zeros(0, 3),), "images")
    with pytest.raises(ValueError, match=r"got one tensor, expected two.*; fit\(model, \(images, labels\)\)"):
        checks.pair((one,), "(images, labels)")
    with pytest.raises(ValueError, match="got 3 tensors, expected two"):
        checks.pair((one, two, one), "(images, labels)")


def test_labels_are_one_whole_number_for_each_row_below_the_number_of_classes():
    labels = torch.tensor([0, 4, 2])
    assert checks.labels(labels, 3, 5) is labels
    for bad, message in (
        (labels.int(), r"dtype torch.int32 .*call .long\(\)"),
        (labels, "labels from 0 to 4, expected one label from 0 to 3"),
        (labels - 1, "labels from -1 to 3"),
        (labels[:2], r"shape \(2,\).*for each of 3 rows"),
        ([0, 1, 2], "got list as labels"),
    ):
        with pytest.raises(ValueError, match=message):
            checks.labels(bad, 3, 4)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([0.0], "got list, expected a tensor of float32 codes"),
        (torch.zeros(3, 2).double(), r"dtype torch.float64, .*call .float\(\) first"),
        (
            torch.zeros(3, 4),
            r"shape \(3, 4\), expected float32 codes of shape \(N, 2\); this model's code has 2 numbers",
        ),
        (torch.zeros(2), r"add a batch dimension with codes\[None\]"),
        (torch.full((1, 2), math.nan), "NaN or infinity"),
        (torch.full((1, 2), -math.inf), "NaN or infinity"),
    ],
)
def test_what_are_no_codes_is_an_error_that_says_what_to_do(codes, message):
    good = torch.zeros(3, 2)
    assert checks.codes(good, 2) is good
    with pytest.raises(ValueError, match=message):
        checks.codes(codes, 2)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2], "use torch.as_tensor(…)"),
        (np.zeros(3), "use torch.as_tensor(…)"),
        (3.0, "use torch.as_tensor(…)"),
        (TensorDataset(torch.zeros(3)), "torch.stack([image for image, label in dataset]) makes one tensor"),
        (DataLoader(TensorDataset(torch.zeros(3))), "torch.stack([image for image, label in loader.dataset])"),
    ],
)
def test_what_is_no_tensor_is_told_how_it_becomes_one(value, words):
    assert words in checks.to_tensor(value)
    for check in (checks.images, checks.tensors, lambda each: checks.same_shape(each, torch.zeros(3))):
        with pytest.raises(ValueError, match="expected") as error:
            check(value)
        assert words in str(error.value) or isinstance(value, list)


# Both sides of every bound, and what is said there


@pytest.mark.parametrize("value", [0, -3, 2.0, "2", True, None])
def test_only_of_a_number_that_is_too_large_is_it_said_how_large_one_may_be(value):
    with pytest.raises(ValueError, match=r"expected a whole number of at least 1$"):
        checks.whole("n", value)


def test_one_size_is_enough_unless_told_otherwise_and_none_is_not():
    assert checks.wholes("widths", [5]) == (5,)
    with pytest.raises(ValueError, match="expected at least one whole number above 0"):
        checks.wholes("widths", [])


@pytest.mark.parametrize(
    ("value", "there", "expected"),
    [
        ("auto", 2, "cuda:1"),
        ("cuda", 2, "cuda:1"),  # the current one
        ("cuda:0", 2, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
        ("cuda:2", 2, "finds 2 CUDA devices"),
        ("cuda:0", 1, "cuda:0"),
        ("cuda:1", 1, "finds 1 CUDA devices"),
        ("cuda", 0, "finds 0 CUDA devices"),
        ("cuda:0", 0, "finds 0 CUDA devices"),
        ("auto", 0, "cpu"),
        ("cpu", 2, "cpu"),
    ],
)
def test_a_gpu_is_found_where_there_is_one(value, there, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there or 7)  # what a broken driver says is not asked
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    if expected.startswith("finds"):
        with pytest.raises(ValueError, match=expected):
            checks.device(value)
    else:
        assert checks.device(value) == torch.device(expected)


def test_images_are_those_of_mnist_unless_told_otherwise():
    images = torch.rand(2, 1, 28, 28)
    assert checks.images(images) is images
    with pytest.raises(ValueError, match=r"expected a float32 tensor of shape \(N, 1, 28, 28\)"):
        checks.images(images[..., 1:])


def test_an_image_of_one_pixel_is_one_and_a_shape_may_be_a_list():
    for images, shape in ((torch.ones(1, 1, 1, 1), (1, 1, 1)), (torch.zeros(2, 3, 4, 5), [3, 4, 5])):
        assert checks.images(images, shape) is images


def test_pictures_with_a_nan_are_counted_and_not_their_pixels():
    images = torch.rand(5, 3, 4, 6)
    images[1, 0, 2, 3] = images[1, 2, 0, 0] = images[4, 1, 1, 1] = math.nan
    with pytest.raises(ValueError, match="got NaN pixels in 2 of 5 images"):
        checks.images(images, (3, 4, 6))


@pytest.mark.parametrize(
    ("ends", "advice"),
    [
        ((0, 255), "divide by 255"),
        ((0, 2), "divide by 255"),
        ((0, 256), "rescale or clamp them"),
        ((0, 1.5), "rescale or clamp them"),
        ((-1, 100), "rescale or clamp them"),
        ((-1, 0.5), "rescale or clamp them"),
    ],
)
def test_only_what_can_be_grey_levels_is_to_be_divided_by_255(ends, advice):
    images = torch.linspace(*ends, 60).reshape(1, 3, 4, 5)
    with pytest.raises(ValueError, match=f"; {advice}(: images / 255)?$"):
        checks.images(images, (3, 4, 5))


def test_black_and_white_of_another_type_is_on_the_right_scale():
    for dtype in (torch.float64, torch.uint8, torch.bool):
        images = (torch.arange(60) % 2).to(dtype).reshape(1, 3, 4, 5)
        with pytest.raises(ValueError, match=r"got images of dtype \S+, expected .*; call .float\(\) first: images.f"):
            checks.images(images, (3, 4, 5))


@pytest.mark.parametrize(
    ("given", "shape", "advice"),
    [
        ((5,), (1,), "crop or resize them first"),
        ((2, 20), (4, 5), r"reshape them: images.reshape\(-1, 4, 5\)$"),
        ((2, 40), (2, 4, 5), "if each row holds all of its first colour"),
        ((2, 20), (1, 4, 5), "reshape them"),
    ],
)
def test_what_is_advised_depends_on_what_an_image_is(given, shape, advice):
    with pytest.raises(ValueError, match=f"; {advice}"):
        checks.images(torch.rand(given), shape)


@pytest.mark.parametrize(
    ("codes", "latent_dim", "message"),
    [
        (torch.zeros(3, 5), None, None),
        (torch.zeros(1, 2), 2, None),
        (torch.zeros(5), None, "add a batch dimension"),
        (torch.zeros(2, 3, 4), None, "flatten them$"),
        (torch.zeros(3), 2, "this model's code has 2 numbers per image$"),
        (torch.zeros(2, 4), 2, "this model's code has 2 numbers per image$"),
        (torch.zeros(2, 2, 2), 2, "this model's code has 2 numbers per image$"),
        (torch.zeros(2, 3, 4), 2, "this model's code has 2 numbers per image$"),
        (torch.tensor([[0.0, math.nan], [0.0, 0.0]]), 2, "NaN or infinity"),
    ],
)
def test_codes_are_rows_of_as_many_numbers_as_the_model_has_or_of_any(codes, latent_dim, message):
    if message is None:
        assert checks.codes(codes, latent_dim) is codes
    else:
        with pytest.raises(ValueError, match=message):
            checks.codes(codes, latent_dim)


def test_what_is_alone_may_be_one_number_and_what_is_no_tensor_is_left_to_the_next_check():
    one, no_tensor = torch.zeros(1), [0.5]
    assert checks.alone((one,), "images") is one
    assert checks.alone((no_tensor,), "images") is no_tensor


def test_labels_of_no_rows_are_labels_and_one_label_must_be_repeated():
    nothing = torch.zeros(0, dtype=torch.int64)
    assert checks.labels(nothing, 0, 4) is nothing
    with pytest.raises(ValueError, match=r"; to give all rows one label, use torch.full\(\(N,\), label\)$"):
        checks.labels(torch.tensor(2), 3, 4)
    with pytest.raises(ValueError, match="got labels from 1 to 4, expected one label from 0 to 3"):
        checks.labels(torch.tensor([1, 4, 2]), 3, 4)


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (torch.tensor([[0, 7, 3], [1, 2, 3]]), None),
        (torch.zeros(0, 3, dtype=torch.int64), None),
        ([[0, 7, 3]], "got list, expected int64 symbols"),
        (torch.zeros(2, 3), r"got symbols of dtype torch.float32.*\.long\(\)"),
        (torch.tensor([0, 7, 3]), r"add a batch dimension with symbols\[None\]$"),
        (torch.tensor([[0, 7]]), "see model.positions$"),
        (torch.zeros(3, 3, 3, dtype=torch.int64), "see model.positions$"),
        (torch.tensor([[0, 8, 3]]), "got symbols from 0 to 8, expected .* from 0 to 7"),
        (torch.tensor([[-1, 7, 3]]), "got symbols from -1 to 7"),
    ],
)
def test_symbols_are_whole_numbers_below_the_size_of_the_codebook(symbols, message):
    if message is None:
        assert checks.symbols(symbols, 3, 8) is symbols
    else:
        with pytest.raises(ValueError, match=message):
            checks.symbols(symbols, 3, 8)


@pytest.mark.parametrize(("shape", "dims"), [("(N,)", 1), ("(N, k)", 2), ("(N, C, H, W)", 4), (None, None)])
def test_numbers_have_as_many_dimensions_as_are_named(shape, dims):
    for count in range(6):
        values = torch.ones((2,) * count)
        if dims is None or count == dims:
            assert checks.numbers("codes", values, shape) is values
        else:
            with pytest.raises(ValueError, match=r"got codes of shape \(.*\), expected codes of shape \(N"):
                checks.numbers("codes", values, shape)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (torch.ones(1), None),
        ([1.0], "got list as codes, expected finite floating-point codes"),
        (torch.ones(2, dtype=torch.uint8), r"use .float\(\) / 255$"),
        (torch.ones(2, dtype=torch.int64), r"call .float\(\)$"),
        (torch.ones(0, 3), r"got codes of shape \(0, 3\)"),
        (torch.tensor([1.0, math.nan, 2.0]), "got codes with NaN or infinity"),
    ],
)
def test_numbers_are_finite_and_at_least_one(values, message):
    if message is None:
        assert checks.numbers("codes", values) is values
    else:
        with pytest.raises(ValueError, match=message):
            checks.numbers("codes", values)


@pytest.mark.parametrize(
    ("ends", "fits"),
    [((0.0, 1.0), True), ((0.0, 2.0), True), ((0.0, 2.01), False), ((0.5, 200.0), False), ((-0.1, 3.0), True)],
)
def test_grey_levels_may_leave_their_range_a_little_or_to_both_sides(ends, fits):
    images = torch.tensor(ends, requires_grad=True)
    if fits:
        assert checks.grey("images", images) is images
    else:
        with pytest.raises(ValueError, match=rf"got images from {ends[0]:g} to {ends[1]:g}, .*; divide by 255"):
            checks.grey("images", images)
