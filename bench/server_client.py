"""A plain client of the server for the benches: `http.client`, and nothing of ours in between."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import soundfile

BLOCK_BYTES = 1 << 16
POLL_SECONDS = 0.15
ENDED = ("done", "failed", "cancelled")


class ServerSaidNo(Exception):
    """The server answered otherwise than the bench expects."""


class JobMissing(ServerSaidNo):
    """The server does not know a job that it had accepted."""


class TookTooLong(ServerSaidNo):
    """A job did not end in time."""


@dataclass(frozen=True)
class Reply:
    """What the server answered: `headers` by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def expect(self, *statuses: int) -> Reply:
        """Returns itself if its status is one of these.

        Raises:
            ServerSaidNo: otherwise, with what was said.
        """
        if self.status not in statuses:
            raise ServerSaidNo(f"HTTP {self.status}: {self.body[:500].decode('utf-8', 'replace')}")
        return self


class Client:
    """One user of the server at a port of this machine; each request opens a connection of its own."""

    def __init__(self, port: int, token: str | None = None, timeout_seconds: float = 120.0) -> None:
        self.port, self._token, self._timeout = port, token, timeout_seconds

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Sends a request, with bytes as they are and anything else as JSON, and reads the whole answer.

        Raises:
            OSError, http.client.HTTPException: when there is no server, or it goes away meanwhile.
        """
        connection = self._send(method, path, body, headers or {})
        try:
            return _read(connection.getresponse())
        finally:
            connection.close()

    def stream(self, path: str, body: Any) -> Iterator[bytes]:
        """Posts a request and yields what comes when it comes; closing the iterator hangs up."""
        connection = self._send("POST", path, body, {})
        try:
            response = connection.getresponse()
            if response.status != 200:
                _read(response).expect(200)
            while block := response.read1(BLOCK_BYTES):
                yield block
        finally:
            connection.close()

    def upload(self, name: str, content: bytes) -> str:
        """Uploads a file in one request (tus: creation with upload) and returns its id."""
        shown = base64.b64encode(name.encode()).decode()
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(len(content)),
            "Upload-Metadata": f"filename {shown}",
            "Content-Type": "application/offset+octet-stream",
        }
        reply = self.ask("POST", "/v1/uploads", content, headers).expect(201)
        return reply.headers["location"].rsplit("/", 1)[1]

    def submit(self, job: Mapping[str, Any], key: str | None = None) -> Reply:
        """Asks for a job, under an idempotency key if one is given."""
        return self.ask("POST", "/v1/jobs", dict(job), {"Idempotency-Key": key} if key else {})

    def job(self, job_id: str) -> dict[str, Any]:
        """Returns the state of a job.

        Raises:
            JobMissing: when the server does not know it.
        """
        reply = self.ask("GET", f"/v1/jobs/{job_id}")
        if reply.status == 404:
            raise JobMissing(f"job {job_id} is not known")
        found: dict[str, Any] = reply.expect(200).json
        return found

    def wait(self, job_id: str, within_seconds: float = 300.0) -> dict[str, Any]:
        """Asks for a job again and again until it has ended.

        Raises:
            TookTooLong: when it does not end within the time.
        """
        deadline = time.monotonic() + within_seconds
        while (job := self.job(job_id))["state"] not in ENDED:
            if time.monotonic() > deadline:
                raise TookTooLong(f"job {job_id} is {job['state']} after {within_seconds:.0f} s")
            time.sleep(POLL_SECONDS)
        return job

    def sounds_of(self, job: Mapping[str, Any]) -> dict[str, str]:
        """Fetches the sound files of a job that is done; returns `sound_sha256` of each by name."""
        return {
            file["name"]: sound_sha256(self._file(file))
            for file in job["files"]
            if file["media_type"].startswith("audio/")
        }

    def _file(self, file: Mapping[str, Any]) -> bytes:
        body = self.ask("GET", file["url"]).expect(200).body
        if len(body) != file["n_bytes"]:
            raise ServerSaidNo(f"{file['name']} is told with {file['n_bytes']} bytes and has {len(body)}")
        return body

    def _send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> http.client.HTTPConnection:
        own = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if body is not None and not isinstance(body, bytes):
            body, own = json.dumps(body).encode(), {**own, "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self._timeout)
        try:
            connection.request(method, path, body, {**own, **headers})
        except BaseException:
            connection.close()
            raise
        return connection


def sound_sha256(content: bytes) -> str:
    """Returns the sha256 of the samples of a sound file: its rate and 32-bit integers, not what is said beside them."""
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int32", always_2d=True)
    return hashlib.sha256(f"{rate} {samples.shape}".encode() + samples.tobytes()).hexdigest()


def _read(response: http.client.HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())
