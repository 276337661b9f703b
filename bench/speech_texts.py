"""What the bench of text to speech has said: sentences by chance, texts of all kinds, single words."""

from __future__ import annotations

import random
from collections.abc import Iterator

SENTENCE = "The river was low that summer, and the boats lay tilted on the mud."

_WORDS = (
    "silver summer sailor sooner salmon seven sunny sorrow cinema celery salary cellar sermon sullen solemn seller "
    "signal sober saddle sudden sandal salad sibling seaman"
)
WORDS = tuple(_WORDS.split())  # each begins with an s and has no other, nor a sound that is as sharp

_WHO = (
    "the old captain|my younger sister|a man from the harbour|the woman at the window|nobody in the village|our doctor|"
    "the boy with the lamp|a tall stranger|the last passenger|her brother|the baker|an officer of the guard|"
    "the teacher|a fisherman|the girl next door|the whole family|his neighbour|the night porter|a painter|"
    "the two drivers"
)
_DOES = (
    "had seen|would never forget|was looking for|left behind|talked about|remembered|could not find|wanted to sell|"
    "kept thinking of|carried home|had promised to bring|asked for|was afraid of|dreamed about|waited for|painted|"
    "had written down|knew nothing of|laughed about|could hardly believe"
)
_WHAT = (
    "the broken clock|a basket of apples|the road to the north|a letter without a name|the empty house|her green coat|"
    "the sound of the water|an answer|the old song|a small wooden box|the last train|his father's watch|a better plan|"
    "the key to the garden|the story of the fire|a warm meal|the map of the island|all that money|the black horse|"
    "a quiet place"
)
_WHERE = (
    "by the river|in the cold kitchen|under the bridge|behind the church|on the other side of the hill|at the station|"
    "near the market|in a narrow street|among the trees|at the end of the table|above the shop|in front of everybody|"
    "between the two walls|on the deck|along the beach"
)
_WHEN = (
    "in the morning|after the storm|before the war began|late at night|on the first day of spring|every single evening|"
    "when the bells rang|as soon as the rain stopped|for almost a week|at the end of summer|long ago"
    "|that same afternoon"
)
_FORMS = (
    "{who} {does} {what} {where}.",
    "{when}, {who} {does} {what}.",
    "{who} {does} {what}, and {who2} {does2} {what2} {where}.",
    "although {who} {does} {what} {when}, {who2} {does2} {what2}.",
    "{who} {does} {what} {where}; {who2} {does2} {what2} {when}.",
    "did you hear that {who} {does} {what} {where}?",
    "{who} {does} {what}, {what2} and {what3}!",
    "{when}, when {who} {does} {what} {where}, {who2} said that {who3} {does2} {what2}.",
    '"{who} {does} {what}," said {who2}.',
)
_SENTENCES_OF_A_PARAGRAPH = (3, 7)


def sentences(seed: int) -> Iterator[str]:
    """Yields plain English sentences without end, the same ones for a seed."""
    chance = random.Random(seed)
    slots = {"who": _WHO, "does": _DOES, "what": _WHAT, "where": _WHERE, "when": _WHEN}
    choices = {slot: of.split("|") for slot, of in slots.items()}
    while True:
        given = {f"{slot}{count}": word for slot, of in choices.items() for count, word in _drawn(chance, of)}
        sentence = chance.choice(_FORMS).format(**given)
        first = next(place for place, character in enumerate(sentence) if character.isalpha())
        yield sentence[:first] + sentence[first].upper() + sentence[first + 1 :]


def _drawn(chance: random.Random, words: list[str]) -> Iterator[tuple[str, str]]:
    return zip(("", "2", "3"), chance.sample(words, 3), strict=True)


def paragraph(n_sentences: int, seed: int = 0) -> str:
    """Returns so many sentences, one behind the other."""
    source = sentences(seed)
    return " ".join(next(source) for _ in range(n_sentences))


def chapter(n_characters: int, seed: int = 0) -> str:
    """Returns paragraphs of whole sentences, of so many characters or the few more that end the last of them.

    >>> 5000 <= len(chapter(5000)) < 5200
    True
    """
    chance, source = random.Random(seed), sentences(seed)
    paragraphs: list[str] = []
    length = 0
    while length < n_characters:
        said: list[str] = []
        for _ in range(chance.randint(*_SENTENCES_OF_A_PARAGRAPH)):
            said.append(next(source))
            length += len(said[-1]) + 1
            if length >= n_characters:
                break
        paragraphs.append(" ".join(said))
        length += 1
    return "\n\n".join(paragraphs)


