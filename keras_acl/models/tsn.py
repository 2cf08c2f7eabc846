"""TSN: a 2D network on one frame of each segment of a video."""

from typing import Unpack

import keras
from keras import ops

from keras_acl.clip import ClipSpec
from keras_acl.models.bn_inception import MEAN, STD, bn_inception
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet_streams import blocks_of, check_memory, resnet_stream
from keras_acl.models.single_stream import SingleStreamClassifier

CLIP = ClipSpec(frames=8, span=64, segments=True)
BACKBONES = ("resnet", "bn_inception")
IMAGENET_MEAN = (123.675 / 255, 116.28 / 255, 103.53 / 255)
IMAGENET_STD = (58.395 / 255, 57.12 / 255, 57.375 / 255)


@keras.saving.register_keras_serializable(package="keras_acl")
class TSNClassifier(SingleStreamClassifier):
    """TSN, Temporal Segment Networks: frames from all over a video, classified by their mean.

    Reference: Wang et al., "Temporal Segment Networks", ECCV 2016. The consensus is the mean: of
    features, or of logits, which is the same before a dense layer. With `num_classes` alone the
    ResNet-50 of MMAction2, 24,327,632 parameters and 4.09 billion multiply-adds a 224² frame;
    `backbone="bn_inception"` is that of the paper, 10,670,224 (10,680,240 with the biases of its
    convolutions, which batch normalisation takes away) and 2.03.

    Of optical flow, `ClipSpec(frames=15, span=64, segments=True, modality="flow", stack=5)` has
    three segments of five successive fields, which are the ten channels of one frame.

    No weight depends on the number of segments: train with 3 or 8, and evaluate a
    `model.copy_with(clip=...)` of 25 with `evaluate_views(copy, videos, clips=1, crops="ten")`, as
    the literature does.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes; with `segments=True`, a frame of each.
        backbone: `"resnet"` or `"bn_inception"`.
        depth: Of the ResNet: 50, 101, or 11, 14 for small networks.
        width: Channels of the stem.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`. By default mean and
            std are ImageNet's, of BN-Inception those of Caffe.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For a backbone, depth, width or number of labels that does not fit.
    """

    stacks = True

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = CLIP,
        backbone: str = "resnet",
        depth: int = 50,
        width: int = 64,
        **options: Unpack[ClassifierOptions],
    ):
        if backbone not in BACKBONES:
            raise ValueError(
                f"Expected `backbone` to be one of {BACKBONES}. Received: backbone={backbone!r}"
            )
        check_memory(num_classes, depth, width)
        colours = (IMAGENET_MEAN, IMAGENET_STD) if backbone == "resnet" else (MEAN, STD)
        options = {"mean": colours[0], "std": colours[1], **options}
        super().__init__(num_classes, clip=clip, **options)
        self.backbone, self.depth, self.width = backbone, depth, width
        segments, channels = clip.frames // clip.stack, clip.channels * clip.stack
        with self.own_precision():
            if backbone == "resnet":
                kernels = (1,) * (len(blocks_of(depth)) + 1)
                stream = resnet_stream(
                    segments, kernels, depth, width, channels=channels, **self.convolutions
                )
            else:
                stream = bn_inception(segments, width, channels, **self.convolutions)
            self.take_stream(stream)

    def prepare(self, clip):
        """Normalised pixels; the frames of a stack are channels of one, as in TSN's code."""
        frames = self.normalize(clip)
        if self.clip.stack == 1:
            return frames
        _, count, height, width, channels = ops.shape(frames)
        stack = self.clip.stack
        frames = ops.reshape(frames, (-1, count // stack, stack, height, width, channels))
        frames = ops.transpose(frames, (0, 1, 3, 4, 2, 5))  # (B, T, H, W, stack, C)
        return ops.reshape(frames, (-1, count // stack, height, width, stack * channels))

    def get_config(self):
        """Arguments of the constructor."""
        config = {"backbone": self.backbone, "depth": self.depth, "width": self.width}
        return {**super().get_config(), **config}
