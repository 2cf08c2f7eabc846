"""How many training clips per second come out of video files, against other readers.

Makes 340 x 256 videos of 10 s at a bit rate as in Kinetics (or takes a folder), shrinks them with
each codec, and reads random 224 clips of 32 frames, span 64, as training does: from the files as
they are and from the shrunk ones, with a bare PyAV loop, tf.data around that loop, and Decord
beside it (where it is installed). Every turn reads `--clips` clips with each reader; the figures
are medians of the turns. Writes results/data.json, with the size and the PSNR of the shrunk files.

    python examples/benchmarks/data.py
    python examples/benchmarks/data.py --videos FOLDER
    python examples/benchmarks/data.py --readers "keras-acl, 2 threads"     that one alone
    python examples/benchmarks/data.py --long     a ten-minute file: a clip at its end, and 30 views
    python examples/benchmarks/data.py --seeking --videos FOLDER     whether seeking changes a pixel
"""

import argparse
import functools
import importlib.util
import statistics
import sys
import tempfile
from pathlib import Path

import measuring

# What brings Keras along is imported where it is used: worker processes import this file.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, help="a folder of videos; synthetic ones by default")
    parser.add_argument("--count", type=int, default=16, help="videos to make")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of those")
    parser.add_argument("--clips", type=int, default=96, help="clips a turn")
    parser.add_argument("--size", type=int, default=224, help="pixels of a clip")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2, help="0: threads only")
    parser.add_argument("--readers", nargs="+", help="only these, by name")
    parser.add_argument("--long", action="store_true", help="a long file instead")
    parser.add_argument("--seeking", action="store_true", help="check seeking instead")
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    options = parser.parse_args()
    kind = "" if options.videos is None else "_videos"
    kind += "" if options.readers is None else "_readers"
    with tempfile.TemporaryDirectory() as folder:
        if options.seeking:
            check_seeking(Path(folder), options)
        elif options.long:
            rows = measure_long(Path(folder), options)
            measuring.save(f"data_long{kind}", rows, options.output)
        else:
            rows, about = measure(Path(folder), options)
            measuring.save(f"data{kind}", rows, options.output, **about)


SHRUNK = {"shrunk": "mpeg4", "shrunk to h264": "h264"}


def prepare(folder: Path, options: argparse.Namespace) -> dict[str, Path]:
    """Folders of the videos: as they are, and shrunk with each codec."""
    from keras_acl.video.files import find_videos
    from keras_acl.video.shrink import shrink_videos

    from data_files import write_videos

    originals = folder / "videos"
    if options.videos is not None:
        originals = options.videos
    else:
        write_videos(originals, options.count, [options.seconds])
    folders = {"as they are": originals}
    for name, codec in SHRUNK.items():
        folders[name] = folder / codec
        try:
            report = shrink_videos(originals, folders[name], codec=codec)
        except (FileNotFoundError, ValueError) as error:  # no folder, or no video in it
            raise SystemExit(f"--videos: {error}") from error
    for problem in report.problems:
        print(f"left out: {problem.path}: {problem.reason}")
    if not find_videos(folders["shrunk"]):
        raise SystemExit(f"--videos: none of the files in {originals} can be read.")
    return folders


def measure(folder: Path, options: argparse.Namespace) -> tuple[list[dict], dict]:
    """Rows of clips a second, and what else is to be told."""
    from keras_acl.clip import ClipSpec
    from keras_acl.video.files import find_videos

    from data_files import mean_psnr
    from data_readers import PEER, Setting, make_readers

    folders = prepare(folder, options)
    originals, shrunk = folders["as they are"], folders["shrunk"]
    names = [Path(path).relative_to(shrunk) for path in find_videos(shrunk)]
    clip = ClipSpec(size=options.size)
    if not importlib.util.find_spec("decord"):
        print("Decord is not installed (it has no wheels for new Pythons): left out.")
    readers = {
        (files, name): reader
        for files, place in folders.items()
        for name, reader in make_readers(
            Setting([str(place / name) for name in names], clip, options.clips), options.processes
        ).items()
        if options.readers is None or name in options.readers
    }
    if not readers:
        raise SystemExit("--readers: there is no reader of these names.")
    times = measuring.in_turn(readers, options.repeats)
    rows = []
    for files, name in readers:
        row = {
            "files": files,
            "reader": name,
            "clips/s": 1 / statistics.median(times[files, name]),
        }
        peers = {"the bare loop": (files, PEER), "the files as they are": ("as they are", name)}
        for words, peer in peers.items():
            if peer in readers:
                row[f"ratio to {words}"] = measuring.ratio(times, (files, name), peer)
        rows.append(row)
    sizes = {
        files: sum((place / name).stat().st_size for name in names)
        for files, place in folders.items()
    }
    psnr = {
        files: mean_psnr([(originals / name, folders[files] / name) for name in names])
        for files in SHRUNK
    }
    for files in SHRUNK:
        print(
            f"{files}: {sizes['as they are'] / 1e6:.1f} -> {sizes[files] / 1e6:.1f} MB, "
            f"PSNR at 256 pixels {psnr[files]:.1f} dB"
        )
    return rows, {"bytes": sizes, "psnr_db": psnr}


def measure_long(folder: Path, options: argparse.Namespace) -> list[dict]:
    """Late clips and 30 views of one long file, with the table of its frames and without."""
    from keras_acl.clip import ClipSpec
    from keras_acl.video.files import find_videos

    from data_files import write_videos
    from data_readers import all_views, late_clip, memory_of

    if options.videos is None:
        write_videos(folder, 1, [600.0 if options.seconds == 10.0 else options.seconds])
    path = find_videos(options.videos or folder)[0]
    clip, rows = ClipSpec(size=options.size), []

    for what, read in (("a clip at the end", late_clip), ("10 x 3 views", all_views)):
        once = functools.partial(read, path, clip)
        readers = {"read through": memory_of(0)(once), "remembered": once}
        timed = {name: measuring.timed(reader) for name, reader in readers.items()}
        times = measuring.in_turn(timed, options.repeats)
        for name, seconds in times.items():
            rows.append(
                {
                    "what": what,
                    "the file's timestamps are": name,
                    "ms": 1e3 * statistics.median(seconds),
                    "ratio": measuring.ratio(times, name, "read through"),
                }
            )
    return rows


def check_seeking(folder: Path, options: argparse.Namespace) -> None:
    """Read random moments of every video by seeking and from the beginning.

    Raises:
        SystemExit: If one pixel differs.
    """
    from keras_acl.video.files import find_videos
    from keras_acl.video.video import DecodingError

    from data_files import write_videos
    from data_readers import differs_by_seeking

    if options.videos is None:
        write_videos(folder, options.count, [options.seconds])
    same, unread, different = 0, 0, []
    for path in find_videos(options.videos or folder):
        try:
            if differs_by_seeking(path):
                different.append(path)
            else:
                same += 1
        except DecodingError as error:
            print(f"not read: {error}")
            unread += 1
    print(f"{same} videos agree, {unread} cannot be read")
    if different or not same:
        sys.exit("\n".join(["These differ:", *different]) if different else "No video was read.")


if __name__ == "__main__":
    main()
