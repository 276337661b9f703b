"""RoFormers: the published tensors, the reference's numbers, and a tiny model through the whole path.

The published weights cannot be had on every machine; what is run here is the real code that loads them, on
made-up ones. `tests/data/roformer_reference.npz` holds what the package bs-roformer, in which the published
checkpoints load, makes of made-up weights: see `bench/roformer_reference.py`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import math
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path

import made_up_roformer as made_up
import numpy as np
import pytest
import test_contract as contract
import torch
from numpy.typing import NDArray
from signals import decibels, noise
from test_weights import Server

import separation
from audio_ml import device
from audio_ml.audio import Samples
from audio_ml.catalogue import ModelSpec, WeightFile
from audio_ml.chunks import overlap_add
from audio_ml.device import Device, Kind, resolve
from audio_ml.errors import InvalidInput, OutOfMemory, WeightsCorrupt
from audio_ml.loader import ModelLoader
from audio_ml.sources import HubSource
from audio_ml.state_dicts import read_manifest
from audio_ml.weights import WeightStore
from separation.engines import roformer
from separation.engines.roformer import Checkpoint, RoformerEngine, RoformerOptions, VocalRoformerOptions
from separation.nets.roformer import Roformer
from separation.nets.roformer_architecture import SAMPLE_RATE, Architecture, bands_of, mel_bands

ROWS = [row for row in roformer.MODELS if isinstance(row, ModelSpec)]
CPU = Device("cpu", 1)

BS = Architecture(bands_of((2, 2, 4, 8, 1009)), dim=16, depth=1, norms_each=False, mask_layers=2, n_heads=2, head_dim=8)
MEL = dataclasses.replace(BS, bands=mel_bands(12), norms_each=True, mask_layers=3)
FOUR = dataclasses.replace(BS, n_stems=4, mask_expansion=2)
TINY = {
    "tiny-bs": (BS, ("vocals",)),
    "tiny-mel": (MEL, ("vocals",)),
    "tiny-four": (FOUR, ("drums", "bass", "other", "vocals")),
}


def checkpoint_of(row: ModelSpec) -> Checkpoint:
    found = row.engine.keywords["checkpoint"]
    assert isinstance(found, Checkpoint)
    return found


def shapes_of(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in Roformer(architecture).state_dict().items()}


def made_up_state(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in made_up.weights(shapes).items()}


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def write_manifest(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    lines = ["# source: a test", *(f"{name}\t{','.join(map(str, shape))}" for name, shape in shapes.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


def tiny_spec(name: str, folder: Path, content: bytes = b"") -> ModelSpec:
    """Returns a row like the published ones, whose checkpoint is `content` or has made-up weights."""
    architecture, stems = TINY[name]
    shapes = shapes_of(architecture)
    checkpoint = Checkpoint(architecture, write_manifest(folder / f"{name}.tsv", shapes), stems, SAMPLE_RATE)
    content = content or saved(made_up_state(shapes))
    (folder / f"{name}.ckpt").write_bytes(content)
    source = HubSource("someone/roformer", f"{name}.ckpt", "a" * 40)
    is_vocal = len(stems) == 1
    return ModelSpec(
        name=name,
        task="separation",
        summary="Tiny.",
        licence=roformer._NOT_STATED,
        files=(WeightFile(f"{name}.ckpt", len(content), hashlib.sha256(content).hexdigest(), (source,)),),
        outputs=("vocals", "accompaniment") if is_vocal else roformer.STEMS_OF_FOUR,
        sample_rate=SAMPLE_RATE,
        n_channels=2,
        options=VocalRoformerOptions if is_vocal else RoformerOptions,
        engine=functools.partial(RoformerEngine, checkpoint=checkpoint),
    )


def tiny_engine(name: str, folder: Path, content: bytes = b"") -> RoformerEngine:
    spec = tiny_spec(name, folder, content)
    engine = spec.engine({"weights": folder / f"{name}.ckpt"}, CPU)
    assert isinstance(engine, RoformerEngine)
    return engine


@pytest.fixture(scope="module", autouse=True)
def _threads() -> Iterator[None]:
    """Gives torch its threads back: what is tiny here runs on one."""
    n_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def tiny_loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelLoader]:
    """A loader whose store fetches from a server on this machine that speaks the hub's protocol."""
    folder, server = tmp_path_factory.mktemp("roformer"), Server()
    for name in TINY:
        tiny_spec(name, folder)
        server.pages[f"/someone/roformer/resolve/{'a' * 40}/{name}.ckpt"] = (folder / f"{name}.ckpt").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        template = "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", server.url + template)
        patch.setattr("audio_ml.device.cpu_cores", lambda: 1)  # for something so small, threads only wait
        yield ModelLoader("cpu", WeightStore(cache=folder / "cache", offline=False))
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture(params=["tiny-mel", "tiny-four"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> ModelSpec:
    return tiny_spec(request.param, tmp_path)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
class TestPublished:
    """The rows agree with what is known of their published files."""

    def test_the_network_has_the_checkpoints_tensors(self, row: ModelSpec) -> None:
        checkpoint = checkpoint_of(row)
        assert shapes_of(checkpoint.architecture) == read_manifest(checkpoint.manifest)

    def test_the_tensors_fill_the_published_file(self, row: ModelSpec) -> None:
        shapes = read_manifest(checkpoint_of(row).manifest)
        n_numbers = sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith("rotary_embed.freqs"))
        left = row.files[0].size - 4 * n_numbers
        assert 300 * len(shapes) < left < 600 * len(shapes), (
            "torch.save needs this much for each tensor's name and place"
        )

    def test_segments_and_stems_are_the_trainers(self, row: ModelSpec) -> None:
        engine = object.__new__(RoformerEngine)
        engine._checkpoint, engine._batch, engine._kind = checkpoint_of(row), 1, "cpu"
        plan = engine.segmentation(row.options())
        seconds = 11 if row.name == "bs-roformer-4stems" else 8
        assert (plan.length, plan.hop) == (seconds * SAMPLE_RATE, seconds * SAMPLE_RATE // 2)
        assert len(checkpoint_of(row).stems) == checkpoint_of(row).architecture.n_stems

    @pytest.mark.slow
    def test_weights_of_this_size_load_and_run(self, row: ModelSpec, tmp_path: Path) -> None:
        shapes, path = read_manifest(checkpoint_of(row).manifest), tmp_path / row.files[0].name
        torch.save(made_up_state(shapes), path)
        assert abs(path.stat().st_size / row.files[0].size - 1) < 0.001
        engine = row.engine({path.name: path}, resolve("cpu"))
        options = row.options(segment_seconds=1)
        mixture = noise(1).samples[:, : engine.segmentation(options).length]
        stems = engine.separate(mixture, row.outputs, options)
        assert stems.shape == (len(row.outputs), *mixture.shape) and np.isfinite(stems).all() and stems.any()


class TestReference:
    """Our network against the package in which the published checkpoints load."""

    @pytest.fixture
    def reference(self) -> dict[str, NDArray[np.float32]]:
        with np.load(Path(__file__).with_name("data") / "roformer_reference.npz") as stored:
            return {name: stored[name] for name in made_up.STEMS}

    @pytest.mark.parametrize("kind", made_up.STEMS)
    def test_it_gives_the_same_numbers(self, kind: str, reference: dict[str, NDArray[np.float32]]) -> None:
        bands = mel_bands(made_up.N_MEL_BANDS, made_up.N_FFT, made_up.SAMPLE_RATE)
        architecture = Architecture(
            bands=bands if kind == "mel" else bands_of(made_up.BAND_WIDTHS),
            dim=made_up.DIM,
            depth=made_up.DEPTH,
            norms_each=kind == "mel",
            mask_layers=3 if kind == "mel" else 2,
            n_stems=made_up.STEMS[kind],
            n_heads=made_up.N_HEADS,
            head_dim=made_up.HEAD_DIM,
            n_fft=made_up.N_FFT,
            hop=made_up.HOP,
        )
        network = Roformer(architecture)
        network.load_state_dict(made_up_state(shapes_of(architecture)))
        with torch.no_grad():
            ours = network.eval()(torch.from_numpy(made_up.mixture()), range(made_up.STEMS[kind])).numpy()
        assert decibels(reference[kind], reference[kind] - ours) > 100

    def test_mel_bands_overlap_and_leave_no_bin_out(self) -> None:
        bands = mel_bands(60)
        covering = np.zeros(1025, int)
        for first, end in bands:
            covering[first:end] += 1
        assert set(covering) == {1, 2}
        widths = [end - first for first, end in bands]
        assert (min(widths), max(widths), sum(widths)) == (6, 130, 1979), "as librosa's filter bank has them"


class TestContract:
    """What every engine must do (tests/test_contract.py), on tiny networks from the hub."""

    def test_form(self, spec: ModelSpec, tiny_loader: ModelLoader) -> None:
        contract.test_stems_are_sound_of_the_right_form(spec, tiny_loader)

    @pytest.mark.parametrize("n_samples", [1, 1000, 2 * 44100 + 13])
    def test_length_and_sum(self, spec: ModelSpec, tiny_loader: ModelLoader, n_samples: int) -> None:
        contract.test_length_is_kept_and_stems_add_up(spec, tiny_loader, n_samples, 2)

    def test_rates(self, spec: ModelSpec, tiny_loader: ModelLoader) -> None:
        contract.test_any_rate_keeps_length_sum_and_place(spec, tiny_loader, 48000)

    def test_silence(self, spec: ModelSpec, tiny_loader: ModelLoader) -> None:
        contract.test_silence_in_silence_out(spec, tiny_loader)

    def test_same_bytes(self, spec: ModelSpec, tiny_loader: ModelLoader) -> None:
        contract.test_the_same_bytes_again(spec, tiny_loader)

    def test_blocks(self, spec: ModelSpec, tiny_loader: ModelLoader) -> None:
        contract.test_blocks_do_not_matter(spec, tiny_loader, 44100)

    def test_threads(self, spec: ModelSpec, tiny_loader: ModelLoader) -> None:
        contract.test_two_threads_do_not_influence_each_other(spec, tiny_loader)

    def test_choice_of_stems(self, spec: ModelSpec, tiny_loader: ModelLoader) -> None:
        contract.test_a_choice_of_stems_changes_none_of_them(spec, tiny_loader)

    def test_cancel(self, spec: ModelSpec, tiny_loader: ModelLoader, tmp_path: Path) -> None:
        contract.test_cancel_stops_within_a_segment_and_leaves_nothing(spec, tiny_loader, tmp_path)


class TestRefused:
    """A file that is not the published checkpoint is one clear error, and nothing is loaded."""

    @pytest.fixture
    def state(self) -> dict[str, torch.Tensor]:
        return made_up_state(shapes_of(BS))

    def refuse(self, content: object, match: str, folder: Path) -> None:
        with pytest.raises(WeightsCorrupt, match=match):
            tiny_engine("tiny-bs", folder, saved(content))

    def test_a_missing_tensor(self, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
        del state["final_norm.gamma"]
        self.refuse(state, "1 tensors are missing, such as final_norm.gamma", tmp_path)

    def test_a_tensor_too_many(self, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
        self.refuse(state | {"head.bias": torch.zeros(3)}, "another network, such as head.bias", tmp_path)

    def test_another_shape(self, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
        state["final_norm.gamma"] = torch.ones(17)
        self.refuse(state, r"final_norm.gamma \(17,\) instead of \(16,\)", tmp_path)

    def test_not_a_number(self, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
        state["final_norm.gamma"][3] = math.nan
        self.refuse(state, "NaN or infinite numbers, such as final_norm.gamma", tmp_path)

    def test_another_architecture(self, tmp_path: Path) -> None:
        self.refuse(made_up_state(shapes_of(MEL)), "The weights are not those of tiny-bs.ckpt", tmp_path)

    def test_a_pickled_program(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsCorrupt, match="does not hold weights alone"):
            tiny_engine("tiny-bs", tmp_path, pickle.dumps(functools.partial(print, "run"), protocol=2))

    @pytest.mark.parametrize("content", [b"no weights", b"\x80\x02a.", b"\x80\x02K\x01K\x02s.", b"PK\x03\x04"])
    def test_no_checkpoint_at_all(self, content: bytes, tmp_path: Path) -> None:
        with pytest.raises(WeightsCorrupt, match="does not hold weights alone") as refused:
            tiny_engine("tiny-bs", tmp_path, content)
        assert "weights_only" not in str(refused.value), "torch's own words tell how to go round the check"


class TestSegments:
    def stream(self, engine: RoformerEngine, mixture: Samples, options: RoformerOptions) -> Samples:
        plan = engine.segmentation(options)

        def separate(segment: Samples) -> Samples:
            return engine.separate(segment, ("vocals", "accompaniment"), options)

        return np.concatenate(list(overlap_add([mixture], plan, separate)), axis=-1)

    @pytest.mark.parametrize("overlap", [0, 0.5, 0.75])
    def test_a_batch_of_segments_is_as_good_as_one_at_a_time(
        self, overlap: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options, mixture = VocalRoformerOptions(overlap=overlap), noise(6).samples
        alone = self.stream(tiny_engine("tiny-mel", tmp_path), mixture, options)
        monkeypatch.setitem(roformer.BATCH, "cpu", 3)
        batched = self.stream(tiny_engine("tiny-mel", tmp_path), mixture, options)
        assert alone.shape == batched.shape == (2, *mixture.shape)
        settled = slice(0, -3 * SAMPLE_RATE)  # the segments that the end cuts short are centred otherwise
        assert decibels(alone[..., settled], alone[..., settled] - batched[..., settled]) > 90

    def test_neighbours_fade_into_each_other(self, tmp_path: Path) -> None:
        plan = tiny_engine("tiny-bs", tmp_path).segmentation(VocalRoformerOptions())
        fade = SAMPLE_RATE // 10
        assert (plan.weights[fade:-fade] == 1).all() and (plan.weights > 0).all()
        assert (np.diff(plan.weights[:fade]) > 0).all() and (np.diff(plan.weights[-fade:]) < 0).all()

    def test_options_reach_the_segments(self, tmp_path: Path) -> None:
        engine = tiny_engine("tiny-bs", tmp_path)
        plan = engine.segmentation(VocalRoformerOptions(segment_seconds=2.005, overlap=0.25))
        assert plan.length == 200 * 441 and plan.hop == 150 * 441


class TestPrecision:
    @pytest.mark.parametrize("flags", [set(), {"avx512_bf16"}])
    def test_half_is_close_to_full_and_auto_asks_the_cpu(
        self, flags: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(device, "cpu_flags", lambda: flags)
        engine, mixture = tiny_engine("tiny-mel", tmp_path), noise(1).samples
        full, half, auto = (
            engine.separate(mixture, ("vocals",), VocalRoformerOptions(precision=precision))
            for precision in ("full", "half", "auto")
        )
        assert 30 < decibels(full, full - half) < 80
        np.testing.assert_array_equal(auto, half if flags else full)

    @pytest.mark.parametrize("kind, last", [("cpu", "segments of 2.0 s"), ("mps", "half precision")])
    def test_less_memory_step_by_step(self, kind: Kind, last: str, tmp_path: Path) -> None:
        engine = tiny_engine("tiny-bs", tmp_path)
        engine._kind = kind
        options, said = VocalRoformerOptions(segment_seconds=8), []
        while (step := engine.lighter(options)) is not None:
            said.append(step[0])
            options = step[1]
        assert said[:2] == ["segments of 4.0 s", "segments of 2.0 s"] and said[-1] == last and len(said) <= 3

    def test_a_memory_that_is_too_small_is_told(self, tmp_path: Path) -> None:
        engine = tiny_engine("tiny-bs", tmp_path)

        def overflow(*_: object) -> None:
            raise torch.OutOfMemoryError

        engine._network.forward = overflow
        with pytest.raises(OutOfMemory, match="A segment of 1 s"):
            engine.separate(noise(1).samples, ("vocals",), VocalRoformerOptions())

    @pytest.mark.parametrize("precision, agreement_db", [("full", 60), ("half", 30)])
    def test_a_gpu_gives_what_a_cpu_gives(self, precision: str, agreement_db: float, tmp_path: Path) -> None:
        try:
            device = resolve("cuda")
        except InvalidInput as error:
            pytest.skip(str(error))
        spec = tiny_spec("tiny-mel", tmp_path)
        files, options = {"weights": tmp_path / "tiny-mel.ckpt"}, VocalRoformerOptions(precision="full")
        mixture = noise(4).samples
        cpu = self.whole(spec.engine(files, CPU), mixture, options)
        gpu = self.whole(spec.engine(files, device), mixture, options.model_copy(update={"precision": precision}))
        settled = slice(0, SAMPLE_RATE)
        assert decibels(cpu[..., settled], cpu[..., settled] - gpu[..., settled]) > agreement_db

    def whole(self, engine: RoformerEngine, mixture: Samples, options: RoformerOptions) -> Samples:
        return TestSegments().stream(engine, mixture, options)


def test_the_stems_of_four_come_in_the_order_asked_for(tmp_path: Path, tiny_loader: ModelLoader) -> None:
    spec = tiny_spec("tiny-four", tmp_path)
    with tiny_loader.use(spec) as engine:
        mixture = noise(1).samples
        every = engine.separate(mixture, ("drums", "bass", "other", "vocals"), RoformerOptions())
        some = engine.separate(mixture, ("vocals", "bass"), RoformerOptions())
    np.testing.assert_array_equal(some, every[[3, 1]])
    options = {"residual": "none", "overlap": 0}
    estimates = separation.separate(noise(1), model=spec, options=options, loader=tiny_loader).stems
    np.testing.assert_allclose(estimates["bass"].samples, every[1], atol=1e-6)


def test_the_accompaniment_alone_is_what_the_vocals_leave(tmp_path: Path) -> None:
    engine, mixture, options = tiny_engine("tiny-mel", tmp_path), noise(1).samples, VocalRoformerOptions()
    (vocals,) = engine.separate(mixture, ("vocals",), options)
    (accompaniment,) = engine.separate(mixture, ("accompaniment",), options)
    np.testing.assert_allclose(accompaniment, mixture - vocals, atol=1e-6)
