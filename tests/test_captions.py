"""Captions: read back by other people's readers, within broadcast limits, with every word at its time."""

from __future__ import annotations

import io
import itertools
import json
import math
from pathlib import Path

import pytest
import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_ml.errors import InvalidOption, OutputUnwritable
from audio_ml.speech import SpeechWarning, Word
from tts.captions import as_audacity, as_json, as_srt, as_vtt, cues, write_captions

LIMIT, SHORTEST, LONGEST = 42, 833, 7000  # characters, milliseconds


def spoken(text: str, seconds: float = 0.3, gap: float = 0.0, begin: float = 0.0, voice: str = "emma") -> list[Word]:
    """Returns the words of a text, each of the same length."""
    words = []
    for index, word in enumerate(text.split()):
        start = begin + index * (seconds + gap)
        words.append(Word(word, start, start + seconds, "x", (index, index + 1), voice))
    return words


WORDS = ["a", "I", "word", "another", "Stop.", "Really?", "well,", "it's", "<b>", "&amp;", "-->", "R&D", "1", "é😀"]
TEXTS = st.sampled_from(WORDS) | st.text(
    st.characters(whitelist_categories=["L", "N", "P", "S"]), min_size=1, max_size=120
)
MOMENTS = st.tuples(
    TEXTS, st.floats(0.0004, 20), st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.45, 3.0]), st.sampled_from("ab")
)


@st.composite
def speech(draw: st.DrawFn) -> list[Word]:
    """Draws words in order, some very long, some very short."""
    words, now = [], draw(st.floats(0, 4000))
    for text, seconds, gap, voice in draw(st.lists(MOMENTS, max_size=25)):
        words.append(Word(text, now, now + seconds, "x", (0, 1), voice if seconds > 10 else "a"))
        now += seconds + gap
    return words


def without_space(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=200, deadline=None)
@given(speech())
def test_captions_keep_all_words_and_the_limits(words: list[Word]) -> None:
    found = cues(words)
    shown = "".join(word.text for cue in found for line in cue.lines for word in line)
    assert without_space(shown) == without_space("".join(word.text for word in words))
    for cue in found:
        assert 1 <= len(cue.lines) <= 2
        assert all(len(" ".join(word.text for word in line)) <= LIMIT for line in cue.lines)
        assert 0 < cue.end_ms - cue.start_ms <= LONGEST + 1
        assert len({word.voice for line in cue.lines for word in line}) == 1
    assert all(a.end_ms <= b.start_ms for a, b in itertools.pairwise(found))
    for cue, next_ms in zip(found, [*(cue.start_ms for cue in found[1:]), math.inf], strict=False):
        assert cue.end_ms - cue.start_ms >= min(SHORTEST, next_ms - cue.start_ms)


@settings(max_examples=150, deadline=None)
@given(speech())
def test_other_readers_find_the_same(words: list[Word]) -> None:
    found = cues(words)
    texts = ["\n".join(" ".join(word.text for word in line) for line in cue.lines) for cue in found]
    subtitles = list(srt.parse(as_srt(words)))
    assert [subtitle.content for subtitle in subtitles] == texts
    assert [round(subtitle.start.total_seconds() * 1000) for subtitle in subtitles] == [cue.start_ms for cue in found]
    assert [round(subtitle.end.total_seconds() * 1000) for subtitle in subtitles] == [cue.end_ms for cue in found]
    captions = list(webvtt.from_buffer(io.StringIO(as_vtt(words))))
    assert len(captions) == len(found)
    for caption, cue in zip(captions, found, strict=True):
        assert round(caption.start_in_seconds * 1000) // 1000 == cue.start_ms // 1000
        assert caption.start == f"{cue.start_ms // 3_600_000:02}" + caption.start[2:9] + f"{cue.start_ms % 1000:03}"


def test_markup_in_words_is_escaped_in_webvtt() -> None:
    vtt = as_vtt(spoken("<b>R&D</b> -->"))
    assert "&lt;b&gt;R&amp;D&lt;/b&gt;" in vtt and "--&gt;" in vtt
    (caption,) = webvtt.from_buffer(io.StringIO(vtt))
    assert caption.end == "00:00:00.833"


