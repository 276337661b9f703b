"""One side of the comparison of bench/kokoro.py, in a process of its own: says what it is told, and how long it took.

    python kokoro_process.py peer MODEL.onnx VOICES.npz     with an interpreter that has kokoro-onnx
    python -m bench.kokoro_process ours ROW

Each line of standard input is JSON: {"texts": [phonemes, ...], "voice": "af_heart", "save": null or a path}.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Say = Callable[[Sequence[str], str], Sequence[Any]]  # phonemes and a voice -> a waveform [time] each


def peer(model: str, voices: str) -> Say:
    from kokoro_onnx import Kokoro

    kokoro = Kokoro(model, voices)

    def say(texts: Sequence[str], voice: str) -> Sequence[Any]:
        return [kokoro.create(text, voice, is_phonemes=True, trim=False)[0] for text in texts]

    return say


def ours(row: str) -> Say:
    from audio_ml import device
    from audio_ml.chunks import map_in_order
    from audio_ml.loader import ModelLoader
    from tts.engines.kokoro import KokoroOptions
    from tts.voices import find_speaker

    loader = ModelLoader("cpu")
    speaker = find_speaker("af_heart", row)
    lease = loader.use(speaker.spec)
    engine = lease.__enter__()
    device.release_memory()

    def say(texts: Sequence[str], voice: str) -> Sequence[Any]:
        blend = find_speaker(voice, row).blend
        said = map_in_order(lambda text: engine.speak(text, blend, KokoroOptions(), 0), texts, engine.workers)
        return [utterance.samples[0] for utterance in said]

    return say


def main(side: str, *arguments: str) -> None:
    say = {"peer": peer, "ours": ours}[side](*arguments)
    for line in sys.stdin:
        asked = json.loads(line)
        began, began_cpu = time.perf_counter(), time.process_time()
        waveforms = say(asked["texts"], asked["voice"])
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
        if asked["save"]:
            np.save(asked["save"], np.concatenate(waveforms))
        answer = {
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "n_samples": sum(map(len, waveforms)),
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
