"""How good converted speech is: whose voice it has, and whether words, melody and length stayed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Generic, TypeVar

from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.word_errors import WordErrors
from voiceclone.evaluation import judged
from voiceclone.evaluation.contour import correlation, tracker
from voiceclone.evaluation.judged import JUDGES, Heard, Scores, Spread
from voiceclone.evaluation.subjects import Subject

Voice = TypeVar("Voice")


@dataclass(frozen=True)
class Conversion:
    """What the judges found of a recording of `source` in the voice of `target`.

    `errors` are of the words that the judge heard in the recording itself (`said`). `melody` is the correlation of the
    pitch of both, None where too little is voiced. Whether `length_kept` is told to the sample.
    """

    source: str
    target: str
    to_target: Scores
    to_source: Scores
    said: str
    heard: str
    errors: WordErrors
    quality: float
    quality_before: float
    melody: float | None
    length_kept: bool
    speech_seconds: float
    conversion_seconds: float

    @property
    def is_nearer_target(self) -> bool:
        """Whether all judges find it more alike the target than the source."""
        return all(self.to_target[judge] > self.to_source[judge] for judge in JUDGES)


@dataclass(frozen=True)
class ConversionEvaluation:
    """The conversions among several people, and what they come to."""

    conversions: tuple[Conversion, ...]

    @property
    def errors(self) -> WordErrors:
        return sum((found.errors for found in self.conversions), WordErrors())

    @property
    def melody(self) -> Spread | None:
        told = [found.melody for found in self.conversions if found.melody is not None]
        return Spread.of(told) if told else None

    @property
    def real_time_factor(self) -> float:
        """Seconds of work for a second of speech."""
        spoken = sum(found.speech_seconds for found in self.conversions)
        return sum(found.conversion_seconds for found in self.conversions) / spoken

    def to_target(self, judge: str) -> Spread:
        return Spread.of(found.to_target[judge] for found in self.conversions)

    def to_source(self, judge: str) -> Spread:
        return Spread.of(found.to_source[judge] for found in self.conversions)

    @property
    def quality(self) -> Spread:
        return Spread.of(found.quality for found in self.conversions)

    @property
    def quality_before(self) -> Spread:
        return Spread.of(found.quality_before for found in self.conversions)

    def among(self, targets: Sequence[str]) -> ConversionEvaluation:
        """Returns the same of the conversions to some people."""
        return ConversionEvaluation(tuple(found for found in self.conversions if found.target in targets))

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON."""
        return {
            "conversions": len(self.conversions),
            "to_target": {judge: self.to_target(judge).as_dict() for judge in JUDGES},
            "to_source": {judge: self.to_source(judge).as_dict() for judge in JUDGES},
            "nearer_target": fmean(found.is_nearer_target for found in self.conversions),
            "word_error_rate": self.errors.rate,
            "dnsmos": self.quality.as_dict(),
            "dnsmos_before": self.quality_before.as_dict(),
            "melody": self.melody.as_dict() if self.melody else None,
            "lengths_kept": all(found.length_kept for found in self.conversions),
            "real_time_factor": self.real_time_factor,
            "pairs": [_described(found) for found in self.conversions],
        }


def evaluate_conversions(
    subjects: Sequence[Subject],
    *,
    enroll: Callable[[Subject], Voice],
    convert: Callable[[Audio, Voice], Audio],
    each: int = 1,
    loader: ModelLoader,
    progress: Progress | None = None,
) -> ConversionEvaluation:
    """Converts `each` ceiling recordings of every person to the voice of every other, and has the result judged.

    Both people are compared by all their test recordings together.

    Raises:
        InvalidInput: when there are fewer than two people, and as `enroll` and `convert`.
        MissingDependency: when the judge of words or that of melodies is not installed.
        WeightsError: when a judge cannot be had.
    """
    if len(subjects) < 2:
        raise InvalidInput("Conversion takes two people at the least: one who speaks, one whose voice it becomes.")
    tracker()  # what is missing shows before any work
    progress = progress or Progress()
    n_conversions = sum(min(each, len(subject.ceiling)) for subject in subjects) * (len(subjects) - 1)
    with judged.judges_held(loader, progress):
        people = {subject.name: judged.hear_all(subject.sounds("test"), loader) for subject in subjects}
        voices = {}
        for i, subject in enumerate(subjects):
            progress.update(f"making the voice of {subject.name}", i / len(subjects))
            voices[subject.name] = enroll(subject)
        bench = _Bench(convert, voices, people, loader)
        found: list[Conversion] = []
        for source in subjects:
            for audio in source.sounds("ceiling")[:each]:
                for judgement in bench.judge(source.name, audio):
                    found.append(judgement)
                    progress.update(f"converting {source.name}", len(found) / n_conversions)
        return ConversionEvaluation(tuple(found))


@dataclass(frozen=True)
class _Bench(Generic[Voice]):
    """What is the same for every pair of an evaluation."""

    convert: Callable[[Audio, Voice], Audio]
    voices: dict[str, Voice]
    people: dict[str, Heard]
    loader: ModelLoader

    def judge(self, source: str, audio: Audio) -> Iterator[Conversion]:
        """Converts a recording to the voices of all others and has that judged."""
        said, _ = judged.words_of(audio, "", self.loader)
        quality_before = judged.quality(audio, self.loader)
        for target in (name for name in self.voices if name != source):
            began = time.perf_counter()
            converted = self.convert(audio, self.voices[target])
            spent = time.perf_counter() - began
            voice = judged.hear(converted, self.loader)
            heard, errors = judged.words_of(converted, said, self.loader)
            yield Conversion(
                source=source,
                target=target,
                to_target=judged.alike_together(voice, self.people[target]),
                to_source=judged.alike_together(voice, self.people[source]),
                said=said,
                heard=heard,
                errors=errors,
                quality=judged.quality(converted, self.loader),
                quality_before=quality_before,
                melody=correlation(audio, converted),
                length_kept=_keeps_length(audio, converted),
                speech_seconds=audio.duration_seconds,
                conversion_seconds=spent,
            )


def _keeps_length(audio: Audio, converted: Audio) -> bool:
    """Tells whether the length is that of the recording, or the nearest there is at another rate."""
    return abs(converted.n_samples - audio.n_samples * converted.sample_rate / audio.sample_rate) < 1


def _described(found: Conversion) -> dict[str, Any]:
    return {
        "source": found.source,
        "target": found.target,
        "to_target": dict(found.to_target),
        "to_source": dict(found.to_source),
        "nearer_target": found.is_nearer_target,
        "said": found.said,
        "heard": found.heard,
        "words": found.errors.n_words,
        "word_errors": found.errors.total,
        "dnsmos": found.quality,
        "dnsmos_before": found.quality_before,
        "melody": found.melody,
        "length_kept": found.length_kept,
        "speech_seconds": found.speech_seconds,
        "conversion_seconds": found.conversion_seconds,
    }
