"""Text on its way to words that can be said."""
