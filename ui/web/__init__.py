"""The page: one tab per engine, drawn from the same options as the command line. Start it with `page.launch`."""
