"""Speech clean-up: the arithmetic around the networks, against the native library, and what a user may count on."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import noisy_speech
import numpy as np
import pytest
from numpy.typing import NDArray
from signals import decibels, noise

import separation
from audio_ml import catalogue
from audio_ml.audio import Audio, Samples
from audio_ml.chunks import overlap_add
from audio_ml.errors import WeightsCorrupt
from audio_ml.loader import ModelLoader
from audio_ml.onnx_sessions import cpu_session
from audio_ml.writer import write_audio
from separation.engines import deepfilternet
from separation.nets import deepfilternet as dfn
from separation.nets import deepfilternet_onnx, dtln, dtln_onnx
from separation.recurrent import Memory, RecurrentNetwork, SpeechLane, in_turn

AGREEMENT_DB = 90.0
EXACT_DB = 80.0
MODELS = ("deepfilternet", "dtln")
PAUSE = slice(  # of the voice, without the 40 ms around it
    round((noisy_speech.PAUSE_SECONDS[0] + 0.04) * noisy_speech.SAMPLE_RATE),
    round((noisy_speech.PAUSE_SECONDS[1] - 0.04) * noisy_speech.SAMPLE_RATE),
)
LOW_HZ = 3000  # below the 4.8 kHz where filters end, with room for a band's skirts


class PassingNetwork(RecurrentNetwork):
    """Answers with the same gain for all bands, and filters of one tap."""

    def __init__(self, gain: float, tap: int, tap_gain: float) -> None:
        self._gain, self._tap, self._tap_gain = gain, tap, tap_gain

    def start(self) -> Memory:
        return {}

    def run(self, memory: Memory, given: Mapping[str, Samples]) -> tuple[Sequence[Samples], Memory]:
        n_frames = given["bands"].shape[2] - dfn.INPUT_CONTEXT
        taps = np.zeros((1, n_frames, dfn.FILTERED_BINS, dfn.FILTER_ORDER, 2), np.float32)
        taps[..., self._tap, 0] = self._tap_gain
        gains = np.full((1, 1, n_frames, dfn.BANDS), self._gain, np.float32)
        return (gains, taps.reshape(1, n_frames, dfn.FILTERED_BINS, -1)), memory


def mono(seconds: float, rate: int = dfn.SAMPLE_RATE, seed: int = 0) -> Samples:
    return noise(seconds, rate, 1, seed).samples[0]


def pushed(push: Callable[[Samples], Samples], signal: Samples, *sizes: int) -> Samples:
    """Pushes a signal in pieces of these sizes, over and over."""
    made, start = [], 0
    while start < len(signal):
        size = sizes[len(made) % len(sizes)]
        made.append(push(signal[start : start + size]))
        start += size
    return np.concatenate(made)


def low_passed(signal: Samples) -> Samples:
    spectrum = np.fft.rfft(signal)
    spectrum[LOW_HZ * len(signal) // dfn.SAMPLE_RATE :] = 0
    return np.fft.irfft(spectrum, len(signal)).astype(np.float32)


def test_bands_cover_every_bin_once_and_are_equal_in_erb() -> None:
    edges = dfn.band_edges()
    widths = np.diff(edges)
    assert edges[0] == 0 and edges[-1] == dfn.BINS and len(widths) == dfn.BANDS
    assert widths.min() == dfn.MIN_BAND_BINS and (np.diff(widths[:-1]) >= 0).all()
    hz = edges[14:] * dfn.SAMPLE_RATE / dfn.N_FFT  # where bands are wider than they have to be
    erb = 21.4 * np.log10(1 + 0.00437 * hz)  # Glasberg and Moore's own formula
    np.testing.assert_allclose(np.diff(erb), erb[-1] / dfn.BANDS, rtol=0.15)


def test_what_is_not_changed_comes_back_as_it_was_only_later() -> None:
    signal = mono(2.5)[: 240 * dfn.HOP]
    passing = PassingNetwork(1.0, dfn.FILTER_PAST, 1.0)
    for post_filter in (False, True):  # which leaves alone what the network let pass
        made = pushed(dfn.DeepFilter(passing, post_filter=post_filter).push, signal, 70 * dfn.HOP, dfn.HOP, 3 * dfn.HOP)
        assert decibels(signal, made[dfn.DELAY :] - signal[: -dfn.DELAY]) > 110
        assert np.abs(made[: dfn.DELAY]).max() < 1e-6


@pytest.mark.parametrize("tap", range(dfn.FILTER_ORDER))
def test_the_taps_of_a_filter_are_frames_the_oldest_first(tap: int) -> None:
    signal = low_passed(mono(1)[: 100 * dfn.HOP])
    made = dfn.DeepFilter(PassingNetwork(0.0, tap, 1.0)).push(signal)
    later = dfn.DELAY + (dfn.FILTER_PAST - tap) * dfn.HOP
    assert decibels(signal, made[later + dfn.HOP :] - signal[dfn.HOP : len(signal) - later]) > 50


@pytest.mark.parametrize("limit_db", [6.0, 20.0])
def test_the_attenuation_limit_is_how_much_of_the_noise_stays(limit_db: float) -> None:
    signal = mono(1)[: 90 * dfn.HOP]
    floor = 10 ** (-limit_db / 20)
    made = dfn.DeepFilter(PassingNetwork(0.0, 0, 0.0), floor).push(signal)
    assert decibels(signal, made[dfn.DELAY :] - floor * signal[: -dfn.DELAY]) > 100


def test_the_post_filter_presses_down_what_is_turned_down_already() -> None:
    signal = mono(1)[: 90 * dfn.HOP]
    half = PassingNetwork(0.1, dfn.FILTER_PAST, 0.1)
    plain, filtered = (dfn.DeepFilter(half, post_filter=on).push(signal) for on in (False, True))
    beta, gain = dfn.POST_FILTER_BETA, 0.1
    expected = (1 + beta) / (1 + beta / np.sin(np.pi / 2 * gain) ** 2)
    assert 0.5 < expected < 0.7
    assert decibels(plain, filtered - expected * plain) > 80


def test_a_lane_gives_each_sample_to_speech_or_noise_whatever_the_blocks() -> None:
    delay, hop = 30, 100
    signal = mono(0.02, seed=3)
    held = np.zeros(delay, np.float32)

    def half_of_it_later(new: Samples) -> Samples:
        nonlocal held
        joined = np.concatenate([held, new])
        held = joined[len(new) :]
        return joined[: len(new)] / 2

    lane = SpeechLane(half_of_it_later, delay, 10, ("noise", "speech"))
    made = list(overlap_add(np.split(signal[None], [7, 300], axis=1), in_turn(hop, delay), lane))
    found, speech = np.concatenate(made, axis=-1)[:, 0]
    np.testing.assert_array_equal(speech, signal / 2)
    np.testing.assert_array_equal(found + speech, signal)


def test_an_archive_without_the_networks_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("tmp/export/config.ini"), io.BytesIO())
    with pytest.raises(WeightsCorrupt, match=r"other\.tar\.gz holds no readable tmp/export/enc\.onnx"):
        deepfilternet_onnx.build(tmp_path / "network.onnx", tmp_path / "other.tar.gz")


@pytest.fixture(scope="module")
def voice() -> Audio:
    return Audio(noisy_speech.samples()[None], noisy_speech.SAMPLE_RATE)


def speech(audio: Audio, model: str, loader: ModelLoader, **options: object) -> Samples:
    return separation.separate(audio, model=model, options=options, loader=loader).stems["speech"].samples


def network(model: str, loader: ModelLoader) -> RecurrentNetwork:
    files = loader.store.open(catalogue.find("separation", model))
    return RecurrentNetwork(cpu_session(files["network.onnx"], 1))


@pytest.fixture(scope="module")
def reference() -> dict[str, NDArray[np.generic]]:
    """What the native library made of the voice: `python -m bench.cleanup --write-reference`; nothing of ours."""
    with np.load(Path(__file__).with_name("data") / "cleanup_reference.npz") as stored:
        return dict(stored)


def test_the_voice_is_the_one_the_native_library_heard(reference: dict[str, NDArray[np.generic]]) -> None:
    heard = hashlib.sha256(noisy_speech.rounded().tobytes()).hexdigest()
    assert heard == str(reference["signal_sha256"])


@pytest.mark.weights
@pytest.mark.parametrize(
    ("kept", "options"), [("plain", {}), ("limited", {"attenuation_db": 12}), ("post_filter", {"post_filter": True})]
)
def test_deepfilternet_computes_what_the_native_library_does(
    kept: str,
    options: dict[str, object],
    reference: dict[str, NDArray[np.generic]],
    voice: Audio,
    loader: ModelLoader,
) -> None:
    found = speech(voice, "deepfilternet", loader, **options)[0]
    for start, expected in zip(reference["starts"], reference[kept], strict=True):
        assert decibels(expected, found[start : start + len(expected)] - expected) > AGREEMENT_DB


@pytest.mark.weights
def test_dtln_computes_what_its_published_networks_do_frame_by_frame(voice: Audio, loader: ModelLoader) -> None:
    given = mono(3, dtln.SAMPLE_RATE)[: 370 * dtln.HOP]
    files = loader.store.open(catalogue.find("separation", "dtln"))
    sessions = [cpu_session(files[f"model_{number}.onnx"], 1) for number in (1, 2)]
    states = [np.zeros((1, 2, 128, 2), np.float32) for _ in sessions]
    padded = np.concatenate([np.zeros(384, np.float32), given])
    expected = np.zeros(len(padded))
    for start in range(0, len(given), 128):
        spectrum = np.fft.rfft(padded[start : start + 512])
        magnitude = np.abs(spectrum).astype(np.float32)[None, None]
        mask, states[0] = sessions[0].run(None, {"input_2": magnitude, "input_3": states[0]})
        masked = np.fft.irfft(spectrum * mask[0, 0]).astype(np.float32)[None, None]
        frame, states[1] = sessions[1].run(None, {"input_4": masked, "input_5": states[1]})
        expected[start : start + 512] += frame[0, 0]
    found = speech(Audio(given[None], dtln.SAMPLE_RATE), "dtln", loader)[0]
    whole = slice(0, len(given) - 384)  # later ones have frames that end behind the signal
    assert decibels(expected[384:][whole], found[whole] - expected[384:][whole]) > AGREEMENT_DB


@pytest.mark.weights
@pytest.mark.parametrize("model", MODELS)
def test_a_long_signal_is_heard_as_a_whole(model: str, loader: ModelLoader) -> None:
    spec = catalogue.find("separation", model)
    unit = {"deepfilternet": dfn.HOP, "dtln": dtln.HOP}[model]
    signal = mono(21, spec.sample_rate)
    signal = signal[: len(signal) // unit * unit]
    lane = {"deepfilternet": dfn.DeepFilter, "dtln": dtln.Dtln}[model]
    delay = {"deepfilternet": dfn.DELAY, "dtln": dtln.DELAY}[model]
    whole = lane(network(model, loader)).push(signal)
    in_pieces = pushed(lane(network(model, loader)).push, signal, unit, 11 * unit, 300 * unit)
    assert decibels(whole, in_pieces - whole) > EXACT_DB
    found = speech(Audio(signal[None], spec.sample_rate), model, loader)[0, :-delay]
    assert decibels(whole, found - whole[delay:]) > EXACT_DB


@pytest.mark.weights
@pytest.mark.parametrize("model", MODELS)
def test_digital_silence_is_not_heard(model: str, loader: ModelLoader) -> None:
    """What comes after a second of it, or ten, in front or between, is cleaned the same."""
    rate = catalogue.find("separation", model).sample_rate
    before, after = mono(2, rate, seed=1), mono(2, rate, seed=2)
    made, margin = [], rate // 4
    for in_front, between in ((0, 1), (3, 1), (1, 10)):
        silence = [np.zeros(seconds * rate, np.float32) for seconds in (in_front, between)]
        whole = np.concatenate([silence[0], before, silence[1], after])
        found = speech(Audio(whole[None], rate), model, loader)[0]
        start = len(silence[0])
        assert not found[: max(start - margin, 0)].any()
        assert not found[start + 2 * rate + margin : -2 * rate - margin].any()
        made.append(np.concatenate([found[start : start + 2 * rate], found[-2 * rate :]]))
    for others in made[1:]:
        assert decibels(made[0], others - made[0]) > EXACT_DB


@pytest.mark.weights
def test_what_lingers_of_a_sound_stays_where_it_is_before_silent_segments(loader: ModelLoader) -> None:
    segment = deepfilternet.SEGMENT_SECONDS * dfn.SAMPLE_RATE
    sound = mono(deepfilternet.SEGMENT_SECONDS)[: segment - dfn.DELAY]  # the next segment begins with its end's silence
    signal = np.concatenate([sound, np.zeros(2 * segment, np.float32), sound])
    expected = dfn.DeepFilter(network("deepfilternet", loader)).push(signal[: segment + dfn.DELAY])[dfn.DELAY :]
    found = speech(Audio(signal[None], dfn.SAMPLE_RATE), "deepfilternet", loader)[0]
    lingering = slice(len(sound), segment)
    assert np.abs(expected[lingering]).max() > 1e-5
    np.testing.assert_allclose(found[lingering], expected[lingering], atol=1e-7)


@pytest.mark.weights
@pytest.mark.parametrize("model", MODELS)
def test_noise_alone_takes_one_run(model: str, loader: ModelLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, runs = catalogue.find("separation", model), []
    run = RecurrentNetwork.run
    monkeypatch.setattr(RecurrentNetwork, "run", lambda self, *given: (runs.append(1), run(self, *given))[1])
    counts = []
    for stems in (("speech",), ("noise",), ()):
        runs.clear()
        mixture = Audio(mono(5, spec.sample_rate)[None], spec.sample_rate)
        separation.separate(mixture, model=model, options={"stems": stems}, loader=loader)
        counts.append(len(runs))
    assert counts[0] == counts[1] == counts[2] > 0


@pytest.mark.weights
@pytest.mark.parametrize("model", MODELS)
def test_noise_goes_and_the_voice_stays(model: str, voice: Audio, loader: ModelLoader) -> None:
    true = noisy_speech.voice()
    found = speech(voice, model, loader)[0]
    assert decibels(voice.samples[0][PAUSE], found[PAUSE]) > 20
    assert decibels(true, found - true) > decibels(true, voice.samples[0] - true) + 10


@pytest.mark.weights
@pytest.mark.parametrize("model", MODELS)
def test_the_channels_of_a_file_do_not_hear_each_other(model: str, voice: Audio, loader: ModelLoader) -> None:
    left, right = voice.samples[0], mono(4, seed=5)
    both = speech(Audio(np.stack([left, right]), voice.sample_rate), model, loader)
    for channel, alone in zip(both, (left, right), strict=True):
        single = speech(Audio(alone[None], voice.sample_rate), model, loader)[0]
        assert decibels(single, channel - single) > EXACT_DB


@pytest.mark.weights
def test_noise_above_the_band_of_dtln_goes_with_the_noise_below(voice: Audio, loader: ModelLoader) -> None:
    found = speech(voice, "dtln", loader)[0]
    above = [_above(signal[PAUSE], 9000) for signal in (voice.samples[0], found)]
    assert decibels(*above) > 15


def _above(signal: Samples, hz: float) -> NDArray[np.float64]:
    """Returns the magnitudes of a signal's spectrum from a frequency on."""
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    return spectrum[round(hz * len(signal) / noisy_speech.SAMPLE_RATE) :]


@pytest.mark.weights
def test_damaged_networks_of_dtln_are_refused(loader: ModelLoader, tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    files = loader.store.open(catalogue.find("separation", "dtln"))
    model = onnx.load(files["model_1.onnx"])
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == "lstm_4_R")
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32("nan"), tensor.name))
    onnx.save(model, tmp_path / "damaged.onnx")
    with pytest.raises(WeightsCorrupt, match=r"damaged\.onnx holds weights that are not finite"):
        dtln_onnx.build(tmp_path / "network.onnx", tmp_path / "damaged.onnx", files["model_2.onnx"])


@pytest.mark.weights
def test_the_command_writes_speech_and_noise(
    voice: Audio, tmp_path: Path, run_cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    write_audio(tmp_path / "interview.wav", voice)
    ran = run_cli("separate", "-m", "deepfilternet", "--attenuation", 20, tmp_path / "interview.wav", "-o", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert {path.name for path in (tmp_path / "interview").iterdir()} >= {"speech.wav", "noise.wav"}
