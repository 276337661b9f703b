"""What a job can be: one module a task, which checks a request without work and runs it into a folder."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from audio_ml.errors import AudioMLError, InvalidInput, InvalidOption, blaming
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from ui.server.request import JobRequest

FILES = "files"  # the folder of the results, beside the folder of what was read
READ = "read"


@dataclass(frozen=True)
class Work:
    """A job as its worker sees it: the `inputs` are files under names that can be shown, `folder` takes the results.

    Where the request has a recording of a consent, it is the last of them.
    """

    request: JobRequest
    inputs: tuple[Path, ...]
    folder: Path
    loader: ModelLoader
    progress: Progress


class Task(Protocol):
    """A module that does one task."""

    TAKES: frozenset[str]  # the fields of a request that it reads, besides task, model, options, delivery and webhook
    N_INPUTS: tuple[int, int]  # the least and the most
    READS_SOUND: bool  # or texts

    @staticmethod
    def check(request: JobRequest) -> None:
        """Raises what is wrong with a request, before it is accepted and without opening any file."""
        ...

    @staticmethod
    def cloned(request: JobRequest) -> list[str]:
        """Names the cloned voices that a request, which is right, would make or have heard."""
        ...

    @staticmethod
    def run(work: Work) -> dict[str, Any]:
        """Does the work and returns its report; files are below the folder."""
        ...


def find_task(name: str) -> Task:
    """Returns the module of a task."""
    module: Any = importlib.import_module(f"ui.server.tasks.{name}")
    return module  # type: ignore[no-any-return]


def in_words(task: str, report: Mapping[str, Any] | None) -> list[str]:
    """Returns what came of a job in plain sentences, where its task has some."""
    words = getattr(find_task(task), "in_words", None)
    try:
        return [] if words is None or report is None else list(words(report))
    except (KeyError, TypeError, ValueError, AttributeError, AudioMLError):  # the report of an older version
        return []


def check_request(request: JobRequest) -> None:
    """Raises what is wrong with a request, before it is accepted.

    Raises:
        InvalidInput: for what the task does not take or lacks, an unknown model, option or voice.
    """
    task = find_task(request.task)
    optional = {"text", "voice", "cast", "name", "consent", "consent_recording"}
    for name in sorted(optional & request.model_fields_set - task.TAKES):
        if getattr(request, name):
            raise InvalidOption(f"'{name}' means nothing to the task '{request.task}': leave it out.")
    least, most = task.N_INPUTS
    if not least <= len(request.inputs) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        raise InvalidInput(f"The task '{request.task}' takes {wanted} of inputs, and was given {len(request.inputs)}.")
    if "overwrite" in request.delivery:
        raise InvalidOption("Unknown option 'overwrite': a job has a folder of its own.")
    task.check(request)


def run_task(
    told: Mapping[str, Any],
    inputs: list[dict[str, str]],
    folder: Path,
    server: Mapping[str, Any],
    loader: ModelLoader,
    progress: Progress,
) -> dict[str, Any]:
    """Runs a job in a new folder; returns its report, in which files have the names that clients know."""
    from ui.server.inputs import open_input
    from ui.server.options import ServerOptions

    request, options = JobRequest.model_validate(told), ServerOptions(**server)
    read, files = folder / READ, folder / FILES
    for each in (folder, read, files):
        each.mkdir(mode=0o700)
    task, sources = find_task(request.task), []
    places = [f"{read}/{number}/" for number in range(len(inputs))]
    named = (f"{files}/", *places, f"{folder}/")
    try:
        for number, (ref, place) in enumerate(zip(inputs, places, strict=True)):
            Path(place).mkdir()
            with blaming(f"inputs.{number}"):
                sources.append(open_input(ref, Path(place), options, progress, is_sound=task.READS_SOUND))
        report = task.run(Work(request, tuple(sources), files, loader, progress))
    except AudioMLError as error:
        plain = type(error)(_without_paths(str(error), named))
        plain.param = error.param and error.param.replace("references.", "inputs.")  # as clients call them
        raise plain from error
    told_report = _without_paths(report, named)
    assert isinstance(told_report, dict)
    return told_report


def _without_paths(value: Any, folders: Sequence[str]) -> Any:
    """Returns a report in which no folder of the server's is named, as JSON can tell it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _without_paths(each, folders) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_paths(each, folders) for each in value]
    if isinstance(value, str):
        for folder in folders:
            value = value.replace(folder, "")
    return value
