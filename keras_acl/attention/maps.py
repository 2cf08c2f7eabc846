"""Class activation maps of a model's streams, at the size of the clip."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_acl.layers import ClassActivationMaps


@dataclasses.dataclass(frozen=True)
class AttentionMaps:
    """Where both streams look for one class of each clip.

    Args:
        spatial: (B, H, W) float32 in [0, 1]: the spatial stream's map at the clip's own scale (the
            first of SCAM's), the mean over its frames.
            Each map is stretched so that its weakest place is 0 and its strongest 1.
        temporal: (B, T, H, W) float32 in [0, 1]: the temporal stream's map of every frame,
            stretched over the whole clip; `None` for a model without a temporal stream.
        classes: (B,) the class of each map.
        scores: (B, L) softmax of the logits.
    """

    spatial: np.ndarray
    temporal: np.ndarray | None
    classes: np.ndarray
    scores: np.ndarray


def attention_maps(model: keras.Model, clips, classes=None, batch_size: int = 4) -> AttentionMaps:
    """Compute where the streams look, upsampled (bilinear) to the clips' size.

    Args:
        model: A classifier of this package; a baseline's maps need no more than its dense layer.
        clips: (B, T, H, W, 3), values 0-255.
        classes: Whose maps, (B,); the predicted classes by default.
        batch_size: Clips computed at once.

    Returns:
        An `AttentionMaps`.

    Raises:
        ValueError: If the clips do not fit the model, or a class is out of range.
    """
    clips = np.asarray(clips)
    model.check_clip(clips)
    if classes is not None:
        classes = np.asarray(classes).reshape(-1)
        if len(classes) != len(clips) or classes.min() < 0 or classes.max() >= model.num_classes:
            raise ValueError(
                f"Expected one class from 0 to {model.num_classes - 1} for each of {len(clips)} "
                f"clips. Received: classes={classes.tolist()}"
            )
    outputs = _StreamMaps(model).predict(clips, batch_size=batch_size, verbose=0)
    if classes is None:
        classes = outputs["scores"].argmax(axis=-1)
    streams = [
        _upsample(_of_class(outputs[name], classes), clips.shape[2:4])
        for name in ("spatial", "temporal")
        if name in outputs
    ]
    return AttentionMaps(
        spatial=_stretch(streams[0].mean(axis=1)),
        temporal=_stretch(streams[1]) if len(streams) > 1 else None,
        classes=np.asarray(classes),
        scores=outputs["scores"],
    )


class _StreamMaps(keras.Model):
    """Maps of all classes, (B, t, h, w, L) a stream, under `predict`, which compiles everywhere."""

    def __init__(self, model):
        super().__init__(name="stream_maps")
        self.model = model
        self.activation_maps = ClassActivationMaps()

    def call(self, clips):
        features = self.model.features(clips)
        maps = [
            self.activation_maps((stream, kernel))
            for stream, kernel in zip(features, self.model.class_weights, strict=True)
        ]
        scores = ops.softmax(self.model(clips, training=False))
        return {**dict(zip(("spatial", "temporal"), maps, strict=False)), "scores": scores}


def _of_class(maps: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(B, t, h, w, L) -> (B, t, h, w)."""
    return np.take_along_axis(maps, classes[:, None, None, None, None], axis=-1)[..., 0]


def _upsample(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(B, t, h, w) -> (B, t, H, W)."""
    batch, frames, height, width = maps.shape
    maps = maps.reshape(-1, height, width, 1)  # (B·t, h, w, 1)
    maps = ops.image.resize(maps, size, "bilinear", data_format="channels_last")
    return ops.convert_to_numpy(maps).reshape(batch, frames, *size)


def _stretch(maps: np.ndarray) -> np.ndarray:
    """Bring each clip's maps to [0, 1]; a constant map becomes 0."""
    axes = tuple(range(1, maps.ndim))
    low, high = maps.min(axis=axes, keepdims=True), maps.max(axis=axes, keepdims=True)
    return (maps - low) / np.maximum(high - low, 1e-12)
