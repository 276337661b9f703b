"""What Learn shows of the separation: that it is what the networks computed, and that what is said of it is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate2d
from signals import noise

from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.errors import AudioMLError, Cancelled, InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.streams import read_audio
from audio_ml.writer import write_audio
from separation.nets.spleeter import PAD
from ui.learn import clip, layers
from ui.learn.example import SAMPLE_RATE, make_example, make_tune
from ui.learn.explained import explain
from ui.learn.network import MODEL, OpenedNetworks, count_frames, magnitudes, opened_model
from ui.server.request import JobRequest
from ui.server.tasks import check_request

REPOSITORY = Path(__file__).parent.parent
SMALL = (2, 128, 128)  # a patch that is enough to see how far a layer looks
ORDER = ["input", *(f"down {n}" for n in range(1, 7)), *(f"up {n}" for n in range(1, 7)), "head", "estimate", "mask"]


@pytest.fixture(scope="module")
def loader() -> ModelLoader:
    return ModelLoader("cpu")


@pytest.fixture(scope="module")
def network(loader: ModelLoader) -> Any:
    with loader.use(opened_model()) as network:
        yield network


@pytest.fixture(scope="module")
def explained(loader: ModelLoader, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The report and the files of two seconds of noise."""
    folder = tmp_path_factory.mktemp("explained")
    source = folder / "noise.flac"
    write_audio(source, noise(2))
    (files := folder / "files").mkdir()
    return files, explain(source, files, loader, Progress())


def test_the_tune_repeats_itself_and_stays_within_bounds() -> None:
    tune = make_tune(3 * SAMPLE_RATE)
    assert tune.shape == (2, 3 * SAMPLE_RATE)
    assert np.array_equal(tune, make_tune(3 * SAMPLE_RATE)) and np.isfinite(tune).all()
    assert not np.allclose(tune[0], tune[1]), "it is stereo"


@pytest.mark.weights
def test_the_example_is_the_sum_of_what_is_known(loader: ModelLoader) -> None:
    example = make_example(loader, Progress())
    assert np.array_equal(example.mixture.samples, example.voice.samples + example.tune.samples)
    assert np.abs(example.mixture.samples).max() < 1 and example.mixture.sample_rate == SAMPLE_RATE


def test_frames_are_those_of_the_engine() -> None:
    """Every sample lies under four frames, and a click is seen in those that cover it alone."""
    samples = np.zeros((2, 5000), np.float32)
    samples[:, 2500] = 1
    (patch,) = magnitudes(samples)
    seen = np.flatnonzero(patch[0].max(axis=1))
    assert list(seen) == [3, 4, 5, 6], "frame k begins at 1024 k - 4096"
    assert count_frames(5000) == 4 + 5 and patch.shape == (2, 512, 1024)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (2500 - (1024 * 4 - 4096)) / 4096)
    assert np.allclose(patch[0, 4], window, atol=1e-6)


def test_more_than_twenty_seconds_are_cut_and_told(tmp_path: Path) -> None:
    source = tmp_path / "long.wav"
    write_audio(source, Audio(noise(21).samples[:1], 44100))
    read = clip.read_clip(source, 44100)
    assert read.audio.samples.shape == (2, 20 * 44100) and any("first 20 s" in note for note in read.notes)
    assert np.array_equal(read.audio.samples[0], read.audio.samples[1])


def test_surround_and_other_rates_are_told(tmp_path: Path) -> None:
    source = tmp_path / "six.wav"
    write_audio(source, Audio(np.tile(noise(1).samples[:1], (6, 1)), 48000))
    read = clip.read_clip(source, 44100)
    assert read.audio.n_channels == 2 and read.audio.n_samples == round(44100 * noise(1).n_samples / 48000)
    assert any("48000 Hz" in note for note in read.notes) and any("6 channels" in note for note in read.notes)


@pytest.mark.weights
def test_masks_agree_with_the_engine(loader: ModelLoader, network: OpenedNetworks) -> None:
    """The engine runs another graph of the same weights, in another runtime."""
    patch = magnitudes(noise(3).samples)[0]
    with loader.use(catalogue.find("separation", MODEL)) as engine:
        expected = np.stack(engine._masks(patch, [0, 1]))
    found = network.masks(patch)
    error = np.sum((found - expected) ** 2) / np.sum(expected**2)
    assert 10 * np.log10(error) < -80
    assert np.allclose(found.sum(axis=0), 1, atol=1e-5)


