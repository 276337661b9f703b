"""What deploy/ says is what the program has: flags, variables, paths, ports; and linters like it, where there are any.

No container was run by these tests.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from audio_ml.errors import InvalidInput
from audio_ml_client import BEGIN_SECONDS
from ui.server.fleet import SECONDS_TO_LOAD
from ui.server.options import ServerOptions
from ui.server.refusals import ForeignRequest
from ui.server.tokens import read_tokens

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
UNIT = (DEPLOY / "audio-ml.service").read_text()
PORT = "8600"
Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.skipif(not DEPLOY.is_dir(), reason="deploy/ is in the repository alone")


@pytest.fixture(scope="module")
def compose() -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["audio-ml"]
    return found


@pytest.fixture(scope="module")
def flags() -> set[str]:
    """The flags of `audio-ml serve`."""
    command = [sys.executable, "-m", "ui.cli", "serve", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "300"})
    return set(re.findall(r"--[a-z][a-z-]+", told.stdout))


def docker_json(instruction: str) -> list[str]:
    """The words of an instruction's last JSON form."""
    found: list[str] = json.loads(re.findall(rf"{instruction} (\[.*\])", DOCKERFILE)[-1])
    return found


def commands(compose: dict[str, object]) -> dict[str, list[str]]:
    in_unit = re.findall(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)[0]
    return {
        "Dockerfile": docker_json("\nCMD"),
        "compose.yaml": list(compose["command"]),  # type: ignore[call-overload]
        "audio-ml.service": shlex.split(in_unit)[1:],
    }


def test_every_flag_is_one_of_the_commands(compose: dict[str, object], flags: set[str]) -> None:
    for file, (command, *rest) in commands(compose).items():
        assert command == "serve", file
        used = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert used and used <= flags, (file, used - flags)


def test_flags_of_the_page_exist(flags: set[str]) -> None:
    page = (ROOT / "docs" / "deployment.md").read_text()
    for line in re.findall(r"`([^`]*--host[^`]*)`", page):
        assert set(re.findall(r"--[a-z-]+", line)) <= flags, line


def test_every_variable_is_one_that_the_program_reads(compose: dict[str, object]) -> None:
    code = "".join(path.read_text() for package in ("audio_ml", "ui") for path in (ROOT / package).rglob("*.py"))
    named = set(re.findall(r"\b(AUDIO_ML_\w+)=", DOCKERFILE + (DEPLOY / "environment").read_text()))
    named |= set(compose["environment"])  # type: ignore[call-overload]
    assert len(named) >= 6
    for variable in named:
        assert f'"{variable}"' in code, variable


