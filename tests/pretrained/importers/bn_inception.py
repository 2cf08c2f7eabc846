"""BN-Inception and ECO, written anew in plain torch from their descriptions, with their names.

The layers are those of yjxiong's tensorflow-model-zoo.torch (MIT) and of ECO's prototxt, which
ECO-pytorch (BSD-2) follows; neither repository is a package.
"""

import torch
from torch import nn
from torch.nn import functional

# 1x1, 3x3_reduce, 3x3, double_3x3_reduce, double_3x3, pool_proj, kind of pool
TABLE = {
    "3a": (64, 64, 64, 64, 96, 32, "ave"),
    "3b": (64, 64, 96, 64, 96, 64, "ave"),
    "3c": (0, 128, 160, 64, 96, 0, "max"),
    "4a": (224, 64, 96, 96, 128, 128, "ave"),
    "4b": (192, 96, 128, 96, 128, 128, "ave"),
    "4c": (160, 128, 160, 128, 160, 128, "ave"),
    "4d": (96, 128, 192, 160, 192, 128, "ave"),
    "4e": (0, 128, 192, 192, 256, 0, "max"),
    "5a": (352, 192, 320, 160, 224, 128, "ave"),
    "5b": (352, 192, 320, 192, 224, 128, "max"),
}


class BNInception(nn.Module):
    """Frame by frame, (B, 3, H, W) to (B, C, h, w); convolutions have biases, as in Caffe."""

    def __init__(self, width: int = 64, channels: int = 3) -> None:
        super().__init__()
        self.width = width
        self._add("conv1_7x7_s2", channels, 64, 7)
        self._add("conv2_3x3_reduce", width, 64, 1)
        self._add("conv2_3x3", width, 192, 3)
        entering = 192
        for name, (alone, reduced, single, double_reduced, double, projected, _) in TABLE.items():
            name, own = f"inception_{name}", entering * width // 64
            if alone:
                self._add(f"{name}_1x1", own, alone, 1)
            self._add(f"{name}_3x3_reduce", own, reduced, 1)
            self._add(f"{name}_3x3", reduced * width // 64, single, 3)
            self._add(f"{name}_double_3x3_reduce", own, double_reduced, 1)
            self._add(f"{name}_double_3x3_1", double_reduced * width // 64, double, 3)
            self._add(f"{name}_double_3x3_2", double * width // 64, double, 3)
            if projected:
                self._add(f"{name}_pool_proj", own, projected, 1)
            entering = alone + single + double + (projected or entering)

    def _add(self, name: str, entering: int, leaving: int, kernel: int) -> None:
        leaving = leaving * self.width // 64
        self.add_module(name, nn.Conv2d(entering, leaving, kernel, padding=kernel // 2))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(leaving))

    def run(self, name: str, x, stride: int = 1):
        convolve = getattr(self, name)
        x = functional.conv2d(x, convolve.weight, convolve.bias, stride, convolve.padding)
        return torch.relu(getattr(self, f"{name}_bn")(x))

    def begin(self, x):
        """Up to the end of 3b."""
        x = functional.max_pool2d(self.run("conv1_7x7_s2", x, 2), 3, 2, ceil_mode=True)
        x = self.run("conv2_3x3", self.run("conv2_3x3_reduce", x))
        x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
        return self.block("3b", self.block("3a", x))

    def block(self, name: str, x):
        alone, *_, projected, pool = TABLE[name]
        name, stride = f"inception_{name}", 1 if alone else 2
        branches = [self.run(f"{name}_1x1", x)] if alone else []
        y = self.run(f"{name}_3x3_reduce", x)
        branches.append(self.run(f"{name}_3x3", y, stride))
        y = self.run(f"{name}_double_3x3_1", self.run(f"{name}_double_3x3_reduce", x))
        branches.append(self.run(f"{name}_double_3x3_2", y, stride))
        if not alone:
            y = functional.max_pool2d(x, 3, 2, ceil_mode=True)
        elif pool == "max":
            y = functional.max_pool2d(x, 3, 1, 1)
        else:
            y = functional.avg_pool2d(x, 3, 1, 1)
        branches.append(self.run(f"{name}_pool_proj", y) if projected else y)
        return torch.cat(branches, 1)

    def forward(self, x):
        x = self.begin(x)
        for name in list(TABLE)[2:]:
            x = self.block(name, x)
        return x


class TSN(nn.Module):
    """(B, T, channels, H, W) to logits: the mean of those of the frames."""

    def __init__(self, num_classes: int, width: int = 64, channels: int = 3) -> None:
        super().__init__()
        self.base_model = BNInception(width, channels)
        self.new_fc = nn.Linear(16 * width, num_classes)

    def forward(self, x):
        features = self.base_model(x.flatten(0, 1)).mean((2, 3))
        return self.new_fc(features).unflatten(0, x.shape[:2]).mean(1)


class ThreeD(BNInception):
    """BN-Inception and, beside it, the 3D layers of ECO."""

    def __init__(self, width: int = 64) -> None:
        super().__init__(width)
        channels = 96 * width // 64
        self._add3d("res3a_2", channels, 128, "res3a")
        self._add3d("res3b_1", 2 * width, 128, "res3b_1")
        self._add3d("res3b_2", 2 * width, 128, "res3b")
        for stage, filters in ((4, 256), (5, 512)):
            entering, own = filters // 2 * width // 64, filters * width // 64
            self._add3d(f"res{stage}a_1", entering, filters, f"res{stage}a_1")
            self._add3d(f"res{stage}a_2", own, filters, f"res{stage}a")
            self._add3d(f"res{stage}a_down", entering, filters)
            self._add3d(f"res{stage}b_1", own, filters, f"res{stage}b_1")
            self._add3d(f"res{stage}b_2", own, filters, f"res{stage}b")

    def _add3d(self, name: str, entering: int, leaving: int, norm: str = "") -> None:
        leaving = leaving * self.width // 64
        self.add_module(name, nn.Conv3d(entering, leaving, 3, padding=1))
        if norm:
            self.add_module(f"{norm}_bn", nn.BatchNorm3d(leaving))

    def convolve(self, name: str, x, stride: int = 1):
        layer = getattr(self, name)
        return functional.conv3d(x, layer.weight, layer.bias, stride, 1)

    def norm(self, name: str, x):
        return torch.relu(getattr(self, f"{name}_bn")(x))

    def residual(self, name: str, shortcut, x, stride: int = 1):
        x = self.norm(f"{name}_1", self.convolve(f"{name}_1", x, stride))
        sums = shortcut + self.convolve(f"{name}_2", x)
        return sums, self.norm(name, sums)

    def forward_3d(self, x):
        """(B, C, T, h, w) to pooled features."""
        sums = self.convolve("res3a_2", x)
        sums, x = self.residual("res3b", sums, self.norm("res3a", sums))
        for stage in (4, 5):
            sums = self.convolve(f"res{stage}a_down", x, 2)
            sums, x = self.residual(f"res{stage}a", sums, x, 2)
            sums, x = self.residual(f"res{stage}b", sums, x)
        return x.mean((2, 3, 4))


class ECO(nn.Module):
    """(B, T, 3, H, W) to logits; Lite without the 2D network's end."""

    def __init__(self, num_classes: int, width: int = 64, full: bool = False) -> None:
        super().__init__()
        self.base_model, self.full = ThreeD(width), full
        self.new_fc = nn.Linear((24 if full else 8) * width, num_classes)

    def forward(self, x):
        net, batch = self.base_model, x.shape[:2]
        x = net.begin(x.flatten(0, 1))
        y = net.run("inception_3c_double_3x3_1", net.run("inception_3c_double_3x3_reduce", x))
        pooled = [net.forward_3d(y.unflatten(0, batch).transpose(1, 2))]
        if self.full:
            for name in list(TABLE)[2:]:
                x = net.block(name, x)
            pooled.insert(0, x.mean((2, 3)).unflatten(0, batch).mean(1))
        return self.new_fc(torch.cat(pooled, 1))

    def tensors(self) -> dict:
        """The state, of Lite without what it does not use."""
        unused = ("inception_4", "inception_5", "inception_3c_3x3", "inception_3c_double_3x3_2")
        return {
            name: value
            for name, value in self.state_dict().items()
            if self.full or not name.removeprefix("base_model.").startswith(unused)
        }
