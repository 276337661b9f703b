"""SSML: the subset does what W3C's says, places are exact, and nothing dangerous is ever expanded."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audio_ml.errors import InvalidInput, UnknownVoice
from tts.script.items import Break, Item, Notice, Pause, Run, Style
from tts.script.ssml import read_ssml


def check_voice(name: str) -> None:
    if name != "emma":
        raise UnknownVoice(f"Unknown voice '{name}'. Did you mean 'emma'?")


def read(text: str) -> list[Item]:
    return list(read_ssml(text, check_voice))


def runs(inside: str) -> list[Run]:
    """Returns the runs of a document that have words."""
    return [item for item in read(f"<speak>{inside}</speak>") if isinstance(item, Run) and item.text.strip()]


def style(inside: str) -> Style:
    (run,) = runs(inside)
    return run.style


def breaks(inside: str) -> list[str]:
    return [item.kind if isinstance(item, Break) else "-" for item in read(f"<speak>{inside}</speak>")]


def test_paragraphs_and_sentences_end_once() -> None:
    assert breaks("<p><s>a</s><s>b</s></p><p>c</p>") == [
        "-",
        "sentence",
        "-",
        "sentence",
        "paragraph",
        "-",
        "paragraph",
    ]
    assert breaks("a<p>b</p>c") == ["-", "paragraph", "-", "paragraph", "-"]
    assert breaks("<p></p><s/>") == []
    assert breaks("a\n\nb") == ["-"], "blank lines are white space"


@pytest.mark.parametrize(
    ("tag", "seconds"),
    [
        ("<break/>", 0.5),
        ('<break time="1.5s"/>', 1.5),
        ('<break time="300ms"></break>', 0.3),
        ('<break strength="none"/>', 0.0),
        ('<break strength="strong"/>', 1.0),
        ('<break strength="weak" time="2s"/>', 2.0),
    ],
)
def test_breaks(tag: str, seconds: float) -> None:
    _, pause, _ = read(f"<speak>a{tag}b</speak>")
    assert isinstance(pause, Pause) and pause.seconds == seconds


def test_the_span_of_a_tag_is_the_tag() -> None:
    text = """<speak>a<break time = '1s' strength=">"/>b</speak>"""
    with pytest.raises(InvalidInput, match="Line 1, column 9: '>' is no strength"):
        read(text)
    text = "<speak>é😀<break time = '1s' />b</speak>"
    pause = next(item for item in read(text) if isinstance(item, Pause))
    assert text[slice(*pause.span)] == "<break time = '1s' />"


def test_prosody_multiplies_rates_and_adds_volumes() -> None:
    nested = "<prosody rate='120%' volume='+2dB'><prosody rate='1.5' volume='-6dB'>a</prosody></prosody>"
    assert style(nested).speed == pytest.approx(1.8)
    assert style(nested).volume_db == pytest.approx(-4)
    assert style("<prosody rate='-20%'>a</prosody>").speed == pytest.approx(0.8)
    assert style("<prosody rate='slow'>a</prosody>").speed == 0.8
    assert style("<prosody volume='silent'>a</prosody>").volume_db == -math.inf
    assert style("<prosody volume='50'>a</prosody>").volume_db == pytest.approx(-6.02, abs=0.01)
    before, inside, after = runs("a<prosody rate='fast'>b</prosody>c")
    assert (before.style, inside.style.speed, after.style) == (Style(), 1.25, Style())


def test_voices_nest() -> None:
    assert [run.style.voice for run in runs("a<voice name='emma'>b<prosody rate='1'>c</prosody></voice>d")] == [
        None,
        "emma",
        "emma",
        None,
    ]


def test_words_are_said_otherwise() -> None:
    phoneme, sub, letters, date = runs(
        "<phoneme alphabet='ipa' ph='əbˈaʊt'>about</phoneme><sub alias='Company'>Co.</sub>"
        "<say-as interpret-as='characters'>ABC</say-as><say-as interpret-as='date' format='dmy'>1/2/2026</say-as>"
    )
    assert (phoneme.text, phoneme.phonemes) == ("about", "əbˈWt")
    assert (sub.text, sub.alias) == ("Co.", "Company")
    assert (letters.text, letters.interpret_as, letters.interpret_format) == ("ABC", "characters", "")
    assert (date.text, date.interpret_as, date.interpret_format) == ("1/2/2026", "date", "dmy")
    (misaki,) = runs("<phoneme alphabet='x-misaki' ph='kˈOkəɹO'>Kokoro</phoneme>")
    assert misaki.phonemes == "kˈOkəɹO"


def test_words_with_entities_are_one_run_where_they_are_said_otherwise() -> None:
    text = "<speak><sub alias='and'>A&amp;<!-- c -->B</sub></speak>"
    (run,) = read(text)
    assert isinstance(run, Run)
    assert (run.text, text[slice(*run.span)]) == ("A&B", "A&amp;<!-- c -->B")


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("<emphasis level='strong'>a</emphasis>", "<emphasis>"),
        ("<emphasis>a</emphasis>", "<emphasis>"),
        ("<prosody pitch='+10%'>a</prosody>", "pitch"),
        ("<prosody duration='2s'>a</prosody>", "duration"),
        ("<s xml:lang='fr'>a</s>", "xml:lang 'fr'"),
    ],
)
def test_what_engines_cannot_do_is_told_and_the_words_are_said(inside: str, words: str) -> None:
    items = read(f"<speak xml:lang='en-US'>{inside}</speak>")
    (notice,) = (item for item in items if isinstance(item, Notice))
    assert words in notice.message and "no effect" in notice.message
    assert [item.text for item in items if isinstance(item, Run)] == ["a"]


def test_marks_comments_and_no_emphasis_are_passed_over_quietly() -> None:
    text = (
        "<?xml version='1.0' encoding='latin-1'?><speak version='1.1' xmlns='http://www.w3.org/2001/10/synthesis' "
        "xmlns:xsi='x' xml:lang='en-US'>é<mark name='here'/><!-- no --><?go on?><emphasis level='none'>b</emphasis>"
        "<s xml:lang='en-GB'>c</s></speak>"
    )
    items = read(text)
    assert [item.text for item in items if isinstance(item, Run)] == ["é", "b", "c"]
    assert not any(isinstance(item, Notice) for item in items)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<speak>\n <audio src='x'/></speak>", ["Line 2, column 2", "<audio>", "Known: speak"]),
        ("<speak><brake/></speak>", ["Did you mean 'break'?"]),
        ("<speak><break length='1s'/></speak>", ["<break>", "length", "strength, time"]),
        ("<speak><voice name='nobody'>a</voice></speak>", ["'nobody'", "Did you mean 'emma'?"]),
        ("<speak><voice>a</voice></speak>", ["<voice>", "name"]),
        ("<speak><sub>a</sub></speak>", ["<sub>", "alias"]),
        ("<speak><sub alias='b'></sub></speak>", ["no words"]),
        ("<speak><sub alias='b'>a<break/></sub></speak>", ["<break> cannot be inside <sub>"]),
        ("<speak><phoneme alphabet='x-sampa' ph='a'>a</phoneme></speak>", ["'x-sampa'", "ipa, x-misaki"]),
        ("<speak><phoneme ph='h€'>a</phoneme></speak>", ["€"]),
        ("<speak><break time='soon'/></speak>", ["'soon'", "1.5s"]),
        ("<speak><prosody rate='9'>a</prosody></speak>", ["0.5 to 2"]),
        ("<speak><prosody volume='+20dB'>a</prosody></speak>", ["+12 dB"]),
        ("<speak><emphasis level='much'>a</emphasis></speak>", ["'much'", "moderate"]),
        ("<p>a</p>", ["<speak>"]),
        ("<speak><speak>a</speak></speak>", ["<speak>"]),
        ("<speak>a</spaek>", ["Line 1, column 11", "broken XML", "mismatched tag"]),
        ("<speak>\na & b</speak>", ["Line 2, column 4", "broken XML"]),
        ("<speak>a", ["broken XML"]),
        ("", ["broken XML"]),
        ("plain", ["Line 1, column 1", "broken XML"]),
        ("<speak>&nbsp;</speak>", ["&#160;"]),
        ("<speak>\x07</speak>", ["Line 1, column 8"]),
        ("<speak>\ud800</speak>", ["Line 1, column 8"]),
        ("<speak>a</speak>b", ["broken XML"]),
        (f"<speak><{'x' * 100_000}/></speak>", ["is not an element"]),
    ],
)
def test_a_mistake_is_one_line_that_names_its_place(text: str, words: list[str]) -> None:
    with pytest.raises(InvalidInput) as error:
        read(text)
    message = str(error.value)
    assert message.startswith("Line ") and "\n" not in message and len(message) < 300
    assert all(word in message for word in words)


LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))


@pytest.mark.parametrize(
    "text",
    [
        f'<!DOCTYPE speak [<!ENTITY l0 "ha">{LAUGHS}]><speak>&l9;</speak>',
        '<!DOCTYPE speak [<!ENTITY x SYSTEM "file:///etc/passwd">]><speak>&x;</speak>',
        '<!DOCTYPE speak SYSTEM "http://127.0.0.1:1/x.dtd"><speak>a</speak>',
        '<!DOCTYPE speak [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]><speak>a</speak>',
        "<!DOCTYPE speak><speak>a</speak>",
    ],
    ids=["bomb", "external", "dtd", "parameter", "bare"],
)
def test_documents_that_define_anything_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="DOCTYPE is not read"):
        read(text)


SAFE_TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]) | st.sampled_from("\n\t &<>a"), max_size=12)
NODES = st.recursive(
    SAFE_TEXT.map(escape)
    | SAFE_TEXT.filter(lambda text: "]]>" not in text).map(lambda text: f"<![CDATA[{text}]]>")
    | st.sampled_from(["<break/>", "&#233;", "&#x1F600;", "\r\n", "<!-- & -->", "<?a b?>", "<mark name='x'/>"]),
    lambda inner: st.tuples(st.sampled_from(["p", "s", "voice name='emma'"]), st.lists(inner, max_size=4)).map(
        lambda parts: f"<{parts[0]}>{''.join(parts[1])}</{parts[0].split()[0]}>"
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(NODES, max_size=4).map("".join))
@example("<![CDATA[&amp;&\n& b]]>")
@example("a\r\nb\rc")
def test_all_text_is_there_and_stands_at_its_spans(inside: str) -> None:
    try:
        tree = ElementTree.fromstring(f"<speak>{inside}</speak>")
    except ElementTree.ParseError:
        with pytest.raises(InvalidInput):
            read(f"<speak>{inside}</speak>")
        return
    text = f"<speak>{inside}</speak>"
    items = read(text)
    found = "".join(item.text for item in items if isinstance(item, Run))
    assert "\r\n" not in inside or "\r\n" in found, "as the source has it"
    assert found.replace("\r\n", "\n").replace("\r", "\n") == "".join(tree.itertext()), "as another reader has it"
    assert all(a.span[1] <= b.span[0] for a, b in itertools.pairwise(items))
    for item in items:
        source = text[slice(*item.span)]
        if isinstance(item, Run):
            assert item.text == source or ElementTree.fromstring(f"<a>{source}</a>").text == item.text
        else:
            assert source.startswith("<") and source.endswith(">")


def test_a_long_document_is_read_as_it_comes_and_in_linear_time() -> None:
    def seconds(sentences: int, items: int | None = None) -> float:
        text = "<speak>" + "<s>é &amp; so\non.</s>\n" * sentences + "</speak>"
        began = time.process_time()
        for _ in itertools.islice(read_ssml(text, check_voice), items):
            pass
        return time.process_time() - began

    def first(sentences: int) -> float:
        return min(seconds(sentences, items=5) for _ in range(3))

    assert first(80_000) < 4 * first(5_000)
    assert min(seconds(20_000) for _ in range(3)) < 7 * min(seconds(5_000) for _ in range(3))


@pytest.mark.parametrize("text", ["<speak>" + "a\n" * 500_000 + "</speak>", "<speak>" + "<prosody>" * 100_000])
def test_odd_documents_take_no_longer(text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(InvalidInput):
        read(text)
    assert time.process_time() - began < 30
