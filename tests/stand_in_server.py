"""A server that speaks as ours does and breaks on demand: what a network does to clients, within a test."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONGEST_HOLD = 60.0  # seconds
FEWEST_LOOKS = 5  # at a job that takes its time, so that it is seen at work even by who is slow


@dataclass
class Faults:
    """What goes wrong, and how often: counts go down as it happens."""

    busy: int = 0  # jobs are refused with 429
    retry_after: str = "0"
    lose_reply_to_job: int = 0  # the job is made, nobody is told
    break_upload_after: list[int] = field(default_factory=list)  # bytes of a PATCH, one entry a fault
    break_file_after: list[int] = field(default_factory=list)
    break_events: int = 0  # after the first event
    no_events: bool = False
    fail_with: dict[str, Any] | None = None
    change_file: bool = False  # between the two halves of a broken download
    seconds: float = 0.0  # of work
    refuse_all: int = 0  # with 502 of a proxy
    hold: threading.Event | None = None  # speech does not begin, nor is a model loaded, before it is set
    break_speech_by_silence: bool = False  # until `hold` is set


@dataclass
class StandIn:
    """The server's state, open to tests."""

    url: str
    token: str | None
    faults: Faults = field(default_factory=Faults)
    uploads: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)  # that every job gives; the first input by default
    report: dict[str, Any] | None = None
    models: list[dict[str, Any]] = field(default_factory=list)
    voices: dict[str, bytes] = field(default_factory=dict)
    keeps_voices: bool = True

    def count(self, method: str, path: str) -> int:
        return sum(made == method and where.startswith(path) for made, where, _ in self.requests)


