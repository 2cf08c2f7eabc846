"""The runs of one network, performed together: its clips, its training, what is measured."""

import dataclasses
import functools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keras_acl import ClipSpec, recipes
from keras_acl.attention import energy_inside, pointing_game, stream_correlation
from keras_acl.attention.maps import stretch
from keras_acl.data import MovingFigures
from keras_acl.layers import ClassActivationMaps

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras import ops
from lips import FOLDS, README, centred, lips, shrunk
from networks import TERMS, network_of_terms, program_of
from one_by_one import OneByOne
from plan import FOLDER, LIPS, REGIMES, Budget, Regime, Run
from program import Member, Program
from real_videos import folder_clips
from side_by_side import SideBySide

SPAN = 32  # frames drawn of a clip; the network sees some of them
RECTANGLE = 0.2  # side of the misleading one, as a share of the picture
MISLED = 0.8  # share of the training clips in which it has its class's colour
THREADS = 4  # that measure
RIDGE = 1e-2  # penalty of the linear probes, a clip


@dataclasses.dataclass(frozen=True)
class Clips:
    """Clips uint8 (N, T, H, W, C), classes (N,), and where the actor is at any time (N, H, W)."""

    clips: np.ndarray
    labels: np.ndarray
    swept: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Folders:
    """Where things are.

    Args:
        cache: Clips that were drawn or read are kept here.
        mouths: Mouth crops, see `lips.py`.
        videos: A folder of real videos for each class.
        rates: File with the factors of the networks' own learning rates.
    """

    cache: Path
    mouths: Path | None = None
    videos: Path | None = None
    rates: Path | None = None


def perform(runs: list[Run], budget: Budget, folders: Folders) -> list[dict]:
    """Train and measure the runs of one group; see `group_of`."""
    regime, task = REGIMES[runs[0].regime], runs[0].task
    budget = budget_of(regime, budget)
    data = [clips_of(run, budget, folders) for run in runs]
    if task == FOLDER:  # as many steps as elsewhere
        epochs = round(budget.clips * budget.epochs / len(data[0]["train"].clips))
        budget = dataclasses.replace(budget, epochs=max(epochs, 1))
    names = class_names(task, budget, folders)
    recipe = recipes.finetune(
        epochs=budget.epochs,
        learning_rate=budget.learning_rate,
        warmup_epochs=1,
        precise_batches=0,
    )
    members = [
        Member(
            clips=sides["train"].clips,
            labels=sides["train"].labels,
            seed=run.seed,
            learning_rate=budget.learning_rate * rate_of(run, folders.rates),
            weight=REGIMES[run.regime].weight * TERMS.get(run.variant, {}).get("consistency", 1),
            ramp=round(REGIMES[run.regime].ramp * budget.epochs),
            terms=TERMS.get(run.variant, {}),
        )
        for run, sides in zip(runs, data, strict=True)
    ]
    program = Program(
        lambda: network_of_terms(program_of(runs[0].variant), names, budget),
        recipe,
        members,
        budget.batch_size,
        augment=vary if budget.augment else None,
    )
    together = SideBySide(program) if keras.backend.backend() == "jax" else OneByOne(program)
    history = together.fit(budget.epochs)
    measured = measure(together, data)
    return [
        {
            "run": {**dataclasses.asdict(run), "fold": run.fold},
            "budget": dataclasses.asdict(budget),
            "history": {name: values[index].tolist() for name, values in history.items()},
            "measured": measured[index],
        }
        for index, run in enumerate(runs)
    ]


def rate_of(run: Run, rates: Path | None) -> float:
    """Factor of a run's learning rate; a network's own was chosen by the trial runs.

    Raises:
        ValueError: If it was not.
    """
    regime = REGIMES[run.regime]
    if not regime.own_rate:
        return regime.rate
    kind = "lips" if run.task in LIPS else "figures"
    chosen = json.loads(rates.read_text()).get(kind, {}) if rates else {}
    if run.variant not in chosen:
        raise ValueError(
            f"{rates} has no rate of {run.variant} on {kind}: it was not tried. Let run.py --trial "
            "finish first."
        )
    return chosen[run.variant]


