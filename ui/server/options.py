"""All that can be set on the server; the flags of `audio-ml serve` are made of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from audio_ml.budget import read_size
from audio_ml.errors import InvalidOption
from audio_ml.options import Options

FOLDER_VARIABLE = "AUDIO_ML_SERVER_FOLDER"
HOUR = 3600.0


def _checked_size(text: str) -> str:
    try:
        read_size(text)
    except InvalidOption as error:
        raise PydanticCustomError("size", "Write a size such as 4GB or 800MB") from error
    return text


Size = Annotated[str, AfterValidator(_checked_size)]


class ServerOptions(Options):
    """What the server may do, for whom, and how much of it.

    >>> ServerOptions(max_upload="2GB").max_upload_bytes
    2000000000
    """

    folder: str = Field(
        "",
        description=f"Where jobs, uploads and logs lie; otherwise {FOLDER_VARIABLE}, otherwise among the user's data.",
    )
    tokens: str = Field("", description="File of the tokens that callers show; then nobody gets in without one.")
    insecure: bool = Field(
        False,
        description="Let whoever can reach it use the server, without tokens, from other machines too.",
    )
    roots: tuple[str, ...] = Field(
        (),
        description="Folders whose files jobs may read by path, for callers whose token names none.",
        json_schema_extra={"flag": "--root"},
    )
    fetch_hosts: tuple[str, ...] = Field(
        (),
        description="Hosts that jobs may fetch inputs from by https; http://HOST for plain HTTP, "
        "HOST=NETWORK for one whose address is private.",
        json_schema_extra={"flag": "--fetch-host"},
    )
    webhook_hosts: tuple[str, ...] = Field(
        (),
        description="Hosts that may be told of the end of a job, written alike.",
        json_schema_extra={"flag": "--webhook-host"},
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Further names that this server goes by, such as that of a proxy before it.",
        json_schema_extra={"flag": "--allow-host"},
    )
    certificate: str = Field("", description="Certificate file (PEM) for HTTPS.")
    key: str = Field("", description="Private key file (PEM), if the certificate file does not have it.")
    max_upload: Size = Field("10GB", description="The largest file that may be uploaded or fetched.")
    upload_space: Size = Field("50GB", description="The most that the uploads of one caller may take together.")
    max_seconds: float = Field(
        4 * HOUR,
        gt=0,
        description="The longest recording; as many channels as are allowed may have it at 48 kHz.",
        json_schema_extra={"unit": "s"},
    )
    max_channels: int = Field(16, ge=1, le=1024, description="The most channels of a recording.")
    max_text: int = Field(
        200_000, ge=1, description="The longest text that is spoken.", json_schema_extra={"unit": "characters"}
    )
    max_body: Size = Field("4MB", description="The largest request in JSON.")
    job_seconds: float = Field(
        4 * HOUR, gt=0, description="The longest that a job may work.", json_schema_extra={"unit": "s"}
    )
    queue_size: int = Field(100, ge=1, description="Jobs that may wait; more are sent away for a while.")
    keep_hours: float = Field(
        24.0, gt=0, description="How long the results of a job are kept.", json_schema_extra={"unit": "h"}
    )
    keep_bytes: Size = Field("100GB", description="What all results may take together; the oldest go first.")
    upload_hours: float = Field(
        24.0, gt=0, description="How long an upload is kept that nobody goes on with.", json_schema_extra={"unit": "h"}
    )
    page: bool = Field(True, description="Serve the page at /, too, where no tokens are needed.")
    log_format: Literal["json", "text"] = Field("json", description="How the log on standard error is written.")

    @property
    def data_folder(self) -> Path:
        """The folder of the server's data; it need not exist."""
        named = self.folder or os.environ.get(FOLDER_VARIABLE)
        if named:
            return Path(named).expanduser().absolute()
        from platformdirs import user_state_path

        return user_state_path("audio-ml") / "server"

    @property
    def uploads_folder(self) -> Path:
        """Where the bytes of uploads lie."""
        return self.data_folder / "uploads"

    @property
    def max_upload_bytes(self) -> int:
        """`max_upload` as a number."""
        return read_size(self.max_upload)

    @property
    def upload_space_bytes(self) -> int:
        """`upload_space` as a number."""
        return read_size(self.upload_space)

    @property
    def max_body_bytes(self) -> int:
        """`max_body` as a number."""
        return read_size(self.max_body)

    @property
    def keep_n_bytes(self) -> int:
        """`keep_bytes` as a number."""
        return read_size(self.keep_bytes)
