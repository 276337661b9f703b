"""Networks of the engines."""
