"""Kills the server and its workers at random moments under load: is anything lost, doubled, or served in part?

    python -m bench.server_kills [--kills 100] [--clients 6]

Writes the section "Kills" of docs/bench-server.md. Clients ask for jobs under idempotency keys and ask again for as
long as they get no answer, as a careful client does. In turn the server's own process and one of its workers get
SIGKILL; the server is started again at once, as a supervisor would.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bench import machine, server_load, server_page
from bench.markdown import table
from bench.results import say
from bench.server_client import Client, JobMissing, ServerSaidNo
from bench.server_load import References, Work
from bench.server_process import Server, wait_for_end

LONGEST_PAUSE_SECONDS = 4.0  # between a server that is ready and the next kill
ORPHAN_SECONDS = 15.0  # in which workers of a killed server have to notice
ASK_AGAIN_SECONDS = 0.2
PATIENCE_SECONDS = 300.0
T = TypeVar("T")


@dataclass(frozen=True)
class Accepted:
    """A job that the server has said it took, and what it should give."""

    key: str
    job: Mapping[str, Any]
    job_id: str
    expected: Mapping[str, str]


@dataclass
class Tally:
    """What clients and killer have seen; threads share it."""

    accepted: list[Accepted] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    attempts: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    orphans: list[int] = field(default_factory=list)
    seconds_to_ready: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Findings:
    """What came of the kills."""

    tally: Tally
    n_listed: int
    left_over: list[str]


class Killer:
    """Kills the server and, in turn, one of its workers, and starts the server again."""

    def __init__(self, server: Server, tally: Tally, seed: int = 0) -> None:
        self._server, self._tally, self._chance = server, tally, random.Random(seed)

    def run(self, n_kills: int) -> None:
        """Kills so many times."""
        for number in range(n_kills):
            time.sleep(self._chance.uniform(0, LONGEST_PAUSE_SECONDS))
            self._kill_worker() if number % 2 else self._kill_server()
            if (number + 1) % 10 == 0:
                say(f"{number + 1} kills")

    def _kill_server(self) -> None:
        orphans = self._server.kill()
        began = time.monotonic()
        self._tally.kills["server"] += 1
        self._server.start()
        self._tally.seconds_to_ready.append(time.monotonic() - began)
        self._tally.orphans += [pid for pid in orphans if not wait_for_end(pid, ORPHAN_SECONDS)]

    def _kill_worker(self) -> None:
        workers = self._server.worker_pids()
        if not workers:
            return
        try:
            os.kill(self._chance.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return
        self._tally.kills["worker"] += 1
        if not self._server.is_running():
            raise ServerSaidNo("the server went with its worker")


class User:
    """A client that has one job after the other done, whatever happens to the server."""

    def __init__(self, number: int, client: Client, work: Work, references: References, tally: Tally) -> None:
        self._number, self._chance = number, random.Random(number)
        self._client, self._work, self._references, self._tally = client, work, references, tally

    def run(self, over: threading.Event) -> None:
        """Works until the event is set."""
        n_jobs = 0
        while not over.is_set():
            n_jobs += 1
            try:
                self._carry_through(f"user-{self._number}-job-{n_jobs}")
            except (ServerSaidNo, OSError, http.client.HTTPException) as error:
                self._tally.errors.append(f"{type(error).__name__}: {error}")

    def _carry_through(self, key: str) -> None:
        if self._chance.random() < 0.5:
            number = self._chance.randrange(len(self._work.texts))
            job, expected = server_load.speak_job(self._work.texts[number]), self._references.spoken[number]
        else:
            number = self._chance.randrange(len(self._work.clips))
            upload = insistently(lambda: self._client.upload("clip.wav", self._work.clips[number]))
            job, expected = server_load.separate_job(upload), self._references.separated[number]
        accepted = Accepted(key, job, self._submit(job, key), expected)
        self._tally.accepted.append(accepted)
        check(self._client, accepted, self._tally)

    def _submit(self, job: Mapping[str, Any], key: str) -> str:
        reply = insistently(lambda: self._client.submit(job, key), busy=(429, 503))
        return str(reply.expect(200, 202).json["id"])


def check(client: Client, accepted: Accepted, tally: Tally) -> None:
    """Waits for a job to end; notes it as lost, or its files as partial, where they are."""
    try:
        job = insistently(lambda: client.wait(accepted.job_id, PATIENCE_SECONDS))
    except JobMissing:
        tally.lost.append(accepted.key)
        return
    tally.ended[job["state"]] += 1
    tally.attempts[job["attempts"]] += 1
    if job["state"] != "done":
        tally.reasons[f"{job['error']['type']}: {job['error']['message']}" if job["error"] else job["state"]] += 1
        return
    found = insistently(lambda: client.sounds_of(job))
    if wrong := list(server_load.differences(found, accepted.expected)):
        tally.partial.append(f"{accepted.key}: {', '.join(wrong)}")


def insistently(ask: Callable[[], T], busy: tuple[int, ...] = ()) -> T:
    """Asks again for as long as there is no server, or the answer breaks off.

    Raises:
        OSError, http.client.HTTPException: when there is none for `PATIENCE_SECONDS`.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            found = ask()
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
        else:
            if getattr(found, "status", 200) not in busy or time.monotonic() > deadline:
                return found
        time.sleep(ASK_AGAIN_SECONDS)


