"""What the clients of the benches ask a server for, and what a single user gets for it."""

from __future__ import annotations

import hashlib
import io
import random
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import soundfile

from bench import speech_texts
from bench.server_client import Client, Reply, ServerSaidNo

VOICE, MODEL = "hibari/heart", "hibari"
SAMPLE_RATE = 44100
N_TEXTS, N_CLIPS = 12, 4
CLIP_SECONDS = (1.0, 2.0, 3.0, 4.0)
LONG_CLIP_SECONDS = 60.0
LONG_TEXT_SENTENCES = 60
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Work:
    """What can be asked for: texts to be spoken, sounds to be separated, and some of either that takes long."""

    texts: tuple[str, ...]
    clips: tuple[bytes, ...]
    long_text: str
    long_clip: bytes


@dataclass(frozen=True)
class References:
    """The sha256 of what a single user gets: pcm of each text, files of each spoken text and of each clip."""

    streamed: list[str]
    spoken: list[dict[str, str]]
    separated: list[dict[str, str]]


@dataclass
class Refusals:
    """Counts how often the server said that it is busy; clients on threads share it."""

    n: int = 0
    without_retry_after: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, reply: Reply) -> float:
        """Counts a 429 and returns the seconds after which to ask again."""
        with self._lock:
            self.n += 1
            self.without_retry_after += "retry-after" not in reply.headers
        return min(float(reply.headers.get("retry-after", 1)), 5.0)


def make_work(seed: int = 7) -> Work:
    """Makes texts and clips, the same ones for a seed."""
    sentences = speech_texts.sentences(seed)
    texts = tuple(islice(sentences, N_TEXTS))
    clips = tuple(clip(seed + number, CLIP_SECONDS[number % len(CLIP_SECONDS)]) for number in range(N_CLIPS))
    return Work(texts, clips, " ".join(islice(sentences, LONG_TEXT_SENTENCES)), clip(seed, LONG_CLIP_SECONDS))


def clip(seed: int, seconds: float) -> bytes:
    """Returns a WAV file of chords and noise, in stereo: no two seeds sound alike."""
    chance = np.random.default_rng(seed)
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * hz * times + chance.uniform(0, 6)) for hz in chance.uniform(80, 4000, 8))
    samples = 0.05 * np.stack([tones, np.roll(tones, 99)], axis=1) + chance.normal(0, 0.02, (len(times), 2))
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, subtype="PCM_24", format="WAV")
    return file.getvalue()


def speak_job(text: str) -> dict[str, Any]:
    return {"task": "speak", "text": text, "voice": VOICE, "delivery": {"format": "wav"}}


def separate_job(upload_id: str) -> dict[str, Any]:
    return {"task": "separate", "inputs": [{"upload": upload_id}], "delivery": {"format": "wav"}}


def speech_request(text: str) -> dict[str, Any]:
    return {"model": MODEL, "voice": VOICE, "input": text, "response_format": "pcm"}


def streamed(client: Client, text: str, refusals: Refusals) -> str:
    """Asks for speech as a stream, again while the server is busy; returns the sha256 of all of it."""
    reply = patiently(lambda: client.ask("POST", "/v1/audio/speech", speech_request(text)), refusals)
    return hashlib.sha256(reply.expect(200).body).hexdigest()


def done(client: Client, job: Mapping[str, Any], refusals: Refusals) -> dict[str, str]:
    """Carries a job through and removes it; returns the sha256 of its sounds by name.

    Raises:
        ServerSaidNo: when it fails.
    """
    job_id = patiently(lambda: client.submit(job), refusals).expect(202).json["id"]
    ended = client.wait(job_id, PATIENCE_SECONDS)
    if ended["state"] != "done":
        raise ServerSaidNo(f"a job to {job['task']} is {ended['state']}: {ended['error']}")
    sounds = client.sounds_of(ended)
    client.ask("DELETE", f"/v1/jobs/{job_id}").expect(204)
    return sounds


def separated(client: Client, content: bytes, refusals: Refusals) -> dict[str, str]:
    """Uploads a clip and has it separated; as `done`."""
    return done(client, separate_job(client.upload("clip.wav", content)), refusals)


def patiently(ask: Any, refusals: Refusals) -> Reply:
    """Asks until the answer is not 429.

    Raises:
        ServerSaidNo: when the server is still busy after `PATIENCE_SECONDS`.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        reply: Reply = ask()
        if reply.status != 429:
            return reply
        if time.monotonic() > deadline:
            raise ServerSaidNo("the server is still busy")
        time.sleep(refusals.note(reply) * random.uniform(0.5, 1.0))


def references(client: Client, work: Work) -> References:
    """Has everything done once, by one user alone."""
    alone = Refusals()
    found = References(
        [streamed(client, text, alone) for text in work.texts],
        [done(client, speak_job(text), alone) for text in work.texts],
        [separated(client, content, alone) for content in work.clips],
    )
    assert len(set(found.streamed)) == len(work.texts), "two texts sound alike, so a mix-up would not be seen"
    return found


def differences(found: Mapping[str, str], expected: Mapping[str, str]) -> Iterator[str]:
    """Yields the names of the files that are not what they should be, or missing, or too many.

    >>> list(differences({"a.wav": "1", "b.wav": "2"}, {"a.wav": "1", "b.wav": "3", "c.wav": "4"}))
    ['b.wav', 'c.wav']
    """
    for name in sorted({*found, *expected}):
        if found.get(name) != expected.get(name):
            yield name
