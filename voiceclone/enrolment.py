"""From a checked reference to a voice: what encoders hear in it, its pitch and mel spectrogram, a style for Kokoro."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio
from audio_ml.cloned_voice import MOST_MEL_FRAMES, ClonedVoice, Consent, Intonation
from audio_ml.errors import ReferenceUnfit
from audio_ml.loader import ModelLoader
from audio_ml.pitch import track
from audio_ml.progress import Progress
from voiceclone.encoders import embeddings
from voiceclone.inversion import invert
from voiceclone.mel import log_mel
from voiceclone.options import EnrolOptions
from voiceclone.reference import Reference


def make_voice(
    reference: Reference,
    name: str,
    consent: Consent,
    options: EnrolOptions,
    loader: ModelLoader,
    progress: Progress,
    *,
    denoised: bool = False,
) -> ClonedVoice:
    """Returns the voice of a reference.

    Raises:
        ReferenceUnfit: when nothing in it has a pitch, or a further model needs its words and none are heard.
        WeightsError: when a network cannot be had.
    """
    audio = reference.audio
    progress.update("listening to the voice", 0.0)
    pitch = track(audio, loader, progress)
    mean, spread = pitch.mean_log, pitch.spread_log
    if mean is None or spread is None:
        raise ReferenceUnfit("Nothing in the reference has a pitch: a whisper cannot become a voice.")
    heard = embeddings(audio, loader, progress)
    states = _states(audio, options.also, loader, progress)
    found = invert(heard, Intonation(mean, spread), options, loader, progress)
    return ClonedVoice(
        name=name,
        styles=found.styles,
        delta=found.delta,
        layer_offsets=found.layer_offsets,
        embeddings=heard,
        reference_mel=log_mel(audio)[:, :MOST_MEL_FRAMES].astype(np.float16),
        pitch=Intonation(mean, spread),
        loudness_lufs=reference.loudness_lufs,
        sample_rate=reference.sample_rate,
        speech_seconds=reference.speech_seconds,
        consent=consent,
        language=options.language,
        states=states,
        provenance=_provenance(reference, options, denoised, found.report),
    )


def _states(
    audio: Audio, models: Sequence[str], loader: ModelLoader, progress: Progress
) -> dict[str, Mapping[str, NDArray[Any]]]:
    """Returns what further models keep of a reference, by their names."""
    if not models:
        return {}
    from voiceclone import zero_shot

    specs = [zero_shot.find(model) for model in models]
    return {spec.name: zero_shot.enroll(audio, spec, loader=loader, progress=progress) for spec in specs}


def _provenance(
    reference: Reference, options: EnrolOptions, denoised: bool, fitted: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "software": f"audio-ml {version('audio-ml')}",
        "references": list(reference.sources),
        "denoised": denoised,
        "measured": dict(reference.measured),
        "findings": [finding.as_dict() for finding in reference.findings],
        "options": options.model_dump(mode="json"),
        "fitted": dict(fitted),
    }
