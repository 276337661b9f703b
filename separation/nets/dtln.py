"""DTLN around its networks: overlapping frames in, cleaned frames out, added where they overlap.

Westhausen and Meyer 2020, "Dual-signal transformation LSTM network for real-time noise suppression", Interspeech.
"""

from __future__ import annotations

import numpy as np

from audio_ml.audio import Samples
from separation.recurrent import RecurrentNetwork

SAMPLE_RATE = 16000
FRAME = 512
HOP = 128
N_PARTS = FRAME // HOP
DELAY = FRAME - HOP
BLOCK = 250  # frames that go through the network at once: 2 s


class Dtln:
    """Cleans one channel as it comes, `DELAY` samples behind; it remembers, so each signal needs one of its own.

    There is no window: the network itself has learned frames that sum to the signal (section 2.2 of the paper).
    """

    def __init__(self, network: RecurrentNetwork) -> None:
        self._network, self._memory = network, network.start()
        self._before, self._begun = np.zeros((2, DELAY), np.float32)  # what was heard last, and what it got so far

    def push(self, signal: Samples) -> Samples:
        """Returns the speech [n] of `DELAY` samples before those given [n], whole hops of them."""
        heard = np.concatenate([self._before, signal])
        self._before = heard[len(signal) :]
        frames = np.lib.stride_tricks.sliding_window_view(heard, FRAME)[::HOP]
        joined = np.zeros((len(frames) + N_PARTS - 1, HOP), np.float32)
        joined[: N_PARTS - 1] = self._begun.reshape(-1, HOP)
        for start in range(0, len(frames), BLOCK):
            given = {"frames": np.ascontiguousarray(frames[start : start + BLOCK])}
            (cleaned,), self._memory = self._network.run(self._memory, given)
            for part in range(N_PARTS):
                joined[start + part : start + part + len(cleaned)] += cleaned[:, part * HOP : (part + 1) * HOP]
        self._begun = joined[len(frames) :].reshape(-1).copy()
        return joined[: len(frames)].reshape(-1)
