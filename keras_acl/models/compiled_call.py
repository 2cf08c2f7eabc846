"""Functions of a model, compiled once on every backend and called with batches of one size."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from keras_acl.system.devices import compile_with_xla
from keras_acl.system.keras_internals import ExportedAsOneFunction


class CompiledCall(ExportedAsOneFunction):
    """A function of a batch that computes with a model's layers, under `predict_on_batch`.

    Keras compiles `predict_on_batch` for the backend in use, once for each shape of its input. This
    is how anything but a model's own logits is computed: it is made for a piece of work, and never
    trained or saved.

    Args:
        function: Takes a batch, returns a tensor or a structure of tensors.
        layers: What it computes with: the model, or the model's layers where the function holds the
            model weakly and must not keep it alive.
        name: Name in Keras' messages.

    Example:
        >>> softmax = CompiledCall(lambda clips: ops.softmax(model(clips)), [model])
        >>> softmax.predict_on_batch(clips)
    """

    def __init__(
        self, function: Callable, layers: Sequence[keras.Layer], name: str = "compiled_call"
    ):
        super().__init__(name=name, dtype="float32")  # nothing of the input is rounded
        self.function = function
        self.parts = list(layers)
        # All variables belong to the parts. What is not built, Keras on JAX runs before each batch,
        # operation by operation.
        self.built = True
        self.compile(jit_compile=compile_with_xla())

    def call(self, batch):
        """Return what the function returns."""
        return self.function(batch)


def predict_padded(model, batch: np.ndarray, size: int):
    """What `model.predict_on_batch` returns, as NumPy arrays, computed `size` elements at a time.

    The last part is filled up, because another shape would be compiled anew.

    Args:
        model: A `CompiledCall` or any model.
        batch: Its input, at least one element.
        size: Elements computed at once.
    """
    outputs = []
    for start in range(0, len(batch), size):
        part = batch[start : start + size]
        if len(part) < size:
            part = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
        output = model.predict_on_batch(part)
        outputs.append(keras.tree.map_structure(keras.ops.convert_to_numpy, output))
    return keras.tree.map_structure(lambda *a: np.concatenate(a)[: len(batch)], *outputs)
