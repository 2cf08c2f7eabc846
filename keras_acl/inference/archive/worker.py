"""What each process of an archive run does: videos in, a row for each out. No frame leaves it."""

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_acl.engines.inference_model import STREAMS, InferenceModel, is_exported
from keras_acl.engines.scores import scores_of
from keras_acl.inference.archive.manifest import Item, printable_name
from keras_acl.inference.archive.options import ArchiveOptions
from keras_acl.inference.feature_extraction import rows_ahead
from keras_acl.system.printable import escaped
from keras_acl.video.address import is_address, local_copy
from keras_acl.video.clips import read_uniform_clips
from keras_acl.video.read_ahead import read_ahead
from keras_acl.video.video import DecodingError, Video

BEST = 5  # classes kept of each video
Row = dict[str, Any]


class ArchiveWorker:
    """A model and what it says of videos; loaded at its first work, once.

    Args:
        model: Name of the model, as `load_for_inference` takes it.
        options: What is computed.
        threads: Videos decoded at a time.
        environment: Variables that are to be set before Keras is imported.
    """

    def __init__(
        self, model: str, options: ArchiveOptions, threads: int, environment: Mapping[str, str]
    ) -> None:
        self._name, self._options, self._threads = model, options, threads
        self._environment = dict(environment)
        self._model: Any = None
        self._compute: Callable[[np.ndarray, int], np.ndarray] | None = None
        self._outputs = output_names(options)

    def load(self) -> str:
        """Load the model, and return the digest of its files.

        Raises:
            OSError, ValueError, ImportError: As `load_for_inference`; ValueError, too, if the model
                has not what is to be kept.
        """
        if self._model is None:
            os.environ.update(self._environment)
            from keras_acl.inference.load import load_for_inference

            options = self._options
            model = load_for_inference(self._name, options.precision, options.engine)
            self._compute = computing(model, self._outputs)
            self._model = model
        return model_digest(self._name)

    def classify(self, items: Sequence[Item]) -> list[Row]:
        """A row for each video, in order.

        A row has `path`, `start` and `end`; and either the `problem` that kept the video from being
        read, or `label`, `score`, `labels` and `scores` of the best five classes, the same with the
        prefixes `spatial_` and `temporal_`, and `features`, as far as they are wanted.
        """
        self.load()
        assert self._compute is not None
        clips, size = self._options.clips, self._options.batch_size
        rows: dict[int, Row] = {}
        read = read_ahead(items, self._read, self._threads)
        with contextlib.closing(rows_ahead(read, self._compute, clips, size)) as computed:
            for place, found in computed:
                row = {name: getattr(items[place].video, name) for name in ("start", "end")}
                row["path"] = printable_name(items[place])
                said = (
                    {"problem": escaped(found.reason)}
                    if isinstance(found, DecodingError)
                    else self._said(found)
                )
                rows[place] = row | said
        return [rows[place] for place in range(len(items))]

    def _read(self, item: Item) -> list[np.ndarray]:
        """The clips of a video, (V, T, H, W, 3); whatever goes wrong is this video's."""
        try:
            with _local(item.video) as video:
                return [read_uniform_clips(video, self._model.clip, self._options.clips)]
        except DecodingError:
            raise
        except OSError as error:
            raise DecodingError(item.name, error.strerror or str(error)) from error
        except Exception as error:  # one file of a million must not end the work
            raise DecodingError(item.name, f"{type(error).__name__}: {error}") from error

    def _said(self, found: np.ndarray) -> Row:
        """Columns of a row; `found` has all outputs of each clip, (V, sum of their widths)."""
        classes = self._model.num_classes
        logits = [name for name in self._outputs if name != "features"]
        row: Row = {}
        for place, name in enumerate(logits):
            part = found[:, place * classes : (place + 1) * classes]  # (V, L)
            scores = scores_of(part, self._model.multi_label).mean(axis=0)
            row |= best(scores, self._model.class_names, name.removesuffix("logits"))
        if "features" in self._outputs:
            row["features"] = found[:, len(logits) * classes :].mean(axis=0)
        return row


def output_names(options: ArchiveOptions) -> tuple[str, ...]:
    """Outputs of a model that are needed; the features last."""
    streams = [f"{stream}_logits" for stream in STREAMS] if options.per_stream else []
    return ("logits", *streams, *(["features"] if options.features else []))


def best(scores: np.ndarray, names: Sequence[str], prefix: str) -> Row:
    """The best classes of scores (L,) as columns."""
    order = np.argsort(-scores, kind="stable")[:BEST]
    labels = [names[index] for index in order]
    return {
        f"{prefix}label": labels[0],
        f"{prefix}score": float(scores[order[0]]),
        f"{prefix}labels": labels,
        f"{prefix}scores": scores[order].astype(np.float32),
    }


def computing(model, names: Sequence[str]) -> Callable[[np.ndarray, int], np.ndarray]:
    """What computes the outputs of clips, some at a time, side by side: (B, sum of widths).

    Raises:
        ValueError: If the model has not all of them.
    """
    if isinstance(model, InferenceModel):
        if lacking := [name for name in names if name not in model.outputs]:
            model.output_shape(lacking[0])  # which says so
        return lambda clips, size: _joined(model.outputs_of(clips, size), names)
    from keras_acl.inference.named_outputs import named_outputs
    from keras_acl.models.compiled_call import CompiledCall, predict_padded
    from keras_acl.models.supervised_streams import SupervisedStreams

    if "spatial_logits" in names and not isinstance(model, SupervisedStreams):
        raise ValueError(f"{type(model).__name__} has no two streams: leave per_stream out.")

    def wanted(clips):
        found = named_outputs(model, clips)[1]
        return {name: found[name] for name in names}

    call = CompiledCall(wanted, [model])
    return lambda clips, size: _joined(predict_padded(call, clips, size), names)


def model_digest(name: str) -> str:
    """Equal for the same model, wherever its files are."""
    from keras_acl.inference.kept_engines import source_files
    from keras_acl.pretrained.model_folder import sha256_of

    if is_exported(name):
        files = [Path(name), *([Path(name).with_suffix(".bin")] * name.endswith(".xml"))]
    else:
        files = source_files(name)
    digest = hashlib.sha256("".join(map(sha256_of, files)).encode())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _local(video: Video) -> Iterator[Video]:
    """The video itself, or a copy of what lies at an address."""
    if not is_address(video.path):
        yield video
        return
    with local_copy(video.path) as copy:
        yield dataclasses.replace(video, path=str(copy))


def _joined(outputs: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    return np.concatenate([np.asarray(outputs[name]) for name in names], axis=-1)
