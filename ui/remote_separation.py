"""A file taken apart by a server, as `separation.separate_file` does it here."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import separation
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import InvalidOption, OutputExists
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.streams import show
from audio_ml.writer import check_target
from separation import SeparationReport
from separation.options import DeliveryOptions
from ui.remote import Remote, check_readable, plain, read_report

NAMES = "{stem}.{ext}"  # of the files on the server; here they have the names that were asked for


@dataclasses.dataclass(frozen=True)
class RemoteSeparation:
    """Called like `separation.separate_file`: uploads, waits, and brings the stems to the same places."""

    remote: Remote

    def __call__(
        self,
        path: str | os.PathLike[str],
        out_dir: str | os.PathLike[str],
        *,
        model: ModelSpec,
        options: Mapping[str, Any],
        delivery: Mapping[str, Any],
        loader: None,
        progress: Progress,
    ) -> SeparationReport:
        """Returns the server's report, with the files of this machine in it; raises as `separation.separate_file`."""
        form = parse(DeliveryOptions, delivery)
        targets = separation.output_paths(path, out_dir, model=model, options=options, delivery=delivery)
        check_readable(path)
        for target in targets.values():
            check_target(target, form.overwrite)
            if target.exists() and target.samefile(path):
                raise OutputExists(f"{show(target)} is the source itself; choose another output folder or name.")
        by_name = {f"{stem}.{form.format}": target for stem, target in targets.items()}
        asked = {name: value for name, value in delivery.items() if name != "overwrite"}
        report = self.remote.run(
            "separate",
            progress,
            inputs=[path],
            model=model.name,
            options=plain(options),
            delivery=asked | {"filename": NAMES},
            place=by_name.get,
            overwrite=form.overwrite,
        )
        done = read_report(SeparationReport, report, source=os.fspath(path))
        files = [dataclasses.replace(file, path=os.fspath(targets[file.stem])) for file in done.files]
        return dataclasses.replace(done, files=tuple(files))


def check_model(name: str) -> None:
    """Raises `InvalidOption` for a model that is a file of this machine, of which a server knows nothing."""
    for part in name.split("+"):
        if Path(part.strip()).exists():
            raise InvalidOption(f"The model {show(part.strip())} is a file of this machine: leave out --server.")
