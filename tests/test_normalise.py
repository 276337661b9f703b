"""What English text becomes in words, against a table that was written from the language and not from the code."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_ml.errors import InvalidInput
from tts.text.normalise import normalise
from tts.text.say_as import say_as
from tts.text.spoken import Given, SpokenText, plain

AMERICAN = [
    # times of day
    ("See you at 3:45 pm", "See you at three forty-five P.M"),
    ("15:30", "fifteen thirty"),
    ("3pm", "three P.M"),
    ("at 3 p.m. sharp", "at three P.M sharp"),
    ("at 12:00", "at twelve o'clock"),
    ("The train leaves at 7:05.", "The train leaves at seven oh five."),
    ("09:00-17:00", "nine o'clock to seventeen hundred"),
    ("open 9am-5pm", "open nine A.M to five P.M"),
    ("3-5pm", "three to five P.M"),
    ("He left at 5 p.m.", "He left at five P.M."),
    ("a lap of 1:23:45", "a lap of one twenty-three and forty-five seconds"),
    # dates
    ("5/6/2026", "May sixth, twenty twenty-six"),
    ("13/6/2026", "June thirteenth, twenty twenty-six"),
    ("5.6.2026", "May sixth, twenty twenty-six"),
    ("2026-06-05", "June fifth, twenty twenty-six"),
    ("2026/06/05", "June fifth, twenty twenty-six"),
    ("on May 5", "on May fifth"),
    ("5 May 2026", "the fifth of May, twenty twenty-six"),
    ("May 5th", "May fifth"),
    ("the 5th of May", "the fifth of May"),
    ("May 5, 2026", "May fifth, twenty twenty-six"),
    ("Dec. 25, 1999", "December twenty-fifth, nineteen ninety-nine"),
    ("Sept 11", "September eleventh"),
    ("12/25/99", "December twenty-fifth, nineteen ninety-nine"),
    ("on 5/6", "on May sixth"),
    ("May 5-7", "May fifth to seventh"),
    ("Fri, May 1", "Friday, May first"),
    ("in May 2026", "in May twenty twenty-six"),
    # years
    ("in 1999", "in nineteen ninety-nine"),
    ("in 2000", "in two thousand"),
    ("in 2005", "in two thousand five"),
    ("in 2026", "in twenty twenty-six"),
    ("in 1905", "in nineteen oh five"),
    ("the 1900s", "the nineteen hundreds"),
    ("the 1980s", "the nineteen eighties"),
    ("the '90s", "the nineties"),
    ("the 90s", "the nineties"),
    ("1939-45", "nineteen thirty-nine to forty-five"),
    ("2019–2023", "twenty nineteen to twenty twenty-three"),
    ("in 1066", "in ten sixty-six"),
    # money
    ("$1,234.56", "one thousand two hundred thirty-four dollars and fifty-six cents"),
    ("$5M", "five million dollars"),
    ("$3.5 billion", "three point five billion dollars"),
    ("£20", "twenty pounds"),
    ("€9.99", "nine euros and ninety-nine cents"),
    ("¥500", "five hundred yen"),
    ("50¢", "fifty cents"),
    ("USD 20", "twenty US dollars"),
    ("20 EUR", "twenty euros"),
    ("$1", "one dollar"),
    ("$0.50", "fifty cents"),
    ("£1.01", "one pound and one penny"),
    ("20€", "twenty euros"),
    ("-$5", "minus five dollars"),
    ("$5-10", "five to ten dollars"),
    ("$5/month", "five dollars per month"),
    ("$100k", "one hundred thousand dollars"),
    # plain numbers
    ("1st", "first"),
    ("the 22nd", "the twenty-second"),
    ("101st", "one hundred first"),
    ("1,234,567", "one million two hundred thirty-four thousand five hundred sixty-seven"),
    ("3.14", "three point one four"),
    ("0.5", "zero point five"),
    (".5", "point five"),
    ("-5", "minus five"),
    ("0", "zero"),
    ("100", "one hundred"),
    ("50%", "fifty percent"),
    ("12.5 %", "twelve point five percent"),
    ("5-10%", "five to ten percent"),
    ("1/2", "one half"),
    ("½", "one half"),
    ("3/4", "three quarters"),
    ("2/3 cup", "two thirds cup"),
    ("1 1/2", "one and a half"),
    ("2½", "two and a half"),
    ("24/7", "twenty-four seven"),
    ("8/10", "eight out of ten"),
    ("10-15", "ten to fifteen"),
    ("pages 3–7", "pages three to seven"),
    ("They won 3-2.", "They won three to two."),
    ("a ratio of 16:9", "a ratio of sixteen to nine"),
    ("007", "zero zero seven"),
    ("5 + 3 = 8", "five plus three equals eight"),
    ("5 - 3 = 2", "five minus three equals two"),
    ("1920x1080", "nineteen twenty by ten eighty"),
    ("1e6", "one times ten to the power of six"),
    ("ISBN 978-3-16-148410-0", "ISBN nine seven eight, three, one six, one four eight four one zero, zero"),
    ("3/4 tsp", "three quarters of a teaspoon"),
    ("9.81 m/s²", "nine point eight one meters per second squared"),
    ("call 1-800-FLOWERS", "call one, eight hundred, FLOWERS"),
    ("01:02:03:04", "zero one, zero two, zero three, zero four"),
    ("3x faster", "three times faster"),
    ("1.000.000,50", "one million point five zero"),
    ("€1.000.000,50", "one million euros and fifty cents"),
    ("1.000.000, or more", "one million, or more"),
    ("1 000 000", "one million"),
    ("1 000 000 m", "one million meters"),
    ("100 200 300", "one hundred two hundred three hundred"),
    ("1s and 0s", "ones and zeros"),
    # telephones and the like
    ("(555) 123-4567", "five five five, one two three, four five six seven"),
    ("+1 555 123 4567", "plus one, five five five, one two three, four five six seven"),
    ("Call 911", "Call nine one one"),
    ("call 911 people", "call nine hundred eleven people"),
    ("call 101 friends", "call one hundred one friends"),
    ("555-1234", "five five five, one two three four"),
    ("1-800-555-1234", "one, eight zero zero, five five five, one two three four"),
    ("v2.0.1", "version two point zero point one"),
    ("version 2.0.1", "version two point zero point one"),
    ("192.168.0.1", "one hundred ninety-two dot one hundred sixty-eight dot zero dot one"),
    # letters and digits
    ("MP3", "MP three"),
    ("B2B", "B two B"),
    ("COVID-19", "COVID-nineteen"),
    ("an A380", "an A three eighty"),
    ("4K", "four K"),
    ("1080p", "ten eighty p"),
    ("GPT-4", "GPT-four"),
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
    # units
    ("5kg", "five kilograms"),
    ("1 kg", "one kilogram"),
    ("10 km/h", "ten kilometers per hour"),
    ("72°F", "seventy-two degrees Fahrenheit"),
    ("-5°C", "minus five degrees Celsius"),
    ("3.5GB", "three point five gigabytes"),
    ("60 fps", "sixty frames per second"),
    ("5'11\"", "five foot eleven"),
    ("a 5-km run", "a five kilometer run"),
    ("20 m²", "twenty square meters"),
    ("48 kHz at -23 LUFS", "forty-eight kilohertz at minus twenty-three loudness units full scale"),
    ('a 27" screen', "a twenty-seven inch screen"),
    ("5 ft. tall", "five feet tall"),
    ("6 ft. 2 in. tall", "six foot two tall"),
    ("5 sq. ft.", "five square feet."),
    ("5 sq. ft. of land", "five square feet of land"),
    ('5/8"', "five eighths of an inch"),
    ('11/16" bolt', "eleven sixteenths of an inch bolt"),
    ("3/8 in. wide", "three eighths of an inch wide"),
    ('2 5/8" wide', "two and five eighths inches wide"),
    ('"take 5/8" he said', '"take five eighths" he said'),
    ("5m people", "five million people"),
    ("5m tall", "five meters tall"),
    ("90°", "ninety degrees"),
    ("1.5 l", "one point five liters"),
    ("5-10 kg", "five to ten kilograms"),
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
    ("George I was", "George I was"),
    ("John I loved her", "John I loved her"),
    ("Queen I love", "Queen I love"),
    ("Class I liked", "Class I liked"),
    ("Mary I'm here", "Mary I'm here"),
    ("He needs IV antibiotics", "He needs IV antibiotics"),
    ("Rocky IV", "Rocky four"),
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

OTHERWISE = [
    ("5/6/2026", "dmy", True, "the fifth of June, twenty twenty-six"),
    ("5/6/2026", "dmy", False, "June fifth, twenty twenty-six"),
    ("6/13/2026", "dmy", True, "the thirteenth of June, twenty twenty-six"),
    ("26/06/05", "ymd", False, "June fifth, twenty twenty-six"),
    ("2026/6/5", "dmy", True, "the fifth of June, twenty twenty-six"),
    ("on 5/6", "dmy", True, "on the fifth of June"),
    ("May 5", "dmy", True, "May the fifth"),
    ("123", "dmy", True, "one hundred and twenty-three"),
    ("1,001", "dmy", True, "one thousand and one"),
    ("2005", "dmy", True, "two thousand and five"),
    ("5 km", "dmy", True, "five kilometres"),
    ("£3.50", "dmy", True, "three pounds and fifty pence"),
]


def words(text: str, order: Literal["mdy", "dmy", "ymd"] = "mdy", british: bool = False) -> str:
    return " ".join(normalise(plain(text), date_order=order, british=british).text.split())


@pytest.mark.parametrize(("written", "spoken"), AMERICAN)
def test_text_is_read_as_an_american_reads_it(written: str, spoken: str) -> None:
    assert words(written) == spoken


@pytest.mark.parametrize(("written", "order", "british", "spoken"), OTHERWISE)
def test_dates_and_numbers_follow_order_and_variety(
    written: str, order: Literal["mdy", "dmy", "ymd"], british: bool, spoken: str
) -> None:
    assert words(written, order, british) == spoken


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
    "unit", ["1", "a.", "1-", "a@", "/a", "1,", "IV ", "1:", "$", "Dr. ", "a-", "1/", "😀", "a.b", "**a", "5'"]
)
def test_no_text_takes_long(unit: str) -> None:
    import time

    begin = time.perf_counter()
    normalise(plain((unit * 8000)[:8000]))
    assert time.perf_counter() - begin < 3


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
    ("x", "cardinal", "", "'x'"),
    ("31/31/2026", "date", "", "'31/31/2026'"),
    ("1/1", "date", "mdy", "'1/1'"),
    ("25:00", "time", "", "'25:00'"),
    ("one", "ordinal", "", "'one'"),
    ("call", "telephone", "", "'call'"),
    ("1/0", "fraction", "", "'1/0'"),
    ("", "characters", "", "''"),
    ("5/6/2026", "date", "xyz", "'xyz'"),
    ("1", "shout", "", "'shout'"),
]


@pytest.mark.parametrize(("text", "kind", "format", "named"), NOT_OF_THE_KIND)
def test_text_that_is_none_of_its_kind_is_refused_with_its_value(text: str, kind: str, format: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(named)):
        say_as(text, kind, format)