def group_of(run: Run) -> tuple:
    """What the runs have in common that can be performed together."""
    regime = REGIMES[run.regime]
    alone = run.seed if run.task == FOLDER else None  # as its number of clips differs
    return program_of(run.variant), run.task, regime.longer, regime.fewer, regime.larger, alone


def budget_of(regime: Regime, budget: Budget) -> Budget:
    """The size of a run in these circumstances."""
    return dataclasses.replace(
        budget,
        clips=budget.clips // regime.fewer,
        epochs=budget.epochs * regime.fewer * regime.longer,
        size=budget.size * regime.larger,
    )


def class_names(task: str, budget: Budget, folders: Folders) -> list[str]:
    """Names of a task's classes."""
    if task in LIPS:
        return [str(name) for name in lips(folders.mouths, task, folders.cache).names]
    if task == FOLDER:
        return sorted(path.name for path in folders.videos.iterdir() if path.is_dir())
    return list(figures_of(task, 0, budget).labels)


def clips_of(run: Run, budget: Budget, folders: Folders) -> dict[str, Clips]:
    """Clips to train on, and one or two sets to measure on."""
    if run.task in LIPS:
        return mouths_of(run.task, run.seed // 10, budget, folders)
    if run.task == FOLDER:
        return videos_of(run.seed, budget, folders)
    regime = REGIMES[run.regime]
    train, test, shifted = (drawn(*drawing, folders.cache) for drawing in drawings(run, budget))
    if regime.context:
        classes = len(figures_of(run.task, 0, budget).labels)
        train = with_context(train, classes, MISLED, run.seed)
        test = with_context(test, classes, 0, run.seed + 1)
    return {"train": train, "test": test, "shifted": shifted}


def drawings(run: Run, budget: Budget) -> list[tuple]:
    """What `drawn` is to draw for a run: to train, to measure, and with another crowd."""
    regime = REGIMES[run.regime]
    figures = figures_of(run.task, regime.distractors, budget)
    crowd = figures_of(run.task, 0 if regime.distractors else 3, budget)
    return [
        (figures, budget.frames, budget.clips, 2 * run.seed),
        (figures, budget.frames, budget.test_clips, 2 * run.seed + 1),
        (crowd, budget.frames, budget.test_clips // 2, 2 * run.seed + 1),
    ]


@functools.cache
def mouths_of(task: str, fold: int, budget: Budget, folders: Folders) -> dict[str, Clips]:
    """Mouth crops of the speakers of a fold, and of the others to train on."""
    data = lips(folders.mouths, task, folders.cache)
    chosen = np.linspace(0, data.clips.shape[1] - 1, budget.frames).round().astype(int)
    clips = data.clips[:, chosen]
    if clips.shape[2] != budget.size:
        size = budget.size, round(budget.size * clips.shape[3] / clips.shape[2])
        clips = np.stack([[shrunk(picture, size) for picture in clip] for clip in clips])
    clips = centred(clips[..., None]) if budget.centred else clips[..., None]
    trial = fold > FOLDS
    test = data.tested(0 if trial else README if fold == FOLDS else fold)
    train = ~test & ~data.tested(README) if trial else ~test
    return {
        "train": mixed(Clips(clips[train], data.labels[train])),
        "test": Clips(clips[test], data.labels[test]),
    }


@functools.cache
def videos_of(seed: int, budget: Budget, folders: Folders) -> dict[str, Clips]:
    """Clips of some recordings to train on, and of others."""
    clip = ClipSpec(frames=budget.frames, span=SPAN, size=budget.size)
    data = folder_clips(folders.videos, clip, seed, folders.cache)
    return {
        "train": mixed(Clips(data.clips, data.classes)),
        "test": Clips(data.test_clips, data.test_classes),
    }


def mixed(clips: Clips) -> Clips:
    """The same in another order: statistics of the first batches are those of all classes."""
    order = np.random.default_rng(0).permutation(len(clips.clips))
    return Clips(clips.clips[order], clips.labels[order])


def measure(
    together: SideBySide | OneByOne, data: list[dict[str, Clips]]
) -> list[dict[str, float]]:
    """Accuracies, and where the streams look for the labelled class, on clips of another seed."""
    outputs = {
        name: together.outputs(
            stream_outputs,
            [sides[name].clips for sides in data],
            [sides[name].labels for sides in data],
        )
        for name in data[0]
    }

    def one(index: int) -> dict[str, float]:
        return measured({name: values[index] for name, values in outputs.items()}, data[index])

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(one, range(len(data))))


def stream_outputs(model, clips, labels) -> dict:
    """Logits, pooled features and the labelled class's maps of each stream."""
    features = model.features(clips)
    pooled = model.pool(*features)
    outputs = {"both": model(clips, training=False)}
    if len(features) == 2:
        outputs |= model.logits_alone(pooled)
    maps, first = ClassActivationMaps(), 0
    for name, stream, kernel in zip(("s", "t"), features, model.class_weights, strict=False):
        outputs[f"pooled_{name}"] = pooled[:, first : first + kernel.shape[0]]
        first += kernel.shape[0]
        of_class = ops.one_hot(labels, model.num_classes)
        every = maps((ops.cast(stream, "float32"), kernel))  # (B, t, h, w, L)
        outputs[f"map_{name}"] = ops.einsum("bthwl,bl->bthw", every, of_class)
    return outputs


def measured(outputs: dict[str, dict], sides: dict[str, Clips]) -> dict[str, float]:
    """What a run's outputs on each side come to."""
    test, labels = outputs["test"], sides["test"].labels
    values = {"accuracy": right(test["both"], labels)}
    values["accuracy_train"] = right(outputs["train"]["both"], sides["train"].labels)
    if "shifted" in sides:
        values["accuracy_shifted"] = right(outputs["shifted"]["both"], sides["shifted"].labels)
    for name, stream in (("spatial", "s"), ("temporal", "t")):
        if f"{name}_logits" in test:
            values[f"accuracy_{name}"] = right(test[f"{name}_logits"], labels)
        if f"pooled_{stream}" in test:
            values[f"probe_{name}"] = linear_probe(
                outputs["train"][f"pooled_{stream}"],
                sides["train"].labels,
                test[f"pooled_{stream}"],
                labels,
            )
    swept = sides["test"].swept
    size = sides["test"].clips.shape[2:4]
    maps = {}
    for name, stream in (("spatial", "s"), ("temporal", "t")):
        if f"map_{stream}" not in test:
            continue
        maps[name] = upsampled(test[f"map_{stream}"], size, over_clip=name == "temporal")
        if swept is not None:
            values[f"pointing_{name}"] = pointing_game(maps[name], swept).mean()
            values[f"inside_{name}"] = energy_inside(maps[name], swept).mean()
    if len(maps) == 2:
        values["correlation"] = stream_correlation(maps["spatial"], maps["temporal"]).mean()
    if swept is not None:
        values["chance"] = swept.mean()
    return {name: float(value) for name, value in values.items()}


def right(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of clips whose class is the label."""
    return (logits.argmax(axis=-1) == labels).mean()


def linear_probe(train, train_labels, test, test_labels) -> float:
    """Accuracy of ridge regression on features: what a stream knows, whatever its rows say."""
    mean, deviation = train.mean(axis=0), train.std(axis=0) + 1e-6
    train, test = ((side - mean) / deviation for side in (train, test))
    targets = np.eye(train_labels.max() + 1)[train_labels]
    gram = train.T @ train + RIDGE * len(train) * np.eye(train.shape[1])
    weights = np.linalg.solve(gram, train.T @ (targets - targets.mean(axis=0)))
    return right(test @ weights + targets.mean(axis=0), test_labels)


def upsampled(maps: np.ndarray, size: tuple[int, int], over_clip: bool) -> np.ndarray:
    """One map of each clip in [0, 1], (B, H, W), as `attention_maps` makes them."""
    rows, columns = (resizing(old, new) for old, new in zip(maps.shape[2:], size, strict=True))
    large = rows @ maps @ columns.T
    return stretch(large).mean(axis=1) if over_clip else stretch(large.mean(axis=1))


@functools.cache
def resizing(old: int, new: int) -> np.ndarray:
    """The matrix (new, old) by which bilinear interpolation resizes an axis."""
    unit = np.eye(old, dtype="float32")[None, ..., None]
    resized = ops.image.resize(unit, (new, old), "bilinear", data_format="channels_last")
    return ops.convert_to_numpy(resized)[0, ..., 0]


def figures_of(task: str, distractors: int, budget: Budget) -> MovingFigures:
    """The clips of a task."""
    return MovingFigures(task, distractors, SPAN, budget.size)


@functools.cache  # several runs of a group have the same ones
def drawn(figures: MovingFigures, frames: int, count: int, seed: int, cache: Path) -> Clips:
    """Clips of a task; kept on disk."""
    name = f"{figures.task}-{figures.distractors}-{figures.size}-{frames}-{count}-{seed}"
    file = cache / f"{name}.npz"
    if not file.exists():
        clips, labels, masks = figures.arrays(count, seed)
        chosen = np.linspace(0, SPAN - 1, frames).astype(int)
        cache.mkdir(parents=True, exist_ok=True)
        beside = cache / f"saving-{name}-{np.random.default_rng().integers(1 << 40)}.npz"
        np.savez(beside, clips=clips[:, chosen], labels=labels, swept=masks.any(axis=1))
        beside.replace(file)
    with np.load(file) as arrays:
        return Clips(arrays["clips"], arrays["labels"], arrays["swept"])


def with_context(side: Clips, classes: int, told: float, seed: int) -> Clips:
    """Put a still rectangle into every clip; in the share `told` its colour is the class's."""
    rng = np.random.default_rng([seed, 7])
    colours = np.random.default_rng(7).integers(0, 256, (classes, 3))
    clips, size = side.clips.copy(), round(RECTANGLE * side.clips.shape[2])
    for clip, label in zip(clips, side.labels, strict=True):
        colour = colours[label if rng.random() < told else rng.integers(classes)]
        y, x = rng.integers(0, clip.shape[1] - size, 2)
        clip[:, y : y + size, x : x + size] = colour
    return dataclasses.replace(side, clips=clips)


def vary(key, clips):
    """Shift, mirror, stretch in time and light each clip (B, T, H, W, C) at random."""
    return jax.vmap(_vary_one)(jax.random.split(key, clips.shape[0]), clips)


def _vary_one(key, clip, shift: int = 4):
    keys = jax.random.split(key, 5)
    frames, height, width, channels = clip.shape
    start, length = jax.random.uniform(keys[0], (2,), minval=0.0, maxval=0.2)
    times = start + jnp.linspace(0, 1 - start - length, frames)
    clip = clip[jnp.round(times * (frames - 1)).astype("int32")]
    y, x = jax.random.randint(keys[1], (2,), 0, 2 * shift + 1)
    padded = jnp.pad(clip, ((0, 0), (shift, shift), (shift, shift), (0, 0)), "edge")
    clip = jax.lax.dynamic_slice(padded, (0, y, x, 0), (frames, height, width, channels))
    clip = jnp.where(jax.random.bernoulli(keys[2]), clip[:, :, ::-1], clip)
    light = jax.random.uniform(keys[3], (), minval=0.8, maxval=1.2)
    offset = jax.random.uniform(keys[4], (), minval=-20.0, maxval=20.0)
    return jnp.clip(clip.astype("float32") * light + offset, 0, 255)
