"""Fixtures of the data tests: small real video files, written once a session."""

from pathlib import Path

import pytest
from video_files import numbered_frames, write_video


@pytest.fixture(scope="session")
def numbered_video(tmp_path_factory) -> Path:
    """81 numbered frames of 32 x 48 at 30 fps (2.7 s)."""
    path = tmp_path_factory.mktemp("videos") / "numbered.mp4"
    return write_video(path, numbered_frames(81))
