"""The evaluation of separation: against museval, against closed forms, its folders, its commands, and bad input."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
from fake_engine import FAKE, FOUR
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from typer.testing import CliRunner

from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput, InvalidOption, OutputExists, OutputUnwritable, UnknownModel, UnreadableAudio
from audio_ml.loader import ModelLoader
from separation import separate
from separation.evaluation import TrackScores, evaluate, evaluate_folders, evaluate_model
from separation.evaluation.bsseval import RATIOS
from separation.evaluation.measure import ALONE, DEAD_BAND, NEVER_TOGETHER, SILENT_ESTIMATE, SILENT_REFERENCE
from separation.evaluation.sounds import LENGTH_TOLERANCE, find_sum
from separation.evaluation.toeplitz import solve
from ui.evaluate import app

RATE = 8000  # seconds are windows: at a low rate they are quick
SONGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "music"
Floats = NDArray[np.float64]

needs_songs = pytest.mark.skipif(not SONGS.is_dir(), reason="the songs of ../shared are not here")


@pytest.fixture(scope="session")
def museval() -> ModuleType:
    """Returns museval's measures; the package as a whole wants the ffmpeg program, for files of its own."""
    spec = importlib.util.find_spec("museval")
    if spec is None or spec.origin is None:
        pytest.skip("museval is not installed")
    return load_file("museval_metrics", Path(spec.origin).with_name("metrics.py"))


def load_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noise(seed: int, *shape: int, level: float = 0.1) -> Floats:
    return np.random.default_rng(seed).normal(0, level, shape)


