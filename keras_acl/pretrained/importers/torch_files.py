"""Read the arrays of a checkpoint file: torch's zip and its older form, and caffe2's pickle."""

import dataclasses
import io
import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np

from keras_acl.pretrained.importers.safe_pickle import (
    Call,
    PickledArray,
    Placeholder,
    RestrictedUnpickler,
    view,
)

TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of files written before torch 1.6
ZIP_MAGIC = b"PK\x03\x04"
STATES = ("model_state", "state_dict", "blobs")  # where the formats keep their tensors
# Whatever a damaged or hostile pickle runs into.
BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
)
DTYPES = {
    "FloatStorage": np.dtype("float32"),
    "DoubleStorage": np.dtype("float64"),
    "HalfStorage": np.dtype("float16"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("int64"),
    "IntStorage": np.dtype("int32"),
    "ShortStorage": np.dtype("int16"),
    "CharStorage": np.dtype("int8"),
    "ByteStorage": np.dtype("uint8"),
    "BoolStorage": np.dtype("bool"),
}


@dataclasses.dataclass(frozen=True)
class RawCheckpoint:
    """What a file holds, under its own names.

    Args:
        path: The file.
        tensors: Arrays by name.
        texts: Strings found beside them: configurations.
        beside: What else the file holds, beside the network's state.
        not_tensors: Names among the tensors whose value is none.
        placeholders: Classes the file names that were not read.
    """

    path: Path
    tensors: dict[str, np.ndarray]
    texts: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    not_tensors: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()


def read_checkpoint(path) -> RawCheckpoint:
    """Read a checkpoint without running anything in it, and without torch.

    Args:
        path: A `.pyth`, `.pth`, `.pt` or `.pkl` file, as torch or caffe2 wrote it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is broken, or holds no tensors by name.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint at {path}")
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty. Expected a checkpoint of torch or caffe2.")
    try:
        content, placeholders = _read_any(path)
        state, beside = _state_of(content)
        arrays = {str(key): _to_numpy(value) for key, value in state.items()}
        texts = tuple(_texts(content))
    except BROKEN as error:
        raise ValueError(
            f"{path} cannot be read as a checkpoint of torch (.pyth, .pth) or caffe2 (.pkl): "
            f"{type(error).__name__}: {error}. If it was downloaded, is it complete?"
        ) from error
    tensors = {name: array for name, array in arrays.items() if array is not None}
    if not tensors:
        raise ValueError(
            f"{path} holds no tensors by name. Expected a state dict of PyTorchVideo, PySlowFast "
            f"(also caffe2) or MMAction2, alone or under one of {', '.join(STATES)}. "
            f"Found: {_in_words(content)}"
        )
    return RawCheckpoint(
        path,
        tensors,
        texts=texts,
        beside=beside,
        not_tensors=tuple(name for name in arrays if name not in tensors),
        placeholders=tuple(placeholders),
    )


def _read_any(path: Path) -> tuple[Any, list[str]]:
    if zipfile.is_zipfile(path):
        return _read_zip(path)
    with open(path, "rb") as file:
        if file.read(4) == ZIP_MAGIC:
            raise EOFError("a zip archive whose end is missing")
        file.seek(0)
        unpickler = RestrictedUnpickler(file)
        content = unpickler.load()
        if content == TORCH_MAGIC:
            return _read_legacy(file, path.stat().st_size)
    return content, list(unpickler.placeholders)


def _read_zip(path: Path) -> tuple[Any, list[str]]:
    """The format of torch since 1.6: one pickle, and a member of raw bytes for each storage."""
    with zipfile.ZipFile(path) as archive:
        # As torch writes it; compressed, a small file could fill the memory.
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("a compressed zip, which torch does not write")
        pickles = [name for name in archive.namelist() if name.endswith("data.pkl")]
        if len(pickles) != 1:
            raise ValueError(f"a zip with {len(pickles)} members data.pkl, expected one")
        root = pickles[0].removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist():
            order = archive.read(f"{root}byteorder")
            if order != b"little":
                raise ValueError(f"tensors in {order.decode()} byte order, expected little")

        storages: dict[str, bytes] = {}

        def storage(pid) -> np.ndarray | Placeholder:
            _, kind, key, _, count = pid
            dtype = _storage_dtype(kind)
            if dtype is None:
                return Placeholder()
            if key not in storages:
                storages[key] = archive.read(f"{root}data/{key}")
            return view(storages[key], dtype, (count,))

        unpickler = RestrictedUnpickler(io.BytesIO(archive.read(pickles[0])), TORCH_NAMES, storage)
        return unpickler.load(), list(unpickler.placeholders)


def _read_legacy(file: IO[bytes], size: int) -> tuple[Any, list[str]]:
    """The format of torch before 1.6: pickles, then the storages one after another."""
    for _ in range(2):  # protocol version and properties of the machine that wrote it
        RestrictedUnpickler(file).load()
    storages: dict[str, np.ndarray] = {}

    def storage(pid) -> np.ndarray:
        _, kind, key, _, count, *_ = pid
        if key not in storages:
            dtype = _storage_dtype(kind)
            if dtype is None:  # how long it is in the file is unknown, too
                raise ValueError(f"a tensor of type {kind.kind}")
            if not 0 <= count * dtype.itemsize <= size:
                raise ValueError("a storage larger than the file")
            storages[key] = np.empty(count, dtype)  # filled below: tensors are views of it
        return storages[key]

    unpickler = RestrictedUnpickler(file, TORCH_NAMES, storage)
    content = unpickler.load()
    keys = RestrictedUnpickler(file).load()
    if set(keys) != set(storages):
        raise EOFError("the file does not hold the data of all its tensors")
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        array = storages[key]
        data = file.read(array.nbytes)
        if count != array.size or len(data) != array.nbytes:
            raise EOFError("the file ends within its tensors")
        array[:] = np.frombuffer(data, array.dtype)
    return content, list(unpickler.placeholders)


class _StorageKind:
    """One of torch's storage classes: a name, no class."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __call__(self, *_):
        raise pickle.UnpicklingError("the pickle makes a storage")

    def __setstate__(self, state):
        raise pickle.UnpicklingError("the pickle changes a storage")


def _storage_dtype(kind) -> np.dtype | None:
    """The type of a storage's numbers; `None` for one that has no counterpart here."""
    return DTYPES.get(kind.name) if isinstance(kind, _StorageKind) else None


def _tensor(storage, offset, size, stride, *_) -> np.ndarray | Placeholder:
    if not isinstance(storage, np.ndarray):
        return Placeholder()
    return view(storage, storage.dtype, size, offset, stride)


TORCH_NAMES = {
    "torch._utils._rebuild_tensor": Call(_tensor),
    "torch._utils._rebuild_tensor_v2": Call(_tensor),
    "torch._utils._rebuild_parameter": Call(lambda data, *_: data),
    "torch.Size": Call(lambda size=(): tuple(size)),
    **{f"torch.{name}": _StorageKind(name) for name in DTYPES},
}


def _state_of(content) -> tuple[dict, tuple[str, ...]]:
    """The dict that holds tensors by name, and the names of what stands beside it."""
    if not isinstance(content, dict):
        return {}, ()
    for name in STATES:
        if isinstance(content.get(name), dict):
            return content[name], tuple(str(key) for key in content if key != name)
    return content, ()


def _to_numpy(value) -> np.ndarray | None:
    """The array of a state dict's entry; `None` for anything else."""
    if isinstance(value, PickledArray):
        return value.numpy()
    return value if isinstance(value, np.ndarray) else None


def _texts(content) -> Iterator[str]:
    """Every string in nested containers, in order, each container once."""
    waiting, seen = [content], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            items = value.values() if isinstance(value, dict) else value
            waiting.extend(reversed(list(items)))


def _in_words(content) -> str:
    if isinstance(content, dict):
        return ", ".join(sorted(map(str, content))[:5]) or "an empty dict"
    if isinstance(content, Placeholder):
        return f"an object of class {content.kind}; save its state_dict() instead"
    return f"a {type(content).__name__}"
