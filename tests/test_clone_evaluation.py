"""Evaluation of cloning: who is compared with whom, what it comes to, and the melody of speech."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from speaking_machine import SAMPLE_RATE, samples
from typer.testing import CliRunner

from audio_ml.audio import Audio
from audio_ml.cloned_voice import checked_name
from audio_ml.errors import AudioMLError, InvalidInput, MissingDependency, UnreadableAudio
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.speaker_windows import Embedding
from audio_ml.writer import write_audio
from ui import cloning, evaluate_clone
from voiceclone.evaluation import (
    Subject,
    evaluate_clones,
    evaluate_conversions,
    floor,
    judged,
    read_sentences,
    read_subjects,
    shares,
)
from voiceclone.evaluation.contour import contour, correlation
from voiceclone.voice_mix import VoiceTable

PITCHES = {"low": 100.0, "high": 200.0}


def tone(hz: float, seconds: float = 2.0, rate: int = 8000, level: float = 0.5) -> Audio:
    """A voice of the made-up judges: its pitch tells whose it is, its level how good it is."""
    time = np.arange(round(seconds * rate)) / rate
    return Audio((level * np.sin(2 * np.pi * hz * time))[None].astype(np.float32), rate)


def pitch_of(audio: Audio) -> float:
    crossings = np.count_nonzero(np.diff(np.signbit(audio.samples[0])))
    return crossings / 2 / audio.duration_seconds


def embedding_of(audio: Audio, loader: object = None) -> Embedding:
    """Pitches an octave apart are a right angle apart."""
    angle = np.pi / 2 * np.log2(pitch_of(audio) / 100)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


@pytest.fixture
def made_up_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged, "JUDGES", {"ecapa": embedding_of, "eres2net": embedding_of})
    monkeypatch.setattr(judged, "judges_held", lambda loader, progress: nullcontext())
    monkeypatch.setattr(judged, "overall_quality", lambda audio, loader: float(audio.samples.max()) * 6)
    monkeypatch.setattr(judged, "transcribe", lambda audio, loader, in_words=False: "one two three four")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for name, hz in PITCHES.items():
        (tmp_path / name).mkdir()
        for index, seconds in enumerate((6, 5, 3, 4, 3, 2)):
            write_audio(tmp_path / name / f"{index}.wav", tone(hz * (1 + 0.01 * index), seconds))
        (tmp_path / name / "notes.txt").write_text("no recording")
    return tmp_path


def test_recordings_of_a_person_are_split_into_three_that_share_nothing(people: Path) -> None:
    high, low = read_subjects(people)
    assert (high.name, low.name) == ("high", "low")
    names = [[path.name for path in part] for part in (low.reference, low.test, low.ceiling)]
    assert names == [["0.wav", "1.wav"], ["2.wav", "4.wav"], ["3.wav", "5.wav"]]
    (alone,) = read_subjects(people / "low", reference_seconds=6)
    names = [[path.name for path in part] for part in (alone.reference, alone.test, alone.ceiling)]
    assert names == [["0.wav"], ["1.wav", "3.wav", "5.wav"], ["2.wav", "4.wav"]]


@pytest.mark.parametrize("name", ["Anna (take 2)", "p287.v2", "x" * 60])
def test_a_folder_may_be_called_what_no_voice_can_be(people: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = people / name
    (people / "low").rename(folder)
    monkeypatch.chdir(folder)
    (here,) = read_subjects(Path(), reference_seconds=6)
    assert here.name == name

    def enroll(references: Any, name: str, consent: str, **_: Any) -> str:
        return checked_name(name)

    monkeypatch.setattr("voiceclone.enroll", enroll)
    assert cloning.Cloning("Anna, 2025-01-01, tests", ModelLoader("cpu"), Progress()).enroll(here)


@pytest.mark.parametrize("seconds", [19.0, 24.0])
def test_too_few_recordings_are_refused(people: Path, seconds: float) -> None:
    with pytest.raises(InvalidInput, match="too few recordings"):
        read_subjects(people, seconds)


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no recordings"):
        read_subjects(tmp_path)
    with pytest.raises(InvalidInput, match="is no folder"):
        read_subjects(tmp_path / "nowhere")
    (tmp_path / "broken.wav").write_bytes(b"not a recording")
    with pytest.raises(UnreadableAudio):
        read_subjects(tmp_path)


def test_sentences_are_read_from_a_file_and_shared_out(tmp_path: Path) -> None:
    assert len(set(read_sentences())) == 24 and all(len(line.split()) > 6 for line in read_sentences())
    own = tmp_path / "own.txt"
    own.write_text("\ufeffFirst line.\n\n ... \n Second line. \n", encoding="utf-8")
    assert read_sentences(own) == ("First line.", "Second line.")
    own.write_text("...\n")
    with pytest.raises(InvalidInput, match="holds no words"):
        read_sentences(own)
    own.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        read_sentences(own)
    assert shares("abcde", 3, 2) == [("a", "b"), ("c", "d"), ("e", "a")]
    assert shares("ab", 2) == [("a", "b")] * 2


def test_clones_lie_between_a_voice_that_is_not_cloned_and_the_person(people: Path, made_up_judges: None) -> None:
    spoken = []

    def speak(text: str, voice: float) -> Audio:
        spoken.append((text, voice))
        return tone(voice * 1.1, 1.0)

    def built_in(subject: Subject) -> tuple[str, Any]:
        return f"nearest to {subject.name}", lambda text: tone(150, 1.0, level=0.6)

    found = evaluate_clones(
        read_subjects(people),
        [("one two three four", "one two"), ("one two three",)],
        enroll=lambda subject: pitch_of(subject.sounds("reference")[0]),
        speak=speak,
        built_in=built_in,
        loader=ModelLoader("cpu"),
    )
    assert [clone.name for clone in found.clones] == ["high", "low"]
    assert [text for text, _ in spoken] == ["one two three four"] * 2 + ["one two"] + ["one two three"] * 2  # warm-ups
    expected = np.cos(np.pi / 2 * np.log2(1.1 / 1.03))  # the test recordings are 2 and 4 % higher than told
    assert [verdict.alike["ecapa"] for verdict in found.verdicts] == pytest.approx([expected] * 3, abs=0.01)
    assert found.verdicts[0].alike_reference["ecapa"] < found.verdicts[0].alike_together["ecapa"]
    assert expected <= found.verdicts[0].alike_together["ecapa"] + 1e-3
    assert found.recognised == 1.0
    assert (found.errors.total, found.errors.n_words) == (0 + 2 + 1, 9)
    assert len(found.ceiling) == 2 * (4 + 2)  # 4 s and 2 s, in pieces of a sentence's length
    assert min(real.alike["eres2net"] for real in found.ceiling) > 0.99
    assert [verdict.quality for verdict in found.floor] == pytest.approx([3.6] * 3, abs=0.01)
    assert max(verdict.alike["ecapa"] for verdict in found.floor) < 0.9
    assert found.clones[1].floor_voice == "nearest to low"

    report = json.loads(json.dumps(found.as_dict()))
    assert report["eres2net"] == pytest.approx({"mean": expected, "deviation": 0.0}, abs=0.01)
    assert report["word_error_rate"] == pytest.approx(3 / 9)
    assert report["people"][1]["spoken"][0]["heard"] == "one two three four"
    assert [part["name"] for part in found.only(["low"]).as_dict()["people"]] == ["low"]


def test_a_clone_that_is_more_alike_somebody_else_is_not_recognised(people: Path, made_up_judges: None) -> None:
    found = evaluate_clones(
        read_subjects(people),
        [("one",)] * 2,
        enroll=lambda subject: None,
        speak=lambda text, voice: tone(105),
        loader=ModelLoader("cpu"),
    )
    assert found.recognised == 0.5 and found.floor == () and found.as_dict()["floor"] is None


@pytest.fixture
def command(made_up_judges: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `audio-ml evaluate clone` with made-up judges and a made-up cloner."""
    monkeypatch.setattr(cloning.Cloning, "enroll", lambda self, subject: PITCHES[subject.name])
    monkeypatch.setattr(cloning.Cloning, "speak", lambda self, text, voice: tone(voice))
    monkeypatch.setattr(cloning.Cloning, "convert", lambda self, audio, voice: tone(voice, audio.duration_seconds))
    monkeypatch.setattr(cloning.Cloning, "built_in", lambda self, subject: ("kokoro/af_sky", lambda text: tone(150)))

    def run(*arguments: object) -> Result:
        consent = [] if "--consent" in arguments else ["--consent", "Volunteers, 2015-01-01, research"]
        return CliRunner().invoke(evaluate_clone.app, [*map(str, arguments), *consent])

    return run


