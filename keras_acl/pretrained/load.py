"""Trained models by name, from a folder or from the Hub, with what a user wants changed."""

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from keras_acl.clip import ClipSpec
from keras_acl.engines.inference_model import is_exported
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.pretrained.config import read_config
from keras_acl.pretrained.find_folder import find_folder
from keras_acl.pretrained.keras_file import load_keras_file
from keras_acl.pretrained.metadata import Metadata, check_files, read_metadata
from keras_acl.pretrained.model_folder import CONFIG, SAVE_AGAIN, WEIGHTS
from keras_acl.pretrained.weight_checks import check_loaded, check_size
from keras_acl.speed.cost import count_parameters
from keras_acl.training import recipes

logger = logging.getLogger("keras_acl")
AS_SAVED = "saved"


def load_pretrained(
    name: str | os.PathLike,
    num_classes: int | None = None,
    labels: Sequence[str] | None = None,
    clip: ClipSpec | None = None,
    dropout: float | None = None,
    dtype: Any = None,
    consistency_weight: float | Literal["saved"] | None = AS_SAVED,
    multi_label: bool | None = None,
) -> VideoClassifier:
    """Load a trained model, ready for `predict` and `fit`.

    A model that was downloaded once is found again without a network.

    Args:
        name: A preset (see `list_presets`), a folder that `save_pretrained` wrote, or
            `"hf://user/repo"`, with `"@revision"` for a tag, branch or commit.
        num_classes: Number of classes. With another number than the saved one the dense layer
            starts anew, the streams keep their weights, and a warning says so.
        labels: Class names. Other names than the saved ones make the dense layer start anew, too.
        clip: Clips that the model takes, if not those it was trained on.
        dropout: Dropout rate before the dense layer.
        dtype: Dtype policy, e.g. `"mixed_bfloat16"`.
        consistency_weight: λ of Eq. 4; `None` leaves the term out of the training graph.
        multi_label: Whether a clip may have several classes. Where the saved model takes the other
            kind, the dense layer starts anew, too.

    Returns:
        The model with `clip`, `labels` and `card`, compiled by `recipes.finetune()` with the
        constant learning rate of a batch of 8: ready for `predict`, `evaluate` and a short `fit`,
        over whose first epochs the weight of the consistency term grows (`model.fit_callbacks`).
        `recipes.finetune().compile(model, data)` gives the schedule and its callbacks.

    Raises:
        ValueError: For an unknown name, a preset that nobody has made yet, files that are not what
            was saved, or arguments that do not fit them.
        FileNotFoundError: If the folder, the repository or a file is not there.
        PermissionError: If a repository is private.
        ConnectionError: If a download fails. Nothing broken stays in the cache.

    Example:
        >>> model = keras_acl.load_pretrained("k400", num_classes=101)
        >>> train = keras_acl.data.from_directory("ucf101/train", model.clip, batch_size=8)
        >>> model.fit(train, epochs=4)
    """
    folder = find_folder(name)
    metadata, architecture, saved = _read(folder)
    count, names = _classes(saved["num_classes"], metadata.labels, num_classes, labels)
    changes = {"clip": clip, "dropout": dropout, "dtype": dtype, "multi_label": multi_label}
    changes |= {"labels": names, "num_classes": count}
    arguments = saved | {key: value for key, value in changes.items() if value is not None}
    keeps_head = metadata.labels in (None, names) and _same_head(saved, arguments)
    model = _build(folder, architecture, arguments, keeps_head)
    if consistency_weight != AS_SAVED:
        model = _with_consistency(model, consistency_weight)
    if not keeps_head:
        _say_what_was_kept(metadata.card.name, model, saved["num_classes"])
    model.card = metadata.card
    model.fit_callbacks = tuple(recipes.finetune().compile(model))
    return model


