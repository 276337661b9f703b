"""Chatterbox by Resemble AI: speaks English in the voice of ten seconds of speech, in an environment of its own.

https://github.com/resemble-ai/chatterbox; its package wants torch 2.6 and numpy 1, which ours cannot be.
"""

from __future__ import annotations

import functools

from pydantic import Field

from audio_ml.catalogue import Licence, Row, WeightFile
from audio_ml.options import Options
from audio_ml.sources import HubSource
from voiceclone.pipes import WORKERS, Apart, PipeEngine
from voiceclone.zero_shot import ZeroShotModel

CHATTERBOX = Apart("chatterbox", WORKERS / "chatterbox_worker.py", "chatterbox-tts==0.1.7")
FILES = ("ve.safetensors", "t3_cfg.safetensors", "s3gen.safetensors", "tokenizer.json")


class ChatterboxOptions(Options):
    """Options of Chatterbox."""

    temperature: float = Field(0.8, ge=0.05, le=2, description="How far readings differ.")
    exaggeration: float = Field(0.5, ge=0, le=2, description="How much feeling: from 1 on it is theatre.")
    cfg_weight: float = Field(0.5, ge=0.05, le=1, description="How closely the pace of the reference is kept.")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="Another seed is another reading.")


MODELS: list[Row] = [
    ZeroShotModel(
        name="chatterbox",
        task="voiceclone",
        summary="Speaks English like ten seconds of speech, with feeling; in an environment of its own.",
        licence=Licence("MIT", commercial=True, note="Its package puts a PerTh watermark of its own into all speech."),
        files=tuple(WeightFile(name, 0, "", (HubSource("ResembleAI/chatterbox", name, "main"),)) for name in FILES),
        outputs=("speech",),
        sample_rate=24000,
        n_channels=1,
        memory_bytes=3_800_000_000,  # what 3.2 GB of weights and a few libraries take; it was never measured
        is_apart=True,
        options=ChatterboxOptions,
        engine=functools.partial(PipeEngine, apart=CHATTERBOX),
        languages=("en",),
        longest_reference_seconds=30.0,  # ten are heard for the sound, all of it for who speaks
        keeps="a mel spectrogram and speech tokens of its first 10 s, which Chatterbox makes sound of again",
    )
]
