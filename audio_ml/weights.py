"""Fetches, checks and keeps the files of a row: cache -> checksum -> path, and nothing unchecked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import Field

from audio_ml.catalogue import DerivedFile, ModelSpec, Row, WeightFile
from audio_ml.derivation import derive_apart
from audio_ml.downloads import CONNECT_SECONDS, SourceFailed, reasons_of
from audio_ml.errors import (
    DownloadFailed,
    MissingDependency,
    OutputUnwritable,
    WeightsCorrupt,
    WeightsError,
    WeightsMissing,
)
from audio_ml.hashing import file_sha256
from audio_ml.licences import Licences
from audio_ml.options import Options
from audio_ml.progress import Progress
from audio_ml.sources import Source


class FetchOptions(Options):
    """Whether a command may fetch."""

    offline: bool = Field(False, description="Open no socket; use only what is on this machine.")
    accept_licence: bool = Field(
        False, description="Accept the terms of the models that are named, as `audio-ml models accept` does."
    )


SHA256_DIGITS = 64
UNREACHABLE_SECONDS = 60.0  # that a source which did not answer is not asked again
LOOK_SECONDS = 0.5  # between two looks at whether the user has stopped what is waited for


@dataclass(frozen=True)
class FileState:
    """Where a file of a row is and whether its content is right; `path` is None when it is not here."""

    name: str
    path: Path | None
    correct: bool

    @property
    def in_words(self) -> str:
        """`missing`, `right` or `damaged`."""
        return "missing" if self.path is None else "right" if self.correct else "damaged"


class WeightStore:
    """The weight files of this machine.

    A file is looked for in `local` (a folder of the user's, laid out as ROW/FILE), then in `cache`,
    then at the row's sources. `offline` opens no socket and starts no package client. With
    `accept_licences` the terms of what is opened count as accepted from then on.
    """

    def __init__(
        self,
        cache: Path | None = None,
        local: Path | None = None,
        offline: bool | None = None,
        accept_licences: bool = False,
    ) -> None:
        environment = os.environ
        self.cache = cache or Path(environment.get("AUDIO_ML_CACHE") or _user_cache())
        local_name = environment.get("AUDIO_ML_MODELS")
        self.local = local or (Path(local_name) if local_name else None)
        self.offline = (
            environment.get("AUDIO_ML_OFFLINE", "").lower() not in ("", "0", "false", "no")
            if offline is None
            else offline
        )
        self.licences = Licences()
        self._accept_licences = accept_licences
        self._unreachable: dict[str, tuple[SourceFailed, float]] = {}  # why, and until when

    def open(self, row: Row, progress: Progress | None = None) -> Mapping[str, Path]:
        """Returns the row's files by name; each is fetched or made, and checked, when it is asked for.

        Raises:
            LicenceNotAccepted: when the row's terms have to be accepted first.
            WeightsMissing: when a file is not here and the store is offline.
            WeightsCorrupt: when a file's content is not the row's.
            DownloadFailed: when every source failed, with the reason of each.
            MissingDependency: when a package client is missing and no other source had the file.
        """
        if self._accept_licences:
            self.licences.accept(row)
        self.licences.check(row)
        return _Files(self, row, progress or Progress())

    def pull(self, row: Row, progress: Progress | None = None) -> None:
        """Makes every file of a row present and right, replacing damaged ones; raises as `open`."""
        progress = progress or Progress()
        for member in row.parts if isinstance(row, ModelSpec) and row.members else ():
            self.pull(member, progress)
        for state in self.states(row, progress):
            if state.path is not None and not state.correct and self._is_ours(state.path):
                state.path.unlink()
        files = self.open(row, progress)
        for name in files:
            progress.check()
            files[name]

    def states(self, row: Row, progress: Progress | None = None) -> list[FileState]:
        """Checks every file of a row against its checksum."""
        states, progress = [], progress or Progress()
        for done, file in enumerate(row.all_files):
            progress.update(f"checking {row.name}", done / len(row.all_files))
            states.append(self._state(row, file))
        return states

    def size_on_disk(self, row: Row) -> int:
        """Returns the bytes a row takes in the cache and the user's folder."""
        paths = (self.find(row, file) for file in row.all_files)
        return sum(path.stat().st_size for path in paths if path is not None)

    def contents(self, row: Row) -> dict[str, str]:
        """Returns the sha256 of a row's files as they are here, by name; of one that is not, what is told of it."""
        variants = [next((variant for variant, _ in self._here(row, file)), file) for file in row.files]
        return {variant.name: self._known_sha256(row, variant) for variant in variants}

    def remove(self, row: Row) -> int:
        """Deletes a row's files from the cache, never from the user's own folder, and returns the bytes freed."""
        folder = self.folder(row)
        freed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if folder.exists():
            shutil.rmtree(folder)
        return freed

    def keep(self, row: Row, file: WeightFile, source: IO[bytes]) -> None:
        """Takes a file of a row into the cache from an open `source`; raises `WeightsCorrupt` when it is another."""
        with self._lock(row):
            arrived = self.folder(row) / f".{file.name}.part"
            try:
                with arrived.open("wb") as target:
                    shutil.copyfileobj(source, target)
                _check(arrived, file.size, file.sha256, row)
                os.replace(arrived, self.folder(row) / file.name)
                self._record(row, file).unlink(missing_ok=True)  # of one that was replaced
            finally:
                arrived.unlink(missing_ok=True)

    def folder(self, row: Row) -> Path:
        """Returns the cache folder of a row."""
        return self.cache / "models" / row.name

    def find_folder(self, row: Row) -> Path | None:
        """Returns where a row's first file lies: the user's own folder, the cache, or nowhere (yet)."""
        path = self.find(row, row.files[0]) if row.files else None
        return path.parent if path else None

    def find(self, row: Row, file: WeightFile | DerivedFile) -> Path | None:
        """Returns where a file or one of its alternatives is, unchecked, or None."""
        if isinstance(file, DerivedFile):
            return _first_file([self._derived_path(row, file)])
        return next((path for _, path in self._here(row, file)), None)

    def obtain(self, row: Row, file: WeightFile, progress: Progress) -> Path:
        """Returns a checked file or alternative, fetched when none is here; `open` is the door for callers."""
        found = next(self._here(row, file), None)
        if found is None:
            self._refuse_offline(row)
            with self._lock(row, progress):
                found = next(self._here(row, file), None) or self._fetch(row, file, progress)
        variant, path = found
        self._check_file(path, variant, row)
        return path

    def _here(self, row: Row, file: WeightFile) -> Iterator[tuple[WeightFile, Path]]:
        """Yields those variants of a file that are on this machine, unchecked."""
        for variant in file.variants:
            folders = [self.folder(row), *(self.cache / "models" / name for name in row.files_shared_with)]
            if self.local is not None:
                folders = [*(self.local / name for name in (row.name, *row.files_shared_with)), *folders]
            places = [folder / variant.name for folder in folders]
            places += [place for source in variant.sources if (place := source.here()) is not None]
            if path := _first_file(places):
                yield variant, path

    def derive(self, row: Row, file: DerivedFile, progress: Progress) -> Path:
        """Returns a checked derived file, made when it is not here; `open` is the door for callers."""
        path = self._derived_path(row, file)
        if not path.is_file():
            inputs = [self.obtain(row, _named(row, name), progress) for name in file.inputs]
            path = self._derived_path(row, file)  # what was not told of the inputs is known now
            with self._lock(row, progress):
                if not path.is_file():
                    derive_apart(file, inputs, path, progress)
        _check(path, path.stat().st_size, _recorded_hash(path, row), row)
        return path

    def _state(self, row: Row, file: WeightFile | DerivedFile) -> FileState:
        path = self.find(row, file)
        if path is None:
            return FileState(file.name, None, False)
        try:
            if isinstance(file, WeightFile):
                for variant, path in self._here(row, file):
                    self._check_file(path, variant, row)
            else:
                _check(path, path.stat().st_size, _recorded_hash(path, row), row)
        except WeightsCorrupt:
            return FileState(file.name, path, False)
        return FileState(file.name, path, True)

    def _check_file(self, path: Path, file: WeightFile, row: Row) -> None:
        """Checks a file against its row; one whose sha256 is not told in full is held to what it was the first time."""
        found = _check(path, file.size, self._known_sha256(row, file), row)
        record = self._record(row, file)
        if len(file.sha256) == SHA256_DIGITS or record.is_file():
            return
        try:
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(found)
        except OSError as error:
            raise OutputUnwritable(f"{record} cannot be written: {error.strerror}.") from error

    def _record(self, row: Row, file: WeightFile) -> Path:
        return self.folder(row) / f"{file.name}.sha256"

    def _known_sha256(self, row: Row, file: WeightFile) -> str:
        """Returns the sha256 of a file, as far as it is told or was recorded here."""
        record = self._record(row, file)
        is_told = len(file.sha256) == SHA256_DIGITS
        return file.sha256 if is_told or not record.is_file() else record.read_text()

    def _is_ours(self, path: Path) -> bool:
        return self.cache in path.parents

    def _derived_path(self, row: Row, file: DerivedFile) -> Path:
        """A derived file lies under a key of all that goes into it, so that a change makes it anew."""
        inputs = [variant for name in file.inputs for variant in _named(row, name).variants]
        recipe = [file.builder, file.version, *(self._known_sha256(row, variant) for variant in inputs)]
        key = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:12]
        return self.folder(row) / key / file.name

    @contextmanager
    def _lock(self, row: Row, progress: Progress | None = None) -> Iterator[None]:
        """Keeps two processes from fetching one row at once."""
        from filelock import FileLock, Timeout

        folder = self.folder(row)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / ".lock")
            while not lock.is_locked:
                with contextlib.suppress(Timeout):
                    lock.acquire(LOOK_SECONDS)
                if progress is not None and not lock.is_locked:
                    progress.check()
        except OSError as error:
            raise OutputUnwritable(f"The cache {folder} cannot be written: {error.strerror}.") from error
        try:
            yield
        finally:
            lock.release()

    def _refuse_offline(self, row: Row) -> None:
        if self.offline:
            raise WeightsMissing(
                f"{row.name} is not on this machine and fetching is off. Run `audio-ml models pull {row.name}` "
                "where there is a network, or bring a bundle with `audio-ml models import`."
            )

    def _fetch(self, row: Row, file: WeightFile, progress: Progress) -> tuple[WeightFile, Path]:
        failures: dict[str, SourceFailed | MissingDependency | WeightsCorrupt] = {}
        for variant, source in [(one, source) for one in file.variants for source in one.sources]:
            try:
                return variant, self._fetch_from(source, row, variant, progress)
            except (SourceFailed, MissingDependency, WeightsCorrupt) as error:
                failures[str(source)] = error
        missing = any(isinstance(error, MissingDependency) for error in failures.values())
        kind: type[WeightsError | MissingDependency] = MissingDependency if missing else DownloadFailed
        told = reasons_of(failures, f"{'B' if missing else 'Try again, or b'}ring it with `audio-ml models import`.")
        place = f"It can be put into AUDIO_ML_MODELS, too, as {row.name}/{file.name}."
        raise kind(f"{file.name} of {row.name} could not be fetched: {told}\n{place}")

    def _fetch_from(self, source: Source, row: Row, file: WeightFile, progress: Progress) -> Path:
        known, until = self._unreachable.get(source.service, (SourceFailed(""), 0.0))
        if time.monotonic() < until:
            raise SourceFailed(known.reason, f"{known.cause}, tried before" if known.cause else "tried before")
        work = self.folder(row) / ".work"
        target, arrived = self.folder(row) / file.name, work / f"{file.name}.arrived"
        work.mkdir(exist_ok=True)
        began = time.monotonic()
        stage, total = f"fetching {row.name} from {source}", max(row.download_bytes, file.size)
        before = sum(other.size for other in row.files if other is not file and self.find(row, other) is not None)

        def report(n_bytes: int) -> None:
            progress.update(stage, (before + n_bytes) / total if total else 0.0)

        report(0)
        try:
            source.fetch(arrived, work, report)
            _check(arrived, file.size, file.sha256, row)
            os.replace(arrived, target)
            self._record(row, file).unlink(missing_ok=True)  # of one that was replaced
        except SourceFailed as error:
            if time.monotonic() - began > CONNECT_SECONDS:  # a refusal at once costs nothing next time
                self._unreachable[source.service] = error, time.monotonic() + UNREACHABLE_SECONDS
            raise
        except OSError as error:
            raise OutputUnwritable(f"{target} cannot be written: {error.strerror}.") from error
        finally:
            self._tidy(work, row, set() if target.exists() else source.downloads)
        return target

    def _tidy(self, work: Path, row: Row, suspect: Set[str]) -> None:
        """Removes what was downloaded, except packages that hold more files of the row which are not here yet."""
        absent = [file for file in row.files if self.find(row, file) is None]
        sources = (source for file in absent for variant in file.variants for source in variant.sources)
        wanted = {name for source in sources for name in source.downloads} - suspect
        for path in work.iterdir():
            if path.name in wanted:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something is kept
            work.rmdir()


