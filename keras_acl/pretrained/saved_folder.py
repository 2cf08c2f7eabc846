"""A model as a folder: `config.json`, `model.weights.h5`, `metadata.json`, `README.md`."""

import importlib.metadata
import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.pretrained.card import Card, model_card
from keras_acl.pretrained.config import read_config, write_config
from keras_acl.pretrained.metadata import Metadata, check_files, read_metadata
from keras_acl.pretrained.saved_files import (
    ANEW,
    CONFIG,
    README,
    WEIGHTS,
    sha256_of,
    written_folder,
)
from keras_acl.speed.cost import count_multiply_adds, count_parameters
from keras_acl.training import recipes

logger = logging.getLogger("keras_acl")
SAVED = "saved"


def save_pretrained(
    model: VideoClassifier, folder: str | os.PathLike, card: Card | None = None
) -> Path:
    """Save a model so that `load_pretrained` and the Hub know all about it.

    The files are written beside the folder and move in when they are complete: whatever
    interrupts it, an older save stays whole.

    Args:
        model: A classifier of this package.
        folder: A new or empty folder, or one with an earlier save, which is replaced.
        card: What the weights are. Without it, the card of a model that was loaded becomes "based
            on" it, without its metrics, as a metric belongs to the weights it was measured with;
            for any other model a minimal one is written.

    Returns:
        The folder.

    Raises:
        ValueError: If a weight is not finite, the model is not of this package, or the folder
            holds something else.

    Example:
        >>> keras_acl.save_pretrained(model, "weights/mine")
        >>> model = keras_acl.load_pretrained("weights/mine")
    """
    folder = Path(folder).resolve()
    _check_finite(model)
    with written_folder(folder) as beside:
        write_config(model, beside)
        # Without the optimiser's state, which is as large as the weights.
        optimizer = getattr(model, "optimizer", None)
        skipped = [] if optimizer is None else [optimizer]
        keras.saving.save_weights(model, beside / WEIGHTS, objects_to_skip=skipped)
        metadata = Metadata(
            card=card or _card_of(model, folder.name),
            labels=model.labels,
            parameters=count_parameters(model),
            multiply_adds=count_multiply_adds(model),
            clip=model.clip,
            versions={name: importlib.metadata.version(name) for name in ("keras-acl", "keras")},
            sha256={name: sha256_of(beside / name) for name in (CONFIG, WEIGHTS)},
        )
        text = model_card(
            metadata.card,
            architecture=type(model).__name__,
            clip=model.clip,
            labels=model.labels,
            parameters=metadata.parameters,
            multiply_adds=metadata.multiply_adds,
        )
        (beside / README).write_text(text, encoding="utf-8")
        metadata.write(beside)
    return folder


def read_pretrained(
    folder: str | os.PathLike,
    num_classes: int | None = None,
    labels: Sequence[str] | None = None,
    clip: ClipSpec | None = None,
    dropout: float | None = None,
    dtype: Any = None,
    consistency_weight: float | Literal["saved"] | None = SAVED,
) -> VideoClassifier:
    """Load a model from a folder that `save_pretrained` wrote.

    Args:
        folder: Holds the four files.
        num_classes: Another number of classes than the saved one: the dense layer starts anew, the
            streams keep their weights, and a warning says so.
        labels: Class names. Other names than the saved ones make the dense layer start anew, too.
        clip: Another clip for the model to eat.
        dropout: Another rate before the dense layer.
        dtype: Another dtype policy, e.g. `"mixed_bfloat16"`.
        consistency_weight: Another λ of Eq. 4; `None` leaves the term out of the training graph.

    Returns:
        The model with `clip`, `labels` and `card`, compiled by `recipes.finetune()` with the
        constant learning rate of a batch of 8: ready for `predict`, `evaluate` and a short `fit`.
        `recipes.finetune().compile(model, data)` gives the schedule and its callbacks.

    Raises:
        FileNotFoundError: If the folder or a file is missing.
        ValueError: If a file is not what was saved, does not describe a network of this package,
            or does not fit the arguments.
    """
    folder = Path(folder)
    metadata = read_metadata(folder)
    check_files(folder, metadata)
    architecture, arguments = read_config(folder)
    saved_count, saved_weight = arguments["num_classes"], arguments.get("consistency_weight", SAVED)
    if metadata.labels is not None and len(metadata.labels) != saved_count:
        raise ValueError(
            f"{folder} is broken: metadata.json names {len(metadata.labels)} classes, the network "
            f"of {CONFIG} has {saved_count}. {ANEW}"
        )
    count, names = _classes(saved_count, metadata.labels, num_classes, labels)
    arguments |= {"num_classes": count, "labels": names}
    arguments |= {
        name: value
        for name, value in (("clip", clip), ("dropout", dropout), ("dtype", dtype))
        if value is not None
    }
    keeps_head = count == saved_count and metadata.labels in (None, names)
    model = _with_weights(folder, architecture, arguments, keeps_head)
    if consistency_weight not in (SAVED, saved_weight):
        model = _with_consistency(model, consistency_weight)
    if not keeps_head:
        _say_what_was_kept(metadata.card.name, model, saved_count)
    model.card = metadata.card
    recipes.finetune().compile(model)
    return model


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
                f"Expected one label a class. Received: num_classes={num_classes} and "
                f"{len(labels)} labels"
            )
        return len(labels), tuple(labels)
    if num_classes in (None, saved_count):
        return saved_count, saved_labels
    return num_classes, None


def _with_weights(folder: Path, architecture, arguments, keeps_head: bool) -> VideoClassifier:
    try:
        model = architecture(**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / CONFIG} and the arguments make no network: {error}") from error
    skipped = [] if keeps_head else [model.classifier]
    try:
        with warnings.catch_warnings():
            # Keras only warns of some layers that would stay as they are.
            warnings.filterwarnings("error", "Skipping nested container", UserWarning)
            model.load_weights(folder / WEIGHTS, objects_to_skip=skipped)
    except (ValueError, KeyError, OSError, UserWarning) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ValueError(
            f"{folder / WEIGHTS} does not fit the network of {CONFIG}: {reason} {ANEW}"
        ) from error
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
    if weight is not None and model.initial_consistency_weight is not None:
        model.initial_consistency_weight = weight
        model.consistency_weight.assign(weight)
        return model
    config = {**model.get_config(), "consistency_weight": weight}
    copy = type(model).from_config(config)
    for name in ("spatial_stream", "temporal_stream", "classifier"):
        getattr(copy, name).set_weights(getattr(model, name).get_weights())
    return copy


def _card_of(model: VideoClassifier, name: str) -> Card:
    card = getattr(model, "card", None)
    if card is not None:
        return card.derived(name)
    return Card(
        name=name,
        description=f"A {type(model).__name__} with {model.num_classes} classes.",
        licence="unknown",
        source="not said",
    )


def _check_finite(model: VideoClassifier) -> None:
    for weight in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
            raise ValueError(
                f"The weight {weight.path} holds NaN or infinity, so nothing was saved. Load the "
                "last good state, and try a lower learning rate."
            )


def _say_what_was_kept(name: str, model: VideoClassifier, saved_count: int) -> None:
    kept = count_parameters(model) - model.classifier.count_params()
    logger.warning(
        "%s: the weights of the streams are kept (%s parameters), the dense layer starts anew with "
        "%d classes; the saved one has %d. Train before you predict.",
        name,
        f"{kept:,}",
        model.num_classes,
        saved_count,
    )
