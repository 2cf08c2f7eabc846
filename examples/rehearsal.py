"""What a rehearsal needs: clips of moving figures under other data sets' names, and the costs."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from keras_acl import recipes
from keras_acl.clip import ClipSpec
from keras_acl.data import LoadingOptions, MovingFigures, Video, VideoDataset
from keras_acl.evaluation import ViewGrid
from keras_acl.models import TwoStreamClassifier, VideoClassifier
from keras_acl.system.atomic_write import written_whole
from keras_acl.system.devices import has_accelerator
from keras_acl.training.recipe import Recipe

import av
import numpy as np

import stages

FIGURES = MovingFigures("motion", distractors=0, frames=32, size=64)
MOTIONS = FIGURES.labels[:6]  # more than five, for a top-5
CLIP = ClipSpec(frames=8, span=16, size=56)
NETWORK = {"depth": 11, "width": 8, "speed_ratio": 4, "channel_ratio": 2}
READ_VIDEOS = 32
# UCF101 is MPEG-4 in avi; its rate control would blur small frames.
CODECS = {".mp4": ("libx264", {"qp": "20"}), ".avi": ("mpeg4", {"qmin": "2", "qmax": "4"})}


def write_clip(file: Path, frames: np.ndarray, fps: int = 30, **options: str) -> None:
    """Encode frames, uint8 (T, H, W, 3), as .mp4 or .avi, with the encoder's own options."""
    codec, usual = CODECS[file.suffix]
    with written_whole(file) as beside, av.open(str(beside), "w") as container:
        stream = container.add_stream(codec, rate=fps, options={**usual, **options})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def write_figure(file: Path, label: int, seed: int) -> None:
    """Write one clip of a moving figure, unless it is there."""
    if not file.exists():
        write_clip(file, FIGURES.draw(label, seed).frames)


def typical_videos(folder: Path) -> list[Video]:
    """One video of 10 s in 340 x 256 and about 0.5 MB, as in the usual copies of Kinetics."""
    file = folder / "typical.mp4"
    if not file.exists():
        figures = MovingFigures("motion", distractors=3, frames=15, size=340)
        frames = figures.draw(0, seed=0).frames[:, 42:298]  # 256 of 340 rows
        write_clip(file, np.concatenate([frames, frames[::-1]] * 10), qp="32")
    return [Video(str(file), 0)] * READ_VIDEOS


def some(videos: Sequence[Video]) -> list[Video]:
    """A few videos from all over a list."""
    places = np.linspace(0, len(videos) - 1, min(READ_VIDEOS, len(videos))).astype(int)
    return [videos[int(place)] for place in places]


@dataclasses.dataclass(frozen=True)
class Speed:
    """Clips per second of the network in training and testing, and of the loader."""

    training: float
    testing: float
    reading: float
    batch_size: int


def measure_r50(
    num_classes: int, recipe: Recipe, videos: Sequence[Video], batch_size: int
) -> Speed:
    """Time the real network at 224; on a CPU with one clip per batch."""
    batch_size = batch_size if has_accelerator() else 1
    print(f"\nMeasuring R50 4x16, batches of {batch_size}; not with --no-measure", flush=True)
    model = TwoStreamClassifier(num_classes, dtype=recipes.mixed_precision_policy())
    return measure(model, recipe, videos, batch_size)


def measure(
    model: VideoClassifier, recipe: Recipe, videos: Sequence[Video], batch_size: int
) -> Speed:
    """Time a training step, a test batch, and a pass over the videos."""
    videos = [*videos] * -(-2 * batch_size // len(videos))  # two batches at least
    loading = LoadingOptions(drop_remainder=True)
    data = VideoDataset(videos, model.clip, batch_size, loading=loading)
    recipe.compile(model, data)
    with contextlib.closing(data):
        begin = perf_counter()
        count = sum(len(clips) for clips, _ in data)
        reading = count / (perf_counter() - begin)
    clips, labels = data[0]
    side = model.clip.test_size
    views = np.zeros((*clips.shape[:2], side, side, 3), np.uint8)
    return Speed(
        training=batch_size / _seconds(lambda: model.train_on_batch(clips, labels)),
        testing=batch_size / _seconds(lambda: model.predict_on_batch(views)),
        reading=reading,
        batch_size=batch_size,
    )


def _seconds(step: Callable[[], object]) -> float:
    """Seconds of the faster of two calls, after one that compiles."""
    times = []
    for _ in range(3):
        begin = perf_counter()
        step()
        times.append(perf_counter() - begin)
    return min(times[1:])


@dataclasses.dataclass(frozen=True)
class Size:
    """Size of a data set, and who counted.

    Args:
        training: Training videos of one run.
        testing: Test videos of one run.
        gigabytes: Size of the videos.
        source: Origin of the numbers.
        classes: Number of classes.
    """

    training: int
    testing: int
    gigabytes: float
    source: str
    classes: int = 0


def tell_costs(options, sides: Sequence | None, usual: Size, recipe: Recipe, runs: int) -> None:
    """Time the real network and the loader, and say what the full run would cost.

    Args:
        options: Command line, see `stages.read_options`.
        sides: Training and test videos of one run, where there are any.
        usual: Size of the data set, where there are none.
        recipe: Recipe of a run.
        runs: Number of runs.
    """
    if sides:
        total = sum(map(gigabytes, sides))
        size = Size(*map(len, sides), total, f"counted in {options.videos}")
        videos, classes = some(sides[0]), len(sides[0].labels)
    else:
        size, videos, classes = usual, typical_videos(options.output), usual.classes
    speed = measure_r50(classes, recipe, videos, options.batch_size)
    print_costs(speed, size, recipe, runs, stages.GRID)


def print_costs(speed: Speed, size: Size, recipe: Recipe, runs: int, grid: ViewGrid) -> None:
    """Print the hours and the disk space of the full run on this machine.

    Upper bounds: validation and precise batch statistics are counted as training steps, and a test
    clip as if it were read by itself. In training the loader runs beside the network, so the slower
    of the two counts; in testing they take turns.
    """
    device = "loader" if speed.reading < speed.training else "network"
    clips = recipe.epochs * (
        size.training + size.testing + recipe.precise_batches * speed.batch_size
    )
    training = runs * clips / min(speed.training, speed.reading) / 3600
    video = len(grid) / speed.testing + grid.clips / speed.reading  # seconds
    testing = runs * size.testing * video / 3600
    print(f"\nClips a second, measured here with batches of {speed.batch_size}:")
    print(f"  network, training {speed.training:.2f}; network, testing {speed.testing:.2f}")
    print(f"  loader {speed.reading:.1f} ({os.cpu_count()} CPU cores)")
    print(f"What the full run would cost here ({size.source}):")
    print(
        f"  {runs} x {recipe.epochs} epochs of {size.training:,} clips: {training:,.1f} hours "
        f"(the {device} is the slower part)"
    )
    print(f"  {runs} x {size.testing:,} test videos x {len(grid)} views: {testing:,.1f} hours")
    print(f"  disk: {size.gigabytes:.1f} GB of videos, {runs} GB at most for what is written")


def gigabytes(videos: Sequence[Video]) -> float:
    """Size of video files."""
    return sum(os.path.getsize(video.path) for video in videos) / 1e9
