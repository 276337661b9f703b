"""What made a result: model, weights, options, source, and the software's versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from audio_ml.catalogue import ModelSpec
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.watermark import WATERMARK
from audio_ml.weights import WeightStore

PROVENANCE_CHUNK = b"prov"  # of a WAV file
PROVENANCE_TAG = "AUDIO_ML_PROVENANCE"  # of formats with tags
LIBRARIES = ("numpy", "onnxruntime", "torch", "soxr", "soundfile", "av", "hibari-tts")


@dataclass(frozen=True)
class Provenance:
    """A record that lets a result be checked or made again.

    `cloned_voices` are those that are heard in it, each with the consent it was made with.
    """

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
    cloned_voices: tuple[Mapping[str, str], ...] = ()


def record(
    spec: ModelSpec,
    options: Mapping[str, Any],
    device: str,
    source: str | os.PathLike[str],
    source_sha256: str,
    source_umid: str | None = None,
    store: WeightStore | None = None,
    *,
    cloned_voices: Iterable[tuple[ClonedVoice, bool]] = (),
) -> Provenance:
    """Returns the provenance of a result made by `spec` from a file; of its path only the name is told.

    With the `store` the weights are told as they are on this machine, otherwise as the row promises them. Each of
    `cloned_voices` comes with whether what it says carries the watermark.
    """
    return Provenance(
        software=_software(),
        model=spec.name,
        licence=spec.licence.name,
        weights_sha256=weights_of(spec, store),
        options=options,
        device=device,
        source=Path(source).name,
        source_sha256=source_sha256,
        source_umid=source_umid,
        versions=_versions(),
        cloned_voices=tuple(_told(voice, is_marked) for voice, is_marked in cloned_voices),
    )


def record_mix(
    specs: Iterable[ModelSpec],
    device: str,
    source: str | os.PathLike[str],
    source_sha256: str,
    *,
    cloned_voices: Iterable[tuple[ClonedVoice, bool]],
) -> Provenance:
    """Returns the provenance of a mix of results by several models, as `record` tells that of one result.

    Each cloned voice is told once, as marked if all that it says is.
    """
    models = {spec.name: spec for spec in specs}
    voices: dict[str, tuple[ClonedVoice, bool]] = {}
    for voice, is_marked in cloned_voices:
        voices[voice.sha256] = voice, is_marked and voices.get(voice.sha256, (voice, True))[1]
    return Provenance(
        software=_software(),
        model="+".join(models),
        licence=", ".join(dict.fromkeys(spec.licence.name for spec in models.values())),
        weights_sha256={
            f"{name}/{file}": sha for name, spec in models.items() for file, sha in weights_of(spec).items()
        },
        options={},
        device=device,
        source=Path(source).name,
        source_sha256=source_sha256,
        source_umid=None,
        versions=_versions(),
        cloned_voices=tuple(_told(voice, is_marked) for voice, is_marked in voices.values()),
    )


def _software() -> str:
    return f"audio-ml {version('audio-ml')}"


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def _told(voice: ClonedVoice, is_marked: bool) -> dict[str, str]:
    return {
        "voice": voice.name,
        "sha256": voice.sha256,
        "consent": voice.consent.summary,
        "consent_checked": voice.consent.checked,
        "watermark": WATERMARK if is_marked else "none",
    }


def weights_of(spec: ModelSpec, store: WeightStore | None = None) -> dict[str, str]:
    """Returns the sha256 of every file of a row, as far as it is known; those of an ensemble by member."""

    def of(part: ModelSpec) -> dict[str, str]:
        return store.contents(part) if store else {file.name: file.sha256 for file in part.files}

    if not spec.members:
        return of(spec)
    return {f"{part.name}/{name}": sha256 for part in spec.parts for name, sha256 in of(part).items()}
