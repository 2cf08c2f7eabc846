"""What all classifiers share: the clip they take, its normalisation, the head, the config."""

import contextlib
import inspect
from collections.abc import Iterator, Sequence

import keras
import numpy as np
from keras import ops

from keras_acl.clip import ClipSpec
from keras_acl.engines.class_names import check_labels
from keras_acl.layers.normalization import ClipBatchNormalization, check_clips_per_group
from keras_acl.layers.residual import ConvolutionOptions
from keras_acl.models.classifier_options import check_num_classes, check_options
from keras_acl.models.compile_and_fit import CompiledAndFitted
from keras_acl.models.rematerialize import rematerialized
from keras_acl.system.devices import warn_of_slow_convolutions
from keras_acl.system.keras_internals import all_layers

NO_FLOW = 128 / 255  # what says that nothing moves, scaled to [0, 1]


class VideoClassifier(CompiledAndFitted):
    """Base of the classifiers: raw clip in, logits out, and a model that knows its own input.

    Args:
        num_classes: Number of classes (L), at least 2.
        clip: Clip that the model takes.
        labels: See `ClassifierOptions`, as for the other arguments.
        multi_label: Whether a clip may have several classes, or none.
        mean: Subtracted from pixels scaled to [0, 1]. Three values, of colours, become 128 / 255 in
            a network of flow.
        std: Divides them. Three values become their mean in a network of flow, as in TSN's code.
        dropout: Dropout rate before the dense layer.
        form: Form of the separable convolutions.
        folded: Whether batch normalisation is folded into the convolutions.
        clips_per_group: Clips that share batch statistics in training.
        **kwargs: Name, dtype and trainable, as in every Keras model.

    Attributes:
        rematerialize: Whether training computes the inside of every block twice instead of keeping
            it. Not saved with the model.
        saved_as: Name of the folder or file that the model was loaded from, if any.
        scored_streams: Names of the streams that can be scored alone.
        modalities: What its clips may hold, see `ClipSpec.modality`.
        stacks: Whether clips may have stacks of frames.

    Raises:
        ValueError: If there are fewer than two classes, the number of labels is not `num_classes`,
            a name stands twice, or another argument is none that it can be.
    """

    rematerialize = False
    scored_streams: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ("rgb",)
    stacks = False
    saved_as: str | None = None

    def __init__(
        self,
        num_classes: int,
        *,
        clip: ClipSpec,
        labels: Sequence[str] | None = None,
        multi_label: bool = False,
        mean: float | Sequence[float] = 0.45,
        std: float | Sequence[float] = 0.225,
        dropout: float = 0.5,
        form: str = "auto",
        folded: bool = False,
        clips_per_group: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_num_classes(num_classes)
        check_options(multi_label, dropout)
        check_clips_per_group(clips_per_group)
        self._check_modality(clip)
        warn_of_slow_convolutions()
        self.num_classes = num_classes
        self.clip = clip
        self._labels = check_labels(labels, num_classes)
        self.multi_label = multi_label
        self.mean, self.std = mean, std = _colours(clip, mean, std)
        self.form = form
        self.folded = folded
        self._clips_per_group = clips_per_group
        self.make_ends(self.mean, self.std, dropout)

    def make_ends(self, mean, std, dropout: float) -> None:
        """Create what stands before the streams and behind them."""
        scale, offset = _rescaling(mean, std)
        with self.own_precision():
            self.normalize = keras.layers.Rescaling(scale, offset, name="normalize")
            self.normalize.built = True  # it has no weights
        # The head is float32 whatever the streams are: logits, class maps and loss agree.
        self.dropout = keras.layers.Dropout(dropout, dtype="float32", name="dropout")
        self.classifier = FullPrecisionDense(
            self.num_classes,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            dtype="float32",
            name="classifier",
        )

    @classmethod
    def argument_names(cls) -> set[str]:
        """Names of the constructor's arguments, without those of every Keras model."""
        signatures = (inspect.signature(each.__init__) for each in (VideoClassifier, cls))
        names = {name for signature in signatures for name in signature.parameters}
        return names - {"self", "kwargs", "options"}

    @contextlib.contextmanager
    def own_precision(self) -> Iterator[None]:
        """Make layers with the model's dtype policy, so that a reload computes as it was saved."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.dtype_policy)
        try:
            yield
        finally:
            keras.config.set_dtype_policy(before)

    @property
    def dropout_rate(self) -> float:
        """Dropout rate before the dense layer."""
        return self.dropout.rate

    @property
    def convolutions(self) -> ConvolutionOptions:
        """How the streams' convolutions are computed."""
        return {
            "form": self.form,
            "folded": self.folded,
            "clips_per_group": self.clips_per_group,
        }

    @property
    def clips_per_group(self) -> int | None:
        """Clips that share batch statistics in training; `None` for the whole batch.

        Setting it sets every layer, for the next `compile`; it is saved with the model.
        """
        return self._clips_per_group

    @clips_per_group.setter
    def clips_per_group(self, value: int | None) -> None:
        check_clips_per_group(value)
        self._clips_per_group = value
        for layer in all_layers(self):
            if isinstance(layer, ClipBatchNormalization):
                layer.clips_per_group = value

    def run_stream(self, stream, frames, training, batch_statistics: bool | None = None):
        """Features of one stream; in training with little memory if `rematerialize` is set.

        `batch_statistics` is whether its normalisation uses those, by default as in `training`.
        """
        own = bool(training) if batch_statistics is None else batch_statistics
        if training and self.rematerialize:
            return rematerialized(stream, frames, own)
        return stream(frames, training=own)

    @property
    def class_names(self) -> tuple[str, ...]:
        """What to call the classes: `labels`, or "class 0", "class 1", ... where there are none."""
        return self._labels or tuple(f"class {index}" for index in range(self.num_classes))

    @property
    def input_shape(self) -> tuple:
        """`(None, T, None, None, C)`, C being 3 of RGB."""
        return (None, self.clip.frames, None, None, self.clip.channels)

    def scores(self, logits):
        """What logits (..., L) say of each class, from 0 to 1.

        The softmax, which adds up to 1 over the classes; of a multi-label model the sigmoid of each
        class by itself.
        """
        logits = ops.convert_to_tensor(logits)
        return ops.sigmoid(logits) if self.multi_label else ops.softmax(logits)

    def before_pooling(self, features):
        """What the head averages: a stream's features (B, t, h, w, C), but for I3D and S3D."""
        return features

    def places(self, features):
        """What the dense layer's weights meet at every place of a stream's map, for its class maps.

        The features themselves, but for networks with a hidden layer in between.
        """
        return features

    def pool(self, *features):
        """Global average of each stream, joined as [spatial | temporal]: (B, C)."""
        features = [ops.cast(self.before_pooling(x), "float32") for x in features]
        return ops.concatenate([ops.mean(x, axis=(1, 2, 3)) for x in features], axis=-1)

    def check_clip(self, clip):
        """Reject what is not a batch of clips, with a hint.

        Raises:
            ValueError: If the shape is not `(batch, T, height, width, C)`.
        """
        shape, (frames, channels) = tuple(clip.shape), (self.clip.frames, self.clip.channels)
        if len(shape) != 5 or shape[1] != frames or shape[4] != channels:
            hint = " One clip is a batch of one: clip[None]." if len(shape) == 4 else ""
            raise ValueError(
                f"{type(self).__name__} takes {self.clip.modality_name} clips of shape (batch, "
                f"{frames}, height, width, {channels}), values 0-255. "
                f"Received: shape={shape}.{hint}"
            )

    def _check_modality(self, clip: ClipSpec) -> None:
        if clip.modality not in self.modalities or (clip.stack > 1 and not self.stacks):
            raise ValueError(
                f"{type(self).__name__} takes clips of {' or '.join(self.modalities)}"
                f"{'' if self.stacks else ' without stacks of frames'}. Received: clip={clip}"
            )

    def get_config(self):
        """Arguments of the constructor."""
        config = {
            key: value
            for key, value in super().get_config().items()
            if key in ("name", "trainable", "dtype")
        }
        return {
            **config,
            "num_classes": self.num_classes,
            "clip": self.clip.to_dict(),
            "labels": None if self.labels is None else list(self.labels),
            "multi_label": self.multi_label,
            "mean": self.mean,
            "std": self.std,
            "dropout": self.dropout_rate,
            "form": self.form,
            "folded": self.folded,
            "clips_per_group": self.clips_per_group,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Build the model that `get_config` describes."""
        config = dict(config)
        if not isinstance(config["clip"], ClipSpec):
            config["clip"] = ClipSpec(**config["clip"])
        for key, value in config.items():
            if isinstance(value, dict) and "class_name" in value:
                config[key] = keras.saving.deserialize_keras_object(value, custom_objects)
        return cls(**config)


class FullPrecisionDense(keras.layers.Dense):
    """Dense layer whose weights are float32 to every reader, also in a mixed-precision model.

    The class activation maps read them too, from a call in which Keras casts variables.
    """

    def add_weight(self, *args, **kwargs):
        """Add a weight that is never cast."""
        return super().add_weight(*args, **{**kwargs, "autocast": False})


def _colours(clip: ClipSpec, mean, std) -> tuple:
    """Mean and deviation of what a clip holds."""
    values = np.size(mean), np.size(std)
    if clip.modality == "flow" and max(values) == 3:
        return NO_FLOW, float(np.mean(std))
    if set(values) - {1, clip.channels}:
        raise ValueError(
            f"Expected `mean` and `std` to be a value, or {clip.channels}, one for each channel. "
            f"Received: mean={mean}, std={std}"
        )
    return mean, std


def _rescaling(mean, std) -> tuple[list, list]:
    """Scale and offset of x · scale + offset = (x / 255 − mean) / std."""
    mean, std = np.asarray(mean, "float64"), np.asarray(std, "float64")
    scale, offset = 1 / (255 * std), -mean / std
    # Three dimensions: a flat list would follow Keras' global image_data_format.
    return scale.reshape(1, 1, -1).tolist(), offset.reshape(1, 1, -1).tolist()
