"""Fetches the weights of a model ahead of its first use, and repairs damaged ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audio_ml import catalogue
from audio_ml.budget import show_size
from audio_ml.catalogue import Row
from audio_ml.errors import AudioMLError, InvalidInput
from audio_ml.progress import Progress, ProgressState
from audio_ml.weights import WeightStore
from ui.models import parts_of
from ui.server.request import JobRequest
from ui.server.tasks import Work

TAKES = frozenset[str]()
N_INPUTS = (0, 0)
READS_SOUND = False


def check(request: JobRequest) -> None:
    find(request)


def find(request: JobRequest) -> Row:
    """Returns the row whose files a request is about.

    Raises:
        InvalidInput: for no model or an unknown one, and for options, of which there are none.
    """
    if not request.model:
        raise InvalidInput('Say which model: "model": "spleeter-2stems".')
    if request.options or request.delivery:
        raise InvalidInput(f"The task '{request.task}' takes no 'options' and no 'delivery': leave them out.")
    return catalogue.find_row(request.model)


def cloned(request: JobRequest) -> list[str]:
    return []


def run(work: Work) -> dict[str, Any]:
    row, store = find(work.request), work.loader.store
    try:
        _pull(parts_of(row), store, work.progress)
    except AudioMLError as error:
        raise type(error)(without_folders(str(error), store)) from error
    return {"model": row.name, "n_bytes": sum(store.size_on_disk(part) for part in parts_of(row))}


def in_words(report: Mapping[str, Any]) -> list[str]:
    return [f"{report['model']} is here: {show_size(report['n_bytes'])} on the disk."]


def without_folders(text: str, store: WeightStore) -> str:
    """Leaves only MODEL/FILE of the paths of a store in a message: its folders are no client's business."""
    for folder in (store.cache / "models", store.local):
        text = text.replace(f"{folder}/", "")
    return text


def _pull(parts: tuple[Row, ...], store: WeightStore, progress: Progress) -> None:
    """Fetches rows one after the other; the fraction is that of all their bytes, where these are told."""
    total = sum(part.download_bytes for part in parts)
    before = 0
    for part in parts:

        def tell(state: ProgressState, before: int = before, size: int = part.download_bytes) -> None:
            done = before + state.fraction * size if state.stage.startswith("fetching") else before
            progress.update(state.stage, done / total if total else 0.0)

        store.pull(part, Progress(tell))
        before += part.download_bytes
