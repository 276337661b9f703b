"""A worker that understands the protocol of docs/cloning-pipes.md from its text alone, and misbehaves when told to."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from typing import Any

requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)


def receive() -> tuple[dict[str, Any], dict[str, bytes]] | None:
    begin = requests.read(8)
    if not begin:
        return None
    assert begin[:4] == b"AMLP"
    header = json.loads(requests.read(struct.unpack("<I", begin[4:])[0]))
    sizes = {"float32": 4, "int64": 8, "uint8": 1}
    arrays = {}
    for name, dtype, shape in header["arrays"]:
        n_items = 1
        for size in shape:
            n_items *= size
        arrays[name] = requests.read(n_items * sizes[dtype])
    return header, arrays


def send(header: dict[str, Any], data: bytes = b"") -> None:
    encoded = json.dumps({"arrays": [], **header}).encode()
    answers.write(b"AMLP" + struct.pack("<I", len(encoded)) + encoded + data)
    answers.flush()


def say(text: str, seed: int, options: dict[str, Any], state: dict[str, bytes]) -> None:
    """Speaks two pieces: the first number kept of the reference, the seed and an option; then the letters."""
    if "crash" in text:
        print("loading the lexicon\nSegmentation fault in the middle of a word", file=sys.stderr, flush=True)
        os._exit(3)
    if "orphan" in text:
        command = [sys.executable, "-c", "import time; time.sleep(30)"]
        child = subprocess.Popen(command, pass_fds=[answers.fileno()], start_new_session="session" in text)
        print(child.pid, file=sys.stderr, flush=True)
        os._exit(3)
    if "garbage" in text:
        answers.write(b"Loading checkpoint shards: 100%")
        answers.flush()
    if "cut" in text:
        answers.write(b"AMLP" + struct.pack("<I", 1000) + b"{}")
        answers.flush()
        os._exit(0)
    if "hang" in text:
        with tempfile.NamedTemporaryFile("wb", suffix=".wav", delete=False) as file:
            file.write(state["kept"])
        time.sleep(600)
    if "error" in text:
        send({"kind": "error", "error": "ValueError", "message": "such texts are too much for it", "missing": False})
        return
    time.sleep(0.5 if "slow" in text else 0)
    (first,) = struct.unpack_from("<f", state["kept"])
    number = float("nan") if "nothing" in text else options["size"]
    send({"kind": "audio", "arrays": [["samples", "float32", [3]]]}, struct.pack("<3f", first, seed, number))
    letters = [ord(letter) / 128 for letter in text]
    data = struct.pack(f"<{len(letters)}f", *letters)
    send({"kind": "audio", "arrays": [["samples", "float32", [len(letters)]]]}, data)
    send({"kind": "done"})


while (found := receive()) is not None:
    header, arrays = found
    if header["kind"] == "load":
        version = 2 if "new" in header["files"] else 1
        send({"kind": "ready", "version": version, "sample_rate": 24000, "package": f"fake {os.getpid()}"})
    elif header["kind"] == "enroll":
        kept, words = arrays["reference"][:8], header["transcript"].encode()
        listed = [["kept", "float32", [2]], ["words", "uint8", [len(words)]], ["rate", "int64", [1, 1]]]
        send({"kind": "state", "arrays": listed}, kept + words + struct.pack("<q", header["sample_rate"]))
    else:
        say(header["text"], header["seed"], header["options"], arrays)
