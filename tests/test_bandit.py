"""BandIt v2: its numbers, its files, and the contract of a separation engine, all on weights that nobody trained."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_weights import made_up, weight_file
from safetensors.torch import save_file
from signals import decibels, noise, peak_db
from test_weights import Server, server  # noqa: F401

import separation
from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.catalogue import ModelSpec
from audio_ml.device import Device
from audio_ml.errors import OutOfMemory, WeightsCorrupt, WeightsError
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.sources import UrlSource
from audio_ml.state_dicts import read_manifest
from audio_ml.weights import WeightStore
from separation.channels import plan_channels
from separation.engines import bandit
from separation.engines.bandit import BanditEngine
from separation.nets.bandit import MANIFEST, STEMS, Bandit, Shape, build, learned, musical_bands, shares
from separation.stream import StemStream

REFERENCE = Path(__file__).parent / "data" / "bandit_reference.npz"
TINY = {"n_fft": 256, "hop": 64, "n_bands": 12, "width": 16, "recurrent": 24, "hidden": 20, "modules": 2}
SHORT = {"segment_seconds": 2.0, "overlap": 0.25}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks as small as these are slower with more, and far slower on a busy machine."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def shapes_of(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def tiny_weights() -> dict[str, Any]:
    """The learned tensors of the small network, in the order in which the published code lists them."""
    return made_up(shapes_of(Bandit(Shape(**TINY))), seed=1)


def published(parameters: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Returns what a published file has of such a network: names given twice, and constants."""
    window = torch.hann_window(shape.n_fft)
    state = {"stft.window": window, "istft.window": window}
    of_bands = shares(musical_bands(shape.n_bands, shape.n_fft), shape.n_fft // 2 + 1)
    for stem in shape.stems:
        state |= {f"mask_estim.{stem}.freq_weights/{band}": share for band, share in enumerate(of_bands)}
    for name, value in parameters.items():
        state[name] = value
        for first, second in ((".norm.", ".combined.0."), (".hidden.", ".combined.1."), (".output.", ".combined.2.")):
            if name.startswith("mask_estim.") and first in name:
                state[name.replace(first, second)] = value
    return state


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    (folder / "bandit-tiny").mkdir()
    save_file(tiny_weights(), folder / "bandit-tiny" / bandit.WEIGHTS)
    return folder


@pytest.fixture(scope="module")
def tiny(weights: Path) -> ModelSpec:
    """A small model whose file lies in the user's own folder."""
    return dataclasses.replace(
        bandit.MODELS[0],
        name="bandit-tiny",
        files=(weight_file(weights / "bandit-tiny" / bandit.WEIGHTS),),
        derived=(),
        engine=functools.partial(BanditEngine, **TINY),
    )


@pytest.fixture(scope="module")
def tiny_loader(weights: Path) -> ModelLoader:
    return ModelLoader("cpu", WeightStore(local=weights, offline=True))


def separate(spec: ModelSpec, loader: ModelLoader, mixture: Audio, **options: Any) -> dict[str, np.ndarray]:
    result = separation.separate(mixture, model=spec, options=SHORT | options, loader=loader)
    return {name: stem.samples for name, stem in result.stems.items()}


def test_the_numbers_of_the_authors_code() -> None:
    """The reference: their network of this size (kwatcharasupat/bandit-v2 at 09162fa), these weights and this noise."""
    network = Bandit(Shape(**TINY))
    network.load_state_dict(tiny_weights())
    mixture = np.random.default_rng(6).standard_normal((2, 3000)).astype(np.float32) * 0.2
    with torch.inference_mode():
        found = network(torch.from_numpy(mixture), STEMS).numpy()
    expected = np.load(REFERENCE)["stems"]
    for index in range(len(STEMS)):
        assert decibels(expected[:, index], expected[:, index] - found[:, index]) > 110


def test_the_network_has_the_tensors_of_the_published_checkpoint() -> None:
    with torch.device("meta"):
        network = Bandit(Shape())
        everything = published(network.state_dict(), Shape())
    assert {name: tuple(value.shape) for name, value in everything.items()} == read_manifest(MANIFEST)
    assert sum(value.numel() for value in network.state_dict().values()) == 37_022_688


def test_bands_leave_no_gap_and_their_shares_add_up() -> None:
    for n_bands, n_fft in ((64, 2048), (12, 256)):
        bands, total = musical_bands(n_bands, n_fft), torch.zeros(n_fft // 2 + 1)
        for (first, end), share in zip(bands, shares(bands, n_fft // 2 + 1), strict=True):
            total[first:end] += share.float()
        assert len(bands) == n_bands
        torch.testing.assert_close(total, torch.ones_like(total))
        assert bands == sorted(bands), "from low to high"


@pytest.mark.slow
def test_the_real_row_loads_from_a_server(server: Server, tmp_path: Path) -> None:  # noqa: F811
    """The whole way: a training's checkpoint is fetched, its parameters kept as safetensors, loaded, run."""
    with torch.device("meta"):
        shapes = shapes_of(Bandit(Shape()))
    state = {f"model.{name}": value for name, value in published(made_up(shapes), Shape()).items()}
    path = tmp_path / "checkpoint-multi.ckpt"
    training = {
        "epoch": 99,
        "global_step": 9,
        "loops": {},
        "state_dict": state | {"loss_handler.window": torch.ones(3)},
    }
    torch.save(training, path)
    server.pages["/checkpoint-multi.ckpt"] = path.read_bytes()
    spec = dataclasses.replace(
        bandit.MODELS[0], files=(weight_file(path, UrlSource(f"{server.url}/checkpoint-multi.ckpt")),)
    )
    loader = ModelLoader("cpu", WeightStore(cache=tmp_path / "cache", offline=False))
    mixture = noise(1, 48000, n_channels=1)
    stems = separate(spec, loader, mixture)
    assert list(stems) == ["dialogue", "music", "effects"]
    assert peak_db(sum(stems.values()) - mixture.samples) <= -120
    assert min(np.abs(stem).max() for stem in stems.values()) > 1e-3


def changed(state: dict[str, Any], **values: Any) -> dict[str, Any]:
    return state | {f"mask_estim.music.{name}": value for name, value in values.items()}


@pytest.mark.parametrize(
    "change, told",
    [
        ({}, None),
        ({"freq_weights/3": torch.ones(5)}, "freq_weights/3 is not what the bands make it"),
        ({"norm_mlp.2.combined.1.0.bias": torch.ones(20)}, r"combined\.1\.0\.bias differs from .*hidden\.0\.bias"),
        ({"norm_mlp.2.norm.bias": torch.ones(3)}, r"norm\.bias \(3,\) instead of \(16,\)"),
        ({"norm_mlp.12.norm.bias": torch.ones(16)}, "belong to another network"),
        ({"norm_mlp.2.norm.bias": torch.full((16,), torch.inf)}, "NaN or infinite"),
    ],
)
def test_only_what_was_learned_is_taken_and_only_from_the_right_file(change: dict[str, Any], told: str | None) -> None:
    parameters = tiny_weights()
    state = published(parameters, Shape(**TINY))
    manifest = {name: tuple(value.shape) for name, value in state.items()}
    spoilt = changed(state, **change)
    as_trained = {"state_dict": {f"model.{name}": value for name, value in spoilt.items()}, "epoch": 3}
    as_trained["state_dict"]["loss_handler.stft.window"] = torch.ones(4)
    for given in (spoilt, as_trained):
        if told is None:
            found = learned(given, manifest, "it")
            assert found.keys() == parameters.keys()
            assert all(torch.equal(found[name], parameters[name]) for name in found)
        else:
            with pytest.raises(WeightsCorrupt, match=told):
                learned(given, manifest, "it")


def test_a_checkpoint_of_something_else_makes_no_weights(tmp_path: Path, server: Server) -> None:  # noqa: F811
    path = tmp_path / "checkpoint-multi.ckpt"
    torch.save({"state_dict": {"model.stft.window": torch.hann_window(2048)}}, path)
    with pytest.raises(WeightsCorrupt, match="2945 tensors are missing"):
        build(tmp_path / "out.safetensors", path)
    server.pages["/c"] = path.read_bytes()
    row = dataclasses.replace(bandit.MODELS[0], files=(weight_file(path, UrlSource(f"{server.url}/c")),))
    store = WeightStore(cache=tmp_path / "cache", offline=False)
    with pytest.raises(WeightsError, match="2945 tensors are missing"):
        store.open(row)[bandit.WEIGHTS]
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


@pytest.mark.parametrize("n_samples", [1, 300, 48000, 2 * 48000, 3 * 48000 + 13])
@pytest.mark.parametrize("rate, n_channels", [(48000, 1), (48000, 2), (44100, 2)])
def test_length_is_kept_and_stems_add_up(
    tiny: ModelSpec, tiny_loader: ModelLoader, n_samples: int, rate: int, n_channels: int
) -> None:
    mixture = Audio(noise(4, rate, n_channels).samples[:, :n_samples], rate)
    stems = separate(tiny, tiny_loader, mixture)
    assert peak_db(sum(stems.values()) - mixture.samples) <= -120
    assert all(np.isfinite(stem).all() for stem in stems.values())


def test_a_film_in_five_point_one(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    """Each loudspeaker is heard alone, as the model is of one channel; the LFE goes whole to the effects."""
    mixture = noise(0.5, 48000, n_channels=6)
    stems = separate(tiny, tiny_loader, mixture)
    assert peak_db(sum(stems.values()) - mixture.samples) <= -120
    np.testing.assert_allclose(stems["effects"][3], mixture.samples[3], atol=1e-6)
    assert np.abs(stems["dialogue"][[0, 1, 2, 4, 5]]).max(axis=1).min() > 1e-3
    centre = separate(tiny, tiny_loader, Audio(mixture.samples[2:3], 48000))
    np.testing.assert_allclose(stems["dialogue"][2], centre["dialogue"][0], atol=1e-5)


def test_blocks_do_not_matter(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    mixture, options = noise(5, 48000, n_channels=1), parse(tiny.options, SHORT)
    plan = plan_channels(options, 1, tiny.n_channels)

    def joined(block: int) -> np.ndarray:
        blocks = [mixture.samples[:, start : start + block] for start in range(0, mixture.n_samples, block)]
        with tiny_loader.use(tiny) as engine:
            stream = StemStream(tiny, [engine], options, plan, tiny.outputs, 48000, Progress())
            return np.concatenate([stems for _, stems in stream.run(blocks, mixture.n_samples)], axis=-1)

    np.testing.assert_array_equal(joined(mixture.n_samples), joined(7001))


def test_the_same_again_and_from_two_threads(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    mixtures = [noise(1, 48000, seed=seed) for seed in (1, 2)]
    alone = [separate(tiny, tiny_loader, mixture) for mixture in mixtures]
    together: dict[int, dict[str, np.ndarray]] = {}

    def work(index: int) -> None:
        together[index] = separate(tiny, tiny_loader, mixtures[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, expected in enumerate(alone):
        for name, stem in expected.items():
            assert decibels(stem, stem - together[index][name]) > 100


def test_silence_in_silence_out(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    for stem in separate(tiny, tiny_loader, Audio(np.zeros((2, 60000), np.float32), 48000)).values():
        assert not stem.any()


def test_a_choice_of_stems_changes_none_of_them(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    mixture = noise(1, 48000)
    every = separate(tiny, tiny_loader, mixture)
    for name in tiny.outputs:
        only = separate(tiny, tiny_loader, mixture, stems=(name,))
        assert list(only) == [name]
        np.testing.assert_allclose(only[name], every[name], atol=1e-6)


def test_every_option_has_an_effect(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    mixture = noise(5, 48000, n_channels=1)
    usual = separate(tiny, tiny_loader, mixture)["dialogue"]
    for change in ({"overlap": 0.5}, {"segment_seconds": 3.0}):
        assert decibels(usual, usual - separate(tiny, tiny_loader, mixture, **change)["dialogue"]) < 80, change
    half = separate(tiny, tiny_loader, mixture, precision="half")["dialogue"]
    assert 30 < decibels(usual, usual - half) < 80
    np.testing.assert_array_equal(usual, separate(tiny, tiny_loader, mixture)["dialogue"])


def test_a_batch_of_segments_is_the_segments(weights: Path, tiny: ModelSpec) -> None:
    """What a GPU does at once gives what the CPU does one after the other; here both on the CPU."""
    files = {bandit.WEIGHTS: weights / "bandit-tiny" / bandit.WEIGHTS}
    options = parse(tiny.options, SHORT)
    one, three = (BanditEngine(files, Device("cpu", 1), batch=batch, **TINY) for batch in (1, 3))
    single, triple = one.segmentation(options), three.segmentation(options)
    assert (triple.hop, triple.length) == (3 * single.hop, single.length + 2 * single.hop)
    segment = noise(6, 48000, n_channels=1).samples[:, : triple.length]
    segment[:, -single.length :] = 0
    together = three.separate(segment, ("effects", "dialogue"), options) * triple.weights
    apart = np.zeros_like(together)
    for start in range(0, triple.hop, single.hop):
        part = slice(start, start + single.length)
        apart[..., part] += one.separate(segment[:, part], ("effects", "dialogue"), options) * single.weights
    assert decibels(apart, apart - together) > 100 and not together[..., -1000:].any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("precision, agreement", [("full", 60), ("half", 30)])
def test_a_gpu_gives_what_the_cpu_does(
    weights: Path, tiny: ModelSpec, tiny_loader: ModelLoader, precision: str, agreement: float
) -> None:
    mixture = noise(12, 48000)
    on_gpu = separate(tiny, ModelLoader("cuda", WeightStore(local=weights, offline=True)), mixture, precision=precision)
    for name, stem in separate(tiny, tiny_loader, mixture).items():
        assert decibels(stem, stem - on_gpu[name]) > agreement


def ladder_of(engine: BanditEngine, options: Any) -> list[tuple[str, Any]]:
    steps: list[tuple[str, Any]] = []
    while (step := engine.lighter(steps[-1][1] if steps else options)) is not None:
        steps.append(step)
    return steps


def test_less_memory_means_shorter_segments_then_half_precision(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    with tiny_loader.use(tiny) as engine:
        steps = ladder_of(engine, parse(tiny.options, {"overlap": 0.1}))
    assert [phrase for phrase, _ in steps] == ["segments of 4 s", "segments of 2 s", "half precision"]
    assert steps[-1][1].overlap == 0.1


def test_no_memory_is_said_in_our_words(
    tiny: ModelSpec, tiny_loader: ModelLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bandit, "forward", lambda *_: torch.empty(1 << 60))
    with pytest.raises(OutOfMemory, match="segments of 2 s"):
        separation.separate(noise(1, 48000), model=tiny, loader=tiny_loader)


def test_an_editor_finds_it_by_its_stems() -> None:
    spec = catalogue.find("separation", "bandit")
    assert spec.outputs == ("dialogue", "music", "effects") and spec.licence.commercial
    assert (spec.sample_rate, spec.n_channels, spec.verified) == (48000, 1, "")
