"""The verbs of text to speech over an engine that is easy to foresee: nothing is lost, all is where it says."""

from __future__ import annotations

import json
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fake_speech import FAKE_SPEECH, RATE, SYMBOL_SECONDS, HighEngine
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from audio_ml.errors import (
    Cancelled,
    InvalidInput,
    InvalidOption,
    OutputExists,
    UnknownModel,
    UnknownVoice,
)
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress, ProgressState
from audio_ml.speech import Speech

LOADER = ModelLoader("cpu")
HARD_TEXTS = [
    "Hi!",
    "3:45 pm on 5/6/2026",
    "It costs $1,234.56 today.",
    "Dr. Smith lives on Elm Dr.",
    "See https://example.com/a?b=1&c=2 or mail me@example.org.",
    "5kg at 72°F, 10 km/h and 3.5GB",
    "Chapter IV of Henry VIII",
    "NASA, e.g. the ESA, isn't the U.S. Army.",
    "😀 works 👩‍👩‍👧 fine 🇫🇷",
    "Привет мир, γειά σου, 你好 and שלום",
    "zero\u200bwidth \u0007bell and ﬁligature Ｆｕｌｌ",
    'state-of-the-art/and-or (maybe) [sic] {braces} "quoted" — dashed – …',
    "xkcd qwrtpsdfgh aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "a_b c.d e@f #tag @handle 50% & ~/path C:\\dir x^2 = 4 <tag> | pipe",
    "1/2 ½ 3/4 ² ³ № ™ © § ° ± × ÷ → ∞",
    "naïve café Ångström ßtraße Þór",
]


def speak(text: str, voice: str = "low", **arguments: Any) -> Speech:
    return tts.synthesize(text, voice, model=FAKE_SPEECH, loader=LOADER, **arguments)


def written_tokens(text: str) -> list[tuple[int, int]]:
    """Returns where the tokens of a text stand, by spaces, found in another way than the code does it."""
    places, position = [], 0
    for token in text.split():
        begin = text.index(token, position)
        position = begin + len(token)
        if any(unicodedata.category(character)[0] in "LNPS" for character in token):  # not of marks and controls alone
            places.append((begin, position))
    return places


def assert_nothing_is_lost(text: str, speech: Speech) -> None:
    told = [word.span for word in speech.words] + [w.span for w in speech.warnings if w.span]
    for begin, end in written_tokens(text):
        assert any(first < end and begin < last for first, last in told), f"{text[begin:end]!r} is lost"
    duration = speech.audio.duration_seconds
    for word in speech.words:
        assert 0 <= word.start_seconds < word.end_seconds <= duration
        assert word.phonemes and 0 <= word.span[0] < word.span[1] <= len(text)
    starts = [word.start_seconds for word in speech.words]
    assert starts == sorted(starts)


@pytest.mark.parametrize("text", HARD_TEXTS)
@pytest.mark.parametrize("voice", ["low", "british"])
def test_no_word_is_lost(text: str, voice: str) -> None:
    assert_nothing_is_lost(text, speak(text, voice))


@settings(max_examples=120, deadline=None)
@given(st.text(min_size=1, max_size=120))
def test_no_word_of_any_text_is_lost(text: str) -> None:
    try:
        speech = speak(text, options={"markup": "none"})
    except InvalidInput as error:
        assert "\n" not in str(error)
        return
    assert_nothing_is_lost(text, speech)


def test_a_long_sentence_without_punctuation_is_spoken_whole() -> None:
    text = " ".join(f"word{chr(97 + i % 26)}" for i in range(400))
    speech = speak(text)
    assert [word.text for word in speech.words] == text.split()
    assert not speech.warnings


def test_the_words_lie_where_their_sound_is() -> None:
    speech = speak("papa mama [pause 1s] dodo. titi")
    sound = np.abs(speech.audio.samples[0]) > 0.05
    for word in speech.words:
        begin, end = round(word.start_seconds * RATE), round(word.end_seconds * RATE)
        loud = np.flatnonzero(sound[begin:end])
        assert loud[0] < 0.01 * RATE and len(loud) > 0.8 * (end - begin)
    assert [word.text for word in speech.words] == ["papa", "mama", "dodo.", "titi"]
    assert speech.words[2].start_seconds - speech.words[1].end_seconds == pytest.approx(1.0, abs=0.06)


