"""Videos on disk -> batches of clips.

Sources list videos (`read_*`, `split`), `VideoDataset` turns them into batches (`from_*` does both
at once). Below it: decoding, sampling and augmentation, usable by themselves.
"""

from typing import TYPE_CHECKING

from keras_acl.data.augmentation import Augmentation, read_test_clip, read_training_clip
from keras_acl.data.bad_videos import BadVideosError, BadVideoWarning
from keras_acl.data.kinetics import read_kinetics
from keras_acl.data.sources import read_csv, read_directory
from keras_acl.data.ucf101 import read_ucf101
from keras_acl.data.video_list import MissingVideosWarning, VideoList, split
from keras_acl.moving_figures.dataset import FigureClip, MovingFigures, read_mask
from keras_acl.system.lazy_names import lazy_names
from keras_acl.video.check import VideoProblem, check_videos
from keras_acl.video.frame_table import VideoInfo, probe
from keras_acl.video.read import read_clip, read_frames
from keras_acl.video.sampling import frame_offsets, random_clip, record_rng, uniform_clips
from keras_acl.video.shrink import ShrinkReport, shrink_videos
from keras_acl.video.video import DecodingError, Video

if TYPE_CHECKING:
    from keras_acl.data.from_files import from_csv, from_directory, from_kinetics, from_ucf101
    from keras_acl.data.stream import LoadingOptions
    from keras_acl.data.video_dataset import VideoDataset

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

# On first use: worker processes import this package too, and do without Keras and Grain.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LoadingOptions": "keras_acl.data.stream",
        "VideoDataset": "keras_acl.data.video_dataset",
        "from_csv": "keras_acl.data.from_files",
        "from_directory": "keras_acl.data.from_files",
        "from_kinetics": "keras_acl.data.from_files",
        "from_ucf101": "keras_acl.data.from_files",
    },
)
