"""How an answer is checked: called on many cases and compared with a reference; a wrong one is told what is wrong.

A question is data: how to make cases, a reference, and the mistakes people make, each as the function that makes it.
An answer that agrees with a mistake on every case gets that mistake's hint.
"""

from __future__ import annotations

import contextlib
import copy
import dis
import inspect
import io
import math
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

SECONDS = 10.0  # for all calls of one check together


class Missing(Exception):
    """Nothing was written yet."""


class Hint(Exception):
    """What is wrong with an answer, in words for the person who wrote it."""


class TimeUp(BaseException):
    """The time for an answer is over; no `except Exception` in it holds this back."""


@dataclass(frozen=True)
class Verdict:
    """What a check found; a notebook shows it as one line.

    Attributes:
        question: the name of the question.
        right: whether the answer is right.
        message: what is wrong, or what is still missing.
    """

    question: str
    right: bool
    message: str

    def __repr__(self) -> str:
        return f"{'✓' if self.right else '✗'} {self.question}: {self.message}"


@dataclass(frozen=True)
class Question:
    """A function that a student writes, and how to tell whether it is right.

    Attributes:
        signature: the function's head, for example `entropy(p)`.
        cases: from a random generator to a list of argument tuples, easy ones first; the first few may be fixed.  An
            answer that raises gets the hint that fits the cases before, so those on which a mistake crashes come late.
            Where an argument wants a gradient, and the reference lets it through, the answer must do so too.
        reference: what the function must return; a number, a tensor, a list or a tuple of these.
        tolerance: the largest difference allowed, relative to 1 + the size of the right value.
        mistakes: what people get wrong, each as the function that makes this mistake, in the same arguments, and its
            hint.  The function may raise, or return NaN.  The first one that fits is told.
    """

    signature: str
    cases: Callable[[torch.Generator], Sequence[tuple]]
    reference: Callable[..., Any]
    tolerance: float = 1e-4
    mistakes: tuple[tuple[Callable[..., Any], str], ...] = ()

    def with_mistakes(self, *functions_and_hints: Callable[..., Any] | str) -> Question:
        """Return the same question with these mistakes: a function, its hint, the next function, its hint, …"""
        pairs = zip(functions_and_hints[::2], functions_and_hints[1::2], strict=True)
        return replace(self, mistakes=tuple(pairs))

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.signature.split("(")[0]

    @property
    def arguments(self) -> list[str]:
        """The names of the arguments."""
        return [name.strip() for name in self.signature.split("(")[1].rstrip(")").split(",")]


def check_answer(
    question: Question,
    answer: Any,
    *,
    seed: int = 0,
    seconds: float = SECONDS,
    call: Callable[[Callable, tuple, float], tuple[Any, tuple]] | None = None,
) -> Verdict:
    """Return the Verdict on an answer to a question; never raise because of the answer.

    Args:
        question: what was asked.
        answer: the student's function.
        seed: makes the cases.
        seconds: the time limit for all its calls together.
        call: how to call it, `call(answer, arguments, deadline)`; here and now unless given.  It returns the result and
            the arguments as they are afterwards, or raises a Hint if the call fails.
    """
    name = question.name
    try:
        count = _examine(question, answer, seed, time.monotonic() + seconds, call or call_here)
    except Missing:
        head = question.signature
        return Verdict(
            name, False, f"nothing here yet. Complete `{head}` in the cell above, run it, then run this one again"
        )
    except Hint as hint:
        return Verdict(name, False, str(hint))
    except RecursionError:  # a list that holds itself
        return Verdict(name, False, "returns things within things without an end, or nested too deeply to compare")
    return Verdict(name, True, f"right, on all {count} cases")


