"""Tells which English words are said, and when each begins: Whisper, taking the likeliest token each time.

When is found as Whisper's authors do it (their `timing.py`): what the heads that align look at for each token, and the
path through that on which every token follows the one before it. Numbers stay figures: barred from them, it loops.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from audio_ml.catalogue import WeightFile
from audio_ml.sources import PyPISource
from audio_ml.torch_threads import use_threads
from voiceclone.content import HEARD_SECONDS, SAMPLE_RATE

if TYPE_CHECKING:
    import torch

    from voiceclone.nets.whisper_encoder import WhisperEncoder

VOCABULARY = WeightFile(
    "gpt2.tiktoken",
    835_554,
    "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
    (PyPISource("mlx-whisper", "0.4.3", "mlx_whisper/assets/gpt2.tiktoken"),),
)
HEARD_SAMPLES = 30 * SAMPLE_RATE  # Whisper has learnt words from half minutes alone
END, START, NO_TIMES = 50256, 50257, 50362  # tokens behind those of the vocabulary
MOST_TOKENS = 224
WRITTEN = re.compile(r" ?[A-Za-z0-9.,?!:'$%&-]+")  # a token that is words, or parts of them; all others are barred
MARKS = " .,?!:'-"  # that belong to the word before them
# Mean logarithm of the tokens' probabilities: -0.09 to -0.53 for two readers of English, in noise as well, and -0.97
# to -1.35 for an Italian, a French and a Spanish sentence.
LEAST_SURE = -0.8
MOST_REPEATED = 2.4  # times that deflate makes the text shorter; Whisper's own limit
SMOOTHED = 7  # frames, of what the heads look at


@dataclass(frozen=True)
class Word:
    """A word with the marks behind it, and the second at which it begins."""

    text: str
    begin_seconds: float


class WordHearing:
    """Whisper's decoder behind the encoder that hears already; safe to call from several threads at once."""

    def __init__(self, encoder: WhisperEncoder, whisper: Path, vocabulary: Path) -> None:
        import torch

        from audio_ml.state_dicts import load_strictly, read_state_dict
        from voiceclone.nets.whisper_decoder import N_TOKENS, WhisperDecoder, decoder_state

        self._encoder, self._decoder = encoder, WhisperDecoder()
        load_strictly(self._decoder, decoder_state(read_state_dict(whisper)), "Whisper tiny.en")
        self._decoder.eval()
        self._texts = _texts(vocabulary)
        barred = [WRITTEN.fullmatch(text) is None for text in self._texts] + [True] * (N_TOKENS - len(self._texts))
        barred[END] = False
        self._barred = torch.tensor(barred)

    def hear(self, samples: Samples) -> list[Word]:
        """Returns the words of speech [time] at 16 kHz, of 30 s at most; none where Whisper itself is in doubt."""
        import torch

        padded = np.pad(samples, (0, HEARD_SAMPLES - samples.size))
        with torch.inference_mode():
            heard = self._encoder(torch.from_numpy(padded)[None])[-1][0]
            tokens, looks, sureness = self._write(heard)
            text = "".join(self._texts[token] for token in tokens)
            if not tokens or sureness < LEAST_SURE or _times_shorter(text) > MOST_REPEATED:
                return []
            n_frames = round(samples.size / SAMPLE_RATE / HEARD_SECONDS)
            if len(looks) > n_frames:
                return []
            begins = begins_of(torch.stack(looks)[..., :n_frames].softmax(-1).numpy())
        return joined([self._texts[token] for token in tokens], begins)

    def _write(self, heard: torch.Tensor) -> tuple[list[int], list[torch.Tensor], float]:
        """Returns the likeliest tokens, what the heads looked at before each and before the end [heads, frames], and
        the mean logarithm of their probabilities; no tokens where there is no end to them."""
        memory = self._decoder.begin(heard)
        use_threads(1)  # a token is too little work to share: on a busy machine two would wait for each other
        self._decoder(START, memory)
        tokens: list[int] = []
        looks: list[torch.Tensor] = []
        sureness, last = 0.0, NO_TIMES
        for _ in range(MOST_TOKENS):
            logits, look = self._decoder(last, memory)
            looks.append(look)
            found = logits.masked_fill(self._barred, -np.inf).log_softmax(-1).max(-1)
            last = int(found.indices)
            sureness += float(found.values)
            if last == END:
                return tokens, looks, sureness / len(looks)
            tokens.append(last)
        return [], [], -np.inf


def begins_of(looks: NDArray[np.float32]) -> NDArray[np.int64]:
    """Returns the frames at which tokens begin of what heads look at before each [tokens, heads, frames]: every frame
    belongs to one of them, in order, each of which has one at the least."""
    spread = (looks - looks.mean(axis=0)) / (looks.std(axis=0) + 1e-9)
    around = np.pad(spread, ((0, 0), (0, 0), (SMOOTHED // 2, SMOOTHED // 2)), mode="edge")
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(around, SMOOTHED, axis=-1), axis=-1)
    gains = smooth.mean(axis=1).T
    n_frames, n_tokens = gains.shape
    total = np.full(n_tokens, -np.inf)
    total[0] = gains[0, 0]
    went_on = np.zeros((n_frames, n_tokens), np.bool_)
    for frame in range(1, n_frames):
        stepped = np.concatenate([[-np.inf], total[:-1]])
        went_on[frame] = stepped > total
        total = np.maximum(total, stepped) + gains[frame]
    begins = np.zeros(n_tokens, np.int64)
    token = n_tokens - 1
    for frame in range(n_frames - 1, 0, -1):
        if went_on[frame, token]:
            begins[token] = frame
            token -= 1
    return begins


def joined(texts: Sequence[str], begins: NDArray[np.int64]) -> list[Word]:
    """Returns the words of tokens, of which those with a space in front begin one, unless they are marks alone."""
    words: list[Word] = []
    for text, frame in zip(texts, begins, strict=False):
        if words and not (text.startswith(" ") and text.strip(MARKS)):
            words[-1] = Word(words[-1].text + text.strip(), words[-1].begin_seconds)
        else:
            words.append(Word(text.strip(), float(frame) * HEARD_SECONDS))
    return words


def _texts(vocabulary: Path) -> list[str]:
    """Returns the text of every token; a part of a letter becomes a sign that no word has."""
    lines = vocabulary.read_text(encoding="ascii").splitlines()
    return [base64.b64decode(line.split()[0]).decode(errors="replace") for line in lines]


def _times_shorter(text: str) -> float:
    return len(text.encode()) / len(zlib.compress(text.encode()))
