"""One run of the ablation: build a network, train it, and measure it."""

import dataclasses
import functools
from pathlib import Path

from keras_acl import ClipSpec, recipes
from keras_acl.attention import (
    attention_maps,
    energy_inside,
    pointing_game,
    stream_correlation,
)
from keras_acl.data import MovingFigures
from keras_acl.layers import AttentionConsistency
from keras_acl.models import SlowClassifier, SlowFastClassifier, TwoStreamClassifier
from keras_acl.system.devices import compile_with_xla

import keras
import numpy as np
from keras import ops
from plan import REGIMES, Budget, Regime, Run
from real_videos import FolderClips, folder_clips

SPAN = 32  # frames drawn of a clip; the network sees some of them
RECTANGLE = 0.2  # side of the misleading one, as a share of the picture
MISLED = 0.8  # share of the training clips in which it has its class's colour


@dataclasses.dataclass(frozen=True)
class Batches:
    """Arrays as a recipe wants its training data: by batch, with a length."""

    clips: np.ndarray
    batch_size: int

    def __len__(self) -> int:
        return -(-len(self.clips) // self.batch_size)

    def __getitem__(self, index: int):
        return (self.clips[index * self.batch_size : (index + 1) * self.batch_size],)


def perform(run: Run, budget: Budget, cache: Path, videos: Path | None = None) -> dict:
    """Train once and measure; the same run gives the same clips and the same first weights."""
    regime = REGIMES[run.regime]
    if regime.folder:
        return perform_on_folder(
            run, budget, folder_clips(videos, clip_of(budget), run.seed, cache)
        )
    budget = dataclasses.replace(
        budget,
        clips=budget.clips // regime.fewer,
        epochs=budget.epochs * regime.fewer * regime.longer,
    )
    figures = figures_of(run.task, regime.distractors, budget)
    clips, labels, _ = drawn(figures, budget, budget.clips, 2 * run.seed, cache)
    if regime.context:
        clips = with_context(clips, labels, len(figures.labels), MISLED, run.seed)
    keras.utils.set_random_seed(run.seed)
    model = network(run.variant, figures.labels, budget, regime.weight)
    if regime.spatial_first:
        start_from_slow(model, figures.labels, clips, labels, budget, run.seed)
    history = train(model, clips, labels, budget, regime.ramp, run.seed)
    return record(run, budget, history, measure(model, run, regime, budget, cache))


def perform_on_folder(run: Run, budget: Budget, data: FolderClips) -> dict:
    """The same on real videos: accuracy on other recordings; where the actor is nobody knows."""
    regime, steps = REGIMES[run.regime], budget.clips * budget.epochs
    count = len(data.clips)
    budget = dataclasses.replace(budget, clips=count, epochs=max(round(steps / count), 1))
    keras.utils.set_random_seed(run.seed)
    model = network(run.variant, [str(name) for name in data.labels], budget, regime.weight)
    history = train(model, data.clips, data.classes, budget, regime.ramp, run.seed)
    maps = attention_maps(model, data.test_clips, data.test_classes, batch_size=16)
    alone = _StreamClasses(model).predict(data.test_clips, batch_size=16, verbose=0)
    temporal = maps.temporal.mean(axis=1)
    values = {
        "accuracy": (alone["both"] == data.test_classes).mean(),
        "accuracy_spatial": (alone["spatial"] == data.test_classes).mean(),
        "accuracy_temporal": (alone["temporal"] == data.test_classes).mean(),
        "correlation": stream_correlation(maps.spatial, temporal).mean(),
    }
    measured = {name: float(value) for name, value in values.items()}
    sides = {"recordings": data.recordings.tolist(), "test_videos": len(data.test_clips)}
    return record(run, budget, history, measured) | sides


def record(run: Run, budget: Budget, history: dict, measured: dict) -> dict:
    """What is kept of a run."""
    return {
        "run": dataclasses.asdict(run),
        "budget": dataclasses.asdict(budget),
        "regime": dataclasses.asdict(REGIMES[run.regime]),
        "history": history,
        "measured": measured,
    }


def clip_of(budget: Budget) -> ClipSpec:
    """What the networks eat."""
    return ClipSpec(frames=budget.frames, span=SPAN, size=budget.size)


def network(variant: str, labels, budget: Budget, weight: float = 1.5) -> keras.Model:
    """The network of a variant, small enough for a CPU."""
    clip, count, alpha = clip_of(budget), len(labels), budget.speed_ratio
    # Few channels: the 2D form of the convolutions is the faster one on a CPU.
    common = {"clip": clip, "labels": labels, "depth": 11, "width": 16, "form": "2d"}
    if variant == "fusion":
        return SlowFastClassifier(count, speed_ratio=alpha, channel_ratio=2, **common)
    if variant in ("slow", "slow_scam"):
        scales = (1.0, 0.5) if variant == "slow_scam" else (1.0,)
        return SlowClassifier(count, speed_ratio=alpha, scales=scales, **common)
    options = {
        "ac_mean": {"temporal": "mean"},
        "ac_random": {"temporal": "random", "seed": 0},
        "ac_literal": {"normalize": None, "classes": "all"},
        "ac_literal_mean": {"normalize": None, "classes": "all", "temporal": "mean"},
        "ac_l2": {"normalize": "l2"},
        "ac_stop": {"stop_gradient": "spatial"},
    }
    return TwoStreamClassifier(
        count,
        speed_ratio=alpha,
        channel_ratio=2,
        scales=(1.0, 0.5) if variant == "ac_scam" else (1.0,),
        consistency_weight=None if variant == "no_fusion" else weight,
        # The committed runs were made before maps without contrast counted less.
        consistency=AttentionConsistency(minimum_contrast=0.0, **options.get(variant, {})),
        **common,
    )


def train(model, clips, labels, budget: Budget, ramp: float, seed: int) -> dict:
    """Fit with the package's recipe; returns the training curves."""
    recipe = recipes.finetune(
        epochs=budget.epochs,
        learning_rate=budget.learning_rate,
        warmup_epochs=1,
        consistency_warmup_epochs=round(ramp * budget.epochs),
        seed=seed,
    )
    batches = Batches(clips, budget.batch_size)
    callbacks = recipe.compile(model, batches)
    order = np.random.default_rng(seed).permutation(len(clips))
    history = model.fit(
        clips[order],
        labels[order],
        batch_size=budget.batch_size,
        epochs=budget.epochs,
        validation_data=(clips[:16], labels[:16]),  # for the precise batch statistics before it
        callbacks=callbacks,
        verbose=0,
    ).history
    shown = ("loss", "accuracy", "consistency")
    return {name: [float(v) for v in history[name]] for name in shown if name in history}


def start_from_slow(model, labels, clips, classes, budget: Budget, seed: int) -> None:
    """Train a Slow network and give its stream and its dense weights to the spatial stream."""
    slow = network("slow", labels, budget)
    train(slow, clips, classes, dataclasses.replace(budget, epochs=-(-budget.epochs // 2)), 0, seed)
    model.spatial_stream.set_weights(slow.spatial_stream.get_weights())
    kernel, bias = slow.classifier.get_weights()
    mine = np.zeros(model.classifier.kernel.shape, "float32")  # rows [spatial | temporal]
    mine[: len(kernel)] = kernel
    model.classifier.set_weights([mine, bias])


def measure(model, run: Run, regime: Regime, budget: Budget, cache: Path) -> dict:
    """Accuracies, and where the streams look for the labelled class, on clips of another seed."""
    crowd = figures_of(run.task, regime.distractors, budget)
    clips, labels, swept = drawn(crowd, budget, budget.test_clips, 2 * run.seed + 1, cache)
    other = figures_of(run.task, 0 if regime.distractors else 3, budget)
    shifted, shifted_labels, _ = drawn(
        other, budget, budget.test_clips // 2, 2 * run.seed + 1, cache
    )
    if regime.context:
        clips = with_context(clips, labels, len(crowd.labels), 0, run.seed + 1)
    maps = attention_maps(model, clips, labels, batch_size=16)
    classes = functools.partial(_StreamClasses(model).predict, batch_size=16, verbose=0)
    temporal = None if maps.temporal is None else maps.temporal.mean(axis=1)
    values = {
        "accuracy": (maps.scores.argmax(axis=1) == labels).mean(),
        "accuracy_shifted": (classes(shifted)["both"] == shifted_labels).mean(),
        "chance": swept.mean(),
        "pointing_spatial": pointing_game(maps.spatial, swept).mean(),
        "inside_spatial": energy_inside(maps.spatial, swept).mean(),
    }
    if temporal is not None:
        alone = classes(clips)
        values |= {
            "accuracy_spatial": (alone["spatial"] == labels).mean(),
            "accuracy_temporal": (alone["temporal"] == labels).mean(),
            "pointing_temporal": pointing_game(temporal, swept).mean(),
            "inside_temporal": energy_inside(temporal, swept).mean(),
            "correlation": stream_correlation(maps.spatial, temporal).mean(),
        }
    return {name: float(value) for name, value in values.items()}


class _StreamClasses(keras.Model):
    """The class that both streams say, and each alone, under `predict`."""

    def __init__(self, model):
        super().__init__(name="stream_classes")
        self.model = model
        self.compile(jit_compile=compile_with_xla())

    def call(self, clips):
        logits = {"both": self.model(clips, training=False)}
        names, weights = ("spatial", "temporal"), self.model.class_weights
        for name, features, kernel in zip(names, self.model.features(clips), weights, strict=False):
            pooled = ops.mean(ops.cast(features, "float32"), axis=(1, 2, 3))
            logits[name] = ops.matmul(pooled, kernel) + self.model.classifier.bias
        return {name: ops.argmax(value, axis=-1) for name, value in logits.items()}


def figures_of(task: str, distractors: int, budget: Budget) -> MovingFigures:
    """The clips of a task."""
    return MovingFigures(task, distractors, SPAN, budget.size)


def drawn(figures: MovingFigures, budget: Budget, count: int, seed: int, cache: Path):
    """Clips (N, T, H, W, 3), labels and where the actor is at any time (N, H, W); kept on disk."""
    name = f"{figures.task}-{figures.distractors}-{figures.size}-{budget.frames}-{count}-{seed}"
    file = cache / f"{name}.npz"
    if not file.exists():
        clips, labels, masks = figures.arrays(count, seed)
        chosen = np.linspace(0, SPAN - 1, budget.frames).astype(int)
        cache.mkdir(parents=True, exist_ok=True)
        beside = cache / f"saving-{name}-{np.random.default_rng().integers(1 << 40)}.npz"
        np.savez(beside, clips=clips[:, chosen], labels=labels, swept=masks.any(axis=1))
        beside.replace(file)
    with np.load(file) as arrays:
        return arrays["clips"], arrays["labels"], arrays["swept"]


def with_context(clips, labels, classes: int, told: float, seed: int) -> np.ndarray:
    """Put a still rectangle into every clip; in the share `told` its colour is the class's."""
    rng = np.random.default_rng([seed, 7])
    colours = np.random.default_rng(7).integers(0, 256, (classes, 3))
    clips, size = clips.copy(), round(RECTANGLE * clips.shape[2])
    for clip, label in zip(clips, labels, strict=True):
        colour = colours[label if rng.random() < told else rng.integers(classes)]
        y, x = rng.integers(0, clip.shape[1] - size, 2)
        clip[:, y : y + size, x : x + size] = colour
    return clips
