"""Whether seeking gives the frames that decoding from the beginning gives, on any folder.

Draws moments of every video and reads them both ways: with its key frames and timestamps known,
and with nothing remembered. Ends with an error if one pixel differs.

    python examples/benchmarks/check_seeking.py FOLDER
"""

import argparse
import sys
from pathlib import Path

from keras_acl.data import probe, read_frames
from keras_acl.video.files import find_videos
from keras_acl.video.video import DecodingError

import numpy as np
from data_readers import memory_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=20, help="sets of moments a video")
    options = parser.parse_args()
    same, unread, different = 0, 0, []
    for path in find_videos(options.folder):
        try:
            seconds = probe(path).seconds
        except DecodingError as error:
            print(f"not read: {error}")
            unread += 1
            continue
        if agrees(path, seconds, options.draws):
            same += 1
        else:
            different.append(path)
    print(f"{same} videos agree in {options.draws} draws each, {unread} cannot be read")
    if different or not same:
        sys.exit("\n".join(["These differ:", *different]) if different else "No video was read.")


def agrees(path: str, seconds: float, draws: int) -> bool:
    """Whether both ways give the same frames, or the same problem, at every draw."""
    rng = np.random.default_rng(0)
    for _ in range(draws):
        first, last = np.sort(rng.uniform(0, seconds, 2))
        times = np.linspace(first, last, rng.integers(1, 9))
        if not same(read(path, times), read_through(path, times)):
            return False
    return True


def read(path: str, times: np.ndarray) -> np.ndarray | str:
    """Frames, or why there are none."""
    try:
        return read_frames(path, times)
    except DecodingError as error:
        return error.reason


def read_through(path: str, times: np.ndarray) -> np.ndarray | str:
    """The same with nothing remembered: all frames up to the last are decoded."""
    with memory_of(0):
        return read(path, times)


def same(one: np.ndarray | str, other: np.ndarray | str) -> bool:
    """Whether two are the same frames or the same problem."""
    return type(one) is type(other) and np.array_equal(one, other)


if __name__ == "__main__":
    main()