def load_any(name: str | os.PathLike) -> VideoClassifier:
    """Load whatever a model is saved as: a `.keras` file, a run folder, or as `load_pretrained`.

    Raises:
        ValueError: If it was exported: what is called here needs a Keras model.
    """
    path = Path(name)
    if is_exported(path):
        raise ValueError(f"{path} is an exported model, and this needs the Keras model it was.")
    if path.suffix == ".keras" or (path / "model.keras").is_file():
        return load_keras_file(path)
    return load_pretrained(name)


def _read(folder: Path) -> tuple[Metadata, type[VideoClassifier], dict[str, Any]]:
    """What the folder says of itself: metadata, class and arguments of the network."""
    metadata = read_metadata(folder)
    check_files(folder, metadata)
    architecture, arguments = read_config(folder)
    check_size(arguments, (folder / WEIGHTS).stat().st_size, folder / CONFIG)
    if metadata.labels is not None and len(metadata.labels) != arguments["num_classes"]:
        raise ValueError(
            f"{folder} is broken: metadata.json names {len(metadata.labels)} classes, the network "
            f"of {CONFIG} has {arguments['num_classes']}. {SAVE_AGAIN}"
        )
    return metadata, architecture, arguments


def _classes(
    saved_count: int,
    saved_labels: tuple[str, ...] | None,
    num_classes: int | None,
    labels: Sequence[str] | None,
) -> tuple[int, tuple[str, ...] | None]:
    """Number and names of the classes that were asked for."""
    if labels is not None:
        if num_classes not in (None, len(labels)):
            raise ValueError(
                f"Expected one label for each class. Received: num_classes={num_classes} and "
                f"{len(labels)} labels"
            )
        return len(labels), tuple(labels)
    if num_classes in (None, saved_count):
        return saved_count, saved_labels
    return num_classes, None


def _same_head(saved: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether the dense layer that was saved is that of the network that was asked for."""
    return all(
        saved.get(name, False) == asked.get(name, False) for name in ("num_classes", "multi_label")
    )


def _build(
    folder: Path,
    architecture: type[VideoClassifier],
    arguments: Mapping[str, Any],
    keeps_head: bool,
) -> VideoClassifier:
    """The network with the folder's weights; those of the dense layer only if it keeps its head."""
    try:
        model = architecture(**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / CONFIG} and the arguments make no network: {error}") from error
    skipped = [] if keeps_head else [*model.class_layers]
    try:
        with warnings.catch_warnings():
            # Keras only warns of some layers that would stay as they are.
            warnings.filterwarnings("error", "Skipping nested container", UserWarning)
            model.load_weights(folder / WEIGHTS, objects_to_skip=skipped)
    except (ValueError, KeyError, OSError, UserWarning) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ValueError(
            f"{folder / WEIGHTS} does not fit the network of {CONFIG}: {reason} {SAVE_AGAIN}"
        ) from error
    check_loaded(model, folder / WEIGHTS)
    if hasattr(model, "consistency_weight"):  # λ is an argument; a warm-up may have moved it
        model.consistency_weight.assign(model.initial_consistency_weight)
    return model


def _with_consistency(model: VideoClassifier, weight: float | None) -> VideoClassifier:
    """The same network with another λ: a copy, as with `None` the variable is not there at all."""
    if not hasattr(model, "initial_consistency_weight"):
        raise ValueError(
            f"A {type(model).__name__} has no consistency term. Received: "
            f"consistency_weight={weight}"
        )
    if weight == model.initial_consistency_weight:
        return model
    if weight is not None and model.initial_consistency_weight is not None:
        model.initial_consistency_weight = weight
        model.consistency_weight.assign(weight)
        return model
    return model.copy_with(consistency_weight=weight)


def _say_what_was_kept(name: str, model: VideoClassifier, saved_count: int) -> None:
    kept = count_parameters(model) - sum(each.count_params() for each in model.class_layers)
    logger.warning(
        "%s: the weights of the streams are kept (%s parameters), the dense layer starts anew with "
        "%d classes%s; the saved one has %d. Train before you predict.",
        name,
        f"{kept:,}",
        model.num_classes,
        ", several a clip" if model.multi_label else "",
        saved_count,
    )
