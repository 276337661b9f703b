"""Mono sound as bytes while it is made, for a reader that cannot seek: an HTTP reply, a pipe."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from audio_ml.audio import Samples
from audio_ml.quantise import Quantiser
from audio_ml.riff import SIZE_IS_ELSEWHERE
from audio_ml.streams import Resampler
from audio_ml.wav import encode

StreamFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
BIT_DEPTH: Literal["16"] = "16"  # of formats without loss
PCM_RATE_HZ = 24_000  # what OpenAI's clients take headerless samples for
WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
WAV_HEADER_BYTES = WAV_HEADER.size
FLAC_COUNT, FLAC_COUNT_OFFSET = struct.Struct(">Q"), 18
HEAD_BYTES = 64  # in which the length of a stream stands, if anywhere
_MPEG_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_AAC_RATES = (*_MPEG_RATES, 64_000, 88_200, 96_000)
_OPUS_RATES = (8000, 12_000, 16_000, 24_000, 48_000)


@dataclass(frozen=True)
class StreamForm:
    """How a format is streamed: its media type, FFmpeg's container and codec with their options, the rates it holds.

    A form without a codec is written by us; one without `rates` holds any. Without a bit rate it loses nothing.
    """

    media_type: str
    container: str = ""
    codec: str = ""
    rates: tuple[int, ...] = ()
    bitrate_kbps: int = 0
    options: Mapping[str, str] = field(default_factory=dict)
    codec_options: Mapping[str, str] = field(default_factory=dict)

    def rate_for(self, sample_rate: int) -> int:
        """Returns the rate at which sound of `sample_rate` is streamed.

        >>> STREAM_FORMS["opus"].rate_for(22_050), STREAM_FORMS["pcm"].rate_for(22_050)
        (24000, 24000)
        """
        if not self.rates or sample_rate in self.rates:
            return sample_rate
        return min((rate for rate in self.rates if rate >= sample_rate), default=max(self.rates))


# LAME's header and FLAC's length would have to be filled in at the end; an Ogg page is sent every tenth of a second.
# The codecs' levels take a half to a third of the time of their defaults and come as near to the sound.
STREAM_FORMS: dict[StreamFormat, StreamForm] = {
    "mp3": StreamForm(
        "audio/mpeg", "mp3", "libmp3lame", _MPEG_RATES, 128, {"write_xing": "0"}, {"compression_level": "7"}
    ),
    "opus": StreamForm(
        "audio/ogg", "ogg", "libopus", _OPUS_RATES, 64, {"page_duration": "100000"}, {"compression_level": "5"}
    ),
    "aac": StreamForm("audio/aac", "adts", "aac", _AAC_RATES, 128, codec_options={"aac_coder": "fast"}),
    "flac": StreamForm("audio/flac", "flac", "flac"),
    "wav": StreamForm("audio/wav"),
    "pcm": StreamForm("audio/pcm", rates=(PCM_RATE_HZ,)),
}


def wav_header(sample_rate: int, n_bytes: int | None = None) -> bytes:
    """Returns the header of mono 16-bit WAV before `n_bytes` of samples; None for a stream whose end is not known.

    Its sizes are 0xFFFFFFFF then, which readers take for "until the end".

    >>> len(wav_header(24_000))
    44
    """
    riff_bytes = data_bytes = SIZE_IS_ELSEWHERE
    if n_bytes is not None and n_bytes + WAV_HEADER_BYTES <= SIZE_IS_ELSEWHERE:
        riff_bytes, data_bytes = n_bytes + WAV_HEADER_BYTES - 8, n_bytes
    form = (16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return WAV_HEADER.pack(b"RIFF", riff_bytes, b"WAVE", b"fmt ", *form, b"data", data_bytes)


def tell_length(format: StreamFormat, head: bytes, n_bytes: int, n_samples: int) -> bytes:
    """Returns the first `HEAD_BYTES` of a stream with its length in them, once it is complete: some readers want that.

    >>> tell_length("wav", wav_header(24_000), 44 + 960, 480) == wav_header(24_000, 960)
    True
    """
    if format == "wav":
        (_, _, _, _, _, _, _, sample_rate, *_) = WAV_HEADER.unpack_from(head)
        return wav_header(sample_rate, n_bytes - WAV_HEADER_BYTES) + head[WAV_HEADER_BYTES:]
    if format == "flac":  # the last 36 bits of eight bytes of STREAMINFO (RFC 9639, section 8.2)
        (packed,) = FLAC_COUNT.unpack_from(head, FLAC_COUNT_OFFSET)
        count = FLAC_COUNT.pack(packed >> 36 << 36 | n_samples)
        return head[:FLAC_COUNT_OFFSET] + count + head[FLAC_COUNT_OFFSET + FLAC_COUNT.size :]
    return head


class ByteStream:
    """Turns a stream of samples [1, n] at `sample_rate` Hz into bytes of a format, as soon as they are there.

    `rate` is the rate at which they are heard. Rounding is dithered by `seed`: the same sound gives the same bytes.

    >>> stream = ByteStream("pcm", 24_000)
    >>> len(stream.push(np.zeros((1, 480), np.float32))) + len(stream.finish())
    960
    """

    def __init__(self, format: StreamFormat, sample_rate: int, seed: int = 0) -> None:
        form = STREAM_FORMS[format]
        self.rate = form.rate_for(sample_rate)
        self._resampler = Resampler(sample_rate, self.rate, 1)
        self._quantiser = Quantiser("32f" if form.bitrate_kbps else BIT_DEPTH, (seed,))
        self._head = wav_header(self.rate) if format == "wav" else b""
        self._codec = _Codec(form, self.rate) if form.codec else None

    def push(self, samples: Samples) -> bytes:
        """Takes the next samples and returns the bytes that are ready, which may be none."""
        return self._encode(self._resampler.push(samples))

    def finish(self) -> bytes:
        """Returns the rest."""
        rest = self._encode(self._resampler.finish())
        return rest + self._codec.finish() if self._codec else rest

    def _encode(self, samples: Samples) -> bytes:
        held = self._quantiser(samples)
        if self._codec:
            return self._codec.encode(held)
        head, self._head = self._head, b""
        return head + encode(held, BIT_DEPTH)


class _Codec:
    """One of FFmpeg's encoders and containers, whose bytes are taken out as they come."""

    def __init__(self, form: StreamForm, rate: int) -> None:
        import av

        self._av = av
        self._sink = _Sink()
        self._rate = rate
        self._position = 0
        self._is_lossy = bool(form.bitrate_kbps)
        self._container = av.open(self._sink, "w", format=form.container, options=dict(form.options))
        stream: Any = self._container.add_stream(form.codec, rate=rate)
        stream.layout = "mono"
        stream.codec_context.options = dict(form.codec_options)
        if self._is_lossy:
            stream.bit_rate = form.bitrate_kbps * 1000
        else:
            stream.format = "s16"
        self._stream = stream

    def encode(self, samples: Samples) -> bytes:
        if samples.shape[1]:
            planes = np.ascontiguousarray(samples) if self._is_lossy else np.rint(samples * 32768).astype(np.int16)
            frame = self._av.AudioFrame.from_ndarray(planes, "fltp" if self._is_lossy else "s16", "mono")
            frame.sample_rate, frame.pts = self._rate, self._position
            self._position += samples.shape[1]
            self._container.mux(self._stream.encode(frame))
        return self._sink.take()

    def finish(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._sink.take()


class _Sink:
    """A file that only grows: it has no `seek`, so nothing is ever written to what is gone."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
