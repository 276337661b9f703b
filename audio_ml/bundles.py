"""Weights of several rows in one file, for a machine without a network."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from audio_ml.catalogue import Row
from audio_ml.errors import InvalidInput, OutputUnwritable, WeightsError
from audio_ml.progress import Progress
from audio_ml.weights import WeightStore

MANIFEST = "manifest.json"


def export_bundle(store: WeightStore, rows: list[Row], bundle: Path, progress: Progress | None = None) -> None:
    """Writes the files of rows into one file that `import_bundle` reads; raises as `WeightStore.open`."""
    progress = progress or Progress()
    if bundle.exists():
        raise OutputUnwritable(f"{bundle} exists already; choose another name.")
    partial = bundle.with_name(bundle.name + ".part")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(MANIFEST, json.dumps({"rows": [row.name for row in rows]}))
            for row in rows:
                files = store.open(row, progress)
                paths = [files[file.name] for file in row.files]
                for path, name in zip(paths, store.contents(row), strict=True):  # under the name of what was found
                    progress.check()
                    archive.write(path, f"{row.name}/{name}")
        os.replace(partial, bundle)
    except OSError as error:
        raise OutputUnwritable(f"{bundle} was not written: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):  # the folder is not there
            partial.unlink(missing_ok=True)


def import_bundle(store: WeightStore, bundle: Path, rows: Mapping[str, Row]) -> list[str]:
    """Takes the rows of a bundle into the cache, each file checked against its row, and returns their names.

    Raises:
        InvalidInput: when the file is not a bundle.
        WeightsCorrupt: when a file in it is not what its row promises.
    """
    try:
        with zipfile.ZipFile(bundle) as archive:
            names = [name for name in json.loads(archive.read(MANIFEST))["rows"] if name in rows]
            for name in names:
                _import_row(store, archive, rows[name])
    except WeightsError:
        raise
    except OSError as error:
        if error.errno is not None and bundle.is_file():
            raise OutputUnwritable(f"{store.cache} cannot be written: {error.strerror}.") from error
        raise InvalidInput(f"{bundle} is not a bundle that can be read: {error.strerror}") from error
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"{bundle} is not a bundle that can be read: {error}") from error
    return names


def _import_row(store: WeightStore, archive: zipfile.ZipFile, row: Row) -> None:
    brought = set(archive.namelist())
    for wanted in row.files:
        file = next((one for one in wanted.variants if f"{row.name}/{one.name}" in brought), wanted)
        with archive.open(f"{row.name}/{file.name}") as source:
            store.keep(row, file, source)
