"""F5-TTS: speaks English and Chinese in the voice of twelve seconds whose words are known; it runs apart.

Chen et al. 2024, "F5-TTS: a fairytaler that fakes fluent and faithful speech with flow matching" (arXiv:2410.06885).
Its package brings what training needs, bitsandbytes, datasets and wandb among them, which ours should not.
"""

from __future__ import annotations

import functools

from pydantic import Field

from audio_ml.catalogue import Licence, Row, WeightFile
from audio_ml.options import Options
from audio_ml.sources import HubSource
from voiceclone.pipes import WORKERS, Apart, PipeEngine
from voiceclone.zero_shot import ZeroShotModel

F5 = Apart("f5-tts", WORKERS / "f5_worker.py", "f5-tts==1.1.22")
ADDRESSES = {
    "model_1250000.safetensors": ("SWivid/F5-TTS", "F5TTS_v1_Base/model_1250000.safetensors"),
    "vocab.txt": ("SWivid/F5-TTS", "F5TTS_v1_Base/vocab.txt"),
    "config.yaml": ("charactr/vocos-mel-24khz", "config.yaml"),
    "pytorch_model.bin": ("charactr/vocos-mel-24khz", "pytorch_model.bin"),
}


class F5Options(Options):
    """Options of F5-TTS."""

    speed: float = Field(1.0, ge=0.5, le=2, description="Faster or slower than the reference.")
    steps: int = Field(
        32,
        ge=4,
        le=64,
        description="Steps from noise to sound: fewer are faster.",
        json_schema_extra={"advanced": True},
    )
    guidance: float = Field(
        2.0, ge=0, le=10, description="How closely it keeps to text and voice.", json_schema_extra={"advanced": True}
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Another seed is another reading.")


MODELS: list[Row] = [
    ZeroShotModel(
        name="f5-tts",
        task="voiceclone",
        summary="Speaks English and Chinese like twelve seconds of speech whose words are known; runs apart.",
        licence=Licence(
            "CC BY-NC 4.0",
            commercial=False,
            note="Trained on Emilia, whose recordings may not be used commercially; the code is MIT.",
            must_accept=True,
        ),
        files=tuple(
            WeightFile(name, 0, "", (HubSource(repository, path, "main"),))
            for name, (repository, path) in ADDRESSES.items()
        ),
        outputs=("speech",),
        sample_rate=24000,
        n_channels=1,
        memory_bytes=2_500_000_000,  # what 1.4 GB of weights and a few libraries take; it was never measured
        is_apart=True,
        options=F5Options,
        engine=functools.partial(PipeEngine, apart=F5),
        languages=("en", "zh"),
        longest_reference_seconds=12.0,  # of more its package drops the end, but not the words of it
        needs_transcript=True,
        keeps="its first 12 s as they sound, and their words",
    )
]
