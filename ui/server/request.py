"""What a client asks for: the body of `POST /v1/jobs`."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(max_length=300)]
TaskName = Literal[
    "separate",
    "speak",
    "cues",
    "clone",
    "convert",
    "enroll",
    "check_reference",
    "pull",
    "verify",
    "explain_separation",
    "explain_speech",
    "explain_voices",
    "history",
]


class InputRef(BaseModel):
    """Where a job finds a recording: an upload, a file of the server's below an allowed root, or a URL."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    upload: str | None = Field(default=None, description="The id of a complete upload.")
    path: str | None = Field(default=None, description="A file of the server's, below a root that the token may read.")
    url: str | None = Field(default=None, description="An address of a host that the server may fetch from.")

    @model_validator(mode="after")
    def _is_one(self) -> InputRef:
        if [self.upload, self.path, self.url].count(None) != 2:
            raise ValueError("an input is one of upload, path and url")
        return self


class JobRequest(BaseModel):
    """A job as a client puts it; which fields it needs depends on the task."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    task: TaskName = Field(description="What is to be done.")
    model: str | None = Field(
        default=None, max_length=300, description="A model of that task; its default without one."
    )
    inputs: tuple[InputRef, ...] = Field(default=(), max_length=50, description="The recordings that it reads.")
    text: str | None = Field(
        default=None, description="What is spoken (speak, clone), or how a new voice is heard (enroll)."
    )
    voice: str | None = Field(
        default=None,
        max_length=1000,
        description="Who speaks (speak, clone; in cues who is not cast), or whose voice is lent (convert).",
    )
    cast: dict[Name, Name] = Field(
        default={},
        max_length=100,
        description="The voices of the names that a script calls (speak), of the characters of a sheet (cues).",
    )
    options: dict[str, Any] = Field(
        default={}, description="The model's options, as GET /v1/models/{id} describes them."
    )
    delivery: dict[str, Any] = Field(
        default={}, description="The form of the files, as GET /v1/models/{id} describes it."
    )
    name: str | None = Field(default=None, max_length=200, description="The name of a new voice (enroll).")
    consent: str | None = Field(default=None, max_length=2000, description="Who agreed, when and to what (enroll).")
    consent_recording: InputRef | None = Field(
        default=None, description="A recording in which that person says so (enroll)."
    )
    webhook: str | None = Field(
        default=None, max_length=2000, description="An address of an allowed host that is told when the job has ended."
    )

    @property
    def all_inputs(self) -> tuple[InputRef, ...]:
        """What is read: the inputs and, behind them, the recording of the consent."""
        return self.inputs if self.consent_recording is None else (*self.inputs, self.consent_recording)

    @property
    def sha256(self) -> str:
        """What tells two requests apart."""
        return hashlib.sha256(self.model_dump_json().encode("utf-8", "surrogatepass")).hexdigest()
