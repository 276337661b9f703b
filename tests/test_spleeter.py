"""Spleeter's own arithmetic, and what our default does beyond it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from signals import decibels, noise, peak_db

import separation
from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.device import Device
from audio_ml.errors import InvalidInput, InvalidOption, UnknownModel, WeightsCorrupt
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.writer import write_audio
from separation import tensorflow_checkpoint
from separation.engines import spleeter
from separation.nets.spleeter import read_weights
from separation.nets.spleeter_torch import TorchNetworks
from separation.spleeter import Separator
from separation.spleeter_configuration import TWO_STEMS

SPEC = catalogue.find("separation", "spleeter-2stems")
N_FFT, HOP, FRAMES, BINS = 4096, 1024, 512, 1024

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def checkpoint(loader: ModelLoader) -> tuple[Path, Path]:
    files = loader.store.open(SPEC)
    return files["model.index"], files["model.data-00000-of-00001"]


def whole_file(samples: np.ndarray, checkpoint: tuple[Path, Path], exact: bool) -> np.ndarray:
    """Separates [2, n] all at once with textbook steps in float64 and the torch network: no streaming, no ONNX."""
    import torch

    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float64)
    n_frames = -(-(samples.shape[1] + N_FFT) // HOP)
    n_patches = -(-n_frames // FRAMES)
    padded = np.zeros((2, n_patches * FRAMES * HOP + N_FFT))
    padded[:, N_FFT : N_FFT + samples.shape[1]] = samples
    frames = np.stack([padded[:, i * HOP : i * HOP + N_FFT] for i in range(n_patches * FRAMES)], axis=1)
    spectrum = np.fft.rfft(frames * window)
    networks = TorchNetworks(read_weights(*checkpoint, TWO_STEMS), TWO_STEMS, "cpu")
    joined = np.zeros((2, *padded.shape))
    for patch in range(n_patches):
        part = slice(patch * FRAMES, (patch + 1) * FRAMES)
        magnitude = np.abs(spectrum[:, part, :BINS]).astype(np.float32)
        masks = networks.masks(torch.from_numpy(magnitude[None])).numpy()[:, 0]
        above = np.zeros((2, 2, FRAMES, 1)) if exact else masks.mean(axis=-1, keepdims=True)
        full = np.concatenate([masks, np.broadcast_to(above, (2, 2, FRAMES, N_FFT // 2 + 1 - BINS))], axis=-1)
        sounds = np.fft.irfft(spectrum[:, part] * full) * window * 2 / 3
        for frame in range(FRAMES):
            start = (patch * FRAMES + frame) * HOP
            joined[..., start : start + N_FFT] += sounds[:, :, frame]
    return joined[..., N_FFT : N_FFT + samples.shape[1]]


@pytest.mark.parametrize("exact", [True, False])
def test_streamed_equals_whole_over_patch_borders(
    exact: bool, checkpoint: tuple[Path, Path], loader: ModelLoader
) -> None:
    """An independent, unchunked computation agrees, at the seams too (a patch is 11.9 s)."""
    mixture = noise(25, seed=3)
    expected = whole_file(mixture.samples, checkpoint, exact)
    stems = separation.separate(mixture, options={"exact": exact}, loader=loader).stems
    border = FRAMES * HOP - N_FFT
    seam = slice(border - N_FFT, border + N_FFT)
    for name, reference in zip(SPEC.outputs, expected, strict=True):
        found = stems[name].samples
        assert decibels(reference, reference - found) > 80
        assert decibels(reference[:, seam], reference[:, seam] - found[:, seam]) > 60


def test_the_torch_engine_of_a_gpu_agrees_with_the_cpu_engine(loader: ModelLoader) -> None:
    """Run on the CPU here: the code path is the GPU's, only the device differs."""

    def torch_engine(files, device: Device) -> spleeter.SpleeterTorchEngine:
        return spleeter.SpleeterTorchEngine(files[spleeter.INDEX], files[spleeter.DATA], device, TWO_STEMS)

    spec = dataclasses.replace(SPEC, engine=torch_engine)
    mixture = noise(5)
    onnx = separation.separate(mixture, loader=loader).stems
    torch = separation.separate(mixture, model=spec, loader=ModelLoader("cpu", loader.store)).stems
    for name, stem in onnx.items():
        assert decibels(stem.samples, stem.samples - torch[name].samples) > 80


