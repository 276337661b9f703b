"""The multitrack player: files for the browser (see `ui.web.files`)."""
