"""What a Keras model says of clips from one pass, by the names that exported files use."""

from keras_acl.models import SlowClassifier
from keras_acl.models.supervised_streams import SupervisedStreams


def named_outputs(model, clip) -> tuple[tuple, dict]:
    """Features of each stream, and what follows from them.

    Args:
        model: A classifier of this package.
        clip: (B, T, H, W, 3), values 0-255.

    Returns:
        Feature maps of the streams, (B, t, h, w, C) each; and `logits` (B, L), `features` (B, C),
        of a network of two streams `spatial_logits` and `temporal_logits` (B, L) as well.
    """
    features = model.features(clip)
    pooled = model.pool(*features)
    several_scales = isinstance(model, SlowClassifier) and len(model.scales) > 1
    logits = model(clip, training=False) if several_scales else model.classifier(pooled)
    found = {"logits": logits, "features": pooled}
    if isinstance(model, SupervisedStreams):
        found |= model.logits_alone(pooled)
    return features, found
