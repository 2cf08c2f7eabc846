"""A folder of plain gray videos, so that any clip of them still tells which video it is."""

from pathlib import Path

import numpy as np
from video_files import write_video

from keras_acl.clip import ClipSpec
from keras_acl.data.video_list import VideoList
from keras_acl.video.video import Video

CLIP = ClipSpec(frames=2, span=4, size=16)
LABELS = ("calm", "wild")
STEP = 20


def write_gray_videos(folder: Path, each: int = 5) -> VideoList:
    """Two classes of `each` videos; number n, counted over both, is gray of level 20 + 20n."""
    videos = []
    for label, name in enumerate(LABELS):
        (folder / name).mkdir(parents=True)
        for place in range(each):
            number = label * each + place
            frames = np.full((12, 16, 24, 3), STEP + STEP * number, np.uint8)
            path = write_video(folder / name / f"{number}.mp4", frames)
            videos.append(Video(str(path), label))
    return VideoList(videos, LABELS)


def numbers_of(clips: np.ndarray) -> list[int]:
    """Numbers of the videos from which the clips of a batch (B, T, H, W, 3) were cut."""
    levels = np.asarray(clips, np.float64).mean(axis=(1, 2, 3, 4))
    return [round(float(level - STEP) / STEP) for level in levels]


def spoil(videos: VideoList, *numbers: int) -> list[str]:
    """Make files unreadable, and return their paths."""
    paths = [videos[number].path for number in numbers]
    for path in paths:
        Path(path).write_text("not a video")
    return paths
