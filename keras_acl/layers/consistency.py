"""The attention-consistency term of Eq. 2 and 3."""

import keras
from keras import ops

from keras_acl.layers.class_activation import ClassActivationMaps, at_largest_size

TEMPORAL = ("weighted", "mean", "random")
NORMALIZE = ("min_max", "l2", None)
CLASSES = ("labelled", "all")
STREAMS = ("spatial", "temporal", None)

# Keeps square roots and divisions finite, and their gradients too, on a constant map.
EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="keras_acl")
class AttentionConsistency(keras.layers.Layer):
    """How far the two streams' maps of each class are apart: ‖T^l − S^l‖₂ / (H·W) (Eq. 2, 3).

    The temporal map is T^l = Σ_t Σ_c W(l, c) F_{t,c} (Eq. 2). Summing over time first is the same
    and makes the maps of 400 classes thirty times cheaper.

    Eq. 3 as printed compares raw maps of all classes; it then punishes large logits and switches
    the network off. The defaults compare the shape of the labelled class's maps instead. The
    printed form is `AttentionConsistency(normalize=None, classes="all")`.

    Args:
        temporal: How frames become one map, the three ways of section 3.3: `"weighted"` (the sum,
            Eq. 2), `"mean"`, or `"random"` (one random frame of every clip).
        normalize: `"min_max"` maps each map to [0, 1] over (x, y), `"l2"` to unit norm, `None`
            leaves it as it is.
        classes: `"labelled"` or `"all"`: whose distances `AttentionConsistencyLoss` adds up.
        stop_gradient: `"spatial"` or `"temporal"`: the stream that is not pulled. `None` pulls
            both.
        seed: Seed of `temporal="random"`.
        dtype: float32 also under mixed precision.
        **kwargs: Name and the other arguments of every Keras layer.

    Call arguments:
        inputs: `(S, F, W)`: spatial maps, features of the temporal stream, its dense weights.

    Input shape:
        S `(batch, height, width, classes)`, F `(batch, time, height, width, channels)`,
        W `(channels, classes)`. Maps of different sizes are compared at the larger one.

    Output shape:
        `(batch, classes)`, float32, ≥ 0.

    Raises:
        ValueError: For an unknown option.

    Example:
        >>> distances = AttentionConsistency()((S, temporal_features, temporal_kernel))
    """

    def __init__(
        self,
        temporal: str = "weighted",
        normalize: str | None = "min_max",
        classes: str = "labelled",
        stop_gradient: str | None = None,
        seed: int | None = None,
        dtype="float32",
        **kwargs,
    ):
        super().__init__(dtype=dtype, **kwargs)
        for name, value, known in (
            ("temporal", temporal, TEMPORAL),
            ("normalize", normalize, NORMALIZE),
            ("classes", classes, CLASSES),
            ("stop_gradient", stop_gradient, STREAMS),
        ):
            if value not in known:
                raise ValueError(f"Expected `{name}` to be one of {known}. Received: {value!r}")
        self.temporal = temporal
        self.normalize = normalize
        self.classes = classes
        self.stop_gradient = stop_gradient
        self.seed = seed
        self.activation_maps = ClassActivationMaps(dtype=dtype)
        if temporal == "random":
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        """Nothing to create: the weights are the dense layer's."""
        self.built = True

    def call(self, inputs):
        """Return the distance of every class."""
        S, features, kernel = inputs
        T = self.activation_maps((self._over_time(features), kernel))  # (B, H, W, L)
        if tuple(S.shape[1:3]) != tuple(T.shape[1:3]):
            S, T = at_largest_size([S, T])
        if self.stop_gradient == "spatial":
            S = ops.stop_gradient(S)
        elif self.stop_gradient == "temporal":
            T = ops.stop_gradient(T)
        difference = normalize_maps(T, self.normalize) - normalize_maps(S, self.normalize)
        _, height, width, _ = ops.shape(difference)
        return _norm(difference, keepdims=False) / ops.cast(height * width, difference.dtype)

    def _over_time(self, features):
        """(B, T, H, W, C) -> (B, H, W, C)."""
        if self.temporal == "weighted":
            return ops.sum(features, axis=1)
        if self.temporal == "mean":
            return ops.mean(features, axis=1)
        batch, frames = ops.shape(features)[0], features.shape[1]
        scores = keras.random.uniform((batch, frames), seed=self.seed_generator)
        chosen = ops.one_hot(ops.argmax(scores, axis=1), frames, dtype=features.dtype)
        return ops.einsum("bt,bthwc->bhwc", chosen, features)

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "temporal": self.temporal,
            "normalize": self.normalize,
            "classes": self.classes,
            "stop_gradient": self.stop_gradient,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="keras_acl")
class AttentionConsistencyLoss(keras.losses.Loss):
    """ℓ_a of Eq. 3: the classes' distances of each clip, added up and averaged over the clips.

    Being a Keras loss it treats sample weights and replicas as every other loss does.

    Args:
        classes: `"labelled"`: only the labelled class counts (soft labels weigh several classes by
            their share); `"all"`: every class counts fully, as printed.
        **kwargs: Name, dtype and reduction of every Keras loss.

    Call arguments:
        y_true: Labels: whole numbers `(batch,)` or `(batch, 1)`, or weights `(batch, classes)`
            (one-hot, mixed up, multi-hot).
        y_pred: Distances `(batch, classes)` from `AttentionConsistency`.
    """

    def __init__(self, classes: str = "labelled", name="attention_consistency", **kwargs):
        super().__init__(name=name, **kwargs)
        if classes not in CLASSES:
            raise ValueError(f"Expected `classes` to be one of {CLASSES}. Received: {classes!r}")
        self.classes = classes

    def call(self, y_true, y_pred):
        """Return one value for each clip, (batch,)."""
        if self.classes == "all":
            return ops.sum(y_pred, axis=-1)
        return ops.sum(label_weights(y_true, y_pred.shape[-1]) * y_pred, axis=-1)

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "classes": self.classes}


def label_weights(labels, num_classes: int):
    """Labels in any of Keras' forms as float weights (batch, classes)."""
    labels = ops.convert_to_tensor(labels)
    if labels.ndim == 2 and labels.shape[-1] == num_classes and num_classes > 1:
        return ops.cast(labels, "float32")
    labels = ops.reshape(ops.cast(labels, "int32"), (-1,))
    return ops.one_hot(labels, num_classes, dtype="float32")


def normalize_maps(maps, kind: str | None):
    """Normalise maps (B, H, W, L) over (x, y): `"min_max"` to [0, 1], `"l2"` to unit norm."""
    if kind == "min_max":
        low = ops.min(maps, axis=(1, 2), keepdims=True)
        high = ops.max(maps, axis=(1, 2), keepdims=True)
        return (maps - low) / (high - low + EPSILON)
    if kind == "l2":
        return maps / _norm(maps, keepdims=True)
    return maps


def _norm(maps, keepdims: bool):
    return ops.sqrt(ops.sum(ops.square(maps), axis=(1, 2), keepdims=keepdims) + EPSILON**2)
