"""Chatterbox (chatterbox-tts 0.1) in an environment of its own."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voiceclone.workers.pipe_protocol import Array
    from voiceclone.workers.pipe_worker import Arrays, Model, one_folder, serve, wave_file
else:
    from pipe_protocol import Array
    from pipe_worker import Arrays, Model, one_folder, serve, wave_file

T3_PARTS = ("speaker_emb", "cond_prompt_speech_tokens")
S3GEN_PARTS = ("prompt_token", "prompt_token_len", "prompt_feat", "embedding")


class Chatterbox(Model):
    """The package's English model."""

    package = "chatterbox-tts"

    def __init__(self, files: dict[str, str], device: str) -> None:
        from chatterbox.tts import ChatterboxTTS

        self.model = ChatterboxTTS.from_local(one_folder(files), device)
        self.device = device
        self.sample_rate = self.model.sr

    def enroll(self, samples: bytes, sample_rate: int, transcript: str) -> Arrays:
        self.model.prepare_conditionals(io.BytesIO(wave_file(samples, sample_rate)))
        found = self.model.conds
        state = {name: _to_array(getattr(found.t3, name)) for name in T3_PARTS}
        return {**state, **{name: _to_array(found.gen[name]) for name in S3GEN_PARTS}}

    def speak(self, text: str, state: Arrays, options: dict[str, Any], seed: int) -> Iterator[bytes]:
        import torch
        from chatterbox.models.t3.modules.cond_enc import T3Cond
        from chatterbox.tts import Conditionals

        torch.manual_seed(seed)
        tensors = {name: _to_tensor(array).to(self.device) for name, array in state.items()}
        emotion = options["exaggeration"] * torch.ones(1, 1, 1, device=self.device)
        known = {name: tensors[name] for name in T3_PARTS}
        heard = {name: tensors[name] for name in S3GEN_PARTS}
        self.model.conds = Conditionals(T3Cond(**known, emotion_adv=emotion), {**heard, "prompt_feat_len": None})
        sound = self.model.generate(
            text,
            exaggeration=options["exaggeration"],
            cfg_weight=options["cfg_weight"],
            temperature=options["temperature"],
        )
        yield sound[0].float().cpu().numpy().astype("<f4").tobytes()


def _to_array(tensor: Any) -> Array:
    numbers = tensor.detach().cpu().numpy()
    kind = "float32" if numbers.dtype.kind == "f" else "int64"
    return Array(kind, numbers.shape, numbers.astype("<f4" if kind == "float32" else "<i8").tobytes())


def _to_tensor(array: Array) -> Any:
    import torch

    return torch.frombuffer(bytearray(array.data), dtype=getattr(torch, array.dtype)).reshape(array.shape)


if __name__ == "__main__":
    serve(Chatterbox)
