"""C2D and I3D on ResNet-50, as PyTorchVideo and MMAction2 have them."""

from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import PaddedMaxPooling3D, bottleneck, conv_norm
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet_streams import STRIDES, blocks_of, check_memory
from keras_acl.models.single_stream import SingleStreamClassifier

# Temporal kernels of a stage's blocks, in turn.
INFLATED = ((3, 3), (3, 1), (3, 1), (1, 3))


@keras.saving.register_keras_serializable(package="keras_acl")
class InflatedResNetClassifier(SingleStreamClassifier):
    """I3D on a ResNet, or C2D, the same without temporal convolutions.

    Reference: Wang et al., "Non-local Neural Networks", CVPR 2018, as PyTorchVideo's `i3d_r50`
    (28,043,472 parameters, 37.1 billion multiply-adds a 256² clip of 8 frames) and `c2d_r50`
    (24,327,632; 25.5). Frames are pooled in pairs behind the first stage.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        depth: 50, 101, or 11, 14 for small networks.
        width: Channels of the stem.
        inflated: Whether there are temporal convolutions: 5 in the stem, 3 in every other block.
            `False` is C2D.
        temporal_stride: Stride in time of the stem and of the pool behind it: 2 in MMAction2's I3D,
            for 32 frames.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For a depth, stride or number of labels that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = ClipSpec(frames=8, span=64),
        depth: int = 50,
        width: int = 64,
        inflated: bool = True,
        temporal_stride: int = 1,
        **options: Unpack[ClassifierOptions],
    ):
        check_memory(num_classes, depth, width)
        if temporal_stride not in (1, 2):
            raise ValueError(
                "Expected `temporal_stride` to be 1 or 2. "
                f"Received: temporal_stride={temporal_stride}"
            )
        super().__init__(num_classes, clip=clip, **options)
        self.depth, self.width, self.inflated = depth, width, inflated
        self.temporal_stride = temporal_stride
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, clip.channels), name="frames")
            kernel = (5 if inflated else 1, 7, 7)
            strides = (temporal_stride, 2, 2)
            x = conv_norm(inputs, width, kernel, strides, name="stem", **self.convolutions)
            x = PaddedMaxPooling3D((1, 3, 3), strides, name="stem_pool")(x)
            for stage, count in enumerate(blocks_of(depth)):
                for block in range(count):
                    x = bottleneck(
                        x,
                        width * 2**stage,
                        INFLATED[stage][block % 2] if inflated else 1,
                        STRIDES[depth][stage] if block == 0 else 1,
                        name=f"res{stage + 2}_{block}",
                        **self.convolutions,
                    )
                if stage == 0 and x.shape[1] > 1:
                    pairs = (2, 1, 1)
                    x = PaddedMaxPooling3D(pairs, pairs, (0, 0, 0), name="pairs")(x)
            self.take_stream(keras.Model(inputs, x, name="stream"))

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "depth": self.depth,
            "width": self.width,
            "inflated": self.inflated,
            "temporal_stride": self.temporal_stride,
        }
