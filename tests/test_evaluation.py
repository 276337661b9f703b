"""The evaluation of speech: counting word errors, writing words as they are heard, the judges, and the test set."""

from __future__ import annotations

import importlib.util
import itertools
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from audio_ml.audio import Audio
from audio_ml.errors import (
    InvalidInput,
    InvalidOption,
    MissingDependency,
    OutputExists,
    OutputUnwritable,
    UnknownVoice,
    WeightsMissing,
)
from audio_ml.judges import heard
from audio_ml.judges.dnsmos import DNSMOS, overall_quality
from audio_ml.judges.whisper import LONGEST_PIECE_SECONDS, WHISPER, cut_at_pauses, transcribe
from audio_ml.loader import ModelLoader
from audio_ml.speech import SpeechChunk
from audio_ml.spoken_words import cardinal, ordinal, spoken_words, year
from audio_ml.weights import WeightStore
from audio_ml.word_errors import WordErrors, count_errors
from tts.evaluation import (
    LOST_WORDS,
    Sentence,
    choose,
    evaluate_speaker,
    judge,
    read_own_sentences,
    read_sentences,
)
from ui.evaluate import app

RATE = 16000
WORDS = st.lists(st.sampled_from(["red", "green", "blue", "black"]), max_size=12)  # none is another two written as one

needs_judges = pytest.mark.skipif(
    importlib.util.find_spec("faster_whisper") is None, reason="the judges are not installed"
)


def tone(seconds: float, level: float = 0.3) -> Audio:
    time = np.arange(round(seconds * RATE)) / RATE
    return Audio((level * np.sin(2 * np.pi * 220 * time)).astype(np.float32)[None], RATE)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_word_errors_are_those_of_another_implementation(said: list[str], heard_words: list[str]) -> None:
    jiwer = pytest.importorskip("jiwer")
    found = count_errors(said, heard_words)
    if not said:
        assert found.total == len(heard_words)
        return
    other = jiwer.process_words(" ".join(said), " ".join(heard_words))
    assert found.total == other.substitutions + other.insertions + other.deletions
    assert found.deletions - found.insertions == other.deletions - other.insertions == len(said) - len(heard_words)
    assert found.rate == pytest.approx(other.wer)


@settings(deadline=None)
@given(WORDS, st.integers(0, 12), st.integers(0, 4))
def test_a_gap_is_found_in_its_whole_length(said: list[str], begin: int, n_lost: int) -> None:
    numbered = [f"{word}{'abcdefghijkl'[i]}" for i, word in enumerate(said)]  # so that a gap can lie in one place only
    lost = numbered[begin : begin + n_lost]
    found = count_errors(numbered, numbered[:begin] + numbered[begin + n_lost :])
    assert (found.deletions, found.longest_deletion, found.total) == (len(lost),) * 3


@pytest.mark.parametrize(
    ("said", "heard_as"),
    [("voice over", "voiceover"), ("the n a s a probe", "the nasa probe"), ("some one else", "someone el se")],
)
def test_words_written_as_one_are_no_error(said: str, heard_as: str) -> None:
    assert count_errors(said.split(), heard_as.split()).total == 0
    assert count_errors(heard_as.split(), said.split()).total == 0


