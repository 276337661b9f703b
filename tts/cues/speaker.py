"""Who says the lines: a protocol, so that cloned voices can speak cues as well, and text to speech as one of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from audio_ml.audio import Audio
from audio_ml.catalogue import ModelSpec
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import InvalidOption
from audio_ml.hashing import file_sha256
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.speech import Speech
from tts.engine import SpeechModel
from tts.estimate import Estimate
from tts.options import SpeechOptions
from tts.voices import VOICE_FILE, Speaker, find_speaker


class LineSpeaker(Protocol):
    """Says lines with voices that are known by an id."""

    @property
    def device(self) -> str:
        """Where it does so: "cpu", "cuda"."""
        ...

    def model(self, voice: str) -> ModelSpec:
        """Returns the row of a voice's model; raises `UnknownVoice`."""
        ...

    def options(self, voice: str, given: Mapping[str, Any], take: int) -> Mapping[str, Any]:
        """Returns every option of a take, `speed` among them; take 0 is the line as asked for.

        Raises `InvalidOption` for options that do not fit, and for another take of what has one way only.
        """
        ...

    def fingerprint(self, voice: str, options: Mapping[str, Any]) -> Mapping[str, str]:
        """Returns what decides the sound beside line and options: the hashes of weights and lexicons."""
        ...

    def cloned(self, line: str, voice: str, options: Mapping[str, Any]) -> Sequence[tuple[ClonedVoice, bool]]:
        """Returns the cloned voices that are heard in a line, and whether what they say is marked."""
        ...

    def say(self, line: str, voice: str, options: Mapping[str, Any]) -> Speech:
        """Says a line."""
        ...

    def mark(self, audio: Audio) -> Audio:
        """Returns a line of a cloned voice with the watermark in it."""
        ...


class TextToSpeech:
    """Says lines with the voices of this package, by one `model` where it is given, but for voice files."""

    def __init__(self, loader: ModelLoader, model: str | None = None) -> None:
        self._loader, self._model = loader, model

    @property
    def device(self) -> str:
        return self._loader.device.kind

    def model(self, voice: str) -> SpeechModel:
        return self._speaker(voice).spec

    def options(self, voice: str, given: Mapping[str, Any], take: int) -> Mapping[str, Any]:
        spec = self.model(voice)
        options = parse(spec.options, given)
        assert isinstance(options, SpeechOptions)
        if take == 0:
            return options.model_dump()
        if spec.vary is None:
            raise InvalidOption(f"Option 'takes' cannot be more than 1: {spec.name} says a line in one way only.")
        return options.model_dump() | dict(spec.vary(options, take, options.seed))

    def fingerprint(self, voice: str, options: Mapping[str, Any]) -> Mapping[str, str]:
        speaker = self._speaker(voice)
        lexicons = {path: file_sha256(Path(path).expanduser()) for path in options["lexicon"]}
        cloned = {} if speaker.cloned is None else {"cloned": speaker.cloned.sha256}
        return {"voice": speaker.id} | cloned | {file.name: file.sha256 for file in speaker.spec.files} | lexicons

    def cloned(self, line: str, voice: str, options: Mapping[str, Any]) -> Sequence[tuple[ClonedVoice, bool]]:
        from tts.api import cloned_voices_in

        return cloned_voices_in(line, voice, model=self._model_of(voice), options=options)

    def say(self, line: str, voice: str, options: Mapping[str, Any]) -> Speech:
        from tts.api import synthesize

        return synthesize(line, voice, model=self._model_of(voice), options=options, loader=self._loader)

    def estimate(self, line: str, voice: str, options: Mapping[str, Any]) -> Estimate:
        """Tells about how long a line will be, and what of it cannot be said."""
        from tts.api import estimate

        return estimate(line, voice, model=self._model_of(voice), options=options)

    def mark(self, audio: Audio) -> Audio:
        from audio_ml.watermark import mark

        return mark(audio, self._loader)

    def _speaker(self, voice: str) -> Speaker:
        return find_speaker(voice, self._model_of(voice))

    def _model_of(self, voice: str) -> str | None:
        """Returns the model that was asked for, which a voice file does not want: it brings its own."""
        return None if voice.lower().endswith(VOICE_FILE) else self._model
