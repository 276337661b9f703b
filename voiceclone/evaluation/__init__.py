"""How good cloning is, by judges that no voice is made with: `evaluate_clones` and `evaluate_conversions`."""

from voiceclone.evaluation.clones import Clone, CloneEvaluation, evaluate_clones, stream_clones
from voiceclone.evaluation.conversions import Conversion, ConversionEvaluation, evaluate_conversions
from voiceclone.evaluation.subjects import Subject, read_sentences, read_subjects, shares

__all__ = [
    "Clone",
    "CloneEvaluation",
    "Conversion",
    "ConversionEvaluation",
    "Subject",
    "evaluate_clones",
    "evaluate_conversions",
    "read_sentences",
    "read_subjects",
    "shares",
    "stream_clones",
]
