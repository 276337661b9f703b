"""Makes voiceclone/data/kokoro_voices.safetensors: what speaker encoders hear in Kokoro's voices, and their pitch.

Run as `python -m training.kokoro_voices`; it takes a few minutes. Every voice says the same two sentences of
voiceclone/data/fitting_sentences.json, whatever its language.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.loader import ModelLoader
from audio_ml.nets.kokoro_voices import VOICE_SHA256
from audio_ml.pitch import track
from tts.engine import Blend, Utterance
from tts.engines.kokoro import SAMPLE_RATE, KokoroOptions
from voiceclone.encoders import embeddings
from voiceclone.engines.kokoro_inversion import fitting_sentences
from voiceclone.voice_mix import TABLE

SAID = (1, 5)


def main() -> None:
    loader = ModelLoader("cpu")
    spec = catalogue.find("tts", "kokoro")
    voices = {voice.name: voice for voice in spec.voices}  # type: ignore[attr-defined]
    names = sorted(VOICE_SHA256)
    columns: dict[str, list[NDArray[np.float32]]] = {"ge2e": [], "campplus": [], "pitch": []}
    for name in names:
        with loader.use(spec) as engine:
            blend = Blend(((voices[name], 1.0),))
            said: list[Utterance] = [
                engine.speak(fitting_sentences()[index]["phonemes"], blend, KokoroOptions(), 0) for index in SAID
            ]
        audio = Audio(np.concatenate([utterance.samples for utterance in said], axis=1), SAMPLE_RATE)
        pitch = track(audio, loader)
        assert pitch.mean_log is not None and pitch.spread_log is not None
        columns["pitch"].append(np.array([pitch.mean_log, pitch.spread_log], np.float32))
        for encoder, embedding in embeddings(audio, loader).items():
            columns[encoder].append(embedding)
        print(name, f"{np.exp(pitch.mean_log):.0f} Hz", flush=True)
    tensors = {column: np.stack(rows).astype(np.float16) for column, rows in columns.items()}
    save_file(tensors, TABLE, {"names": " ".join(names), "made by": json.dumps("python -m training.kokoro_voices")})


if __name__ == "__main__":
    main()
