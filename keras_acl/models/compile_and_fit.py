"""What Keras does with a classifier, where it is to do more: compile, fit, evaluate, export."""

import gc
import logging
from typing import Self

import keras

from keras_acl.clip import ClipSpec
from keras_acl.engines.class_names import (
    check_label_kind,
    check_labels,
    check_same_classes,
    names_of,
    several_labels,
)
from keras_acl.models.label_values import check_label_shape, check_label_values
from keras_acl.system.devices import compile_with_xla
from keras_acl.system.keras_internals import BuiltFromOneBatch

CALLBACKS_PLACE = 4  # of `callbacks` among the arguments of `fit` after `x`

logger = logging.getLogger("keras_acl")


class CompiledAndFitted(BuiltFromOneBatch):
    """The part of a classifier that users know from Keras; `VideoClassifier` is the other.

    Attributes:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        classifier: The dense layer.
        folded: Whether batch normalisation is folded into the convolutions.
        multi_label: Whether a clip may have several classes.
        fit_callbacks: Callbacks that `fit` adds where the caller gives none of their class. What
            `load_pretrained` compiles has some; compiling anew takes them away. Not saved.
    """

    num_classes: int
    clip: ClipSpec
    classifier: keras.layers.Dense
    folded: bool
    multi_label: bool
    fit_callbacks: tuple[keras.callbacks.Callback, ...] = ()
    _labels: tuple[str, ...] | None

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Class names in the order of the logits."""
        return self._labels

    @property
    def class_layers(self) -> tuple[keras.layers.Dense, ...]:
        """The dense layers that know the classes."""
        return (self.classifier,)

    def compile(self, *args, run_eagerly=False, jit_compile="auto", **kwargs):
        """Compile as any Keras model; `jit_compile="auto"` uses XLA where the device gains by it.

        On a CPU, TensorFlow's graph is several times faster than its XLA, which Keras would take.
        """
        if jit_compile == "auto":
            jit_compile = compile_with_xla() and not run_eagerly
        self.fit_callbacks = ()
        super().compile(*args, run_eagerly=run_eagerly, jit_compile=jit_compile, **kwargs)

    def get_compile_config(self):
        """How the model is compiled, and which of its layers are frozen: the optimiser knows."""
        config = super().get_compile_config()
        frozen = [layer.name for layer in self.layers if not layer.trainable]
        return {**config, "frozen": frozen} if config and frozen else config

    def compile_from_config(self, config):
        """Compile as saved, but for XLA: this may be another backend or device."""
        config = keras.saving.deserialize_keras_object(config)
        for name in config.pop("frozen", ()):
            self.get_layer(name).trainable = False
        self.compile(**{**config, "jit_compile": "auto"})
        if self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def export(
        self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs
    ):
        """Export for another engine as any Keras model, without a call before.

        What is exported computes in float32, whatever the model computes in: ONNX Runtime, LiteRT
        and OpenVINO do not load what Keras makes of other precisions.

        Args:
            filepath: Path of the artefact: a folder, or a file named `.onnx`, `.xml`, `.tflite`.
            format: `"tf_saved_model"`, `"onnx"`, `"openvino"`, `"litert"` or `"torch"`.
            verbose: Whether Keras says where the artefact is.
            input_signature: What it takes. By default uint8 clips of shape
                `(None, clip.frames, clip.size, clip.size, clip.channels)`, under the name "clip".
            **kwargs: What Keras' exporter of the format takes.
        """
        clip, size = self.clip, self.clip.size
        if input_signature is None:
            shape = (None, clip.frames, size, size, clip.channels)
            input_signature = [keras.InputSpec(dtype="uint8", shape=shape, name="clip")]
        model = self if self.dtype_policy.name == "float32" else self.copy_with(dtype="float32")
        super(CompiledAndFitted, model).export(
            str(filepath), format, verbose, input_signature, **kwargs
        )

    def copy_with(self, **changes) -> Self:
        """A copy with other arguments of the constructor, and the same weights and card.

        Args:
            **changes: Arguments; only those that leave the weights' shapes as they are.
        """
        copy = type(self).from_config({**self.get_config(), **changes})
        for ours, theirs in zip(streams_of(self), streams_of(copy), strict=True):
            theirs.set_weights(ours.get_weights())
        copy_head(self, copy)
        if hasattr(self, "card"):
            copy.card = self.card
        return copy

    def fit(self, x=None, *args, **kwargs):
        """Train as any Keras model.

        A model without labels takes those of the data, if they are a `VideoDataset` that has them.

        Raises:
            ValueError: If batch normalisation is folded away: such a network is for inference. If
                the data have other classes than the model, or in another order. If the labels are
                not those of one class a clip, or of several, as the model takes. If classes are to
                be weighed and clips may have several.
        """
        self._check_trainable()
        if self.multi_label and kwargs.get("class_weight") is not None:
            raise ValueError(
                "class_weight weighs each clip by its class, and these may have several: leave it "
                "out, or give `fit` a sample_weight, one for each clip."
            )
        self._take_labels(x, kwargs.get("validation_data"))
        self._check_values(args[0] if args else kwargs.get("y"))
        validation = kwargs.get("validation_data")
        if isinstance(validation, tuple | list) and len(validation) > 1:
            self._check_values(validation[1], "The labels of the validation data")
        history = super().fit(x, *args, **self._with_callbacks(args, kwargs))
        if self.stop_training:
            # TensorFlow's iterator over a pass that was broken off stays in a cycle, and would wait
            # at the interpreter's end for threads that run no more.
            gc.collect()
        return history

    def _with_callbacks(self, args: tuple, kwargs: dict) -> dict:
        given = kwargs.get("callbacks") or []
        if len(args) > CALLBACKS_PLACE or isinstance(given, keras.callbacks.CallbackList):
            return kwargs
        given = list(given) if isinstance(given, list | tuple) else [given]
        kinds = {type(callback) for callback in given}
        return {
            **kwargs,
            "callbacks": [each for each in self.fit_callbacks if type(each) not in kinds] + given,
        }

    def evaluate(self, x=None, *args, **kwargs):
        """Evaluate as any Keras model.

        Raises:
            ValueError: If the data have other classes than the model, or in another order.
        """
        check_same_classes(names_of(x), self.labels, self.num_classes)
        check_label_kind(several_labels(x), self.multi_label)
        self._check_values(args[0] if args else kwargs.get("y"))
        return super().evaluate(x, *args, **kwargs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The compiled loss as any Keras model.

        Raises:
            ValueError: If the model is a multi-label one, and the labels are not a 0 or 1 for each
                class.
        """
        if self.multi_label and y is not None:
            check_label_shape(y.shape, self.num_classes)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The compiled metrics as any Keras model; labels are checked as in `compute_loss`."""
        if self.multi_label and y is not None:  # torch and JAX build the metrics before the loss
            check_label_shape(y.shape, self.num_classes)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def train_on_batch(self, *args, **kwargs):
        """Train on one batch as any Keras model.

        Raises:
            ValueError: If batch normalisation is folded away: such a network is for inference.
        """
        self._check_trainable()
        return super().train_on_batch(*args, **kwargs)

    def _take_labels(self, data, validation_data) -> None:
        """Check that all data have the model's classes; where it has no names, take those."""
        labels = names_of(data)
        check_same_classes(labels, self.labels, self.num_classes, "The training data")
        check_label_kind(several_labels(data), self.multi_label, "The training data")
        known = self.labels or labels
        validated = names_of(validation_data)
        check_same_classes(validated, known, self.num_classes, "The validation data")
        check_label_kind(several_labels(validation_data), self.multi_label, "The validation data")
        if labels and self.labels is None:
            self._labels = check_labels(labels, self.num_classes)
            logger.warning("%s: the labels are those of the data: %s", self.name, ", ".join(labels))

    def _check_values(self, y, owner: str = "The labels") -> None:
        """Check labels that are given as an array; what a compiled step reads cannot raise."""
        if hasattr(y, "shape") and hasattr(y, "dtype"):
            check_label_values(y, self.num_classes, self.multi_label, owner)

    def _check_trainable(self) -> None:
        if self.folded:
            raise ValueError(
                "An optimised model cannot be trained: its batch normalisation is part of the "
                "convolutions. Train the original model, then optimise it again."
            )


def copy_head(model: keras.Model, copy: keras.Model) -> None:
    """Give a copy of a classifier the weights of what is no stream: of its dense layers."""
    own = {layer.name: layer for layer in model.layers}
    for layer in copy.layers:
        if isinstance(layer, CompiledAndFitted):
            copy_head(own[layer.name], layer)
        elif layer.weights and not isinstance(layer, keras.Model):
            layer.set_weights(own[layer.name].get_weights())


def streams_of(model: keras.Model) -> list[keras.Model]:
    """The networks inside a classifier that hold all its weights but the dense layer's."""
    found: list[keras.Model] = []
    for layer in model.layers:
        if isinstance(layer, CompiledAndFitted):
            found += streams_of(layer)
        elif isinstance(layer, keras.Model):
            found.append(layer)
    return found