def test_pauses_last_as_long_as_asked() -> None:
    for seconds in (0.3, 2.0):
        speech = speak(f"one [pause {seconds}s] two")
        gap = speech.words[1].start_seconds - speech.words[0].end_seconds
        assert gap == pytest.approx(seconds, abs=0.05)
    silence = speak("one [pause 3s]").audio
    assert silence.duration_seconds > 3 and not silence.samples[0, -int(2.9 * RATE) :].any()
    for text in (
        "one. [pause 1s]\n\ntwo",
        "one.\n\n[pause 1s]\n\ntwo",
        "one.\n\n[pause 1s] two",
        "one. [pause 1s] — two",
    ):
        first, second = speak(text).words
        assert second.start_seconds - first.end_seconds == pytest.approx(1.0, abs=0.05), text
    options = {"sentence_pause": 1.0}
    first, second = speak("One. Two.", options=options).words
    assert second.start_seconds - first.end_seconds == pytest.approx(1.0, abs=0.06)
    first, second = speak("One.\n\nTwo.", options=options).words
    assert second.start_seconds - first.end_seconds == pytest.approx(2.0, abs=0.06)


def test_the_joined_stream_is_the_whole() -> None:
    text = "Many words are in this text, one after the other. " * 5 + "\n\nAnd a paragraph follows it."
    chunks = list(tts.stream(text, "low", model=FAKE_SPEECH, loader=LOADER))
    whole = speak(text)
    assert len(chunks) > 5
    assert np.array_equal(np.concatenate([c.audio.samples for c in chunks], axis=1), whole.audio.samples)
    assert tuple(word for c in chunks for word in c.words) == whole.words
    assert [c.paragraph for c in chunks] == sorted(c.paragraph for c in chunks)


def test_the_first_piece_of_a_stream_is_short_for_any_text() -> None:
    with LOADER.use(FAKE_SPEECH) as engine:
        for text in ("wordy " * 300, "Extraordinarily" * 40, "One, two, three, four, five, six, seven, eight, nine."):
            engine.calls.clear()
            next(iter(tts.stream(text, "low", model=FAKE_SPEECH, loader=LOADER)))
            assert len(min(engine.calls[:2], key=len)) <= engine.first_phonemes


def test_chunks_meet_without_a_click() -> None:
    samples = speak("several words which are cut in several pieces since they are too many " * 3).audio.samples[0]
    steepest = 0.5 * 2 * np.pi * 200 / RATE  # of the tone itself
    assert np.abs(np.diff(samples)).max() < 1.2 * steepest


def test_one_seed_gives_one_sound_and_two_threads_do_not_disturb_each_other() -> None:
    text = "Something long enough for two pieces, that is, for more than one call of the engine."
    expected = {seed: speak(text, options={"seed": seed}).audio.samples for seed in (1, 2)}
    assert not np.array_equal(expected[1], expected[2])
    found: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda s=seed: found.update({s: speak(text, options={"seed": s}).audio.samples}))
        for seed in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[seed], expected[seed]) for seed in (1, 2))


def test_speed_and_volume_do_what_they_say() -> None:
    plain, fast = speak("papa mama dodo"), speak("papa mama dodo", options={"speed": 2.0})
    assert fast.words[-1].end_seconds == pytest.approx(plain.words[-1].end_seconds / 2, rel=0.05)
    soft = speak("papa mama dodo", options={"volume": -20.0})
    assert np.abs(soft.audio.samples).max() == pytest.approx(np.abs(plain.audio.samples).max() / 10, rel=0.01)
    ssml = '<speak><prosody rate="200%" volume="-20dB">papa mama dodo</prosody></speak>'
    assert np.abs(speak(ssml).audio.samples).max() == pytest.approx(0.05, rel=0.05)
    assert speak(ssml).words[-1].end_seconds == pytest.approx(fast.words[-1].end_seconds, abs=0.02)


