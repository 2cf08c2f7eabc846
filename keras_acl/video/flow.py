"""Optical flow, kept as a video beside the video: red is u, to the right, green is v, downwards.

A frame of flow says how each pixel moves up to the next frame that is shown: from -20 pixels, which
is 0, over none, which is 128, to 20, which is 255. TSN's and I3D's flow was clipped so, too;
theirs is a JPEG file for each frame and direction. A video is read as any other: by time, forward,
many at once.
"""

import contextlib
import dataclasses
import importlib
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from keras_acl.system.atomic_write import written_whole
from keras_acl.video.encode import upright_frames, video_writer, write_all
from keras_acl.video.files import is_url
from keras_acl.video.frame_table import probe
from keras_acl.video.read_ahead import read_ahead
from keras_acl.video.video import DecodingError, Video, VideoProblem, VideoSource, as_video

FOLDER = ".flow"  # hidden: what looks for videos does not find them a second time
SETTINGS = "settings.json"
BOUND = 20.0  # pixels, of TSN and I3D
SHORT_SIDE = 256  # pixels at which flow is computed, of TSN and I3D
SMALLEST = 12  # pixels of the shorter side; dis needs 8 x 12
METHODS = ("dis", "tvl1")
# A mean error of a hundredth of a pixel, at half of what lossless files take.
ENCODING = {"qp": "8", "preset": "veryfast", "g": "16"}
BLUE = 128


@dataclasses.dataclass(frozen=True)
class FlowReport:
    """What `compute_flow` did.

    Args:
        written: Number of files written by this call.
        finished: Number of files that existed already.
        problems: Videos that cannot be read, with the reason; they have no flow.
    """

    written: int
    finished: int
    problems: tuple[VideoProblem, ...]


