"""The weights of Demucs: every form they are published in, what is refused, and one file in place of another."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from small_demucs import small

from audio_ml.catalogue import Licence, Row, WeightFile
from audio_ml.device import Device
from audio_ml.errors import WeightsCorrupt
from audio_ml.sources import Source, SourceFailed
from audio_ml.weights import WeightStore
from separation.engines.demucs import Architecture, DemucsEngine
from separation.nets import demucs_checkpoint
from separation.nets.htdemucs import STEMS, htdemucs


def _module_of(key: str) -> str:
    return key.rpartition(".")[0]


def as_graph(state: dict[str, torch.Tensor], path: Path) -> None:
    """Writes weights as torch's exporter leaves them in an ONNX file: names of convolutions, scopes for the rest."""
    nodes, initializers = [], []

    def add(name: str, scope: str, operation: str, value: torch.Tensor) -> None:
        initializers.append(numpy_helper.from_array(value.numpy().copy(), name))
        nodes.append(helper.make_node(operation.partition("_")[0], ["x", name], ["x"], name=f"{scope}/{operation}"))

    for number, (key, value) in enumerate(state.items()):
        module, hidden = _module_of(key), f"onnx::X_{number}"
        scopes = "/" + module.replace(".dconv.layers.", "/dconv/layers.").replace(".self_attn", "/self_attn")
        scopes = scopes.replace(".cross_attn", "/cross_attn").replace(".linear", "/linear").replace(".norm_", "/norm_")
        if "/dconv/layers." in scopes:
            branch, _, layer = scopes.rpartition("/")
            scopes = f"{branch}/{layer.rpartition('.')[0]}/{layer}"
        scopes = scopes.replace("/crosstransformer.", "/crosstransformer/")
        if key == "freq_emb.embedding.weight":
            add(hidden, "", "Expand", (value.T * 10)[None, :, :, None])
        elif key.endswith("cross_attn.in_proj_weight"):
            width = value.shape[1]
            add(hidden, scopes, "MatMul", value[:width].T)
            add(hidden + "_1", scopes, "MatMul_1", value[width:].T)
        elif key.endswith(("in_proj_weight", "linear1.weight", "linear2.weight")):
            add(hidden, scopes, "MatMul", value.T)
        elif ".dconv." in key and key.endswith(".scale"):
            add(hidden, scopes, "Mul", value[:, None])
        elif ("norm_out" in key or ".dconv." in key) and value.dim() == 1 and module[-1] not in "03":
            add(hidden, scopes, "Mul" if key.endswith("weight") else "Add", value[:, None])
        else:
            add(key, scopes, "Conv", value)
    information = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [information], [information], initializers)), path)


def as_package(state: dict[str, torch.Tensor], path: Path) -> None:
    """Writes weights as Demucs publishes them."""
    from demucs.htdemucs import HTDemucs

    halves = {key: value.half() for key, value in state.items()}
    details = {
        "klass": HTDemucs,
        "args": (list(STEMS),),
        "kwargs": {"segment": Fraction(1)},
        "training_args": {"a": [1]},
    }
    torch.save({**details, "state": halves}, path)


def as_safetensors(state: dict[str, torch.Tensor], path: Path) -> None:
    save_file({key: value.half().contiguous() for key, value in state.items()}, path)


FORMS: dict[str, Callable[[dict[str, torch.Tensor], Path], None]] = {
    "onnx": as_graph,
    "th": as_package,
    "safetensors": as_safetensors,
}


