"""Scores of a view: of the pooled features, or averaged over positions as PySlowFast does."""

import functools

import numpy as np
from keras import ops

from keras_acl.models import SlowClassifier
from keras_acl.models.compiled_call import CompiledCall, predict_padded
from keras_acl.models.supervised_streams import STREAMS, SupervisedStreams


class ViewScorer(CompiledCall):
    """A classifier as a function from clips to scores, under `predict_on_batch`.

    Of a network of two streams the scores of each alone come from the same pass.

    Args:
        model: A classifier of this package.
        fully_convolutional: Pool with the window of a training crop instead of the whole map,
            classify at each of its places and average their scores (PySlowFast's head when it
            tests; a 256 crop of a network trained at 224 has 2 x 2 places).

    Call arguments:
        clips: `(batch, T, height, width, 3)`, values 0-255.

    Output shape:
        `(batch, 1, L)`, float32, see `VideoClassifier.scores`; of a network of two streams
        `(batch, 3, L)`: both together, the spatial and the temporal stream alone.

    Raises:
        ValueError: If `fully_convolutional` is asked of a Slow network with several scales, whose
            logits are means of maps already.
    """

    def __init__(self, model, fully_convolutional: bool = False):
        if fully_convolutional and isinstance(model, SlowClassifier) and len(model.scales) > 1:
            raise ValueError(
                "A Slow network with several scales has no fully convolutional form: leave "
                f"`fully_convolutional` out. Received: scales={model.scales}"
            )
        scores = _mean_over_places if fully_convolutional else _scores
        super().__init__(functools.partial(scores, model), [model], name="view_scorer")
        self.model = model

    def score(self, views: np.ndarray, size: int) -> np.ndarray:
        """Scores of views, (B, 1 + streams, L), computed `size` at a time."""
        return predict_padded(self, views, size)


def _scores(model, clips):
    if isinstance(model, SupervisedStreams):
        return model.scores(_stacked(model.stream_logits(clips)))
    return model.scores(model(clips, training=False))[:, None]


def _mean_over_places(model, clips):
    size, trained = clips.shape[2], model.clip.size
    pooled = [
        pool_windows(model.before_pooling(features), map_side(trained, size, features.shape[2]))
        for features in model.features(clips)
    ]  # (B, places, places, C) each
    pooled = ops.concatenate(pooled, axis=-1)
    logits = {"logits": model.classifier(model.places(pooled))}
    if isinstance(model, SupervisedStreams):
        logits |= model.logits_alone(pooled)
    return ops.mean(model.scores(_stacked(logits)), axis=(1, 2))


def _stacked(logits: dict):
    """(..., L) of both and of each stream -> (..., 1 + streams, L)."""
    alone = [logits[f"{stream}_logits"] for stream in STREAMS if f"{stream}_logits" in logits]
    return ops.stack([logits["logits"], *alone], axis=-2)


def pool_windows(features, window: int):
    """Mean over all frames and each window: (B, t, h, w, C) -> (B, h-window+1, w-window+1, C)."""
    frames = ops.mean(ops.cast(features, "float32"), axis=1)
    return ops.average_pool(frames, window, 1, padding="valid", data_format="channels_last")


def map_side(side: int, other: int, other_map: int) -> int:
    """Side of the map of a crop of `side` pixels, given that `other` pixels give `other_map`.

    Every stride halves and rounds up.

    Raises:
        ValueError: If the crop is smaller than the one that the network was trained on.
    """
    if other < side:
        raise ValueError(
            "A fully convolutional head needs crops at least as large as in training. "
            f"Received: {other} pixels, trained with {side}"
        )
    while other > other_map:
        side, other = -(-side // 2), -(-other // 2)
    return side
