"""What a batch is to separate: the files behind the files, folders and globs that were named."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audio_ml.errors import InvalidInput
from audio_ml.streams import show

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
    is_output: Callable[[Path], bool] | None = None,
    empty: bool = False,
) -> list[Item]:
    """Returns every file behind files, folders and globs once, in order; folders are mirrored below `out_dir`.

    Files that are named are taken as they are. From folders and globs come media files, told by their
    ending, and files of the ending that a glob names; nothing hidden, nothing of an output folder that
    lies inside, and nothing that `is_output`.

    Raises:
        InvalidInput: when a folder cannot be read, or a folder or glob holds nothing and is not allowed to be `empty`.
    """
    items: dict[str, Item] = {}
    for path in paths:
        if not _may_hold_several(path):
            items.setdefault(_lexical(path), Item(path, out_dir, path.name))
            continue
        root = path if path.is_dir() else _fixed_prefix(path)
        found = _walk(path, out_dir) if path.is_dir() else _expand(path, root, out_dir)
        inside = [_mirrored(file, root, out_dir) for file in sorted(found) if not (is_output and is_output(file))]
        if not inside and not empty:
            raise InvalidInput(f"{show(path)}: no audio or video files were found there.")
        for item in inside:
            items.setdefault(_lexical(item.source), item)
    return list(items.values())


def _may_hold_several(path: Path) -> bool:
    """Tells folders and globs from files; a file that is there under such a name is a file."""
    has_wildcards = any(character in os.fspath(path) for character in WILDCARDS)
    return os.path.isdir(path) or (has_wildcards and not os.path.lexists(path))  # noqa: PTH112 - Path's raises for long names


def _walk(root: Path, out_dir: Path) -> Iterator[Path]:
    """Yields the media files below a folder; links to other folders are not followed."""
    left_out = _inside(out_dir, root)
    for folder, folders, names in os.walk(root, onerror=_refuse):
        here = Path(folder)
        folders[:] = [name for name in folders if not _is_hidden(name) and _real(here / name) != left_out]
        yield from (here / name for name in names if not _is_hidden(name) and _is_media(name))


def _expand(pattern: Path, root: Path, out_dir: Path) -> Iterator[Path]:
    """Yields the files that a glob matches and those below the folders that it matches."""
    left_out = _inside(out_dir, root)
    for match in map(Path, glob.iglob(os.fspath(pattern), recursive=True)):  # noqa: PTH207 - Path.glob takes no root
        if left_out and (_real(match) == left_out or left_out in _real(match).parents):
            continue
        if match.is_dir():
            yield from _walk(match, out_dir)
        elif _is_media(match.name) or (match.suffix and match.suffix == pattern.suffix):
            yield match


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


def _inside(out_dir: Path, root: Path) -> Path | None:
    """Returns the output folder where it lies inside the folder that is read."""
    return _real(out_dir) if _real(root) in _real(out_dir).parents else None


def _lexical(path: Path) -> str:
    return os.path.normpath(path.absolute())


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _is_media(name: str) -> bool:
    return Path(name).suffix.lower() in MEDIA_ENDINGS


def _refuse(error: OSError) -> None:
    raise InvalidInput(f"{show(error.filename)} cannot be read: {error.strerror}.") from error
