"""Kokoro-82M: 54 voices, the most natural of the small open models.

https://huggingface.co/hexgrad/Kokoro-82M, after StyleTTS 2 (Li et al. 2023, arXiv:2306.07691).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from audio_ml.catalogue import DerivedFile, Licence, Row, WeightFile
from audio_ml.device import Device
from audio_ml.nets import kokoro_files
from audio_ml.nets.kokoro_onnx import DURATIONS, LAYER_OFFSETS, WAVEFORM, check_offsets
from audio_ml.nets.kokoro_voices import N_STYLE, N_TIMBRE, VOICE_SHA256, read_voice
from audio_ml.onnx_sessions import missing_provider, session, with_output
from audio_ml.options import Options
from tts.engine import Blend, Pronouncer, SpeechModel, Utterance, Voice
from tts.nets.durations import as_heard
from tts.options import ClonedVoiceOptions, SpeechOptions
from tts.phonemes.lexicon import Lexicon
from tts.text.spoken import SpokenText, Token
from tts.variation import varied_speed

SAMPLE_RATE = 24000
FRAME = 600  # samples of a unit of duration
MAX_WORKERS = 2
SPREAD = np.repeat(np.array([0.143, 0.160], np.float32), [N_TIMBRE, N_STYLE - N_TIMBRE])  # RMS between voices
TAKE_JITTER = 0.25  # heard as another reading by the same voice

NETWORK_FILE = "network.onnx"

LANGUAGES = {
    "a": "en-US",
    "b": "en-GB",
    "e": "es",
    "f": "fr-FR",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-BR",
    "z": "zh",
}
GENDERS = {"f": "female", "m": "male"}
READS = ("en",)
MARKS = ';:,.!?—…"()“”→↓↗↘'  # of the model's vocabulary
WORD_OR_MARK = re.compile(rf"[{MARKS}]|[^\s{MARKS}]+")


class KokoroOptions(SpeechOptions):
    """Options of the Kokoro voices."""

    jitter: float = Field(
        0.0,
        ge=0,
        le=1,
        description="How far the seed moves the voice's style: at 0 not at all, at 1 as far as voices differ.",
        json_schema_extra={"advanced": True},
    )


class ClonedKokoroOptions(KokoroOptions, ClonedVoiceOptions):
    """Options of cloned voices that Kokoro speaks with."""


class KokoroEngine:
    """Runs the network on a piece at a time; safe to call from several threads at once.

    `device_note` says in a sentence why the device is not used, where it is not.
    """

    max_phonemes = 400  # the network has places for 510, but the more there are the more it hurries: by 3 % at 450
    first_phonemes = 100

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self.device_note = missing_provider(device)
        on_gpu = device.kind == "cuda" and not self.device_note
        self.workers = 1 if on_gpu else min(device.cores, MAX_WORKERS)
        reshaped = NETWORK_FILE in files and not on_gpu
        model = files[NETWORK_FILE] if reshaped else with_output(files[kokoro_files.MODEL_FILE].read_bytes(), DURATIONS)
        self._network = session(model, device, n_threads=device.cores)
        # The published graph takes styles alone.
        layered = (lambda: self._network) if reshaped else (lambda: session(files[NETWORK_FILE], device, device.cores))
        self._layered: Callable[[], Any] = functools.cache(layered)
        self._voices = functools.cache(lambda name: read_voice(files[f"{name}.bin"]))

    @functools.cached_property
    def vocabulary(self) -> frozenset[str]:
        from tts.phonemes.alphabet import VOCABULARY

        return frozenset(VOCABULARY)

    def pronouncer(self, blend: Blend, lexicon: Lexicon) -> Pronouncer:
        if not blend.language.startswith(READS):
            return _GivenPhonemes()
        from tts.phonemes.pronounce import EnglishPronouncer

        return EnglishPronouncer(blend.language == "en-GB", lexicon)

    def speak(self, phonemes: str, blend: Blend, options: KokoroOptions, seed: int) -> Utterance:
        """Says phonemes. Nothing in the network is random, so `seed` changes nothing; jitter goes by the seed of the
        options instead, which is the same for all pieces of a text."""
        from tts.phonemes.alphabet import VOCABULARY

        assert 0 < len(phonemes) <= self.max_phonemes
        inputs = {
            "input_ids": np.array([[0, *(VOCABULARY[symbol] for symbol in phonemes), 0]], np.int64),
            "style": self._style(blend, len(phonemes), options)[None],
            "speed": np.array([options.speed], np.float32),
        }
        network = self._network
        offsets = blend.cloned.layer_offsets if blend.cloned else None
        if offsets is not None:
            assert isinstance(options, ClonedKokoroOptions)
            network = self._layered()
            check_offsets(offsets, network)
            inputs[LAYER_OFFSETS] = np.float32(options.likeness) * offsets[None]
        waveform, frames = network.run([WAVEFORM, DURATIONS], inputs)
        return Utterance(waveform, as_heard(frames[0].astype(np.int64)) * FRAME)

    def _style(self, blend: Blend, n_phonemes: int, options: KokoroOptions) -> NDArray[np.float32]:
        """Returns the style vector [N_STYLE] of a blend."""
        if blend.cloned is not None:
            assert isinstance(options, ClonedKokoroOptions)
            style = blend.cloned.style(n_phonemes, options.likeness)
        else:
            parts = (np.float32(weight) * self._voices(voice.name)[n_phonemes - 1] for voice, weight in blend.parts)
            style = sum(parts, start=np.zeros(N_STYLE, np.float32))
        offset = np.random.default_rng(options.seed).standard_normal(N_STYLE, np.float32)
        return np.asarray(style + np.float32(options.jitter) * SPREAD * offset, np.float32)


class _GivenPhonemes:
    """Passes on phonemes that are given in the text; words without them are not heard."""

    def pronounce(self, text: SpokenText) -> Sequence[Token]:
        tokens: list[Token] = []
        place = 0
        for given in sorted(text.given, key=lambda given: given.begin):
            tokens += self._between(text, place, given.begin)
            tokens.append(_token(text, given.begin, given.end, given.phonemes))
            place = given.end
        return [*tokens, *self._between(text, place, len(text.text))]

    def _between(self, text: SpokenText, begin: int, end: int) -> Iterator[Token]:
        """Yields the marks that the model knows, and the words, without phonemes."""
        for match in WORD_OR_MARK.finditer(text.text, begin, end):
            is_mark = match[0] in MARKS
            if is_mark or any(character.isalnum() for character in match[0]):
                yield _token(text, *match.span(), match[0] if is_mark else "")


def _token(text: SpokenText, begin: int, end: int, phonemes: str) -> Token:
    return Token(text.text[begin:end], phonemes, text.span(begin, end), text.text[end : end + 1].isspace())


def _unused(options: Options) -> str:
    given = options.model_fields_set
    if "seed" not in given or "jitter" in given:
        return ""
    return "The seed changes nothing in Kokoro voices by itself; with a jitter of 0.25, say, each is another reading."


def _vary(options: Options, take: int, seed: int) -> Mapping[str, Any]:
    assert isinstance(options, KokoroOptions)
    jitter = options.jitter if "jitter" in options.model_fields_set else TAKE_JITTER
    return {**varied_speed(options, take, seed), "jitter": jitter} if take else {}


def _voice(name: str) -> Voice:
    prefix, bare = name.split("_", 1)
    language = LANGUAGES[prefix[0]]
    namesakes = [other for other in VOICE_SHA256 if other[0] in "ab" and other.split("_", 1)[1] == bare]
    return Voice(name, language, GENDERS[prefix[1]], (bare,) if namesakes == [name] else (), file=f"{name}.bin")


# English voices first, and of these the one that its author names the best.
VOICES = tuple(map(_voice, sorted(VOICE_SHA256, key=lambda name: (name != "af_heart", name[0] not in "ab", name))))


def _model(
    name: str, summary: str, model: WeightFile, memory_bytes: int, derived: tuple[DerivedFile, ...] = ()
) -> SpeechModel:
    return SpeechModel(
        name=name,
        task="tts",
        family="kokoro",
        summary=summary,
        licence=Licence("Apache-2.0", commercial=True),
        files=(model, *kokoro_files.VOICES),
        derived=derived,
        outputs=("speech",),
        sample_rate=SAMPLE_RATE,
        n_channels=1,
        memory_bytes=memory_bytes,
        verified="2026-11-22",
        options=KokoroOptions,
        engine=KokoroEngine,
        voices=VOICES,
        mixes_voices=True,
        vary=_vary,
        reads=READS,
        unused=_unused,
        clone_options=ClonedKokoroOptions if derived else None,  # the quantised graph takes styles alone
    )


_NETWORK = DerivedFile(NETWORK_FILE, (kokoro_files.MODEL_FILE,), "audio_ml.nets.kokoro_onnx:build", "2")

MODELS: list[Row] = [
    _model(
        "kokoro",
        "54 natural voices, 28 of them English.",
        kokoro_files.FLOAT32,
        1_300_000_000,
        (_NETWORK,),
    ),
    _model(
        "kokoro-fp16",
        "Kokoro as half the download: weights rounded to 16 bits, computed as kokoro is.",
        kokoro_files.FLOAT16,
        1_300_000_000,
        (_NETWORK,),
    ),
    _model(
        "kokoro-int8",
        "Kokoro in a quarter of the download, quantised to 8 bits: slower, and further from the original.",
        kokoro_files.INT8,
        1_000_000_000,
    ),
]
