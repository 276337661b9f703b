"""What the synthetic voices say for training: plain sentences, and words of the dictionary among common ones."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Iterator
from importlib import resources

from bench.speech_texts import sentences
from tts.engine import Pronouncer
from tts.text.spoken import plain

DICTIONARY = "lexicon_us_gold.json.gz"
_COMMON = (
    "the of and a to in he was that his it I with as had for her you not be is at on by said which have from all him "
    "but this were so she my me one they no when would there an if we what are or them been could their more who up "
    "out into do now some then about any your like other time down little only over very before way old must see "
    "come has such know again its after these well never made did great how than where good here himself through "
    "long too us day man can house head upon should though much came went thought looked men might first last own "
    "will think just away off even hand hands eyes face night once own people still under while life father mother "
    "young took room back world nothing until something every without two three because began mister however"
)
COMMON = tuple(_COMMON.split())
N_WORDS = (3, 11)
RARE = 0.45  # share of words that come from the dictionary
PAUSE = 0.1  # chance of a comma behind a word
PLAIN = 0.4  # share of plain sentences
LONGEST = 110  # phonemes: some seven seconds


def spoken(seed: int, pronouncer: Pronouncer) -> Iterator[str]:
    """Yields phonemes of sentences without end, the same ones for a seed; none is longer than `LONGEST`."""
    chance = random.Random(seed)
    made_up = sentences(seed)
    written = _written()
    dictionary = [word for word in _dictionary() if word.isalpha() and word.islower() and len(word) > 2]
    while True:
        if chance.random() < PLAIN:
            text = chance.choice(written) if chance.random() < 0.4 else next(made_up)
        else:
            text = _mixture(chance, dictionary)
        tokens = pronouncer.pronounce(plain(text))
        phonemes = "".join(token.phonemes + " " * token.spaced for token in tokens).strip()
        if 8 < len(phonemes) <= LONGEST:
            yield phonemes


def _mixture(chance: random.Random, dictionary: list[str]) -> str:
    words = [
        chance.choice(dictionary if chance.random() < RARE else COMMON) + ("," if chance.random() < PAUSE else "")
        for _ in range(chance.randint(*N_WORDS))
    ]
    text = " ".join(words).rstrip(",")
    return text[0].upper() + text[1:] + chance.choice("....?!")


def _dictionary() -> list[str]:
    with resources.files("hibari").joinpath("assets", DICTIONARY).open("rb") as file:
        return list(json.loads(gzip.decompress(file.read())))


def _written() -> list[str]:
    table = resources.files("tts").joinpath("data", "sentences.csv").read_text(encoding="utf-8")
    return [row["spoken"] or row["text"] for row in csv.DictReader(table.splitlines())]