def test_errors_of_sentences_add_up() -> None:
    total = WordErrors(4, 1, 0, 2, 2) + WordErrors(6, 0, 1, 1, 1)
    assert total == WordErrors(10, 1, 1, 3, 2) and total.rate == 0.5


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("1,234", "one thousand two hundred and thirty-four"),
        ("100,005 boxes", "a hundred thousand five boxes"),
        ("-7 degrees", "minus seven degrees"),
        ("3.14", "three point one four"),
        ("the 21st, 12th and 30th", "the twenty-first twelfth and thirtieth"),
        (
            "in 1987, 1905, 2000 and 2026",
            "in nineteen eighty-seven nineteen oh five two thousand and twenty twenty six",
        ),
        ("the 1990s", "the nineteen nineties"),
        ("$1,234.56", "one thousand two hundred thirty-four dollars and fifty-six cents"),
        ("$2.5 million", "two point five million dollars"),
        ("£1.01", "one pound and one penny"),
        ("3:45 p.m., 6:05 am, 12:00", "three forty five p m six oh five a m twelve o'clock"),
        ("at nine P.M on the U.S. side, I.", "at nine p m on the u s side i"),
        ("May 6, 1987", "may sixth nineteen eighty-seven"),
        ("2024-11-30", "november thirtieth twenty twenty-four"),
        ("1/2 and 3/4", "one half and three quarters"),
        ("Dr. Smith vs. Mrs. Jones", "doctor smith versus missus jones"),
        ("info@example.com", "info at example dot com"),
        ("I can't, you’re, they'll", "I can not you are they will"),
        ("the colour of the theatre was grey", "the color of the theater was gray"),
        ("Café, naïve", "cafe naive"),
        ("travelled, cancelling, a jeweller", "traveled canceling a jeweler"),
        ("45% & 100°", "forty five percent and one hundred degrees"),
    ],
)
def test_writing_and_reading_compare_as_equal(written: str, spoken: str) -> None:
    assert count_errors(spoken_words(spoken), spoken_words(written)).total == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [("15", "50"), ("1987", "1,987"), ("can", "can't"), ("hour", "her"), ("filled", "filed"), ("tiller", "tiler")],
)
def test_what_sounds_different_stays_different(one: str, other: str) -> None:
    assert count_errors(spoken_words(one), spoken_words(other)).total


@settings(deadline=None)
@given(st.integers(0, 10**12))
def test_numbers_are_those_of_another_implementation(number: int) -> None:
    num2words = pytest.importorskip("num2words").num2words

    def bare(text: str) -> list[str]:
        return [word for word in text.replace("-", " ").replace(",", "").split() if word != "and"]

    assert cardinal(number).split() == bare(num2words(number))
    assert ordinal(number).split() == bare(num2words(number, to="ordinal"))


def test_years_are_said_in_pairs() -> None:
    assert [year(y) for y in (1066, 1900, 2000, 2005, 2010)] == [
        "ten sixty six",
        "nineteen hundred",
        "two thousand",
        "two thousand five",
        "twenty ten",
    ]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_spoken_words_are_plain_letters_and_do_not_change_again(text: str) -> None:
    words = spoken_words(text)
    assert all(word.isalpha() and word.isascii() and word.islower() for word in words)


def test_the_test_set_is_large_varied_and_says_how_its_figures_are_read() -> None:
    sentences = read_sentences()
    assert len(sentences) >= 200 and len({sentence.id for sentence in sentences}) == len(sentences)
    assert len({sentence.text for sentence in sentences}) == len(sentences)
    assert len({sentence.category for sentence in sentences}) >= 12
    for sentence in sentences:
        assert sentence.words
        assert not any(char.isdigit() for char in sentence.spoken)
        assert sentence.spoken or not any(char.isdigit() for char in sentence.text), sentence.id


def test_sentences_are_chosen_over_all_categories() -> None:
    chosen = choose(read_sentences(), limit=28)
    assert len(chosen) == 28 and len({sentence.category for sentence in chosen}) >= 12
    assert {sentence.category for sentence in choose(read_sentences(), ["money"])} == {"money"}
    with pytest.raises(InvalidOption, match="Did you mean 'money'"):
        choose(read_sentences(), ["monney"])


def test_own_sentences_come_from_lines(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("Hello there.\n\n---\nIt is 3:45 pm.\n", encoding="utf-8")
    assert [sentence.id for sentence in read_own_sentences(path)] == ["line-1", "line-4"]
    for content in (b"", b"\xff\xfe\x00", b"...\n"):
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match=r"own\.txt"):
            read_own_sentences(path)
    with pytest.raises(InvalidInput, match=r"none\.txt"):
        read_own_sentences(tmp_path / "none.txt")


