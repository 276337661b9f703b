"""The tab "Models": what there is, its terms, its weights and its place in memory; the element of the page does it."""

from __future__ import annotations

from typing import Any

from ui.web.desk import Desk
from ui.web.widgets import text


class ModelsTab:
    """Draws the tab into the Gradio `page` that is being built."""

    def __init__(self, page: Any, desk: Desk) -> None:
        wanted = " commercial-only" if desk.commercial_only else ""
        text(f"<model-list{wanted}></model-list>")
