"""Which licences the user of this machine has accepted: asked once, remembered in the user's own settings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audio_ml.catalogue import Row
from audio_ml.errors import LicenceNotAccepted, OutputUnwritable
from audio_ml.settings import settings_folder


class Licences:
    """The terms that were accepted, by row; what is accepted is the text of today, so that a changed one is asked anew.

    They lie in the user's settings, or in the folder that AUDIO_ML_CONFIG names.

    Raises:
        OutputUnwritable: when the settings cannot be written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = (folder or settings_folder()) / "licences.json"

    def accepted(self, row: Row) -> bool:
        """Tells whether a row may be fetched and run; most ask for nothing."""
        return not row.licence.must_accept or self._read().get(row.name) == terms_of(row)

    def accept(self, row: Row) -> None:
        """Remembers that the user accepts the terms of a row."""
        if not self.accepted(row):
            with self._changing() as remembered:
                remembered[row.name] = terms_of(row)

    def withdraw(self, row: Row) -> None:
        """Forgets that the user accepts the terms of a row: from now on they are asked for again."""
        if row.name in self._read():
            with self._changing() as remembered:
                remembered.pop(row.name, None)

    def check(self, row: Row) -> None:
        """Raises `LicenceNotAccepted`, with the terms, unless they were accepted."""
        if not self.accepted(row):
            raise LicenceNotAccepted(
                f"{row.name} comes under terms that you have to accept first: {terms_of(row)} "
                f"Accept them with `audio-ml models accept {row.name}`, --accept-licence, or in the page's tab Models."
            )

    @contextmanager
    def _changing(self) -> Iterator[dict[str, str]]:
        """Opens what is remembered for a change that nobody else makes meanwhile, and writes it at the end."""
        from filelock import FileLock

        partial = self._path.with_name(f".{self._path.name}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._path.with_name(f".{self._path.name}.lock")):
                remembered = self._read()
                yield remembered
                partial.write_text(json.dumps(remembered, indent=2) + "\n", encoding="utf-8")
                os.replace(partial, self._path)
        except OSError as error:
            raise OutputUnwritable(f"{self._path} cannot be written: {error.strerror}.") from error

    def _read(self) -> dict[str, str]:
        try:
            remembered = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError) as error:
            raise OutputUnwritable(f"{self._path} cannot be read ({error}); remove it and accept again.") from error
        return remembered if isinstance(remembered, dict) else {}


def terms_of(row: Row) -> str:
    """Returns the terms of a row as they are read and accepted."""
    return f"{row.licence.name}. {row.licence.note}".strip()
