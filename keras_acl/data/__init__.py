"""Videos on disk -> batches of clips.

Batches for `fit`, `evaluate` and `predict`, in one call:
    from_directory, from_csv, from_ucf101, from_kinetics: files -> VideoDataset
    from_webdataset, from_huggingface: tar files, a Dataset of Hugging Face -> VideoDataset
    DatasetOptions: keywords that these share

The same in two steps:
    read_directory, read_csv, read_ucf101, read_kinetics: files -> VideoList
    read_webdataset, read_huggingface: tar files, a Dataset of Hugging Face -> VideoList
    read_splits, Splits: a folder with train/, val/ and test/ -> a VideoList for each
    split: VideoList -> training and validation side
    VideoDataset: VideoList -> batches
    Augmentation, LoadingOptions: what varies in training, and how files are read
    Video, VideoLimits, VideoList: one video and its class; a list with class names
    StoredBytes: a video that is a part of a larger file

Care of files:
    check_videos, VideoProblem: find the files that cannot be read
    shrink_videos, ShrinkReport: make small copies that are read fast
    compute_flow, FlowReport: optical flow, kept beside the videos
    probe, VideoInfo: size, length and frame rate of a file
    BadVideoWarning, BadVideosError, DecodingError, MissingVideosWarning: what can be wrong

Single clips:
    read_clip, read_frames, read_training_clip, read_test_clip: video -> uint8 RGB
    random_clip, uniform_clips, frame_offsets, record_rng: which frames a clip has

Videos to try things on:
    MovingFigures, FigureClip, read_mask: figures that move, and where they are
"""

from typing import TYPE_CHECKING

from keras_acl.data.augmentation import Augmentation, read_test_clip, read_training_clip
from keras_acl.data.bad_videos import BadVideosError, BadVideoWarning
from keras_acl.data.huggingface import read_huggingface
from keras_acl.data.kinetics import read_kinetics
from keras_acl.data.sources import read_csv, read_directory, read_splits
from keras_acl.data.split_folders import Splits
from keras_acl.data.ucf101 import read_ucf101
from keras_acl.data.video_list import MissingVideosWarning, VideoList, split
from keras_acl.data.webdataset import read_webdataset
from keras_acl.moving_figures.dataset import FigureClip, MovingFigures, read_mask
from keras_acl.system.lazy_names import lazy_names
from keras_acl.video.check import check_videos
from keras_acl.video.clips import read_clip
from keras_acl.video.flow import FlowReport, compute_flow
from keras_acl.video.frame_table import VideoInfo, probe
from keras_acl.video.read import read_frames
from keras_acl.video.sampling import frame_offsets, random_clip, record_rng, uniform_clips
from keras_acl.video.shrink import ShrinkReport, shrink_videos
from keras_acl.video.stored_bytes import StoredBytes
from keras_acl.video.video import DecodingError, Video, VideoLimits, VideoProblem

if TYPE_CHECKING:
    from keras_acl.data.from_files import (
        DatasetOptions,
        from_csv,
        from_directory,
        from_huggingface,
        from_kinetics,
        from_ucf101,
        from_webdataset,
    )
    from keras_acl.data.stream import LoadingOptions
    from keras_acl.data.video_dataset import VideoDataset

__all__ = [
    "Augmentation",
    "BadVideoWarning",
    "BadVideosError",
    "DatasetOptions",
    "DecodingError",
    "FigureClip",
    "FlowReport",
    "LoadingOptions",
    "MissingVideosWarning",
    "MovingFigures",
    "ShrinkReport",
    "Splits",
    "StoredBytes",
    "Video",
    "VideoDataset",
    "VideoInfo",
    "VideoLimits",
    "VideoList",
    "VideoProblem",
    "check_videos",
    "compute_flow",
    "frame_offsets",
    "from_csv",
    "from_directory",
    "from_huggingface",
    "from_kinetics",
    "from_ucf101",
    "from_webdataset",
    "probe",
    "random_clip",
    "read_clip",
    "read_csv",
    "read_directory",
    "read_frames",
    "read_huggingface",
    "read_kinetics",
    "read_mask",
    "read_splits",
    "read_test_clip",
    "read_training_clip",
    "read_ucf101",
    "read_webdataset",
    "record_rng",
    "shrink_videos",
    "split",
    "uniform_clips",
]

# On first use: worker processes import this package too, and do without Keras and Grain.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DatasetOptions": "keras_acl.data.from_files",
        "LoadingOptions": "keras_acl.data.stream",
        "VideoDataset": "keras_acl.data.video_dataset",
        "from_csv": "keras_acl.data.from_files",
        "from_directory": "keras_acl.data.from_files",
        "from_huggingface": "keras_acl.data.from_files",
        "from_kinetics": "keras_acl.data.from_files",
        "from_ucf101": "keras_acl.data.from_files",
        "from_webdataset": "keras_acl.data.from_files",
    },
)
