"""Optical flow: how long its methods take, and what its files take and lose.

On videos of 340 x 256 that it makes, or on a folder of yours, of each the first frames. The methods
take turns, on one thread; what is lost counts in levels, of which 6.4 are a pixel. Half a minute:

    python examples/benchmarks/optical_flow.py --videos FOLDER
"""

import argparse
import itertools
import tempfile
from pathlib import Path

from keras_acl.video import flow
from keras_acl.video.encode import upright_frames, video_writer
from keras_acl.video.files import find_videos

import av
import measuring
import numpy as np
from data_files import write_videos

LOSSLESS = flow.ENCODING | {"qp": "0"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, help="a folder of videos; synthetic ones by default")
    parser.add_argument("--count", type=int, default=4, help="videos that are read")
    parser.add_argument("--frames", type=int, default=40, help="of each; TV-L1 sees three")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        if options.videos is None:
            write_videos(Path(made), options.count, (2.0,))
        paths = find_videos(options.videos or made)[: options.count]
        videos = [gray_frames(path, options.frames) for path in paths]
        rows = [*times(videos, options.repeats), *files(videos, Path(made))]
    measuring.save("optical_flow", rows, options.output, videos=len(videos))


def gray_frames(path: str, count: int) -> list[np.ndarray]:
    """The first frames, gray, at the size at which flow is computed."""
    frames = itertools.islice(upright_frames(path, flow.SHORT_SIDE), count)
    return [np.ascontiguousarray(frame.to_ndarray(format="gray")) for frame, _ in frames]


def times(videos: list[list[np.ndarray]], repeats: int) -> list[dict]:
    """Milliseconds of a frame by each method."""
    flow.open_cv().setNumThreads(1)
    pairs = {
        "dis": [pair for frames in videos for pair in itertools.pairwise(frames)],
        "tvl1": [pair for frames in videos for pair in itertools.pairwise(frames[:3])],
    }

    def each(method: str):
        between = flow.flow_between(method)
        seconds = measuring.timed(lambda: [between(*pair) for pair in pairs[method]])
        return lambda: seconds() / len(pairs[method])

    taken = measuring.in_turn({method: each(method) for method in flow.METHODS}, repeats)
    return [
        {
            "what": method,
            "ms a frame": 1000 * float(np.median(taken[method])),
            "ratio": measuring.ratio(taken, "dis", method),
        }
        for method in flow.METHODS
    ]


def files(videos: list[list[np.ndarray]], folder: Path) -> list[dict]:
    """Size of a frame, and what it loses, by encoding."""
    between = flow.flow_between("dis")
    rows = []
    for what, options in {"lossless": LOSSLESS, "as kept": flow.ENCODING}.items():
        size, lost = 0, []
        for frames in videos:
            pictures = [flow.as_picture(between(*pair)) for pair in itertools.pairwise(frames)]
            file = folder / "flow.mp4"
            with video_writer(file, 30, options, rgb=True) as add:
                for picture in pictures:
                    add(picture)
            with av.open(str(file)) as container:
                kept = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            size += file.stat().st_size
            lost += [
                np.abs(one[..., :2] - two[..., :2].astype(float)).mean()
                for one, two in zip(kept, pictures, strict=True)
            ]
        rows.append(
            {
                "what": what,
                "kB a frame": size / len(lost) / 1000,
                "levels lost": float(np.mean(lost)),
            }
        )
    return rows


if __name__ == "__main__":
    main()
