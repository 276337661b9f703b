"""HTDemucs: the fast network against the package's, what weights are taken and refused, and what a user gets."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from signals import decibels, noise
from small_demucs import SEGMENT, small

import separation
from audio_ml import catalogue
from audio_ml.audio import Audio, Samples
from audio_ml.chunks import overlap_add
from audio_ml.device import Device, cpu_flags, resolve
from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from separation.engines import demucs as engines
from separation.engines.demucs import Architecture, DemucsEngine, DemucsOptions
from separation.nets import demucs_checkpoint, fused_layers
from separation.nets.htdemucs import SAMPLE_RATE, STEMS, htdemucs
from separation.nets.htdemucs_fused import FusedHTDemucs

MUSIC = Path(__file__).parents[2] / "shared" / "data" / "music"
SPEC = catalogue.find("separation", "htdemucs")


@pytest.fixture(scope="module")
def network() -> Any:
    return small()


@pytest.fixture(scope="module")
def mixtures() -> torch.Tensor:
    """Two segments [2, 2, SEGMENT], the second of which ends early."""
    both = torch.from_numpy(np.stack([noise(1, seed=seed).samples for seed in (1, 2)]))
    both[1, :, SEGMENT // 2 :] = 0
    return both


def agreement(expected: torch.Tensor, found: torch.Tensor) -> list[float]:
    """Returns decibels of each stem, over [batch, stems, 2, time]."""
    return [
        decibels(one.numpy(), (one - other).numpy())
        for one, other in zip(_by_stem(expected), _by_stem(found), strict=True)
    ]


def _by_stem(stems: torch.Tensor) -> torch.Tensor:
    return stems.float().transpose(0, 1)


class TestFusedNetwork:
    """The layers laid out for speed compute what the package's network computes."""

    @pytest.mark.parametrize("packed", [True, False])
    def test_full_precision_is_the_package(
        self, network: Any, mixtures: torch.Tensor, packed: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without packed kernels it is what runs on a GPU."""
        if not packed:
            monkeypatch.setattr("separation.nets.htdemucs_fused.can_pack", lambda device: False)
        elif not fused_layers.can_pack("cpu"):
            pytest.skip("this processor has no packed kernels")
        with torch.inference_mode():
            found = FusedHTDemucs(network, torch.float32)(mixtures, range(4))
            assert min(agreement(network(mixtures), found)) > 90

    def test_a_transformer_as_wide_as_the_layers_needs_no_way_in(self, mixtures: torch.Tensor) -> None:
        """That is how the network of six stems is made."""
        network = small(bottom_channels=0)
        with torch.inference_mode():
            found = FusedHTDemucs(network, torch.float32)(mixtures, range(4))
            assert min(agreement(network(mixtures), found)) > 90

    def test_half_precision_is_close(self, network: Any, mixtures: torch.Tensor) -> None:
        with torch.inference_mode():
            expected = network(mixtures)
            found = FusedHTDemucs(network, torch.bfloat16)(mixtures, range(4))
        assert min(agreement(expected, found)) > 25

    def test_stems_that_are_not_asked_for_change_nothing(self, network: Any, mixtures: torch.Tensor) -> None:
        with torch.inference_mode():
            fused = FusedHTDemucs(network, torch.float32)
            torch.testing.assert_close(fused(mixtures, [3, 1]), fused(mixtures, range(4))[:, [3, 1]])

    def test_silence_stays_finite(self, network: Any) -> None:
        with torch.inference_mode():
            silence = torch.zeros(1, 2, SEGMENT)
            found = FusedHTDemucs(network, torch.float32)(silence, range(4))
            assert torch.isfinite(found).all() and found.abs().max() < 1e-3

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU that torch can use")
    def test_a_gpu_computes_what_the_cpu_does(self, mixtures: torch.Tensor) -> None:
        with torch.inference_mode():
            expected = FusedHTDemucs(small(), torch.float32)(mixtures, range(4))
            on_gpu = small().to("cuda")
            for dtype, decibels_at_least in ((torch.float32, 60), (torch.float16, 30)):
                found = FusedHTDemucs(on_gpu, dtype)(mixtures.to("cuda"), range(4)).cpu()
                assert min(agreement(expected, found)) > decibels_at_least

    def test_blocked_attention_is_attention(self) -> None:
        generator = torch.Generator().manual_seed(0)
        queries, keys, values = (torch.randn(2, n, 4, 16, generator=generator) for n in (500, 300, 300))
        expected = fused_layers.attend(queries, keys, values, blocked=False)
        found = fused_layers.attend(queries, keys, values, blocked=True)
        assert decibels(expected.numpy(), (expected - found).numpy()) > 100


@pytest.fixture
def architecture() -> Architecture:
    return Architecture(small, STEMS, "small.safetensors", Fraction(1), fills=True)


@pytest.fixture
def files(tmp_path: Path, network: Any) -> dict[str, Path]:
    save_file(network.state_dict(), tmp_path / "small.safetensors")
    return {"small.safetensors": tmp_path / "small.safetensors"}


def options(**values: Any) -> DemucsOptions:
    return DemucsOptions.model_validate({"precision": "full", "segment_seconds": 1, **values})


class TestEngine:
    @pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
    def test_a_stream_is_cut_and_joined_as_in_demucs(
        self, architecture: Architecture, files: dict[str, Path], network: Any, overlap: float
    ) -> None:
        from demucs.apply import apply_model

        engine = DemucsEngine(files, Device("cpu", 2), architecture=architecture)
        chosen = options(overlap=overlap)
        mixture = noise(3.3).samples
        blocks = overlap_add(
            np.array_split(mixture, 7, axis=1),
            engine.segmentation(chosen),
            lambda segment: engine.separate(segment, STEMS, chosen),
            engine.workers,
        )
        found = np.concatenate(list(blocks), axis=-1)
        expected = apply_model(network, torch.from_numpy(mixture)[None], shifts=0, overlap=overlap)[0]
        assert found.shape == (4, *mixture.shape)
        assert min(decibels(one, one - other) for one, other in zip(expected.numpy(), found, strict=True)) > 80

    def test_shorter_segments_are_heard_as_in_demucs(
        self, architecture: Architecture, files: dict[str, Path], network: Any
    ) -> None:
        """The network fills them up with silence, so they take as long as whole ones."""
        engine = DemucsEngine(files, Device("cpu", 2), architecture=architecture)
        segment = noise(0.4).samples
        with torch.inference_mode():
            expected = network(torch.from_numpy(segment)[None])[0].numpy()
        found = engine.separate(segment, STEMS, options())
        assert decibels(expected, expected - found) > 80

    def test_segments_side_by_side_are_segments_alone(self, architecture: Architecture, files: dict[str, Path]) -> None:
        sizes, all_wait = list[int](), threading.Event()

        def prepare(network: Any, dtype: torch.dtype) -> Any:
            fused = FusedHTDemucs(network, dtype)

            def run(mixtures: torch.Tensor, stems: Sequence[int]) -> torch.Tensor:
                sizes.append(len(mixtures))
                all_wait.wait(120)
                return fused(mixtures, stems)

            return run

        alone = DemucsEngine(files, Device("cpu", 1), architecture=architecture)
        batches = dataclasses.replace(architecture, prepare=prepare)
        together = DemucsEngine(files, Device("cpu", 1), architecture=batches, batch=3)
        assert (alone.workers, together.workers) == (1, 6)
        segments = [noise(1, seed=seed).samples for seed in range(6)]
        with ThreadPoolExecutor(6) as pool:
            found = [pool.submit(together.separate, segment, STEMS, options()) for segment in segments]
            ends = time.monotonic() + 60
            while sum(sizes) + len(together._compute._waiting) < 6 and time.monotonic() < ends:
                time.sleep(0.01)
            all_wait.set()
        assert max(sizes) == 3
        for segment, one in zip(segments, found, strict=True):
            expected = alone.separate(segment, STEMS, options())
            assert decibels(expected, expected - one.result()) > 90

    def test_less_memory_is_half_precision_and_then_nothing(
        self, architecture: Architecture, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engines, "prefers_half", lambda kind: False)
        engine = DemucsEngine(files, Device("cpu", 1), architecture=architecture)
        step, lighter = engine.lighter(options(precision="auto")) or ("", options())
        assert (step, lighter.precision) == ("half precision", "half")
        assert engine.lighter(lighter) is None
        monkeypatch.setattr(engines, "prefers_half", lambda kind: True)
        assert engine.lighter(options(precision="auto")) is None

    def test_a_segment_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(InvalidOption, match=r"segment.*7\.8"):
            separation.separate(noise(0.1), model=SPEC, options={"segment_seconds": 8})


def test_the_processor_tells_what_it_can_do() -> None:
    flags = cpu_flags()
    assert all(flag.isidentifier() or flag for flag in flags)
    if Path("/proc/cpuinfo").exists():
        assert flags


@pytest.mark.weights
def test_stems_that_do_not_exist_are_refused(loader: ModelLoader) -> None:
    with pytest.raises(InvalidInput, match="guitar"):
        separation.separate(noise(0.1), model=SPEC, options={"stems": ("guitar",)}, loader=loader)


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("song", ["hydrogen", "potassium"])
def test_a_song_is_separated_as_demucs_separates_it(song: str, loader: ModelLoader) -> None:
    """In full precision what its own `Separator` computes; in half, close enough not to be heard."""
    if not MUSIC.is_dir():
        pytest.skip("the songs are not here")
    mixture = read_audio(MUSIC / song / "mixture.flac")
    mixture = Audio(mixture.samples[:, : 14 * SAMPLE_RATE], SAMPLE_RATE)
    expected = _by_demucs(mixture, loader)
    for precision, decibels_at_least in (("full", 60), ("half", 33)):
        chosen = {"residual": "none", "precision": precision}
        found = separation.separate(mixture, model=SPEC, options=chosen, loader=loader).stems
        for stem, samples in expected.items():
            level = decibels(samples, mixture.samples)  # of a stem that is not there nothing is left but rounding
            if level > -30:
                assert decibels(samples, samples - found[stem].samples) > decibels_at_least, (precision, stem)


def _by_demucs(mixture: Audio, loader: ModelLoader) -> dict[str, Samples]:
    """Returns what the lines of `demucs.api.Separator.separate_tensor` make of it with our weights."""
    from demucs.apply import apply_model

    network = htdemucs()
    network.load_state_dict(demucs_checkpoint.read(loader.store.open(SPEC)["htdemucs.safetensors"]))
    wave = torch.from_numpy(mixture.samples)
    mean, deviation = wave.mean(0).mean(), wave.mean(0).std() + 1e-8
    with torch.inference_mode():
        stems = apply_model(network, ((wave - mean) / deviation)[None], shifts=0, split=True, overlap=0.25)
    return dict(zip(STEMS, (stems * deviation + mean)[0].numpy(), strict=True))


@pytest.mark.weights
@pytest.mark.skipif(resolve().kind != "cuda", reason="this machine has no GPU")
def test_on_a_gpu_it_is_the_same(loader: ModelLoader) -> None:
    mixture, chosen = noise(10), {"residual": "none", "precision": "full"}
    on_cpu = separation.separate(mixture, model=SPEC, options=chosen, loader=loader).stems
    on_gpu = separation.separate(mixture, model=SPEC, options=chosen, loader=ModelLoader("cuda", loader.store)).stems
    for stem in STEMS:
        assert decibels(on_cpu[stem].samples, on_cpu[stem].samples - on_gpu[stem].samples) > 50