def _examine(question: Question, answer: Any, seed: int, deadline: float, call: Callable) -> int:
    if answer is None or answer is Ellipsis:
        raise Missing
    if not callable(answer):
        raise Hint(f"this is {_show(answer)} and no function: pass the function itself, without calling it")
    cases = [tuple(case) for case in question.cases(torch.Generator().manual_seed(seed))]
    found, right, good = [], [], []
    for number, case in enumerate(cases):
        right.append(question.reference(*copy.deepcopy(case)))
        try:
            result, given = call(answer, copy.deepcopy(case), deadline)
        except Hint as hint:
            made = _mistake(question, cases[:number], found, right, good)  # wrong before it failed
            raise Hint(made or f"{hint} (for {_call_text(question, case)})") from None
        marked = [
            n
            for n, a, b in zip(question.arguments, given, case, strict=False)
            if _wants_gradient(a) > _wants_gradient(b)
        ]
        if marked:
            named = f"switches on requires_grad for its input `{', '.join(marked)}`"
            raise Hint(f"{named}: it would stay on, and gradients would add up. Work on a detached copy")
        if result is None or result is Ellipsis or result is NotImplemented:
            if number == 0 and _is_empty(answer):
                raise Missing
            branch = " in one branch" if number else ""
            raise Hint(f"returns nothing for {_call_text(question, case)}: is a `return` missing{branch}?")
        if not _same(list(given), list(case), 0.0):
            changed = [n for n, a, b in zip(question.arguments, given, case, strict=False) if not _same(a, b, 0.0)]
            raise Hint(
                f"changes its input `{', '.join(changed)}`: whoever called it still needs that, so work on a copy"
            )
        found.append(result)
        good.append(_same(result, right[-1], question.tolerance))
    if all(good):
        if any(_wants_gradient(value) for value in found) and not any(
            _wants_gradient(each) for case in cases for each in case
        ):
            raise Hint("the numbers are right, but the result still drags its gradient history along: detach it")
        for case, got, wanted in zip(cases, found, right, strict=True):
            watched = [n for n, value in zip(question.arguments, case, strict=False) if _wants_gradient(value)]
            if watched and _wants_gradient(wanted) and not _wants_gradient(got):
                raise Hint(
                    f"the numbers are right, but no gradient reaches `{', '.join(watched)}` through them: something "
                    "cuts it off, such as `detach`, `no_grad`, or a way over plain numbers"
                )
        return len(cases)
    made = _mistake(question, cases, found, right, good)
    kind = _kind_problem(found[0], right[0])
    if made is None and kind is None and not _same(call(answer, copy.deepcopy(cases[0]), deadline)[0], found[0], 1e-9):
        made = "gives another result each time for the same input: draw no noise of your own, take what is handed in"
    raise Hint(made or _describe(question, cases, found, right, good))


def _wants_gradient(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_wants_gradient, value))
    return isinstance(value, Tensor) and value.requires_grad


def _mistake(question: Question, cases: list[tuple], found: list, right: list, good: list[bool]) -> str | None:
    """Return the hint of the mistake that gives what was found on every case, and not always what is right."""
    if all(good):
        return None
    for mistake, hint in question.mistakes:
        made: list = []
        with contextlib.suppress(Exception):  # a mistake may be one that fails here
            for case, got in zip(cases, found, strict=True):
                made.append(mistake(*copy.deepcopy(case)))
                if not _same(got, made[-1], question.tolerance):
                    break  # the other cases can't bring it back
            else:
                if not all(_same(*both, question.tolerance) for both in zip(made, right, strict=False)):
                    return hint
    return None


def _describe(question: Question, cases: list[tuple], found: list, right: list, good: list[bool]) -> str:
    first = good.index(False)
    got, wanted, where = found[first], right[first], f"for {_call_text(question, cases[first])}"
    kind = _kind_problem(got, wanted)
    if kind:
        return f"{kind} ({where})"
    values = _numbers(got)
    broken = int((~np.isfinite(values)).sum())
    if broken and np.isfinite(_numbers(wanted)).all():
        which = "NaN" if np.isnan(values).any() else "infinite"
        count = f"{broken} of {values.size} values {'is' if broken == 1 else 'are'} {which}"
        return f"{count} ({where}): is there a log of 0, or a division by 0?"
    alike = all(_same(found[0], other, 1e-9) for other in found[1:])
    if len(found) > 2 and alike:
        return f"returns the same for every input: does it use `{', '.join(question.arguments)}` at all?"
    if good[0] and not any(good[1:]):
        told = (
            "right for the first example only. Is a result written into the code, or is the example too special to show"
        )
        return f"{told} the mistake? {where} you return {_show(got)}, right is {_show(wanted)}"
    if _shape(got) is not None and _array(got).size > 8:  # too many to print: the one that is worst
        worst = np.unravel_index(np.abs(_array(got) - _array(wanted)).argmax(), _array(got).shape)
        place = ", ".join(map(str, worst))
        return f"{where} you return {_array(got)[worst]:.6g} at place [{place}], right is {_array(wanted)[worst]:.6g}"
    return f"{where} you return {_show(got)}, right is {_show(wanted)}"


