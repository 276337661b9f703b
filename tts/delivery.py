"""Speech into files: one, or one for each paragraph, none of which appears before all are complete."""

from __future__ import annotations

import dataclasses
import glob
import json
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from audio_ml.encoders import Identity
from audio_ml.errors import InvalidOption
from audio_ml.formats import FORMATS, RAW, Format, FormatName, find_format
from audio_ml.provenance import Provenance
from audio_ml.speech import SpeechChunk, SpeechWarning, Word
from audio_ml.streams import AudioReader, Resampler, show
from audio_ml.writer import AudioWriter, check_target, commit_all
from tts.options import SpeechFileOptions


@dataclass(frozen=True)
class FileForm:
    """What is written: `path` (of split files the pattern of their names), format and rates in Hz."""

    path: Path
    options: SpeechFileOptions
    format: Format
    model_rate: int
    rate: int

    @staticmethod
    def of(path: Path, options: SpeechFileOptions, model_rate: int) -> FileForm:
        """Returns the form that options ask for.

        Raises:
            InvalidOption: when the format cannot hold it.
            OutputError: when the file, or the first of the split ones, is there already or cannot be.
        """
        format = _format(path, options)
        format.check(options.bit_depth, 1)
        rate = format.rate_for(options.sample_rate or model_rate)
        if options.sample_rate and rate != options.sample_rate:
            raise InvalidOption(f"{format.name} cannot hold a sample rate of {options.sample_rate} Hz; choose {rate}.")
        form = FileForm(path, options, format, model_rate, rate)
        for target in form.possible_targets():
            check_target(target, options.overwrite)
        return form

    def target(self, paragraph: int) -> Path:
        """Returns the file of a paragraph."""
        if not self.options.split:
            return self.path
        return self.path.with_name(f"{self.path.stem}_{paragraph + 1:03}{self.path.suffix}")

    def possible_targets(self) -> list[Path]:
        """Returns the file, or the first of split ones and those that are there already."""
        if not self.options.split:
            return [self.path]
        pattern = f"{glob.escape(self.path.stem)}_[0-9][0-9][0-9]{glob.escape(self.path.suffix)}"
        return [self.target(0), *sorted(self.path.parent.glob(pattern))]


@dataclass(frozen=True)
class SpeechFile:
    """A file with its length in seconds, and its words at its own time."""

    path: str
    duration_seconds: float
    words: tuple[Word, ...]


