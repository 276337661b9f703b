"""The rows of everything that can be run or fetched, and how a face finds one by name.

Engine packages announce themselves through the entry-point group `audio_ml.models`: each entry names
a package, and every module in it offers a list `MODELS`. The entry itself is named after the task that
its models are for, "tts" or "tts.ours". A module that cannot be imported does not take the rest down;
it is listed by `unavailable`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from audio_ml import own_files
from audio_ml.device import Device
from audio_ml.errors import UnknownModel, did_you_mean
from audio_ml.options import Options
from audio_ml.sources import Source

ENTRY_POINT_GROUP = "audio_ml.models"


@dataclass(frozen=True)
class Licence:
    """Under which terms a file may be used; `commercial` is None where its owner does not say.

    Where `must_accept`, nothing is fetched or run before the user has accepted the terms.
    """

    name: str
    commercial: bool | None
    note: str = ""
    must_accept: bool = False


@dataclass(frozen=True)
class WeightFile:
    """A file of a row with its exact size and sha256, and where it can be had, in order of preference.

    Where its publisher tells only the beginning of the sha256, that is what `sha256` holds; where the
    size is not told, `size` is 0. Where no sha256 is told at all, `sha256` is empty, and the one of the
    first file that comes is recorded and held to from then on. `alternatives` are other files that serve as
    well, such as the same weights in another format: the first that is here, or can be had, is taken.
    """

    name: str
    size: int
    sha256: str
    sources: tuple[Source, ...]
    alternatives: tuple[WeightFile, ...] = ()

    @property
    def variants(self) -> tuple[WeightFile, ...]:
        return (self, *self.alternatives)


@dataclass(frozen=True)
class DerivedFile:
    """A file made once from a row's files, by `builder` ("module:function") in a process of its own.

    The function takes the output path and the input paths in the order of `inputs`. Changing
    `version` makes caches build it anew.
    """

    name: str
    inputs: tuple[str, ...]
    builder: str
    version: str


@dataclass(frozen=True)
class Row:
    """Something that can be fetched by name: a model, or a sample to try one with.

    `files_shared_with` names the rows whose files of the same names are these: what one has fetched the others use.
    """

    name: str
    task: str
    summary: str
    licence: Licence
    files: tuple[WeightFile, ...]
    derived: tuple[DerivedFile, ...] = ()
    aliases: tuple[str, ...] = ()
    files_shared_with: tuple[str, ...] = ()

    @property
    def all_files(self) -> tuple[WeightFile | DerivedFile, ...]:
        return (*self.files, *self.derived)

    @property
    def download_bytes(self) -> int:
        return sum(file.size for file in self.files)


class EngineFactory(Protocol):
    """Loads a model: takes the row's files by name, which are checked when asked for, and a device."""

    def __call__(self, files: Mapping[str, Path], device: Device) -> Any: ...


def _of_members(files: Mapping[str, Path], device: Device) -> Any:
    raise AssertionError("an ensemble is run through its members")


@dataclass(frozen=True)
class Member:
    """A model of an ensemble, with how much a stem of its counts as pairs of stem and weight; 1 where none is given."""

    spec: ModelSpec
    weights: tuple[tuple[str, float], ...] = ()

    def weight(self, stem: str) -> float:
        return dict(self.weights).get(stem, 1.0)


@dataclass(frozen=True)
class ModelSpec(Row):
    """A row that can be run: what it makes, at which rate, with which options.

    With `normalised` it hears sound whose mean over the whole is zero and whose standard deviation is one.
    `verified` is the day it was run with its published weights, "" where those could never be had. One that runs in a
    process of its own (`is_apart`) cannot be weighed in ours: its `memory_bytes` are what counts. A row
    with `members` is an ensemble of them and has no engine of its own.
    """

    outputs: tuple[str, ...] = ()
    sample_rate: int = 0
    n_channels: int = 0
    memory_bytes: int = 0
    normalised: bool = False
    verified: str = ""
    is_apart: bool = False
    members: tuple[Member, ...] = ()
    options: type[Options] = Options
    engine: EngineFactory = field(kw_only=True, default=_of_members)

    @property
    def parts(self) -> tuple[ModelSpec, ...]:
        """The rows that are loaded to run this one: itself, or its members."""
        return tuple(member.spec for member in self.members) or (self,)


