"""Server and workers are killed at random moments: no job is lost, none is doubled, no file is served in part."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.weights,
    pytest.mark.skipif(sys.platform != "linux", reason="reads processes as Linux shows them"),
]


def test_kills_cost_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))  # benches are not installed
    from bench import server_kills, server_load
    from bench.server_process import Server

    monkeypatch.setattr(server_load, "N_TEXTS", 4)
    monkeypatch.setattr(server_load, "N_CLIPS", 2)
    with Server(tmp_path) as server:
        found = server_kills.measure(server, n_kills=3, n_clients=3)
    tally = found.tally
    assert tally.kills == {"server": 2, "worker": 1}
    assert tally.ended["done"] == len(tally.accepted) > 0
    assert [tally.lost, tally.doubled, tally.partial, tally.errors, tally.orphans, found.left_over] == [[]] * 6
