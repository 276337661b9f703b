"""What the style of a voice is inverted through: Kokoro, half of it in torch."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.catalogue import DerivedFile, Licence, ModelSpec, Row
from audio_ml.device import Device, prefers_half
from audio_ml.nets import kokoro_files
from audio_ml.nets.kokoro_voices import read_voice
from audio_ml.onnx_sessions import cpu_session
from voiceclone.nets.kokoro_prosody import DECODER_INPUTS

if TYPE_CHECKING:
    import torch

    from voiceclone.nets.kokoro_decoder import KokoroDecoder

SAMPLE_RATE = 24000
PROSODY_FILE = "prosody.onnx"
SENTENCES = Path(__file__).parents[1] / "data" / "fitting_sentences.json"

Prepared = Mapping[str, "torch.Tensor"]


class KokoroInversionEngine:
    """Says the sentences that a voice is fitted with; gradients go through its decoder, and only as far as its style.

    `decoder` computes in bfloat16 where the device is faster at it.
    """

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        import torch

        from voiceclone.nets.kokoro_decoder import load_decoder

        self.kind, self.cores = device.kind, device.cores
        self._prosody = cpu_session(files[PROSODY_FILE], device.cores)
        self._voice = functools.cache(lambda name: read_voice(files[f"{name}.bin"]))
        self.dtype = torch.bfloat16 if prefers_half(device.kind) else torch.float32
        decoder = load_decoder(files[kokoro_files.MODEL_FILE])
        self._matrix, self._offsets = (layers.to(device.kind) for layers in decoder.style_layers())
        self.decoder: KokoroDecoder = decoder.to(device.kind, self.dtype)

    def voice(self, name: str) -> NDArray[np.float32]:
        """Returns the table of styles [510, 256] of a voice of the model."""
        return self._voice(name)

    def affines(self, timbre: torch.Tensor) -> torch.Tensor:
        """Returns what the decoder's layers see [n, affines] of the timbre halves of styles [n, 128], in float32."""
        return timbre @ self._matrix.T + self._offsets

    def prepare(self, sentence: Mapping[str, Any], styles: NDArray[np.float32]) -> Prepared:
        """Returns what the decoder starts from when a sentence is said with a table of styles [510, 256]."""
        import torch

        inputs = {
            "input_ids": np.array([sentence["input_ids"]], np.int64),
            "style": styles[len(sentence["phonemes"]) - 1][None],
            "speed": np.ones(1, np.float32),
        }
        found = self._prosody.run(list(DECODER_INPUTS.values()), inputs)
        named = zip(DECODER_INPUTS, found, strict=True)
        return {name: torch.from_numpy(value).to(self.kind, self.dtype) for name, value in named}


@functools.cache
def fitting_sentences() -> Sequence[Mapping[str, Any]]:
    """Returns the sentences a voice is fitted with, with their `text`, `phonemes` and `input_ids`."""
    sentences: Sequence[Mapping[str, Any]] = json.loads(SENTENCES.read_text(encoding="utf-8"))
    return sentences


KOKORO_INVERSION = ModelSpec(
    name="kokoro-inversion",
    task="voiceclone",
    summary="Finds the style with which Kokoro speaks like a reference.",
    licence=Licence("Apache-2.0", commercial=True),
    files=(kokoro_files.FLOAT32, *kokoro_files.VOICES),
    files_shared_with=("kokoro",),
    derived=(DerivedFile(PROSODY_FILE, (kokoro_files.MODEL_FILE,), "voiceclone.nets.kokoro_prosody:build", "1"),),
    outputs=("voice",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=900_000_000,
    verified="2026-11-26",
    engine=KokoroInversionEngine,
)

MODELS: list[Row] = [KOKORO_INVERSION]