class Stand:
    """Stands in for the judges: hears what it is told to, and finds the loudness good."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hears: list[str]) -> None:
        self.hears = iter(hears)
        monkeypatch.setattr("tts.evaluation.transcribe", lambda audio, loader, in_words=False: next(self.hears))
        monkeypatch.setattr("tts.evaluation.overall_quality", lambda audio, loader: 1 + 10 * float(audio.samples.max()))
        monkeypatch.setattr(ModelLoader, "use", lambda loader, spec, progress=None: memoryview(b""))


def speak(text: str) -> Iterator[SpeechChunk]:
    yield SpeechChunk(tone(0.5, 0.1))
    yield SpeechChunk(tone(0.5, 0.2))


def test_an_evaluation_counts_words_quality_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = [Sentence("a-1", "a", "One two three four five."), Sentence("b-1", "b", "It's 7 am.", "its seven a m")]
    Stand(monkeypatch, ["One five.", "It's seven AM."])
    monkeypatch.setattr("tts.evaluation.time", SimpleNamespace(perf_counter=itertools.count().__next__))
    found = evaluate_speaker(speak, "fake", sentences, ModelLoader("cpu"))
    assert found.errors == WordErrors(9, 0, 0, 3, 3)
    assert [verdict.sentence.id for verdict in found.lost] == ["a-1"] and LOST_WORDS == 3
    assert found.by_category["b"].errors.total == 0
    assert [verdict.sentence.id for verdict in found.worst] == ["a-1"]
    assert found.quality_mean == found.quality_read_on == pytest.approx(3, abs=0.01)
    assert found.verdicts[0].speech_seconds == 1
    assert found.real_time_factor == 2  # a look at the clock is a second: it begins, is heard first, has ended
    assert found.first_sound_ms == (1000, 1000)
    report = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert report["word_error_rate"] == pytest.approx(3 / 9)
    assert report["sentences_that_lost_words"] == ["a-1"]
    assert report["sentences"][0]["heard"] == "One five."


@pytest.mark.parametrize("hears", [["In 1987.", "In nineteen"], ["In 1978.", "In nineteen eighty-seven."]])
def test_how_a_judge_spells_a_number_is_no_error(hears: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Stand(monkeypatch, hears)
    assert (
        judge(Sentence("x", "x", "In 1987.", "in nineteen eighty seven"), tone(1), ModelLoader("cpu")).errors.total == 0
    )


def test_the_front_end_reads_the_test_set_as_it_is_to_be_spoken() -> None:
    """Without a judge: what the front end makes of the text, against the reading that is written beside it."""
    from tts.text.normalise import normalise
    from tts.text.spoken import plain

    for sentence in read_sentences():
        read = normalise(plain(sentence.text), date_order="mdy", british=False).text
        assert count_errors(sentence.words, spoken_words(read)).total == 0, (sentence.text, read)


def test_a_recording_has_no_times_of_synthesis(monkeypatch: pytest.MonkeyPatch) -> None:
    Stand(monkeypatch, ["hello"])
    verdict = judge(Sentence("x", "x", "Hello!"), tone(1), ModelLoader("cpu"))
    assert verdict.errors.total == 0 and verdict.first_sound_seconds is None


def test_the_command_prints_a_table_or_json_and_keeps_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("Hello there.\nGood night.\n", encoding="utf-8")
    monkeypatch.setattr("tts.api.stream", lambda text, voice, options, loader: speak(text))

    def run(*arguments: object) -> str:
        Stand(monkeypatch, ["Hello there.", "Good light."])
        result = CliRunner().invoke(app, ["speech", "--text", str(own), *map(str, arguments)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    table = run("--quiet", "--report-file", tmp_path / "report.json")
    assert table == ""
    printed = json.loads(run("--json", "--voice", "kokoro/am_michael"))
    kept = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert printed["voice"] == "kokoro/am_michael" and kept["voice"] == "hibari/heart"
    assert printed["words"] == kept["words"] == 4 and kept["word_error_rate"] == 0.25
    table = run("--limit", "2")
    assert "25.0%" in table and "heard:   Good light." in table
    with pytest.raises(OutputUnwritable, match="none"):
        run("--report-file", tmp_path / "none" / "report.json")
    with pytest.raises(OutputExists, match="is kept"):
        run("--report-file", tmp_path / "report.json")
    run("--report-file", tmp_path / "report.json", "--overwrite", "--voice", "kokoro/am_michael")
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["voice"] == "kokoro/am_michael"


@pytest.mark.parametrize("arguments", [("--voice", "nobody/none"), ("--report-file", "."), ("--report-file", "x/y")])
def test_the_command_checks_voice_and_report_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tts.evaluation.evaluate", lambda *_, **__: pytest.fail("It works already."))
    result = CliRunner().invoke(app, ["speech", *arguments])
    assert isinstance(result.exception, (UnknownVoice, OutputUnwritable))


def test_nothing_to_judge_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="no sentences"):
        evaluate_speaker(speak, "fake", [], ModelLoader("cpu"))


@settings(max_examples=20, deadline=None)
@given(st.floats(1, 120))
def test_long_speech_is_cut_in_its_pauses_and_nothing_is_lost(seconds: float) -> None:
    """Bursts of 3 s with pauses of 0.4 s between them; every cut must lie in a pause."""
    n_samples = int(seconds * RATE)
    sounding = (np.arange(n_samples) % int(3.4 * RATE)) < 3 * RATE
    samples = np.where(sounding, 0.5, 0.0).astype(np.float32)
    pieces = list(cut_at_pauses(samples))
    assert np.array_equal(np.concatenate(pieces), samples)
    assert all(0 < piece.size <= LONGEST_PIECE_SECONDS * RATE for piece in pieces)
    assert all(piece[-1] == 0 and following[0] == 0 for piece, following in pairwise(pieces))


def test_judges_hear_mono_at_their_own_rate_within_full_scale() -> None:
    loud = Audio(np.full((2, 48000), 1.5, np.float32) * np.array([[1], [0.2]], np.float32), 48000)
    assert heard(Audio(np.full((1, RATE), 1.5, np.float32), RATE), RATE).max() <= 1
    samples = heard(loud, RATE)
    assert samples.shape == (RATE,)
    assert samples[RATE // 2] == pytest.approx(0.9, abs=1e-3)


def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch, loader: ModelLoader) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingDependency, match=r"audio-ml\[judges\]"):
        WHISPER.engine({}, loader.device)


def test_judges_that_are_not_here_are_not_fetched_offline(tmp_path: Path) -> None:
    offline = ModelLoader("cpu", WeightStore(cache=tmp_path, offline=True))
    with pytest.raises(WeightsMissing, match="models pull dnsmos"):
        overall_quality(tone(1), offline)


@pytest.mark.weights
def test_dnsmos_is_that_of_the_published_code(loader: ModelLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    """`speechmos` holds the authors' own code; it wants librosa for another score only, which is left out here."""
    pytest.importorskip("speechmos")
    monkeypatch.setitem(sys.modules, "librosa", type(sys)("librosa"))
    from speechmos import dnsmos as published

    monkeypatch.setattr(
        published.DNSMOS, "audio_melspec", lambda self, audio: np.zeros((len(audio) // 160, 120), np.float32)
    )
    generator = np.random.default_rng(3)
    # Of several windows the published code drops some whose length it rounds to one sample less.
    for seconds, tolerance in ((1.3, 1e-4), (9.5, 1e-4), (10.9, 1e-4), (14.2, 0.01)):
        samples = (tone(seconds).samples * generator.uniform(0, 1, round(seconds * RATE))).astype(np.float32)
        expected = published.run(samples[0], RATE)["ovrl_mos"]
        assert overall_quality(Audio(samples, RATE), loader) == pytest.approx(expected, abs=tolerance)


@needs_judges
@pytest.mark.weights
def test_the_judge_hears_speech_to_its_end_that_stops_at_once(loader: ModelLoader) -> None:
    samples = pytest.importorskip("hibari").Hibari()("What would happen if we opened the second door?", seed=0)
    spoken = np.flatnonzero(np.abs(samples) > 0.01)
    words = transcribe(Audio(samples[None, spoken[0] : spoken[-1]], 24000), loader)
    assert spoken_words(words)[-3:] == ["the", "second", "door"]


@needs_judges
@pytest.mark.weights
def test_the_judge_hears_what_is_said_the_same_each_time(loader: ModelLoader) -> None:
    hibari = pytest.importorskip("hibari").Hibari()
    said = "The meeting is on the nineteenth of May. She owes me fourteen dollars."
    audio = Audio(hibari(said, seed=0)[None], 24000)
    for in_words in (False, True):
        words = transcribe(audio, loader, in_words=in_words)
        assert count_errors(spoken_words(said), spoken_words(words)).total == 0
        assert any(char.isdigit() for char in words) != in_words
        assert transcribe(audio, loader, in_words=in_words) == words
    with loader.use(WHISPER) as one, loader.use(DNSMOS):
        assert one is not None
