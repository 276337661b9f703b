"""What English text becomes in words, against a table that was written from the language and not from the code."""

from __future__ import annotations

import re
import time
import unicodedata
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_ml.errors import InvalidInput
from tts.text.normalise import normalise
from tts.text.say_as import say_as
from tts.text.spoken import Given, SpokenText, plain

WORDS = [
    # titles, streets, abbreviations
    ("Dr. Smith lives on Elm Dr.", "Doctor Smith lives on Elm Drive."),
    ("St. John lives on Main St.", "Saint John lives on Main Street."),
    ("the Dr. is in", "the Doctor is in"),
    ("Elm Dr. is closed", "Elm Drive is closed"),
    ("Dr. No", "Doctor No"),
    ("Mr. and Mrs. Jones", "Mister and Mrs Jones"),
    ("Ms. Lee", "Miz Lee"),
    ("Dr Smith", "Doctor Smith"),
    ("Mt. Everest", "Mount Everest"),
    ("123 5th Ave.", "one hundred twenty-three fifth Avenue."),
    ("Gen. Lee vs. Gov. Fox", "General Lee versus Governor Fox"),
    ("e.g. cats, i.e. pets", "for example cats, that is pets"),
    ("cats, dogs, etc.", "cats, dogs, et cetera."),
    ("No. 5", "Number five"),
    ("#5", "number five"),
    ("Fig. 3 on p. 12", "Figure three on page twelve"),
    ("John Smith Jr. came", "John Smith Junior came"),
    ("Acme Inc. and Co.", "Acme Incorporated and Company."),
    ("approx. 5", "approximately five"),
    ("AT&T", "A.T and T"),
    ("R&D", "R and D"),
    ("w/o sugar", "without sugar"),
    ("Mon.-Fri. 9-5; Sat. 10-2.", "Monday to Friday nine to five; Saturday ten to two."),
    ("open Mon-Fri.", "open Monday to Friday."),
    ("Sat. morning", "Saturday morning"),
    ("He came Sat.", "He came Saturday."),
    ("We saw the Sun.", "We saw the Sun."),
    ("On Sun. we rest.", "On Sunday we rest."),
    ("Est. 1920", "Established nineteen twenty"),
    ("c. 1500", "circa fifteen hundred"),
    ("Rt. 66", "Route sixty-six"),
    ("He loves art. 5 people came.", "He loves art. five people came."),
    ("(art. 5)", "(article five)"),
    ("Pay the min.", "Pay the minimum."),
    ("Wait 5 min.", "Wait five minutes."),
    ("2 min. 30 sec. of rest", "two minutes thirty seconds of rest"),
    ("1 min. left", "one minute left"),
    ("twenty-one min. left", "twenty-one minutes left"),
    ("72 beats per min. at rest", "seventy-two beats per minute at rest"),
    ("Hold on a min.", "Hold on a minute."),
    ("10 or so min. away", "ten or so minutes away"),
    ("time in min. of rest", "time in minutes of rest"),
    ("a min. wage", "a minimum wage"),
    ("min. 3 items", "minimum three items"),
    ("max. and min.", "maximum and minimum."),
    ("est. 5 minutes", "estimated five minutes"),
    ("Est. value", "Estimated value"),
    ("est. 2000 people", "estimated two thousand people"),
    ("Hours: Sun. closed", "Hours: Sunday closed"),
    ("Sun. closed", "Sunday closed"),
    ("Sat or Sun then", "Saturday or Sunday then"),
    ("It was Sun—Sat", "It was Sun—Sat"),
    ("Closed: Sun. and holidays", "Closed: Sunday and holidays"),
    ("Sat & Sun closed", "Saturday and Sunday closed"),
    ("Sat. and Sun. closed", "Saturday and Sunday closed"),
    ("on Mon, Wed and Fri.", "on Monday, Wednesday and Friday."),
    ("Mon–Wed–Fri", "Monday, Wednesday, Friday"),
    ("Mon–Wed, Fri–Sun", "Monday to Wednesday, Friday to Sunday"),
    ("The Sun—Sat down", "The Sun—Sat down"),
    ("Ep. 5", "Episode five"),
    ("see vol. III", "see volume three"),
    ("Eq. (3)", "Equation (three)"),
    ("avg. 5", "average five"),
    ("Take vitamin c. 500 mg", "Take vitamin c. five hundred milligrams"),
    ("plan b. 2000 people", "plan b. two thousand people"),
    ("w/out", "without"),
    ("M&Ms", "M and M's"),
    ("INT. HOUSE", "Interior HOUSE"),
    # addresses
    ("https://example.com/a", "example dot com slash A"),
    ("Visit www.example.org.", "Visit W.W.W dot example dot org."),
    ("john.doe@example.com", "john dot doe at example dot com"),
    ("foo_bar+x9@mail.co.uk", "foo underscore bar plus X nine at mail dot co dot U.K"),
    ("example.com", "example dot com"),
    ("report_v2.pdf", "report version two dot P.D.F"),
    ("@john_doe", "at john underscore doe"),
    ("#MeToo", "hashtag Me Too"),
    ("/usr/local/bin", "slash usr slash local slash bin"),
    # Roman numerals
    ("Chapter IV", "Chapter four"),
    ("Henry VIII", "Henry the eighth"),
    ("Henry VIII's wives", "Henry the eighth's wives"),
    ("World War II", "World War two"),
    ("XIV", "fourteen"),
    ("Louis XIV", "Louis the fourteenth"),
    ("I am", "I am"),
    ("I told Mark I was late", "I told Mark I was late"),
    ("Yesterday Mark I saw you", "Yesterday Mark I saw you"),
    ("I told George I was late", "I told George I was late"),
    ("George I was crowned", "George the first was crowned"),
    ("Charles I lost his head", "Charles the first lost his head"),
    ("She told Elizabeth I that", "She told Elizabeth the first that"),
    ("George I am late", "George I am late"),
    ("John I loved her", "John I loved her"),
    ("Queen I love", "Queen I love"),
    ("Mary I'm here", "Mary I'm here"),
    ("the Mark I tank", "the Mark one tank"),
    ("Phase I trials", "Phase one trials"),
    ("a Class I felony", "a Class one felony"),
    ("Part I was the best", "Part one was the best"),
    ("He needs IV antibiotics", "He needs IV antibiotics"),
    ("on an IV now", "on an IV now"),
    ("an intravenous (IV) drug", "an intravenous (IV) drug"),
    ("Rocky IV", "Rocky four"),
    ("IV. Methods", "four. Methods"),
    ("Session IV", "Session four"),
    ("Chapters I–IV", "Chapters one to four"),
    ("Books IV and V", "Books four and five"),
    ("In Parts I, II and III, I show", "In Parts one, two and three, I show"),
    ("Parts I wrote", "Parts I wrote"),
    ("Grades C and D", "Grades C and D"),
    ("parts II, III and IV", "parts two, three and four"),
    ("George I of Greece", "George the first of Greece"),
    ("Henry I's wives", "Henry the first's wives"),
    ("Chapter I: Rain", "Chapter one: Rain"),
    ("Part I and II", "Part one and two"),
    ("Kings I & II", "Kings one and two"),
    ("the V&A", "the V and A"),
    ("MIX", "MIX"),
    ("XXX", "XXX"),
    ("WWII", "World War two"),
    ("a CD and a DVD", "a CD and a DVD"),
    ("Part I", "Part one"),
    ("MCMXCIX", "nineteen ninety-nine"),
    # formulas
    ("f(x) = 2x + 1", "f of x equals two x plus one"),
    ("f(g(x))", "f of g of x"),
    ("sin(x)", "sine of x"),
    ("P(A)", "P of A"),
    ("-x", "minus x"),
    ("(-x)", "(minus x)"),
    ("solve -x = 5", "solve minus x equals five"),
    ("the cat -a big one- ate", "the cat -a big one- ate"),
    ("x-axis", "x-axis"),
    ("2(x+1)", "two times (x plus one)"),
    ("(x+1)(x-1)", "(x plus one) times (x minus one)"),
    ("file(s)", "file(s)"),
    ("Section 2(a)", "Section two(a)"),
    ("x^2", "x squared"),
    ("a^2 + b^2", "A squared plus b squared"),
    ("a/b", "A over b"),
    ("1/x", "one over x"),
    ("an a/b test", "an A B test"),
    ("i/o", "I O"),
    ("±5", "plus or minus five"),
    ("≤ 10", "less than or equal to ten"),
    ("x ≥ 3", "x greater than or equal to three"),
    ("≈3", "about three"),
    ("π ≈ 3.14", "pi is about three point one four"),
    ("3 * 4", "three times four"),
    ("n - 1", "n minus one"),
    ("n-1", "n minus one"),
    ("b² - 4c", "b squared minus four c"),
    ("3-x", "three minus x"),
    ("plan b - do it", "plan b - do it"),
    ("2x faster", "two times faster"),
    ("h(e)llo", "h(e)llo"),
    ("a * b", "A times b"),
    ("a = sign", "a equals sign"),
    # symbols
    ("salt & pepper", "salt and pepper"),
    ("2 + 2", "two plus two"),
    ("~5", "about five"),
    ("a < b", "a less than b"),
    ("x²", "x squared"),
    ("2^10", "two to the power of ten"),
    ("10¹²", "ten to the power of twelve"),
    ("10⁻³", "ten to the power of minus three"),
    ("6.02×10²³", "six point zero two times ten to the power of twenty-three"),
    ("10⁺²", "ten to the power of plus two"),
    ("x³", "x cubed"),
    ("© 2026", "copyright twenty twenty-six"),
    ("Apple™ pie", "Apple pie"),
    ("± 5", "plus or minus five"),
    ("A → B", "A to B"),
    ("5 × 3", "five times three"),
    ("C# and C++", "C sharp and C plus plus"),
    ("π", "pi"),
    ("**bold** and _italic_", "bold and italic"),
    ("• First", "First"),
    ("wait.... what", "wait… what"),
    ("Really?!?!?!", "Really?!"),
    # emoji
    ("😀", "grinning face"),
    ("Great 👍🏽!", "Great thumbs up!"),
    ("👩\u200d💻", "woman technologist"),
    ("🇺🇸", "flag of the United States"),
    ("❤️", "red heart"),
    ("🔥🔥🔥", "fire three times"),
    ("1️⃣", "keycap one"),
    # characters
    ("ｆｕｌｌ　１２", "full twelve"),
    ("𝐛𝐨𝐥𝐝", "bold"),
    ("ﬁne", "fine"),
    ("zero\u200bwidth", "zerowidth"),
    ("cafe\u0301", "café"),
    ("it’s", "it's"),
    ("٣", "three"),
    ("na\u00adive", "naive"),
]


