"""Softmax of a view: of the pooled features, or averaged over positions as PySlowFast does."""

import keras
from keras import ops

from keras_acl.models import SlowClassifier
from keras_acl.system.devices import compile_with_xla


class ViewScorer(keras.Model):
    """A classifier as a function from clips to softmax, under `predict` of every backend.

    Args:
        model: A classifier of this package.
        fully_convolutional: Pool with the window of a training crop instead of the whole map,
            classify at each of its places and average their softmax (PySlowFast's head when it
            tests; a 256 crop of a network trained at 224 has 2 x 2 places).

    Call arguments:
        clips: `(batch, T, height, width, 3)`, values 0-255.

    Output shape:
        `(batch, L)`, float32, each row adding up to 1.

    Raises:
        ValueError: If `fully_convolutional` is asked of a Slow network with several scales, whose
            logits are means of maps already.
    """

    def __init__(self, model, fully_convolutional: bool = False):
        super().__init__(name="view_scorer")
        self.model = model
        self.fully_convolutional = fully_convolutional
        if fully_convolutional and isinstance(model, SlowClassifier) and len(model.scales) > 1:
            raise ValueError(
                "A Slow network with several scales has no fully convolutional form: leave "
                f"`fully_convolutional` out. Received: scales={model.scales}"
            )
        self.compile(jit_compile=compile_with_xla())

    def call(self, clips):
        """Return the softmax."""
        if not self.fully_convolutional:
            return ops.softmax(self.model(clips, training=False))
        size, trained = clips.shape[2], self.model.clip.size
        pooled = [
            pool_windows(features, map_side(trained, size, features.shape[2]))
            for features in self.model.features(clips)
        ]  # (B, places, places, C) each
        logits = self.model.classifier(ops.concatenate(pooled, axis=-1))
        return ops.mean(ops.softmax(logits), axis=(1, 2))


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
