"""Spleeter's other models and users' own, against real Spleeter on the same made-up weights.

`tests/data/spleeter_variants.npz` holds what Spleeter 2.4.2's own graphs on TensorFlow 2.12 made of the song in
`reference_signal.py` with the numbers of `made_up_spleeter.py`, and the names and shapes of their variables; and what
"spleeter:2stems-16kHz" made of it with its own weights.
`python -m bench.spleeter_variants` writes it anew.
"""

from __future__ import annotations

import dataclasses
import functools
import http.server
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_up_spleeter
import numpy as np
import pytest
import reference_signal
import tensorflow_checkpoints
from numpy.typing import NDArray
from signals import decibels, noise

import separation
from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.catalogue import ModelSpec
from audio_ml.device import Device
from audio_ml.downloads import SourceFailed
from audio_ml.errors import InvalidInput, OutOfMemory, UnknownModel, WeightsCorrupt, WeightsError
from audio_ml.hashing import file_sha256
from audio_ml.loader import ModelLoader
from audio_ml.sources import UrlSource
from audio_ml.weights import WeightStore
from separation.engines.spleeter import SpleeterOptions, SpleeterTorchEngine
from separation.nets.spleeter import read_weights
from separation.own_spleeter import DATA, INDEX
from separation.spleeter import Separator
from separation.spleeter_configuration import OFFICIAL, Configuration, read_configuration

AGREEMENT_DB = 85.0
FULL_SIZE = [pytest.param(name, marks=pytest.mark.slow) for name in made_up_spleeter.OFFICIAL]