class _Files(Mapping[str, Path]):
    def __init__(self, store: WeightStore, row: Row, progress: Progress) -> None:
        self._store = store
        self._row = row
        self._progress = progress
        self._by_name: dict[str, WeightFile | DerivedFile] = {file.name: file for file in row.all_files}

    def __getitem__(self, name: str) -> Path:
        file = self._by_name[name]
        if isinstance(file, DerivedFile):
            return self._store.derive(self._row, file, self._progress)
        return self._store.obtain(self._row, file, self._progress)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


def _user_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("audio-ml")


def _named(row: Row, name: str) -> WeightFile:
    return next(file for file in row.files if file.name == name)


def _first_file(places: list[Path]) -> Path | None:
    try:
        return next((place for place in places if place.is_file()), None)
    except OSError as error:
        raise OutputUnwritable(f"{places[0]} cannot be read: {error.strerror}.") from error


def _recorded_hash(path: Path, row: Row) -> str:
    record = path.with_name(path.name + ".sha256")
    try:
        return record.read_text()
    except FileNotFoundError:
        raise WeightsCorrupt(_repair(path, row, "its checksum is missing")) from None


def _check(path: Path, size: int, sha256: str, row: Row) -> str:
    """Returns the sha256 of a file, once size and sha256 are as told; the latter may be its beginning alone."""
    if size and path.stat().st_size != size:
        raise WeightsCorrupt(_repair(path, row, f"it has {path.stat().st_size} bytes instead of {size}"))
    found = file_sha256(path)
    if not found.startswith(sha256):
        raise WeightsCorrupt(_repair(path, row, f"its sha256 is {found[:12]}... instead of {sha256[:12]}..."))
    return found


def _repair(path: Path, row: Row, problem: str) -> str:
    repair = (
        f"Repair it with `audio-ml models pull {row.name}` or, on the page, with Verify and Fetch in the tab Models"
    )
    remedy = f"{repair}; replace it yourself if it lies in AUDIO_ML_MODELS"
    return f"{path} is damaged: {problem}. {remedy}."
