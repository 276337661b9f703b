"""Open-Unmix: its numbers, its files, and the contract of a separation engine, all on weights that nobody trained."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_weights import made_up, weight_file
from signals import decibels, noise, peak_db
from test_weights import Server, server  # noqa: F401

import separation
from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.catalogue import ModelSpec
from audio_ml.device import Device
from audio_ml.errors import DownloadFailed, LicenceNotAccepted, OutOfMemory, WeightsCorrupt
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.sources import UrlSource
from audio_ml.state_dicts import read_manifest
from audio_ml.weights import WeightStore
from separation.channels import plan_channels
from separation.engines import openunmix
from separation.engines.openunmix import Checkpoint, OpenUnmixEngine
from separation.nets import open_unmix
from separation.nets.open_unmix import OpenUnmix, Shape
from separation.nets.wiener import refined
from separation.stream import StemStream

REFERENCE = Path(__file__).parent / "data" / "openunmix_reference.npz"
MANIFESTS = Path(openunmix.__file__).parents[1] / "manifests"
SHORT = {"segment_seconds": 4.0}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks as small as these are slower with more, and far slower on a busy machine."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def shapes_of(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def network_of(shape: Shape, seed: int) -> OpenUnmix:
    network = OpenUnmix(shape)
    network.load_state_dict(made_up(shapes_of(network), seed))
    return network


STEMS = ("vocals", "drums", "bass", "other")
TINY = Checkpoint(
    {stem: f"{stem}.pth" for stem in STEMS}, sample_rate=8000, n_fft=512, n_channels=2, heard=200, hidden=16
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """A small model whose files lie in the user's own folder, with what the published ones have beside the network."""
    folder = tmp_path_factory.mktemp("weights") / "umx-tiny"
    folder.mkdir()
    shapes = shapes_of(OpenUnmix(Shape(TINY.n_fft, TINY.n_channels, TINY.heard, TINY.hidden)))
    files = []
    for seed, name in enumerate(TINY.files.values()):
        window = torch.hann_window(TINY.n_fft)
        beside = {"stft.window": window, "transform.0.window": window, "sample_rate": torch.tensor(8000.0)}
        torch.save(made_up(shapes, seed) | beside, folder / name)
        files.append(weight_file(folder / name))
    return dataclasses.replace(
        openunmix.MODELS[0],
        name="umx-tiny",
        files=tuple(files),
        sample_rate=8000,
        engine=functools.partial(OpenUnmixEngine, checkpoint=TINY),
    )