def words(text: str, order: Literal["mdy", "dmy", "ymd"] = "mdy", british: bool = False) -> str:
    return " ".join(normalise(plain(text), date_order=order, british=british).text.split())


@pytest.mark.parametrize(("written", "spoken"), WORDS)
def test_text_is_read_as_an_american_reads_it(written: str, spoken: str) -> None:
    assert words(written) == spoken


def test_other_scripts_are_romanised_with_a_warning() -> None:
    text = normalise(plain("Say Привет to all"))
    assert text.text == "Say Privet to all"
    (warning,) = text.warnings
    assert warning.message == "'Привет' is not in Latin script; read as 'Privet'."
    assert warning.span == (4, 10)
    assert text.span(4, 10) == (4, 10)


def test_what_has_no_reading_is_reported() -> None:
    text = normalise(plain("a \ue000 b"))
    assert "".join(text.text.split()) == "ab"
    assert [warning.span for warning in text.warnings] == [(2, 3)]


@pytest.mark.parametrize("character", ["\u200b", "\x07", "\ufeff", "\u202e", "\u00ad"])
def test_invisible_characters_are_nothing(character: str) -> None:
    text = normalise(plain(f"one{character} {character} two"))
    assert text.text.split() == ["one", "two"]
    assert not text.warnings


