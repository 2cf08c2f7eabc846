"""3D ResNeXt, written anew in plain torch from its description, with its names of tensors.

The repository is no package: https://github.com/kenshohara/3D-ResNets-PyTorch (MIT), branch
CVPR2018; its master no longer builds the network.
"""

import math

import torch
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, entering: int, planes: int, groups: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(entering, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(planes)
        self.conv2 = nn.Conv3d(planes, planes, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        self.conv3 = nn.Conv3d(planes, 2 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(2 * planes)
        self.downsample = None
        if stride > 1 or entering != 2 * planes:
            self.downsample = nn.Sequential(
                nn.Conv3d(entering, 2 * planes, 1, stride, bias=False),
                nn.BatchNorm3d(2 * planes),
            )

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNeXt(nn.Module):
    def __init__(
        self, num_classes: int, blocks, frames: int, size: int, width: int = 64, groups: int = 32
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, width, 7, (1, 2, 2), 3, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.maxpool = nn.MaxPool3d(3, 2, 1)
        entering = width
        for stage, count in enumerate(blocks):
            planes = 2 * width * 2**stage
            layers = []
            for block in range(count):
                stride = 2 if stage and not block else 1
                layers.append(Bottleneck(entering, planes, groups, stride))
                entering = 2 * planes
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        side = math.ceil(size / 32)
        self.avgpool = nn.AvgPool3d((math.ceil(frames / 16), side, side), 1)
        self.fc = nn.Linear(entering, num_classes)

    def forward(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))
