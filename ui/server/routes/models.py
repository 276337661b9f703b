"""What this server has to offer: models with their options, and what is in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path

from audio_ml import catalogue
from audio_ml import device as devices
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import InvalidInput, did_you_mean
from audio_ml.footprints import Footprints
from audio_ml.licences import terms_of
from audio_ml.weights import WeightStore
from separation.ensemble import find_model
from tts.voices import find_speaker
from ui.models import is_here, parts_of
from ui.server.lanes import DEVICE
from ui.server.openai_names import is_openai_model
from ui.server.refusals import Conflict, NotFound
from ui.server.request import JobRequest
from ui.server.schema import TASKS, Offer, offers
from ui.server.services import Known, Served, Services
from ui.server.speeds import Speeds
from ui.server.tokens import Caller

router = APIRouter(prefix="/v1", tags=["models"])

# The tasks that use models of a kind without a word: by the voice they speak with, or by default.
USES_BY_ITSELF = {
    "separation": ("separate", "explain_separation"),
    "tts": ("speak", "clone", "cues", "enroll", "explain_speech", "explain_voices", "history"),
    "voiceclone": ("clone", "convert", "enroll", "check_reference", "explain_voices"),
}

ModelId = Annotated[str, Path(max_length=300, description="A model's name, an alias of it, or one of OpenAI's names.")]


@router.get("/models")
def list_models(services: Served) -> dict[str, Any]:
    """Lists the models, and the modules of models that could not be imported, each with the reason."""
    machine = _machine(services)
    described = [_describe(offer, machine) for offer in offers().values()]
    broken = [_describe_broken(name, task, why) for task in TASKS for name, why in catalogue.unavailable(task).items()]
    return {"object": "list", "data": [*described, *broken]}


@router.get("/models/{model}")
def show_model(model: ModelId, services: Served) -> dict[str, Any]:
    """Describes a model with the JSON Schema of its options and of the form of its files, and its ports."""
    for task in TASKS:
        if (reason := catalogue.unavailable(task).get(model)) is not None:
            return _describe_broken(model, task, reason)
    offer = _find(model)
    return _describe(offer, _machine(services)) | {
        "options": offer.options,
        "clone_options": offer.clone_options,
        "delivery": offer.delivery,
        "ports": offer.ports,
    }


@router.post("/models/{model}/load")
def load_model(model: ModelId, services: Served) -> dict[str, Any]:
    """Brings a model into memory, fetching its weights where they are not here; answers when it is there."""
    spec = _find(model).spec
    services.fleet.load(spec.task, spec.name)
    return {"id": spec.name, "loaded": True}


@router.post("/models/{model}/unload")
def unload_model(model: ModelId, services: Served) -> dict[str, Any]:
    """Gives a model's memory back; one that is at work stays, and is `loaded` still."""
    spec = _find(model).spec
    services.fleet.unload(spec.task, spec.name)
    return {"id": spec.name, "loaded": _machine(services).has_loaded(spec)}


@router.post("/models/{model}/licence")
def accept_licence(model: ModelId, services: Served, caller: Known) -> dict[str, Any]:
    """Accepts the terms of a model for this machine; the audit log has who did and when."""
    return change_licence(_find(model).spec, services, caller, accepts=True)


@router.delete("/models/{model}/licence")
def withdraw_licence(model: ModelId, services: Served, caller: Known) -> dict[str, Any]:
    """Takes back that the terms of a model were accepted: it is not fetched or loaded until they are again."""
    return change_licence(_find(model).spec, services, caller, accepts=False)


@router.delete("/models/{model}/weights")
def remove_weights(model: ModelId, services: Served, caller: Known) -> dict[str, Any]:
    """Deletes the files of a model from this machine, as the audit log has it; a folder of the user's own stays."""
    spec, store = _find(model).spec, WeightStore()
    going_on = [job.request for job in services.store.find(states=("queued", "running"))]
    if any(may_use(request, spec) for request in going_on):
        raise Conflict(f"A job may work with {spec.name}: cancel it first, or wait for its end.")
    services.fleet.unload(spec.task, spec.name)
    held = {held["name"] for worker in services.fleet.memory() for held in worker["models"]}  # or being fetched for it
    if not held.isdisjoint(part.name for part in spec.parts):
        raise Conflict(f"{spec.name} is at work: try again when it is done.")
    services.audit.note(caller, "remove weights", model=spec.name)
    return {"id": spec.name, "freed_bytes": sum(store.remove(part) for part in parts_of(spec))}


