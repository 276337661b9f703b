"""Pocket-TTS by Kyutai: speaks text in the voice of a few seconds of speech, faster than real time on a CPU.

Rouard, Orsini, Roebel, Zeghidour, Défossez 2025, "Continuous audio language models" (arXiv:2509.06926).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from audio_ml.audio import Audio
from audio_ml.catalogue import Licence, Row, WeightFile
from audio_ml.device import Device
from audio_ml.errors import InvalidInput
from audio_ml.options import Options
from audio_ml.progress import Progress
from audio_ml.sources import HubSource
from voiceclone.nets import pocket_tts
from voiceclone.zero_shot import Arrays, Utterance, ZeroShotModel

SAMPLE_RATE = 24000
LONGEST_REFERENCE_SECONDS = 30.0  # as the package cuts longer ones
WEIGHTS_FILE = "model.safetensors"
LATENTS = "latents"  # what a voice keeps: the reference as the codec's latents, from which all else follows
LARGEST_LATENT = 1e4


class PocketOptions(Options):
    """Options of the small English Pocket-TTS model."""

    temperature: float = Field(
        0.3, ge=0, le=1.5, description="How far readings differ: at 0 there is one, higher is livelier and less sure."
    )
    seed: int = Field(0, ge=0, le=2**63 - 1, description="Another seed is another reading; the same one is the same.")


class PocketStepsOptions(PocketOptions):
    """Options of the Pocket-TTS models."""

    steps: int = Field(
        1, ge=1, le=16, description="Steps from noise to sound: more are slower.", json_schema_extra={"advanced": True}
    )


class PocketEngine:
    """Runs the network on the device; safe to call from several threads."""

    def __init__(self, files: Mapping[str, Path], device: Device, *, config: str, tokenizer: str) -> None:
        pocket_tts.import_pocket_tts()  # before 400 MB are fetched for nothing
        self._network = pocket_tts.PocketNetwork(config, files[WEIGHTS_FILE], files[tokenizer], device.kind)

    def enroll(self, reference: Audio, transcript: str, progress: Progress) -> Arrays:
        """Returns the reference as latents [frames, 32], 12.5 a second; what is said in it does not matter."""
        assert reference.sample_rate == self._network.sample_rate and reference.n_channels == 1
        return {LATENTS: self._network.encode(reference.samples[0])}

    def speak(self, text: str, state: Arrays, options: PocketOptions, progress: Progress) -> Iterator[Utterance]:
        """Yields a text sentence by sentence, or a few short ones together; raises as `ZeroShotEngine.speak`."""
        import torch

        voice = self._checked(state)
        sampling = pocket_tts.Sampling(options.temperature, getattr(options, "steps", 1))
        noise = torch.Generator().manual_seed(options.seed)  # on the CPU, so that a GPU gets the same
        pieces = self._network.pieces(text)
        for number, piece in enumerate(pieces):
            frames, ended = [], False
            for samples, ended in self._network.speak(piece, voice, sampling, noise):  # noqa: B007 - the last one tells
                frames.append(samples)
                progress.update("speaking", (number + len(frames) / piece.n_frames_most) / len(pieces))
            yield Utterance(np.concatenate(frames), "" if ended else _endless(piece.text))

    def _checked(self, state: Arrays) -> NDArray[np.float32]:
        """Returns the latents of a voice, which may come from anybody's file."""
        latents = np.asarray(state.get(LATENTS))
        most = int(LONGEST_REFERENCE_SECONDS * SAMPLE_RATE) // 1000
        if latents.dtype != np.float32 or latents.ndim != 2 or latents.shape[1] != self._network.n_latents:
            raise InvalidInput("What the voice keeps for Pocket-TTS is not one of its references: enrol it anew.")
        if not 0 < len(latents) <= most or not (np.abs(latents) < LARGEST_LATENT).all():
            raise InvalidInput("What the voice keeps for Pocket-TTS is damaged: enrol it anew.")
        return np.ascontiguousarray(latents)


def _endless(text: str) -> str:
    return f"Pocket-TTS found no end to '{text[:40]}' and was stopped: listen to it, or try another seed."


# The owner's words on the hub are longer; these are what binds, from the package's own page.
KYUTAI = Licence(
    "CC-BY-4.0, and Kyutai's terms of use",
    commercial=True,
    note="Credit Kyutai. No voice may be cloned without its owner's explicit and lawful consent, nor speech be passed "
    "off as a real recording of somebody. The files are handed out to who accepts these terms on the hub's page "
    "kyutai/pocket-tts and is logged in there (`hf auth login`).",
    must_accept=True,
)

_GATED = "kyutai/pocket-tts"
_OPEN = "kyutai/pocket-tts-without-voice-cloning"


def _model(
    name: str,
    summary: str,
    config: str,
    revisions: tuple[str, str],
    language: str = "en",
    tokenizer: str = "tokenizer.json",
    options: type[Options] = PocketStepsOptions,
    memory_bytes: int = 550_000_000,
) -> ZeroShotModel:
    """Returns the row of one of the package's configurations, with the `revisions` of weights and tokenizer in it."""
    folder = f"languages/{config}"
    files = (
        WeightFile(WEIGHTS_FILE, 0, "", (HubSource(_GATED, f"{folder}/{WEIGHTS_FILE}", revisions[0]),)),
        WeightFile(tokenizer, 0, "", (HubSource(_OPEN, f"{folder}/{tokenizer}", revisions[1]),)),
    )
    return ZeroShotModel(
        name=name,
        task="voiceclone",
        summary=summary,
        licence=KYUTAI,
        files=files,
        outputs=("speech",),
        sample_rate=SAMPLE_RATE,
        n_channels=1,
        memory_bytes=memory_bytes,
        options=options,
        engine=functools.partial(PocketEngine, config=config, tokenizer=tokenizer),
        languages=(language,),
        longest_reference_seconds=LONGEST_REFERENCE_SECONDS,
        keeps="a compressed copy of up to 30 s, which pocket-tts can make sound of again",
    )


_EUROPEAN = "3e82814a68665eec246ff649b14c71331f955c06"
_OTHERS_TOKENIZER = "4e1e0a3e611c51c0b4ed8174fc10f32a54644303"

MODELS: list[Row] = [
    _model(
        "pocket-tts",
        "Speaks English like a few seconds of speech, with 100 M parameters.",
        "english",
        ("db04f0e653473e5c7333c69686ac92b7460b0c1d", "00eac05ed3d16bdc3f6b5d598874019c34a89214"),
    ),
    _model(
        "pocket-tts-18m",
        "Speaks English like a few seconds of speech, with 18 M parameters: faster, and less like it.",
        "english_18m_2026-10",
        ("db04f0e653473e5c7333c69686ac92b7460b0c1d", "08ffc58775e62aad9409511b9591c9af626270f3"),
        tokenizer="tokenizer.model",
        options=PocketOptions,
        memory_bytes=150_000_000,
    ),
    *(
        _model(
            f"pocket-tts-{config}",
            f"Speaks {config.title()} like a few seconds of speech, with 100 M parameters.",
            config,
            (_EUROPEAN, revision),
            language,
        )
        for config, language, revision in (
            ("french", "fr", "8843db76457a91db32077edf8dfcd1c0e3e755fd"),
            ("german", "de", _OTHERS_TOKENIZER),
            ("italian", "it", _OTHERS_TOKENIZER),
            ("portuguese", "pt", _OTHERS_TOKENIZER),
            ("spanish", "es", _OTHERS_TOKENIZER),
            ("dutch", "nl", _OTHERS_TOKENIZER),
        )
    ),
]
