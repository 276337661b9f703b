"""32 clients that mix speech, separation and cancellations: are all served rightly, and does memory stay?

    python -m bench.server_soak [--minutes 10] [--clients 32]

Writes the section "32 clients" of docs/bench-server.md. Before it, one user alone has everything done once; each sound
that a client gets has to be the same, sample by sample.
"""

from __future__ import annotations

import argparse
import http.client
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench import machine, server_load, server_page
from bench.markdown import megabytes, table
from bench.results import say
from bench.server_client import Client, ServerSaidNo
from bench.server_load import References, Refusals, Work
from bench.server_process import Server

SAMPLE_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 1.5  # before a job is cancelled
GOAL_BYTES_PER_JOB = 100_000
QUEUE_FLAGS = ("--queue-size", "12")  # fewer than there are clients, so that some are sent away


@dataclass(frozen=True)
class MemorySample:
    """The resident memory of all processes of the server when so many requests were through."""

    seconds: float
    n_ended: int
    resident_bytes: int


@dataclass
class Tally:
    """What the clients have seen so far; threads share it."""

    ended: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, seconds: float) -> None:
        with self._lock:
            self.ended[what] += 1
            self.seconds.setdefault(what, []).append(seconds)

    def note_error(self, what: str, error: Exception) -> None:
        with self._lock:
            self.errors.append(f"{what}: {type(error).__name__}: {error}")

    def note_stranger(self, what: str, got: object) -> None:
        """Notes a result that is not the single user's."""
        with self._lock:
            self.strangers.append(f"{what}: {got}")


@dataclass(frozen=True)
class Findings:
    """What 32 clients have seen, and the memory meanwhile."""

    n_clients: int
    minutes: float
    ended: dict[str, int]
    median_seconds: dict[str, float]
    slowest_seconds: dict[str, float]
    busy: int
    busy_without_retry_after: int
    errors: list[str]
    strangers: list[str]
    memory: list[MemorySample]

    @property
    def slope_bytes_per_job(self) -> float:
        return slope(self.memory)


class User:
    """One client: it does one thing after the other, by chance, until the time is over."""

    def __init__(
        self, number: int, client: Client, work: Work, references: References, refusals: Refusals, tally: Tally
    ) -> None:
        self._chance = random.Random(number)
        self._client, self._work, self._references = client, work, references
        self._refusals, self._tally = refusals, tally
        self._doings: dict[str, tuple[int, Callable[[], None]]] = {
            "speech, streamed": (5, self._stream),
            "speech, hung up": (1, self._hang_up),
            "speech, as a job": (3, self._speak),
            "separation": (3, self._separate),
            "cancelled": (2, self._cancel),
        }

    def run(self, until: float) -> None:
        """Works until a time of the monotonic clock."""
        names = list(self._doings)
        weights = [weight for weight, _ in self._doings.values()]
        while time.monotonic() < until:
            (what,) = self._chance.choices(names, weights)
            began = time.monotonic()
            try:
                self._doings[what][1]()
                self._tally.note(what, time.monotonic() - began)
            except (ServerSaidNo, OSError, http.client.HTTPException) as error:
                self._tally.note_error(what, error)
                time.sleep(0.5)

    def _stream(self) -> None:
        number = self._chance.randrange(len(self._work.texts))
        got = server_load.streamed(self._client, self._work.texts[number], self._refusals)
        if got != self._references.streamed[number]:
            self._tally.note_stranger("speech, streamed", number)

    def _hang_up(self) -> None:
        blocks = self._client.stream("/v1/audio/speech", server_load.speech_request(self._work.long_text))
        try:
            next(blocks)
        except ServerSaidNo as error:
            if "429" not in str(error):
                raise
        finally:
            blocks.close()  # type: ignore[attr-defined]

    def _speak(self) -> None:
        number = self._chance.randrange(len(self._work.texts))
        got = server_load.done(self._client, server_load.speak_job(self._work.texts[number]), self._refusals)
        self._compare("speech, as a job", got, self._references.spoken[number])

    def _separate(self) -> None:
        number = self._chance.randrange(len(self._work.clips))
        got = server_load.separated(self._client, self._work.clips[number], self._refusals)
        self._compare("separation", got, self._references.separated[number])

    def _cancel(self) -> None:
        """Asks for a long separation, and cancels it after a moment."""
        upload = self._client.upload("long.wav", self._work.long_clip)
        asked = server_load.patiently(lambda: self._client.submit(server_load.separate_job(upload)), self._refusals)
        job_id = asked.expect(202).json["id"]
        time.sleep(self._chance.uniform(0, LONGEST_WAIT_SECONDS))
        self._client.ask("DELETE", f"/v1/jobs/{job_id}").expect(202)
        ended = self._client.wait(job_id)
        if ended["state"] != "cancelled" or ended["files"]:
            raise ServerSaidNo(f"a cancelled job is {ended['state']} and has {len(ended['files'])} files")
        self._client.ask("DELETE", f"/v1/jobs/{job_id}").expect(204)

    def _compare(self, what: str, got: dict[str, str], expected: dict[str, str]) -> None:
        if wrong := list(server_load.differences(got, expected)):
            self._tally.note_stranger(what, wrong)