def may_use(request: JobRequest, spec: ModelSpec) -> bool:
    """Tells whether a job may read a model's files: it says which it does, or not, as those that have a voice."""
    if request.model is None:
        return request.task in USES_BY_ITSELF.get(spec.task, ())
    try:
        named = find_model(request.model) if spec.task == "separation" else catalogue.find(spec.task, request.model)
    except InvalidInput:  # it is of another task
        return False
    return not {part.name for part in named.parts}.isdisjoint(part.name for part in spec.parts)


@router.get("/memory")
def show_memory(services: Served) -> dict[str, Any]:
    """Tells what each worker process has in memory, and the budget of all of them, in bytes."""
    workers = services.fleet.memory()
    return {"workers": workers, "memory_budget": services.fleet.memory_budget}


@dataclass(frozen=True)
class _Machine:
    """What is known of this machine: its files and terms, what models take and do here, what workers loaded."""

    store: WeightStore
    footprints: Footprints
    devices: Mapping[str, str]  # of the workers
    loaded: frozenset[str]
    speeds: Mapping[str, float]

    def has_loaded(self, spec: ModelSpec) -> bool:
        return all(part.name in self.loaded for part in spec.parts)


def _machine(services: Services) -> _Machine:
    workers, store = services.fleet.memory(), WeightStore()
    names = {worker["name"]: worker["device"] for worker in workers}
    loaded = frozenset(model["name"] for worker in workers for model in worker["models"] if not model["loading"])
    return _Machine(store, Footprints(store.cache), names, loaded, Speeds(services.database).all())


def _find(name: str) -> Offer:
    if is_openai_model(name):
        return offers()[find_speaker().spec.name]
    for offer in offers().values():
        if name in (offer.spec.name, *offer.spec.aliases):
            return offer
    raise NotFound(f"There is no model '{name}'.{did_you_mean(name, offers())} See GET /v1/models.")


def _describe(offer: Offer, machine: _Machine) -> dict[str, Any]:
    spec, parts = offer.spec, parts_of(offer.spec)
    return {
        **_named(spec.name, spec.task),
        "summary": spec.summary,
        "aliases": list(spec.aliases),
        "jobs": list(offer.jobs),
        "makes": list(spec.outputs),
        "licence": _describe_licence(spec, machine.store),
        "verified": spec.verified,
        "here": all(is_here(part, machine.store) for part in parts),
        "loaded": machine.has_loaded(spec),
        "speed": machine.speeds.get(spec.name),
        **_sizes(spec, machine),
        "unavailable": None,
    }


def _describe_licence(spec: ModelSpec, store: WeightStore) -> dict[str, Any]:
    """Tells the terms of a model; those of an ensemble's members are what has to be accepted."""
    licence, asking = spec.licence, [part for part in spec.parts if part.licence.must_accept]
    return {
        "name": licence.name,
        "commercial": licence.commercial,
        "note": licence.note,
        "must_accept": bool(asking),
        "accepted": all(store.licences.accepted(part) for part in asking),
        "terms": list(dict.fromkeys(terms_of(part) for part in asking)),
    }


def change_licence(spec: ModelSpec, services: Services, caller: Caller, *, accepts: bool) -> dict[str, Any]:
    """Accepts terms or withdraws that; it is noted first, so that nothing is accepted that nobody answers for."""
    licences = WeightStore().licences
    changed = [part for part in spec.parts if part.licence.must_accept and licences.accepted(part) != accepts]
    for part in changed:
        services.audit.note(caller, "accept" if accepts else "withdraw", model=part.name, terms=terms_of(part))
        (licences.accept if accepts else licences.withdraw)(part)
    return {"id": spec.name, "licence": _describe_licence(spec, WeightStore())}


def _sizes(spec: ModelSpec, machine: _Machine) -> dict[str, Any]:
    """Tells how many bytes a model takes; what is not known of a download is null."""
    device = "cpu" if spec.task == "tts" else machine.devices.get(DEVICE, "auto")
    takes = [machine.footprints.of(part, devices.resolve(device).kind) for part in spec.parts]
    return {
        "download_bytes": sum(part.download_bytes for part in spec.parts) or None,
        "bytes_on_disk": sum(machine.store.size_on_disk(part) for part in spec.parts),
        "memory_bytes": sum(footprint.n_bytes for footprint in takes),
        "memory_measured": all(footprint.measured for footprint in takes),
    }


def _describe_broken(module: str, task: str, reason: str) -> dict[str, Any]:
    return {
        **_named(module, task),
        "summary": "",
        "aliases": [],
        "jobs": [],
        "makes": [],
        "licence": None,
        "verified": "",
        "here": False,
        "loaded": False,
        "speed": None,
        "download_bytes": None,
        "bytes_on_disk": 0,
        "memory_bytes": 0,
        "memory_measured": False,
        "unavailable": reason,
    }


def _named(name: str, task: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "audio-ml", "task": task}
