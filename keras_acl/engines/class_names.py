"""Class names of data and of models: as many as classes, once each, the same in the same order."""

from collections.abc import Sequence

SHOWN = 3


def names_of(data) -> tuple[str, ...]:
    """Class names that a data set knows, such as `VideoDataset.labels`; empty where it has none."""
    labels = getattr(data, "labels", ())
    if not isinstance(labels, tuple | list) or not all(isinstance(name, str) for name in labels):
        return ()
    return tuple(labels)


def several_labels(data) -> bool | None:
    """Whether data may have several labels a video, if they say so, as a `VideoDataset` does."""
    return getattr(data, "multi_label", None)


def check_same_classes(
    labels: Sequence[str], known: Sequence[str] | None, count: int, owner: str = "The data"
) -> None:
    """Refuse data whose classes are not those of a model, in the model's order.

    Args:
        labels: Class names of the data; empty where they are not known, and nothing is checked.
        known: Class names of the model, `model.labels`; None where it has no names.
        count: Number of the model's classes.
        owner: Name of the data, for the error.

    Raises:
        ValueError: If number, names or order differ.
    """
    if not labels or (len(labels) == count and tuple(labels) == tuple(known or labels)):
        return
    advice = "pass labels=model.labels to the reader"
    if not known or set(labels) != set(known):
        advice += (
            ", or make a model of the data's classes: load_pretrained(..., labels=data.labels)"
        )
    model = f"{count} classes {_shown(known)}" if known else f"{count} classes without names"
    if known and len(labels) == count:
        index, (name, other) = next(
            (place, pair)
            for place, pair in enumerate(zip(labels, known, strict=True))
            if pair[0] != pair[1]
        )
        model += f"; class {index} is {name!r} in the data and {other!r} in the model"
    raise ValueError(
        f"{owner} must have the model's classes in the model's order: {advice}. "
        f"Received: {len(labels)} classes {_shown(labels)} for a model of {model}"
    )


def check_label_kind(several: bool | None, multi_label: bool, owner: str = "The data") -> None:
    """Refuse data with several labels a video for a model of one, and the other way round.

    Args:
        several: Whether the data may have several labels a video; `None` where they do not say.
        multi_label: The model's.
        owner: Name of the data, for the error.

    Raises:
        ValueError: If the two differ.
    """
    if several is None or several == multi_label:
        return
    if several:
        raise ValueError(
            f"{owner} may have several labels for a video, the model takes one: make it with "
            "multi_label=True."
        )
    raise ValueError(
        f"{owner} have one label for each video, the model takes several (multi_label=True): read "
        'them by read_csv(..., multi_label=True) from a CSV with labels such as "left|red".'
    )


def check_labels(labels: Sequence[str] | None, num_classes: int) -> tuple[str, ...] | None:
    """Class names as a tuple, checked against the number of classes."""
    if labels is None:
        return None
    if isinstance(labels, str) or not all(isinstance(name, str) for name in labels):
        raise ValueError(
            'Expected `labels` to be a list of class names, such as ["left", "right"]. '
            f"Received: labels={labels!r}"
        )
    labels = tuple(labels)
    if len(labels) != num_classes:
        raise ValueError(
            f"Expected one label for each class: {num_classes}. Received: {len(labels)} labels"
        )
    if len(set(labels)) != len(labels):
        twice = sorted({label for label in labels if labels.count(label) > 1})
        raise ValueError(f"Expected every label once. Received twice: {', '.join(twice)}")
    return labels


def _shown(labels: Sequence[str]) -> str:
    return f"({', '.join(labels[:SHOWN])}{', ...' if len(labels) > SHOWN else ''})"
