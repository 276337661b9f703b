"""A server of a bench: started, watched, killed, and started again on the same port with the same folder."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from bench.server_client import Client

COMMAND = str(Path(sys.executable).with_name("audio-ml"))
START_SECONDS = 180.0  # on a machine that is busy with other work
END_SECONDS = 30.0
TICKS = os.sysconf("SC_CLK_TCK")


class ServerFailed(Exception):
    """The server did not start, or ended by itself; the message has its last words."""


class Server:
    """`audio-ml serve` on a free port of this machine, as a context; `folder` keeps its data and its log.

    It reads processes in /proc, so it wants Linux.
    """

    def __init__(self, folder: Path, flags: Sequence[str] = ()) -> None:
        self.folder, self._flags = folder, tuple(flags)
        self.port = _free_port()
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._running().pid

    def client(self, timeout_seconds: float = 120.0) -> Client:
        return Client(self.port, timeout_seconds=timeout_seconds)

    def start(self, wait: bool = True) -> None:
        """Starts the server, and waits until it says that it is ready.

        Raises:
            ServerFailed: when it does not within `START_SECONDS`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [COMMAND, "serve", "--port", str(self.port), "--folder", str(self.folder / "data"), *self._flags]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Waits until `GET /ready` answers 200; raises `ServerFailed` as `start` does."""
        client, deadline = Client(self.port, timeout_seconds=5), time.monotonic() + START_SECONDS
        while True:
            if self._running().poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"the server did not get ready:\n{self.last_words()}")
            try:
                if client.ask("GET", "/ready").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def worker_pids(self) -> list[int]:
        """Returns the processes under the server's, those under them included."""
        return descendants(self.pid)

    def resident_bytes(self) -> int:
        """Returns the resident memory of the server and all under it; pages that two share count twice."""
        return sum(_resident_bytes(pid) for pid in [self.pid, *self.worker_pids()])

    def cpu_seconds(self) -> float:
        """Returns the processor time that the server and all under it have taken so far."""
        return sum(processor_seconds(pid) for pid in [self.pid, *self.worker_pids()])

    def kill(self) -> list[int]:
        """Kills the server's own process with SIGKILL; returns the processes that were under it."""
        orphans = self.worker_pids()
        self._running().send_signal(signal.SIGKILL)
        self._running().wait(END_SECONDS)
        return orphans

    def stop(self) -> None:
        """Ends the server as a supervisor does, with SIGTERM; kills it if it does not end."""
        if self._process is None:
            return
        under = descendants(self._process.pid)
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_SECONDS)
        for pid in under:
            if not wait_for_end(pid, 5.0):
                os.kill(pid, signal.SIGKILL)
        self._process = None

    def last_words(self, n_characters: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-n_characters:]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerFailed("the server was not started")
        return self._process


def wait_for_end(pid: int, within_seconds: float) -> bool:
    """Waits for a process to be gone, or a zombie; returns whether it is."""
    deadline = time.monotonic() + within_seconds
    while _is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if fields := _stat(int(folder.name)):
            parents.setdefault(int(fields[1]), []).append(int(folder.name))
    found, open_ends = [], [pid]
    while open_ends:
        children = parents.get(open_ends.pop(), [])
        found += children
        open_ends += children
    return sorted(found)


def _stat(pid: int) -> list[str]:
    """Returns the fields of /proc/PID/stat from the state on, or none for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except OSError:
        return []


def _is_alive(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def processor_seconds(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0
