"""English words to phonemes: nothing of a text is lost, and every symbol is one the models know."""

from __future__ import annotations

import subprocess
import sys
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_normalise import TEXTS

from tts.phonemes.alphabet import VOCABULARY, is_heard
from tts.phonemes.lexicon import Entry, Lexicon
from tts.phonemes.pronounce import EnglishPronouncer
from tts.text.normalise import normalise
from tts.text.scripts import is_invisible
from tts.text.spoken import Given, SpokenText, Token, plain

READERS = {british: EnglishPronouncer(british) for british in (False, True)}


def tokens(text: str, british: bool = False) -> list[Token]:
    return list(READERS[british].pronounce(plain(text)))


def phonemes(text: str, british: bool = False) -> str:
    return "".join(t.phonemes + " " * t.spaced for t in tokens(text, british)).strip()


# From the Cambridge Dictionary, written in misaki's alphabet.
@pytest.mark.parametrize(
    ("word", "american", "british"),
    [("water", "wˈɔTəɹ", "wˈɔːtə"), ("go", "ɡˌO", "ɡˌQ"), ("cat", "kˈæt", "kˈat"), ("bird", "bˈɜɹd", "bˈɜːd")],
)
def test_words_are_read_in_their_variety(word: str, american: str, british: str) -> None:
    assert phonemes(word) == american
    assert phonemes(word, british=True) == british


def test_homographs_follow_their_part_of_speech() -> None:
    read = [t.phonemes for t in tokens("I will record a record") if t.text == "record"]
    assert read[0] != read[1]
    assert read[1].startswith("ɹˈ")


def test_tokens_have_their_places_and_spaces() -> None:
    found = tokens('"Well-known," she said.')
    assert [(t.text, t.span, t.spaced) for t in found] == [
        ('"', (0, 1), False),
        ("Well-known", (1, 11), False),
        (",", (11, 12), False),
        ('"', (12, 13), True),
        ("she", (14, 17), True),
        ("said", (18, 22), False),
        (".", (22, 23), False),
    ]
    assert [t.phonemes for t in found if not t.text.isalpha() and "-" not in t.text] == ["“", ",", "”", "."]


def test_given_phonemes_stand_in_their_place_in_the_voices_variety() -> None:
    text = plain("the Xyzzy-9's end")
    text = SpokenText(text.text, text.spans, (Given(4, 13, "ɡˈOst"),))
    found = READERS[False].pronounce(text)
    assert [(t.text, t.phonemes) for t in found][1] == ("Xyzzy-9's", "ɡˈOst")
    assert READERS[True].pronounce(text)[1].phonemes == "ɡˈQst"


def test_the_lexicon_is_asked_for_parts_of_speech() -> None:
    lexicon = Lexicon((Entry("record", "ɹˈIt", pos="NN"),))
    found = EnglishPronouncer(False, lexicon).pronounce(plain("I will record a record"))
    read = [t.phonemes for t in found if t.text == "record"]
    assert read[1] == "ɹˈIt"
    assert read[0] != "ɹˈIt"


def test_words_with_a_part_of_speech_are_in_the_voices_variety() -> None:
    lexicon = Lexicon((Entry("record", "ɡˈQst", pos="NN"),))
    for british, ghost in ((False, "ɡˈOst"), (True, "ɡˈQst")):
        assert EnglishPronouncer(british, lexicon).pronounce(plain("a record"))[1].phonemes == ghost


def test_a_hyphenated_word_is_found_as_its_part_of_speech() -> None:
    text = "The co-op is a well-known shop in the co-op's house, mother-in-law."
    as_noun, as_verb = (Lexicon((Entry("co-op", "tˈɛst", pos=pos),)) for pos in ("NN", "VB"))
    found = {t.text: t.phonemes for t in EnglishPronouncer(False, as_noun).pronounce(plain(text))}
    assert found["co-op"] == "tˈɛst"
    assert found["well-known"] == tokens("well-known")[0].phonemes
    assert [t.phonemes for t in EnglishPronouncer(False, as_verb).pronounce(plain("The co-op"))] == [
        t.phonemes for t in tokens("The co-op")
    ]


