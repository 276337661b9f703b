"""A client of an audio-ml server in one file: Python 3.8 or later and its standard library, nothing else.

    from audio_ml_client import Client

    client = Client("http://127.0.0.1:8600")
    done = client.separate("song.wav", "stems", model="htdemucs")
    print(done.paths["vocals.wav"], done.job.report["null_depth_db"])
    client.speak_file("Good morning.", "morning.wav", voice="heart")

Copy it beside a script of a host that has no packages, or import it where audio-ml is installed. `AsyncClient` has
the same methods as coroutines. Lost connections, a server that restarts and a full queue (429 with Retry-After) are
waited for; what the server refuses is a `ServerError`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import dataclasses
import errno
import functools
import http.client
import ipaddress
import json
import os
import posixpath
import queue
import re
import socket
import ssl
import threading
import time
import unicodedata
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    Any,
    AsyncIterator,
    Callable,
    Dict,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    TypeVar,
    Union,
)

__all__ = ["AsyncClient", "Client", "Job", "Result", "ServerError", "Step", "Unreachable"]

AnyPath = Union[str, "os.PathLike[str]"]
Input = Union[str, "os.PathLike[str]", Mapping[str, str]]  # a file of this machine, or {"upload" | "path" | "url": ...}
Moved = TypeVar("Moved")
Request = Dict[str, Any]

OVER = ("done", "failed", "cancelled")
TUS = {"Tus-Resumable": "1.0.0"}
BLOCK_BYTES = 1 << 16
PIECE_BYTES = 16 << 20  # of an upload: what a request carries, for proxies that limit it
SMALL_BYTES = 1 << 20  # an upload that goes with the request that announces it
SHORTEST_PAUSE, LONGEST_PAUSE = 0.25, 8.0  # seconds between two tries
POLL_SECONDS = 0.5
BEGIN_SECONDS = 900.0  # until speech begins or a model is loaded: what was before it, and weights to be fetched
SILENT_SECONDS = 45.0  # of events, of which a comment comes every 15 s
SPEECH = "speech"  # what the server calls files of spoken text, unless it is told
CAPTIONS = (".srt", ".vtt", ".json", ".txt")
VOICE_ENDING = ".voice.safetensors"
_TRANSIENT = (OSError, http.client.HTTPException)


class ServerError(Exception):
    """What a server said no to: `status` is HTTP's, `type` the server's name for it, such as "InvalidOption"."""

    def __init__(self, status: int, type: str, message: str, param: str | None = None, request_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.message = message
        self.param = param
        self.request_id = request_id
        self.retry_after: float | None = None  # seconds, where the server says so


class Unreachable(ServerError):
    """No server answered, or it went away and did not come back in time; its `status` is 0."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "Unreachable", message)


@dataclass(frozen=True)
class Job:
    """A job as the server tells it; `position` counts those before it in the queue."""

    id: str
    task: str = ""
    model: str | None = None
    state: str = "queued"
    stage: str = ""
    fraction: float = 0.0
    eta_seconds: float | None = None
    position: int | None = None
    error: Mapping[str, Any] | None = None
    files: tuple[Mapping[str, Any], ...] = ()
    report: Mapping[str, Any] | None = None
    warnings: tuple[Any, ...] = ()

    def updated(self, told: Mapping[str, Any]) -> Job:
        """Returns the job with what a reply or an event tells of it; what this client does not know is left out."""
        known = {each.name for each in dataclasses.fields(self)}
        news = {
            name: value for name, value in told.items() if name in known and not (value is None and name == "stage")
        }
        for name in ("files", "warnings"):
            if name in news:
                news[name] = tuple(news[name] or ())
        return dataclasses.replace(self, **news)

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    def check(self) -> Job:
        """Returns the job; raises the `ServerError` of one that failed or was cancelled."""
        if self.state == "failed":
            error = self.error or {}
            raise ServerError(int(error.get("code") or 500), str(error.get("type")), str(error.get("message")))
        if self.state == "cancelled":
            raise ServerError(499, "Cancelled", "The job was cancelled.")
        return self


@dataclass(frozen=True)
class Step:
    """How far a request is: its `stage` ("uploading", "queued", the server's own, "downloading"), 0 to 1."""

    stage: str
    fraction: float
    eta_seconds: float | None = None


@dataclass(frozen=True)
class Result:
    """A job that is done, and where its files are now, by their names on the server."""

    job: Job
    paths: dict[str, Path] = field(default_factory=dict)


OnStep = Callable[[Step], None]
OnBytes = Callable[[int, int], None]


@dataclass(frozen=True)
class _Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    def json(self) -> Any:
        try:
            return json.loads(self.body.decode("utf-8"))
        except ValueError as error:
            raise ServerError(
                self.status, "BadReply", "The server's reply is no JSON: is this an audio-ml server?"
            ) from error


