"""The forms in which lexicons are written: CSV and TSV, JSON, and PLS."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from audio_ml.errors import InvalidInput, did_you_mean
from tts.phonemes.alphabet import from_ipa
from tts.phonemes.lexicon import Entry
from tts.phonemes.respelling import from_respelling

MAX_BYTES = 5_000_000
COLUMNS = ("word", "pos", "ipa", "phonemes", "respelling", "pronunciation", "alias", "note")
SPOKEN = ("ipa", "phonemes", "respelling", "pronunciation", "alias")
SURPLUS = "surplus"  # what a row has beyond its last column
PARTS_OF_SPEECH = {
    "noun": "NN", "proper noun": "NNP", "name": "NNP", "verb": "VB", "adjective": "JJ", "adj": "JJ", "adverb": "RB",
    "adv": "RB", "pronoun": "PRP", "preposition": "IN", "conjunction": "CC", "determiner": "DT", "article": "DT",
    "number": "CD", "interjection": "UH", "past": "VBD", "participle": "VBN", "any": "", "": "",
}  # fmt: skip
_PENN = (
    "CC CD DT EX FW IN JJ JJR JJS LS MD NN NNS NNP NNPS PDT POS PRP PRP$ RB RBR RBS RP SYM TO UH VB VBD VBG VBN"
    " VBP VBZ WDT WP WP$ WRB"
)
PENN_TAGS = frozenset(_PENN.split())

Row = tuple[str, Mapping[str, str]]  # where it stands ("row 3"), and its fields


def read_rows(path: Path) -> tuple[list[Entry], list[str]]:
    """Returns the entries of a file, and what is wrong with each row that is none.

    Raises InvalidInput for a file that cannot be read at all.
    """
    text = _read_text(path)
    readers = {".json": _json_rows, ".pls": _pls_rows, ".xml": _pls_rows, ".csv": _table_rows, ".tsv": _table_rows}
    reader = readers.get(path.suffix.lower(), _table_rows if path.suffix.lower() in (".txt", ".tab") else None)
    if reader is None:
        raise InvalidInput(f"{path}: a lexicon is a .csv, .tsv, .json or .pls file.")
    entries, problems = [], []
    for place, row in reader(text, path):
        try:
            entries.append(read_entry(row))
        except InvalidInput as error:
            problems.append(_one_line(f"{place}, '{row.get('word', '')}': {str(error).rstrip('.')}"))
    return entries, problems


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read as a lexicon ({error.strerror}).") from error
    if len(content) > MAX_BYTES:
        raise InvalidInput(f"{path}: a lexicon of more than {MAX_BYTES // 1_000_000} MB is refused.")
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: is not text in UTF-8.") from error
    if "\0" in text:
        raise InvalidInput(f"{path}: is not text.")
    return text


def read_entry(row: Mapping[str, str]) -> Entry:
    """Returns the entry that the fields of a row make.

    Raises:
        InvalidInput: when they make none; it tells the reason alone.
    """
    word = " ".join(row.get("word", "").split())
    if not re.search(r"[^\W_]", word):
        raise InvalidInput("there is no word")
    if row.get(SURPLUS):
        raise InvalidInput(f"'{row[SURPLUS]}' stands beyond the last column; put text with commas between quotes")
    pos = _part_of_speech(row.get("pos", "").strip())
    if pos and len(word.split()) > 1:
        raise InvalidInput("several words have no part of speech in common; leave pos empty")
    given = [column for column in SPOKEN if row.get(column, "").strip()]
    if len(given) != 1:
        raise InvalidInput("there is no pronunciation" if not given else f"{' and '.join(given)} are given; keep one")
    spoken = row[given[0]].strip()
    if given[0] == "alias":
        if pos:
            raise InvalidInput("an alias counts for every part of speech; leave pos empty")
        return Entry(word, alias=spoken)
    is_ipa = given[0] in ("ipa", "phonemes") or spoken[0] + spoken[-1] in ("//", "[]")
    return Entry(word, from_ipa(spoken) if is_ipa else from_respelling(spoken), pos=pos)


def _part_of_speech(pos: str) -> str:
    tag = PARTS_OF_SPEECH.get(pos.lower(), pos.upper())
    if tag and tag not in PENN_TAGS:
        raise InvalidInput(
            f"'{pos}' is no part of speech; write noun, verb, adjective ... or a Penn tag."
            + did_you_mean(pos.lower(), PARTS_OF_SPEECH)
        )
    return tag


def _table_rows(text: str, path: Path) -> Iterator[Row]:
    """Yields the rows of a table with a header, or without one: a word, and its IPA between slashes or respelling."""
    lines = text.splitlines()
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    delimiter = "\t" if "\t" in first else ";" if ";" in first and "," not in first else ","
    header: list[str] | None = None
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                continue
            if header is None:
                header = _header(cells, path)
                if header != ["word", "pronunciation"] or cells[0].strip().lower() == "word":
                    continue
            place = f"row {reader.line_num}"
            surplus = ", ".join(cell for cell in cells[len(header) :] if cell.strip())
            yield place, {**dict(zip(header, cells, strict=False)), SURPLUS: surplus}
    except csv.Error as error:
        raise InvalidInput(f"{path}: row {reader.line_num} is no row of a table ({error}).") from error


def _header(cells: list[str], path: Path) -> list[str]:
    names = [_one_line(cell).lower() for cell in cells]
    if "word" not in names:
        if len(cells) != 2:
            raise InvalidInput(f"{path}: the first row names no column 'word', and {len(cells)} columns are not 2.")
        return ["word", "pronunciation"]
    for name in names:
        if name not in COLUMNS:
            raise InvalidInput(f"{path}: unknown column '{name}'.{did_you_mean(name, COLUMNS)}")
    return names


def _json_rows(text: str, path: Path) -> Iterator[Row]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path}: is no JSON ({str(error) or 'nested too deeply'}).") from error
    if isinstance(content, dict):
        items: list[Any] = [
            {"word": word, **(said if isinstance(said, dict) else {"pronunciation": said})}
            for word, said in content.items()
        ]
    else:
        items = content if isinstance(content, list) else [content]
    for number, item in enumerate(items, 1):
        place = f"entry {number}"
        if not isinstance(item, dict) or not all(isinstance(value, str) for value in item.values()):
            raise InvalidInput(f"{path}: {place} is no object of texts such as {{'word': ..., 'ipa': ...}}.")
        unknown = next((name for name in item if name not in COLUMNS), None)
        if unknown is not None:
            raise InvalidInput(
                f"{path}: {place} has an unknown field '{_one_line(unknown)}'.{did_you_mean(unknown, COLUMNS)}"
            )
        yield place, item


def _pls_rows(text: str, path: Path) -> Iterator[Row]:
    """Yields a row for every grapheme of the lexemes; the first phoneme or alias of a lexeme is the preferred one."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root = fromstring(text.encode(), forbid_dtd=True)
    except ParseError as error:
        raise InvalidInput(f"{path}: is no XML ({error}).") from error
    except DefusedXmlException as error:
        raise InvalidInput(f"{path}: document types and entities are refused.") from error
    if _name(root) != "lexicon":
        raise InvalidInput(f"{path}: is no PLS lexicon; its root is <{_name(root)}>.")
    lexemes = [element for element in root if _name(element) == "lexeme"]
    for number, lexeme in enumerate(lexemes, 1):
        said: dict[str, str] = {}
        for element in lexeme:
            if _name(element) == "phoneme" and not said:
                alphabet = element.get("alphabet", root.get("alphabet", "ipa"))
                if alphabet.lower() not in ("ipa", "x-misaki"):
                    raise InvalidInput(f"{path}: lexeme {number} is in the alphabet '{alphabet}'; ipa is read.")
                said = {"ipa": element.text or ""}
            elif _name(element) == "alias" and not said:
                said = {"alias": element.text or ""}
        pos = lexeme.get("role", "").rpartition(":")[2]
        for element in lexeme:
            if _name(element) == "grapheme":
                yield f"lexeme {number}", {"word": element.text or "", "pos": pos, **said}


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
