"""`audio-ml serve` does not let a server loose that others could misuse, and says what is wrong in one line."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from guarded_app import served, small_app

from audio_ml.errors import InvalidInput
from ui.serve import check_safety
from ui.server.options import ServerOptions

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def tokens_in(folder: Path, mode: int = 0o600) -> str:
    path = folder / "tokens.json"
    path.touch()
    path.chmod(mode)
    path.write_text(json.dumps({"tokens": [{"name": "anna", "token": "anna-0123456789abcdef"}]}))
    return str(path)


def certificate_in(folder: Path, *more: str) -> tuple[str, str]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        *more,
    ]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return str(certificate), str(key)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "server.studio"])
def test_other_addresses_need_tokens_or_an_explicit_word(
    tmp_path: Path, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidInput, match=r"--tokens, or .* --insecure"):
        check_safety(host, ServerOptions())
    check_safety(host, ServerOptions(insecure=True))
    check_safety(host, ServerOptions(tokens=tokens_in(tmp_path)))
    assert capsys.readouterr().err.count("without --certificate") == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_needs_none(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    check_safety(host, ServerOptions())
    assert not capsys.readouterr().err


def test_certificates_are_tried_before_anybody_connects(tmp_path: Path) -> None:
    certificate, key = certificate_in(tmp_path, "-nodes")
    check_safety("127.0.0.1", ServerOptions(certificate=certificate, key=key))
    both = tmp_path / "both.pem"
    both.write_text(Path(certificate).read_text() + Path(key).read_text())
    check_safety("127.0.0.1", ServerOptions(certificate=str(both)))
    (tmp_path / "other").mkdir()
    _, other = certificate_in(tmp_path / "other", "-nodes")
    (tmp_path / "locked").mkdir()
    locked = certificate_in(tmp_path / "locked", "-passout", "pass:secret")
    text = tmp_path / "text.pem"
    text.write_text("hello")
    for wrong, words in (
        ({"key": key}, "needs the --certificate"),
        ({"certificate": certificate}, "cannot be used for HTTPS"),
        ({"certificate": certificate, "key": other}, "cannot be used for HTTPS"),
        ({"certificate": str(text)}, "cannot be used for HTTPS"),
        ({"certificate": locked[0], "key": locked[1]}, "password"),
        ({"certificate": str(tmp_path / "none.pem")}, "No such file"),
    ):
        with pytest.raises(InvalidInput, match=words) as error:
            check_safety("127.0.0.1", ServerOptions(**wrong))
        assert "\n" not in str(error.value)


def test_what_is_served_by_a_certificate_is_served_by_it_alone(tmp_path: Path) -> None:
    certificate, key = certificate_in(tmp_path, "-nodes", "-addext", "subjectAltName=DNS:localhost")
    options = ServerOptions(folder=str(tmp_path / "server"), certificate=certificate, key=key)
    with served(small_app(options), options) as port:
        trusted = ssl.create_default_context(cafile=certificate)
        assert httpx.get(f"https://localhost:{port}/health", verify=trusted, timeout=60).json() == {"status": "ok"}
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://localhost:{port}/health", timeout=60)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://localhost:{port}/health", timeout=60)


def test_a_mistake_is_one_line_before_anything_is_made(run_cli: Cli, tmp_path: Path) -> None:
    for arguments, words in ((["--host", "0.0.0.0"], "--insecure"), (["--max-upload", "much"], "max_upload")):
        ended = run_cli("serve", *arguments, AUDIO_ML_SERVER_FOLDER=str(tmp_path / "server"))
        assert (ended.returncode, ended.stderr.count("\n"), ended.stdout) == (2, 1, ""), ended.stderr
        assert words in ended.stderr
    assert not (tmp_path / "server").exists()


def test_files_folders_and_hosts_are_looked_at(tmp_path: Path) -> None:
    for wrong, words in (
        *([({"tokens": tokens_in(tmp_path, 0o644)}, "chmod 600")] if os.name == "posix" else []),
        ({"roots": (str(tmp_path / "none"),)}, "is no folder"),
        ({"fetch_hosts": ("ftp://a",)}, "is no host"),
        ({"webhook_hosts": ("a/b",)}, "is no host"),
    ):
        with pytest.raises(InvalidInput, match=words):
            check_safety("127.0.0.1", ServerOptions(**wrong))