class Client:
    """Talks to the server at `url`.

    `token` goes as a bearer token. `timeout` is how long, in seconds, an exchange may stand still (speech may begin,
    and a model be loaded, as late as `BEGIN_SECONDS`); `patience` how long a server may be away before `Unreachable`
    is raised, and `queue_patience` how long it may say that it is busy.
    `ca_file` names the certificates to trust. `check` is called again and again while something is waited for;
    what it raises ends the wait, and cancels the job where there is one. A client may be used by several threads.

    The proxies of the environment are used, but never for this machine's own addresses.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        timeout: float = 30.0,
        *,
        patience: float = 60.0,
        queue_patience: float = 600.0,
        ca_file: AnyPath | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        parts = _address(url)
        assert parts.hostname
        token = (token or "").strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("The token is none: it is to be one line of plain characters without blanks.")
        self.url = urllib.parse.urlunsplit(
            (parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", "")
        )
        self._parts = parts
        self._token = token
        self._timeout = timeout
        self._patience = patience
        self._queue_patience = queue_patience
        self._check = check
        self._proxy = _proxy_for(parts.scheme, parts.hostname)
        self._tls = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=None if ca_file is None else os.fspath(ca_file))
        self._met: list[bool] = []  # whether this server has ever answered; copies share it

    def checked(self, check: Callable[[], None]) -> Client:
        """Returns this client with another `check`: one for each of several jobs at once, say."""
        other = copy.copy(self)
        other._check = check
        return other

    # What the server has

    def models(self) -> list[dict[str, Any]]:
        """Returns the models of the server, each with its task, licence and whether it is here and loaded."""
        return list(self._json("GET", "/v1/models")["data"])

    def model(self, id: str) -> dict[str, Any]:
        """Returns a model with the JSON Schemas of its "options" and "delivery" and its "ports"."""
        return dict(self._json("GET", "/v1/models/" + _quoted(id)))

    def load(self, id: str) -> bool:
        """Loads a model, with its weights fetched first where they are not there; returns whether it is loaded."""
        return bool(self._call("POST", f"/v1/models/{_quoted(id)}/load", begin=BEGIN_SECONDS).json()["loaded"])

    def unload(self, id: str) -> bool:
        """Unloads a model; returns whether it is still loaded."""
        return bool(self._json("POST", f"/v1/models/{_quoted(id)}/unload")["loaded"])

    def memory(self) -> dict[str, Any]:
        """Returns which models each worker has in memory."""
        return dict(self._json("GET", "/v1/memory"))

    def voices(self) -> Any:
        """Returns the voices of the server."""
        return self._json("GET", "/v1/audio/voices")

    # Jobs

    def submit(
        self,
        task: str,
        *,
        inputs: Sequence[Input] = (),
        shared: bool = False,
        key: str | None = None,
        on_progress: OnBytes = lambda sent, size: None,
        **request: Any,
    ) -> Job:
        """Sends a job off and returns at once, with it queued.

        `inputs` are files of this machine, which are uploaded, or named as they are where the server sees the same disk
        (`shared`), or references as the HTTP interface has them, such as {"url": ...}. `request` are the other
        fields of the request: model, text, voice, cast, options, delivery, consent, name, webhook. However often
        the request has to be repeated, one idempotency key (`key`, or one of the client's making) keeps it one job.
        """
        references = [
            _reference(each) if shared or isinstance(each, Mapping) else {"upload": self.upload(each, on_progress)}
            for each in inputs
        ]
        return self._submit(task, references, request, key or uuid.uuid4().hex)

    def _submit(self, task: str, references: Sequence[Mapping[str, str]], request: Request, key: str) -> Job:
        body = {"task": task, "inputs": list(references)}
        body.update({name: value for name, value in request.items() if value is not None})
        return _job(self._json("POST", "/v1/jobs", body, {"Idempotency-Key": key}))

    def job(self, id: str) -> Job:
        """Returns a job as it stands."""
        return _job(self._json("GET", "/v1/jobs/" + _quoted(id)))

    def jobs(self, state: str | None = None, limit: int | None = None) -> list[Job]:
        """Returns the jobs of this token, newest first."""
        asked = {name: value for name, value in (("state", state), ("limit", limit)) if value is not None}
        return [_job(each) for each in self._json("GET", "/v1/jobs?" + urllib.parse.urlencode(asked))["jobs"]]

    def cancel(self, id: str) -> None:
        """Cancels a job that is queued or running; of one that has ended, removes the results."""
        self._call("DELETE", "/v1/jobs/" + _quoted(id))

    remove = cancel

    def events(self, id: str) -> Generator[Job, None, None]:
        """Yields a job whenever there is news of it, until it is over.

        The stream of events is opened again when it breaks; where there is none (a proxy in between), it is asked
        for every half second.
        """
        job = self.job(id)
        yield job
        n_barren = 0
        while not job.is_over:
            has_told = False
            try:
                with contextlib.closing(self._event_stream(id)) as stream:
                    for told in stream:
                        has_told, job = True, job.updated(told)
                        yield job
                        if job.is_over:
                            return
            except (*_TRANSIENT, _Busy, ServerError, ValueError):
                pass  # what is wrong is told by the question below
            n_barren = 0 if has_told else n_barren + 1
            job = self.job(id)
            yield job
            if n_barren == 2:
                yield from self._polled(job, self._pause)
                return
            self._pause(SHORTEST_PAUSE)

    def wait(self, job: Job | str, on_progress: Callable[[Job], None] = lambda job: None) -> Job:
        """Waits until a job is done and returns it; raises the `ServerError` of one that failed or was cancelled."""
        last = None
        for last in self.events(job if isinstance(job, str) else job.id):
            on_progress(last)
        assert last is not None
        return last.check()

    def _polled(self, job: Job, pause: Callable[[float], None]) -> Iterator[Job]:
        """Yields a job after each `pause`, as it was when it was last asked for."""
        impatient = self.checked(self._check)
        impatient._patience = impatient._queue_patience = 0.0
        asked = heard = time.monotonic()
        while not job.is_over:
            pause(POLL_SECONDS)
            if time.monotonic() - asked >= POLL_SECONDS:
                asked = time.monotonic()
                try:
                    job, heard = impatient.job(job.id), asked
                except ServerError as error:
                    if error.status not in (0, 429, 502, 503, 504) or asked - heard > self._patience:
                        raise
            yield job

    # Bytes

    def upload(self, path: AnyPath, on_progress: OnBytes = lambda sent, size: None, name: str | None = None) -> str:
        """Uploads a file from the disk and returns the upload's id; a broken connection goes on where it broke.

        `on_progress` is given the bytes that are there and the size.
        """
        steps = self._upload_steps(path, PIECE_BYTES, on_progress, name)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                id: str = end.value
                return id

    def discard(self, upload_id: str) -> None:
        """Deletes an upload."""
        self._call("DELETE", "/v1/uploads/" + _quoted(upload_id), headers=TUS)

    def download(
        self,
        job: Job | str,
        name: str,
        target: AnyPath,
        *,
        overwrite: bool = False,
        on_progress: OnBytes = lambda got, size: None,
    ) -> Path:
        """Downloads a file of a job: under another name until it is complete, and on from where a connection broke.

        Raises:
            FileExistsError: when the target is there and is not to be overwritten.
        """
        id = job if isinstance(job, str) else job.id
        with _Targets(overwrite) as targets:
            for got, size in self._download_steps(id, name, targets.partial(Path(target))):
                on_progress(got, size)
            targets.publish()
        return Path(target)

    # Requests as a whole

    def run(self, task: str, *, on_progress: OnStep = lambda step: None, **request: Any) -> Result:
        """Uploads, submits, waits and downloads: `steps` at one go. Takes the arguments of `steps`."""
        steps = self.steps(task, sleeps=True, piece_bytes=PIECE_BYTES, on_progress=on_progress, **request)
        try:
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    result: Result = end.value
                    return result
                on_progress(step)
        finally:
            steps.close()

    def steps(
        self,
        task: str,
        *,
        inputs: Sequence[Input] = (),
        shared: bool = False,
        place: Callable[[str], AnyPath | None] = lambda name: None,
        overwrite: bool = False,
        keep: bool = False,
        sleeps: bool = False,
        piece_bytes: int = 1 << 18,
        on_progress: OnStep = lambda step: None,
        **request: Any,
    ) -> Generator[Step, None, Result]:
        """Uploads, submits, waits and downloads step by step, for hosts whose one thread draws the screen.

        Each `next` does one exchange at most, and only waits where the server cannot be reached. `place` says where a
        file of that name on the server goes; None leaves it there. All files get their names together. An error, Ctrl-C
        and closing the generator cancel the job on the server; afterwards job and uploads are removed from it, unless
        they are to be kept (`keep`). `on_progress` is told of what happens within a step. The generator returns
        the `Result`.
        """
        uploads: list[str] = []
        job: Job | None = None
        key = uuid.uuid4().hex

        def tell(sent: int, size: int) -> None:
            on_progress(Step("uploading", sent / max(size, 1)))

        try:
            references = []
            for each in inputs:
                if isinstance(each, Mapping) or shared:
                    references.append(_reference(each))
                    continue
                sending = self._upload_steps(each, piece_bytes, tell)
                uploads.append((yield from _steps("uploading", sending)))
                references.append({"upload": uploads[-1]})
            if sleeps:
                job = self._submit(task, references, request, key)
            else:
                job = yield from self._room_for(lambda client: client._submit(task, references, request, key))
            for news in self.events(job.id) if sleeps else self._polled(job, lambda seconds: self._check()):
                job = news
                yield _step(job)
            job.check()
            with _Targets(overwrite) as targets:
                found = {str(file["name"]): place(str(file["name"])) for file in job.files}
                paths = {name: Path(target) for name, target in found.items() if target is not None}
                for name, path in paths.items():
                    yield from _steps("downloading", self._download_steps(job.id, name, targets.partial(path)))
                targets.publish()
        except BaseException:
            self._tidy(job, uploads)
            raise
        if not keep:
            self._tidy(job, uploads)
        return Result(job, paths)

    def _room_for(self, submit: Callable[[Client], Job]) -> Generator[Step, None, Job]:
        """Submits as soon as the queue has room, and yields meanwhile; returns the job."""
        impatient = self.checked(self._check)
        impatient._queue_patience = 0.0
        began = asked = time.monotonic()
        while True:
            try:
                return submit(impatient)
            except ServerError as error:
                if error.status != 429 or time.monotonic() - began > self._queue_patience:
                    raise
                wait, asked = error.retry_after or 1.0, time.monotonic()
            while time.monotonic() - asked < wait:
                yield Step("waiting for room in the queue", 0.0)

    def _tidy(self, job: Job | None, uploads: Iterable[str]) -> None:
        """Cancels what is not over and removes what is left on the server, as far as it can be reached at once."""
        tidying = self.checked(lambda: None)
        tidying._patience, tidying._queue_patience, tidying._timeout = 2.0, 2.0, 5.0
        with contextlib.suppress(ServerError):
            if job is not None:
                where = "/v1/jobs/" + _quoted(job.id)
                if tidying._call("DELETE", where).status == http.client.ACCEPTED:
                    tidying._call("DELETE", where)  # it was cancelled, and is there still
        for upload in uploads:
            with contextlib.suppress(ServerError):
                tidying.discard(upload)

    def separate(self, path: Input, out_dir: AnyPath, **request: Any) -> Result:
        """Takes a file apart into stems below a folder, under the names that the server gives them.

        `request` may have model, options and delivery, and here and below shared, overwrite, keep and on_progress.
        """
        return self.run("separate", inputs=[path], place=lambda name: safe_path(out_dir, name), **request)

    def speak_file(
        self, text: str, target: AnyPath, *, task: str = "speak", captions: Sequence[str] = (), **request: Any
    ) -> Result:
        """Speaks a text into a file, in the format of its ending; `request` may have voice, model, cast, options.

        Captions (srt, vtt, json, txt) go beside it, as do further files where its `delivery` asks for one a paragraph,
        further formats ("also") or a view.
        """
        _check_free(target, request.get("overwrite", False))
        form = _form(target, request.pop("delivery", None))
        if captions:
            form["captions"] = list(captions)
        named = functools.partial(beside, target, also=form.get("also", ()), filename=form.get("filename", SPEECH))
        return self.run(task, text=text, delivery=form, place=named, **request)

    def clone(self, text: str, target: AnyPath, voice: str, **request: Any) -> Result:
        """Speaks a text with a cloned voice of the server's library into a file; otherwise as `speak_file`."""
        return self.speak_file(text, target, task="clone", voice=voice, **request)

    def convert(self, path: Input, target: AnyPath, voice: str, **request: Any) -> Result:
        """Lends a voice of the server's library to recorded speech, in the format of the target's ending."""
        _check_free(target, request.get("overwrite", False))
        return self.run(
            "convert", inputs=[path], voice=voice, delivery=_form(target), place=lambda name: target, **request
        )

    def enroll(
        self, recordings: Sequence[Input], name: str, consent: str, *, target: AnyPath | None = None, **request: Any
    ) -> Result:
        """Makes a voice in the server's library of recordings of somebody who agrees; `target` gets its file.

        A voice is personal data: nobody else on this machine may read that file, and the server gives it to those alone
        whom it lets keep voices. What it says of a `text` stays on the server, if that is kept (`keep`).
        """
        overwrite = bool(request.get("overwrite", False))
        if target is not None:
            _check_free(target, overwrite)
            if not self._call("GET", "/v1/voices").json().get("may_keep"):
                raise ServerError(403, "NotAllowed", "This token may not take voices away: enrol without a target.")
        done = self.run("enroll", name=name, consent=consent, inputs=recordings, **request)
        if target is None:
            return done
        with _Targets(overwrite, private=True) as targets:
            partial = targets.partial(Path(target))
            partial.write_bytes(self._call("GET", f"/v1/voices/{_quoted(name)}/file").body)
            targets.publish()
        return Result(done.job, {name + VOICE_ENDING: Path(target)})

    def speak(self, text: str, **request: Any) -> bytes:
        """Returns a spoken text as a sound file; `request` may have voice, model, response_format and speed."""
        return b"".join(self.speak_stream(text, **request))

    def speak_stream(self, text: str, **request: Any) -> Generator[bytes, None, None]:
        """Yields a spoken text while it is made; leaving the loop ends it on the server as well."""
        body = {name: value for name, value in request.items() if value is not None}
        content = json.dumps({"input": text, **body}).encode("utf-8")
        headers = {"Content-Type": "application/json"}
        opened = self._retried(lambda: self._opened("POST", "/v1/audio/speech", content, headers, begin=BEGIN_SECONDS))
        with opened as (response, _):
            while True:
                self._check()
                try:
                    block = response.read1(BLOCK_BYTES)
                except _TRANSIENT as error:
                    raise Unreachable("The connection broke in the middle of the speech.") from error
                if not block:
                    return
                yield block

    # Exchanges

    def _json(
        self, method: str, path: str, body: Request | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        content = None if body is None else json.dumps(body).encode("utf-8")
        kind = {} if content is None else {"Content-Type": "application/json"}
        return self._call(method, path, content, {**kind, **(headers or {})}).json()

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        begin: float | None = None,
    ) -> _Reply:
        """Returns a reply that is no refusal; everything that is sent by this may be sent twice."""

        def exchange() -> _Reply:
            with self._opened(method, path, body, headers, begin=begin) as (response, _):
                return _Reply(response.status, _headers(response), response.read())

        reply: _Reply = self._retried(exchange)
        return reply

    def _retried(self, exchange: Callable[[], Any]) -> Any:
        """Does an exchange until it succeeds, is refused for good, or patience ends."""
        began, pause = time.monotonic(), SHORTEST_PAUSE
        failure: ServerError
        while True:
            self._check()
            try:
                return exchange()
            except _TRANSIENT as error:
                patience, wait, failure = self._patience, pause, self._unreachable(error)
                if isinstance(error, ssl.SSLCertVerificationError) or not (self._met or _is_lost(error)):
                    raise failure from error
            except _Busy as error:
                failure = error.refusal
                patience = self._queue_patience if failure.status == 429 else self._patience
                wait = pause if failure.retry_after is None else failure.retry_after
            if time.monotonic() + wait - began > patience:
                raise failure
            self._pause(wait)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _unreachable(self, error: BaseException) -> Unreachable:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unreachable(f"No server answers at {self.url}: {str(reason).rstrip('.')}.")

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self._check()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.1))

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        through = self._proxy
        at, at_port = (through.hostname or "", through.port or 80) if through else (host, port)
        if self._tls is None:
            return http.client.HTTPConnection(at, at_port, timeout=timeout)
        connection = http.client.HTTPSConnection(at, at_port, timeout=timeout, context=self._tls)
        if through:
            connection.set_tunnel(host, port or 443, headers=_proxy_login(through))
        return connection

    def _opened(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        begin: float | None = None,
    ) -> _Opened:
        """Sends a request and returns its response, which may `begin` so late, as a context; a refusal is raised."""
        target = self._parts.path.rstrip("/") + path
        sent = {"Accept": "application/json, */*", "Connection": "close", **(headers or {})}
        if self._token:
            sent["Authorization"] = "Bearer " + self._token
        if self._proxy and self._tls is None:
            target = self.url + path
            sent.update(_proxy_login(self._proxy))
        connection = self._connection(timeout or self._timeout)
        try:
            try:
                connection.request(method, target, body, sent)
            except (BrokenPipeError, ConnectionResetError):
                if body is None or connection.sock is None:
                    raise  # else: a server that says no before it has read all is worth hearing
            line = connection.sock
            response = connection.getresponse() if begin is None else self._begun(connection, line, begin)
            self._met[:] = [True]
            if response.status >= 300:
                _refuse(_Reply(response.status, _headers(response), response.read()))
            return _Opened(response, connection, line)
        except BaseException:
            connection.close()
            raise

    def _begun(self, connection: http.client.HTTPConnection, line: Any, seconds: float) -> http.client.HTTPResponse:
        """Returns a response that takes its time, waited for on a thread, so that `check` is heard meanwhile."""
        timeout = line.gettimeout()
        line.settimeout(seconds)
        heard: queue.SimpleQueue[http.client.HTTPResponse | BaseException] = queue.SimpleQueue()
        reader = threading.Thread(target=_await_response, args=(connection, heard), daemon=True)
        reader.start()
        try:
            response = None
            while response is None:
                self._check()
                with contextlib.suppress(queue.Empty):
                    response = heard.get(timeout=0.1)
        except BaseException:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)  # wakes the reader
            reader.join()
            raise
        if isinstance(response, BaseException):
            raise response
        line.settimeout(timeout)
        return response

    def _event_stream(self, id: str) -> Generator[Mapping[str, Any], None, None]:
        """Yields the data of server-sent events, read on a thread of its own, so that `check` is heard meanwhile."""
        path = f"/v1/jobs/{_quoted(id)}/events"
        opened = self._opened("GET", path, headers={"Accept": "text/event-stream"}, timeout=SILENT_SECONDS)
        with opened as (response, line):
            if not _headers(response).get("content-type", "").startswith("text/event-stream"):
                return
            lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
            reader = threading.Thread(target=_read_lines, args=(response, lines), daemon=True)
            reader.start()
            try:
                yield from self._parsed(lines)
            finally:
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)  # wakes the reader
                reader.join()

    def _parsed(self, lines: queue.SimpleQueue[bytes | None]) -> Iterator[Mapping[str, Any]]:
        data: list[bytes] = []
        while True:
            self._check()
            try:
                line = lines.get(timeout=0.1)
            except queue.Empty:
                continue
            if line is None:
                return
            if line.startswith(b"data:"):
                data.append(line[5:].strip())
            elif not line.strip() and data:
                told = json.loads(b"\n".join(data).decode("utf-8"))
                data = []
                if isinstance(told, dict):
                    yield told

    def _upload_steps(
        self, path: AnyPath, piece_bytes: int, on_progress: OnBytes, name: str | None = None
    ) -> Generator[tuple[int, int], None, str]:
        """Uploads piece by piece (tus 1.0); yields bytes sent and the size, returns the id."""
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            shown = base64.b64encode((name or os.path.basename(os.fspath(path))).encode("utf-8", "replace")).decode()
            headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": "filename " + shown, "Content-Length": "0"}
            body = None
            if size <= min(SMALL_BYTES, piece_bytes):
                body = file.read(size)
                headers.update({"Content-Type": "application/offset+octet-stream", "Content-Length": str(len(body))})
            made = self._call("POST", "/v1/uploads", body, headers)
            id = posixpath.basename(urllib.parse.urlsplit(made.headers.get("location", "")).path)
            if not id:
                raise ServerError(made.status, "BadReply", "The server names no upload: is this an audio-ml server?")
            where = "/v1/uploads/" + _quoted(id)
            offset = int(made.headers.get("upload-offset") or 0)
            moved = time.monotonic()
            while offset < size:
                yield offset, size
                self._check()
                before = offset
                try:
                    offset = self._patch(where, file, offset, min(piece_bytes, size - offset), size, on_progress)
                except (*_TRANSIENT, _Busy) as error:
                    if time.monotonic() - moved > self._patience:
                        raise error.refusal if isinstance(error, _Busy) else self._unreachable(error) from error
                    self._pause((isinstance(error, _Busy) and error.refusal.retry_after) or SHORTEST_PAUSE)
                    offset = int(self._call("HEAD", where, headers=TUS).headers["upload-offset"])
                if offset > before:
                    moved = time.monotonic()
        on_progress(size, size)
        return id

    def _patch(self, where: str, file: Any, offset: int, n_bytes: int, size: int, on_progress: OnBytes) -> int:
        """Sends a piece and returns how much the server has."""

        def blocks() -> Iterator[bytes]:
            sent = 0
            file.seek(offset)
            while sent < n_bytes:
                self._check()
                block = file.read(min(BLOCK_BYTES, n_bytes - sent))
                if not block:
                    raise ValueError(f"{file.name} has become shorter while it was uploaded.")
                yield block
                sent += len(block)
                on_progress(offset + sent, size)

        headers = {
            **TUS,
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(n_bytes),
        }
        try:
            with self._opened("PATCH", where, blocks(), headers) as (response, _):
                response.read()
                return int(_headers(response)["upload-offset"])
        except ServerError as error:
            if error.status in (409, 423, 460):  # another offset; held by the connection that broke; damaged on the way
                raise _Busy(error) from error
            raise

    def _download_steps(self, id: str, name: str, partial: Path) -> Generator[tuple[int, int], None, None]:
        """Downloads into a file; yields the bytes that are there and the size."""
        path = f"/v1/jobs/{_quoted(id)}/files/{urllib.parse.quote(name)}"
        got, size, etag, moved = 0, -1, "", time.monotonic()
        with partial.open("r+b") as file:
            while got != size:
                headers = {"Range": f"bytes={got}-", "If-Range": etag} if got and etag else {}
                try:
                    opened = self._retried(functools.partial(self._opened, "GET", path, None, headers))
                    with opened as (response, _):
                        told = _headers(response)
                        etag, (start, size) = told.get("etag", ""), _extent(response.status, told)
                        if start not in (0, got):
                            raise ServerError(206, "BadReply", f"The server sent another part of {name} than asked.")
                        got = file.seek(start)
                        file.truncate()
                        while got < size:
                            self._check()
                            block = response.read(min(BLOCK_BYTES, size - got))
                            if not block:
                                raise http.client.IncompleteRead(b"")
                            got, moved = got + file.write(block), time.monotonic()
                            yield got, size
                except _TRANSIENT as error:
                    if isinstance(error, OSError) and not _is_of_the_network(error):
                        raise  # of the disk
                    if time.monotonic() - moved > self._patience:
                        raise self._unreachable(error) from error
                    self._pause(SHORTEST_PAUSE)
            file.flush()
            os.fsync(file.fileno())


