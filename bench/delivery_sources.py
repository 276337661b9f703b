"""The files that deliveries start from: a reel with all that it carries, a surround mix, full-band sound."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.formats import BitDepth
from audio_ml.streams import Resampler, read_audio
from audio_ml.wav import Chunks, WavWriter
from bench.songs import Song

FILM_RATE = 48000  # Hz
TIME_REFERENCE = 10 * 3600 * FILM_RATE  # ten o'clock
UMID = bytes.fromhex("060a2b340101010501010d1213") + bytes(range(1, 52))  # SMPTE 330M, extended: 64 bytes
SURROUND_MASK = 0x3F  # L R C LFE Ls Rs
CENTRE = 2
PEAK = 0.5  # so that no stem clips: then nothing but rounding is left
LFE_CUTOFF_HZ = 120
SURROUND_DELAY_SECONDS = 0.015
MATERIAL_SECONDS = 20
NOISE_RMS = 0.01  # 40 dB below full scale

_IXML = """<?xml version="1.0" encoding="UTF-8"?>
<BWFXML>
  <IXML_VERSION>1.61</IXML_VERSION>
  <PROJECT>Night Ferry</PROJECT><SCENE>12A</SCENE><TAKE>3</TAKE><TAPE>7</TAPE><NOTE>Möwen im Off</NOTE>
  <SPEED>
    <TIMECODE_RATE>25/1</TIMECODE_RATE><FILE_SAMPLE_RATE>{rate}</FILE_SAMPLE_RATE>
    <TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>0</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>
    <TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>{time}</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>
    <TIMESTAMP_SAMPLE_RATE>{rate}</TIMESTAMP_SAMPLE_RATE>
  </SPEED>
</BWFXML>
"""


def film_chunks(n_samples: int) -> Chunks:
    """Returns what a recorder and an editor write into a 48 kHz file of that length."""
    places = {1: n_samples // 10, 2: n_samples // 2, 3: n_samples * 9 // 10}
    cue = b"".join(struct.pack("<II4sIII", name, at, b"data", 0, 0, at) for name, at in places.items())
    labels = [
        (b"labl", struct.pack("<I", name) + text)
        for name, text in zip(places, (b"Slate\0", b"Action\0", b"Cut\0"), strict=True)
    ]
    labels.append((b"ltxt", struct.pack("<II4sHHHH", 2, n_samples // 10, b"rgn ", 0, 0, 0, 0)))
    return (
        (b"bext", _bext()),
        (b"iXML", _IXML.format(rate=FILM_RATE, time=TIME_REFERENCE).encode()),
        (b"cue ", struct.pack("<I", len(places)) + cue),
        (b"LIST", b"adtl" + _joined(labels)),
        (b"LIST", b"INFO" + _joined([(b"INAM", b"Night Ferry, reel 1\0"), (b"ICMT", b"Boom\0")])),
    )


def film_sound(song: Song) -> Audio:
    """Returns the song at 48 kHz, at half of full scale."""
    return _levelled(read_audio(song.path, FILM_RATE).samples, FILM_RATE)


def write_reel(path: Path, song: Song, seconds: float | None = None) -> Path:
    """Writes the song, or its beginning, as a 48 kHz, 24-bit Broadcast Wave file."""
    length = None if seconds is None else round(seconds * FILM_RATE)
    audio = Audio(film_sound(song).samples[:, :length], FILM_RATE)
    return write(path, audio, "24", film_chunks(audio.n_samples))


def write_repeated(path: Path, song: Song, minutes: int) -> Song:
    """Writes a Broadcast Wave file of so many minutes that repeats the song."""
    audio = film_sound(song)
    missing = minutes * 60 * FILM_RATE
    writer = WavWriter(path, FILM_RATE, audio.n_channels, "24", chunks=film_chunks(missing))
    while missing > 0:
        block = audio.samples[:, :missing]
        writer.write(block)
        missing -= block.shape[1]
    writer.close()
    return Song(f"{minutes} minutes", path, minutes * 60.0)


def write_surround(path: Path, song: Audio, voice: Audio) -> Path:
    """Writes a 5.1 mix of a song and its voice at 48 kHz and 24 bits, with the voice in the centre alone.

    What is left of the song without its voice is in front, quieter and later behind, and below 120 Hz in the LFE.
    """
    backing = song.samples - voice.samples
    behind = np.roll(backing, round(SURROUND_DELAY_SECONDS * song.sample_rate), axis=1) * np.float32(0.4)
    centre = voice.samples.mean(axis=0)
    samples = np.stack([backing[0], backing[1], centre, _bass(backing.mean(axis=0), song.sample_rate), *behind])
    return write(path, _levelled(samples, song.sample_rate), "24", film_chunks(song.n_samples), SURROUND_MASK)


def full_band(song: Song, sample_rate: int) -> Audio:
    """Returns the beginning of the song at a rate, with white noise up to the Nyquist frequency."""
    audio = song.read()
    beginning = audio.samples[:, : MATERIAL_SECONDS * audio.sample_rate]
    resampler = Resampler(audio.sample_rate, sample_rate, audio.n_channels)
    samples = np.concatenate([resampler.push(beginning), resampler.finish()], axis=1)
    samples = samples + NOISE_RMS * np.random.default_rng(0).standard_normal(samples.shape, np.float32)
    return _levelled(samples, sample_rate)


def write(path: Path, audio: Audio, bit_depth: BitDepth, chunks: Chunks = (), mask: int | None = None) -> Path:
    """Writes a WAV file without dither."""
    writer = WavWriter(path, audio.sample_rate, audio.n_channels, bit_depth, channel_mask=mask, chunks=chunks)
    writer.write(audio.samples)
    writer.close()
    return path


def _levelled(samples: Samples, sample_rate: int) -> Audio:
    return Audio((samples * (PEAK / np.abs(samples).max())).astype(np.float32), sample_rate)


def _bext() -> bytes:
    """Returns version 2 of the chunk (EBU Tech 3285), its loudness fields filled in."""
    texts = (("Boom and lavalier", 256), ("Recorder", 32), ("XX0000000000001", 32), ("2026-05-01", 10), ("10:00:00", 8))
    fixed = b"".join(text.encode().ljust(size, b"\0") for text, size in texts)
    loudness = struct.pack("<5h", -2300, 700, -300, -1800, -2000)
    history = b"A=PCM,F=48000,W=24,M=stereo,T=Recorder\r\n"
    return fixed + struct.pack("<QH", TIME_REFERENCE, 2) + UMID + loudness + bytes(180) + history


def _joined(chunks: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(id + struct.pack("<I", len(content)) + content + bytes(len(content) % 2) for id, content in chunks)


def _bass(samples: Samples, sample_rate: int) -> Samples:
    spectrum = np.fft.rfft(samples)
    spectrum[round(LFE_CUTOFF_HZ * len(samples) / sample_rate) :] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)
