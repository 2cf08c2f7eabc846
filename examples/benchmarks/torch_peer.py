"""The same network in plain PyTorch: what the benchmarks compare with.

SlowFast R50 4x16 without and with lateral fusion, and its small relatives, as one writes it in
PyTorch: `nn.Conv3d`, `nn.BatchNorm3d`, in-place ReLU, nothing that hinders `channels_last_3d`,
autocast or `torch.compile`. Like the models of `keras_acl` it takes raw clips, so that normalising
and splitting into pathways are timed on both sides. `peer_of` gives it a Keras model's weights, and
a test holds the logits of both to 1e-4.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

# Its own, and tested against those of `keras_acl`: the peer is a second opinion.
BLOCKS = {11: (1, 1, 1), 14: (1, 1, 1, 1), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
STRIDES = {11: (1, 2, 1), 14: (1, 2, 2, 2), 50: (1, 2, 2, 2), 101: (1, 2, 2, 2)}
# Names of Keras' variables by the end of those of torch's parameters and buffers.
VARIABLES = {
    "conv.weight": "conv/kernel",
    "norm.weight": "bn/gamma",
    "norm.bias": "bn/beta",
    "norm.running_mean": "bn/moving_mean",
    "norm.running_var": "bn/moving_variance",
    "head.weight": "classifier/kernel",
    "head.bias": "classifier/bias",
}


class ConvNorm(nn.Sequential):
    """Convolution, batch normalisation and, on request, ReLU."""

    def __init__(self, inputs: int, filters: int, kernel, stride=(1, 1, 1), relu: bool = True):
        super().__init__()
        padding = tuple(size // 2 for size in kernel)
        self.conv = nn.Conv3d(inputs, filters, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm3d(filters)
        if relu:
            self.relu = nn.ReLU(inplace=True)


class Bottleneck(nn.Module):
    """T×1×1, 1×3×3 with the spatial stride, 1×1×1, and the shortcut."""

    def __init__(self, inputs: int, filters: int, temporal_kernel: int, stride: int):
        super().__init__()
        outputs, strides = 4 * filters, (1, stride, stride)
        self.a = ConvNorm(inputs, filters, (temporal_kernel, 1, 1))
        self.b = ConvNorm(filters, filters, (1, 3, 3), strides)
        self.c = ConvNorm(filters, outputs, (1, 1, 1), relu=False)
        self.shortcut = None
        if stride > 1 or inputs != outputs:
            self.shortcut = ConvNorm(inputs, outputs, (1, 1, 1), strides, relu=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        """(B, C, T, H, W) -> (B, 4·filters, T, H / stride, W / stride)."""
        shortcut = x if self.shortcut is None else self.shortcut(x)
        x = self.c(self.b(self.a(x)))
        x += shortcut
        return self.relu(x)


class Stream(nn.Module):
    """Stem and stages of one pathway; `joined` are the channels that fusion adds to each stage."""

    def __init__(self, depth: int, width: int, kernels, joined):
        super().__init__()
        self.stem = ConvNorm(3, width, (kernels[0], 7, 7), (1, 2, 2))
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.channels = [width]  # that leave the stem and each stage
        for stage, count in enumerate(BLOCKS[depth]):
            filters, stride = width * 2**stage, STRIDES[depth][stage]
            inputs = self.channels[-1] + joined[stage]
            blocks = [Bottleneck(inputs, filters, kernels[stage + 1], stride)]
            blocks += [
                Bottleneck(4 * filters, filters, kernels[stage + 1], 1) for _ in range(count - 1)
            ]
            self.add_module(f"res{stage + 2}", nn.Sequential(*blocks))
            self.channels.append(4 * filters)

    def stages(self) -> list[nn.Module]:
        """The residual stages, in order."""
        return [getattr(self, f"res{number + 1}") for number in range(1, len(self.channels))]


class TwoStreamPeer(nn.Module):
    """Two pathways over one clip, normalisation and head included.

    Args:
        num_classes: Number of classes (L).
        frames: Frames of the clip (T).
        depth: 50, 101, or 11, 14 for small networks.
        width: Channels of the slow stem.
        speed_ratio: α; the slow pathway sees T/α frames.
        channel_ratio: 1/β; the fast pathway is that many times narrower.
        fusion: `"none"`, or `"conv"` for SlowFast's lateral connections.
        fusion_kernel: Temporal kernel of the lateral connections.
        dropout: Dropout rate before the dense layer.

    Call arguments:
        clip: Raw RGB, uint8 or float 0-255, `(batch, T, height, width, 3)`, contiguous: seen with
            the channels second, that is `channels_last_3d`.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        frames: int = 32,
        depth: int = 50,
        width: int = 64,
        speed_ratio: int = 8,  # α
        channel_ratio: int = 8,  # 1/β
        fusion: str = "none",
        fusion_kernel: int = 5,
        dropout: float = 0.5,
    ):
        super().__init__()
        stages, narrow = len(BLOCKS[depth]), width // channel_ratio
        slow_kernels = [1] * (stages - 1) + [3, 3]
        self.fast = Stream(depth, narrow, [5] + [3] * stages, [0] * stages)
        fused = [2 * count * (fusion == "conv") for count in self.fast.channels[:-1]]
        self.slow = Stream(depth, width, slow_kernels, fused)
        self.laterals = len(fused) if fusion == "conv" else 0
        for stage in range(self.laterals):
            channels = self.fast.channels[stage]
            lateral = ConvNorm(channels, 2 * channels, (fusion_kernel, 1, 1), (speed_ratio, 1, 1))
            self.add_module(f"fuse{stage + 1}", lateral)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.slow.channels[-1] + self.fast.channels[-1], num_classes)
        self.register_buffer("slow_frames", slow_frames(frames, speed_ratio), persistent=False)

    def forward(self, clip):
        """(B, T, H, W, 3) -> (B, L)."""
        slow, fast = pathways(clip, self.slow_frames)
        slow, fast = self.slow.pool(self.slow.stem(slow)), self.fast.pool(self.fast.stem(fast))
        stages = zip(self.slow.stages(), self.fast.stages(), strict=True)
        for number, (slow_stage, fast_stage) in enumerate(stages, start=1):
            if self.laterals:
                slow = torch.cat([slow, getattr(self, f"fuse{number}")(fast)], dim=1)
            slow, fast = slow_stage(slow), fast_stage(fast)
        pooled = [x.mean(dim=(2, 3, 4), dtype=torch.float32) for x in (slow, fast)]
        return self.head(self.dropout(torch.cat(pooled, dim=1)))


