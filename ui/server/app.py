"""The server as an ASGI application: routes, replies to what goes wrong, and the guard before all of it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp

from ui.server.guard import guarded
from ui.server.replies import add_error_replies
from ui.server.routes import health, jobs, listen, models, speech, voices
from ui.server.services import Services
from ui.server.tokens import Tokens

DESCRIPTION = "Stem separation, speech and voice cloning: jobs, models, and speech as it is made."


def create_app(services: Services) -> FastAPI:
    """Returns the application that serves these parts, to whomever its caller lets in (see `admit`)."""
    app = FastAPI(title="audio-ml", version=version("audio-ml"), description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.state.services = services
    app.state.listening = listening = listen.Listening()
    services.rounds.append(listening.pieces.tidy)
    for router in (health.router, models.router, jobs.router, listen.router, speech.router, voices.router):
        app.include_router(router)
    app.include_router(services.uploads.router())
    add_error_replies(app)
    return app


def admit(app: ASGIApp, services: Services, host: str = "127.0.0.1") -> ASGIApp:
    """Returns the application behind its guard, as it is served on an address.

    Raises:
        InvalidInput: when the file of tokens is not right.
    """
    options = services.options
    tokens = Tokens(Path(options.tokens), options) if options.tokens else None
    return guarded(app, options, host, tokens, services.metrics.request)
