"""The record that somebody agreed to have their voice cloned: who, when and for what, in writing or also spoken."""

from __future__ import annotations

import datetime
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np

from audio_ml.audio import Audio
from audio_ml.cloned_voice import Consent, VoiceRefused
from audio_ml.errors import ConsentMissing, MissingDependency
from audio_ml.hashing import file_sha256
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.spoken_words import spoken_words
from audio_ml.streams import AudioReader, show
from audio_ml.word_errors import count_errors

EXAMPLE = "Anna Smith, 2026-11-26, temp ADR for reel 3"
LONGEST_SECONDS = 120.0
MOST_SHOWN = 80  # characters
LEAST_LIKE = 0.7  # cosine of GE2E: recordings of one person .81 and more even with noise, of two people .64 and less
LEAST_HEARD = 0.7  # of the words of the sentence: Whisper may mishear names
LEAST_OF_PART = 0.5  # of the words of the purpose, and of the name
LEAST_OF_WORD = 0.75  # of its letters: "podcast" for "podcasts"
SAY_LITTLE = frozenset(spoken_words("a an the and or of for to in on at my our their 0 1 2 3 4 5 6 7 8 9 10"))
AGREEING = "agree"
BETWEEN = spoken_words("that my voice is cloned")  # and what the purpose is
REFUSING = frozenset(
    spoken_words(
        "not no nor never neither none nobody nothing without unless cannot dont wont refuse refused refuses disagree "
        "disagreed decline declined deny denied object forbid forbidden withdraw withdrawn revoke revoked prohibit"
    )
)
KEYS = {"who": "who", "name": "who", "when": "when", "date": "when", "for": "purpose", "purpose": "purpose"}

_LINE = re.compile(r"\s*(?P<who>.*?\S)\s*[,;]\s*(?P<when>\d{4}-\d{2}-\d{2})\s*[,;]\s*(?P<purpose>\S.*?)\s*")
_KEYED = re.compile(rf"\s*(?P<key>{'|'.join(KEYS)})\s*:\s*(?P<value>\S.*?)\s*", re.IGNORECASE)


def parse_consent(text: str) -> Consent:
    """Returns the consent that a text gives: `WHO, YYYY-MM-DD, FOR WHAT` in one line, or lines who:, when: and for:.

    The text as a whole is its statement; characters that cannot be printed become spaces.

    Raises:
        ConsentMissing: when it does not say who, when and for what, or is dated in the future.

    >>> parse_consent("Anna Smith, 2025-11-26, temp ADR for reel 3").purpose
    'temp ADR for reel 3'
    """
    found: dict[str, str] = {}
    lines = ["".join(c if c.isprintable() else " " for c in line) for line in text.lstrip("\ufeff").splitlines()]
    for line in lines:
        keyed, whole = _KEYED.fullmatch(line), _LINE.fullmatch(line)
        if keyed:
            found.setdefault(KEYS[keyed["key"].lower()], keyed["value"])
        elif whole and not found:
            found = whole.groupdict()
    missing = [told for key, told in (("who", "who"), ("when", "when"), ("purpose", "for what")) if key not in found]
    if missing:
        raise ConsentMissing(
            f"The consent does not say {' and '.join(missing)}: write '{EXAMPLE}', or lines that begin with who:, "
            "when: and for:."
        )
    try:
        consent = Consent(**found, statement="\n".join(lines).strip(), checked="written")
    except VoiceRefused as error:
        raise ConsentMissing(f"The consent cannot be taken: {error.reason}.") from error
    if datetime.date.fromisoformat(consent.when) > datetime.date.today() + datetime.timedelta(days=1):
        raise ConsentMissing(f"The consent is dated {consent.when}, which is still to come.")
    return consent


def sentence_of(consent: Consent) -> str:
    """Returns the sentence that a recording of the consent says.

    >>> sentence_of(parse_consent("Anna Smith, 2025-11-26, temp ADR"))
    'I, Anna Smith, agree that my voice is cloned for temp ADR.'
    """
    return f"I, {consent.who}, agree that my voice is cloned for {consent.purpose.rstrip('.')}."


