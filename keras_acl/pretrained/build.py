"""A preset's model from the public checkpoints of other projects."""

from collections.abc import Sequence
from pathlib import Path

from keras_acl.models import TwoStreamClassifier
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
    if issubclass(preset.architecture, SingleStreamClassifier):
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
