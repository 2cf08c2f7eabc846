import keras
import numpy as np
import pytest

from keras_acl.callbacks import StopAtNaN

pytestmark = pytest.mark.backends


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_training_stops_at_the_step_and_says_which(value, caplog):
    class Data(keras.utils.PyDataset):
        epoch = 0

        def __len__(self):
            return 4

        def __getitem__(self, index):
            x = np.ones((2, 3), "float32")
            y = np.full((2, 1), value if (self.epoch, index) == (1, 2) else 1.0, "float32")
            return x, y

        def on_epoch_end(self):
            if steps:  # Keras may look at a batch before the first epoch
                self.epoch = 1

    steps = []
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.125), "mse")
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda i, logs: steps.append(i))
    data = Data()
    model.fit(data, epochs=3, shuffle=False, callbacks=[StopAtNaN(), count], verbose=0)
    assert steps == [0, 1, 2, 3, 0, 1, 2]
    [said] = [record.message for record in caplog.records if record.name == "keras_acl"]
    assert said == (
        f"The loss is {float(value)} from step 3 of epoch 2 on, at a learning rate of 0.125: "
        "training stops."
    )


def test_it_is_silent_where_all_goes_well(caplog):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.125), "mse")
    x = np.ones((4, 3), "float32")
    history = model.fit(x, x[:, :1], epochs=2, callbacks=[StopAtNaN()], verbose=0).history
    assert len(history["loss"]) == 2
    assert not caplog.records
