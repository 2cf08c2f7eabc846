"""What a training run depends on, what comes out of it, and the folder that is its own."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from keras_acl.clip import ClipSpec
from keras_acl.data import Video
from keras_acl.system.atomic_write import written_whole
from keras_acl.system.dotted_names import dotted_names
from keras_acl.training import recipes
from keras_acl.training.checkpoint import latest_state


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """What a run depends on; stored in its folder, so that only the same run is resumed.

    Args:
        source: Folder of class folders, or a CSV file.
        network: `"small"`, `"r50"` or `"r101"`.
        clip: What the model eats.
        recipe: How it is trained.
        batch_size: Clips per batch.
        validation_split: Share of the videos kept for validation.
        flip: Whether clips are mirrored at random; off where left and right are classes.
        seed: Seed of weights, split, order and clips.
        weights: What to start from instead of random weights, as in `load_pretrained`; the
            network is then that one, whatever `network` says.
        accumulate: Batches whose gradients make one step.
        rematerialize: Whether the inside of blocks is computed twice instead of being kept.
        validation: Source of the validation videos; without it, `source` is split.
        test: Source of the test videos, which are scored at the end; None for none.
        precision: Keras' dtype policy; None: mixed_bfloat16 on a GPU or TPU, else float32.
    """

    source: str
    network: str
    clip: ClipSpec
    recipe: recipes.Recipe
    batch_size: int = 8
    validation_split: float = 0.2
    flip: bool = True
    seed: int = 0
    weights: str | None = None
    accumulate: int = 1
    rematerialize: bool = False
    validation: str | None = None
    test: str | None = None
    precision: str | None = None


@dataclasses.dataclass(frozen=True)
class RunReport:
    """What came out of a run.

    Args:
        folder: Where everything is.
        classes: Number of classes.
        videos: Number of videos for (training, validation).
        epochs: Epochs trained in all.
        accuracy: Top-1 on the validation videos: one centre clip, one centre crop.
        chance: Share of the most frequent class among them.
        bad_files: Files that could not be read.
        seconds: Time this call took.
        test_videos: Number of test videos; 0 without a test set.
        test_accuracy: As `accuracy`, on the test videos; None without a test set.
    """

    folder: Path
    classes: int
    videos: tuple[int, int]
    epochs: int
    accuracy: float
    chance: float
    bad_files: int
    seconds: float
    test_videos: int = 0
    test_accuracy: float | None = None


def claim_folder(folder: Path, settings: RunSettings, videos: Sequence[Video]) -> None:
    """Write down what a run depends on, or check that it is what the run in `folder` began with.

    A folder without a finished epoch has nothing to lose and is taken over.

    Raises:
        ValueError: If the folder holds a run with other settings or other videos.
    """
    file = folder / "settings.json"
    listed = "\n".join(f"{video.path}\t{video.label}" for video in videos)
    digest = hashlib.sha256(listed.encode(errors="surrogateescape")).hexdigest()
    # The list counts, too: with other videos, the split would mix what was kept apart.
    record = {**dataclasses.asdict(settings), "videos": f"{len(videos)}, list sha256 {digest[:12]}"}
    text = json.dumps(record, indent=2)
    if finished_epochs(folder) and file.exists():
        before = dotted_names(json.loads(file.read_text(encoding="utf-8")))
        now = dotted_names(json.loads(text))
        changed = [f"{key} was {before.get(key)}" for key in now if before.get(key) != now[key]]
        if changed:
            raise ValueError(
                f"{folder} holds a run with other settings: {', '.join(changed)}. Repeat them to "
                "go on with it. Otherwise give another output folder, or remove this one."
            )
        return
    (folder / "history.csv").unlink(missing_ok=True)
    with written_whole(file) as beside:
        beside.write_text(text, encoding="utf-8")


def finished_epochs(folder: Path) -> int:
    """Number of epochs after which the run in `folder` would go on; 0 for a new one."""
    state = latest_state(folder / "checkpoint")
    return state[0] if state else 0
