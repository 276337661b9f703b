"""The verbs of this package: `stream` and `synthesize` in memory, `synthesize_file` into a file, `estimate` before."""

from __future__ import annotations

import hashlib
import html
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_ml import loader as loaders
from audio_ml import provenance
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import InvalidInput, InvalidOption, UnknownVoice, blaming
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.provenance import Provenance
from audio_ml.speech import Speech, SpeechChunk
from tts.delivery import FileForm, SpeechReport, deliver
from tts.engine import SpeechModel
from tts.estimate import Estimate, foresee
from tts.options import SpeechFileOptions, SpeechOptions, marks
from tts.phonemes.lexicon import EMPTY, Lexicon, merge, read_lexicon
from tts.script.items import Item, Run
from tts.script.markup import read_markup, read_unmarked
from tts.script.ssml import read_ssml
from tts.stream import SpeechStream
from tts.voices import Speaker, find_speaker

LONGEST_TEXT = 5_000_000  # characters: some ninety hours of speech
OptionValues = SpeechOptions | Mapping[str, Any] | None
Model = str | SpeechModel | None


@dataclass(frozen=True, eq=False)
class _Request:
    """A request that was found to be in order."""

    text: str
    speaker: Speaker
    options: SpeechOptions
    given: Mapping[str, Any]  # the options that were named, for further models that a script calls
    lexicon: Lexicon
    cast: Mapping[str, str]
    markup: str
    items: Sequence[Item]

    def speaker_of(self, name: str | None) -> Speaker:
        """Returns the speaker of a name in the script, or of what has none."""
        return self.speaker if name is None else _named_in_script(name, self.speaker, self.cast)

    def options_for(self, speaker: Speaker) -> SpeechOptions:
        """Returns what was asked for, as far as a speaker's model knows it."""
        if speaker.spec.options is type(self.options):
            return self.options
        known = {name: value for name, value in self.given.items() if name in speaker.spec.options.model_fields}
        parsed = parse(speaker.spec.options, known)
        assert isinstance(parsed, SpeechOptions)
        return parsed

    def provenance(self, loader: ModelLoader) -> Provenance:
        """Returns what a file of this speech carries."""
        told = {"voice": self.speaker.id, **self.options.model_dump()}
        sha256 = hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()
        spec, device = self.speaker.spec, loader.device.kind
        return provenance.record(spec, told, device, "text", sha256, cloned_voices=self.cloned())

    def cloned(self) -> list[tuple[ClonedVoice, bool]]:
        """Returns the cloned voices that are heard, and whether what they say is marked."""
        names = dict.fromkeys(item.style.voice for item in self.items if isinstance(item, Run))
        speakers = [self.speaker_of(name) for name in names]
        heard = {s.cloned.sha256: (s.cloned, marks(self.options_for(s))) for s in speakers if s.cloned is not None}
        return list(heard.values())


