"""Spleeter on a GPU: speed from host memory to host memory and from file to files, agreement, and what bounds it.

    python -m bench.spleeter_gpu [SONG] [--model spleeter-2stems] [--batches 4 8 16] [--device cuda]

Without a song it takes noise of five minutes. With --device cpu it runs the same path on a CPU, to see that it runs.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import separation
from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.catalogue import ModelSpec
from audio_ml.chunks import overlap_add
from audio_ml.device import Device, resolve
from audio_ml.errors import AudioMLError
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from audio_ml.writer import write_audio
from bench import machine, results
from bench.markdown import table
from bench.metrics import agreement_db
from bench.roofline import flop_of
from separation.engines.spleeter import SpleeterOptions, SpleeterTorchEngine
from separation.nets.spleeter import read_weights
from separation.own_spleeter import DATA, INDEX
from separation.spleeter_configuration import Configuration

SECONDS = 300  # of the noise
AGREEMENT_SECONDS = 30
MATRIX_SIZE = 8192


@dataclass(frozen=True)
class Run:
    """One setting: times real time of the engine alone, of the verb in memory and of files, and agreement in dB."""

    precision: str
    batch: int
    engine_speed: float
    memory_speed: float
    file_speed: float
    agreement_db: float
    peak_bytes: int


@dataclass(frozen=True)
class Findings:
    """The runs, the arithmetic of a second of sound, and the best rate of the device by precision."""

    model: str
    seconds: float
    runs: list[Run]
    flop_per_second: float
    ceilings: dict[str, float]


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    try:
        device = resolve(arguments.device)
        findings = _measure(arguments, device)
    except AudioMLError as error:
        sys.exit(str(error))
    head = machine.describe("bench.spleeter_gpu", sys.argv[1:], None)
    results.write(arguments.output, _render(head, findings, device), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.spleeter_gpu", description="Spleeter on a GPU.")
    parser.add_argument("song", nargs="?", type=Path, metavar="SONG")
    parser.add_argument("--model", default="spleeter-2stems")
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--device", default="cuda", choices=("cuda", "mps", "cpu"))
    parser.add_argument("--output", type=Path, default=results.REPOSITORY / "docs" / "bench-gpu.md", metavar="FILE")
    return parser.parse_args()


def _measure(arguments: argparse.Namespace, device: Device) -> Findings:
    row = catalogue.find("separation", arguments.model)
    configuration, spec = configuration_of(row), on_torch(row)
    loader = ModelLoader(arguments.device)
    files = loader.store.open(spec)
    random = np.random.default_rng(0)
    noise = random.standard_normal((2, SECONDS * spec.sample_rate), np.float32) * np.float32(0.1)
    song = read_audio(arguments.song) if arguments.song else Audio(noise, spec.sample_rate)
    excerpt = Audio(song.samples[:, : AGREEMENT_SECONDS * song.sample_rate], song.sample_rate)
    expected = separation.separate(excerpt, model=arguments.model, loader=ModelLoader("cpu")).stems
    runs = []
    for precision in ("full", "half"):
        for batch in arguments.batches:
            results.say(f"{precision}, {batch} patches at once")
            runs.append(_run(spec, song, excerpt, expected, loader, {"precision": precision, "batch": batch}))
    per_patch = sum(map(flop_of, read_weights(files[INDEX], files[DATA], configuration)))
    patch_seconds = configuration.frames * configuration.hop / configuration.sample_rate
    ceilings = {precision: _ceiling(device, precision) for precision in ("full", "half")}
    return Findings(spec.name, song.duration_seconds, runs, per_patch / patch_seconds, ceilings)


def _run(
    spec: ModelSpec,
    song: Audio,
    excerpt: Audio,
    expected: dict[str, Audio],
    loader: ModelLoader,
    values: dict[str, Any],
) -> Run:
    options = SpleeterOptions(**values)
    asked = spec.outputs[:-1]  # the last is what the others leave, as in the verb
    with loader.use(spec) as engine:
        _reset_peak()

        def alone() -> None:
            for _ in overlap_add(
                [song.samples],
                engine.segmentation(options),
                lambda segment: engine.separate(segment, asked, options),
                engine.workers,
            ):
                pass

        engine_seconds = _best(alone)
    memory_seconds = _best(lambda: separation.separate(song, model=spec, options=options, loader=loader))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "song.wav"
        write_audio(source, song)
        delivery = {"overwrite": True}
        file_seconds = _best(
            lambda: separation.separate_file(
                source, folder, model=spec, options=options, delivery=delivery, loader=loader
            )
        )
    found = separation.separate(excerpt, model=spec, options=options, loader=loader).stems
    agreement = min(agreement_db(stem.samples, found[name].samples) for name, stem in expected.items())
    seconds = song.duration_seconds
    speeds = (seconds / engine_seconds, seconds / memory_seconds, seconds / file_seconds)
    return Run(options.precision, options.batch, *speeds, agreement, _peak())


def on_torch(spec: ModelSpec) -> ModelSpec:
    """Returns a Spleeter row that runs as on a GPU, wherever it runs."""
    configuration = configuration_of(spec)
    return dataclasses.replace(
        spec,
        name=f"{spec.name}-torch",
        files_shared_with=(spec.name, *spec.files_shared_with),
        engine=lambda files, device: SpleeterTorchEngine(files[INDEX], files[DATA], device, configuration),
    )


def configuration_of(spec: ModelSpec) -> Configuration:
    configuration: Configuration = spec.engine.keywords["configuration"]  # type: ignore[attr-defined]
    return configuration


def _best(function: Callable[[], object], repeats: int = 3) -> float:
    function()  # loads, allocates, chooses algorithms
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _ceiling(device: Device, precision: str) -> float:
    """Returns the best rate of a product of two square matrices on the device, in operations a second."""
    import torch

    size = MATRIX_SIZE if device.kind != "cpu" else MATRIX_SIZE // 8
    dtype = torch.float32 if precision == "full" else torch.bfloat16 if device.kind == "cpu" else torch.float16
    left, right = (torch.randn(size, size, device=device.kind).to(dtype) for _ in range(2))

    def multiply() -> float:
        product = left @ right
        return float(product[0, 0])  # waits for the device

    return 2 * size**3 / _best(multiply, repeats=10)


def _reset_peak() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def _peak() -> int:
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


def _render(head: str, findings: Findings, device: Device) -> str:
    rows = []
    for run in findings.runs:
        bound = findings.ceilings[run.precision] / findings.flop_per_second
        speeds = (f"{speed:.0f}" for speed in (run.engine_speed, run.memory_speed, run.file_speed, bound))
        row = [run.precision, str(run.batch), *speeds, f"{run.engine_speed / bound:.0%}", f"{run.agreement_db:.0f}"]
        rows.append([*row, f"{run.peak_bytes / 1e9:.1f}"])
    columns = ["precision", "patches", "engine", "in memory", "files", "bound", "of it", "dB to CPU", "GB"]
    return (
        f"# Spleeter on a GPU\n\n{head}\n\n{findings.model} on {device.kind}, {findings.seconds:.0f} s of sound; times "
        f"real time. 'engine': host memory to host memory, without the rest of the verb. 'bound': if all of the "
        f"networks' {findings.flop_per_second / 1e9:.1f} GFLOP for a second ran at the rate of a matrix product.\n\n"
        f"{table(columns, rows)}\n"
    )


if __name__ == "__main__":
    main()
