"""The networks of voice cloning."""
