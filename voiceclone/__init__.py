"""Voice cloning: a few seconds of somebody's speech, with their consent, become a voice.

It speaks text (`clone`), and recordings of others are turned into it (`convert`).

>>> import tts, voiceclone                                                                    # doctest: +SKIP
>>> anna = voiceclone.enroll("anna.wav", "anna", "Anna Smith, 2026-11-26, temp ADR")          # doctest: +SKIP
>>> voiceclone.clone("Good morning.", anna, speaker=tts.VoiceSpeaker()).marked                # doctest: +SKIP
True
"""

from audio_ml.cloned_voice import ClonedVoice, Consent
from voiceclone.api import check, clone, clone_stream, convert, enroll
from voiceclone.options import CloneOptions, EnrolOptions

__all__ = [
    "CloneOptions",
    "ClonedVoice",
    "Consent",
    "EnrolOptions",
    "check",
    "clone",
    "clone_stream",
    "convert",
    "enroll",
]
