"""Loudness and true peak by ITU-R BS.1770-4 and EBU R 128, and the gain that brings sound to a target.

"Tech 3341" and "Tech 3342" are the EBU's documents on meters and on loudness range.
"""

from __future__ import annotations

import math
import os
from array import array
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from audio_ml.bs1770 import CHUNK_SAMPLES, KWeighting, TruePeak
from audio_ml.encoders import Identity
from audio_ml.errors import InvalidInput, InvalidOption, OutputExists, did_you_mean
from audio_ml.excerpt import UNKNOWN_LENGTH
from audio_ml.formats import BitDepth, find_format
from audio_ml.layouts import Layout, find_layout
from audio_ml.metadata import Metadata, read_metadata
from audio_ml.progress import Progress
from audio_ml.streams import AudioReader, Resampler, show
from audio_ml.writer import AudioWriter, check_target

LOWEST_RATE = 4000  # the shelf of K-weighting lies at 1.7 kHz
STEPS_PER_SECOND = 10  # blocks of 400 ms that overlap by 75 % begin every 100 ms (BS.1770-4 annex 1)
MOMENTARY_STEPS = 4
SHORT_TERM_STEPS = 30  # 3 s (Tech 3341 section 2.2)
LUFS_OFFSET = -0.691  # BS.1770-4 annex 1, equation 2
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0  # of integrated loudness
RANGE_GATE_LU = -20.0  # of loudness range (Tech 3342 section 3)
RANGE_QUANTILES = (0.10, 0.95)
SURROUND_WEIGHT = 1.41  # of what sounds from 60 to 120 degrees to the side (BS.1770-4 annex 3)

Energies = NDArray[np.float64]


@dataclass(frozen=True)
class Loudness:
    """What a programme measures; None where there is nothing to measure.

    `momentary_lufs` (400 ms) and `short_term_lufs` (3 s) are the maxima over windows that lie wholly
    inside the programme. Integrated loudness and range need something above -70 LUFS.
    """

    integrated_lufs: float | None = None
    momentary_lufs: float | None = None
    short_term_lufs: float | None = None
    range_lu: float | None = None
    true_peak_dbtp: float | None = None

    def after(self, gain_db: float) -> Loudness:
        """Returns the loudness of the same sound, so much louder.

        >>> Loudness(-23.0, range_lu=7.0).after(-1.0)
        Loudness(integrated_lufs=-24.0, momentary_lufs=None, short_term_lufs=None, range_lu=7.0, true_peak_dbtp=None)
        """
        levels = ("integrated_lufs", "momentary_lufs", "short_term_lufs", "true_peak_dbtp")
        known = {name: getattr(self, name) for name in levels if getattr(self, name) is not None}
        return replace(self, **{name: level + gain_db for name, level in known.items()})


