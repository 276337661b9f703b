"""What a model offers to clients: which jobs it does, its options as JSON Schema, and its ports."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from audio_ml import catalogue
from audio_ml.catalogue import ModelSpec
from audio_ml.formats import FORMATS
from audio_ml.options import Options, describe
from separation.options import DeliveryOptions
from tts.engine import SpeechModel
from tts.options import SpeechFileOptions
from ui.server.request import TaskName
from ui.server.tasks.clone import ViewOptions
from ui.server.tasks.convert import ConversionDelivery
from ui.server.tasks.speak import CAPTIONS, FILENAME
from voiceclone.options import CloneOptions, EnrolOptions
from voiceclone.zero_shot import ZeroShotModel

Schema = dict[str, Any]
Port = dict[str, Any]
TASKS = ("separation", "tts", "voiceclone")  # of the catalogue; judges and samples are for nobody to run
NOT_OVER_HTTP = ("overwrite", "lexicon")  # a job has a folder of its own; lexicons are among its inputs


@dataclass(frozen=True)
class Offer:
    """A model that clients can ask for, and the tasks of `POST /v1/jobs` that it does, the usual one first."""

    spec: ModelSpec
    jobs: tuple[TaskName, ...]

    @property
    def options(self) -> Schema:
        """The options of its usual job."""
        return _options(self.spec, self.jobs[0])

    @property
    def clone_options(self) -> Schema | None:
        """The options of speech with a cloned voice, where they are others."""
        if isinstance(self.spec, SpeechModel) and self.spec.clone_options:
            return schema_of(self.spec.clone_options, CloneOptions)
        return None

    @property
    def delivery(self) -> Schema:
        """The form of its files."""
        return _delivery(self.jobs[0])

    @property
    def ports(self) -> dict[str, list[Port]]:
        """What goes in and what comes out."""
        return _ports(self.spec, self.jobs[0])


@functools.cache
def offers() -> dict[str, Offer]:
    """Returns every model that clients can ask for, by name."""
    found = (Offer(spec, _jobs(spec)) for task in TASKS for spec in catalogue.models(task))
    return {offer.spec.name: offer for offer in found if offer.jobs}


def schema_of(*models: type[Options], without: Collection[str] = NOT_OVER_HTTP) -> Schema:
    """Returns the JSON Schema of options; of two models with an option of one name the first one's counts.

    Beside what JSON Schema knows, an option has its `unit`, `group`, `flag` on the command line, and whether it is
    `advanced`; an option that may be left open has "null" among its types.

    >>> schema_of(CloneOptions)["properties"]["watermark"]["type"]
    'boolean'
    """
    properties: Schema = {}
    for model in models:
        theirs = model.model_json_schema()
        for field in describe(model):
            if field.name not in without and field.name not in properties:
                told = {"unit": field.unit, "group": field.group, "advanced": field.advanced, "flag": field.flag}
                properties[field.name] = _flat(theirs["properties"][field.name]) | told
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _flat(schema: Schema) -> Schema:
    """Returns the schema of an option that may be null as one, where pydantic offers two."""
    branches = schema.get("anyOf", ())
    if len(branches) != 2 or {"type": "null"} not in branches:
        return dict(schema)
    (inner,) = (branch for branch in branches if branch != {"type": "null"})
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    allowed = {"enum": [*inner["enum"], None]} if "enum" in inner else {}
    return {**rest, **inner, "type": [inner["type"], "null"], **allowed}


def _jobs(spec: ModelSpec) -> tuple[TaskName, ...]:
    if spec.task == "separation":
        return ("separate",)
    if isinstance(spec, SpeechModel):
        return ("speak", "clone") if spec.clone_options else ("speak",)
    if isinstance(spec, ZeroShotModel):
        return ("clone",)
    if "voice" in spec.outputs:
        return ("enroll",)
    return ("convert",) if "speech" in spec.outputs else ()  # what only others use: encoders, voice activity


@functools.cache
def _options(spec: ModelSpec, job: TaskName) -> Schema:
    if job == "enroll":
        return schema_of(EnrolOptions)
    schema = schema_of(spec.options, *([CloneOptions] if job in ("clone", "convert") else []))
    for field in describe(spec.options):
        if field.names == "stems":
            schema["properties"][field.name]["examples"] = list(spec.outputs)
    return schema


@functools.cache
def _delivery(job: TaskName) -> Schema:
    if job == "enroll":
        return schema_of()
    if job == "separate":
        return schema_of(DeliveryOptions)
    if job == "convert":
        return schema_of(ConversionDelivery)
    schema = schema_of(SpeechFileOptions, *([ViewOptions] if job == "clone" else []))
    schema["properties"]["captions"] = _list(
        "captions", CAPTIONS, "Kinds of captions that are written beside the speech."
    )
    schema["properties"]["filename"] = {
        **{"type": "string", "default": FILENAME, "title": "Filename", "description": "Name of the files, no ending."},
        **{"unit": "", "group": "Speech file", "advanced": False, "flag": "--filename"},
    }
    schema["properties"]["also"] = _list("also", tuple(FORMATS), "Further formats that the speech is written in.")
    return schema


def _list(name: str, values: Sequence[str], description: str) -> Schema:
    return {
        "type": "array",
        "items": {"type": "string", "enum": list(values)},
        "default": [],
        "description": description,
        "title": name.capitalize(),
        **{"unit": "", "group": "Speech file", "advanced": False, "flag": f"--{name}"},
    }


def _ports(spec: ModelSpec, job: TaskName) -> dict[str, list[Port]]:
    sound = {"kind": "audio", "channels": spec.n_channels or None, "sample_rate": spec.sample_rate}
    text, voice = {"name": "text", "kind": "text"}, {"name": "voice", "kind": "voice"}
    heard, speech = {"name": "audio", **sound}, {"name": "speech", **sound}
    if job == "separate":
        return {"in": [heard], "out": [{"name": stem, **sound} for stem in spec.outputs]}
    if job == "enroll":
        return {"in": [heard], "out": [voice]}
    if job == "convert":
        return {"in": [heard, voice], "out": [speech]}
    words = [] if job == "clone" else [{"name": "words", "kind": "words"}]  # models that imitate tell no times
    return {"in": [text, voice], "out": [speech, *words]}
