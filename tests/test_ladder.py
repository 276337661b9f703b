"""When memory runs out the work is done with less, each step is told, and nothing of a failed run is left."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from fake_engine import FAKE, FakeEngine
from pydantic import Field
from signals import noise, peak_db

import separation
from audio_ml import catalogue
from audio_ml.audio import Samples
from audio_ml.catalogue import Member, ModelSpec
from audio_ml.chunks import Segmentation, crossfade
from audio_ml.device import Device
from audio_ml.errors import OutOfMemory
from audio_ml.exhaustion import is_exhaustion
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.writer import write_audio
from separation.ensemble import ensemble
from separation.options import SeparationOptions


class LadderOptions(SeparationOptions):
    """Options of an engine that can do with less."""

    segment_samples: int = Field(8000, ge=1000, description="Length of a segment.")
    precision: Literal["full", "half"] = Field("full", description="Precision.")


class Hungry(FakeEngine):
    """Runs out of memory unless `is_enough` for it, in the middle of the work."""

    is_enough: Callable[[str, LadderOptions], bool]
    error: BaseException = MemoryError()
    runs: list[tuple[str, int, str]]

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        super().__init__(files, device)
        self.kind = device.kind

    def segmentation(self, options: LadderOptions) -> Segmentation:
        self.runs.append((self.kind, options.segment_samples, options.precision))
        self.n_calls = 0
        n = options.segment_samples
        return Segmentation(length=n, hop=n // 2, lead=n // 2)

    def separate(self, segment: Samples, stems: Sequence[str], options: LadderOptions) -> Samples:
        self.n_calls += 1
        if self.n_calls > 2 and not type(self).is_enough(self.kind, options):
            raise self.error
        windowed = segment * crossfade(options.segment_samples, options.segment_samples // 2)
        return np.stack([windowed * np.float32(0.5) for _ in stems])

    def lighter(self, options: LadderOptions) -> tuple[str, LadderOptions] | None:
        if options.segment_samples > 2000:
            half = options.segment_samples // 2
            return f"segments of {half} samples", options.model_copy(update={"segment_samples": half})
        if options.precision == "full":
            return "half precision", options.model_copy(update={"precision": "half"})
        return None


def hungry(is_enough: Callable[[str, LadderOptions], bool], **changes: object) -> ModelSpec:
    engine = type("Engine", (Hungry,), {"is_enough": staticmethod(is_enough), "runs": [], **changes})
    return dataclasses.replace(FAKE, name="hungry", options=LadderOptions, engine=engine)


def on_a_gpu() -> ModelLoader:
    """A loader that believes in a GPU."""
    loader = ModelLoader("cuda", memory_budget="1GB")
    loader.__dict__["device"] = Device("cuda", 2)
    return loader


@pytest.fixture(autouse=True)
def not_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a model needs is what its row says, so that it is the same each time."""
    monkeypatch.setattr("audio_ml.device.held_bytes", lambda kind: ())


@pytest.fixture
def song(tmp_path: Path) -> Path:
    write_audio(tmp_path / "song.wav", noise(2, 16000))
    return tmp_path / "song.wav"


