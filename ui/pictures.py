"""Draws sound for reports and notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from audio_ml.audio import Audio, Samples

N_FFT = 4096
MAX_FRAMES = 1200  # more than a picture has columns
RANGE_DB = 90.0
LOWEST_HZ = 40.0
ROW_INCHES, WIDTH_INCHES, DOTS_PER_INCH = 2.0, 10.0, 110
TICKS_HZ = {50: "50", 200: "200", 1000: "1k", 5000: "5k", 20000: "20k"}


def spectrograms(sounds: Mapping[str, Audio], path: Path) -> None:
    """Writes a PNG file with one spectrogram per sound, under a common colour scale and time axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # without pyplot, which keeps figures and settings for the whole process

    assert sounds, "a picture needs a sound"
    levels = {name: _levels_db(sound) for name, sound in sounds.items()}
    top = max(float(level.max()) for level in levels.values())
    figure = Figure(figsize=(WIDTH_INCHES, ROW_INCHES * len(sounds)), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(sounds), sharex=True, squeeze=False)[:, 0]
    for axes, (name, sound) in zip(rows, sounds.items(), strict=True):
        times = np.linspace(0, sound.duration_seconds, levels[name].shape[1])
        frequencies = np.fft.rfftfreq(N_FFT, 1 / sound.sample_rate)
        image = axes.pcolormesh(times, frequencies, levels[name], cmap="magma", vmin=top - RANGE_DB, vmax=top)
        axes.set(title=name, ylabel="Hz", yscale="log", ylim=(LOWEST_HZ, sound.sample_rate / 2))
        ticks = [hz for hz in TICKS_HZ if hz <= sound.sample_rate / 2]
        axes.set_yticks(ticks, [TICKS_HZ[hz] for hz in ticks])
        axes.minorticks_off()
    rows[-1].set_xlabel("seconds")
    figure.colorbar(image, ax=rows, label="dB")
    figure.savefig(path, format="png")


def _levels_db(sound: Audio) -> Samples:
    """Returns the level [frequency, time] of the mean of a sound's channels; a full-scale sine is at 0 dB."""
    mono = np.pad(sound.samples.mean(axis=0), N_FFT // 2)
    hop = max(N_FFT // 4, sound.n_samples // MAX_FRAMES)
    window = np.hanning(N_FFT).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(mono, N_FFT)[::hop]
    magnitude = np.abs(np.fft.rfft(frames * window)).T * np.float32(2 / window.sum())
    levels: Samples = 20 * np.log10(np.maximum(magnitude, np.float32(1e-7)))
    return levels
