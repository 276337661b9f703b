"""Uploads that can be resumed: the tus protocol 1.0 (https://tus.io/protocols/resumable-upload) under /v1/uploads."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from audio_ml.errors import InvalidInput
from ui.server.refusals import Conflict, Refusal, TooLarge, TooSlow, WrongChecksum, WrongMediaType, WrongVersion
from ui.server.tokens import Caller
from ui.server.upload_store import Upload, UploadStore

PATH = "/v1/uploads"
VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,termination,checksum"
CHECKSUMS = ("sha1", "sha256")
BYTES = "application/offset+octet-stream"
BLOCK_BYTES = 1 << 20  # written at a time
LONGEST_HEADER = 8000  # characters
BINARY: dict[str, Any] = {"requestBody": {"content": {BYTES: {"schema": {"type": "string", "format": "binary"}}}}}

Length = Annotated[int, Header(ge=0, lt=2**60, description="Bytes of the whole file.")]
Offset = Annotated[int, Header(ge=0, lt=2**60, description="Bytes that have arrived before.")]
Metadata = Annotated[str, Header(max_length=LONGEST_HEADER, description="filename BASE64")]
Checksum = Annotated[str, Header(max_length=200, description="sha1 BASE64 or sha256 BASE64, of this body.")]
Version = Annotated[str, Header(description="Version of the protocol.")]


class Uploads(UploadStore):
    """The uploads of all callers, and the routes by which they come."""

    def router(self) -> APIRouter:
        """Returns the routes of the protocol."""
        router = APIRouter(prefix=PATH, tags=["uploads"])
        router.add_api_route(
            "", self.describe, methods=["OPTIONS"], status_code=204, summary="What of the protocol is known here"
        )
        router.add_api_route(
            "", self.begin, methods=["POST"], status_code=201, summary="Begin an upload", openapi_extra=BINARY
        )
        router.add_api_route("/{upload_id}", self.tell, methods=["HEAD"], summary="How much of an upload has arrived")
        router.add_api_route(
            "/{upload_id}",
            self.proceed,
            methods=["PATCH"],
            status_code=204,
            summary="Send the next part",
            openapi_extra=BINARY,
        )
        router.add_api_route("/{upload_id}", self.end, methods=["DELETE"], status_code=204, summary="Remove an upload")
        return router

    async def describe(self, request: Request) -> Response:
        most = str(request.state.caller.limits.max_upload_bytes)
        known = {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": most}
        return Response(status_code=204, headers=known | {"Tus-Checksum-Algorithm": ",".join(CHECKSUMS)})

    async def begin(
        self,
        request: Request,
        upload_length: Length,
        upload_metadata: Metadata = "",
        upload_checksum: Checksum = "",
        tus_resumable: Version = VERSION,
    ) -> Response:
        """The body, if there is one, is the first part of the file, or all of it."""
        check_version(tus_resumable)
        has_part = _has_part(request)
        name = read_metadata(upload_metadata).get("filename", "")
        upload = await asyncio.to_thread(self.create, request.state.caller, upload_length, name, upload_metadata)
        try:
            upload = await self._receive(upload, request, upload_checksum) if has_part else upload
        except BaseException:  # the client was not told where it is, so that nobody can go on with it
            await asyncio.to_thread(self.delete, upload.id)
            raise
        body = {"id": upload.id, "offset": upload.n_bytes, "length": upload.length, "name": upload.name}
        headers = _headers(upload) | {"Location": f"{PATH}/{upload.id}"}
        return JSONResponse(body, status_code=201, headers=headers)

    async def tell(self, upload_id: str, request: Request, tus_resumable: Version = VERSION) -> Response:
        check_version(tus_resumable)
        upload = await self._find(upload_id, request)
        told = {"Upload-Length": str(upload.length)}
        if upload.metadata:
            told["Upload-Metadata"] = upload.metadata
        return Response(headers=_headers(upload) | told)

    async def proceed(
        self,
        upload_id: str,
        request: Request,
        upload_offset: Offset,
        upload_checksum: Checksum = "",
        tus_resumable: Version = VERSION,
    ) -> Response:
        check_version(tus_resumable)
        _check_type(request)
        upload = await self._find(upload_id, request)
        with self.locked(upload_id):
            upload = await self._find(upload_id, request)
            if upload_offset != upload.n_bytes:
                raise Conflict(
                    f"{upload.n_bytes} bytes have arrived, so the next part begins there, not at {upload_offset}.",
                    {"Upload-Offset": str(upload.n_bytes)},
                )
            upload = await self._receive(upload, request, upload_checksum)
        return Response(status_code=204, headers=_headers(upload))

    async def end(self, upload_id: str, request: Request, tus_resumable: Version = VERSION) -> Response:
        check_version(tus_resumable)
        await self._find(upload_id, request)
        if await asyncio.to_thread(self.is_needed, upload_id):
            raise Conflict("A job has yet to read this upload: cancel it first, or leave the upload to expire.")
        with self.locked(upload_id):
            await asyncio.to_thread(self.delete, upload_id)
        return Response(status_code=204, headers={"Tus-Resumable": VERSION})

    async def _find(self, upload_id: str, request: Request) -> Upload:
        caller: Caller = request.state.caller
        return await asyncio.to_thread(self.find, upload_id, caller.name)

    async def _receive(self, upload: Upload, request: Request, checksum: str) -> Upload:
        """Writes a body to the disk as it comes; what has arrived stays when the client goes away.

        With a checksum nothing stays but what fits it.
        """
        algorithm, digest = read_checksum(checksum) if checksum else ("sha1", b"")
        room = upload.length - upload.n_bytes
        if int(request.headers.get("content-length", 0)) > room:
            raise TooLarge(f"The upload has room for {room} bytes.")
        found = hashlib.new(algorithm, usedforsecurity=False)
        is_right = False
        try:
            async for block in _blocks(request, room):
                await asyncio.to_thread(self.append, upload, block)
                if checksum:
                    found.update(block)
            if checksum and not hmac.compare_digest(found.digest(), digest):
                raise WrongChecksum("What arrived does not have the checksum that was sent along; send it again.")
            is_right = True
        finally:
            if checksum and not is_right:
                with contextlib.suppress(OSError):
                    self.cut(upload, upload.n_bytes)
        return await asyncio.to_thread(self.keep, upload)


def check_version(version: str) -> None:
    """Raises `WrongVersion` for a version of the protocol that is not spoken here."""
    if version != VERSION:
        raise WrongVersion(f"Uploads follow version {VERSION} of tus.", {"Tus-Version": VERSION})


def read_metadata(text: str) -> dict[str, str]:
    """Returns what `Upload-Metadata` says.

    Raises:
        InvalidInput: when it is not as the protocol says.

    >>> read_metadata("filename c29uZy53YXY=,draft")
    {'filename': 'song.wav', 'draft': ''}
    """
    values = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        name, _, value = pair.partition(" ")
        try:
            values[name] = base64.b64decode(value, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError) as error:
            raise InvalidInput(f"Upload-Metadata: the value of {name!r} has to be in base64.") from error
    return values


def read_checksum(text: str) -> tuple[str, bytes]:
    """Returns algorithm and digest of `Upload-Checksum`; raises `Refusal` when it is neither."""
    algorithm, _, value = text.partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if algorithm not in CHECKSUMS or not digest:
        raise Refusal(f"Upload-Checksum has to be {' or '.join(CHECKSUMS)}, a space, and the digest in base64.")
    return algorithm, digest


def _has_part(request: Request) -> bool:
    """Tells whether a request brings bytes of the file along; any other body is refused."""
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return False
    _check_type(request)
    return True


def _check_type(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != BYTES:
        raise WrongMediaType(f"The bytes of an upload come with Content-Type: {BYTES}.")


def _headers(upload: Upload) -> dict[str, str]:
    return {
        "Tus-Resumable": VERSION,
        "Upload-Offset": str(upload.n_bytes),
        "Upload-Expires": formatdate(upload.expires, usegmt=True),
    }


async def _blocks(request: Request, room: int) -> AsyncIterator[bytes]:
    """Yields a body in blocks that are worth a write, the last one also when the client goes away in between."""
    buffer = bytearray()
    try:
        async for chunk in request.stream():
            room -= len(chunk)
            if room < 0:
                raise TooLarge("There are more bytes than the upload has room for.")
            buffer += chunk
            if len(buffer) >= BLOCK_BYTES:
                yield bytes(buffer)
                buffer.clear()
    except (ClientDisconnect, TooSlow):
        yield bytes(buffer)
        raise
    yield bytes(buffer)
