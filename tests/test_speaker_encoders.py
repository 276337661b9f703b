"""Speaker encoders: the numbers of the published code, gradients, and what a recording of any length comes to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
import torch
from signals import decibels
from speaking_machine import SAMPLE_RATE, samples

from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput, WeightsCorrupt
from audio_ml.judges import ecapa, eres2net
from audio_ml.loader import ModelLoader
from audio_ml.nets.fbank import KaldiFbank
from audio_ml.nets.mel_filters import slaney_filters
from audio_ml.speaker_windows import mean_embedding
from voiceclone.encoders import embeddings
from voiceclone.engines.speaker_encoders import CAMPPLUS, GE2E, Ge2eEncoder
from voiceclone.nets.ge2e import WINDOW_FRAMES, Ge2e
from voiceclone.nets.resample import To16k

REFERENCE = np.load(Path(__file__).parent / "data" / "speaker_reference.npz")  # see bench/speaker_reference.py
STEP_MEL = (15 + 27 * math.log(8) / math.log(6.4)) / 41  # of 40 filters up to 8 kHz
VOICE = Audio(samples()[None], SAMPLE_RATE)
ROWS = {"ge2e": GE2E, "campplus": CAMPPLUS}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def test_kaldis_mel_spectra_are_those_of_the_published_code() -> None:
    found = KaldiFbank()(torch.from_numpy(samples())[None])[0]
    assert found.shape == (418, 80)  # of 4.2 s, where frames that reach beyond the end are left out
    assert np.abs(found[100:400:50].numpy() - REFERENCE["fbank"]).max() < 2e-3


def test_mel_filters_are_centred_where_slaney_has_them_and_have_the_area_of_one() -> None:
    filters = slaney_filters(16000, 4096, 40)
    centres = filters.argmax(axis=1) * 16000 / 4096
    assert np.diff(centres[:14]) == pytest.approx(STEP_MEL * 200 / 3, abs=4.0)  # linear below 1 kHz
    ratios = centres[20:] / centres[19:-1]
    assert ratios == pytest.approx(np.full(20, 6.4 ** (STEP_MEL / 27)), rel=0.01)
    assert filters.sum(axis=1) * 16000 / 4096 == pytest.approx(np.ones(40), rel=0.02)


@pytest.mark.weights
@pytest.mark.parametrize("name", ROWS)
def test_a_fitting_encoder_hears_what_the_published_code_hears(name: str, loader: ModelLoader) -> None:
    with loader.use(ROWS[name]) as engine, torch.inference_mode():
        found = engine.network.embed(torch.from_numpy(samples())[None])[0].numpy()
    assert np.abs(found - REFERENCE[name]).max() < 1e-5


@pytest.mark.weights
@pytest.mark.parametrize("judge", [ecapa, eres2net], ids=["ecapa", "eres2net"])
def test_a_judge_hears_what_the_published_code_hears(judge: Any, loader: ModelLoader) -> None:
    found = judge.speaker_embedding(VOICE, loader)
    assert found.dtype == np.float32
    assert np.abs(found - REFERENCE[judge.__name__.rpartition(".")[2]]).max() < 1e-5


@pytest.mark.weights
@pytest.mark.parametrize("name", ROWS)
def test_an_encoder_is_open_to_gradients_and_treats_a_batch_one_by_one(name: str, loader: ModelLoader) -> None:
    to_16k = To16k()
    rising = np.linspace(0.5, 1.0, 48000, dtype=np.float32)
    wave = torch.from_numpy(np.stack([rising * soxr.resample(samples(2, f0), 16000, 24000) for f0 in (110, 210)]))
    with loader.use(ROWS[name]) as engine:
        target = engine.network.embed(to_16k(wave[1:]))
        assert engine.network.embed(to_16k(wave))[1] == pytest.approx(target[0].numpy(), abs=1e-5)
        learnt = wave[:1].clone().requires_grad_()
        before = (engine.network.embed(to_16k(learnt)) * target).sum()
        before.backward()
        assert learnt.grad is not None and bool(torch.isfinite(learnt.grad).all())
        with torch.no_grad():
            closer = learnt + 1e-4 * learnt.grad / learnt.grad.abs().max()
            assert (engine.network.embed(to_16k(closer)) * target).sum() > before + 1e-4
        assert not any(parameter.requires_grad for parameter in engine.network.parameters())


def test_the_recurrent_layers_are_as_cudnn_wants_them_for_gradients_which_changes_no_number() -> None:
    """In evaluation mode it refuses: "cudnn RNN backward can only be called in training mode"."""
    torch.manual_seed(0)
    network = Ge2e()
    assert network.lstm.training and not network.lstm.dropout
    assert not [name for name, part in network.named_modules() if part.training and name != "lstm"]
    mels = torch.rand(2, WINDOW_FRAMES, 40, requires_grad=True)
    found = network(mels)
    (gradient,) = torch.autograd.grad(found.sum(), [mels])
    assert bool(gradient.abs().sum() > 0)
    assert torch.equal(found, network.eval()(mels))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_gradients_come_back_from_a_gpu() -> None:
    torch.manual_seed(0)
    network, wave = Ge2e().requires_grad_(False), torch.from_numpy(samples())[None]
    gradients = []
    for kind in ("cpu", "cuda"):
        learnt = wave.to(kind).detach().requires_grad_()
        network.to(kind).embed(learnt)[0, :8].sum().backward()
        assert learnt.grad is not None
        gradients.append(learnt.grad.cpu().flatten())
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.99


@pytest.mark.weights
def test_a_recordings_embeddings_do_not_hang_on_level_rate_channels_or_pauses(loader: ModelLoader) -> None:
    expected = embeddings(VOICE, loader)
    assert {name: value.shape for name, value in expected.items()} == {"ge2e": (256,), "campplus": (192,)}
    stereo = np.repeat(soxr.resample(0.3 * samples(), SAMPLE_RATE, 44100)[None], 2, axis=0)
    other = embeddings(Audio(stereo, 44100), loader)
    paused = embeddings(Audio(np.pad(samples(), (0, round(5.8 * SAMPLE_RATE)))[None], SAMPLE_RATE), loader)
    for name, value in expected.items():
        assert np.linalg.norm(value) == pytest.approx(1, abs=1e-5)
        assert float(value @ other[name]) > 0.85
        assert float(value @ paused[name]) > 0.9


def test_windows_are_even_and_pauses_do_not_count() -> None:
    loud, heard = np.ones(2500, np.float32), []

    def embed(window: np.ndarray) -> np.ndarray:
        heard.append(window.size)
        return np.array([1.0, 0.0] if window[0] else [0.0, 1.0], np.float32)

    found = mean_embedding(np.concatenate([loud, np.zeros(2500, np.float32)]), 1000, 1.5, embed)
    assert heard == [1250, 1250] and found.tolist() == [1.0, 0.0]


def test_too_short_a_sound_is_refused(loader: ModelLoader) -> None:
    with pytest.raises(InvalidInput, match=r"0\.40 s of sound do not tell whose voice it is"):
        mean_embedding(samples(0.4), SAMPLE_RATE, 5.0, lambda window: window)


@pytest.mark.weights
@pytest.mark.parametrize("name", [*ROWS, "speaker-ecapa", "speaker-eres2net"])
def test_silence_and_half_a_second_give_finite_numbers(name: str, loader: ModelLoader) -> None:
    row = ROWS.get(name) or catalogue.find("judge", name)
    with loader.use(row) as engine:
        for sound in (np.zeros(8000, np.float32), samples(0.5)):
            found = engine.embedding(sound)
            assert np.isfinite(found).all() and found.ndim == 1


def test_a_file_of_other_weights_is_refused(loader: ModelLoader, tmp_path: Path) -> None:
    path = tmp_path / "pretrained.pt"
    torch.save({"model_state": {"linear.bias": torch.zeros(256)}}, path)
    with pytest.raises(WeightsCorrupt, match=r"speaker-ge2e: 13 tensors are missing"):
        Ge2eEncoder({"pretrained.pt": path}, loader.device)
    torch.save({"step": 1}, path)
    with pytest.raises(WeightsCorrupt):
        Ge2eEncoder({"pretrained.pt": path}, loader.device)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 24001, 48000])
def test_resampling_is_that_of_soxr_to_the_sample(n_samples: int) -> None:
    seconds = np.arange(n_samples) / 24000
    sound = (0.3 * sum(np.sin(2 * np.pi * hz * seconds + hz) for hz in (90, 1210, 5010, 7003))).astype(np.float32)
    found = To16k()(torch.from_numpy(np.stack([sound, -sound])))
    assert found.shape == (2, -(-n_samples * 2 // 3))
    assert torch.equal(found[0], -found[1])
    if n_samples > 1000:
        expected = soxr.resample(sound, 24000, 16000, quality="VHQ")
        edge = slice(200, found.shape[1] - 200)
        assert decibels(expected[edge], found[0].numpy()[edge] - expected[edge]) > 60


def test_resampling_lets_nothing_above_8_khz_through() -> None:
    high = torch.sin(2 * torch.pi * 8700 * torch.arange(24000, dtype=torch.float64) / 24000).float()
    assert To16k()(high[None])[0, 200:-200].abs().max() < 1e-4
