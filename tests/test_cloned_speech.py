"""Cloned voices speak through every door of text to speech: found by name, marked, told in the provenance."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cue_sheets import sheet_of
from fake_speech import FAKE_SPEECH, RATE
from made_up_voices import made_up_voice

import tts
from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.cloned_voice import Intonation
from audio_ml.errors import InvalidInput, InvalidOption, UnknownVoice
from audio_ml.loader import ModelLoader
from audio_ml.nets.kokoro_voices import N_STYLE, read_voice
from audio_ml.options import parse
from audio_ml.provenance import record_mix
from audio_ml.speech import Speech
from audio_ml.voice_file import encode
from audio_ml.voice_library import VoiceLibrary
from audio_ml.watermark import WATERMARK
from audio_ml.weights import WeightStore
from tts.cues import Casting, Part, TextToSpeech, render_sheet
from tts.engine import Blend, SpeechModel, Voice
from tts.engines.kokoro import ClonedKokoroOptions, KokoroEngine, KokoroOptions
from tts.voices import broken_voices, find_speaker, list_voices, option_models

TEXT = "The quick brown fox."
MARK = 3.0  # what the watermark of these tests multiplies sound by
ANNA_HZ = 250.0
OTHER = replace(FAKE_SPEECH, name="other-speech", family="other", clone_options=None)


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VoiceLibrary:
    """A library with the voice anna."""
    monkeypatch.setenv("AUDIO_ML_VOICES", str(tmp_path / "voices"))
    library = VoiceLibrary.default()
    library.save(made_up_voice("anna", pitch=Intonation(float(np.log(ANNA_HZ)), 0.2)))
    return library


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch) -> list[Audio]:
    """Takes the place of the watermark; what was marked."""
    seen: list[Audio] = []

    def mark(audio: Audio, loader: object = None, progress: object = None) -> Audio:
        seen.append(audio)
        return Audio(audio.samples * MARK, audio.sample_rate)

    monkeypatch.setattr("audio_ml.watermark.mark", mark)
    return seen


@pytest.fixture
def local_loader(tmp_path: Path) -> ModelLoader:
    return ModelLoader("cpu", WeightStore(cache=tmp_path / "cache"))


def _say(loader: ModelLoader, voice: str = "anna", text: str = TEXT, **options: Any) -> Speech:
    return tts.synthesize(text, voice, model=FAKE_SPEECH, options=options, loader=loader)


def _pitch(speech: Speech) -> float:
    samples = speech.audio.samples[0]
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE / samples.size)


# Found by name.


@pytest.mark.parametrize(
    ("name", "model", "id", "row"),
    [
        ("anna", None, "cloned/anna", "kokoro"),
        ("cloned/anna", None, "cloned/anna", "kokoro"),
        ("Anna", None, "cloned/anna", "kokoro"),
        ("anna", "kokoro-fp16", "cloned/anna", "kokoro-fp16"),
        (None, "cloned", "cloned/anna", "kokoro"),
        ("anna", FAKE_SPEECH, "cloned/anna", "fake-speech"),
        ("low", FAKE_SPEECH, "fake/low", "fake-speech"),
        (None, "kokoro", "kokoro/af_heart", "kokoro"),
    ],
)
def test_a_name_finds_a_cloned_voice(name: str | None, model: Any, id: str, row: str) -> None:
    speaker = find_speaker(name, model)
    assert (speaker.id, speaker.spec.name) == (id, row)
    assert (speaker.cloned is not None) == id.startswith("cloned/")


def test_a_bare_name_means_a_cloned_voice_last(library: VoiceLibrary) -> None:
    library.save(made_up_voice("heart", 1))
    assert find_speaker("heart").id == "hibari/heart"
    assert find_speaker("cloned/heart").id == "cloned/heart"


def test_cloned_voices_are_listed_once_and_behind_all_others() -> None:
    listed = list_voices()
    assert [speaker.id for speaker in listed if speaker.cloned] == ["cloned/anna"] == [listed[-1].id]
    assert listed[-1].spec.name == "kokoro" and not list_voices("ja")[-1].cloned


def test_a_file_is_a_voice(tmp_path: Path) -> None:
    path = tmp_path / "guest.voice.safetensors"
    path.write_bytes(encode(made_up_voice("Zoe")))
    for model, row in ((None, "kokoro"), ("kokoro-fp16", "kokoro-fp16"), (FAKE_SPEECH, "fake-speech")):
        speaker = find_speaker(str(path), model)
        assert (speaker.id, speaker.spec.name) == ("cloned/Zoe", row)
    assert find_speaker(str(path), find_speaker("anna").spec).id == "cloned/Zoe"
    with pytest.raises(InvalidOption, match="hibari cannot speak with a cloned voice"):
        find_speaker(str(path), "hibari")


@pytest.mark.parametrize(
    ("name", "model", "words"),
    [
        ("ana", None, "Did you mean 'anna'"),
        ("cloned/ana", None, "Did you mean 'cloned/anna'"),
        ("anna", "hibari", "hibari has no voice 'anna': it is one of cloned."),
        ("anna", "kokoro-int8", "kokoro has no voice 'anna': it is one of cloned"),
        ("none.voice.safetensors", None, "There is no voice file none.voice.safetensors"),
        ("anna", OTHER, "no voice 'anna'"),
    ],
)
def test_a_wrong_name_is_told(name: str, model: Any, words: str) -> None:
    with pytest.raises(UnknownVoice) as caught:
        find_speaker(name, model)
    assert words in str(caught.value)


def test_cloned_voices_are_not_blended() -> None:
    blends = ("anna+anna", "anna*0.5+heart*0.5", "af_heart+cloned/anna", "cloned/anna+af_heart", "kokoro/heart+anna")
    for name in blends:
        with pytest.raises(InvalidOption, match="cloned/anna is a cloned voice, and those do not mix"):
            find_speaker(name)
    with pytest.raises(InvalidOption, match="cloned/nobody is a cloned voice"):
        find_speaker("heart+cloned/nobody")
    assert find_speaker("kokoro/heart+bella").cloned is None


def test_a_broken_voice_is_told_where_it_matters(library: VoiceLibrary) -> None:
    (library.folder / "torn.voice.safetensors").write_bytes(b"x")
    assert [path.name for path in broken_voices()] == ["torn.voice.safetensors"]
    for name in ("torn", "cloned/torn"):
        with pytest.raises(UnknownVoice, match=r"torn.voice.safetensors cannot be used: .*no safetensors"):
            find_speaker(name)
    library.delete("anna")
    with pytest.raises(InvalidInput, match=r"torn.voice.safetensors cannot be used: .*no safetensors"):
        find_speaker("cloned/torn")
    library.delete("torn")
    with pytest.raises(UnknownVoice, match="None is enrolled"):
        find_speaker("cloned/torn")


# Spoken and marked.


def test_a_cloned_voice_speaks_and_is_marked(local_loader: ModelLoader, marked: list[Audio]) -> None:
    speech = _say(local_loader)
    assert abs(_pitch(speech) - ANNA_HZ) < 2 and speech.marked and len(marked) == 1
    assert {word.voice for word in speech.words} == {"cloned/anna"}
    plain = _say(local_loader, watermark=False)
    assert not plain.marked and len(marked) == 1
    assert np.allclose(speech.audio.samples, MARK * plain.audio.samples)


def test_likeness_reaches_the_engine(local_loader: ModelLoader) -> None:
    assert abs(_pitch(_say(local_loader, likeness=0)) - ANNA_HZ / 2) < 2


def test_built_in_voices_are_not_marked_and_take_no_likeness(local_loader: ModelLoader, marked: list[Audio]) -> None:
    assert not _say(local_loader, "low").marked and not marked
    for option in ({"likeness": 0.5}, {"watermark": False}):
        with pytest.raises(InvalidOption, match="Unknown option"):
            _say(local_loader, "low", **option)
    with pytest.raises(InvalidOption, match="likeness"):
        _say(local_loader, likeness=1.5)


def test_a_script_calls_cloned_voices_and_only_they_are_marked(local_loader: ModelLoader, marked: list[Audio]) -> None:
    script = "[voice: anna]First of all. [voice: low]Then this.\n\nHERO: And this."
    chunks = list(tts.stream(script, "high", model=FAKE_SPEECH, cast={"HERO": "cloned/anna"}, loader=local_loader))
    said = [(chunk.words[0].voice, chunk.marked) for chunk in chunks if chunk.words]
    assert said == [("cloned/anna", True), ("fake/low", False), ("cloned/anna", True)] and len(marked) == 2
    assert not chunks[-1].marked, "silence carries nothing"


def test_one_engine_speaks_with_all_voices(local_loader: ModelLoader) -> None:
    _say(local_loader, "low", "[voice: anna]One. [voice: low]Two.")
    _say(local_loader, "anna", "One. [voice: fake/low]Two.")
    assert local_loader.loaded() == ["fake-speech"]


def test_two_files_of_one_name_are_two_voices(local_loader: ModelLoader, tmp_path: Path) -> None:
    path = tmp_path / "other.voice.safetensors"
    path.write_bytes(encode(made_up_voice("anna", pitch=Intonation(float(np.log(500)), 0.2))))
    speech = _say(local_loader, "anna", f"[voice: {path}] The quick brown fox.", watermark=False)
    assert abs(_pitch(speech) - 500) < 4
    both = list(tts.stream(f"One two. [voice: {path}] Three four.", "anna", model=FAKE_SPEECH, loader=local_loader))
    pitches = [_pitch(Speech(chunk.audio, (), "", ())) for chunk in both if chunk.words]
    assert abs(pitches[0] - ANNA_HZ) < 4 and abs(pitches[1] - 500) < 4


def test_a_file_tells_whose_voice_it_is(local_loader: ModelLoader, tmp_path: Path, library: VoiceLibrary) -> None:
    def told(text: str, voice: str, **options: Any) -> list[dict[str, str]]:
        report = tts.synthesize_file(
            text,
            tmp_path / "out.wav",
            voice,
            model=FAKE_SPEECH,
            options=options,
            delivery={"overwrite": True},
            loader=local_loader,
        )
        content = (tmp_path / "out.wav").read_bytes()
        written = content[content.index(b"prov") + 8 :]
        record = json.JSONDecoder().raw_decode(written.decode("utf-8", "replace"))[0]
        assert record["cloned_voices"] == [dict(voice) for voice in report.provenance.cloned_voices]
        return list(record["cloned_voices"])

    anna = {
        "voice": "anna",
        "sha256": library.load("anna").sha256,
        "consent": "Anna Smith, 2026-11-26: temp ADR for reel 3",
        "consent_checked": "not checked",
        "watermark": WATERMARK,
    }
    assert told(TEXT, "anna") == [anna]
    assert told("Hello. [voice: anna] Hello.", "low") == [anna]
    assert told("Hello. [voice: low] Hello.", "anna", watermark=False) == [anna | {"watermark": "none"}]
    assert told("[voice: low] Hello.", "high") == []


# Cue sheets.


def test_cues_are_spoken_with_cloned_voices_and_know_when_they_change(
    local_loader: ModelLoader, library: VoiceLibrary
) -> None:
    speaker = TextToSpeech(local_loader)
    options = speaker.options("anna", {"likeness": 0.5}, 0)
    assert options["likeness"] == 0.5 and options["watermark"]
    before = speaker.fingerprint("anna", options)
    assert before["cloned"] == library.load("anna").sha256 and speaker.model("anna").name == "kokoro"
    assert [(voice.name, marks) for voice, marks in speaker.cloned("Hello.", "anna", options)] == [("anna", True)]
    assert not speaker.cloned("Hello.", "heart", {})
    library.save(made_up_voice("anna", 5), overwrite=True)
    assert speaker.fingerprint("anna", options) != before
    assert "cloned" not in speaker.fingerprint("heart", speaker.options("heart", {}, 0))
    with pytest.raises(InvalidOption, match="likeness"):
        speaker.options("heart", {"likeness": 0.5}, 0)
    assert Casting({"HERO": Part("cloned/anna")}).part("hero").voice == "cloned/anna"


def test_a_voice_file_in_a_casting_is_spoken_by_the_model_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "guest.voice.safetensors"
    path.write_bytes(encode(made_up_voice("Zoe")))
    speaker = TextToSpeech(ModelLoader("cpu", WeightStore(cache=tmp_path)), "kokoro-fp16")
    assert speaker.model(str(path)).name == speaker.model("anna").name == "kokoro-fp16"


def test_a_cue_is_marked_after_it_was_fitted(
    local_loader: ModelLoader, tmp_path: Path, marked: list[Audio], monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = TextToSpeech(local_loader)
    monkeypatch.setattr(speaker, "_speaker", lambda voice: find_speaker(voice, FAKE_SPEECH))
    monkeypatch.setattr(speaker, "_model_of", lambda voice: FAKE_SPEECH)
    sheet = sheet_of(tmp_path, "12,3,HERO,01:00:00:00,01:00:01:12,Where is everybody now?,")
    for voice, n_marked in (("anna", 1), ("low", 0)):
        marked.clear()
        report = render_sheet(sheet, tmp_path / voice, speaker=speaker, casting=Casting({"HERO": Part(voice)}))
        (take,) = report.takes
        assert len(marked) == n_marked and (not marked or marked[0].sample_rate == 48000)
        content = (tmp_path / voice / take.file).read_bytes()
        assert (f'"watermark": "{WATERMARK}"'.encode() in content) == bool(n_marked)


def test_a_cue_that_calls_a_cloned_voice_is_marked_after_it_was_fitted_and_says_so(
    local_loader: ModelLoader,
    tmp_path: Path,
    marked: list[Audio],
    library: VoiceLibrary,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speaker = TextToSpeech(local_loader)
    monkeypatch.setattr(speaker, "_speaker", lambda voice: find_speaker(voice, FAKE_SPEECH))
    monkeypatch.setattr(speaker, "_model_of", lambda voice: FAKE_SPEECH)
    sheet = sheet_of(tmp_path, "12,3,HERO,01:00:00:00,01:00:01:12,[voice: anna] Where is everybody now?,")
    casting = Casting({"HERO": Part("low")})
    (take,) = render_sheet(sheet, tmp_path / "out", speaker=speaker, casting=casting).takes
    assert marked[-1].sample_rate == 48000  # the fitted line, not what was stretched
    content = (tmp_path / "out" / take.file).read_bytes()
    assert b'"voice": "anna"' in content and f'"watermark": "{WATERMARK}"'.encode() in content
    n_marked = len(marked)
    render_sheet(sheet, tmp_path / "out", speaker=speaker, casting=casting)
    assert len(marked) == n_marked  # nothing has changed, so nothing is said again
    library.save(made_up_voice("anna", 5), overwrite=True)
    render_sheet(sheet, tmp_path / "out", speaker=speaker, casting=casting)
    assert len(marked) > n_marked


def test_a_guide_track_tells_of_the_cloned_voices_in_it(
    local_loader: ModelLoader, tmp_path: Path, library: VoiceLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.save(made_up_voice("bert", 5))
    speaker = TextToSpeech(local_loader)
    monkeypatch.setattr(speaker, "_speaker", lambda voice: find_speaker(voice, FAKE_SPEECH))
    monkeypatch.setattr(speaker, "_model_of", lambda voice: FAKE_SPEECH)
    rows = (
        "12,1,HERO,01:00:00:00,01:00:01:12,Where is everybody now?,",
        "12,2,OTHER,01:00:02:00,01:00:03:12,[voice: bert] Gone.,",
        "12,3,HERO,01:00:04:00,01:00:05:12,I see.,",
    )
    casting = Casting({"HERO": Part("anna"), "OTHER": Part("low")})
    render_sheet(sheet_of(tmp_path, *rows), tmp_path / "out", speaker=speaker, casting=casting)
    content = (tmp_path / "out" / "guide.wav").read_bytes()
    record = json.loads(content[content.index(b"prov") + 8 :].rstrip(b"\0"))
    told = {voice["voice"]: voice for voice in record["cloned_voices"]}
    assert [voice["voice"] for voice in record["cloned_voices"]] == ["anna", "bert"]
    assert told["anna"]["consent"] == library.load("anna").consent.summary
    assert record["model"] == FAKE_SPEECH.name and record["source"] == "sheet.csv"


def test_a_voice_in_a_mix_is_told_as_marked_where_all_of_it_is() -> None:
    anna = made_up_voice("anna")
    for marks, told in (((True, True), WATERMARK), ((True, False), "none"), ((False, True), "none")):
        heard = [(anna, is_marked) for is_marked in marks]
        (voice,) = record_mix([FAKE_SPEECH, OTHER], "cpu", "a.csv", "0", cloned_voices=heard).cloned_voices
        assert voice["watermark"] == told
    mix = record_mix([FAKE_SPEECH, OTHER, FAKE_SPEECH], "cpu", "a.csv", "0", cloned_voices=[])
    assert (mix.model, mix.cloned_voices) == (f"{FAKE_SPEECH.name}+{OTHER.name}", ())


# Kokoro.


def test_kokoro_takes_the_style_of_a_cloned_voice() -> None:
    engine = object.__new__(KokoroEngine)
    voice = made_up_voice()
    blend = Blend(((Voice("anna", "en-US", cloned=voice), 1.0),))
    assert np.array_equal(engine._style(blend, 20, ClonedKokoroOptions()), voice.styles[19] + voice.delta)
    assert np.array_equal(engine._style(blend, 20, ClonedKokoroOptions(likeness=0)), voice.styles[19])
    moved = engine._style(blend, 20, ClonedKokoroOptions(jitter=0.5, seed=1)) - voice.style(20)
    assert moved.shape == (N_STYLE,) and 0.01 < np.abs(moved).mean() < 1


def test_every_row_of_kokoro_speaks_with_them() -> None:
    rows = [spec for spec in catalogue.models("tts") if isinstance(spec, SpeechModel) and spec.clone_options]
    assert {"kokoro", "kokoro-fp16"} <= {spec.name for spec in rows}
    assert ClonedKokoroOptions in option_models() and KokoroOptions in option_models()
    assert isinstance(parse(ClonedKokoroOptions, KokoroOptions(jitter=0.2)), ClonedKokoroOptions)


@pytest.mark.weights
def test_kokoro_speaks_with_a_mix_as_it_does_with_the_blend(loader: ModelLoader, library: VoiceLibrary) -> None:
    files = loader.store.open(catalogue.find("tts", "kokoro"))
    table = 0.5 * (read_voice(files["af_heart.bin"]) + read_voice(files["af_bella.bin"]))
    library.save(made_up_voice("mix", styles=table, delta=np.zeros(N_STYLE, np.float32)))
    mixed = tts.synthesize("Good morning.", "mix", options={"watermark": False}, loader=loader)
    blended = tts.synthesize("Good morning.", "heart+bella", loader=loader)
    assert np.allclose(mixed.audio.samples, blended.audio.samples, atol=1e-4)


@pytest.mark.weights
def test_layers_are_offset_as_far_as_the_likeness_says(loader: ModelLoader, library: VoiceLibrary) -> None:
    with loader.use(catalogue.find("tts", "kokoro")) as engine:
        (given,) = engine._network.get_overridable_initializers()
    n_layers = given.shape[1]
    offsets = np.random.default_rng(0).normal(0, 0.1, n_layers).astype(np.float32)
    table = read_voice(loader.store.open(catalogue.find("tts", "kokoro"))["af_heart.bin"])
    voice = made_up_voice("deep", styles=table, delta=np.zeros(N_STYLE, np.float32), layer_offsets=offsets)

    def say(voice: Any, **options: Any) -> Any:
        return tts.synthesize("Good morning.", voice, options=options, loader=loader).audio.samples

    plain, clean = say("kokoro/heart"), say(voice, likeness=0, watermark=False)
    alike = say(voice, watermark=False)
    assert np.allclose(clean, plain, atol=1e-5)
    n_both = min(alike.shape[1], plain.shape[1])  # silence is cut off where it begins
    assert np.abs(alike[:, :n_both] - plain[:, :n_both]).max() > 0.01
    with pytest.raises(InvalidInput, match=f"3 of them, and Kokoro takes {n_layers}"):
        say(replace(voice, layer_offsets=offsets[:3]))


# Command line.

Cli = Callable[..., Any]


def test_the_command_lists_them(run_cli: Cli, library: VoiceLibrary) -> None:
    (library.folder / "torn.voice.safetensors").write_bytes(b"x")
    ran = run_cli("voices", "list", "--json")
    (row,) = [row for row in json.loads(ran.stdout) if row["voice"] == "cloned/anna"]
    assert (row["model"], row["note"], row["licence"]) == ("kokoro", "cloned", "Apache-2.0")
    assert ran.stderr.count("\n") == 1 and "torn.voice.safetensors" in ran.stderr
    assert "cloned/anna" in run_cli("voices", "list").stdout


def test_a_cloned_voice_is_here_with_the_model(run_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "kokoro").mkdir()
    (tmp_path / "kokoro" / catalogue.find("tts", "kokoro").files[0].name).touch()
    ran = run_cli("voices", "list", "--json", AUDIO_ML_MODELS=str(tmp_path), AUDIO_ML_CACHE=str(tmp_path / "cache"))
    here = {row["voice"]: row["here"] for row in json.loads(ran.stdout)}
    assert (here["cloned/anna"], here["kokoro/af_heart"]) == ("yes", "fetched on first use")


def test_flags_exist_whether_there_are_voices_or_not(run_cli: Cli, library: VoiceLibrary) -> None:
    library.delete("anna")
    for command in ("speak", "cues"):
        told = run_cli(command, "--help").stdout
        assert "--likeness" in told and "--no-watermark" in told
    refused = run_cli("speak", "Hello.", "--voice", "heart", "--likeness", "0.5")
    assert refused.returncode == 2 and "likeness" in refused.stderr and refused.stderr.count("\n") == 1
