"""The sound of a job as somebody hears it: its tracks, pictures of them, pieces of them, and mixes."""
