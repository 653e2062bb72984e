"""The checks of the exercises accept right answers however they are written, and give wrong ones the hint that fits."""

import asyncio
import contextlib
import functools
import importlib
import itertools
import json
import math
import signal
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tqdm.auto import tqdm

import aecourse as ae
from aecourse.exercises import QUESTIONS, chapter12, chapter16, checking

BANKS = [importlib.import_module(f"answers.answers{n}") for n in range(1, len(ae.exercises.CHAPTERS) + 1)]
RIGHT = {name: answers for bank in BANKS for name, answers in bank.RIGHT.items()}
WRONG = {name: answers for bank in BANKS for name, answers in bank.WRONG.items()}
NAMES = list(QUESTIONS)


def cases(name, seed=0):
    return [tuple(case) for case in QUESTIONS[name].cases(torch.Generator().manual_seed(seed))]


def numbered(bank):
    """Return the answers, each with two seeds, the notebooks' own and one that its neighbours do not have."""
    return [
        pytest.param(name, answer, (0, 1 + number % 4), id=f"{name}-{number}")
        for name in bank
        for number, answer in enumerate(bank[name])
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_question_has_at_least_three_right_and_five_wrong_answers(name):
    assert len(RIGHT[name]) >= 3
    assert len(WRONG[name]) >= 5


def test_there_are_no_answers_to_what_nobody_asks():
    assert set(RIGHT) == set(WRONG) == set(NAMES)


@pytest.mark.parametrize(("name", "answer", "seeds"), numbered(RIGHT))
def test_a_right_answer_is_accepted_on_any_cases(name, answer, seeds):
    for seed in seeds:
        verdict = ae.exercises.check(name, answer, seed=seed)
        assert verdict.right, verdict
        assert repr(verdict).startswith(f"✓ {name}: right, on all ")


@pytest.mark.parametrize(("name", "answer", "seeds"), numbered(WRONG))
def test_a_wrong_answer_is_refused_with_the_hint_that_fits(name, answer, seeds):
    function, hint = answer
    for seed in seeds:
        verdict = ae.exercises.check(name, function, seed=seed)
        assert not verdict.right
        assert hint in verdict.message, verdict


@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_of_a_question_is_made_by_a_wrong_answer_and_told_from_the_others(name):
    question = QUESTIONS[name]
    for mistake, hint in question.mistakes:
        found = ae.exercises.check(name, mistake)
        assert found.message.startswith(hint), f"expected {hint!r}, got {found!r}"
        assert any(fragment in hint for _, fragment in WRONG[name]), f"no wrong answer gets the hint: {hint}"


@pytest.mark.parametrize("name", NAMES)
def test_what_goes_wrong_with_any_question_is_said(name):
    question = QUESTIONS[name]
    first = question.reference(*cases(name)[0])

    def not_a_number(*args):
        return torch.as_tensor(checking._array(question.reference(*args))) * math.nan

    def raises(*args):
        return undefined_name  # noqa: F821

    def constant(*args):
        return first

    by_heart = itertools.cycle([first, *(0 for _ in cases(name)[1:])])
    assert "nothing here yet" in ae.exercises.check(name, lambda *args: None).message
    assert "nothing here yet" in ae.exercises.check(name, None).message
    assert not ae.exercises.check(name, None).right
    assert "no function" in ae.exercises.check(name, 3.0).message
    raised = ae.exercises.check(name, raises).message
    assert "raised NameError" in raised
    assert "return undefined_name" in raised
    assert not ae.exercises.check(name, constant).right
    assert not ae.exercises.check(name, lambda *args: next(by_heart)).right
    assert not ae.exercises.check(name, lambda *args: torch.zeros(17, 3)).right
    assert not ae.exercises.check(name, lambda: 0).right
    if checking._shape(first) is not None:
        verdict = ae.exercises.check(name, not_a_number)
        assert not verdict.right
        assert "NaN" in verdict.message or "0 · log 0" in verdict.message


@pytest.mark.parametrize("name", NAMES)
def test_cases_vary_with_the_seed_and_only_with_it(name):
    assert checking._same(cases(name, 1), cases(name, 1), 0.0)
    assert not checking._same(cases(name, 1), cases(name, 2), 0.0)
    assert len(cases(name)) >= 3


def never_ends(*args):
    while True:
        pass


def holds_on(*args):
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.01)


@pytest.mark.parametrize("answer", [never_ends, holds_on])
def test_code_that_never_ends_is_stopped_with_a_message(answer):
    verdict = checking.check_answer(QUESTIONS["entropy"], answer, seconds=0.5)
    assert verdict.message.startswith("did not end in time: does a loop never stop?")


