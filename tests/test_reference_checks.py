"""Every check of a reference is told, passed or not, and says what enrolling would say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from signals import noise

import tts
import voiceclone
from audio_ml.audio import Audio, Samples
from audio_ml.errors import InvalidInput, ReferenceTooShort, ReferenceUnfit, UnreadableAudio
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from voiceclone.checks import TITLES, Checked, check_references
from voiceclone.reference import LanguageOf, prepare

RATE = 24000
TEXT = (
    "Where were you on Friday? We walked along the river until the lights went out, and nobody said a word. "
    "The committee will meet again in the spring, to discuss what has been learned from the experiment."
)

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def speech(loader: ModelLoader) -> Samples:
    """Ten seconds of a synthetic voice [time] at 24 kHz."""
    return tts.synthesize(TEXT, "hibari/heart", loader=loader).audio.samples[0]


def one_voice(sounds: Sequence[Audio]) -> np.ndarray:
    return np.ones((len(sounds), 1), np.float32)


def by_level(sounds: Sequence[Audio]) -> np.ndarray:
    """Hears another person where it is loud."""
    loud = [np.square(sound.samples).mean() > 1e-2 for sound in sounds]
    return np.stack([(is_loud, not is_loud) for is_loud in loud]).astype(np.float32)


def checked(samples: Samples, loader: ModelLoader, *, language_of: LanguageOf | None = None) -> Checked:
    audio = Audio(np.atleast_2d(samples).astype(np.float32), RATE)
    return check_references([audio], embed=one_voice, language_of=language_of, loader=loader, progress=Progress())


def outcomes(found: Checked) -> dict[str, str]:
    assert [check.kind for check in found.checks] == list(TITLES)
    return {check.kind: check.outcome for check in found.checks if check.outcome != "pass"}


def test_good_speech_passes_each_check_with_a_number(speech: Samples, loader: ModelLoader) -> None:
    found = checked(speech, loader, language_of=lambda _: ("en", 0.99))
    assert found.is_fit and outcomes(found) == {} and found.notes == ()
    assert found.speech_seconds == pytest.approx(speech.size / RATE, rel=0.15)
    assert all(check.value is not None and check.message.endswith(".") for check in found.checks)


def test_what_was_not_measured_is_not_passed(speech: Samples, loader: ModelLoader) -> None:
    assert outcomes(checked(speech, loader)) == {"language": "unknown"}
    unsure = checked(speech, loader, language_of=lambda _: ("es", 0.4))
    assert outcomes(unsure) == {"language": "unknown"} and unsure.is_fit
    assert outcomes(checked(speech, loader, language_of=lambda _: ("es", 0.95))) == {"language": "warn"}
    short = checked(speech[: 3 * RATE // 2], loader)
    assert outcomes(short) == {"length": "fail", "speakers": "unknown", "language": "unknown"} and not short.is_fit


def test_several_mistakes_are_told_at_once_and_as_enrolling_tells_the_first(
    speech: Samples, loader: ModelLoader
) -> None:
    added = noise(speech.size / RATE, RATE, 1, seed=3).samples[0]
    bad = np.clip(4 * (speech + added * np.float32(speech.std() / added.std() * 0.5)), -0.3, 0.3)
    found = checked(bad, loader)
    assert {kind for kind, outcome in outcomes(found).items() if outcome == "fail"} >= {"noise", "clipping"}
    with pytest.raises(ReferenceUnfit) as refused:
        prepare(Audio(bad[None].astype(np.float32), RATE), embed=one_voice, loader=loader)
    told = next(check.message for check in found.checks if check.outcome == "fail" and check.kind == "noise")
    assert str(refused.value).partition(":")[0] == told.partition(":")[0]


def test_silence_fails_in_one_sentence_and_leaves_the_rest_open(loader: ModelLoader) -> None:
    for samples, said in ((np.zeros(5 * RATE), "silent"), (noise(5, RATE, 1).samples[0], "Nobody speaks")):
        found = checked(samples, loader)
        assert outcomes(found) == {kind: "fail" if kind == "length" else "unknown" for kind in TITLES}
        with pytest.raises(ReferenceTooShort, match=said):
            prepare(Audio(np.atleast_2d(samples).astype(np.float32), RATE), loader=loader)
        assert said in found.checks[0].message


def test_two_people_fail(speech: Samples, loader: ModelLoader) -> None:
    two = Audio(np.concatenate([speech * 0.3, speech * 3])[None], RATE)
    found = check_references([two], embed=by_level, loader=loader, progress=Progress())
    with pytest.raises(ReferenceUnfit, match="More than one person") as refused:
        prepare(two, embed=by_level, loader=loader)
    assert (outcomes(found)["speakers"], found.is_fit) == ("fail", False)
    assert str(refused.value) in [check.message for check in found.checks]


def test_as_json_has_it(speech: Samples, loader: ModelLoader) -> None:
    told = checked(speech, loader).as_dict()
    assert told["is_fit"] is True and len(told["checks"]) == len(TITLES)
    assert set(told["checks"][0]) == {"kind", "title", "outcome", "value", "unit", "message"}


def test_the_verb_takes_files_and_refuses_what_is_none(tmp_path: Path, loader: ModelLoader) -> None:
    with pytest.raises(InvalidInput, match="no reference"):
        voiceclone.check([], loader=loader)
    (tmp_path / "note.wav").write_text("not a recording")
    with pytest.raises(UnreadableAudio):
        voiceclone.check(tmp_path / "note.wav", loader=loader)
