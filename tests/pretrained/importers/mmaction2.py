"""MMAction2's I3D, R(2+1)D and CSN, written anew in plain torch, with its names of tensors.

https://github.com/open-mmlab/mmaction2 (Apache-2.0), which needs mmcv and mmengine.
"""

import torch
from torch import nn

IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
# Temporal kernels of the first convolution of I3D's blocks, stage by stage.
INFLATE = ((1, 1, 1), (1, 0, 1, 0), (1, 0, 1, 0, 1, 0), (0, 1, 0))


class ConvModule(nn.Module):
    """A convolution, batch normalisation and, unless told otherwise, a ReLU."""

    def __init__(self, conv: nn.Module, channels: int, epsilon: float, relu: bool = True) -> None:
        super().__init__()
        self.conv, self.bn = conv, nn.BatchNorm3d(channels, epsilon)
        self.relu = relu

    def forward(self, x):
        x = self.bn(self.conv(x))
        return torch.relu(x) if self.relu else x


class Conv2plus1d(nn.Module):
    """Its own normalisation has torch's epsilon, whatever that of the one behind it."""

    def __init__(self, entering: int, leaving: int, kernel, stride) -> None:
        super().__init__()
        taps, side, _ = kernel
        window = side * side
        middle = int(3 * entering * leaving * window / (entering * window + 3 * leaving))
        self.conv_s = nn.Conv3d(
            entering,
            middle,
            (1, side, side),
            (1, *stride[1:]),
            (0, side // 2, side // 2),
            bias=False,
        )
        self.bn_s = nn.BatchNorm3d(middle)
        self.conv_t = nn.Conv3d(
            middle, leaving, (taps, 1, 1), (stride[0], 1, 1), (taps // 2, 0, 0), bias=False
        )

    def forward(self, x):
        return self.conv_t(torch.relu(self.bn_s(self.conv_s(x))))


class Block(nn.Module):
    def __init__(self, modules: dict[str, nn.Module]) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        y = self.conv2(self.conv1(x))
        if hasattr(self, "conv3"):
            y = self.conv3(y)
        return torch.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class Network(nn.Module):
    """`kind` is "i3d", "r2plus1d", "ircsn" or "ipcsn"."""

    def __init__(self, kind: str, blocks, num_classes: int, width: int) -> None:
        super().__init__()
        self.kind = kind
        self.epsilon = 1e-5 if kind == "i3d" else 1e-3
        time = 2 if kind == "i3d" else 1
        kernel = (5 if kind == "i3d" else 3, 7, 7)
        self.backbone = nn.Module()
        self.backbone.conv1 = self._module(3, width, kernel, (time, 2, 2))
        self.pool = nn.MaxPool3d((1, 3, 3), (time, 2, 2), (0, 1, 1))
        entering = width
        for stage, count in enumerate(blocks):
            layers = []
            for block in range(count):
                modules = self._block(entering, width * 2**stage, stage, block)
                layers.append(Block(modules))
                entering = width * 2**stage * (1 if kind == "r2plus1d" else 4)
            self.backbone.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.cls_head = nn.Module()
        self.cls_head.fc_cls = nn.Linear(entering, num_classes)

    def _module(self, entering, leaving, kernel, stride=(1, 1, 1), relu=True, groups=1):
        if self.kind == "r2plus1d":
            conv = Conv2plus1d(entering, leaving, kernel, stride)
        else:
            pads = tuple(size // 2 for size in kernel)
            conv = nn.Conv3d(entering, leaving, kernel, stride, pads, groups=groups, bias=False)
        return ConvModule(conv, leaving, self.epsilon, relu)

    def _block(self, entering: int, filters: int, stage: int, block: int) -> dict[str, nn.Module]:
        space = 2 if stage and not block else 1
        stride = (1 if self.kind == "i3d" else space, space, space)
        one = (1, 1, 1)
        leaving = filters if self.kind == "r2plus1d" else 4 * filters
        if self.kind == "r2plus1d":
            modules = {
                "conv1": self._module(entering, filters, (3, 3, 3), stride),
                "conv2": self._module(filters, filters, (3, 3, 3), relu=False),
            }
        else:
            taps = 3 if self.kind == "i3d" and INFLATE[stage][block] else 1
            if self.kind == "i3d":
                second = self._module(filters, filters, (1, 3, 3), stride)
            else:
                depthwise = self._module(filters, filters, (3, 3, 3), stride, groups=filters)
                mixed = self._module(filters, filters, one, relu=False)
                second = nn.Sequential(*([mixed] if self.kind == "ipcsn" else []), depthwise)
            modules = {
                "conv1": self._module(entering, filters, (taps, 1, 1)),
                "conv2": second,
                "conv3": self._module(filters, leaving, one, relu=False),
            }
        if space > 1 or entering != leaving:
            modules["downsample"] = self._module(entering, leaving, one, stride, relu=False)
        return modules

    def forward(self, x):
        x = self.pool(self.backbone.conv1(x))
        for stage in (1, 2, 3, 4):
            x = getattr(self.backbone, f"layer{stage}")(x)
            if stage == 1 and self.kind == "i3d":
                x = nn.functional.max_pool3d(x, (2, 1, 1), (2, 1, 1))
        return self.cls_head.fc_cls(x.mean((2, 3, 4)))
