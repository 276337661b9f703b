"""Networks of the separation engines."""