@pytest.mark.parametrize(
    "word", ["bcdfg", "xzqj", "Nooooo", "shhh", "brrr", "½x", "ß", "Ærø", "w", "q1w2", "a'5", "İstanbul", "ʻokina"]
)
def test_unusual_words_are_heard(word: str) -> None:
    for british in (False, True):
        assert all(is_heard(t.phonemes) for t in tokens(word, british) if any(c.isalpha() for c in t.text))


def test_a_word_longer_than_the_network_reads_is_read_to_its_end() -> None:
    begin, end = "blorptasticfrabjous", "mimsyborogovezzle"
    whole = phonemes(begin + end)
    assert len(whole) > 0.8 * len(phonemes(begin) + phonemes(end))


def test_letters_have_their_names() -> None:
    assert phonemes("A B C").replace("ˈ", "") == "A bi si"
    assert phonemes("It was a cat").split()[2] == "ɐ"
    assert phonemes("A cat and A Dog").split()[0] == "ɐ"
    assert phonemes("take vitamin A daily").split()[2] == "ˈA"


def test_shouted_words_are_words_and_acronyms_letters() -> None:
    assert phonemes("LET US GO NOW") != ""
    assert phonemes("GIVE IT TO US").split()[1] == "ˈɪt"
    assert phonemes("the IT department").split()[1] == "ˌItˈi"


def test_the_last_period_is_a_pause_after_letters_too() -> None:
    assert phonemes("at five P.M.").endswith(".")
    assert phonemes("He likes plan B.").endswith(".")


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.booleans())
def test_every_token_of_any_text_is_heard_or_warned_of(written: str, british: bool) -> None:
    text = normalise(plain(written), british=british)
    found = READERS[british].pronounce(text)
    assert all(set(t.phonemes) <= set(VOCABULARY) for t in found)
    assert [t.span[0] for t in found] == sorted(t.span[0] for t in found)
    heard = [t.span for t in found if is_heard(t.phonemes)] + [w.span for w in text.warnings if w.span]
    at = 0
    for token in written.split():
        begin = written.index(token, at)
        at = begin + len(token)
        if any(_is_said(c) for c in token):
            assert any(first < at and begin < last for first, last in heard), (token, text.text)


def _is_said(character: str) -> bool:
    """Whether a character is a letter, a number or a symbol, and none that only draws lines, tables and lists."""
    drawing = "=~～+`´|>^¯◦▪▫●○■□◆◇►▶▸❖✦"
    is_word = unicodedata.category(character)[0] in "LNS"
    return is_word and character not in drawing and not is_invisible(character)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40), st.booleans())
def test_text_that_nobody_normalised_is_no_harm(written: str, british: bool) -> None:
    found = tokens(written, british)
    assert all(set(t.phonemes) <= set(VOCABULARY) for t in found)
    places = sorted(place for t in found for place in range(*t.span))
    assert places == [place for place, c in enumerate(written) if not c.isspace()]


def test_threads_share_one_reader_and_agree() -> None:
    texts = [f"Sentence {word} is blorptastic, said Dr Smith." for word in ("one", "two", "three", "four")] * 8
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(phonemes, texts)) == [phonemes(text) for text in texts]


def test_reading_is_quick() -> None:
    text = ("The quick brown fox jumped over the lazy dog, and many people agreed with him yesterday. " * 30)[:2000]
    seconds = []
    for _ in range(5):
        begin = time.process_time()
        tokens(text)
        seconds.append(time.process_time() - begin)
    assert min(seconds) < 1  # 0.05 on a quiet machine


def test_importing_the_alphabet_loads_nothing_heavy() -> None:
    heavy = ("torch", "onnxruntime", "hibari", "scipy")
    code = f"import sys, tts.phonemes.pronounce, tts.text.normalise; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
