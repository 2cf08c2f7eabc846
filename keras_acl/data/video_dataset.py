"""VideoDataset: videos as batches for `fit`, `evaluate` and `predict`."""

import logging
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.data.augmentation import Augmentation
from keras_acl.data.bad_videos import BadVideos
from keras_acl.data.cursor import Cursor
from keras_acl.data.keras_augmentation import mix_up
from keras_acl.data.records import (
    Passes,
    Record,
    RecordReader,
    pass_size,
    shared_batch_size,
)
from keras_acl.data.stream import LoadingOptions, RecordStream
from keras_acl.data.video_list import VideoList
from keras_acl.system.distribution import process, replicas
from keras_acl.video.sampling import record_rng
from keras_acl.video.video import Video

logger = logging.getLogger("keras_acl")


class VideoDataset(keras.utils.PyDataset):
    """Batches of clips, decoded and augmented in the background by Grain.

    In training every pass has its own order and its own clips, crops and flips; they depend on
    `seed` and the epoch alone, not on threads, processes or Keras' own shuffling. Otherwise every
    pass is the same: the centre clips in the given order. The last batch of a pass may be smaller.

    It is a `PyDataset` and not a Grain dataset, because Keras asks a Grain dataset for no length,
    starts it anew in every `fit` and warns at the end of each pass; `Cursor` brings what Keras asks
    of a `PyDataset` into order. `fit(steps_per_epoch=...)` only makes sense from 3 steps on: one or
    two are taken for a glance, and seen again.

    A file that cannot be read costs one `BadVideoWarning`; another video of its class takes its
    place (a black clip, where there are no labels). See `LoadingOptions` for a list of such files
    and for the limit.

    Args:
        videos: Videos to read; all have a label, or none has.
        clip: Clip that the model takes: `model.clip`.
        batch_size: Clips per batch; within `keras_acl.distribute` of all devices together. Batches
            are then of one size, which outside of training may be smaller, so that few videos are
            left out.
        training: Whether to shuffle, draw random clips and augment.
        augmentation: What varies in training; `Augmentation()` by default.
        seed: Seed of everything random, 0 or more.
        loading: Threads, processes, shards, and what happens to bad files.

    Attributes:
        videos: Videos to read.
        labels: Class names in the order of the class indices; empty if unknown.
        multi_label: Whether a video may have several labels.
        clip: Clip that the model takes.
        batch_size: Clips per batch.
        local_batch_size: Those of them that this process reads.
        training: Whether passes are shuffled and clips are random and augmented.
        error: Exception that stopped reading, or None. TensorFlow wraps it in a long error of its
            own.

    Batches:
        `(clips, labels)`: uint8 of shape (B, frames, size, size, clip.channels) and int32 of (B,).
        `(clips,)` for videos without labels. With mixup: float32 of the same shape, 0 to 255, and
        float32 class probabilities of shape (B, L). Where videos may have several labels, float32
        of shape (B, L) as well, 1 for those of the clip and 0 for the others; mixup blends these.

    Raises:
        ValueError: If there is no video, only some have labels, a label has no name, or layers for
            colours are to change optical flow.
        BadVideosError: While reading, if too many files are bad.

    Example:
    ```python
    videos = keras_acl.data.read_csv("videos.csv")
    train, val = keras_acl.data.split(videos, 0.2)
    model.fit(
        VideoDataset(train, model.clip),
        validation_data=VideoDataset(val, model.clip, training=False),
        epochs=4,
    )
    ```
    """

    def __init__(
        self,
        videos: VideoList | Sequence[Video],
        clip: ClipSpec,
        batch_size: int = 8,
        *,
        training: bool = True,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        loading: LoadingOptions | None = None,
    ) -> None:
        super().__init__()
        loading = loading or LoadingOptions()
        self.videos = videos
        self.labels = videos.labels if isinstance(videos, VideoList) else ()
        self.multi_label = any(isinstance(video.label, tuple) for video in videos)
        self.clip = clip
        self.training = training
        self.error: Exception | None = None
        self._seed = seed
        augmentation = (augmentation or Augmentation()) if training else None
        self._mixup = augmentation.mixup if augmentation else 0.0
        _check_videos(videos, self.labels, self._mixup)
        _check_processes(loading, augmentation)
        _check_modality(clip, augmentation)
        self.batch_size, shard, drop_remainder = batch_size, loading.shard or (0, 1), False
        self.local_batch_size = batch_size
        if loading.shard is None and replicas() > 1:
            shard, drop_remainder = process(), True
            self.batch_size = shared_batch_size(len(videos), batch_size, replicas(), training)
            self.local_batch_size = self.batch_size // shard[1]
            left_out = len(videos) % self.batch_size
            if left_out and not training:
                logger.info(
                    "%d of %d videos are left out of each pass: %d devices share batches of one "
                    "size.",
                    left_out,
                    len(videos),
                    replicas(),
                )
        self._pass_size = pass_size(
            len(videos), self.local_batch_size, shard, drop_remainder or loading.drop_remainder
        )
        self._bad = BadVideos(len(videos), loading.max_bad_fraction, loading.bad_files)
        order = seed if training else None
        passes = Passes(len(videos), self._pass_size, order, shard, self.local_batch_size)
        reader = RecordReader(videos, clip, augmentation, seed, self._bad.limit + 1)
        self._stream = RecordStream(passes, reader, loading, 2 * self.local_batch_size)
        self._cursor: Cursor[tuple[np.ndarray, ...]] = Cursor(len(self))

    @property
    def epoch(self) -> int:
        """Number of the pass that is running or comes next, counted from 0."""
        return self._cursor.epoch

    @property
    def bad_files(self) -> dict[str, str]:
        """Path to reason of the files that could not be read so far."""
        return dict(self._bad.found)

    @property
    def pass_size(self) -> int:
        """Clips that this process reads in a pass."""
        return self._pass_size

    def __len__(self) -> int:
        """Batches per pass."""
        return -(-self._pass_size // self.local_batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """The next batch while a pass is running, whatever `index` is; otherwise batch `index`."""
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index={index}")
        try:
            return self._cursor.batch(index, self._read)
        except Exception as error:
            self.error = error
            raise

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        """One pass, as `fit` would see it."""
        self.on_epoch_begin()
        try:
            for index in range(len(self)):
                yield self[index]
        finally:
            self.on_epoch_end()

    def on_epoch_begin(self) -> None:
        """Begin a pass; Keras calls it."""
        self._cursor.begin()

    def on_epoch_end(self) -> None:
        """End a pass; Keras calls it. A pass that was given up after a glance is begun again."""
        self._cursor.end()

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass that of `epoch`: the same batches, whatever came before.

        Call it first in a run that is resumed. At the beginning of every epoch it does no harm, as
        reading ahead goes on undisturbed where it is right already. Otherwise passes count up from
        0 by themselves.
        """
        self._cursor.move(epoch)

    def close(self) -> None:
        """Stop the threads and processes that read ahead. The next batch starts them again."""
        self._stream.close()

    def _read(self, epoch: int, index: int, in_order: bool) -> tuple[np.ndarray, ...]:
        """Read a batch of a pass: from the stream that reads ahead, or by itself."""
        first = index * self.local_batch_size
        count = min(self.local_batch_size, self._pass_size - first)
        read = self._stream.take if in_order else self._stream.pick
        records = read(epoch * self._pass_size + first, count)
        clips = np.stack([self._clip_of(record) for record in records])
        if records[0].label is None:
            return (clips,)
        labels = [record.label for record in records]
        if not self._mixup:
            targets = self._multi_hot(labels) if self.multi_label else np.array(labels, np.int32)
            return clips, targets
        rng = record_rng(self._seed, epoch, len(self.videos) + 1 + index)
        return mix_up(clips, self._multi_hot(labels), self._mixup, rng)

    def _multi_hot(self, labels: Sequence) -> np.ndarray:
        """Labels as float32 (B, L): 1 for every class of a clip, else 0."""
        targets = np.zeros((len(labels), len(self.labels)), np.float32)
        for row, label in zip(targets, labels, strict=True):
            row[np.array(label, int)] = 1  # an index, or a tuple of them, or an empty one
        return targets

    def _clip_of(self, record: Record) -> np.ndarray:
        for path, reason in record.failures:
            self._bad.add(path, reason)
        if record.clip is None:
            label = record.label
            self._bad.give_up(
                self.labels[label] if self.labels and isinstance(label, int) else label
            )
        return record.clip


def _check_videos(videos: Sequence[Video], labels: Sequence[str], mixup: float) -> None:
    if not videos:
        raise ValueError("There are no videos to read. Received an empty list.")
    known = {video.label for video in videos}
    if None in known and len(known) > 1:
        number = sum(video.label is None for video in videos)
        raise ValueError(
            "Expected all videos to have a label, or none. "
            f"Received: {number} of {len(videos)} without one"
        )
    if any(isinstance(label, tuple) for label in known) and not labels:
        raise ValueError(
            "Videos that may have several labels stand in a VideoList, which knows how many "
            f"classes there are. Received: {type(videos).__name__}"
        )
    if mixup and (None in known or not labels):
        raise ValueError(
            "Mixup blends classes and must know how many there are: expected labelled videos in a "
            f"VideoList. Received: {type(videos).__name__}"
        )


def _check_modality(clip: ClipSpec, augmentation: Augmentation | None) -> None:
    if clip.modality != "rgb" and augmentation and augmentation.needs_keras:
        raise ValueError(
            "RandAugment and `layers` change colours, and these clips hold optical flow: leave "
            f"them out. Received: modality={clip.modality!r}, randaugment="
            f"{augmentation.randaugment}, {len(augmentation.layers)} layers"
        )


def _check_processes(loading: LoadingOptions, augmentation: Augmentation | None) -> None:
    if loading.processes and augmentation and augmentation.needs_keras:
        raise ValueError(
            "RandAugment and `layers` run Keras, and worker processes do without it: use threads. "
            f"Received: processes={loading.processes}, randaugment={augmentation.randaugment}, "
            f"{len(augmentation.layers)} layers"
        )