Opener = Callable[[Path], ModelSpec | None]  # an engine's way to a model of the user's own


@functools.cache
def _entries() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=ENTRY_POINT_GROUP))


@functools.cache
def _discover(entry: EntryPoint) -> tuple[tuple[Row, ...], dict[str, str], tuple[Opener, ...]]:
    """Returns the rows of an engine package, its modules that have none to offer, each with the reason, and openers."""
    rows: list[Row] = []
    openers: list[Opener] = []
    failures: dict[str, str] = {}
    try:
        package = importlib.import_module(entry.module)
    except Exception as error:  # whatever other people's code may raise: it is told, and the rest goes on
        return (), {entry.module: _reason(error)}, ()
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        try:
            module = importlib.import_module(found.name)
            offered = tuple(module.MODELS)
        except Exception as error:
            failures[found.name] = _reason(error)
            continue
        strays = {row.task for row in offered if isinstance(row, ModelSpec)} - {_task(entry)}
        if strays:
            failures[found.name] = f"it has models for {', '.join(sorted(strays))} under the entry '{entry.name}'"
        else:
            rows.extend(offered)
            openers += [module.from_path] if hasattr(module, "from_path") else []
    return tuple(rows), failures, tuple(openers)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"


def _task(entry: EntryPoint) -> str:
    return entry.name.partition(".")[0]


def rows() -> tuple[Row, ...]:
    """Returns every row of every installed engine package."""
    return tuple(row for entry in _entries() for row in _discover(entry)[0])


def unavailable(task: str | None = None) -> dict[str, str]:
    """Returns the engine modules (of a task) that could not be imported, each with the reason."""
    entries = (entry for entry in _entries() if task in (None, _task(entry)))
    return {module: reason for entry in entries for module, reason in _discover(entry)[1].items()}


def models(task: str) -> tuple[ModelSpec, ...]:
    """Returns the models of a task; the engines of other tasks are not even imported.

    >>> "spleeter-2stems" in [spec.name for spec in models("separation")]
    True
    """
    found = (row for entry in _entries() if _task(entry) == task for row in _discover(entry)[0])
    return tuple(row for row in found if isinstance(row, ModelSpec))


def find_row(name: str) -> Row:
    """Returns the row of that name or alias.

    Raises:
        UnknownModel: with the closest name.
    """
    return _pick(name, rows())


def find(task: str, name: str) -> ModelSpec:
    """Returns the model of that name or alias for a task, or the user's own at that path.

    An engine module that can run what users have trained offers `from_path(path) -> ModelSpec | None`.

    Raises:
        UnknownModel: with the closest name.
        InvalidInput: when there is a model at that path, but not one that can be run.

    >>> find("separation", "spleeter:2stems").name
    'spleeter-2stems'
    """
    try:
        spec = _pick(name, models(task))
    except UnknownModel:
        own = _at_path(task, Path(name).expanduser()) if name and own_files.are_welcome() else None  # no name is "."
        if own is None:
            raise
        return own
    assert isinstance(spec, ModelSpec)
    return spec


def _at_path(task: str, path: Path) -> ModelSpec | None:
    """Asks the engines of a task for a model of the user's own; None where nothing is there.

    Raises:
        UnknownModel: when no engine knows what is there.
    """
    try:
        if not path.exists():
            return None
    except (OSError, ValueError):  # no name of a file
        return None
    for entry in _entries():
        if _task(entry) == task:
            for opener in _discover(entry)[2]:
                spec = opener(path)
                if spec is not None:
                    return spec
    raise UnknownModel(f"{path} is no model that an engine here can run.")


def _pick(name: str, among: tuple[Row, ...]) -> Row:
    for row in among:
        if name == row.name or name in row.aliases:
            return row
    names = [known for row in among for known in (row.name, *row.aliases)]
    raise UnknownModel(f"Unknown model '{name}'.{did_you_mean(name, names)} See `audio-ml models list`.")
