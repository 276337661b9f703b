"""`audio-ml models`: what can be run, what is here, and how it gets to a machine without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml import catalogue
from audio_ml import device as devices
from audio_ml.catalogue import ModelSpec, Row
from audio_ml.errors import InvalidInput, WeightsCorrupt
from audio_ml.footprints import Footprints
from audio_ml.weights import FetchOptions, WeightStore
from ui.commands import new_app
from ui.console import megabytes, print_table, shown_progress
from ui.flags import takes
from ui.models_ps import list_running

app = new_app(help="List, fetch, check and move models.", no_args_is_help=True)

Names = Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="All of them by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def store_for(fetch: dict[str, Any]) -> WeightStore:
    """Returns the store for the fetch options of a command; what was not given follows the environment."""
    return WeightStore(offline=fetch.get("offline"))


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """Show every model with its licence, size and place."""
    store = WeightStore()
    described = [_describe(row, store) for row in catalogue.rows()]
    broken = catalogue.unavailable()
    if as_json:
        print(json.dumps({"models": described, "unavailable": broken}, indent=2, ensure_ascii=False))
        return
    header = ("MODEL", "TASK", "MAKES", "RATE", "LICENCE", "COMMERCIAL", "DOWNLOAD", "ON DISK", "MEMORY", "WHERE")
    print_table(header, [_cells(described_row) for described_row in described])
    for module, reason in broken.items():
        print(f"{module} is unavailable: {reason}")


@app.command()
@takes(fetch=[FetchOptions])
def pull(names: Names = None, *, as_json: Json = False, quiet: Quiet = False, fetch: dict[str, Any]) -> None:
    """Fetch models ahead of use, and repair damaged ones."""
    store = store_for(fetch)
    rows = _rows(names)
    for row in rows:
        with shown_progress(row.name, quiet or as_json) as progress:
            store.pull(row, progress)
        if not (quiet or as_json):
            print(f"{row.name} is ready in {store.folder(row)}")
    if as_json:
        print(json.dumps([_describe(row, store) for row in rows], indent=2, ensure_ascii=False))


@app.command()
def verify(names: Names = None, as_json: Json = False) -> None:
    """Check the files that are here against their checksums."""
    store = WeightStore()
    states = {row.name: store.states(row) for row in _rows(names)}
    words = {
        name: {state.name: "missing" if state.path is None else "right" if state.correct else "damaged" for state in of}
        for name, of in states.items()
    }
    if as_json:
        print(json.dumps(words, indent=2))
    else:
        print_table(("MODEL", "FILE", "STATE"), [(name, *item) for name, of in words.items() for item in of.items()])
    damaged = [name for name, of in words.items() if "damaged" in of.values()]
    if damaged:
        raise WeightsCorrupt(f"Damaged: {', '.join(damaged)}. Repair with `audio-ml models pull {' '.join(damaged)}`.")


@app.command()
def remove(
    names: Annotated[list[str], typer.Argument(metavar="MODEL...", show_default=False)], as_json: Json = False
) -> None:
    """Delete models from the cache."""
    store = WeightStore()
    freed = {row.name: store.remove(row) for row in _rows(names)}
    if as_json:
        print(json.dumps(freed, indent=2))
        return
    for name, n_bytes in freed.items():
        print(f"{name} removed, {megabytes(n_bytes)} freed" if n_bytes else f"{name} was not in the cache")


@app.command()
@takes(fetch=[FetchOptions])
def export(
    bundle: Annotated[Path, typer.Argument(help="File to write.", show_default=False)],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="By default all that are here.")
    ] = None,
    *,
    quiet: Quiet = False,
    fetch: dict[str, Any],
) -> None:
    """Write models into one file for a machine without a network."""
    store = store_for(fetch)
    rows = _rows(names) if names else [row for row in catalogue.rows() if _is_here(row, store)]
    if not rows:
        raise InvalidInput("No model is on this machine yet: name the ones to fetch and export.")
    with shown_progress(bundle.name, quiet) as progress:
        store.export(rows, bundle, progress)
    if not quiet:
        print(f"{bundle} holds {', '.join(row.name for row in rows)} ({megabytes(bundle.stat().st_size)})")


@app.command("import")
def import_bundle(
    bundle: Annotated[Path, typer.Argument(help="File made by export.", show_default=False)], as_json: Json = False
) -> None:
    """Take models from a bundle into the cache."""
    names = WeightStore().import_bundle(bundle, {row.name: row for row in catalogue.rows()})
    print(json.dumps(names) if as_json else f"Imported {', '.join(names) or 'nothing: no model of it is known here'}")


app.command("ps")(list_running)


def _rows(names: list[str] | None) -> list[Row]:
    return [catalogue.find_row(name) for name in names] if names else list(catalogue.rows())


def _is_here(row: Row, store: WeightStore) -> bool:
    return all(store.find(row, file) is not None for file in row.files)


def _describe(row: Row, store: WeightStore) -> dict[str, Any]:
    on_disk = store.size_on_disk(row)
    missing = [file.name for file in row.files if store.find(row, file) is None]
    described: dict[str, Any] = {
        "name": row.name,
        "aliases": list(row.aliases),
        "task": row.task,
        "summary": row.summary,
        "licence": row.licence.name,
        "commercial_use": row.licence.commercial,
        "licence_note": row.licence.note,
        "download_bytes": row.download_bytes,
        "bytes_on_disk": on_disk,
        "folder": None if missing else str(store.find_folder(row)),
    }
    if isinstance(row, ModelSpec):
        footprint = Footprints(store.cache).of(row, devices.resolve().kind)
        described |= {
            "makes": list(row.outputs),
            "sample_rate": row.sample_rate,
            "memory_bytes": footprint.n_bytes,
            "memory_measured": footprint.measured,
        }
    return described


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    commercial = {True: "yes", False: "no", None: "not stated"}[row["commercial_use"]]
    return (
        row["name"],
        row["task"],
        ", ".join(row.get("makes", ())),
        f"{row['sample_rate']} Hz" if "sample_rate" in row else "",
        row["licence"],
        commercial,
        megabytes(row["download_bytes"]),
        megabytes(row["bytes_on_disk"]) if row["bytes_on_disk"] else "",
        _memory(row) if "memory_bytes" in row else "",
        row["folder"] or "not fetched",
    )


def _memory(row: dict[str, Any]) -> str:
    told = megabytes(row["memory_bytes"])
    return told if row["memory_measured"] else f"about {told}"
