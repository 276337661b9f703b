"""What a learner sees of a voice is right, is the same each time, and is JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from made_up_voices import made_up_voice
from signals import noise

from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from ui.clone_picture import draw_voice
from voiceclone.mel import HOP, N_MELS, SAMPLE_RATE, log_mel, mel_spectrogram
from voiceclone.view import Embedding, VoiceView, heat_map, map_voices, view_cloned, view_voice

SIZE = 256


def tone(hz: float, seconds: float = 1.0, sample_rate: int = SAMPLE_RATE, level: float = 0.5) -> Audio:
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    return Audio((level * np.sin(2 * np.pi * hz * times))[None].astype(np.float32), sample_rate)


def unit(seed: int) -> Embedding:
    vector = np.abs(np.random.default_rng(seed).standard_normal(SIZE))
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def voices(n: int) -> dict[str, Embedding]:
    return {f"kokoro/{'af' if index % 2 else 'bm'}_{index:02}": unit(index) for index in range(n)}


class Likeness:
    """What a comparison says."""

    def as_dict(self) -> dict[str, float | str]:
        return {"score": 0.71, "meaning": "as alike as two recordings of one person"}


@pytest.fixture
def view() -> VoiceView:
    return view_voice(
        "anna",
        noise(3, SAMPLE_RATE, 1),
        unit(100),
        built_in=voices(20),
        enrolled={"anna": unit(100), "ben": unit(101)},
        result=(tone(440), unit(102)),
        likenesses={"what it said, to the reference": Likeness()},
    )


@pytest.mark.parametrize("hz", [200, 1000, 3000, 9000])
def test_a_tone_is_where_it_belongs(hz: int) -> None:
    for rate in (SAMPLE_RATE, 48000):
        picture = mel_spectrogram(tone(hz, sample_rate=rate))
        loudest = picture.levels_db[:, 10:-10].mean(axis=1).argmax()
        width = np.gradient(picture.centres_hz)[loudest]
        assert picture.centres_hz[loudest] == pytest.approx(hz, abs=width)


def test_a_rising_sweep_rises() -> None:
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    sweep = np.sin(2 * np.pi * (200 * times + 1500 * times**2))
    picture = mel_spectrogram(Audio(0.5 * sweep[None].astype(np.float32), SAMPLE_RATE))
    peaks = picture.centres_hz[picture.levels_db.argmax(axis=0)]
    expected = 200 + 3000 * np.arange(peaks.size) * picture.column_seconds
    inner = slice(5, -5)
    assert np.abs(peaks[inner] / expected[inner] - 1).max() < 0.15


def test_halving_a_tone_costs_six_decibels() -> None:
    both = Audio(np.concatenate([tone(1000).samples, tone(1000, level=0.25).samples], axis=1), SAMPLE_RATE)
    levels = mel_spectrogram(both).levels_db.max(axis=0)
    assert levels[20] == pytest.approx(0, abs=0.05)
    assert levels[-20] == pytest.approx(-6.02, abs=0.05)


def test_the_picture_of_what_a_voice_keeps_is_that_of_its_reference() -> None:
    audio = noise(2, SAMPLE_RATE, 1)
    kept = log_mel(audio).astype(np.float16)
    assert kept.shape == (N_MELS, audio.n_samples // HOP + 1)
    difference = mel_spectrogram(kept).levels_db - mel_spectrogram(audio).levels_db
    assert np.abs(difference).max() < 0.1


def test_long_sounds_are_averaged_to_a_picture_of_the_same_time() -> None:
    audio = noise(20, SAMPLE_RATE, 1)
    long, all_of_it = mel_spectrogram(audio, 100), mel_spectrogram(audio, 10_000)
    assert long.levels_db.shape[1] <= 100
    assert long.seconds == pytest.approx(all_of_it.seconds, abs=long.column_seconds)
    steady = mel_spectrogram(tone(1000, seconds=5), 60).levels_db.max(axis=0)  # 401 frames: the last column has 2 of 7
    assert np.abs(steady[1:-1] - steady[1]).max() < 0.1 and steady[-1] == pytest.approx(steady[1], abs=3)


def test_silence_has_a_picture() -> None:
    assert np.isfinite(mel_spectrogram(Audio(np.zeros((1, SAMPLE_RATE), np.float32), SAMPLE_RATE)).levels_db).all()


def test_a_heat_map_is_read_row_by_row() -> None:
    embedding = unit(1)
    assert np.array_equal(heat_map(embedding).values.ravel(), embedding)


def test_the_map_shows_the_plane_in_which_voices_differ() -> None:
    """Vectors that lie in a plane are on the map with their true distances, whichever way the plane is turned."""
    random = np.random.default_rng(5)
    plane = np.linalg.qr(random.standard_normal((SIZE, 2)))[0]
    flat = random.standard_normal((12, 2)) * (3, 1)
    vectors = flat @ plane.T + random.standard_normal(SIZE)
    found = map_voices({f"v{index:02}": vector for index, vector in enumerate(vectors)})
    places = np.array([(place.x, place.y) for place in found.places])
    distances = np.linalg.norm(places[:, None] - places, axis=-1)
    assert np.allclose(distances, np.linalg.norm(flat[:, None] - flat, axis=-1), atol=1e-6)
    assert sum(found.shares) == pytest.approx(1)
    assert found.shares[0] > found.shares[1]


def test_the_map_is_the_same_in_any_order_and_does_not_flip() -> None:
    known = voices(20)
    reordered = dict(reversed(known.items()))
    here, there = map_voices(known), map_voices(reordered)
    assert here == there
    moved = {name: vector + np.float32(1e-4) * unit(7) for name, vector in known.items()}
    before, after = (np.array([(place.x, place.y) for place in found.places]) for found in (here, map_voices(moved)))
    assert np.abs(before - after).max() < 0.01


@pytest.mark.parametrize("seed", range(8))
def test_an_axis_points_to_where_its_largest_number_is_positive(seed: int) -> None:
    vectors = np.random.default_rng(seed).standard_normal((10, SIZE))
    found = map_voices({f"v{index:02}": vector for index, vector in enumerate(vectors)})
    places = np.array([(place.x, place.y) for place in found.places])
    axes = places.T @ (vectors - vectors.mean(axis=0))  # each a multiple of its component
    assert (axes[np.arange(2), np.abs(axes).argmax(axis=1)] > 0).all()


def test_an_enrolled_voice_does_not_move_the_map() -> None:
    alone = map_voices(voices(20))
    with_others = map_voices(voices(20), {"enrolled": {"anna": unit(50)}})
    assert with_others.places[:20] == alone.places
    assert (with_others.places[20].name, with_others.places[20].kind) == ("anna", "enrolled")


def test_few_voices_span_the_map_together() -> None:
    found = map_voices(voices(2), {"this voice": {"anna": unit(60)}})
    assert len(found.places) == 3 and sum(found.shares) == pytest.approx(1)
    with pytest.raises(InvalidInput, match="three"):
        map_voices(voices(2))


def test_the_view_is_json_with_its_axes(view: VoiceView) -> None:
    told = json.loads(json.dumps(view.as_dict(), allow_nan=False))
    assert told["name"] == "anna"
    for part in (told["reference"]["mel"], told["result"]["embedding"], told["map"]):
        assert set(part["axes"]) >= {"x", "y"}
    assert np.array(told["reference"]["mel"]["levels_db"]).shape[0] == len(told["reference"]["mel"]["centres_hz"])
    kinds = [place["kind"] for place in told["map"]["places"] if place["kind"] != "built-in"]
    assert kinds == ["enrolled", "this voice", "result"]
    assert {place["group"] for place in told["map"]["places"][:20]} == {"female", "male"}
    assert told["likenesses"]["what it said, to the reference"]["score"] == 0.71


def built_in(n: int) -> dict[str, dict[str, Embedding]]:
    return {name: {"ge2e": vector, "campplus": vector[:192]} for name, vector in voices(n).items()}


def test_a_cloned_voice_is_viewed_among_others() -> None:
    alike = {"ge2e": unit(3), "campplus": unit(3)[:192]}
    anna, ben = made_up_voice(embeddings=alike), made_up_voice("ben", seed=1)
    seen = view_cloned(anna, built_in=built_in(10), enrolled=[anna, ben])
    others = [(place.name, place.kind) for place in seen.map.places[10:]]
    assert others == [("ben", "enrolled"), ("anna", "this voice")]
    assert np.array_equal(seen.reference_heat.values.ravel(), anna.embeddings["ge2e"])
    assert seen.reference_mel.levels_db.shape == anna.reference_mel.shape
    (told,) = seen.likenesses.items()
    assert (
        told[0] == "for comparison, the nearest built-in voice, kokoro/af_03, to the reference"
        and "alike" in told[1]["meaning"]
    )


@pytest.mark.weights
def test_what_a_cloned_voice_said_is_compared_with_its_reference(loader: ModelLoader) -> None:
    compared: list[set[str]] = []

    def compare(said: Mapping[str, Embedding], reference: Mapping[str, Embedding]) -> Likeness:
        compared.append(set(said) | set(reference))
        return Likeness()

    said = noise(2, SAMPLE_RATE, 1)
    seen = view_cloned(made_up_voice(), built_in=built_in(10), result=said, compare=compare, loader=loader)
    assert compared == [{"ge2e", "campplus"}] * 2
    assert seen.map.places[-1].kind == "result" and seen.result_mel is not None
    assert seen.likenesses["what it said, to the reference"]["score"] == 0.71


def test_the_view_can_be_drawn(view: VoiceView, tmp_path: Path) -> None:
    import matplotlib.image

    draw_voice(view, tmp_path / "whole.png")
    alone = view_voice("ben", log_mel(tone(300)), unit(3), built_in=voices(4))
    draw_voice(alone, tmp_path / "alone.png")
    whole, small = (matplotlib.image.imread(tmp_path / f"{name}.png") for name in ("whole", "alone"))
    assert whole.shape[0] > small.shape[0] and whole.shape[1] == small.shape[1]
    assert whole[..., :3].std() > 0.1
