"""S3D: I3D with separable convolutions."""

from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import PaddedMaxPooling3D, conv_norm
from keras_acl.layers.residual import ConvolutionOptions, Size
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.inception3d import InceptionClassifier
from keras_acl.models.resnet3d import with_torchvision_colours


@keras.saving.register_keras_serializable(package="keras_acl")
class S3DClassifier(InceptionClassifier):
    """S3D: I3D with every k×k×k convolution split into 1×k×k and k×1×1.

    Reference: Xie et al., "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in
    Video Classification", ECCV 2018; torchvision's and kylemin's code, which pad symmetrically and
    have no gates. With `num_classes` alone 8,320,048 parameters; 17.98 billion multiply-adds a 224²
    clip of 16 frames. Mean, std and dropout are torchvision's by default; arguments, shapes and
    errors are those of `InceptionClassifier`.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = ClipSpec(frames=128, span=128, fps=15.0),
        width: int = 64,
        **options: Unpack[ClassifierOptions],
    ):
        options = with_torchvision_colours({"dropout": 0.2, **options})
        super().__init__(num_classes, clip=clip, width=width, **options)

    def convolve(self, x, filters: int, kernel: int, stride: int = 1, *, name: str):
        """A convolution of each frame, then one over time."""
        options: ConvolutionOptions = {**self.convolutions, "epsilon": 1e-3}
        if kernel == 1:
            return conv_norm(x, filters, (1, 1, 1), name=name, **options)
        x = conv_norm(
            x,
            filters,
            (1, kernel, kernel),
            (1, stride, stride),
            name=f"{name}_spatial",
            **options,
        )
        return conv_norm(
            x, filters, (kernel, 1, 1), (stride, 1, 1), name=f"{name}_temporal", **options
        )

    def max_pool(self, x, size: Size, strides: Size, *, name: str):
        """A maximum pool, padded by one on both sides if its size is odd."""
        padding = (0, 0, 0) if size == (2, 2, 2) else None
        return PaddedMaxPooling3D(size, strides, padding, name=name)(x)
