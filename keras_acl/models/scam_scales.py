"""The M input scales of SCAM: their features, from one stream."""

from collections.abc import Callable, Sequence

from keras import ops

from keras_acl.layers.class_activation import known_size, resize
from keras_acl.layers.normalization import running_statistics_kept
from keras_acl.models.classifier_options import is_number


def check_scales(scales: Sequence[float]) -> tuple[float, ...]:
    """Return the scales as a tuple.

    Raises:
        ValueError: If they do not start with 1.0, or one is outside (0, 1].
    """
    numbers = isinstance(scales, Sequence) and all(map(is_number, scales))
    if not numbers or not scales or scales[0] != 1.0 or not all(0 < scale <= 1 for scale in scales):
        raise ValueError(
            f"Expected `scales` to start with 1.0 and to lie in (0, 1]. Received: {scales!r}"
        )
    return tuple(scales)


def features_at_scales(stream: Callable, frames, features, scales: Sequence[float]) -> list:
    """Features of one stream at every scale of its input.

    The first scale alone moves and defines the running statistics of batch normalisation.

    Args:
        stream: From frames `(B, T, H, W, 3)` to features.
        frames: Its input at scale 1.
        features: Its output at scale 1, already computed.
        scales: See `check_scales`.

    Returns:
        M tensors `(B, T, h, w, C)`, the first being `features`.
    """
    with running_statistics_kept():
        return [features, *(stream(resize_frames(frames, scale)) for scale in scales[1:])]


def resize_frames(frames, scale: float):
    """Resize frames (B, T, H, W, C) by a factor in space, bilinearly; sizes are rounded.

    Raises:
        ValueError: If the height or width is unknown.
    """
    _, count, *shape = ops.shape(frames)
    folded = ops.reshape(frames, (-1, *shape))  # (B·T, H, W, C)
    height, width = known_size(folded)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return ops.reshape(resize(folded, size), (-1, count, *size, shape[-1]))
