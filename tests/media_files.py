"""Films and other media files made with FFmpeg's libraries, as cameras and broadcasters leave them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from audio_ml.audio import Samples

RATE = 48_000
FRAME_SAMPLES = 1_024


def sound_file(path: Path, samples: Samples, sample_rate: int = RATE) -> Path:
    """Writes a file of one track of floats, whose channels name no loudspeakers."""
    return film(path, [(0, samples)], sample_rate=sample_rate, picture_seconds=0)


def film(
    path: Path,
    pieces: Sequence[tuple[int, Samples]],
    *,
    n_tracks: int = 1,
    sample_rate: int = RATE,
    picture_seconds: float = 1,
    fps: Fraction | int = 25,
    timecode: str = "",
) -> Path:
    """Writes a film whose picture begins at zero; each piece of sound [channels, n] begins at its own sample."""
    n_channels = len(pieces[0][1])
    layout = {1: "mono", 2: "stereo"}.get(n_channels, f"{n_channels} channels")
    with av.open(str(path), "w") as container:
        if picture_seconds:
            video = container.add_stream("mpeg4", rate=fps)
            video.width = video.height = 64
            if timecode:
                video.metadata["timecode"] = timecode
        sounds = [
            container.add_stream("alac" if path.suffix == ".mp4" else "pcm_f32le", rate=sample_rate)
            for _ in range(n_tracks)
        ]
        for sound in sounds:
            sound.layout = layout
        if picture_seconds:
            for _ in range(round(picture_seconds * fps)):
                container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
            container.mux(video.encode(None))
        for sound in sounds:
            for begin, samples in pieces:
                for start in range(0, samples.shape[1], FRAME_SAMPLES):
                    piece = np.ascontiguousarray(samples[:, start : start + FRAME_SAMPLES].T).reshape(1, -1)
                    frame = av.AudioFrame.from_ndarray(piece, "flt", layout)
                    frame.sample_rate, frame.pts = sample_rate, begin + start
                    container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path
