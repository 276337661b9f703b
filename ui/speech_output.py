"""Where the sound of a command that speaks goes: files with captions, standard output or a player, and what is told."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from audio_ml.errors import InvalidOption, OutputError, OutputUnwritable
from audio_ml.options import describe
from audio_ml.progress import Progress
from audio_ml.speech import SpeechChunk, SpeechWarning
from audio_ml.streams import show
from audio_ml.writer import check_target
from tts.delivery import SpeechReport
from tts.options import SpeechFileOptions
from ui.console import print_line, shown_progress

if TYPE_CHECKING:
    from ui.player import Player

CAPTIONS = ("srt", "vtt", "json", "txt")
MOST_WARNINGS = 20  # that are printed; all are in the report

Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="speech.wav by default; - writes raw 16-bit samples to "
        "standard output. The ending says the format: wav, flac, mp3, ogg and others.",
    ),
]
Captions = Annotated[
    str | None,
    typer.Option(
        "--captions",
        metavar="KIND,...",
        help="Write the words' times beside the sound: srt, vtt, json, txt (labels for Audacity).",
    ),
]
Play = Annotated[bool, typer.Option("--play", help="Play it while it is made; without -o no file is written.")]
Phonemes = Annotated[bool, typer.Option("--phonemes", help="Print the phonemes as well.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")]

Listener = Callable[[SpeechChunk], None]
Streamed = Callable[[Progress], Iterator[SpeechChunk]]  # makes the speech as a stream
Filed = Callable[[Path, Listener, Progress], SpeechReport]  # makes it into a file


@dataclass(frozen=True)
class SpeechOutput:
    """What a command was told about its output.

    Raises:
        InvalidOption: for flags that do nothing beside each other, and a name of nothing or of a folder.
        OutputUnwritable: when standard output is wanted and closed.
    """

    output: str | None
    captions: str | None
    play: bool
    phonemes: bool
    as_json: bool
    quiet: bool
    delivery: Mapping[str, Any]

    def __post_init__(self) -> None:
        kinds = _kinds(self.captions)
        _check_output(self.output)
        if not self.writes_file:
            _check_no_file_options(self.output, self.delivery, kinds, self.as_json)

    @property
    def writes_file(self) -> bool:
        """Whether the speech goes into files, and not to standard output or a player alone."""
        return self.output != "-" and not (self.play and self.output is None)

    @property
    def _target(self) -> Path:
        return Path(self.output or "speech.wav")

    def check_targets(self, inputs: Iterable[str]) -> None:
        """Finds out before any work whether files would replace what they are made of, or each other."""
        if self.writes_file:
            _check_targets(self._target, inputs, _kinds(self.captions), self.delivery)

    def take(self, script: str, sample_rate: int, streamed: Streamed, filed: Filed) -> None:
        """Has the speech of a script made at a rate in Hz, as a stream or into a file, and tells what became of it."""
        to_stdout = self.output == "-"
        page = sys.stderr if to_stdout or self.as_json else None
        with _player(sample_rate, self.play) as player:  # one that failed is told when all the rest is done
            tell = _listener(player, self.phonemes, page)
            with shown_progress("speech", self.quiet or self.as_json or to_stdout) as progress:
                if not self.writes_file:
                    _stream(streamed(progress), tell, script, to_stdout=to_stdout, player=player)
                    return
                began = time.perf_counter()
                report = filed(self._target, tell, progress)
                seconds = time.perf_counter() - began
                written = _write_captions(report, _kinds(self.captions), bool(self.delivery.get("overwrite")))
            _tell_warnings(report.warnings, script)
            _tell_unused(report, self.delivery)
            if self.as_json:
                print(json.dumps(report.as_dict() | {"captions": written}, indent=2, ensure_ascii=False))
            elif not self.quiet:
                _print_summary(report, written, seconds)


def _check_output(output: str | None) -> None:
    """Finds out before any work whether there is something that can be written to.

    Raises:
        InvalidOption: for a name of nothing, or of a folder.
        OutputUnwritable: when standard output is closed.
    """
    if output == "":
        raise InvalidOption("-o names no file: write -o speech.wav, say.")
    if output == "-" and sys.stdout is None:
        raise OutputUnwritable("Standard output is closed: leave it open for -o -, or name a file with -o.")
    if output is not None and Path(output).is_dir():
        inside = show(Path(output) / "speech.wav")
        raise InvalidOption(f"{show(output)} is a folder: name a file in it, such as -o {inside}.")


def _player(sample_rate: int, play: bool) -> AbstractContextManager[Player | None]:
    if not play:
        return nullcontext()
    from ui.player import Player

    return Player(sample_rate)


def _listener(player: Player | None, phonemes: bool, page: TextIO | None) -> Listener:
    """Returns what is done with each chunk as it comes: it is played, and its phonemes are printed on a page."""

    def tell(chunk: SpeechChunk) -> None:
        if player is not None:
            player.play(chunk.audio.samples)
        if phonemes and chunk.phonemes:
            print(chunk.phonemes, file=page)

    return tell


def _print_summary(report: SpeechReport, written: Iterable[str], seconds: float) -> None:
    pace = f"{report.duration_seconds / seconds:.0f} times real time"
    print(f"{report.duration_seconds:.1f} s in the voice {report.voice}, made at {pace}")
    for path in [*(made.path for made in report.files), *written]:
        print(f"  {path}")


def _kinds(written: str | None) -> list[str]:
    kinds = [kind.strip().lstrip(".") for kind in (written or "").split(",") if kind.strip()]
    for kind in kinds:
        if kind not in CAPTIONS:
            raise InvalidOption(f"Unknown captions '{kind}'; choose from {', '.join(CAPTIONS)}.")
    return list(dict.fromkeys(kinds))


def _check_no_file_options(
    output: str | None, delivery: Mapping[str, Any], kinds: Sequence[str], as_json: bool
) -> None:
    """Raises `InvalidOption` that names every option which only means something for a file."""
    given = [field.flag for field in describe(SpeechFileOptions) if delivery.get(field.name) not in (None, False)]
    given += [flag for flag, is_given in (("--captions", kinds), ("--json", as_json)) if is_given]
    if given:
        door = (
            "-o - gives raw 16-bit samples at the model's rate"
            if output == "-"
            else "--play without -o OUT writes no file"
        )
        raise InvalidOption(f"{door}: leave out {', '.join(given)}, or name a file with -o.")


def _check_targets(target: Path, inputs: Iterable[str], kinds: Iterable[str], delivery: Mapping[str, Any]) -> None:
    """Finds out before any work whether sound and captions would replace what they are made of, or each other.

    Raises:
        InvalidOption: when they would.
        OutputError: when a caption file exists and is to be kept, or cannot be written.
    """
    is_split, overwrite = bool(delivery.get("split")), bool(delivery.get("overwrite"))
    captions = [path for kind in kinds for path in _caption_paths(target, kind, is_split)]
    for path in captions:
        if os.path.realpath(path) == os.path.realpath(path.with_suffix(target.suffix)):
            raise InvalidOption(f"The captions would replace the sound, {show(path)}: choose another name or kind.")
    for path in [target, *captions]:
        for source in inputs:
            if _is_same(path, Path(source).expanduser()):
                raise InvalidOption(f"{show(path)} is read for this speech and would be replaced: choose another -o.")
    for path in captions:
        check_target(path, overwrite)


def _caption_paths(target: Path, kind: str, is_split: bool) -> list[Path]:
    """Returns the captions' file; of split ones the first, and those of any number that are there already."""
    if not is_split:
        return [target.with_suffix(f".{kind}")]
    name = re.compile(rf"{re.escape(target.stem)}_\d{{3,}}\.{kind}")
    there = target.parent.iterdir() if target.parent.is_dir() else ()
    first = target.with_name(f"{target.stem}_001.{kind}")
    return [first, *sorted(path for path in there if name.fullmatch(path.name))]


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there
        return False


