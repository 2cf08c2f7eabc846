"""Read pickles of other frameworks without running them.

A pickle is a program. This reader knows the few calls that arrays are made of and carries them out
itself, on NumPy. Every other class or function a file names becomes an inert `Placeholder`: it is
never imported and never called, so files that carry a framework's own objects beside their tensors
can be read, and hostile ones do nothing.
"""

import collections
import math
import pickle
import pickletools
from collections.abc import Callable
from typing import IO, Any, Literal

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


def _placeholder_class(name: str) -> type[Placeholder]:
    return type("Placeholder", (Placeholder,), {"kind": name})


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
        file: The pickle; it must be seekable.
        calls: More names the pickle may use, for the container it is part of.
        storage: Makes what a persistent id stands for; without it there must be none.

    Attributes:
        placeholders: What was not read, by full name, in order of appearance.
    """

    def __init__(
        self,
        file: IO[bytes],
        calls: dict[str, Any] | None = None,
        storage: Callable[[tuple], Any] | None = None,
    ):
        super().__init__(file, encoding="latin1")  # Python 2 wrote arrays as strings
        self._file = file
        self._calls = {**ARRAY_CALLS, **(calls or {})}
        self._storage = storage
        self.placeholders: dict[str, type[Placeholder]] = {}

    def load(self):
        """Read the pickle.

        Raises:
            pickle.UnpicklingError: If it is broken or hostile; other errors as well, see `BROKEN`
                in the module that reads files.
        """
        _check_memo(self._file)
        return super().load()

    def find_class(self, module: str, name: str):
        """Look a name up in the short list; nothing is imported."""
        full = f"{module}.{name}"
        if full == "collections.OrderedDict":
            return collections.OrderedDict
        if full in self._calls:
            return self._calls[full]
        if full not in self.placeholders:
            self.placeholders[full] = _placeholder_class(full)
        return self.placeholders[full]

    def persistent_load(self, pid):
        """Give the tensor data a torch file keeps outside the pickle."""
        if self._storage is None or not isinstance(pid, tuple):
            raise pickle.UnpicklingError("the pickle refers to data outside of it")
        return self._storage(pid)


def _check_memo(file: IO[bytes]) -> None:
    """Refuse a memo with gaps: Python allocates it up to the largest index a pickle names."""
    start = file.tell()
    for opcode, argument, position in pickletools.genops(file):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT"):
            index = int(argument or 0)  # the n-th memo entry cannot come before the n-th byte
            if position is None or index > position - start:
                raise pickle.UnpicklingError(f"entry {index} of its memo comes too early")
    file.seek(start)


class _DType:
    """What `numpy.dtype` pickles as: a code, and a state with the byte order."""

    def __init__(self, code: str, *_):
        self.code, self.order = code, "="

    def __setstate__(self, state):
        self.order = state[1]

    def numpy(self) -> np.dtype | None:
        """The type if it is of numbers or fixed strings: nothing that holds objects."""
        dtype = np.dtype(str(self.code))
        if dtype.kind not in "biufSU":
            return None
        return dtype.newbyteorder(">") if self.order == ">" else dtype


class PickledArray:
    """A NumPy array as a pickle describes it, not made yet."""

    def __init__(self, *_):
        self._state: tuple | None = None

    def __setstate__(self, state):
        self._state = state

    def numpy(self) -> np.ndarray | None:
        """The array; `None` if it does not hold numbers.

        Raises:
            pickle.UnpicklingError: If it has no data.
            TypeError: If it has too little.
        """
        if self._state is None:
            raise pickle.UnpicklingError("an array without data")
        _, shape, dtype, fortran, data = self._state
        dtype = dtype.numpy()
        if dtype is None:
            return None
        if isinstance(data, str):
            data = data.encode("latin1")
        if not isinstance(data, bytes | bytearray):
            raise pickle.UnpicklingError("an array without data")
        array = view(data, dtype, shape, order="F" if fortran else "C")
        return array.astype(array.dtype.newbyteorder("="))


def view(
    data, dtype: np.dtype, shape, offset: int = 0, steps=None, order: Literal["C", "F"] = "C"
) -> np.ndarray:
    """An array that looks at `data`, which must hold every element of it.

    Counted in Python's integers: NumPy's own check overflows on hostile strides.

    Args:
        data: Bytes, or a flat array of `dtype`.
        dtype: Type of the elements.
        shape: Shape of the array.
        offset: First element.
        steps: Elements from one to the next along each axis; contiguous by default.
        order: "C" or "F", without steps.

    Raises:
        ValueError: If an element lies outside of the buffer, or there are more of them than the
            buffer holds.
    """
    shape = tuple(shape)
    steps = None if steps is None else tuple(steps)
    numbers = (*shape, offset, *(steps or ()))
    if not all(type(n) is int and n >= 0 for n in numbers) or len(
        shape if steps is None else steps
    ) != len(shape):
        raise ValueError(f"an array of shape {shape} and strides {steps}")
    base = data if isinstance(data, np.ndarray) else _elements(data, dtype)
    count = math.prod(shape)
    last = count - 1
    if steps is not None:
        last = sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
    if count and (count > base.size or offset + last >= base.size):
        raise ValueError(f"an array of shape {shape} in {base.size} elements of data")
    if not count:
        return np.zeros(shape, dtype)
    if steps is None:
        return base[offset : offset + count].reshape(shape, order=order)
    strides = tuple(step * dtype.itemsize for step in steps)
    return np.lib.stride_tricks.as_strided(base[offset:], shape, strides)


def _elements(data, dtype: np.dtype) -> np.ndarray:
    whole = len(data) // dtype.itemsize if dtype.itemsize else 0
    return np.frombuffer(data, dtype, whole) if whole else np.zeros(0, dtype)


def _scalar(dtype: _DType, data: Any = None):
    data = data.encode("latin1") if isinstance(data, str) else data
    kind = dtype.numpy()
    if kind is None or not isinstance(data, bytes):
        return Placeholder()
    return view(data, kind, (1,))[0]


def _from_buffer(data, dtype: _DType, shape, order: str) -> PickledArray:
    array = PickledArray()
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1" if encoding == "latin1" else "utf-8")


def _attribute(*_) -> type[Placeholder]:
    """A nested class is pickled as an attribute of the outer one; nothing is looked up."""
    return _placeholder_class("a nested class")


ARRAY_CALLS = {
    "numpy.dtype": Call(_DType),
    "numpy.ndarray": Call(PickledArray),
    "_codecs.encode": Call(_encode),
    "builtins.getattr": Call(_attribute),
    "__builtin__.getattr": Call(_attribute),
    "builtins.bytearray": Call(lambda data=b"", *_: data),
    "collections.defaultdict": Call(lambda *_: {}),
    **{
        f"numpy.{core}.{module}.{name}": Call(function)
        for core in ("core", "_core")
        for module, name, function in (
            ("multiarray", "_reconstruct", PickledArray),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}
