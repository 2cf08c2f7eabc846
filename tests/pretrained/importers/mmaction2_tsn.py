"""MMAction2's TSN on a ResNet, written anew in plain torch, with its names of tensors."""

import torch
from torch import nn


class ConvModule(nn.Module):
    def __init__(self, entering: int, leaving: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(entering, leaving, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(leaving)

    def forward(self, x):
        return self.bn(self.conv(x))


class Bottleneck(nn.Module):
    def __init__(self, entering: int, planes: int, stride: int, projects: bool) -> None:
        super().__init__()
        self.conv1 = ConvModule(entering, planes, 1)
        self.conv2 = ConvModule(planes, planes, 3, stride)
        self.conv3 = ConvModule(planes, 4 * planes, 1)
        if projects:
            self.downsample = ConvModule(entering, 4 * planes, 1, stride)

    def forward(self, x):
        y = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        return torch.relu(self.conv3(y) + shortcut)


class ResNet(nn.Module):
    def __init__(self, width: int, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1, self.pool = ConvModule(3, width, 7, 2), nn.MaxPool2d(3, 2, 1)
        entering = width
        for stage, count in enumerate(blocks):
            planes, layers = width * 2**stage, []
            for block in range(count):
                stride = 2 if stage and not block else 1
                layers.append(Bottleneck(entering, planes, stride, not block))
                entering = 4 * planes
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class Head(nn.Module):
    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.fc_cls = nn.Linear(channels, num_classes)


class TSN(nn.Module):
    """(B, T, 3, H, W) to logits: of the mean of the frames' features."""

    def __init__(self, num_classes: int, width: int, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.backbone = ResNet(width, blocks)
        self.cls_head = Head(32 * width, num_classes)

    def forward(self, x):
        features = self.backbone(x.flatten(0, 1)).mean((2, 3)).unflatten(0, x.shape[:2])
        return self.cls_head.fc_cls(features.mean(1))
