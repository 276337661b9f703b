"""Plain markup: what is ours is obeyed, all else is text, and every character is accounted for."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_ml.errors import InvalidInput, UnknownVoice
from tts.script.items import Break, Item, Pause, Run, Style
from tts.script.markup import read_markup, read_unmarked
from tts.script.quantities import read_rate, read_seconds, read_volume_db

VOICES = ("emma", "heart")


def check_voice(name: str) -> None:
    """Knows two voices and the character HERO."""
    if name.lower() not in (*VOICES, "hero"):
        raise UnknownVoice(f"Unknown voice '{name}'. Did you mean 'emma'?")


def read(text: str) -> list[Item]:
    return list(read_markup(text, check_voice))


def runs(text: str) -> list[Run]:
    return [item for item in read(text) if isinstance(item, Run)]


def said(text: str) -> list[tuple[str | None, str]]:
    """Returns who says what, without white space."""
    return [(run.style.voice, run.text.strip()) for run in runs(text) if run.text.strip()]


@pytest.mark.parametrize(
    ("tag", "seconds"),
    [
        ("[pause 1.5s]", 1.5),
        ("[pause 300ms]", 0.3),
        ("[pause 2]", 2.0),
        ("[pause: 1s]", 1.0),
        ("[Pause 1 s]", 1.0),
        ("[pause .25s]", 0.25),
        ("[pause]", 0.5),
        ("[pause 0]", 0.0),
    ],
)
def test_a_pause_is_as_long_as_it_says(tag: str, seconds: float) -> None:
    before, pause, after = read(f"One {tag} two")
    assert pause == Pause(seconds, (4, 4 + len(tag)))
    assert isinstance(before, Run) and isinstance(after, Run)
    assert (before.text, after.text) == ("One ", " two")


def test_a_voice_stays_until_the_next() -> None:
    assert said("a [voice: emma] b [voice:heart] c\n\nd [voice: default] e [voice: emma] f [/voice] g") == [
        (None, "a"),
        ("emma", "b"),
        ("heart", "c"),
        ("heart", "d"),
        (None, "e"),
        ("emma", "f"),
        (None, "g"),
    ]


def test_a_name_before_a_colon_speaks_its_paragraph() -> None:
    script = "It rains.\nEMMA: Hello!\nHow are you?\nHERO : Fine.\n\nThe end."
    assert said(script) == [
        (None, "It rains."),
        ("EMMA", "Hello!\nHow are you?"),
        ("HERO", "Fine."),
        (None, "The end."),
    ]
    kinds = [item.kind for item in read(script) if isinstance(item, Break)]
    assert kinds == ["sentence", "sentence", "paragraph"]


def test_after_a_speakers_paragraph_the_tagged_voice_goes_on() -> None:
    assert said("[voice: heart]a\nEMMA: b [rate: 1.2] c\n\nd\nEMMA: e [voice: default] f") == [
        ("heart", "a"),
        ("EMMA", "b"),
        ("EMMA", "c"),
        ("heart", "d"),
        ("EMMA", "e"),
        (None, "f"),
    ]


@pytest.mark.parametrize("line", ["NOTE: this", "Emma: this", "say EMMA: this", "12:30 it is", "HTTP://x.y"])
def test_other_words_before_a_colon_are_text(line: str) -> None:
    assert said(line) == [(None, line)]


def test_phonemes_of_a_word_are_given_in_either_alphabet() -> None:
    _, ap, _, kokoro = runs("An [AP](/ˌeɪ pˈi/) of [Kokoro](/kˈOkəɹO/)")
    assert (ap.text, ap.span, ap.phonemes) == ("AP", (4, 6), "ˌA pˈi")
    assert (kokoro.text, kokoro.phonemes) == ("Kokoro", "kˈOkəɹO")


def test_other_words_are_said_instead() -> None:
    (run,) = runs("[WHO](= World Health Organization)")
    assert (run.text, run.span, run.alias) == ("WHO", (1, 4), "World Health Organization")


@pytest.mark.parametrize(
    "link",
    ["https://example.com/a?b=c#d", "mailto:a@b.c", "#top", "../index.html", 'http://x.y "Title"', "http://x/a_(b)"],
)
def test_a_link_is_read_as_its_text(link: str) -> None:
    before, run, after = runs(f"See [the guide]({link}) now")
    assert (before.text, run.text, after.text) == ("See ", "the guide", " now")
    assert run.phonemes is None and run.alias is None


@pytest.mark.parametrize(
    "text",
    [
        "He writes [sic] so.",
        "a[0](x) and f[i](j, k)",
        "[voice over] [Volume 2] [rate of speech] [paused] [pauses 1s]",
        "[ ] [] [[x]] ]( [/",
        "Then: nothing.",
    ],
)
def test_what_is_not_markup_is_text(text: str) -> None:
    (run,) = read(text)
    assert run == Run(text, (0, len(text)))


def test_rate_and_volume_hold_until_they_are_taken_back() -> None:
    styles = [run.style for run in runs("a[rate: 120%]b[volume: -6dB]c[/rate]d[volume: default]e")]
    assert styles == [Style(), Style(speed=1.2), Style(speed=1.2, volume_db=-6), Style(volume_db=-6), Style()]


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("[pause abc]", ["'abc'", "1.5s", "300ms"]),
        ("[pause -1s]", ["'-1s'", "1.5s"]),
        ("[pause 3h]", ["'3h'"]),
        ("[pause 5000s]", ["too long", "600s"]),
        ("[voice: nobody]", ["'nobody'", "Did you mean 'emma'?"]),
        ("[voice: ]", ["''"]),
        ("[rate: quick]", ["'quick'", "120%"]),
        ("[rate: 9]", ["0.5 to 2"]),
        ("[volume: loudest]", ["'loudest'", "-6dB"]),
        ("[volume: +40dB]", ["+12 dB"]),
        ("[word](//)", ["no phonemes"]),
        ("[word](/h€/)", ["€"]),
        ("[word](=)", ["no words"]),
    ],
)
def test_a_mistake_names_its_line_and_what_is_right(markup: str, words: list[str]) -> None:
    with pytest.raises(InvalidInput) as error:
        read(f"One\ntwo\n\nthree {markup} four")
    message = str(error.value)
    assert message.startswith(f"Line 4, {markup}: ") and "\n" not in message
    assert all(word in message for word in words)


def test_a_voice_unknown_is_told_as_such() -> None:
    with pytest.raises(UnknownVoice):
        read("[voice: nobody]")


TAGS = "[pause 1s]|[voice: emma]|[/voice]|EMMA: |HERO:|[a](/æ/)|[b](= c)|[c](http://d.e)|[rate: 1.1]|[volume: -3 dB]"
TEXTS = "\n|\n\n|\r\n\r\n| \n \n|[|]|(|)|[sic]|:|x|ж 😀|1:2|/"
PIECES = st.sampled_from((TAGS + "|" + TEXTS).split("|"))


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=20).map("".join) | st.text(max_size=60))
def test_text_of_runs_stands_at_their_spans_and_the_rest_is_markup(text: str) -> None:
    items = read(text)
    spans = [item.span for item in items]
    assert all(begin < end for begin, end in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans)), "in order, without overlap"
    for item in items:
        if isinstance(item, Run):
            assert item.text == text[item.span[0] : item.span[1]]
    covered = {place for begin, end in spans for place in range(begin, end)}
    left = "".join(character for place, character in enumerate(text) if place not in covered)
    assert not set(left) & set("x😀ж\n"), "only tags and the brackets of annotations lie between items"


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="a [pause1s]:\n\r()/EM", max_size=60))
def test_without_markup_nothing_but_blank_lines_lies_between_runs(text: str) -> None:
    items = list(read_unmarked(text))
    assert "".join(text[slice(*item.span)] for item in items) == text
    assert all(item.style == Style() for item in items if isinstance(item, Run))
    assert all(not text[slice(*item.span)].strip() for item in items if isinstance(item, Break))


def test_the_first_items_of_a_long_text_come_at_once() -> None:
    text = "A line.\n\n[pause 1s][x](/æ/) EMMA: hello [" * 25_000

    def seconds(items: int | None) -> float:
        began = time.process_time()
        read = list(itertools.islice(read_markup(text, check_voice), items))
        assert items is None or len(read) == items
        return time.process_time() - began

    assert min(seconds(10) for _ in range(3)) < seconds(None) / 20


@pytest.mark.parametrize(
    "unit", ["[", "[a](", "[a](/", "\n ", "A", "EMMA:", " ", "[pause ", "http://(", "[a](http://(", "\n"]
)
def test_no_text_takes_long(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    began = time.process_time()
    for _ in read_markup(text, check_voice):
        pass
    assert time.process_time() - began < 10


def test_steps_of_rate_and_volume_are_even() -> None:
    assert [round(read_rate(name), 4) for name in ("x-slow", "slow", "medium", "fast", "x-fast")] == [
        0.64,
        0.8,
        1.0,
        1.25,
        1.5625,
    ]
    assert read_rate("+20%") == read_rate("120%") == read_rate("1.2") == 1.2
    assert read_rate("-20%") == 0.8
    assert [read_volume_db(name) for name in ("x-soft", "soft", "medium", "loud", "x-loud")] == [-12, -6, 0, 6, 12]
    assert read_volume_db("100") == 0 and read_volume_db("0") == read_volume_db("silent") == float("-inf")
    assert read_volume_db("+6dB") == 6 and read_volume_db("-2.5 dB") == -2.5
    assert read_seconds("+1.5s") == 1.5 and read_seconds("250MS") == 0.25


@pytest.mark.parametrize("text", ["+5", "1e3", "nan", "inf", "", "50 %", "--1", "1.2.3"])
def test_odd_rates_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_rate(text)
