"""Several models heard together, and several runs of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FAKE, FOUR, FakeEngine
from signals import decibels, noise, peak_db

import separation
from audio_ml import catalogue
from audio_ml.audio import Audio, Samples
from audio_ml.catalogue import Licence, Member, ModelSpec
from audio_ml.chunks import WeightedSegmentation, crossfade, triangle
from audio_ml.device import Device
from audio_ml.errors import InvalidOption, UnknownModel
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from separation.channels import plan_channels
from separation.ensemble import combine_spectra, ensemble, find_model, specialists
from separation.options import SeparationOptions
from separation.stream import StemStream


def two_stems(name: str, share: float) -> ModelSpec:
    """A model whose vocals are that share of the mixture."""

    class Engine(FakeEngine):
        def separate(self, segment: Samples, stems: Sequence[str], options: SeparationOptions) -> Samples:
            shares = {"vocals": share, "accompaniment": 1 - share}
            windowed = segment * crossfade(4000, 3000)
            return np.stack([windowed * np.float32(shares[stem]) for stem in stems])

    return dataclasses.replace(
        FOUR, name=name, outputs=("vocals", "accompaniment"), options=SeparationOptions, engine=Engine
    )


QUIET, LOUD = two_stems("quiet", 0.2), two_stems("loud", 0.6)
PAIR = ensemble("quiet + loud", [Member(QUIET), Member(LOUD)])
NONE = {"residual": "none"}


def level(stem: Audio, mixture: Audio) -> float:
    return float(np.vdot(stem.samples, mixture.samples) / np.vdot(mixture.samples, mixture.samples))


def test_the_mean_of_two_models_stands_between_them(loader: ModelLoader) -> None:
    mixture = noise(2)
    result = separation.separate(mixture, model=PAIR, loader=loader)
    assert level(result.stems["vocals"], mixture) == pytest.approx(0.4, abs=1e-4)
    assert peak_db(result.residual.samples) <= -120


def test_weights_move_the_mean_by_stem(loader: ModelLoader) -> None:
    mixture = noise(2)
    for weights, vocals, accompaniment in (
        (("loud=3",), 0.5, 0.5),
        (("loud.vocals=0",), 0.2, 0.6),
        (("quiet.accompaniment=0", "loud.vocals=3"), 0.5, 0.4),
    ):
        stems = separation.separate(mixture, model=PAIR, options=NONE | {"weights": weights}, loader=loader).stems
        assert level(stems["vocals"], mixture) == pytest.approx(vocals, abs=1e-4)
        assert level(stems["accompaniment"], mixture) == pytest.approx(accompaniment, abs=1e-4)


@pytest.mark.parametrize("rule, expected", [("minimum", 0.2), ("maximum", 0.6), ("median", 0.4)])
def test_spectra_are_combined_by_the_rule(rule: str, expected: float, loader: ModelLoader) -> None:
    mixture = noise(3)
    stems = separation.separate(mixture, model=PAIR, options=NONE | {"combine": rule}, loader=loader).stems
    assert level(stems["vocals"], mixture) == pytest.approx(expected, abs=1e-3)
    assert stems["vocals"].n_samples == mixture.n_samples


def test_the_median_of_three_is_the_one_in_the_middle() -> None:
    members = np.array([1 + 0j, 3j, 2j], np.complex64).reshape(3, 1, 1, 1, 1)
    found = combine_spectra(members, "median", np.ones((3, 1), bool))
    total = 1 + 5j
    np.testing.assert_allclose(found.reshape(()), 2 * total / abs(total), rtol=1e-6)


def test_stems_that_not_all_have_become_the_accompaniment(loader: ModelLoader) -> None:
    """Four has vocals, drums, bass and other at 0.4 to 0.1; so its accompaniment is 0.6."""
    mixed = ensemble("quiet + four", [Member(QUIET), Member(FOUR)])
    assert mixed.outputs == ("vocals", "accompaniment")
    mixture = noise(2)
    stems = separation.separate(mixture, model=mixed, options=NONE, loader=loader).stems
    assert level(stems["vocals"], mixture) == pytest.approx(0.3, abs=1e-4)
    assert level(stems["accompaniment"], mixture) == pytest.approx(0.7, abs=1e-4)


def test_what_is_left_beside_a_shared_accompaniment_has_a_name_of_its_own(loader: ModelLoader) -> None:
    karaoke = dataclasses.replace(FOUR, name="karaoke", outputs=("lead", "accompaniment"))
    together = ensemble("e", [Member(QUIET), Member(karaoke)])
    assert together.outputs == ("accompaniment", "no_accompaniment")
    mixture = noise(1)
    result = separation.separate(mixture, model=together, options={"weights": ("karaoke=0",)}, loader=loader)
    assert level(result.stems["no_accompaniment"], mixture) == pytest.approx(0.2, abs=1e-4)


def test_each_model_of_a_bag_makes_its_own_stem(loader: ModelLoader) -> None:
    calls: list[tuple[str, ...]] = []

    def named(name: str) -> ModelSpec:
        class Engine(FakeEngine):
            def separate(self, segment: Samples, stems: Sequence[str], options: SeparationOptions) -> Samples:
                calls.append((name, *stems))
                return np.stack([segment * crossfade(4000, 3000) for _ in stems])

        return dataclasses.replace(FOUR, name=name, outputs=("vocals", "other"), engine=Engine)

    bag = ensemble("bag", specialists([(named("a"), "vocals"), (named("b"), "other")]))
    separation.separate(noise(1), model=bag, options=NONE, loader=loader)
    assert set(calls) == {("a", "vocals"), ("b", "other")}


def test_models_at_their_own_rates_stay_in_step(loader: ModelLoader) -> None:
    slow = dataclasses.replace(QUIET, name="slow", sample_rate=16000)
    mixture = noise(3, 48000)
    result = separation.separate(mixture, model=ensemble("e", [Member(slow), Member(LOUD)]), loader=loader)
    assert result.stems["vocals"].n_samples == mixture.n_samples
    assert peak_db(result.residual.samples) <= -120


def test_options_of_members_reach_them(loader: ModelLoader) -> None:
    pair = ensemble("fake + other", [Member(FAKE), Member(dataclasses.replace(FAKE, name="other"))])
    mixture = noise(1, 16000)
    stems = separation.separate(mixture, model=pair, options=NONE | {"part": 0.9}, loader=loader).stems
    assert level(stems["share"], mixture) == pytest.approx(0.9, abs=1e-4)
    with pytest.raises(InvalidOption, match="'sharpness'"):
        separation.separate(noise(0.1), model=pair, options={"sharpness": 1}, loader=loader)
    with pytest.raises(InvalidOption, match="part"):
        separation.separate(noise(0.1), model=pair, options={"part": 2}, loader=loader)


@pytest.mark.parametrize("weights", ["loud", "lout=1", "loud=-1", "loud=nan", "loud=inf", "loud.drums=1", "=1"])
def test_wrong_weights_are_refused_before_work(weights: str, loader: ModelLoader) -> None:
    with pytest.raises(InvalidOption, match="weights"):
        separation.separate(noise(0.1), model=PAIR, options={"weights": (weights,)}, loader=loader)


def test_a_stem_without_any_weight_is_refused(loader: ModelLoader) -> None:
    with pytest.raises(InvalidOption, match="vocals"):
        options = {"weights": ("loud.vocals=0", "quiet.vocals=0")}
        separation.separate(noise(0.1), model=PAIR, options=options, loader=loader)


def test_what_cannot_be_heard_together_is_refused() -> None:
    speech = dataclasses.replace(QUIET, name="speech", outputs=("speech", "noise"))
    mono = dataclasses.replace(QUIET, name="mono", n_channels=1)
    for members, message in (((QUIET, QUIET), "twice"), ((QUIET, speech), "in common"), ((QUIET, mono), "channels")):
        with pytest.raises(InvalidOption, match=message):
            ensemble("e", [Member(spec) for spec in members])
    with pytest.raises(InvalidOption, match="ensemble itself"):
        ensemble("e", [Member(PAIR), Member(FOUR)])
    with pytest.raises(UnknownModel, match="spleeter-2stems"):
        find_model("spleeter-2stem + spleeter-2stems")
    for nameless in ("", "spleeter-2stems +", f"{'long' * 999} + spleeter-2stems"):
        with pytest.raises(UnknownModel, match="Unknown model"):
            find_model(nameless)


def test_the_terms_of_the_strictest_member_hold() -> None:
    closed = dataclasses.replace(LOUD, licence=Licence("research", commercial=False))
    assert ensemble("e", [Member(QUIET), Member(closed)]).licence.commercial is False


@pytest.mark.weights
def test_a_model_of_the_catalogue_by_two_names(loader: ModelLoader) -> None:
    """The mean of a model and itself is the model: here beside a fake one that does not count."""
    real = catalogue.find("separation", "spleeter-2stems")
    pair = ensemble("e", [Member(real), Member(LOUD, (("vocals", 0.0), ("accompaniment", 0.0)))])
    mixture = noise(4)
    alone = separation.separate(mixture, model=real, options=NONE, loader=loader).stems
    together = separation.separate(mixture, model=pair, options=NONE, loader=loader).stems
    for name, stem in alone.items():
        assert decibels(stem.samples, stem.samples - together[name].samples) > 80


class Waveform:
    """A model that sees waveforms, and remembers in `heard` what it was given, in order."""

    workers = 1
    heard: list[Samples]

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self.heard = []

    def segmentation(self, options: SeparationOptions) -> WeightedSegmentation:
        return WeightedSegmentation(4000, 3000, triangle(4000))

    def separate(self, segment: Samples, stems: Sequence[str], options: SeparationOptions) -> Samples:
        self.heard.append(segment)
        return np.stack([segment * np.float32(0.25) for _ in stems])


NORMALISED = dataclasses.replace(FOUR, name="normalised", normalised=True, engine=Waveform)


def stems_of(spec: ModelSpec, engine: Waveform, blocks: object, options: dict[str, object]) -> Samples:
    chosen = parse(spec.options, options)
    plan = plan_channels(chosen, 2, spec.n_channels)
    stream = StemStream(spec, [engine], chosen, plan, spec.outputs, 44100, Progress())
    return np.concatenate([stems for _, stems in stream.run(blocks, None)], axis=-1)  # type: ignore[arg-type]


@pytest.mark.parametrize("once", [False, True])
def test_a_model_hears_the_whole_mixture_at_its_own_level(once: bool) -> None:
    """Zero mean, deviation one over the whole (Demucs' way), given back in the stems; also for a source read once."""
    mixture = noise(1).samples * 0.1 + np.float32(0.05)
    blocks = [mixture[:, :10_000], mixture[:, 10_000:]]
    engine = Waveform({}, Device("cpu", 1))
    given: Iterator[Samples] | list[Samples] = iter(blocks) if once else blocks
    stems = stems_of(NORMALISED, engine, given, NONE)
    mean, deviation = float(mixture.mean()), float(np.std(mixture.mean(axis=0), ddof=1))
    np.testing.assert_allclose(engine.heard[0], (mixture[:, :4000] - mean) / deviation, atol=1e-4)
    np.testing.assert_allclose(stems[0], (mixture - mean) * 0.25 + mean, atol=1e-6)


@pytest.mark.parametrize(
    "options, n_runs", [({"shifts": 0}, 1), ({"shifts": 3}, 3), ({"shifts": 2, "invert": True}, 4)]
)
def test_more_runs_see_other_segments_and_keep_the_place(options: dict[str, object], n_runs: int) -> None:
    mixture = noise(1).samples
    engine = Waveform({}, Device("cpu", 1))
    stems = stems_of(NORMALISED, engine, [mixture], NONE | options)
    plain = stems_of(NORMALISED, Waveform({}, Device("cpu", 1)), [mixture], NONE)
    np.testing.assert_allclose(stems, plain, atol=1e-6)  # this model does not mind where segments begin
    beginnings = {segment[:, :50].tobytes() for segment in engine.heard}
    assert len(beginnings) > 5 * n_runs / 2
    assert len(engine.heard) >= 15 * n_runs


def test_inverted_runs_undo_what_polarity_does(loader: ModelLoader) -> None:
    """A model that adds a constant adds none on the mean of both polarities."""

    class Offset(Waveform):
        def separate(self, segment: Samples, stems: Sequence[str], options: SeparationOptions) -> Samples:
            return super().separate(segment, stems, options) + np.float32(0.1)

    mixture = noise(0.5).samples
    spec = dataclasses.replace(FOUR, name="offset", engine=Offset)
    plain = stems_of(spec, Offset({}, Device("cpu", 1)), [mixture], NONE)
    both = stems_of(spec, Offset({}, Device("cpu", 1)), [mixture], NONE | {"invert": True})
    np.testing.assert_allclose(plain - both, 0.1, atol=1e-6)
    np.testing.assert_allclose(both[0], mixture * 0.25, atol=1e-6)