def coloured(seed: int, n_sources: int, n_channels: int, n_samples: int) -> Floats:
    """Returns sources [sources, channels, n] that have spectra of their own, and swell and fade, as music does."""
    white = noise(seed, n_sources, n_channels, n_samples)
    spectra = (
        np.fft.rfft(white) / (1 + np.linspace(0, 20, n_samples // 2 + 1)) ** np.arange(1, n_sources + 1)[:, None, None]
    )
    swell = 1 + 0.8 * np.sin(np.arange(n_samples) / RATE * 3 + np.arange(n_sources)[:, None, None])
    return np.fft.irfft(spectra, n_samples) * swell


def separated(true: Floats, seed: int = 9) -> Floats:
    """Returns estimates as a separator makes them: quieter, with what leaks in, late echoes and noise."""
    mixture = true.sum(axis=0)
    return 0.8 * true + 0.1 * mixture + 0.05 * np.roll(mixture, 7, axis=-1) + noise(seed, *true.shape, level=0.003)


def stems_of(samples: Floats, rate: int = RATE) -> dict[str, Audio]:
    names = ("vocals", "drums", "other", "bass")
    return {name: Audio(np.asarray(stem, np.float32), rate) for name, stem in zip(names, samples, strict=False)}


def write_stems(folder: Path, stems: dict[str, Audio], ending: str = "wav", subtype: str | None = "FLOAT") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, audio in stems.items():
        soundfile.write(folder / f"{name}.{ending}", audio.samples.T, audio.sample_rate, subtype=subtype)
    return folder


def assert_as_museval(
    museval: ModuleType, true: dict[str, Audio], found: dict[str, Audio], scores: TrackScores
) -> None:
    rate = next(iter(true.values())).sample_rate
    stacked = [np.stack([side[name].samples.T.astype(np.float64) for name in true]) for side in (true, found)]
    theirs = museval.bss_eval(*stacked, window=rate, hop=rate, compute_permutation=False)
    for i, name in enumerate(true):
        for ratio, values in zip(("sdr", "isr", "sir", "sar"), theirs[:4], strict=True):
            ours = getattr(scores[name].windows, ratio)
            np.testing.assert_allclose(ours, values[i], atol=0.01, err_msg=f"{name} {ratio}")
            assert scores[name].measures[f"median_{ratio}"] == pytest.approx(np.nanmedian(values[i]), abs=0.01)


@pytest.mark.parametrize(
    ("n_sources", "n_channels", "n_samples"),
    [(2, 1, 3 * RATE), (3, 2, 3 * RATE + 777), (2, 2, RATE), (2, 2, RATE - 500), (4, 1, 2 * RATE - 1)],
)
def test_every_window_is_that_of_museval(museval: ModuleType, n_sources: int, n_channels: int, n_samples: int) -> None:
    samples = coloured(n_samples, n_sources, n_channels, n_samples)
    true, found = stems_of(samples), stems_of(separated(samples))
    scores = evaluate(true, found)
    assert_as_museval(museval, true, found, scores)
    assert len(scores["vocals"].windows.sdr) == max(1, n_samples // RATE)


def test_silent_windows_are_nan_as_in_museval(museval: ModuleType) -> None:
    samples = coloured(4, 2, 2, 5 * RATE)
    estimates = separated(samples)
    samples[0, :, RATE : 2 * RATE] = 0
    estimates[1, :, 3 * RATE : 4 * RATE] = 0
    true, found = stems_of(samples), stems_of(estimates)
    scores = evaluate(true, found)
    assert_as_museval(museval, true, found, scores)
    for name in true:
        assert np.isnan(scores[name].windows.sdr).tolist() == [False, True, False, True, False]
        assert scores[name].windows.n_measured == 3


@pytest.mark.parametrize("kind", ["one channel twice", "one of them", "a tone", "16 bit without a top"])
def test_references_that_leave_filters_open_are_as_in_museval(museval: ModuleType, kind: str) -> None:
    samples = coloured(5, 2, 2, 3 * RATE)
    estimates = separated(samples)
    if kind == "a tone":
        samples[0] = 0.2 * np.sin(0.05 * np.arange(samples.shape[-1])) * np.array([[1], [0.5]])
    elif kind == "16 bit without a top":
        samples, estimates = (np.round(below(x, 0.7) * 32768) / 32768 for x in (samples, estimates))
    else:
        n_mono = 1 if kind == "one of them" else 2
        samples[:n_mono, 1] = samples[:n_mono, 0]
    true, found = stems_of(samples), stems_of(estimates)
    assert_as_museval(museval, true, found, evaluate(true, found))


def below(samples: Floats, share: float) -> Floats:
    spectra = np.fft.rfft(samples)
    spectra[..., round(share * spectra.shape[-1]) :] = 0
    return np.fft.irfft(spectra, samples.shape[-1])


def test_where_a_band_of_the_references_is_empty_it_is_told_which_numbers_hold() -> None:
    """There museval divides by what is left of rounding: -60 dB of ISR, where a trace of sound makes it 15."""
    samples = below(coloured(6, 2, 2, 4 * RATE), 0.7)
    estimates = below(separated(samples), 0.7)
    empty = evaluate(stems_of(samples), stems_of(estimates))
    traced = evaluate(stems_of(samples + noise(7, *samples.shape, level=1e-4)), stems_of(estimates))
    for name in ("vocals", "drums"):
        assert empty[name].notes == (DEAD_BAND,) and traced[name].notes == ()
        for measure in ("sdr", "si_sdr", "median_sdr"):
            assert empty[name].measures[measure] == pytest.approx(traced[name].measures[measure], abs=0.1)


@needs_songs
@pytest.mark.slow
@pytest.mark.parametrize("song", ["hydrogen", "lithium", "potassium", "sodium"])
def test_songs_are_measured_as_museval_measures_them(museval: ModuleType, song: str) -> None:
    true = {name: Audio(read(SONGS / song / f"{name}.flac"), 44100) for name in ("vocals", "drums", "other")}
    found = stems_of(separated(np.stack([audio.samples for audio in true.values()])), 44100)
    assert_as_museval(museval, true, found, evaluate(SONGS / song, found))


def read(path: Path) -> NDArray[np.float32]:
    return np.asarray(soundfile.read(path, dtype="float32")[0].T)


def test_totals_are_those_of_another_implementation() -> None:
    fast = pytest.importorskip("fast_bss_eval")
    samples = coloured(8, 2, 2, 2 * RATE)
    true, found = stems_of(samples), stems_of(separated(samples))
    scores = evaluate(true, found)
    for name, audio in true.items():
        flat = [side[name].samples.astype(np.float64).reshape(1, -1) for side in (true, found)]
        assert scores[name].si_sdr == pytest.approx(fast.si_sdr(*flat)[0], abs=1e-3)
        wrong = audio.samples.astype(np.float64) - found[name].samples
        assert scores[name].sdr == pytest.approx(
            20 * np.log10(np.linalg.norm(audio.samples) / np.linalg.norm(wrong)), abs=1e-3
        )


@settings(max_examples=15, deadline=None)
@given(st.floats(-20, 60), st.integers(1, 2), st.integers(600, 3 * RATE))
def test_noise_of_a_level_gives_that_sdr(level_db: float, n_channels: int, n_samples: int) -> None:
    true, added = noise(1, n_channels, n_samples), noise(2, n_channels, n_samples)
    added -= true * np.sum(true * added) / np.sum(true**2)  # at right angles: both ratios are known
    added *= np.linalg.norm(true) / np.linalg.norm(added) / 10 ** (level_db / 20)
    audio, found = (Audio(x.astype(np.float32), RATE) for x in (true, true + added))
    scores = evaluate({"speech": audio}, {"speech": found})["speech"]
    assert scores.sdr == pytest.approx(level_db, abs=0.01) and scores.si_sdr == pytest.approx(level_db, abs=0.01)
    assert math.isnan(scores.measures["median_sir"]) and scores.notes == (ALONE,)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 8), st.booleans())
def test_si_sdr_does_not_hear_how_loud_an_estimate_is(gain: float, turned: bool) -> None:
    true, made = noise(3, 2, 4000), noise(3, 2, 4000) + noise(4, 2, 4000, level=0.02)
    factor = -gain if turned else gain
    scores = [
        evaluate({"a": Audio(true.astype(np.float32), RATE)}, {"a": Audio((made * x).astype(np.float32), RATE)})["a"]
        for x in (1, factor)
    ]
    assert scores[0].si_sdr == pytest.approx(scores[1].si_sdr, abs=1e-3)
    exact = 20 * math.log10(np.linalg.norm(true) / np.linalg.norm(true - factor * made))
    assert scores[1].sdr == pytest.approx(exact, abs=1e-3)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 60))
