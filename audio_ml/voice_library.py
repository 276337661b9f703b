"""The voices that were enrolled on this machine: a folder with one file for each, which only its owner may read."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
import unicodedata
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from audio_ml import own_files
from audio_ml.cloned_voice import ClonedVoice, VoiceRefused, checked_name
from audio_ml.errors import (
    DiskFull,
    InvalidInput,
    OutputError,
    OutputExists,
    OutputUnwritable,
    UnknownVoice,
    did_you_mean,
)
from audio_ml.streams import show
from audio_ml.voice_file import SUFFIX, encode, read_voice_file

FOLDER_VARIABLE = "AUDIO_ML_VOICES"
ID_PREFIX = "cloned/"  # of the ids of these voices
PART_SUFFIX = ".part"
KEPT_IN_MEMORY = 512 << 20  # bytes of voices: some hundreds, and fewer that hold what other models keep of them
UNFINISHED_SECONDS = 3600.0  # after which nobody writes a file any more that was begun


def voices_folder() -> Path:
    """Returns the folder of the user's own voices: what AUDIO_ML_VOICES names, or `voices` among the user's data."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    from platformdirs import user_data_path

    return user_data_path("audio-ml") / "voices"


@dataclass(frozen=True)
class VoiceLibrary:
    """The cloned voices in a folder, by name; upper and lower case are one, as they are to many file systems.

    Voices are personal data: folders that are made here are open to their owner alone, files likewise (0700, 0600).
    The file of a voice is all that is kept of it here.

    >>> import tempfile
    >>> VoiceLibrary(Path(tempfile.mkdtemp())).names()
    []
    """

    folder: Path

    @staticmethod
    def default() -> VoiceLibrary:
        """Returns the library of this user."""
        return VoiceLibrary(voices_folder())

    def names(self) -> list[str]:
        """Returns the names that files of voices are there for, whether they can be read or not."""
        return sorted(self._files())

    def path(self, name: str) -> Path:
        """Returns the file of a voice.

        Raises:
            UnknownVoice: with the closest name, when there is none.
            InvalidInput: for a name that no voice can have.
        """
        path = self._find(checked_name(name))
        if path is not None:
            return path
        files = self._files()
        hint = did_you_mean(name, files) or (" See `audio-ml voices list`." if files else " None is enrolled here.")
        raise UnknownVoice(f"There is no cloned voice '{show(name)}'.{hint}")

    def load(self, name: str) -> ClonedVoice:
        """Returns a voice.

        Raises:
            UnknownVoice: when there is none of that name.
            InvalidInput: when its file is damaged, or holds a voice of another name.
        """
        return self._read(self.path(name))

    def voices(self) -> tuple[dict[str, ClonedVoice], dict[Path, str]]:
        """Returns all voices by name, and of the files that cannot be used each with the reason."""
        voices, broken, files = {}, {}, self._files().values()
        _READ.forget_others(self.folder, files)
        for path in files:
            try:
                voice = self._read(path)
                voices[voice.name] = voice
            except InvalidInput as error:
                broken[path] = str(error)
        return voices, broken

    def save(self, voice: ClonedVoice, *, overwrite: bool = False) -> Path:
        """Keeps a voice under its name and returns its file; it is there whole or not at all.

        Raises:
            OutputExists: when there is a voice of that name, unless `overwrite`.
            OutputError: when it cannot be written.
        """
        there = self._find(voice.name)
        if there is not None and not overwrite:
            raise OutputExists(f"There is a voice '{voice.name}' already and it is kept (--overwrite replaces it).")
        target = there or self.folder / f"{voice.name}{SUFFIX}"
        write_privately(target, encode(voice), overwrite=overwrite)
        self._remove([part for part in self._unfinished(target) if _is_left_behind(part)])
        return target

    def delete(self, name: str) -> list[Path]:
        """Deletes a voice, with what a kill left of writing it, and returns the files that are gone.

        A file is deleted by its name even if no voice can be called so: it may have been put there by hand.
        Files that were exported, or spoken with it, are not in the library and stay.

        Raises:
            UnknownVoice: when there is none.
            OutputUnwritable: when something cannot be deleted.
        """
        gone = self._remove(self._belongings(self._find(name) or self.path(name)))
        _READ.forget_others(self.folder, self._files().values())
        return gone

    def _files(self) -> dict[str, Path]:
        try:
            found = [path for path in self.folder.iterdir() if path.name.endswith(SUFFIX) and path.name[0] != "."]
        except (
            FileNotFoundError,
            NotADirectoryError,
            PermissionError,
        ):  # nobody enrolled yet, or it is somebody else's
            return {}
        return {_name_of(path): path for path in sorted(found)}

    def _find(self, name: str) -> Path | None:
        wanted = unicodedata.normalize("NFC", name).casefold()
        return next((path for known, path in self._files().items() if known.casefold() == wanted), None)

    def _belongings(self, path: Path) -> list[Path]:
        """Returns what is there of a voice: its file, and what a kill left of writing it."""
        return [part for part in (path, *self._unfinished(path)) if os.path.lexists(part)]

    def _unfinished(self, path: Path) -> list[Path]:
        parts = self.folder.glob(f".*{PART_SUFFIX}")
        return [part for part in parts if part.name[1:].rsplit(".", 2)[0] == path.name]

    def _remove(self, paths: list[Path]) -> list[Path]:
        for path in paths:
            try:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputUnwritable(f"{show(path)} cannot be deleted: {error.strerror}.") from error
        return paths

    def _read(self, path: Path) -> ClonedVoice:
        voice = read_known_voice(path)
        if voice.name.casefold() != _name_of(path).casefold():
            reason = f"it is the voice '{voice.name}': `audio-ml voices import` brings it in under its own name"
            raise VoiceRefused.because(reason, show(path))
        return voice


