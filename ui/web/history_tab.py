"""The tab "History": all jobs of the visitor, to be looked at, run again, deleted; the element of the page does it."""

from __future__ import annotations

from typing import Any

from ui.web.desk import Desk
from ui.web.widgets import text


class HistoryTab:
    """Draws the tab into the Gradio `page` that is being built."""

    def __init__(self, page: Any, desk: Desk) -> None:
        text("<job-history></job-history>")
