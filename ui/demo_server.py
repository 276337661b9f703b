"""The server's part of `make demo`: a server of its own, and a thin client that separates and speaks by it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audio_ml.errors import AudioMLError
from audio_ml_client import Client

LINE = "The machine room speaks while it works on your song."
HELLO = "Hello from the machine room."


def serve_and_ask(folder: Path, song: Path) -> None:
    """Separates a song by a job while the same server speaks, and prints what came when."""
    with _server() as url:
        client = Client(url)
        print(f"\nA server of {len(client.models())} models at {url}, and a client that knows none of them:")
        client.speak(HELLO)  # brings the voice into its memory
        job = client.submit("separate", inputs=[{"upload": client.upload(song)}])
        began = time.perf_counter()
        pieces = client.speak_stream(LINE, response_format="mp3")
        sound = next(pieces)
        first = time.perf_counter() - began
        sound += b"".join(pieces)
        state = client.job(job.id).state
        target = folder / "server" / "line.mp3"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(sound)
        print(f"  {target}: its first bytes came after {1000 * first:.0f} ms, beside a separation that was {state}")
        done = client.wait(job)
        for file in done.files:
            stem = folder / "server" / Path(file["name"]).name
            client.download(done, file["name"], stem, overwrite=True)
            print(f"  {stem}: {file['n_bytes']:,} bytes")
        for worker in client.memory()["workers"]:
            names = ", ".join(model["name"] for model in worker["models"]) or "nothing"
            print(f"  the worker '{worker['name']}' has in memory: {names}")


@contextmanager
def _server() -> Iterator[str]:
    """Runs `audio-ml serve` on a free port with a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ui.cli", "serve", "--port", str(_free_port()), "--no-page"]
        settings = os.environ | {"AUDIO_ML_SERVER_FOLDER": folder}
        log = Path(folder) / "log"
        with log.open("w") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=settings)
        try:
            assert process.stdout is not None
            told = process.stdout.readline().split()
            if not told:
                raise AudioMLError(f"The server did not begin: {log.read_text().strip()}")
            yield told[2].rstrip("/")
        finally:
            process.terminate()
            process.wait(30)


def _free_port() -> int:
    from ui.server.launch import listen

    with listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])
