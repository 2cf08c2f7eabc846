"""The loss on two replicas of one CPU, printed as JSON: run by test_two_stream_replicas.py.

A process of its own, as logical devices must be made before TensorFlow starts.
"""

import json

import keras
import numpy as np
import tensorflow as tf
from tiny_network import compiled, two_stream

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = compiled(two_stream(stream_supervision=0.5))


def loss_of_a_replica():
    """A replica's share of the loss; both have the same two clips."""
    outputs = {
        "logits": tf.zeros((2, 3)),
        "disagreement": tf.constant([[0.1, 0.2, 0.4], [0.3, 0.5, 0.7]]),
        "spatial_logits": tf.constant([[50.0, 0, 0], [50.0, 0, 0]]),
        "temporal_logits": tf.constant([[50.0, 0, 0], [0, 0, 50.0]]),
    }
    labels = np.array([2, 0])
    model.compute_metrics(None, labels, outputs)
    return model.compute_loss(None, labels, outputs)


# Gradients of replicas are added up, so their losses must add up to that of one device.
shares = strategy.run(tf.function(loss_of_a_replica))
total = strategy.reduce("SUM", shares, axis=None)
term = keras.ops.convert_to_numpy(model.consistency_metric.result())
found = {"loss": float(total), "consistency": float(term)}
for name in ("spatial_accuracy", "temporal_accuracy"):
    found[name] = float(next(each for each in model.metrics if each.name == name).result())
print(json.dumps(found))