def stream(
    text: str,
    voice: str | ClonedVoice | None = None,
    *,
    model: Model = None,
    options: OptionValues = None,
    cast: Mapping[str, str] | None = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> Iterator[SpeechChunk]:
    """Speaks a text of any length, chunk by chunk; the first comes as soon as a few words are spoken.

    Chunks follow each other without a gap, and joined they are what `synthesize` returns. `voice` is a
    voice id, a blend, a voice file (see `tts.voices.find_speaker`) or a cloned voice, `cast` the voices of the names
    that a script calls its speakers by.

    Raises:
        InvalidInput: for an empty text, markup that cannot be read, an unknown model, voice or option, or a broken
            lexicon; after the last chunk when there was nothing to speak.
        WeightsError: when the model's files cannot be had.

    >>> chunks = stream("Good morning. Here is the news.")
    >>> next(chunks).words[0].text
    'Good'
    """
    return _run(_check(text, voice, model, options, cast), loader or loaders.default(), progress or Progress())


def synthesize(
    text: str,
    voice: str | ClonedVoice | None = None,
    *,
    model: Model = None,
    options: OptionValues = None,
    cast: Mapping[str, str] | None = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> Speech:
    """Speaks a text in memory: mono audio at the model's rate, and when each of its words is heard.

    Every word of the text is among the `words`, or one of the `warnings` tells why not. Arguments and
    errors as of `stream`.

    >>> speech = synthesize("Hello there.", "hibari/heart")
    >>> [word.text for word in speech.words]
    ['Hello', 'there.']
    """
    request = _check(text, voice, model, options, cast)
    return Speech.join(_run(request, loader or loaders.default(), progress or Progress()))


def synthesize_file(
    text: str,
    path: str | os.PathLike[str],
    voice: str | ClonedVoice | None = None,
    *,
    model: Model = None,
    options: OptionValues = None,
    cast: Mapping[str, str] | None = None,
    delivery: SpeechFileOptions | Mapping[str, Any] | None = None,
    on_chunk: Callable[[SpeechChunk], None] | None = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> SpeechReport:
    """Speaks a text of any length into a file, or one for each paragraph, in memory that does not grow with the sound.

    What can be is checked before work begins, and no file appears before all are complete. The ending of
    the name says which format they have. `on_chunk` is given every chunk as it comes, to be played, say.

    Raises:
        InvalidInput, WeightsError: as `stream`.
        OutputError: when a file exists already or cannot be written.

    >>> synthesize_file("Good morning.", "morning.wav").duration_seconds            # doctest: +SKIP
    1.1
    """
    loader, progress = loader or loaders.default(), progress or Progress()
    request = _check(text, voice, model, options, cast)
    form = FileForm.of(Path(path), parse(SpeechFileOptions, delivery), request.speaker.spec.sample_rate)
    made_by = request.provenance(loader)
    chunks = _run(request, loader, progress)
    return deliver(chunks, form, made_by, voice=request.speaker.id, seed=request.options.seed, on_chunk=on_chunk)


def estimate(
    text: str,
    voice: str | ClonedVoice | None = None,
    *,
    model: Model = None,
    options: OptionValues = None,
    cast: Mapping[str, str] | None = None,
) -> Estimate:
    """Tells about how long a text will be when it is spoken, and what of it cannot be, without any model.

    Arguments and errors as of `stream`.

    >>> told = estimate("Hello there, everybody. [pause 2s] Good morning.")
    >>> told.n_words, 4 < told.seconds < 6
    (5, True)
    """
    request = _check(text, voice, model, options, cast)
    return foresee(request.items, request.speaker_of, request.options_for, request.lexicon)


def provenance_of(
    text: str,
    voice: str | ClonedVoice | None = None,
    *,
    model: Model = None,
    options: OptionValues = None,
    cast: Mapping[str, str] | None = None,
    loader: ModelLoader | None = None,
) -> Provenance:
    """Returns what a file of such a speech carries: the model, the options, and whose voices are heard in it."""
    return _check(text, voice, model, options, cast).provenance(loader or loaders.default())


def cloned_voices_in(
    text: str,
    voice: str | ClonedVoice | None = None,
    *,
    model: Model = None,
    options: OptionValues = None,
    cast: Mapping[str, str] | None = None,
) -> list[tuple[ClonedVoice, bool]]:
    """Returns the cloned voices that are heard in a text, those that it calls too, and whether they are marked."""
    return _check(text, voice, model, options, cast).cloned()


def _run(request: _Request, loader: ModelLoader, progress: Progress) -> Iterator[SpeechChunk]:
    stream = SpeechStream(request.speaker_of, request.options_for, request.lexicon, loader, progress)
    return stream.run(request.items, request.text, html.unescape if request.markup == "ssml" else str)


def _markup_of(text: str, wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "ssml" if text.lstrip("\ufeff \t\r\n").startswith(("<speak", "<?xml", "<!DOCTYPE")) else "plain"


def _read(text: str, markup: str, check_voice: Callable[[str], None]) -> list[Item]:
    if markup == "ssml":
        return list(read_ssml(text, check_voice))
    return list(read_unmarked(text) if markup == "none" else read_markup(text, check_voice))


def _named_in_script(name: str, main: Speaker, cast: Mapping[str, str]) -> Speaker:
    """Returns the speaker of a name in the script: a name of the cast, or a voice, of the same model if it has it."""
    wanted = cast.get(name.lower(), name)
    try:
        return find_speaker(wanted, main.spec)
    except (UnknownVoice, InvalidOption):
        return find_speaker(wanted)


def _check(
    text: str,
    voice: str | ClonedVoice | None,
    model: Model,
    options: OptionValues,
    cast: Mapping[str, str] | None,
) -> _Request:
    if not text.strip():
        raise InvalidInput("The text is empty: there is nothing to speak.")
    if len(text) > LONGEST_TEXT:
        raise InvalidInput(
            f"The text has {len(text):,} characters, and {LONGEST_TEXT:,} can be spoken at once: cut it into chapters."
        )
    speaker = find_speaker(voice, model)
    given = options.model_dump(exclude_unset=True) if isinstance(options, SpeechOptions) else dict(options or {})
    chosen = parse(speaker.spec.options, given)
    assert isinstance(chosen, SpeechOptions)
    lexicon = EMPTY
    with blaming("lexicon"):
        for path in chosen.lexicon:
            lexicon = merge(lexicon, read_lexicon(Path(path).expanduser()))
    known = {called.lower(): voice for called, voice in (cast or {}).items()}

    def check_voice(name: str) -> None:
        _named_in_script(name, speaker, known)

    for name in known:
        check_voice(name)
    markup = _markup_of(text, chosen.markup)
    return _Request(text, speaker, chosen, given, lexicon, known, markup, _read(text, markup, check_voice))
