"""Cloned voices for tests: of nobody, small in effort, and the same for the same seed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from audio_ml.cloned_voice import EMBEDDING_SIZES, N_MELS, ClonedVoice, Consent, Intonation
from audio_ml.nets.kokoro_voices import N_ROWS, N_STYLE

CONSENT = Consent("Anna Smith", "2026-11-26", "temp ADR for reel 3", "I, Anna Smith, agree.", checked="not checked")


def made_up_voice(name: str = "anna", seed: int = 0, **changes: Any) -> ClonedVoice:
    """Returns a voice of random numbers, with some of its fields changed."""
    random = np.random.default_rng(seed)

    def noise(*shape: int) -> Any:
        return random.uniform(-1, 1, shape).astype(np.float32)

    voice = ClonedVoice(
        name=name,
        styles=noise(N_ROWS, N_STYLE),
        delta=noise(N_STYLE),
        embeddings={key: noise(size) for key, size in EMBEDDING_SIZES.items()},
        reference_mel=noise(N_MELS, 20).astype(np.float16),
        pitch=Intonation(5.2, 0.2),
        loudness_lufs=-23.0,
        sample_rate=48000,
        speech_seconds=12.5,
        consent=CONSENT,
        provenance={"references": ["take.wav"]},
    )
    return replace(voice, **changes)
