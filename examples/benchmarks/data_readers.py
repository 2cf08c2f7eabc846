"""The readers that `data.py` compares: functions that return seconds per clip."""

import contextlib
import dataclasses
import importlib.util
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from keras_acl.clip import ClipSpec
from keras_acl.data import LoadingOptions, VideoDataset, probe, read_frames
from keras_acl.data.augmentation import Augmentation, draw_corner, draw_short_side
from keras_acl.video import frame_table as probing
from keras_acl.video import read as decoding
from keras_acl.video.clips import clip_times
from keras_acl.video.crop import resized
from keras_acl.video.sampling import frame_offsets
from keras_acl.video.video import DecodingError, Video
from keras_acl.video.views import ViewGrid, iterate_views

import av
import numpy as np

BATCH = 8
PEER = "bare PyAV loop, 2 threads"
Reader = Callable[[], float]


@dataclasses.dataclass(frozen=True)
class Setting:
    """Files to read, over and over, until there are so many clips."""

    paths: list[str]
    clip: ClipSpec
    clips: int


def make_readers(setting: Setting, processes: int) -> dict[str, Reader]:
    """All readers by name; the others are compared with the first."""
    readers = {
        PEER: in_threads(setting, 2, read_bare),
        # Each file is met for the first time: only the frames of those being read are remembered.
        "keras-acl, new files, 2 threads": memory_of(1024)(pipeline(setting, 2)),
        "keras-acl, 2 threads": pipeline(setting, 2),
        "keras-acl, 4 threads": pipeline(setting, 4),
        "tf.data over PyAV, 2 threads": tf_data(setting, 2),
        "decoding alone, 2 threads": in_threads(setting, 2, read_nothing),
    }
    if processes:
        readers[f"keras-acl, {processes} processes"] = pipeline(setting, 1, processes)
    if importlib.util.find_spec("decord"):
        readers["Decord, 2 threads"] = in_threads(setting, 2, read_with_decord)
    return readers


