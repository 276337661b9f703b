"""The commands of docs/server.md run, one after the other, against a server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from serving import serving
from signals import noise

from audio_ml.streams import read_audio
from audio_ml.writer import write_audio
from ui.server.options import ServerOptions

PAGE = (Path(__file__).parents[1] / "docs" / "server.md").read_text()


@pytest.mark.weights
@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="wants curl")
def test_the_commands_of_the_page_run(tmp_path: Path) -> None:
    script = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    desk = tmp_path / "desk"
    write_audio(desk / "song.wav", noise(2, 48000))
    with serving(ServerOptions(folder=str(tmp_path / "server"))) as server:
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=desk,
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | {"SERVER": server.url, "no_proxy": "*"},
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("event: end") == 1 and "00:00:00,0" in ran.stdout  # the job's end, and the captions
    assert read_audio(desk / "vocals.wav").samples.shape == read_audio(desk / "song.wav").samples.shape
    assert (desk / "head.bin").read_bytes() == (desk / "vocals.wav").read_bytes()[:44]
    assert (desk / "morning.mp3").stat().st_size > 5000 and (desk / "morning.pcm").stat().st_size > 30_000
    assert b"audio_ml_jobs_ended_total" in (desk / "metrics.txt").read_bytes()


def test_every_flag_that_the_page_names_exists() -> None:
    flags = {f"--{name.replace('_', '-')}" for name in ServerOptions.model_fields}
    flags |= {str(field.json_schema_extra["flag"]) for field in ServerOptions.model_fields.values() if _has_flag(field)}
    elsewhere = {"--host", "--port", "--help", "--server", "--offline", "--report-file", "--data-binary"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) <= flags | elsewhere


def _has_flag(field: object) -> bool:
    extra = getattr(field, "json_schema_extra", None)
    return isinstance(extra, dict) and "flag" in extra
