"""What the file of a cue is called: `S012_Q003_HERO_T01.wav`."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from pathlib import PurePosixPath

from audio_ml.errors import InvalidOption
from tts.cues.sheet import Cue, Problem, Sheet

FIELDS = ("sheet", "reel", "scene", "cue", "character", "take")
LONGEST_FIELD = 48  # bytes of UTF-8: five fields have to fit the 255 of a name
ENDING = ".wav"
_NUMBER = re.compile(r"(\d{1,9})([A-Za-z]?)")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # that Windows has for devices


def check_template(template: str, n_takes: int) -> None:
    """Finds out whether a template can name the files.

    Raises:
        InvalidOption: when it has unknown fields, leaves the folder, or gives two takes one name.
    """
    fields = [field for _, field, form, how in _parsed(template) if field is not None and not form and not how]
    n_fields = sum(field is not None for _, field, _, _ in _parsed(template))
    if len(fields) < n_fields or not set(fields) <= set(FIELDS):
        known = ", ".join(f"{{{field}}}" for field in FIELDS)
        raise InvalidOption(f"Option 'filename' cannot be {template!r}: it may have {known}.")
    if not template.endswith(ENDING):
        raise InvalidOption(f"Option 'filename' cannot be {template!r}: it has to end in {ENDING}.")
    path = PurePosixPath(template.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in template:
        raise InvalidOption(f"Option 'filename' cannot be {template!r}: it leaves the output folder.")
    if n_takes > 1 and "take" not in fields:
        raise InvalidOption(f"Option 'filename' cannot be {template!r} with {n_takes} takes: add {{take}} to it.")


def file_name(template: str, sheet: Sheet, cue: Cue, take: int) -> str:
    """Returns the name of a take (counted from 0) below the output folder; what a cue does not have leaves no gap.

    >>> from fractions import Fraction
    >>> from audio_ml.timecode import FRAME_RATES
    >>> from pathlib import Path
    >>> cue = Cue(2, "3", "Hero", "Go!", Fraction(0), scene="12")
    >>> file_name("{scene}_{cue}_{character}_T{take}.wav", Sheet(Path("a.csv"), FRAME_RATES["24"], (cue,)), cue, 0)
    'S012_Q003_HERO_T01.wav'
    """
    values = {
        "sheet": _plain(sheet.path.stem),
        "reel": _numbered("R", cue.reel),
        "scene": _numbered("S", cue.scene),
        "cue": _numbered("Q", cue.number),
        "character": _plain(cue.character.upper()),
        "take": f"{take + 1:02}",
    }
    parts = (literal + (values[field] if field else "") for literal, field, _, _ in _parsed(template))
    folders = "".join(parts)[: -len(ENDING)].replace("\\", "/").split("/")
    return "/".join(_tidy(folder) for folder in folders) + ENDING


def cue_name(cue: Cue) -> str:
    """Returns what a cue is called on markers and items: "S012_Q003 HERO"."""
    parts = (_numbered("R", cue.reel), _numbered("S", cue.scene), _numbered("Q", cue.number))
    return f"{'_'.join(part for part in parts if part)} {cue.character}"


def name_files(
    template: str, sheet: Sheet, n_takes: int, reserved: Iterable[str] = ()
) -> tuple[dict[Cue, tuple[str, ...]], list[Problem]]:
    """Returns the names of each cue's takes, and as a problem each cue whose names are `reserved` or taken before."""
    taken = {name.casefold(): "the folder's own" for name in reserved}
    names: dict[Cue, tuple[str, ...]] = {}
    problems = []
    for cue in sheet.cues:
        of_cue = tuple(file_name(template, sheet, cue, take) for take in range(n_takes))
        owner = next((taken[name.casefold()] for name in of_cue if name.casefold() in taken), None)
        if owner is None:
            names[cue] = of_cue
            taken.update((name.casefold(), f"that of row {cue.row}") for name in of_cue)
        else:
            said = f"Its file would be {of_cue[0]}, which is {owner}: change --filename."
            problems.append(Problem(cue.row, sheet.title("cue"), said))
    return names, problems


def _parsed(template: str) -> Iterable[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(string.Formatter().parse(template))
    except ValueError as error:
        raise InvalidOption(f"Option 'filename' cannot be {template!r}: {error}.") from error


def _numbered(letter: str, text: str) -> str:
    """Returns a bare number as people write it on slates: "12" is S012, "12a" S012A; other names stay."""
    match = _NUMBER.fullmatch(text)
    return f"{letter}{int(match[1]):03}{match[2].upper()}" if match else _plain(text)


def _plain(text: str) -> str:
    """Returns text that every file system takes."""
    plain = re.sub(r"[^\w.]+", "-", text).strip("-.")
    return plain.encode()[:LONGEST_FIELD].decode(errors="ignore").strip("-.")


def _tidy(name: str) -> str:
    """Returns a name without the underscores around what was left out."""
    tidy = re.sub(r"_{2,}", "_", name).strip("_. ") or "_"
    return f"_{tidy}" if _RESERVED.fullmatch(tidy.split(".")[0]) else tidy
