"""Class activation maps and their multi-scale mean, SCAM (section 3.2)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_acl")
class ClassActivationMaps(keras.layers.Layer):
    """CAM^l(x, y) = Σ_c W(l, c) F_c(x, y) for every class l (section 3.2).

    The dense layer's weights, applied at every position instead of after pooling: the spatial
    mean of a class's map is its logit (without the bias).

    Call arguments:
        inputs: `(features, kernel)`.

    Input shape:
        Features F `(batch, ..., channels)` and dense weights W `(channels, classes)`.

    Output shape:
        `(batch, ..., classes)`, float32, any sign.

    Example:
        >>> maps = ClassActivationMaps()((features, model.classifier.kernel))
    """

    def __init__(self, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.built = True  # the weights are the dense layer's

    def call(self, inputs):
        """Weigh the channels of every position."""
        features, kernel = inputs
        return ops.matmul(features, ops.cast(kernel, features.dtype))

    def compute_output_shape(self, input_shape):
        """Channels become classes."""
        features, kernel = input_shape
        return (*features[:-1], kernel[-1])


@keras.saving.register_keras_serializable(package="keras_acl")
class SCAM(keras.layers.Layer):
    """Spatial class activation mapping: the mean of one clip's maps at M scales (Eq. 1).

        S^l = 1/M Σ_s T( Σ_c W(l, c) F_{c,s} )

    T(·) resizes (bilinear) to the largest of the M maps; the frames' maps are averaged.

    Call arguments:
        inputs: `(features, kernel)`, features being a list with one tensor for each scale.

    Input shape:
        M feature tensors `(batch, time, height_s, width_s, channels)` and dense weights
        `(channels, classes)`.

    Output shape:
        `(batch, height, width, classes)` of the largest scale, float32, any sign.

    Raises:
        ValueError: If the list of features is empty, or holds several of unknown size.

    Example:
        >>> S = SCAM()(([features, features_at_half_size], kernel))
    """

    def __init__(self, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.activation_maps = ClassActivationMaps(dtype=dtype)
        self.built = True  # the weights are the dense layer's

    def call(self, inputs):
        """Average the maps of all scales."""
        features, kernel = inputs
        if not features:
            raise ValueError("SCAM needs the features of at least one scale. Received: []")
        # Frames are averaged before the class weights are applied: CAM is linear.
        maps = [self.activation_maps((ops.mean(scale, axis=1), kernel)) for scale in features]
        return sum(at_largest_size(maps)) / len(maps)  # (B, H, W, L)


def at_largest_size(maps) -> list:
    """Resize maps (B, h, w, L) bilinearly to the largest height and width among them.

    Raises:
        ValueError: If there are several and a size is unknown.
    """
    if len(maps) == 1:
        return maps
    sizes = [known_size(scale) for scale in maps]
    largest = max(height for height, _ in sizes), max(width for _, width in sizes)
    return [
        scale if size == largest else resize(scale, largest)
        for scale, size in zip(maps, sizes, strict=True)
    ]


def known_size(images) -> tuple[int, int]:
    """Height and width of images (N, H, W, C) that are to be resized.

    Raises:
        ValueError: If TensorFlow does not know them when it builds the graph.
    """
    _, height, width, _ = images.shape
    if height is None or width is None:
        raise ValueError(
            "What is to be resized must have a height and a width that are known when the graph "
            f"is built. Received: shape={tuple(images.shape)}. Give batches of one size, or use "
            "one scale: scales=(1.0,)."
        )
    return height, width


def resize(images, size: tuple[int, int]):
    """Resize images (N, h, w, C) bilinearly to (N, *size, C)."""
    return ops.image.resize(images, size, "bilinear", data_format="channels_last")
