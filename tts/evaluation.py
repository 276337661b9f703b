"""How well a voice speaks: the words a judge hears, how clean it sounds, and how quick it is."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from audio_ml import loader as loaders
from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput, InvalidOption, did_you_mean
from audio_ml.judges.dnsmos import DNSMOS, overall_quality
from audio_ml.judges.whisper import NUMERALS, WHISPER, transcribe
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.speech import Speech, SpeechChunk
from audio_ml.spoken_words import spoken_words
from audio_ml.word_errors import WordErrors, count_errors

LOST_WORDS = 3  # so many words in a row that are not heard were probably not spoken
WARM_UP = "This is spoken before anything is measured."
MOST_BYTES_OF_TEXT = 10_000_000


@dataclass(frozen=True)
class Sentence:
    """A sentence of a test set; `spoken` is how it is to be read where it is written otherwise."""

    id: str
    category: str
    text: str
    spoken: str = ""

    @property
    def words(self) -> list[str]:
        """The words that are to be heard."""
        return spoken_words(self.spoken or self.text)


@dataclass(frozen=True)
class Verdict:
    """What the judges found of one sentence; `synthesis_seconds` and `first_sound_seconds` are None for recordings."""

    sentence: Sentence
    heard: str
    errors: WordErrors
    quality: float
    speech_seconds: float
    synthesis_seconds: float | None = None
    first_sound_seconds: float | None = None


@dataclass(frozen=True)
class SpeechEvaluation:
    """The verdicts on the sentences of a voice, and what they come to.

    `quality_read_on` is DNSMOS of all the sentences one behind the other. Of a sentence alone, which is shorter than
    the 9 s that DNSMOS hears, it takes repetitions, and finds them a little worse.
    """

    voice: str
    verdicts: tuple[Verdict, ...]
    quality_read_on: float | None = None

    @property
    def errors(self) -> WordErrors:
        return sum((verdict.errors for verdict in self.verdicts), WordErrors())

    @property
    def by_category(self) -> dict[str, SpeechEvaluation]:
        """The same of each category, in order of appearance."""
        names = dict.fromkeys(verdict.sentence.category for verdict in self.verdicts)
        return {
            name: SpeechEvaluation(self.voice, tuple(v for v in self.verdicts if v.sentence.category == name))
            for name in names
        }

    @property
    def worst(self) -> list[Verdict]:
        """The sentences with word errors, those with the most errors first."""
        wrong = [verdict for verdict in self.verdicts if verdict.errors.total]
        return sorted(wrong, key=lambda verdict: (-verdict.errors.total, verdict.sentence.id))

    @property
    def lost(self) -> list[Verdict]:
        """The sentences of which `LOST_WORDS` words in a row, or more, were not heard."""
        return [verdict for verdict in self.verdicts if verdict.errors.longest_deletion >= LOST_WORDS]

    @property
    def quality_mean(self) -> float:
        return fmean(verdict.quality for verdict in self.verdicts)

    @property
    def quality_p5(self) -> float:
        """The quality that 95 % of the sentences reach."""
        return float(np.percentile([verdict.quality for verdict in self.verdicts], 5))

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of work for a second of speech; None for recordings."""
        spent = [verdict.synthesis_seconds for verdict in self.verdicts if verdict.synthesis_seconds is not None]
        return sum(spent) / sum(verdict.speech_seconds for verdict in self.verdicts) if spent else None

    @property
    def first_sound_ms(self) -> tuple[float, float] | None:
        """The median and the longest wait for the first sound; None for recordings."""
        waits = [verdict.first_sound_seconds for verdict in self.verdicts if verdict.first_sound_seconds is not None]
        return (1000 * float(np.median(waits)), 1000 * max(waits)) if waits else None

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON."""
        return {
            "voice": self.voice,
            **self._summary(),
            "categories": {name: part._summary() for name, part in self.by_category.items()},
            "sentences": [_described(verdict) for verdict in self.verdicts],
        }

    def _summary(self) -> dict[str, Any]:
        first = self.first_sound_ms
        return {
            "sentences_judged": len(self.verdicts),
            "words": self.errors.n_words,
            "word_error_rate": self.errors.rate,
            "substitutions": self.errors.substitutions,
            "insertions": self.errors.insertions,
            "deletions": self.errors.deletions,
            "longest_deletion": self.errors.longest_deletion,
            "sentences_that_lost_words": [verdict.sentence.id for verdict in self.lost],
            "dnsmos_read_on": self.quality_read_on,
            "dnsmos_mean": self.quality_mean,
            "dnsmos_p5": self.quality_p5,
            "real_time_factor": self.real_time_factor,
            "first_sound_ms_median": first and first[0],
            "first_sound_ms_longest": first and first[1],
        }


def evaluate(
    voice: str | None = None,
    sentences: Sequence[Sentence] | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> SpeechEvaluation:
    """Speaks sentences (by default those of the project) with a voice and has them judged, one after the other.

    Raises:
        MissingDependency: when the judge of words is not installed.
        InvalidInput, WeightsError: as `tts.stream`.
    """
    from tts.api import stream
    from tts.options import DEFAULT_VOICE

    loader = loader or loaders.default()
    voice = voice or DEFAULT_VOICE
    speak = partial(stream, voice=voice, options=options, loader=loader)
    return evaluate_speaker(speak, voice, read_sentences() if sentences is None else sentences, loader, progress)


def evaluate_speaker(
    speak: Callable[[str], Iterator[SpeechChunk]],
    name: str,
    sentences: Sequence[Sentence],
    loader: ModelLoader,
    progress: Progress | None = None,
) -> SpeechEvaluation:
    """Evaluates whatever turns text into a stream of speech, called `name`; see `evaluate`."""
    if not sentences:
        raise InvalidInput("There are no sentences to judge.")
    progress = progress or Progress()
    verdicts, sounds = [], []
    with loader.use(WHISPER, progress), loader.use(DNSMOS, progress):  # what is missing shows before any work
        for _ in speak(WARM_UP):
            progress.check()
        for i, sentence in enumerate(sentences):
            progress.update("speaking and judging", i / len(sentences))
            verdict, sound = _speak_and_judge(speak, sentence, loader)
            verdicts.append(verdict)
            sounds.append(sound)
        return SpeechEvaluation(name, tuple(verdicts), quality_read_on(sounds, loader))


def quality_read_on(sounds: Sequence[Audio], loader: ModelLoader) -> float:
    """Returns DNSMOS of sounds of one sample rate that follow each other."""
    joined = np.concatenate([sound.samples for sound in sounds], axis=-1)
    return overall_quality(Audio(joined, sounds[0].sample_rate), loader)


def judge(sentence: Sentence, audio: Audio, loader: ModelLoader) -> Verdict:
    """Returns the verdict on a recording of a sentence.

    Where the judge writes figures it is asked once more, for words, and what agrees better counts: neither
    how it spells a number nor how it fails to is an error of the voice.
    """
    hearings = [transcribe(audio, loader)]
    if NUMERALS & set(hearings[0]):
        hearings.append(transcribe(audio, loader, in_words=True))
    counted = [(count_errors(sentence.words, spoken_words(heard)), heard) for heard in hearings]
    errors, heard = min(counted, key=lambda found: found[0].total)
    return Verdict(sentence, heard, errors, overall_quality(audio, loader), audio.duration_seconds)


def read_sentences(path: Path | None = None) -> tuple[Sentence, ...]:
    """Reads a test set from a CSV file with the columns id, category, text and spoken; by default the project's own.

    >>> read_sentences()[0].text
    'The river was low that summer, and the boats lay tilted on the mud.'
    """
    source = path or resources.files("tts") / "data" / "sentences.csv"
    return tuple(Sentence(**row) for row in csv.DictReader(source.read_text(encoding="utf-8").splitlines()))


def read_own_sentences(path: Path) -> tuple[Sentence, ...]:
    """Reads a text file with a sentence on each line, whose words are to be heard as they are written.

    Raises:
        InvalidInput: when it cannot be read as text, or holds no words.
    """
    try:
        if path.stat().st_size > MOST_BYTES_OF_TEXT:
            raise InvalidInput(f"{path} is larger than {MOST_BYTES_OF_TEXT // 10**6} MB: choose a part of it.")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text.") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    found = tuple(Sentence(f"line-{i}", "own text", line.strip()) for i, line in enumerate(lines, 1))
    with_words = tuple(sentence for sentence in found if sentence.words)
    if not with_words:
        raise InvalidInput(f"{path} holds no words.")
    return with_words


def choose(
    sentences: Sequence[Sentence], categories: Sequence[str] = (), limit: int | None = None
) -> tuple[Sentence, ...]:
    """Returns the sentences of some categories, and of those `limit` that are spread evenly over them.

    Raises:
        InvalidOption: for a category that no sentence has.

    >>> [sentence.id for sentence in choose(read_sentences(), ["money"], 2)]
    ['money-01', 'money-08']
    """
    known = dict.fromkeys(sentence.category for sentence in sentences)
    for name in categories:
        if name not in known:
            raise InvalidOption(f"Unknown category '{name}'.{did_you_mean(name, known)} Known: {', '.join(known)}.")
    found = [sentence for sentence in sentences if not categories or sentence.category in categories]
    if limit is None or limit >= len(found):
        return tuple(found)
    return tuple(found[i * len(found) // limit] for i in range(limit))


def _speak_and_judge(
    speak: Callable[[str], Iterator[SpeechChunk]], sentence: Sentence, loader: ModelLoader
) -> tuple[Verdict, Audio]:
    began = time.perf_counter()
    chunks, first = [], 0.0
    for chunk in speak(sentence.text):
        first = first or time.perf_counter() - began
        chunks.append(chunk)
    spent = time.perf_counter() - began
    audio = Speech.join(chunks).audio
    verdict = judge(sentence, audio, loader)
    return replace(verdict, synthesis_seconds=spent, first_sound_seconds=first), audio


def _described(verdict: Verdict) -> dict[str, Any]:
    return {
        "id": verdict.sentence.id,
        "category": verdict.sentence.category,
        "text": verdict.sentence.text,
        "heard": verdict.heard,
        "word_errors": verdict.errors.total,
        "longest_deletion": verdict.errors.longest_deletion,
        "dnsmos": verdict.quality,
        "speech_seconds": verdict.speech_seconds,
        "synthesis_seconds": verdict.synthesis_seconds,
        "first_sound_seconds": verdict.first_sound_seconds,
    }