def test_words_that_are_read_together_stand_for_their_place() -> None:
    text = normalise(plain("Come at 3:45 pm now"))
    begin = text.text.index("three")
    assert text.span(begin, text.text.index(" now")) == (8, 15)


def test_given_pronunciations_are_left_alone() -> None:
    text = plain("5 kg and 5 kg")
    text = SpokenText(text.text, text.spans, (Given(0, 4, "fˈIv"),))
    assert normalise(text).text == "5 kg and five kilograms"


def test_letters_in_a_row_are_shortened_and_names_of_letters_warned_of() -> None:
    text = normalise(plain("so " + "b" * 60))
    assert text.text == "so bbbbbb"
    assert text.span(3, 9) == (3, 63)
    (warning,) = text.warnings
    assert warning.span == (3, 63)
    assert warning.message == "'b' stands 60 times in a row; it is read 6 times."
    for sound in ("z" * 60, "l" + "o" * 60 + "ng"):
        assert not normalise(plain(sound)).warnings
    assert normalise(SpokenText("b" * 60, plain("b" * 60).spans, (Given(0, 60, "b"),))).text == "b" * 60


def test_an_endless_word_is_cut() -> None:
    assert max(map(len, words("bcdf" * 100).split())) <= 20
    assert words("pneumonoultramicroscopicsilicovolcanoconiosis").count(" ") == 0


