"""Cloning as it is evaluated: the verbs with everything around them settled, for people whose recordings are files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from audio_ml.audio import Audio
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from voiceclone.evaluation.floor import nearest_voice
from voiceclone.evaluation.subjects import Subject

BUILT_IN = "kokoro"
LANGUAGE = "en"
VOICE_NAME = "evaluated"  # it is kept nowhere, and a person's folder may be called what no voice can be


@dataclass(frozen=True)
class Cloning:
    """Makes voices of people under one `consent`, keeps them nowhere, and speaks and converts with them.

    `model` is what speaks; by default the first that can.
    """

    consent: str
    loader: ModelLoader
    progress: Progress
    model: str | None = None
    enrol_options: Mapping[str, Any] = field(default_factory=dict)
    clone_options: Mapping[str, Any] = field(default_factory=dict)
    convert_options: Mapping[str, Any] = field(default_factory=dict)

    def enroll(self, subject: Subject) -> ClonedVoice:
        """Makes the voice of a person's reference."""
        import voiceclone

        references = [str(path) for path in subject.reference]
        return voiceclone.enroll(
            references,
            VOICE_NAME,
            self.consent,
            options=self.enrol_options,
            loader=self.loader,
            progress=self.progress,
        )

    def speak(self, text: str, voice: ClonedVoice) -> Audio:
        """Speaks with a cloned voice, marked as everywhere."""
        import tts
        import voiceclone

        speaker = tts.VoiceSpeaker(self.loader, self.model)
        return voiceclone.clone(text, voice, speaker=speaker, options=self.clone_options, loader=self.loader).audio

    def convert(self, audio: Audio, voice: ClonedVoice) -> Audio:
        """Lends a voice to a recording."""
        import tts
        import voiceclone

        return voiceclone.convert(audio, voice, speller=tts.spell, options=self.convert_options, loader=self.loader)

    def built_in(self, subject: Subject) -> tuple[str, Callable[[str], Audio]]:
        """Names the English voice of Kokoro that is nearest to a person, which is the floor, and how it speaks."""
        import tts
        from tts.voices import list_voices

        names = (speaker.id.partition("/") for speaker in list_voices(LANGUAGE))
        name = nearest_voice(subject, [name for model, _, name in names if model == BUILT_IN], self.loader)
        return name, lambda text: tts.synthesize(text, f"{BUILT_IN}/{name}", loader=self.loader).audio
