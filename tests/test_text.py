"""Text with the places it comes from, sentences, the phoneme alphabet and respellings."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_ml.errors import InvalidInput
from audio_ml.speech import SpeechWarning
from tts.phonemes.alphabet import VOCABULARY, from_ipa, in_variety, is_heard, to_ipa
from tts.phonemes.respelling import from_respelling
from tts.text.sentences import sentences
from tts.text.spoken import Given, SpokenText, joined, plain, standing_for


def split(text: str) -> list[str]:
    return [text[begin:end] for begin, end in sentences(text)]


def test_a_replacement_stands_for_the_whole_of_what_it_replaces() -> None:
    text = plain("at 3 pm, sir", 100).replace(re.compile(r"3 pm"), lambda match: "three P M")
    assert text.text == "at three P M, sir"
    assert text.span(3, 8) == (103, 107)
    assert text.span(0, 2) == (100, 102)
    assert text.span(14, 17) == (109, 112)


def test_given_pronunciations_are_not_replaced_and_move_along() -> None:
    text = SpokenText("a cat 5 cat", plain("a cat 5 cat").spans, (Given(8, 11, "kˈæt"),), (SpeechWarning("w"),))
    replaced = text.replace(re.compile("cat|5"), lambda match: "feline")
    assert replaced.text == "a feline feline cat"
    assert replaced.given == (Given(16, 19, "kˈæt"),)
    assert replaced.warnings == text.warnings


def test_none_leaves_a_match_and_an_empty_match_is_never_replaced() -> None:
    text = plain("abc")
    assert text.replace(re.compile("b"), lambda match: None) is text
    assert text.replace(re.compile(r"\b"), lambda match: "x") is text


@given(st.text(max_size=30), st.integers(0, 30), st.text(alphabet="ab", max_size=4))
def test_slices_join_to_the_whole(text: str, cut: int, inserted: str) -> None:
    whole = plain(text, 7)
    cut = min(cut, len(text))
    assert joined([whole.slice(0, cut), whole.slice(cut, len(text))]) == whole
    middle = joined([whole.slice(0, cut), standing_for(inserted, (3, 9)), whole.slice(cut, len(text))])
    assert middle.text == text[:cut] + inserted + text[cut:]
    assert len(middle.spans) == len(middle.text)


SENTENCES = [
    ["Dr. Smith lives on Elm Dr.", "He left."],
    ["St. John lives on Main St.", "It is nice."],
    ["J. K. Rowling wrote it.", "I read it."],
    ["He lives in the U.S.", "He is a cook."],
    ["The U.S. Senate met."],
    ["Take fruit, e.g. apples, i.e. food.", "Eat it."],
    ["We met at 5 p.m. yesterday.", "It rained."],
    ["It ended at 5 p.m.", "They left."],
    ["It costs 3.50 in total.", "Pay now."],
    ["See example.com/a.b for it.", "Open main.py first."],
    ["Wait... what?", "Yes…", "No."],
    ["What?!", "Never!!", "Well."],
    ['"Stop!" he said.', '"Go."', "She went."],
    ["He left (at last.)", "She stayed."],
    ["Acme Inc. makes pipes.", "It is large."],
    ["Martin Luther King Jr. spoke.", "We listened."],
    ["Mr. T met Mrs. Hall.", "She smiled."],
    ["No. 5 is alive.", "No.", "He is not."],
    ["See Fig. 3 and p. 5.", "They differ."],
    ["Take vitamin C.", "It helps."],
    ["I have 3.", "He has 5."],
    ["iPhone sales rose.", "iPhone sales fell."],
    ["你好。", "我很好。"],
    ["Ask St. Peter.", "Thank Dr. Jones."],
    ["He is 6 ft. 2 in. tall.", "She is not."],
    ["Open Mon.-Fri. 9-5; Sat. 10-2.", "We rest on Sun. at home."],
    ["It has 5 sq. ft. of room.", "Look."],
    ["It dates from c. 1500.", "Est. 1920.", "Take Rt. 66 west."],
    ["Sat. morning is fine.", "We saw the Sun.", "It was hot."],
    ["He loves art.", "5 people came."],
    ["He is 6ft. 2 in. tall.", "She is not."],
    ["Take vitamin c.", "500 mg is enough."],
    ["We go with plan b.", "then we rest."],
    ["He said (plan b.)", "then left."],
    ["Ann (b. 1950) wrote vol. III and ep. 5.", "No.", "I did."],
    ["INT. HOUSE.", "He sleeps."],
]


@pytest.mark.parametrize("expected", SENTENCES)
def test_sentences_end_where_a_reader_would_end_them(expected: list[str]) -> None:
    assert [sentence for sentence in split(" ".join(expected)) if sentence] == expected


def test_lists_and_lines_that_end_early_are_sentences() -> None:
    assert split("1. First\n2. Second") == ["1. First", "2. Second"]
    assert split("- one\n- two") == ["- one", "- two"]
    assert split("Title\n\nBody text\nNext line") == ["Title", "Body text", "Next line"]
    for blank in ("\u00a0", "\u3000", "\u2028", "\x85"):
        assert split(f"Hello.\n{blank}") == ["Hello."]
    wrapped = "This line was wrapped by an editor that breaks at seventy\nColumns or so."
    assert split(wrapped) == [wrapped]


@given(st.text(alphabet=st.sampled_from("aZ .!?…\n\"')1-。"), max_size=60))
def test_sentences_cover_all_that_is_not_space_in_order(text: str) -> None:
    spans = sentences(text)
    assert all(begin < end for begin, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    covered = {place for begin, end in spans for place in range(begin, end)}
    assert all(character.isspace() or place in covered for place, character in enumerate(text))


def test_a_megabyte_is_split_in_a_moment() -> None:
    text = (
        "Mr. Smith was e.g. not amused at 5 p.m. yesterday, and 3.5 of U.S. people agreed! Why? Because...\n" * 10_000
    )
    begin = time.process_time()
    assert len(sentences(text)) == 30_000
    assert time.process_time() - begin < 10  # less than one on a quiet machine


IPA = [
    ("təˈmeɪ.t͡ʃə", "təmˈAʧə"),  # tie bar, syllable dot, diphthong, stress before its vowel
    ("/ˈfɑːðər/", "fˈɑːðəɹ"),
    ("[ɡoʊ]", "ɡO"),
    ("go", "ɡɔ"),
    ("həˈləʊ", "həlˈQ"),
    ("bɝd", "bɜɹd"),
    ("ˈbʌtn̩", "bˈʌtᵊn"),
    ("naɪ̯t", "nIt"),
    ("pi:", "piː"),
    ("aɪ piː eɪ", "I piː A"),
    ("dʒɔɪ", "ʤY"),
    ("ˈʌðɚ", "ˈʌðəɹ"),
]


@pytest.mark.parametrize(("ipa", "phonemes"), IPA)
def test_ipa_is_read_as_people_write_it(ipa: str, phonemes: str) -> None:
    assert from_ipa(ipa) == phonemes


@pytest.mark.parametrize("phonemes", ["kˈOkəɹO", "həlˈO wˈɜɹld", "ˌɪntəɹnˈæʃᵊnᵊl", "lˈɪTᵊl"])
def test_misakis_phonemes_stay_as_they_are(phonemes: str) -> None:
    assert from_ipa(phonemes) == phonemes
    assert in_variety(from_ipa(to_ipa(phonemes)), british=False).replace("ə", "ᵊ") == phonemes.replace("ə", "ᵊ")


@pytest.mark.parametrize(
    ("wrong", "told"), [("ko7", r"'7' \(symbol 3"), ("кот", "'к'"), ("", "no phonemes"), ("ˈ", "no")]
)
def test_what_is_no_phoneme_is_named_with_its_place(wrong: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        from_ipa(wrong)


@given(st.text(alphabet="abdefghijklmnoprstuvwzæðŋɑɔəɛɜɪɹʃʊʌʒθˈˌː.ˑ͡ ", max_size=20), st.booleans())
def test_whatever_is_read_is_in_the_vocabulary_and_in_the_variety(ipa: str, british: bool) -> None:
    try:
        phonemes = from_ipa(ipa)
    except InvalidInput:
        return
    assert set(phonemes) <= set(VOCABULARY)
    spoken = in_variety(phonemes, british)
    assert is_heard(spoken)
    assert set(spoken) <= set(VOCABULARY)
    assert in_variety(spoken, british) == spoken


RESPELLINGS = [
    ("koh-KOH-roh", "kOkˈOɹO"),
    ("prə-NUN-see-AY-shən", "pɹənˌʌnsiːˈAʃən"),
    ("KYT", "kˈIt"),
    ("kat", "kˈæt"),
    ("eye-LAND", "Ilˈænd"),
    ("BYOO-tee", "bjˈuːtiː"),
    ("ji-RAF", "ʤɪɹˈæf"),
    ("BUT-uhn", "bˈʌtən"),
    ("THING", "θˈɪŋ"),
]


@pytest.mark.parametrize(("respelling", "phonemes"), RESPELLINGS)
def test_respellings_follow_wikipedias_key(respelling: str, phonemes: str) -> None:
    assert from_respelling(respelling) == phonemes


@pytest.mark.parametrize("wrong", ["koh-xx", "Koh-roh", "koh--roh", "", "koh-7"])
def test_a_syllable_that_is_not_in_the_key_is_named(wrong: str) -> None:
    bad = next((s for s in wrong.split("-") if s not in ("koh", "roh")), "")
    with pytest.raises(InvalidInput, match=f"'{bad}'" if wrong else "empty"):
        from_respelling(wrong)
