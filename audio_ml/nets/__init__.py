"""Networks that more than one engine package needs."""
