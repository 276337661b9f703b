"""What happens by itself: one thing that goes wrong keeps nothing else from being done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ui.server.housekeeping import Housekeeper
from ui.server.options import ServerOptions


def test_old_uploads_go_though_old_results_cannot(caplog: pytest.LogCaptureFixture) -> None:
    done: list[Any] = []

    def full(id: str) -> None:
        done.append(id)
        raise OSError("No space left on device")

    store = SimpleNamespace(surplus=lambda *_: ["a1"], needed_uploads=lambda: {"u1"})
    uploads: Any = SimpleNamespace(expire=done.append)
    keeper = Housekeeper(ServerOptions(), store, SimpleNamespace(remove=full), uploads)  # type: ignore[arg-type]
    keeper.rounds.append(lambda: done.append("more"))
    keeper.tidy()
    assert done == ["a1", {"u1"}, "more"]
    assert "could not be removed" in caplog.text
