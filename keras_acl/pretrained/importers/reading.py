"""Read the arrays of a checkpoint file: torch's zip and its older form, and caffe2's pickle."""

import dataclasses
import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np

from keras_acl.pretrained.importers.unpickling import Call, RestrictedUnpickler, finish

TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of files written before torch 1.6
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
        not_tensors: Names among the tensors whose value is none.
        placeholders: Classes the file names that were not read.
    """

    path: Path
    tensors: dict[str, np.ndarray]
    texts: tuple[str, ...] = ()
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
    except BROKEN as error:
        raise ValueError(
            f"{path} cannot be read as a checkpoint of torch (.pyth, .pth) or caffe2 (.pkl): "
            f"{type(error).__name__}: {error}. Is the download complete?"
        ) from error
    state = _state_of(content)
    if state is None:
        found = sorted(map(str, content))[:5] if isinstance(content, dict) else type(content)
        raise ValueError(
            f"{path} holds no tensors by name. Expected them at the top or under one of "
            f"{', '.join(STATES)}. Found: {found}"
        )
    tensors = {str(key): value for key, value in state.items() if isinstance(value, np.ndarray)}
    return RawCheckpoint(
        path,
        tensors,
        texts=tuple(_texts(content, set())),
        not_tensors=tuple(str(key) for key in state if str(key) not in tensors),
        placeholders=tuple(placeholders),
    )


def _read_any(path: Path) -> tuple[Any, list[str]]:
    if zipfile.is_zipfile(path):
        return _read_zip(path)
    with open(path, "rb") as file:
        unpickler = RestrictedUnpickler(file)
        content = unpickler.load()
        if content == TORCH_MAGIC:
            return _read_legacy(file, path.stat().st_size)
    return finish(content), list(unpickler.placeholders)


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

        def storage(pid) -> np.ndarray:
            _, kind, key, _, count = pid
            if key not in storages:
                storages[key] = archive.read(f"{root}data/{key}")
            return np.frombuffer(storages[key], _storage_dtype(kind), count)

        with archive.open(pickles[0]) as file:
            unpickler = RestrictedUnpickler(file, TORCH_NAMES, storage)
            return finish(unpickler.load()), list(unpickler.placeholders)


def _read_legacy(file: IO[bytes], size: int) -> tuple[Any, list[str]]:
    """The format of torch before 1.6: pickles, then the storages one after another."""
    for _ in range(2):  # protocol version and properties of the machine that wrote it
        RestrictedUnpickler(file).load()
    storages: dict[str, np.ndarray] = {}

    def storage(pid) -> np.ndarray:
        _, kind, key, _, count, *_ = pid
        if key not in storages:
            dtype = _storage_dtype(kind)
            if count * dtype.itemsize > size:
                raise ValueError("a storage larger than the file")
            storages[key] = np.empty(count, dtype)  # filled below: tensors are views of it
        return storages[key]

    unpickler = RestrictedUnpickler(file, TORCH_NAMES, storage)
    content = unpickler.load()
    for key in RestrictedUnpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        array = storages[key]
        data = file.read(array.nbytes)
        if count != array.size or len(data) != array.nbytes:
            raise EOFError("the file ends within its tensors")
        array[:] = np.frombuffer(data, array.dtype)
    return finish(content), list(unpickler.placeholders)


class _StorageKind:
    """One of torch's storage classes: a name, no class."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __call__(self, *_):
        raise pickle.UnpicklingError("the pickle makes a storage")

    def __setstate__(self, state):
        raise pickle.UnpicklingError("the pickle changes a storage")


def _storage_dtype(kind) -> np.dtype:
    name = getattr(kind, "name", None)
    if name not in DTYPES:
        raise ValueError(f"a tensor of type {name or type(kind).__name__}")
    return DTYPES[name]


def _tensor(storage, offset, size, stride, *_) -> np.ndarray:
    item = storage.dtype.itemsize
    # NumPy checks that shape and strides stay inside the buffer.
    return np.ndarray(
        size, storage.dtype, storage, offset * item, tuple(step * item for step in stride)
    )


TORCH_NAMES = {
    "torch._utils._rebuild_tensor": Call(_tensor),
    "torch._utils._rebuild_tensor_v2": Call(_tensor),
    "torch._utils._rebuild_parameter": Call(lambda data, *_: data),
    "torch.Size": Call(lambda size=(): tuple(size)),
    **{f"torch.{name}": _StorageKind(name) for name in DTYPES},
}


def _state_of(content) -> dict | None:
    if not isinstance(content, dict):
        return None
    for name in STATES:
        if isinstance(content.get(name), dict):
            content = content[name]
            break
    return content if any(isinstance(value, np.ndarray) for value in content.values()) else None


def _texts(content, seen: set[int]) -> Iterator[str]:
    """Every string in nested containers, each container once."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict | list | tuple) and id(content) not in seen:
        seen.add(id(content))
        for value in content.values() if isinstance(content, dict) else content:
            yield from _texts(value, seen)
