"""Stem separation: `separation.separate` in memory, `separation.separate_file` from file to files."""

from audio_ml.audio import Audio
from separation.api import Separation, check_request, output_paths, separate, separate_file
from separation.ensemble import find_model
from separation.evaluation import evaluate, evaluate_folders, evaluate_model
from separation.options import DeliveryOptions, SeparationOptions
from separation.report import SeparationReport

__all__ = [
    "Audio",
    "DeliveryOptions",
    "Separation",
    "SeparationOptions",
    "SeparationReport",
    "check_request",
    "evaluate",
    "evaluate_folders",
    "evaluate_model",
    "find_model",
    "output_paths",
    "separate",
    "separate_file",
]
