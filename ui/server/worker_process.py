"""A worker process as the server sees it: begun, spoken to, listened to, ended, and begun anew when it died."""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing import Pipe
from typing import Any

from audio_ml import errors
from audio_ml.errors import AudioMLError
from ui.server.wire import Message, Outbox, Wire

log = logging.getLogger(__name__)
SECONDS_TO_END = 5.0
LONGEST_PAUSE = 30.0  # between two beginnings of a worker that dies at once
LONG_LIFE = 60.0  # seconds after which a worker counts as sound


class WorkerGone(AudioMLError):
    """The process that did the work ended before it was done."""

    http_status = 503


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is told at its beginning: its device, its memory budget in bytes, and everything else as plain
    values (`fetch`, `memory`, `server`)."""

    name: str
    device: str
    memory_budget: int | None
    rest: Mapping[str, Any]


Listener = Callable[["WorkerProcess", Message, bytes | None], None]


class WorkerProcess:
    """One worker; `listener` hears what it says, on a thread of its own, and `{"is": "gone"}` when it ended.

    A worker is a session of its own, so that Ctrl-C in the terminal reaches the server alone, which ends it.
    """

    def __init__(self, settings: WorkerSettings, listener: Listener) -> None:
        self.settings = settings
        self.is_ready = False
        self.device, self.memory_budget = settings.device, settings.memory_budget  # as found, once it was ready
        self._listener = listener
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._asked: dict[int, Future[Message]] = {}
        self._closing = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._outbox: Outbox | None = None
        self._thread = threading.Thread(target=self._live, name=f"worker-{settings.name}", daemon=True)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def pid(self) -> int | None:
        """The number of the process, None where there is none just now."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def start(self) -> None:
        """Begins the process, and again whenever it ends by itself."""
        self._thread.start()

    def send(self, message: Mapping[str, Any]) -> bool:
        """Tells the worker something, without waiting for it to read; False when it is not there."""
        outbox = self._outbox
        if outbox is not None:
            outbox.put(message)
        return outbox is not None

    def ask(self, message: Mapping[str, Any], seconds: float) -> Message:
        """Asks the worker something and waits for its answer.

        Raises:
            WorkerGone: when it is not there, or dies meanwhile.
            TimeoutError: when it does not answer in time.
        """
        if not self.is_ready:
            raise WorkerGone(f"The worker '{self.name}' is not there just now; try again in a moment.")
        number, answer = next(self._numbers), Future[Message]()
        with self._lock:
            self._asked[number] = answer
        try:
            if not self.send({**message, "number": number}):
                raise WorkerGone(f"The worker '{self.name}' is not there just now; try again in a moment.")
            return answer.result(seconds)
        finally:
            with self._lock:
                self._asked.pop(number, None)

    def kill(self) -> None:
        """Ends a process that does not listen any more; it begins anew."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Ends the worker for good."""
        self._closing.set()
        self.send({"do": "stop"})
        if self._process is not None:
            try:
                self._process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._thread.join(SECONDS_TO_END)

    def _live(self) -> None:
        pause = 0.0
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                self._run()
            except OSError as error:  # no memory or no descriptors for a process: perhaps there are soon
                log.error("The worker '%s' could not be begun: %s", self.name, error)
            if self._closing.is_set():
                return
            pause = 0.2 if time.monotonic() - began > LONG_LIFE else min(max(2 * pause, 0.2), LONGEST_PAUSE)
            self._closing.wait(pause)

    def _run(self) -> None:
        """Begins the process and listens to it until it ends."""
        ours, theirs = Pipe()
        settings = {"device": self.settings.device, "memory_budget": self.settings.memory_budget, **self.settings.rest}
        command = [sys.executable, "-m", "ui.server.worker", self.name, str(theirs.fileno())]
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], start_new_session=True, stdin=subprocess.DEVNULL
        )
        theirs.close()
        wire = Wire(ours)
        outbox = Outbox(wire, self.name)
        outbox.put({"do": "begin", **settings})
        self._outbox = outbox
        while (received := wire.receive()) is not None:
            self._hear(*received)
        was_ready, self.is_ready, self._outbox = self.is_ready, False, None
        wire.close()
        outbox.close()
        self._process.kill()  # one that closed its end is of no use
        self._process.wait()
        with self._lock:
            asked, self._asked = self._asked, {}
        for answer in asked.values():
            answer.set_exception(WorkerGone(f"The worker '{self.name}' broke down."))
        self._listener(self, {"is": "gone", "status": self._process.returncode, "was_ready": was_ready}, None)

    def _hear(self, message: Message, content: bytes | None) -> None:
        if message["is"] == "answer":
            with self._lock:
                answer = self._asked.pop(message["number"], None)
            if answer is not None:
                answer.set_result(message)
            return
        if message["is"] == "ready":
            self.device, self.memory_budget = message["device"], message["memory_budget"]
            self.is_ready = True
        self._listener(self, message, content)


def as_error(told: Mapping[str, Any]) -> AudioMLError:
    """Returns an error that a worker told of, as it was raised there.

    >>> as_error({"type": "UnknownVoice", "message": "Unknown voice 'ana'.", "code": 422})
    UnknownVoice("Unknown voice 'ana'.")
    """
    kind = getattr(errors, told["type"], None)
    if not (isinstance(kind, type) and issubclass(kind, AudioMLError)):  # one that has no class here
        kind = type(str(told["type"]), (AudioMLError,), {"http_status": told["code"]})
    error: AudioMLError = kind(told["message"])
    error.param = told.get("param")
    return error
