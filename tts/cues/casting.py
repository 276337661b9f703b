"""Which voice speaks which character, kept in a small YAML file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audio_ml.errors import InvalidInput, did_you_mean
from audio_ml.streams import show

LARGEST_BYTES = 1_000_000


@dataclass(frozen=True)
class Part:
    """The voice of a character, and the options that differ from those of all."""

    voice: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Casting:
    """The parts by character, and that of everybody who is not among them (None: nobody else may speak)."""

    parts: Mapping[str, Part] = field(default_factory=dict)
    default: Part | None = None

    def part(self, character: str) -> Part:
        """Returns the part of a character, whatever its capitals; "HERO (V.O.)" is HERO unless cast as such.

        Raises:
            InvalidInput: when nobody is cast.
        """
        parts = {_plain(name): part for name, part in self.parts.items()}
        for name in (character, re.sub(r"\(.*?\)", "", character)):
            if _plain(name) in parts:
                return parts[_plain(name)]
        if self.default is None:
            hint = did_you_mean(character, self.parts)
            raise InvalidInput(f"No voice is cast for '{character}'.{hint} Add it to the casting, or a default.")
        return self.default


def read_casting(path: str | os.PathLike[str], *, voice: str | None = None) -> Casting:
    """Reads a casting; `voice`, where it is given, counts before the file's own default.

    The file has `voices`, a voice id or a mapping of `voice` and options for each character, and `default`:

        default: hibari/heart
        voices:
          HERO: kokoro/am_michael
          NARRATOR: {voice: hibari/heart, speed: 1.05}

    Raises:
        InvalidInput: when it is not such a file.
    """
    content = _load(Path(path))
    try:
        _check(isinstance(content, dict), "it wants `voices:` with a voice for each character")
        unknown = [str(key) for key in content if key not in ("voices", "default")]
        _check(not unknown, f"'{', '.join(unknown)}' is none of its keys, which are voices and default")
        voices = content.get("voices") or {}
        _check(isinstance(voices, dict), "`voices` is not a list of NAME: VOICE")
        parts = {str(name): _part(str(name), value) for name, value in voices.items()}
        twice = [name for name in parts if sum(_plain(name) == _plain(other) for other in parts) > 1]
        _check(not twice, f"{' and '.join(twice)} are one character")
        chosen = _part("default", content["default"]) if content.get("default") else None
    except ValueError as error:
        raise InvalidInput(f"{show(path)} is no casting: {error}.") from error
    return Casting(parts, Part(voice) if voice else chosen)


def _load(path: Path) -> Any:
    """Returns the content with every value as text: a character may be called NO, which YAML takes for false."""
    import yaml

    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InvalidInput(f"{show(path)} is too large for a casting.")
        text = path.read_text(encoding="utf-8-sig")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.BaseLoader)):
            raise InvalidInput(f"{show(path)} is no casting: it has aliases (*); write out what they stand for.")
        root = yaml.compose(text, yaml.BaseLoader)
        for mapping in [root, *(value for _, value in root.value)] if isinstance(root, yaml.MappingNode) else []:
            keys = [key.value for key, _ in mapping.value] if isinstance(mapping, yaml.MappingNode) else []
            doubled = next((key for key in keys if keys.count(key) > 1), None)
            if doubled is not None:
                raise InvalidInput(f"{show(path)} has '{doubled}' twice.")
        return yaml.load(text, yaml.BaseLoader)
    except OSError as error:
        raise InvalidInput(f"{show(path)} cannot be read: {error.strerror}.") from error
    except RecursionError as error:
        raise InvalidInput(f"{show(path)} is no casting: it is nested too deeply.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInput(f"{show(path)} is no casting: {reason}.") from error


def _part(name: str, value: Any) -> Part:
    if isinstance(value, str) and value:
        return Part(value)
    _check(isinstance(value, dict) and isinstance(value.get("voice"), str), f"{name} has no voice")
    options = {key: option for key, option in value.items() if key != "voice"}
    for key, option in options.items():
        items = option if isinstance(option, list) else [option]
        _check(all(isinstance(item, str) for item in items), f"{key} of {name} is neither a value nor a list of values")
    return Part(value["voice"], options)


def _check(is_right: bool, what: str) -> None:
    if not is_right:
        raise ValueError(what)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
