"""A cloned voice: what was learned from somebody's speech with their consent, as a value. `voice_file` keeps it."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import math
import numbers
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.errors import InvalidInput
from audio_ml.nets.kokoro_voices import N_ROWS, N_STYLE

EMBEDDING_SIZES = {"ge2e": 256, "campplus": 192}
N_MELS = 80
MEL_RATE = 24000  # Hz, of the sound that `reference_mel` shows
MEL_HOP = 300  # samples of it a frame
MOST_MEL_FRAMES = 10 * 60 * MEL_RATE // MEL_HOP
MOST_LAYER_OFFSETS = 1_000_000
LARGEST_NUMBER = 100.0  # styles lie within 2, unit vectors within 1, logarithms of power within 30
LONGEST_NAME = 48
LONGEST_LINE = 500
LONGEST_STATEMENT = 20_000
LONGEST_PROVENANCE = 200_000  # characters
RESERVED_NAMES = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}

MOST_ARRAYS = 1000  # of a state
STATE_TYPES = {"float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "uint8": "U8", "bool": "BOOL"}

_MODEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")
_ARRAY = re.compile(r"[A-Za-z0-9_./-]{1,100}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class VoiceRefused(InvalidInput):
    """A voice that cannot be used, for a `reason`."""

    reason = ""

    @classmethod
    def because(cls, reason: str, what: str = "The voice") -> VoiceRefused:
        """Returns the error; `what` is the voice as the message calls it."""
        error = cls(f"{what} cannot be used: {reason}.")
        error.reason = reason
        return error


@dataclass(frozen=True)
class Consent:
    """That somebody agreed to have their voice cloned: `who`, `when` (YYYY-MM-DD) and for what (`purpose`).

    `statement` is what they wrote or said, `recording_sha256` stands for the recording of it, if there is one, and
    `checked` says how the two were compared.

    Raises:
        InvalidInput: when one of the first three is missing or the date is none.

    >>> Consent("Anna Smith", "2026-11-26", "temp ADR for reel 3").summary
    'Anna Smith, 2026-11-26: temp ADR for reel 3'
    """

    who: str
    when: str
    purpose: str
    statement: str = ""
    recording_sha256: str = ""
    checked: str = ""

    def __post_init__(self) -> None:
        for name in ("who", "when", "purpose", "checked"):
            _check_line(f"consent's '{name}'", getattr(self, name), is_needed=name != "checked")
        _check(isinstance(self.statement, str), "the consent's 'statement' is no text")
        lines = self.statement.splitlines()
        readable = all(line.replace("\t", " ").isprintable() for line in lines)
        _check(readable and len(self.statement) <= LONGEST_STATEMENT, "the consent's 'statement' is no readable text")
        _check(_is_date(self.when), f"the consent's date '{self.when[:40]}' is none: write it as 2026-11-26")
        is_hash = isinstance(self.recording_sha256, str) and _SHA256.fullmatch(self.recording_sha256)
        _check(self.recording_sha256 == "" or is_hash, "the consent's 'recording_sha256' is no sha256")

    @property
    def summary(self) -> str:
        return f"{self.who}, {self.when}: {self.purpose}"


@dataclass(frozen=True)
class Intonation:
    """Where a voice's pitch lies: mean and standard deviation of log(F0 in Hz) over its voiced frames."""

    mean_log_hz: float
    spread_log_hz: float

    def __post_init__(self) -> None:
        mean = _number("pitch's mean", self.mean_log_hz, math.log(20), math.log(2000))
        object.__setattr__(self, "mean_log_hz", mean)
        object.__setattr__(self, "spread_log_hz", _number("pitch's spread", self.spread_log_hz, 0, 3))