def measure(server: Server, n_kills: int, n_clients: int) -> Findings:
    """Lets clients work while server and workers are killed; then looks at every job once more."""
    work, tally, over = server_load.make_work(), Tally(), threading.Event()
    say("one user alone")
    references = server_load.references(server.client(), work)
    say(f"{n_kills} kills under {n_clients} clients")
    users = [User(number, server.client(), work, references, tally) for number in range(n_clients)]
    with ThreadPoolExecutor(n_clients) as threads:
        running = [threads.submit(user.run, over) for user in users]
        try:
            Killer(server, tally).run(n_kills)
        finally:
            over.set()
        for user in running:
            user.result()
    say("looking at every job once more")
    again = Tally()
    for accepted in tally.accepted:
        _look_again(server.client(), accepted, tally, again)
    tally.lost += again.lost
    tally.partial += again.partial
    listed = server.client().ask("GET", "/v1/jobs?limit=1000").expect(200).json["jobs"]
    tally.doubled += _doubled(tally.accepted, [job["id"] for job in listed])
    left_over = [path.name for path in (server.folder / "data").rglob("*.part*")]
    return Findings(tally, len(listed), left_over)


def _look_again(client: Client, accepted: Accepted, tally: Tally, again: Tally) -> None:
    """Asks for a job under its key once more, which has to be the same job with the same files."""
    reply = client.submit(accepted.job, accepted.key)
    job_id = reply.json["id"] if reply.status in (200, 202) else f"HTTP {reply.status}"
    if job_id != accepted.job_id:
        tally.doubled.append(f"{accepted.key}: {accepted.job_id} and {job_id}")
    check(client, accepted, again)


def _doubled(accepted: list[Accepted], listed: list[str]) -> list[str]:
    """Returns the jobs that are there twice, under two keys, or that nobody has asked for."""
    times = Counter(one.job_id for one in accepted)
    shared = [f"{job_id} has {n} keys" for job_id, n in times.items() if n > 1]
    return shared + [f"{job_id} was not asked for" for job_id in listed if job_id not in times]


def main() -> None:
    """Measures, and writes the section."""
    arguments = _arguments()
    head = machine.describe("bench.server_kills", sys.argv[1:], None)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        findings = measure(server, arguments.kills, arguments.clients)
    server_page.put(arguments.output, "Kills", report(head, findings), findings)
    tally = findings.tally
    if tally.lost or tally.doubled or tally.partial or tally.errors or tally.orphans:
        sys.exit("something was lost, doubled, served in part or left behind")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.server_kills", description="Kills a server at work.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--output", type=Path, default=server_page.PAGE, metavar="FILE")
    return parser.parse_args()


def report(head: str, found: Findings) -> str:
    tally = found.tally
    ready = sorted(tally.seconds_to_ready) or [float("nan")]
    rows = [
        ["kills of the server, of a worker", f"{tally.kills['server']}, {tally.kills['worker']}"],
        ["jobs accepted", str(len(tally.accepted))],
        *([f"ended: {state}", str(n)] for state, n in sorted(tally.ended.items())),
        *([f"jobs with {attempts} attempts", str(n)] for attempts, n in sorted(tally.attempts.items())),
        ["lost", f"**{len(tally.lost)}**"],
        ["doubled", f"**{len(tally.doubled)}**"],
        ["files that are not the single user's", f"**{len(tally.partial)}**"],
        ["unfinished files left on the disk", f"**{len(found.left_over)}**"],
        [f"workers that outlived a killed server by {ORPHAN_SECONDS:.0f} s", f"**{len(tally.orphans)}**"],
        ["other errors", f"**{len(tally.errors)}**"],
        ["killed until ready again, median and slowest", f"{ready[len(ready) // 2]:.1f} s, {ready[-1]:.1f} s"],
    ]
    told = [f"{n} times: {reason}" for reason, n in tally.reasons.most_common()]
    told += [*tally.lost, *tally.doubled, *tally.partial, *tally.errors][:20]
    return f"{head}\n\n{table(['', ''], rows)}\n\n" + "".join(f"- {line}\n" for line in told)


if __name__ == "__main__":
    main()
