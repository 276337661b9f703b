"""`audio-ml convert` and its verb: marked, as long to the sample, with the timecode of the source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from made_up_voices import made_up_voice
from typer.testing import CliRunner

import tts
import voiceclone
from audio_ml import bext
from audio_ml.audio import Audio
from audio_ml.encoders import Identity
from audio_ml.errors import Cancelled, InvalidInput, InvalidOption, OutputExists, UnknownVoice
from audio_ml.formats import FORMATS
from audio_ml.metadata import read_metadata
from audio_ml.options import Options, parse
from audio_ml.progress import Progress
from audio_ml.streams import AudioReader
from audio_ml.voice_library import VoiceLibrary
from audio_ml.watermark import WATERMARK
from audio_ml.writer import AudioWriter
from ui.convert import app
from voiceclone.conversion_file import convert_file

spellers: list[Any] = []  # that conversion was given
RATE, N_SAMPLES, START = 48000, 48_123, 172_800_000


class _Options(Options):
    """One option, for the test to refuse others."""

    depth: int = 1


@pytest.fixture(autouse=True)
def converter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Takes the place of conversion (the sound turned round, mono) and of the watermark (half as loud)."""

    def convert(
        audio: Audio, voice: Any, *, speller: Any, options: Mapping[str, Any], loader: Any, progress: Any
    ) -> Audio:
        parse(_Options, options)
        spellers.append(speller)
        assert audio.n_channels == 1  # the channels of an hour of surround are never in memory together
        return Audio(-audio.samples.mean(axis=0, keepdims=True), audio.sample_rate)

    def mark(audio: Audio, loader: Any, progress: Any) -> Audio:
        return Audio(audio.samples * 0.5, audio.sample_rate)

    spellers.clear()
    monkeypatch.setattr("voiceclone.conversion.convert", convert)
    monkeypatch.setattr("audio_ml.watermark.mark", mark)
    monkeypatch.setenv("AUDIO_ML_VOICES", str(tmp_path / "voices"))
    monkeypatch.setenv("AUDIO_ML_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    VoiceLibrary.default().save(made_up_voice())


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """A stereo recording with a timecode."""
    path = tmp_path / "take.wav"
    identity = Identity(chunks=((b"bext", bext.create("Reel 3", "recorder", START)),))
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2, N_SAMPLES)).astype(np.float32)
    with AudioWriter(path, FORMATS["wav"], RATE, 2, bit_depth="24", identity=identity) as writer:
        writer.write(samples)
        writer.close()
        writer.commit()
    return path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_a_take_keeps_its_length_and_timecode(take: Path) -> None:
    told = json.loads(run(take, "--voice", "anna", "--json"))
    made = Path("take-anna.wav")
    assert (told["n_samples"], told["sample_rate"], told["marked"]) == (N_SAMPLES, RATE, True)
    assert spellers == [tts.spell]
    samples, rate = soundfile.read(made, always_2d=True)
    source = soundfile.read(take)[0].mean(axis=1)
    assert samples.shape == (N_SAMPLES, 1) and rate == RATE
    assert np.abs(samples[:, 0] + 0.5 * source).max() < 1e-6
    assert read_metadata(made).time_reference == START and soundfile.info(made).subtype == "PCM_24"
    (cloned,) = told["provenance"]["cloned_voices"]
    assert (cloned["voice"], cloned["watermark"]) == ("anna", WATERMARK) and told["provenance"]["source"] == "take.wav"


def test_channels_of_opposite_sign_are_heard_over_the_whole_file(take: Path) -> None:
    voice = np.random.default_rng(0).uniform(-0.5, 0.5, N_SAMPLES)
    voice[: N_SAMPLES // 2] = 0
    soundfile.write("wired.wav", np.stack([voice, -voice, 0 * voice], axis=1), RATE, subtype="FLOAT")
    assert not json.loads(run("wired.wav", "--voice", "anna", "-o", "out.wav", "--no-watermark", "--json"))["warnings"]
    assert np.abs(soundfile.read("out.wav")[0] + voice).max() < 1e-6


def test_reading_ends_where_it_is_too_long_or_cancelled(take: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        convert_file(take, "out.wav", made_up_voice(), progress=progress)
    monkeypatch.setattr("voiceclone.conversion.LONGEST_SECONDS", 0.5)
    monkeypatch.setattr("voiceclone.conversion_file.convert", None)
    with pytest.raises(InvalidInput, match="min at most"):
        convert_file(take, "out.wav", made_up_voice())
    monkeypatch.setattr(AudioReader, "n_expected", None)
    with pytest.raises(InvalidInput, match="min at most"):
        convert_file(take, "out.wav", made_up_voice())
    assert not Path("out.wav").exists()


def test_the_mark_can_be_left_out_and_is_told(take: Path) -> None:
    told = json.loads(run(take, "--voice", "anna", "-o", "out.flac", "--no-watermark", "--json"))
    assert not told["marked"] and told["provenance"]["cloned_voices"][0]["watermark"] == "none"
    samples, source = soundfile.read("out.flac")[0], soundfile.read(take)[0].mean(axis=1)
    assert np.abs(samples + source).max() < 1e-6


def test_the_verb_marks_and_hands_options_on(take: Path) -> None:
    audio = Audio(np.full((1, 100), 0.5, np.float32), RATE)
    assert np.allclose(voiceclone.convert(audio, made_up_voice()).samples, -0.25)
    assert np.allclose(voiceclone.convert(audio, made_up_voice(), options={"watermark": False}).samples, -0.5)
    with pytest.raises(InvalidOption, match="deep"):
        voiceclone.convert(audio, made_up_voice(), options={"deep": 2})


def test_silence_is_told(take: Path) -> None:
    assert not json.loads(run(take, "--voice", "anna", "--json"))["warnings"]
    soundfile.write("silence.wav", np.zeros(N_SAMPLES), RATE)
    report = json.loads(run("silence.wav", "--voice", "anna", "--json"))
    (warning,) = report["warnings"]
    assert not report["marked"]  # there is nothing that could hold a mark
    assert warning.startswith("silence.wav is silent")


def test_nothing_is_overwritten_unasked(take: Path) -> None:
    assert "take-anna.wav" in run(take, "--voice", "anna")
    with pytest.raises(OutputExists):
        run(take, "--voice", "anna")
    run(take, "--voice", "anna", "--overwrite", "-q")
    with pytest.raises(OutputExists, match="recording itself"):
        run(take, "--voice", "anna", "-o", take, "--overwrite")
    with pytest.raises(UnknownVoice):
        run(take, "--voice", "nobody")