def slow_frames(frames: int, speed_ratio: int) -> torch.Tensor:
    """Which frames the slow pathway sees, evenly from the first to the last, (T/α,)."""
    indices = np.linspace(0, frames - 1, frames // speed_ratio)
    return torch.from_numpy(indices.astype(np.int64))


def pathways(clip, indices) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalise raw clips (B, T, H, W, 3); returns slow and fast frames, (B, 3, T/α or T, H, W)."""
    fast = (clip.permute(0, 4, 1, 2, 3).float() / 255 - 0.45) / 0.225
    return fast.index_select(2, indices), fast


def peer_of(keras_model) -> TwoStreamPeer:
    """The peer of a `TwoStreamClassifier` or `SlowFastClassifier`, with its weights, in fp32.

    Raises:
        ValueError: If the model has a fusion, frames or normalisation the peer does not have.
    """
    config = keras_model.get_config()
    offered = {
        "fusion": ("none", "conv"),
        "frame_indices": ("linspace",),
        "mean": (0.45,),
        "std": (0.225,),
    }
    for name, values in offered.items():
        if name in config and config[name] not in values:
            raise ValueError(f"Expected one of {values}. Received: {name}={config[name]!r}")
    peer = TwoStreamPeer(
        keras_model.num_classes,
        frames=keras_model.clip.frames,
        depth=config["depth"],
        width=config["width"],
        speed_ratio=config["speed_ratio"],
        channel_ratio=config["channel_ratio"],
        fusion=config.get("fusion", "none"),
        fusion_kernel=config.get("fusion_kernel", 1),
        dropout=config["dropout"],
    )
    load_weights(peer, keras_weights(keras_model))
    return peer


def keras_weights(keras_model) -> dict[str, np.ndarray]:
    """Weights of a two-stream model by the fused pair's layer names: "slow_stem_conv/kernel"."""
    from keras import ops

    if hasattr(keras_model, "streams"):
        parts = {"": keras_model.streams}
    else:
        parts = {"slow_": keras_model.spatial_stream, "fast_": keras_model.temporal_stream}
    named = {
        prefix + "/".join(variable.path.split("/")[-2:]): variable
        for prefix, stream in parts.items()
        for variable in stream.variables
    }
    named["classifier/kernel"] = keras_model.classifier.kernel
    named["classifier/bias"] = keras_model.classifier.bias
    return {name: np.asarray(ops.convert_to_numpy(value)) for name, value in named.items()}


def keras_name(name: str) -> str:
    """`slow.res2.0.a.conv.weight` -> `slow_res2_0_a_conv/kernel`."""
    *layer, module, part = name.split(".")
    return "_".join([*layer, VARIABLES[f"{module}.{part}"]])


def load_weights(torch_model: nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Fill a peer with what `keras_weights` gave; every weight must have its place.

    Raises:
        ValueError: If a weight is missing, left over or of another shape.
    """
    state = {
        name: value
        for name, value in torch_model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    names = {name: keras_name(name) for name in state}
    if different := sorted(set(names.values()) ^ weights.keys()):
        raise ValueError(f"Weights of one network alone: {', '.join(different)}")
    arrays = {name: _torch_layout(weights[ours]) for name, ours in names.items()}
    for name, array in arrays.items():
        if array.shape != tuple(state[name].shape):
            raise ValueError(
                f"{names[name]} has the shape {array.shape}. Expected {tuple(state[name].shape)}"
            )
    with torch.no_grad():
        for name, array in arrays.items():
            state[name].copy_(torch.from_numpy(array))


def _torch_layout(value: np.ndarray) -> np.ndarray:
    # (T, H, W, in, out) -> (out, in, T, H, W); (in, out) -> (out, in)
    order = {5: (4, 3, 0, 1, 2), 2: (1, 0), 1: (0,)}[value.ndim]
    return np.ascontiguousarray(value.transpose(order))


def sgd(model: nn.Module, learning_rate: float = 1e-3, fused: bool = False) -> torch.optim.SGD:
    """The recipes' optimiser: Nesterov momentum 0.9, decay 1e-4 on all but normalisation."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm3d)]
    normalisation = [parameter for norm in norms for parameter in norm.parameters()]
    excepted = {id(parameter) for parameter in normalisation}
    others = [parameter for parameter in model.parameters() if id(parameter) not in excepted]
    groups = [
        {"params": others, "weight_decay": 1e-4},
        {"params": normalisation, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, learning_rate, momentum=0.9, nesterov=True, fused=fused)


def train_step(model: nn.Module, optimizer, clip, labels, autocast: bool = False):
    """One step on cross-entropy; returns the loss, still on the device."""
    with torch.autocast(clip.device.type, torch.bfloat16, enabled=autocast):
        loss = nn.functional.cross_entropy(model(clip).float(), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()
