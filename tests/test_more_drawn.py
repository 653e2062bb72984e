"""Letters: what turns, shears and thickens them, and by how much; drawn with an I, which is a rectangle."""

import math

import pytest
import torch

from aecourse.data import drawn


class Told:
    """Stands in for NumPy's generator: it says what it is told to say, and keeps what it was asked."""

    def __init__(self, turn=0.0, shear=0.0, thickness=0.0):
        self.answers, self.asked = [turn, shear, thickness], []

    def uniform(self, low, high):
        self.asked.append((low, high))
        return self.answers.pop(0)


def letter(name="I", **told):
    return drawn._draw_letter(name, Told(**told))[0]


def test_a_letter_is_turned_sheared_and_thickened_slightly_and_to_both_sides():
    random = Told()
    drawn._draw_letter("A", random)
    assert random.asked == [(-12, 12), (-0.25, 0.25), (0, 1.5)]


def test_a_letter_that_nothing_changes_is_18_pixels_high_in_the_middle_of_its_image():
    image = letter()
    rows, columns = image.sum(1), image.sum(0)
    assert rows.nonzero().flatten().tolist() == list(range(5, 23))
    assert torch.equal(rows, rows.flip(0))
    torch.testing.assert_close(columns, columns.flip(0), atol=0.02, rtol=0)
    assert (image[5:23, 13:15] == 1).all()


def test_a_letter_wider_than_high_is_18_pixels_wide():
    image = letter("W")
    columns, rows = image.sum(0).nonzero().flatten().tolist(), image.sum(1).nonzero().flatten().tolist()
    assert columns == list(range(5, 23))
    assert rows[0] > 5
    assert rows[0] + rows[-1] == 27


def test_a_letter_turned_by_a_quarter_lies():
    torch.testing.assert_close(letter(turn=90.0), letter().T, atol=0.02, rtol=0)


@pytest.mark.parametrize("shear", [-0.25, 0.1, 0.25])
def test_a_sheared_letter_leans_to_the_right_by_the_tangent(shear):
    image = letter(shear=shear)[6:22]  # whole rows only
    middle = (image * torch.arange(28)).sum(1) / image.sum(1)
    slope = (middle[0] - middle[-1]) / 15
    assert slope.item() == pytest.approx(math.tan(shear), abs=0.02)
