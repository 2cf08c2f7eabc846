import keras
import numpy as np
import pytest
from tiny_network import slow

from keras_acl import recipes
from keras_acl.training.runs.kept import save_models


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_what_is_kept_has_the_average_of_the_weights(tmp_path, dtype):
    model = slow(dtype=dtype)
    recipes.finetune(ema=0.9).compile(model)
    averages = [v for v in model.optimizer.variables if "average" in v.path]
    assert len(averages) == len(model.trainable_variables)
    for variable in averages:
        variable.assign(np.full(variable.shape, 7.0))
    (tmp_path / "checkpoint").mkdir()
    model.save_weights(tmp_path / "checkpoint" / "epoch-0001.weights.h5")
    save_models(model, tmp_path, "last")
    kept = keras.saving.load_model(tmp_path / "model.keras")
    assert all((keras.ops.convert_to_numpy(v) == 7).all() for v in kept.trainable_variables)
