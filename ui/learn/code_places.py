"""Where a line of our code stands, and what it says: found in the text of modules, none of which is imported."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from audio_ml.errors import InvalidInput

ROOT = Path(__file__).parents[2]  # the folder in which the packages lie


@dataclass(frozen=True)
class CodePlace:
    """A function or class: its file, as a learner would look for it, its first line there, and its text."""

    name: str
    file: str
    line: int
    text: str


def find_place(reference: str) -> CodePlace:
    """Returns where "module:function" stands, "module:Class.method", or "folder/module.js:function" of the browser's.

    Raises:
        InvalidInput: when there is no such place.

    >>> find_place("ui.learn.formant:resonate").file
    'ui/learn/formant.py'
    """
    module, _, name = reference.partition(":")
    file = module if module.endswith(".js") else module.replace(".", "/") + ".py"
    path = ROOT / file
    if not path.is_file():
        raise InvalidInput(f"There is no module {module}.")
    text = path.read_text(encoding="utf-8")
    first, last = (_in_javascript if file.endswith(".js") else _in_python)(text, name, reference)
    return CodePlace(name, file, first, "\n".join(text.splitlines()[first - 1 : last]))


def _in_python(text: str, name: str, reference: str) -> tuple[int, int]:
    body: list[ast.stmt] = ast.parse(text).body
    found: ast.stmt | None = None
    for part in name.split("."):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        found = next((each for each in body if isinstance(each, kinds) and each.name == part), None)
        if not isinstance(found, kinds):
            raise InvalidInput(f"There is no {reference}.")
        body = found.body
    assert found is not None and found.end_lineno is not None
    return found.lineno, found.end_lineno


def _in_javascript(text: str, name: str, reference: str) -> tuple[int, int]:
    lines = text.splitlines()
    begins = re.compile(rf"export (async )?function {re.escape(name)}\(")
    first = next((number for number, line in enumerate(lines, 1) if begins.match(line)), None)
    if first is None:
        raise InvalidInput(f"There is no {reference}.")
    return first, next(number for number, line in enumerate(lines, 1) if number >= first and line == "}")
