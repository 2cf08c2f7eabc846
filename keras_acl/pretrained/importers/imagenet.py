"""ImageNet weights for the spatial stream: KerasHub's ResNet, inflated."""

import re

import keras
import numpy as np

from keras_acl.models import SlowClassifier, TwoStreamClassifier
from keras_acl.pretrained.importers.fill import fill, variables_by_name
from keras_acl.pretrained.importers.import_report import ImportReport, Source

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
PARTS = {"0": "shortcut", "1": "a", "2": "b", "3": "c"}


def inflate_imagenet(
    model: SlowClassifier | TwoStreamClassifier, backbone="resnet_50_imagenet"
) -> ImportReport:
    """Fill a spatial stream with an ImageNet network, as the Slow rows of Table 5.

    A kernel of T frames becomes the image kernel T times over, divided by T (Carreira and
    Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017): on a still video, away from its ends,
    each layer gives what it gives for the image. Dense layer and temporal stream stay as they are.

    Args:
        model: A classifier with a spatial stream of the same depth and width, made with
            `mean=IMAGENET_MEAN, std=IMAGENET_STD`.
        backbone: A `keras_hub.models.ResNetBackbone`, or the name of its preset, which is
            downloaded. Needs the extra `imagenet`.

    Returns:
        What went where.

    Raises:
        ImportError: If KerasHub is missing.
        ValueError: If the model has no spatial stream, another normalisation or other shapes.

    Example:
        >>> model = SlowClassifier(400, mean=IMAGENET_MEAN, std=IMAGENET_STD)
        >>> print(inflate_imagenet(model))
    """
    _check_model(model)
    name = backbone if isinstance(backbone, str) else backbone.name
    images = _load(backbone) if isinstance(backbone, str) else backbone
    ours = variables_by_name(model)
    inflated, used = {}, {}
    for variable in images.variables:
        foreign = "/".join(variable.path.split("/")[-2:])
        target = _translate(foreign)
        if target is None:
            raise ValueError(
                f"{name}: {foreign} has no place in a ResNet of bottleneck blocks. Expected a "
                "network such as resnet_50_imagenet"
            )
        used[foreign] = target
        frames = ours[target].shape[0] if target.endswith("kernel") and target in ours else 1
        inflated[target] = _inflate(keras.ops.convert_to_numpy(variable), frames)
    rest = {
        key: keras.ops.convert_to_numpy(v) for key, v in ours.items() if not key.startswith("slow_")
    }
    fill(model, {**rest, **inflated}, name)
    return ImportReport(
        f"{type(model).__name__}: R{model.depth}, width {model.width}",
        (Source(name, "KerasHub", used, {}),),
        ("Only the spatial stream was filled; the dense layer is new.",),
    )


def _check_model(model) -> None:
    if not isinstance(model, SlowClassifier | TwoStreamClassifier):
        raise ValueError(
            "Expected a SlowClassifier or TwoStreamClassifier, whose spatial stream sees single "
            f"frames first. Received: {type(model).__name__}"
        )
    if not (np.allclose(model.mean, IMAGENET_MEAN) and np.allclose(model.std, IMAGENET_STD)):
        raise ValueError(
            "ImageNet weights need ImageNet's normalisation: make the model with "
            f"mean={IMAGENET_MEAN}, std={IMAGENET_STD}. Received: mean={model.mean}, "
            f"std={model.std}"
        )


def _translate(name: str) -> str | None:
    """KerasHub's name of a variable -> the name here."""
    if match := re.fullmatch(r"conv1_(conv|bn)/(\w+)", name):
        return f"slow_stem_{match[1]}/{match[2]}"
    if match := re.fullmatch(r"stack(\d)_block(\d+)_([0-3])_(conv|bn)/(\w+)", name):
        stage, block, part, kind, weight = match.groups()
        return f"slow_res{int(stage) + 2}_{block}_{PARTS[part]}_{kind}/{weight}"
    return None


def _inflate(value: np.ndarray, frames: int) -> np.ndarray:
    """(H, W, I, O) -> (T, H, W, I, O); other weights stay."""
    return np.stack([value / frames] * frames) if value.ndim == 4 else value


def _load(preset: str):
    try:
        import keras_hub  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            'ImageNet weights come with KerasHub: pip install "keras-acl[imagenet]"'
        ) from error
    return keras_hub.models.ResNetBackbone.from_preset(preset)
