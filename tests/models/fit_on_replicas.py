"""Training on one device and on two replicas, printed as JSON: run by test_two_stream_replicas.py.

python fit_on_replicas.py FOLDER_OF_VIDEOS
"""

import contextlib
import json
import sys

import keras
import numpy as np
import tensorflow as tf
from tiny_network import two_stream

from keras_acl.data import VideoDataset, read_directory
from keras_acl.layers import ClipBatchNormalization
from keras_acl.losses import Crossentropy
from keras_acl.system.keras_internals import all_layers

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
videos = read_directory(sys.argv[1])


def trained(strategy=None):
    """What a run leaves. Batch statistics and dropout are a replica's own, so there are none."""
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = two_stream(labels=videos.labels, dropout=0.0, stream_supervision=0.5)
        for layer in all_layers(model):
            if isinstance(layer, ClipBatchNormalization):
                layer.trainable = False
        model.compile(keras.optimizers.SGD(0.05), Crossentropy(), metrics=["accuracy"])
    train = VideoDataset(videos, model.clip, 4)
    validation = VideoDataset(videos, model.clip, 4, training=False)
    with contextlib.closing(train), contextlib.closing(validation):
        history = model.fit(train, validation_data=validation, epochs=2, verbose=0).history
        loss, accuracy = model.evaluate(validation, verbose=0)[:2]
        passes = [train.epoch, validation.epoch]
    return model.get_weights(), {**history, "evaluated": [loss, accuracy]}, passes


begin = two_stream(labels=videos.labels, dropout=0.0).get_weights()
weights, history, passes = trained()
others, repeated, repeated_passes = trained(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
found = {
    "moved": max(float(np.abs(a - b).max()) for a, b in zip(weights, begin, strict=True)),
    "difference": max(float(np.abs(a - b).max()) for a, b in zip(weights, others, strict=True)),
    "history": history,
    "repeated": repeated,
    "passes": [passes, repeated_passes],
}
print(json.dumps(found))
