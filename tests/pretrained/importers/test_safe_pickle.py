import contextlib
import io
import os
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_acl.pretrained.importers import safe_pickle as unpickling
from keras_acl.pretrained.importers.safe_pickle import Placeholder, RestrictedUnpickler
from keras_acl.pretrained.importers.torch_files import BROKEN, TORCH_NAMES, read_checkpoint


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
        b"__builtin__\neval",
        b"_codecs\nlookup",
        b"collections\nChainMap",
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
    with pytest.raises(ValueError, match="in 4 elements of data"):
        load(data)[0].numpy()


def test_tensor_larger_than_its_storage():
    storage = np.arange(4, dtype="float32")
    rebuild = TORCH_NAMES["torch._utils._rebuild_tensor_v2"]
    np.testing.assert_array_equal(rebuild(storage, 1, (3,), (1,)), [1, 2, 3])
    np.testing.assert_array_equal(rebuild(storage, 0, (2, 2), (1, 2)), [[0, 2], [1, 3]])
    for offset, size, stride in (
        (0, (5,), (1,)),
        (2, (3,), (1,)),
        (4, (1,), (1,)),
        (0, (2, 3), (3, 1)),
        (-1, (1,), (1,)),
        (0, (2,), (-1,)),
        (0, (3,), (2**60,)),  # NumPy's own check overflows
        (2**60, (2,), (1,)),
        (0, (10**9,), (0,)),  # one number, a billion times
        (0, (2,), (1, 1)),
        (0, (2.0,), (1,)),
    ):
        with pytest.raises(ValueError, match="an array of shape"):
            rebuild(storage, offset, size, stride)


def test_data_that_is_a_number_of_bytes_is_no_data():
    for data in (500_000_000, None, [1]):
        array = unpickling.PickledArray()
        array.__setstate__((1, (2,), unpickling._DType("f4"), False, data))
        with pytest.raises(pickle.UnpicklingError, match="without data"):
            array.numpy()


def test_memo_with_a_gap():
    index = (10**8).to_bytes(4, "little")
    with pytest.raises(pickle.UnpicklingError, match="entry 100000000 of its memo"):
        load(b"\x80\x02}q\x00r" + index + b".")


@pytest.mark.parametrize("dtype", ["O", "V8", "f4,f4", "M8[s]", "c8"])
def test_arrays_that_hold_no_numbers_are_left_out(dtype):
    assert load(pickle.dumps(np.zeros(2, dtype)))[0].numpy() is None


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_protocol(protocol):
    for array in (
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.eye(3)),
        np.arange(3, dtype=">i2"),
    ):
        ours = load(pickle.dumps(array, protocol))[0].numpy()
        np.testing.assert_array_equal(ours, array)
        assert ours.dtype.isnative


class Outer:
    class Inner:
        pass


def test_nested_classes_are_placeholders():
    data = b"\x80\x02c__builtin__\ngetattr\ncsome\nOuter\nX\x05\x00\x00\x00Inner\x86R)\x81}b."
    assert isinstance(load(data)[0], Placeholder)
    assert isinstance(load(pickle.dumps(Outer.Inner(), 2))[0], Placeholder)


@given(st.binary(max_size=200))
def test_noise_is_a_known_error_or_a_value_and_imports_nothing(data):
    before = set(sys.modules)
    with contextlib.suppress(*BROKEN):
        load(data)
    assert set(sys.modules) == before