def pipeline(setting: Setting, threads: int, processes: int = 0) -> Reader:
    """VideoDataset, as training uses it."""
    videos = [Video(path, 0) for path in setting.paths]
    videos *= -(-(setting.clips + BATCH) // len(videos))

    def read() -> float:
        options = LoadingOptions(threads=threads, processes=processes)
        dataset = VideoDataset(videos, setting.clip, BATCH, loading=options)
        batches = iter(dataset)
        next(batches)  # by then threads and processes are there
        started, count = perf_counter(), 0
        while count < setting.clips:
            count += len(next(batches)[0])
        seconds = perf_counter() - started
        dataset.close()
        return seconds / count

    return read


def tf_data(setting: Setting, threads: int) -> Reader:
    """The bare loop behind `tf.data`, which has no reader of videos: a parallel map of Python."""

    def run() -> float:
        import tensorflow as tf

        def one(number: np.ndarray) -> np.ndarray:
            path = setting.paths[int(number) % len(setting.paths)]
            return read_bare(path, setting.clip, np.random.default_rng((0, int(number))))

        def read(number: tf.Tensor) -> tf.Tensor:
            return tf.numpy_function(one, [number], tf.uint8)

        clips = tf.data.Dataset.range(setting.clips).map(read, num_parallel_calls=threads)
        started = perf_counter()
        count = sum(len(batch) for batch in clips.batch(BATCH).prefetch(1))
        return (perf_counter() - started) / count

    return run


def in_threads(
    setting: Setting,
    threads: int,
    read: Callable[[str, ClipSpec, np.random.Generator], np.ndarray],
) -> Reader:
    """Threads that call `read` with a path, a clip and a source of chance."""

    def run() -> float:
        def one(number: int) -> np.ndarray:
            rng = np.random.default_rng((0, number))
            return read(setting.paths[number % len(setting.paths)], setting.clip, rng)

        with ThreadPoolExecutor(threads) as pool:
            started = perf_counter()
            clips = pool.map(one, range(setting.clips))
            while batch := list(itertools.islice(clips, BATCH)):
                np.stack(batch)
            return (perf_counter() - started) / setting.clips

    return run


def read_nothing(path: str, clip: ClipSpec, rng: np.random.Generator) -> np.ndarray:
    """The frames of a random clip, decoded and dropped, which bounds what reading can reach."""
    times = clip_times(Video(path), clip, rng)
    return np.array([count for _, count in decoding._frames_of(path, times)])


def read_with_decord(path: str, clip: ClipSpec, rng: np.random.Generator) -> np.ndarray:
    """Decord's VideoReader, which resizes."""
    import decord

    side = draw_short_side(clip.size, Augmentation().scale, rng)
    info = probe(path)
    height, width = resized(info.height, info.width, side)
    reader = decord.VideoReader(path, width=width, height=height, num_threads=1)
    offsets = frame_offsets(clip)
    first = int(rng.integers(0, max(len(reader) - clip.span, 0), endpoint=True))
    wanted = np.minimum(first + offsets, len(reader) - 1)
    return _cut(reader.get_batch(wanted).asnumpy(), clip.size, rng)


def read_bare(path: str, clip: ClipSpec, rng: np.random.Generator) -> np.ndarray:
    """PyAV as its manual shows it: decode up to the last frame of the clip, resize, cut, flip."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        total = round(float(stream.duration * stream.time_base) * clip.fps)
        first = int(rng.integers(0, max(total - clip.span, 0), endpoint=True))
        wanted = np.minimum(first + frame_offsets(clip), total - 1) / clip.fps
        side = draw_short_side(clip.size, Augmentation().scale, rng)
        height, width = resized(stream.height, stream.width, side)
        images, image, origin = [], None, None
        for frame in container.decode(stream):
            origin = frame.time if origin is None else origin
            while len(images) < len(wanted) and frame.time - origin > wanted[len(images)] - 1e-3:
                image = frame.to_ndarray(format="rgb24", width=width, height=height)
                images.append(image)
            if len(images) == len(wanted):
                break
    images += [images[-1]] * (len(wanted) - len(images))
    return _cut(np.stack(images), clip.size, rng)


def _cut(frames: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    top, left = draw_corner(*frames.shape[1:3], size, rng)
    frames = frames[:, top : top + size, left : left + size]
    return np.ascontiguousarray(frames[:, :, ::-1] if rng.random() < 0.5 else frames)


def late_clip(path: str, clip: ClipSpec) -> None:
    """Measure a long file and read one clip at its end."""
    times = probe(path).seconds - clip.seconds + frame_offsets(clip) / clip.fps
    read_frames(path, times, 256)


def all_views(path: str, clip: ClipSpec) -> None:
    """Read the 10 x 3 views of a long file."""
    for _ in iterate_views(Video(path), clip, ViewGrid(10, 3)):
        pass


@contextlib.contextmanager
def memory_of(frames: int):
    """Let `probe` remember so many frames; with none, files are read from their beginning."""
    honest, probing._memory = probing._memory, probing._Memory(frames)
    try:
        yield
    finally:
        probing._memory = honest


def differs_by_seeking(path: str, draws: int = 20) -> bool:
    """Whether seeking gives another pixel, or another error, than reading from the beginning."""
    rng = np.random.default_rng(0)
    seconds = probe(path).seconds
    for _ in range(draws):
        first, last = np.sort(rng.uniform(0, seconds, 2))
        times = np.linspace(first, last, rng.integers(1, 9))
        sought = _frames_or_reason(path, times)
        with memory_of(0):
            read = _frames_or_reason(path, times)
        if type(sought) is not type(read) or not np.array_equal(sought, read):
            return True
    return False


def _frames_or_reason(path: str, times: np.ndarray) -> np.ndarray | str:
    try:
        return read_frames(path, times)
    except DecodingError as error:
        return error.reason
