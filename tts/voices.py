"""Voices by name: `hibari/heart`, `heart`, `cloned/anna`, a blend `heart*0.6+bella*0.4`, or a file of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audio_ml import catalogue, own_files
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import InvalidInput, InvalidOption, UnknownModel, UnknownVoice, did_you_mean
from audio_ml.voice_file import SUFFIX as CLONED_FILE
from audio_ml.voice_library import VoiceLibrary, read_known_voice, voices_folder
from audio_ml.weights import WeightStore
from tts.cloned_voices import FAMILY as CLONED
from tts.cloned_voices import broken_cloned_voices, cloned_rows, row_that_speaks
from tts.engine import Blend, SpeechModel, Voice
from tts.options import DEFAULT_VOICE, ClonedVoiceOptions, SpeechOptions

VOICE_FILE = ".onnx"
NO_VOICE = "it is no voice that any model here can open; Piper's are a .onnx with its .onnx.json beside it."
_PART = re.compile(r"(?P<name>[^*+]+?)\s*(?:\*\s*(?P<weight>\d*\.?\d+))?")


@dataclass(frozen=True)
class Speaker:
    """A model and which of its voices speaks, alone or blended."""

    spec: SpeechModel
    blend: Blend

    @property
    def id(self) -> str:
        """The name that finds it again: "kokoro/af_heart", "kokoro/af_heart*0.6+af_bella*0.4"."""
        parts = self.blend.parts
        names = [voice.name if len(parts) == 1 else f"{voice.name}*{weight:.4g}" for voice, weight in parts]
        return f"{self.spec.family}/{'+'.join(names)}"

    @property
    def cloned(self) -> ClonedVoice | None:
        """The cloned voice that speaks, if it is one."""
        return self.blend.cloned


def speech_models() -> list[SpeechModel]:
    """Returns the rows of this task, and behind them those of the user's own voice files and cloned voices."""
    rows = _rows()
    return [*rows, *_own_voices(rows)[0], *cloned_rows(rows)]


def broken_voices() -> dict[Path, str]:
    """Returns the files in the folder of voices that cannot speak, each with the reason; they are in no list."""
    return _own_voices(_rows())[1] | broken_cloned_voices()


def rows_of(model: str | SpeechModel | None) -> Sequence[SpeechModel]:
    """Returns the rows that a model's name stands for, and no name for all; raises `UnknownModel`."""
    return _rows() if model is None else _candidates("", model)


def option_models() -> list[type[SpeechOptions]]:
    """Returns the options of all models, those for cloned voices among them, whether there are any or not."""
    kinds = [spec.options for spec in _rows() if issubclass(spec.options, SpeechOptions)]
    return list(dict.fromkeys([SpeechOptions, *kinds, *clone_option_models()]))


def clone_option_models() -> list[type[ClonedVoiceOptions]]:
    """Returns the options of cloned voices, of all models that can speak with them."""
    return list(dict.fromkeys(spec.clone_options for spec in _rows() if spec.clone_options is not None))


def list_voices(language: str | None = None) -> list[Speaker]:
    """Returns every voice once, with the model that speaks it unless another is asked for.

    >>> [speaker.id for speaker in list_voices("en-US")][0]
    'hibari/heart'
    """
    found: dict[str, Speaker] = {}
    for spec in speech_models():
        for voice in spec.voices:
            if language is None or voice.language.lower().startswith(language.lower()):
                speaker = Speaker(spec, Blend(((voice, 1.0),)))
                found.setdefault(speaker.id, speaker)
    return list(found.values())


def is_here(speaker: Speaker, store: WeightStore) -> bool:
    """Whether all files that a voice needs are on this machine; those of the model's other voices it does not."""
    spec, (voice, _) = speaker.spec, speaker.blend.parts[0]
    of_others = {other.file for other in (spec.base or spec).voices} - {voice.file}
    return all(store.find(spec, file) for file in spec.files if file.name not in of_others)


