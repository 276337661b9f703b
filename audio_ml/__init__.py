"""The shared core of the suite: audio, streams, weights and models. It imports no engine and no face."""
