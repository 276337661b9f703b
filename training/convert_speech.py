"""Makes the speech that conversion is trained on, with what Kokoro's decoder was given for it.

    nice python -m training.convert_speech kokoro FOLDER --minutes 30 --seed 1
    nice python -m training.convert_speech hibari FOLDER --minutes 60 --seed 2

Every utterance is one .npz file: `samples` int16 [time] at 24 kHz, `symbols` int16 [symbols] with the pads at both
ends, `durations` int16 [symbols] in frames of 25 ms, `features` float16 [symbols, 512] (what the text encoder makes
of them), and for Kokoro `f0` and `n` float32 [2 frames]: pitch and energy as its predictor gave them to the decoder.
The text encoder sees no style, so hibari, which reads the same symbols, trains the features as well.

No recording of anybody is used: Kokoro's 54 voices, mixes of them, and hibari's voice are all there is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml import catalogue
from audio_ml.audio import Samples
from audio_ml.nets.kokoro_onnx import DURATIONS, WAVEFORM
from audio_ml.nets.kokoro_voices import N_STYLE, VOICE_SHA256, read_voice
from audio_ml.onnx_sessions import cpu_session, with_output
from audio_ml.weights import WeightStore
from training.convert_texts import spoken
from tts.engines.kokoro import FRAME, SAMPLE_RATE, SPREAD
from tts.nets.durations import paced
from tts.nets.hibari_onnx import HIDDEN, PARTS, PREDICTED, ROUNDED
from tts.phonemes.alphabet import VOCABULARY
from tts.phonemes.pronounce import EnglishPronouncer

Utterance = dict[str, NDArray[Any]]

FEATURES = "/encoder/text_encoder/Transpose_2_output_0"  # [1, 512, symbols]
F0, N = "/encoder/Reshape_output_0", "/encoder/Reshape_1_output_0"  # [1, 2 frames]
WHISPERERS = {"af_nicole"}
SPEED = (0.75, 1.35)
MIXED = 0.5  # share of utterances by a mix of two or three voices
JITTER = 0.3  # of the spread between voices


def kokoro(store: WeightStore, random: np.random.Generator, phonemes: Iterator[str]) -> Iterator[Utterance]:
    """Yields utterances by Kokoro's voices and mixes of them."""
    row = catalogue.find("tts", "kokoro")
    files = store.open(row)
    model = files["network.onnx"].read_bytes()
    for tensor in (FEATURES, F0, N):
        model = with_output(model, tensor)
    network = cpu_session(model, n_threads=1)
    names = sorted(set(VOICE_SHA256) - WHISPERERS)
    voices = {name: read_voice(files[f"{name}.bin"]) for name in names}
    for text in phonemes:
        n_voices = random.integers(2, 4) if random.random() < MIXED else 1
        chosen = random.choice(names, n_voices, replace=False)
        weights = random.dirichlet(np.ones(n_voices))
        style = sum(weight * voices[name][len(text) - 1] for name, weight in zip(chosen, weights, strict=True))
        style = style + JITTER * random.random() * SPREAD * random.standard_normal(N_STYLE)
        symbols = _symbols(text)
        inputs = {
            "input_ids": symbols[None],
            "style": style[None].astype(np.float32),
            "speed": np.array([random.uniform(*SPEED)], np.float32),
        }
        waveform, durations, features, f0, n = network.run([WAVEFORM, DURATIONS, FEATURES, F0, N], inputs)
        yield {**_utterance(waveform[0], symbols, durations[0], features[0]), "f0": f0[0], "n": n[0]}


def hibari(store: WeightStore, random: np.random.Generator, phonemes: Iterator[str]) -> Iterator[Utterance]:
    """Yields utterances by hibari's voice, with the features that Kokoro's text encoder has for them."""
    from hibari import dsp

    files = store.open(catalogue.find("tts", "hibari"))
    prosody, acoustics = (cpu_session(files[name], n_threads=1) for name in ("prosody.onnx", "acoustics.onnx"))
    encoder = _text_encoder(store)
    for text in phonemes:
        symbols = _symbols(text)
        given = {"ids": symbols[None], "speed": np.ones(1, np.float32)}
        hidden, predicted = prosody.run([HIDDEN, PREDICTED], given)
        rhythm = np.exp(0.15 * random.standard_normal(len(symbols)))
        durations = paced(np.maximum(np.rint(predicted), 1) * rhythm, random.uniform(*SPEED))
        inputs = {"ids": symbols[None], HIDDEN: hidden, ROUNDED: durations.astype(np.float32)}
        *parts, f0 = (part[0] for part in acoustics.run(PARTS, inputs))
        pitch = np.where(f0 > 40, f0 * np.exp(0.15 * random.standard_normal()), f0).astype(np.float32)
        samples = dsp.synth(*parts, pitch, random)
        (features,) = encoder.run([FEATURES], {"input_ids": symbols[None]})
        yield _utterance(samples, symbols, durations, features[0])


def _text_encoder(store: WeightStore) -> Any:
    """Returns the part of Kokoro's graph that makes `FEATURES`."""
    import onnx
    from onnx.utils import Extractor

    published = store.open(catalogue.find("tts", "kokoro"))["model.onnx"]
    part = Extractor(onnx.load(published)).extract_model(["input_ids"], [FEATURES])
    return cpu_session(part.SerializeToString(), n_threads=1)


def _symbols(phonemes: str) -> NDArray[np.int64]:
    return np.array([0, *(VOCABULARY[symbol] for symbol in phonemes), 0], np.int64)


def _utterance(samples: Samples, symbols: NDArray[np.int64], durations: Any, features: Any) -> Utterance:
    assert samples.size == int(durations.sum()) * FRAME
    peak = float(np.abs(samples).max())
    return {
        "samples": np.rint(samples * (0.5 / peak) * 32767).astype(np.int16),
        "symbols": symbols.astype(np.int16),
        "durations": durations.astype(np.int16),
        "features": features.T.astype(np.float16),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("speaker", choices=["kokoro", "hibari"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    speak = {"kokoro": kokoro, "hibari": hibari}[given.speaker]
    phonemes = spoken(given.seed, EnglishPronouncer(british=False))
    made = 0.0
    for number, utterance in enumerate(speak(WeightStore(), np.random.default_rng(given.seed), phonemes)):
        _write(given.folder / f"{given.speaker}-{given.seed}-{number:05d}.npz", utterance)
        made += utterance["samples"].size / SAMPLE_RATE / 60
        if made >= given.minutes:
            break


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    partial.rename(path)


if __name__ == "__main__":
    main()
