"""What `keras-acl evaluate` measures, where that goes, and whose model it was."""

import dataclasses
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from keras_acl.data.kinetics import read_kinetics
from keras_acl.data.sources import read_csv, read_directory
from keras_acl.data.ucf101 import read_ucf101
from keras_acl.data.video_list import VideoList
from keras_acl.engines.inference_model import is_exported
from keras_acl.evaluation.held_out import (
    SPLIT,
    count_trained_on,
    held_out_videos,
    run_folder,
)
from keras_acl.system.atomic_write import written_whole

BENCHMARKS = ("ucf101", "kinetics")
ONE_LABEL = (
    "{} says one label of each video, and a multi-label model is for several: expected a CSV "
    "(path,label) with labels such as left|red in a cell."
)


class TrainedOnWarning(UserWarning):
    """Videos that a model is evaluated on were in its training."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Videos to evaluate on.

    Args:
        videos: The videos.
        name: Name of the data set.
        folder: Where the scores go if nobody says.
    """

    videos: VideoList
    name: str
    folder: Path


def read_source(
    model: str,
    source: str | None,
    labels: Sequence[str] | None,
    videos: Path | None = None,
    annotations: Path | None = None,
    split: int = 1,
    multi_label: bool = False,
) -> Source:
    """Read what a model is to be evaluated on; warn of videos that it was trained on.

    Args:
        model: What `load_any` takes.
        source: Folder of class folders, CSV, `"ucf101"` or `"kinetics"`; `None` for the videos
            that the model's run held out.
        labels: The model's class names.
        videos: Folder of the videos of UCF101 or Kinetics.
        annotations: Their lists.
        split: Split of UCF101.
        multi_label: Whether the model takes several labels a video, so that a CSV has them.

    Raises:
        ValueError: If arguments are missing or do not go together, or the source is broken.
        FileNotFoundError: If the source is not there.
    """
    if source not in BENCHMARKS and (videos, annotations) != (None, None):
        raise ValueError("--videos and --annotations go with ucf101 and kinetics only")
    run = run_folder(model)
    if source is None:
        if run is None:
            raise ValueError(
                f"{model} has no {SPLIT} that says what it held out: name the videos, as in "
                f"keras-acl evaluate {model} VIDEOS. For the run of an older version, the same "
                "keras-acl train again writes it."
            )
        listed, side = held_out_videos(run, labels, multi_label)
        return Source(listed, f"{run.resolve().name}, {side}", run)
    if multi_label and not source.lower().endswith(".csv"):
        raise ValueError(ONE_LABEL.format(source))
    listed, name = _read(source, labels, videos, annotations, split, multi_label)
    trained = 0 if run is None else count_trained_on(run, listed)
    if trained:
        warnings.warn(
            f"{trained} of these {len(listed)} videos were trained on, so the accuracy is too "
            f"high. keras-acl evaluate {run} alone takes those that were held out.",
            TrainedOnWarning,
            stacklevel=2,
        )
    return Source(listed, name, _default_folder(model, source))


def _read(
    source: str,
    labels: Sequence[str] | None,
    videos: Path | None,
    annotations: Path | None,
    split: int,
    multi_label: bool,
) -> tuple[VideoList, str]:
    """The videos of a source and the name of the data set."""
    if source in BENCHMARKS:
        if videos is None or annotations is None:
            raise ValueError(f"{source} needs --videos and --annotations: where its files are")
        videos = videos.absolute()
        if source == "ucf101":
            return read_ucf101(videos, annotations, split, "test"), f"UCF101, test split {split}"
        return read_kinetics(videos, annotations, labels), f"Kinetics, {annotations.name}"
    # Paths that a report finds from anywhere, and that are the same in every run.
    path = Path(os.path.abspath(source))
    if path.is_dir():
        return read_directory(path, labels), path.name
    if not path.exists():
        raise FileNotFoundError(
            f"There is no folder or CSV {source}. Expected one, or ucf101 or kinetics"
        )
    return read_csv(path, labels, multi_label=multi_label), path.stem


def _default_folder(model: str, source: str) -> Path:
    places = [
        Path(os.path.abspath(name) if os.path.exists(name) else name.split("://")[-1])
        for name in (model, source)
    ]
    names = [
        place.stem if is_exported(place) else place.name.removesuffix(".keras") for place in places
    ]
    return Path("runs") / "-".join(["evaluate", *names]).removesuffix(".csv")


def note_model(output: Path, model: str, fingerprint: str) -> None:
    """Leave in the folder what a report needs to load the model again."""
    # Another folder of a preset's name is not the model.
    saved = (Path(model), Path(model) / "model.keras", Path(model) / "metadata.json")
    local = any(file.is_file() for file in saved)
    note = {"model": os.path.abspath(model) if local else model, "fingerprint": fingerprint}
    with written_whole(output / "evaluation.json") as beside:
        beside.write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
