"""Presets of the networks that others have published, beside SlowFast and Slow."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from keras_acl.clip import ClipSpec
from keras_acl.pretrained.card import Card, Metric
from keras_acl.pretrained.preset import (
    ORGANISATION,
    PYTORCHVIDEO,
    Checkpoint,
    Preset,
    measured_by_pytorchvideo,
)

TORCHVISION = "https://download.pytorch.org/models"
IG65M = "https://github.com/moabitcoin/ig65m-pytorch/releases/download/v1.0.0"


def _pytorchvideo(
    title: str,
    network: str,
    accuracy: tuple[float, float],
    parameters: int,
    multiply_adds: int,
    file: str,
    arguments: Mapping[str, Any],
    side: int = 256,
) -> Preset:
    """A network of PyTorchVideo's model zoo.

    Args:
        title: Name of the network, such as "X3D M"; in lower case it is the preset's.
        network: Its class.
        accuracy: Top-1 and top-5 in per cent.
        parameters: Trainable parameters.
        multiply_adds: Multiply-adds of one view.
        file: Name of the file.
        arguments: Arguments of the class that are not the defaults.
        side: Pixels of the views that its accuracy was measured on.
    """
    name, url = f"{title.lower().replace(' ', '_')}_k400", f"{PYTORCHVIDEO}/{file}"
    return Preset(
        card=Card(
            name=name,
            description=(
                f"{title}, trained on Kinetics-400 by PyTorchVideo: its weights, with its outputs."
            ),
            licence="Apache-2.0",
            source=url,
            datasets=("kinetics-400",),
            metrics=measured_by_pytorchvideo(*accuracy, side),
        ),
        network=network,
        arguments=MappingProxyType(arguments),
        parameters=parameters,
        multiply_adds=multiply_adds,
        labels="kinetics400",
        hub=f"{ORGANISATION}/{name}",
        checkpoints=(Checkpoint(url),),
    )


def _torchvision(
    title: str,
    network: str,
    accuracy: tuple[float, float],
    parameters: int,
    multiply_adds: int,
    file: str,
    arguments: Mapping[str, Any],
    protocol: str,
) -> Preset:
    """A video network of torchvision; arguments as above, and how its accuracy was measured."""
    name, url = file.split("-")[0] + "_k400", f"{TORCHVISION}/{file}"
    top1, top5 = accuracy
    return Preset(
        card=Card(
            name=name,
            description=(
                f"{title}, trained on Kinetics-400 by torchvision: its weights, with its outputs."
            ),
            licence="BSD-3-Clause",
            source=url,
            datasets=("kinetics-400",),
            metrics=(
                Metric(
                    dataset="Kinetics-400 validation",
                    top1=top1,
                    top5=top5,
                    protocol=protocol,
                    measured_by="torchvision, with its own implementation",
                ),
            ),
            notes=(
                "The licence is that of torchvision's code; for the weights it names none. "
                "torchvision resizes frames without keeping their sides' ratio and without "
                "antialiasing; here the ratio is kept."
            ),
        ),
        network=network,
        arguments=MappingProxyType(arguments),
        parameters=parameters,
        multiply_adds=multiply_adds,
        labels="kinetics400",
        hub=f"{ORGANISATION}/{name}",
        checkpoints=(Checkpoint(url),),
    )


def _ig65m(frames: int, accuracy: tuple[float, float], multiply_adds: int, file: str) -> Preset:
    """VMZ's R(2+1)D-34, trained on videos of Instagram first, in ig65m-pytorch's torch form."""
    name, url = f"r2plus1d_34_{frames}_k400", f"{IG65M}/{file}"
    top1, top5 = accuracy
    arguments = {
        "clip": ClipSpec(frames=frames, span=frames, size=112),
        "depth": 34,
        "midplanes": "convolution",
        "epsilon": 1e-3,
    }
    return Preset(
        card=Card(
            name=name,
            description=(
                f"R(2+1)D-34 of {frames} frames, trained by VMZ on 65 million public videos "
                "(IG-65M) and then on Kinetics-400: its weights as ig65m-pytorch converted them."
            ),
            licence="MIT",
            source=url,
            datasets=("kinetics-400",),
            metrics=(
                Metric(
                    dataset="Kinetics-400 validation",
                    top1=top1,
                    top5=top5,
                    protocol="accuracy of whole videos; the page does not say of how many views",
                    measured_by="VMZ's model zoo, with its weights before they were converted",
                ),
            ),
            notes=(
                "The licence is ig65m-pytorch's; VMZ's own is Apache-2.0. The videos of IG-65M "
                "are not public. VMZ reads consecutive frames of videos of 30 a second and resizes "
                "them to 128 x 171; here the ratio of a frame's sides is kept."
            ),
        ),
        network="R2Plus1DClassifier",
        arguments=MappingProxyType(arguments),
        parameters=63_697_175,
        multiply_adds=multiply_adds,
        labels="kinetics400",
        hub=f"{ORGANISATION}/{name}",
        checkpoints=(Checkpoint(url),),
    )


FIVE_CLIPS = "5 clips of 16 frames at 15 fps, centre 112 of 128 x 171, softmax averaged"
ONE_CLIP = "1 clip of 128 frames at 15 fps, centre 224 of 256 x 256"
ZOO = (
    _pytorchvideo(
        "C2D R50 8x8",
        "InflatedResNetClassifier",
        (71.46, 89.68),
        24_327_632,
        25_460_244_480,
        "C2D_8x8_R50.pyth",
        {"inflated": False},
    ),
    _pytorchvideo(
        "I3D R50 8x8",
        "InflatedResNetClassifier",
        (73.27, 90.70),
        28_043_472,
        37_103_632_384,
        "I3D_8x8_R50.pyth",
        {},
    ),
    _pytorchvideo(
        "CSN R101 32x2",
        "CSNClassifier",
        (77.00, 92.90),
        22_213_776,
        73_754_116_096,
        "CSN_32x2_R101.pyth",
        {"depth": 101},
    ),
    _pytorchvideo(
        "R2Plus1D R50 16x4",
        "BottleneckR2Plus1DClassifier",
        (76.01, 92.23),
        28_107_600,
        75_145_969_664,
        "R2PLUS1D_16x4_R50.pyth",
        {},
    ),
    _pytorchvideo(
        "X3D XS",
        "X3DClassifier",
        (69.12, 88.63),
        3_794_274,
        840_318_512,
        "X3D_XS.pyth",
        {"clip": ClipSpec(frames=4, span=48, size=160)},
        182,
    ),
    _pytorchvideo(
        "X3D S",
        "X3DClassifier",
        (73.33, 91.27),
        3_794_274,
        2_726_843_612,
        "X3D_S.pyth",
        {"clip": ClipSpec(frames=13, span=78, size=160)},
        182,
    ),
    _pytorchvideo(
        "X3D M", "X3DClassifier", (75.94, 92.72), 3_794_274, 6_180_613_376, "X3D_M.pyth", {}
    ),
    _pytorchvideo(
        "X3D L",
        "X3DClassifier",
        (77.44, 93.31),
        6_153_384,
        24_839_164_256,
        "X3D_L.pyth",
        {"clip": ClipSpec(frames=16, span=80, size=312), "depth_factor": 5.0},
        356,
    ),
    _torchvision(
        "R(2+1)D-18",
        "R2Plus1DClassifier",
        (67.46, 86.18),
        31_505_325,
        52_922_818_560,
        "r2plus1d_18-91a641e6.pth",
        {},
        FIVE_CLIPS,
    ),
    _torchvision(
        "R3D-18",
        "R3DClassifier",
        (63.20, 83.48),
        33_371_472,
        53_154_619_392,
        "r3d_18-b3b3357e.pth",
        {},
        FIVE_CLIPS,
    ),
    _torchvision(
        "MC3-18",
        "R3DClassifier",
        (63.96, 84.13),
        11_695_440,
        56_610_725_888,
        "mc3_18-a90a0ba3.pth",
        {"mixed": True},
        FIVE_CLIPS,
    ),
    _torchvision(
        "S3D",
        "S3DClassifier",
        (68.37, 88.05),
        8_320_048,
        187_855_945_728,
        "s3d-d76dad2f.pth",
        {},
        ONE_CLIP,
    ),
    _ig65m(
        8,
        (74.9, 91.8),
        49_748_942_848,
        "r2plus1d_34_clip8_ft_kinetics_from_ig65m-0aa0550b.pth",
    ),
    _ig65m(
        32,
        (80.0, 94.2),
        198_995_156_992,
        "r2plus1d_34_clip32_ft_kinetics_from_ig65m-ade133f1.pth",
    ),
)
