"""Below `/v1/jobs/{id}`: what a player needs to show the results of a job, to play them, and to take them home."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field, TypeAdapter, ValidationError

from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.wav import encode, stream_header
from ui.server.listening.archive import zipped
from ui.server.listening.mixdown import mix_down
from ui.server.listening.overview import MOST_BINS, Overviews
from ui.server.listening.pieces import Pieces
from ui.server.listening.spectrogram import as_png
from ui.server.listening.tracks import adds_up, find_track, tracks_of
from ui.server.refusals import NotFound
from ui.server.services import Known, Served
from ui.server.store import Job

router = APIRouter(prefix="/v1/jobs/{id}", tags=["listening"])

SECONDS_AT_ONCE = 30
LOUDEST_DB = 24.0
CACHED = {"Cache-Control": "private, max-age=3600"}  # a job that is done does not change
WAV: dict[int | str, dict[str, Any]] = {200: {"content": {"audio/wav": {}}}}
LONGEST_GAINS = 4000  # characters, which an address can hold in any script
GAINS = TypeAdapter(dict[str, Annotated[float, Field(ge=-200.0, le=LOUDEST_DB)]])


class Listening:
    """What is kept between requests: decoders, and overviews while they are made. One for each application."""

    def __init__(self) -> None:
        self.pieces, self.overviews = Pieces(), Overviews()


def listening_of(request: Request) -> Listening:
    """Returns what the application keeps."""
    listening: Listening = request.app.state.listening
    return listening


def own_job(id: str, services: Served, caller: Known) -> Job:
    """Returns a job of the caller's; of others there is none."""
    return services.store.get(id, caller.name)


Kept = Annotated[Listening, Depends(listening_of)]
Own = Annotated[Job, Depends(own_job)]


@router.get("/tracks")
def tracks(services: Served, job: Own) -> dict[str, Any]:
    """Returns what there is to hear: the results, and their source where it is still here."""
    return {"tracks": [track.as_dict() for track in tracks_of(services, job)], "adds_up": adds_up(job)}


@router.get("/peaks/{name:path}")
def peaks(
    name: str,
    services: Served,
    job: Own,
    kept: Kept,
    response: Response,
    n: Annotated[int, Query(ge=1, le=MOST_BINS, description="The most bins.")] = 2048,
) -> dict[str, Any]:
    """Returns the lowest and the highest sample of each of at most `n` bins of a track."""
    track = find_track(services, job, name)
    response.headers.update(CACHED)
    return kept.overviews.of(services, job, track).peaks(n) | {"sample_rate": track.sample_rate}


@router.get("/spectrogram/{name:path}", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def spectrogram(name: str, services: Served, job: Own, kept: Kept) -> Response:
    """Returns a picture of a track: time from left to right, pitch upwards."""
    overview = kept.overviews.of(services, job, find_track(services, job, name))
    return Response(as_png(overview.image), media_type="image/png", headers=CACHED)


@router.get("/sound/{name:path}", response_class=Response, responses=WAV)
def sound(
    name: str,
    services: Served,
    job: Own,
    kept: Kept,
    start: Annotated[int, Query(ge=0, lt=2**48, description="The first sample.")],
    n: Annotated[int, Query(ge=1, lt=2**31, description="How many samples; fewer come at the end.")],
    rate: Annotated[int | None, Query(ge=1000, le=768_000, description="Resample to this many Hz first.")] = None,
) -> Response:
    """Returns a piece of a track as WAV with 32-bit float samples, whatever the format of its file."""
    track = find_track(services, job, name)
    if n > SECONDS_AT_ONCE * (rate or track.sample_rate):
        raise InvalidInput(f"At most {SECONDS_AT_ONCE} s can be had at once.")
    piece = kept.pieces.cut(track, start, n, rate)
    header = stream_header(piece.sample_rate, piece.n_channels, "32f", piece.n_samples)
    return Response(header + encode(piece.samples, "32f"), media_type="audio/wav", headers=CACHED)


@router.get("/mix", response_class=StreamingResponse, responses=WAV)
def mix(
    services: Served,
    job: Own,
    kept: Kept,
    gains_db: Annotated[
        str, Query(max_length=LONGEST_GAINS, description='Gain of each track in dB: {"song/vocals.wav": -3}.')
    ],
) -> StreamingResponse:
    """Returns a mix of tracks as 24-bit WAV; those that are not named are silent.

    A mix that would clip is turned down as a whole, and the name of the file tells by how much.
    """
    gains = _read_gains(gains_db)
    chosen = [track for track in tracks_of(services, job) if track.name in gains]
    if not chosen or len(chosen) < len(gains):
        raise NotFound("A mix is made of tracks of the job, at least one.")
    heights = [kept.overviews.of(services, job, track).peak for track in chosen]
    made = mix_down(chosen, [gains[track.name] for track in chosen], heights)
    turned = f" ({20 * math.log10(made.factor):.1f} dB)" if made.factor < 1 else ""
    headers = {"Content-Length": str(made.n_bytes)} | _named(f"{_base(job)} - mix{turned}.wav")
    return StreamingResponse(made.encoded(), media_type="audio/wav", headers=headers)


@router.get("/archive", response_class=StreamingResponse, responses={200: {"content": {"application/zip": {}}}})
def archive(services: Served, job: Own) -> StreamingResponse:
    """Returns all results of a job as one zip file."""
    if job.state != "done" or not job.outcome.files:
        raise NotFound("The job has no results.")
    folder = services.scheduler.folder_of(job.id)
    files = [(file.name, folder / file.name) for file in job.outcome.files]
    return StreamingResponse(zipped(files), media_type="application/zip", headers=_named(f"{_base(job)} - stems.zip"))


def _read_gains(text: str) -> dict[str, float]:
    try:
        return GAINS.validate_json(text)
    except ValidationError as error:
        raise InvalidOption(
            f"'gains_db' is JSON with the gain of each track in dB, {LOUDEST_DB:.0f} at most: {{\"vocals.wav\": -3}}."
        ) from error


def _base(job: Job) -> str:
    """Returns what the files of a job are called after."""
    return Path(job.inputs[0]["name"]).stem if job.inputs else job.request.task


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
