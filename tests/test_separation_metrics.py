"""The measures of separation: against museval and another implementation, closed forms, silence."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from true_stems import RATE, below, coloured, noise, read, separated, stems_of

from audio_ml.audio import Audio
from separation.evaluation import TrackScores, evaluate
from separation.evaluation.measure import ALONE, DEAD_BAND, NEVER_TOGETHER, SILENT_ESTIMATE, SILENT_REFERENCE
from separation.evaluation.toeplitz import solve

SONGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "music"

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