@dataclass(frozen=True, eq=False)
class ClonedVoice:
    """A voice that Kokoro speaks with, and what is known of the reference it was made from.

    `styles` [510, 256] is the clean part, a mix of Kokoro's own voices for every number of phonemes; `delta` [256]
    leads from it to the voice that is alike (zeros where there is only the mix), and so do `layer_offsets` [n], which
    are added to all parameters of the decoder's normalisation. `embeddings` are the speaker's as two networks hear
    them, `reference_mel` [80, frames] shows the reference (24 kHz, hop 300). `sample_rate` is in Hz that
    of the reference, of whose speech `speech_seconds` were used. `states` are what other
    models keep of the reference, arrays by name under the name of each model's row. Arrays cannot be written to.

    Raises:
        InvalidInput: when anything of it is not what it says here.
    """

    name: str
    styles: NDArray[np.float32]
    delta: NDArray[np.float32]
    embeddings: Mapping[str, NDArray[np.float32]]
    reference_mel: NDArray[np.float16]
    pitch: Intonation
    loudness_lufs: float
    sample_rate: int
    speech_seconds: float
    consent: Consent
    language: str = "en-US"
    layer_offsets: NDArray[np.float32] | None = None
    states: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked_name(self.name))
        is_tag = isinstance(self.language, str) and _LANGUAGE.fullmatch(self.language)
        _check(is_tag, f"its language {str(self.language)[:40]!r} is no tag such as en-US")
        self._take("styles", self.styles, (N_ROWS, N_STYLE))
        self._take("delta", self.delta, (N_STYLE,))
        _check(isinstance(self.embeddings, Mapping), "its embeddings are not given by name")
        _check(set(self.embeddings) == set(EMBEDDING_SIZES), f"its embeddings are not {' and '.join(EMBEDDING_SIZES)}")
        embeddings = {
            name: _array(f"embedding {name}", self.embeddings[name], (size,)) for name, size in EMBEDDING_SIZES.items()
        }
        object.__setattr__(self, "embeddings", embeddings)
        self._take("reference_mel", self.reference_mel, (N_MELS, None), np.float16)
        _check(self.reference_mel.shape[1] <= MOST_MEL_FRAMES, "its reference_mel is too long")
        if self.layer_offsets is not None:
            self._take("layer_offsets", self.layer_offsets, (None,))
            _check(self.layer_offsets.size <= MOST_LAYER_OFFSETS, "its layer_offsets are too many")
        _check(isinstance(self.pitch, Intonation), "it has no pitch")
        _check(isinstance(self.consent, Consent), "it has no consent")
        for name, least, most in (("loudness_lufs", -120, 20), ("speech_seconds", 0, 1e6)):
            object.__setattr__(self, name, _number(name, getattr(self, name), least, most))
        _check(isinstance(self.sample_rate, numbers.Integral), "its sample_rate is not a whole number")
        object.__setattr__(self, "sample_rate", int(_number("sample_rate", self.sample_rate, 1000, 1e6)))
        _check(isinstance(self.states, Mapping), "its states are not given by model")
        object.__setattr__(self, "states", {model: _state(model, arrays) for model, arrays in self.states.items()})
        object.__setattr__(self, "provenance", _plain(self.provenance))

    def _take(self, name: str, array: Any, shape: tuple[int | None, ...], dtype: type = np.float32) -> None:
        object.__setattr__(self, name, _array(name, array, shape, dtype))

    def style(self, n_phonemes: int, likeness: float = 1.0) -> NDArray[np.float32]:
        """Returns the style [256] for so many phonemes: at a likeness of 0 the clean mix, at 1 the voice itself."""
        return np.asarray(self.styles[n_phonemes - 1] + np.float32(likeness) * self.delta, np.float32)

    @functools.cached_property
    def sha256(self) -> str:
        """What stands for the voice in fingerprints and records: the hash of the file that is made of it."""
        from audio_ml.voice_file import encode

        return hashlib.sha256(encode(self)).hexdigest()


