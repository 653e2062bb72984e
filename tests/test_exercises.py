"""The checks of the exercises accept right answers however they are written, and give wrong ones the hint that fits."""

import asyncio
import contextlib
import importlib
import itertools
import math
import signal
import sys
import time

import numpy as np
import pytest
import torch

import aecourse as ae
from aecourse.exercises import QUESTIONS, checking

BANKS = [importlib.import_module(f"answers.answers{n}") for n in range(1, len(ae.exercises.CHAPTERS) + 1)]
RIGHT = {name: answers for bank in BANKS for name, answers in bank.RIGHT.items()}
WRONG = {name: answers for bank in BANKS for name, answers in bank.WRONG.items()}
NAMES = list(QUESTIONS)


def cases(name, seed=0):
    return [tuple(case) for case in QUESTIONS[name].cases(torch.Generator().manual_seed(seed))]


def numbered(bank):
    return [
        pytest.param(name, answer, id=f"{name}-{number}") for name in bank for number, answer in enumerate(bank[name])
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_question_has_at_least_three_right_and_five_wrong_answers(name):
    assert len(RIGHT[name]) >= 3
    assert len(WRONG[name]) >= 5


def test_there_are_no_answers_to_what_nobody_asks():
    assert set(RIGHT) == set(WRONG) == set(NAMES)


@pytest.mark.parametrize(("name", "answer"), numbered(RIGHT))
def test_a_right_answer_is_accepted_on_any_cases(name, answer):
    for seed in range(5):
        verdict = ae.exercises.check(name, answer, seed=seed)
        assert verdict.right, verdict
        assert repr(verdict).startswith(f"✓ {name}: right, on all ")


@pytest.mark.parametrize(("name", "answer"), numbered(WRONG))
def test_a_wrong_answer_is_refused_with_the_hint_that_fits(name, answer):
    function, hint = answer
    for seed in range(5):
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
