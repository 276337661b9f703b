"""The part that all workers share: takes requests from standard input, answers on standard output, opens no socket.

A worker offers a class with `sample_rate`, `enroll` and `speak`, and calls `serve`. What its package prints goes to
standard error, for standard output belongs to the messages.
"""

from __future__ import annotations

import array
import os
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voiceclone.workers.pipe_protocol import FOLDER, VERSION, Array, Message, read_message, write_message
else:
    from pipe_protocol import FOLDER, VERSION, Array, Message, read_message, write_message

Arrays = dict[str, Array]
CLOSED = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")


class Model:
    """What a worker offers: made from the row's files by name, and a device ("cpu", "cuda", "mps")."""

    sample_rate = 0
    package = ""

    def __init__(self, files: dict[str, str], device: str) -> None:
        raise NotImplementedError

    def enroll(self, samples: bytes, sample_rate: int, transcript: str) -> Arrays:
        """Returns what is to be kept of a reference: float32 samples, mono."""
        raise NotImplementedError

    def speak(self, text: str, state: Arrays, options: dict[str, Any], seed: int) -> Iterator[bytes]:
        """Yields what is said: float32 samples, mono, at `sample_rate`."""
        raise NotImplementedError


def serve(make: Callable[[dict[str, str], str], Model]) -> None:
    """Answers requests until there are no more; what fails is answered with "error", and the next request may come."""
    requests, answers = _take_pipes()
    sys.addaudithook(_refuse_network)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    model = None
    while True:
        request = read_message(requests)
        if request is None:
            return
        try:
            if request.kind == "load":
                model = make(request.fields["files"], request.fields["device"])
                told = {"version": VERSION, "sample_rate": model.sample_rate, "package": _version(model.package)}
                write_message(answers, Message("ready", told, {}))
            elif model is not None:
                _answer(model, request, answers)
        except (BrokenPipeError, KeyboardInterrupt):
            return  # nobody listens any more
        except Exception as error:
            traceback.print_exc()
            lines = str(error).strip().splitlines() or [type(error).__name__]
            told = {"message": lines[0], "error": type(error).__name__, "missing": isinstance(error, ImportError)}
            write_message(answers, Message("error", told, {}))


def _answer(model: Model, request: Message, answers: IO[bytes]) -> None:
    fields = request.fields
    if request.kind == "enroll":
        reference = request.arrays["reference"]
        state = model.enroll(reference.data, fields["sample_rate"], fields["transcript"])
        write_message(answers, Message("state", {}, state))
    elif request.kind == "speak":
        for samples in model.speak(fields["text"], request.arrays, fields["options"], fields["seed"]):
            piece = Array("float32", (len(samples) // 4,), samples)
            write_message(answers, Message("audio", {}, {"samples": piece}))
        write_message(answers, Message("done", {}, {}))
    else:
        raise ValueError(f"unknown request {request.kind}")


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Keeps standard input and output for messages alone; what is printed goes to standard error."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, answers


def _end_with(parent: int) -> None:
    """Ends this process when the one that started it was killed, in the middle of a sentence, too.

    What packages left in its folder ends with it: the recording of a reference may be among it.
    """
    while os.getppid() == parent:
        time.sleep(1)
    if folder := os.environ.get(FOLDER):
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event in CLOSED and not (event == "socket.connect" and isinstance(arguments[1], (str, bytes))):
        raise OSError("a worker opens no connection: its files are given to it")


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return package + " " + version(package)
    except PackageNotFoundError:
        return package


def to_floats(data: bytes) -> array.array[float]:
    """Returns float32 samples as an array of the standard library."""
    samples = array.array("f")
    samples.frombytes(data)
    return samples


def wave_file(data: bytes, sample_rate: int) -> bytes:
    """Returns float32 mono samples as a WAV file with 16 bits."""
    import io
    import wave

    levels = array.array("h", (round(32767 * min(1.0, max(-1.0, sample))) for sample in to_floats(data)))
    if sys.byteorder == "big":
        levels.byteswap()
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(levels.tobytes())
    return target.getvalue()


def one_folder(files: dict[str, str]) -> str:
    """Returns the folder that all files of a row are in, for packages that want one."""
    folders = {os.path.dirname(path) for path in files.values()}  # noqa: PTH120 - strings come, strings go
    if len(folders) != 1:
        raise ValueError("the files of this model lie in several folders; bring them into one")
    return folders.pop()
