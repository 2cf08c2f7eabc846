"""What a checkpoint's tensors say of the network: translated names, and the shape of it all."""

import dataclasses
import re

import numpy as np

from keras_acl.models.resnet_streams import BLOCKS
from keras_acl.pretrained.importers import single_stream
from keras_acl.pretrained.importers.depths import depth_of
from keras_acl.pretrained.importers.formats import (
    IGNORED,
    TWO_PATHWAYS,
    CheckpointFormat,
)
from keras_acl.pretrained.importers.import_report import Source
from keras_acl.pretrained.importers.torch_files import RawCheckpoint

# Where two know as many names, the first one is meant: those that look at shapes, too.
FORMATS = (*single_stream.FORMATS, *TWO_PATHWAYS)
PREFIXES = ("", "model.", "module.", "module.model.")  # wrappers around the network


@dataclasses.dataclass(frozen=True)
class Network:
    """A checkpoint under the names of this package, and what follows from its shapes.

    Args:
        path: The file.
        format: How it was written.
        tensors: Arrays in Keras' layout by the name here.
        foreign: The file's name of each of them.
        ignored: Names of tensors that are not needed, with the reason.
        texts: Configurations found in the file.
        placeholders: Classes the file names that were not read.
    """

    path: str
    format: CheckpointFormat
    tensors: dict[str, np.ndarray]
    foreign: dict[str, str]
    ignored: dict[str, str]
    texts: tuple[str, ...]
    placeholders: tuple[str, ...]

    @property
    def has_fast_pathway(self) -> bool:
        """Whether it is SlowFast; otherwise it is Slow."""
        return "fast_stem_conv/kernel" in self.tensors

    @property
    def num_classes(self) -> int:
        """Outputs of the dense layer."""
        return self._kernel("classifier/kernel").shape[-1]

    @property
    def width(self) -> int:
        """Channels of the slow stem."""
        return self._kernel("slow_stem_conv/kernel").shape[-1]

    @property
    def channel_ratio(self) -> int:
        """1/β: how many times narrower the fast stem is.

        Raises:
            ValueError: If the widths are no multiples of each other.
        """
        fast = self._kernel("fast_stem_conv/kernel").shape[-1]
        if self.width % fast:
            raise ValueError(
                f"{self.path}: a slow pathway of {self.width} channels and a fast one of {fast}; "
                "expected a multiple"
            )
        return self.width // fast

    @property
    def depth(self) -> int:
        """Depth of the ResNet, from its blocks.

        Raises:
            ValueError: If the blocks are those of no known depth.
        """
        try:
            return depth_of(self.tensors, BLOCKS, prefix="slow_")
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from error

    @property
    def fusion(self) -> str:
        """Kind of lateral fusion, see `keras_acl.layers.lateral_fusion`."""
        if not any(name.startswith("fuse") for name in self.tensors):
            return "none"
        normed = any(re.match(r"fuse\d_bn/", name) for name in self.tensors)
        return "conv" if normed else "conv_linear"

    @property
    def fusion_kernel(self) -> int:
        """Temporal kernel of the lateral convolutions; 1 where there are none."""
        return 1 if self.fusion == "none" else self._kernel("fuse1_conv/kernel").shape[0]

    def find_number(self, *patterns: str) -> int | None:
        """First whole number that one of the patterns finds in the file's configurations."""
        for pattern in patterns:
            for text in self.texts:
                if match := re.search(pattern, text):
                    return int(match[1])
        return None

    def find_colours(self, name: str) -> tuple[float, ...] | None:
        """Three numbers of 0-255 in the file's configurations, as a list of that name, over 255."""
        for text in self.texts:
            for found in re.findall(rf"\b{name}=\[([\d.,\s]+)\]", text):
                numbers = re.findall(r"\d+(?:\.\d+)?", found)
                if len(numbers) == 3:
                    return tuple(float(number) / 255 for number in numbers)
        return None

    def source(self, dropped: str = r"(?!)", why: str = "") -> Source:
        """The file's part of an import's report.

        Args:
            dropped: Pattern of names here that were not used.
            why: The reason.
        """
        used = {name: ours for ours, name in self.foreign.items() if not re.match(dropped, ours)}
        unused = {name: why for name in self.foreign.values() if name not in used}
        ignored = {**self.ignored, **unused}
        return Source(self.path, self.format.name, used, ignored, self.placeholders)

    def _kernel(self, name: str) -> np.ndarray:
        if name not in self.tensors:
            raise ValueError(f"{self.path} lacks {name}: part of the network is missing")
        return self.tensors[name]


