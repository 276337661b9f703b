"""Pocket-TTS from files of ours: what its package says, fetched as the hub hands it out, with made-up weights."""

from __future__ import annotations

import dataclasses
import gc
import logging
import subprocess
import sys
import threading
import types
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("pocket_tts", reason="the extra `pocket` is not installed")

import pocket_tts
import tiny_pocket
from made_up_voices import made_up_voice
from pocket_tts.utils.config import CONFIGS_DIR, load_config
from test_weights import Server
from tiny_pocket import SENTENCES, tiny_row

import voiceclone
from audio_ml.audio import Audio
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import (
    Cancelled,
    DownloadFailed,
    InvalidInput,
    InvalidOption,
    LicenceNotAccepted,
    UnknownModel,
    WeightsCorrupt,
)
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.sources import HubSource
from audio_ml.voice_file import encode, read_voice_file
from audio_ml.weights import WeightStore
from voiceclone import zero_shot
from voiceclone.engines.pocket_tts import LATENTS, MODELS, SAMPLE_RATE
from voiceclone.zero_shot import Arrays, ZeroShotModel, ZeroShotSpeaker

ROWS = [row for row in MODELS if isinstance(row, ZeroShotModel)]
LSD, DRIFTING = ROWS[:2]
SHORT = "The harbour was quiet."


@dataclasses.dataclass(frozen=True)
class Enrolled:
    """As much of a cloned voice as a speaker sees."""

    name: str
    states: dict[str, Arrays]


@dataclasses.dataclass(frozen=True)
class Small:
    """A small model that a server hands out, with a voice enrolled for it."""

    spec: ZeroShotModel
    folder: Path
    loader: ModelLoader
    server: Server
    voice: Enrolled
    ends: bool

    def speak(self, text: str = SHORT, progress: Progress | None = None, **options: Any) -> np.ndarray:
        speaker = ZeroShotSpeaker(self.spec, self.loader)
        chunks = list(speaker.speak(text, self.voice, options, progress))
        assert all(chunk.audio.sample_rate == SAMPLE_RATE and not chunk.words for chunk in chunks)
        return np.concatenate([chunk.audio.samples[0] for chunk in chunks])

    def package_speaks(self, text: str = SHORT, seed: int = 0, **settings: Any) -> np.ndarray:
        """The same weights and reference through the package's own interface, which is told where they lie."""
        model = pocket_tts.TTSModel.load_model(config=self.folder / "tiny.yaml", **settings)
        model.max_decoder_frames_per_call = 1  # otherwise it goes by the time
        state = model.get_state_for_audio_prompt(torch.from_numpy(reference().samples))
        torch.manual_seed(seed)
        return np.asarray(model.generate_audio(state, text).numpy())


def reference(seconds: float = 2.0, sample_rate: int = SAMPLE_RATE) -> Audio:
    generator = np.random.default_rng(1)
    return Audio(0.1 * generator.standard_normal((1, round(seconds * sample_rate)), np.float32), sample_rate)


