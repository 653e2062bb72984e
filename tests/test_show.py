"""Source that is shown as it is, and claims that fail when they are wrong."""

import ast
import inspect
import io
import math
import textwrap
import tokenize

import pytest
import torch

import aecourse as ae

MODULES = [
    ae.checkpoint, ae.coding, ae.data, ae.evaluate, ae.losses, ae.plots, ae.training,
    ae.models.base, ae.models.dense, ae.models.classifier, inspect.getmodule(ae.show),
]  # fmt: skip
THINGS = {
    f"{module.__name__}.{name}": thing
    for module in MODULES
    for name, thing in vars(module).items()
    if (inspect.isclass(thing) or inspect.isfunction(thing)) and inspect.unwrap(thing).__module__ == module.__name__
}
THINGS["a method"] = ae.models.DenseAutoencoder.encode


def comments(source):
    return [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]


def documented(tree):
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef))
    return [node for node in nodes if ast.get_docstring(node) is not None]


def without_docstrings(source):
    """Another way to the same end: through the syntax tree, which forgets comments and blank lines."""
    tree = ast.parse(textwrap.dedent(source))
    for node in documented(tree):
        node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


@pytest.mark.parametrize("name", THINGS)
def test_what_is_shown_is_the_program_without_its_docstrings(name):
    source, shown = inspect.getsource(THINGS[name]), ae.show(THINGS[name])
    assert documented(ast.parse(shown)) == []
    assert ast.dump(ast.parse(shown)) == without_docstrings(source)


@pytest.mark.parametrize("name", THINGS)
def test_every_line_shown_is_a_line_of_the_source_in_the_same_order_with_all_comments(name):
    source = textwrap.dedent(inspect.getsource(THINGS[name]))
    shown = str(ae.show(THINGS[name]))
    remaining = iter(source.splitlines())
    assert all(line in remaining for line in shown.splitlines())  # `in` moves the iterator on
    assert comments(shown) == comments(source)


def test_the_docstrings_of_a_class_and_its_methods_are_hidden():
    assert inspect.getsource(ae.models.DenseAutoencoder).count('"""') >= 8
    assert '"""' not in ae.show(ae.models.DenseAutoencoder)


def test_several_things_are_shown_one_after_the_other():
    both = ae.show(ae.losses.binary_cross_entropy, ae.losses.squared_error)
    assert [node.name for node in ast.parse(both).body] == ["cross_entropy", "squared_error"]
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
