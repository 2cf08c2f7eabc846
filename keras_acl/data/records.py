"""Which video comes when, and what it becomes. Worker processes import this, so: no Keras here."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.data.augmentation import Augmentation, read_test_clip, read_training_clip
from keras_acl.video.sampling import record_rng
from keras_acl.video.video import DecodingError, Video


class Record(NamedTuple):
    """One video, read.

    Args:
        clip: uint8, shape (frames, size, size, 3). None if no video of the class can be read.
        label: Index of the class, indices of several, or None.
        failures: Path and reason of each file that could not be read on the way.
    """

    clip: np.ndarray | None
    label: int | tuple[int, ...] | None
    failures: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Passes:
    """An endless list of records: one pass over the videos after the other.

    The order of a pass depends on seed and epoch alone, so any place can be found again.

    Args:
        count: Number of all videos.
        size: Number of videos per pass on this host, see `pass_size`.
        seed: Seed of the shuffling. None: every pass is the first one again, in the given order.
        shard: (index, count): which of `count` equal parts of every batch of a pass this host
            reads.
        batch_size: Clips of such a part.
    """

    count: int
    size: int
    seed: int | None
    shard: tuple[int, int] = (0, 1)
    batch_size: int = 1

    def locate(self, position: int) -> tuple[int, int]:
        """Epoch and index of the video at a place of the endless list."""
        epoch, place = divmod(position, self.size)
        # Together the parts are the batches that one host would read.
        index, hosts = self.shard
        batch, inside = divmod(place, self.batch_size)
        first = batch * self.batch_size
        place = first * hosts + index * min(self.batch_size, self.size - first) + inside
        if self.seed is None:
            return 0, place
        return epoch, int(shuffled(self.count, self.seed, epoch)[place])


def pass_size(count: int, batch_size: int, shard: tuple[int, int], drop_remainder: bool) -> int:
    """Number of videos that one host reads in a pass.

    Args:
        count: Number of all videos.
        batch_size: Clips per batch.
        shard: (index, count) of this host.
        drop_remainder: Whether the last batch is left out if it is smaller than the others.

    Raises:
        ValueError: If there is no batch in a pass.
    """
    if batch_size < 1:
        raise ValueError(f"A batch holds at least one clip. Received: batch_size={batch_size}")
    size = count // shard[1]
    if drop_remainder:
        size -= size % batch_size
    if not size:
        raise ValueError(
            f"Too few videos for a batch. Received: {count} videos, batch_size={batch_size}, "
            f"shard={shard}, drop_remainder={drop_remainder}"
        )
    return size


def shared_batch_size(count: int, batch_size: int, devices: int, training: bool) -> int:
    """Clips of a batch that devices share evenly, all batches being of one size.

    Args:
        count: Number of all videos.
        batch_size: What was asked for.
        devices: Number of devices.
        training: Whether the size must be just that; otherwise that by which the fewest videos are
            left out, at least half of it if there are so many.

    Raises:
        ValueError: If there is no such size.
    """
    if batch_size % devices or count < devices:
        raise ValueError(
            f"{devices} devices share each batch: expected a batch_size that is a multiple of "
            f"{devices}, and so many videos. Received: batch_size={batch_size}, {count} videos"
        )
    if training:
        return batch_size
    sizes = range(devices, min(batch_size, count) + 1, devices)
    enough = [size for size in sizes if count < batch_size or 2 * size >= batch_size]
    return max(enough, key=lambda size: (count - count % size, size))


@functools.lru_cache(maxsize=4)
def shuffled(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of one epoch: a permutation of 0 to count - 1."""
    # No record has the number `count`, so the order has a random stream of its own.
    return record_rng(seed, epoch, count).permutation(count)


@dataclasses.dataclass(frozen=True)
class ClipReader:
    """Read one clip of a video. Worker processes are given one, so: no list of videos here.

    Args:
        clip: Clip that the model takes.
        augmentation: What varies in training. None: always the centre clip.
    """

    clip: ClipSpec
    augmentation: Augmentation | None

    def __call__(self, video: Video, rng: np.random.Generator) -> np.ndarray:
        """uint8 of shape (frames, size, size, 3)."""
        if self.augmentation is None:
            return read_test_clip(video, self.clip)
        return read_training_clip(video, self.clip, self.augmentation, rng)


@dataclasses.dataclass(frozen=True)
class RecordReader:
    """Read the clip of one record, or of another video of its class if the file is bad.

    Where videos may have several labels, any other takes its place, with the labels of its own.
    The replacement, too, depends on seed, epoch and index alone. A video without a label has no
    class to take one from, and gives a black clip.

    Args:
        videos: All videos.
        clip: Clip that the model takes.
        augmentation: What varies in training. None: always the centre clip.
        seed: Seed of everything random.
        attempts: Number of files that are tried before giving up.
        decode: What reads a clip; a `ClipReader` if None.
    """

    videos: Sequence[Video]
    clip: ClipSpec
    augmentation: Augmentation | None
    seed: int
    attempts: int
    decode: Callable[[Video, np.random.Generator], np.ndarray] | None = None

    def __call__(self, place: tuple[int, int]) -> Record:
        """Read (epoch, index)."""
        epoch, index = place
        decode = self.decode or ClipReader(self.clip, self.augmentation)
        failures = []
        for candidate in self._candidates(epoch, index):
            try:
                clip = decode(self.videos[candidate], record_rng(self.seed, epoch, index))
                return Record(clip, self.videos[candidate].label, tuple(failures))
            except DecodingError as error:
                failures.append((error.path, error.reason))
            if len(failures) == self.attempts:
                break
        shape = (self.clip.frames, self.clip.size, self.clip.size, self.clip.channels)
        label = self.videos[index].label
        black = np.zeros(shape, np.uint8) if label is None else None
        return Record(black, label, tuple(failures))

    def _candidates(self, epoch: int, index: int) -> Iterator[int]:
        yield index
        label = self._replaced_by(index)
        if label is not None:
            (rng,) = record_rng(self.seed, epoch, index).spawn(1)
            members = self._classes[label]
            yield from (int(i) for i in rng.permutation(members) if i != index)

    @functools.cached_property
    def _classes(self) -> dict[int | None, list[int]]:
        classes: dict[int | None, list[int]] = {}
        for index in range(len(self.videos)):
            classes.setdefault(self._replaced_by(index), []).append(index)
        return classes

    def _replaced_by(self, index: int) -> int | None:
        """What the videos that may take a video's place have in common; `None` if none may."""
        label = self.videos[index].label
        return -1 if isinstance(label, tuple) else label
