"""Class activation maps of a model's streams, at the size of the clip."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from keras_acl.engines.inference_model import InferenceModel, maps_in
from keras_acl.engines.scores import scores_of

if TYPE_CHECKING:
    import keras


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
    model: "keras.Model | InferenceModel",
    clips,
    classes=None,
    batch_size: int = 4,
    size: tuple[int, int] | None = None,
) -> AttentionMaps:
    """Compute where the streams look, upsampled (bilinear) to the clips' size.

    Each stream runs once. What is compiled for a model is kept as long as the model is, for one
    size of frames, so that only the first call is slow.

    Args:
        model: A classifier of this package, also one exported with its maps; a baseline's maps need
            no more than its dense layer.
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
        classes = _checked_classes(classes, len(clips), model.num_classes)
    if batch_size < 1 or not len(clips):
        raise ValueError(
            "Expected at least one clip, and one in a batch. Received: "
            f"{len(clips)} clips, batch_size={batch_size}"
        )
    compute = _function(model, clips.shape[2:4])
    batch_size = min(batch_size, len(clips))
    batches = []  # one after the other: the maps of all classes are many
    for first in range(0, len(clips), batch_size):
        part = slice(first, first + batch_size)
        chosen = None if classes is None else classes[part]
        spatial, temporal, logits = compute(clips[part], batch_size, chosen)
        shown = size or clips.shape[2:4]
        batches.append(
            (
                stretch(_upsample(spatial, shown)),
                None
                if temporal is None
                else _of_every_frame(stretch(_upsample(temporal, shown)), clips.shape[1]),
                logits.argmax(axis=-1) if chosen is None else chosen,
                scores_of(logits, model.multi_label),
            )
        )
    spatial, temporal, chosen, scores = zip(*batches, strict=True)
    return AttentionMaps(
        spatial=np.concatenate(spatial),
        temporal=None if temporal[0] is None else np.concatenate(temporal),
        classes=np.concatenate(chosen),
        scores=np.concatenate(scores),
    )


def _checked_classes(classes, clips: int, num_classes: int) -> np.ndarray:
    classes = np.asarray(classes).reshape(-1)
    if len(classes) != clips or classes.min() < 0 or classes.max() >= num_classes:
        raise ValueError(
            f"Expected one class from 0 to {num_classes - 1} for each of {clips} clips. "
            f"Received: classes={classes.tolist()}"
        )
    return classes


def stretch(maps: np.ndarray) -> np.ndarray:
    """Bring each clip's maps, (B, ...), to [0, 1]; a constant map becomes 0."""
    axes = tuple(range(1, maps.ndim))
    low, high = maps.min(axis=axes, keepdims=True), maps.max(axis=axes, keepdims=True)
    return (maps - low) / np.maximum(high - low, 1e-12)


def _function(model, size: tuple[int, int]) -> Callable[..., tuple]:
    """What computes maps of a batch: (clips, batch size, classes) -> spatial, temporal, logits."""
    if isinstance(model, InferenceModel):

        def run(clips, batch_size, classes):
            outputs = model.outputs_of(clips, batch_size)
            return *maps_in(outputs, classes), outputs["logits"]

        return run
    from keras_acl.attention.stream_maps import compiled_for
    from keras_acl.models.compiled_call import predict_padded

    compiled = compiled_for(model, size)

    def compute(clips, batch_size, classes):
        outputs = predict_padded(compiled, clips, batch_size)
        chosen = outputs["logits"].argmax(axis=-1) if classes is None else classes
        streams = [_of_class(outputs[n], chosen) for n in ("spatial", "temporal") if n in outputs]
        temporal = streams[1] if len(streams) > 1 else None
        return streams[0].mean(axis=1), temporal, outputs["logits"]

    return compute


def _of_class(maps: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(B, t, h, w, L) -> (B, t, h, w)."""
    return np.take_along_axis(maps, classes[:, None, None, None, None], axis=-1)[..., 0]


def _of_every_frame(maps: np.ndarray, frames: int) -> np.ndarray:
    """(B, t, H, W) -> (B, T, H, W), as a network that strides in time has a map for several."""
    return maps[:, np.arange(frames) * maps.shape[1] // frames]


def _upsample(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(B, ..., h, w) -> (B, ..., H, W), bilinear, as `keras.ops.image.resize` does."""
    rows, columns = (
        _interpolation(old, new) for old, new in zip(maps.shape[-2:], size, strict=True)
    )
    return np.einsum("Hh,...hw,Ww->...HW", rows, maps, columns, optimize=True)


def _interpolation(old: int, new: int) -> np.ndarray:
    """Weights (new, old) of linear interpolation between the centres of `old` pixels."""
    places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(1 - np.abs(places[:, None] - np.arange(old)), 0).astype(np.float32)
