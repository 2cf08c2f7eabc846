"""A model as a file for another engine, run once and compared before it is there."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from keras import ops

from keras_acl.engines.metadata import JSON
from keras_acl.engines.runtimes import INPUT
from keras_acl.inference.export_formats import Format, format_of
from keras_acl.inference.export_metadata import describe
from keras_acl.inference.named_outputs import named_outputs
from keras_acl.inference.parity import largest_difference, run_exported
from keras_acl.layers import ClassActivationMaps
from keras_acl.models import optimize
from keras_acl.models.compiled_call import CompiledCall
from keras_acl.models.supervised_streams import STREAMS
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.moving_figures.dataset import MovingFigures
from keras_acl.system.atomic_write import check_room, folder_beside
from keras_acl.video.clips import read_uniform_clips
from keras_acl.video.video import VideoSource, as_video

TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Exported:
    """A file that was written, and how exact it is.

    Args:
        path: The file, or the folder of a SavedModel.
        format: Name of its format.
        difference: Largest difference from the Keras model, in parts of the output's largest value
            where that is above 1.
    """

    path: Path
    format: str
    difference: float


def export(
    model: VideoClassifier,
    path: str | os.PathLike,
    *,
    maps: bool | Literal["all"] = False,
    batch: int | None = None,
    form: Literal["native", "2d"] | None = None,
    video: VideoSource | None = None,
) -> Exported:
    """Write a model for another engine; the ending of the path chooses the format.

    `.xml`: OpenVINO IR, with a `.bin` beside it. `.onnx`: ONNX. `.tflite`: LiteRT, of its built-in
    operations alone. No ending: the folder of a TensorFlow SavedModel. These are written on the
    TensorFlow backend; `.pt2`, torch's exported program, on the torch backend.

    The file takes uint8 clips named `clip`, computes in float32, and returns `logits`. Batch
    normalisation is folded into the convolutions, which are 2D in LiteRT. Labels, clip, version and
    card are inside: `read_metadata`. It is run at once, and appears only if it computes the same.

    Args:
        model: A classifier of this package; it stays as it is.
        path: File to write; one of that name is replaced. A folder must be new or empty, or hold
            an earlier export.
        maps: Whether it returns more: `features`, what the dense layer sees; `spatial_logits` and
            `temporal_logits`, what each stream says alone; `spatial_map` and `temporal_map`, the
            class activation maps of the class with the largest logit, at the network's resolution.
            `"all"`: those of all classes, too, `spatial_maps` and `temporal_maps`, so that
            `explain` can show any class.
        batch: Clips of a batch, of the clip's size; `None` for any number, and in OpenVINO IR and
            a SavedModel for any size.
        form: `"native"`, or `"2d"` for 2D convolutions only, as TensorRT's int8 wants them; `None`
            for what the format's runtime is best with.
        video: Video whose clips it is compared on; drawn figures by default.

    Returns:
        An `Exported`.

    Raises:
        ValueError: If an argument or the backend does not fit, or the file computes something else.
        ImportError: If a package is missing.
        OSError: If the file cannot be written.

    Example:
        >>> model = keras_acl.load_model("model.keras")
        >>> keras_acl.export(model, "model.onnx", maps=True)
    """
    path = Path(os.path.abspath(path))  # "." has a name, too
    target = _checked_format(path, maps, batch, form)
    form = form or ("2d" if target.lowered else "native")
    with folder_for(path) as folder:
        folded = optimize(model, "float32").copy_with(form=form)
        check_room(path, model.variables)  # OpenVINO does not say what failed
        clips = _clips(model, batch or 2, video)
        expected = _reference(model, maps, clips)
        signature = _signature(clips, batch, target.free_size)
        file = folder / path.name
        target.write(_network(folded, maps), signature, file, describe(model, list(expected)))
        difference = _checked_difference(target.name, expected, run_exported(file, clips))
        move(file, path)
    return Exported(path, target.name, difference)


def _checked_format(path: Path, maps: bool | str, batch: int | None, form: str | None) -> Format:
    """The format of a path, after what can be refused before the work is done."""
    target = format_of(path)
    if batch is not None and batch < 1:
        raise ValueError(f"Expected a batch of at least one clip. Received: batch={batch}")
    if maps not in (True, False, "all"):
        raise ValueError(f'Expected `maps` to be True, False or "all". Received: maps={maps!r}')
    if form not in (None, "native", "2d"):
        raise ValueError(f'Expected `form` to be "native", "2d" or None. Received: form={form!r}')
    target.check_installed()
    check_target(path)
    return target


@contextlib.contextmanager
def folder_for(path: Path) -> Iterator[Path]:
    """A folder to write a file to, beside its place; removed at the end.

    Raises:
        OSError: If there can be none, in words about the file.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(folder_beside(path))
        except OSError as error:
            reason = f"cannot be written: {error.strerror}"
            raise OSError(error.errno, reason, str(path)) from error
        yield folder


