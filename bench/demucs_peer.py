"""The package `demucs` in an environment of its own, with our weights in its own format, and how to run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml import catalogue
from audio_ml.audio import Audio, Samples
from audio_ml.weights import WeightStore
from bench import results

DEMUCS_VERSION = "4.1.0"
REQUIREMENTS = (f"demucs=={DEMUCS_VERSION}", "torch==2.11.*", "torchaudio==2.11.*", "onnxruntime")
MODEL = "htdemucs"
OVERLAP = 0.25
PROCESS = Path(__file__).with_name("demucs_process.py")
ON_THE_CPU = {"CUDA_VISIBLE_DEVICES": ""}


class PeerUnavailable(Exception):
    """The package cannot be run here; the message says why."""


class Side:
    """A process that has its network in memory, and separates what it is given."""

    def __init__(self, peer: Peer, kind: str, weights: Path) -> None:
        self._process = subprocess.Popen(
            [str(peer.python), str(PROCESS), "serve", kind, str(weights)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ON_THE_CPU},
        )

    def ask(self, mixture: Path, save: Path | None = None) -> dict[str, Any]:
        """Returns what the process measured of itself; see bench/demucs_process.py."""
        assert self._process.stdin and self._process.stdout
        print(json.dumps({"mixture": str(mixture), "save": save and str(save)}), file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline() or sys.exit("demucs ended early."))
        return answer

    def separate(self, song: Audio) -> dict[str, Samples]:
        """Returns the stems [2, time] of a song, in float32 throughout."""
        assert song.sample_rate == 44100 and song.n_channels == 2, "demucs would resample by itself"
        with tempfile.TemporaryDirectory() as folder:
            mixture, stems = Path(folder) / "mixture.npy", Path(folder) / "stems.npz"
            np.save(mixture, song.samples)
            self.ask(mixture, stems)
            with np.load(stems) as found:
                return {name: found[name] for name in found}

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


@dataclass(frozen=True)
class Peer:
    """demucs in the environment of `python`, our weights in its format in `repository`, and their `graph` as ONNX.

    There is no graph where our weights came from another source.
    """

    python: Path
    repository: Path
    graph: Path | None

    @property
    def kinds(self) -> dict[str, str]:
        """Names of its sides as reports tell them, and what `side` calls them."""
        kinds = {"demucs": "demucs", "demucs, bfloat16": "autocast"}
        return kinds | ({"ONNX Runtime": "onnx"} if self.graph else {})

    def command(self, song: Path, out_dir: Path, *options: str) -> list[str]:
        """Returns the command line that separates a song, one pass without random shifts."""
        demucs = [str(self.python.with_name("demucs")), "--repo", str(self.repository), "-n", MODEL, "-d", "cpu"]
        how = ["--shifts", "0", "--overlap", str(OVERLAP), *options]
        return [*demucs, *how, "-o", str(out_dir), str(song)]

    def versions(self) -> dict[str, str]:
        """Returns the versions of the environment's Python and packages."""
        versions: dict[str, str] = json.loads(_output([str(self.python), str(PROCESS), "versions"]))
        return versions

    def roofline(self) -> dict[str, Any]:
        """Returns `flop`, the arithmetic of one segment, and `rates`, of a matrix product by type of number."""
        found: dict[str, Any] = json.loads(_output([str(self.python), str(PROCESS), "roofline", str(self.repository)]))
        return found

    @contextmanager
    def side(self, kind: str) -> Iterator[Side]:
        """Offers a process of the package itself ("demucs", "autocast"), or of ONNX Runtime in its place ("onnx")."""
        weights = self.graph if kind == "onnx" else self.repository
        assert weights is not None
        with closing(Side(self, kind, weights)) as side:
            yield side


@contextmanager
def peer(work: Path, python: Path | None = None) -> Iterator[Peer]:
    """Offers demucs; `python` is an interpreter that has it, otherwise an environment is made below `work`.

    Raises:
        PeerUnavailable: when the installation fails, or the weights do not fit the package's network.
        LicenceNotAccepted: when the user has not accepted the licence of the weights.
    """
    spec = catalogue.find("separation", MODEL)
    files = WeightStore().open(spec)
    weights, published = files[spec.derived[0].name], files[spec.files[0].name]
    work.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        python = python or _environment(work / f"demucs-{DEMUCS_VERSION}")
        repository = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=work)))
        _output([str(python), str(PROCESS), "package", str(weights), str(repository)])
        yield Peer(python, repository, published if published.suffix == ".onnx" else None)


def _environment(folder: Path) -> Path:
    """Returns the interpreter of the environment in `folder`, which is made when it is not complete."""
    python, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        results.say(f"installing demucs {DEMUCS_VERSION}, once: some minutes")
        _output([sys.executable, "-m", "venv", "--clear", str(folder)])
        _output([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS])
        complete.touch()
    return python


def _output(command: list[str]) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **ON_THE_CPU})
    if finished.returncode:
        raise PeerUnavailable(f"{' '.join(command[:4])} failed:\n{finished.stderr[-3000:]}")
    return finished.stdout
