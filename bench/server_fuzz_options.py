"""Jobs whose options are what nobody would choose, for every option of every model as the server describes it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from bench import server_load
from bench.server_client import Client
from bench.server_fuzz_media import Outcome

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 3, 2.5, 1e308, 2**62),
    *("", "x", "x" * 5000, "../../etc/passwd", "/dev/zero", "a\0b", "\u202e", "{stem}/../{track}.{ext}"),
    *([], ["x"], [[1]], [None], [{}], {}, {"a": [1]}, {"vocals": 1e308}, {"": ""}),
)
CARRIED_THROUGH = ("dtln", "hibari")  # quick ones, whose jobs may run to their end
CLIP_SECONDS = 1.0
WITHIN_SECONDS = 120.0
TASKS = ("separate", "speak")


def try_options(client: Client, seed: int, n_each: int) -> Iterator[Outcome]:
    """Asks for jobs with `n_each` odd values of every option; what is accepted is cancelled, or runs if it is quick."""
    chance = random.Random(seed)
    upload = client.upload("clip.wav", server_load.clip(seed, CLIP_SECONDS))
    for listed in client.ask("GET", "/v1/models").expect(200).json["data"]:
        if listed["unavailable"] or not set(listed["jobs"]) & set(TASKS):
            continue
        model = client.ask("GET", f"/v1/models/{listed['id']}").expect(200).json
        job: dict[str, Any] = {"task": listed["jobs"][0], "model": listed["id"]}
        job |= {"inputs": [{"upload": upload}]} if job["task"] == "separate" else {"text": "One."}
        for part in ("options", "delivery"):
            for name in model[part]["properties"]:
                for value in chance.sample(ODD_VALUES, n_each):
                    yield _try(client, {**job, part: {name: value}}, f"{part}: {name} = {value!r:.40}")


def _try(client: Client, job: dict[str, Any], shown: str) -> Outcome:
    kind, name = f"odd {shown.partition(':')[0]} of a job to {job['task']}", f"{job['model']}, {shown}"
    reply = client.submit(job)
    if reply.status != 202:
        return Outcome(kind, name, reply.status, _said(reply.json), 0)
    job_id = reply.json["id"]
    ended = reply.json
    if job["model"] in CARRIED_THROUGH:
        ended = client.wait(job_id, WITHIN_SECONDS)
    client.ask("DELETE", f"/v1/jobs/{job_id}").expect(202, 204)
    failure = ended["error"] or {"code": 0, "type": "", "message": ""}
    return Outcome(kind, name, failure["code"], f"{failure['type']}: {failure['message']}", ended["attempts"])


def _said(told: Any) -> str:
    error = told.get("error", {}) if isinstance(told, dict) else {}
    return f"{error.get('type')}: {error.get('message')}"