def pitch_of(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 15))
    return float(spectrum.argmax() * RATE / (1 << 15))


def pitches(speech: Speech) -> dict[str, int]:
    found = {}
    for word in speech.words:
        begin, end = round(word.start_seconds * RATE), round(word.end_seconds * RATE)
        found[word.text] = round(pitch_of(speech.audio.samples[0, begin:end]) / 10) * 10
    return found


def test_several_voices_in_one_script() -> None:
    speech = speak("papapa [voice: high] mamama [/voice] dododo")
    assert pitches(speech) == {"papapa": 200, "mamama": 400, "dododo": 200}
    speech = speak("HERO: papapa\nWITCH: mamama\nNOTE: dododo", cast={"hero": "low", "witch": "high"})
    assert [word.text for word in speech.words] == ["papapa", "mamama", "NOTE:", "dododo"]
    assert pitches(speech)["mamama"] == 400
    assert speech.words[1].voice == "fake/high"
    assert pitches(speak('<speak>papapa <voice name="tenor">mamama</voice></speak>'))["mamama"] == 400


def test_voices_mix() -> None:
    assert pitches(speak("papapa", "low*0.5+high*0.5")) == {"papapa": 300}
    assert pitches(speak("papapa", "low+high*3")) == {"papapa": 350}


def test_sounds_and_words_that_are_given_are_said() -> None:
    assert speak("An [IPA](/aɪ piː eɪ/) word").words[1].phonemes.replace(" ", "") in (
        "ˈIpˈiˈA",
        "IpiA",
        "IpˌiˈA",
        "Ipˈiˈeɪ",
    )
    aliased = speak('<speak>the <sub alias="papa">W3C</sub> group</speak>')
    assert [word.text for word in aliased.words] == ["the", "W3C", "group"]
    assert aliased.words[1].phonemes == speak("papa").words[0].phonemes


def test_words_of_ssml_are_as_their_writer_meant_them() -> None:
    speech = speak("<speak>papa &amp; mama</speak>")
    assert [word.text for word in speech.words] == ["papa", "&", "mama"]


def test_dates_are_read_in_the_order_asked_for() -> None:
    may, june = speak("May fifth").words[0].phonemes, speak("June fifth").words[0].phonemes
    assert may in speak("5/6/2026").phonemes.replace("ˌ", "ˈ")
    assert june in speak("5/6/2026", options={"date_order": "dmy"}).phonemes.replace("ˌ", "ˈ")
    assert "ʤˈuːn" in speak("5/6/2026", "british").phonemes


