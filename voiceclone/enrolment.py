"""From a checked reference to a voice: what encoders hear in it, its pitch and mel spectrogram, a style for Kokoro."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio, Samples
from audio_ml.cloned_voice import MEL_HOP, MEL_RATE, MOST_MEL_FRAMES, N_MELS, ClonedVoice, Consent, Intonation
from audio_ml.errors import ReferenceUnfit
from audio_ml.loader import ModelLoader
from audio_ml.nets.mel_filters import slaney_filters
from audio_ml.pitch import track
from audio_ml.progress import Progress
from voiceclone.encoders import embeddings
from voiceclone.inversion import invert
from voiceclone.options import EnrolOptions
from voiceclone.reference import Reference

N_FFT = 1200
FAINTEST = 1e-5  # of a magnitude, before its logarithm


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
        ReferenceUnfit: when nothing in it has a pitch.
        WeightsError: when a network cannot be had.
    """
    audio = reference.audio
    progress.update("listening to the voice", 0.0)
    pitch = track(audio, loader)
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
        reference_mel=mel_spectrogram(audio),
        pitch=Intonation(mean, spread),
        loudness_lufs=reference.loudness_lufs,
        sample_rate=reference.sample_rate,
        speech_seconds=reference.speech_seconds,
        consent=consent,
        states=states,
        provenance=_provenance(reference, options, denoised, found.report),
    )


def _states(
    audio: Audio, models: Sequence[str], loader: ModelLoader, progress: Progress
) -> dict[str, Mapping[str, NDArray[Any]]]:
    """Returns what further models keep of a reference, by their names."""
    if not models:
        return {}
    from voiceclone.zero_shot import enroll

    return {model: enroll(audio, model, loader=loader, progress=progress) for model in models}


def mel_spectrogram(audio: Audio) -> NDArray[np.float16]:
    """Returns the logarithmic mel spectrogram [80, frames] of mono sound at 24 kHz, frames 12.5 ms apart."""
    assert audio.sample_rate == MEL_RATE and audio.n_channels == 1
    padded = np.pad(audio.samples[0], N_FFT // 2)[: (MOST_MEL_FRAMES - 1) * MEL_HOP + N_FFT]
    frames: Samples = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::MEL_HOP]
    magnitudes = np.abs(np.fft.rfft(frames * np.hanning(N_FFT).astype(np.float32), axis=1))
    mels = slaney_filters(MEL_RATE, N_FFT, N_MELS) @ magnitudes.T
    return np.log(np.maximum(mels, FAINTEST)).astype(np.float16)


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
