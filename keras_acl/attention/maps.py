"""Class activation maps of a model's streams, at the size of the clip."""

import dataclasses
import weakref
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_acl.layers import ClassActivationMaps
from keras_acl.models import SlowClassifier
from keras_acl.models.compiled_call import CompiledCall, predict_padded


@dataclasses.dataclass(frozen=True)
class AttentionMaps:
    """Where both streams look for one class of each clip.

    Args:
        spatial: (B, H, W) float32, the spatial stream's map at the clip's own scale (the first of
            SCAM's), averaged over its frames. Each map is stretched to [0, 1]: its weakest place is
            0, its strongest 1.
        temporal: (B, T, H, W) float32, the temporal stream's map of every frame, stretched to
            [0, 1] over the whole clip; `None` for a model without a temporal stream.
        classes: (B,) class of each map.
        scores: (B, L) of the logits, see `VideoClassifier.scores`.
    """

    spatial: np.ndarray
    temporal: np.ndarray | None
    classes: np.ndarray
    scores: np.ndarray


def attention_maps(
    model: keras.Model,
    clips,
    classes=None,
    batch_size: int = 4,
    size: tuple[int, int] | None = None,
) -> AttentionMaps:
    """Compute where the streams look, upsampled (bilinear) to the clips' size.

    Each stream runs once. What is compiled for a model is kept as long as the model is, for one
    size of frames, so that only the first call is slow.

    Args:
        model: A classifier of this package; a baseline's maps need no more than its dense layer.
        clips: (B, T, H, W, 3), values 0-255.
        classes: (B,) classes whose maps are computed, by default the predicted ones.
        batch_size: Clips computed at once.
        size: Height and width of the maps, by default those of the clips.

    Returns:
        An `AttentionMaps`.

    Raises:
        ValueError: If the clips do not fit the model, there is none, or a class is out of range.
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
    if batch_size < 1 or not len(clips):
        raise ValueError(
            "Expected at least one clip, and one in a batch. Received: "
            f"{len(clips)} clips, batch_size={batch_size}"
        )
    compiled = _compiled_for(model, clips.shape[2:4])
    batch_size = min(batch_size, len(clips))
    batches = []  # one after the other: the maps of all classes are many
    for first in range(0, len(clips), batch_size):
        part = slice(first, first + batch_size)
        outputs = predict_padded(compiled, clips[part], batch_size)
        chosen = None if classes is None else classes[part]
        batches.append(_maps_of_class(model, outputs, chosen, size or clips.shape[2:4]))
    spatial, temporal, chosen, scores = zip(*batches, strict=True)
    return AttentionMaps(
        spatial=np.concatenate(spatial),
        temporal=None if temporal[0] is None else np.concatenate(temporal),
        classes=np.concatenate(chosen),
        scores=np.concatenate(scores),
    )


def stretch(maps: np.ndarray) -> np.ndarray:
    """Bring each clip's maps, (B, ...), to [0, 1]; a constant map becomes 0."""
    axes = tuple(range(1, maps.ndim))
    low, high = maps.min(axis=axes, keepdims=True), maps.max(axis=axes, keepdims=True)
    return (maps - low) / np.maximum(high - low, 1e-12)


class _StreamMaps(CompiledCall):
    """Maps of all classes, (B, t, h, w, L) of each stream, and logits, in one pass of each.

    It holds the classifier's layers, not the classifier, which can thus be freed while this one is
    kept for it.
    """

    def __init__(self, model, size: tuple[int, int]):
        reference = weakref.ref(model)
        super().__init__(lambda clips: _stream_maps(reference(), clips), model.layers)
        self.size = size


def _stream_maps(model: Any, clips) -> dict:
    features, activation_maps = model.features(clips), ClassActivationMaps()
    maps = [
        activation_maps((stream, kernel))
        for stream, kernel in zip(features, model.class_weights, strict=True)
    ]
    if isinstance(model, SlowClassifier) and len(model.scales) > 1:
        logits = model(clips, training=False)  # they come from the other scales, too
    else:
        logits = model.classifier(model.pool(*features))
    return {**dict(zip(("spatial", "temporal"), maps, strict=False)), "logits": logits}


_compiled: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def _compiled_for(model, size: tuple[int, int]) -> _StreamMaps:
    """What was compiled for a model, kept as long as the model and its last size of frames."""
    found = _compiled.get(model)
    if found is None or found.size != size:
        found = _compiled[model] = _StreamMaps(model, size)
    return found


def _maps_of_class(model, outputs: dict[str, np.ndarray], classes, size: tuple[int, int]) -> tuple:
    """The fields of `AttentionMaps`, in their order, of what `_stream_maps` returned."""
    scores = ops.convert_to_numpy(model.scores(outputs["logits"]))
    if classes is None:
        classes = scores.argmax(axis=-1)
    streams = [
        _upsample(_of_class(outputs[name], classes), size)
        for name in ("spatial", "temporal")
        if name in outputs
    ]
    temporal = stretch(streams[1]) if len(streams) > 1 else None
    return stretch(streams[0].mean(axis=1)), temporal, classes, scores


def _of_class(maps: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(B, t, h, w, L) -> (B, t, h, w)."""
    return np.take_along_axis(maps, classes[:, None, None, None, None], axis=-1)[..., 0]


def _upsample(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(B, t, h, w) -> (B, t, H, W)."""
    batch, frames, height, width = maps.shape
    maps = maps.reshape(-1, height, width, 1)  # (B·t, h, w, 1)
    maps = ops.image.resize(maps, size, "bilinear", data_format="channels_last")
    return ops.convert_to_numpy(maps).reshape(batch, frames, *size)
