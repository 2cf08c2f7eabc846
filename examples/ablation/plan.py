"""What the ablation compares: the networks, the circumstances, and the runs of both."""

import dataclasses

FOLDER = "videos"
FIGURES = ("motion", "appearance_motion")
LIPS = ("words", "phrases")
TRIAL = "appearance_other_motion"  # on it, and on other seeds, the settings were chosen
TASKS = (*FIGURES, *LIPS, FOLDER, TRIAL)
HARD = "appearance_motion"  # the streams need each other: here the other questions are asked

# Table 5, then streams that are supervised, the placebo, section 3.3 and the forms of Eq. 3.
VARIANTS = {
    "fusion": "SlowFast with lateral fusion",
    "no_fusion": "SlowFast without fusion",
    "slow": "Slow",
    "slow_scam": "Slow + SCAM",
    "ac": "AC",
    "ac_scam": "AC + SCAM",
    "fusion_sup": "SlowFast with lateral fusion, supervised",
    "sup": "Supervised streams",
    "sup_ac": "Supervised streams + AC",
    "sup_ac_scam": "Supervised streams + AC + SCAM",
    "placebo": "AC with another clip's map",
    "sup_placebo": "Supervised streams + AC with another clip's map",
    "sup_distill": "Supervised streams, mutual distillation",
    "slow_scam_same": "Slow + SCAM, two scales of one size",
    "slow_scam_near": "Slow + SCAM, scales 1 and 0.75",
    "ac_mean": "AC, mean of the frames' maps",
    "ac_random": "AC, one random frame's map",
    "ac_literal": "AC, Eq. 2 and 3 as printed",
    "ac_literal_mean": "AC, Eq. 3 as printed, mean of the frames' maps",
    "ac_l2": "AC, maps of unit norm",
    "ac_stop": "AC, spatial stream not pulled",
    "ac_stop_temporal": "AC, temporal stream not pulled",
}
TABLE5 = ("fusion", "no_fusion", "slow", "slow_scam", "ac", "ac_scam")
SUPERVISED = ("fusion_sup", "sup", "sup_ac", "sup_ac_scam", "sup_distill")
PLACEBOS = ("placebo", "sup_placebo")
EQUATIONS = (
    "ac_mean",
    "ac_random",
    "ac_literal",
    "ac_literal_mean",
    "ac_l2",
    "ac_stop",
    "ac_stop_temporal",
)
# What was tried before `sup` was settled: weight, dropout, temperature.
TRIED = {
    "sup_w01": "weight 0.1",
    "sup_w025": "weight 0.25",
    "sup_w1": "weight 1",
    "sup_w2": "weight 2",
    "sup_dropped": "the streams' features dropped out as those of both",
    "sup_sharp": "the streams' logits doubled",
}


@dataclasses.dataclass(frozen=True)
class Budget:
    """Size of every run, the same for all that are compared.

    Args:
        size: Height of the clips, and width of drawn ones.
        frames: Frames that the networks see.
        speed_ratio: α.
        channel_ratio: 1/β.
        clips: Training clips of a drawn task.
        test_clips: Clips to measure on.
        epochs: Times that each training clip is seen.
        learning_rate: Peak, for 64 clips a batch.
        batch_size: Clips of a step.
        dropout: Before the dense layer.
        augment: Whether clips are shifted, mirrored, stretched in time and lit at random.
        centred: Whether each clip's mean picture is taken off, and what is left has one contrast.
    """

    size: int = 48
    frames: int = 8
    speed_ratio: int = 4
    channel_ratio: int = 2
    clips: int = 1600
    test_clips: int = 640
    epochs: int = 6
    learning_rate: float = 0.4
    batch_size: int = 8
    dropout: float = 0.5
    augment: bool = False
    centred: bool = False


# Short clips: the order of what moves counts, and the temporal stream sees all of it at once.
LIPS_BUDGET = Budget(size=32, epochs=30, centred=True)


@dataclasses.dataclass(frozen=True)
class Regime:
    """How a group of runs differs from the rule.

    Args:
        meaning: Description for the tables.
        distractors: Number of other figures in the training clips.
        fewer: Divisor of the training clips and factor of the epochs, for as many steps.
        longer: Factor of the epochs.
        ramp: Share of the training over which λ grows from 0.
        weight: λ; `None` for the network's own.
        rate: Factor of the learning rate.
        own_rate: Whether the factor is the network's own, which the trial runs chose.
        larger: Factor of the clips' height and width.
        context: Whether a rectangle's colour gives the class away in most training clips.
    """

    meaning: str
    distractors: int = 3
    fewer: int = 1
    longer: int = 1
    ramp: float = 1 / 3
    weight: float = 1.5
    rate: float = 1.0
    own_rate: bool = False
    larger: int = 1
    context: bool = False


