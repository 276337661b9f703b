"""The watermark of cloned speech: `mark` writes it, `detect` finds it again.

It is the implicit watermark of PerTh (Resemble AI 2023; `audio_ml/nets/perth.py`): small changes of level of the sound
below 2 kHz, which the package `resemble-perth` finds as well. It tells honest people what they hear. It does not stop
others: whoever wants to can remove it, playing the sound 5 % faster is enough.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio_ml import loader as loaders
from audio_ml.audio import Audio, Samples
from audio_ml.judges.perth import DETECTOR, MARKER, SAMPLE_RATE, PerthDetector, PerthMarker
from audio_ml.loader import ModelLoader
from audio_ml.nets.perth import BINS, KERNEL, N_WIDE
from audio_ml.progress import Progress
from audio_ml.streams import AudioReader, Resampler

WATERMARK = "perth 1.0.1 implicit"  # what a provenance record says

N_FFT = 2048
HOP = 320
FLOOR = 1e-9  # magnitudes below are silence
FLOOR_DB = -180.0
RANGE_DB = 195.0  # scaled decibels are (dB - FLOOR_DB) / RANGE_DB
SILENT = 0.035  # scaled decibels of a frame, on average, that only digital silence stays below
REACH = N_WIDE * (KERNEL // 2)  # frames on either side that a frame's mark depends on
BLOCK = 1000  # frames that are marked at once

WINDOW_SECONDS = 6  # that the detector judges at once
WINDOW_HOP_SECONDS = 3
AUDIBLE_DB = -40.0  # frames this far below the loudest of a window do not count: a mark is lost in the noise there
FEWEST_FRAMES = 20  # audible ones that tell anything: 0.2 s
SMOOTHED_BINS = 5  # the pattern of a mark is finer than that
MARKED_SLOPE = 0.5  # how strong the pattern is in marked sound: the transform's window blurs it
THRESHOLD = 0.6

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Passage:
    """Sound that is marked from its start to its end, and how surely, from 0 to 1."""

    start_seconds: float
    end_seconds: float
    confidence: float


@dataclass(frozen=True)
class Detection:
    """Whether sound is marked, how surely its most marked 6 s of any channel are, and which passages are.

    Two things have to be seen in 6 s of sound, and its confidence is the lesser: the network's number for each frame,
    on average over the audible ones; and in their mean spectrum the fine pattern that the marker would add to this
    very sound, as strong as marks are. Sustained tones of music may deceive the network, but do not have the pattern.
    """

    found: bool
    confidence: float
    passages: tuple[Passage, ...]
    duration_seconds: float


def mark(audio: Audio, loader: ModelLoader | None = None, progress: Progress | None = None) -> Audio:
    """Returns sound with the watermark in it: of the same length, rate, channels, and level within a few percent.

    What is above 2 kHz stays as it was, and so does digital silence. All channels get the same changes of level.
    Peaks do not pass full scale, unless they did before. `progress` is that of the request it is part of, if it has
    borrowed another model.

    Raises:
        WeightsError: when the network cannot be had.
    """
    given = audio.samples
    resampled = _resampled(given, audio.sample_rate, SAMPLE_RATE)
    if not resampled.any():  # silence, or so short that nothing of it is left
        return audio
    with (loader or loaders.default()).use(MARKER, progress) as marker:
        added = _mark_of(resampled, marker)
    added = _fitted(_resampled(added, SAMPLE_RATE, audio.sample_rate), audio.n_samples)
    added[:, _is_silence(given)] = 0
    ceiling = max(1.0, float(np.abs(given).max()))
    return Audio(np.clip(given + added, -ceiling, ceiling), audio.sample_rate)


def detect(audio: Audio, loader: ModelLoader | None = None) -> Detection:
    """Tells whether sound is marked, at any rate and with any channels; see `Detection`.

    Raises:
        WeightsError: when the network cannot be had.
    """
    return _detect([audio.samples], audio.sample_rate, audio.n_channels, loader, Progress())


def detect_file(
    path: str | os.PathLike[str], loader: ModelLoader | None = None, progress: Progress | None = None
) -> Detection:
    """Tells whether a media file is marked, in constant memory.

    Raises:
        UnreadableAudio: as `AudioReader`.
        WeightsError: when the network cannot be had.
    """
    reader, told = AudioReader(path), progress or Progress()

    def blocks() -> Iterator[Samples]:
        for block in reader.blocks():
            told.update("looking for the watermark", reader.n_read / (reader.n_expected or reader.n_read))
            yield block

    return _detect(blocks(), reader.info.sample_rate, reader.info.n_channels, loader, told)


def _detect(
    blocks: Iterable[Samples], sample_rate: int, n_channels: int, loader: ModelLoader | None, progress: Progress
) -> Detection:
    heard = _Counted(Resampler(sample_rate, SAMPLE_RATE, n_channels).stream(blocks))
    judged: list[Passage] = []
    with (loader or loaders.default()).use_all([DETECTOR, MARKER], progress) as (detector, marker):
        for start, window in _windows(heard):
            confidence = max(_confidence(channel, detector, marker) for channel in window)
            judged.append(Passage(start / SAMPLE_RATE, (start + window.shape[1]) / SAMPLE_RATE, confidence))
    passages = tuple(_joined(window for window in judged if window.confidence >= THRESHOLD))
    highest = max((window.confidence for window in judged), default=0.0)
    return Detection(bool(passages), highest, passages, heard.n_samples / SAMPLE_RATE)


class _Counted:
    """Counts the samples of a stream while it passes."""

    def __init__(self, blocks: Iterable[Samples]) -> None:
        self._blocks, self.n_samples = blocks, 0

    def __iter__(self) -> Iterator[Samples]:
        for block in self._blocks:
            self.n_samples += block.shape[1]
            yield block


def _windows(blocks: Iterable[Samples]) -> Iterator[tuple[int, Samples]]:
    """Yields windows [channels, n] with their first sample; the last is as long as the others, if there is so much."""
    size, hop = WINDOW_SECONDS * SAMPLE_RATE, WINDOW_HOP_SECONDS * SAMPLE_RATE
    held, start, judged = None, 0, 0
    for block in blocks:
        held = block if held is None else np.concatenate([held, block], axis=1)
        while held.shape[1] >= size + hop:
            yield start, held[:, :size]
            held, start, judged = held[:, hop:], start + hop, start + size
    if held is None or not held.shape[1]:
        return
    if held.shape[1] >= size:
        yield start, held[:, :size]
        judged = start + size
    if start + held.shape[1] > judged:
        last = held[:, -size:]
        yield start + held.shape[1] - last.shape[1], last


def _joined(passages: Iterable[Passage]) -> Iterator[Passage]:
    """Yields passages in order, those that touch as one."""
    last = None
    for passage in passages:
        if last is not None and passage.start_seconds <= last.end_seconds:
            confidence = max(last.confidence, passage.confidence)
            last = Passage(last.start_seconds, passage.end_seconds, confidence)
            continue
        if last is not None:
            yield last
        last = passage
    if last is not None:
        yield last


def _confidence(channel: Samples, detector: PerthDetector, marker: PerthMarker) -> float:
    """Returns how surely a window [n] at the model's rate is marked; see `Detection`."""
    magnitudes = np.abs(np.fft.rfft(_frames(channel[None], N_FFT, HOP)[0] * _window(N_FFT)))
    power = np.square(magnitudes[:, :BINS]).sum(axis=1)
    scaled = _scaled(magnitudes)
    audible = (power > power.max() * 10 ** (AUDIBLE_DB / 10)) & (scaled.mean(axis=1) > SILENT)
    if audible.sum() < FEWEST_FRAMES:
        return 0.0
    band = scaled[:, :BINS]
    evidence = float(detector.evidence(band)[audible].mean())
    pattern = _fine(marker.residual(band)[audible].mean(axis=0))
    slope = float(pattern @ _fine(band[audible].mean(axis=0)) / (pattern @ pattern))
    return min(evidence, max(0.0, slope / MARKED_SLOPE))


