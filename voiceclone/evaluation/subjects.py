"""Whom cloning is evaluated on: people with recordings that voices are made from, and others that they are held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput
from audio_ml.spoken_words import spoken_words
from audio_ml.streams import AudioReader, read_audio, show

REFERENCE_SECONDS = 10.0
SUFFIXES = (".flac", ".wav", ".mp3", ".m4a", ".ogg", ".opus", ".aiff", ".aif")
MOST_BYTES_OF_TEXT = 10_000_000


@dataclass(frozen=True)
class Subject:
    """A person with three sets of recordings that share nothing.

    A voice is made from `reference`; what it speaks is compared with `test`, and so is `ceiling`.
    """

    name: str
    reference: tuple[Path, ...]
    test: tuple[Path, ...]
    ceiling: tuple[Path, ...]

    def sounds(self, kind: str) -> list[Audio]:
        """Reads the recordings of a kind: "reference", "test" or "ceiling"; raises `UnreadableAudio`."""
        return [read_audio(path) for path in getattr(self, kind)]


def read_subjects(folder: Path, reference_seconds: float = REFERENCE_SECONDS) -> tuple[Subject, ...]:
    """Returns the people whose recordings lie in a folder each, or the one whose recordings lie in the folder itself.

    The first recordings that come to `reference_seconds` are the reference; of the others, every second is for the
    test and every second for the ceiling.

    Raises:
        InvalidInput: when there are none, or too few of somebody.
        UnreadableAudio: for a file that is no recording.
    """
    if not folder.is_dir():
        raise InvalidInput(f"{show(folder)} is no folder: give one that holds a folder of recordings for each person.")
    here = _recordings(folder)
    folders = [folder] if here else sorted(path for path in folder.iterdir() if path.is_dir() and _recordings(path))
    if not folders:
        raise InvalidInput(f"{show(folder)} holds no recordings, nor a folder of them for each person.")
    return tuple(_subject(each, reference_seconds) for each in folders)


def read_sentences(path: Path | None = None) -> tuple[str, ...]:
    """Returns the lines of a text file that have words; by default sentences of the project.

    Raises:
        InvalidInput: when it cannot be read as text, or holds no words.

    >>> len(read_sentences())
    24
    """
    try:
        if path and path.stat().st_size > MOST_BYTES_OF_TEXT:
            raise InvalidInput(f"{show(path)} is larger than {MOST_BYTES_OF_TEXT // 10**6} MB: choose a part of it.")
        source = path or resources.files("voiceclone") / "data" / "sentences.txt"
        lines = source.read_text(encoding="utf-8-sig" if path else "utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text.") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    found = tuple(line.strip() for line in lines if spoken_words(line))
    if not found:
        raise InvalidInput(f"{path} holds no words.")
    return found


def shares(sentences: Sequence[str], n_subjects: int, each: int | None = None) -> list[tuple[str, ...]]:
    """Returns the sentences that each person's voice speaks: all of them, or `each` so many, going round.

    >>> shares(["one", "two", "three"], 2, each=2)
    [('one', 'two'), ('three', 'one')]
    """
    if each is None or each >= len(sentences):
        return [tuple(sentences)] * n_subjects
    starts = range(0, n_subjects * each, each)
    return [tuple(sentences[(start + i) % len(sentences)] for i in range(each)) for start in starts]


def _recordings(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def _subject(folder: Path, reference_seconds: float) -> Subject:
    files = _recordings(folder)
    seconds, n_reference = 0.0, 0
    while seconds < reference_seconds and n_reference < len(files):
        seconds += _duration(files[n_reference])
        n_reference += 1
    others = files[n_reference:]
    if seconds < reference_seconds or len(others) < 2:
        raise InvalidInput(
            f"{show(folder)} has too few recordings: {reference_seconds:g} s make the voice, and two more recordings "
            "at the least are what it is compared with."
        )
    return Subject(folder.resolve().name, tuple(files[:n_reference]), tuple(others[::2]), tuple(others[1::2]))


def _duration(path: Path) -> float:
    reader = AudioReader(path)
    if reader.info.exact and reader.n_expected:
        return reader.n_expected / reader.info.sample_rate
    return read_audio(path).duration_seconds