def test_the_command_tells_what_every_voice_comes_to(people: Path, command: Callable[..., Result]) -> None:
    report = people / "report.json"
    told = command(people, "--each", 2, "--report-file", report, "--likeness", "0.8")
    assert told.exit_code == 0, told.output
    lines = [line.split() for line in told.output.splitlines()]
    assert [line[0] for line in lines[-6:]] == ["VOICE", "high", "low", "all", "ceiling:", "floor:"]
    assert lines[-5][1:5] == ["2", "1.00", "±", "0.00"] and "100%" in lines[-5]
    assert [one["name"] for one in json.loads(report.read_text())["people"]] == ["high", "low"]
    alone = command(people, "--person", "low", "--each", 1, "--no-floor", "--json")
    assert json.loads(alone.output)["people"][0]["floor"] is None


def test_the_command_tells_what_conversions_come_to(people: Path, command: Callable[..., Result]) -> None:
    told = command(people, "--convert")
    assert told.exit_code == 0, told.output
    assert "2 of 2" in told.output and "kept to the sample" in told.output


def test_options_of_both_reach_conversions(
    people: Path, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Mapping[str, Any]] = []

    def convert(self: cloning.Cloning, audio: Audio, voice: float) -> Audio:
        found.append(self.convert_options)
        return tone(voice, audio.duration_seconds)

    monkeypatch.setattr(cloning.Cloning, "convert", convert)
    told = command(people, "--convert", "--likeness", "0.5", "--no-watermark")
    assert told.exit_code == 0, told.output
    assert found[0] == {"likeness": 0.5, "watermark": False}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--convert", "--no-floor", "--model", "kokoro"], "--model and --no-floor would do nothing"),
        (["--convert", "--speed", "1.5"], "--speed would do nothing"),
        (["--convert", "--text", "lines.txt"], "--text would do nothing"),
        (["--consent", "yes"], "does not say who"),
        (["--person", "lou"], "Did you mean 'low'"),
        (["--seconds", "1"], "seconds"),
        (["--text", "none.txt"], "none.txt cannot be read"),
        (["--report-file", "nowhere/report.json"], "does not exist"),
    ],
)
def test_the_command_refuses_before_any_work(
    people: Path, command: Callable[..., Result], arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloning.Cloning, "enroll", None)
    told = command(people, *arguments)
    assert isinstance(told.exception, AudioMLError) and message in str(told.exception)


