"""Views of many videos, decoded ahead by threads while the model computes."""

import queue
import threading
from collections import deque
from collections.abc import Generator, Sequence

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.data.decoding import DecodingError
from keras_acl.data.videos import Video
from keras_acl.evaluation.views import ViewGrid, iterate_views

AHEAD = 4  # views a thread may have ready


def views_ahead(
    videos: Sequence[Video], clip: ClipSpec, grid: ViewGrid, threads: int = 2
) -> Generator[tuple[int, np.ndarray | DecodingError], None, None]:
    """Yield every view of every video, in order; a video that breaks ends with its error.

    Each thread decodes one video and holds a few views, so the memory does not depend on how many
    views or videos there are. Close it (`contextlib.closing`) where the walk may stop early.

    Args:
        videos: What to read.
        clip: What the model eats.
        grid: Which views.
        threads: Videos decoded at a time.

    Yields:
        The place of the video in `videos`, with a view (T, size, size, 3) or a `DecodingError`.
    """
    stop = threading.Event()
    running: deque[tuple[int, queue.Queue]] = deque()
    started: list[threading.Thread] = []
    coming = iter(enumerate(videos))

    def start_one() -> None:
        for index, video in coming:
            ready: queue.Queue = queue.Queue(AHEAD)
            work = (video, clip, grid, ready, stop)
            started[:] = [thread for thread in started if thread.is_alive()]
            started.append(threading.Thread(target=_decode, args=work, daemon=True))
            started[-1].start()
            running.append((index, ready))
            return

    try:
        for _ in range(threads):
            start_one()
        while running:
            index, ready = running.popleft()
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException) and not isinstance(item, DecodingError):
                    raise item
                yield index, item
            start_one()
    finally:
        stop.set()
        for thread in started:
            thread.join()


def _decode(
    video: Video, clip: ClipSpec, grid: ViewGrid, ready: queue.Queue, stop: threading.Event
) -> None:
    """Put the views of one video into a queue, then None; an error takes the place of a view."""

    def put(item) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                pass
        return False

    try:
        for view in iterate_views(video, clip, grid):
            if not put(view):
                return
    except BaseException as error:  # handed to the thread that waits for the views
        put(error)
    finally:
        put(None)