def test_the_time_limit_leaves_no_alarm_behind():
    checking.check_answer(QUESTIONS["entropy"], never_ends, seconds=0.2)
    time.sleep(0.5)


def test_a_changed_input_is_told_by_name():
    def greedy(p):
        p[0] = 0.0
        return 1.0

    assert "changes its input `p`" in ae.exercises.check("entropy", greedy).message


def test_a_mistake_that_one_case_rules_out_is_not_made_on_the_others():
    made = []

    def adds_one(x):
        made.append(x)
        return x + 1.0

    question = checking.Question("same(x)", lambda random: [(1.0,), (2.0,), (3.0,)], lambda x: x)
    question = question.with_mistakes(adds_one, "you add 1", lambda x: 2 * x, "you double")
    assert checking.check_answer(question, lambda x: 2 * x + (x > 2)).message.startswith("for x = 1 you return 2")
    assert made == [1.0, 2.0]
    assert checking.check_answer(question, lambda x: x + 1.0).message == "you add 1"
    assert checking.check_answer(question, lambda x: 2 * x).message == "you double"


def test_a_mistake_without_a_hint_is_refused():
    with pytest.raises(ValueError, match="zip"):
        QUESTIONS["entropy"].with_mistakes(lambda p: 0.0)


@pytest.mark.parametrize("name", ["entropy", "huffman_step", "encode_one"])
def test_a_result_that_holds_itself_is_told(name):
    def endless(*args):
        result = []
        result.append(result)
        return result

    assert not ae.exercises.check(name, endless).right


def test_lists_and_tensors_of_the_same_numbers_are_the_same_answer():
    same = checking._same
    assert same([[1.0, 2.0], [3.0, 4.0]], torch.tensor([[1.0, 2.0], [3.0, 4.0]]), 1e-6)
    assert same((torch.ones(2), torch.zeros(2)), torch.tensor([[1.0, 1.0], [0.0, 0.0]]), 1e-6)
    assert same([torch.tensor(1.0), 2], torch.tensor([1.0, 2.0]), 1e-6)
    assert not same([[1.0, 2.0]], torch.tensor([1.0, 2.0]), 1e-6)
    assert not same(2**60 + 1, 2**60, 1e-4), "whole numbers are compared exactly"
    assert not same(10**400, 1.0, 1e-4)


def test_noise_of_ones_own_is_told():
    def draws(mu, log_var, epsilon):
        return mu + (log_var / 2).exp() * torch.randn_like(mu)

    assert "gives another result each time" in ae.exercises.check("reparameterize", draws).message


def test_an_input_that_is_made_to_want_gradients_is_told():
    def marks(mu, log_var, epsilon):
        return mu.requires_grad_() + (log_var / 2).exp() * epsilon

    assert "switches on requires_grad for its input `mu`" in ae.exercises.check("reparameterize", marks).message


def test_a_missing_detach_is_told():
    def keeps_history(weight, images, lr):
        weight = weight.clone().requires_grad_()
        cost = (images - images @ weight @ weight.T).square().sum(1).mean()
        return weight - lr * torch.autograd.grad(cost, weight)[0]

    assert "still drags its gradient history along" in ae.exercises.check("training_step", keeps_history).message
    assert ae.exercises.check("training_step", lambda *args: keeps_history(*args).detach()).right


def test_one_number_where_two_tensors_are_wanted_is_told():
    verdict = ae.exercises.check("pathwise_gradient", lambda mu, log_var, epsilon: torch.tensor(1.0))
    assert "expected 2 things" in verdict.message


def test_of_many_numbers_the_worst_is_shown():
    found, right = [torch.zeros(3, 4), torch.ones(3, 4)], [torch.eye(3, 4), torch.zeros(3, 4)]
    message = checking._describe(QUESTIONS["lerp"], cases("lerp")[:2], found, right, [False, False])
    assert "you return 0 at place [0, 0], right is 1" in message
    found, right = (
        [torch.tensor([[9.0] * 4 + [0.5] * 4] * 2)] * 2,
        [torch.tensor([[9.0] * 4 + [0.5] * 3 + [1.0]] * 2)] * 2,
    )
    message = checking._describe(QUESTIONS["lerp"], cases("lerp")[:2], found, right, [False, False])
    assert "you return 0.5 at place [0, 7], right is 1" in message  # and not the largest