@pytest.fixture(scope="module", autouse=True)
def _threads() -> Iterator[None]:
    """Gives torch its threads back: the package takes them."""
    n_threads = torch.get_num_threads()
    logging.getLogger("pocket_tts").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module", params=[(LSD, 100.0), (DRIFTING, 100.0), (LSD, -100.0)], ids=["lsd", "drifting", "on"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """The last one never comes to an end by itself."""
    yield from serve(*request.param, tmp_path_factory.mktemp("pocket"))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    yield from serve(LSD, 100.0, tmp_path_factory.mktemp("pocket"))


def serve(published: ZeroShotModel, end_bias: float, folder: Path) -> Iterator[Small]:
    server, spec = Server(), tiny_row(published, folder, end_bias)
    for file in spec.files:
        page = f"/someone/pocket/resolve/{tiny_pocket.REVISION}/{published.name}/{file.name}"
        server.pages[page] = (folder / file.name).read_bytes()
    loader = ModelLoader("cpu", WeightStore(folder / "cache", offline=False, accept_licences=True))
    with pytest.MonkeyPatch.context() as patch:
        redirect_hub(patch, server)
        patch.setattr("huggingface_hub.hf_hub_download", None)  # the package's own way
        state = zero_shot.enroll(reference(), spec, loader=loader)
    yield Small(spec, folder, loader, server, Enrolled("anna", {spec.name: state}), end_bias > 0)
    server.server.shutdown()
    server.server.server_close()


def redirect_hub(patch: pytest.MonkeyPatch, server: Server) -> None:
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    patch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_what_the_package_says(row: ZeroShotModel) -> None:
    """Paths and revisions of its own configuration, its rate, its temperature, and steps only where they count."""
    arguments = row.engine.keywords  # type: ignore[attr-defined]
    config = load_config(CONFIGS_DIR / f"{arguments['config']}.yaml")
    assert [address_of(file.sources[0]) for file in row.files] == [
        config.weights_path,
        config.flow_lm.lookup_table.tokenizer_path,
    ]
    assert row.sample_rate == config.mimi.sample_rate
    assert row.options().model_dump()["temperature"] == config.default_temperature
    assert ("steps" in row.options.model_fields) == (config.flow_lm.flow.type == "lsd")
    assert row.licence.must_accept and not row.verified


def address_of(source: object) -> str:
    assert isinstance(source, HubSource)
    return f"hf://{source.repository}/{source.filename}@{source.revision}"


def test_the_files_come_from_the_hub_once_and_are_held_to_what_they_were(one: Small) -> None:
    fetched = [request.rpartition("/")[2] for request in one.server.requests]
    assert sorted(fetched) == sorted(file.name for file in one.spec.files)
    states = one.loader.store.states(one.spec)
    assert all(state.correct for state in states)
    contents = one.loader.store.contents(one.spec)
    assert all(len(sha256) == 64 for sha256 in contents.values()), "recorded, since nobody tells it"
    path = states[0].path
    assert path is not None
    content = path.read_bytes()
    path.write_bytes(content[:-4] + b"\0\0\0\0")
    try:
        with pytest.raises(WeightsCorrupt, match="sha256"):
            one.loader.store.open(one.spec)[path.name]
    finally:
        path.write_bytes(content)


def test_terms_are_accepted_before_anything_moves(one: Small, tmp_path: Path) -> None:
    n_requests = len(one.server.requests)
    spec = dataclasses.replace(one.spec, name="unaccepted")
    with pytest.raises(LicenceNotAccepted, match="lawful consent"):
        zero_shot.enroll(reference(), spec, loader=ModelLoader("cpu", WeightStore(tmp_path, offline=False)))
    assert len(one.server.requests) == n_requests


def test_speech_is_the_packages_to_the_bit(small: Small) -> None:
    text = " ".join(SENTENCES) if small.spec.name == "tiny-pocket-tts-18m" else SHORT
    ours = small.speak(text, seed=5)
    assert ours.std() > 0.001 and np.array_equal(ours, small.package_speaks(text, seed=5))


def test_options_are_the_packages_too(one: Small) -> None:
    ours = one.speak(temperature=0.9, steps=3)
    assert np.array_equal(ours, one.package_speaks(temp=0.9, sampler_decode_steps=3))
    assert not np.array_equal(ours, one.speak(temperature=0.9)) and not np.array_equal(ours, one.speak(steps=3))


def test_one_seed_is_one_reading(one: Small) -> None:
    first, again, other = one.speak(seed=7), one.speak(seed=7), one.speak(seed=8)
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_global_generator_and_torchs_threads_are_left_alone(one: Small) -> None:
    before, n_threads = torch.get_rng_state(), torch.get_num_threads()
    one.speak()
    assert torch.equal(before, torch.get_rng_state()) and torch.get_num_threads() == n_threads


def test_two_threads_do_not_disturb_each_other(one: Small) -> None:
    texts = ["The birds.", "Seven lamps, and the wind."]
    expected = [one.speak(text, seed=index) for index, text in enumerate(texts)]
    found: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: one.speak(texts[i], seed=i)})) for i in range(len(texts))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[index], expected[index]) for index in range(len(texts)))


def test_long_texts_come_in_pieces_that_follow_each_other(one: Small) -> None:
    text = " ".join(SENTENCES)
    chunks = list(ZeroShotSpeaker(one.spec, one.loader).speak(text, one.voice))
    assert len(chunks) > 1
    joined = np.concatenate([chunk.audio.samples[0] for chunk in chunks])
    assert np.array_equal(joined, one.speak(text))


def test_the_voice_is_heard(one: Small) -> None:
    other = zero_shot.enroll(Audio(reference(3).samples[:, ::-1], SAMPLE_RATE), one.spec, loader=one.loader)
    voices = [one.voice, Enrolled("bert", {one.spec.name: other})]
    first, second = (next(iter(ZeroShotSpeaker(one.spec, one.loader).speak(SHORT, voice))) for voice in voices)
    assert not np.array_equal(first.audio.samples, second.audio.samples)


def test_a_voice_keeps_little_of_thirty_seconds_at_most(one: Small) -> None:
    long = Audio(np.tile(reference(10, 48000).samples, (2, 4)), 48000)
    state = zero_shot.enroll(long, one.spec, loader=one.loader)
    latents = state[LATENTS]
    assert set(state) == {LATENTS} and latents.dtype == np.float32
    assert latents.shape == (376, 32), "30 s, and the pause it is ended with, at 12.5 frames a second"
    assert next(iter(ZeroShotSpeaker(one.spec, one.loader).speak(SHORT, Enrolled("c", {one.spec.name: state}))))


def test_it_says_when_it_found_no_end(small: Small) -> None:
    (chunk,) = ZeroShotSpeaker(small.spec, small.loader).speak(SHORT, small.voice)
    if small.ends:
        assert not chunk.warnings and chunk.audio.duration_seconds < 2
    else:
        assert "found no end to 'The harbour was quiet.'" in chunk.warnings[0].message


def test_cancelling_stops_it_within_a_few_frames(one: Small) -> None:
    seen: list[str] = []
    progress = Progress(lambda state: (seen.append(state.stage), seen.count("speaking") == 2 and progress.cancel()))
    n_threads = threading.active_count()
    with pytest.raises(Cancelled):
        one.speak(" ".join(SENTENCES), progress)
    assert seen.count("speaking") == 2 and threading.active_count() == n_threads


def test_unloading_gives_the_network_back(one: Small) -> None:
    one.speak()
    with one.loader.use(one.spec) as engine:
        kept = weakref.ref(engine._network)
    del engine
    assert one.loader.unload(one.spec.name)
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize(
    "spoilt",
    [
        {},
        {LATENTS: np.zeros((3, 31), np.float32)},
        {LATENTS: np.zeros((3, 32), np.float64)},
        {LATENTS: np.zeros((0, 32), np.float32)},
        {LATENTS: np.zeros((10_000, 32), np.float32)},
        {LATENTS: np.full((3, 32), np.nan, np.float32)},
        {LATENTS: np.full((3, 32), 1e30, np.float32)},
    ],
)
def test_a_spoilt_state_is_refused(one: Small, spoilt: Arrays) -> None:
    voice = Enrolled("anna", {one.spec.name: spoilt})
    with pytest.raises(InvalidInput, match="enrol it anew"):
        list(ZeroShotSpeaker(one.spec, one.loader).speak(SHORT, voice))


def test_bad_requests_are_refused_before_anything_is_loaded() -> None:
    speaker, voice = ZeroShotSpeaker("pocket-tts"), Enrolled("anna", {"pocket-tts-french": {}})
    with pytest.raises(InvalidInput, match="anna was not enrolled for pocket-tts; it was for pocket-tts-french"):
        speaker.speak("Hello.", voice)
    with pytest.raises(InvalidInput, match="nothing to say"):
        speaker.speak(" \n", voice)
    with pytest.raises(InvalidOption, match="'sped'"):
        speaker.speak("Hello.", Enrolled("anna", {"pocket-tts": {}}), {"sped": 1})
    with pytest.raises(InvalidOption, match="'steps'"):
        ZeroShotSpeaker("pocket-tts-18m").speak("Hello.", Enrolled("anna", {"pocket-tts-18m": {}}), {"steps": 2})
    with pytest.raises(UnknownModel, match="'pocket-tts'"):
        ZeroShotSpeaker("pocket-tt")


def test_weights_of_another_network_are_not_loaded(one: Small, tmp_path: Path) -> None:
    other = tiny_row(DRIFTING, tmp_path)
    files = {"model.safetensors": tmp_path / "model.safetensors", "tokenizer.json": one.folder / "tokenizer.json"}
    assert other.files
    with pytest.raises(WeightsCorrupt, match="are missing"):
        one.spec.engine(files, one.loader.device)


def test_who_may_not_have_a_file_is_told_how_to_get_it(
    one: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redirect_hub(monkeypatch, one.server)
    spec = dataclasses.replace(one.spec, name="gated")
    one.server.statuses = dict.fromkeys(one.server.pages, 401)
    try:
        with pytest.raises(DownloadFailed, match=r"someone/pocket.*accept.*hf auth login"):
            WeightStore(tmp_path, offline=False, accept_licences=True).open(spec)["model.safetensors"]
    finally:
        one.server.statuses = {}


def test_importing_the_package_leaves_torchs_threads() -> None:
    program = """
import torch
from voiceclone.nets.pocket_tts import import_pocket_tts
torch.set_num_threads(2)
import_pocket_tts()
print(torch.get_num_threads())
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "2"


def test_the_verb_speaks_through_it_marks_it_and_a_voice_file_keeps_it(
    one: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("audio_ml.watermark")
    module.mark = lambda audio, *_: Audio(audio.samples / 2, audio.sample_rate)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "audio_ml.watermark", module)
    voice = read_voice_file(save_voice(made_up_voice(states=one.voice.states), tmp_path))
    speech = voiceclone.clone(SHORT, voice, speaker=ZeroShotSpeaker(one.spec, one.loader), options={"seed": 5})
    assert speech.marked and np.array_equal(speech.audio.samples[0], one.speak(seed=5) / 2)


def save_voice(voice: ClonedVoice, folder: Path) -> Path:
    path = folder / "anna.voice.safetensors"
    path.write_bytes(encode(voice))
    return path
