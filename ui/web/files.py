"""Our own files for the browser: the elements of the page and the multitrack player, given away as they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

FOLDERS = ("elements", "player")
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
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


def add_files(app: FastAPI) -> None:
    """Serves them below `/elements` and `/player`; to be called before a page is put at the root."""
    from fastapi import HTTPException
    from fastapi.responses import FileResponse

    paths = [path for folder in FOLDERS for path in (Path(__file__).parent / folder).iterdir()]
    files = {f"/{path.parent.name}/{path.name}": path for path in paths if path.suffix in MEDIA_TYPES}
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}

    def serve(folder: str) -> None:
        @app.get(f"/{folder}/{{name}}", response_class=FileResponse, include_in_schema=False)
        def file(name: str) -> FileResponse:
            path = files.get(f"/{folder}/{name}")
            if path is None:
                raise HTTPException(404)
            return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers=headers)

    for folder in FOLDERS:
        serve(folder)
