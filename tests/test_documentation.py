"""Every command and example of the README and docs runs as it is printed."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import av
import numpy as np
import pytest
from signals import noise

import audio_ml
import separation
import tts
import ui
import voiceclone
from audio_ml import catalogue
from audio_ml.weights import WeightStore
from audio_ml.writer import write_audio

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SPLEETER_PAGE = (ROOT / "docs" / "coming-from-spleeter.md").read_text()
COMMAND = Path(sys.executable).with_name("audio-ml")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def shell_lines() -> list[str]:
    return [line.split("#")[0].strip() for block in blocks(README, "sh") for line in block.splitlines() if line.strip()]


def spleeter_lines() -> list[str]:
    """The commands of ours in the table of the Spleeter page."""
    cells = re.findall(r"\| `(audio-ml separate [^`]*)` \|", SPLEETER_PAGE)
    return [cell for cell in cells if "..." not in cell]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the examples name."""
    folder = tmp_path_factory.mktemp("desk")
    song = WeightStore().open(catalogue.find_row("spleeter-example"))["audio_example.mp3"]
    (folder / "song.mp3").write_bytes(song.read_bytes())
    write_audio(folder / "reel.wav", noise(3, 48000))
    write_audio(folder / "interview.flac", noise(1, 48000, 1))
    write_audio(folder / "surround.wav", noise(1, 48000, 6))
    for name in ("1/opening.wav", "2/credits.wav"):
        write_audio(folder / "reels" / name, noise(1, 48000))
    sentences = ("The keeper climbed the long stairs of the lighthouse every morning.", "He wrote down wind and waves.")
    said = tts.synthesize(" ".join(sentences * 2), "hibari/heart").audio
    write_audio(folder / "actor.wav", said)
    write_audio(folder / "take.wav", tts.synthesize("The tide was early.", "hibari/heart").audio)
    (folder / "script.txt").write_text("Nguyen left at 7:30.\n\nNobody [IPA](/aɪ piː eɪ/) knows why.\n")
    (folder / "names.csv").write_text("word,respelling\nNguyen,win\n")
    (folder / "sheet.csv").write_text(
        "cue,character,tc in,tc out,line\n"
        "1,ANNA,10:00:01:00,10:00:03:00,Where were you?\n"
        "2,BEN,10:00:03:12,10:00:04:12,I was at the station the whole night.\n"
    )
    with av.open(str(folder / "film.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(noise(2, 48000).samples), "fltp", "stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return folder


@pytest.mark.weights
@pytest.mark.parametrize(
    "line",
    [
        line
        for line in shell_lines()
        if line.startswith("audio-ml") and line not in ("audio-ml ui", "audio-ml serve") and "--server" not in line
    ],
)
def test_a_command_of_the_readme_runs(line: str, desk: Path) -> None:
    ran = subprocess.run(
        [COMMAND, *shlex.split(line)[1:]],
        cwd=desk,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=os.environ | {"AUDIO_ML_VOICES": str(desk / "library")},
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.weights
def test_the_server_of_the_readme_serves_its_clients(desk: Path, tmp_path: Path) -> None:
    assert "audio-ml serve" in shell_lines()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    folder = os.environ | {"AUDIO_ML_SERVER_FOLDER": str(tmp_path)}
    running = subprocess.Popen([COMMAND, "serve", "--port", port], stdout=subprocess.PIPE, text=True, env=folder)
    try:
        assert running.stdout is not None and "Serving at" in running.stdout.readline()
        lines = [line for line in shell_lines() if "--server" in line]
        assert len(lines) == 3
        for line in lines:
            arguments = shlex.split(line.replace(":8600", f":{port}"))[1:]
            ran = subprocess.run(
                [COMMAND, *arguments], cwd=desk, capture_output=True, text=True, timeout=600, check=False
            )
            assert ran.returncode == 0, ran.stderr
    finally:
        running.terminate()
        running.communicate(timeout=60)


@pytest.mark.weights
@pytest.mark.parametrize("line", spleeter_lines())
def test_a_command_of_the_spleeter_page_runs(line: str, desk: Path, tmp_path: Path) -> None:
    write_audio(tmp_path / "song.mp3", noise(35))
    ran = subprocess.run(
        [COMMAND, *shlex.split(line)[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_the_page_of_the_readme_opens() -> None:
    assert "audio-ml ui" in shell_lines()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    running = subprocess.Popen([COMMAND, "ui", "--port", port], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 180
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                    assert answer.status == 200
                break
            except OSError:
                assert running.poll() is None and time.monotonic() < deadline
                time.sleep(0.3)
    finally:
        running.terminate()
        running.communicate(timeout=60)


@pytest.mark.weights
@pytest.mark.parametrize("code", [*blocks(README, "python"), *blocks(SPLEETER_PAGE, "python")])
def test_an_example_in_python_runs(code: str, desk: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", code], cwd=desk, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_make_targets_of_the_readme_exist() -> None:
    """.ci/run runs them; here it is enough that they are there."""
    makefile = (ROOT / "Makefile").read_text()
    continuous = (ROOT / ".ci" / "run").read_text()
    for line in shell_lines():
        if line.startswith("make "):
            target = line.split()[1]
            assert re.search(rf"^{target}:", makefile, re.MULTILINE) and line in continuous


def test_every_line_of_the_readme_is_of_a_kind_that_is_checked() -> None:
    assert all(line.startswith(("audio-ml ", "make ")) for line in shell_lines())


def test_the_numbers_are_in_the_readme() -> None:
    numbers = README.split("## Numbers")[1].split("##")[0]
    assert "times faster" in numbers and "MB" in numbers and "processor" in numbers


def test_the_table_of_models_is_the_catalogues() -> None:
    """`python -m bench.models` writes it."""
    program = "from bench.models import page; print(page(), end='')"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / "models.md").read_text() == ran.stdout


def test_links_and_paths_of_the_documentation_exist() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", re.sub(r"`[^`]*`", "", page.read_text())):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
    tree = (ROOT / "docs" / "architecture.md").read_text()
    for package in ("audio_ml", "separation", "tts", "voiceclone", "ui"):
        for path in (ROOT / package).rglob("*.py"):
            if path.name != "__init__.py":
                assert path.name in tree or path.parent.name + "/" in tree, f"docs/architecture.md leaves out {path}"


MODULES = [
    found.name
    for package in (audio_ml, separation, tts, voiceclone, ui)
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    if found.name
    not in (
        "audio_ml.derivation",
        "ui.demo",
        "voiceclone.workers.chatterbox_worker",
        "voiceclone.workers.f5_worker",
        "voiceclone.workers.pipe_worker",
    )
]


@pytest.mark.weights
@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    names = vars(module) | {"np": np}
    assert doctest.testmod(module, globs=names).failed == 0


@pytest.mark.parametrize(
    "name", ["audio_ml", "separation", "tts", "voiceclone", "ui.cli", "ui.speak", "ui.clone", "ui.web.page"]
)
def test_importing_does_nothing(name: str) -> None:
    """No torch, no gradio, no ONNX Runtime, no change of the environment, no socket."""
    program = f"""
import os, sys
before = dict(os.environ)
sys.addaudithook(lambda event, arguments: event.startswith("socket.") and print(event))
import {name}
print(*({{"torch", "gradio", "onnxruntime", "onnx", "matplotlib", "av", "soundfile"}} & set(sys.modules)))
print(before == dict(os.environ))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert ran.stdout.split() == ["True"]
