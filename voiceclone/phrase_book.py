"""Makes what conversion has understood crisp: as a path through phrases that Kokoro's text encoder has read.

Who is not sure says the mean of what may have been heard, and that is mumbled. Here every frame chooses a symbol of
some thousand phrases, with what the text encoder makes of it there. To stay with a symbol costs nothing, to go on to
the one that follows it in its phrase next to nothing, to leap to any other a fixed price: dynamic programming finds
the cheapest path (Viterbi 1967), as the unit selection of Hunt and Black (1996) does for sound. What is answered for a
symbol, and how that spreads, was learned with the answers.

Where the words of a recording are known, what they are spelled with is one more phrase, which is cheaper than the book
near the times at which they are said. Where they are wrong the book is cheaper still.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from voiceclone.content import FRAME_SECONDS
from voiceclone.words import Word

LEAP, STEP = 15.0, 2.0  # prices
TRUST = 0.3  # in a frame: neighbouring frames tell much the same
# Chosen on two speakers, clear, in noise, and with wrong words: 5 is not enough in noise, 60 keeps what is wrong.
KNOWN = 30.0  # by how much a symbol of words that are known is cheaper in a frame
SLACK_FRAMES = 12  # that they may be said earlier or later than they seem to be
UNTIMELY = 2.5  # price of a frame, for every frame more
FEATURES = "/encoder/text_encoder/Transpose_2_output_0"  # [1, 512, symbols] of Kokoro's graph
SYMBOLS = "book.symbols"  # of the file that the phrases come in
PAD = 0  # symbol before and after each phrase
NEVER = np.float32(1e9)
TOGETHER = 24  # frames whose prices are computed at once


@dataclass(frozen=True, eq=False)
class KnownWords:
    """The `features` [symbols, 512] of the words of a recording, and from which frame to which each symbol is said."""

    features: Samples
    begins: NDArray[np.float64]
    ends: NDArray[np.float64]

    @classmethod
    def of(cls, words: Sequence[Word], symbols: Sequence[Sequence[int]], encoder: TextEncoder) -> KnownWords | None:
        """Returns words that are spelled with these symbols; None where there is nothing to say.

        A word may be said until the next one begins, and the pads at both ends at any time.
        """
        numbers = [PAD, *(number for word in symbols for number in word), PAD]
        if len(numbers) == 2:
            return None
        times = [-np.inf, *(word.begin_seconds / FRAME_SECONDS for word in words), np.inf]
        counts = [1, *map(len, symbols), 1]
        begins, ends = np.repeat([*times[:-1], -np.inf], counts), np.repeat([np.inf, *times[2:], np.inf], counts)
        return cls(encoder.encode(numbers), begins, ends)

    def untimely(self, n_frames: int) -> Samples:
        """Returns how many frames too early or too late each symbol is in every frame [frames, symbols]."""
        at = np.arange(n_frames)[:, None] + 0.5
        away = np.maximum(self.begins - at, at - self.ends) - SLACK_FRAMES
        return np.asarray(np.maximum(away, 0), np.float32)


class TextEncoder:
    """The part of Kokoro that reads symbols; safe to use from several threads at once."""

    def __init__(self, graph: Path | bytes) -> None:
        from audio_ml.onnx_sessions import cpu_session

        self._session = cpu_session(graph, n_threads=1)

    def encode(self, symbols: Sequence[int]) -> Samples:
        """Returns features [symbols, 512]."""
        features: Samples = self._session.run([FEATURES], {"input_ids": np.array(symbols, np.int64)[None]})[0][0].T
        return features


class PhraseBook:
    """Symbols of phrases with their `features` [symbols, 512]; safe to use from several threads at once."""

    def __init__(
        self, features: NDArray[np.float16], symbols: NDArray[np.uint8], expected: Samples, white: Samples
    ) -> None:
        """`expected` [513, 512] maps features and one to the answers for them as `white` [512, 512] whitens these."""
        self._features, self._expected, self._white = features, expected, white
        self._answers, self._norms = self._expectations(features)
        pads = symbols == PAD
        self._is_first = np.flatnonzero(pads & np.concatenate([[True], pads[:-1]]))

    def nearest(self, answers: Samples, known: KnownWords | None = None) -> tuple[Samples, NDArray[np.bool_]]:
        """Returns the features [frames, 512] of the cheapest path beside the network's answers [frames, 512], and
        which frames [frames] say words that were known."""
        x, n_symbols = answers @ self._white, len(self._norms)
        path = self._path(x, known)
        is_known = path >= n_symbols
        found = self._features[np.minimum(path, n_symbols - 1)].astype(np.float32)
        if known is not None:
            found[is_known] = known.features[path[is_known] - n_symbols]
        return found, is_known

    def _expectations(self, features: NDArray[np.float16] | Samples) -> tuple[Samples, Samples]:
        """Returns the answers that are expected for features [n, 512], times `TRUST`, and half their squares [n]."""
        answers = (features.astype(np.float32) @ self._expected[:-1] + self._expected[-1]) * np.float32(TRUST)
        return answers, 0.5 / np.float32(TRUST) * np.square(answers).sum(axis=1)

    def _path(self, x: Samples, known: KnownWords | None) -> NDArray[np.int64]:
        """Returns the symbols [frames] of the cheapest path beside whitened answers [frames, n]; behind the symbols of
        the book come those of the words that are known."""
        is_first, n_frames, n_symbols = self._is_first, len(x), len(self._norms)
        if known is not None:
            is_first, n_symbols = np.append(is_first, n_symbols), n_symbols + len(known.features)
        went_on = np.zeros((n_frames, n_symbols), np.bool_)
        leapt = np.zeros((n_frames, n_symbols), np.bool_)
        best = np.zeros(n_frames, np.int64)
        total, stepped = np.zeros(n_symbols, np.float32), np.empty(n_symbols, np.float32)
        for frame, price in enumerate(self._prices(x, known)):
            if frame:
                best[frame] = total.argmin()
                leap = total[best[frame]] + np.float32(LEAP)
                np.add(total[:-1], np.float32(STEP), out=stepped[1:])
                stepped[is_first] = NEVER
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

    def _prices(self, x: Samples, known: KnownWords | None) -> Iterator[Samples]:
        """Yields for every frame half the squared distance of each symbol, but for what is the same for all."""
        of_known = np.zeros((len(x), 0), np.float32)
        if known is not None:
            answers, norms = self._expectations(known.features)
            of_known = norms - x @ answers.T + np.float32(UNTIMELY) * known.untimely(len(x)) - np.float32(KNOWN)
        for begin in range(0, len(x), TOGETHER):
            of_book = self._norms - x[begin : begin + TOGETHER] @ self._answers.T
            yield from np.concatenate([of_book, of_known[begin : begin + TOGETHER]], axis=1)


def build_encoder(output: Path, published: Path) -> None:
    """Writes the text encoder of a published graph of Kokoro."""
    output.write_bytes(_text_encoder(published))


def build(output: Path, phrases: Path, published: Path) -> None:
    """Writes what the text encoder of a published graph of Kokoro makes of the phrases, float16 [symbols, 512]."""
    from safetensors.numpy import load_file

    encoder = TextEncoder(_text_encoder(published))
    found = [encoder.encode(phrase.tolist()) for phrase in split(load_file(phrases)[SYMBOLS])]
    with output.open("wb") as file:
        np.save(file, np.concatenate(found).astype(np.float16))


def split(symbols: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Returns the phrases, each with a pad at both ends."""
    pads = symbols == PAD
    firsts = np.flatnonzero(pads & np.concatenate([[True], pads[:-1]]))
    return np.split(symbols, firsts[1:])


def _text_encoder(published: Path) -> bytes:
    import onnx
    from onnx.utils import Extractor

    part = Extractor(onnx.load(str(published))).extract_model(["input_ids"], [FEATURES])
    graph: bytes = part.SerializeToString()
    return graph
