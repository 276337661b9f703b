"""The first byte of speech from a warm server, and what the server costs beside calling the engine directly.

    python -m bench.server_speech [--requests 60] [--rounds 5] [--sentences 40]

Writes the section "Speech" of docs/bench-server.md. Requests come from a plain `http.client`, a new connection each.
The engine is called in a process of its own, in turn with the server, on the same sentences.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from types import TracebackType

import numpy as np

from audio_ml.device import cpu_cores
from bench import machine, server_page, speech_texts
from bench.markdown import table
from bench.measure import ALONE
from bench.results import say
from bench.server_client import Client
from bench.server_process import Server

SENTENCE = "The keeper climbed the long stairs of the lighthouse tonight."
FORMATS = ("pcm", "mp3", "wav", "flac", "opus", "aac")
LEAST_SOUND_BYTES = 2 * 2400  # of pcm: the first tenth of a second, in case something is sent before there is sound
VOICE, MODEL = "hibari/heart", "hibari"
SAMPLE_RATE, BYTES_PER_SAMPLE = 24000, 2
GOAL_MS, GOAL_RATIO = 200, 0.9
DIRECT = Path(__file__).resolve().with_name("server_speech_process.py")


@dataclass(frozen=True)
class FirstBytes:
    """The waits in ms for a format, from before the connection is opened to the first byte of the body."""

    format: str
    waits_ms: list[float]
    whole_ms: list[float]

    def quantile(self, share: float) -> float:
        return float(np.quantile(self.waits_ms, share))


@dataclass(frozen=True)
class Spoken:
    """What one side spoke in one turn."""

    seconds_of_sound: float
    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Throughput:
    """The turns of both sides, with so many sentences asked for at a time."""

    at_a_time: int
    direct: list[Spoken]
    server: list[Spoken]

    def ratio(self, cost: Callable[[Spoken], float]) -> float:
        """Returns how much sound the server makes for a cost, as a share of the engine's: median of the turns."""
        return median(
            (ours.seconds_of_sound / cost(ours)) / (theirs.seconds_of_sound / cost(theirs))
            for ours, theirs in zip(self.server, self.direct, strict=True)
        )


@dataclass(frozen=True)
class Findings:
    """All that was measured; `first_sound_ms` is the wait for `LEAST_SOUND_BYTES` of pcm."""

    first_bytes: list[FirstBytes]
    first_sound_ms: list[float]
    throughputs: list[Throughput]


