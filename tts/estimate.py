"""How long a script will take to say, and what of it cannot be said as it stands, without any model at work."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from audio_ml.speech import SpeechWarning
from tts.joining import CLAUSE_SHARE, END_SECONDS, PARAGRAPH_SHARE, WORD_SECONDS
from tts.options import DateOrder, SpeechOptions
from tts.phonemes.lexicon import Lexicon
from tts.reading import Passage, read_passages
from tts.script.items import Item, Run
from tts.stream import FASTEST, SLOWEST
from tts.text.normalise import normalise
from tts.text.spoken import SpokenText, Token
from tts.tracing import unspoken
from tts.voices import Speaker

SECONDS_PER_LETTER = 0.063  # of the text as it is said; hibari, Kokoro and Piper differ by 5 %
CLAUSE_SECONDS = 0.2  # that a mark inside a sentence takes
MOST_READ = 20_000  # characters that are looked at; what is behind them is taken for more of the same
SENTENCE_SECONDS = 0.1  # that any sentence takes
LETTERS_OF_A_NAME = 2.5  # what a letter that is spelled, as in "BBC", is heard as
MARKS = ",.;:!?—…"  # which are heard as pauses
_CLAUSE = re.compile(r"[,;:—–]\s")
_SPELLED = re.compile(r"\b[A-Z]{2,4}\b")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Estimate:
    """What can be told of a script before it is spoken: about how many seconds it takes, its words, what is odd.

    `is_partial` says that only its beginning was read, and the rest was taken for more of the same.
    """

    seconds: float
    n_words: int
    warnings: tuple[SpeechWarning, ...]
    is_partial: bool = False


def foresee(
    items: Iterable[Item],
    speaker_of: Callable[[str | None], Speaker],
    options_for: Callable[[Speaker], SpeechOptions],
    lexicon: Lexicon,
) -> Estimate:
    """Reads a script as the stream of speech does, as far as that takes no model.

    A sentence comes out within a third of its length, most texts within a tenth.
    """
    taken = list(items)
    kept = list(_beginning(taken))
    seconds, n_words, warnings = 0.0, 0, []
    options = options_for(speaker_of(None))
    pauses = {
        "word": WORD_SECONDS,
        "clause": CLAUSE_SHARE * options.sentence_pause,
        "sentence": options.sentence_pause,
        "paragraph": PARAGRAPH_SHARE * options.sentence_pause,
    }
    due = 0.0  # a pause is heard where more follows
    for passage in read_passages(kept, date_order=_date_order(speaker_of(None), options)):
        if isinstance(passage, SpeechWarning):
            warnings.append(passage)
            continue
        voice = speaker_of(passage.style.voice)
        said, noticed = _read(passage, voice, options_for(voice), lexicon)
        warnings += noticed
        if any(c.isalnum() for c in said):
            pace = min(max(options_for(voice).speed * passage.style.speed, SLOWEST), FASTEST)
            seconds += due + _natural_seconds(said) / pace
            n_words += len(passage.text.text.split())
            due = 0.0
        if isinstance(passage.after, float):
            seconds, due = seconds + passage.after, 0.0
        else:
            due = max(due, pauses[passage.after]) if seconds else 0.0
    share = _n_characters(taken) / max(1, _n_characters(kept))
    seconds = (seconds + END_SECONDS) * share if seconds else 0.0
    return Estimate(seconds, round(n_words * share), tuple(warnings), is_partial=share > 1)


def _read(
    passage: Passage, voice: Speaker, options: SpeechOptions, lexicon: Lexicon
) -> tuple[str, list[SpeechWarning]]:
    """Returns a passage as it is said, "" where nothing is, and what of it cannot be said as it stands."""
    text, language = lexicon.apply(passage.text), voice.blend.language
    if language.startswith("en"):
        text = normalise(text, date_order=_date_order(voice, options), british=language == "en-GB")
    heard = list(_heard(text, voice))
    warnings = [*text.warnings]
    reads = voice.spec.reads
    if reads is not None and not language.startswith(reads) and passage.text.text.strip():
        told = f"{voice.id} speaks {language}, of which no text is read: only [word](/phonemes/) is spoken."
        warnings.append(SpeechWarning(told, text.span(0, len(text.text)) if text.text else None))
    warnings += unspoken(passage.text, heard, warnings)
    return " ".join(token.text for token in heard), warnings


def _heard(text: SpokenText, voice: Speaker) -> Iterator[Token]:
    """Yields the words of a text that a voice can say, each with "?" for its phonemes."""
    reads = voice.spec.reads
    given_only = reads is not None and not voice.blend.language.startswith(reads)
    for match in _WORD.finditer(text.text):
        begin, end = match.span()
        is_given = any(given.begin < end and begin < given.end for given in text.given)
        if is_given or (not given_only and any(c.isalnum() or c in MARKS for c in match[0])):
            yield Token(match[0], "?", text.span(begin, end), spaced=True)


def _natural_seconds(said: str) -> float:
    letters = sum(character.isalnum() for character in said)
    spelled = sum(map(len, _SPELLED.findall(said)))
    n_letters = letters + (LETTERS_OF_A_NAME - 1) * spelled
    return SENTENCE_SECONDS + n_letters * SECONDS_PER_LETTER + len(_CLAUSE.findall(said)) * CLAUSE_SECONDS


def _date_order(voice: Speaker, options: SpeechOptions) -> DateOrder:
    natural: DateOrder = "mdy" if voice.blend.language == "en-US" else "dmy"
    return natural if options.date_order == "auto" else options.date_order


def _beginning(items: Iterable[Item]) -> Iterator[Item]:
    n_left = MOST_READ
    for item in items:
        if n_left <= 0:
            return
        if isinstance(item, Run):
            begin, text = item.span[0], item.text[:n_left]
            n_left -= len(text)
            is_whole = len(text) == len(item.text)
            yield item if is_whole else Run(text, (begin, begin + len(text)), item.style)
        else:
            yield item


def _n_characters(items: Iterable[Item]) -> int:
    return sum(len(item.text) for item in items if isinstance(item, Run))