class LoudnessMeter:
    """Measures a stream [channels, n] in blocks of any size; it grows by 0.3 MB per hour.

    The channels weigh what their places ask for: those of `layout`, of the WAVE `channel_mask`, or of
    their number (six are 5.1, eight are 7.1). Channels without a place count alike. Below `LOWEST_RATE`
    there is only a true peak.

    >>> meter = LoudnessMeter(48000, 1)
    >>> meter.add(np.sin(2 * np.pi * 997 / 48000 * np.arange(48000, dtype=np.float32))[np.newaxis])
    >>> round(meter.result().integrated_lufs, 2)  # BS.1770-4: a full-scale sine of 997 Hz is at -3.01
    -3.01
    """

    def __init__(
        self,
        sample_rate: int,
        n_channels: int,
        *,
        channel_mask: int | None = None,
        layout: Layout | None = None,
        true_peak: bool = False,
    ) -> None:
        weights = channel_weights(layout or find_layout(n_channels, channel_mask))
        weights = weights if sample_rate >= LOWEST_RATE else 0 * weights  # nothing is heard
        self._heard = np.flatnonzero(weights)
        self._weights = weights[self._heard]
        self._sample_rate = sample_rate
        self._k_weighting = KWeighting(sample_rate, len(self._heard))
        self._true_peak = TruePeak(n_channels) if true_peak else None
        self._energies = array("d")  # of each finished step: the weighted sum of the channels' mean squares
        self._n_filtered = 0
        self._step_sum = 0.0
        self._result: Loudness | None = None

    def add(self, block: Samples) -> None:
        """Takes the next block [channels, n]."""
        assert self._result is None, "the measurement has ended"
        # Large blocks and many channels go piece by piece, so that the work stays in the cache.
        n_samples = max(1, 2 * CHUNK_SAMPLES // max(2, len(block)))
        for start in range(0, block.shape[1], n_samples):
            chunk = block[:, start : start + n_samples]
            if self._true_peak is not None:
                self._true_peak.push(chunk)
            heard = chunk if len(self._heard) == len(chunk) else chunk[self._heard]
            self._sum_squares(self._k_weighting.push(heard))

    def result(self) -> Loudness:
        """Ends the measurement and returns it; a last step of less than 100 ms counts for the peak alone."""
        if self._result is None:
            self._sum_squares(self._k_weighting.finish())
            peak = 0.0 if self._true_peak is None else self._true_peak.finish()
            self._result = _measured(np.array(self._energies), peak)
        return self._result

    def _sum_squares(self, weighted: Samples) -> None:
        """Adds K-weighted samples [heard channels, n] to the energies of the steps they lie in."""
        begin = 0
        while begin < weighted.shape[1]:
            step = len(self._energies)
            step_begin, step_end = self._step_bound(step), self._step_bound(step + 1)
            end = min(weighted.shape[1], begin + step_end - self._n_filtered)
            piece = weighted[:, begin:end]
            self._step_sum += float(self._weights @ np.einsum("ct,ct->c", piece, piece))
            self._n_filtered += end - begin
            begin = end
            if self._n_filtered == step_end:
                self._energies.append(self._step_sum / (step_end - step_begin))
                self._step_sum = 0.0

    def _step_bound(self, step: int) -> int:
        """Returns the first sample of a step; where 100 ms are no whole number of samples, steps differ by one."""
        return (2 * step * self._sample_rate + STEPS_PER_SECOND) // (2 * STEPS_PER_SECOND)


def channel_weights(layout: Layout) -> NDArray[np.float64]:
    """Returns the weights [channels] of BS.1770-4 annex 3: LFE 0, surround 1.41, any other 1.

    The back pair is the surround pair of 5.1; beside a side pair it stands further back and counts 1.

    >>> channel_weights(find_layout(6, None)).tolist()
    [1.0, 1.0, 1.0, 0.0, 1.41, 1.41]
    """
    speakers = layout.speakers
    surround = {"SL", "SR"} if {"SL", "SR"} & set(speakers) else {"BL", "BR"}
    special = {"LFE": 0.0} | dict.fromkeys(surround, SURROUND_WEIGHT)
    return np.array([special.get(speaker, 1.0) for speaker in speakers])


def _measured(energies: Energies, peak: float) -> Loudness:
    """Returns the loudness of a programme from the energies [steps] of its steps and its linear true peak."""
    momentary = _windowed(energies, MOMENTARY_STEPS)
    short_term = _windowed(energies, SHORT_TERM_STEPS)
    programme = _gated(momentary, RELATIVE_GATE_LU)
    in_range = _gated(short_term, RANGE_GATE_LU)
    range_lu = None
    if in_range.size:
        low, high = np.quantile(in_range, RANGE_QUANTILES, method="nearest")
        range_lu = 10 * math.log10(high / low)
    return Loudness(
        integrated_lufs=_lufs(programme.mean()) if programme.size else None,
        momentary_lufs=_lufs(momentary.max(initial=0.0)),
        short_term_lufs=_lufs(short_term.max(initial=0.0)),
        range_lu=range_lu,
        true_peak_dbtp=20 * math.log10(peak) if peak > 0 else None,
    )


def _windowed(energies: Energies, n_steps: int) -> Energies:
    """Returns the mean of every window of so many steps."""
    if len(energies) < n_steps:
        return np.zeros(0)
    means: Energies = np.lib.stride_tricks.sliding_window_view(energies, n_steps).mean(axis=1)
    return means


def _gated(windows: Energies, relative_gate_lu: float) -> Energies:
    """Returns the windows above the absolute gate that are above the relative gate of their mean as well."""
    loud = windows[windows > 10 ** ((ABSOLUTE_GATE_LUFS - LUFS_OFFSET) / 10)]
    return loud[loud > loud.mean() * 10 ** (relative_gate_lu / 10)] if loud.size else loud


def _lufs(energy: float) -> float | None:
    return LUFS_OFFSET + 10 * math.log10(energy) if energy > 0 else None


@dataclass(frozen=True)
class Target:
    """A loudness to bring sound to, and the true peak it must stay below."""

    name: str
    lufs: float
    true_peak_dbtp: float = -1.0
    description: str = ""
    source: str = ""


TARGETS = {
    row.name: row
    for row in (
        Target("ebu-r128", -23.0, -1.0, "European broadcasting", "EBU R 128 (2023)"),
        Target("atsc-a85", -24.0, -2.0, "American television", "ATSC A/85:2013"),
        Target(
            "netflix-dialogue",
            -27.0,
            -2.0,
            "Netflix's level of dialogue, but measured over the whole programme: there is no dialogue gate here",
            "Netflix Sound Mix Specifications",
        ),
        Target("podcast", -16.0, -1.0, "podcasts", "Apple Podcasts audio requirements"),
        Target("music", -14.0, -1.0, "music streaming", "Spotify, loudness normalization"),
    )
}


def find_target(name: str) -> Target:
    """Returns a preset by its name, or a target of so many LUFS with a true peak below -1 dBTP.

    Raises:
        InvalidOption: when it is neither.

    >>> find_target("podcast").lufs, find_target("-18.5").lufs
    (-16.0, -18.5)
    """
    if name in TARGETS:
        return TARGETS[name]
    try:
        lufs = float(name)
    except ValueError:
        hint = did_you_mean(name, TARGETS)
        raise InvalidOption(
            f"Unknown target '{name}'.{hint} It is one of {', '.join(TARGETS)}, or a number of LUFS."
        ) from None
    if not ABSOLUTE_GATE_LUFS < lufs <= 0:
        raise InvalidOption(f"A target of {name} LUFS is not possible: it lies above -70 and not above 0.")
    return Target("custom", lufs, description="a number given by the user")


@dataclass(frozen=True)
class Gain:
    """A gain in dB, and by how many dB the true-peak ceiling keeps it below what the loudness asks for."""

    gain_db: float
    held_back_db: float = 0.0

    @property
    def factor(self) -> float:
        return 10 ** (self.gain_db / 20)


def gain_to(target: Target, loudness: Loudness) -> Gain:
    """Returns the gain that brings sound of a measured loudness to a target without passing its true-peak ceiling.

    Nothing is limited or compressed: where the ceiling is in the way, the sound stays quieter.

    Raises:
        InvalidInput: when the loudness or the true peak was not measurable, or not measured.

    >>> gain_to(TARGETS["music"], Loudness(integrated_lufs=-20.0, true_peak_dbtp=-3.0))
    Gain(gain_db=2.0, held_back_db=4.0)
    """
    if loudness.integrated_lufs is None or loudness.true_peak_dbtp is None:
        raise InvalidInput(
            "There is no loudness to bring to a target: the sound is silent, below -70 LUFS, or shorter than 400 ms."
        )
    wanted_db = target.lufs - loudness.integrated_lufs
    gain_db = min(wanted_db, target.true_peak_dbtp - loudness.true_peak_dbtp)
    return Gain(gain_db, wanted_db - gain_db)


@dataclass(frozen=True)
class Measured:
    """The loudness of a file, and what was odd about the file."""

    loudness: Loudness
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Normalised:
    """A copy that was brought towards a target: where it is, what the source measured, the gain, and what was odd."""

    path: Path
    source_loudness: Loudness
    gain: Gain
    warnings: tuple[str, ...]

    @property
    def loudness(self) -> Loudness:
        """That of the copy."""
        return self.source_loudness.after(self.gain.gain_db)


def measure(path: str | os.PathLike[str], *, true_peak: bool = True, progress: Progress | None = None) -> Measured:
    """Measures a media file of any length, block by block.

    Raises:
        UnreadableAudio: as `AudioReader`.

    >>> measure("film.wav").loudness.integrated_lufs                                     # doctest: +SKIP
    -23.1
    """
    reader, metadata = AudioReader(path), read_metadata(path)
    info, progress = reader.info, progress or Progress()
    layout = find_layout(info.n_channels, metadata.channel_mask or info.channel_mask, metadata.track_names)
    meter = LoudnessMeter(info.sample_rate, info.n_channels, layout=layout, true_peak=true_peak)
    for block in reader.blocks():
        meter.add(block)
        progress.update("measuring", reader.n_read / (reader.n_expected or reader.n_read))
    return Measured(meter.result(), (*reader.warnings, *(f"{show(path)}: {text}." for text in metadata.warnings)))


def normalise_file(
    path: str | os.PathLike[str],
    target_path: str | os.PathLike[str],
    target: Target,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Normalised:
    """Writes a copy of a file at the loudness of a target: one pass to measure, one to write.

    Rate, depth, channels and metadata stay, as far as the format of the copy (its name's ending) has
    them. Coding to a lossy format may raise the true peak again.

    Raises:
        InvalidInput: when there is nothing to measure, or the file cannot be read.
        InvalidOption: for an ending that is no format of ours, or one that cannot hold the channels or loudspeakers.
        OutputError: as `AudioWriter`; a file is never written over itself.
    """
    source, copy, progress = Path(path), Path(target_path), progress or Progress()
    reader = AudioReader(source)
    if copy.exists() and copy.samefile(source):
        raise OutputExists(f"{show(copy)} is the file that is read: choose another folder or name.")
    check_target(copy, overwrite)
    format, n_channels = find_format(copy), reader.info.n_channels
    depth = format.depth_for(reader.info.subtype)
    metadata = read_metadata(source)
    mask = metadata.channel_mask or reader.info.channel_mask
    format.check(depth, n_channels, find_layout(n_channels, mask, metadata.track_names))
    measured = measure(source, progress=progress)
    loudness = measured.loudness
    gain = gain_to(target, loudness)
    rate = reader.info.sample_rate
    resampler = Resampler(rate, format.rate_for(rate), n_channels)
    n_samples = reader.n_expected if reader.n_expected is not None else UNKNOWN_LENGTH
    metadata = metadata.cut(0, n_samples, rate, format.rate_for(rate))
    identity = _identity_of_copy(metadata, reader, gain, loudness, depth)
    with AudioWriter(
        copy,
        format,
        format.rate_for(rate),
        n_channels,
        bit_depth=depth,
        n_expected=reader.n_expected,
        identity=identity,
        dither_seed=(0,),
        overwrite=overwrite,
    ) as writer:
        for block in reader.blocks():
            writer.write(resampler.push(block * np.float32(gain.factor)))
            progress.update("writing", reader.n_read / (reader.n_expected or reader.n_read))
        writer.write(resampler.finish())
        writer.close()
        writer.commit()
    _, left = metadata.fate(in_wave=format.name == "wav")
    lost = (f"{show(copy)}: left behind: {', '.join(left)}.",) if left else ()
    return Normalised(copy, loudness, gain, (*measured.warnings, *lost))


def _identity_of_copy(
    metadata: Metadata, reader: AudioReader, gain: Gain, loudness: Loudness, depth: BitDepth
) -> Identity:
    mode = {1: "mono", 2: "stereo"}.get(reader.info.n_channels, "multi")
    history = f"A=PCM,F={reader.info.sample_rate},M={mode},T=audio-ml gain {gain.gain_db:+.2f} dB"
    return Identity(
        chunks=metadata.for_stem(coding_history=history, loudness=loudness.after(gain.gain_db), bit_depth=depth),
        tags=metadata.tags,
        channel_mask=metadata.channel_mask or reader.info.channel_mask,
        is_bw64=metadata.is_bw64,
    )
