"""Source that is shown as it is, and claims that fail when they are wrong."""

import ast
import dataclasses
import inspect
import io
import math
import re
import sys
import textwrap
import tokenize

import pytest
import torch

import aecourse as ae

# What a chapter may show: the functions that measure and code, and a few models.
THINGS = [
    *(
        thing
        for module in (ae.evaluate, ae.coding)
        for name, thing in vars(module).items()
        if inspect.isfunction(thing) and not name.startswith("_")
    ),
    ae.models.VAE, ae.models.UNet, ae.models.PatchAutoencoder,
]  # fmt: skip


class Example:
    """A class with all that can stand in the way.

    Its docstring has several lines, and an empty one.
    """

    size = 3  # a comment that stays

    def shout(self, word):
        """Return it louder."""
        # The first comment follows a docstring.
        text = """no docstring,

        though it looks like one"""
        return f"{word} {text}"

    @property
    def name(self):
        """The name."""

        def inner():
            """Not even here."""
            return "example"

        return inner()


SHOWN = """class Example:
    size = 3  # a comment that stays

    def shout(self, word):
        # The first comment follows a docstring.
        text = \"\"\"no docstring,

        though it looks like one\"\"\"
        return f"{word} {text}"

    @property
    def name(self):
        def inner():
            return "example"

        return inner()"""


PART = {
    "of a line": lambda: 1,
}


def comments(source):
    return [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]


def documented(tree):
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef))
    return [node for node in nodes if ast.get_docstring(node) is not None and len(node.body) > 1]


def without_docstrings(source):
    """Another way to the same end: through the syntax tree, which forgets comments and blank lines."""
    tree = ast.parse(textwrap.dedent(source))
    for node in documented(tree):
        node.body = node.body[1:]
    return ast.dump(tree)


def test_a_class_is_shown_line_by_line_without_its_docstrings():
    assert ae.show(Example) == SHOWN


def test_a_method_is_shown_from_the_left_edge():
    assert ae.show(Example.shout) == textwrap.dedent("\n".join(SHOWN.splitlines()[3:9]))


def test_what_is_shown_of_the_package_is_the_program_without_its_docstrings_and_with_all_comments():
    assert len(THINGS) > 90
    for thing in THINGS:
        source, shown = textwrap.dedent(inspect.getsource(thing)), str(ae.show(thing))
        assert documented(ast.parse(shown)) == []
        assert ast.dump(ast.parse(shown)) == without_docstrings(source)
        assert comments(shown) == comments(source)


def test_a_docstring_that_is_all_there_is_stays():
    assert '"""A stack was popped when nothing was left on it."""' in ae.show(ae.coding.OutOfBits)


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (len, "got <built-in function len>, expected a class or function whose source lies in a file"),
        (5, "got 5, expected a class or function"),
        (torch.zeros(1000), "got tensor.*expected"),
        (ae.models.SparseAutoencoder.atoms, "show its function, .fget"),
        (eval("lambda: 1"), "got <function <lambda>"),
        (PART["of a line"], "got <function <lambda>"),
    ],
    ids=["a built-in function", "a number", "a tensor", "a property", "code from nowhere", "a part of a line"],
)
def test_what_has_no_source_of_its_own_is_an_error(thing, message):
    with pytest.raises(ValueError, match=message) as caught:
        ae.show(thing)
    assert len(str(caught.value)) < 200


def test_the_docstrings_of_a_class_and_its_methods_are_hidden():
    assert inspect.getsource(ae.models.DenseAutoencoder).count('"""') >= 8
    assert '"""' not in ae.show(ae.models.DenseAutoencoder)


def test_several_things_are_shown_one_after_the_other():
    both = ae.show(ae.losses.binary_cross_entropy, ae.losses.squared_error)
    assert [node.name for node in ast.parse(both).body] == ["binary_cross_entropy", "squared_error"]
    assert both == f"{ae.show(ae.losses.binary_cross_entropy)}\n\n{ae.show(ae.losses.squared_error)}"


def test_a_notebook_shows_highlighted_python_and_a_terminal_plain_text():
    shown = ae.show(ae.losses.squared_error)
    assert shown._repr_markdown_() == f"```python\n{shown}\n```"
    assert repr(shown) == str(shown)
    assert repr(shown).startswith("def squared_error(")


