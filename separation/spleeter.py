"""For users of Spleeter: `Separator` with the calls they know (docs/coming-from-spleeter.md)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.loader import ModelLoader
from separation.api import separate, separate_file
from separation.report import SeparationReport

SAMPLE_RATE = 44100


class Separator:
    """Separates as Spleeter's own class of this name does, with the same numbers.

    `exact=False` gives our default instead: nothing is lost above 11 kHz and the stems add up.
    `multiprocess` is accepted and has nothing to do: files are written while the model runs.

    Raises:
        UnknownModel: for a descriptor that is no model of ours.
        InvalidOption: for `MWF=True`: the multichannel Wiener filter is not here.

    >>> stems = Separator("spleeter:2stems").separate(np.zeros((44100, 2), np.float32))
    >>> stems["vocals"].shape
    (44100, 2)
    """

    def __init__(
        self,
        params_descriptor: str,
        MWF: bool = False,  # noqa: N803, Spleeter's name
        multiprocess: bool = True,
        *,
        exact: bool = True,
        loader: ModelLoader | None = None,
    ) -> None:
        if MWF:
            raise InvalidOption("Option 'MWF' cannot be True: the multichannel Wiener filter is not here.")
        self._spec = catalogue.find("separation", params_descriptor)
        self._options = {"exact": exact}
        self._loader = loader

    def separate(self, waveform: NDArray[np.floating], audio_descriptor: str = "") -> dict[str, NDArray[np.float32]]:
        """Returns the stems [time, 2] of a waveform [time, 1 or 2] at 44.1 kHz, by instrument.

        Raises:
            InvalidInput: for another shape, or samples that are no finite floats.
        """
        if waveform.ndim != 2 or waveform.shape[1] not in (1, 2):
            raise InvalidInput(f"A waveform is [time, 1 or 2], not {waveform.shape}. {audio_descriptor}".strip())
        stereo = np.repeat(waveform, 2, axis=1) if waveform.shape[1] == 1 else waveform
        audio = Audio(np.ascontiguousarray(stereo.T), SAMPLE_RATE)
        result = separate(audio, model=self._spec, options=self._options, loader=self._loader)
        return {name: stem.samples.T for name, stem in result.stems.items()}

    def separate_to_file(
        self,
        audio_descriptor: str | os.PathLike[str],
        destination: str | os.PathLike[str],
        audio_adapter: None = None,
        offset: float = 0.0,
        duration: float | None = None,
        codec: str = "wav",
        bitrate: str = "128k",
        filename_format: str = "{filename}/{instrument}.{codec}",
        synchronous: bool = True,
        *,
        overwrite: bool = False,
    ) -> SeparationReport:
        """Writes the stems of a file, all of it where no `duration` in seconds is given.

        `filename_format` may have {filename}, {foldername}, {instrument} and, last, {codec}. It is always
        `synchronous`; an `audio_adapter` is refused. Raises as `separation.separate_file`.
        """
        if audio_adapter is not None:
            raise InvalidOption("Option 'audio_adapter' is not here: files are read and written by audio-ml itself.")
        source = Path(audio_descriptor)
        folder = source.absolute().parent.name.replace("{", "{{").replace("}", "}}")
        try:
            template = filename_format.format(filename="{track}", instrument="{stem}", codec="{ext}", foldername=folder)
            kilobits = int(str(bitrate).removesuffix("k"))
        except (KeyError, IndexError, ValueError) as error:
            raise InvalidOption(
                f"filename_format {filename_format!r} or bitrate {bitrate!r} is not as Spleeter has them: {error}."
            ) from error
        return separate_file(
            source,
            destination,
            model=self._spec,
            options=self._options,
            delivery={
                "filename": template,
                "format": codec,
                "bit_depth": "same",
                "bitrate_kbps": kilobits,
                "start_seconds": offset,
                "duration_seconds": duration,
                "overwrite": overwrite,
            },
            loader=self._loader,
        )