def _signature(clips: np.ndarray, batch: int | None, free_size: bool) -> list[keras.InputSpec]:
    _, frames, *size, channels = clips.shape
    if batch is None and free_size:
        size = [None, None]
    return [keras.InputSpec("uint8", shape=(batch, frames, *size, channels), name=INPUT)]


def _outputs(model, clip, maps: bool | str) -> dict:
    """What an export returns, by name."""
    features, found = named_outputs(model, clip)
    if not maps:
        return {"logits": found["logits"]}
    for name, stream, kernel in zip(STREAMS, features, model.class_weights, strict=False):
        stream = ops.cast(model.places(stream), "float32")
        if name == "spatial":
            stream = ops.mean(stream, axis=1, keepdims=True)
        made = {"map": _map_of_best_class(stream, kernel, found["logits"])}
        if maps == "all":
            made["maps"] = ClassActivationMaps()((stream, kernel))
        for ending, value in made.items():
            found[f"{name}_{ending}"] = value[:, 0] if name == "spatial" else value
    return found


def _map_of_best_class(features, kernel, logits):
    """(B, t, h, w) of features (B, t, h, w, C), by operations that every format has."""
    _, best = ops.top_k(logits, 1)  # OpenVINO does not know what ops.argmax becomes
    chosen = ops.one_hot(best[:, 0], logits.shape[-1], dtype="float32")
    weights = ops.matmul(chosen, ops.transpose(kernel))  # (B, C)
    _, frames, height, width, channels = ops.shape(features)
    flat = ops.reshape(features, (-1, frames * height * width, channels))
    found = ops.matmul(flat, weights[:, :, None])  # (B, t·h·w, 1)
    return ops.reshape(found, (-1, frames, height, width))


def _network(model, maps: bool | str) -> CompiledCall:
    return CompiledCall(lambda clip: _outputs(model, clip, maps), [model], "export")


def _reference(model, maps: bool | str, clips: np.ndarray) -> dict[str, np.ndarray]:
    """What the Keras model computes, in float32."""
    if model.dtype_policy.name != "float32":
        model = model.copy_with(dtype="float32")
    outputs = _outputs(model, clips, maps)
    return {name: ops.convert_to_numpy(value) for name, value in outputs.items()}


def _clips(model, count: int, video: VideoSource | None) -> np.ndarray:
    """Clips to compare on, uint8 (count, T, size, size, 3)."""
    if video is not None:
        return read_uniform_clips(as_video(video), model.clip, count)
    frames, size = model.clip.frames, model.clip.size
    drawn = MovingFigures(frames=max(frames, 8), size=max(size + size % 2, 32))
    clips = drawn.arrays(count)[0][:, :frames, :size, :size]
    # Any values will do for flow.
    return np.concatenate([clips, clips], axis=-1)[..., : model.clip.channels].copy()


def _checked_difference(name: str, expected: dict, found: dict) -> float:
    output, difference = largest_difference(expected, found)
    if not difference <= TOLERANCE:
        raise ValueError(
            f"{name} computes something else than the Keras model, so nothing was written: "
            f"{output} differs by {difference:.1e}; {TOLERANCE:.0e} is allowed."
        )
    return difference


def check_target(path: Path) -> None:
    """Refuse to write where something else is.

    Raises:
        ValueError: If a folder, a file or the weights of another file are in the way.
    """
    for folder in path.parents:
        if folder.is_file():
            raise ValueError(f"{folder} is a file. Expected a folder to write to.")
    if path.suffix:
        if path.is_dir():
            raise ValueError(f"{path} is a folder. Expected a file to write.")
        weights = path.with_suffix(".bin")
        if path.suffix == ".xml" and weights.exists() and not path.exists():
            raise ValueError(f"{weights} is there, and no export: its weights would replace it.")
    elif path.is_file():
        raise ValueError(f"{path} is a file. Expected a folder for a SavedModel.")
    elif path.is_dir() and any(path.iterdir()) and not (path / "assets.extra" / JSON).is_file():
        raise ValueError(
            f"{path} holds other files, and no earlier export. Give a new or an empty folder."
        )


def move(file: Path, path: Path) -> None:
    """Put what was written in its place, its second file first."""
    if file.is_dir():
        if path.is_dir():
            os.rename(path, file.with_name("replaced"))  # removed with the folder around it
        os.rename(file, path)
        return
    if file.suffix == ".xml":
        os.replace(file.with_suffix(".bin"), path.with_suffix(".bin"))
    os.replace(file, path)
