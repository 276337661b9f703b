"""Files that pretend to be sound: cut off, damaged, lying about themselves, or holding hours in a few bytes."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
import soundfile

from bench import server_load
from bench.server_client import Client, ServerSaidNo

SOURCE_SECONDS = 2.0
BOMB_HOURS, BOMB_RATE = 5, 8000
FORMATS = ("wav", "flac", "ogg", "mp3", "aiff", "m4a")
INTENDED = (503, 507)
WITHIN_SECONDS = 240.0


@dataclass(frozen=True)
class MediaFile:
    """A file, and what is wrong with it."""

    kind: str
    name: str
    content: bytes


@dataclass(frozen=True)
class Outcome:
    """What the server made of a file: `status` of the upload or the job's error (0 for a job that is done)."""

    kind: str
    name: str
    status: int
    said: str
    attempts: int

    @property
    def is_bad(self) -> bool:
        return (self.status >= 500 and self.status not in INTENDED) or self.attempts > 1


def files(seed: int, n_each: int) -> Iterator[MediaFile]:
    """Yields every file, the same ones for a seed; each format is damaged `n_each` times in each way."""
    chance = random.Random(seed)
    sources = {form: _source(form) for form in FORMATS}
    for form, content in sources.items():
        yield MediaFile("sound", f"right.{form}", content)
        for _ in range(n_each):
            yield MediaFile("cut off", f"cut.{form}", content[: chance.randrange(1, len(content))])
            yield MediaFile("damaged", f"damaged.{form}", _damaged(content, chance, 0.002))
            yield MediaFile("damaged head", f"head.{form}", _damaged(content[:200], chance, 0.1) + content[200:])
        yield MediaFile("of another kind", f"other.{form}", sources[chance.choice(FORMATS)])
    for _ in range(n_each):
        yield MediaFile("random bytes", "random.wav", chance.randbytes(chance.randrange(1, 50_000)))
    yield MediaFile("empty", "empty.wav", b"")
    yield from _lies(sources)
    yield from _bombs()


def _source(form: str) -> bytes:
    content = server_load.clip(1, SOURCE_SECONDS)
    if form == "wav":
        return content
    samples, rate = soundfile.read(io.BytesIO(content))
    return _encoded_by_ffmpeg(samples, rate) if form == "m4a" else _encoded(samples, rate, form)


def _encoded(samples: np.ndarray, rate: int, form: str, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form.upper(), subtype=subtype)
    return file.getvalue()


def _encoded_by_ffmpeg(samples: np.ndarray, rate: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=rate)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T, np.float32), "fltp", "stereo")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _damaged(content: bytes, chance: random.Random, share: float) -> bytes:
    spoiled = bytearray(content)
    for _ in range(max(1, round(share * len(content)))):
        spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
    return bytes(spoiled)


def _lies(sources: dict[str, bytes]) -> Iterator[MediaFile]:
    """Yields files whose heads say what is not so."""
    wav = sources["wav"]
    at = wav.index(b"fmt ") + 8
    heads = {
        "65,535 channels": (at + 2, struct.pack("<H", 65535)),
        "no channels": (at + 2, struct.pack("<H", 0)),
        "a rate of 4 GHz": (at + 4, struct.pack("<I", 2**32 - 1)),
        "a rate of 0": (at + 4, struct.pack("<I", 0)),
        "0 bits": (at + 14, struct.pack("<H", 0)),
        "endless data": (wav.index(b"data") + 4, struct.pack("<I", 2**32 - 1)),
        "a chunk of 4 GB": (at - 4, struct.pack("<I", 2**32 - 8)),
    }
    for kind, (place, patch) in heads.items():
        yield MediaFile("head that lies", f"{kind}.wav", wav[:place] + patch + wav[place + len(patch) :])
    flac = bytearray(sources["flac"])
    flac[21:26] = bytes([flac[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])  # the 36 bits of the number of samples in STREAMINFO
    yield MediaFile("head that lies", "many samples.flac", bytes(flac))
    samples = np.zeros((1000, 2), np.float32)
    for name, value in (("nan", np.nan), ("infinite", np.inf), ("huge", 1e30)):
        samples[500] = value
        yield MediaFile("numbers that are no sound", f"{name}.wav", _encoded(samples, 44100, "wav", "FLOAT"))
    yield MediaFile("numbers that are no sound", "no samples.wav", _encoded(samples[:0], 44100, "wav"))
    yield MediaFile("numbers that are no sound", "one sample.wav", _encoded(samples[:1], 44100, "wav"))


def _bombs() -> Iterator[MediaFile]:
    """Yields hours of silence in little space."""
    for form, subtype in (("flac", "PCM_16"), ("ogg", "VORBIS")):
        file = io.BytesIO()
        silence = np.zeros(BOMB_RATE * 10, np.int16)  # libsndfile's Vorbis encoder has no stack for minutes at once
        with soundfile.SoundFile(file, "w", BOMB_RATE, 1, subtype, format=form.upper()) as sound:
            for _ in range(BOMB_HOURS * 360):
                sound.write(silence)
        yield MediaFile(f"{BOMB_HOURS} hours of silence", f"bomb.{form}", file.getvalue())


def try_file(client: Client, file: MediaFile, model: str | None) -> Outcome:
    """Uploads a file and has it separated."""
    try:
        upload = client.upload(file.name, file.content)
    except ServerSaidNo as error:
        return Outcome(file.kind, file.name, _status_in(error), str(error), 0)
    reply = client.submit(server_load.separate_job(upload) | {"model": model})
    if reply.status != 202:
        return Outcome(file.kind, file.name, reply.status, reply.body[:300].decode("utf-8", "replace"), 0)
    job = client.wait(reply.json["id"], WITHIN_SECONDS)
    client.ask("DELETE", f"/v1/jobs/{job['id']}")
    failure = job["error"] or {"code": 0, "type": "", "message": ""}
    return Outcome(file.kind, file.name, failure["code"], f"{failure['type']}: {failure['message']}", job["attempts"])


def _status_in(error: ServerSaidNo) -> int:
    words = str(error).replace(":", " ").split()
    return int(words[1]) if words[0] == "HTTP" else 599
