"""Conversion: lengths, silence, cuts, melody and the joining of pieces with a fake engine; words with the real one."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tts
from audio_ml.audio import Audio, Samples
from audio_ml.catalogue import find
from audio_ml.cloned_voice import Intonation
from audio_ml.errors import Cancelled, InvalidInput, InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.pitch import HOP, Pitch
from audio_ml.progress import Progress
from audio_ml.streams import read_audio
from tests.made_up_voices import made_up_voice
from voiceclone import content, conversion
from voiceclone.conversion import SPOKEN_FRAME, convert, cuts
from voiceclone.engines.voice_activity import VOICE_ACTIVITY

NOISE = 0.4  # of the level of speech: 8 dB below
SPEECH = Path(__file__).parents[1] / "../shared/data/speech/ljspeech/LJ001-0003.flac"


class FakeEngine:
    """Speaks a tone that knows nothing of pieces: at every time the energy that was heard there."""

    def __init__(self) -> None:
        self.f0_hz: list[Samples] = []
        self.styles: list[Samples] = []
        self.offsets: list[Samples | None] = []
        self.lengths: list[int] = []
        self.spellers: list[Any] = []

    def read(self, samples: Samples, pitch: Pitch, begin_frame: int, speller: Any) -> tuple[Samples, Samples, Samples]:
        self.spellers.append(speller)
        n_frames = -(-samples.size // 400)
        self.lengths.append(n_frames)
        halves = np.pad(np.abs(samples), (0, n_frames * 400 - samples.size)).reshape(2 * n_frames, 200).mean(axis=1)
        return np.zeros((n_frames, 512), np.float32), halves, halves > 0

    def speak(
        self, features: Samples, f0_hz: Samples, energy: Samples, style: Samples, offsets: Samples | None
    ) -> Samples:
        self.f0_hz.append(f0_hz)
        self.styles.append(style)
        self.offsets.append(offsets)
        return np.repeat(energy, SPOKEN_FRAME // 2).astype(np.float32)


class FakeTracker:
    def track(self, samples: Samples) -> Samples:
        """A pitch that swings between 100 and 200 Hz, where there is any sound."""
        n_frames = max(1, samples.size // HOP)
        swing = 100 * 2 ** (0.5 + 0.5 * np.sin(np.arange(n_frames) / 20))
        heard = np.abs(samples[: n_frames * HOP]).reshape(n_frames, -1).max(axis=1) > 0
        return np.where(heard, swing, 0).astype(np.float32)


class FakeVoiceActivity:
    """Takes for speech what is not steady."""

    def begin(self) -> FakeVoiceActivity:
        return self

    def push(self, samples: Samples) -> Samples:
        frames = samples[: samples.size // 512 * 512].reshape(-1, 512)
        levels = np.square(frames).mean(axis=1)
        return np.full(levels.size, levels.std() > 0.1 * levels.mean(), np.float32)

    def finish(self) -> Samples:
        return np.zeros(1, np.float32)


class FakeLoader:
    def __init__(self) -> None:
        self.engine = FakeEngine()

    @contextmanager
    def use(self, spec: Any, progress: Progress | None = None) -> Iterator[Any]:
        assert spec is VOICE_ACTIVITY
        yield FakeVoiceActivity()

    @contextmanager
    def use_all(self, specs: Any, progress: Progress | None = None) -> Iterator[list[Any]]:
        yield [self.engine, FakeTracker()]


@pytest.fixture
def loader() -> Any:
    return FakeLoader()


def babble(seconds: float, sample_rate: int, seed: int = 0) -> Samples:
    """Noise in syllables, four a second, with a pause every two seconds."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    envelope = np.clip(np.sin(2 * np.pi * 2 * time), 0, 1) * (time % 2 < 1.7)
    return (0.2 * envelope * np.random.default_rng(seed).standard_normal(time.size)).astype(np.float32)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("n_extra", [0, 1, 77])
def test_the_length_is_kept_to_the_sample(loader: Any, sample_rate: int, n_channels: int, n_extra: int) -> None:
    samples = np.tile(babble(1.5, sample_rate), (n_channels, 1))
    samples = np.pad(samples, ((0, 0), (0, n_extra)))
    result = convert(Audio(samples, sample_rate), made_up_voice(), loader=loader)
    assert (result.n_channels, result.n_samples, result.sample_rate) == (1, samples.shape[1], sample_rate)


@pytest.mark.parametrize("n_samples", [1, 300, 16000])
def test_silence_stays_silence(loader: Any, n_samples: int) -> None:
    result = convert(Audio(np.full((2, n_samples), 1e-5, np.float32), 16000), made_up_voice(), loader=loader)
    assert result.n_samples == n_samples
    assert not result.samples.any()