class _Busy(Exception):
    """A refusal that is worth another try."""

    def __init__(self, refusal: ServerError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class _Opened:
    """A response that is being read, with the socket it comes from; leaving the block ends it."""

    def __init__(self, response: http.client.HTTPResponse, connection: http.client.HTTPConnection, line: Any) -> None:
        self._response = response
        self._connection = connection
        self._line = line

    def __enter__(self) -> tuple[http.client.HTTPResponse, Any]:
        return self._response, self._line

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._connection.close()


class _Targets:
    """Files that are written under other names, and get their own all together or not at all."""

    def __init__(self, overwrite: bool, private: bool = False) -> None:
        self._overwrite = overwrite
        self._mode = 0o600 if private else 0o666  # less the user's mask
        self._partials: dict[Path, Path] = {}

    def __enter__(self) -> _Targets:
        return self

    def __exit__(self, *_: object) -> None:
        for partial in self._partials.values():
            with contextlib.suppress(OSError):
                partial.unlink()

    def partial(self, target: Path) -> Path:
        """Returns where to write what is to become `target`."""
        _check_free(target, self._overwrite)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target in self._partials:
            raise ServerError(0, "BadReply", f"The server gives two files the name of {target}.")
        self._partials[target] = target.with_name(f".{uuid.uuid4().hex}.part")
        os.close(os.open(self._partials[target], os.O_CREAT | os.O_EXCL | os.O_WRONLY, self._mode))
        return self._partials[target]

    def publish(self) -> None:
        published: list[Path] = []
        try:
            for target, partial in self._partials.items():
                if self._overwrite:
                    os.replace(partial, target)
                else:
                    _name(partial, target)
                    published.append(target)
        except OSError:
            for target in published:
                target.unlink()
            raise


def _check_free(target: AnyPath, overwrite: bool) -> None:
    if os.path.lexists(target) and not overwrite:
        raise FileExistsError(f"{os.fspath(target)} exists already and is kept.")


def _name(partial: Path, target: Path) -> None:
    """Gives a file its name unless that is taken, also by somebody who took it this moment."""
    if os.name == "nt":
        os.rename(partial, target)  # never replaces there
        return
    try:
        os.link(partial, target)
    except FileExistsError:
        raise FileExistsError(f"{target} exists already and is kept.") from None
    except OSError:  # a disk without links
        _check_free(target, overwrite=False)
        os.rename(partial, target)


def option_types(rules: Mapping[str, Any]) -> list[str]:
    """Returns what an option may be, by its JSON Schema: "number", or "number" and "null", say."""
    types = rules.get("type", "string")
    return [types] if isinstance(types, str) else list(types)


def option_text(value: Any) -> str:
    """Returns the value of an option as people write it, for dialogs and command lines.

    >>> option_text(True), option_text(None), option_text(["vocals", "drums"]), option_text(0.5)
    ('yes', '', 'vocals, drums', '0.5')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def read_option(rules: Mapping[str, Any], text: str) -> Any:
    """Returns the value that `option_text` would write so; raises `ValueError` for what the schema does not allow.

    >>> read_option({"type": ["number", "null"], "maximum": 2}, "0.5"), read_option({"type": "boolean"}, "yes")
    (0.5, True)
    """
    text, types = text.strip(), option_types(rules)
    if not text and "null" in types:
        return None
    if "boolean" in types:
        if text.lower() not in _SWITCH:
            raise ValueError("yes or no")
        return _SWITCH[text.lower()]
    if "array" in types:
        return [part.strip() for part in text.split(",") if part.strip()]
    if "integer" in types or "number" in types:
        value = int(text) if "integer" in types else float(text)
        if not rules.get("minimum", -1e300) <= value <= rules.get("maximum", 1e300):
            raise ValueError("out of range")
        return value
    if text not in rules.get("enum", (text,)):
        raise ValueError("one of " + ", ".join(map(str, rules["enum"])))
    return text


_SWITCH = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}


def safe_path(folder: AnyPath, name: str) -> Path:
    """Returns where a file of that name goes below a folder; raises `ServerError` for a name that leaves it.

    >>> safe_path("stems", "song/vocals.wav").as_posix()
    'stems/song/vocals.wav'
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") or set(part) & set("\\:\0") for part in parts):
        raise ServerError(0, "BadReply", f"The server gives a file a name that cannot be used: {name!r}.")
    return Path(folder).joinpath(*parts)


def _form(target: AnyPath, delivery: Mapping[str, Any] | None = None) -> Request:
    """Returns the form of a file as its name has it, unless it is given."""
    return {"format": Path(target).suffix[1:].lower(), **(delivery or {})}


def beside(target: AnyPath, name: str, also: Iterable[str] = (), filename: str = SPEECH) -> Path:
    """Returns where a file of spoken text goes whose sound is to be `target`.

    `also` are the further formats that were asked for, `filename` is what the server was told to call its files.

    >>> [beside("a/line.wav", name).as_posix() for name in ("speech.wav", "speech.srt", "speech_002.wav", "view.json")]
    ['a/line.wav', 'a/line.srt', 'a/line_002.wav', 'a/line.view.json']
    >>> beside("a/line.wav", "speech.mp3", also=["mp3"]).as_posix()
    'a/line.mp3'
    """
    stem, ending = os.path.splitext(safe_path("", name).name)
    sound = Path(target)
    told = re.fullmatch(re.escape(unicodedata.normalize("NFC", filename)) + r"(_\d+)?", stem)
    if told is None:  # no sound, and no captions of one
        return sound.with_name(f"{sound.stem}.{stem}{ending}")
    keeps_ending = ending in CAPTIONS or ending[1:] in also
    return sound.with_name(sound.stem + (told.group(1) or "") + (ending if keeps_ending else sound.suffix))


def _reference(given: Input) -> Mapping[str, str]:
    """Returns what a request says of an input that is not uploaded."""
    return given if isinstance(given, Mapping) else {"path": os.path.abspath(os.fspath(given))}


def _steps(stage: str, moved: Generator[tuple[int, int], None, Moved]) -> Generator[Step, None, Moved]:
    while True:
        try:
            done, size = next(moved)
        except StopIteration as end:
            returned: Moved = end.value
            return returned
        yield Step(stage, done / max(size, 1))


def _step(job: Job) -> Step:
    if job.state == "queued":
        return Step("queued" if not job.position else f"queued behind {job.position}", 0.0)
    return Step(job.stage or job.state, job.fraction, job.eta_seconds)


def _job(told: Any) -> Job:
    if not isinstance(told, dict) or "id" not in told:
        raise ServerError(0, "BadReply", "The server's reply is no job: is this an audio-ml server?")
    return Job(str(told["id"])).updated(told)


def _quoted(part: str) -> str:
    return urllib.parse.quote(part, safe="")


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _await_response(
    connection: http.client.HTTPConnection, heard: queue.SimpleQueue[http.client.HTTPResponse | BaseException]
) -> None:
    try:
        heard.put(connection.getresponse())
    except BaseException as error:
        heard.put(error)


def _read_lines(response: http.client.HTTPResponse, lines: queue.SimpleQueue[bytes | None]) -> None:
    try:
        for line in iter(response.readline, b""):
            lines.put(line)
    except (*_TRANSIENT, ValueError, AttributeError):  # the last two: it was closed meanwhile
        pass
    finally:
        lines.put(None)


def _refuse(reply: _Reply) -> None:
    """Raises what a reply refuses with."""
    try:
        error = json.loads(reply.body.decode("utf-8"))["error"]
        told = ServerError(
            reply.status,
            str(error["type"]),
            str(error["message"]),
            error.get("param"),
            str(error.get("request_id", "")),
        )
        is_ours = True
    except (ValueError, KeyError, TypeError, AttributeError):
        reason = http.client.responses.get(reply.status, "no reason given")
        told, is_ours = (
            ServerError(reply.status, "HTTPError", f"The server refused: {reply.status} {reason}."),
            False,
        )
    after = reply.headers.get("retry-after", "")
    told.retry_after = float(after) if after.isdigit() else None
    if reply.status == 429 or (reply.status in (502, 503, 504) and (after or not is_ours)):
        raise _Busy(told)
    raise told


def _extent(status: int, headers: Mapping[str, str]) -> tuple[int, int]:
    """Returns the first byte and the size of the whole of a response with content."""
    if status == 206:
        kind, _, rest = headers.get("content-range", "").partition(" ")
        extent, _, size = rest.partition("/")
        start = extent.partition("-")[0]
        if kind == "bytes" and start.isdigit() and size.isdigit():
            return int(start), int(size)
    elif headers.get("content-length", "").isdigit():
        return 0, int(headers["content-length"])
    raise ServerError(status, "BadReply", "The server does not say how long a file is.")


def _is_lost(error: BaseException) -> bool:
    """Tells a connection that was there and broke from one that never came about."""
    return isinstance(error, (ConnectionResetError, BrokenPipeError, socket.timeout, http.client.HTTPException))


def _is_of_the_network(error: OSError) -> bool:
    return (
        isinstance(error, (ConnectionError, socket.timeout, ssl.SSLError, socket.gaierror)) or error.errno in _NETWORK
    )


_NETWORK = (errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT)


def _address(url: str) -> urllib.parse.SplitResult:
    """Returns the parts of a server's address; raises `ValueError` for what is none.

    >>> _address("localhost:8600").port
    8600
    """
    with contextlib.suppress(ValueError):
        parts = urllib.parse.urlsplit(url if "://" in url else "http://" + url)
        _ = parts.port, (parts.hostname or "").encode("idna"), parts.path.encode("ascii")  # raise what they cannot be
        if parts.scheme in ("http", "https") and parts.hostname:
            return parts
    raise ValueError(f"{url!r} is no address of a server: write http://HOST:PORT.")


def _proxy_for(scheme: str, host: str) -> urllib.parse.SplitResult | None:
    """Returns the environment's proxy for a host; this machine is never reached through one."""
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost" or host.endswith(".localhost")
    proxy = None if is_local or urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(scheme)
    return urllib.parse.urlsplit(proxy if "://" in proxy else "http://" + proxy) if proxy else None


def _proxy_login(proxy: urllib.parse.SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = urllib.parse.unquote(proxy.username) + ":" + urllib.parse.unquote(proxy.password or "")
    return {"Proxy-Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


class _Abandoned(BaseException):
    """Ends the thread of a coroutine that was cancelled."""


def _coroutine(name: str) -> Any:
    @functools.wraps(getattr(Client, name))
    async def method(self: Any, *arguments: Any, **named: Any) -> Any:
        return await self._call(name, *arguments, **named)

    return method


def _iterator(name: str) -> Any:
    @functools.wraps(getattr(Client, name))
    def method(self: Any, *arguments: Any, **named: Any) -> AsyncIterator[Any]:
        iterator: AsyncIterator[Any] = self._iterate(name, *arguments, **named)
        return iterator

    return method


class AsyncClient:
    """The methods of `Client` as coroutines; `events` and `speak_stream` are asynchronous iterators.

    Each call runs on a thread of the event loop's executor, so a loop may have as many under way as that has
    threads. A task that is cancelled cancels its job on the server. `on_progress` is called on that thread.

        async with asyncio.timeout(60):
            done = await AsyncClient("http://127.0.0.1:8600").separate("song.wav", "stems")
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._client = Client(*arguments, **named)

    def _cancellable(self) -> tuple[Client, threading.Event]:
        abandoned, check = threading.Event(), self._client._check

        def check_both() -> None:
            check()
            if abandoned.is_set():
                raise _Abandoned

        return self._client.checked(check_both), abandoned

    async def _call(self, name: str, *arguments: Any, **named: Any) -> Any:
        client, abandoned = self._cancellable()
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(None, functools.partial(getattr(client, name), *arguments, **named))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            abandoned.set()
            with contextlib.suppress(BaseException):
                await work  # within a moment: the job is cancelled on the server before the task ends
            raise

    async def _iterate(self, name: str, *arguments: Any, **named: Any) -> AsyncIterator[Any]:
        client, abandoned = self._cancellable()
        loop = asyncio.get_running_loop()
        values = getattr(client, name)(*arguments, **named)
        try:
            while True:
                step = loop.run_in_executor(None, functools.partial(next, values, None))
                try:
                    value = await asyncio.shield(step)
                except asyncio.CancelledError:
                    abandoned.set()
                    with contextlib.suppress(BaseException):
                        await step
                    raise
                if value is None:
                    return
                yield value
        finally:
            await loop.run_in_executor(None, values.close)

    models = _coroutine("models")
    model = _coroutine("model")
    load = _coroutine("load")
    unload = _coroutine("unload")
    memory = _coroutine("memory")
    voices = _coroutine("voices")
    submit = _coroutine("submit")
    job = _coroutine("job")
    jobs = _coroutine("jobs")
    cancel = _coroutine("cancel")
    remove = _coroutine("remove")
    wait = _coroutine("wait")
    upload = _coroutine("upload")
    discard = _coroutine("discard")
    download = _coroutine("download")
    run = _coroutine("run")
    separate = _coroutine("separate")
    speak = _coroutine("speak")
    speak_file = _coroutine("speak_file")
    clone = _coroutine("clone")
    convert = _coroutine("convert")
    enroll = _coroutine("enroll")
    events = _iterator("events")
    speak_stream = _iterator("speak_stream")
