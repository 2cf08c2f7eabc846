"""What a training run depends on, and what comes out of it."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from keras_acl.clip import ClipSpec
from keras_acl.system import html
from keras_acl.training import recipes
from keras_acl.training.fine_tuning import check_balance

KEEP = ("best", "last")


class KeptModel(NamedTuple):
    """A model that a run wrote: its file, the epoch whose weights it has, and which that is."""

    file: str
    epoch: int
    which: str


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
        keep: Whose weights `model.keras` has: `"best"`, those of the epoch with the best validation
            accuracy (or mean average precision), or `"last"`. The other is beside it.
        all_scores: Whether `predictions.csv` has the scores of all classes.
        workers: Files read at a time; None: one for each CPU core, 16 at most.
        multi_label: Whether a video may have several labels; the source is then a CSV.
        processes: Worker processes that decode, instead of threads; see `LoadingOptions`.

    Raises:
        ValueError: If `keep` is neither, or the classes of several labels are to be balanced.
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
    keep: str = "best"
    all_scores: bool = False
    workers: int | None = None
    multi_label: bool = False
    processes: int = 0

    def __post_init__(self) -> None:
        if self.keep not in KEEP:
            raise ValueError(f"Expected keep to be one of {KEEP}. Received: {self.keep!r}")
        check_balance(self.recipe.balance, self.multi_label)


@dataclasses.dataclass(frozen=True)
class RunReport:
    """What came out of a run. A notebook shows it, with its pictures.

    Args:
        folder: Where everything is.
        classes: Number of classes.
        videos: Number of videos for (training, validation).
        epochs: Epochs trained in all.
        accuracy: Top-1 of `model.keras` on the validation videos: one centre clip, one centre crop.
            Of several labels a video, mean average precision.
        chance: Share of the most frequent class among them; the mean average precision of scores
            at random.
        bad_files: Files that could not be read.
        seconds: Time this call took.
        test_videos: Number of test videos; 0 without a test set.
        test_accuracy: As `accuracy`, on the test videos; None without a test set.
        models: The models that were written, `model.keras` first.
        multi_label: Whether a video may have several labels.
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
    models: tuple[KeptModel, ...] = ()
    multi_label: bool = False

    @property
    def measure(self) -> str:
        """What `accuracy` is."""
        return "mean average precision" if self.multi_label else "accuracy"

    def _repr_html_(self) -> str:
        training, validation = self.videos
        rows = [
            (f"validation {self.measure}", f"{self.accuracy:.1%} of {validation} videos"),
            ("at random" if self.multi_label else "most frequent class", f"{self.chance:.1%}"),
            ("classes", self.classes),
            ("training videos", training),
            ("unreadable files", self.bad_files),
            ("epochs", self.epochs),
            ("seconds", f"{self.seconds:.0f}"),
            ("folder", self.folder),
        ]
        if self.test_accuracy is not None:
            tested = f"{self.test_accuracy:.1%} of {self.test_videos} videos"
            rows.insert(1, (f"test {self.measure}", tested))
        pictures = [self.folder / name for name in ("curves.png", "attention.png")]
        shown = (html.image(file.read_bytes(), "png") for file in pictures if file.is_file())
        return html.lines([html.table(("run", ""), rows), *shown])