def test_a_filtered_source_is_distortion_and_a_strange_one_interference(seed: int, n_taps: int) -> None:
    """An estimate that is its source through a short filter has no interference and no artefacts, but distortion."""
    samples = np.pad(coloured(seed, 2, 1, RATE - 200), ((0, 0), (0, 0), (0, 100)))  # one window: no echo is cut
    taps = noise(seed + 1, n_taps, level=0.3)
    filtered = np.stack([np.convolve(source[0], taps)[None, : source.shape[-1]] for source in samples])
    leaking = filtered + 0.1 * samples[::-1]
    own, both = (evaluate(stems_of(samples), stems_of(made))["vocals"].measures for made in (filtered, leaking))
    assert own["median_sir"] > 100 and own["median_sar"] > 100
    assert own["median_isr"] == pytest.approx(own["median_sdr"], abs=1e-3)
    assert both["median_sir"] < 60 and both["median_sar"] > 100


def test_a_stem_given_back_as_it_is_has_no_error_and_an_infinite_ratio_is_json() -> None:
    true = stems_of(coloured(1, 2, 2, RATE))
    scores = evaluate(true, true)
    assert scores["vocals"].sdr == scores["vocals"].si_sdr == math.inf
    assert scores["vocals"].windows.isr[0] > 100
    assert json.loads(json.dumps(scores.as_dict(), allow_nan=False))["stems"]["vocals"]["sdr"] == "Infinity"


def test_silence_is_told_in_words_and_never_minus_infinity() -> None:
    samples = coloured(2, 3, 2, 2 * RATE)
    estimates = separated(samples)
    samples[0] = 0
    estimates[1] = 0
    scores = evaluate(stems_of(samples), stems_of(estimates))
    assert scores["vocals"].notes == (SILENT_REFERENCE,) and scores["drums"].notes == (SILENT_ESTIMATE,)
    assert all(math.isnan(value) for value in scores["vocals"].measures.values())
    assert scores["drums"].sdr == 0 and math.isnan(scores["drums"].si_sdr)
    assert scores["other"].windows.n_measured == 2 and scores["other"].notes == (ALONE,)
    values = [value for each in scores.stems for row in vars(each.windows).values() for value in row]
    assert not any(value == -math.inf for value in [*values, *(m for s in scores.stems for m in s.measures.values())])
    described = json.loads(json.dumps(scores.as_dict(), allow_nan=False))
    assert described["stems"]["vocals"]["sdr"] is None and described["stems"]["vocals"]["notes"]
    everything = evaluate(stems_of(samples * 0), stems_of(estimates * 0))
    assert all(math.isnan(value) for each in everything.stems for value in each.measures.values())


