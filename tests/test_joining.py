"""Words that are longer than what a model can take at once: spoken in pieces, told as one."""

from __future__ import annotations

import random
import string

import numpy as np
import pytest
import srt
from fake_speech import FAKE_SPEECH

import tts
from audio_ml.loader import ModelLoader
from audio_ml.speech import Speech
from tts.captions import as_srt

LOADER = ModelLoader("cpu")
LETTERS = "".join(random.Random(1).choices(string.ascii_lowercase, k=2000))


def speak(text: str) -> Speech:
    return tts.synthesize(text, "low", model=FAKE_SPEECH, loader=LOADER)


@pytest.mark.parametrize(
    "long",
    [LETTERS, f"({LETTERS}),", f"https://{LETTERS[:300]}.com/{LETTERS[300:600]}", "7" * 300, "-".join(["mother"] * 60)],
    ids=["letters", "with marks", "address", "digits", "hyphens"],
)
def test_a_token_that_is_torn_over_pieces_is_one_word(long: str) -> None:
    text = f"Before {long} and behind. The end."
    speech = speak(text)
    assert len(speech.phonemes.splitlines()) > 3 + 2  # beside "Before", "and behind" and "The end"
    assert [word.text for word in speech.words] == text.split()
    assert [text[slice(*word.span)] for word in speech.words] == text.split()
    for before, after in zip(speech.words, speech.words[1:], strict=False):
        assert before.start_seconds < before.end_seconds <= after.start_seconds
    said = "".join("".join(word.phonemes for word in speech.words).split())
    assert said == "".join(speech.phonemes.split())


def test_a_torn_word_is_heard_from_its_first_sound_to_its_last() -> None:
    speech = speak(LETTERS)
    (word,) = speech.words
    loud = np.flatnonzero(np.abs(speech.audio.samples[0]) > 0.1) / speech.audio.sample_rate
    assert word.start_seconds == pytest.approx(loud[0], abs=0.02)
    assert word.end_seconds == pytest.approx(loud[-1], abs=0.02)


def test_captions_show_a_torn_word_once() -> None:
    text = f"Before {LETTERS} and behind."
    shown = "".join(caption.content for caption in srt.parse(as_srt(speak(text).words)))
    assert "".join(shown.split()) == "".join(text.split())


def test_the_chunk_in_which_a_torn_word_ends_has_it() -> None:
    chunks = list(tts.stream(f"{LETTERS[:200]} end.", "low", model=FAKE_SPEECH, loader=LOADER))
    assert [word.text for chunk in chunks for word in chunk.words] == [LETTERS[:200], "end."]
    assert sum(bool(chunk.phonemes) for chunk in chunks) > 3 and not chunks[0].words


@pytest.mark.parametrize("mark", ["*", "\u200b", "|"])
def test_words_that_stand_apart_stay_apart_wherever_a_long_text_is_cut(mark: str) -> None:
    """Marks that nobody says stand between a word and the space behind it, also where portions of a text end."""
    text = " ".join(f"mother{mark}" for _ in range(300))
    begins = [word.span[0] for word in speak(text).words if word.text.startswith("mother")]
    assert begins == [8 * place for place in range(300)]


def test_a_word_before_markup_is_told_in_its_own_chunk() -> None:
    chunks = list(tts.stream("Wait[rate: 1.2]ing there.", "low", model=FAKE_SPEECH, loader=LOADER))
    assert [[word.text for word in chunk.words] for chunk in chunks] == [["Wait"], ["ing", "there."], []]
