"""What the ablation compares: the networks, the circumstances, and the runs of both."""

import dataclasses

FOLDER = "videos"
FIGURES = ("motion", "appearance_motion")
TASKS = (*FIGURES, FOLDER)
HARD = "appearance_motion"  # the streams need each other: here the other questions are asked

# Table 5, then section 3.3 and the forms of Eq. 3.
VARIANTS = {
    "fusion": "SlowFast with lateral fusion",
    "no_fusion": "SlowFast without fusion",
    "slow": "Slow",
    "slow_scam": "Slow + SCAM",
    "ac": "AC",
    "ac_scam": "AC + SCAM",
    "ac_mean": "AC, mean of the frames' maps",
    "ac_random": "AC, one random frame's map",
    "ac_literal": "AC, Eq. 2 and 3 as printed",
    "ac_literal_mean": "AC, Eq. 3 as printed, mean of the frames' maps",
    "ac_l2": "AC, maps of unit norm",
    "ac_stop": "AC, spatial stream not pulled",
}
TABLE5 = ("fusion", "no_fusion", "slow", "slow_scam", "ac", "ac_scam")
EQUATIONS = ("ac_mean", "ac_random", "ac_literal", "ac_literal_mean", "ac_l2", "ac_stop")


@dataclasses.dataclass(frozen=True)
class Budget:
    """Size of every run, the same for all that are compared."""

    size: int = 48
    frames: int = 8
    speed_ratio: int = 4  # α
    clips: int = 1600
    test_clips: int = 640
    epochs: int = 6
    learning_rate: float = 0.4  # for 64 clips a batch
    batch_size: int = 8


@dataclasses.dataclass(frozen=True)
class Regime:
    """How a group of runs differs from the rule.

    Args:
        meaning: Description for the tables.
        distractors: Number of other figures in the training clips.
        fewer: Divisor of the training clips and factor of the epochs, for as many steps.
        longer: Factor of the epochs.
        ramp: Share of the training over which λ grows from 0.
        weight: λ.
        spatial_first: Whether the spatial stream is trained alone before, for half the epochs.
        context: Whether a rectangle's colour gives the class away in most training clips.
        folder: Whether clips are of real videos. These have no masks, so pointing is not measured.
    """

    meaning: str
    distractors: int = 3
    fewer: int = 1
    longer: int = 1
    ramp: float = 1 / 3
    weight: float = 1.5
    spatial_first: bool = False
    context: bool = False
    folder: bool = False


REGIMES = {
    "rule": Regime("three distractors"),
    "alone": Regime("no distractors in training", distractors=0),
    "no_ramp": Regime("λ = 1.5 from the first step", ramp=0),
    "late": Regime("λ ramped over the whole training", ramp=1),
    "weak": Regime("λ = 0.5", weight=0.5),
    "strong": Regime("λ = 5", weight=5),
    "spatial_first": Regime("spatial stream trained alone first", spatial_first=True),
    "few": Regime("a quarter of the clips, as many steps", fewer=4),
    "long": Regime("three times as long", longer=3),
    "crowd": Regime("six distractors", distractors=6),
    "context": Regime("a rectangle tells the class in training only", context=True),
    "folder": Regime("other recordings, as many steps", folder=True),
}


def only_weight_differs(regime: Regime) -> bool:
    """Whether the runs without the term are those of the rule."""
    same = {"meaning": "", "ramp": 0, "weight": 0}
    rule = dataclasses.replace(REGIMES["rule"], **same)
    return dataclasses.replace(regime, **same) == rule


@dataclasses.dataclass(frozen=True)
class Run:
    """One training; its text is the name of its file."""

    variant: str
    task: str
    regime: str
    seed: int

    def __str__(self) -> str:
        return f"{self.regime}-{self.task}-{self.variant}-{self.seed}"


def plan(seeds: list[int]) -> list[Run]:
    """All runs, what matters most first; those that are compared share a seed."""
    runs = [
        Run(variant, task, "rule", seed) for seed in seeds for task in FIGURES for variant in TABLE5
    ]
    for seed in seeds:
        runs += [Run(variant, task, "alone", seed) for task in FIGURES for variant in TABLE5]
        runs += [Run(variant, HARD, "rule", seed) for variant in EQUATIONS]
        for name, regime in REGIMES.items():
            if name not in ("rule", "alone"):
                changed = ("ac",) if only_weight_differs(regime) else ("no_fusion", "ac")
                task = FOLDER if regime.folder else HARD
                runs += [Run(variant, task, name, seed) for variant in changed]
    return runs
