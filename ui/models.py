"""`audio-ml models`: what can be run, what is here, and how it gets to a machine without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml import catalogue
from audio_ml import device as devices
from audio_ml.bundles import export_bundle, import_bundle
from audio_ml.catalogue import ModelSpec, Row
from audio_ml.errors import InvalidInput, WeightsCorrupt
from audio_ml.footprints import Footprints
from audio_ml.sources import InstalledSource
from audio_ml.weights import FetchOptions, WeightStore
from ui import remote
from ui.commands import new_app
from ui.console import megabytes, print_table, shown_progress
from ui.flags import takes
from ui.models_ps import list_running

app = new_app(help="List, fetch, check and move models.", no_args_is_help=True)

ASKED_OF_SERVERS = ("list", "ps")

HEADER = (
    *("MODEL", "TASK", "MAKES", "RATE", "LICENCE", "COMMERCIAL", "VERIFIED"),
    *("DOWNLOAD", "ON DISK", "MEMORY", "WHERE"),
)

Names = Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="All of them by default.")]
NamesHere = Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="By default all that are here.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def store_for(fetch: dict[str, Any]) -> WeightStore:
    """Returns the store for the fetch options of a command; what was not given follows the environment."""
    return WeightStore(offline=fetch.get("offline"), accept_licences=fetch.get("accept_licence", False))


@app.callback()
def _models(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand not in ASKED_OF_SERVERS:
        remote.refuse_command(f"models {ctx.invoked_subcommand}")


@app.command("list")
def list_models(
    as_json: Json = False,
    commercial_only: Annotated[
        bool, typer.Option("--commercial-only", help="Only what may be used commercially by its owner's word.")
    ] = False,
) -> None:
    """Show every model with its licence, size and place.

    VERIFIED is the day on which a model was run with its published weights; where there is none, those could
    not be had, and only its network and the names and shapes of its weights were checked.
    """
    server = remote.chosen()
    if server is not None:
        from ui.remote_models import list_models_of

        list_models_of(server, as_json=as_json, commercial_only=commercial_only)
        return
    store = WeightStore()
    rows = [row for row in catalogue.rows() if row.licence.commercial or not commercial_only]
    described = [_describe(row, store) for row in rows]
    broken = catalogue.unavailable()
    if as_json:
        print(json.dumps({"models": described, "unavailable": broken}, indent=2, ensure_ascii=False))
        return
    print_table(HEADER, [_cells(described_row) for described_row in described])
    for module, reason in broken.items():
        print(f"{module} is unavailable: {reason}")


@app.command()
def accept(names: Annotated[list[str], typer.Argument(metavar="MODEL...", show_default=False)]) -> None:
    """Accept the terms of models that ask for it; they are printed."""
    licences = WeightStore().licences
    for row in _rows(names):
        if not row.licence.must_accept:
            print(f"{row.name} asks for no acceptance: {row.licence.name}.")
            continue
        licences.accept(row)
        print(f"Accepted for {row.name}: {row.licence.name}. {row.licence.note}".strip())


@app.command()
@takes(fetch=[FetchOptions])
def pull(names: NamesHere = None, *, as_json: Json = False, quiet: Quiet = False, fetch: dict[str, Any]) -> None:
    """Fetch models ahead of use, and repair damaged ones."""
    store = store_for(fetch)
    rows = _rows(names) if names else _rows_here(store)
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
    words = {name: {state.name: state.in_words for state in of} for name, of in states.items()}
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
    names: NamesHere = None,
    *,
    quiet: Quiet = False,
    fetch: dict[str, Any],
) -> None:
    """Write models into one file for a machine without a network."""
    store = store_for(fetch)
    rows = _rows(names) if names else _rows_here(store)
    with shown_progress(bundle.name, quiet) as progress:
        export_bundle(store, rows, bundle, progress)
    if not quiet:
        print(f"{bundle} holds {', '.join(row.name for row in rows)} ({megabytes(bundle.stat().st_size)})")


@app.command("import")
def import_models(
    bundle: Annotated[Path, typer.Argument(help="File made by export.", show_default=False)], as_json: Json = False
) -> None:
    """Take models from a bundle into the cache."""
    names = import_bundle(WeightStore(), bundle, {row.name: row for row in catalogue.rows()})
    print(json.dumps(names) if as_json else f"Imported {', '.join(names) or 'nothing: no model of it is known here'}")


app.command("ps")(list_running)


def _rows(names: list[str] | None) -> list[Row]:
    """Returns the rows of these names, those of an ensemble's members in its place; without names, all."""
    named = [catalogue.find_row(name) for name in names] if names else catalogue.rows()
    return list(dict.fromkeys(part for row in named for part in parts_of(row)))


