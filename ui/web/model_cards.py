"""What a card says of a model: the label of a choice among models, line by line (styles: elements/model-cards.css)."""

from __future__ import annotations

from audio_ml.catalogue import ModelSpec

COMMERCIAL = {True: "commercial use allowed", False: "no commercial use", None: "commercial use not stated"}


def model_card(spec: ModelSpec, speed: float | None) -> str:
    """Returns the lines of a card: name, what it does, makes, its licence, `speed`, whether it was verified.

    `speed` is in times real time, as `GET /v1/models` measures it on this machine; None where no job ran yet.

    >>> from audio_ml import catalogue
    >>> print(model_card(catalogue.find("separation", "spleeter-2stems"), 24.2).rpartition(" on ")[0])
    spleeter-2stems
    Vocals and accompaniment: fast, light, good for most songs.
    Makes: vocals, accompaniment
    Licence: MIT, commercial use allowed
    Speed: 24 times real time here
    Verified with its published weights
    """
    return "\n".join(
        (
            spec.name,
            spec.summary,
            f"Makes: {', '.join(name.replace('_', ' ') for name in spec.outputs)}",
            f"Licence: {spec.licence.name}, {COMMERCIAL[spec.licence.commercial]}",
            f"Speed: {speed_in_words(speed)}",
            verified_in_words(spec),
        )
    )


def speed_in_words(speed: float | None) -> str:
    """Returns how fast a model was on this machine.

    >>> speed_in_words(24.2), speed_in_words(0.625), speed_in_words(None)
    ('24 times real time here', '0.62 times real time here', 'not measured here yet')
    """
    if speed is None:
        return "not measured here yet"
    return f"{speed:.0f} times real time here" if speed >= 10 else f"{speed:.2g} times real time here"


def verified_in_words(spec: ModelSpec) -> str:
    """Returns whether a model was run with its published weights, and if not, why."""
    if spec.verified:
        return f"Verified with its published weights on {spec.verified}"
    return "Not verified: its published weights could not be had"
