"""What FFmpeg reads and writes: many channels, many tracks, and films whose sound is not what it seems."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from fake_engine import FAKE
from media_files import film, sound_file
from signals import noise

import separation
from audio_ml import decoding
from audio_ml.audio import Audio, Samples
from audio_ml.formats import FORMATS
from audio_ml.loader import ModelLoader
from audio_ml.metadata import read_metadata
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


def _read(path: Path) -> tuple[Samples, list[str]]:
    reader = AudioReader(path)
    return np.concatenate(list(reader.blocks()), axis=1), reader.warnings


def _tone(hz: float, n_channels: int, rate: int, seconds: float = 1.0) -> Samples:
    wave = 0.3 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)
    return wave[None].repeat(n_channels, axis=0).astype(np.float32)


def _aac(path: Path, samples: Samples, rate: int) -> bytes:
    """Returns sound as a stream of AAC, of which several can be joined."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
    with av.open(str(path), "w", format="adts") as container:
        stream = container.add_stream("aac", rate=rate)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T).reshape(1, -1), "flt", layout)
        frame.sample_rate, frame.pts = rate, 0
        for last in (frame, None):
            container.mux(stream.encode(last))
    return path.read_bytes()


def _hz(samples: Samples, rate: int) -> float:
    """Returns where a second of sound has its peak."""
    return float(np.argmax(np.abs(np.fft.rfft(samples[:rate])))) * rate / len(samples[:rate])


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ((2, 48000), (6, 48000), "changes to 6 channels at 48000 Hz at 2."),
        ((6, 48000), (2, 48000), "converted to 6 channels at 48000 Hz"),
        ((2, 48000), (1, 48000), "changes to 1 channel at 48000 Hz"),
        ((1, 48000), (2, 48000), "converted to 1 channel at 48000 Hz"),
        ((2, 48000), (2, 44100), "changes to 2 channels at 44100 Hz"),
        ((1, 44100), (2, 48000), "changes to 2 channels at 48000 Hz"),
    ],
)
def test_what_changes_midway_is_converted_and_told(
    first: tuple[int, int], second: tuple[int, int], words: str, tmp_path: Path
) -> None:
    """As in a broadcast, with its film in 5.1 and the advertisements in stereo: each part as fast as it was."""
    streams = [_aac(tmp_path / f"{n}.aac", _tone(1000, n, rate, 2), rate) for n, rate in (first, second)]
    path = tmp_path / "x.aac"
    path.write_bytes(b"".join(streams))
    n_channels, rate = first
    samples, warnings = _read(path)
    assert len(samples) == n_channels
    assert abs(samples.shape[1] / rate - 4) < 0.1
    assert [_hz(samples[0, round(at * rate) :], rate) for at in (0.5, 2.75)] == [1000, 1000]
    assert len(warnings) == 1 and words in warnings[0]


@pytest.mark.parametrize(("n_tracks", "told"), [(1, []), (2, ["has 2 sound tracks: the first one was read."])])
def test_several_sound_tracks_are_told_of(n_tracks: int, told: list[str], tmp_path: Path) -> None:
    path = film(tmp_path / "x.mov", [(0, noise(1, 48000, 1).samples)], n_tracks=n_tracks)
    assert _read(path)[1] == [f"{path} {text}" for text in told]


@pytest.mark.parametrize(
    ("ending", "begins", "words"),
    [
        ("mov", (0,), ""),
        ("mov", (24_000,), "has no sound until 0.50 s"),
        ("mkv", (24_000,), "has no sound until 0.50 s"),
        ("mkv", (100,), ""),  # 2 ms: not worth a word
        ("mkv", (0, 24_000), ""),
        ("mkv", (0, 24_700), ""),  # 15 ms: the jitter of a clock, which silence would make audible
        ("mkv", (0, 48_000), "has a gap in its sound from 0.50 s to 1.00 s"),
        ("mkv", (24_000, 72_000, 480_000), "has no sound until 0.50 s"),
        ("avi", (24_000,), ""),  # its times are guessed from bytes
    ],
)
def test_sound_stays_in_step_with_the_picture(ending: str, begins: tuple[int, ...], words: str, tmp_path: Path) -> None:
    pieces = [(begin, _tone(1000, 2, 48000, 0.5)) for begin in begins]
    path = film(tmp_path / f"x.{ending}", pieces)
    samples, warnings = _read(path)
    expected = np.zeros((2, begins[-1] + 24_000 if words else 24_000 * len(begins)), np.float32)
    for index, (begin, piece) in enumerate(pieces):
        place = begin if words else 24_000 * index
        expected[:, place : place + 24_000] = piece
    assert samples.shape == expected.shape
    np.testing.assert_array_equal(samples, expected)
    assert len(warnings) == bool(words)
    assert all(words in text for text in warnings)
    if len(begins) == 3:  # an excerpt is that of the picture's time, also in the middle of a long silence
        excerpt = np.concatenate(list(AudioReader(path, 1.25, 1.0).blocks()), axis=1)
        np.testing.assert_array_equal(excerpt, expected[:, 60_000:108_000])


