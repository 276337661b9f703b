"""A script as its author writes it: plain markup, SSML, and what they are read into."""
