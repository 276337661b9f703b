"""Every face of the suite: command line and page. The only package that imports engines."""
