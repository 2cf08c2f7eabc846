"""Maps of all classes of a Keras model's streams, compiled once for a model."""

import weakref
from typing import Any

from keras_acl.layers import ClassActivationMaps
from keras_acl.models import SlowClassifier
from keras_acl.models.compiled_call import CompiledCall


class StreamMaps(CompiledCall):
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
        activation_maps((model.places(stream), kernel))
        for stream, kernel in zip(features, model.class_weights, strict=True)
    ]
    if isinstance(model, SlowClassifier) and len(model.scales) > 1:
        logits = model(clips, training=False)  # they come from the other scales, too
    else:
        logits = model.classifier(model.pool(*features))
    return {**dict(zip(("spatial", "temporal"), maps, strict=False)), "logits": logits}


_compiled: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def compiled_for(model, size: tuple[int, int]) -> StreamMaps:
    """What was compiled for a model, kept as long as the model and its last size of frames."""
    found = _compiled.get(model)
    if found is None or found.size != size:
        found = _compiled[model] = StreamMaps(model, size)
    return found