def test_an_unknown_question_is_refused():
    with pytest.raises(ValueError, match="got 'entopy', expected one of entropy"):
        ae.exercises.check("entopy", None)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (torch.tensor(0.5), "0.5"), (np.float64(1 / 3), "0.333333"), (np.int64(4), "4"), (math.nan, "NaN"),
        ([1.0, 2], "[1, 2]"), ((1.0, [2.0, math.nan]), "(1, [2, NaN])"), (torch.tensor([0.25, 1.0]), "[0.25, 1]"),
        (torch.zeros(9), "a tensor of shape (9,)"), (torch.zeros(8), f"[{', '.join('0' * 8)}]"),
        ("x" * 88, f"'{'x' * 88}'"), ("x" * 89, f"'{'x' * 79} …"), ({"a": 1}, "{'a': 1}"),
    ],
)  # fmt: skip
def test_a_value_is_shown_in_a_few_words(value, shown):
    assert checking._show(value) == shown


def test_a_right_answer_is_told_on_how_many_cases_it_was_tried():
    question = QUESTIONS["entropy"]
    verdict = ae.exercises.check("entropy", question.reference)
    assert verdict.message == f"right, on all {len(question.cases(torch.Generator().manual_seed(0)))} cases"


def yields(p):
    yield 1.75


async def waits(p):
    return 1.75


def without_return(p):
    total = sum(p)  # noqa: F841


def exits(p):
    raise SystemExit


def cancels(p):
    raise asyncio.CancelledError("no")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda p: print(sum(p)), "prints and returns nothing: hand the result back with `return` instead of `print`"),
        (without_return, "returns nothing for p = [0.5, 0.25, 0.125, 0.125]: is a `return` missing?"),
        (yields, "returns a generator and no result: write `return` where it says `yield`"),
        (waits, "returns a coroutine and no result: write `def` where it says `async def`"),
        (lambda p: {"bits": 1.75}, "returns dict, expected something like 1.75"),
        (lambda p: object(), "returns object, expected something like 1.75"),
        (exits, "calls exit(), which would end the notebook: use `return` to leave a function"),
        (cancels, "raised CancelledError: no"),
        (1.75, "this is 1.75 and no function: pass the function itself"),
    ],
)
def test_what_comes_back_is_named_and_what_was_expected(answer, message, recwarn):
    verdict = ae.exercises.check("entropy", answer)
    assert not verdict.right
    assert message in verdict.message
    assert not recwarn.list


def test_what_an_answer_prints_is_seen_and_does_no_harm(capsys):
    def talks(p):
        print("p is", p[0])
        return QUESTIONS["entropy"].reference(p)

    assert ae.exercises.check("entropy", talks).right
    assert capsys.readouterr().out.startswith("p is 0.5\n")


def swallows(p):
    while True:
        try:  # noqa: SIM105
            time.sleep(0.01)
        except:  # noqa: E722
            pass


def swallows_twice(p):
    while True:
        try:
            while True:
                try:
                    sum(range(1000))
                except BaseException:
                    continue
        except BaseException:
            continue


@pytest.mark.parametrize("answer", [swallows, swallows_twice, lambda p: swallows(p)])
def test_a_loop_that_swallows_every_error_is_stopped(answer):
    before = sys.gettrace()
    verdict = checking.check_answer(QUESTIONS["entropy"], answer, seconds=0.3)
    assert "did not end in time" in verdict.message
    assert sys.gettrace() is before


def test_a_person_s_ctrl_c_still_ends_a_check():
    def interrupted(p):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ae.exercises.check("entropy", interrupted)


def test_the_alarm_of_a_reader_rings_as_before_after_a_check():
    def ring(*_):
        """What a reader has set up."""

    before = signal.signal(signal.SIGALRM, ring)
    try:
        ae.exercises.check("entropy", QUESTIONS["entropy"].reference)
        assert signal.getsignal(signal.SIGALRM) is ring
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_right_answer_that_warns_is_right_without_a_word(recwarn, capfd):
    def warns(p):
        p = np.array(p)
        return -np.nansum(p * np.log2(p))

    assert ae.exercises.check("entropy", warns).right
    assert not recwarn.list
    assert capfd.readouterr().err == ""


def test_a_word_on_stderr_costs_no_point(capfd):
    def talks(p):
        print("working", file=sys.stderr)
        return QUESTIONS["entropy"].reference([*tqdm(p, disable=False)])

    assert ae.exercises.check("entropy", talks).right
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.startswith("working\n")


# How an answer is called and compared, on questions made up for it


def asked(reference, *given, head="f(x)", **settings):
    return checking.Question(
        head, lambda random: [each if type(each) is tuple else (each,) for each in given], reference, **settings
    )


def told(question, answer):
    return checking.check_answer(question, answer).message


def by_turns(*results):
    """Return an answer that gives these one after another, whatever it is asked."""
    each = iter(results)
    return lambda *args: next(each)