def _kind_problem(got: Any, wanted: Any) -> str | None:
    if isinstance(wanted, str | bool) or isinstance(got, str | bool):
        return None if type(got) is type(wanted) else f"returns {_show(got)}, expected something like {_show(wanted)}"
    if _is_sequence(wanted):
        if _length(got) != len(wanted):
            return f"returns {_show(got)}, expected {len(wanted)} things: {_show(wanted)}"
        return next((f"part {n + 1} {p}" for n, p in enumerate(map(_kind_problem, got, wanted)) if p), None)
    mine, theirs = _shape(got), _shape(wanted)
    if mine is None:
        return f"returns {type(got).__name__}, expected {_name(wanted)}"
    if mine != theirs:
        return f"has shape {mine}, should be {theirs}" if theirs else f"has shape {mine}, should be a single number"
    return None


def _name(value: Any) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"something like {_show(value)}"


def _is_sequence(value: Any) -> bool:
    """Return whether this is a list or tuple of several things, and not of numbers."""
    return isinstance(value, list | tuple) and not all(isinstance(part, int | float) for part in value)


def _length(value: Any) -> int | None:
    """Return how many parts a value has, None if it has none; a single number in a tensor has none."""
    try:
        return len(value)
    except TypeError:
        return None


def _shape(value: Any) -> tuple[int, ...] | None:
    try:
        return _array(value).shape
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def _array(value: Any) -> np.ndarray:
    """Return a number, array, tensor, or lists of these, as float64."""
    if isinstance(value, Tensor):
        return value.detach().cpu().double().numpy()
    if isinstance(value, list | tuple):
        plain = {*map(type, value)} <= {int, float, bool}  # then NumPy does in an instant what may take minutes here
        return np.array(value if plain else [_array(part) for part in value], dtype=np.float64)
    return np.asarray(value, dtype=np.float64)


def _numbers(value: Any) -> np.ndarray:
    """Return all numbers in a value, in a row."""
    if _is_sequence(value):
        parts = [_numbers(part) for part in value]
        return np.concatenate(parts) if parts else np.zeros(0)
    return _array(value).ravel()


def _same(one: Any, other: Any, tolerance: float) -> bool:
    """Return whether two values agree; NaN agrees with NaN, a tensor with lists of the same numbers, an int exactly."""
    if isinstance(one, str) or isinstance(other, str) or (type(one) is int and type(other) is int):
        return type(one) is type(other) and one == other
    shapes = _shape(one), _shape(other)
    if None not in shapes:
        if shapes[0] != shapes[1]:
            return False
        close = {"rtol": tolerance, "atol": tolerance, "equal_nan": True}
        return bool(np.allclose(_array(one), _array(other), **close))
    if _is_sequence(one) or _is_sequence(other):  # parts of different shapes
        return _length(one) == _length(other) is not None and all(
            _same(a, b, tolerance) for a, b in zip(one, other, strict=True)
        )
    return one is other or (shapes == (None, None) and type(one) is type(other) and not tolerance)


