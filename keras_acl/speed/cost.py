"""Parameters and multiply-adds, counted from the graph of the inference function."""

import dataclasses
import functools
import json
import math

import keras
import numpy as np

from keras_acl.layers import SCAM, PaddedConv3D
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.system.keras_internals import run_through_graph


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """What one layer of the inference function costs.

    Args:
        name: Path of the layer, streams first.
        output_shape: Shape of its output for one clip, without the batch.
        parameters: Trainable parameters.
        multiply_adds: Multiply-adds for one clip.
    """

    name: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


def count_parameters(model: keras.Model) -> int:
    """Trainable parameters; 33,070,648 for the paper's network with 400 classes."""
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def count_multiply_adds(model: keras.Model, size: int | None = None) -> int:
    """Multiply-adds of convolutions and dense layers for one clip, as the literature counts.

    Every published table calls these "FLOPs". The function that is counted is the one `predict`
    runs, `model.call(clip, training=False)`, so nothing that only training needs is in it.

    Args:
        model: A classifier of this package.
        size: Height and width in pixels; the test size of the model's clip by default.

    Returns:
        34.16·10⁹ for the paper's network at 256.
    """
    return sum(cost.multiply_adds for cost in layer_costs(model, size))


def layer_costs(model: keras.Model, size: int | None = None) -> list[LayerCost]:
    """Cost of every layer that one inference runs, in order; see `count_multiply_adds`."""
    config = {**model.get_config(), "name": None}  # Keras numbers those that were given none
    size = size or model.clip.test_size
    text = json.dumps(config, sort_keys=True, default=np.ndarray.tolist)
    return list(_costs_of(type(model), text, size))


@functools.lru_cache(maxsize=16)  # every save of a model asks again
def _costs_of(network: type, config: str, size: int) -> tuple[LayerCost, ...]:
    # A copy, as tracing adds nodes to the layers it meets.
    model = network.from_config(json.loads(config))
    _, frames, _, _, channels = model.input_shape
    clip = keras.Input(batch_shape=(1, frames, size, size, channels), name="clip")
    costs: list[LayerCost] = []
    _walk(_inference(model, clip), clip, "", costs)
    return tuple(costs)


def _inference(model: keras.Model, clip) -> keras.Function:
    return keras.Function(clip, model.call(clip, training=False))


def _walk(function, inputs, prefix: str, costs: list[LayerCost]):
    """Run the function's operations on shapes alone, noting what each costs."""

    def visit(operation):
        def run(*args, **kwargs):
            if isinstance(operation, VideoClassifier):  # one inside of another
                clip = keras.Input(batch_shape=args[0].shape, name="clip")
                inside = _inference(operation, clip)
                return _walk(inside, args[0], f"{prefix}{operation.name}/", costs)
            if isinstance(operation, keras.Function):
                return _walk(operation, args[0], f"{prefix}{operation.name}/", costs)
            output = operation.compute_output_spec(*args, **kwargs)
            if isinstance(operation, keras.layers.Layer):
                costs.append(_cost(operation, args[0], output, prefix))
            return output

        return run

    return run_through_graph(function, inputs, visit)


def _cost(layer, inputs, output, prefix: str) -> LayerCost:
    shape = tuple(keras.tree.flatten(output)[0].shape[1:])
    parameters = sum(math.prod(v.shape) for v in layer.trainable_variables)
    return LayerCost(
        f"{prefix}{layer.name}", shape, parameters, _multiply_adds(layer, inputs, shape)
    )


def _multiply_adds(layer, inputs, output_shape) -> int:
    if isinstance(layer, PaddedConv3D | keras.layers.Conv3D | keras.layers.Dense):
        # Each output value sums over the kernel's window and input channels.
        return math.prod(layer.kernel.shape[:-1]) * math.prod(output_shape)
    if isinstance(layer, SCAM):  # a product with W at every position of every scale
        scales, kernel = inputs
        return sum(math.prod(x.shape[2:4]) for x in scales) * math.prod(kernel.shape)
    return 0