def test_stems_that_never_sound_together_have_totals_but_no_ratios() -> None:
    samples = coloured(3, 2, 1, 2 * RATE)
    estimates = separated(samples)
    samples[0, :, :RATE] = 0
    samples[1, :, RATE:] = 0
    scores = evaluate(stems_of(samples), stems_of(estimates))["vocals"]
    assert math.isfinite(scores.sdr) and scores.windows.n_measured == 0 and scores.notes == (NEVER_TOGETHER,)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(2, 40), st.integers(0, 99))
def test_block_toeplitz_systems_are_solved_as_by_elimination(p: int, q: int, m: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    sound = np.pad(generator.normal(size=(p, 200)), ((0, 0), (m, m)))
    gamma = np.stack([[[np.sum(np.roll(a, d) * b) for b in sound] for a in sound] for d in range(m)])
    matrix = np.block([[gamma[k - i] if k >= i else gamma[i - k].T for i in range(m)] for k in range(m)])
    right = generator.normal(size=(m, p, q))
    expected = np.linalg.solve(matrix, right.reshape(m * p, q)).reshape(m, p, q)
    np.testing.assert_allclose(solve(gamma, right), expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


def test_an_accompaniment_is_the_mixture_without_the_vocals_and_told_from_them_alone(museval: ModuleType) -> None:
    samples = coloured(11, 3, 2, 2 * RATE)
    true, found = stems_of(samples), stems_of(separated(samples))
    rest, made_rest = (Audio(side["drums"].samples + side["other"].samples, RATE) for side in (true, found))
    scores = evaluate(true, {**found, "accompaniment": made_rest})
    assert [each.stem for each in scores.stems] == ["vocals", "drums", "other", "accompaniment"]
    alone = {"vocals": true["vocals"], "accompaniment": rest}
    pair = evaluate(alone, {"vocals": found["vocals"], "accompaniment": made_rest})
    assert_as_museval(museval, alone, {"vocals": found["vocals"], "accompaniment": made_rest}, pair)
    for name in alone:  # museval's convention: the pair by itself
        assert scores[name].measures == pytest.approx(pair[name].measures, abs=1e-4)
    assert scores["drums"].measures == pytest.approx(evaluate(true, found)["drums"].measures, abs=1e-6)
    summed = evaluate(true, found, stems=["vocals", "accompaniment"])
    assert summed["accompaniment"].measures == pytest.approx(pair["accompaniment"].measures, abs=1e-3)


@pytest.mark.parametrize(
    ("stem", "names", "expected"),
    [
        ("vocals", ["vocals"], {"vocals": 1}),
        ("accompaniment", ["vocals"], None),
        ("no_drums", ["vocals", "drums", "accompaniment"], {"vocals": 1}),
        ("no_drums", ["mixture", "drums"], {"mixture": 1, "drums": -1}),
        ("drums", ["mixture", "vocals"], None),
    ],
)
def test_what_a_stem_is_made_of(stem: str, names: list[str], expected: dict[str, float] | None) -> None:
    assert find_sum(stem, names) == expected


def test_stems_are_matched_by_name_and_extras_are_listed() -> None:
    samples = coloured(12, 3, 1, RATE)
    true, found = stems_of(samples), stems_of(separated(samples))
    scores = evaluate(true, {**found, "bass": found["other"], "mixture": found["other"]})
    assert scores.extra == ("bass",) and "bass" in scores.in_words()[-1]
    fewer = evaluate(true, found, stems=["drums"])
    assert [each.stem for each in fewer.stems] == ["drums"] and fewer.missing == ("vocals", "other")
    with pytest.raises(InvalidInput, match=r"no estimate of drums, other, but of vocals.*stems vocals"):
        evaluate(true, {"vocals": found["vocals"]})
    with pytest.raises(InvalidInput, match=r"no stem 'vocls' in the reference. Did you mean 'vocals'"):
        evaluate(true, found, stems=["vocls"])
    with pytest.raises(InvalidInput, match="no stems"):
        evaluate({}, found)
    separation = separate(Audio(samples[0].astype(np.float32), RATE), model=dataclasses.replace(FAKE, n_channels=1))
    assert evaluate(separation, separation)["share"].sdr == math.inf


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda audio: Audio(audio.samples, 16000), "16000 Hz.*8000 Hz"),
        (lambda audio: Audio(audio.samples[:1], RATE), "1 channel.*2 channels"),
        (lambda audio: Audio(audio.samples[:, : -LENGTH_TOLERANCE - 1], RATE), "samples"),
        (lambda audio: Audio(np.tile(audio.samples, 2), RATE), "not of the same track"),
    ],
)
def test_sounds_that_cannot_be_compared_are_refused(
    tmp_path: Path, change: Callable[[Audio], Audio], told: str
) -> None:
    true = stems_of(coloured(13, 2, 2, RATE))
    changed = {**true, "drums": change(true["drums"])}
    with pytest.raises(InvalidInput, match=f"drums.*{told}"):
        evaluate(true, changed)
    with pytest.raises(InvalidInput):
        evaluate(changed, true)
    reference = write_stems(tmp_path / "true", true)
    with pytest.raises(InvalidInput, match=told):
        evaluate_folders(reference, write_stems(tmp_path / "made", changed))