@pytest.fixture(scope="module")
def weights(tiny: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return next(path for path in tmp_path_factory.getbasetemp().glob("weights*") if (path / tiny.name).is_dir())


@pytest.fixture(scope="module")
def tiny_loader(weights: Path) -> ModelLoader:
    return ModelLoader("cpu", WeightStore(local=weights, offline=True))


def separate(spec: ModelSpec, loader: ModelLoader, mixture: Audio, **options: Any) -> dict[str, np.ndarray]:
    result = separation.separate(mixture, model=spec, options=SHORT | options, loader=loader)
    return {name: stem.samples for name, stem in result.stems.items()}


@pytest.mark.parametrize("n_channels, iterations, softmask", [(2, 1, False), (2, 2, True), (1, 1, False)])
def test_the_numbers_of_the_package(n_channels: int, iterations: int, softmask: bool) -> None:
    """The reference: Separator of openunmix 1.3.0 in 64 bits, on these weights and this noise; two Wiener windows."""
    shape = Shape(n_fft=32, n_channels=n_channels, heard=12, hidden=8)
    numbers = np.random.default_rng(5)
    mixture = numbers.standard_normal((n_channels, 2800 if n_channels == 2 else 2000)).astype(np.float32) * 0.3
    if n_channels == 2:
        mixture[1] = 0.8 * mixture[0] + 0.1 * mixture[1]
    networks = [network_of(shape, seed) for seed in range(3)]
    with torch.inference_mode():
        found = open_unmix.separate(networks, torch.from_numpy(mixture)[None], shape, iterations, softmask)[0].numpy()
    expected = np.load(REFERENCE)[f"{'stereo' if n_channels == 2 else 'mono'}_{iterations}_{int(softmask)}"]
    for stem, other in zip(expected, found, strict=True):
        assert decibels(stem, stem - other) > 110


@pytest.mark.parametrize("name, manifest", [("umxhq", "umxhq"), ("umx", "umxhq"), ("umxl", "umxl"), ("umxse", "umxse")])
def test_the_network_has_the_tensors_of_the_published_files(name: str, manifest: str) -> None:
    spec = catalogue.find("separation", name)
    checkpoint = spec.engine.keywords["checkpoint"]  # type: ignore[attr-defined]
    with torch.device("meta"):
        network = OpenUnmix(Shape(checkpoint.n_fft, checkpoint.n_channels, checkpoint.heard, checkpoint.hidden))
    assert shapes_of(network) == read_manifest(MANIFESTS / f"{manifest}.tsv")
    assert [file.name.split("-")[0].split("_")[0] for file in spec.files] == list(spec.outputs)
    for file in spec.files:
        assert file.sha256.startswith(re.split("[-_.]", file.name)[1]), "a file's name tells how its sha256 begins"


def test_the_size_of_the_published_files_is_that_of_the_list() -> None:
    n_bytes = sum(8 if not shape else 4 * math.prod(shape) for shape in read_manifest(MANIFESTS / "umxhq.tsv").values())
    beside = 4 * 4096 + 4
    names = openunmix.MODELS[0].files[0].size - n_bytes - beside
    assert 0 < names < 10_000


def test_real_rows_load_from_a_server(server: Server, tmp_path: Path) -> None:  # noqa: F811
    """The whole way for umxhq: fetched, checked against the beginning of a sha256, loaded, run."""
    spec = openunmix.MODELS[0]
    assert isinstance(spec, ModelSpec)
    files = []
    for seed, name in enumerate(file.name for file in spec.files):
        path = tmp_path / name
        torch.save(made_up(read_manifest(MANIFESTS / "umxhq.tsv"), seed), path)
        server.pages[f"/{name}"] = path.read_bytes()
        file = weight_file(path, UrlSource(f"{server.url}/{name}"), told=8)
        files.append(dataclasses.replace(file, size=0))
    row = dataclasses.replace(spec, files=tuple(files))
    loader = ModelLoader("cpu", WeightStore(cache=tmp_path / "cache", offline=False))
    mixture = noise(1)
    stems = separate(row, loader, mixture)
    assert list(stems) == ["vocals", "drums", "bass", "other"] and len(server.requests) == 4
    assert peak_db(sum(stems.values()) - mixture.samples) <= -120
    assert min(np.abs(stem).max() for stem in stems.values()) > 1e-3
    server.pages = {page: content[:-9] for page, content in server.pages.items()}
    with pytest.raises(DownloadFailed, match="sha256"):
        WeightStore(cache=tmp_path / "other", offline=False).open(row)["vocals-b62c91ce.pth"]


def test_terms_that_restrict_use_are_asked_for(store: WeightStore) -> None:
    with pytest.raises(LicenceNotAccepted, match=r"CC BY-NC-SA 4\.0"):
        store.open(catalogue.find("separation", "umxl"))


@pytest.mark.parametrize("n_samples", [1, 300, 8000, 4 * 8000, 9 * 8000 + 13])
@pytest.mark.parametrize("rate, n_channels", [(8000, 1), (8000, 2), (11025, 2)])
def test_length_is_kept_and_stems_add_up(
    tiny: ModelSpec, tiny_loader: ModelLoader, n_samples: int, rate: int, n_channels: int
) -> None:
    mixture = Audio(noise(12, rate, n_channels).samples[:, :n_samples], rate)
    stems = separate(tiny, tiny_loader, mixture)
    assert peak_db(sum(stems.values()) - mixture.samples) <= -120
    assert all(np.isfinite(stem).all() for stem in stems.values())


def joined(spec: ModelSpec, loader: ModelLoader, audio: Audio, block: int) -> np.ndarray:
    options = parse(spec.options, SHORT)
    plan = plan_channels(options, audio.n_channels, spec.n_channels)
    blocks = [audio.samples[:, start : start + block] for start in range(0, audio.n_samples, block)]
    with loader.use(spec) as engine:
        stream = StemStream(spec, [engine], options, plan, spec.outputs, audio.sample_rate, Progress())
        return np.concatenate([stems for _, stems in stream.run(blocks, audio.n_samples)], axis=-1)


def test_blocks_do_not_matter(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    mixture = noise(9, 8000)
    whole = joined(tiny, tiny_loader, mixture, mixture.n_samples)
    np.testing.assert_array_equal(whole, joined(tiny, tiny_loader, mixture, 1001))


def test_the_same_again_and_from_two_threads(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    mixtures = [noise(3, 8000, seed=seed) for seed in (1, 2)]
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


def test_silence_in_silence_out_around_sound_too(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    mixture = np.zeros((2, 40000), np.float32)
    mixture[:, 10000:15000] = noise(1, 8000).samples[:, :5000]
    for stem in separate(tiny, tiny_loader, Audio(mixture, 8000), residual="none").values():
        assert not stem[:, :9000].any() and not stem[:, 16000:].any() and np.abs(stem[:, 10000:15000]).max() > 1e-3


@pytest.mark.parametrize("heard", [(0, 1), (0, 100), (99, 100), (30, 70), (95, 97)])
def test_what_is_heard_of_a_segment_is_long_enough_and_inside(heard: tuple[int, int]) -> None:
    segment = np.zeros((2, 100), np.float32)
    segment[1, slice(*heard)] = 1
    first, last = openunmix._sounding(segment, 20)
    assert 0 <= first <= heard[0] and heard[1] <= last <= 100 and last - first == max(20, heard[1] - heard[0])
    assert openunmix._sounding(segment * 0, 20) == (0, 0)


@pytest.mark.parametrize("options", [{}, {"wiener_iterations": 0}, {"wiener_iterations": 0, "softmask": True}])
def test_a_choice_of_stems_changes_none_of_them(
    tiny: ModelSpec, tiny_loader: ModelLoader, options: dict[str, Any]
) -> None:
    mixture = noise(2, 8000)
    every = separate(tiny, tiny_loader, mixture, residual="none", **options)
    for name in tiny.outputs:
        only = separate(tiny, tiny_loader, mixture, stems=(name,), residual="none", **options)
        assert list(only) == [name]
        np.testing.assert_allclose(only[name], every[name], atol=1e-6)


def test_every_option_has_an_effect(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    mixture = noise(11, 8000)
    usual = separate(tiny, tiny_loader, mixture)["vocals"]
    for change in ({"wiener_iterations": 3}, {"softmask": True}, {"overlap": 0.5}, {"segment_seconds": 6.0}):
        assert decibels(usual, usual - separate(tiny, tiny_loader, mixture, **change)["vocals"]) < 80, change


def test_a_piece_that_fits_into_a_segment_is_heard_as_a_whole(tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    mixture = noise(7.3, 8000)
    shape = Shape(TINY.n_fft, TINY.n_channels, TINY.heard, TINY.hidden)
    networks = [network_of(shape, seed) for seed in range(4)]
    with torch.inference_mode():
        whole = open_unmix.separate(networks, torch.from_numpy(mixture.samples)[None], shape, 1, False)[0].numpy()
    found = separate(tiny, tiny_loader, mixture, segment_seconds=20.0, residual="none")
    for expected, stem in zip(whole, found.values(), strict=True):
        assert decibels(expected, expected - stem) > 110


def test_a_batch_of_segments_is_the_segments(weights: Path, tiny: ModelSpec) -> None:
    """What a GPU does at once gives what the CPU does one after the other; here both on the CPU."""
    files = {file.name: weights / tiny.name / file.name for file in tiny.files}
    options = parse(tiny.options, SHORT)
    one, three = (OpenUnmixEngine(files, Device("cpu", 1), checkpoint=TINY, batch=batch) for batch in (1, 3))
    single, triple = one.segmentation(options), three.segmentation(options)
    assert (triple.hop, triple.length) == (3 * single.hop, single.length + 2 * single.hop)
    segment = noise(20, 8000).samples[:, : triple.length]
    segment[:, -7000:] = 0
    stems = ("drums", "vocals")
    together = three.separate(segment, stems, options) * triple.weights
    apart = np.zeros_like(together)
    for start in range(0, triple.hop, single.hop):
        part = slice(start, start + single.length)
        apart[..., part] += one.separate(segment[:, part], stems, options) * single.weights
    assert decibels(apart, apart - together) > 100


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_gpu_gives_what_the_cpu_does(weights: Path, tiny: ModelSpec, tiny_loader: ModelLoader) -> None:
    mixture = noise(12, 8000)
    on_gpu = separate(tiny, ModelLoader("cuda", WeightStore(local=weights, offline=True)), mixture)
    for name, stem in separate(tiny, tiny_loader, mixture).items():
        assert decibels(stem, stem - on_gpu[name]) > 60


def test_stems_of_one_wiener_step_add_up_to_the_mixture() -> None:
    numbers = np.random.default_rng(3)
    mixture = torch.from_numpy(numbers.standard_normal((2, 9, 250)) + 1j * numbers.standard_normal((2, 9, 250)))
    mixture = mixture.to(torch.complex64)
    first = torch.from_numpy(numbers.random((3, 2, 9, 250), np.float32)) * mixture
    left = [(mixture - stems.sum(dim=0)).abs().numpy() for stems in (first, refined(first, mixture, 1))]
    assert decibels(mixture.abs().numpy(), left[0]) < 20 and decibels(mixture.abs().numpy(), left[1]) > 80


def test_less_memory_means_shorter_segments(tiny: ModelSpec) -> None:
    engine, options, steps = object.__new__(OpenUnmixEngine), parse(tiny.options, {"softmask": True}), []
    while (step := engine.lighter(options)) is not None:
        phrase, options = step
        steps.append(phrase)
    assert steps == ["segments of 15 s", "segments of 7.5 s"] and options.softmask


def test_no_memory_is_said_in_our_words(
    tiny: ModelSpec, tiny_loader: ModelLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        torch.empty(1 << 60)

    monkeypatch.setattr(open_unmix, "separate", fail)
    with pytest.raises(OutOfMemory, match=r"30 s|7\.5 s"):
        separation.separate(noise(1, 8000), model=tiny, loader=tiny_loader)


def _without(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name != "fc2.weight"}


def _with(state: dict[str, Any], **values: Any) -> dict[str, Any]:
    return state | {name.replace("__", "."): value for name, value in values.items()}


@pytest.mark.parametrize(
    "change, told",
    [
        (_without, "1 tensors are missing, such as fc2.weight"),
        (functools.partial(_with, fc4__weight=torch.zeros(2)), "belong to another network, such as fc4.weight"),
        (functools.partial(_with, bn1__bias=torch.zeros(3)), r"bn1\.bias \(3,\) instead of \(16,\)"),
        (functools.partial(_with, bn1__bias=torch.full((16,), torch.nan)), "hold NaN"),
    ],
)
def test_weights_of_something_else_are_refused(
    weights: Path, tiny: ModelSpec, tmp_path: Path, change: Any, told: str
) -> None:
    files = {file.name: weights / tiny.name / file.name for file in tiny.files}
    spoilt = tmp_path / "drums.pth"
    torch.save(change(torch.load(files["drums.pth"], weights_only=True)), spoilt)
    with pytest.raises(WeightsCorrupt, match=told):
        OpenUnmixEngine(files | {"drums.pth": spoilt}, Device("cpu", 1), checkpoint=TINY)