def test_a_question_knows_its_name_its_arguments_and_each_mistake_with_its_hint():
    question = checking.Question("f(one, two)", list, max).with_mistakes(min, "the least", sum, "the sum")
    assert question.name == "f"
    assert question.arguments == ["one", "two"]
    assert question.mistakes == ((min, "the least"), (sum, "the sum"))
    assert (question.signature, question.cases, question.reference) == ("f(one, two)", list, max)


def test_a_verdict_says_which_question_whether_right_and_why():
    def endless(x):
        result = []
        result.append(result)
        return result

    question = asked(lambda x: (torch.ones(2), torch.ones(3)), 1.0)
    for answer, right, message in (
        (None, False, "nothing here yet. Complete `f(x)` in the cell above, run it, then run this one again"),
        (1.5, False, "this is 1.5 and no function: pass the function itself, without calling it"),
        (endless, False, "returns things within things without an end, or nested too deeply to compare"),
        (question.reference, True, "right, on all 1 cases"),
    ):
        assert checking.check_answer(question, answer) == checking.Verdict("f", right, message)


@pytest.mark.parametrize("one", [1.0, -1.0])
def test_the_largest_difference_allowed_is_relative_to_1_and_the_right_value(one):
    close, loose = asked(lambda x: one, 1.0), asked(lambda x: one, 1.0, tolerance=0.5)
    for question, bound in ((close, 2e-4), (loose, 1.0)):
        for side in (-1, 1):
            assert checking.check_answer(question, lambda x, bound=bound, side=side: one + 0.99 * side * bound).right
            assert not checking.check_answer(
                question, lambda x, bound=bound, side=side: one + 1.01 * side * bound
            ).right


def test_a_mistake_is_held_against_the_answer_and_the_answer_against_what_is_right():
    question = asked(lambda x: 1.0, 1.0, 2.0, 3.0, tolerance=0.5)
    assert told(question.with_mistakes(lambda x: 2.2, "too large"), lambda x: 2.2) == "too large"
    for made, found in ((2.2, 4.2), (1.9, 2.2)):  # too far apart; near enough to be right
        other = question.with_mistakes(lambda x, made=made: made, "no")
        assert "returns the same" in told(other, lambda x, found=found: found)


def test_how_an_answer_is_called_can_be_handed_in():
    calls = []

    def call(answer, arguments, deadline):
        calls.append((answer, arguments, deadline))
        return answer(*arguments), arguments

    question, begin = asked(lambda x: x, 1.0, 2.0), time.monotonic()
    assert checking.check_answer(question, question.reference, seconds=50.0, call=call).right
    assert [each[:2] for each in calls] == [(question.reference, (1.0,)), (question.reference, (2.0,))]
    assert calls[0][2] == calls[1][2]
    assert begin + 50 <= calls[0][2] <= time.monotonic() + 50


def test_the_time_is_for_all_calls_together_and_a_slow_answer_has_it():
    def slow(x):
        time.sleep(0.06)
        return x

    question = asked(lambda x: x, *map(float, range(9)))
    assert checking.check_answer(question, slow, seconds=20.0).right
    assert "did not end in time" in checking.check_answer(question, slow, seconds=0.2).message
    assert "did not end in time" in checking.check_answer(question, slow, seconds=-1.0).message


def test_the_seed_makes_the_cases():
    seen = []

    def answer(p):
        seen.append(p)
        return QUESTIONS["entropy"].reference(p)

    for seed in (0, 3):
        ae.exercises.check("entropy", answer, seed=seed)
        assert seen == [p for (p,) in cases("entropy", seed)]
        seen.clear()


def test_what_was_not_written_yet_is_told_from_what_forgets_to_return():
    class Silent:
        def __call__(self, x):
            return 2 * x if x < 2 else None

    question = asked(lambda x: 2 * x, 1.0, 2.0, 3.0)
    for empty in (None, ..., lambda x: None, functools.partial(lambda x: None), functools.partial(lambda x: ...)):
        assert told(question, empty).startswith("nothing here yet. Complete `f(x)`")
    for nothing in (None, ..., NotImplemented):
        assert told(question, lambda x, nothing=nothing: (nothing, x)[0]) == (
            "returns nothing for x = 1: is a `return` missing?"
        )
    assert told(question, Silent()) == "returns nothing for x = 2: is a `return` missing in one branch?"
    assert told(question, lambda x: 2 * x if x < 3 else None).startswith("returns nothing for x = 3")


def test_something_callable_that_forgets_to_return_is_told_so():
    class Forgets:
        def __call__(self, x):
            2 * x

    def forgets(factor, x):
        factor * x

    question = asked(lambda x: 2 * x, 1.0, 2.0)
    for answer in (Forgets(), Forgets().__call__, functools.partial(forgets, 2)):
        assert told(question, answer) == "returns nothing for x = 1: is a `return` missing?"