FRAGMENTS = st.sampled_from((
    "Dr. ", "St. ", "3:45 pm ", "$5 ", "😀", "\u200d", "\ufe0f", "é", "1/2 ", "5-10 ", "kg ", "°F", "http://a.b/c",
    "@x", "#y", " ", "\n", ".", "...", "I", "IV ", "V", "x", "'s ", '"', "“", "…", "—", "-", "1", "0", "999", ",", "%",
    "/", "\\", "&", "Привет", "你", "\u0301", "π", "½", "²", "①", "𝐛", "\x00", "\ud800", "Ⅳ", "™", "*", "_", "`", "[",
    "]", "(", ")", "<", ">", "=", "+", "~", "^", "|", "a.m.", "No. ", "A", "🇺", "🏽", "1️⃣", "May 5", "1999", "e.g. ",
    "C:\\", ".com", "1.2.3", "+1 555 ",
))  # fmt: skip
TEXTS = st.one_of(st.text(max_size=50), st.lists(FRAGMENTS | st.text(max_size=3), max_size=14).map("".join))


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(["mdy", "dmy", "ymd"]), st.booleans())
def test_any_text_becomes_letters_and_marks_that_keep_their_places(
    written: str, order: Literal["mdy", "dmy", "ymd"], british: bool
) -> None:
    text = normalise(plain(written), date_order=order, british=british)
    assert len(text.spans) == len(text.text)
    assert all(0 <= begin < end <= len(written) for begin, end in text.spans)
    assert [span[0] for span in text.spans] == sorted(span[0] for span in text.spans)
    symbols = {c for c in text.text if unicodedata.category(c)[0] in "SN"}
    assert not symbols, "digits and symbols are words"


@pytest.mark.parametrize(
    "unit",
    ["1", "a.", "1-", "a@", "/a", "1,", "IV ", "1:", "$", "Dr. ", "a-", "1/", "a.b", "**a", "5'", "100.000.", "Mon-"],
)
def test_a_text_of_four_times_the_length_takes_about_four_times_as_long(unit: str) -> None:
    def seconds(length: int) -> float:
        begin = time.process_time()
        normalise(plain((unit * length)[:length]))
        return time.process_time() - begin

    assert min(seconds(8000) for _ in range(3)) < 7 * min(seconds(2000) for _ in range(3))


SAID_AS = [
    ("AB-1", "characters", "", "A, B, dash, one"),
    ("abc", "spell-out", "", "A, B, C"),
    ("1,234", "cardinal", "", "one thousand two hundred thirty-four"),
    ("-12", "number", "", "minus twelve"),
    ("3", "ordinal", "", "third"),
    ("21st", "ordinal", "", "twenty-first"),
    ("2026", "digits", "", "two zero two six"),
    ("3/4", "fraction", "", "three quarters"),
    ("5/6/2026", "date", "mdy", "May sixth, twenty twenty-six"),
    ("5/6/2026", "date", "dmy", "June fifth, twenty twenty-six"),
    ("2026-06-05", "date", "", "June fifth, twenty twenty-six"),
    ("20260605", "date", "ymd", "June fifth, twenty twenty-six"),
    ("12/25", "date", "md", "December twenty-fifth"),
    ("25.12", "date", "dm", "December twenty-fifth"),
    ("2026-06", "date", "ym", "June twenty twenty-six"),
    ("1999", "date", "y", "nineteen ninety-nine"),
    ("May 5, 2026", "date", "", "May fifth, twenty twenty-six"),
    ("15:30", "time", "hms12", "three thirty P.M"),
    ("3:30 pm", "time", "hms24", "fifteen thirty"),
    ("2:30", "time", "", "two thirty"),
    ("555-1234", "telephone", "", "five five five, one two three four"),
    ("10kg", "unit", "", "ten kilograms"),
]


@pytest.mark.parametrize(("text", "kind", "format", "spoken"), SAID_AS)
def test_text_is_said_as_its_markup_tells(text: str, kind: str, format: str, spoken: str) -> None:
    assert say_as(text, kind, format) == spoken


NOT_OF_THE_KIND = [
    ("x", "cardinal"),
    ("31/31/2026", "date"),
    ("25:00", "time"),
    ("one", "ordinal"),
    ("call", "telephone"),
    ("1/0", "fraction"),
    ("", "characters"),
]


@pytest.mark.parametrize(("text", "kind"), NOT_OF_THE_KIND)
def test_text_that_is_none_of_its_kind_is_refused_with_its_value(text: str, kind: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(f"'{text}'")):
        say_as(text, kind)


def test_a_kind_or_a_format_that_does_not_fit_is_named() -> None:
    for text, kind, order, named in (
        ("1/1", "date", "mdy", "1/1"),
        ("5/6", "date", "xyz", "xyz"),
        ("1", "shout", "", "shout"),
    ):
        with pytest.raises(InvalidInput, match=f"'{named}'"):
            say_as(text, kind, order)
