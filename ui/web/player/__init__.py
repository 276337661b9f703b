"""The multitrack player: files for the browser, which the server gives away itself."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

FOLDER = Path(__file__).parent
ADDRESS = "/player"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
HEAD = f'<script type="module" src="{ADDRESS}/player.js"></script>'  # what a page with players has in its head
# wavesurfer.js puts its styles into the text of its elements.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)


def player_html(job: str) -> str:
    """Returns a player of the results of the job at an address, for a page that has `HEAD`.

    >>> player_html("/v1/jobs/0a1b")
    '<div><stem-player job="/v1/jobs/0a1b"></stem-player></div>'
    """
    return f'<div><stem-player job="{escape(job)}"></stem-player></div>'


def add_player(app: FastAPI) -> None:
    """Serves the player's files below `/player`; to be called before a page is put at the root."""
    from fastapi import HTTPException
    from fastapi.responses import FileResponse

    files = {path.name: path for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES}
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}

    @app.get(ADDRESS + "/{name}", response_class=FileResponse, include_in_schema=False)
    def file(name: str) -> FileResponse:
        if name not in files:
            raise HTTPException(404)
        return FileResponse(files[name], media_type=MEDIA_TYPES[files[name].suffix], headers=headers)