def test_a_giant_result_is_compared_soon_and_told_in_few_words():
    question = asked(lambda x: [torch.ones(2), torch.ones(3)], 1.0, 2.0)
    for giant in ([1.0] * 10**6, [[1.0] * 1000] * 1000, [1.0, [2] * 10**6], [torch.ones(2), [0.5] * 10**6]):
        began = time.monotonic()
        assert len(told(question, lambda x, giant=giant: giant)) < 2000
        assert time.monotonic() - began < 10


def test_a_mistake_made_before_an_error_is_told_and_otherwise_the_error():
    def breaks(answer):
        return lambda x: answer(x) if x < 3 else 1 / 0

    question = asked(lambda x: x * x, 1.0, 2.0, 3.0).with_mistakes(lambda x: 2 * x, "you double")
    assert told(question, breaks(lambda x: 2 * x)) == "you double"
    for other in (lambda x: x * x, lambda x: 3 * x):
        assert told(question, breaks(other)).startswith("raised ZeroDivisionError")
        assert told(question, breaks(other)).endswith("(for x = 3)")


def test_a_mistake_that_is_right_here_and_there_is_told():
    question = asked(lambda x: x * x, 1.0, 2.0, 3.0).with_mistakes(lambda x: 2 * x, "you double")
    assert told(question, lambda x: 2 * x) == "you double"  # right for 2
    assert told(question, by_turns(2.0, 4.0, 6.0, 0.0)) == "you double"  # and not that it varies


def test_an_input_that_is_changed_a_little_is_named():
    def adds(x, y, z):
        y += 0.25
        return x + y

    question = asked(lambda x, y, z: x + y, (torch.ones(2), torch.ones(2), {"a": 1}), head="f(x, y, z)")
    assert told(question, adds) == "changes its input `y`: whoever called it still needs that, so work on a copy"
    assert checking.check_answer(question, lambda x, y, z: x + y).right


def test_only_an_input_on_which_gradients_are_switched_on_is_named():
    def marks(x, y):
        return (x + y.requires_grad_()).detach()

    question = asked(lambda x, y: x + y, (torch.ones(2), torch.ones(2)), head="f(x, y)")
    assert told(question, marks) == (
        "switches on requires_grad for its input `y`: it would stay on, and gradients would add up. "
        "Work on a detached copy"
    )


def test_a_gradient_history_is_told_wherever_it_is_unless_an_input_brought_it():
    def drags(x):
        return (x, x.clone().requires_grad_() + 0) if x.sum() > 2 else (x, x)

    question = asked(lambda x: (x, x), torch.ones(2), torch.ones(3))
    assert "the numbers are right, but the result still drags its gradient history" in told(question, drags)
    weight = torch.ones(2, requires_grad=True)
    question = asked(lambda x, w: x * w, (torch.ones(2), torch.ones(2)), (torch.ones(2), weight), head="f(x, w)")
    assert checking.check_answer(question, lambda x, w: x * w).right


def test_a_gradient_that_an_answer_cuts_off_is_told_by_the_name_of_its_input():
    x, w = torch.ones(2), torch.ones(2, requires_grad=True)
    question = asked(lambda x, w: x * w, (x, x), (x, w), head="f(x, w)")
    assert told(question, lambda x, w: x * w.detach()).startswith(
        "the numbers are right, but no gradient reaches `w` through them"
    )
    question = asked(lambda x, w: (x * w).detach(), (x, w), head="f(x, w)")  # here nobody asks for one
    assert checking.check_answer(question, lambda x, w: (x * w).detach()).right


def test_an_answer_that_varies_is_told_only_if_its_results_are_of_the_right_kind():
    question = asked(lambda x: x, 1.0, torch.ones(2), torch.ones(3))
    assert "gives another result each time" in told(question, by_turns(5.0, torch.zeros(2), torch.zeros(3), 7.0))
    assert told(question, by_turns(torch.ones(3), 6.0, 7.0, 8.0)).startswith(
        "has shape (3,), should be a single number"
    )


BROKEN = "is there a log of 0, or a division by 0?"


