"""Models of a package that is installed for a test, whose weights lie at a server that can be slow."""

from __future__ import annotations

import hashlib
import http.server
import importlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_catalogue import install

from audio_ml import catalogue
from ui.server import schema

BLOCK = 1024  # bytes; what a download reads at once
SMALL, LARGE = os.urandom(64 * BLOCK), os.urandom(2000 * BLOCK)
ROWS = """
from audio_ml.catalogue import Licence, ModelSpec, WeightFile
from audio_ml.sources import UrlSource
from separation.options import SeparationOptions

def row(name, licence, verified="2026-11-26", **contents):
    files = tuple(
        WeightFile(f"{{file}}.bin", size, sha256, (UrlSource(f"{url}/{{file}}.bin"),))
        for file, (size, sha256) in contents.items()
    )
    return ModelSpec(
        name, "separation", f"{{name}} for tests.", licence, files, outputs=("left", "right"), sample_rate=8000,
        n_channels=1, memory_bytes=1000, verified=verified,
        options=SeparationOptions, engine=lambda files, device: dict(files),
    )

FREE, CLOSED = Licence("MIT", True), Licence("research use only", False, "Not for films.", must_accept=True)
MODELS = [row("quick-net", FREE, small={small}), row("slow-net", FREE, small={small}, large={large}),
          row("closed-net", CLOSED, verified="", small={small}),
          row("lost-net", FREE, verified="", gone={small})]
"""


class WeightServer:
    """Gives away both files; the second half of the large one comes a block at a time until `go_on` is set."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.requests: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                if "gone" in self.path:
                    self.send_error(404)
                    return
                content = LARGE if "large" in self.path else SMALL
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                try:
                    if content is LARGE:
                        content = outer.send_slowly(self)
                    self.wfile.write(content)
                except OSError:
                    self.close_connection = True  # the client has stopped it

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def send_slowly(self, handler: http.server.BaseHTTPRequestHandler) -> bytes:
        """Sends the first half and, as long as it may not go on, blocks of the second; returns what is left."""
        half = len(LARGE) // 2
        handler.wfile.write(LARGE[:half])
        for place in range(half, len(LARGE), BLOCK):
            if self.go_on.is_set():
                return LARGE[place:]
            handler.wfile.write(LARGE[place : place + BLOCK])
            time.sleep(0.5)
        return b""

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def fetched_models(folder: Path) -> Iterator[WeightServer]:
    """Installs `quick-net`, `slow-net`, `closed-net` and `lost-net`, which nobody gives, for a block.

    The cache is empty, and no terms are accepted.
    """
    weights = WeightServer()
    told = {
        name: repr((len(content), hashlib.sha256(content).hexdigest()))
        for name, content in (("small", SMALL), ("large", LARGE))
    }
    site = folder / "site"
    install(site, "fetched", "separation.fetched", net=ROWS.format(url=weights.url, **told))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        for name in ("AUDIO_ML_CACHE", "AUDIO_ML_CONFIG"):
            patch.setenv(name, str(folder / name.lower()))
        patch.delenv("AUDIO_ML_MODELS", raising=False)
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("no_proxy", "127.0.0.1")
        _look_anew()
        try:
            yield weights
        finally:
            weights.close()
            patch.undo()
            _look_anew()


def _look_anew() -> None:
    """Has the catalogue look for packages again."""
    importlib.invalidate_caches()
    for name in [name for name in sys.modules if name.partition(".")[0] == "fetched"]:
        del sys.modules[name]
    catalogue._entries.cache_clear()
    catalogue._discover.cache_clear()
    schema.offers.cache_clear()
