"""Progress and cancellation: one object from every face down to the inner loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from audio_ml.errors import Cancelled


@dataclass(frozen=True)
class ProgressState:
    """What a face shows: the `stage` by name, its `fraction` done (0 to 1), and the time left if known."""

    stage: str
    fraction: float
    eta_seconds: float | None = None


class Progress:
    """Carries progress up to a face and a cancel request down to the work.

    A face passes `on_update`, which is called on the working thread; `cancel` may come from any thread.

    >>> progress = Progress(lambda state: print(state.stage, state.fraction))
    >>> progress.update("separating", 0.5)
    separating 0.5
    """

    def __init__(self, on_update: Callable[[ProgressState], None] | None = None) -> None:
        self._on_update = on_update
        self._cancelled = threading.Event()
        self._stage = ""
        self._stage_began = 0.0

    def update(self, stage: str, fraction: float) -> None:
        """Tells how far a stage is; raises `Cancelled` when the user has stopped the job."""
        self.check()
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._stage_began = stage, now
        fraction = min(max(fraction, 0.0), 1.0)
        elapsed = now - self._stage_began
        eta = elapsed * (1 - fraction) / fraction if fraction > 0 and elapsed > 0 else None
        if self._on_update is not None:
            self._on_update(ProgressState(stage, fraction, eta))

    def cancel(self) -> None:
        """Asks the work to stop; it does so at its next check."""
        self._cancelled.set()

    def check(self) -> None:
        """Raises `Cancelled` once `cancel` was called."""
        if self._cancelled.is_set():
            raise Cancelled("Stopped; nothing was kept.")
