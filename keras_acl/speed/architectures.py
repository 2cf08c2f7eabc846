"""What every architecture of the paper costs, from a table, without Keras and its networks."""

import dataclasses
import math
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class ArchitectureCost:
    """One row of Table 3's cost column.

    Args:
        name: The architecture.
        multiply_adds: For one view.
        parameters: Trainable parameters.
    """

    name: str
    multiply_adds: int
    parameters: int


@dataclasses.dataclass(frozen=True)
class _Network:
    """Counts that depend neither on the number of classes nor on the size of a view.

    Every convolution of these networks pads, so the sides of what it writes are those of the view
    over its stride, rounded up.

    Args:
        parameters: Trainable parameters but the dense layer's.
        features: Inputs of the dense layer.
        multiply_adds: For one position in space of what convolutions write, all frames, by stride.
        scales: Input scales at which the classes are found at every position (SCAM) instead of
            once, in pooled features.
    """

    parameters: int
    features: int
    multiply_adds: Mapping[int, int]
    scales: tuple[float, ...] = ()

    def cost(self, name: str, num_classes: int, size: int) -> ArchitectureCost:
        weights = num_classes * self.features
        total = 0 if self.scales else weights
        for scale in self.scales or (1.0,):
            side = round(size * scale)
            positions = {stride: math.ceil(side / stride) ** 2 for stride in self.multiply_adds}
            total += sum(positions[stride] * each for stride, each in self.multiply_adds.items())
            if self.scales:
                total += positions[max(positions)] * weights
        return ArchitectureCost(name, total, self.parameters + weights + num_classes)


# 4x16 or 8x8 says how many frames the slow pathway sees, and how far apart.
SLOW_4X16 = {2: 37_632, 4: 983_040, 8: 6_291_456, 16: 44_564_480, 32: 74_448_896}
SLOW_8X8 = {stride: 2 * count for stride, count in SLOW_4X16.items()}
TWO_STREAMS = {2: 225_792, 4: 1_175_552, 8: 7_274_496, 16: 50_135_040, 32: 83_755_008}
FUSED_4X16 = {2: 225_792, 4: 1_272_320, 8: 7_962_624, 16: 52_887_552, 32: 85_852_160}
FUSED_8X8 = {2: 263_424, 4: 2_386_944, 8: 15_073_280, 16: 100_728_832, 32: 162_398_208}
ARCHITECTURES = {
    "SlowFast 4x16 R50": _Network(33_558_216, 2304, FUSED_4X16),
    "SlowFast 4x16 R50 without fusion": _Network(32_148_648, 2304, TWO_STREAMS),
    "AC + SCAM 4x16 R50 (the paper's)": _Network(32_148_648, 2304, TWO_STREAMS),
    "Slow 4x16 R50": _Network(31_634_496, 2048, SLOW_4X16),
    "Slow + SCAM 4x16 R50": _Network(31_634_496, 2048, SLOW_4X16, scales=(1.0, 0.5)),
    "SlowFast 8x8 R50": _Network(33_644_488, 2304, FUSED_8X8),
    "Slow 8x8 R50": _Network(31_634_496, 2048, SLOW_8X8),
}


def architecture_costs(num_classes: int = 400, size: int = 256) -> list[ArchitectureCost]:
    """What every architecture of Tables 3 and 5 costs, and SlowFast and Slow 8x8.

    The numbers are what `count_multiply_adds` and `count_parameters` count on the networks. The
    paper gives 36.1 G for SlowFast 4x16 with fusion, 34.2 G without and with attention
    consistency, at 256.

    Args:
        num_classes: Number of classes (L).
        size: Height and width of a view in pixels.
    """
    return [network.cost(name, num_classes, size) for name, network in ARCHITECTURES.items()]