def find_voice(name: str) -> ClonedVoice:
    """Returns the cloned voice of a name ("anna", "cloned/anna") in the user's library, or of a file at a path.

    Raises:
        UnknownVoice: when there is none.
        InvalidInput: when it cannot be used.
    """
    if name.lower().endswith(SUFFIX) and own_files.are_welcome():
        return read_known_voice(Path(name).expanduser())
    return VoiceLibrary.default().load(name.removeprefix(ID_PREFIX))


def read_known_voice(path: Path) -> ClonedVoice:
    """Reads a voice file, or remembers it where it was read before and is the same; raises as `read_voice_file`."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return read_voice_file(path)  # which tells why
    return _READ.read(path, (status.st_mtime_ns, status.st_size, status.st_ino))


class _ReadVoices:
    """Voices that were read, while their files are what they were and there is room; safe to use from many threads.

    Where there is none, the other voices of a folder stay: all are looked at in turn again and again, so that to forget
    the oldest would be to forget the next one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[tuple[int, int, int], ClonedVoice]] = {}

    def read(self, path: Path, stamp: tuple[int, int, int]) -> ClonedVoice:
        with self._lock:
            known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        voice = read_voice_file(path)
        with self._lock:
            self._known.pop(path, None)
            if not self._has_room(stamp[1]):
                self._known = {other: known for other, known in self._known.items() if other.parent == path.parent}
            if self._has_room(stamp[1]):
                self._known[path] = stamp, voice
        return voice

    def _has_room(self, n_bytes: int) -> bool:
        return sum(size for (_, size, _), _ in self._known.values()) + n_bytes <= KEPT_IN_MEMORY

    def forget_others(self, folder: Path, files: Collection[Path]) -> None:
        """Forgets the voices of a folder that are no longer there."""
        with self._lock:
            for path in [known for known in self._known if known.parent == folder and known not in files]:
                del self._known[path]


_READ = _ReadVoices()


def write_privately(target: Path, content: bytes, *, overwrite: bool) -> None:
    """Writes a file that only its owner may read; it is there whole or not at all.

    Raises:
        OutputExists: when there is a file of that name, unless `overwrite`.
        OutputError: when it cannot be written.
    """
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}{PART_SUFFIX}")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _removed_at_last(partial):
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if overwrite:
                os.replace(partial, target)
            else:
                _give_new_name(partial, target)
    except OSError as error:
        if isinstance(error, FileExistsError) and os.path.lexists(target):
            raise OutputExists(f"{show(target)} exists already and is kept (--overwrite replaces it).") from error
        kind: type[OutputError] = DiskFull if error.errno == errno.ENOSPC else OutputUnwritable
        raise kind(f"{show(target)} was not written: {error.strerror}.") from error


@contextlib.contextmanager
def _removed_at_last(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _give_new_name(partial: Path, target: Path) -> None:
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # the file system has no hard links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "there is such a file", str(target)) from None
        partial.rename(target)


def _is_left_behind(part: Path) -> bool:
    """Tells whether a file that was begun is so old that nobody writes it any more."""
    try:
        return time.time() - part.stat().st_mtime > UNFINISHED_SECONDS
    except OSError:  # whoever wrote it is done just now
        return False


def _name_of(path: Path) -> str:
    return unicodedata.normalize("NFC", path.name.removesuffix(SUFFIX))  # some systems keep names decomposed
