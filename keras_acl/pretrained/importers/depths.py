"""Depths of ResNets, from the names of a checkpoint's tensors."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping


def blocks_of_stages(names: Iterable[str], first: str = "a", prefix: str = "") -> tuple[int, ...]:
    """Blocks of each stage.

    Args:
        names: Names of tensors here, such as "slow_res2_0_a_conv/kernel".
        first: The convolution that every block has once.
        prefix: Of the names that count.
    """
    pattern = re.compile(rf"{prefix}(res\d)_\d+_{first}_conv/kernel")
    found = Counter(match[1] for name in names if (match := pattern.fullmatch(name)))
    return tuple(found[stage] for stage in sorted(found))


def depth_of(
    names: Iterable[str],
    known: Mapping[int, tuple[int, ...]],
    first: str = "a",
    prefix: str = "",
    kind: str = "bottleneck blocks",
) -> int:
    """Depth by the blocks of each stage.

    Args:
        names: Names of tensors here.
        known: Blocks of each stage by depth.
        first: The convolution that every block has once.
        prefix: Of the names that count.
        kind: What the blocks are called.

    Raises:
        ValueError: If the blocks are those of no known depth.
    """
    found = blocks_of_stages(names, first, prefix)
    for depth, blocks in known.items():
        if found == blocks:
            return depth
    expected = ", ".join(f"{depth}: {blocks}" for depth, blocks in known.items())
    raise ValueError(f"it has stages of {found} {kind}. Expected one of {expected}")
