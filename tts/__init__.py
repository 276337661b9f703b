"""Text to speech: `synthesize` a text, `stream` it, or `synthesize_file`.

>>> import tts
>>> tts.synthesize("Good morning.").audio.sample_rate
24000
"""

from audio_ml.speech import Speech, SpeechChunk, SpeechWarning, Word
from tts.api import estimate, stream, synthesize, synthesize_file
from tts.cloned_speech import VoiceSpeaker
from tts.delivery import SpeechReport
from tts.estimate import Estimate
from tts.options import SpeechFileOptions, SpeechOptions
from tts.phonemes.symbols import spell
from tts.voices import find_speaker, list_voices

__all__ = [
    "Estimate",
    "Speech",
    "SpeechChunk",
    "SpeechFileOptions",
    "SpeechOptions",
    "SpeechReport",
    "SpeechWarning",
    "VoiceSpeaker",
    "Word",
    "estimate",
    "find_speaker",
    "list_voices",
    "spell",
    "stream",
    "synthesize",
    "synthesize_file",
]
