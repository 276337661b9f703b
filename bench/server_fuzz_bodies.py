"""Requests that no decent client sends: broken HTTP, bodies that lie, crawl or are of the wrong kind, odd names."""

from __future__ import annotations

import base64
import json
import random
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.server_process import Server

HANG_SECONDS = 90.0  # a request without an answer by then hangs
TRICKLE_SECONDS = 0.5  # between the bytes of a slow client
N_TRICKLES = 8  # slow clients at once
TEN_GB = 10 * 10**9
INTENDED = (503, 507)
JSON_ROUTES = ("/v1/jobs", "/v1/audio/speech")
RANDOM_ROUTES = (*JSON_ROUTES, "/v1/uploads", "/v1/models/hibari/load", "/v1/jobs/x", "/v1/audio/voices", "/metrics")


@dataclass(frozen=True)
class Case:
    """A request, byte for byte; `slowly` sends what comes after the head a byte at a time."""

    kind: str
    head: bytes
    body: bytes = b""
    slowly: bool = False
    hang_up: bool = False  # after the body, without waiting


@dataclass(frozen=True)
class Answer:
    """What came of a case: the status, 0 where the server hung up without one, None where it did not answer in time."""

    kind: str
    status: int | None
    seconds: float
    shown: str

    @property
    def is_bad(self) -> bool:
        return self.status is None or (self.status >= 500 and self.status not in INTENDED)


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"", host: str = "127.0.0.1") -> bytes:
    """Writes the head of a request; the length of the body is told unless the headers tell another."""
    lines = {"Host": host, "Connection": "close", "Content-Length": str(len(body))} | headers
    told = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{told}\r\n".encode("latin-1")


