"""Models whose packages cannot live beside ours: each runs in an environment of its own, at the other end of a pipe.

The user makes the environment and names its Python in `engines.json` among their settings. A worker of ours
(`workers/`) runs there; docs/cloning-pipes.md describes the messages. No shell is used, no socket opened, and the
worker is killed when a request is cancelled, takes too long or comes to nothing.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from audio_ml.audio import Audio
from audio_ml.device import Device
from audio_ml.errors import EngineFailed, InvalidInput, MissingDependency
from audio_ml.options import Options
from audio_ml.progress import Progress
from audio_ml.settings import settings_folder
from voiceclone.sentences import sentences
from voiceclone.workers import pipe_protocol
from voiceclone.workers.pipe_protocol import Array, Message, ProtocolError
from voiceclone.zero_shot import Arrays, Utterance

SETTINGS_FILE = "engines.json"
TIMEOUT_SECONDS = 600.0  # for one answer: a sentence on a slow CPU, or a model read from a slow disk
POLL_SECONDS = 0.1
LISTENING_SECONDS = 2.0
LAST_LINES = 5  # of what a worker that broke down had written
WORKERS = Path(__file__).with_name("workers")
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "WANDB_MODE": "disabled",
    "PYTHONIOENCODING": "utf-8",
}
OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")  # not for another Python
TEMPORARY = (pipe_protocol.FOLDER, "TMPDIR", "TEMP", "TMP")  # what packages write there goes with the worker


@dataclass(frozen=True)
class Apart:
    """How a model is run apart: the worker's `script`, and what pip installs into its environment."""

    name: str
    script: Path
    package: str


@dataclass(frozen=True)
class Environment:
    """The Python of an environment, and how long one answer may take there."""

    python: Path
    timeout_seconds: float = TIMEOUT_SECONDS


def find_environment(apart: Apart) -> Environment:
    """Returns the environment that the user has named for a model.

    Raises:
        MissingDependency: when there is none, with how to make it.
        InvalidInput: when the settings are not what they should be.
    """
    path = settings_folder() / SETTINGS_FILE
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        named = settings.get(apart.name)
        found = None if named is None else Environment(Path(named["python"]), float(named.get("timeout_seconds", 600)))
    except FileNotFoundError:
        found = None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        shape = f'{{"{apart.name}": {{"python": "/path/to/python"}}}}'
        raise InvalidInput(f"{path} cannot be read ({error!r}); it should be like {shape}.") from error
    if found is not None and found.python.is_file() and os.access(found.python, os.X_OK):
        return found
    problem = "names none" if found is None else f"names {found.python}, which is no program"
    make = f"python -m venv ENV, then ENV/bin/pip install '{apart.package}'"
    entry = f'{{"{apart.name}": {{"python": "ENV/bin/python"}}}}'
    raise MissingDependency(
        f"{apart.name} needs an environment of its own, and {path} {problem}. Make one with {make}, and write {entry} "
        "there, with the whole path. See docs/cloning-pipes.md."
    )


