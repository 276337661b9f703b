"""Words whose letters are drawn out: the word is heard where there is one, and no letter is dropped in silence."""

from __future__ import annotations

import pytest

from tts.phonemes.alphabet import is_heard
from tts.phonemes.pronounce import EnglishPronouncer
from tts.text.normalise import normalise
from tts.text.spoken import plain

READER = EnglishPronouncer(british=False)


def phonemes(text: str) -> str:
    return " ".join(token.phonemes for token in READER.pronounce(normalise(plain(text))))


@pytest.mark.parametrize(
    ("stretched", "usual"),
    [
        ("loooong", "long"),
        ("gooood", "good"),
        ("coooool", "cool"),
        ("goooo", "go"),
        ("soooo", "so"),
        ("Nooooo", "no"),
        ("NOOOOO", "no"),
        ("YESSSS", "yes"),
        ("yeeeesssss", "yes"),
        ("pleeeease", "please"),
        ("aaaargh", "aargh"),
        ("l" + "o" * 70 + "ng", "long"),
    ],
)
def test_a_word_that_is_drawn_out_sounds_as_the_word(stretched: str, usual: str) -> None:
    assert phonemes(stretched) == phonemes(usual)


@pytest.mark.parametrize(("letters", "times"), [("bbbbb", 5), ("kkkk", 4), ("b" * 60, 6)])
def test_letters_without_a_sound_to_hold_are_named_one_by_one(letters: str, times: int) -> None:
    assert phonemes(letters).split() == [phonemes(letters[0])] * times


@pytest.mark.parametrize(
    "letters", ["aaaaaa", "eeeee", "oooo", "uuuuu", "zzzzzzzz", "hmmmmm", "brrrr", "shhhh", "ssss"]
)
def test_sounds_that_can_be_held_are_no_names_of_letters(letters: str) -> None:
    heard = phonemes(letters)
    assert is_heard(heard)
    assert heard != phonemes(letters[0].upper())
    assert len(heard.strip("ˈ")) > 1, "one symbol is too short to be heard"


def test_acronyms_stay_letters() -> None:
    assert phonemes("AAAA") == "ˌAˌAˌAˈA"
    assert phonemes("XXX").count("ɛks") == 3


@pytest.mark.parametrize("text", ["a/b", "a^2", "a = b", "A over B", "an A plus"])
def test_the_variable_a_is_the_letter(text: str) -> None:
    assert "ˈA" in phonemes(text).split()


@pytest.mark.parametrize("text", ["A plus sign", "A plus-size shop", "a cat"])
def test_the_article_is_no_letter(text: str) -> None:
    assert phonemes(text).split()[0] == "ɐ"


def test_unknown_words_do_not_stutter() -> None:
    assert phonemes("etc.").split() == phonemes("et cetera.").split()
    assert "ɹɹ" not in phonemes("etc.")
