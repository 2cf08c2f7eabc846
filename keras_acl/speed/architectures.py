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
        size: Height and width of the view in pixels.
    """

    name: str
    multiply_adds: int
    parameters: int
    size: int


@dataclasses.dataclass(frozen=True)
class _Network:
    """Counts that depend neither on the number of classes nor on the size of a view.

    Every convolution of these networks pads, so the sides of what it writes are those of the view
    over its stride, rounded up.

    Args:
        parameters: Trainable parameters but the dense layer's.
        features: Inputs of the dense layer.
        multiply_adds: For one position in space of what convolutions write, all frames, by stride.
        once: Multiply-adds of dense layers that see pooled features, but for the last one.
        size: Height and width of the views that it is tested on.
        heads: Dense layers that know the classes, one of each network.
        scales: Input scales at which the classes are found at every position (SCAM) instead of
            once, in pooled features.
    """

    parameters: int
    features: int
    multiply_adds: Mapping[int, int]
    scales: tuple[float, ...] = ()
    once: int = 0
    size: int = 256
    heads: int = 1

    def cost(self, name: str, num_classes: int, size: int | None) -> ArchitectureCost:
        size = size or self.size
        weights = num_classes * self.features
        total = self.once + (0 if self.scales else weights)
        for scale in self.scales or (1.0,):
            side = round(size * scale)
            positions = {stride: math.ceil(side / stride) ** 2 for stride in self.multiply_adds}
            total += sum(positions[stride] * each for stride, each in self.multiply_adds.items())
            if self.scales:
                total += positions[max(positions)] * weights
        parameters = self.parameters + weights + self.heads * num_classes
        return ArchitectureCost(name, total, parameters, size)


def _by_stride(*counts: int) -> dict[int, int]:
    """Counts at the strides 2, 4, 8, ..."""
    return {2**power: count for power, count in enumerate(counts, 1)}


RESNEXT = _by_stride(1_053_696, 2_363_392, 6_127_616, 60_506_112, 15_237_120)
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
    "C2D 8x8 R50": _Network(
        23_508_032, 2048, _by_stride(75_264, 1_835_008, 5_242_880, 29_884_416, 57_671_680)
    ),
    "I3D 8x8 R50": _Network(
        27_223_872, 2048, _by_stride(376_320, 2_686_976, 6_815_744, 34_078_720, 66_060_288)
    ),
    "I3D Inception, 64 frames": _Network(
        12_279_984,
        1024,
        _by_stride(2_107_392, 10_747_904, 39_108_608, 94_310_400, 38_035_456),
        size=224,
    ),
    "I3D Inception of flow, 64 frames": _Network(
        12_258_032,
        1024,
        _by_stride(1_404_928, 10_747_904, 39_108_608, 94_310_400, 38_035_456),
        size=224,
    ),
    "Two-stream I3D, 64 frames": _Network(
        24_538_016,
        2048,
        _by_stride(3_512_320, 21_495_808, 78_217_216, 188_620_800, 76_070_912),
        size=224,
        heads=2,
    ),
    "S3D, 64 frames": _Network(
        7_910_048,
        1024,
        _by_stride(1_519_616, 7_208_960, 21_905_408, 60_346_368, 25_354_240),
        size=224,
    ),
    "R3D-18, 16 frames": _Network(
        33_166_272, 512, _by_stride(7_529_472, 12_451_840, 24_903_680, 49_807_360), size=112
    ),
    "MC3-18, 16 frames": _Network(
        11_490_240, 512, _by_stride(7_529_472, 8_388_608, 33_554_432, 134_217_728), size=112
    ),
    "R(2+1)D-18, 16 frames": _Network(
        31_300_125, 512, _by_stride(7_321_968, 12_795_904, 25_591_808, 51_208_192), size=112
    ),
    "R(2+1)D-34, 32 frames": _Network(
        63_491_975, 512, _by_stride(21_721_824, 55_328_768, 167_280_640, 164_716_544), size=112
    ),
    "R(2+1)D R50 16x4": _Network(
        27_288_000, 2048, _by_stride(412_672, 5_046_272, 24_903_680, 70_778_880, 63_963_136)
    ),
    "ResNeXt-101, 16 frames": _Network(47_521_216, 2048, RESNEXT, size=112),
    "ResNeXt-101, 64 frames": _Network(
        47_521_216, 2048, {stride: 4 * count for stride, count in RESNEXT.items()}, size=112
    ),
    "ARTNet-18, 16 frames": _Network(
        39_464_000, 512, _by_stride(4_577_280, 8_454_144, 16_908_288, 28_311_552), size=112
    ),
    "STC-ResNeXt-101, 16 frames": _Network(69_672_240, 2048, RESNEXT, once=22_044_672, size=112),
    "T3D-121, 32 frames": _Network(
        33_933_056,
        896,
        _by_stride(451_584, 27_688_960, 40_992_768, 34_111_488, 3_047_424),
        size=224,
    ),
    "ir-CSN R101, 32 frames": _Network(
        21_394_176, 2048, _by_stride(903_168, 4_491_264, 11_755_520, 104_032_256, 29_526_016)
    ),
    "ir-CSN R152, 32 frames": _Network(
        28_883_968, 2048, _by_stride(903_168, 4_491_264, 20_365_312, 159_277_056, 29_526_016)
    ),
    "TSN R50, 25 frames": _Network(
        23_508_032,
        2048,
        _by_stride(235_200, 6_144_000, 32_768_000, 186_777_600, 360_448_000),
        size=224,
    ),
    "TSN BN-Inception, 25 frames": _Network(
        10_260_224,
        1024,
        _by_stride(235_200, 2_867_200, 14_848_000, 105_728_000, 132_326_400),
        size=224,
    ),
    "ECO Lite, 16 frames": _Network(
        37_292_928,
        512,
        _by_stride(150_528, 1_835_008, 28_311_552, 56_623_104, 113_246_208),
        size=224,
    ),
    "ECO, 16 frames": _Network(
        46_873_088,
        1536,
        _by_stride(150_528, 1_835_008, 28_966_912, 124_289_024, 197_935_104),
        size=224,
    ),
    "X3D-S": _Network(
        2_974_674,
        2048,
        _by_stride(26_832, 182_286, 945_828, 7_093_944, 16_396_848),
        once=1_043_712,
        size=182,
    ),
    "X3D-M": _Network(
        2_974_674,
        2048,
        _by_stride(33_024, 224_352, 1_164_096, 8_731_008, 20_180_736),
        once=1_043_712,
    ),
    "X3D-L": _Network(
        5_333_784,
        2048,
        _by_stride(33_024, 353_952, 2_226_816, 19_327_104, 42_907_392),
        once=1_207_008,
        size=356,
    ),
}


def architecture_costs(num_classes: int = 400, size: int | None = None) -> list[ArchitectureCost]:
    """What the architectures of Tables 3 and 5 cost, SlowFast and Slow 8x8, and the zoo's.

    The numbers are what `count_multiply_adds` and `count_parameters` count on the networks. The
    paper gives 36.1 G for SlowFast 4x16 with fusion, 34.2 G without and with attention
    consistency, at 256.

    Args:
        num_classes: Number of classes (L).
        size: Height and width of a view in pixels; `None` for those that each is tested on.
    """
    return [network.cost(name, num_classes, size) for name, network in ARCHITECTURES.items()]
