"""The words of the tour: papers and code that exist, HTML that says what was meant."""

from __future__ import annotations

import importlib
import re
from html.parser import HTMLParser

import pytest

from audio_ml.errors import InvalidInput
from ui.learn.code_places import find_place
from ui.learn.eras import ERAS
from ui.learn.lessons import LESSONS
from ui.learn.systems import COMMERCIAL, OPEN
from ui.web.learn_text import eras_html, lesson_html, sources_html, systems_html, tour_html

REFERENCES = sorted({reference for each in (*LESSONS, *ERAS) for reference in each.code})


@pytest.mark.parametrize("reference", REFERENCES)
def test_every_line_of_code_that_is_named_exists(reference: str) -> None:
    place = find_place(reference)
    text = (place.text.splitlines() or [""])[0]
    if place.file.endswith(".js"):
        assert text.startswith(f"export function {place.name}(")
        return
    assert re.match(rf"\s*(def|class) {place.name.rpartition('.')[2]}\b", text)
    found = importlib.import_module(reference.partition(":")[0])
    for part in place.name.split("."):
        found = getattr(found, part)
    assert callable(found)


@pytest.mark.parametrize(
    "reference", ["ui.learn.nothing:here", "ui.learn.formant:nothing", "ui/web/elements/main.js:nothing"]
)
def test_code_that_does_not_exist_is_told(reference: str) -> None:
    with pytest.raises(InvalidInput):
        find_place(reference)


def test_every_paper_has_authors_a_year_and_a_title() -> None:
    papers = [paper for each in (*LESSONS, *ERAS) for paper in each.papers]
    assert all(re.match(r"[A-Z][^()]+ \((19|20)\d\d\), [A-Z]", paper[0].upper() + paper[1:]) for paper in papers)
    years = [int(era.year[-4:]) for era in ERAS]
    assert years == sorted(years)


class _Tags(HTMLParser):
    """Counts what is opened and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "html",
    [
        tour_html(),
        eras_html(),
        systems_html(),
        *(lesson_html(number, lesson) for number, lesson in enumerate(LESSONS, 1)),
        *(sources_html(lesson.papers, lesson.code, lesson.licence) for lesson in LESSONS),
    ],
)
def test_html_is_whole_and_of_one_line(html: str) -> None:
    """An empty line would end a block of HTML in Markdown."""
    tags = _Tags()
    tags.feed(html)
    assert not tags.open and "\n" not in html


def test_code_is_escaped() -> None:
    html = sources_html((), ("ui.learn.code_places:find_place",), "<b>")
    assert "&gt;&gt;&gt; find_place(" in html and "&lt;b&gt;" in html


def test_systems_say_what_is_asked_of_them() -> None:
    assert all(all(vars(system).values()) for system in (*OPEN, *COMMERCIAL))
    assert len({system.name for system in (*OPEN, *COMMERCIAL)}) == len(OPEN) + len(COMMERCIAL)
    assert not re.search(r"\d+ ?%|\d+ ms", systems_html())  # no numbers that nobody measured