@pytest.mark.parametrize("value", [1.0, 1.5, 2.0, 2])
def test_a_claim_inside_its_bounds_passes_and_says_so(value):
    line = ae.claims(("bits per pixel", value, 1, 2))
    assert repr(line) == line
    assert line.startswith("✓ bits per pixel: ")
    assert f"{value:.4g}" in line
    assert "from 1 to 2" in line


@pytest.mark.parametrize("value", [0.999999, 2.000001, -1.5, math.inf, -math.inf, math.nan])
def test_a_claim_outside_its_bounds_or_without_a_number_fails(value):
    with pytest.raises(AssertionError, match=r"claim 'bits per pixel': got .* lies in \[1, 2\]"):
        ae.claims(("bits per pixel", value, 1, 2))


@pytest.mark.parametrize("value", [0.999999, -1.5, math.inf, math.nan])
def test_where_nobody_is_strict_a_claim_that_does_not_hold_is_told_and_the_chapter_goes_on(value, monkeypatch):
    monkeypatch.delenv("AECOURSE_STRICT")
    first, second, note = ae.claims(("bits per pixel", value, 1, 2), ("bytes", 3, 2, 4)).splitlines()
    assert first == f"✗ bits per pixel: {value:.4g} (the text says from 1 to 2)"
    assert second == "✓ bytes: 3 (the text holds from 2 to 4)"
    assert "Nothing is wrong with your notebook" in note
    monkeypatch.setenv("AECOURSE_STRICT", "1")
    with pytest.raises(AssertionError, match="bits per pixel"):
        ae.claims(("bits per pixel", value, 1, 2))


def test_what_is_exact_says_so():
    assert ae.claims(("weights", 80144, 80144, 80144)) == "✓ weights: 80,144 (the text holds for 80,144)"


def cells_of(html):
    return [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", html)]


@pytest.mark.parametrize(
    ("value", "low", "high", "dot"),
    [
        (0, 0, 1, 25),
        (0.5, 0, 1, 50),
        (1, 0, 1, 75),
        (1.2, 0, 1, 85),
        (8, 0, 1, 96),
        (-9, 0, 1, 4),
        (1, 1, 100, 25),  # between bounds of one sign half of the way is half of the factor
        (10, 1, 100, 50),
        (900, 1, 100, 96),
        (0, 1, 100, 24),  # where there is none, on the left
        (-10, -100, -1, 50),
        (-1, -100, -1, 75),
        (0, -100, -1, 76),
        (3, 3, 3, 50),
        (2, 3, 3, 4),
    ],
)
def test_a_notebook_shows_a_bar_with_a_dot_where_the_value_lies(value, low, high, dot, monkeypatch):
    monkeypatch.delenv("AECOURSE_STRICT")
    (row,) = cells_of(ae.claims(("a < b", value, low, high))._repr_html_())
    assert row[:3] == ["✓" if low <= value <= high else "✗", "a &lt; b", f"{value:.4g}"]
    assert f'<circle cx="{dot}"' in row[4]
    assert f'aria-label="{"in" if low <= value <= high else "out of"} range"' in row[4]


@pytest.mark.parametrize(("value", "high"), [(math.nan, 2), (1.5, math.inf)])
def test_what_no_bar_can_show_has_none(value, high, monkeypatch):
    monkeypatch.delenv("AECOURSE_STRICT")
    assert cells_of(ae.claims(("a", value, 1, high))._repr_html_())[0][4] == ""


def test_the_table_says_what_the_lines_say(digits, monkeypatch):
    monkeypatch.delenv("AECOURSE_STRICT")
    made = ae.claims(("a", 3, 0, 2), ("b", 5, 4, 6))
    for line, (mark, what, value, words, _) in zip(made.splitlines(), cells_of(made._repr_html_()), strict=False):
        assert line == f"{mark} {what}: {value} ({words})"
    assert made.splitlines()[-1] in made._repr_html_()
    good = ae.claims(("b", 5, 4, 6))._repr_html_()
    assert "<p>" not in good
    assert "in range" not in ae.claims(("b", 5, 4, 6), on=digits)._repr_html_()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.012345, "0.01235"),
        (999.96, "1000"),
        (1000, "1,000"),
        (-80144.4, "-80,144"),
        (1.5e9, "1.5e+09"),
        (12.3, "12.3"),
    ],
)
def test_numbers_are_said_as_people_write_them(value, said):
    assert ae.claims(("a", value, value, value)) == f"✓ a: {said} (the text holds for {said})"


