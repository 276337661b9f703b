"""What the page's tabs work with: whose page it is, and the jobs and files of that visitor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import gradio as gr

    from audio_ml.catalogue import ModelSpec
    from audio_ml.weights import WeightStore


class Desk(Protocol):
    """The server as the page sees it; what names a visitor is for them alone, who has nothing of another's."""

    store: WeightStore
    commercial_only: bool  # whether only models are offered that may be used commercially

    def speeds(self) -> Mapping[str, float]:
        """Returns how fast models were on this machine, in times real time; one that never ran is not in it."""
        ...

    def visitor(self, request: gr.Request) -> str:
        """Returns who has the page open: the owner of their jobs.

        Raises:
            NotAuthorised: when the browser did not send the page's cookie.
        """
        ...

    def keep(self, visitor: str, path: Path) -> dict[str, str]:
        """Makes a file that came with the page an upload, once, and returns what a job calls it: {"upload": id}.

        Where Gradio has removed the file meanwhile, as it does after an hour, it is there again.

        Raises:
            UnknownUpload: when it is gone for good, and has to be chosen again.
            TooLarge: when the visitor's uploads have no room for it.
        """
        ...

    def submit(self, visitor: str, **request: Any) -> str:
        """Asks for a job, given as the body of `POST /v1/jobs`, and returns its id.

        A job that waits, runs or was begun just now and is the same in all is not begun twice.

        Raises:
            AudioMLError: in one sentence, when it is not accepted.
        """
        ...

    def accept_terms(self, visitor: str, spec: ModelSpec) -> None:
        """Accepts the terms of a model for this machine, and writes down who did."""
        ...

    def jobs(self, visitor: str, *tasks: str) -> list[Mapping[str, Any]]:
        """Returns the visitor's jobs of these tasks, of all tasks without any, the newest first."""
        ...
