"""The page for browsers; nothing of it comes from, or goes to, anywhere but the server that it is on."""

from __future__ import annotations

import importlib
import os
import socket
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.web.files import add_files

if TYPE_CHECKING:
    from ui.web.desk import Desk

TABS = {  # each by the module and the class that draws it
    "Separate": ("separate_tab", "SeparateTab"),
    "Speak": ("speak_tab", "SpeakTab"),
    "Clone": ("clone_tab", "CloneTab"),
    "Learn": ("learn_tab", "LearnTab"),
    "Models": ("models_tab", "ModelsTab"),
    "History": ("history_tab", "HistoryTab"),
}
FONTS = ("Helvetica Neue", "Arial", "sans-serif")  # of the reader's own system
# Text that stands out from what is behind it, by the rules of WCAG (4.5 to 1), where the theme's own does not.
CONTRAST = {
    "block_info_text_color": "*neutral_600",
    "block_info_text_color_dark": "*neutral_400",
    "body_text_color_subdued": "*neutral_600",
    "body_text_color_subdued_dark": "*neutral_400",
    "block_label_text_color": "*neutral_600",
    "block_title_text_color": "*neutral_600",
    "button_primary_background_fill": "*primary_700",
    "button_primary_background_fill_hover": "*primary_800",
    "button_primary_background_fill_dark": "*primary_700",
    "button_primary_background_fill_hover_dark": "*primary_800",
    "button_primary_text_color": "white",
}
MONOSPACE = ("Consolas", "Menlo", "monospace")
MANIFEST = b'<link rel="manifest" href="/manifest.json" />'  # which Gradio names, and has only for an app
HOUR = 3600
SECONDS_BETWEEN_LOOKS = 0.2  # of Gradio's queue, where nothing of ours waits

# The browser itself refuses to talk to anyone but this server. Gradio's page has scripts and styles in its text.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob: data:",
        "worker-src 'self' blob:",
        "connect-src 'self' blob: data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
FIRST = b'<head><script src="elements/frames.js"></script>'  # before all scripts of Gradio
LAST = """
<link rel="stylesheet" href="elements/main.css">
<script type="module" src="elements/main.js"></script>
"""  # after all styles of Gradio


def build_page(desk: Desk) -> Any:
    """Returns the page as `gradio.Blocks`, with one tab for each thing the suite does."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["FASTAPI_OTEL_AUTO_CONFIGURE"] = "false"
    import gradio as gr

    # What a browser sent lies there for an hour at least; what a job reads has a second name elsewhere.
    settings: dict[str, Any] = {"title": "audio-ml", "analytics_enabled": False, "delete_cache": (HOUR, HOUR)}
    with gr.Blocks(fill_width=True, **settings) as page, gr.Tabs():
        for name, (module, drawer) in TABS.items():
            with gr.Tab(name, id=name.lower()) as tab:
                looked_at = (page.load, tab.select)
                getattr(importlib.import_module(f"ui.web.{module}"), drawer)(looked_at, desk)
    return page


def page_app(page: Any) -> FastAPI:
    """Returns an application with a page at its root; all answers of it carry the content policy."""
    import gradio as gr

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_files(app)
    theme = gr.themes.Default(primary_hue="blue", font=FONTS, font_mono=MONOSPACE).set(**CONTRAST)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=theme,
        head=LAST,
        show_error=False,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
    )
    page.has_launched = True  # else Gradio does not look whether files that values name were sent by anybody
    queue = page._queue  # which looks a thousand times a second by itself
    queue.sleep_when_free = queue.progress_update_sleep_when_free = SECONDS_BETWEEN_LOOKS
    mount = next(route for route in reversed(app.routes) if isinstance(route, Mount))
    mount.app = _ServesOnlyItself(mount.app)
    return app


class PageServer(uvicorn.Server):
    """Serves an application that has a page; at the end, what open pages wait for ends first."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends Gradio's streams to open pages, which would otherwise be broken off with a traceback each."""
        for mount in (route for route in self._app.routes if isinstance(route, Mount)):
            cast(Any, mount.app).inner.stop_event.set()
        await super().shutdown(sockets)


class _ServesOnlyItself:
    """Wraps an application so that every answer carries the content policy, and every page what is ours in its head."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = False

        async def send_as_ours(message: Message) -> None:
            nonlocal is_page
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = CONTENT_POLICY
                is_page = headers.get("content-type", "").startswith("text/html") and scope["method"] == "GET"
                if is_page:
                    del headers["content-length"]
            elif message["type"] == "http.response.body" and is_page:
                message["body"] = message.get("body", b"").replace(b"<head>", FIRST, 1).replace(MANIFEST, b"", 1)
            await send(message)

        await self.inner(scope, receive, send_as_ours)