class TestWeights:
    @pytest.fixture
    def state(self) -> dict[str, torch.Tensor]:
        return dict(small().state_dict())

    @pytest.mark.parametrize("form", FORMS)
    def test_every_published_form_gives_the_same_file(
        self, form: str, state: dict[str, torch.Tensor], tmp_path: Path
    ) -> None:
        FORMS[form](state, tmp_path / f"published.{form}")
        demucs_checkpoint.convert(tmp_path / "made.safetensors", tmp_path / f"published.{form}", small, "small")
        as_safetensors(state, tmp_path / "expected.safetensors")
        made, expected = (demucs_checkpoint.read(tmp_path / f"{name}.safetensors") for name in ("made", "expected"))
        assert made.keys() == expected.keys()
        assert all(torch.equal(made[key], expected[key]) for key in made)

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda state: state.pop("encoder.1.conv.weight"), "missing, such as encoder.1.conv.weight"),
            (lambda state: state.update({"decoder.9.conv.bias": torch.zeros(3)}), "belong to another network"),
            (lambda state: state.update({"encoder.1.conv.bias": torch.zeros(3)}), "other shapes, such as encoder.1"),
            (lambda state: state["encoder.1.conv.bias"].fill_(torch.nan), "NaN"),
        ],
    )
    def test_weights_of_another_network_are_refused(
        self, form: str, damage: Callable[[Any], Any], message: str, state: dict[str, torch.Tensor], tmp_path: Path
    ) -> None:
        damage(state)
        FORMS[form](state, tmp_path / f"published.{form}")
        with pytest.raises(WeightsCorrupt, match=message):
            demucs_checkpoint.convert(tmp_path / "made", tmp_path / f"published.{form}", small, "small")
        assert not (tmp_path / "made").exists()

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("content", [b"", b"\x80\x04nonsense", b"PK\x03\x04" + b"\xff" * 400])
    def test_what_is_no_such_file_is_refused(self, form: str, content: bytes, tmp_path: Path) -> None:
        (tmp_path / f"published.{form}").write_bytes(content)
        with pytest.raises(WeightsCorrupt):
            demucs_checkpoint.convert(tmp_path / "made", tmp_path / f"published.{form}", small, "small")

    def test_a_checkpoint_that_would_run_something_is_refused(self, tmp_path: Path) -> None:
        torch.save({"state": {}, "klass": pytest.fail}, tmp_path / "published.th")
        with pytest.raises(WeightsCorrupt, match="weights alone"):
            demucs_checkpoint.read(tmp_path / "published.th")

    def test_more_digits_than_half_precision_has_are_refused(
        self, state: dict[str, torch.Tensor], tmp_path: Path
    ) -> None:
        state["encoder.1.conv.bias"][0] = 1 / 3
        save_file(state, tmp_path / "published.safetensors")
        with pytest.raises(WeightsCorrupt, match="half precision"):
            demucs_checkpoint.convert(tmp_path / "made", tmp_path / "published.safetensors", small, "small")

    def test_an_engine_of_other_weights_is_not_loaded(self, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
        save_file(state, tmp_path / "small.safetensors")
        files = {"small.safetensors": tmp_path / "small.safetensors"}
        other = Architecture(htdemucs, STEMS, "small.safetensors", Fraction(39, 5), fills=True)
        with pytest.raises(WeightsCorrupt, match="have other shapes"):
            DemucsEngine(files, Device("cpu", 1), architecture=other)


class _Held(Source):
    """A source that has some bytes, or fails."""

    def __init__(self, content: bytes | None) -> None:
        self._content = content

    @property
    def service(self) -> str:
        return "a test"

    def fetch(self, target: Path, work: Path, report: Callable[[int], None]) -> None:
        if self._content is None:
            raise SourceFailed("it is out of reach")
        report(len(self._content))
        target.write_bytes(self._content)


def row_of_two(official: bytes | None, package: bytes | None) -> Row:
    """Returns a row whose file is published in two forms, neither with a known sum."""
    other = WeightFile("package.bin", 0, "", (_Held(package),))
    file = WeightFile("official.bin", 0, "", (_Held(official),), alternatives=(other,))
    return Row("two", "sample", "A test.", Licence("none", None), (file,))


class TestAlternatives:
    @pytest.mark.parametrize(
        ("official", "package", "taken"), [(b"one", b"two", "official.bin"), (None, b"two", "package.bin")]
    )
    def test_the_first_that_can_be_had_is_taken(
        self, store: WeightStore, official: bytes | None, package: bytes | None, taken: str
    ) -> None:
        row = row_of_two(official, package)
        assert store.open(row)["official.bin"].name == taken
        assert [state.correct for state in store.states(row)] == [True]
        (store.folder(row) / taken).write_bytes(b"something else")
        with pytest.raises(WeightsCorrupt):
            store.open(row)["official.bin"]

    def test_one_that_is_here_is_not_fetched_in_another_form(self, tmp_path: Path) -> None:
        (tmp_path / "local" / "two").mkdir(parents=True)
        (tmp_path / "local" / "two" / "package.bin").write_bytes(b"two")
        store = WeightStore(cache=tmp_path / "cache", local=tmp_path / "local", offline=True)
        assert store.open(row_of_two(None, None))["official.bin"].read_bytes() == b"two"
