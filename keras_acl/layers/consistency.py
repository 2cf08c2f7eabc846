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
# Contrast in logits from which a map is compared at full weight.
MINIMUM_CONTRAST = 0.1
# The same as a share of the map's largest value: what is below is rounding (bfloat16: 2⁻⁸).
MINIMUM_SHARE = 0.01


@keras.saving.register_keras_serializable(package="keras_acl")
class AttentionConsistency(keras.layers.Layer):
    """How far the two streams' maps of each class are apart: ‖T^l − S^l‖₂ / (H·W) (Eq. 2, 3).

    The temporal map is T^l = Σ_t Σ_c W(l, c) F_{t,c} (Eq. 2). Summing over time first is the same
    and makes the maps of 400 classes thirty times cheaper.

    Eq. 3 as printed compares raw maps of all classes; it then punishes large logits and switches
    the network off. The defaults compare the shape of the labelled class's maps instead. The
    printed form is `AttentionConsistency(normalize=None, classes="all")`.

    A map without contrast looks nowhere, so it contributes nothing. Normalised maps are divided by
    their contrast, but never by less than `minimum_contrast`, and where one of the two has less,
    the distance counts by that share (of which no gradient is taken). So the norm of the gradient
    with respect to a map, in logits, is at most (1 + 2.5 √(H·W)) / `minimum_contrast` / (H·W),
    however small the dense weights are. Maps with more contrast than that are compared as if there
    were no such minimum.

    Args:
        temporal: How frames become one map, the three ways of section 3.3: `"weighted"` (the sum,
            Eq. 2), `"mean"`, or `"random"` (one random frame of every clip).
        normalize: `"min_max"` maps each map to [0, 1] over (x, y), `"l2"` to unit norm, `None`
            leaves it as it is.
        classes: `"labelled"` or `"all"`: whose distances `AttentionConsistencyLoss` adds up.
        stop_gradient: `"spatial"` or `"temporal"`: the stream that is not pulled. `None` pulls
            both.
        seed: Seed of `temporal="random"`.
        minimum_contrast: Contrast, in logits, from which a normalised map counts fully: its range
            over (x, y) with `"min_max"`, its root mean square with `"l2"`. At least one hundredth
            of the map's largest magnitude. 0 for neither: then a map without contrast has a
            gradient of up to 1e6, and training may explode.
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
        ValueError: For an unknown option or a negative contrast.

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
        minimum_contrast: float = MINIMUM_CONTRAST,
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
        if minimum_contrast < 0:
            raise ValueError(
                f"Expected `minimum_contrast` to be 0 or more. Received: {minimum_contrast}"
            )
        self.temporal = temporal
        self.normalize = normalize
        self.classes = classes
        self.stop_gradient = stop_gradient
        self.seed = seed
        self.minimum_contrast = minimum_contrast
        self.activation_maps = ClassActivationMaps(dtype=dtype)
        if temporal == "random":
            self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True  # the weights are the dense layer's

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
        T, share_of_T = normalize_maps(T, self.normalize, self.minimum_contrast)
        S, share_of_S = normalize_maps(S, self.normalize, self.minimum_contrast)
        _, height, width, _ = ops.shape(T)
        distance = _norm(T - S) / ops.cast(height * width, T.dtype)
        return share_of_T * share_of_S * distance

    def _over_time(self, features):
        """(B, T, H, W, C) -> (B, H, W, C)."""
        if self.temporal == "weighted" and self.normalize is None:
            return ops.sum(features, axis=1)
        # Normalised, sum and mean are the same map; the mean's contrast is in logits.
        if self.temporal in ("weighted", "mean"):
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
            "minimum_contrast": self.minimum_contrast,
        }


@keras.saving.register_keras_serializable(package="keras_acl")
class AttentionConsistencyLoss(keras.losses.Loss):
    """ℓ_a of Eq. 3: the classes' distances of each clip, added up and averaged over the clips.

    Being a Keras loss it treats sample weights and replicas as every other loss does.

    Args:
        classes: `"labelled"`: the labelled class counts, of several the mean (soft labels weigh
            them by their share), so that λ means the same however many labels a clip has, and a
            clip with many does not pull harder; `"all"`: every class counts fully, as printed.
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
        weights = label_weights(y_true, y_pred.shape[-1])
        # At least 1: a clip without a label has no distance, and a share stays a share.
        labels = ops.maximum(ops.sum(weights, axis=-1), 1.0)
        return ops.sum(weights * y_pred, axis=-1) / labels

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


def normalize_maps(maps, kind: str | None, minimum_contrast: float = MINIMUM_CONTRAST) -> tuple:
    """Normalise maps (B, H, W, L) over (x, y), as far as they have contrast.

    Args:
        maps: Maps of any sign.
        kind: `"min_max"` to [0, 1], `"l2"` to unit norm, `None` to leave them as they are.
        minimum_contrast: See `AttentionConsistency`.

    Returns:
        The maps, and how far each counts: (B, L) in [0, 1], without a gradient; 1 for `None`.
    """
    if kind is None:
        return maps, 1.0
    low = ops.min(maps, axis=(1, 2), keepdims=True)
    high = ops.max(maps, axis=(1, 2), keepdims=True)
    least = ops.zeros_like(low)
    if minimum_contrast > 0:
        size = ops.stop_gradient(ops.maximum(ops.abs(low), ops.abs(high)))
        least = ops.maximum(MINIMUM_SHARE * size, minimum_contrast)
    if kind == "l2":
        low = ops.zeros_like(low)
        contrast = _norm(maps, keepdims=True)
        _, height, width, _ = ops.shape(maps)
        least = least * ops.sqrt(ops.cast(height * width, maps.dtype))  # of a norm, not of a mean
    else:
        contrast = high - low + EPSILON
    normalized = (maps - low) / ops.maximum(contrast, least)
    share = contrast / ops.maximum(contrast, least)
    return normalized, ops.stop_gradient(ops.squeeze(share, axis=(1, 2)))


def _norm(maps, keepdims: bool = False):
    return ops.sqrt(ops.sum(ops.square(maps), axis=(1, 2), keepdims=keepdims) + EPSILON**2)