def _fine(spectrum: Array) -> Array:
    """Returns a spectrum [BINS] less its moving mean, without the bins at either end that have none."""
    mean = np.convolve(spectrum, np.full(SMOOTHED_BINS, 1 / SMOOTHED_BINS), "valid")
    edge = SMOOTHED_BINS // 2
    return np.asarray(spectrum[edge:-edge] - mean, np.float64)


def _mark_of(samples: Samples, marker: PerthMarker) -> Samples:
    """Returns what a mark adds to samples [channels, n] at the model's rate, block by block."""
    n_samples = samples.shape[1]
    frames = _frames(np.pad(samples, ((0, 0), (0, -n_samples % HOP))), N_FFT, HOP)
    n_frames = frames.shape[1]
    window, n_parts = _window(N_FFT), -(-N_FFT // HOP)
    added = np.zeros((len(samples), n_frames + n_parts - 1, HOP), np.float32)
    weight = np.zeros((n_frames + n_parts - 1, HOP), np.float32)
    for start in range(0, n_frames, BLOCK):
        stop = min(start + BLOCK, n_frames)
        first = max(start - REACH, 0)
        spectra = np.fft.rfft(frames[:, first : stop + REACH] * window)
        # The level of all channels together: they get the same gains, and their sum has the mark as well.
        scaled = _scaled(np.sqrt(np.mean(np.square(np.abs(spectra)), axis=0, dtype=np.float32)))
        residual = marker.residual(scaled[:, :BINS]) * (scaled.mean(axis=1, keepdims=True) > SILENT)
        own = slice(start - first, stop - first)
        gains = 10 ** (residual[own] * (RANGE_DB / 20)) - 1
        changes = np.fft.irfft(spectra[:, own, :BINS] * gains, N_FFT) * window
        for total, parts in ((added, changes), (weight, np.broadcast_to(window**2, (stop - start, N_FFT)))):
            padded = np.pad(parts, [(0, 0)] * (parts.ndim - 1) + [(0, n_parts * HOP - N_FFT)])
            for part in range(n_parts):
                total[..., start + part : stop + part, :] += padded[..., part * HOP : (part + 1) * HOP]
    made = slice(N_FFT // 2, N_FFT // 2 + n_samples)
    result = added.reshape(len(samples), -1)[:, made] / weight.reshape(-1)[made]
    return np.asarray(result, np.float32)


def _frames(samples: Samples, n_fft: int, hop: int) -> Samples:
    """Returns a view of samples [channels, n], reflected at their ends, as frames [channels, frames, n_fft]."""
    padded = np.pad(samples, ((0, 0), (n_fft // 2, n_fft // 2)), mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=-1)[:, ::hop]


def _window(n_fft: int) -> Array:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def _scaled(magnitudes: Array) -> Array:
    """Returns magnitudes as the decibels, scaled to about [0, 1], that the networks see."""
    decibels = 20 * np.log10(np.maximum(magnitudes, FLOOR))
    return np.asarray((decibels - FLOOR_DB) / RANGE_DB, np.float32)


def _resampled(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    resampler = Resampler(from_rate, to_rate, len(samples))
    return np.concatenate(list(resampler.stream([samples])), axis=-1)


def _fitted(samples: Samples, n_samples: int) -> Samples:
    """Returns samples [channels, n] with exactly so many; resampling there and back may be a few off."""
    missing = max(0, n_samples - samples.shape[1])
    return np.pad(samples[:, :n_samples], ((0, 0), (0, missing)))


def _is_silence(samples: Samples) -> NDArray[np.bool_]:
    """Tells which samples of [channels, n] are zero in all channels, and their neighbours too."""
    zero = np.pad(~samples.any(axis=0), 1, constant_values=True)
    return zero[1:-1] & zero[:-2] & zero[2:]