def recognise(raw: RawCheckpoint) -> Network:
    """Find a checkpoint's format and translate it, strictly.

    Raises:
        ValueError: If no format fits, a tensor has no place in it, stands twice, or holds a value
            that is not finite.
    """
    format_, prefix = max(
        ((format_, prefix) for format_ in FORMATS for prefix in PREFIXES),
        key=lambda pair: _known(raw, *pair),
    )
    if not _known(raw, format_, prefix):
        first = ", ".join(list(raw.tensors)[:5])
        known = ", ".join(format_.name for format_ in FORMATS)
        raise ValueError(
            f"{raw.path} is in no known format. Expected a network of {known}. "
            f"First of its {len(raw.tensors)} tensors: {first}"
        )
    tensors, foreign = {}, {}
    ignored = dict.fromkeys(raw.not_tensors, "no tensor")
    ignored |= dict.fromkeys(raw.beside, "beside the network's state")
    unknown = []
    for name, known in _names(raw, format_, prefix).items():
        value, ours = raw.tensors[name], format_.translate(known)
        if ours is None:
            unknown.append(name)
        elif ours == IGNORED:
            ignored[name] = str(format_.reason(known))
        elif ours in tensors:
            raise ValueError(f"{raw.path}: {foreign[ours]} and {name} are both {ours}")
        else:
            foreign[ours] = name
            tensors[ours] = _checked(raw, name, format_.to_layout(ours, value))
    if unknown:
        raise ValueError(
            f"{raw.path} looks like {format_.name}, but {len(unknown)} of its {len(raw.tensors)} "
            f"tensors have no place in {format_.network}: {', '.join(unknown[:5])}"
        )
    network = Network(
        str(raw.path), format_, tensors, foreign, ignored, raw.texts, raw.placeholders
    )
    if format_.fast_first and network.has_fast_pathway:
        tensors["classifier/kernel"] = _slow_first(network)
    return network


def _names(raw: RawCheckpoint, format_: CheckpointFormat, prefix: str) -> dict[str, str]:
    """By a tensor's name in the file the one that the format's rules are for."""
    bare = {name: name.removeprefix(prefix) for name in raw.tensors}
    if format_.renamed is None:
        return bare
    renamed = format_.renamed(bare.values())
    return {name: renamed[short] for name, short in bare.items()}


def _known(raw: RawCheckpoint, format_: CheckpointFormat, prefix: str) -> int:
    """How many tensors a format names; those it ignores count for none."""
    if not format_.fits({name.removeprefix(prefix): raw.tensors[name] for name in raw.tensors}):
        return 0
    return sum(
        name.startswith(prefix) and format_.translate(known) not in (None, IGNORED)
        for name, known in _names(raw, format_, prefix).items()
    )


def _checked(raw: RawCheckpoint, name: str, value: np.ndarray) -> np.ndarray:
    value = value.astype("float32")
    if not np.isfinite(value).all():
        raise ValueError(f"{raw.path}: {name} holds values that are not finite")
    return value


def _slow_first(network: Network) -> np.ndarray:
    """Dense rows [fast | slow] -> [slow | fast]."""
    kernel = network.tensors["classifier/kernel"]
    last = max(
        name for name in network.tensors if re.fullmatch(r"fast_res\d_0_c_conv/kernel", name)
    )
    fast = network.tensors[last].shape[-1]
    return np.concatenate([kernel[fast:], kernel[:fast]])
