"""A checkpoint of a network of the zoo as a model of this package."""

from typing import Any

from keras_acl.clip import ClipSpec
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.pretrained.importers.fill import fill
from keras_acl.pretrained.importers.import_report import ImportReport
from keras_acl.pretrained.importers.modality import channels_of
from keras_acl.pretrained.importers.network import Network
from keras_acl.pretrained.importers.single_stream import BUILDERS


def import_single_stream(
    network: Network, labels, speed_ratio: int | None, clip: ClipSpec | None
) -> tuple[VideoClassifier, ImportReport]:
    """The model and a report; arguments and errors are those of `import_checkpoint`."""
    if speed_ratio is not None:
        raise ValueError(
            f"{network.path} is {network.format.network}, which has no speed ratio. "
            f"Received: speed_ratio={speed_ratio}"
        )
    mean, std, notes = _colours(network)
    arguments: dict[str, Any] = {
        "num_classes": network.num_classes,
        "labels": labels,
        "mean": mean,
        "std": std,
        **({} if clip is None else {"clip": clip}),
    }
    try:
        model = BUILDERS[network.format.name](network.tensors, arguments)
    except ValueError as error:  # of the depth, or of labels
        raise ValueError(f"{network.path}: {error}") from error
    except KeyError as error:
        raise ValueError(
            f"{network.path} lacks {error.args[0]}: part of the network is missing"
        ) from error
    channels = channels_of(network.tensors)
    if channels != model.clip.channels * model.clip.stack:
        flow = ", which is optical flow: that is read of I3D and of TSN on BN-Inception alone"
        raise ValueError(
            f"{network.path} takes {channels} channels{'' if channels % 2 else flow}. Expected a "
            "network of RGB frames, with 3."
        )
    fill(model, network.tensors, network.path)
    words = f"{type(model).__name__}: {network.num_classes} classes"
    return model, ImportReport(words, (network.source(),), notes)


def _colours(network: Network) -> tuple[Any, Any, tuple[str, ...]]:
    """Mean and deviation, and a note where the file should say them and does not."""
    mean, std = network.format.mean, network.format.std
    if not network.format.configured_colours:
        return mean, std, ()
    found = network.find_colours("mean"), network.find_colours("std")
    if None not in found:
        return *found, ()
    note = (
        f"No configuration in {network.path} says how frames are normalised: the mean and "
        "deviation are those of VMZ, from which such files were converted."
    )
    return mean, std, (note,)