@pytest.mark.parametrize(("number", "unfolded"), [(1, True), (6, True), (7, False), (20, False)])
def test_a_long_table_is_folded_under_a_line_that_says_whether_the_claims_hold(number, unfolded, monkeypatch, digits):
    monkeypatch.delenv("AECOURSE_STRICT")
    rows = [(str(each), each, each, each) for each in range(number)]
    page = ae.claims(*rows)._repr_html_()
    assert page.startswith(f'<details class="claims"{" open" * unfolded}>')
    assert f"<summary>✓ As the text says: {number} of {number} numbers</summary>" in page
    wrong = ae.claims(*rows, ("wrong", 3, 1, 2))._repr_html_()
    assert wrong.startswith('<details class="claims" open>')
    assert f"<summary>✗ As the text says: {number} of {number + 1} numbers</summary>" in wrong
    other = ae.claims(*rows, on=digits)._repr_html_()
    assert f"<summary>· Measured on other data than the text's: {number} of {number} numbers</summary>" in other


def test_a_claim_about_mnist_is_checked(digits):
    mnist = ae.data.Dataset("mnist", *[digits.test_images, digits.test_labels] * 2, "made for a test")
    assert ae.claims(("error", 1.5, 1, 2), on=mnist).startswith("✓")
    with pytest.raises(AssertionError, match="claim 'error'"):
        ae.claims(("error", 3, 1, 2), on=mnist)


@pytest.mark.parametrize("value", [1.5, 300.0, math.nan])
def test_a_claim_measured_on_the_digits_is_shown_but_neither_checked_nor_ticked(digits, value):
    line = ae.claims(("error", value, 1, 2), on=digits)
    assert line == f"· error: {value:.4g} on digits (the text speaks of MNIST)"


def test_several_claims_are_a_line_each_and_every_wrong_one_is_named():
    assert ae.claims(("a", 1, 0, 2), ("b", 5, 4, 6)).splitlines() == [
        ae.claims(("a", 1, 0, 2)),
        ae.claims(("b", 5, 4, 6)),
    ]
    with pytest.raises(AssertionError, match=r"(?s)claim 'a'.*claim 'c'") as error:
        ae.claims(("a", 3, 0, 2), ("b", 5, 4, 6), ("c", 0, 1, 2))
    assert "'b'" not in str(error.value)


def test_a_claim_about_a_weight_that_has_a_gradient_gives_no_warning(recwarn):
    ae.claims(("weight", torch.ones((), requires_grad=True), 0, 2))
    assert list(recwarn) == []


def test_a_claim_takes_what_torch_returns():
    assert "0.5" in ae.claims(("error", torch.tensor(0.5), 0, 1))


MADE_UP = ae.data.chorales.Chorales("made-up chorales", [], [], [], "made for a test")


@pytest.mark.parametrize("value", [1.5, 300.0, math.nan])
def test_a_claim_measured_on_made_up_chorales_is_shown_but_neither_checked_nor_ticked(value):
    line = ae.claims(("share", value, 1, 2), on=MADE_UP)
    assert line == f"· share: {value:.4g} on {MADE_UP.name} (the text speaks of Bach's)"


def test_a_claim_about_bachs_chorales_is_checked():
    bach = dataclasses.replace(MADE_UP, name="chorales")
    assert ae.claims(("share", 1.5, 1, 2), on=bach) == ae.claims(("share", 1.5, 1, 2))
    with pytest.raises(AssertionError, match="claim 'share'"):
        ae.claims(("share", 3, 1, 2), on=bach)


@pytest.mark.parametrize(
    ("value", "exact", "holds"),
    [
        (1.00009, 1, True),
        (1.00011, 1, False),
        (-0.00009, 0, True),
        (-0.00011, 0, False),
        (-2000.19, -2000, True),
        (-2000.21, -2000, False),
        (math.nan, 0, False),
    ],
)
def test_what_is_exact_holds_but_for_rounding(value, exact, holds, monkeypatch):
    monkeypatch.delenv("AECOURSE_STRICT")
    line = ae.claims(("a", value, exact)).splitlines()[0]
    assert line.startswith("✓" if holds else "✗")
    assert line.endswith(f"for {exact:,} exactly, but for rounding)")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", torch.zeros(3), 0, 1), r"claim 'a': got Tensor of shape \(3,\), expected one number"),
        (("a", torch.zeros(3).numpy(), 0, 1), r"claim 'a': got ndarray of shape \(3,\), expected one number"),
        (("a", None, 0, 1), "claim 'a': got NoneType, expected one number"),
        (("a", "0.5", 0, 1), "claim 'a': got str, expected one number"),
        (("a", 0.5, [0], 1), "claim 'a': got list, expected one number"),
        (("a", 0.5, 1, 0), "claim 'a': got bounds from 1 to 0, expected the lesser one first"),
        (("a", 0.5, math.nan, 1), "claim 'a': got bounds from nan to 1"),
        (("a", 0.5), r"got the claim \('a', 0.5\), expected \(what, value, low, high\), or \(what, value, exact\)"),
        (("a", 0.5, 0, 1, 2), r"got the claim \('a', 0.5, 0, 1, 2\), expected"),
        (("a", 0.5, None), "claim 'a': got NoneType, expected one number"),
        ((0.5, 0.5, 0, 1), r"got the claim \(0.5, 0.5, 0, 1\)"),
        ("a", "got the claim 'a', expected"),
    ],
)
def test_what_is_no_claim_is_an_error_that_says_so(row, message):
    with pytest.raises(ValueError, match=message):
        ae.claims(("fine", 0.5, 0, 1), row)


