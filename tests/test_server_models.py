"""What a client is told of the models: enough to draw their controls, and as the option models have it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from serving import Server
from speech_serving import speech_serving
from test_catalogue import ENGINE, install

from audio_ml.options import Options, describe
from separation.options import DeliveryOptions
from tts.options import SpeechFileOptions
from ui.server.schema import TASKS, offers, schema_of
from voiceclone.options import EnrolOptions

JSON_TYPES = {"flag": "boolean", "integer": "integer", "number": "number", "choice": "string", "text": "string"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch, speech_serving(tmp_path_factory.mktemp("s"), patch) as on:
        yield on


def option_models() -> list[type[Options]]:
    found = [offer.spec.options for offer in offers().values()]
    return list(dict.fromkeys([*found, DeliveryOptions, SpeechFileOptions, EnrolOptions]))


@pytest.mark.parametrize("model", option_models(), ids=lambda model: model.__name__)
def test_a_schema_says_what_the_option_model_says(model: type[Options]) -> None:
    properties = schema_of(model, without=())["properties"]
    assert list(properties) == list(model.model_fields)
    for field in describe(model):
        told = properties[field.name]
        types = [told["type"]] if isinstance(told["type"], str) else told["type"]
        assert types == [JSON_TYPES.get(field.kind, "array"), *(["null"] if field.optional else [])]
        assert told["description"] == field.description and told["description"]
        assert json.dumps(told["default"]) == json.dumps(field.default)
        assert [choice for choice in told.get("enum", ()) if choice is not None] == list(field.choices)
        limits = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"), ("multipleOf", "")
        least, most, step = (told.get(closed, told.get(open_)) for closed, open_ in limits)
        assert [None if limit is None else float(limit) for limit in (least, most, step)] == [
            field.minimum,
            field.maximum,
            field.step,
        ]
        assert (told["unit"], told["advanced"], told["flag"]) == (field.unit, field.advanced, field.flag)
        assert told["group"]


@pytest.mark.parametrize("model", option_models(), ids=lambda model: model.__name__)
def test_values_that_a_schema_refuses_the_model_refuses(model: type[Options]) -> None:
    validator = pytest.importorskip("jsonschema").Draft202012Validator(schema_of(model, without=()))
    defaults = json.loads(model().model_dump_json())
    assert validator.is_valid(defaults)
    for field in describe(model):
        wrong: list[Any] = [[[]], {}]
        wrong += [field.minimum - 1] if field.minimum is not None else []
        wrong += [field.maximum + 1] if field.maximum is not None else []
        wrong += ["none such"] if field.choices else []
        for value in wrong:
            assert not validator.is_valid({field.name: value}), (field.name, value)
            with pytest.raises(ValidationError):
                model(**{field.name: value})


def test_options_stand_in_groups_by_where_they_come_from(server: Server) -> None:
    told = server.ask("GET", "/v1/models/htdemucs").json["options"]["properties"]
    assert {told["stems"]["group"], told["shifts"]["group"]} == {"Separation"}
    assert told["overlap"]["group"] != "Separation"
    assert told["stems"]["examples"] == ["drums", "bass", "other", "vocals"]


def test_every_model_is_listed_and_described(server: Server) -> None:
    listed = server.ask("GET", "/v1/models").json
    assert listed["object"] == "list"
    assert {"hibari", "htdemucs", "kokoro-convert", "fake-speech"} <= {model["id"] for model in listed["data"]}
    for model in listed["data"]:
        assert model["object"] == "model" and model["created"] == 0 and model["owned_by"] == "audio-ml"
        assert model["task"] in TASKS and model["unavailable"] is None and model["jobs"]
        whole = server.ask("GET", f"/v1/models/{model['id']}").json
        assert {name: whole[name] for name in model} == model
        assert whole["options"]["additionalProperties"] is False
        assert not {"overwrite", "lexicon"} & {*whole["options"]["properties"], *whole["delivery"]["properties"]}
        for port in (*whole["ports"]["in"], *whole["ports"]["out"]):
            assert port["kind"] in ("audio", "text", "voice", "words", "markers")
            assert port["kind"] != "audio" or (port["sample_rate"] > 0 and port["channels"] in (1, 2))


@pytest.mark.parametrize(
    ("model", "jobs", "goes_in", "comes_out"),
    [
        ("spleeter-2stems", ["separate"], ["audio"], ["vocals", "accompaniment"]),
        ("kokoro", ["speak", "clone"], ["text", "voice"], ["speech", "words"]),
        ("pocket-tts", ["clone"], ["text", "voice"], ["speech"]),
        ("kokoro-convert", ["convert"], ["audio", "voice"], ["speech"]),
        ("kokoro-inversion", ["enroll"], ["audio"], ["voice"]),
    ],
)
def test_a_model_tells_its_jobs_and_ports(
    server: Server, model: str, jobs: list[str], goes_in: list[str], comes_out: list[str]
) -> None:
    told = server.ask("GET", f"/v1/models/{model}").json
    assert told["jobs"] == jobs
    assert [port["name"] for port in told["ports"]["in"]] == goes_in
    assert [port["name"] for port in told["ports"]["out"]] == comes_out
    assert (told["clone_options"] is not None) == (model == "kokoro")


def test_terms_are_told_with_whether_they_were_accepted(server: Server) -> None:
    told = server.ask("GET", "/v1/models/htdemucs-ft").json["licence"]
    assert told["must_accept"] and not told["accepted"] and told["commercial"] is False
    assert told["name"] == "research use only"
    free = server.ask("GET", "/v1/models/hibari").json["licence"]
    assert not free["must_accept"] and free["accepted"] and free["commercial"] is True


def test_an_alias_and_an_unknown_name(server: Server) -> None:
    assert server.ask("GET", "/v1/models/spleeter:2stems").json["id"] == "spleeter-2stems"
    assert server.ask("GET", "/v1/models/gpt-4o-mini-tts").json["id"] == "hibari"
    reply = server.ask("GET", "/v1/models/htdemuc")
    assert reply.status == 404 and "Did you mean 'htdemucs'" in reply.json["error"]["message"]
    for path in ("/v1/models/perth", "/v1/models/..%2f..%2fetc", "/v1/models/~"):
        assert server.ask("GET", path).status == 404  # judges are for nobody to run, and paths are no names


def test_a_model_is_loaded_and_given_back(server: Server) -> None:
    def loaded() -> tuple[bool, bool]:
        listed = {model["id"]: model for model in server.ask("GET", "/v1/models").json["data"]}
        memory = [
            model["name"] for worker in server.ask("GET", "/v1/memory").json["workers"] for model in worker["models"]
        ]
        return listed["fake-speech"]["loaded"], "fake-speech" in memory

    assert loaded() == (False, False)
    assert server.ask("POST", "/v1/models/fake-speech/load").json == {"id": "fake-speech", "loaded": True}
    assert loaded() == (True, True)
    assert server.ask("POST", "/v1/models/fake-speech/unload").json == {"id": "fake-speech", "loaded": False}
    assert loaded() == (False, False)
    assert server.ask("POST", "/v1/models/none-such/load").status == 404
    assert server.ask("GET", "/v1/memory").json["memory_budget"] == server.services.fleet.memory_budget


LISTING = """
import sys
sys.path.insert(0, {site!r})
from types import SimpleNamespace
from ui.server.routes.models import list_models, show_model
from pathlib import Path
from ui.server.database import Database
services = SimpleNamespace(fleet=SimpleNamespace(memory=list), database=Database(Path({site!r}) / "jobs.sqlite"))
import json
told = list_models(services)
one = show_model("broken.net", services)
print(json.dumps([told, one, "torch" in sys.modules, "onnxruntime" in sys.modules]))
"""


def test_broken_and_foreign_packages_are_listed_and_no_torch_is_imported(tmp_path: Path) -> None:
    install(tmp_path, "ours", "separation.ours", net=ENGINE.format(name="our-net", task="separation"))
    install(tmp_path, "broken", "tts.broken", net="raise OSError('libcuda.so is not there')")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*filter(None, sys.path)])}
    command = [sys.executable, "-c", LISTING.format(site=str(tmp_path))]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    told, one, has_torch, has_onnxruntime = json.loads(ran.stdout)
    found = {model["id"]: model for model in told["data"]}
    assert found["our-net"]["task"] == "separation" and found["our-net"]["unavailable"] is None
    assert found["broken.net"] == one and one["task"] == "tts" and not one["here"]
    assert one["unavailable"] == "OSError: libcuda.so is not there"
    assert "hibari" in found and not has_torch and not has_onnxruntime