def test_the_nearest_voice_is_told_by_the_encoders_of_fitting(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = VoiceTable(("a", "b", "c"), {"ge2e": np.stack([embedding_of(tone(hz)) for hz in (90, 130, 210)])}, None)
    monkeypatch.setattr(floor, "embeddings", lambda sound, loader: {"ge2e": embedding_of(sound)})
    monkeypatch.setattr(floor, "voice_table", lambda: table)
    high, low = read_subjects(people)
    loader = ModelLoader("cpu")
    assert [floor.nearest_voice(who, ["a", "b", "c"], loader) for who in (low, high)] == ["a", "c"]
    assert floor.nearest_voice(high, ["unheard", "a", "b"], loader) == "b"


def test_nothing_to_judge_is_refused(people: Path) -> None:
    subjects = read_subjects(people)
    arguments: Mapping[str, Any] = {"enroll": None, "loader": ModelLoader("cpu")}
    for few, sentences in (([], []), (subjects, [("one",), ()])):
        with pytest.raises(InvalidInput, match="no people or no sentences"):
            evaluate_clones(few, sentences, speak=lambda text, voice: tone(100), **arguments)
    with pytest.raises(InvalidInput, match="two people at the least"):
        evaluate_conversions(subjects[:1], convert=lambda audio, voice: audio, **arguments)


def test_conversions_are_judged_for_every_pair(people: Path, made_up_judges: None) -> None:
    def convert(audio: Audio, voice: float) -> Audio:
        made = tone(voice, audio.duration_seconds)
        return made if voice < 150 else Audio(made.samples[:, 2:], made.sample_rate)

    found = evaluate_conversions(
        read_subjects(people), enroll=lambda subject: PITCHES[subject.name], convert=convert, loader=ModelLoader("cpu")
    )
    assert [(each.source, each.target, each.length_kept) for each in found.conversions] == [
        ("high", "low", True),
        ("low", "high", False),
    ]
    assert all(each.is_nearer_target for each in found.conversions)
    report = json.loads(json.dumps(found.as_dict()))
    assert (report["nearer_target"], report["lengths_kept"], report["word_error_rate"]) == (1.0, False, 0.0)
    assert report["to_source"]["ecapa"]["mean"] < 0.1 < report["to_target"]["ecapa"]["mean"]
    kept = evaluate_conversions(
        read_subjects(people), enroll=lambda subject: None, convert=lambda audio, _: audio, loader=ModelLoader("cpu")
    )
    assert not any(each.is_nearer_target for each in kept.conversions)


def test_words_are_asked_for_where_figures_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    hearings = {False: "Dial 1987.", True: "Dial one nine eight seven."}
    monkeypatch.setattr(judged, "transcribe", lambda audio, loader, in_words=False: hearings[in_words])
    heard, errors = judged.words_of(tone(100), "Dial one nine eight seven.", ModelLoader("cpu"))
    assert (heard, errors.total) == (hearings[True], 0)
    assert judged.words_of(tone(100), "Dial nineteen eighty seven.", ModelLoader("cpu"))[0] == hearings[False]


@pytest.mark.parametrize("f0_hz", [90.0, 210.0, 320.0])
def test_the_melody_of_a_made_up_voice_is_found(f0_hz: float) -> None:
    found = contour(Audio(samples(4.2, f0_hz)[None], SAMPLE_RATE))
    time = np.arange(found.size) / 100
    true = f0_hz * (1 + 0.15 * np.sin(2 * np.pi * 0.6 * time) + 0.03 * np.sin(2 * np.pi * 4.7 * time))
    voiced = found > 0
    assert voiced.mean() > 0.8
    assert np.abs(found[voiced] / true[voiced] - 1).max() < 0.06  # a semitone: nowhere an octave


def test_silence_and_noise_have_no_melody() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 32000)).astype(np.float32)
    for sound in (noise, np.zeros((1, 8000), np.float32), np.zeros((1, 10), np.float32)):
        assert contour(Audio(sound, SAMPLE_RATE)).max() == 0
    assert correlation(Audio(noise, SAMPLE_RATE), Audio(noise, SAMPLE_RATE)) is None


