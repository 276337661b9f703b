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
BLOCK = 250  # frames that go through the network at once: 2 s


def clean(network: RecurrentNetwork, signal: Samples) -> Samples:
    """Returns the speech in a signal [n] of whole hops, in place; it begins with the signal's first sample.

    No window: the network itself has learned frames that sum to the signal (section 2.2 of the paper).
    """
    n_frames = len(signal) // HOP
    n_parts = FRAME // HOP
    padded = np.concatenate([np.zeros(FRAME - HOP, np.float32), signal])
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    joined = np.zeros((n_frames + n_parts - 1, HOP), np.float32)
    memory = network.start()
    for start in range(0, n_frames, BLOCK):
        (cleaned,), memory = network.run(memory, {"frames": np.ascontiguousarray(frames[start : start + BLOCK])})
        for part in range(n_parts):
            joined[start + part : start + part + len(cleaned)] += cleaned[:, part * HOP : (part + 1) * HOP]
    return joined[n_parts - 1 :].reshape(-1)
