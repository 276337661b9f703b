"""schemathesis over the server's own document: nothing that it can think of is answered with a mistake of ours."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from serving import serving

from ui.server.options import ServerOptions

pytest.importorskip("schemathesis")
pytestmark = pytest.mark.slow


def test_no_request_meets_a_server_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))  # benches are not installed
    from bench.server_fuzz import run_schemathesis

    monkeypatch.setenv("AUDIO_ML_CACHE", str(tmp_path / "cache"))  # of which it may delete everything
    with serving(ServerOptions(folder=str(tmp_path)), fetch={"offline": True}) as server:
        port = urlsplit(server.url).port
        assert port is not None
        failed, said = run_schemathesis(port, n_examples=5, max_seconds=90)
        assert not failed, said
        assert server.ask("GET", "/health").status == 200