@pytest.mark.parametrize(
    ("right", "found", "message"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 5.0], "for x = 2 you return 5, right is 3"),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 5.0, 3.0, 5.0], "for x = 1 you return 5, right is 2"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, math.nan], f"1 of 1 values is NaN (for x = 2): {BROKEN}"),
        ([[1.0, 2.0, 3.0]], [[1.0, math.nan, 3.0]], f"1 of 3 values is NaN (for x = 0): {BROKEN}"),
        ([[1.0, 2.0, 3.0]], [[math.inf, math.nan, 3.0]], f"2 of 3 values are NaN (for x = 0): {BROKEN}"),
        ([[1.0, 2.0, 3.0]], [[math.inf, -math.inf, 3.0]], f"2 of 3 values are infinite (for x = 0): {BROKEN}"),
        (
            [(torch.ones(2), torch.ones(3))], [(torch.ones(2), torch.tensor([1.0, math.nan, 2.0]))],
            f"1 of 5 values is NaN (for x = 0): {BROKEN}",
        ),
        ([[math.inf, 1.0]], [[math.inf, 2.0]], "for x = 0 you return [inf, 2], right is [inf, 1]"),
        ([1.0, 2.0], [5.0, 5.0], "for x = 0 you return 5, right is 1"),
        ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0], "returns the same for every input: does it use `x` at all?"),
        ([1.0, 2.0, 3.0], [5.0, 6.0, 6.0], "for x = 0 you return 5, right is 1"),
        ([1.0, 2.0, 3.0], [5.0, 6.0, 5.0], "for x = 0 you return 5, right is 1"),
        ([1.0, 2.0, 3.0], [5.0, 5.0, 6.0], "for x = 0 you return 5, right is 1"),
        ([1.0, 2.0, 3.0], [5.0, 2.0, 6.0], "for x = 0 you return 5, right is 1"),
        (
            [1.0, 2.0, 3.0], [1.0, 5.0, 6.0],
            "right for the first example only. Is a result written into the code, or is the example too special to "
            "show the mistake? for x = 1 you return 5, right is 2",
        ),
        ([1.0, 2.0, 3.0], [1.0, 5.0, 3.0], "for x = 1 you return 5, right is 2"),
        (
            [torch.ones(8)], [2 * torch.ones(8)],
            f"for x = 0 you return [{', '.join('2' * 8)}], right is [{', '.join('1' * 8)}]",
        ),
        ([torch.ones(9)], [2 * torch.ones(9)], "for x = 0 you return 2 at place [0], right is 1"),
        (
            [(torch.ones(2), torch.ones(3))], [(torch.ones(2), torch.zeros(3))],
            "for x = 0 you return ([1, 1], [0, 0, 0]), right is ([1, 1], [1, 1, 1])",
        ),
        ([True], [False], "for x = 0 you return False, right is True"),
        ([True], [0.0], "returns 0, expected something like True (for x = 0)"),
        ([2.0], [True], "returns True, expected something like 2 (for x = 0)"),
        ([1.0], ["a"], "returns 'a', expected something like 1 (for x = 0)"),
        ([torch.ones(2, 3)], [{}], "returns dict, expected a tensor of shape (2, 3) (for x = 0)"),
        ([[1.0, 2.0]], [{}], "returns dict, expected something like [1, 2] (for x = 0)"),
        ([torch.ones(2, 3)], [torch.ones(3, 2)], "has shape (3, 2), should be (2, 3) (for x = 0)"),
        ([1.0], [torch.ones(1)], "has shape (1,), should be a single number (for x = 0)"),
        ([(torch.ones(2), torch.ones(3))], [1.0], "returns 1, expected 2 things: ([1, 1], [1, 1, 1]) (for x = 0)"),
        (
            [(torch.ones(2), torch.ones(3))], [(torch.ones(2), torch.ones(2))],
            "part 2 has shape (2,), should be (3,) (for x = 0)",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words_and_numbers(right, found, message):
    question = asked(lambda x: right[x], *range(len(right)))
    assert told(question, lambda x: found[x]) == message


def test_an_array_of_parts_is_as_good_as_a_tuple_of_them():
    parts = np.empty(2, dtype=object)
    parts[:] = [np.ones(2), np.ones(3)]
    assert checking._same(parts, (torch.ones(2), torch.ones(3)), 0.0)
    assert checking._same((torch.ones(2), torch.ones(3)), parts, 0.0)


@pytest.mark.parametrize(
    ("one", "other", "tolerance", "alike"),
    [
        ("a", "a", 0.1, True), ("a", "b", 0.1, False), ("1", 1.0, 0.1, False), (1.0, "1", 0.1, False),
        (3, 3, 0.0, True), (3, 4, 0.9, False), (3, 3.0, 0.0, True), (3.0, 3, 0.0, True), (3, 3.5, 0.5, True),
        (math.nan, math.nan, 0.0, True), (math.nan, 1.0, 0.5, False), (math.inf, math.inf, 0.0, True),
        (2.2, 1.0, 0.5, False), (1.0, 2.2, 0.5, True),
        (torch.ones(1), 1.0, 0.1, False), (torch.ones(2), torch.ones(1, 2), 0.1, False),
        (torch.ones(2), {}, 0.1, False), ({}, torch.ones(2), 0.1, False),
        ((torch.ones(2), torch.ones(3)), (torch.ones(2), torch.ones(3)), 0.0, True),
        ((torch.ones(2), torch.ones(3)), (torch.ones(2), torch.zeros(3)), 0.1, False),
        ((torch.ones(2), torch.ones(3)), (torch.ones(2), torch.ones(3), 1.0), 0.1, False),
        ((torch.ones(2), torch.ones(3)), 1.0, 0.1, False), (1.0, (torch.ones(2), torch.ones(3)), 0.1, False),
        ((2.2, torch.ones(3)), (1.0, torch.ones(3)), 0.5, False),
        ((1.0, torch.ones(3)), (2.2, torch.ones(3)), 0.5, True),
        (checking, checking, 0.1, True), ({}, {}, 0.0, True), ({}, {}, 0.1, False), ({}, object(), 0.0, False),
        (np.array([{}], dtype=object), np.ones(1), 0.0, False),
    ],
)  # fmt: skip
def test_two_values_agree(one, other, tolerance, alike):
    assert checking._same(one, other, tolerance) is alike


@pytest.mark.parametrize(
    ("value", "several"),
    [
        ([1.0, 2], False), ([], False), (1.0, False), (torch.ones(2), False),
        ([torch.ones(2), 1.0], True), ((1.0, "a"), True), ([[1.0], [2.0]], True),
    ],
)  # fmt: skip
def test_several_things_are_told_from_a_list_of_numbers(value, several):
    assert checking._is_sequence(value) is several


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ((1,), "(1,)"), ([1, 2], "[1, 2]"), (list(range(60)), f"{str(list(range(60)))[:80]} …"), (True, "True"),
        ((torch.zeros(9), 1), "(a tensor of shape (9,), 1)"), ([[1, 0.5]], "[[1, 0.5]]"), (math.inf, "inf"),
    ],
)  # fmt: skip
def test_lists_are_shown_as_python_writes_them_but_for_their_numbers(value, shown):
    assert checking._show(value) == shown


