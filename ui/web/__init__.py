"""The page: one tab per engine, drawn from the same options as the command line. A server has it at /."""
