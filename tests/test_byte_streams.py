"""Sound that is streamed as bytes is the sound that went in, in every format, however it was cut into blocks."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from audio_ml.byte_streams import HEAD_BYTES, PCM_RATE_HZ, STREAM_FORMS, ByteStream, StreamFormat, tell_length
from audio_ml.streams import AudioReader, read_audio

SECONDS = 2.0
LOSSLESS: tuple[StreamFormat, ...] = ("wav", "flac")
STEP = 1 / 32768


def tone(rate: int) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(SECONDS * rate)) / rate)).astype(np.float32)[None]


def streamed(format: StreamFormat, samples: np.ndarray, rate: int, block: int) -> bytes:
    stream = ByteStream(format, rate)
    blocks = range(0, samples.shape[1], block)
    return b"".join([*(stream.push(samples[:, start : start + block]) for start in blocks), stream.finish()])


def decoded(content: bytes) -> tuple[np.ndarray, int]:
    """Returns what FFmpeg makes of a stream, mixed to one channel."""
    with av.open(io.BytesIO(content)) as container:
        resampler = av.AudioResampler(format="fltp", layout="mono")
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in frames]), frames[0].sample_rate


@pytest.mark.parametrize("rate", [8000, 22_050, 24_000])
@pytest.mark.parametrize("format", [name for name in STREAM_FORMS if name != "pcm"])
def test_a_stream_is_the_sound_that_went_in(format: StreamFormat, rate: int) -> None:
    sound, heard_rate = decoded(streamed(format, tone(rate), rate, 7001))
    assert len(sound) / heard_rate == pytest.approx(SECONDS, abs=0 if format in LOSSLESS else 0.25)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert np.fft.rfftfreq(len(sound), 1 / heard_rate)[spectrum.argmax()] == pytest.approx(440, abs=1)
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("format", LOSSLESS)
def test_without_loss_every_sample_is_within_rounding_and_dither(format: StreamFormat) -> None:
    sound, _ = decoded(streamed(format, tone(24_000), 24_000, 5000))
    assert np.abs(sound - tone(24_000)[0]).max() <= 1.5 * STEP


def test_blocks_make_no_difference() -> None:
    whole, cut = (streamed("pcm", tone(22_050), 22_050, block) for block in (10**9, 331))
    assert len(whole) == 2 * SECONDS * PCM_RATE_HZ
    difference = np.frombuffer(whole, "<i2").astype(int) - np.frombuffer(cut, "<i2")
    assert np.abs(difference).max() <= 1  # soxr's own rounding


def test_the_same_sound_gives_the_same_bytes() -> None:
    assert len({streamed("flac", tone(24_000), 24_000, 4096) for _ in range(3)}) == 1


@pytest.mark.parametrize("format", STREAM_FORMS)
def test_bytes_come_before_the_end(format: StreamFormat) -> None:
    stream = ByteStream(format, 24_000)
    assert len(stream.push(tone(24_000))) > 1000


def test_readers_take_wav_of_unknown_length_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(streamed("wav", tone(24_000), 24_000, 9000))
    assert soundfile.info(path).frames == SECONDS * 24_000
    assert read_audio(path).n_samples == SECONDS * 24_000
    with wave.open(str(path)) as file:
        assert len(file.readframes(10**8)) == 2 * SECONDS * 24_000


def test_flac_of_unknown_length_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(streamed("flac", tone(24_000), 24_000, 9000))
    reader = AudioReader(path)
    assert sum(block.shape[1] for block in reader.blocks()) == SECONDS * 24_000
    assert reader.warnings == []


@pytest.mark.parametrize("format", LOSSLESS)
def test_a_length_that_is_told_is_believed(format: StreamFormat, tmp_path: Path) -> None:
    content = streamed(format, tone(24_000), 24_000, 9000)
    head = tell_length(format, content[:HEAD_BYTES], len(content), int(SECONDS * 24_000))
    assert len(head) == HEAD_BYTES
    path = tmp_path / f"x.{format}"
    path.write_bytes(head + content[HEAD_BYTES:])
    sound, _ = soundfile.read(path)
    assert len(sound) == soundfile.info(path).frames == SECONDS * 24_000
    assert np.abs(sound - tone(24_000)[0]).max() <= 1.5 * STEP
