"""Videos on disk -> batches of clips.

Sources list videos (`read_*`, `split`), `VideoDataset` turns them into batches (`from_*` does both
at once). Below it: decoding, sampling and augmentation, usable by themselves.
"""

import importlib
from typing import TYPE_CHECKING

from keras_acl.data.augmentation import Augmentation, read_test_clip, read_training_clip
from keras_acl.data.checking import VideoProblem, check_videos
from keras_acl.data.decoding import DecodingError, VideoInfo, probe, read_clip, read_frames
from keras_acl.data.failures import BadVideosError, BadVideoWarning
from keras_acl.data.files import MissingVideosWarning
from keras_acl.data.sampling import frame_offsets, random_clip, record_rng, uniform_clips
from keras_acl.data.shrinking import ShrinkReport, shrink_videos
from keras_acl.data.sources import (
    Video,
    VideoList,
    read_csv,
    read_directory,
    read_kinetics,
    read_ucf101,
    split,
)
from keras_acl.data.synthetic import FigureClip, MovingFigures, read_mask

if TYPE_CHECKING:
    from keras_acl.data.datasets import VideoDataset
    from keras_acl.data.loading import from_csv, from_directory, from_kinetics, from_ucf101
    from keras_acl.data.stream import LoadingOptions

__all__ = [
    "Augmentation",
    "BadVideoWarning",
    "BadVideosError",
    "DecodingError",
    "FigureClip",
    "LoadingOptions",
    "MissingVideosWarning",
    "MovingFigures",
    "ShrinkReport",
    "Video",
    "VideoDataset",
    "VideoInfo",
    "VideoList",
    "VideoProblem",
    "check_videos",
    "frame_offsets",
    "from_csv",
    "from_directory",
    "from_kinetics",
    "from_ucf101",
    "probe",
    "random_clip",
    "read_clip",
    "read_csv",
    "read_directory",
    "read_frames",
    "read_kinetics",
    "read_mask",
    "read_test_clip",
    "read_training_clip",
    "read_ucf101",
    "record_rng",
    "shrink_videos",
    "split",
    "uniform_clips",
]

# Loaded on first use: worker processes import this package too, and do without Keras and Grain.
_LAZY = {
    "LoadingOptions": "stream",
    "VideoDataset": "datasets",
    "from_csv": "loading",
    "from_directory": "loading",
    "from_kinetics": "loading",
    "from_ucf101": "loading",
}


def __getattr__(name: str):
    if name in _LAZY:
        return getattr(importlib.import_module(f"keras_acl.data.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'keras_acl.data' has no attribute {name!r}")
