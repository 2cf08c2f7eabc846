import ast
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_acl
from keras_acl.system import keras_internals

ROOT = Path(keras_acl.__file__).parent
FILES = {str(file.relative_to(ROOT)): file.read_text("utf-8") for file in ROOT.rglob("*.py")}
PRIVATE = re.compile(r"_[a-z]\w*")
# Of a named tuple, and of `os`, in spite of their names.
PUBLIC = {"_asdict", "_exit", "_fields", "_replace"}
# A format is written, read and run by its own framework, whatever computes.
FORMATS = {f"inference/{name}.py" for name in ("export_formats", "export_metadata", "parity")}
FORMATS.add("pretrained/importers/tensorflow_files.py")
backends = pytest.mark.backends


def foreign_privates(text: str) -> set[str]:
    """Private attributes that a module uses and does not define."""
    used, defined = set(), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            (used if isinstance(node.ctx, ast.Load) else defined).add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
    # What is set on another object than `self` is that object's private name.
    foreign = {
        target.attr
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute) and getattr(target.value, "id", "") != "self"
    }
    return {name for name in ((used - defined) | foreign) - PUBLIC if PRIVATE.fullmatch(name)}


def test_private_names_of_keras_are_used_in_one_file_alone():
    found = {name: foreign_privates(text) for name, text in FILES.items()}
    assert {name for name, privates in found.items() if privates} == {"system/keras_internals.py"}
    modules = re.compile(r"keras\.src|tensorflow\.python")
    assert [name for name, text in FILES.items() if modules.search(text)] == [
        "system/keras_internals.py"
    ]


def test_one_file_alone_asks_for_the_backend_and_imports_it():
    asks = re.compile(
        r"(?m)backend\.backend\(|config\.backend\(|^\s*import (tensorflow|jax|torch)\b|"
        r"""from (tensorflow|jax|torch)[. ]|import_module\(["'](tensorflow|jax|torch)"""
    )
    asking = {name for name, text in FILES.items() if asks.search(text)} - FORMATS
    assert asking == {
        f"system/{name}.py" for name in ("devices", "distribution", "keras_internals")
    }
    assert "backend" not in FILES["system/keras_internals.py"]


def nested():
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="inner")])
    return keras.Sequential([keras.Input((3,)), inner, keras.layers.Dense(1, name="outer")])


def test_all_layers_are_those_of_every_depth():
    model = nested()
    names = [layer.name for layer in keras_internals.all_layers(model)]
    assert names[0] == model.name
    assert {"inner", "outer"} <= set(names)


@backends
def test_fit_begins_at_the_first_epoch_that_it_is_told():
    epochs = []

    class Begin(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            keras_internals.set_first_epoch(self.model, 2)

        def on_epoch_begin(self, epoch, logs=None):
            keras_internals.set_first_epoch(self.model, None)
            epochs.append(epoch)

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((1, 3)), np.ones((1, 1)), epochs=4, callbacks=[Begin()], verbose=0)
    assert epochs == [2, 3]


@backends
def test_variables_have_the_place_they_were_built_in():
    variables = [keras.Variable(np.zeros(2)) for _ in range(3)]
    optimizer = keras.optimizers.SGD()
    optimizer.build(variables)
    found = [keras_internals.variable_index(optimizer, variable) for variable in variables]
    assert found == [0, 1, 2]


def test_the_first_output_stays_when_a_layer_joins_another_graph():
    layer = keras.layers.Dense(2)
    first = layer(keras.Input((3,)))
    layer(keras.Input((3,)))
    assert keras_internals.first_output(layer) is first


def test_a_graph_runs_with_other_operations_in_their_place():
    inputs = keras.Input((3,))
    function = keras.Function(inputs, keras.ops.exp(keras.ops.negative(inputs)))
    seen = []

    def run(operation):
        seen.append(type(operation).__name__)
        return lambda x: 10 * x

    outputs = keras_internals.run_through_graph(function, np.ones((1, 3)), run)
    np.testing.assert_array_equal(outputs, np.full((1, 3), 100))
    assert [name.lower() for name in seen] == ["negative", "exp"]
