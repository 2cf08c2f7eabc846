"""What training on few videos wants: parts that stand still, classes that weigh the same."""

import keras
import numpy as np

FREEZABLE = ("streams", "spatial", "temporal", "none")


def freeze_streams(model: keras.Model, what: str | None) -> None:
    """Freeze what a recipe's `freeze` names and thaw the rest; `None` does neither."""
    if what is None:
        return
    streams = [layer for layer in model.layers if layer not in model.class_layers]
    if what == "streams" and len(streams) == len(model.layers):
        raise ValueError(
            f"Of a {type(model).__name__} each network has a dense layer of its own. Received: "
            'freeze="streams". Use "spatial", "temporal" or "none".'
        )
    frozen = streams if what == "streams" else []
    if what in ("spatial", "temporal"):
        if not hasattr(model, f"{what}_stream"):
            raise ValueError(
                f"A {type(model).__name__} has no {what} stream of its own. Received: "
                f'freeze="{what}". Use "streams" or "none".'
            )
        frozen = [getattr(model, f"{what}_stream")]
    for layer in model.layers:
        layer.trainable = not any(layer is each for each in frozen)


def check_balance(balance: bool, multi_label: bool) -> None:
    """Refuse to weigh videos by their one class where they may have several."""
    if balance and multi_label:
        raise ValueError(
            "balance=True weighs each video by its class, and these may have several: leave it "
            "out, or give `fit` weights of your own, one for each video."
        )


def balanced_weights(data, num_classes: int) -> list[float]:
    """Weight of each class that makes all of them count the same: n / (L · n_c).

    Args:
        data: A `VideoDataset`, whose videos have labels.
        num_classes: Number of classes. One without videos gets 1, and counts for nothing.

    Returns:
        A list of L; its mean over the videos is 1.

    Raises:
        ValueError: If the data do not say the label of each video.
    """
    labels = [video.label for video in getattr(data, "videos", ())]
    if not labels or None in labels:
        raise ValueError(
            "balance=True counts the labels of a VideoDataset. Received: data="
            f"{type(data).__name__}. Give it to compile, or pass class_weight to fit instead."
        )
    counts = np.bincount(np.array(labels), minlength=num_classes)
    present = np.count_nonzero(counts)
    return [len(labels) / (present * int(count)) if count else 1.0 for count in counts]
