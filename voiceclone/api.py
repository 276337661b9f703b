"""The verbs of this package: `enroll` makes a voice of recordings, which `check` looks at before; `clone` speaks with
it, `convert` lends it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from audio_ml import loader as loaders
from audio_ml.audio import Audio
from audio_ml.cloned_voice import ClonedVoice, Consent, checked_name
from audio_ml.errors import ConsentMissing, InvalidOption, WeightsError
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.speaking import Speaker, Speller
from audio_ml.speech import Speech, SpeechChunk
from voiceclone import zero_shot
from voiceclone.consent import EXAMPLE, check_speaker, parse_consent, with_recording
from voiceclone.options import CloneOptions, EnrolOptions, marks

if TYPE_CHECKING:
    from voiceclone.checks import Checked

Recording = Audio | str | os.PathLike[str]
LANGUAGE = "en"  # that voices are fitted with
Denoiser = Callable[[Audio, Progress], Audio]


def enroll(
    references: Recording | Sequence[Recording],
    name: str,
    consent: Consent | str | None,
    *,
    consent_recording: str | os.PathLike[str] | None = None,
    denoiser: Denoiser | None = None,
    options: EnrolOptions | Mapping[str, Any] | None = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> ClonedVoice:
    """Makes a voice of one recording or several of one person; what was found in them is in its provenance.

    `consent` says who agreed, when and to what, such as "Anna Smith, 2026-11-26, temp ADR for reel 3";
    `consent_recording` is the file in which they say so. A `denoiser` cleans the speech up first.

    Raises:
        ConsentMissing: without a consent, or when its recording says something else or is of another voice.
        InvalidInput: for a name that no voice can have, an unknown model, and recordings of which no voice can be made.
        WeightsError: when a network cannot be had.
    """
    name, chosen = checked_name(name), parse(EnrolOptions, options)
    loader, progress = loader or loaders.default(), progress or Progress()
    if chosen.quick and (fitting := chosen.model_fields_set & {"steps", "seed"}):
        raise InvalidOption(f"A quick voice is not fitted: {', '.join(sorted(fitting))} would do nothing.")
    if consent is None or (isinstance(consent, str) and not consent.strip()):
        raise ConsentMissing(f"No voice is made without consent: say who agreed, when and to what, as in '{EXAMPLE}'.")
    agreed = parse_consent(consent) if isinstance(consent, str) else consent
    for model in chosen.also:
        zero_shot.find(model)  # an unknown one is told before any work
    from voiceclone.enrolment import make_voice  # brings the networks
    from voiceclone.reference import prepare

    if consent_recording is not None:
        agreed = with_recording(agreed, consent_recording, loader, progress)
    reference = prepare(
        references,
        seconds=chosen.seconds,
        denoiser=denoiser,
        language_of=None if chosen.quick else _language_of(loader, progress),
        loader=loader,
        progress=progress,
    )
    if consent_recording is not None:
        check_speaker(consent_recording, reference.audio, loader, progress)
    return make_voice(reference, name, agreed, chosen, loader, progress, denoised=denoiser is not None)


def check(
    references: Recording | Sequence[Recording],
    *,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Checks recordings of a person as `enroll` does, and tells of each check how it went; nothing is made or kept.

    Raises:
        InvalidInput: when there is no recording.
        UnreadableAudio: when a file cannot be read.
        WeightsError: when a network cannot be had.
    """
    from voiceclone.checks import check_references  # brings the networks

    loader, progress = loader or loaders.default(), progress or Progress()
    recordings = [references] if isinstance(references, (Audio, str, os.PathLike)) else list(references)
    return check_references(recordings, language_of=_language_of(loader, progress), loader=loader, progress=progress)


def clone(
    text: str,
    voice: ClonedVoice,
    *,
    speaker: Speaker,
    options: Mapping[str, Any] | None = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> Speech:
    """Speaks a text with a cloned voice; the joined stream of `clone_stream`."""
    return Speech.join(clone_stream(text, voice, speaker=speaker, options=options, loader=loader, progress=progress))


def clone_stream(
    text: str,
    voice: ClonedVoice,
    *,
    speaker: Speaker,
    options: Mapping[str, Any] | None = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> Iterator[SpeechChunk]:
    """Speaks a text with a cloned voice chunk by chunk, by a `speaker` such as `tts.VoiceSpeaker()`.

    What the speaker does not mark is marked here, unless the option `watermark` is off; all other options are the
    speaker's.

    Raises:
        InvalidInput: when text, voice or options do not fit.
        WeightsError: when a network cannot be had.
    """
    given = dict(options or {})
    progress = progress or Progress()
    is_to_be_marked = marks(given)
    theirs = {
        k: v for k, v in given.items() if k not in CloneOptions.model_fields or k in speaker.spec.options.model_fields
    }
    chunks = speaker.speak(text, voice, theirs, progress)
    if not is_to_be_marked:
        return chunks
    return (_marked(chunk, loader or loaders.default(), progress) for chunk in chunks)


def convert(
    audio: Recording,
    voice: ClonedVoice,
    *,
    speller: Speller | None = None,
    options: Mapping[str, Any] | None = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> Audio:
    """Lends a voice to the speech in a recording: the same words at the same times, as long to the sample.

    Fewer words are lost with what spells them, such as `tts.spell`: they are then listened for, where it is English.

    Raises:
        InvalidInput: for options that do not fit, and sound in which nobody speaks.
        WeightsError: when a network cannot be had.
    """
    from audio_ml.watermark import mark
    from voiceclone.conversion import convert as converted_by

    given = dict(options or {})
    loader, progress = loader or loaders.default(), progress or Progress()
    is_to_be_marked = marks(given)
    theirs = {name: value for name, value in given.items() if name not in CloneOptions.model_fields}
    converted = converted_by(audio, voice, speller=speller, options=theirs, loader=loader, progress=progress)
    return mark(converted, loader, progress) if is_to_be_marked else converted


def _language_of(loader: ModelLoader, progress: Progress) -> Callable[[Audio], tuple[str, float]] | None:
    """Returns what tells languages apart where it is installed and here, or can be fetched; it is no must."""
    from audio_ml.judges.whisper import spoken_language

    def language_of(audio: Audio) -> tuple[str, float]:
        try:
            return spoken_language(audio, loader, progress)
        except WeightsError:
            return LANGUAGE, 0.0

    return language_of if find_spec("faster_whisper") else None


def _marked(chunk: SpeechChunk, loader: ModelLoader, progress: Progress) -> SpeechChunk:
    if chunk.marked or not chunk.audio.samples.any():
        return chunk
    from audio_ml.watermark import mark

    return replace(chunk, audio=mark(chunk.audio, loader, progress), marked=True)