def test_sound_in_which_nobody_speaks_is_refused_before_any_work(loader: Any) -> None:
    time = np.arange(3 * 16000) / 16000
    music = (0.2 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)
    with pytest.raises(InvalidInput, match="Nobody speaks in the recording"):
        convert(Audio(music[None], 16000), made_up_voice(), loader=loader)
    assert loader.engine.lengths == []
    convert(Audio(music[None, :30000], 16000), made_up_voice(), loader=loader)  # a cry may be as steady


def test_pieces_are_joined_as_if_there_were_none(loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Audio(babble(30, 24000)[None], 24000)
    cut = convert(recording, made_up_voice(), loader=loader)
    assert len(loader.engine.f0_hz) > 2
    monkeypatch.setattr(conversion, "LONGEST_FRAMES", 10**6)
    whole = convert(recording, made_up_voice(), loader=loader)
    np.testing.assert_allclose(cut.samples, whole.samples, atol=1e-5)


def test_words_are_spelled_for_every_piece_where_there_is_a_speller(loader: Any) -> None:
    recording = Audio(babble(30, 16000)[None], 16000)
    convert(recording, made_up_voice(), loader=loader)
    assert set(loader.engine.spellers) == {None}
    loader.engine.spellers.clear()
    convert(recording, made_up_voice(), speller=tts.spell, loader=loader)
    assert len(loader.engine.spellers) > 2
    assert set(loader.engine.spellers) == {tts.spell}


def test_the_melody_does_not_know_of_pieces(loader: Any) -> None:
    convert(Audio(babble(30, 16000)[None], 16000), made_up_voice(), loader=loader)
    borders = cuts(babble(30, 16000))
    first, second = loader.engine.f0_hz[:2]
    begin = borders[1] - conversion.MARGIN_FRAMES
    shared = first[2 * begin :]
    both = (shared > 0) & (second[: shared.size] > 0)
    np.testing.assert_allclose(shared[both], second[: shared.size][both], rtol=1e-6)


def test_cuts_lie_in_pauses_and_pieces_are_short() -> None:
    samples = babble(60, 16000)
    found = cuts(samples)
    assert found[0] == 0
    assert found[-1] == 60 * 40
    assert max(np.diff(found)) <= conversion.LONGEST_FRAMES
    assert min(np.diff(found)) >= conversion.SHORTEST_FRAMES
    for cut in found[1:-1]:
        assert np.abs(samples[cut * 400 - 400 : cut * 400 + 400]).max() == 0


@pytest.mark.parametrize("n_samples", [1, 399, 401, 480 * 400, 481 * 400, 520 * 400 + 1])
def test_every_length_can_be_cut(n_samples: int) -> None:
    found = cuts(np.full(n_samples, 0.1, np.float32))
    assert found[-1] == -(-n_samples // 400)
    assert min(np.diff(found)) > 0


def test_the_pitch_goes_to_where_the_voice_has_it(loader: Any) -> None:
    voice = made_up_voice(pitch=Intonation(np.log(220), 0.2))
    recording = Audio(babble(8, 16000)[None], 16000)
    for options, expected in (({}, 220), ({"semitones": 3}, 220 * 2**0.25), ({"pitch": "keep"}, 100 * 2**0.5)):
        convert(recording, voice, options=options, loader=loader)
        f0_hz = loader.engine.f0_hz[-1]
        assert np.exp(np.log(f0_hz[f0_hz > 0]).mean()) == pytest.approx(expected, rel=0.1)


def test_likeness_reaches_the_style_and_the_layers(loader: Any) -> None:
    voice = made_up_voice(layer_offsets=np.ones(8, np.float32))
    for likeness in (0.0, 0.5):
        convert(Audio(babble(2, 16000)[None], 16000), voice, options={"likeness": likeness}, loader=loader)
        np.testing.assert_allclose(loader.engine.styles[-1], voice.style(conversion.N_PHONEMES, likeness))
        np.testing.assert_allclose(loader.engine.offsets[-1], likeness * np.ones(8))


def test_speech_is_as_loud_as_it_was_and_not_clipped(loader: Any) -> None:
    quiet = Audio(0.1 * babble(4, 24000)[None], 24000)
    loud = Audio(np.clip(40 * babble(4, 24000), -1, 1)[None], 24000)
    powers = [np.square(convert(take, made_up_voice(), loader=loader).samples).mean() for take in (quiet, loud)]
    assert 10 * np.log10(powers[0] / np.square(quiet.samples).mean()) == pytest.approx(0, abs=2)
    assert powers[1] > 10 * powers[0]
    assert np.abs(convert(loud, made_up_voice(), loader=loader).samples).max() <= 1


@pytest.mark.parametrize("of_channels", [[1, -1], [0, 0, 0, 1, 0, 0, 0, 0], [1e-4, 1]])
def test_channels_neither_cancel_nor_thin_each_other_out(loader: Any, of_channels: list[float]) -> None:
    voice = babble(4, 24000)
    alone = convert(Audio(voice[None], 24000), made_up_voice(), loader=loader).samples
    several = Audio(np.float32(of_channels)[:, None] * voice, 24000)
    np.testing.assert_allclose(convert(several, made_up_voice(), loader=loader).samples, alone, atol=1e-5)


def test_what_would_not_fit_into_memory_is_refused(loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert conversion.LONGEST_SECONDS == 3600
    monkeypatch.setattr(conversion, "LONGEST_SECONDS", 60.0)
    long = Audio(np.full((1, 90 * 100), 0.1, np.float32), 100)
    with pytest.raises(InvalidInput, match=r"1\.5 min long, and 1 min at most"):
        convert(long, made_up_voice(), loader=loader)


def test_levels_are_those_of_windows_around_half_frames_and_take_little_memory() -> None:
    samples = babble(3, 16000)[:-77]
    padded = np.pad(samples.astype(np.float64), (100, 1000))
    expected = [10 * np.log10(max(np.square(padded[k : k + 400]).mean(), 1e-8)) for k in range(0, 240 * 200, 200)]
    np.testing.assert_allclose(content.level_db(samples, 240), expected, atol=1e-9)
    long = np.zeros(1_600_000, np.float32)
    tracemalloc.start()
    try:
        content.level_db(long, 8000)
        assert tracemalloc.get_traced_memory()[1] < 2 * long.nbytes
    finally:
        tracemalloc.stop()


def test_progress_is_told_and_cancelling_ends_it(loader: Any) -> None:
    told: list[float] = []
    progress = Progress(lambda state: told.append(state.fraction))
    recording = Audio(babble(30, 16000)[None], 16000)
    convert(recording, made_up_voice(), loader=loader, progress=progress)
    assert told == sorted(told)
    assert told[-1] == 1
    progress.cancel()
    with pytest.raises(Cancelled):
        convert(recording, made_up_voice(), loader=loader, progress=progress)


def test_unknown_options_are_refused(loader: Any) -> None:
    recording = Audio(babble(1, 16000)[None], 16000)
    with pytest.raises(InvalidOption, match="likenes"):
        convert(recording, made_up_voice(), options={"likenes": 1}, loader=loader)
    with pytest.raises(InvalidOption, match="semitones"):
        convert(recording, made_up_voice(), options={"semitones": 99}, loader=loader)


@pytest.mark.weights
def test_music_and_noise_are_no_speech_to_the_real_voice_activity() -> None:
    time, random = np.arange(4 * 44100) / 44100, np.random.default_rng(0)
    chord = sum(np.sin(2 * np.pi * hz * time) for hz in (220, 277, 330)) * np.exp(-3 * (time % 0.5))
    for sound in (chord, random.standard_normal(time.size)):
        with pytest.raises(InvalidInput, match="Nobody speaks in the recording"):
            convert(Audio((0.1 * sound).astype(np.float32)[None], 44100), made_up_voice(), loader=ModelLoader("cpu"))


@pytest.mark.weights
@pytest.mark.slow
def test_the_words_and_the_melody_of_real_speech_are_kept() -> None:
    pytest.importorskip("faster_whisper")
    if not SPEECH.exists():
        pytest.skip("the speech of ../shared is not here")
    from audio_ml.judges.whisper import transcribe
    from audio_ml.nets.kokoro_voices import N_STYLE, read_voice
    from audio_ml.spoken_words import spoken_words
    from audio_ml.word_errors import count_errors
    from voiceclone.evaluation.contour import correlation

    loader = ModelLoader("cpu")
    recording = read_audio(SPEECH)
    styles = read_voice(loader.store.open(find("tts", "kokoro"))["am_michael.bin"])
    voice = made_up_voice(styles=styles, delta=np.zeros(N_STYLE, np.float32), pitch=Intonation(np.log(120), 0.2))
    noise = np.random.default_rng(0).standard_normal(recording.samples.shape).astype(np.float32)
    noisy = Audio(recording.samples + NOISE * recording.samples.std() * noise, recording.sample_rate)
    said = spoken_words(transcribe(recording, loader, in_words=True))

    def errors(speech: Audio, speller: Any) -> float:
        result = convert(speech, voice, speller=speller, loader=loader)
        melody = correlation(recording, result)
        assert melody is not None and melody > 0.8
        return count_errors(said, spoken_words(transcribe(result, loader, in_words=True))).rate

    assert errors(recording, None) <= 0.1
    assert errors(recording, tts.spell) <= 0.1
    assert errors(noisy, tts.spell) < errors(noisy, None)