def test_the_hum_of_mains_has_no_part_in_a_melody() -> None:
    said = np.pad(samples(4.2, 210), 16000)  # with pauses, in which there is the hum alone
    hum = 0.02 * np.sin(2 * np.pi * 60 * np.arange(said.size) / SAMPLE_RATE).astype(np.float32)
    clean, recorded = (Audio(sound[None], SAMPLE_RATE) for sound in (said, said + hum))
    assert correlation(clean, recorded) == pytest.approx(1, abs=0.02)
    assert contour(recorded)[:80].max() == 0


def test_without_a_judge_of_melodies_nothing_is_converted(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    arguments: Mapping[str, Any] = {"enroll": None, "convert": None, "loader": ModelLoader("cpu")}
    with pytest.raises(MissingDependency, match=r"librosa: pip install 'audio-ml\[judges\]'"):
        evaluate_conversions(read_subjects(people), **arguments)


def test_melodies_are_alike_in_another_register_and_not_when_shifted_in_time() -> None:
    one = samples(4.2, 110)
    higher = Audio(samples(4.2, 190, tract=1.1)[None], SAMPLE_RATE)
    assert correlation(Audio(one[None], SAMPLE_RATE), higher) == pytest.approx(1, abs=0.01)
    shifted = Audio(np.roll(one, 13000)[None], SAMPLE_RATE)
    assert correlation(shifted, higher) < 0.6  # type: ignore[operator]


def test_the_report_of_the_bench_tells_groups_and_goals(
    people: Path, made_up_judges: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))  # benches are not installed
    from bench.clone import Findings
    from bench.clone_report import render

    found = evaluate_clones(
        read_subjects(people),
        [("one two three four",), ("one two three",)],
        enroll=lambda subject: PITCHES[subject.name],
        speak=lambda text, voice: tone(voice),
        built_in=lambda subject: ("af_sky", lambda text: tone(150)),
        loader=ModelLoader("cpu"),
    )
    report = render("| | |", Findings(found, found, ("low",), 1.0))
    cells = [
        line.count("|") for line in report.splitlines() if line.startswith(("| high", "| *target*", "| **the others"))
    ]
    assert len(set(cells)) == 2  # every row is as wide as its header
    assert "| **the others** (1) | 1 | 1.00 ± 0.00" in report and "settings were chosen on (1)" in report
    assert "| one two three | one two three four | 1 |" in report
