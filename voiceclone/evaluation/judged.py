"""What the judges say of one recording: whose voice, which words, how clean. None of them has a part in cloning."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import fmean, pstdev

import numpy as np

from audio_ml.audio import Audio
from audio_ml.judges import ecapa, eres2net
from audio_ml.judges.dnsmos import DNSMOS, overall_quality
from audio_ml.judges.whisper import NUMERALS, WHISPER, transcribe
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.speaker_windows import LEAST_SECONDS, Embedding
from audio_ml.spoken_words import spoken_words
from audio_ml.word_errors import WordErrors, count_errors

JUDGES = {"ecapa": ecapa.speaker_embedding, "eres2net": eres2net.speaker_embedding}
Heard = Mapping[str, Embedding]  # by judge
Scores = Mapping[str, float]  # by judge, too


@dataclass(frozen=True)
class Spread:
    """The mean and the standard deviation of a measure."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Returns that of one value or more."""
        listed = list(values)
        return cls(fmean(listed), pstdev(listed))

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.deviation:.2f}"

    def as_dict(self) -> dict[str, float]:
        return {"mean": self.mean, "deviation": self.deviation}


@contextmanager
def judges_held(loader: ModelLoader, progress: Progress) -> Iterator[None]:
    """Keeps all judges in memory, so that what is missing shows before any work."""
    with ExitStack() as held:
        for row in (WHISPER, DNSMOS, ecapa.ECAPA, eres2net.ERES2NET):
            held.enter_context(loader.use(row, progress))
        yield


def hear(audio: Audio, loader: ModelLoader) -> Heard:
    """Returns what the judges of voices make of a recording."""
    return {name: embed(audio, loader) for name, embed in JUDGES.items()}


def hear_all(sounds: Sequence[Audio], loader: ModelLoader) -> Heard:
    """Returns the mean of what the judges of voices make of several recordings of one person."""
    heard = [hear(sound, loader) for sound in sounds if sound.duration_seconds >= LEAST_SECONDS]
    return {name: np.mean([each[name] for each in heard], axis=0) for name in JUDGES}


def alike(one: Heard, recordings: Heard) -> Scores:
    """Returns how alike a voice is to each judge: the mean of the cosines with each of a person's recordings."""
    return {name: float(one[name] @ recordings[name]) for name in one}


def alike_together(one: Heard, recordings: Heard) -> Scores:
    """Returns the cosine with the mean of a person's recordings, which is higher: what they share weighs more."""
    return {name: float(one[name] @ recordings[name] / np.linalg.norm(recordings[name])) for name in one}


def words_of(audio: Audio, sentence: str, loader: ModelLoader) -> tuple[str, WordErrors]:
    """Returns what is heard of a spoken sentence, and which of its words are not.

    Where the judge writes figures it is asked once more, for words, and what agrees better counts.
    """
    hearings = [transcribe(audio, loader)]
    if NUMERALS & set(hearings[0]):
        hearings.append(transcribe(audio, loader, in_words=True))
    counted = [(heard, count_errors(spoken_words(sentence), spoken_words(heard))) for heard in hearings]
    return min(counted, key=lambda found: found[1].total)


def quality(audio: Audio, loader: ModelLoader) -> float:
    """Returns DNSMOS, overall."""
    return overall_quality(audio, loader)


def pieces(audio: Audio, seconds: float) -> list[Audio]:
    """Cuts a recording into equal pieces of about so many seconds: shorter speech tells less of a voice."""
    n_pieces = max(1, math.floor(audio.duration_seconds / seconds + 0.5))
    return [Audio(part, audio.sample_rate) for part in np.array_split(audio.samples, n_pieces, axis=-1)]
