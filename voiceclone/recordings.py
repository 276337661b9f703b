"""Listens to recordings until enough speech was found, and keeps that speech, with what was measured of it.

Memory holds a minute of the recording and the speech that was found, however long the recording is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio_ml import loader as loaders
from audio_ml.audio import Audio, Samples
from audio_ml.errors import blaming
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.streams import AudioReader, Resampler, show
from voiceclone import band_levels
from voiceclone.band_levels import FRAME, SAMPLE_RATE
from voiceclone.clipping import FlatTops
from voiceclone.engines import voice_activity
from voiceclone.engines.voice_activity import FRAME_SECONDS, VOICE_ACTIVITY, Spans, VoiceActivity, find_spans

STAGE = "listening"
SECTION_FRAMES = round(60 / FRAME_SECONDS)  # looked at together
ROOM_FRAMES = 3  # 0.1 s that is kept on both sides of speech
BESIDE_FRAMES = round(1 / FRAME_SECONDS)  # on both sides of speech: what sounds there is heard with it
LONGEST_PASSAGE_FRAMES = round(10 / FRAME_SECONDS)
HEARD_PEAK, FAINTEST_PEAK = 0.03, 3e-5  # the voice activity misses speech that peaks below the first: it is raised
CANCELLED_DB = -10.0  # a mix so far below its channels: they are the same sound with opposite signs

Recording = Audio | str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Passage:
    """Speech without a long pause: `samples` [time] at 24 kHz with a little room, and what was measured of it.

    `level_db` is the RMS of the speech in dBFS, `clipped` the share of its samples in flat tops.
    """

    samples: Samples
    source: str
    start_seconds: float
    speech_seconds: float
    level_db: float
    snr_db: float
    clipped: float


@dataclass(frozen=True, eq=False)
class Heard:
    """What one recording gave: `seconds_heard` of it were listened to, all of them where `whole`.

    `spectrum` [band_levels.N_BINS] is the mean power of its speech, zero where there is none.
    """

    source: str
    sample_rate: int
    seconds_heard: float
    whole: bool
    peak: float
    passages: tuple[Passage, ...]
    spectrum: band_levels.Powers
    warnings: tuple[str, ...] = ()

    @property
    def speech_seconds(self) -> float:
        return sum(passage.speech_seconds for passage in self.passages)


def listen(
    recordings: Sequence[Recording],
    enough_seconds: float,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> list[Heard]:
    """Listens to each recording until it has given its share of `enough_seconds` of speech.

    Raises:
        UnreadableAudio: when a file cannot be read.
        WeightsError: when the voice activity's network cannot be had.
    """
    progress = progress or Progress()
    share = enough_seconds / max(1, len(recordings))
    with (loader or loaders.default()).use(VOICE_ACTIVITY, progress) as engine:
        heard = []
        for index, (recording, name) in enumerate(zip(recordings, _names(recordings), strict=True)):
            with blaming(f"references.{index}"):
                listener = _Listener(recording, name, engine.begin())
                heard.append(listener.listen(share, progress, (index, len(recordings))))
        return heard


@dataclass(eq=False)
class _Listener:
    """Listens to one recording, section by section."""

    recording: Recording
    name: str
    activity: VoiceActivity
    rate: int = field(init=False)
    n_expected: int | None = field(init=False)
    reader: AudioReader | None = field(init=False, default=None)
    position: int = field(init=False, default=0)  # frames before the pending ones
    pending: Samples = field(init=False)
    probabilities: NDArray[np.float32] = field(init=False)
    passages: list[Passage] = field(init=False, default_factory=list)
    spectrum: band_levels.Powers = field(init=False)
    n_speech_frames: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if isinstance(self.recording, Audio):
            self.rate, self.n_expected = self.recording.sample_rate, self.recording.n_samples
        else:
            self.reader = AudioReader(self.recording)
            self.rate, self.n_expected = self.reader.info.sample_rate, self.reader.n_expected
        self.pending = np.zeros(0, np.float32)
        self.probabilities = np.zeros(0, np.float32)
        self.spectrum = np.zeros(band_levels.N_BINS)

    def listen(self, share_seconds: float, progress: Progress, place: tuple[int, int]) -> Heard:
        kept = Resampler(self.rate, SAMPLE_RATE, 1)
        heard = Resampler(self.rate, voice_activity.SAMPLE_RATE, 1)
        self.tops = FlatTops(self.rate, FRAME_SECONDS)
        n_read, peak, whole = 0, 0.0, True
        for block in self._blocks():
            n_read += block.shape[1]
            peak = max(peak, float(np.abs(block).max()))
            self.tops.add(block)
            mono = downmix(block)[None]
            gain = np.float32(max(1.0, HEARD_PEAK / max(peak, FAINTEST_PEAK)))
            self._take(kept.push(mono)[0], self.activity.push(heard.push(mono * gain)[0]))
            speech_seconds = sum(passage.speech_seconds for passage in self.passages)
            progress.update(STAGE, (place[0] + self._fraction(n_read, speech_seconds / share_seconds)) / place[1])
            if speech_seconds >= share_seconds and (self.n_expected or n_read + 1) > n_read:
                whole = False
                break
        if whole:
            self._take(kept.finish()[0], self.activity.push(heard.finish()[0]))
            self.probabilities = np.concatenate([self.probabilities, self.activity.finish()])
            self._take_section(ends=True)
        return Heard(
            self.name,
            self.rate,
            n_read / self.rate,
            whole,
            peak,
            tuple(self.passages),
            self.spectrum / max(1, self.n_speech_frames),
            tuple(self.reader.warnings) if self.reader else (),
        )

    def _blocks(self) -> Iterator[Samples]:
        if self.reader is not None:
            yield from self.reader.blocks()
        elif isinstance(self.recording, Audio):
            for first in range(0, self.recording.n_samples, self.rate):
                yield self.recording.samples[:, first : first + self.rate]

    def _fraction(self, n_read: int, of_speech: float) -> float:
        return max(of_speech, n_read / self.n_expected if self.n_expected else 0.0)

    def _take(self, samples: Samples, probabilities: NDArray[np.float32]) -> None:
        self.pending = np.concatenate([self.pending, samples])
        self.probabilities = np.concatenate([self.probabilities, probabilities])
        while min(self.probabilities.size, self.pending.size // FRAME) >= SECTION_FRAMES:
            self._take_section(ends=False)

    def _take_section(self, ends: bool) -> None:
        """Keeps the speech of what is pending, up to the beginning of a passage that may go on."""
        n_frames = self.probabilities.size if ends else min(SECTION_FRAMES, self.probabilities.size)
        if n_frames == 0:
            return
        if ends:
            self.pending = np.pad(self.pending, (0, max(0, n_frames * FRAME - self.pending.size)))
        spans = find_spans(self.probabilities[:n_frames])
        if spans and not ends and spans[-1][1] + ROOM_FRAMES >= n_frames and spans[-1][0] > ROOM_FRAMES:
            n_frames = spans.pop()[0] - ROOM_FRAMES
        self._keep(spans, n_frames)
        self.pending = self.pending[n_frames * FRAME :]
        self.probabilities = self.probabilities[n_frames:]
        self.position += n_frames

    def _keep(self, spans: Spans, n_frames: int) -> None:
        """Measures and keeps passages of a section."""
        if not spans:
            return
        samples = self.pending[: n_frames * FRAME]
        powers = band_levels.spectra(samples)
        levels = band_levels.bands(powers)
        speaks, near = _marked(spans, n_frames, 0), _marked(spans, n_frames, ROOM_FRAMES)
        beside = _marked(spans, n_frames, BESIDE_FRAMES) & ~near
        noise = band_levels.noise_powers(levels[near], levels[beside])
        self.spectrum += powers[speaks].sum(axis=0)
        self.n_speech_frames += int(speaks.sum())
        clipped = self.tops.shares(self.position, self.position + n_frames)
        for begin, end in _cut(spans, self.probabilities):
            first, last = max(0, begin - ROOM_FRAMES), min(n_frames, end + ROOM_FRAMES)
            kept = samples[first * FRAME : last * FRAME]
            kept = kept - kept.mean()  # some converters add a constant
            speech = kept[(begin - first) * FRAME : (end - first) * FRAME]
            self.passages.append(
                Passage(
                    kept,
                    self.name,
                    (self.position + begin) * FRAME_SECONDS,
                    (end - begin) * FRAME_SECONDS,
                    float(10 * np.log10(np.mean(np.square(speech, dtype=np.float64)) + 1e-20)),
                    band_levels.snr_db(levels[begin:end].mean(axis=0), noise),
                    float(clipped[begin:end].mean()),
                )
            )


def _names(recordings: Sequence[Recording]) -> list[str]:
    """Returns what each recording goes by: its file's name, with its place where others have that name, too."""
    files = ["" if isinstance(recording, Audio) else show(Path(recording).name) for recording in recordings]
    places = [f"recording {index + 1}" for index in range(len(files))]
    return [
        (f"{name} ({place})" if files.count(name) > 1 else name) if name else place
        for name, place in zip(files, places, strict=True)
    ]


