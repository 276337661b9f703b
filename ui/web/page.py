"""The page for browsers; nothing of it comes from, or goes to, anywhere but the server that it is on."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from audio_ml.weights import WeightStore
from ui.web.jobs import Sessions
from ui.web.player import HEAD, add_player

if TYPE_CHECKING:
    from ui.web.separate import Separate

FONTS = ("Helvetica Neue", "Arial", "sans-serif")  # of the reader's own system
MONOSPACE = ("Consolas", "Menlo", "monospace")
CSS = """
progress { appearance: none; width: 100%; height: 0.6em; border: 0; border-radius: 0.3em; overflow: hidden; }
progress, progress::-webkit-progress-bar { background: var(--border-color-primary); }
progress::-webkit-progress-value { background: var(--color-accent); }
progress::-moz-progress-bar { background: var(--color-accent); }
[role=alert] { color: var(--error-text-color); border-left: 4px solid; padding-left: 0.8em; }
"""

# The browser itself refuses to talk to anyone but this server. Gradio's page has scripts and styles in its text.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "worker-src 'self' blob:",
        "connect-src 'self' blob: data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)


def open_sessions(folder: Path, forget: Callable[[Path], None]) -> Sessions:
    """Returns the sessions of a page whose files lie in a folder; nothing is told to anyone."""
    files = folder.resolve()
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["FASTAPI_OTEL_AUTO_CONFIGURE"] = "false"
    os.environ["GRADIO_TEMP_DIR"] = str(files)  # where uploads go
    return Sessions(files, forget)


def build_page(store: WeightStore, separate: Separate, sessions: Sessions, commercial_only: bool = False) -> Any:
    """Returns the page as `gradio.Blocks`, with one tab for each thing the suite does."""
    import gradio as gr

    from ui.web.separate import SeparateTab

    with gr.Blocks(title="audio-ml", analytics_enabled=False) as page, gr.Tabs(), gr.Tab("Separate"):
        SeparateTab(page, store, separate, sessions, commercial_only)
    return page


def page_app(page: Any, app: FastAPI) -> FastAPI:
    """Puts a page at the root of an application, behind what that has; all answers of it carry the content policy."""
    import gradio as gr

    add_player(app)
    theme = gr.themes.Default(font=FONTS, font_mono=MONOSPACE).set(block_info_text_color="*neutral_500")
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=theme,
        css=CSS,
        head=HEAD,
        show_error=False,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
    )
    mount = next(route for route in reversed(app.routes) if isinstance(route, Mount))
    mount.app = _ServesOnlyItself(mount.app)
    return app


class PageServer(uvicorn.Server):
    """Serves an application that has a page; at the end, the work of its users stops first."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, sessions: Sessions) -> None:
        super().__init__(config)
        self._app, self._sessions = app, sessions

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends what open pages still wait for, which would otherwise be broken off with a traceback each."""
        for mount in (route for route in self._app.routes if isinstance(route, Mount)):
            cast(Any, mount.app).inner.stop_event.set()
        await asyncio.to_thread(self._sessions.close)
        await super().shutdown(sockets)


class _ServesOnlyItself:
    """Wraps an application so that every answer carries the content policy."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = CONTENT_POLICY
            await send(message)

        await self.inner(scope, receive, send_with_policy)
