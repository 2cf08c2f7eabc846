"""A preset's model from the public checkpoints of other projects."""

from collections.abc import Sequence
from pathlib import Path

from keras_acl.models import LateFusionClassifier, TwoStreamClassifier, late_fusion
from keras_acl.models.late_fusion import parts_of
from keras_acl.models.single_stream import SingleStreamClassifier
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.pretrained.importers import ImportReport, import_checkpoint, warm_start
from keras_acl.pretrained.labels import read_labels
from keras_acl.pretrained.presets import Preset
from keras_acl.speed.cost import count_parameters


def build_preset(preset: Preset, files: Sequence[Path]) -> tuple[VideoClassifier, ImportReport]:
    """Import the files of `preset.checkpoints`, in their order.

    Args:
        preset: What to build.
        files: The downloaded checkpoints.

    Returns:
        The model, with labels, and the report of its import.

    Raises:
        ValueError: If the files do not hold the network that the preset's record describes.
    """
    labels = None if preset.labels is None else read_labels(preset.labels)
    if preset.architecture is LateFusionClassifier:
        model, report = _fused(preset, files, labels)
    elif issubclass(preset.architecture, SingleStreamClassifier):
        clip = preset.arguments.get("clip")
        model, report = import_checkpoint(*files, labels=labels, clip=clip)
    else:
        speed_ratio = preset.arguments.get("speed_ratio", 8)
        build = warm_start if preset.architecture is TwoStreamClassifier else import_checkpoint
        model, report = build(*files, labels=labels, speed_ratio=speed_ratio)
    if type(model) is not preset.architecture:
        raise ValueError(
            f"{preset.name} is a {preset.architecture.__name__}, but {', '.join(map(str, files))} "
            f"holds a {type(model).__name__}"
        )
    if count_parameters(model) != preset.parameters:
        raise ValueError(
            f"{preset.name} has {preset.parameters:,} parameters, but "
            f"{', '.join(map(str, files))} holds a network of {count_parameters(model):,}"
        )
    return model, report


def _fused(
    preset: Preset, files: Sequence[Path], labels: Sequence[str] | None
) -> tuple[LateFusionClassifier, ImportReport]:
    """A network of colours and one of flow, each from a file of its own."""
    imported = [
        import_checkpoint(file, labels=labels, clip=clip)
        for file, clip in zip(files, parts_of(preset.arguments["clip"]), strict=True)
    ]
    model = late_fusion([network for network, _ in imported])
    reports = [report for _, report in imported]
    return model, ImportReport(
        f"{type(model).__name__}: {'; '.join(report.model for report in reports)}",
        tuple(source for report in reports for source in report.sources),
        tuple(note for report in reports for note in report.notes),
    )
