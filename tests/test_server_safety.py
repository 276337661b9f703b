"""Who reaches the server: names, origins, tokens; and what a body may be."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import time
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
import uvicorn
from guarded_app import Asked, served, small_app, talk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from audio_ml.errors import InvalidInput
from ui.server import bodies, connections, exchange
from ui.server.bodies import check_json
from ui.server.options import ServerOptions
from ui.server.origins import is_loopback

TOKEN = "anna-0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def options(tmp_path: Path) -> ServerOptions:
    return ServerOptions(folder=str(tmp_path / "server"), max_body="10KB", max_upload="100KB")


@pytest.fixture
def ask(options: ServerOptions) -> Asked:
    return Asked(small_app(options))


@pytest.fixture
def with_tokens(options: ServerOptions, tmp_path: Path) -> ServerOptions:
    path = tmp_path / "tokens.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"tokens": [{"name": "anna", "token": TOKEN}]}))
    return options.model_copy(update={"tokens": str(path)})


def error_of(reply: httpx.Response) -> dict[str, Any]:
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "code", "param", "request_id"}
    assert error["code"] == reply.status_code and error["request_id"] == reply.headers["x-request-id"]
    assert "Traceback" not in reply.text and "\n" not in error["message"]
    return dict(error)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8600"}, 200),
        ({"Host": "LOCALHOST."}, 200),
        ({"Host": "[::1]:8600"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "localhost.evil.example:8600"}, 403),
        ({"Host": "0.0.0.0:8600"}, 403),
        ({"Host": "192.168.1.7:8600"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "http://127.0.0.1:8600"}, 200),
        ({"Origin": "https://127.0.0.1:8600"}, 200),  # a proxy on this machine speaks TLS
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Origin": "http://localhost:8600"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "file://"}, 403),
        ({"Origin": "http://127.0.0.1:8600.evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:8600@evil.example"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),  # another port of this machine
    ],
)
def test_a_hostile_page_does_not_reach_a_server_on_this_machine(ask: Asked, headers: dict, status: int) -> None:
    for method, path in (("GET", "/v1/who/x"), ("POST", "/v1/echo"), ("OPTIONS", "/v1/echo"), ("GET", "/health")):
        reply = ask(method, path, headers=headers)
        assert (reply.status_code == 403) == (status == 403), (method, path)
        assert not [name for name in reply.headers if name.startswith("access-control")]
        if status == 403:
            assert error_of(reply)["type"] == "ForeignRequest"


def test_further_names_are_let_in(options: ServerOptions) -> None:
    ask = Asked(small_app(options.model_copy(update={"allowed_hosts": ("audio.studio",)})))
    headers = {"Host": "audio.studio", "Origin": "https://audio.studio"}
    assert ask("GET", "/v1/who/x", headers=headers).status_code == 200
    assert ask("GET", "/v1/who/x", headers=headers | {"Origin": "https://other.studio"}).status_code == 403


def test_without_tokens_any_bearer_is_the_local_caller(ask: Asked) -> None:
    for headers in ({}, BEARER, {"Authorization": "Basic abc"}):
        assert ask("GET", "/v1/who/x", headers=headers).json()["caller"] == "local"


def test_an_open_server_without_tokens_has_no_names_that_others_give(options: ServerOptions) -> None:
    ask = Asked(small_app(options, host="0.0.0.0"), base="http://192.168.1.7:8600")
    assert ask("GET", "/v1/who/x").status_code == 200
    assert ask("GET", "/v1/who/x", headers={"Host": socket.gethostname()}).status_code == 200
    assert ask("GET", "/v1/who/x", headers={"Host": "rebound.evil.example"}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_token_is_needed_where_there_are_tokens(with_tokens: ServerOptions, host: str) -> None:
    ask = Asked(small_app(with_tokens, host))
    assert ask("GET", "/v1/who/x", headers=BEARER).json()["caller"] == "anna"
    assert ask("GET", "/v1/who/x", headers={"Authorization": f"bearer  {TOKEN}"}).json()["caller"] == "anna"
    assert ask("GET", "/health").status_code == 200
    for wrong in (
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        TOKEN,
        "Bearer \xff",
    ):
        for path in ("/v1/who/x", "/", "/openapi.json", "/health/x", "//health"):
            reply = ask("GET", path, headers=[(b"Authorization", wrong.encode("latin-1"))])
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"].startswith("Bearer")
            assert TOKEN not in reply.text
            error_of(reply)
    twice = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {TOKEN}")]
    assert ask("GET", "/v1/who/x", headers=twice).status_code == 401


def test_every_reply_is_safe_to_show_and_has_an_id(ask: Asked) -> None:
    for path in ("/v1/who/x", "/nowhere", "/v1/fail/cors", "/v1/fail/memory"):
        headers = ask("GET", path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == ("private" if "cors" in path else "no-store")
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers
    assert ask("GET", "/v1/who/x", headers={"X-Request-Id": "take-7.a"}).json()["id"] == "take-7.a"
    for bad in ("a b", "x" * 65, 'a"b', "a\x7fb", ""):
        assert ask("GET", "/v1/who/x", headers={"X-Request-Id": bad}).headers["x-request-id"] != bad


def test_errors_have_one_shape_and_tell_nothing_of_the_inside(ask: Asked, caplog: pytest.LogCaptureFixture) -> None:
    assert error_of(ask("GET", "/nowhere"))["type"] == "NotFound"
    reply = ask("PUT", "/v1/echo", json={})
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, POST")
    assert "GET, POST" in error_of(reply)["message"]
    assert ask("PUT", "/v1/uploads", json={}).headers["allow"] == "POST, OPTIONS"
    error = error_of(ask("GET", "/v1/fail/memory"))
    assert (error["code"], error["type"], error["message"][:9]) == (507, "OutOfMemory", "It does n")
    with caplog.at_level(logging.ERROR, "ui.server"):
        reply = ask("GET", "/v1/fail/unforeseen")
    assert reply.status_code == 500 and "secret" not in reply.text
    assert error_of(reply)["type"] == "InternalError"
    assert any(record.exc_info and "secret" in str(record.exc_info[1]) for record in caplog.records)


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"texts": "a"}, "texts", "Unknown option 'texts'"),
        ({"text": 5}, "text", "'text' cannot be 5"),
        ({"options": {"gian": 1}}, "gian", "Unknown option 'gian'. Did you mean 'gain'?"),
        ({"options": {"gain": "loud"}}, "gain", "'gain' cannot be 'loud'"),
        ([], None, "valid dictionary"),
    ],
)
def test_a_wrong_field_is_named(ask: Asked, body: Any, param: str | None, words: str) -> None:
    reply = ask("POST", "/v1/echo", json=body)
    assert reply.status_code == 422
    error = error_of(reply)
    assert error["param"] == param and words in error["message"]


def test_several_callers_do_not_share_a_request_id(ask: Asked) -> None:
    assert len({ask("GET", "/v1/who/x").json()["id"] for _ in range(5)}) == 5


@pytest.mark.parametrize(
    "body",
    [
        b'{"options": {"gain": NaN}}',
        b'{"options": {"gain": -Infinity}}',
        b'{"options": {"gain": 1e999}}',
        b'{"options": {"gain": ' + b"9" * 5000 + b"}}",
        b'{"options": {"gain": 99999999999999999999}}',
        b'{"text": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"text": "\xff"}',
        b'{"text": "a"',
        b"text=a",
        b"[" * 5000,
        b'{"options":' * 40 + b"1" + b"}" * 40,
        b"[" * 4000 + b"]" * 4000,
    ],
)
def test_json_that_nobody_should_send_is_refused(ask: Asked, body: bytes) -> None:
    reply = ask("POST", "/v1/echo", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 422
    assert ("is no number" in error_of(reply)["message"]) == (b"NaN" in body or b"Inf" in body)


def test_duplicate_keys_and_any_plain_json_pass(ask: Asked) -> None:
    sent = b'{"text": "a", "text": "\xf0\x9f\x8e\xb5", "options": {"gain": 1, "gain": 2.5}}'
    for kind in ("application/json", "application/json; charset=utf-8", "application/x.y+json"):
        reply = ask("POST", "/v1/echo", content=sent, headers={"Content-Type": kind})
        assert reply.json() == {"text": "🎵", "gain": 2.5}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"])
def test_another_content_type_is_refused(ask: Asked, kind: str) -> None:
    """A form of a foreign page can send these without asking first."""
    reply = ask("POST", "/v1/echo", content=b'{"text": "a"}', headers={"Content-Type": kind})
    assert reply.status_code == 415
    error_of(reply)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES, st.integers(0, 40))
def test_all_json_within_the_depth_passes_and_none_beyond_it(value: Any, depth: int) -> None:
    nested: Any = value if not isinstance(value, (list, dict)) else 1
    for _ in range(depth):
        nested = [nested]
    if depth < bodies.DEEPEST:
        check_json(json.dumps(nested).encode())
    else:
        with pytest.raises(InvalidInput, match="nested"):
            check_json(json.dumps(nested).encode())


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    try:
        check_json(content)
    except InvalidInput as error:
        assert "\n" not in str(error)


def test_a_body_over_the_limit_is_refused_declared_or_not(ask: Asked) -> None:
    big = json.dumps({"text": "a" * 11_000}).encode()
    kind = {"Content-Type": "application/json"}
    assert ask("POST", "/v1/echo", content=big, headers=kind).status_code == 413

    async def pieces() -> Any:
        for start in range(0, len(big), 1000):
            yield big[start : start + 1000]

    reply = ask("POST", "/v1/bytes", content=pieces(), headers=kind)
    assert reply.status_code == 413 and "10 kB" not in error_of(reply)["type"]
    assert ask("POST", "/v1/echo", json={"text": "a" * 9000}).status_code == 200


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (bodies, "LONGEST_PAUSE"),
        (bodies, "PATIENCE"),
        (exchange, "LINGER_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 0.4)


# On a socket: what a client says of its body may be a lie, and it may take its time.

GOOD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.mark.usefixtures("impatient")
def test_a_declared_length_over_the_limit_is_refused_before_the_body(options: ServerOptions) -> None:
    with served(small_app(options), options) as port:
        reply = talk(port, POST + b"Content-Length: 10000000000\r\n\r\n{")  # which waits for the end of the connection
        assert reply.startswith(b"HTTP/1.1 413") and b'"code":413' in reply and b"connection: close" in reply
        expecting = talk(port, POST + b"Content-Length: 10000000000\r\nExpect: 100-continue\r\n\r\n")
        assert expecting.startswith(b"HTTP/1.1 413")  # and no "100 Continue" before


def test_a_client_that_reads_only_after_sending_learns_why(options: ServerOptions) -> None:
    with served(small_app(options), options) as port:
        reply = httpx.post(f"http://127.0.0.1:{port}/v1/echo", json={"text": "a" * 3_000_000}, timeout=60)
        assert reply.status_code == 413
        error_of(reply)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("path", ["/v1/echo", "/v1/uploads", "/v1/bytes"])
def test_a_body_that_trickles_is_given_up(options: ServerOptions, path: str) -> None:
    def trickle(connection: socket.socket) -> None:
        for _ in range(40):
            time.sleep(0.05)
            try:
                connection.sendall(b" ")
            except OSError:
                return

    kind = b"application/offset+octet-stream" if "uploads" in path else b"application/json"
    head = b"POST " + path.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + kind
    head += b"\r\nUpload-Length: 5000\r\nContent-Length: 5000\r\n\r\n"
    with served(small_app(options), options) as port:
        assert talk(port, head, more=trickle).startswith(b"HTTP/1.1 408")
        silent = talk(port, head)  # sends nothing more at all
        assert silent.startswith(b"HTTP/1.1 408") and b'"TooSlow"' in silent


def test_headers_that_trickle_are_given_up(options: ServerOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.4)
    with served(small_app(options), options) as port:
        for first, second in ((b"", b""), (b"GET / HTTP/1.1\r\n", b""), (GOOD, b"GET / HT")):
            reply = talk(port, first, more=lambda connection, then=second: (time.sleep(0.2), connection.sendall(then)))
            assert reply.count(b"HTTP/1.1 200") <= (first == GOOD)  # and it has closed, or `talk` had not ended


@pytest.mark.parametrize("n_blocks", [10**9, 100])
def test_a_reply_that_nobody_takes_is_given_up(
    options: ServerOptions, monkeypatch: pytest.MonkeyPatch, n_blocks: int
) -> None:
    given_up, protocol = set[Any](), connections.PunctualProtocol
    real = protocol.connection_lost

    def note(self: Any, error: Exception | None) -> None:
        given_up.add(self.client)
        real(self, error)

    monkeypatch.setattr(protocol, "connection_lost", note)
    app = small_app(options)
    ask = f"GET /v1/flood/{n_blocks} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    with served(app, options) as port, socket.socket() as greedy:
        taken = httpx.get(f"http://127.0.0.1:{port}/v1/flood/200", timeout=60).content
        assert taken == bytes(10_000_000), "who takes it, gets it"
        monkeypatch.setattr(connections, "STALLED_SECONDS", 0.4)
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(("127.0.0.1", port))
        greedy.sendall(ask)
        ends_at = time.monotonic() + 60
        while greedy.getsockname() not in given_up:  # it takes nothing
            assert time.monotonic() < ends_at
            time.sleep(0.02)
        n_bytes = 0
        with contextlib.suppress(ConnectionResetError):
            while n_bytes < 20_000_000 and (block := greedy.recv(1 << 20)):
                n_bytes += len(block)
        assert n_bytes < min(n_blocks * 50_000, 20_000_000)


@pytest.mark.parametrize(("is_closing", "n_waiting", "ends"), [(True, 10, True), (True, 0, False), (False, 10, False)])
def test_the_last_bytes_of_a_reply_are_not_waited_for_either(
    options: ServerOptions, monkeypatch: pytest.MonkeyPatch, is_closing: bool, n_waiting: int, ends: bool
) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.05)
    transport = mock.Mock(spec=asyncio.Transport)
    transport.is_closing.return_value, transport.get_write_buffer_size.return_value = is_closing, n_waiting
    transport.get_extra_info.return_value = None

    async def hold() -> None:
        config = uvicorn.Config(small_app(options), **connections.connection_settings(options))
        protocol = connections.PunctualProtocol(config, ServerState(), {})
        protocol.connection_made(transport)
        await asyncio.sleep(0.3)
        assert transport.abort.called is ends
        protocol.connection_lost(OSError())

    asyncio.run(hold())


@pytest.mark.parametrize("takes_it", [True, False])
def test_who_takes_a_reply_late_may_stay(
    options: ServerOptions, monkeypatch: pytest.MonkeyPatch, takes_it: bool
) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.05)
    transport = mock.Mock(spec=asyncio.Transport)
    transport.is_closing.return_value, transport.get_write_buffer_size.return_value = False, 10
    transport.get_extra_info.return_value = None

    async def hold() -> None:
        config = uvicorn.Config(small_app(options), **connections.connection_settings(options))
        protocol = connections.PunctualProtocol(config, ServerState(), {})
        protocol.connection_made(transport)
        protocol.pause_writing()
        if takes_it:
            protocol.resume_writing()
        await asyncio.sleep(0.3)
        assert transport.abort.called is not takes_it
        protocol.connection_lost(OSError())

    asyncio.run(hold())


@pytest.mark.usefixtures("impatient")
def test_who_is_refused_cannot_go_on_sending(with_tokens: ServerOptions) -> None:
    """Else a connection could be held for ever without a token."""
    with served(small_app(with_tokens), with_tokens) as port:
        reply = talk(port, POST + b"Content-Length: 5000\r\n\r\n{")  # which waits for the end of the connection
        assert reply.startswith(b"HTTP/1.1 401")


def test_a_long_wait_of_the_client_between_good_requests_is_no_fault(options: ServerOptions) -> None:
    with (
        served(small_app(options), options) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        for _ in range(3):
            assert client.post("/v1/echo", json={"text": "a"}).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS on a plain port
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /%00%ff%0d%0aX:1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET /" + b"a" * 1_000_000,
    ],
)
def test_what_is_no_request_ends_the_connection_and_not_the_server(options: ServerOptions, sent: bytes) -> None:
    with served(small_app(options), options) as port:
        assert talk(port, sent)[9:12] in (b"400", b"403", b"404")
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200


def test_a_websocket_is_closed(options: ServerOptions) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(small_app(options)({"type": "websocket", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_requests_are_written_down_and_counted(options: ServerOptions, caplog: pytest.LogCaptureFixture) -> None:
    counted: list[tuple[str, str, int]] = []
    app = small_app(options, observe=lambda method, route, status, seconds: counted.append((method, route, status)))
    with caplog.at_level(logging.INFO, "ui.server.guard"):
        Asked(app)("GET", "/v1/who/x", headers={"X-Request-Id": "take-7"})
        Asked(app)("GET", "/nowhere")
    assert counted == [("GET", "/v1/who/{name}", 200), ("GET", "", 404)]
    facts = [record.facts for record in caplog.records]  # type: ignore[attr-defined]
    assert [(fact["path"], fact["status"], fact["caller"]) for fact in facts] == [
        ("/v1/who/x", 200, "local"),
        ("/nowhere", 404, "local"),
    ]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("0.0.0.0", False), ("::", False), ("nas", False)],
)
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
