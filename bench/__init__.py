"""Measurements of the suite against the originals: `python -m bench.separation`, `python -m bench.quality`."""
