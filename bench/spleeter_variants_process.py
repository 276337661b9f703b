"""Runs real Spleeter's own graphs on made-up weights; started by `bench.spleeter_variants` in Spleeter's environment.

    python spleeter_variants_process.py MADE_UP.py REFERENCE_SIGNAL.py OUT.npz

OUT receives, for each model of MADE_UP, windows of every stem and the names and shapes of its variables.
"""

from __future__ import annotations

import json
import runpy
import sys


def main() -> None:
    """Builds each model as Spleeter does, gives its variables their values, and separates the song."""
    import numpy as np
    import tensorflow as tf
    from spleeter.model import EstimatorSpecBuilder, InputProviderFactory

    made_up, song = runpy.run_path(sys.argv[1]), runpy.run_path(sys.argv[2])
    waveform = song["samples"]().T
    starts, window = made_up["starts"](len(waveform)), made_up["WINDOW"]
    kept = {}
    for name, params in made_up["CASES"].items():
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            provider = InputProviderFactory.get(params)
            features = provider.get_input_dict_placeholders()
            outputs = EstimatorSpecBuilder(features, {**params, "MWF": False}).outputs
            variables = {variable.op.name: variable for variable in tf.compat.v1.global_variables()}
            shapes = {key: tuple(variable.shape) for key, variable in variables.items()}
            for key, variable in variables.items():
                variable.load(made_up["value"](key, shapes[key]), session)
            stems = session.run(outputs, provider.get_feed_dict(features, waveform, ""))
        kept[f"{name}/variables"] = np.array(json.dumps(shapes, separators=(",", ":")))
        for stem in params["instrument_list"]:
            kept[f"{name}/{stem}"] = np.stack([stems[stem][start : start + window].T for start in starts])
            print(name, stem, float(np.abs(stems[stem]).max()), flush=True)
    np.savez_compressed(sys.argv[3], **kept)


if __name__ == "__main__":
    main()
