"""Decodes the first sound track of a file with FFmpeg's libraries: blocks of one form, in step with the picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml.audio import Samples

FFMPEG_OPTIONS = {"protocol_whitelist": "file"}  # a media file may name others, on other machines too
SILENCE_SAMPLES = 1 << 16  # at once

# Whose times are those of the picture: others guess them from bytes, or round them to what their packets hold.
TIMED_CONTAINERS = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mxf", "mpegts"}
SMALLEST_LATE_START = Fraction(1, 50)  # s
SMALLEST_JUMP = Fraction(1, 50)  # s, from the end of one frame to the next: a smaller one is the clock's jitter
SMALLEST_GAP = Fraction(1, 10)  # s, of all that is missing by then: what FFmpeg's aresample fills up at once
LONGEST_GUESS = 10  # s: more in a stream that may begin its times anew is no gap (FFmpeg's dts_delta_threshold)

Note = Callable[[str], None]  # takes what is odd about the file, as the end of a sentence that begins with its name


def ffmpeg_name(path: Path) -> str:
    """Returns a path as FFmpeg takes for a file, even if it looks like a URL."""
    return "file:" + os.fspath(path)


@dataclass
class Decoding:
    """One pass over the first sound track of a file.

    Every block has the same channels and rate: what changes midway is converted. In a film, sound that begins after
    the picture and gaps in it are silence, so that each sample lies where it is seen. `note` hears of all this.
    """

    path: Path
    sample_rate: int
    n_channels: int
    note: Note
    _n_done: int = field(init=False, default=0)
    _resampler: Any = field(init=False, default=None)
    _form: tuple[Any, ...] = field(init=False, default=())
    _has_noted_change: bool = field(init=False, default=False)

    def blocks(self) -> Iterator[Samples]:
        """Yields float32 blocks [channels, n].

        Raises:
            av.FFmpegError: where the file is damaged.
        """
        import av

        with av.open(ffmpeg_name(self.path), options=FFMPEG_OPTIONS, metadata_errors="replace") as container:
            n_tracks = len(container.streams.audio)
            if n_tracks > 1:
                self.note(f"has {n_tracks} sound tracks: the first one was read.")
            layout = container.streams.audio[0].codec_context.layout.name
            gaps = _Gaps(container, self.sample_rate, self.note)
            for frame in container.decode(audio=0):
                n_missing = gaps.before(frame, self._n_done)
                form = (frame.sample_rate, frame.layout.name, frame.format.name)
                if n_missing or form != self._form:
                    yield from self._ready(None)
                    self._resampler, self._form = self._resampler_for(frame, layout), form
                yield from self._silence(n_missing)
                yield from self._ready(frame)
            yield from self._ready(None)

    def _resampler_for(self, frame: Any, layout: str) -> Any:
        import av

        if (frame.sample_rate, frame.layout.nb_channels) == (self.sample_rate, self.n_channels):
            return av.AudioResampler(format="flt")
        if not self._has_noted_change:
            self._has_noted_change = True
            found = _form_in_words(frame.layout.nb_channels, frame.sample_rate)
            begun = _form_in_words(self.n_channels, self.sample_rate)
            position = self._n_done / self.sample_rate
            self.note(f"changes to {found} at {position:.2f} s: all that differs was converted to {begun}.")
        return av.AudioResampler(format="flt", layout=layout, rate=self.sample_rate)

    def _ready(self, frame: Any) -> Iterator[Samples]:
        """Yields what the resampler has after one more frame, or at the end of its form."""
        if self._resampler is None:
            return
        for converted in self._resampler.resample(frame):
            # Interleaved, and turned here: of planes PyAV takes seven at most.
            block = np.ascontiguousarray(converted.to_ndarray().reshape(-1, converted.layout.nb_channels).T)
            self._n_done += block.shape[1]
            yield block

    def _silence(self, n_samples: int) -> Iterator[Samples]:
        for start in range(0, n_samples, SILENCE_SAMPLES):
            block = np.zeros((self.n_channels, min(SILENCE_SAMPLES, n_samples - start)), np.float32)
            self._n_done += block.shape[1]
            yield block


def _form_in_words(n_channels: int, sample_rate: int) -> str:
    return f"{n_channels} {'channel' if n_channels == 1 else 'channels'} at {sample_rate} Hz"


class _Gaps:
    """Where the sound of a film is not: before its first frame, and between frames."""

    def __init__(self, container: Any, sample_rate: int, note: Note) -> None:
        # A picture of one frame, as of an album, has no rate.
        is_film = any(stream.average_rate for stream in container.streams.video)
        self._is_timed = is_film and container.format.name in TIMED_CONTAINERS
        self._begin = Fraction(container.start_time or 0, 1_000_000)
        self._duration = Fraction(container.duration or 0, 1_000_000)
        self._is_guess = container.format.name == "mpegts" or not self._duration
        self._rate, self._note = sample_rate, note
        self._end: Fraction | None = None  # of the last frame
        self._has_noted = False

    def before(self, frame: Any, n_done: int) -> int:
        """Returns how many samples of silence belong before a frame, when so many lie before it already."""
        if not self._is_timed or frame.pts is None:
            return 0
        previous = self._end
        time: Fraction = frame.pts * frame.time_base - self._begin
        self._end = time + Fraction(frame.samples, frame.sample_rate)
        missing = time - Fraction(n_done, self._rate)
        if previous is None:
            is_gap = missing > SMALLEST_LATE_START
        else:
            is_gap = missing > SMALLEST_GAP and time - previous > SMALLEST_JUMP
        if not is_gap or not self._is_believed(time, missing):
            return 0
        if not self._has_noted:
            self._has_noted = True
            what = "no sound until" if previous is None else f"a gap in its sound from {float(previous):.2f} s to"
            self._note(f"has {what} {float(time):.2f} s: what is missing is silence here, in step with the picture.")
        return round(missing * self._rate)

    def _is_believed(self, time: Fraction, missing: Fraction) -> bool:
        """Tells a gap from damaged times, whose silence could fill a disk."""
        return not (self._duration and time > self._duration) and not (self._is_guess and missing > LONGEST_GUESS)
