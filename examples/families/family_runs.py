"""How the families of the zoo learn from little, at an equal budget: moving figures, real mouths.

Small forms of about as many multiply-adds a clip learn from the same clips in the same number of
steps. Rows of finished runs stand in OUTPUT/runs.csv and are not repeated; the same command goes on
where it stopped. `README.md` beside this file says what came out. On one core of a CPU, with
TensorFlow, the fastest here, about half a minute a run:

    python examples/families/family_runs.py --mouths FOLDER

FOLDER holds mouth crops and their clips.csv, see `examples/ablation/lips.py`.
"""

import argparse
import csv
import functools
import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":  # before anything is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for threads in ("INTRAOP", "INTEROP"):
        os.environ.setdefault(f"TF_NUM_{threads}_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.append(str(Path(__file__).parents[1] / "ablation"))
sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from keras_acl.speed.cost import count_multiply_adds, count_parameters
from keras_acl.system.atomic_write import written_whole
from keras_acl.system.cache_folder import cache_folder
from keras_acl.training.precise_batch_norm import precise_statistics
from keras_acl.training.recipe import REFERENCE_BATCH, Recipe

import keras
import measuring
import numpy as np
from family_clips import TASKS, Sides, VariedClips, ridge_floor, sides
from family_networks import CLIP, FAMILIES, family_network
from one_by_one import OneByOne
from program import Member, Program

HERE = Path(__file__).parent
COLUMNS = (
    *("task", "family", "seed", "clips", "steps", "tested", "accuracy", "accuracy_train", "loss"),
    *("parameters", "multiply_adds", "seconds", "commit", "machine", "backend", "versions"),
)
SEEDS = (0, 1, 2)
RIDGE = "ridge"  # the family of what is no network
EPOCHS = 4
BATCH = 8
RATE = 0.005  # of every family, as there was no time to look for that of each
KNOWN = 400  # training clips on which is measured what was learned by heart


def main(arguments: list[str] | None = None) -> None:
    options = read_options(arguments)
    file = options.output / "runs.csv"
    origin()  # before a later commit is checked out
    for task in options.tasks:
        if RIDGE not in done(file, task):
            found = ridge_floor(task, options.mouths, options.cache)
            add_row(file, {"task": task, "family": RIDGE, "accuracy": f"{found:.4f}"})
    data = {task: sides(task, options.mouths, options.cache) for task in options.tasks}
    for family in options.families:
        for task in options.tasks:
            seeds = [s for s in options.seeds if s not in done(file, task).get(family, ())]
            if not seeds:
                continue
            print(f"{family}, {task}:", flush=True)
            for row in perform(family, data[task], seeds, options.epochs):
                add_row(file, {"task": task, "family": family, **row})


def done(file: Path, task: str) -> dict[str, list[int]]:
    """Seeds of a task's finished runs, by family."""
    found: dict[str, list[int]] = {}
    for row in read_rows(file):
        if row["task"] == task:
            found.setdefault(row["family"], []).append(int(row["seed"] or 0))
    return found


def read_options(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mouths", type=Path, required=True, help="mouth crops with clips.csv")
    parser.add_argument("--output", type=Path, default=HERE, help="where runs.csv is written")
    parser.add_argument("--cache", type=Path, help="keeps clips packed; by default Keras' folder")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each run")
    options = parser.parse_args(arguments)
    if not options.mouths.is_dir():
        parser.error(f"--mouths: there is no folder {options.mouths}")
    options.cache = options.cache or cache_folder() / "families"
    return options


class AdamRecipe(Recipe):
    """A recipe with Adam: in few steps it learns more than SGD does, at one rate for all."""

    def compile(self, model, *arguments, **options) -> list:
        """Compile as ever, but for the optimiser."""
        callbacks = super().compile(model, *arguments, **options)
        model.optimizer = keras.optimizers.Adam(self.learning_rate)
        return callbacks


def perform(family: str, data: Sides, seeds: list[int], epochs: int) -> Iterator[dict]:
    """Train a family with each seed; yields a row as each is done.

    What is compiled once serves all: each starts from the weights of a new network of its seed.
    """
    keras.backend.clear_session()
    gc.collect()
    rate = RATE * REFERENCE_BATCH / BATCH
    recipe = AdamRecipe(epochs=epochs, learning_rate=rate, warmup_epochs=0.5)
    members = [
        Member(VariedClips(data.clips, seed), data.labels, seed, rate, ramp=epochs // 3)
        for seed in seeds
    ]
    trainer = OneByOne(
        Program(lambda: family_network(family, data.names), recipe, members, batch_size=BATCH)
    )
    costs = {
        "parameters": count_parameters(trainer.model),
        "multiply_adds": count_multiply_adds(trainer.model, CLIP.size),
    }
    compiled(trainer, data)
    for member in members:
        trainer.members, trainer.trained = [member], []
        started = time.process_time()
        trainer.fit(epochs)
        seconds = time.process_time() - started
        logits = logits_on(trainer, data.test_clips, data.test_labels)
        told = logits_on(trainer, data.clips[:KNOWN], data.labels[:KNOWN])
        yield {
            "seed": member.seed,
            "clips": len(data.labels),
            "steps": epochs * trainer.steps,
            "tested": len(data.test_labels),
            "accuracy": f"{right(logits, data.test_labels):.4f}",
            "accuracy_train": f"{right(told, data.labels[:KNOWN]):.4f}",
            "loss": f"{crossentropy(logits, data.test_labels):.4f}",
            **costs,
            "seconds": f"{seconds:.1f}",
            **origin(),
        }


def compiled(trainer: OneByOne, data: Sides) -> None:
    """Let everything compile that the time of a run is not to contain."""
    clips, labels = data.clips[:BATCH], data.labels[:BATCH]
    trainer.model.train_on_batch(clips, labels)
    trainer.model.reset_metrics()
    precise_statistics(trainer.forward, [(clips,)], 1)


def logits_on(trainer: OneByOne, clips: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Logits (N, L) of the network trained last."""
    [outputs] = trainer.outputs(logits_of, [clips], [labels])
    return outputs["logits"]


def logits_of(model, clips, labels) -> dict:
    """What a clip is scored by."""
    return {"logits": model(clips, training=False)}


def right(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of clips whose class is the label."""
    return float((logits.argmax(axis=-1) == labels).mean())


def crossentropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy, in nats."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    chosen = shifted[np.arange(len(labels)), labels]
    return float((np.log(np.exp(shifted).sum(axis=-1)) - chosen).mean())


def read_rows(file: Path) -> list[dict[str, str]]:
    """Rows of a CSV; none where there is no file."""
    if not file.exists():
        return []
    with open(file, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def add_row(file: Path, row: dict) -> None:
    """Write a row more, in the order of tasks, families and seeds."""
    rows = [*read_rows(file), {name: str(value) for name, value in row.items()}]
    tasks, families = list(TASKS), [RIDGE, *FAMILIES]
    rows.sort(
        key=lambda one: (
            tasks.index(one["task"]),
            families.index(one["family"]),
            one.get("seed", ""),
        )
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(file) as beside, open(beside, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@functools.cache
def origin() -> dict[str, str]:
    """Where a result comes from: commit, machine, versions."""
    git = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    about = measuring.machine()
    backend = keras.backend.backend()
    versions = (f"{name} {about['versions'].get(name)}" for name in ("keras", backend))
    return {
        "commit": commit,
        "machine": f"one core of {about['cpu']}",
        "backend": backend,
        "versions": " ".join(versions),
    }


if __name__ == "__main__":
    main()
