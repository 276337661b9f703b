"""Waits for files to come into folders: by looking again and again, which works on network folders, too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from audio_ml.errors import AudioMLError
from ui.batch_state import Stamp
from ui.items import Item

POLL_SECONDS = 1.0
REST_SECONDS = 5.0  # network folders show a change up to three seconds late


class Watch:
    """Gives each item that `look` finds once its size and time have stood still, and again when it has changed.

    A file that is being copied or recorded is left until it rests, and an empty one until it is not.
    Where nothing rests at present, None is given, so that a batch can see to its other work.
    """

    def __init__(
        self,
        look: Callable[[], list[Item]],
        *,
        warn: Callable[[str], None] = lambda _: None,
        rest_seconds: float = REST_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._look = look
        self._warn = warn
        self._rest_seconds = rest_seconds
        self._poll_seconds = poll_seconds
        self._taken: dict[Path, Stamp] = {}
        self._waiting: dict[Path, tuple[Stamp, float]] = {}
        self._trouble = ""

    def __iter__(self) -> Iterator[Item | None]:
        while True:
            for item in self._rested():
                self._taken[item.source], _ = self._waiting.pop(item.source)
                yield item
            yield None
            time.sleep(self._poll_seconds)

    def _rested(self) -> list[Item]:
        now = time.monotonic()
        stamps = {item: stamp for item in self._found() if (stamp := Stamp.of(item.source)) and stamp.size}
        fresh = {item: stamp for item, stamp in stamps.items() if self._taken.get(item.source) != stamp}
        former = self._waiting
        self._waiting = {}
        for item, stamp in fresh.items():
            seen, since = former.get(item.source, (None, now))
            self._waiting[item.source] = (stamp, since if seen == stamp else now)
        return [item for item in fresh if now - self._waiting[item.source][1] >= self._rest_seconds]

    def _found(self) -> list[Item]:
        """Looks; a network folder that is gone for a while is no reason to end."""
        try:
            items = self._look()
        except AudioMLError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                self._warn(f"{error} It is tried again.")
            return []
        self._trouble = ""
        return items
