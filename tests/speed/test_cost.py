import math

import keras
import numpy as np
import pytest
from tiny_network import CLIP, NETWORK

from keras_acl.clip import ClipSpec
from keras_acl.models import (
    R3DClassifier,
    SlowClassifier,
    SlowFastClassifier,
    TwoStreamClassifier,
)
from keras_acl.speed.cost import LayerCost, count_multiply_adds, count_parameters, layer_costs

tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the same graph on every backend"
)
SMALL = {"num_classes": 3, "clip": CLIP, **NETWORK}
SMALL_SLOW = {key: value for key, value in SMALL.items() if key != "channel_ratio"}


@tensorflow
def test_the_papers_network():
    model = TwoStreamClassifier()  # R50 4x16, 400 classes
    assert count_parameters(model) == 33_070_648
    assert count_multiply_adds(model) == 34_159_333_376  # at 256, the test size


@pytest.mark.backends
def test_hand_counted_network():
    model = SlowClassifier(**SMALL_SLOW)  # two frames, width 8, three stages of a block
    stem = 2 * 16 * 16 * (7 * 7 * 3 * 8)
    res2 = 2 * 8 * 8 * (8 * 32 + 8 * 8 + 9 * 8 * 8 + 8 * 32)
    res3 = 2 * 8 * 8 * (3 * 32 * 16) + 2 * 4 * 4 * (32 * 64 + 9 * 16 * 16 + 16 * 64)
    res4 = 2 * 4 * 4 * (64 * 128 + 3 * 64 * 32 + 9 * 32 * 32 + 32 * 128)
    assert stem + res2 + res3 + res4 == 2_002_944
    assert count_multiply_adds(model, 32) == 2_002_944 + 128 * 3
    assert count_parameters(model) == 38_411  # 36,888 in kernels, 1,136 in BN, 387 in the head


@pytest.mark.backends
def test_cost_of_every_layer():
    costs = layer_costs(SlowClassifier(**SMALL_SLOW), 32)
    by_name = {cost.name: cost for cost in costs}
    assert by_name["spatial_stream/stem_conv"] == LayerCost(
        "spatial_stream/stem_conv", (2, 16, 16, 8), 1176, 602_112
    )
    assert by_name["spatial_stream/res4_0_a_conv"] == LayerCost(
        "spatial_stream/res4_0_a_conv", (2, 4, 4, 32), 6144, 196_608
    )
    assert by_name["spatial_stream/stem_bn"].parameters == 16
    assert by_name["classifier"] == LayerCost("classifier", (3,), 387, 384)
    names = [cost.name for cost in costs]
    assert names.index("normalize") < names.index("spatial_stream/stem_conv")
    assert names[-1] == "classifier"


def test_scam_costs_a_second_pass_in_slow_alone():
    model = SlowClassifier(**SMALL_SLOW, scales=(1.0, 0.5))
    # A quarter of the convolutions more; class weights at 16 and at 4 places, not pooled.
    assert count_multiply_adds(model, 32) == 2_002_944 * 5 // 4 + (16 + 4) * 128 * 3


def test_training_costs_nothing_at_inference():
    on = TwoStreamClassifier(**SMALL, scales=(1.0, 0.5, 0.25), consistency_weight=1.5)
    off = TwoStreamClassifier(**SMALL, scales=(1.0,), consistency_weight=None)
    assert layer_costs(on, 32) == layer_costs(off, 32)
    assert count_parameters(on) == count_parameters(off)


def test_default_size_is_the_test_size():
    model = SlowClassifier(**SMALL_SLOW)
    assert count_multiply_adds(model) == count_multiply_adds(model, 37)  # 32 · 8 / 7
    assert count_multiply_adds(model) > count_multiply_adds(model, 32)


def count_in_tensorflow_graph(model, size: int) -> int:
    """Multiply-adds of the nodes that TensorFlow made of the inference function."""
    import tensorflow as tf

    clip = tf.TensorSpec((1, model.clip.frames, size, size, 3), "uint8")
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(clip)
    total = 0
    for node in function.graph.get_operations():
        if node.type in ("Conv2D", "Conv3D"):
            total += math.prod(node.outputs[0].shape) * math.prod(node.inputs[1].shape[:-1])
        elif node.type in ("MatMul", "BatchMatMulV2", "Einsum"):
            assert node.type == "MatMul", "counted as rows · columns · inner below"
            total += math.prod(node.outputs[0].shape) * node.inputs[0].shape[-1]
    return total


@tensorflow
@pytest.mark.parametrize("form", ["native", "2d"])
@pytest.mark.parametrize(
    "make",
    [
        lambda form: TwoStreamClassifier(**SMALL, form=form),
        lambda form: SlowFastClassifier(**SMALL, form=form),
        lambda form: SlowClassifier(**SMALL_SLOW, scales=(1.0, 0.5), form=form),
    ],
    ids=["two-stream", "slowfast", "slow-scam"],
)
def test_tensorflow_runs_what_was_counted(make, form):
    model = make(form)
    assert count_in_tensorflow_graph(model, 40) == count_multiply_adds(model, 40)


def test_counting_leaves_the_model_alone():
    model = SlowClassifier(**SMALL_SLOW)
    before = [len(layer._inbound_nodes) for layer in model._flatten_layers()]
    count_multiply_adds(model, 32)
    assert [len(layer._inbound_nodes) for layer in model._flatten_layers()] == before


def test_arguments_may_be_arrays():
    clip = ClipSpec(frames=8, span=8, size=32)
    arrays = [
        R3DClassifier(3, clip=clip, depth=10, width=8, mean=mean)
        for mean in (0.45, np.full(3, 0.4))
    ]
    assert len({count_multiply_adds(model) for model in arrays}) == 1
