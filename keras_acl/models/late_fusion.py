"""Late fusion: a network of colours and one of optical flow, whose logits are added."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import keras
import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.models.artnet import ARTNetClassifier
from keras_acl.models.c3d import C3DClassifier
from keras_acl.models.classifier_options import ClassifierOptions, check_weight
from keras_acl.models.csn import CSNClassifier
from keras_acl.models.eco import ECOLiteClassifier
from keras_acl.models.inception3d import I3DClassifier
from keras_acl.models.inflated_resnet import InflatedResNetClassifier
from keras_acl.models.r2plus1d import R2Plus1DClassifier
from keras_acl.models.r2plus1d_bottleneck import BottleneckR2Plus1DClassifier
from keras_acl.models.resnet3d import R3DClassifier
from keras_acl.models.resnext3d import ResNeXt3DClassifier
from keras_acl.models.s3d import S3DClassifier
from keras_acl.models.single_stream import SingleStreamClassifier
from keras_acl.models.stc import STCClassifier
from keras_acl.models.supervised_streams import STREAMS, SupervisedStreams
from keras_acl.models.t3d import T3DClassifier
from keras_acl.models.tsn import TSNClassifier

# Without X3D: its hidden layer stands between a stream and the classes.
NETWORKS: dict[str, type[SingleStreamClassifier]] = {
    network.__name__: network
    for network in (
        ARTNetClassifier,
        BottleneckR2Plus1DClassifier,
        C3DClassifier,
        CSNClassifier,
        ECOLiteClassifier,
        I3DClassifier,
        InflatedResNetClassifier,
        R2Plus1DClassifier,
        R3DClassifier,
        ResNeXt3DClassifier,
        S3DClassifier,
        STCClassifier,
        T3DClassifier,
        TSNClassifier,
    )
}
SHARED = ("multi_label", "dropout", "form", "folded", "clips_per_group")


@keras.saving.register_keras_serializable(package="keras_acl")
class LateFusionClassifier(SupervisedStreams):
    """Two networks of one architecture, one of colours and one of optical flow, side by side.

    Reference: Simonyan and Zisserman, "Two-Stream Convolutional Networks for Action Recognition in
    Videos", NeurIPS 2014. The logits are w_s · those of the spatial network + w_t · those of the
    temporal one. With `num_classes` alone the two-stream I3D of Carreira and Zisserman, CVPR 2017,
    which adds them as they are: 25,358,016 parameters, 213.5 billion multiply-adds a 224² clip of
    64 frames. `late_fusion` makes it of two networks that were trained or imported one by one.

    Args:
        num_classes: Number of classes (L).
        network: Name of the class of both networks.
        clip: Clip that the model takes, of `modality="rgb+flow"`. Of stacks the spatial network
            sees the first frame.
        fusion_weights: w_s and w_t, such as (1, 1.5) for TSN.
        network_options: Further arguments of the networks' class, such as `{"width": 32}`.
        stream_supervision: Weight of each network's own classification loss beside that of both
            together, see `SupervisedStreams`.
        **options: What all classifiers take, see `ClassifierOptions`. mean and std are one value,
            or five, three of colours and two of flow; by default those of the networks' class.

    Input shape:
        `(batch, T, height, width, 5)`, values 0-255: red, green, blue, and the flow (u, v).

    Output shape:
        Logits `(batch, L)`, float32. With `training=True` and supervised streams a dict of
        `"logits"`, `"spatial_logits"` and `"temporal_logits"`, `(batch, L)` each.

    Raises:
        ValueError: For a network, clip, weight or number of labels that does not fit.
    """

    modalities = ("rgb+flow",)
    stacks = True

    def __init__(
        self,
        num_classes: int = 400,
        *,
        network: str = "I3DClassifier",
        clip: ClipSpec = ClipSpec(frames=64, span=64, fps=25.0, modality="rgb+flow"),
        fusion_weights: Sequence[float] = (1.0, 1.0),
        network_options: Mapping[str, Any] | None = None,
        stream_supervision: float = 0.0,
        **options: Unpack[ClassifierOptions],
    ):
        if network not in NETWORKS:
            raise ValueError(
                f"Expected a network of {', '.join(NETWORKS)}. Received: network={network!r}"
            )
        _check_weights(fusion_weights)
        super().__init__(num_classes, clip=clip, stream_supervision=stream_supervision, **options)
        self.network, self.network_options = network, dict(network_options or {})
        self.fusion_weights = tuple(map(float, fusion_weights))
        given: dict[str, Any] = {**options}
        shared = {name: given[name] for name in SHARED if name in given}
        shared |= {**self.network_options, "dtype": self.dtype_policy}
        clips, networks = parts_of(clip), []
        for name, part, channels in zip(STREAMS, clips, (slice(3), slice(3, 5)), strict=True):
            colours = {k: _five(given[k])[channels] for k in ("mean", "std") if k in given}
            arguments: dict[str, Any] = {**shared, **colours}
            networks.append(NETWORKS[network](num_classes, clip=part, name=name, **arguments))
        self.spatial_stream, self.temporal_stream = networks
        self.mean, self.std = (
            joined(*(getattr(one, key) for one in networks)) for key in ("mean", "std")
        )
        self.built = True

    def make_ends(self, mean, std, dropout: float) -> None:
        """Nothing: each network has its own normalisation, dropout and dense layer."""

    def build(self, input_shape):
        """The networks were built with the model."""

    @property
    def dropout_rate(self) -> float:
        """Dropout rate before the dense layer of each network."""
        return self.spatial_stream.dropout_rate

    @property
    def class_weights(self):
        """Dense weights W of the spatial and the temporal network, (C, L) each."""
        return (*self.spatial_stream.class_weights, *self.temporal_stream.class_weights)

    @property
    def class_layers(self):
        """The dense layers of both networks."""
        return self.spatial_stream.classifier, self.temporal_stream.classifier

    @property
    def rematerialize(self) -> bool:
        """Whether training computes the inside of every block twice, see `VideoClassifier`."""
        return self.spatial_stream.rematerialize

    @rematerialize.setter
    def rematerialize(self, value: bool) -> None:
        self.spatial_stream.rematerialize = self.temporal_stream.rematerialize = value

    def parts(self, clip) -> tuple:
        """Colours (B, T, H, W, 3), of stacks the first frame, and flow (B, T, H, W, 2)."""
        return clip[:, :: self.clip.stack, ..., :3], clip[..., 3:]

    def features(self, clip):
        """Last feature maps at inference, (B, t, h, w, C) of each network."""
        spatial, temporal = self.parts(clip)
        return (*self.spatial_stream.features(spatial), *self.temporal_stream.features(temporal))

    def before_pooling(self, features):
        """What the head of a network averages."""
        return self.spatial_stream.before_pooling(features)

    def classifier(self, pooled):
        """Weighted sum of the logits of pooled features [spatial | temporal], (..., C)."""
        return self._fused(*self.logits_alone(pooled).values())

    def logits_alone(self, pooled, spatial_map=None) -> dict:
        """Logits of each network, (..., L), of pooled features [spatial | temporal]."""
        channels, (spatial, temporal) = self.class_weights[0].shape[0], self.class_layers
        return {
            "spatial_logits": spatial(pooled[..., :channels]),
            "temporal_logits": temporal(pooled[..., channels:]),
        }

    def call(self, clip, training=False):
        """Return logits, and in training those of each network if they are supervised."""
        self.check_clip(clip)
        spatial, temporal = self.parts(clip)
        alone = {
            "spatial_logits": self.spatial_stream(spatial, training=training),
            "temporal_logits": self.temporal_stream(temporal, training=training),
        }
        logits = self._fused(*alone.values())
        return {"logits": logits, **alone} if self.shows_streams(training) else logits

    def _fused(self, spatial, temporal):
        w_s, w_t = self.fusion_weights
        return w_s * spatial + w_t * temporal

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "network": self.network,
            "fusion_weights": list(self.fusion_weights),
            "network_options": self.network_options,
        }


def parts_of(clip: ClipSpec) -> tuple[ClipSpec, ClipSpec]:
    """The clips of the spatial and the temporal network."""
    colours = dataclasses.replace(clip, modality="rgb", frames=clip.frames // clip.stack, stack=1)
    return colours, dataclasses.replace(clip, modality="flow")


def _five(values) -> list[float]:
    """A value for each channel."""
    return np.broadcast_to(np.asarray(values, float), (5,)).tolist()


def joined(colours, flow) -> list[float]:
    """Values of three and of two channels as those of five."""
    pair = (np.broadcast_to(np.asarray(v, float), (n,)) for v, n in ((colours, 3), (flow, 2)))
    return np.concatenate(list(pair)).tolist()


def _check_weights(weights) -> None:
    if len(weights) != 2:
        raise ValueError(f"Expected two weights. Received: fusion_weights={weights!r}")
    for weight in weights:
        check_weight("fusion_weights", weight)