def without_marks(n_characters: int) -> str:
    """Returns one sentence of so many characters that has no mark but its full stop."""
    words = "".join(
        character for character in chapter(2 * n_characters, seed=4) if character.isalpha() or character == " "
    )
    return words.lower()[: n_characters - 1] + "."


def of_all_kinds() -> dict[str, str]:
    """Returns forty texts by what they are, each of which something may be slow in."""
    long_word = "antidisestablishmentarianism"
    return {
        "one letter": "A",
        "one short word": "Hi!",
        "one long word": f"{long_word.capitalize()}.",
        "an unknown word": "Zyxqufflemorp.",
        "a short sentence": "Wait for me!",
        "a sentence": SENTENCE,
        "a long sentence": f"{', and '.join(sentence[:-1].lower() for sentence in _first(sentences(1), 6))}.",
        "a question": "Where did you leave the key to the garden, and who has it now?",
        "a quotation": '"Not tonight," said the captain, "and not tomorrow either."',
        "a paragraph of ten sentences": paragraph(10, seed=2),
        "short, then very long": f"Hi! {without_marks(2000)}",
        "2,000 characters without a mark": without_marks(2000),
        "20,000 characters without a mark": without_marks(20_000),
        "2,000 characters of one word": "a" * 2000,
        "a word a hundred times": f"{' '.join([long_word] * 100)}.",
        "5,000 characters": chapter(5000, seed=3),
        "a chapter of 50,000 characters": chapter(50_000),
        "a chapter in one line": " ".join(chapter(50_000).split()),
        "500 short lines": "\n".join(f"line number {number}" for number in range(500)),
        "a paragraph of blanks, then a sentence": f"{' ' * 5000}{SENTENCE}",
        "SSML": f"<speak><p><s>{SENTENCE}</s><break time='1s'/><s>It was hot.</s></p></speak>",
        "SSML with a style for each word": f"<speak>{_styled(chapter(2000))}</speak>",
        "SSML of 50,000 characters": f"<speak><p>{'</p><p>'.join(chapter(50_000).split(chr(10) * 2))}</p></speak>",
        "say-as": "<speak><say-as interpret-as='characters'>NASA</say-as> at noon.</speak>",
        "inline phonemes": "Say [tomato](/təmˈeɪtoʊ/) and [pause 0.5s] [tomato](/təmˈɑːtoʊ/).",
        "a pause first": f"[pause 2s] {SENTENCE}",
        "a date and a time": "Meet me at 3:45 pm on 5/6/2026.",
        "money": "It went from $1,234.56 to €99.99 and then to £3 million.",
        "a large number": "12345678901234567890 is a number.",
        "a list of numbers": " ".join(str(number * 7919) for number in range(1, 300)),
        "measures": "It is 12 km at 90 km/h, 3.5 kg, 20 °C, 5'11\" and 100 MB.",
        "Roman numerals": "Henry VIII, chapter XIV, and the MCMXCIV edition of World War II.",
        "abbreviations": "Dr. Smith of St. Mary's lives on Elm Dr., Mr. Brown Jr. on Oak St., etc.",
        "a telephone number": "Call +1 (555) 867-5309 today.",
        "e-mail and a URL": "Write to jane.doe@example.com or see https://www.example.com/a/b?c=1&d=2#top.",
        "a list of URLs": "\n".join(f"https://www.example.com/news/2026/item{number}.html" for number in range(100)),
        "emoji": "Great work 👍🎉 see you soon 😀🚀",
        "mixed scripts": "She said привет, then 你好, then γειά σου, and left.",
        "all capitals": "NO ENTRY WITHOUT A NASA BADGE FROM THE FBI OR THE CIA.",
        "code": "def f(x): return x**2 if x > 0 else -x  # see f(3) == 9",
    }


def _first(source: Iterator[str], count: int) -> list[str]:
    return [next(source) for _ in range(count)]


def _styled(text: str) -> str:
    return " ".join(f"<prosody rate='{90 + place % 20}%'>{word}</prosody>" for place, word in enumerate(text.split()))