def _rows_here(store: WeightStore) -> list[Row]:
    found = [row for row in _rows(None) if _has_begun(row, store)]
    if not found:
        raise InvalidInput("No model is on this machine yet: name the ones to fetch.")
    return found


def _has_begun(row: Row, store: WeightStore) -> bool:
    """Whether a row is on this machine, or a part of it: one that it shares with no other row or package."""
    if row.files_shared_with:
        return is_here(row, store)
    fetched = [file for file in row.files if not isinstance(file.sources[0], InstalledSource)] or row.files
    return any(store.find(row, file) for file in fetched)


def parts_of(row: Row) -> tuple[Row, ...]:
    """Returns the rows that are loaded to run one: itself, or an ensemble's members."""
    return row.parts if isinstance(row, ModelSpec) else (row,)


def is_here(row: Row, store: WeightStore) -> bool:
    """Whether all files of a row are on this machine; they are not checked."""
    return all(store.find(row, file) is not None for file in row.files)


def _describe(row: Row, store: WeightStore) -> dict[str, Any]:
    parts = parts_of(row)
    places = [store.find_folder(part) for part in parts]
    is_whole = all(is_here(part, store) for part in parts)
    described: dict[str, Any] = {
        "name": row.name,
        "aliases": list(row.aliases),
        "task": row.task,
        "summary": row.summary,
        "licence": row.licence.name,
        "commercial_use": row.licence.commercial,
        "licence_note": row.licence.note,
        "must_accept": row.licence.must_accept,
        "accepted": all(store.licences.accepted(part) for part in parts),
        "download_bytes": sum(part.download_bytes for part in parts),
        "bytes_on_disk": sum(store.size_on_disk(part) for part in parts),
        "folder": ", ".join(str(place) for place in places) if is_whole else None,
    }
    if isinstance(row, ModelSpec):
        known = [Footprints(store.cache).of(part, devices.resolve().kind) for part in row.parts]
        described |= {
            "makes": list(row.outputs),
            "sample_rate": row.sample_rate,
            "memory_bytes": sum(footprint.n_bytes for footprint in known),
            "memory_measured": all(footprint.measured for footprint in known),
            "verified": row.verified,
            "members": [part.name for part in row.parts if part is not row],
        }
    return described


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    commercial = {True: "yes", False: "no", None: "not stated"}[row["commercial_use"]]
    terms = row["licence"] + ("" if row["accepted"] else " (to be accepted)")
    return (
        row["name"],
        row["task"],
        ", ".join(row.get("makes", ())),
        f"{row['sample_rate']} Hz" if "sample_rate" in row else "",
        terms,
        commercial,
        row.get("verified", "") or ("no" if "makes" in row else ""),
        megabytes(row["download_bytes"]) if row["download_bytes"] else "not told",
        megabytes(row["bytes_on_disk"]) if row["bytes_on_disk"] else "",
        _memory(row) if "memory_bytes" in row else "",
        row["folder"] or "not fetched",
    )


def _memory(row: dict[str, Any]) -> str:
    told = megabytes(row["memory_bytes"])
    return told if row["memory_measured"] else f"about {told}"