def test_segments_get_smaller_until_they_fit_and_each_step_is_told(song: Path, tmp_path: Path) -> None:
    spec, stages = hungry(lambda kind, options: options.segment_samples <= 2000), []
    loader, progress = ModelLoader("cpu"), Progress(lambda state: stages.append(state.stage))
    report = separation.separate_file(song, tmp_path / "out", model=spec, loader=loader, progress=progress)
    assert spec.engine.runs == [("cpu", 8000, "full"), ("cpu", 4000, "full"), ("cpu", 2000, "full")]
    steps = [
        f"The CPU ran out of memory, so the work was done again with segments of {n} samples." for n in (4000, 2000)
    ]
    assert list(report.warnings) == steps
    begun = "out of memory: beginning again with segments of {} samples"
    assert [stage for stage in stages if "out of memory" in stage] == [begun.format(4000), begun.format(2000)]
    assert report.null_depth_db < -120 and report.length_ok
    assert report.provenance.options["segment_samples"] == 2000, "what made the file is what took effect"
    left = {path for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert left == {Path(file.path) for file in report.files}


def test_then_precision_then_the_cpu_as_it_was_asked_for(song: Path, tmp_path: Path) -> None:
    spec, loader = hungry(lambda kind, options: kind == "cpu"), on_a_gpu()
    report = separation.separate_file(song, tmp_path / "out", model=spec, loader=loader)
    gpu = [("cuda", 8000, "full"), ("cuda", 4000, "full"), ("cuda", 2000, "full"), ("cuda", 2000, "half")]
    assert spec.engine.runs == [*gpu, ("cpu", 8000, "full")]
    assert [warning.rpartition(" with ")[2] for warning in report.warnings] == [
        "segments of 4000 samples.",
        "segments of 2000 samples.",
        "half precision.",
        "the CPU.",
    ]
    assert report.provenance.device == "cpu" and report.provenance.options["segment_samples"] == 8000
    assert [(state.device, state.n_leases) for state in loader.states()] == [("cpu", 0)], "the GPU has its memory back"


def test_the_last_error_names_what_was_tried_and_what_would_fit(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, loader = hungry(lambda kind, options: False), on_a_gpu()
    small = dataclasses.replace(FAKE, name="small", memory_bytes=900_000)
    monkeypatch.setattr(catalogue, "models", lambda task: (small, spec))
    with pytest.raises(OutOfMemory) as told:
        separation.separate_file(song, tmp_path / "out", model=spec, loader=loader)
    assert told.match("ran out of memory") and told.match(r"would fit: small \(about 900 kB\)")
    steps = "segments of 4000 samples, segments of 2000 samples, half precision"
    assert str(told.value).endswith(f"Tried in vain: {steps}, the CPU, {steps}.")
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path != song]
    assert all(state.n_leases == 0 for state in loader.states())


def test_in_memory_it_is_the_same() -> None:
    spec, mixture = hungry(lambda kind, options: options.precision == "half"), noise(2, 16000)
    stems = separation.separate(mixture, model=spec, loader=ModelLoader("cpu")).stems
    assert peak_db(sum(stem.samples for stem in stems.values()) - mixture.samples) <= -120
    assert spec.engine.runs[-1] == ("cpu", 2000, "half")


def test_a_model_that_does_not_fit_on_the_gpu_goes_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    loader, mixture = on_a_gpu(), noise(1, 16000)
    large = dataclasses.replace(hungry(lambda kind, options: True), memory_bytes=2_000_000_000)
    separation.separate(mixture, model=large, loader=loader)
    assert large.engine.runs == [("cpu", 8000, "full")]
    monkeypatch.setattr("audio_ml.device.free_bytes", lambda kind: 1_000_000_000)
    loader.unload_idle()
    with pytest.raises(OutOfMemory, match=r"only 1\.0 GB are free"):
        separation.separate(mixture, model=large, loader=loader)


def test_an_ensemble_steps_down_member_by_member() -> None:
    other = dataclasses.replace(FAKE, name="other")
    spec = ensemble("both", (Member(hungry(lambda kind, options: options.segment_samples <= 4000)), Member(other)))
    separation.separate(noise(2, 16000), model=spec, loader=ModelLoader("cpu"))
    assert [run[1] for run in spec.parts[0].engine.runs] == [8000, 4000]


def test_an_engine_without_steps_fails_at_once() -> None:
    spec = hungry(lambda kind, options: False, lighter=None)
    spec.engine.lighter = lambda self, options: None
    with pytest.raises(OutOfMemory, match="ran out of memory") as told:
        separation.separate(noise(2, 16000), model=spec, loader=ModelLoader("cpu"))
    assert len(spec.engine.runs) == 1 and "in vain" not in str(told.value)


def test_what_an_engine_says_of_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    small = dataclasses.replace(FAKE, name="small", memory_bytes=900_000)
    monkeypatch.setattr(catalogue, "models", lambda task: (small,))
    spec = hungry(lambda kind, options: False, error=OutOfMemory("A segment of 8 s is too long."))
    with pytest.raises(OutOfMemory, match=r"^A segment of 8 s is too long\. hungry needs .* would fit: small"):
        separation.separate(noise(2, 16000), model=spec, loader=ModelLoader("cpu"))


def test_other_errors_are_no_reason_to_try_again() -> None:
    spec = hungry(lambda kind, options: False, error=RuntimeError("a mistake of ours"))
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        separation.separate(noise(2, 16000), model=spec, loader=ModelLoader("cpu"))
    assert len(spec.engine.runs) == 1


def test_torch_says_it_by_a_type() -> None:
    import torch

    assert is_exhaustion(torch.OutOfMemoryError("CUDA out of memory."))
    assert not is_exhaustion(RuntimeError("CUDA error: an illegal memory access was encountered"))


LIMITED = """
import resource, sys
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper
if sys.argv[1] == "torch":
    import torch
from audio_ml.exhaustion import is_exhaustion
length = helper.make_tensor_value_info("length", TensorProto.INT64, [1])
ones = helper.make_tensor_value_info("ones", TensorProto.FLOAT, None)
node = helper.make_node("ConstantOfShape", ["length"], ["ones"])
model = helper.make_model(helper.make_graph([node], "ones", [length], [ones]), ir_version=9)
model.opset_import[0].version = 17
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), used + (1 << 30)))
n = 1 << 31
work = {
    "onnxruntime": lambda: session.run(None, {"length": np.array([n])}),
    "numpy": lambda: np.ones(n),
    "torch": lambda: torch.ones(n),
}
try:
    work[sys.argv[1]]()
except Exception as error:
    print(type(error).__name__, is_exhaustion(error))
"""


@pytest.mark.parametrize("library", ["onnxruntime", "numpy", "torch"])
@pytest.mark.skipif(sys.platform != "linux", reason="limits its own memory")
def test_the_way_each_library_says_it_is_known(library: str) -> None:
    """The real error, of a process that may take no more than a gigabyte."""
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, library], check=False, capture_output=True, text=True, timeout=300
    )
    assert ran.stdout.split()[1:] == ["True"], ran.stdout + ran.stderr