def _write_captions(report: SpeechReport, kinds: Sequence[str], overwrite: bool) -> list[str]:
    from tts.captions import write_beside

    for path in (Path(made.path).with_suffix(f".{kind}") for made in report.files for kind in kinds):
        check_target(path, overwrite)  # again: what came meanwhile is kept as well
    return write_beside(report, kinds)


def _stream(
    chunks: Iterable[SpeechChunk],
    tell: Listener,
    script: str,
    *,
    to_stdout: bool,
    player: Player | None,
) -> None:
    """Hands chunks on as they come, until there are no more or nobody takes them."""
    from audio_ml.wav import encode

    warnings: list[SpeechWarning] = []
    is_first = True
    for chunk in chunks:
        if to_stdout:
            if is_first:
                print_line(f"raw samples: signed 16 bit, little-endian, mono, {chunk.audio.sample_rate} Hz")
            _write_samples(encode(chunk.audio.samples, "16"))
        tell(chunk)
        warnings += chunk.warnings
        is_first = False
        if player is not None and player.has_ended and not to_stdout:
            break
    _tell_warnings(warnings, script)


def _write_samples(content: bytes) -> None:
    """Writes to standard output; ends the command quietly when its reader has had enough.

    Raises:
        OutputError: when it cannot be written for another reason.
    """
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        # What is left in the buffer would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise typer.Exit from None
        raise OutputError(f"Standard output cannot be written: {error.strerror}.") from error


def _tell_unused(report: SpeechReport, delivery: Mapping[str, Any]) -> None:
    is_lossy = report.bit_depth is None
    name, flag = ("bit_depth", "--bit-depth") if is_lossy else ("bitrate_kbps", "--bitrate")
    if name in delivery:
        print_line(f"audio-ml: {flag} has no effect: the file's format is {'lossy' if is_lossy else 'lossless'}.")


def _tell_warnings(warnings: Iterable[SpeechWarning], script: str) -> None:
    told = list(warnings)
    for warning in told[:MOST_WARNINGS]:
        line = "" if warning.span is None else f"line {script.count(chr(10), 0, warning.span[0]) + 1}: "
        print_line(f"audio-ml: {line}{warning.message}")
    if len(told) > MOST_WARNINGS:
        print_line(f"audio-ml: {len(told) - MOST_WARNINGS} more like these; --json has them all.")