def find_speaker(name: str | ClonedVoice | None = None, model: str | SpeechModel | None = None) -> Speaker:
    """Returns the speaker of a voice id, a bare name, a blend of names with weights, a voice file, or a cloned voice.

    No name stands for the model's first voice, and of all models for hibari/heart. A bare name is looked for in
    the models in their order in the catalogue (hibari, kokoro, piper, then those of other packages), among the user's
    own voice files, and at last among the cloned voices; a blend goes to the first model that has all of its voices
    and can mix.

    Raises:
        UnknownModel: when there is no such model.
        UnknownVoice: with close matches, when no model has the voice.
        InvalidOption: for weights that are none, a blend of a model that cannot mix, or a voice file and a model.
        InvalidInput: for a voice file that is damaged.

    >>> find_speaker("heart").id
    'hibari/heart'
    """
    if isinstance(name, ClonedVoice):
        return _speaker_with(name, model)
    if name is None and model is not None:
        spec = _candidates("", model)[0]
        return Speaker(spec, Blend(((spec.voices[0], 1.0),)))
    name = DEFAULT_VOICE if name is None else name
    if name.lower().endswith(CLONED_FILE) and own_files.are_welcome():
        return _cloned_voice(Path(name).expanduser(), model)
    if name.lower().endswith(VOICE_FILE) and own_files.are_welcome():
        if model is not None:
            named = model if isinstance(model, str) else model.name
            raise InvalidOption(f"The voice file {name} brings its own model: leave out --model {named}, or --voice.")
        return _own_voice(Path(name).expanduser())
    wanted = _parse(name)
    if len(wanted) > 1:
        _refuse_cloned(part for part, _ in wanted)
    specs = _candidates(name, model)
    having = [spec for spec in specs if all(_voice(spec, part) for part, _ in wanted)]
    if not having:
        raise _unknown(wanted, specs, model)
    if len(wanted) == 1:
        return Speaker(having[0], _blend(having[0], wanted))
    mixing = [spec for spec in having if spec.mixes_voices]
    if not mixing:
        raise InvalidOption(f"{having[0].family} cannot mix voices; kokoro can: --voice 'kokoro/heart*0.6+bella*0.4'.")
    return Speaker(mixing[0], _blend(mixing[0], wanted))


def _refuse_cloned(names: Iterable[str]) -> None:
    """Raises `InvalidOption` for a cloned voice among those of a blend."""
    rows = _rows()
    cloned = cloned_rows(rows)
    for name in names:
        is_found = any(_voice(spec, name) for spec in cloned) and not any(_voice(spec, name) for spec in rows)
        if is_found or name.startswith(CLONED + "/"):
            bare = name.removeprefix(CLONED + "/")
            raise InvalidOption(
                f"{CLONED}/{bare} is a cloned voice, and those do not mix with others: let it speak alone. Kokoro's "
                "own voices do: --voice 'kokoro/heart*0.6+bella*0.4'."
            )


def _candidates(name: str, model: str | SpeechModel | None) -> Sequence[SpeechModel]:
    """Returns the models to look through: one that is given, the family a voice id begins with, or all."""
    if isinstance(model, SpeechModel):
        return [model, *([model.base] if model.base else cloned_rows([model]))]
    specs = speech_models()
    wanted = model or name.rpartition("/")[0].split("+")[0].split("/")[0]
    if not wanted:
        return specs
    exact = [spec for spec in specs if model in (spec.name, *spec.aliases)]
    chosen = exact or [spec for spec in specs if spec.family == wanted]
    if not chosen and not model and wanted == CLONED:
        VoiceLibrary.default().load(name.partition("/")[2])  # none of it can be used: this tells why
    if not chosen:
        error, what = (UnknownModel, f"model '{model}'") if model else (UnknownVoice, f"voice '{name}'")
        known = [*dict.fromkeys(spec.family for spec in specs), *(spec.name for spec in specs)]
        raise error(f"Unknown {what}.{did_you_mean(wanted, known)} See `audio-ml voices list`.")
    return chosen


def _parse(name: str) -> list[tuple[str, float]]:
    parts = []
    for text in name.split("+"):
        match = _PART.fullmatch(text.strip())
        weight = float(match["weight"] or 1) if match else 0.0
        if match is None or weight <= 0:
            raise InvalidOption(
                f"'{name}' is no blend of voices: write names with weights above 0, as in heart*0.6+bella*0.4."
            )
        parts.append((match["name"].strip(), weight))
    return parts


