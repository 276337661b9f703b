"""Makes what conversion has understood crisp: as a path through phrases that Kokoro's text encoder has read.

Who is not sure says the mean of what may have been heard, and that is mumbled. Here every frame chooses a symbol of
some thousand phrases, with what the text encoder makes of it there. To stay with a symbol costs nothing, to go on to
the one that follows it in its phrase next to nothing, to leap to any other a fixed price: dynamic programming finds
the cheapest path (Viterbi 1967), as the unit selection of Hunt and Black (1996) does for sound. What is answered for a
symbol, and how that spreads, was learned with the answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples

LEAP, STEP = 15.0, 2.0  # prices
TRUST = 0.3  # in a frame: neighbouring frames tell much the same
FEATURES = "/encoder/text_encoder/Transpose_2_output_0"  # [1, 512, symbols] of Kokoro's graph
SYMBOLS = "book.symbols"  # of the file that the phrases come in
PAD = 0  # symbol before and after each phrase
NEVER = np.float32(1e9)
TOGETHER = 24  # frames whose prices are computed at once


class PhraseBook:
    """Symbols of phrases with their `features` [symbols, 512]; safe to use from several threads at once."""

    def __init__(
        self, features: NDArray[np.float16], symbols: NDArray[np.uint8], expected: Samples, white: Samples
    ) -> None:
        """`expected` [513, 512] maps features and one to the answers for them as `white` [512, 512] whitens these."""
        self._features, self._white = features, white
        self._answers = (features.astype(np.float32) @ expected[:-1] + expected[-1]) * np.float32(TRUST)
        self._norms = 0.5 / np.float32(TRUST) * np.square(self._answers).sum(axis=1)
        pads = symbols == PAD
        self._is_first = np.flatnonzero(pads & np.concatenate([[True], pads[:-1]]))

    def nearest(self, answers: Samples) -> Samples:
        """Returns the features [frames, 512] of the cheapest path beside the network's answers [frames, 512]."""
        return self._features[self._path(answers @ self._white)].astype(np.float32)

    def _path(self, x: Samples) -> NDArray[np.int64]:
        """Returns the symbols [frames] of the cheapest path beside whitened answers [frames, n]."""
        n_frames, n_symbols = len(x), len(self._norms)
        went_on = np.zeros((n_frames, n_symbols), np.bool_)
        leapt = np.zeros((n_frames, n_symbols), np.bool_)
        best = np.zeros(n_frames, np.int64)
        total, stepped = np.zeros(n_symbols, np.float32), np.empty(n_symbols, np.float32)
        for frame, price in enumerate(self._prices(x)):
            if frame:
                best[frame] = total.argmin()
                leap = total[best[frame]] + np.float32(LEAP)
                np.add(total[:-1], np.float32(STEP), out=stepped[1:])
                stepped[self._is_first] = NEVER
                np.less(stepped, total, out=went_on[frame])
                np.minimum(total, stepped, out=total)
                np.less(leap, total, out=leapt[frame])
                np.minimum(total, leap, out=total)
            total += price
        path = np.zeros(n_frames, np.int64)
        path[-1] = total.argmin()
        for frame in range(n_frames - 1, 0, -1):
            at = path[frame]
            path[frame - 1] = best[frame] if leapt[frame, at] else at - 1 if went_on[frame, at] else at
        return path

    def _prices(self, x: Samples) -> Iterator[Samples]:
        """Yields for every frame half the squared distance of each symbol, but for what is the same for all."""
        for begin in range(0, len(x), TOGETHER):
            yield from self._norms - x[begin : begin + TOGETHER] @ self._answers.T


def build(output: Path, phrases: Path, published: Path) -> None:
    """Writes what the text encoder of a published graph of Kokoro makes of the phrases, float16 [symbols, 512]."""
    import onnx
    from onnx.utils import Extractor
    from safetensors.numpy import load_file

    from audio_ml.onnx_sessions import cpu_session

    part = Extractor(onnx.load(str(published))).extract_model(["input_ids"], [FEATURES])
    encoder = cpu_session(part.SerializeToString(), n_threads=1)
    symbols = load_file(phrases)[SYMBOLS]
    found = [encoder.run([FEATURES], {"input_ids": phrase.astype(np.int64)[None]})[0][0].T for phrase in split(symbols)]
    with output.open("wb") as file:
        np.save(file, np.concatenate(found).astype(np.float16))


def split(symbols: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Returns the phrases, each with a pad at both ends."""
    pads = symbols == PAD
    firsts = np.flatnonzero(pads & np.concatenate([[True], pads[:-1]]))
    return np.split(symbols, firsts[1:])
