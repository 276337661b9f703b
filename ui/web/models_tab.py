"""The tab "Models": what there is, its terms, its weights and its place in memory; the element of the page does it."""

from __future__ import annotations

from ui.web.desk import Desk
from ui.web.widgets import LookedAt, text


class ModelsTab:
    """Draws the tab into the Gradio `page` that is being built."""

    def __init__(self, looked_at: LookedAt, desk: Desk) -> None:
        wanted = " commercial-only" if desk.commercial_only else ""
        text(f"<model-list{wanted}></model-list>")
