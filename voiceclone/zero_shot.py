"""Models that speak like a recording: what a row and an engine of theirs are, and how a cloned voice uses one.

Such a model makes something of a reference once, arrays that it alone understands; a voice keeps them under the name
of the row. It reads text by itself, so it tells no times of words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from audio_ml import catalogue
from audio_ml import loader as loaders
from audio_ml.audio import Audio, Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import InvalidInput, ReferenceUnfit, UnknownModel, did_you_mean
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.provenance import Provenance, record
from audio_ml.speech import SpeechChunk, SpeechWarning
from voiceclone.options import marks

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class ZeroShotModel(ModelSpec):
    """A row of such a model: the `languages` ("en") it reads, and how many seconds of a reference it hears at most.

    With `needs_transcript` it wants to know what is said there. `keeps` tells what of the reference stays in a voice.
    """

    languages: tuple[str, ...] = ()
    longest_reference_seconds: float = 30.0
    needs_transcript: bool = False
    keeps: str = ""


@dataclass(frozen=True, eq=False)
class Utterance:
    """A sentence or so as a model speaks it, `samples` [time], and what went wrong with it, if anything did."""

    samples: Samples
    warning: str = ""


class ZeroShotEngine(Protocol):
    """Runs one model."""

    def enroll(self, reference: Audio, transcript: str, progress: Progress) -> Arrays:
        """Returns what the model keeps of a reference, mono at its own rate; `transcript` may be ""."""
        ...

    def speak(self, text: str, state: Arrays, options: Any, progress: Progress) -> Iterator[Utterance]:
        """Yields a text piece by piece; the same seed gives the same samples.

        Raises:
            InvalidInput: when the text has nothing to say, or the state is not one of this model's.
        """
        ...


def models() -> dict[str, ZeroShotModel]:
    """Returns the rows of such models by name."""
    return {row.name: row for row in catalogue.models("voiceclone") if isinstance(row, ZeroShotModel)}


def find(name: str) -> ZeroShotModel:
    """Returns the row of that name.

    Raises:
        UnknownModel: when no model that imitates a recording has it.
    """
    known = models()
    try:
        return known[name]
    except KeyError:
        hint = did_you_mean(name, known)
        raise UnknownModel(f"No model '{name}' speaks like a recording.{hint} There are: {', '.join(known)}.") from None


def enroll(
    reference: Audio,
    model: str | ZeroShotModel,
    *,
    transcript: str = "",
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> dict[str, NDArray[Any]]:
    """Returns what a model keeps of a reference; a voice holds it in `states` under the row's name.

    Of a longer reference only the beginning is heard, so choose it. A model that needs the words of that beginning
    has them from `transcript`; without one they are written down by the judge of words, as English.

    Raises:
        UnknownModel: when there is no such model.
        MissingDependency: when the words are needed, and nothing that hears words is installed.
        ReferenceUnfit: when the words are needed, and none are heard.
    """
    spec = find(model) if isinstance(model, str) else model
    loader, progress = loader or loaders.default(), progress or Progress()
    prompt = prompt_of(reference, spec)
    words = transcript.strip()
    if spec.needs_transcript and not words:
        words = _words_in(prompt, spec, loader, progress)
    with loader.use(spec, progress) as engine:
        progress.update(f"enrolling for {spec.name}", 0.0)
        state = engine.enroll(prompt, words, progress)
    return {name: np.asarray(array) for name, array in state.items()}


def prompt_of(reference: Audio, spec: ZeroShotModel) -> Audio:
    """Returns a reference as a model hears it: mono, at its rate, no longer than it can use."""
    from audio_ml.streams import Resampler

    n_samples = round(spec.longest_reference_seconds * reference.sample_rate)
    mixed = reference.samples[:, :n_samples].mean(axis=0, keepdims=True)
    resampled = np.concatenate(list(Resampler(reference.sample_rate, spec.sample_rate, 1).stream([mixed])), axis=-1)
    return Audio(resampled.clip(-1, 1), spec.sample_rate)


def _words_in(prompt: Audio, spec: ZeroShotModel, loader: ModelLoader, progress: Progress) -> str:
    from audio_ml.judges.whisper import transcribe

    progress.update(f"writing the words down for {spec.name}", 0.0)
    words = transcribe(prompt, loader, progress)
    if not any(character.isalnum() for character in words):
        raise ReferenceUnfit(
            f"No words were heard in the first {prompt.duration_seconds:.0f} s of the reference, and {spec.name} needs "
            "them: give a recording that begins with speech."
        )
    return words


class ZeroShotSpeaker:
    """Speaks with cloned voices through one of these models; `voiceclone.clone` takes it as its speaker.

    >>> ZeroShotSpeaker("pocket-tts").spec.sample_rate
    24000
    """

    def __init__(self, model: str | ZeroShotModel, loader: ModelLoader | None = None) -> None:
        self.spec = find(model) if isinstance(model, str) else model
        self._loader = loader

    def speak(
        self,
        text: str,
        voice: ClonedVoice,
        options: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Iterator[SpeechChunk]:
        """Checks all there is to check, and returns the stream of chunks; none of them is marked yet.

        Raises:
            InvalidInput: when the text is empty, or the voice was never enrolled for this model.
            InvalidOption: when an option is not one of the model's.
        """
        name = self.spec.name
        if not text.strip():
            raise InvalidInput("There is nothing to say: the text is empty.")
        if name not in voice.states:
            others = ", ".join(voice.states)
            known = f"it was for {others}" if others else "it was for no such model"
            raise InvalidInput(
                f"The voice {voice.name} was not enrolled for {name}; {known}. Enrol it anew for {name}."
            )
        chosen = parse(self.spec.options, options)
        return self._stream(text, voice.states[name], chosen, progress or Progress())

    def provenance(self, text: str, voice: ClonedVoice, options: Mapping[str, Any] | None = None) -> Provenance:
        """Returns what a file of this speech carries; `options` may have those of `voiceclone.clone` as well."""
        told = {"voice": voice.name, **(options or {})}
        sha256 = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        device = (self._loader or loaders.default()).device.kind
        return record(self.spec, told, device, "text", sha256, cloned_voices=[(voice, marks(told))])

    def _stream(self, text: str, state: Arrays, options: Any, progress: Progress) -> Iterator[SpeechChunk]:
        with (self._loader or loaders.default()).use(self.spec, progress) as engine:
            for utterance in engine.speak(text, state, options, progress):
                audio = Audio(utterance.samples[None], self.spec.sample_rate)
                told = (SpeechWarning(utterance.warning),) if utterance.warning else ()
                yield SpeechChunk(audio, warnings=told)