class Worker:
    """A worker's process; one request at a time."""

    def __init__(self, apart: Apart, environment: Environment) -> None:
        self._name, self._timeout = apart.name, environment.timeout_seconds
        variables = {name: value for name, value in os.environ.items() if name not in OURS}
        folder = tempfile.TemporaryDirectory(prefix="audio-ml-", ignore_cleanup_errors=True)
        try:
            self._process = subprocess.Popen(
                [str(environment.python), str(apart.script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=variables | QUIET | dict.fromkeys(TEMPORARY, folder.name),
                start_new_session=sys.platform != "win32",  # Ctrl-C is for us, who then kill it
            )
        except OSError as error:
            folder.cleanup()
            raise EngineFailed(f"{environment.python} cannot be started: {error.strerror}.") from error
        self._answers: queue.Queue[Message | ProtocolError | None] = queue.Queue()
        self._last: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
        assert self._process.stdout is not None and self._process.stderr is not None
        self._readers = (
            _thread(f"answers-{apart.name}", _read_answers, self._process.stdout, self._answers),
            _thread(f"words-{apart.name}", _read_lines, self._process.stderr, self._last),
        )
        self._writers: list[threading.Thread] = []
        self.close = weakref.finalize(self, _end, self._process, self._readers, self._writers, folder)

    def ask(self, request: Message, last_kind: str, progress: Progress) -> list[Message]:
        """Sends a request and returns its answers, up to the one of the last kind; "error" ends them as well.

        Raises:
            EngineFailed: when the worker dies, says what is no message, or says nothing for too long.
            Cancelled: as the progress.
        """
        assert self._process.stdin is not None
        self._writers[:] = [writer for writer in self._writers if writer.is_alive()]
        # Who does not read must not hold us.
        self._writers.append(_thread(f"requests-{self._name}", _write, self._process.stdin, request))
        answers: list[Message] = []
        try:
            while not answers or answers[-1].kind not in (last_kind, "error"):
                answers.append(self._next(progress))
        except BaseException:
            self.close()
            raise
        return answers

    def _next(self, progress: Progress) -> Message:
        ends, has_ended = time.monotonic() + self._timeout, False
        while True:
            progress.check()
            try:
                answer = self._answers.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if time.monotonic() > ends:
                    late = f"gave no answer for {self._timeout:g} s and was stopped"
                    raise self._failure(None if has_ended else late) from None
                if not has_ended and self._process.poll() is not None:
                    _kill(self._process)  # what it has started may hold the pipe, which then never ends
                    ends, has_ended = time.monotonic() + LISTENING_SECONDS, True
                continue
            if isinstance(answer, Message):
                return answer
            if answer is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(1)
                raise self._failure(None)
            raise self._failure(f"does not speak the protocol: {answer}")

    def _failure(self, what: str | None) -> EngineFailed:
        """Ends the worker and returns the error that says what it did, or with which code it had ended."""
        code = self._process.poll()
        self.close()  # which reads to the end of what it had to say
        last = " | ".join(self._last)
        what = what or ("stopped answering" if code is None else f"ended with code {code}")
        return EngineFailed(
            f"The worker of {self._name} {what}. " + (f"Its last words: {last}" if last else "It said nothing.")
        )


def _thread(name: str, target: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    thread.start()
    return thread


def _write(stream: IO[bytes], request: Message) -> None:
    with contextlib.suppress(OSError, ValueError):  # it has ended, as the reader will find
        pipe_protocol.write_message(stream, request)


def _read_answers(stream: IO[bytes], answers: queue.Queue[Message | ProtocolError | None]) -> None:
    with stream:
        try:
            while (answer := pipe_protocol.read_message(stream)) is not None:
                answers.put(answer)
        except (ProtocolError, OSError) as error:
            answers.put(error if isinstance(error, ProtocolError) else ProtocolError(str(error)))
        finally:
            answers.put(None)


def _read_lines(stream: IO[bytes], last: collections.deque[str]) -> None:
    with stream, contextlib.suppress(OSError):
        for line in stream:
            if text := line.decode(errors="replace").strip():
                last.append(text[:300])


def _end(
    process: subprocess.Popen[bytes],
    readers: Sequence[threading.Thread],
    writers: Sequence[threading.Thread],
    folder: tempfile.TemporaryDirectory[str],
) -> None:
    """Ends a worker and all it holds; it has nothing to save, and what it left on the disk may be somebody's voice."""
    _kill(process)
    process.wait()
    folder.cleanup()
    for thread in (*readers, *writers):
        thread.join(LISTENING_SECONDS)  # what it has started in a session of its own may hold the pipes for longer
    if process.stdin is not None and not any(writer.is_alive() for writer in writers):
        with contextlib.suppress(OSError):
            process.stdin.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills a worker and what it has started, which may live on when the worker has ended."""
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
            os.killpg(process.pid, signal.SIGKILL)  # its session is its own


class PipeEngine:
    """A model at the other end of a pipe. Requests follow one another; a worker that was killed is started again."""

    def __init__(self, files: Mapping[str, Path], device: Device, *, apart: Apart) -> None:
        self._apart, self._environment = apart, find_environment(apart)  # before gigabytes are fetched for nothing
        paths = {name: str(files[name]) for name in files}
        self._load = Message("load", {"version": pipe_protocol.VERSION, "files": paths, "device": device.kind}, {})
        self._turn = threading.Lock()
        self._worker: Worker | None = None
        self.package = ""
        with self._turn:
            self._started(Progress())

    def enroll(self, reference: Audio, transcript: str, progress: Progress) -> Arrays:
        """Returns what the model keeps of a reference; raises as `_ask`."""
        samples = Array("float32", reference.samples.shape[1:], reference.samples[0].astype("<f4").tobytes())
        fields = {"sample_rate": reference.sample_rate, "transcript": transcript}
        (answer,) = self._ask(Message("enroll", fields, {"reference": samples}), "state", progress)
        return {name: _to_numpy(array) for name, array in answer.arrays.items()}

    def speak(self, text: str, state: Arrays, options: Options, progress: Progress) -> Iterator[Utterance]:
        """Yields a text sentence by sentence; raises as `_ask`."""
        chosen = options.model_dump()
        seed = chosen.pop("seed")
        arrays = {name: _to_wire(name, array) for name, array in state.items()}
        parts = sentences(text)
        for number, sentence in enumerate(parts):
            progress.update("speaking", number / len(parts))
            request = Message("speak", {"text": sentence, "options": chosen, "seed": seed}, arrays)
            answers = self._ask(request, "done", progress)
            spoken = [_to_numpy(answer.arrays["samples"]) for answer in answers if answer.kind == "audio"]
            samples = np.concatenate(spoken) if spoken else np.zeros(0, np.float32)
            if samples.dtype != np.float32 or samples.ndim != 1 or not samples.size or not np.isfinite(samples).all():
                raise EngineFailed(f"{self._apart.name} gave no speech for '{sentence[:40]}'.")
            yield Utterance(samples)

    def _ask(self, request: Message, last_kind: str, progress: Progress) -> list[Message]:
        """Returns the answers to a request.

        Raises:
            EngineFailed: as `Worker.ask`, and when the model could not do it.
            MissingDependency: when the environment lacks what the model needs.
        """
        with self._own_turn(progress):
            return self._checked(self._started(progress).ask(request, last_kind, progress))

    @contextlib.contextmanager
    def _own_turn(self, progress: Progress) -> Iterator[None]:
        while not self._turn.acquire(timeout=POLL_SECONDS):
            progress.check()
        try:
            yield
        finally:
            self._turn.release()

    def _started(self, progress: Progress) -> Worker:
        """Returns the worker, started and loaded where there is none or it was ended."""
        if self._worker is None or not self._worker.close.alive:
            progress.update(f"starting {self._apart.name}", 0.0)
            self._worker = None
            worker = Worker(self._apart, self._environment)
            try:
                (ready,) = self._checked(worker.ask(self._load, "ready", progress))
                if (version := ready.fields.get("version")) != pipe_protocol.VERSION:
                    raise EngineFailed(f"The worker of {self._apart.name} speaks version {version} of the protocol.")
            except BaseException:
                worker.close()
                raise
            self._worker, self.package = worker, str(ready.fields.get("package", ""))
        return self._worker

    def _checked(self, answers: list[Message]) -> list[Message]:
        fields = answers[-1].fields
        if answers[-1].kind != "error":
            return answers
        told = f"{fields.get('error')}: {fields.get('message')}"
        if fields.get("missing"):
            package = self._apart.package
            raise MissingDependency(
                f"The environment of {self._apart.name} is not complete: {told}. It wants {package}."
            )
        raise EngineFailed(f"{self._apart.name} could not do it: {told}")


def _to_numpy(array: Array) -> Any:
    return np.frombuffer(array.data, np.dtype(array.dtype).newbyteorder("<")).reshape(array.shape).astype(array.dtype)


def _to_wire(name: str, array: Any) -> Array:
    numbers = np.asarray(array)
    if numbers.dtype.name not in pipe_protocol.ITEM_BYTES:
        raise InvalidInput(f"What the voice keeps as {name} cannot be sent: it is {numbers.dtype}.")
    return Array(numbers.dtype.name, numbers.shape, numbers.astype(numbers.dtype.newbyteorder("<")).tobytes())
