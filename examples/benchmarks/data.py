"""How many training clips a second come out of video files, against other readers.

Makes 340 x 256 videos of 10 s at a bit rate as in Kinetics (or takes a folder), shrinks them, and
reads random 224 clips of 32 frames, span 64, as training does: from the files as they are and from
the shrunk ones, by number of threads and processes, with a bare PyAV loop, tf.data around that
loop, and Decord beside it (where it is installed). Every turn reads `--clips` clips with each
reader; the figures are medians of the turns. Writes results/data.json, with the size and the PSNR
of the shrunk files.

    python examples/benchmarks/data.py
    python examples/benchmarks/data.py --videos FOLDER
    python examples/benchmarks/data.py --long     late clips and 30 views of a ten-minute file
    python examples/benchmarks/data.py --fit      how long `fit` of a network waits for shrunk files
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from measuring import ratio, save, turns

# What brings Keras along is imported where it is used: worker processes import this file.
PEER = "bare PyAV loop, 2 threads"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, help="a folder of videos; synthetic ones by default")
    parser.add_argument("--count", type=int, default=16, help="videos to make")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of those")
    parser.add_argument("--clips", type=int, default=96, help="clips a turn")
    parser.add_argument("--size", type=int, default=224, help="pixels of a clip")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2, help="0: threads only")
    parser.add_argument("--long", action="store_true", help="a long file instead")
    parser.add_argument("--fit", action="store_true", help="training instead")
    parser.add_argument("--output", type=Path, help="folder for the JSON", default=None)
    options = parser.parse_args()
    kind = "" if options.videos is None else "_videos"
    where = {} if options.output is None else {"folder": options.output}
    with tempfile.TemporaryDirectory() as folder:
        if options.long:
            save(f"data_long{kind}", measure_long(Path(folder), options), **where)
        elif options.fit:
            from keras_acl.video.files import find_videos

            from data_fit import measure_fit

            _, shrunk = prepare(Path(folder), options)
            rows = measure_fit(find_videos(shrunk), options.clips, options.repeats)
            save(f"data_fit{kind}", rows, **where)
        else:
            rows, about = measure(Path(folder), options)
            save(f"data{kind}", rows, **about, **where)


def prepare(folder: Path, options: argparse.Namespace) -> tuple[Path, Path]:
    """Folders of the videos as they are and shrunk."""
    from keras_acl.video.files import find_videos
    from keras_acl.video.shrink import shrink_videos

    from data_files import write_videos

    originals, shrunk = folder / "videos", folder / "shrunk"
    if options.videos is not None:
        originals = options.videos
    else:
        write_videos(originals, options.count, options.seconds)
    try:
        report = shrink_videos(originals, shrunk)
    except (FileNotFoundError, ValueError) as error:  # no folder, or no video in it
        raise SystemExit(f"--videos: {error}") from error
    for problem in report.problems:
        print(f"left out: {problem.path}: {problem.reason}")
    if not find_videos(shrunk):
        raise SystemExit(f"--videos: none of the files in {originals} can be read.")
    return originals, shrunk


def measure(folder: Path, options: argparse.Namespace) -> tuple[list[dict], dict]:
    """Rows of clips a second, and what else is to be told."""
    from keras_acl.clip import ClipSpec
    from keras_acl.video.files import find_videos

    from data_files import mean_psnr
    from data_readers import Setting, make_readers

    originals, shrunk = prepare(folder, options)
    names = [Path(path).relative_to(shrunk) for path in find_videos(shrunk)]
    clip = ClipSpec(size=options.size)
    rows = []
    for files, place in (("as they are", originals), ("shrunk", shrunk)):
        setting = Setting([str(place / name) for name in names], clip, options.clips)
        readers = make_readers(setting, options.processes)
        times = in_turn(readers, options.repeats)
        for name, seconds in times.items():
            rows.append(
                {
                    "files": files,
                    "reader": name,
                    "clips/s": 1 / statistics.median(seconds),
                    "ratio to the bare loop": ratio(times, name, PEER),
                }
            )
    before = sum((originals / name).stat().st_size for name in names)
    after = sum((shrunk / name).stat().st_size for name in names)
    psnr = mean_psnr([(originals / name, shrunk / name) for name in names])
    print(f"Shrunk: {before / 1e6:.1f} -> {after / 1e6:.1f} MB, PSNR at 256 pixels {psnr:.1f} dB")
    return rows, {"bytes_before": before, "bytes_after": after, "psnr_db": psnr}


def measure_long(folder: Path, options: argparse.Namespace) -> list[dict]:
    """Late clips and 30 views of one long file, with the table of its frames and without."""
    from keras_acl.clip import ClipSpec
    from keras_acl.video.files import find_videos

    from data_files import write_videos
    from data_readers import late_clips, views

    if options.videos is None:
        write_videos(folder, 1, 600.0 if options.seconds == 10.0 else options.seconds)
    path = find_videos(options.videos or folder)[0]
    clip, rows = ClipSpec(size=options.size), []
    for what, make in (("a clip at the end", late_clips), ("10 x 3 views", views)):
        readers = {"read through": make(path, clip, False), "remembered": make(path, clip, True)}
        times = in_turn(readers, options.repeats)
        for name, seconds in times.items():
            rows.append(
                {
                    "what": what,
                    "the file's timestamps are": name,
                    "ms": 1e3 * statistics.median(seconds),
                    "ratio": ratio(times, name, "read through"),
                }
            )
    return rows


def in_turn(readers: dict[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Seconds that each reader reports, in turn, after one turn that does not count."""
    for read in readers.values():
        read()
    times: dict[str, list[float]] = {name: [] for name in readers}
    for name in turns(readers, repeats):
        times[name].append(readers[name]())
    return times


if __name__ == "__main__":
    main()
