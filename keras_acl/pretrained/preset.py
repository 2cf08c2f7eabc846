"""A preset: what it is, where its bytes are, what it scored and who measured that."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from keras_acl.pretrained.card import Card, Metric

ORGANISATION = "keras-acl"  # on the Hub
NOTHING: Mapping[str, Any] = MappingProxyType({})
PYTORCHVIDEO = "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A public file of another project.

    Args:
        url: Address of the file.
        sha256: Digest of the file, where somebody has published or measured it.
    """

    url: str
    sha256: str | None = None


@dataclasses.dataclass(frozen=True)
class Preset:
    """One set of weights by name.

    Args:
        card: Name, description, licence, metrics with their protocol.
        network: Name of the network's class in `keras_acl.models`.
        arguments: Arguments of the class that are not the defaults.
        parameters: Trainable parameters, counted.
        multiply_adds: Multiply-adds of one view at the clip's test size, counted.
        labels: Name of a list in `keras_acl.pretrained.labels`; `None` if the weights bring theirs.
        hub: Repository of the Hub where the weights are, or will be.
        revision: Tag in that repository; `None` as long as nothing is published.
        checkpoints: Public files that the preset is built from until then: SlowFast before Slow.
        command: Command that makes the weights, where there is nothing to load.
    """

    card: Card
    network: str
    arguments: Mapping[str, Any]
    parameters: int
    multiply_adds: int
    labels: str | None = None
    hub: str = ""
    revision: str | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    command: str | None = None

    @property
    def name(self) -> str:
        """What `load_pretrained` knows it by."""
        return self.card.name

    @property
    def architecture(self) -> type:
        """Class of the network."""
        from keras_acl import models  # on use: the table is read without Keras

        return getattr(models, self.network)


def measured_by_pytorchvideo(top1: float, top5: float, side: int = 256) -> tuple[Metric, ...]:
    """The accuracy in per cent that PyTorchVideo's model zoo reports, at a short side."""
    return (
        Metric(
            dataset="Kinetics-400 validation",
            top1=top1,
            top5=top5,
            protocol=(
                f"30 views: 10 clips x 3 crops of {side} along the longer side, short side {side}, "
                "softmax averaged"
            ),
            measured_by="PyTorchVideo's model zoo, with its own implementation",
        ),
    )
