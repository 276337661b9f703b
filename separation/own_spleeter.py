"""Finds the files of a Spleeter model that a user has trained: its JSON configuration and its checkpoint."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from audio_ml.catalogue import WeightFile
from audio_ml.errors import InvalidInput
from audio_ml.hashing import file_sha256
from audio_ml.sources import FileSource
from separation.spleeter_configuration import Configuration, read_configuration

CONFIGURATION, INDEX, DATA = "config.json", "model.index", "model.data-00000-of-00001"  # names in a row
LATEST = re.compile(r'^\s*model_checkpoint_path:\s*"([^"]+)"', re.MULTILINE)
SHARD = ".data-00000-of-00001"


@dataclass(frozen=True)
class OwnModel:
    """A model on the user's disk; its `name` changes with the content of its files."""

    name: str
    configuration: Configuration
    files: tuple[WeightFile, ...]


def find_files(path: Path) -> OwnModel | None:
    """Returns the model of a folder or a JSON configuration; None where there is no sign of Spleeter.

    A folder holds the checkpoint and one configuration. A configuration names its folder as `model_dir`, which is
    looked for where Spleeter does (MODEL_PATH or pretrained_models), from the current folder, and beside it.

    Raises:
        InvalidInput: when a part is missing, or the configuration asks for what is not here.
    """
    if path.is_dir():
        return _in_folder(path)
    if path.suffix != ".json" or not path.is_file():
        return None
    known = read_configuration(path)
    if known is None:
        return None
    places = list(dict.fromkeys(_places(path, known[1])))
    for folder in places:
        checkpoint = _checkpoint(folder)
        if checkpoint is not None:
            return _model(path, known[0], checkpoint)
    tried = "".join(f"\n  - {folder}" for folder in places)
    raise InvalidInput(f"{path} names '{known[1]}' as its model_dir, and no folder of these has a checkpoint:{tried}")


def _in_folder(folder: Path) -> OwnModel | None:
    checkpoint = _checkpoint(folder)
    if checkpoint is None:
        return None
    configurations = [
        (path, known[0]) for path in sorted(folder.glob("*.json")) if (known := read_configuration(path)) is not None
    ]
    if len(configurations) != 1:
        raise InvalidInput(
            f"{folder} has {len(configurations) or 'no'} Spleeter configurations beside its checkpoint. Copy the JSON "
            "file that it was trained with into it, or name that file instead of the folder."
        )
    return _model(*configurations[0], checkpoint)


def _places(configuration: Path, model_dir: str) -> Iterator[Path]:
    """Yields where the folder of a configuration may be; an absolute `model_dir` is the same in all of them."""
    beside = configuration.parent
    yield Path(os.environ.get("MODEL_PATH", "pretrained_models")) / model_dir
    yield Path(model_dir)
    yield beside / model_dir
    if not Path(model_dir).is_absolute():
        yield beside


def _checkpoint(folder: Path) -> tuple[Path, Path] | None:
    """Returns index and data of a folder's checkpoint, the latest where it has several.

    Raises:
        InvalidInput: when it cannot be told which one, or the data is missing.
    """
    indices = sorted(folder.glob("*.index"))
    if not indices:
        return None
    note = folder / "checkpoint"
    latest = LATEST.search(note.read_text(errors="replace")) if note.is_file() else None
    if latest is not None:
        index = folder / f"{PureWindowsPath(latest[1]).name}.index"  # parts at both kinds of slash
    elif len(indices) == 1:
        (index,) = indices
    else:
        raise InvalidInput(f"{folder} has {len(indices)} checkpoints, and no file 'checkpoint' that says which one.")
    data = index.with_name(index.name.removesuffix(".index") + SHARD)
    for file in (index, data):
        if not file.is_file():
            raise InvalidInput(f"The checkpoint in {folder} is not complete: {file.name} is missing.")
    return index, data


def _model(path: Path, configuration: Configuration, checkpoint: tuple[Path, Path]) -> OwnModel:
    files = tuple(
        _weight_file(name, file.resolve())
        for name, file in zip((CONFIGURATION, INDEX, DATA), (path, *checkpoint), strict=True)
    )
    content = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
    title = re.sub(r"[^\w.-]+", "-", checkpoint[0].resolve().parent.name).strip("-.") or "model"
    return OwnModel(f"{title}-{content[:8]}", configuration, files)


def _weight_file(name: str, path: Path) -> WeightFile:
    state = path.stat()
    return WeightFile(name, state.st_size, _sha256(path, state.st_size, state.st_mtime_ns), (FileSource(path),))


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, size: int, changed_ns: int) -> str:
    """Remembers the sum of a file for as long as its size and time stay: a batch would add it up for every song."""
    return file_sha256(path)
