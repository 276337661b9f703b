"""A text spoken by a server: into files as the commands write them here, or as a stream."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml.audio import Audio
from audio_ml.errors import ServerFailed
from audio_ml.formats import find_format
from audio_ml.progress import Progress
from audio_ml.speech import SpeechChunk
from audio_ml.voice_library import ID_PREFIX
from audio_ml.writer import check_target
from tts import SpeechReport
from ui.remote import Remote, check_readable, errors_of_ours, plain, read_report, refuse, refuse_voice_files
from ui.speech_output import SpeechOutput

FULL_SCALE = 32768.0  # of 16-bit samples


@dataclass(frozen=True)
class SpeechRequest:
    """What is spoken by whom; the `task` is speak or clone."""

    task: str
    script: str
    voice: str | None
    model: str | None
    options: Mapping[str, Any]
    cast: Mapping[str, str] = field(default_factory=dict)

    @property
    def lexicons(self) -> Sequence[str]:
        """The files that go along."""
        return tuple(self.options.get("lexicon", ()))

    @property
    def sent_options(self) -> dict[str, Any]:
        """The options without these files."""
        return plain({name: value for name, value in self.options.items() if name != "lexicon"})


def speak_remotely(remote: Remote, out: SpeechOutput, asked: SpeechRequest, sources: Sequence[str]) -> None:
    """Has a text spoken to where a command's output goes; `sources` are files that the text comes from.

    Raises:
        InvalidOption: for what can only be had on the machine that speaks.
    """
    refuse_voice_files(asked.voice, *asked.cast.values())
    out.check_targets([*asked.lexicons, *sources])
    if out.phonemes:
        refuse("--phonemes", why="the report of --json has those of every word")
    if not out.writes_file:
        _take_stream(remote, out, asked)
        return
    if out.play:
        refuse("--play", why="with -o it plays what is made here; leave out -o to hear it as it comes")
    for lexicon in asked.lexicons:
        check_readable(lexicon)
    out.take(asked.script, 0, _no_stream, lambda path, _, progress: _speak_file(remote, asked, path, out, progress))


def _take_stream(remote: Remote, out: SpeechOutput, asked: SpeechRequest) -> None:
    flags = [flag for flag, given in (("--lexicon", asked.lexicons), ("--cast", asked.cast)) if given]
    refuse(*flags, why="they go with a file; name one with -o")
    voice = asked.voice
    if asked.task == "clone" and voice is not None:
        voice = ID_PREFIX + voice.removeprefix(ID_PREFIX)  # a bare name may be another voice's
    request = {"voice": voice, "model": asked.model, "options": asked.sent_options or None}
    with (
        errors_of_ours(),
        closing(remote.client(Progress()).speak_stream(asked.script, response_format="wav", **request)) as content,
    ):
        rate, pieces = _stream(content)
        out.take(asked.script, rate, lambda progress: _chunks(pieces, rate, progress), _no_file)


def _speak_file(
    remote: Remote, asked: SpeechRequest, target: Path, out: SpeechOutput, progress: Progress
) -> SpeechReport:
    from audio_ml_client import beside

    form = {name: value for name, value in out.delivery.items() if name != "overwrite"}
    form.setdefault("format", "raw" if target.suffix.lower() == ".raw" else find_format(target).name)
    overwrite = bool(out.delivery.get("overwrite"))
    check_target(target.with_name(f"{target.stem}_001{target.suffix}") if form.get("split") else target, overwrite)
    report = remote.run(
        asked.task,
        progress,
        text=asked.script,
        voice=asked.voice,
        model=asked.model,
        cast=dict(asked.cast) or None,
        options=asked.sent_options,
        inputs=asked.lexicons,
        delivery=form,
        place=lambda name: beside(target, name),
        overwrite=overwrite,
    )
    files = [{**made, "path": os.fspath(beside(target, Path(made["path"]).name))} for made in report.get("files", ())]
    return read_report(SpeechReport, report, files=files)


def _stream(content: Iterator[bytes]) -> tuple[int, Iterator[bytes]]:
    """Returns the sample rate of a WAV stream in 16 bits, mono, and what follows its header.

    Raises:
        ServerFailed: when it is none.
    """
    head = b""
    for piece in content:
        head += piece
        begin = head.find(b"data")
        if begin >= 0 and len(head) >= begin + 8:
            break
    begin, at = head.find(b"data"), head.find(b"fmt ")
    if not head.startswith(b"RIFF") or begin < 0 or at < 0:
        raise ServerFailed("The server's speech is no WAV: is it of another version?")
    _, n_channels, rate, _, _, depth = struct.unpack_from("<HHIIHH", head, at + 8)
    if (n_channels, depth) != (1, 16):
        raise ServerFailed(f"The server's speech has {n_channels} channels of {depth} bits, and not one of 16.")

    def samples() -> Iterator[bytes]:
        yield head[begin + 8 :]
        yield from content

    return rate, samples()


def _chunks(pieces: Iterator[bytes], rate: int, progress: Progress) -> Iterator[SpeechChunk]:
    left = b""
    for piece in pieces:
        progress.check()
        content = left + piece
        n_whole = len(content) // 2 * 2
        content, left = content[:n_whole], content[n_whole:]
        samples = np.frombuffer(content, "<i2").astype(np.float32)[np.newaxis] / np.float32(FULL_SCALE)
        if samples.size:
            yield SpeechChunk(Audio(samples, rate))


def _no_file(*_: object) -> SpeechReport:
    raise AssertionError("a stream is no file")


def _no_stream(*_: object) -> Iterator[SpeechChunk]:
    raise AssertionError("a file is no stream")
