"""VMZ's networks, written anew in plain torch from its code's description.

https://github.com/facebookresearch/VMZ (Apache-2.0): caffe2, whose blobs `blobs` names as VMZ does,
and its torch form of CSN, which has torchvision's names. Caffe2 itself can no longer be installed.
"""

import re
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn


def normalized(channels: int) -> nn.BatchNorm3d:
    return nn.BatchNorm3d(channels, eps=1e-3)


def middle_of(entering: int, leaving: int) -> int:
    return int(27 * entering * leaving / (9 * entering + 3 * leaving))


class Convolution(nn.Sequential):
    """A 3x3x3 convolution in one of VMZ's kinds: "2.5d", "3d-sep" or "0.3d"."""

    def __init__(self, kind: str, entering: int, leaving: int, stride: int) -> None:
        if kind == "2.5d":
            middle = middle_of(entering, leaving)
            first = nn.Conv3d(
                entering, middle, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False
            )
            last = nn.Conv3d(middle, leaving, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False)
            super().__init__(first, normalized(middle), nn.ReLU(), last)
            return
        last = nn.Conv3d(entering, leaving, 3, stride, 1, groups=entering, bias=False)
        if kind == "3d-sep":
            super().__init__(last)
        else:
            first = nn.Conv3d(entering, leaving, 1, bias=False)
            super().__init__(first, normalized(leaving), last)


class Block(nn.Module):
    """A basic or a bottleneck block."""

    def __init__(self, kind: str, entering: int, filters: int, stride: int, deep: bool) -> None:
        super().__init__()
        leaving = 4 * filters if deep else filters
        if deep:
            self.conv1 = nn.Sequential(
                nn.Conv3d(entering, filters, 1, bias=False), normalized(filters)
            )
            self.conv2 = nn.Sequential(
                Convolution(kind, filters, filters, stride), normalized(filters)
            )
            self.conv3 = nn.Sequential(
                nn.Conv3d(filters, leaving, 1, bias=False), normalized(leaving)
            )
        else:
            self.conv1 = nn.Sequential(
                Convolution(kind, entering, filters, stride), normalized(filters)
            )
            self.conv2 = nn.Sequential(Convolution(kind, filters, filters, 1), normalized(filters))
        self.downsample = None
        if stride > 1 or entering != leaving:
            self.downsample = nn.Sequential(
                nn.Conv3d(entering, leaving, 1, stride, bias=False), normalized(leaving)
            )

    def forward(self, x):
        y = self.conv2(torch.relu(self.conv1(x)))
        if hasattr(self, "conv3"):
            y = self.conv3(torch.relu(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """R(2+1)D ("2.5d"), ir-CSN ("3d-sep") or ip-CSN ("0.3d")."""

    def __init__(self, kind: str, blocks, num_classes: int, width: int, deep: bool) -> None:
        super().__init__()
        if kind == "2.5d":
            middle = 45 * width // 64
            self.stem = nn.Sequential(
                nn.Conv3d(3, middle, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
                normalized(middle),
                nn.ReLU(),
                nn.Conv3d(middle, width, (3, 1, 1), 1, (1, 0, 0), bias=False),
                normalized(width),
                nn.ReLU(),
            )
        else:
            self.stem = nn.Sequential(
                nn.Conv3d(3, width, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False),
                normalized(width),
                nn.ReLU(),
                nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            )
        entering = width
        for stage, count in enumerate(blocks):
            layers = []
            for block in range(count):
                stride = 2 if stage and not block else 1
                layers.append(Block(kind, entering, width * 2**stage, stride, deep))
                entering = width * 2**stage * (4 if deep else 1)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(entering, num_classes)

    def forward(self, x):
        x = self.stem(x)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.fc(x.mean((2, 3, 4)))


class C3D(nn.Module):
    """VMZ's C3D: biases and batch normalisation, and no padding in the last pool."""

    def __init__(self, num_classes: int, width: int, hidden: int) -> None:
        super().__init__()
        entering = 3
        for name, factor in zip(
            ("1a", "2a", "3a", "3b", "4a", "4b", "5a", "5b"), (1, 2, 4, 4, 8, 8, 8, 8), strict=True
        ):
            self.add_module(f"conv{name}", nn.Conv3d(entering, width * factor, 3, padding=1))
            self.add_module(f"conv{name}_bn", normalized(width * factor))
            entering = width * factor
        self.fc6 = nn.Linear(entering * 9, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, num_classes)

    def forward(self, x):
        for stage in (1, 2, 3, 4, 5):
            for letter in "ab" if stage > 2 else "a":
                name = f"conv{stage}{letter}"
                x = torch.relu(getattr(self, f"{name}_bn")(getattr(self, name)(x)))
            size = (1, 2, 2) if stage == 1 else (2, 2, 2)
            x = nn.functional.max_pool3d(x, size, size)
        x = torch.relu(self.fc6(x.flatten(1)))
        return self.last(torch.relu(self.fc7(x)))


LEAVES = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}


def blobs(state: Mapping[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    """The tensors of a `ResNet` under caffe2's names, written out once more for this test."""
    before, counts = 0, {}
    for stage in (1, 2, 3, 4):
        counts[stage] = before
        before += len({name.split(".")[1] for name in state if name.startswith(f"layer{stage}.")})
    named = {}
    for name, value in state.items():
        *path, leaf = name.split(".")
        if leaf == "num_batches_tracked":
            continue
        norm = "w" if value.ndim > 1 else LEAVES[leaf]
        if path[0] == "fc":
            named[f"last_out_L{len(state['fc.bias'])}_{'w' if leaf == 'weight' else 'b'}"] = value
            continue
        if path[0] == "stem":
            convolutions = {"0": "conv1_middle", "3": "conv1"} if kind == "2.5d" else {"0": "conv1"}
            before_it = convolutions.get(str(int(path[1]) - (norm != "w")))
            named[f"{before_it}{'_w' if norm == 'w' else f'_spatbn_relu_{norm}'}"] = value
            continue
        number = counts[int(path[0][-1])] + int(path[1])
        if path[2] == "downsample":
            end = "_w" if norm == "w" else f"_spatbn_{norm}"
            named[f"shortcut_projection_{number}{end}"] = value
            continue
        # The 3x3x3 one counts twice in ir-CSN.
        index = int(path[2][-1]) + (kind == "3d-sep" and int(path[2][-1]) > 1)
        place = ".".join(path[3:])
        middle = "_middle" if re.fullmatch(r"0\.[01]", place) and kind != "3d-sep" else ""
        what = f"conv_{index}{middle}" if norm == "w" else f"spatbn_{index}{middle}"
        named[f"comp_{number}_{what}_{norm}"] = value
    return named


def c3d_blobs(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same of a `C3D`."""
    named = {}
    for name, value in state.items():
        layer, leaf = name.split(".")
        if leaf == "num_batches_tracked":
            continue
        if layer == "last":
            layer = f"last_out_L{len(state['last.bias'])}"
        end = LEAVES[leaf] if layer.endswith("_bn") else "w" if leaf == "weight" else "b"
        named[f"{layer}_{end}"] = value
    return named
