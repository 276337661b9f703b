"""What this server has to offer: models with their options, and what is in memory."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from fastapi import APIRouter, Path

from audio_ml import catalogue
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import did_you_mean
from audio_ml.weights import WeightStore
from tts.voices import find_speaker
from ui.models import is_here, parts_of
from ui.server.openai_names import is_openai_model
from ui.server.refusals import NotFound
from ui.server.schema import TASKS, Offer, offers
from ui.server.services import Served, Services

router = APIRouter(prefix="/v1", tags=["models"])

ModelId = Annotated[str, Path(max_length=300, description="A model's name, an alias of it, or one of OpenAI's names.")]


@router.get("/models")
def list_models(services: Served) -> dict[str, Any]:
    """Lists the models, and the modules of models that could not be imported, each with the reason."""
    store, loaded = WeightStore(), _loaded(services)
    described = [_describe(offer, store, loaded) for offer in offers().values()]
    broken = [_describe_broken(name, task, why) for task in TASKS for name, why in catalogue.unavailable(task).items()]
    return {"object": "list", "data": [*described, *broken]}


@router.get("/models/{model}")
def show_model(model: ModelId, services: Served) -> dict[str, Any]:
    """Describes a model with the JSON Schema of its options and of the form of its files, and its ports."""
    for task in TASKS:
        if (reason := catalogue.unavailable(task).get(model)) is not None:
            return _describe_broken(model, task, reason)
    offer = _find(model)
    return _describe(offer, WeightStore(), _loaded(services)) | {
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
    return {"id": spec.name, "loaded": _is_loaded(spec, _loaded(services))}


@router.get("/memory")
def show_memory(services: Served) -> dict[str, Any]:
    """Tells what each worker process has in memory, and the budget of all of them, in bytes."""
    workers = services.fleet.memory()
    return {"workers": workers, "memory_budget": services.fleet.memory_budget}


def _loaded(services: Services) -> set[str]:
    """Names what is in the memory of any worker."""
    return {model["name"] for worker in services.fleet.memory() for model in worker["models"] if not model["loading"]}


def _is_loaded(spec: ModelSpec, loaded: Collection[str]) -> bool:
    return all(part.name in loaded for part in spec.parts)


def _find(name: str) -> Offer:
    if is_openai_model(name):
        return offers()[find_speaker().spec.name]
    for offer in offers().values():
        if name in (offer.spec.name, *offer.spec.aliases):
            return offer
    raise NotFound(f"There is no model '{name}'.{did_you_mean(name, offers())} See GET /v1/models.")


def _describe(offer: Offer, store: WeightStore, loaded: Collection[str]) -> dict[str, Any]:
    spec, licence, parts = offer.spec, offer.spec.licence, parts_of(offer.spec)
    return {
        **_named(spec.name, spec.task),
        "summary": spec.summary,
        "aliases": list(spec.aliases),
        "jobs": list(offer.jobs),
        "licence": {
            "name": licence.name,
            "commercial": licence.commercial,
            "note": licence.note,
            "must_accept": any(part.licence.must_accept for part in parts),
            "accepted": all(store.licences.accepted(part) for part in parts),
        },
        "verified": spec.verified,
        "here": all(is_here(part, store) for part in parts),
        "loaded": _is_loaded(spec, loaded),
        "unavailable": None,
    }


def _describe_broken(module: str, task: str, reason: str) -> dict[str, Any]:
    return {
        **_named(module, task),
        "summary": "",
        "aliases": [],
        "jobs": [],
        "licence": None,
        "verified": "",
        "here": False,
        "loaded": False,
        "unavailable": reason,
    }


def _named(name: str, task: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "audio-ml", "task": task}