REGIMES = {
    "rule": Regime("three distractors"),
    "alone": Regime("no distractors in training", distractors=0),
    "long": Regime("three times as long", longer=3),
    "long_alone": Regime("no distractors, three times as long", distractors=0, longer=3),
    "large": Regime("96 pixels: maps of 12 x 12", larger=2),
    "no_ramp": Regime("λ = 1.5 from the first step", ramp=0),
    "late": Regime("λ ramped over the whole training", ramp=1),
    "per_class": Regime("λ = 1.5 / 16, a class's share", weight=1.5 / 16),
    "faint": Regime("λ = 0.01", weight=0.01),
    "weak": Regime("λ = 0.5", weight=0.5),
    "strong": Regime("λ = 5", weight=5),
    "stronger": Regime("λ = 15", weight=15),
    "few": Regime("a quarter of the clips, as many steps", fewer=4),
    "crowd": Regime("six distractors", distractors=6),
    "context": Regime("a rectangle tells the class in training only", context=True),
    "own_rate": Regime("each network at its own learning rate", own_rate=True),
    "own_rate_alone": Regime("no distractors, own learning rate", distractors=0, own_rate=True),
    "own_rate_long": Regime("own learning rate, three times as long", own_rate=True, longer=3),
    "half_rate": Regime("half the learning rate", rate=0.5),
    "double_rate": Regime("twice the learning rate", rate=2),
    "fourfold_rate": Regime("four times the learning rate", rate=4),
    "eightfold_rate": Regime("eight times the learning rate", rate=8),
    "lips": Regime("speakers who did not train", own_rate=True),
    "folder": Regime("other recordings", own_rate=True),
}


def only_weight_differs(regime: Regime) -> bool:
    """Whether the runs without the term are those of the rule."""
    same = {"meaning": "", "ramp": 0, "weight": 0}
    rule = dataclasses.replace(REGIMES["rule"], **same)
    return dataclasses.replace(regime, **same) == rule


@dataclasses.dataclass(frozen=True)
class Run:
    """One training; its text is the name of its file.

    On lips the seed is 10 times the fold plus the number of the run in it. Fold 5 is the split of
    the folder's README; fold 6, for choosing the settings, tests as fold 0 does and leaves the
    speakers out who test in that split.
    """

    variant: str
    task: str
    regime: str
    seed: int

    @property
    def fold(self) -> str:
        """Which speakers test, of a run on lips; empty for the others."""
        folds = {5: "readme", 6: "trial"}
        return folds.get(self.seed // 10, str(self.seed // 10)) if self.task in LIPS else ""

    def __str__(self) -> str:
        return f"{self.regime}-{self.task}-{self.variant}-{self.seed}"


MAIN = (*TABLE5, *SUPERVISED, *PLACEBOS)
CORE = ("fusion", "no_fusion", "ac", "placebo", "fusion_sup", "sup", "sup_ac", "sup_placebo")
WEIGHT_SWEEP = ("no_ramp", "late", "weak", "strong", "stronger")
RATE_SWEEP = ("rule", "double_rate", "fourfold_rate", "eightfold_rate")
LIPS_RATE_SWEEP = ("half_rate", "rule", "double_rate")
SEEDS = tuple(range(8))
TRIAL_SEEDS = tuple(range(100, 104))
LIPS_SEEDS = tuple(10 * fold + number for fold in range(6) for number in range(2))
TRIAL_LIPS_SEEDS = tuple(range(60, 63))


def _runs(variants, tasks, regimes, seeds) -> list[Run]:
    return [
        Run(variant, task, regime, seed)
        for task in tasks
        for variant in variants
        for regime in regimes
        for seed in seeds
    ]


def plan(seeds=SEEDS, lips_seeds=LIPS_SEEDS) -> list[Run]:
    """All runs; those that are compared share a seed."""
    parts = (
        (MAIN, FIGURES, ("rule", "alone", "own_rate", "own_rate_alone")),
        (CORE, FIGURES, ("long", "own_rate_long")),
        (("slow", *CORE), LIPS, ("lips",)),
        (CORE, (FOLDER,), ("folder",)),
        (EQUATIONS, (HARD,), ("rule",)),
        (("ac_stop", "ac_stop_temporal"), ("motion",), ("rule",)),
        (("slow_scam_same", "slow_scam_near"), FIGURES, ("rule",)),
        (("ac", "sup_ac"), (HARD,), WEIGHT_SWEEP),
        (("ac_literal",), (HARD,), ("per_class", "faint")),
        (CORE, (HARD,), ("few", "crowd", "context")),
        ((*CORE, "slow", "slow_scam"), (HARD,), ("large",)),
    )
    return [
        run
        for variants, tasks, regimes in parts
        for run in _runs(variants, tasks, regimes, lips_seeds if tasks == LIPS else seeds)
    ]


def trial_plan(seeds=TRIAL_SEEDS, lips_seeds=TRIAL_LIPS_SEEDS) -> list[Run]:
    """The runs by which the settings were chosen: another task, other seeds, other speakers."""
    ways = (*TRIED, "sup_distill", "sup_ac_scam")
    return [
        *_runs((*CORE, "slow", "slow_scam", "ac_scam"), (TRIAL,), RATE_SWEEP, seeds),
        *_runs(ways, (TRIAL,), RATE_SWEEP[:3], seeds),
        *_runs(("sup_ac",), (TRIAL,), ("weak", "strong"), seeds),
        *_runs((*CORE, "slow"), ("words",), LIPS_RATE_SWEEP, lips_seeds),
    ]