def test_one_port_everywhere(compose: dict[str, object]) -> None:
    for file, words in commands(compose).items():
        assert PORT in words or f"--port={PORT}" in words, file
    assert compose["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    for file in ("Dockerfile", "nginx.conf", "Caddyfile"):
        assert PORT in (DEPLOY / file).read_text()


def test_nothing_listens_to_the_network_without_tokens(compose: dict[str, object]) -> None:
    for file, words in commands(compose).items():
        assert any(word.startswith("--tokens") for word in words), file
        assert "--insecure" not in words


def test_what_is_copied_into_the_image_exists_and_is_not_ignored() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [line[1:] for line in ignored if line.startswith("!")]
    assert all((ROOT / name).exists() for name in kept), kept
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        assert set(sources.split()) <= {*kept, "."}
    built = (ROOT / "pyproject.toml").read_text()
    packages = re.findall(r"^packages = (\[.*\])$", built, re.MULTILINE)[0]
    assert set(json.loads(packages)) <= set(kept), "a package would be missing in the image"
    included = built.partition("force-include]\n")[2].partition("\n\n")[0]
    assert {Path(path).parts[0] for path in re.findall(r'^"(.*)" = ', included, re.MULTILINE)} <= set(kept)


def test_folders_of_the_image_and_of_compose_are_the_same(compose: dict[str, object]) -> None:
    volumes: list[str] = compose["volumes"]  # type: ignore[assignment]
    mounted = {re.findall(r":(/[^:]+)(?::ro)?$", volume)[0] for volume in volumes}
    assert set(docker_json("VOLUME")) <= mounted
    words = " ".join(commands(compose)["compose.yaml"])
    assert all(path in words for path in mounted - set(docker_json("VOLUME")))
    for variable, path in re.findall(r"(AUDIO_ML_\w+)=(/\S+)", DOCKERFILE):
        assert any(Path(path).is_relative_to(volume) for volume in docker_json("VOLUME")), variable


def test_base_images_are_the_only_hosts_that_are_named() -> None:
    for path in DEPLOY.iterdir():
        if path.suffix != ".py" and path.name.startswith(("Dockerfile", "compose")):
            assert "http" not in path.read_text().replace("http://127.0.0.1", ""), path


def test_the_image_installs_what_the_package_needs() -> None:
    from packaging.requirements import Requirement

    def printed(*arguments: str) -> list[Requirement]:
        command = [sys.executable, str(DEPLOY / "requirements.py"), *arguments]
        told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        return [Requirement(line) for line in told.stdout.splitlines()]

    if sys.version_info < (3, 11):
        pytest.skip("the image has Python 3.12; tomllib came with 3.11")
    names = {requirement.name for requirement in printed()}
    assert {"hatchling", "onnxruntime", "torch", "fastapi"} <= names
    assert [requirement.name for requirement in printed("cuda")] == ["onnxruntime-gpu"]


def test_the_tokens_of_the_example_work_once_they_are_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "tokens.yaml"
    example = (DEPLOY / "tokens.example.yaml").read_text()
    path.write_text(example)
    path.chmod(0o600)
    with pytest.raises(InvalidInput, match="token"):
        read_tokens(path, ServerOptions())  # nobody shall run with a token that everybody can read here
    path.write_text(example.replace('"A TOKEN OF YOURS"', "x" * 40))
    callers = {caller.name: caller for caller in read_tokens(path, ServerOptions()).values()}
    assert callers["editing"].roots == (Path("/srv/media"),)
    assert callers["dubbing"].roots == () and callers["dubbing"].limits.max_jobs == 1


def test_the_unit_keeps_its_memory_in_order() -> None:
    sizes = {name: int(value) for name, value in re.findall(r"^Memory(High|Max)=(\d+)G$", UNIT, re.MULTILINE)}
    budget = re.findall(r"^AUDIO_ML_MEMORY_BUDGET=(\d+)GB$", (DEPLOY / "environment").read_text(), re.MULTILINE)
    assert int(budget[0]) < sizes["High"] < sizes["Max"]
    assert "OOMPolicy=continue" in UNIT  # a worker is killed alone


def test_the_page_has_the_status_of_a_name_that_is_not_known() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text()
    assert re.findall(r"With another name it answers\s+(\d+)", page) == [str(ForeignRequest.http_status)]


def test_proxies_wait_as_long_as_clients_do() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text()
    told = {
        "nginx.conf": re.findall(r"proxy_read_timeout (\d+)s;", (DEPLOY / "nginx.conf").read_text()),
        "Caddyfile": re.findall(r"\bread_timeout (\d+)s", (DEPLOY / "Caddyfile").read_text()),
        "deployment.md": re.findall(r"(\d+) seconds are enough", page),
    }
    assert all(found == [f"{BEGIN_SECONDS:.0f}"] for found in told.values()), told
    assert BEGIN_SECONDS > SECONDS_TO_LOAD


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="wants systemd")
def test_systemd_understands_the_unit() -> None:
    told = subprocess.run(
        ["systemd-analyze", "verify", str(DEPLOY / "audio-ml.service")], capture_output=True, text=True, check=False
    )
    said = [line for line in told.stderr.splitlines() if "audio-ml" in line and "is not executable" not in line]
    assert said == []  # the command is not installed at that place here


@pytest.mark.skipif(not shutil.which("hadolint"), reason="wants hadolint")
def test_hadolint_likes_the_dockerfile() -> None:
    told = subprocess.run(["hadolint", str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


@pytest.mark.skipif(not shutil.which("nginx") or not shutil.which("openssl"), reason="wants nginx")
def test_nginx_understands_its_file(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    out = ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=audio.example.com"]
    subprocess.run([*request, *out], capture_output=True, check=True)
    site = (DEPLOY / "nginx.conf").read_text()
    site = site.replace("/etc/ssl/audio.example.com.pem", str(certificate)).replace(
        "/etc/ssl/audio.example.com.key", str(key)
    )
    site = re.sub(r"listen (\[::\]:)?(80|443)", r"listen \g<1>5\2", site)
    whole = f"pid {tmp_path}/pid;\nerror_log {tmp_path}/log;\nevents {{}}\nhttp {{\n{site}\n}}\n"
    (tmp_path / "nginx.conf").write_text(whole)
    told = subprocess.run(
        ["nginx", "-t", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True, check=False
    )
    assert "syntax is ok" in told.stderr, told.stderr


@pytest.mark.skipif(not shutil.which("caddy"), reason="wants Caddy")
def test_caddy_understands_its_file(tmp_path: Path) -> None:
    command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")]
    told = subprocess.run(command, capture_output=True, text=True, check=False, env={"HOME": str(tmp_path)})
    assert told.returncode == 0, told.stderr
