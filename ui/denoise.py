"""Cleans references for voices up with the separation engines, of which voice cloning knows nothing."""

from __future__ import annotations

from collections.abc import Callable

import separation
from audio_ml.audio import Audio
from audio_ml.catalogue import find
from audio_ml.errors import UnknownModel
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress

MODEL = "deepfilternet"
STEM = "speech"


def make_denoiser(loader: ModelLoader, model: str = MODEL) -> Callable[[Audio, Progress], Audio]:
    """Returns a function that gives the speech in a recording without the noise around it; its length is kept.

    Raises:
        UnknownModel: when there is no such model, or it does not tell speech from noise.
        WeightsError, when it is called: when the model's files cannot be had.
    """
    spec = find("separation", model)
    if STEM not in spec.outputs:
        raise UnknownModel(f"{model} does not clean speech up: {MODEL} does.")

    def denoise(audio: Audio, progress: Progress) -> Audio:
        return separation.separate(audio, model=spec, loader=loader, progress=progress).stems[STEM]

    return denoise