def test_lossy_estimates_may_be_a_little_longer_or_shorter(tmp_path: Path) -> None:
    samples = coloured(14, 2, 2, 3 * 44100)
    true = stems_of(samples, 44100)
    reference = write_stems(tmp_path / "true", true)
    lossy = write_stems(tmp_path / "made", true, "mp3", subtype=None)
    cut = {name: Audio(audio.samples[:, : -(300 if name == "drums" else -1)], 44100) for name, audio in true.items()}
    long = {**true, "vocals": Audio(np.pad(true["vocals"].samples, ((0, 0), (0, 77))), 44100)}
    scores = evaluate_folders(reference, lossy).tracks[0]
    assert 10 < scores["vocals"].sdr < 60
    assert any("300 samples shorter" in note for note in evaluate(true, cut | {"vocals": true["vocals"]}).notes)
    longer = evaluate(true, long)
    assert longer["vocals"].sdr == math.inf and "77 samples longer" in longer.notes[0]


@pytest.mark.parametrize("made_as", ["TRACK", "TRACK/mixture"])
def test_folders_of_tracks_are_matched_by_name(tmp_path: Path, made_as: str) -> None:
    for i, track in enumerate(("one", "two")):
        samples = coloured(20 + i, 2, 1, 2 * RATE)
        write_stems(tmp_path / "true" / track, stems_of(samples) | {"full_mixture": stems_of(samples)["vocals"]})
        write_stems(tmp_path / "made" / made_as.replace("TRACK", track), stems_of(separated(samples)), "flac", "PCM_24")
    found = evaluate_folders(tmp_path / "true", tmp_path / "made")
    assert [track.track for track in found.tracks] == ["one", "two"] and found.stems == ("drums", "vocals")
    by_hand = [
        evaluate(tmp_path / "true" / name, tmp_path / "made" / made_as.replace("TRACK", name))
        for name in ("one", "two")
    ]
    assert found.means["vocals"]["sdr"] == pytest.approx(np.mean([each["vocals"].sdr for each in by_hand]))
    write_stems(tmp_path / "made" / "three", stems_of(coloured(1, 2, 1, RATE)))
    assert evaluate_folders(tmp_path / "true", tmp_path / "made").extra_tracks == ("three",)
    write_stems(tmp_path / "true" / "four", stems_of(coloured(1, 2, 1, RATE)))
    with pytest.raises(InvalidInput, match="no stems for four"):
        evaluate_folders(tmp_path / "true", tmp_path / "made")


