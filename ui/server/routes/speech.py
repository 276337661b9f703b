"""`POST /v1/audio/speech` as OpenAI's clients ask for it, and the voices that can speak."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field, field_validator, model_validator

from audio_ml.byte_streams import STREAM_FORMS, StreamFormat
from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.options import Options
from audio_ml.weights import WeightStore
from tts.api import cloned_voices_in
from tts.voices import Speaker, find_speaker, is_here, list_voices
from ui.server.openai_names import VOICES, as_ours
from ui.server.schema import offers
from ui.server.services import Known, Served, Services
from ui.server.speech_reply import SpeechPieces, streamed_reply, whole_reply
from ui.server.tokens import Caller

router = APIRouter(prefix="/v1/audio", tags=["speech"])


class VoiceId(Options):
    """A voice as an object, which OpenAI's clients may send."""

    id: str = Field(max_length=1000, description="The voice's id.")


class SpeechRequest(Options):
    """A text that is to be spoken, in OpenAI's words and a few of ours."""

    input: str = Field(description="The text, with markup of ours or SSML if it likes.")
    model: str | None = Field(
        None,
        max_length=300,
        description="A model of ours, or tts-1, tts-1-hd or gpt-4o-mini-tts: whichever model the voice belongs to.",
    )
    voice: Annotated[str, Field(max_length=1000)] | VoiceId | None = Field(
        None, description="A voice of GET /v1/audio/voices, or a blend of some; the model's first voice without one."
    )
    response_format: StreamFormat = Field("mp3", description="The form of the sound; pcm is 24 kHz, 16 bit, mono.")
    speed: float | None = Field(None, ge=0.5, le=2.0, description="How fast, 1 being the voice's own pace.")
    stream_format: Literal["audio", "sse"] = Field("audio", description="The sound itself, or events that carry it.")
    stream: bool = Field(
        True, description="Send the sound while it is made; otherwise at once when it is complete, with its length."
    )
    instructions: str | None = Field(None, description="Nothing: no voice here follows instructions.")
    options: dict[str, Any] = Field({}, description="Further options of the model, as GET /v1/models/{id} has them.")

    @property
    def all_options(self) -> dict[str, Any]:
        """The options of the model, `speed` among them."""
        return self.options if self.speed is None else {**self.options, "speed": self.speed}

    @model_validator(mode="after")
    def _says_speed_once(self) -> SpeechRequest:
        if self.speed is not None and "speed" in self.options:
            raise ValueError("speed is given twice: leave it out of options")
        return self

    @field_validator("instructions")
    @classmethod
    def _asks_for_nothing(cls, value: str | None) -> str | None:
        if value and value.strip():
            raise ValueError(
                "no voice here follows instructions: leave them out, and use speed, options or markup in the text"
            )
        return value


@router.post(
    "/speech",
    response_class=Response,
    responses={
        200: {
            "description": "The sound, or events that carry it.",
            "content": {form.media_type: {} for form in STREAM_FORMS.values()} | {"text/event-stream": {}},
        }
    },
)
async def speak(asked: SpeechRequest, request: Request, services: Served, caller: Known) -> Response:
    """Speaks a text: the first bytes come as soon as a few words are spoken."""
    began = time.monotonic()
    if asked.stream_format == "sse" and not asked.stream:
        raise InvalidOption("stream_format sse is a stream of events: leave out stream false, or ask for audio.")
    model, voice = await run_in_threadpool(_check, asked, services, caller)
    told = {"text": asked.input, "voice": voice, "model": model, "options": asked.all_options}
    told |= {"format": asked.response_format}
    pieces = SpeechPieces(
        services.fleet.stream(told, caller.name, caller.limits),
        services.metrics,
        model=model,
        n_words=len(asked.input.split()),
        began=began,
    )
    await pieces.begin(request.receive)
    if not asked.stream:
        return await whole_reply(pieces, asked.response_format, request.receive)
    return streamed_reply(pieces, asked.response_format, as_events=asked.stream_format == "sse")


@router.get("/voices")
def list_all_voices(
    language: Annotated[str | None, Query(max_length=40, description="Only voices of a language: en, en-GB.")] = None,
) -> dict[str, Any]:
    """Lists the voices by the id to ask for, and behind them OpenAI's names with the voice that each stands for."""
    store = WeightStore()
    ours = {speaker.id: _describe(speaker, store) for speaker in list_voices(language)}
    named = [
        ours[id] | {"id": name, "name": name, "aliases": [], "stands_for": id}
        for name, id in VOICES.items()
        if id in ours
    ]
    return {"voices": [*ours.values(), *named]}


def _check(asked: SpeechRequest, services: Services, caller: Caller) -> tuple[str, str | None]:
    """Returns the model and the voice of ours that a request means, if all is right with it."""
    text, most = asked.input, services.options.max_text
    if len(text) > most:
        raise InvalidInput(f"The text has {len(text):,} characters, and {most:,} are accepted: cut it into parts.")
    if "lexicon" in asked.options:
        raise InvalidOption(
            "Option 'lexicon' names files of the server: write [word](/phonemes/) in the text, or send a job."
        )
    offer = offers().get(asked.model or "")
    if offer is not None and "speak" not in offer.jobs:
        raise InvalidOption(f"'{asked.model}' does not speak here: POST /v1/jobs has it do '{offer.jobs[0]}'.")
    model, voice = as_ours(asked.model, asked.voice.id if isinstance(asked.voice, VoiceId) else asked.voice)
    for cloned, is_marked in cloned_voices_in(text, voice, model=model, options=asked.all_options):
        facts = {"voice": cloned.name, "sha256": cloned.sha256, "marked": is_marked, "n_characters": len(text)}
        services.audit.note(caller, "speech", **facts)
    speaker = find_speaker(voice, model)
    return speaker.spec.name, voice


def _describe(speaker: Speaker, store: WeightStore) -> dict[str, Any]:
    voice, spec = speaker.blend.parts[0][0], speaker.spec
    return {
        "id": speaker.id,
        "name": voice.name,
        "aliases": list(voice.aliases),
        "stands_for": None,
        "language": voice.language,
        "reads_text": spec.reads is None or voice.language.startswith(spec.reads),
        "gender": voice.gender,
        "model": spec.name,
        "cloned": speaker.cloned is not None,
        "note": voice.note,
        "here": is_here(speaker, store),
        "verified": bool(spec.verified),
        "mixes": spec.mixes_voices and speaker.cloned is None,
        "licence": {"name": spec.licence.name, "commercial": spec.licence.commercial},
    }