def main() -> None:
    """Measures, and writes the section."""
    arguments = _arguments()
    head = machine.describe("bench.server_soak", sys.argv[1:], None)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), QUEUE_FLAGS) as server:
        findings = measure(server, arguments.clients, arguments.minutes)
    server_page.put(arguments.output, "32 clients", report(head, findings), findings)
    if findings.errors or findings.strangers:
        sys.exit("not all were served rightly")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.server_soak", description="Many clients at once.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--output", type=Path, default=server_page.PAGE, metavar="FILE")
    return parser.parse_args()


def measure(server: Server, n_clients: int, minutes: float) -> Findings:
    """Lets one user and then many use the server; watches its memory meanwhile."""
    work = server_load.make_work()
    say("one user alone")
    references = server_load.references(server.client(), work)
    say(f"{n_clients} clients for {minutes:g} minutes")
    tally, refusals, memory = Tally(), Refusals(), list[MemorySample]()
    began = time.monotonic()
    until = began + 60 * minutes
    users = [User(number, server.client(), work, references, refusals, tally) for number in range(n_clients)]
    with ThreadPoolExecutor(n_clients) as threads:
        running = [threads.submit(user.run, until) for user in users]
        while time.monotonic() < until:
            memory.append(MemorySample(time.monotonic() - began, tally.ended.total(), server.resident_bytes()))
            time.sleep(SAMPLE_SECONDS)
        for user in running:
            user.result()
    seconds = tally.seconds
    return Findings(
        n_clients=n_clients,
        minutes=minutes,
        ended=dict(tally.ended),
        median_seconds={what: float(np.median(of)) for what, of in seconds.items()},
        slowest_seconds={what: max(of) for what, of in seconds.items()},
        busy=refusals.n,
        busy_without_retry_after=refusals.without_retry_after,
        errors=tally.errors,
        strangers=tally.strangers,
        memory=memory,
    )


def slope(memory: list[MemorySample]) -> float:
    """Returns by how many bytes each further job made the server larger: least squares over the second half.

    >>> round(slope([MemorySample(float(n), 10 * n, 5000 * min(n, 4) + 100 * n) for n in range(20)]), 6)
    10.0
    """
    half = [sample for sample in memory if sample.seconds >= memory[-1].seconds / 2]
    jobs = np.array([sample.n_ended for sample in half])
    if len(set(jobs)) < 2:
        return float("nan")
    return float(np.polyfit(jobs, [sample.resident_bytes for sample in half], 1)[0])


def report(head: str, found: Findings) -> str:
    rows = [
        [what, str(n), f"{found.median_seconds[what]:.2f} s", f"{found.slowest_seconds[what]:.2f} s"]
        for what, n in sorted(found.ended.items())
    ]
    told = [
        ["results that are not the single user's", f"**{len(found.strangers)}**"],
        ["errors", f"**{len(found.errors)}**"],
        ["429, the server is busy", f"{found.busy}, {found.busy_without_retry_after} of them without Retry-After"],
        ["memory of all processes, half way and at the end", f"{_memory_at(found, 0.5)}, {_memory_at(found, 1)}"],
        ["slope over the second half", f"**{found.slope_bytes_per_job / 1e6:+.3f} MB per job** (0.1 is asked)"],
    ]
    errors = "".join(f"- {error}\n" for error in [*found.errors, *found.strangers][:20])
    return f"""{head}

{found.n_clients} clients for {found.minutes:g} minutes, each with one thing at a time, chosen by chance.
Times are with the wait in the queue.

{table(["what", "times", "median", "slowest"], rows)}

{table(["", ""], told)}

{errors}"""


def _memory_at(found: Findings, share: float) -> str:
    return megabytes(found.memory[min(int(share * len(found.memory)), len(found.memory) - 1)].resident_bytes)


if __name__ == "__main__":
    main()