def test_a_lexicon_is_heard(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("word,ipa\nKubernetes,kuːbərˈnɛtiːz\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("word,respelling\nKubernetes,PAH-pah\n", encoding="utf-8")
    first = speak("Kubernetes", options={"lexicon": (str(tmp_path / "a.csv"),)})
    assert first.words[0].phonemes.startswith("k") and "n" in first.phonemes
    both = (str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    assert speak("Kubernetes", options={"lexicon": both}).words[0].phonemes.replace("ˈ", "") == "pɑpɑ"


@pytest.mark.parametrize(
    ("text", "arguments", "error", "words"),
    [
        ("", {}, InvalidInput, "empty"),
        (" \n\t ", {}, InvalidInput, "empty"),
        ("... !!! ---", {}, InvalidInput, "Nothing in the text can be spoken"),
        ("\x00\x01\x02", {}, InvalidInput, "Nothing in the text can be spoken"),
        ("a" * 5_000_001, {}, InvalidInput, "5,000,000"),
        ("hello", {"voice": "lwo"}, UnknownVoice, "Did you mean 'low'?"),
        ("hello", {"options": {"sped": 2}}, InvalidOption, "Did you mean 'speed'?"),
        ("hello", {"options": {"speed": 9}}, InvalidOption, "'speed'"),
        ("hello", {"voice": "low*0+high"}, InvalidOption, "no blend"),
        ("hello", {"options": {"lexicon": ("none.csv",)}}, InvalidInput, "none.csv"),
        ("[voice: nobody] hello", {}, UnknownVoice, "nobody"),
        ("<speak>hello", {}, InvalidInput, "Line 1"),
    ],
)
def test_mistakes_are_one_clear_line(text: str, arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words.replace("?", "[?]")) as caught:
        speak(text, **arguments)
    assert "\n" not in str(caught.value)


def test_what_is_wrong_is_said_before_the_first_chunk() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        tts.stream("")
    with pytest.raises(UnknownModel):
        tts.stream("hello", model="kokorro")


def test_a_file_holds_what_the_verb_gives(tmp_path: Path) -> None:
    report = tts.synthesize_file("papa mama. dodo", tmp_path / "a.wav", "low", model=FAKE_SPEECH, loader=LOADER)
    samples, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == RATE and np.abs(samples - speak("papa mama. dodo").audio.samples[0]).max() < 2**-22
    assert report.files[0].words == speak("papa mama. dodo").words
    assert b"audio-ml" in (tmp_path / "a.wav").read_bytes()
    with pytest.raises(OutputExists):
        tts.synthesize_file("papa", tmp_path / "a.wav", "low", model=FAKE_SPEECH, loader=LOADER)


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg", "m4a"])
def test_every_format_can_be_read_back(tmp_path: Path, ending: str) -> None:
    from audio_ml.streams import read_audio

    path = tmp_path / f"a.{ending}"
    report = tts.synthesize_file(
        "papa mama dodo", path, "low", model=FAKE_SPEECH, loader=LOADER, delivery={"sample_rate": 48000}
    )
    assert read_audio(path).duration_seconds == pytest.approx(report.duration_seconds, abs=0.1)
    assert read_audio(path).sample_rate == report.sample_rate == 48000


@pytest.mark.parametrize(("depth", "kind"), [("16", "PCM_16"), ("24", "PCM_24"), ("32f", "FLOAT")])
def test_raw_is_the_samples_alone(tmp_path: Path, depth: str, kind: str) -> None:
    tts.synthesize_file(
        "papa", tmp_path / "a.raw", "low", model=FAKE_SPEECH, loader=LOADER, delivery={"bit_depth": depth}
    )
    found, _ = soundfile.read(tmp_path / "a.raw", samplerate=RATE, channels=1, format="RAW", subtype=kind)
    assert np.abs(found - speak("papa").audio.samples[0]).max() < 2**-14


def test_split_gives_a_file_for_each_paragraph(tmp_path: Path) -> None:
    text = "papa mama.\n\ndodo titi. nana\n\n\nlolo"
    report = tts.synthesize_file(
        text, tmp_path / "a.wav", "low", model=FAKE_SPEECH, loader=LOADER, delivery={"split": True}
    )
    assert [Path(file.path).name for file in report.files] == ["a_001.wav", "a_002.wav", "a_003.wav"]
    assert [[word.text for word in file.words] for file in report.files] == [
        ["papa", "mama."],
        ["dodo", "titi.", "nana"],
        ["lolo"],
    ]
    for file in report.files:
        samples, _ = soundfile.read(file.path)
        assert len(samples) / RATE == pytest.approx(file.duration_seconds)
        assert file.words[0].start_seconds < 0.1 and file.words[-1].end_seconds <= file.duration_seconds
        assert np.abs(samples[: RATE // 10]).max() > 0.1  # begins with its first word, not with a pause


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("papa.\n\nmama. [pause 1s]\n\ndodo.", ["papa.", "mama.", "dodo."]),
        ("papa. —\n\n[pause 2s] mama.\n\n—\n\ndodo.", ["papa.", "mama.", "dodo."]),
        ("[pause 1s]\n\npapa.\n\n[pause 2s]\n\nmama.\n\n[pause 3s]", ["papa.", "mama."]),
    ],
)
def test_pauses_and_marks_do_not_glue_paragraphs_together(tmp_path: Path, text: str, files: list[str]) -> None:
    report = tts.synthesize_file(
        text, tmp_path / "a.wav", "low", model=FAKE_SPEECH, loader=LOADER, delivery={"split": True}
    )
    assert [file.words[0].text for file in report.files] == files
    if "[pause 2s]" in text:
        assert report.files[1].words[0].start_seconds == pytest.approx(2.0, abs=0.06)
    else:
        assert report.files[1].duration_seconds - report.files[1].words[-1].end_seconds > 0.95


def test_marks_behind_a_tag_belong_to_the_words_before_it() -> None:
    speech = speak("Papa [volume: -6dB]mama[/volume]! Dodo [volume: -6dB]titi[/volume]. Lolo.")
    assert [word.text for word in speech.words] == ["Papa", "mama!", "Dodo", "titi.", "Lolo."] and not speech.warnings
    for before, after in (speech.words[1:3], speech.words[3:5]):
        assert after.start_seconds - before.end_seconds == pytest.approx(0.35, abs=0.05)


def test_split_refuses_what_is_there_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "a_002.wav").write_bytes(b"mine")
    with LOADER.use(FAKE_SPEECH) as engine:
        engine.calls.clear()
        with pytest.raises(OutputExists, match="a_002"):
            tts.synthesize_file(
                "papa.\n\nmama.", tmp_path / "a.wav", "low", model=FAKE_SPEECH, loader=LOADER, delivery={"split": True}
            )
        assert not engine.calls


def test_split_tells_which_files_of_a_longer_text_stay(tmp_path: Path) -> None:
    def split(text: str) -> tuple[str, ...]:
        report = tts.synthesize_file(
            text,
            tmp_path / "a.wav",
            "low",
            model=FAKE_SPEECH,
            loader=LOADER,
            delivery={"split": True, "overwrite": True},
        )
        return tuple(warning.message for warning in report.warnings)

    (tmp_path / "a.wav").write_bytes(b"another file")
    assert split("papa.\n\nmama.\n\ndodo.\n\nlolo.") == ()
    before = (tmp_path / "a_003.wav").read_bytes()
    (told,) = split("lolo.\n\ndodo.")
    assert told.endswith("a_003.wav and 1 more.") and (tmp_path / "a_003.wav").read_bytes() == before
    (tmp_path / "a_004.wav").unlink()
    assert split("lolo.\n\ndodo.")[0].endswith("a_003.wav.")


def test_sounds_that_are_given_are_said_whatever_their_words_look_like() -> None:
    speech = speak("[Yahoo! Japan](/jɑhu/) mama")
    assert speech.words[0].phonemes == "jɑhu" and "ʤ" not in speech.phonemes


def test_two_models_whose_voices_have_one_id_do_not_mix_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    from tts import api
    from tts.engine import Blend
    from tts.voices import Speaker

    other = dataclasses.replace(FAKE_SPEECH, name="other", engine=HighEngine)
    speakers = {"first": FAKE_SPEECH, "second": other}

    def find(name: str | None = None, model: object = None) -> Speaker:
        return Speaker(speakers.get(name or "", FAKE_SPEECH), Blend(((FAKE_SPEECH.voices[0], 1.0),)))

    monkeypatch.setattr(api, "find_speaker", find)
    assert pitches(speak("papapa [voice: second] mamama")) == {"papapa": 200, "mamama": 400}


def test_a_pace_beyond_the_voices_is_told() -> None:
    speech = speak("papa [rate: 1.5] mama [/rate]", options={"speed": 2.0})
    assert any("3.00" in warning.message for warning in speech.warnings)


def test_what_cannot_be_read_as_it_says_is_told_with_its_line() -> None:
    with pytest.raises(InvalidInput, match=r"Line 2.*soon"):
        tts.stream("<speak>papa\n<say-as interpret-as='date'>soon</say-as></speak>", "low", model=FAKE_SPEECH)


def test_cancelling_leaves_no_file(tmp_path: Path) -> None:
    progress = Progress(lambda state: progress.cancel() if state.stage == "speaking" else None)
    with pytest.raises(Cancelled):
        tts.synthesize_file(
            "papa mama. " * 50, tmp_path / "d/a.wav", "low", model=FAKE_SPEECH, loader=LOADER, progress=progress
        )
    assert not (tmp_path / "d").exists()


def test_progress_reaches_the_end() -> None:
    states: list[ProgressState] = []
    speak("papa mama. dodo titi. nana lolo.", progress=Progress(states.append))
    fractions = [state.fraction for state in states if state.stage == "speaking"]
    assert fractions == sorted(fractions) and fractions[-1] > 0.9


def test_a_take_is_another_sound_and_the_same_again() -> None:
    options = tts.SpeechOptions(seed=3)
    assert FAKE_SPEECH.vary is not None
    changes = [FAKE_SPEECH.vary(options, take, 3) for take in range(6)]
    assert changes[0] == {} and changes == [FAKE_SPEECH.vary(options, take, 3) for take in range(6)]
    lengths = {speak("papa mama dodo titi", options=change).audio.n_samples for change in changes}
    assert len(lengths) == 6
    assert all(abs(change["speed"] - 1) <= 0.04 for change in changes[1:])


def test_symbol_time_is_what_the_engine_says() -> None:
    word = speak("papa").words[0]
    assert word.end_seconds - word.start_seconds == pytest.approx(SYMBOL_SECONDS * len(word.phonemes), abs=0.011)


Cli = Callable[..., Any]


@pytest.mark.weights
class TestCommand:
    def test_speaks_on_a_bare_machine(self, run_cli: Cli, tmp_path: Path) -> None:
        ran = run_cli(
            "speak", "Good morning, dear listeners.", "-o", tmp_path / "a.wav", "--captions", "srt,json", "--offline",
            AUDIO_ML_CACHE=str(tmp_path / "cache"),
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert soundfile.info(tmp_path / "a.wav").samplerate == 24000
        assert "Good morning" in (tmp_path / "a.srt").read_text()
        assert json.loads((tmp_path / "a.json").read_text())["words"][0]["text"] == "Good"

    def test_raw_samples_go_to_standard_output(self, tmp_path: Path) -> None:
        import subprocess
        import sys

        command = [str(Path(sys.executable).with_name("audio-ml")), "speak", "-f", "-", "-o", "-", "--offline"]
        ran = subprocess.run(command, input=b"Hello there.", capture_output=True, check=True)
        speech = tts.synthesize("Hello there.").audio
        samples = np.frombuffer(ran.stdout, "<i2") / 2**15
        assert len(samples) == speech.n_samples
        assert np.abs(samples - speech.samples[0]).max() < 2**-14
        assert b"24000 Hz" in ran.stderr

    def test_plays_through_a_player_of_the_system(self, run_cli: Cli, tmp_path: Path) -> None:
        player = tmp_path / "bin/aplay"
        player.parent.mkdir()
        player.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\ncat > {tmp_path}/played\n')
        player.chmod(0o755)
        ran = run_cli("speak", "Hello.", "--play", PATH=f"{player.parent}:/bin:/usr/bin")
        assert ran.returncode == 0, ran.stderr
        assert "24000" in (tmp_path / "arguments").read_text()
        assert (tmp_path / "played").stat().st_size > 24000

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            ([], 2, "The text is empty"),
            (["hello", "-f", "x.txt"], 2, "not both"),
            (["-f", "none.txt"], 2, "none.txt"),
            (["hello", "-v", "hart"], 2, "Did you mean 'heart'?"),
            (["hello", "-v", "hibari/heart+hibari/emma"], 2, "voice"),
            (["hello", "--captions", "doc"], 2, "Unknown captions"),
            (["hello", "--cast", "HERO"], 2, "names no voice"),
            (["hello", "-o", "a.xyz"], 2, "should end in"),
            (["!!!"], 2, "Nothing in the text"),
            (["<!DOCTYPE speak><speak>x</speak>"], 2, "DOCTYPE"),
        ],
    )
    def test_mistakes_are_one_line(
        self, run_cli: Cli, arguments: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        ran = run_cli("speak", *arguments)
        assert ran.returncode == code and words in ran.stderr, ran.stderr
        assert sum(line.startswith("audio-ml: ") for line in ran.stderr.splitlines()) == 1
        assert "Traceback" not in ran.stderr
        assert not list(tmp_path.iterdir())
