"""Networks that remember: their memory as a value that is passed on, and streams that they hear in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from audio_ml.audio import Samples
from audio_ml.chunks import Segmentation

AFTER = ".after"  # ends the name of the output that holds an input's next value

Memory = Mapping[str, Samples]


class RecurrentNetwork:
    """An ONNX Runtime session whose inputs `x` with an output `x.after` are its memory; safe to share among threads."""

    def __init__(self, session: Any) -> None:
        self._session = session
        outputs = [output.name for output in session.get_outputs()]
        self._results = [name for name in outputs if not name.endswith(AFTER)]
        self._start = {
            given.name: np.zeros(given.shape, np.float32)
            for given in session.get_inputs()
            if given.name + AFTER in outputs
        }

    def start(self) -> Memory:
        """Returns the memory of a network that has heard nothing."""
        return self._start

    def run(self, memory: Memory, given: Mapping[str, Samples]) -> tuple[Sequence[Samples], Memory]:
        """Returns the results for the next frames, and the memory after them."""
        names = [*self._results, *(name + AFTER for name in memory)]
        found = self._session.run(names, {**given, **memory})
        n_results = len(self._results)
        return found[:n_results], dict(zip(memory, found[n_results:], strict=True))


class SpeechLane:
    """Separates one channel of one stream into speech and noise, segment after segment, remembering all of it.

    `push` takes the next samples [n], whole frames of `frame`, and returns as many of the speech, `delay` samples
    behind. So a segment is `delay` samples that were heard before and the next ones, and the speech of all but its
    last `delay` is made: whatever the segments' length, the network hears the signal once, from the first sound on.
    Digital silence, which no microphone makes and no network was trained on, is heard only as long as the sound
    before it lingers in the network's frames; then the memory waits for the next sound.
    """

    def __init__(self, push: Callable[[Samples], Samples], delay: int, frame: int, stems: Sequence[str]) -> None:
        self._push, self._delay, self._frame, self._stems = push, delay, frame, stems
        self._lingers = -(-2 * delay // frame)  # frames until all that follows from a sound has come out
        self._silent = self._lingers  # frames since the last sound

    def __call__(self, segment: Samples) -> Samples:
        """Returns the stems [len(stems), 1, length] of the next segment [1, length]."""
        speech, kept = np.zeros_like(segment), segment.copy()
        n_made = segment.shape[-1] - self._delay
        speech[0, :n_made] = self._hear(segment[0, self._delay :])
        kept[0, n_made:] = 0
        return np.stack([speech if stem == "speech" else kept - speech for stem in self._stems])

    def _hear(self, signal: Samples) -> Samples:
        frames = signal.reshape(-1, self._frame)
        numbers = np.arange(len(frames))
        sounds = np.where(frames.any(axis=1), numbers, -1 - self._silent)
        silent = numbers - np.maximum.accumulate(sounds)
        self._silent = int(silent[-1])
        heard, speech = silent <= self._lingers, np.zeros_like(frames)
        if heard.any():
            speech[heard] = self._push(frames[heard].reshape(-1)).reshape(-1, self._frame)
        return speech.reshape(-1)


def in_turn(hop: int, delay: int) -> Segmentation:
    """Returns how a stream is cut for a `SpeechLane`, which makes `hop` samples at a time."""
    return Segmentation(hop + delay, hop, lead=delay)
