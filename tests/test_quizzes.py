"""The quizzes: their form, that the right answer cannot be guessed from how it looks, and that each option answers."""

import re

import chapters
import fingerprint
import nbformat
import pytest
from bs4 import BeautifulSoup, SoupStrainer
from pages import DESKTOP, PHONE, opened, served
from playwright.sync_api import expect

PATHS = chapters.notebooks()
HEADINGS = {"before": "## What do you expect?", "after": "## Check yourself"}


def quiz(path, kind):
    """Return the questions of a quiz: a list of (question, options), an option being (name, is right, text, why)."""
    text = "\n\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")
    section = text.split(HEADINGS[kind])[1]
    body = re.search(r'<div class="quiz">\n\n(.*?)\n\n</div>', section, re.DOTALL)[1]
    parts = re.split(r"^\*\*\d+\.\*\* ", body, flags=re.MULTILINE)
    form = r'<details name="(\S+)"( class="right")?><summary>(.+?)</summary>\n\n(.+?)\n</details>'
    questions = []
    for part in parts[1:]:
        options = [(name, bool(right), label, why) for name, right, label, why in re.findall(form, part, re.DOTALL)]
        assert part.count("<details") == len(options), part
        questions.append((part.split("<details")[0].strip(), options))
    return questions


@pytest.fixture(params=[(path, kind) for path in PATHS for kind in HEADINGS], ids=lambda p: f"{p[0].stem[:2]}-{p[1]}")
def place(request):
    return request.param


def test_a_quiz_has_three_to_six_questions_with_one_right_option_each(place):
    path, kind = place
    questions = quiz(path, kind)
    assert 3 <= len(questions) <= 6
    for number, (question, options) in enumerate(questions, 1):
        assert len(question) > 20
        assert 3 <= len(options) <= 5
        assert sum(right for _, right, _, _ in options) == 1, question
        assert {name for name, *_ in options} == {f"{int(path.stem[:2])}-{kind}-{number}"}
        assert len({label for _, _, label, _ in options}) == len(options)


def test_every_option_says_whether_it_is_right_and_why(place):
    for _, options in quiz(*place):
        for _, right, label, why in options:
            assert why.startswith("**Right.** " if right else "**No.** "), label
            assert len(why) >= 40, f"no explanation: {label}"
            assert "$" not in label, "a formula in an option is not set: write it in Unicode"


def test_the_right_option_cannot_be_guessed_from_its_length_or_its_place():
    options = [options for path in PATHS for kind in HEADINGS for _, options in quiz(path, kind)]
    places, longest = [], 0
    for each in options:
        places.append([right for _, right, _, _ in each].index(True))
        lengths = [len(label) for _, _, label, _ in each]
        longest += lengths[places[-1]] == max(lengths)
    assert longest / len(options) <= 0.4
    assert all(places.count(place) / len(places) <= 0.4 for place in set(places))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_quiz_says_what_is_right_and_counts_the_first_tries(browser, html, path):
    entry = path.relative_to(fingerprint.ROOT).with_suffix(".html")
    with served(html) as address, opened(browser, f"{address}/{entry}", PHONE, formulas=False) as page:
        sections = [(page.locator(".quiz").nth(number), quiz(path, kind)) for number, kind in enumerate(HEADINGS)]
        for viewport, tried in ((PHONE, None), (DESKTOP, 1)):  # the first question a second time, which does not count
            page.set_viewport_size(viewport)
            for section, questions in sections:
                for question, (_, options) in enumerate(questions[:tried]):
                    name = options[0][0]
                    wrong = section.locator(f'details[name="{name}"]:not(.right)').first
                    right = section.locator(f'details[name="{name}"].right')
                    if question == 0:  # the first one wrong, then right: only the first try counts
                        wrong.locator("summary").click()
                        expect(wrong.get_by_text("No.", exact=True)).to_be_visible()
                        assert not right.get_by_text("Right.", exact=True).is_visible()
                    right.locator("summary").focus()
                    page.keyboard.press("Enter")
                    assert right.get_by_text("Right.", exact=True).is_visible()
                    assert not wrong.get_by_text("No.", exact=True).is_visible(), (
                        "one option of a question is open at a time"
                    )
                score = f"{len(questions) - 1} of {len(questions)} right at the first try."
                # The browser tells of an opened option a moment later.
                expect(section.get_by_role("status")).to_have_text(score)


def test_quizzes_need_no_script(browser, html):
    entry = PATHS[0].relative_to(fingerprint.ROOT).with_suffix(".html")
    with opened(browser, (html / entry).as_uri(), java_script_enabled=False) as page:
        option = page.locator(".quiz details").first
        option.locator("summary").click()
        expect(option.locator("p")).to_be_visible()


def test_formulas_in_explanations_are_set(html):
    for path in PATHS:
        page = (html / path.relative_to(fingerprint.ROOT).with_suffix(".html")).read_text("utf-8")
        found = BeautifulSoup(page, "html.parser", parse_only=SoupStrainer(class_="quiz")).select(".quiz")
        assert len(found) == len(HEADINGS)
        for tag in found:
            for formula in tag.select(".math"):
                formula.decompose()
            assert "$" not in tag.get_text(), path.name
