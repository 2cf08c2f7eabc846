"""Long work: memory in its second half stays within a bound of that in its first half."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from faults import Row, resident_memory, timed
from tiny_network import CLIP, compiled, random_clips, two_stream, write_figures
from video_files import numbered_frames, write_video

from keras_acl import predict_timeline, predict_videos
from keras_acl.data import LoadingOptions, VideoDataset, read_directory
from keras_acl.evaluation import evaluate_views

MEGABYTES = 24  # more than in the first half; what a leak of a clip a time is long above
INTERVAL = 0.05  # seconds between looks at the memory
STRIDE = 8.0  # seconds between the windows of the recording


def run(times: int, folder: Path) -> list[Row]:
    """Call what predicts `times` times; the loader, evaluation and recording in proportion."""
    videos = read_directory(write_figures(folder / "videos", 4))
    model = compiled(two_stream(scales=(1.0,), clip=CLIP))
    model.predict_on_batch(random_clips(4))
    return [
        loader(5 * times, videos),
        evaluation(times // 2, model, videos),
        prediction(times, model, videos),
        recording(12 * times / 1000, model, folder / "recording.mp4"),
    ]


def loader(clips: int, videos) -> Row:
    """Clips through the loader, in several passes."""
    data = VideoDataset(videos, CLIP, 8, loading=LoadingOptions(threads=2, drop_remainder=True))

    def work():
        read = 0
        while read < clips:
            for batch, _ in data:
                read += len(batch)
                yield read

    row = flat("clips through the loader", clips, work)
    data.close()
    return row


def evaluation(batches: int, model, videos) -> Row:
    """Batches of views; the scores of a video are one batch here."""

    def work():
        for number in range(-(-batches // len(videos))):
            evaluate_views(model, videos, 2, 1, batch_size=2)
            yield number

    return flat("batches of an evaluation", batches, work)


def prediction(calls: int, model, videos) -> Row:
    """Calls of `predict_videos`, each with threads of its own."""

    def work():
        for number in range(calls):
            predict_videos(model, [videos[number % len(videos)].path], clips=1)
            yield number

    return flat("calls of `predict_videos`", calls, work)


def recording(hours: float, model, file: Path) -> Row:
    """A long recording of few pixels, one frame a second."""
    seconds = max(60, round(hours * 3600))
    write_video(file, np.tile(numbered_frames(60), (seconds // 60, 1, 1, 1)), 1, options={})
    done = threading.Event()

    def work():
        timeline = predict_timeline(model, file, stride=min(STRIDE, CLIP.span / CLIP.fps))
        done.set()
        yield len(timeline.times)

    row = flat(f"a recording of {seconds / 3600:.3g} hours as a timeline", 1, work)
    return row


def flat(what: str, times: int, work: Callable[[], Iterable]) -> Row:
    """Perform work and look at the memory meanwhile."""
    row = Row(what)
    seen: list[float] = []
    end = threading.Event()

    def look():
        while not end.wait(INTERVAL):
            seen.append(resident_memory())

    watch = threading.Thread(target=look)
    with timed(row):
        watch.start()
        try:
            for _ in work():
                pass
        finally:
            end.set()
            watch.join()
    half = len(seen) // 2
    first, last = max(seen[: half or 1]), max(seen[half:])
    row.times = times
    row.note = f"memory at most {first:.0f} MB in the first half, {last:.0f} MB in the second"
    if last - first > MEGABYTES:
        row.lost.append(f"{what}: {last - first:.0f} MB more than in the first half")
    row.survived = 0 if row.lost else times
    row.note += f"; bound {MEGABYTES} MB more"
    return row
