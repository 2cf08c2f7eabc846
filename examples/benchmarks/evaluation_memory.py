"""How much memory the evaluation with many views takes.

Evaluates the R50 4x16 (random weights: the memory is the same) on 340 x 256 videos of 2 to 5 s,
which it makes, or on a folder of yours, and prints the peak of the process' resident memory; with
other `--clips` and `--count` it tells whether that grows with the number of views or videos. Ends
with an error above `--limit`, 2 GiB by default. A view takes 1 to 2 s of CPU time.

    python examples/benchmarks/evaluation_memory.py
    python examples/benchmarks/evaluation_memory.py --videos FOLDER --count 40 --clips 10 --crops 3
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from keras_acl.clip import ClipSpec
from keras_acl.data import MovingFigures
from keras_acl.evaluation import evaluate_views
from keras_acl.models import TwoStreamClassifier
from keras_acl.system.memory import peak_memory
from keras_acl.video.files import find_videos

import av
import numpy as np

HEIGHT, WIDTH, FPS = 256, 340, 30
SECONDS = (2, 5)
SMALL = {"depth": 11, "width": 8, "channel_ratio": 2, "clip": ClipSpec(size=32)}  # for a test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, help="a folder of videos; synthetic ones by default")
    parser.add_argument("--count", type=int, default=40, help="videos to evaluate")
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--crops", type=int, default=3)
    parser.add_argument("--limit", type=float, default=2.0, help="GiB")
    parser.add_argument("--small", action="store_true", help="a tiny network, to try the script")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.videos is None:
            videos = write_videos(Path(folder), options.count)
        else:
            videos = find_videos(options.videos)[: options.count]
        model = TwoStreamClassifier(400, **(SMALL if options.small else {}))
        before = peak_memory()
        started = perf_counter()
        scores = evaluate_views(model, videos, options.clips, options.crops)
    seconds = perf_counter() - started
    views = int(scores.done.sum()) * options.clips * options.crops
    print(f"{len(videos)} videos, {int(scores.failed.sum())} of them could not be read")
    print(f"{views} views in {seconds:.0f} s: {views / seconds:.2f} views/s")
    peak = peak_memory()
    print(f"Peak resident memory {peak:.0f} MiB, {before:.0f} MiB of it before the evaluation")
    if peak > 1024 * options.limit:
        sys.exit(f"More than {options.limit:g} GiB.")


def write_videos(folder: Path, count: int) -> list[str]:
    """Write synthetic videos of 2 to 5 s: moving figures, forth and back."""
    figures = MovingFigures("motion", distractors=3, frames=15, size=WIDTH)
    rng = np.random.default_rng(0)
    margin = (WIDTH - HEIGHT) // 2
    paths = []
    for number in range(count):
        drawn = figures.draw(number % len(figures.labels), seed=number).frames
        once = drawn[:, margin : margin + HEIGHT]  # (15, H, W, 3)
        length = rng.integers(SECONDS[0] * FPS, SECONDS[1] * FPS, endpoint=True)
        order = np.resize([*range(15), *range(14, -1, -1)], length)
        paths.append(str(folder / f"{number:04d}.mp4"))
        write_video(paths[-1], once, order)
    return paths


def write_video(file: str, frames: np.ndarray, order: np.ndarray) -> None:
    """Encode frames, uint8 (T, H, W, 3), in an order of their numbers."""
    with av.open(file, "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "28"})
        stream.height, stream.width = HEIGHT, WIDTH
        stream.pix_fmt = "yuv420p"
        for number in order:
            image = av.VideoFrame.from_ndarray(frames[number], format="rgb24")
            container.mux(stream.encode(image))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