def test_a_gpu_agrees_with_the_cpu(loader: ModelLoader) -> None:
    try:
        gpu = ModelLoader("cuda", loader.store)
        _ = gpu.device
    except InvalidInput:
        pytest.skip("no GPU here")
    mixture = noise(30)
    expected, found = (separation.separate(mixture, loader=each).stems for each in (loader, gpu))
    for name, stem in expected.items():
        assert decibels(stem.samples, stem.samples - found[name].samples) > 60


def test_every_variable_of_the_checkpoint_is_accounted_for(checkpoint: tuple[Path, Path], monkeypatch) -> None:
    variables = tensorflow_checkpoint.read(*checkpoint)
    assert len(variables) == 149
    weights = read_weights(*checkpoint, TWO_STEMS)
    layers = [layer for net in weights for layer in (*net.down, *net.up, net.head, *net.down_norms, *net.up_norms)]
    n_used = sum(getattr(layer, field.name).size for layer in layers for field in dataclasses.fields(layer))
    unused_norm, global_step = 2 * 4 * 512, 1  # of the deepest layer; Spleeter keeps both and uses neither
    assert n_used + unused_norm + global_step == sum(value.size for value in variables.values())
    for change in (
        {name: value for name, value in variables.items() if name != "conv2d_3/kernel"},
        variables | {"conv2d_99/kernel": np.zeros(3, np.float32)},
        variables | {"conv2d_3/bias": np.zeros(7, np.float32)},
    ):
        monkeypatch.setattr(tensorflow_checkpoint, "read", lambda *_, change=change: change)
        with pytest.raises(WeightsCorrupt, match="conv2d_"):
            read_weights(*checkpoint, TWO_STEMS)


def test_a_damaged_index_is_refused(checkpoint: tuple[Path, Path], tmp_path: Path) -> None:
    whole = checkpoint[0].read_bytes()
    for damaged in (b"", whole[:-10], whole[:2000] + whole[2100:], b"\xff" * len(whole), whole[:-48] + b"\0" * 48):
        (tmp_path / "index").write_bytes(damaged)
        with pytest.raises(WeightsCorrupt):
            tensorflow_checkpoint.read(tmp_path / "index", checkpoint[1])
    (tmp_path / "data").write_bytes(checkpoint[1].read_bytes()[:1_000_000])
    with pytest.raises(WeightsCorrupt, match="inside the file"):
        tensorflow_checkpoint.read(checkpoint[0], tmp_path / "data")


def test_nothing_above_eleven_kilohertz_is_lost_by_default(loader: ModelLoader) -> None:
    """Each stem keeps sound up there; `exact` has none, as Spleeter."""
    mixture = noise(6)

    def above(samples: np.ndarray) -> float:
        spectrum = np.abs(np.fft.rfft(samples)) ** 2
        first = round(11_500 * samples.shape[1] / mixture.sample_rate)
        return float(spectrum[:, first:].sum())

    default = separation.separate(mixture, loader=loader).stems
    exact = separation.separate(mixture, options={"exact": True}, loader=loader).stems
    for name in SPEC.outputs:
        assert above(default[name].samples) > 300 * above(exact[name].samples)
    assert above(sum(stem.samples for stem in default.values())) == pytest.approx(above(mixture.samples), rel=1e-4)


@pytest.mark.parametrize("more", [{"overlap": 0.5}, {"shifts": 2}, {"invert": True}, {"residual": "project"}])
def test_what_spleeter_does_not_do_is_not_called_exact(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match="Spleeter"):
        parse(spleeter.SpleeterOptions, {"exact": True, **more})


def test_overlap_changes_little_and_keeps_the_sum(loader: ModelLoader) -> None:
    mixture = noise(20)
    plain = separation.separate(mixture, loader=loader).stems["accompaniment"].samples
    for overlap in (0.25, 0.5, 0.75):
        result = separation.separate(mixture, options={"overlap": overlap}, loader=loader)
        assert peak_db(result.residual.samples) <= -120
        difference = decibels(plain, plain - result.stems["accompaniment"].samples)
        assert 5 < difference < 80


