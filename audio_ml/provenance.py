"""What made a result: model, weights, options, source, and the software's versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from audio_ml.catalogue import ModelSpec

PROVENANCE_CHUNK = b"prov"  # of a WAV file
PROVENANCE_TAG = "AUDIO_ML_PROVENANCE"  # of formats with tags
LIBRARIES = ("numpy", "onnxruntime", "torch", "soxr", "soundfile", "av", "hibari-tts")


@dataclass(frozen=True)
class Provenance:
    """A record that lets a result be checked or made again."""

    software: str
    model: str
    licence: str
    weights_sha256: Mapping[str, str]
    options: Mapping[str, Any]
    device: str
    source: str
    source_sha256: str
    source_umid: str | None
    versions: Mapping[str, str]


def record(
    spec: ModelSpec,
    options: Mapping[str, Any],
    device: str,
    source: str | os.PathLike[str],
    source_sha256: str,
    source_umid: str | None = None,
) -> Provenance:
    """Returns the provenance of a result made by `spec` from a file; of its path only the name is told."""
    return Provenance(
        software=f"audio-ml {version('audio-ml')}",
        model=spec.name,
        licence=spec.licence.name,
        weights_sha256=weights_of(spec),
        options=options,
        device=device,
        source=Path(source).name,
        source_sha256=source_sha256,
        source_umid=source_umid,
        versions={"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
    )


def weights_of(spec: ModelSpec) -> dict[str, str]:
    """Returns the sha256 of every file of a row, as far as it is told; those of an ensemble by member."""
    if not spec.members:
        return {file.name: file.sha256 for file in spec.files}
    return {f"{part.name}/{file.name}": file.sha256 for part in spec.parts for file in part.files}
