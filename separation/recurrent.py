"""Networks that remember: their memory as a value that is passed on, and segments that begin with a warm-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class WarmUp:
    """Cuts a stream of one channel for a network that remembers; all in samples.

    Of each segment the first `warm_up` samples only fill the network's memory, and the last `look_ahead`
    are its view of what comes; what lies between is kept, with a fade of `fade` from one segment to the next.
    The first segment has nothing before it, so up to `hop` samples are what the network makes of the whole.
    `frame` is the grid on which the network's frames lie.
    """

    hop: int
    warm_up: int
    look_ahead: int
    fade: int
    frame: int

    @property
    def segmentation(self) -> Segmentation:
        """How the stream is cut."""
        lead = -(-(self.warm_up + self.fade + self.look_ahead) // self.frame) * self.frame
        return Segmentation(lead + self.hop, self.hop, lead)

    def apply(self, segment: Samples, network: Callable[[Samples], Samples]) -> tuple[Samples, Samples]:
        """Returns what is kept of a segment [1, length] and of its estimate, ready to be overlap-added.

        `network` turns a signal [n], n whole frames, into one as long. It hears the segment from its first
        sound on, since digital silence, such as that before the stream, tells it nothing.
        """
        weights = self._weights(segment.shape[-1])
        estimate = np.zeros_like(segment)
        sounding = np.flatnonzero(segment[0])
        if len(sounding):
            begin = sounding[0] // self.frame * self.frame
            end = -(-(sounding[-1] + 1 + self.look_ahead) // self.frame) * self.frame
            end = min(end, segment.shape[-1])
            if end > self.warm_up:  # otherwise nothing is kept
                estimate[0, begin:end] = network(segment[0, begin:end])
        return segment * weights, estimate * weights

    def _weights(self, length: int) -> Samples:
        rising = ((np.arange(self.fade) + 0.5) / self.fade).astype(np.float32)
        start = length - self.look_ahead - self.fade - self.hop
        weights = np.zeros(length, np.float32)
        weights[start : start + self.hop + self.fade] = 1
        weights[start : start + self.fade] = rising
        weights[start + self.hop : start + self.hop + self.fade] = 1 - rising
        return weights