@pytest.fixture(scope="module")
def reference() -> dict[str, NDArray[np.generic]]:
    with np.load(Path(__file__).with_name("data") / "spleeter_variants.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, reference: dict[str, NDArray[np.generic]]) -> Any:
    """Makes the folder of a model, its JSON beside its checkpoint; each is written once."""
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("spleeter") / name
            tensorflow_checkpoints.write(made[name], variables(name, reference))
            (made[name] / "config.json").write_text(json.dumps(made_up_spleeter.CASES[name]))
        return made[name]

    yield make
    for path in made.values():
        shutil.rmtree(path)  # full-size ones take 160 MB


@pytest.fixture(scope="module")
def own_loader(tmp_path_factory: pytest.TempPathFactory) -> ModelLoader:
    return ModelLoader("cpu", WeightStore(cache=tmp_path_factory.mktemp("cache"), offline=True))


def variables(name: str, reference: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    shapes = json.loads(str(reference[f"{name}/variables"]))
    numbers: dict[str, Any] = {key: made_up_spleeter.value(key, tuple(shape)) for key, shape in shapes.items()}
    return numbers | {"global_step": np.array(7, np.int64)}


def song() -> Audio:
    return Audio(reference_signal.samples(), reference_signal.SAMPLE_RATE)


def agreement(expected: NDArray[np.generic], stem: Audio) -> float:
    """Returns how closely the stored windows [windows, 2, time] agree with a stem, in dB."""
    starts = made_up_spleeter.starts(stem.n_samples)
    found = np.stack([stem.samples[:, start : start + made_up_spleeter.WINDOW] for start in starts])
    return decibels(expected, expected - found)


@pytest.mark.parametrize("name", [*made_up_spleeter.OWN, *FULL_SIZE])
def test_a_model_agrees_with_real_spleeter_on_the_same_weights(
    name: str, folder: Any, own_loader: ModelLoader, reference: dict[str, NDArray[np.generic]]
) -> None:
    model = str(folder(name))
    stems = separation.separate(song(), model=model, options={"exact": True}, loader=own_loader).stems
    assert list(stems) == made_up_spleeter.CASES[name]["instrument_list"]
    for stem, audio in stems.items():
        assert agreement(reference[f"{name}/{stem}"], audio) > AGREEMENT_DB


@pytest.mark.parametrize("name", [*made_up_spleeter.OWN, *FULL_SIZE])
def test_the_torch_engine_agrees_with_real_spleeter_too(
    name: str, folder: Any, reference: dict[str, NDArray[np.generic]], own_loader: ModelLoader
) -> None:
    spec = on_torch(catalogue.find("separation", str(folder(name))))
    loader = ModelLoader("cpu", own_loader.store)
    stems = separation.separate(song(), model=spec, options={"exact": True, "batch": 3}, loader=loader).stems
    for stem, audio in stems.items():
        assert agreement(reference[f"{name}/{stem}"], audio) > AGREEMENT_DB


@pytest.mark.weights
def test_the_model_up_to_16_khz_agrees_with_real_spleeter(
    loader: ModelLoader, reference: dict[str, NDArray[np.generic]]
) -> None:
    """With Spleeter's own weights, which are those of the model up to 11 kHz and are kept once."""
    stems = separation.separate(song(), model="spleeter:2stems-16kHz", options={"exact": True}, loader=loader).stems
    for stem, audio in stems.items():
        assert agreement(reference[f"2stems-16kHz/{stem}"], audio) > AGREEMENT_DB
    both = [catalogue.find("separation", f"spleeter-2stems{band}") for band in ("", "-16kHz")]
    assert len({loader.store.find(spec, spec.files[1]) for spec in both}) == 1


@pytest.mark.parametrize("name", made_up_spleeter.OFFICIAL)
def test_the_rows_are_what_spleeters_own_files_say(name: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(made_up_spleeter.CASES[name]))
    known = read_configuration(tmp_path / "config.json")
    assert known is not None and known[0] == OFFICIAL[name]
    spec = catalogue.find("separation", f"spleeter:{name}")
    assert spec.outputs == tuple(made_up_spleeter.CASES[name]["instrument_list"])
    assert spec.verified == "", "its weights were never at hand"
    assert {str(source) for file in spec.files for source in file.sources} == {
        f"https://github.com/deezer/spleeter/releases/download/v1.4.0/{name.partition('-')[0]}.tar.gz"
    }


def test_a_checkpoint_of_another_model_is_one_clear_error(
    tmp_path: Path, reference: dict[str, NDArray[np.generic]]
) -> None:
    """Missing, left over, of another shape, no number; what training keeps beside the networks is passed over."""
    good = variables("softmax", reference)
    slots = {f"{name}/Adam_1": array for name, array in good.items() if name != "global_step"}
    configuration = own_configuration("softmax", tmp_path)

    def read(changed: dict[str, NDArray[np.generic]]) -> list[Any]:
        tensorflow_checkpoints.write(tmp_path, changed)
        return read_weights(tmp_path / "model.index", tmp_path / "model.data-00000-of-00001", configuration)

    assert len(read(good | slots | {"beta1_power": np.ones((), np.float32)})) == 2
    name = "conv2d_transpose_7/bias"
    for changed, message in (
        ({key: array for key, array in good.items() if key != name}, "missing"),
        (good | {"conv2d_14/kernel": np.zeros((5, 5, 2, 3), np.float32)}, "another network: conv2d_14/kernel"),
        (good | {name: np.zeros(99, np.float32)}, "of shape"),
        (good | {name: np.full_like(good[name], np.nan)}, "no number"),
    ):
        with pytest.raises(WeightsCorrupt, match=message):
            read(changed)


def own_configuration(name: str, folder: Path) -> Configuration:
    (folder / "config.json").write_text(json.dumps(made_up_spleeter.CASES[name]))
    known = read_configuration(folder / "config.json")
    assert known is not None
    return known[0]


class TestOwnModel:
    """A user's own model: a folder, or the JSON that it was trained with."""

    def test_a_configuration_names_the_folder_of_its_checkpoint(
        self, folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where Spleeter looks, from the current folder, and beside the JSON."""
        monkeypatch.chdir(tmp_path)
        by_folder = catalogue.find("separation", str(folder("softmax")))
        (tmp_path / "mine.json").write_text((folder("softmax") / "config.json").read_text())
        with pytest.raises(InvalidInput, match="'made_up' as its model_dir"):
            catalogue.find("separation", "mine.json")
        shutil.copytree(folder("softmax"), tmp_path / "made_up")
        found = catalogue.find("separation", "mine.json")
        assert [file.sha256 for file in found.files] == [file.sha256 for file in by_folder.files]
        monkeypatch.setenv("MODEL_PATH", str(tmp_path / "models"))
        shutil.move(tmp_path / "made_up", tmp_path / "models" / "made_up")
        assert catalogue.find("separation", "mine.json").name == found.name

    def test_the_latest_checkpoint_is_taken_and_a_new_one_is_a_new_row(
        self, tmp_path: Path, reference: dict[str, NDArray[np.generic]]
    ) -> None:
        own_configuration("softmax", tmp_path)
        numbers = variables("softmax", reference)
        tensorflow_checkpoints.write(tmp_path, numbers, prefix="model.ckpt-150")
        first = catalogue.find("separation", str(tmp_path))
        tensorflow_checkpoints.write(tmp_path, numbers | {"global_step": np.array(300)}, prefix="model.ckpt-300")
        second = catalogue.find("separation", str(tmp_path))
        assert str(second.files[1].sources[0]).endswith("model.ckpt-300.index")
        assert first.name != second.name
        (tmp_path / "checkpoint").unlink()
        with pytest.raises(InvalidInput, match="2 checkpoints"):
            catalogue.find("separation", str(tmp_path))
        (tmp_path / "model.ckpt-150.index").unlink()
        (tmp_path / "model.ckpt-300.data-00000-of-00001").unlink()
        with pytest.raises(InvalidInput, match="not complete"):
            catalogue.find("separation", str(tmp_path))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"model": {"type": "blstm.blstm", "params": {}}}, "model.type.*blstm"),
            ({"n_channels": 1}, "n_channels"),
            ({"mask_extension": "mirror"}, "mask_extension.*mirror"),
            ({"frame_step": 512}, "frame_step"),
            ({"T": 500}, "'T'"),
            ({"F": 4096}, "'F'"),
            ({"separation_exponent": 0}, "separation_exponent"),
            ({"instrument_list": ["../x", "y"]}, "instrument_list"),
            ({"instrument_list": ["x", "x"]}, "instrument_list"),
            ({"model": {"params": {"conv_n_filters": [1, 2]}}}, "conv_n_filters"),
        ],
    )
    def test_what_cannot_be_run_is_refused_by_name(
        self, change: dict[str, Any], message: str, folder: Any, tmp_path: Path
    ) -> None:
        path = tmp_path / "config.json"
        path.write_text(
            json.dumps({**made_up_spleeter.CASES["softmax"], "model_dir": str(folder("softmax")), **change})
        )
        with pytest.raises(InvalidInput, match=message):
            catalogue.find("separation", str(path))

    def test_a_path_that_is_no_model_is_refused(self, folder: Any, tmp_path: Path) -> None:
        (tmp_path / "notes.json").write_text("{}")
        (tmp_path / "broken.json").write_text("{")
        for path in (tmp_path, tmp_path / "notes.json"):
            with pytest.raises(UnknownModel, match="no model that an engine here can run"):
                catalogue.find("separation", str(path))
        with pytest.raises(InvalidInput, match=r"broken.json is not a JSON file"):
            catalogue.find("separation", str(tmp_path / "broken.json"))
        with pytest.raises(UnknownModel, match="Unknown model"):
            catalogue.find("separation", str(tmp_path / "nowhere"))
        shutil.copytree(folder("softmax"), tmp_path / "bare")
        (tmp_path / "bare" / "config.json").unlink()
        with pytest.raises(InvalidInput, match="no Spleeter configurations beside its checkpoint"):
            catalogue.find("separation", str(tmp_path / "bare"))

    def test_a_configuration_that_does_not_fit_its_checkpoint_is_refused(
        self, folder: Any, tmp_path: Path, own_loader: ModelLoader
    ) -> None:
        wrong = {**made_up_spleeter.CASES["average"], "model_dir": str(folder("softmax"))}
        (tmp_path / "config.json").write_text(json.dumps(wrong))
        with pytest.raises(WeightsError, match="conv2d"):
            separation.separate(noise(0.1), model=str(tmp_path / "config.json"), loader=own_loader)

    def test_shares_that_are_all_next_to_nothing_keep_their_ratio(
        self, tmp_path: Path, reference: dict[str, NDArray[np.generic]], own_loader: ModelLoader
    ) -> None:
        """As of a network that was hardly trained: ONNX Runtime's own sigmoid would leave nothing of the ratio."""
        numbers = variables("average", reference)
        for stem in range(3):
            numbers[f"conv2d_{7 * stem + 6}/bias"] = np.full(2, -16, np.float32)
        tensorflow_checkpoints.write(tmp_path, numbers)
        own_configuration("average", tmp_path)
        spec = catalogue.find("separation", str(tmp_path))
        stems = separation.separate(noise(1), model=spec, loader=own_loader).stems
        loader = ModelLoader("cpu", own_loader.store)
        for name, stem in separation.separate(noise(1), model=on_torch(spec), loader=loader).stems.items():
            assert decibels(stem.samples, stem.samples - stems[name].samples) > 80

    def test_spleeters_own_class_takes_it(self, folder: Any, own_loader: ModelLoader) -> None:
        separator = Separator(str(folder("softmax") / "config.json"), loader=own_loader)
        assert list(separator.separate(noise(0.5).samples.T)) == ["speech", "rest"]


def on_torch(spec: ModelSpec) -> ModelSpec:
    """Returns a row that runs as on a GPU, but on the CPU."""
    configuration = spec.engine.keywords["configuration"]  # type: ignore[attr-defined]

    def engine(files: Any, device: Device) -> SpleeterTorchEngine:
        return SpleeterTorchEngine(files[INDEX], files[DATA], device, configuration)

    return dataclasses.replace(spec, engine=engine)


@pytest.fixture(scope="module")
def engine(folder: Any) -> SpleeterTorchEngine:
    path = folder("softmax")
    return SpleeterTorchEngine(path / INDEX, path / DATA, Device("cpu", 2), own_configuration("softmax", path))


class TestTorchEngine:
    """The path of a GPU, run on the CPU."""

    def separated(self, engine: SpleeterTorchEngine, **options: Any) -> NDArray[np.float32]:
        from audio_ml.chunks import overlap_add

        chosen = SpleeterOptions(**options)
        stems = ["rest", "speech"]
        parts = overlap_add(
            [noise(2.3).samples], engine.segmentation(chosen), lambda part: engine.separate(part, stems, chosen)
        )
        return np.concatenate(list(parts), axis=-1)

    @pytest.mark.parametrize("overlap", [0.0, 0.25, 0.75])
    @pytest.mark.parametrize("batch", [2, 5, 64])
    def test_batched_equals_single(self, engine: SpleeterTorchEngine, overlap: float, batch: int) -> None:
        single = self.separated(engine, overlap=overlap, batch=1)
        batched = self.separated(engine, overlap=overlap, batch=batch)
        assert single.shape == batched.shape == (2, 2, noise(2.3).n_samples)
        assert decibels(single, single - batched) > 100

    @pytest.mark.parametrize(("overlap", "exact"), [(0.0, True), (0.0, False), (0.5, False)])
    def test_it_agrees_with_the_cpu_engine(
        self, overlap: float, exact: bool, folder: Any, own_loader: ModelLoader
    ) -> None:
        spec = catalogue.find("separation", str(folder("softmax")))
        options = {"exact": exact, "overlap": overlap}
        expected = separation.separate(noise(3), model=spec, options=options, loader=own_loader).stems
        loader = ModelLoader("cpu", own_loader.store)
        found = separation.separate(noise(3), model=on_torch(spec), options=options, loader=loader).stems
        for name, stem in expected.items():
            assert decibels(stem.samples, stem.samples - found[name].samples) > 80

    def test_half_precision_is_near_and_very_loud_sound_stays_finite(self, engine: SpleeterTorchEngine) -> None:
        full, half = (self.separated(engine, precision=precision) for precision in ("full", "half"))
        assert 20 < decibels(full, full - half) < 80
        options = SpleeterOptions(precision="half")
        loud = np.tile(noise(3).samples, 20)[:, : engine.segmentation(options).length] * np.float32(1e18)
        engine._stems._half = None
        halves = pytest.MonkeyPatch()
        import torch

        halves.setattr("separation.nets.spleeter_torch.HALF", {})  # float16, as on a GPU
        try:
            assert np.isfinite(engine.separate(loud, ["speech"], options)).all()
            assert engine._stems._half is not None and engine._stems._half._dtype == torch.float16
        finally:
            halves.undo()
            engine._stems._half = None

    def test_silent_patches_cost_nothing(self, engine: SpleeterTorchEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        heard: list[int] = []
        masks = engine._stems._full.masks
        monkeypatch.setattr(
            engine._stems._full, "masks", lambda patches: (heard.append(len(patches)), masks(patches))[1]
        )
        self.separated(engine, batch=64)
        configuration = engine._configuration
        n_frames = -(-(noise(2.3).n_samples + configuration.n_fft) // configuration.hop)
        assert heard == [-(-n_frames // configuration.frames)]

    def test_less_memory_is_asked_for_step_by_step(self, engine: SpleeterTorchEngine) -> None:
        options, phrases = SpleeterOptions(batch=4, overlap=0.5), []
        while (step := engine.lighter(options)) is not None:
            phrase, options = step
            phrases.append(phrase)
        assert phrases == ["2 patches at once", "one patch at a time", "half precision"]
        assert options.overlap == 0.5

    def test_a_full_device_is_our_own_error(self, engine: SpleeterTorchEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        import torch

        def full(*_: Any, **__: Any) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory")

        monkeypatch.setattr(engine._stems, "separate", full)
        with pytest.raises(OutOfMemory, match="8 patches"):
            self.separated(engine)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Serves a folder as a release page does; returns it and its URL."""
    folder = tmp_path / "release"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_archive_that_is_not_the_published_one_is_refused(tmp_path: Path, served: tuple[Path, str]) -> None:
    release, url = served
    (tmp_path / "model.index").write_bytes(b"an index")
    with tarfile.open(release / "2stems.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "model.index", "model.index")
    sha256 = file_sha256(release / "2stems.tar.gz")
    for told, is_right in ((sha256, True), ("0" * 64, False)):
        work, source = tmp_path / told, UrlSource(f"{url}/2stems.tar.gz", "model.index", told)
        work.mkdir()
        if is_right:
            source.fetch(work / "arrived", work, lambda _: None)
            assert (work / "arrived").read_bytes() == b"an index"
        else:
            with pytest.raises(SourceFailed, match="not the archive that was published"):
                source.fetch(work / "arrived", work, lambda _: None)


@pytest.mark.slow
def test_the_row_of_a_release_is_fetched_checked_and_run(
    tmp_path: Path, served: tuple[Path, str], folder: Any, reference: dict[str, NDArray[np.generic]]
) -> None:
    """The real row, with made-up weights of the published names and shapes in an archive of the same form."""
    release, url = served
    with tarfile.open(release / "4stems.tar.gz", "w:gz", compresslevel=1) as archive:
        for name in ("checkpoint", INDEX, DATA):
            archive.add(folder("4stems") / name, name)
    spec = catalogue.find("separation", "spleeter:4stems")
    source = functools.partial(UrlSource, f"{url}/4stems.tar.gz", archive_sha256=file_sha256(release / "4stems.tar.gz"))
    files = tuple(dataclasses.replace(file, sources=(source(member=file.name),)) for file in spec.files)
    loader = ModelLoader("cpu", WeightStore(cache=tmp_path / "cache", offline=False))
    spec = dataclasses.replace(spec, files=files)
    stems = separation.separate(song(), model=spec, options={"exact": True}, loader=loader).stems
    for stem, audio in stems.items():
        assert agreement(reference[f"4stems/{stem}"], audio) > AGREEMENT_DB
    (loader.store.folder(spec) / DATA).write_bytes(b"something else")
    with pytest.raises(WeightsCorrupt, match="damaged"):
        loader.store.open(spec)[DATA]
