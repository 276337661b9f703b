"""The one path from a script to sound: passages -> phonemes -> pieces -> engine -> joined chunks with their words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np

from audio_ml.audio import Audio
from audio_ml.chunks import map_in_order
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.speech import SpeechChunk, SpeechWarning
from audio_ml.streams import Resampler
from tts.engine import Pronouncer, SpeechEngine, Utterance
from tts.joining import Joiner
from tts.options import DateOrder, SpeechOptions, marks
from tts.phonemes.lexicon import Lexicon
from tts.pieces import Piece, cut
from tts.reading import Passage, read_passages
from tts.script.items import Boundary, Item, Style
from tts.text.normalise import normalise
from tts.text.spoken import Token
from tts.tracing import unspoken, within_vocabulary
from tts.voices import Speaker

SLOWEST, FASTEST = 0.5, 2.0  # as the option `speed` has it


@dataclass(frozen=True, eq=False)
class _Lent:
    """A speaker with the engine that was borrowed for it, and how it reads."""

    speaker: Speaker
    engine: SpeechEngine
    options: SpeechOptions
    pronouncer: Pronouncer
    date_order: DateOrder

    @property
    def marks(self) -> bool:
        """Whether what it says gets the watermark of cloned voices."""
        return marks(self.options)

    @property
    def is_british(self) -> bool:
        return self.speaker.blend.language == "en-GB"


@dataclass(frozen=True, eq=False)
class _Task:
    """A piece (None: no more than silence), who says it and how, what follows, and what was noticed before it."""

    piece: Piece | None
    voice: _Lent
    style: Style
    seed: int
    after: Boundary | float
    warnings: tuple[SpeechWarning, ...]


class SpeechStream:
    """Speaks a script chunk by chunk, in memory that does not grow with its length.

    `speaker_of` finds the speaker of a voice that the script names (None: the one asked for), `options_for`
    the options for its model.
    """

    def __init__(
        self,
        speaker_of: Callable[[str | None], Speaker],
        options_for: Callable[[Speaker], SpeechOptions],
        lexicon: Lexicon,
        loader: ModelLoader,
        progress: Progress,
    ) -> None:
        self._speaker_of = speaker_of
        self._options_for = options_for
        self._lexicon = lexicon
        self._loader = loader
        self._progress = progress
        self._lent: dict[str, _Lent] = {}
        self._noticed: list[SpeechWarning] = []  # what the next chunk tells
        self._notes: set[str] = set()  # on voices: each is told once

    def run(self, items: Iterable[Item], script: str, written: Callable[[str], str] = str) -> Iterator[SpeechChunk]:
        """Yields the chunks of a script; `items` are what was read from the text `script`.

        `written` turns characters of it into those its writer meant ("&amp;" into "&").

        Raises:
            InvalidInput: at the end, when nothing in it could be spoken.
        """
        with ExitStack() as stack:
            first = self._lend(None, stack)
            rate = first.speaker.spec.sample_rate
            joiner = Joiner(rate, script, first.options.sentence_pause, written)
            is_silent = True
            tasks = self._tasks(items, stack)
            for task, said in map_in_order(lambda task: self._speak(task, rate), tasks, first.engine.workers):
                if task.piece is None or said is None:
                    joiner.pass_over(task.after)
                    continue
                self._progress.update("speaking", task.piece.tokens[-1].span[1] / len(script))
                chunk = joiner.add(task.piece, said, task.after, task.voice.speaker.id, task.warnings)
                yield replace(chunk, marked=task.voice.marks)
                is_silent = False
            if is_silent:
                told = f": {self._noticed[0].message}" if self._noticed else "."
                raise InvalidInput(f"Nothing in the text can be spoken{told}")
            yield joiner.finish(self._noticed)

    def _tasks(self, items: Iterable[Item], stack: ExitStack) -> Iterator[_Task]:
        main = self._lend(None, stack)
        n_pieces = 0
        for passage in read_passages(items, date_order=main.date_order, british=main.is_british):
            if isinstance(passage, SpeechWarning):
                self._noticed.append(passage)
                continue
            voice = self._lend(passage.style.voice, stack)
            self._notice_pace(passage, voice.options)
            boundary: Boundary = "word" if isinstance(passage.after, float) else passage.after
            first_limit = voice.engine.first_phonemes if n_pieces == 0 else None
            pieces = list(cut(self._tokens(passage, voice), voice.engine.max_phonemes, boundary, first_limit))
            for piece in pieces:
                self._progress.check()
                after = passage.after if piece is pieces[-1] else piece.boundary
                yield self._task(piece, voice, passage.style, n_pieces, after)
                n_pieces += 1
            if not pieces:
                yield self._task(None, voice, passage.style, n_pieces, passage.after)

    def _task(self, piece: Piece | None, voice: _Lent, style: Style, index: int, after: Boundary | float) -> _Task:
        noticed, self._noticed = self._noticed, [] if piece else self._noticed
        seed = voice.options.seed * 1_000_003 + index  # a piece sounds the same whatever came before it
        return _Task(piece, voice, style, seed, after, tuple(noticed) if piece else ())

    def _tokens(self, passage: Passage, voice: _Lent) -> list[Token]:
        """Returns the phonemes of a passage; what could not be read as it stands is noticed."""
        text = self._lexicon.apply(passage.text)
        if voice.speaker.blend.language.startswith("en"):
            text = normalise(text, date_order=voice.date_order, british=voice.is_british)
        found = voice.pronouncer.pronounce(text)
        unread = _unread(found, voice.speaker)
        read = [token for token in found if token.phonemes] if unread else found
        tokens, foreign = within_vocabulary(read, voice.engine.vocabulary, voice.speaker.spec.family)
        if not any(symbol.isalpha() for token in tokens for symbol in token.phonemes):
            tokens = []  # marks alone are no speech
        warnings = [*text.warnings, *unread, *foreign]
        self._noticed += [*warnings, *unspoken(passage.text, tokens, warnings)]
        return tokens

    def _tell_once(self, note: str) -> None:
        if note and note not in self._notes:
            self._notes.add(note)
            self._noticed.append(SpeechWarning(note))

    def _notice_pace(self, passage: Passage, options: SpeechOptions) -> None:
        wanted = options.speed * passage.style.speed
        if wanted != _speed(options, passage.style) and passage.text.text:
            message = f"A pace of {wanted:.2f} was asked for; voices speak {SLOWEST} to {FASTEST} times as fast."
            self._noticed.append(SpeechWarning(message, passage.text.span(0, len(passage.text.text))))

    def _speak(self, task: _Task, rate: int) -> tuple[_Task, Utterance | None]:
        if task.piece is None:
            return task, None
        voice, style = task.voice, task.style
        speed = _speed(voice.options, style)
        options = voice.options.model_copy(update={"speed": speed})
        said = voice.engine.speak(task.piece.phonemes, voice.speaker.blend, options, task.seed)
        if said.durations is None:
            from tts.alignment import aligned

            said = aligned(said, task.piece, voice.speaker.spec.sample_rate, self._loader, self._progress)
        if voice.marks:
            said = self._marked(said, voice.speaker.spec.sample_rate)
        gain = np.float32(10 ** ((voice.options.volume + style.volume_db) / 20))
        return task, _at_rate(replace(said, samples=said.samples * gain), voice.speaker.spec.sample_rate, rate)

    def _marked(self, said: Utterance, rate: int) -> Utterance:
        from audio_ml.watermark import mark

        return replace(said, samples=mark(Audio(said.samples, rate), self._loader, self._progress).samples)

    def _lend(self, name: str | None, stack: ExitStack) -> _Lent:
        speaker = self._speaker_of(name)
        key = f"{speaker.spec.name} {speaker.id}"  # files of one name in two folders have one id
        if speaker.cloned is not None:
            key += f" {speaker.cloned.sha256}"
        if key not in self._lent:
            engine = stack.enter_context(self._loader.use(speaker.spec, self._progress))
            options = self._options_for(speaker)
            unused = speaker.spec.unused
            self._tell_once(engine.device_note)
            self._tell_once(unused(options) if unused else "")
            natural: DateOrder = "mdy" if speaker.blend.language == "en-US" else "dmy"
            order = natural if options.date_order == "auto" else options.date_order
            pronouncer = engine.pronouncer(speaker.blend, self._lexicon)
            self._lent[key] = _Lent(speaker, engine, options, pronouncer, order)
        return self._lent[key]


def _unread(tokens: Sequence[Token], speaker: Speaker) -> list[SpeechWarning]:
    """Returns a warning for every word without phonemes, of a voice whose language the model cannot read."""
    language, reads = speaker.blend.language, speaker.spec.reads
    if reads is None or language.startswith(reads):
        return []
    reason = f"{speaker.id} speaks {language}, of which no text is read: give phonemes as [word](/phonemes/)"
    return [SpeechWarning(f"'{t.text[:40]}' is not spoken: {reason}.", t.span) for t in tokens if not t.phonemes]


def _speed(options: SpeechOptions, style: Style) -> float:
    return min(max(options.speed * style.speed, SLOWEST), FASTEST)


def _at_rate(said: Utterance, of_model: int, rate: int) -> Utterance:
    """Returns an utterance at the stream's rate, its durations to the nearest sample."""
    if of_model == rate:
        return said
    assert said.durations is not None
    resampler = Resampler(of_model, rate, 1)
    samples = np.concatenate([resampler.push(said.samples), resampler.finish()], axis=1)
    borders = np.round(np.cumsum(said.durations) * (rate / of_model)).astype(np.int64)
    return Utterance(samples, np.diff(borders, prepend=0))
