"""What a batch is to separate: the files behind the files, folders and globs that were named."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audio_ml.errors import InvalidInput
from audio_ml.streams import show
from ui.batch_state import STATE_NAME, BatchState

AUDIO = (
    "aac ac3 aif aifc aiff amr ape au bwf caf dts eac3 flac m4a m4b mka mp2 mp3 mpc oga ogg opus rf64 snd tta w64 "
    "wav wave wma wv"
)
VIDEO = "3gp avi flv m2ts m4v mkv mov mp4 mpeg mpg mts mxf ogv vob webm wmv"
MEDIA_ENDINGS = frozenset(f".{ending}" for ending in f"{AUDIO} {VIDEO}".split())
WILDCARDS = "*?["


@dataclass(frozen=True)
class Item:
    """A file to separate, the `folder` its stems go below, and its `name` below the folder that was given."""

    source: Path
    folder: Path
    name: str


def is_batch(paths: Iterable[Path]) -> bool:
    """Tells whether these arguments can stand for several files; a lone file does not.

    >>> is_batch([Path("reels/*.wav")]), is_batch([Path("song.wav")])
    (True, False)
    """
    first, *others = paths
    return bool(others) or _may_hold_several(first)


def check_watchable(paths: Iterable[Path]) -> None:
    """Raises `InvalidInput` for what can never come to hold a new file."""
    for path in paths:
        if not _may_hold_several(path):
            raise InvalidInput(f"--watch looks at folders and globs; {show(path)} is neither.")


def find_items(
    paths: Iterable[Path],
    out_dir: Path,
    *,
    is_output: Callable[[Path], bool] = lambda _: False,
    empty: bool = False,
    warn: Callable[[str], None] = lambda _: None,
) -> list[Item]:
    """Returns every file behind files, folders and globs once, in order; folders are mirrored below `out_dir`.

    Files that are named are taken as they are. From folders and globs come media files, told by their
    ending, and files of the ending that a glob names. Left out are hidden ones, links to nothing (with a
    word to `warn`), the output folder, the output folders of other batches, told by their
    state file, the stems of batches that wrote them among their sources, and what `is_output`.

    Raises:
        InvalidInput: when a folder or the state of a batch in it cannot be read, or a folder or glob holds nothing
            and is not allowed to be `empty`.
    """
    items: dict[str, Item] = {}
    for path in paths:
        if not _may_hold_several(path):
            items.setdefault(_place(path), Item(path, out_dir, path.name))
            continue
        search = _Search(path, out_dir, warn)
        found = {place: file for place, file in search.files().items() if not is_output(file)}
        if not found and not empty:
            raise InvalidInput(f"{show(path)}: no audio or video files were found there.")
        for place, file in found.items():
            items.setdefault(place, _mirrored(file, search.root, out_dir))
    return list(items.values())


def _may_hold_several(path: Path) -> bool:
    """Tells folders and globs from files; a file that is there under such a name is a file."""
    has_wildcards = any(character in os.fspath(path) for character in WILDCARDS)
    return os.path.isdir(path) or (has_wildcards and not os.path.lexists(path))  # noqa: PTH112 - Path's raises for long names


class _Search:
    """The media files behind a folder or a glob."""

    def __init__(self, path: Path, out_dir: Path, warn: Callable[[str], None]) -> None:
        self.root = path if path.is_dir() else _fixed_prefix(path)
        self._parts = () if path.is_dir() else path.parts[len(self.root.parts) :]
        self._warn = warn
        self._real_root, self._real_out = _real(self.root), _real(out_dir)
        self._stems: set[str] = set()
        if self._real_root != self._real_out and (self.root / STATE_NAME).is_file():
            self._stems |= _stems_among_sources(self.root)

    def files(self) -> dict[str, Path]:
        """Returns the files by their places, in order; of the ways that links make to a file, the straight one."""
        found = {file for file in self._matches(self.root, self._parts) if self._leads_somewhere(file)}
        folders = {folder: _real(folder) for folder in {file.parent for file in found}}
        straight = {folder: self._real_root / folder.relative_to(self.root) for folder in folders}
        files: dict[str, Path] = {}
        for file in sorted(found, key=lambda file: (folders[file.parent] != straight[file.parent], file)):
            files.setdefault(os.path.normcase(folders[file.parent] / file.name), file)
        return {place: file for place, file in files.items() if place not in self._stems}

    def _matches(self, folder: Path, parts: Sequence[str]) -> Iterator[Path]:
        """Yields the files below a folder that the rest of a glob matches, and those below folders that it matches."""
        if not parts:
            for below, names in self._walk(folder):
                yield from (below / name for name in names if not _is_hidden(name) and _is_media(name))
            return
        part, *rest = parts
        if part == "**":  # unlike that of glob, it follows no links, which may go round in circles
            for below, _ in self._walk(folder) if rest else [(folder, ())]:
                yield from self._matches(below, rest)
            return
        for name in glob.iglob(part, root_dir=folder):  # noqa: PTH207 - Path.glob matches hidden files
            match = folder / name
            if not match.is_dir():
                if not rest and (_is_media(name) or _has_ending_of(part, name)):
                    yield match
            elif not self._is_left_out(match):
                yield from self._matches(match, rest)

    def _walk(self, top: Path) -> Iterator[tuple[Path, Sequence[str]]]:
        """Yields folders and the names of their files; links to other folders are not followed."""
        for folder, folders, names in os.walk(top, onerror=_refuse):
            here = Path(folder)
            folders[:] = [name for name in folders if not _is_hidden(name) and not self._is_left_out(here / name)]
            yield here, names

    def _is_left_out(self, folder: Path) -> bool:
        """Tells whether a folder below the root holds nothing but what batches made."""
        real = _real(folder)
        if self._real_root in self._real_out.parents and self._real_out in (real, *real.parents):
            return True
        if real == self._real_root or not (folder / STATE_NAME).is_file():
            return False
        stems = _stems_among_sources(folder)
        self._stems |= stems
        return not stems

    def _leads_somewhere(self, file: Path) -> bool:
        if os.path.exists(file) or not os.path.islink(file):  # noqa: PTH110, PTH114 - Path's raise where it may not look
            return True
        self._warn(f"{show(file)} is a link to nothing, and left out.")
        return False


def _stems_among_sources(folder: Path) -> set[str]:
    """Returns the places of what a batch wrote into a folder of its sources; none, if the folder has its stems only."""
    return {_place(stem) for stem in BatchState(folder).stems_beside_sources()}


def _fixed_prefix(pattern: Path) -> Path:
    """Returns the folder that a glob starts from.

    >>> _fixed_prefix(Path("reels/2024/**/*.wav")).as_posix()
    'reels/2024'
    """
    fixed = Path()
    for part in pattern.parts:
        if any(character in part for character in WILDCARDS):
            break
        fixed /= part
    return fixed


def _mirrored(file: Path, root: Path, out_dir: Path) -> Item:
    below = file.relative_to(root)
    if ".." in below.parts:
        raise InvalidInput(f"{show(file)} leaves {show(root)}: '..' cannot come after a wildcard.")
    return Item(file, out_dir / below.parent, os.fspath(below))


def _place(path: Path) -> str:
    """Returns one name for all the ways to a file; a file that is a link has a place of its own."""
    return os.path.normcase(_real(path.parent) / path.name)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _is_media(name: str) -> bool:
    return Path(name).suffix.lower() in MEDIA_ENDINGS


def _has_ending_of(pattern: str, name: str) -> bool:
    ending = Path(name).suffix
    return bool(ending) and ending == Path(pattern).suffix


def _refuse(error: OSError) -> None:
    raise InvalidInput(f"{show(error.filename)} cannot be read: {error.strerror}.") from error
