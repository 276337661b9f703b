"""What the server writes down: lines that machines read, and who did what to which voice."""

from __future__ import annotations

import io
import json
import logging
import os
import stat
import threading
from pathlib import Path

import pytest

from audio_ml.errors import OutputUnwritable
from ui.server.logs import REQUEST_ID, AuditLog, JsonLines, TextLines, set_up_logging
from ui.server.options import ServerOptions
from ui.server.tokens import local_caller


def written(form: logging.Formatter, message: str, *, trace: bool = False, **facts: object) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(form)
    logger = logging.Logger("ui.server.test")
    logger.addHandler(handler)
    try:
        raise ValueError("inside")
    except ValueError:
        logger.error(message, extra={"facts": facts}, exc_info=trace)
    return stream.getvalue()


def test_a_line_is_json_with_the_id_of_its_request() -> None:
    known_as = REQUEST_ID.set("take-7")
    try:
        line = json.loads(written(JsonLines(), "request", path='/a"\nb', status=200))
        assert (line["request_id"], line["message"], line["path"], line["status"]) == (
            "take-7",
            "request",
            '/a"\nb',
            200,
        )
        assert line["level"] == "error" and line["time"].endswith("Z")
    finally:
        REQUEST_ID.reset(known_as)
    text = written(JsonLines(), "failed", trace=True)
    assert text.count("\n") == 1 and "inside" in json.loads(text)["trace"]


def test_nothing_a_client_sends_makes_a_line_of_its_own() -> None:
    assert written(TextLines(), "request", path="/a\nerror: forged", name="\x1b[2J").count("\n") == 1
    assert written(JsonLines(), "a\nb\u2028c", path="/\n").count("\n") == 1


def test_the_logs_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    kept = {name: logging.getLogger(name).__dict__.copy() for name in ("ui", "audio_ml", "uvicorn", "py.warnings")}
    try:
        set_up_logging("json")
        logging.getLogger("ui.server.x").info("Ended.")
        logging.getLogger("audio_ml.server").info("Began.")
        logging.getLogger("uvicorn.error").info("chatter")
        lines = capsys.readouterr().err.splitlines()
        assert [json.loads(line)["message"] for line in lines] == ["Ended.", "Began."]
    finally:
        logging.captureWarnings(False)
        for name, state in kept.items():
            logging.getLogger(name).__dict__.update(state)
            logging.getLogger(name).handlers = state["handlers"][:0]


def test_the_audit_log_only_grows_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path).note(local_caller(ServerOptions()), "enroll", voice="anna", job="j1", consent="signed\n2026")
    audit = AuditLog(path)
    threads = [threading.Thread(target=audit.note, args=("ben", "clone"), kwargs={"voice": str(n)}) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] | {"time": ""} == {
        "time": "",
        "caller": "local",
        "what": "enroll",
        "voice": "anna",
        "job": "j1",
        "consent": "signed\n2026",
    }
    assert sorted(int(line["voice"]) for line in lines[1:]) == list(range(20))
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_audit_log_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputUnwritable, match="cannot be written"):
        AuditLog(tmp_path / "none" / "audit.jsonl")
    if os.name == "posix":
        (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(OutputUnwritable):
            AuditLog(tmp_path / "link")