@dataclass(frozen=True)
class SpeechReport:
    """What came of a text that was spoken into files."""

    files: tuple[SpeechFile, ...]
    voice: str
    sample_rate: int
    bit_depth: str | None
    warnings: tuple[SpeechWarning, ...]
    n_clipped: int
    provenance: Provenance

    @property
    def duration_seconds(self) -> float:
        """Of all files together."""
        return sum(file.duration_seconds for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """Returns the report as plain values."""
        return dataclasses.asdict(self)


def deliver(
    chunks: Iterable[SpeechChunk],
    form: FileForm,
    made_by: Provenance,
    *,
    voice: str,
    seed: int = 0,
    on_chunk: Callable[[SpeechChunk], None] | None = None,
) -> SpeechReport:
    """Writes a stream of chunks to files, none of which appears before all are complete."""
    with SpeechFiles(form, made_by, seed) as files:
        for chunk in chunks:
            files.add(chunk)
            if on_chunk is not None:
                on_chunk(chunk)
        return files.finish(voice)


class SpeechFiles:
    """Writes chunks to files as they come; a context manager that removes what `finish` did not complete."""

    def __init__(self, form: FileForm, made_by: Provenance, seed: int) -> None:
        self._form = form
        self._identity = Identity(provenance=json.dumps(dataclasses.asdict(made_by)))
        self._made_by = made_by
        self._seed = seed
        self._stack = ExitStack()
        self._writers: list[AudioWriter] = []
        self._words: list[list[Word]] = []
        self._warnings: list[SpeechWarning] = []
        self._resampler = Resampler(form.model_rate, form.rate, 1)
        self._paragraph = -1
        self._position = 0  # of the next chunk, in samples of the model
        self._begin = 0  # of the file, likewise

    def __enter__(self) -> SpeechFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, chunk: SpeechChunk) -> None:
        """Writes the next chunk; the pause between two paragraphs goes with neither of two files."""
        samples = chunk.audio.samples
        if not self._writers or (self._form.options.split and chunk.paragraph != self._paragraph):
            skipped = chunk.n_lead if self._writers else 0
            self._begin = self._position + skipped
            samples = samples[:, skipped:]
            self._open(chunk.paragraph)
        self._paragraph = chunk.paragraph
        self._position += chunk.audio.n_samples
        shift = self._begin / self._form.model_rate
        self._words[-1] += [
            replace(word, start_seconds=word.start_seconds - shift, end_seconds=word.end_seconds - shift)
            for word in chunk.words
        ]
        self._warnings += chunk.warnings
        self._writers[-1].write(self._resampler.push(samples))

    def finish(self, voice: str) -> SpeechReport:
        """Gives all files their names, and returns what became of them."""
        self._close()
        commit_all(self._writers)
        n_clipped = sum(writer.n_clipped for writer in self._writers)
        if n_clipped:
            self._warnings.append(SpeechWarning(f"{n_clipped} samples were above full scale; lower the volume."))
        form = self._form
        self._warnings += self._strangers()
        return SpeechReport(
            files=tuple(
                SpeechFile(os.fspath(writer.path), writer.n_written / form.rate, tuple(words))
                for writer, words in zip(self._writers, self._words, strict=True)
            ),
            voice=voice,
            sample_rate=form.rate,
            bit_depth=None if form.format.lossy else form.options.bit_depth,
            warnings=tuple(self._warnings),
            n_clipped=n_clipped,
            provenance=self._made_by,
        )

    def _strangers(self) -> list[SpeechWarning]:
        """Tells which split files are there that this text has no paragraphs for: those of a longer one, mostly."""
        if not self._form.options.split:
            return []
        written = {writer.path for writer in self._writers}
        left = [path for path in self._form.possible_targets() if path not in written and path.exists()]
        if not left:
            return []
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        return [SpeechWarning(f"Not of this text, and left where it is from before: {show(left[0])}{more}.")]

    def _open(self, paragraph: int) -> None:
        self._close()
        form, options = self._form, self._form.options
        self._resampler = Resampler(form.model_rate, form.rate, 1)
        writer = AudioWriter(
            form.target(paragraph),
            form.format,
            form.rate,
            1,
            bit_depth=options.bit_depth,
            bitrate_kbps=options.bitrate_kbps,
            identity=self._identity,
            dither_seed=(self._seed,),
            overwrite=options.overwrite,
        )
        self._writers.append(self._stack.enter_context(writer))
        self._words.append([])

    def _close(self) -> None:
        if self._writers:
            self._writers[-1].write(self._resampler.finish())
            self._writers[-1].close()


def write_copies(report: SpeechReport, formats: Iterable[FormatName], bitrate_kbps: int = 128) -> list[str]:
    """Writes every file of a report again in other formats beside it, and returns their paths.

    Raises:
        OutputError: when one is there already or cannot be written.
    """
    identity = Identity(provenance=json.dumps(dataclasses.asdict(report.provenance)))
    copies = [(Path(made.path), FORMATS[name]) for made in report.files for name in formats]
    for source, format in copies:
        reader, rate = AudioReader(source), format.rate_for(report.sample_rate)
        target = source.with_suffix(f".{format.name}")
        with AudioWriter(target, format, rate, 1, bitrate_kbps=bitrate_kbps, identity=identity) as writer:
            for block in Resampler(report.sample_rate, rate, 1).stream(reader.blocks()):
                writer.write(block)
            writer.close()
            writer.commit()
    return [os.fspath(source.with_suffix(f".{format.name}")) for source, format in copies]


def _format(path: Path, options: SpeechFileOptions) -> Format:
    if options.format == "raw" or (options.format is None and path.suffix.lower() == ".raw"):
        return RAW
    return FORMATS[options.format] if options.format else find_format(path)
