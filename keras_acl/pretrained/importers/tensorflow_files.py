"""Read the arrays of a TensorFlow checkpoint: an index, and its data beside it."""

import glob
import importlib
import math
import re
from pathlib import Path

import numpy as np

from keras_acl.pretrained.importers.torch_files import RawCheckpoint

PATTERNS = "*?[]"


def bundle_of(path) -> Path | None:
    """What TensorFlow calls a checkpoint, if the path leads to one: its files without their ends.

    Args:
        path: `model.ckpt`, `model.ckpt.index` or `model.ckpt.data-00000-of-00001`.
    """
    path = Path(path)
    bundle = path.with_name(re.sub(r"\.(index|data-\d{5}-of-\d{5})$", "", path.name))
    return bundle if _index(bundle).is_file() and (path != bundle or not path.exists()) else None


def read_bundle(bundle: Path) -> RawCheckpoint:
    """Read a checkpoint of TensorFlow's `Saver`, with TensorFlow, whatever Keras' backend is.

    Args:
        bundle: Its files without their ends, see `bundle_of`.

    Raises:
        ValueError: If a file is broken or missing, or there are no arrays of numbers.
    """
    data = list(bundle.parent.glob(f"{glob.escape(bundle.name)}.data-*-of-*"))
    if not data:
        raise ValueError(
            f"{_index(bundle)} names tensors whose values are in {bundle.name}.data-00000-of-00001"
            ", which is not beside it. Put both files into one folder."
        )
    if found := sorted(set(PATTERNS) & set(str(bundle))):
        raise ValueError(
            f"TensorFlow takes {' '.join(found)} in the path of a checkpoint for a pattern: rename "
            f"{bundle}"
        )
    tf = importlib.import_module("tensorflow")  # a dependency, and a reader of its own format
    try:
        reader = tf.train.load_checkpoint(str(bundle))
        shapes = reader.get_variable_to_shape_map()
        types = reader.get_variable_to_dtype_map()
        numbers = {name for name in shapes if np.dtype(types[name].as_numpy_dtype).kind in "biuf"}
        needed = sum(math.prod(shapes[name]) * types[name].size for name in numbers)
        if needed > sum(file.stat().st_size for file in data):
            raise ValueError("its data are shorter than its tensors")
        tensors = {name: reader.get_tensor(name) for name in sorted(numbers)}
    except (tf.errors.OpError, RuntimeError, ValueError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{bundle} cannot be read as a checkpoint of TensorFlow: {reason}. If it was "
            "downloaded, is it complete?"
        ) from error
    if not tensors:
        raise ValueError(f"{bundle} holds no tensors by name.")
    return RawCheckpoint(bundle, tensors, not_tensors=tuple(sorted(shapes.keys() - numbers)))


def _index(bundle: Path) -> Path:
    return bundle.with_name(f"{bundle.name}.index")
