"""What there is to load by name, in a table."""

import dataclasses

from keras_acl.pretrained.find_folder import shipped_folder
from keras_acl.pretrained.metadata import read_metadata
from keras_acl.pretrained.presets import ALIASES, PRESETS, Preset


@dataclasses.dataclass(frozen=True)
class PresetRow:
    """A preset in a line.

    Args:
        name: For `load_pretrained`.
        alias: Its short name, or `None`.
        top1: Per cent; `None` if nobody measured it.
        top5: Per cent, or `None`.
        protocol: How it was measured.
        measured_by: Who did.
        multiply_adds: Of one view at the clip's test size.
        parameters: Trainable ones.
        licence: Of the weights.
        source: Where they come from when they are loaded.
    """

    name: str
    alias: str | None
    top1: float | None
    top5: float | None
    protocol: str | None
    measured_by: str | None
    multiply_adds: int
    parameters: int
    licence: str
    source: str


def list_presets() -> list[PresetRow]:
    """Every preset, with accuracy, protocol, cost, licence and source."""
    return [_row(preset) for preset in PRESETS]


def _row(preset: Preset) -> PresetRow:
    shipped = shipped_folder(preset)
    card = preset.card if shipped is None else read_metadata(shipped).card
    metric = card.metrics[0] if card.metrics else None
    return PresetRow(
        name=preset.name,
        alias=next((alias for alias, name in ALIASES.items() if name == preset.name), None),
        top1=None if metric is None else metric.top1,
        top5=None if metric is None else metric.top5,
        protocol=None if metric is None else metric.protocol,
        measured_by=None if metric is None else metric.measured_by,
        multiply_adds=preset.multiply_adds,
        parameters=preset.parameters,
        licence=card.licence,
        source=_source(preset) if shipped is None else "ships with the package",
    )


def _source(preset: Preset) -> str:
    if preset.revision is not None:
        return f"hf://{preset.hub}@{preset.revision}"
    if preset.checkpoints:
        return " and ".join(checkpoint.url for checkpoint in preset.checkpoints)
    return f"not published: {preset.command}"