def with_recording(
    consent: Consent,
    recording: str | os.PathLike[str],
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> Consent:
    """Returns the consent with its recording on record: its sha256, and whether it says the sentence.

    Where the judge of words is not installed, it is not heard, and the record says so.

    Raises:
        ConsentMissing: when the recording says something else.
        UnreadableAudio: when it is no recording.
    """
    audio = read_recording(recording)
    if progress is not None:
        progress.update("hearing the consent", 0.0)
    checked = _checked(consent, _heard_in(audio, loader, progress), show(recording))
    return replace(consent, recording_sha256=file_sha256(recording), checked=checked)


def check_speaker(
    recording: str | os.PathLike[str],
    reference: Audio,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> None:
    """Raises `ConsentMissing` when the consent is spoken by another voice than the reference's."""
    from voiceclone.encoders import embeddings

    theirs, wanted = (embeddings(audio, loader, progress)["ge2e"] for audio in (read_recording(recording), reference))
    likeness = float(theirs @ wanted)
    if likeness < LEAST_LIKE:
        raise ConsentMissing(
            f"The consent in {show(recording)} is spoken by another voice than the reference's (they are "
            f"{likeness:.2f} alike, one person's recordings {LEAST_LIKE} or more): who is cloned has to agree."
        )


def read_recording(recording: str | os.PathLike[str]) -> Audio:
    """Returns the recording of a consent, its first two minutes; raises `UnreadableAudio`."""
    reader = AudioReader(recording, duration_seconds=LONGEST_SECONDS)
    return Audio(np.concatenate(list(reader), axis=1), reader.info.sample_rate)


def _heard_in(audio: Audio, loader: ModelLoader | None, progress: Progress | None) -> str | None:
    """Returns what a recording says, or None where nothing here can hear it."""
    from audio_ml.judges.whisper import transcribe

    try:
        return transcribe(audio, loader, progress)
    except MissingDependency:
        return None


def _checked(consent: Consent, heard: str | None, named: str) -> str:
    if heard is None:
        return "recorded, not checked: pip install 'audio-ml[judges]' has it heard"
    sentence, words = sentence_of(consent), spoken_words(heard)
    share = _share(spoken_words(sentence), words)
    problem = _against(consent, words) or ("" if share >= LEAST_HEARD else "that is something else")
    if problem:
        raise ConsentMissing(
            f"{named} is to say '{sentence}', but '{show(heard[:MOST_SHOWN])}' was heard, and {problem}: record the "
            "sentence and no more, or give the consent in writing alone."
        )
    is_named = _share(spoken_words(consent.who), words) >= LEAST_OF_PART
    return f"recorded, and {share:.0%} of the sentence heard by Whisper" + ("" if is_named else ", but not the name")


def _against(consent: Consent, words: Sequence[str]) -> str:
    """Returns why what was heard is no consent however much of the sentence it has, or "".

    One word more makes a refusal of it, and all but the purpose may be the same for another purpose.
    """
    wanted = Counter(spoken_words(sentence_of(consent)))
    refusing = [word for word in (Counter(words) - wanted) if word in REFUSING]
    if refusing:
        return f"'{refusing[0]}' may refuse"
    if Counter(words)[AGREEING] < wanted[AGREEING]:
        return f"'{AGREEING}' is missing"
    behind = words[words.index(AGREEING) + len(BETWEEN) + 1 :]
    return "" if _tells(spoken_words(consent.purpose), behind) else "the purpose is another"


def _tells(purpose: Sequence[str], words: Sequence[str]) -> bool:
    """Tells whether enough of the words that say something of a purpose were heard, as they are or nearly so.

    >>> _tells(["podcasts"], ["podcast"]), _tells(["temp", "adr", "for", "reel"], ["advertising", "for", "reel"])
    (True, False)
    """
    heard = {*words, *map("".join, pairwise(words))}
    telling = [word for word in purpose if word not in SAY_LITTLE] or purpose
    told = [_is_near(word, heard) for word in telling]
    for place, pair in enumerate(map("".join, pairwise(telling))):
        if _is_near(pair, heard):
            told[place : place + 2] = [True, True]
    return sum(told) >= LEAST_OF_PART * len(told)


def _is_near(word: str, heard: Iterable[str]) -> bool:
    return any(SequenceMatcher(None, word, other).ratio() >= LEAST_OF_WORD for other in heard)


def _share(wanted: Sequence[str], heard: Sequence[str]) -> float:
    """Returns how much of these words was heard; more may be said."""
    errors = count_errors(wanted, heard)
    return 1 - (errors.substitutions + errors.deletions) / max(len(wanted), 1)
