"""Nothing of a text is lost on its way to the phonemes: what became of every token, and what could not be said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from audio_ml.speech import Span, SpeechWarning
from tts.text.scripts import is_invisible
from tts.text.spoken import SpokenText, Token


def within_vocabulary(
    tokens: Iterable[Token], vocabulary: frozenset[str], model: str
) -> tuple[list[Token], list[SpeechWarning]]:
    """Returns tokens with only such phonemes as the model has, and a warning for each that loses some."""
    kept, warnings = [], []
    for token in tokens:
        said = "".join(symbol for symbol in token.phonemes if symbol in vocabulary)
        kept.append(replace(token, phonemes=said))
        if said != token.phonemes:
            foreign = " ".join(dict.fromkeys(symbol for symbol in token.phonemes if symbol not in vocabulary))
            message = f"'{token.text}': {model} has no sound for {foreign}; left out."
            warnings.append(SpeechWarning(message, token.span))
    return kept, warnings


def unspoken(text: SpokenText, tokens: Iterable[Token], warned: Sequence[SpeechWarning]) -> list[SpeechWarning]:
    """Returns a warning for every token of a text that no phoneme and no other warning stands for."""
    heard = sorted([token.span for token in tokens if token.phonemes] + [w.span for w in warned if w.span])
    warnings = []
    for begin, end in _written_tokens(text.text):
        span = text.span(begin, end)
        if is_invisible(text.text[begin:end]):
            continue
        if not any(first < span[1] and span[0] < last for first, last in heard):
            warnings.append(SpeechWarning(f"'{text.text[begin:end]}' is not spoken.", span))
    return warnings


def words_of(tokens: Sequence[Token]) -> Iterator[list[int]]:
    """Yields the words of a piece as lists of places in `tokens`: what the writer put between two spaces.

    Tokens that come from one place of the text belong together, however many words they are read as.
    """
    word: list[int] = []
    for place, token in enumerate(tokens):
        if word and not belong_together(tokens[place - 1], token):
            yield word
            word = []
        word.append(place)
    if word:
        yield word


def belong_together(before: Token, token: Token) -> bool:
    """Tells whether a token is of the same word as the one before it."""
    return not before.spaced or (before.span[0] < token.span[1] and token.span[0] < before.span[1])


def as_written(script: str, tokens: Sequence[Token]) -> tuple[str, Span]:
    """Returns the characters of the script that tokens stand for, without markup between them, and their place."""
    spans: list[Span] = []
    for begin, end in sorted({token.span for token in tokens}):
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((begin, end))
    text = "".join(script[begin:end] for begin, end in spans)
    return " ".join(text.split()), (spans[0][0], spans[-1][1])


def _written_tokens(text: str) -> Iterator[Span]:
    begin = None
    for place, character in enumerate(text + " "):
        if character.isspace():
            if begin is not None:
                yield begin, place
            begin = None
        elif begin is None:
            begin = place
