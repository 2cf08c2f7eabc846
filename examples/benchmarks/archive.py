"""Videos a second of an archive run, with one worker and with two, against one process.

Each contender is a process of its own, which classifies the same files from a list that names each
of them so often that there are enough: `predict_videos`, and `classify_archive` with Ray. Start:
seconds until the first part of the archive is done. The rate counts from there on.

    pip install "keras-acl[ray,deploy]"
    python examples/benchmarks/archive.py --videos FOLDER
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_acl.inference import ArchiveOptions, Workers, classify_archive, predict_videos
from keras_acl.inference.load import load_for_inference
from keras_acl.video.files import find_videos

import measuring
import pyarrow as arrow
import pyarrow.parquet as parquet
from data_files import write_videos

ONE = "predict_videos, one process"
WORKERS = {"classify, 1 worker": 1, "classify, 2 workers": 2}
PART = 15  # videos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, help="a folder of videos; made ones by default")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--count", type=int, default=240, help="videos to classify")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    parser.add_argument("--contender", help="run this one alone, in this process")
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(classified(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KERAS_HOME"] = folder  # where an engine is kept
        if options.videos is None:
            write_videos(Path(folder) / "made", 4, (2, 3))
            options.videos = Path(folder) / "made"
        # An archive has no video twice, but for links.
        found, archive = find_videos(options.videos), Path(folder) / "archive"
        archive.mkdir()
        for number in range(options.count):
            video = Path(found[number % len(found)]).resolve()
            (archive / f"{number:05d}{video.suffix}").symlink_to(video)
        load_for_inference(options.model)  # makes the engine
        runs: dict[str, list[dict]] = {name: [] for name in (ONE, *WORKERS)}
        for name in measuring.turns(runs, options.repeats):
            runs[name].append(in_a_process(name, archive, options))
    rates = {name: [1 / run["videos/s"] for run in found] for name, found in runs.items()}
    rows = [
        {
            "contender": name,
            **{key: statistics.median(run[key] for run in found) for key in found[0]},
            "times one process": measuring.ratio(rates, name, ONE),
        }
        for name, found in runs.items()
    ]
    measuring.save("archive", rows, options.output, videos=options.count, network=options.model)


def in_a_process(name: str, archive: Path, options) -> dict:
    """What a new process measures."""
    command = [sys.executable, __file__, "--contender", name, "--videos", str(archive)]
    done = subprocess.run(
        [*command, "--model", options.model], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def classified(options) -> dict:
    """Classify all videos; seconds until the first part is done, and videos a second from then."""
    started, times = time.perf_counter(), []

    def progress(done: int, total: int) -> None:
        if done >= min(PART, total):
            times.append((time.perf_counter() - started, done))

    with tempfile.TemporaryDirectory() as out:
        videos = find_videos(options.videos)
        if options.contender == ONE:
            predict_videos(load_for_inference(options.model), videos, progress=progress)
        else:
            manifest = Path(out) / "list.parquet"
            parquet.write_table(arrow.table({"path": videos}), manifest)
            classify_archive(
                options.model,
                manifest,
                Path(out) / "out",
                options=ArchiveOptions(),
                workers=Workers(WORKERS[options.contender]),
                shards=max(2, len(videos) // PART),
                progress=progress,
            )
    (first, before), (last, done) = times[0], times[-1]
    return {"start s": first, "videos/s": (done - before) / (last - first), "all s": last}


if __name__ == "__main__":
    main()