@contextlib.contextmanager
def stand_in(token: str | None = None) -> Iterator[StandIn]:
    """Runs a server on a free port of this machine while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    state = StandIn(f"http://127.0.0.1:{server.server_port}", token)
    server.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    @property
    def state(self) -> StandIn:
        state: StandIn = self.server.state  # type: ignore[attr-defined]
        return state

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def _serve(self) -> None:
        state = self.state
        state.requests.append((self.command, self.path, {key.lower(): value for key, value in self.headers.items()}))
        if state.faults.refuse_all:
            state.faults.refuse_all -= 1
            self._reply(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"})
        elif state.token and self.headers.get("Authorization") != f"Bearer {state.token}":
            self._refuse(401, "NotAllowed", "This server wants a token.")
        else:
            parts = self.path.partition("?")[0].strip("/").split("/")
            serve = getattr(
                self, f"_{self.command.lower()}_{'_'.join(parts[1 : 3 if parts[1:2] == ['audio'] else 2])}", None
            )
            if serve is None:
                self._refuse(404, "NotFound", "There is no such place.")
            else:
                serve(*parts[2:])

    def _reply(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self._reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _refuse(self, status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> None:
        error = {"message": message, "type": kind, "code": status, "param": None, "request_id": "r1"}
        self._json(status, {"error": error}, headers)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    # models

    def _get_voices(self, name: str = "", *_: str) -> None:
        if name:
            self._reply(200, self.state.voices[name])
        else:
            self._json(200, {"voices": [], "may_keep": self.state.keeps_voices})

    def _get_models(self, *name: str) -> None:
        models = self.state.models
        if not name:
            self._json(200, {"object": "list", "data": models})
            return
        found = [model for model in models if model["id"] == name[0]]
        if found:
            self._json(200, found[0])
        else:
            self._refuse(404, "UnknownModel", f"No model is called {name[0]}.")

    def _post_audio_speech(self, *_: str) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.state.bodies.append(body)
        if self.state.faults.break_speech_by_silence:
            self._at_once(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nRIFF")
            self._wait()
            self._hang_up()
        elif self.state.faults.hold:
            self._wait()
            self._at_once(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nRIFF")
        else:
            self._reply(200, self.state.files.get("speech", b"RIFFspeech"), {"Content-Type": "audio/wav"})

    def _post_models(self, *_: str) -> None:
        self._wait()
        self._at_once(b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"loaded": true}')

    def _wait(self) -> None:
        if self.state.faults.hold:
            self.state.faults.hold.wait(LONGEST_HOLD)
            self.state.faults.hold.set()  # nobody did: who waited has waited to the end

    def _at_once(self, reply: bytes) -> None:
        """Sends a whole reply in one piece, so that a client with little patience finds all of it."""
        self.wfile.write(reply)
        self.wfile.flush()

    # uploads

    def _post_uploads(self) -> None:
        id = uuid.uuid4().hex
        content = self.rfile.read(int(self.headers["Content-Length"]))
        name = base64.b64decode(self.headers["Upload-Metadata"].split()[1]).decode()
        self.state.uploads[id] = {"size": int(self.headers["Upload-Length"]), "content": content, "name": name}
        self._reply(201, b"", {"Location": f"/v1/uploads/{id}", "Upload-Offset": str(len(content))})

    def _head_uploads(self, id: str) -> None:
        upload = self.state.uploads[id]
        self._reply(200, b"", {"Upload-Offset": str(len(upload["content"])), "Upload-Length": str(upload["size"])})

    def _patch_uploads(self, id: str) -> None:
        upload, faults = self.state.uploads[id], self.state.faults
        if int(self.headers["Upload-Offset"]) != len(upload["content"]):
            self._refuse(409, "Conflict", "The offset is another.")
            return
        n_left = int(self.headers["Content-Length"])
        if faults.break_upload_after:
            upload["content"] += self.rfile.read(min(n_left, faults.break_upload_after.pop(0)))
            self._hang_up()
            return
        upload["content"] += self.rfile.read(n_left)
        self._reply(204, b"", {"Upload-Offset": str(len(upload["content"]))})

    def _delete_uploads(self, id: str) -> None:
        self.state.removed.append(id)
        self._reply(204 if self.state.uploads.pop(id, None) else 404)

    # jobs

    def _post_jobs(self) -> None:
        state, faults = self.state, self.state.faults
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if faults.busy:
            faults.busy -= 1
            self._refuse(429, "QueueFull", "The queue is full.", {"Retry-After": faults.retry_after})
            return
        key = self.headers.get("Idempotency-Key", "")
        if key not in state.keys:
            state.bodies.append(body)
            id = uuid.uuid4().hex
            state.keys[key] = id
            state.jobs[id] = {
                "id": id,
                "task": body["task"],
                "state": "queued",
                "position": 1,
                "began": time.monotonic(),
                "n_looks": 0,
            }
        if faults.lose_reply_to_job:
            faults.lose_reply_to_job -= 1
            self._hang_up()
            return
        self._json(202, self._told(state.keys[key]))

    def _told(self, id: str) -> dict[str, Any]:
        """Returns a job as it is by now."""
        state, job = self.state, self.state.jobs[id]
        job["n_looks"] += 1
        least = state.faults.seconds * job["n_looks"] / FEWEST_LOOKS
        elapsed = min(time.monotonic() - job["began"], least)
        if job["state"] in ("queued", "running") and elapsed >= state.faults.seconds:
            if state.faults.fail_with:
                job.update(state="failed", error=state.faults.fail_with)
            else:
                files = [{"name": name, "n_bytes": len(content)} for name, content in self._files().items()]
                job.update(state="done", fraction=1.0, files=files, report=state.report)
        elif job["state"] in ("queued", "running") and elapsed > state.faults.seconds / 4:
            job.update(state="running", stage="separating", fraction=elapsed / state.faults.seconds, position=None)
        return {name: value for name, value in job.items() if name not in ("began", "n_looks")}

    def _files(self) -> dict[str, bytes]:
        uploads = [upload["content"] for upload in self.state.uploads.values()]
        return self.state.files or {"song/vocals.wav": uploads[0] if uploads else b"", "song/rest.wav": b"rest"}

    def _get_jobs(self, *path: str) -> None:
        if not path:
            self._json(200, {"jobs": [self._told(id) for id in reversed(self.state.jobs)]})
        elif path[0] not in self.state.jobs:
            self._refuse(404, "UnknownJob", "There is no such job.")
        elif path[1:2] == ("events",):
            self._events(path[0])
        elif path[1:2] == ("files",):
            self._file(urllib.parse.unquote("/".join(path[2:])))
        else:
            self._json(200, self._told(path[0]))

    def _events(self, id: str) -> None:
        faults = self.state.faults
        if faults.no_events:
            self._refuse(404, "NotFound", "A proxy ate it.")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b": hello\n\n")
        while id in self.state.jobs:
            job = self._told(id)
            is_over = job["state"] in ("done", "failed", "cancelled")
            event = "end" if is_over else "progress"
            self.wfile.write(f"event: {event}\ndata: {json.dumps(job)}\n\n".encode())
            self.wfile.flush()
            if faults.break_events:
                faults.break_events -= 1
                return
            if is_over:
                return
            time.sleep(0.02)

    def _file(self, name: str) -> None:
        faults, content = self.state.faults, self._files()[name]
        start, etag = 0, f'"{hash(content)}"'
        asked = self.headers.get("Range")
        headers = {"ETag": etag}
        if asked and self.headers.get("If-Range") == etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.send_response(206 if start else 200)
        for header, value in (headers | {"Content-Length": str(len(content) - start)}).items():
            self.send_header(header, value)
        self.end_headers()
        if faults.break_file_after:
            self.wfile.write(content[start : start + faults.break_file_after.pop(0)])
            if faults.change_file:
                self.state.files[name] = bytes(reversed(content))
            self._hang_up()
            return
        self.wfile.write(content[start:])

    def _delete_jobs(self, id: str) -> None:
        job = self.state.jobs.get(id)
        if job is None:
            self._refuse(404, "UnknownJob", "There is no such job.")
        elif job["state"] in ("queued", "running"):
            job["state"] = "cancelled"
            self.state.cancelled.append(id)
            self._reply(202)
        else:
            self.state.removed.append(id)
            del self.state.jobs[id]
            self._reply(204)
