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

from keras_acl.evaluation import evaluate_views
from keras_acl.models import TwoStreamClassifier
from keras_acl.system.memory import peak_memory
from keras_acl.video.files import find_videos

from data_files import write_videos
from measuring import SMALL


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
            write_videos(Path(folder), options.count, (2, 3, 4, 5))
        videos = find_videos(options.videos or folder)[: options.count]
        model = TwoStreamClassifier(400, **(SMALL if options.small else {}))
        before, started = peak_memory(), perf_counter()
        scores = evaluate_views(model, videos, options.clips, options.crops)
        seconds = perf_counter() - started
    views = int(scores.done.sum()) * options.clips * options.crops
    print(f"{len(videos)} videos, {int(scores.failed.sum())} of them could not be read")
    print(f"{views} views in {seconds:.0f} s: {views / seconds:.2f} views/s")
    peak = peak_memory()
    print(f"Peak resident memory {peak:.0f} MiB, {before:.0f} MiB of it before the evaluation")
    if peak > 1024 * options.limit:
        sys.exit(f"More than {options.limit:g} GiB.")


if __name__ == "__main__":
    main()
