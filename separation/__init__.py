"""Stem separation: `separation.separate` in memory, `separation.separate_file` from file to files."""

from audio_ml.audio import Audio
from separation.api import Separation, separate, separate_file
from separation.options import DeliveryOptions, SeparationOptions
from separation.report import SeparationReport

__all__ = [
    "Audio",
    "DeliveryOptions",
    "Separation",
    "SeparationOptions",
    "SeparationReport",
    "separate",
    "separate_file",
]
