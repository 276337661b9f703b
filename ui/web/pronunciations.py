"""The table "Pronunciations" of the page: what is wrong with its rows, and the lexicon that it is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from audio_ml.errors import InvalidInput
from tts.phonemes.lexicon_files import read_entry

HEADER = ("word", "pronunciation")
MOST_FAULTS = 5  # that are told at once


def rows_of(field: str) -> list[tuple[str, str]]:
    """Returns the rows that the table has written down; those that are empty keep the numbers of the others right."""
    return [(word, sound) for word, sound in json.loads(field or "[]")]


def faults_of(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Returns a sentence on each row that is no pronunciation, counted as the page shows them; a few are enough.

    >>> faults_of([("Nguyen", "win"), ("", ""), ("Anna", "")])
    ["Row 3, 'Anna': say how it sounds."]
    >>> faults_of([("#metoo", "me too")])
    ["Row 1, '#metoo': a word cannot begin with #."]
    """
    faults = []
    for number, (word, sound) in enumerate(rows, 1):
        try:
            _check(word, sound)
        except InvalidInput as error:
            faults.append(f"Row {number}, '{word or sound}': {str(error).rstrip('.')}.")
    more = [f"And {len(faults) - MOST_FAULTS} more."] if len(faults) > MOST_FAULTS else []
    return faults[:MOST_FAULTS] + more


def lexicon_csv(rows: Sequence[tuple[str, str]]) -> str:
    """Returns a table of words as a lexicon, "" where nothing stands in it.

    >>> lexicon_csv([("Nguyen", "win")])
    'word,pronunciation\\r\\nNguyen,win\\r\\n'
    """
    kept = [row for row in rows if any(row)]
    if not kept:
        return ""
    table = io.StringIO()
    csv.writer(table).writerows([HEADER, *kept])
    return table.getvalue()


def _check(word: str, sound: str) -> None:
    if bool(word) != bool(sound):
        raise InvalidInput("say how it sounds" if word else "say which word sounds so")
    if word.lstrip().startswith("#"):  # a lexicon takes such a row for a remark
        raise InvalidInput("a word cannot begin with #")
    if word:
        read_entry({"word": word, "pronunciation": sound})
