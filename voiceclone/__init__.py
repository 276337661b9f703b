"""Voice cloning: a few seconds of somebody's speech, with their consent, become a voice.

It speaks text, and recordings of others are turned into it.
"""
