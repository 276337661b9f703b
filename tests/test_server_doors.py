"""The whole server from outside: what is another's does not exist, and what is hostile leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Reply, Server, serving

from ui.server.options import ServerOptions

TOKENS = {name: f"{name}-0123456789abcdef" for name in ("anna", "ben")}


class Client:
    """One caller of the server."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self._bearer = server, {"Authorization": f"Bearer {TOKENS[name]}"}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.server.ask(method, path, body, self._bearer | told)

    def upload(self, path: Path) -> str:
        kind = "application/offset+octet-stream"
        sent = self("POST", "/v1/uploads", path.read_bytes(), Upload_Length=str(path.stat().st_size), Content_Type=kind)
        return str(sent.json["id"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("doors")
    for name in TOKENS:
        (folder / name).mkdir()
        write_sound(folder / name / "song.wav", 1)
    tokens = folder / "tokens.json"
    tokens.touch(mode=0o600)
    entries = [{"name": name, "token": token, "roots": [str(folder / name)]} for name, token in TOKENS.items()]
    tokens.write_text(json.dumps({"tokens": entries}))
    options = ServerOptions(folder=str(folder / "server"), tokens=str(tokens), max_seconds=20, max_body="20KB")
    with serving(options) as server:
        yield server


def write_sound(path: Path, seconds: float) -> Path:
    import soundfile

    soundfile.write(path, np.zeros(round(8000 * seconds), np.float32), 8000)
    return path


@pytest.fixture
def anna(server: Server) -> Client:
    return Client(server, "anna")


@pytest.fixture
def ben(server: Server) -> Client:
    return Client(server, "ben")


@pytest.fixture
def home(server: Server) -> Path:
    return server.services.options.data_folder.parent


def failed(client: Client, **request: Any) -> dict[str, Any]:
    """Submits a job that its worker refuses to work on, and returns the job."""
    submitted = client("POST", "/v1/jobs", {"task": "separate", **request})
    assert submitted.status == 202, submitted.body
    events = client("GET", f"/v1/jobs/{submitted.json['id']}/events").body.decode()
    ended = json.loads(events[events.rindex("data: ") + 6 :].splitlines()[0])
    assert ended["state"] == "failed"
    return dict(ended)


def test_nothing_but_health_is_told_without_a_token(server: Server) -> None:
    document = Client(server, "anna")("GET", "/openapi.json").json
    for path, methods in document["paths"].items():
        for method in methods:
            reply = server.ask(method.upper(), path.replace("{", "").replace("}", ""))
            assert reply.status == (200 if path == "/health" else 401), (method, path)
    assert server.ask("GET", "/openapi.json").status == server.ask("GET", "/").status == 401


def test_what_is_anothers_does_not_exist(anna: Client, ben: Client, home: Path) -> None:
    bomb = write_sound(home / "long.wav", 21)
    job = failed(anna, inputs=[{"upload": anna.upload(bomb)}])
    place = f"/v1/jobs/{job['id']}"
    unknown = ben("GET", "/v1/jobs/nope").json["error"]["type"]
    for method, path in (
        ("GET", place),
        ("DELETE", place),
        ("GET", f"{place}/events"),
        ("GET", f"{place}/files/a.wav"),
    ):
        reply = ben(method, path)
        assert (reply.status, reply.json["error"]["type"]) == (404, unknown)
    assert ben("GET", "/v1/jobs").json["jobs"] == []
    assert anna("GET", place).status == 200
    upload = anna.upload(bomb)
    stolen = ben("POST", "/v1/jobs", {"task": "separate", "inputs": [{"upload": upload}]})
    assert (stolen.status, stolen.json["error"]["type"]) == (404, "UnknownUpload")


def test_roots_are_the_tokens(anna: Client, ben: Client, home: Path) -> None:
    for path in (home / "ben" / "song.wav", home / "tokens.json", home / "server" / "jobs.sqlite", Path("/etc/passwd")):
        reply = anna("POST", "/v1/jobs", {"task": "separate", "inputs": [{"path": str(path)}]})
        assert reply.status == 422 and "may read by path" in reply.json["error"]["message"]
    reply = anna("POST", "/v1/jobs", {"task": "separate", "inputs": [{"url": "http://169.254.169.254/latest"}]})
    assert reply.status == 422 and "may not talk" in reply.json["error"]["message"]
    hook = {"task": "speak", "text": "Hello.", "webhook": "http://127.0.0.1:1/"}
    assert anna("POST", "/v1/jobs", hook).json["error"]["type"] == "HostRefused"


def test_a_recording_over_a_limit_fails_its_job_in_one_line(anna: Client, home: Path) -> None:
    for path, kind in ((write_sound(home / "long.flac", 21), "TooLarge"), (home / "tokens.json", "UnreadableAudio")):
        error = failed(anna, inputs=[{"upload": anna.upload(path)}])["error"]
        assert error["type"] == kind and "\n" not in error["message"]
        assert str(home) not in error["message"] and "Traceback" not in error["message"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b'{"task": "separate", "options": {"overlap": NaN}}', {}, 422, "NaN"),
        ({"task": "separate", "inputs": [{"upload": "0"}], "options": {"overlapp": 1}}, {}, 422, "overlapp"),
        ({"task": "separate", "speed": 2}, {}, 422, "Unknown option 'speed'"),
        ({"task": "dance"}, {}, 422, "'dance'"),
        ({"task": "separate", "inputs": [{}]}, {}, 422, "upload, path and url"),
        (b'{"task": "separate"}', {"Content_Type": "text/plain"}, 415, "JSON"),
        ({"task": "speak", "text": "a" * 30_000}, {}, 413, "larger than"),
        ({"task": "speak", "text": "Hello."}, {"Origin": "https://evil.example"}, 403, "origins"),
        ({"task": "speak", "text": "Hello."}, {"Sec_Fetch_Site": "cross-site"}, 403, "sites"),
    ],
)
def test_a_bad_request_makes_no_job(anna: Client, body: Any, headers: dict[str, str], status: int, words: str) -> None:
    before = len(anna("GET", "/v1/jobs").json["jobs"])
    kind = {"Content_Type": "application/json"} | headers
    reply = anna("POST", "/v1/jobs", body, **kind)
    assert reply.status == status and words in reply.json["error"]["message"]
    assert reply.json["error"]["request_id"] == reply.headers["X-Request-Id"]
    assert len(anna("GET", "/v1/jobs").json["jobs"]) == before


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/v1/jobs/%00",
            "/v1/jobs/..%2f..",
            "/v1/jobs/é",
            "/v1/jobs/" + "x" * 5000,
            "/v1/jobs?state=lost",
            "/v1/jobs?limit=0",
        ),
        *(
            "/v1/models/%00",
            "/v1/models/..%2f..%2fetc",
            "/v1/models/nope",
            "/v1/uploads/%ff",
            "/v1//jobs",
            "/v1",
            "//v1/jobs",
        ),
        *(
            "/v1/jobs/x/files/..%2f..%2f..%2fjobs.sqlite",
            "/docs",
            "/redoc",
            "/../v1/jobs",
            "/metrics/x",
            "/v1/jobs/x/events/y",
        ),
    ],
)
def test_no_address_makes_the_server_stumble(anna: Client, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"):
        reply = anna(method, "".join(c if c.isascii() else "%C3%A9" for c in path))
        assert 400 <= reply.status < 500, (method, reply.status)
        assert reply.json["error"]["code"] == reply.status
