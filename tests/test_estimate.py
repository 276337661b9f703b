"""What is told of a text before it is spoken: about its length, and just what cannot be said of it."""

from __future__ import annotations

import csv
from importlib import resources
from typing import Any

import pytest

import tts
from audio_ml.errors import InvalidInput, UnknownVoice
from audio_ml.loader import ModelLoader
from tts.estimate import MOST_READ

TEXT = "The river was low that summer, and the boats lay tilted on the mud. Nobody came."


def seconds(text: str, **options: Any) -> float:
    return tts.estimate(text, options=options).seconds


@pytest.mark.weights
def test_it_is_near_what_the_voice_takes() -> None:
    loader = ModelLoader("cpu")
    with (resources.files("tts") / "data/sentences.csv").open(encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)][::12]
    spoken = [tts.synthesize(text, loader=loader).audio for text in texts]
    actual = [audio.n_samples / audio.sample_rate for audio in spoken]
    told = [seconds(text) for text in texts]
    assert abs(sum(told) / sum(actual) - 1) < 0.08
    assert all(abs(one / other - 1) < 0.4 for one, other in zip(told, actual, strict=True))


def test_pauses_and_pace_count() -> None:
    base = seconds(TEXT)
    assert seconds(TEXT, speed=2.0) < 0.65 * base
    assert seconds(TEXT, speed=0.5) > 1.8 * base
    assert seconds(f"{TEXT} [pause 3s] Nobody.") == pytest.approx(base + 3 + seconds("Nobody.") - 0.05, abs=0.05)
    assert seconds(f"[rate: 0.5]{TEXT}[/rate]") == pytest.approx(seconds(TEXT, speed=0.5), rel=0.01)
    assert seconds(TEXT, sentence_pause=2.35) == pytest.approx(base + 2)
    assert seconds(f"{TEXT}\n\n{TEXT}") == pytest.approx(2 * base + 0.7 - 0.05, abs=0.02)


def test_numbers_count_as_they_are_said() -> None:
    assert seconds("1,234,567") > 3 * seconds("word")
    assert tts.estimate("It costs $5.50 at 3:45 pm.").n_words == 6


@pytest.mark.parametrize(
    "text", ["Hello ☭ there", "Привет мир", "a | b — c …", TEXT, "x 😀 y", "[IPA](/aɪ piː eɪ/) only"]
)
def test_what_cannot_be_said_is_what_speech_warns_of(text: str) -> None:
    spoken = tts.synthesize(text, loader=ModelLoader("cpu"))
    assert [w.message for w in tts.estimate(text).warnings] == [w.message for w in spoken.warnings]


def test_a_voice_of_another_language_reads_no_text() -> None:
    told = tts.estimate("Hola amigo", "kokoro/ef_dora")
    assert told.seconds == 0 and "no text is read" in told.warnings[0].message
    assert tts.estimate("[hola](/ˈola/)", "kokoro/ef_dora").seconds > 0


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        (" ", InvalidInput, "empty"),
        ("[pause 9 parsecs] x", InvalidInput, "9 parsecs"),
        ("<speak><foo/></speak>", InvalidInput, "column 8"),
        ("[voice: nobody] x", UnknownVoice, "nobody"),
    ],
)
def test_mistakes_are_those_of_speech(text: str, kind: type[Exception], word: str) -> None:
    with pytest.raises(kind, match=word):
        tts.estimate(text)


def test_a_long_text_is_read_in_part() -> None:
    part = TEXT + " "
    n = 4 * MOST_READ // len(part)
    told, once = tts.estimate(part * n), tts.estimate(part * (n // 8))
    assert told.is_partial and not once.is_partial
    assert told.seconds == pytest.approx(8 * once.seconds, rel=0.02)
    assert told.n_words == pytest.approx(len(TEXT.split()) * n, rel=0.02)


def test_a_lexicon_counts(tmp_path: Any) -> None:
    path = tmp_path / "words.csv"
    path.write_text("word,alias\nBBC,the British Broadcasting Corporation\n")
    assert seconds("BBC says so.", lexicon=(str(path),)) > seconds("BBC says so.") + 1
    with pytest.raises(InvalidInput, match="cannot be read") as caught:
        seconds("BBC says so.", lexicon=(str(tmp_path / "none.csv"),))
    assert caught.value.param == "lexicon"  # so that a page says it at that field
