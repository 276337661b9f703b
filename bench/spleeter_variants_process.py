"""Runs real Spleeter's own graphs; started by `bench.spleeter_variants` with the interpreter that has Spleeter.

    python spleeter_variants_process.py MADE_UP.py REFERENCE_SIGNAL.py OUT.npz CASE...

OUT receives, for each case of MADE_UP, windows of every stem, and the names and shapes of its variables. A case
that MADE_UP does not have is one of Spleeter's own models, with its published weights.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Builds each model as Spleeter does, gives its variables their values, and separates the song."""
    import numpy as np
    import tensorflow as tf
    from spleeter.model import EstimatorSpecBuilder, InputProviderFactory
    from spleeter.utils.configuration import load_configuration

    made_up, song = runpy.run_path(sys.argv[1]), runpy.run_path(sys.argv[2])
    waveform = song["samples"]().T
    starts, window = made_up["starts"](len(waveform)), made_up["WINDOW"]
    kept: dict[str, Any] = {}
    for name in sys.argv[4:]:
        params = made_up["CASES"].get(name) or load_configuration(f"spleeter:{name}")
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            provider = InputProviderFactory.get(params)
            features = provider.get_input_dict_placeholders()
            outputs = EstimatorSpecBuilder(features, {**params, "MWF": False}).outputs
            variables = {variable.op.name: variable for variable in tf.compat.v1.global_variables()}
            shapes = {key: tuple(variable.shape) for key, variable in variables.items()}
            if name in made_up["CASES"]:
                for key, variable in variables.items():
                    variable.load(made_up["value"](key, shapes[key]), session)
            else:
                checkpoint = Path(os.environ["MODEL_PATH"]) / params["model_dir"] / "model"
                tf.compat.v1.train.Saver().restore(session, str(checkpoint))
            stems = session.run(outputs, provider.get_feed_dict(features, waveform, ""))
        kept[f"{name}/variables"] = np.array(json.dumps(shapes, separators=(",", ":")))
        for stem in params["instrument_list"]:
            kept[f"{name}/{stem}"] = np.stack([stems[stem][start : start + window].T for start in starts])
    np.savez(sys.argv[3], **kept)


if __name__ == "__main__":
    main()
