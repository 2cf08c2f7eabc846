"""A run on the devices that there are, its weights written: run by test_two_stream_devices.py.

python fit_on_devices.py FOLDER_OF_VIDEOS RUN_FOLDER EPOCHS [EPOCH IN WHICH THE LAST PROCESS DIES]

XLA_FLAGS says how many devices there are, the launcher's variables how many processes.
"""

import json
import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np
from tiny_network import CLIP, two_stream

import keras_acl
from keras_acl.data import VideoDataset, read_directory
from keras_acl.recipes import finetune
from keras_acl.system import distribution

videos = read_directory(sys.argv[1])
folder, epochs = Path(sys.argv[2]), int(sys.argv[3])
dies = int(sys.argv[4]) if len(sys.argv) > 4 else None
# SCAM at two scales, the consistency term, supervised streams, accumulated gradients, batch
# statistics of groups, a moving average, dropout.
recipe = finetune(
    epochs=epochs,
    learning_rate=0.4,
    stream_supervision=0.5,
    precise_batches=2,
    batch_norm_clips=2,
    ema=0.9,
)


class Dies(keras.callbacks.Callback):
    """Kill the last process after the first step of an epoch."""

    epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        index, count = distribution.process()
        if self.epoch == dies and index == count - 1:
            os.kill(os.getpid(), signal.SIGKILL)


with distribution.peers(), keras_acl.distribute("all"):
    train = VideoDataset(videos, CLIP, 8, seed=1)
    validation = VideoDataset(videos, CLIP, 8, training=False)
    model = two_stream(labels=videos.labels, scales=(1.0, 0.5), dropout=0.5)
    callbacks = recipe.compile(model, train, folder, gradient_accumulation_steps=2)
    trained = model.fit(
        train,
        validation_data=validation,
        epochs=epochs,
        callbacks=[*callbacks, Dies()],
        verbose=0,
    )
    facts = {"devices": distribution.replicas(), "epochs": trained.epoch}
    if distribution.is_first():
        np.savez(folder / "weights.npz", *model.get_weights())
    print(json.dumps(facts))
