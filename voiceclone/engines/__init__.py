"""One module a model, each with its options, its engine and its rows."""
