"""Hibari: small models distilled from single Kokoro voices, one model to a voice, quick on any CPU.

Its network gives a spectrum every 12.5 ms in parts (harmonics, noise, phases); `hibari.dsp` makes the waveform.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from audio_ml.audio import Samples
from audio_ml.catalogue import DerivedFile, Licence, Row, WeightFile
from audio_ml.device import Device
from audio_ml.onnx_sessions import cpu_session
from audio_ml.options import Options
from audio_ml.sources import HubSource, InstalledSource, Source
from tts.engine import Blend, Pronouncer, SpeechModel, Utterance, Voice
from tts.nets.durations import as_heard, paced
from tts.nets.hibari_onnx import HIDDEN, PARTS, PREDICTED, ROUNDED
from tts.options import SpeechOptions
from tts.phonemes.lexicon import Lexicon
from tts.variation import varied_speed

SAMPLE_RATE = 24000
UNIT = 600  # samples of a unit of duration: two frames
LOWEST_F0_HZ = 40.0  # a frame below it is unvoiced
MODEL_FILE, PROSODY_FILE, ACOUSTICS_FILE = "model.onnx", "prosody.onnx", "acoustics.onnx"
MAX_WORKERS = 2
RHYTHM_SPREAD = 0.1  # of a word's length, at full variation
RANGE_SPREAD = 0.2  # of the pitch range
HEIGHT_SPREAD = 0.04  # octaves


class HibariOptions(SpeechOptions):
    """Options of the hibari voices."""

    variation: float = Field(
        0.0,
        ge=0,
        le=1,
        description="How much rhythm and intonation differ from seed to seed; at 0 they do not.",
        json_schema_extra={"advanced": True},
    )


class HibariEngine:
    """Runs the network of one voice; safe to call from several threads at once."""

    max_phonemes = 400
    first_phonemes = 80  # five seconds of sound, made in 50 ms
    device_note = ""  # a CPU is where it is at home

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self.workers = min(device.cores, MAX_WORKERS)
        with ThreadPoolExecutor(self.workers) as pool:
            sessions = pool.map(lambda name: cpu_session(files[name], n_threads=1), (PROSODY_FILE, ACOUSTICS_FILE))
            from hibari import dsp  # takes as long to import as the networks to load: both at once

            self._synthesize = dsp.synth
            self._prosody, self._acoustics = sessions

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        from tts.phonemes.alphabet import VOCABULARY

        return frozenset(VOCABULARY)

    def pronouncer(self, blend: Blend, lexicon: Lexicon) -> Pronouncer:
        from tts.phonemes.pronounce import EnglishPronouncer

        return EnglishPronouncer(blend.language == "en-GB", lexicon)

    def speak(self, phonemes: str, blend: Blend, options: HibariOptions, seed: int) -> Utterance:
        """Says phonemes; the seed moves the noise in consonants, 38 dB below the voice, and the variation."""
        from tts.phonemes.alphabet import VOCABULARY

        assert len(phonemes) <= self.max_phonemes
        random = np.random.default_rng(seed)
        ids = np.array([[0, *(VOCABULARY[symbol] for symbol in phonemes), 0]], np.int64)
        hidden, predicted = self._prosody.run([HIDDEN, PREDICTED], {"ids": ids, "speed": np.ones(1, np.float32)})
        natural = np.maximum(np.rint(predicted), 1)
        durations = paced(natural * _rhythm(phonemes, options.variation, random), options.speed)
        inputs = {"ids": ids, HIDDEN: hidden, ROUNDED: durations.astype(np.float32)}
        *parts, f0 = (part[0] for part in self._acoustics.run(PARTS, inputs))
        samples = self._synthesize(*parts, _intonation(f0, options.variation, random), random)
        return Utterance(samples[None], as_heard(durations) * UNIT)


def _rhythm(phonemes: str, variation: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Returns by how much each symbol is drawn out, the same for all of a word; the pads at the ends keep theirs."""
    words = np.cumsum([symbol == " " for symbol in phonemes])
    factors = np.exp(RHYTHM_SPREAD * variation * random.standard_normal(int(words[-1]) + 1))
    return np.concatenate([[1.0], factors[words], [1.0]])


def _intonation(f0: Samples, variation: float, random: np.random.Generator) -> Samples:
    """Returns the pitch [frames] in Hz with its range and its height changed; unvoiced frames stay as they are."""
    voiced = f0 > LOWEST_F0_HZ
    if not variation or not voiced.any():
        return f0
    pitch = np.log2(f0[voiced])
    mean = pitch.mean()
    stretch, shift = random.standard_normal(2).clip(-2, 2) * variation * (RANGE_SPREAD, HEIGHT_SPREAD)
    changed = f0.copy()
    changed[voiced] = 2 ** (mean + shift + (pitch - mean) * (1 + stretch))
    return changed


def _vary(options: Options, take: int, seed: int) -> Mapping[str, Any]:
    assert isinstance(options, HibariOptions)
    variation = options.variation if "variation" in options.model_fields_set else 1.0
    return {**varied_speed(options, take, seed), "variation": variation} if take else {}


def _model(voice: Voice, name: str, size: int, sha256: str, source: Source) -> SpeechModel:
    return SpeechModel(
        name=name,
        task="tts",
        family="hibari",
        summary=f"{voice.note}: English, tiny and quick.",
        licence=Licence("Apache-2.0", commercial=True),
        files=(WeightFile(MODEL_FILE, size, sha256, (source,)),),
        derived=(
            DerivedFile(PROSODY_FILE, (MODEL_FILE,), "tts.nets.hibari_onnx:build_prosody", "1"),
            DerivedFile(ACOUSTICS_FILE, (MODEL_FILE,), "tts.nets.hibari_onnx:build_acoustics", "1"),
        ),
        outputs=("speech",),
        sample_rate=SAMPLE_RATE,
        n_channels=1,
        memory_bytes=120_000_000,
        verified="2026-11-22" if isinstance(source, InstalledSource) else "",  # the hub was out of reach
        options=HibariOptions,
        engine=HibariEngine,
        voices=(voice,),
        vary=_vary,
    )


def _hub(file: str) -> HubSource:
    return HubSource("maureesewilliams/hibari", f"voices/{file}", "main")


MODELS: list[Row] = [
    _model(
        Voice("heart", "en-US", "female", note="American woman"),
        "hibari",
        7_936_868,
        "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
        InstalledSource("hibari", "assets/hibari.onnx"),
    ),
    _model(
        Voice("emma", "en-GB", "female", note="British woman"),
        "hibari-emma",
        7_936_868,
        "f709f0488ee63b583a22189a955aaf4257b9806dd330be3490661e53af0a89c1",
        _hub("bf_emma.int8.onnx"),
    ),
    _model(
        Voice("fenrir", "en-US", "male", note="American man"),
        "hibari-fenrir",
        8_031_158,
        "f59fbd87908c91f827bc21b1b89443757b9a8580db9eee20aa948deb731321f4",
        _hub("am_fenrir_v2.int8.onnx"),
    ),
    _model(
        Voice("fable", "en-GB", "male", note="British man"),
        "hibari-fable",
        7_936_868,
        "c28529302f2d27cd12f62625c24425888c4e3c2675583100ec530259136b8bc6",
        _hub("bm_fable.int8.onnx"),
    ),
    _model(
        Voice("kore", "en-US", "female", note="American woman"),
        "hibari-kore",
        7_936_868,
        "346885752673e45d42f9864c9e2432094bc4b6385df060d4b83273da764d2fa9",
        _hub("af_kore.int8.onnx"),
    ),
]
