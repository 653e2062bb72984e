"""The checks of the exercise notebooks: `check("entropy", entropy)` says whether an answer is right, or what is wrong.

Each chapter's module holds its questions as data.  The notebooks hold only text and stubs, so that a hint can improve
without a new hand-out.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from .checking import Question, Verdict, check_answer

CHAPTERS = tuple(import_module(f"{__name__}.chapter{number}") for number in range(1, 18))
QUESTIONS: dict[str, Question] = {question.name: question for chapter in CHAPTERS for question in chapter.QUESTIONS}

__all__ = ["QUESTIONS", "Question", "Verdict", "check"]


def check(question: str, answer: Any, *, seed: int = 0) -> Verdict:
    """Return the Verdict on a function that answers a question: right, what is wrong, or that it is still missing.

    Errors in the answer, wrong shapes, NaN, an endless loop and a changed input become messages too.

    Args:
        question: its name.
        answer: the function, not its result.
        seed: makes the cases on which it is called.

    Raises:
        ValueError: if there is no question of that name.
        AssertionError: with the Verdict, if the answer is not right and nbgrader runs the notebook, to validate or to
            grade it: whatever a cell says, nbgrader takes it for passed unless it fails.
    """
    if question not in QUESTIONS:
        raise ValueError(f"got {question!r}, expected one of {', '.join(QUESTIONS)}")
    verdict = check_answer(QUESTIONS[question], answer, seed=seed)
    if not verdict.right and "NBGRADER_EXECUTION" in os.environ:
        raise AssertionError(str(verdict))
    return verdict
