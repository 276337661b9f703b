"""Systems that speak, commercial and open, side by side: what is known of them for certain, as of 2026."""

from __future__ import annotations

from dataclasses import dataclass

AS_OF = "2026"


@dataclass(frozen=True)
class System:
    """A system by its maker: under which licence, whether its weights are open and it runs on one's own device."""

    name: str
    maker: str
    licence: str
    open_weights: str
    on_device: str
    good_at: str


OPEN = (
    System(
        "eSpeak NG",
        "a community, after Jonathan Duddington",
        "GPL-3.0",
        "has none: rules and tables",
        "yes, on almost anything",
        "more than a hundred languages, speaking very fast, screen readers",
    ),
    System(
        "Festival",
        "University of Edinburgh",
        "free, of the X11 kind",
        "yes, by voice",
        "yes",
        "research and teaching: diphones, unit selection, statistical voices",
    ),
    System(
        "Piper",
        "Open Home Foundation; begun by Michael Hansen",
        "first MIT, its successor piper1-gpl GPL-3.0; each voice has its own",
        "yes",
        "yes, on a Raspberry Pi",
        "quick voices in many languages for homes",
    ),
    System("hibari", "here the usual voice", "Apache-2.0", "yes", "yes", "English, tiny and quick"),
    System("Kokoro-82M", "hexgrad", "Apache-2.0", "yes", "yes", "natural reading, many built-in voices; no cloning"),
    System(
        "Chatterbox", "Resemble AI", "MIT", "yes", "yes, with a GPU", "cloning from a short reference; watermarks it"
    ),
    System(
        "F5-TTS",
        "Yushen Chen and others",
        "code MIT, weights CC BY-NC 4.0",
        "yes, not for commerce",
        "yes, with a GPU",
        "cloning from a short reference",
    ),
    System(
        "Pocket-TTS",
        "Kyutai",
        "code MIT, weights CC BY 4.0 with terms of use",
        "yes",
        "yes, without a GPU",
        "cloning on an ordinary processor",
    ),
    System(
        "XTTS-v2",
        "Coqui, a company that has closed",
        "code MPL-2.0, weights Coqui Public Model License",
        "yes, not for commerce",
        "yes, with a GPU",
        "cloning over languages",
    ),
)
COMMERCIAL = (
    System("ElevenLabs", "ElevenLabs", "a service", "no", "no", "expressive voices and cloning, by subscription"),
    System(
        "OpenAI's text to speech",
        "OpenAI",
        "a service",
        "no",
        "no",
        "a few voices; gpt-4o-mini-tts follows instructions on manner",
    ),
    System("Cloud Text-to-Speech", "Google", "a service", "no", "no", "many languages and voices, SSML"),
    System("Amazon Polly", "Amazon", "a service", "no", "no", "many languages, SSML, times of words"),
    System(
        "Azure AI Speech",
        "Microsoft",
        "a service",
        "no",
        "in part: containers and embedded voices",
        "many languages, SSML, voices of one's own after review",
    ),
    System(
        "The voices of macOS and iOS",
        "Apple",
        "part of the system",
        "no",
        "yes",
        "screen readers and apps on Apple's devices",
    ),
)
