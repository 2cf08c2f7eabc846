"""Named groups of classes: the paper's complex ones (Tables 1 and 2), and a user's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_acl.data.tables import read_table

# The paper's lists in Kinetics-400's spelling. It has no class "playing baseball", "climbing
# ladder" is there, "dropkicking" is "drop kicking".
CROWDS = (
    "applauding",
    "bartending",
    "beatboxing",
    "climbing ladder",
    "playing basketball",
    "celebrating",
    "drop kicking",
)
FAST_MOVING = (
    "breakdancing",
    "contact juggling",
    "catching or throwing baseball",
    "hitting baseball",
    "capoeira",
    "cheerleading",
    "skateboarding",
    "archery",
)
GROUPS: Mapping[str, tuple[str, ...]] = {"crowds": CROWDS, "fast moving": FAST_MOVING}


def read_groups(file: str | Path, labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read groups of classes from a CSV with the columns group and label, a row per class.

    Args:
        file: The CSV.
        labels: Class names of the data set.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a row names no group or an unknown class.
    """
    groups: dict[str, list[str]] = {}
    for row in read_table(file, ("group", "label")):
        group, label = row.cells["group"], row.cells["label"]
        if not group or label not in labels:
            raise ValueError(
                f"{row.where}: expected a group and one of the {len(labels)} class names. "
                f"Received: group={group!r}, label={label!r}"
            )
        groups.setdefault(group, []).append(label)
    return {name: tuple(members) for name, members in groups.items()}


def known_groups(labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The paper's groups, as far as the data set has their classes; those without any are left out.

    Args:
        labels: Class names of the data set.
    """
    found = {
        name: tuple(label for label in members if label in labels)
        for name, members in GROUPS.items()
    }
    return {name: members for name, members in found.items() if members}


def check_groups(groups: Mapping[str, Sequence[str]], labels: Sequence[str]) -> None:
    """Refuse groups with classes that there are not.

    Raises:
        ValueError: If there is one.
    """
    for name, members in groups.items():
        unknown = set(members) - set(labels)
        if unknown:
            raise ValueError(f"Group {name!r} has unknown classes: {', '.join(sorted(unknown))}")
