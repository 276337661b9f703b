"""How good cloned voices are: how alike, how well understood, how clean, and how quickly made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any, Generic, TypeVar

from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.word_errors import WordErrors
from voiceclone.evaluation import judged
from voiceclone.evaluation.judged import JUDGES, Heard, Scores, Spread
from voiceclone.evaluation.subjects import Subject

FLOOR_SENTENCES = 5  # that the nearest built-in voice speaks

Voice = TypeVar("Voice")
BuiltIn = Callable[[Subject], tuple[str, Callable[[str], Audio]]]


@dataclass(frozen=True)
class Verdict:
    """What the judges found of one sentence.

    `alike` is the mean of the similarities with each of the person's test recordings, `alike_together` that with all of
    them as one, `alike_reference` that with the reference that the voice was made from. `nearest` is whom of all
    people it is most alike, to ERes2Net.
    """

    sentence: str
    heard: str
    errors: WordErrors
    quality: float
    alike: Scores
    alike_together: Scores
    alike_reference: Scores
    nearest: str
    speech_seconds: float
    synthesis_seconds: float


@dataclass(frozen=True)
class Ceiling:
    """A real recording of the person, a piece of it as long as a spoken sentence, compared as a `Verdict`."""

    alike: Scores
    alike_together: Scores
    quality: float


@dataclass(frozen=True)
class Clone:
    """A cloned voice: what was found of its sentences, and between what the numbers lie.

    The ceiling is the person, the floor `floor_voice`: the built-in voice that is nearest, not cloned at all.
    """

    name: str
    enrolment_seconds: float
    verdicts: tuple[Verdict, ...]
    ceiling: tuple[Ceiling, ...]
    floor: tuple[Verdict, ...] = ()
    floor_voice: str = ""


@dataclass(frozen=True)
class CloneEvaluation:
    """The cloned voices of several people, and what they come to."""

    clones: tuple[Clone, ...]

    def only(self, names: Iterable[str]) -> CloneEvaluation:
        """Returns the same of some people."""
        wanted = set(names)
        return CloneEvaluation(tuple(clone for clone in self.clones if clone.name in wanted))

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(verdict for clone in self.clones for verdict in clone.verdicts)

    @property
    def floor(self) -> tuple[Verdict, ...]:
        return tuple(verdict for clone in self.clones for verdict in clone.floor)

    @property
    def ceiling(self) -> tuple[Ceiling, ...]:
        return tuple(real for clone in self.clones for real in clone.ceiling)

    @property
    def errors(self) -> WordErrors:
        return errors_of(self.verdicts)

    @property
    def real_time_factor(self) -> float:
        """Seconds of work for a second of speech."""
        spoken = sum(verdict.speech_seconds for verdict in self.verdicts)
        return sum(verdict.synthesis_seconds for verdict in self.verdicts) / spoken

    @property
    def recognised(self) -> float:
        """The share of sentences that were more alike the right person than any other of the set."""
        return fmean(verdict.nearest == clone.name for clone in self.clones for verdict in clone.verdicts)

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON."""
        return {**self._summary(), "people": [_described(clone) for clone in self.clones]}

    def _summary(self) -> dict[str, Any]:
        return {
            **summary(self.verdicts),
            "recognised": self.recognised,
            "real_time_factor": self.real_time_factor,
            "enrolment_seconds": fmean(clone.enrolment_seconds for clone in self.clones),
            "ceiling": _real(self.ceiling),
            "floor": summary(self.floor) if self.floor else None,
        }


def evaluate_clones(
    subjects: Sequence[Subject],
    sentences: Sequence[Sequence[str]],
    *,
    enroll: Callable[[Subject], Voice],
    speak: Callable[[str, Voice], Audio],
    built_in: BuiltIn | None = None,
    loader: ModelLoader,
    progress: Progress | None = None,
) -> CloneEvaluation:
    """Makes a voice of each person and has it judged; the joined stream of `stream_clones`."""
    found = stream_clones(
        subjects, sentences, enroll=enroll, speak=speak, built_in=built_in, loader=loader, progress=progress
    )
    return CloneEvaluation(tuple(found))


def stream_clones(
    subjects: Sequence[Subject],
    sentences: Sequence[Sequence[str]],
    *,
    enroll: Callable[[Subject], Voice],
    speak: Callable[[str, Voice], Audio],
    built_in: BuiltIn | None = None,
    loader: ModelLoader,
    progress: Progress | None = None,
) -> Iterator[Clone]:
    """Makes a voice of each person, lets it speak the person's share of `sentences`, and has it judged.

    `enroll` makes the voice, `speak` lets it say a sentence; `built_in` names the nearest voice that is not cloned, and
    how it speaks. A sentence that is spoken before warms all of it up.

    Raises:
        InvalidInput: when there is nothing to judge, and as `enroll` and `speak`.
        MissingDependency: when the judge of words is not installed.
        WeightsError: when a judge cannot be had.
    """
    if not subjects or not all(sentences):
        raise InvalidInput("There are no people or no sentences to judge.")
    return _stream(subjects, sentences, enroll, speak, built_in, loader, progress or Progress())


