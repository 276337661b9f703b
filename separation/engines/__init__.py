"""One module per model family: its options, its engine, its `MODELS` rows."""
