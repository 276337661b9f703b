"""The words of the tour as HTML: explanations, papers, code, tables; every value in them is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ui.learn.code_places import find_place
from ui.learn.eras import ERAS
from ui.learn.lessons import LESSONS, Lesson
from ui.learn.systems import AS_OF, COMMERCIAL, OPEN, System

COLUMNS = ("System", "Maker", "Licence", "Open weights", "On your own device", "Good at")


def section_id(number: int) -> str:
    """Returns the id of a section's element.

    >>> section_id(1)
    'learn-1'
    """
    return f"learn-{number}"


def tour_html() -> str:
    """Returns the list of contents, whose element shows one section at a time."""
    rows = "".join(
        f'<li><a href="#{section_id(number)}">{escape(lesson.title)}</a></li>'
        for number, lesson in enumerate(LESSONS, 1)
    )
    return f'<div><learn-tour><ol class="contents">{rows}</ol></learn-tour></div>'  # or Markdown makes it a paragraph


def lesson_html(number: int, lesson: Lesson) -> str:
    """Returns what a section says before there is something to do."""
    heading = f'<h2 tabindex="-1">{number}. {escape(lesson.title)}</h2>'
    paragraphs = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in lesson.paragraphs)
    return f'<div class="lesson">{heading}{paragraphs}<p><strong>Try it.</strong> {escape(lesson.to_do)}</p></div>'


def sources_html(papers: Iterable[str], code: Iterable[str], licence: str) -> str:
    """Returns whose idea something is, the lines of our code for it, and under which licence it is used, folded."""
    facts = _facts_html(papers, code, licence)
    return f'<details class="sources"><summary>The paper, the code and the licence</summary>{facts}</details>'


def _facts_html(papers: Iterable[str], code: Iterable[str], licence: str) -> str:
    rows = "".join(f"<li>{escape(paper)}</li>" for paper in papers)
    places = "".join(_code_html(reference) for reference in code)
    return f"<ul>{rows}</ul>{places}<p><small>{escape(licence)}</small></p>"


def _code_html(reference: str) -> str:
    place = find_place(reference)
    text = escape(place.text).replace("\n", "&#10;")  # Markdown ends a block at an empty line
    called = escape(place.name)
    return (
        f"<details><summary><code>{called}</code> in {escape(place.file)}, line {place.line}</summary>"
        f'<pre data-scrolls tabindex="0" role="region" aria-label="Code of {called}">'
        f"<code>{text}</code></pre></details>"
    )


def eras_html() -> str:
    """Returns the papers, code and licence of each way to make a machine speak, folded."""
    ways = "".join(
        f"<h3>{escape(era.year)}: {escape(era.title)}</h3>{_facts_html(era.papers, era.code, era.licence)}"
        for era in ERAS
    )
    return f'<details class="sources"><summary>Papers, code and licences of each way</summary>{ways}</details>'


def systems_html() -> str:
    """Returns the tables of systems that speak."""
    note = f"As of {AS_OF}, as their makers state it. Licences change: read them before you build on one."
    return (
        f'<div class="systems"><h3>Systems side by side</h3><p>{escape(note)}</p>'
        f"{_table('Open systems', OPEN)}{_table('Commercial systems', COMMERCIAL)}</div>"
    )


def _table(caption: str, systems: Sequence[System]) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in COLUMNS)
    rows = "".join(_row(system) for system in systems)
    return (
        f'<div class="scrolled" data-scrolls tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(system: System) -> str:
    first, *rest = (
        system.name, system.maker, system.licence, system.open_weights, system.on_device, system.good_at,
    )  # fmt: skip
    cells = "".join(f"<td>{escape(value)}</td>" for value in rest)
    return f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>'
