"""The tab "History": all jobs of the visitor, to be looked at, run again, deleted; the element of the page does it."""

from __future__ import annotations

from ui.web.desk import Desk
from ui.web.widgets import LookedAt, text


class HistoryTab:
    """Draws the tab into the Gradio `page` that is being built."""

    def __init__(self, looked_at: LookedAt, desk: Desk) -> None:
        text("<job-history></job-history>")
