"""What "Learn" shows of speech: stages that fit together, pieces that are joined, voices that are told apart."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Server, serving

from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from tts.engine import Utterance
from tts.phonemes.alphabet import STRESSES
from tts.voices import find_speaker
from ui.learn import concatenation, history, recordings, speech, statistical, voices
from ui.learn.reading import SILENCE, Phone, Reading, read_aloud
from ui.learn.recordings import Recording, measured, record, sentences
from ui.server.options import ServerOptions

pytestmark = pytest.mark.weights

SENTENCE = "Dr. Smith paid $5.50. We waited."
PHRASE = "The boats lay in the empty hall."
N_SENTENCES = 18


@pytest.fixture(scope="module")
def reading(loader: ModelLoader) -> Reading:
    return read_aloud(SENTENCE, find_speaker("hibari/heart"), loader)


@pytest.fixture(scope="module")
def recorded(loader: ModelLoader) -> list[Recording]:
    return record(sentences(N_SENTENCES), find_speaker("hibari/heart"), loader)


@pytest.fixture(scope="module")
def wanted(loader: ModelLoader) -> list[tuple[str, bool]]:
    return concatenation.wanted_of(read_aloud(PHRASE, find_speaker("hibari/heart"), loader).phones)


def test_symbols_and_sounds_fill_the_wave_without_a_gap(reading: Reading) -> None:
    for parts in (reading.symbols, reading.phones):
        assert parts[0].begin == 0 and parts[-1].end == reading.audio.n_samples
        assert all(one.end == other.begin for one, other in pairwise(parts))
        assert all(part.end > part.begin for part in parts)
    assert "".join(phone.symbol for phone in reading.phones) == "".join(
        symbol for symbol in reading.phonemes if symbol.isalpha() and symbol not in STRESSES
    )


def test_a_sound_is_heard_where_it_is_said_to_be(reading: Reading) -> None:
    """Vowels are louder than the pauses, by far."""
    samples = reading.audio.samples[0]
    level = {
        is_vowel: np.sqrt(np.mean(np.concatenate([samples[p.begin : p.end] for p in chosen]) ** 2))
        for is_vowel, chosen in (
            (True, [phone for phone in reading.phones if phone.symbol in set("ɑɪAIi") and phone.stressed]),
            (False, [phone for phone in reading.phones if phone.symbol == SILENCE][:1]),
        )
    }
    assert level[True] > 10 * level[False]


def test_what_is_said_otherwise_than_written_is_told(reading: Reading) -> None:
    assert ("Dr.", "Doctor") in reading.changes
    assert ("$5.50", "five dollars and fifty cents") in [(a.strip("."), b.strip(".")) for a, b in reading.changes]
    assert reading.normalised.startswith("Doctor Smith paid five dollars and fifty cents")


def test_it_is_the_sound_that_the_engine_makes(reading: Reading, loader: ModelLoader) -> None:
    speaker = find_speaker("hibari/heart")
    said = read_aloud("We waited.", speaker, loader)
    with loader.use(speaker.spec) as engine:
        plain: Utterance = engine.speak(said.phonemes, speaker.blend, speaker.spec.options(), 0)
    assert np.array_equal(plain.samples, said.audio.samples)


def test_nothing_to_say_and_clones_are_refused(loader: ModelLoader) -> None:
    with pytest.raises(InvalidInput, match="Nothing in the text"):
        read_aloud("...", find_speaker("hibari/heart"), loader)
    with pytest.raises(InvalidInput, match="empty"):
        speech.check_text("  ")
    with pytest.raises(InvalidInput, match="301 characters"):
        speech.check_text("a" * 301)
    with pytest.raises(InvalidOption, match="single built-in voice"):
        speech.built_in("kokoro/heart*0.5+bella*0.5")


def test_pieces_are_those_sounds_and_each_stands_where_it_says(
    recorded: list[Recording], wanted: list[tuple[str, bool]]
) -> None:
    joined = concatenation.concatenate(wanted, recorded)
    assert [(unit.half) for unit in joined.units] == [0, 1] * len(wanted)
    for place, unit in enumerate(joined.units):
        assert recorded[unit.recording].phones[unit.phone].symbol == wanted[place // 2][0]
    assert 1 < len(joined.runs) < len(joined.units)
    for run, follows in zip(joined.runs, [*joined.runs[1:], None], strict=True):
        inside = slice(run.start + concatenation.OVERLAP, (follows.start if follows else joined.audio.n_samples) - 96)
        length = inside.stop - inside.start
        if length <= 0:
            continue
        source = recorded[run.recording].samples[run.begin + concatenation.OVERLAP :][:length]
        assert np.array_equal(joined.audio.samples[0, inside], source)


def tone(symbol: str, phase: float) -> Recording:
    """A recording of one sound between pauses, all of it a tone of 200 Hz."""
    n_samples = 7200
    samples = 0.5 * np.sin(2 * np.pi * 200 * np.arange(n_samples) / 24000 + phase)
    borders = [0, 2400, 4800, 7200]
    phones = [Phone(each, False, *borders[place : place + 2]) for place, each in enumerate((SILENCE, symbol, SILENCE))]
    mels = np.zeros((80, n_samples // 300 + 1), np.float32)
    return Recording(symbol, samples.astype(np.float32), phones, mels, np.full(mels.shape[1], 200, np.float32))


@pytest.mark.parametrize("phase", [0.0, 0.7, 2.0, 3.1, -2.5])
def test_pieces_are_joined_in_step_and_without_a_click(phase: float) -> None:
    """Wherever in its swing the second piece begins, a tone of 200 Hz goes on as one."""
    joined = concatenation.concatenate([("ɑ", False), ("i", False)], [tone("ɑ", 0.0), tone("i", phase)])
    assert len(joined.runs) == 2
    samples = joined.audio.samples[0].astype(np.float64)
    bends = np.abs(np.diff(samples, 2))
    assert bends.max() < 1.3 * 0.5 * (2 * np.pi * 200 / 24000) ** 2
    around = samples[joined.runs[1].start - 240 : joined.runs[1].start + 240]
    assert np.sqrt(np.mean(around**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)  # no dip, no swell


def test_joins_of_speech_are_no_steeper_than_speech(recorded: list[Recording], wanted: list[tuple[str, bool]]) -> None:
    joined = concatenation.concatenate(wanted, recorded)
    samples = joined.audio.samples[0].astype(np.float64)
    for before, run in pairwise(joined.runs):
        at = np.abs(np.diff(samples[run.start - 110 : run.start + 110])).max()
        sources = [recorded[before.recording].samples[before.end - 300 : before.end + 300]]
        sources.append(recorded[run.recording].samples[max(0, run.begin - 300) : run.begin + 300])
        assert at <= 1.05 * max(np.abs(np.diff(source)).max() for source in sources) + 0.01


def test_a_sentence_that_was_recorded_comes_back_whole(recorded: list[Recording]) -> None:
    one = recorded[3]
    joined = concatenation.concatenate(concatenation.wanted_of(one.phones[1:-1]), recorded)
    assert len(joined.runs) == 1 and joined.runs[0].recording == 3


def test_a_sound_that_nobody_said_is_told(recorded: list[Recording]) -> None:
    for speak in (concatenation.concatenate, statistical.average_speech):
        with pytest.raises(InvalidInput, match="'ʒ' is in none of the recordings"):
            speak([("", False), ("ʒ", False)], [recorded[6]])


def test_averages_are_of_the_frames_of_a_sound(recorded: list[Recording]) -> None:
    known = statistical.Statistics(recorded)
    states = known.states([("", False), ("s", False), ("", False)], 1)
    assert len(states) == statistical.N_STATES
    vowel = known.states([("s", False), ("i", True), ("d", False)], 1)[1]
    assert vowel.voiced > statistical.VOICED_SHARE > 2 * states[1].voiced and 120 < math.exp(vowel.log_f0) < 320
    high, low = slice(60, 80), slice(0, 20)
    assert states[1].mean[high].mean() > vowel.mean[high].mean() and states[1].mean[low].mean() < vowel.mean[low].mean()


def test_average_speech_lasts_about_as_long_as_the_voice_takes(
    recorded: list[Recording], wanted: list[tuple[str, bool]], loader: ModelLoader
) -> None:
    said = read_aloud(PHRASE, find_speaker("hibari/heart"), loader).audio
    averaged = statistical.average_speech(wanted, recorded)
    assert averaged.duration_seconds == pytest.approx(said.duration_seconds, rel=0.3)


def test_recordings_are_measured_where_they_sound(loader: ModelLoader, reading: Reading) -> None:
    one = measured(reading, loader)
    assert one.mels.shape[1] == one.f0_hz.size
    vowel = next(phone for phone in one.phones if phone.symbol == "ɑ")
    fricative = next(phone for phone in one.phones if phone.symbol == "s")
    assert one.f0_hz[one.frame((vowel.begin + vowel.end) // 2)] > 100
    assert one.f0_hz[one.frame((fricative.begin + fricative.end) // 2)] == 0
    assert len(sentences()) == recordings.N_SENTENCES


def _are_one_person(one: str, other: str) -> bool:
    """Hibari's heart learnt from Kokoro's."""
    return one == other or {one, other} == {"hibari/heart", "kokoro/af_heart"}


def test_one_voice_is_nearer_to_itself_than_to_others(loader: ModelLoader) -> None:
    """The voice in other words against itself; another voice in the same words."""
    names = ("hibari/heart", "kokoro/af_heart", "kokoro/af_bella", "kokoro/am_michael")
    speakers = [speaker for speaker in voices.speakers_for(None, loader) if speaker.id in names]
    if len(speakers) < len(names):
        pytest.skip("needs Kokoro's weights")
    told = voices.compared([voices.listen(speaker, "We waited for a long time.", loader) for speaker in speakers])
    score = {(pair["one"], pair["other"]): pair["score"] for pair in told["pairs"]}
    for name in names:
        others = [value for pair, value in score.items() if name in pair and not _are_one_person(*pair)]
        assert score[name, name] > max(others)
    assert score["hibari/heart", "kokoro/af_heart"] > score["hibari/heart", "kokoro/af_bella"]  # of which it learnt
    assert score["hibari/heart", "kokoro/af_bella"] > score["hibari/heart", "kokoro/am_michael"]
    places = {place["name"]: (place["x"], place["y"]) for place in told["map"]["places"]}

    def apart(one: str, other: str) -> float:
        return math.dist(places[one], places[other])

    assert apart("hibari/heart", "kokoro/af_heart") < apart("hibari/heart", "kokoro/am_michael")
    assert np.array(told["voices"][0]["heat"]["values"]).shape == (16, 16)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server")))) as on:
        yield on


def result(server: Server, job: dict[str, Any], name: str) -> bytes:
    reply = server.ask("GET", f"/v1/jobs/{job['id']}/files/{name}")
    assert reply.status == 200
    return reply.body


def test_a_server_explains_a_sentence(server: Server, tmp_path: Path) -> None:
    job = server.end_of(server.submit(task="explain_speech", text=SENTENCE))
    assert job["state"] == "done", job["error"]
    stages = json.loads(result(server, job, "stages.json"))
    (tmp_path / "speech.wav").write_bytes(result(server, job, "speech.wav"))
    audio = read_audio(tmp_path / "speech.wav")
    assert audio.n_samples == stages["n_samples"] == sum(s["end"] - s["begin"] for s in stages["symbols"])
    assert len(stages["mel"]["levels_db"]) == 80 and len(stages["wave"]["low"]) == speech.N_PEAKS
    assert job["report"]["n_phonemes"] == sum(bool(phone["symbol"]) for phone in stages["phones"])


def test_a_server_makes_a_sentence_in_every_way(server: Server, tmp_path: Path) -> None:
    job = server.end_of(server.submit(task="history", text="Hello."))
    assert job["state"] == "done", job["error"]
    told = json.loads(result(server, job, history.INDEX))
    ids = [era["id"] for era in told["eras"]]
    assert ids[:6] == ["vocoder", "formant", "griffin_lim", "concatenation", "statistical", "hibari"]
    for era in told["eras"]:
        (tmp_path / era["file"]).write_bytes(result(server, job, era["file"]))
        audio = read_audio(tmp_path / era["file"])
        assert audio.duration_seconds == pytest.approx(era["seconds"])
        assert np.abs(audio.samples).max() == pytest.approx(history.PEAK, abs=1e-3)
        assert "{" not in era["here"]


@pytest.mark.parametrize("task", ["explain_speech", "explain_voices", "history"])
def test_a_server_says_what_is_wrong_with_a_request(server: Server, task: str) -> None:
    for body, message in (
        ({"text": ""}, "The text is empty"),
        ({"text": "a" * 400}, "characters"),
        ({"text": "Hello.", "model": "kokoro"}, "takes no 'model'"),
        ({"text": "Hello.", "options": {"speed": 2}}, "takes no 'model', 'options'"),
    ):
        reply = server.ask("POST", "/v1/jobs", {"task": task, **body})
        assert reply.status == 422 and message in reply.json["error"]["message"]
    if task != "history":
        reply = server.ask("POST", "/v1/jobs", {"task": task, "text": "Hello.", "voice": "nobody"})
        assert reply.status == 422 and "Unknown voice 'nobody'" in reply.json["error"]["message"]
