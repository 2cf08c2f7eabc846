"""Where what is made once is kept."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`keras_acl` in Keras' own folder: presets built from public checkpoints, engines."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home) / "keras_acl"