def test_folders_that_hold_nothing_to_compare_are_refused(tmp_path: Path) -> None:
    true = write_stems(tmp_path / "true", stems_of(coloured(1, 2, 1, RATE)))
    (tmp_path / "empty").mkdir()
    for folder, told in (("none", "does not exist"), ("empty", "no stems"), ("true/vocals.wav", "a file")):
        with pytest.raises(InvalidInput, match=told):
            evaluate_folders(true, tmp_path / folder)
        with pytest.raises(InvalidInput, match=told):
            evaluate_model(tmp_path / folder)
    twice = write_stems(tmp_path / "twice", stems_of(coloured(1, 2, 1, RATE)))
    write_stems(twice, stems_of(coloured(1, 2, 1, RATE)), "flac", "PCM_16")
    with pytest.raises(InvalidInput, match=r"drums.flac and drums.wav"):
        evaluate_folders(true, twice)
    (tmp_path / "bad").mkdir()
    for name in ("vocals", "drums"):
        (tmp_path / "bad" / f"{name}.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(UnreadableAudio, match="bad"):
        evaluate_folders(true, tmp_path / "bad")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two songs, of which one has no file of its mixture; of what FOUR makes, they have no bass."""
    for i, track in enumerate(("one", "two")):
        samples = coloured(30 + i, 3, 2, 2 * 44100)
        stems = stems_of(samples, 44100)
        if i == 0:
            stems["mixture"] = Audio(samples.sum(axis=0).astype(np.float32), 44100)
        write_stems(tmp_path / "data" / track, stems)
    return tmp_path / "data"


def test_a_model_is_measured_on_the_stems_it_shares_with_a_data_set(dataset: Path) -> None:
    found = evaluate_model(dataset, model=FOUR, loader=ModelLoader("cpu"))
    assert found.separated_by == "four"
    for track in found.tracks:
        stems = {
            name: Audio(read(dataset / track.track / f"{name}.wav"), 44100) for name in ("vocals", "drums", "other")
        }
        mixture = sum(audio.samples for audio in stems.values())
        shares = {"vocals": 0.4, "drums": 0.3, "other": 0.1 + 0.2}  # with the bass, which the songs have not
        assert {each.stem for each in track.stems} == {*shares, "accompaniment"}
        for name, share in shares.items():
            by_hand = evaluate({name: stems[name]}, {name: Audio(np.float32(share) * mixture, 44100)})
            assert track[name].sdr == pytest.approx(by_hand[name].sdr, abs=1e-3)
        rest = Audio(mixture - stems["vocals"].samples, 44100)
        by_hand = evaluate({"rest": rest}, {"rest": Audio(np.float32(0.6) * mixture, 44100)})
        assert track["accompaniment"].sdr == pytest.approx(by_hand["rest"].sdr, abs=1e-3)
        assert any("bass" in note for note in track.notes)
    only = evaluate_model(dataset, model=FOUR, options={"stems": ("other",)}, loader=ModelLoader("cpu"))
    assert only.stems == ("other",)
    assert only.tracks[0]["other"].sdr == pytest.approx(found.tracks[0]["other"].sdr, abs=1e-6)
    pair = evaluate_model(dataset, model=FOUR, options={"two_stems": "drums"}, loader=ModelLoader("cpu"))
    assert pair.stems == ("drums", "no_drums")


def test_a_model_that_makes_other_stems_is_refused_before_any_work(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelLoader, "use", lambda *_: pytest.fail("It works already."))
    with pytest.raises(InvalidInput, match="fake makes share, rest, and not drums, other, vocals"):
        evaluate_model(dataset, model=FAKE)
    with pytest.raises(InvalidInput, match=r"four makes .* and not piano"):
        evaluate_model(dataset, model=FOUR, options={"stems": ("piano",)})
    with pytest.raises(InvalidInput, match=r"no stem 'bass' in the track"):
        evaluate_model(dataset, model=FOUR, options={"stems": ("bass",)})
    with pytest.raises(InvalidOption, match="nothing"):
        evaluate_model(dataset, model=FOUR, options={"nothing": 1})
    with pytest.raises(UnknownModel):
        evaluate_model(dataset, model="spleeter-3stems")


def test_measuring_can_be_stopped_and_tells_how_far_it_is() -> None:
    from audio_ml.errors import Cancelled
    from audio_ml.progress import Progress

    told: list[float] = []
    true = stems_of(coloured(1, 2, 1, 20 * RATE))
    evaluate(true, true, progress=Progress(lambda state: told.append(state.fraction)))
    assert told == sorted(told) and told[0] == 0 and told[-1] == 1
    progress = Progress(lambda state: progress.cancel() if state.fraction > 0.4 else None)
    with pytest.raises(Cancelled):
        evaluate(true, true, progress=progress)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    samples = coloured(40, 2, 2, 2 * RATE)
    true = write_stems(tmp_path / "true" / "song", stems_of(samples)).parent
    return true, write_stems(tmp_path / "made" / "song", stems_of(separated(samples))).parent


def test_the_command_prints_a_table_or_json_and_keeps_a_report(
    run_cli: Callable[..., subprocess.CompletedProcess[str]], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    command = ("evaluate", "separation", "--reference", folders[0], "--estimate", folders[1])
    done = run_cli(*command, "--report-file", tmp_path / "report.json")
    assert done.returncode == 0, done.stderr
    expected = evaluate_folders(*folders)
    for measure in expected.tracks[0]["vocals"].measures.values():
        assert f"{measure:.2f}" in done.stdout
    kept = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    printed = run_cli(*command, "--json", "--stems", "drums, vocals")  # in the order of files, as without
    assert json.loads(printed.stdout)["tracks"] == kept["tracks"] and not printed.stderr
    assert kept["tracks"][0]["stems"]["vocals"]["windows"]["sdr"] == list(expected.tracks[0]["vocals"].windows.sdr)
    assert run_cli(*command, "--quiet").stdout == ""
    wrong = run_cli(*command, "--stems", "vocal")
    assert wrong.returncode == 2 and "Did you mean 'vocals'?" in wrong.stderr and "Traceback" not in wrong.stderr


def test_the_commands_check_the_report_before_any_work(
    monkeypatch: pytest.MonkeyPatch, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    report.write_text("{}")
    monkeypatch.setattr("ui.evaluate_separation.evaluate_folders", lambda *_, **__: pytest.fail("It works already."))
    monkeypatch.setattr("separation.evaluation.evaluate_model", lambda *_, **__: pytest.fail("It works already."))
    separation = ["separation", "--reference", str(folders[0]), "--estimate", str(folders[1])]
    for command in (separation, ["model", "--dataset", str(folders[0])]):
        for target, error in ((report, OutputExists), (tmp_path / "none" / "report.json", OutputUnwritable)):
            result = CliRunner().invoke(app, [*command, "--report-file", str(target)])
            assert isinstance(result.exception, error)


def test_the_command_for_a_model_passes_everything_on(monkeypatch: pytest.MonkeyPatch, dataset: Path) -> None:
    asked: dict[str, Any] = {}

    def stand(folder: Path, **given: Any) -> Any:
        asked.update(given, folder=folder)
        return evaluate_model(folder, model=FOUR, options={"stems": given["options"]["stems"]}, loader=given["loader"])

    monkeypatch.setattr("separation.evaluation.evaluate_model", stand)
    command = [
        "model",
        "-m",
        "spleeter-2stems",
        "--dataset",
        str(dataset),
        "--stems",
        "vocals,drums",
        "--overlap",
        "0.5",
    ]
    result = CliRunner().invoke(app, [*command, "--device", "cpu"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert asked["model"] == "spleeter-2stems" and asked["folder"] == dataset
    assert asked["options"] == {"stems": ("vocals", "drums"), "overlap": 0.5}
    assert result.stdout.count("drums") == 4 and "mean" in result.stdout  # two songs, their median and mean


@pytest.mark.weights
def test_a_real_model_is_measured(dataset: Path, loader: ModelLoader) -> None:
    found = evaluate_model(dataset, loader=loader)
    assert found.stems == ("vocals", "accompaniment") and found.tracks[0].missing == ("drums", "other")


def test_measuring_needs_no_torch_and_no_scipy(folders: tuple[Path, Path]) -> None:
    """`audio-ml evaluate separation` begins as quickly as a command of Spleeter does."""
    code = (
        "import sys; sys.modules['torch'] = sys.modules['scipy'] = None; "
        "from separation.evaluation import evaluate_folders; print(evaluate_folders(*sys.argv[1:]).stems)"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, folders)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(RATIOS) == 4