def _show(value: Any) -> str:
    if isinstance(value, Tensor) and value.dim() > 0:
        if value.numel() > 8:
            return f"a tensor of shape {tuple(value.shape)}"
        value = value.tolist()
    elif isinstance(value, Tensor | np.generic):
        value = value.item()
    if isinstance(value, float):
        return f"{value:.6g}" if not math.isnan(value) else "NaN"
    if isinstance(value, list | tuple) and any(isinstance(part, Tensor | float | list | tuple) for part in value):
        inside = ", ".join(_show(part) for part in value[:100])
        inside = inside if len(inside) <= 400 and len(value) <= 100 else f"{inside[:400]} …"
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    text = repr(value)
    return text if len(text) <= 90 else f"{text[:80]} …"


def _call_text(question: Question, case: tuple) -> str:
    return ", ".join(f"{name} = {_show(value)}" for name, value in zip(question.arguments, case, strict=False))


def call_here(answer: Callable, arguments: tuple, deadline: float) -> tuple[Any, tuple]:
    """Return answer(*arguments), and the arguments afterwards, or raise a Hint if it fails or does not end in time."""
    printed, stderr = io.StringIO(), io.StringIO()
    try:
        # A right answer may warn, as of 0 · log 0, or show its progress; nbgrader gives no points for a word on stderr.
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _time_limit(max(deadline - time.monotonic(), 0.01)):
                result = answer(*arguments)
    except (Hint, KeyboardInterrupt):
        raise
    except TimeUp:
        raise Hint("did not end in time: does a loop never stop?") from None
    except SystemExit:
        raise Hint("calls exit(), which would end the notebook: use `return` to leave a function") from None
    except BaseException as error:  # among them some that are no Exception, such as asyncio's CancelledError
        raise Hint(f"raised {type(error).__name__}: {error}{_place(answer, error)}") from None
    # Once the clock has stopped: what an answer says belongs to whoever wrote it.
    print(printed.getvalue() + stderr.getvalue(), end="")
    if result is None and printed.getvalue():
        raise Hint("prints and returns nothing: hand the result back with `return` instead of `print`")
    if inspect.isgenerator(result) or inspect.iscoroutine(result):
        result.close()
        wrong, right = ("yield", "return") if inspect.isgenerator(result) else ("async def", "def")
        raise Hint(f"returns a {type(result).__name__} and no result: write `{right}` where it says `{wrong}`")
    return result, arguments


def _is_empty(answer: Any) -> bool:
    """Return whether nothing was written into a function yet: beside its docstring it does nothing."""
    answer = getattr(answer, "func", answer)  # of a functools.partial
    code = getattr(answer, "__code__", None) or getattr(type(answer).__call__, "__code__", None)
    if code is None:
        return False
    done = [each.opname for each in dis.get_instructions(code)]
    return {*done} <= {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}


def _place(answer: Callable, error: Exception) -> str:
    """Return where in the student's own code an error arose."""
    file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f", at `{frames[-1].line}`" if frames and frames[-1].line else ""


class _time_limit:
    """Raise TimeUp in this block when the time is up; where signals do not reach, the limit does not hold."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.works = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()

    def __enter__(self):
        if self.works:
            self.trace, self.old = sys.gettrace(), signal.signal(signal.SIGALRM, self._stop)
            signal.setitimer(signal.ITIMER_REAL, self.seconds, 0.001)  # again and again, if an `except:` swallows it

    def __exit__(self, *_):
        if self.works:
            signal.setitimer(signal.ITIMER_REAL, 0)
            sys.settrace(self.trace)  # first: signal.signal is Python, and a line of it would raise TimeUp
            signal.signal(signal.SIGALRM, self.old)

    def _stop(self, _, frame):
        if frame.f_code.co_filename == __file__:  # the answer has just ended
            return
        # A loop around `try: … except:` swallows what is raised inside `try`, but not what is raised in the line after.
        # Where such loops lie in one another, an alarm must also meet one that is between two of its lines.
        while frame is not None and frame.f_code.co_filename != __file__:
            frame.f_trace = _raise_in_next_line
            frame = frame.f_back
        sys.settrace(_raise_in_next_line)
        raise TimeUp


def _raise_in_next_line(frame: FrameType, event: str, _: Any) -> Callable | None:
    if frame.f_code.co_filename == __file__:
        return None
    if event == "line":
        raise TimeUp
    return _raise_in_next_line
