"""Views of many videos, decoded ahead by threads while the model computes."""

import queue
import threading
from collections.abc import Generator, Iterator, Sequence

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.evaluation.views import ViewGrid, iterate_views
from keras_acl.video.video import DecodingError, Video

AHEAD = 4  # views ready for each thread
Item = tuple[int, np.ndarray | DecodingError]


def views_ahead(
    videos: Sequence[Video], clip: ClipSpec, grid: ViewGrid, threads: int = 2
) -> Generator[Item, None, None]:
    """Yield every view of every video as it is decoded; a video that breaks ends with its error.

    Each thread decodes one video at a time, all of them into one bounded queue, so the memory does
    not depend on how many views or videos there are. The views of a video come in order, with those
    of others between them. Close it (`contextlib.closing`) where the walk may stop early.

    Args:
        videos: What to read.
        clip: What the model eats.
        grid: Which views.
        threads: Videos decoded at a time.

    Yields:
        The place of the video in `videos`, with a view (T, size, size, 3) or a `DecodingError`.
    """
    stop = threading.Event()
    ready: queue.Queue = queue.Queue(AHEAD * threads)
    todo: queue.SimpleQueue = queue.SimpleQueue()
    for work in enumerate(videos):
        todo.put(work)

    def put(item) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                pass

    def decode() -> None:
        try:
            for item in _views(todo, clip, grid):
                put(item)
                if stop.is_set():
                    return
        except BaseException as error:  # handed to the thread that waits for the views
            put(error)
        finally:
            put(None)

    started = [threading.Thread(target=decode, daemon=True) for _ in range(threads)]
    for thread in started:
        thread.start()
    try:
        running = threads
        while running:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                running -= 1
            else:
                yield item
    finally:
        stop.set()
        for thread in started:
            thread.join()


def _views(todo: queue.SimpleQueue, clip: ClipSpec, grid: ViewGrid) -> Iterator[Item]:
    """The views of the videos that this thread gets hold of."""
    while True:
        try:
            place, video = todo.get_nowait()
        except queue.Empty:
            return
        try:
            for view in iterate_views(video, clip, grid):
                yield place, view
        except DecodingError as error:
            yield place, error
