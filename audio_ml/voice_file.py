"""A cloned voice as one file: safetensors with the arrays as tensors and all else as JSON in its metadata.

Nothing in it is ever run or unpickled, and whatever is not exactly a voice is refused with a reason.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from audio_ml.cloned_voice import EMBEDDING_SIZES, STATE_TYPES, ClonedVoice, Consent, Intonation, VoiceRefused
from audio_ml.errors import InvalidInput
from audio_ml.streams import show

SUFFIX = ".voice.safetensors"
KEY = "audio_ml_voice"
VERSION = 1
LARGEST_FILE = 64 << 20  # bytes; a voice has one or two million, and what other models keep of a reference
LARGEST_HEADER = 1 << 20
SHOWN = 3  # names in a message

_LENGTH_BYTES = 8  # of the header's length, which a safetensors file begins with
_EMBEDDINGS = {f"embedding.{name}": name for name in EMBEDDING_SIZES}
_TENSORS = {"styles": "F32", "delta": "F32", "reference_mel": "F16", **dict.fromkeys(_EMBEDDINGS, "F32")}
_OPTIONAL_TENSORS = {"layer_offsets": "F32"}
_STATE = "state."  # begins the tensors of `states`: state.MODEL/NAME
_FACTS = ("name", "language", "loudness_lufs", "sample_rate", "speech_seconds", "provenance")
_EMPTY = {"speaking_rate": None}  # which version 1 has, and nothing ever measured


def encode(voice: ClonedVoice) -> bytes:
    """Returns the file of a voice; equal voices give equal bytes."""
    from safetensors.numpy import save

    tensors = {name: getattr(voice, name) for name in ("styles", "delta", "reference_mel")}
    tensors |= {key: voice.embeddings[name] for key, name in _EMBEDDINGS.items()}
    if voice.layer_offsets is not None:
        tensors["layer_offsets"] = voice.layer_offsets
    tensors |= {
        f"{_STATE}{model}/{name}": array for model, arrays in voice.states.items() for name, array in arrays.items()
    }
    facts = {name: getattr(voice, name) for name in _FACTS}
    about = {"version": VERSION, **facts, **_EMPTY, "pitch": asdict(voice.pitch), "consent": asdict(voice.consent)}
    return bytes(save(tensors, {KEY: json.dumps(about, sort_keys=True, ensure_ascii=False)}))


def decode(content: bytes, named: str = "The file") -> ClonedVoice:
    """Returns the voice that a file's content is; `named` is the file as messages call it.

    Raises:
        InvalidInput: when it is no voice, damaged, from a newer version, or holds anything that a voice has not.
    """
    try:
        header = _header(content)
        about = _about(header)
        _check_types(header)
        return _voice(_tensors(content), about)
    except VoiceRefused as error:
        raise VoiceRefused.because(error.reason, named) from error


def read_voice_file(path: str | os.PathLike[str]) -> ClonedVoice:
    """Returns the voice of a file; raises `InvalidInput` as `decode`, and where it cannot be read."""
    named = show(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is no name of a file"
        raise InvalidInput(f"{named} cannot be read: {reason}.") from error
    return decode(content, named)


def _header(content: bytes) -> dict[str, Any]:
    if len(content) > LARGEST_FILE:
        raise VoiceRefused.because(f"it is larger than {LARGEST_FILE >> 20} MB")
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    if length > LARGEST_HEADER or len(content) < _LENGTH_BYTES + length:
        raise VoiceRefused.because("it is no safetensors file, or cut short")
    header = _json(content[_LENGTH_BYTES : _LENGTH_BYTES + length], "header")
    if not isinstance(header, dict):
        raise VoiceRefused.because("it is no safetensors file")
    return header


def _about(header: dict[str, Any]) -> dict[str, Any]:
    """Takes the metadata out of a header and returns what it says of the voice."""
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get(KEY), str):
        raise VoiceRefused.because("it is no voice of audio-ml")
    about = _json(metadata[KEY].encode("utf-8", "surrogatepass"), "description")
    version = about.pop("version", None) if isinstance(about, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise VoiceRefused.because("it does not tell its version")
    if version > VERSION:
        raise VoiceRefused.because(
            f"it is from a newer audio-ml (version {str(version)[:12]} of the file): update audio-ml"
        )
    if len(metadata) > 1:
        raise VoiceRefused.because("it has metadata that no voice has")
    _check_keys(about, [*_FACTS, *_EMPTY, "pitch", "consent"], [], "facts")
    for name, empty in _EMPTY.items():
        if about[name] is not empty:
            raise VoiceRefused.because(f"its {name} is not empty, as it is in every voice")
    return dict(about)


def _check_types(header: Mapping[str, Any]) -> None:
    for name, entry in header.items():
        known = (_TENSORS | _OPTIONAL_TENSORS).get(name)
        wanted = [known] if known else [*STATE_TYPES.values()]
        if not isinstance(entry, dict) or entry.get("dtype") not in wanted:
            raise VoiceRefused.because(f"its {show(name[:40])} is not of type {' or '.join(wanted)}")


def _tensors(content: bytes) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = dict(load(content))
    except (SafetensorError, ValueError, LookupError, TypeError, OverflowError) as error:
        raise VoiceRefused.because("it is cut short or damaged") from error
    states = [name for name in tensors if name.startswith(_STATE)]
    _check_keys(tensors, _TENSORS, [*_OPTIONAL_TENSORS, *states], "tensors")
    return tensors


def _voice(tensors: Mapping[str, Any], about: Mapping[str, Any]) -> ClonedVoice:
    parts: dict[str, Any] = {name: about[name] for name in _FACTS}
    kinds: dict[str, Any] = {"pitch": Intonation, "consent": Consent}
    for name, kind in kinds.items():
        if not isinstance(about[name], dict):
            raise VoiceRefused.because(f"its {name} cannot be read")
        _check_keys(about[name], [part.name for part in fields(kind)], [], f"facts of its {name}")
        parts[name] = kind(**about[name])
    parts |= {name: tensors.get(name) for name in ("styles", "delta", "reference_mel", "layer_offsets")}
    states: dict[str, dict[str, Any]] = {}
    for key in (key for key in tensors if key.startswith(_STATE)):
        model, _, name = key.removeprefix(_STATE).partition("/")
        states.setdefault(model, {})[name] = tensors[key]
    return ClonedVoice(
        **parts,
        states=states,
        embeddings={name: tensors[key] for key, name in _EMBEDDINGS.items()},
    )


def _json(text: bytes, what: str) -> Any:
    try:
        return json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise VoiceRefused.because(f"its {what} cannot be read") from error


def _check_keys(found: Mapping[str, Any], needed: Collection[str], optional: Collection[str], what: str) -> None:
    missing = [key for key in needed if key not in found]
    unknown = [key for key in found if key not in needed and key not in optional]
    if missing or unknown:
        problem, names = ("it lacks the", missing) if missing else ("it has unknown", unknown)
        raise VoiceRefused.because(f"{problem} {what} {', '.join(show(name[:40]) for name in names[:SHOWN])}")