def test_separate_runs_where_torch_cannot_be_imported(tmp_path: Path, checkpoint: tuple[Path, Path]) -> None:
    write_audio(tmp_path / "song.wav", noise(2))
    blocker = tmp_path / "torch"
    blocker.mkdir()
    (blocker / "__init__.py").write_text("raise RuntimeError('torch was imported')\n")
    program = "import sys; sys.argv[1:] = ['separate', 'song.wav', '--device', 'cpu']; from ui.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "stems" / "song" / "vocals.wav").exists()


class TestSeparator:
    """Spleeter's own class, as its users call it."""

    def test_waveforms_go_in_and_come_out_as_theirs(self, loader: ModelLoader) -> None:
        mixture = noise(3)
        stems = Separator("spleeter:2stems", loader=loader).separate(mixture.samples.T)
        assert list(stems) == ["vocals", "accompaniment"]
        exact = separation.separate(mixture, options={"exact": True}, loader=loader).stems
        for name, waveform in stems.items():
            assert waveform.shape == (mixture.n_samples, 2) and waveform.dtype == np.float32
            np.testing.assert_array_equal(waveform, exact[name].samples.T)

    def test_mono_becomes_stereo_as_in_spleeter(self, loader: ModelLoader) -> None:
        waveform = noise(1, n_channels=1).samples.T
        assert Separator("spleeter:2stems", loader=loader).separate(waveform)["vocals"].shape == (44100, 2)

    def test_files_are_named_as_theirs(self, loader: ModelLoader, tmp_path: Path) -> None:
        folder = tmp_path / "al{b}um"
        folder.mkdir()
        write_audio(folder / "song.wav", noise(3))
        separator = Separator("spleeter:2stems", exact=False, loader=loader)
        separator.separate_to_file(folder / "song.wav", tmp_path / "out", offset=1, duration=1)
        assert sorted(path.name for path in (tmp_path / "out" / "song").iterdir()) == [
            "accompaniment.wav",
            "vocals.wav",
        ]
        report = separator.separate_to_file(
            folder / "song.wav",
            tmp_path / "out",
            codec="mp3",
            bitrate="192k",
            filename_format="{foldername}_{filename}-{instrument}.{codec}",
        )
        assert (tmp_path / "out" / "al{b}um_song-vocals.mp3").exists()
        assert report.n_samples == 3 * 44100

    def test_what_it_cannot_do_is_refused(self, loader: ModelLoader, tmp_path: Path) -> None:
        with pytest.raises(UnknownModel, match="spleeter:9stems"):
            Separator("spleeter:9stems")
        with pytest.raises(InvalidOption, match="MWF"):
            Separator("spleeter:2stems", MWF=True)
        separator = Separator("spleeter:2stems", False, False, loader=loader)
        with pytest.raises(InvalidInput, match="waveform"):
            separator.separate(np.zeros(100, np.float32))
        with pytest.raises(InvalidOption, match="filename_format"):
            separator.separate_to_file("x.wav", tmp_path, filename_format="{artist}")


def test_audio_refuses_what_is_no_sound() -> None:
    for samples in (np.zeros(5), np.zeros((2, 0)), np.zeros((2, 5), int), np.array([[np.nan]]), np.array([[np.inf]])):
        with pytest.raises(InvalidInput):
            Audio(samples, 44100)
    with pytest.raises(InvalidInput, match="rate"):
        Audio(np.zeros((1, 5)), 0)


def test_the_runtime_reports_to_nobody(tmp_path: Path, loader: ModelLoader) -> None:
    """ONNX Runtime has telemetry that is on by default and leaves its files in these folders."""
    write_audio(tmp_path / "song.wav", noise(1))
    for folder in ("tmp", "cache"):
        (tmp_path / folder).mkdir()
    environment = {"TMPDIR": str(tmp_path / "tmp"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    command = [Path(sys.executable).with_name("audio-ml"), "separate", "song.wav", "-q", "--device", "cpu"]
    environment["AUDIO_ML_CACHE"] = str(loader.store.cache)
    subprocess.run(command, cwd=tmp_path, env=os.environ | environment, check=True)
    assert not list((tmp_path / "tmp").iterdir()) and not list((tmp_path / "cache").iterdir())
