"""Sentences are cut within the limit of a model, at the places that are heard least, and nothing is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tts.pieces import cut
from tts.text.spoken import Token


def tokens_of(words: list[str]) -> list[Token]:
    position, tokens = 0, []
    for word in words:
        tokens.append(Token(word, word, (position, position + len(word)), spaced=True))
        position += len(word) + 1
    return tokens


WORDS = st.lists(st.text("abcdef,.;", min_size=1, max_size=90), min_size=1, max_size=60)


@given(WORDS, st.integers(20, 70), st.integers(10, 20))
def test_nothing_is_lost_and_every_piece_fits(words: list[str], limit: int, first: int) -> None:
    pieces = list(cut(tokens_of(words), limit, "sentence", first))
    assert "".join(t.phonemes for piece in pieces for t in piece.tokens) == "".join(words)
    assert len(pieces[0].phonemes) <= first
    assert all(0 < len(piece.phonemes) <= limit for piece in pieces)
    assert pieces[-1].boundary == "sentence"


@given(WORDS)
def test_symbols_lie_where_their_token_says(words: list[str]) -> None:
    for piece in cut(tokens_of(words), 70, "clause"):
        for token, place in zip(piece.tokens, piece.places, strict=True):
            assert piece.phonemes[place.start : place.stop] == token.phonemes


def test_a_sentence_that_fits_is_one_piece() -> None:
    (piece,) = cut(tokens_of(["one", "two.", "three"]), 14, "paragraph")
    assert (piece.phonemes, piece.boundary) == ("one two. three", "paragraph")


def test_the_end_of_a_sentence_goes_before_a_comma_and_a_comma_before_a_space() -> None:
    words = ["aaaa", "aaaa,", "aaaa", "aaaa.", "aaaa", "aaaa", "aaaa,", "aaaa", "aaaa"]
    pieces = list(cut(tokens_of(words), 35, "sentence"))
    assert [piece.phonemes for piece in pieces] == ["aaaa aaaa, aaaa aaaa.", "aaaa aaaa aaaa, aaaa aaaa"]
    assert [piece.boundary for piece in pieces] == ["sentence", "sentence"]
    pieces = list(cut(tokens_of(["aaaa", "aaaa", "aaaa,", "aaaa", "aaaa", "aaaa"]), 20, "sentence"))
    assert [piece.boundary for piece in pieces] == ["clause", "sentence"]
    pieces = list(cut(tokens_of(["aaaa", "aaaa", "aaaa", "aaaa"]), 10, "sentence"))
    assert [piece.boundary for piece in pieces] == ["word", "sentence"]


def test_pieces_of_a_long_sentence_are_of_about_one_length() -> None:
    lengths = [len(piece.phonemes) for piece in cut(tokens_of(["aaaa"] * 100), 400, "sentence")]
    assert max(lengths) - min(lengths) <= 10


def test_a_first_piece_is_not_cut_when_the_sentence_is_short() -> None:
    (piece,) = cut(tokens_of(["short", "one."]), 100, "sentence", 20)
    assert piece.phonemes == "short one."


def test_words_that_stand_for_one_token_are_spoken_together() -> None:
    number = [Token("one", "one", (4, 12), spaced=True) for _ in range(8)]  # "12345678" as eight words
    tokens = [Token("tel", "tel", (0, 3), spaced=True), *number, Token("end", "end", (13, 16), spaced=False)]
    first, *rest = cut(tokens, 60, "sentence", first_limit=20)
    assert first.phonemes == "tel" and rest[0].tokens[:8] == tuple(number)
