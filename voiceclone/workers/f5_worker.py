"""F5-TTS (f5-tts 1.1) in an environment of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voiceclone.workers.pipe_protocol import Array
    from voiceclone.workers.pipe_worker import Arrays, Model, one_folder, serve, wave_file
else:
    from pipe_protocol import Array
    from pipe_worker import Arrays, Model, one_folder, serve, wave_file


class F5(Model):
    """F5TTS_v1_Base with the Vocos vocoder; it keeps the reference itself, and its words."""

    package = "f5-tts"

    def __init__(self, files: dict[str, str], device: str) -> None:
        from f5_tts.api import F5TTS

        self.model = F5TTS(
            model="F5TTS_v1_Base",
            ckpt_file=files["model_1250000.safetensors"],
            vocab_file=files["vocab.txt"],
            vocoder_local_path=one_folder(files),
            device=device,
        )
        self.sample_rate = self.model.target_sample_rate

    def enroll(self, samples: bytes, sample_rate: int, transcript: str) -> Arrays:
        if sample_rate != self.sample_rate:
            raise ValueError("the reference has another rate than the model")
        words = transcript.strip().encode()
        return {
            "reference": Array("float32", (len(samples) // 4,), samples),
            "transcript": Array("uint8", (len(words),), words),
        }

    def speak(self, text: str, state: Arrays, options: dict[str, Any], seed: int) -> Iterator[bytes]:
        with tempfile.TemporaryDirectory() as folder:
            reference = Path(folder) / "reference.wav"
            reference.write_bytes(wave_file(state["reference"].data, self.sample_rate))
            sound, sample_rate, _ = self.model.infer(
                ref_file=str(reference),
                ref_text=state["transcript"].data.decode(),
                gen_text=text,
                nfe_step=options["steps"],
                cfg_strength=options["guidance"],
                speed=options["speed"],
                seed=seed,
            )
        assert sample_rate == self.sample_rate
        yield sound.astype("<f4").tobytes()


if __name__ == "__main__":
    serve(F5)