def compute_flow(
    videos: Iterable[VideoSource],
    method: str | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> FlowReport:
    """Compute the optical flow of videos ahead of training; a second call resumes.

    The flow of `folder/NAME` is `folder/.flow/NAME.mp4`. What reads clips of flow computes what is
    missing by itself, each video when it is first read.

    Args:
        videos: Paths, or `Video`s, such as a `VideoList`.
        method: `"dis"`, dense inverse search (OpenCV's, its "medium" preset), or `"tvl1"`, what TSN
            and I3D were trained with, which takes some eighty times as long
            (`examples/benchmarks/optical_flow.py`). None: that of the flow
            beside a video, or dis.
        workers: Videos computed at a time. None: as many as CPU cores.
        progress: Called as `progress(done, total)` after each video, in the calling thread.

    Returns:
        A report of numbers, and of videos that cannot be read.

    Raises:
        DecodingError: If a video is no file.
        ImportError: If OpenCV is not installed.
        ValueError: If there is no video, the method is unknown, or flow beside a video was computed
            by another one.
        OSError: If a file cannot be written.
    """
    records = list({flow_file(video): video for video in map(as_video, videos)}.values())
    if not records:
        raise ValueError("There is no video to compute flow of. Received an empty list.")
    open_cv()
    folders = {flow_file(video).parent for video in records}
    method_of = {folder: _method(folder, method) for folder in folders}
    todo = [video for video in records if not _is_finished(video)]
    stop = threading.Event()  # an error or Ctrl-C ends what is being written, and leaves none of it
    problems: dict[int, VideoProblem] = {}

    def compute(video: Video) -> list[None]:
        return [write_flow(video, method_of[flow_file(video).parent], stop)]

    files = read_ahead(todo, compute, workers or os.cpu_count(), stop=stop)
    with contextlib.closing(files):
        for done, (place, result) in enumerate(files, len(records) - len(todo) + 1):
            if result is not None:
                problems[place] = VideoProblem(todo[place].path, result.reason)
            if progress is not None:
                progress(done, len(records))
    named = tuple(problems[place] for place in sorted(problems))
    return FlowReport(len(todo) - len(named), len(records) - len(todo), named)


def flow_of(source: VideoSource) -> Video:
    """The flow of a video as a video of the same label and part, computed if it is not there yet.

    Args:
        source: Path or `Video` of a file, or of a folder of pictures.

    Raises:
        DecodingError: If the video cannot be read, or is no file.
        ImportError: If it must be computed, and OpenCV is not installed.
        OSError: If it must be computed, and cannot be written.
    """
    video = as_video(source)
    if not _is_finished(video):
        write_flow(video, _method(flow_file(video).parent, None))
    return dataclasses.replace(video, path=str(flow_file(video)), fps=None)


def flow_file(video: Video) -> Path:
    """Where the flow of a video is kept.

    Raises:
        DecodingError: If the video is no file.
    """
    if video.content is not None or is_url(video.path):
        raise DecodingError(
            video.path, "optical flow is kept beside files: copy the video into a folder first"
        )
    path = Path(video.path)
    rate = "" if video.fps is None else f"@{video.fps:g}"  # of pictures, which state none
    return path.parent / FOLDER / f"{path.name}{rate}.mp4"


def write_flow(video: Video, method: str = "dis", stop: threading.Event | None = None) -> None:
    """Compute the flow of a video and write its file, whole or not at all.

    Args:
        video: The video; its start and end are ignored.
        method: `"dis"` or `"tvl1"`.
        stop: Event that ends the work when it is set.

    Raises:
        DecodingError: If the video cannot be read to its end.
        ImportError: If OpenCV is not installed.
        OSError: If the file cannot be written.
        StoppedError: If `stop` was set.
    """
    flow = flow_between(method)
    probe(video)  # raises if the file is cut short, or no frame of it can be decoded
    target = flow_file(video)
    _keep_method(target.parent, method)
    with (
        _room_for(target) as beside,
        contextlib.closing(upright_frames(video, SHORT_SIDE)) as frames,
    ):
        first, rate = next(frames)
        if min(first.width, first.height) < SMALLEST:
            raise DecodingError(
                video.path,
                f"of {first.width} x {first.height} pixels there is no optical flow; expected "
                f"{SMALLEST} a side",
            )
        shown = itertools.chain([first], (frame for frame, _ in frames))
        writer = video_writer(beside, rate, ENCODING, threads=1, rgb=True)
        write_all(_pictures(shown, flow), writer, beside, target, stop)


def as_picture(flow: np.ndarray) -> np.ndarray:
    """Flow in pixels, (H, W, 2), as uint8 RGB: u and v from -20 to 20 as 0 to 255, and no blue."""
    u_v = np.rint((np.clip(flow, -BOUND, BOUND) + BOUND) * (255 / (2 * BOUND))).astype(np.uint8)
    return np.concatenate([u_v, np.full_like(u_v[..., :1], BLUE)], axis=-1)


def _pictures(
    frames: Iterable[av.VideoFrame], flow: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Iterator[av.VideoFrame]:
    """The flow of each frame up to the next one; the last one has that before it, or none."""
    before, picture = None, None
    for frame in frames:
        gray = np.ascontiguousarray(frame.to_ndarray(format="gray"))
        if before is not None:
            picture = as_picture(flow(before[0], gray))
            yield _shown_as(picture, before[1])
        before = gray, frame
    if before is not None:
        still = as_picture(np.zeros((*before[0].shape, 2), np.float32))
        yield _shown_as(still if picture is None else picture, before[1])


def _shown_as(picture: np.ndarray, frame: av.VideoFrame) -> av.VideoFrame:
    """A picture that is shown when a frame is."""
    image = av.VideoFrame.from_ndarray(picture, format="rgb24")
    image.pts, image.time_base = frame.pts, frame.time_base
    return image


def flow_between(method: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function of two gray frames, uint8 (H, W), that gives pixels (H, W, 2), for one thread.

    Raises:
        ImportError: If OpenCV, or TV-L1 in it, is not installed.
    """
    cv2 = open_cv()
    if method == "dis":
        made = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    elif not hasattr(cv2, "optflow"):
        raise ImportError(
            "This OpenCV has no TV-L1, which opencv-contrib-python-headless has: pip uninstall "
            'opencv-python opencv-python-headless, then pip install "keras-acl[flow]"'
        )
    else:
        made = cv2.optflow.DualTVL1OpticalFlow_create()
    return lambda first, second: made.calc(first, second, None)


def open_cv() -> Any:
    """The module, which an extra installs.

    Raises:
        ImportError: If it is missing.
    """
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        raise ImportError(
            'Optical flow is computed by OpenCV: pip install "keras-acl[flow]"'
        ) from error


def _method(folder: Path, method: str | None) -> str:
    """The method of a folder of flow: that of the files in it, which others must not join."""
    if method is not None and method not in METHODS:
        raise ValueError(f"Expected a method of {', '.join(METHODS)}. Received: method={method!r}")
    file = folder / SETTINGS
    if not file.exists():
        return method or METHODS[0]
    try:
        before = json.loads(file.read_text(encoding="utf-8"))["method"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{file} is broken. Delete {folder}: it is computed again.") from error
    if method not in (None, before):
        raise ValueError(
            f"The flow in {folder} was computed by {before}. Received: method={method!r}. Use that "
            "one, or delete the folder."
        )
    return before


def _keep_method(folder: Path, method: str) -> None:
    if not (folder / SETTINGS).exists():
        with _room_for(folder / SETTINGS) as beside:
            beside.write_text(json.dumps({"method": method}), encoding="utf-8")


@contextlib.contextmanager
def _room_for(file: Path) -> Iterator[Path]:
    """As `written_whole`; where nothing can be written, in words that say what to do."""
    try:
        with written_whole(file) as beside:
            yield beside
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        reason = f"{error.strerror}: optical flow is kept beside the videos, copy them elsewhere"
        raise OSError(error.errno, reason, str(file)) from error


def _is_finished(video: Video) -> bool:
    target, source = flow_file(video), Path(video.path)
    return (
        target.is_file()
        and source.exists()
        and target.stat().st_mtime_ns >= source.stat().st_mtime_ns
    )
