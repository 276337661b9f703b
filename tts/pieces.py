"""Cuts the phonemes of a sentence into pieces that a model can take, at the places that are heard least."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tts.script.items import Boundary
from tts.text.spoken import Token
from tts.tracing import belong_together

SENTENCE_MARKS = frozenset(".!?…")
CLAUSE_MARKS = frozenset(",;:—–")
LEAST_SHARE = 0.4  # of the limit: a mark further back is passed over for a nearer, lesser place


@dataclass(frozen=True)
class Piece:
    """Tokens that are spoken in one go, what kind of place follows them, and whether it is inside a word."""

    tokens: tuple[Token, ...]
    boundary: Boundary
    is_torn: bool = False

    @property
    def phonemes(self) -> str:
        """What a model is given: the tokens' phonemes, with a space where the text had one."""
        return _laid_out(self.tokens)[0]

    @property
    def places(self) -> list[range]:
        """Which symbols of `phonemes` are those of each token."""
        return _laid_out(self.tokens)[1]


def _laid_out(tokens: Sequence[Token]) -> tuple[str, list[range]]:
    phonemes, places, space_due = "", [], False
    for token in tokens:
        if token.phonemes and space_due and phonemes:
            phonemes += " "
        space_due = token.spaced or (space_due and not token.phonemes)
        places.append(range(len(phonemes), len(phonemes) + len(token.phonemes)))
        phonemes += token.phonemes
    return phonemes, places


def cut(tokens: Sequence[Token], limit: int, boundary: Boundary, first_limit: int | None = None) -> Iterator[Piece]:
    """Yields pieces of `limit` symbols at most (the first one `first_limit`), the last of which ends in `boundary`.

    Cuts are made behind the end of a sentence, else of a clause, else of a word, and inside a word only
    where it is longer than a piece. Nothing is left out, and pieces of one sentence are of about one length.
    """
    rest = [part for token in tokens for part in _fitting(token, min(limit, first_limit or limit))]
    allowed = first_limit or limit
    while rest:
        length = len(_laid_out(rest)[0])
        if length <= allowed:
            yield Piece(tuple(rest), boundary)
            return
        aim = length / -(-length // limit) if allowed == limit else min(allowed, length / 2)
        n_tokens, kind = _best_cut(rest, allowed, aim)
        yield Piece(tuple(rest[:n_tokens]), kind, belong_together(rest[n_tokens - 1], rest[n_tokens]))
        rest, allowed = rest[n_tokens:], limit


def _best_cut(tokens: Sequence[Token], allowed: int, aim: float) -> tuple[int, Boundary]:
    """Returns after how many tokens to cut, and what kind of place that is.

    What the writer put between two spaces is torn apart only where there is no other place.
    """
    places: dict[Boundary, list[tuple[float, int]]] = {"sentence": [], "clause": [], "word": []}
    length, last_fitting = 0, 1
    for count, token in enumerate(tokens, start=1):
        length += len(token.phonemes)
        if length > allowed:
            break
        last_fitting = count
        if token.spaced:
            if count == len(tokens) or not belong_together(token, tokens[count]):
                kind: Boundary = _kind(token) if length >= LEAST_SHARE * aim else "word"
                places[kind].append((abs(aim - length), count))
            length += 1
    for best, found in places.items():
        if found:
            return min(found)[1], best
    return last_fitting, "word"


def _kind(token: Token) -> Boundary:
    marks = token.phonemes.rstrip('"”’)')[-1:]
    return "sentence" if marks in SENTENCE_MARKS else "clause" if marks in CLAUSE_MARKS else "word"


def _fitting(token: Token, limit: int) -> Iterator[Token]:
    """Yields a token, in parts where it alone is longer than a piece."""
    if len(token.phonemes) <= limit:
        yield token
        return
    n_parts = -(-len(token.phonemes) // limit)
    size = -(-len(token.phonemes) // n_parts)
    for begin in range(0, len(token.phonemes), size):
        is_last = begin + size >= len(token.phonemes)
        yield replace(token, phonemes=token.phonemes[begin : begin + size], spaced=token.spaced and is_last)
