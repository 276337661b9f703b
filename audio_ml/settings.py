"""Where the user's own settings of this machine lie."""

from __future__ import annotations

import os
from pathlib import Path


def settings_folder() -> Path:
    """Returns the user's settings, or the folder that AUDIO_ML_CONFIG names."""
    named = os.environ.get("AUDIO_ML_CONFIG")
    if named:
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("audio-ml")
