"""What FFmpeg reads and writes: many channels, many tracks, and films whose sound is not what it seems."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_files import sound_file
from signals import noise

from audio_ml.audio import Audio
from audio_ml.formats import FORMATS
from audio_ml.streams import AudioReader, read_audio
from audio_ml.writer import AudioWriter, write_audio


@pytest.mark.parametrize("n_channels", [1, 2, 6, 8, 16, 24])
def test_every_channel_of_a_film_is_read(n_channels: int, tmp_path: Path) -> None:
    """With eight channels and more PyAV ends the process if it is asked for planes."""
    audio = noise(0.4, 48000, n_channels)
    path = sound_file(tmp_path / "x.mov", audio.samples)
    np.testing.assert_array_equal(read_audio(path).samples, audio.samples)


def test_eight_tracks_of_a_recorder_that_died_are_read(tmp_path: Path) -> None:
    """Its head still says that there is no sound, so that FFmpeg has to read it."""
    audio, path = noise(0.4, 48000, 8), tmp_path / "dead.wav"
    write_audio(path, audio, bit_depth="16")
    whole = read_audio(path).samples
    content = bytearray(path.read_bytes())
    data = content.index(b"data") + 4
    content[data : data + 4] = content[4:8] = bytes(4)
    path.write_bytes(content)
    reader = AudioReader(path)
    assert reader.info.format == "FFMPEG"
    found = np.concatenate(list(reader.blocks()), axis=1)
    np.testing.assert_array_equal(found[:, : whole.shape[1]], whole)


def test_opus_holds_seven_point_one_in_its_order(tmp_path: Path) -> None:
    rate, path = 48000, tmp_path / "x.opus"
    time = np.arange(rate) / rate
    tones = np.stack([np.sin(2 * np.pi * hz * time) for hz in (400, 600, 800, 60, 1000, 1200, 1400, 1600)])
    with AudioWriter(path, FORMATS["opus"], rate, 8, bit_depth="32f", bitrate_kbps=510) as writer:
        writer.write(Audio((0.1 * tones).astype(np.float32), rate).samples)
        writer.close()
        writer.commit()
    found = read_audio(path).samples[:, :rate]
    assert found.shape[0] == 8
    alike = np.abs(np.corrcoef(np.concatenate([tones[:, : found.shape[1]], found]))[:8, 8:])
    assert (alike.argmax(axis=1) == np.arange(8)).all(), alike.round(2)
    assert alike.diagonal().min() > 0.9