# Where an error arose, and what happens when the time is up


def third(x):
    raise ValueError("no")


def second(x):
    return third(x)


def first(x):
    return second(x)


def asks_the_library(x):
    return json.loads("{")


def test_an_error_is_placed_in_the_last_line_of_the_persons_own_code():
    question = asked(lambda x: x, 1.0)
    assert told(question, first) == 'raised ValueError: no, at `raise ValueError("no")` (for x = 1)'
    assert ', at `return json.loads("{")` (for x = 1)' in told(question, asks_the_library)
    cell = {}
    exec(compile("def f(x):\n    raise ValueError('no')", "<a cell that is gone>", "exec"), cell)
    for unplaced in (cell["f"], functools.partial(first)):
        assert told(question, unplaced) == "raised ValueError: no (for x = 1)"


def test_an_answer_that_is_silent_leaves_the_output_empty(capsys):
    ae.exercises.check("entropy", QUESTIONS["entropy"].reference)
    assert capsys.readouterr().out == ""


def test_no_alarm_is_set_after_a_check():
    for answer in (lambda x: x, lambda x: 1 / 0, never_ends):
        checking.check_answer(asked(lambda x: x, 1.0), answer, seconds=0.1)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_answer_is_checked_without_a_limit_where_there_are_no_alarms(monkeypatch):
    def check():
        verdicts.append(ae.exercises.check("entropy", QUESTIONS["entropy"].reference))

    verdicts = []
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()
    monkeypatch.delattr(signal, "setitimer")
    check()
    assert [verdict.right for verdict in verdicts] == [True, True]


def chain(*files):
    """Return frames as a program in these files has them, the innermost first."""
    frames = [SimpleNamespace(f_code=SimpleNamespace(co_filename=file), f_trace=None) for file in files]
    for frame, back in itertools.zip_longest(frames, frames[1:]):
        frame.f_back = back
    return frames


@pytest.mark.parametrize("files", [("answer", "answer", checking.__file__, "notebook"), ("answer", "answer")])
def test_an_alarm_goes_to_every_frame_of_the_answer_and_to_no_other(files, monkeypatch):
    traced, frames = [], chain(*files)
    monkeypatch.setattr(sys, "settrace", traced.append)
    with pytest.raises(checking.TimeUp):
        checking._time_limit(1.0)._stop(signal.SIGALRM, frames[0])
    monkeypatch.undo()
    assert traced == [checking._raise_in_next_line]
    assert [frame.f_trace for frame in frames] == [checking._raise_in_next_line] * 2 + [None] * (len(files) - 2)


