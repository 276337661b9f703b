"""Folders of stems: `TRACK/vocals.wav` and so on, or the stems of one track by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audio_ml.errors import InvalidInput, did_you_mean
from audio_ml.formats import FORMATS
from audio_ml.streams import show
from separation.evaluation.sounds import MIXTURE, Sound

ENDINGS = frozenset(f".{name}" for name in (*FORMATS, "aif", "aifc", "bwf", "caf", "mp4", "oga", "rf64", "w64", "wave"))


def is_mixture(name: str) -> bool:
    """Tells a mixture, of which there may be several, from a stem.

    >>> is_mixture("full_mixture"), is_mixture("vocals")
    (True, False)
    """
    return name == "mix" or name.endswith(MIXTURE)


def sound_files(folder: Path) -> dict[str, Path]:
    """Returns the sound files of a folder by their names without ending, stems and mixtures.

    Raises:
        InvalidInput: when the folder cannot be read, or two files are called alike.
    """
    found: dict[str, Path] = {}
    for path in sorted(_listed(folder)):
        if path.suffix.lower() not in ENDINGS or path.name.startswith(".") or not path.is_file():
            continue
        name = path.stem
        if name in found:
            raise InvalidInput(f"{show(folder)} has {found[name].name} and {path.name}: which is {name}?")
        found[name] = path
    return found


def stem_files(folder: Path) -> dict[str, Path]:
    """Returns the stems of a folder by name; raises as `sound_files`."""
    return {name: path for name, path in sound_files(folder).items() if not is_mixture(name)}


def sounds_of(folder: Path) -> dict[str, Sound]:
    """Returns the stems of a track, and its `mixture` where there is one; raises as `sound_files`."""
    files = sound_files(folder)
    return {name: Sound.file(path) for name, path in files.items() if name == MIXTURE or not is_mixture(name)}


def find_tracks(folder: Path) -> dict[str, Path]:
    """Returns the folders below one that hold stems, by their path from there; a folder of stems is one track.

    Raises:
        InvalidInput: when there are none, or a folder cannot be read.
    """
    if stem_files(folder):
        return {folder.resolve().name: folder}
    tracks = {path.relative_to(folder).as_posix(): path for path in _folders_below(folder) if stem_files(path)}
    if not tracks:
        raise InvalidInput(
            f"{show(folder)} holds no stems: neither sound files such as vocals.wav nor folders of them, one a track."
        )
    return tracks


def pair_tracks(reference: Path, estimate: Path) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """Returns the folders of each track of a reference and of its estimate, and tracks that only the estimate has.

    What `audio-ml separate 'DIR/*/mixture.wav'` writes, TRACK/mixture/vocals.wav, is found too.

    Raises:
        InvalidInput: when a track has no estimate.
    """
    references, estimates = find_tracks(reference), find_tracks(estimate)
    if references.keys() == {reference.resolve().name} and estimates.keys() == {estimate.resolve().name}:
        (track,) = references
        return {track: (reference, estimate)}, []
    named = {_without_mixture(name): path for name, path in estimates.items()}
    missing = [track for track in references if track not in named]
    if missing:
        raise InvalidInput(
            f"{show(estimate)} has no stems for {_some(missing)}.{did_you_mean(missing[0], named)} Their folders have "
            "to be called as in the reference."
        )
    extra = [track for track in named if track not in references]
    return {track: (path, named[track]) for track, path in references.items()}, extra


def _without_mixture(name: str) -> str:
    return name.removesuffix(f"/{MIXTURE}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _folders_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_dir() and not path.name.startswith("."))


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        raise InvalidInput(f"{show(folder)} does not exist.") from None
    except NotADirectoryError:
        raise InvalidInput(f"{show(folder)} is a file, not a folder of stems.") from None
    except OSError as error:
        raise InvalidInput(f"{show(folder)} cannot be read: {error.strerror}.") from error
