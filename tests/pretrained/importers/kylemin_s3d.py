"""kylemin's S3D, written anew in plain torch from its description, with its names of tensors.

The repository is no package: https://github.com/kylemin/S3D (MIT).
"""

import torch
from torch import nn


class BasicConv3d(nn.Module):
    def __init__(self, entering: int, leaving: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(entering, leaving, 1, bias=False)
        self.bn = nn.BatchNorm3d(leaving, eps=1e-3, momentum=0.001)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class SepConv3d(nn.Module):
    def __init__(self, entering: int, leaving: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        pad = kernel // 2
        self.conv_s = nn.Conv3d(
            entering,
            leaving,
            (1, kernel, kernel),
            (1, stride, stride),
            (0, pad, pad),
            bias=False,
        )
        self.bn_s = nn.BatchNorm3d(leaving, eps=1e-3, momentum=0.001)
        self.conv_t = nn.Conv3d(
            leaving, leaving, (kernel, 1, 1), (stride, 1, 1), (pad, 0, 0), bias=False
        )
        self.bn_t = nn.BatchNorm3d(leaving, eps=1e-3, momentum=0.001)

    def forward(self, x):
        x = torch.relu(self.bn_s(self.conv_s(x)))
        return torch.relu(self.bn_t(self.conv_t(x)))


class Mixed(nn.Module):
    def __init__(self, entering: int, zero: int, one, two, three: int) -> None:
        super().__init__()
        self.branch0 = nn.Sequential(BasicConv3d(entering, zero))
        self.branch1 = nn.Sequential(BasicConv3d(entering, one[0]), SepConv3d(*one, 3))
        self.branch2 = nn.Sequential(BasicConv3d(entering, two[0]), SepConv3d(*two, 3))
        self.branch3 = nn.Sequential(nn.MaxPool3d(3, 1, 1), BasicConv3d(entering, three))

    def forward(self, x):
        branches = (self.branch0, self.branch1, self.branch2, self.branch3)
        return torch.cat([branch(x) for branch in branches], 1)


class S3D(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.base = nn.Sequential(
            SepConv3d(3, 64, 7, 2),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            BasicConv3d(64, 64),
            SepConv3d(64, 192, 3),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            Mixed(192, 64, (96, 128), (16, 32), 32),
            Mixed(256, 128, (128, 192), (32, 96), 64),
            nn.MaxPool3d(3, 2, 1),
            Mixed(480, 192, (96, 208), (16, 48), 64),
            Mixed(512, 160, (112, 224), (24, 64), 64),
            Mixed(512, 128, (128, 256), (24, 64), 64),
            Mixed(512, 112, (144, 288), (32, 64), 64),
            Mixed(528, 256, (160, 320), (32, 128), 128),
            nn.MaxPool3d(2, 2),
            Mixed(832, 256, (160, 320), (32, 128), 128),
            Mixed(832, 384, (192, 384), (48, 128), 128),
        )
        self.fc = nn.Sequential(nn.Conv3d(1024, num_classes, 1))

    def forward(self, x):
        y = self.base(x)
        y = nn.functional.avg_pool3d(y, (2, y.shape[3], y.shape[4]), 1)
        y = self.fc(y)
        return y.flatten(2).mean(2)