@pytest.mark.weights
def test_the_first_layer_is_a_convolution(network: OpenedNetworks) -> None:
    """As SciPy computes it, with a normalisation and a leaky ReLU as the papers write them."""
    patch = np.random.default_rng(0).random(SMALL, np.float32)
    found = dict(network.layers(patch, 1))["down 1"]
    weights = network.weights[1]
    kernel, norm = weights.down[0].kernel, weights.down_norms[0]
    padded = np.pad(patch, ((0, 0), PAD, PAD))
    for channel in (0, 7):
        plain = sum(correlate2d(padded[side], kernel[channel, side], "valid") for side in (0, 1))
        plain = plain[::2, ::2] + weights.down[0].bias[channel]
        normed = (plain - norm.mean[channel]) / np.sqrt(norm.variance[channel] + 1e-3)
        normed = normed * norm.scale[channel] + norm.shift[channel]
        assert np.allclose(found[channel], np.where(normed > 0, normed, 0.2 * normed), atol=1e-4)


@pytest.mark.weights
@pytest.mark.parametrize("name", ["down 1", "down 2", "down 3", "down 4"])
def test_a_layer_sees_as_far_as_is_told(network: OpenedNetworks, name: str) -> None:
    """A change of one frame moves as many cells as have it in their field, and no others."""
    shape = (2, 256, 64)
    patch = np.random.default_rng(1).random(shape, np.float32)
    before = dict(network.layers(patch, 0))[name]
    changed = patch.copy()
    changed[:, 128] += 1
    after = dict(network.layers(changed, 0))[name]
    n_moved = int((before != after).any(axis=(0, 2)).sum())
    step, field = shape[1] // before.shape[1], layers._field(name)
    assert field / step - 1 < n_moved < field / step + 1


@pytest.mark.weights
def test_the_report_tells_what_the_files_hold(explained: tuple[Path, dict[str, Any]]) -> None:
    folder, report = explained
    heard = read_audio(folder / report["clip"]["file"])
    assert np.abs(heard.samples - noise(2).samples).max() < 2**-23 and report["clip"]["name"] == "noise.flac"
    masks = np.fromfile(folder / report["masks"]["file"], "<u2").reshape(report["masks"]["shape"])
    assert masks.shape == (2, count_frames(heard.n_samples), 1024)
    told = json.loads((folder / report["network"]["file"]).read_text(encoding="utf-8"))
    pictures = (folder / report["network"]["pictures"]).read_bytes()
    assert set(told["stems"]) == {"vocals", "accompaniment"} and report["truth"] == {}
    places = []
    for stem in told["stems"].values():
        assert [layer["name"] for layer in stem] == ORDER
        for layer in stem:
            assert (REPOSITORY / layer["code"]["path"]).read_text(encoding="utf-8").splitlines()[
                layer["code"]["line"] - 1
            ].strip() == layer["code"]["text"]
            shares = [picture["activity"] for picture in layer["pictures"]]
            assert shares == sorted(shares, reverse=True) and sum(shares) < 1.0001
            places += [(each["offset"], each["shape"][0] * each["shape"][1]) for each in layer["pictures"]]
    ends = [offset + n for offset, n in places]
    assert [offset for offset, _ in places] == [0, *ends[:-1]] and ends[-1] == len(pictures)


@pytest.mark.weights
def test_parameters_are_all_counted(network: OpenedNetworks) -> None:
    """Spleeter's networks have 19.6 million parameters together, by the size of their file in floats."""
    names = [name for name in ORDER if name.split()[0] in ("down", "up", "head")]
    counted = sum(layers._count_parameters(name, weights) for name in names for weights in network.weights)
    unused = 2 * 4 * 512  # a normalisation at the bottom that the network leaves out
    assert abs(4 * (counted + unused) - 78_614_080) < 5000


@pytest.mark.weights
def test_silence_has_layers_too(loader: ModelLoader, tmp_path: Path) -> None:
    source = tmp_path / "silence.wav"
    write_audio(source, Audio(np.zeros((2, 4410), np.float32), 44100))
    (folder := tmp_path / "files").mkdir()
    report = explain(source, folder, loader, Progress())
    masks = np.fromfile(folder / report["masks"]["file"], "<u2")
    assert set(masks) <= {32767, 32768}, "where nobody claims anything, each stem has half"
    json.loads((folder / report["network"]["file"]).read_text(), parse_constant=pytest.fail)


@pytest.mark.weights
def test_it_stops_when_asked(loader: ModelLoader, tmp_path: Path) -> None:
    source = tmp_path / "noise.wav"
    write_audio(source, noise(1))
    progress = Progress(lambda state: progress.cancel())
    with pytest.raises(Cancelled):
        explain(source, tmp_path, loader, progress)


@pytest.mark.parametrize("wrong", [{"model": "spleeter-2stems"}, {"options": {"overlap": 0.5}}, {"text": "Hi."}])
def test_what_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        check_request(JobRequest(task="explain_separation", **wrong))
    check_request(JobRequest(task="explain_separation"))


def test_what_is_no_sound_is_told(tmp_path: Path, loader: ModelLoader) -> None:
    source = tmp_path / "notes.txt"
    source.write_text("no sound")
    with pytest.raises(AudioMLError, match=r"notes\.txt"):
        explain(source, tmp_path, loader, Progress())