def test_webvtt_tells_the_time_of_each_word() -> None:
    vtt = as_vtt(spoken("One two three.", seconds=0.5, begin=61))
    assert vtt == "WEBVTT\n\n00:01:01.000 --> 00:01:02.500\nOne <00:01:01.500>two <00:01:02.000>three.\n"


def test_webvtt_names_voices_when_there_are_several() -> None:
    words = [*spoken("Hello.", voice="emma & co"), *spoken("Hi.", begin=3, voice="heart")]
    assert "<v emma &amp; co>Hello." in as_vtt(words)
    assert "<v" not in as_vtt(spoken("Hello."))


def test_captions_break_at_sentences_pauses_and_clauses() -> None:
    def texts(words: list[Word]) -> list[str]:
        return [" / ".join(" ".join(word.text for word in line) for line in cue.lines) for cue in cues(words)]

    assert texts(spoken("We left the house at noon. The rain had stopped by then.")) == [
        "We left the house at noon.",
        "The rain had stopped by then.",
    ]
    assert texts(spoken("Hi! Is it you?")) == ["Hi! Is it you?"], "what is too short to be read stays together"
    long = "When the rain had stopped at last and all of us were dry, we went on to the old town by the sea together"
    assert texts(spoken(long))[0].replace(" / ", " ").endswith("dry,")
    paused = [*spoken("so we waited for him"), *spoken("and waited for the train", begin=4.5)]
    assert texts(paused) == ["so we waited for him", "and waited for the train"]


def test_two_lines_are_alike() -> None:
    (cue,) = cues(spoken("The quick brown fox jumps over the lazy dog again today.", seconds=0.2))
    first, second = (len(" ".join(word.text for word in line)) for line in cue.lines)
    assert abs(first - second) <= 6


def test_a_caption_does_not_stay_over_silence() -> None:
    first, second = cues([*spoken("One"), *spoken("two", begin=3)])
    assert (first.end_ms, second.start_ms) == (833, 3000)


def test_times_increase_even_below_a_millisecond() -> None:
    words = [Word("a", n * 1e-4, (n + 1) * 1e-4, "x", (n, n + 1), "ab"[n % 2]) for n in range(4)]
    found = cues(words)
    assert [cue.start_ms for cue in found] == [0, 1, 2, 3]
    assert all(cue.end_ms > cue.start_ms for cue in found)


def test_labels_and_json() -> None:
    words = [Word("3:45\npm", 0.5, 1.25, "θɹˈi", (4, 11), "emma")]
    assert as_audacity(words) == "0.500000\t1.250000\t3:45 pm\n"
    record = json.loads(as_json(words, [SpeechWarning("'☃' is read as 'snowman'.", (12, 13))]))
    assert record["words"] == [
        {
            "text": "3:45\npm",
            "start_seconds": 0.5,
            "end_seconds": 1.25,
            "phonemes": "θɹˈi",
            "span": [4, 11],
            "voice": "emma",
        }
    ]
    assert record["warnings"] == [{"message": "'☃' is read as 'snowman'.", "span": [12, 13]}]


@pytest.mark.parametrize("ending", [".srt", ".vtt", ".txt", ".json", ".SRT"])
def test_the_ending_chooses_the_form(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"é{ending}"
    path.write_text("old")
    words = spoken("Ünï code.")
    write_captions(words, path)
    expected = {".srt": as_srt, ".vtt": as_vtt, ".txt": as_audacity, ".json": as_json}[ending.lower()](words)
    assert path.read_bytes().decode("utf-8") == expected
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_no_words_give_empty_captions() -> None:
    assert (as_srt([]), as_vtt([]), as_audacity([])) == ("", "WEBVTT\n", "")


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"\.srt, \.vtt, \.json or \.txt"):
        write_captions([], tmp_path / "words.doc")
    with pytest.raises(OutputUnwritable, match=r"nowhere.words\.srt was not written"):
        write_captions([], tmp_path / "nowhere" / "words.srt")


def test_a_long_book_is_quick() -> None:
    words = spoken("It was the best of times, it was the worst of times. " * 2000)
    assert len(cues(words)) >= 2000
