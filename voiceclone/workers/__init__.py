"""Programs that run in environments of their own; they may import the standard library and one package, not ours."""