def test_sound_without_a_picture_begins_at_its_beginning(tmp_path: Path) -> None:
    piece = _tone(1000, 2, 48000, 0.5)
    path = film(tmp_path / "x.mov", [(24_000, piece), (96_000, piece)], picture_seconds=0)
    samples, warnings = _read(path)
    np.testing.assert_array_equal(samples, np.concatenate([piece, piece], axis=1))
    assert warnings == []


@pytest.mark.parametrize(
    ("container", "jump_seconds", "is_believed"),
    [
        ("matroska,webm", 30, True),
        ("matroska,webm", 60, False),  # beyond the end of the film: such silence could fill a disk
        ("mpegts", 9, True),
        ("mpegts", 30, False),  # joined streams begin their times anew
        ("avi", 1, False),
    ],
)
def test_which_jumps_of_time_are_believed(container: str, jump_seconds: int, is_believed: bool) -> None:
    streams = SimpleNamespace(video=[SimpleNamespace(average_rate=25)])
    film = SimpleNamespace(
        streams=streams, format=SimpleNamespace(name=container), start_time=1_000_000, duration=60_000_000
    )
    heard: list[str] = []
    gaps = decoding._Gaps(film, 1000, heard.append)
    frames = [
        SimpleNamespace(pts=pts, time_base=Fraction(1), samples=1000, sample_rate=1000)
        for pts in (1, 2 + jump_seconds, 3 + jump_seconds)
    ]
    found = [gaps.before(frame, n_done) for frame, n_done in zip(frames, (0, 1000, 2000), strict=True)]
    assert found[:2] == [0, 1000 * jump_seconds * is_believed]
    assert len(heard) == is_believed


@pytest.mark.parametrize("ending", ["mov", "mp4"])
@pytest.mark.parametrize(
    ("fps", "timecode", "seconds"),
    [
        (Fraction(25), "01:00:00:10", Fraction(36004, 10)),
        (Fraction(24000, 1001), "01:00:00:00", Fraction(36036, 10)),
        (Fraction(30000, 1001), "01:00:00;00", Fraction(107892 * 1001, 30000)),
        (Fraction(50), "10:00:00:00", Fraction(36000)),
        (Fraction(50), "10:00:00:10", None),  # the tenth of 50 in a second, or of 25
        (Fraction(12), "10:00:00:00", None),
    ],
)
def test_the_start_timecode_of_a_film_is_carried(
    ending: str, fps: Fraction, timecode: str, seconds: Fraction | None, tmp_path: Path, loader: ModelLoader
) -> None:
    path = film(tmp_path / f"x.{ending}", [(0, noise(1, 48000).samples)], fps=fps, timecode=timecode)
    found = read_metadata(path)
    delivery = {"start_seconds": 0.25, "sample_rate": 44100}
    report = separation.separate_file(path, tmp_path / "out", model=FAKE, delivery=delivery, loader=loader)
    stem = read_metadata(report.files[0].path)
    assert "timecode" not in found.tags
    if seconds is None:
        assert found.time_reference is None and found.left == ("timecode",)
        assert "timecode" in report.left_behind
        return
    assert found.time_reference == round(seconds * 48000) and found.left == ()
    assert stem.time_reference is not None
    assert abs(stem.time_reference - (seconds + Fraction(1, 4)) * 44100) <= Fraction(1, 2)