def cases(seed: int, n_random: int) -> Iterator[Case]:
    """Yields every case, the same ones for a seed."""
    yield from _lengths()
    yield from _json_bodies()
    yield from _uploads()
    yield from _paths()
    yield from _strangers()
    yield from _random(random.Random(seed), n_random)
    for _ in range(N_TRICKLES):
        yield Case(
            "slow body", request("POST", "/v1/jobs", {**_JSON, "Content-Length": "5000"}), b"{" * 400, slowly=True
        )
        yield Case("slow head", b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X-A: b\r\n" * 60, slowly=True)


_JSON = {"Content-Type": "application/json"}
_TUS = {"Tus-Resumable": "1.0.0"}
_OFFSET = {"Content-Type": "application/offset+octet-stream"}


def _lengths() -> Iterator[Case]:
    body = b'{"task": "speak", "text": "One."}'
    for path in (*JSON_ROUTES, "/v1/uploads"):
        for told in ("-1", "1e3", "0x10", "99999999999999999999", " ", "12, 12", "+5"):
            yield Case(
                "impossible length", request("POST", path, {**_JSON, **_TUS, "Content-Length": told}, body), body
            )
        yield Case(
            "told longer than it is", request("POST", path, {**_JSON, "Content-Length": "4000"}), body, hang_up=True
        )
        yield Case("told shorter than it is", request("POST", path, {**_JSON, "Content-Length": "7"}), body)
        yield Case("10 GB told", request("POST", path, {**_JSON, "Content-Length": str(TEN_GB)}), body, hang_up=True)
        twice = request("POST", path, _JSON, body).replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n")
        yield Case("two lengths", twice, body)
        chunked = {**_JSON, "Content-Length": "", "Transfer-Encoding": "chunked"}
        for chunks in (
            b"zz\r\nabc\r\n0\r\n\r\n",
            b"5\r\nabcdefgh\r\n0\r\n\r\n",
            b"ffffffffffffffff\r\na",
            b"-5\r\nabcde\r\n",
        ):
            yield Case("broken chunks", request("POST", path, chunked), chunks, hang_up=True)
        yield Case("length and chunks", request("POST", path, {**_JSON, "Transfer-Encoding": "chunked"}, body), body)


def _json_bodies() -> Iterator[Case]:
    bodies = {
        "NaN": b'{"task": "separate", "options": {"overlap": NaN}}',
        "infinity": b'{"task": "speak", "text": "One.", "options": {"speed": Infinity}}',
        "too large a number": b'{"task": "speak", "text": "One.", "options": {"speed": 1e999}}',
        "many digits": b'{"task": "speak", "options": {"speed": ' + b"9" * 6000 + b"}}",
        "deep lists": b'{"options": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        "half a surrogate": b'{"task": "speak", "text": "\\ud800 one", "voice": "\\udfff", "input": "\\ud800"}',
        "NUL": b'{"task": "speak", "text": "a\\u0000b", "voice": "\\u0000", "input": "a\\u0000b"}',
        "not UTF-8": b'{"task": "\xff\xfe", "text": "\x80"}',
        "a list": b"[1, 2, 3]",
        "null": b"null",
        "nothing": b"",
        "cut off": b'{"task": "speak", "te',
        "keys twice": b'{"task": "speak", "task": "separate", "text": 5, "text": "b"}',
        "wrong types": b'{"task": 5, "inputs": "x", "options": [], "model": {}, "input": [], "voice": 7, "speed": "x"}',
        "a long text": b'{"task": "speak", "text": "' + b"word " * 700_000 + b'"}',
        "bare line breaks": b'{"task": "speak", "text": "a\nb\r"}',
    }
    for path in JSON_ROUTES:
        for kind, body in bodies.items():
            yield Case(f"JSON: {kind}", request("POST", path, _JSON, body), body)
        for content_type in (
            "text/plain",
            "application/xml",
            "multipart/form-data; boundary=",
            "",
            "application/json; charset=utf-7",
        ):
            body = b'{"task": "speak", "text": "One.", "input": "One."}'
            yield Case("wrong content type", request("POST", path, {"Content-Type": content_type}, body), body)


def _uploads() -> Iterator[Case]:
    for length in ("-1", "NaN", "1.5", str(10**30), str(TEN_GB + 1), "", "0"):
        yield Case("upload: length", request("POST", "/v1/uploads", {**_TUS, "Upload-Length": length}))
    for name in ("../../etc/passwd", "/etc/passwd", "a\0b", "x" * 5000, "..", "", "\u202egnp.exe", "con.wav", "a\r\nb"):
        shown = base64.b64encode(name.encode()).decode()
        headers = {**_TUS, "Upload-Length": "3", "Upload-Metadata": f"filename {shown}"}
        yield Case("upload: file name", request("POST", "/v1/uploads", headers))
    for metadata in ("filename !!!", "filename", ",,,", "a b c d", "filename " + "A" * 20_000):
        headers = {**_TUS, "Upload-Length": "3", "Upload-Metadata": metadata}
        yield Case("upload: metadata", request("POST", "/v1/uploads", headers))
    too_much = request("POST", "/v1/uploads", {**_TUS, **_OFFSET, "Upload-Length": "3"}, b"12345")
    yield Case("upload: more than told", too_much, b"12345")
    yield Case("upload: no version", request("POST", "/v1/uploads", {"Upload-Length": "3"}))
    yield Case("upload: other version", request("POST", "/v1/uploads", {"Tus-Resumable": "0.2", "Upload-Length": "3"}))
    for method in ("PATCH", "HEAD", "DELETE"):
        for name in ("unknown", "..", "%2e%2e%2fserver.log", "a" * 3000, "%00"):
            headers = {**_TUS, **_OFFSET, "Upload-Offset": "0"}
            yield Case("upload: unknown id", request(method, f"/v1/uploads/{name}", headers, b"abc"), b"abc")


def _paths() -> Iterator[Case]:
    climbs = (
        "../../../../etc/passwd",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "..%5c..",
        "a%00.wav",
    )
    for climb in climbs:
        for start in ("/v1/jobs/x/files/", "/v1/jobs/", "/v1/models/", "/"):
            yield Case("path that climbs", request("GET", start + climb, {}))
    for path in (
        "/etc/passwd",
        "../../etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "/dev/stdin",
        "",
        "~/x.wav",
        "\\\\host\\share",
    ):
        body = json.dumps({"task": "separate", "inputs": [{"path": path}]}).encode()
        yield Case("input by a path outside", request("POST", "/v1/jobs", _JSON, body), body)
    for url in (
        "http://127.0.0.1:1/",
        "file:///etc/passwd",
        "https://169.254.169.254/",
        "https://[::1]/",
        "gopher://x",
        "https://",
    ):
        body = json.dumps({"task": "separate", "inputs": [{"url": url}], "webhook": url}).encode()
        yield Case("input by a URL", request("POST", "/v1/jobs", _JSON, body), body)


def _strangers() -> Iterator[Case]:
    body = b'{"task": "speak", "text": "One.", "input": "One.", "voice": "hibari/heart"}'
    for path in JSON_ROUTES:
        yield Case("Host of a stranger", request("POST", path, _JSON, body, host="evil.example"), body)
        yield Case(
            "Origin of a stranger", request("POST", path, {**_JSON, "Origin": "https://evil.example"}, body), body
        )
        yield Case("Origin null", request("POST", path, {**_JSON, "Origin": "null"}, body), body)
    yield Case("no Host", b"GET /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n")
    yield Case("large head", request("GET", "/v1/models", {"X-Large": "a" * 200_000}))
    yield Case("long address", request("GET", "/v1/models?" + "a" * 200_000, {}))
    yield Case("unknown method", request("BREW", "/v1/jobs", {}))
    yield Case("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), hang_up=True)


def _random(chance: random.Random, n_random: int) -> Iterator[Case]:
    for _ in range(n_random):
        body = chance.randbytes(chance.choice((1, 30, 2000, 100_000)))
        path = chance.choice(RANDOM_ROUTES)
        headers = chance.choice(
            (_JSON, {**_TUS, "Upload-Length": str(len(body))}, {**_TUS, **_OFFSET, "Upload-Offset": "0"})
        )
        method = chance.choice(("POST", "PATCH", "PUT", "DELETE", "GET"))
        yield Case("random bytes", request(method, path, headers, body), body)


def send(server: Server, case: Case) -> Answer:
    """Sends a request and waits for the status, or for the server to hang up."""
    began = time.monotonic()
    shown = case.head[:100].decode("latin-1").splitlines()[0]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        status = _converse(connection, case, began + HANG_SECONDS)
    return Answer(case.kind, status, time.monotonic() - began, shown)


def _converse(connection: socket.socket, case: Case, deadline: float) -> int | None:
    try:
        connection.sendall(case.head)
        for place in range(len(case.body)) if case.slowly else ():
            connection.sendall(case.body[place : place + 1])
            connection.settimeout(TRICKLE_SECONDS)
            try:
                if early := _status(connection.recv(4096)):
                    return early
                return 0
            except TimeoutError:
                if time.monotonic() > deadline:
                    return None
        if not case.slowly:
            connection.sendall(case.body)
        if case.hang_up:
            connection.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has said no before it heard everything
    try:
        connection.settimeout(max(deadline - time.monotonic(), 0.1))
        return _status(connection.recv(4096))
    except TimeoutError:
        return None
    except ConnectionResetError:
        return 0


def _status(answer: bytes) -> int:
    """Returns the status of an answer, 0 where there is none.

    >>> _status(b"HTTP/1.1 422 Unprocessable Content")
    422
    """
    fields = answer.split(b" ", 2)
    return int(fields[1]) if len(fields) > 1 and fields[0].startswith(b"HTTP/") else 0
