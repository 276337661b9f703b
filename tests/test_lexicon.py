"""Lexicons: every form they are written in, what is wrong in them, and which words of a text they are found for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audio_ml.errors import InvalidInput
from tts.phonemes.alphabet import from_ipa
from tts.phonemes.lexicon import EMPTY, Entry, Lexicon, merge, read_lexicon
from tts.text.spoken import Given, SpokenText, plain

PLS = """<?xml version="1.0" encoding="UTF-8"?>
<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en-US">
  <lexeme><grapheme>tomato</grapheme><grapheme>Tomatoe</grapheme><phoneme>təˈmɑːtəʊ</phoneme></lexeme>
  <lexeme><grapheme>W3C</grapheme><alias>World Wide Web Consortium</alias></lexeme>
  <lexeme role="claws:VB"><grapheme>record</grapheme><phoneme>rɪˈkɔːd</phoneme></lexeme>
</lexicon>"""


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def found(lexicon: Lexicon, text: str) -> list[tuple[str, str]]:
    spoken = lexicon.apply(plain(text))
    return [(spoken.text[g.begin : g.end], g.phonemes) for g in spoken.given]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "word,ipa\nNguyen,/wɪn/\nlive,lɪv\n"),
        ("b.csv", "\ufeffword,pos,ipa\n# a comment\n\nNguyen,,wɪn\nlive,,lɪv\n"),
        ("c.csv", "Nguyen,/wɪn/\nlive,LIV\n"),
        ("d.csv", "Word;Phonemes\nNguyen;wˈɪn\nlive;lˈɪv\n"),
        ("e.tsv", "word\trespelling\tnote\nNguyen\tWIN\tname\nlive\tLIV\t\n"),
        ("f.json", json.dumps({"Nguyen": "/wɪn/", "live": {"respelling": "LIV"}})),
        ("g.json", json.dumps([{"word": "Nguyen", "ipa": "wɪn"}, {"word": "live", "phonemes": "lˈɪv"}])),
        ("h.csv", "word,ipa\r\nNguyen,wɪn\r\nlive,lɪv\r\n".encode("utf-16")),
    ],
)
def test_every_form_of_table_gives_the_same_words(tmp_path: Path, name: str, content: str | bytes) -> None:
    lexicon = read_lexicon(write(tmp_path, name, content))
    bare = [(entry.word, entry.phonemes.replace("ˈ", "")) for entry in lexicon.entries]
    assert bare == [("Nguyen", "wɪn"), ("live", "lɪv")]


def test_pls_gives_graphemes_aliases_and_roles(tmp_path: Path) -> None:
    lexicon = read_lexicon(write(tmp_path, "a.pls", PLS))
    assert found(lexicon, "Tomatoe and TOMATO") == [("Tomatoe", "təmˈɑːtQ"), ("TOMATO", "təmˈɑːtQ")]
    text = lexicon.apply(plain("the W3C's site"))
    assert text.text == "the World Wide Web Consortium's site"
    assert text.span(4, 29) == (4, 7)
    assert lexicon.find("record", "VBD") == from_ipa("rɪˈkɔːd")
    assert lexicon.find("record", "NN") is None


def test_words_match_whole_and_in_any_case_unless_they_have_capitals_inside() -> None:
    lexicon = Lexicon((Entry("kokoro", "kˈOkəɹO"), Entry("SQL", "sˈikwəl"), Entry("C++", "sˌi plˈʌs")))
    assert found(lexicon, "Kokoro, KOKORO kokoros") == [("Kokoro", "kˈOkəɹO"), ("KOKORO", "kˈOkəɹO")]
    assert found(lexicon, "SQL sql MySQL") == [("SQL", "sˈikwəl")]
    assert found(lexicon, "in C++, c++!") == [("C++", "sˌi plˈʌs"), ("c++", "sˌi plˈʌs")]


def test_the_longest_of_several_words_counts() -> None:
    lexicon = Lexicon((Entry("New", "nˈu"), Entry("New  York City", "ˈɛn wˌI sˈi"), Entry("New York", "ˈɛn wˌI")))
    assert found(lexicon, "new york  city new York New") == [
        ("new york  city", "ˈɛn wˌI sˈi"),
        ("new York", "ˈɛn wˌI"),
        ("New", "nˈu"),
    ]


@pytest.mark.parametrize(
    ("word", "phonemes", "possessive"),
    [("Ann", "ˈæn", "ˈænz"), ("Pat", "pˈæt", "pˈæts"), ("Jess", "ʤˈɛs", "ʤˈɛsᵻz"), ("Lee", "lˈi", "liz")],
)
def test_a_possessive_has_the_ending_of_its_sound(word: str, phonemes: str, possessive: str) -> None:
    lexicon = Lexicon((Entry(word, phonemes),))
    (heard,) = found(lexicon, f"{word}’s hat")
    assert heard == (f"{word}’s", phonemes + possessive.removeprefix(phonemes)[-2:].replace("iz", "z"))


def test_phonemes_that_are_given_already_win() -> None:
    text = plain("cat cat")
    text = SpokenText(text.text, text.spans, (Given(0, 3, "kˈɑt"),))
    assert Lexicon((Entry("cat", "kˈæt"),)).apply(text).given == (Given(0, 3, "kˈɑt"), Given(4, 7, "kˈæt"))


def test_a_word_with_parts_of_speech_is_left_to_them() -> None:
    lexicon = Lexicon((Entry("live", "lˈɪv"), Entry("live", "lˈIv", pos="JJ")))
    assert found(lexicon, "live") == []
    assert lexicon.find("live", "JJ") == "lˈIv"
    assert lexicon.find("live", "VB") == "lˈɪv"
    assert lexicon.find("lives", "VBZ") is None


def test_the_later_lexicon_counts() -> None:
    both = merge(Lexicon((Entry("a b", "ˈA"), Entry("x", "ˈɛks"))), Lexicon((Entry("A b", "bˈi"),)))
    assert found(both, "a b x") == [("a b", "bˈi"), ("x", "ˈɛks")]
    assert EMPTY.apply(plain("x")) == plain("x")


def test_all_bad_rows_are_told_with_their_word_and_reason(tmp_path: Path) -> None:
    rows = "word,pos,ipa\ngood,,ɡʊd\nbad,,bæ7\n,,x\nverbish,verbb,vɜb\nnone,,\nmany words,verb,wɜdz\nx,,a,b\n"
    with pytest.raises(InvalidInput) as caught:
        read_lexicon(write(tmp_path, "a.csv", rows))
    message = str(caught.value)
    assert "\n" not in message
    for told in (
        "row 3, 'bad': '7' (symbol 3",
        "row 4, '': there is no word",
        "row 5, 'verbish': 'verbb' is no part of speech",
        "row 6, 'none': there is no pronunciation",
        "row 7, 'many words'",
        "row 8, 'x': 'b' stands beyond the last column",
    ):
        assert told in message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'word,ipa\n"two\nlines",7\n'),
        ("b.csv", 'word,ipa\nx,a,"two\nlines"\n'),
        ("c.csv", 'word,pos,ipa\nx,"two\nlines",a\n'),
        ("d.csv", 'word,"two\nlines",ipa\nx,y,a\n'),
        ("e.json", json.dumps([{"word": "x", "two\nlines": "y"}])),
    ],
)
def test_text_of_several_lines_is_told_in_one(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(InvalidInput, match="two lines") as caught:
        read_lexicon(write(tmp_path, name, content))
    assert "\n" not in str(caught.value)


def test_ten_bad_rows_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"row 11, .*; and 5 more\.$"):
        read_lexicon(write(tmp_path, "a.csv", "word,ipa\n" + "x,7\n" * 15))


BOMB = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><lexicon><lexeme><grapheme>&b;</grapheme></lexeme></lexicon>'
EXTERNAL = '<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/hostname">]><lexicon><lexeme><grapheme>&a;</grapheme></lexeme></lexicon>'


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.pls", BOMB, "refused"),
        ("b.pls", EXTERNAL, "refused"),
        ("n.pls", "<!DOCTYPE lexicon><lexicon/>", "refused"),
        ("c.pls", "<lexicon>", "is no XML"),
        ("d.pls", "<speak/>", "no PLS lexicon"),
        ("e.json", "{", "is no JSON"),
        ("f.json", '[{"word": "x", "ipaa": "x"}]', "unknown field 'ipaa'. Did you mean 'ipa'"),
        ("g.json", '[["x", "y"]]', "entry 1"),
        ("h.csv", "word,ippa\nx,y\n", "unknown column 'ippa'. Did you mean 'ipa'"),
        ("i.csv", "a,b,c\n", "no column 'word'"),
        ("j.csv", b"word,ipa\nx,\xff\xfa\n", "not text"),
        ("k.csv", b"word,ipa\nx\0,a\n", "not text"),
        ("l.csv", b"word,ipa\n" + b"#" * 5_000_001, "more than 5 MB"),
        ("m.docx", b"", "a lexicon is a .csv"),
    ],
)
def test_a_file_that_is_no_lexicon_is_refused_in_one_line(
    tmp_path: Path, name: str, content: str | bytes, told: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_lexicon(write(tmp_path, name, content))
    assert told in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.csv: cannot be read"):
        read_lexicon(tmp_path / "none.csv")
