"""Checkpoints of other implementations as models of this package."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.models import SlowClassifier, SlowFastClassifier, TwoStreamClassifier
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.pretrained.importers.fill import fill, variables_by_name
from keras_acl.pretrained.importers.import_report import ImportReport, Source
from keras_acl.pretrained.importers.import_single_stream import import_single_stream
from keras_acl.pretrained.importers.network import Network, recognise
from keras_acl.pretrained.importers.single_stream import BUILDERS
from keras_acl.pretrained.importers.tensorflow_files import bundle_of, read_bundle
from keras_acl.pretrained.importers.torch_files import RawCheckpoint, read_checkpoint

# Frames of the slow pathway, as the projects name their files: of 32, every 8th or every 4th.
SAMPLING = re.compile(r"(?<!\d)(4x16|8x8)(?!\d)")
LATERAL = "lateral fusion, which the two-stream network does not have"
NOT_TEMPORAL = "not of the fast pathway"


def import_checkpoint(
    file,
    *,
    labels: Sequence[str] | None = None,
    speed_ratio: int | None = None,
    clip: ClipSpec | None = None,
) -> tuple[VideoClassifier, ImportReport]:
    """Open a checkpoint of another implementation, with its outputs.

    Formats of SlowFast and Slow: PyTorchVideo (`.pyth`), PySlowFast (`.pyth`, and caffe2's `.pkl`),
    MMAction2 (`.pth`). Of R3D, MC3, R(2+1)D and S3D: torchvision (`.pth`), ig65m (R(2+1)D), kylemin
    (S3D). Of R(2+1)D, CSN and C3D: VMZ (caffe2's `.pkl`; CSN's `.pth`, too), MMAction2. Of I3D:
    kinetics-i3d (TensorFlow's `model.ckpt`), PyTorchVideo, MMAction2 (on ResNet-50). Of 3D ResNeXt:
    3D-ResNets-PyTorch (`.pth` of its branch CVPR2018). Of TSN and ECO: MMAction, MMAction2,
    tsn-pytorch, ECO-pytorch. Depth, widths, fusion and classes are read from the tensors;
    normalisation and choice of slow frames are those of the implementation. Nothing in the file is
    run, and torch is not needed.

    Args:
        file: The checkpoint; of TensorFlow's, which are several files, `model.ckpt` or one of them.
        labels: Class names in its order.
        speed_ratio: α, which no tensor shows: 8 in 4x16 networks, 4 in 8x8 ones. `None` reads it
            from a configuration in the file, or else from 4x16 or 8x8 in the file's name. Not for
            networks without a slow pathway.
        clip: Clips that the model takes. `None`: those of the model's class.

    Returns:
        The model and a report on every tensor.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is broken or in no known format, a tensor is missing, left over,
            of another shape or not finite, or nothing says α.

    Example:
        >>> model, report = import_checkpoint("SLOWFAST_8x8_R50.pyth", speed_ratio=4)
        >>> print(report)
    """
    network = recognise(_read(file))
    if network.format.name in BUILDERS:
        return import_single_stream(network, labels, speed_ratio, clip)
    clip = clip or ClipSpec()
    alpha, notes = _speed_ratio((network,), speed_ratio, clip)
    shared = _shared_arguments(network, alpha, clip, labels)
    if network.has_fast_pathway:
        model = SlowFastClassifier(
            **shared,
            channel_ratio=network.channel_ratio,
            fusion=network.fusion,
            fusion_kernel=network.fusion_kernel,
        )
    else:
        model = SlowClassifier(**shared)
    fill(model, network.tensors, network.path)
    return model, ImportReport(_in_words(model), (network.source(),), notes)


def warm_start(
    slowfast,
    slow=None,
    *,
    labels: Sequence[str] | None = None,
    speed_ratio: int | None = None,
    clip: ClipSpec = ClipSpec(),
) -> tuple[TwoStreamClassifier, ImportReport]:
    """Start the paper's network from public checkpoints.

    With both files the temporal stream is the fast pathway of the SlowFast network, which never
    receives anything from the slow one; the spatial stream is the Slow network. The dense layer
    has the rows that each stream had where it was trained, and the Slow network's bias: its logits
    are those of the Slow network plus what the fast pathway adds to the SlowFast network's. Both
    streams have class activation maps from the beginning; the sum was never trained as a whole.

    With a SlowFast file alone both streams are its pathways. The slow one was trained with lateral
    inputs, which are cut off: a start for training, not a model. The report says so.

    Args:
        slowfast: SlowFast checkpoint, in any of the formats of `import_checkpoint`.
        slow: Slow checkpoint of the same depth, width and classes, or `None`.
        labels: Class names in the order of the checkpoints.
        speed_ratio: α, see `import_checkpoint`.
        clip: Clips that the model takes.

    Returns:
        The model, and a report on every tensor.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: As in `import_checkpoint`, or if the two do not fit each other.
    """
    fast = recognise(_read(slowfast))
    if fast.format.name in BUILDERS or not fast.has_fast_pathway:
        raise ValueError(f"{fast.path} has one pathway. Expected a SlowFast checkpoint with two.")
    spatial = fast if slow is None else recognise(_read(slow))
    if slow is not None:
        _check_pair(spatial, fast, clip)
    alpha, notes = _speed_ratio((fast, spatial), speed_ratio, clip)
    model = TwoStreamClassifier(
        **_shared_arguments(spatial, alpha, clip, labels), channel_ratio=fast.channel_ratio
    )
    if slow is None:
        sources, note = _fill_from_one(model, fast)
    else:
        sources, note = _fill_from_two(model, spatial, fast)
    return model, ImportReport(_in_words(model), sources, (*notes, note))


def _read(file) -> RawCheckpoint:
    bundle = bundle_of(file)
    return read_checkpoint(file) if bundle is None else read_bundle(bundle)


def _fill_from_one(model, slowfast: Network) -> tuple[tuple[Source, ...], str]:
    tensors = {
        name: value for name, value in slowfast.tensors.items() if not name.startswith("fuse")
    }
    fill(model, _without_lateral_inputs(tensors, model), slowfast.path)
    return (slowfast.source(r"fuse", LATERAL),), (
        "A start for training, not a model: the spatial stream was trained with lateral inputs "
        "that this network does not have."
    )


def _fill_from_two(model, slow: Network, slowfast: Network) -> tuple[tuple[Source, ...], str]:
    temporal = {name: value for name, value in slowfast.tensors.items() if name.startswith("fast_")}
    spatial_rows = slow.tensors["classifier/kernel"]  # (C of the spatial stream, L)
    temporal_rows = slowfast.tensors["classifier/kernel"][len(spatial_rows) :]
    rows = np.concatenate([spatial_rows, temporal_rows])  # [spatial | temporal]
    tensors = {**slow.tensors, **temporal, "classifier/kernel": rows}
    fill(model, tensors, f"{slow.path} with {slowfast.path}")
    return (slow.source(), slowfast.source(r"(?!fast_)", NOT_TEMPORAL)), (
        "A start for training: the logits are those of the Slow network plus the fast pathway's "
        "share of the SlowFast network's, and were never trained together."
    )


def _shared_arguments(network: Network, speed_ratio: int, clip: ClipSpec, labels) -> dict[str, Any]:
    return {
        "num_classes": network.num_classes,
        "clip": clip,
        "labels": labels,
        "depth": network.depth,
        "width": network.width,
        "speed_ratio": speed_ratio,
        "frame_indices": network.format.frame_indices,
        "mean": network.format.mean,
        "std": network.format.std,
    }


def _speed_ratio(
    networks: Sequence[Network], given: int | None, clip: ClipSpec
) -> tuple[int, tuple[str, ...]]:
    """α, and a note if a file's name told it. It is never guessed: wrong, it costs accuracy."""
    if given is not None:
        return given, ()
    for network in networks:
        if (found := _configured_speed_ratio(network, clip)) is not None:
            return found, ()
    for network in networks:
        if (found := _named_speed_ratio(network, clip)) is not None:
            return found, (f"α = {found}, as the name of {network.path} says.",)
    raise ValueError(
        f"{' and '.join(dict.fromkeys(network.path for network in networks))}: neither a "
        "configuration inside nor 4x16 or 8x8 in the name tells the speed ratio α. Pass "
        "speed_ratio=8 for a 4x16 network, 4 for an 8x8 one (--speed-ratio)."
    )


def _stated_speed_ratio(network: Network, clip: ClipSpec) -> int | None:
    configured = _configured_speed_ratio(network, clip)
    return _named_speed_ratio(network, clip) if configured is None else configured


def _configured_speed_ratio(network: Network, clip: ClipSpec) -> int | None:
    """α by a configuration in the file: PySlowFast's YAML or MMAction2's Python."""
    if network.has_fast_pathway:
        return network.find_number(_in_section("SLOWFAST", "ALPHA"), r"\bresample_rate=(\d+)")
    frames = network.find_number(_in_section("DATA", "NUM_FRAMES"), r"\bclip_len=(\d+)")
    return _for_slow_frames(frames, clip)


def _named_speed_ratio(network: Network, clip: ClipSpec) -> int | None:
    """α by the file's name: SLOWFAST_8x8_R50.pyth, slowonly_r50_8xb16-4x16x1-256e.pth."""
    said = {int(found.split("x")[0]) for found in SAMPLING.findall(Path(network.path).name)}
    if len(said) != 1:
        return None
    frames = said.pop()
    return 32 // frames if network.has_fast_pathway else _for_slow_frames(frames, clip)


def _for_slow_frames(frames: int | None, clip: ClipSpec) -> int | None:
    return clip.frames // frames if frames and clip.frames % frames == 0 else None


def _in_section(section: str, key: str) -> str:
    """Pattern of a whole number in one section of a YAML file; others have keys of that name."""
    return rf"(?m)^{section}:\n(?:[ ]+.*\n)*?[ ]+{key}: (\d+)\s*$"


def _check_pair(slow: Network, slowfast: Network, clip: ClipSpec) -> None:
    for name in ("depth", "width", "num_classes"):
        if getattr(slow, name) != getattr(slowfast, name):
            raise ValueError(
                f"The two checkpoints must have the same {name}. Received: {getattr(slow, name)} "
                f"in {slow.path}, {getattr(slowfast, name)} in {slowfast.path}"
            )
    stated = [_stated_speed_ratio(network, clip) for network in (slow, slowfast)]
    ratios = {ratio for ratio in stated if ratio is not None}
    if len(ratios) > 1:
        raise ValueError(
            f"{slow.path} and {slowfast.path} were trained with other numbers of slow frames: "
            f"speed ratios {sorted(ratios)}. Expected two networks such as 4x16 and 4x16."
        )
    if slow.format.mean != slowfast.format.mean or slow.has_fast_pathway:
        raise ValueError(
            f"Expected a Slow network with the normalisation of {slowfast.path}. Received: "
            f"{slow.path} ({slow.format.name})"
        )


def _without_lateral_inputs(tensors: dict[str, np.ndarray], model) -> dict[str, np.ndarray]:
    """Keep the input channels that come from the slow pathway: those that stand first."""
    variables = variables_by_name(model)
    return {
        name: value[..., : variables[name].shape[-2], :]
        if re.fullmatch(r"slow_res\d_0_(a|shortcut)_conv/kernel", name) and name in variables
        else value
        for name, value in tensors.items()
    }


def _in_words(model) -> str:
    return (
        f"{type(model).__name__}: R{model.depth}, width {model.width}, α = {model.speed_ratio}, "
        f"{model.num_classes} classes"
    )