def test_a_claim_is_about_a_data_set_and_not_about_its_name():
    with pytest.raises(ValueError, match=r"got on='mnist', expected the data set measured"):
        ae.claims(("a", 0.5, 0, 1), on="mnist")


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("utf-8", "✓ KL(q‖p) − ½: 1.5 (the text holds from 1 to 2)"),
        ("cp1252", "OK KL(q?p) - ½: 1.5 (the text holds from 1 to 2)"),
        ("ascii", "OK KL(q?p) - ?: 1.5 (the text holds from 1 to 2)"),
    ],
)
def test_a_console_that_knows_no_tick_prints_claims_all_the_same(encoding, printed, monkeypatch):
    line, file = ae.claims(("KL(q‖p) − ½", 1.5, 1, 2)), io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(file, encoding=encoding))
    print(line)
    sys.stdout.flush()
    assert file.getvalue().decode(encoding).strip() == printed
    assert line.startswith("✓")  # the claims themselves are what they were


@pytest.mark.parametrize("text", [ae.show(ae.models.VAE.loss), ae.book.table()], ids=["source", "table"])
def test_a_notebook_shows_every_letter_whatever_the_console_can_print(text, monkeypatch):
    shown = text._repr_markdown_()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert text._repr_markdown_() == shown
    assert not shown.isascii()
    print(text)


@pytest.mark.parametrize("stdout", [None, io.StringIO()], ids=["no console", "one without an encoding"])
def test_where_there_is_no_console_every_letter_is_kept(stdout, monkeypatch):
    line = ae.claims(("KL(q‖p) − ½", 1.5, 1, 2))
    monkeypatch.setattr("sys.stdout", stdout)
    text = str(line)
    monkeypatch.undo()
    assert text == "✓ KL(q‖p) − ½: 1.5 (the text holds from 1 to 2)"


@pytest.mark.parametrize(("value", "dot"), [(1, 25), (2, 38), (3, 50), (4, 62), (5, 75), (-0.5, 6), (6.25, 91)])
def test_the_middle_half_of_a_bar_is_where_the_text_holds_however_wide_that_is(value, dot, monkeypatch):
    monkeypatch.delenv("AECOURSE_STRICT")
    for low, factor in ((-1, 1), (-40, 10), (-0.02, 0.01)):
        moved = low + factor * (value - 1)
        (row,) = cells_of(ae.claims(("a", moved, low, low + 4 * factor))._repr_html_())
        (found,) = re.findall(r'<circle cx="(\d+)"', row[4])
        assert abs(int(found) - dot) <= 1


@pytest.mark.parametrize(("value", "dot"), [(2.9, 4), (3, 50), (3.1, 96)])
def test_what_is_exact_lies_in_the_middle_of_a_bar_or_outside(value, dot, monkeypatch):
    monkeypatch.delenv("AECOURSE_STRICT")
    (row,) = cells_of(ae.claims(("a", value, 3, 3))._repr_html_())
    assert f'<circle cx="{dot}"' in row[4]


@pytest.mark.parametrize("row", ["abc", "abcd", (1, 2, 3)])
def test_a_text_of_three_letters_is_no_claim(row):
    with pytest.raises(ValueError, match=r"got the claim .*each claim in its own brackets"):
        ae.claims(row)


def test_a_claim_may_be_a_list():
    assert ae.claims(["a", 0.5, 0, 1]) == ae.claims(("a", 0.5, 0, 1))