class Direct:
    """The engine in a process of its own, as a context: it speaks what it is told to, and tells what that took."""

    def __enter__(self) -> Direct:
        command = [sys.executable, ALONE, str(DIRECT)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def speak(self, texts: list[str], at_a_time: int) -> Spoken:
        """Speaks sentences on so many threads."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps({"texts": texts, "voice": VOICE, "threads": at_a_time}), file=self._process.stdin, flush=True)
        return Spoken(**json.loads(self._process.stdout.readline()))


def main() -> None:
    """Measures, and writes the section."""
    arguments = _arguments()
    head = machine.describe("bench.server_speech", sys.argv[1:], None)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server, Direct() as direct:
        client = server.client()
        say("warming up")
        for text in islice(speech_texts.sentences(1), 5):
            speak(client, text)
            direct.speak([text], 1)
        say("first bytes")
        first_bytes, first_sound_ms = first_waits(client, arguments.requests)
        throughputs = [
            _throughput(server, direct, at_a_time, arguments) for at_a_time in dict.fromkeys((1, 2 * cpu_cores()))
        ]
    findings = Findings(first_bytes, first_sound_ms, throughputs)
    server_page.put(arguments.output, "Speech", _report(head, findings), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.server_speech", description="Times speech from a server.")
    parser.add_argument("--requests", type=int, default=60, help="for each format")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side")
    parser.add_argument("--sentences", type=int, default=40, help="in a turn")
    parser.add_argument("--output", type=Path, default=server_page.PAGE, metavar="FILE")
    return parser.parse_args()


def speak(client: Client, text: str, form: str = "pcm", least_bytes: int = 1) -> tuple[float, float, bytes]:
    """Asks for speech; returns the waits in seconds for so many bytes and for all, and the bytes."""
    began, body, first = time.perf_counter(), b"", 0.0
    for block in client.stream("/v1/audio/speech", request(text, form)):
        body += block
        first = first or (time.perf_counter() - began if len(body) >= least_bytes else 0.0)
    return first, time.perf_counter() - began, body


def request(text: str, form: str) -> dict[str, str]:
    return {"model": MODEL, "voice": VOICE, "input": text, "response_format": form}


def first_waits(client: Client, n_requests: int) -> tuple[list[FirstBytes], list[float]]:
    """Asks for the sentence in every format in turn, `n_requests` times each."""
    waits: dict[str, list[tuple[float, float]]] = {form: [] for form in FORMATS}
    sounds = []
    for _ in range(n_requests):
        for form in FORMATS:
            first, whole, _body = speak(client, SENTENCE, form)
            waits[form].append((1000 * first, 1000 * whole))
        sounds.append(1000 * speak(client, SENTENCE, "pcm", LEAST_SOUND_BYTES)[0])
    return [FirstBytes(form, *map(list, zip(*of, strict=True))) for form, of in waits.items()], sounds


def _throughput(server: Server, direct: Direct, at_a_time: int, arguments: argparse.Namespace) -> Throughput:
    say(f"sentences, {at_a_time} at a time")
    texts = speech_texts.sentences(2)
    turns = [list(islice(texts, arguments.sentences)) for _ in range(arguments.rounds)]
    pairs = [(direct.speak(turn, at_a_time), _through_server(server, turn, at_a_time)) for turn in turns]
    return Throughput(at_a_time, *map(list, zip(*pairs, strict=True)))


def _through_server(server: Server, texts: list[str], at_a_time: int) -> Spoken:
    client = server.client()
    cpu, began = server.cpu_seconds(), time.perf_counter()
    with ThreadPoolExecutor(at_a_time) as clients:
        n_bytes = sum(clients.map(lambda text: len(speak(client, text)[2]), texts))
    wall = time.perf_counter() - began
    return Spoken(n_bytes / BYTES_PER_SAMPLE / SAMPLE_RATE, wall, server.cpu_seconds() - cpu)


def _report(head: str, found: Findings) -> str:
    first = table(
        ["format", "median", "95 %", "slowest", "whole answer, median"],
        [
            [of.format, *(f"{of.quantile(share):.0f} ms" for share in (0.5, 0.95, 1)), f"{median(of.whole_ms):.0f} ms"]
            for of in found.first_bytes
        ],
    )
    costs = table(
        ["at a time", "", "sound for a second of wall time", "sound for a second of processor time"],
        list(_cost_rows(found.throughputs)),
    )
    worst = max(of.quantile(0.5) for of in found.first_bytes)
    return f"""{head}

`POST /v1/audio/speech` of "{SENTENCE}" (ten words), warm, a new connection for each request,
{len(found.first_bytes[0].waits_ms)} requests a format, in turn: from before the connection is opened to the first byte
of the body.

{first}

The first tenth of a second of pcm was there after {median(found.first_sound_ms):.0f} ms (median).
The slowest format's median is **{worst:.0f} ms**; less than {GOAL_MS} ms is asked.

Sentences in pcm from the server, and from `tts.synthesize` in a process of its own on as many threads, in turn;
medians of {len(found.throughputs[0].direct)} turns. Processor time is of the server's processes, or of that process;
the client's is not counted.

{costs}

At least {GOAL_RATIO} for each core is asked.
"""


def _cost_rows(throughputs: list[Throughput]) -> Iterator[list[str]]:
    for of in throughputs:
        for name, side in (("engine", of.direct), ("server", of.server)):
            wall = median(spoken.seconds_of_sound / spoken.wall_seconds for spoken in side)
            cpu = median(spoken.seconds_of_sound / spoken.cpu_seconds for spoken in side)
            yield [str(of.at_a_time), name, f"{wall:.1f} s", f"{cpu:.1f} s"]
        ratios = (of.ratio(lambda spoken: spoken.wall_seconds), of.ratio(lambda spoken: spoken.cpu_seconds))
        yield [str(of.at_a_time), "ratio", *(f"**{ratio:.2f}**" for ratio in ratios)]


if __name__ == "__main__":
    main()
