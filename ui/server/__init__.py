"""The server: models on one machine, offered to thin clients over HTTP as jobs."""
