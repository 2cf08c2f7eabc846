"""From the scores of views back to those of their video."""

import numpy as np

from keras_acl.video.views import ViewGrid


class ViewMeans:
    """The mean of each video's views, whatever their order.

    The scores of a video wait until all are there and are summed from the smallest up, in float64:
    no order or split of the work is seen in the result.

    Args:
        grid: Views of each video.
    """

    def __init__(self, grid: ViewGrid) -> None:
        self._views = len(grid)
        self._waiting: dict[int, list[np.ndarray]] = {}

    def add(self, video: int, scores: np.ndarray) -> np.ndarray | None:
        """Add the scores of one view, an array of any shape.

        Returns:
            The mean, float32, if this was the video's last view.
        """
        waiting = self._waiting.setdefault(video, [])
        waiting.append(scores)
        if len(waiting) < self._views:
            return None
        ascending = np.sort(self._waiting.pop(video), axis=0)  # (V, ...), each score by itself
        return ascending.mean(axis=0, dtype=np.float64).astype(np.float32)

    def drop(self, video: int) -> int:
        """Forget a video of which a view could not be read; returns how many views it had."""
        return len(self._waiting.pop(video, ()))
