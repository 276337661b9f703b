"""A card says of a model what its row says, one fact a line."""

from __future__ import annotations

import pytest

from audio_ml import catalogue
from ui.web.model_cards import model_card, speed_in_words


@pytest.mark.parametrize("task", ["separation", "tts", "voiceclone"])
def test_a_card_has_every_fact_of_the_row_and_one_line_each(task: str) -> None:
    for spec in catalogue.models(task):
        name, summary, makes, licence, speed, verified = model_card(spec, None).split("\n")
        assert (name, summary) == (spec.name, spec.summary)
        assert all(output.replace("_", " ") in makes for output in spec.outputs)
        assert spec.licence.name in licence
        words = {True: "commercial use allowed", False: "no commercial use", None: "not stated"}
        assert words[spec.licence.commercial] in licence
        assert speed == "Speed: not measured here yet"
        assert (spec.verified in verified) if spec.verified else verified.startswith("Not verified: ")


@pytest.mark.parametrize("speed", [0.004, 0.1, 0.96, 1.0, 2.34, 9.96, 10.4, 236.7])
def test_a_speed_is_told_to_two_digits_at_least_and_not_as_a_power_of_ten(speed: float) -> None:
    told = speed_in_words(speed).removesuffix(" times real time here")
    assert float(told) == pytest.approx(speed, rel=0.05) and "e" not in told
