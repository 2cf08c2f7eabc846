"""Save a model as a folder: `config.json`, `model.weights.h5`, `metadata.json`, `README.md`."""

import importlib.metadata
import os
from pathlib import Path

import keras

from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.pretrained.card import Card, model_card
from keras_acl.pretrained.config import write_config
from keras_acl.pretrained.metadata import Metadata
from keras_acl.pretrained.model_folder import CONFIG, README, WEIGHTS, sha256_of, written_folder
from keras_acl.pretrained.weight_checks import first_not_finite
from keras_acl.speed.cost import count_multiply_adds, count_parameters
from keras_acl.system.atomic_write import check_room


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
        check_room(beside / WEIGHTS, model.variables)
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
    if (path := first_not_finite(model)) is not None:
        raise ValueError(
            f"The weight {path} holds NaN or infinity, so nothing was saved. Load the last good "
            "state, and try a lower learning rate."
        )