def test_an_alarm_that_comes_once_the_answer_has_ended_does_nothing(monkeypatch):
    traced, frames = [], chain(checking.__file__, "notebook")
    monkeypatch.setattr(sys, "settrace", traced.append)
    checking._time_limit(1.0)._stop(signal.SIGALRM, frames[0])
    monkeypatch.undo()
    assert traced == []
    assert [frame.f_trace for frame in frames] == [None, None]


def test_the_next_line_of_an_answer_raises_but_none_of_the_check():
    (answer,), (check,) = chain("answer"), chain(checking.__file__)
    for event in ("call", "return", "exception"):
        assert checking._raise_in_next_line(answer, event, None) is checking._raise_in_next_line
    with pytest.raises(checking.TimeUp):
        checking._raise_in_next_line(answer, "line", None)
    for event in ("call", "line"):
        assert checking._raise_in_next_line(check, event, None) is None


# The questions


def test_a_pixel_whose_chance_is_a_bound_of_the_shares_is_damaged_as_the_text_says():
    images, chance = torch.full((1, 1, 1, 4), 0.5), torch.tensor([0.125, 0.25, 0.375, 0.5]).reshape(1, 1, 1, 4)
    assert QUESTIONS["salt_and_pepper"].reference(images, chance, 0.5).flatten().tolist() == [0.0, 1.0, 1.0, 0.5]


def test_a_cost_that_is_infinite_is_a_mistake_too():
    def exchanged(q, p):
        with np.errstate(all="ignore"):
            return -(np.array(p) * np.log2(np.array(q))).sum()

    assert math.isinf(exchanged([0.0, 1.0], [0.5, 0.5]))
    for seed in range(3):
        assert "the two are exchanged" in ae.exercises.check("cross_entropy", exchanged, seed=seed).message


def test_all_six_pairs_of_voices_that_sound_make_the_share_of_clashes():
    share = chapter16._clash_with(chapter16._of(chapter16.CLASHES))
    some = chapter16._clash_with(chapter16._of((7,)), torch.tensor([[0, 1], [2, 3]]))
    rests = chapter16._clash_with(chapter16._of((1, 7)), rests=True)
    for (chords,) in cases("clash_share"):
        assert share(chords) == pytest.approx(float(QUESTIONS["clash_share"].reference(chords)))
    chords = torch.tensor([[67, 60, 55, -1], [67, 65, 62, 55]])
    assert some(chords) == pytest.approx(2 / 3)  # 67 − 60 and 62 − 55, but not 67 − 65; 55 sounds alone
    assert rests(chords) == pytest.approx(3 / 12)


def test_scores_are_scaled_by_a_power_of_their_dimension():
    queries, keys, values = (
        torch.randn(shape, generator=torch.Generator().manual_seed(n))
        for n, shape in enumerate([(2, 9), (4, 9), (4, 3)])
    )
    for power, factor in ((0, 1), (0.5, 3), (1, 9)):
        expected = (queries @ keys.T / factor).softmax(1) @ values
        assert torch.allclose(chapter12._scaled(power)(queries, keys, values), expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_drawn_probabilities_and_tables_are_such(seed):
    for (p,) in cases("entropy", seed):
        assert min(p) >= 0
        assert sum(p) == pytest.approx(1, abs=1e-12)
    tables = [(slots, precision) for _, slots, precision in cases("pop_slot", seed)]
    for _, _, posterior, likelihood, prior, precision in cases("encode_one", seed):
        tables += [(slots, precision) for slots in (*posterior, *likelihood, prior)]
        assert {len(slots) for slots in (*posterior, *likelihood, posterior, likelihood)} == {len(prior)}
    for slots, precision in tables:
        owner = [symbol for symbol, (start, freq) in enumerate(slots) for _ in range(freq)]
        assert [start for start, _ in slots] == [owner.index(symbol) for symbol in range(len(slots))]
        assert len(owner) == 2**precision


def test_alarm_and_trace_of_a_reader_are_as_before_when_the_time_is_up():
    def ring(*_):
        """What a reader has set up."""

    def trace(*_):
        """What a debugger has set up."""

    alarm, tracer = signal.signal(signal.SIGALRM, ring), sys.gettrace()
    sys.settrace(trace)
    try:
        verdict = checking.check_answer(QUESTIONS["entropy"], never_ends, seconds=0.1)
        after = signal.getsignal(signal.SIGALRM), sys.gettrace()
    finally:
        sys.settrace(tracer)
        signal.signal(signal.SIGALRM, alarm)
    assert "did not end in time" in verdict.message
    assert after == (ring, trace)
