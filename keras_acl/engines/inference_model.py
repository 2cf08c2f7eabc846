"""A model as its exported file: clips in, logits and maps out, without Keras."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.engines.metadata import read_metadata
from keras_acl.engines.runtimes import RUNTIMES, Outputs, Runtime, runtime_of
from keras_acl.engines.scores import scores_of

STREAMS = ("spatial", "temporal")
AGAIN = 'Write it again: keras_acl.export(model, path, maps="all"), keras-acl export --all-maps'


class InferenceModel:
    """A trained model that an engine runs: OpenVINO, ONNX Runtime or LiteRT.

    `predict_videos`, timelines, `features`, `explain` and `evaluate_views` take it as they take a
    Keras model. It cannot be trained.

    Args:
        runtime: What runs the file.
        metadata: What the file says of itself, see `read_metadata`.
        file: The file.

    Attributes:
        saved_as: Name of the file, without its ending.
        clip: `ClipSpec` of the clips that it takes.
        labels: Class names, or `None`.
        class_names: The same, "class 0", "class 1", ... where there are none.
        num_classes: Number of classes (L).
        multi_label: Whether a clip may have several classes, or none.
        card: What is known of the weights, a `pretrained.Card`, or `None`.
        outputs: Names of what it computes.
        engine: Name of the engine.
        compute_dtype: "float32" or "bfloat16"; "int8" where `quantize` wrote the file.
        metadata: What the file says of itself.

    Example:
        >>> model = keras_acl.load_model("model.xml")
        >>> logits = model.predict(clips)
    """

    card: Any = None

    def __init__(self, runtime: Runtime, metadata: dict[str, Any], file: Path):
        self.runtime = runtime
        self.metadata = metadata
        self.file = file
        self.saved_as = file.stem
        self.clip = ClipSpec(**metadata["clip"])
        self.labels = None if metadata["labels"] is None else tuple(metadata["labels"])
        self.num_classes = int(metadata["num_classes"])
        self.multi_label = bool(metadata["multi_label"])
        self.class_names = self.labels or tuple(f"class {i}" for i in range(self.num_classes))
        self.outputs = tuple(metadata["outputs"])
        self.engine = runtime.name
        self.compute_dtype = str(metadata.get("precision", runtime.precision))

    @classmethod
    def load(cls, file: str | os.PathLike, **options: Any) -> "InferenceModel":
        """Load a file that `keras_acl.export` wrote.

        Args:
            file: `.xml`, `.onnx` or `.tflite`.
            **options: Of the runtime: `precision` and `cache` of OpenVINO.

        Raises:
            FileNotFoundError: If there is no such file.
            ImportError: If the runtime is not installed.
            ValueError: If the file is damaged, or another program wrote it.
        """
        file = Path(file)
        metadata = read_metadata(file)
        try:
            return cls(runtime_of(file, **options), metadata, file)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{file} is damaged: its metadata make no model: {error}") from error

    def __repr__(self) -> str:
        return (
            f"<InferenceModel {self.saved_as}: {self.metadata.get('architecture')}, "
            f"{self.num_classes} classes, {self.engine}, {self.compute_dtype}>"
        )

    @property
    def scored_streams(self) -> tuple[str, ...]:
        """Names of the streams that can be scored alone."""
        return tuple(stream for stream in STREAMS if f"{stream}_logits" in self.outputs)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """`(batch, T, height, width, 3)`; `None` for what is free."""
        return self.runtime.input_shape

    def check_clip(self, clips: np.ndarray) -> None:
        """Reject what is not a batch of clips that the file takes.

        Raises:
            ValueError: If shape or dtype is another.
        """
        shape, expected = clips.shape, self.input_shape
        if len(shape) != 5 or any(e not in (None, s) for s, e in zip(shape, expected, strict=True)):
            names = ("batch", "frames", "height", "width", str(self.clip.channels))
            wanted = ", ".join(str(e or name) for e, name in zip(expected, names, strict=True))
            hint = " One clip is a batch of one: clip[None]." if len(shape) == 4 else ""
            raise ValueError(
                f"{self.file.name} takes {self.clip.modality_name} clips of shape ({wanted}). "
                f"Received: shape={shape}.{hint}"
            )
        if clips.dtype != np.uint8:
            raise ValueError(
                "An exported model takes uint8 clips, values 0-255: "
                f'clips.round().astype("uint8"). Received: dtype={clips.dtype}'
            )

    def run(self, clips) -> Outputs:
        """All outputs by name, from one pass.

        Args:
            clips: uint8 RGB, (B, T, H, W, 3).

        Raises:
            ValueError: If the clips do not fit the file.
        """
        clips = np.ascontiguousarray(clips)
        self.check_clip(clips)
        return self.runtime.run(clips)

    def run_many(self, batches: Iterable[np.ndarray]) -> Iterator[Outputs]:
        """All outputs of each batch, in order, several computed at a time where that is faster."""

        def checked() -> Iterator[np.ndarray]:
            for clips in batches:
                clips = np.ascontiguousarray(clips)
                self.check_clip(clips)
                yield clips

        return self.runtime.run_many(checked())

    def predict(self, clips, batch_size: int = 8) -> np.ndarray:
        """Logits (B, L), computed some clips at a time.

        Args:
            clips: uint8 RGB, (B, T, H, W, 3).
            batch_size: Clips computed at once; that of the file if it has a fixed one.

        Raises:
            ValueError: If the clips do not fit, or there is none.
        """
        return self.outputs_of(clips, batch_size)["logits"]

    def predict_on_batch(self, clips) -> np.ndarray:
        """Logits (B, L) of a batch."""
        return self.outputs_of(clips, len(clips))["logits"]

    def outputs_of(self, clips, batch_size: int) -> Outputs:
        """As `run`, but some clips at a time; filled up where the file has a fixed batch."""
        clips = np.asarray(clips)
        fixed = self.input_shape[0]
        size = fixed or batch_size
        if size < 1 or not clips.size:
            raise ValueError(
                "Expected at least one clip, and one in a batch. Received: clips of shape "
                f"{clips.shape}, batch_size={batch_size}"
            )
        parts = []
        for first in range(0, len(clips), size):
            part = clips[first : first + size]
            missing = 0 if fixed is None else fixed - len(part)
            if missing:
                part = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
            found = self.run(part)
            parts.append({name: value[: len(part) - missing] for name, value in found.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def output_shape(self, name: str) -> tuple[int, ...]:
        """Shape of one of the outputs of a single clip.

        Raises:
            ValueError: If the file has no such output.
        """
        if name not in self.outputs:
            raise ValueError(
                f"{self.file.name} has no {name}, its outputs are {', '.join(self.outputs)}. "
                f"{AGAIN}."
            )
        batch, *shape = (size or self.clip.size for size in self.input_shape)
        clips = np.zeros((batch if self.input_shape[0] else 1, *shape), np.uint8)
        return self.run(clips)[name].shape[1:]

    def fingerprint(self, *about) -> str:
        """Equal for the same file and circumstances; see `models.fingerprint`."""
        digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode())
        for file in (self.file, self.file.with_suffix(".bin")):
            if file == self.file or self.file.suffix == ".xml":
                with open(file, "rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
        return digest.hexdigest()[:16]

    def scores(self, logits) -> np.ndarray:
        """What logits (..., L) say of each class, from 0 to 1; see `VideoClassifier.scores`."""
        return scores_of(logits, self.multi_label)

    def maps(self, clips, classes=None) -> tuple[np.ndarray, np.ndarray | None]:
        """Class activation maps at the network's resolution.

        Args:
            clips: uint8 RGB, (B, T, H, W, 3).
            classes: (B,) class of each clip; by default the one with the largest logit.

        Returns:
            Those of the spatial stream, (B, h, w), the mean over its frames, and of the temporal
            stream, (B, t, h, w), or `None` for a network of one stream.

        Raises:
            ValueError: If the file has no maps, or not those of other classes than the best.
        """
        return maps_in(self.outputs_of(clips, len(clips)), classes)


def maps_in(outputs: Outputs, classes=None) -> tuple[np.ndarray, np.ndarray | None]:
    """The maps in what a file computed; see `InferenceModel.maps`."""
    if "spatial_maps" in outputs:
        best = outputs["logits"].argmax(axis=-1) if classes is None else np.asarray(classes)
        found = [
            np.take_along_axis(maps, best.reshape(-1, *[1] * (maps.ndim - 1)), axis=-1)[..., 0]
            for maps in (outputs.get(f"{stream}_maps") for stream in STREAMS)
            if maps is not None
        ]
    elif "spatial_map" not in outputs:
        raise ValueError(f"The file has no attention maps. {AGAIN}.")
    elif classes is not None and (outputs["logits"].argmax(axis=-1) != classes).any():
        raise ValueError(f"The file has the maps of the predicted class only. {AGAIN}.")
    else:
        found = [outputs[f"{stream}_map"] for stream in STREAMS if f"{stream}_map" in outputs]
    return found[0], found[1] if len(found) > 1 else None


def is_exported(path: str | os.PathLike) -> bool:
    """Whether a path has the ending of a file that `InferenceModel.load` loads."""
    return Path(path).suffix in RUNTIMES
