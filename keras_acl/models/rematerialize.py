"""Training with less memory: a block's inner values are computed again for its gradient."""

import re
import weakref
from itertools import pairwise

import keras
from keras import ops

from keras_acl.layers.normalization import (
    are_running_statistics_kept,
    running_statistics_kept,
)
from keras_acl.system.keras_internals import first_output

# A stream is cut behind these layers; what lies between two of them is computed twice.
ENDS = re.compile(
    r"(stem_)?pool\d?(_3x3_s2)?|res\d_\d+_out|mixed\d\w_out|inception_\d\w_output|res\d[ab]_add"
)


def rematerialized(stream: keras.Model, frames, batch_statistics: bool = True):
    """Run a stream in training, keeping only what goes from block to block.

    Values and gradients equal those of `stream(frames, training=batch_statistics)`, and batch
    statistics move once.

    Args:
        stream: Stream that `resnet_stream` built.
        frames: (B, T, H, W, 3), normalised.
        batch_statistics: Whether batch normalisation uses the batch's statistics, or the running
            ones.

    Returns:
        Features of the stream.
    """
    x = frames
    for segment in _segments(stream):
        x = _run(segment, x, batch_statistics)
    return x


def _run(segment: keras.Model, x, batch_statistics: bool):
    """A segment as a pure function of its weights, its statistics and its input."""
    kept = are_running_statistics_kept()  # now; the second time comes when that is over

    def pure(weights, statistics, x):
        with running_statistics_kept(kept):
            y, moved = segment.stateless_call(weights, statistics, x, training=batch_statistics)
        return y, [ops.stop_gradient(value) for value in moved]

    weights = [variable.value for variable in segment.trainable_variables]
    statistics = [variable.value for variable in segment.non_trainable_variables]
    y, moved = keras.remat(pure)(weights, statistics, x)
    for variable, value in zip(segment.non_trainable_variables, moved, strict=True):
        variable.assign(value)
    return y


_known: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def _segments(stream: keras.Model) -> list[keras.Model]:
    """The stream cut into models that share its layers."""
    if stream not in _known:
        ends = [layer for layer in stream.layers if ENDS.fullmatch(layer.name)]
        tensors = [stream.inputs[0], *map(first_output, ends)]
        if tensors[-1] is not stream.outputs[0]:
            tensors.append(stream.outputs[0])
        _known[stream] = [keras.Model(start, end) for start, end in pairwise(tensors)]
    return _known[stream]
