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
        inputs: `(features, kernel)`, features being a list with one tensor a scale.

    Input shape:
        M feature tensors `(batch, time, height_s, width_s, channels)` and dense weights
        `(channels, classes)`.

    Output shape:
        `(batch, height, width, classes)` of the largest scale, float32, any sign.

    Raises:
        ValueError: If the list of features is empty.

    Example:
        >>> S = SCAM()(([features, features_at_half_size], kernel))
    """

    def __init__(self, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.activation_maps = ClassActivationMaps(dtype=dtype)

    def build(self, input_shape):
        """Nothing to create: the weights are the dense layer's."""
        self.built = True

    def call(self, inputs):
        """Average the maps of all scales."""
        features, kernel = inputs
        if not features:
            raise ValueError("SCAM needs the features of at least one scale. Received: []")
        # Frames are averaged before the class weights are applied: CAM is linear.
        maps = [self.activation_maps((ops.mean(scale, axis=1), kernel)) for scale in features]
        height = max(scale.shape[1] for scale in maps)
        width = max(scale.shape[2] for scale in maps)
        maps = [resize_maps(scale, height, width) for scale in maps]  # each (B, H, W, L)
        return sum(maps) / len(maps)


def resize_maps(maps, height: int, width: int):
    """Resize maps (B, h, w, L) bilinearly to (B, height, width, L); same size, same tensor."""
    if tuple(maps.shape[1:3]) == (height, width):
        return maps
    return ops.image.resize(maps, (height, width), "bilinear", data_format="channels_last")
