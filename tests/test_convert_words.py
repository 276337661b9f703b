"""The words of a recording: heard with their times by Whisper, joined from tokens, and spelled for Kokoro."""

from __future__ import annotations

import numpy as np
import pytest

import tts
from audio_ml.judges import heard
from audio_ml.loader import ModelLoader
from tts.phonemes.alphabet import vocabulary
from voiceclone.content import SAMPLE_RATE
from voiceclone.engines.kokoro_convert import CONVERT
from voiceclone.words import begins_of, joined

TEXT = "In seventeen eighty nine the keeper climbed the long stairs, and wrote down the height of the waves."
HEARD = "in 1789 the keeper climbed the long stairs and wrote down the height of the waves."


def test_tokens_begin_where_their_heads_look_and_each_in_its_turn() -> None:
    random = np.random.default_rng(0)
    looks = random.uniform(0, 0.02, (4, 3, 100)).astype(np.float32)
    for token, (begin, end) in enumerate([(0, 20), (20, 55), (55, 70), (70, 100)]):
        looks[token, :, begin:end] += 0.1
    looks[0, :, 90:93] += 0.1  # a glance elsewhere
    np.testing.assert_allclose(begins_of(looks), [0, 20, 55, 70], atol=1)
    unsure = begins_of(np.full((5, 3, 8), 0.1, np.float32))
    assert unsure[0] == 0
    assert (np.diff(unsure) > 0).all()


def test_tokens_are_joined_to_words() -> None:
    texts = ["He", "brews", " don", "'t", " go", ".", " -", " Mr", ".", " $", "5", "0"]
    found = joined(texts, 10 * np.arange(13))
    assert [(word.text, round(word.begin_seconds, 6)) for word in found] == [
        ("Hebrews", 0.0),
        ("don't", 0.4),
        ("go.-", 0.8),
        ("Mr.", 1.4),
        ("$50", 1.8),
    ]


def test_every_word_is_spelled_as_in_its_sentence() -> None:
    words = ["Mr.", "Reed", "lives", "in", "the", "U.S.,", "five-thirty.", "?"]
    spelled = tts.spell(words)
    letters = {number: symbol for symbol, number in vocabulary().items()}
    found = ["".join(letters[number] for number in word) for word in spelled]
    assert len(found) == len(words)
    assert found[0].startswith("mˈɪst")
    assert found[2].startswith("lˈɪv")  # the verb, by what stands around it
    assert found[5].endswith("ˈɛs, ")
    assert all(found[:7])
    assert tts.spell([]) == []


@pytest.mark.weights
def test_the_words_of_speech_are_heard_when_they_are_said() -> None:
    loader = ModelLoader("cpu")
    speech = tts.synthesize(TEXT, "hibari/heart", loader=loader)
    samples = heard(speech.audio, SAMPLE_RATE)
    with loader.use(CONVERT) as engine:
        words = engine._words.hear(samples)
        assert " ".join(word.text for word in words).lower().replace(",", "") == HEARD
        begins = [word.begin_seconds for word in words][1:]  # the first has the silence before it, too
        said = [word.start_seconds for word in speech.words if word.text not in ("eighty", "nine")][1:]
        np.testing.assert_allclose(begins, said, atol=0.5)
        assert np.median(np.abs(np.subtract(begins, said))) < 0.2
        noise = np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE).astype(np.float32)
        assert engine._words.hear(0.1 * noise) == []
        assert engine._words.hear(samples[::-1].copy()) == []  # no language
