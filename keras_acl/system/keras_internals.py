"""Every use of a private name of Keras or TensorFlow, each with the reason why it is needed.

Whoever moves to a new release of either finds here what may break. Elsewhere in the package private
names are the package's own; a test holds that.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np


def all_layers(model: keras.Layer) -> list[keras.Layer]:
    """A model and its layers at every depth.

    `Model.layers` stops at the first level, and lists neither a layer's own layers nor those of
    models inside the model.
    """
    return list(model._flatten_layers())


class BuiltFromOneBatch(keras.Model):
    """A model that learns the shapes of its data from one batch of them, on several replicas too.

    Under a `tf.distribute` strategy Keras begins a pass for that in each `fit` and `evaluate`, and
    gives it up while the strategy still reads ahead: a data set that counts its passes, as a
    `VideoDataset` does, is out of step from then on.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        adapter = getattr(iterator, "data_adapter", None)
        if adapter is not None and hasattr(adapter, "py_dataset") and data_batch is None:
            iterator, data_batch = None, adapter._standardize_batch(adapter.py_dataset[0])
        super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)


class ExportedAsOneFunction(keras.Model):
    """A model that is written for other engines by its own call alone, on TensorFlow.

    The exporter searches a model's parts for lookup tables, and traces each model that it meets in
    the sizes that it was built for: twice the work, and an error where a part needs a size that
    only the exported signature has, as SCAM at several scales does. The variables it finds in the
    call.
    """

    def _trackable_children(self, save_type="checkpoint", **kwargs):
        if save_type == "savedmodel":
            return {}
        return super()._trackable_children(save_type, **kwargs)


def set_first_epoch(model: keras.Model, epoch: int | None) -> None:
    """Tell the `fit` that is about to begin from which epoch it goes on; `None` takes it back.

    A callback cannot change `fit`'s argument `initial_epoch`. Keras' own BackupAndRestore does it
    this way.
    """
    model._initial_epoch = epoch


def compiled_loss(model: keras.Model, y, y_pred, sample_weight=None):
    """The loss that a model was compiled with, of other outputs than the model's.

    `compute_loss` would add the losses of layers once more.
    """
    return model._compile_loss(y, y_pred, sample_weight)


def variable_index(optimizer: keras.Optimizer, variable) -> int:
    """Place of a variable among those an optimiser was built for.

    `update_step` gets the variable alone, on TensorFlow under another name than the model's.
    """
    return optimizer._get_variable_index(variable)


def learning_rates(optimizer: keras.Optimizer, steps: Sequence[int]) -> np.ndarray:
    """Learning rates of steps of an optimiser, which itself tells that of the next one only."""
    rate = optimizer._learning_rate
    if not isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return np.full(len(steps), float(optimizer.learning_rate))
    return keras.ops.convert_to_numpy(rate(np.asarray(steps, "float32")))


def first_output(layer: keras.Layer):
    """Output of a layer in the first functional graph that it became part of.

    `Layer.output` refuses to answer when a layer was called in several graphs.
    """
    return layer._inbound_nodes[0].outputs[0]


def run_through_graph(function: keras.Function, inputs, run: Callable):
    """Evaluate a functional graph with `run(operation)` called in the place of each operation.

    Calling the function runs the operations themselves, and nested models as a whole.
    """
    return function._run_through_graph(inputs, operation_fn=run)


def tensorflow_has_onednn() -> bool:
    """Whether TensorFlow computes with oneDNN, as it decided when it was imported.

    TensorFlow has no public way to ask. Where the private one is gone, the answer is yes.
    """
    try:
        from tensorflow.python.util import _pywrap_util_port

        return _pywrap_util_port.IsMklEnabled()
    except (ImportError, AttributeError):
        return True
