"""How each implementation names its tensors: one table of rules a format, one vocabulary for all.

A rule is a pattern for the foreign name and the name it gets here. The names here are those of
`SlowFastClassifier`'s layers: `slow_` or `fast_`, then `stem` or `res2_0_a` ..., then `conv` or
`bn`; `fuse1` ... for lateral fusion; `classifier`. A network with one pathway is all `slow_`.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

Tensors = Mapping[str, np.ndarray]
IGNORED = "ignored"
# What torch calls the weights of a layer, and Keras.
WEIGHTS = {
    "conv/weight": "conv/kernel",
    "classifier/weight": "classifier/kernel",
    "bn/weight": "bn/gamma",
    "bn/bias": "bn/beta",
    "bn/running_mean": "bn/moving_mean",
    "bn/running_var": "bn/moving_variance",
}


def to_keras_layout(name: str, value: np.ndarray) -> np.ndarray:
    """Kernels from (O, I, T, H, W) to (T, H, W, I, O), dense ones transposed, the rest as it is.

    Kernels of 2D networks, (O, I, H, W), become those of one frame.
    """
    if not name.endswith("/kernel"):
        return value
    if name.endswith("_conv/kernel"):
        value = value[:, :, None] if value.ndim == 4 else value
        return value.transpose(2, 3, 4, 1, 0) if value.ndim == 5 else value
    # Some keep a dense layer as a 1x1x1 convolution.
    is_dense = value.ndim >= 2 and value.size == np.prod(value.shape[:2])
    return value.reshape(value.shape[:2]).T if is_dense else value


def take_biases_off(
    tensors: dict[str, np.ndarray],
    norms_behind: Callable[[str], Iterable[str]] = lambda layer: (layer,),
) -> None:
    """Turn convolutions' biases into the means that are subtracted behind them: the same network.

    Args:
        tensors: Tensors by their names here; the biases are gone from it afterwards.
        norms_behind: Names of the normalisations that a layer's bias reaches; by default its own.
    """
    for name in [name for name in tensors if name.endswith("_conv/bias")]:
        bias = tensors.pop(name)
        for norm in norms_behind(name.removesuffix("_conv/bias")):
            mean = f"{norm}_bn/moving_mean"
            tensors[mean] = tensors[mean] - bias


@dataclasses.dataclass(frozen=True)
class CheckpointFormat:
    """Names and habits of one implementation.

    Args:
        name: Name of the implementation.
        rules: From a pattern that matches a whole foreign name to the name here, in which
            `{group}` is what the pattern's group matched, put through `words`.
        words: For each group, what its text becomes; a group without an entry stays as it is.
        ignored: From a pattern to the reason why such tensors are not needed.
        network: What its networks are, in words.
        renamed: Gives all names of a file those that the rules are for, where one alone does not
            tell its place. `None`: they are the same.
        fits: Whether tensors, by their foreign names, are of these networks, where names alone do
            not tell.
        to_layout: Brings a tensor, by its name here, into Keras' layout; torch's by default.
        fast_first: Whether the dense layer's inputs are [fast | slow].
        frame_indices: How the slow frames are chosen, see `keras_acl.layers.slow_frame_indices`.
        configured_colours: Whether a file's configuration says mean and deviation, of 0-255; those
            below are then of files without one.
        mean: Mean that its normalisation subtracts.
        std: Deviation that its normalisation divides by.
    """

    name: str
    rules: dict[str, str]
    words: dict[str, dict[str, str]]
    ignored: dict[str, str] = dataclasses.field(default_factory=dict)
    network: str = "a SlowFast or Slow network"
    renamed: Callable[[Iterable[str]], Mapping[str, str]] | None = None
    fits: Callable[[Tensors], bool] = lambda _: True
    to_layout: Callable[[str, np.ndarray], np.ndarray] = to_keras_layout
    fast_first: bool = False
    frame_indices: str = "linspace"
    configured_colours: bool = False
    mean: float | tuple[float, ...] = 0.45
    std: float | tuple[float, ...] = 0.225

    def reason(self, name: str) -> str | None:
        """Why a tensor is ignored; `None` if it is not."""
        reasons = (why for pattern, why in self.ignored.items() if re.fullmatch(pattern, name))
        return next(reasons, None)

    def translate(self, name: str) -> str | None:
        """The name here of a foreign tensor, `IGNORED`, or `None` if no rule knows it."""
        if self.reason(name):
            return IGNORED
        for pattern, template in self.rules.items():
            if match := re.fullmatch(pattern, name):
                groups = {
                    key: self.words.get(key, {}).get(text or "", text or "")
                    for key, text in match.groupdict().items()
                }
                ours = template.format(**groups)
                return re.sub(r"[a-z]+/\w+$", lambda tail: WEIGHTS.get(tail[0], tail[0]), ours)
        return None


PATHWAYS = {"": "slow_", "0": "slow_", "1": "fast_"}
BATCHES_TRACKED = {r".*\.num_batches_tracked": "torch's count of batches, which no output needs"}

_PATH = r"(?:multipathway_blocks\.(?P<pathway>\d)\.)?"
PYTORCHVIDEO = CheckpointFormat(
    name="PyTorchVideo",
    rules={
        rf"blocks\.0\.{_PATH}(?P<kind>conv|norm)\.(?P<weight>\w+)": "{pathway}stem_{kind}/{weight}",
        rf"blocks\.(?P<stage>[1-4])\.{_PATH}res_blocks\.(?P<block>\d+)"
        r"\.branch2\.(?P<kind>conv|norm)_(?P<part>[abc])\.(?P<weight>\w+)": (
            "{pathway}{stage}_{block}_{part}_{kind}/{weight}"
        ),
        rf"blocks\.(?P<stage>[1-4])\.{_PATH}res_blocks\.(?P<block>\d+)"
        r"\.branch1_(?P<kind>conv|norm)\.(?P<weight>\w+)": (
            "{pathway}{stage}_{block}_shortcut_{kind}/{weight}"
        ),
        r"blocks\.(?P<fuse>[0-3])\.multipathway_fusion"
        r"\.(?P<kind>conv_fast_to_slow|norm)\.(?P<weight>\w+)": "{fuse}_{kind}/{weight}",
        r"blocks\.\d\.proj\.(?P<weight>\w+)": "classifier/{weight}",
    },
    words={
        "pathway": PATHWAYS,
        "stage": {"1": "res2", "2": "res3", "3": "res4", "4": "res5"},
        "fuse": {"0": "fuse1", "1": "fuse2", "2": "fuse3", "3": "fuse4"},
        "kind": {"norm": "bn", "conv_fast_to_slow": "conv"},
    },
    ignored=BATCHES_TRACKED,
)

_BLOCK = r"s(?P<stage>[2-5])\.pathway(?P<pathway>\d)_res(?P<block>\d+)"
PYSLOWFAST = CheckpointFormat(
    name="PySlowFast",
    rules={
        r"s1\.pathway(?P<pathway>\d)_stem\.(?P<kind>conv|bn)\.(?P<weight>\w+)": (
            "{pathway}stem_{kind}/{weight}"
        ),
        rf"{_BLOCK}\.branch2\.(?P<part>[abc])(?P<kind>|_bn)\.(?P<weight>\w+)": (
            "{pathway}res{stage}_{block}_{part}_{kind}/{weight}"
        ),
        rf"{_BLOCK}\.branch1(?P<kind>|_bn)\.(?P<weight>\w+)": (
            "{pathway}res{stage}_{block}_shortcut_{kind}/{weight}"
        ),
        r"s(?P<fuse>[1-4])_fuse\.(?P<kind>conv_f2s|bn)\.(?P<weight>\w+)": (
            "fuse{fuse}_{kind}/{weight}"
        ),
        r"head\.projection\.(?P<weight>\w+)": "classifier/{weight}",
    },
    words={
        "pathway": PATHWAYS,
        "kind": {"": "conv", "_bn": "bn", "conv_f2s": "conv"},
    },
    ignored=BATCHES_TRACKED,
)

CAFFE2_WEIGHTS = {
    "w": "weight",
    "s": "weight",
    "b": "bias",
    "rm": "running_mean",
    "riv": "running_var",
}
_CAFFE2_WEIGHT = r"(?P<kind>|_bn)_(?P<weight>w|s|b|rm|riv)"
CAFFE2 = CheckpointFormat(
    name="PySlowFast (caffe2)",
    rules={
        r"(?P<pathway>|t_)(?:res_)?conv1" + _CAFFE2_WEIGHT: "{pathway}stem_{kind}/{weight}",
        # Before the blocks' rule, and named after the last layer of the stage.
        r"t_(?P<fuse>pool1|res[234])(?:_\d+_branch2c_bn)?_subsample" + _CAFFE2_WEIGHT: (
            "{fuse}_{kind}/{weight}"
        ),
        r"(?P<pathway>|t_)(?P<stage>res[2-5])_(?P<block>\d+)_branch(?P<part>1|2[abc])"
        + _CAFFE2_WEIGHT: "{pathway}{stage}_{block}_{part}_{kind}/{weight}",
        r"pred_(?P<dense>w|b)": "classifier/{dense}",
    },
    words={
        "pathway": {"": "slow_", "t_": "fast_"},
        "fuse": {"pool1": "fuse1", "res2": "fuse2", "res3": "fuse3", "res4": "fuse4"},
        "part": {"1": "shortcut", "2a": "a", "2b": "b", "2c": "c"},
        "kind": {"": "conv", "_bn": "bn"},
        "weight": CAFFE2_WEIGHTS,
        "dense": {"w": "weight", "b": "bias"},
    },
    ignored={
        r".*_momentum": "the optimizer's momentum",
        r"lr|model_iter": "the state of the training",
    },
)

_MODULE = r"(?P<kind>conv|bn)\.(?P<weight>\w+)"
_BACKBONE = r"backbone\.(?:(?P<pathway>slow|fast)_path\.)?"
MMACTION2 = CheckpointFormat(
    name="MMAction2",
    rules={
        rf"{_BACKBONE}conv1\.{_MODULE}": "{pathway}stem_{kind}/{weight}",
        rf"{_BACKBONE}(?P<stage>layer[1-4])\.(?P<block>\d+)\.(?P<part>conv[123]|downsample)"
        rf"\.{_MODULE}": "{pathway}{stage}_{block}_{part}_{kind}/{weight}",
        rf"backbone\.slow_path\.(?P<fuse>conv1|layer[123])_lateral\.{_MODULE}": (
            "{fuse}_{kind}/{weight}"
        ),
        r"cls_head\.fc_cls\.(?P<weight>\w+)": "classifier/{weight}",
    },
    words={
        "pathway": {"": "slow_", "slow": "slow_", "fast": "fast_"},
        "stage": {"layer1": "res2", "layer2": "res3", "layer3": "res4", "layer4": "res5"},
        "fuse": {"conv1": "fuse1", "layer1": "fuse2", "layer2": "fuse3", "layer3": "fuse4"},
        "part": {"conv1": "a", "conv2": "b", "conv3": "c", "downsample": "shortcut"},
    },
    ignored=BATCHES_TRACKED,
    fast_first=True,
    frame_indices="stride",
    mean=(123.675 / 255, 116.28 / 255, 103.53 / 255),
    std=(58.395 / 255, 57.12 / 255, 57.375 / 255),
)

TWO_PATHWAYS = (PYTORCHVIDEO, PYSLOWFAST, CAFFE2, MMACTION2)
