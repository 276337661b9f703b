"""The pitch tracker: tones with a known pitch, real speech beside another tracker, silence and noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audio_ml import pitch
from audio_ml.audio import Audio, Samples
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio

SPEECH = Path(__file__).parents[1] / "../shared/data/speech/ljspeech/LJ001-0003.flac"

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def loader() -> ModelLoader:
    return ModelLoader("cpu")


def gliding_voice(f0_hz: Samples, sample_rate: int) -> Audio:
    """Harmonics that fall by 12 dB an octave below 4 kHz, at a pitch [time]."""
    phase = 2 * np.pi * np.cumsum(f0_hz.astype(np.float64)) / sample_rate
    harmonics = [np.sin(k * phase) / k**2 * (k * f0_hz < 4000) for k in range(1, 41)]
    samples: Samples = (0.3 * np.sum(np.array(harmonics), axis=0)).astype(np.float32)
    return Audio(samples[None], sample_rate)


@pytest.mark.parametrize(("lowest_hz", "highest_hz"), [(75, 130), (180, 330)])
@pytest.mark.parametrize("sample_rate", [16000, 44100])
def test_a_glide_is_followed(loader: ModelLoader, lowest_hz: float, highest_hz: float, sample_rate: int) -> None:
    f0_hz = np.geomspace(lowest_hz, highest_hz, 2 * sample_rate).astype(np.float32)
    found = pitch.track(gliding_voice(f0_hz, sample_rate), loader)
    expected = np.geomspace(lowest_hz, highest_hz, 2 * pitch.SAMPLE_RATE)[:: pitch.HOP]
    inner = slice(3, -3)
    assert found.voiced[inner].all()
    np.testing.assert_allclose(found.f0_hz[inner], expected[inner], rtol=0.01)


def test_silence_and_noise_have_no_pitch(loader: ModelLoader) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 32000)).astype(np.float32)
    assert not pitch.track(Audio(np.zeros((1, 32000), np.float32), 16000), loader).voiced.any()
    assert pitch.track(Audio(noise, 16000), loader).voiced.mean() < 0.05


@pytest.mark.parametrize("hum_hz", [50, 60])
def test_the_hum_of_mains_is_no_pitch(loader: ModelLoader, hum_hz: int) -> None:
    hum = 0.05 * np.sin(2 * np.pi * hum_hz * np.arange(32000) / 16000)
    assert pitch.track(Audio(hum[None].astype(np.float32), 16000), loader).voiced.mean() < 0.05


def test_a_long_recording_is_tracked_as_a_short_one(loader: ModelLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = gliding_voice(np.geomspace(90, 300, 16000 * 5 + 77).astype(np.float32), 16000)
    whole = pitch.track(sound, loader).f0_hz
    monkeypatch.setattr(pitch, "N_WINDOW", 50)
    np.testing.assert_allclose(pitch.track(sound, loader).f0_hz, whole, rtol=1e-4)


def test_the_shortest_sound_has_a_frame(loader: ModelLoader) -> None:
    assert pitch.track(Audio(np.zeros((2, 10), np.float32), 48000), loader).f0_hz.shape == (1,)


def test_between_voiced_frames_the_pitch_goes_on() -> None:
    found = pitch.Pitch(np.array([0, 100, 0, 400, 0], np.float32), 0.5)
    np.testing.assert_allclose(found.at(np.array([0.0, 0.5, 1.0, 1.5, 9.0])), [100, 100, 200, 400, 400], rtol=1e-5)
    assert found.mean_log == pytest.approx(np.log(200))
    assert pitch.Pitch(np.zeros(3, np.float32), 0.5).mean_log is None


def test_real_speech_agrees_with_another_tracker(loader: ModelLoader) -> None:
    librosa = pytest.importorskip("librosa")
    if not SPEECH.exists():
        pytest.skip("the speech of ../shared is not here")
    audio = read_audio(SPEECH, pitch.SAMPLE_RATE)
    found = pitch.track(audio, loader).f0_hz
    other, _, _ = librosa.pyin(
        audio.samples[0], fmin=50, fmax=600, sr=pitch.SAMPLE_RATE, frame_length=1024, hop_length=pitch.HOP
    )
    both = (found > 0) & np.isfinite(other[: len(found)])
    octaves = np.abs(np.log2(found[both] / other[: len(found)][both]))
    assert both.mean() > 0.3
    assert (octaves > 0.2).mean() < 0.02
    assert np.median(octaves) < 0.03
