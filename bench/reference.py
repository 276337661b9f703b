"""Real Spleeter: an environment of its own, since its TensorFlow cannot live in ours, and how to run it."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio_ml import catalogue
from audio_ml.audio import Audio, Samples
from audio_ml.weights import WeightStore

SPLEETER_VERSION = "2.4.2"
REQUIREMENTS = (f"spleeter=={SPLEETER_VERSION}", "setuptools<70")  # its TensorFlow needs pkg_resources
PYTHONS = ("3.10", "3.11")  # the ones that Spleeter and its TensorFlow have in common
MODEL = "spleeter-2stems"
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}  # both sides run on the CPU
PROCESS = Path(__file__).resolve().with_name("reference_process.py")


class ReferenceUnavailable(Exception):
    """Real Spleeter cannot be run here; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Reference:
    """Real Spleeter in the environment of `python`, with the weights in `models`/2stems."""

    python: Path
    models: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**QUIET, "MODEL_PATH": str(self.models)}

    def command(self, song: Path, out_dir: Path, duration_seconds: float) -> list[str]:
        """Returns the command line that separates a whole song to 16-bit WAV, Spleeter's only kind of WAV."""
        spleeter = self.python.with_name("spleeter")
        whole = str(math.ceil(duration_seconds) + 1)  # by itself it stops after ten minutes
        return [str(spleeter), "separate", "-p", "spleeter:2stems", "-d", whole, "-o", str(out_dir), str(song)]

    def versions(self) -> dict[str, str]:
        """Returns the versions of the environment's Python, Spleeter, TensorFlow and numpy."""
        versions: dict[str, str] = json.loads(self._run(["versions"]))
        return versions

    def separate(self, songs: Sequence[Audio]) -> Iterator[dict[str, Samples]]:
        """Yields the stems [2, time] of each song, by Spleeter's Python interface, in float32 throughout."""
        with tempfile.TemporaryDirectory() as folder:
            names = []
            for number, song in enumerate(songs):
                assert song.sample_rate == 44100 and song.n_channels == 2, "Spleeter would resample by itself"
                names += [f"{folder}/{number}.npy", f"{folder}/{number}.npz"]
                np.save(names[-2], song.samples.T)
            self._run(["separate", *names])
            for name in names[1::2]:
                with np.load(name) as stems:
                    yield {stem: np.ascontiguousarray(stems[stem].T) for stem in stems}

    def _run(self, arguments: list[str]) -> str:
        environment = {**os.environ, **self.environment}
        return _output([str(self.python), str(PROCESS), *arguments], "real Spleeter failed", environment)


@contextmanager
def reference(work: Path, python: Path | None = None) -> Iterator[Reference]:
    """Offers real Spleeter; `python` is an interpreter that has it, otherwise an environment is made below `work`.

    Raises:
        ReferenceUnavailable: when ffmpeg or a suitable Python is missing, or the installation fails.
    """
    missing = [tool for tool in ("ffmpeg", "ffprobe") if shutil.which(tool) is None]
    if missing:
        raise ReferenceUnavailable(
            f"Real Spleeter reads files with {' and '.join(missing)}, which is not on the PATH. "
            "Install ffmpeg: `apt install ffmpeg`, `brew install ffmpeg` or `winget install ffmpeg`."
        )
    with ExitStack() as stack:
        models = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_made(work))))
        _write_checkpoint(models / "2stems")
        yield Reference(python or _environment(work / f"spleeter-{SPLEETER_VERSION}"), models)


def default_work_folder() -> Path:
    """Returns where the environment and long test files are kept unless told otherwise."""
    from platformdirs import user_cache_path

    return user_cache_path("audio-ml") / "bench"


def _environment(folder: Path) -> Path:
    """Returns the interpreter of the environment in `folder`, which is made when it is not complete."""
    python, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        base = _find_python()
        print(f"installing real Spleeter {SPLEETER_VERSION} with TensorFlow, once: some minutes", flush=True)
        _output([base, "-m", "venv", "--clear", str(folder)], "the environment could not be made")
        _output([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS], "Spleeter could not be installed")
        complete.touch()
    return python


def _find_python() -> str:
    """Returns a Python that can host Spleeter: on the PATH, or one of pyenv's."""
    candidates = [f"python{version}" for version in PYTHONS]
    if shutil.which("pyenv"):
        found = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False)
        versions = Path(found.stdout.strip()) / "versions"
        if found.returncode == 0:
            candidates += [str(path) for name in PYTHONS for path in sorted(versions.glob(f"{name}*/bin/python"))]
    for candidate in candidates:
        if shutil.which(candidate) and _runs_as(candidate) in PYTHONS:  # a shim on the PATH may not run
            return candidate
    raise ReferenceUnavailable(
        f"Real Spleeter needs Python {' or '.join(PYTHONS)}, and none was found on the PATH or in pyenv. Install one "
        "(`pyenv install 3.10`), or name an interpreter that has Spleeter with --reference-python."
    )


def _runs_as(python: str) -> str:
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([python, "-c", question], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def _write_checkpoint(folder: Path) -> None:
    """Lays the weights of our store out as the folder that Spleeter would have downloaded."""
    folder.mkdir()
    files = WeightStore().open(catalogue.find("separation", MODEL))
    for name in ("model.index", "model.data-00000-of-00001"):
        (folder / name).symlink_to(files[name].resolve())
    (folder / "checkpoint").write_text('model_checkpoint_path: "model"\n')
    (folder / ".probe").write_text("OK")  # says that the download is complete


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _output(command: Sequence[str], failure: str, environment: dict[str, str] | None = None) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if finished.returncode:
        raise ReferenceUnavailable(f"{failure}:\n{finished.stderr[-3000:]}")
    return finished.stdout
