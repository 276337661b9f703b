"""Silero VAD: in which moments of a recording somebody speaks.

https://github.com/snakers4/silero-vad (Silero Team 2021-2025). Its network for whole sequences runs in ONNX Runtime; it
hears frames of 32 ms, each after the last 4 ms of the frame before, and remembers through an LSTM.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from audio_ml.catalogue import Licence, ModelSpec, Row, WeightFile
from audio_ml.device import Device
from audio_ml.onnx_sessions import cpu_session
from audio_ml.sources import PyPISource

SAMPLE_RATE = 16000
FRAME = 512  # samples
FRAME_SECONDS = FRAME / SAMPLE_RATE
CONTEXT = 64  # samples of the frame before that are heard again
N_STATE = 128
WARM_UP = 16 * FRAME  # of the beginning, mirrored in front of it: a network that remembers nothing misses half a word
LONGEST_RUN = 512  # frames in one run of the network, which bounds its memory

BEGINS, ENDS = 0.5, 0.35  # probabilities: speech begins above the one and ends below the other, as its authors have it
LONGEST_GAP = 8  # frames inside speech: 0.26 s, between words
SHORTEST_SPEECH = 8  # frames: a cough or a click is shorter

Spans = list[tuple[int, int]]  # first frame and the one after the last


class VoiceActivityEngine:
    """Holds the network for any number of streams; on a CPU, wherever the other models are."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self._session = cpu_session(files[_FILE], n_threads=1)

    def begin(self) -> VoiceActivity:
        """Returns what listens to one stream."""
        return VoiceActivity(self._session)


class VoiceActivity:
    """Tells, frame by frame of a stream, how probable it is that somebody speaks."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._hidden = np.zeros((1, 1, N_STATE), np.float32)
        self._cell = np.zeros((1, 1, N_STATE), np.float32)
        self._context = np.zeros(CONTEXT, np.float32)
        self._pending: Samples = np.zeros(0, np.float32)
        self._begun = False

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """Takes samples [time] at 16 kHz and returns the probabilities [frames] of the frames that are complete."""
        pending = np.concatenate([self._pending, samples])
        if not self._begun and pending.size < WARM_UP:
            self._pending = pending
            return np.zeros(0, np.float32)
        self._warm_up(pending)
        n_frames = pending.size // FRAME
        self._pending = pending[n_frames * FRAME :]
        return self._run(pending[: n_frames * FRAME].reshape(n_frames, FRAME))

    def finish(self) -> NDArray[np.float32]:
        """Returns the probabilities of the rest, whose last frame is filled up with silence."""
        rest, self._pending = self._pending, np.zeros(0, np.float32)
        if not rest.size:
            return np.zeros(0, np.float32)
        self._warm_up(rest)
        filled = np.pad(rest, (0, -rest.size % FRAME))
        return self._run(filled.reshape(-1, FRAME))

    def _warm_up(self, beginning: Samples) -> None:
        if self._begun:
            return
        self._begun = True
        mirrored = beginning[:WARM_UP][::-1]
        self._run(np.pad(mirrored, (-mirrored.size % FRAME, 0)).reshape(-1, FRAME))

    def _run(self, frames: Samples) -> NDArray[np.float32]:
        """Returns the probabilities [n] of frames [n, FRAME], and remembers."""
        heard = [np.zeros(0, np.float32)]
        for first in range(0, len(frames), LONGEST_RUN):
            piece = frames[first : first + LONGEST_RUN]
            contexts = np.vstack([self._context[None], piece[:-1, -CONTEXT:]])
            self._context = piece[-1, -CONTEXT:]
            inputs = {"input": np.hstack([contexts, piece]), "h": self._hidden, "c": self._cell}
            probabilities, self._hidden, self._cell = self._session.run(["speech_probs", "hn", "cn"], inputs)
            heard.append(probabilities)
        return np.concatenate(heard)


def find_spans(probabilities: NDArray[np.float32]) -> Spans:
    """Returns the stretches of speech in probabilities [frames]: without clicks, and with the gaps between words.

    >>> find_spans(np.array([0.1] * 5 + [0.9] * 20 + [0.1] * 3 + [0.9] * 10 + [0.1] * 40 + [0.9] * 2, np.float32))
    [(5, 38)]
    """
    spans: Spans = []
    begin: int | None = None
    for frame, probability in enumerate([*probabilities.tolist(), 0.0]):
        if begin is None and probability >= BEGINS:
            begin = frame
        elif begin is not None and probability < ENDS:
            if spans and begin - spans[-1][1] <= LONGEST_GAP:
                begin = spans.pop()[0]
            spans.append((begin, frame))
            begin = None
    return [(begin, end) for begin, end in spans if end - begin >= SHORTEST_SPEECH]


_FILE = "silero_vad_16k_sequence.onnx"

VOICE_ACTIVITY = ModelSpec(
    name="silero-vad",
    task="voiceclone",
    summary="Where in a recording somebody speaks (Silero VAD); a part that references are checked with.",
    licence=Licence("MIT", commercial=True),
    files=(
        WeightFile(
            _FILE,
            1_246_165,
            "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
            (PyPISource("silero-vad", "6.2.3", f"silero_vad/data/{_FILE}"),),
        ),
    ),
    outputs=("activity",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=40_000_000,
    verified="2026-11-26",
    engine=VoiceActivityEngine,
)

MODELS: list[Row] = [VOICE_ACTIVITY]
