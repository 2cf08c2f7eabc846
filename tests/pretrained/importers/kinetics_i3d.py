"""I3D, written anew with `tf.nn` from its description, with kinetics-i3d's names of variables.

https://github.com/google-deepmind/kinetics-i3d (Apache-2.0), which needs TensorFlow 1 and Sonnet.
The names are those of its published checkpoints' index files.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from pretrained.importers.drawn import drawn

# Channels of the branches, for a stem of 64.
MIXED = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}


class I3D:
    """Variables by name, and the network that they make.

    Args:
        num_classes: Number of classes.
        width: Channels of the stem.
        prefix: Before every name.
        statistics: Axes of ones before the channels of the statistics.
        channels: Channels of the input: 2 is optical flow.
    """

    def __init__(self, num_classes: int, width: int, prefix: str, statistics: int = 0, channels=3):
        self.prefix, self.statistics = prefix, statistics
        self.variables: dict[str, np.ndarray] = {}
        self._add("Conv3d_1a_7x7", channels, width, 7)
        self._add("Conv3d_2b_1x1", width, width, 1)
        entering = 3 * width
        self._add("Conv3d_2c_3x3", width, entering, 3)
        for block, counts in MIXED.items():
            zero, one_a, one_b, two_a, two_b, three = (n * width // 64 for n in counts)
            for name, (into, out, kernel) in {
                "Branch_0/Conv3d_0a_1x1": (entering, zero, 1),
                "Branch_1/Conv3d_0a_1x1": (entering, one_a, 1),
                "Branch_1/Conv3d_0b_3x3": (one_a, one_b, 3),
                "Branch_2/Conv3d_0a_1x1": (entering, two_a, 1),
                f"Branch_2/{second(block)}": (two_a, two_b, 3),
                "Branch_3/Conv3d_0b_1x1": (entering, three, 1),
            }.items():
                self._add(f"Mixed_{block}/{name}", into, out, kernel)
            entering = zero + one_b + two_b + three
        self._put("Logits/Conv3d_0c_1x1/conv_3d/w", (num_classes, entering, 1, 1, 1))
        self._put("Logits/Conv3d_0c_1x1/conv_3d/b", (num_classes,))

    def _add(self, name: str, entering: int, leaving: int, kernel: int) -> None:
        self._put(f"{name}/conv_3d/w", (leaving, entering, kernel, kernel, kernel))
        for part in ("beta", "moving_mean", "moving_variance"):
            self._put(f"{name}/batch_norm/{part}", (leaving,))

    def _put(self, name: str, shape: tuple[int, ...]) -> None:
        as_in_torch = name.replace("moving_variance", "running_var")
        value = drawn({as_in_torch: shape})[as_in_torch]
        if len(shape) == 5:
            value = value.transpose(2, 3, 4, 1, 0)  # to (T, H, W, I, O)
        elif "batch_norm" in name:
            value = value.reshape((1,) * self.statistics + shape)
        self.variables[self.prefix + name] = value

    def logits(self, clip: np.ndarray) -> np.ndarray:
        """Of clips (B, T, H, W, C), values from -1 to 1; the last pool spans the whole map."""
        x = self._convolve(tf.constant(clip), "Conv3d_1a_7x7", 2)
        x = pool(x, (1, 3, 3), (1, 2, 2))
        x = self._convolve(self._convolve(x, "Conv3d_2b_1x1"), "Conv3d_2c_3x3")
        x = pool(x, (1, 3, 3), (1, 2, 2))
        for block in MIXED:
            if block == "4b":
                x = pool(x, (3, 3, 3), (2, 2, 2))
            elif block == "5b":
                x = pool(x, (2, 2, 2), (2, 2, 2))
            name = f"Mixed_{block}/Branch_"
            one = self._convolve(x, f"{name}1/Conv3d_0a_1x1")
            two = self._convolve(x, f"{name}2/Conv3d_0a_1x1")
            branches = [
                self._convolve(x, f"{name}0/Conv3d_0a_1x1"),
                self._convolve(one, f"{name}1/Conv3d_0b_3x3"),
                self._convolve(two, f"{name}2/{second(block)}"),
                self._convolve(pool(x, (3, 3, 3), (1, 1, 1)), f"{name}3/Conv3d_0b_1x1"),
            ]
            x = tf.concat(branches, 4)
        x = tf.nn.avg_pool3d(x, (1, 2, *x.shape[2:4], 1), 1, "VALID")
        name = f"{self.prefix}Logits/Conv3d_0c_1x1/conv_3d/"
        x = tf.nn.conv3d(x, self.variables[f"{name}w"], (1,) * 5, "SAME")
        x = tf.squeeze(x + self.variables[f"{name}b"], (2, 3))
        return tf.reduce_mean(x, 1).numpy()

    def _convolve(self, x, name: str, stride: int = 1):
        kernel, beta, mean, variance = (
            self.variables[f"{self.prefix}{name}/{part}"]
            for part in (
                "conv_3d/w",
                "batch_norm/beta",
                "batch_norm/moving_mean",
                "batch_norm/moving_variance",
            )
        )
        x = tf.nn.conv3d(x, kernel, (1, stride, stride, stride, 1), "SAME")
        return tf.nn.relu(tf.nn.batch_normalization(x, mean, variance, beta, None, 1e-3))

    def save(self, path: Path, momentum: bool = False) -> Path:
        """Write a checkpoint, as `tf.compat.v1.train.Saver` does, and return its index."""
        variables = dict(self.variables)
        if momentum:
            trained = [name for name in variables if "moving" not in name]
            variables |= {f"{name}/Momentum": variables[name] for name in trained}
        tf.raw_ops.SaveV2(
            prefix=str(path),
            tensor_names=list(variables),
            shape_and_slices=[""] * len(variables),
            tensors=[tf.constant(value) for value in variables.values()],
        )
        return path.with_name(f"{path.name}.index")


def pool(x, size, strides):
    return tf.nn.max_pool3d(x, (1, *size, 1), (1, *strides, 1), "SAME")


def second(block: str) -> str:
    """The 3x3x3 convolution of Branch_2."""
    return "Conv3d_0a_3x3" if block == "5b" else "Conv3d_0b_3x3"
