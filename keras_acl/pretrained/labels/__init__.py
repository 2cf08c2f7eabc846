"""Class names of public data sets, in the order of public checkpoints."""

from importlib import resources


def read_labels(name: str) -> tuple[str, ...]:
    """Class names in the order of the logits.

    Args:
        name: `"kinetics400"` (alphabetical, as PySlowFast, PyTorchVideo and MMAction2 have them).

    Raises:
        ValueError: If there is no such list.
    """
    file = resources.files(__name__) / f"{name}.txt"
    if not file.is_file():
        raise ValueError(f"There are no labels {name!r}. Expected: kinetics400")
    return tuple(file.read_text(encoding="utf-8").splitlines())
