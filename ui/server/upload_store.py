"""The bytes of uploads: files with names of chance in one folder, and a row for each in the database."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import re
import shutil
import time
import unicodedata
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from audio_ml.budget import show_size
from audio_ml.errors import AudioMLError, DiskFull, OutputUnwritable
from audio_ml.streams import show
from ui.server.database import METADATA, Database
from ui.server.options import ServerOptions
from ui.server.refusals import Busy, TooLarge, UnknownUpload
from ui.server.results import sync
from ui.server.tokens import Caller

UPLOADS = sa.Table(
    "uploads",
    METADATA,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("owner", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),  # as results are called after it, never part of a path here
    sa.Column("metadata", sa.String, nullable=False),  # as the client sent it
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.Float, nullable=False),
)
MOST_UPLOADS = 1000  # of one caller
ID = re.compile(r"[0-9a-f]{32}")
LONGEST_NAME = 200  # bytes
ORPHAN_SECONDS = 3600.0
NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
RESERVE_BYTES = 64 << 20  # of the disk, that is left to the database and the log


@dataclass(frozen=True)
class Upload:
    """One upload: `n_bytes` of `length` are on the disk at `path`."""

    id: str
    path: Path
    name: str
    length: int
    n_bytes: int
    expires: float
    metadata: str

    @property
    def complete(self) -> bool:
        """Whether all of it is here."""
        return self.n_bytes == self.length


class UploadStore:
    """The uploads of all callers; what is another's is as if it did not exist."""

    def __init__(self, database: Database, folder: Path, options: ServerOptions) -> None:
        self._database, self._folder, self._options = database, folder, options
        self._locked: set[str] = set()
        self.is_needed: Callable[[str], bool] = lambda _: False  # whether a job has yet to read one
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, caller: Caller, length: int, name: str, metadata: str) -> Upload:
        """Begins an upload.

        Raises:
            TooLarge: over a limit of the caller's.
            DiskFull: when the disk has no room for it.
        """
        limits = caller.limits
        if length > limits.max_upload_bytes:
            raise TooLarge(f"An upload may have {show_size(limits.max_upload_bytes)} at most.")
        upload_id = uuid.uuid4().hex
        path = self._folder / upload_id
        self._check_room(length)
        row: dict[str, Any] = {"id": upload_id, "owner": caller.name, "name": safe_name(name), "metadata": metadata}
        row |= {"length": length, "expires": self._expiry()}
        with self._explained(path):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            sync(self._folder)
        with self._database.begin() as connection:
            known = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(UPLOADS.c.length), 0))
            n_uploads, n_bytes = connection.execute(known.where(UPLOADS.c.owner == caller.name)).one()
            fits = n_uploads < MOST_UPLOADS and n_bytes + length <= limits.upload_space_bytes
            if fits:
                connection.execute(UPLOADS.insert().values(row))
        if not fits:
            path.unlink(missing_ok=True)
            raise TooLarge(
                f"Your uploads may have {show_size(limits.upload_space_bytes)} together, in {MOST_UPLOADS} files at "
                "most: delete some, or wait until they expire."
            )
        return self.find(upload_id, caller.name)

    def adopt(self, caller: Caller, path: Path) -> Upload:
        """Makes a file of this machine an upload by giving it a second name; on another disk it is copied.

        Raises:
            TooLarge, DiskFull: as `create`.
            UnknownUpload: when the file is gone.
        """
        try:
            n_bytes = path.stat().st_size
        except OSError as error:
            raise UnknownUpload(f"{path.name} is no longer here: choose it again.") from error
        upload = self.create(caller, n_bytes, path.name, "")
        try:
            with self._explained(upload.path):
                _name_again(path, upload.path)
        except AudioMLError:
            self.delete(upload.id)
            raise
        return self.find(upload.id, caller.name)

    def put_back(self, upload: Upload, path: Path) -> None:
        """Gives an upload the name again that it was adopted from, where that is gone."""
        if not path.exists():
            with self._explained(upload.path):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _name_again(upload.path, path)

    def find(self, upload_id: str, owner: str) -> Upload:
        """Returns an upload of this owner.

        Raises:
            UnknownUpload: when there is none.
        """
        with self._database.read() as connection:
            found = connection.execute(UPLOADS.select().where(UPLOADS.c.id == upload_id)).one_or_none()
        path = self._folder / upload_id
        if found is None or found.owner != owner or not ID.fullmatch(upload_id):
            raise UnknownUpload(f"There is no upload {upload_id!r}; it may have expired.")
        try:
            n_bytes = path.stat().st_size
        except OSError as error:
            raise UnknownUpload(f"The upload {upload_id!r} is no longer here.") from error
        return Upload(upload_id, path, found.name, found.length, n_bytes, found.expires, found.metadata)

    @contextlib.contextmanager
    def locked(self, upload_id: str) -> Iterator[None]:
        """Keeps other requests from writing to an upload; raises `Busy` when one does."""
        if upload_id in self._locked:
            raise Busy("Another request is writing to this upload.")
        self._locked.add(upload_id)
        try:
            yield
        finally:
            self._locked.discard(upload_id)

    def append(self, upload: Upload, data: bytes) -> None:
        """Writes what comes next; raises `DiskFull`."""
        with self._explained(upload.path), upload.path.open("rb+") as file:
            file.seek(0, os.SEEK_END)
            file.write(data)

    def cut(self, upload: Upload, n_bytes: int) -> None:
        """Takes back what was written beyond."""
        os.truncate(upload.path, n_bytes)

    def keep(self, upload: Upload) -> Upload:
        """Brings onto the disk what was written, and returns how it stands now, with more time before it expires."""
        expires = self._expiry()
        with self._explained(upload.path), upload.path.open("rb+") as file:
            os.fsync(file.fileno())
            n_bytes = os.fstat(file.fileno()).st_size
        with self._database.begin() as connection:
            connection.execute(UPLOADS.update().where(UPLOADS.c.id == upload.id).values(expires=expires))
        return dataclasses.replace(upload, n_bytes=n_bytes, expires=expires)

    def delete(self, upload_id: str) -> None:
        """Removes an upload; the row goes first, so that nobody finds half of it."""
        with self._database.begin() as connection:
            connection.execute(UPLOADS.delete().where(UPLOADS.c.id == upload_id))
        (self._folder / upload_id).unlink(missing_ok=True)

    def expire(self, in_use: Collection[str] = ()) -> int:
        """Removes what nobody went on with, but not what jobs still read; returns how many went."""
        now = time.time()
        with self._database.read() as connection:
            rows = connection.execute(sa.select(UPLOADS.c.id, UPLOADS.c.expires))
            known = {row.id: row.expires for row in rows}
        kept = {*in_use, *self._locked}
        due = [upload_id for upload_id, expires in known.items() if expires < now and upload_id not in kept]
        for upload_id in due:
            self.delete(upload_id)
        for path in self._folder.iterdir():  # what a crash left between file and row
            with contextlib.suppress(FileNotFoundError):
                if path.name not in known and now - path.stat().st_mtime > ORPHAN_SECONDS:
                    path.unlink()
        return len(due)

    def _expiry(self) -> float:
        return time.time() + self._options.upload_hours * 3600

    def _check_room(self, n_bytes: int) -> None:
        if shutil.disk_usage(self._folder).free < n_bytes + RESERVE_BYTES:
            raise DiskFull(f"The server's disk has no room for {show_size(n_bytes)}.")

    @contextlib.contextmanager
    def _explained(self, path: Path) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise UnknownUpload(f"The upload {path.name!r} is no longer here.") from error
        except OSError as error:
            kind: Any = DiskFull if error.errno in NO_ROOM else OutputUnwritable
            raise kind(f"The server's folder {show(path.parent)} cannot be written to: {error.strerror}.") from error


def _name_again(path: Path, name: Path) -> None:
    """Gives a file a second name, which it has whole or not at all; on another disk it is copied."""
    arrived = name.with_name(f"{name.name}.part")
    arrived.unlink(missing_ok=True)  # of one that was killed
    try:
        os.link(path, arrived)
    except OSError:
        shutil.copyfile(path, arrived)
    os.replace(arrived, name)


def safe_name(name: str) -> str:
    """Returns a client's name for a file as one that is a file's name everywhere, and leads nowhere.

    >>> safe_name("../../etc/passwd"), safe_name("C:\\\\songs\\\\a?.wav"), safe_name("..")
    ('passwd', 'a_.wav', 'upload')
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    plain = "".join(c if c.isprintable() and c not in '<>:"|?*' else "_" for c in last).strip(" .")
    stem, dot, suffix = plain.rpartition(".")
    if not dot or len(suffix) > 10:
        stem, suffix = plain, ""
    end = f".{suffix}" if suffix else ""
    room = LONGEST_NAME - len(end.encode())
    short = stem.encode("utf-8", "replace")[:room].decode("utf-8", "ignore").rstrip(" .")
    return short + end if short else "upload" + end