def _stream(
    subjects: Sequence[Subject],
    sentences: Sequence[Sequence[str]],
    enroll: Callable[[Subject], Voice],
    speak: Callable[[str, Voice], Audio],
    built_in: BuiltIn | None,
    loader: ModelLoader,
    progress: Progress,
) -> Iterator[Clone]:
    with judged.judges_held(loader, progress):
        people = {}
        for i, subject in enumerate(subjects):
            progress.update("hearing recordings", i / len(subjects))
            people[subject.name] = judged.hear_all(subject.sounds("test"), loader)
        bench = _Bench(enroll, speak, built_in, people, loader, progress)
        for i, (subject, share) in enumerate(zip(subjects, sentences, strict=True)):
            yield bench.clone(subject, share, i / len(subjects))


@dataclass(frozen=True)
class _Bench(Generic[Voice]):
    """What is the same for every person of an evaluation; `people` is how the judges hear each."""

    enroll: Callable[[Subject], Voice]
    speak: Callable[[str, Voice], Audio]
    built_in: BuiltIn | None
    people: dict[str, Heard]
    loader: ModelLoader
    progress: Progress

    def clone(self, subject: Subject, sentences: Sequence[str], fraction: float) -> Clone:
        """Makes a person's voice and has it judged."""
        self.progress.update(f"making the voice of {subject.name}", fraction)
        began = time.perf_counter()
        voice = self.enroll(subject)
        enrolment_seconds = time.perf_counter() - began
        reference = judged.hear_all(subject.sounds("reference"), self.loader)
        self.speak(sentences[0], voice)
        verdicts = []
        for i, sentence in enumerate(sentences):
            self.progress.update(f"speaking as {subject.name}", fraction + i / len(sentences) / len(self.people))
            verdicts.append(self._judge(sentence, lambda text: self.speak(text, voice), subject, reference))
        seconds = median(verdict.speech_seconds for verdict in verdicts)
        found = Clone(subject.name, enrolment_seconds, tuple(verdicts), tuple(self._ceiling(subject, seconds)))
        if self.built_in is None:
            return found
        floor_voice, speak = self.built_in(subject)
        floor = tuple(self._judge(text, speak, subject, reference) for text in sentences[:FLOOR_SENTENCES])
        return replace(found, floor=floor, floor_voice=floor_voice)

    def _judge(self, sentence: str, speak: Callable[[str], Audio], subject: Subject, reference: Heard) -> Verdict:
        self.progress.check()
        began = time.perf_counter()
        audio = speak(sentence)
        spent = time.perf_counter() - began
        voice = judged.hear(audio, self.loader)
        together = {name: judged.alike_together(voice, person) for name, person in self.people.items()}
        heard, errors = judged.words_of(audio, sentence, self.loader)
        return Verdict(
            sentence,
            heard,
            errors,
            judged.quality(audio, self.loader),
            judged.alike(voice, self.people[subject.name]),
            together[subject.name],
            judged.alike_together(voice, reference),
            max(together, key=lambda name: together[name]["eres2net"]),
            audio.duration_seconds,
            spent,
        )

    def _ceiling(self, subject: Subject, seconds: float) -> Iterable[Ceiling]:
        for sound in subject.sounds("ceiling"):
            for piece in judged.pieces(sound, seconds):
                self.progress.check()
                voice, person = judged.hear(piece, self.loader), self.people[subject.name]
                scores = judged.alike(voice, person), judged.alike_together(voice, person)
                yield Ceiling(*scores, judged.quality(piece, self.loader))


def errors_of(verdicts: Iterable[Verdict]) -> WordErrors:
    """Returns the word errors of sentences together."""
    return sum((verdict.errors for verdict in verdicts), WordErrors())


def alike_of(found: Iterable[Verdict | Ceiling], judge: str) -> Spread:
    """Returns how alike sentences or recordings are to a judge."""
    return Spread.of(each.alike[judge] for each in found)


def quality_of(found: Iterable[Verdict | Ceiling]) -> Spread:
    """Returns DNSMOS of sentences or recordings, one by one."""
    return Spread.of(each.quality for each in found)


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Returns what sentences come to, for JSON."""
    errors = errors_of(verdicts)
    return {
        "sentences": len(verdicts),
        **_real(verdicts),
        **{f"{judge}_to_reference": fmean(verdict.alike_reference[judge] for verdict in verdicts) for judge in JUDGES},
        "words": errors.n_words,
        "word_error_rate": errors.rate,
    }


def _real(found: Sequence[Verdict | Ceiling]) -> dict[str, Any]:
    scores = {judge: alike_of(found, judge).as_dict() for judge in JUDGES}
    together = {f"{judge}_together": fmean(each.alike_together[judge] for each in found) for judge in JUDGES}
    return {**scores, **together, "dnsmos": quality_of(found).as_dict()}


def _described(clone: Clone) -> dict[str, Any]:
    alone = CloneEvaluation((clone,))
    spoken = [
        {
            "text": verdict.sentence,
            "heard": verdict.heard,
            "word_errors": verdict.errors.total,
            "dnsmos": verdict.quality,
            "alike": dict(verdict.alike),
            "alike_together": dict(verdict.alike_together),
            "alike_reference": dict(verdict.alike_reference),
            "nearest": verdict.nearest,
            "speech_seconds": verdict.speech_seconds,
            "synthesis_seconds": verdict.synthesis_seconds,
        }
        for verdict in clone.verdicts
    ]
    return {"name": clone.name, "floor_voice": clone.floor_voice, **alone._summary(), "spoken": spoken}
