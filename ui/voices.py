"""`audio-ml voices`: who can speak and what they sound like; how voices are enrolled and kept is beside this file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml.device import DeviceOptions
from audio_ml.errors import UnknownVoice
from audio_ml.weights import FetchOptions, WeightStore
from audio_ml.writer import check_target
from tts.voices import Speaker, broken_voices, find_speaker, is_here, list_voices
from ui.commands import new_app
from ui.console import print_line, print_table, shown_progress
from ui.flags import takes
from ui.models import store_for
from ui.voices_enroll import enroll
from ui.voices_kept import delete, export, import_, show_voice

SAMPLE_TEXT = "This is {name}. The quick brown fox jumps over the lazy dog, and nobody is surprised."

app = new_app(help="List the voices, hear them, and enrol voices of people who agree.", no_args_is_help=True)

Language = Annotated[str | None, typer.Option(metavar="TAG", help="Only voices of a language: en, en-GB, ja ...")]


@app.command("list")
def list_(
    *,
    language: Language = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every voice: the name to ask for, its language, and whether its model is on this machine."""
    store = WeightStore()
    described = [_described(speaker, store) for speaker in _speakers(language)]
    for path, reason in broken_voices().items():
        print_line(f"audio-ml: {path} is left out: {reason}")
    if as_json:
        print(json.dumps(described, indent=2, ensure_ascii=False))
        return
    header = ("VOICE", "ALSO", "LANGUAGE", "GENDER", "MODEL", "LICENCE", "HERE")
    cells = ("voice", "also", "language", "gender", "model", "licence", "here")
    print_table(header, [[str(row[cell]) for cell in cells] for row in described])


@app.command()
@takes(device=[DeviceOptions], fetch=[FetchOptions])
def sample(
    names: Annotated[list[str] | None, typer.Argument(metavar="[VOICE]...", help="All of them by default.")] = None,
    *,
    language: Language = None,
    out_dir: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the samples.")] = Path(
        "voices"
    ),
    text: Annotated[str, typer.Option(help="What they say; {name} is the voice's own name.")] = SAMPLE_TEXT,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")] = False,
    device: dict[str, Any],
    fetch: dict[str, Any],
) -> None:
    """Let voices say a sentence, one WAV each, to choose by ear."""
    import tts
    from audio_ml.loader import ModelLoader

    speakers = [find_speaker(name) for name in names] if names else [s for s in _speakers(language) if _reads(s)]
    targets = [out_dir / f"{speaker.id.replace('/', '-')}.wav" for speaker in speakers]
    for target in targets:
        check_target(target, overwrite)
    loader = ModelLoader(device.get("device", "auto"), store_for(fetch))
    for speaker, target in zip(speakers, targets, strict=True):
        said = text.replace("{name}", speaker.blend.parts[0][0].name.split("_")[-1].capitalize())
        with shown_progress(speaker.id, quiet) as progress:
            tts.synthesize_file(
                said,
                target,
                speaker.id,
                model=speaker.spec,
                delivery={"overwrite": overwrite},
                loader=loader,
                progress=progress,
            )
        if not quiet:
            print(target)


def _reads(speaker: Speaker) -> bool:
    """Tells whether a voice speaks English, as the sample does; says so where it does not."""
    if speaker.blend.language.startswith("en"):
        return True
    print_line(f"{speaker.id} speaks {speaker.blend.language}: no sample.")
    return False


def _speakers(language: str | None) -> list[Speaker]:
    speakers = list_voices(language)
    if not speakers:
        tags = sorted({speaker.blend.language for speaker in list_voices()})
        raise UnknownVoice(f"No voice speaks '{language}'; there are {', '.join(tags)}.")
    return speakers


def _described(speaker: Speaker, store: WeightStore) -> dict[str, Any]:
    voice, spec = speaker.blend.parts[0][0], speaker.spec
    return {
        "voice": speaker.id,
        "also": ", ".join(voice.aliases),
        "language": voice.language,
        "gender": voice.gender,
        "model": spec.name,
        "licence": spec.licence.name,
        "commercial": spec.licence.commercial,
        "here": "yes" if is_here(speaker, store) else "fetched on first use",
        "note": voice.note,
    }


app.command()(enroll)
app.command("show")(show_voice)
app.command()(export)
app.command("import")(import_)
app.command()(delete)
