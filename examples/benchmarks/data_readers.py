"""The readers that the data benchmark compares. Each is a function that returns seconds a clip."""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from keras_acl.clip import ClipSpec
from keras_acl.data import LoadingOptions, VideoDataset, probe, read_frames
from keras_acl.data.augmentation import Augmentation, draw_corner, draw_short_side
from keras_acl.video import frame_table as probing
from keras_acl.video import read as decoding
from keras_acl.video.sampling import frame_offsets
from keras_acl.video.video import Video
from keras_acl.video.views import ViewGrid, iterate_views

import av
import numpy as np

BATCH = 8
Reader = Callable[[], float]


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is to be read: these files, over and over, so many clips in all."""

    paths: list[str]
    clip: ClipSpec
    clips: int


def make_readers(setting: Setting, processes: int) -> dict[str, Reader]:
    """All readers by name; the first one is what the others are compared with."""
    readers = {
        "bare PyAV loop, 2 threads": bare_loop(setting, 2),
        "bare PyAV loop, 1 thread": bare_loop(setting, 1),
        "keras-acl, new files, 2 threads": pipeline_of_new_files(setting, 2),
    }
    for threads in (1, 2, 4):
        readers[f"keras-acl, {threads} thread{'s'[: threads > 1]}"] = pipeline(setting, threads)
    readers["tf.data over PyAV, 2 threads"] = tf_data(setting, 2)
    readers["decoding alone, 2 threads"] = decoding_alone(setting, 2)
    if processes:
        readers[f"keras-acl, {processes} processes"] = pipeline(setting, 1, processes)
    decord = decord_reader(setting, 2)
    if decord is None:
        print("Decord is not installed (it has no wheels for new Pythons): left out.")
    else:
        readers["Decord, 2 threads"] = decord
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


def decoding_alone(setting: Setting, threads: int) -> Reader:
    """What bounds `pipeline`: the frames of random clips, decoded and dropped."""

    def read(path: str, clip: ClipSpec, rng: np.random.Generator) -> np.ndarray:
        times = decoding.clip_times(Video(path), clip, rng)
        return np.array([count for _, count in decoding._frames_of(path, times)])

    return _in_threads(setting, threads, read)


def pipeline_of_new_files(setting: Setting, threads: int) -> Reader:
    """The same where each file is met for the first time, as in an epoch over very many."""
    read = pipeline(setting, threads)
    few = 1024  # frames that are remembered: of the two files that are being read

    def forgetful() -> float:
        with memory_of(few):
            return read()

    return forgetful


def bare_loop(setting: Setting, threads: int) -> Reader:
    """PyAV as its manual shows it: decode up to the last frame of the clip, resize, cut, flip."""
    return _in_threads(setting, threads, _read_bare)


def tf_data(setting: Setting, threads: int) -> Reader:
    """The bare loop behind `tf.data`, which has no reader of videos: a parallel map of Python."""

    def run() -> float:
        import tensorflow as tf

        def one(number: np.ndarray) -> np.ndarray:
            path = setting.paths[int(number) % len(setting.paths)]
            return _read_bare(path, setting.clip, np.random.default_rng((0, int(number))))

        def read(number: tf.Tensor) -> tf.Tensor:
            return tf.numpy_function(one, [number], tf.uint8)

        clips = tf.data.Dataset.range(setting.clips).map(read, num_parallel_calls=threads)
        started = perf_counter()
        count = sum(len(batch) for batch in clips.batch(BATCH).prefetch(1))
        return (perf_counter() - started) / count

    return run


def decord_reader(setting: Setting, threads: int) -> Reader | None:
    """Decord's VideoReader, then the same resizing; None where it is not installed."""
    try:
        import decord
    except ImportError:
        return None

    def read(path: str, clip: ClipSpec, rng: np.random.Generator) -> np.ndarray:
        side = draw_short_side(clip.size, Augmentation().scale, rng)
        info = probe(path)
        scale = side / min(info.height, info.width)
        height, width = int(info.height * scale), int(info.width * scale)
        reader = decord.VideoReader(path, width=width, height=height, num_threads=1)
        offsets = frame_offsets(clip)
        first = int(rng.integers(0, max(len(reader) - clip.span, 0), endpoint=True))
        wanted = np.minimum(first + offsets, len(reader) - 1)
        return _cut(reader.get_batch(wanted).asnumpy(), clip.size, rng)

    return _in_threads(setting, threads, read)


def late_clips(path: str, clip: ClipSpec, remember: bool) -> Reader:
    """One clip at the end of a long file: measuring it, then reading."""

    def read() -> float:
        with contextlib.nullcontext() if remember else memory_of(0):
            started = perf_counter()
            times = probe(path).seconds - clip.seconds + frame_offsets(clip) / clip.fps
            read_frames(path, times, 256)
            return perf_counter() - started

    return read


def views(path: str, clip: ClipSpec, remember: bool) -> Reader:
    """The 10 x 3 views of a long file."""

    def read() -> float:
        with contextlib.nullcontext() if remember else memory_of(0):
            started = perf_counter()
            for _ in iterate_views(Video(path), clip, ViewGrid(10, 3)):
                pass
            return perf_counter() - started

    return read


@contextlib.contextmanager
def memory_of(frames: int):
    """Within it, `probe` remembers so many frames; of none, reading does not know what it found."""
    honest, probing._memory = probing._memory, probing._Memory(frames)
    try:
        yield
    finally:
        probing._memory = honest


def _in_threads(
    setting: Setting,
    threads: int,
    read: Callable[[str, ClipSpec, np.random.Generator], np.ndarray],
) -> Reader:
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


def _read_bare(path: str, clip: ClipSpec, rng: np.random.Generator) -> np.ndarray:
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        total = round(float(stream.duration * stream.time_base) * clip.fps)
        first = int(rng.integers(0, max(total - clip.span, 0), endpoint=True))
        wanted = np.minimum(first + frame_offsets(clip), total - 1) / clip.fps
        side = draw_short_side(clip.size, Augmentation().scale, rng)
        scale = side / min(stream.height, stream.width)
        height, width = int(stream.height * scale), int(stream.width * scale)
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