def downmix(block: Samples) -> Samples:
    """Returns a block [channels, n] as one channel [n]: their mean, or the loudest where they cancel each other out."""
    mixed: Samples = block.mean(axis=0, dtype=np.float64).astype(np.float32)
    powers = np.square(block, dtype=np.float64).mean(axis=1)
    if np.square(mixed, dtype=np.float64).mean() >= powers.max() * 10 ** (CANCELLED_DB / 10):
        return mixed
    loudest: Samples = block[int(powers.argmax())]
    return loudest


def _marked(spans: Spans, n_frames: int, room: int) -> NDArray[np.bool_]:
    """Tells which of `n_frames` lie in a span or at most `room` frames beside it."""
    marked = np.zeros(n_frames, bool)
    for begin, end in spans:
        marked[max(0, begin - room) : end + room] = True
    return marked


def _cut(spans: Spans, probabilities: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Yields spans, long ones in pieces, cut in their second half where speech is least probable."""
    for first, end in spans:
        begin = first
        while end - begin > LONGEST_PASSAGE_FRAMES:
            middle = begin + LONGEST_PASSAGE_FRAMES // 2
            cut = middle + int(np.argmin(probabilities[middle : begin + LONGEST_PASSAGE_FRAMES]))
            yield begin, cut
            begin = cut
        yield begin, end
