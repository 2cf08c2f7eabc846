"""`metadata.json`: the card, what was counted, and the digests that vouch for the other files."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_acl.clip import ClipSpec
from keras_acl.pretrained.card import Card
from keras_acl.pretrained.model_folder import (
    CONFIG,
    METADATA,
    SAVE_AGAIN,
    WEIGHTS,
    finish_interrupted,
    read_json,
    sha256_of,
)

FORMAT = 1


class NewerFormatError(ValueError):
    """A folder is whole, but of another version of this package."""


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a saved folder says of itself.

    Args:
        card: What the weights are.
        labels: Class names in the order of the logits.
        parameters: Trainable parameters, counted.
        multiply_adds: Multiply-adds of one clip at its test size, counted.
        clip: Clips that the model takes.
        versions: Versions of the packages that wrote the folder.
        sha256: Digests of `config.json` and `model.weights.h5`.
    """

    card: Card
    labels: tuple[str, ...] | None
    parameters: int
    multiply_adds: int
    clip: ClipSpec
    versions: Mapping[str, str]
    sha256: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write `metadata.json`."""
        values = {"format": FORMAT, **dataclasses.asdict(self), "card": self.card.to_dict()}
        values["clip"] = self.clip.to_dict()
        text = json.dumps(values, indent=2, ensure_ascii=False)
        (folder / METADATA).write_text(text + "\n", encoding="utf-8")


def read_metadata(folder: Path) -> Metadata:
    """Read `metadata.json` of a saved folder.

    Raises:
        FileNotFoundError: If the folder or the file is missing.
        ValueError: If it is broken.
        NewerFormatError: If it is of a later version of this package.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    finish_interrupted(folder)
    file = folder / METADATA
    values = read_json(file)
    if "format" not in values:
        raise ValueError(f"{file} was not written by save_pretrained. {SAVE_AGAIN}")
    if values["format"] != FORMAT:
        raise NewerFormatError(
            f"{file} has format {values['format']!r}, this version of keras-acl reads "
            f"{FORMAT}. Update keras-acl."
        )
    try:
        return _from_dict(values)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{file} is broken: {reason}. {SAVE_AGAIN}") from error


def check_files(folder: Path, metadata: Metadata) -> None:
    """Compare `config.json` and `model.weights.h5` with their digests.

    Raises:
        FileNotFoundError: If one is missing.
        ValueError: If one is not what was saved.
    """
    for name in (CONFIG, WEIGHTS):
        file = folder / name
        if not file.is_file():
            raise FileNotFoundError(f"There is no {name} in {folder}. {SAVE_AGAIN}")
        digest = sha256_of(file)
        if digest != metadata.sha256[name]:
            raise ValueError(
                f"{file} is not the file that was saved: its sha256 is {digest[:12]}…, expected "
                f"{metadata.sha256[name][:12]}…. It is incomplete, or was changed. {SAVE_AGAIN}"
            )


def _from_dict(values: Mapping[str, Any]) -> Metadata:
    labels = values["labels"]
    if labels is not None and not _all_strings(labels):
        raise ValueError(f"labels must be names. Received: {str(labels)[:80]}")
    counted = {name: values[name] for name in ("parameters", "multiply_adds")}
    for name, count in counted.items():
        if not isinstance(count, int):
            raise ValueError(f"{name} must be a whole number. Received: {count!r}")
    digests, versions = dict(values["sha256"]), dict(values["versions"])
    if not _all_strings([digests[CONFIG], digests[WEIGHTS]]):
        raise ValueError(f"sha256 must hold digests. Received: {digests}")
    return Metadata(
        card=Card.from_dict(values["card"]),
        labels=None if labels is None else tuple(labels),
        clip=ClipSpec(**values["clip"]),
        versions=versions,
        sha256=digests,
        **counted,
    )


def _all_strings(values) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