def checked_name(name: Any) -> str:
    """Returns the name of a voice in composed characters, if it can be one.

    It also names a file on every system, and stands in scripts, blends and ids: so it consists of letters and
    digits of any script, and of single spaces, - and _ between them.

    Raises:
        InvalidInput: when it cannot.

    >>> checked_name("Anna-Lena 2")
    'Anna-Lena 2'
    """
    text = unicodedata.normalize("NFC", name) if isinstance(name, str) else ""
    told = repr(text[:LONGEST_NAME])
    rule = "a name has letters and digits, and single spaces, - or _ between them"
    is_long = len(text) > LONGEST_NAME
    _check(not is_long, f"the name {told}... is too long: {LONGEST_NAME} characters are the most")
    parts = re.split("[ _-]", text)
    _check(all(part and all(map(_is_of_words, part)) for part in parts), f"{told} is no name for a voice: {rule}")
    _check(text.casefold() not in RESERVED_NAMES, f"{told} is no name for a voice: Windows keeps it for itself")
    return text


def _is_of_words(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _array(name: str, value: Any, shape: tuple[int | None, ...], dtype: type = np.float32) -> NDArray[Any]:
    """Returns a copy that cannot be written to; a size of None is any but 0."""
    array = np.asarray(value)
    fits = array.ndim == len(shape) and all(
        size == wanted or (wanted is None and size > 0) for size, wanted in zip(array.shape, shape, strict=True)
    )
    wanted = ", ".join("n" if size is None else str(size) for size in shape)
    _check(fits and array.dtype.kind == "f", f"its {name} is {array.dtype} {list(array.shape)} instead of [{wanted}]")
    _check(bool(np.isfinite(array).all()), f"its {name} holds NaN or infinite numbers")
    _check(float(np.abs(array).max()) <= LARGEST_NUMBER, f"its {name} holds numbers beyond any voice's")
    copy: NDArray[Any] = np.array(array, dtype, order="C")
    copy.setflags(write=False)
    return copy


def _state(model: Any, arrays: Any) -> dict[str, NDArray[Any]]:
    """Returns copies of what a model keeps of a reference."""
    is_name = isinstance(model, str) and _MODEL.fullmatch(model)
    _check(is_name, f"{str(model)[:40]!r} among its states is no name of a model")
    _check(isinstance(arrays, Mapping) and 0 < len(arrays) <= MOST_ARRAYS, f"its state of {model} has no arrays")
    kept = {}
    for name, value in arrays.items():
        _check(isinstance(name, str) and _ARRAY.fullmatch(name), f"its state of {model} has an array without a name")
        array = np.array(value, order="C")
        _check(array.dtype.name in STATE_TYPES and array.size, f"its state {model}/{name} is {array.dtype}, or empty")
        _check(bool(np.isfinite(array).all()), f"its state {model}/{name} holds NaN or infinite numbers")
        array.setflags(write=False)
        kept[name] = array
    return kept


def _plain(provenance: Any) -> dict[str, Any]:
    """Returns a record as JSON has it."""
    try:
        text = json.dumps(provenance, allow_nan=False, ensure_ascii=False)
        plain = json.loads(text.encode("utf-8"))  # halves of characters are none
    except (TypeError, ValueError, RecursionError) as error:
        raise VoiceRefused.because("its provenance is not made of plain values") from error
    _check(isinstance(plain, dict), "its provenance is not a mapping")
    _check(len(text) <= LONGEST_PROVENANCE, "its provenance is too long")
    return dict(plain)


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text) and datetime.date.fromisoformat(text))
    except ValueError:
        return False


def _check_line(what: str, text: Any, is_needed: bool) -> None:
    is_line = isinstance(text, str) and len(text) <= LONGEST_LINE and text.isprintable()
    _check(is_line, f"the {what} is no line of text of {LONGEST_LINE} characters at most")
    _check(not is_needed or bool(text.strip()), f"the {what} is empty")


def _number(name: str, value: Any, least: float, most: float) -> float:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    _check(is_number and least <= value <= most, f"its {name} is not between {least:.4g} and {most:.4g}")
    return float(value)


def _check(is_right: Any, what: str) -> None:
    if not is_right:
        raise VoiceRefused.because(what)
