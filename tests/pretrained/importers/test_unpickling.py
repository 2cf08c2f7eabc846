import contextlib
import io
import os
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_acl.pretrained.importers import unpickling
from keras_acl.pretrained.importers.reading import BROKEN, TORCH_NAMES, read_checkpoint
from keras_acl.pretrained.importers.unpickling import Placeholder, RestrictedUnpickler, finish


class Call:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def load(data: bytes):
    unpickler = RestrictedUnpickler(io.BytesIO(data), TORCH_NAMES)
    return unpickler.load(), unpickler


@pytest.mark.parametrize("protocol", range(6))
def test_hostile_pickle_does_nothing(tmp_path, protocol):
    file = tmp_path / "hostile"
    for function, argument in ((os.system, f"touch {file}"), (eval, f"open({str(file)!r}, 'w')")):
        value, unpickler = load(pickle.dumps({"x": Call(function, argument)}, protocol))
        assert isinstance(value["x"], Placeholder)
        assert len(unpickler.placeholders) == 1
    assert not file.exists()


def test_hostile_checkpoint_with_good_tensors_is_read_and_does_nothing(tmp_path):
    marker, file = tmp_path / "hostile", tmp_path / "c2.pkl"
    content = {"blobs": {"w": np.ones(3)}, "hook": Call(os.system, f"touch {marker}")}
    file.write_bytes(pickle.dumps(content))
    raw = read_checkpoint(file)
    np.testing.assert_array_equal(raw.tensors["w"], [1, 1, 1])
    assert raw.placeholders == (f"{os.system.__module__}.system",)
    assert not marker.exists()


def test_nothing_is_imported(tmp_path, monkeypatch):
    (tmp_path / "hostile_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    value, _ = load(b"chostile_module\nThing\n)R.")
    assert isinstance(value, Placeholder)
    assert "hostile_module" not in sys.modules


def test_names_inside_known_modules_are_no_way_in():
    """numpy, torch and builtins have functions that run code; none of them is on the list."""
    for name in (
        b"numpy\nload",
        b"numpy.testing._private.utils\nrunstring",
        b"torch\nload",
        b"torch._utils\n_import_dotted_name",
        b"builtins\ngetattr",
        b"__builtin__\neval",
        b"_codecs\nlookup",
        b"collections\ndefaultdict",
    ):
        value, _ = load(b"c" + name + b"\n.")
        assert issubclass(value, Placeholder)


def test_a_function_of_the_list_cannot_be_changed():
    # BUILD on the function itself, with a state that would set its attributes.
    with pytest.raises(pickle.UnpicklingError, match="changes a function"):
        load(b"c_codecs\nencode\n}X\x04\x00\x00\x00nameX\x01\x00\x00\x00xsb.")
    assert unpickling.ARRAY_CALLS["_codecs.encode"]("é") == b"\xe9"


def test_placeholders_take_what_a_pickle_does_to_objects():
    class Logger(dict):
        pass

    Logger.__module__, Logger.__qualname__ = "training", "Logger"
    sys.modules["training"] = type(sys)("training")
    sys.modules["training"].Logger = Logger
    try:
        logger = Logger(a=1)
        logger.steps = [1, 2]
        data = pickle.dumps([logger, 5])
    finally:
        del sys.modules["training"]
    (placeholder, number), unpickler = load(data)
    assert isinstance(placeholder, Placeholder)
    assert placeholder.kind == "training.Logger"
    assert number == 5
    assert list(unpickler.placeholders) == ["training.Logger"]


def test_array_larger_than_its_data():
    array = np.ones(4, "float32")
    data = pickle.dumps(array, 2).replace(b"K\x04\x85", b"K\x7f\x85")
    with pytest.raises(TypeError, match="buffer is too small"):
        finish(load(data)[0])


def test_tensor_larger_than_its_storage():
    storage = np.ones(4, "float32")
    rebuild = TORCH_NAMES["torch._utils._rebuild_tensor_v2"]
    np.testing.assert_array_equal(rebuild(storage, 1, (3,), (1,)), [1, 1, 1])
    for offset, size, stride in ((0, (5,), (1,)), (2, (3,), (1,)), (0, (2, 3), (3, 1))):
        with pytest.raises((ValueError, TypeError), match=r"strides|buffer"):
            rebuild(storage, offset, size, stride)
    with pytest.raises((ValueError, TypeError)):
        rebuild(storage, -1, (1,), (1,))


@pytest.mark.parametrize("dtype", ["O", "V8", "f4,f4", "M8[s]"])
def test_arrays_that_hold_no_numbers(dtype):
    data = pickle.dumps(np.zeros(2, dtype))
    with pytest.raises((pickle.UnpicklingError, TypeError, ValueError, AttributeError)):
        finish(load(data)[0])


def test_one_list_named_many_times_is_read_once():
    nested = [1]
    for _ in range(60):  # 2**60 entries when copied
        nested = [nested, nested]
    assert len(finish(load(pickle.dumps(nested))[0])) == 2


@given(st.binary(max_size=200))
def test_noise_is_a_known_error_or_a_value(data):
    with contextlib.suppress(*BROKEN):
        finish(load(data)[0])
