"""The tracks of a job: its results that are sound, and what it was made from where that is still here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_ml.audio import Samples
from audio_ml.errors import AudioMLError, InvalidInput
from audio_ml.streams import AudioReader
from ui.server.inputs import resolve_below
from ui.server.refusals import NotFound
from ui.server.services import Services
from ui.server.store import Job

SOURCE = "source"  # the name of what a job was made from; results have a suffix
SOUND_TYPES = ("audio/", "video/")


@dataclass(frozen=True)
class Track:
    """Something to hear. `n_samples` is its length as it is played, at its own `sample_rate`, or None before a count.

    `title` is for people; `lufs` is None where nobody has measured it, or where it is silent.
    """

    name: str
    title: str
    path: Path
    sample_rate: int
    n_channels: int
    n_samples: int | None
    start_seconds: float = 0.0
    lufs: float | None = None
    is_source: bool = False

    def blocks(self, start: int = 0) -> Iterator[Samples]:
        """Yields its samples [channels, n] from a sample on, as many as it has; memory stays constant."""
        if self.n_samples is not None and start >= self.n_samples:
            return
        left = None if self.n_samples is None else self.n_samples - start
        duration = None if left is None else left / self.sample_rate
        begin = round(self.start_seconds * self.sample_rate) + start
        yield from AudioReader(self.path, begin / self.sample_rate, duration).blocks()

    def counted(self) -> int:
        """Returns its length in samples, after decoding it where its file does not tell."""
        return self.n_samples if self.n_samples is not None else sum(block.shape[1] for block in self.blocks())

    def as_dict(self) -> dict[str, Any]:
        """Returns what a player is told of it."""
        hidden = ("path", "start_seconds")
        return {key: value for key, value in vars(self).items() if key not in hidden}


def tracks_of(services: Services, job: Job) -> list[Track]:
    """Returns the tracks of a job that is done, in the order of its report; the source is the last.

    Raises:
        NotFound: when the job is not done, or has no sound.
    """
    report = job.outcome.report or {}
    told = {file["path"]: file for file in report.get("files", ()) if isinstance(file, Mapping) and "path" in file}
    files = [file for file in job.outcome.files if file.media_type.startswith(SOUND_TYPES)]
    if job.state != "done" or not files:
        raise NotFound("The job has no sound to be heard.")
    order = list(told)
    files.sort(key=lambda file: order.index(file.name) if file.name in told else len(order))
    folder = services.scheduler.folder_of(job.id)
    tracks = [_result(folder / file.name, file.name, told.get(file.name, {})) for file in files]
    source = _source(services, job)
    return tracks if source is None else [*tracks, source]


def find_track(services: Services, job: Job, name: str) -> Track:
    """Returns a track by its name; raises `NotFound` when there is none."""
    for track in tracks_of(services, job):
        if track.name == name:
            return track
    raise NotFound(f"The job has no track '{name}'.")


def adds_up(job: Job) -> bool:
    """Tells whether the results together are the source, by the report's own measure."""
    return (job.outcome.report or {}).get("null_depth_db") is not None


def _result(path: Path, name: str, told: Mapping[str, Any]) -> Track:
    info = AudioReader(path).info
    n_samples = told.get("n_samples") or (info.n_samples if info.exact else None)
    lufs = (told.get("loudness") or {}).get("integrated_lufs")
    return Track(name, told.get("stem") or path.stem, path, info.sample_rate, info.n_channels, n_samples, lufs=lufs)


def _source(services: Services, job: Job) -> Track | None:
    """Returns the only input of a job as it was read, if it is still what it was then."""
    report = job.outcome.report or {}
    with contextlib.suppress(AudioMLError, OSError):
        path = _path_of(services, job)
        if path is None or "n_samples" not in report:
            return None
        info, start = AudioReader(path).info, float(job.request.delivery.get("start_seconds") or 0.0)
        n_samples = round(report["n_samples"] * info.sample_rate / report["sample_rate"])
        return Track(SOURCE, SOURCE, path, info.sample_rate, info.n_channels, n_samples, start, is_source=True)
    return None


def _path_of(services: Services, job: Job) -> Path | None:
    if len(job.inputs) != 1:
        return None
    (ref,) = job.inputs
    if "upload" in ref:
        return services.uploads.find(ref["upload"], job.owner).path
    if "root" in ref:
        path, _ = resolve_below(ref["path"], [Path(ref["root"])])
        is_same = path.stat().st_mtime <= (job.started or 0.0)
        return path if is_same else None
    return None


def check_alike(tracks: list[Track]) -> tuple[int, int]:
    """Returns the rate and the number of channels that tracks share; raises `InvalidInput` when they do not."""
    forms = {(track.sample_rate, track.n_channels) for track in tracks}
    if len(forms) != 1:
        raise InvalidInput("Only tracks of the same rate and the same channels can be mixed.")
    return forms.pop()
