"""The server as an ASGI application: routes, replies to what goes wrong, and the guard before all of it."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from ui.server.guard import Guard
from ui.server.replies import install_replies
from ui.server.routes import health, jobs, models, speech
from ui.server.services import Services

DESCRIPTION = "Stem separation, speech and voice cloning: jobs, models, and speech as it is made."


def create_app(services: Services, host: str = "127.0.0.1") -> FastAPI:
    """Returns the application that serves these parts on an address."""
    app = FastAPI(title="audio-ml", version=version("audio-ml"), description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.state.services = services
    for router in (health.router, models.router, jobs.router, speech.router, services.uploads.router()):
        app.include_router(router)
    install_replies(app)
    app.add_middleware(Guard, options=services.options, host=host, metrics=services.metrics)
    return app
