"""Pocket-TTS, the network of the package `pocket-tts`, loaded from files of ours and run step by step.

Rouard, Orsini, Roebel, Zeghidour, Défossez 2025, "Continuous audio language models" (arXiv:2509.06926): a transformer
hears the reference and the text and then writes latents of an audio codec, 12.5 a second; a small network samples each
of them. Its package runs the same steps on two threads of its own with torch's one random generator; here the noise
comes from the seed, a call can be stopped between two latents, and several calls may run at once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from audio_ml.errors import MissingDependency
from audio_ml.state_dicts import load_strictly, read_state_dict
from audio_ml.torch_threads import use_threads

# As the package has them, where they are no settings of the model.
SLOWEST_TOKENS_PER_SECOND = 3.0
SPARE_SECONDS = 2.0
FEWEST_FRAMES = 6  # before speech has begun, some voices seem to be at its end
FADE_SECONDS = 0.005  # a codec that begins anew clicks
MORE_FRAMES = 2  # after the end, beside those that the length of the text asks for

State = dict[str, dict[str, Any]]  # tensors of each layer by name


def import_pocket_tts() -> Any:
    """Returns the package; everything imports it here, for it sets torch to one thread.

    Raises:
        MissingDependency: when it is not installed.
    """
    import torch

    n_threads = torch.get_num_threads()
    try:
        import pocket_tts
    except ImportError as error:
        raise MissingDependency("Pocket-TTS needs its package: pip install 'audio-ml[pocket]'.") from error
    torch.set_num_threads(n_threads)
    return pocket_tts


@dataclass(frozen=True)
class Piece:
    """A part of a text that is spoken at once: its words as the model wants them, how many frames come after the
    end that the model finds, and after how many frames it is given up where it finds none."""

    text: str
    n_frames_after: int
    n_frames_most: int


@dataclass(frozen=True)
class Sampling:
    """How latents are drawn: the variance of the noise, and the steps from noise to latent."""

    temperature: float
    n_steps: int


class PocketNetwork:
    """The network of one of the package's configurations, or of that at a path without its ".yaml".

    Calls from several threads do not disturb each other.
    """

    def __init__(self, config: str, weights: Path, tokenizer: Path, kind: str) -> None:
        import_pocket_tts()
        import torch
        from pocket_tts.models.flow_lm import FlowLMModel
        from pocket_tts.models.mimi import build_mimi
        from pocket_tts.models.tts_model import stamp_state_names
        from pocket_tts.utils.config import CONFIGS_DIR, load_config

        self._config = found = load_config(CONFIGS_DIR / f"{config}.yaml")
        table = found.flow_lm.lookup_table.model_copy(update={"tokenizer_path": str(tokenizer)})
        network = torch.nn.Module()
        network.flow_lm = self._language = FlowLMModel.from_pydantic_config(
            found.flow_lm.model_copy(update={"lookup_table": table}),
            latent_dim=found.mimi.quantizer.dimension,
            insert_bos_before_voice=found.flow_lm.insert_bos_before_voice,
        )
        heard = found.mimi.inner_dim or found.mimi.seanet.dimension
        self._language.speaker_proj_weight = torch.nn.Parameter(torch.zeros(found.flow_lm.transformer.d_model, heard))
        network.mimi = self._codec = build_mimi(found.mimi)
        load_strictly(network, read_state_dict(weights), f"Pocket-TTS ({config})")
        network.eval().requires_grad_(False).to(kind)
        stamp_state_names(network)
        self._kind = kind
        self.sample_rate: int = found.mimi.sample_rate
        self.n_latents: int = heard
        self._state_of = functools.lru_cache(maxsize=4)(self._hear_voice)

    def encode(self, reference: Samples) -> NDArray[np.float32]:
        """Returns the latents [frames, n_latents] of a reference [time] at the model's rate, ended in a pause."""
        import torch
        from pocket_tts.data.audio_utils import end_on_pause

        with torch.inference_mode():
            prompt = end_on_pause(torch.from_numpy(np.ascontiguousarray(reference))[None], self.sample_rate)
            latents = self._codec.encode_to_latent(prompt[None].to(self._kind))
            return np.asarray(latents[0].float().cpu().numpy(), np.float32)

    def pieces(self, text: str) -> list[Piece]:
        """Cuts a text, which says something, into sentences as the package does, and words it as the model wants it."""
        from pocket_tts.default_parameters import MAX_TOKEN_PER_CHUNK
        from pocket_tts.models.text_chunking import prepare_text_prompt, split_into_best_sentences

        config = self._config
        manners = (
            config.pad_with_spaces_for_short_inputs,
            config.remove_semicolons,
            config.append_terminal_punctuation,
            config.capitalize_first_letter,
            config.replace_characters,
        )
        chunks = split_into_best_sentences(self._language.conditioner.tokenizer, text, MAX_TOKEN_PER_CHUNK, *manners)
        pieces = []
        for chunk in chunks:
            worded, n_guessed = prepare_text_prompt(chunk, *manners)
            recommended = config.model_recommended_frames_after_eos
            n_after = n_guessed + MORE_FRAMES if recommended is None else recommended
            n_tokens = self._language.conditioner.prepare(worded).shape[1]
            seconds = n_tokens / SLOWEST_TOKENS_PER_SECOND + SPARE_SECONDS
            pieces.append(Piece(worded, n_after, math.ceil(seconds * self._codec.frame_rate)))
        return pieces

    def speak(
        self, piece: Piece, voice: NDArray[np.float32], sampling: Sampling, noise: Any
    ) -> Iterator[tuple[Samples, bool]]:
        """Yields what a voice, latents [frames, n_latents], says, frame by frame: samples [time], and whether the
        model has found the end by now. `noise` is a torch.Generator.

        While one thread decodes a frame another draws the next one; each has one core, whatever the machine, so that
        the numbers are the same everywhere.
        """
        decode = self._decoder(piece.n_frames_most)
        latents = self._latents(piece, voice, sampling, noise)
        with (
            ThreadPoolExecutor(1, "latents", use_threads, (1,)) as drawer,
            ThreadPoolExecutor(1, "codec", use_threads, (1,)) as decoder,
        ):
            drawn = drawer.submit(next, latents, None)
            decoded: tuple[Future[Samples], bool] | None = None
            while (found := drawn.result()) is not None:
                drawn = drawer.submit(next, latents, None)
                following = decoder.submit(decode, found[0]), found[1]
                if decoded is not None:
                    yield decoded[0].result(), decoded[1]
                decoded = following
            if decoded is not None:
                yield decoded[0].result(), decoded[1]

    def _latents(
        self, piece: Piece, voice: NDArray[np.float32], sampling: Sampling, noise: Any
    ) -> Iterator[tuple[Any, bool]]:
        """Yields latents [1, 1, ldim], each with whether the model has found the end."""
        import torch

        language = self._language
        tokens = language.conditioner.prepare(piece.text)
        state = _with_room(self._state_of(voice.tobytes()), tokens.shape[1] + piece.n_frames_most)
        # The package draws a latent after the text, too, and drops it; so do we, for its seeds to be ours.
        self._draw(self._hear(state, language.conditioner(tokens)), sampling, noise)
        latent = torch.full((1, 1, language.ldim), math.nan, device=self._kind)  # how it is told to begin
        n_left: int | None = None
        for n_frames in range(piece.n_frames_most):
            heard = self._hear(state, latents=latent)
            latent = self._draw(heard, sampling, noise)
            if n_left is None and n_frames >= FEWEST_FRAMES and self._is_end(heard):
                n_left = piece.n_frames_after
            if n_left == 0:
                return
            yield latent, n_left is not None
            n_left = None if n_left is None else n_left - 1

    def _is_end(self, heard: Any) -> bool:
        return bool(self._language.out_eos(heard) > self._config.default_eos_threshold)

    def _hear_voice(self, latents: bytes) -> State:
        """Returns the state of the transformer after a reference, which nobody writes to."""
        import torch
        from pocket_tts.modules.stateful_module import init_states

        language = self._language
        with torch.inference_mode():
            heard = torch.frombuffer(bytearray(latents), dtype=torch.float32).reshape(1, -1, self.n_latents)
            prompt = torch.nn.functional.linear(heard.to(self._kind), language.speaker_proj_weight)
            if language.insert_bos_before_voice:
                prompt = torch.cat([language.bos_before_voice, prompt], dim=1)
            state: State = init_states(language, batch_size=1, sequence_length=prompt.shape[1])
            self._hear(state, prompt)
        return state

    def _hear(self, state: State, conditions: Any = None, latents: Any = None) -> Any:
        """Lets the transformer hear conditions [1, n, dim] or latents [1, n, ldim]; returns its last output."""
        import torch
        from pocket_tts.modules.stateful_module import increment_steps

        language = self._language
        with torch.inference_mode():
            if conditions is None:
                conditions = torch.empty(1, 0, language.dim, device=self._kind)
            if latents is None:
                latents = torch.empty(1, 0, language.ldim, device=self._kind)
            latents = torch.where(torch.isnan(latents), language.bos_emb, latents)
            heard = language.backbone(language.input_linear(latents), conditions, latents, model_state=state)
            increment_steps(language, state, increment=conditions.shape[1] + latents.shape[1])
            return heard[:, -1].float()

    def _draw(self, heard: Any, sampling: Sampling, noise: Any) -> Any:
        """Draws a latent [1, 1, ldim] from noise, given the transformer's output."""
        import torch
        from pocket_tts.models import flow_lm

        decoders = {
            "lsd": flow_lm.lsd_decode,
            "flow_matching": flow_lm.ot_decode,
            "drifting": flow_lm.drifting_decode,
            "pointwise": flow_lm.pointwise_decode,
        }
        with torch.inference_mode():
            start = torch.empty(1, self._language.ldim).normal_(0, math.sqrt(sampling.temperature), generator=noise)
            flow = functools.partial(self._language.flow_net, heard)
            return decoders[self._language.flow_type](flow, start.to(self._kind), sampling.n_steps)[:, None]

    def _decoder(self, longest: int) -> Any:
        """Returns a function that turns latents, one after the other, into samples [time]."""
        import torch
        from pocket_tts.modules.stateful_module import increment_steps, init_states

        language, codec = self._language, self._codec
        n_steps = int(codec.encoder_frame_rate / codec.frame_rate)
        state = init_states(codec, batch_size=1, sequence_length=longest * n_steps)
        fade = torch.linspace(0, 1, int(FADE_SECONDS * self.sample_rate), device=self._kind)
        is_first = True

        def decode(latent: Any) -> Samples:
            nonlocal is_first
            with torch.inference_mode():
                sound = codec.decode_from_latent(latent * language.emb_std + language.emb_mean, state)[0, 0]
                increment_steps(codec, state, increment=n_steps)
                if is_first:
                    sound = torch.cat([sound[: len(fade)] * fade, sound[len(fade) :]])
                    is_first = False
                return np.asarray(sound.float().cpu().numpy(), np.float32)

        return decode


def _with_room(state: Mapping[str, Mapping[str, Any]], n_more: int) -> State:
    """Returns a copy of a transformer's state [2, batch, time, heads, size] that has room for more positions."""
    import torch

    copied: State = {}
    for name, tensors in state.items():
        copied[name] = {key: tensor.clone() for key, tensor in tensors.items()}
        cache = copied[name]["cache"]
        room = torch.full(
            (*cache.shape[:2], n_more, *cache.shape[3:]), math.nan, dtype=cache.dtype, device=cache.device
        )
        copied[name]["cache"] = torch.cat([cache, room], dim=2)
    return copied
