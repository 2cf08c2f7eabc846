"""Read pickles of other frameworks without running them.

A pickle is a program. This reader knows the few calls that arrays are made of and carries them out
itself, on NumPy. Every other class or function a file names becomes an inert `Placeholder`: it is
never imported and never called, so files that carry a framework's own objects beside their tensors
can be read, and hostile ones do nothing.
"""

import collections
import pickle
from collections.abc import Callable
from typing import IO, Any

import numpy as np


class Placeholder:
    """Stands for an object of a class that is not read; takes whatever the pickle does to it."""

    kind = "?"

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass

    def append(self, item):
        """Drop an item of a list."""

    def extend(self, items):
        """Drop items of a list."""

    def add(self, item):
        """Drop an item of a set."""


class Call:
    """A function of the short list; a pickle may call it and do nothing else with it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable):
        self._function = function

    def __call__(self, *args):
        """Carry out the call."""
        return self._function(*args)

    def __setstate__(self, state):
        raise pickle.UnpicklingError("the pickle changes a function")


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickler that makes arrays, containers, numbers and strings, and placeholders.

    Args:
        file: The pickle.
        calls: More names the pickle may use, for the container it is part of.
        storage: Makes what a persistent id stands for; without it there must be none.

    Attributes:
        placeholders: Full names of what was not read, in order of appearance.

    Raises:
        pickle.UnpicklingError: From `load`, if the pickle is broken or hostile.
    """

    def __init__(
        self,
        file: IO[bytes],
        calls: dict[str, Any] | None = None,
        storage: Callable[[tuple], Any] | None = None,
    ):
        super().__init__(file, encoding="latin1")  # Python 2 wrote arrays as strings
        self._calls = {**ARRAY_CALLS, **(calls or {})}
        self._storage = storage
        self.placeholders: dict[str, type[Placeholder]] = {}

    def find_class(self, module: str, name: str):
        """Look a name up in the short list; nothing is imported."""
        full = f"{module}.{name}"
        if full == "collections.OrderedDict":
            return collections.OrderedDict
        if full in self._calls:
            return self._calls[full]
        if full not in self.placeholders:
            self.placeholders[full] = type("Placeholder", (Placeholder,), {"kind": full})
        return self.placeholders[full]

    def persistent_load(self, pid):
        """Give the tensor data a torch file keeps outside the pickle."""
        if self._storage is None or not isinstance(pid, tuple):
            raise pickle.UnpicklingError("the pickle refers to data outside of it")
        return self._storage(pid)


class _DType:
    """What `numpy.dtype` pickles as: a code, and a state with the byte order."""

    def __init__(self, code: str, *_):
        self.code, self.order = code, "="

    def __setstate__(self, state):
        self.order = state[1]

    def numpy(self) -> np.dtype:
        dtype = np.dtype(str(self.code))
        if dtype.kind not in "biufSU":  # numbers and fixed strings: nothing that holds objects
            raise pickle.UnpicklingError(f"an array of type {self.code!r}")
        return dtype.newbyteorder(">") if self.order == ">" else dtype


class _Array:
    """An array that is still without its state; `finish` gives the NumPy one."""

    def __init__(self, *_):
        self._state: tuple | None = None

    def __setstate__(self, state):
        self._state = state

    def numpy(self) -> np.ndarray:
        if self._state is None:
            raise pickle.UnpicklingError("an array without data")
        _, shape, dtype, fortran, data = self._state
        if isinstance(data, str):
            data = data.encode("latin1")
        # A buffer too short for its shape is an error of NumPy's, not a read beyond it.
        array = np.ndarray(shape, dtype.numpy(), bytes(data), order="F" if fortran else "C")
        return array.astype(array.dtype.newbyteorder("="))


def finish(value, done: dict[int, Any] | None = None):
    """Replace the arrays inside nested dicts, lists and tuples by NumPy's."""
    done = {} if done is None else done
    if id(value) not in done:  # once each: a small file can name one list a billion times
        if isinstance(value, _Array):
            done[id(value)] = value.numpy()
        elif isinstance(value, dict):
            done[id(value)] = {key: finish(item, done) for key, item in value.items()}
        elif isinstance(value, list | tuple):
            done[id(value)] = type(value)([finish(item, done) for item in value])
        else:
            return value
    return done[id(value)]


def _scalar(dtype: _DType, data: Any = None):
    data = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(data, bytes):
        raise pickle.UnpicklingError("a number without data")
    return np.frombuffer(data, dtype.numpy(), count=1)[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1" if encoding == "latin1" else "utf-8")


ARRAY_CALLS = {
    "numpy.dtype": Call(_DType),
    "numpy.ndarray": Call(_Array),
    "_codecs.encode": Call(_encode),
    **{
        f"numpy.{core}.multiarray.{name}": Call(function)
        for core in ("core", "_core")
        for name, function in (("_reconstruct", _Array), ("scalar", _scalar))
    },
}
