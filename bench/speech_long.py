"""Long texts: does memory grow, is every word there, do the times run on, and does a judge hear as many words?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from audio_ml.errors import AudioMLError
from audio_ml.streams import read_audio
from audio_ml.word_errors import WordErrors, count_errors
from bench import speech_texts
from bench.measure import Measurement, run
from bench.speech_commands import OURS

TARGET_SHARE = 0.02  # by which the count of heard words may differ


@dataclass(frozen=True)
class Hearing:
    """What a judge heard of the words of a text; `longest_lost` is the longest run of words that it did not hear."""

    n_words: int
    n_heard: int
    longest_lost: int

    @property
    def difference(self) -> float:
        return self.n_heard / self.n_words - 1


@dataclass(frozen=True)
class LongText:
    """A text spoken by a process of its own, and what its words' times are worth.

    `n_lost` are words of the text without a time or warning, `n_backward` words that begin before the one before
    them does or end before they begin. `hearing` is why not where nothing was heard.
    """

    n_characters: int
    measured: Measurement
    speech_seconds: float
    n_words: int
    n_lost: int
    n_backward: int
    n_warnings: int
    words_are_the_text: bool
    hearing: Hearing | str

    @property
    def real_time_factor(self) -> float:
        return self.measured.wall_seconds / self.speech_seconds


def speak(n_characters: int, work: Path, *, is_judged: bool) -> LongText:
    """Speaks a chapter of so many characters with our command line, and looks at what it wrote."""
    text = speech_texts.chapter(n_characters)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        script, sound = Path(folder) / "chapter.txt", Path(folder) / "chapter.wav"
        script.write_text(text, encoding="utf-8")
        options = ["--captions", "json", "--bit-depth", "16", "--quiet"]
        measured = run([OURS, "speak", "--file", str(script), "-o", str(sound), *options])
        record = json.loads(sound.with_suffix(".json").read_text(encoding="utf-8"))
        words = record["words"]
        hearing = _heard(text, sound) if is_judged else "not judged"
        return LongText(
            n_characters=len(text),
            measured=measured,
            speech_seconds=_seconds(sound),
            n_words=len(words),
            n_lost=_count_lost(text, [*words, *record["warnings"]]),
            n_backward=_count_backward(words),
            n_warnings=len(record["warnings"]),
            words_are_the_text=[word["text"] for word in words] == text.split(),
            hearing=hearing,
        )


def _seconds(sound: Path) -> float:
    import soundfile

    return float(soundfile.info(sound).duration)


def _count_lost(text: str, told: Sequence[dict[str, Any]]) -> int:
    """Counts what stands between blanks and is in the span of no word or warning."""
    covered = bytearray(len(text))
    for begin, end in (item["span"] for item in told if item["span"]):
        covered[begin:end] = b"\1" * (end - begin)
    place = n_lost = 0
    for word in text.split():
        place = text.index(word, place)
        n_lost += not any(covered[place : place + len(word)])
        place += len(word)
    return n_lost


def _count_backward(words: Sequence[dict[str, Any]]) -> int:
    begins = [0.0, *(word["start_seconds"] for word in words)]
    return sum(
        word["start_seconds"] < before or word["end_seconds"] <= word["start_seconds"]
        for before, word in zip(begins, words, strict=False)
    )


def _heard(text: str, sound: Path) -> Hearing | str:
    from audio_ml.judges.whisper import transcribe
    from audio_ml.spoken_words import spoken_words

    try:
        heard = spoken_words(transcribe(read_audio(sound)))
    except AudioMLError as error:
        return str(error)
    said = spoken_words(text)
    return Hearing(len(said), len(heard), _longest_lost(said, heard))


def _longest_lost(said: Sequence[str], heard: Sequence[str]) -> int:
    """Returns the longest run of words that were not heard; words are compared between the places that agree."""
    steps = SequenceMatcher(None, said, heard, autojunk=False).get_opcodes()
    gaps = (count_errors(said[a:b], heard[c:d]) for step, a, b, c, d in steps if step != "equal")
    return sum(gaps, WordErrors()).longest_deletion