def _blend(spec: SpeechModel, wanted: Sequence[tuple[str, float]]) -> Blend:
    total = sum(weight for _, weight in wanted)
    parts = []
    for name, weight in wanted:
        voice = _voice(spec, name)
        assert voice is not None
        parts.append((voice, weight / total))
    return Blend(tuple(parts))


def _voice(spec: SpeechModel, name: str) -> Voice | None:
    """Returns a model's voice of that name or id; its own spelling counts before others' aliases and capitals."""
    name = name.removeprefix(spec.family + "/")
    for voice in spec.voices:
        if name in (voice.name, *voice.aliases):
            return voice
    lower = name.lower()
    return next((voice for voice in spec.voices if lower in (voice.name.lower(), *voice.aliases)), None)


def _unknown(
    wanted: Sequence[tuple[str, float]], specs: Sequence[SpeechModel], model: str | SpeechModel | None
) -> UnknownVoice:
    missing = [name for name, _ in wanted if not any(_voice(spec, name) for spec in specs)]
    if not missing:
        return UnknownVoice(
            f"No one model has all of {', '.join(name for name, _ in wanted)}; voices of one model mix."
        )
    _, slash, bare = missing[0].rpartition("/")
    for path, reason in broken_voices().items():
        if path.name in (bare + VOICE_FILE, bare + CLONED_FILE):
            return UnknownVoice(f"The voice {path} cannot be used: {reason}")
    having = next((spec.family for spec in speech_models() if _voice(spec, missing[0])), None) if model else None
    if having:
        return UnknownVoice(f"{specs[0].family} has no voice '{missing[0]}': it is one of {having}. Leave out --model.")
    # Names are compared without their family, which alone would make all of its voices close.
    known = [(spec, name) for spec in specs for voice in spec.voices for name in (voice.name, *voice.aliases)]
    close = [(spec.family + slash if slash else "") + name for spec, name in known if did_you_mean(bare, [name])]
    return UnknownVoice(f"Unknown voice '{missing[0]}'.{did_you_mean(missing[0], close)} See `audio-ml voices list`.")


def _own_voice(path: Path) -> Speaker:
    if not path.is_file():
        raise UnknownVoice(f"There is no voice file {path}.")
    opened = _opened(path, speech_models())
    if not opened:
        raise UnknownVoice(f"{path} cannot be used: {NO_VOICE}")
    return Speaker(opened[0], Blend(((opened[0].voices[0], 1.0),)))


def _cloned_voice(path: Path, model: str | SpeechModel | None) -> Speaker:
    if not path.is_file():
        raise UnknownVoice(f"There is no voice file {path}.")
    return _speaker_with(read_known_voice(path), model)


def _speaker_with(voice: ClonedVoice, model: str | SpeechModel | None) -> Speaker:
    spec = row_that_speaks([voice], rows_of(model))
    return Speaker(spec, Blend(((spec.voices[0], 1.0),)))


def _rows() -> list[SpeechModel]:
    return [spec for spec in catalogue.models("tts") if isinstance(spec, SpeechModel)]


def _own_voices(rows: Sequence[SpeechModel]) -> tuple[list[SpeechModel], dict[Path, str]]:
    """Returns the rows of the voice files in the folder of voices, and why others of them cannot be opened."""
    opened, broken = [], {}
    for path in sorted(voices_folder().glob(f"*{VOICE_FILE}")):
        try:
            found = _opened(path, rows)
        except InvalidInput as error:
            broken[path] = str(error)
            continue
        if found:
            opened += found
        else:
            broken[path] = NO_VOICE
    return opened, broken


def _opened(path: Path, rows: Sequence[SpeechModel]) -> list[SpeechModel]:
    """Returns the row that a model makes of a voice file, or nothing when no model knows the kind."""
    opened = (spec.open_voice(path) for spec in rows if spec.open_voice)
    return [spec for spec in opened if spec][:1]
