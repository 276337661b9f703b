"""How good stems are, beside the true ones: `evaluate`, `evaluate_folders` and `evaluate_model`."""

from separation.evaluation.api import evaluate, evaluate_folders, evaluate_model
from separation.evaluation.scores import MEASURES, SeparationScores, StemScores, TrackScores, WindowScores

__all__ = [
    "MEASURES",
    "SeparationScores",
    "StemScores",
    "TrackScores",
    "WindowScores",
    "evaluate",
    "evaluate_folders",
    "evaluate_model",
]
