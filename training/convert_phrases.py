"""The phrases of the book that conversion speaks by: what the synthetic voices say for training, and more like it."""

from __future__ import annotations

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from training.convert_texts import spoken
from tts.phonemes.alphabet import VOCABULARY
from tts.phonemes.pronounce import EnglishPronouncer

SEED = 3
N_PHRASES = 1000


def phrases() -> NDArray[np.uint8]:
    """Returns the symbols of all phrases, each with a pad before and after it."""
    texts = islice(spoken(SEED, EnglishPronouncer(british=False)), N_PHRASES)
    return np.concatenate([np.array([0, *(VOCABULARY[symbol] for symbol in text), 0], np.uint8) for text in texts])
